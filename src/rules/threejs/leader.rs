//! Who leads next: the shared rule, with the hardware of the program.

use crate::model::config::Settings;
use crate::model::ids::Block;
use crate::model::leader::LeaderEntry;
use crate::model::record::Extra;
use crate::model::threejs::programs::{ThreejsLeader, ThreejsWinner};
use crate::model::winner::Winner;
use crate::rules::succession::transition;

/// The entry that a finished round adds, if any: a new leader with weight 1.0, or the current one again with less
/// weight (ten digits) while that is above the floor.
#[must_use]
pub fn next_leader(
    settings: &Settings,
    current: &ThreejsLeader,
    winner: &ThreejsWinner,
    from: Block,
) -> Option<ThreejsLeader> {
    let entry = transition(settings, &shared(current), &shared_winner(winner), from)?;
    let held = entry.repo == current.repo && entry.commit == current.commit;
    let hardware = if held { current.hardware.clone() } else { winner.hardware.clone() };
    let LeaderEntry { hotkey, repo, commit, docker, weight, effective_block, .. } = entry;
    Some(ThreejsLeader { hotkey, repo, commit, docker, hardware, weight, effective_block, extra: Extra::default() })
}

/// The entry without its hardware, as the shared rules know it.
pub(crate) fn shared(entry: &ThreejsLeader) -> LeaderEntry {
    LeaderEntry {
        hotkey: entry.hotkey.clone(),
        repo: entry.repo.clone(),
        commit: entry.commit.clone(),
        docker: entry.docker.clone(),
        weight: entry.weight,
        effective_block: entry.effective_block,
        extra: Extra::default(),
    }
}

/// The winner without its hardware.
pub(crate) fn shared_winner(winner: &ThreejsWinner) -> Winner {
    let (repo, commit, image) = (winner.repo.clone(), winner.commit.clone(), winner.docker_image.clone());
    Winner::new(winner.winner_hotkey.clone(), repo, commit, image)
}

/// The entry in force at `block`: the last with `effective_block <= block`.
#[must_use]
pub fn leader_at(leaders: &[ThreejsLeader], block: Block) -> Option<&ThreejsLeader> {
    leaders.iter().rfind(|entry| entry.effective_block <= block)
}
