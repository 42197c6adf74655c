//! BMP pictures: palettes that are a ramp of grey count as grey, alpha only where a mask names it.

use super::super::cost;
use super::{BodyFault, Fault, Header, Picture, Pixels, Watch, palette_of};

/// Length of the file header.
const FILE_HEADER: usize = 14;

/// How pixels lie in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raw {
    /// So many bits a pixel: indices, or grey where there is no palette.
    Bits(u32),
    /// 5 bits of blue, so many of green, 5 of red.
    Packed(u32),
    /// Of so many bytes, those of red, green, blue, and alpha.
    Bytes(usize, [usize; 3], Option<usize>),
}

/// Run lengths instead of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Runs8,
    Runs4,
}

pub(super) struct Layout<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    bottom_up: bool,
    raw: Raw,
    coding: Coding,
    /// Red, green and blue of each, one after the other; `None` for grey and for colours.
    palette: Option<Vec<u8>>,
    black_and_white: bool,
    pub(super) fault: Option<Fault>,
    data: &'a [u8],
    /// Where the data begins.
    pub(super) start: usize,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 2)?.first_chunk().map(|b| u32::from(u16::from_le_bytes(*b)))
}

/// Whether this is a bitmap without a file header, judged by the size of the header at its start.
pub(super) fn is_bare(bytes: &[u8]) -> bool {
    matches!(word(bytes, 0), Some(12 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// The layout of a complete file.
fn layout_of_file(bytes: &[u8]) -> Option<Layout<'_>> {
    layout(bytes, FILE_HEADER, word(bytes, 10)? as usize)
}

/// The layout given by the header at `head_at`. Pixels begin at `start`, or behind header and palette if that is 0.
pub(super) fn layout(bytes: &[u8], head_at: usize, mut start: usize) -> Option<Layout<'_>> {
    let size = word(bytes, head_at)? as usize;
    let head = bytes.get(head_at + 4..head_at.checked_add(size)?)?;
    let (width, height, bottom_up, bits, compression, colors, padding);
    match size {
        12 => {
            (width, height, bottom_up) = (half(head, 0)?, half(head, 2)?, true);
            (bits, compression, colors, padding) = (half(head, 6)?, 0, 0, 3);
        }
        40 | 52 | 56 | 64 | 108 | 124 => {
            bottom_up = head.get(7) != Some(&0xff);
            let given = word(head, 4)?;
            (width, height) = (word(head, 0)?, if bottom_up { given } else { given.wrapping_neg() });
            (bits, compression, colors, padding) = (half(head, 10)?, word(head, 12)?, word(head, 28)?, 4);
        }
        _ => return None,
    }
    let mut at = head_at + size;
    let colors = if colors == 0 { 1_u64 << bits.min(32) } else { u64::from(colors) };
    if head_at > 0 && start == at && bits <= 8 {
        start = start.checked_add(usize::try_from(4 * colors).ok()?)?;
    }
    let raw = match (bits, compression) {
        (_, 3) => {
            let masks = if head.len() >= 48 { (head, 36) } else { (bytes, at) };
            at += if head.len() >= 48 { 0 } else { 12 };
            let mask = |i: usize| word(masks.0, masks.1 + 4 * i);
            let alpha = if head.len() >= 52 { mask(3)? } else { 0 };
            masked(bits, [mask(0)?, mask(1)?, mask(2)?], alpha)?
        }
        (1 | 4 | 8, _) => Raw::Bits(bits),
        (16, _) => Raw::Packed(5),
        (24, _) => Raw::Bytes(3, [2, 1, 0], None),
        (32, _) => Raw::Bytes(4, [2, 1, 0], None),
        _ => return None,
    };
    let coding = match compression {
        0 | 3 => Coding::Plain,
        1 => Coding::Runs8,
        2 => Coding::Runs4,
        _ => return None,
    };
    let mut found = Layout {
        width,
        height,
        bottom_up,
        raw,
        coding,
        palette: None,
        black_and_white: false,
        fault: None,
        data: &[],
        start,
    };
    if matches!(raw, Raw::Bits(_)) {
        if !(1..=65_536).contains(&colors) {
            return None;
        }
        let end = (at + padding * colors as usize).min(bytes.len());
        found.colors(bytes.get(at..end).unwrap_or_default(), padding, colors as usize);
        at = end;
    }
    if found.start == 0 {
        found.start = at;
    }
    if coding != Coding::Plain && !matches!(raw, Raw::Bits(_)) {
        found.fault = Some(Fault::Damaged("run lengths of colours"));
    }
    found.data = bytes.get(found.start..).unwrap_or_default();
    Some(found)
}

/// The bit masks that the reference knows; another one is not opened.
fn masked(bits: u32, rgb: [u32; 3], alpha: u32) -> Option<Raw> {
    Some(match (bits, rgb, alpha) {
        (32, [0x00ff_0000, 0xff00, 0xff], 0) => Raw::Bytes(4, [2, 1, 0], None),
        (32, [0xff00_0000, 0x00ff_0000, 0xff00], 0) => Raw::Bytes(4, [3, 2, 1], None),
        (32, [0xff00_0000, 0xff00, 0xff], 0) => Raw::Bytes(4, [3, 1, 0], None),
        (32, [0xff00_0000, 0x00ff_0000, 0xff00], 0xff) => Raw::Bytes(4, [3, 2, 1], Some(0)),
        (32, [0xff, 0xff00, 0x00ff_0000], 0xff00_0000) => Raw::Bytes(4, [0, 1, 2], Some(3)),
        (32, [0x00ff_0000, 0xff00, 0xff], 0xff00_0000) | (32, [0, 0, 0], 0) => Raw::Bytes(4, [2, 1, 0], Some(3)),
        (32, [0xff00_0000, 0xff00, 0xff], 0x00ff_0000) => Raw::Bytes(4, [3, 1, 0], Some(2)),
        (24, [0x00ff_0000, 0xff00, 0xff], _) => Raw::Bytes(3, [2, 1, 0], None),
        (16, [0xf800, 0x07e0, 0x1f], _) => Raw::Packed(6),
        (16, [0x7c00, 0x03e0, 0x1f], _) => Raw::Packed(5),
        _ => return None,
    })
}

impl Layout<'_> {
    /// Takes the palette over, unless it is a ramp of grey.
    fn colors(&mut self, table: &[u8], padding: usize, colors: usize) {
        let value = |i: usize| if colors == 2 { 255 * i as u8 } else { i as u8 };
        let grey = (0..colors).all(|i| table.get(i * padding..i * padding + 3) == Some(&[value(i); 3]));
        self.black_and_white = grey && colors == 2;
        if grey && !self.black_and_white && self.raw != Raw::Bits(8) && self.coding == Coding::Plain {
            self.fault = Some(Fault::Damaged("a row of grey that is too short"));
        }
        if !grey {
            let rgb = table.chunks_exact(padding).flat_map(|c| [c[2], c[1], c[0]]);
            self.palette = Some(rgb.collect());
            if table.len() / padding > 256 {
                self.fault = Some(Fault::Damaged("more than 256 colours"));
            }
        }
    }

    fn channels(&self) -> usize {
        match self.raw {
            Raw::Bits(_) => 1,
            Raw::Packed(_) | Raw::Bytes(_, _, None) => 3,
            Raw::Bytes(_, _, Some(_)) => 4,
        }
    }

    /// Bits of a pixel in the file.
    fn bits(&self) -> u64 {
        match self.raw {
            Raw::Bits(bits) => u64::from(bits),
            Raw::Packed(_) => 16,
            Raw::Bytes(bytes, ..) => 8 * bytes as u64,
        }
    }

    /// Bytes of a row: without what fills it up, and with it.
    fn line(&self) -> (usize, usize) {
        let bits = u64::from(self.width) * self.bits();
        (bits.div_ceil(8) as usize, (bits.div_ceil(32) * 4) as usize)
    }

    /// Appends a row's samples.
    fn unpack(&self, row: &[u8], out: &mut Vec<u8>) {
        let width = self.width as usize;
        match self.raw {
            Raw::Bits(bits) => {
                let mask = ((1_u32 << bits) - 1) as u8;
                let samples = |byte: &u8| {
                    let byte = *byte;
                    (0..8 / bits).map(move |i| byte >> (8 - bits - i * bits) & mask)
                };
                out.extend(row.iter().flat_map(samples).take(width));
            }
            Raw::Packed(green) => {
                let pixel = |pair: &[u8; 2]| {
                    let value = u32::from(u16::from_le_bytes(*pair));
                    let part = |shift: u32, bits: u32| {
                        let most = (1 << bits) - 1;
                        ((value >> shift & most) * 255 / most) as u8
                    };
                    [part(5 + green, 5), part(5, green), part(0, 5)]
                };
                out.extend(row.as_chunks::<2>().0.iter().take(width).flat_map(pixel));
            }
            Raw::Bytes(size, rgb, alpha) => {
                for pixel in row.chunks_exact(size).take(width) {
                    out.extend(rgb.into_iter().chain(alpha).map(|i| pixel.get(i).copied().unwrap_or_default()));
                }
            }
        }
    }
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    header(&layout_of_file(bytes)?, bytes)
}

