//! `verify --judge`: asks the reader's own judge about recorded duels again.
//!
//! Answers go to a journal of their own in the reader's folder, one for each endpoint, so that a killed run repeats none
//! of them, and an operator's own journal does not answer in the judge's place. `pictures` fetches what is to be shown;
//! `images` asks about three images in two orders, `stages` about three.js modules in stages.

mod images;
mod pictures;
mod stages;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub(crate) use self::images::OfImages;
use self::pictures::Pictures;
pub(crate) use self::stages::OfStages;
use super::objects::Sources;
use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::engine::context::Context;
use crate::engine::runs::estimates::tokens_per_call;
use crate::model::answers::Digest;
use crate::model::ids::RoundNumber;
use crate::model::lock::{Contended, Lock};
use crate::rules::rejudge::{Comparison, JudgedAgain};
use crate::settings::flags::{JudgeArgs, StoreArgs, judge_settings};
use crate::ui::Bar;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::settings::JudgeSettings;

/// After this many failed duels in a row, and at least as many as are asked at once, the judge counts as down.
const DOWN: usize = 8;

/// Which judge is asked, and how its pictures are found.
#[derive(Debug)]
pub(crate) struct AgainArgs<'a> {
    pub(crate) judge: &'a JudgeArgs,
    pub(crate) concurrency: Option<usize>,
    pub(crate) store: &'a StoreArgs,
    pub(crate) allow_private_cdn: bool,
}

/// A way to judge.
pub(crate) trait Way {
    /// The words in which is asked.
    type Words: Clone;
    /// A recorded duel.
    type Duel: Sync;
    /// The judge of a round, with its words and the journal.
    type Bench: Sync;

    /// The words of the settings, once these are known to make sense.
    ///
    /// # Errors
    /// They do not.
    fn words(settings: &JudgeSettings) -> Result<Self::Words>;
    /// The judge's name in messages.
    ///
    /// # Errors
    /// The settings make no sense.
    fn name(settings: &JudgeSettings) -> Result<String>;
    /// Opens the judge of a round.
    ///
    /// # Errors
    /// The settings make no sense.
    fn open(settings: &JudgeSettings, words: &Self::Words, journal: AnswerJournal) -> Result<Self::Bench>;
    /// Reads the journal, or opens it.
    ///
    /// # Errors
    /// It cannot be read or written.
    fn journal(folder: &Path, only_look: bool) -> Result<AnswerJournal>;
    /// The journal of a bench.
    fn kept_in(bench: &Self::Bench) -> &AnswerJournal;

    /// A duel's round.
    fn round(duel: &Self::Duel) -> RoundNumber;
    /// How many calls it took.
    fn calls(duel: &Self::Duel) -> usize;
    /// The tokens that these took, if they are recorded.
    fn tokens(duel: &Self::Duel) -> Option<u64>;
    /// How many of its calls are answered already, as far as their pictures are known before they are fetched.
    ///
    /// # Errors
    /// A fault of this program.
    fn kept(bench: &Self::Bench, duel: &Self::Duel, inline: bool) -> Result<usize>;

    /// Judges a duel again.
    ///
    /// # Errors
    /// It failed: see [`Trouble`].
    fn again(
        bench: &Self::Bench,
        pictures: &Pictures<'_>,
        duel: &Self::Duel,
    ) -> std::result::Result<JudgedAgain, Trouble>;
    /// The duel without new answers.
    fn without(duel: &Self::Duel, outcome: Comparison, why: &str) -> JudgedAgain;
}

/// Why a duel has no new answers.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nobody was asked: a picture has changed, or cannot be had.
    Picture(Comparison, String),
    /// The judge was asked in vain, or nothing can go on.
    Asked(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Asked(error)
    }
}

/// The duels to judge again, and everything that it takes.
pub(crate) struct Retrial<'a, W: Way> {
    context: &'a Context<'a>,
    args: AgainArgs<'a>,
    settings: JudgeSettings,
    /// The duels by round, each round with the question that is asked.
    rounds: Rounds<W>,
    /// Where the answers by this endpoint are kept: others may answer otherwise under the same model's name.
    folder: PathBuf,
    /// Nobody else writes there. A dry run does not, either.
    _lock: Option<Lock>,
}

