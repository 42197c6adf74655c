//! The miner's program in a running pod: `GET /health`, `POST /generate`.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Endpoint;
use crate::base::error::Result;
use crate::fetch::{FetchedFile, FileSink};
use crate::http::{Broken, Client, HeaderMap, HeaderValue, Incoming, Method, MultipartForm, PhaseLimits, Request};
use crate::model::format::{Format, ModelFormat};
use crate::model::ids::Seed;
use crate::stop::Stop;
use crate::usage::{Meter, Service};

/// The header with the generation time in seconds, for `[pods] reported_times`.
pub(super) const REPORTED: &str = "x-generation-seconds";

/// The longest reported time that is accepted: a day.
const LONGEST_REPORTED: f64 = 86_400.0;

/// The seconds that such a header gives.
pub(super) fn reported_seconds(value: &HeaderValue) -> Option<f64> {
    let seconds: f64 = value.to_str().ok()?.trim().parse().ok()?;
    (0.0..=LONGEST_REPORTED).contains(&seconds).then_some(seconds)
}

/// The limits of requests to a program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProgramLimits {
    /// For the connection of a generation.
    pub connect: Duration,
    /// For sending its request.
    pub send: Duration,
    /// From then until the answer's headers; later ones are not waited for.
    pub headers: Duration,
    /// From then until the body is complete.
    pub body: Duration,
    /// Bytes of the body.
    pub bytes: u64,
    /// For each request of `/health`.
    pub health: Duration,
    /// The required format of the body.
    pub format: ModelFormat,
    /// Use the time in the answer's header `x-generation-seconds`, if it has one.
    pub reported_times: bool,
}

impl Default for ProgramLimits {
    fn default() -> Self {
        ProgramLimits {
            connect: Duration::from_secs(30),
            send: Duration::from_secs(30),
            headers: Duration::from_secs(360),
            body: Duration::from_secs(300),
            bytes: 200 << 20,
            health: Duration::from_secs(30),
            format: Format::default().model(),
            reported_times: false,
        }
    }
}

/// The result of a `/health` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The program accepts prompts.
    Ready,
    /// It does not accept any yet: why.
    NotYet(String),
    /// The gateway in front of it refuses us permanently: waiting does not help.
    Refused(String),
}

/// One generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Seconds from the start of the request to the answer's headers, or to the failure.
    pub seconds: f64,
    /// The model, or why there is none.
    pub outcome: std::result::Result<FetchedFile, ProgramTrouble>,
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramTrouble {
    /// The program answered without a model, or not in time: the miner's fault.
    Program(String),
    /// The program was not reached, or the connection was lost: the prompt goes to another pod.
    Infrastructure(String),
}

/// A running pod's program.
#[derive(Debug, Clone)]
pub struct Program {
    endpoint: Endpoint,
    limits: ProgramLimits,
    prompts: Client,
    probes: Client,
}

