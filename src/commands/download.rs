//! `gen404 download`: fetches the miners' files, draws and stores them, and records what was stored.

use serde_json::{Map, Value, json};

use crate::base::error::{Error, Result};
use crate::base::text::{counted, tallied};
use crate::base::url::{Host, HttpUrl};
use crate::cli::{DownloadArgs, Global};
use crate::engine::common::not_due;
use crate::engine::context::Context;
use crate::engine::fetching::run::{Download, FetchStanding, FetchTools, round};
use crate::engine::stands::Stands;
use crate::model::ids::{Block, Hotkey};
use crate::model::stage::Stage;
use crate::rules::download::{KnownFiles, MinerFiles, Reached, Tally, WantedMiners, all_recorded, reached, tally};
use crate::rules::stages::Due;
use crate::ui::{Report, Server, Ui};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &DownloadArgs, report: &mut Report) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui, report)? };
    let _lock = context.lock("download", report)?;
    let stands = context.stands()?;
    let wanted = WantedMiners { only: args.only.clone(), shard: args.shard, retry_failed: args.retry_failed };
    let stage = wait_for_stage(&context, &*stands, args);
    let mut standing = FetchStanding::from(stands);
    if is_done(&standing) && !args.retry_failed {
        report.say(format!("round {}: all miners' files are already recorded", standing.state.current_round));
        return Ok(());
    }
    stage?;
    let store = context.object_store(&args.store)?.ok_or_else(|| {
        let unknown = Error::usage("no object store is named");
        unknown.hint("give --store-dir DIR, R2_ENDPOINT with its keys, or [store] in gen404.toml")
    })?;
    let mut download = Download::open(&context, &standing, &wanted, store.as_ref())?;
    let lanes = download.lanes(&standing)?;
    if global.dry_run {
        return download.foresee(&standing, &lanes, report);
    }
    if standing.state.stage == Stage::MinerGeneration {
        download.begin(&mut standing, report)?;
    }
    let views = standing.modules.as_ref().map(|_| context.view_maker()).transpose()?;
    let tools = FetchTools {
        views: views.as_ref(),
        store: store.as_ref(),
        render_service: args.render_service.as_deref(),
        no_previews: args.no_previews,
        allow_private_cdn: args.allow_private_cdn,
    };
    let ended = download.fetch_all(&standing, lanes.clone(), &tools);
    report.servers.extend(lanes.iter().filter_map(|asked| server(asked, &download.known)));
    download.record_all(&mut standing, report)?;
    let round = round(&standing)?;
    let miners = round.miners(&wanted).map_err(Error::failed)?;
    let tallies = miners.iter().map(|hotkey| (*hotkey, tally(round.prompts, hotkey, &download.known))).collect();
    say(ui, tallies, download.says, report);
    ended.map_err(|error| {
        error
            .hint("`gen404 doctor --stage download` asks the services that it needs")
            .hint("progress so far is saved: run it again to continue")
    })
}

/// The host of a URL, for messages.
fn host(url: &str) -> Option<String> {
    Some(match HttpUrl::parse(url).ok()?.host {
        Host::Name(name) => name.to_owned(),
        Host::Ip(ip) => ip.to_string(),
    })
}

/// What became of a miner's server, if that is known.
fn server(asked: &MinerFiles, known: &KnownFiles) -> Option<Server> {
    let name = format!("CDN of {}", asked.hotkey);
    let trouble = match reached(asked, known) {
        Reached::Unknown => return None,
        Reached::Yes => None,
        Reached::No(why) => {
            let at = asked.files.first().and_then(|(_, url)| host(url)).map(|host| format!(" from {host}"));
            let at = at.unwrap_or_default();
            let files = counted(asked.files.len(), "file", "files");
            let hint = "it is the miner's to mend; then, before a match is played: `gen404 pause`, `gen404 resume --stage \
                        downloading`, `gen404 download --retry-failed`";
            Some((format!("none of {files} arrived{at}: {why}"), hint.to_owned()))
        }
    };
    Some(Server { name, trouble })
}

/// Is the stage the one right after this command, with all files recorded?
fn is_done(standing: &FetchStanding) -> bool {
    standing.state.stage == Stage::Duels && round(standing).is_ok_and(|round| all_recorded(&round))
}

/// Refuses to start before the deadline, or in a stage that is not for this command.
fn wait_for_stage(context: &Context<'_>, standing: &dyn Stands, args: &DownloadArgs) -> Result<()> {
    let refused = |block: Option<Block>| {
        let error = not_due(context, standing, "download", block);
        match standing.stage() {
            Stage::Duels if args.retry_failed => {
                error.hint("`gen404 pause`, then `gen404 resume --stage downloading`, while no match is played")
            }
            _ => error,
        }
    };
    match standing.stage() {
        Stage::Downloading => Ok(()),
        Stage::MinerGeneration => {
            let block = context.need_moment(&args.moment)?.block;
            let now = standing.due(Some(block)).iter().any(|due| matches!(due, Due::Now { command: "download", .. }));
            if now { Ok(()) } else { Err(refused(Some(block))) }
        }
        _ => Err(refused(None)),
    }
}

/// Reports the outcome per miner, and what was done.
fn say(ui: &Ui, tallies: Vec<(&Hotkey, Tally)>, says: Vec<String>, report: &mut Report) {
    table(&tallies).into_iter().for_each(|line| report.say(line));
    if !ui.json() {
        ui.tell(report);
        ui.status("fetched: stored with a preview; refused: stored without one, or not a model; failed: never arrived");
    }
    says.into_iter().for_each(|line| report.say(line));
    let miners = tallies.into_iter().map(|(hotkey, tally)| (hotkey.to_string(), json!(tally)));
    report.detail(json!({ "miners": miners.collect::<Map<String, Value>>() }));
}

/// The summary: one line per miner.
fn table(tallies: &[(&Hotkey, Tally)]) -> Vec<String> {
    let head = format!("{:48} {:>7} {:>7} {:>6} {:>13}  reasons", "miner", "fetched", "refused", "failed", "bytes");
    let line = |(hotkey, tally): &(&Hotkey, Tally)| {
        let Tally { fetched, refused, failed, bytes, reasons, .. } = tally;
        let said = tallied(reasons.iter().map(|(reason, count)| (reason, *count)), 3);
        let line = format!("{hotkey:48} {fetched:>7} {refused:>7} {failed:>6} {bytes:>13}  {said}");
        line.trim_end().to_owned()
    };
    std::iter::once(head).chain(tallies.iter().map(line)).collect()
}
