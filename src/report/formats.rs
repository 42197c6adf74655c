//! What the pages of competitions of splats and of three.js modules share: the index, and the pages of matches.

use std::collections::BTreeMap;

use serde::Serialize;

use super::certainty;
use super::data::ScheduleData;
use super::index::{self, Index, NextStep, RoundRow, StandingView};
use super::matches::{self, DuelRow, Match};
use super::miner_list::listed;
use super::round::MatchLink;
use super::site::{Damage, Verdicts, missing, round_page};
use super::text::{Links, Who, clean, margin, share};
use super::{splat, threejs};
use crate::model::config::Settings;
use crate::model::ids::{Block, Player, RoundNumber};
use crate::model::leader::{LeaderEntry, leader_at};
use crate::model::neutral::{BuildView, SubmissionView};
use crate::model::snapshot::Slot;
use crate::model::splat::snapshot::SplatSnapshot;
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::certainty::orders::Orders;
use crate::rules::certainty::rounds::{Match as Played, of_splats, of_threejs};
use crate::rules::certainty::{Certainty, Tally};
use crate::rules::checks::in_force::InForce;
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

    /// The rules in force, in words; `unusual` are those that are not the default, and past ones.
    pub(crate) fn rules_in_force(&self, unusual: Vec<String>) -> Vec<String> {
        self.settings.as_ref().map(index::rules_of).unwrap_or_default().into_iter().chain(unusual).collect()
    }

    /// The miners of a round, as its page lists them.
    pub(super) fn miner_rows(&self, round: RoundNumber) -> Vec<MinerRow> {
        let rows = match self.files {
            Competition::Splat(of) => of.rounds.get(&round).map(|files| splat::rows_of(self, of, (round, files))),
            Competition::Threejs(of) => of.rounds.get(&round).map(|files| threejs::rows_of(self, of, (round, files)).0),
        };
        rows.unwrap_or_default()
    }

    /// A round's matches, as far as they tell how sure they are and how the judge behaved.
    pub(super) fn played(&self, round: RoundNumber) -> Vec<Played> {
        match self.files {
            Competition::Splat(of) => of_splats(of, &InForce::default(), Some(round)),
            Competition::Threejs(of) => of_threejs(of, &InForce::default(), Some(round)),
        }
    }

    /// A round's blocks and seed.
    pub(super) fn blocks_and_seed(&self, round: RoundNumber) -> (Option<ScheduleData>, Option<u32>) {
        match self.files {
            Competition::Splat(of) => {
                let files = of.rounds.get(&round);
                let schedule = files.and_then(|files| files.schedule.get()).map(|schedule| ScheduleData {
                    earliest_reveal_block: schedule.earliest_reveal_block,
                    latest_reveal_block: schedule.latest_reveal_block,
                    generation_deadline_block: None,
                });
                (schedule, files.and_then(|files| files.seed.get()).map(|seed| seed.seed.0))
            }
            Competition::Threejs(of) => {
                let files = of.rounds.get(&round);
                let schedule = files.and_then(|files| files.schedule.get()).map(|schedule| ScheduleData {
                    earliest_reveal_block: schedule.earliest_reveal_block,
                    latest_reveal_block: schedule.latest_reveal_block,
                    generation_deadline_block: Some(schedule.generation_deadline_block),
                });
                (schedule, files.and_then(|files| files.seed.get()).map(|seed| seed.seed.0))
            }
        }
    }

    /// The index's view.
    pub(super) fn index(&self) -> Index {
        let rows = index::leaders(&self.leaders, self.latest());
        let lead = index::lead(&self.leaders, self.block, &rows);
        let summary = summary(self.verdicts.findings);
        let (standing, rounds) = match self.files {
            Competition::Splat(of) => (splat::standing(of, self.win_margin()), splat::rows(self, of)),
            Competition::Threejs(of) => (threejs::standing(of, self.win_margin(), self.block), threejs::rows(self, of)),
        };
        let (miners, more_miners) =
            listed(self.files.by_round(), &self.files.miners(|_| true), &index::winners(&rounds));
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
            miners,
            more_miners,
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
    /// What can be done next.
    pub(super) next: Vec<NextStep>,
    pub(super) outstanding: Vec<String>,
    pub(super) eta: Option<String>,
    /// The same, as state.json has it.
    pub(super) eta_at: Option<String>,
}

impl NextStep {
    /// What is said of a competition that gen404 only reads.
    pub(super) fn not_run() -> Vec<NextStep> {
        vec![NextStep { command: None, when: String::new(), block: None, what: NOT_RUN.to_owned() }]
    }
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
        name: facts.now,
        stages: facts.all.iter().enumerate().map(|(of, stage)| (words(stage), place(of))).collect(),
        held,
        next: facts.next,
        outstanding: facts.outstanding,
        eta: facts.eta,
        eta_at: facts.eta_at,
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
    pub(super) margin: (Option<f64>, &'static str),
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
        margin: index::shown_margin(facts.margin.0),
        margin_of: facts.margin.1,
        own: facts.margin.0,
        fails: site.verdicts.fails(facts.number),
    }
}

/// A miner in the table of standings, in the format's own columns.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MinerRow {
    pub(super) who: Who,
    /// `winner`, `qualified`, `rejected`, or nothing.
    pub(super) tag: &'static str,
    pub(super) repo: String,
    pub(super) source: String,
    pub(super) commit: String,
    /// The margin of its match, and its bar.
    margin: Option<(String, super::timeline::MarginBar)>,
    /// The margin itself.
    #[serde(skip)]
    pub(super) own: Option<f64>,
    /// The commit's whole id.
    #[serde(skip)]
    pub(super) commit_id: String,
    /// The match's page, relative to the index.
    href: Option<String>,
    pub(super) outputs: Option<usize>,
    pub(super) build: &'static str,
    pub(super) hardware: String,
    pub(super) block: (Block, String),
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
        commit_id: submission.commit.as_str().to_owned(),
        own: played.as_ref().map(|(own, _)| *own),
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
    /// The report, and where there are any, the judge's answers and how it was asked, relative to the competition's folder.
    pub(super) files: Vec<String>,
    pub(super) left: Who,
    pub(super) right: Who,
    /// Does `leader` defend?
    pub(super) against_leader: bool,
    /// The miner that the report names, if it is not the folder's.
    pub(super) claimed: Option<String>,
    pub(super) margin: f64,
    pub(super) score: i64,
    pub(super) tally: Tally,
    /// How often the two orders contradict each other, if that is recorded.
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
        own: one.margin,
        certainty: certainty::short(one.tally, win_margin).filter(|_| one.audit.is_none()),
        sure: Certainty::of(one.tally, win_margin).filter(|_| one.audit.is_none()),
        orders: one.orders,
        duels: one.tally.duels(),
    };
    all.into_iter().map(link).collect()
}

/// The view of a match.
pub(super) fn match_view(
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
        sources: one.files.clone(),
    })
}
