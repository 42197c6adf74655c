//! The competition's folder on disk: reading, and atomic writing: after a kill each file is old or new, never
//! half-written.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{FileIn, FileKind, Named};
use super::file_path::{BoundedFile, FilePath, largest};
use super::snapshot::Source;
use crate::base::error::{Context, Error, Result};
use crate::base::files::{self, Readers};

/// The nearest folder at or above `here` that holds a competition.
#[must_use]
pub fn enclosing(here: &Path) -> Option<PathBuf> {
    // Two of these are enough, so that a damaged competition is found as well.
    let known = ["config.json", "state.json", "leader.json", "rounds"];
    let holds = |folder: &&Path| known.iter().filter(|name| folder.join(name).exists()).count() >= 2;
    here.ancestors().find(holds).map(Path::to_owned)
}

/// A competition's folder.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// One file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWrite {
    /// Which file.
    pub file: FilePath,
    /// Its new bytes.
    pub bytes: Vec<u8>,
}

impl FileWrite {
    /// A file of the competition with these contents.
    pub fn new(file: impl Into<FilePath>, contents: &impl super::file::RepoFile) -> Self {
        FileWrite { file: file.into(), bytes: contents.to_bytes() }
    }
}

/// A fault-injection point in [`Store::apply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteStep {
    /// The temporary file is about to be created.
    BeforeTemporary,
    /// The temporary file is complete; the rename is next.
    BeforeRename,
    /// The file has its new contents.
    AfterRename,
}

/// The most files in a competition: about 1,000 rounds of 64 players with three files each.
const MOST_FILES: usize = 200_000;

impl Store {
    /// The folder at `root`.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(root: &Path) -> Result<Store> {
        let root = fs::canonicalize(root).map_err(|e| {
            let missing = Error::usage(format!("{}: no such folder", root.display())).because(e);
            missing.hint("name the competition's folder with --repo DIR")
        })?;
        if !root.is_dir() {
            return Err(Error::file(&root, "not a folder"));
        }
        Ok(Store { root })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of one file, or `None`.
    ///
    /// # Errors
    /// It cannot be read, is not a plain file, or its path contains a link.
    pub fn read_file<R: Named, P: Named>(&self, file: &FileIn<R, P>) -> Result<Option<Vec<u8>>> {
        self.read(&file.path())
    }

    /// Parses one file whose record is the same in all formats; `None` if it does not exist.
    ///
    /// # Errors
    /// It cannot be read or parsed; the message names the file and the place.
    pub fn load<T: super::file::RepoFile>(&self, file: &impl BoundedFile) -> Result<Option<T>> {
        let Some(bytes) = self.read(&file.path())? else { return Ok(None) };
        let parsed = file.parse::<T>(&bytes).map(Some).failed(|| format!("{}: does not parse", file.path()));
        parsed.map_err(|error| match self.root.join(".git").exists() {
            true => error.hint(format!("`git checkout -- {}` brings the last committed one back", file.path())),
            false => error,
        })
    }

    /// Parses one required file.
    ///
    /// # Errors
    /// As [`Store::load`], or the file is missing.
    pub fn need<T: super::file::RepoFile>(&self, file: &impl BoundedFile) -> Result<T> {
        self.load(file)?.ok_or_else(|| {
            let missing = Error::failed(format!("{}: missing", file.path()));
            missing.hint(format!("is {} a competition's folder? `gen404 verify` says more", self.root.display()))
        })
    }

    /// Writes the files that differ: each to a temporary file beside it that is synced and renamed over it, then
    /// the folder is synced. `state.json` comes last, so that a stage moves only once its files are complete.
    /// Returns the files that changed. `seen` is called at each step: a fault-injection point for tests; others
    /// pass `&mut |_, _| Ok(())`.
    ///
    /// # Errors
    /// A file cannot be written; those before it have been.
    pub fn apply(
        &self,
        writes: &[FileWrite],
        seen: &mut dyn FnMut(&FilePath, WriteStep) -> Result<()>,
    ) -> Result<Vec<FilePath>> {
        let mut changed = Vec::new();
        for write in self.differing(writes)? {
            self.replace(write, seen)?;
            changed.push(write.file.clone());
        }
        Ok(changed)
    }

