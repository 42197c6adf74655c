//! Every file that the program opens or makes by itself, guarded: what lies in a competition's folder may
//! have been put there by anybody.
//!
//! Reading takes plain files only (a FIFO would hang, a device never end), up to a size that fits the kind
//! of file. Writing goes through a temporary file beside the target and a rename, so that a kill leaves old
//! or new, and a link at the target is replaced, never followed. Below a folder whose contents are not ours,
//! links are refused on the whole way: either with each call ([`read_below`], [`write_below`]), or once for a
//! folder that is worked in ([`folder_below`]), in which files are then taken without a link at their end
//! ([`read_own`], [`append`], [`create_new`], [`update`]).

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::base::error::{Context as _, Error, Result};

/// The largest settings, question, secret or chain file that is read.
pub(crate) const SMALL: u64 = 8 << 20;

/// The largest file of our own that is read whole (journals are read line by line).
pub(crate) const OWN: u64 = 256 << 20;

/// The largest model that is read: what a miner's file may have, with room for an operator who allows more.
pub(crate) const MODEL: u64 = 256 << 20;

/// The largest secret in a file of its own.
pub(crate) const SECRET: u64 = 64 << 10;

/// More files in one folder than this are not listed.
const MOST_LISTED: usize = 200_000;

/// Temporary files beside their targets have this prefix.
pub(crate) const TEMPORARY: &str = ".gen404-tmp-";

/// Reads a file that the operator named; `None` where there is none. Links are followed, since
/// the operator may have made them (mounted settings are links).
///
/// # Errors
/// It is no plain file, larger than `most` bytes, or cannot be read.
pub(crate) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    open(path, true)?.map(|file| read_whole(file, path, most)).transpose()
}

/// As [`read`], of a file that has to be there.
///
/// # Errors
/// As [`read`], or there is no such file.
pub(crate) fn need(path: &Path, most: u64) -> Result<Vec<u8>> {
    read(path, most)?.ok_or_else(|| Error::file(path, "cannot read: there is no such file"))
}

/// As [`read`], and the bytes have to be UTF-8.
///
/// # Errors
/// As [`read`], or the file is no text.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<Option<String>> {
    let Some(bytes) = read(path, most)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Error::file(path, "not UTF-8"))
}

/// Reads the file at `relative` below `root`; `None` where there is none. No link is followed below `root`.
///
/// # Errors
/// As [`read`], or a link lies on the way, or `relative` leads out of `root`.
pub(crate) fn read_below(root: &Path, relative: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let path = below(root, relative)?;
    open(&path, false)?.map(|file| read_whole(file, &path, most)).transpose()
}

/// Reads a file in a folder of [`folder_below`]; `None` where there is none. A link at its end is refused.
///
/// # Errors
/// As [`read`], or it is a link.
pub(crate) fn read_own(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    open(path, false)?.map(|file| read_whole(file, path, most)).transpose()
}

/// Opens a plain file for reading; `None` where there is none. With `follow`, a link at the end is followed.
///
/// # Errors
/// It is no plain file, or cannot be opened.
pub(crate) fn open(path: &Path, follow: bool) -> Result<Option<File>> {
    match opened(path, File::options().read(true), follow) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        opened => plain(path, opened, "cannot read").map(Some),
    }
}

/// Opens a file of our own to read it and to write at its end; made where there is none, for the user alone.
///
/// # Errors
/// It is a link or no plain file, or cannot be opened.
pub(crate) fn append(path: &Path) -> Result<File> {
    plain(path, opened(path, File::options().read(true).append(true).create(true), false), "cannot write")
}

/// Opens a file of our own to read and write it; made where there is none, for the user alone.
///
/// # Errors
/// As [`append`].
pub(crate) fn update(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    plain(path, opened(path, &mut options, false), "cannot write")
}

/// Makes a file of our own to write into, for the user alone. What was there goes, and is not written over:
/// it may have a second name elsewhere.
///
/// # Errors
/// It cannot be made.
pub(crate) fn create_new(path: &Path) -> Result<File> {
    remove(path)?;
    plain(path, opened(path, File::options().write(true).create_new(true), false), "cannot write")
}

