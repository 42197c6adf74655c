//! Material values, as the reference loader checks, converts and completes them.

use std::borrow::Cow;

use super::convert::{Converter, Replaced, Replacement, extension};
use super::gallery::Gallery;
use super::json::{Object, join, wrap_index};
use super::limits::{Budget, Watch};
use super::numbers::{self, Array};
use super::refusal::{Checked, Refusal, RefusalCode};
use super::texture::Channels;
use python_json::Value;

/// The values of a material that are drawn with, and which images its textures come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Material {
    /// Linear RGB and alpha, 0 to 1, in steps of 1/255 where the file gives it.
    pub(crate) base_color: [f32; 4],
    pub(crate) metallic: f32,
    pub(crate) roughness: f32,
    pub(crate) emissive: [f32; 3],
    /// Indices into the document's images.
    pub(crate) images: TextureSlots<usize>,
}

/// One thing for each texture slot of a material.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TextureSlots<T> {
    pub(crate) normal: Option<T>,
    pub(crate) occlusion: Option<T>,
    pub(crate) emissive: Option<T>,
    pub(crate) base_color: Option<T>,
    pub(crate) metallic_roughness: Option<T>,
}

impl<T> Default for TextureSlots<T> {
    fn default() -> Self {
        Self { normal: None, occlusion: None, emissive: None, base_color: None, metallic_roughness: None }
    }
}

impl<T> TextureSlots<T> {
    /// Whether any slot is filled.
    pub(crate) fn any(&self) -> bool {
        self.count() > 0
    }

    /// How many slots are filled.
    pub(crate) fn count(&self) -> u64 {
        let mut count = 0;
        self.map(|_, _| count += 1);
        count
    }

    /// Something else for each slot that is filled, in the order in which faults are told.
    pub(crate) fn map<U>(&self, mut make: impl FnMut(&T, Channels) -> U) -> TextureSlots<U> {
        TextureSlots {
            normal: self.normal.as_ref().map(|t| make(t, Channels::Rgb)),
            occlusion: self.occlusion.as_ref().map(|t| make(t, Channels::Red)),
            emissive: self.emissive.as_ref().map(|t| make(t, Channels::Rgb)),
            base_color: self.base_color.as_ref().map(|t| make(t, Channels::Rgba)),
            metallic_roughness: self.metallic_roughness.as_ref().map(|t| make(t, Channels::GreenBlue)),
        }
    }

    /// What is here, and in the other slots what is there.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            normal: self.normal.or(other.normal),
            occlusion: self.occlusion.or(other.occlusion),
            emissive: self.emissive.or(other.emissive),
            base_color: self.base_color.or(other.base_color),
            metallic_roughness: self.metallic_roughness.or(other.metallic_roughness),
        }
    }
}

impl<T> TextureSlots<Option<T>> {
    /// Only those slots that hold something.
    pub(crate) fn flatten(self) -> TextureSlots<T> {
        TextureSlots {
            normal: self.normal.flatten(),
            occlusion: self.occlusion.flatten(),
            emissive: self.emissive.flatten(),
            base_color: self.base_color.flatten(),
            metallic_roughness: self.metallic_roughness.flatten(),
        }
    }
}

impl<T> TextureSlots<Checked<Option<T>>> {
    /// What came well of each slot, or the first fault.
    pub(crate) fn sound(self) -> Checked<TextureSlots<T>> {
        Ok(TextureSlots {
            normal: self.normal.transpose()?.flatten(),
            occlusion: self.occlusion.transpose()?.flatten(),
            emissive: self.emissive.transpose()?.flatten(),
            base_color: self.base_color.transpose()?.flatten(),
            metallic_roughness: self.metallic_roughness.transpose()?.flatten(),
        })
    }
}

impl Material {
    /// What a primitive without material and colours is drawn with: a plain grey.
    pub(crate) fn plain() -> Self {
        Self { base_color: [0.3, 0.3, 0.3, 1.0], ..Self::vertex_colored() }
    }

    /// What a primitive with vertex colours alone is drawn with.
    pub(crate) fn vertex_colored() -> Self {
        Self {
            base_color: [1.0; 4],
            metallic: 0.2,
            roughness: 0.8,
            emissive: [0.0; 3],
            images: TextureSlots::default(),
        }
    }

