//! What `verify` and `report` read from the commits, and the working tree compared with the last one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::verification::continuity::Lineage;
use crate::model::file::{Content, FileKind, PlayerFile, RoundFile};
use crate::model::format::Format;
use crate::model::history::{BlobId, Change, Commit, Contents, Merged, Oddity, WORKING_TREE};
use crate::model::ids::RoundNumber;
use crate::model::record::ParseError;
use crate::model::snapshot::{ListedSource, Source as _};
use crate::rules::checks::Sink;
use crate::rules::checks::history::{self, Trace, Traces};
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::lines::{self, Turn};
use crate::rules::checks::odd;
use crate::world::git::{Git, GitReader, Log, TreeFiles};

/// Largest total of file contents traced at once, in bytes: a hundred times those of a real round.
const MOST_TRACED: usize = 256 << 20;

/// A checkout's history, and how the working tree differs from its last commit.
pub(crate) struct Checkout {
    /// The competition's format.
    pub(crate) format: Format,
    pub(crate) git: Git,
    pub(crate) log: Log,
    head: Option<TreeFiles>,
    changes: BTreeMap<FileKind, Change>,
    /// Uncommitted contents, by the blob id they would get.
    contents: HashMap<BlobId, Vec<u8>>,
}

impl Checkout {
    /// The competition's checkout; `None` if it is not in one. `tree` is the folder as it was listed.
    pub(crate) fn of(context: &Context<'_>, format: Format, tree: &ListedSource<'_>) -> Result<Option<Checkout>> {
        let Some(git) = context.git.clone() else { return Ok(None) };
        let log = git.log()?;
        let head = log.commits.last().map(|head| git.tree(&head.id)).transpose()?;
        let (changes, contents) = working_tree(tree, &git, head.as_ref())?;
        let changes = changes.into_iter().map(|change| (change.file.clone(), change)).collect();
        Ok(Some(Checkout { format, git, log, head, changes, contents }))
    }

    /// Only the commits at these places, as if the last of them were checked out; the working tree is left out.
    pub(crate) fn within(git: &Git, format: Format, places: std::ops::Range<usize>) -> Result<Checkout> {
        let mut log = git.log()?;
        // The first one has no parent here: it brings everything that was there.
        log.shallow |= places.start > 0;
        log.linear &= places.start == 0;
        log.commits = log.commits.drain(..).take(places.end).skip(places.start).collect();
        for commit in &mut log.commits {
            commit.parent = commit.parent.and_then(|parent| parent.checked_sub(places.start));
            place_again(commit, |parent| parent.checked_sub(places.start));
        }
        let head = log.commits.last().map(|head| git.tree(&head.id)).transpose()?;
        let (changes, contents) = (BTreeMap::new(), HashMap::new());
        Ok(Checkout { format, git: git.clone(), log, head, changes, contents })
    }

    /// The commits from this place on, judged against the one before.
    pub(crate) fn since(self, first: usize) -> Result<History> {
        let Some(base) = first.checked_sub(1).and_then(|before| self.log.commits.get(before)) else {
            return Ok(self.history());
        };
        let base = stand_in(base, &self.git.tree(&base.id)?, |_| true)?;
        let later = self.log.commits.into_iter().skip(first).map(|mut commit| {
            commit.parent = commit.parent.map(|parent| (parent + 1).saturating_sub(first));
            place_again(&mut commit, |parent| (parent + 1).checked_sub(first));
            commit
        });
        let commits = std::iter::once(base).chain(later).collect();
        Ok(History { format: self.format, git: self.git, commits, odd: self.log.odd, uncommitted: self.contents })
    }

    /// The last commit's id; `None` before the first.
    pub(crate) fn head(&self) -> Option<&str> {
        self.log.commits.last().map(|head| head.id.as_str())
    }

    /// The commits that were read.
    pub(crate) fn lineage(&self) -> Lineage {
        Lineage::new(self.log.commits.iter().map(|commit| commit.id.as_str()), self.log.shallow, self.changes.len())
    }

    /// How a file in the working tree differs from the last commit.
    pub(crate) fn uncommitted(&self, file: &FileKind) -> Option<&Change> {
        self.changes.get(file)
    }

