//! Material values, as the reference loader checks, converts and completes them.

use super::json::{Object, join, wrap_index};
use super::refusal::{Checked, Refusal, RefusalCode};
use super::texture::Channels;
use crate::python_json::Value;

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

    /// Reads all materials (a fault in any refuses the model) and returns the one at `index`.
    pub(crate) fn read(document: Object<'_>, index: Option<i64>) -> Checked<Option<Self>> {
        let entries = document.list("materials", "")?;
        let mut all = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            all.push(Fields::read(document, entry, format!("materials[{i}]"))?);
        }
        let Some(index) = index else { return Ok(None) };
        let fields = wrap_index(index, all.len()).and_then(|i| all.get(i)).ok_or_else(|| {
            let message = format!("material {index} of {}", all.len());
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
    /// A texture slot that holds something else than a reference.
    stray: Option<&'static str>,
}

/// The keys of the texture slots.
const SLOTS: [&str; 5] =
    ["normalTexture", "occlusionTexture", "emissiveTexture", "baseColorTexture", "metallicRoughnessTexture"];

impl Fields {
    fn read(document: Object<'_>, entry: &Value, place: String) -> Checked<Self> {
        let entry = Object::of(entry, &place)?;
        entry.object("extensions", &place)?;
        let empty = entry.get("pbrMetallicRoughness").is_some_and(|v| *v == Value::Array(Vec::new()));
        let pbr = if empty { None } else { entry.object("pbrMetallicRoughness", &place)? };
        for (key, value) in entry.entries().chain(pbr.iter().flat_map(|p| p.entries())) {
            check_list(value, &join(&place, &key))?;
        }
        // The loader flattens the two objects into one; the inner one wins.
        let field = |key: &str| pbr.and_then(|p| p.get(key)).or_else(|| entry.get(key));
        check_alpha_mode(field("alphaMode"), &place)?;
        let image = |key: &str| field(key).and_then(|info| image_index(document, info));
        let stray = SLOTS.into_iter().find(|key| field(key).is_some_and(|v| !v.is_object() && !v.is_null()));
        Ok(Self {
            base_color: base_color(field("baseColorFactor"), &place)?,
            metallic: number(field("metallicFactor"), 1.0, &join(&place, "metallicFactor"))?,
            roughness: number(field("roughnessFactor"), 1.0, &join(&place, "roughnessFactor"))?,
            alpha_cutoff: number(field("alphaCutoff"), 0.5, &join(&place, "alphaCutoff"))?,
            emissive: emissive(field("emissiveFactor"), &place)?,
            images: TextureSlots {
                normal: image("normalTexture"),
                occlusion: image("occlusionTexture"),
                emissive: image("emissiveTexture"),
                base_color: image("baseColorTexture"),
                metallic_roughness: image("metallicRoughnessTexture"),
            },
            stray,
            place,
        })
    }

    /// The material, once the ranges hold that only a material in use must keep.
    fn material(&self) -> Checked<Material> {
        let within = |value: f64, key: &str| {
            if (0.0..=1.0).contains(&value) {
                return Ok(value as f32);
            }
            Err(bad_value(join(&self.place, key), format!("{value} is not within 0 and 1")))
        };
        within(self.alpha_cutoff, "alphaCutoff")?;
        if let Some(key) = self.stray {
            return Err(bad_value(join(&self.place, key), "not a texture reference"));
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

/// Lists among the entries become arrays of numbers in the reference, whatever their key.
fn check_list(value: &Value, place: &str) -> Checked<()> {
    match value {
        Value::Array(items) if items.iter().any(|v| v.is_string() || v.is_object()) => {
            Err(bad_value(place, "a list of something other than numbers"))
        }
        _ => Ok(()),
    }
}

fn number(value: Option<&Value>, default: f64, place: &str) -> Checked<f64> {
    match value {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(b)) => Ok(f64::from(u8::from(*b))),
        Some(v) => v.as_f64().ok_or_else(|| bad_value(place, "not a number")),
    }
}

fn numbers(value: &Value, place: &str) -> Checked<Vec<f64>> {
    let items = value.as_array().ok_or_else(|| bad_value(place, "not a list of numbers"))?;
    items.iter().map(|v| v.as_f64().ok_or_else(|| bad_value(place, "not a list of numbers"))).collect()
}

/// Clipped to 0..1 and rounded to 8 bits (half to even), as the loader keeps colours.
fn base_color(value: Option<&Value>, place: &str) -> Checked<[f32; 4]> {
    let place = join(place, "baseColorFactor");
    let Some(value) = value.filter(|v| !v.is_null()) else { return Ok([1.0; 4]) };
    let given = numbers(value, &place)?;
    let mut color = [1.0_f32; 4];
    if !matches!(given.len(), 3 | 4) {
        return Err(bad_value(place, "not three or four numbers"));
    }
    for (slot, value) in color.iter_mut().zip(given) {
        let byte = (value * 255.0).clamp(0.0, 255.0).round_ties_even();
        *slot = (byte / 255.0) as f32;
    }
    Ok(color)
}

fn emissive(value: Option<&Value>, place: &str) -> Checked<[f32; 3]> {
    /// How far outside 0..1 the loader lets a factor lie.
    const SLACK: f64 = 1e-5;
    let place = join(place, "emissiveFactor");
    let Some(value) = value.filter(|v| !v.is_null()) else { return Ok([0.0; 3]) };
    let given = numbers(value, &place)?;
    let [r, g, b] = given[..] else { return Err(bad_value(place, "not three numbers")) };
    if [r, g, b].iter().any(|v| !(-SLACK..=1.0 + SLACK).contains(v)) {
        return Err(bad_value(place, "not within 0 and 1"));
    }
    Ok([r as f32, g as f32, b as f32])
}

fn check_alpha_mode(value: Option<&Value>, place: &str) -> Checked<()> {
    let known = match value {
        None | Some(Value::Null) => true,
        Some(Value::String(mode)) => {
            mode.as_str().is_some_and(|mode| matches!(mode.to_uppercase().trim(), "OPAQUE" | "MASK" | "BLEND"))
        }
        Some(_) => false,
    };
    if known { Ok(()) } else { Err(bad_value(join(place, "alphaMode"), "unknown")) }
}

/// The image behind a texture reference; anything broken on the way means no texture.
fn image_index(document: Object<'_>, info: &Value) -> Option<usize> {
    let images = document.get("images")?.as_array()?;
    let textures = document.get("textures")?.as_array()?;
    let texture = textures.get(wrap_index(info.get("index")?.as_i64()?, textures.len())?)?;
    let webp = texture.get("extensions").and_then(|e| e.get("EXT_texture_webp"));
    let webp = webp.and_then(|e| e.get("source")).filter(|v| !v.is_null());
    let source = webp.or_else(|| texture.get("source"))?;
    wrap_index(source.as_i64()?, images.len())
}

fn bad_value(place: impl Into<String>, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalCode::DataMaterialValue, place, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(material: &Value) -> Checked<Material> {
        let document = json!({
            "materials": [material],
            "textures": [{"source": 0}, {"extensions": {"EXT_texture_webp": {"source": 1}}}],
            "images": [{}, {}],
        });
        let document = super::Value::from(&document);
        Material::read(Object::of(&document, "").unwrap(), Some(0)).map(Option::unwrap)
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
            json!({"pbrMetallicRoughness": {"baseColorFactor": [1, 1]}}),
        ] {
            let refusal = read(&bad).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::DataMaterialValue);
        }
    }
}
