//! `gen404 duel`: plays the matches that the tournament needs, calls for audits, declares the winner.

use std::time::Duration;

use crate::base::error::Result;
use crate::cli::{DuelArgs, Global};
use crate::engine::context::Context;
use crate::engine::judging::session::{Calls, session};
use crate::rules::shard::Shard;
use crate::ui::{Report, Ui};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &DuelArgs, report: &mut Report) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui, report)? };
    let (concurrency, shard) = (args.judge_concurrency, args.shard.unwrap_or(Shard::WHOLE));
    let calls = Calls { judge: &args.judge, concurrency, shard };
    loop {
        session(&context, &calls, report)?;
        if report.waits.is_empty() || !args.wait || global.dry_run {
            return Ok(());
        }
        // Not holding the lock while sleeping lets `audit` record its verdicts in this folder.
        let waits = report.waits.join("; ");
        report.go_on_waiting();
        ui.tell(report);
        ui.status(&format!("{waits}; checking again in {} s", args.poll));
        context.stop.sleep(Duration::from_secs(args.poll));
        context.stop.check()?;
    }
}
