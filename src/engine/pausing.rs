//! Since when and why a competition is paused: from the commit that paused it, or from a note of this host where nothing
//! was committed.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::base::error::Result;
use crate::base::files::{self, Readers};
use crate::base::text::{line, time};
use crate::model::ids::RoundNumber;
use crate::model::record::{parse_json, to_json};
use crate::model::stage::Timestamp;
use crate::rules::pausing::{is_of_a_stage, is_pause, reason_of};

/// How many commits back a pause is looked for: whatever is committed during a pause is committed by hand.
const MOST_COMMITS: usize = 500;

/// A pause, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pause {
    /// When it began: when its commit was made.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Why, on one line.
    pub(crate) reason: Option<String>,
}

impl Pause {
    /// ` since TIME: REASON`, as far as it is known.
    pub(crate) fn told(&self) -> String {
        let since = self.since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{since}{reason}")
    }
}

/// The note of a pause that was not committed.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    round: RoundNumber,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    since: Option<Timestamp>,
}

impl Context<'_> {
    /// Since when and why this round is paused.
    pub(crate) fn pause_of(&self, round: RoundNumber) -> Pause {
        let found = self.committed_pause(round).and_then(|pause| match pause {
            Some(pause) => Ok(Some(pause)),
            None => self.noted_pause(round),
        });
        let pause = found.unwrap_or_else(|error| {
            self.ui.warn_once(&error.to_string());
            None
        });
        pause.unwrap_or_default()
    }

    fn committed_pause(&self, round: RoundNumber) -> Result<Option<Pause>> {
        let Some(git) = &self.git else { return Ok(None) };
        let newest = git.newest_message(is_of_a_stage, MOST_COMMITS)?;
        Ok(newest.filter(|(message, _)| is_pause(message, round)).map(|(message, seconds)| Pause {
            since: DateTime::from_timestamp(seconds, 0),
            reason: reason_of(&message, round).map(|reason| line(&reason)),
        }))
    }

    fn noted_pause(&self, round: RoundNumber) -> Result<Option<Pause>> {
        let bytes = files::read_own(&self.pause_note()?, files::SMALL)?;
        let note: Option<Note> = bytes.and_then(|bytes| parse_json(&bytes).ok());
        Ok(note.filter(|note| note.round == round).map(|note| Pause {
            since: note.since.map(|since| since.at()),
            reason: note.reason.map(|reason| line(&reason)),
        }))
    }

    /// Notes a pause that is not committed, which begins now.
    ///
    /// # Errors
    /// The note cannot be written.
    pub(crate) fn note_pause(&self, round: RoundNumber, reason: Option<&str>) -> Result<()> {
        let (reason, since) = (reason.map(str::to_owned), Some(Timestamp::from(Utc::now())));
        files::write(&self.pause_note()?, &to_json(&Note { round, reason, since }), Readers::Own)
    }

    /// Removes the note.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn forget_pause(&self) -> Result<()> {
        files::remove(&self.pause_note()?)
    }

    fn pause_note(&self) -> Result<PathBuf> {
        Ok(self.own_folder()?.join("pause.json"))
    }
}
