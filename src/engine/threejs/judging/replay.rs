//! One duel, call after call, apart from any tournament.

use super::duel::{DuelInPlay, Found, Wants};
use super::{DuelOf, Sights, asked, looks, question};
use crate::base::error::Result;
use crate::model::answers::{Digest, DuelEvidence};
use crate::model::ids::Seed;
use crate::model::penalties::AnswerOrigin;
use crate::model::threejs::answers::StagedJudgment;
use crate::model::threejs::duels::StagedDuel;
use crate::rules::threejs::staged::{BestViews, Look};
use crate::world::judge::Answer;
use crate::world::judge::images::DuelImage;
use crate::world::judge::staged::{ShownStage, StageBench, StageQuestion};

/// Judges a duel, which is recorded nowhere: what is returned names no question.
///
/// # Errors
/// The judge fails, or a file cannot be had.
pub(crate) fn one_duel(
    ask: &dyn Fn(&StageQuestion) -> Result<ShownStage>,
    (of, seed): (DuelOf, Seed),
    sights: &dyn Sights,
) -> Result<(StagedDuel, DuelEvidence<StagedJudgment>)> {
    let mut duel = DuelInPlay::new(of);
    loop {
        let Wants { calls, looks } = duel.go_on(seed)?;
        if duel.is_decided() {
            return Ok(duel.into_record(Digest::of(b"")));
        }
        for look in looks {
            let found = looks::look(sights, &duel.of, look)?;
            duel.found(found);
        }
        for call in calls {
            let (id, question) = (call.id, question(sights, &duel.of, call)?);
            duel.answer(id, ask(&question)?);
        }
    }
}

/// How many of a duel's calls are answered already. What its files show is taken from the recorded answers; `image` gives
/// a picture as it is known without fetching it.
///
/// # Errors
/// A fault of this program.
pub(crate) fn kept_calls(
    bench: &StageBench,
    (of, seed): (DuelOf, Seed),
    recorded: Option<&StagedJudgment>,
    image: &dyn Fn(String) -> Option<DuelImage>,
) -> Result<usize> {
    let (mut duel, mut kept) = (DuelInPlay::new(of), 0);
    loop {
        let Wants { calls, looks } = duel.go_on(seed)?;
        let before = kept;
        for call in calls {
            let id = call.id;
            let urls: Option<Vec<DuelImage>> =
                call.images.iter().map(|picture| duel.of.url(*picture).and_then(image)).collect();
            let Some(images) = urls else { continue };
            if let Some(said) = bench.kept(&asked(call, images)) {
                kept += 1;
                let answer = Answer { raw: String::new(), said, origin: AnswerOrigin::default() };
                duel.answer(id, ShownStage { answer, images: Vec::new() });
            }
        }
        let mut seen = false;
        for look in looks {
            let found = match (look, recorded) {
                (_, None) => continue,
                (Look::Embeddings, Some(of)) => {
                    Some(Found::Best(of.best_views.map_or(BestViews::None, |[a, b]| BestViews::Of(a, b))))
                }
                (Look::Gray, Some(of)) => of.gray.map(Found::Gray),
            };
            seen |= found.is_some();
            found.into_iter().for_each(|found| duel.found(found));
        }
        if kept == before && !seen {
            return Ok(kept);
        }
    }
}
