//! When a pod is given up, and what `pod_stats.json` says of it.

use serde_json::{Map, Value, json};

use super::super::Thresholds;
use super::super::audit::trimmed_median;
use super::Outcome;

/// When a pod is given up for another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodRule {
    /// Failures and generations over time, together, that are too many.
    pub failures: usize,
    /// So many of the last times are looked at, and no pod is judged before it has that many.
    pub window: usize,
    /// Seconds; a median of these times above it is too slow, unless they are falling.
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
    /// Seconds of each generation that brought a model, in order.
    times: Vec<f64>,
    /// Attempts at which the program failed, or made what cannot be drawn.
    failures: usize,
    /// Generations that took as long as the limit, or longer.
    overtimes: usize,
    /// Attempts that were lost on their way.
    infrastructure_errors: usize,
    /// It never became ready.
    pub(super) never_ready: bool,
}

impl PodTally {
    pub(super) fn count(&mut self, outcome: &Outcome, limits: &Thresholds) {
        match outcome {
            Outcome::Made { seconds, .. } => {
                self.times.push(*seconds);
                self.overtimes += usize::from(*seconds >= limits.generation_seconds);
            }
            Outcome::Refused { .. } | Outcome::Failed { .. } => self.failures += 1,
            Outcome::Lost { .. } => self.infrastructure_errors += 1,
        }
    }

    /// Should it be given up?
    #[must_use]
    pub fn is_bad(&self, rule: &PodRule) -> bool {
        if self.times.len() + self.failures < rule.window {
            return false;
        }
        self.failures + self.overtimes >= rule.failures || self.is_slow(rule)
    }

    /// Is the median of its last times too high, and not falling?
    fn is_slow(&self, rule: &PodRule) -> bool {
        let from = self.times.len().checked_sub(rule.window.max(2));
        let Some(last) = from.and_then(|from| self.times.get(from..)) else { return false };
        let (early, late) = last.split_at(last.len() / 2);
        let median = |times: &[f64]| trimmed_median(times.to_vec(), times.len()).unwrap_or_default();
        median(last) > rule.median_seconds && median(late) >= median(early)
    }

    /// Its entry in `pod_stats.json`.
    #[must_use]
    pub fn figures(&self, rule: &PodRule) -> Map<String, Value> {
        let state = match (self.never_ready, self.is_bad(rule)) {
            (true, _) => "never_ready",
            (false, true) => "given_up",
            (false, false) => "good",
        };
        let figures = json!({
            "state": state,
            "generations": self.times.len(),
            "failures": self.failures,
            "overtimes": self.overtimes,
            "infrastructure_errors": self.infrastructure_errors,
            "median_seconds": trimmed_median(self.times.clone(), self.times.len()),
        });
        figures.as_object().cloned().unwrap_or_default()
    }
}

impl super::Progress {
    /// Should this pod be given up?
    #[must_use]
    pub fn is_bad(&self, pod: &str) -> bool {
        self.pods.get(pod).is_some_and(|tally| tally.is_bad(&self.effort.pods))
    }

    /// `pod_stats.json`.
    #[must_use]
    pub fn pod_stats(&self) -> crate::state::pod_stats::PodStats {
        self.pods.iter().map(|(pod, tally)| (pod.clone(), tally.figures(&self.effort.pods))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(seconds: f64) -> Outcome {
        let object =
            super::super::StoredObject { url: String::new(), path: String::new(), sha256: String::new(), size: 1 };
        Outcome::Made { seconds, glb: object.clone(), png: object, distance: None }
    }

    fn tally(outcomes: &[Outcome]) -> PodTally {
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
        let failed = || Outcome::Failed { seconds: 1.0, reason: String::new() };
        assert!(tally(&vec![failed(); 8]).is_bad(&rule));
        assert!(!tally(&vec![Outcome::Lost { reason: String::new() }; 20]).is_bad(&rule), "not the program's fault");
        let mixed: Vec<Outcome> = (0..14).map(|n| if n % 2 == 0 { failed() } else { made(10.0) }).collect();
        assert!(!tally(&mixed).is_bad(&rule));
    }

    #[test]
    fn the_figures_say_what_they_are() {
        let outcomes = [made(10.0), made(181.0), made(20.0), Outcome::Lost { reason: String::new() }];
        let figures = Value::Object(tally(&outcomes).figures(&PodRule::default()));
        assert_eq!(
            figures,
            json!({"state": "good", "generations": 3, "failures": 0, "overtimes": 1, "infrastructure_errors": 1,
                   "median_seconds": 20.0})
        );
    }
}
