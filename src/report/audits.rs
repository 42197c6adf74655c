//! Audits (each miner's regenerated outputs against the limits) and the hardest prompts.

use std::collections::{BTreeMap, HashMap, HashSet};

use indexmap::IndexSet;
use serde::Serialize;

use super::chart::{ChartValue, Strip, strip};
use super::site::{Fact, Site, fact};
use super::text::{LONGEST_ADDRESS, Links, Who, clean, counted, shortened};
use crate::model::ids::{Player, PromptStem};
use crate::model::outputs::Outputs;
use crate::model::report::DuelWinner;
use crate::model::snapshot::RoundFiles;
use crate::rules::audit::{mismatched, trimmed_median};

/// One miner's audit, or the leader's baseline.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AuditView {
    /// The audited player.
    pub(crate) who: Who,
    /// `passed`, `rejected`, `pending`, `awaited`, or `baseline`.
    pub(crate) outcome: &'static str,
    /// Why it was rejected.
    pub(crate) reason: String,
    /// The audit's counts.
    pub(crate) facts: Vec<Fact>,
    /// Distances between regenerated and submitted previews.
    pub(crate) distances: Option<Strip>,
    /// Seconds that each generation took.
    pub(crate) times: Option<Strip>,
}

/// Every audit that was requested or made, in order of request, then the leader's baseline.
pub(crate) fn audits(site: &Site<'_>, files: &RoundFiles) -> Vec<AuditView> {
    let none = Vec::new();
    let requests = files.require_audit.get().unwrap_or(&none);
    let made = files.generation_audits.get();
    let requested = requests.iter().map(|request| request.hotkey.clone());
    let beside = made.into_iter().flat_map(|made| made.keys()).cloned();
    let hotkeys: IndexSet<_> = requested.chain(beside).collect();
    let mut asked = HashMap::new();
    for request in requests {
        asked.entry(&request.hotkey).or_insert(request);
    }
    let view = |hotkey: &crate::model::ids::Hotkey| {
        let critical = asked.get(hotkey);
        let critical = critical.map_or(&[][..], |request| request.critical_prompts.as_slice());
        let audit = made.and_then(|made| made.get(hotkey));
        let own = files.players.get(&Player::Miner(hotkey.clone()));
        let outputs = own.and_then(|own| Some((own.submitted.get()?, own.generated.get()?)));
        let mut facts = Vec::new();
        if let Some(audit) = audit {
            let failed = format!("{} of {}", audit.failed_prompts, audit.checked_prompts);
            facts.push(fact("mismatches", failed));
            facts.push(fact("critical mismatches", format!("{} of {}", audit.failed_critical, critical.len())));
            let median = audit.generation_time.map(|median| format!("{median:.1} s"));
            facts.push(fact("trimmed median", median.unwrap_or_else(|| "none".to_owned())));
        }
        AuditView {
            who: Who::from(hotkey),
            outcome: audit.map_or("awaited", |audit| audit.outcome.as_str()),
            reason: audit.map(|audit| clean(&audit.reason)).unwrap_or_default(),
            facts,
            distances: outputs.map(|(submitted, generated)| distances(site, submitted, generated, critical)),
            times: outputs.map(|(_, generated)| times(site, generated)),
        }
    };
    let leader = files.players.get(&Player::Leader).and_then(|own| own.generated.get());
    hotkeys.iter().map(view).chain(leader.map(|generated| baseline(site, generated))).collect()
}

fn baseline(site: &Site<'_>, generated: &Outputs) -> AuditView {
    let complete = generated.values().filter(|output| output.is_complete());
    let seconds: Vec<_> = complete.map(|output| output.generation_time).collect();
    let made = format!("{} of {}", seconds.len(), generated.len());
    let median = trimmed_median(seconds, site.limits().trim).map(|median| format!("{median:.1} s"));
    AuditView {
        who: Who::from(&Player::Leader),
        outcome: "baseline",
        reason: String::new(),
        facts: vec![fact("made", made), fact("trimmed median", median.unwrap_or_else(|| "none".to_owned()))],
        distances: None,
        times: Some(times(site, generated)),
    }
}

/// The distances between submitted and regenerated outputs; outputs that were not regenerated have none.
fn distances(site: &Site<'_>, submitted: &Outputs, generated: &Outputs, critical: &[PromptStem]) -> Strip {
    let limit = site.limits().distance;
    let mut missing = 0;
    let mut values = Vec::new();
    let critical: HashSet<&PromptStem> = critical.iter().collect();
    for (stem, _) in submitted.iter().filter(|(_, output)| output.is_complete()) {
        let Some(output) = generated.get(stem).filter(|output| output.is_complete()) else {
            missing += 1;
            continue;
        };
        let bad = mismatched(Some(output), site.limits());
        let class =
            format!("{}{}", if bad { "bad" } else { "ok" }, if critical.contains(stem) { " critical" } else { "" });
        let title = format!("{}: {:.4}", shortened(stem.as_str(), 10), output.distance);
        values.push(ChartValue { value: output.distance, class, title });
    }
    let beyond = values.iter().filter(|value| value.value > limit).count();
    let most = values.iter().map(|value| value.value).fold(limit * 1.5, f64::max).min(limit.max(0.01) * 4.0);
    let within = counted(values.len() - beyond, "distance", "distances");
    let not_made = if missing > 0 { format!(", {missing} not regenerated") } else { String::new() };
    let alt = format!("{within} at most {limit}, {beyond} beyond{not_made}");
    strip(&values, &[(limit, format!("limit {limit}"))], most.max(0.001), "", alt)
}