    /// The files that differ from those on disk, in the order in which [`Store::apply`] writes them.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn differing<'w>(&self, writes: &'w [FileWrite]) -> Result<Vec<&'w FileWrite>> {
        let (last, first): (Vec<_>, Vec<_>) = writes.iter().partition(|write| write.file == FileKind::State);
        let mut differing = Vec::new();
        for write in first.into_iter().chain(last) {
            if self.read(write.file.as_str())?.as_deref() != Some(write.bytes.as_slice()) {
                differing.push(write);
            }
        }
        Ok(differing)
    }

    fn replace(&self, write: &FileWrite, seen: &mut dyn FnMut(&FilePath, WriteStep) -> Result<()>) -> Result<()> {
        let path = self.checked(write.file.as_str())?;
        let folder = path.parent().unwrap_or(&self.root);
        // Leftovers of killed runs: the caller holds the lock, so no live run owns them.
        files::remove_temporaries(folder)?;
        seen(&write.file, WriteStep::BeforeTemporary)?;
        let prepared = files::prepare(&path, &write.bytes, Readers::All)?;
        seen(&write.file, WriteStep::BeforeRename)?;
        prepared.publish()?;
        seen(&write.file, WriteStep::AfterRename)
    }

    /// The full path of a file, checked not to lead out of the folder.
    fn checked(&self, path: &str) -> Result<PathBuf> {
        let leaves = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(['\\', '\0']);
        if path.split('/').any(leaves) {
            return Err(Error::failed(format!("{path:?}: this path leaves the competition's folder")));
        }
        files::below(&self.root, Path::new(path))
    }

    fn list_folder(&self, folder: &Path, prefix: &str, depth: usize, paths: &mut Vec<String>) -> Result<()> {
        let cannot = || format!("{}: cannot list", folder.display());
        for entry in files::list(folder)? {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().failed(cannot)?;
            if kind.is_dir() && depth > 0 && (prefix.starts_with("rounds/") || path == "rounds") {
                self.list_folder(&entry.path(), &format!("{path}/"), depth - 1, paths)?;
            } else if !kind.is_dir() {
                paths.push(path);
            }
            if paths.len() > MOST_FILES {
                return Err(Error::file(&self.root, format!("more than {MOST_FILES} files")));
            }
        }
        Ok(())
    }
}

impl Source for Store {
    fn list(&self) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        self.list_folder(&self.root, "", 3, &mut paths)?;
        paths.sort();
        Ok(paths)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        // Other files are only read as bytes, if at all: a small limit is enough.
        let largest = largest(path).unwrap_or(files::SMALL);
        files::read_own(&self.checked(path)?, largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::RoundNumber;
    use crate::model::stage::{CompetitionState, Stage};

    fn write(stage: Stage) -> FileWrite {
        FileWrite::new(FileKind::State, &CompetitionState::new(RoundNumber(0), stage, None))
    }

    #[test]
    fn a_stop_at_any_step_leaves_old_or_new_and_the_next_run_completes() {
        for stop in [WriteStep::BeforeTemporary, WriteStep::BeforeRename, WriteStep::AfterRename] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let old = write(Stage::Open);
            store.apply(std::slice::from_ref(&old), &mut |_, _| Ok(())).unwrap();
            let new = write(Stage::Paused);
            let mut kill = |_: &FilePath, step| if step == stop { Err(Error::failed("killed")) } else { Ok(()) };
            store.apply(std::slice::from_ref(&new), &mut kill).unwrap_err();
            let found = store.read_file(&FileKind::State).unwrap().unwrap();
            assert_eq!(found, if stop == WriteStep::AfterRename { new.bytes.clone() } else { old.bytes });
            store.apply(std::slice::from_ref(&new), &mut |_, _| Ok(())).unwrap();
            assert_eq!(store.read_file(&FileKind::State).unwrap().unwrap(), new.bytes);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
        }
    }

    #[test]
    fn what_is_already_there_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let writes = [write(Stage::Open)];
        assert_eq!(store.apply(&writes, &mut |_, _| Ok(())).unwrap(), [FilePath::from(FileKind::State)]);
        assert!(store.apply(&writes, &mut |_, _| Ok(())).unwrap().is_empty());
    }

    #[test]
    #[cfg(unix)]
    fn links_are_not_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(folder.path()).unwrap();
        fs::write(outside.path().join("state.json"), "{}").unwrap();
        std::os::unix::fs::symlink(outside.path().join("state.json"), folder.path().join("state.json")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("rounds")).unwrap();
        assert!(store.read("state.json").unwrap_err().to_string().contains("a link"));
        assert!(store.read("rounds/state.json").unwrap_err().to_string().contains("a link"));
        assert!(store.read("../x").unwrap_err().to_string().contains("leaves"));
        assert!(store.apply(&[write(Stage::Open)], &mut |_, _| Ok(())).is_err());
        assert_eq!(fs::read(outside.path().join("state.json")).unwrap(), b"{}");
    }
}
