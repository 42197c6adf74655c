//! What several commands share: most of it serves the two of the stage open, and those that ask the judge.

use super::context::{Context, Standing};
use crate::cli::{DistanceArgs, IntakeArgs, JudgeArgs};
use crate::error::{Context as _, Error, Kind, Result};
use crate::rules::stages::Due;
use crate::rules::submissions::{Intake, Terms, intake};
use crate::state::file::{FileKind, RoundFile};
use crate::state::ids::Block;
use crate::state::schedule::Schedule;
use crate::state::snapshot::Slot;
use crate::state::stage::CompetitionState;
use crate::state::submissions::Submissions;
use crate::world::chain::Chain;
use crate::world::distance::settings::{DistanceSettings, Driver};
use crate::world::http::Secret;
use crate::world::judge::settings::JudgeSettings;

/// The current round's schedule.
pub(super) fn schedule(context: &Context<'_>, standing: &Standing) -> Result<Schedule> {
    context.store.need(&FileKind::Round(standing.state.current_round, RoundFile::Schedule))
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
    let terms = Terms {
        compat: args.compat.unwrap_or(context.config.chain.compat),
        allow_private_cdn: args.allow_private_cdn || context.config.miners.allow_private_cdn,
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
pub(super) fn not_due(command: &str, state: &CompetitionState, due: &[Due]) -> Error {
    let instead: Vec<String> = due
        .iter()
        .map(|due| match due {
            Due::Now { command, .. } => format!("`gen404 {command}` is due"),
            Due::Possible { command, .. } => format!("`gen404 {command}` may be run"),
            Due::From { command, block } => format!("`gen404 {command}` is due from block {block} on"),
            Due::Never(why) => why.clone(),
        })
        .collect();
    let (stage, round) = (state.stage, state.current_round);
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
    if let Some(key) = std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.trim().is_empty()) {
        return Ok(Some(Secret::new(&key)));
    }
    let Some(file) = std::env::var_os("OPENAI_API_KEY_FILE").filter(|file| !file.is_empty()) else { return Ok(None) };
    let file = std::path::PathBuf::from(file);
    let text = std::fs::read_to_string(&file);
    let text = text.context(Kind::Usage, || format!("OPENAI_API_KEY_FILE={}: cannot read", file.display()))?;
    Ok(Some(Secret::new(&text)))
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
