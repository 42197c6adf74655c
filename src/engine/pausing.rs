//! Why a competition is paused: from the commit that paused it, or from a note of this host where nothing was committed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::base::error::Result;
use crate::base::files::{self, Readers};
use crate::base::text::line;
use crate::model::ids::RoundNumber;
use crate::model::record::{parse_json, to_json};
use crate::rules::pausing::{is_of_a_stage, reason_of};

/// How many commits back a pause is looked for: whatever is committed during a pause is committed by hand.
const MOST_COMMITS: usize = 500;

/// The note of a pause that was not committed.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    round: RoundNumber,
    reason: String,
}

impl Context<'_> {
    /// Why this round is paused, on one line, if that is known.
    pub(crate) fn pause_reason(&self, round: RoundNumber) -> Option<String> {
        let found = self.committed_reason(round).and_then(|reason| match reason {
            Some(reason) => Ok(Some(reason)),
            None => self.noted_reason(round),
        });
        let reason = found.unwrap_or_else(|error| {
            self.ui.warn_once(&error.to_string());
            None
        });
        reason.map(|reason| line(&reason))
    }

    fn committed_reason(&self, round: RoundNumber) -> Result<Option<String>> {
        let Some(git) = &self.git else { return Ok(None) };
        let newest = git.newest_message(is_of_a_stage, MOST_COMMITS)?;
        Ok(newest.and_then(|(message, _)| reason_of(&message, round)))
    }

    fn noted_reason(&self, round: RoundNumber) -> Result<Option<String>> {
        let bytes = files::read_own(&self.pause_note()?, files::SMALL)?;
        let note: Option<Note> = bytes.and_then(|bytes| parse_json(&bytes).ok());
        Ok(note.filter(|note| note.round == round).map(|note| note.reason))
    }

    /// Notes the reason of a pause that is not committed; none removes the note.
    ///
    /// # Errors
    /// The note cannot be written.
    pub(crate) fn note_pause(&self, round: RoundNumber, reason: Option<&str>) -> Result<()> {
        let path = self.pause_note()?;
        match reason {
            None => files::remove(&path),
            Some(reason) => files::write(&path, &to_json(&Note { round, reason: reason.to_owned() }), Readers::Own),
        }
    }

    fn pause_note(&self) -> Result<PathBuf> {
        Ok(self.own_folder()?.join("pause.json"))
    }
}
