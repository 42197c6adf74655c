//! Small models made here, so that the tests need nothing from outside.

use serde_json::{Value, json};

/// A GLB under construction.
pub struct Builder {
    pub document: Value,
    pub binary: Vec<u8>,
}

impl Builder {
    /// One mesh with one primitive and no attributes yet.
    pub fn new() -> Self {
        let document = json!({
            "asset": {"version": "2.0"}, "buffers": [{}], "bufferViews": [], "accessors": [],
            "meshes": [{"primitives": [{"attributes": {}}]}],
        });
        Self { document, binary: Vec::new() }
    }

    pub fn primitive(&mut self) -> &mut Value {
        &mut self.document["meshes"][0]["primitives"][0]
    }

    /// Adds bytes as a buffer view.
    pub fn view(&mut self, bytes: &[u8]) -> usize {
        self.binary.resize(self.binary.len().next_multiple_of(4), 0);
        let view = json!({"buffer": 0, "byteOffset": self.binary.len(), "byteLength": bytes.len()});
        self.binary.extend(bytes);
        push(&mut self.document["bufferViews"], view)
    }

    fn accessor(&mut self, bytes: &[u8], component: u32, kind: &str, count: usize) -> usize {
        let view = self.view(bytes);
        let accessor = json!({"bufferView": view, "componentType": component, "type": kind, "count": count});
        push(&mut self.document["accessors"], accessor)
    }

    /// Adds 32-bit floats as an attribute.
    pub fn floats<const N: usize>(&mut self, name: &str, values: &[[f32; N]]) -> &mut Self {
        let bytes: Vec<u8> = values.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        let kind = ["SCALAR", "VEC2", "VEC3", "VEC4"][N - 1];
        let accessor = self.accessor(&bytes, 5126, kind, values.len());
        self.primitive()["attributes"][name] = json!(accessor);
        self
    }

    pub fn indices(&mut self, triangles: &[[u32; 3]]) -> &mut Self {
        let bytes: Vec<u8> = triangles.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        let accessor = self.accessor(&bytes, 5125, "SCALAR", triangles.len() * 3);
        self.primitive()["indices"] = json!(accessor);
        self
    }

    /// Indices of 16 bits.
    pub fn short_indices(&mut self, triangles: impl Iterator<Item = [u16; 3]>) -> &mut Self {
        let bytes: Vec<u8> = triangles.flatten().flat_map(u16::to_le_bytes).collect();
        let accessor = self.accessor(&bytes, 5123, "SCALAR", bytes.len() / 2);
        self.primitive()["indices"] = json!(accessor);
        self
    }

    /// Adds a picture as a texture; the result is its index.
    pub fn texture(&mut self, picture: &[u8]) -> usize {
        let view = self.view(picture);
        let image = push(&mut self.document["images"], json!({"bufferView": view}));
        push(&mut self.document["textures"], json!({"source": image}))
    }

    pub fn material(&mut self, material: Value) -> &mut Self {
        let index = push(&mut self.document["materials"], material);
        self.primitive()["material"] = json!(index);
        self
    }

    pub fn glb(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(&self.document).unwrap();
        text.resize(text.len().next_multiple_of(4), b' ');
        let mut out = b"glTF\x02\0\0\0".to_vec();
        out.extend((28 + text.len() as u32 + self.binary.len() as u32).to_le_bytes());
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(b"JSON");
        out.extend(text);
        out.extend((self.binary.len() as u32).to_le_bytes());
        out.extend(b"BIN\0");
        out.extend(&self.binary);
        out
    }
}

fn push(list: &mut Value, item: Value) -> usize {
    if list.is_null() {
        *list = json!([]);
    }
    let list = list.as_array_mut().unwrap();
    list.push(item);
    list.len() - 1
}

/// Positions, texture coordinates, and the triangles between them.
pub type Surface = (Vec<[f32; 3]>, Vec<[f32; 2]>, Vec<[u32; 3]>);

/// A bumpy ball.
pub fn ball(rings: u32) -> Surface {
    let across = 2 * rings;
    let (mut positions, mut uvs, mut triangles) = (Vec::new(), Vec::new(), Vec::new());
    for r in 0..=rings {
        for c in 0..=across {
            let (v, u) = (f64::from(r) / f64::from(rings), f64::from(c) / f64::from(across));
            let (polar, around) = (v * std::f64::consts::PI, u * std::f64::consts::TAU);
            let radius = 0.42 + 0.08 * libm::sin(5.0 * around) * libm::sin(4.0 * polar);
            let ring = radius * libm::sin(polar);
            let p = [ring * libm::cos(around), radius * libm::cos(polar), -ring * libm::sin(around)];
            positions.push(p.map(|x| x as f32));
            uvs.push([u as f32, v as f32]);
            if r < rings && c < across {
                let a = r * (across + 1) + c;
                triangles.extend([[a, a + across + 1, a + 1], [a + 1, a + across + 1, a + across + 2]]);
            }
        }
    }
    (positions, uvs, triangles)
}

