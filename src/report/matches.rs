//! A match's page: every duel with its pictures, verdict and the judge's explanation.

use serde::Serialize;

use super::certainty;
use super::evidence::Evidence;
use super::round::Pair;
use super::site::{Site, match_page, round_page};
use super::text::{LONGEST_ADDRESS, Links, Who, clean, margin, share, shortened};
use crate::model::ids::{Player, RoundNumber};
use crate::model::neutral::DuelView;
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::rules::certainty::Tally;
use crate::rules::certainty::orders::{BothOrders, Orders};
use crate::rules::duel::{INTERNAL_ERROR, claims_no_judge};

/// What a match's page shows. Links are relative to the page's own folder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Match {
    pub(super) name: String,
    pub(super) round: RoundNumber,
    /// The round's page.
    pub(super) up: String,
    /// The previous and the next match in the round's list.
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    pub(super) left: Who,
    pub(super) right: Who,
    /// The miner behind `leader`.
    pub(super) leader: Option<Who>,
    /// The miner that the report names, if it is not the folder's.
    pub(super) claimed: Option<String>,
    pub(super) margin: String,
    pub(super) score: String,
    /// What an audit duel came to, in words.
    pub(super) audit: Option<String>,
    /// `right` if the margin is enough to win, else `left`.
    pub(super) verdict: &'static str,
    pub(super) win_margin: String,
    /// How sure the margin is.
    pub(super) certainty: Option<String>,
    /// Duels won by left, drawn, and won by right; then each one's start and width in a bar of 100.
    pub(super) counts: [usize; 3],
    pub(super) parts: [(String, String); 3],
    /// The filters for duels: key, label, count.
    pub(super) filters: Vec<(&'static str, &'static str, usize)>,
    pub(super) duels: Vec<DuelRow>,
}

/// A duel.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DuelRow {
    name: String,
    prompt: Option<String>,
    /// Shown instead if the prompt's image may not be loaded.
    address: String,
    left: SidePreview,
    right: SidePreview,
    winner: &'static str,
    /// The keys of the filters that match, separated by spaces.
    kinds: String,
    /// The report's `issues`.
    issues: String,
    /// Did a judge write `issues`?
    judged: bool,
    /// What each stage of a judge in stages said.
    evidence: Option<Evidence>,
}

/// A side's preview.
#[derive(Debug, Clone, Serialize)]
struct SidePreview {
    image: Option<String>,
    model: Option<String>,
    /// Text shown if there is no image.
    without: String,
}

