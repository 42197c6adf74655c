//! What a report can say of the commit that it rests on: its id, the files in it, and what past commits did when.

use std::collections::BTreeSet;

use super::commits::Checkout;
use super::eras::{self, Past};
use crate::base::error::Result;
use crate::base::github;
use crate::engine::context::Context;
use crate::model::history::{BlobId, Contents, Version, WORKING_TREE};
use crate::world::git::Git;

/// Most versions of files that are read: a round of a hundred audits has fewer.
const MOST_VERSIONS: usize = 400;

/// Most bytes of all of them.
const MOST_BYTES: usize = 64 << 20;

/// The commit that is checked out, as others can look it up.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Its id; `None` without one.
    pub(crate) commit: Option<String>,
    /// `OWNER/REPO` on GitHub, if it came from there.
    pub(crate) repository: Option<String>,
    /// The files that are on disk as that commit has them.
    pub(crate) files: BTreeSet<String>,
    /// How many files are not.
    pub(crate) uncommitted: usize,
    /// What past commits made of the files that tell of events, oldest first.
    pub(crate) versions: Vec<Version>,
}

/// A file that a commit changed: the commit, the path, whether it was there before, and its new contents.
type Changed<'a> = (&'a str, String, bool, BlobId);

impl Published {
    /// Of a competition of meshes.
    pub(crate) fn of_meshes(checkout: &Checkout) -> Result<Published> {
        let Some(head) = checkout.head() else { return Ok(Published::default()) };
        let (files, uncommitted) = checkout.unchanged()?;
        let commits = checkout.log.commits.iter().rev();
        let events = commits.flat_map(|commit| {
            let events = commit.changes.iter().filter(|change| tells(&change.file.path()));
            events.filter_map(|change| {
                Some((commit.id.as_str(), change.file.path(), change.before.is_some(), change.after?))
            })
        });
        Ok(Published {
            commit: Some(head.to_owned()),
            repository: repository(&checkout.git),
            files,
            uncommitted,
            versions: versions(&checkout.git, events)?,
        })
    }

    /// Of a competition of another format.
    pub(crate) fn of_others(context: &Context<'_>, past: Option<&Past>) -> Result<Published> {
        let (Some(git), Some(past)) = (&context.git, past) else { return Ok(Published::default()) };
        let Some(head) = past.head() else { return Ok(Published::default()) };
        let uncommitted = past.commits.last().filter(|last| last.id == WORKING_TREE);
        let changed: BTreeSet<&str> =
            uncommitted.iter().flat_map(|tree| &tree.changes).map(|change| change.path.as_str()).collect();
        let tree = eras::tree(git, head)?;
        let files = tree.files()?.keys().filter(|path| !changed.contains(path.as_str())).cloned().collect();
        let commits = past.commits.get(past.newest_era()).unwrap_or_default().iter().rev();
        let events = commits.filter(|commit| commit.id != WORKING_TREE).flat_map(|commit| {
            let events = commit.changes.iter().filter(|change| tells(&change.path));
            events.filter_map(|change| {
                Some((commit.id.as_str(), change.path.clone(), change.before.is_some(), change.after?))
            })
        });
        Ok(Published {
            commit: Some(head.to_owned()),
            repository: repository(git),
            files,
            uncommitted: changed.len(),
            versions: versions(git, events)?,
        })
    }
}

fn repository(git: &Git) -> Option<String> {
    github::repository(&git.remote_url()?)
}

/// Does a file of this path tell of events: stages, verdicts, winners?
fn tells(path: &str) -> bool {
    let of_round = ["/winner.json", "/generation_audits.json", "/judge_progress.json"];
    path == "state.json" || (path.starts_with("rounds/") && of_round.iter().any(|name| path.ends_with(name)))
}

/// Reads the newest versions; those that would need too much memory are left out, as is what came before them.
fn versions<'a>(git: &Git, events: impl Iterator<Item = Changed<'a>>) -> Result<Vec<Version>> {
    let (reader, mut versions, mut size) = (git.reader(), Vec::new(), 0_usize);
    for (commit, path, replaced, blob) in events.take(MOST_VERSIONS) {
        // What no file is like tells of no event.
        let Contents::Bytes(bytes) = reader.any_file(&blob)? else { continue };
        size = size.saturating_add(bytes.len());
        if size > MOST_BYTES {
            break;
        }
        versions.push(Version { path, commit: commit.to_owned(), seconds: git.seconds(commit)?, replaced, bytes });
    }
    versions.reverse();
    Ok(versions)
}
