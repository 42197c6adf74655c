//! `open` and `reveal-seed` of three.js modules: who may take part, and on which hardware.

use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::snapshot::Slot;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::{ThreejsLeaders, ThreejsSubmissions};
use crate::rules::Plan;
use crate::rules::opening::Beginning;
use crate::rules::submissions::Intake;
use crate::rules::threejs::opening::{self, Admitted, HardwareByMiner};

/// Records the submissions so far.
///
/// # Errors
/// `submissions.json` does not parse.
pub(crate) fn open(standing: &ThreejsStanding, intake: &Intake) -> Result<Plan> {
    let hardware = HardwareByMiner::new();
    let admitted = Admitted { intake, hardware: &hardware, recorded: recorded(standing)? };
    Ok(opening::open(standing.state.current_round, &admitted))
}

/// Fixes the round's submissions, seed and prompts.
///
/// # Errors
/// A file is missing or broken, or there are too few prompts.
pub(crate) fn reveal(
    context: &Context<'_>,
    standing: &ThreejsStanding,
    begins: Beginning<'_>,
    intake: &Intake,
) -> Result<Plan> {
    let hardware = HardwareByMiner::new();
    let admitted = Admitted { intake, hardware: &hardware, recorded: recorded(standing)? };
    let leaders: ThreejsLeaders = context.store.need(&ThreejsFile::Leader)?;
    opening::reveal(&begins, &admitted, &leaders).map_err(Error::failed)
}

/// The recorded `submissions.json`, if any.
fn recorded(standing: &ThreejsStanding) -> Result<Option<&ThreejsSubmissions>> {
    match &standing.files.submissions {
        Slot::Broken => {
            let path = ThreejsFile::Round(standing.state.current_round, ThreejsRoundFile::Submissions).path();
            Err(Error::failed(format!("{path}: does not parse")).hint("`gen404 verify` shows where; fix or remove it"))
        }
        slot => Ok(slot.get()),
    }
}
