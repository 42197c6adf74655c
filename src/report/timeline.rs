//! The replayed tournament: who held the lead, who took it, who was rejected, and why the timeline restarted.

use std::collections::BTreeSet;

use serde::Serialize;

use super::site::{Site, match_page};
use super::text::{Who, clean, counted, margin};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::snapshot::RoundFiles;
use crate::model::source_audit::SourceVerdict;
use crate::rules::tournament::{AuditStanding, Field, Replay, TournamentOutcome, replay};

/// The timeline of a round, restart by restart.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Timeline {
    /// Each run, starting from the leader; the last one is final.
    pub(crate) runs: Vec<TimelineRun>,
    /// Rejected or disqualified miners that never held the lead in any run.
    pub(crate) aside: Vec<Fallen>,
    /// The last run's outcome, in words.
    pub(crate) ending: String,
}

/// One run of the timeline.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TimelineRun {
    /// Its matches.
    pub(crate) steps: Vec<TimelineStep>,
    /// Holders rejected afterwards; empty for the last run.
    pub(crate) fallen: Vec<Fallen>,
}

/// A match of the timeline.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TimelineStep {
    /// Who held the lead.
    pub(crate) holder: Who,
    /// Who challenged.
    pub(crate) challenger: Who,
    /// The margin, as text.
    pub(crate) margin: String,
    /// The margin's bar.
    pub(crate) bar: MarginBar,
    /// Did the challenger take the lead?
    pub(crate) taken: bool,
    /// The challenger's audit, if it took the lead.
    pub(crate) audit: Option<&'static str>,
    /// The match's page, relative to the index.
    pub(crate) href: Option<String>,
}

/// A margin as a bar from the middle line, in a drawing 100 units wide.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MarginBar {
    /// Left edge.
    pub(crate) x: String,
    pub(crate) width: String,
    /// `left` if the defender won, `right` if the challenger did, `none` for a draw.
    pub(crate) side: &'static str,
    /// Position of the margin needed to win.
    pub(crate) limit: String,
}

/// A miner that may not win.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fallen {
    /// Which.
    pub(crate) who: Who,
    /// The reasons.
    pub(crate) why: String,
}

/// The bar of a margin; its 100 units cover -0.3 to 0.3.
pub(crate) fn bar(margin: f64, win_margin: f64) -> MarginBar {
    let across = |value: f64| 50.0 + value.clamp(-0.3, 0.3) / 0.6 * 100.0;
    let (from, to) = (across(margin.min(0.0)), across(margin.max(0.0)));
    let side = match margin {
        margin if margin > 0.0 => "right",
        margin if margin < 0.0 => "left",
        _ => "none",
    };
    use super::chart::place;
    MarginBar { x: place(from), width: place(to - from), side, limit: place(across(win_margin)) }
}

/// A round's timeline; `None` if settings or submissions cannot be read, or nothing was played.
pub(crate) fn timeline(site: &Site<'_>, round: RoundNumber, files: &RoundFiles) -> Option<Timeline> {
    let field = Field::of(files, site.settings()?.win_margin, site.limits())?;
    if field.matrix.0.is_empty() {
        return None;
    }
    let runs = runs(&field);
    let held: BTreeSet<&Hotkey> = runs.iter().flat_map(|(_, fallen)| fallen).collect();
    let aside = field.order.iter().filter(|hotkey| field.standing.rejected.contains(*hotkey) && !held.contains(hotkey));
    let ending = runs.last().map(|(replay, _)| ending(replay, round, site)).unwrap_or_default();
    let view = |(replay, fallen): &(Replay, Vec<Hotkey>)| TimelineRun {
        steps: replay.timeline.iter().map(|step| view_step(site, round, files, &field, step)).collect(),
        fallen: fallen.iter().map(|hotkey| why(files, hotkey)).collect(),
    };
    Some(Timeline {
        aside: aside.map(|hotkey| why(files, hotkey)).collect(),
        ending,
        runs: runs.iter().map(view).collect(),
    })
}

/// Replays the tournament as it went: first without rejections, then repeatedly without the holders whose audits
/// failed, until none of those is left. The last run is the tournament's.
fn runs(field: &Field) -> Vec<(Replay, Vec<Hotkey>)> {
    let rejected = &field.standing.rejected;
    let unplayed = |hotkey: &&Hotkey| field.matrix.margin(&Player::Leader, &Player::Miner((*hotkey).clone())).is_none();
    let mut runs = Vec::new();
    let mut known: BTreeSet<Hotkey> = rejected.iter().filter(unplayed).cloned().collect();
    loop {
        let standing = AuditStanding { rejected: known.clone(), passed: field.standing.passed.clone() };
        let run = replay(&Field { standing, ..field.clone() });
        // The match is missing because its challenger was rejected before it could be played.
        if let TournamentOutcome::Matches(missing) = &run.outcome
            && let Some(early) =
                missing.iter().find_map(|(_, right)| right.hotkey().filter(|right| rejected.contains(*right)))
        {
            known.insert(early.clone());
            continue;
        }
        let holders = run.candidates.iter().map(|candidate| &candidate.hotkey);
        let fallen: Vec<Hotkey> = holders.filter(|hotkey| rejected.contains(*hotkey)).cloned().collect();
        if fallen.is_empty() {
            // Rejected miners that never led do not change the timeline.
            runs.push((replay(field), Vec::new()));
            return runs;
        }
        known.extend(fallen.iter().cloned());
        runs.push((run, fallen));
    }
}

