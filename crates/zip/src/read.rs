//! Reading.

use std::fmt;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::{CENTRAL, CENTRAL_LENGTH, END, END_LENGTH, LOCAL, LOCAL_LENGTH};

/// The bounds of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the archive itself.
    pub bytes: usize,
    /// The most entries, folders included.
    pub entries: usize,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without folders.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// Why an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZipError {
    /// It has more bytes than this.
    TooLarge(usize),
    /// It has more entries than this.
    TooMany(usize),
    /// It is no archive: there is no end record.
    NoEnd,
    /// It is in several parts, or too large for the plain format.
    Unsupported,
    /// Its directory is cut off, or is not where the end record says.
    Directory,
    /// An entry is larger than it may be, by its own record.
    EntryTooLarge {
        /// The entry's name.
        name: String,
        /// The most bytes that it may have.
        most: usize,
    },
    /// An entry cannot be read, for this reason.
    Entry {
        /// The entry's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for ZipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ZipError::TooLarge(most) => write!(f, "the archive is larger than {most} bytes"),
            ZipError::TooMany(most) => write!(f, "the archive has more than {most} entries"),
            ZipError::NoEnd => f.write_str("not a zip archive: there is no end record"),
            ZipError::Unsupported => f.write_str("an archive in several parts, or zip64"),
            ZipError::Directory => f.write_str("the archive's directory is broken"),
            ZipError::EntryTooLarge { name, most } => write!(f, "{name:?} is larger than {most} bytes"),
            ZipError::Entry { name, why } => write!(f, "{name:?}: {why}"),
        }
    }
}

impl std::error::Error for ZipError {}

/// An entry's record in the directory.
struct Record<'a> {
    flags: u16,
    method: u16,
    sum: u32,
    packed: usize,
    size: usize,
    at: usize,
    name: &'a [u8],
}

/// Reads the files that `room` gives room to: the most bytes of a file with this name (without folders), or `None` if it
/// is not wanted. Of several with the same name the last counts; the order is that of the directory.
///
/// Memory: at most the room of each wanted entry, whatever the archive says.
///
/// # Errors
/// The archive is not one, breaks a limit, or a wanted file cannot be read.
pub fn read(archive: &[u8], limits: &Limits, room: impl Fn(&str) -> Option<usize>) -> Result<Vec<Entry>, ZipError> {
    if archive.len() > limits.bytes {
        return Err(ZipError::TooLarge(limits.bytes));
    }
    let (count, from, to) = directory(archive)?;
    if count > limits.entries {
        return Err(ZipError::TooMany(limits.entries));
    }
    let mut found: Vec<Entry> = Vec::new();
    let mut at = from;
    for _ in 0..count {
        let (record, next) = record(archive, at, to).ok_or(ZipError::Directory)?;
        at = next;
        let name = base_name(record.name);
        let Some(most) = room(&name).filter(|_| !name.is_empty()) else { continue };
        let bytes = contents(archive, &record, &name, most)?;
        found.retain(|entry| entry.name != name);
        found.push(Entry { name, bytes });
    }
    Ok(found)
}

/// The name after the last slash, of either kind; empty for a folder.
fn base_name(name: &[u8]) -> String {
    let last = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    String::from_utf8_lossy(last).into_owned()
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    number(bytes, at, 2).and_then(|number| u16::try_from(number).ok())
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    number(bytes, at, 4).and_then(|number| usize::try_from(number).ok())
}

/// How many entries there are, and where their records begin and end.
fn directory(archive: &[u8]) -> Result<(usize, usize, usize), ZipError> {
    // The end record is followed by a comment of at most 65,535 bytes.
    let first = archive.len().saturating_sub(END_LENGTH + usize::from(u16::MAX));
    let last = archive.len().checked_sub(END_LENGTH).ok_or(ZipError::NoEnd)?;
    let is_end = |at: &usize| {
        let comment = short(archive, at + 20).map(usize::from);
        number(archive, *at, 4) == Some(END) && comment == Some(archive.len() - at - END_LENGTH)
    };
    let end = (first..=last).rev().find(is_end).ok_or(ZipError::NoEnd)?;
    let of = |offset| short(archive, end + offset).unwrap_or(u16::MAX);
    let (part, directory_part, here, all) = (of(4), of(6), of(8), of(10));
    let (size, from) = (long(archive, end + 12), long(archive, end + 16));
    let (size, from) = size.zip(from).ok_or(ZipError::Directory)?;
    let huge = u32::MAX as usize;
    if part != 0 || directory_part != 0 || here != all || all == u16::MAX || size == huge || from == huge {
        return Err(ZipError::Unsupported);
    }
    let to = from.checked_add(size).filter(|to| *to <= end).ok_or(ZipError::Directory)?;
    Ok((usize::from(all), from, to))
}

/// The record at this place of the directory, and the place of the next.
fn record(archive: &[u8], at: usize, end: usize) -> Option<(Record<'_>, usize)> {
    let archive = archive.get(..end)?;
    if number(archive, at, 4)? != CENTRAL {
        return None;
    }
    let [name, extra, comment] = [28, 30, 32].map(|offset| short(archive, at + offset).map(usize::from));
    let from = at.checked_add(CENTRAL_LENGTH)?;
    let name_ends = from.checked_add(name?)?;
    let next = name_ends.checked_add(extra?)?.checked_add(comment?)?;
    let record = Record {
        flags: short(archive, at + 8)?,
        method: short(archive, at + 10)?,
        sum: number(archive, at + 16, 4)?,
        packed: long(archive, at + 20)?,
        size: long(archive, at + 24)?,
        at: long(archive, at + 42)?,
        name: archive.get(from..name_ends)?,
    };
    (next <= end).then_some((record, next))
}

/// A file's contents.
fn contents(archive: &[u8], record: &Record<'_>, name: &str, most: usize) -> Result<Vec<u8>, ZipError> {
    let broken = |why| ZipError::Entry { name: name.to_owned(), why };
    if record.size > most {
        return Err(ZipError::EntryTooLarge { name: name.to_owned(), most });
    }
    if record.flags & 1 != 0 {
        return Err(broken("encrypted"));
    }
    let packed = packed(archive, record).ok_or_else(|| broken("its data is not there"))?;
    let bytes = match record.method {
        0 => packed.to_vec(),
        8 => decompress_to_vec_with_limit(packed, record.size).map_err(|_| broken("does not unpack to its size"))?,
        _ => return Err(broken("neither stored nor deflated")),
    };
    if bytes.len() != record.size {
        return Err(broken("does not unpack to its size"));
    }
    if crc32fast::hash(&bytes) != record.sum {
        return Err(broken("its checksum is wrong"));
    }
    Ok(bytes)
}

/// A file's packed bytes. Its local header may give other lengths of name and extra field than the directory.
fn packed<'a>(archive: &'a [u8], record: &Record<'_>) -> Option<&'a [u8]> {
    if number(archive, record.at, 4)? != LOCAL {
        return None;
    }
    let name = usize::from(short(archive, record.at.checked_add(26)?)?);
    let extra = usize::from(short(archive, record.at.checked_add(28)?)?);
    let from = record.at.checked_add(LOCAL_LENGTH)?.checked_add(name)?.checked_add(extra)?;
    archive.get(from..from.checked_add(record.packed)?)
}
