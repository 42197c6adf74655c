//! The markers behind the only scan of a JPEG. The reference's library reads them on to the end of the image, and fails
//! on those that make no sense there; where the bytes end before, it is content.

/// The reference hands over so many bytes at a time, and no more once it has all rows.
const AT_A_TIME: usize = 64 << 10;

/// Whether the reference fails on the markers from `at` on, which lies behind the scan, or at the marker that ended it.
pub(super) fn fails(bytes: &[u8], at: usize) -> bool {
    let end = bytes.len().min((at / AT_A_TIME + 1) * AT_A_TIME);
    !are_sound(bytes.get(at..end).unwrap_or_default())
}

fn are_sound(mut data: &[u8]) -> bool {
    let is_marker = |pair: &[u8]| pair.first() == Some(&0xff) && !matches!(pair.get(1), Some(0 | 0xff));
    while let Some(at) = data.windows(2).position(is_marker) {
        let (marker, rest) = data.get(at + 1..).and_then(<[u8]>::split_first).unwrap_or((&0, &[]));
        data = rest;
        match *marker {
            0xd9 => break,
            0x01 | 0xd0..=0xd7 => continue,
            0xc4 | 0xcc | 0xda | 0xdb | 0xdd | 0xdc | 0xe0..=0xef | 0xfe => {}
            // Another frame, for instance.
            _ => return false,
        }
        let Some((length, rest)) = data.split_first_chunk::<2>() else { break };
        let length = usize::from(u16::from_be_bytes(*length));
        let body = Body { data: rest, left: length.saturating_sub(2), length };
        match (body.read(*marker), rest.get(length.saturating_sub(2)..)) {
            (Some(true), Some(behind)) => data = behind,
            (Some(false), _) => return false,
            // The bytes end.
            _ => break,
        }
    }
    true
}

/// What a segment holds.
struct Body<'a> {
    /// From its start to the last byte that there is.
    data: &'a [u8],
    /// Bytes of it that are to come.
    left: usize,
    /// The length that it states.
    length: usize,
}

impl Body<'_> {
    /// Whether it is sound; `None` where the bytes end first.
    fn read(mut self, marker: u8) -> Option<bool> {
        match marker {
            0xc4 | 0xcc | 0xdb if self.length < 2 => Some(false),
            0xc4 => self.codes(),
            0xcc => self.conditions(),
            0xdb => self.steps(),
            0xdd => Some(self.length == 4),
            // A picture of one scan has no more.
            0xda => {
                let count = usize::from(*self.data.first()?);
                let fits = (1..=4).contains(&count) && self.length == 2 * count + 6;
                if fits { self.data.get(..self.left).map(|_| false) } else { Some(false) }
            }
            _ => Some(true),
        }
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.data.split_at_checked(count)?;
        self.data = rest;
        self.left = self.left.saturating_sub(count);
        Some(taken)
    }

    fn codes(&mut self) -> Option<bool> {
        while self.left > 16 {
            let head = self.take(17)?;
            let table = head.first()? & !0x10;
            let count = head.iter().skip(1).map(|n| usize::from(*n)).sum();
            if count > 256 || count > self.left {
                return Some(false);
            }
            self.take(count)?;
            if table > 3 {
                return Some(false);
            }
        }
        Some(self.left == 0)
    }

    fn steps(&mut self) -> Option<bool> {
        while self.left > 0 {
            let head = *self.take(1)?.first()?;
            let size = if head >> 4 == 0 { 64 } else { 128 };
            if head & 15 > 3 {
                return Some(false);
            }
            let whole = self.left >= size;
            self.take(size)?;
            if !whole {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Of arithmetic coding, which the picture does not use.
    fn conditions(&mut self) -> Option<bool> {
        while self.left > 1 {
            let &[index, value] = self.take(2)?.first_chunk()?;
            if index >= 32 || index < 16 && value & 15 > value >> 4 {
                return Some(false);
            }
        }
        Some(self.left == 0)
    }
}
