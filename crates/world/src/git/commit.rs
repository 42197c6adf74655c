//! Commits of exactly the files we wrote.

use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::refs::Target;
use gix::refs::transaction::{PreviousValue, RefEdit};

use super::Git;
use super::index::IndexLock;
use super::walk::Walker;
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::model::file_path::FilePath;

impl Git {
    /// Commits exactly these files, as they are on disk, on top of what is checked out, and updates their
    /// entries in the index. Returns the new commit's id; `None` if nothing differs.
    ///
    /// The commit is noted as ours before the branch moves to it.
    ///
    /// # Errors
    /// The checkout is in no state to commit in, someone else committed in between, or git's files cannot be
    /// written.
    pub fn commit<F: Clone + Into<FilePath>>(&self, files: &[F], message: &str) -> Result<Option<String>> {
        let what = || self.cannot("commit");
        if files.is_empty() {
            return Ok(None);
        }
        let repo = self.writer()?;
        let lock = IndexLock::take(&repo, &self.own_folder())?;
        self.on_a_branch(&repo)?;
        let head = self.head()?;
        let base = match head {
            Some(head) => self.reader().commit(head)?.tree,
            None => repo.empty_tree().id,
        };
        let mut editor = repo.edit_tree(base).failed(what)?;
        let mut blobs = Vec::new();
        for file in files.iter().cloned().map(Into::<FilePath>::into) {
            let path = file.as_str();
            let bytes = files::read_below(&self.root, Path::new(path), file.largest())?;
            let bytes = bytes.ok_or_else(|| Error::file(&self.root.join(path), "missing"))?;
            let blob = repo.write_blob(bytes).failed(what)?.detach();
            editor.upsert(path, EntryKind::Blob, blob).failed(what)?;
            blobs.push((path.to_owned(), blob));
        }
        let tree = editor.write().failed(what)?.detach();
        let mut index = self.index_for(&repo, tree)?;
        self.look_at_index(&index)?;
        self.bring_in_line(&mut index, &blobs)?;
        lock.write(&index)?;
        // Even if nothing differs, go on: a killed run may have committed without updating the index.
        let commit = if tree == base { None } else { Some(self.object(&repo, message, tree, head)?) };
        // The note comes first: a commit that is not noted would count as someone else's and never be pushed.
        if let Some(commit) = commit {
            self.note(commit)?;
            self.move_branch(&repo, head, commit, message)?;
            // A run that commits for hours reads the same files again and again: reset its allowance.
            self.objects.allow(0);
        }
        lock.publish()?;
        Ok(commit.map(|commit| commit.to_string()))
    }

    /// The index; if there is none, one made from a tree.
    fn index_for(&self, repo: &gix::Repository, tree: ObjectId) -> Result<gix::index::File> {
        let index = if repo.index_path().exists() {
            repo.open_index().map_err(anyhow::Error::from)
        } else {
            Walker::new(&self.reader(), 1).unfolds(tree)?;
            repo.index_from_tree(&tree).map_err(anyhow::Error::from)
        };
        index.failed(|| self.cannot("read the index"))
    }

    /// Moves the checked-out branch to a commit, if it has not moved since.
    fn move_branch(&self, repo: &gix::Repository, from: Option<ObjectId>, to: ObjectId, message: &str) -> Result<()> {
        let what = || self.cannot(&format!("move the branch to commit {to}"));
        // Compare and swap: this fails if someone else has moved the branch since it was read.
        let expected = from.map(|from| PreviousValue::MustExistAndMatch(Target::Object(from)));
        let log = gix::reference::log::message("commit", message.into(), from.iter().len());
        let name = "HEAD".try_into().failed(what)?;
        let edit = RefEdit::update(name, to, expected.unwrap_or(PreviousValue::MustNotExist), log).with_deref(true);
        let moved = repo.edit_reference(edit).failed(what);
        match moved {
            Err(_) if self.head()? != from => {
                let between = Error::failed(self.cannot("commit: someone else committed in between"));
                Err(between.hint("run it again"))
            }
            moved => moved.map(|_| ()),
        }
    }

    /// The commits made here that are not known to be anywhere else: those that may be pushed without asking.
    ///
    /// # Errors
    /// The notes cannot be read.
    pub fn noted(&self) -> Result<Vec<String>> {
        let path = self.notes();
        let bytes = files::read_own(&path, files::SMALL)?.unwrap_or_default();
        let text = String::from_utf8(bytes).failed(|| format!("{}: cannot read", path.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Notes a commit as ours.
    fn note(&self, commit: ObjectId) -> Result<()> {
        let mut noted = self.noted()?;
        noted.push(commit.to_string());
        self.keep_notes(&noted)
    }

    /// Replaces the notes with these.
    pub(super) fn keep_notes(&self, commits: &[String]) -> Result<()> {
        let path = self.notes();
        if commits.is_empty() {
            return files::remove(&path);
        }
        files::write(&path, (commits.join("\n") + "\n").as_bytes(), files::Readers::Own)
    }

    fn notes(&self) -> PathBuf {
        self.own_folder().join("unpushed")
    }
}
