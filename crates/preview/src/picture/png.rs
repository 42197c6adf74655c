//! PNG pictures: gamma, colour profiles and the transparent colour of non-palette images are ignored.

use png::{BitDepth, ColorType, DecodeOptions, Decoder, Transformations};

use super::super::cost;
use super::super::limits::MAX_WORK;
use super::chunks::{ChunkFault, Chunks};
use super::deflate;
use super::short::{self, Rows};
use super::watched::Watched;
use super::{BodyFault, Fault, Header, Kind, Picture, Pixels, Watch, palette_of};

/// The length of the PNG signature.
const SIGNATURE: usize = 8;

/// Reads the chunks before the first image data, checksums included.
pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let mut at = SIGNATURE;
    let mut header: Option<Header> = None;
    let mut chunks = Chunks::default();
    loop {
        let length = u32::from_be_bytes(*bytes.get(at..at + 4)?.first_chunk()?) as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        // A part of an animation counts as pixels, if it is the right one.
        if kind == b"fdAT" {
            let end = bytes.len().min((at + 8).checked_add(length)?);
            chunks.read(kind, bytes.get(at + 8..end)?).ok()?;
        }
        if matches!(kind, b"IDAT" | b"fdAT") {
            let header = header?;
            let blocks = cost::PNG_BLOCK * blocks(bytes.get(at..).unwrap_or_default());
            let part = || chunks.are_part().then_some(PART);
            let fault = header.fault.or_else(part).or_else(|| after(bytes, at, &mut chunks));
            let fault = fault.or_else(|| chunks.are_too_clear().then_some(TOO_CLEAR));
            return Some(Header { work: header.work.saturating_add(blocks), fault, ..header });
        }
        let end = (at + 8).checked_add(length)?;
        let data = bytes.get(at + 8..end)?;
        let sum = u32::from_be_bytes(*bytes.get(end..end + 4)?.first_chunk()?);
        if crc32fast::hash(bytes.get(at + 4..end)?) != sum || !is_name(kind) {
            return None;
        }
        match chunks.read(kind, data) {
            Ok(()) => {}
            Err(ChunkFault::Broken) => return None,
            Err(ChunkFault::TooMuch) => {
                let fault = Some(TOO_MUCH);
                header = header.map(|header| Header { fault, ..header });
            }
        }
        if kind == b"IHDR" {
            header = Some(read_ihdr(data, bytes.len())?);
        } else if kind == b"IEND" {
            return None;
        }
        at = end + 4;
    }
}

/// Whether the reference's image library takes this for the name of a chunk.
fn is_name(kind: &[u8]) -> bool {
    kind.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The part of a chunk that continues the pixels.
fn pixels_of<'a>(kind: &[u8], body: &'a [u8]) -> Option<&'a [u8]> {
    match kind {
        b"IDAT" | b"DDAT" => Some(body),
        // Behind its number.
        b"fdAT" => Some(body.get(4..).unwrap_or_default()),
        _ => None,
    }
}

/// What is wrong with the chunks after the image data, which the reference reads once it has the pixels.
fn after(bytes: &[u8], mut at: usize, chunks: &mut Chunks) -> Option<Fault> {
    let (mut data, first, animated) = (true, at, chunks.is_animated());
    loop {
        let length = u32::from_be_bytes(*bytes.get(at..at + 4)?.first_chunk()?) as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        data &= pixels_of(kind, &[]).is_some();
        if kind == b"IEND" || animated && kind == b"fcTL" || !is_name(kind) {
            return None;
        }
        let end = (at + 8).checked_add(length);
        let body = end.and_then(|end| bytes.get(at + 8..end));
        match (body, data) {
            (Some(_), true) if kind != b"fdAT" || at == first => {}
            (Some(body), _) => match chunks.read(kind, body) {
                Ok(()) => {}
                Err(ChunkFault::Broken) => return Some(Fault::Damaged("a chunk after the pixels")),
                Err(ChunkFault::TooMuch) => return Some(TOO_MUCH),
            },
            // A stream that is cut is found where it is read.
            (None, true) => return None,
            (None, false) => return Some(Fault::Damaged("a chunk after the pixels is cut short")),
        }
        at = end?.checked_add(4)?;
    }
}

const PART: Fault = Fault::Coding("PNG whose first frame is smaller than the picture");
const TOO_CLEAR: Fault = Fault::Damaged("transparency of more than 256 colours");
const TOO_MUCH: Fault = Fault::Coding("PNG with very much packed text");

