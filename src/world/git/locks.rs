//! What a run that was killed in a commit leaves of git's own locks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::bstr::ByteSlice as _;

use super::Git;
use crate::error::{Context as _, Error, Result};

/// A git program at work is done with its lock before that.
const AT_WORK: Duration = Duration::from_secs(2);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Git {
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
