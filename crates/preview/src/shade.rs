//! The colour of a fragment: the reference renderer's metallic-roughness model with one directional
//! light and a constant ambient term, all linear until the end.

use super::camera::View;
use super::material::{Material, TextureSlots};
use super::mesh::Mesh;
use super::model::Model;
use super::project::Vertex;
use super::setup::{Gradients, Plane};
use super::tone::Tone;

const LIGHT: f32 = 6.0;
const AMBIENT: f32 = 0.3;
/// Both the smallest roughness and the reflectance of what is no metal.
const FLOOR: f32 = 0.04;
const PI: f32 = std::f32::consts::PI;

/// Fragments that are shaded together: the loops below run over them, so that the compiler can work
/// on several at once.
pub(crate) const LANES: usize = 8;

/// One value for each fragment of a batch.
pub(crate) type Lane = [f32; LANES];
/// A vector for each fragment of a batch, axis by axis.
type Lanes3 = [Lane; 3];
type Vec3 = [f32; 3];

/// A pixel of a triangle that is seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fragment {
    /// Which of the planes given to [`Shader::shade`] are the triangle's.
    pub(crate) planes: u32,
    /// Column and row of the pixel, from the bottom left of the view.
    pub(crate) x: u16,
    pub(crate) y: u16,
}

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
        let w = corners.map(|v| v.rcp_w);
        let value = |values: [f32; 3]| gradients.plane(std::array::from_fn(|i| values[i] * w[i]));
        let three = |corner: [Vec3; 3]| std::array::from_fn(|axis| value(corner.map(|v| v[axis])));
        let normal = |i: u32| self.mesh.normals.get(i as usize).copied().unwrap_or_default();
        let mut planes = Planes {
            rcp_w: gradients.plane(w),
            position: three(triangle.map(|i| self.mesh.positions.get(i))),
            normal: three(triangle.map(normal)),
            uv: [Plane::default(); 2],
            color: [Plane::default(); 4],
        };
        if self.textured {
            let corner = triangle.map(|i| self.mesh.uvs.get(i));
            planes.uv = std::array::from_fn(|axis| value(corner.map(|v| v[axis])));
        }
        if !self.mesh.colors.is_empty() {
            let corner = triangle.map(|i| self.mesh.color(i));
            planes.color = std::array::from_fn(|axis| value(corner.map(|v| v[axis])));
        }
        planes
    }

    /// Where in the textures up to [`LANES`] fragments lie, each taken at its pixel's centre.
    pub(crate) fn uvs(&self, all: &[Planes], fragments: &[Fragment]) -> [[f32; 2]; LANES] {
        let Some(site) = Site::of(all, fragments) else { return [[0.0; 2]; LANES] };
        let w = site.w(&site.x, &site.y);
        let [u, v] = site.attribute(|p| &p.uv, &site.x, &site.y, &w);
        std::array::from_fn(|l| [u[l], v[l]])
    }

    /// The 8-bit colours and alphas of up to [`LANES`] fragments, each taken at its pixel's centre;
    /// `sample` gives their texels.
    pub(crate) fn shade(
        &self,
        all: &[Planes],
        fragments: &[Fragment],
        sample: impl FnOnce([Lane; 2]) -> Texels,
    ) -> [[u8; 4]; LANES] {
        let Some(site) = Site::of(all, fragments) else { return [[0; 4]; LANES] };
        let w = site.w(&site.x, &site.y);
        let position = site.attribute(|p| &p.position, &site.x, &site.y, &w);
        let mut normal = normalize(site.attribute(|p| &p.normal, &site.x, &site.y, &w));
        let mut texels = Texels::default();
        if self.textured {
            let uv = site.attribute(|p| &p.uv, &site.x, &site.y, &w);
            texels = sample(uv);
            if let Some(texels) = &texels.normal {
                normal = mapped_normal(&site, texels, normal);
            }
        }
        let (base, mut alpha) = self.base_color(texels.base_color.as_ref());
        let (roughness, metallic) = self.roughness(texels.metallic_roughness.as_ref());
        let mut color = self.lit(position, normal, base, roughness, metallic);
        if let Some(texels) = &texels.occlusion {
            let occlusion = each(|l| byte(texels[l][0]));
            color = color.map(|c| each(|l| c[l] * occlusion[l]));
        }
        self.add_glow(&mut color, texels.emissive.as_ref());
        if !self.mesh.colors.is_empty() {
            let [r, g, b, a] = site.attribute(|p| &p.color, &site.x, &site.y, &w);
            color = times(color, [r, g, b]);
            alpha = each(|l| alpha[l] * a[l]);
        }
        std::array::from_fn(|l| {
            let [r, g, b] = color.map(|c| self.tone.encode(c[l]));
            [r, g, b, to_byte(alpha[l])]
        })
    }

    fn base_color(&self, texels: Option<&[[u8; 4]; LANES]>) -> (Lanes3, Lane) {
        let [r, g, b, a] = self.material.base_color;
        let Some(texels) = texels else {
            return ([[r; LANES], [g; LANES], [b; LANES]], [a; LANES]);
        };
        let linear = |factor: f32, i: usize| each(|l| factor * self.tone.linear(texels[l][i]));
        ([linear(r, 0), linear(g, 1), linear(b, 2)], each(|l| a * byte(texels[l][3])))
    }

    fn roughness(&self, texels: Option<&[[u8; 4]; LANES]>) -> (Lane, Lane) {
        let (mut roughness, mut metallic) = ([self.material.roughness; LANES], [self.material.metallic; LANES]);
        if let Some(texels) = texels {
            for (l, [g, b, ..]) in texels.iter().enumerate() {
                roughness[l] *= byte(*g);
                metallic[l] *= byte(*b);
            }
        }
        (roughness.map(|v| clamp(v, FLOOR, 1.0)), metallic.map(|v| clamp(v, 0.0, 1.0)))
    }

    /// The light that the surface sends out itself. Its factor counts twice, as in the reference.
    fn add_glow(&self, color: &mut Lanes3, texels: Option<&[[u8; 4]; LANES]>) {
        if !self.material.glows() {
            return;
        }
        let factor = self.material.emissive;
        let texels: [Vec3; LANES] = std::array::from_fn(|l| match texels {
            Some(texels) => {
                let [r, g, b, _] = texels[l].map(|v| self.tone.linear(v));
                [r, g, b]
            }
            None => [1.0; 3],
        });
        for (i, (axis, factor)) in color.iter_mut().zip(factor).enumerate() {
            for (value, texel) in axis.iter_mut().zip(&texels) {
                *value += factor * texel[i] * factor;
            }
        }
    }

    /// Light and ambient on a surface; see the module's text.
    fn lit(&self, position: Lanes3, n: Lanes3, base: Lanes3, roughness: Lane, metallic: Lane) -> Lanes3 {
        let (eye, light) = (self.eye, self.light);
        let v = normalize([0, 1, 2].map(|i| each(|l| eye[i] - position[i][l])));
        let h = normalize([0, 1, 2].map(|i| each(|l| light[i] + v[i][l])));
        let light = light.map(|x| [x; LANES]);
        // A broken normal leaves the floor of each clamp, and so next to nothing but the ambient.
        let nl = dot(n, light).map(|x| clamp(x, 0.001, 1.0));
        let nv = dot(n, v).map(|x| clamp(x.abs(), 0.001, 1.0));
        let nh = dot(n, h).map(|x| clamp(x, 0.0, 1.0));
        let vh = dot(v, h).map(|x| clamp(x, 0.0, 1.0));
        let mirror = each(|l| {
            let r = roughness[l] + 1.0;
            let k = r * r / 8.0;
            let geometry = nv[l] / (nv[l] * (1.0 - k) + k) * (nl[l] / (nl[l] * (1.0 - k) + k));
            let a = roughness[l] * roughness[l];
            let a2 = a * a;
            let spread = nh[l] * nh[l] * (a2 - 1.0) + 1.0;
            geometry * (a2 / (PI * spread * spread)) / (4.0 * nl[l] * nv[l] + 0.001)
        });
        let edge = vh.map(|c| {
            let e = 1.0 - c;
            e * e * e * e * e
        });
        base.map(|base| {
            each(|l| {
                let matte = base[l] * (1.0 - FLOOR) * (1.0 - metallic[l]);
                let f0 = FLOOR + (base[l] - FLOOR) * metallic[l];
                let fresnel = f0 + (1.0 - f0) * edge[l];
                let light = (1.0 - fresnel) * matte / PI + fresnel * mirror[l];
                nl[l] * LIGHT * light + base[l] * AMBIENT
            })
        })
    }
}

