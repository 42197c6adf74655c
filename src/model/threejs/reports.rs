//! `generation_reports.json`: how often a requested miner's program was run again, and how it went.

use serde::{Deserialize, Serialize};

use super::either::either;
use crate::model::file::json_file;
use crate::model::ids::Hotkey;
use crate::model::record::{Entries, record};

/// How far the runs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportOutcome {
    /// Not all repeats are there; for good, where the miner has failed in the meantime.
    Pending,
    /// All repeats are there.
    Completed,
    /// Too slow, too many failures, or no program to run.
    Rejected,
}

record! {
    /// One run of a program over the prompts.
    pub struct Repeat {
        /// Which one, from 1.
        pub repeat_index: u32,
        /// Submitted prompts that were made.
        pub generated_prompts: u64,
        /// Submitted prompts that were not.
        pub failed_prompts: u64,
        /// Seconds of its finished batches together; `null` where there were none.
        pub generation_time: Option<f64>,
    }
}

record! {
    /// A report, since round 5.
    pub struct RepeatedReport {
        /// The miner: the same as the key.
        pub hotkey: Hotkey,
        /// How far the runs are.
        pub outcome: ReportOutcome,
        /// The runs that are there.
        pub repeats: Vec<Repeat>,
        /// Why it was rejected; else empty.
        pub reason: String,
    }
}

record! {
    /// A report of one run, before round 5.
    pub struct FlatReport {
        /// The miner: the same as the key.
        pub hotkey: Hotkey,
        /// How the run went.
        pub outcome: ReportOutcome,
        /// Submitted prompts.
        pub checked_prompts: u64,
        /// Those that were not made.
        pub failed_prompts: u64,
        /// Seconds.
        pub generation_time: Option<f64>,
        /// Why it was rejected; else empty.
        pub reason: String,
    }
}

either! {
    /// A report in either layout.
    pub enum GenerationReport {
        /// Since round 5.
        "repeats" => Repeated(RepeatedReport),
        /// Before.
        else => Flat(FlatReport),
    }
}

impl GenerationReport {
    /// The miner.
    #[must_use]
    pub fn hotkey(&self) -> &Hotkey {
        match self {
            GenerationReport::Repeated(report) => &report.hotkey,
            GenerationReport::Flat(report) => &report.hotkey,
        }
    }

    /// How far the runs are.
    #[must_use]
    pub fn outcome(&self) -> ReportOutcome {
        match self {
            GenerationReport::Repeated(report) => report.outcome,
            GenerationReport::Flat(report) => report.outcome,
        }
    }

    /// Why it was rejected; else empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            GenerationReport::Repeated(report) => &report.reason,
            GenerationReport::Flat(report) => &report.reason,
        }
    }

    /// The runs that are there; the one of the older layout has no record of its own.
    #[must_use]
    pub fn repeats(&self) -> &[Repeat] {
        match self {
            GenerationReport::Repeated(report) => &report.repeats,
            GenerationReport::Flat(_) => &[],
        }
    }
}

/// The reports by hotkey.
pub type GenerationReports = Entries<Hotkey, GenerationReport>;

json_file!(GenerationReports);
