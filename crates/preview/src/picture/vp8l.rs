//! Counting the Huffman code groups of a lossless WebP picture (RFC 9649, section 3) without
//! decoding it.
//!
//! A lossless picture may name up to 65536 groups of five prefix codes each, and a decoder builds
//! every one of them before its first pixel, however small the picture is. A few megabytes can so
//! ask for more than a gigabyte of tables. The number is settled early in the stream, by the highest group
//! that the entropy image names, so it can be read, and judged, before a decoder is let loose.
//!
//! Only the small images ahead of the groups are read: those of the transforms and the entropy
//! image. Their pixels are never kept. A transform's pixels have no say in how the stream goes
//! on, and of the entropy image only the highest number counts. A copy or a colour out of the
//! cache can only repeat a pixel that was spelt out before, or the zero the cache starts with, so
//! the pixels that are spelt out hold the highest.
//!
//! Every step of reading a pixel spends at least one bit of the data, so the work is at most one
//! step for each bit, and no more than one for each pixel. On top of that come the codes, of which
//! there are at most twenty, five at a time, with a table of no more than 64 KiB each.
//!
//! `None` means that the stream is broken, ends too soon, or holds something decoders are known
//! to read differently. A caller should refuse such a stream rather than hand it on: a lenient
//! decoder may still go ahead with it.

/// The first byte of every lossless stream.
const SIGNATURE: u32 = 0x2f;

/// The most pixels an image ahead of the groups may have, which is what the largest picture needs
/// at the finest division. Anything above it comes from a size no lossless stream can state.
const MOST_PIXELS: u32 = 1 << 24;

/// How many of the green code's symbols spell out a green value.
const LITERALS: u16 = 256;

/// How many of the green code's symbols, after the literals, stand for the length of a copy.
const LENGTHS: u16 = 24;

/// How many symbols the distance code has.
const DISTANCES: u16 = 40;

/// The longest code there can be, in bits.
const LONGEST: u16 = 15;

/// The order in which the lengths of the code length code are stored.
const LENGTH_ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The pixels nearest to the current one, which the lowest distances stand for: the high half of
/// each byte is how many rows up, the low half is 8 less how many columns to the left.
#[rustfmt::skip]
const NEAR: [u8; 120] = [
    0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a,
    0x38, 0x05, 0x37, 0x39, 0x15, 0x1b, 0x36, 0x3a, 0x25, 0x2b, 0x48, 0x04,
    0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a, 0x24, 0x2c, 0x58, 0x45,
    0x4b, 0x34, 0x3c, 0x03, 0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d,
    0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1e,
    0x66, 0x6a, 0x22, 0x2e, 0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e,
    0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f, 0x64, 0x6c, 0x42, 0x4e,
    0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e,
    0x00, 0x74, 0x7c, 0x41, 0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d,
    0x51, 0x5f, 0x40, 0x72, 0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
];

/// Tells how many code groups the payload of a `VP8L` chunk makes a decoder build.
pub(super) fn groups(data: &[u8]) -> Option<u32> {
    let mut bits = Bits::new(data);
    if bits.take(8)? != SIGNATURE {
        return None;
    }
    let width = bits.take(14)? + 1;
    let height = bits.take(14)? + 1;
    let _alpha = bits.take(1)?;
    let version = bits.take(3)?;
    if version != 0 {
        return None;
    }
    bits.groups(width, height)
}

/// Tells the same of an `ALPH` chunk's lossless stream, which leaves out the header and so takes
/// its size from the picture it belongs to.
pub(super) fn groups_of_alpha(data: &[u8], width: u32, height: u32) -> Option<u32> {
    if width == 0 || height == 0 {
        return None;
    }
    Bits::new(data).groups(width, height)
}

/// The stream, read bit by bit from the lowest of each byte upwards.
struct Bits<'a> {
    /// The bytes that are not held yet.
    rest: &'a [u8],
    /// The next bits, lowest first. Above `count` there may already be some of the bytes in
    /// `rest`, never anything else.
    held: u64,
    /// How many bits of `held` are accounted for, always less than 64.
    count: u32,
}

impl<'a> Bits<'a> {
    /// Starts at the first bit of `data`.
    fn new(data: &'a [u8]) -> Self {
        Self { rest: data, held: 0, count: 0 }
    }

