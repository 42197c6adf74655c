//! TIFF pictures in the layouts that are common: whole bytes (or bits of grey), side by side, in strips or tiles;
//! plain, LZW, deflate or PackBits. What else the reference reads is refused by name.

use std::ops::Range;

use super::super::cost;
use super::lzw::{self, Order};
use super::orientation::Orientation;
use super::{BodyFault, Fault, Header, Kind, Picture, Pixels, Watch, palette_of};

/// Most strips or tiles.
const MOST_PARTS: u64 = 1 << 16;

pub(super) fn is(bytes: &[u8]) -> bool {
    matches!(bytes, [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..])
}

/// The directory of the first picture.
struct Directory<'a> {
    bytes: &'a [u8],
    big: bool,
    entries: &'a [u8],
    /// Where they begin.
    first: usize,
}

/// The values of a tag: how many, of how many bytes, and where.
struct Values {
    count: usize,
    size: usize,
    at: usize,
}

impl<'a> Directory<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let big = bytes.first() == Some(&b'M');
        let at = number(bytes, 4, 4, big)? as usize;
        let count = number(bytes, at, 2, big)? as usize;
        let entries = bytes.get(at + 2..at + 2 + 12 * count)?;
        Some(Self { bytes, big, entries, first: at + 2 })
    }

    fn find(&self, tag: u64) -> Option<Values> {
        let (index, entry) =
            self.entries.chunks_exact(12).enumerate().rfind(|(_, e)| number(e, 0, 2, self.big) == Some(tag))?;
        let size = match number(entry, 2, 2, self.big)? {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let count = number(entry, 4, 4, self.big)? as usize;
        let inside = count.checked_mul(size)? <= 4;
        let at = if inside { self.first + 12 * index + 8 } else { number(entry, 8, 4, self.big)? as usize };
        let end = at.checked_add(count * size)?;
        (end <= self.bytes.len()).then_some(Values { count, size, at })
    }

    fn get(&self, values: &Values, i: usize) -> Option<u64> {
        if i >= values.count {
            return None;
        }
        number(self.bytes, values.at + i * values.size, values.size, self.big)
    }

    /// The first value of a tag.
    fn one(&self, tag: u64) -> Option<u64> {
        self.find(tag).and_then(|values| self.get(&values, 0))
    }
}

fn number(bytes: &[u8], at: usize, size: usize, big: bool) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(size)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big { part.iter().fold(0, add) } else { part.iter().rev().fold(0, add) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Lzw,
    Deflate,
    PackBits,
}

/// How samples become channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bits,
    Grey {
        inverted: bool,
    },
    /// Channels as they are.
    Plain,
    Palette,
    /// Colours that were multiplied with their alpha.
    Multiplied,
    Inks,
}

struct Layout<'a> {
    directory: Directory<'a>,
    width: u32,
    height: u32,
    /// A part's width and height.
    part: [usize; 2],
    offsets: Values,
    counts: Option<Values>,
    packing: Packing,
    differences: bool,
    mode: Mode,
    /// Samples of a pixel in the file, those that are kept, and bits of each.
    samples: usize,
    kept: usize,
    bits: usize,
    orientation: Orientation,
}

