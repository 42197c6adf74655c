//! GPU pods: where miners' programs run to regenerate their outputs.
//!
//! A [`Provider`] rents pods; a program in a pod implements the miners' HTTP contract. Each pod has a name that
//! tells whose it is, so that an orphaned one (a lost reply, a killed run) is found by its name and released.

mod api;
pub mod batch;
pub mod docker;
pub mod endpoint;
pub mod hardware;
pub mod lease;
pub mod program;
pub mod runpod;
pub mod settings;
pub mod targon;
pub mod verda;

use std::fmt;

use crate::base::error::Result;
use crate::base::text::counted;
use crate::http::Secret;
use crate::model::ids::{Player, RoundNumber};
use crate::probe::Probed;

pub use self::api::ApiPolicy;
pub use self::hardware::Hardware;

/// The port on which every miner's program listens.
pub const PORT: u16 = 10006;

/// A pod's name: `g404-{round}-{first ten of the hotkey, lower case}-{run}-{number}`. At most 32 lower-case
/// letters, digits and hyphens, which every provider accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName(String);

impl PodName {
    /// The name of a run's pod; `run` is four lower-case letters and digits, unique to that run.
    #[must_use]
    pub fn new(round: RoundNumber, player: &Player, run: &str, number: usize) -> Self {
        PodName(format!("{}{run}-{number}", PodName::prefix(round, player)))
    }

    /// The prefix of the names of all pods of this player in this round.
    #[must_use]
    pub fn prefix(round: RoundNumber, player: &Player) -> String {
        format!("g404-{round}-{}-", player.short().to_ascii_lowercase())
    }

    /// The prefix of the names of the pods that make this player's batches in this round, as the deployed services name
    /// them; a number follows.
    #[must_use]
    pub fn batch_prefix(round: RoundNumber, player: &Player) -> String {
        format!("miner-{:02}-{}-", round.0, player.short().to_ascii_lowercase())
    }

    /// The name of a pod for batches, after [`PodName::batch_prefix`].
    #[must_use]
    pub fn of_batches(name: &str) -> Self {
        PodName(name.to_owned())
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

/// The provider's id of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub String);

/// A pod to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodOrder {
    /// Its name.
    pub name: PodName,
    /// Whose program it runs.
    pub player: Player,
    /// The image.
    pub image: String,
    /// What it runs on.
    pub hardware: Hardware,
}

/// The result of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployed {
    /// It is starting.
    Pod(PodId),
    /// The provider has no machine now, or no more for us: worth retrying later.
    NoCapacity(String),
}

/// The address of a pod's program.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its base URL, without a trailing slash.
    pub url: String,
    /// Sent as `Authorization: Bearer` with every request, if the provider's gateway wants one.
    pub key: Option<Secret>,
}

/// The state of a pod.
#[derive(Debug, Clone)]
pub enum PodState {
    /// Not reachable yet.
    Starting,
    /// Reachable; `/health` says whether its program is ready.
    Reachable(Endpoint),
    /// It will never come up: why.
    Failed(String),
}

/// A pod that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The provider's id.
    pub id: PodId,
    /// Its name.
    pub name: String,
}

/// A provider of pods.
pub trait Provider: fmt::Debug + Send + Sync {
    /// The driver's name in settings.
    fn name(&self) -> &'static str;

    /// Starts a pod. Never leaves two: if the answer to a request is lost, the pod is looked up by its name,
    /// and adopted or released.
    ///
    /// # Errors
    /// The provider refuses (a wrong key, a wrong image), or cannot be reached after all retries.
    fn deploy(&self, order: &PodOrder) -> Result<Deployed>;

    /// The current state of a pod.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    fn look(&self, pod: &PodId) -> Result<PodState>;

    /// Ends a pod permanently. It is not an error if it is already gone.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses: the pod may still be running.
    fn release(&self, pod: &PodId) -> Result<()>;

    /// The pods whose names begin with `prefix`, from all pages of the provider's list.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>>;

    /// Are the programs' addresses the operator's own, so that nothing was deployed from the miner's image there? Then a
    /// program that never answers says nothing about the miner's.
    fn is_the_operators(&self) -> bool {
        false
    }

    /// Asks the cheapest question that needs the key: which pods are there? `order` is never placed.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    fn probe(&self, _order: &PodOrder) -> Result<Probed> {
        let ours = self.list(NAMES)?.len();
        Ok(Probed::fine(format!("{}: answers; {}", self.name(), ours_said(ours))))
    }
}

/// What the names of all our pods begin with.
const NAMES: &str = "g404-";

/// How many pods are ours.
fn ours_said(count: usize) -> String {
    counted(count, "pod of ours is there", "pods of ours are there")
}
