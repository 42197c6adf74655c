//! WebP pictures, lossy and lossless; of an animation the first frame.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::{BodyFault, Header, Picture, Pixels};

/// A file shorter than it says is not even opened.
pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let length = u32::from_le_bytes(*bytes.get(4..8)?.first_chunk()?) as usize;
    if bytes.len() < length.checked_add(8)? {
        return None;
    }
    let decoder = WebPDecoder::new(Cursor::new(bytes)).ok()?;
    let (width, height) = decoder.dimensions();
    let depth = if decoder.has_alpha() { 4 } else { 3 };
    Some(Header { width, height, depth })
}

pub(super) fn read(bytes: &[u8]) -> Result<Picture, BodyFault> {
    let damaged = |e: image_webp::DecodingError| BodyFault::Damaged(e.to_string());
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    decoder.set_memory_limit(1 << 30);
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let size = decoder.output_buffer_size().ok_or(BodyFault::Coding("too large"))?;
    let mut pixels = vec![0; size];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    Ok(Picture { width, height, pixels: Pixels::Channels(channels, pixels) })
}
