//! Which parts of a baseline JPEG its only scan does not hold: the reference's library leaves them without
//! coefficients, grey, from the part after the one in which the bits ran out.

use std::ops::Range;

use super::Watch;
use super::jpeg::{Frame, segment};
use super::tail;

/// A part of a picture: blocks of all components that are coded together.
pub(super) struct Parts {
    /// Its width and height in pixels.
    pub(super) size: [usize; 2],
    /// Parts side by side.
    pub(super) across: usize,
    /// The numbers of those that are missing.
    pub(super) missing: Vec<Range<usize>>,
    /// The file with these parts coded as parts without coefficients where it can be written so, and up to the end of
    /// its scan otherwise.
    pub(super) file: Vec<u8>,
    /// It is written so.
    pub(super) filled: bool,
    /// libjpeg and the decoder here differ on it: a coefficient lies beyond its block, a first coefficient is too large,
    /// or so is the sum of a block in which the bits ran out.
    pub(super) torn: bool,
    /// The file ends without a marker while libjpeg still waits for bytes.
    pub(super) cut: bool,
    /// libjpeg fails on the markers behind it.
    pub(super) astray: bool,
}

/// The symbol that sixteen bits begin with, and the length of its code; 0 for none.
pub(super) type Table = Vec<(u8, u8)>;

pub(super) struct Component {
    pub(super) id: u8,
    pub(super) sampling: [usize; 2],
    /// The number of its table of steps.
    steps: u8,
}

/// How a block is coded.
#[derive(Clone, Copy)]
struct Block<'a> {
    /// The number of its component.
    owner: usize,
    first: &'a Table,
    others: &'a Table,
    steps: &'a Steps,
}

/// The steps of a block's coefficients, in the order in which they are coded.
type Steps = [u16; 64];

/// Follows the scan that begins at `scan`. `None` where it is not the only one, or cannot be followed.
pub(super) fn parts(bytes: &[u8], frame: &Frame, scan: usize, watch: Watch<'_>) -> Option<Parts> {
    let mut tables: [Option<Table>; 8] = Default::default();
    let mut steps = [[1; 64]; 4];
    let (mut components, mut interval, mut at) = (Vec::new(), 0, 2);
    let (header, before) = loop {
        let (marker, data, end) = segment(bytes, at)?;
        match marker {
            0xc4 => read_tables(data, &mut tables)?,
            0xdb => read_steps(data, &mut steps)?,
            0xc0 | 0xc1 => components = read_components(data)?,
            0xdd => interval = usize::from(u16::from_be_bytes(*data.first_chunk()?)),
            0xda => break (data, at),
            _ => {}
        }
        at = end;
    };
    let used = header.get(1..1 + 2 * components.len())?.chunks_exact(2);
    if usize::from(*header.first()?) != components.len() {
        return None;
    }
    let most = |axis: usize| components.iter().map(|c| c.sampling[axis]).max().unwrap_or(1);
    let alone = components.len() == 1;
    let size = if alone { [8, 8] } else { [8 * most(0), 8 * most(1)] };
    let across = (frame.width as usize).div_ceil(size[0]);
    let count = across * (frame.height as usize).div_ceil(size[1]);
    let mut blocks = Vec::new();
    for (owner, pair) in used.enumerate() {
        let component = components.iter().find(|c| c.id == pair[0])?;
        let table = |class: u8, index: u8| tables.get(usize::from(class * 4 + (index & 3)))?.as_ref();
        let (first, others) = (table(0, pair[1] >> 4)?, table(1, pair[1] & 15)?);
        let steps = steps.get(usize::from(component.steps & 3))?;
        let each = if alone { 1 } else { component.sampling[0] * component.sampling[1] };
        blocks.resize(blocks.len() + each, Block { owner, first, others, steps });
    }
    let mut bits = Bits { taken: Some(Scan::default()), ..Bits::of(bytes.get(scan..)?) };
    let missing = missing(&mut bits, &blocks, (count, interval), watch)?;
    let filled = match missing[..] {
        [Range { start, end }] if end == count && interval == 0 => {
            bits.taken.take().and_then(|taken| fill(taken, &blocks, (start, count))).and_then(|data| {
                // A part's values go on from the part before: a restart, where one begins anew, needs an interval.
                let restart = [&[0xff, 0xdd, 0, 4][..], &u16::try_from(start).ok()?.to_be_bytes()].concat();
                Some([bytes.get(..before)?, &restart, bytes.get(before..scan)?, &data, &[0xff, 0xd9]].concat())
            })
        }
        _ => None,
    };
    let end = bytes.len() - bits.data.len();
    let astray = tail::fails(bytes, end);
    let (beyond, cut) = (bits.beyond, bits.cut);
    let (file, filled) = match filled {
        Some(file) => (file, true),
        // The decoder here would fail on markers that libjpeg passes over.
        None => ([bytes.get(..end)?, &[0xff, 0xd9]].concat(), false),
    };
    Some(Parts { size, across, missing, file, filled, torn: beyond, cut, astray })
}

