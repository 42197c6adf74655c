//! `gen404 check`: what `download`, the intake and `audit` would make of a miner's files, payload and program.

mod advice;
mod audit;
mod dates;
mod modules;
mod says;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::cli::{CheckArgs, Global};
use crate::engine::checking::fetched::CheckedFiles;
use crate::engine::checking::program::driver;
use crate::engine::checking::source::{Listed, Source, prompts_of, public};
use crate::engine::checking::{CheckJob, WorkFolder, chain};
use crate::engine::context::{Context, Standing};
use crate::model::file::FileKind;
use crate::model::format::Format;
use crate::model::ids::RoundNumber;
use crate::model::prompts::PromptList;
use crate::model::snapshot::Slot;
use crate::model::stage::{CompetitionState, round_in};
use crate::report::folder::outside;
use crate::rules::chances::{Chances, Course};
use crate::rules::check::{Unasked, unasked, without_pictures};
use crate::rules::prompts;
use crate::ui::{Report, Ui};
use crate::world::distance::Distance;
use crate::world::fetch::DownloadSettings;
use crate::world::stop::Stop;

use self::says::{FileLimits, Surplus};

/// Longest list of prompts, in bytes.
const LONGEST_LIST: u64 = files::SMALL;

pub(super) fn run(global: &Global, ui: &Ui, args: &CheckArgs, report: &mut Report) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui, report)? };
    context.runs_this_format()?;
    if context.this_format()? == Format::Threejs {
        return modules::run(&context, args, report);
    }
    let state = context.store.need::<CompetitionState>(&FileKind::State)?;
    let standing = context.standing_in(args.round)?;
    is_here(&standing, args.round, &state)?;
    let allow_private = args.intake.allow_private_cdn || context.config.miners.allow_private_cdn;
    let source = Source::parse(&args.source, allow_private)?;
    let [previews, kept] = folders(&context, args)?;
    let known = known_prompts(&standing, args)?;
    let format = standing.files.format.model();
    let Listed { names, below } = source.listed(format)?;
    let (names, pictures) = without_pictures(names, format);
    let prompts = known.clone().unwrap_or_else(|| prompts_of(&names, format));
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
    tell_files(&job, &checked, &Surplus { unasked, more, pictures, below }, report);
    let told = tell_miner(&job, args, &checked, &state, report)?;
    if let Some((url, distance)) = program {
        let audit = job.audit(url, distance, &checked)?;
        let not_compared = checked.files.len().saturating_sub(checked.counts()[0]);
        audit::tell(&audit, not_compared, &standing.config.settings.limits(), report);
    }
    told.steps.into_iter().for_each(|step| report.say_next(step));
    if known.is_none() {
        match told.course {
            Course::Over => report.say(format!("round {round} has no prompts: files were held to the format alone")),
            // To a miner that is not in the round, they do not matter.
            _ if told.is_out => {}
            _ => wait_for_prompts(&standing, &source, report),
        }
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
        (true, Some(_)) => {
            // The program is given the prompts' pictures.
            job.prompts.0.iter().try_for_each(|prompt| public(prompt.url(), job.allow_private).map(drop))?;
            Ok(Some((url, driver(job, &args.distance)?)))
        }
    }
}

/// Before the prompts are known, the result is to come.
fn wait_for_prompts(standing: &Standing, source: &Source, report: &mut Report) {
    let round = standing.state.current_round;
    let drawn = standing.files.schedule.get().map(|schedule| schedule.latest_reveal_block);
    let drawn = drawn.map(|block| format!(" (they are drawn from block {block} on)")).unwrap_or_default();
    let meanwhile = match source {
        Source::Folder(_) => "files are held to the format alone, and their names cannot be checked yet",
        Source::Server(_) => "nothing was fetched, since a server has no list of its files",
    };
    let hint = "--prompts FILE names a list to check against, such as an earlier round's prompts.txt";
    report.waits.push(format!("the prompts of round {round} are not known yet{drawn}: {meanwhile}; {hint}"));
    report.hints.push(hint.to_owned());
    // What is wrong with a file now may be mended by then.
    report.failed = None;
}

