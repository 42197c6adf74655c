//! Whether the work that runs beside the stages is finished, and what the duels stage's commands wait for: a command
//! that can only wait is not shown as due.

use super::Thresholds;
use super::builds::is_final;
use super::pairings::{Pairings, pairings};
use super::regeneration::{ImageToRun, baseline_outstanding, image_of};
use super::stages::unanswered;
use super::tournament::{Field, TournamentOutcome, replay};
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Hotkey, Player};
use crate::model::snapshot::RoundFiles;

/// What `duel` waits for; `None` if it has work to do.
#[must_use]
pub fn duel(files: &RoundFiles, win_margin: f64, limits: &Thresholds) -> Option<String> {
    if !has_baseline(files) {
        return Some("for the leader's baseline".to_owned());
    }
    let field = Field::of(files, win_margin, limits)?;
    let replay = replay(&field);
    let TournamentOutcome::Audits(holders) = &replay.outcome else { return None };
    let asked = |hotkey: &Hotkey| files.require_audit.get().into_iter().flatten().any(|known| known.hotkey == *hotkey);
    let unasked = replay.candidates.iter().any(|candidate| !asked(&candidate.hotkey));
    if unasked || pairings(&field) != Pairings::default() {
        return None;
    }
    let audits: Vec<_> = holders.iter().map(|hotkey| audit_of(files, hotkey)).collect();
    Some(format!("for {}", audits.join(", ")))
}

/// The open audit of a holder, in words.
#[must_use]
pub fn audit_of(files: &RoundFiles, hotkey: &Hotkey) -> String {
    let audit = files.generation_audits.get().and_then(|audits| audits.get(hotkey));
    match audit.map(|audit| audit.outcome) {
        Some(AuditOutcome::Passed) => format!("the source audit of {hotkey}"),
        _ => format!("the audit of {hotkey}"),
    }
}

/// The miners whose audit can run now, and what the other requests wait for.
#[must_use]
pub fn audits(files: &RoundFiles) -> (Vec<Hotkey>, Vec<String>) {
    let (mut ready, mut awaited) = (Vec::new(), Vec::new());
    for hotkey in unanswered(files) {
        match image_of(files.builds.get(), &hotkey) {
            ImageToRun::Awaited(what) => awaited.push(what),
            ImageToRun::Built(_) | ImageToRun::Never => ready.push(hotkey),
        }
    }
    (ready, awaited)
}

/// Does each submission have a build whose status is final?
pub(super) fn all_built(files: &RoundFiles) -> bool {
    let (Some(submissions), builds) = (files.submissions.get(), files.builds.get()) else { return false };
    submissions
        .keys()
        .all(|hotkey| builds.and_then(|builds| builds.get(hotkey)).is_some_and(|build| is_final(build.status)))
}

/// Does the leader's baseline cover every prompt?
pub(super) fn has_baseline(files: &RoundFiles) -> bool {
    let there = files.players.get(&Player::Leader).is_some_and(|leader| !leader.generated.is_missing());
    there && files.prompts.get().is_none_or(|prompts| baseline_outstanding(files, prompts).is_empty())
}
