//! The seed of a round (DESIGN 4.2): which randomness it comes from, and its proof.
//!
//! The proof includes the BLS signature of a drand round: it is checked on the bytes of `seed.json`
//! alone, so anyone can do it later without trusting a server.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::hex::{self, HexError};
use crate::base::setting::ValueError;
use crate::model::beacon::{BlockHash, BlockHashError, Pulse, PulseError, QUICKNET_GENESIS, QUICKNET_PERIOD};
use crate::model::ids::{Block, RoundNumber, Seed};
use crate::model::seed::SeedFile;

/// Rounds (of 3 s) from the block's time to the seed's round: 30 s, more than a block author's clock
/// may be off.
const ROUNDS_AFTER: u64 = 10;

/// Domain separator of the seed's hash.
const DOMAIN: &[u8] = b"gen404-seed-v1\0";

/// Where a seed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedSource {
    /// A drand round after the window's last block: no one can choose it, anyone can check it.
    Drand,
    /// The hash of the window's last block: its author can bias it.
    Block,
    /// The operating system's generator: the seed cannot be checked.
    Random,
}

impl FromStr for SeedSource {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "drand" => Ok(SeedSource::Drand),
            "block" => Ok(SeedSource::Block),
            "random" => Ok(SeedSource::Random),
            _ => Err(ValueError::of(text, "a seed source (drand, block, random)")),
        }
    }
}

/// Why a seed does not follow from its source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SeedError {
    #[error("block time {0} is before drand quicknet's first round")]
    BeforeDrand(u64),
    #[error(transparent)]
    Signature(#[from] HexError),
    #[error(transparent)]
    Pulse(#[from] PulseError),
    #[error(transparent)]
    Hash(#[from] BlockHashError),
    #[error("the hash of block {block} was used, not that of latest_reveal_block {latest}")]
    OtherBlock { block: Block, latest: Block },
    #[error("a seed has either drand_round and signature, or block and block_hash, or neither")]
    MixedSources,
    #[error("drand round {round} was used, but the time of latest_reveal_block gives {due}")]
    OtherRound { round: u64, due: u64 },
    #[error("block {block} is recorded with hash {hash}, but the chain has {chain}")]
    OtherHash { block: Block, hash: BlockHash, chain: BlockHash },
    #[error("seed {recorded} is recorded, but its source gives {derived}")]
    OtherSeed { recorded: Seed, derived: Seed },
}

/// The quicknet round that decides the seed if block `latest_reveal_block` has this Unix time in
/// seconds: the first one published at least 30 s later (DESIGN 4.2).
///
/// # Errors
/// The time is before quicknet's first round.
pub fn drand_round(block_time: u64) -> Result<u64, SeedError> {
    let since = block_time.checked_sub(QUICKNET_GENESIS).ok_or(SeedError::BeforeDrand(block_time))?;
    Ok(since / QUICKNET_PERIOD + 1 + ROUNDS_AFTER)
}

/// Derives the seed from 32 bytes of randomness: the first four bytes, big-endian, of SHA-256 over
/// `gen404-seed-v1\0<competition name>\0<round>\0<randomness>`.
#[must_use]
pub fn derive(competition: &str, round: RoundNumber, randomness: &[u8; 32]) -> Seed {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(competition.as_bytes());
    hasher.update(b"\0");
    hasher.update(round.to_string().as_bytes());
    hasher.update(b"\0");
    hasher.update(randomness);
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    Seed(u32::from_be_bytes([a, b, c, d]))
}

/// The `seed.json` of a seed from drand.
///
/// # Errors
/// The pulse's signature is invalid.
pub fn from_drand(competition: &str, round: RoundNumber, pulse: &Pulse) -> Result<SeedFile, SeedError> {
    let randomness = pulse.verify()?;
    let mut file = SeedFile::plain(derive(competition, round, &randomness));
    file.drand_round = Some(pulse.round);
    file.signature = Some(hex::encode(&pulse.signature));
    Ok(file)
}

/// The `seed.json` of a seed from a block's hash.
#[must_use]
pub fn from_block(competition: &str, round: RoundNumber, block: Block, hash: BlockHash) -> SeedFile {
    let mut file = SeedFile::plain(derive(competition, round, &hash.0));
    file.block = Some(block);
    file.block_hash = Some(hash.to_string());
    file
}

/// What the recorded source proves about a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Seed and signature are drand's. Only the chain can say whether the round is that of
    /// `latest_reveal_block`: see [`check_on_chain`].
    Drand {
        /// The drand round.
        round: u64,
    },
    /// The seed follows from the hash. Only the chain can say whether the hash is this block's.
    Block {
        /// The block.
        block: Block,
        /// The hash recorded for it.
        hash: BlockHash,
    },
    /// The file names no source: the seed cannot be proved.
    NoSource,
}

/// Checks from the file alone that the seed follows from its recorded source; `latest` is the round's
/// latest_reveal_block, the only block whose hash may be used.
///
/// # Errors
/// The seed or the source is wrong.
pub fn prove(file: &SeedFile, competition: &str, round: RoundNumber, latest: Block) -> Result<Proof, SeedError> {
    match (&file.drand_round, &file.signature, &file.block, &file.block_hash) {
        (None, None, None, None) => Ok(Proof::NoSource),
        (Some(drand_round), Some(signature), None, None) => {
            let pulse = Pulse { round: *drand_round, signature: hex::decode(signature)? };
            expect_seed(file.seed, derive(competition, round, &pulse.verify()?))?;
            Ok(Proof::Drand { round: *drand_round })
        }
        (None, None, Some(block), Some(hash)) => {
            if *block != latest {
                return Err(SeedError::OtherBlock { block: *block, latest });
            }
            let hash: BlockHash = hash.parse()?;
            expect_seed(file.seed, derive(competition, round, &hash.0))?;
            Ok(Proof::Block { block: *block, hash })
        }
        _ => Err(SeedError::MixedSources),
    }
}

/// What the chain says about a round's latest_reveal_block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnChain {
    /// Its Unix time in seconds.
    pub time: u64,
    /// Its hash.
    pub hash: BlockHash,
}

