//! Ground floor: the contents of the competition's repository. Disk only: no network, no clock.
//!
//! [`mod@file`] lists every file and its path. Each file type has a module, made with [`record`];
//! [`mod@format`] holds those that depend on the competition's format. [`ids`] has a type per identifier.
//! [`store`] writes files, [`lock`] keeps other processes out, and [`snapshot`] reads a whole competition.

pub mod answers;
pub mod beacon;
pub mod bounds;
pub mod builds;
pub mod config;
pub mod exact;
pub mod file;
pub mod file_path;
pub mod format;
pub mod generation_audits;
pub mod history;
pub mod ids;
pub mod image;
pub mod image_ref;
pub mod kinds;
pub mod leader;
pub mod leases;
pub mod limits;
pub mod lock;
pub mod matrix;
pub mod neutral;
pub mod objects;
pub mod observation;
pub mod outputs;
pub mod penalties;
pub mod pod_stats;
pub mod prompts;
pub mod question;
pub mod record;
pub mod refusals;
pub mod report;
pub mod require_audit;
pub mod reveal;
pub mod schedule;
pub mod seed;
pub mod signing;
pub mod snapshot;
pub mod source_audit;
pub mod splat;
pub mod stage;
pub mod store;
pub mod submissions;
pub mod sums;
pub mod threejs;
pub mod thresholds;
pub mod tree;
pub mod winner;
