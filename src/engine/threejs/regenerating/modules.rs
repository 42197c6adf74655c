//! Where the modules that a program makes are stored, with their views.

use crate::base::error::{Error, Result};
use crate::engine::threejs::objects::{KeptModule, ModulePlace, ViewMaker};
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::rules::threejs::repeats::marks::StoredModule;
use crate::world::stop::Stop;
use crate::world::store::ObjectStore;

/// Stores modules. Called from several threads.
pub(super) trait Modules: Sync {
    /// Stores a module of this player under `rounds/N/{player}/{folder}/{stem}`, and its views if it can be rendered.
    ///
    /// # Errors
    /// The store or the renderer failed: nothing is known of the module.
    fn put(
        &self,
        player: &Player,
        folder: &str,
        prompt: (&PromptStem, &str),
        source: &[u8],
        stop: &Stop,
    ) -> Result<StoredModule>;
}

/// The operator's store and renderer.
pub(super) struct StoredModules {
    pub(super) store: Box<dyn ObjectStore>,
    pub(super) maker: ViewMaker,
    pub(super) round: RoundNumber,
}

impl Modules for StoredModules {
    fn put(
        &self,
        player: &Player,
        folder: &str,
        prompt: (&PromptStem, &str),
        source: &[u8],
        stop: &Stop,
    ) -> Result<StoredModule> {
        let place = ModulePlace { store: self.store.as_ref(), round: self.round, player, folder };
        // A module that cannot be rendered counts as generated; it loses its duels for want of views.
        let KeptModule { module, sums, .. } = place.keep(&self.maker, prompt, source, stop)?;
        let js = module.js.ok_or_else(|| Error::failed(format!("{}: the store gave no URL", prompt.0)))?;
        Ok(StoredModule { js, views: module.views, size: module.size, sums })
    }
}
