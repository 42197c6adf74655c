//! Exchanges that report when the answer's headers arrived, and in which phase they failed.

use std::io::{Read as _, Write};
use std::time::Duration;

use ureq::Timeout;

use super::blanks::{Blanks, SHOWN_BYTES};
use super::message::shown_beginning;
use super::retry::{not_http, other_reason};
use super::{COPY_BYTES, Client, HeaderMap, HttpLimits, Request, Retry, config, shown_text};
use crate::stop::STOPPED;

/// The limits of each phase of such an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseLimits {
    /// For the connection, including TLS.
    pub connect: Duration,
    /// For sending the request.
    pub send: Duration,
    /// From then until the answer's headers arrive.
    pub headers: Duration,
    /// From then until its body is complete.
    pub body: Duration,
    /// Bytes of the body.
    pub bytes: u64,
}

/// How an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// There was no connection, or it was lost.
    Lost(String),
    /// The other side is connected, but does not answer or continue in time.
    Late(String),
    /// The other side does not speak HTTP, or sends more bytes than are accepted.
    Refused(String),
    /// What was received could not be written.
    Unwritten(String),
}

impl Broken {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Broken::Lost(reason) | Broken::Late(reason) | Broken::Refused(reason) | Broken::Unwritten(reason) => reason,
        }
    }
}

impl Client {
    /// A client with a new connection for each request, without redirects and without retries.
    #[must_use]
    pub fn in_phases(phases: &PhaseLimits) -> Self {
        let whole = phases.connect + phases.send + phases.headers + phases.body;
        let limits =
            HttpLimits { connect: phases.connect, idle: whole, whole, body: phases.bytes, ..HttpLimits::default() };
        let config = config(&limits)
            .timeout_send_body(Some(phases.send))
            .timeout_recv_response(Some(phases.headers))
            .timeout_recv_body(Some(phases.body))
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        Client::with(config, limits, Retry::ONCE)
    }

    /// One attempt at a request, up to the answer's headers, whatever its status.
    ///
    /// # Errors
    /// How it failed.
    pub fn begin_once(&self, request: &Request<'_>) -> Result<Incoming, Broken> {
        let blanks = request.blanks();
        let request = request.build().map_err(|failure| Broken::Lost(failure.reason().to_owned()))?;
        let (client, most) = (self.clone(), self.limits.body);
        self.meter.call();
        self.meter.bytes(request.body().len() as u64);
        let response = self.agent.run(request).map_err(|e| client.broken(broken(&e), &blanks))?;
        let (head, body) = response.into_parts();
        Ok(Incoming { status: head.status.as_u16(), headers: head.headers, body, most, client, blanks })
    }

    /// How an exchange failed, unless we ended it ourselves.
    fn broken(&self, broken: Broken, blanks: &Blanks) -> Broken {
        let hide = |reason: String| blanks.hide(&reason).into_owned();
        match broken {
            _ if self.line.is_cut() => Broken::Lost(STOPPED.to_owned()),
            Broken::Lost(reason) => Broken::Lost(hide(reason)),
            Broken::Late(reason) => Broken::Late(hide(reason)),
            Broken::Refused(reason) => Broken::Refused(hide(reason)),
            Broken::Unwritten(reason) => Broken::Unwritten(reason),
        }
    }
}

/// An answer whose body is still to be received.
#[derive(Debug)]
pub struct Incoming {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: ureq::Body,
    most: u64,
    client: Client,
    blanks: Blanks,
}

impl Incoming {
    /// Receives the body; returns its length.
    ///
    /// # Errors
    /// How it failed.
    pub fn receive(mut self, sink: &mut dyn Write) -> Result<u64, Broken> {
        let mut body = self.body.as_reader();
        let mut received: u64 = 0;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = body.read(&mut buffer).map_err(|e| self.client.broken(broken_io(&e), &self.blanks))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                // A body of unknown length ends with its connection, even if we closed it: do not take that for
                // success.
                return if self.client.line.is_cut() { Err(Broken::Lost(STOPPED.to_owned())) } else { Ok(received) };
            };
            received = received.saturating_add(bytes.len() as u64);
            self.client.meter.bytes(bytes.len() as u64);
            if received > self.most {
                return Err(Broken::Refused(format!("the body is longer than {} bytes", self.most)));
            }
            sink.write_all(bytes).map_err(|e| Broken::Unwritten(e.to_string()))?;
        }
    }

    /// The beginning of the body, for messages; a failure leaves out the rest.
    #[must_use]
    pub fn shown_beginning(mut self) -> String {
        let mut bytes = Vec::new();
        // Whatever arrived before a failure is the text.
        let _ = self.body.as_reader().take(SHOWN_BYTES as u64).read_to_end(&mut bytes);
        shown_beginning(&bytes, &self.blanks)
    }
}

fn broken(error: &ureq::Error) -> Broken {
    match error {
        ureq::Error::Io(error) => broken_io(error),
        ureq::Error::HostNotFound => Broken::Lost("no such host".to_owned()),
        ureq::Error::ConnectionFailed => Broken::Lost("cannot connect".to_owned()),
        ureq::Error::Timeout(when @ (Timeout::Resolve | Timeout::Connect)) => {
            Broken::Lost(format!("no connection in time ({when})"))
        }
        ureq::Error::Timeout(when) => Broken::Late(format!("no answer in time ({when})")),
        ureq::Error::BodyStalled => Broken::Late("the body stopped".to_owned()),
        ureq::Error::Protocol(error) => Broken::Refused(not_http(error)),
        other => Broken::Lost(other_reason(other)),
    }
}

/// An I/O error; ureq's own errors arrive wrapped in one while a body is read.
fn broken_io(error: &std::io::Error) -> Broken {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(inner) => broken(inner),
        None => Broken::Lost(shown_text(&error.to_string(), 200)),
    }
}