/// `None` where the header is broken; within it why it is not read.
fn layout(bytes: &[u8]) -> Option<Result<Layout<'_>, Fault>> {
    if bytes.get(2..4)?.contains(&43) {
        return Some(Err(Fault::Coding("BigTIFF")));
    }
    let directory = Directory::read(bytes)?;
    let one = |tag: u64, default: u64| directory.one(tag).unwrap_or(default);
    let (width, height) = (directory.one(256)?, directory.one(257)?);
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let packing = match one(259, 1) {
        1 => Packing::None,
        5 => Packing::Lzw,
        8 | 32_946 => Packing::Deflate,
        32_773 => Packing::PackBits,
        6 | 7 => return Some(Err(Fault::Coding("TIFF with JPEG in it"))),
        2..=4 => return Some(Err(Fault::Coding("TIFF with fax codes"))),
        32_771 | 32_809 | 34_676 | 34_677 | 34_925 | 50_000 | 50_001 => {
            return Some(Err(Fault::Coding("TIFF of an unusual packing")));
        }
        // The reference does not open it.
        _ => return None,
    };
    let samples = usize::try_from(one(277, 1)).ok()?;
    let bits = directory.find(258);
    let bits_of = |i: usize| bits.as_ref().and_then(|v| directory.get(v, i).or_else(|| directory.get(v, 0)));
    let depth = bits_of(0).unwrap_or(1);
    let even = samples <= 6 && (0..samples).all(|i| bits_of(i).unwrap_or(1) == depth);
    let plain = even && one(284, 1) == 1 && one(266, 1) == 1 && one(339, 1) == 1;
    let extra = directory.find(338);
    let first_extra = extra.as_ref().and_then(|v| directory.get(v, 0));
    let extras = extra.as_ref().map_or(0, |v| v.count);
    let (mode, kept) = match (one(262, 0), depth, samples - extras.min(samples), first_extra) {
        _ if !plain => return Some(Err(Fault::Coding("TIFF of an unusual layout"))),
        (0 | 1, 1, 1, None) => (Mode::Bits, 1),
        (photo @ (0 | 1), 2 | 4 | 8, 1, None) => (Mode::Grey { inverted: photo == 0 }, 1),
        (1, 16, 1, None) => (Mode::Grey { inverted: false }, 1),
        (1, 8, 1, Some(2)) if samples == 2 => (Mode::Plain, 2),
        (2, 8 | 16, 3, None | Some(0)) => (Mode::Plain, 3),
        (2, 8 | 16, 4, None) | (2, 8 | 16, 3, Some(2)) => (Mode::Plain, 4),
        (2, 8, 3, Some(1)) => (Mode::Multiplied, 4),
        (3, 1 | 2 | 4 | 8, 1, None) => (Mode::Palette, 1),
        (5, 8, 4, None) => (Mode::Inks, 4),
        _ => return Some(Err(Fault::Coding("TIFF of an unusual layout"))),
    };
    let differences = match (one(317, 1), packing) {
        (1, _) | (_, Packing::None | Packing::PackBits) => false,
        (2, _) if depth == 8 => true,
        _ => return Some(Err(Fault::Coding("TIFF of an unusual prediction"))),
    };
    let tiled = directory.find(273).is_none();
    let (offsets, counts) = if tiled { (324, 325) } else { (273, 279) };
    let part = if tiled {
        [directory.one(322)?, directory.one(323)?]
    } else {
        [u64::from(width), one(278, u64::from(height)).min(u64::from(height))]
    };
    let part = part.map(|edge| edge as usize);
    let (offsets, counts) = (directory.find(offsets)?, directory.find(counts));
    if part.contains(&0) {
        // Of such tiles the reference makes something as long as they are not packed.
        let odd = tiled && packing == Packing::None;
        return Some(Err(if odd { Fault::Coding("TIFF of empty tiles") } else { Fault::Damaged("empty parts") }));
    }
    if part.iter().any(|edge| *edge > 1 << 20) {
        return Some(Err(Fault::Coding("TIFF of very large tiles")));
    }
    let bits = depth as usize;
    let orientation = directory.find(274).filter(|values| values.count == 1);
    let orientation = orientation.and_then(|values| directory.get(&values, 0)).unwrap_or(1);
    Some(Ok(Layout {
        directory,
        width,
        height,
        part,
        offsets,
        counts,
        packing,
        differences,
        mode,
        samples,
        kept,
        bits,
        orientation: Orientation::of(orientation),
    }))
}

