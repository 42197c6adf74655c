//! Every match of a competition with how sure its result is, and every round with how its judge behaved.

use rayon::prelude::*;
use serde::Serialize;

use super::orders::{Bias, BothOrders, Orders};
use super::{Certainty, Tally};
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::ids::RoundNumber;
use crate::model::report::{Duel, DuelWinner};
use crate::model::snapshot::Snapshot;
use crate::model::splat::duels::SplatDuel;
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::threejs::answers::StagedAnswers;
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::detail::{Stage1, Told};
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::checks::in_force::InForce;
use crate::rules::{duel, splat};

/// How sure a competition's results are.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sureness {
    /// Every match with duels, by round, challenger and report.
    pub matches: Vec<SureMatch>,
    /// Every round with judged duels.
    pub rounds: Vec<JudgedRound>,
}

/// A match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SureMatch {
    /// The round.
    pub round: RoundNumber,
    /// Its report.
    pub file: String,
    /// The defender.
    pub left: String,
    /// The challenger.
    pub right: String,
    /// How the duels ended.
    pub duels: Tally,
    /// The margin that follows from them.
    pub margin: f64,
    /// The margin that the challenger needed.
    pub win_margin: f64,
    /// How sure this is.
    #[serde(flatten)]
    pub certainty: Certainty,
    /// How often the two orders contradict each other; `None` where they are not recorded.
    pub orders: Option<Orders>,
}

/// The judge in one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedRound {
    /// The round.
    pub round: RoundNumber,
    /// Duels that a judge decided.
    pub judged: usize,
    /// Of these, those that were draws.
    pub draws: usize,
    /// How often the two orders contradict each other; `None` where they are not recorded.
    pub orders: Option<Orders>,
    /// The preference for a place; `None` where both orders' penalties are not recorded.
    pub bias: Option<Bias>,
}

/// What one match contributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    round: RoundNumber,
    file: String,
    left: String,
    right: String,
    /// How each duel ended, and whether a judge decided it.
    duels: Vec<(DuelWinner, bool)>,
    orders: Option<Orders>,
    answers: Vec<BothOrders>,
    win_margin: Option<f64>,
}

impl Match {
    fn tally(&self) -> Tally {
        self.duels.iter().map(|(winner, _)| *winner).collect()
    }

    fn sure(&self) -> Option<SureMatch> {
        let (win_margin, duels) = (self.win_margin?, self.tally());
        Some(SureMatch {
            round: self.round,
            file: self.file.clone(),
            left: self.left.clone(),
            right: self.right.clone(),
            duels,
            margin: duels.margin(),
            win_margin,
            certainty: Certainty::of(duels, win_margin)?,
            orders: self.orders,
        })
    }
}

impl Sureness {
    /// Of these matches, which are sorted by round.
    #[must_use]
    pub fn of(matches: &[Match]) -> Sureness {
        let rounds = matches.chunk_by(|a, b| a.round == b.round).filter_map(judged_round).collect();
        Sureness { matches: matches.par_iter().filter_map(Match::sure).collect(), rounds }
    }
}

/// The judge in the round of these matches; `None` if it decided no duel.
#[must_use]
pub fn judged_round(matches: &[Match]) -> Option<JudgedRound> {
    let round = matches.first()?.round;
    let judged = || matches.iter().flat_map(|one| &one.duels).filter(|(_, judged)| *judged);
    let answers: Vec<BothOrders> = matches.iter().flat_map(|one| one.answers.iter().copied()).collect();
    let found = JudgedRound {
        round,
        judged: judged().count(),
        draws: judged().filter(|(winner, _)| *winner == DuelWinner::Draw).count(),
        orders: matches.iter().filter_map(|one| one.orders).reduce(Orders::and),
        bias: Bias::of(&answers),
    };
    (found.judged > 0).then_some(found)
}

fn wanted<T>(round: RoundNumber, only: Option<RoundNumber>, files: T) -> Option<T> {
    only.is_none_or(|only| only == round).then_some(files)
}

/// The matches of a competition of meshes, of all rounds or of one.
#[must_use]
pub fn of_meshes(snapshot: &Snapshot, rules: &InForce, only: Option<RoundNumber>) -> Vec<Match> {
    let mut matches = Vec::new();
    for (round, files) in &snapshot.rounds {
        for (player, own) in wanted(*round, only, &files.players).into_iter().flatten() {
            for (name, report) in own.reports.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
                let file = FileKind::Player(*round, player.clone(), PlayerFile::Report(name.clone()));
                let win_margin = rules.terms(file.clone(), None).settings.map(|settings| settings.win_margin);
                let answers: Option<Vec<BothOrders>> =
                    own.answers_beside(name).get().map(|answers| answers.judged().map(BothOrders::from).collect());
                matches.push(Match {
                    round: *round,
                    file: file.path(),
                    left: report.left.to_string(),
                    right: player.to_string(),
                    duels: report.duels.iter().map(|duel| (duel.winner, mesh_judged(duel))).collect(),
                    orders: answers.as_ref().map(|answers| Orders::of(answers.iter().copied())),
                    answers: answers.unwrap_or_default(),
                    win_margin,
                });
            }
        }
    }
    matches
}

