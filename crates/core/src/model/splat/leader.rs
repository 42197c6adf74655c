//! `leader.json`: a list of entries, or for a while (until 15 December 2025) an object around it.

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::file::json_file;
use crate::model::leader::{LeaderEntry, Leaders};
use crate::model::record::record;

record! {
    /// The older layout.
    pub struct Transitions {
        /// The entries, oldest first.
        pub transitions: Leaders,
    }
}

/// `leader.json` in either layout.
#[derive(Debug, Clone, PartialEq)]
pub enum SplatLeaders {
    /// `[...]`
    List(Leaders),
    /// `{"transitions": [...]}`
    Object(Transitions),
}

impl SplatLeaders {
    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[LeaderEntry] {
        match self {
            SplatLeaders::List(entries) => entries,
            SplatLeaders::Object(object) => &object.transitions,
        }
    }
}

impl Serialize for SplatLeaders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SplatLeaders::List(entries) => entries.serialize(serializer),
            SplatLeaders::Object(object) => object.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SplatLeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = SplatLeaders;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of entries, or an object with the key transitions")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<SplatLeaders, A::Error> {
                Leaders::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map(SplatLeaders::List)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SplatLeaders, A::Error> {
                Transitions::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(SplatLeaders::Object)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

json_file!(SplatLeaders);
