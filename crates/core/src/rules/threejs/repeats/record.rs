//! What is written of a program's repeats.

use super::{Purpose, Repeats};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::record::Extra;
use crate::model::store::FileWrite;
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile};
use crate::model::threejs::reports::{GenerationReport, GenerationReports, RepeatedReport, ReportOutcome};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::Plan;
use crate::rules::threejs::reports::NO_PROGRAM;

/// The files that a player's repeats write: the modules of each whole repeat, its pods, and then the report.
#[must_use]
pub fn saved(round: RoundNumber, player: &Player, repeats: &Repeats, files: &ThreejsRound) -> Plan {
    let mut plan = Plan::default();
    let of = |file| ThreejsFile::Player(round, player.clone(), file);
    let own_files = files.players.get(player);
    let mut sums = own_files.and_then(|own| own.sums.get()).cloned().unwrap_or_default();
    let known = sums.0.len();
    for repeat in repeats.recordable() {
        sums.0.extend(repeats.sums(repeat).cloned());
        let modules = repeats.generated(repeat);
        let own = own_files.and_then(|own| own.generated.get(&repeat));
        if own.and_then(|slot| slot.get()) != Some(&modules) {
            plan.writes.push(FileWrite::new(of(ThreejsPlayerFile::Generated(Some(repeat))), &modules));
            let name = format!("generated_{repeat}.json");
            push_line(&mut plan, &format!("Update {name} for round {round}, miner {}", player.short()));
        }
    }
    if sums.0.len() > known {
        plan.writes.push(FileWrite::new(of(ThreejsPlayerFile::Sums), &sums));
    }
    let stats = repeats.stats();
    let report = repeats.report();
    let whole = report.is_some() || *repeats.purpose() == Purpose::Baseline;
    if whole && !stats.is_empty() {
        plan.writes.push(FileWrite::new(of(ThreejsPlayerFile::PodStats), &stats));
    }
    if let Some(report) = report {
        let said = said(&report);
        if let Some(write) = reported(round, report, files) {
            plan.writes.push(write);
            plan.says.push(said);
            push_line(&mut plan, &format!("Update generation reports for round {round}"));
        }
    }
    plan
}

/// Rejects a miner whose program can never run.
#[must_use]
pub fn never_built(round: RoundNumber, hotkey: &Hotkey, files: &ThreejsRound) -> Plan {
    let [reason, _] = NO_PROGRAM;
    let report = RepeatedReport {
        hotkey: hotkey.clone(),
        outcome: ReportOutcome::Rejected,
        repeats: Vec::new(),
        reason: reason.to_owned(),
        extra: Extra::default(),
    };
    let says = vec![said(&report)];
    let writes: Vec<FileWrite> = reported(round, report, files).into_iter().collect();
    Plan { writes, message: format!("Update generation reports for round {round}"), says }
}

fn push_line(plan: &mut Plan, line: &str) {
    if !plan.message.is_empty() {
        plan.message.push('\n');
    }
    plan.message.push_str(line);
}

fn said(report: &RepeatedReport) -> String {
    let hotkey = &report.hotkey;
    match report.outcome {
        ReportOutcome::Pending => format!("{hotkey}: repeat {} is done", report.repeats.len()),
        ReportOutcome::Completed => format!("{hotkey}: all repeats are done"),
        ReportOutcome::Rejected => format!("{hotkey}: rejected: {}", report.reason),
    }
}

/// `generation_reports.json` with this report, if that is a change. New entries stand in the order of the requests,
/// whichever program is done first.
fn reported(round: RoundNumber, report: RepeatedReport, files: &ThreejsRound) -> Option<FileWrite> {
    let mut reports = files.generation_reports.get().cloned().unwrap_or_default();
    let hotkey = report.hotkey.clone();
    let report = GenerationReport::Repeated(report);
    if reports.get(&hotkey) == Some(&report) {
        return None;
    }
    let requests = files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
    let rank = |hotkey: &Hotkey| requests.iter().position(|request| request.hotkey == *hotkey);
    place(&mut reports, hotkey, report, rank);
    Some(FileWrite::new(ThreejsFile::Round(round, ThreejsRoundFile::GenerationReports), &reports))
}

fn place(
    reports: &mut GenerationReports,
    hotkey: Hotkey,
    report: GenerationReport,
    rank: impl Fn(&Hotkey) -> Option<usize>,
) {
    if let Some(known) = reports.get_mut(&hotkey) {
        *known = report;
        return;
    }
    let own = rank(&hotkey);
    let later = reports.keys().position(|other| rank(other).is_none_or(|other| own.is_some_and(|own| other > own)));
    let at = later.unwrap_or(reports.len());
    reports.0.shift_insert(at, hotkey, report);
}
