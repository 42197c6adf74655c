//! What a miner can still do about what `check` found.

use crate::base::text::{counted, in_shell};
use crate::engine::checking::fetched::{CheckedFiles, Failed};
use crate::engine::checking::source::Source;
use crate::engine::context::Standing;
use crate::model::config::Settings;
use crate::model::ids::RoundNumber;
use crate::model::schedule::Schedule;
use crate::model::stage::{CompetitionState, Stage};
use crate::rules::chances::{Chances, Course};
use crate::rules::check::{PayloadCheck, PayloadVerdict};
use crate::rules::succession::{Moment, next_start};

/// What to do about the files, unless they are complete, the deadline has passed, or they are not awaited.
pub(super) fn of_files(
    checked: &CheckedFiles,
    source: &Source,
    chances: &Chances<'_>,
    most_bytes: u64,
) -> Option<String> {
    let by = chances.awaited()?.generation_deadline_block;
    if chances.deadline_has_passed() == Some(true) {
        return None;
    }
    let ([_, refused, _], Failed { missing, too_large, other }) = (checked.counts(), checked.failed());
    let add = if matches!(source, Source::Folder(_)) { "add" } else { "upload" };
    let large = counted(too_large, "file", "files");
    let steps = [
        (missing, format!("{add} {}", counted(missing, "missing file", "missing files"))),
        (too_large, format!("make {large} smaller (at most {most_bytes} bytes)")),
        (other, format!("find out why {} failed", counted(other, "file", "files"))),
        (refused, format!("fix {}", counted(refused, "refused file", "refused files"))),
    ];
    let steps: Vec<String> = steps.into_iter().filter(|(count, _)| *count > 0).map(|(_, step)| step).collect();
    (!steps.is_empty()).then(|| format!("by block {by}: {}; then check again", steps.join(", ")))
}

/// What to do about the payload, unless it is taken: within the window of the round, or for the next one.
pub(super) fn of_payload(
    revealed: Option<&PayloadCheck>,
    standing: &Standing,
    chances: &Chances<'_>,
    moment: Option<Moment>,
) -> Option<String> {
    let schedule = standing.files.schedule.get()?;
    if chances.is_out() && matches!(chances.course, Course::Open | Course::Fetched) {
        return for_next_round(revealed, standing, schedule, moment);
    }
    if chances.course != Course::Open || chances.window_is_over() {
        return None;
    }
    let (from, to) = (schedule.earliest_reveal_block, schedule.latest_reveal_block);
    match revealed?.verdict {
        PayloadVerdict::Taken(_) => None,
        PayloadVerdict::Refused(_) => Some(format!("commit a corrected payload that is revealed by block {to}")),
        PayloadVerdict::Outside => Some(format!("commit a payload that is revealed within blocks {from} to {to}")),
    }
}

/// The next round's window begins where this one ended.
fn for_next_round(
    revealed: Option<&PayloadCheck>,
    standing: &Standing,
    schedule: &Schedule,
    moment: Option<Moment>,
) -> Option<String> {
    let next = standing.state.current_round.next();
    if is_last(&standing.config.settings, schedule, moment) {
        return None;
    }
    let late = revealed.into_iter().flat_map(|check| &check.reveals);
    let late = late.map(|seen| seen.block).filter(|block| *block > schedule.latest_reveal_block).max();
    Some(match late {
        Some(block) => {
            format!("what was revealed in block {block} counts for round {next}: check again once it is open")
        }
        None => {
            let from = schedule.latest_reveal_block.0.saturating_add(1);
            format!("commit a payload for round {next}: what is revealed from block {from} on counts for it")
        }
    })
}

/// Would a round after this one begin too late?
fn is_last(settings: &Settings, schedule: &Schedule, moment: Option<Moment>) -> bool {
    let next = moment.and_then(|moment| next_start(settings, Some(schedule), moment));
    next.is_some_and(|next| next.past_end)
}

/// Where to look instead of a round that is over.
pub(super) fn of_another_round(source: &str, round: RoundNumber, now: &CompetitionState) -> Option<String> {
    let CompetitionState { current_round, stage, .. } = now;
    let is_open = matches!(stage, Stage::Open | Stage::MinerGeneration);
    (round != *current_round && is_open)
        .then(|| format!("gen404 check {}  # round {current_round} is the current one", in_shell(source)))
}
