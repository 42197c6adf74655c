//! The one place where a plan becomes files, a commit and a push. A note of each commit about to be made lets the next
//! run finish it if this one is killed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::context::Context;
use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::base::hex;
use crate::base::text::counted;
use crate::model::file::{FileKind, RoundFile};
use crate::model::file_path::FilePath;
use crate::model::record::{parse_json, to_json};
use crate::model::snapshot::Source as _;
use crate::model::store::Store;
use crate::rules::Plan;
use crate::rules::conflict::collision;
use crate::ui::Report;
use crate::world::git::remote::Remote;

impl Context<'_> {
    /// Carries out a plan: writes its files, commits them if asked to, and reports its lines. With `--dry-run`, only
    /// reports.
    pub(crate) fn apply(&self, plan: &Plan, report: &mut Report) -> Result<()> {
        self.carry_out(plan, &[], report)?;
        plan.says.iter().for_each(|line| report.say(line));
        Ok(())
    }

    /// As [`Context::apply`], for a step of a longer command that reports by itself. The commit includes the files
    /// `also`, which earlier steps wrote.
    pub(crate) fn carry_out(&self, plan: &Plan, also: &[FilePath], report: &mut Report) -> Result<()> {
        if self.options.dry_run {
            return self.write(plan, report);
        }
        // The note is saved before the first write: a run killed at any later point is then either committed by the
        // next run (all files as noted) or repeated.
        let pending = Pending::of(plan, also, &self.store)?;
        if self.options.commit {
            pending.save(&self.own_folder()?)?;
        }
        self.write(plan, report)?;
        if self.commit(&pending, report)?.is_some() {
            self.push(report)?;
        }
        Ok(())
    }

    /// With `--push`: pushes what has just been committed.
    fn push(&self, report: &mut Report) -> Result<()> {
        let Some(remote) = self.remote()? else { return Ok(()) };
        let settled = remote.settle()?;
        let (conflict, head) = (settled.conflict, self.head()?);
        report.recommitted(head.as_deref().filter(|_| conflict.is_none()));
        if let Some(head) = head.as_ref().filter(|_| conflict.is_none() && settled.pushed > 0) {
            report.pushed.insert(head.clone(), remote.shown());
        }
        report.basis.commit = head;
        match conflict {
            None => Ok(()),
            Some(conflict) => Err(Error::new(Kind::Conflict, conflict).hint("run it again")),
        }
    }

    /// Writes a plan's files (with `--dry-run`, only names them) and leaves the commit to a later step.
    pub(crate) fn write(&self, plan: &Plan, report: &mut Report) -> Result<()> {
        self.forget_listing();
        let changed = match self.options.dry_run {
            true => self.store.differing(&plan.writes)?.into_iter().map(|write| write.file.clone()).collect(),
            false => self.store.apply(&plan.writes, &mut |_, _| Ok(()))?,
        };
        report.note_files(changed.iter().map(ToString::to_string));
        Ok(())
    }

    fn commit(&self, pending: &Pending, report: &mut Report) -> Result<Option<String>> {
        let Some(git) = self.git.as_ref().filter(|_| self.options.commit) else { return Ok(None) };
        let commit = git.commit(&pending.paths(), &pending.message);
        let commit = commit.map_err(|e| e.hint("the files are written: the next run with --commit commits them"))?;
        Pending::forget(&self.own_folder()?)?;
        if let Some(commit) = &commit {
            report.note_commit(commit, &pending.message);
            self.options.witness.committed(commit, &pending.message);
        }
        Ok(commit)
    }

    /// Makes the commit of a run that was killed between its last write and its commit, if the files are still exactly
    /// as its note says.
    pub(super) fn finish_commit(&self, report: &mut Report) -> Result<()> {
        let Some(pending) = Pending::load(&self.own_folder()?)? else { return Ok(()) };
        if pending.is_written(&self.store)? {
            if let Some(commit) = self.commit(&pending, report)? {
                let what = format!("committed what an interrupted run had written: {commit}");
                self.ui.status(&what);
                report.facts.push(what);
            }
            return Ok(());
        }
        // It was killed while writing: running the command again writes them all.
        Pending::forget(&self.own_folder()?)
    }

    /// With `--push`: pulls in what others pushed, and pushes what an earlier run left.
    pub(super) fn meet(&self, report: &mut Report) -> Result<()> {
        let Some(remote) = self.remote()? else { return Ok(()) };
        let settled = remote.settle()?;
        if let Some(conflict) = settled.conflict {
            self.ui.status(&format!("{conflict}: it was made by an earlier run"));
        }
        if settled.moved {
            self.forget_listing();
            self.ui.detail("pulled in what others had pushed");
            report.facts.push("pulled in what others had pushed".to_owned());
        }
        if settled.pushed > 0 {
            let pushed = counted(settled.pushed, "commit", "commits");
            let what = format!("pushed {pushed} that an earlier run had left");
            self.ui.status(&what);
            report.facts.push(what);
        }
        Ok(())
    }

    /// With `--push`: pulls in what others have pushed since this run began. Returns whether there was anything, so that
    /// what was decided has to be decided again.
    pub(super) fn moved_on(&self) -> Result<bool> {
        let Some(remote) = self.remote()? else { return Ok(false) };
        let settled = remote.settle()?;
        self.forget_listing();
        Ok(settled.moved || settled.conflict.is_some())
    }

    /// With `--push`: the remote to push to.
    fn remote(&self) -> Result<Option<Remote<'_>>> {
        let git = self.git.as_ref().filter(|_| self.options.push && !self.options.dry_run);
        git.map(|git| Remote::of(git, collision)).transpose()
    }
}

