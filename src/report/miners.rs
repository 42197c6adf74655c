//! A miner's page: what it entered, which files, matches and audits it had, and since when it led.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::audits::{AuditView, audits};
use super::chart::weight;
use super::heat::{StandingRow, standings};
use super::round::pairs;
use super::site::{Fact, Site, fact, match_page};
use super::text::{LONGEST_ADDRESS, Links, Who, clean, counted, margin, number, shortened};
use super::timeline::{MarginBar, bar};
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::outputs::Output;
use crate::model::refusals::meaning;
use crate::model::report::{DuelWinner, MatchReport};
use crate::model::snapshot::{PlayerFiles, RoundFiles, Snapshot};
use crate::model::source_audit::SourceVerdict;

/// Most pictures, and most refused files, on a page: those of the newest rounds.
const MOST_FILES: usize = 1024;

/// A miner's page, relative to the index. A hotkey is a validated identifier, so it is safe in a path.
pub(crate) fn miner_page(hotkey: &str) -> String {
    format!("{FOLDER}/{hotkey}.html")
}

/// The folder of the miners' pages.
pub(crate) const FOLDER: &str = "miners";

/// Every miner with something to show in these rounds, or that led.
pub(crate) fn miners(snapshot: &Snapshot, wanted: impl Fn(RoundNumber) -> bool) -> BTreeSet<&Hotkey> {
    let leaders = snapshot.leaders.get().into_iter().flatten().map(|entry| &entry.hotkey);
    let rounds = snapshot.rounds.iter().filter(|(round, _)| wanted(**round));
    rounds.flat_map(|(_, files)| of_round(files)).chain(leaders).collect()
}

/// The miners of a round.
pub(super) fn of_round(files: &RoundFiles) -> impl Iterator<Item = &Hotkey> {
    let submitted = files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
    let audited = files.generation_audits.get().into_iter().flat_map(|audits| audits.keys());
    submitted.chain(audited).chain(files.players.keys().filter_map(Player::hotkey))
}

/// What a miner's page shows. Links are relative to the page's own folder, except those to other pages.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MinerPage {
    /// The competition's name.
    name: String,
    who: Who,
    /// What it came to, in a sentence.
    headline: String,
    facts: Vec<Fact>,
    /// The times in which it led, newest first.
    leads: Vec<LeadSpan>,
    /// The rounds that it was in, newest first.
    rounds: Vec<MinerRound>,
}

/// A time in which a miner led.
#[derive(Debug, Clone, Serialize)]
struct LeadSpan {
    from: String,
    /// The next leader's first block.
    until: Option<String>,
    /// The weight at first, and the last one.
    weights: (String, String),
}

/// A miner's round.
#[derive(Debug, Clone, Serialize)]
struct MinerRound {
    number: RoundNumber,
    /// The round's page, relative to the index.
    href: Option<String>,
    standing: Option<StandingRow>,
    /// The address of its files, and a link if it is one.
    cdn: Option<(String, Option<String>)>,
    files: Option<Files>,
    matches: Vec<Played>,
    audit: Option<AuditView>,
    /// Source audits: verdict and reason.
    readings: Vec<(&'static str, String)>,
}

/// A miner's files of a round.
#[derive(Debug, Clone, Serialize)]
struct Files {
    previews: usize,
    prompts: usize,
    bytes: String,
    refused: Vec<RefusedFile>,
    kept: Vec<KeptFile>,
    /// Files that are not listed.
    more: usize,
}

/// A file without a model or a preview.
#[derive(Debug, Clone, Serialize)]
struct RefusedFile {
    name: String,
    /// The recorded code; empty if there is none.
    code: String,
    /// What the code means.
    meaning: &'static str,
    reason: String,
    /// The stored model.
    model: Option<String>,
}

/// A file with its preview.
#[derive(Debug, Clone, Serialize)]
struct KeptFile {
    name: String,
    image: Option<String>,
    /// Shown if there is no image to load.
    address: String,
    model: Option<String>,
    size: String,
}

/// A match, as one side saw it.
#[derive(Debug, Clone, Serialize)]
struct Played {
    /// Did the miner challenge?
    challenged: bool,
    other: Who,
    margin: String,
    bar: MarginBar,
    /// Did the challenger win?
    taken: bool,
    /// Duels that the miner won, drew and lost.
    duels: Option<[usize; 3]>,
    /// The match's page, relative to the index.
    href: Option<String>,
}

/// The competition, sorted by miner.
pub(crate) struct ByMiner<'a> {
    site: &'a Site<'a>,
    rounds: Vec<RoundByMiner<'a>>,
}

