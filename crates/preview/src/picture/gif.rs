//! GIF pictures; only the first frame of an animation is read.

mod codes;

use super::super::cost;
use super::super::limits::MAX_TEXTURE_PIXELS;
use super::{BodyFault, Header, Picture, Pixels, Watch, palette_of};
use codes::Codes;

struct Layout<'a> {
    /// Of the whole picture.
    size: [usize; 2],
    /// Left, top, width and height of the frame in it.
    frame: [usize; 4],
    /// Red, green and blue of each colour; `None` where they are a ramp of grey.
    palette: Option<&'a [u8]>,
    clear: Option<u8>,
    interlaced: bool,
    bits: u8,
    data: &'a [u8],
}

/// Reads the file's parts in order.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(part)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).and_then(|part| part.first().copied())
    }

    /// A block of data; `None` for the empty one that ends them.
    fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        let block = self.take(length.min(self.0.len()))?;
        (length > 0).then_some(block)
    }
}

fn layout(bytes: &[u8]) -> Option<Layout<'_>> {
    let mut parts = Parts(bytes.get(6..)?);
    let screen = parts.take(7)?;
    let half = |bytes: &[u8], at: usize| Some(usize::from(u16::from_le_bytes(*bytes.get(at..at + 2)?.first_chunk()?)));
    let mut size = [half(screen, 0)?, half(screen, 2)?];
    let mut palette = palette(&mut parts, screen[4])?.flatten();
    let mut clear = None;
    loop {
        match parts.byte()? {
            b';' => return None,
            b'!' => {
                let kind = parts.byte()?;
                let block = parts.block();
                if let (249, Some(block)) = (kind, block) {
                    let flags = *block.first()?;
                    if flags & 1 != 0 {
                        clear = Some(*block.get(3)?);
                    }
                    block.get(2)?;
                }
                while block.is_some() && parts.block().is_some() {}
            }
            b',' => break,
            _ => {}
        }
    }
    let image = parts.take(9)?;
    let mut frame = [half(image, 0)?, half(image, 2)?, half(image, 4)?, half(image, 6)?];
    size = [size[0].max(frame[0] + frame[2]), size[1].max(frame[1] + frame[3])];
    // The reference takes a frame of zero width at the left edge for the whole picture.
    if (frame[0], frame[2]) == (0, 0) {
        frame = [0, 0, size[0], size[1]];
    }
    if let Some(own) = self::palette(&mut parts, image[8])? {
        palette = own;
    }
    let bits = parts.byte()?;
    Some(Layout { size, frame, palette, clear, interlaced: image[8] & 64 != 0, bits, data: parts.0 })
}

/// The colours that `flags` promise: `None` if they promise none, within it `None` if they are a ramp of grey.
fn palette<'a>(parts: &mut Parts<'a>, flags: u8) -> Option<Option<Option<&'a [u8]>>> {
    if flags & 128 == 0 {
        return Some(None);
    }
    let length = 3 << ((flags & 7) + 1);
    let table = parts.take(length.min(parts.0.len()))?;
    if table.len() % 3 != 0 {
        return None;
    }
    let grey = table.chunks_exact(3).enumerate().all(|(i, c)| c.iter().all(|v| usize::from(*v) == i));
    Some(Some((!grey).then_some(table)))
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let layout = layout(bytes)?;
    let [width, height] = layout.size;
    let pixels = (width * height) as u64;
    if pixels > MAX_TEXTURE_PIXELS {
        return None;
    }
    let [_, _, w, h] = layout.frame;
    Some(Header {
        width: width as u32,
        height: height as u32,
        depth: 1,
        alpha: layout.palette.is_some() && layout.clear.is_some(),
        // The frame before it is placed.
        working: (w * h) as u64 + codes::BYTES,
        work: pixels * 4 * cost::PLAIN + 20 * cost::PACKED * bytes.len() as u64,
        fault: None,
    })
}

pub(super) fn read(bytes: &[u8], watch: Watch<'_>) -> Result<Picture, BodyFault> {
    let damaged = |what: &str| BodyFault::Damaged(what.to_owned());
    let layout = layout(bytes).ok_or(BodyFault::Coding("no GIF"))?;
    let [left, top, w, h] = layout.frame;
    if w == 0 || h == 0 {
        return Err(damaged("an empty frame"));
    }
    let mut frame = vec![0; w * h];
    Codes::new(layout.data, layout.bits).and_then(|codes| codes.unpack(&mut frame, watch)).map_err(damaged)?;
    let [width, height] = layout.size;
    let mut out = vec![layout.clear.unwrap_or_default(); width * height];
    for (row, y) in frame.chunks_exact(w.max(1)).zip(rows(h, layout.interlaced)) {
        let at = (top + y) * width + left;
        if let Some(place) = out.get_mut(at..at + w) {
            place.copy_from_slice(row);
        }
    }
    let alpha = |i: usize| if layout.clear.map(usize::from) == Some(i) { 0 } else { 255 };
    let pixels = match layout.palette {
        Some(rgb) => Pixels::Palette(out, palette_of(rgb, alpha)),
        None => Pixels::Channels(1, out),
    };
    Ok(Picture::plain(width as u32, height as u32, pixels))
}

/// The rows of a frame in the order of the file.
fn rows(height: usize, interlaced: bool) -> Vec<usize> {
    let passes: &[(usize, usize)] = if interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    passes.iter().flat_map(|(first, step)| (*first..height).step_by(*step)).collect()
}