/// Fails unless the round that was asked for has begun.
fn is_here(standing: &Standing, asked: Option<RoundNumber>, now: &CompetitionState) -> Result<()> {
    match asked.filter(|_| standing.files.schedule.is_missing()) {
        Some(round) if round > now.current_round => {
            let now = round_in(now.current_round, now.stage);
            Err(Error::usage(format!("round {round} has not opened yet: {now} (state.json)")))
        }
        Some(round) => Err(Error::usage(format!("round {round} is not here: rounds/{round}/schedule.json is missing"))),
        None => Ok(()),
    }
}

/// The prompts to check against: those named, else those of the round; `None` until they are drawn.
fn known_prompts(standing: &Standing, args: &CheckArgs) -> Result<Option<PromptList>> {
    if let Some(list) = named_prompts(args)? {
        return Ok(Some(list));
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

/// The prompts in the file that is named, if one is.
fn named_prompts(args: &CheckArgs) -> Result<Option<PromptList>> {
    let Some(path) = &args.prompts else { return Ok(None) };
    let list = prompts::pool(&files::named(path, LONGEST_LIST)?);
    list.map(Some).map_err(|why| Error::usage(format!("{}: {why}", path.display())))
}

fn unasked_files(names: &[String], prompts: &PromptList, standing: &Standing) -> (Vec<Unasked>, usize) {
    unasked(names, &prompts.stems().collect::<Vec<_>>(), standing.files.format.model())
}

fn tell_files(job: &CheckJob<'_>, checked: &CheckedFiles, surplus: &Surplus, report: &mut Report) {
    let limits = job.context.config.download.limits();
    let are_set = limits != DownloadSettings::default().limits();
    let limits = FileLimits { limits, settings: report.basis.settings.clone().filter(|_| are_set) };
    report.detail(says::files(checked, surplus, &limits));
    says::file_lines(checked, job.source, surplus, &limits, report);
    let [_, refused, failed] = checked.counts();
    if refused + failed > 0 {
        report.fails(Kind::Failed);
    }
}

/// How far the round is, whether the miner is out of it, and what to do about it all.
struct Told {
    course: Course,
    is_out: bool,
    steps: Vec<String>,
}

/// Tells of the dates and, for a known miner, of its payload and its build. Returns what to do about it all.
fn tell_miner(
    job: &CheckJob<'_>,
    args: &CheckArgs,
    checked: &CheckedFiles,
    state: &CompetitionState,
    report: &mut Report,
) -> Result<Told> {
    let CheckJob { context, standing, source, .. } = job;
    let round = standing.state.current_round;
    let (sighted, unknown) = context.sighted_by_chain(&args.moment)?;
    let moment = sighted.map(|sighted| sighted.moment);
    // A chain that has just not answered is not asked again: it was told of, and takes long to give up.
    let answers = moment.is_some() || !context.names_chain(&args.moment.chain);
    let payload_of = |hotkey| chain::payload(context, standing, hotkey, &args.moment.chain, &args.intake);
    let revealed = job.hotkey.filter(|_| answers).map(payload_of).transpose()?.flatten();
    let chances = Chances {
        course: Course::of(round, state, &standing.files),
        files: &standing.files,
        now: moment.map(|moment| moment.block),
        miner: job.hotkey.map(|hotkey| (hotkey, revealed.as_ref())),
    };
    let dated = dates::tell(standing, state, &chances, sighted, report);
    report.detail(dated);
    let (mut payload, mut build) = (Value::Null, Value::Null);
    match job.hotkey {
        None => report.say("the miner is not known: --hotkey HOTKEY also checks its payload and its image build"),
        Some(hotkey) => {
            if moment.is_none() {
                context.ui.detail(&format!("block unknown: {unknown}"));
            }
            payload = says::payload(standing, hotkey, source, &chances, report);
            build = says::build(standing, hotkey, revealed.as_ref(), report);
            if !chances.is_in() {
                report.fails(Kind::Failed);
            }
        }
    }
    report.detail(json!({ "payload": payload, "build": build, "audit": null }));
    let most_bytes = context.config.download.limits().body;
    let steps = [
        advice::of_files(checked, source, &chances, most_bytes),
        advice::of_payload(revealed.as_ref(), standing, &chances, moment),
        advice::of_another_round(&args.source, round, state),
    ];
    Ok(Told { course: chances.course, is_out: chances.is_out(), steps: steps.into_iter().flatten().collect() })
}
