//! An OpenAI-compatible endpoint: chat completions with three images (vLLM, or a gateway before it).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::answer::{self, AnswerError};
use super::completion::{content, model, tokens, usage};
use super::credit::{text_wants_money, wants_money};
use super::{Answer, Judge};
use crate::base::error::{Error, Kind, Result};
use crate::model::ids::Seed;
use crate::model::penalties::AnswerOrigin;
use crate::model::question::Question;
use crate::world::http::{Client, Failure, Request, Response, Retry, Secret, ServerKind, shown_text, shown_url};
use crate::world::stop::stopped;
use crate::world::usage::Meter;

/// How many characters of a model's name are kept: it is committed to git with every duel.
const LONGEST_NAME: usize = 200;

/// The temperature that is asked for: the likeliest answer.
pub(super) const TEMPERATURE: f64 = 0.0;

/// The driver.
#[derive(Debug, Clone)]
pub struct OpenAi {
    client: Client,
    retry: Retry,
    url: String,
    key: Option<Secret>,
    model: String,
    question: Question,
    style: RequestStyle,
    faults: Arc<AtomicU64>,
}

/// Request options that differ between servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStyle {
    /// The bound on an answer's tokens.
    pub tokens: Tokens,
    /// Send the temperature, [`TEMPERATURE`].
    pub temperature: bool,
}

/// The limit on an answer's tokens, by the name of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// `max_tokens`, which most servers read.
    Answer(u32),
    /// `max_completion_tokens`, which includes reasoning; some servers read nothing else.
    Completion(u32),
}

impl OpenAi {
    /// A judge behind `base_url` (up to and including `/v1`). `client` makes single attempts; `retry` says how
    /// often and when.
    #[must_use]
    pub fn new(
        client: Client,
        retry: Retry,
        base_url: &str,
        model: &str,
        question: Question,
        style: RequestStyle,
    ) -> Self {
        OpenAi {
            client: client.hearing_all(),
            retry,
            url: format!("{}/chat/completions", base_url.trim_end_matches('/')),
            key: None,
            model: model.to_owned(),
            question,
            style,
            faults: Arc::default(),
        }
    }

    /// The same judge, asked with a key.
    #[must_use]
    pub fn with_key(mut self, key: Option<Secret>) -> Self {
        self.key = key;
        self
    }

    fn body(&self, seed: Seed, images: [&str; 3]) -> Vec<u8> {
        let [prompt, first, second] = images;
        let question = &self.question;
        let text = |text: &str| json!({"type": "text", "text": text});
        let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let (bound, tokens) = match self.style.tokens {
            Tokens::Answer(tokens) => ("max_tokens", tokens),
            Tokens::Completion(tokens) => ("max_completion_tokens", tokens),
        };
        let mut body = json!({
            "model": self.model,
            "temperature": TEMPERATURE,
            bound: tokens,
            "seed": seed,
            "messages": [
                {"role": "system", "content": question.system},
                {"role": "user", "content": [
                    text(&question.prompt), image(prompt),
                    text(&question.first), image(first),
                    text(&question.second), image(second),
                    text(&question.task),
                ]},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": "penalties", "schema": schema()}},
        });
        if let Some(body) = body.as_object_mut().filter(|_| !self.style.temperature) {
            body.shift_remove("temperature");
        }
        body.to_string().into_bytes()
    }

    /// The model that is asked.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Another address of the same API.
    pub(super) fn sibling(&self, path: &str) -> String {
        format!("{}/{path}", self.url.strip_suffix("/chat/completions").unwrap_or(&self.url))
    }

    /// The request with the key, if there is one.
    pub(super) fn authorized<'r>(&self, request: Request<'r>) -> Request<'r> {
        match &self.key {
            Some(key) => request.bearer(key),
            None => request,
        }
    }

    /// One attempt at a request, with the hints of a refusal.
    pub(super) fn once<T>(
        &self,
        request: &Request<'_>,
        read: impl Fn(&Response) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let answered = self.client.attempt(request, |response| Ok((response.status, read(&response))));
        match answered {
            Ok((_, Ok(value))) => Ok(value),
            Ok((status, Err(failure))) => Err(given_up(&request.shown(), &failure, hint(status, failure.reason()), 1)),
            Err(failure) => Err(given_up(&request.shown(), &failure, None, 1)),
        }
    }

    /// One attempt at a question; also returns the tokens that it took, if the server says so.
    pub(super) fn ask_once(&self, images: [&str; 3]) -> Result<(Answer, Option<u64>)> {
        let request = self.authorized(Request::post_json(self.url.as_str(), self.body(Seed(0), images)));
        let answered = self.client.attempt(&request, |response| {
            let tokens = response.json().ok().as_ref().and_then(tokens);
            Ok(read(&response, self.client.meter()).map(|answer| (answer, tokens)))
        });
        let rejected = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(rejected)) => rejected,
            Err(failure) => Rejected { failure, hint: None, unusable: false },
        };
        Err(given_up(&request.shown(), &rejected.failure, rejected.hint, 1))
    }

    fn attempt(&self, request: &Request<'_>) -> std::result::Result<Answer, Rejected> {
        let unanswered = |failure| Rejected { failure, hint: None, unusable: false };
        self.client.attempt(request, |response| Ok(read(&response, self.client.meter()))).map_err(unanswered)?
    }
}

/// How a judge fails that answers otherwise than it was asked to.
const UNUSABLE: &str = "answers unusably";

/// A failed attempt, and what to do about it.
struct Rejected {
    failure: Failure,
    hint: Option<&'static str>,
    /// It answered, but not as asked.
    unusable: bool,
}

