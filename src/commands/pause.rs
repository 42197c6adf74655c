//! `gen404 pause` and `gen404 resume`: pause and resume the competition.

use crate::base::error::{Error, Result};
use crate::cli::{Global, ResumeArgs};
use crate::engine::context::{Context, Standing};
use crate::model::stage::{Stage, round_in};
use crate::rules::stages;
use crate::ui::{Report, Ui};

pub(super) fn pause(global: &Global, ui: &Ui, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("pause", report)?;
    let Standing { state, .. } = context.standing()?;
    if state.stage == Stage::Paused {
        report.say("the competition is already paused");
        return Ok(());
    }
    context.apply(&stages::pause(&state).map_err(Error::not_due)?, report)
}

pub(super) fn resume(global: &Global, ui: &Ui, args: &ResumeArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("resume", report)?;
    let Standing { state, files, .. } = context.standing()?;
    if state.stage != Stage::Paused {
        report.say(format!("the competition is not paused: {}", round_in(state.current_round, state.stage)));
        return Ok(());
    }
    context.apply(&stages::resume(&state, &files, args.stage).map_err(Error::failed)?, report)
}
