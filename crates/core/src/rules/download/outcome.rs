//! What became of each file, and what is known of all of them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::format::noted;
use crate::model::ids::{Hotkey, PromptStem};
use crate::model::objects::StoredObject;
use crate::model::outputs::Output;
use crate::model::record::Extra;
use crate::model::refusals::{self, Refusal};

/// The outcome for one file of one miner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FetchOutcome {
    /// Fetched, rendered and stored.
    Stored {
        /// The model, as stored.
        #[serde(flatten, with = "noted")]
        model: StoredObject,
        /// Its preview; of a three.js module, the grid of its views.
        png: StoredObject,
        /// Of a three.js module, its other views and their embeddings.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<StoredObject>,
    },
    /// Fetched, but it cannot be rendered. It is stored if it is at least a file of the competition's
    /// format.
    Refused {
        /// The model, where it was stored before it was refused.
        #[serde(flatten, with = "noted")]
        model: Option<StoredObject>,
        /// The stable code of the reason: one of [`crate::model::refusals::CODES`]. Older versions noted none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        code: String,
        /// Why it cannot be rendered, and where in the file.
        reason: String,
    },
    /// It could not be fetched.
    Failed {
        /// As for a refused one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        code: String,
        /// Why, for people.
        reason: String,
    },
}

/// Why a file with this outcome has no model, or no preview, as `refusals.json` records it; `None` if it has both.
#[must_use]
pub fn refusal(outcome: &FetchOutcome) -> Option<Refusal> {
    match outcome {
        FetchOutcome::Stored { .. } => None,
        FetchOutcome::Refused { code, reason, .. } | FetchOutcome::Failed { code, reason } => {
            // Marks of older versions have no code.
            Some(Refusal::new(if code.is_empty() { refusals::UNKNOWN } else { code }, reason))
        }
    }
}

impl FetchOutcome {
    /// Has it both model and preview?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, FetchOutcome::Stored { .. })
    }

    /// The model, if it is stored.
    #[must_use]
    pub fn model(&self) -> Option<&StoredObject> {
        match self {
            FetchOutcome::Stored { model, .. } => Some(model),
            FetchOutcome::Refused { model, .. } => model.as_ref(),
            FetchOutcome::Failed { .. } => None,
        }
    }

    /// All that is stored of it.
    pub fn objects(&self) -> impl Iterator<Item = &StoredObject> {
        let more = if let FetchOutcome::Stored { more, .. } = self { more.as_slice() } else { &[] };
        self.model().into_iter().chain(self.png()).chain(more)
    }

    /// The stored preview.
    #[must_use]
    pub fn png(&self) -> Option<&StoredObject> {
        match self {
            FetchOutcome::Stored { png, .. } => Some(png),
            _ => None,
        }
    }

    /// Why it is not complete, in a line for people.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            FetchOutcome::Stored { .. } => None,
            FetchOutcome::Refused { reason, code, .. } if !code.is_empty() => Some(format!("{reason} ({code})")),
            FetchOutcome::Refused { reason, .. } | FetchOutcome::Failed { reason, .. } => Some(reason.clone()),
        }
    }

    /// The entry of `submitted.json`, in the form of the deployed services: no times, no attempts.
    pub(super) fn output(&self) -> Output {
        Output {
            model: self.model().map(|model| model.url.clone()),
            png: self.png().map(|png| png.url.clone()),
            generation_time: 0.0,
            size: self.model().map_or(0, |model| model.size),
            attempts: 0,
            distance: 0.0,
            extra: Extra::default(),
        }
    }
}

/// A line of the operator's journal: a file's outcome, noted as soon as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadMark {
    /// Whose file.
    pub hotkey: Hotkey,
    /// For which prompt.
    pub stem: PromptStem,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: FetchOutcome,
}

/// The newest known outcome of each of a round's files.
#[derive(Debug, Clone, Default)]
pub struct KnownFiles(HashMap<(Hotkey, PromptStem), FetchOutcome>);

impl KnownFiles {
    /// Adds a mark; it replaces an older one of the same file.
    pub fn add(&mut self, mark: DownloadMark) {
        self.0.insert((mark.hotkey, mark.stem), mark.outcome);
    }

    /// A file's outcome.
    #[must_use]
    pub fn get(&self, hotkey: &Hotkey, stem: &PromptStem) -> Option<&FetchOutcome> {
        self.0.get(&(hotkey.clone(), stem.clone()))
    }
}
