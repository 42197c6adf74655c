//! Converts `KHR_materials_pbrSpecularGlossiness` to base colour, metalness and roughness as the reference's loader
//! does: factors as 32-bit floats, textures pixel by pixel, truncated to 8 bits.

use super::numbers::Given;
use super::picture::{Kind, Picture, Pixels};
use super::refusal::{Checked, Refusal, RefusalCode};

/// What a surface without colour reflects.
const PLAIN: f32 = 0.04;
/// The smallest divisor.
const LEAST: f64 = 1e-6;

/// The extension's factors in one material.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Factors {
    pub(crate) diffuse: Vec<f32>,
    pub(crate) specular: Vec<f32>,
    /// One number, or the up to two numbers of a list.
    pub(crate) glossiness: Vec<f32>,
    /// Glossiness was given as a list.
    pub(crate) listed: bool,
    /// The colours were given as lists in lists of one: diffuse, specular.
    pub(crate) nested: [bool; 2],
}

/// What replaces a material's own values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Converted {
    pub(crate) base: Base,
    pub(crate) surface: Surface,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Base {
    Factor(Vec<f64>),
    Texture(Picture),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Surface {
    Factors { metallic: f64, roughness: f64 },
    Texture(Picture),
}

impl Factors {
    /// Checks the extension's numbers; a missing one is 1.
    pub(crate) fn of(
        diffuse: Option<Given>,
        specular: Option<Given>,
        glossiness: Option<Given>,
        place: &str,
    ) -> Checked<Self> {
        let row = |given: Option<Given>, ones: usize, key: &str| match given {
            None => Ok(vec![1.0; ones]),
            Some(Given::Number(value)) if key == "specularFactor" => Ok(vec![value as f32]),
            Some(Given::Array(array)) if matches!(array.shape[..], [_] | [1, _] | [1, 1, _]) => {
                Ok(array.values.iter().map(|v| *v as f32).collect())
            }
            Some(_) => Err(bad(&format!("{place}.{key}"), "not a list of numbers")),
        };
        let inner = |given: &Option<Given>| matches!(given, Some(Given::Array(array)) if array.shape.len() > 1);
        let nested = [inner(&diffuse), inner(&specular)];
        let (glossiness, listed) = match glossiness {
            None => (vec![1.0], false),
            Some(Given::Number(value)) => (vec![value as f32], false),
            Some(Given::Array(array)) if matches!(array.shape[..], [0..=2] | [1, 0..=2]) => {
                (array.values.iter().map(|v| *v as f32).collect(), true)
            }
            Some(_) => return Err(bad(&format!("{place}.glossinessFactor"), "not a number")),
        };
        let diffuse = row(diffuse, 4, "diffuseFactor")?;
        let specular = row(specular, 3, "specularFactor")?;
        Ok(Self { diffuse, specular, glossiness, listed, nested })
    }

    /// Refuses factors that do not go with textures of so many channels (0: no texture).
    pub(crate) fn check(&self, diffuse: usize, specular: usize, place: &str) -> Checked<()> {
        let [inner, specular_inner] = self.nested;
        // Each pixel of a texture is multiplied with them all the same.
        if inner && diffuse == 0 || specular_inner && specular == 0 {
            let key = if inner && diffuse == 0 { "diffuseFactor" } else { "specularFactor" };
            return Err(bad(&format!("{place}.{key}"), "a list of colours, and no texture"));
        }
        let factors = self.diffuse.len();
        let colors = match (diffuse, factors) {
            (0 | 1, n) => n,
            (2, 2) => 2,
            (2, 3) => 4,
            (2, n) => n,
            (n, _) => n,
        };
        if colors < 3 {
            return Err(bad(&format!("{place}.diffuseFactor"), "not three or four numbers"));
        }
        // One number stands for all channels of a colour.
        if self.specular.len() != 3 && !(specular >= 3 && self.specular.len() == 1) {
            return Err(bad(&format!("{place}.specularFactor"), "not three numbers"));
        }
        if self.listed && !matches!(specular, 1 | 2 | 4) {
            return Err(bad(&format!("{place}.glossinessFactor"), "not a number"));
        }
        Ok(())
    }

    /// Roughness without a texture.
    fn roughness(&self) -> f64 {
        f64::from(1.0 - self.glossiness.first().copied().unwrap_or(1.0))
    }

    /// The values of a material without textures.
    pub(crate) fn convert(&self) -> Converted {
        let rgb = first_three(&self.diffuse);
        let specular = first_three(&self.specular);
        let strength = 1.0 - specular.iter().fold(f32::NEG_INFINITY, |most, v| if *v > most { *v } else { most });
        let square = |rgb: [f32; 3]| brightness(rgb.map(|v| f64::from(v * v)));
        let metallic = metalness(square(rgb), square(specular), f64::from(strength)) as f32;
        let least = LEAST as f32;
        let from_diffuse = strength / (1.0 - PLAIN) / at_least(1.0 - metallic, least);
        let from_specular = 1.0 / at_least(metallic, least);
        let mm = metallic * metallic;
        let mix = |i: usize| {
            let (d, s) = (rgb[i] * from_diffuse, (specular[i] - PLAIN * (1.0 - metallic)) * from_specular);
            f64::from((mm * s + (1.0 - mm) * d).clamp(0.0, 1.0))
        };
        let mut base: Vec<f64> = (0..3).map(mix).collect();
        if let [_, _, _, alpha] = self.diffuse[..] {
            base.push(f64::from(alpha));
        }
        let roughness = self.roughness();
        Converted { base: Base::Factor(base), surface: Surface::Factors { metallic: f64::from(metallic), roughness } }
    }

    /// The values of a material with one texture at least; both are of one size.
    pub(crate) fn convert_textures(&self, diffuse: Option<&Picture>, specular: Option<&Picture>) -> Converted {
        let curve = Curve::new();
        let size = diffuse.or(specular).map_or((0, 0), |picture| (picture.width, picture.height));
        let pixels = size.0 as usize * size.1 as usize;
        let source = Source { factors: self, curve: &curve, diffuse, specular, width: size.0 as usize };
        let channels = source.channels();
        let mut base = Vec::with_capacity(pixels * channels);
        let plain = specular.is_none() && brightness_of(first_three(&self.specular)) < f64::from(PLAIN);
        let surfaced = !plain;
        // Each number of a glossiness list has its own channel, between a zero channel and metalness.
        let surface_channels = 2 + self.glossiness.len();
        let mut surface = Vec::with_capacity(if surfaced { surface_channels * pixels } else { 0 });
        for at in 0..pixels {
            let texel = source.texel(at);
            let metallic = texel.metalness(specular.is_none());
            let mixed = texel.mix(metallic);
            base.extend(mixed.map(|v| curve.encode(v)));
            if channels == 4 {
                base.push(truncated(texel.alpha));
            }
            if surfaced {
                surface.push(0);
                let rough = |own: &f32| truncated(1.0 - texel.glossiness * f64::from(*own));
                surface.extend(self.glossiness.iter().map(rough));
                surface.push(truncated(metallic));
            }
        }
        let picture = |channels, data| Picture {
            width: size.0,
            height: size.1,
            pixels: Pixels::Channels(channels, data),
            kind: Kind::Plain,
        };
        let surface = if surfaced {
            Surface::Texture(picture(surface_channels, surface))
        } else {
            Surface::Factors { metallic: 0.0, roughness: self.roughness() }
        };
        Converted { base: Base::Texture(picture(channels, base)), surface }
    }
}

/// The textures of a material, as they are read pixel by pixel.
struct Source<'a> {
    factors: &'a Factors,
    curve: &'a Curve,
    diffuse: Option<&'a Picture>,
    specular: Option<&'a Picture>,
    width: usize,
}

