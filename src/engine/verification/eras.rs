//! The competitions of one history: a repository may have held several, one after the other, in several formats.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::engine::context::Context;
use crate::engine::verification::continuity::Lineage;
use crate::model::format::Format;
use crate::model::format::detect::{Detected, telling};
use crate::model::history::{BlobId, Contents, Oddity, PathChange, PathCommit, WORKING_TREE, shallow_clone};
use crate::model::snapshot::{ListedSource, Source as _};
use crate::model::splat::file::SplatFile;
use crate::model::threejs::file::ThreejsFile;
use crate::rules::checks::formats::window::{FirstSeeds, Window, ends};
use crate::rules::checks::lines::{self, Turn};
use crate::rules::checks::{self, Sink, odd};
use crate::world::git::{Git, GitReader, TreeFiles};

/// Of so many commits, the format is decided anew: a real competition changes its settings a dozen times.
const MOST_DECISIONS: usize = 1000;

/// A competition of the history.
#[derive(Debug, Clone)]
pub(crate) struct Era {
    /// The place of its first commit.
    pub(crate) start: usize,
    /// The place after its last one.
    pub(crate) end: usize,
    /// Its format, by its last files.
    pub(crate) detected: Detected,
    /// What its first commit did to the competition before it.
    why: String,
}

/// The history of what is checked out, and the competitions in it.
pub(crate) struct Past {
    pub(crate) commits: Vec<PathCommit>,
    reader: GitReader,
    shallow: bool,
    /// What no program of a competition makes.
    odd: Vec<Oddity>,
    eras: Vec<Era>,
    /// Uncommitted contents.
    uncommitted: HashMap<BlobId, Vec<u8>>,
}

/// Is this a file of any format?
fn known(path: &str) -> bool {
    SplatFile::of_path(path).is_some() || ThreejsFile::of_path(path).is_some()
}

/// The files of a commit, whatever their format.
///
/// # Errors
/// There is no such commit.
pub(crate) fn tree(git: &Git, commit: &str) -> Result<TreeFiles> {
    Ok(git.tree(commit)?.telling(known))
}

impl Past {
    /// Reads the history.
    ///
    /// # Errors
    /// An object is missing or broken, or the history is larger than any competition's.
    pub(crate) fn of(git: &Git) -> Result<Past> {
        let (commits, shallow, odd) = git.path_log(known)?;
        let eras = eras(git, &commits)?;
        Ok(Past { commits, reader: git.reader(), shallow, odd, eras, uncommitted: HashMap::new() })
    }

    /// As [`Past::of`], for the competition in this folder. A working tree that differs from the last commit counts as one
    /// more commit.
    ///
    /// # Errors
    /// As [`Past::of`], or the folder cannot be listed.
    pub(crate) fn here(context: &Context<'_>, git: &Git) -> Result<Past> {
        let mut past = Past::of(git)?;
        let Some(head) = past.commits.last() else { return Ok(past) };
        let head = tree(git, &head.id)?;
        let committed = head.files()?;
        let clean = git.clean_files(|path| committed.contains_key(path))?;
        let mut paths = context.store.list()?;
        paths.extend(committed.keys().cloned());
        paths.sort();
        paths.dedup();
        let mut changes = Vec::new();
        for path in paths.into_iter().filter(|path| known(path)) {
            let before = committed.get(&path).copied();
            if before.is_some() && clean.get(&path) == before.as_ref() {
                continue;
            }
            // Unreadable files are reported by the checks of files.
            let bytes = context.store.read(&path).unwrap_or_default();
            let after = bytes.as_ref().map(|bytes| git.blob_id(bytes)).transpose()?;
            if before != after {
                past.uncommitted.extend(after.zip(bytes));
                changes.push(PathChange { path, before, after });
            }
        }
        if !changes.is_empty() {
            let (id, parent) = (WORKING_TREE.to_owned(), past.commits.len().checked_sub(1));
            past.commits.push(PathCommit { id, summary: String::new(), parent, changes, merged: Vec::new() });
            if let Some(era) = past.eras.last_mut() {
                era.end += 1;
            }
        }
        Ok(past)
    }

