//! What CIs, registries and files say about builds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::builds::BuildStatus;
use crate::model::ids::Hotkey;

/// What a driver observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildObservation {
    /// From a CI: its run, if any, and what the registry says about the images it was asked for.
    Ci {
        /// The run of the submissions.
        run: Option<CiRun>,
        /// By miner.
        images: BTreeMap<Hotkey, Presence>,
    },
    /// From a registry alone, by miner.
    Registry(BTreeMap<Hotkey, Presence>),
    /// From a file, by miner.
    Declared(BTreeMap<Hotkey, DeclaredBuild>),
}

/// A run of the CI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiRun {
    /// Its web page.
    pub url: String,
    /// How often it has been started.
    pub attempt: u64,
    /// When it was last started.
    pub started: Option<DateTime<Utc>>,
    /// Is it over, so that it starts no more jobs?
    pub over: bool,
    /// The job that determines the others, once it has appeared.
    pub setup: Option<CiJob>,
    /// The newest job of each miner.
    pub jobs: BTreeMap<Hotkey, CiJob>,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiJob {
    /// The attempt of the run that it belongs to.
    pub attempt: u64,
    /// `queued`, `in_progress`, `completed`, ...
    pub status: String,
    /// `success`, `failure`, ...; `None` until it is completed.
    pub conclusion: Option<String>,
}

impl CiJob {
    /// Did it succeed?
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.status == "completed" && self.conclusion.as_deref() == Some("success")
    }

    /// Has it ended?
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status == "completed"
    }
}

/// What a registry says about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It exists.
    There,
    /// It does not exist.
    Absent,
    /// The registry does not answer.
    Unknown,
}

/// What a file says about a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredBuild {
    /// Its status.
    pub status: BuildStatus,
    /// The image, if it is not named by the template.
    pub image: Option<String>,
}
