//! One player's repeats in progress: what its pods and the storing of its modules share, with the journal of both.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::workdir::RepeatsFolder;
use crate::base::error::Result;
use crate::model::ids::{Player, Seed};
use crate::rules::threejs::repeats::Repeats;
use crate::rules::threejs::repeats::marks::RepeatMark;
use crate::world::jsonl::JsonlJournal;
use crate::world::pods::Hardware;

/// A program to run.
#[derive(Debug, Clone)]
pub(super) struct RepeatsJob {
    /// Whose.
    pub(super) player: Player,
    /// Its image.
    pub(super) image: String,
    /// What it runs on.
    pub(super) hardware: Hardware,
    /// Try again what could not be made.
    pub(super) retry: bool,
}

/// The repeats of a program, and the journal of what happens to them.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) job: RepeatsJob,
    pub(super) folder: RepeatsFolder,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    repeats: Repeats,
    journal: JsonlJournal,
}

impl Running {
    /// Goes on with what is in the journal.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub(super) fn open(folder: RepeatsFolder, job: RepeatsJob, seed: Seed, mut repeats: Repeats) -> Result<Running> {
        let (mut journal, marks) = folder.open()?;
        marks.into_iter().for_each(|mark| repeats.take(mark));
        let mut first = Vec::new();
        if !repeats.has_begun(&job.image, seed) {
            first.push(RepeatMark::Begun { image: job.image.clone(), seed });
        }
        if job.retry {
            first.push(RepeatMark::Reopened);
        }
        for mark in first {
            journal.append(&mark)?;
            repeats.take(mark);
        }
        Ok(Running { job, folder, state: Mutex::new(State { repeats, journal }) })
    }

    /// Notes what happened. It counts once it is on disk.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) fn note(&self, mark: RepeatMark) -> Result<()> {
        let mut state = self.lock();
        state.journal.append(&mark)?;
        state.repeats.take(mark);
        Ok(())
    }

    /// Reads from the repeats.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Repeats) -> T) -> T {
        look(&self.lock().repeats)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
