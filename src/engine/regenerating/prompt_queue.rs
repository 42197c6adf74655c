//! One player's regeneration in progress: its open prompts, its results, and the journal of both.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::RegenerationJob;
use crate::base::error::Result;
use crate::engine::regenerating::workdir::AuditWorkdir;
use crate::model::ids::{PromptStem, Seed};
use crate::model::outputs::Outputs;
use crate::rules::regeneration::{Arrival, AttemptOutcome, Progress, RegenerationMark, Unmeasured};
use crate::world::jsonl::JsonlJournal;

/// How often a waiting pod checks whether the run is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A player's open prompts, taken by the pods.
#[derive(Debug)]
pub(crate) struct PromptQueue {
    pub(crate) workdir: AuditWorkdir,
    state: Mutex<PromptQueueState>,
    changed: Condvar,
}

#[derive(Debug)]
struct PromptQueueState {
    progress: Progress,
    journal: JsonlJournal,
    /// Not tried in this run yet, in order.
    fresh: VecDeque<PromptStem>,
    /// To be retried, each with the pod that tried it last.
    again: VecDeque<(PromptStem, String)>,
    /// Attempts whose outcome does not count yet.
    out: usize,
    /// Pods ordered in this run.
    ordered: usize,
    closed: bool,
}

/// What a pod does next.
#[derive(Debug)]
pub(crate) enum NextAttempt {
    /// This attempt.
    Attempt(u32, PromptStem),
    /// Nothing is open, but the pod's own attempts may still fail and reopen a prompt.
    Own,
    /// Nothing more will come.
    Over,
}

impl PromptQueue {
    /// Opens a player's queue from the journal and the recorded outputs.
    pub(crate) fn open(
        workdir: AuditWorkdir,
        job: &RegenerationJob,
        seed: Seed,
        recorded: Option<&Outputs>,
        mut progress: Progress,
    ) -> Result<PromptQueue> {
        let (mut journal, marks) = workdir.open()?;
        let elsewhere = marks.is_empty();
        marks.into_iter().for_each(|mark| progress.take(mark));
        let mut take = |progress: &mut Progress, mark: RegenerationMark| -> Result<()> {
            journal.append(&mark)?;
            progress.take(mark);
            Ok(())
        };
        if !progress.has_begun(&job.image, seed) {
            take(&mut progress, RegenerationMark::Begun { image: job.image.clone(), seed })?;
        }
        for mark in recorded.filter(|_| elsewhere).map(|recorded| progress.unknown(recorded)).unwrap_or_default() {
            take(&mut progress, mark)?;
        }
        if job.retry {
            take(&mut progress, RegenerationMark::Reopened)?;
        }
        let arrived: Vec<u32> = progress.arrivals().iter().map(|arrival| arrival.number).collect();
        workdir.clear(&arrived)?;
        let (fresh, again) = (progress.open().into(), VecDeque::new());
        let state = PromptQueueState { progress, journal, fresh, again, out: 0, ordered: 0, closed: false };
        Ok(PromptQueue { workdir, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Reads from the progress.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Progress) -> T) -> T {
        look(&self.lock().progress)
    }

    /// Answers that an earlier run received but did not store.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.look(Progress::arrivals)
    }

    /// Previews whose distance is unknown.
    pub(crate) fn unmeasured(&self) -> Vec<Unmeasured> {
        self.look(Progress::unmeasured)
    }

    /// Notes a mark that counts at once.
    pub(crate) fn take(&self, mark: RegenerationMark) -> Result<()> {
        let mut state = self.lock();
        state.journal.append(&mark)?;
        state.progress.take(mark);
        // The mark may have settled prompts that are still queued.
        let open: VecDeque<PromptStem> = std::mem::take(&mut state.fresh);
        state.fresh = open.into_iter().filter(|stem| state.progress.is_open(stem)).collect();
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Notes a mark that counts later, in its turn.
    pub(crate) fn note(&self, mark: &RegenerationMark) -> Result<()> {
        self.lock().journal.append(mark)
    }

    /// Names an ordered pod.
    pub(crate) fn new_pod(&self, provider: &str) -> Result<String> {
        let mut state = self.lock();
        state.ordered += 1;
        let pod = match provider {
            // An already running program is the same pod in every run.
            "endpoint" => format!("{provider}-{}", state.ordered),
            _ => state.progress.next_pod(provider),
        };
        let mark = RegenerationMark::Pod { pod: pod.clone() };
        state.journal.append(&mark)?;
        state.progress.take(mark);
        Ok(pod)
    }

    /// Is there work for another pod?
    pub(crate) fn has_work(&self) -> bool {
        let state = self.lock();
        let waiting = state.fresh.len() + state.again.len();
        waiting > 0 && !state.is_over()
    }

    /// The number of prompts that need an attempt.
    pub(crate) fn open_prompts(&self) -> usize {
        self.look(|progress| progress.open().len())
    }

    /// What this pod does next, given that `own` of its attempts do not count yet. Waits while other pods may reopen a
    /// prompt.
    pub(crate) fn next(&self, pod: &str, own: usize, is_stopping: impl Fn() -> bool) -> NextAttempt {
        let mut state = self.lock();
        loop {
            if state.is_over() || is_stopping() || state.progress.is_bad(pod) {
                return NextAttempt::Over;
            }
            if let Some(stem) = state.pick(pod) {
                state.out += 1;
                return NextAttempt::Attempt(state.progress.number(), stem);
            }
            if own > 0 {
                return NextAttempt::Own;
            }
            if state.out == 0 {
                return NextAttempt::Over;
            }
            state = self.changed.wait_timeout(state, LOOK_AGAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Counts an attempt's outcome, which is already in the journal.
    pub(crate) fn count(&self, number: u32, stem: &PromptStem, pod: &str, outcome: AttemptOutcome) {
        let mut state = self.lock();
        state.out = state.out.saturating_sub(1);
        state.progress.take(RegenerationMark::Tried { number, stem: stem.clone(), pod: pod.to_owned(), outcome });
        if state.progress.is_open(stem) {
            state.again.push_back((stem.clone(), pod.to_owned()));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Returns the prompt of an interrupted attempt, which does not count.
    pub(crate) fn give_back(&self, stem: PromptStem) {
        let mut state = self.lock();
        state.out = state.out.saturating_sub(1);
        state.fresh.push_front(stem);
        drop(state);
        self.changed.notify_all();
    }

    /// Lets no further attempts begin.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Marks that no pod is left to generate the rest.
    pub(crate) fn exhaust(&self) {
        self.lock().progress.exhaust();
    }

    fn lock(&self) -> MutexGuard<'_, PromptQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PromptQueueState {
    fn is_over(&self) -> bool {
        self.closed || self.progress.is_decided()
    }

    /// Picks a prompt: first those that failed on another pod, then untried ones, then those that failed on this pod.
    fn pick(&mut self, pod: &str) -> Option<PromptStem> {
        if let Some(at) = self.again.iter().position(|(_, last)| last != pod) {
            return self.again.remove(at).map(|(stem, _)| stem);
        }
        self.fresh.pop_front().or_else(|| self.again.pop_front().map(|(stem, _)| stem))
    }
}
