//! The lower floors of `gen404`: [`base`], [`model`] and [`rules`]. They are a crate of their own so that the rules
//! are compiled beside the clients of the outside world, which they know nothing of. The crate `gen404` re-exports all
//! three, and tells how the floors fit together.

pub mod base;
pub mod model;
pub mod rules;

pub use gen404_module as module;
pub use gen404_python_json as python_json;
