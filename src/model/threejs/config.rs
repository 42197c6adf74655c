//! `config.json`: as for meshes, with one key more.

use crate::model::config::ConfigFile;
use crate::model::file::RepoFile;
use crate::model::record::{ParseError, parse_json, record};

/// How often a winner's program is run again where config.json does not say.
pub const AUDIT_REPEATS: u32 = 3;

record! {
    /// What config.json says beyond the settings of a competition of meshes.
    pub struct More {
        /// How often a winner's program is run again: 3 when not given.
        pub audit_repeats [optional]: Option<u32>,
    }
}

/// `config.json` as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreejsConfig {
    /// The settings that all formats share, with the file's layout.
    pub file: ConfigFile,
    /// How often a winner's program is run again.
    pub audit_repeats: u32,
}

impl RepoFile for ThreejsConfig {
    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let file = ConfigFile::parse(bytes)?;
        let audit_repeats = parse_json::<More>(bytes)?.audit_repeats.unwrap_or(AUDIT_REPEATS);
        if !(1..=1000).contains(&audit_repeats) {
            return Err(ParseError::whole(format!(
                "audit_repeats is {audit_repeats}: a number from 1 to 1000 is needed"
            )));
        }
        Ok(ThreejsConfig { file, audit_repeats })
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        self.file.write(out)
    }
}
