//! `config.json`: as for meshes, with one more key.

use serde_json::Value;

use crate::base::error::plainly;
use crate::model::config::Settings;
use crate::model::file::RepoFile;
use crate::model::format::Format;
use crate::model::format::detect::check_named;
use crate::model::record::{ParseError, parse_json, record};

/// How often a winner's program is run again by default.
pub const AUDIT_REPEATS: u32 = 3;

/// How often it may be run again.
pub const REPEATS: std::ops::RangeInclusive<u32> = 1..=1000;

record! {
    /// What config.json says beyond the settings of a competition of meshes.
    pub struct More {
        /// How often a winner's program is run again; default 3.
        pub audit_repeats [optional]: Option<u32>,
    }
}

/// How often a winner's program is run again, by the settings as all formats share them.
#[must_use]
pub fn audit_repeats(settings: &Settings) -> u32 {
    let given = settings.extra.get("audit_repeats").and_then(Value::as_u64);
    given.and_then(|repeats| u32::try_from(repeats).ok()).unwrap_or(AUDIT_REPEATS)
}

/// `config.json`: its settings, and the document with its own layout (`1` for a float, key order).
#[derive(Debug, Clone, PartialEq)]
pub struct ThreejsConfig {
    /// The settings that all formats share.
    pub settings: Settings,
    /// How often a winner's program is run again.
    pub audit_repeats: u32,
    document: Value,
}

impl RepoFile for ThreejsConfig {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let document: Value = parse_json(bytes)?;
        check_named(&document, Format::Threejs).map_err(ParseError::whole)?;
        let settings: Settings = match document.get("format") {
            None => parse_json(bytes)?,
            Some(_) => {
                let mut plain = document.clone();
                if let Some(object) = plain.as_object_mut() {
                    object.shift_remove("format");
                }
                serde_json::from_value(plain).map_err(|error| ParseError::whole(plainly(&error.to_string())))?
            }
        };
        let mistakes = settings.mistakes();
        if !mistakes.is_empty() {
            return Err(ParseError::whole(mistakes.join("; ")));
        }
        let audit_repeats = parse_json::<More>(bytes)?.audit_repeats.unwrap_or(AUDIT_REPEATS);
        if !REPEATS.contains(&audit_repeats) {
            return Err(ParseError::whole(format!(
                "audit_repeats is {audit_repeats}: a number from 1 to 1000 is needed"
            )));
        }
        Ok(ThreejsConfig { settings, audit_repeats, document })
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer_pretty(out, &self.document)?)
    }
}
