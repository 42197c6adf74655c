//! DESIGN 4.6: an audit's verdict, from the submitted and the regenerated outputs.

use std::collections::HashSet;

use super::Thresholds;
use crate::model::generation_audits::{AuditOutcome, GenerationAudit};
use crate::model::ids::{Hotkey, PromptStem};
use crate::model::outputs::{Output, Outputs};
use crate::model::record::Extra;

/// An audit's result, without the miner's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Passed or rejected.
    pub outcome: AuditOutcome,
    /// Prompts that were submitted completely, and therefore checked.
    pub checked: usize,
    /// Mismatches among those that are not critical.
    pub failed: usize,
    /// Mismatches among the critical ones.
    pub failed_critical: usize,
    /// Trimmed median of the generation times in seconds; `None` if nothing was generated.
    pub median: Option<f64>,
    /// Why it was rejected; empty when it passed.
    pub reason: String,
}

impl Verdict {
    /// The verdict as this miner's entry in `generation_audits.json`.
    #[must_use]
    pub fn of(self, hotkey: Hotkey) -> GenerationAudit {
        GenerationAudit {
            hotkey,
            outcome: self.outcome,
            checked_prompts: self.checked,
            failed_prompts: self.failed,
            failed_critical: self.failed_critical,
            generation_time: self.median,
            reason: self.reason,
            extra: Extra::default(),
        }
    }
}

/// Is the regenerated output missing, incomplete, over time, or too far from the submitted one?
#[must_use]
pub fn mismatched(regenerated: Option<&Output>, limits: &Thresholds) -> bool {
    regenerated.is_none_or(|output| {
        !output.is_complete() || output.generation_time > limits.generation_seconds || output.distance > limits.distance
    })
}

/// The verdict over the prompt stems that were submitted completely.
#[must_use]
pub fn verdict(submitted: &Outputs, regenerated: &Outputs, critical: &[PromptStem], limits: &Thresholds) -> Verdict {
    let mut verdict = Verdict {
        outcome: AuditOutcome::Passed,
        checked: 0,
        failed: 0,
        failed_critical: 0,
        median: None,
        reason: String::new(),
    };
    let mut times = Vec::new();
    let critical: HashSet<&PromptStem> = critical.iter().collect();
    for (stem, _) in submitted.iter().filter(|(_, output)| output.is_complete()) {
        let output = regenerated.get(stem);
        verdict.checked += 1;
        times.extend(output.filter(|output| output.is_complete()).map(|output| output.generation_time));
        match (mismatched(output, limits), critical.contains(stem)) {
            (true, true) => verdict.failed_critical += 1,
            (true, false) => verdict.failed += 1,
            (false, _) => {}
        }
    }
    verdict.median = trimmed_median(times, limits.trim);
    verdict.reason = reasons(&verdict, limits).join("; ");
    if !verdict.reason.is_empty() {
        verdict.outcome = AuditOutcome::Rejected;
    }
    verdict
}

/// A verdict as one line, without the miner's name.
#[must_use]
pub fn told(audit: &GenerationAudit) -> String {
    let GenerationAudit { outcome, checked_prompts, failed_prompts, failed_critical, .. } = audit;
    let median = audit.generation_time.map(|seconds| format!(", median {seconds:.2} s")).unwrap_or_default();
    let reason = if audit.reason.is_empty() { String::new() } else { format!(": {}", audit.reason) };
    let counts = format!(
        "{checked_prompts} checked, {failed_prompts} non-critical and {failed_critical} critical mismatches{median}"
    );
    format!("{} ({counts}){reason}", outcome.as_str())
}

/// Every limit that is exceeded, in the words of the deployed services.
fn reasons(verdict: &Verdict, limits: &Thresholds) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(median) = verdict.median.filter(|median| *median > limits.median_seconds) {
        let limit = limits.median_seconds;
        reasons.push(format!("Trimmed median generation time ({median:.2}s) exceeds limit ({limit:.2}s)"));
    }
    if verdict.failed > limits.mismatches {
        reasons.push(format!("Non-critical mismatches ({}) exceed tolerance ({})", verdict.failed, limits.mismatches));
    }
    if verdict.failed_critical > limits.critical_mismatches {
        reasons.push(format!(
            "Critical mismatches ({}) exceed tolerance ({})",
            verdict.failed_critical, limits.critical_mismatches
        ));
    }
    reasons
}

/// The trimmed median: `trim` times are cut from each end if there are more than twice as many; an even
/// number of times gives the mean of the middle two. `None` without times.
#[must_use]
pub fn trimmed_median(mut times: Vec<f64>, trim: usize) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    let kept = if times.len() > trim.saturating_mul(2) { times.get(trim..times.len() - trim)? } else { &times };
    let middle = kept.len() / 2;
    let upper = kept.get(middle)?;
    if kept.len() % 2 == 1 { Some(*upper) } else { Some((kept.get(middle.checked_sub(1)?)? + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_trimmed_only_when_there_are_more_than_twelve() {
        let times = |n: u32| (1..=n).map(f64::from).collect::<Vec<_>>();
        assert_eq!(trimmed_median(vec![], 6), None);
        assert_eq!(trimmed_median(times(1), 6), Some(1.0));
        assert_eq!(trimmed_median(times(12), 6), Some(6.5));
        assert_eq!(trimmed_median(times(13), 6), Some(7.0));
        let mut skewed = times(12);
        skewed.extend([1000.0, 1000.0]);
        assert_eq!(trimmed_median(skewed, 6), Some(7.5));
    }
}
