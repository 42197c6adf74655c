//! `submitted.json` and `generated.json` of a player: what was made for each prompt. How a file says it depends on
//! the competition's format; rules see what is here.

use std::ops::{Deref, DerefMut};

use indexmap::IndexMap;

use super::format::Format;
use super::ids::PromptStem;
use super::record::Extra;

/// What a player has for one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The model's URL; none where there is no model.
    pub model: Option<String>,
    /// Its preview's URL; none where there is no preview.
    pub png: Option<String>,
    /// Seconds from request to answer; 0.0 for submitted files.
    pub generation_time: f64,
    /// Bytes of the model.
    pub size: u64,
    /// Attempts made.
    pub attempts: u32,
    /// Distance of the regenerated preview to the submitted one; 0.0 where none was measured.
    pub distance: f64,
    /// Keys of a newer writer, kept in place.
    pub extra: Extra,
}

impl Output {
    /// Has it both a model and a preview?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.model.is_some() && self.png.is_some()
    }

    /// The URL of the model, and that of the preview.
    #[must_use]
    pub fn urls(&self) -> [Option<&String>; 2] {
        [self.model.as_ref(), self.png.as_ref()]
    }
}

/// A player's outputs by prompt stem, to be used as a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The format that the file has.
    pub format: Format,
    entries: IndexMap<PromptStem, Output>,
}

impl Outputs {
    /// A file of this format with these entries.
    #[must_use]
    pub fn of(format: Format, entries: impl IntoIterator<Item = (PromptStem, Output)>) -> Self {
        Outputs { format, entries: entries.into_iter().collect() }
    }
}

impl Deref for Outputs {
    type Target = IndexMap<PromptStem, Output>;
    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl DerefMut for Outputs {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.entries
    }
}
