//! PNG pictures as 8-bit RGB, as the deployed distance service decodes them.
//!
//! Its library drops alpha and transparent colours without compositing and takes the high byte of 16-bit
//! colours, but saturates plain 16-bit grey at 255. Pictures are untrusted: one that is too large or broken is
//! an error, never a crash.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Transformations};

/// Limit of a picture's pixels; a preview has one million.
pub const MOST_PIXELS: u64 = 1 << 24;

/// The decoder's own allocation limit, besides the pixels, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// A decoded picture: rows from the top, three bytes per pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `3 * width * height` bytes.
    pub bytes: Vec<u8>,
}

/// Why a picture cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PictureError {
    #[error("not a readable PNG: {0}")]
    Broken(String),
    #[error("{width} x {height} pixels, more than {most}", most = MOST_PIXELS)]
    TooManyPixels { width: u32, height: u32 },
    #[error("too large")]
    TooLarge,
}

/// Decodes a PNG.
///
/// # Errors
/// It is not a PNG, broken, or too large.
pub fn decode(png: &[u8]) -> Result<Rgb, PictureError> {
    let broken = |e: png::DecodingError| PictureError::Broken(e.to_string());
    let mut decoder = Decoder::new(Cursor::new(png));
    decoder.set_limits(png::Limits { bytes: MOST_BYTES });
    decoder.set_transformations(Transformations::IDENTITY);
    let header = decoder.read_header_info().map_err(broken)?;
    let (width, height) = (header.width, header.height);
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PictureError::TooManyPixels { width, height });
    }
    let mut reader = decoder.read_info().map_err(broken)?;
    let size = reader.output_buffer_size().ok_or(PictureError::TooLarge)?;
    let mut raw = vec![0; size];
    let frame = reader.next_frame(&mut raw).map_err(broken)?;
    let (width, height) = (width as usize, height as usize);
    let rows = raw.chunks_exact(frame.line_size.max(1)).take(height);
    let bytes = match (frame.color_type, frame.bit_depth) {
        (ColorType::Rgb, BitDepth::Eight) => raw,
        (ColorType::Indexed, bits) => {
            let palette = palette(reader.info().palette.as_deref().unwrap_or_default());
            let indices = rows.flat_map(|row| samples(row, bits).take(width));
            indices.flat_map(|index| palette.get(usize::from(index)).copied().unwrap_or_default()).collect()
        }
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            let saturated = |pair: &[u8; 2]| if pair[0] > 0 { 255 } else { pair[1] };
            raw.as_chunks::<2>().0.iter().flat_map(|pair| [saturated(pair); 3]).collect()
        }
        (ColorType::Grayscale, bits) => {
            let step = match bits {
                BitDepth::One => 255,
                BitDepth::Two => 85,
                BitDepth::Four => 17,
                _ => 1,
            };
            rows.flat_map(|row| samples(row, bits).take(width))
                .flat_map(|grey| [grey.saturating_mul(step); 3])
                .collect()
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => colours::<4>(&raw, |p| [p[0]; 3]),
        (ColorType::GrayscaleAlpha, _) => colours::<2>(&raw, |p| [p[0]; 3]),
        (ColorType::Rgb, _) => colours::<6>(&raw, |p| [p[0], p[2], p[4]]),
        (ColorType::Rgba, BitDepth::Sixteen) => colours::<8>(&raw, |p| [p[0], p[2], p[4]]),
        (ColorType::Rgba, _) => colours::<4>(&raw, |p| [p[0], p[1], p[2]]),
    };
    if bytes.len() != 3 * width * height {
        return Err(PictureError::Broken("pixels are missing".to_owned()));
    }
    Ok(Rgb { width, height, bytes })
}

/// Converts pixels of `N` bytes to RGB.
fn colours<const N: usize>(raw: &[u8], rgb: fn(&[u8; N]) -> [u8; 3]) -> Vec<u8> {
    raw.as_chunks::<N>().0.iter().flat_map(rgb).collect()
}

/// The samples of a row, of 1 to 8 bits each.
fn samples(row: &[u8], bits: BitDepth) -> impl Iterator<Item = u8> {
    let bits = (bits as u8).min(8);
    let mask = u8::MAX >> (8 - bits);
    row.iter().flat_map(move |byte| (1..=8 / bits).map(move |i| (byte >> (8 - i * bits)) & mask))
}

/// Entries missing from the palette are a ramp of grey.
fn palette(given: &[u8]) -> Vec<[u8; 3]> {
    let mut palette: Vec<[u8; 3]> = (0..=u8::MAX).map(|grey| [grey; 3]).collect();
    for (entry, colour) in palette.iter_mut().zip(given.as_chunks::<3>().0) {
        *entry = *colour;
    }
    palette
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(color: ColorType, bits: BitDepth, width: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, 1);
        encoder.set_color(color);
        encoder.set_depth(bits);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![9, 8, 7, 6, 5, 4]);
            encoder.set_trns(vec![0]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    #[test]
    fn every_layout_becomes_rgb_as_in_the_service() {
        use BitDepth::{Eight, Four, One, Sixteen, Two};
        use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
        type Case<'a> = (ColorType, BitDepth, u32, &'a [u8], &'a [u8]);
        let cases: [Case<'_>; 11] = [
            (Rgb, Eight, 1, &[1, 2, 3], &[1, 2, 3]),
            (Rgb, Sixteen, 1, &[1, 255, 2, 255, 3, 255], &[1, 2, 3]),
            (Rgba, Eight, 1, &[1, 2, 3, 0], &[1, 2, 3]),
            (Rgba, Sixteen, 1, &[1, 9, 2, 9, 3, 9, 0, 0], &[1, 2, 3]),
            (GrayscaleAlpha, Eight, 1, &[7, 0], &[7, 7, 7]),
            (GrayscaleAlpha, Sixteen, 1, &[7, 9, 0, 0], &[7, 7, 7]),
            (Grayscale, Sixteen, 2, &[0, 9, 1, 0], &[9, 9, 9, 255, 255, 255]),
            (Grayscale, One, 2, &[0b0100_0000], &[0, 0, 0, 255, 255, 255]),
            (Grayscale, Two, 2, &[0b0110_0000], &[85, 85, 85, 170, 170, 170]),
            (Grayscale, Four, 1, &[0x10], &[17, 17, 17]),
            (Indexed, Four, 3, &[0x01, 0x20], &[9, 8, 7, 6, 5, 4, 2, 2, 2]),
        ];
        for (color, bits, width, data, wanted) in cases {
            let rgb = decode(&encode(color, bits, width, data)).unwrap();
            assert_eq!(rgb.bytes, wanted, "{color:?} {bits:?}");
            assert_eq!((rgb.width, rgb.height), (width as usize, 1));
        }
    }

    #[test]
    fn hostile_pictures_are_errors() {
        let sound = encode(ColorType::Rgb, BitDepth::Eight, 40, &(0..120).collect::<Vec<u8>>());
        for end in 0..sound.len() - 12 {
            assert!(decode(&sound[..end]).is_err(), "cut at {end}");
        }
        for at in 0..sound.len() {
            let mut bent = sound.clone();
            bent[at] ^= 0x55;
            // Any result will do, as long as it returns.
            let _ = decode(&bent);
        }
        let mut huge = sound;
        huge[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
        let sum = crc32fast::hash(&huge[12..29]).to_be_bytes();
        huge[29..33].copy_from_slice(&sum);
        assert!(decode(&huge).unwrap_err().to_string().contains("65535 x 65535 pixels"));
    }
}
