//! A round of duels in progress: what is recorded, what is played and not recorded yet.

use std::collections::HashMap;

use super::files::commit;
use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::threejs::judging::{Course, DuelOf, Played, Side};
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::ids::Seed;
use crate::model::prompts::PromptList;
use crate::model::stage::CompetitionState;
use crate::model::threejs::file::{RoundWords, ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::ThreejsLeaders;
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::threejs::course::{Next, Unit};
use crate::rules::threejs::results::{Outcome, Reported, Terms, record};
use crate::rules::threejs::sides::{in_order, module_of, sides, walks_over};
use crate::ui::Report;

/// A round whose matches are played.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) state: CompetitionState,
    pub(super) terms: Terms,
    pub(super) seed: Seed,
    pub(super) files: ThreejsRound,
    prompts: PromptList,
    /// Results whose turn to be recorded has not come.
    complete: HashMap<Unit, Outcome>,
}

impl Table {
    /// Takes the round's files.
    pub(super) fn lay(standing: ThreejsStanding) -> Result<Table> {
        let round = standing.state.current_round;
        let seed = standing.need(&standing.files.seed, ThreejsRoundFile::Seed)?.seed;
        let prompts = standing.need(&standing.files.prompts, ThreejsRoundFile::Prompts)?.clone();
        standing.need(&standing.files.submissions, ThreejsRoundFile::Submissions)?;
        let ThreejsStanding { config, state, files } = standing;
        let terms = Terms { round, win_margin: config.settings.win_margin, repeats: config.audit_repeats };
        Ok(Table { state, terms, seed, files, prompts, complete: HashMap::new() })
    }

    /// `leader.json`
    #[allow(clippy::unused_self, reason = "read when it is needed")]
    pub(super) fn leaders(&self, context: &Context<'_>) -> Result<ThreejsLeaders> {
        context.store.need(&ThreejsFile::Leader)
    }

    /// The course of its matches, for the judge who is asked this.
    pub(super) fn course<'t, 'c>(
        &'t mut self,
        context: &'t Context<'c>,
        question: &'t RoundWords,
        report: &'t mut Report,
    ) -> InPlay<'t, 'c> {
        InPlay { table: self, context, question, report }
    }

    fn next(&self) -> Result<Next> {
        self.terms.next(&self.files).map_err(Error::failed)
    }

    /// The result of a match that is played already, or is not played at all.
    fn outcome(&mut self, unit: &Unit) -> Result<Option<Outcome>> {
        if let Some(outcome) = self.complete.remove(unit) {
            return Ok(Some(outcome));
        }
        let sides = sides(&self.files, unit).map_err(|why| self.missing(&why))?;
        Ok(walks_over(unit, sides).map(|margin| Outcome { margin, report: None }))
    }

    fn missing(&self, why: &crate::rules::threejs::sides::NoOutputs) -> Error {
        let error = Error::failed(format!("rounds/{}/{why}", self.terms.round));
        error.hint("`gen404 verify` lists everything that is missing")
    }
}

/// Matches in play.
pub(super) struct InPlay<'t, 'c> {
    table: &'t mut Table,
    context: &'t Context<'c>,
    question: &'t RoundWords,
    report: &'t mut Report,
}

impl InPlay<'_, '_> {
    /// Records results whose turn has come. Returns what comes next.
    fn record(&mut self) -> Result<Next> {
        loop {
            let next = self.table.next()?;
            let Next::Play { turn, .. } = &next else { return Ok(next) };
            let Some(unit) = turn.first() else { return Ok(next) };
            let Some(outcome) = self.table.outcome(unit)? else { return Ok(next) };
            let requests = self.table.files.require_audit.get().cloned();
            let table = &mut *self.table;
            let plan = record(&table.terms, &mut table.files, unit, &outcome, self.question).map_err(Error::failed)?;
            self.context.write(&plan, self.report)?;
            plan.says.iter().for_each(|line| self.context.ui.status(line));
            if self.table.files.require_audit.get().cloned() != requests {
                // Audits take hours, so commit the requests at once for hosts that audit elsewhere.
                commit(self.context, self.table, self.report)?;
            }
        }
    }
}

impl Course<Unit> for InPlay<'_, '_> {
    fn wanted(&mut self) -> Result<Vec<Unit>> {
        let Next::Play { turn, ahead } = self.record()? else { return Ok(Vec::new()) };
        let table = &self.table;
        let to_play = |unit: &Unit| {
            let played = table.complete.contains_key(unit);
            let walks = sides(&table.files, unit).is_ok_and(|sides| walks_over(unit, sides).is_some());
            !played && !walks
        };
        Ok(turn.into_iter().chain(ahead).filter(to_play).collect())
    }

    fn duels(&mut self, unit: &Unit) -> Result<Vec<DuelOf>> {
        let [left, right] = sides(&self.table.files, unit).map_err(|why| self.table.missing(&why))?;
        let side = |(js, views)| Side { js, views };
        let duel = |prompt: &crate::model::prompts::Prompt| DuelOf {
            name: prompt.stem().clone(),
            prompt: prompt.url().to_owned(),
            left: side(module_of(left, prompt.stem())),
            right: side(module_of(right, prompt.stem())),
        };
        Ok(in_order(&self.table.prompts).into_iter().map(duel).collect())
    }

    fn finished(&mut self, unit: &Unit, played: Played) -> Result<()> {
        let Played { score, margin, duels, answers } = played;
        let report = Some(Reported { score, duels, answers });
        self.table.complete.insert(unit.clone(), Outcome { margin, report });
        self.record().map(drop)
    }
}
