//! Counts the blocks of a zlib stream (RFC 1950, RFC 1951) without unpacking it.
//!
//! Every dynamic block makes a decoder build its Huffman tables anew, and a
//! block that holds nothing takes only about eleven bytes, so a file can ask
//! for far more work than its size suggests. Knowing the number of blocks
//! beforehand lets such a file be refused. The walk here reads the codes only
//! to find where each block ends: it keeps no output and no window, it
//! allocates nothing, and a small code costs it a small table.
//!
//! Where decoders differ the walk is the lenient one, for it must not stop at a
//! stream that some decoder reads on. So it judges neither the zlib header nor
//! distances that reach too far back nor the checksum.

use std::iter::Fuse;

/// Bits that the first look at a code's table covers; longer codes are rare
/// enough to be found by comparison.
const PRIMARY: u32 = 10;

/// Entries in a table of `PRIMARY` bits.
const TABLE: usize = 1 << PRIMARY;

/// The longest code that the format allows.
const LONGEST: u32 = 15;

/// Rounds of refilling within a block before joining the literals of its table
/// pays off.
const ROUNDS_TO_JOIN: u32 = 512;

/// One bit of code length, in both fields of an entry that it counts in.
///
/// An entry says what a code stands for. Bits 0 to 7 are the bits to drop, the
/// extra bits included; bits 8 to 12 are those of the code alone; then come the
/// three flags; and from bit 16 up stands a value: bytes of output, or for the
/// code of code lengths the symbol. Zero means no code. Entries of literals
/// have no flag, so adding one to another entry gives the entry of both in turn.
const LENGTH_UNIT: u32 = 0x101;

/// Flags an entry for a match, which a distance follows.
const MATCH: u32 = 1 << 13;

/// Flags the entry for the end of a block.
const END: u32 = 1 << 14;

/// Flags an entry for a symbol that may have a code but never be used.
const BAD: u32 = 1 << 15;

/// Where an entry's value begins.
const VALUE: u32 = 16;

/// The order in which a dynamic block lists the lengths of its first code.
const ORDER: [u32; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Counts the deflate blocks of the zlib stream that the parts make up.
///
/// Stops as soon as the count passes `most`, after the final block, or where
/// the data ends or breaks, which a decoder will refuse by itself. `None` says
/// that not even the two bytes of the header are there.
pub(super) fn blocks<'a>(parts: impl Iterator<Item = &'a [u8]>, most: u64) -> Option<u64> {
    walk(parts, most).map(|(blocks, _)| blocks)
}

/// Walks the stream and gives the blocks begun and the bytes they unpack to,
/// the second so that the walk can be checked against a decoder.
fn walk<'a>(parts: impl Iterator<Item = &'a [u8]>, most: u64) -> Option<(u64, u64)> {
    let mut bits = Bits::new(parts);
    bits.refill();
    bits.take(16)?;
    let mut codes = Codes::new();
    let (mut blocks, mut bytes) = (0_u64, 0_u64);
    loop {
        bits.refill();
        let Some(head) = bits.take(3).filter(|head| head >> 1 != 3) else {
            break;
        };
        blocks = blocks.saturating_add(1);
        if blocks > most {
            break;
        }
        let Some(held) = codes.block(&mut bits, head >> 1) else {
            break;
        };
        bytes = bytes.saturating_add(held);
        if head & 1 == 1 {
            break;
        }
    }
    Some((blocks, bytes))
}

