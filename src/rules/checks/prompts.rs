//! `prompts.carryover`, `prompts.new`, `prompts.count`.

use std::collections::HashSet;

use super::{Claim, Sink, Then, VerifyFacts};
use crate::model::file::RoundFile;
use crate::model::ids::RoundNumber;
use crate::model::prompts::{Prompt, PromptList};
use crate::model::snapshot::RoundFiles;
use crate::rules::prompts::select;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let subject = format!("rounds/{round}/prompts.txt");
    let Some(prompts) = files.prompts.get() else { return };
    sink.claim("prompts.carryover", round, subject.clone(), |claim| carryover(claim, facts, round, files, prompts));
    sink.claim("prompts.new", round, subject.clone(), |claim| fresh(claim, facts, round, files, prompts));
    sink.claim("prompts.count", round, subject, |claim| count(claim, facts, round, prompts));
}

/// The previous round's prompts; none for round 0.
fn previous<'a>(facts: &'a VerifyFacts<'_>, round: RoundNumber) -> Option<&'a [Prompt]> {
    match round.previous() {
        None => Some(&[]),
        Some(before) => Some(&facts.snapshot.rounds.get(&before)?.prompts.get()?.0),
    }
}

fn carryover(claim: &mut Claim, facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, prompts: &PromptList) {
    if round.0 == 0 {
        return;
    }
    let terms = facts.terms(round, RoundFile::Seed);
    let (Some(settings), Some(seed)) = (terms.settings, files.seed.get()) else {
        return claim.skip("config.json or seed.json cannot be read");
    };
    let Some(previous) = previous(facts, round) else {
        return claim.skip("the previous round's prompts cannot be read");
    };
    let expected = select(settings, seed.seed, previous, &[]).carried;
    compare(claim, 0, prompts.0.get(..expected.len().min(prompts.0.len())).unwrap_or_default(), &expected);
    terms.judge(claim);
}

fn fresh(claim: &mut Claim, facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, prompts: &PromptList) {
    let terms = facts.terms(round, RoundFile::Seed);
    let (Some(settings), Some(seed)) = (terms.settings, files.seed.get()) else {
        return claim.skip("config.json or seed.json cannot be read");
    };
    let Some(previous) = previous(facts, round) else {
        return claim.skip("the previous round's prompts cannot be read");
    };
    let pool = match facts.pools.get(&round) {
        Some(Then::At(_, Some(pool))) => pool,
        Some(Then::At(commit, None)) => {
            return claim.skip(format!("there is no pool (prompts.txt) in {commit}, which wrote the seed"));
        }
        Some(Then::Unknown) if facts.rules.shallow.is_some() => {
            return claim.skip(facts.rules.missing_history().unwrap_or_default());
        }
        _ => match facts.snapshot.pool.get() {
            Some(pool) => {
                return without_history(claim, &select(settings, seed.seed, previous, &pool.0).fresh, prompts);
            }
            None => return claim.skip("there is no pool (prompts.txt)"),
        },
    };
    let selection = select(settings, seed.seed, previous, &pool.0);
    let carried = selection.carried.len().min(prompts.0.len());
    compare(claim, carried, prompts.0.get(carried..).unwrap_or_default(), &selection.fresh);
    terms.judge(claim);
}

/// Without history the pool may have changed since, so a difference is only a warning.
fn without_history(claim: &mut Claim, expected: &[Prompt], prompts: &PromptList) {
    let at = prompts.0.len().saturating_sub(expected.len());
    if prompts.0.get(at..) != Some(expected) {
        claim.warn("they differ from what the current pool gives; without history the earlier pool is unknown");
    }
}

fn compare(claim: &mut Claim, from: usize, found: &[Prompt], expected: &[Prompt]) {
    if found.len() != expected.len() {
        claim.fail(format!("{} prompts from line {} on, expected {}", found.len(), from + 1, expected.len()));
    }
    let wrong = found.iter().zip(expected).enumerate().filter(|(_, (found, expected))| found != expected);
    let mut wrong = wrong.peekable();
    if let Some((at, (found, expected))) = wrong.peek() {
        let (line, found, expected) = (from + at + 1, found.url().to_owned(), expected.url().to_owned());
        let more = wrong.count() - 1;
        let more = if more == 0 { String::new() } else { format!(" ({more} more differ)") };
        claim.fail(format!("line {line} is {found}, expected {expected}{more}"));
    }
}

fn count(claim: &mut Claim, facts: &VerifyFacts<'_>, round: RoundNumber, prompts: &PromptList) {
    let terms = facts.terms(round, RoundFile::Seed);
    let Some(settings) = terms.settings else { return claim.skip("config.json cannot be read") };
    let (pool, odd) = match facts.pools.get(&round) {
        Some(Then::At(_, pool)) => (pool.as_deref(), false),
        Some(Then::Unknown) if facts.rules.shallow.is_some() && prompts.0.len() < settings.prompts_per_round => {
            return claim.skip(facts.rules.missing_history().unwrap_or_default());
        }
        _ => (facts.snapshot.pool.get(), facts.snapshot.pool.get().is_some()),
    };
    let mut expected = settings.prompts_per_round;
    if let (Some(pool), Some(previous)) = (pool, previous(facts, round)) {
        // A small pool provides fewer.
        expected = expected.min(previous.len().min(settings.carryover_prompts) + pool.0.len());
    }
    let odd = odd.then_some(" (by the current pool; without history the earlier pool is unknown)");
    claim.part(odd.filter(|_| prompts.0.len() < settings.prompts_per_round), |claim| {
        claim.same("the number of prompts", &prompts.0.len(), &expected);
        terms.judge(claim);
    });
    let mut seen = HashSet::new();
    for prompt in prompts.0.iter().filter(|prompt| !seen.insert(prompt.stem())) {
        claim.warn(format!("the stem {} appears twice", prompt.stem()));
    }
}
