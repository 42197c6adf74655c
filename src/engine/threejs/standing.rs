//! Where a competition of three.js modules stands.

use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::model::ids::RoundNumber;
use crate::model::snapshot::Slot;
use crate::model::stage::CompetitionState;
use crate::model::threejs::config::ThreejsConfig;
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile};
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::rules::threejs::due::ThreejsWork;

/// The files that a command decides by, as read when it began.
#[derive(Debug)]
pub(crate) struct ThreejsStanding {
    pub(crate) config: ThreejsConfig,
    pub(crate) state: CompetitionState,
    /// The current round's.
    pub(crate) files: ThreejsRound,
}

impl ThreejsStanding {
    /// What the files say of the work in the round's stages.
    pub(crate) fn work(&self) -> ThreejsWork<'_> {
        let (win_margin, audit_repeats) = (self.config.settings.win_margin, self.config.audit_repeats);
        ThreejsWork { files: &self.files, win_margin, audit_repeats }
    }

    /// A required file of the round, by its contents.
    ///
    /// # Errors
    /// It is missing or does not parse.
    pub(crate) fn need<'s, T>(&self, slot: &'s Slot<T>, file: ThreejsRoundFile) -> Result<&'s T> {
        slot.get().ok_or_else(|| {
            let path = ThreejsFile::Round(self.state.current_round, file).path();
            let what = if slot.is_missing() { "missing" } else { "does not parse" };
            Error::failed(format!("{path}: {what}")).hint("`gen404 verify` says more")
        })
    }
}

impl Context<'_> {
    /// As [`Context::standing`], for a competition of three.js modules.
    ///
    /// # Errors
    /// `config.json` or `state.json` is missing or broken, or the files cannot be read.
    pub(crate) fn threejs_standing(&self) -> Result<ThreejsStanding> {
        self.threejs_standing_in(None)
    }

    /// As [`Context::threejs_standing`], as if this were the current round.
    ///
    /// # Errors
    /// As [`Context::threejs_standing`].
    pub(crate) fn threejs_standing_in(&self, round: Option<RoundNumber>) -> Result<ThreejsStanding> {
        let config: ThreejsConfig = self.store.need(&ThreejsFile::Config)?;
        let mut state: CompetitionState = self.store.need(&ThreejsFile::State)?;
        state.current_round = round.unwrap_or(state.current_round);
        let round = state.current_round;
        // Nothing rests on the judge's answers, which are most of a round's bytes.
        let wanted = |file: &ThreejsFile| {
            file.round() == Some(round) && !matches!(file, ThreejsFile::Player(_, _, ThreejsPlayerFile::Answers(_)))
        };
        let mut snapshot = ThreejsSnapshot::load_some(&self.tree()?, wanted)?;
        Ok(ThreejsStanding { config, state, files: snapshot.rounds.remove(&round).unwrap_or_default() })
    }
}
