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
#[derive(Debug, Default)]
pub(crate) struct Budget {
    used: u64,
}

impl Budget {
    /// Takes `bytes` from what is left, or refuses the model.
    pub(crate) fn take(&mut self, bytes: u64, place: impl Into<String>) -> Checked<()> {
        self.used = self.used.saturating_add(bytes);
        if self.used <= MAX_DECODED_BYTES {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalCode::DataTooLarge,
            place,
            format!("the decoded data would take over {MAX_DECODED_BYTES} bytes"),
        ))
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
}
