//! What has to hold of git's own files before anything in them is believed.
//!
//! A `.git` may come out of an archive that somebody else packed. Opening it reads files by name, so each of
//! these has to be a plain file of a size that fits it (a FIFO would hang, a device never end), and none may
//! be reached through a link.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;

/// The largest file that holds one name or one path.
const LINE: u64 = 64 << 10;

/// The largest configuration, list of excludes, or list of shallow commits.
const TEXT: u64 = 16 << 20;

/// The largest index or list of packed refs: a hundred times those of a large competition.
const TABLE: u64 = 64 << 20;

/// git's files that are read by name, and how large each may be.
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

/// git's folders that are looked into.
const FOLDERS: [&str; 6] = ["info", "refs", "objects", "objects/info", "objects/pack", OWN];

/// The operator's own folder.
pub(super) const OWN: &str = "gen404";

/// So many folders of objects may stand behind one another.
const MOST_STORES: usize = 16;

/// So many files may lie in a folder of packs: `git gc` packs again from 50 on.
const MOST_PACK_FILES: usize = 20_000;

/// `HEAD` leads to a commit by at most so many names, as in git.
const MOST_NAMES: usize = 5;

/// Where a repository's own things lie, after they were looked at.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The folders of objects: its own first.
    pub(super) objects: Vec<PathBuf>,
    /// The clone is a partial one: what it lacks lies at its remote.
    pub(super) partial: bool,
}

/// Looks at the git folder of the checkout at `root`; `None` where there is none.
pub(super) fn look(root: &Path) -> Result<Option<Places>> {
    let dot = root.join(".git");
    let Some(found) = metadata(&dot)? else { return Ok(None) };
    let (own, common) = if found.is_dir() {
        if metadata(&dot.join("commondir"))?.is_some() {
            return Err(refused(&dot.join("commondir"), "this belongs into a linked worktree's folder only"));
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
    leads_to_a_commit(&own, &common)?;
    let (objects, partial) = stores(&common.join("objects"))?;
    Ok(Some(Places { objects, partial }))
}

/// The git folder that a `.git` file names, and the one that it shares: both have to know of this checkout,
/// or anybody's file could name the folder of another repository.
fn linked(root: &Path, dot: &Path) -> Result<(PathBuf, PathBuf)> {
    let text = line(dot)?.unwrap_or_default();
    let Some(path) = text.strip_prefix("gitdir: ") else { return Err(refused(dot, "no file of git")) };
    let cannot = |path: &Path| format!("{}: names {}, which cannot be found", dot.display(), path.display());
    let real = |path: PathBuf| path.canonicalize().failed(|| cannot(&path));
    let own = real(root.join(path))?;
    let elsewhere = || refused(dot, format!("names {}, which knows nothing of this checkout", own.display()));
    let Some(common) = line(&own.join("commondir"))? else {
        // A submodule: the folder's configuration names its checkout.
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

/// The one line of a small file; `None` where there is none.
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
            return Err(refused(&path, "no folder"));
        }
    }
    for (name, most) in FILES {
        plain(&folder.join(name), most)?;
    }
    // Parts of an index that is split.
    each(folder, usize::MAX, &mut |path, name| {
        if name.starts_with("sharedindex.") {
            plain(path, TABLE)?;
        }
        Ok(())
    })
}

/// Follows `HEAD` as git does: each name on the way is a plain file of this repository, and there is an end.
fn leads_to_a_commit(own: &Path, common: &Path) -> Result<()> {
    let mut at = own.join("HEAD");
    for _ in 0..MOST_NAMES {
        let Some(text) = line(&at)? else { return Ok(()) };
        let Some(name) = text.strip_prefix("ref: ") else { return Ok(()) };
        let name = name.trim();
        if !name.starts_with("refs/") {
            return Err(refused(&at, format!("names {name:?}, which is no branch")));
        }
        // A branch of a linked worktree's own comes before the one that all share.
        let mine = files::below(own, Path::new(name))?;
        at = if metadata(&mine)?.is_some() { mine } else { files::below(common, Path::new(name))? };
        if metadata(&at)?.is_some_and(|found| found.is_dir()) {
            return Ok(());
        }
        plain(&at, LINE)?;
    }
    Err(refused(&own.join("HEAD"), "leads in a circle"))
}

/// The folders of objects: this one, and those that its lists of alternates name; and whether any holds packs
/// of which git knows that they lack something.
fn stores(objects: &Path) -> Result<(Vec<PathBuf>, bool)> {
    let (mut found, mut next): (Vec<PathBuf>, Vec<PathBuf>) = (Vec::new(), vec![objects.to_owned()]);
    let mut partial = false;
    while let Some(store) = next.pop() {
        let store = store.canonicalize().failed(|| format!("{}: no such folder of objects", store.display()))?;
        if found.contains(&store) {
            continue;
        }
        if !store.is_dir() {
            return Err(refused(&store, "no folder of objects"));
        }
        if found.len() >= MOST_STORES {
            return Err(refused(objects, format!("more than {MOST_STORES} folders of objects stand behind it")));
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
            // As gix does: relative to the first of them.
            next.extend(named.into_iter().map(|named| objects.join(named)));
        }
        found.push(store);
    }
    Ok((found, partial))
}

/// Looks at each entry of a folder that is no folder itself.
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

/// A file that may be missing, and else is a plain one of at most `most` bytes.
pub(super) fn plain(path: &Path, most: u64) -> Result<Option<u64>> {
    let Some(found) = metadata(path)? else { return Ok(None) };
    if found.is_symlink() {
        return Err(refused(path, "a link, which is not followed here"));
    }
    if !found.is_file() {
        return Err(refused(path, "not a plain file"));
    }
    if found.len() > most {
        return Err(refused(path, format!("larger than {most} bytes, the most that is read here")));
    }
    Ok(Some(found.len()))
}

fn metadata(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::file(path, "cannot be looked at").because(e)),
    }
}

fn refused(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::file(path, why).hint("a git folder is made by git alone: clone the competition instead of copying it")
}
