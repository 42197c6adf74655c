//! Matches of a competition of three.js modules, audit duels among them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::super::matches::{ModelAndPicture, Side, check_score, urls};
use super::super::{Claim, Sink};
use super::common;
use super::threejs::{Round, generated, outputs_of};
use super::threejs_files::is_recent;
use crate::model::ids::{Hotkey, Player, PromptStem};
use crate::model::neutral::DuelView;
use crate::model::report::DuelWinner;
use crate::model::snapshot::Slot;
use crate::model::threejs::audit_matrix::{AuditLeft, Opponent};
use crate::model::threejs::detail::{Angle, Told};
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::outputs::{Module, Modules};
use crate::model::threejs::reports::GenerationReport;
use crate::model::threejs::snapshot::ThreejsPlayer;
use crate::rules::threejs::duel::{is_walkover, walkover, without_judge};
use crate::rules::threejs::known::ANGLES;
use crate::rules::threejs::reports::is_early;
use crate::rules::threejs::stages::objections;

/// Both sides' outputs.
type Sides<'a> = [Option<&'a Modules>; 2];

pub(super) fn check(round: &Round<'_>, sink: &mut Sink) {
    for (player, own) in &round.files.players {
        for (name, report) in own.duels.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            let sides = match &report.left {
                Opponent::Holder(left) => [outputs_of(round.files, left), outputs_of(round.files, player)],
                // In rounds 0 to 2: what was submitted against what was generated.
                Opponent::Submitted => [outputs_of(round.files, player), generated(round.files, player, 1)],
            };
            one(round, player, (name, "duels_"), report, sides, sink);
        }
        for (name, report) in own.audits.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            let repeat = audit_left(name, report).and_then(|left| left.repeat).unwrap_or(1);
            let left = match &report.left {
                Opponent::Submitted => outputs_of(round.files, player),
                Opponent::Holder(left) => outputs_of(round.files, left),
            };
            one(round, player, (name, "audit_"), report, [left, generated(round.files, player, repeat)], sink);
        }
    }
    matrix(round, sink);
    audit_matrix(round, sink);
}

/// The row of audit_matrix.csv that belongs to an audit report: its left, and the repeat in its file name.
fn audit_left(name: &str, report: &StagedMatch) -> Option<AuditLeft> {
    let stem = name.strip_prefix("audit_")?.strip_suffix(".json")?;
    let repeat = stem.rsplit_once('_').and_then(|(_, repeat)| repeat.parse().ok());
    Some(AuditLeft { opponent: report.left.clone(), repeat })
}

fn one(
    round: &Round<'_>,
    player: &Player,
    (name, kind): (&str, &str),
    report: &StagedMatch,
    sides: Sides<'_>,
    sink: &mut Sink,
) {
    let file = round.path(&format!("{player}/{name}"));
    sink.claim("match.score", round.round, file.clone(), |claim| {
        check_score(claim, (report.score, report.margin), report.duels.iter().map(|duel| duel.winner));
    });
    sink.claim("match.urls", round.round, file.clone(), |claim| {
        names(claim, round, player, (name, kind), report);
        let [Some(left), Some(right)] = sides else {
            return claim.skip("the outputs of one side are missing");
        };
        let sorted = round.files.prompts.get().map(|prompts| common::sorted(prompts, report.duels.len()));
        let left = Side { keys: ["left_js", "left_png"], urls: &|stem| of(left, stem) };
        let right = Side { keys: ["right_js", "right_png"], urls: &|stem| of(right, stem) };
        urls(claim, sorted.as_deref(), report.duels.iter().map(DuelView::from), [left, right]);
    });
    sink.claim("match.rules", round.round, file.clone(), |claim| {
        report.duels.iter().for_each(|duel| unjudged(claim, duel));
    });
    sink.claim("judge.detail", round.round, file, |claim| {
        claim.note("stage 1 only as far as it is recorded, which leaves out the angles that were dropped");
        report.duels.iter().for_each(|duel| judged(claim, duel));
    });
}

