//! What a download keeps in the operator's own folder, so that a killed run goes on where it was:
//! the journal of outcomes, and files that arrived whole but are not stored yet.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::base::hex;
use crate::model::format::ModelFormat;
use crate::model::ids::{Hotkey, PromptStem, RoundNumber};
use crate::rules::download::DownloadMark;
use crate::world::fetch::FetchedFile;
use crate::world::jsonl::JsonlJournal;
use crate::world::store::sha256_of;

/// The folder of a round, below the operator's own one.
fn folder(round: RoundNumber) -> PathBuf {
    Path::new("download").join(format!("round-{round}"))
}

/// The journal of a round: one line a file.
#[derive(Debug)]
pub(crate) struct FetchJournal(JsonlJournal);

/// What to do about a journal with a broken line.
const START_OVER: &str = "remove the file to fetch everything again";

impl FetchJournal {
    /// The outcomes noted so far, oldest first. A last line that was cut off is left out.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before the last is broken.
    pub(crate) fn read(own: &Path, round: RoundNumber) -> Result<Vec<DownloadMark>> {
        JsonlJournal::read(own, &FetchJournal::path(round), START_OVER)
    }

    /// Opens the journal to append to it; gives what it says so far.
    ///
    /// # Errors
    /// As [`FetchJournal::read`], or it cannot be written.
    pub(crate) fn open(own: &Path, round: RoundNumber) -> Result<(Self, Vec<DownloadMark>)> {
        let (lines, marks) = JsonlJournal::open(own, &FetchJournal::path(round), START_OVER)?;
        Ok((FetchJournal(lines), marks))
    }

    /// Notes an outcome, for good.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn append(&mut self, mark: &DownloadMark) -> Result<()> {
        self.0.append(mark)
    }

    fn path(round: RoundNumber) -> PathBuf {
        folder(round).join("outcomes.jsonl")
    }
}

/// Files that arrived whole and are not stored yet. Such a file's name says whose it is and what
/// its bytes are, and it gets that name at once: it is complete or not there.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    left: HashMap<String, PathBuf>,
}

/// A file on its way or in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spooled {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) fetched: FetchedFile,
}

impl Spool {
    /// Opens the spool of a round. What a killed run had half fetched is removed.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub(crate) fn open(own: &Path, round: RoundNumber) -> Result<Self> {
        let folder = files::folder_below(own, &folder(round).join("files"))?;
        let mut left = HashMap::new();
        for entry in files::list(&folder)? {
            let path = entry.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match name.strip_suffix(".whole").and_then(|name| name.split_once('-')) {
                Some((owner, _)) => {
                    left.insert(owner.to_owned(), path);
                }
                None => files::remove(&path)?,
            }
        }
        Ok(Spool { folder, left })
    }

    /// Where a file goes while it is fetched.
    #[must_use]
    pub(crate) fn part(&self, hotkey: &Hotkey, stem: &PromptStem) -> PathBuf {
        self.folder.join(format!("{}.part", owner(hotkey, stem)))
    }

    /// Keeps a file that has arrived whole.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(crate) fn keep(&self, hotkey: &Hotkey, stem: &PromptStem, fetched: FetchedFile) -> Result<Spooled> {
        let path = self.folder.join(format!("{}-{}.whole", owner(hotkey, stem), fetched.sha256));
        fs::rename(self.part(hotkey, stem), &path).failed(|| format!("{}: cannot write", path.display()))?;
        Ok(Spooled { path, fetched })
    }

    /// A file that a run before this one had fetched whole, if its bytes are still those.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn find(&self, hotkey: &Hotkey, stem: &PromptStem) -> Result<Option<Spooled>> {
        let Some(path) = self.left.get(&owner(hotkey, stem)) else { return Ok(None) };
        let Some(file) = files::open(path, false)? else { return Ok(None) };
        let cannot = || format!("{}: cannot read", path.display());
        let sum = sha256_of(&file).failed(cannot)?;
        if !path.to_string_lossy().ends_with(&format!("-{sum}.whole")) {
            // A machine that lost power may have lost the bytes and kept the name.
            files::remove(path)?;
            return Ok(None);
        }
        let (mut file, mut head) = (file, Vec::new());
        file.rewind().and_then(|()| (&file).take(ModelFormat::HEAD as u64).read_to_end(&mut head)).failed(cannot)?;
        let size = file.metadata().failed(cannot)?.len();
        Ok(Some(Spooled { path: path.clone(), fetched: FetchedFile { size, sha256: sum, head } }))
    }

    /// Removes files of which nothing more is wanted: those whose outcome was noted right before the
    /// run that fetched them was killed.
    ///
    /// # Errors
    /// One cannot be removed.
    pub(crate) fn forget(&mut self, hotkey: &Hotkey, stem: &PromptStem) -> Result<()> {
        self.left.remove(&owner(hotkey, stem)).map_or(Ok(()), |path| files::remove(&path))
    }
}

/// A name for a miner's file that any file system takes, however long the stem is.
fn owner(hotkey: &Hotkey, stem: &PromptStem) -> String {
    let digest = Sha256::digest(format!("{hotkey}/{stem}"));
    hex::encode(digest.get(..16).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::download::FetchOutcome;

    fn mark(stem: &str) -> DownloadMark {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
        DownloadMark {
            hotkey,
            stem: stem.parse().unwrap(),
            outcome: FetchOutcome::Failed { reason: "status 404".to_owned() },
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_written_again() {
        let own = tempfile::tempdir().unwrap();
        let (mut journal, marks) = FetchJournal::open(own.path(), RoundNumber(1)).unwrap();
        assert!(marks.is_empty());
        journal.append(&mark("a")).unwrap();
        journal.append(&mark("b")).unwrap();
        let path = own.path().join(FetchJournal::path(RoundNumber(1)));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        assert_eq!(FetchJournal::read(own.path(), RoundNumber(1)).unwrap(), [mark("a")]);
        let (mut journal, marks) = FetchJournal::open(own.path(), RoundNumber(1)).unwrap();
        assert_eq!(marks, [mark("a")]);
        journal.append(&mark("b")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::write(&path, "{}\n").unwrap();
        assert!(FetchJournal::read(own.path(), RoundNumber(1)).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn a_whole_file_is_found_again_and_a_part_is_not() {
        let own = tempfile::tempdir().unwrap();
        let DownloadMark { hotkey, stem, .. } = mark("a");
        let bytes = b"a model and then some";
        let spool = Spool::open(own.path(), RoundNumber(1)).unwrap();
        let fetched = FetchedFile {
            size: bytes.len() as u64,
            sha256: sha256_of(&bytes[..]).unwrap(),
            head: bytes[..ModelFormat::HEAD].to_vec(),
        };
        fs::write(spool.part(&hotkey, &stem), bytes).unwrap();
        let kept = spool.keep(&hotkey, &stem, fetched).unwrap();
        fs::write(spool.part(&hotkey, &mark("b").stem), bytes).unwrap();
        let spool = Spool::open(own.path(), RoundNumber(1)).unwrap();
        assert_eq!(spool.find(&hotkey, &stem).unwrap(), Some(kept.clone()));
        assert_eq!(spool.find(&hotkey, &mark("b").stem).unwrap(), None);
        assert!(!spool.part(&hotkey, &mark("b").stem).exists());
        fs::write(&kept.path, b"a model and then none").unwrap();
        assert_eq!(spool.find(&hotkey, &stem).unwrap(), None);
    }
}
