//! How journals note models: under keys that do not depend on the format, and as older versions did.
//!
//! For `#[serde(flatten, with = "noted")]` on the field that holds a stored model: the operator's journals of
//! before have it under `glb`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize)]
struct Written<'a, T> {
    model: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    #[serde(alias = "glb")]
    model: T,
}

/// Writes it under `model`.
///
/// # Errors
/// The serialiser's.
pub fn serialize<T: Serialize, S: Serializer>(model: &T, serializer: S) -> Result<S::Ok, S::Error> {
    Written { model }.serialize(serializer)
}

/// Reads it from `model`, or from the key of older versions.
///
/// # Errors
/// It is under neither.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Read::deserialize(deserializer).map(|read| read.model)
}

/// For `#[serde(with = "noted::output")]`: an entry of `generated.json`, in the layout that it has always had in
/// journals.
pub mod output {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::model::format::mesh::outputs::Output as Record;
    use crate::model::outputs::Output;

    /// Writes the entry.
    ///
    /// # Errors
    /// The serialiser's.
    pub fn serialize<S: Serializer>(output: &Output, serializer: S) -> Result<S::Ok, S::Error> {
        Record::from(output.clone()).serialize(serializer)
    }

    /// Reads the entry.
    ///
    /// # Errors
    /// It is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Output, D::Error> {
        Record::deserialize(deserializer).map(Output::from)
    }
}
