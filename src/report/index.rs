//! The index: the competition at a glance.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::chart::{WeightEntry, WeightsChart, weight, weights};
use super::miner_list::{MinerGroup, listed};
use super::miner_rounds::{miners, of_round};
use super::site::{Damage, FindingView, Site, tally};
use super::text::{Who, clean, counted, margin, number, share};
use crate::model::config::Settings;
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::matrix::Matrix;
use crate::model::snapshot::RoundFiles;
use crate::model::stage::Stage;
use crate::rules::checks::{VerifySummary, summary};
use crate::rules::lead::Lead;
use crate::rules::outstanding::outstanding;
use crate::rules::stage_table::{StageRow, row};
use crate::rules::stages::{Due, Facts, due};
use crate::rules::tournament::{Field, replay};

/// What the index shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Index {
    /// The competition's name.
    pub(super) name: String,
    /// Its description.
    pub(super) description: String,
    /// The format and how it was recognised, where it is not meshes.
    pub(super) format: Option<String>,
    /// A summary of its rules.
    pub(super) rules: Vec<String>,
    /// Damaged or missing files.
    pub(super) damage: Vec<Damage>,
    /// The current stage, and what comes next.
    pub(super) standing: Option<StandingView>,
    /// The leader at the given block; `None` if no block was given.
    pub(super) leader: Option<LeaderRow>,
    /// The leader and its successor, or the newest entries if the block is unknown.
    pub(super) lead: Vec<LeadRow>,
    /// Chart of the weights over time.
    pub(super) weights: Option<WeightsChart>,
    /// The leaders, newest first.
    pub(super) leaders: Vec<LeaderRow>,
    /// The rounds, newest first.
    pub(super) rounds: Vec<RoundRow>,
    /// The miners by hotkey, and how many are not listed.
    pub(super) miners: Vec<MinerGroup>,
    pub(super) more_miners: usize,
    /// The counts of `verify`'s findings.
    pub(super) summary: VerifySummary,
    /// Each count's width in the bar, out of 100.
    pub(super) parts: [String; 4],
    /// The findings that are not passes.
    pub(super) findings: Vec<FindingView>,
}

/// The stage, and what comes next.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StandingView {
    /// `None` before the first round.
    pub(super) round: Option<RoundNumber>,
    pub(super) stage: &'static str,
    /// The stage's name in files.
    #[serde(skip)]
    pub(super) name: &'static str,
    /// The stages of a round: label, and `done`, `now` or `later`.
    pub(super) stages: Vec<(&'static str, &'static str)>,
    /// A sentence if the competition is paused or over.
    pub(super) held: Option<&'static str>,
    pub(super) next: Vec<NextStep>,
    pub(super) outstanding: Vec<String>,
    pub(super) eta: Option<String>,
    /// The same, as state.json has it.
    #[serde(skip)]
    pub(super) eta_at: Option<String>,
}

/// Something that is due.
#[derive(Debug, Clone, Serialize)]
pub(super) struct NextStep {
    pub(super) command: Option<&'static str>,
    pub(super) when: String,
    /// The block from which it can be done, if it waits for one.
    #[serde(skip)]
    pub(super) block: Option<Block>,
    pub(super) what: String,
}

/// An entry of leader.json.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LeaderRow {
    pub(super) who: Who,
    pub(super) repo: String,
    pub(super) source: String,
    pub(super) commit: String,
    pub(super) weight: String,
    pub(super) block: String,
    /// Index of the chart's colour.
    pub(super) colour: usize,
    /// The round whose reveals ended at that block.
    pub(super) round: Option<RoundNumber>,
}

/// An entry that leads, or may lead.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LeadRow {
    pub(super) what: &'static str,
    pub(super) row: LeaderRow,
}

/// A round in the table.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RoundRow {
    pub(super) number: RoundNumber,
    pub(super) href: Option<String>,
    pub(super) miners: Option<usize>,
    pub(super) qualified: Option<usize>,
    pub(super) matches: usize,
    pub(super) audits: String,
    pub(super) winner: Option<Who>,
    /// Its stage, as long as there is no winner.
    pub(super) stage: Option<&'static str>,
    pub(super) margin: String,
    /// What the margin is.
    pub(super) margin_of: &'static str,
    /// The margin itself.
    #[serde(skip)]
    pub(super) own: Option<f64>,
    pub(super) fails: usize,
}

