//! How far apart two previews are: 0 for the same picture, up to 2.

#[cfg(feature = "dinov3")]
pub mod dinov3;
pub mod http;
pub(crate) mod pixels;
pub mod rgb;
pub mod settings;

use std::fmt;

use crate::world::http::shown_url;

/// A preview to compare: some drivers look at the bytes, others have a service fetch the URL.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Its public URL.
    pub url: &'a str,
    /// Its bytes, as PNG.
    pub png: &'a [u8],
}

impl Picture<'_> {
    /// Why this picture could not be looked at.
    fn fault(&self, why: impl fmt::Display) -> NotMeasured {
        NotMeasured(format!("{}: {why}", shown_url(self.url)))
    }
}

/// Why a pair could not be measured, which is neither a match nor a mismatch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotMeasured(pub String);

/// Something that measures distances.
pub trait Distance: fmt::Debug + Send + Sync {
    /// The driver's name, as settings and messages spell it.
    fn name(&self) -> &'static str;

    /// The distance of each pair, in their order; `Err` says why one could not be measured, which is
    /// neither a match nor a mismatch.
    fn measure(&self, pairs: &[(Picture<'_>, Picture<'_>)]) -> Vec<Result<f64, NotMeasured>>;
}
