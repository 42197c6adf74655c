//! The distance between two previews: 0 for the same picture, up to 2.

#[cfg(feature = "dinov3")]
pub mod dinov3;
pub mod http;
pub mod pixels;
pub mod rgb;
pub mod settings;

use std::fmt;

use crate::http::shown_url;
use crate::probe::Probed;

/// A preview to compare: some drivers use its bytes, others have a service fetch its URL.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Its public URL.
    pub url: &'a str,
    /// Its bytes, as PNG.
    pub png: &'a [u8],
}

impl Picture<'_> {
    /// An error about this picture.
    fn fault(&self, why: impl fmt::Display) -> NotMeasured {
        NotMeasured(format!("{}: {why}", shown_url(self.url)))
    }
}

/// Why a pair could not be measured, which counts neither as a match nor as a mismatch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotMeasured(pub String);

/// A measure of distances.
pub trait Distance: fmt::Debug + Send + Sync {
    /// The driver's name in settings and messages.
    fn name(&self) -> &'static str;

    /// The distance of each pair, in the given order; `Err` says why one could not be measured, which counts
    /// neither as a match nor as a mismatch.
    fn measure(&self, pairs: &[(Picture<'_>, Picture<'_>)]) -> Vec<Result<f64, NotMeasured>>;

    /// Measures a picture against itself, if a server is to be asked.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    fn probe(&self, _picture: Option<&str>) -> crate::base::error::Result<Probed> {
        Ok(Probed::fine(format!("{}: in this process", self.name())))
    }
}
