//! How journals record models: under a key that does not depend on the format. Older versions used `glb`, which is
//! still read.
//!
//! For `#[serde(flatten, with = "noted")]` on the field that holds a stored model.

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

/// Writes the model under `model`.
///
/// # Errors
/// The serialiser's.
pub fn serialize<T: Serialize, S: Serializer>(model: &T, serializer: S) -> Result<S::Ok, S::Error> {
    Written { model }.serialize(serializer)
}

/// Reads the model from `model`, or from the key of older versions.
///
/// # Errors
/// It is under neither key, or invalid.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Read::deserialize(deserializer).map(|read| read.model)
}

/// For `#[serde(with = "noted::output")]`: an entry of `generated.json`, in its unchanged journal layout.
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
    /// It is not such an entry.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Output, D::Error> {
        Record::deserialize(deserializer).map(Output::from)
    }
}
