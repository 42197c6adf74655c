//! Mesh: models are GLB files, previewed in four views, audited by regenerating and comparing distances.

pub(super) mod model;
pub mod outputs;
pub mod report;

pub use self::model::container;
