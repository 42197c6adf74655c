//! GPU pods: where miners' programs run when their outputs are made again.
//!
//! A [`Provider`] rents pods; a program in a pod speaks the miners' HTTP contract. Every pod that is
//! asked for has a name that says whose it is, so that one that nobody knows of any more (a reply
//! that was lost, a run that was killed) is found by its name and released.

mod api;
pub mod docker;
pub(crate) mod endpoint;
pub mod lease;
pub mod program;
pub mod runpod;
pub(crate) mod settings;
pub mod targon;
pub mod verda;

use std::fmt;

use crate::base::error::Result;
use crate::model::ids::{Player, RoundNumber};
use crate::world::http::Secret;

pub use self::api::ApiPolicy;

/// The port on which every miner's program listens.
pub const PORT: u16 = 10006;

/// A pod's name: `g404-{round}-{first ten of the hotkey, lower case}-{run}-{number}`. At most 32
/// lower-case letters, digits and hyphens: what every provider takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName(String);

impl PodName {
    /// The name of a run's pod; `run` is four lower-case letters and digits of that run's own.
    #[must_use]
    pub fn new(round: RoundNumber, player: &Player, run: &str, number: usize) -> Self {
        PodName(format!("{}{run}-{number}", PodName::prefix(round, player)))
    }

    /// What the names of all pods of this player in this round begin with.
    #[must_use]
    pub fn prefix(round: RoundNumber, player: &Player) -> String {
        format!("g404-{round}-{}-", player.short().to_ascii_lowercase())
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A pod, as its provider knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub String);

/// A pod to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodOrder {
    /// What it will be called.
    pub name: PodName,
    /// Whose program it runs.
    pub player: Player,
    /// The image.
    pub image: String,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployed {
    /// It is on its way.
    Pod(PodId),
    /// The provider has no machine now, or no more for us: worth asking again later.
    NoCapacity(String),
}

/// Where a pod's program is reached.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its base URL, without a final slash.
    pub url: String,
    /// Sent as `Authorization: Bearer` with every request, where the provider's gate wants one.
    pub key: Option<Secret>,
}

/// How far a pod has come.
#[derive(Debug, Clone)]
pub enum PodState {
    /// Not reachable yet.
    Starting,
    /// Reachable; whether its program is ready is for `/health` to say.
    Reachable(Endpoint),
    /// It will never come up: why.
    Failed(String),
}

/// A pod that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As its provider knows it.
    pub id: PodId,
    /// Its name.
    pub name: String,
}

/// Somebody who rents pods.
pub trait Provider: fmt::Debug + Send + Sync {
    /// The driver's name, as settings spell it.
    fn name(&self) -> &'static str;

    /// Starts a pod. Never leaves two: where the answer to a request was lost, the pod of that name
    /// is looked for, and taken over or released.
    ///
    /// # Errors
    /// The provider refuses (a wrong key, a wrong image), or cannot be reached after all retries.
    fn deploy(&self, order: &PodOrder) -> Result<Deployed>;

    /// Looks at a pod.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    fn look(&self, pod: &PodId) -> Result<PodState>;

    /// Ends a pod, for good. One that is gone already is no error.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses: the pod may still run.
    fn release(&self, pod: &PodId) -> Result<()>;

    /// The pods whose names begin with `prefix`, on all pages of the provider's list.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>>;
}