/// Linear values of one pixel.
struct Texel {
    diffuse: [f64; 3],
    alpha: f64,
    specular: [f64; 3],
    /// The texture's, without the factor.
    glossiness: f64,
    /// What the specular light leaves.
    strength: f64,
}

impl Source<'_> {
    /// Channels of the base colour: four where there is an opacity.
    fn channels(&self) -> usize {
        let factors = self.factors.diffuse.len();
        match self.diffuse.map_or(0, Picture::channels) {
            0 | 1 if factors == 4 => 4,
            2 if matches!(factors, 3 | 4) => 4,
            3 if factors == 4 => 4,
            4 => 4,
            _ => 3,
        }
    }

    fn texel(&self, at: usize) -> Texel {
        let (diffuse, alpha) = self.diffuse(at);
        let factor = |i: usize| {
            let factors = &self.factors.specular;
            f64::from(factors.get(i).or(factors.first()).copied().unwrap_or(1.0))
        };
        let (specular, glossiness) = match self.specular {
            None => ([factor(0), factor(1), factor(2)], 1.0),
            Some(picture) => {
                let (texel, channels) = picture.texel(at);
                let lit = |i: usize| self.curve.linear(texel[if channels < 3 { 0 } else { i }]) * factor(i);
                let gloss = match channels {
                    1 => byte(texel[0]),
                    2 => byte(texel[1]),
                    3 => 1.0,
                    _ => byte(texel[3]),
                };
                ([lit(0), lit(1), lit(2)], gloss)
            }
        };
        let most = specular.iter().fold(f64::NEG_INFINITY, |most, v| if *v > most { *v } else { most });
        let strength = if self.specular.is_some() { 1.0 - most } else { f64::from(1.0 - most as f32) };
        Texel { diffuse, alpha, specular, glossiness, strength }
    }

    fn diffuse(&self, at: usize) -> ([f64; 3], f64) {
        let factors = &self.factors.diffuse;
        let factor = |i: usize| f64::from(factors.get(i).copied().unwrap_or(1.0));
        let Some(picture) = self.diffuse else { return ([factor(0), factor(1), factor(2)], factor(3)) };
        let (texel, channels) = picture.texel(at);
        match channels {
            1 => {
                // The loader takes the columns of a grey picture for its channels: the last of two or four stays.
                let last = matches!(self.width, 2 | 4) && at % self.width == self.width - 1;
                let grey = if last { byte(texel[0]) } else { self.curve.linear(texel[0]) };
                ([grey * factor(0), grey * factor(1), grey * factor(2)], grey * factor(3))
            }
            2 => {
                let grey = self.curve.linear(texel[0]);
                // The alpha is that of the picture, times what came of the grey in the last place.
                let last = if factors.len() == 4 { grey * factor(3) } else { 1.0 };
                ([grey * factor(0), grey * factor(1), grey * factor(2)], last * byte(texel[1]))
            }
            _ => {
                let fits = factors.len() == channels || channels == 3 && factors.len() == 4;
                let factor = |i: usize| if fits { factor(i) } else { 1.0 };
                let lit = |i: usize| self.curve.linear(texel[i]) * factor(i);
                let alpha = if channels == 4 { byte(texel[3]) } else { 1.0 };
                ([lit(0), lit(1), lit(2)], alpha * factor(3))
            }
        }
    }
}

