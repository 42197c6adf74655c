//! Guarded access to every file that the program opens or makes itself: anyone may have put what lies in a
//! competition's folder.
//!
//! Only plain files are read (a FIFO would hang, a device would never end), up to a size limit for each kind of
//! file. Writes go to a temporary file beside the target, followed by a rename: after a kill, either the old or
//! the new contents are there. A link at the target is replaced, never followed. Below a folder whose contents
//! are not ours, no component of a path may be a link. That is checked either in each call ([`read_below`],
//! [`write_below`]), or once for a working folder ([`folder_below`]), whose files may then not be links
//! themselves ([`read_own`], [`append`], [`create_new`], [`update`]).

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::base::error::{Context as _, Error, Result};

/// Size limit of settings, question, secret and chain files.
pub const SMALL: u64 = 8 << 20;

/// Size limit of our own files that are read whole (journals are read line by line).
pub const OWN: u64 = 256 << 20;

/// Size limit of models: the limit of a miner's file, with room for an operator who raises it.
pub const MODEL: u64 = 256 << 20;

/// Size limit of a file that holds one secret.
pub const SECRET: u64 = 64 << 10;

/// The most files that are listed in one folder.
const MOST_LISTED: usize = 200_000;

/// The prefix of temporary files beside their targets.
pub const TEMPORARY: &str = ".gen404-tmp-";

/// Reads a file that the operator named; `None` if it does not exist. Links are followed, since the operator
/// may have made them (mounted settings are links).
///
/// # Errors
/// It is not a plain file, is larger than `most` bytes, or cannot be read.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    open(path, true)?.map(|file| read_whole(file, path, most)).transpose()
}

/// As [`read`], but the file must exist.
///
/// # Errors
/// As [`read`], or it does not exist.
pub fn need(path: &Path, most: u64) -> Result<Vec<u8>> {
    read(path, most)?.ok_or_else(|| Error::file(path, "cannot read: no such file"))
}

/// As [`need`], of a file that the command line or the settings name: that it is not there is their mistake.
///
/// # Errors
/// As [`need`].
pub fn named(path: &Path, most: u64) -> Result<Vec<u8>> {
    read(path, most)?.ok_or_else(|| Error::usage(format!("{}: cannot read: no such file", path.display())))
}

/// As [`read`], but the bytes must be UTF-8.
///
/// # Errors
/// As [`read`], or the file is not text.
pub fn read_text(path: &Path, most: u64) -> Result<Option<String>> {
    let Some(bytes) = read(path, most)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Error::file(path, "not UTF-8"))
}

/// Reads the file at `relative` below `root`; `None` if it does not exist. No link is followed below `root`.
///
/// # Errors
/// As [`read`], or the path contains a link, or `relative` leads out of `root`.
pub fn read_below(root: &Path, relative: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let path = below(root, relative)?;
    open(&path, false)?.map(|file| read_whole(file, &path, most)).transpose()
}

/// Reads a file in a folder from [`folder_below`]; `None` if it does not exist. A link is refused.
///
/// # Errors
/// As [`read`], or it is a link.
pub fn read_own(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    open(path, false)?.map(|file| read_whole(file, path, most)).transpose()
}

/// Opens a plain file for reading; `None` if it does not exist. With `follow`, it may be a link.
///
/// # Errors
/// It is not a plain file, or cannot be opened.
pub fn open(path: &Path, follow: bool) -> Result<Option<File>> {
    match opened(path, File::options().read(true), follow) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        opened => plain(path, opened, "cannot read").map(Some),
    }
}

/// Opens a file of our own to read it and append to it; it is created if missing, readable by the user only.
///
/// # Errors
/// It is a link or not a plain file, or cannot be opened.
pub fn append(path: &Path) -> Result<File> {
    plain(path, opened(path, File::options().read(true).append(true).create(true), false), "cannot write")
}

