//! GLB files of any size, from patterns.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::harness::{Outcome, World};
use super::pattern::Pattern;

/// A GLB file of these two chunks.
pub fn glb(json: Pattern, bin: Pattern) -> Pattern {
    let (json, bin) = (json.padded(b' '), bin.padded(0));
    let chunk = |name: &str, body: &Pattern| [&u32_of(body.len()), name.as_bytes()].concat();
    let mut total = 12 + 8 + json.len();
    let mut tail = Pattern::default();
    if bin.len() > 0 {
        total += 8 + bin.len();
        tail = Pattern::of(chunk("BIN\0", &bin)).join(bin);
    }
    let head = [b"glTF".as_slice(), &u32_of(2), &u32_of(total)].concat();
    Pattern::of(head).then(chunk("JSON", &json)).join(json).join(tail)
}

fn u32_of(number: u64) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

/// A mesh of triangles that is sound in form.
#[derive(Clone)]
pub struct Mesh {
    positions: Pattern,
    vertices: u64,
    indices: Pattern,
    count: u64,
    component: u32,
    images: Vec<Pattern>,
    material: String,
    extra: Pattern,
}

impl Mesh {
    /// Triangles over these corners, as `list` says and `times` over.
    pub fn of(corners: &[[f32; 3]], list: &[[u8; 3]], times: u64) -> Mesh {
        let indices = Pattern::default().times(list.concat(), times);
        Mesh {
            positions: Pattern::of(
                corners.as_flattened().iter().copied().flat_map(f32::to_le_bytes).collect::<Vec<u8>>(),
            ),
            vertices: corners.len() as u64,
            count: indices.len(),
            indices,
            component: 5121,
            images: Vec::new(),
            material: String::new(),
            extra: Pattern::default(),
        }
    }

    /// Triangles of their own corners, three each.
    pub fn soup(corners: &[[f32; 3]]) -> Mesh {
        let mut mesh = Mesh::of(corners, &[], 0);
        let numbers: Vec<u8> = (0..u32::try_from(corners.len()).unwrap()).flat_map(u32::to_le_bytes).collect();
        (mesh.indices, mesh.count, mesh.component) = (Pattern::of(numbers), mesh.vertices, 5125);
        mesh
    }

    /// The same, one behind the other: the index list is repeated.
    pub fn over(mut self, times: u64) -> Mesh {
        self.indices = Pattern::default().times(self.indices.bytes(), times);
        self.count *= times;
        self
    }

    /// What can be seen through, so that every layer is shaded.
    pub fn glass(mut self) -> Mesh {
        self.material =
            r#"{"alphaMode":"BLEND","pbrMetallicRoughness":{"baseColorFactor":[0.2,0.5,0.9,0.3]}}"#.to_owned();
        self
    }

