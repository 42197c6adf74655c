//! What a round of duels writes: reports, rows, requests, verdicts, the winner.

use super::audit_duels::place;
use super::chain::{Chain, ChainFacts, by_miner, derive, order, repeats_of};
use super::course::{Next, Unit, next};
use super::leader::leader_at;
use super::opening::leader_holds;
use super::requests::requests;
use super::verdicts::verdicts;
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::record::Extra;
use crate::model::snapshot::Slot;
use crate::model::source_audit::SourceAudit;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::threejs::answers::StagedAnswers;
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::audits::{DuelAuditRequest, DuelAuditVerdict};
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::file::{RoundWords, ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile, answers_name};
use crate::model::threejs::programs::{ThreejsLeader, ThreejsWinner};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::Plan;

/// What stays the same during a round of duels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// The round.
    pub round: RoundNumber,
    /// The margin that a win needs.
    pub win_margin: f64,
    /// How often a winner's program is run again.
    pub repeats: u32,
}

/// A result to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The margin of right against left.
    pub margin: f64,
    /// What is reported; `None` of a match that was not played.
    pub report: Option<Reported>,
}

/// A match that was played.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// Duels won by right less duels won by left.
    pub score: i64,
    /// The duels.
    pub duels: Vec<StagedDuel>,
    /// What the judge answered, duel by duel.
    pub answers: StagedAnswers,
}

/// Why a round's result cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ResultError {
    #[error("rounds/{0}/submissions.json cannot be read")]
    NoSubmissions(RoundNumber),
    #[error("rounds/{0}/schedule.json cannot be read")]
    NoSchedule(RoundNumber),
    #[error("leader.json: no leader at block {0}")]
    NoLeader(Block),
    #[error("{path} names {there}, but by the matches and audits {winner} won")]
    OtherWinner { path: String, there: Player, winner: Player },
    #[error("{0} does not parse")]
    Broken(String),
    #[error("rounds/{round}/builds.json: {hotkey} won, but has no image")]
    NoImage { round: RoundNumber, hotkey: Hotkey },
}

