//! Large files out of short repeated pieces, written without being held in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Bytes given as pieces, each with how often it is repeated.
#[derive(Debug, Clone, Default)]
pub struct Pattern(Vec<(Vec<u8>, u64)>);

impl Pattern {
    pub fn of(bytes: impl AsRef<[u8]>) -> Pattern {
        Pattern::default().then(bytes)
    }

    /// The bytes, once.
    pub fn then(self, bytes: impl AsRef<[u8]>) -> Pattern {
        self.times(bytes, 1)
    }

    /// The bytes, `times` over.
    pub fn times(mut self, bytes: impl AsRef<[u8]>, times: u64) -> Pattern {
        if !bytes.as_ref().is_empty() {
            self.0.push((bytes.as_ref().to_vec(), times));
        }
        self
    }

    pub fn join(mut self, other: Pattern) -> Pattern {
        self.0.extend(other.0);
        self
    }

    pub fn len(&self) -> u64 {
        self.0.iter().map(|(bytes, times)| bytes.len() as u64 * times).sum()
    }

    /// The pieces, each with how often it is repeated.
    pub fn pieces(&self) -> &[(Vec<u8>, u64)] {
        &self.0
    }

    /// Filled up to a multiple of four.
    pub fn padded(self, with: u8) -> Pattern {
        let missing = self.len().next_multiple_of(4) - self.len();
        self.times([with], missing)
    }

    pub fn write_to(&self, mut out: impl Write) -> std::io::Result<()> {
        for (bytes, times) in &self.0 {
            let block = bytes.repeat(usize::try_from((1 << 18) / bytes.len() as u64 + 1).unwrap());
            let mut left = bytes.len() as u64 * times;
            while left > 0 {
                let now = usize::try_from(left.min(block.len() as u64)).unwrap();
                out.write_all(&block[..now])?;
                left -= now as u64;
            }
        }
        Ok(())
    }

    /// Writes a file; missing folders are made.
    pub fn write(&self, path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = BufWriter::new(File::create(path).unwrap());
        self.write_to(&mut file).and_then(|()| file.flush()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes).unwrap();
        bytes
    }
}
