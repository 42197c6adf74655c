//! A judge's answer.

/// What a judge says of two models shown one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Penalties {
    /// The first model's penalty, 0 (as the prompt) to 10 (something else).
    pub first: u8,
    /// The second model's.
    pub second: u8,
    /// What is wrong with them, in words.
    pub issues: String,
}