    /// Whether it sends out light of its own.
    pub(crate) fn glows(&self) -> bool {
        !self.emissive.iter().all(|factor| *factor <= 0.0)
    }

    /// Reads all materials (a fault in any refuses the model) and returns the one at `index`. What is converted to
    /// pictures for it is added to the gallery.
    pub(crate) fn read(
        document: Object<'_>,
        index: Option<i64>,
        gallery: &mut Gallery<'_>,
        (budget, watch): (&mut Budget, Watch<'_>),
    ) -> Checked<Option<Self>> {
        let entries = document.list("materials", "")?;
        let used = index.and_then(|index| wrap_index(index, entries.len()));
        let mut converter = Converter::new(document, gallery, budget, watch);
        let mut found = None;
        for (i, entry) in entries.iter().enumerate() {
            let fields = Fields::read(entry, format!("materials[{i}]"), used == Some(i), &mut converter)?;
            if used == Some(i) {
                found = Some(fields);
            }
        }
        let Some(index) = index else { return Ok(None) };
        let fields = found.ok_or_else(|| {
            let message = format!("material {index} of {}", entries.len());
            Refusal::new(RefusalCode::DataMaterialIndex, "primitive.material", message)
        })?;
        fields.material().map(Some)
    }
}

/// A material's entries as far as the loader checks them, in use or not.
struct Fields {
    place: String,
    base_color: [f32; 4],
    metallic: f64,
    roughness: f64,
    alpha_cutoff: f64,
    emissive: [f32; 3],
    images: TextureSlots<usize>,
    /// A key, and what is wrong with its value in a material in use.
    stray: Option<(&'static str, &'static str)>,
}

/// What a key of a material comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'v> {
    /// It is not there, or is an object that leads to no texture.
    Absent,
    Null,
    Value(&'v Value),
    /// A texture with this image.
    Image(usize),
}

/// Follows a value of a material: objects are texture references, whatever their key.
pub(crate) fn entry<'v>(document: Object<'_>, gallery: &Gallery<'_>, value: Option<&'v Value>) -> Entry<'v> {
    match value {
        None => Entry::Absent,
        Some(Value::Null) => Entry::Null,
        Some(value @ Value::Object(_)) => image_index(document, value, gallery).map_or(Entry::Absent, Entry::Image),
        Some(value) => Entry::Value(value),
    }
}

impl Fields {
    fn read(value: &Value, place: String, used: bool, converter: &mut Converter<'_, '_>) -> Checked<Self> {
        let outer = Object::of(value, &place)?;
        let empty = |v: &Value| v.as_array().is_some_and(Vec::is_empty) || v.as_str() == Some("");
        let pbr = if outer.get("pbrMetallicRoughness").is_some_and(empty) {
            None
        } else {
            outer.object("pbrMetallicRoughness", &place)?
        };
        let extension = extension(outer.object("extensions", &place)?);
        let replaced = extension.map(|e| converter.convert(e, &place, used)).transpose()?;
        // The loader flattens all into one: the inner object wins over the outer one, what is converted over both.
        let hidden = |key: &str| replaced.as_ref().is_some_and(|replaced| replaced.hides(key));
        let overruled = |key: &str| hidden(key) || pbr.is_some_and(|p| p.get(key).is_some());
        check_lists(outer.entries().filter(|(key, _)| !overruled(key)), &place)?;
        check_lists(pbr.iter().flat_map(|p| p.entries()).filter(|(key, _)| !hidden(key)), &place)?;
        let (document, gallery) = (converter.document, &*converter.gallery);
        let mut fields = Self::plain(place);
        fields.fill(|key| {
            let value = pbr.and_then(|p| p.get(key)).or_else(|| outer.get(key)).filter(|_| !hidden(key));
            entry(document, gallery, value)
        })?;
        if let Some(replaced) = replaced {
            fields.replace(replaced)?;
        }
        Ok(fields)
    }

    /// A material that says nothing.
    fn plain(place: String) -> Self {
        Self {
            place,
            base_color: [1.0; 4],
            metallic: 1.0,
            roughness: 1.0,
            alpha_cutoff: 0.5,
            emissive: [0.0; 3],
            images: TextureSlots::default(),
            stray: None,
        }
    }