/// Opens a file of our own to read and write it; it is created if missing, readable by the user only.
///
/// # Errors
/// As [`append`].
pub fn update(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    plain(path, opened(path, &mut options, false), "cannot write")
}

/// Creates a file of our own to write to, readable by the user only. An old file is removed, not overwritten:
/// it may be hard-linked from elsewhere.
///
/// # Errors
/// It cannot be created.
pub fn create_new(path: &Path) -> Result<File> {
    remove(path)?;
    plain(path, opened(path, File::options().write(true).create_new(true), false), "cannot write")
}

fn opened(path: &Path, options: &mut OpenOptions, follow: bool) -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Without O_NONBLOCK, opening a FIFO would wait for a process at its other end.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | if follow { 0 } else { libc::O_NOFOLLOW });
        options.mode(0o600);
    }
    options.open(path)
}

/// The file, if it is a plain one. Checked on the open file, so that it cannot be swapped after the check.
fn plain(path: &Path, opened: std::io::Result<File>, cannot: &str) -> Result<File> {
    let file = opened.map_err(|e| match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => a_link(path),
        Ok(found) if !found.is_file() => Error::file(path, "not a plain file"),
        _ => Error::file(path, cannot).because(e),
    })?;
    let found = file.metadata().failed(|| format!("{}: cannot be inspected", path.display()))?;
    if found.is_file() { Ok(file) } else { Err(Error::file(path, "not a plain file")) }
}

fn a_link(path: &Path) -> Error {
    Error::file(path, "a link, which is not followed here").hint("put the file itself there")
}

fn read_whole(file: File, path: &Path, most: u64) -> Result<Vec<u8>> {
    let cannot = || format!("{}: cannot read", path.display());
    let size = file.metadata().failed(cannot)?.len();
    let too_large = || Error::file(path, format!("larger than {most} bytes, the limit for this file"));
    if size > most {
        return Err(too_large());
    }
    // The size was read a moment ago: the file may have grown since.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).failed(cannot)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// The full path of `relative` below `root`, after checking that it contains no link below `root`.
///
/// # Errors
/// The path contains a link, or `relative` leads out of `root`.
pub fn below(root: &Path, relative: &Path) -> Result<PathBuf> {
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
            Err(e) => return Err(Error::file(&full, "cannot be inspected").because(e)),
        }
    }
    Ok(full)
}

/// The folder at `relative` below `root`, created if missing; no link is followed below `root`.
///
/// # Errors
/// As [`below`], or something else has this name, or it cannot be created.
pub fn folder_below(root: &Path, relative: &Path) -> Result<PathBuf> {
    let full = below(root, relative)?;
    fs::create_dir_all(&full).failed(|| format!("{}: cannot create this folder", full.display()))?;
    Ok(full)
}

/// Creates a folder that the operator named, if it is missing.
///
/// # Errors
/// It cannot be created.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).failed(|| format!("{}: cannot create this folder", path.display()))
}

/// The entries of a folder; none if it does not exist.
///
/// # Errors
/// It cannot be listed, or holds too many files.
pub fn list(folder: &Path) -> Result<Vec<DirEntry>> {
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

/// Removes a file if it exists; of a link, the link itself.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::file(path, "cannot remove").because(e)),
        _ => Ok(()),
    }
}

/// Who may read a file that we create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Everyone: public data.
    All,
    /// The user only: journals, notes, settings.
    Own,
}

/// Writes a whole file: a temporary file beside it, sync, rename, sync of the folder. Missing folders are
/// created. A link at the target is replaced by the file.
///
/// # Errors
/// It cannot be written; the target is unchanged.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    prepare(path, bytes, readers)?.publish()
}

/// As [`write()`], at `relative` below `root`; no link is followed below `root`, not even at the target.
///
/// # Errors
/// As [`write()`], or as [`below`].
pub fn write_below(root: &Path, relative: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    write(&below(root, relative)?, bytes, readers)
}

