//! The text of a model's JSON chunk.
//!
//! The reference loader takes the chunk for UTF-8. Where it is not, it has `charset_normalizer` guess an
//! encoding from the first 1000 bytes, and leaves out what is nothing in that encoding. Names of nodes and
//! materials come in any of some hundred encodings, and what they say changes nothing. All that these
//! encodings have in common is ASCII (keys, numbers and signs), save for one thing: in those of two bytes a
//! character, the second one may look like a backslash.

use std::borrow::Cow;

/// How many bytes are looked at for a guess.
const HEAD: usize = 1000;

/// How bytes are made text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// UTF-8. What is not is left out.
    Utf8,
    /// The same, and a byte order mark is left out.
    Utf8Mark,
    /// ASCII. What is not is left out.
    Ascii,
    /// UTF-16, little-endian or not, behind a mark of two bytes or not.
    Utf16 {
        /// Is it little-endian?
        little: bool,
    },
    /// UTF-32.
    Utf32 {
        /// Is it little-endian?
        little: bool,
    },
    /// A byte a character (ISO 8859-1, in place of all of its kind).
    Single,
    /// One or two bytes a character: GBK, Big5, Shift JIS and their like. The second byte of two is never a
    /// backslash.
    Double,
}

/// The codings that the reference may have guessed: the first one in which the text is JSON is taken.
#[must_use]
pub fn codings(bytes: &[u8]) -> &'static [Coding] {
    if std::str::from_utf8(bytes).is_ok() {
        return &[Coding::Utf8];
    }
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let (pairs, fours) = (head.len() % 2 == 0, head.len() % 4 == 0);
    match head {
        [0xff, 0xfe, 0, 0, ..] if fours => &[Coding::Utf32 { little: true }],
        [0, 0, 0xfe, 0xff, ..] if fours => &[Coding::Utf32 { little: false }],
        [0xff, 0xfe, ..] | [b'{', 0, ..] if pairs => &[Coding::Utf16 { little: true }],
        [0xfe, 0xff, ..] | [0, b'{', ..] if pairs => &[Coding::Utf16 { little: false }],
        _ if head.is_ascii() => &[Coding::Ascii],
        [0xef, 0xbb, 0xbf, ..] if std::str::from_utf8(head).is_ok() => &[Coding::Utf8Mark],
        _ if std::str::from_utf8(head).is_ok() => &[Coding::Utf8],
        _ => &[Coding::Single, Coding::Double],
    }
}

/// The text of these bytes, of at most twice as many.
#[must_use]
pub fn decode(bytes: &[u8], coding: Coding) -> Cow<'_, str> {
    match coding {
        Coding::Utf8 => utf8(bytes),
        Coding::Utf8Mark => utf8(bytes.get(3..).unwrap_or_default()),
        Coding::Ascii => text(bytes, bytes.iter().filter(|byte| byte.is_ascii()).map(|byte| char::from(*byte))),
        Coding::Utf16 { little } => {
            let of = if little { u16::from_le_bytes } else { u16::from_be_bytes };
            let units = bytes.as_chunks().0.iter().map(|pair| of(*pair));
            let mut chars = char::decode_utf16(units).filter_map(Result::ok).peekable();
            chars.next_if_eq(&'\u{feff}');
            text(bytes, chars)
        }
        Coding::Utf32 { little } => {
            let of = if little { u32::from_le_bytes } else { u32::from_be_bytes };
            text(bytes, bytes.as_chunks().0.iter().skip(1).filter_map(|four| char::from_u32(of(*four))))
        }
        Coding::Single => text(bytes, bytes.iter().map(|byte| char::from(*byte))),
        Coding::Double => {
            let mut second = false;
            text(
                bytes,
                bytes.iter().map(move |byte| {
                    let char = if second && *byte == b'\\' { '¥' } else { char::from(*byte) };
                    // Nothing below is the second byte of two.
                    second = !(second && *byte >= 0x40) && matches!(byte, 0x81..=0xfe);
                    char
                }),
            )
        }
    }
}

/// Room is taken once: a text that grows would take up to twice as much.
fn text<'a>(bytes: &[u8], chars: impl Iterator<Item = char>) -> Cow<'a, str> {
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(chars);
    text.into()
}

fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => text(bytes, bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars())),
    }
}
