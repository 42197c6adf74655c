//! Objects in a local folder: for sandboxes, tests, and operators who publish the folder themselves.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Bytes, NewObject, ObjectStore, Put, key_below, sha256_of, trial};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::model::objects::ObjectKey;
use crate::probe::Probed;
use crate::usage::Service;

/// Size limit of an object: a miner's file has a far lower one.
const LARGEST_OBJECT: u64 = files::MODEL;

/// A folder of objects; an object's path is its key.
#[derive(Debug, Clone)]
pub struct DirStore {
    root: PathBuf,
    base: String,
}

impl DirStore {
    /// The folder at `root`, created if missing. Public URLs begin with `base`, or are `file://` URLs.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn open(root: &Path, base: Option<&str>) -> Result<Self> {
        let cannot = || format!("{}: cannot be the object store", root.display());
        files::make_folder(root).map_err(unwritable)?;
        Ok(DirStore::at(fs::canonicalize(root).failed(cannot)?, base))
    }

    /// As [`DirStore::open`], for a dry run: the folder is not created.
    ///
    /// # Errors
    /// The current folder no longer exists.
    pub fn unmade(root: &Path, base: Option<&str>) -> Result<Self> {
        let root = fs::canonicalize(root).or_else(|_| std::path::absolute(root));
        let root = root.failed(|| "the current folder cannot be read".to_owned())?;
        Ok(DirStore::at(root, base))
    }

    fn at(root: PathBuf, base: Option<&str>) -> Self {
        let base = match base {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("file://{}", root.display()),
        };
        DirStore { root, base }
    }

    /// Creates the object at `path`, whole or not at all; fails if something is there.
    fn create(folder: &Path, path: &Path, object: &NewObject<'_>) -> io::Result<()> {
        let linked = match object.bytes {
            Bytes::File(file) => DirStore::link(file, path, object.size),
            Bytes::Memory(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        match linked {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => DirStore::copy(folder, path, object)?,
            linked => linked?,
        }
        files::sync_folder(folder)
    }

    /// Hard-links a finished file to its key, so that no byte is copied. Fails across file systems, or on one
    /// without hard links.
    fn link(file: &Path, path: &Path, size: u64) -> io::Result<()> {
        let whole = found(files::open(file, false))?.ok_or(io::ErrorKind::NotFound)?;
        has_size(whole.metadata()?.len(), size)?;
        public(&whole)?;
        // Synced before it gets its name: after a power cut, the object is whole or missing.
        whole.sync_all()?;
        fs::hard_link(file, path)
    }

    /// Copies to another name first, then links, so that no reader ever sees a partial object. That name is
    /// derived from key and bytes: the next run overwrites what a killed one left.
    fn copy(folder: &Path, path: &Path, object: &NewObject<'_>) -> io::Result<()> {
        let name = sha256_of(format!("{} {}", path.display(), object.sha256).as_bytes())?;
        let temporary = folder.join(format!("{}{name}", files::TEMPORARY));
        let stored = DirStore::fill(&temporary, object).and_then(|()| fs::hard_link(&temporary, path));
        let removed = files::remove(&temporary);
        stored.and(found(removed))
    }

    fn fill(path: &Path, object: &NewObject<'_>) -> io::Result<()> {
        let mut file = found(files::create_new(path))?;
        has_size(io::copy(&mut object.bytes.open()?, &mut file)?, object.size)?;
        public(&file)?;
        file.sync_all()
    }
}

/// The store's folder cannot be written to.
fn unwritable(error: Error) -> Error {
    let error = error.of_service(Some(Service::Store.as_str())).of_manner(Some("not writable"));
    error.hint("`gen404 doctor --stage download` tries it: may this user write to [store] dir, and has its disk room?")
}

/// The underlying error: it is reported once, with the object's own path.
fn found<T>(outcome: Result<T>) -> io::Result<T> {
    outcome.map_err(io::Error::other)
}

fn has_size(found: u64, expected: u64) -> io::Result<()> {
    let wrong = || io::Error::other(format!("{found} bytes to store instead of {expected}"));
    (found == expected).then_some(()).ok_or_else(wrong)
}

/// Objects are readable by everyone, whatever the temporary file's mode was.
fn public(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(())
}

impl ObjectStore for DirStore {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn url_of(&self, key: &ObjectKey) -> String {
        format!("{}/{key}", self.base)
    }

    fn key_of(&self, url: &str) -> Option<ObjectKey> {
        key_below(&self.base, url)
    }

    fn put(&self, key: &ObjectKey, object: &NewObject<'_>) -> Result<Put> {
        let relative = Path::new(key.as_str());
        let path = files::below(&self.root, relative)?;
        let cannot = || format!("{}: cannot store", path.display());
        let folder = files::folder_below(&self.root, relative.parent().unwrap_or(Path::new(""))).map_err(unwritable)?;
        match DirStore::create(&folder, &path, object) {
            Ok(()) => Ok(Put::Stored),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let there = files::open(&path, false)?.ok_or_else(|| Error::failed(cannot()))?;
                let found = sha256_of(there).failed(cannot)?;
                Ok(if found == object.sha256 { Put::Same } else { Put::Taken })
            }
            Err(e) => Err(unwritable(Error::failed(cannot()).because(e))),
        }
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>> {
        files::read_below(&self.root, Path::new(key.as_str()), LARGEST_OBJECT)
    }

    fn probe(&self, writes: bool) -> Result<Probed> {
        trial::run(self, writes, |key| {
            let path = files::below(&self.root, Path::new(key.as_str()))?;
            files::remove(&path)?;
            // Another trial may be using the folder: then it stays.
            let _ = path.parent().map(fs::remove_dir);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::objects::ObjectKind;

    const KIND: ObjectKind = ObjectKind::Preview;

    #[test]
    fn an_object_once_stored_never_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(&folder.path().join("objects"), Some("https://cdn.example/")).unwrap();
        let key = ObjectKey::parse("rounds/0/leader/submitted/a.bin").unwrap();
        let put = |bytes: &[u8]| {
            let sha256 = sha256_of(bytes).unwrap();
            let size = bytes.len() as u64;
            store.put(&key, &NewObject { kind: KIND, bytes: Bytes::Memory(bytes), size, sha256: &sha256 }).unwrap()
        };
        assert_eq!(store.get(&key).unwrap(), None);
        assert_eq!([put(b"one"), put(b"one"), put(b"two")], [Put::Stored, Put::Same, Put::Taken]);
        assert_eq!(store.get(&key).unwrap().unwrap(), b"one");
        let url = store.url_of(&key);
        assert_eq!(url, "https://cdn.example/rounds/0/leader/submitted/a.bin");
        assert_eq!(store.key_of(&url), Some(key));
        assert_eq!(store.key_of("https://cdn.example.evil/rounds/0/x"), None);
        assert_eq!(store.key_of("https://cdn.example/rounds/0/../../etc/passwd"), None);
        assert_eq!(fs::read_dir(folder.path().join("objects/rounds/0/leader/submitted")).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_plain_file_is_no_object() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = DirStore::open(folder.path(), None).unwrap();
        let below = folder.path().join("rounds/0/leader/submitted");
        fs::create_dir_all(&below).unwrap();
        let put = |name: &str| {
            let key = ObjectKey::parse(&format!("rounds/0/leader/{name}.bin")).unwrap();
            let sha256 = sha256_of(&b"data"[..]).unwrap();
            let object = NewObject { kind: KIND, bytes: Bytes::Memory(b"data"), size: 4, sha256: &sha256 };
            (store.get(&key), store.put(&key, &object))
        };
        assert!(std::process::Command::new("mkfifo").arg(below.join("fifo.bin")).status().unwrap().success());
        std::os::unix::fs::symlink(outside.path().join("x"), below.join("link.bin")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("rounds/0/leader/generated")).unwrap();
        for name in ["submitted/fifo", "submitted/link", "generated/new"] {
            let (got, stored) = put(name);
            assert!(got.is_err() && stored.is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_linked_where_it_can_be_and_else_copied() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(&folder.path().join("objects"), None).unwrap();
        let put = |file: &Path, name: &str| {
            let key = ObjectKey::parse(&format!("rounds/0/leader/submitted/{name}.bin")).unwrap();
            let sha256 = sha256_of(&b"data"[..]).unwrap();
            let object = NewObject { kind: KIND, bytes: Bytes::File(file), size: 4, sha256: &sha256 };
            store.put(&key, &object).map(|put| (put, store.get(&key).unwrap().unwrap()))
        };
        // /dev/shm is on another file system than the temporary folder; if not, this is the same case twice.
        for (place, name) in [(folder.path(), "a"), (Path::new("/dev/shm"), "b")] {
            let Ok(file) = tempfile::NamedTempFile::new_in(place) else { continue };
            fs::write(file.path(), "data").unwrap();
            assert_eq!(put(file.path(), name).unwrap(), (Put::Stored, b"data".to_vec()));
            assert_eq!(put(file.path(), name).unwrap(), (Put::Same, b"data".to_vec()));
            fs::write(file.path(), "data and more").unwrap();
            assert!(put(file.path(), "c").unwrap_err().causes().concat().contains("13 bytes"));
        }
        assert_eq!(fs::read_dir(folder.path().join("objects/rounds/0/leader/submitted")).unwrap().count(), 2);
    }
}
