//! What `verify` and `report` read of the commits, and of the working tree against the last one.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::context::Context;
use crate::error::Result;
use crate::rules::checks::history::{BlobId, Change, Commit, History, Trace, WORKING_TREE};
use crate::state::file::{Content, FileKind, RoundFile};
use crate::state::snapshot::Source;
use crate::world::git::{Git, Log, Reader, TreeFiles};

/// The whole history with the contents that it names; where the working tree differs from the last
/// commit, it counts as one more.
pub(super) fn whole(context: &Context<'_>, git: &Git, log: Log) -> Result<History> {
    let mut commits = log.commits;
    let head = commits.last().map(|head| git.tree(&head.id)).transpose()?;
    let (changes, contents) = working_tree(context, git, head.as_ref())?;
    if !changes.is_empty() {
        let parent = commits.len().checked_sub(1);
        commits.push(Commit { id: WORKING_TREE.to_owned(), summary: String::new(), parent, changes });
    }
    traced(git, commits, &contents)
}

/// The working tree alone, judged by the last commit; `None` where they do not differ.
pub(super) fn uncommitted(context: &Context<'_>, git: &Git, log: &Log) -> Result<Option<History>> {
    let Some(last) = log.commits.last() else { return Ok(None) };
    let head = git.tree(&last.id)?;
    let (changes, contents) = working_tree(context, git, Some(&head))?;
    if changes.is_empty() {
        return Ok(None);
    }
    // What the last commit's state is judged by stands there as if it had brought it all.
    let judged_by =
        |file: &FileKind| matches!(file, FileKind::State | FileKind::Round(_, RoundFile::Seed | RoundFile::Matrix));
    let paths = head.list()?;
    let kinds = paths.iter().filter_map(|path| FileKind::of_path(path)).filter(judged_by);
    let brought = kinds.map(|file| Change { before: None, after: head.blob_id(&file.path()), file }).collect();
    let base = Commit { id: last.id.clone(), summary: last.summary.clone(), parent: None, changes: brought };
    let tree = Commit { id: WORKING_TREE.to_owned(), summary: String::new(), parent: Some(0), changes };
    traced(git, vec![base, tree], &contents).map(Some)
}

/// Reads the contents that the commits' changes name.
fn traced(git: &Git, commits: Vec<Commit>, uncommitted: &HashMap<BlobId, Vec<u8>>) -> Result<History> {
    let mut seen = HashSet::new();
    let mut wanted: Vec<(FileKind, BlobId)> = Vec::new();
    for change in commits.iter().flat_map(|commit| &commit.changes) {
        for blob in [&change.before, &change.after].into_iter().flatten() {
            let key = (change.file.clone(), blob.clone());
            if seen.insert(key.clone()) {
                wanted.push(key);
            }
        }
    }
    let trace = |reader: &mut Reader, (file, blob): &(FileKind, BlobId)| {
        let bytes = match uncommitted.get(blob) {
            Some(bytes) => bytes.clone(),
            None => reader.blob(blob)?,
        };
        Ok(((file.clone(), blob.clone()), Trace::of(Content::parse(file, &bytes).map(|(content, _)| content))))
    };
    let traces = wanted.par_iter().map_init(|| git.reader(), trace).collect::<Result<HashMap<_, _>>>()?;
    Ok(History { commits, traces })
}

/// Changed files, and the contents of those that no commit has, by the id they would have.
type Uncommitted = (Vec<Change>, HashMap<BlobId, Vec<u8>>);

fn working_tree(context: &Context<'_>, git: &Git, head: Option<&TreeFiles>) -> Result<Uncommitted> {
    let committed = |path: &str| head.and_then(|head| head.blob_id(path));
    let clean = git.clean_files()?;
    let mut paths = context.store.list()?;
    paths.extend(head.map(Source::list).transpose()?.unwrap_or_default());
    paths.sort();
    paths.dedup();
    let compare = |path: &String| -> Result<Option<(Change, Option<Vec<u8>>)>> {
        let Some(file) = FileKind::of_path(path) else { return Ok(None) };
        let before = committed(path);
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
        contents.extend(change.after.clone().zip(bytes));
        changes.push(change);
    }
    Ok((changes, contents))
}
