//! Previews: from the bytes of a model to the bytes of a picture.

use std::num::NonZeroUsize;

use crate::error::Result;
use crate::preview::{self, Options};

/// What came of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendering {
    /// The preview, as PNG.
    Png(Vec<u8>),
    /// The model cannot be drawn, and never will: no retry helps.
    Refused {
        /// A stable reason, where the renderer gives one.
        code: Option<String>,
        /// Where in the file, where the renderer says.
        place: Option<String>,
        /// What is wrong, in a sentence.
        message: String,
    },
}

/// Something that draws previews.
pub trait Renderer: Send + Sync {
    /// The driver's name, as settings and reports spell it.
    fn name(&self) -> &'static str;

    /// Draws the preview of a GLB model.
    ///
    /// # Errors
    /// The renderer could not be asked, or failed for a reason that is not the model's.
    fn render(&self, glb: &[u8]) -> Result<Rendering>;
}

/// The embedded renderer: on this machine's processor, the same bytes everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    options: Options,
}

impl Builtin {
    /// Views of `size` pixels a side, drawn by up to `threads` threads a model.
    #[must_use]
    pub fn new(size: u32, threads: NonZeroUsize) -> Self {
        Builtin { options: Options { size, threads } }
    }
}

impl Renderer for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    fn render(&self, glb: &[u8]) -> Result<Rendering> {
        Ok(match preview::render(glb, &self.options) {
            Ok(preview) => Rendering::Png(preview.png()),
            Err(refusal) => Rendering::Refused {
                code: Some(refusal.code.as_str().to_owned()),
                place: Some(refusal.place),
                message: refusal.message.into_owned(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_no_error() {
        let renderer = Builtin::new(preview::DEFAULT_SIZE, NonZeroUsize::MIN);
        let Rendering::Refused { code, .. } = renderer.render(b"").unwrap() else { panic!("drawn") };
        assert_eq!((renderer.name(), code.as_deref()), ("builtin", Some("container.header")));
    }
}
