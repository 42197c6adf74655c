//! Where a checkout comes from: the remote and the branch that it follows, as the repository's own configuration says,
//! which anyone may have written. Nothing is asked of the remote.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Component, Path};

use gix::ObjectId;

use super::Git;
use super::address::address;
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;

/// Size limit of a ref, and of the list of packed ones.
const REF: u64 = 64 << 10;
const PACKED: u64 = 64 << 20;

/// The most refs of one kind that are read, and how deep their folders go.
const MOST_REFS: usize = 10_000;
const DEEPEST: usize = 16;

/// The most commits that are read to compare two of them.
const MOST_COMMITS: usize = 500_000;

/// The remote that a checkout comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its address as git resolves it, the same for all spellings, without secrets.
    pub address: String,
    /// The address that is written down, where `url.*.insteadOf` makes another one of it.
    pub written: Option<String>,
    /// Its name here.
    pub remote: String,
}

/// What a checkout follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A branch of a remote.
    Branch(Upstream),
    /// No branch: a commit by itself is checked out. The remote's branches and their last commits, as of the last fetch,
    /// its default one first.
    Commit(Origin, Vec<(String, String)>),
}

/// The branch of a remote that a checkout follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The remote.
    pub origin: Origin,
    /// The branch's name there.
    pub branch: String,
    /// The branch's last commit, as of the last fetch.
    pub tip: String,
}

/// The address that git fetches from: of several, the first; an empty one takes those before it away.
pub(super) fn first_url(config: &gix::config::Snapshot<'_>, remote: &str) -> Option<String> {
    let urls = config.plumbing().strings_by("remote", remote, "url").unwrap_or_default();
    let begun = urls.iter().rposition(|url| url.is_empty()).map_or(0, |at| at + 1);
    urls.get(begun).map(ToString::to_string)
}

impl Git {
    /// What this checkout follows, or why that is unknown.
    ///
    /// # Errors
    /// The configuration or a ref cannot be read.
    pub fn upstream(&self) -> Result<std::result::Result<Followed, String>> {
        let repo = self.local();
        let here = repo.head_name().failed(|| self.cannot("read HEAD"))?.map(|name| name.shorten().to_string());
        let config = repo.config_snapshot();
        let value = |section: &str, name: &str, key: &str| {
            let value = config.plumbing().string_by(section, name, key);
            value.map(|value| value.to_string()).filter(|value| !value.is_empty())
        };
        let of_branch = |key: &str| here.as_deref().and_then(|branch| value("branch", branch, key));
        let tracked = of_branch("remote").filter(|remote| remote != ".");
        let sections = config.plumbing().sections_by_name("remote").into_iter().flatten();
        let names = sections.filter_map(|section| section.header().subsection_name().map(ToString::to_string));
        let names: BTreeSet<String> = names.filter(|name| first_url(&config, name).is_some()).collect();
        let origin = || names.get("origin").cloned();
        let only = || names.first().cloned().filter(|_| names.len() == 1);
        let Some(remote) = tracked.clone().or_else(origin).or_else(only) else {
            return Ok(Err(if names.is_empty() {
                "this repository has no remote".to_owned()
            } else {
                "the branch follows none of several remotes (git branch --set-upstream-to=REMOTE/BRANCH)".to_owned()
            }));
        };
        let url = first_url(&config, &remote).unwrap_or_else(|| remote.clone());
        let merges = of_branch("merge").filter(|_| tracked.is_some());
        let merges = merges.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
        let (written, resolved) = (address(&url, &self.root), address(&self.resolved(&url)?, &self.root));
        let written = Some(written).filter(|written| *written != resolved);
        let origin = Origin { address: resolved, written, remote };
        let Some(branch) = merges.or(here) else { return self.without_a_branch(origin).map(Ok) };
        let remote = &origin.remote;
        Ok(match self.ref_at(&format!("refs/remotes/{remote}/{branch}"))? {
            Some(tip) => Ok(Followed::Branch(Upstream { origin, branch, tip: tip.to_string() })),
            // A name of one's own for it, or of a branch that is gone there, hides nothing.
            None if !self.refs_below(&format!("refs/remotes/{remote}"))?.is_empty() => {
                return self.without_a_branch(origin).map(Ok);
            }
            None => Err(format!("{remote} has no branch {branch}, as far as is known here (git fetch {remote})")),
        })
    }

    /// What a checkout without a branch follows: the one branch of the remote whose last commit it is, as in CI, if any.
    fn without_a_branch(&self, origin: Origin) -> Result<Followed> {
        let below = format!("refs/remotes/{}", origin.remote);
        let (head, tips) = (self.head()?, self.refs_below(&below)?);
        let mut here = tips.iter().filter(|(_, tip)| Some(**tip) == head);
        if let (Some((branch, tip)), None) = (here.next(), here.next()) {
            return Ok(Followed::Branch(Upstream { origin, branch: branch.clone(), tip: tip.to_string() }));
        }
        let default = self.default_branch(&below)?;
        let mut tips: Vec<_> = tips.into_iter().map(|(branch, tip)| (branch, tip.to_string())).collect();
        tips.sort_by_key(|(branch, _)| Some(branch) != default.as_ref());
        Ok(Followed::Commit(origin, tips))
    }

    /// The remote's default branch, as of the clone.
    fn default_branch(&self, below: &str) -> Result<Option<String>> {
        let name = format!("{below}/HEAD");
        if !is_below(&name) {
            return Ok(None);
        }
        let text = files::read_below(self.local().common_dir(), Path::new(&name), REF)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let named = text.strip_prefix("ref: ").and_then(|rest| rest.trim().strip_prefix(below)?.strip_prefix('/'));
        Ok(named.map(str::to_owned))
    }

