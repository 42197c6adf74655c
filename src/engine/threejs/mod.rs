//! What the long jobs do in a competition of three.js modules.

#[cfg_attr(not(test), allow(dead_code, reason = "the tournament comes after it"))]
pub(crate) mod judging;
