//! The colour of a fragment: the reference renderer's metallic-roughness model with one directional
//! light and a constant ambient term, all linear until the end.

use multiversion::multiversion;

use super::batch::{
    COLOR, Fragment, LANES, Lane, NORMAL, POSITION, Planes, RCP_W, SLOTS, Site, UV, Values, each, fill,
};
use super::camera::View;
use super::material::{Material, TextureSlots};
use super::mesh::Mesh;
use super::model::Model;
use super::project::Vertex;
use super::setup::Gradients;
use super::tone::Tone;

const LIGHT: f32 = 6.0;
const AMBIENT: f32 = 0.3;
/// Both the smallest roughness and the reflectance of what is no metal.
const FLOOR: f32 = 0.04;
const PI: f32 = std::f32::consts::PI;

/// A vector for each fragment of a batch, axis by axis.
type Lanes3 = [Lane; 3];
type Vec3 = [f32; 3];

/// The texels of a batch, where there are textures.
pub(crate) type Texels = TextureSlots<[[u8; 4]; LANES]>;

/// Everything that shading a view needs but for textures.
pub(crate) struct Shader<'a> {
    mesh: &'a Mesh<'a>,
    material: &'a Material,
    textured: bool,
    tone: &'a Tone,
    eye: Vec3,
    /// Towards the light.
    light: Vec3,
}

impl<'a> Shader<'a> {
    pub(crate) fn new(model: &'a Model<'_>, view: &View, tone: &'a Tone) -> Self {
        Self {
            mesh: &model.mesh,
            material: &model.material,
            textured: model.is_textured(),
            tone,
            eye: view.eye,
            light: unit(view.light.map(|x| -x)),
        }
    }

    /// Draws up the planes of a triangle.
    pub(crate) fn planes(&self, triangle: [u32; 3], corners: &[Vertex; 3], gradients: &Gradients) -> Planes {
        let mut values = [[0.0; SLOTS]; 3];
        for ((i, corner), values) in triangle.into_iter().zip(corners).zip(&mut values) {
            let normal = self.mesh.normals.get(i as usize).copied().unwrap_or_default();
            values[RCP_W] = 1.0;
            values[POSITION..NORMAL].copy_from_slice(&self.mesh.positions.get(i));
            values[NORMAL..UV].copy_from_slice(&normal);
            if self.textured {
                values[UV..COLOR].copy_from_slice(&self.mesh.uvs.get(i));
            }
            if !self.mesh.colors.is_empty() {
                values[COLOR..COLOR + 4].copy_from_slice(&self.mesh.color(i));
            }
            for value in values {
                *value *= corner.rcp_w;
            }
        }
        draw_up(gradients, &values)
    }

    /// How many of a vertex's values are looked at.
    fn slots(&self) -> usize {
        match (self.mesh.colors.is_empty(), self.textured) {
            (false, _) => COLOR + 4,
            (true, true) => COLOR,
            (true, false) => UV,
        }
    }

    /// Where in the textures up to [`LANES`] fragments lie, each taken at its pixel's centre.
    pub(crate) fn uvs(&self, all: &[Planes], fragments: &[Fragment]) -> [[f32; 2]; LANES] {
        let Some(site) = Site::of(all, fragments) else { return [[0.0; 2]; LANES] };
        let mut values = Values::default();
        fill(&mut values, &site, [&site.x, &site.y], self.slots());
        let [u, v] = values.take(UV);
        std::array::from_fn(|l| [u[l], v[l]])
    }

