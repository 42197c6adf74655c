//! DESIGN section 3: the stage machine, what is due, and the stage that a round's files show.
//!
//! ```text
//! FINALIZING -> OPEN -> MINER_GENERATION -> DOWNLOADING -> DUELS -> FINALIZING
//!      \-> FINISHED            (PAUSED from and to any stage, by hand)
//! ```

use super::stage_table::{commands, row};
use super::{Plan, Thresholds, waits};
use crate::base::text::counted;
use crate::model::file::FileKind;
use crate::model::ids::{Block, Hotkey};
use crate::model::schedule::Schedule;
use crate::model::snapshot::{RoundFiles, Slot};
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;

/// Is this change of `state.json` an arrow of the stage machine? The round goes up by one exactly when
/// the next one is opened (a pause may lie between), and never otherwise.
#[must_use]
pub fn is_arrow(before: &CompetitionState, after: &CompetitionState) -> bool {
    let (from, to) = (before.stage, after.stage);
    let same_round = before.current_round == after.current_round;
    let next_round = before.current_round.next() == after.current_round;
    match (from, to) {
        _ if from == to => same_round,
        (Stage::Finalizing, Stage::Open) => next_round,
        (Stage::Finalizing, Stage::Paused) | (Stage::Paused, Stage::Open) => same_round || next_round,
        (Stage::Paused, _) | (_, Stage::Paused) => same_round,
        _ => same_round && row(from).arrows.contains(&to),
    }
}

/// Something that can be done about a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// This command is due now.
    Now {
        /// Its name.
        command: &'static str,
        /// What it will do.
        what: String,
    },
    /// This command may be run, and does as much as is possible so far.
    Possible {
        /// Its name.
        command: &'static str,
        /// What it will do.
        what: String,
    },
    /// This command can only wait.
    Waits {
        /// Its name.
        command: &'static str,
        /// What it waits for.
        what: String,
    },
    /// This command is due from this block on.
    From {
        /// Its name.
        command: &'static str,
        /// The first block at which it is due.
        block: Block,
    },
    /// Nothing will be due: the competition is over, paused, or lacks its schedule.
    Never(String),
}

/// The facts that decide what is due.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The competition's state.
    pub state: &'a CompetitionState,
    /// The current round's files.
    pub files: &'a RoundFiles,
    /// The chain's block, if known.
    pub block: Option<Block>,
    /// The margin that a win needs.
    pub win_margin: f64,
    /// The rules' limits.
    pub limits: Thresholds,
}

/// What a round's files say of the work in its stages, in any format.
pub trait RoundWork {
    /// The round's schedule.
    fn schedule(&self) -> Option<&Schedule>;
    /// Does each submission have a build whose status is final?
    fn all_built(&self) -> bool;
    /// Do the leader's outputs cover every prompt?
    fn has_baseline(&self) -> bool;
    /// What `duel` waits for; `None` if it has work to do.
    fn duel_waits(&self) -> Option<String>;
    /// The miners whose audit can run now, and what the other requests wait for.
    fn audits(&self) -> (Vec<Hotkey>, Vec<String>);
}

impl RoundWork for Facts<'_> {
    fn schedule(&self) -> Option<&Schedule> {
        self.files.schedule.get()
    }
    fn all_built(&self) -> bool {
        waits::all_built(self.files)
    }
    fn has_baseline(&self) -> bool {
        waits::has_baseline(self.files)
    }
    fn duel_waits(&self) -> Option<String> {
        waits::duel(self.files, self.win_margin, &self.limits)
    }
    fn audits(&self) -> (Vec<Hotkey>, Vec<String>) {
        waits::audits(self.files)
    }
}

/// What is due, in the order in which it should be done.
#[must_use]
pub fn due(facts: &Facts<'_>) -> Vec<Due> {
    due_in(facts.state, facts.block, facts)
}

