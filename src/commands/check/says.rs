//! What is told of files, payload and build: as JSON and as lines.

use serde_json::{Value, json};

use crate::base::text::counted;
use crate::engine::checking::fetched::CheckedFiles;
use crate::engine::checking::source::Source;
use crate::engine::context::Standing;
use crate::model::format::ModelFormat;
use crate::model::ids::{Hotkey, PromptStem};
use crate::model::refusals::{CONNECTION, MISSING, TOO_LARGE, meaning};
use crate::model::submissions::Submission;
use crate::rules::chances::Chances;
use crate::rules::check::{
    CheckedFile, MOST_UNASKED, PayloadCheck, PayloadVerdict, SeenReveal, TimedFetch, Unasked, duplicates, file_name,
    worst_first,
};
use crate::rules::download::{FetchOutcome, refusal};
use crate::rules::regeneration::record::NO_IMAGE;
use crate::rules::regeneration::{ImageToRun, image_of};
use crate::ui::Report;
use crate::world::http::HttpLimits;

/// What is in a miner's folder beside the files that the prompts ask for.
#[derive(Debug, Default)]
pub(super) struct Surplus {
    pub(super) unasked: Vec<Unasked>,
    /// Unasked files that are not listed.
    pub(super) more: usize,
    /// Pictures beside their models.
    pub(super) pictures: usize,
    /// Models in folders below.
    pub(super) below: Vec<String>,
}

/// The limits of a file, and where they come from.
#[derive(Debug, Clone)]
pub(super) struct FileLimits {
    pub(super) limits: HttpLimits,
    /// The settings file that set them, if one is followed.
    pub(super) settings: Option<String>,
}

impl FileLimits {
    fn says(&self, source: &Source) -> String {
        let seconds = match source {
            Source::Folder(_) => String::new(),
            Source::Server(_) => format!(" and {} s", self.limits.whole.as_secs_f64()),
        };
        let from = match &self.settings {
            None => "the defaults; the operator may have set others".to_owned(),
            Some(path) => format!("by {path}; the operator's may be others"),
        };
        format!("limits of a file: {} MiB{seconds} ({from})", self.limits.body >> 20)
    }
}

/// The files, the worst first, and what stands out about them.
pub(super) fn files(checked: &CheckedFiles, surplus: &Surplus, limits: &FileLimits) -> Value {
    let [stored, refused, failed] = checked.counts();
    let unasked: Vec<Value> = surplus.unasked.iter().map(|one| json!({"name": one.name, "near": one.near})).collect();
    json!({
        "files": sorted(checked).iter().map(file).collect::<Vec<_>>(),
        "summary": {"stored": stored, "refused": refused, "failed": failed, "bytes": checked.bytes()},
        "duplicates": duplicates(&checked.files),
        "unasked": unasked,
        "more_unasked": surplus.more,
        "pictures": surplus.pictures,
        "below": surplus.below.iter().take(MOST_UNASKED).collect::<Vec<_>>(),
        "limits": {
            "bytes": limits.limits.body,
            "seconds": limits.limits.whole.as_secs_f64(),
            "settings": limits.settings,
        },
    })
}

fn sorted(checked: &CheckedFiles) -> Vec<CheckedFile> {
    let mut files = checked.files.clone();
    worst_first(&mut files);
    files
}

fn file(file: &CheckedFile) -> Value {
    let refusal = refusal(&file.outcome);
    json!({
        "stem": file.stem,
        "outcome": outcome(&file.outcome),
        "code": refusal.as_ref().map(|refusal| &refusal.code),
        "reason": refusal.as_ref().map(|refusal| &refusal.reason),
        "model": file.outcome.model().is_some(),
        "preview": file.outcome.png().is_some(),
        "size": file.arrived.as_ref().map(|arrived| arrived.size),
        "sha256": file.arrived.as_ref().map(|arrived| &arrived.sha256),
        "fetch_seconds": file.fetch.map(|fetch| fetch.seconds),
        "retries": file.fetch.map(|fetch| fetch.retries),
        "draw_seconds": file.draw_seconds,
    })
}

fn outcome(outcome: &FetchOutcome) -> &'static str {
    match outcome {
        FetchOutcome::Stored { .. } => "stored",
        FetchOutcome::Refused { .. } => "refused",
        FetchOutcome::Failed { .. } => "failed",
    }
}

