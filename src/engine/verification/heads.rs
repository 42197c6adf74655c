//! The heads that were verified last on this machine: a file of the user's own, since a new clone of a history that was
//! rewritten knows nothing of the old one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::base::error::{Context as _, Error, Result};
use crate::base::files::{self, Readers};
use crate::model::ids::CommitSha;
use crate::settings::flags::env;

/// The form of the file.
const FORM: &str = "gen404/heads/1";

/// The most branches that are remembered. None is ever forgotten to make room: that would undo what the file is for.
const MOST_HEADS: usize = 10_000;

/// Size limit of the file.
const MOST_BYTES: u64 = 8 << 20;

/// How long another run may hold the file: it only writes a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The file of remembered heads.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    path: PathBuf,
}

/// A branch of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The remote's address.
    pub(crate) address: String,
    /// The branch's name there.
    pub(crate) name: String,
}

/// The head of each branch, by the remote's address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    heads: BTreeMap<String, BTreeMap<String, CommitSha>>,
}

impl Heads {
    /// The file that is named, else the one in the user's folder of states; an error where there is no such folder.
    ///
    /// # Errors
    /// It is not named, and the environment has no folder for it.
    pub(crate) fn at(named: Option<&Path>) -> Result<Heads> {
        if let Some(path) = named {
            return Ok(Heads { path: path.to_owned() });
        }
        let folder = |name: &str| env(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
        let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
        let state = state.or_else(|| folder("LOCALAPPDATA"));
        let state =
            state.ok_or_else(|| Error::failed("HOME and XDG_STATE_HOME are not set: --heads FILE names a file"))?;
        Ok(Heads { path: state.join("gen404/heads.json") })
    }

    /// The remembered head of each branch of a remote.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub(crate) fn of(&self, address: &str) -> Result<BTreeMap<String, String>> {
        let branches = self.load()?.heads.remove(address).unwrap_or_default();
        Ok(branches.into_iter().map(|(branch, head)| (branch, head.to_string())).collect())
    }

    /// Remembers a branch's head, unless the file has by now one that it may not take the place of.
    ///
    /// # Errors
    /// The file cannot be read or written, or is full.
    pub(crate) fn remember(&self, of: &Branch, head: &str, may_replace: impl Fn(&str) -> bool) -> Result<()> {
        let head: CommitSha = head.parse().map_err(|_| Error::failed(format!("{head}: not a commit's id")))?;
        if let Some(folder) = self.path.parent() {
            files::make_folder(folder)?;
        }
        let _lock = self.lock()?;
        let mut file = self.load()?;
        let known = file.heads.get(&of.address).and_then(|branches| branches.get(&of.name));
        if known.is_some_and(|known| *known == head || !may_replace(known.as_str())) {
            return Ok(());
        }
        if known.is_none() && file.heads.values().map(BTreeMap::len).sum::<usize>() >= MOST_HEADS {
            let full = Error::file(&self.path, format!("has {MOST_HEADS} heads, and takes no more"));
            return Err(full.hint("remove those of competitions that you no longer verify"));
        }
        file.heads.entry(of.address.clone()).or_default().insert(of.name.clone(), head);
        let text = serde_json::to_string_pretty(&file).failed(|| format!("{}: cannot write", self.path.display()))?;
        files::write(&self.path, (text + "\n").as_bytes(), Readers::Own)
    }

    fn load(&self) -> Result<File> {
        let Some(bytes) = files::read(&self.path, MOST_BYTES)? else {
            return Ok(File { format: FORM.to_owned(), heads: BTreeMap::new() });
        };
        let hint = "restore it, or move it away: what it remembers is then forgotten";
        let file: File = serde_json::from_slice(&bytes)
            .map_err(|e| Error::file(&self.path, format!("not a list of verified heads: {e}")).hint(hint))?;
        if file.format != FORM {
            let other = Error::file(&self.path, format!("has the form {:?}, not {FORM:?}", file.format));
            return Err(other.hint("a newer gen404 may have written it"));
        }
        Ok(file)
    }

    /// Keeps other runs from writing until it is dropped.
    fn lock(&self) -> Result<std::fs::File> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        let (file, begun) = (files::update(&path)?, Instant::now());
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(e) => return Err(Error::file(&path, "cannot lock").because(e)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(address: &str, name: &str) -> Branch {
        Branch { address: address.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn heads_are_kept_by_remote_and_branch_and_only_moved_where_they_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let heads = Heads::at(Some(&folder.path().join("new/heads.json"))).unwrap();
        assert!(heads.of("host/a").unwrap().is_empty());
        let [one, two, three] = ["1", "2", "3"].map(|digit| digit.repeat(40));
        heads.remember(&branch("host/a", "main"), &one, |_| false).unwrap();
        heads.remember(&branch("host/a", "next"), &two, |_| false).unwrap();
        heads.remember(&branch("host/b", "main"), &three, |_| false).unwrap();
        heads.remember(&branch("host/a", "main"), &three, |known| known != one).unwrap();
        let of_a = heads.of("host/a").unwrap();
        assert_eq!(of_a, BTreeMap::from([("main".to_owned(), one.clone()), ("next".to_owned(), two)]));
        heads.remember(&branch("host/a", "main"), &three, |known| known == one).unwrap();
        assert_eq!(heads.of("host/a").unwrap()["main"], three);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.json");
        let heads = Heads::at(Some(&path)).unwrap();
        for text in [
            "",
            "{}",
            "{\"format\":\"gen404/heads/2\",\"heads\":{}}",
            "{\"format\":\"gen404/heads/1\",\"heads\":{\"a\":{\"b\":\"c\"}}}",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(heads.of("host/a").is_err(), "{text}");
            assert!(heads.remember(&branch("host/a", "main"), &"1".repeat(40), |_| true).is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_runs_do_not_lose_each_others_heads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.json");
        std::thread::scope(|scope| {
            for at in 0..8 {
                let heads = Heads::at(Some(&path)).unwrap();
                let of = branch(&format!("host/{at}"), "main");
                scope.spawn(move || heads.remember(&of, &"1".repeat(40), |_| true).is_ok());
            }
        });
        assert_eq!(Heads::at(Some(&path)).unwrap().load().unwrap().heads.len(), 8);
    }
}
