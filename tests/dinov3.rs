//! The embedding model against the reference's outputs. Weights are made by the recipe of those
//! outputs: a hash, so that no file of them is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at surprises")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gen404::base::hex;
use gen404::world::distance::dinov3::Dinov3;
use gen404::world::distance::dinov3::model::Model;
use gen404::world::distance::rgb::decode;
use gen404::world::distance::settings::DistanceSettings;
use gen404::world::distance::{Distance as _, Picture};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tch::{Kind, Tensor};

/// Sizes of a model: hidden, layers, heads, inner.
#[derive(Clone, Copy)]
struct Size {
    hidden: usize,
    layers: usize,
    heads: usize,
    inner: usize,
}

const TINY: Size = Size { hidden: 48, layers: 2, heads: 3, inner: 192 };
const FULL: Size = Size { hidden: 384, layers: 12, heads: 6, inner: 1536 };

/// A tensor of the recipe: name, shape, offset and scale of its values.
type Spec = (String, Vec<usize>, f64, f64);

fn specs(size: Size) -> Vec<Spec> {
    let Size { hidden: h, layers, inner, .. } = size;
    let line = |inputs: usize, gain: f64| gain * (3.0 / inputs as f64).powf(0.5);
    let mut all: Vec<Spec> = Vec::new();
    let mut add =
        |name: String, shape: &[usize], offset: f64, scale: f64| all.push((name, shape.to_vec(), offset, scale));
    add("embeddings.cls_token".into(), &[1, 1, h], 0.0, 0.8);
    add("embeddings.mask_token".into(), &[1, 1, h], 0.0, 1.0);
    add("embeddings.register_tokens".into(), &[1, 4, h], 0.0, 0.8);
    add("embeddings.patch_embeddings.weight".into(), &[h, 3, 16, 16], 0.0, line(3 * 256, 4.0));
    add("embeddings.patch_embeddings.bias".into(), &[h], 0.0, 0.2);
    for i in 0..layers {
        let name = |part: &str| format!("layer.{i}.{part}");
        for norm in ["norm1", "norm2"] {
            add(name(&format!("{norm}.weight")), &[h], 1.0, 0.4);
            add(name(&format!("{norm}.bias")), &[h], 0.0, 0.3);
        }
        for (part, gain, bias) in [("q", 1.6, 0.5), ("k", 1.6, 0.0), ("v", 1.0, 0.2), ("o", 1.0, 0.2)] {
            add(name(&format!("attention.{part}_proj.weight")), &[h, h], 0.0, line(h, gain));
            if part != "k" {
                add(name(&format!("attention.{part}_proj.bias")), &[h], 0.0, bias);
            }
        }
        add(name("mlp.up_proj.weight"), &[inner, h], 0.0, line(h, 1.0));
        add(name("mlp.up_proj.bias"), &[inner], 0.0, 0.2);
        add(name("mlp.down_proj.weight"), &[h, inner], 0.0, line(inner, 1.0));
        add(name("mlp.down_proj.bias"), &[h], 0.0, 0.2);
        add(name("layer_scale1.lambda1"), &[h], 0.9, 0.4);
        add(name("layer_scale2.lambda1"), &[h], 0.9, 0.4);
    }
    add("norm.weight".into(), &[h], 1.0, 0.4);
    add("norm.bias".into(), &[h], 0.0, 0.3);
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The values of a tensor, as the file has them.
fn values((name, shape, offset, scale): &Spec) -> Vec<u8> {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    let value = |k: u64| {
        let mut z = k.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(hash);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let unit = (z >> 40) as f64 * 2_f64.powi(-23) - 1.0;
        #[allow(clippy::cast_possible_truncation, reason = "the file holds 32 bits")]
        let value = (offset + scale * unit) as f32;
        value.to_le_bytes()
    };
    (0..shape.iter().product::<usize>() as u64).flat_map(value).collect()
}

/// Writes tensors as a safetensors file with these names.
fn write(path: &Path, specs: &[Spec], rename: impl Fn(&str) -> String) {
    let (mut head, mut at) = (r#"{"__metadata__":{"format":"pt"}"#.to_owned(), 0);
    for (name, shape, ..) in specs {
        let end = at + 4 * shape.iter().product::<usize>();
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [at, end] });
        write!(head, ",{}:{entry}", json!(rename(name))).unwrap();
        at = end;
    }
    head.push('}');
    while !head.len().is_multiple_of(8) {
        head.push(' ');
    }
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(&(head.len() as u64).to_le_bytes()).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    for spec in specs {
        file.write_all(&values(spec)).unwrap();
    }
    file.flush().unwrap();
}

