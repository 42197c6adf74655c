//! DESIGN 4.5: what a tournament writes: match reports, matrix rows, audit requests, the winner.

use std::collections::HashSet;

use super::match_in_progress::Played;
use super::pairings::{place, sequence};
use super::tournament::{Field, Pair, critical_prompts, replay};
use super::{Plan, Thresholds};
use crate::model::answers::Answers;
use crate::model::file::{FileKind, PlayerFile, RoundFile, answers_name};
use crate::model::ids::{Block, Hotkey, Player, RoundNumber, Seed};
use crate::model::leader::{LeaderEntry, leader_at};
use crate::model::question::QuestionFile;
use crate::model::record::Extra;
use crate::model::require_audit::AuditRequest;
use crate::model::snapshot::{PlayerFiles, RoundFiles, Slot};
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::winner::Winner;

/// What stays constant during a round's tournament.
#[derive(Debug, Clone, Copy)]
pub struct RecordTerms<'a> {
    /// The round.
    pub round: RoundNumber,
    /// Its seed.
    pub seed: Seed,
    /// The margin that a win needs.
    pub win_margin: f64,
    /// The rules' limits.
    pub limits: &'a Thresholds,
    /// What the judge is asked.
    pub question: &'a QuestionFile,
}

impl RecordTerms<'_> {
    /// The field of these files; `None` if the submissions cannot be read.
    #[must_use]
    pub fn field(&self, files: &RoundFiles) -> Option<Field> {
        Field::of(files, self.win_margin, self.limits)
    }
}

/// Why a round's result cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ResultError {
    #[error("rounds/{round}/{right}: the report of the match against {left} is missing")]
    NoReport { round: RoundNumber, right: Player, left: Player },
    #[error("rounds/{0}/schedule.json cannot be read")]
    NoSchedule(RoundNumber),
    #[error("leader.json: no leader at block {0}")]
    NoLeader(Block),
    #[error("{file} names {there}, but by the matches and audits {winner} won")]
    OtherWinner { file: String, there: Player, winner: Player },
    #[error("{0} does not parse")]
    Broken(String),
    #[error("{path}: {hotkey} won, but has no build")]
    NoBuild { path: String, hotkey: Hotkey },
    #[error("{path}: {hotkey} won, but its build has no image")]
    NoImage { path: String, hotkey: Hotkey },
}

/// Records matches, up to and including the first one that calls for an audit, in `files` and as a plan;
/// also returns how many were recorded. Crash order: the question and the answers are written before the reports that
/// rest on them, reports before the matrix that names them, and the audit requests that follow from them last.
///
/// # Errors
/// An audit rests on a match whose report is missing.
pub fn record(
    terms: &RecordTerms<'_>,
    files: &mut RoundFiles,
    matches: &[(Pair, Played)],
) -> Result<(Plan, usize), ResultError> {
    let (mut plan, mut taken) = (Plan::default(), 0);
    let known = files.require_audit.get().map_or(0, Vec::len);
    let mut asked = requests(terms, files)?;
    let mut lines = Vec::new();
    let mut matrix = files.matrix.get().cloned().unwrap_or_default();
    for (pair, played) in matches {
        if asked.len() > known {
            // `verify` judges a request by the files of the commit that added it: later matches wait for the next.
            break;
        }
        taken += 1;
        if let Some((report, answers)) = &played.report {
            plan.writes.extend(publish(terms, files, answers));
            let name = report_name(files, pair);
            let file = |file| FileKind::Player(terms.round, pair.1.clone(), file);
            plan.writes.push(FileWrite::new(file(PlayerFile::Answers(answers_name(&name))), answers));
            plan.writes.push(FileWrite::new(file(PlayerFile::Report(name.clone())), report));
            let own = files.players.entry(pair.1.clone()).or_default();
            own.reports.insert(name, Slot::Ok(report.clone()));
            lines.push(match_line(pair));
        }
        // A row's position may depend on the rows before it.
        let order = terms.field(files).map(|field| sequence(&field)).unwrap_or_default();
        place(&mut matrix, &order, pair, played.margin);
        files.matrix = Slot::Ok(matrix.clone());
        plan.says.push(format!("{} against {}: {:+.4}", pair.1, pair.0, played.margin));
        asked = requests(terms, files)?;
    }
    if taken > 0 {
        plan.writes.push(FileWrite::new(FileKind::Round(terms.round, RoundFile::Matrix), &matrix));
        lines.push(matrix_line(terms.round));
    }
    if asked.len() > known {
        plan.writes.push(FileWrite::new(FileKind::Round(terms.round, RoundFile::RequireAudit), &asked));
        lines.push(requests_line(terms.round));
        files.require_audit = Slot::Ok(asked);
    }
    plan.message = lines.join("\n");
    Ok((plan, taken))
}

/// The commit message line for a match report.
#[must_use]
pub fn match_line(pair: &Pair) -> String {
    format!("Match report: {} vs {}", pair.0.short(), pair.1.short())
}

/// The commit message line for new matrix rows.
#[must_use]
pub fn matrix_line(round: RoundNumber) -> String {
    format!("Update matches matrix for round {round}")
}

/// The commit message line for new audit requests.
#[must_use]
pub fn requests_line(round: RoundNumber) -> String {
    format!("Update audit requests for round {round}")
}

