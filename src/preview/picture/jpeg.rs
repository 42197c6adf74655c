//! JPEG pictures: grey, colour, and four-channel ones, whose K ends up as alpha.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{BodyFault, Header, Picture, Pixels};

/// The frame header and what the segments around it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    width: u32,
    height: u32,
    components: u8,
    precision: u8,
    /// The start-of-frame marker: which coding process.
    process: u8,
    adobe: bool,
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let (frame, _) = walk(bytes)?;
    let depth = u64::from(frame.components);
    Some(Header { width: frame.width, height: frame.height, depth })
}

pub(super) fn read(bytes: &[u8]) -> Result<Picture, BodyFault> {
    let (frame, scan) = walk(bytes).ok_or(BodyFault::Coding("no frame header"))?;
    if !matches!(frame.process, 0xc0..=0xc2) || frame.precision != 8 {
        return Err(BodyFault::Coding("neither baseline nor progressive 8-bit JPEG"));
    }
    if !has_end(bytes, scan) {
        return Err(BodyFault::Damaged("JPEG without its end".to_owned()));
    }
    let (space, channels) = match frame.components {
        1 => (ColorSpace::Luma, 1),
        3 => (ColorSpace::RGB, 3),
        4 => (ColorSpace::CMYK, 4),
        _ => return Err(BodyFault::Coding("JPEG of an odd count of components")),
    };
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_use_unsafe(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let mut pixels = decoder.decode().map_err(|e| BodyFault::Damaged(format!("{e:?}")))?;
    let expected = frame.width as usize * frame.height as usize * channels;
    if pixels.len() != expected {
        return Err(BodyFault::Coding("JPEG of an unexpected layout"));
    }
    if channels == 4 && frame.adobe {
        // Adobe writes ink where others write its absence.
        pixels.iter_mut().for_each(|v| *v = 255 - *v);
    }
    Ok(Picture { width: frame.width, height: frame.height, pixels: Pixels::Channels(channels, pixels) })
}

/// Follows the segments up to the first scan: the frame, and where the scan's data begins.
fn walk(bytes: &[u8]) -> Option<(Frame, usize)> {
    let mut at = 2;
    let (mut frame, mut adobe) = (None, false);
    loop {
        let (marker, data, end) = segment(bytes, at)?;
        match marker {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let &[precision, h0, h1, w0, w1, components] = data.first_chunk::<6>()?;
                let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
                let (width, height) = (u32::from(width), u32::from(height));
                frame = Some(Frame { width, height, components, precision, process: marker, adobe });
            }
            0xee => adobe |= data.starts_with(b"Adobe"),
            0xda => return frame.map(|f| (Frame { adobe, ..f }, end)),
            0xd9 => return None,
            _ => {}
        }
        at = end;
    }
}

/// The marker at or after `at`, its data, and where the next segment begins.
fn segment(bytes: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
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

    #[test]
    fn segments_are_followed_to_the_frame() {
        let head: &[u8] = &[
            0xff, 0xd8, 0xff, 0xee, 0, 7, b'A', b'd', b'o', b'b', b'e', // Adobe
            0xff, 0xc0, 0, 8, 8, 0, 5, 0, 9, 3, // 9 x 5, three components
            0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9,
        ];
        let (frame, scan) = walk(head).unwrap();
        assert_eq!((frame.width, frame.height, frame.components), (9, 5, 3));
        assert!(frame.adobe && has_end(head, scan));
        assert!(!has_end(&head[..head.len() - 1], scan));
        assert!(walk(&head[..20]).is_none());
    }
}
