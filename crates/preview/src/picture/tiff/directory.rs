//! The first directory of a TIFF file, as the reference's two readers see it: Pillow stops at the first entry that it
//! cannot read; libtiff, which unpacks packed pixels, skips it.

/// The tags that are read.
const TAGS: [u64; 20] =
    [256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339];
/// The reference does not open files with this tag (Windows Media Photo).
const PHOTO_OF_WINDOWS: u64 = 0xbc01;
/// Maximum number of entries read.
const MOST_ENTRIES: u64 = 1 << 16;

pub(in super::super) fn is(bytes: &[u8]) -> bool {
    matches!(bytes, [b'M', b'M', 0, 42 | 43, ..] | [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 42, 0, ..])
        || bytes.starts_with(b"II\0\x2a")
}

/// The values of a tag: how many, of how many bytes, and where.
#[derive(Clone, Copy)]
pub(super) struct Values {
    tag: u64,
    kind: u64,
    pub(super) count: usize,
    size: usize,
    pub(super) at: usize,
}

impl Values {
    /// Whether Pillow reads them as integers; it reads bytes as text.
    pub(super) fn are_numbers(&self) -> bool {
        matches!(self.kind, 3 | 4 | 6 | 8 | 9 | 13 | 16)
    }
}

pub(super) struct Directory<'a> {
    pub(super) bytes: &'a [u8],
    /// Big-endian.
    pub(super) big: bool,
    /// What Pillow sees; the last entry of a tag counts.
    seen: Vec<Values>,
    /// What libtiff sees; the first entry of a tag counts.
    stored: Vec<Values>,
    /// libtiff rejects it.
    pub(super) torn: bool,
}

impl<'a> Directory<'a> {
    /// `None` if Pillow does not open the file.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let big = bytes.first() == Some(&b'M');
        // Pillow checks only this byte, so it never sees BigTIFF in a big-endian file.
        let long = bytes.get(2) == Some(&43);
        let word = if long { 8 } else { 4 };
        let at = number(bytes, word, word, big).filter(|at| *at > 0)?;
        let at = usize::try_from(at).ok()?;
        let head = if long { 8 } else { 2 };
        let count = number(bytes, at, head, big)?.min(MOST_ENTRIES) as usize;
        let usual = matches!((big, bytes.get(2..4)?), (false, [42 | 43, 0]) | (true, [0, 42]));
        let mut found = Self { bytes, big, seen: Vec::new(), stored: Vec::new(), torn: !usual };
        let (mut stopped, first, length) = (false, at.checked_add(head)?, 4 + 2 * word);
        for entry in (0..count).map(|i| first + i * length) {
            if bytes.get(entry..).is_none_or(|rest| rest.len() < length) {
                found.torn = true;
                break;
            }
            stopped |= !found.entry(entry, word, stopped)?;
        }
        found.find(PHOTO_OF_WINDOWS).is_none().then_some(found)
    }

    /// Adds an entry; false if its values lie beyond the file.
    fn entry(&mut self, at: usize, word: usize, stopped: bool) -> Option<bool> {
        let field = |offset: usize, size: usize| number(self.bytes, at + offset, size, self.big);
        let (tag, kind, count) = (field(0, 2)?, field(2, 2)?, field(4, word)?);
        let size = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 => 8,
            _ => return Some(true),
        };
        let length = count.saturating_mul(size);
        let place = if length <= word as u64 { (at + 4 + word) as u64 } else { field(4 + word, word)? };
        let end = place.saturating_add(length);
        if end > self.bytes.len() as u64 {
            // libtiff needs these tags.
            self.torn |= matches!(tag, 256..=259 | 262 | 273 | 277..=279 | 322..=325 | 338 | 339);
            return Some(false);
        }
        if length == 0 || !(TAGS.contains(&tag) || tag == PHOTO_OF_WINDOWS) {
            return Some(true);
        }
        let values = Values { tag, kind, count: count as usize, size: size as usize, at: place as usize };
        if !stopped {
            self.seen.retain(|other| other.tag != tag);
            self.seen.push(values);
        }
        if self.stored.iter().all(|other| other.tag != tag) {
            self.stored.push(values);
        }
        Some(true)
    }

    /// A tag's values as Pillow sees them.
    pub(super) fn find(&self, tag: u64) -> Option<Values> {
        self.seen.iter().find(|values| values.tag == tag).copied()
    }

    /// A tag's values as libtiff sees them.
    pub(super) fn stored(&self, tag: u64) -> Option<Values> {
        self.stored.iter().find(|values| values.tag == tag).copied()
    }

    pub(super) fn get(&self, values: &Values, i: usize) -> Option<u64> {
        if i >= values.count {
            return None;
        }
        number(self.bytes, values.at + i * values.size, values.size, self.big)
    }

    /// The first value of a tag, `default` if it is absent, `None` if it is not a number.
    pub(super) fn one(&self, tag: u64, default: u64) -> Option<u64> {
        match self.find(tag) {
            None => Some(default),
            Some(values) if values.are_numbers() => self.get(&values, 0),
            Some(_) => None,
        }
    }

    /// A tag's first seven values (more never matter), `None` if they are not numbers.
    pub(super) fn list(&self, tag: u64, default: &[u64]) -> Option<Vec<u64>> {
        match self.find(tag) {
            None => Some(default.to_vec()),
            Some(values) if values.are_numbers() => (0..values.count.min(7)).map(|i| self.get(&values, i)).collect(),
            Some(_) => None,
        }
    }
}

fn number(bytes: &[u8], at: usize, size: usize, big: bool) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(size)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big { part.iter().fold(0, add) } else { part.iter().rev().fold(0, add) })
}
