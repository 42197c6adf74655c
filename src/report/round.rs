//! A round's page.

use std::collections::HashSet;

use serde::Serialize;

use super::audits::{AuditView, PromptRow, audits, hardest};
use super::certainty;
use super::heat::{Heat, StandingRow, heat, standings};
use super::matches::{orders, tally};
use super::site::{self, Damage, Fact, FindingView, Site, fact, match_page};
use super::text::{Links, counted, margin, number, share};
use super::timeline::{Timeline, timeline};
use crate::model::ids::{Player, RoundNumber};
use crate::model::snapshot::RoundFiles;
use crate::rules::certainty::Certainty;
use crate::rules::certainty::orders::Orders;
use crate::rules::certainty::rounds::of_meshes;
use crate::rules::tournament::{Field, replay};

/// What a round's page shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RoundPage {
    /// The competition's name.
    pub(super) name: String,
    /// The round.
    pub(super) number: RoundNumber,
    /// The previous round's page.
    previous: Option<String>,
    /// The next round's page.
    next: Option<String>,
    /// What happened, in a sentence or two.
    pub(super) headline: String,
    /// The round's numbers.
    facts: Vec<Fact>,
    /// Damaged files.
    damage: Vec<Damage>,
    /// The margin needed to win, as text.
    win_margin: String,
    /// Number of prompts.
    pub(super) prompts: usize,
    pub(super) standings: Vec<StandingRow>,
    heat: Option<Heat>,
    timeline: Option<Timeline>,
    pub(super) audits: Vec<AuditView>,
    /// The limits of audits.
    limits: LimitTexts,
    hardest: Vec<PromptRow>,
    findings: Vec<FindingView>,
    /// Links to the pages of all matches.
    pub(super) matches: Vec<MatchLink>,
}

/// The limits of audits, as text.
#[derive(Debug, Clone, Serialize)]
struct LimitTexts {
    distance: String,
    seconds: String,
    median: String,
    mismatches: usize,
    critical: usize,
}

/// A match in the list of all matches.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MatchLink {
    pub(super) href: String,
    pub(super) left: super::text::Who,
    pub(super) right: super::text::Who,
    pub(super) margin: String,
    /// How sure the margin is.
    pub(super) certainty: Option<String>,
    /// The margin itself.
    #[serde(skip)]
    pub(super) own: f64,
    /// The figures behind `certainty`.
    #[serde(skip)]
    pub(super) sure: Option<Certainty>,
    /// How often the two orders contradict each other, if that is recorded.
    #[serde(skip)]
    pub(super) orders: Option<Orders>,
    pub(super) duels: usize,
}

/// Builds the view of a round.
pub(crate) fn round(site: &Site<'_>, number: RoundNumber, files: &RoundFiles, links: &Links<'_>) -> RoundPage {
    let limits = site.limits();
    RoundPage {
        name: site.name(),
        number,
        previous: site.verdicts.page(number.previous()),
        next: site.verdicts.page(Some(number.next())),
        headline: headline(site, number, files),
        facts: facts(site, number, files),
        damage: site.damage(Some(number)),
        win_margin: share(site.win_margin()),
        prompts: files.prompts.get().map_or(0, |prompts| prompts.0.len()),
        standings: standings(site, number, files),
        heat: heat(site, number, files),
        timeline: timeline(site, number, files),
        audits: audits(site, files),
        limits: LimitTexts {
            distance: limits.distance.to_string(),
            seconds: limits.generation_seconds.to_string(),
            median: limits.median_seconds.to_string(),
            mismatches: limits.mismatches,
            critical: limits.critical_mismatches,
        },
        hardest: hardest(files, links),
        findings: site.verdicts.objections(Some(number)),
        matches: pairs(files).into_iter().map(|pair| link(site, number, pair)).collect(),
    }
}

/// A match with a report: left, right, and the report.
pub(crate) type Pair<'a> = (&'a Player, &'a Player, &'a crate::model::report::MatchReport);

