//! `rounds/N/{right}/duels_{left}.json`: one match, duel by duel. The file layout depends on the competition's
//! format; rules use the neutral types here.

use serde::{Deserialize, Serialize};

use super::exact::exact_strings;
use super::format::Format;
use super::ids::{Player, PromptStem};
use super::record::Extra;

/// Who won a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuelWinner {
    /// The defender.
    Left,
    /// The challenger.
    Right,
    /// Neither.
    Draw,
    /// The duel was not judged.
    Skipped,
}

exact_strings!(DuelWinner);

impl DuelWinner {
    /// What the duel adds to the match's score: 1 for right, -1 for left.
    #[must_use]
    pub fn points(self) -> i64 {
        match self {
            DuelWinner::Left => -1,
            DuelWinner::Right => 1,
            DuelWinner::Draw | DuelWinner::Skipped => 0,
        }
    }

    /// The name that files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DuelWinner::Left => "left",
            DuelWinner::Right => "right",
            DuelWinner::Draw => "draw",
            DuelWinner::Skipped => "skipped",
        }
    }
}

/// One prompt's duel.
#[derive(Debug, Clone, PartialEq)]
pub struct Duel {
    /// The prompt's stem.
    pub name: PromptStem,
    /// The prompt image's URL.
    pub prompt: String,
    /// Left's model.
    pub left_model: Option<String>,
    /// Left's preview.
    pub left_png: Option<String>,
    /// Right's model.
    pub right_model: Option<String>,
    /// Right's preview.
    pub right_png: Option<String>,
    /// Who won.
    pub winner: DuelWinner,
    /// The faults that the judge found, or why no judge was asked.
    pub issues: String,
    /// Keys of a newer writer, kept in place.
    pub extra: Extra,
}

/// A match: right challenges left.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchReport {
    /// The format of the file.
    pub format: Format,
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
    /// Keys of a newer writer, kept in place.
    pub extra: Extra,
}
