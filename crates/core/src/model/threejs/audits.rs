//! `require_audit.json`, `generation_audits.json`, and `verification_audits.json` of the first rounds.

use crate::model::file::json_file;
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Hotkey, Player};
use crate::model::record::{Entries, record};
use crate::model::source_audit::SourceVerdict;

record! {
    /// A call for an audit. Its defender is updated in place.
    pub struct DuelAuditRequest {
        /// The miner to audit.
        pub hotkey: Hotkey,
        /// The player that it has to beat again (since round 3).
        pub latest_defender [optional]: Option<Player>,
    }
}

/// The requests, in the order in which they were made.
pub type DuelAuditRequests = Vec<DuelAuditRequest>;

json_file!(DuelAuditRequests);

record! {
    /// The verdict on a requested miner.
    pub struct DuelAuditVerdict {
        /// The miner: the same as the key.
        pub hotkey: Hotkey,
        /// Passed or failed.
        pub verdict: SourceVerdict,
        /// Why it failed; empty when it passed.
        pub reason: String,
    }
}

/// The verdicts by hotkey.
pub type DuelAuditVerdicts = Entries<Hotkey, DuelAuditVerdict>;

json_file!(DuelAuditVerdicts);

record! {
    /// How a miner's submitted files compared with those that its program made (rounds 0 to 2).
    pub struct VerificationAudit {
        /// The miner: the same as the key.
        pub hotkey: Hotkey,
        /// The outcome.
        pub outcome: AuditOutcome,
        /// Duels won by what was generated less duels won by what was submitted.
        pub score: i64,
        /// Prompts of the round.
        pub total_prompts: u64,
        /// Prompts compared.
        pub checked_prompts: u64,
        /// Those that were a draw.
        pub drawn: u64,
        /// In words.
        pub reason: String,
    }
}

/// The comparisons by hotkey.
pub type VerificationAudits = Entries<Hotkey, VerificationAudit>;

json_file!(VerificationAudits);
