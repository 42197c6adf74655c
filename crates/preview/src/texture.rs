//! Textures as they are sampled: four 8-bit channels, repeated in both directions, filtered between
//! the four nearest texels, without mipmaps.

use multiversion::multiversion;

use super::batch::{LANES, Lane};
use super::limits::MAX_TEXTURE_EDGE;
use super::picture::{Picture, Pixels};
use super::refusal::{Checked, Refusal, RefusalCode};

/// Which channels of a picture a texture slot takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channels {
    /// Colour and alpha: the base colour.
    Rgba,
    /// Colour: emission and normals.
    Rgb,
    /// The first channel: occlusion.
    Red,
    /// The second and third channel: roughness, metalness.
    GreenBlue,
}

impl Channels {
    /// How many of a texel's bytes are read.
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Rgba => 4,
            Self::Rgb => 3,
            Self::Red => 1,
            Self::GreenBlue => 2,
        }
    }
}

/// A texture ready for sampling. Row 0 is the bottom of the picture, as in GL.
#[derive(Debug, Clone)]
pub(crate) struct Texture {
    width: Axis,
    height: Axis,
    texels: Vec<[u8; 4]>,
    opaque: bool,
}

/// A picture as a texture, sampled as it was decoded: slower than a [`Texture`], and no second copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loose<'a> {
    width: Axis,
    height: Axis,
    picture: &'a Picture,
    channels: Channels,
}

/// One direction of a texture: its length in texels, and what sampling needs of it.
#[derive(Debug, Clone, Copy)]
struct Axis {
    len: i32,
    /// The length in 1/256 texels.
    scale: f32,
    power_of_two: bool,
    /// The first texel where there is no coordinate.
    nowhere: i32,
}

/// The texels of a batch.
pub(crate) type Batch = [[u8; 4]; LANES];

/// Refuses a picture that the reference cannot make a texture of.
pub(crate) fn check(picture: &Picture, channels: Channels, place: &str) -> Checked<()> {
    let fail = |code, message: &'static str| Err(Refusal::new(code, place, message));
    let (width, height) = (picture.width, picture.height);
    if width > MAX_TEXTURE_EDGE || height > MAX_TEXTURE_EDGE {
        return fail(RefusalCode::TextureSize, "an edge longer than 16384 pixels");
    }
    if channels == Channels::Red && (width == 1 || height == 1) {
        return fail(RefusalCode::TextureSize, "an occlusion texture one pixel wide or high");
    }
    match (&picture.pixels, channels) {
        (Pixels::Bits, _) => fail(RefusalCode::TextureMode, "one bit a pixel"),
        (Pixels::Channels(2, _), Channels::Rgb | Channels::Rgba) => {
            fail(RefusalCode::TextureMode, "grey with alpha in place of colour")
        }
        _ => Ok(()),
    }
}

impl Texture {
    /// Picks `channels` out of a picture, the way the reference does for each of its layouts.
    pub(crate) fn build(picture: &Picture, channels: Channels, place: &str) -> Checked<Self> {
        check(picture, channels, place)?;
        let width = picture.width;
        let texels = match (&picture.pixels, channels) {
            (Pixels::Palette(indices, palette), Channels::Rgb | Channels::Rgba) => {
                flipped(indices, 1, width, |p| palette[usize::from(p[0])])
            }
            // Elsewhere the reference takes the palette's indices for values.
            (Pixels::Palette(data, _), _) => flipped(data, 1, width, |p| pick(p, channels)),
            (Pixels::Channels(n, data), _) => flipped(data, *n, width, |p| pick(p, channels)),
            (Pixels::Bits, _) => Vec::new(),
        };
        let opaque = channels != Channels::Rgba || texels.iter().all(|t| t[3] == 255);
        Ok(Self { width: Axis::new(width), height: Axis::new(picture.height), texels, opaque })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        size_of_val(self.texels.as_slice()) as u64
    }

    /// Whether every texel's alpha is 255.
    pub(crate) fn opaque(&self) -> bool {
        self.opaque
    }

