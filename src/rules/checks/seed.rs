//! `seed.derived`.

use super::{Claim, Sink, VerifyFacts};
use crate::model::file::RoundFile;
use crate::model::ids::RoundNumber;
use crate::model::seed::SeedFile;
use crate::model::snapshot::RoundFiles;
use crate::rules::seed::{Proof, check_on_chain, prove};

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(seed) = files.seed.get() else { return };
    sink.claim("seed.derived", round, format!("rounds/{round}/seed.json"), |claim| {
        derived(claim, facts, round, files, seed);
    });
}

fn derived(claim: &mut Claim, facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, seed: &SeedFile) {
    let terms = facts.terms(round, RoundFile::Seed);
    let (Some(settings), Some(schedule)) = (terms.settings, files.schedule.get()) else {
        return claim.skip("config.json or schedule.json cannot be read");
    };
    let proof = match prove(seed, &settings.name, round, schedule.latest_reveal_block) {
        Ok(Proof::NoSource) => {
            return claim.skip(format!("the seed {} names no source: it cannot be proved", seed.seed));
        }
        Ok(proof) => proof,
        Err(why) => {
            claim.fail(why);
            return terms.judge(claim);
        }
    };
    match facts.blocks.get(&round) {
        Some(on_chain) => match check_on_chain(&proof, on_chain) {
            Ok(()) => claim.note("the chain confirms it"),
            Err(why) => claim.fail(why),
        },
        None => claim.note("the chain was not asked for latest_reveal_block's time and hash (--chain)"),
    }
}
