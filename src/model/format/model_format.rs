//! What a format says of its models: everything that differs between one kind of model file and another.

use super::mesh;

/// A kind of model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelFormat {
    /// Binary glTF 2.0.
    Glb,
}

/// What there is to know of a kind of model file.
pub(super) struct Facts {
    /// What messages call it.
    pub(super) name: &'static str,
    /// Of its files and objects.
    pub(super) extension: &'static str,
    /// Its content type in stores and answers.
    pub(super) media_type: &'static str,
    /// The key of its URL in `submitted.json` and `generated.json`.
    pub(super) key: &'static str,
    /// The keys of its URLs in a match report.
    pub(super) duel_keys: DuelKeys,
    /// Most bytes of a file.
    pub(super) largest: u64,
    /// Checks the head of a file, up to [`ModelFormat::HEAD`] bytes, and the size of the whole.
    pub(super) check: fn(&[u8], u64) -> Result<(), String>,
    /// How its preview is made.
    pub(super) previewed: Previewed,
}

/// The keys of the two models in a match report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuelKeys {
    /// The defender's.
    pub left: &'static str,
    /// The challenger's.
    pub right: &'static str,
}

/// How previews are made; `world/render.rs` opens the renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previewed {
    /// Four views in one picture, by the renderer in `preview/`; a render service takes the model as a file of a form.
    FourViews {
        /// The service's path.
        path: &'static str,
        /// What the file is called in the form.
        file: &'static str,
    },
}

impl ModelFormat {
    /// So many bytes of a file's head are looked at, at most, to know what it is.
    pub const HEAD: usize = mesh::model::HEADER;

    fn facts(self) -> &'static Facts {
        match self {
            ModelFormat::Glb => &mesh::model::FACTS,
        }
    }

    /// What messages call it.
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

    /// Most bytes of a file.
    #[must_use]
    pub fn largest(self) -> u64 {
        self.facts().largest
    }

    /// How its preview is made.
    #[must_use]
    pub fn previewed(self) -> Previewed {
        self.facts().previewed
    }

    /// Is this the head of such a file of `size` bytes? The cheap half of the check, made before anything is stored:
    /// an error page, or a body that was cut off, ends here.
    ///
    /// # Errors
    /// What it is instead.
    pub fn check(self, head: &[u8], size: u64) -> Result<(), String> {
        (self.facts().check)(head, size)
    }
}
