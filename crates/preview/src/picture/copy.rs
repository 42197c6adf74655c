//! A copy of a JPEG in which the decoder here sees what the reference's library does: the Huffman tables that it
//! assumes, components numbered by their place, and no segments that only describe the picture.

use super::jpeg::{Frame, segment};
use super::usual;

/// What the components of a JPEG are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    /// Grey, or CMYK.
    Plain,
    Rgb,
    Ycc,
    /// The first three of CMYK, coded as YCC.
    Ycck,
}

/// More bytes than the file at most.
pub(super) const MORE: usize = usual::TABLES.len();

/// Copies a file whose first scan can be found. `None` if a scan names components that the frame lacks, or out of order.
pub(super) fn copy(bytes: &[u8], frame: &Frame) -> Option<(Vec<u8>, Colors)> {
    let colors = colors(bytes)?;
    let names = if colors == Colors::Rgb { b"RGB\0" } else { &[1, 2, 3, 4] };
    let mut out = Vec::with_capacity(bytes.len() + MORE);
    out.extend([0xff, 0xd8]);
    if !frame.is_progressive() && lacks_tables(bytes) {
        out.extend(usual::TABLES);
    }
    let (mut at, mut ids) = (2, Vec::new());
    while let Some((marker, data, end)) = segment(bytes, at) {
        at = end;
        let start = out.len() + 4;
        match marker {
            // Their length is not theirs to state, or they only describe the picture.
            0 | 1 | 0xd0..=0xd9 | 0xdc | 0xe0..=0xef | 0xfe => continue,
            _ => out.extend(bytes.get(end.checked_sub(data.len() + 4)?..end)?),
        }
        let copied = out.get_mut(start..).unwrap_or_default();
        match marker {
            0xc0..=0xc2 => ids = number(copied, names),
            0xda => {
                order(copied, &ids, names)?;
                break;
            }
            _ => {}
        }
    }
    let rest = out.len();
    out.extend(bytes.get(at..).unwrap_or_default());
    if frame.is_progressive() || !frame.one_pass {
        more_scans(out.get_mut(rest..).unwrap_or_default(), &ids, names)?;
    }
    Some((out, colors))
}

/// Decides as libjpeg does.
fn colors(bytes: &[u8]) -> Option<Colors> {
    let (mut jfif, mut adobe, mut ids, mut at) = (false, None, Vec::new(), 2);
    loop {
        let (marker, data, end) = segment(bytes, at)?;
        match marker {
            0xe0 => jfif |= data.len() >= 14 && data.starts_with(b"JFIF\0"),
            0xee if data.starts_with(b"Adobe") => adobe = data.get(11).copied().or(adobe),
            0xc0..=0xc2 => ids = data.get(6..)?.iter().step_by(3).copied().collect(),
            0xda => break,
            _ => {}
        }
        at = end;
    }
    Some(match (ids.len(), adobe) {
        (3, _) if jfif => Colors::Ycc,
        (3, Some(0)) => Colors::Rgb,
        (3, None) if ids == *b"RGB" => Colors::Rgb,
        (3, _) => Colors::Ycc,
        (4, Some(1..)) => Colors::Ycck,
        _ => Colors::Plain,
    })
}

/// Numbers the components of a frame, and returns the numbers that they had.
fn number(frame: &mut [u8], names: &[u8; 4]) -> Vec<u8> {
    let components = frame.get_mut(6..).unwrap_or_default().iter_mut().step_by(3);
    components.zip(names).map(|(id, name)| std::mem::replace(id, *name)).collect()
}

/// Gives the components of a scan the new numbers. Of components with one number the first that is left counts; libjpeg
/// finds none at a place that is already filled.
fn order(scan: &mut [u8], ids: &[u8], names: &[u8; 4]) -> Option<()> {
    let (count, rest) = scan.split_first_mut()?;
    let used = rest.iter_mut().step_by(2).take(usize::from(*count)).enumerate();
    let mut taken = Vec::new();
    for (filled, id) in used {
        let place = (filled..ids.len()).find(|place| ids.get(*place) == Some(id))?;
        if taken.contains(&place) {
            return None;
        }
        taken.push(place);
        *id = *names.get(place)?;
    }
    Some(())
}

/// Numbers the components of the scans after the first one.
fn more_scans(bytes: &mut [u8], ids: &[u8], names: &[u8; 4]) -> Option<()> {
    let is_marker = |pair: &[u8]| pair.first() == Some(&0xff) && !matches!(pair.get(1), Some(0 | 0xff | 0xd0..=0xd7));
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(2).position(is_marker)) {
        let start = at + found;
        let Some((marker, data, end)) = segment(bytes, start) else { break };
        let length = data.len();
        match marker {
            0xd9 => break,
            0xda => order(bytes.get_mut(end - length..end)?, ids, names)?,
            _ => {}
        }
        at = end;
    }
    Some(())
}

/// Whether one of the first two tables of either class is missing before the first scan, as in frames of Motion JPEG.
fn lacks_tables(bytes: &[u8]) -> bool {
    let (mut at, mut found) = (2, [false; 8]);
    while let Some((marker, mut data, end)) = segment(bytes, at)
        && marker != 0xda
    {
        while let (0xc4, [head, lengths @ ..]) = (marker, data) {
            found[usize::from((head >> 4 & 1) * 4 + (head & 3))] = true;
            let symbols: usize = lengths.iter().take(16).map(|count| usize::from(*count)).sum();
            data = lengths.get(16 + symbols..).unwrap_or_default();
        }
        at = end;
    }
    [0, 1, 4, 5].iter().any(|at| !found[*at])
}

/// Turns YCC and K into CMYK, in the steps of libjpeg.
pub(super) fn to_inks(pixels: &mut [u8]) {
    const HALF: i32 = 1 << 15;
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let [y, blue, red] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
        let (blue, red) = (blue - 128, red - 128);
        let rgb = [
            y + ((91_881 * red + HALF) >> 16),
            y + ((HALF - 22_554 * blue - 46_802 * red) >> 16),
            y + ((116_130 * blue + HALF) >> 16),
        ];
        pixel.iter_mut().zip(rgb).for_each(|(ink, color)| *ink = 255 - color.clamp(0, 255) as u8);
    }
}
