//! The floor `world` of `gen404`: clients of the outside world (DESIGN section 7). Each is a small trait with its
//! drivers. They are a crate of their own so that what is above them is compiled beside them. The crate `gen404`
//! re-exports it, and tells how the floors fit together.

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
pub mod jsonl;
pub mod judge;
pub mod memory;
pub mod notify;
pub mod pods;
pub mod probe;
pub mod render;
pub mod stop;
pub mod store;
pub mod usage;
pub mod views;
pub mod witness;

pub use gen404_core::{base, model};
pub use gen404_preview as preview;
