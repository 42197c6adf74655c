//! The history of the checked-out branch.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use gix::ObjectId;

use super::walk::{Differing, Walker};
use super::{Git, GitReader, Read, blob_of};
use crate::base::error::{Context as _, Result};
use crate::builds::Pushed;
use crate::model::file::FileKind;
use crate::model::history::{BlobId, Change, Commit, Merged, Oddity, PathChange, PathCommit};

/// The most commits that are read: a competition makes a few hundred per round.
const MOST_COMMITS: usize = 500_000;

/// The most parents of all commits together.
const MOST_PARENTS: usize = 2_000_000;

/// The most changes of files that are kept, at some 200 bytes each: real competitions make three per commit.
const MOST_CHANGES: usize = 300_000;

/// How many characters of a commit's first line are kept: no more are shown.
const SUMMARY: usize = 100;

/// The commits of the checked-out branch, parents first.
#[derive(Debug, Clone)]
pub struct Log {
    /// The commits.
    pub commits: Vec<Commit>,
    /// Is the clone shallow, so that the first commits are missing?
    pub shallow: bool,
    /// Has each commit only the one before it as a parent, so that the changes tell what every commit holds?
    pub linear: bool,
    /// What no program of a competition makes.
    pub odd: Vec<Oddity>,
}

/// What was read of a history.
struct Walked<T> {
    commits: Vec<T>,
    shallow: bool,
    /// Has any commit several parents?
    merges: bool,
    odd: Vec<Oddity>,
}

/// What is said of a date that no commit can have.
const UNDATED: &str = "its date is none of the years 1970 to 9999";

/// What is needed to order and compare a commit.
pub(super) struct LogNode {
    pub(super) id: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    tree: ObjectId,
    pub(super) summary: String,
    /// When it was made, in seconds.
    pub(super) seconds: i64,
    /// Is its date one that can be?
    dated: bool,
}

impl LogNode {
    fn of(id: ObjectId, commit: Read) -> LogNode {
        let summary = commit.message.lines().next().unwrap_or_default().chars().take(SUMMARY).collect();
        let Read { tree, parents, seconds, dated, .. } = commit;
        LogNode { id, parents, tree, summary, seconds, dated }
    }
}

impl Git {
    /// The history of what is checked out: each commit with the files of the competition that it changed.
    ///
    /// # Errors
    /// An object is missing or broken, or the history exceeds the limits.
    pub fn log(&self) -> Result<Log> {
        let of_meshes = |Differing { file, before, after, .. }| {
            Some(Change { file: file?, before: blob(before), after: blob(after) })
        };
        let all = |differing: Vec<Differing>| differing.into_iter().filter_map(of_meshes).collect();
        let Walked { commits, shallow, merges, odd } = self.walk_log(None, |node, parent, differs| Commit {
            id: node.id.to_string(),
            summary: node.summary.clone(),
            parent,
            changes: all(differs.from_all),
            merged: merged(differs.from_each, all),
        })?;
        let follows = |(at, commit): (usize, &Commit)| commit.parent == at.checked_sub(1);
        let linear = !shallow && !merges && commits.iter().enumerate().all(follows);
        Ok(Log { commits, shallow, linear, odd })
    }

    /// As [`Git::log`], with the files by their paths, those of another format (that `knows` tells) among them; whether
    /// commits are missing at the beginning; and what no program of a competition makes.
    ///
    /// # Errors
    /// As [`Git::log`].
    pub fn path_log(&self, knows: fn(&str) -> bool) -> Result<(Vec<PathCommit>, bool, Vec<Oddity>)> {
        let of_any =
            |Differing { path, before, after, .. }| PathChange { path, before: blob(before), after: blob(after) };
        let all = |differing: Vec<Differing>| differing.into_iter().map(of_any).collect();
        let Walked { commits, shallow, odd, .. } = self.walk_log(Some(knows), |node, parent, differs| PathCommit {
            id: node.id.to_string(),
            summary: node.summary.clone(),
            parent,
            changes: all(differs.from_all),
            merged: merged(differs.from_each, all),
        })?;
        Ok((commits, shallow, odd))
    }

    fn walk_log<T>(
        &self,
        others: Option<fn(&str) -> bool>,
        make: impl Fn(&LogNode, Option<usize>, Differs) -> T,
    ) -> Result<Walked<T>> {
        let reader = self.reader();
        let (order, shallow) = match self.head()? {
            Some(head) => self.parents_first(&reader, head)?,
            None => (Vec::new(), false),
        };
        self.objects.allow(order.len());
        let places: HashMap<ObjectId, usize> = order.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
        let mut walker = Walker::new(&reader, order.len()).telling(others);
        let (mut commits, mut odd, mut count) = (Vec::with_capacity(order.len()), Vec::new(), 0_usize);
        for node in &order {
            let parents = node.parents.iter().filter_map(|parent| places.get(parent).copied());
            let parents = parents.filter_map(|place| Some((place, order.get(place)?.tree)));
            let changes = changes(&mut walker, &parents.collect::<Vec<_>>(), node.tree)?;
            let oddity = |path, what| Oddity { commit: node.id.to_string(), path, what };
            odd.extend((!node.dated).then(|| oddity(None, UNDATED)));
            odd.extend(walker.take_odd().into_iter().map(|(path, what)| oddity(Some(path), what)));
            count += changes.from_all.len();
            count += changes.from_each.iter().map(|(_, differing)| differing.len()).sum::<usize>();
            if count > MOST_CHANGES {
                let why = format!("it changes files more than {MOST_CHANGES} times");
                return Err(super::too_much(&self.root, &why));
            }
            let parent = node.parents.first().and_then(|parent| places.get(parent).copied());
            commits.push(make(node, parent, changes));
        }
        Ok(Walked { commits, shallow, merges: order.iter().any(|node| node.parents.len() > 1), odd })
    }

