//! Which samples of a tile's pixels lie in a triangle.

use super::project::TILE;
use super::raster::Origin;
use super::setup::{Fixed, SUBPIXEL};

/// Samples of a pixel.
pub(crate) const SAMPLES: usize = 4;
/// Where the samples lie in the pixel, x and y from its bottom left, in 1/256 pixels.
pub(crate) const OFFSETS: [[i32; 2]; SAMPLES] = [[96, 32], [224, 96], [32, 160], [160, 224]];
/// All samples lie on a grid of so many 1/256 pixels. In its steps, what edges come to within a tile fits 32 bits.
const STEP: i32 = 32;
/// Steps in a pixel.
const PIXEL: i32 = SUBPIXEL / STEP;

/// A triangle relative to a tile: three edges, and the part of the tile that its box touches.
pub(crate) struct Cover {
    edges: [Edge; 3],
    /// First and last column and row.
    x: [usize; 2],
    y: [usize; 2],
}

/// The value of an edge at the tile's corner, and its steps in 1/256 pixels; inside is not negative.
#[derive(Debug, Clone, Copy)]
struct Edge {
    at: i64,
    dx: i64,
    dy: i64,
}

/// The same on the grid of the samples.
#[derive(Debug, Clone, Copy, Default)]
struct Coarse {
    at: i32,
    dx: i32,
    dy: i32,
}

/// First and last pixel of a tile, from `origin` on, between two places; all in 1/256 pixels.
fn span(low: i32, high: i32, origin: i32) -> [usize; 2] {
    [low, high].map(|v| ((v - origin) / SUBPIXEL).clamp(0, TILE as i32 - 1) as usize)
}

/// How many pixels of the tile at `origin` the box of a triangle touches.
pub(crate) fn looks(fixed: &Fixed, origin: Origin) -> u64 {
    let (low, high) = fixed.bounds();
    let across = |axis: usize, origin: usize| {
        let [first, last] = span(low[axis], high[axis], origin as i32 * SUBPIXEL);
        (last - first + 1) as u64
    };
    across(0, origin.x) * across(1, origin.y)
}

impl Edge {
    const SIDE: i64 = TILE as i64 * SUBPIXEL as i64;

    /// The most that it comes to in the tile.
    fn most(self) -> i64 {
        self.at + (self.dx * Self::SIDE).max(0) + (self.dy * Self::SIDE).max(0)
    }

    fn least(self) -> i64 {
        self.at + (self.dx * Self::SIDE).min(0) + (self.dy * Self::SIDE).min(0)
    }

    /// What the samples need of it: nothing if the whole tile lies inside. Otherwise it passes through zero in the
    /// tile, and so is small: corners are less than [`Fixed::FAR`] away.
    fn coarse(self) -> Coarse {
        if self.least() >= 0 {
            return Coarse::default();
        }
        // Rounded down, since the rest of the sum is a multiple of the step.
        Coarse { at: self.at.div_euclid(i64::from(STEP)) as i32, dx: self.dx as i32, dy: self.dy as i32 }
    }
}

impl Cover {
    #[inline(always)]
    pub(crate) fn new(fixed: &Fixed, origin: Origin) -> Self {
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
        Self { edges: [edge(0), edge(1), edge(2)], x: span(0), y: span(1) }
    }

    /// Whether no sample of the tile can lie inside: all are beyond one of the edges.
    pub(crate) fn misses(&self) -> bool {
        self.edges.iter().any(|e| e.most() < 0)
    }

    /// First and last column.
    pub(crate) fn columns(&self) -> [usize; 2] {
        self.x
    }

    /// Calls `pixel` with column, row and a word for each sample of each pixel that may hold a covered one, row by row:
    /// the word is negative if the sample lies outside. `row` makes what all pixels of a row share.
    #[inline(always)]
    pub(crate) fn pixels<R>(&self, row: impl Fn(usize) -> R, mut pixel: impl FnMut(&R, usize, usize, &[i32; SAMPLES])) {
        /// Columns from which on rows are narrowed.
        const FEW: usize = 4;
        if self.misses() {
            return;
        }
        let [a, b, c] = self.edges;
        let edges = [a.coarse(), b.coarse(), c.coarse()];
        if edges.iter().all(|e| [e.at, e.dx, e.dy] == [0; 3]) {
            for y in self.y[0]..=self.y[1] {
                let shared = row(y);
                for x in self.x[0]..=self.x[1] {
                    pixel(&shared, x, y, &[0; SAMPLES]);
                }
            }
            return;
        }
        let samples = edges.map(|e| {
            let mut steps = [0; SAMPLES];
            for (step, [x, y]) in steps.iter_mut().zip(OFFSETS) {
                *step = e.dx * (x / STEP) + e.dy * (y / STEP);
            }
            steps
        });
        // Otherwise the compiler takes the samples apart and computes each in its own way, not four at once.
        let samples = std::hint::black_box(samples);
        // Narrower boxes are gone through faster than they are narrowed.
        let narrow = (self.x[1] - self.x[0] >= FEW).then(|| Narrow::of(&edges, &samples));
        for y in self.y[0]..=self.y[1] {
            let mut at = edges.map(|e| e.at + e.dy * (y as i32 * PIXEL));
            let [mut first, mut last] = self.x;
            if let Some(narrow) = &narrow {
                let Some(row) = narrow.row(at, self.x) else { continue };
                [first, last] = row;
            }
            for (at, e) in at.iter_mut().zip(&edges) {
                *at += e.dx * (first as i32 * PIXEL);
            }
            let shared = row(y);
            for x in first..=last {
                let mut signs = [0; SAMPLES];
                for (s, sign) in signs.iter_mut().enumerate() {
                    // The sign of the three together: negative if any is.
                    *sign = (at[0] + samples[0][s]) | (at[1] + samples[1][s]) | (at[2] + samples[2][s]);
                }
                if (signs[0] & signs[1] & signs[2] & signs[3]) >= 0 {
                    pixel(&shared, x, y, &signs);
                }
                for (at, e) in at.iter_mut().zip(&edges) {
                    *at += e.dx * PIXEL;
                }
            }
        }
    }
}