/// The fragments of a batch: their planes and pixel centres. A short batch repeats its first.
struct Site<'a> {
    planes: [&'a Planes; LANES],
    x: Lane,
    y: Lane,
}

impl<'a> Site<'a> {
    fn of(all: &'a [Planes], fragments: &[Fragment]) -> Option<Self> {
        let first = fragments.first()?;
        let lanes: [Fragment; LANES] = std::array::from_fn(|l| fragments.get(l).copied().unwrap_or(*first));
        let fallback = all.first()?;
        Some(Self {
            planes: lanes.map(|f| all.get(f.planes as usize).unwrap_or(fallback)),
            x: lanes.map(|f| f32::from(f.x) + 0.5),
            y: lanes.map(|f| f32::from(f.y) + 0.5),
        })
    }

    /// The w of each fragment's triangle at a point of the screen.
    #[inline(always)]
    fn w(&self, x: &Lane, y: &Lane) -> Lane {
        each(|l| 1.0 / self.planes[l].rcp_w.at(x[l], y[l]))
    }

    /// The value of an attribute at a point of the screen, given w there.
    #[inline(always)]
    fn attribute<const N: usize>(
        &self,
        pick: impl Fn(&Planes) -> &[Plane; N],
        x: &Lane,
        y: &Lane,
        w: &Lane,
    ) -> [Lane; N] {
        let mut value = [[0.0; LANES]; N];
        for l in 0..LANES {
            let planes = pick(self.planes[l]);
            for i in 0..N {
                value[i][l] = planes[i].at(x[l], y[l]) * w[l];
            }
        }
        value
    }
}

