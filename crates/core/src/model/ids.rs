//! A type per identifier, parsed once at the edge.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use blake2::{Blake2b512, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::exact::exact_strings;

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    what: &'static str,
    text: String,
    why: String,
}

impl IdError {
    /// Why this text is no `what`.
    pub fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        IdError { what, text: super::record::shortened(text), why: why.into() }
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a valid {}: {}", self.text, self.what, self.why)
    }
}

impl std::error::Error for IdError {}

/// Text form, parsing and serde of a newtype around a checked `String`.
macro_rules! text_id {
    ($Name:ident, $what:literal) => {
        impl $Name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $Name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct IdVisitor;
                impl serde::de::Visitor<'_> for IdVisitor {
                    type Value = $Name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$Name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(IdVisitor)
            }
        }
    };
}

/// An SS58 address with Substrate prefix 42: a miner's hotkey, and the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hotkey(String);

/// The address prefix of Bittensor (and of generic Substrate) accounts.
const SS58_PREFIX: u8 = 42;

impl Hotkey {
    /// The address of a 32-byte account id.
    #[must_use]
    pub fn from_account(account: &[u8; 32]) -> Self {
        let mut bytes = vec![SS58_PREFIX];
        bytes.extend_from_slice(account);
        let checksum = ss58_checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        Hotkey(bs58::encode(bytes).into_string())
    }

    /// The 32-byte account id of this address.
    #[must_use]
    pub fn account(&self) -> Option<[u8; 32]> {
        let bytes = bs58::decode(&self.0).into_vec().ok()?;
        bytes.get(1..33)?.try_into().ok()
    }

    /// The address of the account of zeros, for which there is no key: a placeholder in names of files and images where
    /// no miner is known.
    #[must_use]
    pub fn placeholder() -> Self {
        Hotkey::from_account(&[0; 32])
    }

    /// The first ten characters, as used in file names and commit messages.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

/// The two checksum bytes of an SS58 address: BLAKE2b-512 over `SS58PRE`, prefix and account.
fn ss58_checksum(payload: &[u8]) -> [u8; 2] {
    let mut hasher = Blake2b512::new();
    hasher.update(b"SS58PRE");
    hasher.update(payload);
    let digest = hasher.finalize();
    [digest[0], digest[1]]
}

impl FromStr for Hotkey {
    type Err = IdError;

    /// Accepts only base58 of 35 bytes with prefix 42 and the right checksum, without whitespace.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = |why: &str| IdError::new("SS58 hotkey", text, why);
        if text.len() > 64 {
            return Err(bad("too long"));
        }
        let bytes = bs58::decode(text).into_vec().map_err(|e| bad(&format!("not base58 ({e})")))?;
        let [prefix, .., _, _] = bytes.as_slice() else { return Err(bad("too short")) };
        if bytes.len() != 35 {
            return Err(bad(&format!("{} bytes, expected 35", bytes.len())));
        }
        if *prefix != SS58_PREFIX {
            return Err(bad(&format!("address prefix {prefix}, expected {SS58_PREFIX}")));
        }
        let (payload, checksum) = bytes.split_at(33);
        if ss58_checksum(payload) != checksum {
            return Err(bad("the checksum does not match"));
        }
        Ok(Hotkey(text.to_owned()))
    }
}

text_id!(Hotkey, "an SS58 hotkey");

/// A player: the round's base leader, or a miner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Player {
    /// The leader with which the round began; its outputs are the baseline.
    Leader,
    /// A miner of this round.
    Miner(Hotkey),
}

impl Player {
    /// `leader`, or the hotkey: the name of the player's folder.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Player::Leader => "leader",
            Player::Miner(hotkey) => hotkey.as_str(),
        }
    }

    /// The hotkey of a miner.
    #[must_use]
    pub fn hotkey(&self) -> Option<&Hotkey> {
        match self {
            Player::Leader => None,
            Player::Miner(hotkey) => Some(hotkey),
        }
    }

    /// `leader`, or the first ten characters of the hotkey, as used in report file names and commit messages.
    #[must_use]
    pub fn short(&self) -> &str {
        match self {
            Player::Leader => "leader",
            Player::Miner(hotkey) => hotkey.short(),
        }
    }
}