/// What a person wrote that counts in a file of this plan: without it in the commit or before, the file would not follow
/// from the repository.
fn read_by_hand(written: &FilePath) -> Option<FilePath> {
    match FileKind::of_path(written.as_str())? {
        FileKind::Round(round, RoundFile::Winner | RoundFile::GenerationAudits) => {
            Some(FileKind::Round(round, RoundFile::SourceAudit).into())
        }
        _ => None,
    }
}

/// A commit about to be made; the note is kept beside the lock until it is.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    message: String,
    /// Path and SHA-256 of each file.
    files: Vec<(String, String)>,
}

impl Pending {
    fn of(plan: &Plan, also: &[FilePath], store: &Store) -> Result<Self> {
        let sum = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        let mut files: Vec<_> = plan.writes.iter().map(|write| (write.file.to_string(), sum(&write.bytes))).collect();
        let planned: HashSet<&FilePath> = plan.writes.iter().map(|write| &write.file).collect();
        let by_hand: Vec<FilePath> = planned.iter().filter_map(|file| read_by_hand(file)).collect();
        for file in also.iter().chain(&by_hand).filter(|file| !planned.contains(file)) {
            if let Some(bytes) = store.read(file.as_str())? {
                files.push((file.to_string(), sum(&bytes)));
            }
        }
        Ok(Pending { message: plan.message.clone(), files })
    }

    fn path(own: &Path) -> PathBuf {
        own.join("pending-commit.json")
    }

    fn save(&self, own: &Path) -> Result<()> {
        files::write(&Pending::path(own), &to_json(self), files::Readers::Own)
    }

    fn load(own: &Path) -> Result<Option<Self>> {
        // A truncated note means that nothing else had been written yet.
        Ok(files::read_own(&Pending::path(own), files::SMALL)?.and_then(|bytes| parse_json(&bytes).ok()))
    }

    fn forget(own: &Path) -> Result<()> {
        files::remove(&Pending::path(own))
    }

    fn paths(&self) -> Vec<FilePath> {
        self.files.iter().filter_map(|(path, _)| FilePath::of(path)).collect()
    }

    fn is_written(&self, store: &Store) -> Result<bool> {
        for (path, sum) in &self.files {
            let Some(file) = FilePath::of(path) else { return Ok(false) };
            let found = store.read(file.as_str())?.map(|bytes| hex::encode(Sha256::digest(&bytes)));
            if found.as_ref() != Some(sum) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
