//! The JSON of the competition's files: parsed strictly, written back as the same bytes.
//!
//! [`record!`](crate::model::record) declares every object type: its known keys are typed and required, duplicate
//! keys are errors, and keys of a newer writer are kept in place. [`Entries`] does the same for objects whose keys
//! are data (hotkey to submission, stem to output).

use std::cell::Cell;
use std::fmt;
use std::hash::Hash;
use std::io::Write;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;

use indexmap::IndexMap;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::base::json::{Judged, Rules};

/// Keys that this version does not know, each with its position among all keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra(Vec<(usize, String, Value)>);

/// The most unknown keys in one object: more are not a newer writer's, but an attack or an accident.
const MOST_EXTRA: usize = 64;

/// The most values under one unknown key, for the same reason.
pub const MOST_KEPT: usize = 8192;

/// The deepest nesting under an unknown key.
const DEEPEST: usize = 32;

/// The most memory in bytes that a kept value takes: its own, and the spare capacity of its list.
const WEIGHT: u64 = 2 * size_of::<Value>() as u64;

/// Why an unknown key is not kept.
#[derive(Debug, thiserror::Error)]
pub enum ExtraError {
    /// It stands there twice.
    #[error("duplicate key `{0}`")]
    Twice(String),
    /// It is one too many.
    #[error("more than {most} unknown keys", most = MOST_EXTRA)]
    TooMany,
}

impl Extra {
    /// Keeps an unknown key.
    ///
    /// # Errors
    /// The key is a duplicate, or there are too many.
    pub fn keep(&mut self, position: usize, key: &str, value: Value) -> Result<(), ExtraError> {
        if self.0.iter().any(|(_, known, _)| known == key) {
            return Err(ExtraError::Twice(shortened(key)));
        }
        if self.0.len() >= MOST_EXTRA {
            return Err(ExtraError::TooMany);
        }
        self.0.push((position, key.to_owned(), value));
        Ok(())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(_, name, _)| name == key).map(|(_, _, value)| value)
    }

    /// This key alone.
    pub fn only(&self, key: &str) -> Extra {
        Extra(self.get(key).map(|value| (0, key.to_owned(), value.clone())).into_iter().collect())
    }

    /// The approximate memory of the kept keys, in bytes.
    pub fn weight(&self) -> u64 {
        self.0.iter().map(|(_, key, value)| 2 * size_of::<(usize, String)>() as u64 + weight(key, value)).sum()
    }

    /// A cursor over the kept keys, for writing an object.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { rest: &self.0, position: 0 }
    }
}

/// The approximate memory of a key and its value, in bytes.
fn weight(key: &str, value: &Value) -> u64 {
    let below = match value {
        Value::String(text) => text.len() as u64 + 16,
        Value::Array(list) => list.iter().map(|value| weight("", value)).sum(),
        Value::Object(map) => weight_of_map(map),
        _ => 0,
    };
    WEIGHT + key.len() as u64 + below
}

/// The approximate memory of a map's keys and values, in bytes.
pub fn weight_of_map(map: &serde_json::Map<String, Value>) -> u64 {
    map.iter().map(|(key, value)| weight(key, value) + 100).sum()
}

/// The limits of the value of an unknown key, on count and depth: it is hostile input.
#[derive(Clone, Copy)]
pub struct Keep<'a> {
    key: &'a str,
    left: &'a Cell<usize>,
    depth: usize,
}

/// A fresh allowance of values for an unknown key.
pub fn room() -> Cell<usize> {
    Cell::new(MOST_KEPT)
}

impl<'a> Keep<'a> {
    /// Reads the value of this key.
    pub fn under(key: &'a str, left: &'a Cell<usize>) -> Judged<Self> {
        Judged(Keep { key, left, depth: 0 })
    }
}

impl Rules for Keep<'_> {
    fn value<E: serde::de::Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        let too_much = || format!("more than {MOST_KEPT} values under the unknown key `{}`", shortened(self.key));
        self.left.set(left.ok_or_else(|| E::custom(too_much()))?);
        Ok(())
    }

    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEEPEST {
            let key = shortened(self.key);
            return Err(E::custom(format!("nests deeper than {DEEPEST} under the unknown key `{key}`")));
        }
        Ok(Keep { depth: self.depth + 1, ..self })
    }
}