fn view_step(
    site: &Site<'_>,
    round: RoundNumber,
    files: &RoundFiles,
    field: &Field,
    step: &crate::rules::tournament::TimelineMatch,
) -> TimelineStep {
    let right = Player::Miner(step.challenger.clone());
    let audit = || {
        if field.standing.rejected.contains(&step.challenger) {
            "rejected"
        } else if field.standing.passed.contains(&step.challenger) {
            "passed"
        } else {
            "awaited"
        }
    };
    TimelineStep {
        holder: Who::from(&step.holder),
        challenger: Who::from(&step.challenger),
        margin: margin(step.margin),
        bar: bar(step.margin, site.win_margin()),
        taken: step.taken,
        audit: step.taken.then(audit),
        href: files.report(round, &step.holder, &right).map(|_| match_page(round, &step.holder, &right)),
    }
}

fn ending(replay: &Replay, round: RoundNumber, site: &Site<'_>) -> String {
    match &replay.outcome {
        TournamentOutcome::Winner(Player::Leader) if replay.qualified.is_empty() => {
            "Nobody qualified: the leader holds.".to_owned()
        }
        TournamentOutcome::Winner(Player::Leader) => "The leader holds.".to_owned(),
        TournamentOutcome::Winner(Player::Miner(hotkey)) => format!("{} wins the round.", hotkey.short()),
        TournamentOutcome::Matches(missing) => {
            let over = site.snapshot.state.get().is_some_and(|state| round < state.current_round);
            let what = counted(missing.len(), "match", "matches");
            if over {
                format!("Undecided by these files: {what} missing.")
            } else {
                format!("{what} to be played next.")
            }
        }
        TournamentOutcome::Audits(open) => {
            let names: Vec<_> = open.iter().map(Hotkey::short).collect();
            format!("Waits for the audit of {}.", names.join(", "))
        }
    }
}

/// Why a miner may not win: its audit, or its source audit.
fn why(files: &RoundFiles, hotkey: &Hotkey) -> Fallen {
    let audit = files.generation_audits.get().and_then(|audits| audits.get(hotkey));
    let audited = audit.filter(|audit| audit.outcome.as_str() == "rejected").map(|audit| audit.reason.as_str());
    let sources = files.source_audit.get().into_iter().flatten();
    let read = sources.filter(|source| source.hotkey == *hotkey && source.verdict == SourceVerdict::Failed);
    let reasons: Vec<String> = audited
        .map(|reason| format!("audit: {reason}"))
        .into_iter()
        .chain(read.map(|source| format!("source audit: {}", source.reason)))
        .collect();
    Fallen { who: Who::from(hotkey), why: clean(&reasons.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::matrix::Matrix;

    fn miner(at: u8) -> Hotkey {
        Hotkey::from_account(&[at; 32])
    }

    fn field(margins: &[(Option<u8>, u8, f64)], rejected: &[u8]) -> Field {
        let player = |at: Option<u8>| at.map_or(Player::Leader, |at| Player::Miner(miner(at)));
        let rows = margins.iter().map(|(left, right, margin)| ((player(*left), player(Some(*right))), *margin));
        let standing =
            AuditStanding { rejected: rejected.iter().map(|at| miner(*at)).collect(), passed: BTreeSet::new() };
        let order = (1..=3).map(miner).collect();
        Field { order, win_margin: 0.05, matrix: Matrix(rows.collect()), standing }
    }

    #[test]
    fn a_rejected_holder_restarts_the_timeline() {
        let margins = [(None, 1, 0.2), (None, 2, 0.1), (None, 3, 0.0), (Some(1), 2, -0.1)];
        let went = runs(&field(&margins, &[1]));
        let [(first, fallen), (last, none)] = went.as_slice() else { panic!("{went:#?}") };
        assert_eq!((first.timeline.len(), fallen.as_slice()), (2, [miner(1)].as_slice()));
        assert_eq!((last.timeline.len(), none.len()), (1, 0));
    }

    #[test]
    fn rejections_that_change_nothing_restart_nothing() {
        let margins = [(None, 1, 0.2), (None, 2, 0.1), (None, 3, 0.0), (Some(1), 2, -0.1)];
        assert_eq!(runs(&field(&margins, &[2, 3])).len(), 1);
        assert_eq!(runs(&field(&margins, &[])).len(), 1);
        assert_eq!(runs(&field(&[], &[1, 2, 3])).len(), 1);
        let unplayed = [(None, 1, 0.2), (None, 2, 0.1)];
        assert_eq!(
            runs(&field(&unplayed, &[2, 3])).len(),
            1,
            "2 was rejected before it met 1, and 3 before it met anybody"
        );
    }

    #[test]
    fn bars_start_in_the_middle() {
        let bar = bar(-0.2, 0.05);
        assert_eq!(
            (bar.x.as_str(), bar.width.as_str(), bar.side, bar.limit.as_str()),
            ("16.7", "33.3", "left", "58.3")
        );
    }
}
