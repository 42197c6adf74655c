//! One tile of a view: coverage and depth at four samples a pixel, then colour.

use multiversion::multiversion;

use super::cover::{Cover, OFFSETS, SAMPLES};
use super::limits::Watch;
use super::paint::Paint;
use super::project::{TILE, Vertices, fused};
use super::rows::Triangles;
use super::setup::{Fixed, Gradients, Plane, SUBPIXEL};
use super::shade::{Fragment, LANES, Planes, Shader};

/// The depth of an empty sample: 24 bits.
const FAR: f32 = 16_777_215.0;
/// No triangle.
const NONE: u32 = u32::MAX;
/// All samples of a pixel.
const FULL: u32 = (1 << SAMPLES) - 1;

/// What a view's tiles are drawn from.
pub(crate) struct Scene<'a> {
    pub(crate) shader: Shader<'a>,
    pub(crate) vertices: &'a Vertices<'a>,
    pub(crate) triangles: &'a Triangles<'a>,
    /// Nothing can be seen through: only the nearest surface is shaded.
    pub(crate) opaque: bool,
    pub(crate) watch: Watch<'a>,
}

/// The samples of a tile, and the triangles seen in it.
pub(crate) struct Tile {
    depth: Vec<[f32; SAMPLES]>,
    /// Of opaque scenes: which of `seen` is nearest.
    owner: Vec<[u32; SAMPLES]>,
    /// Of other scenes: the blended colour of each pixel's samples.
    color: Vec<[[u8; 3]; SAMPLES]>,
    seen: Vec<Seen>,
    planes: Vec<Planes>,
    /// Fragments that wait for shading, and in scenes that are not opaque, what they cover.
    fragments: Vec<Fragment>,
    /// Of opaque scenes: where in the result each goes, if it is all that is seen of its pixel.
    spots: Vec<usize>,
    colors: Vec<[u8; 4]>,
    mixed: Vec<Mixed>,
    covers: Vec<(usize, u32)>,
    columns: Columns,
}

/// Of each column and sample, the part of a triangle's depth that is the same all the way up.
type Columns = [[f64; SAMPLES]; TILE];

/// A triangle of the tile, its attribute planes drawn up when first shaded.
struct Seen {
    triangle: [u32; 3],
    gradients: Gradients,
    planes: u32,
}

/// A pixel in which several triangles are seen, or one of them and the ground.
struct Mixed {
    spot: usize,
    owners: [u32; SAMPLES],
    /// The first of its fragments; each owner has one, in order.
    first: usize,
}

/// Where a tile lies: the column and row of its lowest pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) x: usize,
    pub(crate) y: usize,
}

impl Tile {
    pub(crate) fn new() -> Self {
        Self {
            depth: vec![[FAR; SAMPLES]; TILE * TILE],
            owner: vec![[NONE; SAMPLES]; TILE * TILE],
            color: vec![[[255; 3]; SAMPLES]; TILE * TILE],
            seen: Vec::new(),
            planes: Vec::new(),
            fragments: Vec::new(),
            spots: Vec::new(),
            colors: Vec::new(),
            mixed: Vec::new(),
            covers: Vec::new(),
            columns: [[0.0; SAMPLES]; TILE],
        }
    }

    /// Draws the triangles of `list` in order. The result is the tile's pixels, row by row from the
    /// bottom, of each row the even ones and then the odd ones; `None` if all are white.
    pub(crate) fn draw(
        &mut self,
        scene: &Scene<'_>,
        list: &[u32],
        origin: Origin,
        paint: &mut impl Paint,
    ) -> Option<Vec<[u8; 3]>> {
        /// Triangles between two looks whether to stop: some hundredths of a second at the most.
        const STEP: usize = 64;
        if list.is_empty() {
            return None;
        }
        self.depth.fill([FAR; SAMPLES]);
        self.seen.clear();
        self.planes.clear();
        if scene.opaque {
            self.owner.fill([NONE; SAMPLES]);
        } else {
            self.color.fill([[255; 3]; SAMPLES]);
        }
        for some in list.chunks(STEP) {
            if scene.watch.stopped() {
                return None;
            }
            if scene.opaque {
                claim(self, scene, some, origin);
            } else {
                some.iter().for_each(|&index| self.overlay(scene, index, origin, paint));
            }
        }
        Some(if scene.opaque { self.resolve_owners(scene, origin, paint) } else { self.resolve_colors() })
    }

