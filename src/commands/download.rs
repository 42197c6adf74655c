//! `gen404 download`: fetch the miners' files, draw and store them, record what was stored.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use crate::base::error::{Error, Result};
use crate::cli::{DownloadArgs, Global};
use crate::engine::common::not_due;
use crate::engine::context::{Context, Standing};
use crate::engine::fetching::pipeline::{FetchEvent, Pipeline, clean_up};
use crate::engine::fetching::queue::Queue;
use crate::engine::fetching::spool::{FetchJournal, Spool};
use crate::model::file::FileKind;
use crate::model::format::ModelFormat;
use crate::model::ids::{Block, Hotkey, PromptStem};
use crate::model::stage::Stage;
use crate::preview;
use crate::rules::Plan;
use crate::rules::download::{
    DownloadRound, KnownFiles, MinerFiles, Tally, WantedMiners, all_recorded, begin, foreseen, record, tally,
};
use crate::rules::stages::{Due, due};
use crate::ui::{Phases, Ui};
use crate::world::fetch::Fetcher;
use crate::world::http::Client;
use crate::world::memory::Memory;
use crate::world::render::{self, Renderer};
use crate::world::stop::Stop;
use crate::world::store::ObjectStore;

/// The phases, by their places.
const PHASES: [&str; 3] = ["fetch", "draw", "store"];

pub(super) fn run(global: &Global, ui: &Ui, args: &DownloadArgs) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui)? };
    let _lock = context.lock("download")?;
    let mut standing = context.standing()?;
    let wanted = WantedMiners { only: args.only.clone(), shard: args.shard, retry_failed: args.retry_failed };
    if is_done(&standing) && !args.retry_failed {
        ui.result(&format!("round {}: the files of all miners are recorded already", standing.state.current_round));
        return Ok(());
    }
    wait_for_stage(&context, &standing, args)?;
    let store = context.object_store(&args.store)?.ok_or_else(|| {
        let unknown = Error::usage("no object store is named");
        unknown.hint("give --store-dir DIR, R2_ENDPOINT with its keys, or [store] in gen404.toml")
    })?;
    let mut known = known(&context, &standing, store.as_ref())?;
    let lanes = round(&standing)?.lanes(&known, &wanted).map_err(Error::failed)?;
    if global.dry_run {
        return say_only(&context, &standing, &lanes, &known, &wanted);
    }
    let mut says = Vec::new();
    if standing.state.stage == Stage::MinerGeneration {
        carry_out(&context, begin(&standing.state), &mut says)?;
        standing = context.standing()?;
    }
    let ended = fetch_all(&context, &standing, args, lanes, &mut known, store.as_ref());
    record_all(&context, &mut standing, &wanted, &known, &mut says)?;
    let round = round(&standing)?;
    let miners = round.miners(&wanted).map_err(Error::failed)?;
    say(ui, &round, &miners, &known, &says);
    ended.map_err(|error| error.hint("what was stored so far is noted: run it again to go on"))
}

/// Records what is complete. Others may have pushed theirs meanwhile: whoever is last moves the stage.
fn record_all(
    context: &Context<'_>,
    standing: &mut Standing,
    wanted: &WantedMiners,
    known: &KnownFiles,
    says: &mut Vec<String>,
) -> Result<()> {
    loop {
        let now = round(standing)?;
        let miners = now.miners(wanted).map_err(Error::failed)?;
        let Some(plan) = record(&now, &miners, known) else { return Ok(()) };
        carry_out(context, plan, says)?;
        if !context.options.push {
            return Ok(());
        }
        *standing = context.standing()?;
    }
}

/// Is the stage right behind this command, with all files there?
fn is_done(standing: &Standing) -> bool {
    standing.state.stage == Stage::Duels && round(standing).is_ok_and(|round| all_recorded(&round))
}

fn round(standing: &Standing) -> Result<DownloadRound<'_>> {
    DownloadRound::new(&standing.state, &standing.files).map_err(Error::failed)
}

