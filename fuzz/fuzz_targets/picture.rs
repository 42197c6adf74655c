//! Any bytes as the texture of a small sound model: the way into the picture decoders.
//!
//! `scripts/fuzz` runs it.

#![no_main]

use std::num::NonZeroUsize;

use gen404_preview::{Options, render};
use libfuzzer_sys::fuzz_target;

/// A triangle, its texture coordinates, and one image for every texture slot.
fn model(picture: &[u8]) -> Vec<u8> {
    let corners: [f32; 15] = [-0.5, -0.5, 0.2, 0.5, -0.5, 0.2, 0.0, 0.5, 0.2, 0.0, 0.0, 1.0, 0.0, 0.5, 1.0];
    let mut binary: Vec<u8> = corners.iter().flat_map(|v| v.to_le_bytes()).collect();
    binary.extend(picture);
    let json = format!(
        r#"{{"buffers":[{{}}],"bufferViews":[{{"buffer":0,"byteLength":60}},{{"buffer":0,"byteOffset":60,"byteLength":{}}}],
        "accessors":[{{"bufferView":0,"count":3,"componentType":5126,"type":"VEC3"}},
        {{"bufferView":0,"byteOffset":36,"count":3,"componentType":5126,"type":"VEC2"}}],
        "images":[{{"bufferView":1}}],"textures":[{{"source":0}}],"materials":[{{"emissiveTexture":{{"index":0}},"normalTexture":{{"index":0}},
        "pbrMetallicRoughness":{{"baseColorTexture":{{"index":0}},"metallicRoughnessTexture":{{"index":0}}}}}}],
        "meshes":[{{"primitives":[{{"attributes":{{"POSITION":0,"TEXCOORD_0":1}},"material":0}}]}}]}}"#,
        picture.len()
    );
    let mut out = b"glTF\x02\0\0\0\xff\xff\xff\xff".to_vec();
    out.extend((json.len() as u32).to_le_bytes());
    out.extend(b"JSON");
    out.extend(json.as_bytes());
    out.extend((binary.len() as u32).to_le_bytes());
    out.extend(b"BIN\0");
    out.extend(binary);
    out
}

fuzz_target!(|bytes: &[u8]| {
    let options = Options { size: 16, threads: NonZeroUsize::MIN };
    let _ = render(&model(bytes), &options);
});