impl Layout<'_> {
    /// Parts beside each other, and on top of each other.
    fn grid(&self) -> [usize; 2] {
        [(self.width as usize).div_ceil(self.part[0]), (self.height as usize).div_ceil(self.part[1])]
    }

    /// Bytes of a part's row.
    fn line(&self) -> usize {
        (self.part[0] * self.samples * self.bits).div_ceil(8)
    }

    /// The packed bytes of a part.
    fn packed(&self, index: usize) -> Option<&[u8]> {
        let at = self.directory.get(&self.offsets, index)? as usize;
        let length = self.counts.as_ref().and_then(|counts| self.directory.get(counts, index));
        let end = length.map_or(self.directory.bytes.len(), |length| at.saturating_add(length as usize));
        self.directory.bytes.get(at..end.min(self.directory.bytes.len()))
    }

    /// Unpacks a part of `rows` rows into `raw`.
    fn unpack(&self, index: usize, raw: &mut Vec<u8>, rows: usize, watch: Watch<'_>) -> Result<(), BodyFault> {
        let damaged = |what: &str| BodyFault::Damaged(what.to_owned());
        let packed = self.packed(index).ok_or_else(|| damaged("a part lies beyond the file"))?;
        let length = self.line() * rows;
        raw.clear();
        raw.resize(length, 0);
        let done = match self.packing {
            Packing::None => {
                // What is not packed goes on beyond the length that is given.
                let at = self.directory.get(&self.offsets, index).unwrap_or_default() as usize;
                let packed = self.directory.bytes.get(at..).unwrap_or_default();
                let some = packed.get(..length.min(packed.len())).unwrap_or_default();
                raw.get_mut(..some.len()).unwrap_or_default().copy_from_slice(some);
                some.len()
            }
            Packing::Lzw if matches!(packed, [0, second, ..] if second & 1 == 1) => {
                return Err(BodyFault::Coding("TIFF with LZW codes of the old kind"));
            }
            Packing::Lzw => lzw::unpack(packed, Order::High, 8, raw, watch).map_err(damaged)?,
            Packing::Deflate => inflate(packed, raw),
            Packing::PackBits => unpack_bits(packed, raw),
        };
        if done < length {
            return Err(damaged("pixels are missing"));
        }
        if self.differences {
            for row in raw.chunks_exact_mut(self.line().max(1)) {
                for i in self.samples..row.len() {
                    row[i] = row[i].wrapping_add(row[i - self.samples]);
                }
            }
        }
        Ok(())
    }

    /// A row's samples for the pixels `columns` of it.
    fn samples(&self, row: &[u8], columns: Range<usize>, out: &mut [u8]) {
        let big = self.directory.big;
        let most = ((1_u32 << self.bits.min(8)) - 1) as u8;
        let value = |i: usize| -> u8 {
            match self.bits {
                8 => row.get(i).copied().unwrap_or_default(),
                // Of colours the high byte counts, of grey the low one.
                16 => row.get(2 * i + usize::from(big == (self.kept == 1))).copied().unwrap_or_default(),
                bits => {
                    let byte = row.get(i * bits / 8).copied().unwrap_or_default();
                    byte >> (8 - bits - i * bits % 8) & most
                }
            }
        };
        for (pixel, slot) in columns.zip(out.chunks_exact_mut(self.kept)) {
            for (c, slot) in slot.iter_mut().enumerate() {
                *slot = value(pixel * self.samples + c);
                if let Mode::Grey { inverted } = self.mode {
                    let grey = if self.bits < 8 { *slot * (255 / most) } else { *slot };
                    *slot = if inverted { 255 - grey } else { grey };
                }
            }
            if self.mode == Mode::Multiplied
                && let [r, g, b, alpha @ 1..=254] = slot
            {
                let divided = |v: u8| (255 * u32::from(v) / u32::from(*alpha)).min(255) as u8;
                (*r, *g, *b) = (divided(*r), divided(*g), divided(*b));
            }
        }
    }

    /// Red, green and blue of the palette, which keeps all reds first, in 16 bits.
    fn palette(&self) -> Vec<u8> {
        let Some(values) = self.directory.find(320) else { return Vec::new() };
        let count = values.count / 3;
        let part = |i: usize| self.directory.get(&values, i).map_or(0, |v| (v / 256) as u8);
        (0..count.min(256)).flat_map(|i| [part(i), part(count + i), part(2 * count + i)]).collect()
    }
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let layout = match layout(bytes)? {
        Ok(layout) => layout,
        Err(fault) => {
            let fault = Some(fault);
            return Some(Header { width: 1, height: 1, depth: 1, alpha: false, working: 0, work: 0, fault });
        }
    };
    let pixels = u64::from(layout.width).saturating_mul(u64::from(layout.height));
    let depth = layout.kept as u64;
    let parts = (layout.grid()[0] as u64).saturating_mul(layout.grid()[1] as u64);
    let part = (layout.line() as u64).saturating_mul(layout.part[1] as u64);
    let raw = parts.saturating_mul(part);
    // Parts may share their bytes: each is unpacked anew.
    let packed = (0..parts.min(MOST_PARTS))
        .fold(0_u64, |sum, i| sum.saturating_add(layout.packed(i as usize).map_or(0, |packed| packed.len() as u64)));
    let each = if layout.packing == Packing::Deflate { cost::DEFLATED } else { 20 * cost::PACKED };
    let work = raw
        .saturating_mul(2 * cost::PLAIN)
        .saturating_add(pixels.saturating_mul(depth * 4 * cost::PLAIN))
        .saturating_add(packed.saturating_mul(each))
        .saturating_add(parts.saturating_mul(cost::TIFF_PART));
    let fault = (parts > MOST_PARTS).then_some(Fault::Coding("TIFF of very many parts"));
    let [width, height] = layout.orientation.size([layout.width, layout.height]);
    let turned = if layout.orientation.changes() { pixels.saturating_mul(depth) } else { 0 };
    Some(Header {
        width,
        height,
        depth,
        alpha: depth == 4,
        working: part.saturating_add(lzw::BYTES).saturating_add(turned),
        work: if fault.is_some() { 0 } else { work },
        fault,
    })
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let layout = layout(bytes).and_then(Result::ok).ok_or(BodyFault::Coding("no TIFF"))?;
    let [shown_width, shown_height] = layout.orientation.size([layout.width, layout.height]);
    if layout.mode == Mode::Bits {
        return Ok(Picture::plain(shown_width, shown_height, Pixels::Bits));
    }
    let (width, height) = (layout.width as usize, layout.height as usize);
    let mut out = vec![0; width * height * layout.kept];
    let [across, down] = layout.grid();
    let [part_width, part_height] = layout.part;
    let mut raw = Vec::new();
    for index in 0..across * down {
        let (left, top) = (index % across * part_width, index / across * part_height);
        // The last strip may be short; tiles are whole.
        let rows = if part_width >= width { part_height.min(height - top) } else { part_height };
        layout.unpack(index, &mut raw, rows, watch)?;
        let columns = part_width.min(width - left);
        for (y, row) in raw.chunks_exact(layout.line().max(1)).enumerate().take(height - top) {
            let at = ((top + y) * width + left) * layout.kept;
            let place = out.get_mut(at..at + columns * layout.kept).unwrap_or_default();
            layout.samples(row, 0..columns, place);
        }
    }
    if layout.orientation.changes() {
        out = layout.orientation.apply(&out, [width, height], layout.kept);
    }
    let pixels = match layout.mode {
        Mode::Palette => Pixels::Palette(out, palette_of(&layout.palette(), |_| 255)),
        _ => Pixels::Channels(layout.kept, out),
    };
    let kind = match layout.mode {
        Mode::Inks => Kind::Inks,
        Mode::Grey { .. } if layout.bits == 16 => Kind::Wide,
        _ => Kind::Plain,
    };
    Ok(Picture { kind, ..Picture::plain(shown_width, shown_height, pixels) })
}

