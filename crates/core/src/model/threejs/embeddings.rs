//! Reads `embeddings.npz`: the vectors of the prompt and of each white view, as numpy's `savez` writes them: arrays of
//! float32 in a zip archive without compression.

use super::view::View;

/// A larger file is not read; a real one has 16 KiB.
pub const MOST_BYTES: usize = 1 << 20;

/// The most files in the archive: a real one has nine.
const MOST_FILES: usize = 64;

/// The most numbers in a vector: DINOv3 has from 384 to 4096.
const LONGEST: usize = 4096;

/// The end of a zip archive, without its comment, and how long a comment can be.
const END: usize = 22;
const LONGEST_COMMENT: usize = u16::MAX as usize;

/// Why bytes are no embeddings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum EmbeddingsError {
    #[error("larger than {most} bytes", most = MOST_BYTES)]
    TooLarge,
    #[error("not a whole zip archive")]
    NoZip,
    #[error("an archive of {0} files")]
    Files(usize),
    #[error("{0} is missing")]
    Missing(String),
    #[error("{0} is compressed")]
    Compressed(String),
    #[error("{0} is no vector of float32")]
    NoVector(String),
    #[error("{0} has numbers that are not finite")]
    NotFinite(String),
    #[error("{0} has {1} numbers, the prompt {2}")]
    Length(String, usize, usize),
}

/// The vectors of one side of a duel.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// The prompt's.
    pub prompt: Vec<f32>,
    /// Those of the views, in the order of [`View::ALL`].
    pub views: [Vec<f32>; 8],
}

impl Embeddings {
    /// Reads a file. Files of other names in it are skipped.
    ///
    /// # Errors
    /// It is too large, broken, or lacks a vector.
    pub fn read(bytes: &[u8]) -> Result<Embeddings, EmbeddingsError> {
        if bytes.len() > MOST_BYTES {
            return Err(EmbeddingsError::TooLarge);
        }
        let files = directory(bytes)?;
        let vector = |key: String| {
            let name = format!("{key}.npy");
            let file = files.iter().find(|file| file.name == name.as_bytes());
            let file = file.ok_or_else(|| EmbeddingsError::Missing(name.clone()))?;
            if file.method != 0 {
                return Err(EmbeddingsError::Compressed(name));
            }
            let stored = stored(bytes, file).ok_or(EmbeddingsError::NoZip)?;
            let numbers = array(stored).ok_or_else(|| EmbeddingsError::NoVector(name.clone()))?;
            if numbers.iter().all(|number| number.is_finite()) {
                Ok(numbers)
            } else {
                Err(EmbeddingsError::NotFinite(name))
            }
        };
        let prompt = vector("prompt".to_owned())?;
        let mut views: [Vec<f32>; 8] = Default::default();
        for (place, view) in views.iter_mut().zip(View::ALL) {
            let name = format!("view_{}", view.name());
            *place = vector(name.clone())?;
            if place.len() != prompt.len() {
                return Err(EmbeddingsError::Length(name, place.len(), prompt.len()));
            }
        }
        Ok(Embeddings { prompt, views })
    }

    /// The view most like the prompt: the one whose vector has the highest dot product with the prompt's, the first of
    /// equals. Products are summed in double precision.
    #[must_use]
    pub fn best_view(&self) -> View {
        let likeness = |vector: &[f32]| -> f64 {
            self.prompt.iter().zip(vector).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let mut best = (f64::NEG_INFINITY, View::FrontLeft);
        for (view, vector) in View::ALL.into_iter().zip(&self.views) {
            let likeness = likeness(vector);
            if likeness > best.0 {
                best = (likeness, view);
            }
        }
        best.1
    }
}

/// A file in the archive, by the archive's directory.
struct Stored<'a> {
    name: &'a [u8],
    method: u16,
    /// Its size, stored without compression.
    size: usize,
    /// Where its own header is.
    header: usize,
}

/// The directory at the archive's end.
fn directory(bytes: &[u8]) -> Result<Vec<Stored<'_>>, EmbeddingsError> {
    let end = end_of(bytes).ok_or(EmbeddingsError::NoZip)?;
    let count = usize::from(u16_at(bytes, end + 10).ok_or(EmbeddingsError::NoZip)?);
    if count > MOST_FILES {
        return Err(EmbeddingsError::Files(count));
    }
    let mut at = size_at(bytes, end + 16).ok_or(EmbeddingsError::NoZip)?;
    let mut files = Vec::new();
    for _ in 0..count {
        let (file, next) = entry(bytes, at).ok_or(EmbeddingsError::NoZip)?;
        files.push(file);
        at = next;
    }
    Ok(files)
}

/// Where the record of the archive's end begins: the last one whose comment ends with the file.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END)?;
    let first = last.saturating_sub(LONGEST_COMMENT);
    let ends_here = |at: usize| {
        let comment = u16_at(bytes, at + 20).map(usize::from);
        bytes.get(at..at + 4) == Some(b"PK\x05\x06") && comment.is_some_and(|comment| at + END + comment == bytes.len())
    };
    (first..=last).rev().find(|at| ends_here(*at))
}

