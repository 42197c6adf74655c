//! `duels_*.json`, `audit_*.json`: one match, duel by duel, with what each of the judge's stages said.

use super::audit_matrix::Opponent;
use super::detail::Detail;
use crate::model::file::json_file;
use crate::model::ids::{Hotkey, PromptStem};
use crate::model::record::record;
use crate::model::report::DuelWinner;

record! {
    /// One prompt's duel.
    pub struct StagedDuel [exact] {
        /// The prompt's stem.
        pub name: PromptStem,
        /// The prompt image's URL.
        pub prompt: String,
        /// Left's module.
        pub left_js: Option<String>,
        /// Left's grid of views.
        pub left_png: Option<String>,
        /// Right's module.
        pub right_js: Option<String>,
        /// Right's grid of views.
        pub right_png: Option<String>,
        /// Who won.
        pub winner: DuelWinner,
        /// How that came about; `null` where judging it broke off.
        pub detail: Option<Detail>,
    }
}

record! {
    /// A match: right challenges left.
    pub struct StagedMatch [exact] {
        /// The defender: a player, or what right itself had submitted.
        pub left: Opponent,
        /// The challenger.
        pub right: Hotkey,
        /// Duels won by right less duels won by left.
        pub score: i64,
        /// `score` divided by the number of duels.
        pub margin: f64,
        /// The duels.
        pub duels: Vec<StagedDuel>,
    }
}

json_file!(StagedMatch[exact]);