/// The normals from a normal map, in the frame of the surface's own texture coordinates: their slopes
/// over the pixel's 2x2 block stand in for tangents.
fn mapped_normal(site: &Site<'_>, texels: &[[u8; 4]; LANES], n: Lanes3) -> Lanes3 {
    let start = |v: f32| ((v as i32) & !1) as f32 + 0.5;
    let (left, low) = (site.x.map(start), site.y.map(start));
    let (right, high) = (left.map(|v| v + 1.0), low.map(|v| v + 1.0));
    let (pos_dx, uv_dx) = slopes(site, [&left, &site.y], [&right, &site.y]);
    let (pos_dy, uv_dy) = slopes(site, [&site.x, &low], [&site.x, &high]);
    let tangent: Lanes3 = [0, 1, 2].map(|i| {
        each(|l| {
            let area = uv_dx[0][l] * uv_dy[1][l] - uv_dy[0][l] * uv_dx[1][l];
            (uv_dy[1][l] * pos_dx[i][l] - uv_dx[1][l] * pos_dy[i][l]) / area
        })
    });
    let along = dot(n, tangent);
    let t = normalize([0, 1, 2].map(|i| each(|l| tangent[i][l] - n[i][l] * along[l])));
    let b = normalize(cross(n, t));
    let m: Lanes3 = [0, 1, 2].map(|i| each(|l| 2.0 * byte(texels[l][i]) - 1.0));
    normalize([0, 1, 2].map(|i| each(|l| t[i][l] * m[0][l] + b[i][l] * m[1][l] + n[i][l] * m[2][l])))
}

/// How much position and texture coordinates grow from one point of the screen to another.
fn slopes(site: &Site<'_>, from: [&Lane; 2], to: [&Lane; 2]) -> (Lanes3, [Lane; 2]) {
    let at = |[x, y]: [&Lane; 2]| {
        let w = site.w(x, y);
        (site.attribute(|p| &p.position, x, y, &w), site.attribute(|p| &p.uv, x, y, &w))
    };
    let ((position0, uv0), (position1, uv1)) = (at(from), at(to));
    let position = [0, 1, 2].map(|i| each(|l| position1[i][l] - position0[i][l]));
    (position, [0, 1].map(|i| each(|l| uv1[i][l] - uv0[i][l])))
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
fn to_byte(value: f32) -> u8 {
    (clamp(value, 0.0, 1.0) * 255.0 + 0.5) as u8
}

/// Within `low` and `high`; NaN gives `low`.
#[inline(always)]
fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let raised = if value > low { value } else { low };
    if raised < high { raised } else { high }
}

#[inline(always)]
fn each(value: impl Fn(usize) -> f32) -> Lane {
    let mut lane = [0.0; LANES];
    for (l, slot) in lane.iter_mut().enumerate() {
        *slot = value(l);
    }
    lane
}

#[inline(always)]
fn normalize(v: Lanes3) -> Lanes3 {
    let factor = dot(v, v).map(|square| 1.0 / square.sqrt());
    v.map(|axis| each(|l| axis[l] * factor[l]))
}

#[inline(always)]
fn dot(a: Lanes3, b: Lanes3) -> Lane {
    each(|l| a[0][l] * b[0][l] + a[1][l] * b[1][l] + a[2][l] * b[2][l])
}

#[inline(always)]
fn times(a: Lanes3, b: Lanes3) -> Lanes3 {
    [0, 1, 2].map(|i| each(|l| a[i][l] * b[i][l]))
}

#[inline(always)]
fn cross(a: Lanes3, b: Lanes3) -> Lanes3 {
    [(1, 2), (2, 0), (0, 1)].map(|(i, j)| each(|l| a[i][l] * b[j][l] - a[j][l] * b[i][l]))
}
