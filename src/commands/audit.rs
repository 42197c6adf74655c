//! `gen404 audit`: regenerates what the miners on `require_audit.json` submitted, and records verdicts.

use crate::base::error::Result;
use crate::cli::{AuditArgs, Global};
use crate::engine::common::{not_due, require_intact};
use crate::engine::context::Context;
use crate::engine::leases::{Announced, HeldLease};
use crate::engine::regenerating::Tools;
use crate::engine::regenerating::audits::{Orders, Requested};
use crate::engine::stands::AnyStanding;
use crate::engine::threejs;
use crate::model::stage::Stage;
use crate::rules::stage_table::is_for;
use crate::rules::stages::unanswered;
use crate::ui::{Report, Ui};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &AuditArgs, report: &mut Report) -> Result<()> {
    let mut context = Context::open(global, ui, report)?;
    context.stop = Stop::on_signals()?;
    let _lock = context.lock("audit", report)?;
    let wanted = Requested { only: args.only.as_ref(), shard: args.shard, retry: args.retry };
    let standing = match context.stands()? {
        AnyStanding::Mesh(standing) => standing,
        AnyStanding::Threejs(standing) => {
            return threejs::regenerating::audit(&context, &standing, &wanted, &args.store, report);
        }
    };
    let round = standing.state.current_round;
    if !is_for("audit", standing.state.stage) {
        if standing.state.stage == Stage::Finalizing && unanswered(&standing.files).is_empty() {
            report.say(format!("round {round}: no audit is awaited"));
            return context.release_left();
        }
        return Err(not_due(&context, &standing, "audit", None));
    }
    require_intact(&standing)?;
    let mut orders = Orders::of(&standing, &wanted)?;
    if orders.is_empty() {
        report.say(format!("round {round}: no audit is awaited"));
        return context.release_left();
    }
    if global.dry_run {
        return orders.foresee(&context, &standing, report);
    }
    let miners = orders.miners();
    // Without a program to run, no pod is rented, and nothing is announced.
    let announced = if miners.is_empty() { Announced::NotAsked } else { context.announce("audit", round, &miners)? };
    let lease = match announced {
        Announced::NotAsked => None,
        Announced::Ours(lease, others) => {
            orders.leave_to(&context, &lease.hotkeys, &others);
            Some(lease)
        }
        Announced::Theirs(others) => {
            orders.leave_to(&context, &[], &others);
            None
        }
    };
    let (store, render_service) = (&args.store, args.render_service.as_deref());
    let tools = Tools { store, render_service, measures: true, lease: lease.as_deref() };
    let answered = orders.answer(&context, &standing, &tools, report);
    HeldLease::conclude(lease, answered)
}
