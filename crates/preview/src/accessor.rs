//! Buffer views and accessors: every one is checked, only those in use are decoded.

use std::borrow::Cow;

use super::json::{Object, wrap_index};
use super::limits::Budget;
use super::refusal::{Checked, Refusal, RefusalCode};
use python_json::Value;

/// The number type of an accessor's components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    I8,
    U8,
    I16,
    U16,
    U32,
    F32,
}

impl Component {
    fn of(code: f64) -> Option<Self> {
        Some(match code {
            5120.0 => Self::I8,
            5121.0 => Self::U8,
            5122.0 => Self::I16,
            5123.0 => Self::U16,
            5125.0 => Self::U32,
            5126.0 => Self::F32,
            _ => return None,
        })
    }

    const fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::U32 | Self::F32 => 4,
        }
    }

    /// The value in `bytes`, which hold at least one component. Integers stay raw: the reference
    /// loader never divides by their range, `normalized` or not.
    fn read(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::I8, [a, ..]) => f64::from(a.cast_signed()),
            (Self::U8, [a, ..]) => f64::from(*a),
            (Self::I16, [a, b, ..]) => f64::from(i16::from_le_bytes([*a, *b])),
            (Self::U16, [a, b, ..]) => f64::from(u16::from_le_bytes([*a, *b])),
            (Self::U32, [a, b, c, d, ..]) => f64::from(u32::from_le_bytes([*a, *b, *c, *d])),
            (Self::F32, [a, b, c, d, ..]) => f64::from(f32::from_le_bytes([*a, *b, *c, *d])),
            _ => 0.0,
        }
    }
}

/// A checked accessor: `count` items of `width` components.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accessor<'a> {
    pub(crate) count: usize,
    pub(crate) width: usize,
    pub(crate) component: Component,
    /// The bytes from the first item on, and the step between items; `None` means zeros.
    pub(crate) source: Option<(&'a [u8], usize)>,
}

impl<'a> Accessor<'a> {
    /// Counts what the reference makes of it, used or not; what is used here takes its own share.
    fn charge(&self, budget: &mut Budget, place: &str) -> Checked<()> {
        let items = (self.count as u64).saturating_mul(self.width as u64);
        budget.take(items.saturating_mul(8), place)
    }

    /// The components of each item, in order, as numbers.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + use<'_, 'a> {
        (0..self.count).flat_map(move |item| (0..self.width).map(move |i| self.value(item, i)))
    }

    /// The first `N` components of each item; those that it lacks are zero.
    pub(crate) fn items<const N: usize>(&self) -> impl Iterator<Item = [f64; N]> + use<'_, 'a, N> {
        let value = |item, i| if i < self.width { self.value(item, i) } else { 0.0 };
        (0..self.count).map(move |item| std::array::from_fn(|i| value(item, i)))
    }

    fn value(&self, item: usize, i: usize) -> f64 {
        let Some((data, step)) = self.source else { return 0.0 };
        let bytes = data.get(item * step..).unwrap_or_default();
        self.component.read(bytes.get(i * self.component.size()..).unwrap_or_default())
    }

    /// The bytes of whole numbers of 32 bits that lie one after the other.
    pub(crate) fn packed_words(&self) -> Option<&'a [u8]> {
        let (data, step) = self.source?;
        let packed = self.component == Component::U32 && step == 4 * self.width;
        data.get(..4 * self.count * self.width).filter(|_| packed)
    }
}

/// The step between a view's items; an invalid one matters only to accessors.
type Stride = Checked<Option<i64>>;

/// The buffer views of the document, each the bytes that it names.
pub(crate) struct Views<'a> {
    views: Vec<(&'a [u8], Stride)>,
}

impl<'a> Views<'a> {
    /// Checks all entries of `bufferViews` against the buffers.
    pub(crate) fn read(document: Object<'_>, buffers: &'a [Cow<'a, [u8]>]) -> Checked<Self> {
        let entries = document.list("bufferViews", "")?;
        let view = |(i, entry)| read_view(entry, &format!("bufferViews[{i}]"), buffers);
        let views = entries.iter().enumerate().map(view).collect::<Checked<_>>()?;
        Ok(Self { views })
    }

    /// The bytes of one view.
    pub(crate) fn bytes(&self, index: i64, place: &str) -> Checked<&'a [u8]> {
        self.entry(index, place).map(|(bytes, _)| *bytes)
    }

