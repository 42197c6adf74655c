//! The checkout: its history, any file at any commit, and commits of just the files we wrote.

mod commit;
pub mod remote;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use gix::ObjectId;
use gix::bstr::ByteSlice;

use crate::error::{Context, Error, Result};
use crate::rules::checks::history::{BlobId, Change, Commit};
use crate::state::file::FileKind;
use crate::state::snapshot::Source;
use crate::world::builds::Pushed;

/// A competition's checkout.
#[derive(Debug, Clone)]
pub struct Git {
    repo: gix::ThreadSafeRepository,
    root: PathBuf,
}

/// The commits of the checked-out branch, parents first.
#[derive(Debug, Clone)]
pub struct Log {
    /// The commits.
    pub commits: Vec<Commit>,
    /// Commits are missing at the beginning: the clone is shallow.
    pub shallow: bool,
}

impl Git {
    /// The checkout whose top folder is `root`; `None` where `root` is no such folder.
    ///
    /// # Errors
    /// There is a `.git`, but it cannot be opened.
    pub fn open(root: &Path) -> Result<Option<Git>> {
        if !root.join(".git").exists() {
            return Ok(None);
        }
        let repo = gix::ThreadSafeRepository::open(root)
            .failed(|| format!("{}: cannot open the git repository", root.display()))?;
        Ok(Some(Git { repo, root: root.to_owned() }))
    }

    /// Makes a git repository of a folder.
    ///
    /// # Errors
    /// git's files cannot be written.
    pub fn init(root: &Path) -> Result<Git> {
        gix::init(root).failed(|| format!("{}: cannot make a git repository", root.display()))?;
        Git::open(root)?.ok_or_else(|| Error::file(root, "no git repository after making one"))
    }

    /// The operator's own folder inside the git folder.
    #[must_use]
    pub fn own_folder(&self) -> PathBuf {
        self.local().git_dir().join("gen404")
    }

    fn local(&self) -> gix::Repository {
        self.repo.to_thread_local()
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

    /// The commit that is checked out, and its message; `None` before the first one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn head_message(&self) -> Result<Option<(String, String)>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let repo = self.local();
        let commit = repo.find_commit(head).failed(|| self.cannot("read the newest commit"))?;
        Ok(Some((head.to_string(), commit.message_raw_sloppy().to_str_lossy().trim_end().to_owned())))
    }

    /// The files of a commit (its id in hex).
    ///
    /// # Errors
    /// There is no such commit.
    pub fn tree(&self, commit: &str) -> Result<TreeFiles> {
        let what = || self.cannot(&format!("read commit {commit}"));
        let id = ObjectId::from_hex(commit.as_bytes()).failed(what)?;
        let repo = self.local();
        let tree = repo.find_commit(id).failed(what)?.tree_id().failed(what)?.detach();
        let files = self.files_below(&repo, tree)?;
        Ok(TreeFiles { repo: self.repo.clone(), commit: commit.to_owned(), files })
    }

    /// Every file below a tree, by path.
    fn files_below(&self, repo: &gix::Repository, tree: ObjectId) -> Result<BTreeMap<String, ObjectId>> {
        let mut files = BTreeMap::new();
        for (path, _, after) in self.diff(repo, None, tree)? {
            files.extend(after.map(|blob| (path, blob)));
        }
        Ok(files)
    }