/// A folder with the weights of this size and their config.json.
fn weights(size: Size, specs: &[Spec], rename: impl Fn(&str) -> String) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, specs, rename);
    let config = json!({
        "model_type": "dinov3_vit", "hidden_act": "gelu", "hidden_size": size.hidden, "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads, "rope_theta": 100.0, "layer_norm_eps": 1e-5, "image_size": 224,
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    (folder, path)
}

fn settings(weights: &Path, batch: usize, threads: usize) -> DistanceSettings {
    DistanceSettings { weights: Some(weights.to_owned()), batch, threads, ..DistanceSettings::default() }
}

fn open(weights: &Path, batch: usize, threads: usize) -> Dinov3 {
    Dinov3::open(&settings(weights, batch, threads)).unwrap()
}

fn picture(seed: usize) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 60, 40);
    encoder.set_color(png::ColorType::Rgb);
    let data: Vec<u8> = (0..60 * 40 * 3_usize).map(|i| ((i * (seed * 7 + 3) / 11) % 256).to_le_bytes()[0]).collect();
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    png
}

fn of(png: &[u8]) -> Picture<'_> {
    Picture { url: "http://x/picture.png", png }
}

/// The largest difference.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn equal_pictures_are_at_0_whatever_the_batch_and_a_broken_one_spoils_its_own_pairs() {
    let (_folder, path) = weights(TINY, &specs(TINY), str::to_owned);
    let pictures: Vec<Vec<u8>> = (0..7).map(picture).collect();
    let all: Vec<Picture<'_>> = pictures.iter().map(|png| of(png)).collect();
    let single = open(&path, 1, 1).embed(&all);
    for (batch, threads) in [(4, 2), (7, 1), (2, 3)] {
        for (one, other) in single.iter().zip(open(&path, batch, threads).embed(&all)) {
            let far = apart(one.as_ref().unwrap(), &other.unwrap());
            assert!(far < 1e-5, "{batch} together on {threads} threads: {far}");
        }
    }
    let model = open(&path, 4, 2);
    let measured = model.measure(&[(all[0], all[0]), (all[0], all[3]), (of(b"<html>"), all[0]), (all[3], all[0])]);
    assert_eq!(measured[0], Ok(0.0));
    assert!(*measured[1].as_ref().unwrap() > 1e-3 && measured[1] == measured[3], "{measured:?}");
    assert!(
        measured[2].as_ref().unwrap_err().0.starts_with("http://x/picture.png: not a readable PNG"),
        "{measured:?}"
    );
    assert_eq!((model.measure(&[]), model.name()), (vec![], "dinov3"));
}

