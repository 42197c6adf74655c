//! Faults over several runs: when each began, how many runs it has lasted, when it was over.
//!
//! A fault is a service that fails, whichever steps ask it and however it fails, or else a step's failure. Failures of
//! one key ([`ErrorRecord::key`]) are one fault. It is over with the first run in which a step that had met it gets
//! through, or once the competition has moved on.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{ErrorRecord, Outcome, RunRecord, StepRecord};
use crate::model::ids::RoundNumber;
use crate::model::stage::{Stage, Timestamp};

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Streak {
    /// The newest error; its key names the fault.
    pub(crate) error: ErrorRecord,
    /// What it was called when it began: messages keep this name.
    pub(crate) title: String,
    /// The steps that have met it.
    pub(crate) steps: BTreeSet<String>,
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
    /// What a reader calls it, by its beginning.
    pub(crate) fn name(&self) -> String {
        self.error.named(&self.title)
    }

    /// What a reader calls it, by its newest failure.
    pub(crate) fn name_now(&self) -> String {
        self.error.named(&self.error.shown_title())
    }

    /// Begins with this error of a run.
    fn begin(run: &RunRecord, error: &ErrorRecord, at: &Timestamp) -> Streak {
        let (round, stage) = place(run, error);
        Streak {
            error: error.clone(),
            title: error.shown_title(),
            steps: BTreeSet::from([error.step.clone()]),
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
        self.steps.insert(error.step.clone());
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
    let (begun, ended) = ((run.round, run.stage), after(run));
    if error.is_trouble() && begun.0.is_some() { begun } else { ended }
}

/// Where the competition stood after a run, or last while it was at work.
fn after(run: &RunRecord) -> (Option<RoundNumber>, Option<Stage>) {
    (run.round_after.or(run.round), run.stage_after.or(run.stage))
}

/// The faults of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Faults {
    /// Those that last, oldest first.
    pub(crate) open: Vec<Streak>,
    /// Those that are over, each with the end of the step or run that showed it; the newest last.
    pub(crate) over: Vec<(Streak, Timestamp)>,
    /// The start of a command's last run, if it was killed or told to end: once is an accident.
    pub(crate) cut_off: BTreeMap<String, Timestamp>,
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

    /// Takes in the next run. Of one that is at work or was killed, the steps that it had ended by then count.
    pub(crate) fn follow(&mut self, run: &RunRecord) {
        let Some(started) = &run.started else { return };
        if ends_by_itself(run) {
            self.cut_off.remove(&run.command);
        }
        let is_over = if run.ended.is_some() { ends } else { has_worked };
        let open = std::mem::take(&mut self.open);
        let (over, lasting): (Vec<_>, Vec<_>) = open.into_iter().partition(|fault| is_over(fault, run));
        self.open = lasting;
        self.over.extend(over.into_iter().map(|fault| {
            let at = worked(&fault, run).and_then(|step| step.ended.clone()).or_else(|| run.ended.clone());
            (fault, at.unwrap_or_else(|| started.clone()))
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
        if run.is_cut_off() {
            self.follow_cut_off(run, started);
        }
    }

    /// Takes in that a run was killed or told to end.
    fn follow_cut_off(&mut self, run: &RunRecord, started: &Timestamp) {
        let error = ErrorRecord::cut_off(&run.command, run.stopped.as_deref());
        if let Some(fault) = self.open.iter_mut().find(|fault| fault.error.key == error.key) {
            fault.follow(run, &error, started);
        } else if let Some(first) = self.cut_off.insert(run.command.clone(), started.clone()) {
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
    run.ended.is_some() && run.outcome != Outcome::Killed && !run.cut_short && run.stopped.is_none()
}

/// Has this run met the fault?
fn has_met(fault: &Streak, run: &RunRecord) -> bool {
    run.errors().chain(run.troubles()).any(|error| error.key == fault.error.key)
}

/// Do the steps that a run has ended so far show that the fault is over? Where several steps had met it, another one may
/// meet it yet.
fn has_worked(fault: &Streak, run: &RunRecord) -> bool {
    if has_met(fault, run) {
        return false;
    }
    let done = |command: &str| run.steps.iter().any(|step| step.command == command && is_done(step));
    match () {
        () if fault.error.is_trouble() => has_answered(fault, run),
        () if fault.error.is_cut_off() => false,
        () if fault.error.is_of_settings() => !run.steps.is_empty(),
        () if fault.error.is_of_remote() => run.pushes && run.steps.iter().any(is_done),
        () => fault.steps.iter().all(|step| done(step)),
    }
}

/// Was such a server there when it was asked again?
fn has_answered(fault: &Streak, run: &RunRecord) -> bool {
    run.steps.iter().any(|step| step.answered.contains(&fault.error.key))
}

/// Does this run show that the fault is over?
fn ends(fault: &Streak, run: &RunRecord) -> bool {
    if has_met(fault, run) {
        return false;
    }
    let now = after(run);
    let round_is_over = now.1 == Some(Stage::Finished) || now.0.is_some_and(|round| Some(round) != fault.round);
    if fault.error.is_trouble() {
        // Such a server is asked again only when someone asks for it: until then nothing has changed.
        return has_answered(fault, run) || round_is_over;
    }
    if fault.error.is_cut_off() {
        return run.command == fault.error.step && ends_by_itself(run);
    }
    if fault.error.is_of_settings() {
        // Every command reads them first.
        return true;
    }
    if fault.error.is_of_remote() {
        // Whatever else such a run leaves out, it pushes what has not been pushed.
        return run.pushes && (worked(fault, run).is_some() || has_looked(run));
    }
    let untried = |step: &String| run.skipped.contains(step) || run.errors().any(|error| error.step == *step);
    let passed = is_whole_pass(run) && !fault.steps.iter().any(untried);
    // A pause does not mend anything, and nothing is tried while it lasts.
    let paused = now.1 == Some(Stage::Paused);
    if fault.error.service.is_some() {
        // Another stage may need the same service.
        return worked(fault, run).is_some() || !paused && (round_is_over || passed);
    }
    let step = &fault.error.step;
    let otherwise = || run.errors().any(|error| error.step == *step && replaces(fault, error, run));
    let moved = now != (fault.round, fault.stage) && now.1.is_some();
    worked(fault, run).is_some() || otherwise() || !paused && (moved || passed)
}

/// A whole pass of `advance` tries everything that is due.
fn is_whole_pass(run: &RunRecord) -> bool {
    has_looked(run) && !run.partial
}

/// Has `advance` come to its end?
fn has_looked(run: &RunRecord) -> bool {
    let looked = run.errors().all(|error| error.step != "advance");
    run.command == "advance" && looked && ends_by_itself(run)
}

/// Did the step do something, and fail at nothing?
fn is_done(step: &StepRecord) -> bool {
    step.error.is_none() && !step.stopped && step.outcome == Outcome::Done
}

/// The step of this run that went past where the fault was met.
fn worked<'a>(fault: &Streak, run: &'a RunRecord) -> Option<&'a StepRecord> {
    let paused = run.stage_after.or(run.stage) == Some(Stage::Paused);
    // Of these, a step with nothing to do may have had something to do.
    let whole = ends_by_itself(run) && !run.partial && !paused;
    run.steps.iter().find(|step| {
        let it = fault.steps.contains(&step.command) || fault.error.is_of_remote() || fault.error.is_of_settings();
        it && step.error.is_none() && !step.stopped && (step.outcome == Outcome::Done || whole)
    })
}

/// Is this failure of the same step the fault now? Only if the step got as far as before.
fn replaces(fault: &Streak, error: &ErrorRecord, run: &RunRecord) -> bool {
    // What kept a whole run from its work hides what it would have met.
    let hidden = run.cut_short || run.stopped.is_some();
    let early = matches!(error.kind.as_str(), "usage" | "limit" | "conflict");
    !hidden && (error.kind == fault.error.kind || !early)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::*;
    use crate::base::error::Error;
    use crate::settings::SETTINGS;

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
    fn a_service_is_one_fault_until_it_works() {
        let open = |runs: &[RunRecord]| Faults::of(runs).open.len();
        let down = |at| outside(at, "judge", "status 503");
        assert_eq!(open(&[down(1), outside(2, "store", "status 503")]), 2, "the judge was not asked");
        assert_eq!(open(&[down(1), run(2, Stage::Duels, &[("duel", Some("disk full"))])]), 2);
        // It fails now so, now otherwise.
        let ways = ["status 401", "status 503", "status 429"].iter().cycle();
        let turns: Vec<RunRecord> = (1..=9).zip(ways).map(|(at, way)| outside(at, "judge", way)).collect();
        let mut faults = Faults::of(&turns);
        assert_eq!((keys(&faults), faults.over.len()), (vec![("judge", 9)], 0));
        assert_eq!((faults.open[0].name(), faults.open[0].name_now()), ("judge refuses".into(), "judge busy".into()));
        faults.follow(&RunRecord { stage_after: Some(Stage::Finalizing), ..run(10, Stage::Duels, &[]) });
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1), "a whole pass does not need it any more");
    }

    #[test]
    fn a_service_is_one_fault_of_all_steps() {
        let failed = |minute, steps: &[&str]| {
            let pairs: Vec<(&str, Option<&str>)> = steps.iter().map(|step| (*step, Some("x"))).collect();
            let mut run = run(minute, Stage::MinerGeneration, &pairs);
            for step in &mut run.steps {
                let error = Error::outside("status 503").of_service(Some("store"));
                step.error = Some(ErrorRecord::of(&step.command, &error));
            }
            run
        };
        let outage = [failed(1, &["baseline", "download"]), failed(2, &["download"]), failed(3, &["baseline"])];
        let mut faults = Faults::of(&outage);
        assert_eq!((keys(&faults), faults.open[0].name().as_str()), (vec![("store", 3)], "store unreachable"));
        // While a run is at work, the other step may meet it yet.
        let at_work = |steps| RunRecord { ended: None, outcome: Outcome::Begun, ..run(4, Stage::Duels, steps) };
        faults.follow(&at_work(&[("baseline", None)]));
        assert_eq!(faults.open.len(), 1);
        let mut both = faults.clone();
        both.follow(&at_work(&[("baseline", None), ("download", None)]));
        assert_eq!((both.open.len(), both.over.len()), (0, 1));
        faults.follow(&run(4, Stage::MinerGeneration, &[("baseline", None)]));
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
        // Another stage needs the same service.
        let moved = RunRecord { command: "duel".to_owned(), ..run(4, Stage::Duels, &[("duel", None)]) };
        assert_eq!(Faults::of([&outage[0], &moved]).open.len(), 1);
    }

    #[test]
    fn steps_of_a_run_that_was_killed_count() {
        let mut killed = run(1, Stage::Duels, &[("audit", None), ("duel", Some("disk full"))]);
        (killed.ended, killed.outcome) = (None, Outcome::Killed);
        let mut faults = Faults::of([&killed]);
        assert_eq!(keys(&faults), [("duel: disk full", 1)]);
        let mut next = run(2, Stage::Duels, &[("duel", None)]);
        (next.ended, next.outcome) = (None, Outcome::Begun);
        faults.follow(&next);
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1), "before the run has ended");
    }

    #[test]
    fn settings_that_can_be_followed_again_end_their_fault() {
        let broken = |minute, command: &str| {
            let mut run = run(minute, Stage::Duels, &[(command, Some("x"))]);
            let error = Error::usage("line 3: unknown key").of_service(Some(SETTINGS)).of_manner(Some("unusable"));
            (run.command, run.steps[0].error) = (command.to_owned(), Some(ErrorRecord::of(command, &error)));
            run
        };
        let mut faults = Faults::of(&[broken(1, "advance"), broken(2, "duel")]);
        assert_eq!((keys(&faults), faults.open[0].name().as_str()), (vec![("settings", 2)], "settings unusable"));
        faults.follow(&run(3, Stage::Duels, &[("duel", Some("disk full"))]));
        assert_eq!((keys(&faults), faults.over.len()), (vec![("duel: disk full", 1)], 1));
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
        assert_eq!(keys(&faults), [("git remote", 2)]);
        faults.follow(&run(3, Stage::Finalizing, &[("duel", None)]));
        assert_eq!(faults.open.len(), 1, "it pushed nothing");
        faults.follow(&RunRecord { pushes: true, ..run(4, Stage::Finalizing, &[("finalize", None)]) });
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
    }

    #[test]
    fn runs_that_are_cut_off_again_and_again_are_a_fault() {
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
        assert_eq!(keys(&faults), [("advance: cut off", 3)]);
        assert_eq!(faults.open[0].name(), "advance: killed without a word");
        assert_eq!(Some(&faults.open[0].since), first.started.as_ref());
        faults.follow(&RunRecord { cut_short: true, ..run(5, Stage::Duels, &[]) });
        faults.follow(&RunRecord { command: "duel".to_owned(), ..run(6, Stage::Duels, &[]) });
        assert_eq!(faults.open.len(), 1, "another command, or one that did nothing");
        faults.follow(&run(7, Stage::Duels, &[]));
        assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
        faults.follow(&killed(8, "advance"));
        assert_eq!(faults.open, []);
        // cron's time limit: a stop is no accident either if it comes each time.
        let stopped = |minute, signal: &str| RunRecord {
            stopped: Some(signal.to_owned()),
            cut_short: true,
            ..run(minute, Stage::Duels, &[("duel", None)])
        };
        let faults = Faults::of(&[stopped(1, "SIGTERM"), killed(2, "advance"), stopped(3, "SIGTERM")]);
        assert_eq!(
            (keys(&faults), faults.open[0].name_now().as_str()),
            (vec![("advance: cut off", 3)], "advance: stopped by SIGTERM")
        );
        assert_eq!(Faults::of(&[1, 2, 3].map(|minute| stopped(minute, "SIGINT"))).open, [], "by hand");
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
