//! Competitions of splats, for `status`, which gen404 reads and checks, but does not run; and the leaders of any format.

use serde::Serialize;

use crate::base::error::Result;
use crate::engine::context::Context;
use crate::model::file::FileKind;
use crate::model::format::Format;
use crate::model::ids::{Block, RoundNumber};
use crate::model::leader::{LeaderEntry, Leaders};
use crate::model::splat::config::SplatConfig;
use crate::model::splat::leader::SplatLeaders;
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::splat::state::SplatState;
use crate::model::stage::Timestamp;
use crate::rules::splat;

/// The blocks of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct RoundBlocks {
    pub(crate) earliest_reveal_block: Block,
    pub(crate) latest_reveal_block: Block,
    /// Splats have none: no miner generates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation_deadline_block: Option<Block>,
}

/// The standing of a competition of another format.
#[derive(Debug, Clone)]
pub(crate) struct OtherStanding {
    pub(crate) name: String,
    /// `None` before the first round.
    pub(crate) round: Option<RoundNumber>,
    pub(crate) stage: &'static str,
    pub(crate) eta: Option<Timestamp>,
    pub(crate) schedule: Option<RoundBlocks>,
    /// What is outstanding in the stage.
    pub(crate) open: Vec<String>,
}

/// The standing of a competition of this format; `None` for one that gen404 runs.
///
/// # Errors
/// config.json or state.json is missing or broken, or the files cannot be read.
pub(crate) fn standing(context: &Context<'_>, format: Format) -> Result<Option<OtherStanding>> {
    match format {
        Format::Splat => of_splat(context).map(Some),
        _ => Ok(None),
    }
}

fn of_splat(context: &Context<'_>) -> Result<OtherStanding> {
    let config: SplatConfig = context.store.need(&FileKind::Config)?;
    let state: SplatState = context.store.need(&FileKind::State)?;
    let round = state.round();
    let mut snapshot = SplatSnapshot::load_some(&context.tree()?, |file| file.round() == round && round.is_some())?;
    let files = round.and_then(|round| snapshot.rounds.remove(&round)).unwrap_or_default();
    let schedule = files.schedule.get().map(|schedule| RoundBlocks {
        earliest_reveal_block: schedule.earliest_reveal_block,
        latest_reveal_block: schedule.latest_reveal_block,
        generation_deadline_block: None,
    });
    let open = splat::outstanding::outstanding(&files, state.stage, config.settings.win_margin);
    Ok(OtherStanding { name: config.settings.name, round, stage: state.stage.as_str(), eta: None, schedule, open })
}

/// The entries of leader.json; none where the file is missing. Hardware is kept as a key beyond the shared ones.
///
/// # Errors
/// The file cannot be read, or is broken.
pub(crate) fn leaders(context: &Context<'_>, format: Format) -> Result<Vec<LeaderEntry>> {
    let store = &context.store;
    match format {
        Format::Splat => Ok(entries(store.load(&FileKind::Leader)?)),
        _ => Ok(store.load::<Leaders>(&FileKind::Leader)?.unwrap_or_default()),
    }
}

/// As [`leaders`], but the file has to be there.
///
/// # Errors
/// As [`leaders`], or the file is missing.
pub(crate) fn need_leaders(context: &Context<'_>, format: Format) -> Result<Vec<LeaderEntry>> {
    match format {
        Format::Splat => Ok(entries(Some(context.store.need(&FileKind::Leader)?))),
        _ => context.store.need::<Leaders>(&FileKind::Leader),
    }
}

fn entries(leaders: Option<SplatLeaders>) -> Vec<LeaderEntry> {
    leaders.map(|leaders| leaders.entries().to_vec()).unwrap_or_default()
}
