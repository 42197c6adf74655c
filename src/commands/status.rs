//! `gen404 status`: where the competition stands, what is due, what is missing.

mod watch;

use serde_json::{Value, json};

use crate::base::error::{Kind, Result};
use crate::base::text::{counted, line, tallied, time};
use crate::cli::{Global, StatusArgs};
use crate::engine::common::{pool_for_a_seed, stands};
use crate::engine::context::Context;
use crate::engine::fetching::spool::FetchJournal;
use crate::engine::formats::{self, OtherStanding, RoundBlocks};
use crate::engine::notify;
use crate::engine::pausing::Pause;
use crate::engine::runs::summary::Record;
use crate::engine::stands::Stands;
use crate::model::format::detect::Detected;
use crate::model::ids::{Block, Hotkey, RoundNumber};
use crate::model::leases::{StepLease, StepLeases};
use crate::model::stage::{CompetitionState, Stage, Timestamp, round_in_words};
use crate::rules::download::{KnownFiles, Tally, recorded_tally, tally};
use crate::rules::lead::{Lead, in_force, shown};
use crate::rules::stages::Due;
use crate::rules::succession::Moment;
use crate::settings::SETTINGS;
use crate::ui::{DUE, Report, Ui};
use crate::world::pods::lease::{NotedPod, noted};

pub(super) fn run(global: &Global, ui: &Ui, args: &StatusArgs, report: &mut Report) -> Result<()> {
    match args.watch {
        None => look(global, ui, args, report),
        Some(seconds) => watch::run(global, ui, args, seconds, report),
    }
}

/// Looks once.
fn look(global: &Global, ui: &Ui, args: &StatusArgs, report: &mut Report) -> Result<()> {
    // What fails is told also if it is the settings.
    let (context, broken) = match Context::open(global, ui, report) {
        Err(error) if error.service() == Some(SETTINGS) => (Context::to_tell(global, ui)?, Some(error)),
        context => (context?, None),
    };
    stands_and_fails(&context, args, report)?;
    broken.map_or(Ok(()), Err)
}

/// Tells where the competition stands, what fails and what is due.
fn stands_and_fails(context: &Context<'_>, args: &StatusArgs, report: &mut Report) -> Result<()> {
    let ui = context.ui;
    let detected = context.detected()?;
    if let Some(standing) = formats::standing(context, detected.format)? {
        return of_other_format(context, args, &detected, &standing, report);
    }
    let standing = context.stands()?;
    let standing: &dyn Stands = &*standing;
    let (moment, unknown) = context.sighted(&args.moment)?;
    let leaders = formats::leaders(context, detected.format)?;
    let lead = Lead::of(&leaders, moment.map(|moment| moment.block));
    let mut leases = context.seen_leases()?;
    let due = standing.due(moment.map(|moment| moment.block));
    // What is done by now is no other host's work any more.
    leases.leases.retain(|lease| due.iter().any(|due| command_of(due) == Some(lease.command.as_str())));
    let due: Vec<Due> = due.into_iter().map(|due| left_to_others(context, due, standing, &leases)).collect();
    report.exit = args.exit_code.then(|| exit_code(&due));
    let is_finished = standing.stage() == Stage::Finished;
    let mut open = standing.outstanding();
    // What was not there by the end is history.
    if !is_finished {
        open.extend(incomplete(context, standing));
        open.extend(pool_for_a_seed(context, standing).err().map(|error| error.to_string()));
    }
    let (state, settings) = (standing.state(), standing.settings());
    report.say(format!("{}: {}", settings.name, stands(context, standing)));
    // First what fails, then what is due and what stands in its way.
    let record = Record::of(context, state.current_round);
    record.say_faults(report);
    let pods = pods_noted(context);
    say_pods(&pods, record.is_at_work(), report);
    due.iter().for_each(|due| report.say(describe(due, moment)));
    say_others(context, &leases, state.current_round, report);
    open.iter().for_each(|point| report.say(format!("outstanding: {point}")));
    let (undelivered, told) = notify::undelivered(context).unwrap_or_else(|error| {
        ui.warn(&error.to_string());
        Default::default()
    });
    undelivered.into_iter().for_each(|line| report.say(line));
    report.say(format!("format: {detected}"));
    say_moment(moment, &unknown, report);
    if let Some(schedule) = standing.schedule().filter(|_| !is_finished) {
        let (from, to, by) =
            (schedule.earliest_reveal_block, schedule.latest_reveal_block, schedule.generation_deadline_block);
        report.say(format!("reveals count in blocks {from} to {to}; files are due by block {by}"));
    }
    if let Some(eta) = &state.next_stage_eta {
        report.say(format!("next stage expected about {}", time(eta.at())));
    }
    say_lead(&lead, report);
    record.say_use(report);
    let mut json = as_json(standing, moment, lead, &due, &open);
    json["format"] = detected.json();
    (json["failing"], json["usage"]) = record.json();
    json["notify"] = told;
    let pause = pause_of(context, state);
    json["paused_because"] = json!(pause.reason);
    json["paused_since"] = json!(pause.since.map(Timestamp::from));
    json["pods"] = pods_json(&pods);
    json["leases"] = json!(leases.leases);
    report.detail(json);
    Ok(())
}

