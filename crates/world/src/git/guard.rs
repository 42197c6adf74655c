//! Checks of git's own files, made before anything in them is trusted.
//!
//! A `.git` may come from someone else's archive. Opening it reads files by name, so each of these must be a
//! plain file within a size limit (a FIFO would hang, a device would never end), and none may be reached
//! through a link.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;

/// Size limit of a file that holds one name or one path.
const LINE: u64 = 64 << 10;

/// Size limit of a configuration, a list of excludes, or a list of shallow commits.
const TEXT: u64 = 16 << 20;

/// Size limit of an index or a list of packed refs: a hundred times those of a large competition.
const TABLE: u64 = 64 << 20;

/// The files of git that are read by name, with their size limits.
const FILES: [(&str, u64); 11] = [
    ("HEAD", LINE),
    ("commondir", LINE),
    ("gitdir", LINE),
    ("config", 1 << 20),
    ("config.worktree", 1 << 20),
    ("packed-refs", TABLE),
    ("index", TABLE),
    ("shallow", TEXT),
    ("info/exclude", TEXT),
    ("info/attributes", TEXT),
    ("objects/info/alternates", LINE),
];

/// The folders of git that are checked.
const FOLDERS: [&str; 6] = ["info", "refs", "objects", "objects/info", "objects/pack", OWN];

/// The operator's own folder.
pub(super) const OWN: &str = "gen404";

/// The most object folders that may be chained by alternates.
const MOST_STORES: usize = 16;

/// The most files in a folder of packs: `git gc` repacks from 50 packs on.
const MOST_PACK_FILES: usize = 20_000;

/// The most symbolic refs from `HEAD` to a commit, as in git.
const MOST_NAMES: usize = 5;

/// Where a repository's parts are, after they were checked.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The object folders, its own first.
    pub(super) objects: Vec<PathBuf>,
    /// Is this a partial clone? What it lacks is at its remote.
    pub(super) partial: bool,
}

/// Checks the git folder of the checkout at `root`; `None` if there is none.
pub(super) fn look(root: &Path) -> Result<Option<Places>> {
    let dot = root.join(".git");
    let Some(found) = metadata(&dot)? else { return Ok(None) };
    let (own, common) = if found.is_dir() {
        if metadata(&dot.join("commondir"))?.is_some() {
            return Err(refused(&dot.join("commondir"), "this belongs only in a linked worktree's folder"));
        }
        (dot.clone(), dot)
    } else if found.is_file() {
        linked(root, &dot)?
    } else if found.is_symlink() {
        return Err(refused(&dot, "a link, which is not followed here"));
    } else {
        return Err(refused(&dot, "neither a folder nor a plain file"));
    };
    for folder in HashSet::from([&own, &common]) {
        all_plain(folder)?;
    }
    known_form(root, &common)?;
    leads_to_a_commit(&own, &common)?;
    let (objects, partial) = stores(&common.join("objects"))?;
    Ok(Some(Places { objects, partial }))
}

/// The git folder that a `.git` file names, and the common one behind it. Both must point back to this
/// checkout, or anyone's file could name the folder of another repository.
fn linked(root: &Path, dot: &Path) -> Result<(PathBuf, PathBuf)> {
    let text = line(dot)?.unwrap_or_default();
    let Some(path) = text.strip_prefix("gitdir: ") else { return Err(refused(dot, "not a file made by git")) };
    let cannot = |path: &Path| format!("{}: names {}, which cannot be found", dot.display(), path.display());
    let real = |path: PathBuf| path.canonicalize().failed(|| cannot(&path));
    let own = real(root.join(path))?;
    let elsewhere = || refused(dot, format!("names {}, which does not belong to this checkout", own.display()));
    let Some(common) = line(&own.join("commondir"))? else {
        // A submodule: its git folder's configuration names the checkout.
        let config = files::read_below(&own, Path::new("config"), 1 << 20)?.unwrap_or_default();
        let config = gix::config::File::try_from(String::from_utf8_lossy(&config).as_ref()).ok();
        let back = config.and_then(|config| config.string("core.worktree").map(|path| path.to_string()));
        let known = back.and_then(|back| own.join(back).canonicalize().ok()).is_some_and(|back| back == *root);
        return if known { Ok((own.clone(), own)) } else { Err(elsewhere()) };
    };
    let common = real(own.join(common))?;
    let back = line(&own.join("gitdir"))?.and_then(|back| own.join(back).canonicalize().ok());
    let known = back.is_some_and(|back| dot.canonicalize().is_ok_and(|dot| dot == back));
    if !known || own.parent() != Some(common.join("worktrees").as_path()) {
        return Err(elsewhere());
    }
    Ok((own, common))
}

/// The single line of a small file; `None` if it does not exist.
fn line(path: &Path) -> Result<Option<String>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let Some(bytes) = files::read_below(folder, Path::new(name), LINE)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| refused(path, "not UTF-8"))?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

fn all_plain(folder: &Path) -> Result<()> {
    for name in FOLDERS {
        let path = folder.join(name);
        if metadata(&path)?.is_some_and(|found| !found.is_dir()) {
            return Err(refused(&path, "not a folder"));
        }
    }
    for (name, most) in FILES {
        plain(&folder.join(name), most)?;
    }
    // The parts of a split index.
    each(folder, usize::MAX, &mut |path, name| {
        if name.starts_with("sharedindex.") {
            plain(path, TABLE)?;
        }
        Ok(())
    })
}

