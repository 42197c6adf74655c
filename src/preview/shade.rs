//! The colour of a fragment: the reference renderer's metallic-roughness model with one directional
//! light and a constant ambient term, all linear until the end.

use super::camera::View;
use super::material::{Material, TextureSlots};
use super::mesh::Mesh;
use super::model::Model;
use super::project::Vertex;
use super::setup::{Gradients, Plane};
use super::texture::Texture;
use super::tone::Tone;

const LIGHT: f32 = 6.0;
const AMBIENT: f32 = 0.3;
/// Both the smallest roughness and the reflectance of what is no metal.
const FLOOR: f32 = 0.04;
const PI: f32 = std::f32::consts::PI;

type Vec3 = [f32; 3];

/// Everything that shading a view needs.
pub(crate) struct Shader<'a> {
    mesh: &'a Mesh,
    normals: &'a [Vec3],
    vertices: &'a [Vertex],
    material: &'a Material,
    textures: &'a TextureSlots<Texture>,
    tone: &'a Tone,
    eye: Vec3,
    /// Towards the light.
    light: Vec3,
}

/// The attributes of one triangle, each divided by w, and 1/w itself.
#[derive(Debug, Clone)]
pub(crate) struct Planes {
    rcp_w: Plane,
    position: [Plane; 3],
    normal: [Plane; 3],
    uv: [Plane; 2],
    color: [Plane; 4],
}

impl<'a> Shader<'a> {
    /// `normals` are the mesh's at unit length (see [`unit_normals`]).
    pub(crate) fn new(
        model: &'a Model,
        normals: &'a [Vec3],
        vertices: &'a [Vertex],
        view: &View,
        tone: &'a Tone,
    ) -> Self {
        Self {
            mesh: &model.mesh,
            normals,
            vertices,
            material: &model.material,
            textures: &model.textures,
            tone,
            eye: view.eye,
            light: normalize(view.light.map(|x| -x)),
        }
    }

    /// Draws up the planes of a triangle.
    pub(crate) fn planes(&self, triangle: [u32; 3], corners: [&Vertex; 3], gradients: &Gradients) -> Planes {
        let w = corners.map(|v| v.rcp_w);
        let value = |values: [f32; 3]| gradients.plane(std::array::from_fn(|i| values[i] * w[i]));
        let three = |all: &[Vec3]| {
            let corner = triangle.map(|i| all.get(i as usize).copied().unwrap_or_default());
            std::array::from_fn(|axis| value(corner.map(|v| v[axis])))
        };
        let mut planes = Planes {
            rcp_w: gradients.plane(w),
            position: three(&self.mesh.positions),
            normal: three(self.normals),
            uv: [Plane::default(); 2],
            color: [Plane::default(); 4],
        };
        if self.textures.any() {
            let corner = triangle.map(|i| self.mesh.uvs.get(i as usize).copied().unwrap_or_default());
            planes.uv = std::array::from_fn(|axis| value(corner.map(|v| v[axis])));
        }
        if !self.mesh.colors.is_empty() {
            let corner = triangle.map(|i| self.mesh.colors.get(i as usize).copied().unwrap_or([1.0; 4]));
            planes.color = std::array::from_fn(|axis| value(corner.map(|v| v[axis])));
        }
        planes
    }

    /// The 8-bit colour and alpha of the pixel `x`, `y` of a triangle, at the pixel's centre.
    pub(crate) fn shade(&self, planes: &Planes, x: usize, y: usize) -> [u8; 4] {
        let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
        let w = 1.0 / planes.rcp_w.at(px, py);
        let position = planes.position.map(|p| p.at(px, py) * w);
        let uv = planes.uv.map(|p| p.at(px, py) * w);
        let smooth = planes.normal.map(|p| p.at(px, py) * w);
        let normal = match &self.textures.normal {
            None => normalize(smooth),
            Some(map) => self.mapped_normal(planes, map, smooth, uv, x, y),
        };
        let (base, alpha) = self.base_color(uv);
        let (roughness, metallic) = self.roughness(uv);
        let mut color = self.lit(position, normal, base, roughness, metallic);
        if let Some(map) = &self.textures.occlusion {
            let occlusion = byte(map.sample(uv)[0]);
            color = color.map(|c| c * occlusion);
        }
        let glow = match &self.textures.emissive {
            None => self.material.emissive,
            Some(map) => {
                let texel = map.sample(uv);
                std::array::from_fn(|i| self.material.emissive[i] * self.tone.linear(texel[i]))
            }
        };
        // The factor counts twice, as in the reference.
        color = std::array::from_fn(|i| color[i] + glow[i] * self.material.emissive[i]);
        let mut alpha = alpha;
        if !self.mesh.colors.is_empty() {
            let factor = planes.color.map(|p| p.at(px, py) * w);
            color = std::array::from_fn(|i| color[i] * factor[i]);
            alpha *= factor[3];
        }
        let [r, g, b] = color.map(|c| self.tone.encode(c));
        [r, g, b, to_byte(alpha)]
    }

