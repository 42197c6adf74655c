//! The cost of reading a packed object, computed before anything is inflated.
//!
//! A pack may store an object as a delta against another one, and that against a third: a few bytes may rest on
//! gigabytes, or on thousands of steps. Each entry begins with its size, so the cost of the whole chain is
//! known from the headers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gix::ObjectId;
use gix::odb::pack::data::decode::header::ResolvedBase;
use gix::odb::pack::data::entry::Header;
use gix::odb::pack::{data, index};

use crate::base::error::{Context as _, Result};

/// Why an object is not read, though it is whole: no honest one is packed like that.
#[derive(Debug)]
pub(super) struct Unfit(pub(super) String);

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// The longest delta chain that git itself makes.
const DEEPEST: usize = 4095;

/// Cost factor of inflating a packed byte that yields nothing: zlib may describe a code that is never used.
const PACKED: u64 = 64;

/// No honest object takes this many more bytes packed than whole.
const SURPLUS: u64 = 64 << 10;

/// The cost of reading an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) size: u64,
    /// The bytes produced on the way to it, itself included.
    pub(super) work: u64,
    /// The peak memory needed.
    pub(super) memory: u64,
    /// The largest object of its chain, and the bytes of all deltas.
    largest: u64,
    differences: u64,
    depth: usize,
}

impl Weight {
    /// An object of `size` bytes, packed in `packed` bytes, that is not a delta.
    ///
    /// # Errors
    /// It takes far more bytes packed than whole.
    pub(super) fn whole(size: u64, packed: u64) -> anyhow::Result<Weight> {
        let work = inflating(size, packed)?;
        Ok(Weight { size, work, memory: size, largest: size, differences: 0, depth: 0 })
    }

    /// An object of `size` bytes made from this one by a delta of `length` bytes, packed in `packed` bytes.
    fn then(self, size: u64, length: u64, packed: u64) -> anyhow::Result<Weight> {
        let largest = self.largest.max(size);
        let differences = self.differences.saturating_add(length);
        // Two of the largest are held: the base and the result.
        let memory = largest.saturating_mul(2).saturating_add(differences);
        let work = self.work.saturating_add(size).saturating_add(inflating(length, packed)?);
        Ok(Weight { size, work, memory, largest, differences, depth: self.depth + 1 })
    }
}

/// The cost of inflating `packed` bytes to `size`.
fn inflating(size: u64, packed: u64) -> anyhow::Result<u64> {
    let sound = packed <= size.saturating_add(size / 8).saturating_add(SURPLUS);
    anyhow::ensure!(sound, Unfit(format!("{size} bytes take {packed} when packed")));
    Ok(size.saturating_add(packed.saturating_mul(PACKED)))
}

/// The packs of a repository.
pub(super) struct Packs(Vec<Pack>);

struct Pack {
    index: index::File,
    data: data::File,
    /// Offsets of its objects, sorted, and the end of the last one.
    offsets: Vec<u64>,
    known: Mutex<Known>,
}

/// What is known of a pack so far.
#[derive(Default)]
struct Known {
    /// Weights, by offset.
    weights: HashMap<u64, Weight>,
    /// Reads the beginnings of deltas. To make one takes longer than that.
    inflate: gix::zlib::Inflate,
}

impl std::fmt::Debug for Packs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} packs", self.0.len())
    }
}

impl Packs {
    /// The packs in these object folders.
    pub(super) fn of(stores: &[PathBuf]) -> Result<Packs> {
        let mut packs = Vec::new();
        for store in stores {
            let folder = store.join("pack");
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.failed(|| format!("{}: cannot list", folder.display()))?.path();
                if path.extension().is_some_and(|extension| extension == "idx") && path.with_extension("pack").exists()
                {
                    packs.push(Pack::open(&path)?);
                }
            }
        }
        Ok(Packs(packs))
    }

    /// The cost of an object, in the most expensive pack that has it; `None` if none has.
    ///
    /// # Errors
    /// A pack is damaged, or holds it in an [`Unfit`] form.
    pub(super) fn weigh(&self, id: &ObjectId) -> anyhow::Result<Option<Weight>> {
        let mut dearest: Option<Weight> = None;
        for pack in &self.0 {
            if let Some(weight) = pack.weigh(id)? {
                dearest = Some(dearest.filter(|known| known.work >= weight.work).unwrap_or(weight));
            }
        }
        Ok(dearest)
    }
}

impl Pack {
    fn open(index: &Path) -> Result<Pack> {
        let hash = gix::hash::Kind::Sha1;
        let cannot = |path: &Path| format!("{}: cannot read this pack", path.display());
        let pack = index.with_extension("pack");
        let data = data::File::at(&pack, hash).failed(|| cannot(&pack))?;
        let index = index::File::at(index, hash).failed(|| cannot(index))?;
        let mut offsets = index.sorted_offsets();
        offsets.push(data.pack_end() as u64);
        Ok(Pack { index, data, offsets, known: Mutex::default() })
    }

    /// How many bytes the object at this offset takes.
    fn packed(&self, at: u64) -> u64 {
        let next = self.offsets.partition_point(|offset| *offset <= at);
        self.offsets.get(next).map_or(0, |next| next - at)
    }

    fn place(&self, id: &gix::oid) -> Option<u64> {
        self.index.lookup(id).map(|at| self.index.pack_offset_at_index(at))
    }

    fn weigh(&self, id: &ObjectId) -> anyhow::Result<Option<Weight>> {
        use anyhow::Context as _;
        let Some(place) = self.place(id) else { return Ok(None) };
        let cannot = || format!("{}: object {id} cannot be read", self.data.path().display());
        self.chain(place).with_context(cannot).map(Some)
    }

    fn chain(&self, place: u64) -> anyhow::Result<Weight> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { weights: known, inflate } = &mut *known;
        let (mut at, mut steps) = (place, Vec::new());
        let mut weight = loop {
            if let Some(weight) = known.get(&at) {
                break *weight;
            }
            not_deeper(steps.len())?;
            let entry = self.data.entry(at)?;
            let base = match entry.header {
                Header::OfsDelta { base_distance } => entry.checked_base_pack_offset(base_distance),
                Header::RefDelta { base_id } => self.place(&base_id),
                _ => {
                    let weight = Weight::whole(entry.decompressed_size, self.packed(at))?;
                    known.insert(at, weight);
                    break weight;
                }
            };
            steps.push((at, entry));
            at = base.ok_or_else(|| anyhow::anyhow!("the base of a delta is not in this pack"))?;
        };
        for (at, entry) in steps.into_iter().rev() {
            let length = entry.decompressed_size;
            let base = |id: &gix::oid| {
                self.place(id).map(|place| self.data.entry(place).map(ResolvedBase::InPack)).transpose()
            };
            let size = self.data.decode_header(entry, inflate, &base)?.object_size;
            weight = weight.then(size, length, self.packed(at))?;
            not_deeper(weight.depth)?;
            known.insert(at, weight);
        }
        Ok(weight)
    }
}

fn not_deeper(depth: usize) -> anyhow::Result<()> {
    anyhow::ensure!(depth <= DEEPEST, Unfit(format!("more than {DEEPEST} deltas in one chain")));
    Ok(())
}
