//! `gen404 leader`: who leads at a block, and the weights that validators set.

use serde_json::json;

use crate::base::error::{Error, Kind, Result};
use crate::cli::{Global, LeaderArgs};
use crate::engine::context::Context;
use crate::engine::formats;
use crate::model::leader::LeaderEntry;
use crate::rules::lead::{Lead, in_force, shown};
use crate::settings::flags::MomentArgs;
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &LeaderArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let format = context.detected()?.format;
    let leaders = formats::need_leaders(&context, format)?;
    let args = MomentArgs { block: args.block, now: None, chain: args.chain.clone() };
    context.say_asked(&args);
    let (moment, unknown) = context.sighted(&args)?;
    let lead = Lead::of(&leaders, moment.map(|moment| moment.block));
    let Some(newest) = lead.newest_entry else {
        return Err(Error::failed("leader.json: no leader: the list is empty"));
    };
    match lead.block {
        Some(block) if lead.leader.is_none() => {
            let first = leaders.iter().map(|entry| entry.effective_block).min().unwrap_or(newest.effective_block);
            report
                .waits
                .push(format!("nobody leads at block {block}: the first entry is in force from block {first} on"));
        }
        Some(block) => report.say(format!("block {block}")),
        None => {
            report.say(format!("block unknown, so the leader is unknown, too: {unknown}"));
            // Whoever sets weights by this must not take it for an answer.
            report.fails(if context.names_chain(&args.chain) { Kind::Outside } else { Kind::Usage });
        }
    }
    for (what, entry) in lead.lines() {
        let (weight, rest) = (shown(entry.weight), shown(1.0 - entry.weight));
        let burnt = if rest > 0.0 { format!(" (the other {rest} is burnt)") } else { String::new() };
        report.say(format!("{what}: {}, {}", entry.hotkey, in_force(entry)));
        report.say(format!("  program  {} at {}", entry.repo, entry.commit));
        report.say(format!("  image    {}", entry.docker));
        report.say(format!("  weight   {weight}{burnt}"));
    }
    report.detail(as_json(lead));
    Ok(())
}

fn as_json(lead: Lead<'_>) -> serde_json::Value {
    let weights =
        |entry: &LeaderEntry| json!({ entry.hotkey.as_str(): shown(entry.weight), "burn": shown(1.0 - entry.weight) });
    let mut json = json!(lead);
    json["weights"] = json!(lead.leader.map(weights));
    json
}
