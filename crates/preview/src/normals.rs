//! Normals for meshes that bring none: the mean of the face normals around a vertex, each weighted by
//! the angle of the face at that vertex. Vertices are what the file counts as such: where it splits
//! one in two, a seam shows.

use super::limits::Watch;
use super::refusal::Checked;
use super::rows::{Rows, Triangles};

/// Shorter than this, a vector counts as zero (as in the reference's mesh library).
const TINY: f64 = 1e-13;
/// A triangle with a smaller angle, in radians, weighs nothing.
const THIN: f64 = 1e-8;

/// Vertices whose normals are summed up together: the sums are wide, and there may be many vertices.
const PART: usize = 1 << 20;

/// How often [`vertex_normals`] goes through the triangles.
pub(super) fn rounds(vertices: usize) -> u64 {
    vertices.div_ceil(PART) as u64
}

/// Bytes that [`vertex_normals`] takes for so many vertices.
pub(super) fn bytes(vertices: usize) -> u64 {
    (size_of::<[f32; 3]>() * vertices + size_of::<[f64; 3]>() * vertices.min(PART)) as u64
}

/// One normal for each position; zero where no sound triangle meets the vertex.
pub(super) fn vertex_normals(
    positions: &Rows<'_, 3>,
    triangles: &Triangles<'_>,
    watch: Watch<'_>,
) -> Checked<Vec<[f32; 3]>> {
    let mut normals = Vec::with_capacity(positions.len());
    let mut sums = vec![[0.0_f64; 3]; positions.len().min(PART)];
    for first in (0..positions.len()).step_by(PART) {
        let len = PART.min(positions.len() - first);
        sums.fill([0.0; 3]);
        for (i, triangle) in triangles.iter().enumerate() {
            if i % (1 << 16) == 0 {
                watch.check()?;
            }
            let places = triangle.map(|v| (v as usize).wrapping_sub(first));
            if places.iter().all(|place| *place >= len) {
                continue;
            }
            let Some((normal, angles)) = face(triangle.map(|v| positions.get(v).map(f64::from))) else { continue };
            for (place, angle) in places.into_iter().zip(angles) {
                if let Some(sum) = sums.get_mut(place) {
                    *sum = std::array::from_fn(|i| sum[i] + normal[i] * angle);
                }
            }
        }
        normals.extend(sums.iter().take(len).map(|sum| unit(*sum).map(|v| v as f32)));
    }
    Ok(normals)
}

/// The unit normal and the three corner angles, in radians; `None` for a face without area.
fn face([a, b, c]: [[f64; 3]; 3]) -> Option<([f64; 3], [f64; 3])> {
    let (ab, bc, ac) = (sub(b, a), sub(c, b), sub(c, a));
    let normal = cross(ab, bc);
    let area = dot(normal, normal).sqrt();
    if area.is_nan() || area <= TINY {
        return None;
    }
    let (u, v, w) = (unit(ab), unit(ac), unit(bc));
    let first = angle(dot(u, v));
    let second = angle(-dot(u, w));
    let third = std::f64::consts::PI - first - second;
    let angles = [first, second, third];
    let thin = angles.iter().any(|&a| a < THIN);
    Some((unit(normal), if thin { [0.0; 3] } else { angles }))
}

fn angle(cosine: f64) -> f64 {
    libm::acos(cosine.clamp(-1.0, 1.0))
}

/// The vector at length 1; a tiny one is scaled by its length instead, and so stays tiny.
fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = dot(v, v).sqrt();
    let factor = if length > TINY { 1.0 / length } else { length };
    v.map(|x| x * factor)
}

fn sub(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex_normals(positions: &[[f32; 3]], triangles: &[[u32; 3]]) -> Vec<[f32; 3]> {
        let (positions, triangles) = (Rows::Own(positions.to_vec()), Triangles::Own(triangles.to_vec()));
        super::vertex_normals(&positions, &triangles, Watch::NONE).unwrap()
    }

    #[test]
    fn flat_corners_share_the_face_normal() {
        let square = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]];
        let normals = vertex_normals(&square, &[[0, 1, 2], [0, 2, 3]]);
        assert_eq!(normals, [[0.0, 0.0, 1.0]; 4]);
    }

    #[test]
    fn many_vertices_are_summed_up_in_parts() {
        let corner = |i: usize| [(i % 7) as f32, (i % 11) as f32, (i % 13) as f32];
        let positions: Vec<[f32; 3]> = (0..PART + 9).map(corner).collect();
        let last = (PART + 8) as u32;
        let all = vertex_normals(&positions, &[[0, 1, last], [last, 3, 0], [0, 5, 6]]);
        let few = vertex_normals(
            &[corner(0), corner(1), corner(3), corner(5), corner(6), corner(PART + 8)],
            &[[0, 1, 5], [5, 2, 0], [0, 3, 4]],
        );
        assert_eq!([all[0], all[3], all[PART + 8], all[PART]], [few[0], few[2], few[5], [0.0; 3]]);
    }

    #[test]
    fn angles_weigh_the_faces() {
        // At vertex 0 two faces of a right angle each meet one of 45 degrees.
        let (_, angles) = face([[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).unwrap();
        let right = std::f64::consts::FRAC_PI_2;
        for (angle, expected) in angles.iter().zip([right, right / 2.0, right / 2.0]) {
            assert!((angle - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn lone_and_degenerate_vertices_have_none() {
        let positions = [[0.0; 3], [0.0; 3], [0.0; 3], [9.0; 3]];
        assert_eq!(vertex_normals(&positions, &[[0, 1, 2]]), [[0.0; 3]; 4]);
    }
}
