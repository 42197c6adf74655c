//! `verify` on competitions that gen404 does not run.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::base::error::Result;
use crate::engine::context::Context;
use crate::engine::verification::eras::Past;
use crate::engine::verification::in_force_by_path::Origins;
use crate::model::config::Settings;
use crate::model::format::Format;
use crate::model::ids::{Block, RoundNumber};
use crate::model::seed::SeedFile;
use crate::model::snapshot::{Problem, Source};
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::certainty::rounds::{Match, of_splats, of_threejs};
use crate::rules::checks::Sink;
use crate::rules::checks::formats::{OtherFacts, run_splat, run_threejs};
use crate::rules::checks::in_force::InForce;
use crate::world::git::Git;

/// The files of a competition that is not of meshes.
pub(crate) enum OtherSnapshot {
    /// Of splats.
    Splat(SplatSnapshot),
    /// Of three.js modules.
    Threejs(ThreejsSnapshot),
}

impl OtherSnapshot {
    /// Reads the files of a competition of this format; `None` for one that gen404 runs.
    ///
    /// # Errors
    /// The source cannot be listed or is outside the competition, or its files are too large together.
    pub(crate) fn load(source: &dyn Source, format: Format) -> Result<Option<OtherSnapshot>> {
        Ok(match format {
            Format::Splat => Some(OtherSnapshot::Splat(SplatSnapshot::load_some(source, |_| true)?)),
            Format::Threejs => Some(OtherSnapshot::Threejs(ThreejsSnapshot::load_some(source, |_| true)?)),
            _ => None,
        })
    }

    /// The settings, as all formats share them.
    pub(crate) fn settings(&self) -> Option<Settings> {
        match self {
            OtherSnapshot::Splat(snapshot) => snapshot.config.get().map(|config| config.settings.shared()),
            OtherSnapshot::Threejs(snapshot) => snapshot.config.get().map(|config| config.settings.clone()),
        }
    }

    /// The rounds.
    pub(crate) fn rounds(&self) -> Vec<RoundNumber> {
        match self {
            OtherSnapshot::Splat(snapshot) => snapshot.rounds.keys().copied().collect(),
            OtherSnapshot::Threejs(snapshot) => snapshot.rounds.keys().copied().collect(),
        }
    }

    fn format(&self) -> Format {
        match self {
            OtherSnapshot::Splat(_) => Format::Splat,
            OtherSnapshot::Threejs(_) => Format::Threejs,
        }
    }

    /// What the checks use besides these files of `source`: what the competition's commits say.
    ///
    /// # Errors
    /// An object of the history is missing or broken.
    pub(crate) fn facts(&self, source: &dyn Source, git: &Git, past: &Past, era: Range<usize>) -> Result<OtherFacts> {
        let facts = OtherFacts::of_files(self.settings());
        let (origins, rounds) = (Origins::of(git, past, era, self.format(), source), self.rounds());
        let rules = origins.in_force(facts.rules, &rounds)?;
        let pools = rounds.into_iter().map(|round| Ok((round, origins.pool(round)?))).collect::<Result<_>>()?;
        let recorded = match self {
            OtherSnapshot::Threejs(snapshot) => origins.recorded(snapshot)?,
            OtherSnapshot::Splat(_) => BTreeMap::new(),
        };
        Ok(OtherFacts { rules, pools, recorded, ..facts })
    }

    /// As [`OtherSnapshot::facts`], for the files in the competition's folder; without a history, they are all there is.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(crate) fn facts_here(&self, context: &Context<'_>, past: Option<&Past>) -> Result<OtherFacts> {
        let facts = match (&context.git, past) {
            (Some(git), Some(past)) => self.facts(&context.store, git, past, past.newest_era())?,
            _ => OtherFacts::of_files(self.settings()),
        };
        Ok(OtherFacts { allow_private_cdn: context.config.miners.allow_private_cdn, ..facts })
    }

    /// Each round's seed and last block of reveals, for what the chain says about them.
    pub(crate) fn seeds(&self) -> Vec<(RoundNumber, &SeedFile, Block)> {
        match self {
            OtherSnapshot::Splat(snapshot) => snapshot
                .rounds
                .iter()
                .filter_map(|(round, of)| Some((*round, of.seed.get()?, of.schedule.get()?.latest_reveal_block)))
                .collect(),
            OtherSnapshot::Threejs(snapshot) => snapshot
                .rounds
                .iter()
                .filter_map(|(round, of)| Some((*round, of.seed.get()?, of.schedule.get()?.latest_reveal_block)))
                .collect(),
        }
    }

    /// Checks the files.
    pub(crate) fn check(&self, facts: &OtherFacts) -> Sink {
        match self {
            OtherSnapshot::Splat(snapshot) => run_splat(snapshot, facts),
            OtherSnapshot::Threejs(snapshot) => run_threejs(snapshot, facts),
        }
    }

    /// The matches, of all rounds or of one.
    pub(crate) fn matches(&self, rules: &InForce, only: Option<RoundNumber>) -> Vec<Match> {
        match self {
            OtherSnapshot::Splat(snapshot) => of_splats(snapshot, rules, only),
            OtherSnapshot::Threejs(snapshot) => of_threejs(snapshot, rules, only),
        }
    }

    /// What is wrong with files as files.
    pub(crate) fn problems(&self) -> &[Problem] {
        match self {
            OtherSnapshot::Splat(snapshot) => &snapshot.problems,
            OtherSnapshot::Threejs(snapshot) => &snapshot.problems,
        }
    }
}
