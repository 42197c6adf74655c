//! From the answers so far to the next calls, or to the duel's detail and winner.

use std::collections::BTreeMap;

use super::calls::{CallId, Order, SideOf, StageCall};
use super::gray::GrayMeasure;
use crate::model::ids::Seed;
use crate::model::record::Extra;
use crate::model::report::DuelWinner;
use crate::model::threejs::asked::{CheckAnswer, FeatureAnswer, Form, PenaltyAnswer, StageAnswer};
use crate::model::threejs::detail::{
    Angle, BothViews, CheckedFeatures, Checklist, Choice, Detail, Feature, Match, PenaltyPair, SideVerdict,
    SideVerdicts, SideViews, Stage1, Stage2, Stage3, Stage4,
};
use crate::model::threejs::view::View;
use crate::rules::threejs::duel::without_judge;
use crate::rules::threejs::stages::{BY_STAGE_1, by_gray, guarded, side, stage1_choice, stage2};
use crate::rules::threejs::thresholds::DEPLOYED;

/// The view of each side that is most like the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BestViews {
    /// A side has no embeddings: this vote is not taken.
    None,
    /// A's and B's.
    Of(View, View),
}

/// What is known of a duel beside the judge's answers. What is `None` was not looked at yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Does either side have views?
    pub has_views: [bool; 2],
    /// The best views.
    pub best: Option<BestViews>,
    /// Whether both are pale and grey.
    pub gray: Option<GrayMeasure>,
}

/// What has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// Both sides' embeddings, for [`Known::best`].
    Embeddings,
    /// Both sides' first view on grey, for [`Known::gray`].
    Gray,
}

/// A finished duel.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Who won.
    pub winner: DuelWinner,
    /// How that came about.
    pub detail: Detail,
}

/// How a duel goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// All of these are needed; none is in vain, whatever the others bring.
    Open {
        /// The calls without an answer.
        calls: Vec<StageCall>,
        /// What is not known yet.
        looks: Vec<Look>,
    },
    /// It is over.
    Done(Box<Decided>),
}

/// How a duel goes on. An answer of another form than its call's counts as none.
#[must_use]
pub fn next(seed: Seed, known: &Known, answers: &BTreeMap<CallId, StageAnswer>) -> Next {
    let [left, right] = known.has_views;
    if let Some((winner, reason)) = without_judge(left, right) {
        return Next::Done(Box::new(Decided { winner, detail: Detail::unjudged(reason) }));
    }
    let mut stages = Staging { seed, known, answers, calls: Vec::new(), looks: Vec::new() };
    match stages.run() {
        Some(decided) => Next::Done(Box::new(decided)),
        None => Next::Open { calls: stages.calls, looks: stages.looks },
    }
}

/// Both orders of a question, averaged.
struct Pair {
    a: f64,
    b: f64,
    /// One order prefers A, the other B.
    contradicts: bool,
}

impl From<Pair> for PenaltyPair {
    fn from(pair: Pair) -> Self {
        PenaltyPair { penalty_a: pair.a, penalty_b: pair.b, extra: Extra::default() }
    }
}

/// The stages on the way, and what they still need.
struct Staging<'a> {
    seed: Seed,
    known: &'a Known,
    answers: &'a BTreeMap<CallId, StageAnswer>,
    calls: Vec<StageCall>,
    looks: Vec<Look>,
}

