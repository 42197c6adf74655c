//! The commit in force for claims of competitions of splats and of three.js modules: as `in_force`, for files that are
//! known by their paths.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::base::error::Result;
use crate::engine::verification::eras::Past;
use crate::model::config::Settings;
use crate::model::file::{FileKind, RoundFile, read};
use crate::model::format::Format;
use crate::model::history::{BlobId, PathChange, WORKING_TREE};
use crate::model::ids::{Block, RoundNumber};
use crate::model::prompts::PromptList;
use crate::model::snapshot::Source;
use crate::model::splat::file::{SplatContent, SplatFile};
use crate::model::threejs::file::{ThreejsContent, ThreejsFile, ThreejsRoundFile, answers_name};
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::checks::answers::Recorded;
use crate::rules::checks::formats::threejs_answers::reported;
use crate::rules::checks::in_force::{Claimed, InForce, leader_entry, what_counts};
use crate::rules::checks::{Reported, Then};
use crate::world::git::Git;

/// Finds which commit made which claim, and what was in force there.
pub(crate) struct Origins<'a> {
    git: &'a Git,
    past: &'a Past,
    format: Format,
    /// The files as they are checked.
    source: &'a dyn Source,
    /// Each file's changes within the competition, oldest first, with the commit's place.
    changes: HashMap<&'a str, Vec<(usize, &'a PathChange)>>,
    /// config.json and the pool after each commit.
    configs: Vec<Option<BlobId>>,
    pools: Vec<Option<BlobId>>,
    /// Pools by blob: most rounds draw from the same one.
    lists: RefCell<HashMap<BlobId, Option<Arc<PromptList>>>>,
}

/// A file in every commit.
fn follow(past: &Past, path: &str) -> Vec<Option<BlobId>> {
    let mut blobs: Vec<Option<BlobId>> = Vec::with_capacity(past.commits.len());
    for commit in &past.commits {
        let changed = commit.changes.iter().find(|change| change.path == path);
        let before = || commit.parent.and_then(|parent| blobs.get(parent).copied().flatten());
        blobs.push(changed.map_or_else(before, |change| change.after));
    }
    blobs
}

impl<'a> Origins<'a> {
    /// The origins of the files of the competition that these commits are about.
    pub(crate) fn of(git: &'a Git, past: &'a Past, era: Range<usize>, format: Format, source: &'a dyn Source) -> Self {
        let mut changes: HashMap<&str, Vec<(usize, &PathChange)>> = HashMap::new();
        for (at, commit) in past.commits.iter().enumerate().take(era.end).skip(era.start) {
            commit.changes.iter().for_each(|change| changes.entry(&change.path).or_default().push((at, change)));
        }
        let (configs, pools) = (follow(past, "config.json"), follow(past, "prompts.txt"));
        Origins { git, past, format, source, changes, configs, pools, lists: RefCell::default() }
    }

    fn changes(&self, path: &str) -> &[(usize, &'a PathChange)] {
        self.changes.get(path).map_or(&[], Vec::as_slice)
    }

    fn short(&self, at: usize) -> String {
        let id = self.past.commits.get(at).map_or(WORKING_TREE, |commit| commit.id.as_str());
        id.get(..10).unwrap_or(id).to_owned()
    }

    /// The last commit that gave a file its current contents; `None` if they are not committed.
    fn of_file(&self, path: &str) -> Result<Option<usize>> {
        // Unreadable files are reported by the checks of files.
        let Some(bytes) = self.source.read(path).unwrap_or_default() else { return Ok(None) };
        let now = Some(self.git.blob_id(&bytes)?);
        Ok(self.changes(path).iter().rev().find(|(_, change)| change.after == now).map(|(at, _)| *at))
    }

    /// Is it unknown what came before this commit?
    fn is_cut(&self, at: usize) -> bool {
        self.past.shallow().is_some() && self.past.commits.get(at).is_none_or(|commit| commit.parent.is_none())
    }

    /// The commit that added each entry of leader.json, by its block.
    fn of_leaders(&self) -> Result<BTreeMap<Block, usize>> {
        let (mut made, mut known) = (BTreeMap::new(), BTreeSet::new());
        for (at, change) in self.changes("leader.json") {
            let Some(blob) = &change.after else { continue };
            // A broken version adds nothing, and takes nothing away.
            let contents = self.past.blob(blob)?;
            let Some(blocks) = contents.bytes().and_then(|bytes| self.blocks(bytes)) else { continue };
            made.extend(blocks.difference(&known).map(|block| (*block, *at)));
            known = blocks;
        }
        Ok(made)
    }

    fn blocks(&self, bytes: &[u8]) -> Option<BTreeSet<Block>> {
        match self.format {
            Format::Splat => match SplatContent::parse(&SplatFile::Leader, bytes) {
                Ok((SplatContent::Leader(of), _)) => Some(of.entries().iter().map(|of| of.effective_block).collect()),
                _ => None,
            },
            _ => match ThreejsContent::parse(&ThreejsFile::Leader, bytes) {
                Ok((ThreejsContent::Leader(of), _)) => Some(of.iter().map(|of| of.effective_block).collect()),
                _ => None,
            },
        }
    }

    fn settings(&self, bytes: &[u8]) -> Option<Settings> {
        match self.format {
            Format::Splat => match SplatContent::parse(&SplatFile::Config, bytes) {
                Ok((SplatContent::Config(config), _)) => Some(config.settings.shared()),
                _ => None,
            },
            _ => match ThreejsContent::parse(&ThreejsFile::Config, bytes) {
                Ok((ThreejsContent::Config(config), _)) => Some(config.settings),
                _ => None,
            },
        }
    }

    /// Each claim that depends on settings, with the commit that made it.
    fn claims(&self, rounds: &[RoundNumber]) -> Result<Vec<(Claimed, usize)>> {
        let won = if self.format == Format::Splat { "judge_progress.json" } else { "winner.json" };
        let files = [
            (RoundFile::Schedule, "schedule.json"),
            (RoundFile::Submissions, "submissions.json"),
            (RoundFile::Seed, "seed.json"),
            (RoundFile::Builds, "builds.json"),
            (RoundFile::Winner, won),
        ];
        let mut claims = Vec::new();
        for round in rounds {
            for (file, name) in files {
                if let Some(at) = self.of_file(&format!("rounds/{round}/{name}"))? {
                    claims.push(((FileKind::Round(*round, file), None), at));
                }
            }
        }
        claims.extend(self.of_leaders()?.into_iter().map(|(block, at)| (leader_entry(block), at)));
        Ok(claims)
    }

    /// The settings by which each claim is judged: those of the commit that made it, if they differ from today's.
    ///
    /// # Errors
    /// An object of the history is missing or broken.
    pub(crate) fn in_force(&self, rules: InForce, rounds: &[RoundNumber]) -> Result<InForce> {
        let mut rules = InForce { no_history: false, shallow: self.past.shallow(), ..rules };
        let Some(now) = rules.settings.as_deref().map(what_counts) else { return Ok(rules) };
        let mut versions: HashMap<BlobId, Option<Arc<Settings>>> = HashMap::new();
        for (claimed, at) in self.claims(rounds)? {
            let Some(blob) = self.configs.get(at).copied().flatten() else { continue };
            let then = match versions.entry(blob) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(unread) => {
                    let contents = self.past.blob(&blob)?;
                    let then = contents.bytes().and_then(|bytes| self.settings(bytes));
                    let then = then.filter(|then| what_counts(then) != now);
                    unread.insert(then.map(Arc::new)).clone()
                }
            };
            rules.then.extend(then.map(|settings| (claimed.clone(), (self.short(at), settings))));
            if self.is_cut(at) {
                rules.unknown.insert(claimed);
            }
        }
        Ok(rules)
    }