    /// The contents of a file in a commit.
    ///
    /// # Errors
    /// The object is missing or broken.
    pub(crate) fn blob(&self, blob: &BlobId) -> Result<Contents> {
        match self.uncommitted.get(blob) {
            Some(bytes) => Ok(Contents::Bytes(bytes.clone())),
            None => self.reader.any_file(blob),
        }
    }

    /// Checks what these commits did.
    ///
    /// # Errors
    /// An object of the history is missing or broken.
    pub(crate) fn check(&self, format: Format, window: &Window, sink: &mut Sink) -> Result<()> {
        let judged = self.commits.get(window.first..window.end).unwrap_or_default();
        odd::check(judged.iter().map(|commit| commit.id.as_str()), &self.odd, None, sink);
        checks::formats::history::check(format, &self.commits, window, &mut |blob| self.blob(blob), sink)
    }

    /// Was each file of the newest competition added by one line of the history? By which rules a claim is judged depends on
    /// it, whether commits are judged or not.
    pub(crate) fn check_lines(&self, sink: &mut Sink) {
        let follows = |(at, commit): (usize, &PathCommit)| commit.parent == at.checked_sub(1);
        if self.shallow || self.commits.iter().enumerate().all(follows) {
            return;
        }
        let commits = self.commits.get(self.newest_era()).unwrap_or_default();
        lines::check(commits.iter().filter(|commit| commit.id != WORKING_TREE).flat_map(turns), sink);
    }

    /// The id of the last commit.
    pub(crate) fn head(&self) -> Option<&str> {
        self.commits.iter().rev().map(|commit| commit.id.as_str()).find(|id| *id != WORKING_TREE)
    }

    /// The commits that were read.
    pub(crate) fn lineage(&self) -> Lineage {
        let changed = self.commits.iter().filter(|commit| commit.id == WORKING_TREE);
        let uncommitted = changed.map(|commit| commit.changes.len()).sum();
        Lineage::new(self.commits.iter().map(|commit| commit.id.as_str()), self.shallow, uncommitted)
    }

    /// The full id of a commit that is named by its first digits.
    ///
    /// # Errors
    /// There is no such commit in the history of what is checked out.
    pub(crate) fn full_id(&self, commit: &str) -> Result<String> {
        let at = self.place(commit)?;
        Ok(self.commits.get(at).map(|commit| commit.id.clone()).unwrap_or_default())
    }

    /// How many commits a shallow clone has; `None` if the history is complete.
    pub(crate) fn shallow(&self) -> Option<usize> {
        self.shallow.then_some(self.commits.len())
    }

    /// The places of the commits of the newest competition.
    pub(crate) fn newest_era(&self) -> Range<usize> {
        self.eras.last().map_or(0..0, |era| era.start..era.end)
    }

    /// The working tree alone, judged against the last commit; `None` if they do not differ.
    pub(crate) fn working_tree(&self) -> Option<Window> {
        let end = self.commits.len();
        let window = Window { first: end.checked_sub(1)?, ..self.newest() };
        self.commits.last().filter(|last| last.id == WORKING_TREE).map(|_| Window { earlier: None, ..window })
    }

    /// The commits that are judged unless others are asked for: those since the last reset.
    pub(crate) fn newest(&self) -> Window {
        let era = self.eras.last().filter(|era| era.start > 0).map(|era| (era.start, era.why.as_str()));
        Window::newest(&self.commits, era)
    }

    /// The competition that a commit belongs to, and its commits from that one on.
    ///
    /// # Errors
    /// There is no such commit in the history of what is checked out.
    pub(crate) fn from(&self, commit: &str) -> Result<(&Era, Window)> {
        let at = self.place(commit)?;
        let era = self.eras.iter().rev().find(|era| era.start <= at);
        let era = era.ok_or_else(|| Error::failed("the history has no commits"))?;
        // A reset is not judged: it takes away what came before.
        let first = if at == era.start && at > 0 { at + 1 } else { at };
        let earlier = (era.start > 0).then(|| {
            let (count, short) = (counted(era.start, "commit", "commits"), self.short(era.start));
            format!("{count} of an earlier competition, before {short}, which {}", era.why)
        });
        let begun = Window::newest(self.commits.get(..era.end).unwrap_or_default(), None).begun;
        Ok((era, Window { first: first.min(era.end), begun, end: era.end, earlier }))
    }

