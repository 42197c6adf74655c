//! Vertices on the screen, and which triangles cover which tile.

use super::camera::View;
use super::setup::{Fixed, SUBPIXEL};
use super::threads::Threads;

/// Edge of a tile in pixels. Even, so that the 2x2 blocks of derivatives never cross a border.
pub(crate) const TILE: usize = 32;
/// Triangles that one job sorts into tiles.
const CHUNK: usize = 16 * 1024;

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

/// Transforms all vertices to a screen of `edge` pixels a side.
pub(crate) fn vertices(positions: &[[f32; 3]], view: &View, edge: usize, threads: Threads) -> Vec<Vertex> {
    let columns = view.columns();
    let half = edge as f32 / 2.0;
    let jobs = positions.len().div_ceil(CHUNK);
    let parts = threads.map(jobs, |job| {
        let part = positions.iter().skip(job * CHUNK).take(CHUNK);
        part.map(|p| project(*p, &columns, half)).collect::<Vec<_>>()
    });
    parts.concat()
}

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
    /// Sorts the front-facing triangles into the tiles that their boxes touch.
    pub(crate) fn sort(vertices: &[Vertex], triangles: &[[u32; 3]], edge: usize, threads: Threads) -> Self {
        let across = edge.div_ceil(TILE);
        let jobs = triangles.len().div_ceil(CHUNK);
        let parts = threads.map(jobs, |job| {
            let first = job * CHUNK;
            let mut hits = Vec::with_capacity(CHUNK);
            for (i, triangle) in triangles.iter().enumerate().skip(first).take(CHUNK) {
                touch(vertices, *triangle, i, across, &mut hits);
            }
            hits
        });
        let mut starts = vec![0; across * across + 1];
        for &(tile, _) in parts.iter().flatten() {
            starts[tile as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0; starts.last().copied().unwrap_or(0)];
        for &(tile, triangle) in parts.iter().flatten() {
            let at = &mut next[tile as usize];
            sorted[*at] = triangle;
            *at += 1;
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

/// Notes the tiles that a front-facing triangle's box touches.
fn touch(vertices: &[Vertex], triangle: [u32; 3], index: usize, across: usize, hits: &mut Vec<(u32, u32)>) {
    let Some(fixed) = Fixed::front(vertices, triangle) else { return };
    let last = (across * TILE) as i32 * SUBPIXEL - 1;
    let (low, high) = fixed.bounds();
    if high[0] < 0 || high[1] < 0 || low[0] > last || low[1] > last {
        return;
    }
    let tile = |v: i32| v.clamp(0, last) / (TILE as i32 * SUBPIXEL);
    for y in tile(low[1])..=tile(high[1]) {
        for x in tile(low[0])..=tile(high[0]) {
            hits.push((y as u32 * across as u32 + x as u32, index as u32));
        }
    }
}
