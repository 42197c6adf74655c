//! `verify --judge`: asks the reader's own judge about recorded duels again.
//!
//! Answers go to a journal of their own in the reader's folder, one for each endpoint, so that a killed run repeats none
//! of them, and an operator's own journal does not answer in the judge's place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::objects::Sources;
use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::base::url::check_public_url;
use crate::engine::context::Context;
use crate::engine::runs::estimates::tokens_per_call;
use crate::model::answers::Digest;
use crate::model::ids::RoundNumber;
use crate::model::lock::{Contended, Lock};
use crate::model::question::{Asked, Question};
use crate::rules::checks::objects::Found;
use crate::rules::rejudge::{Comparison, JudgedAgain, RecordedDuel, RecordedImage};
use crate::settings::flags::{JudgeArgs, StoreArgs, judge_key, judge_settings};
use crate::ui::Bar;
use crate::world::http::shown_url;
use crate::world::judge::images::{DuelImage, LoadedImage};
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::settings::JudgeSettings;
use crate::world::judge::{Bench, Judge as _};

/// Pictures larger than this are not shown to a judge: several are held at once.
const LARGEST: u64 = 8 << 20;

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

/// The duels to judge again, and everything that it takes.
#[derive(Debug)]
pub(crate) struct Retrial<'a> {
    context: &'a Context<'a>,
    args: AgainArgs<'a>,
    settings: JudgeSettings,
    /// The duels by round, each round with the question that is asked.
    rounds: BTreeMap<RoundNumber, (Wording, Vec<RecordedDuel>)>,
    /// Where the answers by this endpoint are kept: others may answer otherwise under the same model's name.
    folder: PathBuf,
    /// Nobody else writes there. A dry run does not, either.
    _lock: Option<Lock>,
}

