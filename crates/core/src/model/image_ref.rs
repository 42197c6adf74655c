//! References to container images.

use std::fmt;
use std::str::FromStr;

use super::ids::IdError;

/// An image's name as registries take it: `[HOST[:PORT]/]PATH[:TAG][@ALGORITHM:DIGEST]`, by the grammar of the OCI
/// distribution's references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef(String);

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ImageRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = |why| Err(IdError::new("image", text, why));
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        // A colon before the last slash is that of a port.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest.get(last..).and_then(|part| part.find(':')) {
            Some(colon) => (rest.get(..last + colon).unwrap_or(rest), rest.get(last + colon + 1..)),
            None => (rest, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), path),
            _ => (None, name),
        };
        match () {
            () if name.len() > 255 => bad("its name is longer than 255 bytes"),
            () if !host.is_none_or(is_host) => bad("the part before the first slash is no host"),
            () if !path.split('/').all(is_part) => {
                bad("expected registry.example.org/name:tag, with lower-case letters, digits, . _ and - in its names")
            }
            () if !tag.is_none_or(is_tag) => bad("a tag has up to 128 letters, digits, _ . and -"),
            () if !digest.is_none_or(is_digest) => bad("expected sha256: and 64 hex digits after @"),
            () => Ok(ImageRef(text.to_owned())),
        }
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        let ends = !label.starts_with('-') && !label.ends_with('-');
        ends && !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Runs of lower-case letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_part(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(plain) && part.bytes().next_back().is_some_and(plain);
    let mut joints = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && joints.all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = tag.bytes().next().is_some_and(word);
    first && tag.len() <= 128 && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let hex = |hex: &str| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    digest.strip_prefix("sha256:").is_some_and(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_registries_take_them() {
        let sum = "0123456789abcdef".repeat(4);
        for good in [
            "redis",
            "a/b:c",
            "ghcr.io:443/a/b:0a1b2c3-mesh-3",
            "localhost/x",
            "europe-docker.pkg.dev/p-1/r__e/n.a-me--x:V1.2_3",
            &format!("registry.example.org/name:tag@sha256:{sum}"),
            &format!("name@sha256:{sum}"),
        ] {
            assert_eq!(good.parse::<ImageRef>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            " ",
            "a b",
            "UPPER/name",
            "a//b",
            "a/",
            "/a",
            "a:",
            "a:b:c",
            "https://ghcr.io/a/b",
            "-a",
            "a..b",
            "a___b",
            "a:-tag",
            "a@sha256:12",
            "host.example:99999/a",
            "a\n",
            &format!("a:{}", "t".repeat(129)),
            &"a/".repeat(200),
        ] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
    }
}