    fn entry(&self, index: i64, place: &str) -> Checked<&(&'a [u8], Stride)> {
        let found = wrap_index(index, self.views.len()).and_then(|i| self.views.get(i));
        found.ok_or_else(|| {
            Refusal::new(
                RefusalCode::DataBufferView,
                format!("{place}.bufferView"),
                format!("buffer view {index} of {}", self.views.len()),
            )
        })
    }
}

fn read_view<'a>(entry: &Value, place: &str, buffers: &'a [Cow<'a, [u8]>]) -> Checked<(&'a [u8], Stride)> {
    let view = Object::of(entry, place)?;
    let fail = |message: String| Refusal::new(RefusalCode::DataBufferView, place, message);
    let buffer = view.need_int("buffer", place)?;
    let bytes = wrap_index(buffer, buffers.len()).and_then(|i| buffers.get(i));
    let bytes = bytes.ok_or_else(|| fail(format!("buffer {buffer} of {}", buffers.len())))?;
    let start = view.int("byteOffset", place)?.unwrap_or(0);
    let length = view.need_int("byteLength", place)?;
    let slice = || {
        let start = usize::try_from(start).ok()?;
        bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    };
    let slice = slice().ok_or_else(|| fail(format!("ends beyond its {} bytes", bytes.len())))?;
    Ok((slice, view.int("byteStride", place)))
}

/// Checks all entries of `accessors` against their views, used or not.
pub(crate) fn read_accessors<'a>(
    document: Object<'_>,
    views: &Views<'a>,
    budget: &mut Budget,
) -> Checked<Vec<Accessor<'a>>> {
    if document.get("accessors").is_none() {
        return Err(Refusal::shape("accessors", "missing"));
    }
    let entries = document.list("accessors", "")?;
    let read = |(i, entry)| read_accessor(entry, &format!("accessors[{i}]"), views, budget);
    entries.iter().enumerate().map(read).collect()
}

fn read_accessor<'a>(entry: &Value, place: &str, views: &Views<'a>, budget: &mut Budget) -> Checked<Accessor<'a>> {
    let fail = |message| Refusal::new(RefusalCode::DataAccessor, place, message);
    let entry = Object::of(entry, place)?;
    let count = usize::try_from(entry.need_int("count", place)?).map_err(|_| fail("a negative count".to_owned()))?;
    // Looked up in a table, where 5126.0 is 5126.
    let component = entry.get("componentType").and_then(Value::as_f64);
    let component = component.ok_or_else(|| fail("no componentType".to_owned()))?;
    let component = Component::of(component).ok_or_else(|| fail("an unknown componentType".to_owned()))?;
    let width = entry.text("type").and_then(width_of);
    let width = width.ok_or_else(|| fail("an unknown type".to_owned()))?;
    let Some(view) = entry.int("bufferView", place)? else {
        // Without a view the reference loader makes zeros, whatever `sparse` says.
        let accessor = Accessor { count, width, component, source: None };
        accessor.charge(budget, place)?;
        return Ok(accessor);
    };
    let (bytes, stride) = views.entry(view, place)?;
    let row = width * component.size();
    let step = match stride.clone()? {
        None => row,
        Some(step) => usize::try_from(step)
            .ok()
            .filter(|&step| step > 0)
            .ok_or_else(|| fail("a byteStride that is not positive".to_owned()))?,
    };
    let offset = usize::try_from(entry.int("byteOffset", place)?.unwrap_or(0)).ok();
    let needed = || {
        if count == 0 {
            return Some(&[][..]);
        }
        let rows = (count - 1).checked_mul(step)?.checked_add(row)?;
        let offset = offset?;
        bytes.get(offset..offset.checked_add(rows)?)
    };
    let data =
        needed().ok_or_else(|| fail(format!("{count} items do not fit the {} bytes of its view", bytes.len())))?;
    Ok(Accessor { count, width, component, source: Some((data, step)) })
}

