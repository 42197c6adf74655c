//! What miners revealed on chain, as it is stored there.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::ids::{Block, Hotkey};

/// One revealed commitment of a hotkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The block in which it was revealed.
    pub block: Block,
    /// The bytes as stored on chain: text that an SDK wrote carries a length before it.
    pub raw: Vec<u8>,
}

/// What each hotkey revealed, in the order of the chain.
pub type Reveals = BTreeMap<Hotkey, Vec<Reveal>>;

/// Which rule turns stored bytes into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// The length is taken off where the bytes are exactly one SCALE byte vector; the text must be
    /// UTF-8. Text without a length, and JSON foremost, is read as it stands.
    #[default]
    Strict,
    /// As the deployed validator (bittensor SDK 10): 1, 2 or 4 bytes are dropped by the first
    /// byte's lowest bits, without a look at the length, and so is whatever is not UTF-8.
    Sdk10,
}

impl std::str::FromStr for Compat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "strict" => Ok(Compat::Strict),
            "sdk10" => Ok(Compat::Sdk10),
            _ => Err(format!("{text:?} is no rule (strict, sdk10)")),
        }
    }
}