/// The stream's bits, across the seams of its parts.
struct Bits<'a, I> {
    /// The parts still to come.
    parts: Fuse<I>,
    /// The bits at hand.
    window: Window<'a>,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Bits<'a, I> {
    /// Starts before the first bit.
    fn new(parts: I) -> Self {
        let (part, held, count): (&[u8], _, _) = (&[], 0, 0);
        Self { parts: parts.fuse(), window: Window { part, held, count } }
    }

    /// Tops the bits up to at least 56, or to all that are left.
    #[inline]
    fn refill(&mut self) {
        if self.window.refill().is_none() {
            self.refill_by_byte();
        }
    }

    /// Tops up a copy of the bits, which alone is in use meanwhile.
    #[inline(always)]
    fn refill_copy(&mut self, window: &mut Window<'a>) {
        if window.refill().is_none() {
            self.window = *window;
            self.refill_by_byte();
            *window = self.window;
        }
    }

    /// Tops the bits up near the end of a part, where no whole word is left.
    #[cold]
    #[inline(never)]
    fn refill_by_byte(&mut self) {
        let window = &mut self.window;
        while window.count < 56 {
            if let Some((&byte, rest)) = window.part.split_first() {
                window.held |= u64::from(byte) << window.count;
                window.count += 8;
                window.part = rest;
            } else if let Some(part) = self.parts.next() {
                window.part = part;
            } else {
                break;
            }
        }
    }

    /// Takes fewer than 32 bits as a number, without refilling.
    #[inline]
    fn take(&mut self, bits: u32) -> Option<u32> {
        let value = low(self.window.held, bits);
        self.window.drop(bits)?;
        u32::try_from(value).ok()
    }

    /// Skips a stored block by its length, which it gives.
    fn stored(&mut self) -> Option<u64> {
        self.window.drop(self.window.count % 8)?;
        self.refill();
        let length = self.take(16)?;
        if self.take(16)? != length ^ 0xffff {
            return None;
        }
        self.skip(length)?;
        Some(u64::from(length))
    }

    /// Skips whole bytes; the bits held must be whole bytes too.
    fn skip(&mut self, bytes: u32) -> Option<()> {
        let window = &mut self.window;
        if bytes <= window.count / 8 {
            return window.drop(bytes * 8);
        }
        let mut left = (bytes - window.count / 8) as usize;
        window.held = 0;
        window.count = 0;
        loop {
            if let Some(rest) = window.part.get(left..) {
                window.part = rest;
                return Some(());
            }
            left = left.saturating_sub(window.part.len());
            window.part = self.parts.next()?;
        }
    }
}

/// The bits at hand, lowest first, and the part that they come from. It is
/// small and apart from the rest so that a loop can keep a copy in registers.
#[derive(Clone, Copy)]
struct Window<'a> {
    /// What is left of the present part.
    part: &'a [u8],
    /// The next bits. Those above `count` are zero, or already equal the
    /// part's next bytes, so that setting them again changes nothing.
    held: u64,
    /// How many bits of `held` have been taken from the part, at most 63.
    count: u32,
}

impl Window<'_> {
    /// Tops the bits up to at least 56, if the part has a whole word left.
    #[inline(always)]
    fn refill(&mut self) -> Option<()> {
        let word = self.part.first_chunk::<8>()?;
        self.held |= u64::from_le_bytes(*word) << (self.count & 63);
        let whole = (self.count & 63 ^ 63) / 8;
        self.part = self.part.get(whole as usize..)?;
        self.count |= 56;
        Some(())
    }

    /// Drops bits, if so many are there.
    #[inline(always)]
    fn drop(&mut self, bits: u32) -> Option<()> {
        self.count = self.count.checked_sub(bits)?;
        self.held >>= bits & 63;
        Some(())
    }

    /// Drops an entry's code and extra bits, and gives its value with the
    /// extra bits added.
    #[inline(always)]
    fn value(&mut self, entry: u32) -> Option<u32> {
        let extra = low(self.held, entry & 0x3f) >> (entry >> 8 & 0x1f);
        self.drop(entry & 0xff)?;
        // At most 13 extra bits, so the cast loses nothing.
        Some((entry >> VALUE) + extra as u32)
    }
}

/// The lowest bits of a word, fewer than 64 of them.
#[inline(always)]
fn low(word: u64, bits: u32) -> u64 {
    word & ((1 << (bits & 63)) - 1)
}

/// All codes, kept from block to block so that none is allocated or cleared.
struct Codes {
    /// The pair that the format itself fixes.
    fixed: Pair,
    /// The pair of the latest dynamic block.
    dynamic: Pair,
    /// The code in which a dynamic block writes its code lengths.
    lengths: Code,
}

impl Codes {
    /// Builds the fixed codes and leaves the others empty.
    fn new() -> Self {
        Self { fixed: Pair::fixed(), dynamic: Pair::new(), lengths: Code::new() }
    }

