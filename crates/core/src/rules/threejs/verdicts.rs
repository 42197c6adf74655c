//! `generation_audits.json`: what became of each requested miner.

use super::chain::{Chain, Fate};
use super::requests::is_requested;
use crate::model::ids::Hotkey;
use crate::model::record::Extra;
use crate::model::source_audit::SourceVerdict;
use crate::model::threejs::audits::{DuelAuditRequest, DuelAuditVerdict, DuelAuditVerdicts};

/// The verdicts as they should be now: requested miners that are rejected have failed, for that reason, and verified
/// winners have passed. A recorded verdict stays until the chain says otherwise.
#[must_use]
pub fn verdicts(
    chain: &Chain<'_>,
    requests: &[DuelAuditRequest],
    recorded: Option<&DuelAuditVerdicts>,
) -> DuelAuditVerdicts {
    let mut verdicts = recorded.cloned().unwrap_or_default();
    for link in chain.links.iter().filter(|link| is_requested(requests, link.hotkey)) {
        let (verdict, reason) = match &link.fate {
            Fate::Rejected(reason) => (SourceVerdict::Failed, reason.as_str()),
            Fate::Won { verified: true, .. } => (SourceVerdict::Passed, ""),
            Fate::Pending | Fate::Lost(_) | Fate::Won { .. } => continue,
        };
        set(&mut verdicts, link.hotkey, verdict, reason);
    }
    verdicts
}

fn set(verdicts: &mut DuelAuditVerdicts, hotkey: &Hotkey, verdict: SourceVerdict, reason: &str) {
    match verdicts.get_mut(hotkey) {
        Some(entry) => (entry.verdict, entry.reason) = (verdict, reason.to_owned()),
        None => {
            let (hotkey, reason) = (hotkey.clone(), reason.to_owned());
            let entry = DuelAuditVerdict { hotkey: hotkey.clone(), verdict, reason, extra: Extra::default() };
            verdicts.insert(hotkey, entry);
        }
    }
}
