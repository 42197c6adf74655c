//! A miner's program that generates whole batches of prompts: `GET /health`, `GET /status`, `POST /generate`,
//! `GET /results`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Endpoint;
use super::program::{REPORTED, reported_seconds};
use crate::base::error::{Kind, Result};
use crate::http::{Client, Failure, HttpLimits, Request, Response, Retry, shown_text};
use crate::model::ids::{PromptStem, Seed};
use crate::stop::Stop;
use crate::usage::{Meter, Service};

/// The most bytes of an answer that is not a batch.
const ANSWER: u64 = 64 << 10;

/// The most bytes of what a program says when it asks for another pod.
const LONGEST_PAYLOAD: usize = 4096;

/// The longest text of a program that is shown, in characters.
const LONGEST_SHOWN: usize = 200;

/// How calls to a batch pod are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchPolicy {
    /// Attempts at `/generate` and `/results`.
    pub attempts: u32,
    /// The pause after the first failed attempt; it doubles each time.
    pub pause: Duration,
    /// For a connection.
    pub connect: Duration,
    /// For each request of `/health` and `/status`.
    pub probe: Duration,
    /// For each attempt at `/generate`.
    pub submit: Duration,
    /// For each attempt at `/results`.
    pub results: Duration,
    /// The most bytes of a batch's archive.
    pub archive: u64,
    /// Take a batch's time from the header `x-generation-seconds` of its results, if there is one.
    pub reported_times: bool,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        BatchPolicy {
            attempts: 5,
            pause: Duration::from_secs(2),
            connect: Duration::from_secs(30),
            probe: Duration::from_secs(30),
            submit: Duration::from_secs(60),
            results: Duration::from_secs(180),
            archive: 64 << 20,
            reported_times: false,
        }
    }
}

/// A prompt of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPrompt {
    /// Its stem.
    pub stem: PromptStem,
    /// Its image.
    pub image_url: String,
}

/// What a program is doing, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// It is starting.
    WarmingUp,
    /// It takes a batch.
    Ready,
    /// It works on one.
    Generating,
    /// The batch's results are there.
    Complete,
    /// It asks for another pod.
    Replace,
}

/// An answer of `/status`.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusAnswer {
    /// What the program is doing.
    pub status: BatchStatus,
    /// What it says when it asks for another pod.
    pub payload: Option<Value>,
}

/// What came of handing over a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The program works on it, or has it already.
    Accepted,
    /// It still works on another batch: try again later.
    Busy(String),
    /// It does not take it.
    Refused(String),
}

/// What came of fetching a batch's results.
#[derive(Debug, Clone, PartialEq)]
pub enum Results {
    /// The archive, and the seconds that the program reports, if these are wanted.
    Archive(Vec<u8>, Option<f64>),
    /// They are not complete after all.
    NotYet(String),
    /// They cannot be fetched.
    Failed(String),
}

#[derive(Deserialize)]
struct StatusBody {
    status: BatchStatus,
    #[serde(default)]
    payload: Option<Value>,
}

/// A batch pod's program.
#[derive(Debug, Clone)]
pub struct BatchProgram {
    endpoint: Endpoint,
    policy: BatchPolicy,
    probes: Client,
    submits: Client,
    results: Client,
}

