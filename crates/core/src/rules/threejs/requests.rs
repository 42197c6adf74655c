//! `require_audit.json`: whose program has to generate its outputs again, and against which holder they are judged.

use super::chain::{Chain, Fate};
use crate::model::ids::Hotkey;
use crate::model::record::Extra;
use crate::model::threejs::audits::{DuelAuditRequest, DuelAuditRequests};

/// The requests as they should be now: the recorded ones in their order, each winner's with the holder that it beat, and
/// after them those of new winners. A request stays when its miner is rejected or loses in the end.
#[must_use]
pub fn requests(chain: &Chain<'_>, recorded: &[DuelAuditRequest]) -> DuelAuditRequests {
    let mut requests = recorded.to_vec();
    for link in chain.links.iter().filter(|link| matches!(link.fate, Fate::Won { .. })) {
        let defender = Some(link.holder.clone());
        match requests.iter_mut().find(|request| request.hotkey == *link.hotkey) {
            Some(request) => request.latest_defender = defender,
            None => {
                let hotkey = link.hotkey.clone();
                requests.push(DuelAuditRequest { hotkey, latest_defender: defender, extra: Extra::default() });
            }
        }
    }
    requests
}

/// Is this miner's audit requested?
#[must_use]
pub fn is_requested(requests: &[DuelAuditRequest], hotkey: &Hotkey) -> bool {
    requests.iter().any(|request| request.hotkey == *hotkey)
}
