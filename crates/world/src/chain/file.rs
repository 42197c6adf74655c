//! A chain in a JSON file, for sandboxes, reproductions and tests:
//!
//! ```json
//! {
//!   "current_block": 7454980,
//!   "finalized_block": 7454977,
//!   "block_times": {"7454966": 1770105600},
//!   "block_hashes": {"7454966": "0x357f...15e2"},
//!   "drand_pulses": {"25767423": "b75c...fc92"},
//!   "commitments": {
//!     "5Grw...utQY": [
//!       {"block": 7454900, "text": "{\"repo\": \"acme/solution\"}"},
//!       {"block": 7454901, "hex": "0x707b22"}
//!     ]
//!   },
//!   "owners": {"5Grw...utQY": "5FHn...94ty"},
//!   "locked": {"5FHn...94ty": 100000000000}
//! }
//! ```
//!
//! Only `current_block` is required. `finalized_block` defaults to the current one. The time of a block that is
//! not listed is derived from the nearest listed one, at 12 s per block; a hash must be listed. A pulse is the
//! signature of that quicknet round, in hex. A commitment is either the text that a miner revealed with an SDK,
//! or the stored bytes in hex, in the chain's order. `owners` has the owner of each registered hotkey, and `locked` what
//! each owner has locked, in 1e-9 alpha; three.js competitions ask for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parity_scale_codec::Encode;
use serde::{Deserialize, Deserializer};

use super::{Chain, Reveal, Reveals};
use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::hex;
use crate::model::beacon::{BlockHash, Pulse};
use crate::model::ids::{Block, Hotkey};
use crate::model::record::{Entries, parse_json};
use crate::model::threejs::programs::Coldkey;

/// Seconds from one block to the next.
const BLOCK_SECONDS: u64 = 12;

/// A chain described by a JSON file.
#[derive(Debug, Clone)]
pub struct FileChain {
    path: PathBuf,
    document: Document,
}

/// The file's contents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    current_block: Block,
    finalized_block: Option<Block>,
    #[serde(default)]
    block_times: Entries<u64, u64>,
    #[serde(default)]
    block_hashes: Entries<u64, BlockHash>,
    #[serde(default)]
    drand_pulses: Entries<u64, HexBytes>,
    #[serde(default)]
    commitments: Entries<Hotkey, Vec<Commitment>>,
    /// The owner of each registered hotkey.
    owners: Option<Entries<Hotkey, Coldkey>>,
    /// What each owner has locked, in 1e-9 alpha.
    #[serde(default)]
    locked: Entries<Coldkey, u64>,
}

/// A commitment in one of its two forms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commitment {
    block: Block,
    text: Option<String>,
    hex: Option<HexBytes>,
}

/// Bytes given as hex digits.
#[derive(Debug, Clone)]
struct HexBytes(Vec<u8>);

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).map(HexBytes).map_err(serde::de::Error::custom)
    }
}

impl FileChain {
    /// Reads the file once: the chain stands still while a command runs.
    ///
    /// # Errors
    /// The file is missing or does not have the documented form.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = files::named(path, files::SMALL)?;
        Self::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let document: Document = parse_json(bytes).map_err(|why| Error::file(path, why))?;
        if document.finalized_block.is_some_and(|finalized| finalized > document.current_block) {
            return Err(Error::file(path, "finalized_block is after current_block"));
        }
        let one_form = |reveal: &Commitment| reveal.text.is_some() != reveal.hex.is_some();
        for (hotkey, reveals) in document.commitments.iter() {
            if !reveals.iter().all(one_form) {
                return Err(Error::file(path, format!("{hotkey}: a commitment has either text or hex")));
            }
        }
        Ok(FileChain { path: path.to_owned(), document })
    }

    fn check_known(&self, block: Block) -> Result<()> {
        let finalized = self.finalized_block()?;
        if block <= finalized {
            return Ok(());
        }
        Err(Error::not_due(format!("{}: block {block} is not finalized yet ({finalized} is)", self.path.display())))
    }
}

impl Commitment {
    /// The bytes as a chain stores them: an SDK prefixes text with its SCALE length.
    fn reveal(&self) -> Reveal {
        let raw = match (&self.text, &self.hex) {
            (Some(text), _) => text.encode(),
            (None, Some(bytes)) => bytes.0.clone(),
            (None, None) => Vec::new(),
        };
        Reveal { block: self.block, raw }
    }
}

impl Chain for FileChain {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn is_real(&self) -> bool {
        false
    }

    fn best_block(&self) -> Result<Block> {
        Ok(self.document.current_block)
    }

    fn finalized_block(&self) -> Result<Block> {
        Ok(self.document.finalized_block.unwrap_or(self.document.current_block))
    }

    fn block_hash(&self, block: Block) -> Result<BlockHash> {
        self.check_known(block)?;
        self.document.block_hashes.get(&block.0).copied().ok_or_else(|| {
            Error::file(&self.path, format!("block_hashes has no entry for block {block}"))
                .hint("add it, or take the seed from elsewhere: --seed-source random, --seed N")
        })
    }

