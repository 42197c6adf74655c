//! ICO files: the largest picture in them, a PNG or a bitmap with a mask. The reference decodes it on opening, so a
//! broken one is left out, not refused.

use super::super::cost;
use super::{BodyFault, Fault, Header, Picture, Pixels, Plan, Watch, bmp, png};

/// The largest size that the list can state; larger pictures are refused, not decoded on opening.
const MOST_PIXELS: u64 = 256 * 256;
/// The header, and each entry of the list behind it.
const HEAD: usize = 6;
const ENTRY: usize = 16;

/// A picture in the list.
struct Entry<'a> {
    /// Bits per pixel according to the list.
    bits: u16,
    /// Where its bytes end, in the file.
    end: usize,
    bytes: &'a [u8],
}

pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0\0\x01\0") && short(bytes, 4).is_some_and(|count| count > 0)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 4)?.first_chunk().map(|b| u32::from_le_bytes(*b) as usize)
}

/// The largest picture in the list; among equals the one with the fewest bits, then the first.
fn largest(bytes: &[u8]) -> Option<Entry<'_>> {
    let count = usize::from(short(bytes, 4)?);
    let list = bytes.get(HEAD..HEAD + ENTRY * count)?;
    let rank = |entry: &&[u8]| {
        let edge = |at: usize| entry.get(at).map_or(0, |edge| if *edge == 0 { 256 } else { u32::from(*edge) });
        let colors = entry.get(2).copied().unwrap_or_default();
        let depth = match (short(entry, 6).unwrap_or_default(), colors) {
            (0, 0 | 1) => 256,
            (0, colors) => u32::from(colors).next_power_of_two().ilog2(),
            (bits, _) => u32::from(bits),
        };
        (std::cmp::Reverse(edge(0) * edge(1)), depth)
    };
    let entry = list.chunks_exact(ENTRY).min_by_key(rank)?;
    let (size, at) = (long(entry, 8)?, long(entry, 12)?);
    Some(Entry { bits: short(entry, 6)?, end: at.checked_add(size)?, bytes: bytes.get(at..)? })
}

/// `None` if the reference does not open the file.
fn decode(bytes: &[u8], watch: Watch<'_>) -> Option<Result<Picture, Fault>> {
    const LARGE: Fault = Fault::Coding("ICO of a large picture");
    let entry = largest(bytes)?;
    if entry.bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let header = png::open(entry.bytes)?;
        if header.pixels() > MOST_PIXELS || header.work > cost::OPEN {
            return Some(Err(LARGE));
        }
        return if header.fault.is_some() { None } else { png::read(entry.bytes, watch).ok().map(Ok) };
    }
    let mut layout = bmp::layout(entry.bytes, 0, 0)?;
    layout.height /= 2;
    let (width, height) = (layout.width as usize, layout.height as usize);
    if u64::from(layout.width).saturating_mul(u64::from(layout.height)) > MOST_PIXELS {
        return Some(Err(LARGE));
    }
    if width == 0 || height == 0 || layout.fault.is_some() {
        return None;
    }
    let alpha = if entry.bits == 32 {
        let rows = entry.bytes.get(layout.start..)?.chunks_exact(4).take(width * height);
        rows.map(|pixel| pixel[3]).collect()
    } else {
        mask(bytes, &entry, [width, height])?
    };
    if alpha.len() < width * height {
        return None;
    }
    let colors = bmp::colors(&layout, entry.bytes, watch).ok()?;
    // The mask is stored bottom-up.
    let rows = (0..height).rev().flat_map(|y| alpha.get(y * width..(y + 1) * width).unwrap_or_default());
    let pixels = colors.as_chunks::<3>().0.iter().zip(rows).flat_map(|([r, g, b], alpha)| [*r, *g, *b, *alpha]);
    Some(Ok(Picture::plain(layout.width, layout.height, Pixels::Channels(4, pixels.collect()))))
}

/// Alpha from the mask behind the bitmap: one bit per pixel, set where it is transparent.
fn mask(bytes: &[u8], entry: &Entry<'_>, [width, height]: [usize; 2]) -> Option<Vec<u8>> {
    let line = 4 * width.div_ceil(32);
    let at = entry.end.checked_sub(line * height)?;
    let rows = bytes.get(at..bytes.len().min(entry.end))?;
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = rows.get(y * line..)?.get(..width.div_ceil(8))?;
        out.extend((0..width).map(|x| if row[x / 8] >> (7 - x % 8) & 1 == 1 { 0 } else { 255 }));
    }
    Some(out)
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    match decode(bytes, Watch::NONE)? {
        Ok(picture) => {
            // The bitmap, and its colours and mask apart.
            Some(Header { working: 8 * MOST_PIXELS, work: cost::OPEN, ..Plan::made(picture).header })
        }
        Err(fault) => Some(Header::faulty(fault)),
    }
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    decode(bytes, watch).and_then(Result::ok).ok_or(BodyFault::Coding("no ICO"))
}
