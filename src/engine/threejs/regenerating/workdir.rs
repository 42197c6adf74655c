//! What the repeats of a program keep in the operator's own folder: a journal, and the results of batches whose modules
//! are not all stored yet.

use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::base::files;
use crate::model::ids::{Player, RoundNumber};
use crate::rules::threejs::repeats::marks::RepeatMark;
use crate::world::jsonl::JsonlJournal;

/// The hint for a journal with a broken line.
const START_OVER: &str = "remove the file to make everything again";

/// A player's folder within the operator's own.
#[derive(Debug, Clone)]
pub(super) struct RepeatsFolder {
    own: PathBuf,
    folder: PathBuf,
}

impl RepeatsFolder {
    /// The folder of this player in this round.
    #[must_use]
    pub(super) fn new(own: &Path, round: RoundNumber, player: &Player) -> Self {
        let folder = Path::new("audit").join(format!("round-{round}")).join(player.as_str());
        RepeatsFolder { own: own.to_owned(), folder }
    }

    /// Opens the journal for appending; also returns the marks noted so far.
    ///
    /// # Errors
    /// The folder cannot be used, or a line before the last is broken.
    pub(super) fn open(&self) -> Result<(JsonlJournal, Vec<RepeatMark>)> {
        files::folder_below(&self.own, &self.batches())?;
        JsonlJournal::open(&self.own, &self.folder.join("repeats.jsonl"), START_OVER)
    }

    /// Keeps the results of a batch; they are on disk when this returns.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn keep(&self, repeat: u32, batch: usize, archive: &[u8]) -> Result<()> {
        files::write_below(&self.own, &self.path(repeat, batch), archive, files::Readers::Own)
    }

    /// The kept results of a batch, if they are there.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn kept(&self, repeat: u32, batch: usize, most: u64) -> Result<Option<Vec<u8>>> {
        files::read_below(&self.own, &self.path(repeat, batch), most)
    }

    /// Removes the results of a batch whose modules are stored.
    ///
    /// # Errors
    /// They cannot be removed.
    pub(super) fn drop_kept(&self, repeat: u32, batch: usize) -> Result<()> {
        files::remove(&files::below(&self.own, &self.path(repeat, batch))?)
    }

    fn batches(&self) -> PathBuf {
        self.folder.join("batches")
    }

    fn path(&self, repeat: u32, batch: usize) -> PathBuf {
        self.batches().join(format!("{repeat}-{batch}.zip"))
    }
}
