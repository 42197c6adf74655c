//! The audits of a round of three.js modules: what each program's runs came to, and every duel of theirs.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::site::round_page;
use super::text::{Who, clean, margin, share};
use super::threejs::{Pages, who_of};
use super::timeline::{MarginBar, bar};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::source_audit::SourceVerdict;
use crate::model::threejs::audit_matrix::{AuditLeft, Opponent};
use crate::model::threejs::reports::{GenerationReport, Repeat, ReportOutcome};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::threejs::chain::{Chain, Link};

/// The audit of one miner.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DuelAudit {
    pub(super) who: Who,
    /// `passed`, `rejected` or `awaited`.
    pub(super) outcome: &'static str,
    /// The verdict's reason.
    pub(super) reason: String,
    /// Whom it has to beat again, by the request.
    defender: Option<Who>,
    /// How far the runs are: `pending`, `completed`, `rejected`, or nothing.
    report: &'static str,
    report_reason: String,
    runs: Vec<RunRow>,
    duels: Vec<AuditDuelRow>,
    /// The reading of its source: verdict and reason.
    source: Option<(&'static str, String)>,
}

/// One run of a program.
#[derive(Debug, Clone, Serialize)]
struct RunRow {
    run: u32,
    made: u64,
    failed: u64,
    time: String,
}

/// An audit duel.
#[derive(Debug, Clone, Serialize)]
struct AuditDuelRow {
    /// The run; `None` before there were several.
    run: Option<u32>,
    against: Who,
    margin: String,
    bar: MarginBar,
    href: Option<String>,
    /// `stands`, `fails`, or `nothing` for a duel against who did not hold the lead in the end.
    counts: &'static str,
}

impl DuelAudit {
    /// The same, of a round whose matches have no pages.
    pub(super) fn unlinked(mut self) -> DuelAudit {
        self.duels.iter_mut().for_each(|duel| duel.href = None);
        self
    }
}

/// The page of an audit duel, relative to the index. All names are validated identifiers.
pub(super) fn audit_page(round: RoundNumber, opponent: &Opponent, run: Option<u32>, right: &Player) -> String {
    let left = AuditLeft { opponent: opponent.clone(), repeat: run };
    format!("{}/audit_{left}_{right}.html", round_page(round).trim_end_matches(".html"))
}

/// What an audit duel came to, in a sentence.
pub(super) fn outcome(opponent: &Opponent, run: Option<u32>, own: f64, win_margin: f64) -> String {
    let (run, limit, own_text) = (run.unwrap_or(1), share(win_margin), margin(own));
    match opponent {
        Opponent::Submitted if own >= -win_margin => format!(
            "An audit: run {run} of the program holds against what was submitted, with a margin of {own_text}; \u{2212}{limit} is the limit."
        ),
        Opponent::Submitted => format!(
            "An audit: run {run} of the program lost to what was submitted, with a margin of {own_text}; \u{2212}{limit} is the limit."
        ),
        Opponent::Holder(_) if own >= win_margin => {
            format!(
                "An audit: run {run} of the program beat the holder again, with a margin of {own_text}; +{limit} was needed."
            )
        }
        Opponent::Holder(_) => {
            format!(
                "An audit: run {run} of the program did not beat the holder again: its margin is {own_text}, and +{limit} was needed."
            )
        }
    }
}

/// Was this player rejected, by duels of its program or by a reader of its source?
pub(super) fn is_rejected(files: &ThreejsRound, player: &Player) -> bool {
    let Some(hotkey) = player.hotkey() else { return false };
    let duels = files.generation_audits.get().and_then(|audits| audits.get(hotkey)).map(|audit| audit.verdict);
    let sources = files.source_audit.get().into_iter().flatten();
    let source = sources.filter(|source| source.hotkey == *hotkey).map(|source| source.verdict);
    source.chain(duels).any(|verdict| verdict == SourceVerdict::Failed)
}

/// The audits of a round: of everyone that was requested, run or dueled, in the order of the chain.
pub(super) fn audits(win_margin: f64, pages: &Pages<'_>, chain: &Chain<'_>) -> Vec<DuelAudit> {
    let files = pages.files;
    let links: HashMap<&Hotkey, &Link<'_>> = chain.links.iter().map(|link| (link.hotkey, link)).collect();
    let mut audited: BTreeSet<&Hotkey> = BTreeSet::new();
    audited.extend(files.require_audit.get().into_iter().flatten().map(|request| &request.hotkey));
    audited.extend(files.generation_reports.get().into_iter().flat_map(|reports| reports.keys()));
    audited.extend(files.generation_audits.get().into_iter().flat_map(|audits| audits.keys()));
    audited.extend(files.audit_matrix.get().into_iter().flat_map(|matrix| matrix.0.keys().map(|(_, right)| right)));
    let place = |hotkey: &Hotkey| chain.links.iter().position(|link| link.hotkey == hotkey).unwrap_or(usize::MAX);
    let mut audited: Vec<&Hotkey> = audited.into_iter().collect();
    audited.sort_by_cached_key(|hotkey| place(hotkey));
    let duels = duels(win_margin, pages, &links);
    let audit = |hotkey: &Hotkey| {
        let duels = duels.get(hotkey).cloned().unwrap_or_default();
        audit(pages, hotkey, duels)
    };
    audited.into_iter().map(audit).collect()
}

