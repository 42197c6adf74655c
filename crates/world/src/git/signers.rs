//! Commits' signatures, checked by the git program against a list of allowed signers.
//!
//! The checkout is somebody else's, and its configuration could name programs for git to run. So git sees nothing of
//! it: each run gets a repository of its own that holds the commits to check, written from what was read with the usual
//! limits, and no configuration but ours.

use std::path::Path;
use std::process::Command;

use gix::ObjectId;
use gix::objs::Write as _;
use rayon::prelude::*;

use super::{Git, GitReader, objects};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files::{self, Readers};
use crate::child;
use crate::model::signing::{Signature, SignedCommit, Signers};
use crate::stop::{STOPPED, Stop};

/// Commits that one run of git checks. Each costs two runs of `ssh-keygen`, so this is work for seconds.
const AT_ONCE: usize = 128;

const NOT_SSH: &str = "its signature is not an SSH one";

impl Git {
    /// Every commit of the history of what is checked out, parents first, with its signature; and whether the first ones
    /// are missing.
    ///
    /// # Errors
    /// The history cannot be read, or git or `ssh-keygen` cannot be run.
    pub fn signed_commits(&self, signers: &Signers, stop: &Stop) -> Result<(Vec<SignedCommit>, bool)> {
        let Some(head) = self.head()? else { return Ok((Vec::new(), false)) };
        let (order, shallow) = self.parents_first(&self.reader(), head)?;
        self.objects.allow(order.len());
        let places: std::collections::HashMap<ObjectId, usize> =
            order.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
        let read = |reader: &mut GitReader, node: &super::log::LogNode| -> Result<(SignedCommit, bool)> {
            let bytes = reader.object(node.id, gix::objs::Kind::Commit, objects::LARGEST_COMMIT)?;
            let (signature, ask) = match signed_by(&bytes) {
                None => (Signature::Missing, false),
                Some(kind) if kind.starts_with("-----BEGIN SSH SIGNATURE") => (Signature::Missing, true),
                Some(_) => (Signature::Refused(NOT_SSH), false),
            };
            let parents = node.parents.iter().filter_map(|parent| places.get(parent).copied()).collect();
            let (id, summary, seconds) = (node.id.to_string(), node.summary.clone(), node.seconds);
            Ok((SignedCommit { id, summary, parents, seconds, signature }, ask))
        };
        let commits: Vec<_> = order.par_iter().map_init(|| self.reader(), read).collect::<Result<_>>()?;
        let asked: Vec<ObjectId> =
            order.iter().zip(&commits).filter(|(_, (_, ask))| *ask).map(|(node, _)| node.id).collect();
        let mut commits: Vec<SignedCommit> = commits.into_iter().map(|(commit, _)| commit).collect();
        if !asked.is_empty() {
            there_is("ssh-keygen", stop)?;
        }
        let answers: Vec<Vec<(ObjectId, Signature)>> =
            asked.par_chunks(AT_ONCE).map(|some| self.ask(some, signers, stop)).collect::<Result<_>>()?;
        for (id, signature) in answers.into_iter().flatten() {
            if let Some(commit) = places.get(&id).and_then(|at| commits.get_mut(*at)) {
                commit.signature = signature;
            }
        }
        Ok((commits, shallow))
    }

