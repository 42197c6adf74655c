//! `rounds/N/{right}/duels_{left}.json` of a mesh competition.

use crate::model::format::Format;
use crate::model::ids::{Player, PromptStem};
use crate::model::record::record;
use crate::model::report::{self, DuelWinner};

record! {
    /// One prompt's duel: see [`report::Duel`].
    pub struct Duel [exact] {
        /// The prompt's stem.
        pub name: PromptStem,
        /// The prompt image's URL.
        pub prompt: String,
        /// Left's model.
        pub left_glb: Option<String>,
        /// Left's preview.
        pub left_png: Option<String>,
        /// Right's model.
        pub right_glb: Option<String>,
        /// Right's preview.
        pub right_png: Option<String>,
        /// Who won.
        pub winner: DuelWinner,
        /// The faults that the judge found, or why no judge was asked.
        pub issues: String,
    }
}

record! {
    /// The file: see [`report::MatchReport`].
    pub struct MatchReport [exact] {
        /// The defender.
        pub left: Player,
        /// The challenger.
        pub right: Player,
        /// Duels won by right minus duels won by left.
        pub score: i64,
        /// `score` divided by the number of duels.
        pub margin: f64,
        /// The duels, sorted by name.
        pub duels: Vec<Duel>,
    }
}

impl From<Duel> for report::Duel {
    fn from(record: Duel) -> Self {
        let Duel { name, prompt, left_glb, left_png, right_glb, right_png, winner, issues, extra } = record;
        let (left_model, right_model) = (left_glb, right_glb);
        report::Duel { name, prompt, left_model, left_png, right_model, right_png, winner, issues, extra }
    }
}

impl From<report::Duel> for Duel {
    fn from(duel: report::Duel) -> Self {
        let report::Duel { name, prompt, left_model, left_png, right_model, right_png, winner, issues, extra } = duel;
        let (left_glb, right_glb) = (left_model, right_model);
        Duel { name, prompt, left_glb, left_png, right_glb, right_png, winner, issues, extra }
    }
}

/// Converts the file to the neutral type.
pub(in crate::model::format) fn neutral(file: MatchReport) -> report::MatchReport {
    let MatchReport { left, right, score, margin, duels, extra } = file;
    let duels = duels.into_iter().map(report::Duel::from).collect();
    report::MatchReport { format: Format::Mesh, left, right, score, margin, duels, extra }
}

/// Converts the neutral type to the file.
pub(in crate::model::format) fn record(report: &report::MatchReport) -> MatchReport {
    let report::MatchReport { left, right, score, margin, duels, extra, .. } = report.clone();
    let duels = duels.into_iter().map(Duel::from).collect();
    MatchReport { left, right, score, margin, duels, extra }
}
