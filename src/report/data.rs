//! The pages' facts as JSON files beside them, for programs. Their form has a version: keys may be added to it, and one
//! that changes its meaning gives it another number. `docs/schemas/report/` describes them.

use serde::{Serialize, Serializer};

use super::basis::{Basis, VERSION};
use super::formats::MinerRow;
use super::heat::StandingRow;
use super::index::{Index, LeaderRow, NextStep, RoundRow};
use super::pages::Pages;
use super::round::MatchLink;
use super::site::{round_data, round_page};
use super::text::plain;
use crate::base::error::{Error, Result};
use crate::model::ids::{Block, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::rules::certainty::Certainty;
use crate::rules::certainty::orders::{Bias, Orders};
use crate::rules::certainty::rounds::{JudgedRound, Match, judged_round};
use crate::rules::checks::VerifySummary;

/// The version of these files' form.
const FORM: u32 = 1;

/// What every file begins with.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Head {
    version: u32,
    competition: String,
    /// The commit that the facts rest on.
    commit: Option<String>,
    /// How many files differ from it.
    uncommitted: usize,
    /// The version of gen404 that wrote this.
    gen404: &'static str,
}

impl Head {
    pub(super) fn of(name: &str, basis: &Basis) -> Head {
        let (commit, uncommitted) = (basis.commit.clone(), basis.uncommitted);
        Head { version: FORM, competition: plain(name), commit, uncommitted, gen404: VERSION }
    }
}

/// `status.json`: where the competition stands.
#[derive(Debug, Serialize)]
pub(super) struct StatusData {
    #[serde(flatten)]
    head: Head,
    round: Option<RoundNumber>,
    stage: Option<&'static str>,
    next_stage_eta: Option<String>,
    next: Vec<NextData>,
    outstanding: Vec<String>,
    rounds: Vec<RoundLine>,
    rules: Vec<String>,
    verify: VerifySummary,
    /// What `verify --history` says of the commits; `null` if it was not asked.
    history: Option<VerifySummary>,
}

/// Something that is due.
#[derive(Debug, Serialize)]
struct NextData {
    /// `null` if nothing will be due.
    command: Option<&'static str>,
    /// The block from which it can be done, if it waits for one.
    from_block: Option<Block>,
    what: String,
}

impl From<&NextStep> for NextData {
    fn from(step: &NextStep) -> NextData {
        let told = [step.when.as_str(), step.what.as_str()].into_iter().filter(|part| !part.is_empty());
        let what = if step.block.is_some() { String::new() } else { told.collect::<Vec<_>>().join(": ") };
        NextData { command: step.command, from_block: step.block, what }
    }
}

/// A round in `status.json`.
#[derive(Debug, Serialize)]
struct RoundLine {
    round: RoundNumber,
    winner: Option<String>,
    stage: Option<&'static str>,
    margin: Option<f64>,
    miners: Option<usize>,
    qualified: Option<usize>,
    matches: usize,
    fails: usize,
    page: Option<String>,
    data: Option<String>,
}

impl StatusData {
    pub(super) fn of(head: Head, index: &Index, basis: &Basis) -> StatusData {
        let standing = index.standing.as_ref();
        StatusData {
            head,
            round: standing.and_then(|standing| standing.round),
            stage: standing.map(|standing| standing.name),
            next_stage_eta: standing.and_then(|standing| standing.eta_at.clone()),
            next: standing.map(|standing| standing.next.iter().map(Into::into).collect()).unwrap_or_default(),
            outstanding: standing.map(|standing| standing.outstanding.clone()).unwrap_or_default(),
            rounds: index.rounds.iter().map(RoundLine::of).collect(),
            rules: basis.rules.clone(),
            verify: index.summary,
            history: basis.history,
        }
    }
}

impl RoundLine {
    fn of(row: &RoundRow) -> RoundLine {
        RoundLine {
            round: row.number,
            winner: row.winner.as_ref().map(|winner| winner.full.clone()),
            stage: row.stage,
            margin: row.own.and_then(decimal),
            miners: row.miners,
            qualified: row.qualified,
            matches: row.matches,
            fails: row.fails,
            page: row.href.clone(),
            data: row.href.as_ref().map(|_| round_data(row.number)),
        }
    }
}

