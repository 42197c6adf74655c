//! JSON values that are judged while they are read, by rules that the reader gives.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::text::cut;

/// How much of a key is quoted, in characters.
const SHOWN: usize = 100;

/// What a text may hold. Whatever is not said is allowed.
pub trait Rules: Copy {
    /// May another value follow?
    fn value<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    /// The rules in a list or an object, one level deeper.
    fn below<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    /// May an object have this key after these entries?
    fn key<E: Error>(self, _key: &str, _before: &Map<String, Value>) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a value under these rules.
pub struct Judged<R>(pub R);

impl<'de, R: Rules> DeserializeSeed<'de> for Judged<R> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.value()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Rules> Visitor<'de> for Judged<R> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let (below, mut list) = (self.0.below()?, Vec::new());
        while let Some(value) = seq.next_element_seed(Judged(below))? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (below, mut entries) = (self.0.below()?, Map::new());
        while let Some(key) = map.next_key::<String>()? {
            self.0.key(&key, &entries)?;
            let value = map.next_value_seed(Judged(below))?;
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}

/// A value of a text in which no object has a key twice: readers differ in which one they take, so a text could say two
/// things.
#[derive(Debug, Clone, PartialEq)]
pub struct Strict(pub Value);

#[derive(Clone, Copy)]
struct NoKeyTwice;

impl Rules for NoKeyTwice {
    fn key<E: Error>(self, key: &str, before: &Map<String, Value>) -> Result<(), E> {
        if before.contains_key(key) {
            return Err(E::custom(format!("the key {:?} is given twice", cut(key, SHOWN))));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        Judged(NoKeyTwice).deserialize(deserializer).map(Strict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_an_error_at_any_depth() {
        let read = |text: &str| serde_json::from_str::<Strict>(text).map(|Strict(value)| value);
        let text = r#"{"a": [{"b": 1, "c": {"a": null}}, {"b": -2.5}], "é": "x", "d": true}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for (text, key) in [
            (r#"{"a": 1, "a": 1}"#, "a"),
            (r#"{"a": 1, "\u0061": 2}"#, "a"),
            (r#"[{"x": {"y": [], "z": 1, "y": []}}]"#, "y"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(&format!("the key {key:?} is given twice")), "{text}: {error}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
