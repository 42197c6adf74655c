//! What is different in competitions of three.js modules: a chain of holders instead of the timeline, audits by duels
//! against what was submitted and against the holder, and a judge in four stages.

pub(crate) mod admission;
pub mod audit_duels;
pub(crate) mod builds;
pub mod chain;
pub mod course;
pub(crate) mod download;
pub(crate) mod due;
pub mod duel;
pub mod known;
pub mod leader;
pub(crate) mod module;
pub(crate) mod opening;
pub(crate) mod outstanding;
pub mod prompts;
pub(crate) mod repeats;
pub mod reports;
pub mod requests;
pub(crate) mod results;
pub(crate) mod sides;
pub mod staged;
pub mod stages;
pub mod thresholds;
pub mod verdicts;
