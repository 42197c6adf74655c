//! Whether the scans of a progressive JPEG hold all of the picture. Where they do not, the reference's library guesses
//! the missing coefficients from the blocks around, which the decoder here cannot.

use super::Watch;
use super::jpeg::{Frame, segment};
use super::scan::{Bits, Component, Table, read_components, read_tables};

/// Coefficients of a block that are guessed where they are missing: the first one is an average.
const GUESSED: usize = 10;

/// A component of the picture and what is known of it.
struct Plane {
    component: Component,
    /// Of each block of a scan that has this component alone, which coefficients are not 0.
    set: Vec<u64>,
    /// The lowest bit of each coefficient that a scan has brought.
    known: [Option<u8>; 64],
}

/// What the segments before a scan say.
struct Setup {
    planes: Vec<Plane>,
    tables: [Option<Table>; 8],
    /// Units between two restarts; 0 for no restarts.
    interval: usize,
    /// Units of a scan that has all components.
    units: usize,
}

/// Which coefficients a scan has, and which of their bits.
#[derive(Clone, Copy)]
struct Part {
    first: u8,
    last: u8,
    /// It brings one more bit of coefficients that are known already.
    refines: bool,
    low: u8,
}

/// Follows all scans. False where bits of one are missing, or the scans together lack what would be guessed then; a
/// file that cannot be followed is left to the decoder.
pub(super) fn are_whole(bytes: &[u8], frame: &Frame, watch: Watch<'_>) -> bool {
    follow(bytes, frame, watch).unwrap_or(true)
}

fn follow(bytes: &[u8], frame: &Frame, watch: Watch<'_>) -> Option<bool> {
    let mut setup = Setup { planes: Vec::new(), tables: Default::default(), interval: 0, units: 0 };
    let mut at = 2;
    // One without an end is refused elsewhere.
    while let Some((marker, data, end)) = segment(bytes, at) {
        at = end;
        match marker {
            0xc2 => setup.start(data, frame)?,
            0xc4 => read_tables(data, &mut setup.tables)?,
            0xdd => setup.interval = usize::from(u16::from_be_bytes(*data.first_chunk()?)),
            0xd9 => break,
            0xda => {
                let mut bits = Bits::of(bytes.get(end..)?);
                if !setup.scan(data, &mut bits, watch)? {
                    return Some(false);
                }
                at = bytes.len() - bits.data.len();
            }
            _ => {}
        }
    }
    let averaged = setup.planes.iter().all(|plane| plane.known[0].is_some());
    let exact = |plane: &Plane| plane.known[1..GUESSED].iter().all(|low| *low == Some(0));
    Some(!averaged || setup.planes.iter().all(exact))
}

impl Setup {
    fn start(&mut self, data: &[u8], frame: &Frame) -> Option<()> {
        let components = read_components(data)?;
        let most = [0, 1].map(|axis| components.iter().map(|c| c.sampling[axis]).max().unwrap_or(1));
        let size = [frame.width as usize, frame.height as usize];
        self.units = size[0].div_ceil(8 * most[0]) * size[1].div_ceil(8 * most[1]);
        let plane = |component: Component| {
            let grid = [0, 1].map(|axis| (size[axis] * component.sampling[axis]).div_ceil(8 * most[axis]));
            Plane { component, set: vec![0; grid[0] * grid[1]], known: [None; 64] }
        };
        self.planes = components.into_iter().map(plane).collect();
        Some(())
    }