/// Builds the index's view of a competition.
pub(crate) fn index(site: &Site<'_>) -> Index {
    let settings = site.settings();
    let entries = site.snapshot.leaders.get().map(Vec::as_slice).unwrap_or_default();
    let schedules = site.snapshot.rounds.iter().filter_map(|(round, files)| Some((*round, files.schedule.get()?)));
    let leaders = leaders(entries, schedules.map(|(round, schedule)| (round, schedule.latest_reveal_block)));
    let lead = lead(entries, site.block, &leaders);
    let summary = summary(site.verdicts.findings);
    let rounds: Vec<RoundRow> =
        site.snapshot.rounds.iter().rev().map(|(round, files)| round_row(site, *round, files)).collect();
    let of_rounds = site.snapshot.rounds.iter().map(|(round, files)| (*round, of_round(files).collect()));
    let (miners, more_miners) = listed(of_rounds, &miners(site.snapshot, |_| true), &winners(&rounds));
    Index {
        name: site.name(),
        description: settings.map(|settings| clean(&settings.description)).unwrap_or_default(),
        format: None,
        rules: rules(site),
        damage: site.damage(None),
        standing: standing(site),
        leader: lead.iter().find(|lead| lead.what == "leader").map(|lead| lead.row.clone()),
        lead,
        weights: drawn(entries, &leaders),
        leaders: leaders.into_iter().rev().collect(),
        rounds,
        miners,
        more_miners,
        summary,
        parts: parts(summary),
        findings: site.verdicts.objections(None),
    }
}

/// Who won a round.
pub(super) fn winners(rounds: &[RoundRow]) -> HashSet<&str> {
    rounds.iter().filter_map(|round| Some(round.winner.as_ref()?.full.as_str())).collect()
}

/// The rules in force, in words.
pub(super) fn rules(site: &Site<'_>) -> Vec<String> {
    let Some(settings) = site.settings() else { return Vec::new() };
    let mut rules = rules_of(settings);
    rules.extend(site.rules.lines());
    rules
}

/// The settings in words.
pub(super) fn rules_of(settings: &Settings) -> Vec<String> {
    vec![
        format!("a challenger takes the lead with a margin of {} of the duels", share(settings.win_margin)),
        format!(
            "{} a round, {} carried over",
            counted(settings.prompts_per_round, "prompt", "prompts"),
            settings.carryover_prompts
        ),
        format!(
            "a leader\u{2019}s weight falls by {} a round, to no less than {}",
            weight(settings.weight_decay),
            weight(settings.weight_floor)
        ),
    ]
}

fn standing(site: &Site<'_>) -> Option<StandingView> {
    let state = site.snapshot.state.get()?;
    let none = RoundFiles::default();
    let files = site.snapshot.rounds.get(&state.current_round).unwrap_or(&none);
    let at = |stage: Stage| Stage::ALL.iter().position(|other| *other == stage);
    let of_round = Stage::ALL.into_iter().map(row).filter(StageRow::is_of_a_round);
    let held = match state.stage {
        Stage::Finished => Some("The competition is over."),
        Stage::Paused => Some("Held by hand."),
        _ => None,
    };
    let place = |stage: Stage| match at(stage).cmp(&at(state.stage)) {
        _ if state.stage == Stage::Paused => "later",
        std::cmp::Ordering::Less => "done",
        std::cmp::Ordering::Equal => "now",
        std::cmp::Ordering::Greater => "later",
    };
    let (win_margin, limits) = (site.win_margin(), *site.limits());
    let facts = Facts { state, files, block: site.block, win_margin, limits };
    Some(StandingView {
        round: Some(state.current_round),
        stage: row(state.stage).label,
        name: state.stage.as_str(),
        stages: of_round.map(|row| (row.label, place(row.stage))).collect(),
        held,
        // That it is over is said above.
        next: due(&facts).into_iter().filter(|_| state.stage != Stage::Finished).map(next).collect(),
        outstanding: outstanding(files, state.stage, site.win_margin(), site.limits()),
        eta: state.next_stage_eta.as_ref().map(|eta| eta.at().format("%-d %B %Y, %H:%M UTC").to_string()),
        eta_at: state.next_stage_eta.as_ref().map(ToString::to_string),
    })
}

pub(super) fn next(due: Due) -> NextStep {
    let (command, when, block, what) = match due {
        Due::Now { command, what } => (Some(command), "now".to_owned(), None, what),
        Due::Possible { command, what } => (Some(command), "any time".to_owned(), None, what),
        Due::Waits { command, what } => (Some(command), "waits".to_owned(), None, what),
        Due::From { command, block } => {
            (Some(command), format!("from block {}", number(block.0)), Some(block), String::new())
        }
        Due::Never(why) => (None, String::new(), None, why),
    };
    NextStep { command, when, block, what }
}

/// The leaders as a table; `latest` is each round's last block of reveals.
pub(super) fn leaders(
    entries: &[LeaderEntry],
    latest: impl IntoIterator<Item = (RoundNumber, Block)>,
) -> Vec<LeaderRow> {
    let mut colours: HashMap<&Hotkey, usize> = HashMap::new();
    let mut rounds = HashMap::new();
    for (round, block) in latest {
        rounds.entry(block).or_insert(round);
    }
    entries
        .iter()
        .map(|entry| {
            let round = rounds.get(&entry.effective_block).copied();
            let next = colours.len();
            let colour = *colours.entry(&entry.hotkey).or_insert(next);
            LeaderRow {
                who: Who::from(&entry.hotkey),
                repo: entry.repo.as_str().to_owned(),
                source: format!("https://github.com/{}/tree/{}", entry.repo, entry.commit),
                commit: entry.commit.short().to_owned(),
                weight: weight(entry.weight),
                block: number(entry.effective_block.0),
                colour: colour % 6,
                round,
            }
        })
        .collect()
}

