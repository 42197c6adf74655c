//! What the long jobs do in a competition of three.js modules.

pub(crate) mod judging;