/// `leader.json`: who leads and led.
#[derive(Debug, Serialize)]
pub(super) struct LeaderData {
    #[serde(flatten)]
    head: Head,
    /// The block that `leader` is told for.
    block: Option<Block>,
    /// Who leads at that block.
    leader: Option<EntryData>,
    /// Every entry, oldest first.
    entries: Vec<EntryData>,
}

#[derive(Debug, Clone, Serialize)]
struct EntryData {
    hotkey: String,
    repo: String,
    commit: String,
    weight: Option<f64>,
    effective_block: Block,
    /// The round whose reveals ended at that block.
    round: Option<RoundNumber>,
}

impl LeaderData {
    /// `rows` are those of the index: the entries, newest first.
    pub(super) fn of(head: Head, block: Option<Block>, entries: &[LeaderEntry], rows: &[LeaderRow]) -> LeaderData {
        let data = |(entry, row): (&LeaderEntry, &LeaderRow)| EntryData {
            hotkey: entry.hotkey.to_string(),
            repo: entry.repo.to_string(),
            commit: entry.commit.to_string(),
            weight: decimal(entry.weight),
            effective_block: entry.effective_block,
            round: row.round,
        };
        let entries: Vec<EntryData> = entries.iter().zip(rows.iter().rev()).map(data).collect();
        let leads = |block: Block| entries.iter().rfind(|entry| entry.effective_block <= block).cloned();
        LeaderData { head, block, leader: block.and_then(leads), entries }
    }
}

/// A miner's place in a round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MinerData {
    hotkey: String,
    /// `winner`, `qualified`, `rejected`, `led`, or `null`.
    place: Option<&'static str>,
    rank: Option<usize>,
    repo: String,
    commit: String,
    revealed_at_block: Block,
    /// Against the leader; in competitions of splats, of its match.
    margin: Option<f64>,
    previews: Option<usize>,
    page: Option<String>,
}

impl MinerData {
    pub(super) fn of_meshes(row: &StandingRow, pages: &Pages) -> MinerData {
        MinerData {
            hotkey: row.who.full.clone(),
            place: Some(row.tag).filter(|tag| !tag.is_empty()),
            rank: row.rank,
            repo: row.repo.clone(),
            commit: row.commit_id.clone(),
            revealed_at_block: row.block.0,
            margin: row.own.and_then(decimal),
            previews: row.previews,
            page: pages.of_miner(&row.who.full),
        }
    }

    pub(super) fn of_others(row: &MinerRow, pages: &Pages) -> MinerData {
        MinerData {
            hotkey: row.who.full.clone(),
            place: Some(row.tag).filter(|tag| !tag.is_empty()),
            rank: None,
            repo: row.repo.clone(),
            commit: row.commit_id.clone(),
            revealed_at_block: row.block.0,
            margin: row.own.and_then(decimal),
            previews: row.outputs,
            page: pages.of_miner(&row.who.full),
        }
    }
}

/// `standings.json`: the newest round with miners.
#[derive(Debug, Serialize)]
pub(super) struct StandingsData {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) round: Option<RoundNumber>,
    pub(super) standings: Vec<MinerData>,
}

/// `round-N.json`: a round.
#[derive(Debug, Serialize)]
pub(super) struct RoundData {
    #[serde(flatten)]
    pub(super) head: Head,
    #[serde(flatten)]
    line: RoundLine,
    #[serde(flatten)]
    parts: RoundParts,
}

/// A round's blocks.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct ScheduleData {
    pub(super) earliest_reveal_block: Block,
    pub(super) latest_reveal_block: Block,
    /// The block by which files are due, where the format has one.
    pub(super) generation_deadline_block: Option<Block>,
}

/// A match with a report.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MatchData {
    left: String,
    right: String,
    margin: Option<f64>,
    duels: usize,
    /// `null` for a match without duels.
    certainty: Option<CertaintyData>,
    /// `null` where they are not recorded.
    orders: Option<Orders>,
    page: String,
}

impl From<&MatchLink> for MatchData {
    fn from(link: &MatchLink) -> MatchData {
        MatchData {
            left: link.left.full.clone(),
            right: link.right.full.clone(),
            margin: decimal(link.own),
            duels: link.duels,
            certainty: link.sure.as_ref().map(CertaintyData::from),
            orders: link.orders,
            page: link.href.clone(),
        }
    }
}

/// How sure a margin is: as `verify --json` has it.
#[derive(Debug, Clone, Serialize)]
struct CertaintyData {
    interval: [Option<f64>; 2],
    reaches: Option<f64>,
    wins: bool,
    left_out: usize,
    survives: bool,
}

