//! `gen404 finalize`: closes the round, records the leader, opens the next round.

use crate::base::error::{Error, Result};
use crate::cli::Global;
use crate::engine::common::not_due;
use crate::engine::context::Context;
use crate::engine::stands::{AnyStanding, Stands};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::RoundNumber;
use crate::model::leader::Leaders;
use crate::model::schedule::Schedule;
use crate::model::stage::Stage;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::{ThreejsLeaders, ThreejsWinner};
use crate::model::winner::Winner;
use crate::rules::stage_table::is_for;
use crate::rules::succession::{Finished, finalize};
use crate::rules::threejs::{self, leader::ThreejsFinished};
use crate::settings::flags::MomentArgs;
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &MomentArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("finalize", report)?;
    let standing = context.stands()?;
    if done_already(&context, &*standing)? {
        report.say(format!("round {} is already finalized", last_round(&*standing)));
        return Ok(());
    }
    if !is_for("finalize", standing.stage()) {
        return Err(not_due(&context, &*standing, "finalize", None));
    }
    let (settings, state, round) = (standing.settings(), standing.state(), standing.round());
    let schedule = context.store.load::<Schedule>(&FileKind::Round(round, RoundFile::Schedule))?;
    let schedule = schedule.as_ref();
    let plan = match &standing {
        AnyStanding::Mesh(_) => {
            let leaders = context.store.need::<Leaders>(&FileKind::Leader)?;
            let winner = context.store.need::<Winner>(&FileKind::Round(round, RoundFile::Winner))?;
            let finished = Finished { settings, state, schedule, leaders: &leaders, winner: &winner };
            finalize(&finished, context.current_moment(args)?)
        }
        AnyStanding::Threejs(_) => {
            let leaders = context.store.need::<ThreejsLeaders>(&ThreejsFile::Leader)?;
            let file = ThreejsFile::Round(round, ThreejsRoundFile::Winner);
            let winner = context.store.need::<ThreejsWinner>(&file)?;
            let finished = ThreejsFinished { settings, state, schedule, leaders: &leaders, winner: &winner };
            threejs::leader::finalize(&finished, context.current_moment(args)?)
        }
    };
    context.apply(&plan.map_err(Error::failed)?, report)
}

/// The round that the last finalization closed.
fn last_round(standing: &dyn Stands) -> RoundNumber {
    let round = standing.round();
    if standing.stage() == Stage::Finished { round } else { round.previous().unwrap_or(round) }
}

/// Is the stage the one right after finalizing, with the finished round's winner recorded?
fn done_already(context: &Context<'_>, standing: &dyn Stands) -> Result<bool> {
    let before = match standing.stage() {
        Stage::Finished => Some(standing.round()),
        Stage::Open => standing.round().previous(),
        _ => None,
    };
    let Some(round) = before else { return Ok(false) };
    Ok(context.store.read_file(&FileKind::Round(round, RoundFile::Winner))?.is_some())
}
