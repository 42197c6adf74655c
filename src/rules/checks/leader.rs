//! `leader.transition`.

use super::{Claim, Facts, Sink};
use crate::rules::succession::transition;
use crate::state::config::Settings;
use crate::state::ids::{Block, RoundNumber};
use crate::state::leader::LeaderEntry;

pub(super) fn check(facts: &Facts<'_>, sink: &mut Sink) {
    let (Some(leaders), Some(settings)) = (facts.snapshot.leaders.get(), facts.settings()) else { return };
    // Entries from before the first round were made by hand.
    let first = facts.snapshot.rounds.get(&RoundNumber(0)).and_then(|files| files.schedule.get());
    let by_hand = |entry: &&LeaderEntry| first.is_some_and(|first| entry.effective_block <= first.latest_reveal_block);
    let initial = leaders.iter().take_while(by_hand).count().max(1).min(leaders.len());
    sink.claim("leader.transition", None, "leader.json", |claim| {
        if leaders.is_empty() {
            claim.fail("nobody leads: the list is empty");
        }
        for pair in leaders.windows(2) {
            if let [before, after] = pair
                && after.effective_block < before.effective_block
            {
                let (block, last) = (after.effective_block, before.effective_block);
                claim.fail(format!("effective_block {block} stands after {last}"));
            }
        }
    });
    let mut entries = leaders.iter().skip(initial);
    let mut current = leaders.get(initial.saturating_sub(1));
    for (round, from) in finished(facts) {
        let subject = format!("leader.json after round {round}");
        let Some(before) = current else { break };
        sink.claim("leader.transition", round, subject, |claim| {
            if let Some(found) = step(claim, facts, settings, before, round, from, &mut entries) {
                current = Some(found);
            }
        });
    }
    for entry in entries {
        sink.claim("leader.transition", None, "leader.json", |claim| {
            claim.fail(format!(
                "the entry of {} at block {} follows from no round",
                entry.hotkey, entry.effective_block
            ));
        });
    }
}

/// The rounds that were finalized, with the block from which their result holds (`None` where the
/// competition ended with them and no schedule tells it).
fn finished(facts: &Facts<'_>) -> Vec<(RoundNumber, Option<Block>)> {
    let schedule = |round: RoundNumber| facts.snapshot.rounds.get(&round).and_then(|files| files.schedule.get());
    let ended = facts.snapshot.state.get().filter(|state| state.stage == crate::state::stage::Stage::Finished);
    let opened = |round: RoundNumber| facts.snapshot.state.get().is_none_or(|state| round < state.current_round);
    let rounds = facts.snapshot.rounds.keys().copied();
    let last = |round: RoundNumber| ended.is_some_and(|state| state.current_round == round);
    rounds
        .filter(|round| (opened(*round) && schedule(round.next()).is_some()) || last(*round))
        .map(|round| (round, schedule(round.next()).map(|schedule| schedule.latest_reveal_block)))
        .collect()
}

fn step<'a>(
    claim: &mut Claim,
    facts: &Facts<'_>,
    settings: &Settings,
    before: &LeaderEntry,
    round: RoundNumber,
    from: Option<Block>,
    entries: &mut (impl Iterator<Item = &'a LeaderEntry> + Clone),
) -> Option<&'a LeaderEntry> {
    let Some(winner) = facts.snapshot.rounds.get(&round).and_then(|files| files.winner.get()) else {
        claim.skip("winner.json cannot be read");
        return entries.next();
    };
    let peek = entries.clone().next();
    let from = from.or(peek.map(|entry| entry.effective_block)).unwrap_or(before.effective_block);
    let Some(expected) = transition(settings, before, winner, from) else {
        let own = peek.filter(|entry| entry.effective_block == from)?;
        claim.fail(format!("an entry of {} with weight {}, by the rule there is none", own.hotkey, own.weight));
        return entries.next();
    };
    let Some(found) = entries.next() else {
        let (hotkey, weight) = (&expected.hotkey, expected.weight);
        claim.fail(format!("no entry, by the rule {hotkey} leads from block {from} with weight {weight}"));
        return None;
    };
    claim.same("hotkey", &found.hotkey.as_str(), &expected.hotkey.as_str());
    claim.same("repo", &found.repo.as_str(), &expected.repo.as_str());
    claim.same("commit", &found.commit.as_str(), &expected.commit.as_str());
    claim.same("docker", &found.docker, &expected.docker);
    claim.same("weight", &found.weight, &expected.weight);
    claim.same("effective_block", &found.effective_block.0, &expected.effective_block.0);
    Some(found)
}
