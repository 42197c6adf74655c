//! `submitted.json`, `generated_R.json` (and `generated.json` before round 5): the modules and their views.

use crate::model::file::json_file;
use crate::model::ids::PromptStem;
use crate::model::record::{Entries, record};

record! {
    /// What a player has for one prompt.
    pub struct Module [exact] {
        /// The module's URL, or `null` without one.
        pub js: Option<String>,
        /// The folder of its views, with a grid of four among them; `null` if they were not rendered.
        pub views: Option<String>,
        /// Why something is missing: a code of the services, or the miner's own words.
        pub failure_reason: Option<String>,
        /// Bytes of the module.
        pub size: u64,
    }
}

/// A player's modules by prompt stem.
pub type Modules = Entries<PromptStem, Module>;

json_file!(Modules[exact]);
