//! Which commit made a claim, and what was in force there: the one place that decides it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::commits::Checkout;
use crate::base::error::Result;
use crate::model::config::{ConfigFile, Settings};
use crate::model::file::{self, FileKind, PlayerFile, RepoFile, RoundFile};
use crate::model::generation_audits::GenerationAudits;
use crate::model::history::{BlobId, Change, Commit, Contents, WORKING_TREE};
use crate::model::ids::{Player, RoundNumber};
use crate::model::leader::Leaders;
use crate::model::limits::Budget;
use crate::model::snapshot::{RoundFiles, Slot, Snapshot};
use crate::rules::checks::in_force::{Claimed, InForce, leader_entry, what_counts};
use crate::world::git::GitReader;

/// Where a file or entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileOrigin {
    /// The commit at this index made it.
    Commit(usize),
    /// The commit at this index has no parent here: it contains everything that existed, so the origin is unknown.
    Root(usize),
    /// It is not committed yet.
    Here,
}

/// Finds which commit made what.
pub(crate) struct Origins<'a> {
    pub(crate) checkout: &'a Checkout,
    /// Each file's changes, oldest first, with the commit's index.
    changes: HashMap<&'a FileKind, Vec<(usize, &'a Change)>>,
    /// The reports that each player ever had in each round.
    reports: HashMap<(RoundNumber, &'a Player), Vec<&'a FileKind>>,
    /// Is each commit's parent the one before it in the list?
    linear: bool,
    /// Readers that are not in use. A version of a file is mostly a delta against another one, which they may still know.
    readers: Mutex<Vec<GitReader>>,
}

impl<'a> Origins<'a> {
    pub(crate) fn of(checkout: &'a Checkout) -> Self {
        let mut changes: HashMap<&FileKind, Vec<(usize, &Change)>> = HashMap::new();
        let commits = &checkout.log.commits;
        for (at, commit) in commits.iter().enumerate() {
            commit.changes.iter().for_each(|change| changes.entry(&change.file).or_default().push((at, change)));
        }
        let mut reports: HashMap<_, Vec<_>> = HashMap::new();
        for file in changes.keys() {
            if let FileKind::Player(round, player, PlayerFile::Report(_)) = file {
                reports.entry((*round, player)).or_default().push(*file);
            }
        }
        let linear = commits.iter().enumerate().all(|(at, commit)| commit.parent == at.checked_sub(1));
        Origins { checkout, changes, reports, linear, readers: Mutex::default() }
    }

    /// A player's match reports in the commit at this index, with their blobs.
    pub(crate) fn reports_at(
        &self,
        round: RoundNumber,
        player: &Player,
        at: usize,
    ) -> Result<BTreeMap<FileKind, BlobId>> {
        if self.checkout.log.linear {
            let ever = self.reports.get(&(round, player)).into_iter().flatten();
            let blobs = ever.map(|file| Ok((*file, self.blob_at(file, at)?)));
            return blobs
                .filter_map(|found| found.map(|(file, blob)| Some((file.clone(), blob?))).transpose())
                .collect();
        }
        let Some(commit) = self.commit(at) else { return Ok(BTreeMap::new()) };
        let tree = self.checkout.git.tree(&commit.id)?.within([format!("rounds/{round}/{player}")]);
        let reports = tree.files()?.iter().filter_map(|(path, blob)| match FileKind::of_path(path)? {
            FileKind::Player(of, whose, file @ PlayerFile::Report(_)) if of == round && whose == *player => {
                Some((FileKind::Player(of, whose, file), *blob))
            }
            _ => None,
        });
        Ok(reports.collect())
    }

