//! Which match reports are older than their round's question, and so need no answers of the judge beside them.

use std::collections::BTreeMap;

use super::in_force::{FileOrigin, Origins};
use crate::base::error::Result;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::snapshot::Snapshot;
use crate::rules::checks::Reported;
use crate::rules::checks::answers::Unanswered;

/// The reports without answers in rounds with a question, if they are older than it, or may be.
pub(super) fn unanswered(origins: &Origins<'_>, snapshot: &Snapshot) -> Result<BTreeMap<Reported, Unanswered>> {
    let mut found = BTreeMap::new();
    for (round, files) in snapshot.rounds.iter().filter(|(_, files)| !files.question.is_missing()) {
        let question = FileKind::Round(*round, RoundFile::Question);
        let published = origins.changes(&question).first().map(|(at, _)| *at);
        for (right, own) in &files.players {
            for name in own.reports.keys().filter(|name| own.answers_beside(name).is_missing()) {
                let report = FileKind::Player(*round, right.clone(), PlayerFile::Report(name.clone()));
                let age = match (origins.of_file(&report)?, published) {
                    (FileOrigin::Root(_), _) => Some(Unanswered::Unknown),
                    (FileOrigin::Commit(made), Some(published)) => (made < published).then_some(Unanswered::Before),
                    (FileOrigin::Commit(_), None) => Some(Unanswered::Before),
                    (FileOrigin::Here, _) => None,
                };
                found.extend(age.map(|age| ((*round, right.clone(), name.clone()), age)));
            }
        }
    }
    Ok(found)
}
