//! An OpenAI-compatible endpoint: chat completions with images (vLLM, or a gateway before it).
//!
//! What is asked is a [`Chat`], whatever the format of the competition: the words and images of the one user message,
//! the schema of the answer, and how further attempts differ. Retries, limits and messages are the same for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::Answer;
use super::answer::AnswerError;
use super::completion::{content, model, tokens, usage};
use super::credit::{text_wants_money, wants_money};
use crate::base::error::{Error, Kind, Result};
use crate::http::{Client, Failure, Request, Response, Retry, Secret, ServerKind, shown_text, shown_url};
use crate::model::penalties::AnswerOrigin;
use crate::stop::stopped;
use crate::usage::Meter;

/// How many characters of a model's name are kept: it is committed to git with every duel.
const LONGEST_NAME: usize = 200;

/// The setting of the limit on an answer's tokens where none is given.
pub(super) const USUAL_TOKENS: u32 = 1024;

/// Request options that differ between servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestStyle {
    /// The bound on an answer's tokens.
    pub(super) tokens: Tokens,
    /// Send the temperature.
    pub(super) temperature: bool,
}

/// The limit on an answer's tokens, by the name of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    /// `max_tokens`, which most servers read.
    Answer(u32),
    /// `max_completion_tokens`, which includes reasoning; some servers read nothing else.
    Completion(u32),
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Words.
    Text(&'a str),
    /// An image, by its http(s) or data URL.
    Image(&'a str),
}

/// How a question is put again after an answer that is otherwise than asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// As it was, within the attempts of the settings.
    Same,
    /// With another seed and a higher temperature ([`Variation`]), so many attempts in all. What fails before it is
    /// answered is put again as it was: an answer does not depend on the network.
    Varied(u32),
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Chat<'a> {
    /// Who the judge is.
    pub(super) system: &'a str,
    /// The user's message.
    pub(super) content: Vec<Part<'a>>,
    /// The name of the answer's schema, and the schema.
    pub(super) schema: (String, Value),
    /// The first attempt's seed.
    pub(super) seed: u64,
    /// The most tokens of the answer, where the settings' limit is not the one.
    pub(super) tokens: Option<u32>,
    /// How it is put again.
    pub(super) again: Again,
}

/// Which of the varied attempts it is, from 0.
#[derive(Debug, Clone, Copy, Default)]
struct Variation(u32);

impl Variation {
    /// 0 at first: the likeliest answer; then 0.15, and 0.05 more each time.
    fn temperature(self) -> f64 {
        if self.0 == 0 { 0.0 } else { f64::from(10 + 5 * self.0) / 100.0 }
    }
}

/// An answer that is otherwise than asked: why, and what to do about it.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) why: String,
    pub(super) hint: Option<&'static str>,
}

/// The endpoint.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    client: Client,
    retry: Retry,
    url: String,
    key: Option<Secret>,
    model: String,
    style: RequestStyle,
    faults: Arc<AtomicU64>,
}

impl Endpoint {
    /// Behind `base_url` (up to and including `/v1`). `client` makes single attempts; `retry` says how often and when.
    pub(super) fn new(client: Client, retry: Retry, base_url: &str, model: &str, style: RequestStyle) -> Self {
        Endpoint {
            client: client.hearing_all(),
            retry,
            url: format!("{}/chat/completions", base_url.trim_end_matches('/')),
            key: None,
            model: model.to_owned(),
            style,
            faults: Arc::default(),
        }
    }

