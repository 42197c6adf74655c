//! `submitted.json` and `generated.json` of a player: what was made for each prompt.

use super::file::json_file;
use super::ids::PromptStem;
use super::record::{Entries, record};

record! {
    /// What a player has for one prompt.
    pub struct Output {
        /// The model's URL; `null` where there is none.
        pub glb: Option<String>,
        /// Its preview's URL; `null` where there is none.
        pub png: Option<String>,
        /// Seconds from request to answer; 0.0 for submitted files.
        pub generation_time: f64,
        /// Bytes of the model.
        pub size: u64,
        /// Attempts made.
        pub attempts: u32,
        /// Distance of the regenerated preview to the submitted one; 0.0 where none was measured.
        pub distance: f64,
    }
}

impl Output {
    /// Has it both a model and a preview?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.glb.is_some() && self.png.is_some()
    }
}

/// A player's outputs by prompt stem.
pub type Outputs = Entries<PromptStem, Output>;

json_file!(Outputs);
