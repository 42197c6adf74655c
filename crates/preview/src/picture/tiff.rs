//! TIFF pictures in the common layouts: samples of whole bytes (or bits of grey), interleaved, in strips or tiles;
//! plain, LZW, deflate or PackBits. The other layouts that the reference reads are refused by name.

mod directory;

use std::ops::Range;

use super::super::cost;
use super::lzw;
use super::orientation::Orientation;
use super::{BodyFault, Fault, Header, Kind, Picture, Pixels, Watch, palette_of};
use directory::{Directory, Values};

pub(super) use directory::is;

/// Most strips or tiles.
const MOST_PARTS: u64 = 1 << 16;

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
    /// Colours premultiplied by their alpha.
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
    /// Samples per pixel in the file, samples kept, bits per sample.
    samples: usize,
    kept: usize,
    bits: usize,
    orientation: Orientation,
}

/// How a layout that the reference knows is treated here.
#[derive(Clone, Copy)]
enum Known {
    /// Mode, samples per pixel, samples kept, bits per sample.
    Read(Mode, usize, usize, u64),
    Unread(&'static str),
}

const UNUSUAL: &str = "TIFF of an unusual layout";

/// Looks the layout up in the reference's table; `None` if it is not listed there.
fn known(directory: &Directory<'_>, photo: u64, samples: u64) -> Option<Known> {
    let mut bits = directory.list(258, &[1])?;
    let extra = directory.list(338, &[])?;
    let samples = usize::try_from(samples).ok().filter(|samples| (1..=6).contains(samples))?;
    match bits[..] {
        [one] => bits.resize(samples, one),
        _ => bits.truncate(samples),
    }
    let depth = *bits.first()?;
    if bits.len() != samples || bits.iter().any(|other| *other != depth) {
        return None;
    }
    let form = match directory.list(339, &[1])?[..] {
        [form] => form,
        // If there are several, all must be 1.
        _ => {
            let values = directory.find(339)?;
            (0..values.count).all(|i| directory.get(&values, i) == Some(1)).then_some(1)?
        }
    };
    let big = directory.big;
    let read = |mode, kept| Some(Known::Read(mode, samples, kept, depth));
    let unread = Some(Known::Unread(UNUSUAL));
    match (directory.one(266, 1)?, form) {
        (1, 1) => {}
        (1, 2) => {
            return match (photo, depth, samples, &extra[..]) {
                (1, 8, 1, []) => read(Mode::Grey { inverted: false }, 1),
                (1, 16 | 32, 1, []) => unread,
                _ => None,
            };
        }
        (1, 3) => return if (photo, depth, samples) == (photo & 1, 32, 1) && extra.is_empty() { unread } else { None },
        (2, 1) => {
            let known = match (photo, depth, samples) {
                (0 | 1 | 3, 1 | 2 | 4 | 8, 1) | (2, 8, 3) => true,
                (1, 16, 1) => !big,
                _ => false,
            };
            return if known && extra.is_empty() { unread } else { None };
        }
        _ => return None,
    }
    match (photo, depth, samples, &extra[..]) {
        (0 | 1, 1, 1, []) => read(Mode::Bits, 1),
        (0 | 1, 2 | 4 | 8, 1, []) => read(Mode::Grey { inverted: photo == 0 }, 1),
        (1, 16, 1, []) => read(Mode::Grey { inverted: false }, 1),
        (0, 16, 1, []) | (1, 12 | 32, 1, []) if !big => unread,
        (1, 8, 2, [2]) => read(Mode::Plain, 2),
        (2, 8 | 16, 3, []) | (2, 8 | 16, 4, [0]) | (2, 8, 5, [0, 0]) | (2, 8, 6, [0, 0, 0]) => read(Mode::Plain, 3),
        (2, 8 | 16, 4, [] | [2]) | (2, 8, 4, [999]) | (2, 8, 5, [2, 0]) | (2, 8, 6, [2, 0, 0]) => read(Mode::Plain, 4),
        (2, 8, 4, [1]) | (2, 8, 5, [1, 0]) | (2, 8, 6, [1, 0, 0]) => read(Mode::Multiplied, 4),
        (3, 1 | 2 | 4 | 8, 1, []) | (3, 8, 2, [0]) => read(Mode::Palette, 1),
        (5, 8, 4, []) | (5, 8, 5, [0]) | (5, 8, 6, [0, 0]) => read(Mode::Inks, 4),
        (2 | 5, 16, 4, [] | [1]) if (photo == 2) != extra.is_empty() => unread,
        (3, 8, 2, [2]) | (6, 8, 1, []) | (6 | 8, 8, 3, []) => unread,
        _ => None,
    }
}

/// `None` if the reference does not open the file; `Err` if it does and the file is refused here.
fn layout(bytes: &[u8]) -> Option<Result<Layout<'_>, Fault>> {
    let directory = Directory::read(bytes)?;
    let compression = directory.one(259, 1)?;
    let packing = match compression {
        1 => Ok(Packing::None),
        5 => Ok(Packing::Lzw),
        8 | 32_946 => Ok(Packing::Deflate),
        32_773 => Ok(Packing::PackBits),
        6 | 7 => Err("TIFF with JPEG in it"),
        2..=4 => Err("TIFF with fax codes"),
        32_771 | 32_809 | 34_676 | 34_677 | 34_925 | 50_000 | 50_001 => Err("TIFF of an unusual packing"),
        // The reference does not open it.
        _ => return None,
    };
    let edge = |tag: u64| directory.find(tag).and_then(|_| directory.one(tag, 0)).filter(|edge| *edge > 0);
    let (width, height) = (edge(256)?, edge(257)?);
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let photo = if compression == 6 { 6 } else { directory.one(262, 0)? };
    let samples = directory.one(277, if compression == 6 { 3 } else { 1 })?;
    let known = known(&directory, photo, samples)?;
    if matches!(known, Known::Read(Mode::Palette, ..)) {
        directory.find(320).filter(Values::are_numbers)?;
    }
    if packing == Ok(Packing::None) {
        if directory.find(273).is_some() {
            directory.one(278, 0)?;
        } else {
            [322, 323, 324].iter().try_for_each(|tag| directory.find(*tag).map(|_| ()))?;
            [322, 323].iter().try_for_each(|tag| directory.one(*tag, 0).map(|_| ()))?;
        }
    }
    Some(read_layout(directory, (width, height), packing, known))
}

