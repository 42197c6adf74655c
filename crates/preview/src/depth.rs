//! How far away a triangle is at each sample of a tile.

use super::cover::{Cover, OFFSETS, SAMPLES};
use super::project::{TILE, fused};
use super::raster::{Origin, Scene};
use super::setup::{Fixed, Gradients, Plane, SUBPIXEL};

/// The depth of an empty sample: 24 bits.
pub(crate) const FAR: f32 = 16_777_215.0;
/// Of each column and sample, the part of a triangle's depth that is the same all the way up.
pub(crate) type Columns = [[f64; SAMPLES]; TILE];

/// What a triangle is drawn from in a tile.
pub(crate) struct Part {
    pub(crate) triangle: [u32; 3],
    pub(crate) gradients: Gradients,
    depth: Plane,
    cover: Cover,
    origin: Origin,
}

impl Part {
    /// `None` for a triangle that is not seen.
    #[inline(always)]
    pub(crate) fn of(scene: &Scene<'_>, index: u32, origin: Origin) -> Option<Self> {
        let triangle = scene.triangles.get(index as usize);
        let corners = scene.vertices.corners(triangle);
        let fixed = Fixed::front(&corners)?;
        let gradients = Gradients::new(&corners);
        let [a, b, c] = &corners;
        let depth = gradients.plane([a.z, b.z, c.z]);
        Some(Self { triangle, gradients, depth, cover: Cover::new(&fixed, origin), origin })
    }
}

/// Keeps the depths of a triangle's samples where they are nearer than what was there. Calls `found` for each pixel
/// with a word for each sample: all ones where it is nearer, otherwise 0.
#[inline(always)]
pub(crate) fn nearer(
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
}