    /// Draws a triangle that may be seen through.
    fn overlay(&mut self, scene: &Scene<'_>, index: u32, origin: Origin, paint: &mut impl Paint) {
        let Some(part) = Part::of(scene, index, origin) else { return };
        if collect(&part, &mut self.columns, &mut self.depth, &mut self.covers) {
            let id = self.seen.len() as u32;
            self.seen.push(part.seen());
            self.blend(scene, id, origin, paint);
        }
    }

    /// Shades the waiting fragments of triangle `id` and lays them over what they cover.
    fn blend(&mut self, scene: &Scene<'_>, id: u32, origin: Origin, paint: &mut impl Paint) {
        let covers = std::mem::take(&mut self.covers);
        for batch in covers.chunks(LANES) {
            self.fragments.clear();
            for &(at, _) in batch {
                self.push_fragment(scene, id, at, origin);
            }
            let colors = paint.paint(&scene.shader, &self.planes, &self.fragments);
            for (&(at, passed), color) in batch.iter().zip(colors) {
                if let Some(below) = self.color.get_mut(at) {
                    lay(color, passed, below);
                }
            }
        }
        self.covers = covers;
        self.covers.clear();
    }

    /// Queues pixel `at` of triangle `id` for shading, with the triangle's planes drawn up.
    #[inline(always)]
    fn push_fragment(&mut self, scene: &Scene<'_>, id: u32, at: usize, origin: Origin) {
        let Some(seen) = self.seen.get_mut(id as usize) else { return };
        if seen.planes == NONE {
            seen.planes = self.planes.len() as u32;
            let corners = scene.vertices.corners(seen.triangle);
            self.planes.push(scene.shader.planes(seen.triangle, &corners, &seen.gradients));
        }
        let (x, y) = (origin.x + at % TILE, origin.y + at / TILE);
        self.fragments.push(Fragment { planes: seen.planes, x: x as u16, y: y as u16 });
    }

    /// Shades what is nearest, once for each triangle of a pixel, and takes the mean of the samples.
    fn resolve_owners(&mut self, scene: &Scene<'_>, origin: Origin, paint: &mut impl Paint) -> Vec<[u8; 3]> {
        let mut pixels = vec![[255; 3]; TILE * TILE];
        self.queue(scene, origin);
        self.colors.clear();
        for (batch, spots) in self.fragments.chunks(LANES).zip(self.spots.chunks(LANES)) {
            let colors = paint.paint(&scene.shader, &self.planes, batch);
            for ([r, g, b, _], spot) in colors.into_iter().zip(spots) {
                if let Some(pixel) = pixels.get_mut(*spot) {
                    *pixel = [r, g, b];
                }
            }
            self.colors.extend(colors.iter().take(batch.len()));
        }
        for Mixed { spot, owners, first } in &self.mixed {
            let mut colors = self.colors.iter().skip(*first).map(|[r, g, b, _]| [*r, *g, *b]);
            let mut samples = [[255; 3]; SAMPLES];
            for s in 0..SAMPLES {
                if let Some(earlier) = owners[..s].iter().position(|o| *o == owners[s]) {
                    samples[s] = samples[earlier];
                } else if owners[s] != NONE {
                    samples[s] = colors.next().unwrap_or_default();
                }
            }
            if let Some(pixel) = pixels.get_mut(*spot) {
                *pixel = mean(&samples);
            }
        }
        pixels
    }

    /// Queues a fragment for each triangle that is seen in a pixel, row by row.
    fn queue(&mut self, scene: &Scene<'_>, origin: Origin) {
        self.fragments.clear();
        self.spots.clear();
        self.mixed.clear();
        let owners = std::mem::take(&mut self.owner);
        for (at, owner) in owners.iter().enumerate() {
            let [a, b, c, d] = *owner;
            if a & b & c & d == NONE {
                continue;
            }
            if a == b && a == c && a == d {
                self.push_fragment(scene, a, at, origin);
                self.spots.push(parted(at));
                continue;
            }
            self.mixed.push(Mixed { spot: parted(at), owners: *owner, first: self.fragments.len() });
            for s in 0..SAMPLES {
                if owner[s] != NONE && !owner[..s].contains(&owner[s]) {
                    self.push_fragment(scene, owner[s], at, origin);
                    self.spots.push(usize::MAX);
                }
            }
        }
        self.owner = owners;
    }

