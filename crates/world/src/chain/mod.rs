//! The chain as a competition needs it: its current block, what miners revealed, and randomness.
//!
//! [`subtensor`] asks a network's nodes, [`mod@file`] reads a JSON file (sandboxes, reproductions, tests).

use crate::base::error::Result;
use crate::model::beacon::{BlockHash, Pulse};
use crate::model::ids::{Block, Hotkey};
pub use crate::model::reveal::{Reveal, Reveals};
use crate::model::threejs::programs::Coldkey;

pub mod endpoints;
pub mod file;
pub mod keys;
mod rpc;
pub mod scale;
pub mod settings;
pub mod stand_in;
pub mod subtensor;

/// The newest blocks as one node has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest block.
    pub best: Block,
    /// The newest finalized one.
    pub finalized: Block,
    /// Its time in Unix seconds, if it is known.
    pub seconds: Option<u64>,
}

/// What one node of a chain answered.
#[derive(Debug)]
pub struct NodeProbe {
    /// The node, for messages.
    pub name: String,
    /// Its URL, if it has one; it may hold a key.
    pub url: Option<String>,
    /// Is it asked for old state only?
    pub archive: bool,
    /// Its newest blocks.
    pub head: Result<Head>,
}

/// A chain that revealed commitments are read from.
///
/// The driver pins its blocks when it is first asked, so that all reads of a run see the same chain.
pub trait Chain: std::fmt::Debug + Send + Sync {
    /// The chain's name or endpoint, for messages.
    fn name(&self) -> String;

    /// Is this a real chain, with drand's pulses and blocks that were not made up locally?
    fn is_real(&self) -> bool;

    /// The newest block. It may still be replaced in a fork: base no irreversible decision on it.
    ///
    /// # Errors
    /// The chain cannot be read.
    fn best_block(&self) -> Result<Block>;

    /// The newest finalized block, as pinned for this run.
    ///
    /// # Errors
    /// The chain cannot be read.
    fn finalized_block(&self) -> Result<Block>;

    /// The hash of a finalized block.
    ///
    /// # Errors
    /// The chain cannot be read, or does not have the block yet.
    fn block_hash(&self, block: Block) -> Result<BlockHash>;

    /// The time of a finalized block: Unix seconds, rounded down.
    ///
    /// # Errors
    /// The chain cannot be read, or no longer knows the state of that block.
    fn block_time(&self, block: Block) -> Result<u64>;

    /// Everything revealed by the end of a finalized block. A chain keeps only the last ten reveals of a
    /// hotkey, so a window has to be read at its last block.
    ///
    /// # Errors
    /// The chain cannot be read, or no longer knows the state of that block.
    fn reveals(&self, at: Block) -> Result<Reveals>;

    /// The owner of a hotkey by the end of a finalized block; `None` if the hotkey is not registered on the subnet.
    ///
    /// # Errors
    /// The chain cannot be read, or no longer knows the state of that block.
    fn owner(&self, at: Block, hotkey: &Hotkey) -> Result<Option<Coldkey>>;

    /// What an owner has locked on the subnet by the end of a finalized block, in 1e-9 alpha.
    ///
    /// # Errors
    /// The chain cannot be read, or no longer knows the state of that block.
    fn locked(&self, at: Block, owner: &Coldkey) -> Result<u64>;

    /// A drand quicknet round, not verified; `None` if the chain does not have it (yet, or any more).
    ///
    /// # Errors
    /// The chain cannot be read.
    fn drand_pulse(&self, round: u64) -> Result<Option<Pulse>>;

    /// Asks each node for its newest blocks.
    fn probe(&self) -> Vec<NodeProbe> {
        let head = || {
            let finalized = self.finalized_block()?;
            // A chain file may lack times.
            Ok(Head { best: self.best_block()?, finalized, seconds: self.block_time(finalized).ok() })
        };
        vec![NodeProbe { name: self.name(), url: None, archive: false, head: head() }]
    }
}
