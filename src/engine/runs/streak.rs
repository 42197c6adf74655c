//! Faults over several runs: when each began, how many runs it has lasted, when it was over.
//!
//! A fault is a step's failure; equal failures (by [`ErrorRecord::key`]) of successive runs are one. It is over with
//! the first run in which its step does not fail so, or once the competition has moved on.

use std::collections::BTreeMap;

use super::record::{ErrorRecord, Outcome, RunRecord, StepRecord};
use crate::model::ids::RoundNumber;
use crate::model::stage::{Stage, Timestamp};

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Streak {
    /// The newest error; its key names the fault.
    pub(crate) error: ErrorRecord,
    /// What it was called when it began: it keeps this name.
    pub(crate) title: String,
    /// When it was first met.
    pub(crate) since: Timestamp,
    /// The start of the newest failing run.
    pub(crate) last: Timestamp,
    /// The number of failing runs.
    pub(crate) runs: u64,
    /// Where the competition stood.
    pub(crate) round: Option<RoundNumber>,
    pub(crate) stage: Option<Stage>,
}

impl Streak {
    /// What a reader calls it: the step and how it failed.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.error.step, self.title)
    }

    /// Begins with this error of a run.
    fn begin(run: &RunRecord, error: &ErrorRecord, at: &Timestamp) -> Streak {
        let (round, stage) = place(run, error);
        Streak {
            error: error.clone(),
            title: error.shown_title(),
            // The record of its first runs may have been rotated away.
            since: error.since.clone().unwrap_or_else(|| at.clone()),
            last: at.clone(),
            runs: error.runs.max(1),
            round,
            stage,
        }
    }

    /// Goes on with this error of a run.
    fn follow(&mut self, run: &RunRecord, error: &ErrorRecord, started: &Timestamp) {
        self.error = error.clone();
        // Several steps of a long run may fail alike.
        if self.last != *started {
            self.runs = self.runs.saturating_add(1);
            self.last = started.clone();
            (self.round, self.stage) = place(run, error);
        }
    }
}

/// Where the competition stood when a run met a fault: a server's files belong to the round in which they were asked for,
/// and the run may have gone on beyond it.
fn place(run: &RunRecord, error: &ErrorRecord) -> (Option<RoundNumber>, Option<Stage>) {
    let (begun, ended) = ((run.round, run.stage), (run.round_after.or(run.round), run.stage_after.or(run.stage)));
    if error.is_trouble() && begun.0.is_some() { begun } else { ended }
}

/// The faults of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Faults {
    /// Those that last, oldest first.
    pub(crate) open: Vec<Streak>,
    /// Those that are over, each with the end of the step or run that showed it; the newest last.
    pub(crate) over: Vec<(Streak, Timestamp)>,
    /// The start of a command's last run, if it was killed: once is an accident.
    pub(crate) killed: BTreeMap<String, Timestamp>,
}

/// Most ended faults kept.
const MOST_OVER: usize = 200;

impl Faults {
    /// The faults of these runs, oldest run first.
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = &'a RunRecord>) -> Faults {
        let mut faults = Faults::default();
        records.into_iter().for_each(|record| faults.follow(record));
        faults
    }

    /// Takes in the next run.
    pub(crate) fn follow(&mut self, run: &RunRecord) {
        let Some(started) = &run.started else { return };
        if run.outcome == Outcome::Killed {
            self.follow_killed(run, started);
        }
        let Some(ended) = &run.ended else { return };
        if ends_by_itself(run) {
            self.killed.remove(&run.command);
        }
        let open = std::mem::take(&mut self.open);
        let (over, lasting): (Vec<_>, Vec<_>) = open.into_iter().partition(|fault| ends(fault, run));
        self.open = lasting;
        self.over.extend(over.into_iter().map(|fault| {
            let at = worked(&fault, run).and_then(|step| step.ended.clone()).unwrap_or_else(|| ended.clone());
            (fault, at)
        }));
        self.over.drain(..self.over.len().saturating_sub(MOST_OVER));
        for step in &run.steps {
            for error in step.error.iter().chain(&step.troubles) {
                match self.open.iter_mut().find(|fault| fault.error.key == error.key) {
                    Some(fault) => fault.follow(run, error, started),
                    None => {
                        let mut fault = Streak::begin(run, error, started);
                        if let (None, Some(at)) = (&error.since, &step.started) {
                            fault.since = at.clone();
                        }
                        self.open.push(fault);
                    }
                }
            }
        }
    }

    /// Takes in a run that was killed.
    fn follow_killed(&mut self, run: &RunRecord, started: &Timestamp) {
        let error = ErrorRecord::killed(&run.command);
        if let Some(fault) = self.open.iter_mut().find(|fault| fault.error.key == error.key) {
            fault.follow(run, &error, started);
        } else if let Some(first) = self.killed.insert(run.command.clone(), started.clone()) {
            let mut fault = Streak::begin(run, &error, &first);
            fault.follow(run, &error, started);
            self.open.push(fault);
        }
    }

    /// The fault of this key, if it lasts.
    pub(crate) fn lasting(&self, key: &str) -> Option<&Streak> {
        self.open.iter().find(|fault| fault.error.key == key)
    }
}