impl<'a> Staging<'a> {
    /// The answer to a call; without one, the call is needed.
    fn ask(&mut self, id: CallId, form: Form) -> Option<&'a StageAnswer> {
        let best = match self.known.best {
            Some(BestViews::Of(a, b)) => [a, b],
            _ => [View::FrontLeft; 2],
        };
        let answer = self.answers.get(&id).filter(|answer| is_of(&form, answer));
        if answer.is_none() {
            self.calls.push(id.call(self.seed, form, best));
        }
        answer
    }

    fn penalties(&mut self, id: CallId) -> Option<&'a PenaltyAnswer> {
        match self.ask(id, Form::Penalties)? {
            StageAnswer::Penalties(answer) => Some(answer),
            _ => None,
        }
    }

    /// Both orders of a question: A's penalty is the first one's of the one and the second one's of the other.
    fn pair(&mut self, call: impl Fn(Order) -> CallId) -> Option<Pair> {
        let [ab, ba] = Order::BOTH.map(|order| self.penalties(call(order)));
        let (ab, ba) = (ab?, ba?);
        let mean = |one: u8, other: u8| f64::midpoint(f64::from(one), f64::from(other));
        let (one, other) = (ab.penalty_1.cmp(&ab.penalty_2), ba.penalty_2.cmp(&ba.penalty_1));
        let contradicts = one.is_ne() && one == other.reverse();
        Some(Pair { a: mean(ab.penalty_1, ba.penalty_2), b: mean(ab.penalty_2, ba.penalty_1), contradicts })
    }

    /// Runs the stages as far as the answers go.
    fn run(&mut self) -> Option<Decided> {
        let issues = self.issues();
        let s1 = self.first()?;
        if s1.choice != Choice::Draw {
            let winner = s1.choice.into();
            let detail = Detail::by_first_stage(s1, BY_STAGE_1.to_owned(), issues?);
            return Some(Decided { winner, detail });
        }
        let (s2, views) = (self.second(), self.fourth());
        let s2 = s2?;
        let ballot = stage2(&s2);
        let s3 = match ballot.choice {
            Choice::Draw => Some(self.third()?),
            _ => None,
        };
        let (before, decided_by) = match &s3 {
            Some(s3) => {
                let (choice, words) = by_gray(s3.choice);
                (choice, words.to_owned())
            }
            None => (ballot.choice, ballot.decided_by),
        };
        let (views, issues) = (views?, issues?);
        let sides = SideVerdicts { a: side(&views.a), b: side(&views.b), extra: Extra::default() };
        let (choice, decided_by) = guarded(before, decided_by, &sides);
        let s4 = Stage4 { choice, side_verdicts: sides, per_angle: views, extra: Extra::default() };
        Some(Decided { winner: choice.into(), detail: Detail::by_all_stages((s1, s2, s3, s4), decided_by, issues) })
    }

    /// What is wrong with both, in words.
    fn issues(&mut self) -> Option<String> {
        match self.ask(CallId::Explain, Form::Issues)? {
            StageAnswer::Issues(answer) => Some(answer.issues.clone().unwrap_or_default()),
            _ => None,
        }
    }

    fn first(&mut self) -> Option<Stage1> {
        let pairs = View::FRONT.map(|view| (view, self.pair(|order| CallId::PromptMatch(view, order))));
        let (mut angles, mut kept) = (Vec::new(), Vec::new());
        for (view, pair) in pairs {
            let pair = pair?;
            kept.push(!pair.contradicts);
            angles.push(Angle { label: view.name().to_owned(), pen_a: pair.a, pen_b: pair.b, extra: Extra::default() });
        }
        let consistent: Vec<&Angle> =
            angles.iter().zip(kept).filter(|(_, kept)| *kept).map(|(angle, _)| angle).collect();
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let (choice, n_consistent) = (stage1_choice(&consistent), count(consistent.len()));
        Some(Stage1 { choice, n_total: count(angles.len()), n_consistent, angles, extra: Extra::default() })
    }

    fn second(&mut self) -> Option<Stage2> {
        let best_view = match self.known.best {
            None => {
                self.looks.push(Look::Embeddings);
                None
            }
            Some(BestViews::None) => Some(None),
            Some(BestViews::Of(..)) => self.pair(CallId::BestView).map(Some),
        };
        let artifacts = self.pair(CallId::Artifacts);
        let checklist = self.checklist();
        let mut s2 = Stage2 {
            choice: Choice::Draw,
            source: String::new(),
            best_view: best_view?.map(PenaltyPair::from),
            artifact_compare: Some(artifacts?.into()),
            checklist: Some(Checklist::Checked(checklist?)),
            extra: Extra::default(),
        };
        let ballot = stage2(&s2);
        (s2.choice, s2.source) = (ballot.choice, ballot.source.to_owned());
        Some(s2)
    }

    fn checklist(&mut self) -> Option<CheckedFeatures> {
        let StageAnswer::Features(prompt) = self.ask(CallId::Decompose, Form::Features)? else { return None };
        let names: Vec<String> = prompt.features.iter().map(|feature| feature.description.clone()).collect();
        let [a, b] = [SideOf::A, SideOf::B].map(|side| self.ask(CallId::Verify(side), Form::Checks(names.clone())));
        let (StageAnswer::Checks(a), StageAnswer::Checks(b)) = (a?, b?) else { return None };
        Some(checked(prompt, a, b))
    }

    fn third(&mut self) -> Option<Stage3> {
        let Some(measure) = self.known.gray else {
            self.looks.push(Look::Gray);
            return None;
        };
        let fired = measure.fires();
        if !fired {
            return Some(Stage3 { fired, choice: None, extra: Extra::default() });
        }
        let pair = self.pair(CallId::Gray)?;
        let apart = (pair.a - pair.b).abs() >= DEPLOYED.gray && !pair.contradicts;
        let lower = if pair.a < pair.b { Choice::A } else { Choice::B };
        Some(Stage3 { fired, choice: apart.then_some(lower), extra: Extra::default() })
    }

    fn fourth(&mut self) -> Option<BothViews> {
        let [a, b] = [SideOf::A, SideOf::B].map(|side| self.around(side));
        Some(BothViews { a: a?, b: b?, extra: Extra::default() })
    }

    fn around(&mut self, side: SideOf) -> Option<SideViews> {
        let verdicts = View::AROUND.map(|view| match self.ask(CallId::Guard(side, view), Form::Verdict) {
            Some(StageAnswer::Verdict(answer)) => Some(answer.verdict),
            _ => None,
        });
        let [right, back, left, top_down]: [Option<SideVerdict>; 4] = verdicts;
        Some(SideViews { right: right?, back: back?, left: left?, top_down: top_down?, extra: Extra::default() })
    }
}

