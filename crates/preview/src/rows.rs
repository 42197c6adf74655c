//! Vertex data and triangles as they lie in the file: most are read from there each time, so that a
//! large mesh is in memory once.

use super::accessor::{Accessor, Component};

/// One row of `N` numbers for each vertex.
#[derive(Debug, Clone)]
pub(crate) enum Rows<'a, const N: usize> {
    /// 32-bit floats, a row every `step` bytes.
    Raw {
        bytes: &'a [u8],
        step: usize,
        len: usize,
    },
    /// Nothing but zeros.
    Zero(usize),
    Own(Vec<[f32; N]>),
}

impl<'a, const N: usize> Rows<'a, N> {
    /// The first `N` components of each item; the accessor has at least as many.
    pub(crate) fn of(accessor: &Accessor<'a>) -> Self {
        let len = accessor.count;
        match (accessor.component, accessor.source) {
            (_, None) => Self::Zero(len),
            (Component::F32, Some((bytes, step))) => Self::Raw { bytes, step, len },
            _ => Self::Own(accessor.items().map(|item| item.map(|v| v as f32)).collect()),
        }
    }

    /// Bytes that [`Rows::of`] takes beside the file.
    pub(crate) fn bytes_of(accessor: &Accessor<'_>) -> u64 {
        match (accessor.component, accessor.source) {
            (Component::F32, _) | (_, None) => 0,
            _ => size_of::<[f32; N]>() as u64 * accessor.count as u64,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Raw { len, .. } | Self::Zero(len) => *len,
            Self::Own(rows) => rows.len(),
        }
    }

    /// The row of a vertex that there is; zeros for others.
    #[inline(always)]
    pub(crate) fn get(&self, vertex: u32) -> [f32; N] {
        let at = vertex as usize;
        match self {
            Self::Raw { bytes, step, .. } => {
                let row = bytes.get(at * step..).unwrap_or_default();
                let (words, _) = row.get(..4 * N).unwrap_or_default().as_chunks::<4>();
                words.first_chunk::<N>().map_or([0.0; N], |words| words.map(f32::from_le_bytes))
            }
            Self::Zero(_) => [0.0; N],
            Self::Own(rows) => rows.get(at).copied().unwrap_or([0.0; N]),
        }
    }
}

/// Vertex indices, three a triangle, all of vertices that there are.
#[derive(Debug, Clone)]
pub(crate) enum Triangles<'a> {
    /// Little-endian, one triangle after the other.
    Raw(&'a [[u8; 12]]),
    /// Of a mesh without indices: so many, each of the next three vertices.
    InOrder(usize),
    Own(Vec<[u32; 3]>),
}

impl Triangles<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Raw(all) => all.len(),
            Self::InOrder(len) => *len,
            Self::Own(all) => all.len(),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> [u32; 3] {
        match self {
            Self::Raw(all) => all.get(index).map_or([0; 3], |bytes| {
                let (words, _) = bytes.as_chunks::<4>();
                words.first_chunk::<3>().map_or([0; 3], |words| words.map(u32::from_le_bytes))
            }),
            Self::InOrder(_) => std::array::from_fn(|corner| (3 * index + corner) as u32),
            Self::Own(all) => all.get(index).copied().unwrap_or([0; 3]),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = [u32; 3]> {
        (0..self.len()).map(|i| self.get(i))
    }
}
