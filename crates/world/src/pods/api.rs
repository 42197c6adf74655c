//! What the clients of providers' APIs share: calls, errors without secrets, and the rule that a create is
//! never repeated blindly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Listed, PodId};
use crate::base::error::{Error, Result};
use crate::base::url::HttpUrl;
use crate::http::{Client, Failure, HttpLimits, Request, Response, Retry, Secret, ServerKind, shown_text, shown_url};
use crate::stop::{STOPPED, Stop, stopped};
use crate::usage::{Meter, Service};

/// The most pages of a list.
pub(super) const MOST_PAGES: usize = 1000;

/// The longest id of a pod, or cursor of a list.
const LONGEST_ID: usize = 128;
pub(super) const LONGEST_CURSOR: usize = 2048;

/// Time limit per attempt after a stop request, and of the pause before the single retry.
const HURRY: Duration = Duration::from_secs(5);
const HURRIED_PAUSE: Duration = Duration::from_millis(250);

/// How often to look for a pod whose creation was not answered.
const LOOKS: u32 = 3;

/// Words in refusals for lack of machines, or of money for them.
const WANT: [&str; 8] =
    ["capacity", "quota", "insufficient", "instances", "resources", "out of stock", "availability", "funds"];

/// How calls to a provider are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPolicy {
    /// Attempts for each call that may be repeated.
    pub attempts: u32,
    /// Time limit of an attempt.
    pub timeout: Duration,
    /// The pause after a failed attempt (doubled each time), and between two polls.
    pub pause: Duration,
    /// How long a deleted pod may take to disappear.
    pub patience: Duration,
    /// Counts what is asked.
    pub meter: Meter,
}

impl Default for ApiPolicy {
    fn default() -> Self {
        let (timeout, pause) = (Duration::from_secs(60), Duration::from_secs(2));
        ApiPolicy { attempts: 5, timeout, pause, patience: Duration::from_secs(300), meter: Meter::default() }
    }
}

/// A provider's API.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    /// For the work left after a stop request: a pod left running would be billed.
    last: Client,
    retry: Retry,
    pub(super) policy: ApiPolicy,
    pub(super) base: String,
    /// The environment variables with the key, for hints.
    keys: &'static str,
    secrets: Mutex<Vec<Secret>>,
}

/// The result of a request to create a pod.
#[derive(Debug)]
pub(super) enum Created {
    /// It was created: the answer.
    Answer(Response),
    /// The answer was lost, but this pod was found.
    Adopted(PodId),
    /// There is no machine available, or none for us.
    NoCapacity(String),
    /// The token was refused: nothing was created.
    Unauthorized(Response),
}

