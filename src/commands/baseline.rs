//! `gen404 baseline`: make the leader's outputs for the round's prompts.

use crate::base::error::{Error, Result};
use crate::cli::{BaselineArgs, Global};
use crate::engine::common::{not_due, require_intact, schedule};
use crate::engine::context::{Context, Standing};
use crate::engine::regenerating::{Records, RegenerationEvent, RegenerationJob, RegenerationRun, Tools, files_of};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::Player;
use crate::model::leader::Leaders;
use crate::model::outputs::Output;
use crate::model::prompts::PromptList;
use crate::model::stage::Stage;
use crate::rules::regeneration::{JobStanding, Purpose, baseline_leader, baseline_outstanding};
use crate::ui::Ui;
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &BaselineArgs) -> Result<()> {
    let mut context = Context::open(global, ui)?;
    context.stop = Stop::on_signals()?;
    let _lock = context.lock("baseline")?;
    let standing = context.standing()?;
    if !matches!(standing.state.stage, Stage::MinerGeneration | Stage::Downloading | Stage::Duels) {
        return Err(not_due(&context, &standing, "baseline", None));
    }
    let round = standing.state.current_round;
    let prompts: PromptList = context.store.need(&FileKind::Round(round, RoundFile::Prompts))?;
    require_intact(round, &standing.files)?;
    let missing = missing(&standing, &prompts);
    let lacks = baseline_outstanding(&standing.files, &prompts).len();
    if lacks == 0 && !(args.retry && missing > 0) {
        let note =
            if missing > 0 { format!(", {missing} without a model (--retry tries them again)") } else { String::new() };
        ui.result(&format!("round {round}: the leader's outputs are there already{note}"));
        return Ok(());
    }
    let leaders: Leaders = context.store.need(&FileKind::Leader)?;
    let schedule = schedule(&context, &standing)?;
    let leader = baseline_leader(&leaders, &schedule)
        .ok_or_else(|| Error::failed(format!("leader.json: nobody leads at block {}", schedule.latest_reveal_block)))?;
    if global.dry_run {
        let open = lacks + if args.retry { missing } else { 0 };
        ui.result(&format!("would make {open} output(s) of the leader with {}", leader.docker));
        ui.note_files(files_of(round, &Player::Leader));
        return Ok(());
    }
    make(&context, &standing, args, &leader.docker)
}

fn make(context: &Context<'_>, standing: &Standing, args: &BaselineArgs, image: &str) -> Result<()> {
    let tools = Tools { store: &args.store, render_service: args.render_service.as_deref(), measures: false };
    let run = RegenerationRun::open(context, standing, &tools)?;
    let round = standing.state.current_round;
    let job = RegenerationJob::new(Player::Leader, image.to_owned(), Purpose::Baseline, args.retry);
    let (mut records, mut open) = (Records::new(context), None);
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
                    (_, None) => Some(Error::outside("no pod with the leader's image could make the rest")),
                };
                records.carry_out(&plan)
            }
        }
    });
    records.say();
    ended?;
    match open {
        None => Ok(()),
        Some(error) => Err(error.hint("run `gen404 baseline` again to go on: what was made is kept")),
    }
}

/// How many prompts have an entry without a complete output.
fn missing(standing: &Standing, prompts: &PromptList) -> usize {
    let made = standing.files.players.get(&Player::Leader).and_then(|own| own.generated.get());
    let is_missing = |output: &Output| !output.is_complete();
    prompts.stems().filter_map(|stem| made?.get(stem)).filter(|output| is_missing(output)).count()
}
