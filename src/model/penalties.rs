//! A judge's answer.

/// A judge's answer on two models, in the order shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Penalties {
    /// The first model's penalty, 0 (matches the prompt) to 10 (something else).
    pub first: u8,
    /// The second model's.
    pub second: u8,
    /// Their faults, in words.
    pub issues: String,
}