    /// The same endpoint, asked with a key.
    pub(super) fn with_key(mut self, key: Option<Secret>) -> Self {
        self.key = key;
        self
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.model, shown_url(&self.url))
    }

    /// The model that is asked.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Is the temperature left to the server?
    pub(super) fn leaves_temperature(&self) -> bool {
        !self.style.temperature
    }

    /// The number of failed attempts so far.
    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
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
    pub(super) fn ask_once<T>(&self, chat: &Chat<'_>, read: Reading<'_, T>) -> Result<(Answer<T>, Option<u64>)> {
        let request = self.request(chat, Variation(0));
        let answered = self.client.attempt(&request, |response| {
            let tokens = response.json().ok().as_ref().and_then(tokens);
            Ok(self.read(&response, read).map(|answer| (answer, tokens)))
        });
        let rejected = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(rejected)) => rejected,
            Err(failure) => Rejected { failure, hint: None, unusable: false },
        };
        Err(given_up(&request.shown(), &rejected.failure, rejected.hint, 1))
    }

    /// Asks until there is an answer. `read` parses the judge's text.
    ///
    /// # Errors
    /// No valid answer after all attempts, or a refusal that no further attempt changes.
    pub(super) fn ask<T>(&self, chat: &Chat<'_>, read: Reading<'_, T>) -> Result<Answer<T>> {
        let (mut attempts, mut failed, mut variation) = (1, 0, Variation(0));
        loop {
            let request = self.request(chat, variation);
            if !self.client.meter().reserve_call() {
                return Err(self.client.blamed(Error::new(Kind::Limit, "the limit of the judge's calls is reached")));
            }
            let rejected = match self.attempt(&request, read) {
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
            let tried_out = match chat.again {
                Again::Varied(most) if rejected.unusable => {
                    variation.0 += 1;
                    variation.0 >= most
                }
                _ => {
                    failed += 1;
                    failed >= self.retry.attempts.max(1)
                }
            };
            match rejected.failure {
                Failure::Stopped => return Err(stopped()),
                Failure::Transient { after, .. } if !tried_out => {
                    let stop = self.client.stop();
                    stop.sleep(self.retry.pause(attempts, after, &images(chat)));
                    stop.check()?;
                    attempts += 1;
                }
                failure => {
                    let given_up = given_up(&request.shown(), &failure, rejected.hint, attempts);
                    let manner = rejected.unusable.then_some(UNUSABLE);
                    return Err(self.client.blamed(given_up).of_manner(manner));
                }
            }
        }
    }

    fn request(&self, chat: &Chat<'_>, variation: Variation) -> Request<'static> {
        self.authorized(Request::post_json(self.url.clone(), self.body(chat, variation)))
    }

    fn body(&self, chat: &Chat<'_>, variation: Variation) -> Vec<u8> {
        let content = chat.content.iter().map(|part| match part {
            Part::Text(text) => json!({"type": "text", "text": text}),
            Part::Image(url) => json!({"type": "image_url", "image_url": {"url": url}}),
        });
        let (bound, tokens) = match self.style.tokens {
            Tokens::Answer(tokens) => ("max_tokens", bounded(chat.tokens, tokens)),
            Tokens::Completion(tokens) => ("max_completion_tokens", bounded(chat.tokens, tokens)),
        };
        let (name, schema) = &chat.schema;
        let mut body = json!({
            "model": self.model,
            "temperature": variation.temperature(),
            bound: tokens,
            "seed": chat.seed + u64::from(variation.0),
            "messages": [
                {"role": "system", "content": chat.system},
                {"role": "user", "content": content.collect::<Vec<_>>()},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": name, "schema": schema}},
        });
        if let Some(body) = body.as_object_mut().filter(|_| !self.style.temperature) {
            body.shift_remove("temperature");
        }
        body.to_string().into_bytes()
    }

    fn attempt<T>(&self, request: &Request<'_>, read: Reading<'_, T>) -> std::result::Result<Answer<T>, Rejected> {
        let unanswered = |failure| Rejected { failure, hint: None, unusable: false };
        self.client.attempt(request, |response| Ok(self.read(&response, read))).map_err(unanswered)?
    }

    fn read<T>(&self, response: &Response, read: Reading<'_, T>) -> std::result::Result<Answer<T>, Rejected> {
        if response.status != 200 {
            return Err(refused(response));
        }
        let meter: &Meter = self.client.meter();
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
        let read = read(raw, &|text| response.hide(text));
        let (prompt_tokens, completion_tokens) = usage(&completion);
        let model = model(&completion).map(|name| shown_text(&response.hide(name), LONGEST_NAME));
        let origin = AnswerOrigin { model, attempts: None, prompt_tokens, completion_tokens };
        read.map(|answer| Answer { origin, ..answer }).map_err(|Unusable { why, hint }| {
            let reason = format!("{}: {shown}", response.hide(&why));
            Rejected { failure: Failure::transient(reason), hint, unusable: true }
        })
    }
}

/// Parses the judge's text; the second argument blanks out what must not be kept. How the answer was obtained is left
/// to the caller.
pub(super) type Reading<'r, T> =
    &'r dyn Fn(String, &dyn Fn(&str) -> String) -> std::result::Result<Answer<T>, Unusable>;

/// A call's own limit on tokens. A setting that was raised beats it: reasoning needs more than any answer.
fn bounded(own: Option<u32>, setting: u32) -> u32 {
    own.map_or(setting, |own| if setting > USUAL_TOKENS { own.max(setting) } else { own })
}

/// The requests of parallel calls differ by their images, and so do the pauses before they are repeated.
fn images(chat: &Chat<'_>) -> String {
    let of = |part: &Part<'_>| match part {
        Part::Image(url) => Some((*url).to_owned()),
        Part::Text(_) => None,
    };
    chat.content.iter().filter_map(of).collect()
}

/// How a judge fails that answers otherwise than it was asked to.
const UNUSABLE: &str = "answers unusably";

/// Did the judge answer each time, but never as it was asked to?
pub(super) fn is_unusable(error: &Error) -> bool {
    error.manner() == Some(UNUSABLE)
}

/// A failed attempt, and what to do about it.
struct Rejected {
    failure: Failure,
    hint: Option<&'static str>,
    /// It answered, but not as asked.
    unusable: bool,
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
