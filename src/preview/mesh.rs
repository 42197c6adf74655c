//! The vertices and triangles that are drawn, from the one primitive of the file.

use super::accessor::{Accessor, Component};
use super::json::wrap_index;
use super::limits::{BOUND, Budget, MAX_TRIANGLES};
use super::normals::vertex_normals;
use super::refusal::{Checked, Refusal, RefusalCode};
use super::scene::{Primitive, Topology};

/// A triangle mesh in the file's own coordinates, all arrays one entry a vertex.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    pub(crate) positions: Vec<[f32; 3]>,
    pub(crate) normals: Vec<[f32; 3]>,
    /// With v growing upwards: 1 - v of the file. Empty where the model has none.
    pub(crate) uvs: Vec<[f32; 2]>,
    /// Linear factors, 0 to 1. Empty where the model has none or a material hides them.
    pub(crate) colors: Vec<[f32; 4]>,
    /// Vertex indices, all below `positions.len()`.
    pub(crate) triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// Decodes the primitive and checks its triangles and bound.
    pub(crate) fn read(primitive: Primitive<'_>, accessors: &[Accessor<'_>], budget: &mut Budget) -> Checked<Self> {
        let attribute = |name: &str, budget: &mut Budget| -> Checked<Option<Accessor<'_>>> {
            let Some(index) = primitive.attributes.int(name, "attributes")? else { return Ok(None) };
            let found = at(accessors, index, name)?;
            found.charge(budget, name)?;
            Ok(Some(found))
        };
        for (name, index) in primitive.attributes.entries().filter(|(name, _)| name.starts_with('_')) {
            let index = index.as_i64().ok_or_else(|| Refusal::shape(name, "not a whole number"))?;
            at(accessors, index, name)?;
        }
        let position = attribute("POSITION", budget)?
            .filter(|a| a.width == 3)
            .ok_or_else(|| Refusal::shape("attributes.POSITION", "not three numbers a vertex"))?;
        let triangles = triangles(primitive, position.count, accessors, budget)?;
        check_bound(&position, &triangles)?;
        let positions = groups::<3>(&position);
        let normals = match attribute("NORMAL", budget)? {
            Some(a) if a.width == 3 && a.count == position.count => groups::<3>(&a),
            _ => {
                budget.take(24 * position.count as u64, "NORMAL")?;
                vertex_normals(&positions, &triangles)
            }
        };
        let colors = match attribute("COLOR_0", budget) {
            _ if primitive.material.is_some() => Vec::new(),
            Ok(Some(a)) if a.count == position.count && matches!(a.width, 3 | 4) => colors(&a),
            // Colours that do not fit are passed over, as the reference does.
            _ => Vec::new(),
        };
        let mut texcoords = Vec::new();
        if primitive.material.is_some()
            && let Some(a) = attribute("TEXCOORD_0", budget)?
        {
            texcoords = uvs(&a, position.count)?;
        }
        Ok(Self { positions, normals, uvs: texcoords, colors, triangles })
    }
}

fn at<'a>(accessors: &[Accessor<'a>], index: i64, name: &str) -> Checked<Accessor<'a>> {
    wrap_index(index, accessors.len()).and_then(|i| accessors.get(i)).copied().ok_or_else(|| {
        let message = format!("accessor {index} of {}", accessors.len());
        Refusal::new(RefusalCode::DataAccessor, format!("attributes.{name}"), message)
    })
}

/// The components as arrays of `N`; the accessor has that width.
fn groups<const N: usize>(accessor: &Accessor<'_>) -> Vec<[f32; N]> {
    accessor.floats().as_chunks::<N>().0.to_vec()
}