/// Writes a page of a report, or another file that can be made again: as [`write_below`], atomic, but without a
/// sync of each file. Call [`sync_folder`] after a batch.
///
/// # Errors
/// As [`write_below`].
pub fn replace_below(root: &Path, relative: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    let path = below(root, relative)?;
    let (folder, what) = (folder_of(&path), || format!("{}: cannot write", path.display()));
    make_folder(folder)?;
    let mut temporary = temporary_in(folder, readers).failed(what)?;
    temporary.write_all(bytes).failed(what)?;
    temporary.persist(&path).map(drop).failed(what)
}

/// A file that is written and synced, but not renamed to its target yet. Dropping it removes it.
#[derive(Debug)]
pub struct Prepared {
    temporary: tempfile::NamedTempFile,
    path: PathBuf,
}

/// The first half of [`write()`]: everything but the rename.
///
/// # Errors
/// As [`write()`].
pub fn prepare(path: &Path, bytes: &[u8], readers: Readers) -> Result<Prepared> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let what = || format!("{}: cannot write", path.display());
    let mut temporary = temporary_in(folder, readers).failed(what)?;
    temporary.write_all(bytes).failed(what)?;
    // Synced before the rename: otherwise a power cut could leave an empty file under the final name.
    temporary.as_file().sync_all().failed(what)?;
    Ok(Prepared { temporary, path: path.to_owned() })
}

impl Prepared {
    /// Renames the file to its target, replacing what is there, and syncs the folder.
    ///
    /// # Errors
    /// It cannot be renamed, or the folder cannot be synced.
    pub fn publish(self) -> Result<()> {
        let what = || format!("{}: cannot write", self.path.display());
        self.temporary.persist(&self.path).failed(what)?;
        sync_folder(folder_of(&self.path)).failed(what)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the temporary files that killed runs left in a folder. Only for a caller that knows that no other
/// process is writing there.
///
/// # Errors
/// The folder cannot be listed, or a file cannot be removed.
pub fn remove_temporaries(folder: &Path) -> Result<()> {
    let ours = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(TEMPORARY);
    list(folder)?.iter().filter(|entry| ours(entry)).try_for_each(|entry| remove(&entry.path()))
}

/// A temporary file in this folder, removed on drop unless it is kept.
///
/// # Errors
/// It cannot be created.
pub fn temporary_in(folder: &Path, readers: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The umask takes its part: with the usual one, 0644.
        let mode = if readers == Readers::All { 0o666 } else { 0o600 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder)
}

/// A file without a name, removed when it is closed.
///
/// # Errors
/// It cannot be created.
pub fn scratch() -> std::io::Result<File> {
    tempfile::tempfile()
}

/// The room on the disk of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written.
    pub bytes: u64,
    /// Files that may still be made; `None` if the disk does not count them.
    pub files: Option<u64>,
    /// Is it mounted to be read only?
    pub read_only: bool,
}

/// The room on the disk of a folder, or of the nearest one above it that exists; `None` if this system cannot tell.
///
/// # Errors
/// It cannot be inspected.
#[cfg(unix)]
pub fn room(folder: &Path) -> Result<Option<Room>> {
    let folder = std::path::absolute(folder).failed(|| "the current folder cannot be read".to_owned())?;
    let there = folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    let found = rustix::fs::statvfs(there).failed(|| format!("{}: cannot be inspected", there.display()))?;
    Ok(Some(Room {
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some(found.f_favail),
        read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    }))
}

/// As on Unix, where there is an answer.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn room(_folder: &Path) -> Result<Option<Room>> {
    Ok(None)
}

/// Writes a few bytes into a folder, to see whether that is possible, and removes them.
///
/// # Errors
/// It is not.
pub fn try_to_write(folder: &Path) -> Result<()> {
    let what = || format!("{}: cannot write", folder.display());
    let mut file = temporary_in(folder, Readers::Own).failed(what)?;
    file.write_all(b"gen404").failed(what)
}

/// Makes sure that a rename into a folder survives a power cut.
///
/// # Errors
/// The folder cannot be synced.
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
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
