//! `gen404` runs and re-checks 404-GEN competitions: open contests in which miners on Bittensor
//! subnet 17 submit image-to-3D programs, a vision model judges their models in pairwise duels,
//! and the best program leads. All state of a competition is a git repository of small files.
//!
//! # The floors
//!
//! Each floor imports only those above it in this table; `tests/suite/floors.rs` holds this.
//!
//! | floor | holds | knows nothing of |
//! |---|---|---|
//! | [`base`] | errors, guarded files, URLs, hex, a semaphore, text for terminals | competitions |
//! | [`model`] | what lies in the repository: a type per file and identifier, the store; values that rules and clients share | network, clock |
//! | [`preview`] | the picture of a model: its bytes in, PNG bytes out; a crate of its own | disk, network, clock, the rest of us |
//! | [`rules`] | the stage machine, the rules, the checks of `verify`: pure functions | disk, network, clock |
//! | [`world`] | the chain, git, and every other client of the outside | rules |
//! | [`settings`] | `gen404.toml`, and the flags that override it | what is done with them |
//! | `engine` | the long jobs: fetching, judging, regenerating, gathering facts; the one place that applies plans | the command line |
//! | `report` | the pages of a report | network |
//! | `sandbox` | a competition played on one machine | |
//! | [`commands`] | one file a subcommand: gather facts, call a rule or an engine, apply the plan | |
//!
//! Beside them: [`python_json`] (JSON as Python reads it; a crate of its own), [`ui`] (all that is printed), [`cli`] (flags and help).
//!
//! # A round
//!
//! ```text
//! FINALIZING -> OPEN -> MINER_GENERATION -> DOWNLOADING -> DUELS -> FINALIZING
//!      \-> FINISHED            (PAUSED from and to any stage, by hand)
//! ```
//!
//! | stage | command | asks | writes |
//! |---|---|---|---|
//! | open | `open`, at the end `reveal-seed` | the chain, drand | `submissions.json`, `seed.json`, `prompts.txt` |
//! | miner_generation to duels | `builds` | GitHub or a registry | `builds.json` |
//! | miner_generation to duels | `baseline` | pods, the object store | `leader/generated.json` |
//! | after the deadline | `download` | miners' servers, the object store | `submitted.json` and `SHA256SUMS` of each miner |
//! | duels | `duel` | the judge | reports, `matches_matrix.csv`, `require_audit.json`, at the end `winner.json` |
//! | duels | `audit` | pods, the object store, distances | `generated.json`, `generation_audits.json` |
//! | finalizing | `finalize` | the chain's block | `leader.json`, the next round's `schedule.json` |
//!
//! `advance` runs what is due of these; `verify` and `report` read them all; `sandbox` plays them all on
//! one machine.
//!
//! `rules::stages` is that machine. A command reads the files, asks a rule, and gets a
//! [`rules::Plan`]: files to write and a commit message. One place applies plans, `state.json`
//! last, so that a kill at any point leaves a state from which the same command completes.

pub mod base;
pub mod cli;
pub mod commands;
mod engine;
pub mod model;
mod report;
pub mod rules;
mod sandbox;
pub mod settings;
pub mod ui;
pub mod world;

pub use gen404_preview as preview;
pub use gen404_python_json as python_json;