    /// The filtered texels at `uv` (1 is one repeat; v grows upwards from the bottom row).
    pub(crate) fn sample(&self, uv: &[Lane; 2]) -> Batch {
        sample(self, uv)
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn sample(texture: &Texture, uv: &[Lane; 2]) -> Batch {
    let Texture { width, height, texels, .. } = texture;
    filter([*width, *height], [0, width.len], uv, |at| texels.get(at).copied().unwrap_or_default())
}

impl<'a> Loose<'a> {
    /// As [`Texture::build`].
    pub(crate) fn new(picture: &'a Picture, channels: Channels, place: &str) -> Checked<Self> {
        check(picture, channels, place)?;
        Ok(Self { width: Axis::new(picture.width), height: Axis::new(picture.height), picture, channels })
    }

    /// As [`Texture::sample`].
    pub(crate) fn sample(&self, uv: &[Lane; 2]) -> Batch {
        let Self { width, height, .. } = *self;
        // The picture's rows come from the top.
        filter([width, height], [(height.len - 1) * width.len, -width.len], uv, |at| {
            match (&self.picture.pixels, self.channels) {
                (Pixels::Palette(indices, palette), Channels::Rgb | Channels::Rgba) => {
                    indices.get(at).map_or([0; 4], |i| palette[usize::from(*i)])
                }
                (Pixels::Palette(data, _), _) => data.get(at..=at).map_or([0; 4], |p| pick(p, self.channels)),
                (Pixels::Channels(n, data), _) => {
                    data.get(at * n..at * n + n).map_or([0; 4], |p| pick(p, self.channels))
                }
                (Pixels::Bits, _) => [0; 4],
            }
        })
    }
}

/// Whether every pixel's alpha is 255, where a base colour texture is made of it.
pub(crate) fn is_opaque(picture: &Picture) -> bool {
    match &picture.pixels {
        Pixels::Channels(4, data) => data.as_chunks::<4>().0.iter().all(|p| p[3] == 255),
        Pixels::Palette(indices, palette) => indices.iter().all(|i| palette[usize::from(*i)][3] == 255),
        _ => true,
    }
}

/// Of each place, the mean of the four texels around it, weighted by nearness; `texel` gives one by its number, that of
/// the first row's first texel and so many more a row.
#[inline(always)]
fn filter(
    [width, height]: [Axis; 2],
    [start, line]: [i32; 2],
    uv: &[Lane; 2],
    texel: impl Fn(usize) -> [u8; 4],
) -> Batch {
    let (x, y) = (width.locate(&uv[0]), height.locate(&uv[1]));
    let mut places = [[0; LANES]; 4];
    let [a, b, c, d] = &mut places;
    for (l, (((a, b), c), d)) in a.iter_mut().zip(b).zip(c).zip(d).enumerate() {
        let (low, high) = (start + y.first[l] * line, start + y.second[l] * line);
        (*a, *b) = ((low + x.first[l]) as u32, (low + x.second[l]) as u32);
        (*c, *d) = ((high + x.first[l]) as u32, (high + x.second[l]) as u32);
    }
    // Otherwise the compiler takes the places apart and computes each on its own.
    let [a, b, c, d] = std::hint::black_box(places);
    let mut filtered = [[0; 4]; LANES];
    for (l, filtered) in filtered.iter_mut().enumerate() {
        let at = |place: u32| spread(texel(place as usize));
        let (x, y) = (u64::from(x.weight[l]), u64::from(y.weight[l]));
        *filtered = gather(lerp(y, lerp(x, at(a[l]), at(b[l])), lerp(x, at(c[l]), at(d[l]))));
    }
    filtered
}

/// The two nearest texels of each place along an axis, and the weight of the second in 1/256.
struct Near {
    first: [i32; LANES],
    second: [i32; LANES],
    weight: [u32; LANES],
}

impl Axis {
    fn new(len: u32) -> Self {
        let len = len.min(MAX_TEXTURE_EDGE);
        Self {
            len: len as i32,
            scale: (len * 256) as f32,
            power_of_two: len.is_power_of_two(),
            nowhere: if len > 0 { NOWHERE.rem_euclid(len as i32) } else { 0 },
        }
    }

    /// The reference renderer's sampler works with 8 bits of fraction; with lengths that are no power of two it drops
    /// the whole repeats first.
    #[inline(always)]
    fn locate(self, coordinates: &Lane) -> Near {
        let mut near = Near { first: [0; LANES], second: [0; LANES], weight: [0; LANES] };
        let mut fixed = [0; LANES];
        if self.power_of_two {
            for ((first, fixed), coordinate) in near.first.iter_mut().zip(&mut fixed).zip(coordinates) {
                *fixed = round(coordinate * self.scale).wrapping_sub(128);
                *first = *fixed >> 8 & (self.len - 1);
            }
        } else {
            for ((first, fixed), coordinate) in near.first.iter_mut().zip(&mut fixed).zip(coordinates) {
                let fraction = coordinate - floor(*coordinate);
                *fixed = round(fraction * self.scale).wrapping_sub(128);
                let whole = *fixed >> 8;
                let inside = if whole < 0 { whole + self.len } else { whole };
                *first = if whole == NOWHERE { self.nowhere } else { inside };
            }
        }
        for (l, fixed) in fixed.iter().enumerate() {
            let second = near.first[l] + 1;
            near.second[l] = if second == self.len { 0 } else { second };
            near.weight[l] = (fixed & 255) as u32;
        }
        near
    }
}

/// The whole texel of a coordinate that is no number.
const NOWHERE: i32 = i32::MIN.wrapping_sub(128) >> 8;
/// Floats from here on do not fit an integer.
const LARGE: f32 = 2_147_483_648.0;

/// Adding this to a number leaves no bits for a fraction, and its integer in the lowest ones.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// As [`project::round`](super::project::round), without branches and checked conversions, which keep the compiler from
/// working on several at once.
#[inline(always)]
fn round(value: f32) -> i32 {
    let whole = (f64::from(value) + MAGIC).to_bits() as u32;
    if value.abs() < LARGE { whole.cast_signed() } else { i32::MIN }
}

#[inline(always)]
fn floor(value: f32) -> f32 {
    let exact = f64::from(value);
    let near = (exact + MAGIC) - MAGIC;
    let low = (if near > exact { near - 1.0 } else { near }) as f32;
    if value.abs() < LARGE { low } else { value }
}

/// The four bytes of a texel in the four 16-bit fields of a word, so that all are filtered at once.
#[inline(always)]
fn spread(texel: [u8; 4]) -> u64 {
    let word = u64::from(u32::from_le_bytes(texel));
    let word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    (word | word << 8) & FIELDS
}

#[inline(always)]
fn gather(word: u64) -> [u8; 4] {
    let word = (word | word >> 8) & 0x0000_ffff_0000_ffff;
    ((word | word >> 16) as u32).to_le_bytes()
}

/// 8-bit interpolation of each field, rounded to nearest. No field overflows: the weights sum to 256.
#[inline(always)]
fn lerp(weight: u64, a: u64, b: u64) -> u64 {
    (a * (256 - weight) + b * weight + 0x0080_0080_0080_0080) >> 8 & FIELDS
}

/// The low byte of each 16-bit field.
const FIELDS: u64 = 0x00ff_00ff_00ff_00ff;

/// The texels of `data` with the last row first.
fn flipped(data: &[u8], channels: usize, width: u32, texel: impl Fn(&[u8]) -> [u8; 4]) -> Vec<[u8; 4]> {
    let line = (width as usize * channels).max(1);
    let mut texels = Vec::with_capacity(data.len() / channels.max(1));
    for row in data.chunks_exact(line).rev() {
        texels.extend(row.chunks_exact(channels.max(1)).map(&texel));
    }
    texels
}

/// One texel of interleaved channels.
fn pick(pixel: &[u8], channels: Channels) -> [u8; 4] {
    match (channels, pixel) {
        (Channels::Red, [r, ..]) => [*r, 0, 0, 255],
        (Channels::GreenBlue, [v]) => [*v, *v, 0, 255],
        (Channels::GreenBlue, [g, b]) | (Channels::GreenBlue, [_, g, b, ..]) => [*g, *b, 0, 255],
        (_, [v]) => [*v, *v, *v, 255],
        (Channels::Rgba, [r, g, b, a]) => [*r, *g, *b, *a],
        (_, [r, g, b, ..]) => [*r, *g, *b, 255],
        _ => [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::picture::Kind;

    fn build(channels: usize, data: &[u8], width: u32, take: Channels) -> Checked<Texture> {
        let height = (data.len() / channels) as u32 / width;
        let picture = Picture { width, height, pixels: Pixels::Channels(channels, data.to_vec()), kind: Kind::Plain };
        let texture = Texture::build(&picture, take, "t")?;
        let loose = Loose::new(&picture, take, "t")?;
        for uv in [[0.1, 0.2], [0.77, 0.3], [-3.4, 9.9], [0.5, 0.999], [f32::NAN, 1e9]] {
            let uv = uv.map(|v| [v; LANES]);
            assert_eq!(loose.sample(&uv), texture.sample(&uv));
        }
        Ok(texture)
    }

    #[test]
    fn channels_are_picked_by_slot() {
        let first = |n, data: &[u8], take| build(n, data, 1, take).unwrap().texels[0];
        assert_eq!(first(3, &[1, 2, 3], Channels::Rgba), [1, 2, 3, 255]);
        assert_eq!(first(4, &[1, 2, 3, 4], Channels::Rgba), [1, 2, 3, 4]);
        assert_eq!(first(1, &[9], Channels::Rgb), [9, 9, 9, 255]);
        assert_eq!(first(3, &[1, 2, 3], Channels::GreenBlue), [2, 3, 0, 255]);
        assert_eq!(first(2, &[1, 2], Channels::GreenBlue), [1, 2, 0, 255]);
        assert_eq!(build(2, &[1, 2], 1, Channels::Rgb).unwrap_err().code, RefusalCode::TextureMode);
        assert_eq!(build(1, &[1], 1, Channels::Red).unwrap_err().code, RefusalCode::TextureSize);
    }

    #[test]
    fn sampling_repeats_and_blends() {
        let grey = build(1, &[0, 100, 200], 3, Channels::Rgb).unwrap();
        let at = |u: f32| grey.sample(&[[u; LANES], [0.5; LANES]])[0][0];
        assert_eq!([at(1.0 / 6.0), at(0.5), at(5.0 / 6.0)], [0, 100, 200]);
        assert_eq!(at(1.0 / 3.0), 50);
        assert_eq!([at(0.0), at(1.0), at(-1.0)], [100; 3]);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, -1e-20] {
            at(odd);
        }
    }

    #[test]
    fn the_bottom_row_is_first() {
        let texture = build(1, &[10, 20], 1, Channels::Rgb).unwrap();
        let at = |v: f32| texture.sample(&[[0.5; LANES], [v; LANES]])[0][0];
        assert_eq!([at(0.25), at(0.75)], [20, 10]);
    }

    /// [`Axis::locate`] for one coordinate, with branches and the processor's own rounding.
    fn plain(axis: Axis, coordinate: f32) -> (i32, i32, u32) {
        let fraction = if axis.power_of_two { coordinate } else { coordinate - coordinate.floor() };
        let fixed = super::super::project::round(fraction * axis.scale).wrapping_sub(128);
        let first = (fixed >> 8).rem_euclid(axis.len);
        (first, (first + 1) % axis.len, (fixed & 255) as u32)
    }

    #[test]
    fn places_are_found_as_one_by_one() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, -1e-20, -0.0, 1e-45];
        let large = [8_388_607.5, -4_194_304.5, 2_147_483_648.0, -2_147_483_648.0, 16_777_217.0, 1e7, -33_000.1, 5e8];
        let usual = (0..4096).map(|i| (i as f32 - 1900.0) * 0.001_953_1);
        let all: Vec<f32> = odd.into_iter().chain(large).chain(usual).collect();
        for len in [1, 2, 3, 37, 256, 333, 4096, 16_383, 16_384] {
            let axis = Axis::new(len);
            for lanes in all.as_chunks::<LANES>().0 {
                let near = axis.locate(lanes);
                for (l, coordinate) in lanes.iter().enumerate() {
                    let found = (near.first[l], near.second[l], near.weight[l]);
                    assert_eq!(found, plain(axis, *coordinate), "{coordinate} of {len}");
                }
            }
        }
    }
}