    /// The plain files that differ between two trees.
    fn diff(&self, repo: &gix::Repository, old: Option<ObjectId>, new: ObjectId) -> Result<Vec<Differing>> {
        use gix::diff::tree::recorder::Change as C;
        let what = || self.cannot("compare two commits");
        let tree = |id| repo.find_tree(id).map(|tree| tree.detach().data);
        let (old, new) = (old.map(tree).transpose().failed(what)?.unwrap_or_default(), tree(new).failed(what)?);
        let mut recorder = gix::diff::tree::Recorder::default();
        let (old, new) = (
            gix::objs::TreeRefIter::from_bytes(&old, repo.object_hash()),
            gix::objs::TreeRefIter::from_bytes(&new, repo.object_hash()),
        );
        gix::diff::tree(old, new, gix::diff::tree::State::default(), &repo.objects, &mut recorder).failed(what)?;
        let changes = recorder.records.into_iter().filter_map(|change| match change {
            C::Addition { entry_mode, oid, path, .. } if entry_mode.is_blob() => Some((path, None, Some(oid))),
            C::Deletion { entry_mode, oid, path, .. } if entry_mode.is_blob() => Some((path, Some(oid), None)),
            C::Modification { previous_entry_mode: was, previous_oid, entry_mode: is, oid, path } => {
                Some((path, was.is_blob().then_some(previous_oid), is.is_blob().then_some(oid)))
            }
            _ => None,
        });
        Ok(changes.map(|(path, old, new)| (path.to_str_lossy().into_owned(), old, new)).collect())
    }

    /// The history of what is checked out: each commit with the competition's files it changed.
    ///
    /// # Errors
    /// An object is missing or broken.
    pub fn log(&self) -> Result<Log> {
        let repo = self.local();
        let (order, shallow) = match self.head()? {
            Some(head) => self.parents_first(&repo, head)?,
            None => (Vec::new(), false),
        };
        let places: HashMap<ObjectId, usize> = order.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
        let mut commits = Vec::with_capacity(order.len());
        for node in &order {
            let trees = node.parents.iter().filter_map(|parent| Some(order.get(*places.get(parent)?)?.tree));
            commits.push(Commit {
                id: node.id.to_string(),
                summary: node.summary.clone(),
                parent: node.parents.first().and_then(|parent| places.get(parent).copied()),
                changes: self.changes(&repo, &trees.collect::<Vec<_>>(), node.tree)?,
            });
        }
        Ok(Log { commits, shallow })
    }

    /// The competition's files in which a tree differs from all of its parents' trees.
    fn changes(&self, repo: &gix::Repository, parents: &[ObjectId], tree: ObjectId) -> Result<Vec<Change>> {
        let mut diff = self.diff(repo, parents.first().copied(), tree)?;
        for parent in parents.iter().skip(1) {
            let other: HashSet<String> =
                self.diff(repo, Some(*parent), tree)?.into_iter().map(|(path, ..)| path).collect();
            diff.retain(|(path, ..)| other.contains(path));
        }
        diff.sort();
        let text = |blob: Option<ObjectId>| blob.map(|blob| blob.to_string());
        let change = |(path, before, after): (String, _, _)| {
            Some(Change { file: FileKind::of_path(&path)?, before: text(before), after: text(after) })
        };
        Ok(diff.into_iter().filter_map(change).collect())
    }

    /// Every commit that `head` rests on, each after its parents; and whether some are missing.
    fn parents_first(&self, repo: &gix::Repository, head: ObjectId) -> Result<(Vec<Node>, bool)> {
        let what = || self.cannot("read the history");
        let cut: HashSet<ObjectId> = match repo.shallow_commits().failed(what)? {
            Some(commits) => commits.iter().copied().collect(),
            None => HashSet::new(),
        };
        let (mut order, mut seen, mut shallow) = (Vec::new(), HashSet::new(), false);
        let mut stack = vec![(head, None)];
        while let Some((id, ready)) = stack.pop() {
            if let Some(node) = ready {
                order.push(node);
            } else if seen.insert(id) {
                let commit = repo.find_commit(id).failed(what)?;
                let mut node = Node::of(&commit).failed(what)?;
                if cut.contains(&id) {
                    (shallow, node.parents) = (true, Vec::new());
                }
                let parents = node.parents.clone();
                stack.push((id, Some(node)));
                stack.extend(parents.into_iter().rev().map(|parent| (parent, None)));
            }
        }
        Ok((order, shallow))
    }

