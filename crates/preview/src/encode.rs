//! Writing the preview as PNG: the same bytes everywhere, since nothing in here depends on the machine
//! or on how other crates compress.

use multiversion::multiversion;

use super::threads::Threads;

/// Parts of the picture whose rows are filtered by one thread each.
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

/// The filtered rows as a zlib stream, packed by a code that is made for such bytes.
fn zlib(rgb: &[u8], line: usize, threads: Threads) -> Vec<u8> {
    let height = rgb.len() / line.max(1);
    let rows = height.div_ceil(PARTS).max(1);
    let mut bytes = vec![0; height * (1 + line)];
    threads.fill(&mut bytes, rows * (1 + line), |at, part| {
        let start = at / (1 + line) * line;
        let above = start.checked_sub(line).and_then(|from| rgb.get(from..start));
        filter(rgb.get(start..).unwrap_or_default(), above, line, part);
    });
    fdeflate::compress_to_vec(&bytes)
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    let from = out.len();
    out.extend(kind);
    out.extend(data);
    let sum = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend(sum.to_be_bytes());
}

/// Fills `out` with rows, each behind its filter byte: of three filters the one whose bytes are nearest zero in sum.
fn filter(rgb: &[u8], above: Option<&[u8]>, line: usize, out: &mut [u8]) {
    // Rows with a black pixel before them, so that the left neighbour is always there.
    let mut last = vec![0; CHANNELS + line];
    if let (Some(above), Some(target)) = (above, last.get_mut(CHANNELS..)) {
        target.copy_from_slice(above);
    }
    let mut now = last.clone();
    let mut tries = [(SUB, vec![0; line]), (UP, vec![0; line]), (PAETH, vec![0; line])];
    for (row, out) in rgb.chunks_exact(line.max(1)).zip(out.chunks_exact_mut(1 + line)) {
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
        if let (Some((kind, bytes)), Some((first, rest))) = (best, out.split_first_mut()) {
            *first = *kind;
            rest.copy_from_slice(bytes);
        }
        std::mem::swap(&mut last, &mut now);
    }
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