    pub(crate) fn changes(&self, file: &FileKind) -> &[(usize, &'a Change)] {
        self.changes.get(file).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn commit(&self, at: usize) -> Option<&'a Commit> {
        self.checkout.log.commits.get(at)
    }

    /// A commit's short id.
    pub(crate) fn short(&self, at: usize) -> String {
        let id = self.commit(at).map_or(WORKING_TREE, |commit| &commit.id);
        id.get(..10).unwrap_or(id).to_owned()
    }

    fn by(&self, at: usize) -> FileOrigin {
        let known = self.commit(at).is_some_and(|commit| commit.parent.is_some());
        if known { FileOrigin::Commit(at) } else { FileOrigin::Root(at) }
    }

    /// The last commit that gave a file its current contents.
    pub(crate) fn of_file(&self, file: &FileKind) -> Result<FileOrigin> {
        if self.checkout.uncommitted(file).is_some() {
            return Ok(FileOrigin::Here);
        }
        let now = self.checkout.committed(file)?;
        let made = self.changes(file).iter().rev().find(|(_, change)| change.after.is_some() && change.after == now);
        Ok(made.map_or(FileOrigin::Here, |(at, _)| self.by(*at)))
    }

    /// For each entry that a file ever had, the last commit that added or changed it.
    pub(crate) fn of_entries<T: RepoFile, K: Eq + Hash + Clone, V: PartialEq + Clone>(
        &self,
        file: &FileKind,
        entries: impl Fn(T) -> HashMap<K, V>,
    ) -> Result<HashMap<K, FileOrigin>> {
        let (mut made, mut last) = (HashMap::new(), None);
        let read = |blob: Option<BlobId>| -> Result<HashMap<K, V>> {
            let parsed = blob.map(|blob| self.parsed::<T>(file, &blob)).transpose()?.flatten();
            Ok(parsed.map(&entries).unwrap_or_default())
        };
        let committed = self.changes(file).iter().map(|(at, change)| (self.by(*at), *change));
        for (origin, change) in
            committed.chain(self.checkout.uncommitted(file).map(|change| (FileOrigin::Here, change)))
        {
            // Most changes start from the previous one's result.
            let before = match last.take() {
                Some((blob, entries)) if blob == change.before => entries,
                _ => read(change.before)?,
            };
            let after = read(change.after)?;
            made.extend(
                after
                    .iter()
                    .filter(|(key, value)| before.get(key) != Some(value))
                    .map(|(key, _)| (key.clone(), origin)),
            );
            last = Some((change.after, after));
        }
        Ok(made)
    }

    /// Parses a version of a file; `None` if it does not parse.
    pub(crate) fn parsed<T: RepoFile>(&self, file: &FileKind, blob: &BlobId) -> Result<Option<T>> {
        let read;
        let bytes = match self.checkout.content(blob) {
            Some(bytes) => bytes,
            None => {
                read = self.read(file, blob)?;
                let Some(bytes) = read.bytes() else { return Ok(None) };
                bytes
            }
        };
        Ok(file::read_as(self.checkout.format, file, bytes).ok().map(|(value, _)| value))
    }

    /// As [`Origins::parsed`], within a memory budget.
    pub(crate) fn parsed_within<T: RepoFile>(
        &self,
        file: &FileKind,
        blob: &BlobId,
        budget: &Budget,
    ) -> Result<Option<T>> {
        let read = self.read(file, blob)?;
        let Some(bytes) = read.bytes() else { return Ok(None) };
        // The parsed form takes about as much memory again.
        budget.take(2 * bytes.len() as u64);
        budget.check()?;
        Ok(file::read_as(self.checkout.format, file, bytes).ok().map(|(value, _)| value))
    }

    /// What a committed version of a file has.
    pub(crate) fn read(&self, file: &FileKind, blob: &BlobId) -> Result<Contents> {
        let readers = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let free = readers().pop();
        let reader = free.unwrap_or_else(|| self.checkout.git.reader());
        let contents = reader.file(file, blob);
        readers().push(reader);
        contents
    }

    /// May a file differ now from the commit at this index?
    pub(crate) fn may_have_changed(&self, file: &FileKind, at: usize) -> bool {
        let changes = self.changes(file);
        let since = |(changed, _): &(usize, &Change)| *changed > at || !self.linear;
        // Most files are added once and never change.
        self.checkout.uncommitted(file).is_some() || (changes.len() > 1 && changes.last().is_some_and(since))
    }

    /// A file's blob in the commit at this index.
    pub(crate) fn blob_at(&self, file: &FileKind, at: usize) -> Result<Option<BlobId>> {
        if self.checkout.log.linear {
            // No tree needs to be read.
            let changes = self.changes(file);
            let until = changes.partition_point(|(changed, _)| *changed <= at);
            return Ok(until.checked_sub(1).and_then(|last| changes.get(last)).and_then(|(_, change)| change.after));
        }
        match self.commit(at) {
            Some(commit) => self.checkout.git.tree(&commit.id)?.blob_id(&file.path()),
            None => Ok(None),
        }
    }

    /// A file's current blob.
    pub(crate) fn blob_now(&self, file: &FileKind) -> Result<Option<BlobId>> {
        match self.checkout.uncommitted(file) {
            Some(change) => Ok(change.after),
            None => self.checkout.committed(file),
        }
    }
}

/// The settings by which each claim of the files is judged.
pub(crate) fn in_force(origins: &Origins<'_>, snapshot: &Snapshot) -> Result<InForce> {
    let log = &origins.checkout.log;
    let mut rules = InForce { no_history: false, ..InForce::of(snapshot) };
    rules.shallow = log.shallow.then_some(log.commits.len());
    let Some(now) = rules.settings.clone() else { return Ok(rules) };
    let past = PastSettings { origins, now: what_counts(&now), blobs: OnceCell::new() };
    // Settings hardly ever change. If they never did, no commit needs to be read.
    let changed = past.differ()?;
    if !changed && rules.shallow.is_none() {
        return Ok(rules);
    }
    let mut known = HashMap::new();
    for (claimed, origin) in claims(origins, snapshot)? {
        let (FileOrigin::Commit(at) | FileOrigin::Root(at)) = origin else { continue };
        if changed {
            let then = match known.get(&at) {
                Some(then) => Option::clone(then),
                None => known.entry(at).or_insert(past.at(at)?).clone(),
            };
            rules.then.extend(then.map(|settings| (claimed.clone(), (origins.short(at), settings))));
        }
        if rules.shallow.is_some() && origin == FileOrigin::Root(at) {
            rules.unknown.insert(claimed);
        }
    }
    Ok(rules)
}

/// Each claim that depends on settings, and its origin.
fn claims(origins: &Origins<'_>, snapshot: &Snapshot) -> Result<Vec<(Claimed, FileOrigin)>> {
    let mut claims = Vec::new();
    for (round, files) in &snapshot.rounds {
        for file in of_round(files) {
            let file = FileKind::Round(*round, file);
            claims.push((origins.of_file(&file)?, (file, None)));
        }
        if let Slot::Ok(_) = &files.generation_audits {
            let file = FileKind::Round(*round, RoundFile::GenerationAudits);
            let verdicts = origins.of_entries(&file, |audits: GenerationAudits| audits.0.into_iter().collect())?;
            claims.extend(verdicts.into_iter().map(|(hotkey, at)| (at, (file.clone(), Some(hotkey.to_string())))));
        }
        for (player, own) in &files.players {
            for name in own.reports.keys() {
                let file = FileKind::Player(*round, player.clone(), PlayerFile::Report(name.clone()));
                claims.push((origins.of_file(&file)?, (file, None)));
            }
        }
    }
    // An entry of leader.json is judged by the settings of the commit that finalized its round.
    let blocks = |leaders: Leaders| leaders.into_iter().map(|entry| (entry.effective_block, ())).collect();
    let entries = origins.of_entries(&FileKind::Leader, blocks)?;
    claims.extend(entries.into_iter().map(|(block, at)| (at, leader_entry(block))));
    Ok(claims.into_iter().map(|(origin, claimed)| (claimed, origin)).collect())
}

/// The existing files of a round that depend on settings.
fn of_round(files: &RoundFiles) -> impl Iterator<Item = RoundFile> {
    let there = [
        (files.schedule.is_missing(), RoundFile::Schedule),
        (files.submissions.is_missing(), RoundFile::Submissions),
        (files.seed.is_missing(), RoundFile::Seed),
        (files.builds.is_missing(), RoundFile::Builds),
        (files.winner.is_missing(), RoundFile::Winner),
    ];
    there.into_iter().filter(|(missing, _)| !missing).map(|(_, file)| file)
}

/// Settings that config.json once had.
struct PastSettings<'a> {
    origins: &'a Origins<'a>,
    /// The current settings, reduced to what matters.
    now: Settings,
    blobs: OnceCell<BTreeMap<BlobId, Option<Arc<Settings>>>>,
}

