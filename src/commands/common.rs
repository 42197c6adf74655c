//! What several commands share: most of it serves the two of the stage open.

use super::context::{Context, Standing};
use crate::cli::IntakeArgs;
use crate::error::{Error, Result};
use crate::rules::stages::Due;
use crate::rules::submissions::{Intake, Terms, intake};
use crate::state::file::{FileKind, RoundFile};
use crate::state::ids::Block;
use crate::state::schedule::Schedule;
use crate::state::snapshot::Slot;
use crate::state::stage::CompetitionState;
use crate::state::submissions::Submissions;
use crate::world::chain::Chain;

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
