//! A preview of a GLB model: four views in one picture, drawn on the CPU.
//!
//! It stands in for the render service that the competition deploys (the reference renderer): the same
//! models are accepted, and the pictures differ by less than two of the reference's own back ends do.
//! Unlike there, the same file gives the same bytes everywhere: nothing here depends on a GPU, a
//! driver, the count of threads or the machine's mathematical functions.
//!
//! ```text
//! bytes -> container -> accessor, scene, material, picture -> model
//! model -> project (vertices, bins) -> raster (coverage, depth) -> shade -> lanczos -> grid -> encode
//! ```
//!
//! Two verdicts are stricter than the reference's, on purpose: a model that requires an extension that
//! this renderer does not read is refused (the reference draws it blank), and so is one beyond the
//! limits of [`limits`]. One picture is righter: textures whose rows the reference misreads on upload
//! (three-channel textures whose width is no multiple of four) are drawn as they are.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel arithmetic: casts saturate or wrap on purpose, and sizes are bounded where they enter"
)]

mod accessor;
mod base64;
mod camera;
mod container;
mod cover;
mod encode;
mod grid;
mod json;
mod lanczos;
pub mod limits;
mod material;
mod mesh;
mod model;
mod normals;
mod picture;
mod project;
mod raster;
mod refusal;
mod scene;
mod setup;
mod shade;
mod texture;
mod threads;
mod tone;

use std::num::NonZeroUsize;

pub use refusal::{Refusal, RefusalCode};

use limits::Budget;
use threads::Threads;

/// Edge of a view in pixels, as the reference renderer draws it.
pub const DEFAULT_SIZE: u32 = 518;
/// The smallest and largest edge of a view, in pixels.
pub const SIZES: std::ops::RangeInclusive<u32> = 16..=2048;

/// How a preview is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Edge of one view in pixels, brought within [`SIZES`]; the grid is twice that and 5 more.
    pub size: u32,
    /// How many threads may draw; it does not change the picture.
    pub threads: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        Self { size: DEFAULT_SIZE, threads: NonZeroUsize::MIN }
    }
}

/// A drawn preview.
#[derive(Debug, Clone)]
pub struct Preview {
    edge: usize,
    rgb: Vec<u8>,
    threads: NonZeroUsize,
}

impl Preview {
    /// Edge of the whole picture in pixels; it is square.
    #[must_use]
    pub fn edge(&self) -> usize {
        self.edge
    }

    /// The picture, 8-bit RGB, rows from the top.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The picture as PNG, the same bytes on every machine.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        encode::png(&self.rgb, self.edge, Threads(self.threads))
    }
}

/// Draws the preview of the GLB model in `glb`.
///
/// # Errors
///
/// A [`Refusal`] for a model that the reference renderer would refuse as well, and for the stricter
/// cases named in the module's text.
pub fn render(glb: &[u8], options: &Options) -> Result<Preview, Refusal> {
    draw(glb, options, &mut Budget::default())
}

/// As [`render`], where the decoded data of the model takes no more than `bytes`; `None` where it would.
/// So the caller decides how much memory a model may have before it is known what is in the file.
pub fn render_within(glb: &[u8], options: &Options, bytes: u64) -> Option<Result<Preview, Refusal>> {
    let mut budget = Budget::of(bytes);
    let drawn = draw(glb, options, &mut budget);
    (!budget.too_small()).then_some(drawn)
}

fn draw(glb: &[u8], options: &Options, budget: &mut Budget) -> Result<Preview, Refusal> {
    let threads = Threads(options.threads);
    let size = options.size.clamp(*SIZES.start(), *SIZES.end()) as usize;
    let model = model::Model::load(glb, threads, budget)?;
    if budget.too_small() {
        // Something that a model can do without was passed over for want of room: not drawn in vain.
        return Err(Refusal::new(RefusalCode::DataTooLarge, "", "more than there is room for"));
    }
    let rgb = grid::draw(&model, size, threads);
    Ok(Preview { edge: 2 * size + grid::GAP, rgb, threads: options.threads })
}
