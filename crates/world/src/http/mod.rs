//! The only HTTP module: every request of the program goes through a [`Client`].
//!
//! A client has timeouts, a limit on the bytes received of a body, and a retry policy: failed connections, 429
//! and 5xx are retried, after growing pauses or those that the server asks for; any other 4xx is an answer and
//! never retried. Messages name method and URL without tokens, and an answer is shown only after the secrets of
//! its request are blanked out ([`Response`]). Redirects are followed here, hop by hop, each under the rules of
//! the first URL (`redirect`).
//!
//! Every wait ends when a stop is requested: pauses at once, requests in flight after a short grace period
//! ([`Stop`]).

mod blanks;
mod deliver;
mod fault;
mod form;
mod guard;
mod heed;
mod message;
mod passing;
mod redirect;
mod retry;
mod secret;
mod stream;

use std::fs::File;
use std::io::{Read, Seek as _, Write};
use std::time::{Duration, Instant};

pub use ureq::http::{HeaderMap, HeaderValue, Method};
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, RustlsConnector};

pub use self::blanks::Blanks;
pub use self::deliver::Delivery;
pub use self::form::MultipartForm;
pub use self::guard::Lookup;
use self::heed::{Connections, Heed};
pub use self::message::{NoJson, Request, Response};
pub(crate) use self::passing::{ServerKind, asked, rpc_passes, s3_passes};
pub use self::retry::{Failure, Retry, retry_after};
use self::retry::{failure, io_failure};
pub use self::secret::{Secret, shown_text, shown_url};
pub use self::stream::{Broken, Incoming, PhaseLimits};
use crate::base::error::{Error, Result};
use crate::stop::Stop;
use crate::usage::Meter;

/// How much of an error's body is read.
const ERROR_BODY: u64 = 1 << 20;
/// Read size of bodies.
const COPY_BYTES: usize = 128 << 10;

const USER_AGENT: &str = concat!("gen404/", env!("CARGO_PKG_VERSION"));

/// Idle connections kept to a service: as many as may be in flight.
const SERVICE_IDLE: usize = 64;

/// How many redirects a miner's server may send, and a service.
const MINER_REDIRECTS: u32 = 3;
const SERVICE_REDIRECTS: u32 = 10;

/// Content codings that change no byte: stores give back the coding that an upload named.
const PLAIN_CODINGS: [&str; 3] = ["", "identity", "aws-chunked"];

/// Codings of the transfer that leave the body's bytes to be read.
const PLAIN_TRANSFERS: [&str; 3] = ["", "identity", "chunked"];

/// Idle connections kept to one miner's host for its next file, and how long.
const MINER_IDLE: usize = 8;
const MINER_IDLE_AGE: Duration = Duration::from_secs(10);

/// The limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// For the connection, including TLS.
    pub connect: Duration,
    /// For each wait for bytes of the answer.
    pub idle: Duration,
    /// For the whole attempt.
    pub whole: Duration,
    /// Bytes of the answer's body.
    pub body: u64,
    /// Bytes per second of the body; 0 means no minimum.
    pub min_rate: u64,
    /// A transfer is not judged by its rate before this time.
    pub rate_grace: Duration,
}

impl Default for HttpLimits {
    /// For services that the operator chose: one minute, 32 MiB.
    fn default() -> Self {
        let (connect, idle, whole) = (Duration::from_secs(10), Duration::from_secs(30), Duration::from_secs(60));
        HttpLimits { connect, idle, whole, body: 32 << 20, min_rate: 0, rate_grace: Duration::ZERO }
    }
}

impl HttpLimits {
    /// For miners' files (DESIGN 4.7): 200 MiB, five minutes, at least 64 KiB a second.
    pub const MINER: HttpLimits = HttpLimits {
        connect: Duration::from_secs(10),
        idle: Duration::from_secs(30),
        whole: Duration::from_secs(300),
        body: 200 << 20,
        min_rate: 64 << 10,
        rate_grace: Duration::from_secs(20),
    };
}

/// Sends requests within limits, and retries where that may help. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    limits: HttpLimits,
    retry: Retry,
    miners: bool,
    /// How many redirects in a row are followed; with 0 they are returned as answers.
    redirects: u32,
    /// Are 429 and 5xx returned as answers, too?
    hears_all: bool,
    line: Connections,
    /// Counts what is asked and received.
    meter: Meter,
}

impl Client {
    /// A client for services that the operator chose. It uses the proxies of the environment.
    #[must_use]
    pub fn new(limits: HttpLimits, retry: Retry) -> Self {
        let config =
            config(&limits).max_idle_connections(SERVICE_IDLE).max_idle_connections_per_host(SERVICE_IDLE).build();
        Client::with(config, limits, retry)
    }

