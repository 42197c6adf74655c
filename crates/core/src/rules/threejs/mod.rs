//! What is different in competitions of three.js modules: a chain of holders instead of the timeline, audits by duels
//! against what was submitted and against the holder, and a judge in four stages.

pub mod admission;
pub mod audit_duels;
pub mod builds;
pub mod chain;
pub mod course;
pub mod download;
pub mod due;
pub mod duel;
pub mod known;
pub mod leader;
pub mod module;
pub mod opening;
pub mod outstanding;
pub mod prompts;
pub mod rejudge;
pub mod repeats;
pub mod reports;
pub mod requests;
pub mod results;
pub mod sides;
pub mod staged;
pub mod stages;
pub mod thresholds;
pub mod verdicts;