    /// The newest commit of the history that changed a file, and its time; `None` where there is none, or
    /// the clone is too shallow to tell.
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
        let seconds = self.local().find_commit(id).failed(what)?.time().failed(what)?.seconds;
        let at = DateTime::from_timestamp(seconds, 0);
        Ok(at.map(|at| Pushed { commit: commit.id.clone(), at }))
    }

    /// The contents of a blob (its id in hex).
    ///
    /// # Errors
    /// There is no such blob.
    pub fn blob(&self, id: &BlobId) -> Result<Vec<u8>> {
        read_blob(&self.local(), id)
    }

    /// Opens the repository for one thread that reads many blobs.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(self.local())
    }

    /// The id that these bytes have, or would have, as a blob.
    ///
    /// # Errors
    /// Hashing failed.
    pub fn blob_id(&self, bytes: &[u8]) -> Result<BlobId> {
        let hash = gix::objs::compute_hash(self.local().object_hash(), gix::objs::Kind::Blob, bytes);
        hash.map(|id| id.to_string()).failed(|| self.cannot("hash a file"))
    }

    /// The files that the index knows to be as they are on disk, by size and times, with their blobs.
    /// A file that may have changed since the index was written is left out, as git itself does.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn clean_files(&self) -> Result<HashMap<String, BlobId>> {
        use gix::index::entry::{Stage, Stat, stat::Options};
        let repo = self.local();
        let Some(index) = repo.try_index().failed(|| self.cannot("read the index"))? else {
            return Ok(HashMap::new());
        };
        let precise = Options { use_nsec: true, ..Options::default() };
        let clean = |entry: &gix::index::Entry| {
            let path = entry.path(&index).to_str().ok()?;
            let found = gix::index::fs::Metadata::from_path_no_follow(&self.root.join(path)).ok()?;
            let same = entry.stage() == Stage::Unconflicted
                && !entry.stat.is_racy(index.timestamp(), precise)
                && entry.stat.matches(&Stat::from_fs(&found).ok()?, precise);
            same.then(|| (path.to_owned(), entry.id.to_string()))
        };
        Ok(index.entries().iter().filter_map(clean).collect())
    }
}

/// A path that differs between two trees, with its blob in the old one and in the new one.
type Differing = (String, Option<ObjectId>, Option<ObjectId>);

/// What is needed of a commit to order and compare it.
struct Node {
    id: ObjectId,
    parents: Vec<ObjectId>,
    tree: ObjectId,
    summary: String,
}

impl Node {
    fn of(commit: &gix::Commit<'_>) -> anyhow::Result<Node> {
        Ok(Node {
            id: commit.id,
            parents: commit.parent_ids().map(gix::Id::detach).collect(),
            tree: commit.tree_id()?.detach(),
            summary: commit.message_raw_sloppy().lines().next().unwrap_or_default().to_str_lossy().into_owned(),
        })
    }
}

/// A thread's own view of the repository.
#[derive(Debug)]
pub struct Reader(gix::Repository);

impl Reader {
    /// The contents of a blob (its id in hex).
    ///
    /// # Errors
    /// There is no such blob.
    pub fn blob(&self, id: &BlobId) -> Result<Vec<u8>> {
        read_blob(&self.0, id)
    }
}

fn read_blob(repo: &gix::Repository, id: &str) -> Result<Vec<u8>> {
    let what = || format!("{}: cannot read blob {id}", repo.git_dir().display());
    let id = ObjectId::from_hex(id.as_bytes()).failed(what)?;
    Ok(repo.find_blob(id).failed(what)?.take_data())
}

/// The files of a commit.
#[derive(Debug)]
pub struct TreeFiles {
    repo: gix::ThreadSafeRepository,
    commit: String,
    files: BTreeMap<String, ObjectId>,
}

impl TreeFiles {
    /// The commit's id in hex.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The blob of a file, in hex.
    #[must_use]
    pub fn blob_id(&self, path: &str) -> Option<BlobId> {
        self.files.get(path).map(ToString::to_string)
    }
}

impl Source for TreeFiles {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.files.keys().cloned().collect())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some(id) = self.files.get(path) else { return Ok(None) };
        read_blob(&self.repo.to_thread_local(), &id.to_string()).map(Some)
    }
}
