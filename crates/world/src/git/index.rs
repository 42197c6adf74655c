//! git's index and its lock.
//!
//! As in git itself, the lock is taken before anything is read for a commit, and kept until branch and index
//! agree. A lock of git does not say whose it is. Ours is a hard link of a file in the operator's own folder: a
//! lock that is this very file was left by a killed run of ours; any other one belongs to someone else, who may
//! still be running, and stays.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::index::entry::{Flags, Mode, Stage, Stat};

use super::Git;
use crate::base::error::{Context as _, Error, Result};
use crate::base::files::{self, Readers};
use crate::model::file_path::FilePath;

/// How long someone else's lock is waited for. Most git commands hold it for less.
const PATIENCE: Duration = Duration::from_secs(5);

/// A git that moves a branch releases its lock sooner than this.
const A_MOMENT: Duration = Duration::from_secs(2);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Size limit of a branch's lock: a commit's id.
const LARGEST_ID: u64 = 100;

/// The index's lock, released on drop.
pub(super) struct IndexLock {
    /// The new index.
    file: File,
    own: PathBuf,
    lock: PathBuf,
    index: PathBuf,
    held: bool,
}

impl IndexLock {
    /// Takes the lock; waits a while if someone holds it.
    pub(super) fn take(repo: &gix::Repository, own_folder: &Path) -> Result<IndexLock> {
        let (own, index) = (own_file(own_folder), repo.index_path());
        let lock = lock_of(&index);
        // Always a new file: the old one may have become the index.
        files::write(&own, &[], Readers::All)?;
        let begun = Instant::now();
        let file = loop {
            match claim(&own, &lock) {
                Ok(file) => break file,
                Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                    return Err(Error::file(&lock, "cannot be made").because(e));
                }
                Err(_) if begun.elapsed() > PATIENCE => return Err(held(&lock)),
                Err(_) => std::thread::sleep(LOOK_AGAIN),
            }
        };
        let taken = IndexLock { file, own, lock, index, held: true };
        // The lock becomes the index, so it takes over its permissions.
        if let Ok(old) = fs::metadata(&taken.index) {
            let same = taken.file.set_permissions(old.permissions());
            same.failed(|| format!("{}: cannot be made", taken.lock.display()))?;
        }
        Ok(taken)
    }

    /// Writes the new index.
    pub(super) fn write(&self, index: &gix::index::File) -> Result<()> {
        let what = || format!("{}: cannot write", self.lock.display());
        let mut out = BufWriter::new(&self.file);
        index.write_to(&mut out, gix::index::write::Options::default()).failed(what)?;
        out.flush().failed(what)?;
        drop(out);
        self.file.sync_all().failed(what)
    }

    /// Replaces the index with what was written.
    pub(super) fn publish(mut self) -> Result<()> {
        fs::rename(&self.lock, &self.index).failed(|| format!("{}: cannot be replaced", self.index.display()))?;
        self.held = false;
        Ok(())
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        // A lock that cannot be removed now is removed by the next run.
        if self.held {
            let _ = fs::remove_file(&self.lock);
        }
        let _ = fs::remove_file(&self.own);
    }
}

/// Creates the lock, if there is none. On a disk without hard links it is not recognizable as ours.
fn claim(own: &Path, lock: &Path) -> std::io::Result<File> {
    // Like git's own exclusive creation, a hard link fails if the name is taken.
    match fs::hard_link(own, lock) {
        Ok(()) => File::options().write(true).open(lock),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
        Err(_) => File::create_new(lock),
    }
}

fn own_file(own_folder: &Path) -> PathBuf {
    own_folder.join("index")
}

/// git's lock of a file: its name with `.lock` appended.
fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn held(lock: &Path) -> Error {
    let held = Error::file(lock, "another git program is at work here, or was killed");
    held.hint(format!("run it again once that one is done; if no git is running any more: rm {}", lock.display()))
}

/// Is the lock released within this time?
fn goes(lock: &Path, within: Duration) -> bool {
    let begun = Instant::now();
    while lock.exists() && begun.elapsed() < within {
        std::thread::sleep(LOOK_AGAIN);
    }
    !lock.exists()
}

#[cfg(unix)]
fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let of = |path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    of(one).is_some_and(|one| of(other) == Some(one))
}

#[cfg(not(unix))]
fn same_file(_one: &Path, _other: &Path) -> bool {
    false
}

impl Git {
    /// Waits until no process holds the index's lock.
    pub(super) fn wait_for_index(&self) -> Result<()> {
        let lock = lock_of(&self.local().index_path());
        if goes(&lock, PATIENCE) { Ok(()) } else { Err(held(&lock)) }
    }

