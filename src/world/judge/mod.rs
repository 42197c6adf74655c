//! The judge: a vision model that compares two previews with a prompt (DESIGN 4.4, 7).
//!
//! [`openai`] asks it, [`answer`] reads what it says, [`question`] holds the words, [`journal`] keeps
//! every answer, [`images`] fetches what is to be shown. [`Bench`] joins them.

pub(crate) mod answer;
pub(crate) mod images;
pub(crate) mod journal;
pub(crate) mod openai;
pub(crate) mod question;
pub mod settings;

use std::fmt;

use sha2::{Digest as _, Sha256};

use self::images::{DuelImage, Images};
use self::journal::{AnswerJournal, QuestionKey};
use crate::base::error::Result;
use crate::base::hex;
use crate::model::ids::Seed;
use crate::model::penalties::Penalties;

/// What a judge said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its text, as it came.
    pub raw: String,
    /// What the text says.
    pub penalties: Penalties,
}

/// Somebody who compares models. Many may ask at the same time.
pub trait Judge: fmt::Debug + Send + Sync {
    /// What messages call it.
    fn name(&self) -> String;

    /// All that an answer depends on besides seed and images: the model, the question's words.
    fn terms(&self) -> Vec<&str>;

    /// Asks about the prompt, the first and the second preview, each an http(s) or data URL.
    ///
    /// # Errors
    /// No proper answer after all attempts.
    fn ask(&self, seed: Seed, images: [&str; 3]) -> Result<Answer>;

    /// How many attempts have failed so far.
    fn faults(&self) -> u64;
}

/// The judge with its journal: what has been answered is not asked again.
#[derive(Debug)]
pub struct Bench {
    /// The judge.
    pub judge: Box<dyn Judge>,
    /// Its answers so far.
    pub journal: AnswerJournal,
    /// Fetches what has to be sent along.
    pub images: Images,
    /// Send images themselves instead of their URLs.
    pub inline: bool,
}

impl Bench {
    /// The answer about the prompt, the first and the second preview: a known one, or the judge's.
    ///
    /// # Errors
    /// The judge fails for good, an image cannot be fetched, or the journal cannot be written.
    pub fn answer(&self, seed: Seed, images: &[DuelImage; 3]) -> Result<Answer> {
        let key = self.key(seed, images)?;
        self.journal.answer(&key, || {
            let [prompt, first, second] = images;
            let urls = [self.shown(prompt)?, self.shown(first)?, self.shown(second)?];
            let [prompt, first, second] = &urls;
            self.judge.ask(seed, [prompt, first, second])
        })
    }

    /// What the answer is kept under. Images whose content is on record are told apart by it, wherever
    /// they lie; others by their URL.
    ///
    /// # Errors
    /// An image has to be fetched, and cannot be.
    pub fn key(&self, seed: Seed, images: &[DuelImage; 3]) -> Result<QuestionKey> {
        let mut hasher = Sha256::new();
        let mut add = |text: &str| {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        };
        add("gen404-judge-v1");
        self.judge.terms().into_iter().for_each(&mut add);
        add(&seed.to_string());
        for image in images {
            add(&self.identity(image)?);
        }
        Ok(QuestionKey(hex::encode(&hasher.finalize())))
    }

    fn identity(&self, image: &DuelImage) -> Result<String> {
        Ok(match &image.sha256 {
            Some(sum) => format!("sha256:{sum}"),
            None if self.sends(image) => format!("sha256:{}", self.images.fetch(image)?.sha256),
            None => format!("url:{}", image.url),
        })
    }

    /// The image as the judge gets it.
    fn shown(&self, image: &DuelImage) -> Result<String> {
        if self.sends(image) { Ok(self.images.fetch(image)?.data_url.clone()) } else { Ok(image.url.clone()) }
    }

    /// Is this image sent along? A file of a folder store always is: no judge could fetch it.
    fn sends(&self, image: &DuelImage) -> bool {
        self.inline || image.url.starts_with("file://")
    }
}
