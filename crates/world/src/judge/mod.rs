//! The judge: a vision model that compares two previews with a prompt (DESIGN 4.4, 7).
//!
//! `endpoint` asks, whatever is asked; `completion` and [`answer`] parse what it says, `credit` knows an account without
//! money, [`question`] holds the wording, [`journal`] keeps every answer, and [`images`] fetches what is to be shown.
//! [`openai`] asks about three images at a time, and [`Bench`] combines it with the others; [`staged`] does so for a judge
//! that works in stages.

pub mod answer;
mod completion;
mod credit;
mod endpoint;
pub mod images;
pub mod journal;
pub mod openai;
mod question;
pub mod settings;
pub mod staged;
pub mod trial;

use std::fmt;

use sha2::{Digest as _, Sha256};

use self::images::{DuelImage, Images};
use self::journal::{AnswerJournal, QuestionKey};
use crate::base::error::Result;
use crate::base::hex;
use crate::model::answers::Digest;
use crate::model::ids::Seed;
use crate::model::penalties::{AnswerOrigin, Penalties};

/// A judge's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T = Penalties> {
    /// Its text as received.
    pub raw: String,
    /// What the text says.
    pub said: T,
    /// How it was obtained.
    pub origin: AnswerOrigin,
}

/// An answer with the digests of the images that it is about, as far as their bytes are on record or were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownAnswer {
    /// The answer.
    pub answer: Answer,
    /// The prompt's, the first and the second preview's digest.
    pub images: [Option<Digest>; 3],
}

/// A judge of models. Many threads may ask at the same time.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Its name in messages.
    fn name(&self) -> String;

    /// Everything that an answer depends on besides seed and images: the model, the question's wording.
    fn terms(&self) -> Vec<&str>;

    /// Asks about the prompt, the first and the second preview, each an http(s) or data URL.
    ///
    /// # Errors
    /// No valid answer after all attempts.
    fn ask(&self, seed: Seed, images: [&str; 3]) -> Result<Answer>;

    /// The number of failed attempts so far.
    fn faults(&self) -> u64;
}

/// The judge and its journal: an answered question is not asked again.
#[derive(Debug)]
pub struct Bench {
    /// The judge.
    pub judge: Box<dyn Judge>,
    /// The answers so far.
    pub journal: AnswerJournal,
    /// Fetches images that are sent inline.
    pub images: Images,
    /// Send the images themselves instead of their URLs.
    pub inline: bool,
}

impl Bench {
    /// The answer about the prompt, the first and the second preview: a kept one, or the judge's.
    ///
    /// # Errors
    /// The judge fails permanently, an image cannot be fetched, or the journal cannot be written.
    pub fn answer(&self, seed: Seed, images: &[DuelImage; 3]) -> Result<ShownAnswer> {
        let [prompt, first, second] = images;
        let digests = [self.digest(prompt)?, self.digest(first)?, self.digest(second)?];
        let key = self.key_of(seed, images, digests);
        let read = |raw: &str| answer::penalties(raw).ok();
        let answer = self.journal.answer(&key, read, || {
            let urls = [self.shown(prompt)?, self.shown(first)?, self.shown(second)?];
            let [prompt, first, second] = &urls;
            self.judge.ask(seed, [prompt, first, second])
        })?;
        Ok(ShownAnswer { answer, images: digests })
    }

    /// The key of the answer. An image whose checksum is on record is identified by it, wherever it is stored;
    /// others by their URL.
    ///
    /// # Errors
    /// An image must be fetched and cannot be.
    pub fn key(&self, seed: Seed, images: &[DuelImage; 3]) -> Result<QuestionKey> {
        let [prompt, first, second] = images;
        Ok(self.key_of(seed, images, [self.digest(prompt)?, self.digest(first)?, self.digest(second)?]))
    }

    fn key_of(&self, seed: Seed, images: &[DuelImage; 3], digests: [Option<Digest>; 3]) -> QuestionKey {
        let mut hasher = Sha256::new();
        let mut add = |text: &str| {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        };
        add("gen404-judge-v1");
        self.judge.terms().into_iter().for_each(&mut add);
        add(&seed.to_string());
        for (image, digest) in images.iter().zip(digests) {
            add(&digest.map_or_else(|| format!("url:{}", image.url), |digest| format!("sha256:{digest}")));
        }
        QuestionKey(hex::encode(hasher.finalize()))
    }

    fn digest(&self, image: &DuelImage) -> Result<Option<Digest>> {
        self.images.digest(image, self.inline)
    }

    fn shown(&self, image: &DuelImage) -> Result<String> {
        self.images.shown(image, self.inline)
    }
}
