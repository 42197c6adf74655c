//! What a run used of the services it asked: requests, bytes, tokens, time of rented pods.
//!
//! Every client counts in a [`Meter`] that is handed to it with its settings. The counts go into the operator's
//! own record of runs (`engine/runs`), never into public files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// A service that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The chain's nodes.
    Chain,
    /// A server of drand.
    Drand,
    /// The judge.
    Judge,
    /// The object store.
    Store,
    /// The miners' servers.
    Cdn,
    /// The provider of pods.
    Provider,
    /// The programs in pods.
    Program,
    /// The distance service.
    Distance,
    /// The render service.
    Render,
    /// The CI or registry of image builds.
    Builds,
    /// The servers of images that are fetched to be shown or sent on.
    Images,
}

impl Service {
    /// Its name in records and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Service::Chain => "chain",
            Service::Drand => "drand",
            Service::Judge => "judge",
            Service::Store => "store",
            Service::Cdn => "cdn",
            Service::Provider => "provider",
            Service::Program => "program",
            Service::Distance => "distance",
            Service::Render => "render",
            Service::Builds => "builds",
            Service::Images => "images",
        }
    }
}

/// What was used of one service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceUse {
    /// Requests that reached a server, as far as is known: one that found no server is not counted.
    #[serde(skip_serializing_if = "is_none")]
    pub calls: u64,
    /// Bytes of bodies, sent and received.
    #[serde(skip_serializing_if = "is_none")]
    pub bytes: u64,
    /// Tokens that the answers name, of the question and the answer together.
    #[serde(skip_serializing_if = "is_none")]
    pub tokens: u64,
    /// Answers that name their tokens.
    #[serde(skip_serializing_if = "is_none")]
    pub token_answers: u64,
    /// Seconds of pods, each from its order to its release.
    #[serde(skip_serializing_if = "is_no_time")]
    pub pod_seconds: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_no_time(seconds: &f64) -> bool {
    *seconds <= 0.0
}

impl ServiceUse {
    /// Adds another count.
    pub fn add(&mut self, other: &ServiceUse) {
        self.calls = self.calls.saturating_add(other.calls);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.token_answers = self.token_answers.saturating_add(other.token_answers);
        self.pod_seconds += other.pod_seconds.max(0.0);
    }
}

/// What was used, by the service's name ([`Service::as_str`]).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usage(pub BTreeMap<String, ServiceUse>);

impl Usage {
    /// What was used of one service.
    #[must_use]
    pub fn of(&self, service: Service) -> ServiceUse {
        self.0.get(service.as_str()).copied().unwrap_or_default()
    }

    /// What remains without this part.
    #[must_use]
    pub fn without(mut self, part: &Usage) -> Usage {
        for (service, used) in &part.0 {
            if let Some(all) = self.0.get_mut(service) {
                all.calls = all.calls.saturating_sub(used.calls);
                all.bytes = all.bytes.saturating_sub(used.bytes);
                all.tokens = all.tokens.saturating_sub(used.tokens);
                all.token_answers = all.token_answers.saturating_sub(used.token_answers);
                all.pod_seconds = (all.pod_seconds - used.pod_seconds).max(0.0);
            }
        }
        self
    }

    /// Adds what another run used.
    pub fn add(&mut self, other: &Usage) {
        for (service, used) in &other.0 {
            self.0.entry(service.clone()).or_default().add(used);
        }
    }
}

/// Counts what is used, and stops what may not be used. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    counts: Arc<Mutex<Counts>>,
    /// The service that this one counts for.
    service: Option<Service>,
}

#[derive(Debug, Default)]
struct Counts {
    usage: Usage,
    /// How many more calls of the judge may be made.
    calls_left: Option<u64>,
    /// How long pods may still run, counted from when this was set.
    pod_seconds_left: Option<f64>,
    /// When each pod that is running was ordered, or last counted.
    pods: BTreeMap<u64, Instant>,
    ordered: u64,
}

impl Counts {
    /// Counts the time of the running pods up to now.
    fn pods_so_far(&mut self) {
        let now = Instant::now();
        let seconds: f64 = self.pods.values().map(|since| now.duration_since(*since).as_secs_f64()).sum();
        self.pods.values_mut().for_each(|since| *since = now);
        self.pod_time(seconds);
    }

    fn pod_time(&mut self, seconds: f64) {
        self.pod_seconds_left = self.pod_seconds_left.map(|left| left - seconds);
        if seconds > 0.0 {
            self.add(Service::Provider, &ServiceUse { pod_seconds: seconds, ..ServiceUse::default() });
        }
    }

    fn add(&mut self, service: Service, used: &ServiceUse) {
        match self.usage.0.get_mut(service.as_str()) {
            Some(counted) => counted.add(used),
            None => _ = self.usage.0.insert(service.as_str().to_owned(), *used),
        }
    }
}

/// Where use is counted is not a property of the settings that carry a meter.
impl PartialEq for Meter {
    fn eq(&self, _: &Meter) -> bool {
        true
    }
}

impl Eq for Meter {}