/// The question of a round's first answers, to be written before them.
fn publish(terms: &RecordTerms<'_>, files: &mut RoundFiles, answers: &Answers) -> Option<FileWrite> {
    if !files.question.is_missing() || answers.judged().next().is_none() {
        return None;
    }
    files.question = Slot::Ok(terms.question.clone());
    Some(FileWrite::new(FileKind::Round(terms.round, RoundFile::Question), terms.question))
}

/// The files of a match: the judge's answers, and the report.
#[must_use]
pub fn match_files(round: RoundNumber, files: &RoundFiles, pair: &Pair) -> [FileKind; 2] {
    let name = report_name(files, pair);
    [PlayerFile::Answers(answers_name(&name)), PlayerFile::Report(name)]
        .map(|file| FileKind::Player(round, pair.1.clone(), file))
}

/// The file name of a match's report: the existing one, else the shortest free name with at least ten characters of
/// left.
fn report_name(files: &RoundFiles, (left, right): &Pair) -> String {
    let none = PlayerFiles::default();
    let own = files.players.get(right).unwrap_or(&none);
    if let Some((name, _)) = own.report_against(left) {
        return name.to_owned();
    }
    let text = left.as_str();
    let name = |characters: usize| format!("duels_{}.json", text.get(..characters).unwrap_or(text));
    let others = |name: &String| own.reports.get(name).is_some_and(|slot| slot.get().is_some());
    (left.short().len()..=text.len()).map(name).find(|name| !others(name)).unwrap_or_else(|| name(text.len()))
}

/// `require_audit.json` as it should be now: the recorded entries, then those that the tournament
/// calls for.
fn requests(terms: &RecordTerms<'_>, files: &RoundFiles) -> Result<Vec<AuditRequest>, ResultError> {
    let mut requests = files.require_audit.get().cloned().unwrap_or_default();
    let Some(field) = terms.field(files) else { return Ok(requests) };
    let mut asked: HashSet<Hotkey> = requests.iter().map(|request| request.hotkey.clone()).collect();
    for candidate in replay(&field).candidates {
        if !asked.insert(candidate.hotkey.clone()) {
            continue;
        }
        let right = Player::Miner(candidate.hotkey.clone());
        let margin = field.matrix.margin(&candidate.beaten, &right).unwrap_or_default();
        let critical_prompts = match files.report(terms.round, &candidate.beaten, &right) {
            Some((_, report)) => critical_prompts(report, terms.win_margin, terms.seed, terms.limits),
            // A walkover has no report, hence no critical prompts.
            None if margin >= terms.win_margin + terms.limits.mismatch_margin => Vec::new(),
            None => {
                return Err(ResultError::NoReport { round: terms.round, right, left: candidate.beaten });
            }
        };
        requests.push(AuditRequest { hotkey: candidate.hotkey, critical_prompts, extra: Extra::default() });
    }
    Ok(requests)
}

/// Records the winner and ends the stage. The winning program is the miner's build, or that of the leader in
/// force.
///
/// # Errors
/// The build, image or leader is missing, or another winner is recorded.
pub fn declare_winner(
    terms: &RecordTerms<'_>,
    state: &CompetitionState,
    files: &RoundFiles,
    leaders: &[LeaderEntry],
    winner: &Player,
) -> Result<Plan, ResultError> {
    let round = terms.round;
    let file = FileKind::Round(round, RoundFile::Winner);
    let found = match winner {
        Player::Miner(hotkey) => built(round, files, hotkey)?,
        Player::Leader => {
            let schedule = files.schedule.get();
            let schedule = schedule.ok_or(ResultError::NoSchedule(round))?;
            let block = schedule.latest_reveal_block;
            let leader = leader_at(leaders, block);
            let leader = leader.ok_or(ResultError::NoLeader(block))?.clone();
            Winner::new(Player::Leader, leader.repo, leader.commit, leader.docker)
        }
    };
    let mut writes = Vec::new();
    match &files.winner {
        Slot::Missing => writes.push(FileWrite::new(file, &found)),
        // A run was cut short after this write: only the stage is left to move.
        Slot::Ok(there) if there.player() == winner => {}
        Slot::Ok(there) => {
            let (there, winner) = (there.player().clone(), winner.clone());
            return Err(ResultError::OtherWinner { file: file.path(), there, winner });
        }
        Slot::Broken => return Err(ResultError::Broken(file.path())),
    }
    writes.push(FileWrite::new(FileKind::State, &state.moved(Stage::Finalizing, None)));
    let message =
        format!("Round {round} winner: {}\nUpdate state ({}) for round {round}", winner.short(), Stage::Finalizing);
    Ok(Plan { writes, message, says: vec![format!("round {round}: {winner} wins")] })
}

fn built(round: RoundNumber, files: &RoundFiles, hotkey: &Hotkey) -> Result<Winner, ResultError> {
    let path = FileKind::Round(round, RoundFile::Builds).path();
    let build = files.builds.get().and_then(|builds| builds.get(hotkey));
    let build = build.ok_or_else(|| ResultError::NoBuild { path: path.clone(), hotkey: hotkey.clone() })?.clone();
    let image = build.docker_image.ok_or_else(|| ResultError::NoImage { path, hotkey: hotkey.clone() })?;
    Ok(Winner::new(Player::Miner(hotkey.clone()), build.repo, build.commit, image))
}