    /// As [`Client::new`], with a new connection for every request. It costs a round trip, and avoids two
    /// dangers of reuse: the server may close the connection just as the next request arrives, which may or may
    /// not have been carried out; and an answer in two segments waits 40 ms for our delayed ACK of the first.
    #[must_use]
    pub fn unkept(limits: HttpLimits, retry: Retry) -> Self {
        let config = config(&limits).max_idle_connections(0).max_idle_connections_per_host(0).build();
        Client::with(config, limits, retry)
    }

    /// A client that follows no redirects and does not retry: for [`Client::send_once`], and for callers that
    /// send credentials to a single host.
    #[must_use]
    pub fn direct(limits: HttpLimits) -> Self {
        let config = config(&limits).build();
        Client::with(config, limits, Retry::ONCE).unredirected()
    }

    /// The same client, which returns redirects as answers.
    #[must_use]
    pub fn unredirected(self) -> Self {
        Client { redirects: 0, ..self }
    }

    /// The same client, which also passes 429 and 5xx to the checks of [`Client::send_checked`] and
    /// [`Client::attempt`], since such an answer's body matters there.
    #[must_use]
    pub fn hearing_all(self) -> Self {
        Client { hears_all: true, ..self }
    }

    /// A client for miners' URLs, under the rule of DESIGN 4.7; `allow_private` lifts the part about addresses.
    #[must_use]
    pub fn for_miners(limits: HttpLimits, retry: Retry, allow_private: bool) -> Self {
        let heed = Heed::default();
        Client::behind(guard::PublicResolver::new(&heed, allow_private), heed, limits, retry)
    }

    /// As [`Client::for_miners`], but names are looked up by `lookup`; the rule applies to its answers.
    #[must_use]
    pub fn for_miners_by(lookup: impl Lookup, limits: HttpLimits, retry: Retry, allow_private: bool) -> Self {
        Client::behind(guard::PublicResolver::by(lookup, allow_private), Heed::default(), limits, retry)
    }

    fn behind(resolver: guard::PublicResolver, heed: Heed, limits: HttpLimits, retry: Retry) -> Self {
        let config = config(&limits)
            // A proxy would look names up again, where the answer is not checked.
            .proxy(None)
            // Headers that drip in byte by byte never exceed the limit of a single wait.
            .timeout_recv_response(Some(limits.idle))
            .max_idle_connections_per_host(MINER_IDLE)
            .max_idle_age(MINER_IDLE_AGE)
            .build();
        Client { miners: true, redirects: MINER_REDIRECTS, ..Client::over(config, resolver, heed, limits, retry) }
    }

    fn with(config: ureq::config::Config, limits: HttpLimits, retry: Retry) -> Self {
        let heed = Heed::default();
        Client::over(config, heed::System::new(&heed), heed, limits, retry)
    }

    /// A client that heeds the process's stop, until it is given another one.
    fn over(
        config: ureq::config::Config,
        resolver: impl Resolver,
        heed: Heed,
        limits: HttpLimits,
        retry: Retry,
    ) -> Self {
        // ureq's own connectors, except that waiting for TCP can be interrupted.
        let connector = ().chain(ConnectProxyConnector::default()).chain(heed::Tcp::new(&heed));
        let agent = ureq::Agent::with_parts(config, connector.chain(RustlsConnector::default()), resolver);
        let line = Connections::new(&agent, heed, &Stop::of_process());
        let (redirects, meter) = (SERVICE_REDIRECTS, Meter::default());
        Client { agent, limits, retry, miners: false, redirects, hears_all: false, line, meter }
    }

    /// The same client, stopped by this instead of the process's stop.
    #[must_use]
    pub fn heeding(mut self, stop: &Stop) -> Self {
        self.line = self.line.heeding(&self.agent, stop);
        self
    }

