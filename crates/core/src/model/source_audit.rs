//! `rounds/N/source_audit.json`: source audits, made by a person reading the miners' sources. Written by hand.

use serde::{Deserialize, Serialize};

use super::file::{FileKind, RoundFile, json_file};
use super::ids::{Hotkey, RoundNumber};
use super::record::record;

/// The verdict of a source audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceVerdict {
    /// No objection.
    Passed,
    /// The miner is disqualified.
    Failed,
}

record! {
    /// One miner's source audit.
    pub struct SourceAudit {
        /// The miner.
        pub hotkey: Hotkey,
        /// The verdict.
        pub verdict: SourceVerdict,
        /// The reason.
        pub reason: String,
    }
}

/// How a person writes one.
#[must_use]
pub fn hint(round: RoundNumber) -> String {
    let file = FileKind::Round(round, RoundFile::SourceAudit).path();
    format!(
        "read the program, and write {file}: [{{\"hotkey\": HOTKEY, \"verdict\": \"passed\", \"reason\": TEXT}}], or \
         \"failed\""
    )
}

/// The source audits, in the order written.
pub type SourceAudits = Vec<SourceAudit>;

json_file!(SourceAudits);
