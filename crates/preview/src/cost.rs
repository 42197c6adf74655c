//! What drawing a model costs, known before anything of it is drawn.
//!
//! The unit is about a nanosecond of one core of a 2024 server, measured with the models that are worst
//! for each price, and rounded up; a price stands for the same work on every machine. Counts are of what
//! the drawing loops really go through, or more: a test holds them to it. So one number bounds the time,
//! whatever a model is made of, and the same files are refused everywhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::camera::{VIEWS, View};
use super::cover::{SAMPLES, looks};
use super::limits::{Budget, Watch};
use super::material::TextureSlots;
use super::project::{CHUNK, TILE, Vertices, touched};
use super::refusal::Checked;
use super::rows::{Rows, Triangles};
use super::setup::Fixed;
use super::threads::Threads;

/// A vertex: decoded and checked.
pub(crate) const VERTEX: u64 = 60;
/// An index: decoded and checked.
pub(crate) const INDEX: u64 = 6;
/// A triangle that normals are made of.
pub(crate) const NORMAL: u64 = 100;
/// A triangle looked at and passed over.
pub(crate) const LOOK: u64 = 3;
/// Opening a picture that may not be drawn: what is packed in its header.
pub(crate) const OPEN: u64 = 300_000_000;
/// A byte of a PNG's pixels.
pub(crate) const PNG: u64 = 3;
/// A byte of a packed picture.
pub(crate) const PACKED: u64 = 4;
/// A block of a PNG's packed data, which may hold nothing but the description of a code. One core works on it alone.
pub(crate) const PNG_BLOCK: u64 = 3000;
/// The fewest bytes of such a block.
pub(crate) const PNG_BLOCK_BYTES: u64 = 11;
/// A channel of a JPEG's pixel.
pub(crate) const JPEG: u64 = 5;
/// A byte of its packed coefficients.
pub(crate) const JPEG_PACKED: u64 = 30;
/// A block of a progressive JPEG in each of its scans.
pub(crate) const JPEG_SCAN: u64 = 25;
/// A byte of a JPEG's Huffman tables.
pub(crate) const JPEG_TABLE: u64 = 30;
/// A group of a WebP's Huffman codes.
pub(crate) const WEBP_GROUP: u64 = 10_000;
/// A pixel of a WebP.
pub(crate) const WEBP: u64 = 40;
/// A byte of pixels in a format with little or no packing.
pub(crate) const PLAIN: u64 = 6;
/// A byte of packed data that may hold nothing but the description of a code.
pub(crate) const DEFLATED: u64 = PNG_BLOCK / PNG_BLOCK_BYTES;
/// A strip or a tile of a TIFF, with the tables that unpack it.
pub(crate) const TIFF_PART: u64 = 30_000;
/// A pixel of textures that are converted: enlarged, and turned into base colour and metalness.
pub(crate) const CONVERT: u64 = 250;
/// A texel made ready for sampling.
pub(crate) const TEXEL: u64 = 3;

/// A vertex projected to all views, to count and to draw.
const PROJECT: u64 = 60;
/// A triangle in a view, each time that they are gone through: whether it shows its front.
const TRIANGLE: u64 = 25;
/// The same where its corners are projected each time.
const TRIANGLE_ANEW: u64 = 80;
/// A tile that a triangle's box touches.
const TEST: u64 = 12;
/// A triangle in a tile that it touches.
const ENTRY: u64 = 50;
/// A pixel of the part of a tile that a triangle's box touches: its samples, and their depths.
const PIXEL: u64 = 16;
/// A pixel of a triangle, lit.
const SHADE: u64 = 45;
/// The normal in it from a map.
const BUMP: u64 = 30;
/// A texture in it that stays in the processor's cache.
const SAMPLE_NEAR: u64 = 25;
/// Any other one, where each texel is far from the last one.
const SAMPLE_FAR: u64 = 140;
/// The same where one texture is read at all places before the next, as it was decoded.
const SAMPLE_LATER: u64 = 150;
/// Bytes of a texture that stays in the cache.
const NEAR: u64 = 512 << 10;

/// How a model's pixels are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Only the nearest surfaces are lit, not all that are nearer than those before them.
    pub(crate) opaque: bool,
    /// What lighting one costs.
    pub(crate) shade: u64,
    /// How often the triangles are drawn: twice where textures are read one after the other.
    pub(crate) rounds: u64,
}

impl Style {
    /// With textures in memory; of each slot, the bytes.
    pub(crate) fn ready(opaque: bool, bytes: &TextureSlots<u64>) -> Self {
        let mut shade = if bytes.normal.is_some() { SHADE + BUMP } else { SHADE };
        bytes.map(|bytes, _| shade += if *bytes <= NEAR { SAMPLE_NEAR } else { SAMPLE_FAR });
        Self { opaque, shade, rounds: 1 }
    }

    /// With textures that are read one after the other.
    pub(crate) fn later(opaque: bool, images: &TextureSlots<usize>) -> Self {
        Self { opaque, shade: SHADE + BUMP + SAMPLE_LATER * images.count(), rounds: 2 }
    }
}