impl BatchProgram {
    /// The program at this endpoint. Nothing is asked yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, policy: BatchPolicy) -> Self {
        let limits = |whole: Duration, body| HttpLimits {
            connect: policy.connect.min(whole),
            idle: whole,
            whole,
            body,
            ..HttpLimits::default()
        };
        let retry = Retry { attempts: policy.attempts.max(1), first_pause: policy.pause, ..Retry::default() };
        let client = |whole, body, retry| Client::unkept(limits(whole, body), retry).unredirected().hearing_all();
        BatchProgram {
            endpoint,
            policy,
            probes: client(policy.probe, ANSWER, Retry::ONCE),
            submits: client(policy.submit, ANSWER, retry),
            results: client(policy.results, policy.archive, retry),
        }
    }

    /// The same program; its batches are counted in this meter.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        let meter = meter.of(Service::Program);
        BatchProgram { submits: self.submits.metered(meter.clone()), results: self.results.metered(meter), ..self }
    }

    /// The same program; its requests end with this stop.
    #[must_use]
    pub fn heeding(self, stop: &Stop) -> Self {
        let (probes, submits) = (self.probes.heeding(stop), self.submits.heeding(stop));
        BatchProgram { probes, submits, results: self.results.heeding(stop), ..self }
    }

    /// Is it up? Otherwise, why not.
    ///
    /// # Errors
    /// Status 200 did not come back.
    pub fn health(&self) -> std::result::Result<(), String> {
        let request = self.request(Request::get(self.url("health")));
        match self.probes.send(&request) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("/health: status {}", answer.status)),
            Err(error) => Err(shown_text(&error.to_string(), LONGEST_SHOWN)),
        }
    }

    /// What it is doing. It is told how often it may still be replaced.
    ///
    /// # Errors
    /// Why there is no answer, or none that makes sense.
    pub fn status(&self, replacements_remaining: u32) -> std::result::Result<StatusAnswer, String> {
        let url = format!("{}?replacements_remaining={replacements_remaining}", self.url("status"));
        let answer = self.probes.send(&self.request(Request::get(url)));
        let answer = answer.map_err(|error| shown_text(&error.to_string(), LONGEST_SHOWN))?;
        if answer.status != 200 {
            return Err(format!("/status: status {}", answer.status));
        }
        let body: StatusBody = answer.json().map_err(|why| format!("/status: {why}"))?;
        Ok(StatusAnswer { status: body.status, payload: body.payload.filter(is_kept) })
    }

    /// Hands over a batch. A program that has it already does not begin again.
    ///
    /// # Errors
    /// A stop was requested.
    pub fn submit(&self, prompts: &[BatchPrompt], seed: Seed) -> Result<Submitted> {
        let body = json!({"prompts": prompts, "seed": seed}).to_string().into_bytes();
        let request = self.request(Request::post_json(self.url("generate"), body)).repeatable();
        let sent = self.submits.send_checked(&request, |answer| match answer.status {
            200 => Ok(Submitted::Accepted),
            409 => Ok(Submitted::Busy(said(&answer))),
            _ => Err(failed(&answer)),
        });
        match sent {
            Err(error) if self.submits.stop().is_wanted() => Err(error),
            Err(error) if error.kind() == Kind::Outside => {
                Ok(Submitted::Refused(shown_text(&error.to_string(), LONGEST_SHOWN)))
            }
            sent => sent,
        }
    }

    /// Fetches the results of the batch that is complete: the same archive each time.
    ///
    /// # Errors
    /// A stop was requested.
    pub fn results(&self) -> Result<Results> {
        let request = self.request(Request::get(self.url("results")));
        let fetched = self.results.send_checked(&request, |answer| match answer.status {
            200 => {
                let seconds = answer.headers.get(REPORTED).filter(|_| self.policy.reported_times);
                let seconds = seconds.and_then(reported_seconds);
                Ok(Results::Archive(answer.into_bytes(), seconds))
            }
            409 => Ok(Results::NotYet(said(&answer))),
            _ => Err(failed(&answer)),
        });
        match fetched {
            Err(error) if self.results.stop().is_wanted() => Err(error),
            Err(error) if error.kind() == Kind::Outside => {
                Ok(Results::Failed(shown_text(&error.to_string(), LONGEST_SHOWN)))
            }
            fetched => fetched,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint.url.trim_end_matches('/'))
    }

    fn request<'a>(&self, request: Request<'a>) -> Request<'a> {
        match &self.endpoint.key {
            Some(key) => request.bearer(key),
            None => request,
        }
    }
}

/// Is what a program says short enough to be recorded?
fn is_kept(payload: &Value) -> bool {
    !payload.is_null() && payload.to_string().len() <= LONGEST_PAYLOAD
}

fn said(answer: &Response) -> String {
    shown_text(&answer.shown(), LONGEST_SHOWN)
}

/// A refusal as a failed attempt: gateways of pods answer 400 and 430 as well while a program is starting.
fn failed(answer: &Response) -> Failure {
    match answer.status {
        400 | 429 | 430 | 500.. => Failure::transient(said(answer)),
        _ => Failure::Permanent(said(answer)),
    }
}
