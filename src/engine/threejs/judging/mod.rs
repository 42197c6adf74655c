//! Judges matches of three.js modules, stage by stage: many duels at once, so that the endpoint is never without a call.
//!
//! `duel` is one duel on its way, `looks` finds out what is not the judge's to say (the best views, whether both models
//! are pale), and `scheduler` hands the calls to worker threads and the whole matches to the tournament ([`Course`]).

mod duel;
mod looks;
mod scheduler;

use std::collections::HashMap;

pub(crate) use self::scheduler::play;
use crate::base::error::Result;
use crate::engine::context::Context;
use crate::engine::judging::session::Calls;
use crate::model::answers::Digest;
use crate::model::ids::{PromptStem, Seed};
use crate::model::threejs::duels::StagedDuel;
use crate::settings::flags::{judge_key, judge_settings};
use crate::world::judge::images::DuelImage;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::staged::{StageBench, is_answer};

/// One side of a duel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Side {
    /// The module's URL.
    pub(crate) js: Option<String>,
    /// The folder of its views, without a slash at its end; `None` if there is no preview.
    pub(crate) views: Option<String>,
}

/// A duel of a match: one prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DuelOf {
    /// The prompt's stem.
    pub(crate) name: PromptStem,
    /// The prompt image's URL.
    pub(crate) prompt: String,
    /// The defender's.
    pub(crate) left: Side,
    /// The challenger's.
    pub(crate) right: Side,
}

/// A whole match.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Played {
    /// Duels won by right less duels won by left.
    pub(crate) score: i64,
    /// The score divided by the number of duels.
    pub(crate) margin: f64,
    /// The duels, in the order given.
    pub(crate) duels: Vec<StagedDuel>,
}

/// What is played. `K` names a match. Everything is called from one thread.
pub(crate) trait Course<K> {
    /// The matches that are known to be needed, the most urgent first; those that are open, finished or failed may be
    /// among them. Asked at the start, and after each match that ends.
    ///
    /// # Errors
    /// The play ends with it.
    fn wanted(&mut self) -> Result<Vec<K>>;

    /// The duels of a match that is opened now.
    ///
    /// # Errors
    /// The play ends with it.
    fn duels(&mut self, key: &K) -> Result<Vec<DuelOf>>;

    /// A match is whole. Its answers are on disk already.
    ///
    /// # Errors
    /// The play ends with it.
    fn finished(&mut self, key: &K, played: Played) -> Result<()>;
}

/// The judge of a round, and what it needs.
#[derive(Debug)]
pub(crate) struct Court {
    /// The judge and its journal.
    pub(crate) bench: StageBench,
    /// The round's seed.
    pub(crate) seed: Seed,
    /// Calls in flight.
    pub(crate) concurrency: usize,
    /// The SHA-256 of stored files, by URL, as far as they are on record.
    pub(crate) sums: HashMap<String, Digest>,
}

impl Court {
    /// Opens the judge of the settings and its journal.
    ///
    /// # Errors
    /// The settings make no sense, or the journal cannot be opened.
    pub(crate) fn open(
        context: &Context<'_>,
        calls: &Calls<'_>,
        seed: Seed,
        sums: HashMap<String, Digest>,
    ) -> Result<Court> {
        let settings = judge_settings(&context.config.judge, calls.judge);
        let bench = StageBench {
            judge: settings.open_stages(settings.stage_words()?, judge_key()?)?,
            journal: AnswerJournal::open_with(&context.own_folder()?, is_answer)?,
            images: settings.images(),
            inline: settings.inline_images,
        };
        Ok(Court { bench, seed, concurrency: calls.concurrency.unwrap_or(settings.concurrency), sums })
    }

    /// A picture, with its recorded digest.
    fn image(&self, url: String) -> DuelImage {
        let sha256 = self.sums.get(&url).copied();
        DuelImage { url, sha256 }
    }
}