/// The directory's entry at this place, and where the next one is.
fn entry(bytes: &[u8], at: usize) -> Option<(Stored<'_>, usize)> {
    let fixed = bytes.get(at..at.checked_add(46)?).filter(|fixed| fixed.starts_with(b"PK\x01\x02"))?;
    let [name, extra, comment] = [28, 30, 32].map(|from| u16_at(fixed, from).map(usize::from));
    let (name, extra, comment) = (name?, extra?, comment?);
    let file = Stored {
        name: bytes.get(at + 46..at + 46 + name)?,
        method: u16_at(fixed, 10)?,
        size: size_at(fixed, 24)?,
        header: size_at(fixed, 42)?,
    };
    Some((file, at + 46 + name + extra + comment))
}

/// The bytes of a file: behind its own header, whose sizes may be placeholders.
fn stored<'a>(bytes: &'a [u8], file: &Stored<'_>) -> Option<&'a [u8]> {
    let header = bytes.get(file.header..file.header.checked_add(30)?)?;
    header.starts_with(b"PK\x03\x04").then_some(())?;
    let begin = file.header + 30 + usize::from(u16_at(header, 26)?) + usize::from(u16_at(header, 28)?);
    bytes.get(begin..begin.checked_add(file.size)?)
}

/// The numbers of an array: one row of float32, little-endian.
fn array(npy: &[u8]) -> Option<Vec<f32>> {
    let rest = npy.strip_prefix(b"\x93NUMPY")?;
    let (length, from) = match rest.first()? {
        1 => (usize::from(u16_at(rest, 2)?), 4),
        2 | 3 => (size_at(rest, 2)?, 6),
        _ => return None,
    };
    let (header, data) = rest.get(from..)?.split_at_checked(length)?;
    let header: String = std::str::from_utf8(header).ok()?.chars().filter(|c| !c.is_whitespace()).collect();
    let value = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, value)| value);
    let is_float = value("descr").is_some_and(|value| value.starts_with("'<f4'"));
    let shape = value("shape")?.strip_prefix('(')?.split_once(",)")?.0;
    let length: usize = shape.parse().ok().filter(|length| (1..=LONGEST).contains(length))?;
    let (numbers, rest) = data.as_chunks::<4>();
    (is_float && rest.is_empty() && numbers.len() == length)
        .then(|| numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)?;
    usize::try_from(four).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What numpy 2.4.6 wrote: `savez` of nine vectors of 3. The prompt's is [1, 0, 0]; that of the view at place n is
    /// [n / 10, 0, 0], save that `back` has that of `top_down`.
    const WRITTEN: &[u8] = include_bytes!("../../../../../tests/fixtures/embeddings.npz");

    #[test]
    fn a_file_of_numpy_is_read() {
        let read = Embeddings::read(WRITTEN).unwrap();
        assert_eq!(read.prompt, [1.0, 0.0, 0.0]);
        assert_eq!(read.views[1], [0.1, 0.0, 0.0]);
        assert_eq!(read.best_view(), View::Back, "the first of two that are equally like the prompt");
    }

    #[test]
    fn no_bytes_make_it_panic_or_pass_for_another_file() {
        let whole = Embeddings::read(WRITTEN).unwrap();
        for cut in 0..WRITTEN.len() {
            assert!(Embeddings::read(&WRITTEN[..cut]).is_err(), "{cut}");
        }
        for at in 0..WRITTEN.len() {
            for with in [0x00, 0x7f, 0xff] {
                let mut bytes = WRITTEN.to_vec();
                bytes[at] = with;
                if let Ok(read) = Embeddings::read(&bytes) {
                    assert_eq!(read.prompt.len(), whole.prompt.len());
                }
            }
        }
        let mut end = b"PK\x05\x06".to_vec();
        end.resize(END, 0xff);
        end[20..22].copy_from_slice(&[0, 0]);
        assert_eq!(Embeddings::read(&end), Err(EmbeddingsError::Files(65535)));
        assert_eq!(Embeddings::read(&vec![0; MOST_BYTES + 1]), Err(EmbeddingsError::TooLarge));
        assert_eq!(Embeddings::read(b""), Err(EmbeddingsError::NoZip));
    }

    #[test]
    fn what_is_no_row_of_float32_is_refused() {
        let npy = |header: &str, data: &[u8]| {
            let mut npy = b"\x93NUMPY\x01\x00".to_vec();
            npy.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
            npy.extend(header.as_bytes());
            npy.extend(data);
            array(&npy)
        };
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        assert_eq!(npy(header, &[0, 0, 128, 63, 0, 0, 0, 0]).unwrap(), [1.0, 0.0]);
        assert_eq!(npy(header, &[0; 7]), None);
        assert_eq!(npy(header, &[0; 12]), None);
        assert_eq!(npy(&header.replace("<f4", "<f8"), &[0; 8]), None);
        assert_eq!(npy(&header.replace("(2,)", "(2, 1)"), &[0; 8]), None);
        assert_eq!(npy(&header.replace("(2,)", "()"), &[0; 4]), None);
        assert_eq!(npy(&header.replace("(2,)", "(99999999999,)"), &[0; 8]), None);
    }
}
