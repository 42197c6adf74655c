//! `gen404 duel`: play the matches that the tournament needs, call for audits, crown the winner.

mod board;
mod play;
mod round;
mod standings;

use std::process::ExitCode;
use std::time::Duration;

use self::play::Play;
use self::round::Round;
use super::common::{judge_key, judge_settings, not_due};
use super::context::{Context, Standing};
use crate::cli::{DuelArgs, Global};
use crate::error::{Error, Kind, Result};
use crate::rules::bout::Bout;
use crate::rules::conclusion::record;
use crate::rules::programme::programme;
use crate::rules::shard::Shard;
use crate::state::stage::Stage;
use crate::ui::Ui;
use crate::world::judge::Bench;
use crate::world::judge::journal::Journal;
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &DuelArgs) -> Result<ExitCode> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui)? };
    loop {
        let Some(waits) = session(&context, args)? else { return Ok(ExitCode::SUCCESS) };
        if !args.wait {
            return Ok(ExitCode::from(Kind::NotDue.exit_code()));
        }
        // The lock is free meanwhile: the audits come through this folder.
        ui.status(&format!("{waits}; looking again in {} s", args.poll));
        context.stop.sleep(Duration::from_secs(args.poll));
        context.stop.check()?;
    }
}

/// Plays as far as it goes; what it waits for, where it waits.
fn session(context: &Context<'_>, args: &DuelArgs) -> Result<Option<String>> {
    let _lock = context.lock("duel")?;
    let standing = context.standing()?;
    if let Some(done) = done_already(&standing) {
        context.ui.result(&done);
        return Ok(None);
    }
    if standing.state.stage != Stage::Duels {
        return Err(not_due(context, &standing, "duel", None));
    }
    let round = Round::gather(context, standing)?;
    if context.global.dry_run {
        preview(context, round)?;
        return Ok(None);
    }
    let mut settings = judge_settings(&context.config.judge, &args.judge);
    settings.concurrency = args.judge_concurrency.unwrap_or(settings.concurrency);
    let bench = Bench {
        judge: Box::new(settings.open(judge_key()?)?),
        journal: Journal::open(&context.own_folder()?)?,
        images: settings.images(),
        inline: settings.inline_images,
    };
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    Play::new(context, round, &bench, shard)?.run(settings.concurrency)
}

/// The stage right behind this command, with its winner there.
fn done_already(standing: &Standing) -> Option<String> {
    let winner = standing.files.winner.get().filter(|_| standing.state.stage == Stage::Finalizing)?;
    Some(format!("round {} is decided already: {} wins", standing.state.current_round, winner.player()))
}

/// Says what would be played now; no judge is asked.
fn preview(context: &Context<'_>, mut round: Round) -> Result<()> {
    let programme = programme(&round.field()?);
    let ahead = programme.spare.iter().map(|pair| (pair, ", ahead of its turn"));
    for (pair, note) in programme.next.iter().map(|pair| (pair, "")).chain(ahead) {
        let bout = Bout::new(&round.files, &round.prompts, round.limits(), pair);
        let (duels, calls) = (bout.duels(), bout.inquiries().len());
        context
            .ui
            .result(&format!("would play {} against {}: {duels} duels, {calls} judge calls{note}", pair.1, pair.0));
    }
    let mut files = std::mem::take(&mut round.files);
    let (plan, _) = record(&round.terms(), &mut files, &[]).map_err(Error::failed)?;
    if !plan.writes.is_empty() {
        context.apply(&plan)?;
    }
    Ok(())
}