fn audit(pages: &Pages<'_>, hotkey: &Hotkey, duels: Vec<AuditDuelRow>) -> DuelAudit {
    let files = pages.files;
    let verdict = files.generation_audits.get().and_then(|audits| audits.get(hotkey));
    let report = files.generation_reports.get().and_then(|reports| reports.get(hotkey));
    let request = files.require_audit.get().and_then(|all| all.iter().find(|request| request.hotkey == *hotkey));
    let source = files.source_audit.get().and_then(|all| all.iter().find(|source| source.hotkey == *hotkey));
    let passed = |verdict: SourceVerdict| if verdict == SourceVerdict::Passed { "passed" } else { "rejected" };
    DuelAudit {
        who: Who::from(hotkey),
        outcome: verdict.map_or("awaited", |verdict| passed(verdict.verdict)),
        reason: verdict.map(|verdict| clean(&verdict.reason)).unwrap_or_default(),
        defender: request.and_then(|request| request.latest_defender.as_ref()).map(Who::from),
        report: report.map_or("", |report| match report.outcome() {
            ReportOutcome::Pending => "pending",
            ReportOutcome::Completed => "completed",
            ReportOutcome::Rejected => "rejected",
        }),
        report_reason: report.map(|report| clean(report.reason())).unwrap_or_default(),
        runs: report.map(runs).unwrap_or_default(),
        duels,
        source: source.map(|source| (passed(source.verdict), clean(&source.reason))),
    }
}

fn runs(report: &GenerationReport) -> Vec<RunRow> {
    let time = |seconds: Option<f64>| seconds.map_or("\u{2013}".to_owned(), |seconds| format!("{seconds:.0} s"));
    let row = |run: &Repeat| RunRow {
        run: run.repeat_index,
        made: run.generated_prompts,
        failed: run.failed_prompts,
        time: time(run.generation_time),
    };
    match report {
        GenerationReport::Repeated(report) => report.repeats.iter().take(MOST_RUNS).map(row).collect(),
        GenerationReport::Flat(report) => vec![RunRow {
            run: 1,
            made: report.checked_prompts.saturating_sub(report.failed_prompts),
            failed: report.failed_prompts,
            time: time(report.generation_time),
        }],
    }
}

/// Most runs shown; a competition has three.
const MOST_RUNS: usize = 100;

/// Every row of audit_matrix.csv, by the audited miner.
fn duels(
    win_margin: f64,
    pages: &Pages<'_>,
    links: &HashMap<&Hotkey, &Link<'_>>,
) -> HashMap<Hotkey, Vec<AuditDuelRow>> {
    let mut all: HashMap<Hotkey, Vec<AuditDuelRow>> = HashMap::new();
    let requests = pages.files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
    for ((left, right), own) in pages.files.audit_matrix.get().into_iter().flat_map(|matrix| &matrix.0) {
        // Where the chain cannot be followed, by the request.
        let asked = || requests.iter().find(|request| request.hotkey == *right)?.latest_defender.as_ref();
        let holder = links.get(right).map(|link| &link.holder).or_else(asked);
        let counts = match &left.opponent {
            Opponent::Submitted if *own >= -win_margin => "stands",
            Opponent::Holder(player) if Some(player) != holder => "nothing",
            Opponent::Holder(_) if *own >= win_margin => "stands",
            _ => "fails",
        };
        let limit = if left.opponent == Opponent::Submitted { -win_margin } else { win_margin };
        all.entry(right.clone()).or_default().push(AuditDuelRow {
            run: left.repeat,
            against: who_of(&left.opponent),
            margin: margin(*own),
            bar: bar(*own, limit),
            href: pages.audit(&left.opponent, left.repeat.unwrap_or(1), right),
            counts,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_duel_is_told_in_a_sentence() {
        let told = |opponent: &Opponent, own| outcome(opponent, Some(2), own, 0.07);
        assert!(told(&Opponent::Submitted, -0.07).contains("run 2 of the program holds against"));
        assert!(
            told(&Opponent::Submitted, -0.125).contains("lost to what was submitted, with a margin of \u{2212}12.5%")
        );
        let leader = Opponent::Holder(Player::Leader);
        assert!(told(&leader, 0.07).contains("beat the holder again"));
        assert!(told(&leader, 0.0625).contains("+7% was needed"));
        let right = Player::Miner(Hotkey::from_account(&[1; 32]));
        let page = audit_page(RoundNumber(3), &Opponent::Submitted, Some(2), &right);
        assert_eq!(page, format!("round-3/audit_submitted_2_{right}.html"));
    }
}
