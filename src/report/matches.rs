//! A match's page: every duel with its pictures, verdict and the judge's explanation.

use serde::Serialize;

use super::round::Pair;
use super::site::{Site, match_page, round_page};
use super::text::{LONGEST_ADDRESS, Links, Who, clean, margin, share, shortened};
use crate::model::ids::{Player, RoundNumber};
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::rules::duel::{INTERNAL_ERROR, claims_no_judge};

/// What a match's page shows. Links are relative to the page's own folder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Match {
    name: String,
    round: RoundNumber,
    /// The round's page.
    up: String,
    /// The previous and the next match in the round's list.
    previous: Option<String>,
    next: Option<String>,
    left: Who,
    right: Who,
    /// The miner behind `leader`.
    leader: Option<Who>,
    /// The miner that the report names, if it is not the folder's.
    claimed: Option<String>,
    margin: String,
    score: String,
    /// `right` if the margin is enough to win, else `left`.
    verdict: &'static str,
    win_margin: String,
    /// Duels won by left, drawn, and won by right; then each one's start and width in a bar of 100.
    counts: [usize; 3],
    parts: [(String, String); 3],
    /// The filters for duels: key, label, count.
    filters: Vec<(&'static str, &'static str, usize)>,
    duels: Vec<DuelView>,
}

/// A duel.
#[derive(Debug, Clone, Serialize)]
struct DuelView {
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
    let duels: Vec<DuelView> = report.duels.iter().map(|duel| duel_view(duel, links)).collect();
    let counts = [DuelWinner::Left, DuelWinner::Draw, DuelWinner::Right]
        .map(|winner| report.duels.iter().filter(|duel| duel.winner == winner).count());
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
        margin: margin(report.margin),
        score: score(report),
        verdict: if report.margin >= site.win_margin() { "right" } else { "left" },
        win_margin: share(site.win_margin()),
        counts,
        parts: parts(counts),
        filters: filters(&duels),
        duels,
    })
}

fn score(report: &MatchReport) -> String {
    let sign = if report.score > 0 {
        "+"
    } else if report.score < 0 {
        "\u{2212}"
    } else {
        ""
    };
    format!("{sign}{}", report.score.unsigned_abs())
}

#[allow(clippy::cast_precision_loss, reason = "counts of duels")]
fn parts(counts: [usize; 3]) -> [(String, String); 3] {
    let all = counts.iter().sum::<usize>().max(1) as f64;
    let mut begin = 0.0;
    counts.map(|count| {
        let (from, width) = (begin, 100.0 * count as f64 / all);
        begin += width;
        (super::chart::place(from), super::chart::place(width))
    })
}

fn duel_view(duel: &Duel, links: &Links<'_>) -> DuelView {
    let picture = |png: &Option<String>, model: &Option<String>| {
        let image = png.as_deref().and_then(|url| links.picture(url));
        SidePreview {
            without: png.as_deref().map_or("no preview".to_owned(), |url| shortened(url, LONGEST_ADDRESS)),
            image,
            model: model.as_deref().and_then(|url| links.to(url)),
        }
    };
    let late = duel.issues.starts_with("Generation time exceeded");
    let flags = [
        (duel.left_png.is_none() || duel.right_png.is_none(), "missing"),
        (late, "late"),
        (duel.issues == INTERNAL_ERROR, "error"),
    ];
    let mut kinds = duel.winner.as_str().to_owned();
    for (_, flag) in flags.iter().filter(|(holds, _)| *holds) {
        kinds.push(' ');
        kinds.push_str(flag);
    }
    DuelView {
        name: shortened(duel.name.as_str(), 24),
        prompt: links.picture(&duel.prompt),
        address: shortened(&duel.prompt, LONGEST_ADDRESS),
        left: picture(&duel.left_png, &duel.left_model),
        right: picture(&duel.right_png, &duel.right_model),
        winner: duel.winner.as_str(),
        kinds,
        issues: clean(&duel.issues),
        judged: !claims_no_judge(&duel.issues) && duel.issues != INTERNAL_ERROR,
    }
}

/// The filters that match at least one duel.
fn filters(duels: &[DuelView]) -> Vec<(&'static str, &'static str, usize)> {
    let all = [
        ("right", "challenger won"),
        ("left", "defender won"),
        ("draw", "draws"),
        ("skipped", "skipped"),
        ("missing", "preview missing"),
        ("late", "over time"),
        ("error", "judge failed"),
    ];
    let count = |key: &str| duels.iter().filter(|duel| duel.kinds.split(' ').any(|kind| kind == key)).count();
    all.into_iter().map(|(key, label)| (key, label, count(key))).filter(|(.., count)| *count > 0).collect()
}
