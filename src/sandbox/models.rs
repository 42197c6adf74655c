//! The sandbox's models: one textured shape per prompt, and flawed versions of it as miners' programs make them.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers here are small and bounded")]

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rng::Rng;
use crate::model::format::mesh::container;

/// Rings from pole to pole, and points around each.
const RINGS: u32 = 18;
const AROUND: u32 = 36;

/// Edge of a texture, in pixels.
const TEXELS: u32 = 32;

/// Largest half extent of a shape.
const REACH: f64 = 0.47;

/// A shape with its colours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// Half extents.
    extents: [f64; 3],
    /// 1 is a ball; less is boxy, more is pointed.
    roundness: [f64; 2],
    /// Waves on the surface: how many around, how many from pole to pole, how high.
    waves: (u32, u32, f64),
    /// The pattern's two colours.
    colours: [[f64; 3]; 2],
    /// The pattern: fields around, fields from pole to pole, and its kind.
    fields: (u32, u32, u32),
}

impl Shape {
    /// The shape derived from this name.
    pub(crate) fn of(parts: &[&str]) -> Shape {
        let mut rng = Rng::of(parts);
        let extents = std::array::from_fn(|_| rng.within(0.36, REACH));
        let roundness = std::array::from_fn(|_| rng.within(0.35, 1.3));
        let waves = (2 + rng.below(5), 1 + rng.below(4), rng.within(0.0, 0.16));
        let colours = std::array::from_fn(|_| std::array::from_fn(|_| strong(&mut rng)));
        let fields = (2 + 2 * rng.below(4), 2 + rng.below(5), rng.below(3));
        Shape { extents, roundness, waves, colours, fields }
    }

    /// The shape as made by a program with this `flaw`: 0 is the shape itself; at 1 every colour is inverted and the
    /// form differs.
    pub(crate) fn flawed(&self, flaw: f64) -> Shape {
        let blend = |a: f64, b: f64| a + (b - a) * flaw.clamp(0.0, 1.0);
        let mut other = self.clone();
        other.extents = self.extents.map(|extent| blend(extent, extent * 0.9));
        other.roundness = self.roundness.map(|roundness| blend(roundness, 1.6 - roundness));
        other.waves.2 = blend(self.waves.2, 0.16 - self.waves.2);
        other.colours = self.colours.map(|colour| colour.map(|channel| blend(channel, 255.0 - channel)));
        other
    }

    /// This shape with another's colours.
    pub(crate) fn in_colours_of(mut self, other: &Shape) -> Shape {
        self.colours = other.colours;
        self
    }

    /// How far it is from another shape: 0 for the same; a shape and its version with a flaw are as far apart as the flaw.
    pub(crate) fn apart(&self, other: &Shape) -> f64 {
        // A flaw leaves the pattern as it is: another one is another shape.
        let waves = |shape: &Shape| (shape.waves.0, shape.waves.1);
        if self.fields != other.fields || waves(self) != waves(other) {
            return 1.0;
        }
        let channels = self.colours.iter().flatten().zip(other.colours.iter().flatten());
        let shares = channels.map(|(own, theirs)| (own - theirs).abs() / (255.0 - 2.0 * theirs).abs().max(1.0));
        (shares.sum::<f64>() / 6.0).min(1.0)
    }

    /// The model as a camera sees it that has gone around it by `theta` degrees, and below it by `phi`: turned, and small
    /// enough to stay within the bounds.
    pub(crate) fn turned(&self, theta: f64, phi: f64) -> Vec<u8> {
        const SMALLER: f64 = 0.7;
        let (across, up) = (-theta.to_radians(), -phi.to_radians());
        let turn = |[x, y, z]: [f64; 3]| {
            let (x, z) = (x * libm::cos(across) + z * libm::sin(across), z * libm::cos(across) - x * libm::sin(across));
            let (y, z) = (y * libm::cos(up) - z * libm::sin(up), y * libm::sin(up) + z * libm::cos(up));
            [x, y, z].map(|coordinate| coordinate * SMALLER)
        };
        self.placed(turn)
    }

    /// The shape as a model file: one mesh of one primitive, with its texture inside.
    pub(crate) fn model(&self) -> Vec<u8> {
        self.placed(|point| point)
    }