/// Who leads, as far as the block is known; `rows` are the entries of leader.json.
pub(super) fn lead(entries: &[LeaderEntry], block: Option<Block>, rows: &[LeaderRow]) -> Vec<LeadRow> {
    let row = |(what, entry): (&'static str, &LeaderEntry)| {
        let place = entries.iter().position(|other| std::ptr::eq(other, entry))?;
        Some(LeadRow { what, row: rows.get(place)?.clone() })
    };
    Lead::of(entries, block).lines().into_iter().filter_map(row).collect()
}

pub(super) fn drawn(leaders: &[LeaderEntry], rows: &[LeaderRow]) -> Option<WeightsChart> {
    let entry = |(entry, row): (&LeaderEntry, &LeaderRow)| WeightEntry {
        block: entry.effective_block.0,
        weight: entry.weight,
        colour: row.colour,
        name: row.who.short.clone(),
    };
    let entries: Vec<_> = leaders.iter().zip(rows).map(entry).collect();
    let (first, last) = (entries.first()?.block, entries.last()?.block);
    // Draw the newest entry as long as the others' average.
    let usual = last.saturating_sub(first) / (entries.len() as u64 - 1).max(1);
    weights(&entries, last.saturating_add(usual.max(1)))
}

fn round_row(site: &Site<'_>, round: RoundNumber, files: &RoundFiles) -> RoundRow {
    let replayed = Field::of(files, site.win_margin(), site.limits()).map(|field| replay(&field));
    let audits = files.generation_audits.get();
    let count = |outcome: &str| {
        audits.map_or(0, |audits| audits.values().filter(|audit| audit.outcome.as_str() == outcome).count())
    };
    let awaited = crate::rules::stages::unanswered(files).len();
    let audits = [(count("passed"), "passed"), (count("rejected"), "rejected"), (awaited, "awaited")];
    let winner = files.winner.get().map(|winner| winner.player().clone());
    let state = site.snapshot.state.get().filter(|state| state.current_round == round);
    let rejected = |player: &Player| {
        let audit = player.hotkey().zip(files.generation_audits.get()).and_then(|(hotkey, audits)| audits.get(hotkey));
        audit.is_some_and(|audit| audit.outcome == AuditOutcome::Rejected)
    };
    let (own, margin_of) = decisive(files.matrix.get(), winner.as_ref(), rejected);
    let matches = files.matrix.get().map_or(0, |matrix| matrix.0.len());
    RoundRow {
        number: round,
        href: site.verdicts.page(Some(round)),
        miners: files.submissions.get().map(|submissions| submissions.len()),
        qualified: replayed.filter(|_| matches > 0).map(|replayed| replayed.qualified.len()),
        matches,
        audits: tally(&audits, "\u{2013}"),
        winner: winner.as_ref().map(Who::from),
        stage: state.filter(|_| winner.is_none()).map(|state| row(state.stage).label),
        margin: shown_margin(own),
        margin_of,
        own,
        fails: site.verdicts.fails(round),
    }
}

/// The winner's margin over the leader; if the leader held, that of the best challenger that was not rejected.
pub(super) fn decisive(
    matrix: Option<&Matrix>,
    winner: Option<&Player>,
    rejected: impl Fn(&Player) -> bool,
) -> (Option<f64>, &'static str) {
    let Some(matrix) = matrix else { return (None, "") };
    let against = matrix.0.iter().filter(|((left, right), _)| *left == Player::Leader && !rejected(right));
    let best = against.map(|(_, margin)| *margin).max_by(f64::total_cmp);
    match winner {
        Some(winner @ Player::Miner(_)) => (matrix.margin(&Player::Leader, winner), "over the leader"),
        _ => (best, if best.is_some() { "best valid challenge" } else { "" }),
    }
}

/// A margin, or a dash.
pub(super) fn shown_margin(own: Option<f64>) -> String {
    own.map_or_else(|| "\u{2013}".to_owned(), margin)
}

#[allow(clippy::cast_precision_loss, reason = "counts of findings")]
pub(super) fn parts(summary: VerifySummary) -> [String; 4] {
    let VerifySummary { pass, fail, warn, skip } = summary;
    let all = (pass + fail + warn + skip).max(1) as f64;
    // Give every count that is not zero a visible width.
    let seen = [fail, warn, skip].map(|count| if count > 0 { (100.0 * count as f64 / all).max(1.5) } else { 0.0 });
    let [fail, warn, skip] = seen;
    [100.0 - fail - warn - skip, fail, warn, skip].map(super::chart::place)
}
