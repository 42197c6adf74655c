//! Texts inside texts: base64, hex and lists of numbers, decoded, with the place that each byte came from.

use std::ops::Range;

use crate::spelt::{Reader, is_mark};

/// How much of a text is decoded: far more than is shown of any.
const MOST: usize = 64 << 10;

/// Fewer signs encode less than the beginning of a secret.
const FEWEST: usize = 8;

/// Bytes, and where they stand in the text that they were read from.
#[derive(Debug, Default)]
pub(super) struct Passage {
    pub(super) bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Passage {
    /// Where a range of the bytes stands.
    pub(super) fn place(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let last = self.places.get(range.end.checked_sub(1)?)?;
        Some(self.places.get(range.start)?.start..last.end)
    }

    fn push(&mut self, byte: u8, place: Range<usize>) {
        self.bytes.push(byte);
        self.places.push(place);
    }
}

/// The beginning of a text with each character read in its likeliest, the longest spelling. The second value is where
/// reading stopped if it took too much work.
pub(super) fn unescaped(text: &[u8]) -> (Passage, Option<usize>) {
    let (mut reader, mut read, mut at) = (Reader::new(text), Passage::default(), 0);
    while let Some(byte) = reader.at(at).filter(|_| at < MOST) {
        if !is_mark(byte) {
            read.push(byte, at..at + 1);
            at += 1;
            continue;
        }
        // `=ab` is more often the name and the value of something than a byte of quoted-printable.
        let readings = reader.readings(at).into_iter();
        let likely = readings.filter(|read| byte != b'=' || read.bytes().is_empty() || read.end == at + 1);
        let Some(longest) = likely.max_by_key(|read| read.end) else { break };
        longest.bytes().iter().for_each(|byte| read.push(*byte, at..longest.end));
        at = longest.end;
        if reader.is_spent() {
            return (read, Some(at));
        }
    }
    (read, None)
}

/// What a byte is in a coding.
enum Sign {
    Digit(u8),
    /// It may stand between digits.
    Between,
    Other,
}

/// Everything that may be encoded in a text: each run of a coding's digits, read from each of the digits that it may
/// begin with.
pub(super) fn decodings(text: &Passage) -> Vec<Passage> {
    let mut all = Vec::new();
    for run in runs(text, base64) {
        all.extend((0..4).map(|skipped| decoded(&run, 6, skipped)));
    }
    for run in runs(text, hex) {
        all.extend((0..2).map(|skipped| decoded(&run, 4, skipped)));
    }
    all.extend(numbers(text));
    all.retain(|passage| passage.bytes.len() >= FEWEST);
    all
}

type Digits = Vec<(u8, Range<usize>)>;

fn runs(text: &Passage, sign: fn(&[u8]) -> Sign) -> Vec<Digits> {
    let (mut all, mut run) = (Vec::new(), Digits::new());
    for (at, place) in text.places.iter().enumerate() {
        match sign(text.bytes.get(at..).unwrap_or_default()) {
            Sign::Digit(digit) => run.push((digit, place.clone())),
            Sign::Between => {}
            Sign::Other => all.push(std::mem::take(&mut run)),
        }
    }
    all.push(run);
    all.retain(|run| run.len() >= FEWEST);
    all
}

/// In lines, and with the signs for URLs.
fn base64(text: &[u8]) -> Sign {
    match text {
        [c @ b'A'..=b'Z', ..] => Sign::Digit(c - b'A'),
        [c @ b'a'..=b'z', ..] => Sign::Digit(c - b'a' + 26),
        [c @ b'0'..=b'9', ..] => Sign::Digit(c - b'0' + 52),
        [b'+' | b'-', ..] => Sign::Digit(62),
        [b'/' | b'_', ..] => Sign::Digit(63),
        [c, ..] if c.is_ascii_whitespace() || c.is_ascii_control() => Sign::Between,
        _ => Sign::Other,
    }
}

/// `736b`, `73 6B`, `73-6b`, `0x73,0x6b`, `"73", "6b"`.
fn hex(text: &[u8]) -> Sign {
    match text {
        [b'0', b'x' | b'X', ..] | [b'x' | b'X', ..] => Sign::Between,
        [c, ..] if is_between(*c) || *c == b'-' => Sign::Between,
        [c, ..] => {
            char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).map_or(Sign::Other, Sign::Digit)
        }
        [] => Sign::Other,
    }
}

/// May this stand between the numbers of a list?
fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_control() || b",;:._|\"'".contains(&byte)
}

