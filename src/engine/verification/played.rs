//! The files that matches were played on, if they have changed since.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::in_force::{FileOrigin, Origins};
use crate::base::error::Result;
use crate::model::file::{FileKind, PlayerFile, RepoFile, RoundFile};
use crate::model::history::BlobId;
use crate::model::ids::{Player, RoundNumber};
use crate::model::limits::Budget;
use crate::model::outputs::Outputs;
use crate::model::prompts::PromptList;
use crate::model::snapshot::Snapshot;
use crate::rules::checks::{MatchView, Reported, Then, Was};

/// Match reports whose files have changed since, with the files of then; and the commits that replaced them.
type OnWhat = (BTreeMap<Reported, Then<MatchView>>, BTreeMap<FileKind, String>);

/// Looks up each report's files as they were in the commit that wrote it.
pub(crate) fn on_what(origins: &Origins<'_>, snapshot: &Snapshot, budget: &Budget) -> Result<OnWhat> {
    let mut looked = Looked {
        origins,
        budget,
        blobs: HashMap::new(),
        outputs: HashMap::new(),
        prompts: HashMap::new(),
        replaced: BTreeMap::new(),
    };
    let mut matches = BTreeMap::new();
    for (round, files) in &snapshot.rounds {
        for (right, own) in &files.players {
            for (name, report) in own.reports.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
                let file = FileKind::Player(*round, right.clone(), PlayerFile::Report(name.clone()));
                let then = match origins.of_file(&file)? {
                    FileOrigin::Here => None,
                    FileOrigin::Root(_) => Some(Then::Unknown),
                    FileOrigin::Commit(at) => looked.view(at, *round, &report.left, &report.right)?,
                };
                matches.extend(then.map(|then| ((*round, right.clone(), name.clone()), then)));
            }
        }
    }
    Ok((matches, looked.replaced))
}

/// Lookups shared by all reports.
struct Looked<'a> {
    origins: &'a Origins<'a>,
    budget: &'a Budget,
    /// Blobs by file and commit.
    blobs: HashMap<(FileKind, usize), Option<BlobId>>,
    outputs: HashMap<BlobId, Option<Arc<Outputs>>>,
    prompts: HashMap<BlobId, Option<Arc<PromptList>>>,
    replaced: BTreeMap<FileKind, String>,
}

impl Looked<'_> {
    /// The files that a match was played on, for a report written in the commit `at`; `None` if none has changed.
    fn view(
        &mut self,
        at: usize,
        round: RoundNumber,
        left: &Player,
        right: &Player,
    ) -> Result<Option<Then<MatchView>>> {
        let made_by = |player: &Player| {
            let made = if *player == Player::Leader { PlayerFile::Generated } else { PlayerFile::Submitted };
            FileKind::Player(round, player.clone(), made)
        };
        let prompts = FileKind::Round(round, RoundFile::Prompts);
        let (left, right) = (made_by(left), made_by(right));
        let others = [self.other(&prompts, at)?, self.other(&left, at)?, self.other(&right, at)?];
        if others == [None; 3] {
            return Ok(None);
        }
        let [played, ours, theirs] = others;
        let view = MatchView {
            prompts: was(self.origins, self.budget, &mut self.prompts, &prompts, played)?,
            left: was(self.origins, self.budget, &mut self.outputs, &left, ours)?,
            right: was(self.origins, self.budget, &mut self.outputs, &right, theirs)?,
        };
        Ok(Some(Then::At(self.origins.short(at), view)))
    }

    /// The blob that a file had in a commit, if it has changed since. A file that did not exist then came later than
    /// the report, and is taken as it is now.
    fn other(&mut self, file: &FileKind, at: usize) -> Result<Option<BlobId>> {
        if !self.origins.may_have_changed(file, at) {
            return Ok(None);
        }
        let key = (file.clone(), at);
        let then = match self.blobs.get(&key) {
            Some(blob) => *blob,
            None => *self.blobs.entry(key).or_insert(self.origins.blob_at(file, at)?),
        };
        let now = self.origins.blob_now(file)?;
        let other = then.filter(|then| now != Some(*then));
        if other.is_some() && !self.replaced.contains_key(file) {
            self.replaced.insert(file.clone(), self.replaced_by(file)?);
        }
        Ok(other)
    }

    /// The last commit that changed a file.
    fn replaced_by(&self, file: &FileKind) -> Result<String> {
        Ok(match self.origins.of_file(file)? {
            FileOrigin::Commit(at) | FileOrigin::Root(at) => self.origins.short(at),
            FileOrigin::Here => match self.origins.changes(file).last() {
                Some((at, change)) if change.after.is_none() => self.origins.short(*at),
                _ => crate::model::history::WORKING_TREE.to_owned(),
            },
        })
    }
}

/// The file in this blob, or `Same` if there is none.
fn was<T: RepoFile>(
    origins: &Origins<'_>,
    budget: &Budget,
    known: &mut HashMap<BlobId, Option<Arc<T>>>,
    file: &FileKind,
    blob: Option<BlobId>,
) -> Result<Was<T>> {
    let Some(blob) = blob else { return Ok(Was::Same) };
    if let Some(read) = known.get(&blob) {
        return Ok(Was::Other(read.clone()));
    }
    let read = origins.parsed_within(file, &blob, budget)?.map(Arc::new);
    known.insert(blob, read.clone());
    Ok(Was::Other(read))
}
