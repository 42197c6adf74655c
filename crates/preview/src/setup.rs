//! A triangle before rasterisation: its edges in fixed point, and its depth and attributes as planes
//! over the screen.
//!
//! The arithmetic (what is rounded when, and from which corner the planes are drawn up) is that of
//! the reference renderer's software rasteriser: where surfaces coincide, the last bit of the depth
//! decides what is seen.

use super::project::{Vertex, fused, round};

/// Fixed-point units in a pixel.
pub(crate) const SUBPIXEL: i32 = 256;

/// The corners of a front-facing triangle, in 1/256 pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) x: [i32; 3],
    pub(crate) y: [i32; 3],
}

impl Fixed {
    /// The farthest that a corner may lie. Those within the model bound project to less, at any size; this keeps the
    /// arithmetic in range.
    const FAR: u32 = 1_500_000;

    /// Snaps the corners; `None` for a triangle that shows its back or its edge.
    #[inline(always)]
    pub(crate) fn front([a, b, c]: &[Vertex; 3]) -> Option<Self> {
        let [x0, x1, x2, y0, y1, y2] = snap([a.x, b.x, c.x, a.y, b.y, c.y]);
        let fixed = Self { x: [x0, x1, x2], y: [y0, y1, y2] };
        if fixed.x.iter().chain(&fixed.y).any(|v| v.unsigned_abs() > Self::FAR) {
            return None;
        }
        let side = |v: [i32; 3], i: usize| i64::from(v[i] - v[0]);
        let (x, y) = (fixed.x, fixed.y);
        (side(x, 1) * side(y, 2) > side(x, 2) * side(y, 1)).then_some(fixed)
    }

    /// The box of the corners: lowest and highest x and y.
    #[inline(always)]
    pub(crate) fn bounds(&self) -> ([i32; 2], [i32; 2]) {
        let low = |v: [i32; 3]| v[0].min(v[1]).min(v[2]);
        let high = |v: [i32; 3]| v[0].max(v[1]).max(v[2]);
        ([low(self.x), low(self.y)], [high(self.x), high(self.y)])
    }
}

/// Pixels to 1/256 pixels, as [`round`] does it: together where all are small, as they are but in broken models.
#[inline(always)]
fn snap(pixels: [f32; 6]) -> [i32; 6] {
    /// Adding this leaves no bits for a fraction, and the integer in the lowest ones.
    const MAGIC: f32 = 12_582_912.0;
    let mut fixed = [0; 6];
    let mut large = false;
    for (fixed, pixels) in fixed.iter_mut().zip(pixels) {
        let value = pixels * SUBPIXEL as f32;
        large |= value.abs().to_bits() >= 4_194_304.0_f32.to_bits();
        *fixed = ((value + MAGIC).to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
    }
    if large { pixels.map(|v| round(v * SUBPIXEL as f32)) } else { fixed }
}

/// A value that is linear over the screen: its value at the origin and its slopes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Plane {
    pub(crate) origin: f32,
    pub(crate) dx: f32,
    pub(crate) dy: f32,
}

/// Several of them, value by value.
#[derive(Debug, Clone)]
pub(crate) struct Planes<const N: usize> {
    origin: [f32; N],
    dx: [f32; N],
    dy: [f32; N],
}

impl<const N: usize> Planes<N> {
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Plane {
        Plane { origin: self.origin[index], dx: self.dx[index], dy: self.dy[index] }
    }

    /// The first `M` values at a point of the screen.
    #[inline(always)]
    pub(crate) fn at<const M: usize>(&self, x: f32, y: f32) -> [f32; M] {
        let mut values = [0.0; M];
        for (i, value) in values.iter_mut().enumerate() {
            *value = self.get(i).at(x, y);
        }
        values
    }
}

impl Plane {
    #[inline(always)]
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        fused(self.dy, y, fused(self.dx, x, self.origin))
    }
}

/// What all planes of a triangle share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gradients {
    x0: f32,
    y0: f32,
    dx01: f32,
    dy01: f32,
    dx20: f32,
    dy20: f32,
}

impl Gradients {
    /// The reference draws a front-facing triangle with its first two corners swapped.
    #[inline(always)]
    pub(crate) fn new([b, a, c]: &[Vertex; 3]) -> Self {
        let (dx01, dy01) = (a.x - b.x, a.y - b.y);
        let (dx20, dy20) = (c.x - a.x, c.y - a.y);
        let rcp_area = 1.0 / (dx01 * dy20 - dy01 * dx20);
        Self {
            x0: a.x,
            y0: a.y,
            dx01: dx01 * rcp_area,
            dy01: dy01 * rcp_area,
            dx20: dx20 * rcp_area,
            dy20: dy20 * rcp_area,
        }
    }

    /// The plane through a value at each corner.
    #[inline(always)]
    pub(crate) fn plane(&self, [b, a, c]: [f32; 3]) -> Plane {
        let (d01, d20) = (a - b, c - a);
        let dx = d01 * self.dy20 - d20 * self.dy01;
        let dy = d20 * self.dx01 - d01 * self.dx20;
        Plane { origin: a - (dx * self.x0 + dy * self.y0), dx, dy }
    }

    /// The planes through `N` values at each corner.
    #[inline(always)]
    pub(crate) fn planes<const N: usize>(&self, [b, a, c]: &[[f32; N]; 3]) -> Planes<N> {
        let mut planes = Planes { origin: [0.0; N], dx: [0.0; N], dy: [0.0; N] };
        for i in 0..N {
            let plane = self.plane([b[i], a[i], c[i]]);
            (planes.origin[i], planes.dx[i], planes.dy[i]) = (plane.origin, plane.dx, plane.dy);
        }
        planes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_snapped_as_one_by_one() {
        let odd = [f32::NAN, f32::INFINITY, -1e9, 3e38, 16_384.0, -16_383.998];
        let small = (0..4000).map(|i| (i as f32 - 2000.0) * 0.517 + 1.0 / 512.0);
        let halves = (0..4000).map(|i| (i as f32 + 0.5) / 256.0 - 3.0);
        let all: Vec<f32> = odd.into_iter().chain(small).chain(halves).collect();
        for six in all.windows(6) {
            let six: [f32; 6] = six.try_into().unwrap();
            assert_eq!(snap(six), six.map(|v| round(v * SUBPIXEL as f32)), "{six:?}");
        }
    }
}
