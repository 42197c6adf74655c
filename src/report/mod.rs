//! The report: views of a competition, and the pages that show them.

pub(crate) mod audits;
mod certainty;
pub(crate) mod chart;
mod evidence;
pub(crate) mod folder;
pub(crate) mod formats;
pub(crate) mod heat;
mod index;
pub(crate) mod maker;
mod matches;
mod miner_list;
pub(crate) mod miners;
pub(crate) mod pages;
mod round;
pub(crate) mod site;
mod splat;
pub(crate) mod text;
mod threejs;
mod threejs_audits;
pub(crate) mod timeline;

use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result};

/// The default folder of a report: beside the competition's folder.
pub(crate) fn usual_folder(competition: &Path) -> Result<PathBuf> {
    let mut name = competition.file_name().map(std::ffi::OsStr::to_owned).ok_or_else(|| {
        let nameless = Error::usage(format!("{}: a folder without a name", competition.display()));
        nameless.hint("choose the report's folder with --out DIR")
    })?;
    name.push("-report");
    Ok(competition.with_file_name(name))
}
