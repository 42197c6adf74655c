//! The pages of a competition of splats: the walk.

use std::collections::HashSet;

use serde::Serialize;

use super::certainty;
use super::formats::{
    Encounter, MinerRow, OtherSite, RoundFacts, StageFacts, match_links, miner_row, round_row, standing_view,
};
use super::index::{NextStep, RoundRow, StandingView};
use super::matches::DuelRow;
use super::round::MatchLink;
use super::site::{Damage, Fact, FindingView, fact, match_page};
use super::text::{Who, counted, margin, number, share};
use super::timeline::{TimelineStep, bar};
use crate::model::ids::{Player, RoundNumber};
use crate::model::neutral::{BuildView, DuelView, SubmissionView};
use crate::model::report::DuelWinner;
use crate::model::splat::snapshot::{SplatRound, SplatSnapshot};
use crate::model::splat::state::SplatStage;
use crate::rules::splat::duel::without_judge;
use crate::rules::splat::outstanding::outstanding;
use crate::rules::splat::walk::{Walk, of_round, report};

/// The stages of a round.
const STAGES: [&str; 4] = ["collecting", "generating", "duels", "finalizing"];

/// What a round's page shows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WalkPage {
    name: String,
    pub(super) number: RoundNumber,
    previous: Option<String>,
    next: Option<String>,
    headline: String,
    facts: Vec<Fact>,
    damage: Vec<Damage>,
    win_margin: String,
    pub(super) prompts: usize,
    /// The matches, in order.
    steps: Vec<TimelineStep>,
    /// How the walk ends, in words.
    ending: String,
    pub(super) miners: Vec<MinerRow>,
    findings: Vec<FindingView>,
    pub(super) matches: Vec<MatchLink>,
}

/// Where the competition stands; `None` if state.json cannot be read.
pub(super) fn standing(of: &SplatSnapshot, win_margin: f64) -> Option<StandingView> {
    let state = of.state.get()?;
    let none = SplatRound::default();
    let files = state.round().and_then(|round| of.rounds.get(&round)).unwrap_or(&none);
    Some(standing_view(StageFacts {
        next: NextStep::not_run(),
        round: state.round(),
        all: &STAGES,
        now: state.stage.as_str(),
        outstanding: outstanding(files, state.stage, win_margin),
        eta: None,
        eta_at: None,
    }))
}

/// The index's table of rounds, newest first.
pub(super) fn rows(site: &OtherSite<'_>, of: &SplatSnapshot) -> Vec<RoundRow> {
    let row = |(round, files): (&RoundNumber, &SplatRound)| {
        let walk = of_round(files, site.win_margin());
        let winner = walk.as_ref().filter(|walk| is_over(of, *round, walk)).map(|walk| walk.holder.clone());
        let won = walk.as_ref().and_then(|walk| decisive(walk));
        round_row(
            site,
            RoundFacts {
                number: *round,
                miners: files.submissions.get().map(|submissions| submissions.len()),
                qualified: None,
                matches: files.players.values().filter(|own| own.duels.get().is_some()).count(),
                audits: "\u{2013}".to_owned(),
                winner,
                stage: of.state.get().filter(|state| state.round() == Some(*round)).map(|state| state.stage.as_str()),
                margin: won.map_or((None, ""), |(own, of)| (Some(own), of)),
            },
        )
    };
    of.rounds.iter().rev().map(row).collect()
}

/// The margin that took the lead last, or the best one if the leader held.
fn decisive(walk: &Walk<'_>) -> Option<(f64, &'static str)> {
    if let Some(step) = walk.steps.iter().rev().find(|step| step.taken) {
        return Some((step.margin, "over the holder"));
    }
    let best = walk.steps.iter().map(|step| step.margin).max_by(f64::total_cmp)?;
    Some((best, "best valid challenge"))
}

