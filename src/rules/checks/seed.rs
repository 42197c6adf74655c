//! `seed.derived`.

use super::{Claim, Facts, Sink};
use crate::rules::seed::{Proof, prove};
use crate::state::ids::RoundNumber;
use crate::state::seed::SeedFile;
use crate::state::snapshot::RoundFiles;

pub(super) fn check(facts: &Facts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(seed) = files.seed.get() else { return };
    sink.claim("seed.derived", round, format!("rounds/{round}/seed.json"), |claim| {
        derived(claim, facts, round, files, seed);
    });
}

fn derived(claim: &mut Claim, facts: &Facts<'_>, round: RoundNumber, files: &RoundFiles, seed: &SeedFile) {
    let (Some(settings), Some(schedule)) = (facts.settings(), files.schedule.get()) else {
        return claim.skip("config.json or schedule.json cannot be read");
    };
    match prove(seed, &settings.name, round, schedule.latest_reveal_block) {
        Ok(Proof::NoSource) => claim.skip(format!("the seed {} names no source: it cannot be proved", seed.seed)),
        // That round or hash belong to the block is for a chain to say.
        Ok(Proof::Drand { .. } | Proof::Block { .. }) => {}
        Err(why) => claim.fail(why),
    }
}
