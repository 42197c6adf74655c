//! The judge of a competition that shows it three images at a time: the prompt and two previews.

use serde_json::{Value, json};

use super::answer;
use super::endpoint::{Again, Chat, Endpoint, Part, Unusable};
use super::{Answer, Judge};
use crate::base::error::Result;
use crate::http::Secret;
use crate::model::ids::Seed;
use crate::model::question::{Question, Words as _};

/// The temperature that is asked for: the likeliest answer.
pub(super) const TEMPERATURE: f64 = 0.0;

/// The driver.
#[derive(Debug, Clone)]
pub struct OpenAi {
    endpoint: Endpoint,
    question: Question,
}

impl OpenAi {
    /// A judge at this endpoint.
    pub(super) fn new(endpoint: Endpoint, question: Question) -> Self {
        OpenAi { endpoint, question }
    }

    /// The same judge, asked with a key.
    #[must_use]
    pub fn with_key(self, key: Option<Secret>) -> Self {
        OpenAi { endpoint: self.endpoint.with_key(key), ..self }
    }

    fn chat<'a>(&'a self, seed: Seed, [prompt, first, second]: [&'a str; 3]) -> Chat<'a> {
        let question = &self.question;
        let content = vec![
            Part::Text(&question.prompt),
            Part::Image(prompt),
            Part::Text(&question.first),
            Part::Image(first),
            Part::Text(&question.second),
            Part::Image(second),
            Part::Text(&question.task),
        ];
        Chat {
            system: &question.system,
            content,
            schema: ("penalties".to_owned(), schema()),
            seed: u64::from(seed.0),
            tokens: None,
            again: Again::Same,
        }
    }

    /// Where it is asked.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// One attempt at a question; also returns the tokens that it took, if the server says so.
    pub(super) fn ask_once(&self, images: [&str; 3]) -> Result<(Answer, Option<u64>)> {
        self.endpoint.ask_once(&self.chat(Seed(0), images), &read)
    }
}

fn read(raw: String, hide: &dyn Fn(&str) -> String) -> std::result::Result<Answer, Unusable> {
    answer::read(raw, hide).map_err(|why| Unusable { why: why.to_string(), hint: None })
}

impl Judge for OpenAi {
    fn name(&self) -> String {
        self.endpoint.name()
    }

    fn terms(&self) -> Vec<&str> {
        let mut terms = vec![self.endpoint.model()];
        terms.extend(self.question.parts().into_iter().map(|(_, words)| words));
        // Part of the answer's key: without it, the server's own temperature is used.
        terms.extend(self.endpoint.leaves_temperature().then_some("no temperature"));
        terms
    }

    fn ask(&self, seed: Seed, images: [&str; 3]) -> Result<Answer> {
        self.endpoint.ask(&self.chat(seed, images), &read)
    }

    fn faults(&self) -> u64 {
        self.endpoint.faults()
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
