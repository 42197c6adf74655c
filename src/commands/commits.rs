//! What `verify` and `report` read of the commits, and of the working tree against the last one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::context::Context;
use crate::error::{Error, Result};
use crate::rules::checks::Sink;
use crate::rules::checks::history::{self, BlobId, Change, Commit, Trace, Traces, WORKING_TREE};
use crate::state::file::{Content, FileKind, RoundFile};
use crate::state::ids::RoundNumber;
use crate::state::snapshot::Source;
use crate::world::git::{Git, Log, Reader, TreeFiles};

/// Contents of so many bytes, as they are kept, may be looked at together: a hundred times those of a real round.
const MOST_TRACED: usize = 256 << 20;

/// Commits, and how to come by the contents that they name.
pub(super) struct History<'a> {
    git: &'a Git,
    pub(super) commits: Vec<Commit>,
    /// Contents that no commit has.
    uncommitted: HashMap<BlobId, Vec<u8>>,
}

/// The whole history; where the working tree differs from the last commit, it counts as one more.
pub(super) fn whole<'a>(context: &Context<'_>, git: &'a Git, log: Log) -> Result<History<'a>> {
    let mut commits = log.commits;
    let head = commits.last().map(|head| git.tree(&head.id)).transpose()?;
    let (changes, uncommitted) = working_tree(context, git, head.as_ref())?;
    if !changes.is_empty() {
        let parent = commits.len().checked_sub(1);
        commits.push(Commit { id: WORKING_TREE.to_owned(), summary: String::new(), parent, changes });
    }
    Ok(History { git, commits, uncommitted })
}

/// The working tree alone, judged by the last commit; `None` where they do not differ.
pub(super) fn uncommitted<'a>(context: &Context<'_>, git: &'a Git, log: &Log) -> Result<Option<History<'a>>> {
    let Some(last) = log.commits.last() else { return Ok(None) };
    let head = git.tree(&last.id)?;
    let (changes, uncommitted) = working_tree(context, git, Some(&head))?;
    if changes.is_empty() {
        return Ok(None);
    }
    // What the last commit's state is judged by stands there as if it had brought it all.
    let judged_by =
        |file: &FileKind| matches!(file, FileKind::State | FileKind::Round(_, RoundFile::Seed | RoundFile::Matrix));
    let known = head.files()?.iter().filter_map(|(path, blob)| Some((FileKind::of_path(path)?, *blob)));
    let known = known.filter(|(file, _)| judged_by(file));
    let brought = known.map(|(file, blob)| Change { file, before: None, after: Some(blob) }).collect();
    let base = Commit { id: last.id.clone(), summary: last.summary.clone(), parent: None, changes: brought };
    let tree = Commit { id: WORKING_TREE.to_owned(), summary: String::new(), parent: Some(0), changes };
    Ok(Some(History { git, commits: vec![base, tree], uncommitted }))
}

impl History<'_> {
    /// Checks every commit; `only` limits the findings to one round's files.
    pub(super) fn check(&self, only: Option<RoundNumber>, sink: &mut Sink) -> Result<()> {
        history::check(&self.commits, &mut |wanted| self.traces(wanted), only, sink)
    }

    /// Reads contents, side by side.
    fn traces(&self, wanted: &[(FileKind, BlobId)]) -> Result<Traces> {
        let kept = AtomicUsize::new(0);
        let trace = |reader: &mut Reader, (file, blob): &(FileKind, BlobId)| {
            let parsed = |bytes: &[u8]| Trace::of(Content::parse(file, bytes).map(|(content, _)| content));
            let trace = match self.uncommitted.get(blob) {
                Some(bytes) => parsed(bytes),
                None => parsed(&reader.file(file, blob)?),
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

/// Changed files, and the contents of those that no commit has, by the id they would have.
pub(super) type Uncommitted = (Vec<Change>, HashMap<BlobId, Vec<u8>>);

pub(super) fn working_tree(context: &Context<'_>, git: &Git, head: Option<&TreeFiles>) -> Result<Uncommitted> {
    let none = BTreeMap::new();
    let committed = head.map(TreeFiles::files).transpose()?.unwrap_or(&none);
    let clean = git.clean_files()?;
    let mut paths = context.store.list()?;
    paths.extend(committed.keys().cloned());
    paths.sort();
    paths.dedup();
    let compare = |path: &String| -> Result<Option<(Change, Option<Vec<u8>>)>> {
        let Some(file) = FileKind::of_path(path) else { return Ok(None) };
        let before = committed.get(path).copied();
        if before.is_some() && clean.get(path) == before.as_ref() {
            return Ok(None);
        }
        // What cannot be read is reported by the checks on the files.
        let bytes = context.store.read(path).unwrap_or_default();
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
