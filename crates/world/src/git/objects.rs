//! Objects are read whole, so their cost is checked first: their size, the delta chain behind them, and the
//! total of all of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use gix::ObjectId;

use super::guard::{self, Places};
use super::packs::{Packs, Unfit, Weight};
use crate::base::error::{Context as _, Error, Kind, Result};
use crate::model::history::Contents;

/// Size limit of a commit: the largest real one has 2 kB, and a signature adds a few.
pub(super) const LARGEST_COMMIT: u64 = 1 << 20;

/// Size limit of a tree: 100,000 files in one folder.
pub(super) const LARGEST_TREE: u64 = 8 << 20;

/// Size limit of a file of any kind.
pub(super) const LARGEST_BLOB: u64 = 64 << 20;

/// Objects that need more memory than this are read by one thread at a time.
const BESIDE_OTHERS: u64 = 24 << 20;

/// The most memory that one object may need while it is read: two of the largest, and the deltas.
const AT_ONCE: u64 = 2 * LARGEST_BLOB + (32 << 20);

/// The work allowed on a repository's objects, in bytes produced on the way: a second or two.
const ALLOWANCE: u64 = 8 << 30;

/// What each commit adds to it. A real one costs 2 MB, mostly for the delta chain of a matrix with a new row.
const PER_COMMIT: u64 = 4 << 20;

/// The cost of finding an object, in bytes.
const PER_OBJECT: u64 = 16 << 10;

/// zlib's largest ratio of output to input.
const LARGEST_RATIO: u64 = 1032;

/// Options for reading: nothing in the repository's own configuration chooses paths or limits, no other file is
/// included, and no object replaces another one.
pub(super) fn for_reading(limit: u64) -> gix::open::Options {
    gix::open::Options::isolated().with(gix::sec::Trust::Reduced).cli_overrides([
        format!("gitoxide.objects.allocLimit={limit}"),
        format!("core.deltaBaseCacheLimit={BESIDE_OTHERS}"),
        "core.useReplaceRefs=false".to_owned(),
        "core.multiPackIndex=false".to_owned(),
    ])
}

/// Options for writing: the user's own settings, including the committer.
pub(super) fn for_writing() -> gix::open::Options {
    gix::open::Options::default()
        .cli_overrides([format!("gitoxide.objects.allocLimit={AT_ONCE}"), "core.useReplaceRefs=false".to_owned()])
}

/// What is known about a repository's objects, shared by all of its readers.
#[derive(Debug)]
pub(super) struct Objects {
    root: PathBuf,
    places: Places,
    packs: OnceLock<Packs>,
    /// The allowance that is left.
    left: AtomicU64,
    /// The repository opened for objects that need much memory.
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

    /// Resets the allowance to that of a history of this many commits.
    pub(super) fn allow(&self, commits: usize) {
        let more = (commits as u64).saturating_mul(PER_COMMIT);
        self.left.store(ALLOWANCE.saturating_add(more), Ordering::Relaxed);
    }

    /// Reads an object of at most `most` bytes, without which nothing can go on.
    pub(super) fn read(
        &self,
        repo: &gix::Repository,
        id: ObjectId,
        kind: gix::objs::Kind,
        most: u64,
    ) -> Result<Vec<u8>> {
        match self.look(repo, id, kind, most)? {
            Contents::Bytes(bytes) => Ok(bytes),
            Contents::Unfit(why) => Err(Error::failed(format!("{}: {why}", self.root.display()))),
        }
    }

    /// Reads an object of at most `most` bytes. One that is there, but larger or of another kind, is no error: it is
    /// what somebody committed. Why it is unfit reads the same on every machine.
    pub(super) fn look(
        &self,
        repo: &gix::Repository,
        id: ObjectId,
        kind: gix::objs::Kind,
        most: u64,
    ) -> Result<Contents> {
        let unfit = |why: std::fmt::Arguments<'_>| Ok(Contents::Unfit(format!("{kind} {id} {why}")));
        let place = || format!("{}: {kind} {id}", self.root.display());
        let weight = match self.weigh(repo, id, most) {
            Ok(weight) => weight.ok_or_else(|| self.missing(&place()))?,
            Err(error) => match error.downcast_ref::<Unfit>() {
                Some(why) => return unfit(format_args!("is not read: {why}")),
                None => return Err(error).context(Kind::Damaged, || format!("{} cannot be read", place())),
            },
        };
        if weight.size > most {
            return unfit(format_args!("has {} bytes; at most {most} are read", weight.size));
        }
        if weight.memory > AT_ONCE {
            return unfit(format_args!("unfolds to {} bytes in memory; the limit is {AT_ONCE}", weight.memory));
        }
        self.spend(weight.work.saturating_add(PER_OBJECT))?;
        let found = self.find(repo, id, weight.memory);
        let object = found.context(Kind::Damaged, || format!("{} cannot be read", place()))?;
        if object.kind != kind {
            return unfit(format_args!("is a {}", object.kind));
        }
        // It was not weighed beforehand: charge for its size now.
        if weight.work == 0 {
            self.spend(object.data.len() as u64)?;
        }
        Ok(Contents::Bytes(object.data))
    }

    /// The error for a missing object. In a partial clone that says nothing about the competition: the object
    /// must be fetched first, by someone who trusts this repository's configuration, which names programs that
    /// git would run.
    fn missing(&self, object: &str) -> Error {
        if !self.places.partial {
            let missing = Error::new(Kind::Damaged, format!("{object} cannot be read: it is missing"));
            return missing.hint("`git fsck` lists what else is damaged; a new clone is complete");
        }
        let partial = Error::outside(format!("{object} is not here: this is a partial clone (git clone --filter)"));
        let root = self.root.display();
        partial.hint(format!("git -C {root} fetch --refetch --no-filter   (all that is missing, at once)"))
    }

    fn find(&self, repo: &gix::Repository, id: ObjectId, memory: u64) -> anyhow::Result<gix::ObjectDetached> {
        if memory <= BESIDE_OTHERS {
            return Ok(repo.find_object(id)?.detach());
        }
        // The lock bounds the memory: one large object at a time.
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

    /// The cost of an object; a file whose packed form is so small that any contents are within `most` is not
    /// looked into. `None` if there is no such object.
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
        // The object may have been packed by another program in the meantime.
        repo.try_find_header(id)?.map(|header| Weight::whole(header.size(), packed)).transpose()
    }
}
