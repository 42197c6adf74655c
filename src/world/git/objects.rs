//! Objects are read whole, so what they cost is looked at first: their size, what they unfold from, and what
//! all of them come to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use gix::ObjectId;

use super::guard::{self, Places};
use super::packs::{Packs, Weight};
use crate::base::error::{Context as _, Error, Kind, Result};

/// The largest commit: the largest of the real ones has 2 kB, a signature a few more.
pub(super) const LARGEST_COMMIT: u64 = 1 << 20;

/// The largest tree: 100,000 files in one folder.
pub(super) const LARGEST_TREE: u64 = 8 << 20;

/// The largest file of any kind.
pub(super) const LARGEST_BLOB: u64 = 64 << 20;

/// What needs more memory than this is read by one thread at a time.
const BESIDE_OTHERS: u64 = 24 << 20;

/// The most memory that one object may need while it is read: two of the largest, and the differences.
const AT_ONCE: u64 = 2 * LARGEST_BLOB + (32 << 20);

/// What the objects of a repository may unfold to, in bytes made on the way: a second or two.
const ALLOWANCE: u64 = 8 << 30;

/// What each commit adds to it. One of the real ones costs 2 MB, mostly for the differences that a matrix
/// with a new row stands on.
const PER_COMMIT: u64 = 4 << 20;

/// What finding an object costs, in bytes.
const PER_OBJECT: u64 = 16 << 10;

/// zlib makes no more than so many bytes of one.
const LARGEST_RATIO: u64 = 1032;

/// How git is opened for reading: nothing that the repository's own configuration says chooses paths or
/// limits, it includes no other file, and no object stands in for another one.
pub(super) fn for_reading(limit: u64) -> gix::open::Options {
    gix::open::Options::isolated().with(gix::sec::Trust::Reduced).cli_overrides([
        format!("gitoxide.objects.allocLimit={limit}"),
        format!("core.deltaBaseCacheLimit={BESIDE_OTHERS}"),
        "core.useReplaceRefs=false".to_owned(),
        "core.multiPackIndex=false".to_owned(),
    ])
}

/// How git is opened for writing: as the user has set it up, who commits included.
pub(super) fn for_writing() -> gix::open::Options {
    gix::open::Options::default()
        .cli_overrides([format!("gitoxide.objects.allocLimit={AT_ONCE}"), "core.useReplaceRefs=false".to_owned()])
}

/// What is known of a repository's objects, for all of its readers together.
#[derive(Debug)]
pub(super) struct Objects {
    root: PathBuf,
    places: Places,
    packs: OnceLock<Packs>,
    /// What may still be spent.
    left: AtomicU64,
    /// The repository as it is opened for objects that need much memory.
    roomy: Mutex<Option<gix::Repository>>,
}

impl Objects {
    pub(super) fn new(root: &Path, places: Places) -> Objects {
        let (packs, roomy) = (OnceLock::new(), Mutex::new(None));
        Objects { root: root.to_owned(), places, packs, left: AtomicU64::new(ALLOWANCE), roomy }
    }

    pub(super) fn open(root: &Path) -> Result<gix::ThreadSafeRepository> {
        let opened = for_reading(BESIDE_OTHERS).open(root);
        opened.failed(|| format!("{}: cannot open the git repository", root.display()))
    }

    /// A history of so many commits may cost so much more.
    pub(super) fn allow(&self, commits: usize) {
        let more = (commits as u64).saturating_mul(PER_COMMIT);
        self.left.store(ALLOWANCE.saturating_add(more), Ordering::Relaxed);
    }

    /// Reads an object of at most `most` bytes.
    pub(super) fn read(
        &self,
        repo: &gix::Repository,
        id: ObjectId,
        kind: gix::objs::Kind,
        most: u64,
    ) -> Result<Vec<u8>> {
        let place = || format!("{}: {kind} {id}", self.root.display());
        let weight = self.weigh(repo, id, most).failed(|| format!("{} cannot be read", place()))?;
        let weight = weight.ok_or_else(|| self.missing(&place()))?;
        if weight.size > most {
            return Err(Error::failed(format!("{} has {} bytes; at most {most} are read", place(), weight.size)));
        }
        if weight.memory > AT_ONCE {
            let unfolds = format!("{} unfolds to {} bytes on the way; {AT_ONCE} is the most", place(), weight.memory);
            return Err(Error::failed(unfolds));
        }
        self.spend(weight.work.saturating_add(PER_OBJECT))?;
        let found = self.find(repo, id, weight.memory);
        let object = found.context(Kind::Damaged, || format!("{} cannot be read", place()))?;
        if object.kind != kind {
            return Err(Error::failed(format!("{} is a {}", place(), object.kind)));
        }
        if weight.work == 0 {
            self.spend(object.data.len() as u64)?;
        }
        Ok(object.data)
    }

    /// An object is not here. Of a partial clone that says nothing of the competition: it is fetched first, by
    /// whoever trusts this repository's configuration, which names programs that git would run.
    fn missing(&self, object: &str) -> Error {
        if !self.places.partial {
            let missing = Error::new(Kind::Damaged, format!("{object} cannot be read: it is not there"));
            return missing.hint("`git fsck` says what else is damaged; a new clone has it all");
        }
        let partial = Error::outside(format!("{object} is not here: this is a partial clone (git clone --filter)"));
        let root = self.root.display();
        partial.hint(format!("git -C {root} fetch --refetch --no-filter   (all that is missing, at once)"))
    }

    fn find(&self, repo: &gix::Repository, id: ObjectId, memory: u64) -> anyhow::Result<gix::ObjectDetached> {
        if memory <= BESIDE_OTHERS {
            return Ok(repo.find_object(id)?.detach());
        }
        let mut roomy = self.roomy.lock().unwrap_or_else(PoisonError::into_inner);
        let repo = match roomy.take() {
            Some(repo) => repo,
            None => for_reading(AT_ONCE).open(&self.root)?.to_thread_local(),
        };
        let object = repo.find_object(id)?.detach();
        *roomy = Some(repo);
        Ok(object)
    }

    fn spend(&self, cost: u64) -> Result<()> {
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost));
        spent.map(|_| ()).map_err(|_| super::too_much(&self.root, "its objects unfold to too much"))
    }

    /// What an object costs; nothing is told of a file so small that whatever it holds is within `most`. `None`
    /// where there is no such object.
    fn weigh(&self, repo: &gix::Repository, id: ObjectId, most: u64) -> anyhow::Result<Option<Weight>> {
        let packs = match self.packs.get() {
            Some(packs) => packs,
            None => {
                let opened = Packs::of(&self.places.objects)?;
                self.packs.get_or_init(|| opened)
            }
        };
        if let Some(weight) = packs.weigh(&id)? {
            return Ok(Some(weight));
        }
        let hex = id.to_hex().to_string();
        let (folder, name) = hex.split_at(2);
        let mut packed = 0;
        for store in &self.places.objects {
            let found = guard::plain(&store.join(folder).join(name), LARGEST_BLOB)?;
            if found.is_some_and(|length| length.saturating_mul(LARGEST_RATIO) <= most.min(BESIDE_OTHERS)) {
                return Ok(Some(Weight::default()));
            }
            packed = packed.max(found.unwrap_or_default());
        }
        // Also an object that another program has packed meanwhile.
        repo.try_find_header(id)?.map(|header| Weight::whole(header.size(), packed)).transpose()
    }
}
