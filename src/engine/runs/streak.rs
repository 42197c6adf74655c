//! Faults over several runs: when each began, how many runs it has lasted, when it was over.
//!
//! A fault is a step's failure; equal failures (by [`ErrorRecord::key`]) of successive runs are one. It is over with
//! the first run in which its step does not fail so, or once the competition has moved on.

use super::record::{ErrorRecord, Outcome, RunRecord};
use crate::model::ids::RoundNumber;
use crate::model::stage::{Stage, Timestamp};

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Streak {
    /// The newest error; its key names the fault.
    pub(crate) error: ErrorRecord,
    /// The start of the first failing run.
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
    /// What a reader calls it: the step and how it failed last.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.error.step, self.error.shown_title())
    }
}

/// The faults of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Faults {
    /// Those that last, oldest first.
    pub(crate) open: Vec<Streak>,
    /// Those that are over, each with the end of the run that showed it; the newest last.
    pub(crate) over: Vec<(Streak, Timestamp)>,
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
        let (Some(started), Some(ended)) = (&run.started, &run.ended) else { return };
        let open = std::mem::take(&mut self.open);
        let (over, lasting): (Vec<_>, Vec<_>) = open.into_iter().partition(|fault| ends(fault, run));
        self.open = lasting;
        self.over.extend(over.into_iter().map(|fault| (fault, ended.clone())));
        self.over.drain(..self.over.len().saturating_sub(MOST_OVER));
        for error in run.errors().chain(run.troubles()) {
            match self.open.iter_mut().find(|fault| fault.error.key == error.key) {
                // Several steps of a long run may fail alike.
                Some(fault) if fault.last == *started => fault.error = error.clone(),
                Some(fault) => {
                    fault.runs = fault.runs.saturating_add(1);
                    fault.last = started.clone();
                    fault.error = error.clone();
                    (fault.round, fault.stage) = (run.round_after.or(run.round), run.stage_after.or(run.stage));
                }
                None => self.open.push(Streak {
                    error: error.clone(),
                    // The record of its first runs may have been rotated away.
                    since: error.since.clone().unwrap_or_else(|| started.clone()),
                    last: started.clone(),
                    runs: error.runs.max(1),
                    round: run.round_after.or(run.round),
                    stage: run.stage_after.or(run.stage),
                }),
            }
        }
    }

    /// The fault of this key, if it lasts.
    pub(crate) fn lasting(&self, key: &str) -> Option<&Streak> {
        self.open.iter().find(|fault| fault.error.key == key)
    }
}

/// Does this run show that the fault is over?
fn ends(fault: &Streak, run: &RunRecord) -> bool {
    if run.errors().chain(run.troubles()).any(|error| error.key == fault.error.key) {
        return false;
    }
    if fault.error.is_trouble() {
        // Such a server is asked again only when someone asks for it: until then nothing has changed.
        let answered = run.steps.iter().any(|step| step.answered.contains(&fault.error.key));
        return answered || run.round_after.or(run.round).is_some_and(|round| Some(round) != fault.round);
    }
    let step = &fault.error.step;
    let succeeded = run.steps.iter().any(|tried| tried.command == *step && tried.error.is_none());
    // The same step failed in another way: that is the fault now.
    let fails_otherwise = run.errors().any(|error| error.step == *step);
    let moved = (run.round_after.or(run.round), run.stage_after.or(run.stage)) != (fault.round, fault.stage)
        && run.stage_after.or(run.stage).is_some();
    // A whole pass of `advance` tries everything that is due.
    let whole_pass = run.command == "advance" && !run.cut_short && !run.skipped.contains(step);
    // A pause does not mend anything, and nothing is tried while it lasts.
    let paused = run.stage_after.or(run.stage) == Some(Stage::Paused);
    let counts = !matches!(run.outcome, Outcome::Begun | Outcome::Killed);
    counts && (succeeded || fails_otherwise || !paused && (moved || whole_pass))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::*;
    use crate::base::error::Error;
    use crate::engine::runs::record::StepRecord;

    /// A run of `advance` in a stage, a minute after the one before, with these steps and how each failed.
    fn run(minute: i64, stage: Stage, steps: &[(&str, Option<&str>)]) -> RunRecord {
        let at = Timestamp::from(chrono::DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minute));
        let step = |(command, error): &(&str, Option<&str>)| StepRecord {
            command: (*command).to_owned(),
            outcome: if error.is_some() { Outcome::Failed } else { Outcome::Done },
            error: error.map(|error| ErrorRecord::of(command, &Error::failed(error))),
            troubles: Vec::new(),
            answered: Vec::new(),
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
        for over in [asked, next] {
            let mut faults = open.clone();
            faults.follow(&over);
            assert_eq!((faults.open.len(), faults.over.len()), (0, 1));
        }
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
