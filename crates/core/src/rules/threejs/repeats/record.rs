//! What is written of a program's repeats.

use super::{Purpose, Repeats};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::record::Extra;
use crate::model::store::FileWrite;
use crate::model::sums::Sums;
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile};
use crate::model::threejs::outputs::Modules;
use crate::model::threejs::pod_stats::PodRuns;
use crate::model::threejs::reports::{GenerationReport, GenerationReports, RepeatedReport, ReportOutcome};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::Plan;
use crate::rules::threejs::reports::NO_PROGRAM;

/// What is to be written next of a player's repeats: the first step that is not recorded yet; nothing once all are. So
/// there is a commit for each repeat, however many were finished since the files were last written.
#[must_use]
pub fn saved(round: RoundNumber, player: &Player, repeats: &Repeats, files: &ThreejsRound) -> Plan {
    let steps = repeats.steps();
    let recorded = player.hotkey().and_then(|hotkey| files.generation_reports.get()?.get(hotkey));
    let is_recorded = |step: &u32| match (repeats.report(*step), recorded) {
        (Some(report), Some(GenerationReport::Repeated(known))) => report == *known,
        _ => false,
    };
    let done = steps.iter().rposition(is_recorded).map_or(0, |at| at + 1);
    let before = done.checked_sub(1).and_then(|at| steps.get(at)).copied().unwrap_or_default();
    let (from, through) = match (steps.get(done), steps.last()) {
        (Some(next), _) => (before, *next),
        // A batch may have been lost and made again.
        (None, Some(last)) => (0, *last),
        (None, None) => return Plan::default(),
    };
    let step = Step::of(repeats, files, player, (from, through));
    let is_new = done < steps.len() && step.report.is_some();
    if is_new || step.differs(files, player) { step.plan(round, player, files) } else { Plan::default() }
}

/// What is written at once.
struct Step {
    /// The modules of each repeat, by its number.
    generated: Vec<(u32, Modules)>,
    sums: Sums,
    /// Empty: not written.
    stats: PodRuns,
    report: Option<RepeatedReport>,
}

impl Step {
    /// The repeats after the first of these numbers, up to the second.
    fn of(repeats: &Repeats, files: &ThreejsRound, player: &Player, (from, through): (u32, u32)) -> Step {
        let known = files.players.get(player).and_then(|own| own.sums.get());
        let mut sums = known.cloned().unwrap_or_default();
        let recordable = repeats.recordable(through);
        recordable.iter().for_each(|repeat| sums.0.extend(repeats.sums(*repeat).cloned()));
        let new = recordable.into_iter().filter(|repeat| *repeat > from);
        let generated = new.map(|repeat| (repeat, repeats.generated(repeat))).collect();
        let report = repeats.report(through);
        let whole = report.is_some() || *repeats.purpose() == Purpose::Baseline;
        let stats = if whole { repeats.stats(through) } else { PodRuns::default() };
        Step { generated, sums, stats, report }
    }

    /// Is any of it not in the files?
    fn differs(&self, files: &ThreejsRound, player: &Player) -> bool {
        let own = files.players.get(player);
        let modules = |repeat: &u32| own.and_then(|own| own.generated.get(repeat)?.get());
        let sums = own.and_then(|own| own.sums.get()).map_or(0, |sums| sums.0.len());
        let stats = own.and_then(|own| own.pod_stats.get());
        self.generated.iter().any(|(repeat, own)| modules(repeat) != Some(own))
            || self.sums.0.len() > sums
            || (!self.stats.is_empty() && stats != Some(&self.stats))
    }

    /// All of its files, and last the report, by which it counts as recorded: after a kill on the way the same files are
    /// written and committed again.
    fn plan(self, round: RoundNumber, player: &Player, files: &ThreejsRound) -> Plan {
        let mut plan = Plan::default();
        let of = |file| ThreejsFile::Player(round, player.clone(), file);
        for (repeat, modules) in &self.generated {
            plan.writes.push(FileWrite::new(of(ThreejsPlayerFile::Generated(Some(*repeat))), modules));
            let name = format!("generated_{repeat}.json");
            push_line(&mut plan, &format!("Update {name} for round {round}, miner {}", player.short()));
        }
        if !self.sums.0.is_empty() {
            plan.writes.push(FileWrite::new(of(ThreejsPlayerFile::Sums), &self.sums));
        }
        if !self.stats.is_empty() {
            plan.writes.push(FileWrite::new(of(ThreejsPlayerFile::PodStats), &self.stats));
        }
        if let Some(report) = self.report {
            plan.says.push(said(&report));
            plan.writes.push(reported(round, report, files));
            push_line(&mut plan, &format!("Update generation reports for round {round}"));
        }
        plan
    }
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
    let known = files.generation_reports.get().and_then(|reports| reports.get(hotkey));
    if known == Some(&GenerationReport::Repeated(report.clone())) {
        return Plan { says, ..Plan::default() };
    }
    let writes = vec![reported(round, report, files)];
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

/// `generation_reports.json` with this report. New entries stand in the order of the requests, whichever program is done
/// first.
fn reported(round: RoundNumber, report: RepeatedReport, files: &ThreejsRound) -> FileWrite {
    let mut reports = files.generation_reports.get().cloned().unwrap_or_default();
    let hotkey = report.hotkey.clone();
    let report = GenerationReport::Repeated(report);
    let requests = files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
    let rank = |hotkey: &Hotkey| requests.iter().position(|request| request.hotkey == *hotkey);
    place(&mut reports, hotkey, report, rank);
    FileWrite::new(ThreejsFile::Round(round, ThreejsRoundFile::GenerationReports), &reports)
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
