//! Which samples of a tile's pixels lie in a triangle.

use std::ops::{Add, BitOr, Mul};

use super::project::TILE;
use super::raster::Origin;
use super::setup::{Fixed, SUBPIXEL};

/// Samples of a pixel.
pub(crate) const SAMPLES: usize = 4;
/// Where the samples lie in the pixel, x and y from its bottom left, in 1/256 pixels.
pub(crate) const OFFSETS: [[i32; 2]; SAMPLES] = [[96, 32], [224, 96], [32, 160], [160, 224]];
/// All samples.
const FULL: u32 = (1 << SAMPLES) - 1;

/// A triangle relative to a tile: three edges, and the part of the tile that its box touches.
pub(crate) struct Cover {
    edges: [Edge<i64>; 3],
    /// First and last column and row.
    x: [usize; 2],
    y: [usize; 2],
    /// The values are small enough for 32 bits everywhere in the tile.
    small: bool,
}

/// The value of an edge at the tile's corner, and its steps in 1/256 pixels; inside is not negative.
#[derive(Debug, Clone, Copy, Default)]
struct Edge<T> {
    at: T,
    dx: T,
    dy: T,
}

/// First and last pixel of a tile, from `origin` on, between two places; all in 1/256 pixels.
fn span(low: i32, high: i32, origin: i32) -> [usize; 2] {
    [low, high].map(|v| ((v - origin) / SUBPIXEL).clamp(0, TILE as i32 - 1) as usize)
}

/// How many pixels of the tile at `origin` [`Cover::pixels`] looks at, whatever they come to.
pub(crate) fn looks(fixed: &Fixed, origin: Origin) -> u64 {
    let (low, high) = fixed.bounds();
    let across = |axis: usize, origin: usize| {
        let [first, last] = span(low[axis], high[axis], origin as i32 * SUBPIXEL);
        (last - first + 1) as u64
    };
    across(0, origin.x) * across(1, origin.y)
}

impl Cover {
    pub(crate) fn new(fixed: &Fixed, origin: Origin) -> Self {
        /// Triangles of up to 64 pixels: products of two such lengths fit 32 bits with room to add.
        const SMALL: i32 = 64 * SUBPIXEL;
        let origin = [origin.x, origin.y].map(|v| v as i32 * SUBPIXEL);
        let (low, high) = fixed.bounds();
        let span = |axis: usize| span(low[axis], high[axis], origin[axis]);
        let edge = |i: usize| {
            let j = (i + 1) % 3;
            let (ex, ey) = (i64::from(fixed.x[j] - fixed.x[i]), i64::from(fixed.y[j] - fixed.y[i]));
            let (rx, ry) = (i64::from(origin[0] - fixed.x[i]), i64::from(origin[1] - fixed.y[i]));
            // A sample on an edge belongs to the triangle if the edge is a left or a bottom one.
            let owned = ey < 0 || (ey == 0 && ex > 0);
            Edge { at: ex * ry - ey * rx - i64::from(!owned), dx: -ey, dy: ex }
        };
        Self {
            edges: [edge(0), edge(1), edge(2)],
            x: span(0),
            y: span(1),
            small: (0..2).all(|axis| high[axis] - low[axis] < SMALL),
        }
    }

    /// Calls `pixel` with column, row and sample mask of each pixel with a covered sample.
    #[inline(always)]
    pub(crate) fn pixels(&self, mut pixel: impl FnMut(usize, usize, u32)) {
        if self.whole() {
            for (x, y) in (0..TILE * TILE).map(|at| (at % TILE, at / TILE)) {
                pixel(x, y, FULL);
            }
        } else if self.small {
            let narrow = |v: i64| v as i32;
            let edges = self.edges.map(|e| Edge { at: narrow(e.at), dx: narrow(e.dx), dy: narrow(e.dy) });
            self.scan(edges, i32::from, pixel);
        } else {
            self.scan(self.edges, i64::from, pixel);
        }
    }

    /// Whether no sample of the tile can lie inside: all are beyond one of the edges.
    pub(crate) fn misses(&self) -> bool {
        let side = i64::from(TILE as i32 * SUBPIXEL);
        self.edges.iter().any(|e| e.at + (e.dx * side).max(0) + (e.dy * side).max(0) < 0)
    }

    /// Whether the whole tile lies inside.
    fn whole(&self) -> bool {
        let side = (TILE as i32 * SUBPIXEL) as i64;
        self.edges.iter().all(|e| e.at + (e.dx * side).min(0) + (e.dy * side).min(0) >= 0)
    }

    #[inline(always)]
    fn scan<T>(&self, edges: [Edge<T>; 3], number: impl Fn(i32) -> T, mut pixel: impl FnMut(usize, usize, u32))
    where
        T: Copy + Default + PartialOrd + Add<Output = T> + Mul<Output = T> + BitOr<Output = T>,
    {
        let step = number(SUBPIXEL);
        let start = |e: Edge<T>| {
            let (x, y) = (number(self.x[0] as i32) * step, number(self.y[0] as i32) * step);
            e.at + e.dx * x + e.dy * y
        };
        let offsets = edges.map(|e| OFFSETS.map(|[x, y]| e.dx * number(x) + e.dy * number(y)));
        let mut row = edges.map(start);
        for y in self.y[0]..=self.y[1] {
            let mut at = row;
            for x in self.x[0]..=self.x[1] {
                let mut mask = 0;
                let [a, b, c] = &offsets;
                for (s, ((a, b), c)) in a.iter().zip(b).zip(c).enumerate() {
                    // The sign of the three together: negative if any is.
                    let sign = (at[0] + *a) | (at[1] + *b) | (at[2] + *c);
                    mask |= u32::from(sign >= T::default()) << s;
                }
                if mask != 0 {
                    pixel(x, y, mask);
                }
                for i in 0..3 {
                    at[i] = at[i] + edges[i].dx * step;
                }
            }
            for i in 0..3 {
                row[i] = row[i] + edges[i].dy * step;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(x: [i32; 3], y: [i32; 3]) -> Vec<u32> {
        let mut masks = vec![0; TILE * TILE];
        Cover::new(&Fixed { x, y }, Origin { x: 0, y: 0 }).pixels(|x, y, mask| masks[y * TILE + x] = mask);
        masks
    }

    #[test]
    fn neighbours_share_no_sample_and_leave_none_out() {
        let (n, m) = (20 * SUBPIXEL, 3 * SUBPIXEL);
        // A square cut along its diagonal, then the same far larger than the tile (64-bit path).
        for (low, high) in [(m, n), (m, 200 * SUBPIXEL), (-300 * SUBPIXEL, 300 * SUBPIXEL)] {
            let lower = masks([low, high, high], [low, low, high]);
            let upper = masks([low, high, low], [low, high, high]);
            let last = (high / SUBPIXEL).min(TILE as i32);
            for (at, (a, b)) in lower.iter().zip(&upper).enumerate() {
                assert_eq!(a & b, 0, "{at}");
                let inside = |v: usize| (low / SUBPIXEL..last).contains(&(v as i32));
                let full = inside(at % TILE) && inside(at / TILE);
                assert_eq!(a | b, if full { FULL } else { 0 }, "{at}");
            }
        }
    }

    #[test]
    fn an_edge_parts_the_samples_of_a_pixel() {
        // Everything right of x = 0.5 pixels.
        let right = masks([128, 60_000, 128], [-30_000, 0, 30_000]);
        assert_eq!(right[5 * TILE], 0b1010);
        assert_eq!(right[5 * TILE + 1], FULL);
    }
}
