//! `gen404 finalize`: closes the round, records the leader, opens the next round.

use crate::base::error::{Error, Result};
use crate::cli::Global;
use crate::engine::common::not_due;
use crate::engine::context::{Context, Standing};
use crate::model::file::{FileKind, RoundFile};
use crate::model::leader::Leaders;
use crate::model::schedule::Schedule;
use crate::model::stage::Stage;
use crate::model::winner::Winner;
use crate::rules::stage_table::is_for;
use crate::rules::succession::{Finished, finalize};
use crate::settings::flags::MomentArgs;
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &MomentArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("finalize", report)?;
    let standing = context.standing()?;
    if done_already(&context, &standing)? {
        report.say(format!("round {} is already finalized", last_round(&standing)));
        return Ok(());
    }
    if !is_for("finalize", standing.state.stage) {
        return Err(not_due(&context, &standing, "finalize", None));
    }
    let Standing { config, state, .. } = standing;
    let round = state.current_round;
    let schedule = context.store.load::<Schedule>(&FileKind::Round(round, RoundFile::Schedule))?;
    let leaders = context.store.need::<Leaders>(&FileKind::Leader)?;
    let winner = context.store.need::<Winner>(&FileKind::Round(round, RoundFile::Winner))?;
    let settings = &config.settings;
    let finished =
        Finished { settings, state: &state, schedule: schedule.as_ref(), leaders: &leaders, winner: &winner };
    let plan = finalize(&finished, context.current_moment(args)?).map_err(Error::failed)?;
    context.apply(&plan, report)
}

/// The round that the last finalization closed.
fn last_round(standing: &Standing) -> crate::model::ids::RoundNumber {
    let round = standing.state.current_round;
    if standing.state.stage == Stage::Finished { round } else { round.previous().unwrap_or(round) }
}

/// Is the stage the one right after finalizing, with the finished round's winner recorded?
fn done_already(context: &Context<'_>, standing: &Standing) -> Result<bool> {
    let before = match standing.state.stage {
        Stage::Finished => Some(standing.state.current_round),
        Stage::Open => standing.state.current_round.previous(),
        _ => None,
    };
    let Some(round) = before else { return Ok(false) };
    Ok(context.store.load::<Winner>(&FileKind::Round(round, RoundFile::Winner))?.is_some())
}