/// The position in an object that is being written.
#[derive(Debug)]
pub struct Cursor<'a> {
    rest: &'a [(usize, String, Value)],
    position: usize,
}

impl Cursor<'_> {
    /// Writes the unknown keys that belong here; the caller then writes one known key.
    pub fn before_known<M: SerializeMap>(&mut self, map: &mut M) -> Result<(), M::Error> {
        while let [(at, key, value), rest @ ..] = self.rest {
            if *at > self.position {
                break;
            }
            map.serialize_entry(key, value)?;
            (self.rest, self.position) = (rest, self.position + 1);
        }
        self.position += 1;
        Ok(())
    }

    /// Writes the remaining unknown keys.
    pub fn finish<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.rest.iter().try_for_each(|(_, key, value)| map.serialize_entry(key, value))
    }
}

/// An object key, borrowed from the input if it has no escapes.
#[derive(Debug)]
pub struct Key<'de>(std::borrow::Cow<'de, str>);

impl Key<'_> {
    /// The key without escapes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(key.into()))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(key.to_owned().into()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Declares a JSON object type: keys in the given order, all required except those marked `[optional]`
/// (which must be `Option`s and are omitted when `None`). A type marked `[exact]` is read in one pass where its text is
/// exactly as it is written ([`exact`](crate::model::exact)): for those of which a competition has many.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $Name:ident [exact] { $($fields:tt)* }) => {
        $crate::model::record::record! { $(#[$meta])* $vis struct $Name { $($fields)* } }
        $crate::model::record::record! { @exact $Name { $($fields)* } }
    };
    (
        @exact $Name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident $([$mark:ident])? : $Type:ty, )*
        }
    ) => {
        impl $crate::model::exact::Exact for $Name {
            fn exact(text: &mut $crate::model::exact::ExactText<'_>) -> Option<Self> {
                text.open("{")?;
                $(
                    let key = concat!("\"", stringify!($field), "\": ");
                    let $field: $Type = $crate::model::record::record!(@next text, key, $($mark)?);
                )*
                text.close("}")?;
                Some($Name { $($field,)* extra: $crate::model::record::Extra::default() })
            }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident $([$mark:ident])? : $Type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $Name {
            $( $(#[$field_meta])* pub $field: $Type, )*
            /// Keys of a newer writer, kept in place.
            pub extra: $crate::model::record::Extra,
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct RecordVisitor;
                impl<'de> serde::de::Visitor<'de> for RecordVisitor {
                    type Value = $Name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$Name, A::Error> {
                        use serde::de::Error as _;
                        $( let mut $field: Option<$Type> = None; )*
                        let mut extra = $crate::model::record::Extra::default();
                        let mut position = 0;
                        while let Some(key) = map.next_key::<$crate::model::record::Key<'_>>()? {
                            match key.as_str() {
                                $( stringify!($field) => {
                                    if $field.is_some() {
                                        return Err(A::Error::duplicate_field(stringify!($field)));
                                    }
                                    $field = Some(map.next_value()?);
                                } )*
                                unknown => {
                                    let room = $crate::model::record::room();
                                    let seed = $crate::model::record::Keep::under(unknown, &room);
                                    let value = map.next_value_seed(seed)?;
                                    extra.keep(position, unknown, value).map_err(A::Error::custom)?;
                                }
                            }
                            position += 1;
                        }
                        Ok($Name { $( $field: $crate::model::record::record!(@take $field $($mark)?), )* extra })
                    }
                }
                deserializer.deserialize_map(RecordVisitor)
            }
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                let mut cursor = self.extra.cursor();
                $(
                    if $crate::model::record::record!(@present self.$field, $($mark)?) {
                        cursor.before_known(&mut map)?;
                        map.serialize_entry(stringify!($field), &self.$field)?;
                    }
                )*
                cursor.finish(&mut map)?;
                map.end()
            }
        }
    };
    (@next $text:ident, $key:ident, optional) => { $text.optional($key)? };
    (@next $text:ident, $key:ident,) => {{
        $text.key($key)?;
        $crate::model::exact::Exact::exact($text)?
    }};
    (@take $field:ident optional) => { $field.flatten() };
    (@take $field:ident) => { $field.ok_or_else(|| A::Error::missing_field(stringify!($field)))? };
    (@present $value:expr, optional) => { $value.is_some() };
    (@present $value:expr,) => { true };
}

