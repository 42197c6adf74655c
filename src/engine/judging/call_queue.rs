//! The open judge calls in order of urgency, taken by worker threads.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use super::round::Task;
use crate::base::error::{Error, Kind, Result};
use crate::model::ids::Seed;
use crate::rules::match_in_progress::InquiryAnswer;
use crate::rules::tournament::Pair;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::{Bench, ShownAnswer};

/// A call that has come back.
pub(crate) type Returned = (Task, Result<InquiryAnswer>);

/// The open calls.
#[derive(Debug, Default)]
pub(crate) struct CallQueue {
    state: Mutex<CallQueueState>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct CallQueueState {
    calls: HashMap<Pair, VecDeque<Task>>,
    /// Matches with open calls, the most urgent first.
    order: VecDeque<Pair>,
    in_flight: usize,
    closed: bool,
}

impl CallQueue {
    /// Adds a match's calls.
    pub(crate) fn add(&self, pair: Pair, calls: Vec<Task>) {
        let mut state = self.lock();
        state.order.push_back(pair.clone());
        state.calls.insert(pair, calls.into());
        self.more.notify_all();
    }

    /// Puts the matches into this order; any others come last.
    pub(crate) fn arrange(&self, order: &[Pair]) {
        let places: HashMap<&Pair, usize> = order.iter().enumerate().map(|(at, pair)| (pair, at)).collect();
        self.lock().order.make_contiguous().sort_by_key(|pair| places.get(pair).copied().unwrap_or(order.len()));
    }

    /// Withdraws a match's open calls. Returns how many there were.
    pub(crate) fn withdraw(&self, pair: &Pair) -> usize {
        let mut state = self.lock();
        state.order.retain(|other| other != pair);
        state.calls.remove(pair).map_or(0, |calls| calls.len())
    }

    /// Withdraws all open calls. Returns how many there were.
    pub(crate) fn withdraw_all(&self) -> usize {
        let mut state = self.lock();
        state.order.clear();
        state.calls.drain().map(|(_, calls)| calls.len()).sum()
    }

    /// The number of calls in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Closes the queue; the workers end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// Takes the most urgent call, waiting if there is none. `None` once the queue is closed.
    fn take(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.next() {
                state.in_flight += 1;
                return Some(task);
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self) {
        self.lock().in_flight -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, CallQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallQueueState {
    fn next(&mut self) -> Option<Task> {
        while let Some(pair) = self.order.front() {
            if let Some(task) = self.calls.get_mut(pair).and_then(VecDeque::pop_front) {
                return Some(task);
            }
            self.calls.remove(pair);
            self.order.pop_front();
        }
        None
    }
}

/// Closes the queue on drop, even during a panic: workers waiting on an open queue would keep the scope from ending.
#[derive(Debug)]
pub(crate) struct Closing<'a>(pub(crate) &'a CallQueue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A worker: makes calls until the queue is closed. An answer is written to the journal before the next call begins, so
/// a killed process loses only the calls in flight; [`sync`] makes answers durable.
pub(crate) fn work(queue: &CallQueue, bench: &Bench, seed: Seed, returned: &Sender<Returned>) {
    while let Some(task) = queue.take() {
        let outcome = bench.answer(seed, &task.images).map(|ShownAnswer { answer, images }| InquiryAnswer {
            penalties: answer.penalties,
            origin: answer.origin,
            images,
        });
        queue.done();
        if returned.send((task, outcome)).is_err() {
            return;
        }
    }
}

/// Passes answers on once they are on disk. Answers that arrive during a sync share the next one.
pub(crate) fn sync(journal: &AnswerJournal, returned: &Receiver<Returned>, counted: &Sender<Returned>) {
    while let Ok(first) = returned.recv() {
        let batch: Vec<Returned> = std::iter::once(first).chain(returned.try_iter()).collect();
        let synced = journal.sync();
        for (task, outcome) in batch {
            let outcome = match &synced {
                Ok(()) => outcome,
                Err(error) => Err(Error::new(Kind::Failed, error.to_string())),
            };
            if counted.send((task, outcome)).is_err() {
                return;
            }
        }
    }
}
