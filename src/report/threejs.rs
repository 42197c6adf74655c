//! The pages of a competition of three.js modules: the chain of holders.

use std::collections::HashMap;

use serde::Serialize;

use super::certainty;
use super::evidence::Evidence;
use super::formats::{
    Encounter, MinerRow, OtherSite, RoundFacts, StageFacts, match_links, miner_row, round_row, standing_view,
};
use super::heat::{Heat, heat_of};
use super::index::{RoundRow, StandingView, decisive, next};
use super::matches::DuelRow;
use super::round::MatchLink;
use super::site::{Damage, Fact, FindingView, fact, match_page, tally};
use super::text::{Who, clean, counted, margin, number, share};
use super::threejs_audits::{DuelAudit, audit_page, audits, is_rejected, outcome};
use super::timeline::{MarginBar, bar};
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::neutral::{BuildView, DuelView, SubmissionView};
use crate::model::source_audit::SourceVerdict;
use crate::model::stage::Stage;
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::config::AUDIT_REPEATS;
use crate::model::threejs::detail::Told;
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile, answers_name};
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::rules::certainty::rounds::angles_of;
use crate::rules::stage_table::row;
use crate::rules::stages::due_in;
use crate::rules::threejs::chain::{Chain, Fate, Link, order};
use crate::rules::threejs::due::ThreejsWork;
use crate::rules::threejs::outstanding::{of_round, outstanding};

/// What a round's page shows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChainPage {
    name: String,
    pub(super) number: RoundNumber,
    previous: Option<String>,
    next: Option<String>,
    headline: String,
    facts: Vec<Fact>,
    damage: Vec<Damage>,
    win_margin: String,
    pub(super) prompts: usize,
    /// The qualified miners, in order of reveal.
    links: Vec<LinkView>,
    /// How the chain ends, in words.
    ending: String,
    pub(super) audits: Vec<DuelAudit>,
    pub(super) miners: Vec<MinerRow>,
    heat: Option<Heat>,
    findings: Vec<FindingView>,
    pub(super) matches: Vec<MatchLink>,
    /// Audit duels with a report.
    audit_matches: Vec<MatchLink>,
}

/// A qualified miner's place in the chain.
#[derive(Debug, Clone, Serialize)]
struct LinkView {
    who: Who,
    /// Who held the lead when it was its turn.
    holder: Who,
    /// Its margin against the holder, and the bar.
    margin: Option<(String, MarginBar)>,
    href: Option<String>,
    /// `verified`, `won`, `lost`, `pending`, `rejected`.
    fate: &'static str,
    /// Why it was rejected, in words.
    why: String,
    /// The audit duel that decided it.
    why_href: Option<String>,
}

/// Where the competition stands; `None` if state.json cannot be read.
pub(super) fn standing(of: &ThreejsSnapshot, win_margin: f64, block: Option<Block>) -> Option<StandingView> {
    let state = of.state.get()?;
    let none = ThreejsRound::default();
    let files = of.rounds.get(&state.current_round).unwrap_or(&none);
    let eta = state.next_stage_eta.as_ref().map(|eta| eta.at().format("%-d %B %Y, %H:%M UTC").to_string());
    let all: Vec<&str> =
        Stage::ALL.into_iter().filter(|stage| row(*stage).is_of_a_round()).map(Stage::as_str).collect();
    let work = ThreejsWork { files, win_margin, audit_repeats: repeats(of) };
    Some(standing_view(StageFacts {
        // That it is over is said elsewhere on the page.
        next: due_in(state, block, &work).into_iter().filter(|_| state.stage != Stage::Finished).map(next).collect(),
        round: Some(state.current_round),
        all: &all,
        now: state.stage.as_str(),
        outstanding: outstanding(files, state.stage, win_margin, repeats(of)),
        eta,
        eta_at: state.next_stage_eta.as_ref().map(ToString::to_string),
    }))
}

/// How often programs are run again.
fn repeats(of: &ThreejsSnapshot) -> u32 {
    of.config.get().map_or(AUDIT_REPEATS, |config| config.audit_repeats)
}

/// The index's table of rounds, newest first.
pub(super) fn rows(site: &OtherSite<'_>, of: &ThreejsSnapshot) -> Vec<RoundRow> {
    let row = |(round, files): (&RoundNumber, &ThreejsRound)| {
        let winner = files.winner.get().map(|winner| winner.winner_hotkey.clone());
        let matches = files.matrix.get().map_or(0, |matrix| matrix.0.len());
        let qualified = of_round(files, site.win_margin(), repeats(of), |chain| chain.links.len());
        let (passed, failed) = verdicts(files);
        round_row(
            site,
            RoundFacts {
                number: *round,
                miners: files.submissions.get().map(|submissions| submissions.len()),
                qualified: qualified.filter(|_| matches > 0),
                matches,
                audits: tally(&[(passed, "passed"), (failed, "failed")], "\u{2013}"),
                margin: decisive(files.matrix.get(), winner.as_ref(), |player| is_rejected(files, player)),
                winner,
                stage: of.state.get().filter(|state| state.current_round == *round).map(|state| state.stage.as_str()),
            },
        )
    };
    of.rounds.iter().rev().map(row).collect()
}

