//! The report: views of a competition, and the pages that show them.

pub(crate) mod audits;
pub(crate) mod chart;
pub(crate) mod folder;
pub(crate) mod heat;
mod index;
pub(crate) mod maker;
mod matches;
pub(crate) mod pages;
mod round;
pub(crate) mod site;
pub(crate) mod text;
pub(crate) mod timeline;

use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result};

/// Where a report goes if nobody says otherwise: beside the competition's folder.
pub(crate) fn usual_folder(competition: &Path) -> Result<PathBuf> {
    let mut name = competition.file_name().map(std::ffi::OsStr::to_owned).ok_or_else(|| {
        let nameless = Error::usage(format!("{}: a folder without a name", competition.display()));
        nameless.hint("say by --out DIR where the report goes")
    })?;
    name.push("-report");
    Ok(competition.with_file_name(name))
}
