//! What splats and three.js modules have in common, and meshes do not.

use super::super::in_force::{ClaimTerms, leader_entry};
use super::super::leader::{in_order, same_program, unexplained};
use super::super::outputs::check_parts;
use super::super::{Claim, Sink};
use super::OtherFacts;
use crate::model::config::Settings;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, PromptStem, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::neutral::OutputView;
use crate::model::prompts::{Prompt, PromptList};
use crate::model::winner::Winner;

/// `state.files`: the files that a round must have.
pub(super) fn needed(round: RoundNumber, missing: &[String], sink: &mut Sink) {
    sink.claim("state.files", round, format!("rounds/{round}"), |claim| {
        missing.iter().for_each(|name| claim.fail(format!("{name} is missing")));
    });
}

/// The prompts that a match has duels for, sorted by stem. A prompt that was drawn twice has one output; whether it also
/// has two duels depends on the version of the judge.
pub(super) fn sorted(prompts: &PromptList, duels: usize) -> Vec<&Prompt> {
    let mut sorted: Vec<&Prompt> = prompts.0.iter().collect();
    sorted.sort_by(|a, b| a.stem().cmp(b.stem()));
    if sorted.len() != duels {
        sorted.dedup_by(|a, b| a.stem() == b.stem());
    }
    sorted
}

/// `outputs.rules`: the parts of an output go together, and each URL ends in the path that belongs to it: the stem in one
/// of these folders, with the ending of models or of previews.
pub(super) fn output(
    claim: &mut Claim,
    stem: &PromptStem,
    output: &OutputView<'_>,
    (key, endings): (&str, [&str; 2]),
    folders: &[String],
) {
    check_parts(claim, stem, key, output);
    let [model, preview] = endings;
    for (url, ending) in [(output.model, model), (output.preview, preview)] {
        let is_in = |url: &str, folder: &String| {
            let base = url.strip_suffix(ending).and_then(|url| without_stem(url, stem.as_str()));
            base.and_then(|base| base.strip_suffix('/')?.strip_suffix(folder.as_str()))
                .is_some_and(|base| base.ends_with('/'))
        };
        if let Some(url) = url.filter(|url| !folders.iter().any(|folder| is_in(url, folder))) {
            let folder = folders.first().map(String::as_str).unwrap_or_default();
            claim.fail(format!("{stem}: {url:?} is not a URL of {folder}/{stem}{ending}"));
        }
    }
    if output.seconds.is_some_and(|seconds| seconds < 0.0) {
        claim.fail(format!("{stem}: generation_time is negative"));
    }
}

/// A URL without the stem at its end, and without the mark of a later version (`car-2`): gen404 never replaces an object.
fn without_stem<'u>(url: &'u str, stem: &str) -> Option<&'u str> {
    let later = || {
        let (rest, number) = url.rsplit_once('-')?;
        let version: u32 = number.parse().ok()?;
        if version < 2 || version.to_string() != number { None } else { rest.strip_suffix(stem) }
    };
    url.strip_suffix(stem).or_else(later)
}

/// A round that is over: who won it, and from which block on.
pub(super) struct Over {
    pub(super) round: RoundNumber,
    pub(super) from: Block,
    pub(super) winner: Option<Winner>,
}

/// How a format's leader.json goes on.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) facts: &'a OtherFacts,
    /// The entry that a round adds.
    pub(super) next: fn(&Settings, &LeaderEntry, &Winner, Block) -> Option<LeaderEntry>,
    /// The last round after which the services of this format added an entry for a leader that held; `None` if they
    /// always do.
    pub(super) last_decay: Option<RoundNumber>,
}

impl Weights<'_> {
    /// The terms of a round's finalization: those of the commit that added the leader's entry, or else of the one that
    /// opened the next round.
    fn terms(&self, over: &Over, found: Option<&LeaderEntry>) -> ClaimTerms<'_> {
        match found {
            Some(entry) => self.facts.rules.of_claim(&leader_entry(entry.effective_block)),
            None => self.facts.rules.terms(FileKind::Round(over.round.next(), RoundFile::Schedule), None),
        }
    }
}