/// As [`due`], for a round of any format; `block` is the chain's block, if known.
#[must_use]
pub fn due_in(state: &CompetitionState, block: Option<Block>, work: &impl RoundWork) -> Vec<Due> {
    let limit = work.schedule().and_then(|schedule| row(state.stage).end.block(schedule));
    let reached = |limit: Option<Block>| Some(block? >= limit?);
    match state.stage {
        Stage::Open => match (reached(limit), limit) {
            (Some(true), _) => vec![now("reveal-seed", "draw the seed, fix the submissions, choose the prompts")],
            (_, Some(block)) => vec![
                possible("open", "record the submissions revealed so far"),
                Due::From { command: "reveal-seed", block },
            ],
            (_, None) => vec![Due::Never("the round has no schedule.json".to_owned())],
        },
        Stage::MinerGeneration => {
            let mut due = unfinished(work);
            match (reached(limit), limit) {
                (Some(true), _) => due.insert(0, now("download", "fetch the miners' files")),
                (_, Some(block)) => due.push(Due::From { command: "download", block }),
                (_, None) => due.push(Due::Never("the round has no schedule.json".to_owned())),
            }
            due
        }
        Stage::Downloading => {
            let mut due = vec![now("download", "fetch what is still missing")];
            due.extend(unfinished(work));
            due
        }
        Stage::Duels => {
            let mut due = unfinished(work);
            due.push(match work.duel_waits() {
                Some(what) => Due::Waits { command: "duel", what },
                None => now("duel", "play the matches that the tournament needs"),
            });
            due.extend(audit(work));
            due
        }
        Stage::Finalizing => vec![now("finalize", "record the leader and open the next round")],
        Stage::Finished => vec![Due::Never("the competition is over".to_owned())],
        Stage::Paused => vec![Due::Never("`gen404 resume` continues".to_owned())],
    }
}

fn now(command: &'static str, what: &str) -> Due {
    Due::Now { command, what: what.to_owned() }
}

fn possible(command: &'static str, what: &str) -> Due {
    Due::Possible { command, what: what.to_owned() }
}

/// What `audit` can do, if any request is open.
fn audit(work: &impl RoundWork) -> Option<Due> {
    let (ready, awaited) = work.audits();
    let names: Vec<&str> = ready.iter().map(Hotkey::as_str).collect();
    if !names.is_empty() {
        let requests = counted(names.len(), "audit request", "audit requests");
        return Some(now("audit", &format!("answer {requests}: {}", names.join(", "))));
    }
    (!awaited.is_empty()).then(|| Due::Waits { command: "audit", what: awaited.join("; ") })
}

/// The work that runs beside the stages and is not finished.
fn unfinished(work: &impl RoundWork) -> Vec<Due> {
    let builds = (!work.all_built()).then(|| possible("builds", "follow the miners' image builds"));
    let baseline = (!work.has_baseline()).then(|| possible("baseline", "make the leader's outputs"));
    builds.into_iter().chain(baseline).collect()
}

/// The commands that `advance` has tried in this run, with their outcomes.
#[derive(Debug, Clone, Default)]
pub struct Attempts(Vec<CommandTry>);

#[derive(Debug, Clone)]
struct CommandTry {
    command: &'static str,
    failed: bool,
    /// Another command has changed the files since.
    renewed: bool,
}

impl Attempts {
    /// Records the outcome of a command.
    pub fn add(&mut self, command: &'static str, changed: bool, failed: bool) {
        self.0.retain(|attempt| attempt.command != command);
        if changed {
            self.0.iter_mut().for_each(|attempt| attempt.renewed = true);
        }
        self.0.push(CommandTry { command, failed, renewed: false });
    }

    /// Excludes a command for the whole run.
    pub fn skip(&mut self, command: &str) {
        if let Some(command) = commands().into_iter().find(|known| *known == command) {
            self.add(command, false, true);
        }
    }

    /// May another try get further? Only if other commands have changed files since; a failed command is left
    /// to the next run.
    fn allow(&self, command: &str) -> bool {
        let before = self.0.iter().find(|attempt| attempt.command == command);
        before.is_none_or(|before| before.renewed && !before.failed)
    }
}

/// What `advance` does next, and why: the first command that is due or possible and worth another try;
/// `None` if nothing is left to try.
///
/// A command that fails or waits holds up only those that need its output.
#[must_use]
pub fn next(due: Vec<Due>, attempts: &Attempts) -> Option<(&'static str, String)> {
    let wanted = |due: Due| match due {
        // A command that can only wait is run, too: it reports what it waits for.
        Due::Now { command, what } | Due::Possible { command, what } | Due::Waits { command, what } => {
            Some((command, what))
        }
        Due::From { .. } | Due::Never(_) => None,
    };
    due.into_iter().filter_map(wanted).find(|(command, _)| attempts.allow(command))
}

