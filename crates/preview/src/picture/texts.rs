//! Formats whose header is text.

/// Most letters of a line.
const LONGEST: usize = 100;

/// Lines of a key and a value, one of which is known, and then the mark before the pixels.
pub(super) fn is_im(bytes: &[u8]) -> bool {
    const KNOWN: [&[u8]; 9] = [
        b"Comment",
        b"Date",
        b"Digitalization equipment",
        b"File size (no of images)",
        b"Lut",
        b"Name",
        b"Scale (x,y)",
        b"Image size (x*y)",
        b"Image type",
    ];
    if !first(bytes).contains(&b'\n') {
        return false;
    }
    let (mut rest, mut known) = (bytes, false);
    loop {
        rest = match rest {
            [b'\r', ..] => rest.get(1..).unwrap_or_default(),
            [] => return false,
            [0 | 0x1a, ..] => return known && rest.contains(&0x1a),
            _ => {
                let (line, after) = line(rest);
                let key = line.iter().position(|b| *b == b':').and_then(|at| line.get(..at));
                let Some(key) = key.filter(|key| key.first().is_some_and(u8::is_ascii_alphabetic)) else {
                    return false;
                };
                if line.len() > LONGEST {
                    return false;
                }
                known |= KNOWN.contains(&key);
                after
            }
        };
    }
}

/// Lines of a word and a value: the width and the height, and pixels of 8 bits.
pub(super) fn is_imt(bytes: &[u8]) -> bool {
    if !first(bytes).contains(&b'\n') {
        return false;
    }
    let (mut size, mut pixels, mut rest) = ([0_u64; 2], false, bytes);
    while !rest.is_empty() && rest.first() != Some(&0x0c) {
        let (line, after) = line(rest);
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if text.len() < 2 || text.len() > LONGEST {
            break;
        }
        rest = after;
        if text.starts_with(b"*") {
            continue;
        }
        let letters = text.iter().take_while(|b| b.is_ascii_lowercase()).count();
        let (key, value) = text.split_at(letters);
        let Some(value) = value.strip_prefix(b" ") else { break };
        let end = value.iter().position(|b| b" \r\n".contains(b)).unwrap_or(value.len());
        let value = value.get(..end).unwrap_or_default();
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        match key {
            b"width" => size[0] = number().unwrap_or_default(),
            b"height" => size[1] = number().unwrap_or_default(),
            b"pixel" => pixels |= value == b"n8",
            _ => {}
        }
    }
    pixels && !size.contains(&0)
}

/// Definitions of a width and a height, and the beginning of a list of bits.
pub(super) fn is_xbm(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let start = head.iter().position(|b| !blank(b)).unwrap_or_default();
    let mut lines =
        head.get(start..).unwrap_or_default().split(|b| matches!(b, b'\n' | b'\r')).filter(|l| !l.is_empty());
    let mut defined = |name: &str| {
        let text = lines.next().and_then(|line| std::str::from_utf8(line).ok())?;
        let (key, value) = text.strip_prefix("#define")?.trim_end_matches([' ', '\t']).rsplit_once([' ', '\t'])?;
        let key = key.trim_end_matches([' ', '\t']);
        (key.starts_with([' ', '\t']) && key.ends_with(name)).then(|| value.parse::<u32>().ok()).flatten()
    };
    let sized = defined("_width").is_some_and(|n| n > 0) && defined("_height").is_some_and(|n| n > 0);
    sized && head.windows(7).any(|part| part == b"_bits[]")
}

fn first(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len().min(LONGEST)).unwrap_or_default()
}

/// The first line with its end, and what comes after it.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}