/// `leader.transition`; `first` is the last block of reveals of round 0.
pub(super) fn leaders(
    entries: &[LeaderEntry],
    first: Option<Block>,
    over: &[Over],
    weights: Weights<'_>,
    sink: &mut Sink,
) {
    // Entries from before the first round were made by hand.
    let by_hand = |entry: &LeaderEntry| first.is_some_and(|first| entry.effective_block <= first);
    sink.claim("leader.transition", None, "leader.json", |claim| {
        in_order(claim, entries);
        entries.iter().filter(|entry| by_hand(entry)).for_each(|entry| made_by_hand(claim, entry));
    });
    let stopped = stopped(entries, over, weights);
    for over in over {
        let round = over.round;
        sink.claim("leader.transition", round, format!("leader.json after round {round}"), |claim| {
            transition(claim, entries, over, stopped, weights);
        });
    }
    let of_round = |entry: &LeaderEntry| over.iter().any(|over| over.from == entry.effective_block);
    let complete = first.is_some() && over.iter().enumerate().all(|(at, over)| over.round.0 as usize == at);
    let initial = entries.first().map(|entry| entry.effective_block);
    let strange = |entry: &&LeaderEntry| {
        complete && !by_hand(entry) && !of_round(entry) && initial != Some(entry.effective_block)
    };
    entries.iter().filter(strange).for_each(|entry| unexplained(entry, sink));
}

/// No round gives such an entry: its weight is all of it, or nothing for the operators' own program.
fn made_by_hand(claim: &mut Claim, entry: &LeaderEntry) {
    let (hotkey, block, weight) = (&entry.hotkey, entry.effective_block, entry.weight);
    if !(0.0..=1.0).contains(&weight) {
        claim.fail(format!("the entry of {hotkey} at block {block} has weight {weight}, expected 0 to 1"));
    } else if weight > 0.0 && weight < 1.0 {
        claim.warn(format!("the entry of {hotkey} at block {block} was made by hand, with weight {weight}"));
    }
}

/// The entry that a round adds, with the one before it; `None` if that cannot be known.
fn expected<'e>(
    entries: &'e [LeaderEntry],
    over: &Over,
    terms: &ClaimTerms<'_>,
    weights: Weights<'_>,
) -> Option<(&'e LeaderEntry, Option<LeaderEntry>)> {
    let before = entries.iter().rfind(|entry| entry.effective_block < over.from)?;
    let next = (weights.next)(terms.settings?, before, over.winner.as_ref()?, over.from);
    Some((before, next))
}

fn found<'e>(entries: &'e [LeaderEntry], over: &Over) -> Option<&'e LeaderEntry> {
    entries.iter().find(|entry| entry.effective_block == over.from)
}

fn held(before: &LeaderEntry, after: &LeaderEntry) -> bool {
    before.repo == after.repo && before.commit == after.commit
}

/// The block from which on there are no entries for leaders that held, if the services stopped adding them: the first one
/// after the last round that had them is missing, others lead after it, and no such entry follows.
fn stopped(entries: &[LeaderEntry], over: &[Over], weights: Weights<'_>) -> Option<Block> {
    let last_decay = weights.last_decay?;
    let is_missing = |over: &&Over| {
        let expected = expected(entries, over, &weights.terms(over, None), weights);
        let missing = expected.is_some_and(|(before, next)| next.is_some_and(|next| held(before, &next)));
        missing && found(entries, over).is_none()
    };
    let last_held = entries.windows(2).rev().find_map(|pair| match pair {
        [before, after] if held(before, after) => Some(after.effective_block),
        _ => None,
    });
    let last = entries.last()?.effective_block;
    let first = over.iter().filter(|over| over.round > last_decay).find(is_missing).map(|over| over.from);
    first.filter(|from| *from < last && last_held.is_none_or(|held| held < *from))
}

fn transition(claim: &mut Claim, entries: &[LeaderEntry], over: &Over, stopped: Option<Block>, weights: Weights<'_>) {
    let found = found(entries, over);
    let terms = weights.terms(over, found);
    let Some((before, next)) = expected(entries, over, &terms, weights) else {
        return claim.skip("the round's winner, its leader or config.json cannot be read");
    };
    match (next, found) {
        (None, None) => {}
        (None, Some(found)) => {
            claim.fail(format!("an entry of {} with weight {}, expected none", found.hotkey, found.weight));
        }
        (Some(next), None) if held(before, &next) && stopped.is_some_and(|stopped| stopped <= over.from) => {
            let weight = next.weight;
            claim.skip(format!(
                "no entry, and none for a leader that held later: by config.json its weight would be {weight}, but the \
                 services seem to have stopped writing such entries"
            ));
        }
        (Some(next), None) => {
            let (hotkey, weight) = (&next.hotkey, next.weight);
            claim.fail(format!("no entry, expected {hotkey} from block {} on with weight {weight}", over.from));
        }
        (Some(next), Some(found)) => {
            same_program(claim, found, &next);
            claim.same("weight", &found.weight, &next.weight);
        }
    }
    terms.judge(claim);
}
