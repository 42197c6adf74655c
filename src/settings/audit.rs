//! `[audit]` of `gen404.toml`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::setting::{SettingError, check_counts, check_range, check_seconds};
use crate::rules::regeneration::RetryBudget;
use crate::rules::regeneration::pods::PodRule;

/// `[audit]` of `gen404.toml`: how outputs are regenerated.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// Miners that are regenerated at the same time.
    pub miners: usize,
    /// Pods at the same time, per miner.
    pub pods: usize,
    /// Pods at the same time until the first one is ready.
    pub first_pods: usize,
    /// Pods in total per miner, in one run.
    pub most_pods: usize,
    /// Seconds between the orders of two pods.
    pub order_seconds: f64,
    /// Seconds until a pod must be reachable.
    pub start_seconds: f64,
    /// Seconds from then until its program must be ready.
    pub ready_seconds: f64,
    /// Seconds between two polls of a pod that is not ready.
    pub poll_seconds: f64,
    /// Seconds that a lost program has to come back.
    pub recover_seconds: f64,
    /// Seconds that a provider without capacity has to find some.
    pub capacity_seconds: f64,
    /// Attempts per prompt, over all pods.
    pub attempts: u32,
    /// Answers of one pod that are being received or processed at the same time.
    pub bodies: usize,
    /// Threads that draw previews; 0 means one per core.
    pub workers: usize,
    /// Failures and overlong generations that end a pod.
    pub pod_failures: usize,
    /// Prompts before a pod is judged, and the number of times that are considered.
    pub pod_window: usize,
    /// The median of these times, in seconds, from which on a pod is too slow.
    pub pod_median_seconds: f64,
    /// Prompts between two writes of the files.
    pub save_every: usize,
    /// Programs that generate whole batches.
    pub batch: BatchSettings,
}

/// `[audit.batch]`: how programs that generate whole batches are run (three.js).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchSettings {
    /// Seconds from a pod's start until its program must take a batch.
    pub warm_up_seconds: f64,
    /// Seconds that a batch may take.
    pub seconds: f64,
    /// Seconds between two looks at a batch.
    pub poll_seconds: f64,
    /// Looks in a row without an answer after which a pod is lost.
    pub misses: u32,
    /// Attempts at handing over a batch, and at fetching its results.
    pub attempts: u32,
    /// Seconds after the first failed attempt; doubled each time.
    pub pause_seconds: f64,
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings {
            warm_up_seconds: 12_600.0,
            seconds: 3600.0,
            poll_seconds: 10.0,
            misses: 18,
            attempts: 5,
            pause_seconds: 2.0,
        }
    }
}

impl BatchSettings {
    fn check(&self) -> Result<(), SettingError> {
        let BatchSettings { warm_up_seconds, seconds, poll_seconds, pause_seconds, misses, attempts } = *self;
        let times = [
            ("warm_up_seconds", warm_up_seconds),
            ("seconds", seconds),
            ("poll_seconds", poll_seconds),
            ("pause_seconds", pause_seconds),
        ];
        check_seconds("audit.batch", 0.0, &times)?;
        check_counts("audit.batch", 1..=1024, &[("misses", misses.into()), ("attempts", attempts.into())])
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        let PodRule { failures, window, median_seconds } = PodRule::default();
        AuditSettings {
            miners: 4,
            pods: 4,
            first_pods: 2,
            most_pods: 6,
            order_seconds: 30.0,
            start_seconds: 1800.0,
            ready_seconds: 3600.0,
            poll_seconds: 30.0,
            recover_seconds: 300.0,
            capacity_seconds: 1800.0,
            attempts: RetryBudget::default().attempts,
            bodies: 4,
            workers: 0,
            pod_failures: failures,
            pod_window: window,
            pod_median_seconds: median_seconds,
            save_every: 12,
            batch: BatchSettings::default(),
        }
    }
}

impl AuditSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> Result<(), SettingError> {
        let seconds = [
            ("order_seconds", self.order_seconds),
            ("start_seconds", self.start_seconds),
            ("ready_seconds", self.ready_seconds),
            ("poll_seconds", self.poll_seconds),
            ("recover_seconds", self.recover_seconds),
            ("capacity_seconds", self.capacity_seconds),
            ("pod_median_seconds", self.pod_median_seconds),
        ];
        check_seconds("audit", 0.0, &seconds)?;
        self.batch.check()?;
        let counts = [
            ("miners", self.miners),
            ("pods", self.pods),
            ("first_pods", self.first_pods),
            ("most_pods", self.most_pods),
            ("bodies", self.bodies),
            ("attempts", self.attempts as usize),
            ("pod_failures", self.pod_failures),
            ("pod_window", self.pod_window),
            ("save_every", self.save_every),
        ];
        check_counts("audit", 1..=1024, &counts.map(|(name, value)| (name, value as u64)))?;
        check_range("audit.workers", 0..=256, self.workers as u64)
    }

    /// The part of the settings that the rules use.
    #[must_use]
    pub fn retry_budget(&self) -> RetryBudget {
        let (failures, window, median_seconds) = (self.pod_failures, self.pod_window, self.pod_median_seconds);
        RetryBudget { attempts: self.attempts, pods: PodRule { failures, window, median_seconds } }
    }

    /// The number of threads that draw previews.
    #[must_use]
    pub fn drawers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            given => given,
        }
    }

    /// A duration in these settings.
    #[must_use]
    pub fn time(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense_and_others_are_refused() {
        let settings = AuditSettings::default();
        assert_eq!((settings.check(), settings.retry_budget()), (Ok(()), RetryBudget::default()));
        assert!(AuditSettings { poll_seconds: f64::NAN, ..settings }.check().is_err());
        assert!(AuditSettings { bodies: 0, ..settings }.check().is_err());
    }
}
