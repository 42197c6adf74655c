//! The format of a competition, as a value: the records of its files, its models, how the tournament runs and how
//! outputs are audited.
//!
//! [`detect::detect`] recognises the format of any tree; [`Format::of_tree`] is the format that commands run, from where
//! it is passed on. What concerns the models
//! alone is in [`ModelFormat`]. A format has a folder here with its records (`mesh/`), a variant in each of the two
//! enums, and an arm in `records.rs`: docs/architecture.md has the full list.

pub mod detect;
pub mod mesh;
mod model_format;
pub mod noted;
mod records;

use serde::{Deserialize, Serialize};

pub use self::model_format::{DuelKeys, ModelFormat, Previewed};
use super::file::FileKind;
use super::snapshot::Source;

/// The kind of models that a competition is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Textured meshes.
    #[default]
    Mesh,
}

/// How the matches of a round determine the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Qualification against the leader, then a timeline of challengers; a rejection restarts it.
    Timeline,
}

/// How an audit checks that a miner's program makes what the miner submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditBy {
    /// By the distance of each regenerated preview to the submitted one.
    Distance,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 1] = [Format::Mesh];

    /// The format of a competition: `"format"` in `config.json`, else mesh. An unknown value is an error in that
    /// file, and reported when it is parsed.
    #[must_use]
    pub fn of_tree(source: &dyn Source) -> Format {
        /// The part of `config.json` that is needed here.
        #[derive(Deserialize)]
        struct Named {
            format: Option<Format>,
        }
        let config = source.read(&FileKind::Config.path()).ok().flatten();
        let config = config.filter(|bytes| FileKind::Config.check(bytes).is_ok()).unwrap_or_default();
        serde_json::from_slice::<Named>(&config).ok().and_then(|named| named.format).unwrap_or_default()
    }

    /// Its name in `config.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Mesh => "mesh",
        }
    }

    /// The format of its models.
    #[must_use]
    pub fn model(self) -> ModelFormat {
        match self {
            Format::Mesh => ModelFormat::Glb,
        }
    }

    /// How the matches of a round determine the leader.
    #[must_use]
    pub fn course(self) -> Course {
        match self {
            Format::Mesh => Course::Timeline,
        }
    }

    /// How outputs are audited.
    #[must_use]
    pub fn audit(self) -> AuditBy {
        match self {
            Format::Mesh => AuditBy::Distance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Result;

    struct Config(Option<&'static str>);

    impl Source for Config {
        fn list(&self) -> Result<Vec<String>> {
            Ok(vec!["config.json".to_owned()])
        }
        fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
            assert_eq!(path, "config.json");
            Ok(self.0.map(|text| text.as_bytes().to_vec()))
        }
    }

    #[test]
    fn the_config_names_the_format_and_without_a_name_it_is_mesh() {
        for text in
            [None, Some(""), Some("{}"), Some(r#"{"name": "a", "format": "mesh"}"#), Some(r#"{"format": null}"#)]
        {
            assert_eq!(Format::of_tree(&Config(text)), Format::Mesh, "{text:?}");
        }
        for format in Format::ALL {
            let named: Format = serde_json::from_value(format.name().into()).unwrap();
            assert_eq!(named, format);
        }
    }
}
