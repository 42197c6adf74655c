//! A match in progress: the judge calls that it needs, and the result of the answers, with the evidence for it.

use std::collections::BTreeSet;

use super::Thresholds;
use super::duel::{self, by_answers, outputs_of, over_time, walkover, without_judge};
use super::tournament::Pair;
use crate::model::answers::{Answers, Digest, DuelEvidence, GivenAnswer, JudgedDuel, ShownImages, UnjudgedDuel};
use crate::model::format::Format;
use crate::model::ids::{Player, PromptStem};
use crate::model::outputs::{Output, Outputs};
use crate::model::penalties::{AnswerOrigin, Penalties};
use crate::model::prompts::Prompt;
use crate::model::record::Extra;
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::model::snapshot::RoundFiles;

/// The order in which the judge sees the two models of a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViewingOrder {
    /// The defender's first.
    LeftFirst,
    /// The challenger's first.
    RightFirst,
}

/// A judge call that a match needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// The duel's index in the report.
    pub duel: usize,
    /// Which side is shown first.
    pub order: ViewingOrder,
    /// The prompt image's URL.
    pub prompt: String,
    /// The player whose preview is shown first, and its URL.
    pub first: (Player, String),
    /// The player whose preview is shown second, and its URL.
    pub second: (Player, String),
}

/// A match that is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The right player's margin, -1 to 1.
    pub margin: f64,
    /// Its report, and what the judge answered; `None` for a walkover.
    pub report: Option<(MatchReport, Answers)>,
}

/// The judge's answer to an inquiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InquiryAnswer {
    /// What it says.
    pub penalties: Penalties,
    /// How it was obtained.
    pub origin: AnswerOrigin,
    /// The digests of the prompt, the first and the second preview, where known.
    pub images: [Option<Digest>; 3],
}

/// A match in play.
#[derive(Debug, Clone)]
pub struct MatchInProgress {
    format: Format,
    pair: Pair,
    /// The digest of the question.
    question: Digest,
    walkover: Option<f64>,
    rows: Vec<DuelInProgress>,
}

/// A duel with the judge's answers so far.
#[derive(Debug, Clone)]
struct DuelInProgress {
    duel: Duel,
    decided: bool,
    answers: [Option<InquiryAnswer>; 2],
}

impl MatchInProgress {
    /// Sets up a match over these prompts; duels that need no judge are decided at once.
    #[must_use]
    pub fn new(files: &RoundFiles, prompts: &[Prompt], limits: &Thresholds, question: Digest, pair: &Pair) -> Self {
        let (left, right) = (outputs_of(files, &pair.0).get(), outputs_of(files, &pair.1).get());
        let has = |outputs: Option<&Outputs>| outputs.is_some_and(|outputs| !outputs.is_empty());
        let walkover = walkover(has(left), has(right));
        let mut rows = Vec::new();
        if walkover.is_none() {
            let late = |outputs: Option<&Outputs>| {
                outputs.map(|outputs| over_time(prompts, outputs, limits)).unwrap_or_default()
            };
            let late = (late(left), late(right));
            rows.extend(prompts.iter().map(|prompt| row(prompt, left, right, &late)));
            // Reports have their duels sorted by name (DESIGN section 2).
            rows.sort_by(|a, b| a.duel.name.cmp(&b.duel.name));
        }
        MatchInProgress { format: files.format, pair: pair.clone(), question, walkover, rows }
    }

    /// The number of duels.
    #[must_use]
    pub fn duels(&self) -> usize {
        self.rows.len()
    }

    /// The judge calls still needed, duel by duel.
    #[must_use]
    pub fn inquiries(&self) -> Vec<Inquiry> {
        let open = self.rows.iter().enumerate().filter(|(_, row)| !row.decided);
        open.flat_map(|(at, row)| self.inquiries_of(at, &row.duel)).collect()
    }

    fn inquiries_of(&self, at: usize, duel: &Duel) -> Vec<Inquiry> {
        let (Some(left), Some(right)) = (&duel.left_png, &duel.right_png) else { return Vec::new() };
        let (left, right) = ((self.pair.0.clone(), left.clone()), (self.pair.1.clone(), right.clone()));
        let inquiry = |order, first, second| Inquiry { duel: at, order, prompt: duel.prompt.clone(), first, second };
        vec![
            inquiry(ViewingOrder::LeftFirst, left.clone(), right.clone()),
            inquiry(ViewingOrder::RightFirst, right, left),
        ]
    }

