//! `gen404 report`: the competition as web pages that need no server.
//!
//! See [`crate::report`] for the pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::base::error::Result;
use crate::cli::{Global, ReportArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits;
use crate::engine::verification::eras::Past;
use crate::engine::verification::facts;
use crate::engine::verification::formats::OtherSnapshot;
use crate::engine::verification::published::Published;
use crate::model::format::Format;
use crate::model::format::detect::Detected;
use crate::model::ids::{Block, Hotkey, RoundNumber};
use crate::model::snapshot::{ListedSource, RoundFiles, Snapshot};
use crate::report::basis::{Basis, of_commits};
use crate::report::folder::Folder;
use crate::report::formats::{Competition, OtherSite};
use crate::report::maker::{Maker, few_pages};
use crate::report::other_maker::OtherMaker;
use crate::report::{feed, miner_rounds, miners, pages, site, text};
use crate::rules::checks;
use crate::rules::checks::in_force::InForce;
use crate::sandbox::folder::SandboxFolder;
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &ReportArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let detected = context.detected()?;
    let tree = context.tree()?;
    let made = match OtherSnapshot::load(&tree, detected.format)? {
        Some(snapshot) => of_other_format(&context, args, &detected, &snapshot)?,
        None => of_meshes(&context, args, detected.format, &tree)?,
    };
    let page = made.out.path.join("index.html");
    report.note_files(made.files.iter().map(|name| made.out.path.join(name).display().to_string()));
    let index = page.display().to_string();
    report.detail(json!({ "index": index }));
    report.say(index);
    if args.open && !global.dry_run {
        open(ui, &page);
    }
    Ok(())
}

/// The pages made, and their folder.
struct Made {
    out: Folder,
    files: Vec<String>,
}

fn of_meshes(context: &Context<'_>, args: &ReportArgs, format: Format, tree: &ListedSource<'_>) -> Result<Made> {
    let snapshot = Snapshot::load_some(format, tree, |_| true)?;
    let reports = |files: &RoundFiles| files.players.values().map(|own| own.reports.len()).sum();
    let rounds: BTreeMap<RoundNumber, usize> =
        snapshot.rounds.iter().map(|(round, files)| (*round, reports(files))).collect();
    let plan = plan(&rounds, args)?;
    let Judged { findings, rules, published } = findings(context, &snapshot, tree, args.history)?;
    let out = folder(context, args)?;
    let (wanted, linking) = miners(|wanted| miner_rounds::miners(&snapshot, wanted), &plan, &out);
    few_pages(&rounds, &plan, wanted.len())?;
    let verdicts = site::Verdicts::of(&findings, &snapshot.problems, linked(&rounds, &plan, &out));
    let site = site::Site { snapshot: &snapshot, rules: &rules, block: args.block.map(Block), verdicts };
    let basis = basis(args, format, published, (site.rules_in_force(), &findings));
    let (pages, own) = (pages::Pages::new()?.linking(linking).resting_on(basis), own_folder(context));
    let maker = Maker { site: &site, pages: &pages, out: &out, own: own.as_ref() };
    let bar = context.ui.bar("rounds", plan.len() as u64);
    let (mut files, shown) = maker.all(&plan, &wanted, context.ui.json(), || bar.advance(1))?;
    drop(bar);
    write_shown(context, &out, &shown, &mut files)?;
    out.sync(&plan)?;
    Ok(Made { out, files })
}

fn of_other_format(
    context: &Context<'_>,
    args: &ReportArgs,
    detected: &Detected,
    snapshot: &OtherSnapshot,
) -> Result<Made> {
    let files = match snapshot {
        OtherSnapshot::Splat(snapshot) => Competition::Splat(snapshot),
        OtherSnapshot::Threejs(snapshot) => Competition::Threejs(snapshot),
    };
    let rounds = files.rounds();
    let plan = plan(&rounds, args)?;
    let past = context.git.as_ref().map(|git| Past::here(context, git)).transpose()?;
    let facts = snapshot.facts_here(context, past.as_ref())?;
    let mut sink = snapshot.check(&facts);
    past.iter().for_each(|past| past.check_lines(&mut sink));
    if args.history {
        let past = past.as_ref().ok_or_else(|| commits::no_history(context))?;
        past.check(detected.format, &past.newest(), &mut sink)?;
        past.say_shallow(&mut sink);
    }
    let findings = sink.finish();
    let published = Published::of_others(context, past.as_ref())?;
    let out = folder(context, args)?;
    let (wanted, linking) = miners(|wanted| files.miners(wanted), &plan, &out);
    few_pages(&rounds, &plan, wanted.len())?;
    let verdicts = site::Verdicts::of(&findings, snapshot.problems(), linked(&rounds, &plan, &out));
    let site = OtherSite::of(files, detected.to_string(), args.block.map(Block), verdicts);
    let basis = basis(args, detected.format, published, (site.rules_in_force(facts.rules.lines()), &findings));
    let (pages, own) = (pages::Pages::new()?.linking(linking).resting_on(basis), own_folder(context));
    let maker = OtherMaker { site: &site, pages: &pages, out: &out, own: own.as_ref() };
    let bar = context.ui.bar("rounds", plan.len() as u64);
    let (mut files, shown) = maker.all(&plan, &wanted, context.ui.json(), || bar.advance(1))?;
    drop(bar);
    write_shown(context, &out, &shown, &mut files)?;
    out.sync(&plan)?;
    Ok(Made { out, files })
}