/// Refuses to begin before the deadline, or in a stage that is not for this.
fn wait_for_stage(context: &Context<'_>, standing: &Standing, args: &DownloadArgs) -> Result<()> {
    let refused = |block: Option<Block>| {
        let error = not_due(context, standing, "download", block);
        match standing.state.stage {
            Stage::Duels if args.retry_failed => {
                error.hint("`gen404 pause`, then `gen404 resume --stage downloading`, while no match is played")
            }
            _ => error,
        }
    };
    match standing.state.stage {
        Stage::Downloading => Ok(()),
        Stage::MinerGeneration => {
            let block = context.need_moment(&args.moment)?.block;
            let now = due(&context.facts(standing, Some(block)))
                .iter()
                .any(|due| matches!(due, Due::Now { command: "download", .. }));
            if now { Ok(()) } else { Err(refused(Some(block))) }
        }
        _ => Err(refused(None)),
    }
}

/// What earlier runs noted; what they stored elsewhere does not count.
fn known(context: &Context<'_>, standing: &Standing, store: &dyn ObjectStore) -> Result<KnownFiles> {
    let mut known = KnownFiles::default();
    for mark in FetchJournal::read(&context.own_folder()?, standing.state.current_round)? {
        let objects = mark.outcome.model().into_iter().chain(mark.outcome.png());
        if objects.into_iter().all(|object| store.key_of(&object.url).is_some()) {
            known.add(mark);
        }
    }
    Ok(known)
}

/// `--dry-run`: what would be fetched, and what would be recorded of what is known.
fn say_only(
    context: &Context<'_>,
    standing: &Standing,
    lanes: &[MinerFiles],
    known: &KnownFiles,
    wanted: &WantedMiners,
) -> Result<()> {
    let files: usize = lanes.iter().map(|lane| lane.files.len()).sum();
    let round = round(standing)?;
    let miners = round.miners(wanted).map_err(Error::failed)?;
    if lanes.is_empty() {
        return record(&round, &miners, known).map_or(Ok(()), |plan| context.apply(&plan));
    }
    context.ui.result(&format!("would fetch {files} file(s) of {} miner(s)", lanes.len()));
    context.ui.note_files(foreseen(&round, &miners, lanes, known).iter().map(FileKind::path));
    Ok(())
}

/// Fetches, draws and stores; notes every outcome, also where it breaks off.
fn fetch_all(
    context: &Context<'_>,
    standing: &Standing,
    args: &DownloadArgs,
    lanes: Vec<MinerFiles>,
    known: &mut KnownFiles,
    store: &dyn ObjectStore,
) -> Result<()> {
    let files: usize = lanes.iter().map(|lane| lane.files.len()).sum();
    let (own, number) = (context.own_folder()?, standing.state.current_round);
    let (mut journal, marks) = FetchJournal::open(&own, number)?;
    let mut spool = Spool::open(&own, number)?;
    let to_fetch: HashSet<(&Hotkey, &PromptStem)> =
        lanes.iter().flat_map(|lane| lane.files.iter().map(|(stem, _)| (&lane.hotkey, stem))).collect();
    for mark in marks.iter().filter(|mark| !to_fetch.contains(&(&mark.hotkey, &mark.stem))) {
        spool.forget(&mark.hotkey, &mark.stem)?;
    }
    if files == 0 {
        return Ok(());
    }
    let (settings, format) = (context.config.download, standing.files.format.model());
    let allow_private = args.allow_private_cdn || context.config.miners.allow_private_cdn;
    let client = Client::for_miners(settings.limits(), settings.retry(), allow_private);
    let renderer = if args.no_previews { None } else { Some(renderer(format, args)?) };
    context.ui.detail(&format!("storing into {}", store.name()));
    let mut phases = context.ui.phases(&PHASES, files as u64);
    let pipeline = Pipeline {
        format,
        round: number,
        settings,
        queue: Queue::new(lanes, &settings),
        fetcher: Fetcher::new(client),
        spool,
        renderer: renderer.as_deref(),
        memory: Memory::of_mib(settings.memory_mib),
        store,
        stopping: AtomicBool::new(false),
        asked: context.stop.clone(),
    };
    pipeline.run(|event| {
        let Some(event) = event else {
            phases.tick();
            return context.stop.check();
        };
        if let FetchEvent::Settled { mark, spooled } = event {
            settle(context, &mut phases, &mark, spooled.is_some());
            journal.append(&mark)?;
            clean_up(spooled.as_ref())?;
            known.add(*mark);
        } else {
            count(&mut phases, &event);
        }
        context.stop.check()
    })?;
    // What was left out because of it is not done.
    context.stop.check()
}

