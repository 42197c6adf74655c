//! Where a checkout came from, and when its commits were made.

use gix::ObjectId;

use super::Git;
use super::upstream::first_url;
use crate::base::error::{Context as _, Result};

impl Git {
    /// The URL of the remote that the checked-out branch follows, or else of `origin`; `None` if there is none. It may
    /// contain credentials.
    #[must_use]
    pub fn remote_url(&self) -> Option<String> {
        let repo = self.local();
        let config = repo.config_snapshot();
        let branch = repo.head_name().ok().flatten();
        let followed = branch.and_then(|name| config.string(format!("branch.{}.remote", name.shorten()).as_str()));
        let url = |name: &str| first_url(&config, name);
        followed.and_then(|name| url(&name.to_string())).or_else(|| url("origin"))
    }

    /// When a commit (its id in hex) was made, in seconds.
    ///
    /// # Errors
    /// There is no such commit.
    pub fn seconds(&self, commit: &str) -> Result<i64> {
        let id = ObjectId::from_hex(commit.as_bytes()).failed(|| self.cannot(&format!("read commit {commit}")))?;
        Ok(self.reader().commit(id)?.seconds)
    }
}
