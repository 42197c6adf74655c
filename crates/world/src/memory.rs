//! Memory shared among the threads that draw: models vary in size, and their cost shows late.
//!
//! A thread takes a share before it reads a model, and waits if none is free. Requests are served in order, so
//! that small models cannot starve a large one. What a model needs is known only once its file has been read:
//! it is drawn in a small share first, then in a larger one, and finally with all the memory, and so alone. No
//! thread asks for a share while it holds one.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::render::{Drawn, Renderer, Rendering, Room};
use crate::base::error::{Error, Result};
use crate::base::semaphore::{Permit, Semaphore, Stopped};
use crate::preview::limits::MAX_MEMORY;

/// Bytes besides the file, tried in turn: decoded data, lists of triangles, pictures.
const BESIDE: [u64; 3] = [40 << 20, 120 << 20, MAX_MEMORY];

/// The memory for drawing.
#[derive(Debug)]
pub struct Memory {
    bytes: Semaphore,
    cores: NonZeroUsize,
}

/// A part of the memory, returned on drop.
#[derive(Debug)]
pub struct Share<'a> {
    memory: &'a Memory,
    permit: Permit<'a>,
    room: u64,
}

impl Memory {
    /// This many bytes, on a machine with this many cores.
    #[must_use]
    pub fn new(bytes: u64, cores: NonZeroUsize) -> Self {
        Memory { bytes: Semaphore::new(bytes), cores }
    }

    /// This many MiB, on this machine.
    #[must_use]
    pub fn of_mib(mib: u64) -> Self {
        Memory::new(mib << 20, std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// Draws a model of `size` bytes, loaded by `read`, once there is room for it; `None` if it was stopped,
    /// which says nothing about the model.
    ///
    /// # Errors
    /// It cannot be read, or the renderer failed for a reason that is not the model's fault.
    pub fn draw(
        &self,
        renderer: &dyn Renderer,
        size: u64,
        stopped: Stopped<'_>,
        read: impl Fn() -> Result<Vec<u8>>,
    ) -> Result<Option<Rendering>> {
        if let Some(refused) = renderer.refuses(size) {
            return Ok(Some(refused));
        }
        for share in self.shares(size, stopped) {
            // Read anew in each share, so that no thread holds a model while it waits for memory.
            match share.draw(renderer, &read()?, stopped)? {
                Drawn::Done(rendering) => return Ok(Some(rendering)),
                Drawn::Stopped => return Ok(None),
                Drawn::NoRoom => {}
            }
        }
        if stopped() { Ok(None) } else { Err(Error::failed("not enough memory to draw a model")) }
    }

    /// The shares in which to try a file of `size` bytes, one after the other; the caller stops at the first
    /// that is large enough. Each is waited for until a stop is requested.
    pub fn shares<'a>(&'a self, size: u64, stopped: Stopped<'a>) -> impl Iterator<Item = Share<'a>> {
        BESIDE.into_iter().map_while(move |beside| self.take(size.saturating_add(beside).min(MAX_MEMORY), stopped))
    }

    fn take(&self, room: u64, stopped: Stopped<'_>) -> Option<Share<'_>> {
        let permit = self.bytes.acquire(room, stopped)?;
        Some(Share { memory: self, permit, room })
    }

    /// Cores are shared in proportion to memory: a model that is drawn alone gets them all.
    fn threads(&self, bytes: u64) -> NonZeroUsize {
        let part = u128::from(bytes) * self.cores.get() as u128 / u128::from(self.bytes.units().max(1));
        usize::try_from(part).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN).min(self.cores)
    }
}

impl Share<'_> {
    /// Draws a model in this share. A panic in the renderer refuses this model and affects no other.
    ///
    /// # Errors
    /// The renderer failed for a reason that is not the model's fault.
    pub fn draw(&self, renderer: &dyn Renderer, model: &[u8], stopped: Stopped<'_>) -> Result<Drawn> {
        let room = Room { bytes: self.room, threads: self.memory.threads(self.permit.units()), stopped };
        let drawn = catch_unwind(AssertUnwindSafe(|| renderer.render_in(model, room)));
        drawn.unwrap_or_else(|_| {
            let message = "the renderer failed on it".to_owned();
            Ok(Drawn::Done(Rendering::Refused { code: None, place: None, message }))
        })
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

    const GO_ON: Stopped<'static> = &|| false;

    #[test]
    fn the_last_share_is_all_the_memory_with_all_the_cores() {
        let memory = memory(320, 8);
        let share = |share: Share<'_>| (share.room, memory.threads(share.permit.units()).get());
        let rooms: Vec<(u64, usize)> = memory.shares(MIB, GO_ON).map(share).collect();
        assert_eq!(rooms, [(41 * MIB, 1), (121 * MIB, 3), (MAX_MEMORY, 8)]);
        assert_eq!(memory.bytes.free(), 320 * MIB);
    }

    /// A renderer that needs this many bytes, or has no room.
    struct Needs(u64);

    impl Renderer for Needs {
        fn name(&self) -> &'static str {
            "needs"
        }

        fn render(&self, _: &[u8]) -> Result<Rendering> {
            Ok(Rendering::Png(Vec::new()))
        }

        fn render_in(&self, model: &[u8], room: Room<'_>) -> Result<Drawn> {
            if (room.stopped)() {
                return Ok(Drawn::Stopped);
            }
            if room.bytes < self.0 { Ok(Drawn::NoRoom) } else { self.render(model).map(Drawn::Done) }
        }
    }

    #[test]
    fn a_model_is_read_again_for_each_larger_share_and_says_nothing_when_stopped() {
        let memory = memory(64, 2);
        for (needs, reads) in [(30 * MIB, 1), (100 * MIB, 2), (500 * MIB, 3)] {
            let read = AtomicU64::new(0);
            let model = || {
                read.fetch_add(1, Ordering::SeqCst);
                Ok(Vec::new())
            };
            let drawn = memory.draw(&Needs(needs), MIB, GO_ON, model).unwrap();
            assert_eq!((drawn, read.into_inner()), (Some(Rendering::Png(Vec::new())), reads));
        }
        assert_eq!(memory.draw(&Needs(0), MIB, &|| true, || Ok(Vec::new())).unwrap(), None);
    }

    #[test]
    fn a_file_larger_than_the_memory_is_drawn_alone() {
        let memory = memory(64, 2);
        let mut shares = memory.shares(200 * MIB, GO_ON);
        let share = shares.next().unwrap();
        assert_eq!((share.permit.units(), memory.bytes.free()), (64 * MIB, 0));
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
                        for share in memory.shares(n * MIB / 10, GO_ON).take(last) {
                            let now = held.fetch_add(share.permit.units(), Ordering::SeqCst) + share.permit.units();
                            most.fetch_max(now, Ordering::SeqCst);
                            std::thread::yield_now();
                            held.fetch_sub(share.permit.units(), Ordering::SeqCst);
                        }
                        drawn.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 100 * MIB);
        assert_eq!((drawn.into_inner(), memory.bytes.free()), (400, 100 * MIB));
    }
}
