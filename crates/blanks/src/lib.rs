//! Blanks secrets out of texts: servers echo what they were sent, in the spelling of any language and encoded in
//! base64, hex or lists of numbers.
//!
//! A crate of its own, so that a build for development, too, reads what comes from outside at full speed.

mod coded;
mod spelt;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use self::coded::{decodings, unescaped};
use self::spelt::{Reader, is_mark};

/// What replaces a secret.
pub const BLANK: &str = "***";

/// Shorter texts are not treated as secrets: they occur in every other word.
const SHORTEST: usize = 4;

/// This many leading bytes of a secret are secret by themselves: a server may truncate it.
const BEGINNING: usize = 8;

/// How many codings in a row are undone, one inside the other: base64 of hex, or base64 twice.
const CODINGS: u8 = 2;

/// What must not be shown, in every spelling that a server may use.
#[derive(Debug, Clone, Default)]
pub struct Blanks {
    /// Sorted by their first bytes.
    needles: Vec<Needle>,
    /// The set of first bytes, in lower case, as a bit map.
    firsts: Box<[u64; 4]>,
}

/// A text to find, in either case, with each character in any spelling, and with line breaks anywhere in it.
#[derive(Clone, PartialEq, Eq)]
struct Needle {
    text: String,
    /// How many leading bytes are blanked by themselves; 0: none.
    beginning: usize,
}

impl std::fmt::Debug for Needle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(BLANK)
    }
}

impl Blanks {
    /// Adds a secret, and the forms it takes when a server has encoded it.
    pub fn add(&mut self, secret: &str) {
        self.add_needles(secret, secret.len() >= BEGINNING);
    }

    /// Adds a text that may be a secret: it is blanked only as a whole.
    pub fn add_whole(&mut self, text: &str) {
        self.add_needles(text, false);
    }

    fn add_needles(&mut self, secret: &str, beginning: bool) {
        if secret.len() < SHORTEST {
            return;
        }
        for text in spellings(secret).into_iter().filter(|text| text.len() >= SHORTEST) {
            let length = if text.len() >= BEGINNING { BEGINNING } else { 0 };
            let needle = Needle { beginning: if beginning { length } else { 0 }, text };
            if !self.needles.contains(&needle) {
                let (word, bit) = place_of(needle.first());
                if let Some(bits) = self.firsts.get_mut(word) {
                    *bits |= bit;
                }
                self.needles.push(needle);
            }
        }
        self.needles.sort_by_key(Needle::first);
    }

    /// The needles that begin with this byte, in either case.
    fn beginning_with(&self, byte: u8) -> &[Needle] {
        let first = folded(byte);
        let (word, bit) = place_of(first);
        if self.firsts.get(word).is_none_or(|bits| bits & bit == 0) {
            return &[];
        }
        let from = self.needles.partition_point(|needle| needle.first() < first);
        let to = self.needles.partition_point(|needle| needle.first() <= first);
        self.needles.get(from..to).unwrap_or_default()
    }

    /// Is there nothing to blank?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The text with all secrets blanked.
    #[must_use]
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.places(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut hidden, mut shown_to) = (String::with_capacity(text.len()), 0);
        for place in found {
            // One match may end where another one goes on.
            if place.start >= shown_to {
                hidden.push_str(text.get(shown_to..place.start).unwrap_or_default());
                hidden.push_str(BLANK);
            }
            shown_to = shown_to.max(place.end);
        }
        hidden.push_str(text.get(shown_to..).unwrap_or_default());
        Cow::Owned(hidden)
    }

    /// The ranges to blank, in order.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        if self.needles.is_empty() {
            return Vec::new();
        }
        let mut found = self.search(text.as_bytes(), CODINGS, SHORTEST);
        for place in &mut found {
            place.end = (place.end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
        }
        found
    }

    /// The ranges of a text that hold a secret, also where it is encoded in up to so many codings. Only needles of so
    /// many bytes are sought: in what is decoded from anything at all, shorter ones would be found by chance.
    fn search(&self, text: &[u8], codings: u8, shortest: usize) -> Vec<Range<usize>> {
        let mut found = self.spelt_in(text, shortest);
        if codings == 0 || text.len() <= BEGINNING {
            return found;
        }
        let (plain, stopped) = unescaped(text);
        found.extend(stopped.map(|at| at..text.len()));
        for inner in decodings(&plain) {
            let hits = self.search(&inner.bytes, codings - 1, BEGINNING);
            found.extend(hits.iter().filter_map(|hit| inner.place(hit)));
        }
        found.sort_by_key(|place| place.start);
        found
    }

    /// The ranges that spell a secret. A text that costs far too much work is blanked from that point to its end.
    fn spelt_in(&self, text: &[u8], shortest: usize) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut reader = Reader::new(text);
        for (at, byte) in text.iter().enumerate() {
            let mut longest = None;
            if is_mark(*byte) {
                for reading in reader.readings(at) {
                    let Some(first) = reading.bytes().first() else { continue };
                    for needle in self.beginning_with(*first) {
                        longest = longest.max(needle.end(&mut reader, at, shortest));
                    }
                }
            } else {
                for needle in self.beginning_with(*byte) {
                    longest = longest.max(needle.end(&mut reader, at, shortest));
                }
            }
            if reader.is_spent() {
                found.push(at..text.len());
                return found;
            }
            found.extend(longest.map(|end| at..end));
        }
        found
    }
}