impl Texel {
    fn metalness(&self, whole: bool) -> f64 {
        let square = |rgb: [f64; 3]| brightness(rgb.map(|v| v * v));
        let specular = if whole { brightness_of(self.specular.map(|v| v as f32)) } else { square(self.specular) };
        metalness(square(self.diffuse), specular, self.strength)
    }

    fn mix(&self, metallic: f64) -> [f64; 3] {
        let plain = f64::from(PLAIN);
        let from_diffuse = self.strength / f64::from(1.0 - PLAIN) / at_least(1.0 - metallic, LEAST);
        let from_specular = 1.0 / at_least(metallic, LEAST);
        let mm = metallic * metallic;
        [0, 1, 2].map(|i| {
            let (d, s) =
                (self.diffuse[i] * from_diffuse, (self.specular[i] - plain * (1.0 - metallic)) * from_specular);
            (mm * s + (1.0 - mm) * d).clamp(0.0, 1.0)
        })
    }
}

/// How much of a metal reflects and scatters so much light.
fn metalness(diffuse: f64, specular: f64, strength: f64) -> f64 {
    let plain = f64::from(PLAIN);
    if specular < plain {
        return 0.0;
    }
    let b = diffuse * strength / f64::from(1.0 - PLAIN) + specular - 2.0 * plain;
    let c = plain - specular;
    let root = at_least(b * b - 4.0 * plain * c, LEAST).sqrt();
    ((root - b) / (2.0 * plain)).clamp(0.0, 1.0)
}

