//! Where the state of miners' image builds is known: a CI, a registry, a file.

mod cache;
mod file;
mod github;
mod registry;
pub mod settings;
mod web;

use chrono::{DateTime, Utc};

pub use self::file::FileBuilds;
pub use self::github::GitHub;
pub use self::registry::Registry;
use crate::base::error::Result;
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::observation::BuildObservation;

/// What is asked about.
#[derive(Debug, Clone)]
pub struct WantedBuilds {
    /// The round.
    pub round: RoundNumber,
    /// The commit that wrote its submissions, where there is a history.
    pub pushed: Option<Pushed>,
    /// The miners that have no image on record, each with the name that its image will have.
    pub unbuilt: Vec<(Hotkey, String)>,
}

/// A commit, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its id in hex.
    pub commit: String,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// Something that knows of builds.
pub trait BuildSource: Send + Sync {
    /// What messages call it.
    fn name(&self) -> String;

    /// Looks once.
    ///
    /// # Errors
    /// It could not be asked, or does not answer as it should.
    fn look(&self, wanted: &WantedBuilds) -> Result<BuildObservation>;
}
