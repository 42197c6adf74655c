//! Commits of just the files we wrote, and what is left of one whose run was killed in its middle.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::objs::tree::EntryKind;

use super::Git;
use crate::error::{Context as _, Error, Result};
use crate::state::file::FileKind;

/// A git program at work is done with its lock before that.
const AT_WORK: Duration = Duration::from_secs(2);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Git {
    /// Commits just these files, as they are on disk, on top of what is checked out, and brings
    /// the index in line for them. Returns the new commit's id; `None` where nothing differs.
    ///
    /// # Errors
    /// Nobody is configured as author, or git's files cannot be written.
    pub fn commit(&self, files: &[FileKind], message: &str) -> Result<Option<String>> {
        let what = || self.cannot("commit");
        let repo = self.local();
        let head = self.head()?;
        let base = match head {
            Some(head) => repo.find_commit(head).failed(what)?.tree_id().failed(what)?.detach(),
            None => repo.empty_tree().id,
        };
        let mut editor = repo.edit_tree(base).failed(what)?;
        let mut blobs = Vec::new();
        for file in files {
            let path = file.path();
            let bytes = std::fs::read(self.root.join(&path)).failed(what)?;
            let blob = repo.write_blob(bytes).failed(what)?.detach();
            editor.upsert(path.as_str(), EntryKind::Blob, blob).failed(what)?;
            blobs.push((path, blob));
        }
        let tree = editor.write().failed(what)?.detach();
        let index = || self.update_index(&repo, tree, &blobs).failed(|| self.cannot("bring the index in line"));
        if blobs.is_empty() {
            return Ok(None);
        }
        if tree == base {
            // A run that was killed here may have committed, and left the index as it was.
            return index().map(|()| None);
        }
        if repo.author().is_none() || repo.committer().is_none() {
            let nobody = Error::failed(self.cannot("commit: nobody is configured as author"));
            return Err(nobody.hint("git config user.name NAME && git config user.email ADDRESS"));
        }
        let commit = repo.commit("HEAD", message, tree, head).failed(what)?.detach();
        index()?;
        Ok(Some(commit.to_string()))
    }

    /// Makes the index say of these files what the commit says; everything else in it stays.
    fn update_index(&self, repo: &gix::Repository, tree: ObjectId, blobs: &[(String, ObjectId)]) -> anyhow::Result<()> {
        use gix::index::entry::{Flags, Mode, Stage, Stat};
        let path = repo.index_path();
        if !path.exists() {
            let mut index = repo.index_from_tree(&tree)?;
            index.set_path(path);
            index.write(gix::index::write::Options::default())?;
            return Ok(());
        }
        let mut index = repo.open_index()?;
        for (path, blob) in blobs {
            let found = gix::index::fs::Metadata::from_path_no_follow(&self.root.join(path))?;
            let stat = Stat::from_fs(&found)?;
            let name = path.as_bytes().as_bstr();
            if let Some(entry) = index.entry_mut_by_path_and_stage(name, Stage::Unconflicted) {
                (entry.id, entry.stat) = (*blob, stat);
            } else {
                index.dangerously_push_entry(stat, *blob, Flags::empty(), Mode::FILE, name);
                index.sort_entries();
            }
        }
        // The cached trees are those of before.
        index.remove_tree();
        index.write(gix::index::write::Options::default())?;
        Ok(())
    }

    /// Removes the locks of `HEAD`, its branch and the index, where they stay: for callers who hold the
    /// competition's own lock, and know that a run was killed in the middle of a commit.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn clear_locks(&self) -> Result<()> {
        let repo = self.local();
        let branch = repo.head_name().failed(|| self.cannot("read HEAD"))?;
        // A branch whose name is no path cannot be locked here.
        let branch = branch.and_then(|name| Some(repo.common_dir().join(name.as_bstr().to_str().ok()?)));
        let locked = [repo.git_dir().join("HEAD"), repo.index_path()].into_iter().chain(branch);
        locked.map(|path| lock_of(&path)).try_for_each(|lock| clear(&lock))
    }
}

/// git adds `.lock` to the name.
fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn clear(lock: &Path) -> Result<()> {
    let begun = Instant::now();
    while lock.exists() && begun.elapsed() < AT_WORK {
        std::thread::sleep(LOOK_AGAIN);
    }
    match std::fs::remove_file(lock) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file(lock, "cannot remove what a killed run has left").because(e))
        }
        _ => Ok(()),
    }
}
