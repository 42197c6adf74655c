//! `generations.json` of a player: what its program generated for each prompt, in order of completion.

use crate::model::file::json_file;
use crate::model::ids::PromptStem;
use crate::model::record::{Entries, record};

record! {
    /// What a program generated for one prompt.
    pub struct Generation [exact] {
        /// The splat's URL; `null` if there is none.
        pub ply: Option<String>,
        /// Its preview's URL; `null` if there is none.
        pub png: Option<String>,
        /// Seconds from request to answer.
        pub generation_time: f64,
        /// Bytes of the splat.
        pub size: u64,
    }
}

/// What a program generated, by prompt stem.
pub type Generations = Entries<PromptStem, Generation>;

json_file!(Generations[exact]);
