//! From the bytes of a GLB to what is drawn, or the reason why it is not.

use std::collections::BTreeMap;

use super::accessor::{Views, read_accessors};
use super::base64;
use super::container::Container;
use super::json::Object;
use super::limits::Budget;
use super::material::{Material, TextureSlots};
use super::mesh::Mesh;
use super::picture::{self, Picture};
use super::refusal::{Checked, Refusal, RefusalCode};
use super::scene;
use super::texture::{Channels, Texture};
use super::threads::Threads;

/// A model with everything that drawing needs.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) mesh: Mesh,
    pub(crate) material: Material,
    pub(crate) textures: TextureSlots<Texture>,
}

impl Model {
    /// Loads a GLB: the verdict is the reference's, save for required extensions that neither reads.
    pub(crate) fn load(glb: &[u8], threads: Threads, budget: &mut Budget) -> Checked<Self> {
        let container = Container::split(glb)?;
        let document = Object::of(&container.document, "document")?;
        check_extensions(document)?;
        if document.get("bufferViews").is_none() {
            return Err(Refusal::shape("bufferViews", "missing"));
        }
        let views = Views::read(document, &container.buffers)?;
        let accessors = read_accessors(document, &views, budget)?;
        let images = check_images(document, &views)?;
        let primitive = scene::only_primitive(document)?;
        let material = Material::read(document, primitive.material)?;
        scene::check_nodes(document)?;
        let mesh = Mesh::read(primitive, &accessors, budget)?;
        let material = material
            .unwrap_or_else(|| if mesh.colors.is_empty() { Material::plain() } else { Material::vertex_colored() });
        let textures = load_textures(&material, &images, budget, threads)?;
        if textures.any() && mesh.uvs.is_empty() {
            let message = "textures, but no texture coordinates";
            return Err(Refusal::new(RefusalCode::TextureCoordinates, "attributes", message));
        }
        Ok(Self { mesh, material, textures })
    }

    /// Whether nothing of the model can be seen through.
    pub(crate) fn opaque(&self) -> bool {
        self.material.base_color[3] >= 1.0
            && self.textures.base_color.as_ref().is_none_or(Texture::opaque)
            && self.mesh.colors.iter().all(|c| c[3] >= 1.0)
    }
}

/// Required extensions that are read, or that the reference draws without, as the picture shows.
fn check_extensions(document: Object<'_>) -> Checked<()> {
    for name in document.list("extensionsRequired", "")? {
        let known = name.as_str().is_some_and(|name| {
            name.starts_with("KHR_materials_")
                || matches!(
                    name,
                    "EXT_texture_webp"
                        | "KHR_texture_transform"
                        | "KHR_mesh_quantization"
                        | "KHR_lights_punctual"
                        | "KHR_xmp_json_ld"
                )
        });
        if !known {
            let message = format!("{name} is required, but not read");
            return Err(Refusal::new(RefusalCode::ExtensionRequired, "extensionsRequired", message));
        }
    }
    Ok(())
}

/// Where the bytes of an image are.
enum Source<'a> {
    View(&'a [u8]),
    Inline(Vec<u8>),
    /// Nowhere in the file, or in a format that is passed over.
    None,
}

impl Source<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::View(bytes) => bytes,
            Self::Inline(bytes) => bytes,
            Self::None => &[],
        }
    }
}

/// Finds the bytes of all images; a view that does not exist refuses the model, in use or not.
fn check_images<'a>(document: Object<'_>, views: &Views<'a>) -> Checked<Vec<Source<'a>>> {
    let source = |(i, entry)| {
        let place = format!("images[{i}]");
        let image = Object::of(entry, &place)?;
        if image.text("mimeType") == Some("image/ktx2") {
            return Ok(Source::None);
        }
        if let Some(view) = image.int("bufferView", &place)? {
            return views.bytes(view, &place).map(Source::View);
        }
        let inline = image.text("uri").and_then(base64::from_data_uri);
        Ok(inline.map_or(Source::None, Source::Inline))
    };
    document.list("images", "")?.iter().enumerate().map(source).collect()
}

/// Decodes the pictures that the material uses, each once, and builds its textures.
fn load_textures(
    material: &Material,
    images: &[Source<'_>],
    budget: &mut Budget,
    threads: Threads,
) -> Checked<TextureSlots<Texture>> {
    let slots = &material.images;
    let order = [slots.normal, slots.occlusion, slots.emissive, slots.base_color, slots.metallic_roughness];
    let mut plans: Vec<(usize, picture::Plan<'_>)> = Vec::new();
    for index in order.into_iter().flatten() {
        if plans.iter().all(|(i, _)| *i != index)
            && let Some(source) = images.get(index)
            && let Some(plan) = picture::plan(source.bytes(), &format!("images[{index}]"), budget)?
        {
            plans.push((index, plan));
        }
    }
    let decoded = threads
        .map(plans.len(), |i| plans.get(i).map(|(index, plan)| (*index, plan.decode(&format!("images[{index}]")))));
    let mut pictures = BTreeMap::new();
    for (index, picture) in decoded.into_iter().flatten() {
        pictures.insert(index, picture?);
    }
    let mut build = |index: Option<usize>, channels| -> Checked<Option<Texture>> {
        let Some(picture) = index.and_then(|i| pictures.get(&i)) else { return Ok(None) };
        let place = format!("images[{}]", index.unwrap_or_default());
        Texture::build(picture as &Picture, channels, &place, budget).map(Some)
    };
    Ok(TextureSlots {
        normal: build(slots.normal, Channels::Rgb)?,
        occlusion: build(slots.occlusion, Channels::Red)?,
        emissive: build(slots.emissive, Channels::Rgb)?,
        base_color: build(slots.base_color, Channels::Rgba)?,
        metallic_roughness: build(slots.metallic_roughness, Channels::GreenBlue)?,
    })
}
