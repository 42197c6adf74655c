//! What regeneration keeps in the operator's own folder: a journal of each player's marks, answers that have arrived
//! but are not stored yet, and the prompts' images.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::base::files;
use crate::model::format::ModelFormat;
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::rules::regeneration::RegenerationMark;
use crate::world::jsonl::JsonlJournal;

/// The hint for a journal with a broken line.
const START_OVER: &str = "remove the file to make everything again";

/// A player's folder within the operator's own.
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

    /// The path of an attempt's answer.
    #[must_use]
    pub(crate) fn answer(&self, number: u32) -> PathBuf {
        self.own.join(&self.folder).join("answers").join(format!("{number}.{}", self.format.extension()))
    }

    /// Opens the journal for appending; also returns the marks noted so far. A truncated last line is ignored.
    ///
    /// # Errors
    /// The folder cannot be used, or a line before the last is broken.
    pub(crate) fn open(&self) -> Result<(JsonlJournal, Vec<RegenerationMark>)> {
        files::folder_below(&self.own, &self.folder.join("answers"))?;
        JsonlJournal::open(&self.own, &self.path(), START_OVER)
    }

    /// The journal's marks; empty if there is no journal.
    #[cfg(test)]
    fn read(&self) -> Result<Vec<RegenerationMark>> {
        JsonlJournal::read(&self.own, &self.path(), START_OVER)
    }

    /// Removes all answers but the wanted ones.
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

/// A round's folder, below the operator's own.
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
