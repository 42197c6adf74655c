//! The facts that the checks of `verify` and `report` need besides the files, looked up in the history.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use super::answered;
use super::commits::Checkout;
use super::in_force::{FileOrigin, Origins, in_force};
use super::played;
use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::model::beacon::BlockHash;
use crate::model::config::{ConfigFile, Settings};
use crate::model::file::{FileKind, PlayerFile, RepoFile, RoundFile};
use crate::model::history::{BlobId, Change, Commit, Contents, WORKING_TREE};
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::limits::Budget;
use crate::model::prompts::PromptList;
use crate::model::require_audit::{AuditRequest, AuditRequests};
use crate::model::seed::SeedFile;
use crate::model::snapshot::{RoundFiles, Slot, Snapshot, Source};
use crate::rules::checks::{RequestBasis, RequestView, Then, VerifyFacts};
use crate::rules::seed::OnChain;
use crate::world::chain::Chain;

/// Gathers what the checks need besides the files: the settings in force for each claim, each audit request's round in
/// the commit that added it, what matches were played on, and each round's pool in the commit that wrote its seed.
pub(crate) fn gather<'a>(
    context: &Context<'_>,
    snapshot: &'a Snapshot,
    checkout: Option<&Checkout>,
) -> Result<VerifyFacts<'a>> {
    let mut facts = VerifyFacts::of_files(snapshot);
    facts.allow_private_cdn = context.config.miners.allow_private_cdn;
    let Some(checkout) = checkout else { return Ok(facts) };
    let origins = Origins::of(checkout);
    facts.rules = in_force(&origins, snapshot)?;
    let past = Past::of(&origins);
    let seeded = snapshot.rounds.iter().filter(|(_, files)| !files.seed.is_missing());
    let seeded: Vec<_> = seeded.map(|(round, _)| *round).collect();
    // These lookups read different commits, so they run in parallel.
    let (requests, pools) = rayon::join(
        || past.requests(snapshot),
        || seeded.par_iter().map(|round| Ok((*round, past.pool(snapshot, *round)?))).collect::<Result<_>>(),
    );
    (facts.requests, facts.pools) = (requests?, pools?);
    (facts.matches, facts.replaced) = played::on_what(&origins, snapshot, &past.budget)?;
    facts.recorded = answered::recorded(&origins, snapshot)?;
    Ok(facts)
}

/// Each round's seed, and its last block of reveals.
pub(crate) fn seeds(snapshot: &Snapshot) -> impl Iterator<Item = (RoundNumber, &SeedFile, Block)> {
    let rounds = snapshot.rounds.iter();
    rounds.filter_map(|(round, files)| Some((*round, files.seed.get()?, files.schedule.get()?.latest_reveal_block)))
}

/// The chain's data on the blocks that the rounds' seeds depend on.
pub(crate) fn on_chain<'a>(
    seeds: impl IntoIterator<Item = (RoundNumber, &'a SeedFile, Block)>,
    chain: &dyn Chain,
) -> Result<BTreeMap<RoundNumber, OnChain>> {
    let mut blocks = BTreeMap::new();
    for (round, seed, latest) in seeds {
        // Ask only for what the proof needs: a chain file may lack the rest.
        let (drand, block) = (seed.drand_round.is_some(), seed.block.is_some());
        if drand || block {
            let time = if drand { chain.block_time(latest)? } else { 0 };
            let hash = if block { chain.block_hash(latest)? } else { BlockHash([0; 32]) };
            blocks.insert(round, OnChain { time, hash });
        }
    }
    Ok(blocks)
}

/// Most steps back in the history, for all requests together.
const MOST_STEPS: u64 = 100_000_000;

/// An audit request.
#[derive(Clone, Copy)]
struct Asked<'a> {
    round: RoundNumber,
    /// The round's files as they are now.
    files: &'a RoundFiles,
    hotkey: &'a Hotkey,
    /// The commit that added it.
    origin: FileOrigin,
}

/// Lookups in past commits, with caches.
struct Past<'a> {
    origins: &'a Origins<'a>,
    /// For each commit, the nearest first-parent ancestor that changed an audit.
    back: Vec<Option<usize>>,
    /// Audits already read, by their blobs.
    audits: Mutex<HashMap<[Option<BlobId>; 2], Arc<RoundFiles>>>,
    steps: AtomicU64,
    /// The memory budget of what is kept.
    budget: Budget,
    /// How many bytes of past files were read for requests, and dropped again.
    read: AtomicU64,
    /// Settings by the blob of config.json.
    settings: Mutex<HashMap<BlobId, Option<Settings>>>,
    /// Pools by blob: most rounds draw from the same one.
    lists: Mutex<HashMap<BlobId, Option<Arc<PromptList>>>>,
    /// The pool of the working tree.
    here: OnceLock<Option<Arc<PromptList>>>,
}

