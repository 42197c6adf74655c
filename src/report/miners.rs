//! A miner's page: what it entered, which files, matches and audits it had, and since when it led. What each format's
//! rounds give to it is in [`super::miner_rounds`] and [`super::other_miners`].

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::audits::AuditView;
use super::chart::weight;
use super::site::{Fact, fact, match_page};
use super::text::{LONGEST_ADDRESS, Links, Who, clean, counted, margin, number, shortened};
use super::threejs_audits::DuelAudit;
use super::timeline::{MarginBar, bar};
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::prompts::PromptList;
use crate::model::report::DuelWinner;

/// Most pictures, and most refused files, on a page: those of the newest rounds.
pub(super) const MOST_FILES: usize = 1024;

/// A miner's page, relative to the index. A hotkey is a validated identifier, so it is safe in a path.
pub(crate) fn miner_page(hotkey: &str) -> String {
    format!("{FOLDER}/{hotkey}.html")
}

/// The folder of the miners' pages.
pub(crate) const FOLDER: &str = "miners";

/// The miners of a competition, sorted so that each one's page is made without a look at the others.
pub(super) trait ByMiner: Sync {
    /// A miner's page.
    fn page(&self, hotkey: &Hotkey, links: &Links<'_>) -> MinerPage;
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
pub(super) struct MinerRound {
    pub(super) number: RoundNumber,
    /// The round's page, relative to the index.
    pub(super) href: Option<String>,
    pub(super) ended: Ended,
    pub(super) entry: Option<Entered>,
    /// The address of its files, and a link if it is one.
    pub(super) cdn: Option<(String, Option<String>)>,
    pub(super) files: Option<Files>,
    pub(super) matches: Vec<Played>,
    pub(super) audit: Option<AuditView>,
    /// The audit of a three.js program: its runs and their duels.
    pub(super) runs: Option<DuelAudit>,
    /// Source audits: verdict and reason.
    pub(super) readings: Vec<(&'static str, String)>,
    /// The files behind all of it, relative to the competition's folder.
    pub(super) sources: Vec<String>,
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// It has no winner yet.
    NotYet,
    /// The leader held its lead.
    Held,
    /// A miner took it.
    Taken,
    /// The format has no file that says so.
    Unknown,
}

impl Ended {
    /// By the round's winner, if it has one.
    pub(super) fn by(winner: Option<&Player>) -> Self {
        match winner {
            None => Ended::NotYet,
            Some(Player::Leader) => Ended::Held,
            Some(Player::Miner(_)) => Ended::Taken,
        }
    }
}

/// What a miner entered.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entered {
    /// Rank from 1 among so many miners, where the format has ranks: the leader is none of them.
    pub(super) rank: Option<(usize, usize)>,
    /// `winner`, `qualified`, `rejected`, or nothing.
    pub(super) tag: &'static str,
    pub(super) repo: String,
    /// Link to the program's source.
    pub(super) source: String,
    pub(super) commit: String,
    /// The image's build.
    pub(super) build: &'static str,
    /// What the program asks for, if that is recorded.
    pub(super) hardware: String,
    /// When it was revealed.
    pub(super) block: String,
}

/// A miner's files of a round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Files {
    previews: usize,
    prompts: usize,
    bytes: String,
    refused: Vec<RefusedFile>,
    kept: Vec<KeptFile>,
    /// Files that are not listed.
    more: usize,
    /// Does the format record a code for each refused file?
    codes: bool,
    /// The file that lists them.
    listed_in: &'static str,
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
    /// The prompt's picture.
    prompt: Option<String>,
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
    /// The prompt's picture.
    prompt: Option<String>,
    model: Option<String>,
    size: String,
}

/// A match, as one side saw it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Played {
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

/// A prompt's file, whatever the format.
pub(super) struct Made<'a> {
    pub(super) stem: &'a PromptStem,
    /// The address of the prompt's picture.
    pub(super) prompt: Option<&'a str>,
    pub(super) model: Option<&'a str>,
    /// The picture's address.
    pub(super) preview: Option<Cow<'a, str>>,
    pub(super) size: u64,
    /// The code and the reason of a refused file.
    pub(super) refused: Option<(&'a str, &'a str)>,
    /// What the code means.
    pub(super) meaning: &'static str,
}

/// A match: left, right, margin, and what its report says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matched<'a> {
    pub(super) left: &'a Player,
    pub(super) right: &'a Player,
    pub(super) margin: f64,
    /// Duels that left won, that were drawn, and that right won; `None` without a report.
    pub(super) counts: Option<[usize; 3]>,
    /// Has it a page?
    pub(super) linked: bool,
}