/// A line for each file, the worst first, and their sum.
pub(super) fn file_lines(
    checked: &CheckedFiles,
    source: &Source,
    surplus: &Surplus,
    limits: &FileLimits,
    report: &mut Report,
) {
    let format = checked.outputs.format.model();
    for file in sorted(checked) {
        let (colour, mark) = match file.outcome {
            FetchOutcome::Stored { .. } => ("32", "stored "),
            FetchOutcome::Refused { .. } => ("33", "refused "),
            FetchOutcome::Failed { .. } if file.is_missing() => ("31", "missing "),
            FetchOutcome::Failed { .. } if file.is_too_large() => ("31", "too large "),
            FetchOutcome::Failed { .. } => ("31", "failed "),
        };
        let what = match source {
            Source::Folder(_) => in_folder(&file, &file_name(&file.stem, format), limits),
            Source::Server(_) => described(&file, file.fetch),
        };
        report.say_marked(colour, mark, format!("{}: {what}", file.stem));
    }
    for stems in duplicates(&checked.files) {
        let stems: Vec<String> = stems.iter().map(ToString::to_string).collect();
        report.say(format!("the same bytes: {}", stems.join(", ")));
    }
    surplus_lines(surplus, format, report);
    if !checked.files.is_empty() {
        report.say(limits.says(source));
        report.say(checked.says());
    }
}

/// What is in the folder beside the files.
fn surplus_lines(surplus: &Surplus, format: ModelFormat, report: &mut Report) {
    let near = |stem: &PromptStem| format!(": is it {}?", file_name(stem, format));
    for Unasked { name, near: meant } in &surplus.unasked {
        report.say(format!("{name} is not asked for{}", meant.as_ref().map(near).unwrap_or_default()));
    }
    if surplus.more > 0 {
        report.say(format!("{} are not asked for either", counted(surplus.more, "more file", "more files")));
    }
    if surplus.pictures > 0 {
        let pictures = counted(surplus.pictures, "picture", "pictures");
        report.say(format!("{pictures} beside models of the same name: ignored"));
    }
    if let Some(first) = surplus.below.first() {
        let models = counted(surplus.below.len(), "model", "models");
        report.say(format!("{models} in folders below, such as {first}: ignored, put them into the folder itself"));
    }
}

/// As [`described`], of a file in a folder, where nothing is sent: its size against the limit, what cannot be read.
fn in_folder(file: &CheckedFile, name: &str, limits: &FileLimits) -> String {
    match &file.outcome {
        FetchOutcome::Failed { reason, .. } if file.is_missing() && reason.starts_with("status ") => {
            // In the journal it would be what its server answers.
            format!("no {name} in this folder ({MISSING})")
        }
        FetchOutcome::Failed { reason, .. } if file.is_missing() => format!("{name} is {reason} ({MISSING})"),
        FetchOutcome::Failed { .. } if file.is_too_large() => {
            format!("{name} has more than {} bytes ({TOO_LARGE})", limits.limits.body)
        }
        FetchOutcome::Failed { reason, code } if code == CONNECTION => reason.clone(),
        _ => described(file, None),
    }
}

/// Why it is refused, or what it took.
fn described(file: &CheckedFile, fetch: Option<TimedFetch>) -> String {
    let size = file.arrived.as_ref().map(|arrived| counted(arrived.size, "byte", "bytes"));
    let fetched = fetch.map(|TimedFetch { seconds, retries }| match retries {
        0 => format!("fetched in {seconds:.2} s"),
        retries => format!("fetched in {seconds:.2} s after {}", counted(retries, "retry", "retries")),
    });
    // What is refused was not drawn, or not to the end.
    let drawn = file.draw_seconds.filter(|_| file.outcome.png().is_some());
    let took = [size, fetched, drawn.map(|seconds| format!("drawn in {seconds:.2} s"))];
    let took = took.into_iter().flatten().collect::<Vec<_>>().join(", ");
    match refusal(&file.outcome) {
        None => took,
        Some(refusal) => {
            // What is said of a failed transfer needs no explanation; what the renderer says of a file may.
            let explains = !refusal.code.starts_with("fetch.") && !refusal.code.starts_with("file.");
            let means = meaning(&refusal.code).filter(|_| explains).map(|meaning| format!(": {meaning}"));
            let means = means.unwrap_or_default();
            let took = if took.is_empty() { took } else { format!("; {took}") };
            format!("{} ({}{means}){took}", refusal.reason, refusal.code)
        }
    }
}

