//! One tile of a view: coverage and depth at four samples a pixel, then colour.

use super::project::{TILE, Vertex};
use super::setup::{Fixed, Gradients, Plane, SUBPIXEL};
use super::shade::{Planes, Shader};

/// Samples of a pixel.
const SAMPLES: usize = 4;
/// Where the samples lie in the pixel, x and y from its bottom left, in 1/256 pixels.
const OFFSETS: [[i32; 2]; SAMPLES] = [[96, 32], [224, 96], [32, 160], [160, 224]];
/// The depth of an empty sample: 24 bits.
const FAR: u32 = (1 << 24) - 1;
/// No triangle.
const NONE: u32 = u32::MAX;

/// What a view's tiles are drawn from.
pub(crate) struct Scene<'a> {
    pub(crate) shader: Shader<'a>,
    pub(crate) vertices: &'a [Vertex],
    pub(crate) triangles: &'a [[u32; 3]],
    /// Nothing can be seen through: only the nearest surface is shaded.
    pub(crate) opaque: bool,
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
}

/// A triangle of the tile, its attribute planes drawn up when first shaded.
struct Seen {
    triangle: [u32; 3],
    gradients: Gradients,
    planes: u32,
}

impl Tile {
    pub(crate) fn new() -> Self {
        Self {
            depth: vec![[FAR; SAMPLES]; TILE * TILE],
            owner: vec![[NONE; SAMPLES]; TILE * TILE],
            color: vec![[[255; 3]; SAMPLES]; TILE * TILE],
            seen: Vec::new(),
            planes: Vec::new(),
        }
    }

    /// Draws the triangles of `list` in order into the tile whose lowest corner is at pixel `x0`,
    /// `y0`. The result is the tile's pixels, row by row from the bottom; `None` if all are white.
    pub(crate) fn draw(&mut self, scene: &Scene<'_>, list: &[u32], x0: usize, y0: usize) -> Option<Vec<[u8; 3]>> {
        if list.is_empty() {
            return None;
        }
        self.depth.fill([FAR; SAMPLES]);
        self.owner.fill([NONE; SAMPLES]);
        self.color.fill([[255; 3]; SAMPLES]);
        self.seen.clear();
        self.planes.clear();
        for &index in list {
            let Some(&triangle) = scene.triangles.get(index as usize) else { continue };
            self.rasterise(scene, triangle, x0, y0);
        }
        Some(self.resolve(scene, x0, y0))
    }

    fn rasterise(&mut self, scene: &Scene<'_>, triangle: [u32; 3], x0: usize, y0: usize) {
        let Some(fixed) = Fixed::front(scene.vertices, triangle) else { return };
        let corner = |i: u32| scene.vertices.get(i as usize);
        let [Some(a), Some(b), Some(c)] = triangle.map(corner) else { return };
        let gradients = Gradients::new([a, b, c]);
        let depth = gradients.plane([a.z, b.z, c.z]);
        let id = self.seen.len() as u32;
        self.seen.push(Seen { triangle, gradients, planes: NONE });
        let origin = [x0 as i32 * SUBPIXEL, y0 as i32 * SUBPIXEL];
        let cover = Cover::new(&fixed, origin);
        let mut any = false;
        cover.pixels(|x, y, mask| {
            let (px, py) = ((x0 + x) as f32, (y0 + y) as f32);
            any |= self.fragment(scene, id, mask, &depth, [x, y], [px, py], x0, y0);
        });
        if !any && self.seen.len() as u32 == id + 1 {
            self.seen.pop();
        }
    }