    /// Checks that no lock of another git stays on the index, on `HEAD`, or on the branch here or as last fetched. What
    /// a killed run of ours left is removed by the next one.
    ///
    /// # Errors
    /// There are such locks, which stop every run that commits.
    pub fn require_unlocked(&self) -> Result<()> {
        let repo = self.local();
        let index = repo.index_path();
        if same_file(&own_file(&self.own_folder()), &lock_of(&index)) {
            return Ok(());
        }
        let branch = repo.head_name().failed(|| self.cannot("read HEAD"))?;
        let fetch = gix::remote::Direction::Fetch;
        let fetched = branch.as_ref().and_then(|name| repo.branch_remote_tracking_ref_name(name.as_ref(), fetch));
        let fetched = fetched.and_then(std::result::Result::ok);
        let of_name = |name: gix::refs::FullName| Some(repo.common_dir().join(name.as_bstr().to_str().ok()?));
        let refs = branch.into_iter().chain(fetched).filter_map(of_name);
        let places =
            [index, repo.git_dir().join("HEAD"), repo.common_dir().join("packed-refs")].into_iter().chain(refs);
        let left: Vec<PathBuf> = places.map(|place| lock_of(&place)).filter(|lock| !goes(lock, A_MOMENT)).collect();
        let Some(first) = left.first() else { return Ok(()) };
        let shown: Vec<String> = left.iter().map(|lock| lock.display().to_string()).collect();
        let held = Error::file(first, "another git program is at work here, or was killed: no run can commit");
        Err(held.hint(format!("if no git is running any more: rm {}", shown.join(" "))))
    }

    /// Removes the locks that a killed run of ours left, and no others: for callers who hold the competition's
    /// own lock.
    pub(super) fn clear_own_locks(&self) -> Result<()> {
        let repo = self.local();
        let (own, lock) = (own_file(&self.own_folder()), lock_of(&repo.index_path()));
        if same_file(&own, &lock) {
            self.clear_ref_locks(&repo)?;
            remove(&lock)?;
        }
        // With someone else's lock present, our file stays: it is what tells the two apart.
        if lock.exists() { Ok(()) } else { remove(&own) }
    }

    /// For a run that is known to have been killed in the middle of a commit: removes the locks of its branch
    /// and of `HEAD`. The branch's lock says which commit it was to move to.
    fn clear_ref_locks(&self, repo: &gix::Repository) -> Result<()> {
        let branch = repo.head_name().failed(|| self.cannot("read HEAD"))?;
        // A branch whose name is not a valid path cannot be locked here.
        let branch = branch.and_then(|name| Some(repo.common_dir().join(name.as_bstr().to_str().ok()?)));
        let noted = self.noted()?;
        for lock in branch.into_iter().chain([repo.git_dir().join("HEAD")]).map(|path| lock_of(&path)) {
            let Some(text) = files::read_text(&lock, LARGEST_ID)? else { continue };
            match text.trim() {
                // It may have just been made by another git.
                "" if goes(&lock, A_MOMENT) => {}
                id if id.is_empty() || noted.iter().any(|commit| commit == id) => remove(&lock)?,
                _ => return Err(held(&lock)),
            }
        }
        Ok(())
    }

    /// Can a commit be made with this index, and are all files of the competition checked out?
    pub(super) fn look_at_index(&self, index: &gix::index::File) -> Result<()> {
        if let Some(entry) = index.entries().iter().find(|entry| entry.stage() != Stage::Unconflicted) {
            let path = entry.path(index).to_str_lossy();
            let unmerged = Error::failed(self.cannot(&format!("commit: {path} has unresolved conflicts")));
            return Err(unmerged.hint("`git status` says how"));
        }
        let left_out = |entry: &&gix::index::Entry| {
            let path = entry.path(index).to_str().ok();
            let ours = path.filter(|path| FilePath::of(path).is_some());
            entry.flags.contains(Flags::SKIP_WORKTREE) && ours.is_some_and(|path| !self.root.join(path).exists())
        };
        if index.is_sparse() || index.entries().iter().any(|entry| left_out(&entry)) {
            let sparse = Error::failed(self.cannot("commit: a part of the competition is not checked out"));
            return Err(sparse.hint("git sparse-checkout disable"));
        }
        Ok(())
    }

    /// Sets these files' entries in the index to those of the commit; all others stay.
    pub(super) fn bring_in_line(&self, index: &mut gix::index::File, blobs: &[(String, ObjectId)]) -> Result<()> {
        for (path, blob) in blobs {
            let what = || format!("{}: cannot be inspected", self.root.join(path).display());
            let found = gix::index::fs::Metadata::from_path_no_follow(&self.root.join(path)).failed(what)?;
            let stat = Stat::from_fs(&found).failed(what)?;
            let name = path.as_bytes().as_bstr();
            if let Some(entry) = index.entry_mut_by_path_and_stage(name, Stage::Unconflicted) {
                (entry.id, entry.stat, entry.mode) = (*blob, stat, Mode::FILE);
                // The file is on disk now, in full.
                entry.flags.remove(Flags::SKIP_WORKTREE | Flags::INTENT_TO_ADD);
            } else {
                index.dangerously_push_entry(stat, *blob, Flags::empty(), Mode::FILE, name);
                index.sort_entries();
            }
        }
        // The cached trees are outdated.
        index.remove_tree();
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(Error::file(path, "cannot remove what a killed run left").because(e))
        }
        _ => Ok(()),
    }
}
