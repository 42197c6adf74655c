//! What regeneration keeps in the operator's own folder: a journal of each player's marks, answers that have arrived
//! and are not stored yet, the prompts' images.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::base::files;
use crate::model::format::ModelFormat;
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::rules::regeneration::RegenerationMark;
use crate::world::jsonl::JsonlJournal;

/// What to do about a journal with a broken line.
const START_OVER: &str = "remove the file to make everything again";

/// A player's folder in the operator's own one.
#[derive(Debug, Clone)]
pub(crate) struct AuditWorkdir {
    own: PathBuf,
    folder: PathBuf,
    format: ModelFormat,
}

impl AuditWorkdir {
    /// The folder of this player in this round.
    #[must_use]
    pub(crate) fn new(own: &Path, round: RoundNumber, player: &Player, format: ModelFormat) -> Self {
        AuditWorkdir { own: own.to_owned(), folder: folder(round).join(player.as_str()), format }
    }

    /// Where the image of a prompt is kept for a round, below the operator's own folder.
    #[must_use]
    pub(crate) fn prompt(round: RoundNumber, stem: &PromptStem) -> PathBuf {
        folder(round).join("prompts").join(stem.as_str())
    }

    /// Where the answer to an attempt is, or goes.
    #[must_use]
    pub(crate) fn answer(&self, number: u32) -> PathBuf {
        self.own.join(&self.folder).join("answers").join(format!("{number}.{}", self.format.extension()))
    }

    /// Opens the journal to append to it; gives what it says so far. A last line that was cut off is
    /// left out. Answers that no mark speaks of are removed.
    ///
    /// # Errors
    /// The folder cannot be used, or a line before the last is broken.
    pub(crate) fn open(&self) -> Result<(JsonlJournal, Vec<RegenerationMark>)> {
        files::folder_below(&self.own, &self.folder.join("answers"))?;
        JsonlJournal::open(&self.own, &self.path(), START_OVER)
    }

    /// What the journal says; nothing where there is none.
    #[cfg(test)]
    fn read(&self) -> Result<Vec<RegenerationMark>> {
        JsonlJournal::read(&self.own, &self.path(), START_OVER)
    }

    /// Removes answers of which nothing more is wanted.
    ///
    /// # Errors
    /// One cannot be removed.
    pub(crate) fn clear(&self, wanted: &[u32]) -> Result<()> {
        let wanted: HashSet<PathBuf> = wanted.iter().map(|number| self.answer(*number)).collect();
        for entry in files::list(&files::below(&self.own, &self.folder.join("answers"))?)? {
            if !wanted.contains(&entry.path()) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }
}

/// The folder of a round, below the operator's own one.
fn folder(round: RoundNumber) -> PathBuf {
    Path::new("audit").join(format!("round-{round}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_journal_that_was_cut_off_goes_on_with_whole_lines() {
        let own = tempfile::tempdir().unwrap();
        let workdir =
            AuditWorkdir::new(own.path(), RoundNumber(1), &Player::Leader, crate::model::format::Format::Mesh.model());
        assert!(workdir.read().unwrap().is_empty());
        let pod = |n: u8| RegenerationMark::Pod { pod: format!("docker-{n}") };
        let (mut journal, marks) = workdir.open().unwrap();
        assert!(marks.is_empty());
        journal.append(&pod(1)).unwrap();
        journal.append(&pod(2)).unwrap();
        let bytes = fs::read(own.path().join(workdir.path())).unwrap();
        fs::write(own.path().join(workdir.path()), &bytes[..bytes.len() - 3]).unwrap();
        assert_eq!(workdir.read().unwrap(), [pod(1)]);
        fs::write(workdir.answer(7), b"x").unwrap();
        fs::write(workdir.answer(8), b"x").unwrap();
        let (mut journal, marks) = workdir.open().unwrap();
        assert_eq!(marks, [pod(1)]);
        journal.append(&pod(2)).unwrap();
        assert_eq!(fs::read(own.path().join(workdir.path())).unwrap(), bytes);
        workdir.clear(&[8]).unwrap();
        assert!(workdir.answer(8).exists() && !workdir.answer(7).exists());
        fs::write(own.path().join(workdir.path()), "{}\n").unwrap();
        assert!(workdir.open().unwrap_err().to_string().contains("line 1"));
    }
}
