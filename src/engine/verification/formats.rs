//! `verify` on competitions that are not of meshes.

use std::ops::Range;

use crate::base::error::Result;
use crate::engine::context::Context;
use crate::engine::verification::eras::Past;
use crate::engine::verification::in_force_by_path::Origins;
use crate::model::config::Settings;
use crate::model::format::detect::{Detected, FormatName, detect};
use crate::model::ids::{Block, RoundNumber};
use crate::model::seed::SeedFile;
use crate::model::snapshot::{Problem, Source};
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::checks::Sink;
use crate::rules::checks::formats::{OtherFacts, run_splat, run_threejs};
use crate::world::git::Git;

/// Which format the files of a folder or commit have. What cannot be read is no sign: the checks on the files report it.
///
/// # Errors
/// The source cannot be listed.
pub(crate) fn recognise(source: &dyn Source) -> Result<Detected> {
    let paths = source.list()?;
    Ok(detect(paths.iter().map(String::as_str), |path| source.read(path).ok().flatten()))
}

/// The files of a competition that is not of meshes.
pub(crate) enum OtherSnapshot {
    /// Of splats.
    Splat(SplatSnapshot),
    /// Of three.js modules.
    Threejs(ThreejsSnapshot),
}

impl OtherSnapshot {
    /// Reads the files of a competition of this format; `None` for one of meshes.
    ///
    /// # Errors
    /// The source cannot be listed or is outside the competition, or its files are too large together.
    pub(crate) fn load(source: &dyn Source, format: FormatName) -> Result<Option<OtherSnapshot>> {
        Ok(match format {
            FormatName::Mesh => None,
            FormatName::Splat => Some(OtherSnapshot::Splat(SplatSnapshot::load_some(source, |_| true)?)),
            FormatName::Threejs => Some(OtherSnapshot::Threejs(ThreejsSnapshot::load_some(source, |_| true)?)),
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

    fn format(&self) -> FormatName {
        match self {
            OtherSnapshot::Splat(_) => FormatName::Splat,
            OtherSnapshot::Threejs(_) => FormatName::Threejs,
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
        Ok(OtherFacts { rules, pools, ..facts })
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

    /// What is wrong with files as files.
    pub(crate) fn problems(&self) -> &[Problem] {
        match self {
            OtherSnapshot::Splat(snapshot) => &snapshot.problems,
            OtherSnapshot::Threejs(snapshot) => &snapshot.problems,
        }
    }
}
