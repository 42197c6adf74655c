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
//! | [`model`] | the contents of the repository: a type per file and identifier, the store; values shared by rules and clients | network, clock |
//! | [`preview`] | a model's preview: model bytes in, PNG bytes out; its own crate | disk, network, clock, the rest of the crate |
//! | [`module`] | the static rules of a three.js module: text in, failures out; its own crate | disk, network, clock, the rest of the crate |
//! | [`rules`] | the stage machine, the rules, the checks of `verify`: pure functions | disk, network, clock |
//! | [`world`] | the chain, git, and every other client of the outside world; its own crate | rules |
//! | [`settings`] | `gen404.toml`, and the flags that override it | what they are used for |
//! | `engine` | the long jobs: fetching, judging, regenerating, checking, gathering facts; the one place that applies plans | the command line |
//! | `report` | the pages of a report | network |
//! | `sandbox` | a competition played on one machine | |
//! | [`commands`] | one file per subcommand: gather facts, call a rule or an engine, apply the plan | |
//!
//! Beside them: [`python_json`] (JSON as Python reads it; its own crate), [`ui`] (everything that is printed), [`cli`] (flags and help).
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
//! | open | `open` | the chain | `submissions.json` so far |
//! | open, at its end | `reveal-seed` | the chain, drand | `submissions.json`, `seed.json`, `prompts.txt`; `winner.json` if there are no submissions |
//! | miner_generation to duels | `builds` | GitHub or a registry | `builds.json` |
//! | miner_generation to duels | `baseline` | pods, the object store | `generated.json`, `pod_stats.json`, `SHA256SUMS` in `leader/` |
//! | after the deadline | `download` | miners' servers, the object store | `submitted.json`, `refusals.json` and `SHA256SUMS` of each miner |
//! | duels | `duel` | the judge | `question.toml`, `answers_<left>.jsonl`, `duels_<left>.json`, `matches_matrix.csv`, `require_audit.json`, at the end `winner.json` |
//! | duels | `audit` | pods, the object store, distances | `generated.json`, `pod_stats.json`, `SHA256SUMS`, `generation_audits.json` |
//! | finalizing | `finalize` | the chain's block | `leader.json`, the next round's `schedule.json` |
//!
//! `advance` runs what is due of these; `verify` and `report` read them all; `sandbox` plays them all on
//! one machine.
//!
//! [`rules::stage_table`] is that machine as a table, [`model::kinds`] the table of files; [`rules::stages`] says what is
//! due. A command reads the files, asks a rule, and gets a
//! [`rules::Plan`]: files to write and a commit message. One place applies plans, `state.json`
//! last, so that a run killed at any point leaves a state from which the same command completes.

pub mod cli;
pub mod commands;
mod engine;
mod report;
mod sandbox;
pub mod settings;
pub mod ui;

pub use gen404_core::{base, model, rules};
pub use gen404_module as module;
pub use gen404_preview as preview;
pub use gen404_python_json as python_json;
pub use gen404_world as world;
