//! Trees, walked along the known paths only: the files at the top, `rounds/`, rounds, and players' folders.
//!
//! A tree may contain itself many times over, so that a few objects unfold to more paths than could ever be
//! visited: a folder that no competition has is never entered, and all entries are counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gix::ObjectId;
use gix::objs::tree::name_order;
use gix::objs::{Kind, TreeRefIter};

use super::GitReader;
use super::objects::LARGEST_TREE;
use crate::base::error::{Context as _, Error, Result};
use crate::model::file::FileKind;
use crate::model::ids::{Player, RoundNumber};

/// The most files of one commit: a hundred rounds of a thousand miners have fewer.
const MOST_FILES: usize = 200_000;

/// The most tree entries that are visited: a second or two.
const ENTRIES: u64 = 10_000_000;

/// What each commit adds to it: enough for a round of a thousand miners.
const ENTRIES_PER_COMMIT: u64 = 4_000;

/// The most paths at which something else may stand: an honest history has none.
const MOST_ODD: usize = 1_000;

/// The most players that are cached by name.
const MOST_PLAYERS: usize = 10_000;

/// The size in bytes of the cache of recent trees: a commit shares most of its parent's.
const KEPT: usize = 16 << 20;

/// A folder that a competition has.
#[derive(Debug, Clone)]
enum FolderKind {
    Top,
    Rounds,
    Round(RoundNumber),
    Player(RoundNumber, Player),
}

impl FolderKind {
    /// Its path, which ends in a slash.
    fn path(&self) -> String {
        match self {
            FolderKind::Top => String::new(),
            FolderKind::Rounds => "rounds/".to_owned(),
            FolderKind::Round(round) => format!("rounds/{round}/"),
            FolderKind::Player(round, player) => format!("rounds/{round}/{player}/"),
        }
    }

    /// The file of this name in this folder, if a competition has one.
    fn file(&self, name: &str) -> Option<FileKind> {
        match self {
            FolderKind::Top => FileKind::of_path(name),
            FolderKind::Rounds => None,
            FolderKind::Round(round) => FileKind::in_round(*round, name),
            FolderKind::Player(round, player) => FileKind::of_player(*round, player, name),
        }
    }
}

/// A file that differs between two trees, with its blob in the old one and in the new one.
#[derive(Debug, Clone)]
pub(super) struct Differing {
    pub(super) path: String,
    /// Which file of a competition of meshes it is, if any.
    pub(super) file: Option<FileKind>,
    pub(super) before: Option<ObjectId>,
    pub(super) after: Option<ObjectId>,
}

/// A tree entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TreeEntry<'a> {
    name: &'a [u8],
    folder: bool,
    id: ObjectId,
    /// What it is, if neither a file nor a folder.
    odd: Option<&'static str>,
}

impl TreeEntry<'_> {
    /// Its blob, if it is a file.
    fn blob(&self) -> Option<ObjectId> {
        (!self.folder && self.odd.is_none()).then_some(self.id)
    }
}

/// Walks trees within the limits.
pub(super) struct Walker<'a> {
    reader: &'a GitReader,
    kept: HashMap<ObjectId, Arc<Vec<u8>>>,
    kept_bytes: usize,
    /// Recently parsed players, by the names of their folders.
    players: HashMap<String, Player>,
    left: u64,
    /// Files of other formats that are told as well, by their paths.
    others: Option<fn(&str) -> bool>,
    /// What stands where a competition has something else, by path, since this was last taken.
    odd: BTreeMap<String, &'static str>,
    odd_ever: usize,
}

impl<'a> Walker<'a> {
    /// Walks the trees of this many commits.
    pub(super) fn new(reader: &'a GitReader, commits: usize) -> Self {
        let left = ENTRIES.saturating_add((commits as u64).saturating_mul(ENTRIES_PER_COMMIT));
        let (kept, players, odd) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        Walker { reader, kept, kept_bytes: 0, players, left, others: None, odd, odd_ever: 0 }
    }

