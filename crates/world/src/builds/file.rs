//! Builds in a JSON file, for sandboxes, tests, and builds made by hand:
//!
//! ```json
//! {
//!   "5Grw...utQY": {"status": "success", "image": "registry.example/miners/5grwvaef5z:7c1b379-mesh-1"},
//!   "5FHn...94ty": {"status": "failure"}
//! }
//! ```
//!
//! A status is one of those in `builds.json`; an image that is not given gets the usual name.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{BuildSource, WantedBuilds};
use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::model::builds::BuildStatus;
use crate::model::ids::Hotkey;
use crate::model::observation::{BuildObservation, DeclaredBuild};
use crate::model::record::{Entries, parse_json};
use crate::probe::Probed;

/// Builds listed in a file, which is read at each look so that it may change meanwhile.
#[derive(Debug, Clone)]
pub struct FileBuilds {
    path: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildEntry {
    status: BuildStatus,
    #[serde(default)]
    image: Option<String>,
}

impl FileBuilds {
    /// The builds listed in this file.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        FileBuilds { path: path.to_owned() }
    }

    fn read(&self) -> Result<Entries<Hotkey, BuildEntry>> {
        let parsed = |bytes: Vec<u8>| parse_json(&bytes).map_err(|why| Error::file(&self.path, why));
        let read = files::need(&self.path, files::SMALL).and_then(parsed);
        read.map_err(|error| error.hint("[builds] file in gen404.toml, or --file, names it"))
    }
}

impl BuildSource for FileBuilds {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn look(&self, _wanted: &WantedBuilds) -> Result<BuildObservation> {
        let entries = self.read()?;
        let said = |(hotkey, entry): (Hotkey, BuildEntry)| {
            (hotkey, DeclaredBuild { status: entry.status, image: entry.image })
        };
        Ok(BuildObservation::Declared(entries.0.into_iter().map(said).collect()))
    }

    fn probe(&self, _image: &str) -> Result<Probed> {
        let entries = self.read()?;
        Ok(Probed::fine(format!("{}: {}", self.name(), counted(entries.0.len(), "build", "builds"))))
    }
}