/// A question, and where it is from.
#[derive(Debug, Clone)]
pub(crate) struct Wording {
    /// The words.
    pub(crate) question: Question,
    /// Where they are from, in words.
    pub(crate) from: String,
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

impl<'a> Retrial<'a> {
    /// Prepares to judge these duels again. `published` has the questions of the rounds that publish theirs.
    ///
    /// # Errors
    /// No judge is named, its settings make no sense, or another process is at work on its answers.
    pub(crate) fn prepare(
        context: &'a Context<'a>,
        args: AgainArgs<'a>,
        duels: Vec<RecordedDuel>,
        published: &BTreeMap<RoundNumber, Question>,
    ) -> Result<Self> {
        let mut settings = judge_settings(&context.config.judge, args.judge);
        settings.concurrency = args.concurrency.unwrap_or(settings.concurrency);
        // Says what is wrong with the settings before any work.
        let usual = settings.asked()?.question;
        settings.open(None)?;
        let by_flag = args.judge.question.as_ref().map(|file| file.display().to_string());
        let by_settings = settings.question.as_ref().map(|file| file.display().to_string());
        let wording = |round: RoundNumber| match (&by_flag, published.get(&round), &by_settings) {
            (None, Some(question), _) => {
                Wording { question: question.clone(), from: format!("rounds/{round}/question.toml") }
            }
            (Some(file), ..) | (None, None, Some(file)) => Wording { question: usual.clone(), from: file.clone() },
            (None, None, None) => Wording { question: usual.clone(), from: "the built-in question".to_owned() },
        };
        let mut rounds: BTreeMap<RoundNumber, (Wording, Vec<RecordedDuel>)> = BTreeMap::new();
        for duel in duels {
            rounds.entry(duel.round).or_insert_with(|| (wording(duel.round), Vec::new())).1.push(duel);
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
        Ok(self.settings.open(None)?.name())
    }

    /// The number of duels.
    pub(crate) fn duels(&self) -> usize {
        self.rounds.values().map(|(_, duels)| duels.len()).sum()
    }

    /// The question of each round, by where it is from.
    pub(crate) fn wordings(&self) -> impl Iterator<Item = (RoundNumber, &str)> {
        self.rounds.iter().map(|(round, (wording, _))| (*round, wording.from.as_str()))
    }

    fn bench(&self, wording: &Wording) -> Result<Bench> {
        let asked = Asked { question: wording.question.clone(), ..self.settings.asked()? };
        Ok(Bench {
            judge: Box::new(self.settings.open_asking(&asked, judge_key()?)?),
            journal: match self.context.options.dry_run {
                true => AnswerJournal::look(&self.folder)?,
                false => AnswerJournal::open(&self.folder)?,
            },
            images: self.settings.images(),
            // Pictures are fetched here, under the rules for miners' URLs, and handed over as data.
            inline: false,
        })
    }

    /// What the calls will take: tokens by the recorded answers, else by those that this machine has paid for.
    ///
    /// # Errors
    /// The journal or the record of runs cannot be read.
    pub(crate) fn estimate(&self) -> Result<Estimate> {
        let all = 2 * self.duels();
        let kept = self.kept()?;
        let calls = all.saturating_sub(kept);
        let known: Vec<u64> =
            self.rounds.values().flat_map(|(_, duels)| duels).filter_map(|duel| duel.tokens).collect();
        let each = match known.len() {
            0 => tokens_per_call(self.context)?,
            duels => Some(known.iter().map(|tokens| *tokens as f64).sum::<f64>() / (2 * duels) as f64),
        };
        Ok(Estimate { calls, kept, tokens: each.map(|each| (each * calls as f64).round()) })
    }

    /// How many calls are answered already, as far as their pictures are known before they are fetched.
    fn kept(&self) -> Result<usize> {
        let mut kept = 0;
        for (wording, duels) in self.rounds.values() {
            let bench = self.bench(wording)?;
            for duel in duels {
                let by_url = |image: &RecordedImage| !self.settings.inline_images && is_web(&image.url);
                if !duel.images.iter().all(|image| image.sha256.is_some() || by_url(image)) {
                    continue;
                }
                let images = duel.images.clone().map(|image| DuelImage { url: image.url, sha256: image.sha256 });
                for order in both_orders(&images) {
                    kept += usize::from(bench.journal.has(&bench.key(duel.seed, &order)?));
                }
            }
        }
        Ok(kept)
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
            let judge = RoundJudge {
                bench: self.bench(wording)?,
                sources: &sources,
                inline: self.settings.inline_images,
                allow_private: self.args.allow_private_cdn || self.context.config.miners.allow_private_cdn,
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

/// Is this an address that a judge's server could fetch?
fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// The pictures in the two orders in which they are shown.
fn both_orders([prompt, left, right]: &[DuelImage; 3]) -> [[DuelImage; 3]; 2] {
    [[prompt.clone(), left.clone(), right.clone()], [prompt.clone(), right.clone(), left.clone()]]
}

/// The duels that failed since the last one that did not, and why the last of them did.
#[derive(Debug, Default)]
struct Failures {
    in_a_row: usize,
    last: String,
}

/// One round's judge, with its question.
struct RoundJudge<'a> {
    bench: Bench,
    sources: &'a Sources,
    /// Send the pictures themselves.
    inline: bool,
    allow_private: bool,
    most_failures: usize,
    failures: &'a Mutex<Failures>,
}

impl RoundJudge<'_> {
    /// Judges these duels again, several at a time; the result is in their order.
    fn all(&self, duels: &[RecordedDuel], at_once: usize, bar: &Bar) -> Result<Vec<JudgedAgain>> {
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

    fn one(&self, duel: &RecordedDuel) -> Result<JudgedAgain> {
        if let Some(why) = self.is_down() {
            return Ok(duel.without(Comparison::Failed, &why));
        }
        let images = match self.images(duel) {
            Ok(images) => images,
            Err((outcome, why)) => return Ok(duel.without(outcome, &why)),
        };
        let mut answers = Vec::new();
        for order in both_orders(&images) {
            match self.bench.answer(duel.seed, &order) {
                Ok(shown) => answers.push(shown.answer.said),
                Err(error) if matches!(error.kind(), Kind::Outside | Kind::Limit) => {
                    let why = [&[error.to_string()][..], error.hints()].concat().join("; ");
                    self.failed(&why);
                    return Ok(duel.without(Comparison::Failed, &why));
                }
                Err(error) => return Err(error),
            }
        }
        self.bench.journal.sync()?;
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = Failures::default();
        match answers.as_slice() {
            [left_first, right_first] => Ok(duel.compare(left_first, right_first)),
            _ => Err(Error::failed("a duel has other than two answers")),
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

    /// The duel's pictures as the judge gets them, or why it gets none.
    fn images(&self, duel: &RecordedDuel) -> std::result::Result<[DuelImage; 3], (Comparison, String)> {
        let [prompt, left, right] = &duel.images;
        Ok([
            self.image("the prompt", prompt)?,
            self.image("left's preview", left)?,
            self.image("right's preview", right)?,
        ])
    }

    /// A picture: by its URL, checked against its digest where one is recorded; or with its bytes.
    fn image(&self, what: &str, image: &RecordedImage) -> std::result::Result<DuelImage, (Comparison, String)> {
        let failed = |why: String| (Comparison::Failed, format!("{what}: {why}"));
        let own = self.sources.owns(&image.url);
        if !own && !self.allow_private {
            check_public_url(&image.url).map_err(|why| failed(format!("{}: {why}", shown_url(&image.url))))?;
        }
        let by_url = !self.inline && is_web(&image.url);
        if by_url && image.sha256.is_none() {
            return Ok(DuelImage { url: image.url.clone(), sha256: None });
        }
        let loaded = self.load(&image.url).map_err(failed)?;
        if let Some(recorded) = image.sha256.filter(|recorded| *recorded != loaded.sha256) {
            let changed = format!("{what} has changed: its SHA-256 is {}, recorded is {recorded}", loaded.sha256);
            return Err((Comparison::Changed, changed));
        }
        let url = if by_url { image.url.clone() } else { loaded.data_url };
        Ok(DuelImage { url, sha256: Some(loaded.sha256) })
    }

    fn load(&self, url: &str) -> std::result::Result<LoadedImage, String> {
        let shown = shown_url(url);
        let large = || format!("{shown}: larger than {LARGEST} bytes");
        let found = self.sources.fetch(url, LARGEST).ok_or_else(large)?;
        let bytes = match (found.bytes, found.found) {
            (Some(bytes), _) => bytes,
            (None, Found::Unknown(why)) => return Err(why),
            (None, _) => return Err(format!("{shown}: there is no such object")),
        };
        if bytes.len() as u64 > LARGEST {
            return Err(large());
        }
        LoadedImage::of(&bytes).ok_or_else(|| format!("{shown}: not a PNG, JPEG or WebP image"))
    }
}
