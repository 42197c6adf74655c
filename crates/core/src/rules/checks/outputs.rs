//! `outputs.rules`.

use indexmap::{IndexMap, IndexSet};

use super::{Claim, Sink, VerifyFacts};
use crate::model::file::PlayerFile;
use crate::model::format::ModelFormat;
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::model::neutral::OutputView;
use crate::model::outputs::Output;
use crate::model::pod_stats::{PodEntry, PodFigures};
use crate::model::snapshot::{PlayerFiles, RoundFiles};
use crate::model::stage::Stage;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let stems: Option<IndexSet<&PromptStem>> = files.prompts.get().map(|prompts| prompts.stems().collect());
    // While files are still being fetched, entries may be missing.
    let fetched = facts.has_reached(round, Stage::Duels);
    for (player, own) in &files.players {
        known_player(round, files, player, sink);
        let kinds = [(&own.submitted, PlayerFile::Submitted), (&own.generated, PlayerFile::Generated)];
        for (outputs, kind) in kinds.iter().filter_map(|(slot, kind)| Some((slot.get()?, kind))) {
            sink.claim("outputs.rules", round, format!("rounds/{round}/{player}/{}", kind.name()), |claim| {
                let submitted = *kind == PlayerFile::Submitted;
                let place = Place::of(round, player, files.format.model(), submitted);
                // submitted.json has an entry for every prompt, failures included.
                check_stems(claim, outputs, stems.as_ref(), submitted && fetched);
                for (stem, output) in outputs.iter() {
                    one(claim, stem, output, &place);
                }
            });
        }
        sums(round, player, own, sink);
        pods(round, player, own, sink);
    }
}

/// Whose outputs, and of which kind.
struct Place {
    format: ModelFormat,
    submitted: bool,
    /// The end of the URL of the folder in which they are stored.
    folder: String,
}

impl Place {
    fn of(round: RoundNumber, player: &Player, format: ModelFormat, submitted: bool) -> Place {
        let kind = if submitted { "submitted" } else { "generated" };
        Place { format, submitted, folder: format!("rounds/{round}/{player}/{kind}/") }
    }
}

fn known_player(round: RoundNumber, files: &RoundFiles, player: &Player, sink: &mut Sink) {
    let (Player::Miner(hotkey), Some(submissions)) = (player, files.submissions.get()) else { return };
    if !submissions.contains_key(hotkey) {
        sink.claim("outputs.rules", round, format!("rounds/{round}/{player}"), |claim| {
            claim.fail("this hotkey did not submit in this round");
        });
    }
}

/// The stems of outputs are prompts of the round; with `all`, every prompt has an entry.
pub(super) fn check_stems<V>(
    claim: &mut Claim,
    outputs: &IndexMap<PromptStem, V>,
    stems: Option<&IndexSet<&PromptStem>>,
    all: bool,
) {
    let Some(stems) = stems else { return };
    for stem in outputs.keys().filter(|stem| !stems.contains(*stem)) {
        claim.fail(format!("{stem}: not a prompt of this round"));
    }
    if all {
        let there = outputs.keys().filter(|stem| stems.contains(*stem)).count();
        let missing = stems.iter().filter(|stem| !outputs.contains_key(**stem));
        let details = missing.map(|stem| format!("{stem}: a prompt of this round without an entry"));
        claim.fail_often(stems.len() - there, details);
    }
}

/// The parts of an output go together: a size with a model (recorded under `key`), a preview only with a model.
pub(super) fn check_parts(claim: &mut Claim, stem: &PromptStem, key: &str, output: &OutputView<'_>) {
    match (output.model, output.size) {
        (None, 0) | (Some(_), 1..) => {}
        (None, size) => claim.fail(format!("{stem}: size is {size}, but there is no {key}")),
        (Some(model), size) => claim.fail(format!("{stem}: size is {size}, but {key} is {model:?}")),
    }
    if output.model.is_none() && output.preview.is_some() {
        claim.fail(format!("{stem}: a preview without a model"));
    }
}

fn one(claim: &mut Claim, stem: &PromptStem, output: &Output, place: &Place) {
    let key = place.format.key();
    check_parts(claim, stem, key, &OutputView::from(output));
    let model = (&output.model, key, place.format.extension());
    for (url, key, extension) in [model, (&output.png, "png", "png")] {
        if let Some(url) = url.as_deref().filter(|url| !is_stored_at(url, stem, extension, place)) {
            let folder = &place.folder;
            claim.fail(format!("{stem}: {key} is {url:?}, not a URL of {folder}{stem}.{extension}"));
        }
    }
    if place.submitted {
        let (time, distance) = (output.generation_time, output.distance);
        if time != 0.0 || distance != 0.0 {
            claim.fail(format!("{stem}: generation_time {time} and distance {distance} of a submitted file are not 0"));
        }
    } else if output.generation_time < 0.0 || !(0.0..=2.0).contains(&output.distance) {
        let (time, distance) = (output.generation_time, output.distance);
        claim.fail(format!("{stem}: generation_time {time} or distance {distance} is out of range"));
    }
}