impl Program {
    /// The program at this endpoint. Nothing is asked yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, limits: ProgramLimits) -> Self {
        let ProgramLimits { connect, send, headers, body, bytes, health, .. } = limits;
        // A new connection for each request: connecting is part of the measured time.
        let prompts = Client::in_phases(&PhaseLimits { connect, send, headers, body, bytes });
        let probe = PhaseLimits { connect: health, send: health, headers: health, body: health, bytes: 64 << 10 };
        Program { endpoint, limits, prompts, probes: Client::in_phases(&probe) }
    }

    /// The same program; its generations are counted in this meter.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Program { prompts: self.prompts.metered(meter.of(Service::Program)), ..self }
    }

    /// The same program; its requests end with this stop.
    #[must_use]
    pub fn heeding(self, stop: &Stop) -> Self {
        Program { prompts: self.prompts.heeding(stop), probes: self.probes.heeding(stop), ..self }
    }

    /// Is it ready? Status 200 says so, whatever the body.
    #[must_use]
    pub fn health(&self) -> Health {
        self.asked().0
    }

    /// As [`Program::health`]; the second value says whether anything answered.
    #[must_use]
    pub fn asked(&self) -> (Health, bool) {
        let request = self.with_key(Request::get(self.url("health")));
        match self.probes.begin_once(&request) {
            Ok(Incoming { status: 200, .. }) => (Health::Ready, true),
            Ok(Incoming { status: status @ (401 | 403), .. }) => {
                (Health::Refused(format!("/health: status {status}")), true)
            }
            Ok(Incoming { status, .. }) => (Health::NotYet(format!("/health: status {status}")), true),
            Err(broken) => {
                let answered = matches!(broken, Broken::Refused(_));
                (Health::NotYet(format!("/health: {}", broken.reason())), answered)
            }
        }
    }

    /// One generation, into a new file at `into`. `answered` is called once: when the answer's headers have
    /// arrived, or the request has failed. From then on the program is free for the next prompt, while the body
    /// is still being received.
    ///
    /// # Errors
    /// The file cannot be written. Any failure of the other side is an outcome.
    pub fn generate(&self, prompt: &[u8], seed: Seed, into: &Path, answered: &mut dyn FnMut()) -> Result<Generation> {
        // As the reference does: this name and type, whatever the prompt's format.
        let form = MultipartForm::default().file("prompt_image_file", "prompt.jpg", "image/jpeg", prompt);
        let form = form.text("seed", &seed.to_string()).finish();
        let request =
            Request::new(Method::POST, self.url("generate")).header("content-type", MultipartForm::CONTENT_TYPE);
        let request = self.with_key(request.body(form));
        let begun = Instant::now();
        let incoming = self.prompts.begin_once(&request);
        let measured = begun.elapsed().as_secs_f64();
        answered();
        let incoming = match incoming {
            Ok(incoming) => incoming,
            Err(broken) => return Ok(Generation { seconds: measured, outcome: Err(broken.into()) }),
        };
        let seconds = self.reported(&incoming.headers).unwrap_or(measured);
        if incoming.status != 200 {
            return Ok(Generation { seconds, outcome: Err(self.refusal(incoming)) });
        }
        let mut sink = FileSink::create(into, None)?;
        let received = incoming.receive(&mut sink);
        let outcome = sink.finish(received.map_err(ProgramTrouble::from))?.and_then(|fetched| self.checked(fetched));
        Ok(Generation { seconds, outcome })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint.url.trim_end_matches('/'))
    }

    fn with_key<'a>(&self, request: Request<'a>) -> Request<'a> {
        match &self.endpoint.key {
            Some(key) => request.bearer(key),
            None => request,
        }
    }

    fn reported(&self, headers: &HeaderMap) -> Option<f64> {
        headers.get(REPORTED).filter(|_| self.limits.reported_times).and_then(reported_seconds)
    }

    fn checked(&self, fetched: FetchedFile) -> std::result::Result<FetchedFile, ProgramTrouble> {
        match self.limits.format.check(&fetched.head, fetched.size) {
            Ok(()) => Ok(fetched),
            Err(why) => Err(ProgramTrouble::Program(why.to_string())),
        }
    }

    /// Whose fault a status is: the gateway's or the program's.
    fn refusal(&self, incoming: Incoming) -> ProgramTrouble {
        let status = incoming.status;
        // A gateway that takes a key is not part of the program; 520 to 530 come from its network.
        let gate = matches!(status, 401 | 403) && self.endpoint.key.is_some();
        let reason = match incoming.shown_beginning() {
            said if said.is_empty() => format!("status {status}"),
            said => format!("status {status}: {said}"),
        };
        match status {
            502..=504 | 520..=530 => ProgramTrouble::Infrastructure(reason),
            _ if gate => ProgramTrouble::Infrastructure(reason),
            _ => ProgramTrouble::Program(reason),
        }
    }
}

impl From<Broken> for ProgramTrouble {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Lost(reason) | Broken::Unwritten(reason) => ProgramTrouble::Infrastructure(reason),
            Broken::Late(reason) | Broken::Refused(reason) => ProgramTrouble::Program(reason),
        }
    }
}
