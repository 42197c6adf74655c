//! When a pod is given up, and its figures in `pod_stats.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::Thresholds;
use super::super::audit::trimmed_median;
use super::AttemptOutcome;
use crate::model::pod_stats::{PodEntry, PodFigures};
use crate::model::record::Extra;

/// When a pod is given up and replaced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodRule {
    /// Failures and generations over time, together, at which a pod is bad.
    pub failures: usize,
    /// How many of the latest times are considered; no pod is judged before it has that many.
    pub window: usize,
    /// Seconds: a pod whose median time is above this is too slow, unless its times are falling.
    pub median_seconds: f64,
}

impl Default for PodRule {
    fn default() -> Self {
        PodRule { failures: 8, window: 8, median_seconds: 120.0 }
    }
}

/// The figures of one pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodTally {
    /// Seconds of each generation that gave a model, in order.
    times: Vec<f64>,
    /// Attempts in which the program failed, or made a model that cannot be rendered.
    failures: usize,
    /// Generations that took as long as the limit, or longer.
    overtimes: usize,
    /// How it ended, if known.
    pub(super) end: Option<PodEnd>,
}

/// How a pod ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodEnd {
    /// It had no work left.
    Completed,
    /// It failed too often, or was too slow.
    MarkedBad,
    /// Requests to it were lost, and it did not recover.
    Unreachable,
    /// It never became ready.
    NotReady,
    /// The run was stopped, or failed for a reason that is not the pod's fault.
    Stopped,
}

impl PodEnd {
    /// Its name in `pod_stats.json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            PodEnd::Completed => "completed",
            PodEnd::MarkedBad => "marked_bad",
            PodEnd::Unreachable => "unreachable",
            PodEnd::NotReady => "not_ready",
            PodEnd::Stopped => "stopped",
        }
    }
}

impl PodTally {
    pub(super) fn count(&mut self, outcome: &AttemptOutcome, limits: &Thresholds) {
        match outcome {
            AttemptOutcome::Made { seconds, .. } => {
                self.times.push(*seconds);
                self.overtimes += usize::from(*seconds >= limits.generation_seconds);
            }
            AttemptOutcome::Refused { .. } | AttemptOutcome::Failed { .. } => self.failures += 1,
            // Not the program's fault.
            AttemptOutcome::Lost { .. } => {}
        }
    }

    /// Has it done nothing yet?
    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.failures == 0 && self.overtimes == 0
    }

    /// Should the pod be given up?
    #[must_use]
    pub fn is_bad(&self, rule: &PodRule) -> bool {
        if self.times.len() + self.failures < rule.window {
            return false;
        }
        self.failures + self.overtimes >= rule.failures || self.is_slow(rule)
    }

    /// Is the median of its latest times too high, and not falling?
    fn is_slow(&self, rule: &PodRule) -> bool {
        // Two halves are compared, so at least two times are needed.
        let from = self.times.len().checked_sub(rule.window.max(2));
        let Some(last) = from.and_then(|from| self.times.get(from..)) else { return false };
        let (early, late) = last.split_at(last.len() / 2);
        let median = |times: &[f64]| trimmed_median(times.to_vec(), times.len()).unwrap_or_default();
        median(last) > rule.median_seconds && median(late) >= median(early)
    }

    /// Its entry in `pod_stats.json`; `retries` are the seconds by which it was slower than earlier attempts.
    fn figures(&self, pod: &str, end: Option<PodEnd>, rule: &PodRule, retries: &[f64]) -> PodFigures {
        let of_times = |of: fn(&[f64]) -> f64| if self.times.is_empty() { 0.0 } else { of(&self.times) };
        let termination_reason = match end {
            Some(PodEnd::Completed) if self.is_bad(rule) => PodEnd::MarkedBad.word(),
            Some(end) => end.word(),
            None => "",
        };
        PodFigures {
            pod_id: pod.to_owned(),
            processed: counted(self.times.len() + self.failures),
            successful: counted(self.times.len()),
            hard_failed: counted(self.failures),
            hard_overtime: counted(self.overtimes),
            time_min: of_times(|times| times.iter().copied().fold(f64::INFINITY, f64::min)),
            time_max: of_times(|times| times.iter().copied().fold(0.0, f64::max)),
            time_avg: of_times(mean),
            time_median: trimmed_median(self.times.clone(), self.times.len()).unwrap_or_default(),
            marked_bad: self.is_bad(rule),
            // `sum()` of an empty list is -0.0.
            retry_cumulative_delta: retries.iter().fold(0.0, |sum, delta| sum + delta),
            retry_delta_count: counted(retries.len()),
            termination_reason: termination_reason.to_owned(),
            extra: Extra::default(),
        }
    }
}

fn counted(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "counts of prompts")]
fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

impl super::Progress {
    /// Should this pod be given up?
    #[must_use]
    pub fn is_bad(&self, pod: &str) -> bool {
        self.pods.get(pod).is_some_and(|tally| tally.is_bad(&self.budget.pods))
    }

