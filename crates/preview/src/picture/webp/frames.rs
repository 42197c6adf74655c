//! Whether libwebp's demuxer accepts a file: it follows all chunks and reads the header of each frame.

/// Length of a chunk's header.
const HEAD: usize = 8;
const ANIMATION: u8 = 2;
/// All defined flags.
const FLAGS: u8 = 0x3e;
/// Pictures of this many pixels or more are not opened.
const MOST_PIXELS: u64 = 1 << 32;

/// The chunks, up to the end that the file states.
struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    fn kind(&self) -> Option<[u8; 4]> {
        self.0.first_chunk().copied()
    }

    /// The next chunk's kind, its contents with padding, and their length without it.
    fn next(&mut self) -> Option<([u8; 4], &'a [u8], usize)> {
        let (head, rest) = self.0.split_first_chunk::<HEAD>()?;
        let [kind @ .., l0, l1, l2, l3] = *head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let (body, rest) = rest.split_at_checked(length.checked_add(length % 2)?)?;
        self.0 = rest;
        Some((kind, body, length))
    }
}

/// A frame's width and height, if it has a picture.
type Size = Option<(u32, u32)>;

/// Whether the file is opened.
pub(super) fn are_sound(bytes: &[u8]) -> bool {
    follow(bytes).is_some()
}

fn follow(bytes: &[u8]) -> Option<()> {
    let length = u32::from_le_bytes(*bytes.get(4..8)?.first_chunk()?) as usize;
    let mut chunks = Chunks(bytes.get(12..length.checked_add(HEAD)?)?);
    match &chunks.kind()? {
        b"VP8X" => extended(&mut chunks),
        b"VP8 " | b"VP8L" => frame(&mut chunks)?.map(|_| ()),
        _ => None,
    }
}

/// A file with a VP8X header.
fn extended(chunks: &mut Chunks<'_>) -> Option<()> {
    let (_, header, _) = chunks.next()?;
    let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = header else { return None };
    let canvas = (edge([w0, w1, w2]), edge([h0, h1, h2]));
    let (animated, mut begun, mut frames) = (flags & ANIMATION != 0, false, 0);
    if flags & !FLAGS != 0 || u64::from(canvas.0) * u64::from(canvas.1) >= MOST_PIXELS {
        return None;
    }
    loop {
        match &chunks.kind()? {
            b"VP8X" => return None,
            b"ALPH" | b"VP8 " | b"VP8L" if begun || animated || frames > 0 => return None,
            b"ALPH" | b"VP8 " | b"VP8L" => {
                frames += 1;
                frame(chunks)?.filter(|size| *size == canvas)?;
            }
            b"ANIM" => {
                let (_, body, _) = chunks.next()?;
                body.get(5)?;
                begun = true;
            }
            b"ANMF" => {
                let (_, body, _) = chunks.next()?;
                begun.then_some(())?;
                frames += u32::from(part(body, canvas, animated)? && animated);
            }
            _ => {
                chunks.next()?;
            }
        }
        if chunks.0.is_empty() {
            break;
        }
    }
    (frames > 0).then_some(())
}

/// A frame of an animation; whether it counts.
fn part(body: &[u8], canvas: (u32, u32), animated: bool) -> Option<bool> {
    let (head, inner) = body.split_first_chunk::<16>()?;
    let edges = head.as_chunks::<3>().0;
    let [left, top, width, height] = [0, 1, 2, 3].map(|i| edges.get(i).map_or(0, |edge| self::edge(*edge)));
    let fits = |at: u32, length: u32, most: u32| u64::from(2 * (at - 1)) + u64::from(length) <= u64::from(most);
    let mut chunks = Chunks(inner);
    let found = frame(&mut chunks)?;
    if !animated {
        return Some(false);
    }
    // The picture's own size counts, not the frame's.
    let (width, height) = found.unwrap_or((width, height));
    (found.is_some() && fits(left, width, canvas.0) && fits(top, height, canvas.1)).then_some(true)
}

/// Skips an alpha chunk and a picture; returns the picture's size.
fn frame(chunks: &mut Chunks<'_>) -> Option<Size> {
    let (mut alpha, mut size) = (false, None);
    while let Some(kind) = chunks.kind() {
        match &kind {
            b"ALPH" if !alpha => {
                alpha = true;
                chunks.next()?;
                // It must precede the picture.
                size.is_none().then_some(())?;
            }
            b"VP8L" if alpha => return None,
            b"VP8 " | b"VP8L" if size.is_none() => {
                let (kind, body, length) = chunks.next()?;
                size = Some(if &kind == b"VP8L" { lossless(body)? } else { lossy(body, length)? });
            }
            _ => break,
        }
    }
    // A remainder shorter than a chunk's header is an error.
    (chunks.0.is_empty() || chunks.0.len() >= HEAD).then_some(size)
}

fn edge(bytes: [u8; 3]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1
}

fn lossless(body: &[u8]) -> Option<(u32, u32)> {
    let (&[0x2f, b0, b1, b2, b3], _) = body.split_first_chunk::<5>()? else { return None };
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    (bits >> 29 == 0).then_some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

fn lossy(body: &[u8], length: usize) -> Option<(u32, u32)> {
    let (&[b0, b1, b2, 0x9d, 0x01, 0x2a, w0, w1, h0, h1], _) = body.split_first_chunk::<10>()? else { return None };
    let bits = u32::from_le_bytes([b0, b1, b2, 0]);
    let size = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let (width, height) = (size(w0, w1), size(h0, h1));
    // A visible key frame of a known profile whose first partition fits.
    let sound = bits & 1 == 0 && bits >> 1 & 7 <= 3 && bits >> 4 & 1 == 1 && ((bits >> 5) as usize) < length;
    (sound && width > 0 && height > 0).then_some((width, height))
}
