//! Archives of arrays as numpy reads them: a zip of npy files, stored without compression. The same arrays give the same
//! bytes.

use gen404_zip::Limits;

/// The most bytes of an archive that is read, and of each file in it: real ones have a few kilobytes.
const MOST_BYTES: usize = 1 << 20;

/// The most arrays that are read.
const MOST_ARRAYS: usize = 64;

/// Writes float32 vectors by name, in the given order; `None` if they are too large for a zip.
#[must_use]
pub fn write(arrays: &[(String, Vec<f32>)]) -> Option<Vec<u8>> {
    let files: Vec<(String, Vec<u8>)> =
        arrays.iter().map(|(name, vector)| (format!("{name}.npy"), npy(vector))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, body)| (name.as_str(), body.as_slice())).collect();
    gen404_zip::stored(&files)
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

/// Reads an archive that [`write()`] or numpy's `savez` made: the float32 vectors by name, in its order. `None` if it is
/// anything else.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Vec<(String, Vec<f32>)>> {
    let limits = Limits { bytes: MOST_BYTES, entries: MOST_ARRAYS };
    let files = gen404_zip::read(bytes, &limits, |_| Some(MOST_BYTES)).ok()?;
    files.iter().map(|file| Some((file.name.strip_suffix(".npy")?.to_owned(), vector_of(&file.bytes)?))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_its_order() {
        let arrays = vec![("prompt".to_owned(), vec![0.5, -1.0, 3.25]), ("view_back".to_owned(), vec![0.0; 384])];
        let bytes = write(&arrays).unwrap();
        assert_eq!(read(&bytes).unwrap(), arrays);
        assert_eq!(Some(&bytes), write(&arrays).as_ref());
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
