//! What several commands share: most of it serves the two of the stage open, and those that ask the judge.

use std::path::{Path, PathBuf};

use super::context::{Context, Standing};
use crate::cli::{DistanceArgs, IntakeArgs, JudgeArgs};
use crate::error::{Error, Result};
use crate::rules::prompts;
use crate::rules::stages::{Due, due};
use crate::rules::submissions::{Intake, Terms, intake};
use crate::state::file::{FileKind, RoundFile};
use crate::state::ids::{Block, RoundNumber};
use crate::state::prompts::PromptList;
use crate::state::schedule::Schedule;
use crate::state::snapshot::{RoundFiles, Slot, Snapshot};
use crate::state::stage::Stage;
use crate::state::submissions::Submissions;
use crate::world::chain::Chain;
use crate::world::distance::settings::{DistanceSettings, Driver};
use crate::world::http::Secret;
use crate::world::judge::settings::JudgeSettings;

/// The current round's schedule.
pub(super) fn schedule(context: &Context<'_>, standing: &Standing) -> Result<Schedule> {
    context.store.need(&FileKind::Round(standing.state.current_round, RoundFile::Schedule))
}

/// The pool, where there is one: every line of it has to be of use.
pub(super) fn pool(context: &Context<'_>) -> Result<Option<PromptList>> {
    let Some(bytes) = context.store.read_file(&FileKind::Pool)? else { return Ok(None) };
    let path = FileKind::Pool.path();
    let pool = prompts::pool(&bytes).map_err(|why| {
        let unusable = Error::failed(format!("{path}: {why}"));
        unusable.hint("mend or remove these lines before the seed is drawn: a round would be stuck with them")
    });
    pool.map(Some)
}

/// As [`pool`], of a round whose seed is still to be drawn: says also where it has too few prompts for that.
pub(super) fn pool_for_a_seed(context: &Context<'_>, standing: &Standing) -> Result<Option<PromptList>> {
    let pool = pool(context)?;
    if standing.state.stage == Stage::Open {
        let given = pool.as_ref().map_or(0, |pool| pool.0.len());
        let previous = previous_prompts(context, standing)?.0.len();
        if let Err(few) = prompts::enough(&standing.config.settings, previous, given) {
            context.ui.warn_once(&format!("{few}: add more before the seed is drawn"));
        }
    }
    Ok(pool)
}

/// The prompts that this round may take over.
pub(super) fn previous_prompts(context: &Context<'_>, standing: &Standing) -> Result<PromptList> {
    match standing.state.current_round.previous() {
        Some(round) if standing.config.settings.carryover_prompts > 0 => {
            context.store.need(&FileKind::Round(round, RoundFile::Prompts))
        }
        _ => Ok(PromptList::default()),
    }
}

/// Makes sure that what a round is decided by can be read: a broken file is no missing one, and would be written
/// over, matches on record be played again, rejected miners let in.
pub(super) fn require_intact(round: RoundNumber, files: &RoundFiles) -> Result<()> {
    match files.broken(round).first() {
        None => Ok(()),
        Some(file) => {
            let unreadable = Error::failed(format!("{}: does not parse", file.path()));
            Err(unreadable.hint("`gen404 verify` says where; mend it first"))
        }
    }
}

/// `submissions.json` as it stands.
pub(super) fn recorded(standing: &Standing) -> Result<Option<&Submissions>> {
    match &standing.files.submissions {
        Slot::Broken => {
            let path = FileKind::Round(standing.state.current_round, RoundFile::Submissions).path();
            Err(Error::failed(format!("{path}: does not parse")).hint("`gen404 verify` says where; mend or remove it"))
        }
        slot => Ok(slot.get()),
    }
}

/// What miners revealed by the end of block `at`, judged.
pub(super) fn read_intake(
    context: &Context<'_>,
    standing: &Standing,
    schedule: &Schedule,
    chain: &dyn Chain,
    at: Block,
    args: &IntakeArgs,
) -> Result<Intake> {
    let round = standing.state.current_round;
    context.ui.detail(&format!("reading what was revealed by block {at} from {}", chain.name()));
    let allowed = standing.config.settings.limits().allow_private_cdn;
    let terms = Terms {
        compat: args.compat.unwrap_or(context.config.chain.compat),
        allow_private_cdn: allowed || args.allow_private_cdn || context.config.miners.allow_private_cdn,
        ..Terms::new(&standing.config.settings.name, round, schedule)
    };
    Ok(intake(&chain.reveals(at)?, &terms))
}