    /// With a picture in each of the five places; fewer pictures take turns.
    pub fn textured(mut self, images: Vec<Pattern>) -> Mesh {
        let of = |slot: usize| format!(r#"{{"index":{}}}"#, slot % images.len());
        self.material = format!(
            r#"{{"pbrMetallicRoughness":{{"baseColorTexture":{},"metallicRoughnessTexture":{}}},"normalTexture":{},"occlusionTexture":{},"emissiveTexture":{},"emissiveFactor":[1,1,1]}}"#,
            of(0),
            of(1),
            of(2),
            of(3),
            of(4)
        );
        self.images = images;
        self
    }

    /// With one picture in one place: its colour.
    pub fn painted(mut self, image: Pattern) -> Mesh {
        self.material = r#"{"pbrMetallicRoughness":{"baseColorTexture":{"index":0}}}"#.to_owned();
        self.images = vec![image];
        self
    }

    /// More members of the JSON document, each beginning with a comma.
    pub fn with(mut self, members: Pattern) -> Mesh {
        self.extra = members;
        self
    }

    /// The file.
    pub fn glb(self) -> Pattern {
        let mut bin = Pattern::default();
        let mut views = Vec::new();
        let mut view = |part: Pattern| {
            views.push(format!(r#"{{"buffer":0,"byteOffset":{},"byteLength":{}}}"#, bin.len(), part.len()));
            bin = std::mem::take(&mut bin).join(part).padded(0);
        };
        view(self.positions.clone());
        view(self.indices);
        let mut accessors = format!(
            r#"{{"bufferView":0,"componentType":5126,"type":"VEC3","count":{},"min":[-0.6,-0.6,-0.6],"max":[0.6,0.6,0.6]}},{{"bufferView":1,"componentType":{},"type":"SCALAR","count":{}}}"#,
            self.vertices, self.component, self.count
        );
        let mut attributes = r#""POSITION":0"#.to_owned();
        let (mut material, mut pictures) = (String::new(), String::new());
        if !self.images.is_empty() {
            attributes.push_str(r#","TEXCOORD_0":2"#);
            let count = self.vertices;
            write!(accessors, r#",{{"bufferView":2,"componentType":5126,"type":"VEC2","count":{count}}}"#).unwrap();
            view(uvs(self.vertices));
            let images: Vec<String> = (0..self.images.len())
                .map(|n| format!(r#"{{"mimeType":"image/png","bufferView":{}}}"#, n + 3))
                .collect();
            let textures: Vec<String> = (0..images.len()).map(|n| format!(r#"{{"source":{n}}}"#)).collect();
            pictures = format!(r#","images":[{}],"textures":[{}]"#, images.join(","), textures.join(","));
            self.images.into_iter().for_each(&mut view);
        }
        if !self.material.is_empty() {
            material = r#","material":0"#.to_owned();
            write!(pictures, r#","materials":[{}]"#, self.material).unwrap();
        }
        let json = format!(
            r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"mesh":0}}],"meshes":[{{"primitives":[{{"attributes":{{{attributes}}},"indices":1{material}}}]}}],"accessors":[{accessors}],"bufferViews":[{}],"buffers":[{{"byteLength":{}}}]{pictures}"#,
            views.join(","),
            bin.len()
        );
        glb(Pattern::of(json).join(self.extra).then("}"), bin)
    }
}

/// Each triangle shows half of the picture.
fn uvs(vertices: u64) -> Pattern {
    let corners: Vec<u8> = [0.0f32, 0.0, 1.0, 0.0, 0.0, 1.0].into_iter().flat_map(f32::to_le_bytes).collect();
    Pattern::default().times(&corners, vertices / 3).times(&corners[..8], vertices % 3)
}

/// Corners of a triangle that fills most of a view.
pub const FULL: [[f32; 3]; 3] = [[-0.59, -0.59, 0.2], [0.59, -0.59, -0.2], [0.0, 0.59, 0.0]];

/// Both faces of the triangle of the first three corners.
pub const BOTH: [[u8; 3]; 2] = [[0, 1, 2], [0, 2, 1]];

/// `count` copies of a triangle that fills the view.
pub fn copies(count: u64) -> Mesh {
    Mesh::of(&FULL, &BOTH, count / 2)
}

/// Writes a model below the world's folder for models.
pub fn model(world: &World, file: &Pattern) -> PathBuf {
    let path = world.top().join("models/model.glb");
    file.write(&path);
    path
}

/// `render` of a model: drawn, or refused with its name and a code.
#[track_caller]
pub fn render(what: &str, file: &Pattern) -> Outcome {
    render_with(what, file, &[])
}

#[track_caller]
pub fn render_with(what: &str, file: &Pattern, flags: &[&str]) -> Outcome {
    let world = World::bare();
    let path = model(&world, file);
    let out = world.top().join("out/model.png");
    let args = [&["render", path.to_str().unwrap(), "--out", out.to_str().unwrap()], flags].concat();
    told(world.run(what, &args), &out)
}

/// A verdict on `model.glb`: a picture, or the name and a code.
#[track_caller]
fn told(outcome: Outcome, out: &Path) -> Outcome {
    let drawn = outcome.code() == Some(0);
    let outcome = outcome.ends(&[0, 1]).is(drawn == out.exists(), "a picture where there should be none, or none");
    if outcome.code() == Some(0) { outcome } else { refused(outcome) }
}

/// Refused: the file is named, and a code `group.name` in brackets.
#[track_caller]
pub fn refused(outcome: Outcome) -> Outcome {
    let outcome = outcome.ends(&[1]).says(&["model.glb"]);
    let code = outcome.err.trim_end().rsplit('(').next().unwrap_or_default().trim_end_matches(')');
    let good = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let sound = code.split_once('.').is_some_and(|(a, b)| good(a) && good(b));
    outcome.is(sound, "refused without a code")
}