    /// The objects that `git replace` and grafts put something else in place of, in what git shows here. gen404 reads
    /// the objects themselves.
    ///
    /// # Errors
    /// A list cannot be read.
    pub fn stood_in_for(&self) -> Result<Vec<String>> {
        let replaced = self.refs_below("refs/replace")?.into_keys();
        let grafts = files::read_below(self.local().common_dir(), Path::new("info/grafts"), PACKED)?;
        let grafts = String::from_utf8_lossy(&grafts.unwrap_or_default()).into_owned();
        let grafted =
            grafts.lines().filter_map(|line| line.split_whitespace().next()).filter(|id| !id.starts_with('#'));
        Ok(replaced.chain(grafted.map(str::to_owned)).collect())
    }

    /// The commit that a ref names; `None` if there is no such ref, or it names another one.
    fn ref_at(&self, name: &str) -> Result<Option<ObjectId>> {
        // What the configuration says may be no name of a ref.
        if !is_below(name) {
            return Ok(None);
        }
        match files::read_below(self.local().common_dir(), Path::new(name), REF)? {
            Some(text) => Ok(std::str::from_utf8(&text).ok().and_then(|text| id_of(text.trim()))),
            None => Ok(packed(&self.packed_refs()?).find(|(of, _)| *of == name).map(|(_, id)| id)),
        }
    }

    /// The refs below a folder such as `refs/remotes/origin`, by their names in it: a plenty of them. Symbolic ones are
    /// left out.
    fn refs_below(&self, folder: &str) -> Result<BTreeMap<String, ObjectId>> {
        if !is_below(folder) {
            return Ok(BTreeMap::new());
        }
        let repo = self.local();
        let common = repo.common_dir();
        let within = |name: &str| Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        let listed = self.packed_refs()?;
        let listed = packed(&listed).filter_map(|(name, id)| Some((within(name)?, id)));
        let mut found: BTreeMap<String, ObjectId> = listed.take(MOST_REFS).collect();
        let mut folders = vec![(folder.to_owned(), 0)];
        while let Some((at, depth)) = folders.pop() {
            for entry in files::list(&files::below(common, Path::new(&at))?)? {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = format!("{at}/{name}");
                let kind = entry.file_type().failed(|| self.cannot(&format!("list {at}")))?;
                if kind.is_dir() && depth < DEEPEST {
                    folders.push((path, depth + 1));
                } else if !kind.is_dir() {
                    let text = files::read_below(common, Path::new(&path), REF)?.unwrap_or_default();
                    let id = std::str::from_utf8(&text).ok().and_then(|text| id_of(text.trim()));
                    found.extend(within(&path).zip(id));
                }
                if found.len() >= 2 * MOST_REFS || folders.len() >= MOST_REFS {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    fn packed_refs(&self) -> Result<String> {
        let bytes = files::read_below(self.local().common_dir(), Path::new("packed-refs"), PACKED)?;
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    }

    /// Is `wanted` this commit, or in its history? Not, where a shallow clone lacks what would tell.
    ///
    /// # Errors
    /// A commit is missing or broken, or there are too many.
    pub fn reached(&self, tip: &str, wanted: &str) -> Result<bool> {
        let named = |id: &str| id_of(id).ok_or_else(|| Error::failed(self.cannot(&format!("read commit {id}"))));
        let (tip, wanted, reader) = (named(tip)?, named(wanted)?, self.reader());
        let cut = self.local().shallow_commits().failed(|| self.cannot("read the history"))?;
        let (mut seen, mut next) = (HashSet::from([tip]), vec![tip]);
        while let Some(id) = next.pop() {
            if id == wanted {
                return Ok(true);
            }
            if cut.as_ref().is_some_and(|cut| cut.contains(&id)) {
                continue;
            }
            next.extend(reader.commit(id)?.parents.into_iter().filter(|parent| seen.insert(*parent)));
            if seen.len() > MOST_COMMITS {
                return Err(super::too_much(&self.root, &format!("it has more than {MOST_COMMITS} commits")));
            }
        }
        Ok(false)
    }

    /// The id of a commit's tree.
    ///
    /// # Errors
    /// There is no such commit.
    pub fn tree_id(&self, commit: &str) -> Result<String> {
        let id = ObjectId::from_hex(commit.as_bytes()).failed(|| self.cannot(&format!("read commit {commit}")))?;
        Ok(self.reader().commit(id)?.tree.to_string())
    }
}

/// The refs of the packed list.
fn packed(list: &str) -> impl Iterator<Item = (&str, ObjectId)> {
    list.lines().filter_map(|line| line.split_once(' ')).filter_map(|(id, name)| Some((name, id_of(id)?)))
}

/// Does a name stay below the git folder?
fn is_below(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

fn id_of(hex: &str) -> Option<ObjectId> {
    ObjectId::from_hex(hex.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `git fetch` asks, and so what was compared with: a second address is where `git push` also goes.
    #[test]
    fn of_several_addresses_git_fetches_from_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let repo = gix::init(folder.path()).unwrap();
        let fetched_from = |urls: &str| {
            let path = repo.git_dir().join("config");
            std::fs::write(&path, format!("[core]\nrepositoryformatversion = 0\n[remote \"o\"]\n{urls}")).unwrap();
            first_url(&gix::open(folder.path()).unwrap().config_snapshot(), "o")
        };
        assert_eq!(fetched_from("url = one\nurl = two\n").as_deref(), Some("one"));
        assert_eq!(fetched_from("url = one\nurl =\nurl = two\n").as_deref(), Some("two"));
        assert_eq!(fetched_from("pushurl = one\n"), None);
    }
}
