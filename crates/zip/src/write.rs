//! Writing: each file as it is, with a date that says nothing, so that the same files give the same bytes.

use super::{CENTRAL, END, LOCAL};

/// 1 January 1980, the first date there is.
const DATE: u16 = 0x0021;

/// An archive of these files (name and contents), not compressed. `None` if it would be too large for the plain format.
#[must_use]
pub fn stored(files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let at = u32::try_from(archive.len()).ok()?;
        let (size, length) = (u32::try_from(bytes.len()).ok()?, u16::try_from(name.len()).ok()?);
        let mut common = Vec::new();
        // Version, flags (names are UTF-8), method, time, date.
        [20, 0x0800, 0, 0, DATE].iter().for_each(|field: &u16| common.extend(field.to_le_bytes()));
        [crc32fast::hash(bytes), size, size].iter().for_each(|field| common.extend(field.to_le_bytes()));
        // Lengths of the name and of the extra field.
        [length, 0].iter().for_each(|field| common.extend(field.to_le_bytes()));
        archive.extend(LOCAL.to_le_bytes());
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(*bytes);
        directory.extend(CENTRAL.to_le_bytes());
        directory.extend(20_u16.to_le_bytes());
        directory.extend(&common);
        // Comment, part, attributes inside and outside.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).ok().filter(|count| *count < u16::MAX)?;
    let (at, size) = (u32::try_from(archive.len()).ok()?, u32::try_from(directory.len()).ok()?);
    archive.extend(directory);
    archive.extend(END.to_le_bytes());
    [0, 0, count, count].iter().for_each(|field: &u16| archive.extend(field.to_le_bytes()));
    [size, at].iter().for_each(|field| archive.extend(field.to_le_bytes()));
    archive.extend(0_u16.to_le_bytes());
    u32::try_from(archive.len()).ok().map(|_| archive)
}