struct RoundByMiner<'a> {
    number: RoundNumber,
    files: &'a RoundFiles,
    standings: HashMap<String, StandingRow>,
    audits: HashMap<String, AuditView>,
    matches: HashMap<&'a Player, Vec<Matched<'a>>>,
}

/// A match: left, right, margin, and its report.
#[derive(Clone, Copy)]
struct Matched<'a> {
    left: &'a Player,
    right: &'a Player,
    margin: f64,
    report: Option<&'a MatchReport>,
}

impl<'a> ByMiner<'a> {
    /// Sorts the rounds, newest first.
    pub(crate) fn of(site: &'a Site<'a>) -> Self {
        let by_name = |who: &Who| who.full.clone();
        let round = |(number, files): (&RoundNumber, &'a RoundFiles)| RoundByMiner {
            number: *number,
            files,
            standings: standings(site, *number, files).into_iter().map(|row| (by_name(&row.who), row)).collect(),
            audits: audits(site, files).into_iter().map(|audit| (by_name(&audit.who), audit)).collect(),
            matches: matches(files),
        };
        ByMiner { site, rounds: site.snapshot.rounds.iter().rev().map(round).collect() }
    }

    /// A miner's page.
    pub(crate) fn page(&self, hotkey: &Hotkey, links: &Links<'_>) -> MinerPage {
        let player = Player::Miner(hotkey.clone());
        let mut room = MOST_FILES;
        let round = |round: &RoundByMiner<'a>| round.view(self.site, (hotkey, &player), links, &mut room);
        let rounds: Vec<MinerRound> = self.rounds.iter().filter_map(round).collect();
        let leads = leads(self.site.snapshot.leaders.get().map(Vec::as_slice).unwrap_or_default(), hotkey);
        MinerPage {
            name: self.site.name(),
            who: Who::from(hotkey),
            headline: headline(&rounds, &leads),
            facts: facts(&rounds),
            leads,
            rounds,
        }
    }
}

/// The matches of each player, the leader's first: those of the matrix, and reports that are not in it.
fn matches(files: &RoundFiles) -> HashMap<&Player, Vec<Matched<'_>>> {
    let mut reports: HashMap<(&Player, &Player), &MatchReport> = HashMap::new();
    for (left, right, report) in pairs(files) {
        reports.entry((left, right)).or_insert(report);
    }
    let rows = files.matrix.get().into_iter().flat_map(|matrix| &matrix.0);
    let mut all: Vec<Matched<'_>> = rows
        .map(|((left, right), margin)| Matched { left, right, margin: *margin, report: reports.remove(&(left, right)) })
        .collect();
    all.extend(reports.into_iter().map(|((left, right), report)| Matched {
        left,
        right,
        margin: report.margin,
        report: Some(report),
    }));
    all.sort_by_key(|one| (*one.left != Player::Leader, one.left, one.right));
    let mut of: HashMap<&Player, Vec<Matched<'_>>> = HashMap::new();
    for one in all {
        of.entry(one.right).or_default().push(one);
        if one.left != one.right {
            of.entry(one.left).or_default().push(one);
        }
    }
    of
}

impl RoundByMiner<'_> {
    /// The miner's round; `None` if it was not in it.
    fn view(
        &self,
        site: &Site<'_>,
        (hotkey, player): (&Hotkey, &Player),
        links: &Links<'_>,
        room: &mut usize,
    ) -> Option<MinerRound> {
        let submission = self.files.submissions.get().and_then(|submissions| submissions.get(hotkey));
        let own = self.files.players.get(player);
        let matches = self.matches.get(player).map(Vec::as_slice).unwrap_or_default();
        let audit = self.audits.get(hotkey.as_str());
        if submission.is_none() && own.is_none() && matches.is_empty() && audit.is_none() {
            return None;
        }
        let sources = self.files.source_audit.get().into_iter().flatten().filter(|one| one.hotkey == *hotkey);
        let verdict = |verdict| if verdict == SourceVerdict::Failed { "failed" } else { "passed" };
        Some(MinerRound {
            number: self.number,
            href: site.verdicts.page(Some(self.number)),
            standing: self.standings.get(hotkey.as_str()).cloned(),
            cdn: submission.map(|own| (shortened(&own.cdn_url, LONGEST_ADDRESS), links.to(&own.cdn_url))),
            files: own.and_then(|own| files(own, links, room)),
            matches: matches.iter().map(|one| self.played(site, player, *one)).collect(),
            audit: audit.cloned(),
            readings: sources.map(|one| (verdict(one.verdict), clean(&one.reason))).collect(),
        })
    }

    fn played(&self, site: &Site<'_>, player: &Player, one: Matched<'_>) -> Played {
        let Matched { left, right, report, .. } = one;
        let challenged = right == player;
        let won = if challenged { DuelWinner::Right } else { DuelWinner::Left };
        let lost = if challenged { DuelWinner::Left } else { DuelWinner::Right };
        let count = |report: &MatchReport, winner| report.duels.iter().filter(|duel| duel.winner == winner).count();
        let linked = report.is_some() && site.verdicts.linked.contains(&self.number);
        Played {
            challenged,
            other: Who::from(if challenged { left } else { right }),
            margin: margin(one.margin),
            bar: bar(one.margin, site.win_margin()),
            taken: one.margin >= site.win_margin(),
            duels: report.map(|report| [won, DuelWinner::Draw, lost].map(|winner| count(report, winner))),
            href: linked.then(|| match_page(self.number, left, right)),
        }
    }
}