impl<'a> Past<'a> {
    fn of(origins: &'a Origins<'a>) -> Self {
        let (mut back, mut audited) = (Vec::<Option<usize>>::new(), Vec::new());
        for commit in &origins.checkout.log.commits {
            let of = |list: &[Option<usize>], parent: usize| list.get(parent).copied().flatten();
            back.push(commit.parent.and_then(|parent| {
                if audited.get(parent).copied().unwrap_or_default() { Some(parent) } else { of(&back, parent) }
            }));
            audited.push(commit.changes.iter().any(|change| is_audit(&change.file)));
        }
        let (audits, lists, settings) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (steps, read, here) = (AtomicU64::new(0), AtomicU64::new(0), OnceLock::new());
        Past { origins, back, audits, steps, budget: Budget::of_history(), read, settings, lists, here }
    }

    fn commit(&self, at: usize) -> Option<&'a Commit> {
        self.origins.commit(at)
    }

    /// What each audit request rests on, by the files of the commit that added it.
    fn requests(&self, snapshot: &Snapshot) -> Result<BTreeMap<(RoundNumber, Hotkey), Then<RequestBasis>>> {
        let asking: Vec<_> = snapshot.rounds.iter().filter(|(_, files)| files.require_audit.get().is_some()).collect();
        let asked = asking.par_iter().map(|(round, files)| self.asked(**round, files));
        let asked: Vec<_> = asked.collect::<Result<Vec<_>>>()?.concat();
        // Most need little memory, and are looked at in parallel; the others follow, one at a time.
        let small = |asked: &Asked<'_>| {
            let budget = Budget::of_a_claim();
            match self.basis(snapshot, asked, &budget) {
                Err(_) if budget.check().is_err() => Ok(None),
                basis => basis.map(Some),
            }
        };
        let looked: Vec<_> = asked.par_iter().map(small).collect::<Result<_>>()?;
        let all = looked.into_iter().zip(&asked).map(|(basis, asked)| {
            let large = || self.basis(snapshot, asked, &Budget::of_history());
            Ok(((asked.round, asked.hotkey.clone()), basis.map_or_else(large, Ok)?))
        });
        all.collect()
    }

    /// The audit requests of a round, with their origins.
    fn asked<'b>(&self, round: RoundNumber, files: &'b RoundFiles) -> Result<Vec<Asked<'b>>> {
        let file = FileKind::Round(round, RoundFile::RequireAudit);
        let hotkeys = |requests: AuditRequests| requests.into_iter().map(|request| (request.hotkey, ())).collect();
        let added = self.origins.of_entries(&file, hotkeys)?;
        let asked = |request: &'b AuditRequest| {
            let origin = added.get(&request.hotkey).copied().unwrap_or(FileOrigin::Here);
            Asked { round, files, hotkey: &request.hotkey, origin }
        };
        Ok(files.require_audit.get().into_iter().flatten().map(asked).collect())
    }

    fn basis(&self, snapshot: &Snapshot, asked: &Asked<'_>, budget: &Budget) -> Result<Then<RequestBasis>> {
        match (asked.origin, snapshot.config.get()) {
            (FileOrigin::Commit(at), _) => self.basis_in(at, asked, budget),
            // Not committed yet: it was added with the files on disk.
            (FileOrigin::Here, Some(config)) => {
                let (settings, files) = (config.settings.clone(), Arc::new(asked.files.clone()));
                let view = RequestView { settings, files, earlier: Vec::new() };
                Ok(Then::At(WORKING_TREE.to_owned(), RequestBasis::of(&view, asked.hotkey)))
            }
            (FileOrigin::Root(_), _) | (FileOrigin::Here, None) => Ok(Then::Unknown),
        }
    }

    fn basis_in(&self, at: usize, asked: &Asked<'_>, budget: &Budget) -> Result<Then<RequestBasis>> {
        let (round, origins) = (asked.round, self.origins);
        let settings = self.settings(origins.blob_at(&FileKind::Config, at)?)?;
        let (Some(commit), Some(settings)) = (self.commit(at), settings) else { return Ok(Then::Unknown) };
        let mut blobs = origins.reports_at(round, &Player::Miner(asked.hotkey.clone()), at)?;
        for file in RESTED_ON.map(|file| FileKind::Round(round, file)) {
            if let Some(blob) = origins.blob_at(&file, at)? {
                blobs.insert(file, blob);
            }
        }
        // Most files are still as they were then, and are not read again.
        let (mut same, mut versions) = (Vec::new(), Versions { origins, blobs: BTreeMap::new() });
        for (file, blob) in blobs {
            if was_read(asked.files, &file) && origins.blob_now(&file)? == Some(blob) {
                same.push(file);
            } else {
                versions.blobs.insert(file.path(), blob);
            }
        }
        let mut then = Snapshot::load_within(origins.checkout.format, &versions, |_| true, budget)?;
        if self.read.fetch_add(budget.used(), Ordering::Relaxed) > self.most_read() {
            return Err(self.too_much("what its audit requests rest on is too large"));
        }
        let mut files = then.rounds.remove(&round).unwrap_or_default();
        same.iter().for_each(|file| take_over(&mut files, file, asked.files));
        let view = RequestView { settings, files: Arc::new(files), earlier: self.audits_before(commit, round)? };
        Ok(Then::At(origins.short(at), RequestBasis::of(&view, asked.hotkey)))
    }

    /// The most bytes of past files that all requests together may rest on: a hundred times those of real ones.
    fn most_read(&self) -> u64 {
        (1 << 30) + ((self.origins.checkout.log.commits.len() as u64) << 20)
    }

    /// The settings in a blob of config.json; `None` if there are none, or they do not parse.
    fn settings(&self, blob: Option<BlobId>) -> Result<Option<Settings>> {
        let Some(blob) = blob else { return Ok(None) };
        let known = || self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = known().get(&blob) {
            return Ok(settings.clone());
        }
        let config = self.origins.parsed_within::<ConfigFile>(&FileKind::Config, &blob, &self.budget)?;
        let settings = config.map(|config| config.settings);
        known().insert(blob, settings.clone());
        Ok(settings)
    }

    /// A round's audits as each earlier commit left them, newest first, ending with the state before any audit.
    fn audits_before(&self, commit: &Commit, round: RoundNumber) -> Result<Vec<Arc<RoundFiles>>> {
        let mut earlier = Vec::new();
        // The newest state is the parent's; each commit that changed an audit adds the state before it.
        earlier.extend(self.audits_at(commit.parent, round)?);
        let touches = |at: &usize| {
            let of_round = |change: &Change| is_audit(&change.file) && change.file.round() == Some(round);
            self.commit(*at).is_some_and(|commit| commit.changes.iter().any(of_round))
        };
        let back = |at: &usize| self.back.get(*at).copied().flatten();
        let newest = commit.parent.and_then(|parent| if touches(&parent) { Some(parent) } else { back(&parent) });
        // Before the first commit that touched one, there is nothing to be found.
        let first = [RoundFile::GenerationAudits, RoundFile::SourceAudit].into_iter().filter_map(|file| {
            let changes = self.origins.changes(&FileKind::Round(round, file));
            changes.first().map(|(at, _)| *at)
        });
        let first = first.min().unwrap_or(usize::MAX);
        for at in std::iter::successors(newest, back).take_while(|at| *at >= first) {
            let changes = self.commit(at).map_or(0, |commit| commit.changes.len() as u64);
            if self.steps.fetch_add(1 + changes, Ordering::Relaxed) > MOST_STEPS {
                return Err(self.too_much("its audits were changed too often"));
            }
            if touches(&at) {
                earlier.extend(self.audits_at(self.commit(at).and_then(|commit| commit.parent), round)?);
            }
        }
        earlier.push(Arc::default());
        Ok(earlier)
    }

    /// A round's audits as a commit left them; `None` if there were none.
    fn audits_at(&self, commit: Option<usize>, round: RoundNumber) -> Result<Option<Arc<RoundFiles>>> {
        let Some(at) = commit else { return Ok(None) };
        let files = [RoundFile::GenerationAudits, RoundFile::SourceAudit].map(|file| FileKind::Round(round, file));
        let [made, source] = &files;
        let blobs = [self.origins.blob_at(made, at)?, self.origins.blob_at(source, at)?];
        let known = || self.audits.lock().unwrap_or_else(PoisonError::into_inner);
        if blobs == [None, None] {
            return Ok(None);
        }
        if let Some(kept) = known().get(&blobs) {
            return Ok(Some(kept.clone()));
        }
        let [generation_audits, source_audit] = blobs;
        let read = RoundFiles {
            generation_audits: self.slot(made, generation_audits)?,
            source_audit: self.slot(source, source_audit)?,
            ..RoundFiles::default()
        };
        Ok(Some(known().entry(blobs).or_insert(Arc::new(read)).clone()))
    }

    fn slot<T: RepoFile>(&self, file: &FileKind, blob: Option<BlobId>) -> Result<Slot<T>> {
        let Some(blob) = blob else { return Ok(Slot::Missing) };
        Ok(self.origins.parsed_within(file, &blob, &self.budget)?.map_or(Slot::Broken, Slot::Ok))
    }

    fn too_much(&self, why: &str) -> Error {
        Error::failed(format!(
            "{}: the history is not read to its end: {why}",
            self.origins.checkout.git.root().display()
        ))
    }

    /// The pool in the commit that wrote the seed.
    fn pool(&self, snapshot: &Snapshot, round: RoundNumber) -> Result<Then<Option<Arc<PromptList>>>> {
        match self.origins.of_file(&FileKind::Round(round, RoundFile::Seed))? {
            FileOrigin::Commit(at) => {
                let blob = self.origins.blob_at(&FileKind::Pool, at)?;
                let pool = blob.map(|blob| self.list(blob)).transpose()?.flatten();
                Ok(Then::At(self.origins.short(at), pool))
            }
            FileOrigin::Root(_) => Ok(Then::Unknown),
            FileOrigin::Here => {
                let here = || snapshot.pool.get().cloned().map(Arc::new);
                Ok(Then::At(WORKING_TREE.to_owned(), self.here.get_or_init(here).clone()))
            }
        }
    }

    /// The pool in a blob; `None` if it does not parse.
    fn list(&self, blob: BlobId) -> Result<Option<Arc<PromptList>>> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(&blob) {
            return Ok(list.clone());
        }
        let list = self.origins.parsed::<PromptList>(&FileKind::Pool, &blob)?.map(Arc::new);
        self.budget.take(list.as_ref().map_or(0, |list| list.weight()));
        self.budget.check()?;
        lists.insert(blob, list.clone());
        Ok(list)
    }
}

