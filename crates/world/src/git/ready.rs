//! The conditions for a commit. They are checked before the work, which may take hours, and again after it.

use gix::state::InProgress;

use super::Git;
use crate::base::error::{Context as _, Error, Result};
use crate::stop::Stop;

/// git's hooks around a commit.
const HOOKS: [&str; 5] = ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction"];

/// What a commit needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// A branch, and an index that can be written.
    Checkout,
    /// A name and an address.
    Author,
    /// A signature, if the settings ask for one.
    Signing,
}

impl Git {
    /// Checks that this checkout is the user's own, so that git follows its settings, and that its files are in
    /// its folder.
    ///
    /// # Errors
    /// It is not, or they are not.
    pub fn is_the_users(&self) -> Result<()> {
        let repo = self.writer()?;
        let root = self.root.canonicalize().failed(|| self.cannot("find this folder"))?;
        if repo.git_dir_trust() != gix::sec::Trust::Full {
            let dubious = Error::failed(self.cannot("commit: the checkout belongs to another user"));
            let safe = format!("run it as that user, or: git config --global --add safe.directory {}", root.display());
            return Err(dubious.hint(safe));
        }
        let Some(files) = repo.workdir() else {
            return Err(Error::failed(self.cannot("commit: the repository is bare")));
        };
        if files.canonicalize().ok().as_ref() != Some(&root) {
            let elsewhere = format!("commit: core.worktree says that its files are in {}", files.display());
            return Err(Error::failed(self.cannot(&elsewhere)).hint("git config --unset core.worktree"));
        }
        Ok(())
    }

    /// Removes what a killed run of ours left in the way, and checks that commits can be made. For callers who
    /// hold the competition's own lock.
    ///
    /// # Errors
    /// Why no commit can be made.
    pub fn make_ready(&self) -> Result<()> {
        self.clear_own_locks()?;
        self.could_commit()?;
        self.wait_for_index()
    }

    /// Checks that commits could be made, apart from locks that others hold right now. Changes nothing.
    ///
    /// # Errors
    /// Why no commit could be made.
    pub fn could_commit(&self) -> Result<()> {
        let repo = self.writer()?;
        self.on_a_branch(&repo)?;
        self.has_author(&repo)?;
        if repo.index_path().exists() {
            self.look_at_index(&repo.open_index().failed(|| self.cannot("read the index"))?)?;
        }
        self.can_sign(&repo)
    }

    /// One condition of a commit by itself: what is found, or why it does not hold. For the user's own checkout alone:
    /// what another's configuration names is not run. Changes nothing.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn condition(&self, condition: Condition) -> Result<String> {
        let repo = self.writer()?;
        match condition {
            Condition::Checkout => {
                self.on_a_branch(&repo)?;
                if repo.index_path().exists() {
                    self.look_at_index(&repo.open_index().failed(|| self.cannot("read the index"))?)?;
                }
                let name = repo.head_name().failed(|| self.cannot("read HEAD"))?;
                Ok(name.map_or("a branch".to_owned(), |name| format!("branch {}", name.shorten())))
            }
            Condition::Author => {
                self.has_author(&repo)?;
                let who = repo.author().transpose().failed(|| self.cannot("read who commits"))?;
                Ok(who.map(|who| format!("{} <{}>", who.name, who.email)).unwrap_or_default())
            }
            Condition::Signing => {
                let signs = self.signs(&repo)?;
                self.try_to_sign(&repo, &Stop::of_process())?;
                let said =
                    if signs { "a trial commit was signed" } else { "commits are not signed: commit.gpgsign is off" };
                Ok(said.to_owned())
            }
        }
    }

    /// Checks that a branch is checked out and no operation is half done.
    pub(super) fn on_a_branch(&self, repo: &gix::Repository) -> Result<()> {
        let going_on = match repo.state() {
            // A bisection leaves no branch checked out: that is reported below.
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
                let unset = Error::failed(self.cannot(&format!("commit: no {role} is configured")));
                return Err(unset.hint("git config user.name NAME && git config user.email ADDRESS"));
            }
        }
        Ok(())
    }

    /// The hooks that git would run around a commit, but we do not.
    ///
    /// # Errors
    /// The configured hooks folder is not valid.
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

/// Would git run this file?
fn runs(hook: &std::path::Path) -> bool {
    let Ok(found) = std::fs::metadata(hook) else { return false };
    #[cfg(unix)]
    let may_run = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may_run = true;
    found.is_file() && may_run
}
