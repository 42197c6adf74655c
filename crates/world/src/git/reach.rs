//! Would a push succeed? Asked without pushing, and without fetching anything.

use gix::ObjectId;

use super::Git;
use super::remote::{Collision, Remote};
use crate::base::error::{Error, Result};
use crate::base::text::counted;

/// What is known of the remote branch.
#[derive(Debug)]
pub struct Reach {
    /// The remote, and what a push would do.
    pub said: String,
    /// Commits that are only here and were made by hand: they stop a push.
    pub foreign: Option<Error>,
}

impl Remote<'_> {
    /// Asks the remote for its branch, and whether it would take a push of ours.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub fn reach(&self) -> Result<Reach> {
        let (there, here) = (self.tip()?, self.git.head()?);
        let push = self.try_push(here)?;
        let name = self.shown();
        let known = there.is_none_or(|there| self.has(there));
        // `theirs`: does the remote have commits that are not here?
        let (said, ours, theirs) = match (there, here) {
            (None, _) => ("the branch does not exist there yet".to_owned(), self.between(None, here)?, false),
            (Some(there), Some(here)) if there == here => {
                ("the same commits here and there".to_owned(), Vec::new(), false)
            }
            _ if !known => ("it has commits that are not here: --push takes them over".to_owned(), Vec::new(), true),
            _ => {
                let base = self.base(here, there)?;
                let (ours, theirs) = (self.between(base, here)?, self.between(base, there)?.len());
                let count = |count: usize, place| {
                    counted(count, &format!("commit is only {place}"), &format!("commits are only {place}"))
                };
                (format!("{}, {}", count(ours.len(), "here"), count(theirs, "there")), ours, theirs > 0)
            }
        };
        let foreign = self.foreign(&ours)?.map(|error| error.hint("`git push` publishes it; --push stops at it"));
        match push {
            // Every writer meets a refusal for commits that it does not have yet; any other is final.
            Some(why) if !theirs => Err(self.outside("push", &why).hint("may this user push to it?")),
            _ => Ok(Reach { said: format!("{name}: reached, pushes are taken; {said}"), foreign }),
        }
    }
}

impl Git {
    /// Would a push of the checked-out branch succeed?
    ///
    /// # Errors
    /// It tracks no remote branch, or the remote cannot be reached, or refuses.
    pub fn reach(&self) -> Result<Reach> {
        const NONE: Collision = |_, _| None;
        Remote::of(self, NONE)?.reach()
    }
}

impl Remote<'_> {
    /// The tip of the remote branch as the remote says; `None` if it does not exist.
    fn tip(&self) -> Result<Option<ObjectId>> {
        let run = self.run(&["ls-remote", "--quiet", "--exit-code", &self.name, &self.branch])?;
        match run.status.code() {
            Some(0) => {
                let text = String::from_utf8_lossy(&run.stdout);
                let id = text.split_whitespace().next().and_then(|id| ObjectId::from_hex(id.as_bytes()).ok());
                id.map(Some).ok_or_else(|| self.outside("read its branches", "its answer makes no sense"))
            }
            Some(2) => Ok(None),
            _ => Err(self.outside("reach it", &self.said(&run)).hint("`git ls-remote` shows what git says")),
        }
    }

    /// Does a push go through, as far as git tells without doing it? Returns git's message if it does not.
    fn try_push(&self, tip: Option<ObjectId>) -> Result<Option<String>> {
        let Some(tip) = tip else { return Ok(None) };
        let to = format!("{tip}:{}", self.branch);
        let run = self.run(&["push", "--dry-run", "--quiet", "--no-verify", "--no-follow-tags", &self.name, &to])?;
        Ok(if run.status.success() { None } else { Some(self.said(&run)) })
    }

    fn has(&self, id: ObjectId) -> bool {
        self.run(&["cat-file", "-e", &format!("{id}^{{commit}}")]).is_ok_and(|run| run.status.success())
    }
}