    /// Holds at least 56 bits afterwards, or all that are left. Whole words are taken while there
    /// are any, since this is on the way of every few pixels.
    fn fill(&mut self) {
        if let Some(word) = self.rest.first_chunk::<8>() {
            self.held |= u64::from_le_bytes(*word) << self.count;
            let whole = (63 - self.count) / 8;
            self.count += 8 * whole;
            self.rest = usize::try_from(whole).ok().and_then(|whole| self.rest.get(whole..)).unwrap_or_default();
            return;
        }
        while self.count < 56
            && let Some((&byte, rest)) = self.rest.split_first()
        {
            self.held |= u64::from(byte) << self.count;
            self.count += 8;
            self.rest = rest;
        }
    }

    /// Goes on by `count` bits, which must be there.
    fn skip(&mut self, count: u32) -> Option<()> {
        self.count = self.count.checked_sub(count)?;
        self.held >>= count;
        Some(())
    }

    /// Reads a number of `count` bits, no more than 31.
    fn take(&mut self, count: u32) -> Option<u32> {
        if self.count < count {
            self.fill();
        }
        let [a, b, c, d, ..] = self.held.to_le_bytes();
        let value = u32::from_le_bytes([a, b, c, d]) & ((1 << count) - 1);
        self.skip(count)?;
        Some(value)
    }

    /// Reads a number of up to 16 bits that is used as a symbol or a count of symbols.
    fn take_short(&mut self, count: u32) -> Option<u16> {
        u16::try_from(self.take(count)?).ok()
    }

    /// Reads one symbol of a code.
    fn symbol(&mut self, code: &Code) -> Option<u16> {
        if self.count < u32::from(LONGEST) {
            self.fill();
        }
        let [low, high, ..] = self.held.to_le_bytes();
        let next = u16::from_le_bytes([low, high]) & code.mask;
        let entry = *code.table.get(usize::from(next))?;
        self.skip(u32::from(entry & 15))?;
        Some(entry >> 4)
    }

    /// Reads from the transforms to the point where the number of groups is known.
    fn groups(&mut self, width: u32, height: u32) -> Option<u32> {
        let width = self.transforms(width, height)?;
        self.cache()?;
        if self.take(1)? == 0 {
            return Some(1);
        }
        let highest = self.blocks(width, height)?;
        Some(highest + 1)
    }

    /// Passes over the transforms and tells the width that is left, as pixels of few colours are
    /// packed into fewer.
    fn transforms(&mut self, mut width: u32, height: u32) -> Option<u32> {
        let mut seen = [false; 4];
        while self.take(1)? == 1 {
            let kind = self.take(2)?;
            let seen = seen.get_mut(usize::try_from(kind).ok()?)?;
            if std::mem::replace(seen, true) {
                return None;
            }
            match kind {
                0 | 1 => {
                    self.blocks(width, height)?;
                }
                2 => {}
                _ => width = width.div_ceil(self.palette()?),
            }
        }
        Some(width)
    }

    /// Passes over a palette and tells how many pixels it lets share one.
    fn palette(&mut self) -> Option<u32> {
        let colours = self.take(8)? + 1;
        self.image(colours, 1)?;
        Some(match colours {
            ..=2 => 8,
            3..=4 => 4,
            5..=16 => 2,
            _ => 1,
        })
    }

    /// Reads an image with one pixel for each square block of the picture.
    fn blocks(&mut self, width: u32, height: u32) -> Option<u32> {
        let side = 1 << (self.take(3)? + 2);
        self.image(width.div_ceil(side), height.div_ceil(side))
    }

    /// Reads an image ahead of the groups and tells the highest group that its pixels name.
    fn image(&mut self, width: u32, height: u32) -> Option<u32> {
        let pixels = width.checked_mul(height)?;
        if pixels > MOST_PIXELS {
            return None;
        }
        let cache = self.cache()?;
        let codes = Codes::read(self, cache)?;
        // Where no pixel spends a bit they are all the same, and the first tells everything.
        let pixels = if codes.spend_nothing() { 1 } else { pixels };
        let mut highest = 0;
        let mut done = 0;
        while done < pixels {
            let green = self.symbol(&codes.green)?;
            if green < LITERALS {
                highest = self.literal(green, &codes)?.max(highest);
                done += 1;
            } else if green < LITERALS + LENGTHS {
                done += self.copy(green - LITERALS, &codes.distance, width, done)?;
            } else {
                done += 1;
            }
        }
        (done == pixels).then_some(highest)
    }

