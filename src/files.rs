//! Every file that the program opens or makes by itself, guarded: what lies in a competition's folder may
//! have been put there by anybody.
//!
//! Reading takes plain files only (a FIFO would hang, a device never end), up to a size that fits the kind
//! of file. Writing goes through a temporary file beside the target and a rename, so that a kill leaves old
//! or new, and a link at the target is replaced, never followed. Below a folder whose contents are not ours,
//! links are refused on the whole way.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::error::{Context as _, Error, Result};

/// The largest settings, question, secret or chain file that is read.
pub const SMALL: u64 = 8 << 20;

/// The largest journal or other file of our own that is read whole.
pub const OWN: u64 = 256 << 20;

/// Temporary files beside their targets have this prefix.
pub const TEMPORARY: &str = ".gen404-tmp-";

/// Reads a file that the operator named; `None` where there is none. Links are followed, since
/// the operator may have made them (mounted settings are links).
///
/// # Errors
/// It is no plain file, larger than `most` bytes, or cannot be read.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    open(path, true)?.map(|file| read_whole(file, path, most)).transpose()
}

/// As [`read`], and the bytes have to be UTF-8.
///
/// # Errors
/// As [`read`], or the file is no text.
pub fn read_text(path: &Path, most: u64) -> Result<Option<String>> {
    let Some(bytes) = read(path, most)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Error::file(path, "not UTF-8"))
}

/// Reads the file at `relative` below `root`; `None` where there is none. No link is followed below `root`.
///
/// # Errors
/// As [`read`], or a link lies on the way, or `relative` leads out of `root`.
pub fn read_below(root: &Path, relative: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let path = below(root, relative)?;
    open(&path, false)?.map(|file| read_whole(file, &path, most)).transpose()
}

/// Opens a plain file for reading; `None` where there is none. With `follow`, a link at the end is followed.
///
/// # Errors
/// It is no plain file, or cannot be opened.
pub fn open(path: &Path, follow: bool) -> Result<Option<File>> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Opening a FIFO would wait for somebody who writes into it.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | if follow { 0 } else { libc::O_NOFOLLOW });
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(refused_or_unreadable(path, e)),
    };
    let found = file.metadata().failed(|| format!("{}: cannot be looked at", path.display()))?;
    if found.is_file() { Ok(Some(file)) } else { Err(Error::file(path, "not a plain file")) }
}

fn refused_or_unreadable(path: &Path, error: std::io::Error) -> Error {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => a_link(path),
        Ok(found) if !found.is_file() => Error::file(path, "not a plain file"),
        _ => Error::file(path, "cannot read").because(error),
    }
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
            Err(e) => return Err(Error::file(&full, "cannot be looked at").because(e)),
        }
    }
    Ok(full)
}

/// Who may read a file that we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
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
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let what = || format!("{}: cannot write", path.display());
    fs::create_dir_all(folder).failed(|| format!("{}: cannot make this folder", folder.display()))?;
    let mut temporary = temporary_in(folder, readers).failed(what)?;
    temporary.write_all(bytes).failed(what)?;
    temporary.as_file().sync_all().failed(what)?;
    temporary.persist(path).failed(what)?;
    sync_folder(folder).failed(what)
}

/// As [`write`], at `relative` below `root`: no link is followed below `root`, the target's included.
///
/// # Errors
/// As [`write`], or as [`below`].
pub fn write_below(root: &Path, relative: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    write(&below(root, relative)?, bytes, readers)
}

/// A temporary file in this folder, removed when it is dropped without being kept.
///
/// # Errors
/// It cannot be made.
pub fn temporary_in(folder: &Path, readers: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if readers == Readers::All { 0o644 } else { 0o600 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder)
}

/// Makes sure that what was renamed into a folder stays there after a power cut.
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