    fn resolve_colors(&self) -> Vec<[u8; 3]> {
        let mut pixels = vec![[255; 3]; TILE * TILE];
        for (at, samples) in self.color.iter().enumerate() {
            if let Some(pixel) = pixels.get_mut(parted(at)) {
                *pixel = mean(samples);
            }
        }
        pixels
    }
}

/// Where a pixel is among those of the tile: of its row, even ones come before odd ones.
#[inline(always)]
fn parted(at: usize) -> usize {
    let (x, y) = (at % TILE, at / TILE);
    y * TILE + x % 2 * (TILE / 2) + x / 2
}

/// What a triangle is drawn from in a tile.
struct Part {
    triangle: [u32; 3],
    gradients: Gradients,
    depth: Plane,
    cover: Cover,
    origin: Origin,
}

impl Part {
    /// `None` for a triangle that is not seen.
    #[inline(always)]
    fn of(scene: &Scene<'_>, index: u32, origin: Origin) -> Option<Self> {
        let triangle = scene.triangles.get(index as usize);
        let corners = scene.vertices.corners(triangle);
        let fixed = Fixed::front(&corners)?;
        let gradients = Gradients::new(&corners);
        let [a, b, c] = &corners;
        let depth = gradients.plane([a.z, b.z, c.z]);
        Some(Self { triangle, gradients, depth, cover: Cover::new(&fixed, origin), origin })
    }

    fn seen(&self) -> Seen {
        Seen { triangle: self.triangle, gradients: self.gradients, planes: NONE }
    }
}

/// Gives each of these triangles the samples in which it is nearer than what was there.
#[multiversion(targets("x86_64+avx2"))]
fn claim(tile: &mut Tile, scene: &Scene<'_>, triangles: &[u32], origin: Origin) {
    for &index in triangles {
        let Some(part) = Part::of(scene, index, origin) else { continue };
        let id = tile.seen.len() as u32;
        let mut hits = [0; SAMPLES];
        nearer(&part, &mut tile.columns, &mut tile.depth, |at, near| {
            let Some(owner) = tile.owner.get_mut(at) else { return };
            for ((near, owner), hit) in near.iter().zip(owner).zip(&mut hits) {
                *owner ^= (*owner ^ id) & *near;
                *hit |= *near;
            }
        });
        if hits != [0; SAMPLES] {
            tile.seen.push(part.seen());
        }
    }
}

/// Lists the pixels of a triangle with the samples that are nearer than what was there. Whether there are any.
#[multiversion(targets("x86_64+avx2"))]
fn collect(part: &Part, columns: &mut Columns, depths: &mut [[f32; SAMPLES]], covers: &mut Vec<(usize, u32)>) -> bool {
    nearer(part, columns, depths, |at, near| {
        let mask = (near[0] & 1) | (near[1] & 2) | (near[2] & 4) | (near[3] & 8);
        if mask != 0 {
            covers.push((at, mask));
        }
    });
    !covers.is_empty()
}

/// Keeps the depths of a triangle's samples where they are nearer than what was there. Calls `found` for each pixel
/// with a word for each sample: all ones where it is nearer, otherwise 0.
#[inline(always)]
fn nearer(
    part: &Part,
    columns: &mut Columns,
    depths: &mut [[f32; SAMPLES]],
    mut found: impl FnMut(usize, &[u32; SAMPLES]),
) {
    let Part { cover, depth, origin, .. } = part;
    let place = |from: usize, at: usize, s: usize, axis: usize| {
        (from + at) as i32 as f32 + OFFSETS[s][axis] as f32 / SUBPIXEL as f32
    };
    let [first, last] = cover.columns();
    for (x, column) in columns.iter_mut().enumerate().take(last + 1).skip(first) {
        for (s, column) in column.iter_mut().enumerate() {
            *column = f64::from(fused(depth.dx, place(origin.x, x, s, 0), depth.origin));
        }
    }
    // Together as `Plane::at`, in 64 bits until the end.
    let row = |y: usize| {
        let mut rise = [0.0; SAMPLES];
        for (s, rise) in rise.iter_mut().enumerate() {
            *rise = f64::from(depth.dy) * f64::from(place(origin.y, y, s, 1));
        }
        rise
    };
    cover.pixels(row, |rise, x, y, signs| {
        let at = y * TILE + x;
        let (Some(depths), Some(column)) = (depths.get_mut(at), columns.get(x)) else { return };
        let mut near = [0; SAMPLES];
        for s in 0..SAMPLES {
            let z = quantise((rise[s] + column[s]) as f32);
            let z = if signs[s] >= 0 { z } else { f32::INFINITY };
            near[s] = u32::from(z < depths[s]).wrapping_neg();
            depths[s] = if z < depths[s] { z } else { depths[s] };
        }
        found(at, &near);
    });
}

