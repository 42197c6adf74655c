//! Mesh: models are GLB files, drawn as four views, regenerated and compared by distance.

pub(super) mod model;
pub mod outputs;
pub mod report;

pub use self::model::container;
