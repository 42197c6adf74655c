//! `rounds/N/generation_audits.json`: the verdicts on regenerated outputs.

use serde::{Deserialize, Serialize};

use super::file::json_file;
use super::ids::Hotkey;
use super::record::{Entries, record};

/// The outcome of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// Not decided yet.
    Pending,
    /// The program makes what the miner submitted.
    Passed,
    /// The program does not, or does so too slowly.
    Rejected,
}

impl AuditOutcome {
    /// The name that files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AuditOutcome::Pending => "pending",
            AuditOutcome::Passed => "passed",
            AuditOutcome::Rejected => "rejected",
        }
    }
}

record! {
    /// One miner's audit.
    pub struct GenerationAudit {
        /// The miner: the same as the key.
        pub hotkey: Hotkey,
        /// The outcome.
        pub outcome: AuditOutcome,
        /// Prompts that were checked.
        pub checked_prompts: usize,
        /// Mismatches among the non-critical prompts.
        pub failed_prompts: usize,
        /// Mismatches among the critical prompts.
        pub failed_critical: usize,
        /// Trimmed median of the generation times in seconds, or `null`.
        pub generation_time: Option<f64>,
        /// Why it was rejected; empty when it passed.
        pub reason: String,
    }
}

/// The audits by hotkey.
pub type GenerationAudits = Entries<Hotkey, GenerationAudit>;

json_file!(GenerationAudits);
