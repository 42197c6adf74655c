//! The bounds that hold before memory is taken, and the running count against them.

use super::refusal::{Checked, Refusal, RefusalCode};

/// Half the edge of the cube that a model must fit, in model units (the reference renderer's bound).
pub const BOUND: f32 = 0.6;
/// Most triangles of a model.
pub const MAX_TRIANGLES: usize = 5_000_000;
/// Most pixels of a texture; a larger one is dropped, and the model drawn without it.
pub const MAX_TEXTURE_PIXELS: u64 = 178_956_970;
/// Longest edge of a texture in use, in pixels (the reference renderer's GL limit).
pub const MAX_TEXTURE_EDGE: u32 = 16_384;
/// Most bytes that all decoded data of a model may take together.
pub const MAX_DECODED_BYTES: u64 = 1 << 30;

/// Counts decoded bytes; asked before each allocation whose size the file decides.
#[derive(Debug)]
pub(crate) struct Budget {
    used: u64,
    most: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget::of(MAX_DECODED_BYTES)
    }
}

impl Budget {
    /// A budget of `most` bytes, and never more than the limit.
    pub(crate) fn of(most: u64) -> Self {
        Budget { used: 0, most: most.min(MAX_DECODED_BYTES) }
    }

    /// Takes `bytes` from what is left, or refuses the model.
    pub(crate) fn take(&mut self, bytes: u64, place: impl Into<String>) -> Checked<()> {
        self.used = self.used.saturating_add(bytes);
        if self.used <= self.most {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalCode::DataTooLarge,
            place,
            format!("the decoded data would take over {} bytes", self.most),
        ))
    }

    /// Was more asked for than this budget holds, and would one up to the limit hold more? What a model
    /// came to under it then says nothing.
    pub(crate) fn too_small(&self) -> bool {
        self.used > self.most && self.most < MAX_DECODED_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_all_requests_together() {
        let mut budget = Budget::default();
        assert!(budget.take(MAX_DECODED_BYTES - 1, "a").is_ok());
        assert!(budget.take(1, "b").is_ok());
        assert_eq!(budget.take(1, "c").unwrap_err().code, RefusalCode::DataTooLarge);
        assert!(Budget::default().take(u64::MAX, "d").is_err());
    }

    #[test]
    fn only_a_budget_below_the_limit_can_be_too_small() {
        for (most, asked, too_small) in [(10, 10, false), (10, 11, true), (u64::MAX, u64::MAX, false)] {
            let mut budget = Budget::of(most);
            assert_eq!(budget.take(asked, "a").is_err(), asked > 10);
            assert_eq!(budget.too_small(), too_small, "{asked} of {most}");
        }
    }
}
