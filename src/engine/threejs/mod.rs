//! What the long jobs do in a competition of three.js modules.

#[allow(dead_code, unused_imports, reason = "the tournament comes after it")]
pub(crate) mod judging;
