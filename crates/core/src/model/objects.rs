//! A round's files in the object store: keys, kinds, sums.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::format::ModelFormat;
use crate::model::ids::{Player, PromptStem, RoundNumber};

/// The key of an object: `rounds/{round}/{player}/submitted/{stem}.{extension}`. The bytes under a key never change:
/// a later attempt that gives different bytes gets another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

/// The most bytes in a key, as in S3.
const LONGEST_KEY: usize = 1024;

/// The folder of trials: objects that are deleted at once.
const TRIALS: &str = "gen404-doctor/";

/// The most versions of a key; more means that something is wrong with the store.
pub const MOST_VERSIONS: u32 = 1000;

impl ObjectKey {
    /// The key of a miner's file; `version` 1 is the first, later ones have `-2`, `-3` after the stem.
    #[must_use]
    pub fn submitted(round: RoundNumber, player: &Player, stem: &PromptStem, kind: ObjectKind, version: u32) -> Self {
        ObjectKey::below(round, player, "submitted", stem, kind, version)
    }

    /// As [`ObjectKey::submitted`], for a regenerated file: `.../generated/{stem}.{extension}`.
    #[must_use]
    pub fn generated(round: RoundNumber, player: &Player, stem: &PromptStem, kind: ObjectKind, version: u32) -> Self {
        ObjectKey::below(round, player, "generated", stem, kind, version)
    }

    /// The key of a three.js module in one of a player's folders (`submitted`, `generated_2`), by version as for
    /// [`ObjectKey::submitted`].
    #[must_use]
    pub fn module(round: RoundNumber, player: &Player, folder: &str, stem: &PromptStem, version: u32) -> Self {
        ObjectKey::below(round, player, folder, stem, ObjectKind::Model(ModelFormat::Js), version)
    }

    /// The key of one of a module's views: `.../{folder}/{stem}/{name}`.
    #[must_use]
    pub fn view(
        round: RoundNumber,
        player: &Player,
        folder: &str,
        stem: &PromptStem,
        version: u32,
        name: &str,
    ) -> Self {
        ObjectKey(format!("rounds/{round}/{player}/{folder}/{stem}{}/{name}", mark(version)))
    }

    fn below(
        round: RoundNumber,
        player: &Player,
        folder: &str,
        stem: &PromptStem,
        kind: ObjectKind,
        version: u32,
    ) -> Self {
        ObjectKey(format!("rounds/{round}/{player}/{folder}/{stem}{}.{}", mark(version), kind.extension()))
    }

    /// A key from a URL or a file; only keys as harmless as those made here are accepted.
    ///
    /// # Errors
    /// The text is not such a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let plain = |part: &str| {
            !part.is_empty() && !part.bytes().all(|b| b == b'.') && part.bytes().all(|b| is_plain(char::from(b)))
        };
        if text.len() > LONGEST_KEY || !text.starts_with("rounds/") || !text.split('/').all(plain) {
            return Err(KeyError(text.chars().take(200).collect()));
        }
        Ok(ObjectKey(text.to_owned()))
    }

    /// A key for a trial of the store, beside those of rounds; `None` if the name is not plain.
    #[must_use]
    pub fn of_trial(name: &str) -> Option<Self> {
        let plain = !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain.then(|| ObjectKey(format!("{TRIALS}{name}.png")))
    }

    /// As [`ObjectKey::parse`], for keys of trials.
    #[must_use]
    pub fn parse_trial(text: &str) -> Option<Self> {
        ObjectKey::of_trial(text.strip_prefix(TRIALS)?.strip_suffix(".png")?)
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below the player's folder, as `SHA256SUMS` names it: `submitted/{stem}.{extension}`.
    #[must_use]
    pub fn below_player(&self) -> &str {
        self.0.splitn(4, '/').nth(3).unwrap_or(&self.0)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a later version has after its stem.
fn mark(version: u32) -> String {
    if version > 1 { format!("-{version}") } else { String::new() }
}

/// Is this a character that means the same in a URL, a key and a file name?
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~')
}

/// A text that is not a key of an object store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key of this store")]
pub struct KeyError(String);

/// A prompt name with a character that means one thing in a URL and another in a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the prompt name {name:?} contains {character:?}, which an object URL cannot hold unescaped")]
pub struct StemError {
    name: String,
    character: char,
}

/// Checks that files of this name have the same spelling in keys and in URLs.
///
/// # Errors
/// The first character that would need escaping.
pub fn check_stem(stem: &PromptStem) -> Result<(), StemError> {
    match stem.as_str().chars().find(|c| !is_plain(*c)) {
        Some(character) => Err(StemError { name: stem.as_str().to_owned(), character }),
        None => Ok(()),
    }
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A model of this format.
    Model(ModelFormat),
    /// A preview.
    Preview,
    /// Embeddings of a module's views.
    Embeddings,
}

impl ObjectKind {
    /// The extension of its key.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            ObjectKind::Model(format) => format.extension(),
            ObjectKind::Preview => "png",
            ObjectKind::Embeddings => "npz",
        }
    }

    /// The content type with which it is stored.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            ObjectKind::Model(format) => format.media_type(),
            ObjectKind::Preview => "image/png",
            ObjectKind::Embeddings => "application/octet-stream",
        }
    }
}

/// All that is recorded about a stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its public URL.
    pub url: String,
    /// Its path below the player's folder: `submitted/{stem}.{extension}`.
    pub path: String,
    /// SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_below_their_player() {
        let format = crate::model::format::Format::default().model();
        let player = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
        let stem: PromptStem = "car.v2".parse().unwrap();
        let key = ObjectKey::submitted(RoundNumber(3), &player, &stem, ObjectKind::Model(format), 1);
        let name = format!("submitted/car.v2.{}", format.extension());
        assert_eq!(key.as_str(), format!("rounds/3/{player}/{name}"));
        assert_eq!(key.below_player(), name);
        let second = ObjectKey::submitted(RoundNumber(3), &player, &stem, ObjectKind::Preview, 2);
        assert_eq!(second.below_player(), "submitted/car.v2-2.png");
        let made = ObjectKey::generated(RoundNumber(3), &player, &stem, ObjectKind::Preview, 1);
        assert_eq!(made.as_str(), format!("rounds/3/{player}/generated/car.v2.png"));
        assert_eq!(ObjectKey::parse(key.as_str()), Ok(key));
        for bad in ["", "x", "rounds/../x", "rounds//x", "rounds/a b", "rounds/%2e%2e/x", "rounds/./x", "/rounds/1"] {
            assert!(ObjectKey::parse(bad).is_err(), "{bad:?}");
        }
        let trial = ObjectKey::of_trial("0a-1").unwrap();
        assert!(trial.as_str() == "gen404-doctor/0a-1.png" && ObjectKey::parse(trial.as_str()).is_err());
        assert_eq!(ObjectKey::parse_trial(trial.as_str()), Some(trial));
        assert!(["", "..", "a/b", "a b"].iter().all(|bad| ObjectKey::of_trial(bad).is_none()));
        assert!(check_stem(&stem).is_ok());
        assert!(check_stem(&"a%2fb".parse().unwrap()).is_err());
    }
}
