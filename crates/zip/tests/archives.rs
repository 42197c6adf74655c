//! Archives as Python writes them, and broken ones.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::process::Command;

use gen404_zip::{Entry, Limits, ZipError, read, stored};
use miniz_oxide::deflate::compress_to_vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 4 };

fn all(archive: &[u8]) -> Result<Vec<Entry>, ZipError> {
    read(archive, &LIMITS, |name| name.ends_with(".js").then_some(1000))
}

fn entry(name: &str, bytes: &[u8]) -> Entry {
    Entry { name: name.to_owned(), bytes: bytes.to_vec() }
}

/// The archive with its one entry deflated, which claims this size.
fn deflated(bytes: &[u8], claimed: usize) -> Vec<u8> {
    let packed = compress_to_vec(bytes, 6);
    let mut archive = stored(&[("a.js", &packed)]).unwrap();
    let directory = 30 + 4 + packed.len();
    let sum = crc32fast::hash(bytes).to_le_bytes();
    let size = u32::try_from(claimed).unwrap().to_le_bytes();
    for at in [4, directory + 6] {
        archive[at + 4] = 8;
    }
    archive[directory + 16..directory + 20].copy_from_slice(&sum);
    archive[directory + 24..directory + 28].copy_from_slice(&size);
    archive
}

#[test]
fn what_is_written_is_read() {
    let archive = stored(&[("a.js", b"one"), ("in/b.js", b""), ("c.txt", b"no")]).unwrap();
    assert_eq!(all(&archive), Ok(vec![entry("a.js", b"one"), entry("b.js", b"")]));
    assert_eq!(all(&stored(&[]).unwrap()), Ok(vec![]));
    let twice = stored(&[("a.js", b"one"), ("b.js", b"-"), ("x/a.js", b"two")]).unwrap();
    assert_eq!(all(&twice), Ok(vec![entry("b.js", b"-"), entry("a.js", b"two")]), "the last one counts");
    let commented = [&archive[..archive.len() - 2], &[3, 0], b"end"].concat();
    assert!(all(&commented).is_ok());
    let text = "wide ".repeat(150);
    assert_eq!(all(&deflated(text.as_bytes(), text.len())), Ok(vec![entry("a.js", text.as_bytes())]));
}

#[test]
fn limits_hold() {
    let wide = vec![b' '; 1001];
    let too_large = Err(ZipError::EntryTooLarge { name: "a.js".to_owned(), most: 1000 });
    assert_eq!(all(&stored(&[("a.js", &wide)]).unwrap()), too_large);
    assert_eq!(all(&deflated(&wide, 1001)), too_large);
    let unpacks = |archive: &[u8]| all(archive).unwrap_err().to_string();
    // A bomb: it claims to be small.
    assert_eq!(unpacks(&deflated(&vec![0; 10 << 20], 1000)), "\"a.js\": does not unpack to its size");
    assert_eq!(unpacks(&deflated(b"short", 1000)), "\"a.js\": does not unpack to its size");
    let five: Vec<(&str, &[u8])> = vec![("a.txt", b""); 5];
    assert_eq!(all(&stored(&five).unwrap()), Err(ZipError::TooMany(4)));
    assert_eq!(all(&vec![0; (1 << 20) + 1]), Err(ZipError::TooLarge(1 << 20)));
}

#[test]
fn broken_archives_are_refused() {
    let archive = stored(&[("a.js", b"one")]).unwrap();
    assert_eq!(all(b""), Err(ZipError::NoEnd));
    assert_eq!(all(b"<html>not found</html>, and more"), Err(ZipError::NoEnd));
    assert_eq!(all(&archive[..archive.len() - 1]), Err(ZipError::NoEnd));
    let with = |at: usize, byte: u8| {
        let mut broken = archive.clone();
        broken[at] ^= byte;
        all(&broken).unwrap_err().to_string()
    };
    let directory = 30 + 4 + 3;
    let end = archive.len() - 22;
    assert_eq!(with(34, 1), "\"a.js\": its checksum is wrong");
    assert_eq!(with(0, 1), "\"a.js\": its data is not there");
    assert_eq!(with(directory, 1), "the archive's directory is broken");
    assert_eq!(with(directory + 8, 1), "\"a.js\": encrypted");
    assert_eq!(with(directory + 10, 12), "\"a.js\": neither stored nor deflated");
    assert_eq!(with(directory + 23, 1), "\"a.js\": its data is not there");
    assert_eq!(with(end + 4, 1), "an archive in several parts, or zip64");
    assert_eq!(with(end + 19, 1), "the archive's directory is broken");
}

#[test]
fn python_reads_and_writes_them() {
    let script = r#"
import io, sys, zipfile
given = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert given.testzip() is None
class Stream(io.RawIOBase):
    def __init__(self): self.bytes = b""
    def writable(self): return True
    def write(self, data): self.bytes += bytes(data); return len(data)
out = Stream()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
    for name in given.namelist():
        made.writestr("folder/" + name, given.read(name))
sys.stdout.buffer.write(out.bytes)
"#;
    let child = Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return };
    let text = b"export default () => 1; // again and again and again and again".to_vec();
    let archive = stored(&[("a.js", &text), ("b.js", b"")]).unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &archive).unwrap();
    let made = child.wait_with_output().unwrap();
    assert!(made.status.success());
    assert_eq!(all(&made.stdout), Ok(vec![entry("a.js", &text), entry("b.js", b"")]));
}

proptest! {
    #[test]
    fn whatever_the_bytes_it_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..120) {
        let _ = all(&bytes);
        let mut archive = deflated(b"some text, some text, some text", 31);
        let at = at % archive.len();
        for (place, byte) in archive.iter_mut().skip(at).zip(bytes.iter().take(4)) {
            *place ^= byte;
        }
        let _ = all(&archive);
    }
}
