//! The vertices and triangles that are drawn, from the one primitive of the file.

use super::accessor::{Accessor, Component};
use super::cost;
use super::json::wrap_index;
use super::limits::{BOUND, Budget, MAX_TRIANGLES, Watch};
use super::normals;
use super::refusal::{Checked, Refusal, RefusalCode};
use super::rows::{Rows, Triangles};
use super::scene::{Primitive, Topology};
use super::shade::unit;

/// A triangle mesh in the file's own coordinates, all rows one a vertex.
#[derive(Debug, Clone)]
pub(crate) struct Mesh<'a> {
    pub(crate) positions: Rows<'a, 3>,
    /// At unit length; a zero normal becomes NaN, which shading takes for none.
    pub(crate) normals: Vec<[f32; 3]>,
    /// Empty where the model has none.
    pub(crate) uvs: Uvs<'a>,
    /// Red, green, blue and alpha. Empty where the model has none or a material hides them.
    pub(crate) colors: Vec<[u8; 4]>,
    pub(crate) triangles: Triangles<'a>,
}

impl<'a> Mesh<'a> {
    /// Decodes the primitive and checks its triangles and bound.
    pub(crate) fn read(
        primitive: Primitive<'_>,
        accessors: &[Accessor<'a>],
        budget: &mut Budget,
        watch: Watch<'_>,
    ) -> Checked<Self> {
        let attribute = |name: &str| -> Checked<Option<Accessor<'a>>> {
            let Some(index) = primitive.attributes.int(name, "attributes")? else { return Ok(None) };
            at(accessors, index, name).map(Some)
        };
        for (name, index) in primitive.attributes.entries().filter(|(name, _)| name.starts_with('_')) {
            let index = index.as_i64().ok_or_else(|| Refusal::shape(&*name, "not a whole number"))?;
            at(accessors, index, &name)?;
        }
        let position = attribute("POSITION")?
            .filter(|a| a.width == 3)
            .ok_or_else(|| Refusal::shape("attributes.POSITION", "not three numbers a vertex"))?;
        budget.take(Rows::<3>::bytes_of(&position), "POSITION")?;
        budget.spend(cost::VERTEX * position.count as u64, "POSITION")?;
        let triangles = triangles(primitive, position.count, accessors, budget)?;
        watch.check()?;
        check_bound(&position, &triangles, budget)?;
        let positions = Rows::of(&position);
        watch.check()?;
        let normals = match attribute("NORMAL")? {
            Some(a) if a.width == 3 && a.count == position.count => {
                budget.take(size_of::<[f32; 3]>() as u64 * a.count as u64 + Rows::<3>::bytes_of(&a), "NORMAL")?;
                let rows = Rows::<3>::of(&a);
                (0..rows.len()).map(|i| unit(rows.get(i as u32))).collect()
            }
            _ => {
                let faces = triangles.len() as u64 * normals::rounds(position.count).min(3);
                let looks = triangles.len() as u64 * normals::rounds(position.count);
                budget.take(normals::bytes(position.count), "NORMAL")?;
                budget.spend(cost::NORMAL * faces + cost::LOOK * looks, "NORMAL")?;
                let mut normals = normals::vertex_normals(&positions, &triangles, watch)?;
                normals.iter_mut().for_each(|normal| *normal = unit(*normal));
                normals
            }
        };
        watch.check()?;
        let colors = match attribute("COLOR_0") {
            _ if primitive.material.is_some() => Vec::new(),
            Ok(Some(a)) if a.count == position.count && matches!(a.width, 3 | 4) => {
                budget.take(size_of::<[u8; 4]>() as u64 * a.count as u64, "COLOR_0")?;
                colors(&a)
            }
            // Colours that do not fit are passed over, as the reference does.
            _ => Vec::new(),
        };
        let mut texcoords = Uvs::Rows(Rows::Zero(0));
        if primitive.material.is_some()
            && let Some(a) = attribute("TEXCOORD_0")?
        {
            budget.take(Rows::<2>::bytes_of(&a), "TEXCOORD_0")?;
            texcoords = Uvs::read(&a, position.count)?;
        }
        Ok(Self { positions, normals, uvs: texcoords, colors, triangles })
    }

    /// The colour factors of a vertex, 0 to 1, and its alpha.
    #[inline(always)]
    pub(crate) fn color(&self, vertex: u32) -> [f32; 4] {
        let bytes = self.colors.get(vertex as usize).copied().unwrap_or([255; 4]);
        bytes.map(|byte| (f64::from(byte) / 255.0) as f32)
    }
}