impl Terms {
    /// Derives the chain from the files, and looks at it.
    ///
    /// # Errors
    /// There are no submissions.
    pub fn look<T>(
        &self,
        files: &ThreejsRound,
        look: impl FnOnce(&Chain<'_>, &ChainFacts<'_, '_>) -> T,
    ) -> Result<T, ResultError> {
        let submissions = files.submissions.get().ok_or(ResultError::NoSubmissions(self.round))?;
        let order = order(submissions);
        let (matrix, audits, reports) = Default::default();
        let sources: &[SourceAudit] = files.source_audit.get().map_or(&[], |sources| sources.as_slice());
        let facts = ChainFacts {
            order: &order,
            win_margin: self.win_margin,
            repeats: repeats_of(files, self.repeats),
            matrix: files.matrix.get().unwrap_or(&matrix),
            audits: files.audit_matrix.get().unwrap_or(&audits),
            reports: files.generation_reports.get().unwrap_or(&reports),
            sources: &by_miner(sources),
        };
        Ok(look(&derive(&facts), &facts))
    }

    /// What comes next.
    ///
    /// # Errors
    /// There are no submissions.
    pub fn next(&self, files: &ThreejsRound) -> Result<Next, ResultError> {
        let requests = files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
        self.look(files, |chain, facts| next(chain, facts, requests))
    }
}

/// Records a result in `files` and as a plan, with the requests and verdicts that follow from it. In this order: the
/// question and the answers are there before the report that rests on them, a report before the row that names it, and
/// all of them before what follows from them.
///
/// # Errors
/// There are no submissions.
pub fn record(
    terms: &Terms,
    files: &mut ThreejsRound,
    unit: &Unit,
    outcome: &Outcome,
    question: &RoundWords,
) -> Result<Plan, ResultError> {
    let mut plan = Plan::default();
    let mut lines = Vec::new();
    if let Some(Reported { score, duels, answers }) = &outcome.report {
        plan.writes.extend(publish(terms.round, files, question, answers));
        plan.writes.push(FileWrite::new(answers_file(terms.round, unit), answers));
        let report = report(unit, *score, outcome.margin, duels);
        plan.writes.push(FileWrite::new(report_file(terms.round, unit), &report));
        lines.push(report_line(unit));
        keep_report(files, unit, report);
    }
    let says = match unit {
        Unit::Match(left, right) => {
            let mut matrix = files.matrix.get().cloned().unwrap_or_default();
            matrix.0.insert((left.clone(), Player::Miner(right.clone())), outcome.margin);
            plan.writes.push(FileWrite::new(ThreejsFile::Round(terms.round, ThreejsRoundFile::Matrix), &matrix));
            lines.push(format!("Update matches matrix for round {}", terms.round));
            files.matrix = Slot::Ok(matrix);
            format!("{right} against {left}: {:+.4}", outcome.margin)
        }
        Unit::Audit(duel) => {
            let mut matrix = files.audit_matrix.get().cloned().unwrap_or_default();
            let requests = files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
            place(&mut matrix, requests, duel, outcome.margin);
            plan.writes.push(FileWrite::new(ThreejsFile::Round(terms.round, ThreejsRoundFile::AuditMatrix), &matrix));
            lines.push(format!("Update audit matrix for round {}", terms.round));
            files.audit_matrix = Slot::Ok(matrix);
            let (right, repeat) = (&duel.right, duel.repeat);
            format!("repeat {repeat} of {right} against {}: {:+.4}", duel.opponent, outcome.margin)
        }
    };
    plan.says.push(says);
    plan.message = lines.join("\n");
    let follows = follow(terms, files)?;
    join(&mut plan, follows);
    Ok(plan)
}

/// Brings requests and verdicts up to what the files say. A request's miner may have been rejected, or beaten by another,
/// since the last run.
///
/// # Errors
/// There are no submissions.
pub fn follow(terms: &Terms, files: &mut ThreejsRound) -> Result<Plan, ResultError> {
    let recorded = files.require_audit.get().cloned().unwrap_or_default();
    let (requested, judged) = terms.look(files, |chain, _| {
        let requested = requests(chain, &recorded);
        let judged = verdicts(chain, &requested, files.generation_audits.get());
        (requested, judged)
    })?;
    let mut plan = Plan::default();
    let mut lines = Vec::new();
    if requested != recorded {
        plan.writes.push(FileWrite::new(ThreejsFile::Round(terms.round, ThreejsRoundFile::RequireAudit), &requested));
        plan.says.extend(new_requests(&recorded, &requested));
        lines.push(format!("Update audit requests for round {}", terms.round));
        files.require_audit = Slot::Ok(requested);
    }
    let known = files.generation_audits.get();
    if known.map_or(!judged.is_empty(), |known| *known != judged) {
        let file = ThreejsFile::Round(terms.round, ThreejsRoundFile::GenerationAudits);
        plan.writes.push(FileWrite::new(file, &judged));
        let is_new = |(hotkey, verdict): &(&Hotkey, &DuelAuditVerdict)| {
            known.and_then(|known| known.get(*hotkey)).is_none_or(|known| known != *verdict)
        };
        for (hotkey, verdict) in judged.iter().filter(is_new) {
            plan.says.push(match verdict.reason.as_str() {
                "" => format!("{hotkey} is verified"),
                reason => format!("{hotkey} is rejected: {reason}"),
            });
        }
        lines.push(format!("Update generation audits for round {}", terms.round));
        files.generation_audits = Slot::Ok(judged);
    }
    plan.message = lines.join("\n");
    Ok(plan)
}

fn new_requests(before: &[DuelAuditRequest], now: &[DuelAuditRequest]) -> Vec<String> {
    let is_new = |request: &&DuelAuditRequest| !before.contains(*request);
    let line = |request: &DuelAuditRequest| match &request.latest_defender {
        Some(defender) => format!("{} has to be audited: it beat {defender}", request.hotkey),
        None => format!("{} has to be audited", request.hotkey),
    };
    now.iter().filter(is_new).map(line).collect()
}

fn join(plan: &mut Plan, more: Plan) {
    plan.writes.extend(more.writes);
    plan.says.extend(more.says);
    if !more.message.is_empty() {
        plan.message = format!("{}\n{}", plan.message, more.message);
    }
}

/// The question of a round's first answers, to be written before them.
fn publish(
    round: RoundNumber,
    files: &mut ThreejsRound,
    question: &RoundWords,
    answers: &StagedAnswers,
) -> Option<FileWrite> {
    if !files.question.is_missing() || answers.judged().next().is_none() {
        return None;
    }
    files.question = Slot::Ok(Box::new(question.clone()));
    Some(FileWrite::new(ThreejsFile::Round(round, ThreejsRoundFile::Question), question))
}

fn report(unit: &Unit, score: i64, margin: f64, duels: &[StagedDuel]) -> StagedMatch {
    let left = match unit {
        Unit::Match(left, _) => Opponent::Holder(left.clone()),
        Unit::Audit(duel) => duel.opponent.clone(),
    };
    let right = unit.right().clone();
    StagedMatch { left, right, score, margin, duels: duels.to_vec(), extra: Extra::default() }
}

fn short(opponent: &Opponent) -> &str {
    match opponent {
        Opponent::Submitted => "submitted",
        Opponent::Holder(player) => player.short(),
    }
}

/// The name of a match's report.
fn report_name(unit: &Unit) -> String {
    match unit {
        Unit::Match(left, _) => format!("duels_{}.json", left.short()),
        Unit::Audit(duel) => format!("audit_{}_{}.json", short(&duel.opponent), duel.repeat),
    }
}

/// The file of a match's report.
#[must_use]
pub fn report_file(round: RoundNumber, unit: &Unit) -> ThreejsFile {
    let file = match unit {
        Unit::Match(..) => ThreejsPlayerFile::Duels(report_name(unit)),
        Unit::Audit(_) => ThreejsPlayerFile::Audit(report_name(unit)),
    };
    ThreejsFile::Player(round, Player::Miner(unit.right().clone()), file)
}

/// The file of the judge's answers in a match.
#[must_use]
pub fn answers_file(round: RoundNumber, unit: &Unit) -> ThreejsFile {
    let file = ThreejsPlayerFile::Answers(answers_name(&report_name(unit)));
    ThreejsFile::Player(round, Player::Miner(unit.right().clone()), file)
}

/// The line of a commit's message for a match's report.
#[must_use]
pub fn report_line(unit: &Unit) -> String {
    let right: &str = unit.right().as_str();
    let right = right.get(..10).unwrap_or(right);
    match unit {
        Unit::Match(left, _) => format!("Match report: {} vs {right}", left.short()),
        Unit::Audit(duel) => format!("Audit report: {} vs {right}", short(&duel.opponent)),
    }
}

fn keep_report(files: &mut ThreejsRound, unit: &Unit, report: StagedMatch) {
    let own = files.players.entry(Player::Miner(unit.right().clone())).or_default();
    match report_file(RoundNumber(0), unit) {
        ThreejsFile::Player(_, _, ThreejsPlayerFile::Duels(name)) => own.duels.insert(name, Slot::Ok(report)),
        ThreejsFile::Player(_, _, ThreejsPlayerFile::Audit(name)) => own.audits.insert(name, Slot::Ok(report)),
        _ => None,
    };
}

/// Records the winner and ends the stage. The winning program is the miner's build, or that of the leader in force.
///
/// # Errors
/// The image or the leader is missing, or another winner is recorded.
pub fn declare_winner(
    terms: &Terms,
    state: &CompetitionState,
    files: &ThreejsRound,
    leaders: &[ThreejsLeader],
    winner: &Player,
) -> Result<Plan, ResultError> {
    let round = terms.round;
    let file = ThreejsFile::Round(round, ThreejsRoundFile::Winner);
    let found = match winner {
        Player::Miner(hotkey) => built(round, files, hotkey)?,
        Player::Leader => {
            let block = files.schedule.get().ok_or(ResultError::NoSchedule(round))?.latest_reveal_block;
            leader_holds(leader_at(leaders, block).ok_or(ResultError::NoLeader(block))?)
        }
    };
    let mut writes = Vec::new();
    match &files.winner {
        Slot::Missing => writes.push(FileWrite::new(file, &found)),
        // A run was cut short after this write: only the stage is left to move.
        Slot::Ok(there) if there.winner_hotkey == *winner => {}
        Slot::Ok(there) => {
            let (there, winner) = (there.winner_hotkey.clone(), winner.clone());
            return Err(ResultError::OtherWinner { path: file.path(), there, winner });
        }
        Slot::Broken => return Err(ResultError::Broken(file.path())),
    }
    writes.push(FileWrite::new(ThreejsFile::State, &state.moved(Stage::Finalizing, None)));
    let message =
        format!("Round {round} winner: {}\nUpdate state ({}) for round {round}", winner.short(), Stage::Finalizing);
    Ok(Plan { writes, message, says: vec![format!("round {round}: {winner} wins")] })
}

fn built(round: RoundNumber, files: &ThreejsRound, hotkey: &Hotkey) -> Result<ThreejsWinner, ResultError> {
    let build = files.builds.get().and_then(|builds| builds.get(hotkey));
    let image = build.and_then(|build| build.docker_image.clone());
    let (Some(build), Some(docker_image)) = (build, image) else {
        return Err(ResultError::NoImage { round, hotkey: hotkey.clone() });
    };
    Ok(ThreejsWinner {
        winner_hotkey: Player::Miner(hotkey.clone()),
        repo: build.repo.clone(),
        commit: build.commit.clone(),
        docker_image,
        hardware: build.hardware.clone(),
        extra: Extra::default(),
    })
}

#[cfg(test)]
mod tests;