/// Most blocks of the packed data that begins with these chunks. Few bytes are not looked through.
fn blocks(mut chunks: &[u8]) -> u64 {
    /// Beyond so many blocks a picture is too dear, whatever it has more.
    const MOST: u64 = MAX_WORK / cost::PNG_BLOCK;
    const FEW: usize = 512 << 10;
    let data = std::iter::from_fn(move || {
        let (head, rest) = chunks.split_first_chunk::<8>()?;
        let [l0, l1, l2, l3, kind @ ..] = *head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let body = rest.get(..length).unwrap_or(rest);
        chunks = rest.get(length.saturating_add(4)..).unwrap_or_default();
        pixels_of(&kind, body)
    });
    let parts: Vec<&[u8]> = data.collect();
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    if bytes <= FEW {
        return bytes as u64 / cost::PNG_BLOCK_BYTES;
    }
    deflate::blocks(parts.into_iter(), MOST).unwrap_or_default()
}

fn read_ihdr(data: &[u8], file: usize) -> Option<Header> {
    let &[w0, w1, w2, w3, h0, h1, h2, h3, bits, color, _, filter, interlace] = data.first_chunk::<13>()?;
    let samples = match (color, bits) {
        (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
        (2, 8 | 16) => 3,
        (4, 8 | 16) => 2,
        (6, 8 | 16) => 4,
        _ => return None,
    };
    let width = u32::from_be_bytes([w0, w1, w2, w3]);
    let height = u32::from_be_bytes([h0, h1, h2, h3]);
    let raw = (u64::from(width) * u64::from(height)).saturating_mul(samples * u64::from(bits.div_ceil(8)));
    // The file is copied without what is not needed; only interlaced rows are first put together, then unpacked.
    let working = if interlace == 0 || bits == 8 { file as u64 } else { raw.saturating_add(file as u64) };
    let work = raw.saturating_mul(cost::PNG).saturating_add(cost::PACKED * file as u64);
    // Grey of 16 bits with an alpha becomes colours.
    let (depth, alpha) = if (color, bits) == (4, 16) { (4, true) } else { (samples, matches!(color, 3 | 6)) };
    let header = Header { width, height, depth, alpha, working, work, fault: None };
    (filter == 0).then_some(header)
}

/// Decodes the image data. What is not needed for it is left away: other chunks, their checksums, and
/// the end mark, which a cut file may lack.
pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let damaged = |e: png::DecodingError| BodyFault::Damaged(e.to_string());
    let bytes = essence(bytes);
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_ignore_crc(true);
    let mut decoder = Decoder::new_with_options(Watched::new(&bytes, watch), options);
    decoder.set_limits(png::Limits { bytes: 1 << 30 });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    let layout = Layout { color: info.color_type, bits: info.bit_depth, width: width as usize };
    let palette = (info.color_type == ColorType::Indexed).then(|| {
        let (palette, alpha) = (info.palette.as_deref(), info.trns.as_deref());
        let alpha = alpha.unwrap_or_default();
        let mut colors = palette.unwrap_or_default().to_vec();
        // Those that are missing are black.
        colors.resize(3 * 256, 0);
        palette_of(&colors, |i| alpha.get(i).copied().unwrap_or(255))
    });
    let interlaced = info.interlaced;
    let all = if interlaced { whole(&mut reader, &layout) } else { by_rows(&mut reader, &layout, watch) };
    let out = all.or_else(|fault| {
        drop(reader);
        let rows = Rows { width: layout.width, height: height as usize, bits: layout.pixel_bits(), interlaced };
        missing(&bytes, &rows, &layout, watch).ok_or(fault)
    })?;
    let pixels = match (layout.color, layout.bits, palette) {
        (ColorType::Grayscale, BitDepth::One, _) => Pixels::Bits,
        (_, _, Some(palette)) => Pixels::Palette(out, palette),
        (_, _, None) => Pixels::Channels(layout.channels(), out),
    };
    let wide = layout.color == ColorType::Grayscale && layout.bits == BitDepth::Sixteen;
    Ok(Picture { width, height, pixels, kind: if wide { Kind::Wide } else { Kind::Plain } })
}

type Reader<'a> = png::Reader<Watched<'a>>;

fn whole(reader: &mut Reader<'_>, layout: &Layout) -> Result<Vec<u8>, BodyFault> {
    let height = reader.info().height as usize;
    let size = reader.output_buffer_size().ok_or(BodyFault::Coding("too large"))?;
    let mut raw = vec![0; size];
    let frame = reader.next_frame(&mut raw).map_err(|e| BodyFault::Damaged(e.to_string()))?;
    Ok(layout.unpack_all(raw, frame.line_size, height))
}

fn by_rows(reader: &mut Reader<'_>, layout: &Layout, watch: Watch<'_>) -> Result<Vec<u8>, BodyFault> {
    let mut out = Vec::new();
    out.reserve_exact(layout.bytes(reader.info().height as usize));
    while let Some(row) = reader.next_row().map_err(|e| BodyFault::Damaged(e.to_string()))? {
        if watch.stopped() {
            return Err(BodyFault::Damaged("stopped".to_owned()));
        }
        layout.unpack(row.data(), &mut out);
    }
    Ok(out)
}

