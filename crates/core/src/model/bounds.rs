//! How much a file of a competition of splats or of three.js modules can hold: as [`limits`](super::limits) has it
//! for meshes, from 1,024 miners and 4,096 prompts a round.

use super::limits::{PROMPTS, few_lines, few_values};
use super::record::ParseError;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The most miners of a round.
const MINERS: usize = 1024;

/// Values of one entry, unknown keys included.
const VALUES: usize = 32;

/// What a file may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    bytes: u64,
    entries: usize,
    lines: bool,
}

const fn values(bytes: u64, entries: usize) -> Bounds {
    Bounds { bytes, entries, lines: false }
}

const fn lines(bytes: u64, entries: usize) -> Bounds {
    Bounds { bytes, entries, lines: true }
}

/// One object, by hand.
pub const BY_HAND: Bounds = values(MIB, 4096);
/// One object.
pub const ONE_OBJECT: Bounds = values(64 * KIB, 1024);
/// An entry a round, 16,384 of them.
pub const LEADERS: Bounds = values(16 * MIB, 16_384 * VALUES);
/// 64 rounds' prompts.
pub const POOL: Bounds = lines(32 * MIB, 64 * PROMPTS);
/// A round's prompts.
pub const PROMPT_LINES: Bounds = lines(8 * MIB, PROMPTS);
/// An entry a miner, with reasons and repeats.
pub const MINER_ENTRIES: Bounds = values(8 * MIB, 2 * MINERS * VALUES);
/// A row a match.
pub const MATRIX: Bounds = lines(8 * MIB, 65_536);
/// An entry a prompt.
pub const OUTPUTS: Bounds = values(8 * MIB, PROMPTS * VALUES);
/// A line for each object of a prompt: a module and 14 files of its views, submitted and in several repeats.
pub const SUMS: Bounds = lines(64 * MIB, 4 * 16 * PROMPTS);
/// What the judge is asked in a round: as for meshes.
pub const QUESTION: Bounds = lines(512 * KIB, 4096);
/// A line a prompt, with up to 26 calls of up to 12 values and 600 bytes.
pub const STAGED_ANSWERS: Bounds = values(64 * MIB, 10 * PROMPTS * VALUES);
/// A duel a prompt, with what each of the judge's stages said: about 80 values.
pub const DUELS: Bounds = values(32 * MIB, 4 * PROMPTS * VALUES);

impl Bounds {
    /// The most bytes.
    pub const fn largest(self) -> u64 {
        self.bytes
    }

    /// Refuses bytes that are more than this, before anything is made of them.
    ///
    /// # Errors
    /// What there is too much of.
    pub fn check(self, bytes: &[u8]) -> Result<(), ParseError> {
        let largest = self.bytes;
        if bytes.len() as u64 > largest {
            return Err(ParseError::whole(format!("larger than {largest} bytes, the most that such a file holds")));
        }
        if self.lines { few_lines(bytes, self.entries) } else { few_values(bytes, self.entries) }
    }
}
