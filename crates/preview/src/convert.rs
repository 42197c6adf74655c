//! The specular-glossiness extension of a material: its factors and textures are found, checked and converted.

use std::collections::BTreeMap;

use python_json::Value;

use super::cost;
use super::enlarge::enlarge;
use super::gallery::{Gallery, place};
use super::json::{Object, join};
use super::limits::{Budget, Watch};
use super::material::{Entry, bad_value, check_lists, entry};
use super::numbers;
use super::picture::{Kind, Picture};
use super::refusal::{Checked, Refusal, RefusalCode};
use super::specgloss::{Base, Converted, Factors, Surface};

/// The extension's name.
pub(crate) const SPECGLOSS: &str = "KHR_materials_pbrSpecularGlossiness";

/// What materials are converted with.
pub(crate) struct Converter<'r, 'a> {
    pub(crate) document: Object<'r>,
    pub(crate) gallery: &'r mut Gallery<'a>,
    pub(crate) budget: &'r mut Budget,
    pub(crate) watch: Watch<'r>,
    /// Channels of the pictures that were decoded so far.
    seen: BTreeMap<usize, usize>,
}

/// What a material's own values are replaced with.
pub(crate) struct Replaced {
    pub(crate) base: Replacement<Vec<f64>>,
    /// Metalness and roughness.
    pub(crate) surface: Replacement<(f64, f64)>,
}

/// Factors, or the index of a picture; a material that is not used is only checked, and gets none.
pub(crate) enum Replacement<T> {
    Factors(T),
    Image(Option<usize>),
}

impl<'r, 'a> Converter<'r, 'a> {
    pub(crate) fn new(
        document: Object<'r>,
        gallery: &'r mut Gallery<'a>,
        budget: &'r mut Budget,
        watch: Watch<'r>,
    ) -> Self {
        Self { document, gallery, budget, watch, seen: BTreeMap::new() }
    }

    /// Converts the extension of a material; where it is not `used`, only as far as it may be refused.
    pub(crate) fn convert(&mut self, extension: Object<'_>, at: &str, used: bool) -> Checked<Replaced> {
        check_lists(extension.entries(), at)?;
        let diffuse = self.texture(extension, "diffuseTexture", at)?;
        let specular = self.texture(extension, "specularGlossinessTexture", at)?;
        let given = |key: &str| self.number(extension, key, at);
        let factors = Factors::of(given("diffuseFactor")?, given("specularFactor")?, given("glossinessFactor")?, at)?;
        let textures = [diffuse, specular];
        let [d, s] = textures.map(|index| index.map_or(Ok(0), |index| self.channels(index)));
        let (d, s) = (d?, s?);
        factors.check(d, s, at)?;
        let converted = match textures {
            [None, None] => factors.convert(),
            _ if used => self.convert_textures(&factors, textures)?,
            _ => return Ok(Replaced { base: Replacement::Image(None), surface: Replacement::Image(None) }),
        };
        self.keep(converted)
    }

    fn texture(&mut self, extension: Object<'_>, key: &str, at: &str) -> Checked<Option<usize>> {
        match entry(self.document, self.gallery, extension.get(key)) {
            Entry::Absent | Entry::Null => Ok(None),
            Entry::Image(index) => {
                self.budget.spend(self.gallery.price(index), place(index))?;
                // One that cannot be opened counts as not there.
                Ok(self.gallery.open(index).map(|_| index))
            }
            Entry::Value(_) => Err(bad_value(join(at, key), "not a texture reference")),
        }
    }

    fn number(&self, extension: Object<'_>, key: &str, at: &str) -> Checked<Option<numbers::Given>> {
        let bad = || bad_value(join(at, key), "not a number");
        match entry(self.document, self.gallery, extension.get(key)) {
            Entry::Absent | Entry::Null => Ok(None),
            Entry::Value(value) => numbers::given(value).map(Some).ok_or_else(bad),
            Entry::Image(_) => Err(bad()),
        }
    }

    /// Decodes a picture once to see whether it is sound, and how many channels it has.
    fn channels(&mut self, index: usize) -> Checked<usize> {
        if let Some(channels) = self.seen.get(&index) {
            return Ok(*channels);
        }
        let (picture, bytes) = self.decode(index)?;
        self.budget.give_back(bytes);
        let odd = match picture.kind {
            Kind::Wide => Some("16 bits a pixel"),
            _ if picture.channels() == 0 => Some("one bit a pixel"),
            _ => None,
        };
        if let Some(odd) = odd {
            let message = format!("{odd}: not converted here");
            return Err(Refusal::new(RefusalCode::TextureMode, place(index), message));
        }
        self.seen.insert(index, picture.channels());
        Ok(picture.channels())
    }

    /// Decodes a picture; the bytes that it takes are to be given back.
    fn decode(&mut self, index: usize) -> Checked<(Picture, u64)> {
        let place = place(index);
        let Some(plan) = self.gallery.open(index) else { return Err(bad_value(place, "no picture")) };
        self.budget.spend(plan.work(), place.as_str())?;
        self.budget.take(plan.bytes(), place.as_str())?;
        Ok((plan.decode(&place, self.watch)?, plan.bytes()))
    }

    fn convert_textures(&mut self, factors: &Factors, textures: [Option<usize>; 2]) -> Checked<Converted> {
        let mut size = (0, 0);
        for plan in textures.into_iter().flatten() {
            if let Some(plan) = self.gallery.open(plan) {
                let (width, height) = plan.size();
                size = (width.max(size.0), height.max(size.1));
            }
        }
        // Both at their full size, what the larger one is made of, and what becomes of both.
        let pixels = u64::from(size.0) * u64::from(size.1);
        let bytes = pixels.saturating_mul(4 * 3);
        self.budget.spend(pixels.saturating_mul(cost::CONVERT), SPECGLOSS)?;
        self.budget.take(bytes, SPECGLOSS)?;
        let mut held = bytes;
        let [diffuse, specular] = textures.map(|index| -> Checked<Option<Picture>> {
            let Some(index) = index else { return Ok(None) };
            let (picture, bytes) = self.decode(index)?;
            held += bytes;
            Ok(Some(enlarge(picture, size.0, size.1)))
        });
        let (diffuse, specular) = (diffuse?, specular?);
        self.watch.check()?;
        let converted = factors.convert_textures(diffuse.as_ref(), specular.as_ref());
        drop((diffuse, specular));
        self.budget.give_back(held);
        Ok(converted)
    }

    /// Puts converted pictures among the others.
    fn keep(&mut self, converted: Converted) -> Checked<Replaced> {
        let mut add = |picture: Picture| {
            self.budget.take(picture.bytes(), SPECGLOSS)?;
            Ok(Some(self.gallery.add(picture)))
        };
        let base = match converted.base {
            Base::Factor(values) => Replacement::Factors(values),
            Base::Texture(picture) => Replacement::Image(add(picture)?),
        };
        let surface = match converted.surface {
            Surface::Factors { metallic, roughness } => Replacement::Factors((metallic, roughness)),
            Surface::Texture(picture) => Replacement::Image(add(picture)?),
        };
        Ok(Replaced { base, surface })
    }
}

/// The extension's object in a material's `extensions`; anything else there is passed over.
pub(crate) fn extension<'v>(extensions: Option<Object<'v>>) -> Option<Object<'v>> {
    let value = extensions?.get(SPECGLOSS).filter(|value| matches!(value, Value::Object(_)))?;
    Object::of(value, SPECGLOSS).ok()
}
