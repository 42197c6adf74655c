//! What the pages of competitions of splats and of three.js modules share: the index, and the pages of matches.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::certainty;
use super::index::{self, Index, NextStep, RoundRow, StandingView};
use super::matches::{self, DuelRow, Match};
use super::round::MatchLink;
use super::site::{Damage, Verdicts, missing, round_page};
use super::text::{Links, OwnFolder, Who, clean, margin, share};
use super::{folder::Folder, pages::Pages, splat, threejs};
use crate::base::error::Result;
use crate::model::config::Settings;
use crate::model::ids::{Block, Player, RoundNumber};
use crate::model::leader::{LeaderEntry, leader_at};
use crate::model::neutral::{BuildView, SubmissionView};
use crate::model::snapshot::Slot;
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::certainty::Tally;
use crate::rules::certainty::orders::Orders;
use crate::rules::checks::summary;
use crate::rules::stage_table::row;

/// What is never due here.
const NOT_RUN: &str = "gen404 reads and checks competitions of this format, and does not run them.";

/// The files of a competition that is not of meshes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Competition<'a> {
    /// Of splats.
    Splat(&'a SplatSnapshot),
    /// Of three.js modules.
    Threejs(&'a ThreejsSnapshot),
}

impl Competition<'_> {
    /// The rounds, and how many reports of matches each has.
    pub(crate) fn rounds(&self) -> BTreeMap<RoundNumber, usize> {
        match self {
            Competition::Splat(of) => of.rounds.iter().map(|(round, files)| (*round, files.players.len())).collect(),
            Competition::Threejs(of) => {
                let reports = of.rounds.iter().map(|(round, files)| {
                    let reports = files.players.values().map(|own| own.duels.len() + own.audits.len());
                    (*round, reports.sum())
                });
                reports.collect()
            }
        }
    }
}

/// A competition that is not of meshes, with the findings of `verify`.
#[derive(Debug)]
pub(crate) struct OtherSite<'a> {
    /// The files.
    pub(crate) files: Competition<'a>,
    /// The settings as the shared rules see them, if they can be read.
    pub(crate) settings: Option<Settings>,
    /// The entries of leader.json.
    pub(crate) leaders: Vec<LeaderEntry>,
    /// The format, and how it was recognised.
    pub(crate) format: String,
    /// The chain's block, if given.
    pub(crate) block: Option<Block>,
    /// What `verify` found.
    pub(crate) verdicts: Verdicts<'a>,
}

impl<'a> OtherSite<'a> {
    /// The site of these files.
    pub(crate) fn of(files: Competition<'a>, format: String, block: Option<Block>, verdicts: Verdicts<'a>) -> Self {
        let (settings, leaders) = match files {
            Competition::Splat(of) => (
                of.config.get().map(|config| config.settings.shared()),
                of.leaders.get().map(|leaders| leaders.entries().to_vec()),
            ),
            Competition::Threejs(of) => (
                of.config.get().map(|config| config.settings.clone()),
                of.leaders.get().map(|leaders| leaders.iter().map(crate::rules::threejs::leader::shared).collect()),
            ),
        };
        OtherSite { files, settings, leaders: leaders.unwrap_or_default(), format, block, verdicts }
    }

    /// The competition's name.
    pub(super) fn name(&self) -> String {
        let named = self.settings.as_ref().map(|settings| clean(&settings.name));
        named.unwrap_or_else(|| "A competition without settings".to_owned())
    }

    /// The margin needed to win; the format's usual one if config.json cannot be read.
    pub(super) fn win_margin(&self) -> f64 {
        let usual = if matches!(self.files, Competition::Threejs(_)) { 0.07 } else { 0.05 };
        self.settings.as_ref().map_or(usual, |settings| settings.win_margin)
    }

    fn damage(&self) -> Vec<Damage> {
        fn gone<T>(slot: &Slot<T>) -> bool {
            slot.is_missing()
        }
        let [config, state, leader] = match self.files {
            Competition::Splat(of) => [gone(&of.config), gone(&of.state), gone(&of.leaders)],
            Competition::Threejs(of) => [gone(&of.config), gone(&of.state), gone(&of.leaders)],
        };
        let mut damage = self.verdicts.damage(None);
        damage.extend(missing([("config.json", config), ("state.json", state), ("leader.json", leader)]));
        damage
    }