impl From<Hotkey> for Player {
    fn from(hotkey: Hotkey) -> Self {
        Player::Miner(hotkey)
    }
}

impl FromStr for Player {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == "leader" { Ok(Player::Leader) } else { text.parse().map(Player::Miner) }
    }
}

impl fmt::Display for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Player {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Player {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlayerVisitor;
        impl serde::de::Visitor<'_> for PlayerVisitor {
            type Value = Player;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`leader` or an SS58 hotkey")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Player, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(PlayerVisitor)
    }
}

/// A git commit id: 40 hex digits. Their case is kept, and makes no other id of it.
#[derive(Debug, Clone)]
pub struct CommitSha(String);

impl CommitSha {
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|digit| digit.to_ascii_lowercase())
    }
}

impl PartialEq for CommitSha {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for CommitSha {}

impl Hash for CommitSha {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digits().for_each(|digit| state.write_u8(digit));
    }
}

impl PartialOrd for CommitSha {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CommitSha {
    fn cmp(&self, other: &Self) -> Ordering {
        self.digits().cmp(other.digits())
    }
}

impl CommitSha {
    /// The first seven digits, as in image tags.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl FromStr for CommitSha {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(IdError::new("commit id", text, "expected 40 hex digits"));
        }
        Ok(CommitSha(text.to_owned()))
    }
}

text_id!(CommitSha, "a commit id of 40 hex digits");

/// A GitHub repository, `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoName(String);

impl FromStr for RepoName {
    type Err = IdError;

    /// Letters, digits, `_`, `-` and `.` on both sides of one slash; neither side only dots.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = |why| IdError::new("repository name", text, why);
        if text.len() > 200 {
            return Err(bad("too long"));
        }
        let Some((owner, name)) = text.split_once('/') else { return Err(bad("expected owner/name")) };
        for part in [owner, name] {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            if part.is_empty() || !part.bytes().all(plain) {
                return Err(bad("only letters, digits, _ - . on both sides of one slash"));
            }
            if part.bytes().all(|b| b == b'.') {
                return Err(bad("neither side may consist of dots only"));
            }
        }
        Ok(RepoName(text.to_owned()))
    }
}

text_id!(RepoName, "a repository as owner/name");

/// A prompt stem: the last path segment of the prompt's URL, without the extension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PromptStem(String);

impl PromptStem {
    /// The stem of a prompt's URL without query and fragment, as by Python's `Path(url).stem`:
    /// `https://cdn.example/a/car.v2.png` has the stem `car.v2`.
    ///
    /// # Errors
    /// The URL's last segment is missing or cannot name a file.
    pub fn of_url(url: &str) -> Result<Self, IdError> {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let path = path.split_once("://").map_or(path, |(_, rest)| rest);
        let name = match path.rsplit_once('/') {
            Some((_, name)) => name,
            None => return Err(IdError::new("prompt URL", url, "it has no path")),
        };
        let stem = match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => name,
        };
        stem.parse()
    }
}

impl FromStr for PromptStem {
    type Err = IdError;

    /// Accepts one harmless file name: no separators, whitespace or control characters, not `.` or `..`, no
    /// leading `-`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = |why| IdError::new("prompt name", text, why);
        if text.is_empty() || text.len() > 200 {
            return Err(bad("expected 1 to 200 bytes"));
        }
        if text == "." || text == ".." || text.starts_with('-') {
            return Err(bad("it cannot name a file"));
        }
        // Nearly every name is plain, which is decided without decoding it, for many bytes at once.
        let is_plain = |b: u8| b.is_ascii_graphic() & (b != b'/') & (b != b'\\') & (b != b':');
        let plain = text.bytes().fold(true, |plain, b| plain & is_plain(b));
        let odd = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control() || c.is_whitespace();
        if !plain && text.chars().any(odd) {
            return Err(bad("separators, whitespace and control characters are not allowed"));
        }
        Ok(PromptStem(text.to_owned()))
    }
}

text_id!(PromptStem, "a prompt name");

exact_strings!(Hotkey, Player, PromptStem);

