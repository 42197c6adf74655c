//! What the checks of `verify` and `report` go by beside the files: looked up in the history.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::context::Context;
use crate::error::Result;
use crate::rules::checks::history::{BlobId, Change, Commit, WORKING_TREE};
use crate::rules::checks::{Facts, RequestView, Then};
use crate::rules::seed::{BlockHash, OnChain};
use crate::state::file::{FileKind, PlayerFile, RepoFile, RoundFile, split_newline};
use crate::state::ids::{Hotkey, Player, RoundNumber};
use crate::state::prompts::PromptList;
use crate::state::require_audit::AuditRequests;
use crate::state::snapshot::{RoundFiles, Snapshot, Source};
use crate::world::chain::Chain;
use crate::world::git::{Git, Log};

/// Gathers what the checks need beside the files: each audit request's round in the commit that
/// added it, and each round's pool in the commit that wrote its seed.
pub(super) fn gather<'a>(context: &'a Context<'_>, snapshot: &'a Snapshot, log: Option<&Log>) -> Result<Facts<'a>> {
    let mut facts = Facts::of_files(snapshot, &context.config.rules);
    facts.allow_private_cdn = context.config.miners.allow_private_cdn;
    let (Some(git), Some(log)) = (&context.git, log) else { return Ok(facts) };
    let past = Past { git, log };
    let requests = snapshot.rounds.iter().flat_map(|(round, files)| {
        files.require_audit.get().into_iter().flatten().map(move |request| (*round, files, &request.hotkey))
    });
    let seeded = snapshot.rounds.iter().filter(|(_, files)| !files.seed.is_missing());
    let (requests, seeded): (Vec<_>, Vec<_>) = (requests.collect(), seeded.map(|(round, _)| *round).collect());
    // Each looks into commits of its own: most of the time of `verify`, so they go side by side.
    let look = |&(round, files, hotkey): &(RoundNumber, &RoundFiles, &Hotkey)| {
        Ok(((round, hotkey.clone()), past.request(snapshot, round, files, hotkey)?))
    };
    let (requests, pools) = rayon::join(
        || requests.par_iter().map(look).collect::<Result<_>>(),
        || seeded.par_iter().map(|round| Ok((*round, past.pool(snapshot, *round)?))).collect::<Result<_>>(),
    );
    (facts.requests, facts.pools) = (requests?, pools?);
    Ok(facts)
}

/// What the chain says of the blocks that the rounds' seeds hang on.
pub(super) fn on_chain(snapshot: &Snapshot, chain: &dyn Chain) -> Result<BTreeMap<RoundNumber, OnChain>> {
    let mut blocks = BTreeMap::new();
    for (round, files) in &snapshot.rounds {
        let (Some(seed), Some(schedule)) = (files.seed.get(), files.schedule.get()) else { continue };
        let latest = schedule.latest_reveal_block;
        // Only what the proof needs is asked for: a chain file may lack the rest.
        let (drand, block) = (seed.drand_round.is_some(), seed.block.is_some());
        if drand || block {
            let time = if drand { chain.block_time(latest)? } else { 0 };
            let hash = if block { chain.block_hash(latest)? } else { BlockHash([0; 32]) };
            blocks.insert(*round, OnChain { time, hash });
        }
    }
    Ok(blocks)
}

/// A look into past commits.
struct Past<'a> {
    git: &'a Git,
    log: &'a Log,
}

