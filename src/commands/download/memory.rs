//! Memory shared among the threads that draw: models are many sizes, and what is in one shows late.
//!
//! A thread takes a share before it reads a model, and waits where none is left; whoever asked first is
//! served first, so that a large model is not kept waiting by small ones. What a model takes once decoded
//! is only known on the way: it is drawn in a small share first, then in a larger one, and at last
//! with all the memory there is, and so alone. No thread asks for a share while it holds one.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::preview::limits::MAX_DECODED_BYTES;
use crate::world::render::Room;

/// Bytes of decoded data that are tried in turn.
const DECODED: [u64; 3] = [24 << 20, 96 << 20, MAX_DECODED_BYTES];

/// What drawing takes beside the file and its decoded data: the picture at twice its size, its views and tiles.
const PICTURE: u64 = 24 << 20;

/// The memory for drawing.
#[derive(Debug)]
pub(super) struct Memory {
    all: u64,
    cores: NonZeroUsize,
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug)]
struct Line {
    free: u64,
    waiting: VecDeque<u64>,
    next: u64,
}

/// A part of it, given back when dropped.
pub(super) struct Share<'a> {
    memory: &'a Memory,
    bytes: u64,
    room: Room,
}

impl Memory {
    /// So many bytes, on a machine with so many cores.
    pub(super) fn new(bytes: u64, cores: NonZeroUsize) -> Self {
        let line = Line { free: bytes, waiting: VecDeque::new(), next: 0 };
        Memory { all: bytes, cores, line: Mutex::new(line), moved: Condvar::new() }
    }

    /// The shares in which a file of `size` bytes is to be drawn, one after the other: the first in which
    /// there is room for it is the last. Each is waited for.
    pub(super) fn shares(&self, size: u64) -> impl Iterator<Item = Share<'_>> {
        DECODED.into_iter().map(move |decoded| self.take(size, decoded))
    }

    fn take(&self, size: u64, decoded: u64) -> Share<'_> {
        let bytes = size.saturating_add(decoded).saturating_add(PICTURE).min(self.all);
        let mut line = self.lock();
        let ticket = line.next;
        line.next += 1;
        line.waiting.push_back(ticket);
        while line.waiting.front() != Some(&ticket) || line.free < bytes {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.waiting.pop_front();
        line.free -= bytes;
        drop(line);
        self.moved.notify_all();
        Share { memory: self, bytes, room: Room { bytes: decoded, threads: self.threads(bytes) } }
    }

    /// The cores are shared as the memory is: a model that is drawn alone has them all.
    fn threads(&self, bytes: u64) -> NonZeroUsize {
        let part = u128::from(bytes) * self.cores.get() as u128 / u128::from(self.all.max(1));
        usize::try_from(part).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN).min(self.cores)
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share<'_> {
    /// What may be used of the machine.
    pub(super) fn room(&self) -> Room {
        self.room
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.memory.lock().free += self.bytes;
        self.memory.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn memory(mib: u64, cores: usize) -> Memory {
        Memory::new(mib * MIB, NonZeroUsize::new(cores).unwrap())
    }

    #[test]
    fn the_last_share_is_all_the_memory_with_all_the_cores() {
        let memory = memory(320, 8);
        let rooms: Vec<(u64, usize)> =
            memory.shares(MIB).map(|share| (share.room().bytes, share.room().threads.get())).collect();
        assert_eq!(rooms, [(24 * MIB, 1), (96 * MIB, 3), (MAX_DECODED_BYTES, 8)]);
        assert_eq!(memory.lock().free, 320 * MIB);
    }

    #[test]
    fn a_file_larger_than_the_memory_is_drawn_alone() {
        let memory = memory(64, 2);
        let mut shares = memory.shares(200 * MIB);
        let share = shares.next().unwrap();
        assert_eq!((share.bytes, memory.lock().free), (64 * MIB, 0));
    }

    #[test]
    fn threads_together_never_hold_more_than_there_is_and_the_large_get_their_turn() {
        let memory = memory(100, 2);
        let (held, most, drawn) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (memory, held, most, drawn) = (&memory, &held, &most, &drawn);
                scope.spawn(move || {
                    for n in 0..50 {
                        let last = if (thread + n) % 7 == 0 { 3 } else { 1 };
                        for share in memory.shares(n * MIB / 10).take(last) {
                            let now = held.fetch_add(share.bytes, Ordering::SeqCst) + share.bytes;
                            most.fetch_max(now, Ordering::SeqCst);
                            std::thread::yield_now();
                            held.fetch_sub(share.bytes, Ordering::SeqCst);
                        }
                        drawn.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 100 * MIB);
        assert_eq!((drawn.into_inner(), memory.lock().free), (400, 100 * MIB));
    }
}
