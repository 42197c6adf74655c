//! Randomness that no one in the competition chooses: rounds of drand's quicknet, and block hashes.
//!
//! A drand round's BLS signature is checked here, from its bytes alone, so anyone can do it later without trusting
//! a server.

use std::fmt;
use std::str::FromStr;

use drand_verify::{G2PubkeyRfc, Pubkey as _};
use serde::{Deserialize, Deserializer};

use crate::base::hex::{self, HexError};

/// When round 1 of drand's quicknet was published: unix time in seconds.
pub const QUICKNET_GENESIS: u64 = 1_692_803_367;

/// Seconds from one quicknet round to the next.
pub const QUICKNET_PERIOD: u64 = 3;

/// Quicknet's chain hash, which identifies it at drand's HTTP endpoints.
pub const QUICKNET_CHAIN: &str = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";

/// Why a text is not a block hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BlockHashError {
    #[error("a block hash begins with 0x")]
    NoPrefix,
    #[error("not a block hash: {0}")]
    Hex(HexError),
}

/// Why a pulse is not drand's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PulseError {
    #[error("the signature has {0} bytes, expected {needed}", needed = SIGNATURE_LEN)]
    Length(usize),
    #[error(transparent)]
    Hex(#[from] HexError),
    #[error("quicknet's public key: {0}")]
    Key(String),
    #[error("the signature is not drand's for round {0}")]
    Forged(u64),
    #[error("the signature of drand round {round} is not a point on its curve: {why}")]
    NoPoint { round: u64, why: String },
}

/// The 32-byte hash of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockHash(pub [u8; 32]);

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode_0x(&self.0))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlockHash {
    type Err = BlockHashError;

    /// `0x` and 64 hex digits.
    fn from_str(text: &str) -> Result<Self, BlockHashError> {
        if !text.starts_with("0x") {
            return Err(BlockHashError::NoPrefix);
        }
        hex::decode_array(text).map(BlockHash).map_err(BlockHashError::Hex)
    }
}

impl<'de> Deserialize<'de> for BlockHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A round of drand's quicknet with its signature, not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The round.
    pub round: u64,
    /// Its signature: 48 bytes if genuine.
    pub signature: Vec<u8>,
}

/// When a quicknet round is published: unix time in seconds.
#[must_use]
pub fn published_at(round: u64) -> u64 {
    round.saturating_sub(1).saturating_mul(QUICKNET_PERIOD).saturating_add(QUICKNET_GENESIS)
}

/// Quicknet's public key, as published at `/<chain hash>/info`.
const QUICKNET_KEY: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
                            8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
                            5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";

/// The length of a quicknet signature: a compressed point of BLS12-381's G1.
const SIGNATURE_LEN: usize = 48;

impl Pulse {
    /// Checks the signature against quicknet's public key, and returns the round's randomness.
    ///
    /// # Errors
    /// The signature is not drand's for this round.
    pub fn verify(&self) -> Result<[u8; 32], PulseError> {
        if self.signature.len() != SIGNATURE_LEN {
            return Err(PulseError::Length(self.signature.len()));
        }
        let key = hex::decode_array::<96>(QUICKNET_KEY)?;
        let key = G2PubkeyRfc::from_fixed(key).map_err(|e| PulseError::Key(e.to_string()))?;
        match key.verify(self.round, b"", &self.signature) {
            Ok(true) => Ok(drand_verify::derive_randomness(&self.signature)),
            Ok(false) => Err(PulseError::Forged(self.round)),
            Err(e) => Err(PulseError::NoPoint { round: self.round, why: e.to_string() }),
        }
    }
}