/// Refuses a repository whose refs or objects are in a form that is not read here.
fn known_form(root: &Path, common: &Path) -> Result<()> {
    let config = files::read_below(common, Path::new("config"), 1 << 20)?.unwrap_or_default();
    // One that makes no sense is reported where the repository is opened.
    let Ok(config) = gix::config::File::try_from(String::from_utf8_lossy(&config).as_ref()) else { return Ok(()) };
    let value = |name: &str| config.string(name).map(|value| value.to_string().to_ascii_lowercase());
    if let Some(form) = value("extensions.refStorage").filter(|form| form != "files") {
        let refs =
            Error::failed(format!("{}: its branches are stored as {form:?}, which is not read here", root.display()));
        let how = "git refs migrate --ref-format=files   (git 2.46 or newer; or clone again with --ref-format=files)";
        return Err(refs.hint(how));
    }
    if let Some(form) = value("extensions.objectFormat").filter(|form| form != "sha1") {
        let what = format!("{}: its commits have {form:?} ids; only SHA-1 is read here", root.display());
        return Err(Error::failed(what).hint("git cannot convert it: ask its owner for a repository with SHA-1"));
    }
    Ok(())
}

/// Follows `HEAD` as git does: each ref must be a plain file of this repository, and the chain must end.
fn leads_to_a_commit(own: &Path, common: &Path) -> Result<()> {
    let mut at = own.join("HEAD");
    for _ in 0..MOST_NAMES {
        let Some(text) = line(&at)? else { return Ok(()) };
        let Some(name) = text.strip_prefix("ref: ") else { return Ok(()) };
        let name = name.trim();
        if !name.starts_with("refs/") {
            return Err(refused(&at, format!("names {name:?}, which is not a branch")));
        }
        // A linked worktree's own branch takes precedence over the shared one.
        let mine = files::below(own, Path::new(name))?;
        at = if metadata(&mine)?.is_some() { mine } else { files::below(common, Path::new(name))? };
        if metadata(&at)?.is_some_and(|found| found.is_dir()) {
            return Ok(());
        }
        plain(&at, LINE)?;
    }
    Err(refused(&own.join("HEAD"), "leads in a circle"))
}

/// The object folders: this one and those named by its lists of alternates; and whether any of them holds packs
/// that git marks as incomplete (promisor packs).
fn stores(objects: &Path) -> Result<(Vec<PathBuf>, bool)> {
    let (mut found, mut next): (Vec<PathBuf>, Vec<PathBuf>) = (Vec::new(), vec![objects.to_owned()]);
    let mut partial = false;
    while let Some(store) = next.pop() {
        let store = store.canonicalize().failed(|| format!("{}: no such object folder", store.display()))?;
        if found.contains(&store) {
            continue;
        }
        if !store.is_dir() {
            return Err(refused(&store, "not an object folder"));
        }
        if found.len() >= MOST_STORES {
            return Err(refused(objects, format!("more than {MOST_STORES} object folders are chained behind it")));
        }
        let packs = store.join("pack");
        if metadata(&packs)?.is_some() {
            each(&packs, MOST_PACK_FILES, &mut |path, name| {
                partial |= name.ends_with(".promisor");
                plain(path, u64::MAX).map(|_| ())
            })?;
        }
        let list = store.join("info/alternates");
        plain(&list, LINE)?;
        if let Some(bytes) = files::read(&list, LINE)? {
            let named = gix::odb::alternate::parse(&bytes).failed(|| format!("{}: cannot read", list.display()))?;
            // As in gix: relative to the first of them.
            next.extend(named.into_iter().map(|named| objects.join(named)));
        }
        found.push(store);
    }
    Ok((found, partial))
}

/// Checks each entry of a folder that is not a folder itself.
fn each(folder: &Path, most: usize, look: &mut dyn FnMut(&Path, &str) -> Result<()>) -> Result<()> {
    let cannot = || format!("{}: cannot list", folder.display());
    for (count, entry) in fs::read_dir(folder).failed(cannot)?.enumerate() {
        let entry = entry.failed(cannot)?;
        if count >= most {
            return Err(refused(folder, format!("holds more than {most} files")));
        }
        if !entry.file_type().failed(cannot)?.is_dir() {
            look(&entry.path(), &entry.file_name().to_string_lossy())?;
        }
    }
    Ok(())
}

/// The size of a plain file of at most `most` bytes; `None` if it does not exist.
pub(super) fn plain(path: &Path, most: u64) -> Result<Option<u64>> {
    let Some(found) = metadata(path)? else { return Ok(None) };
    if found.is_symlink() {
        return Err(refused(path, "a link, which is not followed here"));
    }
    if !found.is_file() {
        return Err(refused(path, "not a plain file"));
    }
    if found.len() > most {
        return Err(refused(path, format!("larger than {most} bytes, the limit for this file")));
    }
    Ok(Some(found.len()))
}

fn metadata(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::file(path, "cannot be inspected").because(e)),
    }
}

fn refused(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::file(path, why).hint("a git folder is made by git alone: clone the competition instead of copying it")
}
