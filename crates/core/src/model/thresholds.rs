//! `rules` in `config.json`: the limits of the rules (DESIGN 4.4 to 4.7), public like the rest of the
//! competition. Absent keys have their defaults; keys of a newer writer are kept.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::record::{Extra, Key};

/// Declares the limits, each with its default and the largest value that makes sense.
macro_rules! thresholds {
    ($( $(#[$meta:meta])* $name:ident: $Type:ty = $default:expr, up to $most:expr; )*) => {
        /// The limits of the rules.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct Thresholds {
            $( $(#[$meta])* pub $name: $Type, )*
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Thresholds { $( $name: $default, )* }
            }
        }

        impl Thresholds {
            /// The names of all limits.
            pub const NAMES: &[&str] = &[$( stringify!($name) ),*];

            /// All mistakes in the values; empty if they make sense.
            #[must_use]
            pub fn mistakes(&self) -> Vec<String> {
                let mut mistakes = Vec::new();
                $( if !self.$name.makes_sense($most) {
                    let (name, value) = (stringify!($name), self.$name);
                    mistakes.push(format!("rules.{name} is {value}: expected a number from 0 to {}", $most));
                } )*
                mistakes
            }

            /// Every limit by name.
            pub fn all(&self) -> serde_json::Map<String, Value> {
                [$( (stringify!($name).to_owned(), json!(self.$name)) ),*].into_iter().collect()
            }

            /// Every non-default limit.
            #[must_use]
            pub fn unusual(&self) -> Vec<Unusual> {
                let usual = Thresholds::default();
                let all = [$( (stringify!($name), json!(self.$name), json!(usual.$name)) ),*];
                let unusual = all.into_iter().filter(|(_, value, default)| value != default);
                unusual.map(|(name, value, default)| Unusual { name, value, default }).collect()
            }

            /// Takes the map's next value if a limit has this name; else returns `false`.
            fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
                match key {
                    $( stringify!($name) => self.$name = map.next_value().map_err(|why| {
                        A::Error::custom(format!("rules.{}: {why}", stringify!($name)))
                    })?, )*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

thresholds! {
    /// Seconds; a longer generation is over time.
    generation_seconds: f64 = 180.0, up to 1e6;
    /// The fraction of a round's prompts on which being over time is forgiven in matches.
    overtime_tolerance: f64 = 0.05, up to 1.0;
    /// How far a margin must exceed `win_margin` for an audit without critical prompts.
    mismatch_margin: f64 = 0.05, up to 1.0;
    /// The largest distance between a regenerated and a submitted preview that still matches.
    distance: f64 = 0.1, up to 2.0;
    /// Mismatches tolerated among prompts that are not critical.
    mismatches: usize = 6, up to 1_000_000;
    /// Mismatches tolerated among the critical prompts.
    critical_mismatches: usize = 1, up to 1_000_000;
    /// Seconds; the largest trimmed median of the generation times.
    median_seconds: f64 = 90.0, up to 1e6;
    /// Times cut from each end before the median is taken.
    trim: usize = 6, up to 1_000_000;
    /// Does a win also need a source audit that passed?
    require_source_audit: bool = false, up to 1;
    /// May miners name hosts that are not public? (For sandboxes; by itself this does not permit fetching from them.)
    allow_private_cdn: bool = false, up to 1;
}

/// The type of a limit.
trait Limit {
    fn makes_sense(self, most: impl Into<f64>) -> bool;
}

impl Limit for f64 {
    fn makes_sense(self, most: impl Into<f64>) -> bool {
        (0.0..=most.into()).contains(&self)
    }
}

impl Limit for usize {
    fn makes_sense(self, most: impl Into<f64>) -> bool {
        u32::try_from(self).is_ok_and(|value| f64::from(value) <= most.into())
    }
}

impl Limit for bool {
    fn makes_sense(self, _: impl Into<f64>) -> bool {
        true
    }
}

/// A limit with a non-default value.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusual {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Its default.
    pub default: Value,
}

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (default {})", self.name, self.value, self.default)
    }
}

/// `rules`: the limits that follow from it, and the keys of a newer writer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// All limits, defaults included.
    pub limits: Thresholds,
    /// Keys of a newer writer.
    pub extra: Extra,
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RulesVisitor;
        impl<'de> Visitor<'de> for RulesVisitor {
            type Value = Rules;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object (rules)")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rules, A::Error> {
                let (mut rules, mut seen) = (Rules::default(), Vec::new());
                while let Some(key) = map.next_key::<Key<'_>>()? {
                    let key = key.as_str();
                    if let Some(name) = Thresholds::NAMES.iter().find(|name| **name == key) {
                        if seen.contains(name) {
                            return Err(A::Error::duplicate_field(name));
                        }
                        seen.push(name);
                    }
                    if !rules.limits.take(key, &mut map)? {
                        // `ConfigFile` keeps the file's layout, so the position does not matter.
                        rules.extra.keep(usize::MAX, key, map.next_value()?).map_err(A::Error::custom)?;
                    }
                }
                Ok(rules)
            }
        }
        deserializer.deserialize_map(RulesVisitor)
    }
}

impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for Unusual { name, value, .. } in self.limits.unusual() {
            map.serialize_entry(name, &value)?;
        }
        self.extra.cursor().finish(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::parse_json;

    #[test]
    fn absent_keys_have_the_defaults_and_the_others_are_named() {
        let rules = |text: &str| parse_json::<Rules>(text.as_bytes()).unwrap();
        assert_eq!(rules("{}"), Rules::default());
        let given = rules(r#"{"mismatches": 100, "distance": 0.1, "later": [1], "median_seconds": 60}"#);
        assert_eq!(given.limits, Thresholds { mismatches: 100, median_seconds: 60.0, ..Thresholds::default() });
        let told: Vec<String> = given.limits.unusual().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["mismatches 100 (default 6)", "median_seconds 60.0 (default 90.0)"]);
        assert_eq!(serde_json::to_string(&given).unwrap(), r#"{"mismatches":100,"median_seconds":60.0,"later":[1]}"#);
    }

    #[test]
    fn senseless_values_are_named() {
        let wrong = |text: &str| parse_json::<Rules>(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            wrong("{\n \"mismatches\": \"6\"}"),
            "line 2 column 18: rules.mismatches: expected a whole number, 0 or more, found \"6\""
        );
        assert!(
            wrong(r#"{"mismatches": -1}"#).contains("rules.mismatches: expected a whole number, 0 or more, found -1")
        );
        assert!(wrong(r#"{"trim": 6.5}"#).contains("rules.trim: expected a whole number, 0 or more, found 6.5"));
        assert!(wrong(r#"{"distance": null}"#).contains("rules.distance: expected a number, found null"));
        assert!(wrong(r#"{"trim": 1, "trim": 2}"#).contains("duplicate key `trim`"));
        assert!(wrong(r#"{"later": 1, "later": 2}"#).contains("duplicate key `later`"));
        let mistakes = |limits: Thresholds| limits.mistakes().join("; ");
        assert_eq!(mistakes(Thresholds::default()), "");
        let bad = Thresholds { distance: -0.1, trim: usize::MAX, ..Thresholds::default() };
        assert!(mistakes(bad).starts_with("rules.distance is -0.1: expected a number from 0 to 2; rules.trim is 1844"));
        assert!(mistakes(Thresholds { median_seconds: f64::NAN, ..Thresholds::default() }).contains("median_seconds"));
    }
}
