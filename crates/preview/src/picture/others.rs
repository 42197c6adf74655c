//! Formats that Pillow reads and this renderer does not. They are refused by name, because leaving the texture out would
//! change the picture. Files that Pillow cannot open do not count.

use super::texts;
use super::{BodyFault, Fault, Header, Picture, Watch};

/// Whether a file is of a format, judged by its header.
type Is = fn(&[u8]) -> bool;

/// The formats and their names, in the order in which Pillow tries them.
const FORMATS: [(&str, Is); 35] = [
    ("PPM", is_ppm),
    ("AVIF", is_avif),
    ("BLP", |b| begins(b, &[b"BLP1", b"BLP2"])),
    ("BUFR", |b| begins(b, &[b"BUFR", b"ZCZC"])),
    ("CUR", |b| begins(b, &[b"\0\0\x02\0"]) && short(b, 4) > 0),
    ("PCX", is_pcx),
    ("DCX", |b| begins(b, &[b"\xb1\x68\xde\x3a"])),
    ("DDS", |b| begins(b, &[b"DDS "])),
    ("EPS", |b| begins(b, &[b"%!PS", b"\xc5\xd0\xd3\xc6"])),
    ("FITS", |b| begins(b, &[b"SIMPLE"])),
    ("FLI", is_fli),
    ("FTEX", |b| begins(b, &[b"FTEX"])),
    ("GBR", is_gbr),
    ("GRIB", |b| begins(b, &[b"GRIB"]) && b.get(7) == Some(&1)),
    ("HDF5", |b| begins(b, &[b"\x89HDF\r\n\x1a\n"])),
    ("JPEG 2000", |b| begins(b, &[b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"])),
    ("ICNS", |b| begins(b, &[b"icns"])),
    ("IM", texts::is_im),
    ("IMT", texts::is_imt),
    ("IPTC", is_iptc),
    ("McIDAS", is_mcidas),
    ("MPEG", |b| begins(b, &[b"\0\0\x01\xb3"])),
    ("MSP", is_msp),
    ("PCD", |b| b.get(2048..).is_some_and(|rest| begins(rest, &[b"PCD_"]) && rest.len() > 1538)),
    ("PIXAR", |b| begins(b, &[b"\x80\xe8\0\0"]) && (short(b, 424), short(b, 426)) == (14, 2)),
    ("PSD", |b| begins(b, &[b"8BPS\0\x01"])),
    ("QOI", |b| begins(b, &[b"qoif"])),
    ("SGI", is_sgi),
    ("SPIDER", is_spider),
    ("SUN", |b| begins(b, &[b"\x59\xa6\x6a\x95"])),
    ("WMF", |b| begins(b, &[b"\xd7\xcd\xc6\x9a\0\0"]) && long(b, 22) == 0x0100_0900),
    ("EMF", |b| begins(b, &[b"\x01\0\0\0"]) && b.get(40..).is_some_and(|rest| begins(rest, &[b" EMF"]))),
    ("XBM", texts::is_xbm),
    ("XPM", |b| begins(b, &[b"/* XPM */"])),
    ("XV thumbnail", |b| begins(b, &[b"P7 332"])),
];

pub(super) fn name(bytes: &[u8]) -> Option<&'static str> {
    FORMATS.iter().find(|(_, is)| is(bytes)).map(|(name, _)| *name)
}

fn begins(bytes: &[u8], marks: &[&[u8]]) -> bool {
    marks.iter().any(|mark| bytes.starts_with(mark))
}

/// A number of 16 bits, its low byte first; 0 beyond the end.
fn short(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

/// A number of 32 bits, its high byte first; 0 beyond the end.
fn long(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
}

/// A letter after the P, and white space after that; three kinds have longer names.
fn is_ppm(bytes: &[u8]) -> bool {
    let end = bytes.iter().take(6).position(|b| b" \t\n\x0b\x0c\r".contains(b)).unwrap_or(bytes.len().min(6));
    let mark = bytes.get(..end).unwrap_or_default();
    matches!(mark, b"P1" | b"P2" | b"P3" | b"P4" | b"P5" | b"P6" | b"Pf" | b"P0CMYK" | b"PyP" | b"PyRGBA" | b"PyCMYK")
}

/// The brand of the file, or one that it is said to be compatible with.
fn is_avif(bytes: &[u8]) -> bool {
    if !bytes.get(4..).is_some_and(|rest| begins(rest, &[b"ftyp"])) {
        return false;
    }
    let brands = bytes.get(8..(long(bytes, 0) as usize).min(bytes.len())).unwrap_or_default();
    let avif = |brand: &[u8]| matches!(brand, b"avif" | b"avis");
    match bytes.get(8..12) {
        Some(brand) if avif(brand) => true,
        Some(b"mif1" | b"msf1") => brands.chunks_exact(4).skip(2).any(avif),
        _ => false,
    }
}

fn is_pcx(bytes: &[u8]) -> bool {
    let &[10, version @ (0 | 2 | 3 | 5), _, bits, ..] = bytes else { return false };
    let bounds = short(bytes, 8) >= short(bytes, 4) && short(bytes, 10) >= short(bytes, 6);
    let planes = bytes.get(65).copied().unwrap_or_default();
    bounds && bytes.len() >= 68 && matches!((version, bits, planes), (_, 1, 1 | 2 | 4) | (5, 8, 1 | 3))
}

fn is_fli(bytes: &[u8]) -> bool {
    let zero = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(|b| *b == 0));
    matches!(short(bytes, 4), 0xaf11 | 0xaf12)
        && matches!(short(bytes, 14), 0 | 3)
        && zero(20, 22)
        && zero(42, 80)
        && zero(88, 128)
}

fn is_gbr(bytes: &[u8]) -> bool {
    let version = long(bytes, 4);
    long(bytes, 0) >= 20
        && (version == 1 || version == 2 && bytes.get(20..).is_some_and(|rest| begins(rest, &[b"GIMP"])))
        && long(bytes, 8) > 0
        && long(bytes, 12) > 0
        && matches!(long(bytes, 16), 1 | 4)
}

/// Fields up to the picture, which must say how many layers it has, how large it is and how it is packed.
fn is_iptc(bytes: &[u8]) -> bool {
    let (mut at, mut layers, mut values) = (0, false, [0_u32; 3]);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let head = rest.get(..rest.len().min(5)).unwrap_or_default();
        if head.iter().all(|b| *b == 0) {
            break;
        }
        let &[0x1c, set @ (1..=9 | 240), field, high @ 0..=127, low] = head else { return false };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let data = rest.get(5..(5 + length).min(rest.len())).unwrap_or_default();
        let number = data.iter().fold(0_u32, |sum, b| sum << 8 | u32::from(*b));
        match (set, field) {
            (8, 10) => break,
            (3, 60) => layers = data.len() > 1,
            (3, 20) => values[0] = number,
            (3, 30) => values[1] = number,
            (3, 120) => values[2] = number,
            _ => {}
        }
        at += 5 + length;
    }
    layers && values[0] > 0 && values[1] > 0 && matches!(values[2], 1 | 5)
}

fn is_mcidas(bytes: &[u8]) -> bool {
    let word = |i: usize| long(bytes, 4 * i - 4);
    let size = 1..=i32::MAX.unsigned_abs();
    begins(bytes, &[b"\0\0\0\0\0\0\0\x04"])
        && bytes.len() >= 256
        && matches!(word(11), 1 | 2 | 4)
        && size.contains(&word(9))
        && size.contains(&word(10))
}

/// The sum of its header is 0.
fn is_msp(bytes: &[u8]) -> bool {
    let sum = (0..16).fold(0, |sum, i| sum ^ short(bytes, 2 * i));
    begins(bytes, &[b"DanM", b"LinS"]) && bytes.len() >= 32 && sum == 0
}

fn is_sgi(bytes: &[u8]) -> bool {
    let half = |at: usize| short(bytes, at).swap_bytes();
    let known = match (bytes.get(3), half(4)) {
        (Some(1 | 2), 1 | 2) => half(10) == 1,
        (Some(1 | 2), 3) => matches!(half(10), 3 | 4),
        _ => false,
    };
    begins(bytes, &[b"\x01\xda"]) && bytes.len() >= 12 && known
}

/// It has no mark: some of the 27 numbers in its header are whole, and go together.
fn is_spider(bytes: &[u8]) -> bool {
    let Some(head) = bytes.get(..108) else { return false };
    let sound = |number: fn([u8; 4]) -> f32| {
        let whole = |i: usize| {
            let value = number(*head.as_chunks::<4>().0.get(i - 1)?);
            (value.is_finite() && value.fract() == 0.0).then_some(value as i64)
        };
        let [Some(_), Some(rows), Some(form), Some(columns), Some(records), Some(bytes), Some(each)] =
            [1, 2, 5, 12, 13, 22, 23].map(whole)
        else {
            return false;
        };
        form == 1 && bytes != 0 && records.checked_mul(each) == Some(bytes) && rows > 0 && columns > 0
    };
    sound(f32::from_be_bytes) || sound(f32::from_le_bytes)
}

pub(super) fn open(bytes: &[u8]) -> Option<Header> {
    name(bytes).map(|name| Header::faulty(Fault::Coding(name)))
}

pub(super) fn read(bytes: &[u8], _: Watch<'_>) -> Result<Picture, BodyFault> {
    Err(BodyFault::Coding(name(bytes).unwrap_or("unknown")))
}
