//! Decoding of texture images to the pixel layouts that the reference's image library gives them.
//!
//! What counts is when a picture fails: if its header cannot be read, the model is drawn without the
//! texture; if the pixels behind a sound header break off, the model is refused.

mod deflate;
mod jpeg;
mod png;
mod vp8l;
mod watched;
mod webp;

use std::borrow::Cow;

use super::limits::{MAX_TEXTURE_PIXELS, Watch};
use super::refusal::{Checked, Refusal, RefusalCode};

/// A decoded picture, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Pixels,
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

/// What the header of a picture promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: u32,
    height: u32,
    /// Bytes a pixel once decoded.
    depth: u64,
    /// Whether pixels may be seen through.
    alpha: bool,
    /// Bytes that decoding takes beside the pixels and the file.
    working: u64,
    /// What decoding costs.
    work: u64,
    /// Why its pixels cannot be had, if that is already known.
    fault: Option<&'static str>,
}

impl Header {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Why the pixels behind a sound header could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BodyFault {
    /// Cut short or damaged.
    Damaged(String),
    /// Sound, perhaps, but in a coding that this renderer does not know.
    Coding(&'static str),
}

type Read = fn(&[u8], Watch<'_>) -> Result<Picture, BodyFault>;

/// A picture whose header is sound.
pub(crate) struct Plan<'a> {
    bytes: Cow<'a, [u8]>,
    read: Read,
    header: Header,
}

/// Opens the picture in `bytes`, known by its first bytes. `None` means that the texture is dropped: no
/// known format, a broken header, or more pixels than the limit.
pub(crate) fn plan(bytes: Cow<'_, [u8]>) -> Option<Plan<'_>> {
    type Open = fn(&[u8]) -> Option<Header>;
    let (open, read): (Open, Read) = match bytes.as_ref() {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => (png::open, png::read),
        [0xff, 0xd8, 0xff, ..] => (jpeg::open, jpeg::read),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => (webp::open, webp::read),
        _ => return None,
    };
    let header = open(&bytes)?;
    let sound = (1..=MAX_TEXTURE_PIXELS).contains(&header.pixels());
    sound.then_some(Plan { bytes, read, header })
}

impl Plan<'_> {
    pub(crate) fn pixels(&self) -> u64 {
        self.header.pixels()
    }

    /// Whether pixels may be seen through.
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
        let known = self.header.fault.map_or(Ok(()), |fault| Err(BodyFault::Damaged(fault.to_owned())));
        known.and_then(|()| (self.read)(&self.bytes, watch)).map_err(|fault| match fault {
            BodyFault::Damaged(what) => {
                Refusal::new(RefusalCode::TextureDamaged, place, format!("picture data: {what}"))
            }
            BodyFault::Coding(what) => {
                Refusal::new(RefusalCode::TextureCoding, place, format!("not decoded here: {what}"))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_and_broken_headers_are_dropped() {
        let heads: [&[u8]; 5] = [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"];
        for bytes in heads {
            assert!(plan(Cow::Borrowed(bytes)).is_none(), "{bytes:?}");
        }
    }
}
