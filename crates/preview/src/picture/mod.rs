//! Decodes texture images to the pixel layouts that Pillow, the reference's image library, gives them.
//!
//! It matters when a picture fails: with an unreadable header, the model is drawn without the texture; with
//! broken pixels behind a sound header, the model is refused.

mod bmp;
mod chunks;
mod copy;
mod deflate;
mod gif;
mod ico;
mod jpeg;
mod lzw;
mod orientation;
mod others;
mod png;
mod scan;
mod scans;
mod short;
mod tail;
mod texts;
mod tga;
mod tiff;
mod usual;
mod vp8l;
mod watched;
mod webp;

use std::borrow::Cow;

use super::cost;
use super::limits::{MAX_TEXTURE_PIXELS, Watch};
use super::refusal::{Checked, Refusal, RefusalCode};

/// A decoded picture, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Pixels,
    pub(crate) kind: Kind,
}

/// What the pixels represent, where that matters beyond drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// CMYK: the last of the four channels is not alpha.
    Inks,
    /// Grey of more than 8 bits; drawing uses the low ones.
    Wide,
}

impl Picture {
    /// An ordinary picture.
    fn plain(width: u32, height: u32, pixels: Pixels) -> Self {
        Self { width, height, pixels, kind: Kind::Plain }
    }

    /// Channels of the reference's array; indices of a palette are one. None where a pixel is one bit.
    pub(crate) fn channels(&self) -> usize {
        match self.pixels {
            Pixels::Channels(channels, _) => channels,
            Pixels::Palette(..) => 1,
            Pixels::Bits => 0,
        }
    }

    /// The pixel of this number as the array has it, the channels that it lacks 0.
    pub(crate) fn texel(&self, at: usize) -> ([u8; 4], usize) {
        let (channels, data) = match &self.pixels {
            Pixels::Channels(channels, data) => (*channels, data.as_slice()),
            Pixels::Palette(data, _) => (1, data.as_slice()),
            Pixels::Bits => (1, [].as_slice()),
        };
        let mut texel = [0; 4];
        let values = data.get(at * channels..at * channels + channels).unwrap_or_default();
        texel.iter_mut().zip(values).for_each(|(slot, value)| *slot = *value);
        (texel, channels)
    }

    /// Bytes that its pixels take.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * self.channels() as u64
    }
}

/// The pixels in the layout in which the reference sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// 8-bit channels, interleaved: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA (or CMYK, read as such).
    Channels(usize, Vec<u8>),
    /// Palette indices, and the palette as RGBA.
    Palette(Vec<u8>, Box<[[u8; 4]; 256]>),
    /// One bit a pixel: a layout that the reference cannot draw.
    Bits,
}

/// What a picture's header states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: u32,
    height: u32,
    /// Bytes per decoded pixel.
    depth: u64,
    /// Whether pixels may be transparent.
    alpha: bool,
    /// Bytes that decoding takes beside the pixels and the file.
    working: u64,
    /// What decoding costs.
    work: u64,
    /// Why its pixels cannot be decoded, if already known.
    fault: Option<Fault>,
}

/// A fault found before the pixels are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Damaged(&'static str),
    Coding(&'static str),
}

