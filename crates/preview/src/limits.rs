//! The bounds of a model, and the running account of memory and work against them.
//!
//! They are the same on every machine and at any count of threads: what counts is what the file says,
//! not what this machine has. Each was chosen such that the largest model that a miner may mean in
//! earnest (5 million small triangles with four textures of 8192 pixels) is drawn, and that whatever is
//! drawn takes less than 10 seconds and 700 MB on two cores:
//!
//! | limit | why so much |
//! |---|---|
//! | [`MAX_FILE_BYTES`] | what a download fetches unless told otherwise |
//! | [`MAX_JSON_BYTES`], [`MAX_JSON_VALUES`] | the JSON of real models has a few kB and hundreds of values; a parsed value takes up to `VALUE_BYTES`, so all together stay below 200 MB |
//! | [`MAX_MEMORY`] | 700 MB less the program, its stacks and what an allocator leaves unused |
//! | [`MAX_WORK`] | in about nanoseconds of one core: see `cost.rs` |

use super::refusal::{Checked, Refusal, RefusalCode};

/// Half the edge of the cube that a model must fit, in model units (the reference renderer's bound).
pub const BOUND: f32 = 0.6;
/// Most bytes of a file.
pub const MAX_FILE_BYTES: u64 = 200 << 20;
/// Most bytes of the JSON chunk.
pub const MAX_JSON_BYTES: usize = 16 << 20;
/// Most values in it: commas and opened brackets, which bound them, are counted before anything is parsed.
pub const MAX_JSON_VALUES: usize = 1 << 18;
/// Most triangles of a model.
pub const MAX_TRIANGLES: usize = 5_000_000;
/// Most pixels of a texture; a larger one is dropped, and the model drawn without it.
pub const MAX_TEXTURE_PIXELS: u64 = 178_956_970;
/// Longest edge of a texture in use, in pixels (the reference renderer's GL limit).
pub const MAX_TEXTURE_EDGE: u32 = 16_384;
/// Most bytes that file, decoded data, lists of triangles and pictures may take together.
pub const MAX_MEMORY: u64 = 544 << 20;
/// Most work, for views of up to the default size; larger ones may take more, as their area grows.
pub const MAX_WORK: u64 = 16_000_000_000;

/// Most bytes that a value of the JSON takes once parsed: an object with one member and no name.
pub(crate) const VALUE_BYTES: u64 = 640;
/// Most children that nodes may list together, counted anew for each parent that leads to them.
pub(crate) const MAX_NODE_STEPS: usize = 1 << 18;

/// Bytes of textures that are in memory together; of more, one is after the other, and the triangles are
/// drawn twice. Four textures of 2048 pixels fit.
const TOGETHER: u64 = 128 << 20;

/// Counts bytes and work; asked before each allocation, and each long loop, whose size the file decides.
#[derive(Debug)]
pub(crate) struct Budget {
    used: u64,
    most: u64,
    work: u64,
    most_work: u64,
    /// Bytes of textures that may be in memory together.
    pub(crate) together: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget::of(MAX_MEMORY)
    }
}

impl Budget {
    /// A budget of `most` bytes, and never more than the limit.
    pub(crate) fn of(most: u64) -> Self {
        Budget { used: 0, most: most.min(MAX_MEMORY), work: 0, most_work: MAX_WORK, together: TOGETHER }
    }

    /// Sets the most work for views of `size` pixels a side.
    pub(crate) fn set_size(&mut self, size: usize) {
        let (edge, usual) = (size as u64, u64::from(super::DEFAULT_SIZE));
        self.most_work = (MAX_WORK / (usual * usual)).saturating_mul(edge * edge).max(MAX_WORK);
    }

    /// Takes `bytes` from what is left, or refuses the model.
    pub(crate) fn take(&mut self, bytes: u64, place: impl Into<String>) -> Checked<()> {
        self.used = self.used.saturating_add(bytes);
        if self.used <= self.most {
            return Ok(());
        }
        let message = format!("it would take over {} bytes of memory", self.most);
        Err(Refusal::new(RefusalCode::DataTooLarge, place, message))
    }

    /// Gives back what was taken before and is free again.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Takes `work` from what is left, or refuses the model.
    pub(crate) fn spend(&mut self, work: u64, place: impl Into<String>) -> Checked<()> {
        self.work = self.work.saturating_add(work);
        if self.work <= self.most_work {
            return Ok(());
        }
        let message = format!("it would take over {} units of work", self.most_work);
        Err(Refusal::new(RefusalCode::DataWork, place, message))
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> u64 {
        self.most.saturating_sub(self.used)
    }

    /// Work that is left.
    pub(crate) fn work_left(&self) -> u64 {
        self.most_work.saturating_sub(self.work)
    }

    /// What has been taken so far: bytes, and work.
    pub(crate) fn taken(&self) -> (u64, u64) {
        (self.used, self.work)
    }

    /// Was more asked for than this budget holds, and would one up to the limit hold more? What a model
    /// came to under it then says nothing.
    pub(crate) fn too_small(&self) -> bool {
        self.used > self.most && self.most < MAX_MEMORY
    }
}

/// A wish to stop, looked at within every long loop. What a drawing came to after one says nothing.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a>(pub(crate) &'a (dyn Fn() -> bool + Sync));

impl Watch<'static> {
    /// Nobody stops it.
    pub(crate) const NONE: Self = Watch(&|| false);
}

impl Watch<'_> {
    /// Has somebody asked to stop?
    pub(crate) fn stopped(self) -> bool {
        (self.0)()
    }

    /// Goes on, unless somebody asked to stop. Nobody ever sees the error.
    pub(crate) fn check(self) -> Checked<()> {
        if self.stopped() { Err(Refusal::new(RefusalCode::DataWork, "", "stopped")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_all_requests_together() {
        let mut budget = Budget::default();
        assert!(budget.take(MAX_MEMORY - 1, "a").is_ok());
        assert!(budget.take(1, "b").is_ok());
        assert_eq!(budget.take(1, "c").unwrap_err().code, RefusalCode::DataTooLarge);
        assert!(Budget::default().take(u64::MAX, "d").is_err());
        assert!(budget.spend(MAX_WORK, "e").is_ok());
        assert_eq!(budget.spend(1, "f").unwrap_err().code, RefusalCode::DataWork);
    }

    #[test]
    fn only_a_budget_below_the_limit_can_be_too_small() {
        for (most, asked, too_small) in [(10, 10, false), (10, 11, true), (u64::MAX, u64::MAX, false)] {
            let mut budget = Budget::of(most);
            assert_eq!(budget.take(asked, "a").is_err(), asked > 10);
            assert_eq!(budget.too_small(), too_small, "{asked} of {most}");
        }
    }

    #[test]
    fn work_grows_with_the_picture_and_never_shrinks() {
        for (size, work) in [(16, MAX_WORK), (518, MAX_WORK), (1036, 4 * MAX_WORK)] {
            let mut budget = Budget::default();
            budget.set_size(size);
            let given = budget.work_left();
            assert!(given.abs_diff(work) < MAX_WORK / 1000, "{size}: {given}");
        }
    }
}