    /// Takes the answer to one inquiry; the second answer decides the duel.
    pub fn answer(&mut self, duel: usize, order: ViewingOrder, answer: InquiryAnswer) {
        let Some(row) = self.rows.get_mut(duel).filter(|row| !row.decided) else { return };
        let [left_first, right_first] = &mut row.answers;
        match order {
            ViewingOrder::LeftFirst => *left_first = Some(answer),
            ViewingOrder::RightFirst => *right_first = Some(answer),
        }
        if let (Some(left_first), Some(right_first)) = (left_first, right_first) {
            (row.duel.winner, row.duel.issues) = by_answers(&left_first.penalties, &right_first.penalties);
            row.decided = true;
        }
    }

    /// The completed match; `None` until every duel is decided.
    #[must_use]
    pub fn played(&self) -> Option<Played> {
        if let Some(margin) = self.walkover {
            return Some(Played { margin, report: None });
        }
        if !self.rows.iter().all(|row| row.decided) {
            return None;
        }
        let duels: Vec<_> = self.rows.iter().map(|row| row.duel.clone()).collect();
        let score = duel::score(&duels);
        let margin = duel::margin(score, duels.len());
        let (left, right) = self.pair.clone();
        let report = MatchReport { format: self.format, left, right, score, margin, duels, extra: Extra::default() };
        let answers = Answers(self.rows.iter().map(|row| row.evidence(self.question)).collect());
        Some(Played { margin, report: Some((report, answers)) })
    }
}

impl DuelInProgress {
    /// What the decided duel rests on.
    fn evidence(&self, question: Digest) -> DuelEvidence {
        let name = self.duel.name.clone();
        let [Some(left_first), Some(right_first)] = &self.answers else {
            let without_judge = self.duel.issues.clone();
            return DuelEvidence::Unjudged(UnjudgedDuel { name, without_judge, extra: Extra::default() });
        };
        let ([prompt, left, right], model) = (left_first.images, left_first.origin.model.clone());
        let images = ShownImages { prompt, left, right, extra: Extra::default() };
        let right_first = given(right_first, model.as_ref());
        let left_first = given(left_first, model.as_ref());
        let extra = Extra::default();
        DuelEvidence::Judged(Box::new(JudgedDuel { name, model, question, images, left_first, right_first, extra }))
    }
}

/// An answer as it is recorded; `model` is the name on its line.
fn given(answer: &InquiryAnswer, model: Option<&String>) -> GivenAnswer {
    let InquiryAnswer { penalties, origin, .. } = answer;
    GivenAnswer {
        penalty_1: penalties.first,
        penalty_2: penalties.second,
        issues: penalties.issues.clone(),
        model: origin.model.clone().filter(|own| Some(own) != model),
        attempts: origin.attempts,
        prompt_tokens: origin.prompt_tokens,
        completion_tokens: origin.completion_tokens,
        extra: Extra::default(),
    }
}

fn row(
    prompt: &Prompt,
    left: Option<&Outputs>,
    right: Option<&Outputs>,
    late: &(BTreeSet<PromptStem>, BTreeSet<PromptStem>),
) -> DuelInProgress {
    let stem = prompt.stem();
    let of = |outputs: Option<&'_ Outputs>| outputs.and_then(|outputs| outputs.get(stem)).cloned();
    let (left, right) = (of(left), of(right));
    let late = (late.0.contains(stem), late.1.contains(stem));
    let outcome = without_judge(stem, left.as_ref(), right.as_ref(), late);
    let decided = outcome.is_some();
    let (winner, issues) = outcome.unwrap_or((DuelWinner::Skipped, String::new()));
    let urls = |output: Option<Output>| output.map_or((None, None), |output| (output.model, output.png));
    let ((left_model, left_png), (right_model, right_png)) = (urls(left), urls(right));
    let duel = Duel {
        name: stem.clone(),
        prompt: prompt.url().to_owned(),
        left_model,
        left_png,
        right_model,
        right_png,
        winner,
        issues,
        extra: Extra::default(),
    };
    DuelInProgress { duel, decided, answers: [None, None] }
}
