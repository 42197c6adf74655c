//! The folder that a report is written to. It is never inside the competition's folder, where symbolic links made by
//! others may lie.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::miners::FOLDER;
use super::usual_folder;
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::base::text::holds;
use crate::model::ids::RoundNumber;

/// The folder that the report is written to.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// The competition's folder, into which nothing is written.
    competition: PathBuf,
    dry_run: bool,
}

impl Folder {
    /// The default folder. A symbolic link there is refused: it may come from the same archive as the competition.
    pub(crate) fn beside(competition: &Path, dry_run: bool) -> Result<Folder> {
        let path = usual_folder(competition)?;
        if path.is_symlink() {
            let link = Error::failed(format!("{}: a link, which is not followed here", path.display()));
            return Err(link.hint("choose the report's folder with --out DIR"));
        }
        Folder::at(&path, competition, dry_run)
    }

    /// A folder named by the operator, anywhere but inside the competition's folder.
    pub(crate) fn at(path: &Path, competition: &Path, dry_run: bool) -> Result<Folder> {
        let path = outside(path, competition, "--out")?;
        require_own_index(&path)?;
        if !dry_run {
            files::make_folder(&path)?;
            files::remove_temporaries(&path)?;
        }
        Ok(Folder { path, competition: competition.to_owned(), dry_run })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        std::fs::symlink_metadata(self.path.join(name)).is_ok_and(|found| found.is_file())
    }

    /// Creates a subfolder, before pages are written into it in parallel.
    pub(crate) fn make(&self, name: &str) -> Result<()> {
        if !self.dry_run {
            let folder = files::folder_below(&self.path, Path::new(name))?;
            files::remove_temporaries(&folder)?;
        }
        Ok(())
    }

    /// Syncs the folders, so that the new names are durable.
    pub(crate) fn sync(&self, rounds: &BTreeSet<RoundNumber>) -> Result<()> {
        let folders = rounds.iter().map(|round| self.path.join(format!("round-{round}")));
        let own = [self.path.clone(), self.path.join(FOLDER)];
        let made = own.into_iter().chain(folders).filter(|folder| !self.dry_run && folder.is_dir());
        let cannot = |folder: &Path| format!("{}: cannot sync", folder.display());
        made.into_iter().try_for_each(|folder| files::sync_folder(&folder).failed(|| cannot(&folder)))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<String> {
        if self.path.join(name).starts_with(&self.competition) {
            let refused = Error::usage(format!("{name}: this page would lie in the competition's folder"));
            return Err(refused.hint("give --out another folder"));
        }
        if !self.dry_run {
            files::replace_below(&self.path, Path::new(name), bytes, files::Readers::All)?;
        }
        Ok(name.to_owned())
    }
}

/// Resolves a folder that a flag names, to be written to. It must not be inside the competition's folder.
pub(crate) fn outside(path: &Path, competition: &Path, flag: &str) -> Result<PathBuf> {
    let inside = leads_through(path, competition);
    let path = resolved(path)?;
    if inside || path.starts_with(competition) {
        let refused = Error::usage(format!("{}: inside the competition's folder", path.display()));
        return Err(refused.hint(format!("give {flag} a folder outside of it, or leave it out")));
    }
    Ok(path)
}

/// Fails if the folder has an index page that no report made.
fn require_own_index(path: &Path) -> Result<()> {
    let index = path.join("index.html");
    if !index.exists() {
        return Ok(());
    }
    let page = files::read_below(path, Path::new("index.html"), files::OWN)?.unwrap_or_default();
    if holds(&page, MARK) {
        return Ok(());
    }
    let other = Error::failed(format!("{}: not a report's page, and would be overwritten", index.display()));
    Err(other.hint("give --out another folder"))
}

/// What every page has, in `templates/base.html`.
const MARK: &str = "Made by gen404";

/// Does this path lead through the competition's folder, perhaps out again by a symbolic link?
fn leads_through(path: &Path, competition: &Path) -> bool {
    let Ok(absolute) = std::path::absolute(path) else { return false };
    absolute
        .ancestors()
        .filter(|part| part.file_name().is_some())
        .filter_map(Path::parent)
        .any(|folder| folder.canonicalize().is_ok_and(|folder| folder.starts_with(competition)))
}

/// Resolves a path whose last parts may not exist yet.
pub(crate) fn resolved(path: &Path) -> Result<PathBuf> {
    let cannot = || format!("{}: cannot be made", path.display());
    let absolute = std::path::absolute(path).failed(cannot)?;
    for there in absolute.ancestors() {
        let (Ok(real), Ok(new)) = (there.canonicalize(), absolute.strip_prefix(there)) else { continue };
        if new.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(real.join(new));
        }
        break;
    }
    Err(Error::usage(cannot()).hint("name a folder without `..` after folders that do not exist"))
}
