//! What `verify` and `report` judge: the files, the commits that wrote them, the objects that they name.

pub(crate) mod commits;
pub(crate) mod eras;
pub(crate) mod facts;
pub(crate) mod formats;
pub(crate) mod in_force;
mod in_force_by_path;
pub(crate) mod objects;
mod played;
pub(crate) mod published;
