//! All readings of a text, place by place: servers echo what they were sent in the spelling of JSON, URLs,
//! HTML, mail or programming languages, nested, and with each character in a spelling of its own.

use std::collections::HashMap;

/// How deep spellings may be nested: JSON in JSON in a URL.
const DEPTH: u8 = 4;

/// The work allowed per byte of a text, in readings of a place, and the work allowed for any text. A text that
/// costs more was made to.
const WORK_A_BYTE: usize = 64;
const WORK: usize = 1 << 18;

/// How many places' readings are cached for the places that follow.
const KNOWN: usize = 1 << 12;

/// HTML's names of characters that may be in a secret, and of those that are taken for them, in any case.
const ENTITIES: [(&str, u8); 45] = [
    ("amp", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dash", b'-'),
    ("DiacriticalGrave", b'`'),
    ("dollar", b'$'),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("hat", b'^'),
    ("hyphen", b'-'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lowbar", b'_'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("midast", b'*'),
    ("minus", b'-'),
    ("nbsp", b' '),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("rbrace", b'}'),
    ("rbrack", b']'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("sim", b'~'),
    ("sol", b'/'),
    ("tilde", b'~'),
    ("UnderBar", b'_'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("VerticalLine", b'|'),
];

/// One way to read a place: the bytes it stands for, and where it ends. No bytes at all for a soft line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    bytes: [u8; 4],
    count: usize,
    pub(super) end: usize,
}

impl Reading {
    fn byte(byte: u8, end: usize) -> Self {
        Reading { bytes: [byte, 0, 0, 0], count: 1, end }
    }

    fn char(c: char, end: usize) -> Self {
        let mut bytes = [0; 4];
        let count = c.encode_utf8(&mut bytes).len();
        Reading { bytes, count, end }
    }

    /// A line break inside a text.
    fn nothing(end: usize) -> Self {
        Reading { bytes: [0; 4], count: 0, end }
    }

    fn one(&self) -> Option<u8> {
        self.bytes().first().copied().filter(|_| self.count == 1)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }
}

/// Reads a text within its work limit.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    left: usize,
    /// Readings by place and depth.
    known: HashMap<(usize, u8), Vec<Reading>>,
}

/// Does a spelling begin with this byte?
pub(super) fn is_mark(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | b'=')
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t (impl AsRef<[u8]> + ?Sized)) -> Self {
        let text = text.as_ref();
        let left = text.len().saturating_mul(WORK_A_BYTE).saturating_add(WORK);
        Reader { text, left, known: HashMap::new() }
    }

    /// Is the work limit used up? The rest of the text is then not read.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    pub(super) fn at(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// Every way to read a place, starting with the plain byte.
    pub(super) fn readings(&mut self, at: usize) -> Vec<Reading> {
        self.within(at, DEPTH)
    }

    fn within(&mut self, at: usize, depth: u8) -> Vec<Reading> {
        let Some(first) = self.at(at) else { return Vec::new() };
        let mut found = vec![Reading::byte(first, at + 1)];
        if depth == 0 || !is_mark(first) {
            return found;
        }
        if let Some(known) = self.known.get(&(at, depth)) {
            return known.clone();
        }
        if self.is_spent() {
            return found;
        }
        self.left -= 1;
        let inner = depth - 1;
        // Among the marks of all greater depths, then.
        let whole = self.whole_mark(at, first).filter(|_| inner == 0).map(|end| Reading::byte(first, end));
        for mark in self.within(at, inner).into_iter().chain(whole) {
            let mut more = vec![mark];
            match mark.one() {
                Some(b'%') => self.percent(mark.end, inner, &mut more),
                Some(b'\\') => self.backslash(mark.end, inner, &mut more),
                Some(b'&') => self.entity(mark.end, inner, &mut more),
                Some(b'=') => self.quoted_printable(mark.end, inner, &mut more),
                _ => {}
            }
            for reading in more {
                if !found.contains(&reading) {
                    found.push(reading);
                }
            }
        }
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert((at, depth), found.clone());
        found
    }

    /// Where a mark ends that was escaped over and over, in its own way, at any depth: `\\\\`, `%2525`, `&amp;amp;`.
    fn whole_mark(&self, at: usize, mark: u8) -> Option<usize> {
        let again: &[u8] = match mark {
            // Only at the first one, so that a long run is walked along once.
            b'\\' if at.checked_sub(1).and_then(|before| self.at(before)) != Some(b'\\') => b"\\",
            b'%' => b"25",
            b'&' => b"amp;",
            _ => return None,
        };
        let mut end = at + 1;
        while self.text.get(end..).is_some_and(|rest| rest.starts_with(again)) {
            end += again.len();
        }
        (end > at + 1).then_some(end)
    }

    /// `%4b`, `%u004b`.
    fn percent(&mut self, at: usize, depth: u8, found: &mut Vec<Reading>) {
        for next in self.within(at, depth) {
            match next.one() {
                Some(b'u' | b'U') => found.extend(self.code_unit(next.end, depth)),
                Some(digit) if digit.is_ascii_hexdigit() => found.extend(self.hex_byte(at, depth)),
                _ => {}
            }
        }
    }

    /// `\u004b`, `\u{4b}`, `\U0000004b`, `\N{U+4b}`, `\x4b`, `\x004b`, `\x{4b}`, `\113`, `\o{113}`, `\4b `, `\/`.
    fn backslash(&mut self, at: usize, depth: u8, found: &mut Vec<Reading>) {
        for next in self.within(at, depth) {
            // Whatever it escapes reads as itself, except control characters and spaces.
            if next.bytes().first().is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_graphic()) {
                continue;
            }
            found.push(next);
            match next.one().unwrap_or_default() {
                b'u' | b'U' => {
                    found.extend(self.code_unit(next.end, depth));
                    found.extend(self.number(next.end, 16, 8..=8, depth).and_then(|(code, end)| character(code, end)));
                    found.extend(self.braced(next.end, 16, depth));
                }
                b'x' | b'X' => {
                    // A byte in some languages, a character in others.
                    if let Some(byte) = self.hex_byte(next.end, depth) {
                        found.extend(byte.one().map(|code| Reading::char(char::from(code), byte.end)));
                        found.push(byte);
                    }
                    found.extend(self.number(next.end, 16, 1..=4, depth).and_then(|(code, end)| character(code, end)));
                    found.extend(self.braced(next.end, 16, depth));
                }
                b'o' | b'O' => found.extend(self.braced(next.end, 8, depth)),
                // A line break, or a name of a character.
                b'n' | b'N' => {
                    found.push(Reading::nothing(next.end));
                    found.extend(self.named(next.end, depth));
                }
                b'r' | b't' => found.push(Reading::nothing(next.end)),
                b'0'..=b'7' => {
                    let octal = self.number(at, 8, 1..=3, depth);
                    found.extend(octal.and_then(|(code, end)| Some(Reading::byte(u8::try_from(code).ok()?, end))));
                }
                _ => {}
            }
            if next.one().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                found.extend(self.css(at, depth));
            }
        }
    }

    /// `{4b}`, `{113}`.
    fn braced(&mut self, at: usize, radix: u32, depth: u8) -> Option<Reading> {
        let at = self.letter(at, b'{', depth)?;
        let (code, end) = self.number(at, radix, 1..=8, depth)?;
        character(code, self.letter(end, b'}', depth)?)
    }

    /// `{U+4b}`.
    fn named(&mut self, at: usize, depth: u8) -> Option<Reading> {
        let at = b"{U+".iter().try_fold(at, |at, letter| self.letter(at, *letter, depth))?;
        let (code, end) = self.number(at, 16, 1..=8, depth)?;
        character(code, self.letter(end, b'}', depth)?)
    }

    /// Hex as in style sheets, with the space that ends it.
    fn css(&mut self, at: usize, depth: u8) -> Option<Reading> {
        let (code, end) = self.number(at, 16, 1..=6, depth)?;
        character(code, self.letter(end, b' ', depth).unwrap_or(end))
    }

    /// `&#75;`, `&#x4b;`, `&amp;`.
    fn entity(&mut self, at: usize, depth: u8, found: &mut Vec<Reading>) {
        for next in self.within(at, depth) {
            match next.one() {
                Some(b'#') => found.extend(self.numbered(next.end, depth)),
                Some(letter) if letter.is_ascii_alphabetic() => {
                    for (name, byte) in ENTITIES.iter().filter(|(name, _)| name.bytes().next() == Some(letter)) {
                        let end = name.bytes().skip(1).try_fold(next.end, |at, letter| self.letter(at, letter, depth));
                        // Browsers do without the semicolon of some.
                        let end = end.map(|end| self.letter(end, b';', depth).unwrap_or(end));
                        found.extend(end.map(|end| Reading::byte(*byte, end)));
                    }
                }
                _ => {}
            }
        }
    }

    /// An HTML character number, with or without its semicolon.
    fn numbered(&mut self, at: usize, depth: u8) -> Option<Reading> {
        let (code, end) = match self.letter(at, b'x', depth) {
            Some(at) => self.number(at, 16, 1..=8, depth),
            None => self.number(at, 10, 1..=8, depth),
        }?;
        character(code, self.letter(end, b';', depth).unwrap_or(end))
    }

    /// `=4B`, and soft line breaks.
    fn quoted_printable(&mut self, at: usize, depth: u8, found: &mut Vec<Reading>) {
        found.extend(self.hex_byte(at, depth));
        let rest = self.text.get(at..).unwrap_or_default();
        let broken = [&b"\r\n"[..], b"\n"].into_iter().find(|end| rest.starts_with(end));
        found.extend(broken.map(|end| Reading::nothing(at + end.len())));
    }

    fn hex_byte(&mut self, at: usize, depth: u8) -> Option<Reading> {
        let (byte, end) = self.number(at, 16, 2..=2, depth)?;
        Some(Reading::byte(u8::try_from(byte).ok()?, end))
    }

    /// A UTF-16 code unit of four digits, joined with the one that follows if they are a surrogate pair.
    fn code_unit(&mut self, at: usize, depth: u8) -> Option<Reading> {
        let (high, end) = self.number(at, 16, 4..=4, depth)?;
        if !(0xd800..0xdc00).contains(&high) {
            return character(high, end);
        }
        let after = self.letter(end, b'\\', depth).or_else(|| self.letter(end, b'%', depth))?;
        let after = self.letter(after, b'u', depth)?;
        let (low, end) = self.number(after, 16, 4..=4, depth)?;
        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        character(0x10000 + ((high - 0xd800) << 10) + low, end)
    }

    /// As many digits as there are, up to this number, not counting leading zeros.
    fn number(
        &mut self,
        at: usize,
        radix: u32,
        digits: std::ops::RangeInclusive<usize>,
        depth: u8,
    ) -> Option<(u32, usize)> {
        let (mut value, mut end, mut count) = (0_u32, at, 0);
        while count < *digits.end() {
            let is_digit = |byte: u8| char::from(byte).to_digit(radix);
            let Some((digit, next)) = self.find(end, depth, is_digit) else { break };
            value = value.checked_mul(radix)?.checked_add(digit)?;
            (end, count) = (next, count + 1);
        }
        digits.contains(&count).then_some((value, end))
    }

    /// Where this letter ends, in either case, if it is here.
    fn letter(&mut self, at: usize, letter: u8, depth: u8) -> Option<usize> {
        self.find(at, depth, |byte| byte.eq_ignore_ascii_case(&letter).then_some(())).map(|((), end)| end)
    }

    /// The first reading of a place that is wanted, and its end.
    fn find<T>(&mut self, at: usize, depth: u8, wanted: impl Fn(u8) -> Option<T>) -> Option<(T, usize)> {
        let first = self.at(at)?;
        if let Some(found) = wanted(first) {
            return Some((found, at + 1));
        }
        if depth == 0 || !is_mark(first) {
            return None;
        }
        self.within(at, depth).into_iter().find_map(|read| Some((wanted(read.one()?)?, read.end)))
    }
}