/// Has the run ended, neither stopped nor kept from its work by another one?
fn ends_by_itself(run: &RunRecord) -> bool {
    let ended = !matches!(run.outcome, Outcome::Begun | Outcome::Killed);
    ended && !run.cut_short && run.stopped.is_none()
}

/// Does this run show that the fault is over?
fn ends(fault: &Streak, run: &RunRecord) -> bool {
    if run.errors().chain(run.troubles()).any(|error| error.key == fault.error.key) {
        return false;
    }
    if matches!(run.outcome, Outcome::Begun | Outcome::Killed) {
        return false;
    }
    let after = (run.round_after.or(run.round), run.stage_after.or(run.stage));
    if fault.error.is_trouble() {
        // Such a server is asked again only when someone asks for it: until then nothing has changed.
        let answered = run.steps.iter().any(|step| step.answered.contains(&fault.error.key));
        let is_over = after.1 == Some(Stage::Finished) || after.0.is_some_and(|round| Some(round) != fault.round);
        return answered || is_over;
    }
    if fault.error.is_killed() {
        return run.command == fault.error.step && ends_by_itself(run);
    }
    if fault.error.is_of_remote() {
        return run.pushes && (worked(fault, run).is_some() || is_whole_pass(run));
    }
    let step = &fault.error.step;
    let otherwise = || run.errors().any(|error| error.step == *step && replaces(fault, error, run));
    // A pause does not mend anything, and nothing is tried while it lasts.
    let paused = after.1 == Some(Stage::Paused);
    let moved = after != (fault.round, fault.stage) && after.1.is_some();
    let untried = run.skipped.contains(step) || run.errors().any(|error| error.step == *step);
    let passed = is_whole_pass(run) && !untried;
    worked(fault, run).is_some() || otherwise() || !paused && (moved || passed)
}

/// A whole pass of `advance` tries everything that is due.
fn is_whole_pass(run: &RunRecord) -> bool {
    let looked = run.errors().all(|error| error.step != "advance");
    run.command == "advance" && looked && ends_by_itself(run) && !run.partial
}

/// The step of this run that went past where the fault was met.
fn worked<'a>(fault: &Streak, run: &'a RunRecord) -> Option<&'a StepRecord> {
    let paused = run.stage_after.or(run.stage) == Some(Stage::Paused);
    // Of these, a step with nothing to do may have had something to do.
    let whole = ends_by_itself(run) && !run.partial && !paused;
    run.steps.iter().find(|step| {
        let it = step.command == fault.error.step || fault.error.is_of_remote();
        it && step.error.is_none() && !step.stopped && (step.outcome == Outcome::Done || whole)
    })
}