/// A module's URL, and its grid of views.
fn of<'a>(outputs: &'a Modules, stem: &PromptStem) -> ModelAndPicture<'a> {
    let grid = |views: &String| Cow::Owned(format!("{views}/grid.png"));
    let urls = |module: &'a Module| [module.js.as_deref().map(Cow::Borrowed), module.views.as_ref().map(grid)];
    outputs.get(stem).map(urls).unwrap_or_default()
}

fn names(claim: &mut Claim, round: &Round<'_>, player: &Player, (name, kind): (&str, &str), report: &StagedMatch) {
    if *player != Player::Miner(report.right.clone()) {
        claim.fail(format!("right is {}, but the folder is {player}'s", report.right));
    }
    if !round.submitted(&report.right) {
        claim.fail(format!("{}: did not submit in this round", report.right));
    }
    let left = match &report.left {
        Opponent::Submitted => "submitted",
        Opponent::Holder(player) => player.short(),
    };
    let named = name.strip_prefix(kind).and_then(|name| name.strip_suffix(".json")).unwrap_or(name);
    let run = |rest: &str| kind == "audit_" && rest.strip_prefix('_').is_some_and(|run| run.parse::<u32>().is_ok());
    if !named.strip_prefix(left).is_some_and(|rest| rest.is_empty() || run(rest)) {
        claim.fail(format!("left is {}, but the file is named {name}", report.left));
    }
}

fn unjudged(claim: &mut Claim, duel: &StagedDuel) {
    let reason = duel.detail.as_ref().and_then(|detail| match detail.told() {
        Told::Unjudged(reason) => Some(reason),
        Told::Judged(_) => None,
    });
    match (without_judge(duel.left_png.is_some(), duel.right_png.is_some()), reason) {
        (Some((winner, expected)), found) => {
            claim.same(format_args!("{}: winner", duel.name), &duel.winner, &winner);
            claim.same(format_args!("{}: reason", duel.name), &found, &Some(expected));
        }
        (None, Some(reason)) => {
            claim.fail(format!("{}: reason is {reason:?}, but both sides have previews", duel.name));
        }
        (None, None) => {}
    }
}

fn judged(claim: &mut Claim, duel: &StagedDuel) {
    match &duel.detail {
        None => {
            claim.same(format_args!("{}: winner without a detail", duel.name), &duel.winner, &DuelWinner::Skipped);
            claim.warn(format!("{}: skipped: judging was aborted", duel.name));
        }
        Some(detail) => {
            if let Told::Judged(stages) = detail.told() {
                for objection in objections(&stages, duel.winner) {
                    claim.fail(format!("{}: {objection}", duel.name));
                }
                angles(claim, duel, &stages.s1.angles);
            }
        }
    }
}

/// Stage 1 judges each angle once.
fn angles(claim: &mut Claim, duel: &StagedDuel, angles: &[Angle]) {
    let mut seen = HashSet::new();
    for label in angles.iter().map(|angle| angle.label.as_str()) {
        if !seen.insert(label) {
            claim.fail(format!("{}: s1: the angle {label:?} is there twice", duel.name));
        } else if !ANGLES.contains(&label) {
            claim.warn(format!("{}: s1: the angle {label:?} is unknown", duel.name));
        }
    }
}

/// A miner's report against `left`.
fn report<'a>(own: &'a ThreejsPlayer, left: &Player) -> Option<&'a StagedMatch> {
    let left = Opponent::Holder(left.clone());
    own.duels.values().filter_map(Slot::get).find(|report| report.left == left)
}

/// Does a player have any module at all? `None` if that cannot be read.
fn has(round: &Round<'_>, player: &Player) -> Option<bool> {
    let outputs = outputs_of(round.files, player)?;
    Some(outputs.values().any(|module| module.js.is_some()))
}

