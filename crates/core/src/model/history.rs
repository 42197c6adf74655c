//! The commits of a competition, and the files that each one changed.

use super::file::FileKind;
use crate::base::text::counted;

/// The id of a file's contents in git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(pub [u8; 20]);

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// That a clone is shallow, and how to get the rest; it has this many commits.
pub fn shallow_clone(commits: usize) -> String {
    format!("shallow clone: {}; git fetch --unshallow", counted(commits, "commit", "commits"))
}

/// The commit id that stands for the files on disk.
pub const WORKING_TREE: &str = "working tree";

/// A commit, or the working tree if it differs from the last one.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its id in hex, or [`WORKING_TREE`].
    pub id: String,
    /// The first line of its message.
    pub summary: String,
    /// The index of its first parent; parents come before their children.
    pub parent: Option<usize>,
    /// The competition's files that differ from every parent.
    pub changes: Vec<Change>,
    /// Of a merge, how it differs from each parent otherwise.
    pub merged: Vec<Merged<Change>>,
}

/// Files of a merge that differ from one parent, and are as in another one: what the one had may be lost in them.
#[derive(Debug, Clone)]
pub struct Merged<T> {
    /// The parent's place in the list.
    pub parent: usize,
    /// The files, each with its contents in that parent.
    pub changes: Vec<T>,
}

/// A file that a commit added, changed or removed.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which file.
    pub file: FileKind,
    /// Its contents in the first parent.
    pub before: Option<BlobId>,
    /// Its contents in the commit.
    pub after: Option<BlobId>,
}

/// A commit, with the files that it changed by their paths: for formats whose files are not all in [`FileKind`].
#[derive(Debug, Clone)]
pub struct PathCommit {
    /// Its id in hex.
    pub id: String,
    /// The first line of its message.
    pub summary: String,
    /// Its first parent's place in the list; every parent stands before its children.
    pub parent: Option<usize>,
    /// The files that differ from every parent.
    pub changes: Vec<PathChange>,
    /// Of a merge, how it differs from each parent otherwise.
    pub merged: Vec<Merged<PathChange>>,
}

/// A file that a commit added, changed or removed, by its path.
#[derive(Debug, Clone)]
pub struct PathChange {
    /// Its path.
    pub path: String,
    /// Its contents in the first parent.
    pub before: Option<BlobId>,
    /// Its contents in the commit.
    pub after: Option<BlobId>,
}

/// What was found for a blob that the history names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It is there, but no file of a competition is like that: why. Anyone may have committed it.
    Unfit(String),
}

impl Contents {
    /// The bytes; `None` if it is unfit.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Contents::Bytes(bytes) => Some(bytes),
            Contents::Unfit(_) => None,
        }
    }
}

/// Something in a commit that no program of a competition makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// The commit's id in hex.
    pub commit: String,
    /// The path in its tree; `None` if it is about the commit itself.
    pub path: Option<String>,
    /// What is there.
    pub what: &'static str,
}

/// A version of a file: what a commit made of it, and when.
#[derive(Debug, Clone)]
pub struct Version {
    /// The file's path.
    pub path: String,
    /// The commit's id in hex.
    pub commit: String,
    /// When it was made, in seconds.
    pub seconds: i64,
    /// Was there a version before it?
    pub replaced: bool,
    /// The contents.
    pub bytes: Vec<u8>,
}