fn read(response: &Response, meter: &Meter) -> std::result::Result<Answer, Rejected> {
    if response.status != 200 {
        return Err(refused(response));
    }
    // The same question may well be answered properly next time; but an account does not top itself up.
    let again = |why: AnswerError| Rejected { hint: why.hint(), failure: Failure::transient(why), unusable: true };
    let completion: Value =
        response.json().map_err(|why| again(AnswerError::NoJson { why, body: response.shown_body() }))?;
    if let Some(tokens) = tokens(&completion) {
        meter.tokens(tokens);
    }
    let raw = content(&completion).map_err(|why| match wants_money(&completion) {
        true => without_money(&why),
        false => again(why),
    })?;
    let shown = shown_text(&response.hide(&raw), 100);
    let read = answer::read(raw, |issues| response.hide(issues));
    let (prompt_tokens, completion_tokens) = usage(&completion);
    let model = model(&completion).map(|name| shown_text(&response.hide(name), LONGEST_NAME));
    let origin = AnswerOrigin { model, attempts: None, prompt_tokens, completion_tokens };
    read.map(|answer| Answer { origin, ..answer }).map_err(|why| {
        let reason = format!("{}: {shown}", response.hide(&why.to_string()));
        Rejected { failure: Failure::transient(reason), hint: None, unusable: true }
    })
}

impl Judge for OpenAi {
    fn name(&self) -> String {
        format!("{} at {}", self.model, shown_url(&self.url))
    }

    fn terms(&self) -> Vec<&str> {
        let mut terms = vec![self.model.as_str()];
        terms.extend(self.question.parts().map(|(_, words)| words));
        // Part of the answer's key: without it, the server's own temperature is used.
        terms.extend((!self.style.temperature).then_some("no temperature"));
        terms
    }

    fn ask(&self, seed: Seed, images: [&str; 3]) -> Result<Answer> {
        let request = self.authorized(Request::post_json(self.url.as_str(), self.body(seed, images)));
        let what = request.shown();
        let mut attempts = 1;
        loop {
            if !self.client.meter().reserve_call() {
                return Err(self.client.blamed(Error::new(Kind::Limit, "the limit of the judge's calls is reached")));
            }
            let rejected = match self.attempt(&request) {
                Ok(mut answer) => {
                    answer.origin.attempts = Some(attempts);
                    return Ok(answer);
                }
                Err(rejected) => rejected,
            };
            self.faults.fetch_add(1, Ordering::Relaxed);
            if matches!(rejected.failure, Failure::Transient { unsent: true, .. }) {
                self.client.meter().return_call();
            }
            match rejected.failure {
                Failure::Stopped => return Err(stopped()),
                Failure::Transient { after, .. } if attempts < self.retry.attempts.max(1) => {
                    // The request's name differs by its images, and so do the retry pauses of parallel calls.
                    let stop = self.client.stop();
                    stop.sleep(self.retry.pause(attempts, after, &images.concat()));
                    stop.check()?;
                    attempts += 1;
                }
                failure => {
                    let given_up = given_up(&what, &failure, rejected.hint, attempts);
                    let manner = rejected.unusable.then_some(UNUSABLE);
                    return Err(self.client.blamed(given_up).of_manner(manner));
                }
            }
        }
    }

    fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// The JSON schema that constrains the answer.
fn schema() -> Value {
    let penalty = json!({"type": "integer", "minimum": 0, "maximum": 10});
    json!({
        "type": "object",
        "properties": {"penalty_1": penalty, "penalty_2": penalty, "issues": {"type": "string"}},
        "required": ["penalty_1", "penalty_2", "issues"],
        "additionalProperties": false,
    })
}

/// The account is out of money.
fn without_money(why: &dyn std::fmt::Display) -> Rejected {
    let failure = Failure::Permanent(format!("the account is out of credit: {why}"));
    Rejected {
        failure,
        hint: Some("top up the judge's account, or raise its limit; it is not asked again"),
        unusable: false,
    }
}

/// A status other than 200: timeouts, conflicts, limits and server errors are transient, all others final.
fn refused(response: &Response) -> Rejected {
    let wants = || response.json().map_or_else(|_| text_wants_money(&response.beginning()), |body| wants_money(&body));
    if response.status == 402 || wants() {
        return without_money(&response.shown());
    }
    let hint = hint(response.status, &response.shown());
    Rejected { hint, failure: response.failure(ServerKind::Judge), unusable: false }
}

fn given_up(what: &str, failure: &Failure, hint: Option<&'static str>, attempts: u32) -> Error {
    let reason = failure.reason();
    let error = Error::outside(match attempts {
        1 => format!("{what}: {reason}"),
        _ => format!("{what}: {reason} ({attempts} attempts)"),
    });
    hint.into_iter().fold(error, Error::hint)
}

/// Does a refusal say that a parameter is not supported at all?
fn refuses(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ["unsupported", "not supported", "unknown", "unexpected", "not permitted", "forbidden"]
        .iter()
        .any(|word| reason.contains(word))
}

/// What to do about a status and the server's message.
fn hint(status: u16, reason: &str) -> Option<&'static str> {
    match status {
        401 | 403 => Some("the key is read from OPENAI_API_KEY, or from the file that OPENAI_API_KEY_FILE names"),
        404 => Some("the base URL ends in /v1, and --model has to be served there"),
        400 | 422 if reason.contains("max_tokens") && refuses(reason) => {
            Some("[judge] max_completion_tokens in gen404.toml is sent instead of max_tokens")
        }
        400 | 422 if reason.contains("temperature") => {
            Some("[judge] send_temperature = false in gen404.toml leaves the temperature to the server")
        }
        500 => Some("vLLM answers so when it cannot fetch an image; --inline-images sends the images themselves"),
        _ => None,
    }
}