impl Needle {
    fn first(&self) -> u8 {
        folded(self.text.bytes().next().unwrap_or_default())
    }

    /// Where a match that begins here ends: the whole text, or as much of its beginning as is there.
    fn end(&self, reader: &mut Reader<'_>, at: usize, shortest: usize) -> Option<usize> {
        let sought = self.text.as_bytes();
        // A cheap test first: it rejects most places.
        let plain = |place: usize| reader.at(at + place).filter(|byte| !is_mark(*byte) && !byte.is_ascii_control());
        let second = plain(0).and_then(|_| plain(1)).zip(sought.get(1));
        if sought.len() < shortest || second.is_some_and(|(byte, wanted)| folded(byte) != folded(*wanted)) {
            return None;
        }
        let (mut most, mut marks) = ((0, at), HashSet::new());
        let mut ways = vec![(0, at)];
        while let Some((mut count, mut at)) = ways.pop() {
            while let Some((wanted, byte)) = sought.get(count).zip(reader.at(at)) {
                if is_mark(byte) {
                    let new = marks.insert((count, at));
                    let fits = |bytes: &[u8]| {
                        let wanted = sought.get(count..).and_then(|rest| rest.get(..bytes.len()));
                        wanted.is_some_and(|wanted| {
                            wanted.iter().map(|b| folded(*b)).eq(bytes.iter().map(|b| folded(*b)))
                        })
                    };
                    let read = if new { reader.readings(at) } else { Vec::new() };
                    for read in read.into_iter().filter(|read| fits(read.bytes())) {
                        let reached = (count + read.bytes().len(), read.end);
                        most = if read.bytes().is_empty() { most } else { most.max(reached) };
                        ways.push(reached);
                    }
                    break;
                }
                if folded(byte) == folded(*wanted) {
                    (count, at) = (count + 1, at + 1);
                    most = most.max((count, at));
                } else if count > 0 && byte.is_ascii_control() {
                    // A line broken in the middle, or the zeros of UTF-16.
                    at += 1;
                } else {
                    break;
                }
            }
        }
        let (count, end) = most;
        (count == sought.len() || (self.beginning > 0 && count >= self.beginning)).then_some(end)
    }
}

/// A byte as it is compared: case does not count, and forms write a space as a plus.
fn folded(byte: u8) -> u8 {
    if byte == b' ' { b'+' } else { byte.to_ascii_lowercase() }
}

/// The word and the bit of a byte in a bit map.
fn place_of(byte: u8) -> (usize, u64) {
    (usize::from(byte / 64), 1 << (byte % 64))
}

/// A secret forwards, backwards and as a server reads it that decodes it once too often, in plain text, base64 and hex.
/// Each is matched in either case, and with every character in any spelling of its own.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![
        secret.to_owned(),
        percent_decoded(secret),
        secret.chars().rev().collect(),
        hex(secret.as_bytes()),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
    ];
    for offset in 0..3 {
        let bytes = padded(secret, offset);
        let both = [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)];
        all.extend(both.map(|text| inner(&text, secret.len(), offset)));
    }
    all
}

/// The text with %XX decoded.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// The secret after `offset` other bytes: base64 spells a text inside another one in three ways.
fn padded(secret: &str, offset: usize) -> Vec<u8> {
    [&vec![0; offset], secret.as_bytes()].concat()
}

