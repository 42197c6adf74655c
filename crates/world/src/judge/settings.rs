//! Which judge to ask: `[judge]` of `gen404.toml`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, RequestStyle, Tokens, USUAL_TOKENS};
use super::images::Images;
use super::openai::{OpenAi, TEMPERATURE};
use super::question;
use super::staged::{self, StageJudge};
use crate::base::error::{Error, Result};
use crate::base::url::{HttpUrl, UrlError};
use crate::http::{Client, HttpLimits, Retry, Secret, shown_url};
use crate::model::question::{Asked, ImageForm};
use crate::model::threejs::words::StageWords;
use crate::usage::{Meter, Service};

/// The settings of the judge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeSettings {
    /// The endpoint, up to and including `/v1`.
    pub base_url: Option<String>,
    /// The model; the competition's format says which one without it.
    pub model: Option<String>,
    /// A file with the question's wording, instead of the built-in one.
    pub question: Option<PathBuf>,
    /// Calls in flight.
    pub concurrency: usize,
    /// Send the images themselves instead of their URLs.
    pub inline_images: bool,
    /// Seconds per attempt.
    pub timeout_seconds: u64,
    /// Attempts per call.
    pub attempts: u32,
    /// The limit on an answer's tokens.
    pub max_tokens: u32,
    /// The same limit under this name, instead of `max_tokens`.
    pub max_completion_tokens: Option<u32>,
    /// Send a temperature of 0: some models accept only their default.
    pub send_temperature: bool,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

/// The models that are asked where none is named: about three images, and in stages.
const MODEL: &str = "zai-org/GLM-4.1V-9B-Thinking";
const STAGES_MODEL: &str = "glm-4.6v-flash";

/// The most calls in flight: more than any server works on at once.
const MOST_CONCURRENT: usize = 1024;

/// Size limit of an answer in bytes: far more than its tokens take.
const LONGEST_ANSWER: u64 = 4 << 20;

impl Default for JudgeSettings {
    fn default() -> Self {
        JudgeSettings {
            base_url: None,
            model: None,
            question: None,
            concurrency: 16,
            inline_images: false,
            timeout_seconds: 60,
            attempts: 5,
            max_tokens: USUAL_TOKENS,
            max_completion_tokens: None,
            send_temperature: true,
            meter: Meter::default(),
        }
    }
}

impl JudgeSettings {
    /// Opens the judge without asking anything yet.
    ///
    /// # Errors
    /// The settings make no sense, or the question cannot be read.
    pub fn open(&self, key: Option<Secret>) -> Result<OpenAi> {
        self.open_asking(&self.asked()?, key)
    }

    /// What is asked by these settings. Answers are compared only if all of it is the same.
    ///
    /// # Errors
    /// The question cannot be read.
    pub fn asked(&self) -> Result<Asked> {
        Ok(Asked {
            model: self.model().to_owned(),
            temperature: self.send_temperature.then_some(TEMPERATURE),
            images: if self.inline_images { ImageForm::Inline } else { ImageForm::Urls },
            question: question::load(self.question.as_deref())?,
        })
    }

    /// What a judge that works in stages is asked by these settings.
    ///
    /// # Errors
    /// The words cannot be read.
    pub fn asked_in_stages(&self) -> Result<Asked<StageWords>> {
        Ok(Asked {
            model: self.stages_model().to_owned(),
            temperature: self.send_temperature.then_some(TEMPERATURE),
            images: if self.inline_images { ImageForm::Inline } else { ImageForm::Urls },
            question: self.stage_words()?,
        })
    }

    /// As [`JudgeSettings::open`], with a question that was read before.
    ///
    /// # Errors
    /// The settings make no sense.
    pub fn open_asking(&self, asked: &Asked, key: Option<Secret>) -> Result<OpenAi> {
        Ok(OpenAi::new(self.endpoint(&asked.model)?, asked.question.clone()).with_key(key))
    }

    /// The model that compares three images.
    #[must_use]
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(MODEL)
    }

    /// Opens a judge that works in stages without asking anything yet.
    ///
    /// # Errors
    /// The settings make no sense.
    pub fn open_stages(&self, words: StageWords, key: Option<Secret>) -> Result<StageJudge> {
        Ok(StageJudge::new(self.endpoint(self.stages_model())?, words).with_key(key))
    }

    /// The model that judges in stages.
    #[must_use]
    pub fn stages_model(&self) -> &str {
        self.model.as_deref().unwrap_or(STAGES_MODEL)
    }

    /// The words in which a judge that works in stages is asked.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn stage_words(&self) -> Result<StageWords> {
        staged::load(self.question.as_deref())
    }

    fn endpoint(&self, model: &str) -> Result<Endpoint> {
        let base = self.base_url.as_deref().ok_or_else(|| {
            let unknown = Error::usage("no judge is named");
            unknown.hint("give OPENAI_BASE_URL=https://host/v1, --judge-url, or [judge] base_url in gen404.toml")
        })?;
        let wrong = |why: UrlError| Error::usage(format!("the judge's URL {}: {why}", shown_url(base)));
        self.check_concurrency()?;
        let retry = Retry { attempts: self.attempts.max(1), ..Retry::default() };
        // Keeping a connection pays off for a TLS handshake, but not for a TCP one alone.
        let client = if HttpUrl::parse(base).map_err(wrong)?.https { Client::new } else { Client::unkept };
        let client = client(HttpLimits { body: LONGEST_ANSWER, ..self.limits() }, Retry::ONCE);
        let client = client.metered(self.meter.of(Service::Judge));
        let tokens = self.max_completion_tokens.map_or(Tokens::Answer(self.max_tokens), Tokens::Completion);
        let style = RequestStyle { tokens, temperature: self.send_temperature };
        Ok(Endpoint::new(client, retry, base, model, style))
    }

    /// Fetches images with this judge's settings.
    #[must_use]
    pub fn images(&self) -> Images {
        let retry = Retry { attempts: self.attempts.max(1), ..Retry::default() };
        Images::new(Client::new(self.limits(), retry).metered(self.meter.of(Service::Images)))
    }

    fn check_concurrency(&self) -> Result<()> {
        if (1..=MOST_CONCURRENT).contains(&self.concurrency) {
            return Ok(());
        }
        Err(Error::usage(format!("{} judge calls in flight: it must be from 1 to {MOST_CONCURRENT}", self.concurrency)))
    }

    fn limits(&self) -> HttpLimits {
        let limits = HttpLimits::default();
        let whole = Duration::from_secs(self.timeout_seconds.max(1));
        // An answer arrives at once after a long silence, so only the limit of the whole attempt applies.
        HttpLimits { whole, connect: limits.connect.min(whole), idle: whole, ..limits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let with = |text: &str| toml::from_str::<JudgeSettings>(text).unwrap().open(None);
        assert!(with("").unwrap_err().hints()[0].contains("OPENAI_BASE_URL"));
        assert!(with("base_url = 'https://x.org/v1'").is_ok());
        for bad in ["base_url = 'x.org/v1'", "base_url = 'https://x.org/v1'\nconcurrency = 0"] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(toml::from_str::<JudgeSettings>("api_key = 'x'").is_err(), "keys come from the environment");
    }
}