fn triangles(
    primitive: Primitive<'_>,
    vertices: usize,
    accessors: &[Accessor<'_>],
    budget: &mut Budget,
) -> Checked<Vec<[u32; 3]>> {
    let source = match primitive.indices {
        Some(index) => Some(at(accessors, index, "indices")?),
        None => None,
    };
    let len = source.map_or(vertices, |a| a.count.saturating_mul(a.width));
    let count = match primitive.topology {
        Topology::Triangles if len % 3 != 0 => {
            return Err(Refusal::shape("indices", "not a multiple of three"));
        }
        Topology::Triangles => len / 3,
        Topology::Strip => len.saturating_sub(2),
    };
    if count == 0 {
        return Err(Refusal::new(RefusalCode::SceneEmpty, "indices", "no triangles"));
    }
    if count > MAX_TRIANGLES {
        let message = format!("{count} triangles (at most {MAX_TRIANGLES})");
        return Err(Refusal::new(RefusalCode::DataTriangles, "indices", message));
    }
    budget.take(16 * len as u64, "indices")?;
    let indices = match source {
        Some(a) => a.values().map(|v| index(v, vertices)).collect::<Checked<Vec<u32>>>()?,
        None => (0..u32::try_from(vertices).unwrap_or(u32::MAX)).collect(),
    };
    Ok(match primitive.topology {
        Topology::Triangles => indices.as_chunks::<3>().0.to_vec(),
        Topology::Strip => strip(&indices),
    })
}

fn index(value: f64, vertices: usize) -> Checked<u32> {
    if value >= 0.0 && value < vertices as f64 {
        return Ok(value as u32);
    }
    let message = format!("vertex {value} of {vertices}");
    Err(Refusal::new(RefusalCode::DataIndex, "indices", message))
}

/// The triangles of a strip, every other one turned so that all face the same way.
fn strip(indices: &[u32]) -> Vec<[u32; 3]> {
    let turned = |(i, w): (usize, &[u32])| match *w {
        [a, b, c] if i % 2 == 0 => [a, b, c],
        [a, b, c] => [c, b, a],
        _ => [0; 3],
    };
    indices.windows(3).enumerate().map(turned).collect()
}

/// Every coordinate of the vertices in use must lie within the bound; NaN does not.
fn check_bound(position: &Accessor<'_>, triangles: &[[u32; 3]]) -> Checked<()> {
    /// The bound in the precision in which the reference compares: a 32-bit 0.6 is outside.
    const LIMIT: f64 = 0.6;
    debug_assert!((f64::from(BOUND) - LIMIT).abs() < 1e-6);
    let mut used = vec![false; position.count];
    for &v in triangles.iter().flatten() {
        if let Some(flag) = used.get_mut(v as usize) {
            *flag = true;
        }
    }
    for (i, value) in position.values().enumerate() {
        let outside = !(-LIMIT..=LIMIT).contains(&value);
        if outside && used.get(i / 3).copied().unwrap_or(false) {
            let place = format!("POSITION[{}]", i / 3);
            let message = format!("a coordinate of {value} is beyond {BOUND} either way");
            return Err(Refusal::new(RefusalCode::BoundsExceeded, place, message));
        }
    }
    Ok(())
}

/// Converted to 8 bits as the reference does: floats rounded and clipped, integers wrapped.
fn colors(accessor: &Accessor<'_>) -> Vec<[f32; 4]> {
    let byte = |value: f64| match accessor.component {
        Component::F32 if !value.is_finite() => 0,
        Component::F32 => (value as f32 * 255.0).clamp(0.0, 255.0).round_ties_even() as u8,
        _ => value as i64 as u8,
    };
    let values: Vec<f32> = accessor.values().map(|v| (f64::from(byte(v)) / 255.0) as f32).collect();
    let color = |c: &[f32]| match *c {
        [r, g, b] => [r, g, b, 1.0],
        [r, g, b, a] => [r, g, b, a],
        _ => [1.0; 4],
    };
    values.chunks_exact(accessor.width).map(color).collect()
}

/// The texture coordinates, v turned upwards. In integer types 1 - v wraps around, as in the reference.
fn uvs(accessor: &Accessor<'_>, vertices: usize) -> Checked<Vec<[f32; 2]>> {
    if accessor.count != vertices || accessor.width < 2 {
        let message = "not two numbers for each vertex";
        return Err(Refusal::new(RefusalCode::TextureCoordinates, "attributes.TEXCOORD_0", message));
    }
    let turned = |v: f64| match accessor.component {
        Component::F32 => 1.0 - v as f32,
        Component::I8 => f32::from((1 - v as i64) as i8),
        Component::U8 => f32::from((1 - v as i64) as u8),
        Component::I16 => f32::from((1 - v as i64) as i16),
        Component::U16 => f32::from((1 - v as i64) as u16),
        Component::U32 => ((1 - v as i64) as u32) as f32,
    };
    let values: Vec<f64> = accessor.values().collect();
    let uv = |item: &[f64]| match *item {
        [u, v, ..] => [u as f32, turned(v)],
        _ => [0.0; 2],
    };
    Ok(values.chunks_exact(accessor.width).map(uv).collect())
}
