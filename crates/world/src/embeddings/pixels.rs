//! Embeddings by plain pixels, for sandboxes: the mean colour of each of 128 cells of a picture.

use super::{Embedder, LENGTH, normalised};
use crate::base::error::{Error, Result};
use crate::distance::rgb::decode;
use crate::stop::Stop;

/// Cells across and down.
const CELLS: [usize; 2] = [16, 8];

/// The driver.
#[derive(Debug, Clone, Copy)]
pub struct PixelEmbedder;

impl Embedder for PixelEmbedder {
    fn name(&self) -> &'static str {
        "pixels"
    }

    fn embed(&self, pictures: &[&[u8]], _: &Stop) -> Result<Vec<Vec<f32>>> {
        pictures.iter().map(|picture| one(picture)).collect()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "means of bytes")]
fn one(picture: &[u8]) -> Result<Vec<f32>> {
    let rgb = decode(picture).map_err(|why| Error::failed(format!("a picture cannot be read: {why}")))?;
    let [across, down] = CELLS;
    let (width, height) = (rgb.width.max(1), rgb.height.max(1));
    let mut cells = vec![[0f64; 4]; across * down];
    for (at, pixel) in rgb.bytes.chunks_exact(3).enumerate() {
        let (x, y) = (at % width, at / width);
        let cell = cells.get_mut((y * down / height).min(down - 1) * across + (x * across / width).min(across - 1));
        if let (Some(cell), [r, g, b]) = (cell, pixel) {
            for (sum, value) in cell.iter_mut().zip([*r, *g, *b]) {
                *sum += f64::from(value) / 255.0;
            }
            cell[3] += 1.0;
        }
    }
    let means = cells.iter().flat_map(|[r, g, b, count]| [r, g, b].map(|sum| (sum / count.max(1.0)) as f32));
    let vector: Vec<f32> = means.collect();
    debug_assert_eq!(vector.len(), LENGTH);
    Ok(normalised(vector))
}
