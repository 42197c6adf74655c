//! `generation_reports.json`: the repeats of requested miners' programs.

use serde::{Deserialize, Serialize};

use super::either::either;
use crate::model::file::json_file;
use crate::model::ids::Hotkey;
use crate::model::record::{Entries, record};

/// How far the repeats have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportOutcome {
    /// Not all repeats are there. It stays so if the miner failed in the meantime.
    Pending,
    /// All repeats are there.
    Completed,
    /// Too slow, too many failures, or no program to run.
    Rejected,
}

record! {
    /// One repeat: a run of a program over the prompts.
    pub struct Repeat {
        /// Which one, from 1.
        pub repeat_index: u32,
        /// Submitted prompts that were generated.
        pub generated_prompts: u64,
        /// Submitted prompts that were not.
        pub failed_prompts: u64,
        /// Seconds of its finished batches together; `null` if there were none.
        pub generation_time: Option<f64>,
    }
}

record! {
    /// A report, since round 5.
    pub struct RepeatedReport {
        /// The miner: the same as the key.
        pub hotkey: Hotkey,
        /// How far the repeats have come.
        pub outcome: ReportOutcome,
        /// The repeats so far.
        pub repeats: Vec<Repeat>,
        /// Why it was rejected; otherwise empty.
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
        /// Those that were not generated.
        pub failed_prompts: u64,
        /// Seconds.
        pub generation_time: Option<f64>,
        /// Why it was rejected; otherwise empty.
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

    /// How far the repeats have come.
    #[must_use]
    pub fn outcome(&self) -> ReportOutcome {
        match self {
            GenerationReport::Repeated(report) => report.outcome,
            GenerationReport::Flat(report) => report.outcome,
        }
    }

    /// Why it was rejected; otherwise empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            GenerationReport::Repeated(report) => &report.reason,
            GenerationReport::Flat(report) => &report.reason,
        }
    }

    /// The repeats so far; the older layout has no record of its one run.
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
