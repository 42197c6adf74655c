//! `prompts.carryover`, `prompts.new`, `prompts.count`.

use std::collections::HashSet;
use std::sync::Arc;

use super::in_force::ClaimTerms;
use super::{Claim, Sink, Then, VerifyFacts};
use crate::base::text::counted;
use crate::model::config::Settings;
use crate::model::file::RoundFile;
use crate::model::ids::{RoundNumber, Seed};
use crate::model::prompts::{Prompt, PromptList};
use crate::model::snapshot::{RoundFiles, Slot};
use crate::rules::prompts::{Selection, select};

/// A way to draw a round's prompts: by the settings, the seed, the previous round's prompts and the pool.
pub(super) type Way = fn(&Settings, Seed, &[Prompt], &[Prompt]) -> Selection;

/// What a round's prompts are drawn from.
pub(super) struct Draw<'a> {
    pub(super) round: RoundNumber,
    pub(super) terms: ClaimTerms<'a>,
    pub(super) seed: Option<Seed>,
    /// The previous round's prompts; none before round 0.
    pub(super) previous: Option<&'a [Prompt]>,
    /// The pool as it is now.
    pub(super) pool: &'a Slot<PromptList>,
    /// The pool in the commit that wrote the seed, if there is a history.
    pub(super) then: Option<&'a Then<Option<Arc<PromptList>>>>,
    /// What a shallow clone lacks.
    pub(super) lacks: Option<String>,
    /// The ways in which the prompts may have been drawn: the first, or any of the others.
    pub(super) ways: &'a [Way],
}

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(prompts) = files.prompts.get() else { return };
    let previous: Option<&[Prompt]> = match round.previous() {
        None => Some(&[]),
        Some(before) => {
            let before = facts.snapshot.rounds.get(&before).and_then(|files| files.prompts.get());
            before.map(|prompts| prompts.0.as_slice())
        }
    };
    let draw = Draw {
        round,
        terms: facts.terms(round, RoundFile::Seed),
        seed: files.seed.get().map(|seed| seed.seed),
        previous,
        pool: &facts.snapshot.pool,
        then: facts.pools.get(&round),
        lacks: facts.rules.missing_history(),
        ways: &[select],
    };
    all(&draw, prompts, sink);
}

/// `prompts.carryover`, `prompts.new`, `prompts.count`.
pub(super) fn all(draw: &Draw<'_>, prompts: &PromptList, sink: &mut Sink) {
    let subject = format!("rounds/{}/prompts.txt", draw.round);
    sink.claim("prompts.carryover", draw.round, subject.clone(), |claim| carryover(claim, draw, prompts));
    sink.claim("prompts.new", draw.round, subject.clone(), |claim| fresh(claim, draw, prompts));
    sink.claim("prompts.count", draw.round, subject, |claim| count(claim, draw, prompts));
}

impl Draw<'_> {
    /// What each way draws from this pool; `None`, with why, if that cannot be known.
    fn drawn<'p>(&self, pool: &'p [Prompt]) -> Result<impl Iterator<Item = Selection> + use<'_, 'p>, &'static str> {
        let (Some(settings), Some(seed)) = (self.terms.settings, self.seed) else {
            return Err("config.json or seed.json cannot be read");
        };
        let previous = self.previous.ok_or("the previous round's prompts cannot be read")?;
        Ok(self.ways.iter().map(move |way| way(settings, seed, previous, pool)))
    }
}

fn carryover(claim: &mut Claim, draw: &Draw<'_>, prompts: &PromptList) {
    if draw.round.0 == 0 {
        return;
    }
    let mut drawn = match draw.drawn(&[]) {
        Ok(drawn) => drawn,
        Err(why) => return claim.skip(why),
    };
    let expected = drawn.next().map(|selection| selection.carried).unwrap_or_default();
    compare(claim, 0, prompts.0.get(..expected.len().min(prompts.0.len())).unwrap_or_default(), &expected);
    draw.terms.judge(claim);
}

fn fresh(claim: &mut Claim, draw: &Draw<'_>, prompts: &PromptList) {
    if let Err(why) = draw.drawn(&[]).map(|_| ()) {
        return claim.skip(why);
    }
    let (pool, known) = match draw.then {
        Some(Then::At(_, Some(pool))) => (pool.as_ref(), true),
        Some(Then::At(commit, None)) => {
            return claim.skip(format!("there is no pool (prompts.txt) in {commit}, which wrote the seed"));
        }
        Some(Then::Unknown) if draw.lacks.is_some() => return claim.skip(draw.lacks.clone().unwrap_or_default()),
        _ => match draw.pool {
            Slot::Ok(pool) => (pool, false),
            Slot::Missing => return claim.skip("there is no pool (prompts.txt)"),
            Slot::Broken => return claim.skip("the pool (prompts.txt) cannot be read"),
        },
    };
    let drawn: Vec<Selection> = draw.drawn(&pool.0).into_iter().flatten().collect();
    let from = |selection: &Selection| selection.carried.len().min(prompts.0.len());
    let found = |selection: &Selection| prompts.0.get(from(selection)..).unwrap_or_default();
    let Some(first) = drawn.first().filter(|_| !drawn.iter().any(|drawn| found(drawn) == drawn.fresh)) else { return };
    if known {
        compare(claim, from(first), found(first), &first.fresh);
        draw.terms.judge(claim);
    } else {
        without_history(claim, &first.fresh, prompts);
    }
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
        let found = counted(found.len(), "prompt", "prompts");
        claim.fail(format!("{found} from line {} on, expected {}", from + 1, expected.len()));
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

fn count(claim: &mut Claim, draw: &Draw<'_>, prompts: &PromptList) {
    let Some(settings) = draw.terms.settings else { return claim.skip("config.json cannot be read") };
    let (pool, odd) = match draw.then {
        Some(Then::At(_, pool)) => (pool.as_deref(), false),
        Some(Then::Unknown) if draw.lacks.is_some() && prompts.0.len() < settings.prompts_per_round => {
            return claim.skip(draw.lacks.clone().unwrap_or_default());
        }
        _ => (draw.pool.get(), draw.pool.get().is_some()),
    };
    let mut expected = settings.prompts_per_round;
    if let (Some(pool), Some(previous)) = (pool, draw.previous) {
        // A small pool provides fewer.
        expected = expected.min(previous.len().min(settings.carryover_prompts) + pool.0.len());
    }
    let odd = odd.then_some(" (by the current pool; without history the earlier pool is unknown)");
    claim.part(odd.filter(|_| prompts.0.len() < settings.prompts_per_round), |claim| {
        claim.same("the number of prompts", &prompts.0.len(), &expected);
        draw.terms.judge(claim);
    });
    let mut seen = HashSet::new();
    for prompt in prompts.0.iter().filter(|prompt| !seen.insert(prompt.stem())) {
        claim.warn(format!("the stem {} appears twice", prompt.stem()));
    }
}
