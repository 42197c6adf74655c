//! DESIGN 4.5: the tournament, replayed from the known margins and audits.

use std::collections::BTreeSet;

use super::Thresholds;
use super::python_random::PythonRandom;
use crate::model::format::Course;
use crate::model::generation_audits::{AuditOutcome, GenerationAudits};
use crate::model::ids::{Hotkey, Player, PromptStem, Seed};
use crate::model::matrix::Matrix;
use crate::model::report::{DuelWinner, MatchReport};
use crate::model::snapshot::RoundFiles;
use crate::model::source_audit::{SourceAudit, SourceVerdict};
use crate::model::submissions::Submissions;

/// A match: left defends, right challenges.
pub type Pair = (Player, Player);

/// Which miners may win, by the audits so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditStanding {
    /// Rejected by an audit, or disqualified by a source audit.
    pub rejected: BTreeSet<Hotkey>,
    /// Passed every audit that a win needs.
    pub passed: BTreeSet<Hotkey>,
}

impl AuditStanding {
    /// The standing after these audits.
    #[must_use]
    pub fn of(audits: Option<&GenerationAudits>, sources: Option<&[SourceAudit]>, limits: &Thresholds) -> Self {
        let with = |outcome| {
            let audits = audits.into_iter().flat_map(|audits| audits.iter());
            audits.filter(move |(_, audit)| audit.outcome == outcome).map(|(hotkey, _)| hotkey.clone())
        };
        let read = |verdict| {
            let sources = sources.into_iter().flatten();
            sources.filter(move |source| source.verdict == verdict).map(|source| source.hotkey.clone())
        };
        let rejected: BTreeSet<_> = with(AuditOutcome::Rejected).chain(read(SourceVerdict::Failed)).collect();
        let source_passed: BTreeSet<_> = read(SourceVerdict::Passed).collect();
        let passed = with(AuditOutcome::Passed)
            .filter(|hotkey| !rejected.contains(hotkey))
            .filter(|hotkey| !limits.require_source_audit || source_passed.contains(hotkey))
            .collect();
        AuditStanding { rejected, passed }
    }
}

/// The input of a replay.
#[derive(Debug, Clone)]
pub struct Field {
    /// The miners in playing order: see [`order`].
    pub order: Vec<Hotkey>,
    /// The margin that a win needs.
    pub win_margin: f64,
    /// The known margins.
    pub matrix: Matrix,
    /// The known audits.
    pub standing: AuditStanding,
}

impl Field {
    /// The field of a round; `None` if its submissions cannot be read, or its matches take another course.
    #[must_use]
    pub fn of(files: &RoundFiles, win_margin: f64, limits: &Thresholds) -> Option<Field> {
        if files.format.course() != Course::Timeline {
            return None;
        }
        let sources = files.source_audit.get().map(Vec::as_slice);
        Some(Field {
            order: order(files.submissions.get()?),
            win_margin,
            matrix: files.matrix.get().cloned().unwrap_or_default(),
            standing: AuditStanding::of(files.generation_audits.get(), sources, limits),
        })
    }
}

/// The miners in playing order: by `revealed_at_block`, then by position in the file.
#[must_use]
pub fn order(submissions: &Submissions) -> Vec<Hotkey> {
    let mut miners: Vec<_> = submissions.iter().collect();
    miners.sort_by_key(|(_, submission)| submission.revealed_at_block);
    miners.into_iter().map(|(hotkey, _)| hotkey.clone()).collect()
}

/// A match of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineMatch {
    /// Who held the lead.
    pub holder: Player,
    /// Who challenged.
    pub challenger: Hotkey,
    /// The margin.
    pub margin: f64,
    /// Did the challenger take the lead?
    pub taken: bool,
}

/// A miner to be audited because of a match it won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The miner.
    pub hotkey: Hotkey,
    /// The player it beat in that match.
    pub beaten: Player,
}

/// Where a tournament stands.
#[derive(Debug, Clone, PartialEq)]
pub enum TournamentOutcome {
    /// Decided.
    Winner(Player),
    /// These matches (left, right) have to be played first.
    Matches(Vec<Pair>),
    /// The timeline is finished, but these holders have not passed their audits yet.
    Audits(Vec<Hotkey>),
}

/// A tournament replayed as far as the known margins allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The miners that beat `leader` by the margin, in order.
    pub qualified: Vec<Hotkey>,
    /// The timeline's matches, in order.
    pub timeline: Vec<TimelineMatch>,
    /// The miners to audit, in the order in which this became known.
    pub candidates: Vec<Candidate>,
    /// Where it stands.
    pub outcome: TournamentOutcome,
}