fn opened(path: &Path, options: &mut OpenOptions, follow: bool) -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Opening a FIFO would wait for somebody at its other end.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | if follow { 0 } else { libc::O_NOFOLLOW });
        options.mode(0o600);
    }
    options.open(path)
}

/// The file, if it is a plain one.
fn plain(path: &Path, opened: std::io::Result<File>, cannot: &str) -> Result<File> {
    let file = opened.map_err(|e| match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => a_link(path),
        Ok(found) if !found.is_file() => Error::file(path, "not a plain file"),
        _ => Error::file(path, cannot).because(e),
    })?;
    let found = file.metadata().failed(|| format!("{}: cannot be looked at", path.display()))?;
    if found.is_file() { Ok(file) } else { Err(Error::file(path, "not a plain file")) }
}

fn a_link(path: &Path) -> Error {
    Error::file(path, "a link, which is not followed here").hint("put the file itself there")
}

fn read_whole(file: File, path: &Path, most: u64) -> Result<Vec<u8>> {
    let cannot = || format!("{}: cannot read", path.display());
    let size = file.metadata().failed(cannot)?.len();
    let too_large = || Error::file(path, format!("larger than {most} bytes, the most that is read here"));
    if size > most {
        return Err(too_large());
    }
    // The size is what the file had a moment ago: it may have grown.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).failed(cannot)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// The full path of `relative` below `root`, after making sure that no link lies on the way below `root`.
///
/// # Errors
/// A link lies on the way, or `relative` leads out of `root`.
pub(crate) fn below(root: &Path, relative: &Path) -> Result<PathBuf> {
    let mut full = root.to_owned();
    for part in relative.components() {
        let Component::Normal(part) = part else {
            return Err(Error::failed(format!("{}: leads out of {}", relative.display(), root.display())));
        };
        full.push(part);
        match fs::symlink_metadata(&full) {
            Ok(found) if found.file_type().is_symlink() => return Err(a_link(&full)),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(e) => return Err(Error::file(&full, "cannot be looked at").because(e)),
        }
    }
    Ok(full)
}

/// The folder at `relative` below `root`, made where it is missing: no link is followed below `root`.
///
/// # Errors
/// As [`below`], or something else is in its place, or it cannot be made.
pub(crate) fn folder_below(root: &Path, relative: &Path) -> Result<PathBuf> {
    let full = below(root, relative)?;
    fs::create_dir_all(&full).failed(|| format!("{}: cannot make this folder", full.display()))?;
    Ok(full)
}

/// Makes a folder that the operator named, where it is missing.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).failed(|| format!("{}: cannot make this folder", path.display()))
}

/// What lies in a folder; nothing where there is none.
///
/// # Errors
/// It cannot be listed, or holds far too much.
pub(crate) fn list(folder: &Path) -> Result<Vec<DirEntry>> {
    let cannot = || format!("{}: cannot list", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::failed(cannot()).because(e)),
    };
    let listed: Vec<DirEntry> = entries.take(MOST_LISTED + 1).collect::<std::io::Result<_>>().failed(cannot)?;
    if listed.len() > MOST_LISTED {
        return Err(Error::file(folder, format!("holds more than {MOST_LISTED} files")));
    }
    Ok(listed)
}

/// Removes a file (or a link, not what it leads to), where there is one.
///
/// # Errors
/// It cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::file(path, "cannot remove").because(e)),
        _ => Ok(()),
    }
}

/// Who may read a file that we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Everybody: what is public.
    All,
    /// The user alone: journals, notes, settings.
    Own,
}

/// Writes a file whole: temporary file beside it, sync, rename over it, sync of the folder. Missing folders
/// are made. A link at the target is replaced by the file.
///
/// # Errors
/// It cannot be written; the target is then as it was.
pub(crate) fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    prepare(path, bytes, readers)?.publish()
}

/// As [`write()`], at `relative` below `root`: no link is followed below `root`, the target's included.
///
/// # Errors
/// As [`write()`], or as [`below`].
pub(crate) fn write_below(root: &Path, relative: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    write(&below(root, relative)?, bytes, readers)
}