    /// Takes over what the keys of the file come to.
    fn fill<'v>(&mut self, mut field: impl FnMut(&str) -> Entry<'v>) -> Checked<()> {
        let place = self.place.clone();
        if !matches!(field("self"), Entry::Absent) {
            return Err(bad_value(join(&place, "self"), "a key that the loader cannot take"));
        }
        check_alpha_mode(field("alphaMode"), &place)?;
        self.emissive = emissive(field("emissiveFactor"), &place)?;
        let (color, stray) = base_color(field("baseColorFactor"), &place)?;
        self.base_color = color;
        self.stray = self.stray.or(stray);
        self.metallic = number(field("metallicFactor"), 1.0, &place, "metallicFactor")?;
        self.roughness = number(field("roughnessFactor"), 1.0, &place, "roughnessFactor")?;
        self.alpha_cutoff = number(field("alphaCutoff"), 0.5, &place, "alphaCutoff")?;
        self.check_sides(field("doubleSided"))?;
        let mut image = |key: &'static str| match field(key) {
            Entry::Image(index) => Some(index),
            Entry::Absent | Entry::Null => None,
            Entry::Value(_) => {
                self.stray = self.stray.or(Some((key, "not a texture reference")));
                None
            }
        };
        self.images = TextureSlots {
            normal: image("normalTexture"),
            occlusion: image("occlusionTexture"),
            emissive: image("emissiveTexture"),
            base_color: image("baseColorTexture"),
            metallic_roughness: image("metallicRoughnessTexture"),
        };
        Ok(())
    }

    /// Whether both sides are drawn is not looked at, but a material in use must say yes or no, in whatever form.
    fn check_sides(&mut self, entry: Entry<'_>) -> Checked<()> {
        match entry {
            Entry::Null => self.stray = self.stray.or(Some(("doubleSided", "neither true nor false"))),
            Entry::Value(value @ Value::Array(_)) if numbers::array(value).is_none_or(|a| a.values.len() != 1) => {
                return Err(bad_value(join(&self.place, "doubleSided"), "neither true nor false"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes over what was converted.
    fn replace(&mut self, replaced: Replaced) -> Checked<()> {
        match replaced.base {
            Replacement::Factors(values) => {
                let array = Array { shape: vec![values.len()], values };
                self.base_color = colors(&array, &self.place)?.0;
            }
            Replacement::Image(index) => self.images.base_color = index,
        }
        match replaced.surface {
            Replacement::Factors(factors) => (self.metallic, self.roughness) = factors,
            Replacement::Image(index) => {
                self.images.metallic_roughness = index;
                (self.metallic, self.roughness) = (1.0, 1.0);
            }
        }
        Ok(())
    }

    /// The material, once the ranges hold that only a material in use must keep.
    fn material(&self) -> Checked<Material> {
        let within = |value: f64, key: &str| {
            // One that is no number passes.
            if !value.is_nan() && !(0.0..=1.0).contains(&value) {
                return Err(bad_value(join(&self.place, key), format!("{value} is not within 0 and 1")));
            }
            Ok(value as f32)
        };
        within(self.alpha_cutoff, "alphaCutoff")?;
        if let Some((key, message)) = self.stray {
            return Err(bad_value(join(&self.place, key), message));
        }
        Ok(Material {
            base_color: self.base_color,
            metallic: within(self.metallic, "metallicFactor")?,
            roughness: within(self.roughness, "roughnessFactor")?,
            emissive: self.emissive,
            images: self.images,
        })
    }
}

impl Replaced {
    /// Whether the file's own value of this key does not count.
    fn hides(&self, key: &str) -> bool {
        match key {
            "baseColorFactor" => matches!(self.base, Replacement::Factors(_)),
            "baseColorTexture" => matches!(self.base, Replacement::Image(_)),
            "metallicFactor" | "roughnessFactor" => true,
            "metallicRoughnessTexture" => matches!(self.surface, Replacement::Image(_)),
            _ => false,
        }
    }
}

/// Lists among the entries become arrays of numbers in the reference, whatever their key.
pub(crate) fn check_lists<'v>(entries: impl Iterator<Item = (Cow<'v, str>, &'v Value)>, place: &str) -> Checked<()> {
    for (key, value) in entries {
        if value.is_array() && numbers::array(value).is_none() {
            return Err(bad_value(join(place, &key), "a list of something other than numbers"));
        }
    }
    Ok(())
}

fn number(entry: Entry<'_>, default: f64, place: &str, key: &str) -> Checked<f64> {
    let given = match entry {
        Entry::Absent | Entry::Null => Some(default),
        Entry::Value(value) => numbers::number(value),
        Entry::Image(_) => None,
    };
    given.ok_or_else(|| bad_value(join(place, key), "not a number"))
}

/// A colour, and what is wrong with it in a material in use.
type Color = ([f32; 4], Option<(&'static str, &'static str)>);

fn base_color(entry: Entry<'_>, place: &str) -> Checked<Color> {
    /// What the loader makes of a colour that is 0.
    const GREY: f32 = 102.0 / 255.0;
    let array = match entry {
        Entry::Absent | Entry::Null => return Ok(([1.0; 4], None)),
        Entry::Value(Value::Bool(false)) => return Ok(([GREY, GREY, GREY, 1.0], None)),
        Entry::Value(value) if value.as_f64() == Some(0.0) => return Ok(([GREY, GREY, GREY, 1.0], None)),
        Entry::Value(value @ Value::Array(_)) => numbers::array(value),
        _ => None,
    };
    let array = array.ok_or_else(|| bad_value(join(place, "baseColorFactor"), "not a list of numbers"))?;
    colors(&array, place)
}

/// Clipped to 0..1 and rounded to 8 bits (half to even), as the loader keeps colours.
fn colors(array: &Array, place: &str) -> Checked<Color> {
    let several = match array.shape[..] {
        [3 | 4] => None,
        [count, 3 | 4] => (count != 1).then_some(("baseColorFactor", "a list of colours")),
        _ => return Err(bad_value(join(place, "baseColorFactor"), "not three or four numbers")),
    };
    let mut color = [1.0_f32; 4];
    let width = array.shape.last().copied().unwrap_or_default();
    for (slot, value) in color.iter_mut().zip(array.values.iter().take(width)) {
        let value = if value.is_finite() { *value } else { 0.0 };
        let byte = (value * 255.0).clamp(0.0, 255.0).round_ties_even();
        *slot = (byte / 255.0) as f32;
    }
    Ok((color, several))
}

fn emissive(entry: Entry<'_>, place: &str) -> Checked<[f32; 3]> {
    /// How far outside 0..1 the loader lets a factor lie.
    const SLACK: f64 = 1e-5;
    let bad = |message| Err(bad_value(join(place, "emissiveFactor"), message));
    let array = match entry {
        Entry::Absent | Entry::Null => return Ok([0.0; 3]),
        Entry::Value(value @ Value::Array(_)) => numbers::array(value),
        _ => None,
    };
    let Some([r, g, b]) = array.as_ref().and_then(|a| a.values.first_chunk().filter(|_| a.values.len() == 3)) else {
        return bad("not three numbers");
    };
    // One that is no number passes, and whatever is beside it.
    let none = [r, g, b].iter().any(|v| v.is_nan());
    if !none && [r, g, b].iter().any(|v| !(-SLACK..=1.0 + SLACK).contains(*v)) {
        return bad("not within 0 and 1");
    }
    Ok([*r as f32, *g as f32, *b as f32])
}

fn check_alpha_mode(entry: Entry<'_>, place: &str) -> Checked<()> {
    let known = match entry {
        Entry::Absent | Entry::Null => true,
        Entry::Value(Value::String(mode)) => {
            mode.as_str().is_some_and(|mode| matches!(mode.to_uppercase().trim(), "OPAQUE" | "MASK" | "BLEND"))
        }
        Entry::Value(_) | Entry::Image(_) => false,
    };
    if known { Ok(()) } else { Err(bad_value(join(place, "alphaMode"), "unknown")) }
}

/// The image behind a texture reference; anything broken on the way means no texture.
fn image_index(document: Object<'_>, info: &Value, gallery: &Gallery<'_>) -> Option<usize> {
    let images = gallery.listed()?;
    let textures = document.get("textures")?.as_array()?;
    let texture = textures.get(wrap_index(info.get("index")?.as_i64()?, textures.len())?)?;
    let texture = Object::of(texture, "").ok()?;
    let extensions = texture.object("extensions", "").ok()?;
    let webp = extensions.map(|extensions| extensions.object("EXT_texture_webp", "")).transpose().ok()?.flatten();
    let webp = webp.and_then(|webp| webp.get("source")).filter(|source| !source.is_null());
    wrap_index(webp.or_else(|| texture.get("source"))?.as_i64()?, images)
}

pub(crate) fn bad_value(place: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalCode::DataMaterialValue, place, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A grey pixel.
    const PNG: &str =
        "data:;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

    fn read_first(document: &Value) -> Checked<Material> {
        let document = super::Value::from(document);
        let document = Object::of(&document, "").unwrap();
        let views = super::super::accessor::Views::read(document, &[]).unwrap();
        let mut gallery = Gallery::find(document, &views).unwrap();
        let mut budget = Budget::default();
        Material::read(document, Some(0), &mut gallery, (&mut budget, Watch::NONE)).map(Option::unwrap)
    }

    fn read(material: &Value) -> Checked<Material> {
        let document = json!({
            "materials": [material],
            "textures": [{"source": 0}, {"extensions": {"EXT_texture_webp": {"source": 1}}}],
            "images": [{"uri": PNG}, {"uri": PNG}],
        });
        read_first(&document)
    }

    #[test]
    fn missing_values_mean_white_metal() {
        let m = read(&json!({})).unwrap();
        assert_eq!((m.base_color, m.metallic, m.roughness), ([1.0; 4], 1.0, 1.0));
        assert!(!m.images.any());
    }

    #[test]
    fn colours_are_clipped_and_quantised() {
        let m = read(&json!({"pbrMetallicRoughness": {"baseColorFactor": [0.5, 2, -1]}})).unwrap();
        assert_eq!(m.base_color.map(|c| (c * 255.0) as u8), [128, 255, 0, 255]);
    }

    #[test]
    fn textures_are_followed_where_they_can_be() {
        let m = read(&json!({
            "normalTexture": {"index": 1}, "emissiveTexture": {"index": 9},
            "pbrMetallicRoughness": {"baseColorTexture": {"index": -2}},
        }))
        .unwrap();
        assert_eq!((m.images.normal, m.images.base_color), (Some(1), Some(0)));
        assert_eq!(m.images.emissive, None);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for bad in [
            json!({"alphaCutoff": 2}),
            json!({"alphaMode": "GLASS"}),
            json!({"emissiveFactor": [0, 0, 1.1]}),
            json!({"emissiveFactor": [0, 0]}),
            json!({"pbrMetallicRoughness": {"metallicFactor": -0.1}}),
            json!({"pbrMetallicRoughness": {"roughnessFactor": "rough"}}),
            json!({"doubleSided": null}),
            json!({"doubleSided": [0, 1]}),
            json!({"normalTexture": 3}),
            json!({"extras": [[1], [2, 3]]}),
            json!({"extras": [1, {}]}),
            json!({"pbrMetallicRoughness": {"baseColorFactor": [1, 1]}}),
        ] {
            let refusal = read(&bad).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::DataMaterialValue);
        }
    }
    #[test]
    fn odd_values_are_taken_as_the_loader_takes_them() {
        let m = read(&json!({
            "alphaCutoff": "0.5", "name": 7, "emissiveFactor": [["1", false, 0.5]], "doubleSided": "no",
            "extras": [[1, 2], [3, null]],
            "pbrMetallicRoughness": {"metallicFactor": [0.25], "roughnessFactor": true, "baseColorFactor": 0},
        }))
        .unwrap();
        assert_eq!((m.metallic, m.roughness, m.emissive), (0.25, 1.0, [1.0, 0.0, 0.5]));
        assert_eq!(m.base_color.map(|c| (c * 255.0).round() as u8), [102, 102, 102, 255]);
        // An object is a texture reference, and one that leads nowhere is not there.
        let m = read(&json!({"alphaMode": {}, "emissiveFactor": {"index": 9}, "metallicFactor": {}})).unwrap();
        assert_eq!((m.metallic, m.emissive), (1.0, [0.0; 3]));
        let m = read(&json!({"pbrMetallicRoughness": {"baseColorFactor": [[0, null, 1, 1]]}})).unwrap();
        assert_eq!(m.base_color.map(|c| c as u8), [0, 0, 1, 1]);
        assert!(read(&json!({"pbrMetallicRoughness": {"baseColorFactor": [[0, 0, 1], [1, 0, 0]]}})).is_err());
    }
}