fn width_of(kind: &str) -> Option<usize> {
    Some(match kind {
        "SCALAR" => 1,
        "VEC2" => 2,
        "VEC3" => 3,
        "VEC4" | "MAT2" => 4,
        "MAT3" => 9,
        "MAT4" => 16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read<'a>(document: &Value, buffers: &'a [Cow<'a, [u8]>]) -> Checked<Vec<Accessor<'a>>> {
        let document = super::Value::from(document);
        let document = Object::of(&document, "").unwrap();
        let views = Views::read(document, buffers)?;
        read_accessors(document, &views, &mut Budget::default())
    }

    fn one(view: &Value, accessor: &Value, bytes: &[u8]) -> Checked<Vec<f32>> {
        let document = json!({"bufferViews": [view], "accessors": [accessor]});
        let buffers = [Cow::Borrowed(bytes)];
        Ok(read(&document, &buffers)?[0].values().map(|v| v as f32).collect())
    }

    #[test]
    fn strided_and_packed_items() {
        let bytes: Vec<u8> = (0..16).collect();
        let packed = json!({"count": 2, "componentType": 5123, "type": "VEC2", "bufferView": 0});
        let view = json!({"buffer": 0, "byteLength": 16});
        assert_eq!(one(&view, &packed, &bytes).unwrap(), [256.0, 770.0, 1284.0, 1798.0]);
        let strided = json!({"buffer": 0, "byteLength": 16, "byteStride": 8});
        let bytes_of = json!({"count": 2, "componentType": 5121.0, "type": "VEC2", "bufferView": 0});
        assert_eq!(one(&strided, &bytes_of, &bytes).unwrap(), [0.0, 1.0, 8.0, 9.0]);
        let signed = json!({"count": 1, "componentType": 5120, "type": "SCALAR", "bufferView": 0});
        assert_eq!(one(&view, &signed, &[0xff; 16]).unwrap(), [-1.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let view = json!({"buffer": 0, "byteLength": 8});
        for bad in [
            json!({"count": 3, "componentType": 5126, "type": "SCALAR", "bufferView": 0}),
            json!({"count": 2_000_000_000, "componentType": 5126, "type": "VEC3", "bufferView": 0}),
            json!({"count": i64::MAX, "componentType": 5126, "type": "MAT4", "bufferView": 0}),
            json!({"count": -1, "componentType": 5126, "type": "SCALAR", "bufferView": 0}),
            json!({"count": 1, "componentType": 5124, "type": "SCALAR", "bufferView": 0}),
            json!({"count": 1, "componentType": 5126, "type": "VEC5", "bufferView": 0}),
            json!({"count": 1, "componentType": 5126, "type": "VEC3", "bufferView": 0}),
        ] {
            let refusal = one(&view, &bad, &[0; 8]).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::DataAccessor);
        }
        let zeros = json!({"count": 3_000_000_000_u64, "componentType": 5126, "type": "VEC3"});
        assert_eq!(one(&view, &zeros, &[0; 8]).unwrap_err().code, RefusalCode::DataTooLarge);
    }

    #[test]
    fn the_step_of_a_view_matters_to_accessors_only() {
        let views = json!([{"buffer": 0, "byteLength": 8, "byteStride": {}}, {"buffer": 0, "byteLength": 8}]);
        let of = |view: usize| {
            let accessor = json!({"count": 1, "componentType": 5126, "type": "SCALAR", "bufferView": view});
            let buffers = [Cow::Borrowed(&[0; 8][..])];
            read(&json!({"bufferViews": views, "accessors": [accessor]}), &buffers).map(|_| ())
        };
        assert!(of(1).is_ok());
        assert_eq!(of(0).unwrap_err().place, "bufferViews[0].byteStride");
    }

    #[test]
    fn views_must_fit_their_buffer() {
        let accessor = json!({"count": 0, "componentType": 5126, "type": "SCALAR"});
        for bad in [
            json!({"buffer": 0, "byteLength": 9}),
            json!({"buffer": 0, "byteOffset": 1, "byteLength": 8}),
            json!({"buffer": 1, "byteLength": 1}),
            json!({"buffer": 0, "byteOffset": -1, "byteLength": 1}),
            json!({"buffer": 0, "byteOffset": i64::MAX, "byteLength": i64::MAX}),
        ] {
            let refusal = one(&bad, &accessor, &[0; 8]).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::DataBufferView);
        }
    }
}