/// Finds the columns of a row that a triangle can cover.
struct Narrow {
    /// The most that a sample adds to an edge's value at its pixel.
    most: [i32; 3],
    /// Edge by edge, a pixel for each unit of its value; infinite for edges along the row.
    pixels: [f32; 3],
}

impl Narrow {
    fn of(edges: &[Coarse; 3], samples: &[[i32; SAMPLES]; 3]) -> Self {
        Self {
            most: samples.map(|[a, b, c, d]| a.max(b).max(c.max(d))),
            pixels: edges.map(|e| 1.0 / (e.dx * PIXEL) as f32),
        }
    }

    /// First and last column, or one more, of those `within` whose pixels can be covered, given the edges' values at
    /// the start of the row.
    #[inline(always)]
    fn row(&self, at: [i32; 3], within: [usize; 2]) -> Option<[usize; 2]> {
        let [mut first, mut last] = within;
        for ((at, most), pixels) in at.into_iter().zip(self.most).zip(self.pixels) {
            let value = at + most;
            // Where the edge is crossed; rounding errs by far less than a pixel.
            let cross = -(value as f32) * pixels;
            if pixels.is_infinite() {
                if value < 0 {
                    return None;
                }
            } else if pixels > 0.0 {
                first = first.max((cross - 1.0) as usize);
            } else if cross < 0.0 {
                return None;
            } else {
                last = last.min((cross + 1.0) as usize);
            }
        }
        (first <= last).then_some([first, last])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All samples.
    const FULL: u32 = (1 << SAMPLES) - 1;

    fn masks(x: [i32; 3], y: [i32; 3]) -> Vec<u32> {
        let mut masks = vec![0; TILE * TILE];
        Cover::new(&Fixed { x, y }, Origin { x: 0, y: 0 }).pixels(
            |_| (),
            |(), x, y, signs| {
                masks[y * TILE + x] = (0..SAMPLES).map(|s| u32::from(signs[s] >= 0) << s).sum();
            },
        );
        masks
    }

    #[test]
    fn neighbours_share_no_sample_and_leave_none_out() {
        let (n, m) = (20 * SUBPIXEL, 3 * SUBPIXEL);
        // A square cut along its diagonal, then the same far larger than the tile.
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

    /// Which samples lie inside, without any short cut.
    fn plain(x: [i32; 3], y: [i32; 3]) -> Vec<u32> {
        let inside = |px: i64, py: i64| {
            (0..3).all(|i| {
                let j = (i + 1) % 3;
                let [x0, y0, x1, y1] = [x[i], y[i], x[j], y[j]].map(i64::from);
                let (ex, ey) = (x1 - x0, y1 - y0);
                let value = ex * (py - y0) - ey * (px - x0);
                value > 0 || (value == 0 && (ey < 0 || (ey == 0 && ex > 0)))
            })
        };
        let mask = |at: usize| {
            let [px, py] = [at % TILE, at / TILE].map(|v| v as i64 * i64::from(SUBPIXEL));
            let sample = |s: usize| inside(px + i64::from(OFFSETS[s][0]), py + i64::from(OFFSETS[s][1]));
            (0..SAMPLES).map(|s| u32::from(sample(s)) << s).sum()
        };
        (0..TILE * TILE).map(mask).collect()
    }

    proptest! {
        #[test]
        fn no_short_cut_shows(
            at in (-1_500_000..1_500_000_i32, -1_500_000..1_500_000_i32),
            near in prop::array::uniform6(-9000..18_000_i32),
            scale in 0..6_u32,
            far: bool,
        ) {
            let [x0, y0, x1, y1, x2, y2] = near.map(|v| v >> scale);
            // As often with one corner anywhere.
            let (x0, y0) = if far { at } else { (x0, y0) };
            let front = i64::from(x1 - x0) * i64::from(y2 - y0) > i64::from(x2 - x0) * i64::from(y1 - y0);
            let (x, y) = if front { ([x0, x1, x2], [y0, y1, y2]) } else { ([x0, x2, x1], [y0, y2, y1]) };
            prop_assert_eq!(masks(x, y), plain(x, y));
        }
    }
}