impl Past<'_> {
    /// The last commit whose change of `file` fits; `None` where no commit's does.
    fn last(&self, file: &FileKind, mut fits: impl FnMut(&Change) -> Result<bool>) -> Result<Option<&Commit>> {
        let mut found = None;
        for commit in &self.log.commits {
            for change in commit.changes.iter().filter(|change| change.file == *file) {
                if fits(change)? {
                    found = Some(commit);
                }
            }
        }
        Ok(found)
    }

    /// Commits without a parent bring whatever there was: they say nothing about when.
    fn known(commit: &Commit) -> bool {
        commit.parent.is_some()
    }

    fn request(
        &self,
        snapshot: &Snapshot,
        round: RoundNumber,
        files: &RoundFiles,
        hotkey: &Hotkey,
    ) -> Result<Then<RequestView>> {
        let file = FileKind::Round(round, RoundFile::RequireAudit);
        let lists = |blob: Option<&BlobId>| -> Result<bool> {
            let requests = blob.map(|blob| self.parsed::<AuditRequests>(blob)).transpose()?.flatten();
            Ok(requests.into_iter().flatten().any(|request| request.hotkey == *hotkey))
        };
        let added = self.last(&file, |change| Ok(lists(change.after.as_ref())? && !lists(change.before.as_ref())?))?;
        match added {
            Some(commit) if Past::known(commit) => self.view(commit, round, hotkey),
            Some(_) => Ok(Then::Unknown),
            // Not committed yet: the files on disk are those it was added with.
            None => Ok(match snapshot.config.get() {
                Some(config) => Then::At(
                    WORKING_TREE.to_owned(),
                    RequestView { settings: config.settings.clone(), files: files.clone(), earlier: Vec::new() },
                ),
                None => Then::Unknown,
            }),
        }
    }

    fn view(&self, commit: &Commit, round: RoundNumber, hotkey: &Hotkey) -> Result<Then<RequestView>> {
        let right = Player::Miner(hotkey.clone());
        let wanted = |file: &FileKind| match file {
            FileKind::Config => true,
            FileKind::Round(of, RoundFile::Submissions | RoundFile::Seed | RoundFile::Matrix) => *of == round,
            FileKind::Player(of, player, PlayerFile::Report(_)) => *of == round && *player == right,
            file => audits(file, round),
        };
        let now = Snapshot::load_some(&self.git.tree(&commit.id)?, wanted)?;
        let earlier = self.audits_before(commit, round)?;
        let of = |mut snapshot: Snapshot| snapshot.rounds.remove(&round).unwrap_or_default();
        let Some(config) = now.config.get() else { return Ok(Then::Unknown) };
        let settings = config.settings.clone();
        let view = RequestView { settings, files: of(now), earlier };
        Ok(Then::At(commit.id.get(..10).unwrap_or(&commit.id).to_owned(), view))
    }

    /// The audits of a round as each commit before this one left them, newest first, and last of all
    /// as they were before anybody was audited.
    fn audits_before(&self, commit: &Commit, round: RoundNumber) -> Result<Vec<RoundFiles>> {
        let mut earlier = Vec::new();
        let mut at = commit.parent.and_then(|parent| self.log.commits.get(parent));
        // The newest state is that of the parent; older ones begin where a commit changed an audit.
        let mut wanted = true;
        while let Some(before) = at {
            let parent = before.parent.and_then(|parent| self.log.commits.get(parent));
            if wanted {
                let mut then = Snapshot::load_some(&self.git.tree(&before.id)?, |file| audits(file, round))?;
                earlier.extend(then.rounds.remove(&round));
            }
            wanted = before.changes.iter().any(|change| audits(&change.file, round));
            at = parent;
        }
        earlier.push(RoundFiles::default());
        Ok(earlier)
    }

    /// The pool as it was in the commit that wrote the seed.
    fn pool(&self, snapshot: &Snapshot, round: RoundNumber) -> Result<Then<Option<PromptList>>> {
        let file = FileKind::Round(round, RoundFile::Seed);
        match self.last(&file, |change| Ok(change.after.is_some()))? {
            Some(commit) if Past::known(commit) => {
                let bytes = self.git.tree(&commit.id)?.read(&FileKind::Pool.path())?;
                let pool = bytes.and_then(|bytes| PromptList::parse(split_newline(&bytes).0).ok());
                Ok(Then::At(commit.id.get(..10).unwrap_or(&commit.id).to_owned(), pool))
            }
            Some(_) => Ok(Then::Unknown),
            None => Ok(Then::At(WORKING_TREE.to_owned(), snapshot.pool.get().cloned())),
        }
    }

    fn parsed<T: RepoFile>(&self, blob: &BlobId) -> Result<Option<T>> {
        let bytes = self.git.blob(blob)?;
        Ok(T::parse(split_newline(&bytes).0).ok())
    }
}

/// The audits of a round.
fn audits(file: &FileKind, round: RoundNumber) -> bool {
    matches!(file, FileKind::Round(of, RoundFile::GenerationAudits | RoundFile::SourceAudit) if *of == round)
}
