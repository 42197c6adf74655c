//! What a miner can still do about what `check` found.

use crate::base::text::counted;
use crate::engine::checking::fetched::CheckedFiles;
use crate::engine::checking::source::Source;
use crate::engine::context::Standing;
use crate::model::ids::Block;
use crate::rules::check::{PayloadCheck, PayloadVerdict};

/// What to do about the files, unless they are complete or the deadline has passed.
pub(super) fn of_files(
    checked: &CheckedFiles,
    source: &Source,
    standing: &Standing,
    now: Option<Block>,
) -> Option<String> {
    let by = standing.files.schedule.get()?.generation_deadline_block;
    if now.is_some_and(|now| now >= by) {
        return None;
    }
    let ([_, refused, failed], missing) = (checked.counts(), checked.missing());
    let fails = failed.saturating_sub(missing);
    let add = if matches!(source, Source::Folder(_)) { "add" } else { "upload" };
    let steps = [
        (missing, format!("{add} {}", counted(missing, "missing file", "missing files"))),
        (fails, format!("find out why {} failed", counted(fails, "file", "files"))),
        (refused, format!("fix {}", counted(refused, "refused file", "refused files"))),
    ];
    let steps: Vec<String> = steps.into_iter().filter(|(count, _)| *count > 0).map(|(_, step)| step).collect();
    (!steps.is_empty()).then(|| format!("by block {by}: {}; then check again", steps.join(", ")))
}

/// What to do about the payload, unless it is taken or the window has ended.
pub(super) fn of_payload(revealed: Option<&PayloadCheck>, standing: &Standing, now: Option<Block>) -> Option<String> {
    let schedule = standing.files.schedule.get()?;
    let (from, to) = (schedule.earliest_reveal_block, schedule.latest_reveal_block);
    if now.is_some_and(|now| now > to) || !standing.files.seed.is_missing() {
        return None;
    }
    match revealed?.verdict {
        PayloadVerdict::Taken(_) => None,
        PayloadVerdict::Refused(_) => Some(format!("commit a corrected payload that is revealed by block {to}")),
        PayloadVerdict::Outside => Some(format!("commit a payload that is revealed within blocks {from} to {to}")),
    }
}