fn character(code: u32, end: usize) -> Option<Reading> {
    char::from_u32(code).map(|c| Reading::char(c, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_in_every_spelling_and_inside_others() {
        for text in [
            "K",
            "%4b",
            "%4B",
            "%u004b",
            "\\u004b",
            "\\U0000004B",
            "\\u{4b}",
            "\\x4b",
            "\\x{4B}",
            "\\113",
            "\\K",
            "=4B",
            "&#75;",
            "&#075",
            "&#x4b;",
            "&#X0004B;",
            "%254b",
            "%25254b",
            "\\\\u004b",
            "\\\\\\\\x4b",
            "&amp;#75;",
            "%26%2375%3B",
            "\\u0026#75;",
            "&percnt;4b",
            "%5Cu004b",
            "\\u00254b",
            "=254b",
            "%\\u0034b",
            "=\r\nK",
            "\\%784B",
            "\\x004b",
            "\\o{113}",
            "\\N{U+004B}",
            "\\4b ",
            "\\00004b",
            "%25252525252525254b",
            "&amp;amp;amp;amp;amp;amp;#75;",
            "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\u004b",
            "\\n\\r\\n\\tK",
        ] {
            let mut reader = Reader::new(text);
            let mut ends = vec![0];
            let mut whole = false;
            while let Some(at) = ends.pop() {
                let read = reader.readings(at);
                whole |= read.iter().any(|read| read.bytes() == b"K" && read.end == text.len());
                ends.extend(read.into_iter().filter(|read| read.bytes().is_empty()).map(|read| read.end));
            }
            assert!(whole, "{text}");
        }
        for (text, is) in [
            ("\\u00c4", "Ä"),
            ("&#196;", "Ä"),
            ("&sol;", "/"),
            ("&sol", "/"),
            ("&hyphen;", "-"),
            ("&UNDERBAR;", "_"),
            ("\\/", "/"),
            ("\\ud83d\\ude00", "😀"),
        ] {
            let read = Reader::new(text).readings(0);
            assert!(
                read.iter().any(|read| read.bytes() == is.as_bytes() && read.end == text.len()),
                "{text}: {read:?}"
            );
        }
        for odd in ["", "%", "%4", "\\", "&#;", "&", "\\ud83d", "\\u{110000}", "&#99999999;", "=", "%zz"] {
            assert!(Reader::new(odd).readings(0).len() <= 2, "{odd}");
        }
    }

    #[test]
    fn runs_of_marks_stay_within_their_share() {
        for piece in [
            "%",
            "%25",
            "\\",
            "\\\\u005c",
            "&",
            "&amp;",
            "&#38;",
            "=",
            "=3d",
            "+",
            "\\x5c",
            " && ",
            "\\\"",
            "%20",
            "a=b&",
        ] {
            let text = piece.repeat(1 << 10);
            let mut reader = Reader::new(&text);
            let before = reader.left;
            for at in 0..text.len() {
                reader.readings(at);
            }
            let work = (before - reader.left) / text.len();
            assert!(work < WORK_A_BYTE, "{piece}: {work} a byte");
        }
    }
}