/// The rounds whose pages are wanted.
fn plan(rounds: &BTreeMap<RoundNumber, usize>, args: &ReportArgs) -> Result<BTreeSet<RoundNumber>> {
    if let Some(round) = args.only {
        is_here(rounds, round)?;
    }
    Ok(rounds.keys().copied().filter(|round| args.only.is_none_or(|of| of == *round)).collect())
}

/// The rounds that have pages. With --only, those that an earlier run left are still linked.
fn linked(
    rounds: &BTreeMap<RoundNumber, usize>,
    wanted: &BTreeSet<RoundNumber>,
    out: &Folder,
) -> BTreeSet<RoundNumber> {
    rounds.keys().copied().filter(|round| wanted.contains(round) || out.has(&site::round_page(*round))).collect()
}

/// The miners whose pages are made: those of the wanted rounds, and those that led. Also the hotkeys of all that have a
/// page: with --only, those that an earlier run left are still linked.
fn miners<'a>(
    of: impl Fn(&dyn Fn(RoundNumber) -> bool) -> BTreeSet<&'a Hotkey>,
    plan: &BTreeSet<RoundNumber>,
    out: &Folder,
) -> (BTreeSet<&'a Hotkey>, BTreeSet<String>) {
    let wanted = of(&|round| plan.contains(&round));
    let has = |hotkey: &&Hotkey| wanted.contains(*hotkey) || out.has(&miners::miner_page(hotkey.as_str()));
    let linking = of(&|_| true).into_iter().filter(has).map(|hotkey| hotkey.as_str().to_owned()).collect();
    (wanted, linking)
}

/// What the pages rest on.
fn basis(
    args: &ReportArgs,
    format: Format,
    published: Published,
    (rules, findings): (Vec<String>, &[checks::Finding]),
) -> Basis {
    let Published { commit, repository, files, uncommitted, versions } = published;
    let (history, feed) = (args.history.then(|| of_commits(findings)), feed::is_possible(&versions));
    Basis { commit, uncommitted, rules, history, feed, repository, files, versions, format }
}

fn folder(context: &Context<'_>, args: &ReportArgs) -> Result<Folder> {
    match &args.out {
        Some(path) => Folder::at(path, context.store.root(), context.options.dry_run),
        None => Folder::beside(context.store.root(), context.options.dry_run),
    }
}

/// With --json, writes what the pages show.
fn write_shown(context: &Context<'_>, out: &Folder, shown: &impl Serialize, files: &mut Vec<String>) -> Result<()> {
    if context.ui.json() {
        files.push(out.write("report.json", format!("{:#}", json!(shown)).as_bytes())?);
    }
    Ok(())
}

/// What `verify` found, the rules it applied, and the commit.
struct Judged {
    findings: Vec<checks::Finding>,
    rules: InForce,
    published: Published,
}

/// What `verify` finds; with `history`, also on each commit.
fn findings(context: &Context<'_>, snapshot: &Snapshot, tree: &ListedSource<'_>, history: bool) -> Result<Judged> {
    let checkout = commits::Checkout::of(context, snapshot.format, tree)?;
    let facts = facts::gather(context, snapshot, checkout.as_ref())?;
    let published = checkout.as_ref().map(Published::of_meshes).transpose()?.unwrap_or_default();
    let mut sink = checks::run(&facts);
    match checkout {
        Some(checkout) => checkout.judge(history, None, &facts.rules, &mut sink)?,
        None if history => return Err(commits::no_history(context)),
        None => {}
    }
    Ok(Judged { findings: sink.finish(), rules: facts.rules, published })
}

/// The object folder named in the operator's settings.
fn own_folder(context: &Context<'_>) -> Option<text::OwnFolder> {
    let settings = &context.config.store;
    let root = settings.dir.as_ref()?.canonicalize().ok()?;
    let bases = settings.cdn_url.iter().map(|base| base.trim_end_matches('/').to_owned());
    let bases = bases.chain([format!("file://{}", root.display())]).collect();
    // Only a sandbox's own settings lead here: `[store] dir` is the operator's.
    let prompts = SandboxFolder::prompts_of(context.store.root());
    Some(text::OwnFolder { root, bases, prompts })
}

/// Opens the report in the user's browser. Without one, the printed path has to do.
fn open(ui: &Ui, page: &Path) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let quiet = std::process::Stdio::null;
    let started = std::process::Command::new(program).arg(page).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    if let Err(error) = started {
        ui.warn(&format!("{program} cannot be started ({error}): open {} yourself", page.display()));
    }
}