    /// Walks through one block of the given kind and gives its bytes of output.
    fn block<'a, I>(&mut self, bits: &mut Bits<'a, I>, kind: u32) -> Option<u64>
    where
        I: Iterator<Item = &'a [u8]>,
    {
        match kind {
            0 => bits.stored(),
            1 => self.fixed.symbols(bits),
            _ => {
                self.read(bits)?;
                self.dynamic.symbols(bits)
            }
        }
    }

    /// Reads the codes of a dynamic block.
    fn read<'a, I>(&mut self, bits: &mut Bits<'a, I>) -> Option<()>
    where
        I: Iterator<Item = &'a [u8]>,
    {
        let literals = 257 + bits.take(5)?;
        let distances = 1 + bits.take(5)?;
        let listed = 4 + bits.take(4)?;
        self.read_lengths(bits, listed)?;
        self.dynamic.clear();
        let (mut symbol, mut last) = (0, 0);
        while symbol < literals + distances {
            bits.refill();
            let entry = self.lengths.find(bits.window.held)?;
            let (length, times) = run(entry, bits.window.value(entry)?, last);
            if length > 0 {
                for symbol in symbol..symbol + times {
                    self.dynamic.push(symbol, literals, length)?;
                }
            }
            symbol += times;
            last = length;
        }
        // A run that goes beyond the last symbol breaks the stream.
        (symbol == literals + distances).then_some(())?;
        self.dynamic.literals.build()?;
        self.dynamic.distances.build()
    }

    /// Reads the code in which the code lengths are written.
    fn read_lengths<'a, I>(&mut self, bits: &mut Bits<'a, I>, listed: u32) -> Option<()>
    where
        I: Iterator<Item = &'a [u8]>,
    {
        bits.refill();
        // Three bits a length, sorted by symbol: all 19 fit a word.
        let mut sorted = 0_u64;
        for (at, symbol) in (0..listed).zip(ORDER) {
            if at == 16 {
                bits.refill();
            }
            sorted |= u64::from(bits.take(3)?) << (symbol * 3);
        }
        self.lengths.clear();
        while sorted != 0 {
            let symbol = sorted.trailing_zeros() / 3;
            let length = (sorted >> (symbol * 3)) as u32 & 7;
            sorted &= !(7 << (symbol * 3));
            self.lengths.push(length_meaning(symbol), length)?;
        }
        self.lengths.build()
    }
}

/// The code length that an entry stands for and how many times, given its
/// value and the code length before it. A repeat with nothing to repeat counts
/// as zeros.
fn run(entry: u32, value: u32, last: u32) -> (u32, u32) {
    match entry >> VALUE {
        symbol @ 0..16 => (symbol, 1),
        16 => (last, value - 16 + 3),
        17 => (0, value - 17 + 3),
        _ => (0, value - 18 + 11),
    }
}

/// The pair of codes that a block is written in.
struct Pair {
    /// Literals, lengths and the end of the block.
    literals: Code,
    /// Distances.
    distances: Code,
}

impl Pair {
    /// A pair that has no codes yet.
    fn new() -> Self {
        Self { literals: Code::new(), distances: Code::new() }
    }

    /// The pair that the format fixes.
    fn fixed() -> Self {
        let mut pair = Self::new();
        for symbol in 0..288 + 32 {
            let length = match symbol {
                144..256 => 9,
                256..280 => 7,
                0..288 => 8,
                _ => 5,
            };
            // Neither this nor a build can fail: both codes are complete.
            let _ = pair.push(symbol, 288, length);
        }
        let _ = pair.literals.build();
        let _ = pair.distances.build();
        pair
    }

    /// Forgets both codes.
    fn clear(&mut self) {
        self.literals.clear();
        self.distances.clear();
    }

    /// Gives a symbol its length, above zero; the distances are numbered on
    /// from the literals.
    #[inline(always)]
    fn push(&mut self, symbol: u32, literals: u32, length: u32) -> Option<()> {
        match symbol.checked_sub(literals) {
            None => self.literals.push(literal_meaning(symbol), length),
            Some(distance) => self.distances.push(distance_meaning(distance), length),
        }
    }