    /// The last blocks of reveals.
    fn latest(&self) -> BTreeMap<RoundNumber, Block> {
        match self.files {
            Competition::Splat(of) => of
                .rounds
                .iter()
                .filter_map(|(round, files)| Some((*round, files.schedule.get()?.latest_reveal_block)))
                .collect(),
            Competition::Threejs(of) => of
                .rounds
                .iter()
                .filter_map(|(round, files)| Some((*round, files.schedule.get()?.latest_reveal_block)))
                .collect(),
        }
    }

    /// Who led when this round began: the defender called `leader`.
    pub(super) fn leader_of(&self, round: RoundNumber) -> Option<&LeaderEntry> {
        leader_at(&self.leaders, *self.latest().get(&round)?)
    }

    /// The index's view.
    fn index(&self) -> Index {
        let rows = index::leaders(&self.leaders, self.latest());
        let lead = index::lead(&self.leaders, self.block, &rows);
        let summary = summary(self.verdicts.findings);
        let (standing, rounds) = match self.files {
            Competition::Splat(of) => (splat::standing(of, self.win_margin()), splat::rows(self, of)),
            Competition::Threejs(of) => (threejs::standing(of, self.win_margin()), threejs::rows(self, of)),
        };
        Index {
            name: self.name(),
            description: self.settings.as_ref().map(|settings| clean(&settings.description)).unwrap_or_default(),
            format: Some(clean(&self.format)),
            rules: self.settings.as_ref().map(index::rules_of).unwrap_or_default(),
            damage: self.damage(),
            standing,
            leader: lead.iter().find(|lead| lead.what == "leader").map(|lead| lead.row.clone()),
            lead,
            weights: index::drawn(&self.leaders, &rows),
            leaders: rows.into_iter().rev().collect(),
            rounds,
            miners: Vec::new(),
            more_miners: 0,
            summary,
            parts: index::parts(summary),
            findings: self.verdicts.objections(None),
        }
    }
}

/// A stage among those of a round.
pub(super) struct StageFacts<'a> {
    /// `None` before the first round.
    pub(super) round: Option<RoundNumber>,
    /// The stages of a round, in order.
    pub(super) all: &'a [&'static str],
    pub(super) now: &'static str,
    pub(super) outstanding: Vec<String>,
    pub(super) eta: Option<String>,
}

/// Where a competition stands.
pub(super) fn standing_view(facts: StageFacts<'_>) -> StandingView {
    // Before the first round, no stage of a round is done.
    let at = facts.round.and_then(|_| facts.all.iter().position(|stage| *stage == facts.now));
    let place = |of: usize| match at.map(|at| of.cmp(&at)) {
        Some(std::cmp::Ordering::Less) => "done",
        Some(std::cmp::Ordering::Equal) => "now",
        Some(std::cmp::Ordering::Greater) | None => "later",
    };
    let held = match facts.now {
        "finished" => Some("The competition is over."),
        "paused" => Some("Held by hand."),
        _ => None,
    };
    StandingView {
        round: facts.round,
        stage: words(facts.now),
        stages: facts.all.iter().enumerate().map(|(of, stage)| (words(stage), place(of))).collect(),
        held,
        next: vec![NextStep { command: None, when: String::new(), what: NOT_RUN.to_owned() }],
        outstanding: facts.outstanding,
        eta: facts.eta,
    }
}

