//! `state.files` of a competition of three.js modules: what a round must have in its stage, layout by layout.

use super::super::Sink;
use super::common::needed;
use super::threejs::Round;
use super::threejs_audits::due;
use crate::model::ids::{Hotkey, Player};
use crate::model::neutral::Hardware;
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::model::threejs::reports::GenerationReport;
use crate::model::threejs::snapshot::ThreejsRound;

pub(super) fn check(round: &Round<'_>, sink: &mut Sink) {
    let mut missing = of_the_round(round);
    missing.extend(of_the_leader(round));
    missing.extend(of_audits(round));
    missing.extend(submitted(round));
    missing.extend(of_repeats(round));
    needed(round.round, &missing, sink);
}

fn played(round: &Round<'_>) -> bool {
    round.is_over() && round.files.submissions.get().is_none_or(|submissions| !submissions.is_empty())
}

fn of_the_round(round: &Round<'_>) -> Vec<String> {
    let (files, over, played) = (round.files, round.is_over(), played(round));
    let all = [
        ("schedule.json", true, files.schedule.is_missing()),
        ("submissions.json", over, files.submissions.is_missing()),
        ("seed.json", played, files.seed.is_missing()),
        ("prompts.txt", played, files.prompts.is_missing()),
        ("builds.json", played, files.builds.is_missing()),
        ("matches_matrix.csv", played, files.matrix.is_missing()),
        ("winner.json", played, files.winner.is_missing()),
    ];
    names(all)
}

fn names<const N: usize>(all: [(&str, bool, bool); N]) -> Vec<String> {
    let missing = all.into_iter().filter(|(_, needed, missing)| *needed && *missing);
    missing.map(|(name, ..)| name.to_owned()).collect()
}

/// The leader's outputs, and the records of its pods if the competition has such records.
fn of_the_leader(round: &Round<'_>) -> Vec<String> {
    let own = round.files.players.get(&Player::Leader);
    let generated = own.is_some_and(|own| !own.generated.is_empty());
    let recorded = |files: &ThreejsRound| {
        let leader = files.players.get(&Player::Leader);
        leader.is_some_and(|leader| !leader.pod_stats.is_missing())
    };
    let recorded = is_recent(round) && round.snapshot.rounds.values().any(recorded);
    let all = [
        ("leader/generated_1.json", played(round), !generated),
        ("leader/pod_stats.json", played(round) && recorded, own.is_none_or(|own| own.pod_stats.is_missing())),
    ];
    names(all)
}

/// Has the round's layout hardware, as those from round 20 of the real competition on?
pub(super) fn is_recent(round: &Round<'_>) -> bool {
    let submissions = round.files.submissions.get();
    submissions.is_some_and(|submissions| submissions.values().any(|submission| submission.hardware().is_some()))
}

/// The programs of requested miners are run and judged, and no others.
fn of_audits(round: &Round<'_>) -> Vec<String> {
    let (files, played) = (round.files, played(round));
    let requested = files.require_audit.get().is_some_and(|requests| !requests.is_empty());
    let reported = files.generation_reports.get().is_some_and(|reports| !reports.is_empty());
    let compared = !files.verification_audits.is_missing();
    let all = [
        ("require_audit.json", played && reported, files.require_audit.is_missing()),
        ("generation_reports.json", played && requested && !compared, files.generation_reports.is_missing()),
        ("generation_audits.json", is_recent(round) && !due(round).is_empty(), files.generation_audits.is_missing()),
    ];
    names(all)
}

/// From the duels on, every miner has a record of what it submitted.
fn submitted(round: &Round<'_>) -> Vec<String> {
    if !round.has_reached(Stage::Duels) {
        return Vec::new();
    }
    let miners = round.files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
    let is_missing = |hotkey: &&Hotkey| {
        let own = round.files.players.get(&Player::Miner((*hotkey).clone()));
        own.is_none_or(|own| own.submitted.is_missing())
    };
    miners.filter(is_missing).map(|hotkey| format!("{hotkey}/submitted.json")).collect()
}

/// Each repeat in a report has left its outputs, and records of its pods if the competition has such records.
fn of_repeats(round: &Round<'_>) -> Vec<String> {
    let mut missing = Vec::new();
    let mut players = round.snapshot.rounds.values().flat_map(|files| files.players.values());
    let recorded = is_recent(round) && players.any(|own| !own.pod_stats.is_missing());
    let reports = round.files.generation_reports.get().filter(|_| round.is_over());
    for (hotkey, report) in reports.into_iter().flat_map(|reports| reports.iter()) {
        let player = Player::Miner(hotkey.clone());
        let own = round.files.players.get(&player);
        let has = |repeat: u32| own.is_some_and(|own| own.generated.contains_key(&repeat));
        match report {
            GenerationReport::Repeated(report) => {
                // Where nothing was generated, as when the replacements are spent, there may be no file.
                let made = report.repeats.iter().filter(|repeat| repeat.generation_time.is_some());
                let gone = made.map(|repeat| repeat.repeat_index).filter(|repeat| !has(*repeat));
                missing.extend(gone.map(|repeat| format!("{hotkey}/generated_{repeat}.json")));
                let timed = report.repeats.iter().any(|repeat| repeat.generation_time.is_some());
                let stats = own.is_none_or(|own| matches!(own.pod_stats, Slot::Missing));
                missing.extend((timed && stats && recorded).then(|| format!("{hotkey}/pod_stats.json")));
            }
            GenerationReport::Flat(report) => {
                let gone = report.generation_time.is_some() && !has(1);
                missing.extend(gone.then(|| format!("{hotkey}/generated.json")));
            }
        }
    }
    missing
}
