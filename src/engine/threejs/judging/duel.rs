//! A duel on its way: what is known of it, and what it still waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::{DuelOf, Side};
use crate::base::error::{Error, Result};
use crate::model::ids::Seed;
use crate::model::record::Extra;
use crate::model::report::DuelWinner;
use crate::model::threejs::asked::StageAnswer;
use crate::model::threejs::duels::StagedDuel;
use crate::model::threejs::view::GRID;
use crate::rules::threejs::staged::{
    BestViews, CallId, Decided, GrayMeasure, Known, Look, Next, Picture, SideOf, StageCall, next,
};

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
            asked: BTreeSet::new(),
            looked: BTreeSet::new(),
            decided: None,
        }
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, id: CallId, answer: StageAnswer) {
        self.answers.insert(id, answer);
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

    /// It as it is recorded; skipped if it is not decided.
    pub(super) fn into_record(self) -> StagedDuel {
        let (winner, detail) = match self.decided {
            Some(Decided { winner, detail }) => (winner, Some(detail)),
            None => (DuelWinner::Skipped, None),
        };
        let DuelOf { name, prompt, left, right } = self.of;
        let grid = |side: &Side| side.views.as_ref().map(|views| format!("{views}/{GRID}"));
        let (left_png, right_png) = (grid(&left), grid(&right));
        let (left_js, right_js) = (left.js, right.js);
        StagedDuel { name, prompt, left_js, left_png, right_js, right_png, winner, detail, extra: Extra::default() }
    }
}

impl DuelOf {
    /// The URL of a picture; `None` of a side without views.
    pub(super) fn url(&self, picture: Picture) -> Option<String> {
        let below = |side: SideOf, path: &str| Some(format!("{}/{path}", self.side(side).views.as_ref()?));
        match picture {
            Picture::Prompt => Some(self.prompt.clone()),
            Picture::White(side, view) => below(side, &view.white()),
            Picture::Gray(side, view) => below(side, &view.gray()),
            Picture::Grid(side) => below(side, GRID),
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
