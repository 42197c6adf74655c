//! Files that mean harm: each is refused or drawn, soon and in little memory, and nothing panics.

use std::time::{Duration, Instant};

use gen404_preview::{self as preview, Options, Refusal, RefusalCode};
use serde_json::json;

use crate::models::{self, Builder};

/// Far more than any small model needs.
const SOON: Duration = Duration::from_secs(5);

fn render(glb: &[u8]) -> Result<(), Refusal> {
    let started = Instant::now();
    let result = preview::render(glb, &Options { size: 16, ..Options::default() }).map(|_| ());
    assert!(started.elapsed() < SOON, "took {:?}", started.elapsed());
    result
}

/// A small generator of changes, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

#[test]
fn damaged_files_never_panic() {
    let sound = [models::full(), models::glassy(), models::coloured()];
    let mut dice = Dice(404);
    let (mut drawn, rounds) = (0, 1500);
    for round in 0..rounds {
        let mut glb = sound[round % sound.len()].clone();
        match dice.roll(4) {
            0 => glb.truncate(dice.roll(glb.len())),
            1 => {
                let at = dice.roll(glb.len());
                glb.drain(at..(at + dice.roll(64)).min(glb.len()));
            }
            _ => {
                // Mostly where the JSON is, or the pictures' heads.
                let span = if dice.roll(3) == 0 { glb.len() } else { 3000.min(glb.len()) };
                for _ in 0..=dice.roll(8) {
                    let at = dice.roll(span);
                    glb[at] = [dice.roll(256) as u8, b'0' + dice.roll(10) as u8, b'-'][dice.roll(3)];
                }
            }
        }
        drawn += usize::from(render(&glb).is_ok());
    }
    println!("{drawn} of {rounds} damaged files still drawn");
}

fn coloured_with(change: impl FnOnce(&mut Builder)) -> Result<(), Refusal> {
    let (positions, _, triangles) = models::ball(4);
    let mut b = Builder::new();
    b.floats("POSITION", &positions).indices(&triangles);
    change(&mut b);
    render(&b.glb())
}

#[test]
fn claims_of_size_are_checked_before_memory_is_taken() {
    let code = |change: fn(&mut Builder)| coloured_with(change).unwrap_err().code;
    let huge = json!({"componentType": 5126, "type": "VEC3", "count": 3_000_000_000_u64});
    assert_eq!(code(|b| b.document["accessors"][0]["count"] = json!(2_000_000_000)), RefusalCode::DataAccessor);
    let with_huge = coloured_with(|b| b.document["accessors"].as_array_mut().unwrap().push(huge));
    assert_eq!(with_huge.unwrap_err().code, RefusalCode::DataTooLarge);
    let many = vec![0_u8; 3 * 5_000_001];
    let refusal = coloured_with(|b| {
        let view = b.view(&many);
        b.document["accessors"][1] =
            json!({"bufferView": view, "componentType": 5121, "type": "SCALAR", "count": many.len()});
    });
    assert_eq!(refusal.unwrap_err().code, RefusalCode::DataTriangles);
}

/// A PNG head that promises `width` x `height` pixels of RGB and holds almost nothing.
fn promise(width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x01, 0x03, 0x00]).unwrap();
    drop(writer);
    out
}

#[test]
fn textures_are_dropped_or_refused_by_their_promise() {
    let with = |picture: &[u8]| {
        let (positions, uvs, triangles) = models::ball(4);
        let mut b = Builder::new();
        b.floats("POSITION", &positions).floats("TEXCOORD_0", &uvs).indices(&triangles);
        let texture = b.texture(picture);
        b.material(json!({"pbrMetallicRoughness": {"baseColorTexture": {"index": texture}}}));
        render(&b.glb()).map_err(|refusal| refusal.code)
    };
    assert_eq!(with(b"no picture at all"), Ok(()));
    assert_eq!(with(&promise(30_000, 30_000)), Ok(()));
    assert_eq!(with(&promise(1000, 1000)), Err(RefusalCode::TextureDamaged));
    let sound = models::waves(64, png::ColorType::Rgb);
    assert_eq!(with(&sound), Ok(()));
    assert_eq!(with(&sound[..sound.len() / 2]), Err(RefusalCode::TextureDamaged));
    assert_eq!(with(&models::waves(8, png::ColorType::GrayscaleAlpha)), Err(RefusalCode::TextureMode));
}