    /// The 8-bit colours and alphas of up to [`LANES`] fragments, each taken at its pixel's centre;
    /// `sample` gives their texels.
    pub(crate) fn shade(
        &self,
        all: &[Planes],
        fragments: &[Fragment],
        sample: impl FnOnce(&[Lane; 2]) -> Texels,
    ) -> [[u8; 4]; LANES] {
        let Some(site) = Site::of(all, fragments) else { return [[0; 4]; LANES] };
        let mut values = Values::default();
        fill(&mut values, &site, [&site.x, &site.y], self.slots());
        let texels = if self.textured { sample(&values.take(UV)) } else { Texels::default() };
        let normal = match &texels.normal {
            Some(texels) => mapped_normal(&site, &values, texels),
            None => values.take(NORMAL),
        };
        color(self, &values, normal, &texels)
    }

    #[inline(always)]
    fn base_color(&self, texels: Option<&[[u8; 4]; LANES]>) -> (Lanes3, Lane) {
        let [r, g, b, a] = self.material.base_color;
        let Some(texels) = texels else {
            return ([[r; LANES], [g; LANES], [b; LANES]], [a; LANES]);
        };
        let linear = |factor: f32, i: usize| each(|l| factor * self.tone.linear(texels[l][i]));
        ([linear(r, 0), linear(g, 1), linear(b, 2)], each(|l| a * byte(texels[l][3])))
    }

    #[inline(always)]
    fn roughness(&self, texels: Option<&[[u8; 4]; LANES]>) -> (Lane, Lane) {
        let (mut roughness, mut metallic) = ([self.material.roughness; LANES], [self.material.metallic; LANES]);
        if let Some(texels) = texels {
            for (l, [g, b, ..]) in texels.iter().enumerate() {
                roughness[l] *= byte(*g);
                metallic[l] *= byte(*b);
            }
        }
        (each(|l| clamp(roughness[l], FLOOR, 1.0)), each(|l| clamp(metallic[l], 0.0, 1.0)))
    }

    /// The light that the surface sends out itself. Its factor counts twice, as in the reference.
    #[inline(always)]
    fn add_glow(&self, color: &mut Lanes3, texels: Option<&[[u8; 4]; LANES]>) {
        if !self.material.glows() {
            return;
        }
        for ((i, axis), factor) in color.iter_mut().enumerate().zip(self.material.emissive) {
            for (l, value) in axis.iter_mut().enumerate() {
                let texel = texels.map_or(1.0, |texels| self.tone.linear(texels[l][i]));
                *value += factor * texel * factor;
            }
        }
    }

    /// Light and ambient on a surface; see the module's text.
    #[inline(always)]
    fn lit(&self, position: &Lanes3, n: &Lanes3, base: &Lanes3, roughness: &Lane, metallic: &Lane) -> Lanes3 {
        let (eye, light) = (self.eye, self.light);
        let v = normalize(&three(|i| each(|l| eye[i] - position[i][l])));
        let h = normalize(&three(|i| each(|l| light[i] + v[i][l])));
        let light = three(|i| [light[i]; LANES]);
        let ([nl, nv], [nh, vh]) = ([dot(n, &light), dot(n, &v)], [dot(n, &h), dot(&v, &h)]);
        // A broken normal leaves the floor of each clamp, and so next to nothing but the ambient.
        let nl = each(|l| clamp(nl[l], 0.001, 1.0));
        let nv = each(|l| clamp(nv[l].abs(), 0.001, 1.0));
        let nh = each(|l| clamp(nh[l], 0.0, 1.0));
        let vh = each(|l| clamp(vh[l], 0.0, 1.0));
        let mirror = each(|l| {
            let r = roughness[l] + 1.0;
            let k = r * r / 8.0;
            let geometry = nv[l] / (nv[l] * (1.0 - k) + k) * (nl[l] / (nl[l] * (1.0 - k) + k));
            let a = roughness[l] * roughness[l];
            let a2 = a * a;
            let spread = nh[l] * nh[l] * (a2 - 1.0) + 1.0;
            geometry * (a2 / (PI * spread * spread)) / (4.0 * nl[l] * nv[l] + 0.001)
        });
        let edge = each(|l| {
            let e = 1.0 - vh[l];
            e * e * e * e * e
        });
        let [r, g, b] = base;
        let lit = [channel(r, metallic, &nl, &mirror, &edge), channel(g, metallic, &nl, &mirror, &edge)];
        [lit[0], lit[1], channel(b, metallic, &nl, &mirror, &edge)]
    }
}