/// The files of `submitted.json`, as many as there is room for.
fn files(own: &PlayerFiles, links: &Links<'_>, room: &mut usize) -> Option<Files> {
    let outputs = own.submitted.get()?;
    let reason = |stem: &PromptStem| own.refusals.get().and_then(|refusals| refusals.get(stem));
    let model = |output: &Output| output.model.as_deref().and_then(|url| links.to(url));
    let (mut refused, mut kept) = (Vec::new(), Vec::new());
    for (stem, output) in outputs.iter() {
        let name = shortened(stem.as_str(), 80);
        if *room == 0 {
            break;
        }
        *room -= 1;
        if let Some(png) = output.png.as_deref().filter(|_| output.is_complete()) {
            kept.push(KeptFile {
                name,
                image: links.picture(png),
                address: shortened(png, LONGEST_ADDRESS),
                model: model(output),
                size: format!("{} KiB", number(output.size.div_ceil(1024))),
            });
            continue;
        }
        let known = reason(stem);
        refused.push(RefusedFile {
            name,
            code: known.map(|known| shortened(&known.code, 80)).unwrap_or_default(),
            meaning: known.and_then(|known| meaning(&known.code)).unwrap_or_default(),
            reason: known.map(|known| clean(&known.reason)).unwrap_or_default(),
            model: model(output),
        });
    }
    let bytes = outputs.values().map(|output| output.size).fold(0, u64::saturating_add);
    Some(Files {
        previews: outputs.values().filter(|output| output.is_complete()).count(),
        prompts: outputs.len(),
        bytes: format!("{} KiB", number(bytes.div_ceil(1024))),
        more: outputs.len() - refused.len() - kept.len(),
        refused,
        kept,
    })
}

/// The times in which a miner led, newest first.
fn leads(entries: &[LeaderEntry], hotkey: &Hotkey) -> Vec<LeadSpan> {
    let runs = entries.chunk_by(|a, b| a.hotkey == b.hotkey);
    let mut at = 0;
    let mut spans: Vec<LeadSpan> = Vec::new();
    for run in runs {
        at += run.len();
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        if first.hotkey == *hotkey {
            spans.push(LeadSpan {
                from: number(first.effective_block.0),
                until: entries.get(at).map(|next| number(next.effective_block.0)),
                weights: (weight(first.weight), weight(last.weight)),
            });
        }
    }
    spans.reverse();
    spans
}

/// How many rounds it was in and won.
fn headline(rounds: &[MinerRound], leads: &[LeadSpan]) -> String {
    let won = rounds.iter().filter(|round| round.standing.as_ref().is_some_and(|row| row.tag == "winner")).count();
    let part = match rounds.len() {
        0 => "It took part in no round.".to_owned(),
        count => format!("It took part in {} and won {won}.", counted(count, "round", "rounds")),
    };
    let led = match leads.first() {
        Some(LeadSpan { from, until: None, .. }) => format!(" Its lead began with block {from}."),
        Some(LeadSpan { from, until: Some(until), .. }) => format!(" It last led from block {from} until {until}."),
        None => String::new(),
    };
    part + &led
}

fn facts(rounds: &[MinerRound]) -> Vec<Fact> {
    let files = || rounds.iter().filter_map(|round| round.files.as_ref());
    let (previews, prompts): (usize, usize) =
        files().fold((0, 0), |(previews, prompts), files| (previews + files.previews, prompts + files.prompts));
    let matches: usize = rounds.iter().map(|round| round.matches.len()).sum();
    let audits = rounds.iter().filter(|round| round.audit.is_some()).count();
    [("files", prompts), ("without a preview", prompts - previews), ("matches", matches), ("audits", audits)]
        .map(|(label, count)| fact(label, number(count as u64)))
        .into()
}
