//! What CIs, registries and files say of builds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::builds::BuildStatus;
use crate::model::ids::Hotkey;

/// What a driver saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildObservation {
    /// On a CI: its run, where there is one, and what the registry says of images that it was asked for.
    Ci {
        /// The run of the submissions.
        run: Option<CiRun>,
        /// By miner.
        images: BTreeMap<Hotkey, Presence>,
    },
    /// In a registry alone, by miner.
    Registry(BTreeMap<Hotkey, Presence>),
    /// In a file.
    Declared(BTreeMap<Hotkey, DeclaredBuild>),
}

/// A run of the CI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiRun {
    /// Where people can look at it.
    pub url: String,
    /// How often it was started.
    pub attempt: u64,
    /// When it was started last.
    pub started: Option<DateTime<Utc>>,
    /// Will it start no more jobs?
    pub over: bool,
    /// The job that works out which others there will be, where it is there.
    pub setup: Option<CiJob>,
    /// The newest job of each miner.
    pub jobs: BTreeMap<Hotkey, CiJob>,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiJob {
    /// In which attempt of the run.
    pub attempt: u64,
    /// `queued`, `in_progress`, `completed`, ...
    pub status: String,
    /// `success`, `failure`, ...; nothing before it is completed.
    pub conclusion: Option<String>,
}

impl CiJob {
    /// Did it end well?
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.status == "completed" && self.conclusion.as_deref() == Some("success")
    }

    /// Did it end?
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status == "completed"
    }
}

/// What a registry says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    There,
    /// It is not.
    Absent,
    /// The registry does not tell us.
    Unknown,
}

/// What a file says of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredBuild {
    /// How far it is.
    pub status: BuildStatus,
    /// The image, where it is not named as all others are.
    pub image: Option<String>,
}
