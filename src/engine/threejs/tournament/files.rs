//! What a run has written and not committed yet.

use super::table::Table;
use crate::base::error::Result;
use crate::engine::context::Context;
use crate::model::file::RepoFile as _;
use crate::model::file_path::FilePath;
use crate::model::format::Format;
use crate::model::ids::Player;
use crate::model::matrix::Matrix;
use crate::model::snapshot::Source as _;
use crate::model::threejs::audit_matrix::AuditMatrix;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::rules::Plan;
use crate::rules::threejs::audit_duels::AuditDuel;
use crate::rules::threejs::course::Unit;
use crate::rules::threejs::results::{answers_file, report_file, report_line};
use crate::ui::Report;
use crate::world::git::TreeFiles;

/// Commits the results that have been written, by this run or by one that was killed.
///
/// # Errors
/// A file cannot be read, or the commit fails.
pub(super) fn commit(context: &Context<'_>, table: &Table, report: &mut Report) -> Result<()> {
    if !context.options.commit {
        return Ok(());
    }
    let (files, lines) = uncommitted(context, table)?;
    if files.is_empty() {
        return Ok(());
    }
    let plan = Plan { message: lines.join("\n"), ..Plan::default() };
    context.carry_out(&plan, &files, report)
}

/// Are the audit requests as in the last commit? Other hosts wait for them.
///
/// # Errors
/// A file cannot be read.
pub(super) fn has_committed_requests(context: &Context<'_>, table: &Table) -> Result<bool> {
    let file = ThreejsFile::Round(table.terms.round, ThreejsRoundFile::RequireAudit);
    Ok(context.store.read_file(&file)? == last_commit(context)?.map_or(Ok(None), |tree| tree.read(&file.path()))?)
}

/// The files of the last commit; `None` if there is none.
fn last_commit(context: &Context<'_>) -> Result<Option<TreeFiles>> {
    let Some(git) = &context.git else { return Ok(None) };
    git.head()?.map(|head| git.tree(&head.to_string())).transpose()
}

/// The files of this round of duels that are missing from the last commit, with their lines for the message. Compared
/// with the rows of the committed matrices, so that files of a killed run are among them.
fn uncommitted(context: &Context<'_>, table: &Table) -> Result<(Vec<FilePath>, Vec<String>)> {
    let round = table.terms.round;
    let of = |file| ThreejsFile::Round(round, file);
    let tree = last_commit(context)?;
    let read = |file: &ThreejsFile| tree.as_ref().map_or(Ok(None), |tree| tree.read(&file.path()));
    let matrix = read(&of(ThreejsRoundFile::Matrix))?.and_then(|bytes| Matrix::parse(Format::Threejs, &bytes).ok());
    let audits =
        read(&of(ThreejsRoundFile::AuditMatrix))?.and_then(|bytes| AuditMatrix::parse(Format::Threejs, &bytes).ok());
    let (matrix, audits) = (matrix.unwrap_or_default(), audits.unwrap_or_default());
    let mut units = Vec::new();
    for (left, right) in table.files.matrix.get().into_iter().flat_map(|rows| rows.0.keys()) {
        if let (Player::Miner(hotkey), None) = (right, matrix.margin(left, right)) {
            units.push(Unit::Match(left.clone(), hotkey.clone()));
        }
    }
    for (left, right) in table.files.audit_matrix.get().into_iter().flat_map(|rows| rows.0.keys()) {
        if let (Some(repeat), false) = (left.repeat, audits.0.contains_key(&(left.clone(), right.clone()))) {
            units.push(Unit::Audit(AuditDuel { opponent: left.opponent.clone(), repeat, right: right.clone() }));
        }
    }
    let (mut files, mut lines) = (Vec::new(), Vec::new());
    if table.files.question.get().is_some() && read(&of(ThreejsRoundFile::Question))?.is_none() {
        files.push(FilePath::from(of(ThreejsRoundFile::Question)));
    }
    for unit in &units {
        let (file, answers) = (report_file(round, unit), answers_file(round, unit));
        // A match that was not played has none, and reports of older versions have no answers.
        if context.store.read_file(&file)?.is_some() {
            files.extend(context.store.read_file(&answers)?.map(|_| FilePath::from(answers)));
            files.push(FilePath::from(file));
            lines.push(report_line(unit));
        }
    }
    let tables = [
        (ThreejsRoundFile::Matrix, "matches matrix"),
        (ThreejsRoundFile::AuditMatrix, "audit matrix"),
        (ThreejsRoundFile::RequireAudit, "audit requests"),
        (ThreejsRoundFile::GenerationAudits, "generation audits"),
    ];
    for (file, name) in tables {
        let here = context.store.read_file(&of(file))?;
        if here.is_some() && here != read(&of(file))? {
            files.push(FilePath::from(of(file)));
            lines.push(format!("Update {name} for round {round}"));
        }
    }
    Ok((files, lines))
}