/// A round's number, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoundNumber(pub u32);

impl RoundNumber {
    /// The round before; round 0 has none.
    #[must_use]
    pub fn previous(self) -> Option<RoundNumber> {
        self.0.checked_sub(1).map(RoundNumber)
    }

    /// The round after; saturates at the largest number.
    #[must_use]
    pub fn next(self) -> RoundNumber {
        RoundNumber(self.0.saturating_add(1))
    }
}

impl fmt::Display for RoundNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RoundNumber {
    type Err = IdError;

    /// Decimal, as in folder names: no sign, no leading zeros.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = |why| IdError::new("round number", text, why);
        let number: u32 = text.parse().map_err(|_| bad("expected a whole number"))?;
        if number.to_string() != text {
            return Err(bad("no sign and no leading zero"));
        }
        Ok(RoundNumber(number))
    }
}

/// A block number of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Block(pub u64);

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Block {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Block)
    }
}

/// A round's random seed: 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u32);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn a_hotkey_is_ss58_of_prefix_42_with_its_checksum() {
        let alice: Hotkey = ALICE.parse().unwrap();
        assert_eq!(alice.short(), "5GrwvaEF5z");
        let account = [
            0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c, 0x61, 0x14, 0x1a, 0xbd, 0x04, 0xa9, 0x9f, 0xd6, 0x82, 0x2c,
            0x85, 0x58, 0x85, 0x4c, 0xcd, 0xe3, 0x9a, 0x56, 0x84, 0xe7, 0xa5, 0x6d, 0xa2, 0x7d,
        ];
        assert_eq!(Hotkey::from_account(&account), alice);
        let one_letter_off = ALICE.replace("tQY", "tQZ");
        let cases = ["", "leader", "../../etc/passwd", &one_letter_off, " 5Grw", "5Grwva EF5"];
        for bad in cases.into_iter().chain([&*format!("{ALICE} "), &*"5".repeat(48), &*"5".repeat(9999)]) {
            assert!(bad.parse::<Hotkey>().is_err(), "{bad:?} was taken");
        }
    }

    /// Git knows one commit by both: a copied program must not pass for another one by capitals.
    #[test]
    fn a_commit_is_the_same_in_capitals() {
        let [small, large] = ["ab", "AB"].map(|pair| pair.repeat(20).parse::<CommitSha>().unwrap());
        assert_eq!((&small, small.cmp(&large)), (&large, Ordering::Equal));
        assert_eq!(std::collections::HashSet::from([small, large.clone()]).len(), 1);
        assert_eq!(large.short(), "ABABABA");
    }

    #[test]
    fn stems_follow_pythons_path_stem() {
        let stem = |url| PromptStem::of_url(url).map(|s| s.as_str().to_owned());
        assert_eq!(stem("https://x.org/a/car.png").unwrap(), "car");
        assert_eq!(stem("https://x.org/car.v2.png?w=1#f").unwrap(), "car.v2");
        assert_eq!(stem("https://x.org/.png").unwrap(), ".png");
        assert_eq!(stem("https://x.org/car").unwrap(), "car");
        for bad in ["https://x.org", "https://x.org/", "https://x.org/..", "https://x.org/a b.png"] {
            assert!(stem(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn repositories_and_commits_and_rounds_are_checked() {
        assert!("404-Repo/base.miner_1".parse::<RepoName>().is_ok());
        for bad in ["", "a", "a/b/c", "a/", "/b", "a/..", "a/b c", "a/b\n", "ä/b"] {
            assert!(bad.parse::<RepoName>().is_err(), "{bad:?} was taken");
        }
        assert!("28900bbb82c04f210eda8907713f57b9f6792992".parse::<CommitSha>().is_ok());
        assert!("28900bbb82c04f210eda8907713f57b9f679299g".parse::<CommitSha>().is_err());
        assert_eq!("12".parse::<RoundNumber>().unwrap(), RoundNumber(12));
        for bad in ["012", "+1", "-1", "4294967296", "1 "] {
            assert!(bad.parse::<RoundNumber>().is_err(), "{bad:?} was taken");
        }
    }
}
