//! Writing the preview as PNG: the same bytes everywhere, since nothing in here depends on the machine
//! or on which compression library other crates choose.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params};

use multiversion::multiversion;

use super::threads::Threads;

/// The deflate level: most of the gain at a fraction of the default's time.
const LEVEL: i32 = 3;
/// Parts of the picture that are compressed on their own.
const PARTS: usize = 8;
/// PNG's numbers of the filters in use.
const SUB: u8 = 1;
const UP: u8 = 2;
const PAETH: u8 = 4;
const CHANNELS: usize = 3;

/// An 8-bit RGB PNG of `width` pixels a row.
pub(crate) fn png(rgb: &[u8], width: usize, threads: Threads) -> Vec<u8> {
    let line = width * CHANNELS;
    let height = rgb.len() / line.max(1);
    let mut header = Vec::with_capacity(13);
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, *b"IHDR", &header);
    chunk(&mut out, *b"IDAT", &zlib(rgb, line, threads));
    chunk(&mut out, *b"IEND", &[]);
    out
}

/// The filtered rows as a zlib stream. It is made of a fixed count of parts, each compressed without
/// looking at the others, so that threads can share the work and their count does not show.
fn zlib(rgb: &[u8], line: usize, threads: Threads) -> Vec<u8> {
    let rows = (rgb.len() / line.max(1)).div_ceil(PARTS).max(1);
    let parts = threads.map(PARTS, |part| {
        let start = (part * rows * line).min(rgb.len());
        let end = (start + rows * line).min(rgb.len());
        let above = start.checked_sub(line).and_then(|from| rgb.get(from..start));
        let bytes = filtered(rgb.get(start..end).unwrap_or_default(), above, line);
        (deflate(&bytes, part + 1 == PARTS), bytes)
    });
    // 32 KiB window, fastest; the checksum of all bytes ends the stream.
    let mut out = vec![0x78, 0x01];
    let mut sum = simd_adler32::Adler32::new();
    for (packed, bytes) in parts {
        out.extend(packed);
        sum.write(&bytes);
    }
    out.extend(sum.finish().to_be_bytes());
    out
}

/// One part of a deflate stream; all but the last end on a byte border so that the next can follow.
fn deflate(bytes: &[u8], last: bool) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(LEVEL, 0, 0);
    let flush = if last { TDEFLFlush::Finish } else { TDEFLFlush::Sync };
    let mut out = Vec::with_capacity(bytes.len() / 4);
    compress_to_output(&mut CompressorOxide::new(flags), bytes, flush, |packed| {
        out.extend_from_slice(packed);
        true
    });
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

/// Each row behind its filter byte: of three filters the one whose bytes are nearest zero in sum.
fn filtered(rgb: &[u8], above: Option<&[u8]>, line: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(rgb.len() + rgb.len() / line.max(1));
    // Rows with a black pixel before them, so that the left neighbour is always there.
    let mut last = vec![0; CHANNELS + line];
    if let (Some(above), Some(target)) = (above, last.get_mut(CHANNELS..)) {
        target.copy_from_slice(above);
    }
    let mut now = last.clone();
    let mut tries = [(SUB, vec![0; line]), (UP, vec![0; line]), (PAETH, vec![0; line])];
    for row in rgb.chunks_exact(line.max(1)) {
        now[CHANNELS..].copy_from_slice(row);
        let (left, up, corner) = (&now[..line], &last[CHANNELS..], &last[..line]);
        for (kind, bytes) in &mut tries {
            match *kind {
                SUB => each(bytes, row, left),
                UP => each(bytes, row, up),
                _ => paeth(bytes, row, left, up, corner),
            }
        }
        let best = tries.iter().min_by_key(|(_, bytes)| weight(bytes));
        if let Some((kind, bytes)) = best {
            out.push(*kind);
            out.extend_from_slice(bytes);
        }
        std::mem::swap(&mut last, &mut now);
    }
    out
}

/// The differences between a row and a guess.
#[multiversion(targets("x86_64+avx2"))]
fn each(out: &mut [u8], row: &[u8], guess: &[u8]) {
    for ((out, value), guess) in out.iter_mut().zip(row).zip(guess) {
        *out = value.wrapping_sub(*guess);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn paeth(out: &mut [u8], row: &[u8], left: &[u8], up: &[u8], corner: &[u8]) {
    let around = left.iter().zip(up).zip(corner);
    for ((out, value), ((left, up), corner)) in out.iter_mut().zip(row).zip(around) {
        *out = value.wrapping_sub(predict(*left, *up, *corner));
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn weight(bytes: &[u8]) -> u32 {
    bytes.iter().map(|b| u32::from(b.cast_signed().unsigned_abs())).sum()
}

/// The Paeth predictor of the PNG specification: whichever of left, above, and above left is nearest
/// to left + above - above left.
pub(crate) fn predict(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
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
        let bytes = png(&rgb, 7, Threads(std::num::NonZeroUsize::MIN));
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut back = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut back).unwrap();
        assert_eq!((reader.info().width, reader.info().height), (7, 5));
        assert_eq!(back, rgb);
    }
}