/// The files of a round that an audit request rests on, beside the miner's reports.
const RESTED_ON: [RoundFile; 5] =
    [RoundFile::Submissions, RoundFile::Seed, RoundFile::Matrix, RoundFile::GenerationAudits, RoundFile::SourceAudit];

/// Was this file of the round read from disk?
fn was_read(files: &RoundFiles, file: &FileKind) -> bool {
    match file {
        FileKind::Round(_, file) => !files.is_missing(*file),
        FileKind::Player(_, player, PlayerFile::Report(name)) => {
            files.players.get(player).is_some_and(|own| own.reports.contains_key(name))
        }
        _ => false,
    }
}

/// Takes a file that an audit request rests on over from the round as it is today.
fn take_over(files: &mut RoundFiles, file: &FileKind, today: &RoundFiles) {
    match file {
        FileKind::Round(_, RoundFile::Submissions) => files.submissions = today.submissions.clone(),
        FileKind::Round(_, RoundFile::Seed) => files.seed = today.seed.clone(),
        FileKind::Round(_, RoundFile::Matrix) => files.matrix = today.matrix.clone(),
        FileKind::Round(_, RoundFile::GenerationAudits) => files.generation_audits = today.generation_audits.clone(),
        FileKind::Round(_, RoundFile::SourceAudit) => files.source_audit = today.source_audit.clone(),
        FileKind::Player(_, player, PlayerFile::Report(name)) => {
            if let Some(own) = today.players.get(player) {
                files.players.entry(player.clone()).or_default().reports.share(name, &own.reports);
            }
        }
        _ => {}
    }
}

/// Committed versions of files, by path.
struct Versions<'a> {
    origins: &'a Origins<'a>,
    blobs: BTreeMap<String, BlobId>,
}

impl Source for Versions<'_> {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.blobs.keys().cloned().collect())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some((blob, file)) = self.blobs.get(path).zip(FileKind::of_path(path)) else { return Ok(None) };
        match self.origins.read(&file, blob)? {
            Contents::Bytes(bytes) => Ok(Some(bytes)),
            Contents::Unfit(why) => Err(Error::failed(format!("{path}: {why}"))),
        }
    }
}

/// Does this file hold a round's audits?
fn is_audit(file: &FileKind) -> bool {
    matches!(file, FileKind::Round(_, RoundFile::GenerationAudits | RoundFile::SourceAudit))
}
