//! `duels.json` of a miner: its one match, against the holder of the lead.

use serde::{Deserialize, Serialize};

use crate::model::exact::exact_strings;
use crate::model::file::json_file;
use crate::model::ids::{Hotkey, Player, PromptStem};
use crate::model::record::record;
use crate::model::report::DuelWinner;

/// Who won a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplatWinner {
    /// The holder of the lead.
    Leader,
    /// The challenger.
    Miner,
    /// Neither.
    Draw,
    /// The duel was not judged.
    Skipped,
}

impl From<SplatWinner> for DuelWinner {
    fn from(winner: SplatWinner) -> Self {
        match winner {
            SplatWinner::Leader => DuelWinner::Left,
            SplatWinner::Miner => DuelWinner::Right,
            SplatWinner::Draw => DuelWinner::Draw,
            SplatWinner::Skipped => DuelWinner::Skipped,
        }
    }
}

/// How a match ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplatOutcome {
    /// The holder keeps the lead.
    LeaderDefends,
    /// The challenger takes it.
    ChallengerWins,
}

record! {
    /// One prompt's duel.
    pub struct SplatDuel [exact] {
        /// The prompt's stem.
        pub name: PromptStem,
        /// The prompt image's URL.
        pub prompt: String,
        /// The holder's splat.
        pub leader_ply: Option<String>,
        /// The holder's preview.
        pub leader_png: Option<String>,
        /// The challenger's splat.
        pub miner_ply: Option<String>,
        /// The challenger's preview.
        pub miner_png: Option<String>,
        /// Who won.
        pub winner: SplatWinner,
        /// What the judge found wrong, or why no judge was asked.
        pub issues: String,
    }
}

record! {
    /// A match: `hotkey` challenges `leader`.
    pub struct SplatMatch [exact] {
        /// Who held the lead.
        pub leader: Player,
        /// The challenger.
        pub hotkey: Hotkey,
        /// Duels won by the challenger less duels won by the holder.
        pub score: i64,
        /// `score` divided by the number of duels.
        pub margin: f64,
        /// How it ended.
        pub outcome: SplatOutcome,
        /// The duels, sorted by name.
        pub duels: Vec<SplatDuel>,
    }
}

exact_strings!(SplatWinner, SplatOutcome);
json_file!(SplatMatch[exact]);
