//! LZW in GIF as Pillow reads it: empty blocks are skipped, a full table stays as it is, and reading stops at the last
//! pixel.

use super::super::Watch;

const CODES: usize = 1 << 12;
const MOST_BITS: u32 = 12;
/// What the tables take.
pub(super) const BYTES: u64 = 4 * CODES as u64;

/// The codes of a frame.
pub(super) struct Codes<'a> {
    data: &'a [u8],
    /// Bytes left in the current block.
    block: usize,
    word: u32,
    have: u32,
    /// The code that clears the table; the code after it ends the data.
    clear: usize,
    bits: u32,
}

impl<'a> Codes<'a> {
    /// `bits` is the size of a pixel.
    pub(super) fn new(data: &'a [u8], bits: u8) -> Result<Self, &'static str> {
        let bits = u32::from(bits);
        if bits > MOST_BITS {
            return Err("codes of too many bits");
        }
        Ok(Self { data, block: 0, word: 0, have: 0, clear: 1 << bits, bits })
    }

    /// The next code; `None` at the end of the data. An incomplete block is ignored.
    fn next(&mut self, size: u32) -> Option<usize> {
        while self.have < size {
            let (byte, rest) = self.data.split_first()?;
            if self.block == 0 {
                self.block = usize::from(*byte);
                rest.get(..self.block)?;
            } else {
                self.block -= 1;
                self.word |= u32::from(*byte) << self.have;
                self.have += 8;
            }
            self.data = rest;
        }
        let code = self.word & ((1 << size) - 1);
        self.word >>= size;
        self.have -= size;
        Some(code as usize)
    }

    /// Fills `out`.
    pub(super) fn unpack(mut self, out: &mut [u8], watch: Watch<'_>) -> Result<(), &'static str> {
        const SENSELESS: &str = "an invalid code";
        /// Minimum number of pixels between two checks.
        const STEP: usize = 1 << 20;
        let clear = self.clear;
        // For each code, the last pixel of its run and the code of the run before it.
        let (mut last, mut before) = (vec![0_u8; CODES], vec![0_u16; CODES]);
        let (mut free, mut size, mut previous): (_, _, Option<usize>) = (clear + 2, self.bits + 1, None);
        let (mut first, mut run) = (0_u8, Vec::with_capacity(CODES));
        let (mut done, mut look) = (0, 0);
        while done < out.len() {
            if done >= look {
                look = done + STEP;
                if watch.stopped() {
                    return Err("stopped");
                }
            }
            let code = self.next(size).filter(|code| *code != clear + 1).ok_or("pixels are missing")?;
            if code == clear {
                (free, size, previous) = (clear + 2, self.bits + 1, None);
                continue;
            }
            run.clear();
            let mut at = code;
            if let Some(previous) = previous {
                if code > free {
                    return Err(SENSELESS);
                }
                if code == free {
                    run.push(first);
                    at = previous;
                }
            } else if code > clear {
                return Err(SENSELESS);
            }
            while at >= clear {
                if run.len() >= CODES {
                    return Err(SENSELESS);
                }
                run.push(*last.get(at).ok_or(SENSELESS)?);
                at = usize::from(*before.get(at).ok_or(SENSELESS)?);
            }
            first = at as u8;
            run.push(first);
            if let Some(previous) = previous
                && free < CODES
            {
                (last[free], before[free]) = (first, previous as u16);
                size += u32::from(free + 1 == 1 << size && size < MOST_BITS);
                free += 1;
            }
            previous = Some(code);
            for (slot, pixel) in out.iter_mut().skip(done).zip(run.iter().rev()) {
                *slot = *pixel;
            }
            done = out.len().min(done + run.len());
        }
        Ok(())
    }
}