    /// Tests one pixel's covered samples against the depth; whether any passed.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn fragment(
        &mut self,
        scene: &Scene<'_>,
        id: u32,
        mask: u32,
        depth: &Plane,
        [x, y]: [usize; 2],
        [px, py]: [f32; 2],
        x0: usize,
        y0: usize,
    ) -> bool {
        let at = y * TILE + x;
        let mut passed = 0_u32;
        let stored = &mut self.depth[at];
        for s in 0..SAMPLES {
            let [ox, oy] = OFFSETS[s].map(|o| o as f32 / SUBPIXEL as f32);
            let z = quantise(depth.at(px + ox, py + oy));
            if mask & 1 << s != 0 && z < stored[s] {
                stored[s] = z;
                passed |= 1 << s;
            }
        }
        if passed == 0 {
            return false;
        }
        if scene.opaque {
            for s in 0..SAMPLES {
                if passed & 1 << s != 0 {
                    self.owner[at][s] = id;
                }
            }
        } else {
            let source = self.shade(scene, id, x0 + x, y0 + y);
            for s in 0..SAMPLES {
                if passed & 1 << s != 0 {
                    self.color[at][s] = over(source, self.color[at][s]);
                }
            }
        }
        true
    }

    fn shade(&mut self, scene: &Scene<'_>, id: u32, x: usize, y: usize) -> [u8; 4] {
        let Some(seen) = self.seen.get_mut(id as usize) else { return [0; 4] };
        if seen.planes == NONE {
            let corner = |i: u32| scene.vertices.get(i as usize);
            let [Some(a), Some(b), Some(c)] = seen.triangle.map(corner) else { return [0; 4] };
            seen.planes = self.planes.len() as u32;
            self.planes.push(scene.shader.planes(seen.triangle, [a, b, c], &seen.gradients));
        }
        match self.planes.get(seen.planes as usize) {
            Some(planes) => scene.shader.shade(planes, x, y),
            None => [0; 4],
        }
    }

    /// The mean of each pixel's samples.
    fn resolve(&mut self, scene: &Scene<'_>, x0: usize, y0: usize) -> Vec<[u8; 3]> {
        let mut pixels = vec![[255; 3]; TILE * TILE];
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let mut samples = self.color[at];
            if scene.opaque {
                let owner = self.owner[at];
                if owner == [NONE; SAMPLES] {
                    continue;
                }
                for s in 0..SAMPLES {
                    let earlier = (0..s).find(|&e| owner[e] == owner[s]);
                    samples[s] = match (owner[s], earlier) {
                        (NONE, _) => [255; 3],
                        (_, Some(e)) => samples[e],
                        (id, None) => {
                            let [r, g, b, _] = self.shade(scene, id, x0 + at % TILE, y0 + at / TILE);
                            [r, g, b]
                        }
                    };
                }
            }
            *pixel = std::array::from_fn(|i| {
                let sum: u32 = samples.iter().map(|s| u32::from(s[i])).sum();
                ((sum + 2) / 4) as u8
            });
        }
        pixels
    }
}

/// Depth 0..1 to 24 bits.
#[inline(always)]
fn quantise(z: f32) -> u32 {
    (z.max(0.0).min(1.0) * FAR as f32) as u32
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

/// The edges of a triangle relative to a tile.
struct Cover {
    /// Edge values at the tile's corner, and their steps in x and y; inside is not negative.
    at: [i64; 3],
    dx: [i64; 3],
    dy: [i64; 3],
    /// The pixels of the tile that the triangle's box touches: first and last column and row.
    x: [usize; 2],
    y: [usize; 2],
}

impl Cover {
    fn new(fixed: &Fixed, origin: [i32; 2]) -> Self {
        let (low, high) = fixed.bounds();
        let last = TILE as i32 - 1;
        let span = |axis: usize| {
            [low[axis], high[axis]].map(|v| ((v - origin[axis]) / SUBPIXEL).clamp(0, last) as usize)
        };
        let mut cover = Self { at: [0; 3], dx: [0; 3], dy: [0; 3], x: span(0), y: span(1) };
        for i in 0..3 {
            let j = (i + 1) % 3;
            let (ex, ey) = (i64::from(fixed.x[j] - fixed.x[i]), i64::from(fixed.y[j] - fixed.y[i]));
            let (rx, ry) = (i64::from(origin[0] - fixed.x[i]), i64::from(origin[1] - fixed.y[i]));
            // A sample on an edge belongs to the triangle if the edge is a left or a bottom one.
            let owned = ey < 0 || (ey == 0 && ex > 0);
            cover.dx[i] = -ey;
            cover.dy[i] = ex;
            cover.at[i] = ex * ry - ey * rx - i64::from(!owned);
        }
        cover
    }

    /// Calls `pixel` with column, row and sample mask of each pixel with a covered sample.
    #[inline(always)]
    fn pixels(&self, mut pixel: impl FnMut(usize, usize, u32)) {
        let step = i64::from(SUBPIXEL);
        for y in self.y[0]..=self.y[1] {
            for x in self.x[0]..=self.x[1] {
                let mut mask = 0_u32;
                for (s, [ox, oy]) in OFFSETS.iter().enumerate() {
                    let (sx, sy) = (x as i64 * step + i64::from(*ox), y as i64 * step + i64::from(*oy));
                    let inside = (0..3).all(|i| self.at[i] + self.dx[i] * sx + self.dy[i] * sy >= 0);
                    mask |= u32::from(inside) << s;
                }
                if mask != 0 {
                    pixel(x, y, mask);
                }
            }
        }
    }
}
