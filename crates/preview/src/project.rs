//! Vertices on the screen, and which triangles cover which tile.

use super::camera::View;
use super::cover::Cover;
use super::limits::Watch;
use super::raster::Origin;
use super::rows::{Rows, Triangles};
use super::setup::{Fixed, SUBPIXEL};
use super::threads::Threads;

/// Edge of a tile in pixels. Even, so that the 2x2 blocks of derivatives never cross a border.
pub(crate) const TILE: usize = 32;
/// Vertices or triangles that one job goes through.
pub(crate) const CHUNK: usize = 16 * 1024;

/// A vertex on the screen of one view: x and y in pixels from the bottom left, depth 0 to 1, 1/w.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Vertex {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
    pub(crate) rcp_w: f32,
}

/// `a * b + c` rounded once, as the reference renderer's machine code computes it.
///
/// The product of two 32-bit floats is exact in 64 bits, so only a tie of the last 29 bits of the
/// sum could round differently from a fused operation; it does so the same way everywhere.
#[inline(always)]
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

/// To the nearest whole number, ties to even. What does not fit, NaN included, becomes the least
/// number, as the processors do that the reference renderer ran on.
#[inline(always)]
pub(crate) fn round(value: f32) -> i32 {
    /// Adding this leaves no bits for a fraction, so that the addition itself rounds.
    const MAGIC: f32 = 12_582_912.0;
    if value.abs() < 4_194_304.0 {
        ((value + MAGIC) - MAGIC) as i32
    } else if value.abs() < 2_147_483_648.0 {
        value.round_ties_even() as i32
    } else {
        i32::MIN
    }
}

/// The vertices of a view: projected once and kept, or each time anew where there are too many.
pub(crate) enum Vertices<'a> {
    Kept(Vec<Vertex>),
    Anew { positions: &'a Rows<'a, 3>, columns: [[f32; 4]; 4], half: f32 },
}

impl<'a> Vertices<'a> {
    /// Most vertices that are kept. A mesh with more hardly shares any: few are projected twice.
    const MOST_KEPT: usize = 4 << 20;

    /// Bytes that the vertices of a view take.
    pub(crate) fn bytes(positions: &Rows<'_, 3>) -> u64 {
        let kept = if positions.len() <= Self::MOST_KEPT { positions.len() } else { 0 };
        (kept * size_of::<Vertex>()) as u64
    }

    /// Transforms all vertices to a screen of `edge` pixels a side.
    pub(crate) fn new(positions: &'a Rows<'a, 3>, view: &View, edge: usize, threads: Threads) -> Self {
        let (columns, half) = (view.columns(), edge as f32 / 2.0);
        if positions.len() > Self::MOST_KEPT {
            return Self::Anew { positions, columns, half };
        }
        let mut kept = vec![Vertex::default(); positions.len()];
        threads.fill(&mut kept, CHUNK, |first, part| {
            for (i, vertex) in part.iter_mut().enumerate() {
                *vertex = project(positions.get((first + i) as u32), &columns, half);
            }
        });
        Self::Kept(kept)
    }

    /// The corners of a triangle.
    #[inline(always)]
    pub(crate) fn corners(&self, triangle: [u32; 3]) -> [Vertex; 3] {
        let corner = |i: u32| match self {
            Self::Kept(all) => all.get(i as usize).copied().unwrap_or_default(),
            Self::Anew { positions, columns, half } => project(positions.get(i), columns, *half),
        };
        [corner(triangle[0]), corner(triangle[1]), corner(triangle[2])]
    }
}

#[inline(always)]
fn project(p: [f32; 3], c: &[[f32; 4]; 4], half: f32) -> Vertex {
    let [x, y, z, w] = std::array::from_fn(|i| ((c[0][i] * p[0] + c[1][i] * p[1]) + c[2][i] * p[2]) + c[3][i]);
    let rcp_w = 1.0 / w;
    Vertex { x: fused(x * rcp_w, half, half), y: fused(y * rcp_w, half, half), z: fused(z * rcp_w, 0.5, 0.5), rcp_w }
}

/// For each tile, row by row from the bottom, its triangles in drawing order.
#[derive(Debug)]
pub(crate) struct Bins {
    starts: Vec<usize>,
    triangles: Vec<u32>,
}

impl Bins {
    /// Sorts the front-facing triangles into the tiles that they touch; `counts` says how many each has.
    pub(crate) fn sort(
        vertices: &Vertices<'_>,
        triangles: &Triangles<'_>,
        counts: &[u32],
        edge: usize,
        watch: Watch<'_>,
    ) -> Self {
        let across = edge.div_ceil(TILE);
        let mut starts = Vec::with_capacity(counts.len() + 1);
        let mut all = 0;
        starts.push(0);
        starts.extend(counts.iter().map(|count| {
            all += *count as usize;
            all
        }));
        let mut next = starts.clone();
        let mut sorted = vec![0; all];
        for (i, triangle) in triangles.iter().enumerate() {
            if i % CHUNK == 0 && watch.stopped() {
                break;
            }
            let Some(fixed) = Fixed::front(&vertices.corners(triangle)) else { continue };
            touched(&fixed, across, |tile, _| {
                if let Some(at) = next.get_mut(tile)
                    && let Some(slot) = sorted.get_mut(*at)
                {
                    *slot = i as u32;
                    *at += 1;
                }
            });
        }
        Self { starts, triangles: sorted }
    }

    /// The triangles of one tile.
    pub(crate) fn tile(&self, tile: usize) -> &[u32] {
        match self.starts.get(tile..tile + 2) {
            Some(&[from, to]) => self.triangles.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Calls `found` for each tile that a triangle may cover a sample of, and returns how many were looked at.
#[inline(always)]
pub(crate) fn touched(fixed: &Fixed, across: usize, mut found: impl FnMut(usize, Origin)) -> u64 {
    let last = (across * TILE) as i32 * SUBPIXEL - 1;
    let (low, high) = fixed.bounds();
    if high[0] < 0 || high[1] < 0 || low[0] > last || low[1] > last {
        return 0;
    }
    let tile = |v: i32| v.clamp(0, last) / (TILE as i32 * SUBPIXEL);
    let (rows, columns) = (tile(low[1])..=tile(high[1]), tile(low[0])..=tile(high[0]));
    // In a single row or column of tiles, next to all are hit.
    let sure = rows.start() == rows.end() || columns.start() == columns.end();
    let mut looks = 0;
    for y in rows {
        for x in columns.clone() {
            looks += 1;
            let (x, y) = (x as usize, y as usize);
            let origin = Origin { x: x * TILE, y: y * TILE };
            if sure || !Cover::new(fixed, origin).misses() {
                found(y * across + x, origin);
            }
        }
    }
    looks
}
