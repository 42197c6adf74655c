//! `gen404 open`: records the submissions revealed so far.

use crate::base::error::Result;
use crate::cli::{Global, OpenArgs};
use crate::engine::common::{miners, not_due, pool_for_a_seed, read_intake, recorded, schedule};
use crate::engine::context::Context;
use crate::engine::stands::AnyStanding;
use crate::engine::threejs;
use crate::rules::opening;
use crate::rules::stage_table::is_for;
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &OpenArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("open", report)?;
    let standing = context.stands()?;
    if !is_for("open", standing.stage()) {
        return Err(not_due(&context, &*standing, "open", None));
    }
    pool_for_a_seed(&context, &*standing)?;
    let schedule = schedule(&context, &*standing)?;
    let chain = context.need_chain(&args.chain)?;
    let block = chain.finalized_block()?;
    if block >= schedule.latest_reveal_block {
        return Err(not_due(&context, &*standing, "open", Some(block)));
    }
    let mut intake = read_intake(&context, &*standing, &schedule, chain.as_ref(), block, &args.intake)?;
    if matches!(standing, AnyStanding::Threejs(_)) {
        intake = threejs::opening::admitted(&context, intake, chain.as_ref(), block)?;
    }
    let mut plan = match &standing {
        AnyStanding::Mesh(standing) => opening::open(standing.state.current_round, recorded(standing)?, &intake),
        AnyStanding::Threejs(standing) => threejs::opening::open(&context, standing, &intake)?,
    };
    plan.says.extend(miners(&context, &intake));
    context.apply(&plan, report)
}
