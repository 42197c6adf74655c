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
        for error in run.errors() {
            match self.open.iter_mut().find(|fault| fault.error.key == error.key) {
                // Several steps of a long run may fail alike.
                Some(fault) if fault.last == *started => fault.error = error.clone(),
                Some(fault) => {
                    fault.runs += 1;
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
    if run.errors().any(|error| error.key == fault.error.key) {
        return false;
    }
    let step = &fault.error.step;
    let succeeded = run.steps.iter().any(|tried| tried.command == *step && tried.error.is_none());
    // The same step failed in another way: that is the fault now.
    let fails_otherwise = run.errors().any(|error| error.step == *step);
    let moved = (run.round_after.or(run.round), run.stage_after.or(run.stage)) != (fault.round, fault.stage)
        && run.stage_after.or(run.stage).is_some();
    // A whole pass of `advance` tries everything that is due.
    let whole_pass = run.command == "advance" && !run.cut_short && !run.skipped.contains(step);
    let counts = !matches!(run.outcome, Outcome::Begun | Outcome::Killed);
    counts && (succeeded || fails_otherwise || moved || whole_pass)
}