/// The base64 characters that encode the secret alone, without its neighbours' bits.
fn inner(encoded: &str, length: usize, offset: usize) -> String {
    let (from, to) = ((offset * 8).div_ceil(6), (offset + length) * 8 / 6);
    encoded.get(from..to).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at surprises")]

    use super::*;

    const KEY: &str = "sk-proj/Äb+c\"d&e=f0123456789";

    fn of(secret: &str) -> Blanks {
        let mut blanks = Blanks::default();
        blanks.add(secret);
        blanks
    }

    fn blanks() -> Blanks {
        of(KEY)
    }

    #[test]
    fn a_secret_is_blanked_in_every_spelling() {
        let json = serde_json::to_string(KEY).unwrap();
        let percent = "sk-proj%2F%C3%84b%2Bc%22d%26e%3Df0123456789";
        let mut spelt = vec![
            KEY.to_owned(),
            json.replace('/', "\\/"),
            json,
            percent.to_owned(),
            percent.to_lowercase(),
            KEY.replace('&', "&amp;").replace('"', "&quot;"),
            hex(KEY.as_bytes()),
        ];
        spelt.extend([KEY.to_ascii_uppercase(), KEY.chars().rev().collect(), percent.replace('%', "%25")]);
        let each = |spell: fn(u8) -> String, between: &str| KEY.bytes().map(spell).collect::<Vec<_>>().join(between);
        spelt.extend([
            each(|b| format!("%{b:02x}"), ""),
            each(|b| format!("&#{b};"), ""),
            each(|b| format!("{b:02X}"), ":"),
        ]);
        spelt.extend([each(|b| b.to_string(), ", "), each(|b| format!("\\u{b:04x}"), "")]);
        for neighbours in ["", "a", "ab", "me:", "user:"] {
            spelt.push(STANDARD.encode(format!("{neighbours}{KEY}{neighbours}")));
            spelt.push(URL_SAFE.encode(format!("{neighbours}{KEY}")));
        }
        for text in spelt {
            let shown = blanks().hide(&format!("you sent <{text}>, and <{text}>")).into_owned();
            assert_eq!(shown.matches(BLANK).count(), 2, "{text}: {shown}");
            for length in BEGINNING..12 {
                let part: String = text.chars().skip(2).take(length).collect();
                assert!(!shown.contains(&part), "{text}: {shown}");
            }
        }
    }

    /// The key with each character in a different spelling, by a fixed pseudo-random rule.
    fn mixed(mut lot: u64) -> String {
        let mut spell = |c: char| {
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (code, bytes) = (u32::from(c), c.to_string().into_bytes());
            let each = |format: fn(u8) -> String| bytes.iter().copied().map(format).collect::<String>();
            let spelt = match (lot >> 33) % 13 {
                0 => each(|b| format!("%{b:02X}")),
                1 => each(|b| format!("%{b:02x}")),
                2 => format!("\\u{code:04x}"),
                3 => format!("\\u{code:04X}"),
                4 => format!("&#{code};"),
                5 => format!("&#x{code:x};"),
                6 => each(|b| format!("\\x{b:02x}")),
                7 => c.to_ascii_uppercase().to_string(),
                8 => c.to_ascii_lowercase().to_string(),
                9 => each(|b| format!("\\{b:03o}")),
                10 => each(|b| format!("={b:02X}")),
                11 => format!("\\{c}"),
                _ => c.to_string(),
            };
            // Some nested in another one.
            match (lot >> 50) % 6 {
                0 => spelt.replace('%', "%25"),
                1 => spelt.replace('\\', "\\\\"),
                2 => spelt.replace('&', "&amp;"),
                3 => spelt.replace('\\', "%5C"),
                _ => spelt,
            }
        };
        KEY.chars().map(&mut spell).collect()
    }

    #[test]
    fn a_secret_is_blanked_in_any_mixture_of_spellings() {
        for lot in 0..500 {
            let text = mixed(lot);
            // A mark before it may be read as a part of it.
            let shown = blanks().hide(&format!("4b&{text}; <{text}> =%{text}\\")).into_owned();
            assert!(
                shown.matches(BLANK).count() == 3 && shown.len() < 22 && shown.starts_with("4b"),
                "{text}: {shown}"
            );
            let half: String = text.chars().take(text.chars().count() * 2 / 3).collect();
            let shown = blanks().hide(&half).into_owned();
            assert!(shown.starts_with(BLANK) && shown.len() < 12, "{half}: {shown}");
        }
        let base64 = STANDARD.encode(format!("me:{KEY}")).replace('=', "%3D").replace('/', "\\/").replace('+', "&#43;");
        assert!(!blanks().hide(&base64).contains(base64.get(8..30).unwrap()), "{base64}");
    }

    /// The key as text in each language that a server may have written it in.
    fn written() -> Vec<String> {
        let json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
        let all = |spell: fn(u8) -> String| KEY.bytes().map(spell).collect::<String>();
        let url = all(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") });
        let html = KEY.replace('&', "&amp;").replace('"', "&quot;").replace('+', "&plus;").replace('=', "&equals;");
        let html = html.replace('-', "&hyphen;").replace('/', "&sol;").replace('\u{c4}', "&#196;");
        let deep = (0..5).fold(KEY.to_owned(), |text, _| json(&text));
        vec![
            KEY.to_owned(),
            json(KEY),
            deep,
            url,
            html,
            KEY.replace('+', " "),
            all(|b| format!("\\x{b:04x}")).replace("\\x00c3\\x0084", "\\x00c4"),
            all(|b| format!("\\o{{{b:o}}}")).replace("\\o{303}\\o{204}", "\\o{304}"),
            all(|b| format!("\\{b:x} ")).replace("\\c3 \\84 ", "\\c4 "),
        ]
    }

    /// Each coding that is undone, in each layout.
    fn encoded(text: &str) -> Vec<String> {
        let each = |spell: fn(u8) -> String, between: &str| text.bytes().map(spell).collect::<Vec<_>>().join(between);
        let base64 = STANDARD.encode(format!("x{text}"));
        let lines: Vec<&str> = base64.as_bytes().chunks(8).map(|line| std::str::from_utf8(line).unwrap()).collect();
        vec![
            STANDARD.encode(text),
            URL_SAFE.encode(format!("a{text}b")).replace('=', ""),
            lines.join("\n"),
            lines.join("\\r\\n"),
            each(|b| format!("{b:02x}"), ""),
            each(|b| format!("{b:02X}"), "-"),
            each(|b| format!("{b:02x}"), ":"),
            each(|b| format!("0x{b:02x}"), ","),
            each(|b| b.to_string(), ","),
        ]
    }

    #[test]
    fn a_secret_is_blanked_in_two_codings_of_any_spelling() {
        let check = |text: &str| {
            let shown = blanks().hide(&format!("you sent <{text}>!")).into_owned();
            // What is left is of the signs that encode its neighbours, too.
            assert!(shown.contains(BLANK) && shown.len() < 30 + text.len() / 4, "{text}: {shown}");
        };
        for written in written() {
            check(&written);
            for once in encoded(&written) {
                check(&once);
                // Spelt once more on its way.
                check(&once.replace('/', "\\/").replace('+', "%2B").replace('=', "&#61;"));
                encoded(&once).iter().for_each(|twice| check(twice));
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_left_as_it_is_in_any_coding() {
        let text = "sk-nothing proj/ f0123456789, a common text 12, 34, 56 and de:ad:be:ef or +/+/ of any kind\n";
        for once in encoded(&text.repeat(9)) {
            assert_eq!(blanks().hide(&once), once);
            encoded(&once).iter().for_each(|twice| assert_eq!(blanks().hide(twice), *twice));
        }
        let words: String = (0..20_000u32).map(|n| format!("{:x} ", n.wrapping_mul(2_654_435_761))).collect();
        assert_eq!(of("pw1234").hide(&words), words, "short secrets occur by chance");
    }

    #[test]
    fn a_secret_that_was_cut_off_is_blanked_and_nothing_else() {
        assert_eq!(blanks().hide("key sk-proj/Äb…, key sk-proj, sk"), "key ***…, key sk-proj, sk");
        assert_eq!(blanks().hide("key sk-pr\r\noj/Äb\nmore"), "key ***\nmore");
        assert_eq!(blanks().hide("status 401"), "status 401");
        assert_eq!(of("pw").hide("pwd"), "pwd", "too short to be told from a word");
        assert_eq!(of("hunter2").hide("hunter2 hunter"), "*** hunter");
        assert!(!format!("{:?}", blanks()).contains("proj"));
    }
}
