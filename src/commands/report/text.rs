//! How values read on a page: percentages, names, and texts from outside made harmless.
//!
//! Templates escape everything; what is done here is what escaping does not do: characters that no
//! page may hold, texts without end, and addresses that are no web addresses.

use serde::Serialize;

use crate::state::ids::{Hotkey, Player};

/// Texts from outside are cut after this many characters.
const LONGEST_TEXT: usize = 2000;

/// Addresses longer than this are no addresses.
const LONGEST_URL: usize = 2000;

/// Who a page speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Who {
    /// What is shown: the first ten characters of a hotkey, or `leader`.
    pub(super) short: String,
    /// The whole hotkey, or `leader`.
    pub(super) full: String,
    /// Is it the leader?
    pub(super) leader: bool,
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

/// A margin as a percentage of the duels with its sign; one beyond 1 means that a side had no files.
pub(super) fn margin(margin: f64) -> String {
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

/// A margin in whole percents, for narrow places.
pub(super) fn short_margin(margin: f64) -> String {
    if margin.abs() > 1.0 {
        return "\u{00d7}".to_owned();
    }
    let whole = (margin * 100.0).round();
    let sign = if whole < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{:.0}", whole.abs())
}

/// A share without a sign, such as a limit: `5%`, `7.5%`.
pub(super) fn share(value: f64) -> String {
    let tenths = (value * 1000.0).round() / 10.0;
    format!("{tenths}%")
}

/// A number with a thin space between thousands.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// `1 match`, `2 matches`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count as u64), if count == 1 { one } else { many })
}

/// A text from outside: no control characters, no character that no page may hold, and no end out
/// of sight. Marks that turn the writing's direction stay; the page keeps them to their own line.
pub(super) fn clean(text: &str) -> String {
    let allowed = |c: char| if c == '\n' || !is_forbidden(c) { c } else { '\u{fffd}' };
    let mut cleaned: String = text.chars().take(LONGEST_TEXT).map(allowed).collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// Control characters and the code points that are no characters.
fn is_forbidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// The first characters of a long name, with an ellipsis.
pub(super) fn shortened(text: &str, length: usize) -> String {
    let mut short: String = clean(text).chars().take(length).collect();
    if text.chars().count() > length {
        short.push('…');
    }
    short
}

/// Where a page lies, so that files on the same disk are reached by relative links.
#[derive(Debug, Clone)]
pub(super) struct Links {
    /// The parts of the page's folder, from the root of the disk.
    folder: Vec<String>,
}

impl Links {
    /// Links from pages in this folder (absolute).
    pub(super) fn from(folder: &std::path::Path) -> Links {
        use std::path::Component;
        let parts = folder.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        });
        Links { folder: parts.collect() }
    }

    /// The address to put into a page for a stored URL: web addresses as they are, files by a
    /// relative link, anything else (`javascript:`, `data:`, white space) not at all.
    pub(super) fn to(&self, url: &str) -> Option<String> {
        let odd =
            |c: char| c.is_whitespace() || is_forbidden(c) || matches!(c, '<' | '>' | '"' | '\\' | '`' | '{' | '}');
        if url.len() > LONGEST_URL || url.chars().any(odd) {
            return None;
        }
        if let Some(path) = url.strip_prefix("file://") {
            return self.relative(path.strip_prefix("localhost").unwrap_or(path));
        }
        let web = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        (!web.is_empty() && !web.starts_with('/')).then(|| url.to_owned())
    }

    /// The way from the page's folder to a file on the same disk.
    fn relative(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix('/')?;
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| part.is_empty() || matches!(*part, "." | "..")) {
            return None;
        }
        let same = parts.iter().zip(&self.folder).take_while(|(part, own)| decoded(part) == **own).count();
        let up = std::iter::repeat_n("..", self.folder.len().checked_sub(same)?);
        Some(up.chain(parts.get(same..)?.iter().copied()).collect::<Vec<_>>().join("/"))
    }
}

/// A path's part with its %XX taken back.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
        assert_eq!(number(7_476_090), "7\u{2009}476\u{2009}090");
        assert_eq!(counted(1, "match", "matches"), "1 match");
    }

    #[test]
    fn only_web_addresses_and_files_become_links() {
        let links = Links::from(std::path::Path::new("/srv/my site/report/round-0"));
        assert_eq!(links.to("https://x.org/a'b.png?c=1&d").as_deref(), Some("https://x.org/a'b.png?c=1&d"));
        let beside = links.to("file:///srv/my%20site/objects/a%20b.png");
        assert_eq!(beside.as_deref(), Some("../../objects/a%20b.png"));
        assert_eq!(links.to("file:///data/a.png").as_deref(), Some("../../../../data/a.png"));
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//x.org/a",
            "https:///a",
            "https://x.org/a b",
            "https://x.org/\"onload=\"",
            "file:///srv/../etc/passwd",
            "file://host/a",
            "",
        ] {
            assert_eq!(links.to(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts_lose_what_no_page_may_hold() {
        assert_eq!(clean("a\u{0}b\u{1b}[31m\u{fffe}\nc"), "a\u{fffd}b\u{fffd}[31m\u{fffd}\nc");
        assert_eq!(clean(&"x".repeat(5000)).chars().count(), LONGEST_TEXT + 1);
        assert_eq!(shortened("abcdef", 3), "abc…");
    }
}