pub(super) fn open_bare(bytes: &[u8]) -> Option<Header> {
    header(&layout(bytes, 0, 0)?, bytes)
}

fn header(layout: &Layout<'_>, bytes: &[u8]) -> Option<Header> {
    let pixels = u64::from(layout.width).saturating_mul(u64::from(layout.height));
    let depth = layout.channels() as u64;
    let work = pixels.saturating_mul(depth * cost::PLAIN).saturating_add(cost::PACKED * bytes.len() as u64);
    Some(Header {
        width: layout.width,
        height: layout.height,
        depth,
        alpha: depth == 4,
        working: if layout.coding == Coding::Plain { 0 } else { pixels },
        work,
        fault: layout.fault,
    })
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    picture(layout_of_file(bytes), bytes, watch)
}

pub(super) fn read_bare(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    picture(layout(bytes, 0, 0), bytes, watch)
}

fn picture(layout: Option<Layout<'_>>, bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let layout = layout.ok_or(BodyFault::Coding("no BMP"))?;
    if layout.black_and_white {
        return Ok(Picture::plain(layout.width, layout.height, Pixels::Bits));
    }
    let out = samples(&layout, bytes, watch)?;
    let pixels = match &layout.palette {
        Some(rgb) => Pixels::Palette(out, palette_of(rgb, |_| 255)),
        None => Pixels::Channels(layout.channels(), out),
    };
    Ok(Picture::plain(layout.width, layout.height, pixels))
}

