//! Commit objects. If the user's settings ask for signatures, the git program makes them: it supports every
//! kind of key.

use std::io::{self, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gix::ObjectId;

use super::Git;
use super::remote::said;
use crate::base::error::{Context as _, Error, Result};
use crate::stop::Stop;

/// How often a running program is checked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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
            return self.signed(message, tree, parent);
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
        self.trial(repo, heard)
    }

    /// As [`Git::can_sign`], but a stop ends the signing program and all that it has started. It cannot ask for a
    /// passphrase on the terminal.
    pub(super) fn try_to_sign(&self, repo: &gix::Repository, stop: &Stop) -> Result<()> {
        if !self.signs(repo)? {
            return Ok(());
        }
        self.trial(repo, |command, input| heard_until(command, input, stop))
    }

    fn trial(&self, repo: &gix::Repository, run: impl FnOnce(&mut Command, &[u8]) -> io::Result<Output>) -> Result<()> {
        let aside = tempfile::tempdir().failed(|| self.cannot("make a folder for a trial"))?;
        let mut command = self.signing(repo.empty_tree().id, None);
        command.env("GIT_OBJECT_DIRECTORY", aside.path());
        self.made(run(&mut command, b"May commits be signed?")).map(drop)
    }

    fn signed(&self, message: &str, tree: ObjectId, parent: Option<ObjectId>) -> Result<ObjectId> {
        self.made(heard(&mut self.signing(tree, parent), message.as_bytes()))
    }

    fn signing(&self, tree: ObjectId, parent: Option<ObjectId>) -> Command {
        let mut command = self.program();
        command.args(["commit-tree", "--gpg-sign", &tree.to_string()]);
        if let Some(parent) = parent {
            command.arg("-p").arg(parent.to_string());
        }
        command
    }

    fn made(&self, run: io::Result<Output>) -> Result<ObjectId> {
        let what = || self.cannot("sign a commit, as commit.gpgsign asks for");
        let run = run.failed(what)?;
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

/// Runs a program on this input.
fn heard(command: &mut Command, input: &[u8]) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn()?, input)
}

fn ended(mut child: Child, input: &[u8]) -> io::Result<Output> {
    // A program that ends without reading its input says why in its output. Dropping stdin closes the pipe.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let run = child.wait_with_output()?;
    if run.status.success() { written.map(|()| run) } else { Ok(run) }
}

/// As [`heard`]; a stop kills the program and what it has started, which would keep its pipes open.
fn heard_until(command: &mut Command, input: &[u8], stop: &Stop) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let child = command.spawn()?;
    let (group, over) = (child.id(), AtomicBool::new(false));
    let watch = || {
        while !over.load(Ordering::SeqCst) {
            if stop.is_wanted() {
                return kill_group(group);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(watch);
        let run = ended(child, input);
        over.store(true, Ordering::SeqCst);
        run
    })
}

/// By the shell, which every system has: the standard library cannot.
fn kill_group(group: u32) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s KILL -- \"-$0\"", &group.to_string()]);
    // It may have ended by itself.
    drop(kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_program_that_hangs_ends_with_what_it_has_started() {
        let (stop, begun) = (Stop::default(), Instant::now());
        let asks = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            asks.ask();
        });
        // The one in the background would keep the pipes open.
        let run = heard_until(Command::new("sh").args(["-c", "sleep 30 & sleep 30"]), b"in", &stop).unwrap();
        assert!(!run.status.success() && begun.elapsed() < Duration::from_secs(10));
        let heard = heard_until(&mut Command::new("cat"), b"in", &Stop::default()).unwrap();
        assert_eq!(heard.stdout, b"in");
    }
}