/// The duels by round, each round with the question that is asked.
type Rounds<W> = BTreeMap<RoundNumber, (Wording<<W as Way>::Words>, Vec<<W as Way>::Duel>)>;

/// A question, and where it is from.
#[derive(Debug, Clone)]
struct Wording<Q> {
    /// The words.
    question: Q,
    /// Where they are from, in words.
    from: String,
}

/// What the calls will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// Calls that will be made.
    pub(crate) calls: usize,
    /// Calls that an earlier run has had answered.
    pub(crate) kept: usize,
    /// Tokens of the calls that will be made, if that can be told.
    pub(crate) tokens: Option<f64>,
}

impl<'a, W: Way> Retrial<'a, W> {
    /// Prepares to judge these duels again. `published` has the questions of the rounds that publish theirs.
    ///
    /// # Errors
    /// No judge is named, its settings make no sense, or another process is at work on its answers.
    pub(crate) fn prepare(
        context: &'a Context<'a>,
        args: AgainArgs<'a>,
        duels: Vec<W::Duel>,
        published: &BTreeMap<RoundNumber, W::Words>,
    ) -> Result<Self> {
        let mut settings = judge_settings(&context.config.judge, args.judge);
        settings.concurrency = args.concurrency.unwrap_or(settings.concurrency);
        // Says what is wrong with the settings before any work.
        let usual = W::words(&settings)?;
        let by_flag = args.judge.question.as_ref().map(|file| file.display().to_string());
        let by_settings = settings.question.as_ref().map(|file| file.display().to_string());
        let wording = |round: RoundNumber| match (&by_flag, published.get(&round), &by_settings) {
            (None, Some(question), _) => {
                Wording { question: question.clone(), from: format!("rounds/{round}/question.toml") }
            }
            (Some(file), ..) | (None, None, Some(file)) => Wording { question: usual.clone(), from: file.clone() },
            (None, None, None) => Wording { question: usual.clone(), from: "the built-in question".to_owned() },
        };
        let mut rounds = Rounds::<W>::new();
        for duel in duels {
            let round = W::round(&duel);
            rounds.entry(round).or_insert_with(|| (wording(round), Vec::new())).1.push(duel);
        }
        let endpoint = Digest::of(settings.base_url.as_deref().unwrap_or_default().as_bytes()).to_string();
        let folder = Path::new("judged-again").join(endpoint.get(..16).unwrap_or(&endpoint));
        let folder = files::below(&context.own_folder()?, &folder)?;
        let lock = if context.options.dry_run { None } else { Some(lock(context, &folder)?) };
        Ok(Retrial { context, args, settings, rounds, folder, _lock: lock })
    }

    /// The judge's name in messages.
    ///
    /// # Errors
    /// As [`Retrial::prepare`].
    pub(crate) fn judge(&self) -> Result<String> {
        W::name(&self.settings)
    }

    /// The number of duels.
    pub(crate) fn duels(&self) -> usize {
        self.rounds.values().map(|(_, duels)| duels.len()).sum()
    }

    /// The question of each round, by where it is from.
    pub(crate) fn wordings(&self) -> impl Iterator<Item = (RoundNumber, &str)> {
        self.rounds.iter().map(|(round, (wording, _))| (*round, wording.from.as_str()))
    }

    fn bench(&self, wording: &Wording<W::Words>) -> Result<W::Bench> {
        let journal = W::journal(&self.folder, self.context.options.dry_run)?;
        W::open(&self.settings, &wording.question, journal)
    }

    /// What the calls will take: tokens by the recorded answers, else by those that this machine has paid for.
    ///
    /// # Errors
    /// The journal or the record of runs cannot be read.
    pub(crate) fn estimate(&self) -> Result<Estimate> {
        let duels = || self.rounds.values().flat_map(|(_, duels)| duels);
        let all: usize = duels().map(W::calls).sum();
        let mut kept = 0;
        for (wording, duels) in self.rounds.values() {
            let bench = self.bench(wording)?;
            for duel in duels {
                kept += W::kept(&bench, duel, self.settings.inline_images)?;
            }
        }
        let calls = all.saturating_sub(kept);
        let known: Vec<(u64, usize)> = duels().filter_map(|duel| Some((W::tokens(duel)?, W::calls(duel)))).collect();
        let each = match known.iter().map(|(_, calls)| calls).sum::<usize>() {
            0 => tokens_per_call(self.context)?,
            calls => Some(known.iter().map(|(tokens, _)| *tokens as f64).sum::<f64>() / calls as f64),
        };
        Ok(Estimate { calls, kept, tokens: each.map(|each| (each * calls as f64).round()) })
    }

