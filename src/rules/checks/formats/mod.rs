//! The checks of competitions of splats and of three.js modules. What both have in common stands in [`common`]; each
//! claim has the same id as with meshes, where the claim is the same.

mod common;
pub mod history;
mod splat;
mod threejs;
mod threejs_audits;
mod threejs_matches;

pub use splat::run as run_splat;
pub use threejs::run as run_threejs;
