//! A picture's bytes for decoders that cannot be told to stop: they find the end instead.

use std::io::{BufRead, Cursor, Read, Result, Seek, SeekFrom};

use super::Watch;

/// Bytes that end once somebody asks to stop.
pub(super) struct Watched<'a> {
    bytes: Cursor<&'a [u8]>,
    watch: Watch<'a>,
    reads: u32,
}

impl<'a> Watched<'a> {
    pub(super) fn new(bytes: &'a [u8], watch: Watch<'a>) -> Self {
        Self { bytes: Cursor::new(bytes), watch, reads: 0 }
    }

    #[inline]
    fn look(&mut self) {
        /// Reads, mostly of a few bytes, between two looks; a kilobyte counts as one.
        const STEP: u32 = 1 << 12;
        self.reads += 1;
        if self.reads >= STEP {
            self.reads = 0;
            if self.watch.stopped() {
                self.bytes = Cursor::new(&[]);
            }
        }
    }
}

impl Read for Watched<'_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        self.look();
        self.bytes.read(into)
    }
}

impl BufRead for Watched<'_> {
    #[inline]
    fn fill_buf(&mut self) -> Result<&[u8]> {
        /// At a time, so that there are looks in between.
        const MOST: usize = 64 << 10;
        self.look();
        let all = self.bytes.fill_buf()?;
        Ok(all.get(..MOST).unwrap_or(all))
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.reads += (amount >> 10) as u32;
        self.bytes.consume(amount);
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.bytes.seek(to)
    }
}