/// Reads the layout of the parts of a file that the reference opens.
fn read_layout<'a>(
    directory: Directory<'a>,
    (width, height): (u32, u32),
    packing: Result<Packing, &'static str>,
    known: Known,
) -> Result<Layout<'a>, Fault> {
    let packing = packing.map_err(Fault::Coding)?;
    let plain = packing == Packing::None;
    if !plain && directory.torn {
        return Err(Fault::Damaged("a directory that is cut"));
    }
    let (mode, samples, kept, depth) = match known {
        Known::Read(mode, samples, kept, depth) => (mode, samples, kept, depth),
        Known::Unread(why) => return Err(Fault::Coding(why)),
    };
    let find = |tag: u64| if plain { directory.find(tag) } else { directory.stored(tag) };
    let one = |tag: u64| find(tag).and_then(|values| directory.get(&values, 0));
    if one(284).is_some_and(|planes| planes != 1) {
        return Err(Fault::Coding(UNUSUAL));
    }
    let differences = match (one(317).unwrap_or(1), packing) {
        (1, _) | (_, Packing::None | Packing::PackBits) => false,
        (2, _) if depth == 8 => true,
        _ => return Err(Fault::Coding("TIFF of an unusual prediction")),
    };
    let tiled = find(273).is_none();
    let (offsets, counts) = if tiled { (324, 325) } else { (273, 279) };
    let missing = Fault::Damaged("parts without a place or a size");
    let whole = (u64::from(width), u64::from(height));
    let part = if tiled {
        [one(322).ok_or(missing)?, one(323).ok_or(missing)?]
    } else {
        [whole.0, one(278).unwrap_or(whole.1).min(whole.1)]
    };
    let part = part.map(|edge| edge as usize);
    let (offsets, counts) = (find(offsets).ok_or(missing)?, find(counts));
    if part.contains(&0) {
        // The reference draws something for unpacked tiles of this kind.
        return Err(if tiled && plain { Fault::Coding("TIFF of empty tiles") } else { Fault::Damaged("empty parts") });
    }
    if part.iter().any(|edge| *edge > 1 << 20) {
        return Err(Fault::Coding("TIFF of very large tiles"));
    }
    let orientation = directory.find(274).filter(|values| values.count == 1 && values.are_numbers());
    let orientation = orientation.and_then(|values| directory.get(&values, 0)).unwrap_or(1);
    Ok(Layout {
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
        bits: depth as usize,
        orientation: Orientation::of(orientation),
    })
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

    /// Where a part begins. If each plain part covers the whole picture, the last one counts.
    fn place(&self, index: usize) -> Option<usize> {
        let whole = self.part == [self.width as usize, self.height as usize];
        let last = whole && self.packing == Packing::None;
        let index = if last { self.offsets.count.saturating_sub(1) } else { index };
        self.directory.get(&self.offsets, index).map(|at| at as usize)
    }

    /// The packed bytes of a part.
    fn packed(&self, index: usize) -> Option<&[u8]> {
        let at = self.place(index)?;
        let length = self.counts.as_ref().and_then(|counts| self.directory.get(counts, index));
        // Plain parts may be longer than their stated size.
        let length = length.filter(|_| self.packing != Packing::None);
        let end = length.map_or(self.directory.bytes.len(), |length| at.saturating_add(length as usize));
        self.directory.bytes.get(at..end.min(self.directory.bytes.len()))
    }

    /// Unpacks a part of `rows` rows into `raw`.
    fn unpack(&self, index: usize, raw: &mut Vec<u8>, rows: usize, watch: Watch<'_>) -> Result<(), BodyFault> {
        let damaged = |what: &str| BodyFault::Damaged(what.to_owned());
        if self.packing == Packing::None && self.place(index).is_none() {
            // Missing plain parts stay black.
            raw.clear();
            return Ok(());
        }
        let packed = self.packed(index).ok_or_else(|| damaged("a part lies beyond the file"))?;
        let length = self.line() * rows;
        raw.clear();
        raw.resize(length, 0);
        let done = match self.packing {
            Packing::None => {
                let some = packed.get(..length.min(packed.len())).unwrap_or_default();
                raw.get_mut(..some.len()).unwrap_or_default().copy_from_slice(some);
                some.len()
            }
            Packing::Lzw if matches!(packed, [0, second, ..] if second & 1 == 1) => {
                return Err(BodyFault::Coding("TIFF with LZW codes of the old kind"));
            }
            Packing::Lzw => lzw::unpack(packed, raw, watch).map_err(damaged)?,
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
                // Colours use the high byte, grey the low one.
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

    /// The palette as RGB. The file stores all reds first, then greens, then blues, 16 bits each. Without
    /// one it is a ramp of grey.
    fn palette(&self) -> Vec<u8> {
        let Some(values) = self.directory.find(320) else {
            return (0..=255).flat_map(|grey| [grey; 3]).collect();
        };
        let count = values.count / 3;
        let part = |i: usize| self.directory.get(&values, i).map_or(0, |v| (v / 256) as u8);
        (0..count.min(256)).flat_map(|i| [part(i), part(count + i), part(2 * count + i)]).collect()
    }
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let layout = match layout(bytes)? {
        Ok(layout) => layout,
        Err(fault) => return Some(Header::faulty(fault)),
    };
    let pixels = u64::from(layout.width).saturating_mul(u64::from(layout.height));
    let depth = layout.kept as u64;
    let parts = (layout.grid()[0] as u64).saturating_mul(layout.grid()[1] as u64);
    let part = (layout.line() as u64).saturating_mul(layout.part[1] as u64);
    let raw = parts.saturating_mul(part);
    // Parts may share bytes; each is unpacked separately.
    let packed = (0..parts.min(MOST_PARTS))
        .fold(0_u64, |sum, i| sum.saturating_add(layout.packed(i as usize).map_or(0, |packed| packed.len() as u64)));
    let each = match layout.packing {
        Packing::None => 0,
        Packing::Deflate => cost::DEFLATED,
        Packing::Lzw | Packing::PackBits => 20 * cost::PACKED,
    };
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

/// Inflates until `out` is full or the stream ends or breaks; returns the number of bytes written.
fn inflate(packed: &[u8], out: &mut [u8]) -> usize {
    use miniz_oxide::inflate::core::inflate_flags::{
        TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    };
    let mut state = miniz_oxide::inflate::core::DecompressorOxide::new();
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    miniz_oxide::inflate::core::decompress(&mut state, packed, out, 0, flags).2
}

/// Expands runs until `out` is full or they end; returns the number of bytes written.
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
