//! A preview of a GLB model: four views in one picture, drawn on the CPU.
//!
//! It stands in for the render service that the competition deploys (the reference renderer): it accepts the same
//! models, and its pictures differ less from the reference's than those of the reference's own back ends do.
//! Unlike there, the same file gives the same bytes everywhere: nothing here depends on a GPU, a
//! driver, the count of threads or the machine's mathematical functions.
//!
//! ```text
//! bytes -> container -> accessor, scene, material, picture -> model
//! model -> project (vertices, bins) -> raster (coverage, depth) -> paint, shade -> lanczos -> grid -> encode
//! ```
//!
//! Some verdicts are stricter than the reference's on purpose: a model is refused if it requires an extension that
//! holds its geometry (the reference draws it blank), has a texture that only the reference decodes (the readme lists
//! them), or exceeds the limits of [`limits`]. One picture is better: textures whose rows the reference misreads on
//! upload (three-channel textures whose width is not a multiple of four) are drawn correctly.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel arithmetic: casts saturate or wrap on purpose, and sizes are bounded where they enter"
)]

mod accessor;
mod base64;
mod batch;
mod camera;
mod container;
mod convert;
mod cost;
mod cover;
mod depth;
mod encode;
mod enlarge;
mod gallery;
mod grid;
mod json;
mod lanczos;
mod lens;
pub mod limits;
mod material;
mod mesh;
mod model;
mod normals;
mod numbers;
mod paint;
mod picture;
mod project;
mod raster;
mod refusal;
mod rows;
mod scene;
mod setup;
mod shade;
mod specgloss;
mod texture;
mod threads;
mod tone;

#[cfg(test)]
#[allow(dead_code, unreachable_pub, clippy::panic, clippy::unwrap_used, reason = "shared with the tests from outside")]
#[path = "../tests/preview/models.rs"]
mod models;

use std::num::NonZeroUsize;

pub use refusal::{Refusal, RefusalCode};

use container::Container;
use grid::Drawing;
use limits::{Budget, Watch};
use model::Model;
use project::Vertices;
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
    draw(glb, options, &mut Budget::default(), Watch::NONE)
}

/// Why there is no verdict on a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It needs more memory than it was given.
    NoRoom,
    /// The caller asked to stop.
    Stopped,
}

/// As [`render`], where file, decoded data and pictures together take no more than `bytes`. So the caller
/// decides how much memory a model may have before it is known what is in the file. `stopped` is asked every
/// few hundredths of a second, from any thread; once it says yes, it must keep saying so.
///
/// # Errors
///
/// A [`Cut`], which says nothing about the model.
pub fn render_within(
    glb: &[u8],
    options: &Options,
    bytes: u64,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Result<Preview, Refusal>, Cut> {
    let mut budget = Budget::of(bytes);
    let drawn = draw(glb, options, &mut budget, Watch(stopped));
    if stopped() {
        return Err(Cut::Stopped);
    }
    if budget.too_small() { Err(Cut::NoRoom) } else { Ok(drawn) }
}

/// What drawing a model takes, counted against [`limits::MAX_MEMORY`] and [`limits::MAX_WORK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of the file, of decoded data, and of pictures. Textures that are too large to be in memory
    /// together need more than this: what is seen of them is known once it is drawn.
    pub bytes: u64,
    /// In about nanoseconds of one core.
    pub work: u64,
}

/// What drawing a model with one thread will take, known before anything of it is drawn.
///
/// # Errors
///
/// As for [`render`].
pub fn cost(glb: &[u8], options: &Options) -> Result<Cost, Refusal> {
    let mut budget = Budget::default();
    prepared(glb, options, &mut budget, Watch::NONE, |_, _| Ok(()))?;
    let (bytes, work) = budget.taken();
    Ok(Cost { bytes, work })
}

fn draw(glb: &[u8], options: &Options, budget: &mut Budget, watch: Watch<'_>) -> Result<Preview, Refusal> {
    let (rgb, size) =
        prepared(glb, options, budget, watch, |drawing, budget| Ok((drawing.draw(budget)?, drawing.size)))?;
    Ok(Preview { edge: 2 * size + grid::GAP, rgb, threads: options.threads })
}