pub(crate) use record;

/// A JSON object whose keys are data: the order is kept, and duplicate keys are errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries<K: Hash + Eq, V>(pub IndexMap<K, V>);

impl<K: Hash + Eq, V> Default for Entries<K, V> {
    fn default() -> Self {
        Entries(IndexMap::new())
    }
}

impl<K: Hash + Eq, V> Deref for Entries<K, V> {
    type Target = IndexMap<K, V>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Hash + Eq, V> DerefMut for Entries<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Hash + Eq, V> FromIterator<(K, V)> for Entries<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Entries(entries.into_iter().collect())
    }
}

impl<K: Hash + Eq + fmt::Display, V: Serialize> Serialize for Entries<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(&key.to_string(), value)?;
        }
        map.end()
    }
}

impl<'de, K, V> Deserialize<'de> for Entries<K, V>
where
    K: Hash + Eq + FromStr<Err: fmt::Display>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<K, V>(PhantomData<(K, V)>);
        impl<'de, K, V> Visitor<'de> for EntriesVisitor<K, V>
        where
            K: Hash + Eq + FromStr<Err: fmt::Display>,
            V: Deserialize<'de>,
        {
            type Value = Entries<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = IndexMap::new();
                while let Some(key) = map.next_key::<Key<'_>>()? {
                    let parsed: K = key.as_str().parse().map_err(A::Error::custom)?;
                    let value = map.next_value()?;
                    if entries.insert(parsed, value).is_some() {
                        return Err(A::Error::custom(format!("the key {:?} is given twice", shortened(key.as_str()))));
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

/// Why the bytes of a file are invalid, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Line and column, both from 1, if known.
    pub place: Option<(usize, usize)>,
    /// What is wrong there.
    pub reason: String,
}

/// Cuts a reason: it may quote input of any length.
fn bounded(mut reason: String) -> String {
    const LONGEST: usize = 500;
    if let Some((at, _)) = reason.char_indices().nth(LONGEST) {
        reason.truncate(at);
        reason.push('…');
    }
    reason
}

/// The beginning of a key or name of any length, for a message.
pub fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}

impl ParseError {
    /// An error without a single place.
    pub fn whole(reason: impl fmt::Display) -> Self {
        ParseError { place: None, reason: bounded(reason.to_string()) }
    }

    /// An error on a line (from 1).
    pub fn line(line: usize, reason: impl fmt::Display) -> Self {
        ParseError { place: Some((line, 1)), reason: bounded(reason.to_string()) }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "line {line} column {column}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for ParseError {}

/// Refuses what no file of a competition may contain: a byte order mark, carriage returns, invalid UTF-8.
///
/// # Errors
/// The bytes contain one of those; the error has the place of the first.
pub fn plain_text(bytes: &[u8]) -> Result<&str, ParseError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(ParseError::line(1, "the file begins with a byte order mark (BOM)"));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
        ParseError::line(line_of(good), "not UTF-8")
    })?;
    if let Some(at) = text.find('\r') {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        return Err(ParseError::line(line_of(before), "a carriage return (CRLF line ends?)"));
    }
    Ok(text)
}

/// The line number, from 1, of the byte after `before`.
fn line_of(before: &[u8]) -> usize {
    before.iter().filter(|b| **b == b'\n').count() + 1
}

/// Parses a JSON file strictly.
///
/// # Errors
/// The bytes are not plain text, not JSON, or not of this type; the error has line and column.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ParseError> {
    parse_text(plain_text(bytes)?)
}

/// As [`parse_json`], for a text that is known to be plain.
///
/// # Errors
/// It is not JSON, or not of this type.
pub fn parse_text<T: DeserializeOwned>(text: &str) -> Result<T, ParseError> {
    serde_json::from_str(text).map_err(|e| {
        let full = e.to_string();
        let reason = crate::base::error::plainly(full.split(" at line ").next().unwrap_or(&full));
        let place = (e.line() > 0).then(|| (e.line(), e.column()));
        ParseError { place, reason: bounded(reason) }
    })
}