/// How bright a colour of these squares looks.
fn brightness([r, g, b]: [f64; 3]) -> f64 {
    (r * 0.299 + g * 0.587 + b * 0.114).sqrt()
}

/// How bright a colour looks.
fn brightness_of(rgb: [f32; 3]) -> f64 {
    brightness(rgb.map(|v| f64::from(v * v)))
}

fn first_three(values: &[f32]) -> [f32; 3] {
    [0, 1, 2].map(|i| values.get(i).or(values.first()).copied().unwrap_or(1.0))
}

/// `value`, and never less than `least`; NaN stays.
fn at_least<T: PartialOrd>(value: T, least: T) -> T {
    if value < least { least } else { value }
}

fn byte(value: u8) -> f64 {
    f64::from(value) / 255.0
}

/// 0..1 as a byte, cut off.
fn truncated(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0) as u8
}

/// The sRGB curve: bytes to linear values, and back.
struct Curve {
    linear: [f64; 256],
    /// The least linear value of each byte.
    steps: [f64; 256],
}

impl Curve {
    fn new() -> Self {
        let linear = |v: u8| {
            let v = byte(v);
            if v <= 0.040_448_236_277_108_2 { v / 12.92 } else { libm::pow((v + 0.055) / 1.055, 2.4) }
        };
        let mut bytes = 0..=u8::MAX;
        let mut steps = 0..=u8::MAX;
        Self {
            linear: std::array::from_fn(|_| bytes.next().map_or(1.0, linear)),
            steps: std::array::from_fn(|_| steps.next().map_or(1.0, least_of)),
        }
    }

    fn linear(&self, byte: u8) -> f64 {
        self.linear[usize::from(byte)]
    }

    fn encode(&self, linear: f64) -> u8 {
        self.steps.partition_point(|step| *step <= linear).saturating_sub(1) as u8
    }
}

/// The least linear value that the curve takes to this byte.
fn least_of(byte: u8) -> f64 {
    let reached = |bits: u64| truncated(encoded(f64::from_bits(bits))) >= byte;
    // Numbers from 0 to 1 are in the order of their bits.
    let (mut low, mut high) = (0, 1.0_f64.to_bits());
    while low < high {
        let middle = low.midpoint(high);
        if reached(middle) { high = middle } else { low = middle + 1 }
    }
    f64::from_bits(low)
}

fn encoded(linear: f64) -> f64 {
    if linear > 0.003_130_668_442_500_63 { 1.055 * libm::pow(linear, 1.0 / 2.4) - 0.055 } else { 12.92 * linear }
}

fn bad(place: &str, message: &'static str) -> Refusal {
    Refusal::new(RefusalCode::DataMaterialValue, place, message)
}

#[cfg(test)]
mod tests {
    use super::super::enlarge::enlarge;
    use super::super::numbers;
    use super::*;