    /// All ancestors of `head`, parents first, and whether some are missing.
    pub(super) fn parents_first(&self, reader: &GitReader, head: ObjectId) -> Result<(Vec<LogNode>, bool)> {
        let cut: HashSet<ObjectId> = match self.local().shallow_commits().failed(|| self.cannot("read the history"))? {
            Some(commits) => commits.iter().copied().collect(),
            None => HashSet::new(),
        };
        let (mut order, mut seen, mut shallow, mut edges) = (Vec::new(), HashSet::new(), false, 0);
        let mut stack = vec![(head, None)];
        while let Some((id, ready)) = stack.pop() {
            if let Some(node) = ready {
                order.push(node);
            } else if seen.insert(id) {
                let mut node = LogNode::of(id, reader.commit(id)?);
                if cut.contains(&id) {
                    (shallow, node.parents) = (true, Vec::new());
                }
                edges += node.parents.len();
                if seen.len() > MOST_COMMITS || edges > MOST_PARENTS {
                    let why = format!("it has more than {MOST_COMMITS} commits, or {MOST_PARENTS} parents of them");
                    return Err(super::too_much(&self.root, &why));
                }
                let parents = node.parents.clone();
                stack.push((id, Some(node)));
                stack.extend(parents.into_iter().rev().map(|parent| (parent, None)));
            }
        }
        Ok((order, shallow))
    }

    /// The message of the newest commit that is `wanted`, along first parents, and when it was made. No more than
    /// `most` commits are read; whoever wrote them may have written anything.
    ///
    /// # Errors
    /// An object is missing or broken.
    pub fn newest_message(&self, wanted: impl Fn(&str) -> bool, most: usize) -> Result<Option<(String, i64)>> {
        let (reader, mut at) = (self.reader(), self.head()?);
        let cut = self.local().shallow_commits().failed(|| self.cannot("read the history"))?;
        for _ in 0..most {
            let Some(id) = at else { break };
            let commit = reader.commit(id)?;
            if wanted(&commit.message) {
                return Ok(Some((commit.message, commit.seconds)));
            }
            let is_cut = cut.as_ref().is_some_and(|cut| cut.contains(&id));
            at = commit.parents.first().copied().filter(|_| !is_cut);
        }
        Ok(None)
    }

    /// The newest commit in the history that changed a file, and its time; `None` if there is none, or the
    /// clone is too shallow to tell.
    ///
    /// # Errors
    /// As [`Git::log`].
    pub fn last_change(&self, file: &FileKind) -> Result<Option<Pushed>> {
        let log = self.log()?;
        let changed = |commit: &&Commit| commit.changes.iter().any(|change| change.file == *file);
        let Some(commit) = log.commits.iter().rev().find(changed) else { return Ok(None) };
        if log.shallow && commit.parent.is_none() {
            return Ok(None);
        }
        let what = || self.cannot(&format!("read commit {}", commit.id));
        let id = ObjectId::from_hex(commit.id.as_bytes()).failed(what)?;
        let at = DateTime::from_timestamp(self.reader().commit(id)?.seconds, 0);
        Ok(at.map(|at| Pushed { commit: commit.id.clone(), at }))
    }
}

/// The files of the competition in which a commit differs from its parents.
struct Differs {
    /// From all of them, with the contents in the first one.
    from_all: Vec<Differing>,
    /// Of a merge, those in which it differs from the parent at this place and is not judged by `from_all`.
    from_each: Vec<(usize, Vec<Differing>)>,
}

fn changes(walker: &mut Walker<'_>, parents: &[(usize, ObjectId)], tree: ObjectId) -> Result<Differs> {
    let Some(((first, first_tree), others)) = parents.split_first() else {
        return Ok(Differs { from_all: walker.diff(None, Some(tree))?, from_each: Vec::new() });
    };
    let mut from_all = walker.diff(Some(*first_tree), Some(tree))?;
    let (mut from_first, mut from_each) = (Vec::new(), Vec::new());
    for (place, parent) in others {
        let differing = walker.diff(Some(*parent), Some(tree))?;
        let paths: HashSet<&str> = differing.iter().map(|differing| differing.path.as_str()).collect();
        let (in_all, in_some) =
            from_all.into_iter().partition::<Vec<_>, _>(|differing| paths.contains(differing.path.as_str()));
        from_all = in_all;
        from_first.extend(in_some);
        from_each.push((*place, differing));
    }
    from_each.push((*first, from_first));
    from_each.retain(|(_, differing)| !differing.is_empty());
    Ok(Differs { from_all, from_each })
}

fn merged<T>(from_each: Vec<(usize, Vec<Differing>)>, all: impl Fn(Vec<Differing>) -> Vec<T>) -> Vec<Merged<T>> {
    let merged = from_each.into_iter().map(|(parent, differing)| Merged { parent, changes: all(differing) });
    merged.filter(|merged| !merged.changes.is_empty()).collect()
}

fn blob(id: Option<ObjectId>) -> Option<BlobId> {
    id.map(|id| blob_of(&id))
}
