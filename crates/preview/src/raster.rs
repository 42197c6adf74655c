//! One tile of a view: coverage and depth at four samples a pixel, then colour.

use multiversion::multiversion;

use super::cover::{ACROSS, Block, Cover, OFFSETS, SAMPLES, WIDE};
use super::limits::Watch;
use super::paint::Paint;
use super::project::{TILE, Vertices, fused};
use super::rows::Triangles;
use super::setup::{Fixed, Gradients, Plane, SUBPIXEL};
use super::shade::{Fragment, LANES, Planes, Shader};

/// The depth of an empty sample: 24 bits.
const FAR: i32 = (1 << 24) - 1;
/// No triangle.
const NONE: u32 = u32::MAX;
/// All samples of a pixel.
const FULL: u32 = (1 << SAMPLES) - 1;
/// Blocks of a tile.
const BLOCKS: usize = ACROSS * TILE;

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
    /// Of each block, row by row.
    depth: Vec<Block<i32>>,
    /// Of opaque scenes: which of `seen` is nearest.
    owner: Vec<Block<u32>>,
    /// Of other scenes: the blended colour of each pixel's samples.
    color: Vec<[[u8; 3]; SAMPLES]>,
    seen: Vec<Seen>,
    planes: Vec<Planes>,
    /// Fragments that wait for shading, and in scenes that are not opaque, what they cover.
    fragments: Vec<Fragment>,
    colors: Vec<[u8; 4]>,
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
            depth: vec![[[FAR; WIDE]; SAMPLES]; BLOCKS],
            owner: vec![[[NONE; WIDE]; SAMPLES]; BLOCKS],
            color: vec![[[255; 3]; SAMPLES]; TILE * TILE],
            seen: Vec::new(),
            planes: Vec::new(),
            fragments: Vec::new(),
            colors: Vec::new(),
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
        self.depth.fill([[FAR; WIDE]; SAMPLES]);
        self.seen.clear();
        self.planes.clear();
        if scene.opaque {
            self.owner.fill([[NONE; WIDE]; SAMPLES]);
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
        let cover = Cover::new(&fixed, origin);
        let id = self.seen.len() as u32;
        let hit = if scene.opaque {
            claim(&cover, &depth, origin, &mut self.depth, &mut self.owner, id)
        } else {
            collect(&cover, &depth, origin, &mut self.depth, &mut self.covers)
        };
        if hit {
            self.seen.push(Seen { triangle, gradients, planes: NONE });
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
        let owners = std::mem::take(&mut self.owner);
        for_pixels(&owners, |at, owner| {
            if alone(owner) {
                self.push_fragment(scene, owner[0], at, origin);
                return;
            }
            for s in 0..SAMPLES {
                if owner[s] != NONE && !owner[..s].contains(&owner[s]) {
                    self.push_fragment(scene, owner[s], at, origin);
                }
            }
        });
        self.colors.clear();
        for batch in self.fragments.chunks(LANES) {
            self.colors.extend(paint.paint(&scene.shader, &self.planes, batch).iter().take(batch.len()));
        }
        let mut colors = self.colors.iter().map(|[r, g, b, _]| [*r, *g, *b]);
        let mut pixels = vec![[255; 3]; TILE * TILE];
        for_pixels(&owners, |at, owner| {
            let Some(pixel) = pixels.get_mut(at) else { return };
            if alone(owner) {
                *pixel = colors.next().unwrap_or_default();
                return;
            }
            let mut samples = [[255; 3]; SAMPLES];
            for s in 0..SAMPLES {
                if let Some(earlier) = owner[..s].iter().position(|o| *o == owner[s]) {
                    samples[s] = samples[earlier];
                } else if owner[s] != NONE
                    && let Some(color) = colors.next()
                {
                    samples[s] = color;
                }
            }
            *pixel = mean(&samples);
        });
        self.owner = owners;
        pixels
    }

    fn resolve_colors(&self) -> Vec<[u8; 3]> {
        self.color.iter().map(mean).collect()
    }
}

