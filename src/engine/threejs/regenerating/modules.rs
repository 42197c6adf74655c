//! Where the modules that a program makes are stored, with their views.

use crate::base::error::{Context as _, Result};
use crate::engine::threejs::objects::{Made, ModulePlace, ViewMaker};
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::rules::threejs::repeats::marks::StoredModule;
use crate::world::stop::Stop;
use crate::world::store::{Bytes, ObjectStore, sha256_of};

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
        (stem, prompt): (&PromptStem, &str),
        source: &[u8],
        stop: &Stop,
    ) -> Result<StoredModule> {
        let place = ModulePlace { store: self.store.as_ref(), round: self.round, player, folder };
        let (size, sha256) = (source.len() as u64, sha256_of(source).failed(|| format!("{stem}: no digest"))?);
        let module = place.put_module(stem, Bytes::Memory(source), size, &sha256)?;
        let mut sums = vec![(module.path.clone(), sha256)];
        // A module that cannot be rendered counts as generated; it loses its duels for want of views.
        let views = match self.maker.make(source, prompt, stop)? {
            Made::Refused(_) => None,
            Made::Views(files) => {
                let stored = place.put_views(stem, &files)?;
                let all = stored.more.iter().chain([&stored.grid]);
                sums.extend(all.map(|object| (object.path.clone(), object.sha256.clone())));
                stored.grid.url.strip_suffix("/grid.png").map(str::to_owned)
            }
        };
        Ok(StoredModule { js: module.url, views, size, sums })
    }
}
