//! `gen404 report`: the competition as web pages that need no server.
//!
//! See [`crate::report`] for the pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;

use crate::base::error::Result;
use crate::cli::{Global, ReportArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits;
use crate::engine::verification::facts;
use crate::model::ids::{Block, RoundNumber};
use crate::model::snapshot::Snapshot;
use crate::report::folder::Folder;
use crate::report::maker::{Maker, few_pages};
use crate::report::{pages, site, text};
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{self, CheckStatus};
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &ReportArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let snapshot = Snapshot::load(&context.store)?;
    if let Some(round) = args.only {
        is_here(&snapshot, round)?;
    }
    let (findings, rules) = findings(&context, &snapshot)?;
    let out = match &args.out {
        Some(path) => Folder::at(path, context.store.root(), global.dry_run)?,
        None => Folder::beside(context.store.root(), global.dry_run)?,
    };
    let wanted: BTreeSet<_> =
        snapshot.rounds.keys().copied().filter(|round| args.only.is_none_or(|of| of == *round)).collect();
    // With --only, rounds whose pages an earlier run left are still linked.
    let linked =
        snapshot.rounds.keys().copied().filter(|round| wanted.contains(round) || out.has(&site::round_page(*round)));
    let site = site::Site {
        snapshot: &snapshot,
        rules: &rules,
        block: args.block.map(Block),
        findings: &findings,
        of_round: by_round(findings.iter().filter(|finding| finding.status != CheckStatus::Pass), |finding| {
            finding.round
        }),
        problems: by_round(&snapshot.problems, |problem| problem.round),
        linked: linked.collect(),
    };
    few_pages(&snapshot, &wanted)?;
    let (pages, own) = (pages::Pages::new()?, own_folder(&context));
    let maker = Maker { site: &site, pages: &pages, out: &out, own: own.as_ref() };
    let bar = ui.bar("rounds", wanted.len() as u64);
    let (mut files, shown) = maker.all(&wanted, ui.json(), || bar.advance(1))?;
    drop(bar);
    if ui.json() {
        files.push(out.write("report.json", format!("{:#}", json!(shown)).as_bytes())?);
    }
    out.sync(&wanted)?;
    let page = out.path.join("index.html");
    report.note_files(files.iter().map(|name| out.path.join(name).display().to_string()));
    let index = page.display().to_string();
    report.detail(json!({ "index": index }));
    report.say(index);
    if args.open && !global.dry_run {
        open(ui, &page);
    }
    Ok(())
}

/// Groups items by round.
fn by_round<'a, T>(
    all: impl IntoIterator<Item = &'a T>,
    round: impl Fn(&T) -> Option<RoundNumber>,
) -> BTreeMap<RoundNumber, Vec<&'a T>> {
    let mut sorted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in all {
        if let Some(round) = round(one) {
            sorted.entry(round).or_default().push(one);
        }
    }
    sorted
}

/// The findings of `verify` without the checks of commits, and the rules it applied.
fn findings(context: &Context<'_>, snapshot: &Snapshot) -> Result<(Vec<checks::Finding>, InForce)> {
    let checkout = commits::Checkout::of(context)?;
    let facts = facts::gather(context, snapshot, checkout.as_ref())?;
    let mut sink = checks::run(&facts);
    if let Some(history) = checkout.map(commits::Checkout::working_tree).transpose()?.flatten() {
        history.check(None, &mut sink)?;
    }
    Ok((sink.finish(), facts.rules))
}

/// The object folder named in the operator's settings.
fn own_folder(context: &Context<'_>) -> Option<text::OwnFolder> {
    let settings = &context.config.store;
    let root = settings.dir.as_ref()?.canonicalize().ok()?;
    let bases = settings.cdn_url.iter().map(|base| base.trim_end_matches('/').to_owned());
    let bases = bases.chain([format!("file://{}", root.display())]).collect();
    Some(text::OwnFolder { root, bases })
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