/// The miners on `require_audit.json` whose audit has no verdict yet.
#[must_use]
pub fn unanswered(files: &RoundFiles) -> Vec<Hotkey> {
    use crate::model::generation_audits::AuditOutcome;
    let audits = files.generation_audits.get();
    let answered = |hotkey: &Hotkey| {
        audits.and_then(|audits| audits.get(hotkey)).is_some_and(|audit| audit.outcome != AuditOutcome::Pending)
    };
    let requests = files.require_audit.get().into_iter().flatten();
    requests.map(|request| request.hotkey.clone()).filter(|hotkey| !answered(hotkey)).collect()
}

/// The stage that a round's files show: where `resume` continues.
#[must_use]
pub fn shown_by(files: &RoundFiles) -> Option<Stage> {
    RoundShows {
        opened: matches!(files.schedule, Slot::Ok(_)),
        seeded: !files.seed.is_missing(),
        fetched: files.players.values().filter(|player| !player.submitted.is_missing()).count(),
        expected: files.submissions.get().map(|submissions| submissions.len()),
        played: !files.matrix.is_missing() || !files.require_audit.is_missing(),
        won: !files.winner.is_missing(),
    }
    .stage()
}

/// What a round's files show, in any format.
#[derive(Debug, Clone, Copy)]
pub struct RoundShows {
    /// The schedule can be read.
    pub opened: bool,
    /// There is a seed.
    pub seeded: bool,
    /// How many players have a record of what was fetched.
    pub fetched: usize,
    /// How many should have one; `None` if the submissions cannot be read.
    pub expected: Option<usize>,
    /// There are results of matches.
    pub played: bool,
    /// There is a winner.
    pub won: bool,
}

impl RoundShows {
    /// The stage in which these are there.
    pub fn stage(self) -> Option<Stage> {
        let all_fetched = self.fetched > 0 && self.expected.is_some_and(|expected| self.fetched >= expected);
        if self.won {
            Some(Stage::Finalizing)
        } else if self.played || all_fetched {
            Some(Stage::Duels)
        } else if self.fetched > 0 {
            Some(Stage::Downloading)
        } else if self.seeded {
            Some(Stage::MinerGeneration)
        } else if self.opened {
            Some(Stage::Open)
        } else {
            None
        }
    }
}

/// Why a competition cannot be paused or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HoldError {
    #[error("the competition is already paused")]
    PausedAlready,
    #[error("the competition is over")]
    Over,
    #[error("the competition is not paused: its stage is {0}")]
    NotPaused(Stage),
    #[error("the round's files show no stage: name it with --stage")]
    NoStage,
}

/// Pauses the competition.
///
/// # Errors
/// It is already paused, or over.
pub fn pause(state: &CompetitionState) -> Result<Plan, HoldError> {
    match state.stage {
        Stage::Paused => Err(HoldError::PausedAlready),
        Stage::Finished => Err(HoldError::Over),
        // The expected end of the stage is kept for `resume`.
        stage => {
            let held = CompetitionState { stage: Stage::Paused, ..state.clone() };
            Ok(to(&held, vec![format!("round {} is paused in {stage}", state.current_round)]))
        }
    }
}

/// Resumes in the named stage, else in the one that the round's files show, if they show one.
///
/// # Errors
/// It is not paused, or the files show no stage.
pub fn resume(state: &CompetitionState, shown: Option<Stage>, named: Option<Stage>) -> Result<Plan, HoldError> {
    if state.stage != Stage::Paused {
        return Err(HoldError::NotPaused(state.stage));
    }
    let named = named.filter(|stage| *stage != Stage::Paused);
    let stage = named.or(shown).ok_or(HoldError::NoStage)?;
    let mut says = vec![format!("round {} continues in {stage}", state.current_round)];
    let mut next = CompetitionState { stage, ..state.clone() };
    if let Some(shown) = shown.filter(|shown| *shown != stage) {
        says.push(format!("its files show {shown}, not {stage}: `gen404 verify` shows what is missing"));
        next.next_stage_eta = None;
    }
    Ok(to(&next, says))
}

