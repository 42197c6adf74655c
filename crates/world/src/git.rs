//! The checkout: its history, any file at any commit, and commits of exactly the files we wrote.
//!
//! Whoever reads a competition did not make it, so nothing in its repository is trusted: git's own files are
//! checked before they are opened (`guard`), objects before they are inflated (`objects`, `packs`), and trees
//! are walked along the known paths only (`walk`).

mod address;
mod commit;
mod guard;
mod index;
mod instead;
pub mod lease_ref;
mod log;
mod objects;
mod origin;
mod own;
mod packs;
mod reach;
pub mod ready;
pub mod remote;
mod sign;
pub mod signers;
mod tree;
pub mod upstream;
mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::ByteSlice;

pub use self::log::Log;
pub use self::tree::TreeFiles;
use crate::base::error::{Context, Error, Result};
use crate::model::file::FileKind;
use crate::model::history::{BlobId, Contents};

/// A competition's checkout.
#[derive(Debug, Clone)]
pub struct Git {
    repo: gix::ThreadSafeRepository,
    root: PathBuf,
    objects: Arc<objects::Objects>,
}

impl Git {
    /// The checkout whose top folder is `root`; `None` if `root` is not one.
    ///
    /// # Errors
    /// There is a `.git`, but it cannot be opened, or is not as git makes it.
    pub fn open(root: &Path) -> Result<Option<Git>> {
        let root = root.canonicalize().failed(|| format!("{}: no such folder", root.display()))?;
        let Some(places) = guard::look(&root)? else { return Ok(None) };
        let repo = objects::Objects::open(&root)?;
        Ok(Some(Git { repo, objects: Arc::new(objects::Objects::new(&root, places)), root }))
    }

    /// Makes a folder a git repository.
    ///
    /// # Errors
    /// git's files cannot be written.
    pub fn init(root: &Path) -> Result<Git> {
        gix::init(root).failed(|| format!("{}: cannot make a git repository", root.display()))?;
        Git::open(root)?.ok_or_else(|| Error::file(root, "still no git repository after init"))
    }

    /// The checkout's top folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The operator's own folder inside the git folder.
    #[must_use]
    pub fn own_folder(&self) -> PathBuf {
        self.local().git_dir().join(guard::OWN)
    }

    fn local(&self) -> gix::Repository {
        self.repo.to_thread_local()
    }

    /// The repository with the user's own settings, for what we write.
    fn writer(&self) -> Result<gix::Repository> {
        let opened = objects::for_writing().open(&self.root).map(|repo| repo.to_thread_local());
        opened.failed(|| self.cannot("open the git repository"))
    }

    fn cannot(&self, what: &str) -> String {
        format!("{}: cannot {what}", self.root.display())
    }

    /// The commit that is checked out; `None` before the first one.
    ///
    /// # Errors
    /// `HEAD` cannot be read.
    pub fn head(&self) -> Result<Option<ObjectId>> {
        let repo = self.local();
        let mut head = repo.head().failed(|| self.cannot("read HEAD"))?;
        let id = head.try_peel_to_id().failed(|| self.cannot("read HEAD"))?;
        Ok(id.map(gix::Id::detach))
    }

    /// The files of a commit (its id in hex).
    ///
    /// # Errors
    /// There is no such commit.
    pub fn tree(&self, commit: &str) -> Result<TreeFiles> {
        let id = ObjectId::from_hex(commit.as_bytes()).failed(|| self.cannot(&format!("read commit {commit}")))?;
        Ok(TreeFiles::new(self.clone(), commit, self.reader().commit(id)?.tree))
    }

    /// The contents of a blob.
    ///
    /// # Errors
    /// There is no such blob, or it is larger than any file of a competition.
    pub fn blob(&self, id: &BlobId) -> Result<Vec<u8>> {
        self.reader().blob(id)
    }

    /// Opens the repository for one thread that reads many blobs.
    #[must_use]
    pub fn reader(&self) -> GitReader {
        GitReader { repo: self.local(), root: self.root.clone(), objects: self.objects.clone() }
    }

    /// The id of these bytes as a blob, whether or not it exists.
    ///
    /// # Errors
    /// Hashing failed.
    pub fn blob_id(&self, bytes: &[u8]) -> Result<BlobId> {
        let hash = gix::objs::compute_hash(self.local().object_hash(), gix::objs::Kind::Blob, bytes);
        hash.map(|id| blob_of(&id)).failed(|| self.cannot("hash a file"))
    }

