//! A judge that works in stages: the same endpoint, asked in other words about other images.
//!
//! `words.toml` has our wording, `schema` the JSON schema of each form of answer. [`StageBench`] combines the judge with
//! the journal and the images, as [`Bench`](super::Bench) does.

mod schema;
#[cfg(test)]
#[allow(dead_code, reason = "tests of the engine, which name the file, use more of it")]
mod stand_in;
mod wording;

use sha2::{Digest as _, Sha256};

pub(super) use self::wording::load;
use super::Answer;
use super::endpoint::{Again, Chat, Endpoint, Part, Unusable, is_unusable};
use super::images::{DuelImage, Images};
use super::journal::{AnswerJournal, QuestionKey};
use crate::base::error::{Error, Result};
use crate::base::hex;
use crate::http::Secret;
use crate::model::answers::Digest;
use crate::model::penalties::AnswerOrigin;
use crate::model::threejs::asked::{Form, StageAnswer, Topic};
use crate::model::threejs::view::View;
use crate::model::threejs::words::{CallWords, StageWords};

/// A question: what is asked about which images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageQuestion {
    /// What is asked.
    pub topic: Topic,
    /// The label after which the answer's schema is named.
    pub label: &'static str,
    /// The view that the words name.
    pub view: Option<View>,
    /// The images, in order.
    pub images: Vec<DuelImage>,
    /// The first attempt's seed.
    pub seed: u64,
    /// The most tokens of the answer.
    pub tokens: u32,
    /// How many answers may be otherwise than asked.
    pub attempts: u32,
    /// The form of the answer.
    pub form: Form,
}

/// The judge.
#[derive(Debug)]
pub struct StageJudge {
    endpoint: Endpoint,
    words: StageWords,
}

impl StageJudge {
    /// A judge at this endpoint, asked in these words.
    pub(super) fn new(endpoint: Endpoint, words: StageWords) -> Self {
        StageJudge { endpoint, words }
    }

    /// The same judge, asked with a key.
    #[must_use]
    pub fn with_key(self, key: Option<Secret>) -> Self {
        StageJudge { endpoint: self.endpoint.with_key(key), ..self }
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> String {
        self.endpoint.name()
    }

    /// The number of failed attempts so far.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.endpoint.faults()
    }

    /// Asks about these images, each an http(s) or data URL.
    ///
    /// # Errors
    /// No valid answer after all attempts. A form that decides nothing may stay without one, unless the endpoint fails.
    pub fn ask(&self, question: &StageQuestion, images: &[String]) -> Result<Answer<StageAnswer>> {
        let form = &question.form;
        let answered =
            self.with_chat(question, images, |chat| self.endpoint.ask(chat, &|raw, hide| read(form, &raw, hide)));
        match (answered, form.without_answer()) {
            (Err(error), Some(said)) if is_unusable(&error) => {
                let origin = AnswerOrigin { attempts: Some(question.attempts), ..AnswerOrigin::default() };
                Ok(Answer { raw: text_of(&said), said, origin })
            }
            (answered, _) => answered,
        }
    }

    /// One attempt at a question; also returns the tokens that it took, if the server says so.
    pub(super) fn ask_once(
        &self,
        question: &StageQuestion,
        images: &[String],
    ) -> Result<(Answer<StageAnswer>, Option<u64>)> {
        let form = &question.form;
        self.with_chat(question, images, |chat| self.endpoint.ask_once(chat, &|raw, hide| read(form, &raw, hide)))
    }

