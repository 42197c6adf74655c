//! Models that are small to send and dear to draw, and the dearest that somebody may mean in earnest.

use serde_json::json;

use crate::models::Builder;

/// A model of these triangles and nothing else.
pub fn plain(positions: &[[f32; 3]], triangles: &[[u32; 3]]) -> Vec<u8> {
    Builder::new().floats("POSITION", positions).indices(triangles).glb()
}

/// `n` times the same two triangles, which fill most of two views; `alpha` is that of all.
pub fn copies(n: usize, alpha: f32) -> Vec<u8> {
    let corners = [[-0.55, -0.55, 0.55], [0.55, -0.55, 0.55], [0.55, 0.55, 0.55], [-0.55, 0.55, 0.55]];
    let mut b = Builder::new();
    b.floats("POSITION", &corners).short_indices((0..n).map(|i| if i % 2 == 0 { [0, 1, 2] } else { [0, 2, 3] }));
    b.material(json!({"pbrMetallicRoughness": {"baseColorFactor": [1.0, 0.5, 0.2, alpha]}}));
    b.glb()
}

/// `n` sheets that fill most of two views, each nearer than the one before; `slots` textures of one picture.
pub fn layers(n: u32, alpha: f32, slots: usize, picture: &[u8]) -> Vec<u8> {
    let corners = |i: u32| {
        let z = 0.1 + 0.45 * i as f32 / n as f32;
        [[-0.55, -0.55, z], [0.55, -0.55, z], [0.55, 0.55, z], [-0.55, 0.55, z]]
    };
    let positions: Vec<[f32; 3]> = (0..n).flat_map(corners).collect();
    let uvs: Vec<[f32; 2]> = (0..n).flat_map(|_| [[0.0, 0.0], [7.0, 0.0], [7.0, 7.0], [0.0, 7.0]]).collect();
    let mut b = Builder::new();
    b.floats("POSITION", &positions).floats("TEXCOORD_0", &uvs);
    b.indices(&(0..n).flat_map(|i| [[0, 1, 2], [0, 2, 3]].map(|t| t.map(|v: u32| 4 * i + v))).collect::<Vec<_>>());
    let texture = (slots > 0).then(|| b.texture(picture));
    let info = |slot: usize| if slot < slots { json!({"index": texture}) } else { json!(null) };
    b.material(json!({
        "pbrMetallicRoughness": {
            "baseColorFactor": [1.0, 0.5, 0.2, alpha],
            "baseColorTexture": info(0), "metallicRoughnessTexture": info(1),
        },
        "normalTexture": info(2), "emissiveTexture": info(3), "emissiveFactor": [0.1, 0.2, 0.3],
        "occlusionTexture": info(4),
    }));
    b.glb()
}

/// `n` thin triangles from corner to corner: large boxes with next to nothing in them.
pub fn needles(n: u32) -> Vec<u8> {
    let corner = |i: u32| {
        let shift = (i / 3) as f32 / n as f32 * 0.01;
        match i % 3 {
            0 => [-0.55 + shift, -0.55, 0.5],
            1 => [-0.549 + shift, -0.55, 0.5],
            _ => [0.54 + shift, 0.55, 0.5],
        }
    };
    let positions: Vec<[f32; 3]> = (0..3 * n).map(corner).collect();
    plain(&positions, &(0..n).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect::<Vec<_>>())
}

/// `n` triangles that all lie in one pixel, or none: each of a size of its own, up to `edge`.
pub fn dot(n: usize, edge: f32) -> Vec<u8> {
    let corner = |i: u32| {
        let size = edge * (i / 3 + 1) as f32 / 1000.0;
        [[0.0, 0.0, 0.3], [size, 0.0, 0.3], [0.0, size, 0.3]][i as usize % 3]
    };
    let positions: Vec<[f32; 3]> = (0..3000).map(corner).collect();
    let mut b = Builder::new();
    b.floats("POSITION", &positions).short_indices((0..n).map(|i| [0, 1, 2].map(|k| (i % 1000 * 3 + k) as u16)));
    b.glb()
}

/// A wavy sheet of two triangles for each of `cells` times `cells` cells, with textures as they come.
pub fn sheet(cells: u32, pictures: &[Vec<u8>]) -> Vec<u8> {
    let across = cells + 1;
    let at = |i: u32| (i % across, i / across);
    let unit = |v: u32| v as f32 / cells as f32;
    let positions: Vec<[f32; 3]> = (0..across * across)
        .map(|i| {
            let (u, v) = (unit(at(i).0), unit(at(i).1));
            [u - 0.5, v - 0.5, 0.4 * (0.5 - u * u) + ((u * 40.0) as u32 % 2) as f32 * 0.01]
        })
        .collect();
    let uvs: Vec<[f32; 2]> = (0..across * across).map(|i| [unit(at(i).0), unit(at(i).1)]).collect();
    let cell = |i: u32| {
        let a = i / cells * across + i % cells;
        [[a, a + 1, a + across + 1], [a, a + across + 1, a + across]]
    };
    let triangles: Vec<[u32; 3]> = (0..cells * cells).flat_map(cell).collect();
    let mut b = Builder::new();
    b.floats("POSITION", &positions).floats("NORMAL", &vec![[0.0, 0.0, 1.0]; positions.len()]);
    b.floats("TEXCOORD_0", &uvs).indices(&triangles);
    let textures: Vec<usize> = pictures.iter().map(|picture| b.texture(picture)).collect();
    let info = |slot: usize| textures.get(slot).map_or(json!(null), |texture| json!({"index": texture}));
    b.material(json!({
        "pbrMetallicRoughness": {"baseColorTexture": info(0), "metallicRoughnessTexture": info(1)},
        "normalTexture": info(2), "emissiveTexture": info(3), "emissiveFactor": [0.1, 0.2, 0.3],
        "occlusionTexture": info(4),
    }));
    b.glb()
}