/// The samples where the stream ends before all rows are there.
fn missing(bytes: &[u8], rows: &Rows, layout: &Layout, watch: Watch<'_>) -> Option<Vec<u8>> {
    let mut out = vec![0; layout.bytes(rows.height)];
    let (line, size) = (layout.bytes(1), layout.channels());
    let mut samples = Vec::with_capacity(line);
    short::rows(data(bytes), rows, watch, |y, [first, step], row| {
        samples.clear();
        layout.unpack(row, &mut samples);
        let place = out.get_mut(y * line + first * size..(y + 1) * line).unwrap_or_default();
        for (place, pixel) in place.chunks_mut(size * step).zip(samples.chunks_exact(size)) {
            place.get_mut(..size).unwrap_or_default().copy_from_slice(pixel);
        }
    })?;
    Some(out)
}

/// The image data of a file with nothing but the essence.
fn data(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<8>()?;
        let [l0, l1, l2, l3, kind @ ..] = *head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        rest = tail.get(length + 4..).unwrap_or_default();
        Some(if kind == *b"IDAT" { tail.get(..length).unwrap_or_default() } else { &[] })
    })
}

/// How the rows of a picture become bytes of whole samples.
struct Layout {
    color: ColorType,
    bits: BitDepth,
    width: usize,
}

impl Layout {
    /// Bytes of the result.
    fn bytes(&self, height: usize) -> usize {
        if self.is_bits() { 0 } else { self.width * height * self.channels() }
    }

    /// Bytes of a pixel of the result.
    fn channels(&self) -> usize {
        if self.is_wide_grey_alpha() { 4 } else { self.color.samples() }
    }

    /// Bits of a pixel in the file.
    fn pixel_bits(&self) -> usize {
        self.color.samples() * self.bits as usize
    }

    /// The reference opens it as colours.
    fn is_wide_grey_alpha(&self) -> bool {
        (self.color, self.bits) == (ColorType::GrayscaleAlpha, BitDepth::Sixteen)
    }

    /// Nobody looks at the pixels of a picture in black and white.
    fn is_bits(&self) -> bool {
        self.color == ColorType::Grayscale && self.bits == BitDepth::One
    }

    /// Appends a row's samples.
    fn unpack(&self, row: &[u8], out: &mut Vec<u8>) {
        match (self.color, self.bits) {
            _ if self.is_bits() => {}
            (_, BitDepth::Eight) => out.extend_from_slice(row),
            // The reference keeps the high byte of colours, but of plain grey, which it loads as 16 bits
            // and then wraps, the low one.
            (ColorType::Grayscale, BitDepth::Sixteen) => out.extend(row.as_chunks::<2>().0.iter().map(|pair| pair[1])),
            _ if self.is_wide_grey_alpha() => {
                out.extend(row.as_chunks::<4>().0.iter().flat_map(|[grey, _, alpha, _]| [*grey, *grey, *grey, *alpha]));
            }
            (_, BitDepth::Sixteen) => out.extend(row.as_chunks::<2>().0.iter().map(|pair| pair[0])),
            (color, bits) => {
                let step = match (color, bits) {
                    (ColorType::Grayscale, BitDepth::Two) => 85,
                    (ColorType::Grayscale, BitDepth::Four) => 17,
                    _ => 1,
                };
                let (bits, mask) = (bits as usize, (1_u8 << bits as u8) - 1);
                let samples = row
                    .iter()
                    .flat_map(|byte| (0..8 / bits).map(move |i| (byte >> (8 - bits - i * bits) & mask) * step));
                // The last byte of a row may be filled up.
                out.extend(samples.take(self.width));
            }
        }
    }

    fn unpack_all(&self, raw: Vec<u8>, line: usize, height: usize) -> Vec<u8> {
        if self.bits == BitDepth::Eight {
            return raw;
        }
        let mut out = Vec::with_capacity(self.bytes(height));
        raw.chunks_exact(line.max(1)).for_each(|row| self.unpack(row, &mut out));
        out
    }
}