fn verdicts(files: &ThreejsRound) -> (usize, usize) {
    let all = files.generation_audits.get().into_iter().flat_map(|audits| audits.values());
    let passed = all.clone().filter(|audit| audit.verdict == SourceVerdict::Passed).count();
    (passed, all.count() - passed)
}

/// The run that an audit report's file name tells.
fn run_of(name: &str) -> Option<u32> {
    name.strip_suffix(".json")?.rsplit_once('_')?.1.parse().ok()
}

/// What an audit duel was played against.
pub(super) fn who_of(opponent: &Opponent) -> Who {
    match opponent {
        Opponent::Submitted => Who { short: "submitted".to_owned(), full: "submitted".to_owned(), leader: false },
        Opponent::Holder(player) => Who::from(player),
    }
}

/// Every match with a report, the leader's first; then the audit duels. If two files stand for one match, the first
/// counts.
pub(super) fn encounters<'a>(site: &OtherSite<'_>, round: RoundNumber, files: &'a ThreejsRound) -> Vec<Encounter<'a>> {
    let (mut matches, mut audits) = (Vec::new(), Vec::new());
    for (right, own) in &files.players {
        // The report, and where there are any, the judge's answers and how it was asked.
        let told = |name: &String| {
            let beside = |file| ThreejsFile::Player(round, right.clone(), file).path();
            let answers = ThreejsPlayerFile::Answers(answers_name(name));
            let question = || ThreejsFile::Round(round, ThreejsRoundFile::Question).path();
            let answered = own.answers_beside(name).get().map(|_| [beside(answers), question()]);
            let report = format!("rounds/{round}/{right}/{name}");
            std::iter::once(report).chain(answered.into_iter().flatten()).collect::<Vec<_>>()
        };
        for (name, report) in own.duels.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            // In the first rounds, what was submitted against what was made.
            let page = match &report.left {
                Opponent::Holder(left) => match_page(round, left, right),
                Opponent::Submitted => audit_page(round, &report.left, Some(1), right),
            };
            matches.push(encounter((page, told(name)), right, report, None));
        }
        for (name, report) in own.audits.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            let run = run_of(name);
            let words = outcome(&report.left, run, report.margin, site.win_margin());
            let page = audit_page(round, &report.left, run, right);
            audits.push(encounter((page, told(name)), right, report, Some(words)));
        }
    }
    matches.sort_by(|a, b| (!a.against_leader, &a.page).cmp(&(!b.against_leader, &b.page)));
    audits.sort_by(|a, b| a.page.cmp(&b.page));
    matches.append(&mut audits);
    let mut pages = std::collections::HashSet::new();
    matches.retain(|one| pages.insert(one.page.clone()));
    matches
}

fn encounter<'a>(
    (page, files): (String, Vec<String>),
    right: &Player,
    report: &'a StagedMatch,
    audit: Option<String>,
) -> Encounter<'a> {
    let rows = move |links: &super::text::Links<'_>| report.duels.iter().map(|duel| duel_row(duel, links)).collect();
    Encounter {
        page,
        files,
        left: who_of(&report.left),
        right: Who::from(right),
        against_leader: report.left == Opponent::Holder(Player::Leader) && audit.is_none(),
        claimed: (right.hotkey() != Some(&report.right)).then(|| report.right.to_string()),
        margin: report.margin,
        score: report.score,
        tally: report.duels.iter().map(|duel| duel.winner).collect(),
        orders: angles_of(report),
        audit,
        rows: Box::new(rows),
    }
}

fn duel_row(duel: &StagedDuel, links: &super::text::Links<'_>) -> DuelRow {
    let evidence = match duel.detail.as_ref().map(|detail| detail.told()) {
        Some(Told::Judged(stages)) => Some(Evidence::of(&stages)),
        Some(Told::Unjudged(_)) | None => None,
    };
    DuelRow::of(&DuelView::from(duel), evidence.is_some(), evidence, links)
}