/// `n` small triangles without indices, and without anything but positions.
pub fn soup(n: u32) -> Vec<u8> {
    let across = (f64::from(n).sqrt() as u32).max(1);
    let corner = |i: u32| {
        let (x, y) = ((i / 3 % across) as f32 / across as f32, (i / 3 / across) as f32 / across as f32);
        let step = 1.0 / across as f32;
        let [dx, dy] = [[0.0, 0.0], [step, 0.0], [0.0, step]][i as usize % 3];
        [x - 0.5 + dx, (y - 0.5 + dy).min(0.59), 0.4]
    };
    let positions: Vec<[f32; 3]> = (0..3 * n).map(corner).collect();
    Builder::new().floats("POSITION", &positions).glb()
}

/// A small model whose JSON has `text` under `key`.
pub fn json_with(key: &str, text: &str) -> Vec<u8> {
    let glb = plain(&[[0.0; 3], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0]], &[[0, 1, 2]]);
    let length = u32::from_le_bytes(glb[12..16].try_into().unwrap()) as usize;
    let (json, rest) = (std::str::from_utf8(&glb[20..20 + length]).unwrap(), &glb[20 + length..]);
    let json = json.trim_end().strip_suffix('}').unwrap();
    let json = format!("{json},\"{key}\":{text}}}");
    let mut out = glb[..8].to_vec();
    out.extend((20 + json.len() as u32 + rest.len() as u32).to_le_bytes());
    out.extend((json.len() as u32).to_le_bytes());
    out.extend(b"JSON");
    out.extend(json.as_bytes());
    out.extend(rest);
    out
}

/// A list of `n` times the same text.
pub fn list(n: usize, item: &str) -> String {
    format!("[{item}{}]", format!(",{item}").repeat(n.saturating_sub(1)))
}

/// A small model with 26 million empty chunks behind its own.
pub fn chunks() -> Vec<u8> {
    let mut glb = json_with("extras", "0");
    glb.extend(b"\0\0\0\0BIN\0".repeat(26_000_000));
    glb[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    glb
}

/// A thousand nodes that all lead to one with a hundred thousand children.
pub fn nodes() -> Vec<u8> {
    let (parents, children) = (1_000, 100_000);
    let children: Vec<usize> = (parents + 1..=parents + children).collect();
    let mut nodes = vec![json!({"children": [parents]}); parents];
    nodes.push(json!({"children": children}));
    nodes.extend(vec![json!({}); children.len()]);
    let roots: Vec<usize> = (0..parents).collect();
    let scenes = json!([{"nodes": roots}]);
    json_with("nodes", &format!("{},\"scenes\":{scenes}", json!(nodes)))
}

/// What JSON bombs are made of: the key, and a list of so many of this.
pub const JSON: [(&str, usize, &str); 9] = [
    ("extras", 60_000_000, "0"),
    ("extras", 40_000_000, "[]"),
    ("extras", 20_000_000, "{\"\":0}"),
    ("extras", 4_000_000, "1e308,-2.2250738585072011e-308"),
    ("accessors2", 1_500_000, "{\"componentType\":5126,\"type\":\"SCALAR\",\"count\":0}"),
    ("materials", 60_000_000, "{}"),
    ("nodes", 60_000_000, "{}"),
    ("images", 60_000_000, "{}"),
    ("extensionsUsed", 20_000_000, "\"\""),
];

/// A flat PNG of this size and depth.
pub fn png(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let line = vec![200; (width as usize * color.samples() * depth as usize).div_ceil(8)];
    for _ in 0..height {
        std::io::Write::write_all(&mut stream, &line).unwrap();
    }
    stream.finish().unwrap();
    drop(writer);
    out
}

/// A PNG of one pixel, and megabytes of zeros packed behind it.
pub fn png_tail(mib: usize) -> Vec<u8> {
    let mut packed = flate(mib);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &std::mem::take(&mut packed)).unwrap();
    drop(writer);
    out
}

/// So many MiB of zeros as a zlib stream.
fn flate(mib: usize) -> Vec<u8> {
    let picture = png(1 << 20, mib as u32, png::ColorType::Grayscale, png::BitDepth::Eight);
    let (mut at, mut out) = (8, Vec::new());
    while let (Some(length), Some(kind)) = (picture.get(at..at + 4), picture.get(at + 4..at + 8)) {
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if kind == b"IDAT" {
            out.extend(&picture[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    out
}
