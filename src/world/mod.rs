//! Clients of the outside world (DESIGN section 7). Each is a small trait with its drivers.

pub mod builds;
pub mod chain;
mod child;
pub mod distance;
pub mod drand;
pub mod embeddings;
pub mod fetch;
pub mod git;
pub mod github_files;
pub mod http;
pub(crate) mod jsonl;
pub mod judge;
pub(crate) mod memory;
pub mod notify;
pub mod pods;
pub mod probe;
pub mod render;
pub mod stop;
pub mod store;
pub mod usage;
pub mod views;
pub mod witness;
