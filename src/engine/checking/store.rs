//! Where a check puts what it would store.

use std::path::Path;

use crate::base::error::Result;
use crate::model::objects::{ObjectKey, ObjectKind};
use crate::world::probe::Probed;
use crate::world::store::dir::DirStore;
use crate::world::store::{NewObject, ObjectStore, Put};

/// Keeps previews and forgets models: a check needs a model only until it is drawn, and a round of them may be large.
#[derive(Debug, Clone)]
pub(crate) struct PreviewStore(DirStore);

impl PreviewStore {
    /// The store in this folder, created if missing.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        DirStore::open(folder, None).map(PreviewStore)
    }
}

impl ObjectStore for PreviewStore {
    fn name(&self) -> String {
        self.0.name()
    }

    fn url_of(&self, key: &ObjectKey) -> String {
        self.0.url_of(key)
    }

    fn key_of(&self, url: &str) -> Option<ObjectKey> {
        self.0.key_of(url)
    }

    fn put(&self, key: &ObjectKey, object: &NewObject<'_>) -> Result<Put> {
        match object.kind {
            ObjectKind::Model(_) => Ok(Put::Stored),
            ObjectKind::Preview | ObjectKind::Embeddings => self.0.put(key, object),
        }
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>> {
        self.0.get(key)
    }

    fn probe(&self, writes: bool) -> Result<Probed> {
        self.0.probe(writes)
    }
}
