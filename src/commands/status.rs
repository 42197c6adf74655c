//! `gen404 status`: where the competition stands, what is due, what is missing.

use serde_json::{Value, json};

use super::context::{Context, Standing};
use crate::cli::{Global, StatusArgs};
use crate::error::{Kind, Result};
use crate::rules::download::{Known, Tally, tally};
use crate::rules::lacking::lacking;
use crate::rules::stages::{Due, Facts, due};
use crate::rules::succession::Moment;
use crate::state::file::FileKind;
use crate::state::ids::{Block, Hotkey};
use crate::state::leader::{LeaderEntry, Leaders, leader_at};
use crate::ui::Ui;
use crate::world::spool::Journal;

pub(super) fn run(global: &Global, ui: &Ui, args: &StatusArgs) -> Result<()> {
    let context = Context::open(global, ui)?;
    let standing = context.standing()?;
    // A chain that cannot be reached hides the block, and nothing else.
    let mut unknown = "name a chain in [chain] of gen404.toml, by SUBTENSOR_NETWORK or --network, or give --block N";
    let moment = match context.moment(&args.moment) {
        Err(error) if error.kind() == Kind::Outside => {
            ui.warn(&error.to_string());
            unknown = "the chain did not answer (that of a sandbox is there while `gen404 sandbox` runs)";
            None
        }
        moment => moment?,
    };
    let leaders = context.store.load::<Leaders>(&FileKind::Leader)?.unwrap_or_default();
    let facts = Facts { state: &standing.state, files: &standing.files, block: moment.map(|moment| moment.block) };
    let due = due(facts);
    let (files, win_margin) = (&standing.files, standing.config.settings.win_margin);
    let mut open = lacking(files, standing.state.stage, win_margin, &context.config.rules);
    open.extend(incomplete(&context, &standing));
    if ui.json() {
        ui.result_json(&as_json(&standing, moment, &leaders, &due, &open));
        return Ok(());
    }
    let state = &standing.state;
    let settings = &standing.config.settings;
    ui.result(&format!("{}: round {} is in {}", settings.name, state.current_round, state.stage));
    match moment {
        Some(moment) => ui.result(&format!("block {} at {}", moment.block, moment.now.format("%F %T UTC"))),
        None => ui.result(&format!("block unknown: {unknown}")),
    }
    if let Some(schedule) = standing.files.schedule.get() {
        let (from, to, by) =
            (schedule.earliest_reveal_block, schedule.latest_reveal_block, schedule.generation_deadline_block);
        ui.result(&format!("reveals count in blocks {from} to {to}; files are due by block {by}"));
    }
    if let Some(eta) = &state.next_stage_eta {
        ui.result(&format!("next stage expected about {eta}"));
    }
    for due in &due {
        ui.result(&describe(due, moment));
    }
    for point in &open {
        ui.result(&format!("open: {point}"));
    }
    match in_force(&leaders, moment) {
        Some(leader) => ui.result(&format!(
            "leader: {} with weight {} from block {}",
            leader.hotkey, leader.weight, leader.effective_block
        )),
        None => ui.result("leader: nobody"),
    }
    Ok(())
}

/// Who leads at this block; the newest entry where the block is not known.
fn in_force(leaders: &Leaders, moment: Option<Moment>) -> Option<&LeaderEntry> {
    moment.map_or(leaders.last(), |moment| leader_at(leaders, moment.block))
}

fn describe(due: &Due, moment: Option<Moment>) -> String {
    match due {
        Due::Now { command, what } => format!("due now: gen404 {command} ({what})"),
        Due::Possible { command, what } => format!("possible: gen404 {command} ({what})"),
        Due::From { command, block } => format!("later: gen404 {command}, {}", until(*block, moment)),
        Due::Never(why) => why.clone(),
    }
}

/// "from block N on, in K blocks, about TIME".
fn until(block: Block, moment: Option<Moment>) -> String {
    let from = format!("from block {block} on");
    let Some(moment) = moment else { return from };
    let blocks = block.0.saturating_sub(moment.block.0);
    let time = moment.time_of(block).map(|time| format!(", about {}", time.format("%F %R UTC"))).unwrap_or_default();
    format!("{from}, in {blocks} blocks{time}")
}

/// Miners whose files are not all there, as the download on this machine noted it.
fn incomplete(context: &Context<'_>, standing: &Standing) -> Vec<String> {
    let marks = match Journal::read(&context.own_folder(), standing.state.current_round) {
        Ok(marks) => marks,
        Err(error) => {
            context.ui.warn(&error.to_string());
            return Vec::new();
        }
    };
    let mut known = Known::default();
    marks.into_iter().for_each(|mark| known.add(mark));
    let (Some(submissions), Some(prompts)) = (standing.files.submissions.get(), standing.files.prompts.get()) else {
        return Vec::new();
    };
    let line = |hotkey: &Hotkey| {
        let Tally { refused, failed, reasons, .. } = tally(prompts, hotkey, &known);
        let mut often: Vec<_> = reasons.iter().collect();
        often.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), *reason));
        let said: Vec<String> = often.iter().take(3).map(|(reason, count)| format!("{count}x {reason}")).collect();
        let said = said.join("; ");
        (!often.is_empty()).then(|| format!("{hotkey}: {refused} file(s) refused, {failed} not fetched: {said}"))
    };
    submissions.keys().filter_map(line).collect()
}

fn as_json(standing: &Standing, moment: Option<Moment>, leaders: &Leaders, due: &[Due], open: &[String]) -> Value {
    let due: Vec<Value> = due
        .iter()
        .map(|due| match due {
            Due::Now { command, what } => json!({"command": command, "when": "now", "what": what}),
            Due::Possible { command, what } => json!({"command": command, "when": "possible", "what": what}),
            Due::From { command, block } => json!({
                "command": command, "when": "later", "block": block,
                "blocks": moment.map(|moment| block.0.saturating_sub(moment.block.0)),
                "time": moment.and_then(|moment| moment.time_of(*block)).map(|time| time.to_rfc3339()),
            }),
            Due::Never(why) => json!({"command": null, "when": "never", "what": why}),
        })
        .collect();
    json!({
        "name": standing.config.settings.name,
        "round": standing.state.current_round,
        "stage": standing.state.stage,
        "next_stage_eta": standing.state.next_stage_eta,
        "block": moment.map(|moment| moment.block),
        "time": moment.map(|moment| moment.now.to_rfc3339()),
        "schedule": standing.files.schedule.get(),
        "due": due,
        "open": open,
        "leader": in_force(leaders, moment),
    })
}