    fn place(&self, commit: &str) -> Result<usize> {
        if let ("HEAD", Some(last)) = (commit, self.commits.len().checked_sub(1)) {
            return Ok(last);
        }
        let fits = commit.len() >= 4 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wanted = commit.to_ascii_lowercase();
        let mut found =
            self.commits.iter().enumerate().filter(|(_, one)| fits && one.id.starts_with(&wanted)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(Error::usage(format!("--from {commit}: several commits begin like this"))),
            (None, _) => {
                let none = Error::usage(format!("--from {commit}: no commit of the history that is checked out"));
                Err(none.hint("give at least four digits of its id; `git log` lists them"))
            }
        }
    }

    fn short(&self, at: usize) -> &str {
        let id = self.commits.get(at).map_or("", |commit| commit.id.as_str());
        id.get(..10).unwrap_or(id)
    }

    /// Says that commits are missing, where they are.
    pub(crate) fn say_shallow(&self, sink: &mut Sink) {
        if self.shallow {
            sink.claim("history.append_only", None, "the beginning", |claim| {
                claim.skip(shallow_clone(self.commits.len()));
            });
        }
    }
}

/// The format of a commit's files.
fn detected_at(git: &Git, commit: &str) -> Result<Detected> {
    Ok(ListedSource::of(&tree(git, commit)?)?.detected())
}

/// The competitions of a history, the oldest first: a new one begins where rounds/0/seed.json is removed, or where the
/// format changes from one that was sure to another.
fn eras(git: &Git, commits: &[PathCommit]) -> Result<Vec<Era>> {
    let mut eras: Vec<Era> = Vec::new();
    let mut decisions = 0;
    let begun = FirstSeeds::of(commits);
    for (at, commit) in commits.iter().enumerate() {
        let stays = begun.stays(at);
        let reset = ends(commit) && !stays;
        let now = eras.last().map(|era| era.detected.format);
        let sign = |change: &PathChange| {
            change.path == "config.json" || telling(&change.path).is_some_and(|format| Some(format) != now)
        };
        if at > 0 && !reset && !commit.changes.iter().any(sign) {
            continue;
        }
        decisions += 1;
        if decisions > MOST_DECISIONS {
            let many =
                format!("the history is not read to its end: config.json changes more than {MOST_DECISIONS} times");
            return Err(Error::failed(many));
        }
        let detected = detected_at(git, &commit.id)?;
        let (start, end) = (at, commits.len());
        match eras.last_mut() {
            None => eras.push(Era { start, end, detected, why: String::new() }),
            Some(last) => {
                let (before, after) = (last.detected.format, detected.format);
                // Since then its own outputs may have shown its format.
                if before != after && !last.detected.is_sure() {
                    let parent = commit.parent.and_then(|parent| commits.get(parent));
                    let known = parent.map(|parent| detected_at(git, &parent.id)).transpose()?;
                    last.detected = known.filter(|known| known.format == before).unwrap_or(last.detected.clone());
                }
                let changed = last.detected.is_sure() && detected.is_sure() && before != after && !stays;
                let why = match (changed, reset) {
                    (true, _) => format!("changed the format from {before} to {after}"),
                    (false, true) => "removed rounds/0/seed.json".to_owned(),
                    (false, false) => {
                        last.detected = detected;
                        continue;
                    }
                };
                last.end = at;
                eras.push(Era { start, end, detected, why });
            }
        }
    }
    Ok(eras)
}

/// What a commit did to each file.
fn turns(commit: &PathCommit) -> impl Iterator<Item = Turn<'_>> {
    let turn = |change: &PathChange| Turn::new(&commit.id, change.path.clone(), change.before, change.after);
    commit.changes.iter().map(turn)
}
