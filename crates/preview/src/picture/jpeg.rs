//! JPEG pictures: grey, colour, and four-channel ones, whose K ends up as alpha.

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::super::cost;
use super::copy::{self, Colors};
use super::scan::{self, Parts};
use super::scans;
use super::watched::Watched;
use super::{BodyFault, Header, Kind, Picture, Pixels, Watch};

/// The frame header and what the segments around it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    components: u8,
    /// The start-of-frame marker: which coding process.
    process: u8,
    /// A marker before the scan is not allowed there.
    misplaced: bool,
    /// Coefficients of all components.
    coefficients: u64,
    /// The first scan has them all, and each part of the picture is done at once.
    pub(super) one_pass: bool,
}

impl Frame {
    pub(super) fn is_progressive(&self) -> bool {
        self.process == 0xc2
    }
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let (frame, scan) = walk(bytes)?;
    let depth = u64::from(frame.components);
    let all = if frame.one_pass && !frame.is_progressive() { 0 } else { 2 * frame.coefficients };
    let (scans, tables) = repeats(bytes, scan);
    let scans = if frame.is_progressive() { scans.min(MOST_SCANS) } else { 1 };
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    // Each scan of a progressive file is followed before it is decoded.
    let followed = if frame.is_progressive() { 2 } else { 1 };
    let work = cost::JPEG * pixels * depth
        + followed * cost::JPEG_SCAN * scans * frame.coefficients / 64
        + cost::JPEG_TABLE * tables
        + followed * cost::JPEG_PACKED * bytes.len() as u64;
    // Beside all coefficients, rows of some, and copies of what the segments hold.
    let all = all + if frame.is_progressive() { 0 } else { FILLED * frame.coefficients / 64 + bytes.len() as u64 };
    let copy = (copy::MORE + bytes.len()) as u64;
    let working = all + 512 * u64::from(frame.width) + 2 * bytes.len() as u64 + copy;
    Some(Header {
        width: frame.width,
        height: frame.height,
        depth,
        alpha: frame.components == 4,
        working,
        work,
        fault: None,
    })
}

/// Most bytes of a block without coefficients, in a scan that is filled up.
const FILLED: u64 = 5;

/// Scans that the decoder follows.
const MOST_SCANS: u64 = 100;