/// A stage's name for readers, if it has one of its own.
fn words(stage: &'static str) -> &'static str {
    stage.parse().map_or(stage, |stage| row(stage).label)
}

/// A row of the index's table of rounds.
pub(super) struct RoundFacts {
    pub(super) number: RoundNumber,
    pub(super) miners: Option<usize>,
    pub(super) qualified: Option<usize>,
    pub(super) matches: usize,
    pub(super) audits: String,
    pub(super) winner: Option<Player>,
    pub(super) stage: Option<&'static str>,
    pub(super) margin: (String, &'static str),
}

pub(super) fn round_row(site: &OtherSite<'_>, facts: RoundFacts) -> RoundRow {
    let winner = facts.winner.as_ref().map(Who::from);
    RoundRow {
        number: facts.number,
        href: site.verdicts.page(Some(facts.number)),
        miners: facts.miners,
        qualified: facts.qualified,
        matches: facts.matches,
        audits: facts.audits,
        stage: facts.stage.filter(|_| winner.is_none()).map(words),
        winner,
        margin: facts.margin.0,
        margin_of: facts.margin.1,
        fails: site.verdicts.fails(facts.number),
    }
}

/// A miner in the table of standings, in the format's own columns.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MinerRow {
    pub(super) who: Who,
    /// `winner`, `qualified`, `rejected`, or nothing.
    pub(super) tag: &'static str,
    repo: String,
    source: String,
    commit: String,
    /// The margin of its match, and its bar.
    margin: Option<(String, super::timeline::MarginBar)>,
    /// The match's page, relative to the index.
    href: Option<String>,
    pub(super) outputs: Option<usize>,
    build: &'static str,
    hardware: String,
    block: (Block, String),
}

/// A miner's row; `played` is the margin of its match, and the match's page.
pub(super) fn miner_row(
    who: Who,
    submission: &SubmissionView<'_>,
    build: Option<BuildView<'_>>,
    played: Option<(f64, Option<String>)>,
    win_margin: f64,
) -> MinerRow {
    let href = played.as_ref().and_then(|(_, href)| href.clone());
    MinerRow {
        who,
        tag: "",
        repo: submission.repo.as_str().to_owned(),
        source: format!("https://github.com/{}/tree/{}", submission.repo, submission.commit),
        commit: submission.commit.short().to_owned(),
        margin: played.map(|(own, _)| (margin(own), super::timeline::bar(own, win_margin))),
        href,
        outputs: None,
        build: build.map_or("", |build| super::heat::build(build.status)),
        hardware: clean(&submission.hardware.unwrap_or_default().join(", ")),
        block: (submission.revealed_at_block, super::text::number(submission.revealed_at_block.0)),
    }
}

/// Makes the rows of a match's duels.
type Rows<'a> = dyn Fn(&Links<'_>) -> Vec<DuelRow> + Sync + Send + 'a;

/// A match with a report, audit duels among them.
pub(super) struct Encounter<'a> {
    /// Its page, relative to the index.
    pub(super) page: String,
    pub(super) left: Who,
    pub(super) right: Who,
    /// Does `leader` defend?
    pub(super) against_leader: bool,
    /// The miner that the report names, if it is not the folder's.
    pub(super) claimed: Option<String>,
    pub(super) margin: f64,
    pub(super) score: i64,
    pub(super) tally: Tally,
    /// How often both orders contradict each other, if that is recorded.
    pub(super) orders: Option<Orders>,
    /// For an audit duel: what it came to, in words.
    pub(super) audit: Option<String>,
    /// Makes the rows of its duels.
    pub(super) rows: Box<Rows<'a>>,
}

/// Links to matches.
pub(super) fn match_links<'e, 'a: 'e>(
    win_margin: f64,
    all: impl IntoIterator<Item = &'e Encounter<'a>>,
) -> Vec<MatchLink> {
    let link = |one: &Encounter<'_>| MatchLink {
        href: one.page.clone(),
        left: one.left.clone(),
        right: one.right.clone(),
        margin: margin(one.margin),
        certainty: certainty::short(one.tally, win_margin).filter(|_| one.audit.is_none()),
        duels: one.tally.duels(),
    };
    all.into_iter().map(link).collect()
}