impl PastSettings<'_> {
    /// Did config.json ever differ in something that matters?
    fn differ(&self) -> Result<bool> {
        let log = &self.origins.checkout.log;
        let brings = |commit: &Commit| commit.changes.iter().any(|change| change.file == FileKind::Config);
        let none_yet = log.commits.iter().any(|commit| commit.parent.is_none() && !brings(commit));
        let removed = self.origins.changes(&FileKind::Config).iter().any(|(_, change)| change.after.is_none());
        let mut versions = self.blobs()?.values();
        Ok(versions.any(Option::is_some) || ((none_yet || removed) && self.of_blob(None)?.is_some()))
    }

    /// A commit's settings, if they differ from the current ones in something that matters.
    fn at(&self, at: usize) -> Result<Option<Arc<Settings>>> {
        self.of_blob(self.origins.blob_at(&FileKind::Config, at)?)
    }

    fn of_blob(&self, blob: Option<BlobId>) -> Result<Option<Arc<Settings>>> {
        match blob {
            Some(blob) => Ok(self.blobs()?.get(&blob).cloned().flatten()),
            None => Ok(self.different(None)),
        }
    }

    fn blobs(&self) -> Result<&BTreeMap<BlobId, Option<Arc<Settings>>>> {
        if let Some(blobs) = self.blobs.get() {
            return Ok(blobs);
        }
        let changes = self.origins.changes(&FileKind::Config);
        let named: BTreeSet<BlobId> = changes.iter().filter_map(|(_, change)| change.after).collect();
        let settings = |blob: BlobId| -> Result<_> {
            let config = self.origins.parsed::<ConfigFile>(&FileKind::Config, &blob)?;
            Ok((blob, self.different(config.map(|config| config.settings))))
        };
        let blobs = named.into_iter().map(settings).collect::<Result<_>>()?;
        Ok(self.blobs.get_or_init(|| blobs))
    }

    /// These settings, if they differ from today's. A commit without a readable config.json is judged by the default
    /// rules.
    fn different(&self, settings: Option<Settings>) -> Option<Arc<Settings>> {
        let settings = settings.unwrap_or_else(|| Settings { rules: None, ..self.now.clone() });
        (what_counts(&settings) != self.now).then(|| Arc::new(settings))
    }
}