    /// The files that are on disk as the last commit has them, and how many are not.
    pub(crate) fn unchanged(&self) -> Result<(BTreeSet<String>, usize)> {
        let changed: BTreeSet<String> = self.changes.keys().map(FileKind::path).collect();
        let committed = self.head.as_ref().map(TreeFiles::files).transpose()?;
        let files = committed.into_iter().flatten().map(|(path, _)| path);
        Ok((files.filter(|path| !changed.contains(*path)).cloned().collect(), changed.len()))
    }

    /// A file's blob in the last commit.
    pub(crate) fn committed(&self, file: &FileKind) -> Result<Option<BlobId>> {
        match &self.head {
            Some(head) => Ok(head.files()?.get(&file.path()).copied()),
            None => Ok(None),
        }
    }

    /// Uncommitted contents.
    pub(crate) fn content(&self, blob: &BlobId) -> Option<&[u8]> {
        self.contents.get(blob).map(Vec::as_slice)
    }

    /// Checks what each commit did, the working tree as one more; without `whole`, only the working tree.
    pub(crate) fn judge(self, whole: bool, only: Option<RoundNumber>, rules: &InForce, sink: &mut Sink) -> Result<()> {
        // By which rules a claim is judged depends on it, whether commits are judged or not.
        if !self.log.linear && !self.log.shallow {
            lines::check(self.log.commits.iter().flat_map(turns), sink);
        }
        if whole {
            let history = self.history();
            history.check(only, sink)?;
            history::conclude(&history.commits, rules.missing_history().as_deref(), sink);
        } else if let Some(history) = self.working_tree()? {
            history.check(only, sink)?;
        }
        Ok(())
    }

    /// The whole history. A working tree that differs from the last commit counts as one more commit.
    pub(crate) fn history(self) -> History {
        let mut commits = self.log.commits;
        if !self.changes.is_empty() {
            let (parent, changes) = (commits.len().checked_sub(1), self.changes.into_values().collect());
            let id = WORKING_TREE.to_owned();
            commits.push(Commit { id, summary: String::new(), parent, changes, merged: Vec::new() });
        }
        History { format: self.format, git: self.git, commits, odd: self.log.odd, uncommitted: self.contents }
    }

    /// The working tree alone, judged against the last commit; `None` if they do not differ.
    pub(crate) fn working_tree(self) -> Result<Option<History>> {
        let (Some(last), Some(head)) = (self.log.commits.last(), &self.head) else { return Ok(None) };
        if self.changes.is_empty() {
            return Ok(None);
        }
        let changed: BTreeSet<RoundNumber> = self.changes.keys().filter_map(FileKind::round).collect();
        let base = stand_in(last, head, |round| changed.contains(&round))?;
        let (id, changes) = (WORKING_TREE.to_owned(), self.changes.into_values().collect());
        let tree = Commit { id, summary: String::new(), parent: Some(0), changes, merged: Vec::new() };
        let (commits, odd) = (vec![base, tree], Vec::new());
        Ok(Some(History { format: self.format, git: self.git, commits, odd, uncommitted: self.contents }))
    }
}

/// What a commit did to each file.
fn turns(commit: &Commit) -> impl Iterator<Item = Turn<'_>> {
    let turn = |change: &Change| Turn::new(&commit.id, change.file.path(), change.before, change.after);
    commit.changes.iter().map(turn)
}

/// Gives a merge's parents their new places. Those that are not among the commits any more are not compared with.
fn place_again(commit: &mut Commit, place: impl Fn(usize) -> Option<usize>) {
    let merged = std::mem::take(&mut commit.merged).into_iter();
    commit.merged = merged.filter_map(|merged| Some(Merged { parent: place(merged.parent)?, ..merged })).collect();
}

/// A stand-in for a commit that adds all files by which later changes, of files of these rounds, are judged.
fn stand_in(commit: &Commit, tree: &TreeFiles, later: impl Fn(RoundNumber) -> bool) -> Result<Commit> {
    let judged_by = |file: &FileKind| match file {
        // The first seed starts the competition.
        FileKind::State | FileKind::Round(_, RoundFile::Seed) => true,
        FileKind::Round(round, RoundFile::Matrix | RoundFile::GenerationAudits)
        | FileKind::Player(round, _, PlayerFile::Sums) => later(*round),
        _ => false,
    };
    let known = tree.files()?.iter().filter_map(|(path, blob)| Some((FileKind::of_path(path)?, *blob)));
    let known = known.filter(|(file, _)| judged_by(file));
    let changes = known.map(|(file, blob)| Change { file, before: None, after: Some(blob) }).collect();
    let (id, summary) = (commit.id.clone(), commit.summary.clone());
    Ok(Commit { id, summary, parent: None, changes, merged: Vec::new() })
}

