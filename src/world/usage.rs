//! What a run used of the services it asked: requests, bytes, tokens, time of rented pods.
//!
//! Every client counts in a [`Meter`] that is handed to it with its settings. The counts go into the operator's
//! own record of runs (`engine/runs`), never into public files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A service that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The chain's nodes, and drand.
    Chain,
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

    /// Adds what another run used.
    pub fn add(&mut self, other: &Usage) {
        for (service, used) in &other.0 {
            self.0.entry(service.clone()).or_default().add(used);
        }
    }
}

/// Counts what is used. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    counts: Arc<Mutex<Usage>>,
    /// The service that this one counts for.
    service: Option<Service>,
}

/// Where use is counted is no property of the settings that carry a meter.
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

    /// The service that it counts for.
    #[must_use]
    pub fn service(&self) -> Option<Service> {
        self.service
    }

    /// What was used so far.
    #[must_use]
    pub fn read(&self) -> Usage {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// Counts the time of a pod.
    pub fn pod(&self, seconds: f64) {
        self.add(&ServiceUse { pod_seconds: seconds, ..ServiceUse::default() });
    }

    fn add(&self, used: &ServiceUse) {
        let Some(service) = self.service else { return };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.0.get_mut(service.as_str()) {
            Some(counted) => counted.add(used),
            None => _ = counts.0.insert(service.as_str().to_owned(), *used),
        }
    }
}