/// Is this failure of the same step the fault now? Only if the step got as far as before.
fn replaces(fault: &Streak, error: &ErrorRecord, run: &RunRecord) -> bool {
    match (&fault.error.service, &error.service) {
        // A service that does not answer may still refuse.
        (Some(failed), Some(fails)) => failed == fails && !error.is_silent(),
        // Another failure says nothing of the service: it may come before anything is asked.
        (Some(_), None) => false,
        // What kept a whole run from its work hides what it would have met.
        (None, _) if run.cut_short || run.stopped.is_some() => false,
        (None, _) => error.kind == fault.error.kind || !matches!(error.kind.as_str(), "usage" | "limit" | "conflict"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::*;
    use crate::base::error::Error;

    /// A run of `advance` in a stage, a minute after the one before, with these steps and how each failed.
    fn run(minute: i64, stage: Stage, steps: &[(&str, Option<&str>)]) -> RunRecord {
        let at = Timestamp::from(chrono::DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minute));
        let step = |(command, error): &(&str, Option<&str>)| StepRecord {
            command: (*command).to_owned(),
            outcome: if error.is_some() { Outcome::Failed } else { Outcome::Done },
            error: error.map(|error| ErrorRecord::of(command, &Error::failed(error))),
            ..StepRecord::default()
        };
        RunRecord {
            started: Some(at.clone()),
            ended: Some(at),
            command: "advance".to_owned(),
            round: Some(RoundNumber(0)),
            stage: Some(stage),
            outcome: Outcome::Done,
            steps: steps.iter().map(step).collect(),
            ..RunRecord::default()
        }
    }

    fn keys(faults: &Faults) -> Vec<(&str, u64)> {
        faults.open.iter().map(|fault| (fault.error.key.as_str(), fault.runs)).collect()
    }

    #[test]
    fn a_fault_lasts_from_its_first_failure_to_the_first_run_without_it() {
        let failed = |minute| run(minute, Stage::Duels, &[("duel", Some("disk full")), ("audit", None)]);
        let runs = [failed(1), failed(2), run(3, Stage::Duels, &[("duel", None)])];
        let faults = Faults::of(&runs[..2]);
        assert_eq!(keys(&faults), [("duel: disk full", 2)]);
        assert_eq!(Some(&faults.open[0].since), runs[0].started.as_ref());
        let faults = Faults::of(&runs);
        assert_eq!((keys(&faults).len(), faults.over.len()), (0, 1));
        assert_eq!(Some(&faults.over[0].1), runs[2].ended.as_ref());
        // Another failure of the same step is another fault.
        let faults = Faults::of(&[failed(1), run(2, Stage::Duels, &[("duel", Some("no key"))])]);
        assert_eq!((keys(&faults), faults.over.len()), (vec![("duel: no key", 1)], 1));
    }

    #[test]
    fn a_run_that_did_not_try_the_step_ends_no_fault() {
        let failed = run(1, Stage::Duels, &[("duel", Some("disk full"))]);
        let silent = |change: &dyn Fn(&mut RunRecord)| {
            let mut next = run(2, Stage::Duels, &[]);
            change(&mut next);
            keys(&Faults::of(&[failed.clone(), next])).len()
        };
        assert_eq!(silent(&|_| {}), 0, "nothing is due any more");
        assert_eq!(silent(&|next| next.cut_short = true), 1);
        assert_eq!(silent(&|next| next.skipped = vec!["duel".to_owned()]), 1);
        assert_eq!(silent(&|next| next.command = "audit".to_owned()), 1);
        assert_eq!(silent(&|next| next.ended = None), 1, "a killed run shows nothing");
        assert_eq!(silent(&|next| next.stage_after = Some(Stage::Paused)), 1, "a pause mends nothing");
        assert_eq!(silent(&|next| next.stage = Some(Stage::Paused)), 1, "nothing is tried in a pause");
        let by_hand =
            |next: &mut RunRecord| (next.command, next.stage_after) = ("audit".to_owned(), Some(Stage::Finalizing));
        assert_eq!(silent(&by_hand), 0, "the competition has moved on");
    }

    #[test]
    fn a_step_that_was_stopped_or_not_tried_ends_no_fault() {
        let failed = run(1, Stage::Duels, &[("duel", Some("disk full"))]);
        let runs = |next: RunRecord| {
            let again = run(3, Stage::Duels, &[("duel", Some("disk full"))]);
            keys(&Faults::of(&[failed.clone(), next, again])).first().map(|(_, runs)| *runs)
        };
        let idle = |change: &dyn Fn(&mut RunRecord)| {
            let mut next = run(2, Stage::Duels, &[("duel", None)]);
            next.steps[0].outcome = Outcome::Idle;
            change(&mut next);
            runs(next)
        };
        assert_eq!(idle(&|_| {}), Some(1), "it was over, and came again");
        assert_eq!(idle(&|next| next.stopped = Some("SIGTERM".to_owned())), Some(2));
        assert_eq!(idle(&|next| next.cut_short = true), Some(2));
        assert_eq!(idle(&|next| next.partial = true), Some(2), "--shard, --only");
        assert_eq!(idle(&|next| next.stage = Some(Stage::Paused)), Some(2), "by hand in a pause");
        assert_eq!(idle(&|next| next.steps[0].stopped = true), Some(1), "a whole pass all the same");
        let partial = RunRecord { partial: true, ..run(2, Stage::Duels, &[]) };
        assert_eq!(runs(partial), Some(2), "--until");
        assert_eq!(runs(run(2, Stage::Duels, &[("advance", Some("no author"))])), Some(2), "nothing was tried");
        let mut limited = run(2, Stage::Duels, &[("duel", Some("the limit calls is reached"))]);
        limited.steps[0].error.as_mut().unwrap().kind = "limit".to_owned();
        assert_eq!(runs(limited), Some(2), "the judge was not asked");
    }

    /// A run in which a service failed `duel` so.
    fn outside(minute: i64, service: &'static str, why: &str) -> RunRecord {
        let mut run = run(minute, Stage::Duels, &[("duel", Some("x"))]);
        let error = Error::outside(why).of_service(Some(service));
        run.steps[0].error = Some(ErrorRecord::of("duel", &error));
        run
    }

    #[test]
    fn only_an_answer_shows_that_a_service_fails_otherwise_now() {
        let open = |runs: &[RunRecord]| Faults::of(runs).open.len();
        let (refuses, down) = (|at| outside(at, "judge", "status 401"), |at| outside(at, "judge", "status 503"));
        assert_eq!(open(&[down(1), refuses(2)]), 1, "it answers again, and refuses");
        assert_eq!(open(&[refuses(1), down(2)]), 2, "it may refuse still");
        assert_eq!(open(&[down(1), outside(2, "store", "status 503")]), 2, "the judge was not asked");
        assert_eq!(open(&[down(1), run(2, Stage::Duels, &[("duel", Some("disk full"))])]), 2);
        // A fault keeps its name.
        let faults = Faults::of(&[outside(1, "judge", "status 429"), down(2)]);
        assert_eq!((faults.open[0].name().as_str(), faults.open[0].runs), ("duel: judge busy", 2));
    }

    #[test]
    fn the_remote_is_one_fault_of_all_commands_until_a_run_that_pushes_gets_through() {
        let failed = |minute, step: &str, why: &str| {
            let error = Error::outside(why).of_service(Some("git remote")).of_manner(Some("refuses"));
            let mut run = run(minute, Stage::Duels, &[(step, Some("x"))]);
            (run.pushes, run.steps[0].error) = (true, Some(ErrorRecord::of(step, &error)));
            run
        };
        let mut faults =
            Faults::of(&[failed(1, "duel", "o: cannot push: a"), failed(2, "advance", "o: cannot push: b")]);
        assert_eq!(keys(&faults), [("git remote refuses", 2)]);
        faults.follow(&run(3, Stage::Finalizing, &[("duel", None)]));
        assert_eq!(faults.open.len(), 1, "it pushed nothing");
        faults.follow(&RunRecord { pushes: true, ..run(4, Stage::Finalizing, &[("finalize", None)]) });
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
    }

    #[test]
    fn runs_that_are_killed_again_and_again_are_a_fault() {
        let killed = |minute, command: &str| RunRecord {
            command: command.to_owned(),
            ended: None,
            outcome: Outcome::Killed,
            ..run(minute, Stage::Duels, &[])
        };
        let first = killed(1, "advance");
        let mut faults = Faults::of(&[first.clone(), killed(2, "duel")]);
        assert_eq!(faults.open, [], "once is an accident");
        [3, 4].into_iter().for_each(|minute| faults.follow(&killed(minute, "advance")));
        assert_eq!(keys(&faults), [("advance: killed without a word", 3)]);
        assert_eq!(Some(&faults.open[0].since), first.started.as_ref());
        faults.follow(&RunRecord { cut_short: true, ..run(5, Stage::Duels, &[]) });
        faults.follow(&RunRecord { command: "duel".to_owned(), ..run(6, Stage::Duels, &[]) });
        assert_eq!(faults.open.len(), 1, "another command, or one that did nothing");
        faults.follow(&run(7, Stage::Duels, &[]));
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
        faults.follow(&killed(8, "advance"));
        assert_eq!(faults.open, []);
    }

    #[test]
    fn a_fault_is_dated_by_its_step() {
        let at = |minute: i64| Timestamp::from(chrono::DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minute));
        let mut failed = run(10, Stage::Duels, &[("audit", None), ("duel", Some("disk full"))]);
        failed.steps[1].started = Some(at(15));
        let mut worked = run(20, Stage::Duels, &[("duel", None), ("audit", None)]);
        (worked.steps[0].ended, worked.ended) = (Some(at(21)), Some(at(59)));
        let faults = Faults::of(&[failed, worked]);
        assert_eq!((&faults.over[0].0.since, &faults.over[0].1), (&at(15), &at(21)));
    }

    #[test]
    fn a_server_that_is_not_asked_again_stays_unreachable_for_its_round() {
        let trouble = ErrorRecord::trouble("download", "CDN of x", "none of 3 files arrived", "ask the miner");
        let mut first = run(1, Stage::Duels, &[("download", None)]);
        first.steps[0].troubles.push(trouble.clone());
        let mut open = Faults::of(&[first, run(2, Stage::Duels, &[("duel", None)]), run(3, Stage::Finalizing, &[])]);
        assert_eq!(keys(&open), [("download: CDN of x unreachable", 1)]);
        open.follow(&run(4, Stage::Duels, &[("download", None)]));
        assert_eq!(open.open.len(), 1, "this download asked others");
        let mut asked = run(5, Stage::Duels, &[("download", None)]);
        asked.steps[0].answered.push(trouble.key.clone());
        let mut next = run(5, Stage::Open, &[]);
        next.round = Some(RoundNumber(1));
        for over in [asked, next.clone(), run(5, Stage::Finished, &[])] {
            let mut faults = open.clone();
            faults.follow(&over);
            assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
        }
        // One run that goes on into the next round: the files belong to the round in which they were asked for.
        let mut long = run(1, Stage::Duels, &[("download", None)]);
        long.steps[0].troubles.push(trouble);
        (long.round_after, long.stage_after) = (Some(RoundNumber(1)), Some(Stage::Open));
        let faults = Faults::of(&[long, next]);
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
    }

    #[test]
    fn what_was_rotated_away_is_kept_in_the_newest_line() {
        let mut late = run(9, Stage::Duels, &[("duel", Some("disk full"))]);
        let since: Timestamp = "1970-01-01T00:00:00Z".parse().unwrap();
        if let Some(error) = late.steps[0].error.as_mut() {
            (error.since, error.runs) = (Some(since.clone()), 40);
        }
        let faults = Faults::of(&[late, run(10, Stage::Duels, &[("duel", Some("disk full"))])]);
        assert_eq!((keys(&faults), &faults.open[0].since), (vec![("duel: disk full", 41)], &since));
        // A damaged line overflows nothing.
        let mut huge = run(9, Stage::Duels, &[("duel", Some("disk full"))]);
        huge.steps[0].error.as_mut().unwrap().runs = u64::MAX;
        let faults = Faults::of(&[huge, run(10, Stage::Duels, &[("duel", Some("disk full"))])]);
        assert_eq!(keys(&faults), [("duel: disk full", u64::MAX)]);
    }
}
