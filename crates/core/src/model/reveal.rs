//! What miners revealed on chain, as stored there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::setting::ValueError;
use crate::model::ids::{Block, Hotkey};

/// One revealed commitment of a hotkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The block in which it was revealed.
    pub block: Block,
    /// The bytes as stored on chain: text written by an SDK has a SCALE length before it.
    pub raw: Vec<u8>,
}

/// What each hotkey revealed, in chain order.
pub type Reveals = BTreeMap<Hotkey, Vec<Reveal>>;

/// How stored bytes are decoded into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// The length is stripped if the bytes are exactly one SCALE byte vector; the text must be UTF-8. Text
    /// without a length (such as plain JSON) is read unchanged.
    #[default]
    Strict,
    /// As in the deployed validator (bittensor SDK 10): 1, 2 or 4 bytes are dropped according to the
    /// first byte's lowest two bits, without checking the length; invalid UTF-8 is dropped, too.
    Sdk10,
}

impl std::str::FromStr for Compat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "strict" => Ok(Compat::Strict),
            "sdk10" => Ok(Compat::Sdk10),
            _ => Err(ValueError::of(text, "a decoding rule (strict, sdk10)")),
        }
    }
}