#[test]
fn what_is_wrong_with_weights_is_named() {
    let all = specs(TINY);
    let refused = |specs: &[Spec], rename: fn(&str) -> String| {
        let (_folder, path) = weights(TINY, specs, rename);
        Model::load(&path, None).unwrap_err().to_string()
    };
    let mut without = all.clone();
    without.retain(|spec| spec.0 != "layer.1.attention.v_proj.bias");
    assert!(refused(&without, str::to_owned).ends_with("tensor layer.1.attention.v_proj.bias is missing"));
    let mut bent = all.clone();
    bent.iter_mut().find(|spec| spec.0 == "norm.weight").unwrap().1 = vec![47];
    assert!(refused(&bent, str::to_owned).contains("tensor norm.weight is Float of shape [47], not Float of [48]"));
    let mut more = all.clone();
    more.push(("layer.0.attention.k_proj.bias".into(), vec![48], 0.0, 1.0));
    assert!(refused(&more, str::to_owned).contains("tensor layer.0.attention.k_proj.bias is not part of any known"));
    let (folder, path) = weights(TINY, &all, |name| format!("model.{name}"));
    Model::load(&path, None).unwrap();
    let other = Model::load(&path, Some(&"0".repeat(64))).unwrap_err().to_string();
    assert!(other.contains("its SHA-256 is"), "{other}");
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    let heads = Model::load(&path, None).unwrap_err();
    assert!(heads.to_string().contains("heads") && heads.hints()[0].contains("config.json"), "{heads}");
    std::fs::write(&path, b"PK").unwrap();
    assert!(Model::load(&path, None).unwrap_err().to_string().contains("not a safetensors file"));
    let nowhere = DistanceSettings { device: "cuda:99".into(), ..settings(&path, 1, 1) };
    assert!(Dinov3::open(&nowhere).unwrap_err().to_string().contains("cuda:99 does not exist"));
}

/// The folder of the reference's outputs, where it is.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("GEN404_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = folder.join("dinov3");
    if found.join("vectors.json").exists() {
        return Some(found);
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {test}: {} is not there (GEN404_SHARED=DIR names its folder)\n", found.display());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Weights of this size, which are the very file that the reference read.
fn reference_weights(size: Size, sha256: &str) -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = weights(size, &specs(size), str::to_owned);
    assert_eq!(hex::encode(Sha256::digest(std::fs::read(&path).unwrap())), sha256, "the weights of the reference");
    (folder, path)
}

/// Compares the embeddings of all pictures with what `wanted` has of each, and the distances.
fn compare(folder: &Path, vectors: &Value, weights: &Path, tolerance: f32, wanted: impl Fn(usize, &str) -> Vec<f32>) {
    let names: Vec<String> = serde_json::from_value(vectors["order"].clone()).unwrap();
    let files: Vec<Vec<u8>> =
        names.iter().map(|name| std::fs::read(folder.join("images").join(name)).unwrap()).collect();
    let pictures: Vec<Picture<'_>> = files.iter().map(|png| of(png)).collect();
    let engine = open(weights, 5, 2);
    for (at, embedded) in engine.embed(&pictures).into_iter().enumerate() {
        let wanted = wanted(at, &names[at]);
        let far = apart(&wanted, &embedded.unwrap()[..wanted.len()]);
        assert!(far <= tolerance && wanted.len() >= 8, "{}: pooler_output is off by {far}", names[at]);
    }
    let pairs: Vec<_> = pictures.iter().flat_map(|a| pictures.iter().map(move |b| (*a, *b))).collect();
    let wanted: Vec<Vec<f64>> = serde_json::from_value(vectors["cosine_distance"].clone()).unwrap();
    let measured = engine.measure(&pairs);
    assert_eq!(measured.len(), wanted.concat().len());
    for (measured, wanted) in measured.iter().zip(wanted.concat()) {
        let far = (measured.as_ref().unwrap() - wanted).abs();
        assert!(far <= 1e-5, "a distance is off by {far}");
    }
}

