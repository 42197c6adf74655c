//! The files of a competition of three.js modules (since April 2026): one record for each layout, older ones included.
//!
//! | from round | new |
//! |---|---|
//! | 0 | `require_audit.json` without defenders, `generated.json`, `duels_submitted.json`, `verification_audits.json`, flat reports |
//! | 3 | `audit_matrix.csv` with the lefts `submitted` and `leader`, `latest_defender` |
//! | 5 | repeats: `generated_R.json`, `audit_*_R.json`, `submitted_R`, reports with repeats |
//! | 19 | `generation_audits.json` |
//! | 20 | `hardware` |
//!
//! `state.json`, `schedule.json`, `seed.json`, `prompts.txt`, `matches_matrix.csv` and `source_audit.json` are as in a
//! competition of meshes.

pub mod answers;
pub mod asked;
pub mod audit_matrix;
pub mod audits;
pub mod calls;
pub mod config;
pub mod detail;
pub mod duels;
mod either;
pub mod embeddings;
pub mod file;
pub mod outputs;
pub mod pod_stats;
pub mod programs;
pub mod reports;
pub mod snapshot;
pub mod view;
pub mod words;
