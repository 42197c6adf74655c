//! `leader.transition`.

use super::in_force::{ClaimTerms, leader_entry};
use super::{Claim, Sink, VerifyFacts};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::rules::succession::{raw_transition, transition};

pub(super) fn check(facts: &VerifyFacts<'_>, sink: &mut Sink) {
    let Some(leaders) = facts.snapshot.leaders.get().filter(|_| facts.rules.settings.is_some()) else { return };
    // Entries up to the first round's latest_reveal_block were made by hand.
    let first = facts.snapshot.rounds.get(&RoundNumber(0)).and_then(|files| files.schedule.get());
    let by_hand = |entry: &&LeaderEntry| first.is_some_and(|first| entry.effective_block <= first.latest_reveal_block);
    let initial = leaders.iter().take_while(by_hand).count().max(1).min(leaders.len());
    sink.claim("leader.transition", None, "leader.json", |claim| in_order(claim, leaders));
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
    entries.for_each(|entry| unexplained(entry, sink));
}

/// There is a leader, and the entries are in order of their blocks.
pub(super) fn in_order(claim: &mut Claim, leaders: &[LeaderEntry]) {
    if leaders.is_empty() {
        claim.fail("no leader: the list is empty");
    }
    for pair in leaders.windows(2) {
        if let [before, after] = pair
            && after.effective_block < before.effective_block
        {
            let (block, last) = (after.effective_block, before.effective_block);
            claim.fail(format!("effective_block {block} comes after {last}"));
        }
    }
}

/// An entry that no round gave.
pub(super) fn unexplained(entry: &LeaderEntry, sink: &mut Sink) {
    sink.claim("leader.transition", None, "leader.json", |claim| {
        let (hotkey, block) = (&entry.hotkey, entry.effective_block);
        claim.fail(format!("the entry of {hotkey} at block {block} does not follow from any round"));
    });
}

/// A round's entry against the expected one, but for weight and block.
pub(super) fn same_program(claim: &mut Claim, found: &LeaderEntry, expected: &LeaderEntry) {
    claim.same("hotkey", &found.hotkey.as_str(), &expected.hotkey.as_str());
    claim.same("repo", &found.repo.as_str(), &expected.repo.as_str());
    claim.same("commit", &found.commit.as_str(), &expected.commit.as_str());
    claim.same("docker", &found.docker, &expected.docker);
}

/// The finalized rounds, with the block from which their result is in force (`None` if the competition
/// ended with the round, so that no schedule has it).
fn finished(facts: &VerifyFacts<'_>) -> Vec<(RoundNumber, Option<Block>)> {
    let schedule = |round: RoundNumber| facts.snapshot.rounds.get(&round).and_then(|files| files.schedule.get());
    let ended = facts.snapshot.state.get().filter(|state| state.stage == crate::model::stage::Stage::Finished);
    let opened = |round: RoundNumber| facts.snapshot.state.get().is_none_or(|state| round < state.current_round);
    let rounds = facts.snapshot.rounds.keys().copied();
    let last = |round: RoundNumber| ended.is_some_and(|state| state.current_round == round);
    rounds
        .filter(|round| (opened(*round) && schedule(round.next()).is_some()) || last(*round))
        .map(|round| (round, schedule(round.next()).map(|schedule| schedule.latest_reveal_block)))
        .collect()
}

/// The terms of a round's finalization: those of the commit that added the leader's entry, else of the one
/// that opened the next round.
fn terms<'a>(
    facts: &'a VerifyFacts<'_>,
    round: RoundNumber,
    from: Option<Block>,
    entry: Option<&LeaderEntry>,
) -> ClaimTerms<'a> {
    match entry.map(|entry| entry.effective_block).filter(|block| from.is_none_or(|from| *block == from)) {
        Some(block) => facts.rules.of_claim(&leader_entry(block)),
        None => facts.rules.terms(FileKind::Round(round.next(), RoundFile::Schedule), None),
    }
}

