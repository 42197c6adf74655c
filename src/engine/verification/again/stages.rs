//! Asks about three.js modules in stages, call after call: which ones come next depends on the answers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use super::pictures::{LARGEST, Pictures, is_web};
use super::{Trouble, Way};
use crate::base::error::{Error, Result};
use crate::engine::threejs::judging::{DuelOf, Side, Sights, kept_calls, one_duel};
use crate::model::answers::Digest;
use crate::model::ids::RoundNumber;
use crate::model::threejs::words::StageWords;
use crate::rules::rejudge::{Comparison, JudgedAgain, RecordedImage};
use crate::rules::threejs::rejudge::RecordedStages;
use crate::settings::flags::judge_key;
use crate::world::judge::images::DuelImage;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::settings::JudgeSettings;
use crate::world::judge::staged::{StageBench, is_answer};

/// This way to judge.
#[derive(Debug)]
pub(crate) struct OfStages;

/// How many bytes of one duel's pictures are held, as data URLs: most are shown in several calls.
const HELD: usize = 32 << 20;

impl Way for OfStages {
    type Words = StageWords;
    type Duel = RecordedStages;
    type Bench = StageBench;

    fn words(settings: &JudgeSettings) -> Result<StageWords> {
        let words = settings.stage_words()?;
        settings.open_stages(words.clone(), None)?;
        Ok(words)
    }

    fn name(settings: &JudgeSettings) -> Result<String> {
        Ok(settings.open_stages(settings.stage_words()?, None)?.name())
    }

    fn open(settings: &JudgeSettings, words: &StageWords, journal: AnswerJournal) -> Result<StageBench> {
        Ok(StageBench {
            judge: settings.open_stages(words.clone(), judge_key()?)?,
            journal,
            images: settings.images(),
            // Pictures are fetched here, under the rules for miners' URLs, and handed over as data.
            inline: false,
        })
    }

    fn journal(folder: &Path, only_look: bool) -> Result<AnswerJournal> {
        match only_look {
            true => AnswerJournal::look_with(folder, is_answer),
            false => AnswerJournal::open_with(folder, is_answer),
        }
    }

    fn kept_in(bench: &StageBench) -> &AnswerJournal {
        &bench.journal
    }

    fn round(duel: &RecordedStages) -> RoundNumber {
        duel.round
    }

    fn calls(duel: &RecordedStages) -> usize {
        duel.calls
    }

    fn tokens(duel: &RecordedStages) -> Option<u64> {
        duel.answers.as_ref()?.tokens()
    }

    fn kept(bench: &StageBench, duel: &RecordedStages, inline: bool) -> Result<usize> {
        let image = |url: String| {
            let sha256 = duel.sums.get(&url).copied();
            let known = sha256.is_some() || (!inline && is_web(&url));
            known.then_some(DuelImage { url, sha256 })
        };
        kept_calls(bench, (duel_of(duel), duel.seed), duel.answers.as_ref(), &image)
    }

    fn again(
        bench: &StageBench,
        pictures: &Pictures<'_>,
        duel: &RecordedStages,
    ) -> std::result::Result<JudgedAgain, Trouble> {
        let shown = Shown { pictures, sums: &duel.sums, held: RefCell::default(), trouble: RefCell::default() };
        let judged = one_duel(&|question| bench.answer(question), (duel_of(duel), duel.seed), &shown);
        if let Some(trouble) = shown.trouble.take() {
            return Err(trouble);
        }
        let (judged, evidence) = judged?;
        match evidence.judged() {
            Some(answers) => Ok(duel.compare(judged.winner, answers)),
            None => Err(Error::failed("a duel of two modules with views was decided without the judge").into()),
        }
    }

    fn without(duel: &RecordedStages, outcome: Comparison, why: &str) -> JudgedAgain {
        duel.without(outcome, why)
    }
}

fn duel_of(duel: &RecordedStages) -> DuelOf {
    let [left, right] = duel.views.clone().map(|views| Side { js: None, views: Some(views) });
    DuelOf { name: duel.name.clone(), prompt: duel.prompt.clone(), left, right }
}

/// The pictures of one duel.
struct Shown<'a> {
    pictures: &'a Pictures<'a>,
    sums: &'a HashMap<String, Digest>,
    /// Those that were fetched, and their bytes.
    held: RefCell<(HashMap<String, DuelImage>, usize)>,
    /// Why the duel cannot be judged, if a picture is the reason.
    trouble: RefCell<Option<Trouble>>,
}

impl Shown<'_> {
    fn recorded(&self, url: &str) -> RecordedImage {
        RecordedImage { url: url.to_owned(), sha256: self.sums.get(url).copied() }
    }

    fn ends(&self, trouble: Trouble) -> Error {
        *self.trouble.borrow_mut() = Some(trouble);
        Error::outside("a picture cannot be shown")
    }
}

impl Sights for Shown<'_> {
    fn image(&self, url: String) -> Result<DuelImage> {
        if let Some(image) = self.held.borrow().0.get(&url) {
            return Ok(image.clone());
        }
        let image = self.pictures.image(tail(&url), &self.recorded(&url)).map_err(|trouble| self.ends(trouble))?;
        let (held, bytes) = &mut *self.held.borrow_mut();
        if *bytes + image.url.len() <= HELD {
            *bytes += image.url.len();
            held.insert(url, image.clone());
        }
        Ok(image)
    }

    fn file(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let most = LARGEST.min(u64::try_from(most).unwrap_or(u64::MAX));
        self.pictures.file(tail(url), &self.recorded(url), most).map_err(|trouble| self.ends(trouble))
    }
}

/// The last two parts of a URL: `white/back.png`.
fn tail(url: &str) -> &str {
    url.rmatch_indices('/').nth(1).and_then(|(at, _)| url.get(at + 1..)).unwrap_or(url)
}