/// The margin needed in a round of a format whose matches are judged by the commit that wrote the round's winner.
fn win_margin(rules: &InForce, round: RoundNumber) -> Option<f64> {
    let terms = rules.terms(FileKind::Round(round, RoundFile::Winner), None);
    terms.settings.map(|settings| settings.win_margin)
}

/// The matches of a competition of splats.
#[must_use]
pub fn of_splats(snapshot: &SplatSnapshot, rules: &InForce, only: Option<RoundNumber>) -> Vec<Match> {
    let mut matches = Vec::new();
    for (round, files) in &snapshot.rounds {
        let players = wanted(*round, only, &files.players).into_iter().flatten();
        for (player, report) in players.filter_map(|(player, own)| Some((player, own.duels.get()?))) {
            matches.push(Match {
                round: *round,
                file: format!("rounds/{round}/{player}/duels.json"),
                left: report.leader.to_string(),
                right: player.to_string(),
                duels: report.duels.iter().map(|duel| (duel.winner.into(), splat_judged(duel))).collect(),
                orders: None,
                answers: Vec::new(),
                win_margin: win_margin(rules, *round),
            });
        }
    }
    matches
}

/// The matches of a competition of three.js modules against holders of the lead. Audit duels are decided by other rules.
#[must_use]
pub fn of_threejs(snapshot: &ThreejsSnapshot, rules: &InForce, only: Option<RoundNumber>) -> Vec<Match> {
    let mut matches = Vec::new();
    for (round, files) in &snapshot.rounds {
        for (player, own) in wanted(*round, only, &files.players).into_iter().flatten() {
            for (name, report) in own.duels.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
                let Opponent::Holder(left) = &report.left else { continue };
                matches.push(Match {
                    round: *round,
                    file: format!("rounds/{round}/{player}/{name}"),
                    left: left.to_string(),
                    right: player.to_string(),
                    duels: report.duels.iter().map(|duel| (duel.winner, stage1(duel).is_some())).collect(),
                    orders: angles_of(report),
                    answers: first_stages(own.answers_beside(name).get()),
                    win_margin: win_margin(rules, *round),
                });
            }
        }
    }
    matches
}

/// The angles of the first stages, where the answers are recorded.
fn first_stages(answers: Option<&StagedAnswers>) -> Vec<BothOrders> {
    answers.into_iter().flat_map(|of| of.judged().flat_map(BothOrders::of_first_stage)).collect()
}

/// Did a judge decide this duel?
#[must_use]
pub fn mesh_judged(duel: &Duel) -> bool {
    let shown = duel.left_png.is_some() && duel.right_png.is_some() && duel.winner != DuelWinner::Skipped;
    shown && !duel::claims_no_judge(&duel.issues) && duel.issues != duel::INTERNAL_ERROR
}

/// Did a judge decide this duel of splats? Since round 1, generations can be over time, as those of meshes.
#[must_use]
pub fn splat_judged(of: &SplatDuel) -> bool {
    let shown = of.leader_png.is_some() && of.miner_png.is_some() && DuelWinner::from(of.winner) != DuelWinner::Skipped;
    let unjudged = duel::claims_no_judge(&of.issues) || splat::duel::claims_no_judge(&of.issues);
    shown && !unjudged && of.issues != splat::duel::INTERNAL_ERROR
}

/// The first stage of a duel that a judge decided.
fn stage1(duel: &StagedDuel) -> Option<&Stage1> {
    match duel.detail.as_ref()?.told() {
        Told::Judged(stages) => Some(stages.s1),
        Told::Unjudged(_) => None,
    }
}

/// The angles of a match's first stages.
#[must_use]
pub fn angles_of(report: &StagedMatch) -> Option<Orders> {
    report.duels.iter().filter_map(stage1).map(angles).reduce(Orders::and)
}

/// The angles of a first stage, each of which was judged in both orders, and how many contradict themselves.
fn angles(stage: &Stage1) -> Orders {
    let compared = stage.n_total as usize;
    Orders { compared, contradicting: compared.saturating_sub(stage.n_consistent as usize) }
}