    fn vectors(key: &str) -> Vec<serde_json::Value> {
        let text = include_str!("../../../tests/fixtures/pictures.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        vectors[key].as_array().unwrap().clone()
    }

    fn factors_of(row: &serde_json::Value) -> Factors {
        let given = |key: &str| numbers::given(&python_json::Value::from(&row[key]));
        Factors::of(given("diffuse"), given("specular"), given("glossiness"), "").unwrap()
    }

    #[test]
    fn factors_become_those_of_the_reference() {
        let rows = vectors("gloss");
        assert!(rows.len() >= 20);
        for row in rows {
            let factors = factors_of(&row);
            factors.check(0, 0, "").unwrap();
            let Converted { base: Base::Factor(base), surface: Surface::Factors { metallic, roughness } } =
                factors.convert()
            else {
                panic!("a texture of none: {row}");
            };
            let expected: Vec<f64> = row["base"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            assert_eq!(base.len(), expected.len(), "{row}");
            let same = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-6 * theirs.abs().max(1.0);
            assert!(base.iter().zip(&expected).all(|(a, b)| same(*a, *b)), "{row}: base {base:?}");
            assert!(same(metallic, row["metallic"].as_f64().unwrap()), "{row}: metallic {metallic}");
            assert!(same(roughness, row["roughness"].as_f64().unwrap()), "{row}: roughness {roughness}");
        }
    }
    fn picture(value: &serde_json::Value) -> Option<Picture> {
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        let hex = value.get("pixels")?.as_str().unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Some(Picture {
            width: number(&value["size"][0]) as u32,
            height: number(&value["size"][1]) as u32,
            pixels: Pixels::Channels(
                number(&value["channels"]) as usize,
                (0..hex.len()).step_by(2).map(byte).collect(),
            ),
            kind: Kind::Plain,
        })
    }

    /// Whether two pictures are the same but for one step in a value.
    fn near(ours: &Picture, theirs: &Picture) -> bool {
        let (Pixels::Channels(m, a), Pixels::Channels(n, b)) = (&ours.pixels, &theirs.pixels) else { return false };
        let close = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
        (ours.width, ours.height, m) == (theirs.width, theirs.height, n) && close
    }

    #[test]
    fn textures_become_those_of_the_reference() {
        let rows = vectors("gloss_textures");
        assert!(rows.len() >= 25);
        for (number, row) in rows.iter().enumerate() {
            let factors = factors_of(row);
            let textures = [0, 1].map(|i| picture(&row["textures"][i]));
            let channels = |i: usize| textures[i].as_ref().map_or(0, Picture::channels);
            factors.check(channels(0), channels(1), "").unwrap();
            let most = |edge: fn(&Picture) -> u32| textures.iter().flatten().map(edge).max().unwrap();
            let (width, height) = (most(|p| p.width), most(|p| p.height));
            let [diffuse, specular] = textures.map(|texture| texture.map(|picture| enlarge(picture, width, height)));
            let converted = factors.convert_textures(diffuse.as_ref(), specular.as_ref());
            let Base::Texture(base) = &converted.base else { panic!("{number}: no texture") };
            let expected = picture(&row["base"]).unwrap();
            assert!(near(base, &expected), "{number}: {base:?} and not {expected:?}");
            match (&converted.surface, picture(&row["surface"])) {
                (Surface::Texture(ours), Some(theirs)) => {
                    assert!(near(ours, &theirs), "{number}: {ours:?}, {theirs:?}");
                }
                (Surface::Factors { metallic, roughness }, None) => {
                    let same = |ours: &f64, key: &str| (ours - row[key].as_f64().unwrap()).abs() < 1e-6;
                    assert!(same(metallic, "metallic") && same(roughness, "roughness"), "{number}");
                }
                (ours, theirs) => panic!("{number}: {ours:?}, {theirs:?}"),
            }
        }
    }

    #[test]
    fn colours_in_lists_of_one_need_a_texture() {
        let factors = |diffuse: &str, specular: &str| {
            factors_of(&serde_json::from_str(&format!(r#"{{"diffuse": {diffuse}, "specular": {specular}}}"#)).unwrap())
        };
        let (flat, nested) = ("[1, 1, 1]", "[[1, 1, 1]]");
        assert!(factors(nested, nested).check(3, 3, "").is_ok());
        assert!(factors(flat, nested).check(0, 4, "").is_ok());
        assert_eq!(factors(nested, flat).check(0, 3, "x").unwrap_err().place, "x.diffuseFactor");
        assert_eq!(factors(flat, nested).check(4, 0, "x").unwrap_err().place, "x.specularFactor");
    }
}