#[test]
fn extensions_that_hide_the_model_are_refused_when_required() {
    let required = |names: &'static [&str]| {
        coloured_with(|b| b.document["extensionsRequired"] = json!(names)).map_err(|refusal| refusal.code)
    };
    for name in [&["KHR_draco_mesh_compression"][..], &["EXT_meshopt_compression"]] {
        assert_eq!(required(name), Ok(()), "{name:?} is used nowhere");
    }
    assert_eq!(required(&["EXT_texture_webp", "KHR_texture_transform", "KHR_materials_unlit"]), Ok(()));
    assert_eq!(required(&["VENDOR_new_thing", "KHR_texture_basisu", "MSFT_lod"]), Ok(()));
    // One that nobody knows, where the geometry's data is.
    for (at, value) in [
        ("/bufferViews/0/extensions", json!({"VENDOR_new_thing": {}})),
        ("/buffers/0/extensions", json!({"VENDOR_new_thing": {}})),
        ("/accessors/0/extensions", json!({"VENDOR_new_thing": {}})),
        ("/accessors/1/extensions", json!({"VENDOR_new_thing": {}})),
        ("/meshes/0/primitives/0/extensions", json!({"VENDOR_new_thing": {"bufferView": 0}})),
    ] {
        let owned = |required: &[&str]| {
            coloured_with(|b| {
                let (parent, key) = at.rsplit_once('/').unwrap();
                b.document.pointer_mut(parent).unwrap()[key] = value.clone();
                b.document["extensionsRequired"] = json!(required);
            })
        };
        assert_eq!(owned(&["VENDOR_new_thing"]).unwrap_err().code, RefusalCode::ExtensionRequired, "{at}");
        assert_eq!(owned(&["VENDOR_other_thing"]), Ok(()), "{at}");
    }
    let packed = coloured_with(|b| {
        b.primitive()["extensions"] = json!({"KHR_draco_mesh_compression": {}});
        b.document["extensionsRequired"] = json!(["KHR_draco_mesh_compression"]);
    });
    assert_eq!(packed.unwrap_err().code, RefusalCode::ExtensionRequired);
}

#[test]
fn extensions_at_data_that_is_not_drawn_hide_nothing() {
    const NAME: &str = "VENDOR_new_thing";
    let last = |b: &mut Builder, list: &str| {
        let parts = b.document[list].as_array_mut().unwrap();
        parts.last_mut().unwrap()["extensions"] = json!({NAME: {}, "EXT_meshopt_compression": {}});
        parts.len() - 1
    };
    let unused = |b: &mut Builder| {
        b.view(&[0; 12]);
        last(b, "bufferViews")
    };
    for image in [false, true] {
        let drawn = coloured_with(|b| {
            let view = unused(b);
            if image {
                b.document["images"] = json!([{"bufferView": view}]);
            }
            b.document["extensionsRequired"] = json!([NAME]);
        });
        assert_eq!(drawn, Ok(()));
    }
    for attribute in [None, Some("_OWN"), Some("JOINTS_0")] {
        let drawn = coloured_with(|b| {
            let view = unused(b);
            let accessor = json!({"bufferView": view, "componentType": 5126, "type": "VEC3", "count": 1});
            b.document["accessors"].as_array_mut().unwrap().push(accessor);
            let accessor = last(b, "accessors");
            if let Some(name) = attribute {
                b.primitive()["attributes"][name] = json!(accessor);
            }
            b.document["extensionsRequired"] = json!([NAME, "EXT_meshopt_compression"]);
        });
        assert_eq!(drawn, Ok(()), "{attribute:?}");
    }
}

#[test]
fn indices_that_are_floats_lose_their_fractions() {
    let drawn = |indices: &[f32], mode: u8| {
        let mut b = Builder::new();
        b.floats("POSITION", &[[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.0, 0.3, 0.0], [0.3, 0.3, 0.0]]);
        let bytes: Vec<u8> = indices.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = b.view(&bytes);
        let accessor = json!({"bufferView": view, "componentType": 5126, "type": "SCALAR", "count": indices.len()});
        b.document["accessors"].as_array_mut().unwrap().push(accessor);
        b.primitive()["indices"] = json!(1);
        b.primitive()["mode"] = json!(mode);
        preview::render(&b.glb(), &Options { size: 16, ..Options::default() }).map(|p| p.png().to_vec())
    };
    // By the reference's own verdicts.
    let whole = drawn(&[0.0, 1.0, 2.0, 3.0, 2.0, 1.0], 4).unwrap();
    assert_eq!(drawn(&[-0.5, 1.9, 2.1, 3.999, 2.0, 1.0], 4).unwrap(), whole);
    for bad in [-1.0, 4.0, f32::NAN, f32::INFINITY] {
        assert_eq!(drawn(&[bad, 1.0, 2.0], 4).unwrap_err().code, RefusalCode::DataIndex, "{bad}");
    }
    assert_eq!(drawn(&[0.0, 1.0, 2.0, 3.0], 5).unwrap_err().code, RefusalCode::DataShape);
}

#[test]
fn the_page_on_previews_knows_every_code() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/previews.md")).unwrap();
    for code in RefusalCode::ALL {
        assert!(page.contains(&format!("`{code}`")), "docs/previews.md does not speak of {code}");
    }
}