/// The number of scans and the bytes of all Huffman tables: both cost far more than their size.
fn repeats(bytes: &[u8], scan: usize) -> (u64, u64) {
    let (mut at, mut tables) = (2, 0);
    while at < scan
        && let Some((marker, data, end)) = segment(bytes, at)
    {
        tables += if marker == 0xc4 { data.len() as u64 } else { 0 };
        at = end;
    }
    let mut scans = 1;
    for (i, pair) in bytes.windows(2).enumerate().skip(scan) {
        match pair {
            [0xff, 0xda] => scans += 1,
            [0xff, 0xc4] => tables += segment(bytes, i).map_or(0, |(_, data, _)| data.len() as u64),
            _ => {}
        }
    }
    (scans, tables)
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let (frame, _) = walk(bytes).ok_or(BodyFault::Coding("no frame header"))?;
    if !matches!(frame.process, 0xc0..=0xc2) {
        return Err(BodyFault::Coding("neither baseline nor progressive 8-bit JPEG"));
    }
    if frame.misplaced {
        return Err(BodyFault::Damaged("a marker out of place".to_owned()));
    }
    let (space, channels) = match frame.components {
        1 => (ColorSpace::Luma, 1),
        3 => (ColorSpace::RGB, 3),
        4 => (ColorSpace::CMYK, 4),
        _ => return Err(BodyFault::Coding("JPEG of an odd count of components")),
    };
    let fault = || BodyFault::Damaged("a scan of components that the frame lacks".to_owned());
    let (bytes, colors) = copy::copy(bytes, &frame).ok_or_else(fault)?;
    let bytes = bytes.as_slice();
    let (_, scan) = walk(bytes).ok_or(BodyFault::Coding("no frame header"))?;
    if frame.is_progressive() && !scans::are_whole(bytes, &frame, watch) {
        return Err(BodyFault::Coding("progressive JPEG whose scans are incomplete"));
    }
    let parts = if frame.is_progressive() { None } else { scan::parts(bytes, &frame, scan, watch) };
    let cut = parts.as_ref().map_or_else(|| !has_end(bytes, scan), |parts| parts.cut);
    if cut {
        return Err(BodyFault::Damaged("JPEG without its end".to_owned()));
    }
    if parts.as_ref().is_some_and(|parts| parts.astray) {
        return Err(BodyFault::Damaged("a marker that has no place behind the pixels".to_owned()));
    }
    if parts.as_ref().is_some_and(|parts| parts.torn) {
        return Err(BodyFault::Coding("JPEG with coefficients out of range"));
    }
    let bytes = parts.as_ref().map_or(bytes, |parts| parts.file.as_slice());
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_use_unsafe(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MOST_SCANS as usize)
        .jpeg_set_out_colorspace(space);
    let damaged = |e: DecodeErrors| BodyFault::Damaged(format!("{e:?}"));
    let mut decoder = JpegDecoder::new_with_options(Watched::new(bytes, watch), options);
    // The decoder finds its way to the headers by rules of its own; memory was counted for ours.
    decoder.decode_headers().map_err(damaged)?;
    let expected = frame.width as usize * frame.height as usize * channels;
    // The decoder has no public name for this.
    let progressive = decoder.info().is_some_and(|info| format!("{:?}", info.sof).starts_with("Progressive"));
    if decoder.output_buffer_size() != Some(expected) || progressive != frame.is_progressive() {
        return Err(BodyFault::Coding("JPEG of an unexpected layout"));
    }
    let mut pixels = decoder.decode().map_err(damaged)?;
    if pixels.len() != expected {
        return Err(BodyFault::Coding("JPEG of an unexpected layout"));
    }
    if let Some(parts) = parts.filter(|parts| !parts.filled) {
        blank(&mut pixels, channels, &frame, parts);
    }
    if colors == Colors::Ycck {
        copy::to_inks(&mut pixels);
    }
    if channels == 4 {
        // The reference takes all of them for Adobe's, which hold the absence of ink.
        pixels.iter_mut().for_each(|v| *v = 255 - *v);
    }
    let kind = if channels == 4 { Kind::Inks } else { Kind::Plain };
    Ok(Picture { kind, ..Picture::plain(frame.width, frame.height, Pixels::Channels(channels, pixels)) })
}

/// Fills the parts that the scan lacks with grey; the decoder fills them otherwise.
fn blank(pixels: &mut [u8], channels: usize, frame: &Frame, parts: Parts) {
    let (width, height) = (frame.width as usize, frame.height as usize);
    for part in parts.missing.into_iter().flatten() {
        let (left, top) = (part % parts.across * parts.size[0], part / parts.across * parts.size[1]);
        for y in top..height.min(top + parts.size[1]) {
            let (start, end) = (y * width + left, y * width + width.min(left + parts.size[0]));
            pixels.get_mut(start * channels..end * channels).unwrap_or_default().fill(128);
        }
    }
}

/// Follows the segments up to the first scan as Pillow does: the frame, and where the scan's data begins. `None` if
/// Pillow does not open the file.
fn walk(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (mut frame, mut misplaced, mut profile): (Option<Frame>, _, Option<&[u8]>) = (None, false, None);
    let mut at = 2;
    loop {
        while *bytes.get(at)? != 0xff {
            at += 1;
        }
        let marker = *bytes.get(at + 1)?;
        misplaced |= matches!(marker, 0xc8 | 0xd8 | 0xd9 | 0xde | 0xdf | 0xf0..=0xfd);
        at += match marker {
            0xff => 1,
            0 | 0xc8 | 0xd0..=0xd9 | 0xf0..=0xfd => 2,
            1..=0xbf => return None,
            _ => 0,
        };
        if matches!(marker, 0 | 0xc8 | 0xd0..=0xd9 | 0xf0..) && marker != 0xfe {
            continue;
        }
        let (_, data, end) = segment(bytes, at)?;
        match marker {
            0xc4 | 0xcc => {}
            0xc0..=0xcf | 0xde => {
                if profile.take().is_some_and(|profile| profile.len() < 14) {
                    return None;
                }
                frame = Some(read_frame(marker, data)?);
            }
            0xdb => check_steps(data)?,
            0xe0 if data.starts_with(b"JFIF") && data.len() < 7 => return None,
            0xe2 if data.starts_with(b"ICC_PROFILE\0") => profile = Some(profile.map_or(data, |least| least.min(data))),
            0xee if data.starts_with(b"Adobe") => {
                data.get(6)?;
            }
            0xda => {
                let one_pass = |f: &Frame| data.first() == Some(&f.components);
                return frame.map(|f: Frame| (Frame { misplaced, one_pass: one_pass(&f), ..f }, end));
            }
            _ => {}
        }
        at = end;
    }
}