fn at<'a>(accessors: &[Accessor<'a>], index: i64, name: &str) -> Checked<Accessor<'a>> {
    wrap_index(index, accessors.len()).and_then(|i| accessors.get(i)).copied().ok_or_else(|| {
        let message = format!("accessor {index} of {}", accessors.len());
        Refusal::new(RefusalCode::DataAccessor, format!("attributes.{name}"), message)
    })
}

fn triangles<'a>(
    primitive: Primitive<'_>,
    vertices: usize,
    accessors: &[Accessor<'a>],
    budget: &mut Budget,
) -> Checked<Triangles<'a>> {
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
        // Of triangles the loader cuts fractions off.
        Topology::Strip if source.is_some_and(|a| a.component == Component::F32) => {
            return Err(Refusal::shape("indices", "a strip of numbers that are not whole ones"));
        }
        Topology::Strip => len.saturating_sub(2),
    };
    if count == 0 {
        return Err(Refusal::new(RefusalCode::SceneEmpty, "indices", "no triangles"));
    }
    if count > MAX_TRIANGLES {
        let message = format!("{count} triangles (at most {MAX_TRIANGLES})");
        return Err(Refusal::new(RefusalCode::DataTriangles, "indices", message));
    }
    budget.spend(cost::INDEX * len as u64, "indices")?;
    if primitive.topology == Topology::Triangles {
        let Some(source) = source else { return Ok(Triangles::InOrder(count)) };
        if let Some(words) = source.packed_words() {
            source.values().try_for_each(|v| index(v, vertices).map(|_| ()))?;
            return Ok(Triangles::Raw(words.as_chunks::<12>().0));
        }
    }
    budget.take(size_of::<[u32; 3]>() as u64 * count as u64 + 4 * len as u64, "indices")?;
    let indices = match source {
        Some(a) => a.values().map(|v| index(v, vertices)).collect::<Checked<Vec<u32>>>()?,
        None => (0..u32::try_from(vertices).unwrap_or(u32::MAX)).collect(),
    };
    Ok(Triangles::Own(match primitive.topology {
        Topology::Triangles => indices.as_chunks::<3>().0.to_vec(),
        Topology::Strip => strip(&indices),
    }))
}

/// The vertex of an index; whatever is behind the point of one is cut off.
fn index(value: f64, vertices: usize) -> Checked<u32> {
    let value = value.trunc();
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
fn check_bound(position: &Accessor<'_>, triangles: &Triangles<'_>, budget: &mut Budget) -> Checked<()> {
    /// The bound in the precision in which the reference compares: a 32-bit 0.6 is outside.
    const LIMIT: f64 = 0.6;
    debug_assert!((f64::from(BOUND) - LIMIT).abs() < 1e-6);
    budget.take(position.count as u64, "POSITION")?;
    let mut used = vec![false; position.count];
    for v in triangles.iter().flatten() {
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
fn colors(accessor: &Accessor<'_>) -> Vec<[u8; 4]> {
    let byte = |value: f64| match accessor.component {
        Component::F32 if !value.is_finite() => 0,
        Component::F32 => (value as f32 * 255.0).clamp(0.0, 255.0).round_ties_even() as u8,
        _ => value as i64 as u8,
    };
    let color = |item: [f64; 4]| match (accessor.width, item.map(byte)) {
        (3, [r, g, b, _]) => [r, g, b, 255],
        (_, all) => all,
    };
    accessor.items().map(color).collect()
}

/// Texture coordinates with v growing upwards: 1 - v of the file.
#[derive(Debug, Clone)]
pub(crate) enum Uvs<'a> {
    /// As the file has them.
    Rows(Rows<'a, 2>),
    /// Turned already.
    Turned(Vec<[f32; 2]>),
}

impl<'a> Uvs<'a> {
    /// In integer types 1 - v wraps around, as in the reference.
    fn read(accessor: &Accessor<'a>, vertices: usize) -> Checked<Self> {
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
        if accessor.component == Component::F32 || accessor.source.is_none() {
            return Ok(Self::Rows(Rows::of(accessor)));
        }
        Ok(Self::Turned(accessor.items().map(|[u, v]| [u as f32, turned(v)]).collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.len() == 0,
            Self::Turned(rows) => rows.is_empty(),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, vertex: u32) -> [f32; 2] {
        match self {
            Self::Rows(rows) => {
                let [u, v] = rows.get(vertex);
                [u, 1.0 - v]
            }
            Self::Turned(rows) => rows.get(vertex as usize).copied().unwrap_or_default(),
        }
    }
}