/// A line on each miner: who is in with what, and who is refused and why. What was left aside of a
/// miner's payloads is for those who want to know more.
pub(super) fn miners(context: &Context<'_>, intake: &Intake) -> Vec<String> {
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

/// A stage command at the wrong time: says what is due instead.
pub(super) fn not_due(context: &Context<'_>, standing: &Standing, command: &str, block: Option<Block>) -> Error {
    let instead: Vec<String> = due(&context.facts(standing, block))
        .iter()
        .map(|due| match due {
            Due::Now { command, .. } => format!("`gen404 {command}` is due"),
            Due::Possible { command, .. } => format!("`gen404 {command}` may be run"),
            Due::Waits { command, what } => format!("`gen404 {command}` waits ({what})"),
            Due::From { command, block } => format!("`gen404 {command}` is due from block {block} on"),
            Due::Never(why) => why.clone(),
        })
        .collect();
    let (stage, round) = (standing.state.stage, standing.state.current_round);
    Error::not_due(format!("{command} is not due: round {round} is in {stage}; {}", instead.join("; ")))
}

/// The judge that flags, environment or settings name, in this order.
pub(super) fn judge_settings(settings: &JudgeSettings, args: &JudgeArgs) -> JudgeSettings {
    let mut settings = settings.clone();
    let from_env = std::env::var("OPENAI_BASE_URL").ok().filter(|value| !value.trim().is_empty());
    settings.base_url = args.judge_url.clone().or(from_env).or(settings.base_url);
    settings.model = args.model.clone().unwrap_or(settings.model);
    settings.question = args.question.clone().or(settings.question);
    settings.inline_images |= args.inline_images;
    settings
}

/// The judge's key: from `OPENAI_API_KEY`, or the file that `OPENAI_API_KEY_FILE` names.
pub(super) fn judge_key() -> Result<Option<Secret>> {
    Secret::from_env(|name| std::env::var(name).ok(), "OPENAI_API_KEY")
}

/// What measures distances: what flags, environment or settings name, in this order. Open it with an
/// empty environment.
pub(super) fn distance_settings(settings: &DistanceSettings, args: &DistanceArgs) -> DistanceSettings {
    let mut settings = settings.clone().with_env(|name| std::env::var(name).ok());
    let by_url = args.distance_url.as_ref().map(|_| Driver::Http);
    let by_weights = args.weights.as_ref().map(|_| Driver::Dinov3);
    settings.driver = args.driver.or(by_url).or(by_weights).or(settings.driver);
    settings.url = args.distance_url.clone().or(settings.url);
    settings.weights = args.weights.clone().or(settings.weights);
    settings.device = args.device.clone().unwrap_or(settings.device);
    settings
}

/// Fails unless the round that was asked for exists.
pub(super) fn is_here(snapshot: &Snapshot, round: RoundNumber) -> Result<()> {
    if snapshot.rounds.contains_key(&round) {
        return Ok(());
    }
    let ends = snapshot.rounds.keys().next().zip(snapshot.rounds.keys().next_back());
    let there = ends.map_or("there are none".to_owned(), |(first, last)| format!("rounds are {first} to {last}"));
    Err(Error::usage(format!("round {round} is not here: {there}")))
}

/// Where a report goes if nobody says otherwise: beside the competition's folder.
pub(super) fn usual_report(competition: &Path) -> Result<PathBuf> {
    let mut name = competition.file_name().map(std::ffi::OsStr::to_owned).ok_or_else(|| {
        let nameless = Error::usage(format!("{}: a folder without a name", competition.display()));
        nameless.hint("say by --out DIR where the report goes")
    })?;
    name.push("-report");
    Ok(competition.with_file_name(name))
}
