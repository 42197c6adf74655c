//! Embeddings of a module's white views and of its prompt: `embeddings.npz`, by which the judge picks each side's best
//! view.

pub mod http;
pub mod npz;
pub mod pixels;
pub mod settings;

use std::fmt;

use crate::base::error::{Error, Result};
use crate::stop::Stop;
use crate::views::{Views, WHITE};

/// The length of an embedding by DINOv3 ViT-S/16.
pub const LENGTH: usize = 384;

/// Embeds pictures.
pub trait Embedder: fmt::Debug + Send + Sync {
    /// The driver's name in settings and messages.
    fn name(&self) -> &'static str;

    /// The embedding of each picture, in the given order, each with the L2 norm 1 (or 0). Called from several threads.
    ///
    /// # Errors
    /// They cannot be embedded now: the driver failed, or a picture cannot be read.
    fn embed(&self, pictures: &[&[u8]], stop: &Stop) -> Result<Vec<Vec<f32>>>;
}

/// The bytes of `embeddings.npz`: the prompt's picture first, then the white views.
///
/// # Errors
/// The driver failed.
pub fn of_views(embedder: &dyn Embedder, prompt: &[u8], views: &Views, stop: &Stop) -> Result<Vec<u8>> {
    let pictures: Vec<&[u8]> = std::iter::once(prompt).chain(views.white.iter().map(Vec::as_slice)).collect();
    let names = std::iter::once("prompt".to_owned()).chain(WHITE.iter().map(|(name, ..)| format!("view_{name}")));
    let embedded = embedder.embed(&pictures, stop)?;
    let arrays: Vec<(String, Vec<f32>)> = names.zip(embedded).collect();
    npz::write(&arrays).ok_or_else(|| Error::failed("the embeddings are too large for an archive"))
}

/// A vector divided by its L2 norm; one of norm 0 stays as it is.
pub fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
    if norm > 0.0 {
        for value in &mut vector {
            #[allow(clippy::cast_possible_truncation, reason = "a quotient of at most 1")]
            let scaled = (f64::from(*value) / norm) as f32;
            *value = scaled;
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_norm_becomes_one_and_zero_stays() {
        assert_eq!(normalised(vec![3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(normalised(vec![0.0; 2]), [0.0; 2]);
    }
}
