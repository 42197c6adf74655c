//! Commit objects. If the user's settings ask for signatures, the git program makes them: it supports every
//! kind of key.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gix::ObjectId;

use super::Git;
use super::remote::said;
use crate::base::error::{Context as _, Error, Result};

impl Git {
    /// Makes a commit object without moving a branch.
    pub(super) fn object(
        &self,
        repo: &gix::Repository,
        message: &str,
        tree: ObjectId,
        parent: Option<ObjectId>,
    ) -> Result<ObjectId> {
        if self.signs(repo)? {
            return self.signed(message, tree, parent, None);
        }
        let made = repo.new_commit(message, tree, parent);
        Ok(made.failed(|| self.cannot("commit"))?.id)
    }

    /// Are commits to be signed?
    pub(super) fn signs(&self, repo: &gix::Repository) -> Result<bool> {
        let asked = repo.config_snapshot().try_boolean("commit.gpgsign");
        Ok(asked.failed(|| self.cannot("read commit.gpgsign"))?.unwrap_or(false))
    }

    /// Checks that commits can be signed, if they are to be: signs a trial commit that is not kept.
    pub(super) fn can_sign(&self, repo: &gix::Repository) -> Result<()> {
        if !self.signs(repo)? {
            return Ok(());
        }
        let aside = tempfile::tempdir().failed(|| self.cannot("make a folder for a trial"))?;
        self.signed("May commits be signed?", repo.empty_tree().id, None, Some(aside.path())).map(|_| ())
    }

    fn signed(
        &self,
        message: &str,
        tree: ObjectId,
        parent: Option<ObjectId>,
        objects: Option<&Path>,
    ) -> Result<ObjectId> {
        let what = || self.cannot("sign a commit, as commit.gpgsign asks for");
        let mut command = self.program();
        command.args(["commit-tree", "--gpg-sign", &tree.to_string()]);
        if let Some(parent) = parent {
            command.arg("-p").arg(parent.to_string());
        }
        if let Some(objects) = objects {
            command.env("GIT_OBJECT_DIRECTORY", objects);
        }
        let run = with_input(&mut command, message.as_bytes()).failed(what)?;
        if run.status.success() {
            return ObjectId::from_hex(run.stdout.trim_ascii()).failed(what);
        }
        let refused = Error::failed(format!("{}: {}", what(), said(&run)));
        Err(refused.hint("fix user.signingkey, gpg.format or the agent; or `git config commit.gpgsign false`"))
    }

    /// The git program, run on this checkout.
    pub(super) fn program(&self) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.root);
        // Applies to this checkout even when we run inside a hook of another one, and never prompts.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }
}

fn with_input(command: &mut Command, input: &[u8]) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // A program that ends without reading its input says why in its output. Dropping stdin closes the pipe.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let run = child.wait_with_output()?;
    if run.status.success() { written.map(|()| run) } else { Ok(run) }
}
