//! `gen404 report`: the competition as pages that people can look at, without a server.
//!
//! One file a topic below: what a page shows is a view (a struct made from the files by pure
//! functions), and a template draws it. Nothing from a miner reaches a page but by the templates'
//! escaping, nor a file name but as a checked identifier.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::cli::{Global, ReportArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits;
use crate::engine::verification::facts;
use crate::model::ids::{Block, RoundNumber};
use crate::model::snapshot::Snapshot;
use crate::report::usual_folder;
use crate::report::{index, matches, pages, round, site, text};
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{self, CheckStatus};
use crate::ui::Ui;

/// 50 rounds of 1,000 matches.
const MOST_PAGES: usize = 50_000;

pub(super) fn run(global: &Global, ui: &Ui, args: &ReportArgs) -> Result<()> {
    let context = Context::open(global, ui)?;
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
    let pages = pages::Pages::new()?;
    let own = own_folder(&context);
    let maker = Maker { site: &site, pages: &pages, out: &out, own: own.as_ref() };
    let index = index::index(&site);
    let mut files = vec![out.write("index.html", pages.page("index.html", "", "'none'", &index)?.as_bytes())?];
    let mut rounds = Vec::new();
    let bar = ui.bar("rounds", wanted.len() as u64);
    for round in &wanted {
        let (view, made) = maker.round(*round)?;
        files.extend(made);
        // The pages are what is kept of the others.
        rounds.extend(ui.json().then_some(view));
        bar.advance(1);
    }
    drop(bar);
    if ui.json() {
        let data = json!({ "competition": index, "rounds": rounds });
        files.push(out.write("report.json", format!("{data:#}").as_bytes())?);
    }
    out.sync(&wanted)?;
    let page = out.path.join("index.html");
    ui.note_files(files.iter().map(|name| out.path.join(name).display().to_string()));
    let index = page.display().to_string();
    ui.own(json!({ "index": index }));
    if !ui.json() {
        ui.result(&index);
    }
    if args.open && !global.dry_run {
        open(ui, &page);
    }
    Ok(())
}

/// A page takes some 30 kB: what would fill the disk is asked for round by round.
fn few_pages(snapshot: &Snapshot, wanted: &BTreeSet<RoundNumber>) -> Result<()> {
    let rounds = wanted.iter().filter_map(|round| snapshot.rounds.get(round));
    let matches: usize = rounds.flat_map(|files| files.players.values()).map(|own| own.reports.len()).sum();
    let pages = matches + wanted.len();
    if pages <= MOST_PAGES {
        return Ok(());
    }
    let many = Error::failed(format!("a report of {pages} pages: at most {MOST_PAGES} are made at a time"));
    Err(many.hint("--only ROUND makes one round's"))
}

/// What is about a round, by round.
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

/// What `verify` says, without looking into the commits, and the rules that it goes by.
fn findings(context: &Context<'_>, snapshot: &Snapshot) -> Result<(Vec<checks::Finding>, InForce)> {
    let checkout = commits::Checkout::of(context)?;
    let facts = facts::gather(context, snapshot, checkout.as_ref())?;
    let mut sink = checks::run(&facts);
    if let Some(history) = checkout.map(commits::Checkout::working_tree).transpose()?.flatten() {
        history.check(None, &mut sink)?;
    }
    Ok((sink.finish(), facts.rules))
}

/// Makes the pages of a round.
struct Maker<'a> {
    site: &'a site::Site<'a>,
    pages: &'a pages::Pages,
    out: &'a Folder,
    own: Option<&'a text::OwnFolder>,
}

impl Maker<'_> {
    /// The round's page and those of its matches, written; what the round's page shows, and the files.
    fn round(&self, number: RoundNumber) -> Result<(round::RoundPage, Vec<String>)> {
        let none = crate::model::snapshot::RoundFiles::default();
        let files = self.site.snapshot.rounds.get(&number).unwrap_or(&none);
        let links = text::Links::from(&self.out.path, self.own);
        let view = round::round(self.site, number, files, &links);
        let page = self.pages.page("round.html", "", &links.sources(), &view)?;
        let own = self.out.write(&site::round_page(number), page.as_bytes())?;
        let pairs = round::pairs(files);
        if !pairs.is_empty() {
            self.out.make(&format!("round-{number}"))?;
        }
        let folder = self.out.path.join(format!("round-{number}"));
        let page = |at: usize| -> Result<Option<String>> {
            let links = text::Links::from(&folder, self.own);
            let Some(view) = matches::view(self.site, number, (&pairs, at), &links) else { return Ok(None) };
            let Some((left, right, _)) = pairs.get(at) else { return Ok(None) };
            let page = self.pages.page("match.html", "../", &links.sources(), &view)?;
            self.out.write(&site::match_page(number, left, right), page.as_bytes()).map(Some)
        };
        let made: Vec<Option<String>> = (0..pairs.len()).into_par_iter().map(page).collect::<Result<_>>()?;
        Ok((view, std::iter::once(own).chain(made.into_iter().flatten()).collect()))
    }
}

