//! Who knows of builds: `[builds]` of `gen404.toml`, and the environment.

use std::path::PathBuf;

use serde::Deserialize;

use super::{BuildSource, FileBuilds};
use crate::error::{Error, Result};
use crate::rules::image::ImageName;

/// The drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// A JSON file.
    File,
}

/// The settings of builds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuildSettings {
    /// Which driver; where not given, the one that the other settings speak of.
    pub driver: Option<Driver>,
    /// The file, for the driver `file`.
    pub file: Option<PathBuf>,
    /// How images are named.
    pub image: ImageName,
    /// What a build may take from its push, or the last start of its run, on; 0: any time.
    pub timeout_seconds: u64,
    /// From one look to the next, with `--wait`.
    pub poll_seconds: u64,
}

impl Default for BuildSettings {
    fn default() -> Self {
        BuildSettings {
            driver: None,
            file: None,
            image: ImageName::default(),
            timeout_seconds: 10_800,
            poll_seconds: 120,
        }
    }
}

impl BuildSettings {
    /// Opens the driver; nothing is asked yet.
    ///
    /// # Errors
    /// No driver is named, or what it needs is not.
    pub fn open(&self) -> Result<Box<dyn BuildSource>> {
        match self.driver.or_else(|| self.file.as_ref().map(|_| Driver::File)) {
            Some(Driver::File) => {
                let path = self.file.as_ref().ok_or_else(|| {
                    Error::usage("no builds file is named").hint("give --file FILE, or [builds] file in gen404.toml")
                })?;
                Ok(Box::new(FileBuilds::new(path)))
            }
            None => {
                let unknown = Error::usage("nobody is named who knows of builds");
                Err(unknown.hint("give GITHUB_REPO=owner/name, --file FILE, or [builds] in gen404.toml"))
            }
        }
    }
}
