//! What `verify` and `report` judge: the files, the commits that wrote them, the objects that they name.

pub(crate) mod again;
mod answered;
pub(crate) mod commits;
pub(crate) mod continuity;
pub(crate) mod eras;
pub(crate) mod facts;
pub(crate) mod formats;
pub(crate) mod heads;
pub(crate) mod in_force;
mod in_force_by_path;
pub(crate) mod module_objects;
pub(crate) mod objects;
mod played;
pub(crate) mod published;
pub(crate) mod receipt;
pub(crate) mod signing;