    /// Follows a scan with this header: whether all of its bits are there.
    fn scan(&mut self, header: &[u8], bits: &mut Bits<'_>, watch: Watch<'_>) -> Option<bool> {
        let (count, rest) = header.split_first()?;
        let (used, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let &[first, last @ 0..=63, height, ..] = rest else { return None };
        let part = Part { first, last, refines: height >> 4 > 0, low: height & 15 };
        if first > last || part.low > 13 || (first == 0) != (last == 0) {
            return None;
        }
        let mut chosen = Vec::new();
        for pair in used.chunks_exact(2) {
            let plane = self.planes.iter().position(|plane| plane.component.id == pair[0])?;
            let known = self.planes.get_mut(plane)?.known.get_mut(usize::from(first)..=usize::from(last))?;
            known.fill(Some(part.low));
            let table = if first == 0 { pair[1] >> 4 & 3 } else { 4 + (pair[1] & 3) };
            chosen.push((plane, usize::from(table)));
        }
        match chosen[..] {
            [(plane, table)] => self.blocks(plane, table, part, bits, watch),
            _ if first > 0 => None,
            _ => self.averages(&chosen, part, bits, watch),
        }
    }

    /// The first coefficients of several components.
    fn averages(&self, chosen: &[(usize, usize)], part: Part, bits: &mut Bits<'_>, watch: Watch<'_>) -> Option<bool> {
        for unit in 0..self.units {
            self.between(unit, bits, watch)?;
            for (plane, table) in chosen {
                let [across, down] = self.planes.get(*plane)?.component.sampling;
                for _ in 0..across * down {
                    average(part, self.tables.get(*table)?.as_ref(), bits)?;
                }
            }
            if bits.ended {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Coefficients of one component.
    fn blocks(
        &mut self,
        plane: usize,
        table: usize,
        part: Part,
        bits: &mut Bits<'_>,
        watch: Watch<'_>,
    ) -> Option<bool> {
        let mut set = std::mem::take(&mut self.planes.get_mut(plane)?.set);
        let table = self.tables.get(table)?.as_ref();
        let mut run = 0;
        for (unit, block) in set.iter_mut().enumerate() {
            if self.between(unit, bits, watch)? {
                run = 0;
            }
            match (part.first, part.refines) {
                (0, _) => average(part, table, bits)?,
                (_, false) => first_bits(part, table?, block, &mut run, bits)?,
                (_, true) => one_more_bit(part, table?, block, &mut run, bits)?,
            }
            if bits.ended {
                return Some(false);
            }
        }
        self.planes.get_mut(plane)?.set = set;
        Some(true)
    }

    /// What comes before a unit: whether that is a restart.
    fn between(&self, unit: usize, bits: &mut Bits<'_>, watch: Watch<'_>) -> Option<bool> {
        if unit.is_multiple_of(4096) && watch.stopped() {
            return None;
        }
        let restarts = unit > 0 && self.interval > 0 && unit.is_multiple_of(self.interval);
        if restarts {
            bits.restart();
        }
        Some(restarts)
    }
}

fn average(part: Part, table: Option<&Table>, bits: &mut Bits<'_>) -> Option<()> {
    if part.refines {
        bits.skip(1);
    } else {
        let size = bits.symbol(table?)?;
        bits.skip(u32::from(size & 15));
    }
    Some(())
}

fn first_bits(part: Part, table: &Table, block: &mut u64, run: &mut u64, bits: &mut Bits<'_>) -> Option<()> {
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut place = part.first;
    while place <= part.last {
        let symbol = bits.symbol(table)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 && zeros < 15 {
            *run = (1 << zeros) + bits.skip(u32::from(zeros)) - 1;
            break;
        }
        place += zeros;
        if size > 0 {
            bits.skip(u32::from(size));
            *block |= 1 << place.min(63);
        }
        place += 1;
    }
    Some(())
}

fn one_more_bit(part: Part, table: &Table, block: &mut u64, run: &mut u64, bits: &mut Bits<'_>) -> Option<()> {
    let is_set = |block: u64, place: u8| block >> place.min(63) & 1 == 1;
    let mut place = part.first;
    while *run == 0 && place <= part.last {
        let symbol = bits.symbol(table)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        if size > 0 {
            bits.skip(1);
        } else if zeros < 15 {
            *run = (1 << zeros) + bits.skip(u32::from(zeros));
            break;
        }
        // Each coefficient on the way that is known has a bit.
        while place <= part.last {
            if is_set(*block, place) {
                bits.skip(1);
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            place += 1;
        }
        if size > 0 {
            *block |= 1 << place.min(63);
        }
        place += 1;
    }
    if *run > 0 {
        let ahead = if place > part.last { 0 } else { *block << (63 - part.last) >> (63 - part.last) >> place };
        let mut left = ahead.count_ones();
        while left > 0 {
            bits.skip(left.min(16));
            left -= left.min(16);
        }
        *run -= 1;
    }
    Some(())
}