    /// Tells files of other formats as well.
    pub(super) fn telling(mut self, others: Option<fn(&str) -> bool>) -> Self {
        self.others = others;
        self
    }

    /// What was found since the last call where a competition has something else: a link at a file's path and the
    /// like, which counts as no file.
    pub(super) fn take_odd(&mut self) -> BTreeMap<String, &'static str> {
        std::mem::take(&mut self.odd)
    }

    /// The files in which two trees differ, by path.
    pub(super) fn diff(&mut self, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<Vec<Differing>> {
        let mut found = Vec::new();
        self.compare(&FolderKind::Top, (old, new), &mut |_| true, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The files of a tree in the folders that `enters` accepts (their paths end in a slash).
    pub(super) fn files(
        &mut self,
        tree: ObjectId,
        mut enters: impl FnMut(&str) -> bool,
    ) -> Result<BTreeMap<String, ObjectId>> {
        let mut found = Vec::new();
        self.compare(&FolderKind::Top, (None, Some(tree)), &mut enters, &mut found)?;
        Ok(found.into_iter().filter_map(|file| Some((file.path, file.after?))).collect())
    }

    /// Checks that a whole tree can be walked within the limits, unknown folders included.
    pub(super) fn unfolds(&mut self, tree: ObjectId) -> Result<()> {
        let mut next = vec![tree];
        while let Some(tree) = next.pop() {
            let bytes = self.tree(Some(tree))?;
            let entries = self.entries(&bytes, Some(tree))?;
            next.extend(entries.into_iter().filter(|entry| entry.folder).map(|entry| entry.id));
        }
        Ok(())
    }

    fn compare(
        &mut self,
        at: &FolderKind,
        (old, new): (Option<ObjectId>, Option<ObjectId>),
        enters: &mut dyn FnMut(&str) -> bool,
        found: &mut Vec<Differing>,
    ) -> Result<()> {
        let path = at.path();
        if old == new || !(path.is_empty() || enters(&path)) {
            return Ok(());
        }
        let (before, after) = (self.tree(old)?, self.tree(new)?);
        let (old, new) = (self.entries(&before, old)?, self.entries(&after, new)?);
        for (was, is) in differing(&old, &new) {
            let Some(entry) = was.or(is) else { continue };
            let Ok(name) = std::str::from_utf8(entry.name) else { continue };
            let file = at.file(name);
            let is_file = file.is_some() || self.others.is_some_and(|knows| knows(&format!("{path}{name}")));
            let folder = if is_file { None } else { self.folder(at, name) };
            let odd = is.and_then(|is| match is.odd {
                Some(odd) => (is_file || folder.is_some()).then_some(odd),
                None if is.folder => is_file.then_some("a folder"),
                None => folder.is_some().then_some("a file in place of a folder"),
            });
            if let Some(odd) = odd {
                self.note(format!("{path}{name}"), odd)?;
            }
            if entry.folder {
                if let Some(folder) = folder {
                    self.compare(&folder, (was.map(|was| was.id), is.map(|is| is.id)), enters, found)?;
                }
            } else if is_file {
                let (before, after) = (was.and_then(|was| was.blob()), is.and_then(|is| is.blob()));
                // A file that only became executable differs in nothing that is read.
                if before != after {
                    found.push(Differing { path: format!("{path}{name}"), file, before, after });
                }
            }
            // Comparing names and parsing keys costs more than passing an entry.
            self.count(16)?;
            if found.len() > MOST_FILES {
                return Err(self.too_much(&format!("a commit has or changes more than {MOST_FILES} files")));
            }
        }
        Ok(())
    }

    fn note(&mut self, path: String, odd: &'static str) -> Result<()> {
        self.odd_ever += 1;
        if self.odd_ever > MOST_ODD {
            return Err(self.too_much(&format!("it has links and the like at more than {MOST_ODD} paths of files")));
        }
        self.odd.insert(path, odd);
        Ok(())
    }

    /// The folder of this name in this one, if a competition has one.
    fn folder(&mut self, at: &FolderKind, name: &str) -> Option<FolderKind> {
        match at {
            FolderKind::Top => (name == "rounds").then_some(FolderKind::Rounds),
            FolderKind::Rounds => name.parse().ok().map(FolderKind::Round),
            FolderKind::Round(round) => {
                // The checksum in an SS58 hotkey is expensive: hence the cache.
                if let Some(player) = self.players.get(name) {
                    return Some(FolderKind::Player(*round, player.clone()));
                }
                let player: Player = name.parse().ok()?;
                if self.players.len() >= MOST_PLAYERS {
                    self.players.clear();
                }
                self.players.insert(name.to_owned(), player.clone());
                Some(FolderKind::Player(*round, player))
            }
            FolderKind::Player(..) => None,
        }
    }

    /// The bytes of a tree; empty if there is none.
    fn tree(&mut self, id: Option<ObjectId>) -> Result<Arc<Vec<u8>>> {
        let Some(id) = id else { return Ok(Arc::default()) };
        if let Some(kept) = self.kept.get(&id) {
            return Ok(kept.clone());
        }
        let mut bytes = self.reader.object(id, Kind::Tree, LARGEST_TREE)?;
        bytes.shrink_to_fit();
        if self.kept_bytes.saturating_add(bytes.len()) > KEPT {
            self.kept.clear();
            self.kept_bytes = 0;
        }
        self.kept_bytes += bytes.len();
        let bytes = Arc::new(bytes);
        self.kept.insert(id, bytes.clone());
        Ok(bytes)
    }

    /// The entries of a tree, in git's order, each name once.
    fn entries<'t>(&mut self, tree: &'t [u8], id: Option<ObjectId>) -> Result<Vec<TreeEntry<'t>>> {
        let name = || id.map(|id| id.to_string()).unwrap_or_default();
        let what = || self.reader.cannot(&format!("read tree {}", name()));
        let mut entries: Vec<TreeEntry<'t>> = Vec::new();
        let mut last: Option<(&[u8], bool)> = None;
        let mut count = 0;
        for entry in TreeRefIter::from_bytes(tree, self.reader.hash()) {
            let entry = entry.failed(what)?;
            let (name, folder): (&[u8], bool) = (entry.filename, entry.mode.is_tree());
            if last.is_some_and(|(last, was)| !name_order(last, was, name, folder).is_lt()) {
                return Err(Error::failed(what() + ": its names are out of order"));
            }
            last = Some((name, folder));
            let odd = match entry.mode {
                mode if folder || mode.is_blob() => None,
                mode if mode.is_link() => Some("a symbolic link"),
                mode if mode.is_commit() => Some("a submodule"),
                _ => Some("neither a file nor a folder"),
            };
            entries.push(TreeEntry { name, folder, id: entry.oid.to_owned(), odd });
            count += 1;
        }
        self.count(count)?;
        Ok(entries)
    }

    fn count(&mut self, entries: u64) -> Result<()> {
        self.left = match self.left.checked_sub(entries) {
            Some(left) => left,
            None => return Err(self.too_much("its trees unfold to too many files")),
        };
        Ok(())
    }

    fn too_much(&self, why: &str) -> Error {
        super::too_much(&self.reader.root, why)
    }
}

/// The entries that are not the same in both sorted lists.
fn differing<'a>(old: &[TreeEntry<'a>], new: &[TreeEntry<'a>]) -> Vec<(Option<TreeEntry<'a>>, Option<TreeEntry<'a>>)> {
    let (mut old, mut new) = (old.iter().copied().peekable(), new.iter().copied().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => name_order(a.name, a.folder, b.name, b.folder),
        };
        let pair = (if order.is_le() { old.next() } else { None }, if order.is_ge() { new.next() } else { None });
        if pair.0 != pair.1 {
            found.push(pair);
        }
    }
}
