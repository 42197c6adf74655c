//! What is told of the verdict that an audit would give.

use serde_json::{Value, json};

use crate::base::error::Kind;
use crate::base::text::counted;
use crate::engine::checking::program::{AuditedPrompt, ForetoldAudit};
use crate::model::generation_audits::AuditOutcome;
use crate::rules::Thresholds;
use crate::ui::Report;

/// Tells of the verdict, and how near its bounds it is. So many prompts were not compared, since their files would not be
/// stored with a preview.
pub(super) fn tell(audit: &ForetoldAudit, not_compared: usize, limits: &Thresholds, report: &mut Report) {
    let mut prompts: Vec<&AuditedPrompt> = audit.prompts.iter().collect();
    prompts.sort_by_key(|prompt| !prompt.mismatch);
    for prompt in &prompts {
        let (colour, mark) = if prompt.mismatch { ("31", "mismatch ") } else { ("32", "match ") };
        report.say_marked(colour, mark, format!("{}: {}", prompt.stem, described(prompt)));
    }
    if not_compared > 0 {
        let all = counted(audit.prompts.len() + audit.left_out + not_compared, "prompt", "prompts");
        report.say(format!(
            "{not_compared} of {all} not compared: no file of theirs would be stored with a preview. An audit leaves \
             them out, too; in the duels each one is lost, or drawn if the other side has none either"
        ));
    }
    lines(audit, limits, report);
    let verdict = &audit.verdict;
    report.detail(json!({ "audit": {
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "checked_prompts": verdict.checked_prompts,
        "failed_prompts": verdict.failed_prompts,
        "failed_critical": verdict.failed_critical,
        "generation_time": verdict.generation_time,
        "left_out": audit.left_out,
        "not_compared": not_compared,
        "driver": audit.driver,
        "knows_critical": audit.knows_critical,
        "limits": {
            "mismatches": limits.mismatches,
            "critical_mismatches": limits.critical_mismatches,
            "median_seconds": limits.median_seconds,
            "generation_seconds": limits.generation_seconds,
            "distance": limits.distance,
        },
        "prompts": prompts.iter().map(|prompt| entry(prompt)).collect::<Vec<_>>(),
    }}));
    if verdict.outcome != AuditOutcome::Passed {
        report.fails(Kind::Failed);
    }
}

fn entry(prompt: &AuditedPrompt) -> Value {
    let output = &prompt.output;
    json!({
        "stem": prompt.stem,
        "mismatch": prompt.mismatch,
        "critical": prompt.critical,
        "complete": output.is_complete(),
        "distance": output.distance,
        "seconds": output.generation_time,
        "attempts": output.attempts,
        "reason": prompt.trouble,
    })
}

fn described(prompt: &AuditedPrompt) -> String {
    let output = &prompt.output;
    let critical = if prompt.critical { "critical, " } else { "" };
    let attempts = counted(output.attempts, "attempt", "attempts");
    match (output.is_complete(), &prompt.trouble) {
        (true, _) => {
            format!("{critical}distance {:.4}, {:.2} s, {attempts}", output.distance, output.generation_time)
        }
        (false, Some(why)) => format!("{critical}{why}, {attempts}"),
        (false, None) => format!("{critical}nothing was made, {attempts}"),
    }
}

fn lines(audit: &ForetoldAudit, limits: &Thresholds, report: &mut Report) {
    let verdict = &audit.verdict;
    let complete = || audit.prompts.iter().filter(|prompt| prompt.output.is_complete());
    let farthest = complete().max_by(|a, b| a.output.distance.total_cmp(&b.output.distance));
    let slowest = complete().max_by(|a, b| a.output.generation_time.total_cmp(&b.output.generation_time));
    report.say(format!(
        "mismatches: {} of at most {}; critical ones: {} of at most {}",
        verdict.failed_prompts, limits.mismatches, verdict.failed_critical, limits.critical_mismatches
    ));
    if !audit.knows_critical {
        report.say("no audit is requested, so no prompt counts as critical".to_owned());
    }
    if let Some(median) = verdict.generation_time {
        report.say(format!("trimmed median time: {median:.2} s of at most {:.2} s", limits.median_seconds));
    }
    if let Some(AuditedPrompt { stem, output, .. }) = farthest {
        report.say(format!("largest distance: {:.4} of at most {} ({stem})", output.distance, limits.distance));
    }
    if let Some(AuditedPrompt { stem, output, .. }) = slowest {
        let most = limits.generation_seconds;
        report.say(format!("slowest generation: {:.2} s of at most {most:.2} s ({stem})", output.generation_time));
    }
    if audit.left_out > 0 {
        report.say(format!("the verdict was certain before {} more", counted(audit.left_out, "prompt", "prompts")));
    }
    if audit.driver == "pixels" {
        report.say("distances of plain pixels: audits use a vision model, which measures otherwise".to_owned());
    }
    let reason = if verdict.reason.is_empty() { String::new() } else { format!(": {}", verdict.reason) };
    let checked = counted(verdict.checked_prompts, "prompt", "prompts");
    report.say(format!(
        "an audit would say {} ({checked}, distances by {}){reason}",
        verdict.outcome.as_str(),
        audit.driver
    ));
}
