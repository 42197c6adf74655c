//! PNG data whose stream ends well, but before all rows are there: those that are missing stay zero. Where it ends
//! within a row, or before the first one, the reference waits for more, and fails.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

use super::super::encode::predict;
use super::Watch;

/// The shape of a picture's rows.
pub(super) struct Rows {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bits of a pixel.
    pub(super) bits: usize,
    pub(super) interlaced: bool,
}

/// One pass through a picture: the first column and row, and the steps between them.
struct Pass {
    first: [usize; 2],
    step: [usize; 2],
}

/// The passes of an interlaced picture.
const PASSES: [Pass; 7] = [
    Pass { first: [0, 0], step: [8, 8] },
    Pass { first: [4, 0], step: [8, 8] },
    Pass { first: [0, 4], step: [4, 8] },
    Pass { first: [2, 0], step: [4, 4] },
    Pass { first: [0, 2], step: [2, 4] },
    Pass { first: [1, 0], step: [2, 2] },
    Pass { first: [0, 1], step: [1, 2] },
];
const WHOLE: [Pass; 1] = [Pass { first: [0, 0], step: [1, 1] }];

/// Goes through the rows that are there: `put` gets the row's number, its first column and the step between its
/// columns, and its bytes. `None` where the stream breaks off or is broken.
pub(super) fn rows<'a>(
    data: impl Iterator<Item = &'a [u8]>,
    rows: &Rows,
    watch: Watch<'_>,
    mut put: impl FnMut(usize, [usize; 2], &[u8]),
) -> Option<()> {
    let passes: &[Pass] = if rows.interlaced { &PASSES } else { &WHOLE };
    let mut stream = Stream { state: InflateState::new_boxed(DataFormat::Zlib), data, rest: &[], ended: false };
    let mut any = false;
    for pass in passes {
        let count = |whole: usize, axis: usize| whole.saturating_sub(pass.first[axis]).div_ceil(pass.step[axis]);
        let (width, height) = (count(rows.width, 0), count(rows.height, 1));
        if width == 0 {
            continue;
        }
        let line = (width * rows.bits).div_ceil(8);
        let (mut row, mut before) = (vec![0; line + 1], vec![0; line]);
        for y in 0..height {
            if watch.stopped() {
                return None;
            }
            if !stream.fill(&mut row)? {
                return any.then_some(());
            }
            any = true;
            let (filter, bytes) = row.split_first_mut()?;
            unfilter(*filter, bytes, &before, rows.bits.div_ceil(8))?;
            put(pass.first[1] + y * pass.step[1], [pass.first[0], pass.step[0]], bytes);
            before.copy_from_slice(bytes);
        }
    }
    Some(())
}

struct Stream<'a, D> {
    state: Box<InflateState>,
    data: D,
    rest: &'a [u8],
    ended: bool,
}

impl<'a, D: Iterator<Item = &'a [u8]>> Stream<'a, D> {
    /// Fills a row; `Some(false)` where the stream ended before, `None` where it broke off or ended within.
    fn fill(&mut self, row: &mut [u8]) -> Option<bool> {
        let mut done = 0;
        while done < row.len() {
            if self.ended {
                return (done == 0).then_some(false);
            }
            let result = inflate(&mut self.state, self.rest, row.get_mut(done..)?, MZFlush::None);
            self.rest = self.rest.get(result.bytes_consumed..)?;
            done += result.bytes_written;
            match result.status {
                Ok(MZStatus::StreamEnd) => self.ended = true,
                Ok(_) if self.rest.is_empty() && done < row.len() => self.rest = self.data.next()?,
                Ok(_) => {}
                Err(miniz_oxide::MZError::Buf) => self.rest = self.data.next()?,
                Err(_) => return None,
            }
        }
        Some(true)
    }
}

/// Adds to each byte what the filter foretells from those before it, `step` bytes to the left, and above.
fn unfilter(filter: u8, row: &mut [u8], above: &[u8], step: usize) -> Option<()> {
    for i in 0..row.len() {
        let left = i.checked_sub(step).map_or(0, |j| row[j]);
        let corner = i.checked_sub(step).map_or(0, |j| above[j]);
        let up = above[i];
        let foretold = match filter {
            0 => 0,
            1 => left,
            2 => up,
            3 => u16::midpoint(left.into(), up.into()) as u8,
            4 => predict(left, up, corner),
            _ => return None,
        };
        row[i] = row[i].wrapping_add(foretold);
    }
    Some(())
}
