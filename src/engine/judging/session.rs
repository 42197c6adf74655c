//! One session of `duel`: plays as far as possible, or shows what it would play.

use serde_json::json;

use super::play::Play;
use super::round::DuelRound;
use super::standings::{Ending, sources_hint, waits_for};
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::engine::common::not_due;
use crate::engine::context::{Context, Standing};
use crate::engine::runs::estimates::foresee_calls;
use crate::engine::runs::limits::limit_calls;
use crate::engine::stands::AnyStanding;
use crate::engine::threejs::tournament;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::Player;
use crate::model::stage::Stage;
use crate::model::winner::Winner;
use crate::rules::pairings::pairings;
use crate::rules::results::{declare_winner, match_files, record};
use crate::rules::shard::Shard;
use crate::rules::stage_table::is_for;
use crate::rules::tournament::replay;
use crate::settings::flags::{JudgeArgs, judge_key, judge_settings};
use crate::ui::Report;
use crate::world::judge::Bench;
use crate::world::judge::journal::AnswerJournal;

/// Which judge to ask, and about which matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calls<'a> {
    /// The judge.
    pub(crate) judge: &'a JudgeArgs,
    /// Calls in flight, overriding the settings.
    pub(crate) concurrency: Option<usize>,
    /// The part of the miners whose matches are played.
    pub(crate) shard: Shard,
}

/// Plays as far as possible; what it waits for goes into the report.
///
/// # Errors
/// It is not due, or the judge failed for good.
pub(crate) fn session(context: &Context<'_>, calls: &Calls<'_>, report: &mut Report) -> Result<()> {
    let _lock = context.lock("duel", report)?;
    let standing = match context.stands()? {
        AnyStanding::Mesh(standing) => standing,
        AnyStanding::Threejs(standing) => return tournament::duel(context, standing, calls, report),
    };
    if let Some(winner) = winner_already(&standing) {
        report.say(format!("round {} is already decided: {winner} wins", standing.state.current_round));
        report.detail(json!({ "round": standing.state.current_round, "winner": winner }));
        return Ok(());
    }
    if !is_for("duel", standing.state.stage) {
        return Err(not_due(context, &standing, "duel", None));
    }
    let mut settings = judge_settings(&context.config.judge, calls.judge);
    let asked = settings.asked()?;
    let round = DuelRound::gather(context, standing, asked.clone())?;
    if context.options.dry_run {
        return foresee(context, round, calls.shard, report);
    }
    limit_calls(context, round.number())?;
    settings.concurrency = calls.concurrency.unwrap_or(settings.concurrency);
    let bench = Bench {
        judge: Box::new(settings.open_asking(&asked, judge_key()?)?),
        journal: AnswerJournal::open(&context.own_folder()?)?,
        images: settings.images(),
        inline: settings.inline_images,
    };
    Play::new(context, round, &bench, calls.shard, report)?.run(settings.concurrency)
}

/// The winner, if the stage is the one right after this command.
fn winner_already(standing: &Standing) -> Option<&Player> {
    standing.files.winner.get().filter(|_| standing.state.stage == Stage::Finalizing).map(Winner::player)
}

/// Shows what would be played now with its files, or what it waits for. No judge is asked.
fn foresee(context: &Context<'_>, mut round: DuelRound, shard: Shard, told: &mut Report) -> Result<()> {
    let (number, field) = (round.number(), round.field()?);
    let (pairings, outcome) = (pairings(&field), replay(&field).outcome);
    let ahead = pairings.exploratory.iter().map(|pair| (pair, ", ahead of its turn"));
    let wanted = pairings.required.iter().map(|pair| (pair, "")).chain(ahead);
    let missing = round.files.question.is_missing();
    let mut question = missing.then(|| FileKind::Round(number, RoundFile::Question).path());
    let (mut played, mut all_calls) = (false, 0);
    for (pair, note) in wanted.filter(|(pair, _)| round.is_in(shard, pair)) {
        let playing = round.begin(pair);
        let (duels, calls) = (playing.duels(), playing.inquiries().len());
        let will = [counted(duels, "duel", "duels"), counted(calls, "judge call", "judge calls")].join(", ");
        told.say(format!("would play {} against {}: {will}{note}", pair.1, pair.0));
        all_calls += calls;
        let files = match_files(number, &round.files, pair).map(|file| file.path());
        let files = files.into_iter().filter(|_| duels > 0);
        let question = question.take_if(|_| calls > 0);
        let files = question.into_iter().chain(files);
        // Other shards may delay the recording of matches played ahead of their turn.
        match note.is_empty() || shard == Shard::WHOLE {
            true => told.note_files(files),
            false => told.note_possible(files),
        }
        played = true;
    }
    if played {
        foresee_calls(context, number, all_calls as u64, told)?;
        told.note_files([FileKind::Round(number, RoundFile::Matrix).path()]);
    }
    if !pairings.required.is_empty() {
        // Further matches and results depend on the judge's answers.
        let further = [RoundFile::RequireAudit, RoundFile::Winner].map(|file| FileKind::Round(number, file).path());
        let matches = ["answers_*.jsonl", "duels_*.json"].map(|name| format!("rounds/{number}/*/{name}"));
        told.note_possible(further.into_iter().chain(matches).chain([FileKind::State.path()]));
    }
    let mut files = std::mem::take(&mut round.files);
    let (plan, _) = record(&round.terms(), &mut files, &[]).map_err(Error::failed)?;
    context.apply(&plan, told)?;
    round.files = files;
    let ending = Ending::from(outcome);
    if let Ending::Winner(winner) = &ending {
        let plan = declare_winner(&round.terms(), &round.state, &round.files, &round.leaders, winner)
            .map_err(Error::failed)?;
        context.apply(&plan, told)?;
    }
    let waits = waits_for(&round, &ending).filter(|_| !played);
    if waits.is_some() {
        told.detail(json!({ "round": number }));
    }
    told.waits.extend(waits);
    sources_hint(&round, &ending).into_iter().for_each(|hint| told.say_next(hint));
    Ok(())
}
