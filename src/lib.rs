//! `gen404` runs and re-checks 404-GEN competitions.
#![doc = ""]

pub mod error;
pub mod rules;
pub mod state;
pub mod ui;
pub mod world;