/// What draws the previews.
fn renderer(format: ModelFormat, args: &DownloadArgs) -> Result<Box<dyn Renderer>> {
    render::open(format, args.render_service.as_deref(), preview::DEFAULT_SIZE, NonZeroUsize::MIN)
}

fn count(phases: &mut Phases, event: &FetchEvent) {
    match event {
        FetchEvent::Fetched { bytes } => phases.advance(0, *bytes),
        FetchEvent::Drawn => phases.advance(1, 0),
        FetchEvent::Settled { .. } | FetchEvent::Broken(_) => {}
    }
    phases.tick();
}

/// Counts a settled file, and logs why it is not complete.
fn settle(context: &Context<'_>, phases: &mut Phases, mark: &crate::rules::download::DownloadMark, arrived: bool) {
    if arrived {
        let bytes = mark.outcome.model().map_or(0, |model| model.size) + mark.outcome.png().map_or(0, |png| png.size);
        phases.advance(2, bytes);
    } else {
        phases.fail(0);
    }
    if let Some(reason) = mark.outcome.reason() {
        context.ui.detail(&format!("{} {}: {reason}", mark.hotkey, mark.stem));
    }
    phases.tick();
}

/// Carries a plan out; what it says is said at the end.
fn carry_out(context: &Context<'_>, plan: Plan, says: &mut Vec<String>) -> Result<()> {
    context.carry_out(&plan, &[])?;
    says.extend(plan.says);
    Ok(())
}

/// What came of each miner's files, and what was done.
fn say(ui: &Ui, round: &DownloadRound<'_>, miners: &[&Hotkey], known: &KnownFiles, says: &[String]) {
    let tallies: Vec<(&Hotkey, Tally)> =
        miners.iter().map(|hotkey| (*hotkey, tally(round.prompts, hotkey, known))).collect();
    let entry = |(hotkey, tally): &(&Hotkey, Tally)| ((*hotkey).to_string(), json!(tally));
    ui.own(json!({ "miners": tallies.iter().map(entry).collect::<serde_json::Map<String, Value>>() }));
    if !ui.json() {
        table(&tallies).iter().for_each(|line| ui.result(line));
        ui.status(
            "fetched: models stored; refused: of these without a preview, or no model at all; failed: never arrived",
        );
    }
    says.iter().for_each(|line| ui.result(line));
}

/// The summary: a line a miner.
fn table(tallies: &[(&Hotkey, Tally)]) -> Vec<String> {
    let head = format!("{:48} {:>7} {:>7} {:>6} {:>13}  reasons", "miner", "fetched", "refused", "failed", "bytes");
    let line = |(hotkey, tally): &(&Hotkey, Tally)| {
        let reasons: Vec<String> = tally.reasons.iter().map(|(reason, count)| format!("{count}x {reason}")).collect();
        let (shown, more) = (reasons.iter().take(3).cloned().collect::<Vec<_>>().join("; "), reasons.len().max(3) - 3);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let Tally { fetched, refused, failed, bytes, .. } = tally;
        let line = format!("{hotkey:48} {fetched:>7} {refused:>7} {failed:>6} {bytes:>13}  {shown}{more}");
        line.trim_end().to_owned()
    };
    std::iter::once(head).chain(tallies.iter().map(line)).collect()
}
