//! Archives of arrays as numpy reads them: a zip of npy files, stored without compression. The same arrays give the same
//! bytes.

/// The zip format's earliest date, 1 January 1980, as numpy writes it.
const DATE: u16 = 0x21;

/// The version of the zip format that stored files need.
const VERSION: u16 = 20;

/// A file in the archive, for the directory at its end.
struct Member {
    name: Vec<u8>,
    crc: u32,
    size: u32,
    offset: u32,
}

/// Writes float32 vectors by name, in the given order.
#[must_use]
pub fn write(arrays: &[(String, Vec<f32>)]) -> Vec<u8> {
    let files: Vec<(String, Vec<u8>)> =
        arrays.iter().map(|(name, vector)| (format!("{name}.npy"), npy(vector))).collect();
    stored(&files)
}

/// A zip of these files, stored without compression. The same files give the same bytes.
#[must_use]
pub fn stored(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut members) = (Vec::new(), Vec::new());
    for (name, body) in files {
        let (crc, size, offset) = (crc32fast::hash(body), length(body), length(&out));
        let member = Member { name: name.clone().into_bytes(), crc, size, offset };
        out.extend(b"PK\x03\x04");
        out.extend(VERSION.to_le_bytes());
        out.extend(member.common());
        out.extend(&member.name);
        out.extend(body);
        members.push(member);
    }
    let begins = length(&out);
    for member in &members {
        out.extend(b"PK\x01\x02");
        out.extend(VERSION.to_le_bytes());
        out.extend(VERSION.to_le_bytes());
        out.extend(member.common());
        // No comment, the first disk, no attributes.
        out.extend([0; 10]);
        out.extend(member.offset.to_le_bytes());
        out.extend(&member.name);
    }
    let (count, size) = (u16::try_from(members.len()).unwrap_or(u16::MAX), length(&out) - begins);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(begins.to_le_bytes());
    out.extend([0; 2]);
    out
}

impl Member {
    /// What both headers of a file say, from the flags to the length of the extra field.
    fn common(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // No flags, stored, midnight.
        for field in [0, 0, 0, DATE] {
            out.extend(u16::to_le_bytes(field));
        }
        for field in [self.crc, self.size, self.size] {
            out.extend(field.to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend([0; 2]);
        out
    }
}

/// An npy file of version 1.0: a header padded so that the data begin at a multiple of 64.
fn npy(vector: &[f32]) -> Vec<u8> {
    const FIXED: usize = 10;
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", vector.len());
    let padded = (FIXED + header.len() + 1).div_ceil(64) * 64;
    header.push_str(&" ".repeat(padded - FIXED - header.len() - 1));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(header.into_bytes());
    out.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
    out
}

/// Archives of embeddings are a few kilobytes.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Reads an archive that `write` or numpy's `savez` made: the float32 vectors by name, in its order. `None` if it is
/// anything else.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Vec<(String, Vec<f32>)>> {
    let end = bytes.len().checked_sub(22)?;
    let tail = bytes.get(end..)?;
    if !tail.starts_with(b"PK\x05\x06") {
        return None;
    }
    let (count, mut at) = (u16_at(tail, 10)?, u32_at(tail, 16)? as usize);
    let mut arrays = Vec::new();
    for _ in 0..count.min(64) {
        let entry = bytes.get(at..)?;
        let (name, extra, comment) = (u16_at(entry, 28)?, u16_at(entry, 30)?, u16_at(entry, 32)?);
        let (method, crc, size, offset) =
            (u16_at(entry, 10)?, u32_at(entry, 16)?, u32_at(entry, 20)?, u32_at(entry, 42)?);
        let name_bytes = entry.get(46..46 + usize::from(name))?;
        let local = bytes.get(offset as usize..)?;
        let begins = 30 + usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
        let body = local.get(begins..begins.checked_add(size as usize)?)?;
        if method != 0 || !entry.starts_with(b"PK\x01\x02") || crc32fast::hash(body) != crc {
            return None;
        }
        let name_text = std::str::from_utf8(name_bytes).ok()?.strip_suffix(".npy")?;
        arrays.push((name_text.to_owned(), vector_of(body)?));
        at = at.checked_add(46 + usize::from(name) + usize::from(extra) + usize::from(comment))?;
    }
    Some(arrays)
}

fn vector_of(npy: &[u8]) -> Option<Vec<f32>> {
    let rest = npy.strip_prefix(b"\x93NUMPY\x01\x00")?;
    let data = rest.get(2 + usize::from(u16_at(rest, 0)?)..)?;
    let header = std::str::from_utf8(rest.get(2..rest.len() - data.len())?).ok()?;
    if !header.contains("'<f4'") {
        return None;
    }
    Some(data.chunks_exact(4).filter_map(|four| Some(f32::from_le_bytes(four.try_into().ok()?))).collect())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_its_order() {
        let arrays = vec![("prompt".to_owned(), vec![0.5, -1.0, 3.25]), ("view_back".to_owned(), vec![0.0; 384])];
        let bytes = write(&arrays);
        assert_eq!(read(&bytes).unwrap(), arrays);
        assert_eq!(bytes, write(&arrays));
        for cut in [0, 1, 21, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(read(&bytes[..cut]), None, "{cut}");
        }
        let mut damaged = bytes;
        // Within the first vector.
        damaged[170] ^= 1;
        assert_eq!(read(&damaged), None);
    }

    #[test]
    fn data_begin_where_numpy_expects_them() {
        let npy = npy(&[1.0; 384]);
        assert_eq!((npy.len() - 384 * 4) % 64, 0);
        assert!(npy.starts_with(b"\x93NUMPY\x01\x00"));
    }
}