    /// `pod_stats.json`.
    #[must_use]
    pub fn pod_stats(&self) -> crate::model::pod_stats::PodStats {
        let retries = self.retries();
        let of = |pod: &str| retries.get(pod).map(Vec::as_slice).unwrap_or_default();
        let finisher = self.finisher();
        let entry = |(pod, tally): (&String, &PodTally)| {
            // A run killed right after the last answer had no chance to record the end.
            let end = tally.end.or_else(|| (finisher == Some(pod.as_str())).then_some(PodEnd::Completed));
            (pod.clone(), PodEntry::Figures(tally.figures(pod, end, &self.budget.pods, of(pod))))
        };
        self.pods.iter().map(entry).collect()
    }

    /// The pod that gave the last answer needed; `None` while more are needed.
    fn finisher(&self) -> Option<&str> {
        let tries = self.prompts.values().flat_map(|prompt| &prompt.tries);
        let last = tries.max_by_key(|attempt| attempt.number).map(|attempt| attempt.pod.as_str());
        last.filter(|_| self.is_decided() || self.open().is_empty())
    }

    /// For each pod, the seconds by which it was slower on prompts that had been made before.
    fn retries(&self) -> BTreeMap<&str, Vec<f64>> {
        let mut retries: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for stem in &self.stems {
            let tries = self.prompts.get(stem).into_iter().flat_map(|prompt| &prompt.tries);
            let made = tries.filter_map(|attempt| match attempt.outcome {
                AttemptOutcome::Made { seconds, .. } => Some((attempt.number, attempt.pod.as_str(), seconds)),
                _ => None,
            });
            let mut made: Vec<_> = made.collect();
            // Pods work concurrently, so attempts may be recorded in any order: compare by number.
            made.sort_by_key(|(number, ..)| *number);
            for pair in made.windows(2) {
                if let [(_, _, before), (_, pod, seconds)] = pair {
                    retries.entry(pod).or_default().push(seconds - before);
                }
            }
        }
        retries
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(seconds: f64) -> AttemptOutcome {
        let object =
            super::super::StoredObject { url: String::new(), path: String::new(), sha256: String::new(), size: 1 };
        AttemptOutcome::Made { seconds, model: object.clone(), png: object, distance: None }
    }

    fn tally(outcomes: &[AttemptOutcome]) -> PodTally {
        let mut tally = PodTally::default();
        outcomes.iter().for_each(|outcome| tally.count(outcome, &Thresholds::default()));
        tally
    }

    #[test]
    fn a_pod_is_given_up_for_failures_and_for_slowness_that_does_not_pass() {
        let rule = PodRule::default();
        let bad = |times: &[f64]| tally(&times.iter().map(|seconds| made(*seconds)).collect::<Vec<_>>()).is_bad(&rule);
        assert!(!bad(&[200.0; 7]), "too early to say");
        assert!(bad(&[180.0; 8]), "eight over time");
        assert!(bad(&[130.0; 8]), "slow");
        assert!(!bad(&[179.0, 178.0, 177.0, 176.0, 125.0, 124.0, 123.0, 122.0]), "slow, but falling");
        assert!(!bad(&[120.0; 8]), "not above the limit");
        let failed = || AttemptOutcome::Failed { seconds: 1.0, reason: String::new() };
        assert!(tally(&vec![failed(); 8]).is_bad(&rule));
        assert!(
            !tally(&vec![AttemptOutcome::Lost { reason: String::new() }; 20]).is_bad(&rule),
            "not the program's fault"
        );
        let mixed: Vec<AttemptOutcome> = (0..14).map(|n| if n % 2 == 0 { failed() } else { made(10.0) }).collect();
        assert!(!tally(&mixed).is_bad(&rule));
    }

    #[test]
    fn the_figures_say_what_they_are() {
        let lost = || AttemptOutcome::Lost { reason: String::new() };
        let failed = AttemptOutcome::Failed { seconds: 1.0, reason: String::new() };
        let mut of = tally(&[made(10.0), made(180.0), made(26.0), lost(), failed]);
        of.end = Some(PodEnd::Completed);
        let figures = serde_json::to_value(of.figures("pod-1", of.end, &PodRule::default(), &[2.5, -4.0])).unwrap();
        let expected = json!({
            "pod_id": "pod-1", "processed": 4, "successful": 3, "hard_failed": 1, "hard_overtime": 1,
            "time_min": 10.0, "time_max": 180.0, "time_avg": 72.0, "time_median": 26.0, "marked_bad": false,
            "retry_cumulative_delta": -1.5, "retry_delta_count": 2, "termination_reason": "completed",
        });
        assert_eq!(figures.to_string(), expected.to_string(), "in this order, too");
        let slow = PodTally { end: Some(PodEnd::Completed), ..tally(&[130.0; 8].map(made)) };
        let figures = slow.figures("pod-1", slow.end, &PodRule::default(), &[]);
        assert_eq!((figures.marked_bad, figures.termination_reason.as_str()), (true, "marked_bad"));
        let idle = serde_json::to_value(tally(&[lost()]).figures("pod-1", None, &PodRule::default(), &[])).unwrap();
        assert_eq!(idle["time_min"].to_string() + &idle["retry_cumulative_delta"].to_string(), "0.00.0");
        assert_eq!((&idle["processed"], &idle["termination_reason"]), (&json!(0), &json!("")));
    }
}
