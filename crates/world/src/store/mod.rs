//! The object store, which publishes models and previews.
//!
//! A stored object never changes: every driver refuses to put other bytes under a taken key, whoever wins the
//! race.

pub mod dir;
mod dispatch;
pub mod r2;
mod refusals;
mod said;
pub mod settings;
mod trial;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::hex;
use crate::model::objects::{MOST_VERSIONS, ObjectKey, ObjectKind, StoredObject};
use crate::probe::Probed;

/// An object to store.
#[derive(Debug, Clone, Copy)]
pub struct NewObject<'a> {
    /// Its kind, which decides the content type.
    pub kind: ObjectKind,
    /// Its bytes.
    pub bytes: Bytes<'a>,
    /// Its size in bytes.
    pub size: u64,
    /// Their SHA-256, in lower-case hex.
    pub sha256: &'a str,
}

/// Bytes in memory, or in a file that does not change.
#[derive(Debug, Clone, Copy)]
pub enum Bytes<'a> {
    /// In memory.
    Memory(&'a [u8]),
    /// In a file, which is read as it is sent.
    File(&'a Path),
}

impl Bytes<'_> {
    /// Opens the bytes for reading from the start.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(match self {
            Bytes::Memory(bytes) => Box::new(*bytes),
            Bytes::File(path) => Box::new(opened(path)?),
        })
    }
}

/// Opens a file that is read while it is sent.
fn opened(path: &Path) -> io::Result<File> {
    let file = files::open(path, false).map_err(io::Error::other)?;
    file.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The result of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was stored.
    Stored,
    /// It was there already, with the same bytes.
    Same,
    /// The key is taken by other bytes, which stay.
    Taken,
}

/// A place for objects.
pub trait ObjectStore: std::fmt::Debug + Send + Sync {
    /// Its name in messages.
    fn name(&self) -> String;

    /// The public URL of a key.
    fn url_of(&self, key: &ObjectKey) -> String;

    /// The key behind a public URL of this store; `None` for other URLs.
    fn key_of(&self, url: &str) -> Option<ObjectKey>;

    /// Stores an object, unless the key is taken.
    ///
    /// # Errors
    /// The store cannot be reached, or refuses; the message names the key.
    fn put(&self, key: &ObjectKey, object: &NewObject<'_>) -> Result<Put>;

    /// The bytes of an object; `None` if it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached, or refuses; the message names the key.
    fn get(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>>;

    /// Puts a small object beside those of rounds, reads and deletes it; without `writes`, only reads.
    ///
    /// # Errors
    /// The store cannot be reached, or refuses.
    fn probe(&self, writes: bool) -> Result<Probed>;
}

/// Stores an object under the first of its keys (by version, from 1) that is free or already holds the same
/// bytes.
///
/// # Errors
/// The store fails, or already has a thousand versions.
pub fn put_new(
    store: &dyn ObjectStore,
    key: impl Fn(u32) -> ObjectKey,
    object: &NewObject<'_>,
) -> Result<StoredObject> {
    for version in 1..=MOST_VERSIONS {
        let key = key(version);
        if store.put(&key, object)? != Put::Taken {
            let (url, path) = (store.url_of(&key), key.below_player().to_owned());
            return Ok(StoredObject { url, path, sha256: object.sha256.to_owned(), size: object.size });
        }
    }
    Err(Error::failed(format!("{}: {MOST_VERSIONS} versions of {} already exist", store.name(), key(1))))
}

/// The key of a URL below a base URL.
fn key_below(base: &str, url: &str) -> Option<ObjectKey> {
    let rest = url.strip_prefix(base)?.strip_prefix('/')?;
    ObjectKey::parse(rest).ok()
}

/// The SHA-256 of everything a reader yields, in lower-case hex.
///
/// # Errors
/// It cannot be read.
pub fn sha256_of(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hasher.finalize())),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