/// Calls `pixel` with the place and the samples of each pixel in which something is seen, row by row.
#[inline(always)]
fn for_pixels(owners: &[Block<u32>], mut pixel: impl FnMut(usize, [u32; SAMPLES])) {
    for (i, block) in owners.iter().enumerate() {
        if block.as_flattened().iter().all(|owner| *owner == NONE) {
            continue;
        }
        for l in 0..WIDE {
            let owner = [block[0][l], block[1][l], block[2][l], block[3][l]];
            if owner != [NONE; SAMPLES] {
                pixel(i * WIDE + l, owner);
            }
        }
    }
}

/// Whether one triangle has all samples of a pixel.
#[inline(always)]
fn alone([a, b, c, d]: [u32; SAMPLES]) -> bool {
    a == b && a == c && a == d
}

/// Gives a triangle's samples that are nearer than what was there to `id`. Whether there are any.
#[multiversion(targets("x86_64+avx2"))]
fn claim(
    cover: &Cover,
    depth: &Plane,
    origin: Origin,
    depths: &mut [Block<i32>],
    owners: &mut [Block<u32>],
    id: u32,
) -> bool {
    let mut hits = [0; WIDE];
    nearer(cover, depth, origin, depths, |at, near| {
        let Some(owner) = owners.get_mut(at) else { return };
        for (near, owner) in near.iter().zip(owner) {
            for ((near, owner), hit) in near.iter().zip(owner).zip(&mut hits) {
                *owner = if *near != 0 { id } else { *owner };
                *hit |= *near;
            }
        }
    });
    hits != [0; WIDE]
}

/// Lists the pixels of a triangle with the samples that are nearer than what was there. Whether there are any.
#[multiversion(targets("x86_64+avx2"))]
fn collect(
    cover: &Cover,
    depth: &Plane,
    origin: Origin,
    depths: &mut [Block<i32>],
    covers: &mut Vec<(usize, u32)>,
) -> bool {
    nearer(cover, depth, origin, depths, |at, near| {
        let mut masks = [0; WIDE];
        for (s, near) in near.iter().enumerate() {
            for (near, mask) in near.iter().zip(&mut masks) {
                *mask |= *near & 1 << s;
            }
        }
        if masks != [0; WIDE] {
            let found = masks.iter().enumerate().filter(|(_, mask)| **mask != 0);
            covers.extend(found.map(|(l, mask)| (at * WIDE + l, *mask as u32)));
        }
    });
    !covers.is_empty()
}

/// Keeps the depths of a triangle's samples where they are nearer than what was there, and calls `found` for each
/// block with a word for each sample: -1 where it is, otherwise 0.
#[inline(always)]
fn nearer(
    cover: &Cover,
    depth: &Plane,
    origin: Origin,
    depths: &mut [Block<i32>],
    mut found: impl FnMut(usize, &Block<i32>),
) {
    let offset = |s: usize, axis: usize| OFFSETS[s][axis] as f32 / SUBPIXEL as f32;
    // The part of the depth that is the same all the way up a column.
    let column = |x: usize| {
        let mut parts = [[0.0; WIDE]; SAMPLES];
        for (s, parts) in parts.iter_mut().enumerate() {
            for (l, part) in parts.iter_mut().enumerate() {
                let x = (origin.x + x * WIDE + l) as f32 + offset(s, 0);
                *part = f64::from(fused(depth.dx, x, depth.origin));
            }
        }
        parts
    };
    cover.blocks(column, |parts, x, y, signs| {
        let at = y * ACROSS + x;
        let Some(depths) = depths.get_mut(at) else { return };
        let mut near = [[0; WIDE]; SAMPLES];
        for s in 0..SAMPLES {
            // As `Plane::at`, in 64 bits until its end.
            let part = f64::from(depth.dy) * f64::from((origin.y + y) as f32 + offset(s, 1));
            for l in 0..WIDE {
                let z = quantise((part + parts[s][l]) as f32);
                let nearer = signs[s][l] >= 0 && z < depths[s][l];
                near[s][l] = -i32::from(nearer);
                depths[s][l] = if nearer { z } else { depths[s][l] };
            }
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

/// Depth 0..1 to 24 bits.
#[inline(always)]
fn quantise(z: f32) -> i32 {
    let low = if z > 0.0 { z } else { 0.0 };
    let z = if low < 1.0 { low } else { 1.0 };
    (z * FAR as f32) as i32
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
