//! Work split over threads such that the split never shows: results come back in input order.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads may work at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads(pub(crate) NonZeroUsize);

impl Threads {
    /// Threads for `count` equal jobs side by side, and for the work within each.
    pub(crate) fn split(self, count: usize) -> (Self, Self) {
        let outer = self.0.min(NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN));
        let inner = NonZeroUsize::new(self.0.get() / outer).unwrap_or(NonZeroUsize::MIN);
        (Self(outer), Self(inner))
    }

    /// Calls `job` for 0 to `count` - 1 and returns the results in that order.
    pub(crate) fn map<T: Send>(self, count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
        self.map_with(count, || (), |(), i| job(i))
    }

    /// Calls `job` for each `chunk` of `target` with the place of its first item.
    pub(crate) fn fill<T: Send>(self, target: &mut [T], chunk: usize, job: impl Fn(usize, &mut [T]) + Sync) {
        let jobs = target.len().div_ceil(chunk);
        let parts = Mutex::new(target.chunks_mut(chunk).enumerate());
        self.map(jobs, |_| {
            let part = parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
            if let Some((i, part)) = part {
                job(i * chunk, part);
            }
        });
    }

    /// Like [`map`](Self::map), with scratch space that each thread makes once with `scratch`.
    pub(crate) fn map_with<S, T: Send>(
        self,
        count: usize,
        scratch: impl Fn() -> S + Sync,
        job: impl Fn(&mut S, usize) -> T + Sync,
    ) -> Vec<T> {
        let workers = self.0.get().min(count);
        if workers <= 1 {
            let mut space = scratch();
            return (0..count).map(|i| job(&mut space, i)).collect();
        }
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(count));
        let work = || {
            let mut space = scratch();
            let mut mine = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    break;
                }
                mine.push((i, job(&mut space, i)));
            }
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(&mut mine);
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.sort_unstable_by_key(|(i, _)| *i);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        for threads in [1, 2, 8, 100] {
            let threads = Threads(NonZeroUsize::new(threads).unwrap());
            assert_eq!(threads.map(50, |i| i * i), (0..50).map(|i| i * i).collect::<Vec<_>>());
            assert!(threads.map(0, |i| i).is_empty());
            let mut filled = vec![0; 50];
            threads.fill(&mut filled, 7, |first, part| part.iter_mut().enumerate().for_each(|(i, v)| *v = first + i));
            assert_eq!(filled, (0..50).collect::<Vec<_>>());
        }
    }
}
