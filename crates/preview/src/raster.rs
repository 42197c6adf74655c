//! One tile of a view: coverage and depth at four samples a pixel, then colour.

use multiversion::multiversion;

use super::batch::{Fragment, LANES, Planes, SHARED};
use super::cover::SAMPLES;
use super::depth::{Columns, FAR, Part, nearer};
use super::limits::Watch;
use super::paint::Paint;
use super::project::{TILE, Vertices};
use super::rows::Triangles;
use super::setup::Gradients;
use super::shade::Shader;

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
    colors: Vec<[u8; 4]>,
    mixed: Vec<Mixed>,
    covers: Vec<(usize, u32)>,
    columns: Columns,
}

/// A triangle of the tile, its attribute planes drawn up when first shaded.
struct Seen {
    triangle: [u32; 3],
    gradients: Gradients,
    planes: u32,
}

impl Seen {
    fn of(part: &Part) -> Self {
        Self { triangle: part.triangle, gradients: part.gradients, planes: NONE }
    }
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
            self.seen.push(Seen::of(&part));
            self.blend(scene, id, origin, paint);
        }
    }

    /// Shades the waiting fragments of triangle `id` and lays them over what they cover.
    fn blend(&mut self, scene: &Scene<'_>, id: u32, origin: Origin, paint: &mut impl Paint) {
        let covers = std::mem::take(&mut self.covers);
        for batch in covers.chunks(LANES) {
            self.fragments.clear();
            for &(at, _) in batch {
                self.push_fragment(scene, id, at, SHARED, origin);
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
    fn push_fragment(&mut self, scene: &Scene<'_>, id: u32, at: usize, spot: u16, origin: Origin) {
        let Some(seen) = self.seen.get_mut(id as usize) else { return };
        if seen.planes == NONE {
            seen.planes = self.planes.len() as u32;
            let corners = scene.vertices.corners(seen.triangle);
            self.planes.push(scene.shader.planes(seen.triangle, &corners, &seen.gradients));
        }
        let (x, y) = (origin.x + at % TILE, origin.y + at / TILE);
        self.fragments.push(Fragment { planes: seen.planes, x: x as u16, y: y as u16, spot });
    }

    /// Shades what is nearest, once for each triangle of a pixel, and takes the mean of the samples.
    fn resolve_owners(&mut self, scene: &Scene<'_>, origin: Origin, paint: &mut impl Paint) -> Vec<[u8; 3]> {
        let mut pixels = vec![[255; 3]; TILE * TILE];
        self.queue(scene, origin);
        self.colors.clear();
        for batch in self.fragments.chunks(LANES) {
            let colors = paint.paint(&scene.shader, &self.planes, batch);
            for ([r, g, b, _], fragment) in colors.into_iter().zip(batch) {
                if let Some(pixel) = pixels.get_mut(usize::from(fragment.spot)) {
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
        self.mixed.clear();
        let owners = std::mem::take(&mut self.owner);
        for (at, owner) in owners.iter().enumerate() {
            let [a, b, c, d] = *owner;
            if a & b & c & d == NONE {
                continue;
            }
            if a == b && a == c && a == d {
                self.push_fragment(scene, a, at, parted(at) as u16, origin);
                continue;
            }
            self.mixed.push(Mixed { spot: parted(at), owners: *owner, first: self.fragments.len() });
            for s in 0..SAMPLES {
                if owner[s] != NONE && !owner[..s].contains(&owner[s]) {
                    self.push_fragment(scene, owner[s], at, SHARED, origin);
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
            tile.seen.push(Seen::of(&part));
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

/// The mean of a pixel's samples, halves rounded up.
#[inline(always)]
fn mean(samples: &[[u8; 3]; SAMPLES]) -> [u8; 3] {
    std::array::from_fn(|i| {
        let sum: u32 = samples.iter().map(|s| u32::from(s[i])).sum();
        ((sum + 2) / 4) as u8
    })
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
mod tests {
    use super::*;

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