/// Writes a page of a report, or another file that can be made again: as [`write_below`], old or new at any
/// moment, but not synced one by one. [`sync_folder`] ends a row of them.
///
/// # Errors
/// As [`write_below`].
pub(crate) fn replace_below(root: &Path, relative: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    let path = below(root, relative)?;
    let (folder, what) = (folder_of(&path), || format!("{}: cannot write", path.display()));
    make_folder(folder)?;
    let mut temporary = temporary_in(folder, readers).failed(what)?;
    temporary.write_all(bytes).failed(what)?;
    temporary.persist(&path).map(drop).failed(what)
}

/// A file that is written and synced, but does not have its name yet. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Prepared {
    temporary: tempfile::NamedTempFile,
    path: PathBuf,
}

/// The first half of [`write()`]: all but the rename.
///
/// # Errors
/// As [`write()`].
pub(crate) fn prepare(path: &Path, bytes: &[u8], readers: Readers) -> Result<Prepared> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let what = || format!("{}: cannot write", path.display());
    let mut temporary = temporary_in(folder, readers).failed(what)?;
    temporary.write_all(bytes).failed(what)?;
    temporary.as_file().sync_all().failed(what)?;
    Ok(Prepared { temporary, path: path.to_owned() })
}

impl Prepared {
    /// Gives the file its name, in place of what had it, and makes that last.
    ///
    /// # Errors
    /// It cannot be renamed, or the folder not synced.
    pub(crate) fn publish(self) -> Result<()> {
        let what = || format!("{}: cannot write", self.path.display());
        self.temporary.persist(&self.path).failed(what)?;
        sync_folder(folder_of(&self.path)).failed(what)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the temporary files that killed runs left in a folder. For those who know that nobody else is
/// writing there.
///
/// # Errors
/// The folder cannot be listed, or one cannot be removed.
pub(crate) fn remove_temporaries(folder: &Path) -> Result<()> {
    let ours = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(TEMPORARY);
    list(folder)?.iter().filter(|entry| ours(entry)).try_for_each(|entry| remove(&entry.path()))
}

/// A temporary file in this folder, removed when it is dropped without being kept.
///
/// # Errors
/// It cannot be made.
pub(crate) fn temporary_in(folder: &Path, readers: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What the user's umask leaves of it: with the usual one, 0644.
        let mode = if readers == Readers::All { 0o666 } else { 0o600 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder)
}

/// A file without a name, gone when it is closed.
///
/// # Errors
/// It cannot be made.
pub(crate) fn scratch() -> std::io::Result<File> {
    tempfile::tempfile()
}

/// Makes sure that what was renamed into a folder stays there after a power cut.
///
/// # Errors
/// The folder cannot be synced.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn only_plain_files_of_a_fitting_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), b"12345").unwrap();
        assert_eq!(read(&at("file"), 5).unwrap().unwrap(), b"12345");
        assert!(read(&at("file"), 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        assert_eq!(read(&at("none"), 5).unwrap(), None);
        for odd in [Path::new("/dev/zero"), folder.path()] {
            assert!(read(odd, SMALL).unwrap_err().to_string().ends_with("not a plain file"));
        }
        let made = std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap();
        assert!(made.success());
        assert!(read(&at("fifo"), SMALL).unwrap_err().to_string().ends_with("not a plain file"));
    }

    #[test]
    fn links_are_followed_where_the_operator_named_them_and_nowhere_below_a_root() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), b"secret").unwrap();
        symlink(outside.path().join("file"), root.path().join("link")).unwrap();
        symlink(outside.path(), root.path().join("folder")).unwrap();
        assert_eq!(read(&root.path().join("link"), SMALL).unwrap().unwrap(), b"secret");
        for path in ["link", "folder/file"] {
            assert!(read_below(root.path(), Path::new(path), SMALL).unwrap_err().to_string().contains("a link"));
            assert!(write_below(root.path(), Path::new(path), b"x", Readers::All).is_err());
        }
        assert!(read_below(root.path(), Path::new("../file"), SMALL).unwrap_err().to_string().contains("leads out"));
        assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"secret");
    }

    #[test]
    fn what_is_written_replaces_a_link_and_leaves_nothing_else_behind() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), b"theirs").unwrap();
        let target = root.path().join("made/file");
        fs::create_dir(root.path().join("made")).unwrap();
        symlink(outside.path().join("file"), &target).unwrap();
        write(&target, b"ours", Readers::All).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"ours");
        assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"theirs");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(root.path().join("made")).unwrap().count(), 1);
    }
}