    /// The `known` files that, by size and times, are on disk as the index has them, with their blobs. As in git
    /// itself, a file that may have changed since the index was written is left out.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn clean_files(&self, known: impl Fn(&str) -> bool) -> Result<HashMap<String, BlobId>> {
        use gix::index::entry::{Stage, Stat, stat::Options};
        let repo = self.local();
        let Some(index) = repo.try_index().failed(|| self.cannot("read the index"))? else {
            return Ok(HashMap::new());
        };
        let precise = Options { use_nsec: true, ..Options::default() };
        let clean = |entry: &gix::index::Entry| {
            let path = entry.path(&index).to_str().ok().filter(|path| known(path))?;
            let found = gix::index::fs::Metadata::from_path_no_follow(&self.root.join(path)).ok()?;
            let same = entry.stage() == Stage::Unconflicted
                && !entry.stat.is_racy(index.timestamp(), precise)
                && entry.stat.matches(&Stat::from_fs(&found).ok()?, precise);
            same.then(|| (path.to_owned(), blob_of(&entry.id)))
        };
        Ok(index.entries().iter().filter_map(clean).collect())
    }
}

/// A thread's own view of the repository.
#[derive(Debug)]
pub struct GitReader {
    repo: gix::Repository,
    root: PathBuf,
    objects: Arc<objects::Objects>,
}

/// The parts of a commit that are used.
#[derive(Debug)]
struct Read {
    tree: ObjectId,
    parents: Vec<ObjectId>,
    message: String,
    /// When it was made, in seconds; 0 if that makes no sense.
    seconds: i64,
    /// Is its date one that can be?
    dated: bool,
}

/// The dates that a commit can have, in seconds: the years 1970 to 9999.
const DATES: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

impl GitReader {
    /// The contents of a blob.
    ///
    /// # Errors
    /// There is no such blob, or it is larger than any file of a competition.
    pub fn blob(&self, id: &BlobId) -> Result<Vec<u8>> {
        self.object(ObjectId::from_bytes_or_panic(&id.0), gix::objs::Kind::Blob, objects::LARGEST_BLOB)
    }

    /// What a blob has, up to the size limit of any file.
    ///
    /// # Errors
    /// There is no such blob, or it is damaged.
    pub fn any_file(&self, id: &BlobId) -> Result<Contents> {
        self.look(id, objects::LARGEST_BLOB)
    }

    /// What a version of a file of the competition has, up to the size limit of its kind.
    ///
    /// # Errors
    /// There is no such blob, or it is damaged.
    pub fn file(&self, file: &FileKind, id: &BlobId) -> Result<Contents> {
        self.look(id, file.largest())
    }

    fn look(&self, id: &BlobId, most: u64) -> Result<Contents> {
        self.objects.look(&self.repo, ObjectId::from_bytes_or_panic(&id.0), gix::objs::Kind::Blob, most)
    }

    fn commit(&self, id: ObjectId) -> Result<Read> {
        let what = || self.cannot(&format!("read commit {id}"));
        let bytes = self.object(id, gix::objs::Kind::Commit, objects::LARGEST_COMMIT)?;
        let object = gix::ObjectDetached { id, kind: gix::objs::Kind::Commit, data: bytes };
        let commit = object.attach(&self.repo).try_into_commit().failed(what)?;
        // Nothing depends on the date of a commit that is odd.
        let seconds = commit.time().ok().map(|time| time.seconds).filter(|seconds| DATES.contains(seconds));
        Ok(Read {
            tree: commit.tree_id().failed(what)?.detach(),
            parents: commit.parent_ids().map(gix::Id::detach).collect(),
            message: commit.message_raw_sloppy().to_str_lossy().into_owned(),
            seconds: seconds.unwrap_or_default(),
            dated: seconds.is_some(),
        })
    }

    fn object(&self, id: ObjectId, kind: gix::objs::Kind, most: u64) -> Result<Vec<u8>> {
        self.objects.read(&self.repo, id, kind, most)
    }

    fn hash(&self) -> gix::hash::Kind {
        self.repo.object_hash()
    }

    fn cannot(&self, what: &str) -> String {
        format!("{}: cannot {what}", self.root.display())
    }
}

fn blob_of(id: &ObjectId) -> BlobId {
    let mut bytes = [0; 20];
    bytes.iter_mut().zip(id.as_bytes()).for_each(|(to, from)| *to = *from);
    BlobId(bytes)
}

/// The error for a history larger than any competition's: it is not read further, and never counts as clean.
fn too_much(root: &Path, why: &str) -> Error {
    let refused = Error::failed(format!("{}: the history is not read to its end: {why}", root.display()));
    refused.hint("no real competition comes near these limits: clone it again from its origin")
}
