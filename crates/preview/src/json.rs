//! Reading the JSON part with the habits of the reference loader, which is written in Python:
//! a negative index counts from the end, a missing list is empty, a wrong type is an error.

use std::borrow::Cow;

use super::refusal::{Checked, Refusal};
use python_json::{Map, Value};

/// A JSON object of the document, with its place for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object<'a> {
    map: &'a Map,
}

impl<'a> Object<'a> {
    /// `value` as an object, or a refusal at `place`.
    pub(crate) fn of(value: &'a Value, place: &str) -> Checked<Self> {
        match value {
            Value::Object(map) => Ok(Self { map }),
            _ => Err(Refusal::shape(place, "not a JSON object")),
        }
    }

    /// The raw value under `key`, whatever it is.
    pub(crate) fn get(self, key: &str) -> Option<&'a Value> {
        self.map.get(key.as_bytes())
    }

    /// All entries, in file order.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, &'a Value)> {
        self.map.iter().map(|(key, value)| (key.shown(), value))
    }

    /// The array under `key`; absent means empty, and so is an object without members to whoever goes through it.
    pub(crate) fn list(self, key: &str, place: &str) -> Checked<&'a [Value]> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(Value::Object(map)) if map.is_empty() => Ok(&[]),
            Some(_) => Err(Refusal::shape(join(place, key), "not a JSON array")),
        }
    }

    /// The object under `key`; absent means `None`.
    pub(crate) fn object(self, key: &str, place: &str) -> Checked<Option<Self>> {
        self.get(key).map(|v| Self::of(v, &join(place, key))).transpose()
    }

    /// The whole number under `key`; absent means `None`. `5.0` is no whole number to the reference.
    pub(crate) fn int(self, key: &str, place: &str) -> Checked<Option<i64>> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => match v.as_i64() {
                Some(n) => Ok(Some(n)),
                None => Err(Refusal::shape(join(place, key), "not a whole number")),
            },
        }
    }

    /// The whole number under `key`, which must be there.
    pub(crate) fn need_int(self, key: &str, place: &str) -> Checked<i64> {
        self.int(key, place)?.ok_or_else(|| Refusal::shape(join(place, key), "missing"))
    }

    /// Holds that the `name`, if there is one, is a text: the reference makes another of it.
    pub(crate) fn check_name(self, place: &str) -> Checked<()> {
        match self.get("name") {
            None | Some(Value::Null | Value::String(_)) => Ok(()),
            Some(_) => Err(Refusal::shape(join(place, "name"), "not a text")),
        }
    }

    /// The text under `key`, if it is one.
    pub(crate) fn text(self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }
}

/// `place` and `key` as one path.
pub(crate) fn join(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

/// Resolves an index the way a Python list does: negative counts from the end.
pub(crate) fn wrap_index(index: i64, len: usize) -> Option<usize> {
    let len = i64::try_from(len).ok()?;
    let index = if index < 0 { index.checked_add(len)? } else { index };
    if (0..len).contains(&index) { usize::try_from(index).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn indices_wrap_once() {
        assert_eq!(wrap_index(0, 2), Some(0));
        assert_eq!(wrap_index(-1, 2), Some(1));
        assert_eq!(wrap_index(-3, 2), None);
        assert_eq!(wrap_index(2, 2), None);
        assert_eq!(wrap_index(i64::MIN, 0), None);
    }

    #[test]
    fn types_are_held_to() {
        let value = Value::from(&json!({"n": 5, "f": 5.0, "list": [1], "o": {}}));
        let o = Object::of(&value, "x").unwrap();
        assert_eq!(o.need_int("n", "x").unwrap(), 5);
        assert!(o.int("f", "x").is_err());
        assert!(o.list("n", "x").is_err());
        assert_eq!(o.list("o", "x").unwrap().len(), 0);
        assert_eq!(o.list("absent", "x").unwrap().len(), 0);
        assert_eq!(o.need_int("m", "x").unwrap_err().place, "x.m");
    }

    #[test]
    fn what_no_index_can_be_is_refused() {
        for (number, index) in [
            ("NaN", None),
            ("Infinity", None),
            ("1e400", None),
            ("3.0", None),
            ("99999999999999999999", None),
            (r#""3""#, None),
            ("null", None),
            ("true", Some(1)),
            ("-0", Some(0)),
        ] {
            let value = python_json::read(&format!("{{\"n\": {number}}}")).unwrap();
            assert_eq!(Object::of(&value, "x").unwrap().int("n", "x").ok().flatten(), index, "{number}");
        }
    }

    #[test]
    fn names_are_texts_of_any_kind() {
        let named = |name: &str| {
            let value = python_json::read(&format!("{{\"name\": {name}}}")).unwrap();
            Object::of(&value, "x").unwrap().check_name("x").map_err(|refusal| refusal.place)
        };
        assert!(["null", r#""""#, r#""\ud800""#].iter().all(|name| named(name).is_ok()));
        assert!(["7", "NaN", "false", "[]", "{}"].iter().all(|name| named(name) == Err("x.name".to_owned())));
    }
}