    /// Walks the symbols up to the end of the block and gives its bytes of
    /// output.
    fn symbols<'a, I>(&mut self, bits: &mut Bits<'a, I>) -> Option<u64>
    where
        I: Iterator<Item = &'a [u8]>,
    {
        let mut window = bits.window;
        let (mut bytes, mut rounds) = (0_u64, 0_u32);
        loop {
            bits.refill_copy(&mut window);
            rounds = rounds.wrapping_add(1);
            if rounds == ROUNDS_TO_JOIN {
                self.literals.join();
            }
            let (entry, held) = self.some_literals(&mut window)?;
            bytes = bytes.wrapping_add(u64::from(held));
            if entry & MATCH != 0 {
                bits.refill_copy(&mut window);
                let distance = self.distances.find(window.held)?;
                window.drop(distance & 0xff)?;
                (distance & BAD == 0).then_some(())?;
            } else if entry & (END | BAD) != 0 {
                bits.window = window;
                return (entry & END != 0).then_some(bytes);
            }
        }
    }

    /// Reads as many symbols as one refill surely holds, up to the first that
    /// is no literal: three of at most 15 bits, the last with 5 more. Gives the
    /// last entry and the bytes of output. Refilling at fixed places costs less
    /// than a branch on the bits left, which no processor could foretell.
    #[inline(always)]
    fn some_literals(&self, window: &mut Window<'_>) -> Option<(u32, u32)> {
        let mut bytes = 0;
        let mut entry = 0;
        for _ in 0..3 {
            entry = self.literals.find(window.held)?;
            bytes += window.value(entry)?;
            if entry & (MATCH | END | BAD) != 0 {
                break;
            }
        }
        Some((entry, bytes))
    }
}

/// The entry of a literal, the end or a match, but for the code's length.
fn literal_meaning(symbol: u32) -> u32 {
    match symbol {
        0..256 => 1 << VALUE,
        256 => END,
        257..265 => MATCH | (symbol - 254) << VALUE,
        265..285 => {
            let extra = (symbol - 261) / 4;
            let base = ((4 + (symbol - 261) % 4) << extra) + 3;
            MATCH | extra | base << VALUE
        }
        285 => MATCH | 258 << VALUE,
        _ => BAD,
    }
}

/// The entry of a distance, but for the code's length; only the extra bits
/// matter, as nothing is copied.
fn distance_meaning(symbol: u32) -> u32 {
    match symbol {
        0..4 => 0,
        4..30 => symbol / 2 - 1,
        _ => BAD,
    }
}

/// The entry of a symbol in the code of code lengths, but for its own length.
fn length_meaning(symbol: u32) -> u32 {
    let extra = match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    };
    symbol << VALUE | extra
}

/// One Huffman code: a table for its short codes, bounds for the long ones.
struct Code {
    /// How many codes there are of each length.
    counts: [u16; 16],
    /// The entries, in the order of their symbols.
    pushed: [u32; 288],
    /// How many entries were pushed.
    used: usize,
    /// The entries, in the order of their codes.
    sorted: [u32; 288],
    /// For each length the first code beyond it, as the top of 16 bits.
    bounds: [u32; 16],
    /// For each length what to add to a code to get its place in `sorted`,
    /// wrapping.
    places: [u32; 16],
    /// The longest code's length.
    longest: u32,
    /// The entry for each value of the next bits; zero for a long code.
    table: [u32; TABLE],
    /// Covers the bits that the table is looked up by: never more than the
    /// longest code has, so that small codes need little filling.
    mask: u64,
}

impl Code {
    /// A code of no symbols.
    fn new() -> Self {
        Self {
            counts: [0; 16],
            pushed: [0; 288],
            used: 0,
            sorted: [0; 288],
            bounds: [0; 16],
            places: [0; 16],
            longest: 0,
            table: [0; TABLE],
            mask: 1,
        }
    }

    /// Forgets the symbols. The tables stay as they are until the next build.
    fn clear(&mut self) {
        self.counts = [0; 16];
        self.used = 0;
    }

    /// Adds the next symbol, with a length from 1 to 15.
    #[inline(always)]
    fn push(&mut self, meaning: u32, length: u32) -> Option<()> {
        *self.counts.get_mut(length as usize)? += 1;
        *self.pushed.get_mut(self.used)? = meaning + length * LENGTH_UNIT;
        self.used += 1;
        Some(())
    }

