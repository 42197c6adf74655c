//! Hostile models and hostile repositories, tried on the program as anybody could try them: each run under a
//! memory and a time limit, none of which may end it, in a world of which it may change nothing else.
//!
//! The files are made at run time. `GEN404_BIN` names another program to try them on; with
//! `GEN404_HOSTILE_TABLE=FILE` each run adds a line to a table (`scripts/hostile` does both).

mod bits;
mod documents;
mod drawing;
mod echoes;
mod fetched;
mod fifos;
mod glb;
pub mod harness;
mod history;
mod links;
mod network;
mod nodes;
mod packs;
mod pattern;
mod pictures;
mod rented;
mod servers;
mod sizes;
mod stores;
mod terminals;
mod textures;
mod tracked;
mod waits;

pub use self::echoes::Echo;