/// Is this an answer of the form?
fn is_of(form: &Form, answer: &StageAnswer) -> bool {
    matches!(
        (form, answer),
        (Form::Penalties, StageAnswer::Penalties(_))
            | (Form::Features, StageAnswer::Features(_))
            | (Form::Checks(_), StageAnswer::Checks(_))
            | (Form::Verdict, StageAnswer::Verdict(_))
            | (Form::Issues, StageAnswer::Issues(_))
    )
}

/// Both sides' checks of the same features.
fn checked(prompt: &FeatureAnswer, a: &CheckAnswer, b: &CheckAnswer) -> CheckedFeatures {
    let of = |checks: &CheckAnswer, name: &str| {
        checks.checks.iter().find(|check| check.feature == name).map(|check| check.found)
    };
    let features = prompt.features.iter().map(|feature| Feature {
        feature: feature.description.clone(),
        side_a: of(a, &feature.description),
        side_b: of(b, &feature.description),
        extra: Extra::default(),
    });
    CheckedFeatures {
        main_object: Some(prompt.main_object.clone()),
        main_object_correct_a: Some(a.main_object_correct),
        main_object_correct_b: Some(b.main_object_correct),
        features: Some(features.collect()),
        score_a: score(a),
        score_b: score(b),
        extra: Extra::default(),
    }
}

/// A side's score.
fn score(checks: &CheckAnswer) -> i64 {
    let (there, in_part) = DEPLOYED.feature;
    let features: i64 = checks
        .checks
        .iter()
        .map(|check| match check.found {
            Match::Yes => there,
            Match::Partial => in_part,
            Match::No => 0,
        })
        .sum();
    features + if checks.main_object_correct { DEPLOYED.main_object } else { 0 }
}

#[cfg(test)]
mod tests;
