//! Where a round's files lie in the object store: keys, kinds, sums.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::ids::{Player, PromptStem, RoundNumber};

/// The key of an object: `rounds/{round}/{player}/submitted/{stem}.glb`. It never changes, and never
/// holds other bytes: a second attempt that brings other bytes has another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

/// A store takes keys up to this many bytes.
const LONGEST_KEY: usize = 1024;

/// How often a key may be taken by other bytes before something is wrong with the store.
pub const MOST_VERSIONS: u32 = 1000;

impl ObjectKey {
    /// The key of a miner's file; `version` 1 is the first, later ones have `-2`, `-3` after the stem.
    #[must_use]
    pub fn submitted(round: RoundNumber, player: &Player, stem: &PromptStem, kind: ObjectKind, version: u32) -> Self {
        ObjectKey::below(round, player, "submitted", stem, kind, version)
    }

    /// As [`ObjectKey::submitted`], for a file that was made again: `.../generated/{stem}.glb`.
    #[must_use]
    pub fn generated(round: RoundNumber, player: &Player, stem: &PromptStem, kind: ObjectKind, version: u32) -> Self {
        ObjectKey::below(round, player, "generated", stem, kind, version)
    }

    fn below(
        round: RoundNumber,
        player: &Player,
        folder: &str,
        stem: &PromptStem,
        kind: ObjectKind,
        version: u32,
    ) -> Self {
        let mark = if version > 1 { format!("-{version}") } else { String::new() };
        ObjectKey(format!("rounds/{round}/{player}/{folder}/{stem}{mark}.{}", kind.extension()))
    }

    /// A key from a URL or a file: only what is as harmless as the keys made here.
    ///
    /// # Errors
    /// Why the text is refused.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let plain = |part: &str| {
            !part.is_empty() && !part.bytes().all(|b| b == b'.') && part.bytes().all(|b| is_plain(char::from(b)))
        };
        if text.len() > LONGEST_KEY || !text.starts_with("rounds/") || !text.split('/').all(plain) {
            return Err(KeyError(text.chars().take(200).collect()));
        }
        Ok(ObjectKey(text.to_owned()))
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below the player's folder, as `SHA256SUMS` names it: `submitted/{stem}.glb`.
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

/// Characters that mean the same in a URL, a key and a file name.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~')
}

/// A text that is no key of an object store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key of this store")]
pub struct KeyError(String);

/// A prompt's name that means one thing in a URL and another in a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the prompt's name {name:?} holds {character:?}, which no object's URL can hold as it is")]
pub struct StemError {
    name: String,
    character: char,
}

/// Can files of this name be stored and linked to, without one spelling here and another there?
///
/// # Errors
/// What is in the way.
pub fn check_stem(stem: &PromptStem) -> Result<(), StemError> {
    match stem.as_str().chars().find(|c| !is_plain(*c)) {
        Some(character) => Err(StemError { name: stem.as_str().to_owned(), character }),
        None => Ok(()),
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A model.
    Glb,
    /// A preview.
    Png,
}

impl ObjectKind {
    /// The extension of its key.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            ObjectKind::Glb => "glb",
            ObjectKind::Png => "png",
        }
    }

    /// The content type that it is stored with.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            ObjectKind::Glb => "model/gltf-binary",
            ObjectKind::Png => "image/png",
        }
    }
}

/// A stored object: all that is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its public URL.
    pub url: String,
    /// Its path below the player's folder: `submitted/{stem}.glb`.
    pub path: String,
    /// SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
}

/// The header of a GLB file: magic, version, length.
pub const GLB_HEADER: usize = 12;

/// Is this the beginning of a GLB file of `size` bytes? The cheap half of the check, made before
/// anything is stored: an error page, or a body that was cut off, ends here.
///
/// # Errors
/// What it is instead.
pub fn check_glb(head: &[u8], size: u64) -> Result<(), String> {
    let Some((&magic, rest)) = head.split_first_chunk::<4>() else {
        return Err(format!("no GLB file: {size} bytes"));
    };
    if magic != *b"glTF" {
        return Err(format!("no GLB file: it begins with {:?}", String::from_utf8_lossy(&magic)));
    }
    let word = |at: usize| rest.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    match (word(0), word(4)) {
        (Some(2), Some(length)) if u64::from(length) == size => Ok(()),
        (Some(2), Some(length)) => Err(format!("a GLB file of {length} bytes by its header, but {size} arrived")),
        (Some(version), Some(_)) => Err(format!("a GLB file of version {version}, not 2")),
        _ => Err(format!("no GLB file: {size} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_below_their_player() {
        let player = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
        let stem: PromptStem = "car.v2".parse().unwrap();
        let key = ObjectKey::submitted(RoundNumber(3), &player, &stem, ObjectKind::Glb, 1);
        assert_eq!(key.as_str(), format!("rounds/3/{player}/submitted/car.v2.glb"));
        assert_eq!(key.below_player(), "submitted/car.v2.glb");
        let second = ObjectKey::submitted(RoundNumber(3), &player, &stem, ObjectKind::Png, 2);
        assert_eq!(second.below_player(), "submitted/car.v2-2.png");
        let made = ObjectKey::generated(RoundNumber(3), &player, &stem, ObjectKind::Png, 1);
        assert_eq!(made.as_str(), format!("rounds/3/{player}/generated/car.v2.png"));
        assert_eq!(ObjectKey::parse(key.as_str()), Ok(key));
        for bad in ["", "x", "rounds/../x", "rounds//x", "rounds/a b", "rounds/%2e%2e/x", "rounds/./x", "/rounds/1"] {
            assert!(ObjectKey::parse(bad).is_err(), "{bad:?}");
        }
        assert!(check_stem(&stem).is_ok());
        assert!(check_stem(&"a%2fb".parse().unwrap()).is_err());
    }

    #[test]
    fn what_is_no_glb_is_said() {
        let head = |version: u32, length: u32| [*b"glTF", version.to_le_bytes(), length.to_le_bytes()].concat();
        assert_eq!(check_glb(&head(2, 100), 100), Ok(()));
        for (bytes, size, why) in [
            (head(2, 100), 99, "100 bytes by its header, but 99 arrived"),
            (head(1, 100), 100, "version 1"),
            (b"<html><body>".to_vec(), 12, "begins with \"<htm\""),
            (b"glTF".to_vec(), 4, "4 bytes"),
            (Vec::new(), 0, "0 bytes"),
        ] {
            assert!(check_glb(&bytes, size).unwrap_err().contains(why), "{why}");
        }
    }
}
