//! Values as Python has them.

use std::borrow::{Borrow, Cow};
use std::fmt;

use indexmap::IndexMap;

/// A Python string: UTF-8, in which half a surrogate pair stands as if it were a character (WTF-8). So no
/// two strings of Python are one here, and they are ordered as there.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<[u8]>);

impl Text {
    /// These bytes, which are WTF-8.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }

    /// The text; `None` where it holds half a surrogate pair, for that is no text outside of Python.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text for messages, in which half a pair is seen as replaced.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

/// An object's members, in the order in which their keys came first.
pub type Map = IndexMap<Text, Value>;

/// A value. Its methods are named as those of [`serde_json::Value`]; numbers behave as in Python, where
/// `true` is 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond 64 bits: its digits, with the sign.
    Big(Box<str>),
    /// Any other number, `NaN` and the infinite ones too.
    Float(f64),
    /// A string.
    String(Text),
    /// A list.
    Array(Vec<Value>),
    /// An object.
    Object(Box<Map>),
}

impl Value {
    /// The value under `key`, if this is an object that has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key.as_bytes())
    }

    /// A whole number of 64 bits: what Python takes for an index.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(truth) => Some(i64::from(*truth)),
            _ => None,
        }
    }

    /// A number as `float` makes it one; a whole number beyond every double is none.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "as Python rounds it")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Self::Int(number) => Some(*number as f64),
            Self::Big(digits) => digits.parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// A string without halves of surrogate pairs.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => text.as_str(),
            _ => None,
        }
    }

    /// A list.
    #[must_use]
    pub fn as_array(&self) -> Option<&Vec<Value>> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    /// An object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// `true` or `false`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is a string, whatever is in it.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether [`as_f64`](Self::as_f64) has a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.as_f64().is_some()
    }
}

/// For messages: lists and objects are not written out.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => truth.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Big(digits) => f.write_str(digits),
            Self::Float(number) => fmt::Debug::fmt(number, f),
            Self::String(text) => fmt::Debug::fmt(text, f),
            Self::Array(_) => f.write_str("[…]"),
            Self::Object(_) => f.write_str("{…}"),
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(small), _) => Self::Int(small),
                (None, Some(large)) => Self::Big(large.to_string().into()),
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(list) => Self::Array(list.iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => {
                let members = map.iter().map(|(key, value)| (key.as_str().into(), Self::from(value)));
                Self::Object(Box::new(members.collect()))
            }
        }
    }
}