/// The corners and the means of prepared pixels.
fn compare_pixels(name: &str, wanted: &Value, pixels: &Tensor) {
    let line = |channel: i64, row: i64, from: i64| {
        Vec::<f32>::try_from(pixels.select(0, 0).select(0, channel).select(0, row).narrow(0, from, 8)).unwrap()
    };
    for (channel, at) in (0..3).zip(0..) {
        for (key, row, from) in [("row0_first8", 0, 0), ("row223_last8", 223, 216)] {
            let far = apart(&floats(&wanted[key][at]), &line(channel, row, from));
            assert!(far <= 1e-5, "{name}: {key} is off by {far}");
        }
    }
    let flat = Vec::<f32>::try_from(pixels.flatten(0, -1)).unwrap();
    let mean = flat.iter().map(|value| f64::from(*value)).sum::<f64>() / flat.len() as f64;
    let far = (mean - wanted["mean"].as_f64().unwrap()).abs();
    assert!(far <= 1e-5, "{name}: the mean is off by {far}");
}

#[test]
fn every_vector_of_the_tiny_model_is_met() {
    let Some(folder) = shared() else { return };
    let vectors = read_json(&folder.join("vectors.json"));
    let (_kept, path) = reference_weights(TINY, vectors["weights"]["sha256"].as_str().unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(folder.join("tiny/model.safetensors")).unwrap());
    let images = vectors["images"].as_array().unwrap();
    compare(&folder, &vectors, &path, 1e-5, |at, name| {
        assert!(images[at]["file"].as_str().unwrap().ends_with(name));
        floats(&images[at]["pooler_output"])
    });
}

#[test]
fn pictures_are_decoded_and_prepared_as_by_the_reference() {
    let Some(folder) = shared() else { return };
    let vectors = read_json(&folder.join("vectors.json"));
    let model = Model::load(&folder.join("tiny/model.safetensors"), None).unwrap();
    for image in vectors["images"].as_array().unwrap() {
        let name = image["file"].as_str().unwrap();
        let rgb = decode(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let sum = hex::encode(Sha256::digest(&rgb.bytes));
        assert_eq!(sum, image["rgb_sha256"].as_str().unwrap(), "{name}: pixels");
        let pixels = model.pixels(&rgb).unwrap();
        assert_eq!(pixels.size(), [1, 3, 224, 224]);
        compare_pixels(name, &image["pixel_values"], &pixels);
    }
}

#[test]
fn every_step_of_the_tiny_model_is_met() {
    let Some(folder) = shared() else { return };
    let steps = Tensor::read_safetensors(folder.join("intermediates.safetensors")).unwrap();
    let model = Model::load(&folder.join("tiny/model.safetensors"), None).unwrap();
    let near = |name: &str, found: &Tensor, tolerance: f64| {
        let wanted = &steps.iter().find(|step| step.0 == name).unwrap().1;
        let found = found.reshape(wanted.size());
        let far = (&found - wanted).abs().max().double_value(&[]);
        assert!(far <= tolerance && found.kind() == Kind::Float, "{name} is off by {far}");
    };
    let png = std::fs::read(folder.join("images/2_nonsquare_640x233.png")).unwrap();
    let pixels = model.pixels(&decode(&png).unwrap()).unwrap();
    near("pixel_values", &pixels, 1e-5);
    let [cos, sin] = model.rotations();
    near("rope_cos", cos, 2e-6);
    near("rope_sin", sin, 2e-6);
    let patches = model.patches(&pixels).unwrap();
    near("patch_embedding", &patches, 2e-3);
    let tokens = model.tokens(&patches).unwrap();
    near("embeddings", &tokens, 2e-3);
    let after = model.layers(&tokens).unwrap();
    near("layer0", &after[0], 2e-3);
    near("layer1", &after[1], 2e-3);
    near("last_hidden_state", &model.last(&after[1]).unwrap(), 1e-4);
}

#[test]
fn every_vector_of_the_full_size_is_met() {
    let Some(folder) = shared() else { return };
    let vectors = read_json(&folder.join("vectors_full.json"));
    let (_kept, path) = reference_weights(FULL, vectors["weights_sha256"].as_str().unwrap());
    compare(&folder, &vectors, &path, 2e-4, |_, name| {
        let whole = &vectors["pooler_output"][name];
        floats(if whole.is_null() { &vectors["pooler_first8"][name] } else { whole })
    });
}