/// What was counted of one view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Tiles that were looked at for a triangle.
    pub(crate) tests: u64,
    /// Triangles in tiles.
    pub(crate) entries: u64,
    /// Pixels that are looked at for them.
    pub(crate) pixels: u64,
    /// The triangles of each tile.
    pub(crate) tiles: Vec<u32>,
    /// The pixels that are looked at for them in each tile.
    looks: Vec<u64>,
}

impl Count {
    /// Most pixels that are lit: those that are looked at. Of opaque scenes, up to four surfaces in each
    /// pixel of a tile that has so many.
    pub(crate) fn lit(&self, style: Style) -> u64 {
        const TILE_PIXELS: u64 = (TILE * TILE) as u64;
        let nearest = |(count, looks): (&u32, &u64)| (TILE_PIXELS * u64::from(*count).min(SAMPLES as u64)).min(*looks);
        if style.opaque { self.tiles.iter().zip(&self.looks).map(nearest).sum() } else { self.pixels }
    }

    fn work(&self, style: Style) -> u64 {
        let drawn = self.price() * style.rounds;
        drawn + self.lit(style) * style.shade
    }

    /// Nothing yet, in so many tiles.
    fn of_tiles(tiles: usize) -> Self {
        Self { tiles: vec![0; tiles], looks: vec![0; tiles], ..Self::default() }
    }

    /// Counts a triangle in the tiles that it touches.
    #[inline(always)]
    fn add(&mut self, fixed: &Fixed, across: usize) {
        self.tests += touched(fixed, across, |tile, origin| {
            let looks = looks(fixed, origin);
            self.entries += 1;
            self.pixels += looks;
            if let (Some(count), Some(sum)) = (self.tiles.get_mut(tile), self.looks.get_mut(tile)) {
                *count += 1;
                *sum += looks;
            }
        });
    }

    /// Adds another count of the same view.
    fn join(&mut self, other: &Self) {
        self.tests += other.tests;
        self.entries += other.entries;
        self.pixels += other.pixels;
        self.tiles.iter_mut().zip(&other.tiles).for_each(|(sum, count)| *sum += count);
        self.looks.iter_mut().zip(&other.looks).for_each(|(sum, looks)| *sum += looks);
    }

    /// The part that only grows while it is counted.
    fn price(&self) -> u64 {
        TEST * self.tests + ENTRY * self.entries + PIXEL * self.pixels
    }
}