/// The file with only its header, the last palette and transparency of a picture that has them, and the first run of
/// image data. Checksums are left zero.
fn essence(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.get(..SIGNATURE).unwrap_or_default().to_vec();
    let mut at = SIGNATURE;
    let mut data = false;
    let (mut indexed, mut palette, mut alpha) = (false, None, None);
    while let (Some(length), Some(kind)) = (bytes.get(at..at + 4), bytes.get(at + 4..at + 8)) {
        let length = length.first_chunk().map_or(0, |b| u32::from_be_bytes(*b) as usize);
        let end = (at + 8).saturating_add(length).min(bytes.len());
        let body = bytes.get(at + 8..end).unwrap_or_default();
        let pixels = pixels_of(kind, body).filter(|_| data || kind != b"DDAT");
        if data && pixels.is_none() {
            break;
        }
        if let Some(pixels) = pixels {
            for (kind, body) in [(b"PLTE", &mut palette), (b"tRNS", &mut alpha)] {
                if let Some(body) = body.take().filter(|_| indexed) {
                    put_chunk(&mut out, kind, body);
                }
            }
            put_chunk(&mut out, b"IDAT", pixels);
            data = true;
        }
        match kind {
            b"IHDR" => {
                indexed = body.get(9) == Some(&3);
                put_chunk(&mut out, kind, body);
            }
            // Whole colours count, as long as there are not too many.
            b"PLTE" => {
                let whole = if body.len() / 3 > 256 { body.len() } else { body.len() / 3 * 3 };
                palette = body.get(..whole).filter(|body| !body.is_empty());
            }
            b"tRNS" => alpha = Some(body),
            _ => {}
        }
        at = end.saturating_add(4);
    }
    put_chunk(&mut out, b"IEND", &[]);
    out
}

fn put_chunk(out: &mut Vec<u8>, kind: &[u8], body: &[u8]) {
    out.extend((body.len() as u32).to_be_bytes());
    out.extend(kind);
    out.extend(body);
    out.extend([0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(color: ColorType, bits: BitDepth, width: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, 2);
        encoder.set_color(color);
        encoder.set_depth(bits);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![1, 2, 3, 4, 5, 6]);
            encoder.set_trns(vec![7]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    fn channels(bytes: &[u8]) -> (usize, Vec<u8>) {
        match read(bytes, Watch::NONE).unwrap().pixels {
            Pixels::Channels(n, data) => (n, data),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blocks_that_hold_nothing_count_before_anything_is_decoded() {
        let start = encode(ColorType::Rgb, BitDepth::Eight, 2, &[0; 12]);
        let at = start.windows(4).position(|kind| kind == b"IDAT").unwrap() - 4;
        let with = |blocks: usize| {
            let mut bytes = start[..at].to_vec();
            put_chunk(&mut bytes, b"IDAT", &[&[0x78, 1][..], &[0, 0, 0, 255, 255].repeat(blocks)].concat());
            open(&bytes).unwrap().work
        };
        let (few, many) = (with(200_000), with(400_000));
        assert!(few > 200_000 * cost::PNG_BLOCK && many > few + 200_000 * cost::PNG_BLOCK, "{few}, {many}");
    }

    #[test]
    fn layouts_follow_the_reference() {
        let rgb = encode(ColorType::Rgb, BitDepth::Eight, 1, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(channels(&rgb), (3, vec![1, 2, 3, 4, 5, 6]));
        let grey16 = encode(ColorType::Grayscale, BitDepth::Sixteen, 1, &[1, 2, 3, 4]);
        assert_eq!(channels(&grey16), (1, vec![2, 4]));
        let both16 = encode(ColorType::GrayscaleAlpha, BitDepth::Sixteen, 1, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(channels(&both16), (4, vec![1, 1, 1, 3, 5, 5, 5, 7]));
        let grey2 = encode(ColorType::Grayscale, BitDepth::Two, 3, &[0b0001_1000, 0b1100_0000]);
        assert_eq!(channels(&grey2), (1, vec![0, 85, 170, 255, 0, 0]));
        let bits = encode(ColorType::Grayscale, BitDepth::One, 3, &[0, 0]);
        assert_eq!(read(&bits, Watch::NONE).unwrap().pixels, Pixels::Bits);
    }

    #[test]
    fn palettes_keep_indices_and_transparency() {
        let bytes = encode(ColorType::Indexed, BitDepth::Four, 2, &[0x01, 0x10]);
        let Pixels::Palette(indices, palette) = read(&bytes, Watch::NONE).unwrap().pixels else { panic!() };
        assert_eq!(indices, [0, 1, 1, 0]);
        assert_eq!(palette[..3], [[1, 2, 3, 7], [4, 5, 6, 255], [0, 0, 0, 255]]);
    }

    #[test]
    fn a_cut_body_is_damage_and_a_cut_header_is_not_opened() {
        let noise: Vec<u8> = (0..600_u32).map(|i| (i * i % 251) as u8).collect();
        let bytes = encode(ColorType::Rgb, BitDepth::Eight, 100, &noise);
        assert!(open(&bytes).is_some());
        assert!(open(&bytes[..40]).is_none());
        assert!(matches!(read(&bytes[..bytes.len() - 60], Watch::NONE), Err(BodyFault::Damaged(_))));
        let mut bad_sum = bytes;
        bad_sum[30] ^= 1;
        assert!(open(&bad_sum).is_none());
    }
}
