//! WebP pictures, lossy and lossless; of an animation the first frame.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::super::cost;
use super::watched::Watched;
use super::{BodyFault, Header, Picture, Pixels, Watch};

/// A file shorter than it says is not even opened.
pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let length = u32::from_le_bytes(*bytes.get(4..8)?.first_chunk()?) as usize;
    if bytes.len() < length.checked_add(8)? {
        return None;
    }
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).ok()?;
    let (width, height) = decoder.dimensions();
    let alpha = decoder.has_alpha();
    let pixels = (u64::from(width) * u64::from(height)).max(inner_pixels(bytes.get(12..).unwrap_or_default()));
    // Bytes a pixel that the decoder takes beside its result: planes, an alpha, four channels for three.
    let each = match (decoder.is_animated(), decoder.is_lossy(), alpha) {
        (true, _, _) => 14,
        (false, true, true) => 7,
        (false, true, false) => 2,
        (false, false, true) => 1,
        (false, false, false) => 5,
    };
    let working = each * pixels + 2 * bytes.len() as u64;
    let work = cost::WEBP * pixels + cost::PACKED * bytes.len() as u64;
    Some(Header { width, height, depth: if alpha { 4 } else { 3 }, alpha, working, work })
}

/// Pixels of the largest lossy frame: the decoder believes its header, and compares it too late.
fn inner_pixels(mut chunks: &[u8]) -> u64 {
    let mut most = 0;
    while let Some((head, rest)) = chunks.split_first_chunk::<8>() {
        let [kind @ .., l0, l1, l2, l3] = *head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let body = rest.get(..length).unwrap_or(rest);
        match &kind {
            b"VP8 " => {
                let size = |at: usize| {
                    body.get(at..at + 2).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
                };
                most = most.max(u64::from(size(6) & 0x3fff) * u64::from(size(8) & 0x3fff));
            }
            b"ANMF" => most = most.max(inner_pixels(body.get(16..).unwrap_or_default())),
            _ => {}
        }
        chunks = rest.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    most
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let damaged = |e: image_webp::DecodingError| BodyFault::Damaged(e.to_string());
    let mut decoder = WebPDecoder::new(Watched::new(bytes, watch)).map_err(damaged)?;
    decoder.set_memory_limit(1 << 30);
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let size = decoder.output_buffer_size().ok_or(BodyFault::Coding("too large"))?;
    let mut pixels = vec![0; size];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    Ok(Picture { width, height, pixels: Pixels::Channels(channels, pixels) })
}
