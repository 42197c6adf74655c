//! The competitions of one history: a repository may have held several, one after the other, in several formats.

use crate::base::error::{Error, Result};
use crate::model::format::detect::{Detected, telling};
use crate::model::history::{PathChange, PathCommit};
use crate::model::snapshot::ListedSource;
use crate::model::splat::file::SplatFile;
use crate::model::threejs::file::ThreejsFile;
use crate::rules::checks::Sink;
use crate::rules::checks::formats::history::Window;
use crate::world::git::{Git, GitReader, TreeFiles};

/// Of so many commits, the format is decided anew: a real competition changes its settings a dozen times.
const MOST_DECISIONS: usize = 1000;

/// A competition of the history.
#[derive(Debug, Clone)]
pub(crate) struct Era {
    /// The place of its first commit.
    pub(crate) start: usize,
    /// The place behind its last one.
    pub(crate) end: usize,
    /// Its format, as far as it went.
    pub(crate) detected: Detected,
    /// What parted it from the one before.
    why: String,
}

/// The history of what is checked out, and the competitions in it.
pub(crate) struct Past {
    pub(crate) commits: Vec<PathCommit>,
    pub(crate) reader: GitReader,
    shallow: bool,
    eras: Vec<Era>,
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
        let (commits, shallow) = git.path_log(known)?;
        let eras = eras(git, &commits)?;
        Ok(Past { commits, reader: git.reader(), shallow, eras })
    }

    /// The commits that are judged where nobody asks for others: since the last reset.
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
            let (count, short) = (era.start, self.short(era.start));
            format!("{count} commits of an earlier competition, before {short}, which {}", era.why)
        });
        Ok((era, Window { first: first.min(era.end), end: era.end, earlier }))
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
                claim.skip(format!("shallow clone: {} commits; git fetch --unshallow", self.commits.len()));
            });
        }
    }
}

/// The competitions of a history, the oldest first: a new one begins where rounds/0/seed.json is removed, or where the
/// format changes from one that was sure to another.
fn eras(git: &Git, commits: &[PathCommit]) -> Result<Vec<Era>> {
    let mut eras: Vec<Era> = Vec::new();
    let mut decisions = 0;
    for (at, commit) in commits.iter().enumerate() {
        let reset = commit.changes.iter().any(is_reset);
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
                // Its own outputs may have told it since.
                if before != after && !last.detected.is_sure() {
                    let parent = commit.parent.and_then(|parent| commits.get(parent));
                    let known = parent.map(|parent| detected_at(git, &parent.id)).transpose()?;
                    last.detected = known.filter(|known| known.format == before).unwrap_or(last.detected.clone());
                }
                let changed = last.detected.is_sure() && detected.is_sure() && before != after;
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

/// The format of a commit's files.
fn detected_at(git: &Git, commit: &str) -> Result<Detected> {
    Ok(ListedSource::of(&tree(git, commit)?)?.detected())
}

fn is_reset(change: &PathChange) -> bool {
    change.path == "rounds/0/seed.json" && change.before.is_some() && change.after.is_none()
}
