//! `state.json`: the round and its stage; -1 before round 0.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::file::json_file;
use crate::model::ids::RoundNumber;
use crate::model::record::record;

/// A stage of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplatStage {
    /// Miners reveal their submissions on chain.
    Collecting,
    /// The images are built, and every miner's program is run.
    Generating,
    /// Matches are judged.
    Duels,
    /// The winner is known; the next round is to be opened.
    Finalizing,
    /// No further round.
    Finished,
    /// On hold: by hand, or at the end of a stage if the services were set to stop there.
    Paused,
}

impl SplatStage {
    /// The name that files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SplatStage::Collecting => "collecting",
            SplatStage::Generating => "generating",
            SplatStage::Duels => "duels",
            SplatStage::Finalizing => "finalizing",
            SplatStage::Finished => "finished",
            SplatStage::Paused => "paused",
        }
    }
}

impl fmt::Display for SplatStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

record! {
    /// The competition's round and stage.
    pub struct SplatState {
        /// The current round; -1 before the first.
        pub current_round: i64,
        /// Its stage.
        pub stage: SplatStage,
    }
}

json_file!(SplatState);

impl SplatState {
    /// The current round; `None` before the first.
    #[must_use]
    pub fn round(&self) -> Option<RoundNumber> {
        u32::try_from(self.current_round).ok().map(RoundNumber)
    }
}
