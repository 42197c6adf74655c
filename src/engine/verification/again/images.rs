//! Asks about the prompt and two previews, in both orders: meshes and splats.

use std::path::Path;

use super::pictures::{Pictures, is_web};
use super::{Trouble, Way};
use crate::base::error::{Error, Result};
use crate::model::ids::RoundNumber;
use crate::model::question::{Asked, Question};
use crate::rules::rejudge::{Comparison, JudgedAgain, RecordedDuel, RecordedImage};
use crate::settings::flags::judge_key;
use crate::world::judge::images::DuelImage;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::settings::JudgeSettings;
use crate::world::judge::{Bench, Judge as _};

/// This way to judge.
#[derive(Debug)]
pub(crate) struct OfImages;

/// The pictures in the two orders in which they are shown.
fn both_orders([prompt, left, right]: &[DuelImage; 3]) -> [[DuelImage; 3]; 2] {
    [[prompt.clone(), left.clone(), right.clone()], [prompt.clone(), right.clone(), left.clone()]]
}

impl Way for OfImages {
    type Words = Question;
    type Duel = RecordedDuel;
    type Bench = Bench;

    fn words(settings: &JudgeSettings) -> Result<Question> {
        settings.open(None)?;
        Ok(settings.asked()?.question)
    }

    fn name(settings: &JudgeSettings) -> Result<String> {
        Ok(settings.open(None)?.name())
    }

    fn open(settings: &JudgeSettings, words: &Question, journal: AnswerJournal) -> Result<Bench> {
        let asked = Asked { question: words.clone(), ..settings.asked()? };
        Ok(Bench {
            judge: Box::new(settings.open_asking(&asked, judge_key()?)?),
            journal,
            images: settings.images(),
            // Pictures are fetched here, under the rules for miners' URLs, and handed over as data.
            inline: false,
        })
    }

    fn journal(folder: &Path, only_look: bool) -> Result<AnswerJournal> {
        if only_look { AnswerJournal::look(folder) } else { AnswerJournal::open(folder) }
    }

    fn kept_in(bench: &Bench) -> &AnswerJournal {
        &bench.journal
    }

    fn round(duel: &RecordedDuel) -> RoundNumber {
        duel.round
    }

    fn calls(_: &RecordedDuel) -> usize {
        2
    }

    fn tokens(duel: &RecordedDuel) -> Option<u64> {
        duel.tokens
    }

    fn kept(bench: &Bench, duel: &RecordedDuel, inline: bool) -> Result<usize> {
        let by_url = |image: &RecordedImage| !inline && is_web(&image.url);
        if !duel.images.iter().all(|image| image.sha256.is_some() || by_url(image)) {
            return Ok(0);
        }
        let images = duel.images.clone().map(|image| DuelImage { url: image.url, sha256: image.sha256 });
        let mut kept = 0;
        for order in both_orders(&images) {
            kept += usize::from(bench.journal.has(&bench.key(duel.seed, &order)?));
        }
        Ok(kept)
    }

    fn again(bench: &Bench, pictures: &Pictures<'_>, duel: &RecordedDuel) -> std::result::Result<JudgedAgain, Trouble> {
        let [prompt, left, right] = &duel.images;
        let images = [
            pictures.image("the prompt", prompt)?,
            pictures.image("left's preview", left)?,
            pictures.image("right's preview", right)?,
        ];
        let mut answers = Vec::new();
        for order in both_orders(&images) {
            answers.push(bench.answer(duel.seed, &order)?.answer.said);
        }
        match answers.as_slice() {
            [left_first, right_first] => Ok(duel.compare(left_first, right_first)),
            _ => Err(Error::failed("a duel has other than two answers").into()),
        }
    }

    fn without(duel: &RecordedDuel, outcome: Comparison, why: &str) -> JudgedAgain {
        duel.without(outcome, why)
    }
}
