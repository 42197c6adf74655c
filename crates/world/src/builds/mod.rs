//! Sources of the state of miners' image builds: a CI, a registry, a file.

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
use crate::probe::Probed;

/// What to look for.
#[derive(Debug, Clone)]
pub struct WantedBuilds {
    /// The round.
    pub round: RoundNumber,
    /// The commit that wrote its submissions, if there is a history.
    pub pushed: Option<Pushed>,
    /// The miners without a recorded image, each with the name that the image will have.
    pub unbuilt: Vec<(Hotkey, String)>,
}

/// A commit and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its id in hex.
    pub commit: String,
    /// The time of the commit.
    pub at: DateTime<Utc>,
}

/// A source of build states.
pub trait BuildSource: Send + Sync {
    /// Its name in messages.
    fn name(&self) -> String;

    /// Looks once.
    ///
    /// # Errors
    /// It could not be asked, or its answer makes no sense.
    fn look(&self, wanted: &WantedBuilds) -> Result<BuildObservation>;

    /// Asks the cheapest question that shows that it can be asked; `image` is an image that need not exist.
    ///
    /// # Errors
    /// It cannot be asked, or refuses.
    fn probe(&self, image: &str) -> Result<Probed>;
}
