//! Writing the preview as PNG: the same bytes everywhere, since nothing in here depends on the machine
//! or on which compression library other crates choose.

use miniz_oxide::deflate::compress_to_vec_zlib;

/// The deflate level: most of the gain at a fraction of the default's time.
const LEVEL: u8 = 3;
const CHANNELS: usize = 3;

/// An 8-bit RGB PNG of `width` pixels a row.
pub(crate) fn png(rgb: &[u8], width: usize) -> Vec<u8> {
    let line = width * CHANNELS;
    let height = rgb.len() / line.max(1);
    let mut header = Vec::with_capacity(13);
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, *b"IHDR", &header);
    chunk(&mut out, *b"IDAT", &compress_to_vec_zlib(&filtered(rgb, line), LEVEL));
    chunk(&mut out, *b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    let from = out.len();
    out.extend(kind);
    out.extend(data);
    let sum = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend(sum.to_be_bytes());
}

/// Each row behind its filter byte: of all filters the one whose bytes are nearest zero in sum.
fn filtered(rgb: &[u8], line: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(rgb.len() + rgb.len() / line.max(1));
    let mut above = vec![0; line];
    for row in rgb.chunks_exact(line.max(1)) {
        let sub = differences(row, |i| if i < CHANNELS { 0 } else { row[i - CHANNELS] });
        let up = differences(row, |i| above[i]);
        let paeth = differences(row, |i| match i.checked_sub(CHANNELS) {
            None => above[i],
            Some(left) => predict(row[left], above[i], above[left]),
        });
        let best = [(1, sub), (2, up), (4, paeth)].into_iter().min_by_key(|(_, bytes)| weight(bytes));
        if let Some((kind, bytes)) = best {
            out.push(kind);
            out.extend(bytes);
        }
        above.copy_from_slice(row);
    }
    out
}

fn differences(row: &[u8], guess: impl Fn(usize) -> u8) -> Vec<u8> {
    row.iter().enumerate().map(|(i, value)| value.wrapping_sub(guess(i))).collect()
}

fn weight(bytes: &[u8]) -> u64 {
    bytes.iter().map(|b| u64::from(b.cast_signed().unsigned_abs())).sum()
}

/// The Paeth predictor of the PNG specification: whichever of left, above, and above left is nearest
/// to left + above - above left.
fn predict(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i32::from(left), i32::from(above), i32::from(corner));
    let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let rgb: Vec<u8> = (0..7 * 5 * 3_u32).map(|i| (i * i % 253) as u8).collect();
        let bytes = png(&rgb, 7);
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut back = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut back).unwrap();
        assert_eq!((reader.info().width, reader.info().height), (7, 5));
        assert_eq!(back, rgb);
    }
}
