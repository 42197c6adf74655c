//! The work of `check`: what `download` and `audit` would record of a miner's files, found out by their own pipelines in
//! a folder of the miner's own. Nothing is written into the competition.

pub(crate) mod chain;
pub(crate) mod fetched;
pub(crate) mod program;
pub(crate) mod source;
mod store;

use std::path::{Path, PathBuf};

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::engine::context::{Context, Standing};
use crate::model::ids::{Hotkey, Seed};
use crate::model::prompts::PromptList;

use self::source::Source;

/// What is checked, of whom, and with what.
pub(crate) struct CheckJob<'a> {
    pub(crate) context: &'a Context<'a>,
    /// The round, as if it were the current one.
    pub(crate) standing: &'a Standing,
    pub(crate) source: &'a Source,
    /// The miner, if it is known.
    pub(crate) hotkey: Option<&'a Hotkey>,
    pub(crate) prompts: &'a PromptList,
    /// The seed, once it is known or given.
    pub(crate) seed: Option<Seed>,
    pub(crate) work: &'a Path,
    pub(crate) render_service: Option<&'a str>,
    /// Allow hosts that are not public.
    pub(crate) allow_private: bool,
}

impl CheckJob<'_> {
    /// The name under which the files are counted.
    fn owner(&self) -> Hotkey {
        self.hotkey.cloned().unwrap_or_else(Hotkey::placeholder)
    }
}

/// The folder of the work: the miner's, or one that goes with the run.
#[derive(Debug)]
pub(crate) enum WorkFolder {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl WorkFolder {
    /// This folder, created if missing, or else a temporary one.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn open(kept: Option<PathBuf>) -> Result<Self> {
        match kept {
            Some(path) => {
                files::make_folder(&path)?;
                let whole = path.canonicalize().failed(|| format!("{}: cannot be used", path.display()))?;
                Ok(WorkFolder::Kept(whole))
            }
            None => {
                let made = tempfile::tempdir();
                made.map(WorkFolder::Passing).map_err(|e| Error::failed("no temporary folder can be made").because(e))
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            WorkFolder::Kept(path) => path,
            WorkFolder::Passing(folder) => folder.path(),
        }
    }
}
