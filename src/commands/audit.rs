//! `gen404 audit`: regenerates what the miners on `require_audit.json` submitted, and records verdicts.

use crate::base::error::Result;
use crate::cli::{AuditArgs, Global};
use crate::engine::common::{not_due, require_intact};
use crate::engine::context::Context;
use crate::engine::regenerating::Tools;
use crate::engine::regenerating::audits::{Orders, Requested};
use crate::model::stage::Stage;
use crate::rules::stage_table::is_for;
use crate::rules::stages::unanswered;
use crate::ui::{Report, Ui};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &AuditArgs, report: &mut Report) -> Result<()> {
    let mut context = Context::open(global, ui, report)?;
    context.stop = Stop::on_signals()?;
    let _lock = context.lock("audit", report)?;
    let standing = context.standing()?;
    let round = standing.state.current_round;
    if !is_for("audit", standing.state.stage) {
        if standing.state.stage == Stage::Finalizing && unanswered(&standing.files).is_empty() {
            report.say(format!("round {round}: no audit is awaited"));
            return Ok(());
        }
        return Err(not_due(&context, &standing, "audit", None));
    }
    require_intact(round, &standing.files)?;
    let wanted = Requested { only: args.only.as_ref(), shard: args.shard, retry: args.retry };
    let orders = Orders::of(&standing, &wanted)?;
    if orders.is_empty() {
        report.say(format!("round {round}: no audit is awaited"));
        return Ok(());
    }
    if global.dry_run {
        return orders.foresee(&context, &standing, report);
    }
    let tools = Tools { store: &args.store, render_service: args.render_service.as_deref(), measures: true };
    orders.answer(&context, &standing, &tools, report)
}
