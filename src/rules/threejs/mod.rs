//! What competitions of three.js modules do otherwise: a chain of holders in place of the timeline, audits by duels
//! against what was submitted and against the holder, and a judge in four stages.

pub mod chain;
pub mod duel;
pub mod leader;
pub(crate) mod outstanding;
pub mod prompts;
pub mod reports;
pub mod stages;