/// Has the round been walked to its end?
fn is_over(of: &SplatSnapshot, round: RoundNumber, walk: &Walk<'_>) -> bool {
    let past = of.state.get().is_some_and(|state| {
        let stage = matches!(state.stage, SplatStage::Finalizing | SplatStage::Finished);
        state.round().is_some_and(|now| round < now || (round == now && stage))
    });
    past && walk.missing.is_none()
}

/// Every match with a report, in the order of the walk; then those that no submission belongs to.
pub(super) fn encounters(round: RoundNumber, files: &SplatRound) -> Vec<Encounter<'_>> {
    let order = files.submissions.get().map(crate::rules::splat::walk::order).unwrap_or_default();
    let mut players: Vec<&Player> = files.players.keys().collect();
    let place = |player: &Player| player.hotkey().and_then(|own| order.iter().position(|hotkey| *hotkey == own));
    players.sort_by_cached_key(|player| (place(player).unwrap_or(usize::MAX), (*player).clone()));
    let encounter = |right: &&Player| {
        let report = files.players.get(*right)?.duels.get()?;
        let rows = move |links: &super::text::Links<'_>| {
            let row = |duel| {
                let view = DuelView::from(duel);
                let judged = without_judge(view.left_preview.is_some(), view.right_preview.is_some()).is_none();
                DuelRow::of(&view, judged, None, links)
            };
            report.duels.iter().map(row).collect()
        };
        Some(Encounter {
            page: match_page(round, &report.leader, right),
            files: vec![format!("rounds/{round}/{right}/duels.json")],
            left: Who::from(&report.leader),
            right: Who::from(*right),
            against_leader: report.leader == Player::Leader,
            claimed: (right.hotkey() != Some(&report.hotkey)).then(|| report.hotkey.to_string()),
            margin: report.margin,
            score: report.score,
            tally: report.duels.iter().map(|duel| DuelWinner::from(duel.winner)).collect(),
            orders: None,
            audit: None,
            rows: Box::new(rows),
        })
    };
    players.iter().filter_map(encounter).collect()
}

/// Builds the view of a round.
pub(super) fn page(
    site: &OtherSite<'_>,
    of: &SplatSnapshot,
    (number, files): (RoundNumber, &SplatRound),
    all: &[Encounter<'_>],
) -> WalkPage {
    let walk = of_round(files, site.win_margin());
    WalkPage {
        name: site.name(),
        number,
        previous: site.verdicts.page(number.previous()),
        next: site.verdicts.page(Some(number.next())),
        headline: headline(of, number, walk.as_ref()),
        facts: [facts(site, (number, files), walk.as_ref()), certainty::facts(&site.played(number))].concat(),
        damage: site.verdicts.damage(Some(number)),
        win_margin: share(site.win_margin()),
        prompts: files.prompts.get().map_or(0, |prompts| prompts.0.len()),
        steps: walk.as_ref().map(|walk| steps(site, (number, files), walk)).unwrap_or_default(),
        ending: walk.as_ref().map(ending).unwrap_or_default(),
        miners: miners(site, of, (number, files), walk.as_ref()),
        findings: site.verdicts.objections(Some(number)),
        matches: match_links(site.win_margin(), all),
    }
}

/// The miners of a round, as its page shows them.
pub(super) fn rows_of(
    site: &OtherSite<'_>,
    of: &SplatSnapshot,
    (number, files): (RoundNumber, &SplatRound),
) -> Vec<MinerRow> {
    miners(site, of, (number, files), of_round(files, site.win_margin()).as_ref())
}

fn headline(of: &SplatSnapshot, round: RoundNumber, walk: Option<&Walk<'_>>) -> String {
    let stage = of.state.get().filter(|state| state.round() == Some(round)).map(|state| state.stage);
    match walk.filter(|walk| is_over(of, round, walk)) {
        Some(Walk { steps, .. }) if steps.is_empty() => "Nobody challenged the leader.".to_owned(),
        Some(Walk { holder: Player::Leader, .. }) => "The leader held the lead.".to_owned(),
        Some(Walk { holder, .. }) => format!("{} won the round.", holder.short()),
        None => match stage {
            Some(stage) => format!("The round is under way: {stage}."),
            None => "The walk cannot be followed to its end.".to_owned(),
        },
    }
}

fn ending(walk: &Walk<'_>) -> String {
    match (walk.missing, &walk.holder) {
        (Some(next), holder) => format!("The match of {} against {} is not there.", next.short(), holder.short()),
        (None, Player::Leader) => "The leader holds the lead at the end.".to_owned(),
        (None, holder) => format!("{} holds the lead at the end.", holder.short()),
    }
}

fn steps(site: &OtherSite<'_>, (round, files): (RoundNumber, &SplatRound), walk: &Walk<'_>) -> Vec<TimelineStep> {
    let step = |step: &crate::rules::splat::walk::WalkStep<'_>| {
        let right = Player::Miner(step.challenger.clone());
        let href = report(files, step.challenger).map(|report| match_page(round, &report.leader, &right));
        TimelineStep {
            holder: Who::from(&step.holder),
            challenger: Who::from(step.challenger),
            margin: margin(step.margin),
            bar: bar(step.margin, site.win_margin()),
            taken: step.taken,
            audit: None,
            href,
        }
    };
    walk.steps.iter().map(step).collect()
}