/// Checks that all quantization tables, of 8 or 16 bits, are complete.
fn check_steps(mut data: &[u8]) -> Option<()> {
    while let Some((head, rest)) = data.split_first() {
        data = rest.get(if head >> 4 == 0 { 64 } else { 128 }..)?;
    }
    Some(())
}

fn read_frame(process: u8, data: &[u8]) -> Option<Frame> {
    let (&[precision, h0, h1, w0, w1, components], rest) = data.split_first_chunk::<6>()?;
    let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
    let (width, height) = (u32::from(width), u32::from(height));
    if precision != 8 || !matches!(components, 1 | 3 | 4) || rest.len() % 3 != 0 {
        return None;
    }
    // Of each component, how many of its blocks lie side by side and on top of each other in a unit.
    let samplings =
        rest.chunks_exact(3).take(usize::from(components)).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)));
    let most = samplings.clone().fold((1, 1), |most, s| (most.0.max(s.0), most.1.max(s.1)));
    let units = u64::from(width).div_ceil(8 * most.0) * u64::from(height).div_ceil(8 * most.1);
    let coefficients = 64 * units * samplings.map(|(across, down)| across * down).sum::<u64>();
    Some(Frame { width, height, components, process, misplaced: false, coefficients, one_pass: true })
}

/// The marker at or after `at`, its data, and where the next segment begins.
pub(super) fn segment(bytes: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
    while *bytes.get(at)? != 0xff {
        at += 1;
    }
    while *bytes.get(at)? == 0xff {
        at += 1;
    }
    let marker = *bytes.get(at)?;
    if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd9) {
        return Some((marker, &[], at + 1));
    }
    let length = usize::from(u16::from_be_bytes(*bytes.get(at + 1..at + 3)?.first_chunk()?));
    let end = at + 1 + length.max(2);
    Some((marker, bytes.get(at + 3..end)?, end))
}

/// Whether the end-of-image marker follows the scan data; without it the picture counts as cut.
fn has_end(bytes: &[u8], scan: usize) -> bool {
    let data = bytes.get(scan..).unwrap_or_default();
    data.windows(2).any(|pair| pair == [0xff, 0xd9])
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::super::models;

    #[test]
    fn both_processes_are_decoded_and_counted() {
        for scans in [None, Some(7)] {
            let bytes = models::jpeg(100, 70, scans);
            let blocks = 3 * 13 * 9;
            let length = bytes.len() as u64;
            let copy = copy::MORE as u64 + length;
            let beside = copy + if scans.is_some() { 2 * 64 * blocks } else { FILLED * blocks + length };
            let header = open(&bytes).unwrap();
            assert_eq!((header.width, header.height, header.depth), (100, 70, 3));
            assert_eq!(header.working - 512 * 100 - 2 * bytes.len() as u64, beside);
            let picture = read(&bytes, Watch::NONE).unwrap();
            assert_eq!(picture.pixels, Pixels::Channels(3, vec![128; 3 * 100 * 70]));
        }
        let few = open(&models::jpeg(512, 512, Some(5))).unwrap().work;
        assert!(open(&models::jpeg(512, 512, Some(90))).unwrap().work > 5 * few, "each scan has its price");
        let once = open(&models::jpeg(8, 8, None)).unwrap().work;
        assert!(open(&models::jpeg_tables(2000)).unwrap().work > 100 * once, "each table has its price");
    }

    #[test]
    fn segments_are_followed_to_the_frame() {
        let head: &[u8] = &[
            0xff, 0xd8, 0xff, 0xee, 0, 9, b'A', b'd', b'o', b'b', b'e', 0, 0, // Adobe
            0xff, 0xc0, 0, 8, 8, 0, 5, 0, 9, 3, // 9 x 5, three components
            0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9,
        ];
        let (frame, scan) = walk(head).unwrap();
        assert_eq!((frame.width, frame.height, frame.components), (9, 5, 3));
        assert!(has_end(head, scan));
        assert!(!has_end(&head[..head.len() - 1], scan));
        assert!(walk(&head[..20]).is_none());
    }
}
