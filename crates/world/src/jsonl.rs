//! A journal in the operator's own folder: one JSON line per entry, appended and synced, so that a killed run
//! is resumed where it stopped.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;

/// A longer line is not one of ours.
const LONGEST_LINE: u64 = 4 << 20;

/// A journal that is open for appending.
#[derive(Debug)]
pub struct JsonlJournal {
    path: PathBuf,
    file: File,
}

impl JsonlJournal {
    /// The entries so far, oldest first; none if there is no journal. A truncated last line is left out.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before the last is broken: `hint` says what to do then.
    pub fn read<T: DeserializeOwned>(own: &Path, relative: &Path, hint: &str) -> Result<Vec<T>> {
        let path = files::below(own, relative)?;
        match files::open(&path, false)? {
            Some(file) => parse(&path, &file, hint).map(|(entries, _)| entries),
            None => Ok(Vec::new()),
        }
    }

    /// Opens the journal for appending, creating its folder if missing; returns the entries so far.
    ///
    /// # Errors
    /// As [`JsonlJournal::read`], or it cannot be written.
    pub fn open<T: DeserializeOwned>(own: &Path, relative: &Path, hint: &str) -> Result<(JsonlJournal, Vec<T>)> {
        let path = files::below(own, relative)?;
        files::folder_below(own, relative.parent().unwrap_or(Path::new("")))?;
        let file = files::append(&path)?;
        let (entries, whole) = parse(&path, &file, hint)?;
        // Cuts off an incomplete last line, or the next entry would be appended to it.
        file.set_len(whole).failed(|| format!("{}: cannot write", path.display()))?;
        Ok((JsonlJournal { path, file }, entries))
    }

    /// Appends an entry and syncs it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, entry: &impl Serialize) -> Result<()> {
        let cannot = || format!("{}: cannot write", self.path.display());
        let mut line = serde_json::to_vec(entry).failed(cannot)?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).failed(cannot)
    }
}

/// The entries of a journal, and the length of its complete part.
fn parse<T: DeserializeOwned>(path: &Path, file: &File, hint: &str) -> Result<(Vec<T>, u64)> {
    let mut entries = Vec::new();
    let whole = each_line(path, file, |at, line| {
        if !line.is_empty() {
            let broken = || format!("{}: line {at} does not parse", path.display());
            entries.push(serde_json::from_slice(line).failed(broken).map_err(|e| e.hint(hint))?);
        }
        Ok(())
    })?;
    Ok((entries, whole))
}

/// Reads a file of our own line by line and returns the length of its complete part: everything but a last line
/// without a line break. `take` gets each complete line and its number, from 1.
///
/// # Errors
/// It cannot be read, `take` fails, or a line is longer than any of ours.
pub fn each_line(path: &Path, file: &File, mut take: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<u64> {
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    let (mut whole, mut at) = (0, 0);
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let read = read.failed(|| format!("{}: cannot read", path.display()))? as u64;
        at += 1;
        match line.split_last() {
            Some((b'\n', line)) => take(at, line)?,
            _ if read < LONGEST_LINE => return Ok(whole),
            _ => return Err(Error::file(path, format!("line {at} is longer than {LONGEST_LINE} bytes"))),
        }
        whole += read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_an_error_and_not_a_full_memory() {
        let own = tempfile::tempdir().unwrap();
        let path = own.path().join("journal");
        // A sparse file: nothing on disk, a terabyte to read.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = JsonlJournal::read::<u32>(own.path(), Path::new("journal"), "start over").unwrap_err();
        assert!(error.to_string().contains("line 1 is longer than"), "{error}");
        std::fs::write(&path, "1\n\n2\n3").unwrap();
        assert_eq!(JsonlJournal::read::<u32>(own.path(), Path::new("journal"), "").unwrap(), [1, 2]);
    }
}
