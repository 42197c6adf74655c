//! Judges matches of three.js modules, stage by stage: many duels at once, so that the endpoint is never without a call.
//!
//! `duel` is one duel on its way, `looks` finds out what is not the judge's to say (the best views, whether both models
//! are pale), `replay` plays a single duel, and `scheduler` hands the calls to worker threads and the whole matches to the tournament ([`Course`]).

mod duel;
mod looks;
mod replay;
mod scheduler;

use std::collections::HashMap;

pub(crate) use self::replay::{kept_calls, one_duel};
pub(crate) use self::scheduler::play;
use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::judging::round::agreed_question;
use crate::engine::judging::session::Calls;
use crate::model::answers::Digest;
use crate::model::ids::{PromptStem, RoundNumber, Seed};
use crate::model::threejs::answers::StagedAnswers;
use crate::model::threejs::duels::StagedDuel;
use crate::model::threejs::file::{RoundWords, ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::threejs::staged::StageCall;
use crate::settings::flags::{judge_key, judge_settings};
use crate::world::judge::images::DuelImage;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::staged::{StageBench, StageQuestion, is_answer};

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
    /// What the judge answered in them.
    pub(crate) answers: StagedAnswers,
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

/// Where a duel's pictures are from.
pub(crate) trait Sights {
    /// A picture as the judge is shown it, with its digest where that is known.
    ///
    /// # Errors
    /// It cannot be had.
    fn image(&self, url: String) -> Result<DuelImage>;

    /// A file beside the pictures, of at most `most` bytes; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be had, or is larger.
    fn file(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>>;
}

impl Sights for Court {
    fn image(&self, url: String) -> Result<DuelImage> {
        let sha256 = self.sums.get(&url).copied();
        Ok(DuelImage { url, sha256 })
    }

    fn file(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>> {
        self.bench.images.file(url, most)
    }
}

/// A call's question, with its images.
fn question(sights: &dyn Sights, duel: &DuelOf, call: StageCall) -> Result<StageQuestion> {
    let mut images = Vec::new();
    for picture in &call.images {
        let url = duel.url(*picture).ok_or_else(|| Error::failed(format!("{}: a side without views", duel.name)))?;
        images.push(sights.image(url)?);
    }
    Ok(asked(call, images))
}

/// A call's question about these images.
fn asked(call: StageCall, images: Vec<DuelImage>) -> StageQuestion {
    let StageCall { topic, label, view, seed, tokens, attempts, form, .. } = call;
    StageQuestion { topic, label, view, images, seed, tokens, attempts, form }
}

/// The judge of a round, and what it needs.
#[derive(Debug)]
pub(crate) struct Court {
    /// The judge and its journal.
    pub(crate) bench: StageBench,
    /// What it is asked.
    pub(crate) question: RoundWords,
    /// The round's seed.
    pub(crate) seed: Seed,
    /// Calls in flight.
    pub(crate) concurrency: usize,
    /// The SHA-256 of stored files, by URL, as far as they are on record.
    pub(crate) sums: HashMap<String, Digest>,
}

impl Court {
    /// Opens the judge of the settings and its journal, for a round with these files.
    ///
    /// # Errors
    /// The settings make no sense, the round asks something else, or the journal cannot be opened.
    pub(crate) fn open(
        context: &Context<'_>,
        calls: &Calls<'_>,
        (round, seed): (RoundNumber, Seed),
        files: &ThreejsRound,
    ) -> Result<Court> {
        let settings = judge_settings(&context.config.judge, calls.judge);
        let asked = settings.asked_in_stages()?;
        let path = ThreejsFile::Round(round, ThreejsRoundFile::Question).path();
        let question = agreed_question(&path, files.question.get().map(Box::as_ref), asked)?;
        let bench = StageBench {
            judge: settings.open_stages(question.asked.question.clone(), judge_key()?)?,
            journal: AnswerJournal::open_with(&context.own_folder()?, is_answer)?,
            images: settings.images(),
            inline: settings.inline_images,
        };
        let (concurrency, sums) = (calls.concurrency.unwrap_or(settings.concurrency), sums(files));
        Ok(Court { bench, question, seed, concurrency, sums })
    }
}

/// The recorded SHA-256 of stored files, by URL.
fn sums(files: &ThreejsRound) -> HashMap<String, Digest> {
    let mut sums = HashMap::new();
    for own in files.players.values() {
        let Some(recorded) = own.sums.get() else { continue };
        // A URL ends in the path below the player's folder.
        let folders = own.submitted.get().into_iter().chain(own.generated.values().filter_map(|slot| slot.get()));
        for module in folders.flat_map(|modules| modules.values()) {
            let Some((views, folder)) = module.views.as_deref().and_then(|views| Some((views, below(views)?))) else {
                continue;
            };
            for (path, sum) in
                recorded.0.range(format!("{folder}/")..).take_while(|(path, _)| path.starts_with(&format!("{folder}/")))
            {
                if let (Some(rest), Ok(sum)) = (path.strip_prefix(folder), sum.parse()) {
                    sums.insert(format!("{views}{rest}"), sum);
                }
            }
        }
    }
    sums
}

/// The last two parts of a URL: `submitted/{stem}`.
fn below(views: &str) -> Option<&str> {
    let at = views.rmatch_indices('/').nth(1)?.0;
    views.get(at + 1..)
}
