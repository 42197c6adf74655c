//! Helpers shared by several commands, mostly by those of the stage open.

use std::collections::BTreeMap;

use super::context::{Context, Standing};
use super::stands::Stands;
use crate::base::error::{Error, Result};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, RoundNumber};
use crate::model::prompts::PromptList;
use crate::model::schedule::Schedule;
use crate::model::snapshot::Slot;
use crate::model::stage::{Stage, round_in};
use crate::model::submissions::Submissions;
use crate::rules::prompts;
use crate::rules::stages::Due;
use crate::rules::submissions::{Intake, SubmissionTerms, intake};
use crate::settings::flags::IntakeArgs;
use crate::world::chain::Chain;

/// The current round's schedule.
pub(crate) fn schedule(context: &Context<'_>, standing: &dyn Stands) -> Result<Schedule> {
    context.store.need(&FileKind::Round(standing.round(), RoundFile::Schedule))
}

/// The pool, if there is one. Every line must be a usable prompt.
pub(crate) fn pool(context: &Context<'_>) -> Result<Option<PromptList>> {
    let Some(bytes) = context.store.read_file(&FileKind::Pool)? else { return Ok(None) };
    let path = FileKind::Pool.path();
    let pool = prompts::pool(&bytes).map_err(|why| {
        let unusable = Error::failed(format!("{path}: {why}"));
        unusable.hint("fix or remove these lines before the seed is drawn, or the round will be stuck with them")
    });
    pool.map(Some)
}

/// As [`pool`]; while the stage is open, also warns if there are too few prompts to draw from.
pub(crate) fn pool_for_a_seed(context: &Context<'_>, standing: &dyn Stands) -> Result<Option<PromptList>> {
    let pool = pool(context)?;
    if standing.stage() == Stage::Open {
        let given = pool.as_ref().map_or(0, |pool| pool.0.len());
        let previous = previous_prompts(context, standing)?.0.len();
        if let Err(few) = prompts::enough(standing.settings(), previous, given) {
            context.ui.warn_once(&format!("{few}: add more before the seed is drawn"));
        }
    }
    Ok(pool)
}

/// The prompts that this round may carry over.
pub(crate) fn previous_prompts(context: &Context<'_>, standing: &dyn Stands) -> Result<PromptList> {
    match standing.round().previous() {
        Some(round) if standing.settings().carryover_prompts > 0 => {
            context.store.need(&FileKind::Round(round, RoundFile::Prompts))
        }
        _ => Ok(PromptList::default()),
    }
}

/// Fails if a file that decides the round does not parse. Treating it as missing would overwrite it, replay recorded
/// matches, and let rejected miners back in.
pub(crate) fn require_intact(standing: &dyn Stands) -> Result<()> {
    match standing.broken().first() {
        None => Ok(()),
        Some(path) => {
            let unreadable = Error::failed(format!("{path}: does not parse"));
            Err(unreadable.hint("`gen404 verify` shows where; fix it first"))
        }
    }
}

/// The recorded `submissions.json`, if any.
pub(crate) fn recorded(standing: &Standing) -> Result<Option<&Submissions>> {
    match &standing.files.submissions {
        Slot::Broken => {
            let path = FileKind::Round(standing.state.current_round, RoundFile::Submissions).path();
            Err(Error::failed(format!("{path}: does not parse")).hint("`gen404 verify` shows where; fix or remove it"))
        }
        slot => Ok(slot.get()),
    }
}

/// Reads and judges what miners revealed by the end of block `at`.
pub(crate) fn read_intake(
    context: &Context<'_>,
    standing: &dyn Stands,
    schedule: &Schedule,
    chain: &dyn Chain,
    at: Block,
    args: &IntakeArgs,
) -> Result<Intake> {
    let round = standing.round();
    context.ui.detail(&format!("reading what was revealed by block {at} from {}", chain.name()));
    let allowed = standing.settings().limits().allow_private_cdn;
    let terms = SubmissionTerms {
        compat: args.compat.unwrap_or(context.config.chain.compat),
        allow_private_cdn: allowed || args.allow_private_cdn || context.config.miners.allow_private_cdn,
        ..SubmissionTerms::new(&standing.settings().name, round, schedule)
    };
    Ok(intake(&chain.reveals(at)?, &terms))
}

/// One line per miner: the accepted submission, or why it was refused. Notes on ignored payloads are shown with -v.
pub(crate) fn miners(context: &Context<'_>, intake: &Intake) -> Vec<String> {
    let mut lines = Vec::new();
    for (hotkey, submission) in intake.accepted.iter() {
        let (repo, commit, block) = (&submission.repo, submission.commit.short(), submission.revealed_at_block);
        lines.push(format!("in: {hotkey} {repo} at {commit}, revealed in block {block}"));
    }
    for (hotkey, refusal) in &intake.refused {
        lines.push(format!("refused: {hotkey}: {}", refusal.reason));
    }
    let refused = intake.refused.iter().map(|(hotkey, refusal)| (hotkey, &refusal.notes));
    for (hotkey, notes) in intake.notes.iter().chain(refused) {
        for note in notes {
            context.ui.detail(&format!("{hotkey}: {note}"));
        }
    }
    lines
}

/// The error for a stage command at the wrong time; it says what is due instead.
pub(crate) fn not_due(context: &Context<'_>, standing: &dyn Stands, command: &str, block: Option<Block>) -> Error {
    Error::not_due(format!("{command} is not due: {}", instead(context, standing, block)))
}

/// Where the round is, and what is due there.
pub(crate) fn instead(context: &Context<'_>, standing: &dyn Stands, block: Option<Block>) -> String {
    instead_of(context, standing, block, &BTreeMap::new())
}

/// As [`instead`], after commands were tried that wait: each with what it waits for.
pub(crate) fn instead_of(
    context: &Context<'_>,
    standing: &dyn Stands,
    block: Option<Block>,
    waiting: &BTreeMap<&str, String>,
) -> String {
    let instead: Vec<String> = standing
        .due(block)
        .iter()
        .map(|due| match due {
            Due::Now { command, .. } | Due::Possible { command, .. } if waiting.contains_key(command) => {
                format!("`gen404 {command}` waits ({})", waiting.get(command).map_or("", String::as_str))
            }
            Due::Now { command, .. } => format!("`gen404 {command}` is due"),
            Due::Possible { command, .. } => format!("`gen404 {command}` may be run"),
            Due::Waits { command, what } => format!("`gen404 {command}` waits ({what})"),
            Due::From { command, block } => format!("`gen404 {command}` is due from block {block} on"),
            Due::Never(why) => why.clone(),
        })
        .collect();
    let stands = stands(context, standing);
    format!("{stands}; {}", instead.join("; "))
}

/// Where the round is; if it is paused, also since when and why.
pub(crate) fn stands(context: &Context<'_>, standing: &dyn Stands) -> String {
    let (round, stage) = (standing.round(), standing.stage());
    let pause = if stage == Stage::Paused { context.pause_of(round).told() } else { String::new() };
    format!("{}{pause}", round_in(round, stage))
}

/// Fails unless the round that was asked for exists.
pub(crate) fn is_here<T>(rounds: &BTreeMap<RoundNumber, T>, round: RoundNumber) -> Result<()> {
    if rounds.contains_key(&round) {
        return Ok(());
    }
    let ends = rounds.keys().next().zip(rounds.keys().next_back());
    let there = ends.map_or("there are none".to_owned(), |(first, last)| format!("rounds are {first} to {last}"));
    Err(Error::usage(format!("round {round} is not here: {there}")))
}
