//! What a download keeps in the operator's own folder so that a killed run can resume: the journal of outcomes, and
//! files that have arrived but are not stored yet.

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

/// A round's folder, below the operator's own.
fn folder(round: RoundNumber) -> PathBuf {
    Path::new("download").join(format!("round-{round}"))
}

/// The journal of a round: one line per file.
#[derive(Debug)]
pub(crate) struct FetchJournal(JsonlJournal);

/// The hint for a journal with a broken line.
const START_OVER: &str = "remove the file to fetch everything again";

impl FetchJournal {
    /// Reads the outcomes noted so far, oldest first. A truncated last line is ignored.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before the last is broken.
    pub(crate) fn read(own: &Path, round: RoundNumber) -> Result<Vec<DownloadMark>> {
        JsonlJournal::read(own, &FetchJournal::path(round), START_OVER)
    }

    /// Opens the journal for appending; also returns the outcomes noted so far.
    ///
    /// # Errors
    /// As [`FetchJournal::read`], or it cannot be written.
    pub(crate) fn open(own: &Path, round: RoundNumber) -> Result<(Self, Vec<DownloadMark>)> {
        let (lines, marks) = JsonlJournal::open(own, &FetchJournal::path(round), START_OVER)?;
        Ok((FetchJournal(lines), marks))
    }

    /// Appends an outcome durably.
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

/// Files that have arrived and are not stored yet. A file's name holds its owner and its SHA-256 and is set by a
/// rename, so a file with such a name is complete.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    left: HashMap<String, PathBuf>,
}

/// A file in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spooled {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its size, digest and first bytes.
    pub(crate) fetched: FetchedFile,
}

impl Spool {
    /// Opens a round's spool, and removes files that a killed run left incomplete.
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

    /// Keeps a file that has arrived completely.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(crate) fn keep(&self, hotkey: &Hotkey, stem: &PromptStem, fetched: FetchedFile) -> Result<Spooled> {
        let path = self.folder.join(format!("{}-{}.whole", owner(hotkey, stem), fetched.sha256));
        fs::rename(self.part(hotkey, stem), &path).failed(|| format!("{}: cannot write", path.display()))?;
        Ok(Spooled { path, fetched })
    }

    /// Finds a file that an earlier run fetched, if its bytes still match its name.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn find(&self, hotkey: &Hotkey, stem: &PromptStem) -> Result<Option<Spooled>> {
        let Some(path) = self.left.get(&owner(hotkey, stem)) else { return Ok(None) };
        let Some(file) = files::open(path, false)? else { return Ok(None) };
        let cannot = || format!("{}: cannot read", path.display());
        let sum = sha256_of(&file).failed(cannot)?;
        if !path.to_string_lossy().ends_with(&format!("-{sum}.whole")) {
            // After a power failure the name may have survived without the bytes.
            files::remove(path)?;
            return Ok(None);
        }
        let (mut file, mut head) = (file, Vec::new());
        file.rewind().and_then(|()| (&file).take(ModelFormat::HEAD as u64).read_to_end(&mut head)).failed(cannot)?;
        let size = file.metadata().failed(cannot)?.len();
        Ok(Some(Spooled { path: path.clone(), fetched: FetchedFile { size, sha256: sum, head } }))
    }

    /// Removes a file that is no longer needed: its outcome was noted just before the run that fetched it was killed.
    ///
    /// # Errors
    /// One cannot be removed.
    pub(crate) fn forget(&mut self, hotkey: &Hotkey, stem: &PromptStem) -> Result<()> {
        self.left.remove(&owner(hotkey, stem)).map_or(Ok(()), |path| files::remove(&path))
    }
}

/// A short name for a miner's file, valid on any file system however long the stem is.
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
            outcome: FetchOutcome::Failed { code: "fetch.missing".to_owned(), reason: "status 404".to_owned() },
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
