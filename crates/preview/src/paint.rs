//! Where the texels of a tile's fragments come from.
//!
//! As a rule, from textures that are all in memory. Where these are too large, the triangles are drawn a
//! first time to learn which places of the textures are seen ([`Look`]); then one picture after the other is
//! decoded and read there ([`Places::read`]); and when they are drawn again, each fragment finds its texels
//! in the order in which it was looked at ([`Replay`]). Both ways give the same bytes.

use super::batch::{Fragment, LANES, Planes};
use super::material::TextureSlots;
use super::shade::Shader;
use super::texture::{Channels, Loose, Texture};

/// Makes colours of fragments.
pub(crate) trait Paint {
    /// The 8-bit colours and alphas of up to [`LANES`] fragments.
    fn paint(&mut self, shader: &Shader<'_>, planes: &[Planes], fragments: &[Fragment]) -> [[u8; 4]; LANES];
}

/// From textures in memory.
pub(crate) struct Live<'a>(pub(crate) &'a TextureSlots<Texture>);

impl Paint for Live<'_> {
    #[inline]
    fn paint(&mut self, shader: &Shader<'_>, planes: &[Planes], fragments: &[Fragment]) -> [[u8; 4]; LANES] {
        shader.shade(planes, fragments, |uv| self.0.map(|texture, _| texture.sample(uv)))
    }
}

/// No colours: only the places in the textures.
#[derive(Default)]
pub(crate) struct Look(Vec<[f32; 2]>);

impl Look {
    /// The places of all fragments that were looked at.
    pub(crate) fn places(self) -> Places {
        let mut uvs = self.0;
        uvs.shrink_to_fit();
        Places { uvs, texels: TextureSlots::default() }
    }
}

impl Paint for Look {
    fn paint(&mut self, shader: &Shader<'_>, planes: &[Planes], fragments: &[Fragment]) -> [[u8; 4]; LANES] {
        let uvs = shader.uvs(planes, fragments);
        self.0.extend(uvs.iter().take(fragments.len()));
        [[0; 4]; LANES]
    }
}

/// The fragments of a tile: where in the textures each lies, and what was read there so far.
#[derive(Default)]
pub(crate) struct Places {
    uvs: Vec<[f32; 2]>,
    texels: TextureSlots<Vec<u8>>,
}

impl Places {
    /// Bytes for each fragment, with all textures read.
    pub(crate) fn bytes_each(images: &TextureSlots<usize>) -> u64 {
        let mut bytes = size_of::<[f32; 2]>() as u64;
        images.map(|_, channels| bytes += channels.count() as u64);
        bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.uvs.len()
    }

    /// Reads a picture at all places, for each slot that it is in.
    pub(crate) fn read(&mut self, slots: &TextureSlots<Loose<'_>>) {
        let read = slots.map(|texture, channels| {
            let mut texels = Vec::with_capacity(self.uvs.len() * channels.count());
            for batch in self.uvs.chunks(LANES) {
                let at = |l: usize, axis: usize| batch.get(l).map_or(0.0, |uv| uv[axis]);
                let uv = std::array::from_fn(|axis| std::array::from_fn(|l| at(l, axis)));
                for texel in texture.sample(&uv).iter().take(batch.len()) {
                    texels.extend(texel.iter().take(channels.count()));
                }
            }
            texels
        });
        self.texels = std::mem::take(&mut self.texels).or(read);
    }

    /// Nothing more is to be read.
    pub(crate) fn close(&mut self) {
        self.uvs = Vec::new();
    }
}

/// From what was read before.
pub(crate) struct Replay<'a> {
    texels: &'a TextureSlots<Vec<u8>>,
    next: usize,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(places: &'a Places) -> Self {
        Self { texels: &places.texels, next: 0 }
    }
}

impl Paint for Replay<'_> {
    fn paint(&mut self, shader: &Shader<'_>, planes: &[Planes], fragments: &[Fragment]) -> [[u8; 4]; LANES] {
        let first = self.next;
        self.next += fragments.len();
        shader.shade(planes, fragments, |_| {
            self.texels.map(|texels, channels| std::array::from_fn(|l| texel(texels, channels, first + l)))
        })
    }
}

/// The texel of a fragment; opaque where the texture has no alpha.
fn texel(texels: &[u8], channels: Channels, fragment: usize) -> [u8; 4] {
    let count = channels.count();
    let mut texel = [0, 0, 0, 255];
    for (channel, byte) in texel.iter_mut().zip(texels.get(fragment * count..).unwrap_or_default()).take(count) {
        *channel = *byte;
    }
    texel
}
