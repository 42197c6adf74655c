//! The chain, as a competition needs it: where it stands, what miners revealed, and randomness.
//!
//! [`subtensor`] asks a network's nodes, [`mod@file`] reads a JSON file (sandboxes, reproductions, tests).

use crate::base::error::Result;
use crate::model::beacon::{BlockHash, Pulse};
use crate::model::ids::Block;
pub use crate::model::reveal::{Reveal, Reveals};

pub mod endpoints;
pub(crate) mod file;
pub mod keys;
mod rpc;
pub mod scale;
pub(crate) mod settings;
pub mod stand_in;
pub mod subtensor;

/// A chain that revealed commitments are read from.
///
/// Blocks are whatever the driver pinned when it was first asked: every read of a run sees the
/// same chain.
pub trait Chain: std::fmt::Debug + Send + Sync {
    /// The chain's name or endpoint, for messages.
    fn name(&self) -> String;

    /// Is this a real chain, with drand's pulses and blocks that nobody here made up?
    fn is_real(&self) -> bool;

    /// The newest block. It may still be replaced by another one: decide nothing by it that cannot
    /// be taken back.
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
    /// The chain cannot be read, or has no such block yet.
    fn block_hash(&self, block: Block) -> Result<BlockHash>;

    /// The time of a finalized block: unix, in seconds, rounded down.
    ///
    /// # Errors
    /// The chain cannot be read, or no longer knows the state of that block.
    fn block_time(&self, block: Block) -> Result<u64>;

    /// Everything that stood revealed at the end of a finalized block. A chain keeps the last ten
    /// reveals of a hotkey, so a window is read at its last block.
    ///
    /// # Errors
    /// The chain cannot be read, or no longer knows the state of that block.
    fn reveals(&self, at: Block) -> Result<Reveals>;

    /// A drand quicknet round, not verified; `None` where the chain does not have it (yet, or any
    /// longer).
    ///
    /// # Errors
    /// The chain cannot be read.
    fn drand_pulse(&self, round: u64) -> Result<Option<Pulse>>;
}