/// Is this the URL of the object that belongs here? The key of a later attempt has a mark after the stem.
fn is_stored_at(url: &str, stem: &PromptStem, extension: &str, place: &Place) -> bool {
    let folder = place.folder.as_str();
    // Without a mark, as nearly all are, nothing needs to be searched for.
    let plain = || url.strip_suffix(extension)?.strip_suffix('.')?.strip_suffix(stem.as_str())?.strip_suffix(folder);
    if plain().is_some_and(|base| base.ends_with('/')) {
        return true;
    }
    let Some((base, name)) = url.rsplit_once(folder) else { return false };
    let Some(mark) = name.strip_prefix(stem.as_str()).and_then(|rest| rest.strip_suffix(extension)) else {
        return false;
    };
    let marked = |mark: &str| mark.starts_with(['-', '_', '.']) && !mark.contains(['/', '?', '#']);
    base.ends_with('/') && mark.strip_suffix('.').is_some_and(|mark| mark.is_empty() || marked(mark))
}

/// Checks that every stored object has its sum. A player without the file is skipped, and so is a kind without any
/// sums: the deployed services keep none, and submitted and generated objects may come from different programs.
fn sums(round: RoundNumber, player: &Player, own: &PlayerFiles, sink: &mut Sink) {
    let Some(sums) = own.sums.get() else { return };
    sink.claim("outputs.rules", round, format!("rounds/{round}/{player}/SHA256SUMS"), |claim| {
        let folder = format!("rounds/{round}/{player}/");
        for (kind, slot) in [("submitted/", &own.submitted), ("generated/", &own.generated)] {
            if !sums.0.keys().any(|path| path.starts_with(kind)) {
                continue;
            }
            let outputs = slot.get().into_iter().flat_map(|outputs| outputs.values());
            for url in outputs.flat_map(Output::urls).flatten() {
                let path = url.rsplit_once(folder.as_str()).map_or(url.as_str(), |(_, path)| path);
                if !sums.0.contains_key(path) {
                    claim.fail(format!("{path}: stored, but has no sum"));
                }
            }
        }
    });
}

/// Checks that the pods' figures do not contradict each other; entries in other layouts are skipped.
fn pods(round: RoundNumber, player: &Player, own: &PlayerFiles, sink: &mut Sink) {
    let known = own.pod_stats.get().into_iter().flat_map(|stats| stats.iter());
    let known: Vec<_> = known
        .filter_map(|(pod, entry)| match entry {
            PodEntry::Figures(figures) => Some((pod, figures)),
            PodEntry::Other(_) => None,
        })
        .collect();
    if known.is_empty() {
        return;
    }
    sink.claim("outputs.rules", round, format!("rounds/{round}/{player}/pod_stats.json"), |claim| {
        known.iter().for_each(|(pod, figures)| figures_of(claim, pod, figures));
    });
}

/// Checks that no count exceeds `processed`, and that the times are in order. Nothing more: the deployed services
/// write this file, too, and how they count in detail is unknown.
fn figures_of(claim: &mut Claim, pod: &str, figures: &PodFigures) {
    claim.same(format_args!("{pod}: pod_id"), &figures.pod_id.as_str(), &pod);
    let PodFigures { processed, successful, hard_failed, hard_overtime, .. } = figures;
    if successful.saturating_add(*hard_failed) > *processed {
        claim.fail(format!("{pod}: {successful} successful and {hard_failed} hard_failed of {processed} processed"));
    }
    if hard_overtime > processed {
        claim.fail(format!("{pod}: {hard_overtime} hard_overtime of {processed} processed"));
    }
    let PodFigures { time_min, time_max, time_avg, time_median, .. } = figures;
    // An average of equal times may be off in its last digit.
    let near = 1e-6 * time_max.abs();
    for (name, time) in [("time_avg", time_avg), ("time_median", time_median), ("time_max", time_max)] {
        if *time < time_min - near || *time > time_max + near {
            claim.fail(format!("{pod}: {name} is {time}, but times range from {time_min} to {time_max}"));
        }
    }
    if *time_min < 0.0 {
        claim.fail(format!("{pod}: time_min is {time_min}, below 0"));
    }
}
