//! A journal in the operator's own folder: one JSON line an entry, appended and synced, so that a run
//! that was killed is taken up where it broke off.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Context as _, Error, Result};

/// A journal that is open to append to.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// The entries so far, oldest first; none where there is no journal. A last line that was cut off
    /// is left out.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before the last is broken: `hint` says what to do then.
    pub fn read<T: DeserializeOwned>(path: &Path, hint: &str) -> Result<Vec<T>> {
        match fs::read(path) {
            Ok(bytes) => parse(path, whole(&bytes), hint),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(Error::file(path, "cannot read").because(e)),
        }
    }

    /// Opens the journal to append to it; gives the entries so far.
    ///
    /// # Errors
    /// As [`Lines::read`], or it cannot be written.
    pub fn open<T: DeserializeOwned>(path: PathBuf, hint: &str) -> Result<(Lines, Vec<T>)> {
        let cannot = || format!("{}: cannot write", path.display());
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).truncate(false).open(&path).failed(cannot)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).failed(cannot)?;
        let whole = whole(&bytes);
        file.set_len(whole.len() as u64).failed(cannot)?;
        let entries = parse(&path, whole, hint)?;
        Ok((Lines { path, file }, entries))
    }

    /// Notes an entry, for good.
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

/// All but a line at the end that has no line break yet.
fn whole(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    bytes.get(..end).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8], hint: &str) -> Result<Vec<T>> {
    let lines = bytes.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let entry = |(at, line): (usize, &[u8])| {
        let broken = || format!("{}: line {} does not parse", path.display(), at + 1);
        serde_json::from_slice(line).failed(broken).map_err(|e| e.hint(hint))
    };
    lines.map(entry).collect()
}
