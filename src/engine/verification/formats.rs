//! `verify` on competitions that gen404 does not run.

use crate::base::error::Result;
use crate::engine::verification::eras::Past;
use crate::model::format::Format;
use crate::model::format::detect::Detected;
use crate::model::snapshot::{Problem, Source};
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::checks::Sink;
use crate::rules::checks::formats::{history, run_splat, run_threejs};
use crate::world::git::Git;

/// Checks the history of a competition of another format: since the last commit that added rounds/0/seed.json or
/// changed the format.
///
/// # Errors
/// An object is missing or broken, or the history is larger than any competition's.
pub(crate) fn check_history(git: &Git, detected: &Detected, sink: &mut Sink) -> Result<()> {
    let past = Past::of(git)?;
    history::check(detected.format, &past.commits, &past.newest(), &mut |blob| past.reader.blob(blob), sink)?;
    past.say_shallow(sink);
    Ok(())
}

/// The files of a competition that gen404 reads and does not run.
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
    /// The source cannot be listed or lies elsewhere, or its files are too large together.
    pub(crate) fn load(source: &dyn Source, format: Format) -> Result<Option<OtherSnapshot>> {
        Ok(match format {
            Format::Splat => Some(OtherSnapshot::Splat(SplatSnapshot::load_some(source, |_| true)?)),
            Format::Threejs => Some(OtherSnapshot::Threejs(ThreejsSnapshot::load_some(source, |_| true)?)),
            _ => None,
        })
    }

    /// Checks the files.
    pub(crate) fn check(&self, detected: &Detected) -> Sink {
        let mut sink = match self {
            OtherSnapshot::Splat(snapshot) => run_splat(snapshot),
            OtherSnapshot::Threejs(snapshot) => run_threejs(snapshot),
        };
        if let Some(mistake) = &detected.mistake {
            sink.claim("file.parse", None, "config.json", |claim| claim.fail(mistake.clone()));
        }
        sink
    }

    /// What is wrong with files as files.
    pub(crate) fn problems(&self) -> &[Problem] {
        match self {
            OtherSnapshot::Splat(snapshot) => &snapshot.problems,
            OtherSnapshot::Threejs(snapshot) => &snapshot.problems,
        }
    }
}

/// Checks the files of a competition of another format; `None` for one that gen404 runs. What is `asked` for beside them
/// cannot be told of these formats yet.
///
/// # Errors
/// The source cannot be listed or lies elsewhere, or its files are too large together.
pub(crate) fn check(source: &dyn Source, detected: &Detected, asked: &[&str]) -> Result<Option<Sink>> {
    let Some(snapshot) = OtherSnapshot::load(source, detected.format)? else { return Ok(None) };
    let mut sink = snapshot.check(detected);
    for flag in asked {
        sink.claim("state.files", None, *flag, |claim| {
            claim.skip(format!(
                "not told of a {} competition yet: only its files and its history are checked",
                detected.format
            ));
        });
    }
    Ok(Some(sink))
}
