//! A miner's `refusals.json`: why files of its are not stored, or stored without a preview. Ours: the deployed services
//! write no such file.

use super::file::json_file;
use super::ids::PromptStem;
use super::record::{Entries, Extra, record};
use crate::base::text::{cut, line};

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 240;

record! {
    /// Why a file is refused.
    pub struct Refusal {
        /// The stable code: one of [`CODES`].
        pub code: String,
        /// What is wrong, and where in the file.
        pub reason: String,
    }
}

/// A miner's refused files by prompt, in the order of the prompts.
pub type Refusals = Entries<PromptStem, Refusal>;

json_file!(Refusals);

impl Refusal {
    /// A refusal with this reason, bounded and made visible: it may quote a file or a server.
    #[must_use]
    pub fn new(code: &str, reason: &str) -> Self {
        Refusal { code: code.to_owned(), reason: cut(&line(reason), LONGEST_REASON), extra: Extra::default() }
    }

    /// Is the reason one that [`Refusal::new`] can give?
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.reason.chars().count() <= LONGEST_REASON && line(&self.reason) == self.reason
    }
}

/// The server has no such file: status 404 or 410.
pub const MISSING: &str = "fetch.missing";
/// The server answers with another status than 200.
pub const STATUS: &str = "fetch.status";
/// The file is larger than a file may be.
pub const TOO_LARGE: &str = "fetch.too-large";
/// The server is too slow, or does not answer in time.
pub const SLOW: &str = "fetch.slow";
/// The server sends the file compressed.
pub const ENCODED: &str = "fetch.encoded";
/// A redirect that is not followed.
pub const REDIRECT: &str = "fetch.redirect";
/// A URL or an address that is not public.
pub const ADDRESS: &str = "fetch.address";
/// No connection, a lost one, or an answer that is not HTTP.
pub const CONNECTION: &str = "fetch.connection";
/// Failed attempts at the miner's files took too long in all.
pub const GIVEN_UP: &str = "fetch.given-up";
/// Not a file of the competition's format.
pub const NOT_A_MODEL: &str = "file.format";
/// A file that was cut off, or that goes on after its end.
pub const LENGTH: &str = "file.length";
/// The render service refuses it; it gives no code.
pub const BY_SERVICE: &str = "preview.service";
/// A three.js module that breaks a static rule: the render service was not asked.
pub const BY_RULE: &str = "module.rule";
/// No preview was asked for.
pub const NO_PREVIEW: &str = "preview.none";
/// Recorded by a version that kept no code.
pub const UNKNOWN: &str = "unknown";

/// Every code with its meaning: those of fetching, then those of the renderer.
pub const CODES: [(&str, &str); 41] = [
    (MISSING, "the server has no such file (status 404 or 410)"),
    (STATUS, "the server answers with another status than 200"),
    (TOO_LARGE, "the file is larger than a file may be"),
    (SLOW, "the server is too slow, or does not answer in time"),
    (ENCODED, "the server sends the file compressed"),
    (REDIRECT, "a redirect that is not followed"),
    (ADDRESS, "a URL or an address that is not public"),
    (CONNECTION, "no connection, a lost one, or an answer that is not HTTP"),
    (GIVEN_UP, "failed attempts at this miner's files took too long in all"),
    (NOT_A_MODEL, "not a file of the competition's format"),
    (LENGTH, "a file that was cut off, or that goes on after its end"),
    (BY_SERVICE, "the render service refuses the model"),
    (BY_RULE, "the three.js module breaks a static rule"),
    (NO_PREVIEW, "no preview was asked for"),
    (UNKNOWN, "recorded by a version that kept no code"),
    ("container.header", "shorter than the headers of the format"),
    ("container.magic", "it does not begin as a file of the format"),
    ("container.version", "another version of the format than 2"),
    ("container.chunk", "a chunk of the wrong type, or one that is cut short"),
    ("container.json", "the JSON chunk is not a JSON object"),
    ("extension.required", "it requires an extension that is not read, such as Draco or meshopt"),
    ("scene.object-count", "not exactly one drawable object"),
    ("scene.not-triangles", "the object is made of points or lines"),
    ("scene.empty", "the object has no triangles"),
    ("scene.nodes", "a node, scene or camera that cannot be followed"),
    ("bounds.exceeded", "a coordinate beyond ±0.6, or one that is not a number"),
    ("data.shape", "a part of the JSON is missing or has the wrong shape"),
    ("data.external-buffer", "a buffer that is not in the file"),
    ("data.buffer-view", "a buffer view that does not fit its buffer"),
    ("data.accessor", "an accessor that does not fit its buffer view"),
    ("data.index", "an index beyond the vertices"),
    ("data.material-index", "a material index beyond the materials"),
    ("data.material-value", "a material value out of range"),
    ("data.triangles", "more triangles than the limit"),
    ("data.too-large", "more bytes than the limits of file, JSON or memory"),
    ("data.work", "more work to draw than the limit"),
    ("texture.mode", "a texture of a pixel layout that cannot be drawn"),
    ("texture.damaged", "a texture that is cut short or damaged"),
    ("texture.size", "a texture of a size that cannot be drawn"),
    ("texture.coding", "a texture in a coding that is not decoded"),
    ("texture.coordinates", "a texture without a texture coordinate for each vertex"),
];

/// The meaning of a code; `None` for a code that is not one of ours.
#[must_use]
pub fn meaning(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

/// Is a model stored that is refused with this code? `None`: either.
#[must_use]
pub fn is_stored(code: &str) -> Option<bool> {
    match code.split_once('.') {
        Some(("fetch" | "file", _)) => Some(false),
        Some(_) => meaning(code).map(|_| true),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_visible_line_of_bounded_length() {
        let hostile = Refusal::new(MISSING, &format!("\u{202e}a\nb{}", "\u{1b}x".repeat(500)));
        assert!(hostile.is_bounded() && hostile.reason.starts_with("\\u{202e}a b\\u{1b}x"), "{hostile:?}");
        for reason in ["a\nb".to_owned(), "\u{202e}".to_owned(), "x".repeat(LONGEST_REASON + 1)] {
            let refusal = Refusal { reason, ..Refusal::new(MISSING, "") };
            assert!(!refusal.is_bounded(), "{refusal:?}");
        }
    }
}