/// Every match with a report, the leader's first. If a folder has several reports on the same left, the first file
/// counts.
pub(crate) fn pairs(files: &RoundFiles) -> Vec<Pair<'_>> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for (right, own) in &files.players {
        let mut lefts = HashSet::new();
        for report in own.reports.values().filter_map(|slot| slot.get()) {
            if lefts.insert(&report.left) {
                pairs.push((&report.left, right, report));
            }
        }
    }
    pairs.sort_by(|a, b| {
        (a.0 != &Player::Leader).cmp(&(b.0 != &Player::Leader)).then_with(|| (a.0, a.1).cmp(&(b.0, b.1)))
    });
    pairs
}

fn link(site: &Site<'_>, round: RoundNumber, (left, right, report): Pair<'_>) -> MatchLink {
    let (tally, win_margin) = (tally(report), site.win_margin());
    MatchLink {
        href: match_page(round, left, right),
        left: left.into(),
        right: right.into(),
        margin: margin(report.margin),
        certainty: certainty::short(tally, win_margin),
        own: report.margin,
        sure: Certainty::of(tally, win_margin),
        orders: orders(site, round, left, right),
        duels: report.duels.len(),
    }
}

fn headline(site: &Site<'_>, round: RoundNumber, files: &RoundFiles) -> String {
    let state = site.snapshot.state.get().filter(|state| state.current_round == round);
    match files.winner.get().map(crate::model::winner::Winner::player) {
        Some(Player::Leader) => "The leader held the lead.".to_owned(),
        Some(winner @ Player::Miner(_)) => {
            let own = files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, winner));
            let by = own.map(|own| format!(" with {} against the leader", margin(own))).unwrap_or_default();
            format!("{} won the round{by}.", winner.short())
        }
        None if !files.winner.is_missing() => "The winner was recorded in a file that cannot be read.".to_owned(),
        None => match state {
            Some(state) => format!("The round is under way: {}.", state.stage.as_str().replace('_', " ")),
            None => "No winner is recorded.".to_owned(),
        },
    }
}

fn facts(site: &Site<'_>, round: RoundNumber, files: &RoundFiles) -> Vec<Fact> {
    let mut facts = Vec::new();
    let count = |count: usize| number(count as u64);
    if let Some(submissions) = files.submissions.get() {
        facts.push(fact("miners", count(submissions.len())));
    }
    if let Some(field) = Field::of(files, site.win_margin(), site.limits()).filter(|field| !field.matrix.0.is_empty()) {
        facts.push(fact("qualified", count(replay(&field).qualified.len())));
        let duels: usize = pairs(files).iter().map(|(.., report)| report.duels.len()).sum();
        facts.push(fact("matches", format!("{} ({})", field.matrix.0.len(), counted(duels, "duel", "duels"))));
    }
    facts.extend(certainty::facts(&of_meshes(site.snapshot, site.rules, Some(round))));
    if let Some(audits) = files.generation_audits.get() {
        let of = |outcome: &str| audits.values().filter(|audit| audit.outcome.as_str() == outcome).count();
        let parts = [(of("passed"), "passed"), (of("rejected"), "rejected"), (of("pending"), "pending")];
        facts.push(fact("audits", site::tally(&parts, "none")));
    }
    if let Some(prompts) = files.prompts.get() {
        facts.push(fact("prompts", count(prompts.0.len())));
    }
    if let Some(leader) = site.leader_of(round) {
        facts.push(fact("leader then", leader.hotkey.short()));
    }
    if let Some(schedule) = files.schedule.get() {
        let blocks = (number(schedule.earliest_reveal_block.0), number(schedule.latest_reveal_block.0));
        facts.push(fact("reveals in blocks", format!("{} \u{2013} {}", blocks.0, blocks.1)));
    }
    if let Some(seed) = files.seed.get() {
        let source = match (seed.drand_round, seed.block) {
            (Some(drand), _) => format!("{} (drand round {drand})", seed.seed),
            (_, Some(block)) => format!("{} (hash of block {block})", seed.seed),
            _ => format!("{}", seed.seed),
        };
        facts.push(fact("seed", source));
    }
    facts
}