/// How many of these duels each side won: left, neither, right.
pub(super) fn counts(winners: impl Iterator<Item = DuelWinner>) -> [usize; 3] {
    let mut counts = [0; 3];
    for winner in winners {
        let at = [DuelWinner::Left, DuelWinner::Draw, DuelWinner::Right].iter().position(|known| *known == winner);
        if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    counts
}

/// The matches of each player, the leader's first.
pub(super) fn by_player(mut all: Vec<Matched<'_>>) -> HashMap<&Player, Vec<Matched<'_>>> {
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

impl Matched<'_> {
    /// The match as one of its players saw it.
    pub(super) fn played(&self, player: &Player, round: RoundNumber, win_margin: f64) -> Played {
        let challenged = self.right == player;
        let own_first = |[left, draw, right]: [usize; 3]| match challenged {
            true => [right, draw, left],
            false => [left, draw, right],
        };
        Played {
            challenged,
            other: Who::from(if challenged { self.left } else { self.right }),
            margin: margin(self.margin),
            bar: bar(self.margin, win_margin),
            taken: self.margin >= win_margin,
            duels: self.counts.map(own_first),
            href: self.linked.then(|| match_page(round, self.left, self.right)),
        }
    }
}

/// The addresses of the pictures of a round's prompts.
pub(super) fn addresses(prompts: &PromptList) -> HashMap<&PromptStem, &str> {
    prompts.0.iter().map(|prompt| (prompt.stem(), prompt.url())).collect()
}

/// The page of a miner with these rounds, newest first.
pub(super) fn page(name: String, hotkey: &Hotkey, leaders: &[LeaderEntry], rounds: Vec<MinerRound>) -> MinerPage {
    let leads = leads(leaders, hotkey);
    let (headline, facts) = (headline(&rounds, &leads), facts(&rounds));
    MinerPage { name, who: Who::from(hotkey), headline, facts, leads, rounds }
}

/// The files of a round, as many as there is room for.
pub(super) fn files<'a>(
    outputs: impl ExactSizeIterator<Item = Made<'a>>,
    (listed_in, codes): (&'static str, bool),
    links: &Links<'_>,
    room: &mut usize,
) -> Files {
    let (mut refused, mut kept) = (Vec::new(), Vec::new());
    let (mut previews, mut bytes, prompts) = (0, 0_u64, outputs.len());
    for made in outputs {
        let complete = made.model.is_some() && made.preview.is_some();
        previews += usize::from(complete);
        bytes = bytes.saturating_add(made.size);
        let Some(left) = room.checked_sub(1) else { continue };
        *room = left;
        let name = shortened(made.stem.as_str(), 80);
        let [prompt, model] = [made.prompt, made.model].map(|url| url.and_then(|url| links.to(url)));
        match made.preview.filter(|_| complete) {
            Some(picture) => kept.push(KeptFile {
                name,
                image: links.picture(&picture),
                address: shortened(&picture, LONGEST_ADDRESS),
                prompt,
                model,
                size: format!("{} KiB", number(made.size.div_ceil(1024))),
            }),
            None => refused.push(RefusedFile {
                name,
                code: made.refused.map(|(code, _)| shortened(code, 80)).unwrap_or_default(),
                meaning: made.meaning,
                reason: made.refused.map(|(_, reason)| clean(reason)).unwrap_or_default(),
                prompt,
                model,
            }),
        }
    }
    let (more, bytes) = (prompts - refused.len() - kept.len(), format!("{} KiB", number(bytes.div_ceil(1024))));
    Files { previews, prompts, bytes, refused, kept, more, codes, listed_in }
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

/// How many rounds it was in, and which of them it won.
fn headline(rounds: &[MinerRound], leads: &[LeadSpan]) -> String {
    let won = rounds.iter().filter(|round| round.entry.as_ref().is_some_and(|entry| entry.tag == "winner")).count();
    let open = rounds.iter().filter(|round| round.ended == Ended::NotYet).count();
    let part = match (rounds.len(), won) {
        (0, _) => "It took part in no round.".to_owned(),
        (1, 0) if open == 1 => "It takes part in 1 round, which has no winner yet.".to_owned(),
        (1, 0) => "It took part in 1 round and did not win it.".to_owned(),
        (count, won) => {
            let rounds = counted(count, "round", "rounds");
            let won = if won == 0 { "none".to_owned() } else { number(won as u64) };
            let open = match open {
                0 => String::new(),
                open => format!(
                    ", and {} no winner yet",
                    if open == 1 { "1 has".to_owned() } else { format!("{open} have") }
                ),
            };
            format!("It took part in {rounds} and won {won}{open}.")
        }
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
    let audits = rounds.iter().filter(|round| round.audit.is_some() || round.runs.is_some()).count();
    [("files", prompts), ("without a preview", prompts - previews), ("matches", matches), ("audits", audits)]
        .map(|(label, count)| fact(label, number(count as u64)))
        .into()
}
