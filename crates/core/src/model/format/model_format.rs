//! Kinds of model files, and everything that differs between them.

use super::{mesh, splat, threejs};
use crate::model::refusals;

/// A kind of model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelFormat {
    /// Gaussian splats.
    Ply,
    /// Binary glTF 2.0.
    Glb,
    /// A three.js module.
    Js,
}

/// The facts about a kind of model file; the methods of [`ModelFormat`] return them.
pub(super) struct Facts {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// The extension of its files and objects.
    pub(super) extension: &'static str,
    /// Its content type in stores and answers.
    pub(super) media_type: &'static str,
    /// The key of its URL in `submitted.json` and `generated.json`.
    pub(super) key: &'static str,
    /// The keys of its URLs in a match report.
    pub(super) duel_keys: DuelKeys,
    /// The most bytes in a file.
    pub(super) largest: u64,
    /// Checks the head of a file, up to [`ModelFormat::HEAD`] bytes, and the size of the whole.
    pub(super) check: fn(&[u8], u64) -> Result<(), ModelFileError>,
    /// How its preview is made.
    pub(super) previewed: Previewed,
}

/// Why a file is not a model of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelFileError {
    /// Too short.
    #[error("not a {name} file: {size} bytes")]
    Short {
        /// The format.
        name: &'static str,
        /// The file's size in bytes.
        size: u64,
    },
    /// Another kind of file.
    #[error("not a {name} file: it begins with {begins:?}")]
    Other {
        /// The format.
        name: &'static str,
        /// How it begins.
        begins: String,
    },
    /// A file that was cut off, or has more after its end.
    #[error("a {name} file of {stated} bytes by its header, but {size} arrived")]
    Length {
        /// The format.
        name: &'static str,
        /// The size that it states.
        stated: u32,
        /// Its size in bytes.
        size: u64,
    },
    /// Another version.
    #[error("a {name} file of version {version}, not {known}")]
    Version {
        /// The format.
        name: &'static str,
        /// The file's version.
        version: u32,
        /// The version that is read.
        known: u32,
    },
}

impl ModelFileError {
    /// The code under which such a file is recorded as refused.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ModelFileError::Length { .. } => refusals::LENGTH,
            ModelFileError::Short { .. } | ModelFileError::Other { .. } | ModelFileError::Version { .. } => {
                refusals::NOT_A_MODEL
            }
        }
    }

    /// A file that begins with other bytes.
    pub(super) fn other(name: &'static str, begins: &[u8]) -> Self {
        ModelFileError::Other { name, begins: String::from_utf8_lossy(begins).into_owned() }
    }
}

/// The keys of the two models in a match report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuelKeys {
    /// The defender's.
    pub left: &'static str,
    /// The challenger's.
    pub right: &'static str,
}

/// How previews are rendered; `world/render.rs` opens the renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previewed {
    /// Four views in one picture, by the `preview` renderer; a render service takes the model as a form upload.
    FourViews {
        /// The service's path.
        path: &'static str,
        /// The file's name in the form.
        file: &'static str,
    },
    /// Not by gen404.
    Elsewhere,
}

impl ModelFormat {
    /// How many bytes of a file's head are enough to identify it.
    pub const HEAD: usize = mesh::model::HEADER;

    fn facts(self) -> &'static Facts {
        match self {
            ModelFormat::Ply => &splat::FACTS,
            ModelFormat::Glb => &mesh::model::FACTS,
            ModelFormat::Js => &threejs::FACTS,
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The extension of its files and objects.
    #[must_use]
    pub fn extension(self) -> &'static str {
        self.facts().extension
    }

    /// Its content type in stores and answers.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        self.facts().media_type
    }

    /// The key of its URL in `submitted.json` and `generated.json`.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.facts().key
    }

    /// The keys of its URLs in a match report.
    #[must_use]
    pub fn duel_keys(self) -> DuelKeys {
        self.facts().duel_keys
    }

    /// The most bytes in a file.
    #[must_use]
    pub fn largest(self) -> u64 {
        self.facts().largest
    }

    /// How its preview is made.
    #[must_use]
    pub fn previewed(self) -> Previewed {
        self.facts().previewed
    }

    /// Checks that this is the head of such a file of `size` bytes. A cheap check before anything is stored: it
    /// catches error pages and truncated bodies.
    ///
    /// # Errors
    /// It is not; the message says what was found.
    pub fn check(self, head: &[u8], size: u64) -> Result<(), ModelFileError> {
        (self.facts().check)(head, size)
    }
}