/// Checks the part of a proof that needs the chain: that the drand round follows from the time of
/// latest_reveal_block, or that the hash is that block's.
///
/// # Errors
/// It does not match; both values are named.
pub fn check_on_chain(proof: &Proof, on_chain: &OnChain) -> Result<(), SeedError> {
    match proof {
        Proof::Drand { round } => {
            let due = drand_round(on_chain.time)?;
            if due == *round {
                return Ok(());
            }
            Err(SeedError::OtherRound { round: *round, due })
        }
        Proof::Block { hash, .. } if *hash == on_chain.hash => Ok(()),
        Proof::Block { block, hash } => Err(SeedError::OtherHash { block: *block, hash: *hash, chain: on_chain.hash }),
        Proof::NoSource => Ok(()),
    }
}

fn expect_seed(recorded: Seed, derived: Seed) -> Result<(), SeedError> {
    if recorded == derived {
        return Ok(());
    }
    Err(SeedError::OtherSeed { recorded, derived })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quicknet round 123, as drand's public endpoints give it.
    const ROUND_123: &str = "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482\
                             e26cd02df835d3546d23c4b13e0dfc92";

    fn pulse() -> Pulse {
        Pulse { round: 123, signature: hex::decode(ROUND_123).unwrap() }
    }

    #[test]
    fn a_public_pulse_verifies_and_any_flipped_bit_does_not() {
        let randomness = pulse().verify().unwrap();
        assert_eq!(randomness, <[u8; 32]>::from(Sha256::digest(&pulse().signature)));
        assert!(Pulse { round: 124, ..pulse() }.verify().is_err());
        for bit in (0..48 * 8).step_by(37) {
            let mut forged = pulse();
            forged.signature[bit / 8] ^= 1 << (bit % 8);
            assert!(forged.verify().is_err(), "bit {bit}");
        }
        assert!(Pulse { signature: vec![0; 96], ..pulse() }.verify().is_err());
        assert!(Pulse { signature: vec![], ..pulse() }.verify().is_err());
    }

    #[test]
    fn a_drand_seed_file_is_proved_and_every_change_to_it_fails() {
        let (name, round, latest) = ("mesh", RoundNumber(3), Block(7_519_264));
        let file = from_drand(name, round, &pulse()).unwrap();
        let prove = |file: &SeedFile| prove(file, name, round, latest);
        assert_eq!(prove(&file), Ok(Proof::Drand { round: 123 }));
        let change = |f: &dyn Fn(&mut SeedFile)| {
            let mut changed = file.clone();
            f(&mut changed);
            changed
        };
        let forged = [
            change(&|f| f.seed = Seed(f.seed.0 ^ 1)),
            change(&|f| f.drand_round = Some(122)),
            change(&|f| f.drand_round = None),
            change(&|f| f.signature = None),
            change(&|f| f.signature = Some(ROUND_123.replace("b75c", "b75d"))),
            change(&|f| f.signature = Some("xyz".to_owned())),
            change(&|f| f.block = Some(latest)),
        ];
        for file in forged {
            assert!(prove(&file).is_err(), "{file:?}");
        }
        assert!(super::prove(&file, "mesh", RoundNumber(4), latest).is_err());
        assert!(super::prove(&file, "mesh2", round, latest).is_err());
        assert_eq!(prove(&SeedFile::plain(Seed(1))), Ok(Proof::NoSource));
    }

    #[test]
    fn a_block_seed_must_come_from_latest_reveal_block() {
        let (name, round, latest) = ("mesh", RoundNumber(0), Block(100));
        let file = from_block(name, round, latest, BlockHash([7; 32]));
        assert_eq!(prove(&file, name, round, latest), Ok(Proof::Block { block: latest, hash: BlockHash([7; 32]) }));
        assert!(prove(&file, name, round, Block(101)).is_err());
        let mut forged = file;
        forged.block_hash = Some(BlockHash([8; 32]).to_string());
        assert!(prove(&forged, name, round, latest).is_err());
    }

    #[test]
    fn the_drand_round_follows_the_time_of_the_block() {
        assert_eq!(drand_round(QUICKNET_GENESIS), Ok(11));
        assert_eq!(drand_round(QUICKNET_GENESIS + 2), Ok(11));
        assert_eq!(drand_round(QUICKNET_GENESIS + 3), Ok(12));
        assert!(drand_round(QUICKNET_GENESIS - 1).is_err());
        let time = 1_795_349_295;
        assert_eq!(crate::model::beacon::published_at(34_181_977), time);
        assert_eq!(drand_round(time), Ok(34_181_977 + 10));
        let on_chain = OnChain { time, hash: BlockHash([1; 32]) };
        assert!(check_on_chain(&Proof::Drand { round: 34_181_987 }, &on_chain).is_ok());
        assert!(check_on_chain(&Proof::Drand { round: 34_181_986 }, &on_chain).is_err());
        let block = |byte| Proof::Block { block: Block(1), hash: BlockHash([byte; 32]) };
        assert!(check_on_chain(&block(1), &on_chain).is_ok());
        assert!(check_on_chain(&block(2), &on_chain).is_err());
    }

    #[test]
    fn the_hashed_text_is_the_documented_one() {
        let mut text = b"gen404-seed-v1\0mesh\x0012\0".to_vec();
        text.extend([9; 32]);
        let digest = Sha256::digest(&text);
        let expected = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        assert_eq!(derive("mesh", RoundNumber(12), &[9; 32]), Seed(expected));
    }
}
