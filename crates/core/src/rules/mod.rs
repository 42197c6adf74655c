//! First floor: the rules. Pure functions of the files: no disk, network, clock or randomness.
//!
//! A command gathers facts, calls a rule here and applies the returned plan; `verify` calls the same
//! rules on what was recorded. [`stages`] is the stage machine, [`checks`] holds the claims that
//! `verify` tests, and the other modules are named after what they decide.

pub mod audit;
pub mod builds;
pub mod certainty;
pub mod chances;
pub mod check;
pub mod checks;
pub mod conflict;
pub mod download;
pub mod duel;
pub mod lead;
pub mod match_in_progress;
pub mod opening;
pub mod outstanding;
pub mod pairings;
pub mod pausing;
pub mod payload;
pub mod prompts;
pub mod python_random;
pub mod regeneration;
pub mod rejudge;
pub mod results;
pub mod seed;
pub mod shard;
pub mod splat;
pub mod ssim;
pub mod stage_table;
pub mod stages;
pub mod submissions;
pub mod succession;
pub mod threejs;
pub mod tournament;
pub mod waits;

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