fn step<'a>(
    claim: &mut Claim,
    facts: &VerifyFacts<'_>,
    terms: &ClaimTerms<'_>,
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
    // Older entries have raw weights. If a raw weight is above the floor by its last digit only, the deployed
    // services added one more entry, which rounded weights do not call for.
    let raw = raw_transition(settings, before, winner, from);
    let rounded = transition(settings, before, winner, from);
    let Some(expected) = rounded.or_else(|| raw.clone().filter(|_| own.is_some())) else {
        let own = own?;
        claim.fail(format!("an entry of {} with weight {}, expected none", own.hotkey, own.weight));
        return entries.next();
    };
    let Some(found) = entries.next() else {
        let (hotkey, weight) = (&expected.hotkey, expected.weight);
        claim.fail(format!("no entry, expected {hotkey} from block {from} on with weight {weight}"));
        return None;
    };
    same_program(claim, found, &expected);
    if raw.is_none_or(|raw| found.weight.to_bits() != raw.weight.to_bits()) {
        claim.same("weight", &found.weight, &expected.weight);
    }
    claim.same("effective_block", &found.effective_block.0, &expected.effective_block.0);
    Some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::file::Content;
    use crate::model::format::Format;
    use crate::model::snapshot::{Snapshot, Source};
    use crate::rules::checks::{CheckStatus, Finding};

    /// Files by path.
    struct Files(std::collections::BTreeMap<String, Value>);

    impl Source for Files {
        fn list(&self) -> crate::base::error::Result<Vec<String>> {
            Ok(self.0.keys().cloned().collect())
        }
        fn read(&self, path: &str) -> crate::base::error::Result<Option<Vec<u8>>> {
            Ok(self.0.get(path).map(|value| format!("{value:#}").into_bytes()))
        }
    }

    /// The findings on rounds that the leader held, given the weight of the entry that each one added, if any.
    fn held(weights: &[Option<f64>]) -> Vec<Finding> {
        let (repo, commit, hotkey) = ("a/b", "0a".repeat(20), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
        let entry = |round: usize, weight: f64| {
            json!({
                "hotkey": hotkey, "repo": repo, "commit": commit, "docker": "x:y", "weight": weight,
                "effective_block": 1000 * (round + 1),
            })
        };
        let mut files = std::collections::BTreeMap::new();
        let mut add = |path: String, value| assert!(files.insert(path, value).is_none());
        let later = weights.iter().enumerate().filter_map(|(round, weight)| Some(entry(round + 1, (*weight)?)));
        add("leader.json".to_owned(), std::iter::once(entry(0, 1.0)).chain(later).collect());
        for round in 0..=weights.len() {
            let latest = 1000 * (round + 1);
            let schedule = json!({
                "earliest_reveal_block": latest - 999, "latest_reveal_block": latest,
                "generation_deadline_block": latest + 600,
            });
            add(format!("rounds/{round}/schedule.json"), schedule);
            let winner = json!({
                "winner_hotkey": "leader", "repo": repo, "commit": commit, "docker_image": "x:y",
            });
            add(format!("rounds/{round}/winner.json"), winner);
        }
        add(
            "state.json".to_owned(),
            json!({ "current_round": weights.len(), "stage": "open", "next_stage_eta": null }),
        );
        let config = json!({
            "name": "x", "description": "", "first_evaluation_date": "2026-01-01",
            "last_competition_date": "2027-01-01", "generation_stage_minutes": 120, "win_margin": 0.05,
            "weight_decay": 0.35, "weight_floor": 0.3, "prompts_per_round": 1, "carryover_prompts": 0,
        });
        add("config.json".to_owned(), config);
        for (path, value) in &files {
            let kind = FileKind::of_path(path).unwrap();
            Content::parse(Format::Mesh, &kind, format!("{value:#}").as_bytes())
                .unwrap_or_else(|e| panic!("{path}: {e}"));
        }
        let snapshot = Snapshot::load(&Files(files)).unwrap();
        let mut sink = Sink::default();
        check(&VerifyFacts::of_files(&snapshot), &mut sink);
        sink.finish().into_iter().filter(|finding| finding.status != CheckStatus::Pass).collect()
    }

    /// 1.0, 0.65, 0.3: the last raw weight is 0.30000000000000004, above the floor by its last digit.
    #[test]
    fn both_forms_of_a_weight_are_accepted_at_the_floor() {
        let raw: f64 = 1.0 - 0.35 - 0.35;
        assert_eq!(raw.to_bits(), f64::to_bits(0.300_000_000_000_000_04));
        assert_eq!(held(&[Some(0.65), Some(0.3), None]), []);
        assert_eq!(held(&[Some(0.65), Some(raw), Some(0.3), None]), []);
        assert_eq!(held(&[Some(0.65), Some(raw), None, None]), []);
        for wrong in [&[Some(0.65), Some(0.3), Some(0.3)][..], &[Some(0.65), Some(raw), Some(raw)], &[Some(0.65), None]]
        {
            assert_eq!(held(wrong).len(), 1, "{wrong:?}: {:#?}", held(wrong));
        }
    }
}
