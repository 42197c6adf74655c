//! The open judge calls in order of urgency, taken by worker threads. What a call is, and to what it belongs (a match),
//! is up to the format.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::world::judge::journal::AnswerJournal;

/// A call that has come back.
pub(crate) type Returned<T, A> = (T, Result<A>);

/// The open calls.
#[derive(Debug)]
pub(crate) struct CallQueue<K, T> {
    state: Mutex<CallQueueState<K, T>>,
    more: Condvar,
}

/// Where a call stands: by its match, by its own urgency there, and by its age.
type Rank = (usize, Reverse<u8>, u64);

#[derive(Debug)]
struct CallQueueState<K, T> {
    calls: BTreeMap<Rank, (K, T)>,
    /// The places of matches; those that have none come last.
    places: HashMap<K, usize>,
    /// The number of calls so far: their age.
    added: u64,
    in_flight: usize,
    closed: bool,
}

impl<K, T> Default for CallQueue<K, T> {
    fn default() -> Self {
        let state =
            CallQueueState { calls: BTreeMap::new(), places: HashMap::new(), added: 0, in_flight: 0, closed: false };
        CallQueue { state: Mutex::new(state), more: Condvar::new() }
    }
}

impl<K: Clone + Eq + Hash, T> CallQueue<K, T> {
    /// Adds calls of a match, each with its urgency among them: the higher, the sooner.
    pub(crate) fn add(&self, match_key: &K, calls: impl IntoIterator<Item = (u8, T)>) {
        let mut state = self.lock();
        let place = state.place(match_key);
        for (urgency, call) in calls {
            let rank = (place, Reverse(urgency), state.added);
            state.added += 1;
            state.calls.insert(rank, (match_key.clone(), call));
        }
        self.more.notify_all();
    }

    /// Puts the matches into this order; any others come last.
    pub(crate) fn arrange(&self, order: &[K]) {
        let mut state = self.lock();
        state.places = order.iter().enumerate().map(|(at, key)| (key.clone(), at)).collect();
        let calls = std::mem::take(&mut state.calls);
        for ((_, urgency, age), (key, call)) in calls {
            let rank = (state.place(&key), urgency, age);
            state.calls.insert(rank, (key, call));
        }
    }

    /// Withdraws a match's open calls. Returns how many there were.
    pub(crate) fn withdraw(&self, match_key: &K) -> usize {
        let mut state = self.lock();
        let before = state.calls.len();
        state.calls.retain(|_, (key, _)| key != match_key);
        before - state.calls.len()
    }

    /// Withdraws all open calls. Returns how many there were.
    pub(crate) fn withdraw_all(&self) -> usize {
        std::mem::take(&mut self.lock().calls).len()
    }

    /// The number of calls in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Takes the most urgent call, waiting if there is none. `None` once the queue is closed.
    fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((_, (_, call))) = state.calls.pop_first() {
                state.in_flight += 1;
                return Some(call);
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self) {
        self.lock().in_flight -= 1;
    }
}

impl<K, T> CallQueue<K, T> {
    /// Closes the queue; the workers end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, CallQueueState<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, T> CallQueueState<K, T> {
    fn place(&self, match_key: &K) -> usize {
        self.places.get(match_key).copied().unwrap_or(usize::MAX)
    }
}

/// Closes the queue on drop, even during a panic: workers waiting on an open queue would keep the scope from ending.
#[derive(Debug)]
pub(crate) struct Closing<'a, K, T>(pub(crate) &'a CallQueue<K, T>);

impl<K, T> Drop for Closing<'_, K, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A worker: makes calls until the queue is closed. An answer is written to the journal before the next call begins, so
/// a killed process loses only the calls in flight; [`sync`] makes answers durable.
pub(crate) fn work<K: Clone + Eq + Hash, T, A>(
    queue: &CallQueue<K, T>,
    returned: &Sender<Returned<T, A>>,
    make: impl Fn(&T) -> Result<A>,
) {
    while let Some(call) = queue.take() {
        let outcome = make(&call);
        queue.done();
        if returned.send((call, outcome)).is_err() {
            return;
        }
    }
}