fn to(state: &CompetitionState, says: Vec<String>) -> Plan {
    let CompetitionState { current_round, stage, .. } = state;
    let message = format!("Update state ({stage}) for round {current_round}");
    Plan { writes: vec![FileWrite::new(FileKind::State, state)], message, says }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::RoundNumber;
    use crate::rules::stage_table::is_for;

    fn facts<'a>(state: &'a CompetitionState, files: &'a RoundFiles, block: u64) -> Facts<'a> {
        Facts { state, files, block: Some(Block(block)), win_margin: 0.05, limits: Thresholds::default() }
    }

    fn state(stage: Stage) -> CompetitionState {
        CompetitionState::new(RoundNumber(4), stage, None)
    }

    fn files() -> RoundFiles {
        let schedule =
            br#"{"earliest_reveal_block": 100, "latest_reveal_block": 200, "generation_deadline_block": 800}"#;
        let (schedule, _) = crate::model::file::read::<Schedule>(crate::model::format::Format::Mesh, schedule).unwrap();
        RoundFiles { schedule: Slot::Ok(schedule), ..RoundFiles::default() }
    }

    /// The order of commands where only `changes` changes files and only `fails` fails.
    fn order(facts: &Facts<'_>, changes: &str, fails: &str) -> Vec<&'static str> {
        let (mut attempts, mut order) = (Attempts::default(), Vec::new());
        while let Some((command, _)) = next(due(facts), &attempts) {
            order.push(command);
            assert!(order.len() < 20, "endless: {order:?}");
            attempts.add(command, changes == command, fails == command);
        }
        order
    }

    #[test]
    fn each_stage_has_its_commands_in_order_and_each_is_tried_once() {
        let files = files();
        for (stage, block, commands) in [
            (Stage::Open, 199, &["open"][..]),
            (Stage::Open, 200, &["reveal-seed"]),
            (Stage::MinerGeneration, 799, &["builds", "baseline"]),
            (Stage::MinerGeneration, 800, &["download", "builds", "baseline"]),
            (Stage::Downloading, 801, &["download", "builds", "baseline"]),
            (Stage::Duels, 801, &["builds", "baseline", "duel"]),
            (Stage::Finalizing, 801, &["finalize"]),
            (Stage::Finished, 801, &[]),
            (Stage::Paused, 801, &[]),
        ] {
            let state = state(stage);
            assert_eq!(order(&facts(&state, &files, block), "", ""), commands, "{stage} at {block}");
            for due in due(&facts(&state, &files, block)) {
                let (Due::Now { command, .. } | Due::Possible { command, .. } | Due::Waits { command, .. }) = due
                else {
                    continue;
                };
                assert!(is_for(command, stage), "{command} in {stage}");
            }
            let unknown = Facts { block: None, ..facts(&state, &files, 0) };
            assert!(order(&unknown, "", "").iter().all(|command| *command != "reveal-seed"), "{stage}");
        }
    }

    #[test]
    fn a_change_gives_the_other_commands_another_try_and_a_failure_blocks_none() {
        let (files, duels) = (files(), state(Stage::Duels));
        assert_eq!(order(&facts(&duels, &files, 0), "duel", ""), ["builds", "baseline", "duel", "builds", "baseline"]);
        assert_eq!(order(&facts(&duels, &files, 0), "", "builds"), ["builds", "baseline", "duel"]);
        assert_eq!(order(&facts(&duels, &files, 0), "duel", "baseline"), ["builds", "baseline", "duel", "builds"]);
    }

    #[test]
    fn the_machine_has_exactly_the_documented_arrows() {
        let state = |round, stage| CompetitionState::new(RoundNumber(round), stage, None);
        let mut arrows = Vec::new();
        for from in Stage::ALL {
            for to in Stage::ALL.into_iter().filter(|to| *to != from) {
                for (round, mark) in [(4, ""), (5, "+1"), (3, "-1"), (6, "+2")] {
                    if is_arrow(&state(4, from), &state(round, to)) {
                        arrows.push(format!("{from} {to}{mark}"));
                    }
                }
            }
        }
        let expected = [
            "open miner_generation",
            "open finalizing",
            "open paused",
            "miner_generation downloading",
            "miner_generation paused",
            "downloading duels",
            "downloading paused",
            "duels finalizing",
            "duels paused",
            "finalizing open+1",
            "finalizing finished",
            "finalizing paused",
            "finalizing paused+1",
            "finished paused",
            "paused open",
            "paused open+1",
            "paused miner_generation",
            "paused downloading",
            "paused duels",
            "paused finalizing",
            "paused finished",
        ];
        assert_eq!(arrows, expected);
    }
}
