//! Which commit made a claim, and which rules were in force there: the one place that decides it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::commits::working_tree;
use super::context::Context;
use crate::error::Result;
use crate::rules::Thresholds;
use crate::rules::checks::history::{BlobId, Change, Commit, WORKING_TREE};
use crate::rules::checks::in_force::{Claimed, InForce, goes_by_rules};
use crate::state::config::ConfigFile;
use crate::state::file::{FileKind, RepoFile as _, RoundFile, split_newline};
use crate::state::generation_audits::GenerationAudits;
use crate::state::snapshot::{Slot, Snapshot};
use crate::world::git::{Git, Log, TreeFiles};

/// The rules by which each claim of the files is judged.
pub(super) fn in_force(context: &Context<'_>, snapshot: &Snapshot, git: &Git, log: &Log) -> Result<InForce> {
    let mut rules = InForce::always(now(snapshot));
    // Rules hardly ever change: where they never did, no commit needs to be looked into.
    if versions(git, log)?.iter().all(|limits| *limits == rules.now) {
        return Ok(rules);
    }
    let past = Past::of(context, git, log)?;
    let mut known = BTreeMap::new();
    for (claimed, at) in past.origins(snapshot)?.into_iter().filter(|(claimed, _)| goes_by_rules(claimed)) {
        let Some(commit) = past.commits.get(at).filter(|commit| commit.id != WORKING_TREE) else { continue };
        let limits = match known.get(&at) {
            Some(limits) => *limits,
            None => *known.entry(at).or_insert(limits_at(git, commit)?),
        };
        if limits != rules.now {
            rules.then.insert(claimed, (commit.id.get(..10).unwrap_or(&commit.id).to_owned(), limits));
        }
    }
    Ok(rules)
}

/// The rules of config.json as it is.
pub(super) fn now(snapshot: &Snapshot) -> Thresholds {
    snapshot.config.get().map(|config| config.settings.limits()).unwrap_or_default()
}

/// The rules that config.json ever had. Where there was none, or none that could be read, nobody could go by
/// other rules than the usual ones.
fn versions(git: &Git, log: &Log) -> Result<Vec<Thresholds>> {
    let changes =
        log.commits.iter().flat_map(|commit| &commit.changes).filter(|change| change.file == FileKind::Config);
    let blobs: BTreeSet<Option<&BlobId>> = changes.map(|change| change.after.as_ref()).collect();
    let brings = |commit: &Commit| commit.changes.iter().any(|change| change.file == FileKind::Config);
    let none_yet = log.commits.iter().any(|commit| commit.parent.is_none() && !brings(commit));
    let none_yet = none_yet.then(Thresholds::default);
    let versions = blobs.into_iter().map(|blob| blob.map_or(Ok(Thresholds::default()), |blob| limits_of(git, blob)));
    versions.chain(none_yet.map(Ok)).collect()
}

fn limits_of(git: &Git, blob: &BlobId) -> Result<Thresholds> {
    let bytes = git.reader().file(&FileKind::Config, blob)?;
    let config = ConfigFile::parse(split_newline(&bytes).0);
    Ok(config.map(|config| config.settings.limits()).unwrap_or_default())
}

fn limits_at(git: &Git, commit: &Commit) -> Result<Thresholds> {
    match git.tree(&commit.id)?.blob_id(&FileKind::Config.path())? {
        Some(blob) => limits_of(git, &blob),
        None => Ok(Thresholds::default()),
    }
}

/// The commits, and the working tree as if it were one more.
struct Past<'a> {
    git: &'a Git,
    head: Option<TreeFiles>,
    commits: Vec<Commit>,
    /// What is not committed, by file, and its bytes.
    uncommitted: HashMap<FileKind, Option<BlobId>>,
    contents: HashMap<BlobId, Vec<u8>>,
}

impl<'a> Past<'a> {
    fn of(context: &Context<'_>, git: &'a Git, log: &Log) -> Result<Self> {
        let mut commits = log.commits.clone();
        let head = commits.last().map(|head| git.tree(&head.id)).transpose()?;
        let (changes, contents) = working_tree(context, git, head.as_ref())?;
        let uncommitted = changes.iter().map(|change| (change.file.clone(), change.after)).collect();
        let parent = commits.len().checked_sub(1);
        commits.push(Commit { id: WORKING_TREE.to_owned(), summary: String::new(), parent, changes });
        Ok(Past { git, head, commits, uncommitted, contents })
    }

    /// For each file as it is, and for each entry of those whose entries are claims of their own: the last
    /// commit that made it so.
    fn origins(&self, snapshot: &Snapshot) -> Result<BTreeMap<Claimed, usize>> {
        let mut origins = BTreeMap::new();
        for (at, change) in self.changes() {
            if change.after.is_some() && change.after == self.blob_now(&change.file)? {
                origins.insert((change.file.clone(), None), at);
            }
        }
        for (round, files) in &snapshot.rounds {
            if let Slot::Ok(audits) = &files.generation_audits {
                let file = FileKind::Round(*round, RoundFile::GenerationAudits);
                origins.extend(self.entries(&file, audits)?);
            }
        }
        Ok(origins)
    }

    fn changes(&self) -> impl DoubleEndedIterator<Item = (usize, &Change)> {
        self.commits.iter().enumerate().flat_map(|(at, commit)| commit.changes.iter().map(move |change| (at, change)))
    }

    fn blob_now(&self, file: &FileKind) -> Result<Option<BlobId>> {
        match (self.uncommitted.get(file), &self.head) {
            (Some(blob), _) => Ok(*blob),
            (None, Some(head)) => head.blob_id(&file.path()),
            (None, None) => Ok(None),
        }
    }

    /// The last commit that wrote each verdict as it is: the newest changes first, as far back as is needed.
    fn entries(&self, file: &FileKind, now: &GenerationAudits) -> Result<BTreeMap<Claimed, usize>> {
        let mut origins = BTreeMap::new();
        let mut open: Vec<_> = now.iter().collect();
        for (at, change) in self.changes().rev().filter(|(_, change)| change.file == *file) {
            if open.is_empty() {
                break;
            }
            let (before, after) = (self.verdicts(change.before.as_ref())?, self.verdicts(change.after.as_ref())?);
            open.retain(|(hotkey, verdict)| {
                let made = after.get(*hotkey) == Some(*verdict) && before.get(*hotkey) != Some(*verdict);
                if made {
                    origins.insert((file.clone(), Some(hotkey.to_string())), at);
                }
                !made
            });
        }
        Ok(origins)
    }

    fn verdicts(&self, blob: Option<&BlobId>) -> Result<GenerationAudits> {
        let Some(blob) = blob else { return Ok(GenerationAudits::default()) };
        let bytes = match self.contents.get(blob) {
            Some(bytes) => bytes.clone(),
            None => self.git.blob(blob)?,
        };
        Ok(GenerationAudits::parse(split_newline(&bytes).0).unwrap_or_default())
    }
}