/// What is revealed and recorded of the miner.
pub(super) fn payload(
    standing: &Standing,
    hotkey: &Hotkey,
    source: &Source,
    chances: &Chances<'_>,
    report: &mut Report,
) -> Value {
    let revealed = chances.miner.and_then(|(_, revealed)| revealed);
    let recorded = standing.files.submissions.get().and_then(|all| all.get(hotkey));
    let in_force = revealed.and_then(PayloadCheck::in_force);
    if let Some(check) = revealed {
        payload_lines(standing, check, chances.is_out(), report);
    }
    let round = standing.state.current_round;
    report.say(match recorded {
        Some(submission) if in_force == Some(submission) => "submissions.json records it".to_owned(),
        Some(submission) => format!("submissions.json: {}", shown(submission)),
        None if standing.files.seed.is_missing() => format!("submissions.json has no entry of {hotkey} yet"),
        None => format!("submissions.json has no entry of {hotkey}: it takes no part in round {round}"),
    });
    let counts = if standing.files.seed.is_missing() { in_force.or(recorded) } else { recorded };
    if let (Source::Server(url), Some(submission)) = (source, counts)
        && submission.cdn_url.trim_end_matches('/') != url
    {
        report.say(format!("these files are not those of the submission: its cdn_url is {}", submission.cdn_url));
    }
    let reveal = |seen: &SeenReveal| json!({"block": seen.block, "counts": seen.counts, "text": seen.text});
    let verdict = revealed.map(|check| match &check.verdict {
        PayloadVerdict::Taken(_) => ("taken", None),
        PayloadVerdict::Refused(reason) => ("refused", Some(reason)),
        PayloadVerdict::Outside => ("outside", None),
    });
    json!({
        "reveals": revealed.map(|check| check.reveals.iter().map(reveal).collect::<Vec<_>>()).unwrap_or_default(),
        "verdict": verdict.map(|(verdict, _)| verdict),
        "reason": verdict.and_then(|(_, reason)| reason),
        "notes": revealed.map(|check| check.notes.clone()).unwrap_or_default(),
        "in_force": in_force,
        "recorded": recorded,
    })
}

fn payload_lines(standing: &Standing, check: &PayloadCheck, is_out: bool, report: &mut Report) {
    let round = standing.state.current_round;
    let out = if is_out { format!(", and the window is over: you are not in round {round}") } else { String::new() };
    for seen in &check.reveals {
        let counts = if seen.counts { "" } else { ", outside the window" };
        report.say(format!("revealed in block {}{counts}: {}", seen.block, seen.text));
    }
    check.notes.iter().for_each(|note| report.say(format!("ignored: {note}")));
    match &check.verdict {
        PayloadVerdict::Taken(submission) => report.say(format!("payload taken: {}", shown(submission))),
        PayloadVerdict::Refused(reason) => report.say(format!("payload refused: {reason}{out}")),
        PayloadVerdict::Outside => {
            let window = standing.files.schedule.get().map(|schedule| {
                format!("blocks {} to {}", schedule.earliest_reveal_block, schedule.latest_reveal_block)
            });
            report.say(format!("nothing is revealed within {}{out}", window.unwrap_or_default()));
        }
    }
}

fn shown(submission: &Submission) -> String {
    let Submission { repo, commit, cdn_url, revealed_at_block, .. } = submission;
    format!("{repo} at {}, files at {cdn_url}, revealed in block {revealed_at_block}", commit.short())
}

/// The image build, and whether it is of the commit that counts.
pub(super) fn build(
    standing: &Standing,
    hotkey: &Hotkey,
    revealed: Option<&PayloadCheck>,
    report: &mut Report,
) -> Value {
    let Some(build) = standing.files.builds.get().and_then(|builds| builds.get(hotkey)) else {
        report.say(format!("builds.json has no entry of {hotkey} yet"));
        return Value::Null;
    };
    let recorded = standing.files.submissions.get().and_then(|all| all.get(hotkey));
    let submission = recorded.or_else(|| revealed.and_then(PayloadCheck::in_force));
    let is_of_submission =
        submission.map(|submission| (&submission.repo, &submission.commit) == (&build.repo, &build.commit));
    let status = json!(build.status);
    let image = build.docker_image.as_ref().map(|image| format!(", {image}")).unwrap_or_default();
    report.say(format!(
        "image build of {} at {}: {}{image}",
        build.repo,
        build.commit.short(),
        status.as_str().unwrap_or("")
    ));
    if is_of_submission == Some(false) {
        report.say("this build is not of the submitted commit".to_owned());
    }
    if image_of(standing.files.builds.get(), hotkey) == ImageToRun::Never {
        report.say(format!("an audit would say rejected: {NO_IMAGE}"));
    }
    json!({
        "status": status,
        "image": build.docker_image,
        "repo": build.repo,
        "commit": build.commit,
        "is_of_submission": is_of_submission,
    })
}