fn times(site: &Site<'_>, generated: &Outputs) -> Strip {
    let limit = site.limits().generation_seconds;
    let value = |(stem, output): (&PromptStem, &crate::model::outputs::Output)| ChartValue {
        value: output.generation_time,
        class: if output.generation_time > limit { "bad" } else { "ok" }.to_owned(),
        title: format!("{}: {:.1} s", shortened(stem.as_str(), 10), output.generation_time),
    };
    let values: Vec<ChartValue> = generated.iter().filter(|(_, output)| output.is_complete()).map(value).collect();
    let median = trimmed_median(values.iter().map(|value| value.value).collect(), site.limits().trim);
    let late = values.iter().filter(|value| value.value > limit).count();
    let most = values.iter().map(|value| value.value).fold(limit * 1.1, f64::max).min(limit.max(1.0) * 2.0).max(1.0);
    let medians = site.limits().median_seconds;
    let many = counted(values.len(), "generation", "generations");
    let middle = median.map(|median| format!(", trimmed median {median:.1} s (limit {medians} s)")).unwrap_or_default();
    let alt = format!("{many}{middle}, {late} over {limit} s");
    let mut lines = vec![(medians, format!("median limit {medians} s")), (limit, format!("limit {limit} s"))];
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    strip(&values, &lines, most, " s", alt)
}

/// A prompt on which miners fail.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PromptRow {
    /// The stem, shortened.
    pub(crate) name: String,
    /// The prompt image's address.
    pub(crate) image: Option<String>,
    /// Shown in place of an image that a page must not load.
    pub(crate) address: String,
    /// Miners without a preview for it, among those with any.
    pub(crate) missing: usize,
    /// Duels against the leader lost despite having a preview.
    pub(crate) lost: usize,
    /// Duels against the leader won.
    pub(crate) won: usize,
    /// Miners with any preview.
    pub(crate) of: usize,
    /// Widths of the two bars, out of 100.
    pub(crate) bars: (String, String),
}

/// Most prompts listed.
const HARDEST: usize = 12;

/// The prompts on which miners fail most, by missing previews, then by duels lost against the leader.
pub(crate) fn hardest(files: &RoundFiles, links: &Links<'_>) -> Vec<PromptRow> {
    let Some(prompts) = files.prompts.get() else { return Vec::new() };
    let miners = files.players.iter().filter(|(player, _)| **player != Player::Leader);
    let takes_part = |outputs: &&Outputs| outputs.values().any(|output| output.png.is_some());
    let outputs: Vec<&Outputs> = miners.filter_map(|(_, own)| own.submitted.get()).filter(takes_part).collect();
    let mut duels: BTreeMap<&PromptStem, (usize, usize)> = BTreeMap::new();
    for report in files.players.values().filter_map(|own| own.report_against(&Player::Leader)).map(|(_, report)| report)
    {
        for duel in report.duels.iter().filter(|duel| duel.right_png.is_some()) {
            let (lost, won) = duels.entry(&duel.name).or_default();
            *lost += usize::from(duel.winner == DuelWinner::Left);
            *won += usize::from(duel.winner == DuelWinner::Right);
        }
    }
    let has = |outputs: &Outputs, stem: &PromptStem| outputs.get(stem).is_some_and(|output| output.png.is_some());
    #[allow(clippy::cast_precision_loss, reason = "counts of miners")]
    let part = |count: usize| super::chart::place(100.0 * count as f64 / outputs.len().max(1) as f64);
    let row = |prompt: &crate::model::prompts::Prompt| {
        let missing = outputs.iter().filter(|outputs| !has(outputs, prompt.stem())).count();
        let (lost, won) = duels.get(prompt.stem()).copied().unwrap_or_default();
        PromptRow {
            name: shortened(prompt.stem().as_str(), 18),
            image: links.picture(prompt.url()),
            address: shortened(prompt.url(), LONGEST_ADDRESS),
            missing,
            lost,
            won,
            of: outputs.len(),
            bars: (part(missing), part(lost)),
        }
    };
    let mut rows: Vec<PromptRow> = prompts.0.iter().map(row).filter(|row| row.missing + row.lost > 0).collect();
    rows.sort_by(|a, b| (b.missing, b.lost, a.won).cmp(&(a.missing, a.lost, b.won)));
    rows.truncate(HARDEST);
    rows
}
