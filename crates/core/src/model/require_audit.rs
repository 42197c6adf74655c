//! `rounds/N/require_audit.json`: the miners to audit before a win counts. Append-only.

use super::file::json_file;
use super::ids::{Hotkey, PromptStem};
use super::record::record;

record! {
    /// A request for an audit.
    pub struct AuditRequest {
        /// The miner to audit.
        pub hotkey: Hotkey,
        /// The prompts on which its lead rests; they have the stricter tolerance.
        pub critical_prompts: Vec<PromptStem>,
    }
}

/// The requests, in the order in which they were made.
pub type AuditRequests = Vec<AuditRequest>;

json_file!(AuditRequests);