    /// Reads the rest of a pixel that is spelt out and tells the group that it names.
    fn literal(&mut self, green: u16, codes: &Codes) -> Option<u32> {
        let red = self.symbol(&codes.red)?;
        self.symbol(&codes.blue)?;
        self.symbol(&codes.alpha)?;
        Some((u32::from(red) << 8) | u32::from(green))
    }

    /// Reads a copy of earlier pixels, of which there are `done`, and tells its length. One that
    /// reaches back before the first pixel is broken.
    fn copy(&mut self, prefix: u16, distance: &Code, width: u32, done: u32) -> Option<u32> {
        let length = self.amount(prefix)?;
        let prefix = self.symbol(distance)?;
        let distance = self.amount(prefix)?;
        (reach(distance, width) <= done).then_some(length)
    }

    /// Reads a length or a distance, of which the prefix gives the magnitude.
    fn amount(&mut self, prefix: u16) -> Option<u32> {
        let prefix = u32::from(prefix);
        if prefix < 4 {
            return Some(prefix + 1);
        }
        let extra = (prefix - 2) >> 1;
        let least = (2 + (prefix & 1)) << extra;
        Some(least + self.take(extra)? + 1)
    }

    /// Reads whether there is a colour cache and tells how many symbols it adds to the green code.
    fn cache(&mut self) -> Option<u16> {
        if self.take(1)? == 0 {
            return Some(0);
        }
        match self.take(4)? {
            size @ 1..=11 => Some(1 << size),
            _ => None,
        }
    }
}

/// Turns a distance as it is stored into a number of pixels, as the lowest ones stand for pixels
/// nearby in two dimensions.
fn reach(distance: u32, width: u32) -> u32 {
    let far = u32::try_from(NEAR.len()).unwrap_or(0);
    if distance > far {
        return distance - far;
    }
    let near = usize::try_from(distance)
        .ok()
        .and_then(|distance| NEAR.get(distance.checked_sub(1)?))
        .copied()
        .map_or(0, u32::from);
    ((near >> 4) * width + 8).saturating_sub(near & 15).max(1)
}

/// The five codes of an image ahead of the groups, which has one group and no choice.
struct Codes {
    /// For green, for the lengths of copies, and for the colour cache.
    green: Code,
    /// For red.
    red: Code,
    /// For blue.
    blue: Code,
    /// For alpha.
    alpha: Code,
    /// For the distances of copies.
    distance: Code,
}

impl Codes {
    /// Reads the five codes, in the order they are stored in.
    fn read(bits: &mut Bits, cache: u16) -> Option<Self> {
        Some(Self {
            green: Code::read(bits, LITERALS + LENGTHS + cache)?,
            red: Code::read(bits, LITERALS)?,
            blue: Code::read(bits, LITERALS)?,
            alpha: Code::read(bits, LITERALS)?,
            distance: Code::read(bits, DISTANCES)?,
        })
    }

    /// Tells whether the pixels take no bits at all. Reading such an image pixel by pixel would
    /// be work that the data have not paid for.
    fn spend_nothing(&self) -> bool {
        match self.green.only() {
            Some(green) if green < LITERALS => {
                [&self.red, &self.blue, &self.alpha].iter().all(|code| code.only().is_some())
            }
            green => green.is_some(),
        }
    }
}

/// A prefix code, laid out so that one look tells the symbol.
struct Code {
    /// For every value the next bits may have, the symbol times 16 plus the bits that it takes.
    /// Symbols stay below 4096 and lengths below 16, so both fit.
    table: Vec<u16>,
    /// Which of the next bits to look at, as many as the longest code has.
    mask: u16,
}

