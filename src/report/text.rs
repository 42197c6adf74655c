//! Formats values for pages: percentages, names, and untrusted texts.
//!
//! Templates escape everything. This module handles what escaping does not: forbidden characters, endless texts, and
//! addresses that are not web addresses.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::base::text::visible_on_page;
use crate::base::url::check_public_url;
use crate::model::ids::{Hotkey, Player};
use crate::model::objects::ObjectKey;

/// Longest untrusted text, in characters.
const LONGEST_TEXT: usize = 2000;

/// Longest address shown as text, in characters.
pub(crate) const LONGEST_ADDRESS: usize = 120;

/// A player as a page names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Who {
    /// The first ten characters of a hotkey, or `leader`.
    pub(crate) short: String,
    /// The whole hotkey, or `leader`.
    pub(crate) full: String,
    /// Is it the leader?
    pub(crate) leader: bool,
}

impl From<&Player> for Who {
    fn from(player: &Player) -> Who {
        Who { short: player.short().to_owned(), full: player.as_str().to_owned(), leader: *player == Player::Leader }
    }
}

impl From<&Hotkey> for Who {
    fn from(hotkey: &Hotkey) -> Who {
        Who { short: hotkey.short().to_owned(), full: hotkey.as_str().to_owned(), leader: false }
    }
}

/// A margin as a signed percentage of the duels. Beyond 1, it means that a side had no files.
pub(crate) fn margin(margin: f64) -> String {
    if margin.abs() > 1.0 {
        return if margin > 0.0 { "no files left" } else { "no files" }.to_owned();
    }
    let tenths = (margin * 1000.0).round() / 10.0;
    let sign = if tenths > 0.0 {
        "+"
    } else if tenths < 0.0 {
        "\u{2212}"
    } else {
        ""
    };
    format!("{sign}{:.1}%", tenths.abs())
}

/// A margin in whole percent, for narrow columns.
pub(crate) fn short_margin(margin: f64) -> String {
    if margin.abs() > 1.0 {
        return "\u{00d7}".to_owned();
    }
    let whole = (margin * 100.0).round();
    let sign = if whole < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{:.0}", whole.abs())
}

/// A share without a sign, such as a limit: `5%`, `7.5%`.
pub(crate) fn share(value: f64) -> String {
    let tenths = (value * 1000.0).round() / 10.0;
    format!("{tenths}%")
}

/// A number with a narrow space between thousands, at which no line is broken.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `1 match`, `2 matches`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count as u64), if count == 1 { one } else { many })
}

/// Cleans an untrusted text: replaces control characters and noncharacters, and truncates it. Bidirectional controls
/// stay; the page isolates them.
pub(crate) fn clean(text: &str) -> String {
    let allowed = |c: char| if c == '\n' || !is_forbidden(c) { c } else { '\u{fffd}' };
    let mut cleaned: String = text.chars().take(LONGEST_TEXT).map(allowed).collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// Control characters and Unicode noncharacters.
fn is_forbidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// The first characters of a long name, with an ellipsis.
pub(crate) fn shortened(text: &str, length: usize) -> String {
    let mut short: String = clean(text).chars().take(length).collect();
    if text.chars().count() > length {
        short.push('…');
    }
    short
}

/// The operator's own object folder, which pages on the same disk may link to.
#[derive(Debug, Clone)]
pub(crate) struct OwnFolder {
    /// The folder, absolute and with symbolic links resolved.
    pub(crate) root: PathBuf,
    /// Prefixes of its objects' URLs.
    pub(crate) bases: Vec<String>,
    /// A sandbox's pictures of prompts: their folder, as above, and the prefix of their URLs.
    pub(crate) prompts: Option<(PathBuf, String)>,
}

impl OwnFolder {
    /// The file behind a URL, if it is an object key that stays below the folder.
    fn file_of(&self, url: &str) -> Option<PathBuf> {
        self.object_of(url).or_else(|| self.prompt_of(url))
    }

    /// The picture behind a prompt's URL, if it stays in its folder.
    fn prompt_of(&self, url: &str) -> Option<PathBuf> {
        let (folder, base) = self.prompts.as_ref()?;
        let name = url.strip_prefix(base.as_str())?.strip_prefix('/')?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !name.starts_with('.');
        let file = folder.join(name);
        (plain && file.canonicalize().is_ok_and(|real| real.starts_with(folder))).then_some(file)
    }

    fn object_of(&self, url: &str) -> Option<PathBuf> {
        let rest = self.bases.iter().find_map(|base| url.strip_prefix(base.as_str())?.strip_prefix('/'))?;
        let file = self.root.join(ObjectKey::parse(rest).ok()?.as_str());
        let stays = file.canonicalize().map_or(true, |real| real.starts_with(&self.root));
        stays.then_some(file)
    }
}

/// Decides which addresses a page may link to and load images from, and collects the latter.
#[derive(Debug)]
pub(crate) struct Links<'a> {
    /// The components of the page's folder, from the root.
    folder: Vec<String>,
    own: Option<&'a OwnFolder>,
    /// The image sources that the page's policy has to allow.
    sources: Mutex<BTreeSet<String>>,
}

