//! Formats that the reference's image library reads and this renderer does not: they are refused by name, as a
//! picture without them would be another one.

use super::{BodyFault, Fault, Header, Picture, Watch};

/// The first bytes of each, from a place on, and its name.
const FORMATS: [(usize, &[u8], &str); 24] = [
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"DDS ", "DDS"),
    (0, b"8BPS", "PSD"),
    (0, b"qoif", "QOI"),
    (0, b"\x01\xda", "SGI"),
    (0, b"P1", "PBM"),
    (0, b"P2", "PGM"),
    (0, b"P3", "PPM"),
    (0, b"P4", "PBM"),
    (0, b"P5", "PGM"),
    (0, b"P6", "PPM"),
    (0, b"P7", "PAM"),
    (0, b"Pf", "PFM"),
    (0, b"PF", "PFM"),
    (0, b"icns", "ICNS"),
    (0, b"BLP1", "BLP"),
    (0, b"BLP2", "BLP"),
    (0, b"FTEX", "FTEX"),
    (0, b"\x59\xa6\x6a\x95", "SUN"),
    (0, b"/* XPM */", "XPM"),
    (0, b"\xb1\x68\xde\x3a", "DCX"),
];

pub(super) fn name(bytes: &[u8]) -> Option<&'static str> {
    let of = |at: usize, mark: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let found = FORMATS.iter().find(|(at, mark, _)| of(*at, mark)).map(|(_, _, name)| *name);
    found.or_else(|| match bytes {
        // Icons share their mark with TGA; these have an icon in them.
        [0, 0, 1, 0, count, high, ..] if (*count, *high) != (0, 0) => Some("ICO"),
        [10, 0 | 2 | 3 | 5, 1, 1 | 2 | 4 | 8, ..] => Some("PCX"),
        _ => None,
    })
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    let fault = name(bytes).map(Fault::Coding);
    Some(Header { width: 1, height: 1, depth: 1, alpha: false, working: 0, work: 0, fault })
}

pub(super) fn read(bytes: &[u8], _: Watch<'_>) -> Result<Picture, BodyFault> {
    Err(BodyFault::Coding(name(bytes).unwrap_or("unknown")))
}