/// Replays a tournament: qualification, timeline, audits. Rejected miners are left out from the
/// start, which amounts to restarting the timeline without them.
#[must_use]
pub fn replay(field: &Field) -> Replay {
    let (qualified, missing) = qualify(field);
    let mut replay = Replay {
        qualified,
        timeline: Vec::new(),
        candidates: Vec::new(),
        outcome: TournamentOutcome::Winner(Player::Leader),
    };
    if !missing.is_empty() {
        // The first qualified may be certain already: its audit need not wait for the other matches.
        replay.candidates.extend(first_qualified(field));
        let needed = missing.into_iter().map(|miner| (Player::Leader, Player::Miner(miner)));
        replay.outcome = TournamentOutcome::Matches(needed.collect());
        return replay;
    }
    let mut holder = Player::Leader;
    for challenger in &replay.qualified {
        let right = Player::Miner(challenger.clone());
        let Some(margin) = field.matrix.margin(&holder, &right) else {
            replay.outcome = TournamentOutcome::Matches(vec![(holder, right)]);
            return replay;
        };
        let taken = margin >= field.win_margin;
        let step = TimelineMatch { holder: holder.clone(), challenger: challenger.clone(), margin, taken };
        replay.timeline.push(step);
        if taken {
            replay.candidates.push(Candidate { hotkey: challenger.clone(), beaten: holder });
            holder = right;
        }
    }
    let holders = replay.candidates.iter().map(|candidate| &candidate.hotkey);
    let open: Vec<_> = holders.filter(|hotkey| !field.standing.passed.contains(*hotkey)).cloned().collect();
    replay.outcome = if open.is_empty() { TournamentOutcome::Winner(holder) } else { TournamentOutcome::Audits(open) };
    replay
}

/// The qualified so far, and those whose match against `leader` is missing.
fn qualify(field: &Field) -> (Vec<Hotkey>, Vec<Hotkey>) {
    let (mut qualified, mut missing) = (Vec::new(), Vec::new());
    for miner in field.order.iter().filter(|miner| !field.standing.rejected.contains(*miner)) {
        match field.matrix.margin(&Player::Leader, &Player::Miner(miner.clone())) {
            Some(margin) if margin >= field.win_margin => qualified.push(miner.clone()),
            Some(_) => {}
            None => missing.push(miner.clone()),
        }
    }
    (qualified, missing)
}

/// The first qualified miner, if every miner before it is known not to have qualified.
fn first_qualified(field: &Field) -> Option<Candidate> {
    for miner in field.order.iter().filter(|miner| !field.standing.rejected.contains(*miner)) {
        let margin = field.matrix.margin(&Player::Leader, &Player::Miner(miner.clone()))?;
        if margin >= field.win_margin {
            return Some(Candidate { hotkey: miner.clone(), beaten: Player::Leader });
        }
    }
    None
}

/// The missing matches among the qualified, in order: each miner against all later ones. They are
/// played while audits are pending, so that a restarted timeline need not wait.
#[must_use]
pub fn exploratory(field: &Field, qualified: &[Hotkey]) -> Vec<Pair> {
    let mut missing = Vec::new();
    for (at, left) in qualified.iter().enumerate() {
        for right in qualified.iter().skip(at + 1) {
            let pair = (Player::Miner(left.clone()), Player::Miner(right.clone()));
            if field.matrix.margin(&pair.0, &pair.1).is_none() {
                missing.push(pair);
            }
        }
    }
    missing
}

/// The critical prompts of an audit that rests on this match (DESIGN 4.5): none if the margin is so
/// large that the tolerated mismatches cannot overturn it; else all prompts that right won, or
/// max(1, ceil(duels x `win_margin`)) of them drawn from the seed if there are more.
#[must_use]
pub fn critical_prompts(report: &MatchReport, win_margin: f64, seed: Seed, limits: &Thresholds) -> Vec<PromptStem> {
    if report.margin >= win_margin + limits.mismatch_margin {
        return Vec::new();
    }
    let won = report.duels.iter().filter(|duel| duel.winner == DuelWinner::Right);
    let won: Vec<_> = won.map(|duel| duel.name.clone()).collect();
    PythonRandom::new(u64::from(seed.0)).sample(&won, critical_count(report.duels.len(), win_margin))
}

/// max(1, ceil(duels x `win_margin`)).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small counts")]
fn critical_count(duels: usize, win_margin: f64) -> usize {
    ((duels as f64 * win_margin).ceil().max(1.0)) as usize
}
