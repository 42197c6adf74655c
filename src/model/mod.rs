//! Ground floor: what lies in the competition's repository. Disk only: no network, no clock.
//!
//! [`mod@file`] lists every file and its path; there is one module a file type, all made with
//! [`record`]; [`mod@format`] holds those that depend on the competition's format. [`ids`] holds a type per identifier. [`store`] writes, [`lock`] keeps others out,
//! and [`snapshot`] reads a whole competition at once.

pub mod beacon;
pub(crate) mod bounds;
pub mod builds;
pub mod config;
pub mod file;
pub mod format;
pub mod generation_audits;
pub(crate) mod history;
pub mod ids;
pub(crate) mod image;
pub mod leader;
pub(crate) mod limits;
pub mod lock;
pub mod matrix;
pub mod neutral;
pub mod objects;
pub(crate) mod observation;
pub mod outputs;
pub(crate) mod penalties;
pub(crate) mod pod_stats;
pub mod prompts;
pub mod record;
pub mod report;
pub mod require_audit;
pub mod reveal;
pub mod schedule;
pub(crate) mod seed;
pub mod snapshot;
pub(crate) mod source_audit;
pub mod splat;
pub mod stage;
pub mod store;
pub mod submissions;
pub(crate) mod sums;
pub mod threejs;
pub(crate) mod thresholds;
pub(crate) mod tree;
pub mod winner;
