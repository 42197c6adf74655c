//! The files of a competition of Gaussian splats (December 2025): one record for each layout.
//!
//! `seed.json`, `prompts.txt` and `builds.json` are as in a competition of meshes.

pub mod config;
pub mod duels;
pub mod file;
pub mod generations;
pub mod leader;
pub mod progress;
pub mod schedule;
pub mod snapshot;
pub mod state;
pub mod submissions;
