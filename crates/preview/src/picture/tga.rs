//! TGA pictures. They have no mark of their own: what makes sense as their header is one.

use super::super::cost;
use super::{BodyFault, Fault, Header, Picture, Pixels, Watch, palette_of};

struct Layout<'a> {
    width: u32,
    height: u32,
    bottom_up: bool,
    mirrored: bool,
    packed: bool,
    /// Bytes of a pixel in the file.
    size: usize,
    channels: usize,
    /// Of each colour red, green and blue, and its alpha.
    palette: Option<(Vec<u8>, Vec<u8>)>,
    bits: bool,
    fault: Option<Fault>,
    data: &'a [u8],
}

fn layout(bytes: &[u8]) -> Option<Layout<'_>> {
    let head = bytes.first_chunk::<18>()?;
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let (width, height, depth) = (half(12), half(14), head[16]);
    let (map, kind) = (head[1], head[2]);
    if map > 1 || width == 0 || height == 0 || !matches!(depth, 1 | 8 | 16 | 24 | 32) {
        return None;
    }
    let (channels, bits) = match (kind & 7, depth) {
        (3, 1) => (1, true),
        (3, 16) => (2, false),
        (1 | 3, _) => (1, false),
        (2, 24) => (3, false),
        (2, _) => (4, false),
        _ => return None,
    };
    if !matches!(kind, 1..=3 | 9..=11) {
        return None;
    }
    let mut at = 18 + usize::from(head[0]);
    let mut palette = None;
    if map == 1 {
        let (first, count) = (usize::from(half(3)), usize::from(half(5)));
        let size = match head[7] {
            16 => 2,
            24 => 3,
            32 => 4,
            _ => return None,
        };
        let end = (at + size * count).min(bytes.len());
        palette = Some(read_palette(first, size, bytes.get(at..end).unwrap_or_default()));
        at = end;
    }
    // What the reference opens, but cannot read.
    let known = matches!((kind & 7, depth), (1, 8) | (3, 1 | 8 | 16) | (2, 16 | 24 | 32));
    let colors = palette.as_ref().map_or(0, |(rgb, _)| rgb.len() / 3);
    let fault = match kind & 7 {
        // Beside grey it is read, and means nothing.
        _ if map == 1 && (head[7] == 32 || !matches!((kind & 7, depth), (1, _) | (3, 8))) => {
            Some(Fault::Damaged("a colour map of an unusual kind"))
        }
        _ if !known => Some(Fault::Damaged("a depth that goes not with its kind")),
        1 if map == 0 => Some(Fault::Damaged("no colour map")),
        _ if colors > 256 => Some(Fault::Damaged("more than 256 colours")),
        3 if depth == 1 && kind > 8 => Some(Fault::Damaged("packed bits")),
        _ => None,
    };
    Some(Layout {
        width: u32::from(width),
        height: u32::from(height),
        bottom_up: head[17] & 0x20 == 0,
        mirrored: head[17] & 0x10 != 0,
        packed: kind > 8,
        size: usize::from(depth / 8),
        channels,
        palette: palette.filter(|_| kind & 7 == 1),
        bits,
        fault,
        data: bytes.get(at..).unwrap_or_default(),
    })
}

/// The colours from `first` on; those before are black.
fn read_palette(first: usize, size: usize, table: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut rgb, mut alpha) = (vec![0; 3 * first], vec![if size == 3 { 255 } else { 0 }; first]);
    if size == 2 {
        alpha.fill(255);
    }
    for color in table.chunks_exact(size) {
        match *color {
            [low, high] => {
                let [r, g, b, a] = from_15(low, high);
                rgb.extend([r, g, b]);
                alpha.push(a);
            }
            [b, g, r] => {
                rgb.extend([r, g, b]);
                alpha.push(255);
            }
            [b, g, r, a] => {
                rgb.extend([r, g, b]);
                alpha.push(a);
            }
            _ => {}
        }
    }
    (rgb, alpha)
}