    /// Where it is asked.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Words a question.
    fn with_chat<T>(
        &self,
        question: &StageQuestion,
        images: &[String],
        ask: impl FnOnce(&Chat<'_>) -> Result<T>,
    ) -> Result<T> {
        let CallWords { captions, task } = self.words.of(question.topic, question.view, &question.form);
        if captions.len() != images.len() {
            let (have, need) = (images.len(), captions.len());
            return Err(Error::failed(format!("{}: {have} images, but words for {need}", question.label)));
        }
        let mut content = Vec::new();
        for (caption, image) in captions.iter().zip(images) {
            content.extend([Part::Text(caption), Part::Image(image)]);
        }
        content.push(Part::Text(&task));
        ask(&Chat {
            system: &self.words.system,
            content,
            schema: (format!("{}-response", question.label), schema::of(&question.form)),
            seed: question.seed,
            tokens: Some(question.tokens),
            again: Again::Varied(question.attempts),
        })
    }
}

/// The answer in the judge's text. It is kept in its own form: what was asked for, without anything to hide.
fn read(form: &Form, raw: &str, hide: &dyn Fn(&str) -> String) -> std::result::Result<Answer<StageAnswer>, Unusable> {
    let unusable = |why: String| Unusable { why: format!("the answer is not the JSON asked for: {why}"), hint: None };
    let said = form.read(&hide(raw)).map_err(|why| unusable(why.to_string()))?;
    Ok(Answer { raw: text_of(&said), said, origin: AnswerOrigin::default() })
}

/// An answer as it is kept.
fn text_of(said: &StageAnswer) -> String {
    // Strings, numbers and lists: nothing that JSON could not hold.
    serde_json::to_string(said).unwrap_or_default()
}

/// Is this text an answer, of whatever form?
#[must_use]
pub fn is_answer(kept: &str) -> bool {
    kept.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(kept).is_ok()
}

/// An answer with the digests of its images, as far as their bytes are on record or were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownStage {
    /// The answer.
    pub answer: Answer<StageAnswer>,
    /// The images' digests.
    pub images: Vec<Option<Digest>>,
}

/// The judge and its journal: an answered question is not asked again.
#[derive(Debug)]
pub struct StageBench {
    /// The judge.
    pub judge: StageJudge,
    /// The answers so far.
    pub journal: AnswerJournal,
    /// Fetches images that are sent inline.
    pub images: Images,
    /// Send the images themselves instead of their URLs.
    pub inline: bool,
}

impl StageBench {
    /// The answer to a question: a kept one, or the judge's.
    ///
    /// # Errors
    /// The judge fails permanently, an image cannot be fetched, or the journal cannot be written.
    pub fn answer(&self, question: &StageQuestion) -> Result<ShownStage> {
        let images = &question.images;
        let digests: Vec<Option<Digest>> =
            images.iter().map(|image| self.images.digest(image, self.inline)).collect::<Result<_>>()?;
        let key = self.key(question, &digests);
        let read = |kept: &str| question.form.recall(kept).ok();
        let answer = self.journal.answer(&key, read, || {
            let urls: Vec<String> =
                images.iter().map(|image| self.images.shown(image, self.inline)).collect::<Result<_>>()?;
            self.judge.ask(question, &urls)
        })?;
        Ok(ShownStage { answer, images: digests })
    }

    /// The kept answer to a question, if there is one: images count as they are given, and nothing is fetched.
    #[must_use]
    pub fn kept(&self, question: &StageQuestion) -> Option<StageAnswer> {
        let digests: Vec<Option<Digest>> = question.images.iter().map(|image| image.sha256).collect();
        let kept = self.journal.kept(&self.key(question, &digests))?;
        question.form.recall(&kept).ok()
    }

    /// The key of the answer: everything that it depends on. An image whose checksum is known is identified by it,
    /// others by their URL.
    fn key(&self, question: &StageQuestion, digests: &[Option<Digest>]) -> QuestionKey {
        let StageJudge { endpoint, words } = &self.judge;
        let CallWords { captions, task } = words.of(question.topic, question.view, &question.form);
        let mut hasher = Sha256::new();
        let mut add = |text: &str| {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        };
        add("gen404-stages-v1");
        add(endpoint.model());
        add(if endpoint.leaves_temperature() { "no temperature" } else { "temperature" });
        add(question.label);
        add(&question.seed.to_string());
        add(&words.system);
        captions.iter().for_each(|caption| add(caption));
        add(&task);
        for (image, digest) in question.images.iter().zip(digests) {
            add(&digest.map_or_else(|| format!("url:{}", image.url), |digest| format!("sha256:{digest}")));
        }
        QuestionKey(hex::encode(hasher.finalize()))
    }
}

#[cfg(test)]
mod tests;