/// Passes answers on once they are on disk. Answers that arrive during a sync share the next one.
pub(crate) fn sync<T, A>(
    journal: &AnswerJournal,
    returned: &Receiver<Returned<T, A>>,
    counted: &Sender<Returned<T, A>>,
) {
    while let Ok(first) = returned.recv() {
        let batch: Vec<Returned<T, A>> = std::iter::once(first).chain(returned.try_iter()).collect();
        let synced = journal.sync();
        for (call, outcome) in batch {
            let outcome = match &synced {
                Ok(()) => outcome,
                Err(error) => Err(Error::new(Kind::Failed, error.to_string())),
            };
            if counted.send((call, outcome)).is_err() {
                return;
            }
        }
    }
}

/// The judge counts as down after at least this many failed calls in a row, from this many matches. Several matches are
/// required because all calls of one match fail if a miner's images cannot be fetched.
const DOWN: (usize, usize) = (4, 3);

/// The matches of the calls that have failed since the last answer.
#[derive(Debug)]
pub(crate) struct FailedInARow<K>(Vec<K>);

impl<K> Default for FailedInARow<K> {
    fn default() -> Self {
        FailedInARow(Vec::new())
    }
}

impl<K: Ord> FailedInARow<K> {
    /// A call was answered.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// A call of this match has failed; `concurrency` are in flight. Is the judge down?
    pub(crate) fn add(&mut self, match_key: K, concurrency: usize) -> bool {
        self.0.push(match_key);
        let (calls, matches) = DOWN;
        let failed: BTreeSet<&K> = self.0.iter().collect();
        self.0.len() >= calls.max(concurrency) && failed.len() >= matches
    }
}

/// How far the judging is: matches done and in all, and how the calls go.
pub(crate) fn progress(done: usize, all: usize, in_flight: usize, faults: u64) -> String {
    let (calls, faults) = (counted(in_flight, "call", "calls"), counted(faults, "fault", "faults"));
    format!("{done}/{all} matches, {calls} in flight, {faults}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(queue: &CallQueue<&'static str, u32>) -> Vec<u32> {
        let waiting = queue.lock().calls.len();
        (0..waiting).filter_map(|_| queue.take()).collect()
    }

    #[test]
    fn calls_go_by_match_then_urgency_then_age() {
        let queue = CallQueue::default();
        queue.arrange(&["b", "a"]);
        queue.add(&"c", [(9, 30)]);
        queue.add(&"a", [(1, 20), (2, 21), (1, 22)]);
        queue.add(&"b", [(1, 10), (1, 11)]);
        queue.add(&"b", [(3, 12)]);
        assert_eq!(taken(&queue), [12, 10, 11, 21, 20, 22, 30]);
    }

    #[test]
    fn matches_are_rearranged_and_withdrawn() {
        let queue = CallQueue::default();
        queue.add(&"a", [(1, 20), (1, 21)]);
        queue.add(&"b", [(1, 10)]);
        queue.add(&"c", [(1, 30), (1, 31)]);
        queue.arrange(&["c", "b"]);
        assert_eq!((queue.withdraw(&"c"), queue.withdraw(&"c")), (2, 0));
        queue.add(&"c", [(1, 32)]);
        assert_eq!(taken(&queue), [32, 10, 20, 21]);
        queue.add(&"a", [(1, 1)]);
        assert_eq!((queue.withdraw_all(), queue.in_flight()), (1, 4));
        queue.close();
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn one_bad_match_does_not_take_the_judge_down() {
        let mut failed = FailedInARow::default();
        assert!((0..20).all(|_| !failed.add("a", 4)));
        assert!(!failed.add("b", 4) && failed.add("c", 4));
        failed.clear();
        assert!(!failed.add("a", 4) && !failed.add("b", 4) && !failed.add("c", 4) && failed.add("c", 4));
        assert!(!failed.add("c", 16));
    }
}
