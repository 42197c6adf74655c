//! What a command did, in the one shape in which all commands tell it: `docs/schemas/` describes the JSON.

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};

use crate::base::error::Error;

/// What a command did, or with `--dry-run` would do.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// The lines of its result.
    pub did: Vec<String>,
    /// The files that it wrote: from the competition's folder, or whole paths where they lie elsewhere. A folder ends
    /// in a slash: all in it is the command's.
    pub files: IndexSet<String>,
    /// With `--dry-run`: the files, as patterns, that it may write besides, by what is known only then.
    pub possible: IndexSet<String>,
    /// The commits that it made, each with its message.
    pub commits: IndexMap<String, String>,
    /// What no other command tells, by its names in JSON.
    pub own: Map<String, Value>,
    /// So many of the files and commits have been told already.
    pub(super) told: (usize, usize),
}

impl Done {
    /// Takes in what a step did.
    pub fn take_in(&mut self, step: &Done) {
        self.files.extend(step.files.iter().cloned());
        self.possible.extend(step.possible.iter().cloned());
        self.commits.extend(step.commits.clone());
    }

    /// Its part of the JSON.
    #[must_use]
    pub fn json(&self, dry_run: bool) -> Map<String, Value> {
        let list = |paths: &IndexSet<String>| json!(paths.iter().collect::<Vec<_>>());
        let mut json = Map::new();
        json.insert("did".to_owned(), json!(self.did));
        json.insert("files".to_owned(), list(&self.files));
        if dry_run {
            json.insert("possible_files".to_owned(), list(&self.possible));
        }
        json.insert("commits".to_owned(), json!(self.commits.keys().collect::<Vec<_>>()));
        json
    }
}

/// What an answer rests on.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The settings that are followed.
    pub settings: Option<String>,
}

/// An error's part of the JSON.
#[must_use]
pub fn failure_json(error: &Error) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("error".to_owned(), json!(error.to_string()));
    json.insert("causes".to_owned(), json!(error.causes()));
    json.insert("hints".to_owned(), json!(error.hints()));
    json
}