fn facts(site: &OtherSite<'_>, (round, files): (RoundNumber, &SplatRound), walk: Option<&Walk<'_>>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(submissions) = files.submissions.get() {
        facts.push(fact("miners", number(submissions.len() as u64)));
    }
    if let Some(walk) = walk.filter(|walk| !walk.steps.is_empty()) {
        let reports = files.players.values().filter_map(|own| own.duels.get());
        let duels: usize = reports.map(|report| report.duels.len()).sum();
        facts.push(fact("matches", format!("{} ({})", walk.steps.len(), counted(duels, "duel", "duels"))));
        let taken = walk.steps.iter().filter(|step| step.taken).count();
        facts.push(fact("changes of the lead", number(taken as u64)));
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
    }
    if let Some(seed) = files.seed.get() {
        facts.push(fact("seed", seed.seed.to_string()));
    }
    facts
}

/// The miners in the order of the walk.
fn miners(
    site: &OtherSite<'_>,
    of: &SplatSnapshot,
    (round, files): (RoundNumber, &SplatRound),
    walk: Option<&Walk<'_>>,
) -> Vec<MinerRow> {
    let Some(submissions) = files.submissions.get() else { return Vec::new() };
    let winner = walk.filter(|walk| is_over(of, round, walk)).and_then(|walk| walk.holder.hotkey());
    let steps = walk.map(|walk| walk.steps.as_slice()).unwrap_or_default();
    let held: HashSet<_> = steps.iter().filter(|step| step.taken).map(|step| step.challenger).collect();
    let row = |hotkey: &crate::model::ids::Hotkey| {
        let player = Player::Miner(hotkey.clone());
        let submission = submissions.get(hotkey)?;
        let build = files.builds.get().and_then(|builds| builds.get(hotkey)).map(BuildView::from);
        let played =
            report(files, hotkey).map(|report| (report.margin, Some(match_page(round, &report.leader, &player))));
        let view = SubmissionView::from(submission);
        let mut row = miner_row(Who::from(hotkey), &view, build, played, site.win_margin());
        let own = files.players.get(&player).and_then(|own| own.generations.get());
        row.outputs = own.map(|generations| generations.values().filter(|one| one.png.is_some()).count());
        row.tag = match () {
            () if winner == Some(hotkey) => "winner",
            () if held.contains(hotkey) => "led",
            () => "",
        };
        Some(row)
    };
    crate::rules::splat::walk::order(submissions).into_iter().filter_map(row).collect()
}