/// A match: the round's list of matches, and an index into it.
pub(crate) type Place<'a> = (&'a [Pair<'a>], usize);

/// Builds the view of a match.
pub(crate) fn view(site: &Site<'_>, round: RoundNumber, (pairs, at): Place<'_>, links: &Links<'_>) -> Option<Match> {
    let (left, right, report) = *pairs.get(at)?;
    let beside = |at: Option<usize>| {
        let (left, right, _) = pairs.get(at?)?;
        match_page(round, left, right).split_once('/').map(|(_, name)| name.to_owned())
    };
    let duels: Vec<DuelRow> = report.duels.iter().map(|duel| mesh_duel(duel, links)).collect();
    let counts = counts(&duels);
    let claimed = (report.right != *right).then(|| report.right.as_str().to_owned());
    Some(Match {
        name: site.name(),
        round,
        up: format!("../{}", round_page(round)),
        previous: beside(at.checked_sub(1)),
        next: beside(Some(at + 1)),
        left: left.into(),
        right: right.into(),
        leader: site.leader_of(round).filter(|_| *left == Player::Leader).map(|leader| Who::from(&leader.hotkey)),
        claimed,
        audit: None,
        margin: margin(report.margin),
        score: score(report.score),
        verdict: if report.margin >= site.win_margin() { "right" } else { "left" },
        win_margin: share(site.win_margin()),
        certainty: certainty::sentence(tally(report), site.win_margin(), orders(site, round, left, right)),
        counts,
        parts: parts(counts),
        filters: filters(&duels),
        duels,
    })
}

/// How often both orders contradict each other, if the judge's answers are recorded.
fn orders(site: &Site<'_>, round: RoundNumber, left: &Player, right: &Player) -> Option<Orders> {
    let own = site.snapshot.rounds.get(&round)?.players.get(right)?;
    let (name, _) = own.report_against(left)?;
    own.answers_beside(name).get().map(|answers| Orders::of(answers.judged().map(BothOrders::from)))
}

/// How a match's duels ended.
pub(super) fn tally(report: &MatchReport) -> Tally {
    report.duels.iter().map(|duel| duel.winner).collect()
}

/// How many duels left won, how many were draws, and how many right won.
pub(super) fn counts(duels: &[DuelRow]) -> [usize; 3] {
    [DuelWinner::Left, DuelWinner::Draw, DuelWinner::Right]
        .map(|winner| duels.iter().filter(|duel| duel.winner == winner.as_str()).count())
}

pub(super) fn score(score: i64) -> String {
    let sign = match score {
        1.. => "+",
        0 => "",
        _ => "\u{2212}",
    };
    format!("{sign}{}", score.unsigned_abs())
}

#[allow(clippy::cast_precision_loss, reason = "counts of duels")]
pub(super) fn parts(counts: [usize; 3]) -> [(String, String); 3] {
    let all = counts.iter().sum::<usize>().max(1) as f64;
    let mut begin = 0.0;
    counts.map(|count| {
        let (from, width) = (begin, 100.0 * count as f64 / all);
        begin += width;
        (super::chart::place(from), super::chart::place(width))
    })
}

fn mesh_duel(duel: &Duel, links: &Links<'_>) -> DuelRow {
    let judged = !claims_no_judge(&duel.issues) && duel.issues != INTERNAL_ERROR;
    DuelRow::of(&DuelView::from(duel), judged, None, links)
}

impl DuelRow {
    /// A duel of any format; `judged` says whether a judge wrote its words.
    pub(super) fn of(duel: &DuelView<'_>, judged: bool, evidence: Option<Evidence>, links: &Links<'_>) -> DuelRow {
        let picture = |png: Option<&str>, model: Option<&str>| SidePreview {
            without: png.map_or("no preview".to_owned(), |url| shortened(url, LONGEST_ADDRESS)),
            image: png.and_then(|url| links.picture(url)),
            model: model.and_then(|url| links.to(url)),
        };
        let words = duel.words.unwrap_or_default();
        let flags = [
            (duel.left_preview.is_none() || duel.right_preview.is_none(), "missing"),
            (words.starts_with("Generation time exceeded"), "late"),
            (words == INTERNAL_ERROR || duel.words.is_none(), "error"),
        ];
        let mut kinds = duel.winner.as_str().to_owned();
        let stage = evidence.as_ref().and_then(Evidence::stage);
        for flag in flags.iter().filter(|(holds, _)| *holds).map(|(_, flag)| *flag).chain(stage) {
            kinds.push(' ');
            kinds.push_str(flag);
        }
        DuelRow {
            name: shortened(duel.name.as_str(), 24),
            prompt: links.picture(duel.prompt),
            address: shortened(duel.prompt, LONGEST_ADDRESS),
            left: picture(duel.left_preview, duel.left_model),
            right: picture(duel.right_preview, duel.right_model),
            winner: duel.winner.as_str(),
            kinds,
            issues: clean(words),
            judged,
            evidence,
        }
    }
}

/// The filters that match at least one duel.
pub(super) fn filters(duels: &[DuelRow]) -> Vec<(&'static str, &'static str, usize)> {
    let all = [
        ("right", "challenger won"),
        ("left", "defender won"),
        ("draw", "draws"),
        ("skipped", "skipped"),
        ("missing", "preview missing"),
        ("late", "over time"),
        ("error", "judge failed"),
        ("s1", "stage 1 decided"),
        ("s2", "stage 2 decided"),
        ("s3", "stage 3 decided"),
        ("s4", "stage 4 decided"),
    ];
    let count = |key: &str| duels.iter().filter(|duel| duel.kinds.split(' ').any(|kind| kind == key)).count();
    all.into_iter().map(|(key, label)| (key, label, count(key))).filter(|(.., count)| *count > 0).collect()
}
