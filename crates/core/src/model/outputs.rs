//! A player's `submitted.json` and `generated.json`: the outputs for each prompt. The file layout depends on the
//! competition's format; rules use the neutral types here.

use std::ops::{Deref, DerefMut};

use indexmap::IndexMap;

use super::format::Format;
use super::ids::PromptStem;
use super::record::Extra;

/// A player's output for one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The model's URL, if there is a model.
    pub model: Option<String>,
    /// Its preview's URL, if there is a preview.
    pub png: Option<String>,
    /// Seconds from the request to the answer; 0.0 for submitted files.
    pub generation_time: f64,
    /// Size of the model in bytes.
    pub size: u64,
    /// Attempts made.
    pub attempts: u32,
    /// Distance of the regenerated preview to the submitted one; 0.0 if none was measured.
    pub distance: f64,
    /// Keys of a newer writer, kept in place.
    pub extra: Extra,
}

impl Output {
    /// Does it have both a model and a preview?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.model.is_some() && self.png.is_some()
    }

    /// The URLs of the model and of the preview.
    #[must_use]
    pub fn urls(&self) -> [Option<&String>; 2] {
        [self.model.as_ref(), self.png.as_ref()]
    }
}

/// A player's outputs by prompt stem; dereferences to the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The format of the file.
    pub format: Format,
    entries: IndexMap<PromptStem, Output>,
}

impl Outputs {
    /// Outputs in this format with these entries.
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
