//! Audit duels: what a winner's program generated against what was submitted, and against the holder that it beat.

use super::chain::{Chain, ChainFacts, Fate, Link};
use crate::model::ids::Hotkey;
use crate::model::threejs::audit_matrix::{AuditLeft, AuditMatrix, Opponent};
use crate::model::threejs::audits::DuelAuditRequest;
use crate::model::threejs::reports::{GenerationReport, ReportOutcome};

/// An audit duel: against what, and which repeat of whose program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditDuel {
    /// Against what.
    pub opponent: Opponent,
    /// Which repeat, from 1.
    pub repeat: u32,
    /// The audited miner.
    pub right: Hotkey,
}

impl AuditDuel {
    /// The left side of its row.
    #[must_use]
    pub fn left(&self) -> AuditLeft {
        AuditLeft { opponent: self.opponent.clone(), repeat: Some(self.repeat) }
    }
}

/// The audit duels that can be played and are needed: in the order of the requests, repeat by repeat, what was submitted
/// before the holder. Those of a miner that is rejected or has lost are not needed any more.
#[must_use]
pub fn open(chain: &Chain<'_>, facts: &ChainFacts<'_, '_>, requests: &[DuelAuditRequest]) -> Vec<AuditDuel> {
    let mut open = Vec::new();
    for request in requests {
        let link = chain.links.iter().find(|link| *link.hotkey == request.hotkey);
        let Some(link) = link.filter(|link| matches!(link.fate, Fate::Won { verified: false, .. })) else { continue };
        for repeat in generated(facts, link) {
            for opponent in [Opponent::Submitted, Opponent::Holder(link.holder.clone())] {
                if facts.audits.margin(&opponent, repeat, link.hotkey).is_none() {
                    open.push(AuditDuel { opponent, repeat, right: link.hotkey.clone() });
                }
            }
        }
    }
    open
}

/// The repeats of a miner's program that are in its report.
fn generated(facts: &ChainFacts<'_, '_>, link: &Link<'_>) -> Vec<u32> {
    let report = facts.reports.get(link.hotkey).filter(|report| report.outcome() != ReportOutcome::Rejected);
    let repeats = report.map(GenerationReport::repeats).unwrap_or_default();
    let wanted = repeats.iter().map(|repeat| repeat.repeat_index).filter(|repeat| *repeat <= facts.repeats);
    wanted.collect()
}

/// Those of `open` that are worth playing at the same time: of each miner, its first repeat that is not judged yet. If
/// that loses, the miner's later duels would be for nothing.
#[must_use]
pub fn at_once(open: &[AuditDuel]) -> Vec<AuditDuel> {
    let first = |duel: &AuditDuel| open.iter().find(|other| other.right == duel.right).map(|other| other.repeat);
    open.iter().filter(|duel| first(duel) == Some(duel.repeat)).cloned().collect()
}

/// Adds a row, so that the file does not depend on which repeat of which miner was there first: in the order of the
/// requests, then of the repeats, what was submitted before holders. Existing rows keep their order.
pub fn place(matrix: &mut AuditMatrix, requests: &[DuelAuditRequest], duel: &AuditDuel, margin: f64) {
    let rank = |left: &AuditLeft, right: &Hotkey| {
        let asked = requests.iter().position(|request| request.hotkey == *right).unwrap_or(requests.len());
        (asked, left.repeat, left.opponent != Opponent::Submitted)
    };
    let own = rank(&duel.left(), &duel.right);
    let later = matrix.0.keys().position(|(left, right)| rank(left, right) > own);
    matrix.0.shift_insert(later.unwrap_or(matrix.0.len()), (duel.left(), duel.right.clone()), margin);
}
