//! `leader.transition`.

use super::in_force::{Terms, leader_entry};
use super::{Claim, Facts, Sink};
use crate::rules::succession::{raw_transition, transition};
use crate::state::file::{FileKind, RoundFile};
use crate::state::ids::{Block, RoundNumber};
use crate::state::leader::LeaderEntry;

pub(super) fn check(facts: &Facts<'_>, sink: &mut Sink) {
    let Some(leaders) = facts.snapshot.leaders.get().filter(|_| facts.rules.settings.is_some()) else { return };
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
            let terms = terms(facts, round, from, entries.clone().next());
            if let Some(found) = step(claim, facts, &terms, before, round, from, &mut entries) {
                current = Some(found);
            }
            terms.judge(claim);
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

/// A round is finalized by the commit that adds the leader's entry, or else opens the next round.
fn terms<'a>(
    facts: &'a Facts<'_>,
    round: RoundNumber,
    from: Option<Block>,
    entry: Option<&LeaderEntry>,
) -> Terms<'a> {
    match entry.map(|entry| entry.effective_block).filter(|block| from.is_none_or(|from| *block == from)) {
        Some(block) => facts.rules.of_claim(&leader_entry(block)),
        None => facts.rules.terms(FileKind::Round(round.next(), RoundFile::Schedule), None),
    }
}

fn step<'a>(
    claim: &mut Claim,
    facts: &Facts<'_>,
    terms: &Terms<'_>,
    before: &LeaderEntry,
    round: RoundNumber,
    from: Option<Block>,
    entries: &mut (impl Iterator<Item = &'a LeaderEntry> + Clone),
) -> Option<&'a LeaderEntry> {
    let winner = facts.snapshot.rounds.get(&round).and_then(|files| files.winner.get());
    let (Some(winner), Some(settings)) = (winner, terms.settings) else {
        claim.skip("winner.json cannot be read");
        return entries.next();
    };
    let peek = entries.clone().next();
    let from = from.or(peek.map(|entry| entry.effective_block)).unwrap_or(before.effective_block);
    let own = peek.filter(|entry| entry.effective_block == from);
    // Older entries have the weight as it came out. Where that is above the floor by its last digit only, there
    // is an entry of it, and none of the rounded one.
    let raw = raw_transition(settings, before, winner, from);
    let rounded = transition(settings, before, winner, from);
    let Some(expected) = rounded.or_else(|| raw.clone().filter(|_| own.is_some())) else {
        let own = own?;
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
    if raw.is_none_or(|raw| found.weight.to_bits() != raw.weight.to_bits()) {
        claim.same("weight", &found.weight, &expected.weight);
    }
    claim.same("effective_block", &found.effective_block.0, &expected.effective_block.0);
    Some(found)
}