/// Five bits of each colour; the sixteenth says that it cannot be seen.
fn from_15(low: u8, high: u8) -> [u8; 4] {
    let value = u32::from(u16::from_le_bytes([low, high]));
    let part = |shift: u32| ((value >> shift & 31) * 255 / 31) as u8;
    [part(10), part(5), part(0), if value >> 15 == 1 { 0 } else { 255 }]
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let layout = layout(bytes)?;
    let pixels = u64::from(layout.width) * u64::from(layout.height);
    let depth = layout.channels as u64;
    Some(Header {
        width: layout.width,
        height: layout.height,
        depth,
        alpha: layout.channels == 4 || layout.palette.is_some(),
        // Unpacked as in the file, and turned around.
        working: if layout.packed { pixels * layout.size as u64 } else { 0 },
        work: pixels * depth * 2 * cost::PLAIN + cost::PACKED * bytes.len() as u64,
        fault: layout.fault,
    })
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let damaged = |what: &str| BodyFault::Damaged(what.to_owned());
    let layout = layout(bytes).ok_or(BodyFault::Coding("no TGA"))?;
    if layout.bits {
        return Ok(Picture::plain(layout.width, layout.height, Pixels::Bits));
    }
    let (line, height) = (layout.width as usize * layout.size, layout.height as usize);
    let unpacked = if layout.packed { unpack(&layout, line, line * height)? } else { Vec::new() };
    let data = if layout.packed { unpacked.as_slice() } else { layout.data };
    let mut out = Vec::with_capacity(layout.width as usize * height * layout.channels);
    for i in 0..height {
        if i % 256 == 0 && watch.stopped() {
            return Err(damaged("stopped"));
        }
        let y = if layout.bottom_up { height - 1 - i } else { i };
        let row = data.get(y * line..(y + 1) * line).ok_or_else(|| damaged("rows are missing"))?;
        let pixels = row.chunks_exact(layout.size);
        if layout.mirrored {
            pixels.rev().for_each(|pixel| put(pixel, &layout, &mut out));
        } else {
            pixels.for_each(|pixel| put(pixel, &layout, &mut out));
        }
    }
    let pixels = match &layout.palette {
        Some((rgb, alpha)) => Pixels::Palette(out, palette_of(rgb, |i| alpha.get(i).copied().unwrap_or(255))),
        None => Pixels::Channels(layout.channels, out),
    };
    Ok(Picture::plain(layout.width, layout.height, pixels))
}

fn put(pixel: &[u8], layout: &Layout<'_>, out: &mut Vec<u8>) {
    match (pixel, layout.channels) {
        ([value], _) => out.push(*value),
        ([grey, alpha], 2) => out.extend([grey, alpha]),
        ([low, high], _) => out.extend(from_15(*low, *high)),
        ([b, g, r], _) => out.extend([r, g, b]),
        ([b, g, r, a], _) => out.extend([r, g, b, a]),
        _ => {}
    }
}

/// The bytes behind the packets: a run may not go on in the next row, plain pixels may.
fn unpack(layout: &Layout<'_>, line: usize, all: usize) -> Result<Vec<u8>, BodyFault> {
    let damaged = |what: &str| BodyFault::Damaged(what.to_owned());
    let mut out = Vec::with_capacity(all);
    let mut data = layout.data;
    while out.len() < all {
        let (head, rest) = data.split_first().ok_or_else(|| damaged("packets are missing"))?;
        let length = layout.size * (usize::from(head & 0x7f) + 1);
        let taken = if head & 0x80 == 0 { length } else { layout.size };
        let some = rest.get(..taken).ok_or_else(|| damaged("packets are missing"))?;
        if head & 0x80 == 0 {
            out.extend_from_slice(some.get(..length.min(all - out.len())).unwrap_or(some));
        } else if out.len() % line + length > line {
            return Err(damaged("a run over the end of a row"));
        } else {
            some.iter().cycle().take(length).for_each(|byte| out.push(*byte));
        }
        data = rest.get(taken..).unwrap_or_default();
    }
    Ok(out)
}