    /// What git says of these commits' signatures.
    fn ask(&self, commits: &[ObjectId], signers: &Signers, stop: &Stop) -> Result<Vec<(ObjectId, Signature)>> {
        let what = || self.cannot("have git check signatures");
        let aside = tempfile::tempdir().failed(what)?;
        self.only_these(commits, signers, aside.path())?;
        let mut command = isolated(aside.path(), signers.revoked.is_some());
        command.args(["log", "--no-walk=unsorted", "-z", "--no-color", "--no-notes", "--no-mailmap"]);
        command.arg("--format=%H %G? %GS").args(commits.iter().map(ToString::to_string));
        let run = child::output(&mut command, stop).map_err(|e| cannot_run("git", &e))?;
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr);
            return Err(Error::failed(format!("{}: {}", what(), crate::base::text::line(said.trim()))));
        }
        let text = String::from_utf8_lossy(&run.stdout);
        let told: Vec<_> = text.split('\0').filter(|record| !record.is_empty()).filter_map(answer).collect();
        if told.len() != commits.len() {
            return Err(Error::failed(what()).hint("git 2.34 or newer is needed"));
        }
        Ok(told)
    }

    /// Makes a repository that holds these commits, and the lists of keys.
    fn only_these(&self, commits: &[ObjectId], signers: &Signers, aside: &Path) -> Result<()> {
        let put = |name: &str, bytes: &[u8]| files::write(&aside.join(name), bytes, Readers::Own);
        put("HEAD", b"ref: refs/heads/none\n")?;
        put("config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
        put("signers", &signers.bytes)?;
        if let Some(revoked) = &signers.revoked {
            put("revoked", revoked)?;
        }
        files::make_folder(&aside.join("refs"))?;
        files::make_folder(&aside.join("objects"))?;
        let (reader, store) = (self.reader(), gix::odb::loose::Store::at(aside.join("objects"), gix::hash::Kind::Sha1));
        for id in commits {
            let bytes = reader.object(*id, gix::objs::Kind::Commit, objects::LARGEST_COMMIT)?;
            let written = store.write_buf(gix::objs::Kind::Commit, &bytes);
            let same = written.map_err(anyhow::Error::from).failed(|| self.cannot("copy a commit"))? == *id;
            if !same {
                return Err(Error::failed(self.cannot(&format!("read commit {id}: it is not what its id says"))));
            }
        }
        Ok(())
    }
}

/// The git program with nothing of the user's or the checkout's configuration. Dates in the list of signers are UTC.
fn isolated(aside: &Path, revoked: bool) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    for name in ["PATH", "TMPDIR", "TEMP", "TMP", "SystemRoot"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("HOME", aside).env("GIT_DIR", aside).env("LC_ALL", "C").env("TZ", "UTC");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_NO_REPLACE_OBJECTS", "1");
    let mut set = |name: &str, value: &std::ffi::OsStr| {
        let mut setting = std::ffi::OsString::from(format!("{name}="));
        setting.push(value);
        command.arg("-c").arg(setting);
    };
    set("gpg.ssh.allowedSignersFile", aside.join("signers").as_os_str());
    if revoked {
        set("gpg.ssh.revocationFile", aside.join("revoked").as_os_str());
    }
    // No other kind of signature counts, so no program is run for it.
    ["gpg.program", "gpg.x509.program"].iter().for_each(|name| set(name, "false".as_ref()));
    command
}

/// Fails if a program cannot be started: git would only call each signature bad.
fn there_is(program: &str, stop: &Stop) -> Result<()> {
    child::output(Command::new(program).arg("-?"), stop).map(drop).map_err(|e| cannot_run(program, &e))
}

fn cannot_run(program: &str, e: &std::io::Error) -> Error {
    if e.kind() == std::io::ErrorKind::Interrupted {
        return Error::failed(STOPPED);
    }
    Error::failed(format!("{program} cannot be run: {e}"))
        .hint("--signers has git and OpenSSH check signatures: install both")
}

/// The first line of a commit's signature.
fn signed_by(commit: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(commit);
    let head = text.split("\n\n").next().unwrap_or_default();
    head.lines().find_map(|line| line.strip_prefix("gpgsig ").map(str::to_owned))
}

/// What git says of a commit: its id, a letter, the signer.
fn answer(record: &str) -> Option<(ObjectId, Signature)> {
    let mut parts = record.trim_start_matches('\n').splitn(3, ' ');
    let id = ObjectId::from_hex(parts.next()?.as_bytes()).ok()?;
    let signature = match parts.next()? {
        "G" => Signature::By(crate::base::text::line(parts.next().unwrap_or_default())),
        "N" => Signature::Missing,
        // git has one letter for these.
        "U" => Signature::Refused("signed with a key that the list does not have, or not for the commit's date"),
        "B" => Signature::Refused("its signature is not that of its content, or its key is revoked or not for git"),
        _ => Signature::Refused("git cannot check its signature"),
    };
    Some((id, signature))
}