/// The parts that the scan holds, and behind them, in intervals of as many, those that it does not: no difference to a
/// first coefficient of 0, and no other coefficients. `None` where the tables have no codes for that.
fn fill(mut scan: Scan, blocks: &[Block<'_>], (held, count): (usize, usize)) -> Option<Vec<u8>> {
    let code = |table: &Table| {
        let at = table.iter().position(|(symbol, length)| *symbol == 0 && *length > 0)?;
        let (_, length) = table.get(at)?;
        Some((at as u64 >> (16 - length), u32::from(*length)))
    };
    let codes = blocks.iter().flat_map(|block| [code(block.first), code(block.others)]);
    let codes = codes.collect::<Option<Vec<_>>>()?;
    for part in held..count {
        if part % held.max(1) == 0 {
            scan.restart();
        }
        codes.iter().for_each(|(code, length)| scan.put(*code, *length));
    }
    scan.pad();
    Some(scan.bytes)
}

/// Up to this sum of a block's coefficients, the inverse transform does not overflow.
const LARGEST: u64 = 4768;

fn missing(
    bits: &mut Bits<'_>,
    blocks: &[Block<'_>],
    (count, interval): (usize, usize),
    watch: Watch<'_>,
) -> Option<Vec<Range<usize>>> {
    let mut missing: Vec<Range<usize>> = Vec::new();
    // First coefficients are coded as differences from the previous block's.
    let mut averages = [0_i64; 4];
    for part in 0..count {
        if part % 4096 == 0 && watch.stopped() {
            return None;
        }
        if interval > 0 && part > 0 && part % interval == 0 {
            bits.restart();
            averages = [0; 4];
        }
        if bits.ended {
            match missing.last_mut() {
                Some(last) if last.end == part => last.end += 1,
                _ => missing.push(part..part + 1),
            }
            continue;
        }
        for Block { owner, first, others, steps } in blocks {
            let mut sum = 0;
            let size = bits.symbol(first)? & 15;
            let value = bits.skip(u32::from(size));
            let below = size > 0 && value >> (size - 1) == 0;
            let average = averages.get_mut(*owner)?;
            *average += value as i64 - if below { (1 << size) - 1 } else { 0 };
            bits.beyond |= average.unsigned_abs() * u64::from(steps[0]) > LARGEST;
            let mut place = 1;
            while place < 64 {
                let symbol = bits.symbol(others)?;
                let (zeros, size) = (symbol >> 4, symbol & 15);
                if size == 0 && zeros != 15 {
                    break;
                }
                let value = bits.skip(u32::from(size));
                let value = if value >> size.saturating_sub(1) & 1 == 1 { value } else { (1 << size) - 1 - value };
                place += usize::from(zeros);
                bits.beyond |= size > 0 && place > 63;
                sum += value * u64::from(steps.get(place).copied().unwrap_or(u16::MAX));
                place += 1;
            }
            bits.beyond |= bits.ended && sum > LARGEST;
        }
    }
    Some(missing)
}

pub(super) fn read_tables(mut data: &[u8], tables: &mut [Option<Table>; 8]) -> Option<()> {
    while let Some((head, rest)) = data.split_first() {
        let (lengths, rest) = rest.split_first_chunk::<16>()?;
        let count = lengths.iter().map(|n| usize::from(*n)).sum();
        let (symbols, rest) = rest.split_at_checked(count)?;
        let mut table = Vec::with_capacity(1 << 16);
        let mut symbols = symbols.iter();
        for (length, count) in (1..=16_u8).zip(lengths) {
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                table.resize(table.len() + (1 << (16 - length)), (*symbol, length));
                if table.len() > 1 << 16 {
                    return None;
                }
            }
        }
        table.resize(1 << 16, (0, 0));
        *tables.get_mut(usize::from((head >> 4 & 1) * 4 + (head & 3)))? = Some(table);
        data = rest;
    }
    Some(())
}

/// Tables of steps of 8 or 16 bits.
fn read_steps(mut data: &[u8], steps: &mut [Steps; 4]) -> Option<()> {
    while let Some((head, rest)) = data.split_first() {
        let bytes = if head >> 4 == 0 { 1 } else { 2 };
        let (table, rest) = rest.split_at_checked(64 * bytes)?;
        let values = table.chunks_exact(bytes).map(|v| v.iter().fold(0, |sum, b| sum << 8 | u16::from(*b)));
        let place = steps.get_mut(usize::from(head & 3))?;
        place.iter_mut().zip(values).for_each(|(place, value)| *place = value);
        data = rest;
    }
    Some(())
}

pub(super) fn read_components(data: &[u8]) -> Option<Vec<Component>> {
    let count = usize::from(*data.get(5)?);
    let one =
        |c: &[u8]| Component { id: c[0], sampling: [usize::from(c[1] >> 4), usize::from(c[1] & 15)], steps: c[2] };
    let components: Vec<Component> = data.get(6..6 + 3 * count)?.chunks_exact(3).map(one).collect();
    components.iter().all(|c| c.sampling.iter().all(|s| (1..=4).contains(s))).then_some(components)
}

/// The bits of a scan; after a marker come zeros.
#[derive(Default)]
pub(super) struct Bits<'a> {
    /// What comes after the bits that are held.
    pub(super) data: &'a [u8],
    word: u64,
    have: u32,
    /// More bits were asked for than there are.
    pub(super) ended: bool,
    /// A coefficient was to stand behind the last one of its block, or those of one that ended early are too large.
    beyond: bool,
    /// Bytes beyond the end of the file were needed.
    cut: bool,
    /// A copy of the bits read so far, if it is kept.
    taken: Option<Scan>,
}

