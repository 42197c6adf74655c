//! The work of `baseline`: generates the leader's outputs.

use super::{Records, RegenerationEvent, RegenerationJob, RegenerationRun, Tools};
use crate::base::error::{Error, Result};
use crate::engine::context::{Context, Standing};
use crate::model::ids::Player;
use crate::model::outputs::Output;
use crate::model::prompts::PromptList;
use crate::rules::regeneration::{JobStanding, Purpose};
use crate::ui::Report;

/// Generates the missing outputs with the leader's `image`, as far as possible.
///
/// # Errors
/// Some could not be generated.
pub(crate) fn make(
    context: &Context<'_>,
    standing: &Standing,
    tools: &Tools<'_>,
    (image, retry): (&str, bool),
    report: &mut Report,
) -> Result<()> {
    let run = RegenerationRun::open(context, standing, tools)?;
    let round = standing.state.current_round;
    let job = RegenerationJob::new(Player::Leader, image.to_owned(), Purpose::Baseline, retry);
    let (mut records, mut open) = (Records::new(context, report), None);
    let ended = run.run(standing, vec![job], |event| {
        let files = context.standing()?.files;
        let own = files.players.get(&Player::Leader);
        match event {
            RegenerationEvent::Save(job, progress) => records.write(&progress.saved(round, &job.player, own)),
            RegenerationEvent::Ended(job, progress, stands, trouble) => {
                let mut plan = progress.saved(round, &job.player, own);
                let (done, all) = progress.counts();
                plan.says.push(format!("round {round}: {done} of the leader's {all} outputs are settled"));
                open = match (stands, trouble) {
                    (JobStanding::Complete, None) => None,
                    (_, Some(error)) => Some(error),
                    (_, None) => Some(Error::outside("no pod with the leader's image could make the rest").hint(
                        "`gen404 doctor --stage baseline` asks the pods' provider; with -v each pod's end is told",
                    )),
                };
                records.carry_out(&plan)
            }
        }
    });
    records.end();
    ended?;
    match open {
        None => Ok(()),
        Some(error) => Err(error.hint("run `gen404 baseline` again to continue: what was made is kept")),
    }
}

/// The number of prompts whose entry has no complete output.
pub(crate) fn missing(standing: &Standing, prompts: &PromptList) -> usize {
    let made = standing.files.players.get(&Player::Leader).and_then(|own| own.generated.get());
    let is_missing = |output: &Output| !output.is_complete();
    prompts.stems().filter_map(|stem| made?.get(stem)).filter(|output| is_missing(output)).count()
}