/// Counts what all views of `edge` pixels a side cost, and takes it from the budget.
pub(crate) fn count(
    positions: &Rows<'_, 3>,
    triangles: &Triangles<'_>,
    edge: usize,
    style: Style,
    budget: &mut Budget,
    (threads, watch): (Threads, Watch<'_>),
) -> Checked<Vec<Count>> {
    let kept = Vertices::bytes(positions) > 0;
    let triangle = if kept { TRIANGLE } else { TRIANGLE_ANEW };
    // To count them, and to sort them before they are drawn.
    budget.spend(triangle * (1 + style.rounds) * (VIEWS.len() * triangles.len()) as u64, "indices")?;
    budget.spend(if kept { PROJECT * positions.len() as u64 } else { 0 }, "POSITION")?;
    let most = budget.work_left();
    let mut counts = Vec::with_capacity(VIEWS.len());
    for view in &VIEWS {
        // One after the other: their vertices may be all that there is room for.
        let count = count_view(positions, triangles, view, edge, most, (threads, watch));
        watch.check()?;
        budget.spend(count.work(style), "indices")?;
        counts.push(count);
    }
    Ok(counts)
}

/// Counts one view, and gives up where it costs more than `most` on the way.
fn count_view(
    positions: &Rows<'_, 3>,
    triangles: &Triangles<'_>,
    view: &View,
    edge: usize,
    most: u64,
    (threads, watch): (Threads, Watch<'_>),
) -> Count {
    /// Triangles between two looks at what others have counted.
    const STEP: usize = 256;
    let vertices = Vertices::new(positions, view, edge, threads);
    let across = edge.div_ceil(TILE);
    let spent = AtomicU64::new(0);
    // Sums come out the same in whatever order the parts are added.
    let total = Mutex::new(Count::of_tiles(across * across));
    threads.map(triangles.len().div_ceil(CHUNK), |job| {
        let mut part = Count::of_tiles(across * across);
        let end = triangles.len().min((job + 1) * CHUNK);
        for first in (job * CHUNK..end).step_by(STEP) {
            if spent.load(Ordering::Relaxed) > most || watch.stopped() {
                break;
            }
            let before = part.price();
            for i in first..end.min(first + STEP) {
                if let Some(fixed) = Fixed::front(&vertices.corners(triangles.get(i))) {
                    part.add(&fixed, across);
                }
            }
            spent.fetch_add(part.price() - before, Ordering::Relaxed);
        }
        total.lock().unwrap_or_else(PoisonError::into_inner).join(&part);
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::batch::{Fragment, LANES, Planes};
    use super::super::cover::Cover;
    use super::super::material::Material;
    use super::super::mesh::{Mesh, Uvs};
    use super::super::model::{Model, Skin};
    use super::super::paint::Paint;
    use super::super::project::Bins;
    use super::super::raster::{Origin, Scene, Tile};
    use super::super::shade::Shader;
    use super::super::tone::Tone;
    use super::*;

    /// Counts what is lit.
    #[derive(Default)]
    struct Meter(u64);

    impl Paint for Meter {
        fn paint(&mut self, _: &Shader<'_>, _: &[Planes], fragments: &[Fragment]) -> [[u8; 4]; LANES] {
            self.0 += fragments.len() as u64;
            [[9, 9, 9, 128]; LANES]
        }
    }

    fn scene(positions: Vec<[f32; 3]>, opaque: bool) -> Model<'static> {
        let (len, normals) = (positions.len(), vec![[0.0, 0.0, 1.0]; positions.len()]);
        let (positions, uvs) = (Rows::Own(positions), Uvs::Rows(Rows::Zero(0)));
        let mesh = Mesh { positions, normals, uvs, colors: Vec::new(), triangles: Triangles::InOrder(len / 3) };
        Model { mesh, material: Material::plain(), skin: Skin::Ready(TextureSlots::default()), opaque }
    }

    /// Triangles of all sizes: each a corner, and two others up to so far from it.
    fn triangles() -> impl Strategy<Value = Vec<[f32; 3]>> {
        let at = || -0.6_f32..0.6;
        let triangle =
            ([at(), at(), at()], [at(), at(), at()], [at(), at(), at()], 0.0_f32..1.0).prop_map(|(a, b, c, size)| {
                let near = |p: [f32; 3]| std::array::from_fn(|i| a[i] + (p[i] - a[i]) * size * size * size);
                [a, near(b), near(c)]
            });
        proptest::collection::vec(triangle, 1..60).prop_map(Vec::into_flattened)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn the_real_work_is_never_more_than_was_counted(
            positions in triangles(), opaque: bool, edge in 20_usize..300, threads in 1_usize..4,
        ) {
            let model = scene(positions, opaque);
            let threads = Threads(threads.try_into().unwrap());
            let Mesh { positions, triangles, .. } = &model.mesh;
            let style = model.style();
            let mut budget = Budget::default();
            let counts = count(positions, triangles, edge, style, &mut budget, (threads, Watch::NONE)).unwrap();
            let across = edge.div_ceil(TILE);
            let tone = Tone::new();
            for (view, count) in VIEWS.iter().zip(&counts) {
                let vertices = Vertices::new(positions, view, edge, threads);
                let bins = Bins::sort(&vertices, triangles, &count.tiles, edge, Watch::NONE);
                let shader = Shader::new(&model, view, &tone);
                let scene = Scene { shader, vertices: &vertices, triangles, opaque, watch: Watch::NONE };
                let (mut tile, mut meter, mut entries, mut covered) = (Tile::new(), Meter::default(), 0, 0);
                for at in 0..across * across {
                    let origin = Origin { x: at % across * TILE, y: at / across * TILE };
                    entries += bins.tile(at).len() as u64;
                    tile.draw(&scene, bins.tile(at), origin, &mut meter);
                    for i in 0..triangles.len() {
                        let Some(fixed) = Fixed::front(&vertices.corners(triangles.get(i))) else { continue };
                        let mut hits = 0;
                        Cover::new(&fixed, origin).pixels(|_| (), |(), _, _, _| hits += 1);
                        covered += hits;
                        prop_assert!(hits == 0 || bins.tile(at).contains(&(i as u32)), "triangle {i} left out");
                    }
                }
                prop_assert_eq!(entries, count.entries);
                prop_assert!(entries <= count.tests);
                prop_assert!(covered <= count.pixels);
                prop_assert!(meter.0 <= count.lit(style), "{} lit of {}", meter.0, count.lit(style));
            }
        }
    }

    #[test]
    fn what_is_beyond_the_limit_is_told_soon_and_the_same_by_any_count_of_threads() {
        let corners = [[-0.5, -0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.5, 0.5]];
        let model = scene(corners.repeat(20_000), true);
        for threads in [1, 2, 7] {
            let threads = Threads(threads.try_into().unwrap());
            let Mesh { positions, triangles, .. } = &model.mesh;
            let mut budget = Budget::default();
            let most = budget.work_left();
            let one = count_view(positions, triangles, &VIEWS[0], 1036, most, (threads, Watch::NONE));
            assert!(one.price() > most && one.price() < most + most / 2, "{} of {most}", one.price());
            let refused = count(positions, triangles, 1036, model.style(), &mut budget, (threads, Watch::NONE));
            let refusal = refused.unwrap_err();
            assert_eq!(refusal.to_string(), "indices: it would take over 16000000000 units of work (data.work)");
        }
    }
}
