//! The deployed distance service: `POST <url>/distance` with two URLs, which it fetches itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Distance, NotMeasured, Picture};
use crate::base::error::{Error, Result};
use crate::base::url::check_service_url;
use crate::http::{Client, Failure, HttpLimits, Request, Response, Retry, ServerKind, shown_text, shown_url};
use crate::probe::Probed;
use crate::usage::Meter;

/// After this many pairs in a row without any answer, the service is not asked again in the same call.
const SILENT: usize = 8;

/// Rounding may leave the range 0 to 2 by this much.
const SLACK: f64 = 1e-5;

/// A client of the service.
#[derive(Debug)]
pub struct DistanceService {
    client: Client,
    retry: Retry,
    url: String,
    connections: usize,
}

/// The service's answer.
#[derive(Debug, Deserialize)]
struct DistanceAnswer {
    distance: Option<f64>,
    error: Option<String>,
}

impl DistanceService {
    /// The service at this base URL, with up to `connections` concurrent requests.
    ///
    /// # Errors
    /// The URL is not http(s).
    pub fn new(url: &str, timeout: Duration, retry: Retry, connections: usize) -> Result<Self> {
        let url = url.trim().trim_end_matches('/');
        check_service_url(url)
            .map_err(|why| Error::usage(format!("the distance service's URL {}: {why}", shown_url(url))))?;
        let limits = HttpLimits { idle: timeout, whole: timeout, body: 1 << 20, ..HttpLimits::default() };
        let client = Client::new(limits, Retry::ONCE);
        Ok(DistanceService { client, retry, url: format!("{url}/distance"), connections: connections.max(1) })
    }

    /// The same service, which counts in this meter.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        DistanceService { client: self.client.metered(meter), ..self }
    }

    /// Asks about one pair. A service that could not fetch a picture may succeed a moment later.
    fn ask(&self, a: &str, b: &str, silent: &AtomicUsize) -> std::result::Result<f64, NotMeasured> {
        if silent.load(Ordering::SeqCst) >= SILENT {
            let url = shown_url(&self.url);
            return Err(NotMeasured(format!("not asked: {url} did not answer {SILENT} times in a row")));
        }
        let body = json!({ "url_a": a, "url_b": b }).to_string().into_bytes();
        let request = Request::post_json(self.url.as_str(), body).repeatable();
        let mut answered = false;
        let measured = self.retry.attempts(self.client.stop(), &request.shown(), true, || {
            let response = self.client.send_once(&request, None)?;
            answered = true;
            distance(&response)
        });
        if answered {
            silent.store(0, Ordering::SeqCst);
        } else {
            silent.fetch_add(1, Ordering::SeqCst);
        }
        measured.map_err(|e| NotMeasured(e.to_string()))
    }
}

impl Distance for DistanceService {
    fn name(&self) -> &'static str {
        "http"
    }

    fn measure(&self, pairs: &[(Picture<'_>, Picture<'_>)]) -> Vec<std::result::Result<f64, NotMeasured>> {
        let (next, silent) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let worker = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::SeqCst);
                let Some((a, b)) = pairs.get(at) else { return done };
                done.push((at, self.ask(a.url, b.url, &silent)));
            }
        };
        let mut all: Vec<_> = pairs.iter().map(|_| Err(NotMeasured("not asked".to_owned()))).collect();
        let done: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.connections.min(pairs.len())).map(|_| scope.spawn(worker)).collect();
            // A worker that died leaves its pairs as not asked.
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        for (at, measured) in done {
            if let Some(slot) = all.get_mut(at) {
                *slot = measured;
            }
        }
        all
    }

    fn probe(&self, picture: Option<&str>) -> Result<Probed> {
        self.try_once(picture)
    }
}

impl DistanceService {
    /// One attempt at a picture and itself; without a picture, only whether there is an answer.
    fn try_once(&self, picture: Option<&str>) -> Result<Probed> {
        let request = match picture {
            Some(url) => {
                let body = json!({ "url_a": url, "url_b": url }).to_string().into_bytes();
                Request::post_json(self.url.as_str(), body)
            }
            None => Request::get(self.url.strip_suffix("/distance").unwrap_or(&self.url)),
        };
        let failed = |failure: &Failure| {
            let down = Error::outside(format!("{}: {}", request.shown(), failure.reason()));
            down.hint("IMAGE_DISTANCE_SERVICE_URL, --distance-url, or [distance] url in gen404.toml names the service")
        };
        let response = self.client.send_once(&request, None).map_err(|failure| failed(&failure))?;
        let at = shown_url(&self.url);
        let Some(picture) = picture else {
            return Ok(Probed::doubtful(
                format!("http: {at} answers; nothing was measured"),
                "a prompt's picture would have been: there is none yet",
            ));
        };
        let said_error =
            response.status == 200 && response.json::<DistanceAnswer>().is_ok_and(|answer| answer.error.is_some());
        match distance(&response) {
            Ok(apart) if apart.abs() < 1e-3 => Ok(Probed::fine(format!("http: {at} measures"))),
            Ok(apart) => Err(failed(&Failure::Permanent(format!("a picture is {apart} apart from itself")))),
            Err(failure) if said_error => Ok(Probed::doubtful(
                format!("http: {at} answers; {}", failure.reason()),
                format!("it fetches pictures itself: can it reach {}?", shown_url(picture)),
            )),
            Err(failure) => Err(failed(&failure)),
        }
    }
}

/// The distance in an answer.
fn distance(response: &Response) -> std::result::Result<f64, Failure> {
    match response.status {
        200 => {}
        status if ServerKind::Any.passes(status) => return Err(response.failure(ServerKind::Any)),
        status => return Err(Failure::Permanent(format!("status {status}: {}", response.shown_body()))),
    }
    let answer: DistanceAnswer = response
        .json()
        .map_err(|_| Failure::transient(format!("status 200, but no distance: {}", response.shown_body())))?;
    match (answer.error, answer.distance) {
        (Some(error), _) => Err(Failure::transient(format!("not measured: {}", shown_text(&error, 200)))),
        (None, None) => Err(Failure::transient("not measured, and no reason given")),
        (None, Some(distance)) if (-SLACK..=2.0 + SLACK).contains(&distance) => Ok(distance),
        (None, Some(distance)) => Err(Failure::Permanent(format!("{distance} is not a distance from 0 to 2"))),
    }
}
