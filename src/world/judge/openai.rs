//! An OpenAI-compatible endpoint: chat completions with three images (vLLM, or a gateway before it).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::answer;
use super::question::Question;
use super::{Answer, Judge};
use crate::error::{Error, Result};
use crate::state::ids::Seed;
use crate::world::http::{Client, Failure, Request, Response, Retry, Secret, shown_text, shown_url};
use crate::world::stop::stopped;

/// The driver.
#[derive(Debug, Clone)]
pub struct OpenAi {
    client: Client,
    retry: Retry,
    url: String,
    key: Option<Secret>,
    model: String,
    question: Question,
    max_tokens: u32,
    faults: Arc<AtomicU64>,
}

impl OpenAi {
    /// A judge behind `base_url` (up to and with `/v1`). `client` makes single attempts; `retry` says
    /// how often and when.
    #[must_use]
    pub fn new(client: Client, retry: Retry, base_url: &str, model: &str, question: Question, max_tokens: u32) -> Self {
        OpenAi {
            client,
            retry,
            url: format!("{}/chat/completions", base_url.trim_end_matches('/')),
            key: None,
            model: model.to_owned(),
            question,
            max_tokens,
            faults: Arc::default(),
        }
    }

    /// The same, with a key.
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
        let body = json!({
            "model": self.model,
            "temperature": 0.0,
            "max_tokens": self.max_tokens,
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
        body.to_string().into_bytes()
    }

    fn attempt(&self, request: &Request<'_>) -> std::result::Result<Answer, Failure> {
        self.client.attempt(request, |response| {
            if response.status != 200 {
                return Err(refusal(&response));
            }
            // The same question may well be answered properly the next time.
            let completion = response.json().map_err(|why| format!("the answer is no JSON: {why}"));
            let raw = completion.and_then(|completion| answer::content(&completion)).map_err(Failure::transient)?;
            let shown = shown_text(&response.hide(&raw), 100);
            let read = answer::read(raw, |issues| response.hide(issues));
            read.map_err(|why| Failure::transient(format!("{}: {shown}", response.hide(&why))))
        })
    }
}

impl Judge for OpenAi {
    fn name(&self) -> String {
        format!("{} at {}", self.model, shown_url(&self.url))
    }

    fn terms(&self) -> Vec<&str> {
        let mut terms = vec![self.model.as_str()];
        terms.extend(self.question.parts());
        terms
    }

    fn ask(&self, seed: Seed, images: [&str; 3]) -> Result<Answer> {
        let mut request = Request::post_json(self.url.as_str(), self.body(seed, images));
        if let Some(key) = &self.key {
            request = request.bearer(key);
        }
        let what = request.shown();
        let mut attempts = 1;
        loop {
            let failure = match self.attempt(&request) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.faults.fetch_add(1, Ordering::Relaxed);
            match failure {
                Failure::Stopped => return Err(stopped()),
                Failure::Transient { after, .. } if attempts < self.retry.attempts.max(1) => {
                    // The three images make each call's pause its own.
                    let stop = self.client.stop();
                    stop.sleep(self.retry.pause(attempts, after, &images.concat()));
                    stop.check()?;
                    attempts += 1;
                }
                failure => return Err(given_up(&what, &failure, attempts)),
            }
        }
    }

    fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// What the server's grammar holds the answer to.
fn schema() -> Value {
    let penalty = json!({"type": "integer", "minimum": 0, "maximum": 10});
    json!({
        "type": "object",
        "properties": {"penalty_1": penalty, "penalty_2": penalty, "issues": {"type": "string"}},
        "required": ["penalty_1", "penalty_2", "issues"],
        "additionalProperties": false,
    })
}

/// A status other than 200, 429 and 5xx: timeouts and conflicts pass, the rest is an answer.
fn refusal(response: &Response) -> Failure {
    let reason = format!("status {}: {}", response.status, response.shown_body());
    if matches!(response.status, 408 | 409) { Failure::transient(reason) } else { Failure::Permanent(reason) }
}

fn given_up(what: &str, failure: &Failure, attempts: u32) -> Error {
    let reason = failure.reason();
    let error = Error::outside(match attempts {
        1 => format!("{what}: {reason}"),
        _ => format!("{what}: {reason} ({attempts} attempts)"),
    });
    match reason {
        _ if reason.starts_with("status 401") || reason.starts_with("status 403") => {
            error.hint("the key is read from OPENAI_API_KEY, or from the file that OPENAI_API_KEY_FILE names")
        }
        _ if reason.starts_with("status 404") => {
            error.hint("the base URL ends in /v1, and --model has to be served there")
        }
        _ if reason.starts_with("status 500") => {
            error.hint("vLLM answers so when it cannot fetch an image; --inline-images sends the images themselves")
        }
        _ => error,
    }
}