    fn block_time(&self, block: Block) -> Result<u64> {
        self.check_known(block)?;
        let nearest = self.document.block_times.iter().min_by_key(|(listed, _)| listed.abs_diff(block.0));
        let (listed, time) = nearest.ok_or_else(|| {
            Error::file(&self.path, format!("block_times is empty: the time of block {block} is not known"))
        })?;
        let apart = listed.abs_diff(block.0).saturating_mul(BLOCK_SECONDS);
        Ok(if *listed <= block.0 { time.saturating_add(apart) } else { time.saturating_sub(apart) })
    }

    fn reveals(&self, at: Block) -> Result<Reveals> {
        self.check_known(at)?;
        let until = |reveals: &Vec<Commitment>| {
            reveals.iter().filter(|reveal| reveal.block <= at).map(Commitment::reveal).collect::<Vec<_>>()
        };
        let all = self.document.commitments.iter().map(|(hotkey, reveals)| (hotkey.clone(), until(reveals)));
        Ok(all.filter(|(_, reveals)| !reveals.is_empty()).collect::<BTreeMap<_, _>>())
    }

    fn owner(&self, _: Block, hotkey: &Hotkey) -> Result<Option<Coldkey>> {
        let owners = self.document.owners.as_ref().ok_or_else(|| {
            let unknown = Error::file(&self.path, "owners is missing: who owns a hotkey is not known");
            unknown.hint("add it, or set [miners] required_lock_alpha = 0 to admit every submission")
        })?;
        Ok(owners.get(hotkey).cloned())
    }

    fn locked(&self, _: Block, owner: &Coldkey) -> Result<u64> {
        Ok(self.document.locked.get(owner).copied().unwrap_or_default())
    }

    fn drand_pulse(&self, round: u64) -> Result<Option<Pulse>> {
        let pulse = self.document.drand_pulses.get(&round);
        Ok(pulse.map(|signature| Pulse { round, signature: signature.0.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Kind;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    fn chain(text: &str) -> Result<FileChain> {
        FileChain::parse(Path::new("chain.json"), text.as_bytes())
    }

    #[test]
    fn a_file_tells_blocks_times_hashes_reveals_and_pulses() {
        let hash = format!("0x{}", "ab".repeat(32));
        let text = format!(
            r#"{{"current_block": 100, "finalized_block": 98, "block_times": {{"90": 1000, "50": 10}},
                "block_hashes": {{"90": "{hash}"}}, "drand_pulses": {{"7": "00ff"}},
                "commitments": {{"{ALICE}": [{{"block": 80, "text": "hi"}}, {{"block": 95, "hex": "0x7b"}}]}}}}"#
        );
        let chain = chain(&text).unwrap();
        assert_eq!((chain.best_block().unwrap(), chain.finalized_block().unwrap()), (Block(100), Block(98)));
        assert_eq!(chain.block_time(Block(92)).unwrap(), 1024);
        assert_eq!(chain.block_time(Block(89)).unwrap(), 988);
        assert_eq!(chain.block_hash(Block(90)).unwrap(), BlockHash([0xab; 32]));
        assert!(chain.block_hash(Block(91)).is_err());
        assert_eq!(chain.block_hash(Block(99)).unwrap_err().kind(), Kind::NotDue);
        let alice: Hotkey = ALICE.parse().unwrap();
        let raw = |at| chain.reveals(Block(at)).unwrap().remove(&alice).map(|all| all.len());
        assert_eq!((raw(79), raw(80), raw(98)), (None, Some(1), Some(2)));
        let first = chain.reveals(Block(98)).unwrap()[&alice][0].clone();
        assert_eq!(first, Reveal { block: Block(80), raw: b"\x08hi".to_vec() });
        assert_eq!(chain.drand_pulse(7).unwrap(), Some(Pulse { round: 7, signature: vec![0, 255] }));
        assert_eq!(chain.drand_pulse(8).unwrap(), None);
    }

    #[test]
    fn a_file_of_another_form_is_refused_by_name_and_place() {
        let both = format!(r#"{{"current_block": 1, "commitments": {{"{ALICE}": [{{"block": 1}}]}}}}"#);
        for bad in [
            "",
            "{}",
            r#"{"current_block": -1}"#,
            r#"{"current_block": 1, "blocks": {}}"#,
            r#"{"current_block": 1, "finalized_block": 2}"#,
            r#"{"current_block": 1, "drand_pulses": {"7": "0"}}"#,
            r#"{"current_block": 1, "block_hashes": {"7": "0x00"}}"#,
            r#"{"current_block": 1, "commitments": {"5Bad": []}}"#,
            &both,
        ] {
            let error = chain(bad).unwrap_err();
            assert!(error.to_string().starts_with("chain.json: "), "{error}");
        }
        assert!(FileChain::open(Path::new("/nonexistent/chain.json")).is_err());
    }
}