/// Does something with a model once it is loaded and its cost is known and within bounds.
fn prepared<T>(
    glb: &[u8],
    options: &Options,
    budget: &mut Budget,
    watch: Watch<'_>,
    then: impl FnOnce(&Drawing<'_>, &mut Budget) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let threads = Threads(options.threads);
    let size = options.size.clamp(*SIZES.start(), *SIZES.end()) as usize;
    budget.set_size(size);
    if glb.len() as u64 > limits::MAX_FILE_BYTES {
        return Err(Refusal::too_long(glb.len() as u64));
    }
    budget.take(glb.len() as u64, "file")?;
    let Container { document, buffers } = Container::split(glb, budget)?;
    watch.check()?;
    let model = Model::load(&document, &buffers, budget, (threads, watch))?;
    drop(document);
    let mesh = &model.mesh;
    let vertices = Vertices::bytes(&mesh.positions);
    budget.take(vertices, "POSITION")?;
    let counts = cost::count(&mesh.positions, &mesh.triangles, 2 * size, model.style(), budget, (threads, watch))?;
    budget.give_back(vertices);
    let drawing = Drawing { model: &model, counts: &counts, size, threads, watch };
    drawing.charge(budget)?;
    then(&drawing, budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn drawn(glb: &[u8], together: u64) -> (Result<Vec<u8>, Refusal>, u64) {
        let mut budget = Budget::default();
        budget.together = together;
        let options = Options { size: 64, threads: NonZeroUsize::new(3).unwrap() };
        let drawn = draw(glb, &options, &mut budget, Watch::NONE);
        (drawn.map(|preview| preview.rgb), budget.taken().1)
    }

    /// A ball with pictures in these slots, each one a picture of its own.
    fn ball(slots: &[(&str, Vec<u8>)], uvs: bool) -> Vec<u8> {
        let (positions, coordinates, triangles) = models::ball(9);
        let mut b = models::Builder::new();
        b.floats("POSITION", &positions).indices(&triangles);
        if uvs {
            b.floats("TEXCOORD_0", &coordinates);
        }
        let mut material = json!({"pbrMetallicRoughness": {}, "emissiveFactor": [0.2, 0.3, 0.4]});
        for (slot, picture) in slots {
            let texture = b.texture(picture);
            let inner = matches!(*slot, "baseColorTexture" | "metallicRoughnessTexture");
            let target = if inner { &mut material["pbrMetallicRoughness"] } else { &mut material };
            target[*slot] = json!({"index": texture});
        }
        b.material(material);
        b.glb()
    }

    #[test]
    fn textures_one_after_the_other_give_the_same_bytes() {
        use png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
        let waves = |color| models::waves(40, color);
        let dull = models::full().to_vec();
        for glb in [
            dull,
            models::glassy(),
            models::coloured(),
            ball(&[("baseColorTexture", waves(Rgba)), ("normalTexture", waves(Rgb))], true),
            ball(&[("emissiveTexture", waves(Grayscale)), ("occlusionTexture", waves(GrayscaleAlpha))], true),
            ball(
                &[("baseColorTexture", models::jpeg(33, 20, Some(9))), ("metallicRoughnessTexture", waves(Rgb))],
                true,
            ),
        ] {
            let (together, work) = drawn(&glb, u64::MAX);
            let (apart, more) = drawn(&glb, 0);
            assert!(together.is_ok() && together == apart);
            assert!(more >= work);
        }
    }

    #[test]
    fn textures_one_after_the_other_give_the_same_refusals() {
        use png::ColorType::{GrayscaleAlpha, Rgb};
        let cut = |slot| (slot, models::waves(64, Rgb)[..200].to_vec());
        let grey = |slot| (slot, models::waves(8, GrayscaleAlpha));
        let sound = |slot| (slot, models::waves(8, Rgb));
        for glb in [
            ball(&[cut("baseColorTexture"), grey("normalTexture")], true),
            ball(&[grey("baseColorTexture"), grey("emissiveTexture")], true),
            ball(&[grey("emissiveTexture"), sound("baseColorTexture")], false),
            ball(&[sound("emissiveTexture"), sound("normalTexture")], false),
            ball(&[cut("metallicRoughnessTexture"), cut("occlusionTexture")], true),
        ] {
            let (together, _) = drawn(&glb, u64::MAX);
            assert!(together.is_err());
            assert_eq!(together, drawn(&glb, 0).0);
        }
    }

    #[test]
    fn a_model_that_does_not_fit_its_room_has_no_verdict_and_one_that_does_is_as_ever() {
        let (glb, options) = (models::full(), Options { size: 64, ..Options::default() });
        let Cost { bytes, .. } = cost(&glb, &options).unwrap();
        let within = |bytes| render_within(&glb, &options, bytes, &|| false);
        assert_eq!(within(bytes - 1).unwrap_err(), Cut::NoRoom);
        assert_eq!(within(bytes).unwrap().unwrap().rgb, render(&glb, &options).unwrap().rgb);
        assert!(matches!(render_within(&glb[..30], &options, bytes, &|| false), Ok(Err(_))));
    }

    #[test]
    fn who_asks_to_stop_gets_no_verdict() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let (glb, options) = (models::full(), Options { size: 64, ..Options::default() });
        let looks = AtomicU32::new(0);
        let count = || looks.fetch_add(1, Ordering::Relaxed) > u32::MAX / 2;
        assert!(render_within(&glb, &options, u64::MAX, &count).unwrap().is_ok());
        let all = looks.into_inner();
        for after in [0, 1, 2, 5, all / 2, all - 1] {
            let looks = AtomicU32::new(0);
            let stopped = || looks.fetch_add(1, Ordering::Relaxed) >= after;
            assert_eq!(render_within(&glb, &options, u64::MAX, &stopped).unwrap_err(), Cut::Stopped, "{after}");
            assert!(looks.into_inner() < after + 50, "{after}: it went on for long");
        }
    }
}
