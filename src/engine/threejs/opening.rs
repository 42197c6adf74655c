//! `open` and `reveal-seed` of three.js modules: who may take part, and on which hardware.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::ids::Block;
use crate::model::snapshot::Slot;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::{ThreejsLeaders, ThreejsSubmissions};
use crate::rules::Plan;
use crate::rules::opening::Beginning;
use crate::rules::submissions::Intake;
use crate::rules::threejs::admission::{Holdings, admit, hardware};
use crate::rules::threejs::opening::{self, Admitted, HardwareByMiner};
use crate::settings::flags::env;
use crate::world::chain::Chain;
use crate::world::github_files::RepositoryFiles;

/// The file in a miner's repository that names its hardware.
const HARDWARE_FILE: &str = "hardware.json";

/// Of what was revealed, the submissions of those that may take part, by the chain at the end of this block.
///
/// # Errors
/// The chain cannot be read, or cannot tell.
pub(crate) fn admitted(context: &Context<'_>, intake: Intake, chain: &dyn Chain, at: Block) -> Result<Intake> {
    let required = context.config.miners.required_lock_alpha;
    if required == 0 || intake.accepted.is_empty() {
        return Ok(intake);
    }
    let mut holdings = Holdings { owners: BTreeMap::new(), locked: BTreeMap::new(), at };
    for hotkey in intake.accepted.keys() {
        holdings.owners.insert(hotkey.clone(), chain.owner(at, hotkey)?);
    }
    let owners: BTreeSet<_> = holdings.owners.values().flatten().cloned().collect();
    for owner in owners {
        let locked = chain.locked(at, &owner)?;
        holdings.locked.insert(owner, locked);
    }
    Ok(admit(intake, &holdings, required))
}

/// Records the submissions so far.
///
/// # Errors
/// `submissions.json` does not parse, or a repository cannot be read.
pub(crate) fn open(context: &Context<'_>, standing: &ThreejsStanding, intake: &Intake) -> Result<Plan> {
    let recorded = recorded(standing)?;
    let hardware = hardware_of(context, intake, recorded)?;
    let admitted = Admitted { intake, hardware: &hardware, recorded };
    Ok(opening::open(standing.state.current_round, &admitted))
}

/// Fixes the round's submissions, seed and prompts.
///
/// # Errors
/// A file is missing or broken, a repository cannot be read, or there are too few prompts.
pub(crate) fn reveal(
    context: &Context<'_>,
    standing: &ThreejsStanding,
    begins: Beginning<'_>,
    intake: &Intake,
) -> Result<Plan> {
    let recorded = recorded(standing)?;
    let hardware = hardware_of(context, intake, recorded)?;
    let admitted = Admitted { intake, hardware: &hardware, recorded };
    let leaders: ThreejsLeaders = context.store.need(&ThreejsFile::Leader)?;
    opening::reveal(&begins, &admitted, &leaders).map_err(Error::failed)
}

/// What each program can run on, by its repository. What is recorded for the same commit stays: a repository may vanish.
fn hardware_of(
    context: &Context<'_>,
    intake: &Intake,
    recorded: Option<&ThreejsSubmissions>,
) -> Result<HardwareByMiner> {
    let mut by_miner = HardwareByMiner::new();
    if !context.config.miners.hardware {
        return Ok(by_miner);
    }
    let files = RepositoryFiles::open(&context.config.miners.hardware_url, env)?;
    for (hotkey, submission) in intake.accepted.iter() {
        let known = recorded.and_then(|recorded| recorded.get(hotkey));
        let known = known.filter(|known| known.repo == submission.repo && known.commit == submission.commit);
        let found = match known.and_then(|known| known.hardware.clone()) {
            Some(hardware) => hardware,
            None => hardware(files.read(&submission.repo, &submission.commit, HARDWARE_FILE)?.as_deref()),
        };
        by_miner.insert(hotkey.clone(), found);
    }
    Ok(by_miner)
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
