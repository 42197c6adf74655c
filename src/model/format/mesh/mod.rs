//! Mesh: models are GLB files, drawn as four views, regenerated and compared by distance.

pub(super) mod model;
pub(super) mod outputs;
pub(super) mod report;

pub use self::model::container;
