//! `outputs.refusals`.

use indexmap::IndexSet;

use super::{Claim, Sink, VerifyFacts};
use crate::base::text::{counted, cut};
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::model::outputs::{Output, Outputs};
use crate::model::refusals::{LONGEST_REASON, Refusal, Refusals, is_stored, meaning};
use crate::model::snapshot::{PlayerFiles, RoundFiles, Slot};

pub(super) fn check(_: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    of_round(round, files, sink);
}

/// The refusals of a round of any format, by its files as the shared rules of downloading know them.
pub(super) fn of_round(round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let stems: Option<IndexSet<&PromptStem>> = files.prompts.get().map(|prompts| prompts.stems().collect());
    for (player, own) in &files.players {
        let Slot::Ok(refusals) = &own.refusals else { continue };
        sink.claim("outputs.refusals", round, format!("rounds/{round}/{player}/refusals.json"), |claim| {
            if *player == Player::Leader {
                claim.fail("the leader's files are not submitted");
            }
            for (stem, refusal) in refusals.iter() {
                one(claim, stem, refusal);
                if stems.as_ref().is_some_and(|stems| !stems.contains(stem)) {
                    claim.fail(format!("{stem}: not a prompt of this round"));
                }
            }
            match &own.submitted {
                Slot::Ok(outputs) => beside(claim, refusals, outputs),
                Slot::Missing => claim.fail("there is no submitted.json"),
                Slot::Broken => claim.skip("submitted.json cannot be read"),
            }
        });
    }
    missing(round, files, sink);
}

fn is_incomplete((_, output): &(&PromptStem, &Output)) -> bool {
    !output.is_complete()
}

/// A refusal by itself.
fn one(claim: &mut Claim, stem: &PromptStem, refusal: &Refusal) {
    if meaning(&refusal.code).is_none() {
        claim.fail(format!("{stem}: the code {:?} is not known", cut(&refusal.code, 80)));
    }
    if refusal.reason.is_empty() || !refusal.is_bounded() {
        claim.fail(format!("{stem}: the reason is not one visible line of up to {LONGEST_REASON} characters"));
    }
}

/// The refusals are those of `submitted.json`: each output without a model or a preview, in the same order.
fn beside(claim: &mut Claim, refusals: &Refusals, outputs: &Outputs) {
    for (stem, refusal) in refusals.iter() {
        let Refusal { code, .. } = refusal;
        match outputs.get(stem) {
            None => claim.fail(format!("{stem}: refused, but submitted.json has no entry")),
            Some(output) if output.is_complete() => {
                claim.fail(format!("{stem}: refused, but submitted.json has a model and a preview"));
            }
            Some(output) => match (is_stored(code), output.model.is_some()) {
                (Some(true), false) => claim.fail(format!("{stem}: {code} is of a stored model, but there is none")),
                (Some(false), true) => claim.fail(format!("{stem}: {code} is of a file that is not stored, but it is")),
                _ => {}
            },
        }
    }
    let incomplete = || outputs.iter().filter(is_incomplete).map(|(stem, _)| stem);
    let silent = || incomplete().filter(|stem| !refusals.contains_key(*stem));
    claim.fail_often(silent().count(), silent().map(|stem| format!("{stem}: no model or no preview, and no reason")));
    let places = refusals.keys().filter_map(|stem| outputs.get_index_of(stem));
    if !places.is_sorted() {
        claim.fail("the prompts are not in the order of submitted.json");
    }
}

/// Miners with refused files and no `refusals.json`. The deployed services write none, nor did earlier versions.
fn missing(round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let refused =
        |own: &PlayerFiles| own.submitted.get().map_or(0, |outputs| outputs.iter().filter(is_incomplete).count());
    let without = files.players.iter().filter(|(_, own)| own.refusals.is_missing());
    let without: Vec<_> = without.map(|(player, own)| (player, refused(own))).filter(|(_, count)| *count > 0).collect();
    if files.players.values().all(|own| own.refusals.is_missing()) {
        let count: usize = without.iter().map(|(_, count)| count).sum();
        if count > 0 {
            sink.claim("outputs.refusals", round, format!("rounds/{round}"), |claim| {
                claim.note(format!("{} without a recorded reason", counted(count, "refused file", "refused files")));
            });
        }
        return;
    }
    for (player, count) in without {
        sink.claim("outputs.refusals", round, format!("rounds/{round}/{player}/refusals.json"), |claim| {
            let files = counted(count, "file has", "files have");
            claim.warn(format!("missing: {files} no recorded reason, but other miners of the round have one"));
        });
    }
}