impl Api {
    /// The API at this base URL. `secrets` never appear in a message; `keys` names their source.
    pub(super) fn new(base: &str, policy: ApiPolicy, keys: &'static str, secrets: Vec<Secret>) -> Result<Self> {
        HttpUrl::parse(base).map_err(|why| Error::usage(format!("the provider's URL {}: {why}", shown_url(base))))?;
        let whole = policy.timeout;
        let limits = HttpLimits {
            connect: HttpLimits::default().connect.min(whole),
            idle: whole,
            whole,
            ..HttpLimits::default()
        };
        let retry = Retry { attempts: policy.attempts.max(1), first_pause: policy.pause, ..Retry::default() };
        // No kept connections: one may be closed just as a request that must not run twice is sent.
        let meter = policy.meter.of(Service::Provider);
        let client = Client::unkept(limits, Retry::ONCE).metered(meter.clone());
        let hurried = HttpLimits { idle: whole.min(HURRY), whole: whole.min(HURRY), ..limits };
        let last = Client::unkept(hurried, Retry::ONCE).heeding(&Stop::default()).metered(meter);
        Ok(Api {
            client,
            last,
            retry,
            policy,
            base: base.trim_end_matches('/').to_owned(),
            keys,
            secrets: Mutex::new(secrets),
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The answer to a request that may be repeated: the last one, whatever its status.
    pub(super) fn ask(&self, request: &Request<'_>) -> Result<Response> {
        let request = &self.veiled(request);
        let (mut last, mut hurried) = (None, 0);
        let pause = |time| {
            let stop = self.client.stop();
            stop.sleep(time);
            hurried += usize::from(stop.is_wanted());
            if stop.is_wanted() {
                std::thread::sleep(HURRIED_PAUSE.min(time));
            }
            hurried <= 1
        };
        let outcome = self.retry.attempts_pausing(pause, &request.shown(), true, || {
            last = None;
            let response = self.send(request)?;
            let status = response.status;
            if !ServerKind::Any.passes(status) {
                return Ok(response);
            }
            let failure = ServerKind::Any.failure(status, &response.headers, format!("status {status}"));
            last = Some(response);
            Err(failure)
        });
        match (outcome, last) {
            (Err(_), _) if self.client.stop().is_wanted() => Err(stopped()),
            (Err(_), Some(response)) => Ok(response),
            (outcome, _) => outcome.map_err(|error| self.client.blamed(error)),
        }
    }

    /// The request with all secrets of this provider to be blanked: an answer about a pod may contain any of
    /// them.
    fn veiled<'r>(&self, request: &Request<'r>) -> Request<'r> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(request.clone(), Request::secret)
    }

    /// One attempt; if a stop cut it off, it may be tried once more with a short timeout.
    fn send(&self, request: &Request<'_>) -> std::result::Result<Response, Failure> {
        if self.client.stop().is_wanted() {
            return self.last.send_once(request, None);
        }
        match self.client.send_once(request, None) {
            Err(Failure::Stopped) => Err(Failure::transient(STOPPED)),
            outcome => outcome,
        }
    }

    /// As [`Api::ask`], for a 2xx answer with JSON; `None` for 404.
    pub(super) fn find<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<Option<T>> {
        let response = self.ask(request)?;
        match response.status {
            404 => Ok(None),
            200..=299 => self.parse(&request.shown(), &response).map(Some),
            _ => Err(self.refused(&request.shown(), &response)),
        }
    }

    /// As [`Api::find`], for something that must exist.
    pub(super) fn get<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T> {
        self.find(request)?.ok_or_else(|| {
            let missing = Error::failed(format!("{}: status 404", request.shown()));
            missing.hint("is the provider's URL right? [pods] in gen404.toml names it")
        })
    }

    /// Deletes; a 404 counts as deleted.
    pub(super) fn delete(&self, request: &Request<'_>) -> Result<()> {
        let response = self.ask(request)?;
        match response.status {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(self.refused(&request.shown(), &response)),
        }
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, what: &str, response: &Response) -> Result<T> {
        response.json().map_err(|e| Error::outside(format!("{what}: unexpected answer: {e}")))
    }

    /// One attempt at creating a pod. If it is unclear whether one was created, `named` lists the pods of its
    /// name: the first is adopted, others are deleted by `release`.
    pub(super) fn create(
        &self,
        request: &Request<'_>,
        named: &dyn Fn() -> Result<Vec<PodId>>,
        release: &dyn Fn(&PodId) -> Result<()>,
    ) -> Result<Created> {
        let what = request.shown();
        if self.client.stop().is_wanted() {
            return Err(stopped());
        }
        let response = match self.send(&self.veiled(request)) {
            Ok(response) => response,
            Err(failure) => return self.unsure(&what, &failure, named, release),
        };
        let says = self.says(&response);
        let wanting = WANT.iter().any(|word| says.to_ascii_lowercase().contains(word));
        match response.status {
            200..=299 => Ok(Created::Answer(response)),
            401 => Ok(Created::Unauthorized(response)),
            402 | 429 => Ok(Created::NoCapacity(says)),
            // After these, a pod may have been created all the same.
            408 | 409 | 500.. => match self.adopt(named, release)? {
                Some(pod) => Ok(Created::Adopted(pod)),
                None if wanting => Ok(Created::NoCapacity(says)),
                None => Err(self.refused(&what, &response)),
            },
            _ if wanting => Ok(Created::NoCapacity(says)),
            _ => Err(self.refused(&what, &response)),
        }
    }

    fn unsure(
        &self,
        what: &str,
        failure: &Failure,
        named: &dyn Fn() -> Result<Vec<PodId>>,
        release: &dyn Fn(&PodId) -> Result<()>,
    ) -> Result<Created> {
        let lost = || Error::outside(format!("{what}: {}", failure.reason()));
        // The server did nothing with the request: there is no pod to look for.
        if matches!(failure, Failure::Transient { unsent: true, .. }) {
            return Err(lost());
        }
        self.adopt(named, release)?.map(Created::Adopted).ok_or_else(lost)
    }

    /// The pod of a name, if one shows up within a few looks; duplicates are released.
    pub(super) fn adopt(
        &self,
        named: &dyn Fn() -> Result<Vec<PodId>>,
        release: &dyn Fn(&PodId) -> Result<()>,
    ) -> Result<Option<PodId>> {
        for look in 0..LOOKS {
            if look > 0 {
                // A new pod may appear in the list with a delay.
                self.client.stop().sleep(self.policy.pause);
            }
            let mut found = named()?.into_iter();
            if let Some(first) = found.next() {
                found.try_for_each(|other| release(&other))?;
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    /// The error for an unexpected answer.
    pub(super) fn refused(&self, what: &str, response: &Response) -> Error {
        let text = format!("{what}: {}", self.says(response));
        match response.status {
            401 | 403 => Error::failed(text).hint(format!("the key is read from {}", self.keys)),
            status if ServerKind::Any.passes(status) => Error::outside(text),
            _ => Error::failed(text),
        }
    }

    /// Does an answer speak of a lack of machines?
    pub(super) fn is_wanting(&self, response: &Response) -> bool {
        let says = self.says(response).to_ascii_lowercase();
        matches!(response.status, 402 | 429) || (response.status >= 400 && WANT.iter().any(|word| says.contains(word)))
    }

    /// Status and message of an answer.
    pub(super) fn says(&self, response: &Response) -> String {
        let words = response.json::<Value>().ok().and_then(|body| words(&body));
        let text = words.unwrap_or_else(|| response.text().into_owned());
        let text = shown_text(text.trim(), 300);
        if text.is_empty() {
            format!("status {}", response.status)
        } else {
            format!("status {}: {text}", response.status)
        }
    }

    /// Adds a text that must never appear in a message.
    pub(super) fn keep_secret(&self, secret: Secret) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(secret);
    }

    /// Pauses between two polls; only briefly after a stop request.
    pub(super) fn wait(&self) {
        let stop = self.client.stop();
        stop.sleep(self.policy.pause);
        if stop.is_wanted() {
            std::thread::sleep(HURRIED_PAUSE.min(self.policy.pause));
        }
    }

    /// How long to wait for a deleted pod to disappear.
    pub(super) fn patience(&self) -> Duration {
        if self.client.stop().is_wanted() { HURRY.min(self.policy.patience) } else { self.policy.patience }
    }
}

/// An API's error message: `{error, reason}`, `{code, message}`, or a problem of RFC 9457.
fn words(body: &Value) -> Option<String> {
    let texts =
        ["code", "error", "title", "message", "reason", "detail"].iter().filter_map(|key| body.get(key)?.as_str());
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let all: Vec<&str> = texts.chain(errors).collect();
    if all.is_empty() { None } else { Some(all.join(": ")) }
}

/// The id as a safe path segment: ids come from servers.
pub(super) fn segment(pod: &PodId) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if pod.0.is_empty() || pod.0.len() > LONGEST_ID || pod.0.bytes().all(|b| b == b'.') || !pod.0.bytes().all(plain) {
        return Err(Error::outside(format!("{:?} is not a pod id", shown_text(&pod.0, 100))));
    }
    Ok(&pod.0)
}

/// May a pod of ours have this name? Others are not ours to touch.
pub(super) fn is_a_name(name: &str) -> bool {
    name.len() <= LONGEST_ID && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The ids of the pods with exactly this name.
pub(super) fn ids_of(listed: Vec<Listed>, name: &str) -> Vec<PodId> {
    listed.into_iter().filter(|pod| pod.name == name).map(|pod| pod.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_servers_stay_segments() {
        assert!(segment(&PodId("wrk-1_a".to_owned())).is_ok());
        for bad in ["", "..", "a/b", "a?b", "a b", "é", &"a".repeat(200)] {
            assert!(segment(&PodId((*bad).to_owned())).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_are_taken_from_every_kind_of_error() {
        let says = |text: &str| words(&serde_json::from_str(text).unwrap());
        assert_eq!(says(r#"{"error": "a", "reason": "b"}"#).unwrap(), "a: b");
        assert_eq!(says(r#"{"code": "insufficient_funds", "message": "m"}"#).unwrap(), "insufficient_funds: m");
        assert_eq!(says(r#"{"title": "t", "status": 422, "detail": "d", "errors": ["e"]}"#).unwrap(), "t: d: e");
        assert_eq!(says(r#"{"status": 422}"#), None);
    }
}
