//! `gen404 report`: the competition as pages that people can look at, without a server.
//!
//! One file a topic below: what a page shows is a view (a struct made from the files by pure
//! functions), and a template draws it. Nothing from a miner reaches a page but by the templates'
//! escaping, nor a file name but as a checked identifier.

mod audits;
mod chart;
mod heat;
mod index;
mod matches;
mod pages;
mod round;
mod site;
mod text;
mod timeline;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;

use super::commits;
use super::context::Context;
use super::facts;
use crate::cli::{Global, ReportArgs};
use crate::error::{Context as _, Error, Result};
use crate::rules::checks;
use crate::state::ids::RoundNumber;
use crate::state::snapshot::Snapshot;
use crate::ui::Ui;

pub(super) fn run(global: &Global, ui: &Ui, args: &ReportArgs) -> Result<()> {
    let context = Context::open(global, ui)?;
    let snapshot = Snapshot::load(&context.store)?;
    if let Some(round) = args.only
        && !snapshot.rounds.contains_key(&round)
    {
        return Err(Error::failed(format!("rounds/{round}: no such round")));
    }
    let findings = findings(&context, &snapshot)?;
    let out = Folder::at(&args.out, context.store.root(), global.dry_run)?;
    let wanted: BTreeSet<_> =
        snapshot.rounds.keys().copied().filter(|round| args.only.is_none_or(|of| of == *round)).collect();
    // With --only, rounds whose pages an earlier run left are still linked.
    let linked =
        snapshot.rounds.keys().copied().filter(|round| wanted.contains(round) || out.has(&site::round_page(*round)));
    let site = site::Site {
        snapshot: &snapshot,
        limits: &context.config.rules,
        findings: &findings,
        linked: linked.collect(),
    };
    let pages = pages::Pages::new()?;
    let maker = Maker { site: &site, pages: &pages, out: &out };
    let index = index::index(&site);
    let mut files = vec![out.write("index.html", pages.page("index.html", "", &index)?.as_bytes())?];
    let mut rounds = Vec::new();
    let bar = ui.bar("rounds", wanted.len() as u64);
    for round in &wanted {
        let (view, made) = maker.round(*round)?;
        files.extend(made);
        rounds.push(view);
        bar.advance(1);
    }
    drop(bar);
    if ui.json() {
        let data = json!({ "competition": index, "rounds": rounds });
        files.push(out.write("report.json", format!("{data:#}").as_bytes())?);
    }
    let page = out.path.join("index.html");
    say(ui, global.dry_run, &page, &files);
    if args.open && !global.dry_run {
        open(ui, &page);
    }
    Ok(())
}

/// What `verify` says, without looking into the commits.
fn findings(context: &Context<'_>, snapshot: &Snapshot) -> Result<Vec<checks::Finding>> {
    let log = context.git.as_ref().map(crate::world::git::Git::log).transpose()?;
    let mut sink = checks::run(&facts::gather(context, snapshot, log.as_ref())?);
    if let (Some(git), Some(log)) = (&context.git, log)
        && let Some(history) = commits::uncommitted(context, git, &log)?
    {
        checks::history::check(&history, None, &mut sink);
    }
    Ok(sink.finish())
}

fn say(ui: &Ui, dry_run: bool, page: &Path, files: &[String]) {
    if ui.json() {
        let index = page.display().to_string();
        ui.result_json(&json!({ "index": index, "files": files, "dry_run": dry_run }));
    } else {
        let verb = if dry_run { "would write" } else { "wrote" };
        ui.status(&format!("{verb} {} files", files.len()));
        ui.result(&page.display().to_string());
    }
}

/// Makes the pages of a round.
struct Maker<'a> {
    site: &'a site::Site<'a>,
    pages: &'a pages::Pages,
    out: &'a Folder,
}

impl Maker<'_> {
    /// The round's page and those of its matches, written; what the round's page shows, and the files.
    fn round(&self, number: RoundNumber) -> Result<(round::Round, Vec<String>)> {
        let none = crate::state::snapshot::RoundFiles::default();
        let files = self.site.snapshot.rounds.get(&number).unwrap_or(&none);
        let links = text::Links::from(&self.out.path);
        let view = round::round(self.site, number, files, &links);
        let own = self.out.write(&site::round_page(number), self.pages.page("round.html", "", &view)?.as_bytes())?;
        let pairs = round::pairs(files);
        let links = text::Links::from(&self.out.path.join(format!("round-{number}")));
        let page = |at: usize| -> Result<Option<String>> {
            let Some(view) = matches::view(self.site, number, (&pairs, at), &links) else { return Ok(None) };
            let Some((left, right, _)) = pairs.get(at) else { return Ok(None) };
            let page = self.pages.page("match.html", "../", &view)?;
            self.out.write(&site::match_page(number, left, right), page.as_bytes()).map(Some)
        };
        let made: Vec<Option<String>> = (0..pairs.len()).into_par_iter().map(page).collect::<Result<_>>()?;
        Ok((view, std::iter::once(own).chain(made.into_iter().flatten()).collect()))
    }
}

/// The folder that the report goes to.
struct Folder {
    path: PathBuf,
    dry_run: bool,
}

impl Folder {
    /// A folder outside of what the competition itself holds.
    fn at(path: &Path, root: &Path, dry_run: bool) -> Result<Folder> {
        let cannot = || format!("{}: cannot be made", path.display());
        if !dry_run {
            std::fs::create_dir_all(path).failed(cannot)?;
        }
        let absolute = if path.exists() { path.canonicalize() } else { std::path::absolute(path) }.failed(cannot)?;
        if absolute == root || absolute.starts_with(root.join("rounds")) {
            let refused = Error::usage(format!("{}: the competition's own folder", absolute.display()));
            return Err(refused.hint("give --out a folder of its own"));
        }
        Ok(Folder { path: absolute, dry_run })
    }

    fn has(&self, name: &str) -> bool {
        self.path.join(name).is_file()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<String> {
        let file = self.path.join(name);
        if !self.dry_run {
            let folder = file.parent().unwrap_or(&self.path);
            let cannot = || format!("{}: cannot write", file.display());
            std::fs::create_dir_all(folder).failed(cannot)?;
            std::fs::write(&file, bytes).failed(cannot)?;
        }
        Ok(name.to_owned())
    }
}

/// Shows the report in the user's browser; where there is none, the path was printed.
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
