//! `rounds/N/source_audit.json`: a person's reading of the miners' sources. Written by hand.

use serde::{Deserialize, Serialize};

use super::file::json_file;
use super::ids::Hotkey;
use super::record::record;

/// What the reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceVerdict {
    /// Nothing against it.
    Passed,
    /// The miner is disqualified.
    Failed,
}

record! {
    /// One miner's source, as read.
    pub struct SourceAudit {
        /// The miner.
        pub hotkey: Hotkey,
        /// What the reading came to.
        pub verdict: SourceVerdict,
        /// Why.
        pub reason: String,
    }
}

/// The readings, in the order written.
pub(crate) type SourceAudits = Vec<SourceAudit>;

json_file!(SourceAudits);
