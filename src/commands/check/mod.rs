//! `gen404 check`: what `download`, the intake and `audit` would make of a miner's files, payload and program.

mod advice;
mod audit;
mod says;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::cli::{CheckArgs, Global};
use crate::engine::checking::fetched::CheckedFiles;
use crate::engine::checking::program::driver;
use crate::engine::checking::source::{Source, prompts_of};
use crate::engine::checking::{CheckJob, WorkFolder, chain};
use crate::engine::context::{Context, Standing};
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::prompts::PromptList;
use crate::model::snapshot::Slot;
use crate::report::folder::outside;
use crate::rules::check::{PayloadCheck, PayloadVerdict, Unasked, unasked};
use crate::rules::prompts;
use crate::ui::{Report, Ui};
use crate::world::distance::Distance;
use crate::world::stop::Stop;

/// Longest list of prompts, in bytes.
const LONGEST_LIST: u64 = files::SMALL;

pub(super) fn run(global: &Global, ui: &Ui, args: &CheckArgs, report: &mut Report) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui, report)? };
    context.runs_this_format()?;
    let standing = context.standing_in(args.round)?;
    is_here(&standing, args.round)?;
    let allow_private = args.intake.allow_private_cdn || context.config.miners.allow_private_cdn;
    let source = Source::parse(&args.source, allow_private)?;
    let [previews, kept] = folders(&context, args)?;
    let known = known_prompts(&standing, args)?;
    let names = source.names()?;
    let prompts = known.clone().unwrap_or_else(|| prompts_of(&names, standing.files.format.model()));
    let hotkey = args.hotkey.clone().or_else(|| source.owner(standing.files.submissions.get()));
    let work = WorkFolder::open(kept.filter(|_| !global.dry_run))?;
    let job = CheckJob {
        context: &context,
        standing: &standing,
        source: &source,
        hotkey: hotkey.as_ref(),
        prompts: &prompts,
        seed: args.seed.or_else(|| standing.files.seed.get().map(|file| file.seed)),
        work: work.path(),
        render_service: args.render_service.as_deref().filter(|url| !url.is_empty()),
        allow_private,
    };
    // Opened first: a mistake in the command line should not wait for the files.
    let program = program(&job, args, known.is_some())?;
    let (round, stage) = (standing.state.current_round, standing.state.stage);
    let count = known.as_ref().map(|list| list.stems().count());
    report.detail(json!({"round": round, "stage": stage, "source": args.source, "hotkey": hotkey, "prompts": count}));
    let checked = job.check_files()?;
    let written = previews.map(|folder| checked.write_previews(&folder, global.dry_run)).transpose()?;
    report.note_files(written.into_iter().flatten());
    let (unasked, more) = if known.is_some() { unasked_files(&names, &prompts, &standing) } else { Default::default() };
    tell_files(&checked, &source, (&unasked, more), report);
    let steps = tell_miner(&job, args, &checked, report)?;
    if let Some((url, distance)) = program {
        audit::tell(&job.audit(url, distance, &checked)?, &standing.config.settings.limits(), report);
    }
    steps.into_iter().for_each(|step| report.say_next(step));
    if known.is_none() {
        wait_for_prompts(&standing, &source, report);
    }
    Ok(())
}

/// The folders for the previews and for the work, if they are named.
fn folders(context: &Context<'_>, args: &CheckArgs) -> Result<[Option<PathBuf>; 2]> {
    let outside =
        |path: &Option<PathBuf>, flag| path.as_ref().map(|path| outside(path, context.store.root(), flag)).transpose();
    Ok([outside(&args.previews, "--previews")?, outside(&args.work, "--work")?])
}

/// The program to run, and what measures its distances.
fn program<'a>(
    job: &CheckJob<'_>,
    args: &'a CheckArgs,
    knows_prompts: bool,
) -> Result<Option<(&'a str, Box<dyn Distance>)>> {
    let Some(url) = args.pod.as_deref() else { return Ok(None) };
    let round = job.standing.state.current_round;
    let too_early = |what| Err(Error::usage(format!("--pod needs {what}, which round {round} does not have yet")));
    match (knows_prompts, job.seed) {
        (false, _) => too_early("the prompts' images (--prompts FILE names others)"),
        (true, None) => too_early("a seed (--seed N gives another one)"),
        (true, Some(_)) => Ok(Some((url, driver(job, &args.distance)?))),
    }
}