/// A scan that is written.
#[derive(Default)]
struct Scan {
    bytes: Vec<u8>,
    word: u64,
    have: u32,
    restarts: u8,
}

impl Scan {
    /// Adds the lowest `count` bits, 16 at most.
    fn put(&mut self, bits: u64, count: u32) {
        self.word = self.word << count | bits;
        self.have += count;
        while self.have >= 8 {
            self.have -= 8;
            let byte = (self.word >> self.have) as u8;
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
        self.word &= (1 << self.have) - 1;
    }

    /// Ends in a whole byte, as a scan is padded.
    fn pad(&mut self) {
        let count = (8 - self.have) % 8;
        self.put((1 << count) - 1, count);
    }

    fn restart(&mut self) {
        self.pad();
        self.bytes.extend([0xff, 0xd0 + self.restarts % 8]);
        self.restarts = (self.restarts + 1) % 8;
    }
}

impl<'a> Bits<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        Self { data, ..Self::default() }
    }

    /// Loads bytes until there are at least 57 bits, exactly when libjpeg does: a file that ends without a marker is
    /// complete only if libjpeg never asks for a byte beyond its end.
    fn fill(&mut self) {
        while self.have <= 56 {
            let byte = match self.data {
                [0xff, 0, rest @ ..] => {
                    self.data = rest;
                    0xff
                }
                [0xff, 0xff, ..] => {
                    self.data = self.data.get(1..).unwrap_or_default();
                    continue;
                }
                [0xff] | [] => {
                    self.cut = true;
                    return;
                }
                [0xff, ..] => return,
                [byte, rest @ ..] => {
                    self.data = rest;
                    *byte
                }
            };
            self.word |= u64::from(byte) << (56 - self.have);
            self.have += 8;
        }
    }

    /// Looks up codes of up to eight bits and reads longer ones bit by bit, as libjpeg does.
    pub(super) fn symbol(&mut self, table: &Table) -> Option<u8> {
        if self.have < 8 {
            self.fill();
        }
        let (symbol, length) = *table.get((self.word >> 48) as usize)?;
        if self.have >= 8 && (1..=8).contains(&length) {
            self.skip(u32::from(length));
            return Some(symbol);
        }
        let mut taken = if self.have >= 8 { 9 } else { 1 };
        let mut code = self.skip(taken);
        while taken <= 16 {
            let (symbol, length) = *table.get((code << (16 - taken)) as usize)?;
            if (1..=taken).contains(&u32::from(length)) {
                return Some(symbol);
            }
            code = code << 1 | self.skip(1);
            taken += 1;
        }
        // An invalid code counts as zero.
        Some(0)
    }

    /// Passes over `count` bits, 16 at most: their value.
    pub(super) fn skip(&mut self, count: u32) -> u64 {
        if self.have < count {
            self.fill();
        }
        let value = if count > 0 { self.word >> (64 - count) } else { 0 };
        if let Some(taken) = &mut self.taken
            && count > 0
        {
            taken.put(value, count);
        }
        if self.have < count {
            self.ended = true;
            (self.word, self.have) = (0, 0);
        } else {
            self.word <<= count;
            self.have -= count;
        }
        value
    }

    /// Goes on behind the next restart marker, if that is what comes next.
    pub(super) fn restart(&mut self) {
        (self.word, self.have) = (0, 0);
        while let [first, rest @ ..] = self.data {
            match (first, rest.first()) {
                (0xff, Some(0xd0..=0xd7)) => {
                    self.data = rest.get(1..).unwrap_or_default();
                    self.ended = false;
                    return;
                }
                (0xff, Some(0 | 0xff)) => self.data = rest,
                (0xff, Some(_)) => return,
                (0xff, None) => break,
                _ => self.data = rest,
            }
        }
        self.cut = true;
    }
}