/// How many bytes a zlib stream gave before `out` was full, or it ended or broke.
fn inflate(packed: &[u8], out: &mut [u8]) -> usize {
    use miniz_oxide::inflate::core::inflate_flags::{
        TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    };
    let mut state = miniz_oxide::inflate::core::DecompressorOxide::new();
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    miniz_oxide::inflate::core::decompress(&mut state, packed, out, 0, flags).2
}

/// How many bytes the runs gave before `out` was full.
fn unpack_bits(packed: &[u8], out: &mut [u8]) -> usize {
    let (mut from, mut done) = (0, 0);
    while done < out.len()
        && let Some(head) = packed.get(from)
    {
        let length = match head {
            0..=127 => usize::from(*head) + 1,
            128 => 0,
            129.. => 257 - usize::from(*head),
        };
        let place = out.get_mut(done..).unwrap_or_default();
        let length = length.min(place.len());
        let place = place.get_mut(..length).unwrap_or_default();
        if *head < 128 {
            let Some(some) = packed.get(from + 1..from + 1 + length) else { break };
            place.copy_from_slice(some);
            from += 2 + usize::from(*head);
        } else {
            let Some(byte) = packed.get(from + 1) else { break };
            place.fill(*byte);
            from += if *head == 128 { 1 } else { 2 };
        }
        done += length;
    }
    done
}
