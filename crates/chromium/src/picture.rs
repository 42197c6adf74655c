//! Pictures: what a page drew, checked, and written anew, so that no byte of a file is the page's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Limits};

/// What a data URL of a picture begins with.
const PREFIX: &str = "data:image/png;base64,";

/// Bytes of a pixel: red, green, blue, alpha.
const PIXEL: usize = 4;

/// A square picture, 8 bits of red, green, blue and alpha a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    size: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// Reads the picture of a data URL, which has to be a square of `size` pixels a side.
    pub(crate) fn from_data_url(url: &str, size: u32) -> Result<Picture, String> {
        let text = url.strip_prefix(PREFIX).ok_or("the page gave no picture")?;
        let bytes = STANDARD.decode(text).map_err(|e| format!("the page's picture: {e}"))?;
        let broken = |e: png::DecodingError| format!("the page's picture: {e}");
        let mut decoder = Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_limits(Limits { bytes: 64 << 20 });
        let mut reader = decoder.read_info().map_err(broken)?;
        let info = reader.info();
        let form = (info.width, info.height, info.color_type, info.bit_depth, info.interlaced);
        if form != (size, size, ColorType::Rgba, BitDepth::Eight, false) {
            return Err(format!("the page's picture is no RGBA square of {size} pixels: {form:?}"));
        }
        let mut pixels = vec![0; length(size, size)?];
        reader.next_frame(&mut pixels).map_err(broken)?;
        Ok(Picture { size, pixels })
    }

    /// Pixels a side.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Rows from the top, each from the left.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// It is too large.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        encode(self.size, self.size, &self.pixels)
    }
}

/// Pictures of one size row by row, as near to a square as can be, with a black gap between, as PNG.
///
/// # Errors
/// There is none, they differ in size, or are too large.
pub fn grid(pictures: &[Picture], gap: u32) -> Result<Vec<u8>, String> {
    let size = pictures.first().ok_or("a grid of no pictures")?.size;
    if pictures.iter().any(|picture| picture.size != size) {
        return Err("the pictures of a grid differ in size".to_owned());
    }
    let count = u32::try_from(pictures.len()).map_err(|_| "too many pictures")?;
    let columns = (1..=count).find(|side| side.saturating_mul(*side) >= count).unwrap_or(count);
    let rows = count.div_ceil(columns);
    let side = |n: u32| n.saturating_mul(size.saturating_add(gap)).saturating_sub(gap);
    let (width, height) = (side(columns), side(rows));
    let mut pixels = [0, 0, 0, 255].repeat(length(width, height)? / PIXEL);
    let (line, row) = (length(width, 1)?, length(size, 1)?);
    for (n, picture) in (0..).zip(pictures) {
        let place = |n: u32| n.saturating_mul(size.saturating_add(gap));
        let (left, top) = (length(place(n % columns), 1)?, place(n / columns));
        for (y, from) in (top..).zip(picture.pixels.chunks_exact(row)) {
            let at = (y as usize).saturating_mul(line).saturating_add(left);
            if let Some(to) = pixels.get_mut(at..at.saturating_add(row)) {
                to.copy_from_slice(from);
            }
        }
    }
    encode(width, height, &pixels)
}

/// Bytes of this many pixels.
fn length(width: u32, height: u32) -> Result<usize, String> {
    let pixels = (width as usize).checked_mul(height as usize);
    pixels.and_then(|pixels| pixels.checked_mul(PIXEL)).ok_or_else(|| "the picture is too large".to_owned())
}

fn encode(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::Adaptive);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.map_err(|e| format!("cannot write a picture: {e}"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(size: u32, colour: [u8; 4]) -> Picture {
        Picture { size, pixels: colour.repeat((size * size) as usize) }
    }

    fn url(bytes: &[u8]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(bytes))
    }

    #[test]
    fn a_picture_is_what_it_was_read_from() {
        let picture = plain(3, [1, 2, 3, 255]);
        let read = Picture::from_data_url(&url(&picture.png().unwrap()), 3).unwrap();
        assert_eq!(read, picture);
        for (text, why) in [
            (url(&picture.png().unwrap()), "no RGBA square of 4"),
            ("data:,".to_owned(), "gave no picture"),
            (format!("{PREFIX}*"), "Invalid"),
            (url(b"no picture"), "page's picture"),
            (url(&picture.png().unwrap()[..60]), "page's picture"),
        ] {
            let error = Picture::from_data_url(&text, if why.contains('4') { 4 } else { 3 }).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_grid_is_filled_row_by_row_with_a_black_gap() {
        let colours = [[9, 0, 0, 255], [0, 9, 0, 255], [0, 0, 9, 255]];
        let pictures = colours.map(|colour| plain(2, colour));
        let bytes = grid(&pictures, 1).unwrap();
        let read = Picture::from_data_url(&url(&bytes), 5).unwrap();
        let at = |x: usize, y: usize| &read.pixels()[(y * 5 + x) * 4..][..4];
        assert_eq!([at(0, 0), at(3, 1), at(1, 4)], [&colours[0][..], &colours[1][..], &colours[2][..]]);
        assert_eq!([at(2, 0), at(0, 2), at(4, 4)], [&[0, 0, 0, 255]; 3]);
        assert!(grid(&[], 1).is_err() && grid(&[plain(1, [0; 4]), plain(2, [0; 4])], 1).is_err());
    }
}