impl Code {
    /// Reads a code of `symbols` symbols.
    fn read(bits: &mut Bits, symbols: u16) -> Option<Self> {
        if bits.take(1)? == 1 {
            return Self::read_simple(bits, symbols);
        }
        let mut lengths = [0; 19];
        let stored = usize::from(bits.take_short(4)?) + 4;
        for &place in LENGTH_ORDER.iter().take(stored) {
            *lengths.get_mut(place)? = bits.take_short(3)?;
        }
        let code = Self::new(&lengths)?;
        Self::new(&code.read_lengths(bits, symbols)?)
    }

    /// Reads a code of one or two symbols. The same one twice is refused, as some decoders spend
    /// a bit on each use of it and others none, and what follows would be anyone's guess.
    fn read_simple(bits: &mut Bits, symbols: u16) -> Option<Self> {
        let two = bits.take(1)? == 1;
        let size = if bits.take(1)? == 1 { 8 } else { 1 };
        let first = bits.take_short(size)?;
        if first >= symbols {
            return None;
        }
        if !two {
            return Some(Self::single(first));
        }
        let second = bits.take_short(8)?;
        if second >= symbols || second == first {
            return None;
        }
        Some(Self { table: vec![(first << 4) | 1, (second << 4) | 1], mask: 1 })
    }

    /// Reads with this code the lengths of another one of `symbols` symbols.
    fn read_lengths(&self, bits: &mut Bits, symbols: u16) -> Option<Vec<u16>> {
        let symbols = usize::from(symbols);
        let mut left = symbols;
        if bits.take(1)? == 1 {
            let size = 2 + 2 * bits.take(3)?;
            left = usize::from(bits.take_short(size)?) + 2;
            if left > symbols {
                return None;
            }
        }
        let mut lengths = Vec::with_capacity(symbols);
        let mut last = 8;
        while left > 0 && lengths.len() < symbols {
            left -= 1;
            let (length, times) = match bits.symbol(self)? {
                16 => (last, bits.take_short(2)? + 3),
                17 => (0, bits.take_short(3)? + 3),
                18 => (0, bits.take_short(7)? + 11),
                length => (length, 1),
            };
            if length != 0 {
                last = length;
            }
            lengths.resize(lengths.len() + usize::from(times), length);
        }
        // A run that goes past the last symbol is broken. What is left out has no code.
        (lengths.len() <= symbols).then_some(lengths)
    }

    /// Makes a code of one symbol, which takes no bits.
    fn single(symbol: u16) -> Self {
        Self { table: vec![symbol << 4], mask: 0 }
    }

    /// The symbol that is always next, if there is only one.
    fn only(&self) -> Option<u16> {
        match *self.table {
            [entry] => Some(entry >> 4),
            _ => None,
        }
    }

    /// Makes a code from the length of each symbol's, none of which is over 15. The lengths must
    /// use up all there is, no less and no more, save that a symbol on its own takes no bits
    /// whatever its length says.
    fn new(lengths: &[u16]) -> Option<Self> {
        let mut used = (0..).zip(lengths).filter(|(_, length)| **length != 0);
        let (symbol, _) = used.next()?;
        if used.next().is_none() {
            return Some(Self::single(symbol));
        }
        let longest = lengths.iter().copied().max()?.min(LONGEST);
        let spent: u32 =
            lengths.iter().filter(|length| **length != 0).map(|length| 1 << LONGEST.saturating_sub(*length)).sum();
        if spent != 1 << LONGEST {
            return None;
        }
        Some(Self { table: table(lengths, longest), mask: (1 << longest) - 1 })
    }
}

/// Lays out the canonical code with these lengths, which are known to be complete and of which
/// `longest` is the longest.
fn table(lengths: &[u16], longest: u16) -> Vec<u16> {
    let mut table = vec![0; 1 << longest];
    let mut code = 0_u16;
    for length in 1..=longest {
        let same = (0..).zip(lengths).filter(|(_, other)| **other == length);
        for (symbol, _) in same {
            // Codes start with their highest bit and the stream with its lowest, hence the turn.
            let first = usize::from(code.reverse_bits() >> (16 - longest));
            let entry = (symbol << 4) | length;
            for place in table.iter_mut().skip(first).step_by(1 << length) {
                *place = entry;
            }
            code = code.wrapping_add(1 << (longest - length));
        }
    }
    table
}

#[cfg(test)]
mod tests;
