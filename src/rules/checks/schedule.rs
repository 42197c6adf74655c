//! `schedule.blocks`.

use super::{Sink, VerifyFacts};
use crate::model::file::RoundFile;
use crate::model::ids::RoundNumber;
use crate::model::snapshot::RoundFiles;
use crate::rules::succession::deadline;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(schedule) = files.schedule.get() else { return };
    sink.claim("schedule.blocks", round, format!("rounds/{round}/schedule.json"), |claim| {
        let (earliest, latest) = (schedule.earliest_reveal_block, schedule.latest_reveal_block);
        if earliest > latest {
            claim.fail(format!("earliest_reveal_block is {earliest}, after latest_reveal_block {latest}"));
        }
        let before = round.previous().and_then(|round| facts.snapshot.rounds.get(&round));
        if let Some(before) = before.and_then(|files| files.schedule.get()) {
            let expected = before.latest_reveal_block.0.saturating_add(1);
            claim.same("earliest_reveal_block", &earliest.0, &expected);
        }
        let terms = facts.terms(round, RoundFile::Schedule);
        match terms.settings {
            Some(settings) => claim.part(None, |claim| {
                let expected = deadline(settings, latest);
                claim.same("generation_deadline_block", &schedule.generation_deadline_block.0, &expected.0);
                terms.judge(claim);
            }),
            None => claim.skip("config.json cannot be read"),
        }
    });
}
