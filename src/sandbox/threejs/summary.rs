//! How the rounds of a sandbox of three.js modules ended, and what was caught in them.

use std::collections::BTreeMap;

use crate::base::error::Result;
use crate::base::text::counted;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::source_audit::SourceVerdict;
use crate::model::store::Store;
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::rules::threejs::chain::order;
use crate::sandbox::participants::Participants;
use crate::sandbox::summary::{Caught, Leader, Played, RoundSummary, StandingsRow, left_out, name_of};

/// The rounds, what was caught, and the leaders.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn played(store: &Store, participants: &Participants) -> Result<Played> {
    let snapshot = ThreejsSnapshot::load_some(store, |_| true)?;
    let (mut rounds, mut caught) = (Vec::new(), Vec::new());
    for (number, files) in &snapshot.rounds {
        rounds.push(round(participants, *number, files));
        caught.extend(caught_in(participants, *number, files));
        let submitted = files.submissions.get().map(|all| all.keys().cloned().collect::<Vec<_>>());
        caught.extend(left_out(participants, *number, files.schedule.get(), submitted.as_deref()));
    }
    let leaders = snapshot.leaders.get().into_iter().flatten().map(|entry| Leader {
        name: name_of(participants, &Player::Miner(entry.hotkey.clone())),
        weight: entry.weight,
        from_block: entry.effective_block.0,
    });
    Ok(Played { rounds, caught, leaders: leaders.collect() })
}

fn round(participants: &Participants, number: RoundNumber, files: &ThreejsRound) -> RoundSummary {
    let miners = files.submissions.get().map(order).unwrap_or_default();
    let row = |hotkey: &Hotkey| {
        let player = Player::Miner(hotkey.clone());
        let audit = files.generation_audits.get().and_then(|audits| audits.get(hotkey));
        StandingsRow {
            name: name_of(participants, &player),
            margin: files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, &player)),
            audit: audit.map(|audit| match audit.verdict {
                SourceVerdict::Passed => "passed",
                SourceVerdict::Failed => "failed",
            }),
            hotkey: hotkey.clone(),
        }
    };
    let winner = files.winner.get().map(|winner| name_of(participants, &winner.winner_hotkey));
    let winner = winner.unwrap_or_else(|| "nobody".to_owned());
    RoundSummary { round: number, winner, standings: miners.into_iter().map(row).collect() }
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
            let said: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count}x {reason}")).collect();
            add(player, format!("{} without views: {}", counted(count, "module", "modules"), said.join("; ")));
        }
    }
    caught
}