/// Why nothing is due.
const NOT_RUN: &str = "gen404 reads and checks competitions of this format, and does not run them";

/// Reports the standing of a competition that gen404 does not run.
fn of_other_format(
    context: &Context<'_>,
    args: &StatusArgs,
    detected: &Detected,
    standing: &OtherStanding,
    report: &mut Report,
) -> Result<()> {
    let (moment, unknown) = context.sighted(&args.moment)?;
    let leaders = formats::leaders(context, detected.format)?;
    let lead = Lead::of(&leaders, moment.map(|moment| moment.block));
    match standing.round {
        Some(round) => report.say(format!("{}: {}", standing.name, round_in_words(round, standing.stage))),
        None => report.say(format!("{}: no round has begun; the stage is {}", standing.name, standing.stage)),
    }
    report.say(NOT_RUN);
    report.exit = args.exit_code.then_some(0);
    standing.open.iter().for_each(|point| report.say(format!("outstanding: {point}")));
    report.say(format!("format: {detected}"));
    say_moment(moment, &unknown, report);
    if let Some(RoundBlocks { earliest_reveal_block, latest_reveal_block, generation_deadline_block }) =
        standing.schedule
    {
        let by = generation_deadline_block.map(|block| format!("; files are due by block {block}")).unwrap_or_default();
        report.say(format!("reveals count in blocks {earliest_reveal_block} to {latest_reveal_block}{by}"));
    }
    if let Some(eta) = &standing.eta {
        report.say(format!("next stage expected about {}", time(eta.at())));
    }
    say_lead(&lead, report);
    report.detail(json!({
        "format": detected.json(),
        "name": standing.name,
        "round": standing.round,
        "stage": standing.stage,
        "next_stage_eta": standing.eta,
        "block": moment.map(|moment| moment.block),
        "time": moment.map(|moment| Timestamp::from(moment.now)),
        "schedule": standing.schedule,
        "due": [{"command": null, "when": "never", "what": NOT_RUN}],
        "open": standing.open,
        "leader": lead.leader,
        "newest_entry": lead.newest_entry,
        "entry_before": lead.entry_before,
    }));
    Ok(())
}

/// A step that another host has announced is its own to do: here it can only be waited for.
fn left_to_others(context: &Context<'_>, due: Due, standing: &dyn Stands, leases: &StepLeases) -> Due {
    let (Due::Now { command, .. } | Due::Possible { command, .. }) = &due else { return due };
    let command = *command;
    let theirs: Vec<&StepLease> = leases.of(command, standing.round()).collect();
    let wanted = if command == "audit" { standing.audits() } else { Vec::new() };
    let all = wanted.iter().all(|hotkey| theirs.iter().any(|lease| lease.covers(hotkey)));
    match theirs.first() {
        Some(first) if all => Due::Waits { command, what: first.says(context.lease_skew()) },
        _ => due,
    }
}

fn command_of(due: &Due) -> Option<&'static str> {
    match due {
        Due::Now { command, .. } | Due::Possible { command, .. } | Due::Waits { command, .. } => Some(command),
        Due::From { command, .. } => Some(command),
        Due::Never(_) => None,
    }
}

fn say_others(context: &Context<'_>, leases: &StepLeases, round: RoundNumber, report: &mut Report) {
    for lease in leases.leases.iter().filter(|lease| lease.round == round) {
        report.say(format!("elsewhere: {}: {}", line(&lease.command), context.elsewhere(lease)));
    }
}

fn pause_of(context: &Context<'_>, state: &CompetitionState) -> Pause {
    if state.stage == Stage::Paused { context.pause_of(state.current_round) } else { Pause::default() }
}

/// The pods that are rented, by this machine's notes.
fn pods_noted(context: &Context<'_>) -> Vec<NotedPod> {
    let noted = context.own_folder().and_then(|own| noted(&own));
    noted.unwrap_or_else(|error| {
        context.ui.warn(&error.to_string());
        Vec::new()
    })
}

/// Most pods that are named.
const MOST_PODS: usize = 20;

fn say_pods(pods: &[NotedPod], at_work: bool, report: &mut Report) {
    for NotedPod { name, provider, since } in pods.iter().take(MOST_PODS) {
        let pod = format!("pod {} of {}, ordered at {}", line(name), line(provider), time(*since));
        report.say(match at_work {
            true => format!("at work or waited for: {pod}"),
            false => format!("left by a run that is gone: {pod}; the next `audit` or `baseline` releases it"),
        });
    }
    if let Some(more @ 1..) = pods.len().checked_sub(MOST_PODS) {
        report.say(format!("and {}", counted(more, "more pod", "more pods")));
    }
}

