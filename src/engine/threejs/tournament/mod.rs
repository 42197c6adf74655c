//! `duel` of three.js modules: qualification, the chain, and the audit duels.

mod files;
mod table;

use serde_json::{Value, json};

use self::files::{commit, has_committed_requests};
use self::table::Table;
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::engine::common::{not_due, require_intact};
use crate::engine::context::Context;
use crate::engine::judging::session::Calls;
use crate::engine::runs::limits::limit_calls;
use crate::engine::threejs::judging::{Court, play};
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::ids::Player;
use crate::model::source_audit;
use crate::model::stage::Stage;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::shard::Shard;
use crate::rules::stage_table::is_for;
use crate::rules::threejs::chain::{Chain, Fate};
use crate::rules::threejs::course::{Awaited, Next};
use crate::rules::threejs::results::{declare_winner, follow, report_file};
use crate::ui::Report;

/// Plays what is needed next; `report.waits` says what the rest waits for. The lock is held.
///
/// # Errors
/// It is not due, or the judge or the files fail.
pub(crate) fn duel(
    context: &Context<'_>,
    standing: ThreejsStanding,
    calls: &Calls<'_>,
    report: &mut Report,
) -> Result<()> {
    let (round, stage) = (standing.state.current_round, standing.state.stage);
    if let Some(winner) = standing.files.winner.get().filter(|_| stage == Stage::Finalizing) {
        let winner = &winner.winner_hotkey;
        report.say(format!("round {round} is already decided: {winner} wins"));
        report.detail(json!({ "round": round, "winner": winner }));
        return Ok(());
    }
    if !is_for("duel", stage) {
        return Err(not_due(context, &standing, "duel", None));
    }
    require_intact(&standing)?;
    if calls.shard != Shard::WHOLE {
        let whole = Error::usage("--shard: the matches of three.js modules are played by one host");
        return Err(whole.hint("results are recorded one after the other: run `gen404 duel` without it"));
    }
    has_baseline(&standing)?;
    let mut table = Table::lay(standing)?;
    if context.options.dry_run {
        return foresee(context, &mut table, report);
    }
    limit_calls(context, round)?;
    let court = Court::open(context, calls, (round, table.seed), &table.files)?;
    // What has changed since the last run: reports, readings of sources.
    let plan = follow(&table.terms, &mut table.files).map_err(Error::failed)?;
    context.write(&plan, report)?;
    // The results of a run that was killed wait for the commit that they would have been part of.
    if !plan.writes.is_empty() || !has_committed_requests(context, &table)? {
        commit(context, &table, report)?;
    }
    let played = play(context.ui, &context.stop, &court, &mut table.course(context, &court.question, report));
    conclude(context, &table, played, report)
}

/// Outputs that are not there yet would lose to every challenger.
fn has_baseline(standing: &ThreejsStanding) -> Result<()> {
    let prompts = standing.need(&standing.files.prompts, ThreejsRoundFile::Prompts)?;
    if crate::rules::threejs::due::baseline_is_whole(&standing.files, prompts) {
        return Ok(());
    }
    let waits = Error::not_due("duel waits: the leader's modules are not all there yet");
    Err(waits.hint("`gen404 baseline` makes them"))
}

/// Shows what would be played now with its files, or what it waits for. No judge is asked.
fn foresee(context: &Context<'_>, table: &mut Table, report: &mut Report) -> Result<()> {
    let round = table.terms.round;
    let plan = follow(&table.terms, &mut table.files).map_err(Error::failed)?;
    context.apply(&plan, report)?;
    match table.terms.next(&table.files).map_err(Error::failed)? {
        Next::Play { turn, ahead } => {
            for (unit, note) in
                turn.iter().map(|unit| (unit, "")).chain(ahead.iter().map(|unit| (unit, ", ahead of its turn")))
            {
                report.say(format!("would play {unit}{note}"));
                report.note_possible([report_file(round, unit).path()]);
            }
            let further = [
                ThreejsRoundFile::Matrix,
                ThreejsRoundFile::AuditMatrix,
                ThreejsRoundFile::RequireAudit,
                ThreejsRoundFile::GenerationAudits,
                ThreejsRoundFile::Winner,
            ];
            let further = further.map(|file| ThreejsFile::Round(round, file).path());
            report.note_possible(further.into_iter().chain([ThreejsFile::State.path()]));
        }
        Next::Finish(winner) => {
            let plan = declare_winner(&table.terms, &table.state, &table.files, &table.leaders(context)?, &winner);
            context.apply(&plan.map_err(Error::failed)?, report)?;
        }
        Next::Wait(awaited) => {
            report.detail(json!({ "round": round }));
            report.waits.extend(waits(&awaited));
        }
    }
    Ok(())
}

