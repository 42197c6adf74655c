//! Downloads miners' files to disk within the limits of DESIGN 4.7.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::hex;
use crate::base::setting::{SettingError, check_counts, check_seconds};
use crate::http::{Client, Failure, HttpLimits, Request, Retry};
use crate::model::format::ModelFormat;

/// `[download]` of `gen404.toml`: how miners' files are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DownloadSettings {
    /// Files fetched at the same time in total.
    pub connections: usize,
    /// Files fetched at the same time from one miner.
    pub per_miner: usize,
    /// Files fetched at the same time from one host.
    pub per_host: usize,
    /// Threads that draw previews; 0 means one per core.
    pub workers: usize,
    /// MiB that all models being drawn may take together; a larger one is drawn alone.
    pub memory_mib: u64,
    /// Attempts per file.
    pub attempts: u32,
    /// Seconds between them.
    pub pause_seconds: f64,
    /// Time limit in seconds for a connection.
    pub connect_seconds: f64,
    /// Time limit in seconds without a byte.
    pub idle_seconds: f64,
    /// Time limit in seconds for a whole file.
    pub file_seconds: f64,
    /// Size limit of a file in MiB.
    pub file_mib: u64,
    /// The minimum rate of a server in KiB per second.
    pub rate_kib: u64,
    /// Seconds before a transfer is judged by its rate.
    pub grace_seconds: f64,
    /// Seconds of failed attempts after which the rest of a miner's files is given up.
    pub patience_seconds: f64,
}

impl Default for DownloadSettings {
    fn default() -> Self {
        let HttpLimits { connect, idle, whole, body, min_rate, rate_grace } = HttpLimits::MINER;
        DownloadSettings {
            connections: 32,
            per_miner: 4,
            per_host: 16,
            workers: 0,
            memory_mib: 256,
            attempts: 2,
            pause_seconds: 3.0,
            connect_seconds: connect.as_secs_f64(),
            idle_seconds: idle.as_secs_f64(),
            file_seconds: whole.as_secs_f64(),
            file_mib: body >> 20,
            rate_kib: min_rate >> 10,
            grace_seconds: rate_grace.as_secs_f64(),
            patience_seconds: 600.0,
        }
    }
}

impl DownloadSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        let seconds = [
            ("pause_seconds", self.pause_seconds),
            ("connect_seconds", self.connect_seconds),
            ("idle_seconds", self.idle_seconds),
            ("file_seconds", self.file_seconds),
            ("grace_seconds", self.grace_seconds),
            ("patience_seconds", self.patience_seconds),
        ];
        check_seconds("download", 0.0, &seconds)?;
        let counts = [("connections", self.connections), ("per_miner", self.per_miner), ("per_host", self.per_host)];
        check_counts("download", 1..=1024, &counts.map(|(name, value)| (name, value as u64)))?;
        check_counts("download", 64..=1 << 20, &[("memory_mib", self.memory_mib)])?;
        check_counts("download", 1..=4095, &[("file_mib", self.file_mib)])
    }

    /// The limits of one attempt.
    #[must_use]
    pub fn limits(&self) -> HttpLimits {
        HttpLimits {
            connect: Duration::from_secs_f64(self.connect_seconds),
            idle: Duration::from_secs_f64(self.idle_seconds),
            whole: Duration::from_secs_f64(self.file_seconds),
            body: self.file_mib << 20,
            min_rate: self.rate_kib << 10,
            rate_grace: Duration::from_secs_f64(self.grace_seconds),
        }
    }

    /// How often a file is attempted, and with what pauses.
    #[must_use]
    pub fn retry(&self) -> Retry {
        let first_pause = Duration::from_secs_f64(self.pause_seconds);
        Retry { attempts: self.attempts.max(1), first_pause, ..Retry::default() }
    }

    /// The number of threads that draw previews.
    #[must_use]
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            given => given.min(256),
        }
    }
}

/// A received file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256, in lower-case hex.
    pub sha256: String,
    /// The first few bytes.
    pub head: Vec<u8>,
}

/// Fetches miners' files.
#[derive(Debug)]
pub struct Fetcher {
    source: Source,
    stop: AtomicBool,
}

/// Where the files are.
#[derive(Debug)]
enum Source {
    /// On servers.
    Servers(Box<Client>),
    /// In a folder of the miner's own, by the last segment of their URLs.
    Folder {
        folder: PathBuf,
        /// The most bytes in a file.
        most: u64,
    },
}