/// Before the prompts are known, the result is to come.
fn wait_for_prompts(standing: &Standing, source: &Source, report: &mut Report) {
    let round = standing.state.current_round;
    let drawn = standing.files.schedule.get().map(|schedule| schedule.latest_reveal_block);
    let drawn = drawn.map(|block| format!(" (they are drawn from block {block} on)")).unwrap_or_default();
    let meanwhile = match source {
        Source::Folder(_) => "files are held to the format alone",
        Source::Server(_) => "nothing was fetched, since a server has no list of its files",
    };
    let hint = "--prompts FILE names a list to check against, such as an earlier round's prompts.txt";
    report.waits.push(format!("the prompts of round {round} are not known yet{drawn}: {meanwhile}; {hint}"));
    report.hints.push(hint.to_owned());
    // What is wrong with a file now may be mended by then.
    report.failed = None;
}

/// Fails unless the round that was asked for has begun.
fn is_here(standing: &Standing, asked: Option<RoundNumber>) -> Result<()> {
    match asked {
        Some(round) if standing.files.schedule.is_missing() => {
            Err(Error::usage(format!("round {round} is not here: rounds/{round}/schedule.json is missing")))
        }
        _ => Ok(()),
    }
}

/// The prompts to check against: those named, else those of the round; `None` until they are drawn.
fn known_prompts(standing: &Standing, args: &CheckArgs) -> Result<Option<PromptList>> {
    if let Some(path) = &args.prompts {
        let list = prompts::pool(&files::need(path, LONGEST_LIST)?);
        return list.map(Some).map_err(|why| Error::usage(format!("{}: {why}", path.display())));
    }
    match &standing.files.prompts {
        Slot::Ok(list) => Ok(Some(list.clone())),
        Slot::Missing => Ok(None),
        Slot::Broken => {
            let path = format!("rounds/{}/prompts.txt", standing.state.current_round);
            Err(Error::failed(format!("{path}: does not parse")).hint("`gen404 verify` shows where"))
        }
    }
}

fn unasked_files(names: &[String], prompts: &PromptList, standing: &Standing) -> (Vec<Unasked>, usize) {
    unasked(names, &prompts.stems().collect::<Vec<_>>(), standing.files.format.model())
}

fn tell_files(checked: &CheckedFiles, source: &Source, (unasked, more): (&[Unasked], usize), report: &mut Report) {
    report.detail(says::files(checked, unasked, more));
    says::file_lines(checked, source, (unasked, more), report);
    let [_, refused, failed] = checked.counts();
    if refused + failed > 0 {
        report.fails(Kind::Failed);
    }
}

/// Tells of the deadline and, for a known miner, of its payload and its build. Returns what to do about it all.
fn tell_miner(
    job: &CheckJob<'_>,
    args: &CheckArgs,
    checked: &CheckedFiles,
    report: &mut Report,
) -> Result<Vec<String>> {
    let CheckJob { context, standing, source, .. } = job;
    let (moment, unknown) = context.sighted(&args.moment)?;
    let block = moment.map(|moment| moment.block);
    let deadline = says::deadline(standing, moment, report);
    let mut steps = Vec::new();
    steps.extend(advice::of_files(checked, source, standing, block));
    let (mut payload, mut build) = (Value::Null, Value::Null);
    match job.hotkey {
        None => report.say("the miner is not known: --hotkey HOTKEY also checks its payload and its image build"),
        Some(hotkey) => {
            if moment.is_none() {
                context.ui.detail(&format!("block unknown: {unknown}"));
            }
            let revealed = chain::payload(context, standing, hotkey, &args.moment.chain, &args.intake)?;
            payload = says::payload(standing, hotkey, source, revealed.as_ref(), report);
            build = says::build(standing, hotkey, revealed.as_ref(), report);
            steps.extend(advice::of_payload(revealed.as_ref(), standing, block));
            if !is_in(standing, hotkey, revealed.as_ref()) {
                report.fails(Kind::Failed);
            }
        }
    }
    report.detail(json!({ "deadline": deadline, "payload": payload, "build": build, "audit": null }));
    Ok(steps)
}

/// Does the miner take part, as far as is known?
fn is_in(standing: &Standing, hotkey: &Hotkey, revealed: Option<&PayloadCheck>) -> bool {
    match standing.files.seed.is_missing() {
        true => revealed.is_none_or(|check| matches!(check.verdict, PayloadVerdict::Taken(_))),
        // Once the seed is drawn, what is recorded counts, whatever is revealed.
        false => standing.files.submissions.get().is_some_and(|all| all.contains_key(hotkey)),
    }
}