/// The bytes of a run of digits of so many bits, after some that are left out.
fn decoded(run: &[(u8, Range<usize>)], bits: usize, skipped: usize) -> Passage {
    let run = run.get(skipped..).unwrap_or_default();
    let mut read = Passage::default();
    for bit in (0..run.len() * bits / 8).map(|byte| byte * 8) {
        let of = run.get(bit / bits..=(bit + 7) / bits).unwrap_or_default();
        let held = of.iter().fold(0_u32, |held, (digit, _)| (held << bits) | u32::from(*digit));
        let spare = ((bit + 7) / bits + 1) * bits - (bit + 8);
        let [.., byte] = (held >> spare).to_be_bytes();
        if let (Some((_, first)), Some((_, last))) = (of.first(), of.last()) {
            read.push(byte, first.start..last.end);
        }
    }
    read
}

/// The lists of decimal numbers that are bytes.
fn numbers(text: &Passage) -> Vec<Passage> {
    let (mut all, mut list) = (Vec::new(), Passage::default());
    let (mut number, mut place) = (None::<u16>, 0..0);
    let mut end =
        |list: &mut Passage, number: &mut Option<u16>, place: &Range<usize>| match number.take().map(u8::try_from) {
            Some(Ok(byte)) => list.push(byte, place.clone()),
            Some(Err(_)) => all.push(std::mem::take(list)),
            None => {}
        };
    for (byte, at) in text.bytes.iter().zip(&text.places) {
        if byte.is_ascii_digit() {
            let begun = number.unwrap_or_else(|| {
                place = at.clone();
                0
            });
            place.end = at.end;
            number = Some(begun.saturating_mul(10).saturating_add(u16::from(byte - b'0')));
            continue;
        }
        end(&mut list, &mut number, &place);
        if !is_between(*byte) {
            // Too long to be a byte: it ends the list.
            end(&mut list, &mut Some(u16::MAX), &place);
        }
    }
    end(&mut list, &mut number, &place);
    all.push(list);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, within: &str) -> bool {
        let (plain, stopped) = unescaped(text.as_bytes());
        assert_eq!(stopped, None);
        decodings(&plain).iter().any(|passage| {
            let text = String::from_utf8_lossy(&passage.bytes);
            text.contains(within)
        })
    }

    #[test]
    fn what_is_encoded_is_found_in_every_layout() {
        // "hunter2/Top+secret"
        for text in [
            "aHVudGVyMi9Ub3Arc2VjcmV0",
            "xaHVudGVyMi9Ub3Arc2VjcmV0",
            "said: xyz aHVudGVyMi9Ub3Arc2VjcmV0 it",
            "aHVudGVy\nMi9Ub3Ar\r\nc2VjcmV0",
            "aHVudGVy\\nMi9Ub3Ar\\nc2VjcmV0",
            "aHVudGVyMi9Ub3Arc2Vjcm%56%30",
            "68756e746572322f546f702b736563726574",
            "a68756e746572322f546f702b736563726574",
            "68-75-6E-74-65-72-32-2F-54-6F-70-2B-73-65-63-72-65-74",
            "key=68:75:6e:74:65:72:32:2f:54:6f:70:2b:73:65:63:72:65:74",
            "[0x68,0x75,0x6e,0x74,0x65,0x72,0x32,0x2f,0x54,0x6f,0x70,0x2b,0x73,0x65,0x63,0x72,0x65,0x74]",
            "104,117,110,116,101,114,50,47,84,111,112,43,115,101,99,114,101,116",
            "[104, 117, 110, 116, 101, 114, 50, 47, 84, 111, 112, 43, 115, 101, 99, 114, 101, 116]",
            "1000 104 117 110 116 101 114 50 47 84 111 112 43 115 101 99 114 101 116",
        ] {
            assert!(found(text, "hunter2/Top+secret"), "{text}");
        }
        assert!(!found("hunter2/Top+secret", "hunter2"));
    }

    #[test]
    fn each_byte_knows_its_place() {
        let (plain, _) = unescaped(b"x%368 75-6e 74\\n65.72 32 2f!");
        let all = decodings(&plain);
        let passage = all.iter().find(|passage| passage.bytes == b"hunter2/").unwrap();
        assert_eq!((passage.place(&(0..1)), passage.place(&(1..8))), (Some(1..5), Some(6..27)));
        assert_eq!(passage.place(&(3..9)), None);
    }
}