fn matrix(round: &Round<'_>, sink: &mut Sink) {
    let Some(matrix) = round.files.matrix.get() else { return };
    sink.claim("match.matrix", round.round, round.path("matches_matrix.csv"), |claim| {
        for ((left, right), margin) in &matrix.0 {
            let row = format!("{left},{right}");
            for hotkey in [left, right].into_iter().filter_map(Player::hotkey).filter(|hotkey| !round.submitted(hotkey))
            {
                claim.fail(format!("{row}: {hotkey} did not submit in this round"));
            }
            let found = round.files.players.get(right).and_then(|own| report(own, left));
            match (found, has(round, left), has(round, right)) {
                (Some(report), ..) => claim.same(format_args!("{row}: margin"), margin, &report.margin),
                (None, Some(left_has), Some(right_has)) => match walkover(left_has, right_has) {
                    Some(expected) if is_walkover(*margin, expected, is_recent(round)) => {}
                    Some(expected) => {
                        claim.fail(format!("{row}: margin {margin} of a side without modules, expected {expected}"));
                    }
                    None => claim.fail(format!("{row}: margin {margin} has no match report")),
                },
                (None, ..) => claim.skip(format!("{row}: neither the report nor the outputs are there")),
            }
        }
        for (player, own) in &round.files.players {
            for report in own.duels.values().filter_map(Slot::get).filter(|_| round.is_over()) {
                if let Opponent::Holder(left) = &report.left
                    && matrix.margin(left, player).is_none()
                {
                    claim.fail(format!("{left},{player}: a report (margin {}) without a row", report.margin));
                }
            }
        }
    });
}

/// `audit.matrix`: rows and audit reports agree.
fn audit_matrix(round: &Round<'_>, sink: &mut Sink) {
    let audits = || {
        let players = round.files.players.values();
        players.flat_map(|own| own.audits.iter()).filter_map(|(name, slot)| Some((name, slot.get()?)))
    };
    if round.files.audit_matrix.is_missing() && audits().next().is_none() {
        return;
    }
    sink.claim("audit.matrix", round.round, round.path("audit_matrix.csv"), |claim| {
        let Some(matrix) = round.files.audit_matrix.get() else {
            return if round.files.audit_matrix.is_missing() && round.is_over() {
                claim.fail("there are audit reports, but no matrix");
            };
        };
        let lefts: Vec<_> = audits().filter_map(|(name, report)| Some((audit_left(name, report)?, report))).collect();
        let known: HashMap<_, _> = lefts.iter().map(|(left, report)| ((left, &report.right), report)).collect();
        for ((left, right), margin) in &matrix.0 {
            let row = format!("{left},{right}");
            if !round.submitted(right) {
                claim.fail(format!("{row}: {right} did not submit in this round"));
            }
            match known.get(&(left, right)) {
                Some(report) => claim.same(format_args!("{row}: margin"), margin, &report.margin),
                None if outputs_of(round.files, &Player::Miner(right.clone())).is_some() => {
                    claim.fail(format!("{row}: margin {margin} has no audit report"));
                }
                None => claim.skip(format!("{row}: the files of {right} are not there")),
            }
            unrun(claim, round, &row, left, right);
        }
        for (left, report) in lefts.iter().filter(|_| round.is_over()) {
            if !matrix.0.contains_key(&(left.clone(), report.right.clone())) {
                claim.fail(format!("{left},{}: a report (margin {}) without a row", report.right, report.margin));
            }
        }
    });
}

/// An audit duel of a run needs that run. The report on it may be gone: the services have dropped such reports, and the
/// program may have failed to start when it was run once more.
fn unrun(claim: &mut Claim, round: &Round<'_>, row: &str, left: &AuditLeft, right: &Hotkey) {
    let report = round.files.generation_reports.get().and_then(|reports| reports.get(right));
    let (Some(GenerationReport::Repeated(report)), Some(run)) = (report, left.repeat) else { return };
    if report.repeats.iter().any(|repeat| repeat.repeat_index == run) {
        return;
    }
    let detail = format!("{row}: generation_reports.json has no repeat {run} of {right}");
    if is_early(report) { claim.warn(detail) } else { claim.fail(detail) }
}
