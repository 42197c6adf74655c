//! First floor: the rules. Pure functions of the files: no disk, network, clock or randomness.
//!
//! A command gathers facts, calls a rule here and applies the returned plan; `verify` calls the same
//! rules on what was recorded. [`stages`] is the stage machine, [`checks`] holds the claims that
//! `verify` tests, and the other modules are named after what they decide.

pub mod audit;
pub(crate) mod builds;
pub mod certainty;
pub(crate) mod chances;
pub(crate) mod check;
pub mod checks;
pub(crate) mod conflict;
pub(crate) mod download;
pub mod duel;
pub(crate) mod lead;
pub(crate) mod match_in_progress;
pub(crate) mod opening;
pub(crate) mod outstanding;
pub(crate) mod pairings;
pub(crate) mod pausing;
pub mod payload;
pub mod prompts;
pub mod python_random;
pub(crate) mod regeneration;
pub mod rejudge;
pub(crate) mod results;
pub mod seed;
pub(crate) mod shard;
pub mod splat;
pub(crate) mod ssim;
pub mod stage_table;
pub(crate) mod stages;
pub mod submissions;
pub mod succession;
pub mod threejs;
pub mod tournament;
pub(crate) mod waits;

use crate::model::store::FileWrite;
pub use crate::model::thresholds::Thresholds;

/// What a command will do to the files: returned by a rule, applied in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The files to write, in any order: `state.json` is always written last.
    pub writes: Vec<FileWrite>,
    /// The message of the commit that records them.
    pub message: String,
    /// What happens: one line each, for people.
    pub says: Vec<String>,
}