/// One colour of a surface in light: its base, the light's angle, and what it mirrors and at its edge.
#[inline(always)]
fn channel(base: &Lane, metallic: &Lane, nl: &Lane, mirror: &Lane, edge: &Lane) -> Lane {
    each(|l| {
        let base = base[l];
        let matte = base * (1.0 - FLOOR) * (1.0 - metallic[l]);
        let f0 = FLOOR + (base - FLOOR) * metallic[l];
        let fresnel = f0 + (1.0 - f0) * edge[l];
        let light = (1.0 - fresnel) * matte / PI + fresnel * mirror[l];
        nl[l] * LIGHT * light + base * AMBIENT
    })
}

#[multiversion(targets("x86_64+avx2"))]
fn draw_up(gradients: &Gradients, values: &[[f32; SLOTS]; 3]) -> Planes {
    gradients.planes(values)
}

/// The colours of fragments with these values, normals and texels.
#[multiversion(targets("x86_64+avx2"))]
fn color(shader: &Shader<'_>, values: &Values, normal: Lanes3, texels: &Texels) -> [[u8; 4]; LANES] {
    let (base, mut alpha) = shader.base_color(texels.base_color.as_ref());
    let (roughness, metallic) = shader.roughness(texels.metallic_roughness.as_ref());
    let normal = normalize(&normal);
    let mut color = shader.lit(&values.take(POSITION), &normal, &base, &roughness, &metallic);
    if let Some(texels) = &texels.occlusion {
        let occlusion = each(|l| byte(texels[l][0]));
        color = three(|i| each(|l| color[i][l] * occlusion[l]));
    }
    shader.add_glow(&mut color, texels.emissive.as_ref());
    if !shader.mesh.colors.is_empty() {
        let [r, g, b, a] = values.take(COLOR);
        color = times(&color, &[r, g, b]);
        alpha = each(|l| alpha[l] * a[l]);
    }
    let alpha = to_bytes(&alpha);
    let mut bytes = [[0; 4]; LANES];
    for (l, bytes) in bytes.iter_mut().enumerate() {
        let light = |i: usize| shader.tone.encode(color[i][l]);
        *bytes = [light(0), light(1), light(2), alpha[l]];
    }
    bytes
}

/// From a column or row to the other one of its 2x2 block: 1 or -1.
#[inline(always)]
fn way(at: u16) -> f32 {
    if at & 1 == 0 { 1.0 } else { -1.0 }
}

/// The normals from a normal map, in the frame of the surface's own texture coordinates: their slopes
/// over the pixel's 2x2 block stand in for tangents.
fn mapped_normal(site: &Site<'_>, here: &Values, texels: &[[u8; 4]; LANES]) -> Lanes3 {
    // The other pixel of the block's row, and of its column.
    let steps = [each(|l| way(site.fragments[l].x)), each(|l| way(site.fragments[l].y))];
    let beside = each(|l| site.x[l] + steps[0][l]);
    let above = each(|l| site.y[l] + steps[1][l]);
    let (mut aside, mut upwards) = (Values::default(), Values::default());
    fill(&mut aside, site, [&beside, &site.y], COLOR);
    fill(&mut upwards, site, [&site.x, &above], COLOR);
    bent(&steps, here, &aside, &upwards, texels)
}

