//! WebP pictures, lossy and lossless; of an animation the first frame.

mod frames;

use std::io::Cursor;
use std::panic::AssertUnwindSafe;

use image_webp::WebPDecoder;

use super::super::cost;
use super::watched::Watched;
use super::{BodyFault, Fault, Header, Picture, Pixels, Watch, vp8l};

/// The tables of a group of Huffman codes: five of up to 4 KiB.
const GROUP_BYTES: u64 = 22 << 10;

const BROKEN_CODES: &str = "its codes make no sense";

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    if !frames::are_sound(bytes) {
        return None;
    }
    let Ok(mut decoder) = WebPDecoder::new(Cursor::new(bytes)) else {
        return Some(Header::faulty(Fault::Coding("WebP of an unusual layout")));
    };
    let (width, height) = decoder.dimensions();
    let alpha = decoder.has_alpha();
    let pixels = (u64::from(width) * u64::from(height)).max(inner_pixels(bytes));
    // Bytes a pixel that the decoder takes beside its result: planes, an alpha, four channels for three.
    let each = match (decoder.is_animated(), decoder.is_lossy(), alpha) {
        (true, _, _) => 14,
        (false, true, true) => 7,
        (false, true, false) => 2,
        (false, false, true) => 1,
        (false, false, false) => 5,
    };
    let groups = groups(bytes, decoder.dimensions());
    // Broken codes get no tables: the picture is refused before it is decoded.
    let fault = if groups.is_none() { Some(Fault::Damaged(BROKEN_CODES)) } else { None };
    let groups = groups.unwrap_or_default();
    let working = each * pixels + 2 * bytes.len() as u64 + GROUP_BYTES * groups;
    let work = cost::WEBP * pixels + cost::PACKED * bytes.len() as u64 + cost::WEBP_GROUP * groups;
    Some(Header { width, height, depth: if alpha { 4 } else { 3 }, alpha, working, work, fault })
}

/// Most groups of Huffman codes of a lossless picture or an alpha among these chunks. A few bytes can name 65,536
/// of them, for which the decoder makes tables. `None` where the codes that say so are broken: the decoder takes some
/// such for sound, or panics.
fn groups(bytes: &[u8], size: (u32, u32)) -> Option<u64> {
    pictures(bytes, size).try_fold(0, |most, (kind, body, (width, height))| {
        let groups = match (&kind, body) {
            (b"VP8L", _) => vp8l::groups(body)?,
            // Its two lowest bits say how it is packed.
            (b"ALPH", [first, data @ ..]) if first & 3 == 1 => vp8l::groups_of_alpha(data, width, height)?,
            _ => 0,
        };
        Some(u64::from(groups).max(most))
    })
}

/// Pixels of the largest lossy frame: the decoder believes its header, and compares it too late.
fn inner_pixels(bytes: &[u8]) -> u64 {
    let pixels = pictures(bytes, (0, 0)).filter(|(kind, ..)| kind == b"VP8 ").map(|(_, body, _)| {
        let size = |at: usize| body.get(at..at + 2).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b));
        u64::from(size(6) & 0x3fff) * u64::from(size(8) & 0x3fff)
    });
    pixels.max().unwrap_or_default()
}

/// A chunk's kind and its contents.
type Chunk<'a> = ([u8; 4], &'a [u8]);

/// The chunks of a file and those of its frames, each with the size of what it is a part of.
fn pictures(bytes: &[u8], size: (u32, u32)) -> impl Iterator<Item = ([u8; 4], &[u8], (u32, u32))> {
    chunks(bytes.get(12..).unwrap_or_default()).flat_map(move |(kind, body)| {
        let (size, inner) = match (&kind, body) {
            (b"ANMF", [_, _, _, _, _, _, w0, w1, w2, h0, h1, h2, _, _, _, _, inner @ ..]) => {
                let edge = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1;
                ((edge([*w0, *w1, *w2]), edge([*h0, *h1, *h2])), inner)
            }
            _ => (size, &[][..]),
        };
        std::iter::once((kind, body)).chain(chunks(inner)).map(move |(kind, body)| (kind, body, size))
    })
}

/// Chunks one after the other; the last one may be cut.
fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [kind @ .., l0, l1, l2, l3] = *head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        bytes = rest.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((kind, rest.get(..length).unwrap_or(rest)))
    })
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    // The decoder counts on codes that it has not looked at: it must not take the program down with it.
    let decoded = std::panic::catch_unwind(AssertUnwindSafe(|| decode(bytes, watch)));
    decoded.unwrap_or_else(|_| Err(BodyFault::Damaged(BROKEN_CODES.to_owned())))
}

fn decode(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let damaged = |e: image_webp::DecodingError| BodyFault::Damaged(e.to_string());
    let mut decoder = WebPDecoder::new(Watched::new(bytes, watch)).map_err(damaged)?;
    decoder.set_memory_limit(1 << 30);
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let size = decoder.output_buffer_size().ok_or(BodyFault::Coding("too large"))?;
    let mut pixels = vec![0; size];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    Ok(Picture::plain(width, height, Pixels::Channels(channels, pixels)))
}