impl Links<'_> {
    /// Links from pages in this folder (absolute).
    pub(crate) fn from<'a>(folder: &Path, own: Option<&'a OwnFolder>) -> Links<'a> {
        Links { folder: parts(folder), own, sources: Mutex::default() }
    }

    /// The link for a stored URL: public URLs unchanged, objects in the operator's own folder as a relative link.
    /// Anything else (a host in a private network, a file on the reader's disk, `javascript:`) gets no link: each
    /// reader's browser would open it.
    pub(crate) fn to(&self, url: &str) -> Option<String> {
        if check_public_url(url).is_ok() {
            return Some(url.to_owned());
        }
        self.relative(&self.own?.file_of(url)?)
    }

    /// As [`Links::to`], for an image that the page loads by itself.
    pub(crate) fn picture(&self, url: &str) -> Option<String> {
        let address = self.to(url)?;
        let origin = match address.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default()),
            None => "'self' file:".to_owned(),
        };
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).insert(origin);
        Some(address)
    }

    /// The page's image sources, in the policy's syntax.
    pub(crate) fn sources(&self) -> String {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.is_empty() { "'none'".to_owned() } else { sources.iter().cloned().collect::<Vec<_>>().join(" ") }
    }

    /// The relative path from the page's folder to a file on the same disk.
    fn relative(&self, file: &Path) -> Option<String> {
        let target = parts(file);
        let same = target.iter().zip(&self.folder).take_while(|(part, own)| part == own).count();
        let up = std::iter::repeat_n("..".to_owned(), self.folder.len().checked_sub(same)?);
        Some(up.chain(target.get(same..)?.iter().map(|part| encoded(part))).collect::<Vec<_>>().join("/"))
    }
}

/// A path's components, from the root.
fn parts(path: &Path) -> Vec<String> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    parts.collect()
}

/// A path whose components are percent-encoded.
pub(super) fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// A text of others in a file of data: as a page would show it.
pub(super) fn plain(text: &str) -> String {
    visible_on_page(&clean(text)).into_owned()
}

/// A path component, percent-encoded.
fn encoded(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(margin(0.1015625), "+10.2%");
        assert_eq!(margin(-0.28125), "\u{2212}28.1%");
        assert_eq!(margin(-0.0001), "0.0%");
        assert_eq!((margin(100.0), short_margin(-1.0)), ("no files left".to_owned(), "\u{2212}100".to_owned()));
        assert_eq!((share(0.05), share(0.075)), ("5%".to_owned(), "7.5%".to_owned()));
        assert_eq!(number(7_476_090), "7\u{202f}476\u{202f}090");
        assert_eq!(counted(1, "match", "matches"), "1 match");
    }

    #[test]
    fn only_public_addresses_and_objects_of_the_own_folder_become_links() {
        let (root, bases) = ("/srv/my site/objects".into(), vec!["file:///srv/my site/objects".to_owned()]);
        let own = OwnFolder { root, bases, prompts: None };
        let links = Links::from(Path::new("/srv/my site/report/round-0"), Some(&own));
        assert_eq!(links.to("https://x.org/a'b.png?c=1&d").as_deref(), Some("https://x.org/a'b.png?c=1&d"));
        assert_eq!(links.sources(), "'none'", "it is no picture");
        assert!(links.picture("https://x.org:8443/a.png?b").is_some() && links.picture("http://y.org/a").is_some());
        let beside = links.picture("file:///srv/my site/objects/rounds/0/leader/generated/a.png");
        assert_eq!(beside.as_deref(), Some("../../objects/rounds/0/leader/generated/a.png"));
        assert_eq!(links.sources(), "'self' file: http://y.org https://x.org:8443");
        let far = Links::from(Path::new("/data"), Some(&own));
        let there = far.to("file:///srv/my site/objects/rounds/0/a.png");
        assert_eq!(there.as_deref(), Some("../srv/my%20site/objects/rounds/0/a.png"));
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//x.org/a",
            "https:///a",
            "https://x.org/a b",
            "https://x.org/\"onload=\"",
            "https://user:pw@x.org/a.png",
            "https://x.org:22/a.png",
            "http://127.0.0.1/a.png",
            "http://localhost/a.png",
            "http://169.254.169.254/latest/meta-data",
            "http://metadata.google.internal/a.png",
            "http://printer.local/a.png",
            "http://box/a.png",
            "http://10.0.0.1/a.png",
            "http://0x7f.1/a.png",
            "http://0177.0.0.1/a.png",
            "http://2130706433/a.png",
            "http://[::1]/a.png",
            "http://[::ffff:127.0.0.1]/a.png",
            "file:///etc/passwd",
            "file:///srv/my site/objects/../../../etc/passwd",
            "file:///srv/my site/objects/rounds/../../../../etc/passwd",
            "file:///srv/my site/objects2/rounds/0/a.png",
            "../../../etc/passwd",
            "file://host/a",
            "",
        ] {
            assert_eq!(links.to(bad), None, "{bad}");
        }
        let none = Links::from(Path::new("/srv/my site/report"), None);
        assert_eq!(none.to("file:///srv/my site/objects/rounds/0/a.png"), None, "nobody said that it is ours");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_out_of_the_own_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("objects")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("objects/rounds")).unwrap();
        let base = "http://127.0.0.1:1/objects".to_owned();
        let own = OwnFolder { root: root.join("objects"), bases: vec![base], prompts: None };
        let links = Links::from(&root, Some(&own));
        assert_eq!(links.to("http://127.0.0.1:1/objects/rounds/passwd"), None);
        std::fs::remove_file(root.join("objects/rounds")).unwrap();
        let there = links.to("http://127.0.0.1:1/objects/rounds/passwd");
        assert_eq!(there.as_deref(), Some("objects/rounds/passwd"));
    }

    #[test]
    fn texts_lose_what_no_page_may_hold() {
        assert_eq!(clean("a\u{0}b\u{1b}[31m\u{fffe}\nc"), "a\u{fffd}b\u{fffd}[31m\u{fffd}\nc");
        assert_eq!(clean(&"x".repeat(5000)).chars().count(), LONGEST_TEXT + 1);
        assert_eq!(shortened("abcdef", 3), "abc…");
    }
}
