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

/// A tree entry that may be a file or a folder of a competition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TreeEntry<'a> {
    name: &'a [u8],
    folder: bool,
    id: ObjectId,
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
}

impl<'a> Walker<'a> {
    /// Walks the trees of this many commits.
    pub(super) fn new(reader: &'a GitReader, commits: usize) -> Self {
        let left = ENTRIES.saturating_add((commits as u64).saturating_mul(ENTRIES_PER_COMMIT));
        Walker { reader, kept: HashMap::new(), kept_bytes: 0, players: HashMap::new(), left, others: None }
    }

    /// Tells files of other formats as well.
    pub(super) fn telling(mut self, others: Option<fn(&str) -> bool>) -> Self {
        self.others = others;
        self
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
            let entries = self.entries(&bytes)?;
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
        let (old, new) = (self.tree(old)?, self.tree(new)?);
        let (old, new) = (self.entries(&old)?, self.entries(&new)?);
        for (was, is) in differing(&old, &new) {
            let Some(entry) = was.or(is) else { continue };
            let (was, is) = (was.map(|entry| entry.id), is.map(|entry| entry.id));
            let Ok(name) = std::str::from_utf8(entry.name) else { continue };
            if !entry.folder {
                let file = at.file(name);
                if file.is_some() || self.others.is_some_and(|knows| knows(&format!("{path}{name}"))) {
                    found.push(Differing { path: format!("{path}{name}"), file, before: was, after: is });
                }
            } else if let Some(folder) = self.folder(at, name) {
                self.compare(&folder, (was, is), enters, found)?;
            }
            // Comparing names and parsing keys costs more than passing an entry.
            self.count(16)?;
            if found.len() > MOST_FILES {
                return Err(self.too_much(&format!("a commit has or changes more than {MOST_FILES} files")));
            }
        }
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

    /// The plain files and folders of a tree, in git's order, each name once.
    fn entries<'t>(&mut self, tree: &'t [u8]) -> Result<Vec<TreeEntry<'t>>> {
        let what = || self.reader.cannot("read a tree");
        let mut entries: Vec<TreeEntry<'t>> = Vec::new();
        let mut last: Option<(&[u8], bool)> = None;
        let mut count = 0;
        for entry in TreeRefIter::from_bytes(tree, self.reader.hash()) {
            let entry = entry.failed(what)?;
            let (name, folder): (&[u8], bool) = (entry.filename, entry.mode.is_tree());
            if last.is_some_and(|(last, was)| !name_order(last, was, name, folder).is_lt()) {
                return Err(Error::failed(self.reader.cannot("read a tree whose names are out of order")));
            }
            last = Some((name, folder));
            if folder || entry.mode.is_blob() {
                entries.push(TreeEntry { name, folder, id: entry.oid.to_owned() });
            }
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
