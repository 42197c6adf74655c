//! From the bytes of a GLB to what is drawn, or the reason why it is not.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashSet};

use super::accessor::{Views, read_accessors};
use super::cost::{self, Style};
use super::gallery::{Gallery, place};
use super::json::{Object, wrap_index};
use super::limits::{Budget, Watch};
use super::material::{Material, TextureSlots};
use super::mesh::Mesh;
use super::picture::{self, Picture};
use super::refusal::{Checked, Refusal, RefusalCode};
use super::scene;
use super::texture::{self, Texture};
use super::threads::Threads;
use python_json::Value;

/// A model with everything that drawing needs.
pub(crate) struct Model<'a> {
    pub(crate) mesh: Mesh<'a>,
    pub(crate) material: Material,
    pub(crate) skin: Skin<'a>,
    /// Nothing of it can be seen through.
    pub(crate) opaque: bool,
}

/// The textures of a model.
#[allow(clippy::large_enum_variant, reason = "a model has one of it")]
pub(crate) enum Skin<'a> {
    /// All of them, ready for sampling.
    Ready(TextureSlots<Texture>),
    /// Too large to be in memory together: each picture by its index, to be decoded while the others wait.
    Later(Vec<(usize, picture::Plan<'a>)>),
}

impl<'a> Model<'a> {
    /// Loads a GLB: the verdict is the reference's, save for required extensions that neither reads. Of
    /// textures that are read later, the verdict comes later as well.
    pub(crate) fn load(
        document: &Value,
        buffers: &'a [Cow<'a, [u8]>],
        budget: &mut Budget,
        (threads, watch): (Threads, Watch<'_>),
    ) -> Checked<Self> {
        let document = Object::of(document, "document")?;
        check_extensions(document)?;
        if document.get("bufferViews").is_none() {
            return Err(Refusal::shape("bufferViews", "missing"));
        }
        let views = Views::read(document, buffers)?;
        let accessors = read_accessors(document, &views, budget)?;
        let mut gallery = Gallery::find(document, &views)?;
        let primitive = scene::only_primitive(document)?;
        let material = Material::read(document, primitive.material, &mut gallery, (budget, watch))?;
        scene::check_nodes(document)?;
        watch.check()?;
        let mesh = Mesh::read(primitive, &accessors, budget, watch)?;
        let material = material
            .unwrap_or_else(|| if mesh.colors.is_empty() { Material::plain() } else { Material::vertex_colored() });
        let mut skin = load_skin(&material, gallery, budget, (threads, watch))?;
        if let Skin::Ready(textures) = &mut skin
            && textures.any()
        {
            check_uvs(&mesh)?;
            // Nobody looks at it otherwise.
            textures.emissive = textures.emissive.take().filter(|_| material.glows());
        }
        let clear = match &skin {
            Skin::Ready(textures) => textures.base_color.as_ref().is_some_and(|texture| !texture.opaque()),
            Skin::Later(plans) => later_is_clear(&material, plans, budget, watch)?,
        };
        let opaque = material.base_color[3] >= 1.0 && !clear && mesh.colors.iter().all(|c| c[3] == 255);
        Ok(Self { mesh, material, skin, opaque })
    }

    /// Whether there are textures to be looked at.
    pub(crate) fn is_textured(&self) -> bool {
        match &self.skin {
            Skin::Ready(textures) => textures.any(),
            Skin::Later(plans) => !plans.is_empty(),
        }
    }

    /// How its pixels are made.
    pub(crate) fn style(&self) -> Style {
        match &self.skin {
            Skin::Ready(textures) => Style::ready(self.opaque, &textures.map(|texture, _| texture.bytes())),
            Skin::Later(_) => Style::later(self.opaque, &self.material.images),
        }
    }
}

/// Textures need a place on the surface.
pub(crate) fn check_uvs(mesh: &Mesh<'_>) -> Checked<()> {
    if mesh.uvs.is_empty() {
        let message = "textures, but no texture coordinates";
        return Err(Refusal::new(RefusalCode::TextureCoordinates, "attributes", message));
    }
    Ok(())
}

/// Whether the base colour of textures that are read later can be seen through. A fault in it is told
/// later, in its turn.
fn later_is_clear(
    material: &Material,
    plans: &[(usize, picture::Plan<'_>)],
    budget: &mut Budget,
    watch: Watch<'_>,
) -> Checked<bool> {
    let base = plans.iter().find(|(index, _)| Some(*index) == material.images.base_color);
    let Some((index, plan)) = base.filter(|(_, plan)| plan.alpha()) else { return Ok(false) };
    let place = place(*index);
    budget.spend(plan.work(), place.as_str())?;
    Ok(plan.decode(&place, watch).is_ok_and(|picture| !texture::is_opaque(&picture)))
}

/// Refuses required extensions that own the geometry's data: the reference draws zeros in their place. Others only
/// change how things look, or what is shown: it draws without them, and so does this renderer.
fn check_extensions(document: Object<'_>) -> Checked<()> {
    // The reference does not look at the list, so whatever else stands in its place changes nothing.
    let names = document.get("extensionsRequired").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if names.is_empty() {
        return Ok(());
    }
    // What is wrong with the primitive itself is told later.
    let Ok(primitive) = scene::only_primitive(document) else { return Ok(()) };
    let owners = owners(document, &primitive);
    let hides = |name: &&Value| name.as_str().is_some_and(|name| owners.contains(name.as_bytes()));
    match names.iter().find(hides) {
        None => Ok(()),
        Some(name) => {
            let message = format!("{name} is required and holds the geometry, but not read");
            Err(Refusal::new(RefusalCode::ExtensionRequired, "extensionsRequired", message))
        }
    }
}

/// Extensions that stand at a part that what is drawn comes from: its accessors, their views and buffers, and the
/// primitive itself.
fn owners<'v>(document: Object<'v>, primitive: &scene::Primitive<'v>) -> HashSet<&'v [u8]> {
    /// It says how numbers are meant, which are there all the same.
    const MEANING: &[u8] = b"KHR_mesh_quantization";
    /// The attributes that are looked at.
    const DRAWN: [&str; 4] = ["POSITION", "NORMAL", "TEXCOORD_0", "COLOR_0"];
    let extensions = |value: &'v Value| value.get("extensions").and_then(Value::as_object).into_iter().flatten();
    let part = |list: &str, index: Option<i64>| {
        let list = document.get(list)?.as_array()?;
        list.get(wrap_index(index?, list.len())?)
    };
    let indices = DRAWN.map(|name| primitive.attributes.get(name).and_then(Value::as_i64));
    let mut owners = HashSet::new();
    for index in indices.into_iter().chain([primitive.indices]) {
        let accessor = part("accessors", index);
        let view = accessor.and_then(|a| part("bufferViews", a.get("bufferView")?.as_i64()));
        let buffer = view.and_then(|v| part("buffers", v.get("buffer")?.as_i64()));
        let found = [accessor, view, buffer].into_iter().flatten().flat_map(extensions);
        owners.extend(found.map(|(name, _)| Borrow::<[u8]>::borrow(name)));
    }
    // Variants of the material and the like hold no data.
    let packed = |name: &[u8], extension: &Value| packs_geometry(name) || extension.get("bufferView").is_some();
    let own = primitive.entry.get("extensions").and_then(Value::as_object).into_iter().flatten();
    owners.extend(own.map(|(name, e)| (Borrow::<[u8]>::borrow(name), e)).filter(|(n, e)| packed(n, e)).map(|(n, _)| n));
    owners.remove(MEANING);
    owners
}

/// Extensions of a primitive that are known to pack vertices and indices.
fn packs_geometry(name: &[u8]) -> bool {
    matches!(
        name,
        b"KHR_draco_mesh_compression"
            | b"KHR_gaussian_splatting_compression_spz"
            | b"KHR_spz_gaussian_splats_compression"
    )
}

/// Opens the pictures that the material uses, each once, and makes textures of them if there is room.
fn load_skin<'a>(
    material: &Material,
    mut gallery: Gallery<'a>,
    budget: &mut Budget,
    (threads, watch): (Threads, Watch<'_>),
) -> Checked<Skin<'a>> {
    let slots = &material.images;
    let order = [slots.normal, slots.occlusion, slots.emissive, slots.base_color, slots.metallic_roughness];
    let mut plans: Vec<(usize, picture::Plan<'a>)> = Vec::new();
    let (mut together, mut texels, mut largest) = (0_u64, 0, (0, String::new()));
    for index in order.into_iter().flatten() {
        let uses = order.iter().filter(|slot| **slot == Some(index)).count() as u64;
        if plans.iter().all(|(i, _)| *i != index)
            && let Some(plan) = gallery.take(index)
        {
            let place = place(index);
            budget.spend(plan.work(), place.as_str())?;
            texels += uses * plan.pixels();
            together = together.saturating_add(plan.bytes());
            if plan.bytes() > largest.0 {
                largest = (plan.bytes(), place);
            }
            plans.push((index, plan));
        }
    }
    together = together.saturating_add(4 * texels);
    if together > budget.together {
        let (bytes, place) = largest;
        budget.take(bytes, place)?;
        return Ok(Skin::Later(plans));
    }
    budget.take(together, "images")?;
    budget.spend(cost::TEXEL * texels, "images")?;
    let decoded = threads.map(plans.len(), |i| {
        plans.get(i).map(|(index, plan)| plan.decode(&place(*index), watch).map(|picture| (*index, picture)))
    });
    let pictures = decoded.into_iter().flatten().collect::<Checked<BTreeMap<usize, Picture>>>()?;
    let build = |index: &usize, channels| {
        pictures.get(index).map(|picture| Texture::build(picture, channels, &place(*index))).transpose()
    };
    slots.map(build).sound().map(Skin::Ready)
}