/// A value as the competition's files have it: two-space indent, no newline at the end.
#[must_use]
pub fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    // Serialising our own types into memory cannot fail: keys are strings, and there is no I/O.
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// Writes a value on one line, `{"key": value, "key": value}`: the form of `seed.json`.
///
/// # Errors
/// `out` fails.
pub fn write_json_line<T: Serialize>(out: impl Write, value: &T) -> std::io::Result<()> {
    struct OneLine;
    impl serde_json::ser::Formatter for OneLine {
        fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> std::io::Result<()> {
            out.write_all(b": ")
        }
        fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
    }
    Ok(value.serialize(&mut serde_json::Serializer::with_formatter(out, OneLine))?)
}

/// Writes lines with a newline between them, and none at the end.
///
/// # Errors
/// `out` fails.
pub fn write_lines<T: fmt::Display>(mut out: impl Write, lines: impl Iterator<Item = T>) -> std::io::Result<()> {
    for (at, line) in lines.enumerate() {
        let between = if at == 0 { "" } else { "\n" };
        write!(out, "{between}{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    record! {
        /// For these tests.
        pub(super) struct Sample {
            /// a
            pub a: u32,
            /// b
            pub b [optional]: Option<String>,
            /// c
            pub c: Option<f64>,
        }
    }

    fn round_trip(text: &str) -> String {
        let mut bytes = Vec::new();
        write_json_line(&mut bytes, &parse_json::<Sample>(text.as_bytes()).unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn unknown_keys_stay_where_they_were() {
        for text in [
            r#"{"a": 1, "c": 0.5}"#,
            r#"{"a": 1, "b": "x", "c": null}"#,
            r#"{"x": 1, "a": 1, "c": 0.5}"#,
            r#"{"x": {"z": 1, "y": [1, 2.0]}, "w": 2, "a": 1, "v": 3, "b": "x", "u": 4, "c": 0.5, "t": 5, "s": 6}"#,
        ] {
            assert_eq!(round_trip(text), text);
        }
    }

    #[test]
    fn unknown_keys_hold_no_more_than_an_honest_writer_puts_there() {
        let text = |value: &str| format!("{{\"a\": 1, \"c\": null, \"future\": {value}}}");
        let reason = |value: &str| parse_json::<Sample>(text(value).as_bytes()).unwrap_err().reason;
        let zeros = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(parse_json::<Sample>(text(&zeros(MOST_KEPT - 1)).as_bytes()).is_ok());
        assert_eq!(reason(&zeros(MOST_KEPT)), "more than 8192 values under the unknown key `future`");
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse_json::<Sample>(text(&nested(DEEPEST)).as_bytes()).is_ok());
        assert_eq!(reason(&nested(DEEPEST + 1)), "nests deeper than 32 under the unknown key `future`");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let reason = |bytes: &[u8]| parse_json::<Sample>(bytes).unwrap_err().to_string();
        assert_eq!(reason(b"{\"a\": 1,\n \"a\": 2}"), "line 2 column 4: duplicate key `a`");
        assert_eq!(reason(b"{\"q\": 1, \"q\": 2}"), "line 1 column 16: duplicate key `q`");
        assert_eq!(reason(b"{\"c\": null}"), "line 1 column 11: missing key `a`");
        assert_eq!(reason(b"\xef\xbb\xbf{}"), "line 1 column 1: the file begins with a byte order mark (BOM)");
        assert_eq!(reason(b"{\r\n}"), "line 1 column 1: a carriage return (CRLF line ends?)");
        assert_eq!(reason(b"{\n\xff}"), "line 2 column 1: not UTF-8");
        assert!(reason(b"{\"a\": 1, \"c\": NaN}").contains("expected"));
        assert!(reason(b"{\"a\": 1, \"c\": 1e999}").contains("out of range"));
        assert!(reason(b"{\"a\": 99999999999, \"c\": 1}").contains("expected a whole number"));
        assert!(reason(b"{\"a\": 1, ").contains("the text ends"));
        assert!(reason(b"{\"a\": 1, \"c\": 1} x").contains("more text after the end"));
    }

    #[test]
    fn a_key_given_twice_in_a_map_is_refused() {
        let twice = br#"{"1": 1, "1": 2}"#;
        let error = parse_json::<Entries<u32, u32>>(twice).unwrap_err();
        assert!(error.reason.contains("given twice"), "{error}");
    }
}
