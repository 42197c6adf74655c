//! The format of a competition, as a value: the records of its files, its models, how the tournament runs and how
//! outputs are audited.
//!
//! [`detect::detect`] decides the format of a tree, once; from there it is passed on. What concerns the models alone is
//! in [`ModelFormat`]. Meshes have a folder here with their records (`mesh/`) and an arm in `records.rs`, the other
//! formats a snapshot of their own (`model/splat`, `model/threejs`). docs/architecture.md has the full list.

pub mod detect;
pub mod mesh;
mod model_format;
pub mod noted;
mod records;
mod splat;
mod threejs;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

pub use self::model_format::{DuelKeys, ModelFileError, ModelFormat, Previewed};

/// What a competition is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Gaussian splats.
    Splat,
    /// Textured meshes.
    #[default]
    Mesh,
    /// three.js modules.
    Threejs,
}

/// How the matches of a round determine the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// One challenger after the other meets whoever holds the lead.
    Walk,
    /// Qualification against the leader, then a timeline of challengers; a rejection restarts it.
    Timeline,
    /// As a walk, but each new holder is verified before it counts.
    Chain,
}

/// How an audit checks that a miner's program makes what the miner submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditBy {
    /// There are no audits: the organiser runs every program.
    Nothing,
    /// By the distance of each regenerated preview to the submitted one.
    Distance,
    /// By duels between what was submitted and what was regenerated.
    Duels,
}

impl Format {
    /// Every format, the oldest first.
    pub const ALL: [Format; 3] = [Format::Splat, Format::Mesh, Format::Threejs];

    /// Does gen404 run these competitions? The others are read and checked only.
    #[must_use]
    pub fn is_run(self) -> bool {
        matches!(self, Format::Mesh | Format::Threejs)
    }

    /// Its name in `config.json` and in the output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Splat => "splat",
            Format::Mesh => "mesh",
            Format::Threejs => "threejs",
        }
    }

    /// The format of its models.
    #[must_use]
    pub fn model(self) -> ModelFormat {
        match self {
            Format::Splat => ModelFormat::Ply,
            Format::Mesh => ModelFormat::Glb,
            Format::Threejs => ModelFormat::Js,
        }
    }

    /// How the matches of a round determine the leader.
    #[must_use]
    pub fn course(self) -> Course {
        match self {
            Format::Splat => Course::Walk,
            Format::Mesh => Course::Timeline,
            Format::Threejs => Course::Chain,
        }
    }

    /// How outputs are audited.
    #[must_use]
    pub fn audit(self) -> AuditBy {
        match self {
            Format::Splat => AuditBy::Nothing,
            Format::Mesh => AuditBy::Distance,
            Format::Threejs => AuditBy::Duels,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The key `format` in a `config.json` of the record that the formats which gen404 runs share; the others have records
/// of their own.
impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Shared {
            Mesh,
        }
        Shared::deserialize(deserializer).map(|Shared::Mesh| Format::Mesh)
    }
}
