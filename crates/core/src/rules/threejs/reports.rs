//! Generation reports: what follows from the recorded repeats.

use crate::model::ids::PromptStem;
use crate::model::threejs::outputs::Modules;
use crate::model::threejs::pod_stats::{PodRun, PodRunEntry, PodRuns};
use crate::model::threejs::reports::{Repeat, RepeatedReport, ReportOutcome};
use crate::rules::regeneration::record::{NO_IMAGE, NO_POD};

/// The most seconds that the batches of a repeat may take together.
pub const MOST_SECONDS: f64 = 7200.0;

/// The most submitted prompts that may fail in a repeat.
pub const MOST_FAILED: u64 = 12;

/// Reasons to reject a miner before any repeat.
pub const NO_PROGRAM: [&str; 2] = [NO_IMAGE, NO_POD];

/// Why the repeats call for a rejection: a part for each limit that is exceeded.
#[must_use]
pub fn violations(repeats: &[Repeat]) -> Vec<String> {
    let mut parts = Vec::new();
    for repeat in repeats {
        let number = repeat.repeat_index;
        if let Some(seconds) = repeat.generation_time.filter(|seconds| *seconds > MOST_SECONDS) {
            parts.push(format!("Repeat {number}: time ({seconds:.1}s) exceeds limit ({MOST_SECONDS:.1}s)"));
        }
        if repeat.failed_prompts > MOST_FAILED {
            let failed = repeat.failed_prompts;
            parts.push(format!("Repeat {number}: {failed} failed prompts exceed tolerance ({MOST_FAILED})"));
        }
    }
    parts
}

/// The parts of a reason.
fn parts(reason: &str) -> Vec<&str> {
    reason.split("; ").filter(|part| !part.is_empty()).collect()
}

fn names_no_program(parts: &[&str]) -> bool {
    parts.iter().all(|part| NO_PROGRAM.contains(part))
}

/// Was the miner rejected before any repeat?
#[must_use]
pub fn is_early(report: &RepeatedReport) -> bool {
    let rejected = report.outcome == ReportOutcome::Rejected && report.repeats.is_empty();
    rejected && names_no_program(&parts(&report.reason))
}

/// The submitted prompts that a repeat has no entry for.
pub fn unanswered<'a>(submitted: &'a Modules, generated: &'a Modules) -> impl Iterator<Item = &'a PromptStem> {
    let asked = submitted.iter().filter(|(_, module)| module.js.is_some()).map(|(stem, _)| stem);
    asked.filter(|stem| !generated.contains_key(*stem))
}

/// What does not follow in a report, one line each.
#[must_use]
pub fn objections(report: &RepeatedReport, repeats: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, repeat) in report.repeats.iter().enumerate() {
        if repeat.repeat_index as usize != at + 1 {
            wrong.push(format!("repeat {} is number {} in the list", repeat.repeat_index, at + 1));
        }
    }
    if report.repeats.len() > repeats as usize {
        wrong.push(format!("{} repeats, expected {repeats}", report.repeats.len()));
    }
    let mut expected = violations(&report.repeats);
    let mut found = parts(&report.reason);
    let early = report.repeats.is_empty() && names_no_program(&found);
    expected.sort_unstable();
    found.sort_unstable();
    if !early && found != expected {
        wrong.push(format!(
            "reason is {:?}, expected {:?} by the repeats",
            report.reason,
            violations(&report.repeats).join("; ")
        ));
    }
    let complete = report.repeats.len() >= repeats as usize;
    let outcome = match (report.reason.is_empty(), complete) {
        (false, _) => ReportOutcome::Rejected,
        (true, true) => ReportOutcome::Completed,
        (true, false) => ReportOutcome::Pending,
    };
    if report.outcome != outcome {
        wrong.push(format!("outcome is {:?}, expected {outcome:?} by repeats and reason", report.outcome));
    }
    wrong
}

