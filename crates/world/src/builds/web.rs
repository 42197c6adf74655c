//! Requests to a CI and to registries: redirects are followed here, so that credentials reach only the host
//! that they are meant for; rate limits that end soon are waited for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

use crate::base::error::{Error, Result};
use crate::base::text::time;
use crate::base::url::{HttpUrl, resolve};
use crate::http::{Client, HttpLimits, Method, Request, Response, Retry, Secret, ServerKind, retry_after, shown_url};
use crate::stop::Stop;
use crate::usage::Meter;

/// More redirects than this are taken for a loop.
const MOST_REDIRECTS: usize = 5;

/// After this many pauses for a limit, the server is not believed any more.
const MOST_PAUSES: u32 = 4;

/// The assumed length of a limit that the server does not state; it doubles each time.
const UNTOLD_PAUSE: Duration = Duration::from_secs(60);

/// Sends requests that only read.
#[derive(Debug, Clone)]
pub(super) struct Web {
    client: Client,
    retry: Retry,
    longest_pause: Duration,
    stop: Stop,
}

/// The value of `Authorization`, and the origin that it may be sent to.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    origin: String,
    value: Secret,
}

impl Credentials {
    /// For the scheme, host and port of this URL.
    pub(super) fn bearer(url: &str, token: &Secret) -> Result<Self> {
        Credentials::new(url, &format!("Bearer {}", token.expose()))
    }

    /// As [`Credentials::bearer`], with any value.
    pub(super) fn new(url: &str, value: &str) -> Result<Self> {
        Ok(Credentials { origin: origin(url)?, value: Secret::new(value) })
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct ReadRequest<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) credentials: Option<&'a Credentials>,
}

impl Web {
    /// Waits for limits that end within `longest_pause` in total, or until `stop` is wanted.
    pub(super) fn new(attempts: u32, longest_pause: Duration, stop: Stop) -> Self {
        let limits = HttpLimits { whole: Duration::from_secs(30), ..HttpLimits::default() };
        let client = Client::direct(limits).heeding(&stop);
        Web { client, retry: Retry { attempts: attempts.max(1), ..Retry::default() }, longest_pause, stop }
    }

    /// The same, which counts in this meter.
    pub(super) fn metered(self, meter: Meter) -> Self {
        Web { client: self.client.metered(meter), ..self }
    }

    /// The answer after all redirects: any status below 500 that is not a rate limit.
    ///
    /// # Errors
    /// There is no answer, or a limit lasts too long.
    pub(super) fn send(&self, ask: &ReadRequest<'_>) -> Result<Response> {
        let mut url = ask.url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.patiently(ask, &url)?;
            match redirect(&url, &response)? {
                None => return Ok(response),
                Some(next) => url = next,
            }
        }
        Err(Error::outside(format!("{} {}: more than {MOST_REDIRECTS} redirects", ask.method, shown_url(ask.url))))
    }

    fn patiently(&self, ask: &ReadRequest<'_>, url: &str) -> Result<Response> {
        let request = request(ask, url)?;
        let (mut paused, mut count) = (Duration::ZERO, 0);
        loop {
            let response = self.retry.attempts(&self.stop, &request.shown(), true, || {
                let response = self.client.send_once(&request, None)?;
                let passes = ServerKind::Ci.passes(response.status);
                if passes { Err(response.failure(ServerKind::Ci)) } else { Ok(response) }
            });
            let response = response.map_err(|error| self.client.blamed(error))?;
            let Some(pause) = limit(&response, count, SystemTime::now()) else { return Ok(response) };
            count += 1;
            if count > MOST_PAUSES || paused.saturating_add(pause) > self.longest_pause {
                return Err(limited(&request.shown(), pause));
            }
            self.stop.sleep(pause);
            self.stop.check()?;
            paused += pause;
        }
    }
}

/// The request for this URL, with the credentials if it is on their host. Elsewhere they are not sent, but
/// still blanked: their host chose that address and may have put them into it.
fn request<'a>(ask: &'a ReadRequest<'_>, url: &'a str) -> Result<Request<'a>> {
    let mut request = Request::new(ask.method.clone(), url);
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    match ask.credentials {
        Some(credentials) if credentials.origin == origin(url)? => {
            Ok(request.header("authorization", credentials.value.expose()))
        }
        Some(credentials) => Ok(request.secret(&credentials.value)),
        None => Ok(request),
    }
}

/// How long a server with a rate limit asks to be left alone. A 403 of GitHub is a limit only if it has a
/// limit's headers or wording.
fn limit(response: &Response, pauses: u32, now: SystemTime) -> Option<Duration> {
    if !matches!(response.status, 403 | 429) {
        return None;
    }
    if let Some(after) = response.header("retry-after").and_then(|value| retry_after(value, now)) {
        return Some(after);
    }
    let reset = response.header("x-ratelimit-reset").and_then(|value| value.trim().parse::<u64>().ok());
    if let Some(reset) = reset.filter(|_| response.header("x-ratelimit-remaining").map(str::trim) == Some("0")) {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // One second more, since both clocks are rounded down.
        return Some(Duration::from_secs(reset.saturating_sub(now).saturating_add(1)));
    }
    let told = response.status == 429 || response.text().to_lowercase().contains("rate limit");
    told.then(|| UNTOLD_PAUSE.saturating_mul(1 << pauses.min(8)))
}

/// The error of a limit that lasts too long.
fn limited(what: &str, pause: Duration) -> Error {
    let seconds = i64::try_from(pause.as_secs()).unwrap_or(i64::MAX);
    let until = Utc::now().timestamp().checked_add(seconds).and_then(|at| DateTime::from_timestamp(at, 0));
    let until = until.map_or("long".to_owned(), time);
    let limited = Error::outside(format!("{what}: the server's rate limit is reached, until {until}"));
    limited.hint("run it again then; requests with a token have a limit of their own")
}

/// The target of a redirect.
fn redirect(from: &str, response: &Response) -> Result<Option<String>> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |why: &dyn std::fmt::Display| {
        let why = response.hide(&why.to_string());
        Error::outside(format!("{}: status {}: {why}", shown_url(from), response.status))
    };
    let to =
        response.headers.get("location").ok_or_else(|| refused(&"no Location header: it does not say where to"))?;
    let next = resolve(from, to.as_bytes()).map_err(|why| {
        refused(&format!("to {}: {why}", shown_url(&response.hide(&String::from_utf8_lossy(to.as_bytes())))))
    })?;
    Ok(Some(next))
}

/// Scheme, host and port of a URL.
pub(super) fn origin(url: &str) -> Result<String> {
    let parsed = HttpUrl::parse(url).map_err(|why| Error::usage(format!("{}: {why}", shown_url(url))))?;
    let scheme = if parsed.https { "https" } else { "http" };
    let authority = url.split("://").nth(1).unwrap_or_default().split(['/', '?']).next().unwrap_or_default();
    let host = authority.strip_suffix(&format!(":{}", parsed.port)).unwrap_or(authority);
    Ok(format!("{scheme}://{}:{}", host.to_ascii_lowercase(), parsed.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, expected) in [
            ("https://api.github.com/repos/a/b?page=2", "https://api.github.com:443"),
            ("https://API.github.com:443", "https://api.github.com:443"),
            ("http://127.0.0.1:81/x", "http://127.0.0.1:81"),
            ("https://[::1]:8443/x", "https://[::1]:8443"),
        ] {
            assert_eq!(origin(url).unwrap(), expected, "{url}");
        }
        assert!(origin("https://me:pw@host/").is_err() && origin("file:///etc/passwd").is_err());
    }
}
