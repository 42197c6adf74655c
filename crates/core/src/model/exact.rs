//! Reads a JSON file that has exactly the bytes that writing it again gives, in one pass.
//!
//! Nearly every file of a competition does, and most of them are match reports. For such a file, parsing it, writing it
//! again and comparing the two takes several times as long. Whatever is not exactly so, down to one space, or has a key
//! that this version does not know, gives `None`: the strict parser then reads the file from its beginning, and says
//! what is wrong.

use std::borrow::Cow;
use std::hash::Hash;

use indexmap::IndexMap;
use memchr::memchr2;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record::{Entries, MOST_KEPT};

/// A value that can be read from exactly the text that is written for it.
pub trait Exact: Sized {
    /// Reads the value that the text goes on with; `None` if other bytes would be written for it, or it is invalid.
    fn exact(text: &mut ExactText<'_>) -> Option<Self>;
}

/// Reads a file whose bytes are exactly those that writing it gives (without a final newline).
pub fn read<T: Exact>(bytes: &[u8]) -> Option<T> {
    whole(ExactText { rest: std::str::from_utf8(bytes).ok()?, compact: false, depth: 0, fresh: false })
}

/// As [`read`], for a line of JSON without any spaces.
pub fn read_line<T: Exact>(line: &str) -> Option<T> {
    whole(ExactText { rest: line, compact: true, depth: 0, fresh: false })
}

fn whole<T: Exact>(mut text: ExactText<'_>) -> Option<T> {
    let value = T::exact(&mut text)?;
    text.rest.is_empty().then_some(value)
}

/// The rest of a text that is two-space JSON, or JSON without any spaces.
#[derive(Debug, Clone)]
pub struct ExactText<'a> {
    rest: &'a str,
    compact: bool,
    /// How many objects and lists are open.
    depth: usize,
    /// Has the innermost object or list just been opened?
    fresh: bool,
}

/// The indentation of the deepest value that is read here.
const SPACES: &str = "                                ";

impl<'a> ExactText<'a> {
    /// Passes over these characters.
    pub fn pass(&mut self, characters: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(characters)?;
        Some(())
    }

    /// Passes over the start of an object or list.
    pub fn open(&mut self, bracket: &str) -> Option<()> {
        self.pass(bracket)?;
        (self.depth, self.fresh) = (self.depth + 1, true);
        Some(())
    }

    /// Passes over the end of an object or list.
    pub fn close(&mut self, bracket: &str) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        if !std::mem::take(&mut self.fresh) {
            self.line()?;
        }
        self.pass(bracket)
    }

    /// Passes over what stands before the next element of an object or list.
    fn next(&mut self) -> Option<()> {
        if !std::mem::take(&mut self.fresh) {
            self.pass(",")?;
        }
        self.line()
    }

    /// Does another element follow in the innermost object or list, which ends with this bracket?
    fn has_next(&self, bracket: char) -> bool {
        if self.fresh { !self.rest.starts_with(bracket) } else { self.rest.starts_with(',') }
    }

    fn line(&mut self) -> Option<()> {
        if self.compact {
            return Some(());
        }
        self.pass("\n")?;
        self.pass(SPACES.get(..2 * self.depth)?)
    }

    /// Passes over this key of an object, which is given with its quotes, the colon and a space.
    pub fn key(&mut self, key: &str) -> Option<()> {
        self.next()?;
        self.spaced(key)
    }

    /// The value of a key that may be left out, but is never null.
    pub fn optional<T: Exact>(&mut self, key: &str) -> Option<Option<T>> {
        let before = (self.rest, self.fresh);
        if self.key(key).is_none() {
            (self.rest, self.fresh) = before;
            return Some(None);
        }
        T::exact(self).map(Some)
    }

    /// One of two values. A long one is left to the strict parser, which counts the values within it.
    pub fn either<A: Exact, B: Exact, T>(&mut self, one: fn(A) -> T, other: fn(B) -> T) -> Option<T> {
        let before = self.clone();
        let read = A::exact(self).map(one).or_else(|| {
            *self = before.clone();
            B::exact(self).map(other)
        });
        read.filter(|_| before.rest.len() - self.rest.len() < MOST_KEPT)
    }

    /// Passes over characters that end in a space, where there are any.
    fn spaced(&mut self, characters: &str) -> Option<()> {
        self.pass(if self.compact { characters.strip_suffix(' ')? } else { characters })
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// The text of a string.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let begins = self.rest;
        self.pass("\"")?;
        let text = self.take(memchr2(b'"', b'\\', self.rest.as_bytes())?)?;
        if text.bytes().fold(u8::MAX, u8::min) < b' ' {
            return None;
        }
        if self.rest.starts_with('"') {
            self.rest = self.rest.get(1..)?;
            return Some(text.into());
        }
        self.rest = begins;
        let length = length_with_escapes(begins.as_bytes())?;
        same_when_written(self.take(length)?).map(Cow::Owned)
    }

    /// The text of a number.
    fn number(&mut self) -> Option<&'a str> {
        let within = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.bytes().position(|byte| !within(byte)).unwrap_or(self.rest.len());
        self.take(length)
    }
}

