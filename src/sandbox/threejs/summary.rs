//! How the rounds of a sandbox of three.js modules ended, and what was caught in them.

use std::collections::BTreeMap;

use crate::base::error::Result;
use crate::base::text::{counted, tallied};
use crate::model::ids::{Player, RoundNumber};
use crate::model::source_audit::SourceVerdict;
use crate::model::store::Store;
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::rules::threejs::chain::order;
use crate::sandbox::participants::Participants;
use crate::sandbox::played::{Caught, Played, RoundTold, name_of};

/// The rounds, what was caught, and the leaders.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn played(store: &Store, participants: &Participants) -> Result<Played> {
    let snapshot = ThreejsSnapshot::load_some(store, |_| true)?;
    let mut rounds = Vec::new();
    for (number, files) in &snapshot.rounds {
        let audits = files.generation_audits.get().into_iter().flat_map(|audits| audits.iter());
        let outcome = |verdict| match verdict {
            SourceVerdict::Passed => "passed",
            SourceVerdict::Failed => "failed",
        };
        rounds.push(RoundTold {
            number: *number,
            schedule: files.schedule.get(),
            miners: files.submissions.get().map(|all| order(all).into_iter().cloned().collect()),
            matrix: files.matrix.get(),
            audits: audits.map(|(hotkey, audit)| (hotkey.clone(), outcome(audit.verdict))).collect(),
            winner: files.winner.get().map(|winner| &winner.winner_hotkey),
            caught: caught_in(participants, *number, files),
        });
    }
    let leaders = snapshot.leaders.get().into_iter().flatten();
    let leaders = leaders.map(|entry| (entry.hotkey.clone(), entry.weight, entry.effective_block));
    Ok(Played::of(participants, rounds, leaders))
}

/// What was caught in a round: failed audits, and modules without views.
fn caught_in(participants: &Participants, number: RoundNumber, files: &ThreejsRound) -> Vec<Caught> {
    let mut caught = Vec::new();
    let mut add = |player: &Player, reason: String| {
        if let Player::Miner(hotkey) = player {
            let name = name_of(participants, player);
            caught.push(Caught { round: number, name, hotkey: hotkey.clone(), reason });
        }
    };
    for audit in files.generation_audits.get().into_iter().flat_map(|audits| audits.values()) {
        if audit.verdict == SourceVerdict::Failed {
            add(&Player::Miner(audit.hotkey.clone()), format!("audit failed: {}", audit.reason));
        }
    }
    for (player, own) in &files.players {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for refusal in own.refusals.get().into_iter().flat_map(|refusals| refusals.values()) {
            *reasons.entry(&refusal.reason).or_default() += 1;
        }
        let count: usize = reasons.values().sum();
        if count > 0 {
            let modules = counted(count, "module", "modules");
            add(player, format!("{modules} without views: {}", tallied(reasons, usize::MAX)));
        }
    }
    caught
}