    /// The same client, which counts in this meter, and names its service in errors.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        Client { meter, ..self }
    }

    /// Where this client counts.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Names this client's service in an error.
    #[must_use]
    pub fn blamed(&self, error: Error) -> Error {
        error.of_service(self.meter.service())
    }

    /// What ends this client's waits.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        self.line.stop()
    }

    /// The failure of a request, without its secrets; `Stopped` if we ended it ourselves.
    fn failed(&self, failure: Failure, request: &Request<'_>) -> Failure {
        let hide = |reason: String| request.blanks().hide(&reason).into_owned();
        match failure {
            _ if self.line.is_cut() => Failure::Stopped,
            Failure::Permanent(reason) => Failure::Permanent(hide(reason)),
            Failure::Transient { reason, after, unsent } => Failure::Transient { reason: hide(reason), after, unsent },
            Failure::Stopped => Failure::Stopped,
        }
    }

    /// Sends a request and returns the final answer, whatever its status.
    ///
    /// # Errors
    /// No final answer after all attempts.
    pub fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.send_checked(request, Ok)
    }

    /// As [`Client::send`]; `None` if the body is longer than `most` bytes but within the limit.
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub fn send_up_to(&self, request: &Request<'_>, most: u64) -> Result<Option<Response>> {
        if most >= self.limits.body {
            return self.send(request).map(Some);
        }
        let client = Client { limits: HttpLimits { body: most, ..self.limits }, ..self.clone() };
        let too_long = client.too_long();
        self.attempts(request, || match client.attempt(request, Ok) {
            Err(failure) if failure == too_long => Ok(None),
            answer => answer.map(Some),
        })
    }

    /// Sends a request until `check` accepts the answer: after a transient failure of the check it is sent
    /// again.
    ///
    /// # Errors
    /// No answer that `check` accepts after all attempts.
    pub fn send_checked<T>(
        &self,
        request: &Request<'_>,
        check: impl Fn(Response) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        self.attempts(request, || self.attempt(request, &check))
    }

    /// One attempt at a request, for callers that schedule their attempts themselves.
    ///
    /// # Errors
    /// No answer that `check` accepts; 429 and 5xx reach it only with [`Client::hearing_all`].
    pub fn attempt<T>(
        &self,
        request: &Request<'_>,
        check: impl Fn(Response) -> std::result::Result<T, Failure>,
    ) -> std::result::Result<T, Failure> {
        let mut body = Vec::new();
        let (status, headers) = self.exchange(request, &mut body)?;
        check(Response { status, headers, body, blanks: request.blanks(), what: request.shown() })
    }

    /// Downloads the body of an answer into a file, from its start, and returns the bytes written. Any status
    /// but 200 is an error: 206 is a part, and 204 is nothing.
    ///
    /// # Errors
    /// No such answer after all attempts; the file's contents are then useless.
    pub fn download(&self, request: &Request<'_>, file: &mut File) -> Result<u64> {
        self.attempts(request, || {
            let local = |e: std::io::Error| Failure::Permanent(format!("cannot write what was received: {e}"));
            file.set_len(0).and_then(|()| file.rewind()).map_err(local)?;
            self.fetch_once(request, file)
        })
    }

    /// One attempt at a file, for callers that schedule their attempts themselves: the body of a 200 goes to
    /// `sink`; returns its length.
    ///
    /// # Errors
    /// Any other status, an exceeded limit or a lost connection; `sink` then holds a part of the body.
    pub fn fetch_once(&self, request: &Request<'_>, sink: &mut dyn Write) -> std::result::Result<u64, Failure> {
        let fetch = || {
            let mut response = self.begin(request, self.follow(request)?)?;
            match response.status().as_u16() {
                200 => self.copy_body(&mut response.body_mut().as_reader(), sink),
                status => Err(Failure::Permanent(format!("status {status}"))),
            }
        };
        self.unless_stopped(request, fetch)
    }

    /// One attempt at sending the request with `length` bytes of `body`. 429 and 5xx are returned as answers,
    /// and so is a redirect of such a request.
    ///
    /// # Errors
    /// No answer.
    pub fn send_once(
        &self,
        request: &Request<'_>,
        body: Option<(&mut dyn Read, u64)>,
    ) -> std::result::Result<Response, Failure> {
        let send = || {
            let sent = match body {
                None => self.follow(request),
                Some((reader, length)) => {
                    self.meter.bytes(length);
                    self.agent.run(request.build_streamed(reader, length)?).map_err(|e| failure(&e))
                }
            };
            let mut response = sent?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            check_coding(status, &headers)?;
            let mut body = Vec::new();
            self.copy_answer(&mut response, &mut body)?;
            Ok(Response { status, headers, body, blanks: request.blanks(), what: request.shown() })
        };
        self.unless_stopped(request, send)
    }

    /// One attempt, not started once a stop was requested.
    fn unless_stopped<T>(
        &self,
        request: &Request<'_>,
        attempt: impl FnOnce() -> std::result::Result<T, Failure>,
    ) -> std::result::Result<T, Failure> {
        if self.stop().is_wanted() {
            return Err(Failure::Stopped);
        }
        let outcome = attempt();
        // A request that found no server, or was turned away unread, costs nothing.
        if !matches!(&outcome, Err(Failure::Transient { unsent: true, .. })) {
            self.meter.call();
            self.meter.bytes(request.length());
        }
        let done = outcome.map_err(|failure| self.failed(failure, request))?;
        // A body of unknown length ends with its connection, even if we closed it: do not take that for
        // success.
        if self.line.is_cut() { Err(Failure::Stopped) } else { Ok(done) }
    }

    /// Runs attempts until one succeeds or none is left.
    fn attempts<T>(
        &self,
        request: &Request<'_>,
        attempt: impl FnMut() -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let outcome = self.retry.attempts(self.stop(), &request.shown(), request.repeatable, attempt);
        outcome.map_err(|error| self.blamed(error))
    }

    fn begin(
        &self,
        request: &Request<'_>,
        mut response: ureq::http::Response<ureq::Body>,
    ) -> std::result::Result<ureq::http::Response<ureq::Body>, Failure> {
        let status = response.status().as_u16();
        if ServerKind::Any.passes(status) && !self.hears_all {
            // What miners' servers say is not repeated: their failures are counted by their reasons.
            let said = if self.miners { String::new() } else { message::said(request, response.body_mut()) };
            let reason = message::with_status(status, &said);
            return Err(ServerKind::Any.failure(status, response.headers(), reason));
        }
        check_coding(status, response.headers())?;
        if self.miners {
            self.check_length(response.headers())?;
        }
        Ok(response)
    }

    /// One attempt: sends, and reads the body into `sink`.
    fn exchange(&self, request: &Request<'_>, sink: &mut dyn Write) -> std::result::Result<(u16, HeaderMap), Failure> {
        self.unless_stopped(request, || {
            let mut response = self.begin(request, self.follow(request)?)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            self.copy_answer(&mut response, sink)?;
            Ok((status, headers))
        })
    }

    /// A miner's server is believed about the body's length only if that counts against it.
    fn check_length(&self, headers: &HeaderMap) -> std::result::Result<(), Failure> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let length = text("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.limits.body) {
            return Err(self.too_long());
        }
        Ok(())
    }

    /// Copies an answer's body within the limits. Of an error's, the beginning is enough.
    fn copy_answer(
        &self,
        response: &mut ureq::http::Response<ureq::Body>,
        sink: &mut dyn Write,
    ) -> std::result::Result<u64, Failure> {
        let most = if response.status().as_u16() >= 400 { ERROR_BODY.min(self.limits.body) } else { u64::MAX };
        self.copy_body(&mut response.body_mut().as_reader().take(most), sink)
    }

    /// Copies a body within the limits; returns its length.
    fn copy_body(&self, body: &mut dyn Read, sink: &mut dyn Write) -> std::result::Result<u64, Failure> {
        let begun = Instant::now();
        let mut received: u64 = 0;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = body.read(&mut buffer).map_err(|e| io_failure(&e))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(received) };
            received = received.saturating_add(bytes.len() as u64);
            self.meter.bytes(bytes.len() as u64);
            if received > self.limits.body {
                return Err(self.too_long());
            }
            let elapsed = begun.elapsed();
            let needed = u128::from(self.limits.min_rate).saturating_mul(elapsed.as_millis()) / 1000;
            if elapsed > self.limits.rate_grace && u128::from(received) < needed {
                return Err(Failure::transient(format!("slower than {} bytes a second", self.limits.min_rate)));
            }
            let written = sink.write_all(bytes);
            written.map_err(|e| Failure::Permanent(format!("cannot write what was received: {e}")))?;
        }
    }

    fn too_long(&self) -> Failure {
        Failure::too_long(self.limits.body)
    }
}

/// Refuses an encoded body: no coding was requested, and none is decoded, also not one of the transfer, except for the
/// chunks. Answers other than 200 are judged by their status.
fn check_coding(status: u16, headers: &HeaderMap) -> std::result::Result<(), Failure> {
    for (header, plain, how) in
        [("content-encoding", PLAIN_CODINGS, "encoded"), ("transfer-encoding", PLAIN_TRANSFERS, "encoded in transfer")]
    {
        let codings = headers.get_all(header).into_iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
        let codings = codings.map(|coding| String::from_utf8_lossy(coding.trim_ascii()).to_ascii_lowercase());
        let coded: Vec<String> = codings.filter(|coding| !plain.contains(&coding.as_str())).collect();
        if status == 200 && !coded.is_empty() {
            let coded = shown_text(&coded.join(", "), 40);
            return Err(Failure::Permanent(format!("the body is {how} ({coded}), which is not accepted")));
        }
    }
    Ok(())
}

fn config(limits: &HttpLimits) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(USER_AGENT)
        .timeout_connect(Some(limits.connect))
        .timeout_resolve(Some(limits.connect))
        .timeout_per_read(Some(limits.idle))
        .timeout_global(Some(limits.whole))
}