/// The view of a match.
fn match_view(
    site: &OtherSite<'_>,
    round: RoundNumber,
    (all, at): (&[Encounter<'_>], usize),
    links: &Links<'_>,
) -> Option<Match> {
    let one = all.get(at)?;
    let beside = |at: Option<usize>| all.get(at?)?.page.split_once('/').map(|(_, name)| name.to_owned());
    let duels = (one.rows)(links);
    let counts = matches::counts(&duels);
    Some(Match {
        name: site.name(),
        round,
        up: format!("../{}", round_page(round)),
        previous: beside(at.checked_sub(1)),
        next: beside(Some(at + 1)),
        left: one.left.clone(),
        right: one.right.clone(),
        leader: site.leader_of(round).filter(|_| one.against_leader).map(|leader| Who::from(&leader.hotkey)),
        claimed: one.claimed.clone(),
        audit: one.audit.clone(),
        margin: margin(one.margin),
        score: matches::score(one.score),
        verdict: if one.margin >= site.win_margin() { "right" } else { "left" },
        win_margin: share(site.win_margin()),
        certainty: certainty::sentence(one.tally, site.win_margin(), one.orders).filter(|_| one.audit.is_none()),
        counts,
        parts: matches::parts(counts),
        filters: matches::filters(&duels),
        duels,
    })
}

/// A round's page.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum RoundView {
    Walk(splat::WalkPage),
    Chain(threejs::ChainPage),
}

/// Everything that the pages show.
#[derive(Debug, Serialize)]
pub(crate) struct OtherShown {
    competition: Index,
    rounds: Vec<RoundView>,
}

/// Makes the pages of a report.
pub(crate) struct OtherMaker<'a> {
    /// The contents.
    pub(crate) site: &'a OtherSite<'a>,
    /// The templates.
    pub(crate) pages: &'a Pages,
    /// The target folder.
    pub(crate) out: &'a Folder,
    /// The operator's object folder on this machine.
    pub(crate) own: Option<&'a OwnFolder>,
}

impl OtherMaker<'_> {
    /// Writes the index and the pages of the wanted rounds, calling `seen` after each round. Returns the files written,
    /// and with `keep` also what they show.
    ///
    /// # Errors
    /// A page cannot be made or written.
    pub(crate) fn all(
        &self,
        wanted: &BTreeSet<RoundNumber>,
        keep: bool,
        seen: impl Fn(),
    ) -> Result<(Vec<String>, OtherShown)> {
        let competition = self.site.index();
        let page = self.pages.page("index.html", "", "'none'", &competition)?;
        let mut files = vec![self.out.write("index.html", page.as_bytes())?];
        let mut rounds = Vec::new();
        for round in wanted {
            let (view, made) = self.round(*round)?;
            files.extend(made);
            rounds.extend(view.filter(|_| keep));
            seen();
        }
        Ok((files, OtherShown { competition, rounds }))
    }

    fn round(&self, number: RoundNumber) -> Result<(Option<RoundView>, Vec<String>)> {
        let links = Links::from(&self.out.path, self.own);
        let (view, template, all) = match self.site.files {
            Competition::Splat(of) => {
                let Some(files) = of.rounds.get(&number) else { return Ok((None, Vec::new())) };
                let all = splat::encounters(number, files);
                let view = RoundView::Walk(splat::page(self.site, of, (number, files), &all));
                (view, "walk.html", all)
            }
            Competition::Threejs(of) => {
                let Some(files) = of.rounds.get(&number) else { return Ok((None, Vec::new())) };
                let all = threejs::encounters(self.site, number, files);
                let view = RoundView::Chain(threejs::page(self.site, of, (number, files), &all));
                (view, "chain.html", all)
            }
        };
        let page = self.pages.page(template, "", &links.sources(), &view)?;
        let mut files = vec![self.out.write(&round_page(number), page.as_bytes())?];
        if !all.is_empty() {
            self.out.make(&format!("round-{number}"))?;
        }
        let folder = self.out.path.join(format!("round-{number}"));
        let one = |at: usize| -> Result<Option<String>> {
            let links = Links::from(&folder, self.own);
            let (Some(one), Some(view)) = (all.get(at), match_view(self.site, number, (&all, at), &links)) else {
                return Ok(None);
            };
            let page = self.pages.page("match.html", "../", &links.sources(), &view)?;
            self.out.write(&one.page, page.as_bytes()).map(Some)
        };
        let made: Vec<Option<String>> = (0..all.len()).into_par_iter().map(one).collect::<Result<_>>()?;
        files.extend(made.into_iter().flatten());
        Ok((Some(view), files))
    }
}
