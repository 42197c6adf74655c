//! What has to be so for a commit. It is looked at before the work, which may take hours, as well as after.

use gix::state::InProgress;

use super::Git;
use crate::base::error::{Context as _, Error, Result};

/// git's hooks around a commit.
const HOOKS: [&str; 5] = ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction"];

impl Git {
    /// Is this a checkout of the user's, whose settings git follows, and are its files those in its folder?
    ///
    /// # Errors
    /// It is not.
    pub fn is_the_users(&self) -> Result<()> {
        let repo = self.writer()?;
        let root = self.root.canonicalize().failed(|| self.cannot("find this folder"))?;
        if repo.git_dir_trust() != gix::sec::Trust::Full {
            let dubious = Error::failed(self.cannot("commit: the checkout belongs to another user"));
            let safe = format!("run it as that user, or: git config --global --add safe.directory {}", root.display());
            return Err(dubious.hint(safe));
        }
        let Some(files) = repo.workdir() else {
            return Err(Error::failed(self.cannot("commit: the repository is a bare one")));
        };
        if files.canonicalize().ok().as_ref() != Some(&root) {
            let elsewhere = format!("commit: core.worktree says that its files are in {}", files.display());
            return Err(Error::failed(self.cannot(&elsewhere)).hint("git config --unset core.worktree"));
        }
        Ok(())
    }

    /// Takes away what a killed run of ours has left in the way, and makes sure that commits can be made. For
    /// callers who hold the competition's own lock.
    ///
    /// # Errors
    /// They cannot be made, and why.
    pub fn make_ready(&self) -> Result<()> {
        self.clear_own_locks()?;
        self.could_commit()?;
        self.wait_for_index()
    }

    /// Could commits be made, but for locks that others hold just now? Looks, and changes nothing.
    ///
    /// # Errors
    /// They could not, and why.
    pub fn could_commit(&self) -> Result<()> {
        let repo = self.writer()?;
        self.on_a_branch(&repo)?;
        self.has_author(&repo)?;
        if repo.index_path().exists() {
            self.look_at_index(&repo.open_index().failed(|| self.cannot("read the index"))?)?;
        }
        self.can_sign(&repo)
    }

    /// Is a branch checked out, with nothing half done on it?
    pub(super) fn on_a_branch(&self, repo: &gix::Repository) -> Result<()> {
        let going_on = match repo.state() {
            // A bisection that has begun leaves no branch.
            None | Some(InProgress::Bisect) => None,
            Some(InProgress::Merge) => Some("merge"),
            Some(InProgress::CherryPick | InProgress::CherryPickSequence) => Some("cherry-pick"),
            Some(InProgress::Revert | InProgress::RevertSequence) => Some("revert"),
            Some(InProgress::ApplyMailbox) => Some("am"),
            Some(InProgress::Rebase | InProgress::RebaseInteractive | InProgress::ApplyMailboxRebase) => Some("rebase"),
        };
        if let Some(command) = going_on {
            let middle = Error::failed(self.cannot(&format!("commit in the middle of a git {command}")));
            return Err(middle.hint(format!("finish it, or `git {command} --abort`")));
        }
        if repo.head().failed(|| self.cannot("read HEAD"))?.is_detached() {
            let detached = Error::failed(self.cannot("commit: no branch is checked out"));
            return Err(detached.hint("git switch BRANCH"));
        }
        Ok(())
    }

    fn has_author(&self, repo: &gix::Repository) -> Result<()> {
        for (role, who) in [("author", repo.author()), ("committer", repo.committer())] {
            let who = who.transpose().failed(|| self.cannot("read who commits"))?;
            if who.is_none_or(|who| who.name.trim_ascii().is_empty() || who.email.trim_ascii().is_empty()) {
                let nobody = Error::failed(self.cannot(&format!("commit: nobody is configured as {role}")));
                return Err(nobody.hint("git config user.name NAME && git config user.email ADDRESS"));
            }
        }
        Ok(())
    }

    /// The hooks that git would run around a commit, and we do not.
    ///
    /// # Errors
    /// The settings name no folder of hooks that can be.
    pub fn hooks(&self) -> Result<Vec<&'static str>> {
        let repo = self.writer()?;
        let set = repo.config_snapshot().trusted_path("core.hooksPath");
        let folder = match set.failed(|| self.cannot("read core.hooksPath"))? {
            Some(folder) => self.root.join(folder),
            None => repo.common_dir().join("hooks"),
        };
        Ok(HOOKS.into_iter().filter(|name| runs(&folder.join(name))).collect())
    }
}

/// Would git run this?
fn runs(hook: &std::path::Path) -> bool {
    let Ok(found) = std::fs::metadata(hook) else { return false };
    #[cfg(unix)]
    let may_run = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may_run = true;
    found.is_file() && may_run
}