impl Fetcher {
    /// Fetches with this client, which should be one for miners.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Fetcher { source: Source::Servers(Box::new(client)), stop: AtomicBool::new(false) }
    }

    /// Takes the files from a folder instead, as a server would send them; one of more than `most` bytes is refused in
    /// the same words.
    #[must_use]
    pub fn of_folder(folder: &Path, most: u64) -> Self {
        Fetcher { source: Source::Folder { folder: folder.to_owned(), most }, stop: AtomicBool::new(false) }
    }

    /// Ends running transfers and lets no other one start.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// One attempt at a file, into a new file at `path`.
    ///
    /// # Errors
    /// The inner result: a failure of the miner's server. The outer one: a failure of this machine.
    pub fn fetch(&self, url: &str, path: &Path) -> Result<std::result::Result<FetchedFile, Failure>> {
        let mut sink = FileSink::create(path, Some(&self.stop))?;
        let fetched = match &self.source {
            Source::Servers(client) => client.fetch_once(&Request::get(url), &mut sink),
            Source::Folder { folder, most } => {
                copy_file(&folder.join(url.rsplit('/').next().unwrap_or(url)), *most, &mut sink)
            }
        };
        sink.finish(fetched)
    }
}

/// Copies a file of the miner's folder. Links are followed, since the miner made them. A file that is not there is what
/// a server answers with status 404.
fn copy_file(path: &Path, most: u64, sink: &mut dyn Write) -> std::result::Result<u64, Failure> {
    let cannot_open = |error: Error| {
        Failure::Permanent(match path.metadata() {
            Ok(found) if found.is_dir() => Failure::A_FOLDER.to_owned(),
            Ok(found) if !found.is_file() => Failure::NO_FILE.to_owned(),
            _ => [vec![error.to_string()], error.causes()].concat().join(": "),
        })
    };
    let file = files::open(path, true).map_err(cannot_open)?;
    let file = file.ok_or_else(|| Failure::Permanent("status 404".to_owned()))?;
    let cannot = |error: io::Error| Failure::Permanent(format!("{}: cannot read: {error}", path.display()));
    let copied = io::copy(&mut file.take(most.saturating_add(1)), sink).map_err(cannot)?;
    if copied > most { Err(Failure::too_long(most)) } else { Ok(copied) }
}

/// The sink of a body: a new file and a digest.
#[derive(Debug)]
pub(crate) struct FileSink<'a> {
    path: &'a Path,
    file: File,
    hasher: Sha256,
    head: Vec<u8>,
    stop: Option<&'a AtomicBool>,
    trouble: Option<io::Error>,
}

impl<'a> FileSink<'a> {
    /// Creates the file; `stop` ends the transfer.
    pub(crate) fn create(path: &'a Path, stop: Option<&'a AtomicBool>) -> Result<Self> {
        let file = files::create_new(path)?;
        Ok(FileSink { path, file, hasher: Sha256::new(), head: Vec::new(), stop, trouble: None })
    }

    /// What was received, if the transfer returned its size; fails if this machine did.
    pub(crate) fn finish<E>(self, size: std::result::Result<u64, E>) -> Result<std::result::Result<FetchedFile, E>> {
        if let Some(trouble) = self.trouble {
            return Err(Error::file(self.path, "cannot write").because(trouble));
        }
        Ok(size.map(|size| FetchedFile { size, sha256: hex::encode(self.hasher.finalize()), head: self.head }))
    }
}

impl Write for FileSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.is_some_and(|stop| stop.load(Ordering::SeqCst)) {
            return Err(io::Error::other("the run is ending"));
        }
        if let Err(e) = self.file.write_all(bytes) {
            let said = io::Error::new(e.kind(), e.to_string());
            self.trouble = Some(e);
            return Err(said);
        }
        self.hasher.update(bytes);
        let lacking = ModelFormat::HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(lacking));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_limits_of_miners_files() {
        let settings = DownloadSettings::default();
        assert_eq!(settings.limits(), HttpLimits::MINER);
        assert_eq!(settings.check(), Ok(()));
        assert!(DownloadSettings { idle_seconds: f64::NAN, ..settings }.check().is_err());
        assert!(DownloadSettings { connections: 0, ..settings }.check().is_err());
        assert!(DownloadSettings { memory_mib: 0, ..settings }.check().is_err());
    }
}