impl Meter {
    /// The same meter, for this service.
    #[must_use]
    pub fn of(&self, service: Service) -> Meter {
        Meter { service: Some(service), ..self.clone() }
    }

    /// The name of the service that it counts for.
    #[must_use]
    pub fn service(&self) -> Option<&'static str> {
        self.service.map(Service::as_str)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was used since the last [`Meter::take`], running pods included.
    #[must_use]
    pub fn read(&self) -> Usage {
        let mut counts = self.counts();
        counts.pods_so_far();
        counts.usage.clone()
    }

    /// As [`Meter::read`]; counting starts again from zero.
    #[must_use]
    pub fn take(&self) -> Usage {
        let mut counts = self.counts();
        counts.pods_so_far();
        std::mem::take(&mut counts.usage)
    }

    /// Counts a request.
    pub fn call(&self) {
        self.add(&ServiceUse { calls: 1, ..ServiceUse::default() });
    }

    /// Counts bytes of a body.
    pub fn bytes(&self, bytes: u64) {
        self.add(&ServiceUse { bytes, ..ServiceUse::default() });
    }

    /// Counts the tokens of an answer.
    pub fn tokens(&self, tokens: u64) {
        self.add(&ServiceUse { tokens, token_answers: 1, ..ServiceUse::default() });
    }

    fn add(&self, used: &ServiceUse) {
        if let Some(service) = self.service {
            self.counts().add(service, used);
        }
    }

    /// Lets this many more calls of the judge be made.
    pub fn limit_calls(&self, left: u64) {
        self.counts().calls_left = Some(left);
    }

    /// Takes one of the calls that may be made; false if none is left.
    #[must_use]
    pub fn reserve_call(&self) -> bool {
        let mut counts = self.counts();
        let Some(left) = counts.calls_left else { return true };
        counts.calls_left = Some(left.saturating_sub(1));
        left > 0
    }

    /// Gives a reserved call back that was never made.
    pub fn return_call(&self) {
        let mut counts = self.counts();
        counts.calls_left = counts.calls_left.map(|left| left.saturating_add(1));
    }

    /// Lets pods run for this long, all together.
    pub fn limit_pods(&self, seconds: f64) {
        let mut counts = self.counts();
        counts.pods_so_far();
        counts.pod_seconds_left = Some(seconds);
    }

    /// Must pods end now? Each gets a few seconds to be released.
    #[must_use]
    pub fn pods_are_over(&self) -> bool {
        let mut counts = self.counts();
        if counts.pod_seconds_left.is_none() {
            return false;
        }
        counts.pods_so_far();
        let release = RELEASE_SECONDS * counts.pods.len().max(1) as f64;
        counts.pod_seconds_left.is_some_and(|left| left <= release)
    }

    /// A pod is ordered: its time is counted for as long as the result lives.
    #[must_use]
    pub fn pod(&self) -> PodClock {
        let mut counts = self.counts();
        counts.ordered += 1;
        let number = counts.ordered;
        counts.pods.insert(number, Instant::now());
        PodClock { meter: self.clone(), number }
    }

    /// Counts the time of a pod that an earlier run left running.
    pub fn left_pod(&self, seconds: f64) {
        self.counts().pod_time(seconds);
    }
}

/// How long a pod's release may take.
const RELEASE_SECONDS: f64 = 5.0;

/// Counts the time of a pod.
#[derive(Debug)]
pub struct PodClock {
    meter: Meter,
    number: u64,
}

impl Drop for PodClock {
    fn drop(&mut self) {
        let mut counts = self.meter.counts();
        counts.pods_so_far();
        counts.pods.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_take_starts_again() {
        let meter = Meter::default();
        let judge = meter.of(Service::Judge);
        judge.call();
        judge.clone().tokens(7);
        meter.of(Service::Store).bytes(3);
        meter.call();
        let used = meter.take();
        assert_eq!(used.of(Service::Judge), ServiceUse { calls: 1, tokens: 7, token_answers: 1, ..Default::default() });
        assert_eq!((used.of(Service::Store).bytes, used.0.len()), (3, 2));
        assert_eq!(meter.read(), Usage::default());
    }

    #[test]
    fn a_limit_stops_the_call_that_would_pass_it() {
        let meter = Meter::default();
        assert!(meter.reserve_call());
        meter.limit_calls(2);
        assert_eq!([(); 3].map(|()| meter.reserve_call()), [true, true, false]);
        meter.return_call();
        assert!(meter.reserve_call() && !meter.reserve_call());
    }

    #[test]
    fn pods_are_counted_while_they_run_and_stopped_in_time() {
        let meter = Meter::default();
        let pod = meter.pod();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let so_far = meter.take().of(Service::Provider).pod_seconds;
        assert!(so_far >= 0.02);
        drop(pod);
        assert!(meter.read().of(Service::Provider).pod_seconds < so_far + 1.0);
        assert!(!meter.pods_are_over());
        meter.limit_pods(100.0);
        assert!(!meter.pods_are_over());
        meter.left_pod(96.0);
        assert!(meter.pods_are_over());
    }
}