/// A PNG of coloured waves; the alpha, if there is one, waves too.
pub fn waves(edge: u32, color: png::ColorType) -> Vec<u8> {
    let channels = color.samples() as u32;
    let value = |i: u32| {
        let (x, y, c) = (i / channels % edge, i / channels / edge, i % channels);
        ((x * (5 + c)) ^ (y * (9 - c))) as u8
    };
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, edge, edge);
    encoder.set_color(color);
    let data: Vec<u8> = (0..edge * edge * channels).map(value).collect();
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    out
}

/// A textured ball with every map.
pub fn full() -> Vec<u8> {
    let (positions, uvs, triangles) = ball(14);
    let mut b = Builder::new();
    b.floats("POSITION", &positions).floats("TEXCOORD_0", &uvs).indices(&triangles);
    let rgb = b.texture(&waves(48, png::ColorType::Rgb));
    let odd = b.texture(&waves(37, png::ColorType::Rgb));
    b.material(json!({
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": rgb}, "metallicRoughnessTexture": {"index": odd}, "metallicFactor": 0.5,
        },
        "normalTexture": {"index": odd}, "occlusionTexture": {"index": rgb},
        "emissiveTexture": {"index": odd}, "emissiveFactor": [0.4, 0.5, 0.6],
    }));
    b.glb()
}

/// A ball that can be seen through in places.
pub fn glassy() -> Vec<u8> {
    let (positions, uvs, triangles) = ball(10);
    let mut b = Builder::new();
    b.floats("POSITION", &positions).floats("TEXCOORD_0", &uvs).indices(&triangles);
    let rgba = b.texture(&waves(32, png::ColorType::Rgba));
    b.material(json!({"pbrMetallicRoughness": {"baseColorTexture": {"index": rgba}, "metallicFactor": 0}}));
    b.glb()
}

/// A ball with vertex colours and nothing else.
pub fn coloured() -> Vec<u8> {
    let (positions, uvs, triangles) = ball(12);
    let colors: Vec<[f32; 4]> = uvs.iter().map(|[u, v]| [*u, *v, 1.0 - u, 1.0]).collect();
    let mut b = Builder::new();
    b.floats("POSITION", &positions).floats("COLOR_0", &colors).indices(&triangles);
    b.glb()
}

/// A JPEG segment.
fn segment(out: &mut Vec<u8>, marker: u8, data: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((data.len() as u16 + 2).to_be_bytes());
    out.extend(data);
}

/// A flat JPEG in colour: one bit a coefficient block, or with `scans`, progressive with so many of them.
pub fn jpeg(width: u16, height: u16, scans: Option<usize>) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xdb, &[&[0][..], &[1; 64]].concat());
    let [h0, h1] = height.to_be_bytes();
    let [w0, w1] = width.to_be_bytes();
    let frame = [8, h0, h1, w0, w1, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    segment(&mut out, if scans.is_some() { 0xc2 } else { 0xc0 }, &frame);
    // One code of one bit: no difference to the block before, and no more coefficients.
    let one = |class: u8, symbol: u8| [&[class, 1][..], &[0; 15], &[symbol]].concat();
    segment(&mut out, 0xc4, &one(0, 0));
    let blocks = usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8);
    if let Some(scans) = scans {
        // Runs of 32,767 blocks without coefficients.
        segment(&mut out, 0xc4, &one(0x10, 0xe0));
        segment(&mut out, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0]);
        out.resize(out.len() + (3 * blocks).div_ceil(8), 0);
        for scan in 1..scans {
            // The first ones have all coefficients.
            let first = if scan < 4 { 1 } else { 1 + (scan % 63) as u8 };
            segment(&mut out, 0xda, &[1, 1 + (scan % 3) as u8, 0, first, 63, 0]);
            // A bit for the code, fourteen for the rest of the run's length.
            let runs = blocks.div_ceil(1 << 14);
            out.resize(out.len() + (15 * runs).div_ceil(8), 0);
        }
    } else {
        segment(&mut out, 0xc4, &one(0x10, 0));
        segment(&mut out, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
        out.resize(out.len() + (6 * blocks).div_ceil(8), 0);
    }
    out.extend([0xff, 0xd9]);
    out
}

/// A JPEG whose Huffman tables are told again and again.
pub fn jpeg_tables(times: usize) -> Vec<u8> {
    let small = jpeg(8, 8, None);
    let mut out = small[..2].to_vec();
    // All lengths of code, so that the decoder's table is filled anew each time.
    let table =
        [&[0_u8][..], &[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]].concat();
    let many = table.repeat(2000);
    for _ in 0..times.div_ceil(2000) {
        segment(&mut out, 0xc4, &many);
    }
    out.extend(&small[2..]);
    out
}
