//! `generations.json` of a player: what its program made for each prompt, in the order in which it was done.

use crate::model::file::json_file;
use crate::model::ids::PromptStem;
use crate::model::record::{Entries, record};

record! {
    /// What a program made for one prompt.
    pub struct Generation {
        /// The splat's URL; `null` where nothing came.
        pub ply: Option<String>,
        /// Its preview's URL; `null` where nothing was drawn.
        pub png: Option<String>,
        /// Seconds from request to answer.
        pub generation_time: f64,
        /// Bytes of the splat.
        pub size: u64,
    }
}

/// What a program made, by prompt stem.
pub type Generations = Entries<PromptStem, Generation>;

json_file!(Generations);