/// The error for a folder whose commits are asked for, and that has none.
pub(crate) fn no_history(context: &Context<'_>) -> Error {
    let here = context.store.root().display();
    let none = Error::usage(format!("{here}: not a git checkout, so there is no history to check"));
    none.hint("clone the competition's own repository; without --history, `gen404 verify` checks the files alone")
}

/// Commits, and access to the contents that they name.
pub(crate) struct History {
    format: Format,
    git: Git,
    pub(crate) commits: Vec<Commit>,
    /// What no program of a competition makes.
    odd: Vec<Oddity>,
    /// Uncommitted contents.
    uncommitted: HashMap<BlobId, Vec<u8>>,
}

impl History {
    /// Checks every commit; `only` limits the findings to one round's files.
    pub(crate) fn check(&self, only: Option<RoundNumber>, sink: &mut Sink) -> Result<()> {
        odd::check(self.commits.iter().map(|commit| commit.id.as_str()), &self.odd, only, sink);
        history::check(&self.commits, &mut |wanted| self.traces(wanted), only, sink)
    }

    /// Reads contents, in parallel.
    fn traces(&self, wanted: &[(FileKind, BlobId)]) -> Result<Traces> {
        let kept = AtomicUsize::new(0);
        let trace = |reader: &mut GitReader, (file, blob): &(FileKind, BlobId)| {
            let parsed = |bytes: &[u8]| Trace::of(Content::parse(self.format, file, bytes).map(|(content, _)| content));
            let trace = match self.uncommitted.get(blob) {
                Some(bytes) => parsed(bytes),
                None => match reader.file(file, blob)? {
                    Contents::Bytes(bytes) => parsed(&bytes),
                    Contents::Unfit(why) => Trace::Broken(ParseError::whole(why)),
                },
            };
            let weight = trace.weight();
            if kept.fetch_add(weight, Ordering::Relaxed).saturating_add(weight) > MOST_TRACED {
                let root = self.git.root().display();
                return Err(Error::failed(format!(
                    "{root}: the history is not checked to its end: its files are too large"
                )));
            }
            Ok(((file.clone(), *blob), trace))
        };
        wanted.par_iter().map_init(|| self.git.reader(), trace).collect()
    }
}

/// Changed files, and uncommitted contents by the blob id they would get.
type Uncommitted = (Vec<Change>, HashMap<BlobId, Vec<u8>>);

fn working_tree(tree: &ListedSource<'_>, git: &Git, head: Option<&TreeFiles>) -> Result<Uncommitted> {
    let none = BTreeMap::new();
    let committed = head.map(TreeFiles::files).transpose()?.unwrap_or(&none);
    let clean = git.clean_files(|path| committed.contains_key(path))?;
    let mut paths = tree.list()?;
    paths.extend(committed.keys().cloned());
    paths.sort();
    paths.dedup();
    let compare = |path: &String| -> Result<Option<(Change, Option<Vec<u8>>)>> {
        let before = committed.get(path).copied();
        if before.is_some() && clean.get(path) == before.as_ref() {
            return Ok(None);
        }
        let Some(file) = FileKind::of_path(path) else { return Ok(None) };
        // Unreadable files are reported by the checks of files.
        let bytes = tree.read(path).unwrap_or_default();
        let after = bytes.as_ref().map(|bytes| git.blob_id(bytes)).transpose()?;
        Ok((before != after).then_some((Change { file, before, after }, bytes)))
    };
    let changed = paths.par_iter().map(compare).collect::<Result<Vec<_>>>()?;
    let mut contents = HashMap::new();
    let mut changes = Vec::new();
    for (change, bytes) in changed.into_iter().flatten() {
        contents.extend(change.after.zip(bytes));
        changes.push(change);
    }
    Ok((changes, contents))
}