    /// Makes the tables for the symbols pushed, if their lengths make a code.
    fn build(&mut self) -> Option<()> {
        self.measure()?;
        self.sort()?;
        self.fill()
    }

    /// Finds the longest length, the bounds and the places. Fails for a code
    /// that is over-full, or that is incomplete with more than one symbol: a
    /// lone distance is written that way.
    fn measure(&mut self) -> Option<()> {
        let (mut code, mut place) = (0_u32, 0_u32);
        self.longest = 0;
        let lengths = self.counts.iter().zip(&mut self.bounds).zip(&mut self.places);
        for (length, ((&count, bound), start)) in (0..=LONGEST).zip(lengths) {
            code *= 2;
            *start = place.wrapping_sub(code);
            code += u32::from(count);
            place += u32::from(count);
            if code > 1 << length {
                return None;
            }
            *bound = code << (16 - length);
            if count > 0 {
                self.longest = length;
            }
            if place as usize == self.used {
                break;
            }
        }
        (code == 1 << self.longest || self.used < 2).then_some(())
    }

    /// Puts the entries into the order of their codes.
    fn sort(&mut self) -> Option<()> {
        let mut next = [0_u16; 16];
        let mut place = 0;
        for (next, count) in next.iter_mut().zip(self.counts) {
            *next = place;
            place += count;
        }
        for &entry in self.pushed.get(..self.used)? {
            let next = next.get_mut((entry >> 8 & 0xf) as usize)?;
            *self.sorted.get_mut(usize::from(*next))? = entry;
            *next += 1;
        }
        Some(())
    }

    /// Fills the table, doubling it from each length to the next so that the
    /// work is that of the table's own size.
    fn fill(&mut self) -> Option<()> {
        let top = self.longest.clamp(1, PRIMARY);
        self.mask = (1 << top) - 1;
        self.table.get_mut(..2)?.fill(0);
        let mut entries = self.sorted.iter();
        let mut code = 0_u16;
        for (length, &count) in (0..=top).zip(&self.counts) {
            if length > 1 {
                let half = 1 << (length - 1);
                let (low, high) = self.table.split_at_mut_checked(half)?;
                high.get_mut(..half)?.copy_from_slice(low);
            }
            code <<= 1;
            for &entry in entries.by_ref().take(usize::from(count)) {
                // The stream has a code's first bit lowest.
                let at = code.reverse_bits() >> (16 - length);
                *self.table.get_mut(usize::from(at))? = entry;
                code += 1;
            }
        }
        Some(())
    }

    /// Joins each literal in the table with the symbol after it, where the bits
    /// looked up show both. It costs more than a short block would gain.
    #[cold]
    fn join(&mut self) {
        let top = self.mask.count_ones();
        for at in (0..TABLE >> (PRIMARY - top)).rev() {
            let entry = self.table.get(at).copied().unwrap_or_default();
            if entry == 0 || entry & (MATCH | END | BAD) != 0 {
                continue;
            }
            let length = entry >> 8 & 0x1f;
            let next = self.table.get(at >> length).copied().unwrap_or_default();
            let fits = next != 0 && length + (next >> 8 & 0x1f) <= top;
            if let Some(slot) = self.table.get_mut(at).filter(|_| fits) {
                *slot = entry + next;
            }
        }
    }

    /// The entry of the code that the bits begin with.
    #[inline(always)]
    fn find(&self, held: u64) -> Option<u32> {
        let at = (held & self.mask) as usize % TABLE;
        match self.table.get(at) {
            Some(&entry) if entry != 0 => Some(entry),
            _ => self.find_long(held),
        }
    }

    /// The entry of a code that is longer than the table shows.
    #[cold]
    #[inline(never)]
    fn find_long(&self, held: u64) -> Option<u32> {
        let code = u32::from((held as u16).reverse_bits());
        for length in PRIMARY + 1..=self.longest {
            if code < *self.bounds.get(length as usize)? {
                let start = *self.places.get(length as usize)?;
                let place = (code >> (16 - length)).wrapping_add(start);
                return self.sorted.get(place as usize).copied();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
