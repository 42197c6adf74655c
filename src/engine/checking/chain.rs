//! What a hotkey revealed on chain, and what the round makes of it.

use crate::base::error::{Kind, Result};
use crate::engine::context::{Context, Standing};
use crate::model::ids::{Block, Hotkey};
use crate::model::reveal::Reveal;
use crate::model::schedule::Schedule;
use crate::rules::check::{PayloadCheck, PayloadVerdict, judge_payload};
use crate::rules::submissions::SubmissionTerms;
use crate::settings::flags::{ChainArgs, IntakeArgs};
use crate::world::chain::Chain;

/// Reads what the hotkey revealed so far, and judges it; `None` if no chain is named or it does not answer.
///
/// # Errors
/// The settings of the chain make no sense.
pub(crate) fn payload(
    context: &Context<'_>,
    standing: &Standing,
    hotkey: &Hotkey,
    args: &ChainArgs,
    intake: &IntakeArgs,
) -> Result<Option<PayloadCheck>> {
    let Some(schedule) = standing.files.schedule.get() else { return Ok(None) };
    let Some(chain) = context.chain(args)? else { return Ok(None) };
    let round = standing.state.current_round;
    let allowed = standing.config.settings.limits().allow_private_cdn;
    let terms = SubmissionTerms {
        compat: intake.compat.unwrap_or(context.config.chain.compat),
        allow_private_cdn: allowed || intake.allow_private_cdn || context.config.miners.allow_private_cdn,
        ..SubmissionTerms::new(&standing.config.settings.name, round, schedule)
    };
    match judged(chain.as_ref(), schedule, hotkey, &terms) {
        Err(error) if error.kind() == Kind::Outside => {
            context.ui.warn(&format!("what was revealed is unknown: {error}"));
            Ok(None)
        }
        judged => judged.map(Some),
    }
}

fn judged(
    chain: &dyn Chain,
    schedule: &Schedule,
    hotkey: &Hotkey,
    terms: &SubmissionTerms<'_>,
) -> Result<PayloadCheck> {
    let finalized = chain.finalized_block()?;
    // A window is read at its last block, since a chain keeps only the newest reveals.
    let end = finalized.min(schedule.latest_reveal_block);
    let mut check = judge_payload(hotkey, &of(chain, hotkey, end)?, terms);
    if check.verdict == PayloadVerdict::Outside && finalized > end {
        // Perhaps it was revealed too late.
        let later = of(chain, hotkey, finalized)?;
        check.reveals = judge_payload(hotkey, &later, terms).reveals;
    }
    Ok(check)
}

fn of(chain: &dyn Chain, hotkey: &Hotkey, at: Block) -> Result<Vec<Reveal>> {
    Ok(chain.reveals(at)?.remove(hotkey).unwrap_or_default())
}
