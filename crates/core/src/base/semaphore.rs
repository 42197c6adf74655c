//! A weighted semaphore, for bytes of memory or for job slots.
//!
//! Requests are served in order of arrival, so that small ones cannot starve a large one. A waiting thread
//! checks regularly whether it should stop. No thread may ask while it holds a permit of the same semaphore:
//! two that do could deadlock.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting thread checks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Says whether to stop. Once it has returned true, it always does.
pub type Stopped<'a> = &'a (dyn Fn() -> bool + Sync);

/// A number of units, shared among threads.
#[derive(Debug)]
pub struct Semaphore {
    units: u64,
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug)]
struct Line {
    free: u64,
    /// Tickets of the waiting requests, oldest first.
    waiting: VecDeque<u64>,
    next: u64,
}

/// Acquired units, returned on drop.
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    units: u64,
}

impl Semaphore {
    /// A semaphore with this many units.
    #[must_use]
    pub fn new(units: u64) -> Self {
        let line = Line { free: units, waiting: VecDeque::new(), next: 0 };
        Semaphore { units, line: Mutex::new(line), moved: Condvar::new() }
    }

    /// All units, whether free or not.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units
    }

    /// The units that are free.
    pub fn free(&self) -> u64 {
        self.lock().free
    }

    /// Acquires this many units (or all of them, if more are asked for) once they are free and every earlier
    /// request has been served; `None` if it was stopped first.
    pub fn acquire(&self, units: u64, stopped: Stopped<'_>) -> Option<Permit<'_>> {
        let units = units.min(self.units);
        let mut line = self.lock();
        let ticket = line.next;
        line.next += 1;
        line.waiting.push_back(ticket);
        while line.waiting.front() != Some(&ticket) || line.free < units {
            if stopped() {
                line.waiting.retain(|waiting| *waiting != ticket);
                drop(line);
                // It may have been ahead of a request that fits: wake the others.
                self.moved.notify_all();
                return None;
            }
            let waited = self.moved.wait_timeout(line, LOOK_EVERY);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // The next request in line may fit as well: it is woken below.
        line.waiting.pop_front();
        line.free -= units;
        drop(line);
        self.moved.notify_all();
        Some(Permit { semaphore: self, units })
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The number of units it holds.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.lock().free += self.units;
        self.semaphore.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const GO_ON: Stopped<'static> = &|| false;

    fn until_waiting(semaphore: &Semaphore, count: usize) {
        while semaphore.lock().waiting.len() < count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn whoever_is_stopped_lets_the_next_one_pass() {
        let semaphore = Semaphore::new(100);
        let held = semaphore.acquire(60, GO_ON).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| semaphore.acquire(60, &|| stop.load(Ordering::SeqCst)).is_some());
            until_waiting(&semaphore, 1);
            let second = scope.spawn(|| semaphore.acquire(30, GO_ON).is_some());
            stop.store(true, Ordering::SeqCst);
            assert!(!first.join().unwrap() && second.join().unwrap());
        });
        drop(held);
        assert_eq!(semaphore.free(), 100);
    }

    #[test]
    fn a_large_request_is_not_overtaken_by_small_ones() {
        let semaphore = Semaphore::new(2);
        let served = Mutex::new(Vec::new());
        let held = semaphore.acquire(1, GO_ON).unwrap();
        std::thread::scope(|scope| {
            for (at, units) in [(0, 2), (1, 1), (2, 1)] {
                let (semaphore, served) = (&semaphore, &served);
                scope.spawn(move || {
                    let _permit = semaphore.acquire(units, GO_ON).unwrap();
                    served.lock().unwrap().push(at);
                });
                until_waiting(semaphore, at + 1);
            }
            drop(held);
        });
        assert_eq!(served.into_inner().unwrap()[0], 0);
    }

    #[test]
    fn more_than_there_is_means_all() {
        let semaphore = Semaphore::new(4);
        let permit = semaphore.acquire(9, GO_ON).unwrap();
        assert_eq!((permit.units(), semaphore.free()), (4, 0));
    }
}