/// What is awaited, in words.
fn waits(awaited: &[Awaited]) -> Option<String> {
    let words: Vec<String> = awaited.iter().map(Awaited::to_string).collect();
    (!words.is_empty()).then(|| format!("duel waits for {}", words.join(", ")))
}

/// Ends the run: declares the winner, waits, or reports what failed.
fn conclude(context: &Context<'_>, table: &Table, played: Result<()>, report: &mut Report) -> Result<()> {
    commit(context, table, report)?;
    let next = table.terms.next(&table.files).map_err(Error::failed)?;
    let winner = match (&played, &next) {
        (Ok(()), Next::Finish(winner)) => Some(winner),
        _ => None,
    };
    if let Some(winner) = winner {
        let plan = declare_winner(&table.terms, &table.state, &table.files, &table.leaders(context)?, winner);
        let plan = plan.map_err(Error::failed)?;
        context.carry_out(&plan, &[], report)?;
    }
    let awaited: &[Awaited] = match (&played, &next) {
        (Ok(()), Next::Wait(awaited)) => awaited,
        _ => &[],
    };
    show(table, winner, awaited, report)?;
    report.waits.extend(waits(awaited));
    if awaited.iter().any(|awaited| matches!(awaited, Awaited::Source(_))) {
        report.say_next(source_audit::hint(table.terms.round));
    }
    match (played, next) {
        (Err(error), _) => Err(error),
        (Ok(()), Next::Play { turn, .. }) => {
            let left = counted(turn.len(), "match", "matches");
            Err(Error::failed(format!("{left} could not be played: this is a bug in gen404")))
        }
        (Ok(()), _) => Ok(()),
    }
}

/// Reports the standings.
fn show(table: &Table, winner: Option<&Player>, awaited: &[Awaited], report: &mut Report) -> Result<()> {
    let (terms, files) = (&table.terms, &table.files);
    let round = terms.round;
    let (standings, lines) = terms
        .look(files, |chain, _| (standings(files, chain), chain.links.iter().map(line).collect::<Vec<_>>()))
        .map_err(Error::failed)?;
    let mut awaits: Vec<_> = awaited.iter().map(|awaited| awaited.hotkey().clone()).collect();
    awaits.dedup();
    report.detail(json!({ "round": round, "winner": winner, "awaited": awaits, "standings": standings }));
    let played = files.matrix.get().map_or(0, |matrix| matrix.0.len());
    let miners = files.submissions.get().map_or(0, |submissions| submissions.len());
    report.say(format!(
        "round {round}: {}, {} of {miners} qualified",
        counted(played, "match", "matches"),
        lines.len()
    ));
    lines.into_iter().for_each(|line| report.say(format!("  {line}")));
    if let Some(winner) = winner {
        report.say(format!("round {round}: {winner} wins"));
    }
    Ok(())
}

/// A qualified miner's place, in words.
fn line(link: &crate::rules::threejs::chain::Link<'_>) -> String {
    let (hotkey, holder) = (link.hotkey, link.holder.short());
    match &link.fate {
        Fate::Rejected(reason) => format!("{hotkey} is rejected: {reason}"),
        Fate::Pending => format!("{hotkey} still has to play {holder}"),
        Fate::Lost(margin) => format!("{hotkey} {margin:+.4} against {holder}"),
        Fate::Won { margin, verified } => {
            let audit = if *verified { "verified" } else { "not verified yet" };
            format!("{hotkey} {margin:+.4} against {holder}, {audit}")
        }
    }
}

fn standings(files: &ThreejsRound, chain: &Chain<'_>) -> Vec<Value> {
    let order = files.submissions.get().map(crate::rules::threejs::chain::order).unwrap_or_default();
    let standing = |hotkey: &crate::model::ids::Hotkey| {
        let link = chain.links.iter().find(|link| link.hotkey == hotkey);
        let margin =
            files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, &Player::Miner(hotkey.clone())));
        let took = link.filter(|link| matches!(link.fate, Fate::Won { .. })).map(|link| &link.holder);
        let audit = files.generation_audits.get().and_then(|audits| audits.get(hotkey)).map(|audit| audit.verdict);
        json!({
            "hotkey": hotkey,
            "margin": margin,
            "qualified": link.is_some(),
            "rejected": link.is_some_and(|link| matches!(link.fate, Fate::Rejected(_))),
            "took_lead_from": took,
            "audit": audit,
        })
    };
    order.into_iter().map(standing).collect()
}