fn pods_json(pods: &[NotedPod]) -> Value {
    let pod = |pod: &NotedPod| json!({"name": pod.name, "provider": pod.provider, "since": Timestamp::from(pod.since)});
    pods.iter().map(pod).collect()
}

/// The code of `--exit-code`: 10 if a command is due now, 3 if something is possible, awaited or due later, 0 if
/// nothing will be due.
fn exit_code(due: &[Due]) -> u8 {
    match due {
        due if due.iter().any(|due| matches!(due, Due::Now { .. })) => DUE,
        due if due.iter().all(|due| matches!(due, Due::Never(_))) => 0,
        _ => Kind::NotDue.exit_code(),
    }
}

fn say_moment(moment: Option<Moment>, unknown: &str, report: &mut Report) {
    match moment {
        Some(moment) => report.say(format!("block {} at {}", moment.block, time(moment.now))),
        None => report.say(format!("block unknown: {unknown}")),
    }
}

fn say_lead(lead: &Lead<'_>, report: &mut Report) {
    if lead.block.is_some() && lead.leader.is_none() {
        report.say("leader: none");
    }
    for (what, entry) in lead.lines() {
        report.say(format!("{what}: {} with weight {}, {}", entry.hotkey, shown(entry.weight), in_force(entry)));
    }
}

fn describe(due: &Due, moment: Option<Moment>) -> String {
    match due {
        Due::Now { command, what } => format!("due now: gen404 {command} ({what})"),
        Due::Possible { command, what } => format!("possible: gen404 {command} ({what})"),
        Due::Waits { command, what } => format!("waits: gen404 {command} ({what})"),
        Due::From { command, block } => format!("later: gen404 {command}, {}", until(*block, moment)),
        Due::Never(why) => why.clone(),
    }
}

/// "from block N on, in K blocks, about TIME".
fn until(block: Block, moment: Option<Moment>) -> String {
    let from = format!("from block {block} on");
    let Some(moment) = moment else { return from };
    let blocks = block.0.saturating_sub(moment.block.0);
    let about = moment.time_of(block).map(|at| format!(", about {}", time(at))).unwrap_or_default();
    format!("{from}, in {}{about}", counted(blocks, "block", "blocks"))
}

/// Miners with files missing, according to the download journal on this machine, else to what is recorded.
fn incomplete(context: &Context<'_>, standing: &dyn Stands) -> Vec<String> {
    let noted = context.own_folder().and_then(|own| FetchJournal::read(&own, standing.round()));
    let marks = match noted {
        Ok(marks) => marks,
        Err(error) => {
            context.ui.warn(&error.to_string());
            return Vec::new();
        }
    };
    let mut known = KnownFiles::default();
    marks.into_iter().for_each(|mark| known.add(mark));
    let (Some(miners), Some(prompts)) = (standing.miners(), standing.prompts()) else {
        return Vec::new();
    };
    let line = |hotkey: &Hotkey| {
        let noted = tally(prompts, hotkey, &known);
        let recorded = standing.refusals(hotkey).filter(|_| noted == Tally::default());
        let Tally { refused, failed, reasons, .. } = recorded.map_or(noted, recorded_tally);
        let said = tallied(reasons, 3);
        let refused = (refused > 0).then(|| counted(refused, "file refused", "files refused"));
        let failed = (failed > 0).then(|| counted(failed, "file not fetched", "files not fetched"));
        let counts: Vec<String> = refused.into_iter().chain(failed).collect();
        (!said.is_empty()).then(|| format!("{hotkey}: {}: {said}", counts.join(", ")))
    };
    miners.iter().filter_map(|(hotkey, _)| line(hotkey)).collect()
}

fn as_json(standing: &dyn Stands, moment: Option<Moment>, lead: Lead<'_>, due: &[Due], open: &[String]) -> Value {
    let due: Vec<Value> = due
        .iter()
        .map(|due| match due {
            Due::Now { command, what } => json!({"command": command, "when": "now", "what": what}),
            Due::Possible { command, what } => json!({"command": command, "when": "possible", "what": what}),
            Due::Waits { command, what } => json!({"command": command, "when": "waits", "what": what}),
            Due::From { command, block } => json!({
                "command": command, "when": "later", "block": block,
                "blocks": moment.map(|moment| block.0.saturating_sub(moment.block.0)),
                "time": moment.and_then(|moment| moment.time_of(*block)).map(Timestamp::from),
            }),
            Due::Never(why) => json!({"command": null, "when": "never", "what": why}),
        })
        .collect();
    json!({
        "name": standing.settings().name,
        "round": standing.round(),
        "stage": standing.stage(),
        "next_stage_eta": standing.state().next_stage_eta,
        "block": moment.map(|moment| moment.block),
        "time": moment.map(|moment| Timestamp::from(moment.now)),
        "schedule": standing.schedule(),
        "due": due,
        "open": open,
        "leader": lead.leader,
        "newest_entry": lead.newest_entry,
        "entry_before": lead.entry_before,
    })
}