/// Builds the view of a round.
pub(super) fn page(
    site: &OtherSite<'_>,
    of: &ThreejsSnapshot,
    (number, files): (RoundNumber, &ThreejsRound),
    all: &[Encounter<'_>],
) -> ChainPage {
    let pages = Pages { round: number, files, there: all.iter().map(|one| one.page.as_str()).collect() };
    let chain = |chain: Chain<'_>| {
        let links: Vec<LinkView> = chain.links.iter().map(|link| link_view(site, &pages, link)).collect();
        (links, ending(&chain), audits(site.win_margin(), &pages, &chain))
    };
    let (links, ending, audits) = of_round(files, site.win_margin(), repeats(of), chain).unwrap_or_else(|| {
        let unknown = Chain { links: Vec::new(), holder: Player::Leader, finalized: false, unplayed: Vec::new() };
        (Vec::new(), String::new(), audits(site.win_margin(), &pages, &unknown))
    });
    let order = files.submissions.get().map(order).unwrap_or_default();
    let played = |left: &Player, right: &Player| pages.page(match_page(number, left, right));
    ChainPage {
        name: site.name(),
        number,
        previous: site.verdicts.page(number.previous()),
        next: site.verdicts.page(Some(number.next())),
        headline: headline(of, number, files),
        facts: [facts(site, (number, files), links.len()), certainty::facts(&site.played(number))].concat(),
        damage: site.verdicts.damage(Some(number)),
        win_margin: share(site.win_margin()),
        prompts: files.prompts.get().map_or(0, |prompts| prompts.0.len()),
        miners: miners(site, &pages, &links),
        heat: files.matrix.get().and_then(|matrix| heat_of(matrix, &order, site.win_margin(), played)),
        links,
        ending,
        audits,
        findings: site.verdicts.objections(Some(number)),
        matches: match_links(site.win_margin(), all.iter().filter(|one| one.audit.is_none())),
        audit_matches: match_links(site.win_margin(), all.iter().filter(|one| one.audit.is_some())),
    }
}

/// The miners of a round and their audits, as its page shows them.
pub(super) fn rows_of(
    site: &OtherSite<'_>,
    of: &ThreejsSnapshot,
    round: (RoundNumber, &ThreejsRound),
) -> (Vec<MinerRow>, Vec<DuelAudit>) {
    let page = page(site, of, round, &encounters(site, round.0, round.1));
    (page.miners, page.audits)
}

/// The picture of a module that judges see first, in the folder of its views.
pub(super) fn grid(views: &str) -> String {
    format!("{}/grid.png", views.trim_end_matches('/'))
}

/// A round's files, and which pages of matches there are.
pub(super) struct Pages<'a> {
    pub(super) round: RoundNumber,
    pub(super) files: &'a ThreejsRound,
    there: std::collections::HashSet<&'a str>,
}

impl Pages<'_> {
    /// A match's page, where the match has a report.
    pub(super) fn page(&self, name: String) -> Option<String> {
        self.there.contains(name.as_str()).then_some(name)
    }

    /// The page of an audit duel; before there were several runs, only the first has one.
    pub(super) fn audit(&self, opponent: &Opponent, run: u32, right: &Hotkey) -> Option<String> {
        let right = Player::Miner(right.clone());
        let page = |run| self.page(audit_page(self.round, opponent, run, &right));
        page(Some(run)).or_else(|| page(None).filter(|_| run == 1))
    }
}

fn link_view(site: &OtherSite<'_>, pages: &Pages<'_>, link: &Link<'_>) -> LinkView {
    let right = Player::Miner(link.hotkey.clone());
    let own = pages.files.matrix.get().and_then(|matrix| matrix.margin(&link.holder, &right));
    let (fate, why) = match &link.fate {
        Fate::Won { verified: true, .. } => ("verified", String::new()),
        Fate::Won { verified: false, .. } => ("won", String::new()),
        Fate::Lost(_) => ("lost", String::new()),
        Fate::Pending => ("pending", String::new()),
        Fate::Rejected(reason) => ("rejected", why(site.win_margin(), pages, link, reason)),
    };
    let lost = link.lost.as_ref();
    LinkView {
        who: Who::from(link.hotkey),
        holder: Who::from(&link.holder),
        margin: own.map(|own| (margin(own), bar(own, site.win_margin()))),
        href: pages.page(match_page(pages.round, &link.holder, &right)),
        fate,
        why,
        why_href: lost.and_then(|(opponent, run)| pages.audit(opponent, *run, link.hotkey)),
    }
}

/// Which run lost, against whom, and by how much; or the recorded reason.
fn why(win_margin: f64, pages: &Pages<'_>, link: &Link<'_>, reason: &str) -> String {
    let Some((opponent, run)) = &link.lost else { return clean(reason) };
    let own = pages.files.audit_matrix.get().and_then(|matrix| matrix.margin(opponent, *run, link.hotkey));
    let own = own.map_or_else(String::new, margin);
    match opponent {
        Opponent::Submitted => {
            format!("run {run} lost to what it had submitted: {own}, and \u{2212}{} is the limit", share(win_margin))
        }
        Opponent::Holder(holder) => {
            format!("run {run} did not beat {}: {own}, and +{} was needed", holder.short(), share(win_margin))
        }
    }
}

