//! `gen404 baseline`: generates the leader's outputs for the round's prompts.

use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::cli::{BaselineArgs, Global};
use crate::engine::common::{not_due, require_intact, schedule};
use crate::engine::context::Context;
use crate::engine::leases::HeldLease;
use crate::engine::regenerating::baseline::{make, missing};
use crate::engine::regenerating::{Tools, files_of};
use crate::engine::runs::estimates::foresee_pods;
use crate::engine::stands::AnyStanding;
use crate::engine::threejs;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::Player;
use crate::model::leader::Leaders;
use crate::model::prompts::PromptList;
use crate::rules::regeneration::{baseline_leader, baseline_outstanding};
use crate::rules::stage_table::is_for;
use crate::ui::{Report, Ui};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &BaselineArgs, report: &mut Report) -> Result<()> {
    let mut context = Context::open(global, ui, report)?;
    context.stop = Stop::on_signals()?;
    let _lock = context.lock("baseline", report)?;
    let standing = context.stands()?;
    if !is_for("baseline", standing.stage()) {
        return Err(not_due(&context, &*standing, "baseline", None));
    }
    require_intact(&*standing)?;
    let standing = match standing {
        AnyStanding::Mesh(standing) => standing,
        AnyStanding::Threejs(standing) => {
            return threejs::regenerating::baseline(&context, &standing, args.retry, &args.store, report);
        }
    };
    let round = standing.state.current_round;
    let prompts: PromptList = context.store.need(&FileKind::Round(round, RoundFile::Prompts))?;
    let missing = missing(&standing, &prompts);
    let lacks = baseline_outstanding(&standing.files, &prompts).len();
    if lacks == 0 && !(args.retry && missing > 0) {
        let note =
            if missing > 0 { format!(", {missing} without a model (--retry tries them again)") } else { String::new() };
        report.say(format!("round {round}: the leader's outputs already exist{note}"));
        return context.release_left();
    }
    let leaders: Leaders = context.store.need(&FileKind::Leader)?;
    let schedule = schedule(&context, &standing)?;
    let leader = baseline_leader(&leaders, &schedule)
        .ok_or_else(|| Error::failed(format!("leader.json: no leader at block {}", schedule.latest_reveal_block)))?;
    if global.dry_run {
        let open = lacks + if args.retry { missing } else { 0 };
        report.say(format!("would make {} of the leader with {}", counted(open, "output", "outputs"), leader.docker));
        foresee_pods(&context, round, open as u64, report)?;
        report.note_files(files_of(round, &Player::Leader));
        return Ok(());
    }
    let lease = context.announce_whole("baseline", round)?;
    let (store, render_service) = (&args.store, args.render_service.as_deref());
    let tools = Tools { store, render_service, measures: false, lease: lease.as_deref() };
    let made = make(&context, &standing, &tools, (&leader.docker, args.retry), report);
    HeldLease::conclude(lease, made)
}
