//! `gen404 pause` and `gen404 resume`: pause and resume the competition.

use crate::base::error::{Error, Result};
use crate::cli::{Global, PauseArgs, ResumeArgs};
use crate::engine::context::Context;
use crate::model::stage::{Stage, round_in};
use crate::rules::pausing::pause_because;
use crate::rules::stages;
use crate::ui::{Report, Ui};

pub(super) fn pause(global: &Global, ui: &Ui, args: &PauseArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("pause", report)?;
    let standing = context.stands()?;
    let state = standing.state();
    if state.stage == Stage::Paused {
        report.say(format!("the competition is already paused{}", context.pause_of(state.current_round).told()));
        if args.reason.is_some() {
            report.say("its reason stays as it was: resume it and pause it again to give another");
        }
        return Ok(());
    }
    let reason = args.reason.as_deref();
    let plan = pause_because(state, reason).map_err(Error::not_due)?;
    if !global.dry_run {
        // A commit keeps it for everyone; without one, this host does.
        match global.commit {
            true => context.forget_pause(),
            false => context.note_pause(state.current_round, reason),
        }?;
    }
    context.apply(&plan, report)?;
    report.facts.push(reason.map_or_else(|| "paused".to_owned(), |reason| format!("paused: {reason}")));
    if reason.is_some() && !global.commit {
        report.say("the reason is kept on this machine only: with --commit it goes into the commit's message");
    }
    Ok(())
}

pub(super) fn resume(global: &Global, ui: &Ui, args: &ResumeArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("resume", report)?;
    let standing = context.stands()?;
    let state = standing.state();
    if state.stage != Stage::Paused {
        report.say(format!("the competition is not paused: {}", round_in(state.current_round, state.stage)));
        return Ok(());
    }
    let reason = context.pause_of(state.current_round).reason;
    context.apply(&stages::resume(state, standing.shown_by(), args.stage).map_err(Error::failed)?, report)?;
    report.facts.push(reason.map_or_else(|| "resumed".to_owned(), |why| format!("resumed: it was paused for: {why}")));
    if global.dry_run { Ok(()) } else { context.forget_pause() }
}