    fn base_color(&self, uv: [f32; 2]) -> (Vec3, f32) {
        let [r, g, b, a] = self.material.base_color;
        match &self.textures.base_color {
            None => ([r, g, b], a),
            Some(map) => {
                let texel = map.sample(uv);
                let linear = |i: usize| self.tone.linear(texel[i]);
                ([r * linear(0), g * linear(1), b * linear(2)], a * byte(texel[3]))
            }
        }
    }

    fn roughness(&self, uv: [f32; 2]) -> (f32, f32) {
        let (mut roughness, mut metallic) = (self.material.roughness, self.material.metallic);
        if let Some(map) = &self.textures.metallic_roughness {
            let texel = map.sample(uv);
            roughness *= byte(texel[0]);
            metallic *= byte(texel[1]);
        }
        (roughness.clamp(FLOOR, 1.0), metallic.clamp(0.0, 1.0))
    }

    /// Light and ambient on a surface; see the module's text.
    fn lit(&self, position: Vec3, n: Vec3, base: Vec3, roughness: f32, metallic: f32) -> Vec3 {
        let v = normalize(sub(self.eye, position));
        let h = normalize(add(self.light, v));
        // A broken normal leaves the floor of each clamp, and so next to nothing but the ambient.
        let nl = dot(n, self.light).max(0.001).min(1.0);
        let nv = dot(n, v).abs().max(0.001).min(1.0);
        let nh = dot(n, h).max(0.0).min(1.0);
        let vh = dot(v, h).max(0.0).min(1.0);
        let k = (roughness + 1.0) * (roughness + 1.0) / 8.0;
        let hidden = |c: f32| c / (c * (1.0 - k) + k);
        let geometry = hidden(nv) * hidden(nl);
        let a = roughness * roughness;
        let a2 = a * a;
        let spread = nh * nh * (a2 - 1.0) + 1.0;
        let distribution = a2 / (PI * spread * spread);
        let edge = 1.0 - vh;
        let edge = edge * edge * edge * edge * edge;
        let mirror = geometry * distribution / (4.0 * nl * nv + 0.001);
        std::array::from_fn(|i| {
            let matte = base[i] * (1.0 - FLOOR) * (1.0 - metallic);
            let f0 = FLOOR + (base[i] - FLOOR) * metallic;
            let fresnel = f0 + (1.0 - f0) * edge;
            let light = (1.0 - fresnel) * matte / PI + fresnel * mirror;
            nl * LIGHT * light + base[i] * AMBIENT
        })
    }

    /// The normal from a normal map, in the frame of the surface's own texture coordinates: their
    /// slopes over the pixel's 2x2 block stand in for tangents.
    fn mapped_normal(&self, planes: &Planes, map: &Texture, smooth: Vec3, uv: [f32; 2], x: usize, y: usize) -> Vec3 {
        let (left, low) = ((x & !1) as f32 + 0.5, (y & !1) as f32 + 0.5);
        let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
        let at = |x: f32, y: f32| {
            let w = 1.0 / planes.rcp_w.at(x, y);
            (planes.position.map(|p| p.at(x, y) * w), planes.uv.map(|p| p.at(x, y) * w))
        };
        let ((pos_l, uv_l), (pos_r, uv_r)) = (at(left, py), at(left + 1.0, py));
        let ((pos_b, uv_b), (pos_t, uv_t)) = (at(px, low), at(px, low + 1.0));
        let (pos_dx, pos_dy) = (sub(pos_r, pos_l), sub(pos_t, pos_b));
        let (uv_dx, uv_dy) = ([uv_r[0] - uv_l[0], uv_r[1] - uv_l[1]], [uv_t[0] - uv_b[0], uv_t[1] - uv_b[1]]);
        let area = uv_dx[0] * uv_dy[1] - uv_dy[0] * uv_dx[1];
        let tangent: Vec3 =
            std::array::from_fn(|i| (uv_dy[1] * pos_dx[i] - uv_dx[1] * pos_dy[i]) / area);
        let n = normalize(smooth);
        let along = dot(n, tangent);
        let t = normalize(std::array::from_fn(|i| tangent[i] - n[i] * along));
        let b = normalize(cross(n, t));
        let texel = map.sample(uv);
        let [mx, my, mz] = [0, 1, 2].map(|i| 2.0 * byte(texel[i]) - 1.0);
        normalize(std::array::from_fn(|i| t[i] * mx + b[i] * my + n[i] * mz))
    }
}

/// The normals at length 1; a zero normal becomes NaN, which shading takes for none.
pub(crate) fn unit_normals(normals: &[Vec3]) -> Vec<Vec3> {
    normals.iter().map(|n| normalize(*n)).collect()
}

#[inline(always)]
fn byte(value: u8) -> f32 {
    f32::from(value) * (1.0 / 255.0)
}

/// 0..1 to 8 bits, to nearest.
#[inline(always)]
fn to_byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
}

#[inline(always)]
fn normalize(v: Vec3) -> Vec3 {
    let factor = 1.0 / dot(v, v).sqrt();
    v.map(|x| x * factor)
}

#[inline(always)]
fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline(always)]
fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[inline(always)]
fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline(always)]
fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
