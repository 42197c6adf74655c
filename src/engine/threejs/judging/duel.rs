//! A duel on its way: what is known of it, and what it still waits for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{DuelOf, Side};
use crate::base::error::{Error, Result};
use crate::model::answers::{Digest, DuelEvidence, ShownImages, UnjudgedDuel};
use crate::model::ids::Seed;
use crate::model::penalties::AnswerOrigin;
use crate::model::record::{Entries, Extra};
use crate::model::report::DuelWinner;
use crate::model::threejs::answers::{StageGiven, StagedJudgment};
use crate::model::threejs::asked::StageAnswer;
use crate::model::threejs::detail::Told;
use crate::model::threejs::duels::StagedDuel;
use crate::model::threejs::view::{GRID, View};
use crate::rules::threejs::staged::{
    BestViews, CallId, Decided, GrayMeasure, Known, Look, Next, Picture, SideOf, StageCall, next, shown_of,
};
use crate::world::judge::staged::ShownStage;

/// What was found by a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The best views.
    Best(BestViews),
    /// Whether both are pale.
    Gray(GrayMeasure),
}

/// What a duel waits for, from now on.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) calls: Vec<StageCall>,
    pub(super) looks: Vec<Look>,
}

/// A duel with the answers so far.
#[derive(Debug)]
pub(super) struct DuelInPlay {
    pub(super) of: DuelOf,
    known: Known,
    answers: BTreeMap<CallId, StageAnswer>,
    /// How each answer was obtained, and the digests of the pictures that were shown.
    origins: BTreeMap<CallId, (AnswerOrigin, Vec<Option<Digest>>)>,
    asked: BTreeSet<CallId>,
    looked: BTreeSet<Look>,
    decided: Option<Decided>,
}

impl DuelInPlay {
    pub(super) fn new(of: DuelOf) -> Self {
        let has_views = [&of.left, &of.right].map(|side| side.views.is_some());
        DuelInPlay {
            of,
            known: Known { has_views, ..Known::default() },
            answers: BTreeMap::new(),
            origins: BTreeMap::new(),
            asked: BTreeSet::new(),
            looked: BTreeSet::new(),
            decided: None,
        }
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, id: CallId, shown: ShownStage) {
        let ShownStage { answer, images } = shown;
        self.answers.insert(id, answer.said);
        self.origins.insert(id, (answer.origin, images));
    }

    /// Takes what a look has found.
    pub(super) fn found(&mut self, found: Found) {
        match found {
            Found::Best(best) => self.known.best = Some(best),
            Found::Gray(gray) => self.known.gray = Some(gray),
        }
    }

    /// What it waits for that it did not wait for before; nothing once it is decided.
    ///
    /// # Errors
    /// It waits for nothing: a fault of this program, which would wait for ever.
    pub(super) fn go_on(&mut self, seed: Seed) -> Result<Wants> {
        if self.decided.is_some() {
            return Ok(Wants::default());
        }
        match next(seed, &self.known, &self.answers) {
            Next::Done(decided) => {
                self.decided = Some(*decided);
                Ok(Wants::default())
            }
            Next::Open { mut calls, mut looks } => {
                if calls.is_empty() && looks.is_empty() {
                    return Err(Error::failed(format!("the duel of {} waits for nothing", self.of.name)));
                }
                calls.retain(|call| self.asked.insert(call.id));
                looks.retain(|look| self.looked.insert(*look));
                Ok(Wants { calls, looks })
            }
        }
    }

    /// Is it decided?
    pub(super) fn is_decided(&self) -> bool {
        self.decided.is_some()
    }

    /// It as it is recorded, with what the judge answered to this question; skipped if it is not decided.
    pub(super) fn into_record(self, question: Digest) -> (StagedDuel, DuelEvidence<StagedJudgment>) {
        let evidence = self.evidence(question);
        let (winner, detail) = match self.decided {
            Some(Decided { winner, detail }) => (winner, Some(detail)),
            None => (DuelWinner::Skipped, None),
        };
        let DuelOf { name, prompt, left, right } = self.of;
        let grid = |side: &Side| side.views.as_ref().map(|views| format!("{views}/{GRID}"));
        let (left_png, right_png) = (grid(&left), grid(&right));
        let (left_js, right_js) = (left.js, right.js);
        let extra = Extra::default();
        (StagedDuel { name, prompt, left_js, left_png, right_js, right_png, winner, detail, extra }, evidence)
    }

    fn evidence(&self, question: Digest) -> DuelEvidence<StagedJudgment> {
        let name = self.of.name.clone();
        if let Some(Told::Unjudged(reason)) = self.decided.as_ref().map(|decided| decided.detail.told()) {
            let without_judge = reason.to_owned();
            return DuelEvidence::Unjudged(UnjudgedDuel { name, without_judge, extra: Extra::default() });
        }
        let model = self.origins.values().next().and_then(|(origin, _)| origin.model.clone());
        let calls = self
            .answers
            .iter()
            .zip(self.origins.values())
            .map(|((id, said), (origin, _))| (*id, StageGiven::new(said.clone(), origin, model.as_ref())));
        let calls: Entries<CallId, StageGiven> = calls.collect();
        let best_views = match self.known.best {
            Some(BestViews::Of(a, b)) => Some([a, b]),
            Some(BestViews::None) | None => None,
        };
        DuelEvidence::Judged(Box::new(StagedJudgment {
            name,
            question,
            images: self.images(best_views),
            best_views,
            gray: self.known.gray,
            calls,
            model,
            extra: Extra::default(),
        }))
    }

    /// The digests of what was shown, as far as they are known.
    fn images(&self, best: Option<[View; 2]>) -> ShownImages {
        let shown = self.origins.iter().flat_map(|(id, (_, digests))| id.pictures(best).into_iter().zip(digests));
        let known: HashMap<Picture, Digest> =
            shown.filter_map(|(picture, digest)| Some((picture, (*digest)?))).collect();
        let sums: HashMap<(SideOf, String), Digest> =
            known.iter().filter_map(|(picture, digest)| Some((picture.place()?, *digest))).collect();
        let calls = || self.origins.keys().copied();
        let of = |side| shown_of(side, calls(), best, |path| sums.get(&(side, path.to_owned())).copied());
        let (left, right) = (of(SideOf::A), of(SideOf::B));
        ShownImages { prompt: known.get(&Picture::Prompt).copied(), left, right, extra: Extra::default() }
    }
}

impl DuelOf {
    /// The URL of a picture; `None` of a side without views.
    pub(super) fn url(&self, picture: Picture) -> Option<String> {
        match picture.place() {
            None => Some(self.prompt.clone()),
            Some((side, path)) => Some(format!("{}/{path}", self.side(side).views.as_ref()?)),
        }
    }

    /// A side.
    pub(super) fn side(&self, side: SideOf) -> &Side {
        match side {
            SideOf::A => &self.left,
            SideOf::B => &self.right,
        }
    }
}
