//! Sending what waits in the outbox: all endpoints at the same time, each message by message, oldest first.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use super::outbox::{Delivery, Outbox, kept};
use crate::base::error::Result;
use crate::base::text::counted;
use crate::world::notify::settings::Service;
use crate::world::notify::{Sent, Target};

/// An attempt that gets less time than this is left to the next run.
const SHORTEST: Duration = Duration::from_millis(100);

/// How many messages an endpoint may refuse in one run.
const MOST_REFUSED: u32 = 3;

/// A message refused this often is dropped if the endpoint takes others: at a wrong URL, all are refused.
const MOST_REFUSALS: u32 = 5;

/// The longest that an endpoint is left alone at its own request.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// An endpoint that can be reached.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) key: String,
    /// What messages call it.
    pub(super) label: String,
    pub(super) service: Service,
    pub(super) target: Target,
}

/// Sends what waits until `until`; returns what to warn of.
pub(super) fn send(own: &Path, outbox: &mut Outbox, endpoints: &[Endpoint], until: Instant) -> Vec<String> {
    let shared = Shared { own, outbox: Mutex::new(std::mem::take(outbox)) };
    let warnings = std::thread::scope(|scope| {
        let senders: Vec<_> = endpoints
            .iter()
            .filter_map(|endpoint| {
                let sender = || shared.send_to(endpoint, until);
                std::thread::Builder::new().name("notify".to_owned()).spawn_scoped(scope, sender).ok()
            })
            .collect();
        senders.into_iter().filter_map(|sender| sender.join().ok().flatten()).collect()
    });
    *outbox = shared.outbox.into_inner().unwrap_or_else(PoisonError::into_inner);
    outbox.letters.retain(|letter| !letter.to.is_empty());
    warnings
}

/// The outbox, as the senders share it.
struct Shared<'a> {
    own: &'a Path,
    outbox: Mutex<Outbox>,
}

impl Shared<'_> {
    /// Changes the outbox; saves it if that gives something.
    fn change<T>(&self, change: impl FnOnce(&mut Outbox) -> Option<T>) -> Result<Option<T>> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(changed) = change(&mut outbox) else { return Ok(None) };
        outbox.save(self.own).map(|()| Some(changed))
    }

    /// Does a message wait for this endpoint?
    fn waits_for(&self, key: &str) -> bool {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).waiting(key).next().is_some()
    }

    /// Sends an endpoint's messages until none is left, one fails, or the time is over.
    fn send_to(&self, endpoint: &Endpoint, until: Instant) -> Option<String> {
        let Endpoint { key, label, service, target } = endpoint;
        let (mut tried, mut taken, mut refused, mut refusal) = (BTreeSet::new(), false, 0, None);
        let warn = |why: &str| {
            let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
            let left = counted(outbox.waiting(key).count(), "message waits", "messages wait");
            format!("{label}: {why} ({left} for the next run)")
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let begun = self.change(|outbox| {
                let at = outbox.next(key, &tried, Utc::now()).filter(|_| left >= SHORTEST)?;
                let attempts = outbox.attempts(at, key);
                outbox.set(at, key, Some(Delivery::Sending));
                outbox.letters.get(at).map(|letter| (at, attempts, letter.notice.clone()))
            });
            let (at, attempts, notice) = match begun {
                Ok(Some(begun)) => begun,
                Ok(None) if left < SHORTEST && self.waits_for(key) => return Some(warn("no time is left")),
                Ok(None) => return self.over(endpoint, taken, refusal.map(|said: String| warn(&said))),
                // What cannot be marked is not sent: after a kill it would be sent again.
                Err(error) => return Some(format!("{label}: nothing is sent: {error}")),
            };
            let sent = target.send(*service, &notice, left);
            let (delivery, said) = after(&sent, attempts);
            let set = self.change(|outbox| {
                outbox.set(at, key, delivery);
                Some(())
            });
            if let Err(error) = set {
                return Some(format!("{label}: {error}"));
            }
            match sent {
                Sent::Taken => taken = true,
                Sent::Refused(_) if refused < MOST_REFUSED => (refused, refusal) = (refused + 1, Some(said)),
                Sent::Unknown(_) => {
                    return Some(format!(
                        "{label}: {said}: {:?} may not have been delivered, and is not sent again",
                        notice.title
                    ));
                }
                Sent::Refused(_) => return self.over(endpoint, taken, Some(warn(&said))),
                Sent::Failed { .. } => return Some(warn(&said)),
            }
            tried.insert(at);
        }
    }
}

impl Shared<'_> {
    /// Drops what this endpoint refuses for good while it takes other messages. Returns what to warn of.
    fn over(&self, endpoint: &Endpoint, taken: bool, warning: Option<String>) -> Option<String> {
        let Endpoint { key, label, .. } = endpoint;
        let dropped = self.change(|outbox| {
            let dropped = if taken { outbox.drop_refused(key, MOST_REFUSALS) } else { Vec::new() };
            (!dropped.is_empty()).then_some(dropped)
        });
        let said = match dropped {
            Ok(None) => return warning,
            Ok(Some(dropped)) => dropped.join("; "),
            Err(error) => error.to_string(),
        };
        Some(warning.into_iter().chain([format!("{label}: {said}")]).collect::<Vec<_>>().join("; "))
    }
}

/// The state of a message after an attempt, and what to say of it.
fn after(sent: &Sent, (attempts, refused): (u32, u32)) -> (Option<Delivery>, String) {
    let waiting = |reason: &String, after: Option<Duration>, refused: u32| {
        let pause = after.map(|pause| pause.min(LONGEST_PAUSE));
        let not_before = pause.and_then(|pause| Some(Utc::now() + TimeDelta::from_std(pause).ok()?));
        let (attempts, reason) = (attempts.saturating_add(1), Some(kept(reason)));
        Some(Delivery::Waiting { attempts, reason, not_before, refused })
    };
    match sent {
        Sent::Taken => (None, String::new()),
        Sent::Refused(reason) => (waiting(reason, None, refused.saturating_add(1)), reason.clone()),
        Sent::Failed { reason, after } => (waiting(reason, *after, refused), reason.clone()),
        Sent::Unknown(reason) => (Some(Delivery::Unsure { reason: kept(reason) }), reason.clone()),
    }
}