    /// The pool in the commit that wrote a round's seed.
    ///
    /// # Errors
    /// An object of the history is missing or broken.
    pub(crate) fn pool(&self, round: RoundNumber) -> Result<Then<Option<Arc<PromptList>>>> {
        match self.of_file(&format!("rounds/{round}/seed.json"))? {
            Some(at) if self.is_cut(at) => Ok(Then::Unknown),
            Some(at) => {
                let list = match self.pools.get(at).copied().flatten() {
                    Some(blob) => self.list(blob)?,
                    None => None,
                };
                Ok(Then::At(self.short(at), list))
            }
            None => {
                let bytes = self.source.read("prompts.txt").unwrap_or_default();
                Ok(Then::At(WORKING_TREE.to_owned(), bytes.and_then(|bytes| pool(&bytes)).map(Arc::new)))
            }
        }
    }

    /// What the history says of when a round's reports and the judge's answers beside them came, where it says anything.
    ///
    /// # Errors
    /// An object of the history is missing or broken.
    pub(crate) fn recorded(&self, snapshot: &ThreejsSnapshot) -> Result<BTreeMap<Reported, Recorded>> {
        let mut found = BTreeMap::new();
        for (round, files) in snapshot.rounds.iter().filter(|(_, files)| !files.question.is_missing()) {
            let published = self.first(&ThreejsFile::Round(*round, ThreejsRoundFile::Question).path());
            for (right, name, answered) in reported(files) {
                let folder = format!("rounds/{round}/{right}");
                let report = format!("{folder}/{name}");
                let told = if answered {
                    self.answered(&report, &format!("{folder}/{}", answers_name(name)), published)
                } else {
                    self.unanswered(&report, published)?
                };
                found.extend(told.map(|told| ((*round, right.clone(), name.clone()), told)));
            }
        }
        Ok(found)
    }

    /// The commit that brought a file first; `None` if none did.
    fn first(&self, path: &str) -> Option<usize> {
        self.changes(path).iter().find(|(_, change)| change.after.is_some()).map(|(at, _)| *at)
    }

    /// A report without answers: is it older than the question?
    fn unanswered(&self, report: &str, published: Option<usize>) -> Result<Option<Recorded>> {
        let Some(made) = self.of_file(report)? else { return Ok(None) };
        if self.is_cut(made) {
            return Ok(Some(Recorded::Unknown));
        }
        let older = published.is_none_or(|published| made < published);
        Ok(older.then_some(Recorded::BeforeQuestion))
    }

    /// A report with answers: did they, or the question, come later than it?
    fn answered(&self, report: &str, answers: &str, published: Option<usize>) -> Option<Recorded> {
        // What is not committed came last.
        let made = self.first(report)?;
        match self.first(answers) {
            None => Some(Recorded::Later(WORKING_TREE.to_owned())),
            Some(at) if at > made => Some(Recorded::Later(self.short(at))),
            Some(_) => published.is_none_or(|published| published > made).then_some(Recorded::BeforeQuestion),
        }
    }

    fn list(&self, blob: BlobId) -> Result<Option<Arc<PromptList>>> {
        if let Some(list) = self.lists.borrow().get(&blob) {
            return Ok(list.clone());
        }
        let list = self.past.blob(&blob)?.bytes().and_then(pool).map(Arc::new);
        self.lists.borrow_mut().insert(blob, list.clone());
        Ok(list)
    }
}

fn pool(bytes: &[u8]) -> Option<PromptList> {
    FileKind::Pool.check(bytes).ok()?;
    read(Format::Mesh, bytes).ok().map(|(list, _)| list)
}
