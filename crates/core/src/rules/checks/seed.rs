//! `seed.derived`.

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::model::file::RoundFile;
use crate::model::ids::{Block, RoundNumber};
use crate::model::seed::SeedFile;
use crate::model::snapshot::RoundFiles;
use crate::rules::seed::{OnChain, Proof, check_on_chain, prove};

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(seed) = files.seed.get() else { return };
    let latest = files.schedule.get().map(|schedule| schedule.latest_reveal_block);
    let terms = facts.terms(round, RoundFile::Seed);
    claim(&terms, round, (seed, latest), facts.blocks.get(&round), sink);
}

/// `seed.derived`, from a seed and the last block of reveals.
pub(super) fn claim(
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (seed, latest): (&SeedFile, Option<Block>),
    on_chain: Option<&OnChain>,
    sink: &mut Sink,
) {
    sink.claim("seed.derived", round, format!("rounds/{round}/seed.json"), |claim| {
        derived(claim, terms, round, (seed, latest), on_chain);
    });
}

fn derived(
    claim: &mut Claim,
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (seed, latest): (&SeedFile, Option<Block>),
    on_chain: Option<&OnChain>,
) {
    let (Some(settings), Some(latest)) = (terms.settings, latest) else {
        return claim.skip("config.json or schedule.json cannot be read");
    };
    let proof = match prove(seed, &settings.name, round, latest) {
        Ok(Proof::NoSource) => {
            return claim.skip(format!("the seed {} names no source: it cannot be proved", seed.seed));
        }
        Ok(proof) => proof,
        Err(why) => {
            claim.fail(why);
            return terms.judge(claim);
        }
    };
    match on_chain {
        Some(on_chain) => match check_on_chain(&proof, on_chain) {
            Ok(()) => claim.note("the chain confirms it"),
            Err(why) => claim.fail(why),
        },
        None => claim.note("the chain was not asked for latest_reveal_block's time and hash (--chain)"),
    }
}