/// Red, green and blue of each pixel.
pub(super) fn colors(layout: &Layout<'_>, bytes: &[u8], watch: Watch<'_>) -> Result<Vec<u8>, BodyFault> {
    let samples = samples(layout, bytes, watch)?;
    let palette = layout.palette.as_ref().map(|rgb| palette_of(rgb, |_| 255));
    let bit = if layout.black_and_white { 255 } else { 1 };
    let color = |pixel: &[u8]| match (&palette, pixel) {
        (Some(palette), [index, ..]) => palette[usize::from(*index)],
        (_, [r, g, b, ..]) => [*r, *g, *b, 0],
        (_, [grey, ..]) => [grey.wrapping_mul(bit); 4],
        _ => [0; 4],
    };
    let rgb = samples.chunks_exact(layout.channels()).flat_map(|pixel| color(pixel).into_iter().take(3));
    Ok(rgb.collect())
}

/// The samples of all rows, from the top.
fn samples(layout: &Layout<'_>, bytes: &[u8], watch: Watch<'_>) -> Result<Vec<u8>, BodyFault> {
    let damaged = |what: &str| BodyFault::Damaged(what.to_owned());
    let (width, height) = (layout.width as usize, layout.height as usize);
    let runs = if layout.coding == Coding::Plain { Vec::new() } else { runs(layout, bytes) };
    let mut out = Vec::with_capacity(width * height * layout.channels());
    for i in 0..height {
        if i % 256 == 0 && watch.stopped() {
            return Err(damaged("stopped"));
        }
        let y = if layout.bottom_up { height - 1 - i } else { i };
        if layout.coding == Coding::Plain {
            let (line, step) = layout.line();
            let row = layout.data.get(y * step..y * step + line).ok_or_else(|| damaged("rows are missing"))?;
            layout.unpack(row, &mut out);
        } else {
            let row = runs.get(y * width..(y + 1) * width).ok_or_else(|| damaged("runs are missing"))?;
            out.extend_from_slice(row);
        }
    }
    Ok(out)
}

/// The indices that run lengths stand for, up to the whole picture.
fn runs(layout: &Layout<'_>, bytes: &[u8]) -> Vec<u8> {
    let (width, all) = (layout.width as usize, layout.width as usize * layout.height as usize);
    let (mut out, mut x, mut at) = (Vec::with_capacity(all), 0, layout.start);
    let four = layout.coding == Coding::Runs4;
    while out.len() < all
        && let Some(&[count, value]) = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk::<2>())
    {
        at += 2;
        let room = all - out.len();
        match (count, value) {
            (0, 0) => {
                out.resize(out.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                // The reference passes over two bytes, and takes the next two for the step.
                at += 2;
                let Some(&[right, up]) = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk::<2>()) else { break };
                at += 2;
                out.resize(out.len() + (usize::from(right) + usize::from(up) * width).min(room), 0);
                x = out.len() % width;
            }
            (0, count) => {
                let length = if four { usize::from(count) / 2 } else { usize::from(count) };
                let some = bytes.get(at..(at + length).min(bytes.len())).unwrap_or_default();
                if four {
                    out.extend(some.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(room));
                } else {
                    out.extend(some.iter().take(room));
                }
                if some.len() < length {
                    break;
                }
                x += usize::from(count);
                at = (at + length).next_multiple_of(2);
            }
            (count, value) => {
                let count = usize::from(count).min(width.saturating_sub(x));
                let value = |i: usize| match (four, i % 2) {
                    (false, _) => value,
                    (true, 0) => value >> 4,
                    (true, _) => value & 15,
                };
                out.extend((0..count.min(room)).map(value));
                x += count;
            }
        }
    }
    out
}