/// The mean of a pixel's samples, halves rounded up.
#[inline(always)]
fn mean(samples: &[[u8; 3]; SAMPLES]) -> [u8; 3] {
    std::array::from_fn(|i| {
        let sum: u32 = samples.iter().map(|s| u32::from(s[i])).sum();
        ((sum + 2) / 4) as u8
    })
}

/// Depth 0..1 to a whole number of 24 bits, rounded down. All are kept as floats: vectors of these need no conversion.
#[inline(always)]
fn quantise(z: f32) -> f32 {
    /// From here on, floats have no fraction; adding it rounds what is smaller.
    const WHOLE: f32 = 8_388_608.0;
    let low = if z > 0.0 { z } else { 0.0 };
    let z = (if low < 1.0 { low } else { 1.0 }) * FAR;
    let near = (z + WHOLE) - WHOLE;
    let down = if near > z { near - 1.0 } else { near };
    if z < WHOLE { down } else { z }
}

/// Lays a colour over the samples `passed` of a pixel.
fn lay(color: [u8; 4], passed: u32, below: &mut [[u8; 3]; SAMPLES]) {
    let [first, others @ ..] = *below;
    if passed == FULL && others == [first; SAMPLES - 1] {
        *below = [over(color, first); SAMPLES];
        return;
    }
    for (s, below) in below.iter_mut().enumerate() {
        if passed >> s & 1 != 0 {
            *below = over(color, *below);
        }
    }
}

/// `source` over `below`, in 8 bits and without decoding the gamma: the reference rounds each of
/// the two products.
fn over([r, g, b, a]: [u8; 4], below: [u8; 3]) -> [u8; 3] {
    let product = |x: u8, y: u8| {
        let t = u32::from(x) * u32::from(y) + 128;
        (t + (t >> 8)) >> 8
    };
    let mix = |new: u8, old: u8| (product(new, a) + product(old, 255 - a)).min(255) as u8;
    [mix(r, below[0]), mix(g, below[1]), mix(b, below[2])]
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "whole numbers")]
mod tests {
    use super::*;

    #[test]
    fn depths_are_cut_to_whole_numbers() {
        let all = (0..=1_000_000).map(|i| i as f32 / 1_000_000.0);
        let ends = (0..2000)
            .flat_map(|i| [f32::from_bits(1.0_f32.to_bits() - i), f32::from_bits(0.5_f32.to_bits() + i - 900)]);
        for z in all.chain(ends) {
            assert_eq!(quantise(z) as i32, (z * FAR) as i32, "{z}");
            assert_eq!(quantise(z).fract(), 0.0, "{z}");
        }
        for (z, depth) in [(f32::NAN, 0.0), (-1.0, 0.0), (f32::INFINITY, FAR), (1e-45, 0.0)] {
            assert_eq!(quantise(z), depth, "{z}");
        }
    }

    #[test]
    fn a_colour_over_samples_that_are_alike_is_as_over_each() {
        let colors = (0..255_u8).step_by(15).map(|v| [v, 255 - v, v / 2, 255 - v / 3]);
        for color in colors.chain([[9, 8, 7, 255], [9, 8, 7, 0]]) {
            for below in [[[255; 3]; SAMPLES], [[10, 200, 77]; SAMPLES], [[1; 3], [2; 3], [3; 3], [3; 3]]] {
                for passed in 0..=FULL {
                    let mut laid = below;
                    lay(color, passed, &mut laid);
                    for (s, (laid, below)) in laid.iter().zip(below).enumerate() {
                        let seen = if passed >> s & 1 != 0 { over(color, below) } else { below };
                        assert_eq!(*laid, seen, "{color:?} {passed} {s}");
                    }
                }
            }
        }
    }
}