impl From<&Certainty> for CertaintyData {
    fn from(of: &Certainty) -> CertaintyData {
        let Certainty { interval, reaches, wins, left_out, survives } = *of;
        CertaintyData { interval: interval.map(decimal), reaches: decimal(reaches), wins, left_out, survives }
    }
}

/// How the judge behaved in a round: as `verify --json` has it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct JudgeData {
    judged: usize,
    draws: usize,
    orders: Option<Orders>,
    bias: Option<BiasData>,
}

impl JudgeData {
    /// Of these matches; `None` if the judge decided no duel.
    pub(super) fn of(matches: &[Match]) -> Option<JudgeData> {
        let JudgedRound { judged, draws, orders, bias, .. } = judged_round(matches)?;
        Some(JudgeData { judged, draws, orders, bias: bias.as_ref().map(BiasData::from) })
    }
}

/// A judge's preference for a place.
#[derive(Debug, Clone, Serialize)]
struct BiasData {
    calls: usize,
    mean: Option<f64>,
    interval: Option<[Option<f64>; 2]>,
    first: usize,
    second: usize,
}

impl From<&Bias> for BiasData {
    fn from(of: &Bias) -> BiasData {
        let Bias { calls, mean, interval, first, second } = *of;
        let interval = interval.map(|interval| interval.map(decimal));
        BiasData { calls, mean: decimal(mean), interval, first, second }
    }
}

/// An audit.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AuditData {
    hotkey: String,
    outcome: &'static str,
    reason: String,
}

impl AuditData {
    pub(super) fn of(hotkey: &str, outcome: &'static str, reason: &str) -> AuditData {
        AuditData { hotkey: hotkey.to_owned(), outcome, reason: plain(reason) }
    }
}

/// Counts of findings that are not passes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Objections {
    pub(super) fail: usize,
    pub(super) warn: usize,
    pub(super) skip: usize,
}

/// What a round's page shows besides its row of the index.
#[derive(Debug, Serialize)]
pub(super) struct RoundParts {
    pub(super) prompts: usize,
    #[serde(serialize_with = "as_decimal")]
    pub(super) win_margin: f64,
    pub(super) schedule: Option<ScheduleData>,
    pub(super) seed: Option<u32>,
    pub(super) standings: Vec<MinerData>,
    pub(super) played: Vec<MatchData>,
    pub(super) judge: Option<JudgeData>,
    pub(super) audits: Vec<AuditData>,
    /// The claims on this round that do not hold, are odd, or cannot be checked.
    pub(super) verify: Objections,
}

impl RoundData {
    pub(super) fn of(head: Head, row: &RoundRow, parts: RoundParts) -> RoundData {
        let mut line = RoundLine::of(row);
        // It is written beside this page.
        line.page = Some(round_page(row.number));
        line.data = Some(round_data(row.number));
        RoundData { head, line, parts }
    }
}

/// The file's bytes.
///
/// # Errors
/// None in practice.
pub(super) fn bytes(data: &impl Serialize) -> Result<Vec<u8>> {
    let written = serde_json::to_string_pretty(data);
    let mut text = written.map_err(|error| Error::failed(format!("the report's data cannot be written: {error}")))?;
    text.push('\n');
    Ok(text.into_bytes())
}

fn as_decimal<S: Serializer>(value: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    decimal(*value).serialize(serializer)
}

/// A number in plain decimals, up to seven of them; `None` for one that no file of a competition has.
fn decimal(value: f64) -> Option<f64> {
    // Smaller ones would be written with an exponent.
    const LEAST: f64 = 1e-5;
    const MOST: f64 = 1e9;
    let rounded = (value * 1e7).round() / 1e7;
    match rounded.abs() {
        size if size < LEAST => Some(0.0),
        size if size < MOST => Some(rounded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_odd_spelling() {
        let shown = |value| serde_json::to_string(&decimal(value)).unwrap();
        for (value, text) in [
            (0.0078125, "0.0078125"),
            (0.1 + 0.2, "0.3"),
            (-0.0, "0.0"),
            (1e-9, "0.0"),
            (0.00001, "0.00001"),
            (-0.28125, "-0.28125"),
            (100.0, "100.0"),
            (1.0, "1.0"),
            (f64::INFINITY, "null"),
            (f64::NAN, "null"),
            (1e300, "null"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
