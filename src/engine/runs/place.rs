//! Where the record of a competition's runs lies. It is found without the settings, which may be what is broken.

use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::engine::context::{find_root, own_folder};
use crate::model::file::FileKind;
use crate::model::ids::RoundNumber;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::Store;
use crate::world::git::Git;

/// A competition and its operator's own folder.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) store: Store,
    /// The operator's own folder.
    pub(crate) own: PathBuf,
}

impl Place {
    /// The competition in this folder or around the current one; `None` if there is none, or its checkout is
    /// another user's.
    ///
    /// # Errors
    /// The folder cannot be read, or the own folder is a link.
    pub(crate) fn find(repo: Option<&Path>) -> Result<Option<Place>> {
        let root = match repo {
            Some(repo) => repo.to_owned(),
            None => find_root()?,
        };
        if !root.join(FileKind::State.path()).exists() {
            return Ok(None);
        }
        let store = Store::open(&root)?;
        let git = Git::open(store.root())?;
        if git.as_ref().is_some_and(|git| git.is_the_users().is_err()) {
            // What is made in another user's checkout would be in its owner's way.
            return Ok(None);
        }
        let own = own_folder(git.as_ref(), &store)?;
        Ok(Some(Place { store, own }))
    }

    /// The current round and its stage, if they can be read.
    pub(crate) fn standing(&self) -> Option<(RoundNumber, Stage)> {
        let state = self.store.need::<CompetitionState>(&FileKind::State).ok()?;
        Some((state.current_round, state.stage))
    }
}