/// The folder of objects that the operator's settings name.
fn own_folder(context: &Context<'_>) -> Option<text::OwnFolder> {
    let settings = &context.config.store;
    let root = settings.dir.as_ref()?.canonicalize().ok()?;
    let bases = settings.cdn_url.iter().map(|base| base.trim_end_matches('/').to_owned());
    let bases = bases.chain([format!("file://{}", root.display())]).collect();
    Some(text::OwnFolder { root, bases })
}

/// The folder that the report goes to.
struct Folder {
    path: PathBuf,
    /// The competition's own, into which nothing is written.
    competition: PathBuf,
    dry_run: bool,
}

impl Folder {
    /// The usual folder. A link there may have come with the competition, from whoever made the archive of both.
    fn beside(competition: &Path, dry_run: bool) -> Result<Folder> {
        let path = usual_folder(competition)?;
        if path.is_symlink() {
            let link = Error::failed(format!("{}: a link, which is not followed here", path.display()));
            return Err(link.hint("say by --out DIR where the report goes"));
        }
        Folder::at(&path, competition, dry_run)
    }

    /// A folder that the operator named: anywhere but in the competition's own, where links of its makers lie.
    fn at(path: &Path, competition: &Path, dry_run: bool) -> Result<Folder> {
        let inside = leads_through(path, competition);
        let path = resolved(path)?;
        if inside || path.starts_with(competition) {
            let refused = Error::usage(format!("{}: inside the competition's folder", path.display()));
            return Err(refused.hint("give --out a folder outside of it, or leave it out"));
        }
        if !dry_run {
            files::make_folder(&path)?;
            files::remove_temporaries(&path)?;
        }
        Ok(Folder { path, competition: competition.to_owned(), dry_run })
    }

    fn has(&self, name: &str) -> bool {
        std::fs::symlink_metadata(self.path.join(name)).is_ok_and(|found| found.is_file())
    }

    /// Makes a folder for pages that are written side by side.
    fn make(&self, name: &str) -> Result<()> {
        if !self.dry_run {
            let folder = files::folder_below(&self.path, Path::new(name))?;
            files::remove_temporaries(&folder)?;
        }
        Ok(())
    }

    /// Makes the pages' names last.
    fn sync(&self, rounds: &BTreeSet<RoundNumber>) -> Result<()> {
        let folders = rounds.iter().map(|round| self.path.join(format!("round-{round}")));
        let made = std::iter::once(self.path.clone()).chain(folders).filter(|folder| !self.dry_run && folder.is_dir());
        let cannot = |folder: &Path| format!("{}: cannot sync", folder.display());
        made.into_iter().try_for_each(|folder| files::sync_folder(&folder).failed(|| cannot(&folder)))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<String> {
        if self.path.join(name).starts_with(&self.competition) {
            let refused = Error::usage(format!("{name}: this page would lie in the competition's folder"));
            return Err(refused.hint("give --out another folder"));
        }
        if !self.dry_run {
            files::replace_below(&self.path, Path::new(name), bytes, files::Readers::All)?;
        }
        Ok(name.to_owned())
    }
}

/// Does something in the competition's folder lie on this way? It may be a link that leads out again.
fn leads_through(path: &Path, competition: &Path) -> bool {
    let Ok(absolute) = std::path::absolute(path) else { return false };
    absolute
        .ancestors()
        .filter(|part| part.file_name().is_some())
        .filter_map(Path::parent)
        .any(|folder| folder.canonicalize().is_ok_and(|folder| folder.starts_with(competition)))
}

/// The folder that a path leads to, also where its last parts are not there yet.
fn resolved(path: &Path) -> Result<PathBuf> {
    let cannot = || format!("{}: cannot be made", path.display());
    let absolute = std::path::absolute(path).failed(cannot)?;
    for there in absolute.ancestors() {
        let (Ok(real), Ok(new)) = (there.canonicalize(), absolute.strip_prefix(there)) else { continue };
        if new.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(real.join(new));
        }
        break;
    }
    Err(Error::usage(cannot()).hint("name a folder without `..` behind folders that are not there"))
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