impl Header {
    /// For a picture that is refused.
    fn faulty(fault: Fault) -> Self {
        Self { width: 1, height: 1, depth: 1, alpha: false, working: 0, work: 0, fault: Some(fault) }
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Why the pixels behind a sound header could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BodyFault {
    /// Cut short or damaged.
    Damaged(String),
    /// In a coding that this renderer does not know.
    Coding(&'static str),
}

type Open = fn(&[u8]) -> Option<Header>;
type Read = fn(&[u8], Watch<'_>) -> Result<Picture, BodyFault>;

/// A picture whose header is sound.
pub(crate) struct Plan<'a> {
    source: Source<'a>,
    header: Header,
}

enum Source<'a> {
    Packed(Cow<'a, [u8]>, Read),
    /// Made here, out of others.
    Made(Picture),
}

/// Opens the picture in `bytes`, known by its first bytes. `None` means that the texture is dropped: no
/// known format, a broken header, or more pixels than the limit.
pub(crate) fn plan(bytes: Cow<'_, [u8]>) -> Option<Plan<'_>> {
    let (open, read) = format(&bytes);
    let header = open(&bytes)?;
    let sound = (1..=MAX_TEXTURE_PIXELS).contains(&header.pixels());
    sound.then_some(Plan { source: Source::Packed(bytes, read), header })
}

fn format(bytes: &[u8]) -> (Open, Read) {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => (png::open, png::read),
        [0xff, 0xd8, 0xff, ..] => (jpeg::open, jpeg::read),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => (webp::open, webp::read),
        [b'B', b'M', ..] => (bmp::open, bmp::read),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => (gif::open, gif::read),
        _ if tiff::is(bytes) => (tiff::open, tiff::read),
        _ if bmp::is_bare(bytes) => (bmp::open_bare, bmp::read_bare),
        _ if ico::is(bytes) => (ico::open, ico::read),
        _ if others::name(bytes).is_some() => (others::open, others::read),
        // TGA has no magic number.
        _ => (tga::open, tga::read),
    }
}

impl Plan<'_> {
    /// The plan of a picture that is already decoded.
    pub(crate) fn made(picture: Picture) -> Self {
        let depth = picture.channels() as u64;
        let header = Header {
            width: picture.width,
            height: picture.height,
            depth,
            alpha: depth == 4,
            working: 0,
            work: cost::TEXEL * u64::from(picture.width) * u64::from(picture.height),
            fault: None,
        };
        Self { source: Source::Made(picture), header }
    }

    /// Width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.header.width, self.header.height)
    }

    pub(crate) fn pixels(&self) -> u64 {
        self.header.pixels()
    }

    /// Whether pixels may be transparent.
    pub(crate) fn alpha(&self) -> bool {
        self.header.alpha
    }

    /// Most bytes that are taken while it is decoded.
    pub(crate) fn bytes(&self) -> u64 {
        (self.pixels() * self.header.depth).saturating_add(self.header.working)
    }

    /// What decoding costs.
    pub(crate) fn work(&self) -> u64 {
        self.header.work
    }

    /// Decodes the pixels; a fault in them refuses the model.
    pub(crate) fn decode(&self, place: &str, watch: Watch<'_>) -> Checked<Picture> {
        watch.check()?;
        let known = match self.header.fault {
            None => Ok(()),
            Some(Fault::Damaged(what)) => Err(BodyFault::Damaged(what.to_owned())),
            Some(Fault::Coding(what)) => Err(BodyFault::Coding(what)),
        };
        let decoded = known.and_then(|()| match &self.source {
            Source::Packed(bytes, read) => read(bytes, watch),
            Source::Made(picture) => Ok(picture.clone()),
        });
        decoded.map_err(|fault| match fault {
            BodyFault::Damaged(what) => {
                Refusal::new(RefusalCode::TextureDamaged, place, format!("picture data: {what}"))
            }
            BodyFault::Coding(what) => {
                Refusal::new(RefusalCode::TextureCoding, place, format!("not decoded here: {what}"))
            }
        })
    }
}

/// The palette of these colours, red, green and blue each; those beyond are black.
fn palette_of(colors: &[u8], alpha: impl Fn(usize) -> u8) -> Box<[[u8; 4]; 256]> {
    let mut palette = Box::new([[0; 4]; 256]);
    for (i, entry) in palette.iter_mut().enumerate() {
        let rgb = colors.get(3 * i..3 * i + 3).and_then(|c| c.first_chunk::<3>());
        let [r, g, b] = rgb.copied().unwrap_or_default();
        *entry = [r, g, b, alpha(i)];
    }
    palette
}

#[cfg(test)]
mod tests;
