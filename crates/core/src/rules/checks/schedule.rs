//! `schedule.blocks`.

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::model::file::RoundFile;
use crate::model::ids::{Block, RoundNumber};
use crate::model::snapshot::RoundFiles;
use crate::rules::succession::deadline;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(schedule) = files.schedule.get() else { return };
    sink.claim("schedule.blocks", round, format!("rounds/{round}/schedule.json"), |claim| {
        let (earliest, latest) = (schedule.earliest_reveal_block, schedule.latest_reveal_block);
        let before = round.previous().and_then(|round| facts.snapshot.rounds.get(&round));
        let before = before.and_then(|files| files.schedule.get()).map(|schedule| schedule.latest_reveal_block);
        window(claim, (earliest, latest), before);
        due(claim, &facts.terms(round, RoundFile::Schedule), latest, schedule.generation_deadline_block);
    });
}

/// The window of reveals, after the one of the previous round (its last block).
pub(super) fn window(claim: &mut Claim, (earliest, latest): (Block, Block), before: Option<Block>) {
    if earliest > latest {
        claim.fail(format!("earliest_reveal_block is {earliest}, after latest_reveal_block {latest}"));
    }
    if let Some(before) = before {
        claim.same("earliest_reveal_block", &earliest.0, &before.0.saturating_add(1));
    }
}

/// The deadline of miners.
pub(super) fn due(claim: &mut Claim, terms: &ClaimTerms<'_>, latest: Block, found: Block) {
    match terms.settings {
        Some(settings) => claim.part(None, |claim| {
            let expected = deadline(settings, latest);
            claim.same("generation_deadline_block", &found.0, &expected.0);
            terms.judge(claim);
        }),
        None => claim.skip("config.json cannot be read"),
    }
}
