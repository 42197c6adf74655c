//! One tile of a view: coverage and depth at four samples a pixel, then colour.

use super::cover::{Cover, OFFSETS, SAMPLES};
use super::limits::Watch;
use super::paint::Paint;
use super::project::{TILE, Vertices};
use super::rows::Triangles;
use super::setup::{Fixed, Gradients, Plane, SUBPIXEL};
use super::shade::{Fragment, LANES, Planes, Shader};

/// The depth of an empty sample: 24 bits.
const FAR: u32 = (1 << 24) - 1;
/// No triangle.
const NONE: u32 = u32::MAX;

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
    depth: Vec<[u32; SAMPLES]>,
    /// Of opaque scenes: which of `seen` is nearest.
    owner: Vec<[u32; SAMPLES]>,
    /// Of other scenes: the blended colour.
    color: Vec<[[u8; 3]; SAMPLES]>,
    seen: Vec<Seen>,
    planes: Vec<Planes>,
    /// Fragments that wait for shading, and in scenes that are not opaque, what they cover.
    fragments: Vec<Fragment>,
    covers: Vec<(usize, u32)>,
}

/// A triangle of the tile, its attribute planes drawn up when first shaded.
struct Seen {
    triangle: [u32; 3],
    gradients: Gradients,
    planes: u32,
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
            covers: Vec::new(),
        }
    }

    /// Draws the triangles of `list` in order. The result is the tile's pixels, row by row from the
    /// bottom; `None` if all are white.
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
            for &index in some {
                self.rasterise(scene, scene.triangles.get(index as usize), origin, paint);
            }
        }
        Some(if scene.opaque { self.resolve_owners(scene, origin, paint) } else { self.resolve_colors() })
    }

    fn rasterise(&mut self, scene: &Scene<'_>, triangle: [u32; 3], origin: Origin, paint: &mut impl Paint) {
        let corners = scene.vertices.corners(triangle);
        let Some(fixed) = Fixed::front(&corners) else { return };
        let gradients = Gradients::new(&corners);
        let depth = gradients.plane(corners.map(|corner| corner.z));
        let id = self.seen.len() as u32;
        let mut hit = false;
        Cover::new(&fixed, origin).pixels(|x, y, mask| {
            let at = y * TILE + x;
            let passed = self.test(at, mask, &depth, origin.x + x, origin.y + y);
            if passed == 0 {
                return;
            }
            hit = true;
            if scene.opaque {
                claim(&mut self.owner[at], passed, id);
            } else {
                self.covers.push((at, passed));
            }
        });
        if hit {
            self.seen.push(Seen { triangle, gradients, planes: NONE });
            self.blend(scene, id, origin, paint);
        }
    }

    /// Which of a pixel's covered samples are nearer than what was there; their depth is kept.
    #[inline(always)]
    fn test(&mut self, at: usize, mask: u32, depth: &Plane, x: usize, y: usize) -> u32 {
        let (x, y) = (x as f32, y as f32);
        let z: [u32; SAMPLES] = std::array::from_fn(|s| {
            let [ox, oy] = OFFSETS[s].map(|o| o as f32 / SUBPIXEL as f32);
            quantise(depth.at(x + ox, y + oy))
        });
        let stored = &mut self.depth[at];
        let mut passed = 0;
        for s in 0..SAMPLES {
            let nearer = mask >> s & 1 != 0 && z[s] < stored[s];
            stored[s] = if nearer { z[s] } else { stored[s] };
            passed |= u32::from(nearer) << s;
        }
        passed
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
                for (s, below) in self.color[at].iter_mut().enumerate() {
                    if passed >> s & 1 != 0 {
                        *below = over(color, *below);
                    }
                }
            }
        }
        self.covers = covers;
        self.covers.clear();
    }

    /// Queues pixel `at` of triangle `id` for shading, with the triangle's planes drawn up.
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
        self.fragments.clear();
        for at in 0..TILE * TILE {
            let owner = self.owner[at];
            if owner == [NONE; SAMPLES] {
                continue;
            }
            for s in 0..SAMPLES {
                if owner[s] != NONE && !owner[..s].contains(&owner[s]) {
                    self.push_fragment(scene, owner[s], at, origin);
                }
            }
        }
        let shade = |batch| paint.paint(&scene.shader, &self.planes, batch);
        let mut colors = self.fragments.chunks(LANES).flat_map(shade);
        let mut pixels = vec![[255; 3]; TILE * TILE];
        for (pixel, owner) in pixels.iter_mut().zip(&self.owner) {
            if *owner == [NONE; SAMPLES] {
                continue;
            }
            let mut samples = [[255; 3]; SAMPLES];
            for s in 0..SAMPLES {
                if let Some(earlier) = owner[..s].iter().position(|o| *o == owner[s]) {
                    samples[s] = samples[earlier];
                } else if owner[s] != NONE
                    && let Some([r, g, b, _]) = colors.next()
                {
                    samples[s] = [r, g, b];
                }
            }
            *pixel = mean(&samples);
        }
        pixels
    }

    fn resolve_colors(&self) -> Vec<[u8; 3]> {
        self.color.iter().map(mean).collect()
    }
}

#[inline(always)]
fn claim(owner: &mut [u32; SAMPLES], passed: u32, id: u32) {
    for (s, slot) in owner.iter_mut().enumerate() {
        *slot = if passed >> s & 1 != 0 { id } else { *slot };
    }
}

/// The mean of a pixel's samples, halves rounded up.
#[inline(always)]
fn mean(samples: &[[u8; 3]; SAMPLES]) -> [u8; 3] {
    std::array::from_fn(|i| {
        let sum: u32 = samples.iter().map(|s| u32::from(s[i])).sum();
        ((sum + 2) / 4) as u8
    })
}

/// Depth 0..1 to 24 bits.
#[inline(always)]
fn quantise(z: f32) -> u32 {
    let low = if z > 0.0 { z } else { 0.0 };
    let z = if low < 1.0 { low } else { 1.0 };
    (z * FAR as f32) as i32 as u32
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
