//! `gen404 duel`: play the matches that the tournament needs, call for audits, declare the winner.

use std::time::Duration;

use serde_json::json;

use crate::base::error::{Error, Kind, Result};
use crate::cli::{DuelArgs, Global};
use crate::engine::common::not_due;
use crate::engine::context::{Context, Standing};
use crate::engine::judging::play::Play;
use crate::engine::judging::round::DuelRound;
use crate::engine::judging::standings::{Ending, waits_for};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::Player;
use crate::model::stage::Stage;
use crate::model::winner::Winner;
use crate::rules::match_in_progress::MatchInProgress;
use crate::rules::pairings::pairings;
use crate::rules::results::{declare_winner, record, report_file};
use crate::rules::shard::Shard;
use crate::rules::tournament::replay;
use crate::settings::flags::{judge_key, judge_settings};
use crate::ui::Ui;
use crate::world::judge::Bench;
use crate::world::judge::journal::AnswerJournal;
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &DuelArgs) -> Result<u8> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui)? };
    loop {
        let Some(waits) = session(&context, args)? else { return Ok(0) };
        if !args.wait || global.dry_run {
            return Ok(Kind::NotDue.exit_code());
        }
        ui.tell();
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
    if let Some(winner) = winner_already(&standing) {
        context.ui.result(&format!("round {} is decided already: {winner} wins", standing.state.current_round));
        context.ui.own(json!({ "round": standing.state.current_round, "winner": winner }));
        return Ok(None);
    }
    if standing.state.stage != Stage::Duels {
        return Err(not_due(context, &standing, "duel", None));
    }
    let round = DuelRound::gather(context, standing)?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    if context.options.dry_run {
        return preview(context, round, shard);
    }
    let mut settings = judge_settings(&context.config.judge, &args.judge);
    settings.concurrency = args.judge_concurrency.unwrap_or(settings.concurrency);
    let bench = Bench {
        judge: Box::new(settings.open(judge_key()?)?),
        journal: AnswerJournal::open(&context.own_folder()?)?,
        images: settings.images(),
        inline: settings.inline_images,
    };
    Play::new(context, round, &bench, shard)?.run(settings.concurrency)
}

/// The winner, where the stage is right behind this command.
fn winner_already(standing: &Standing) -> Option<&Player> {
    standing.files.winner.get().filter(|_| standing.state.stage == Stage::Finalizing).map(Winner::player)
}

/// Says what would be played now, and the files of that, or what is waited for; no judge is asked.
fn preview(context: &Context<'_>, mut round: DuelRound, shard: Shard) -> Result<Option<String>> {
    let (ui, number, field) = (context.ui, round.number(), round.field()?);
    let (pairings, outcome) = (pairings(&field), replay(&field).outcome);
    let ahead = pairings.exploratory.iter().map(|pair| (pair, ", ahead of its turn"));
    let wanted = pairings.required.iter().map(|pair| (pair, "")).chain(ahead);
    let mut played = false;
    for (pair, note) in wanted.filter(|(pair, _)| round.is_in(shard, pair)) {
        let playing = MatchInProgress::new(&round.files, &round.prompts, round.limits(), pair);
        let (duels, calls) = (playing.duels(), playing.inquiries().len());
        ui.result(&format!("would play {} against {}: {duels} duels, {calls} judge calls{note}", pair.1, pair.0));
        let report = (duels > 0).then(|| report_file(number, &round.files, pair));
        // The others' shards may hold up the record of what was played ahead of its turn.
        match note.is_empty() || shard == Shard::WHOLE {
            true => ui.note_files(report.map(|file| file.path())),
            false => ui.note_possible(report.map(|file| file.path())),
        }
        played = true;
    }
    if played {
        ui.note_files([FileKind::Round(number, RoundFile::Matrix).path()]);
    }
    if !pairings.required.is_empty() {
        // What else is played, and what follows, is known with the judge's answers.
        let further = [RoundFile::RequireAudit, RoundFile::Winner].map(|file| FileKind::Round(number, file).path());
        let reports = format!("rounds/{number}/*/duels_*.json");
        ui.note_possible(further.into_iter().chain([reports, FileKind::State.path()]));
    }
    let mut files = std::mem::take(&mut round.files);
    let (plan, _) = record(&round.terms(), &mut files, &[]).map_err(Error::failed)?;
    context.apply(&plan)?;
    round.files = files;
    let ending = Ending::from(outcome);
    if let Ending::Winner(winner) = &ending {
        let plan = declare_winner(&round.terms(), &round.state, &round.files, &round.leaders, winner)
            .map_err(Error::failed)?;
        context.apply(&plan)?;
    }
    let waits = waits_for(&round, &ending).filter(|_| !played);
    if let Some(waits) = &waits {
        ui.result(waits);
        ui.own(json!({ "round": number, "waits": waits }));
    }
    Ok(waits)
}