fn ending(chain: &Chain<'_>) -> String {
    let holder = chain.holder.short();
    match (chain.finalized, &chain.holder) {
        (true, Player::Leader) if chain.links.is_empty() => "Nobody beat the leader: it holds the lead.".to_owned(),
        (true, Player::Leader) => "The leader holds the lead.".to_owned(),
        (true, _) => format!("{holder} wins the round."),
        (false, _) => format!("The chain is open: {holder} holds the lead so far."),
    }
}

fn headline(of: &ThreejsSnapshot, round: RoundNumber, files: &ThreejsRound) -> String {
    match files.winner.get().map(|winner| &winner.winner_hotkey) {
        Some(Player::Leader) => "The leader held the lead.".to_owned(),
        Some(winner) => {
            let own = files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, winner));
            let by = own.map(|own| format!(" with {} against the leader", margin(own))).unwrap_or_default();
            format!("{} won the round{by}.", winner.short())
        }
        None if !files.winner.is_missing() => "The winner was recorded in a file that cannot be read.".to_owned(),
        None => match of.state.get().filter(|state| state.current_round == round) {
            Some(state) => format!("The round is under way: {}.", state.stage.as_str().replace('_', " ")),
            None => "No winner is recorded.".to_owned(),
        },
    }
}

fn facts(site: &OtherSite<'_>, (round, files): (RoundNumber, &ThreejsRound), qualified: usize) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(submissions) = files.submissions.get() {
        facts.push(fact("miners", number(submissions.len() as u64)));
    }
    if let Some(matrix) = files.matrix.get().filter(|matrix| !matrix.0.is_empty()) {
        facts.push(fact("qualified", number(qualified as u64)));
        facts.push(fact("matches", number(matrix.0.len() as u64)));
    }
    if let Some(matrix) = files.audit_matrix.get().filter(|matrix| !matrix.0.is_empty()) {
        let (passed, failed) = verdicts(files);
        let verdicts = tally(&[(passed, "passed"), (failed, "failed")], "no verdict yet");
        facts.push(fact("audits", format!("{verdicts} ({})", counted(matrix.0.len(), "match", "matches"))));
    }
    if let Some(prompts) = files.prompts.get() {
        facts.push(fact("prompts", number(prompts.0.len() as u64)));
    }
    if let Some(leader) = site.leader_of(round) {
        facts.push(fact("leader then", leader.hotkey.short()));
    }
    if let Some(schedule) = files.schedule.get() {
        let blocks = (number(schedule.earliest_reveal_block.0), number(schedule.latest_reveal_block.0));
        facts.push(fact("reveals in blocks", format!("{} \u{2013} {}", blocks.0, blocks.1)));
        facts.push(fact("files due by block", number(schedule.generation_deadline_block.0)));
    }
    if let Some(seed) = files.seed.get() {
        facts.push(fact("seed", seed.seed.to_string()));
    }
    facts
}

/// The miners: by margin against the leader, the winner first, the rejected last.
fn miners(site: &OtherSite<'_>, pages: &Pages<'_>, links: &[LinkView]) -> Vec<MinerRow> {
    let files = pages.files;
    let Some(submissions) = files.submissions.get() else { return Vec::new() };
    let fates: HashMap<&str, &str> = links.iter().map(|link| (link.who.full.as_str(), link.fate)).collect();
    let winner = files.winner.get().and_then(|winner| winner.winner_hotkey.hotkey());
    let row = |hotkey: &Hotkey| {
        let player = Player::Miner(hotkey.clone());
        let submission = submissions.get(hotkey)?;
        let build = files.builds.get().and_then(|builds| builds.get(hotkey)).map(BuildView::from);
        let own = files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, &player));
        let played = own.map(|own| (own, pages.page(match_page(pages.round, &Player::Leader, &player))));
        let view = SubmissionView::from(submission);
        let mut row = miner_row(Who::from(hotkey), &view, build, played, site.win_margin());
        let submitted = files.players.get(&player).and_then(|own| own.submitted.get());
        row.outputs = submitted.map(|modules| modules.values().filter(|module| module.views.is_some()).count());
        row.tag = match fates.get(hotkey.as_str()) {
            _ if winner == Some(hotkey) => "winner",
            Some(&"rejected") => "rejected",
            Some(_) => "qualified",
            None => "",
        };
        Some((own.unwrap_or(f64::MIN), row))
    };
    let mut rows: Vec<(f64, MinerRow)> = order(submissions).into_iter().filter_map(row).collect();
    let group = |tag: &str| ["winner", "qualified", "", "rejected"].iter().position(|group| *group == tag);
    rows.sort_by(|(a, one), (b, other)| group(one.tag).cmp(&group(other.tag)).then_with(|| b.total_cmp(a)));
    rows.into_iter().map(|(_, row)| row).collect()
}