/// The length of the string that a text begins with, its quotes included.
fn length_with_escapes(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The value of a text, if the same text is written for it.
fn same_when_written<T: Serialize + DeserializeOwned>(text: &str) -> Option<T> {
    let value: T = serde_json::from_str(text).ok()?;
    (serde_json::to_string(&value).ok()? == text).then_some(value)
}

impl Exact for String {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        text.string().map(Cow::into_owned)
    }
}

/// Reads a value whose text is a string, as serde does.
pub fn of_string<T: for<'de> Deserialize<'de>>(text: &mut ExactText<'_>) -> Option<T> {
    let value: serde::de::value::CowStrDeserializer<'_, serde::de::value::Error> =
        serde::de::IntoDeserializer::into_deserializer(text.string()?);
    T::deserialize(value).ok()
}

/// Implements [`Exact`] for types whose text is a string, written as it is read.
macro_rules! exact_strings {
    ($($Type:ty),*) => {
        $(impl $crate::model::exact::Exact for $Type {
            fn exact(text: &mut $crate::model::exact::ExactText<'_>) -> Option<Self> {
                $crate::model::exact::of_string(text)
            }
        })*
    };
}
pub(crate) use exact_strings;

impl Exact for f64 {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        match text.number()? {
            // By far the most frequent one.
            "0.0" => Some(0.0),
            number => same_when_written(number),
        }
    }
}

/// Implements [`Exact`] for whole numbers: digits without a leading zero.
macro_rules! exact_integers {
    ($($Type:ty),*) => {
        $(impl Exact for $Type {
            fn exact(text: &mut ExactText<'_>) -> Option<Self> {
                let number = text.number()?;
                let digits = number.strip_prefix('-').unwrap_or(number);
                let plain = digits.starts_with(|first: char| first.is_ascii_digit() && first != '0');
                (plain || number == "0").then(|| number.parse().ok())?
            }
        })*
    };
}
exact_integers!(u8, u32, u64, i64);

impl Exact for bool {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        match text.pass("true") {
            Some(()) => Some(true),
            None => text.pass("false").map(|()| false),
        }
    }
}

impl<T: Exact> Exact for Option<T> {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        match text.pass("null") {
            Some(()) => Some(None),
            None => T::exact(text).map(Some),
        }
    }
}

impl<T: Exact> Exact for Vec<T> {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        let mut list = Vec::new();
        text.open("[")?;
        while text.has_next(']') {
            text.next()?;
            list.push(T::exact(text)?);
        }
        text.close("]")?;
        Some(list)
    }
}

impl<K: Exact + Hash + Eq, V: Exact> Exact for Entries<K, V> {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        let mut entries = IndexMap::new();
        text.open("{")?;
        while text.has_next('}') {
            text.next()?;
            let key = K::exact(text)?;
            text.spaced(": ")?;
            if entries.insert(key, V::exact(text)?).is_some() {
                return None;
            }
        }
        text.close("}")?;
        Some(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Extra, record};

    record! {
        /// For these tests.
        pub(super) struct Sample [exact] {
            /// a
            pub a: u32,
            /// b
            pub b [optional]: Option<String>,
            /// c
            pub c: Option<f64>,
            /// d
            pub d: Vec<Entries<String, bool>>,
        }
    }