/// [`mapped_normal`], given the values at the pixel beside and at the one above or below.
#[multiversion(targets("x86_64+avx2"))]
fn bent(steps: &[Lane; 2], here: &Values, aside: &Values, upwards: &Values, texels: &[[u8; 4]; LANES]) -> Lanes3 {
    let n = normalize(&here.take(NORMAL));
    let slope = |slot: usize, steps: &Lane, there: &Values| {
        let (here, there) = (&here.0[slot], &there.0[slot]);
        each(|l| if steps[l] > 0.0 { there[l] - here[l] } else { here[l] - there[l] })
    };
    let [x, y] = steps;
    let (pos_dx, pos_dy) = (three(|i| slope(POSITION + i, x, aside)), three(|i| slope(POSITION + i, y, upwards)));
    let (uv_dx, uv_dy) =
        ([slope(UV, x, aside), slope(UV + 1, x, aside)], [slope(UV, y, upwards), slope(UV + 1, y, upwards)]);
    let tangent = three(|i| {
        each(|l| {
            let area = uv_dx[0][l] * uv_dy[1][l] - uv_dy[0][l] * uv_dx[1][l];
            (uv_dy[1][l] * pos_dx[i][l] - uv_dx[1][l] * pos_dy[i][l]) / area
        })
    });
    let along = dot(&n, &tangent);
    let t = normalize(&three(|i| each(|l| tangent[i][l] - n[i][l] * along[l])));
    let b = normalize(&cross(&n, &t));
    let m = three(|i| each(|l| 2.0 * byte(texels[l][i]) - 1.0));
    three(|i| each(|l| t[i][l] * m[0][l] + b[i][l] * m[1][l] + n[i][l] * m[2][l]))
}

/// The vector at length 1; a zero one becomes NaN, which shading takes for none.
pub(crate) fn unit(v: Vec3) -> Vec3 {
    let square = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
    // The reference's arithmetic knows no numbers smaller than this.
    let square = if square < f32::MIN_POSITIVE { 0.0 } else { square };
    let factor = 1.0 / square.sqrt();
    v.map(|x| x * factor)
}

#[inline(always)]
fn byte(value: u8) -> f32 {
    f32::from(value) * (1.0 / 255.0)
}

/// 0..1 to 8 bits, to nearest.
#[inline(always)]
fn to_bytes(values: &Lane) -> [u8; LANES] {
    /// Adding this leaves no bits for a fraction, and the integer in the lowest ones.
    const WHOLE: f32 = 8_388_608.0;
    let mut bytes = [0; LANES];
    for (byte, value) in bytes.iter_mut().zip(values) {
        let value = clamp(*value, 0.0, 1.0) * 255.0 + 0.5;
        let near = (value + WHOLE) - WHOLE;
        let down = if near > value { near - 1.0 } else { near };
        *byte = (down + WHOLE).to_bits() as u8;
    }
    bytes
}

/// Within `low` and `high`; NaN gives `low`.
#[inline(always)]
fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let raised = if value > low { value } else { low };
    if raised < high { raised } else { high }
}

#[inline(always)]
fn three(value: impl Fn(usize) -> Lane) -> Lanes3 {
    let mut lanes = [[0.0; LANES]; 3];
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = value(i);
    }
    lanes
}

#[inline(always)]
fn normalize(v: &Lanes3) -> Lanes3 {
    let square = dot(v, v);
    let factor = each(|l| 1.0 / square[l].sqrt());
    three(|i| each(|l| v[i][l] * factor[l]))
}

#[inline(always)]
fn dot(a: &Lanes3, b: &Lanes3) -> Lane {
    each(|l| a[0][l] * b[0][l] + a[1][l] * b[1][l] + a[2][l] * b[2][l])
}

#[inline(always)]
fn times(a: &Lanes3, b: &Lanes3) -> Lanes3 {
    three(|i| each(|l| a[i][l] * b[i][l]))
}

#[inline(always)]
fn cross(a: &Lanes3, b: &Lanes3) -> Lanes3 {
    let axis = |i: usize, j: usize| each(|l| a[i][l] * b[j][l] - a[j][l] * b[i][l]);
    [axis(1, 2), axis(2, 0), axis(0, 1)]
}
