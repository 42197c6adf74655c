//! When the judge's answers were recorded: which match reports are older than their round's question, and so need none
//! beside them, and which got theirs only later.

use std::collections::BTreeMap;

use super::in_force::{FileOrigin, Origins};
use crate::base::error::Result;
use crate::model::file::{FileKind, PlayerFile, RoundFile, answers_name};
use crate::model::history::WORKING_TREE;
use crate::model::snapshot::Snapshot;
use crate::rules::checks::Reported;
use crate::rules::checks::answers::Recorded;

/// What the history says of the reports in rounds with a question.
pub(super) fn recorded(origins: &Origins<'_>, snapshot: &Snapshot) -> Result<BTreeMap<Reported, Recorded>> {
    let mut found = BTreeMap::new();
    for (round, files) in snapshot.rounds.iter().filter(|(_, files)| !files.question.is_missing()) {
        let published = first(origins, &FileKind::Round(*round, RoundFile::Question));
        for (right, own) in &files.players {
            for name in own.reports.keys() {
                let of = |file| FileKind::Player(*round, right.clone(), file);
                let report = of(PlayerFile::Report(name.clone()));
                let told = if own.answers_beside(name).is_missing() {
                    unanswered(origins, &report, published)?
                } else {
                    answered(origins, &report, &of(PlayerFile::Answers(answers_name(name))), published)
                };
                found.extend(told.map(|told| ((*round, right.clone(), name.clone()), told)));
            }
        }
    }
    Ok(found)
}

/// The commit that brought a file first; `None` if none did.
fn first(origins: &Origins<'_>, file: &FileKind) -> Option<usize> {
    origins.changes(file).iter().find(|(_, change)| change.after.is_some()).map(|(at, _)| *at)
}

/// A report without answers: is it older than the question?
fn unanswered(origins: &Origins<'_>, report: &FileKind, published: Option<usize>) -> Result<Option<Recorded>> {
    Ok(match (origins.of_file(report)?, published) {
        (FileOrigin::Root(_), _) => Some(Recorded::Unknown),
        (FileOrigin::Commit(made), Some(published)) => (made < published).then_some(Recorded::BeforeQuestion),
        (FileOrigin::Commit(_), None) => Some(Recorded::BeforeQuestion),
        (FileOrigin::Here, _) => None,
    })
}

/// A report with answers: did they, or the question, come later than it?
fn answered(
    origins: &Origins<'_>,
    report: &FileKind,
    answers: &FileKind,
    published: Option<usize>,
) -> Option<Recorded> {
    // What is not committed came last.
    let made = first(origins, report)?;
    match first(origins, answers) {
        None => Some(Recorded::Later(WORKING_TREE.to_owned())),
        Some(at) if at > made => Some(Recorded::Later(origins.short(at))),
        Some(_) => published.is_none_or(|published| published > made).then_some(Recorded::BeforeQuestion),
    }
}