    /// Is this read in one pass? Either way, as the strict parser does.
    fn is_exact(text: &str) -> bool {
        let strict = serde_json::from_str::<Sample>(text).ok();
        let pretty = strict.as_ref().map(|value| serde_json::to_string_pretty(value).unwrap());
        let compact = strict.as_ref().map(|value| serde_json::to_string(value).unwrap());
        let (read, line) = (read::<Sample>(text.as_bytes()), read_line::<Sample>(text));
        // Keys that this version does not know are the strict parser's, too.
        let known = strict.as_ref().is_some_and(|value| value.extra == Extra::default());
        assert_eq!(read.is_some(), known && pretty.as_deref() == Some(text), "{text}");
        assert_eq!(line.is_some(), known && compact.as_deref() == Some(text), "{text}");
        assert!(read.is_none() || read == strict, "{text}");
        assert!(line.is_none() || line == strict, "{text}");
        read.is_some() || line.is_some()
    }

    #[test]
    fn what_is_exactly_as_it_is_written_is_read_in_one_pass() {
        for text in [
            r#"{"a":1,"c":null,"d":[]}"#,
            r#"{"a":0,"b":"","c":-0.0,"d":[{}]}"#,
            r#"{"a":4294967295,"b":"\u0000\u001f \b\t\n\f\r\"\\ é😀","c":1e-7,"d":[{"x":true,"\"":false},{"y":false}]}"#,
            r#"{"a":1,"b":"\\","c":0.000053822994232177734,"d":[{"":true}]}"#,
        ] {
            assert!(is_exact(text), "{text}");
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(is_exact(&serde_json::to_string_pretty(&value).unwrap()), "{text}");
        }
    }

    #[test]
    fn whatever_else_is_left_to_the_strict_parser() {
        let text = r#"{"a":1,"b":"x\ny","c":0.5,"d":[{"x":true},{}]}"#;
        assert!(is_exact(text));
        for (old, new) in [
            ("1", "01"),
            ("1", "1.0"),
            ("1", "-1"),
            ("1", "+1"),
            ("1", "1e0"),
            ("1", "4294967296"),
            ("0.5", "0.50"),
            ("0.5", "5e-1"),
            ("0.5", "1"),
            ("0.5", "1e999"),
            ("0.5", "NaN"),
            (r#""x\ny""#, "null"),
            (r"\n", r"\u000a"),
            (r"\n", r"\/"),
            (r"\n", r"\u0041"),
            (r"\n", r"\u001F"),
            (r"\n", r"\ud800"),
            (r"\n", "\n"),
            (r"\n", "\u{1}"),
            (r"\n", "\""),
            (r#""a""#, r#""z""#),
            (r#""a":1,"#, ""),
            (r#""a":1,"#, r#""a":1,"a":1,"#),
            (r#""a":1,"#, r#""a":1,"z":1,"#),
            (r#","c":0.5"#, ""),
            (r#"[{"x":true},{}]"#, r#"[{"x":true,"x":true}]"#),
            (r#"[{"x":true},{}]"#, r#"[{"x":true},]"#),
            (r#"[{"x":true},{}]"#, "[[]]"),
            ("true", "True"),
            ("}]}", "}]} "),
            ("}]}", "}],}"),
            ("}]}", "}]"),
            ("{\"a", " {\"a"),
            (",", ", "),
            (":", " :"),
        ] {
            assert!(!is_exact(&text.replacen(old, new, 1)), "{old} {new}");
        }
        let order = r#"{"b":"x","a":1,"c":0.5,"d":[]}"#;
        assert!(!is_exact(order));
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Sample>(text).unwrap()).unwrap();
        assert!(is_exact(&pretty));
        for at in 0..pretty.len() {
            // No byte is passed over: without it, with another one, or with one more.
            let (before, after) = pretty.split_at(at);
            is_exact(&[before, &after[1..]].concat());
            for other in [" ", "\n", "\t", "0", "x", ",", "\"", "\\", "{"] {
                is_exact(&[before, other, &after[1..]].concat());
                is_exact(&[before, other, after].concat());
            }
        }
    }
}
