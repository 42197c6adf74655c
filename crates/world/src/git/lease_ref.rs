//! A small ref on the remote, changed by compare-and-swap: the server updates it only if it is as we saw it.

use gix::ObjectId;
use gix::objs::Kind;

use super::Git;
use super::remote::Remote;
use crate::base::error::{Context as _, Error, Result};

/// The ref. Clones do not fetch it, and it is of no branch.
pub const REF: &str = "refs/gen404/lease";

/// How often a ref that changes while it is read is read again.
const MOST_READS: usize = 5;

/// A ref as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenRef {
    /// Its object; `None` if it does not exist.
    id: Option<ObjectId>,
    /// The bytes that it names.
    pub bytes: Option<Vec<u8>>,
}

impl Remote<'_> {
    /// The ref's contents, of at most `most` bytes.
    ///
    /// # Errors
    /// The remote cannot be reached, or the ref does not name such a file.
    pub fn read_ref(&self, most: u64) -> Result<SeenRef> {
        let mut missing = None;
        for _ in 0..MOST_READS {
            let Some(id) = self.ref_id()? else { return Ok(SeenRef::default()) };
            // Opened anew: what was fetched may be in a pack that was not there before.
            let git = Git::open(self.git.root())?.ok_or_else(|| Error::failed(self.git.cannot("open it")))?;
            match git.reader().object(id, Kind::Blob, most) {
                Ok(bytes) => return Ok(SeenRef { id: Some(id), bytes: Some(bytes) }),
                // Not here yet, or it has changed since the last look.
                Err(error) => missing = Some(error),
            }
            // `FETCH_HEAD` stays as it is: another thread may be about to read it.
            let run = self.run(&["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &self.name, REF])?;
            if !run.status.success() && self.ref_id()?.is_some() {
                return Err(self.outside("fetch", &self.said(&run)));
            }
        }
        let unreadable = Error::failed(format!("{}: {REF} cannot be read", self.shown()));
        let unreadable = unreadable.hint("`gen404 lease --release` removes it");
        Err(missing.into_iter().fold(unreadable, Error::because))
    }

    fn ref_id(&self) -> Result<Option<ObjectId>> {
        let run = self.run(&["ls-remote", "--quiet", &self.name, REF])?;
        if !run.status.success() {
            return Err(self.outside("list its refs", &self.said(&run)));
        }
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        // Longer names that end in the same way are listed, too.
        let line = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == REF);
        let id = line.map(|(id, _)| ObjectId::from_hex(id.as_bytes()));
        id.transpose().failed(|| format!("{}: {REF} has no id", self.shown()))
    }

    /// Replaces the ref's contents, or removes the ref, provided that it is still as seen. Returns git's message if
    /// the remote refused.
    ///
    /// # Errors
    /// The git program cannot be run, or the object cannot be written.
    pub fn swap_ref(&self, seen: &SeenRef, bytes: Option<&[u8]>) -> Result<Option<String>> {
        let new = match bytes {
            None => String::new(),
            Some(bytes) => {
                let repo = self.git.writer()?;
                let written = repo.write_blob(bytes).failed(|| self.git.cannot("write a lease"))?.detach();
                written.to_string()
            }
        };
        if new.is_empty() && seen.id.is_none() {
            return Ok(None);
        }
        self.push_ref(&format!("{REF}:{}", seen.id.map(|id| id.to_string()).unwrap_or_default()), &new)
    }

    /// Removes the ref, whatever it names.
    ///
    /// # Errors
    /// The remote cannot be reached, or refuses.
    pub fn remove_ref(&self) -> Result<()> {
        let Some(id) = self.ref_id()? else { return Ok(()) };
        match self.push_ref(&format!("{REF}:{id}"), "")? {
            None => Ok(()),
            Some(why) => Err(self.outside("push", &why)),
        }
    }

    fn push_ref(&self, expected: &str, new: &str) -> Result<Option<String>> {
        // As for every push, hooks of this checkout may run: `--push` is for checkouts of one's own.
        let lease = format!("--force-with-lease={expected}");
        let run = self.run(&["push", "--quiet", "--no-follow-tags", &lease, &self.name, &format!("{new}:{REF}")])?;
        Ok(if run.status.success() { None } else { Some(self.said(&run)) })
    }
}
