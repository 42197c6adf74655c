//! A judge's answer.

use serde::{Deserialize, Serialize};

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

/// How an answer was obtained; `None` where the server does not say, or an older version did not note it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerOrigin {
    /// The model's name by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How often the question was put until it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The tokens of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// The tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
}