    fn placed(&self, place: impl Fn([f64; 3]) -> [f64; 3]) -> Vec<u8> {
        let (positions, coordinates, triangles) = self.surface(place);
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let parts = [
            floats(&positions),
            floats(&coordinates),
            triangles.iter().flat_map(|index| index.to_le_bytes()).collect(),
            self.texture(),
        ];
        let (mut binary, mut views) = (Vec::new(), Vec::new());
        for part in &parts {
            binary.resize(binary.len().next_multiple_of(4), 0);
            views.push(json!({"buffer": 0, "byteOffset": binary.len(), "byteLength": part.len()}));
            binary.extend_from_slice(part);
        }
        binary.resize(binary.len().next_multiple_of(4), 0);
        let (low, high) = bounds(&positions);
        let count = positions.len() / 3;
        let document = json!({
            "asset": {"version": "2.0", "generator": "gen404 sandbox"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [
                {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0},
            ]}],
            "materials": [{"pbrMetallicRoughness": {
                "baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.9,
            }}],
            "textures": [{"source": 0}],
            "images": [{"bufferView": 3, "mimeType": "image/png"}],
            "accessors": [
                {"bufferView": 0, "componentType": 5126, "count": count, "type": "VEC3", "min": low, "max": high},
                {"bufferView": 1, "componentType": 5126, "count": count, "type": "VEC2"},
                {"bufferView": 2, "componentType": 5125, "count": triangles.len(), "type": "SCALAR"},
            ],
            "bufferViews": views,
            "buffers": [{"byteLength": binary.len()}],
        });
        container(document.to_string().into_bytes(), &binary)
    }

    /// Positions, texture coordinates, and the triangles between them.
    fn surface(&self, place: impl Fn([f64; 3]) -> [f64; 3]) -> (Vec<f32>, Vec<f32>, Vec<u32>) {
        let (mut positions, mut coordinates, mut triangles) = (Vec::new(), Vec::new(), Vec::new());
        for ring in 0..=RINGS {
            for step in 0..=AROUND {
                let (v, u) = (f64::from(ring) / f64::from(RINGS), f64::from(step) / f64::from(AROUND));
                positions.extend(place(self.point(u, v)).map(|coordinate| coordinate as f32));
                coordinates.extend([u as f32, v as f32]);
                if ring < RINGS && step < AROUND {
                    let at = ring * (AROUND + 1) + step;
                    let below = at + AROUND + 1;
                    triangles.extend([at, below, at + 1, at + 1, below, below + 1]);
                }
            }
        }
        (positions, coordinates, triangles)
    }

    /// The surface point at `u` of the way around and `v` of the way from pole to pole.
    fn point(&self, u: f64, v: f64) -> [f64; 3] {
        let (around, polar) = (u * std::f64::consts::TAU, v * std::f64::consts::PI);
        let power = |value: f64, roundness: f64| libm::copysign(libm::pow(value.abs(), roundness), value);
        let [wide, high] = self.roundness;
        let ring = power(libm::sin(polar), high);
        let (many, deep, height) = self.waves;
        let wave = libm::sin(f64::from(many) * around) * libm::sin(f64::from(deep) * polar);
        let [x, y, z] = self.extents;
        [
            x * ring * power(libm::cos(around), wide),
            y * power(libm::cos(polar), high),
            -z * ring * power(libm::sin(around), wide),
        ]
        .map(|coordinate| coordinate * (1.0 - height * (1.0 - wave) / 2.0))
    }

    /// The pattern, as PNG.
    fn texture(&self) -> Vec<u8> {
        let (across, down, kind) = self.fields;
        let mut pixels = Vec::new();
        for y in 0..TEXELS {
            for x in 0..TEXELS {
                let (column, row) = (x * across / TEXELS, y * down / TEXELS);
                let odd = match kind {
                    0 => (column + row) % 2,
                    1 => column % 2,
                    _ => row % 2,
                };
                let [even, other] = self.colours;
                let colour = if odd == 0 { even } else { other };
                pixels.extend(colour.map(|channel| channel.round() as u8));
            }
        }
        png(TEXELS, &pixels).unwrap_or_default()
    }
}

/// A channel value far from its inverse.
fn strong(rng: &mut Rng) -> f64 {
    let dark = rng.within(50.0, 80.0);
    if rng.below(2) == 0 { dark } else { 255.0 - dark }
}

/// A square RGB picture as PNG.
pub(crate) fn png(edge: u32, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, edge, edge);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(out)
}

/// The minimum and maximum coordinates.
fn bounds(positions: &[f32]) -> ([f32; 3], [f32; 3]) {
    let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
    for point in positions.chunks_exact(3) {
        for ((low, high), coordinate) in low.iter_mut().zip(&mut high).zip(point) {
            (*low, *high) = (low.min(*coordinate), high.max(*coordinate));
        }
    }
    (low, high)
}