    /// Judges all duels again.
    ///
    /// # Errors
    /// The answers cannot be kept.
    pub(crate) fn judge_again(&self) -> Result<Vec<JudgedAgain>> {
        let sources = Sources::open(self.context, self.args.store, self.args.allow_private_cdn)?;
        let bar = self.context.ui.bar("judging again", self.duels() as u64);
        let failures = Mutex::default();
        let mut judged = Vec::new();
        for (wording, duels) in self.rounds.values() {
            let judge = RoundJudge::<W> {
                bench: self.bench(wording)?,
                pictures: Pictures {
                    sources: &sources,
                    inline: self.settings.inline_images,
                    allow_private: self.args.allow_private_cdn || self.context.config.miners.allow_private_cdn,
                },
                most_failures: DOWN.max(self.settings.concurrency),
                failures: &failures,
            };
            judged.extend(judge.all(duels, self.settings.concurrency, &bar)?);
            self.context.stop.check()?;
        }
        Ok(judged)
    }
}

/// Keeps other processes from the answers in this folder.
fn lock(context: &Context<'_>, folder: &Path) -> Result<Lock> {
    let contended = if context.options.wait_lock { Contended::Wait } else { Contended::Fail };
    Lock::take(folder, "verify --judge", contended, |holder| {
        context.ui.status(&format!("waiting for {holder}"));
        context.stop.sleep(Duration::from_secs(1));
        context.stop.check()
    })
}

/// The duels that failed since the last one that did not, and why the last of them did.
#[derive(Debug, Default)]
struct Failures {
    in_a_row: usize,
    last: String,
}

/// One round's judge, with its question.
struct RoundJudge<'a, W: Way> {
    bench: W::Bench,
    pictures: Pictures<'a>,
    most_failures: usize,
    failures: &'a Mutex<Failures>,
}

impl<W: Way> RoundJudge<'_, W> {
    /// Judges these duels again, several at a time; the result is in their order.
    fn all(&self, duels: &[W::Duel], at_once: usize, bar: &Bar) -> Result<Vec<JudgedAgain>> {
        let (next, judged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> Result<()> {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(duel) = duels.get(at) else { return Ok(()) };
                let one = self.one(duel)?;
                bar.advance(1);
                judged.lock().unwrap_or_else(PoisonError::into_inner).push((at, one));
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once.min(duels.len())).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|_| Err(Error::failed("a thread that asks the judge has panicked")))
            });
            ended.collect::<Result<Vec<()>>>()
        })?;
        let mut judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
        judged.sort_by_key(|(at, _)| *at);
        Ok(judged.into_iter().map(|(_, one)| one).collect())
    }

    fn one(&self, duel: &W::Duel) -> Result<JudgedAgain> {
        if let Some(why) = self.is_down() {
            return Ok(W::without(duel, Comparison::Failed, &why));
        }
        match W::again(&self.bench, &self.pictures, duel) {
            Ok(judged) => {
                W::kept_in(&self.bench).sync()?;
                *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = Failures::default();
                Ok(judged)
            }
            Err(Trouble::Picture(outcome, why)) => Ok(W::without(duel, outcome, &why)),
            Err(Trouble::Asked(error)) if matches!(error.kind(), Kind::Outside | Kind::Limit) => {
                let why = [&[error.to_string()][..], error.hints()].concat().join("; ");
                self.failed(&why);
                Ok(W::without(duel, Comparison::Failed, &why))
            }
            Err(Trouble::Asked(error)) => Err(error),
        }
    }

    /// Why the judge is not asked any more, if it failed too often in a row.
    fn is_down(&self) -> Option<String> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let down = failures.in_a_row >= self.most_failures;
        down.then(|| {
            format!(
                "not asked: the judge failed in {} in a row: {}",
                counted(failures.in_a_row, "duel", "duels"),
                failures.last
            )
        })
    }

    fn failed(&self, why: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.in_a_row += 1;
        why.clone_into(&mut failures.last);
    }
}