/// How many of the submitted prompts a repeat generated, and how many it did not.
#[must_use]
pub fn counted(submitted: &Modules, generated: &Modules) -> (u64, u64) {
    let asked = submitted.iter().filter(|(_, module)| module.js.is_some()).map(|(stem, _)| stem);
    let made = |stem: &&PromptStem| generated.get(*stem).is_some_and(|module| module.failure_reason.is_none());
    let (made, failed): (Vec<_>, Vec<_>) = asked.partition(made);
    (made.len() as u64, failed.len() as u64)
}

/// The records of a repeat, pod by pod.
pub fn runs(stats: &PodRuns, repeat: u32) -> impl Iterator<Item = (&String, &PodRun)> {
    stats.iter().filter_map(move |(pod, entry)| match entry {
        PodRunEntry::Run(run) if run.repeat_index == repeat => Some((pod, run)),
        _ => None,
    })
}

/// The seconds of a repeat's finished batches, over all pods; `None` if there is no record.
#[must_use]
pub fn seconds(stats: &PodRuns, repeat: u32) -> Option<f64> {
    let batches: Vec<f64> = runs(stats, repeat).flat_map(|(_, run)| run.batch_times.iter().copied()).collect();
    runs(stats, repeat).next().map(|_| batches.iter().sum())
}

/// Are two times the same, except for the order in which they were added up?
#[must_use]
pub fn same_seconds(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(outcome: &str, reason: &str, repeats: &[(u64, Option<f64>)]) -> RepeatedReport {
        let repeat = |(at, (failed, time)): (usize, &(u64, Option<f64>))| {
            json!({"repeat_index": at + 1, "generated_prompts": 128 - failed, "failed_prompts": failed,
                "generation_time": time})
        };
        let repeats: Vec<_> = repeats.iter().enumerate().map(repeat).collect();
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let report = json!({"hotkey": hotkey, "outcome": outcome, "repeats": repeats, "reason": reason});
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn a_report_follows_from_its_repeats() {
        let fine = (12, Some(7200.0));
        let wrong = |outcome: &str, reason: &str, repeats: &[(u64, Option<f64>)]| {
            objections(&report(outcome, reason, repeats), 2).join("; ")
        };
        assert_eq!(wrong("completed", "", &[fine, fine]), "");
        assert_eq!(wrong("pending", "", &[fine]), "");
        assert_eq!(wrong("rejected", "Failed to deploy a docker image", &[]), "");
        let late = "Repeat 2: time (7301.5s) exceeds limit (7200.0s)";
        assert_eq!(wrong("rejected", late, &[fine, (0, Some(7301.5))]), "");
        let both = format!("Repeat 1: 13 failed prompts exceed tolerance (12); {late}");
        assert_eq!(wrong("rejected", &both, &[(13, None), (0, Some(7301.5))]), "");
        assert!(wrong("completed", "", &[fine, (13, None)]).contains("expected \"Repeat 2: 13 failed"));
        assert!(wrong("rejected", "too slow", &[fine]).contains("reason is \"too slow\""));
        assert!(wrong("completed", "", &[fine]).contains("expected Pending"));
        assert!(wrong("pending", "", &[fine, fine]).contains("expected Completed"));
        assert!(wrong("completed", "", &[fine, fine, fine]).contains("3 repeats"));
        assert!(wrong("rejected", "Failed to build a docker image", &[fine]).contains("reason"));
    }

    #[test]
    fn prompts_are_counted_by_their_reasons() {
        let modules = |entries: serde_json::Value| serde_json::from_value::<Modules>(entries).unwrap();
        let module = |js: Option<&str>, reason: Option<&str>| json!({"js": js, "views": null, "failure_reason": reason, "size": 0});
        let there = module(Some("u"), None);
        let submitted = modules(json!({"a": there, "b": there, "c": there, "d": module(None, Some("js_too_large"))}));
        let generated = modules(json!({"a": module(None, None), "b": module(None, Some("no")), "d": there}));
        assert_eq!(counted(&submitted, &generated), (1, 2));
    }
}
