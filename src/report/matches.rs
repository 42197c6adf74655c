//! A match's page: every duel with its pictures, verdict and the judge's explanation.

use std::collections::HashMap;

use serde::Serialize;

use super::certainty;
use super::evidence::Evidence;
use super::round::Pair;
use super::site::{Site, match_page, round_page};
use super::text::{LONGEST_ADDRESS, Links, Who, clean, margin, share, shortened};
use crate::model::answers::{Answers, JudgedDuel};
use crate::model::file::{FileKind, PlayerFile, RoundFile, answers_name};
use crate::model::ids::{Player, PromptStem, RoundNumber};
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
    /// What it is from, relative to the competition's folder: the report, and where there are any, the judge's answers
    /// and the question.
    pub(super) sources: Vec<String>,
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
    /// The judge's penalties, where its answers are recorded.
    penalties: Option<Penalties>,
}

/// The judge's penalties in a duel, each pair the defender's and the challenger's.
#[derive(Debug, Clone, Serialize)]
struct Penalties {
    /// With the defender's model shown first.
    left_first: (u8, u8),
    /// With the challenger's model shown first.
    right_first: (u8, u8),
    /// The means of both, which decide.
    means: (String, String),
    /// Does each order prefer another side?
    contradict: bool,
}

impl From<&JudgedDuel> for Penalties {
    fn from(duel: &JudgedDuel) -> Penalties {
        let (one, two) = (&duel.left_first, &duel.right_first);
        let (left_first, right_first) = ((one.penalty_1, one.penalty_2), (two.penalty_2, two.penalty_1));
        let mean = |one: u8, two: u8| (f64::from(one + two) / 2.0).to_string();
        let means = (mean(left_first.0, right_first.0), mean(left_first.1, right_first.1));
        Penalties { left_first, right_first, means, contradict: BothOrders::from(duel).contradict() }
    }
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
    let (sources, answers) = recorded(site, round, left, right);
    let by_name: HashMap<&PromptStem, &JudgedDuel> =
        answers.into_iter().flat_map(Answers::judged).map(|duel| (&duel.name, duel)).collect();
    let row = |duel: &Duel| mesh_duel(duel, by_name.get(&duel.name).copied(), links);
    let duels: Vec<DuelRow> = report.duels.iter().map(row).collect();
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
        certainty: certainty::sentence(tally(report), site.win_margin(), answers.map(of_answers)),
        counts,
        parts: parts(counts),
        filters: filters(&duels),
        duels,
        sources,
    })
}

/// How often the two orders contradict each other, if the judge's answers are recorded.
pub(super) fn orders(site: &Site<'_>, round: RoundNumber, left: &Player, right: &Player) -> Option<Orders> {
    recorded(site, round, left, right).1.map(of_answers)
}

fn of_answers(answers: &Answers) -> Orders {
    Orders::of(answers.judged().map(BothOrders::from))
}

/// The files that tell of a match, and the judge's answers where they are recorded.
fn recorded<'a>(
    site: &Site<'a>,
    round: RoundNumber,
    left: &Player,
    right: &Player,
) -> (Vec<String>, Option<&'a Answers>) {
    let own = site.snapshot.rounds.get(&round).and_then(|files| files.players.get(right));
    let Some((own, (name, _))) = own.and_then(|own| Some((own, own.report_against(left)?))) else {
        return (Vec::new(), None);
    };
    let answers = own.answers_beside(name).get();
    let beside = |file: PlayerFile| FileKind::Player(round, right.clone(), file).path();
    let mut sources = vec![beside(PlayerFile::Report(name.to_owned()))];
    if answers.is_some() {
        sources.push(beside(PlayerFile::Answers(answers_name(name))));
        sources.push(FileKind::Round(round, RoundFile::Question).path());
    }
    (sources, answers)
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

fn mesh_duel(duel: &Duel, answers: Option<&JudgedDuel>, links: &Links<'_>) -> DuelRow {
    let judged = !claims_no_judge(&duel.issues) && duel.issues != INTERNAL_ERROR;
    let row = DuelRow::of(&DuelView::from(duel), judged, None, links);
    match answers {
        Some(answers) => row.with(answers.into()),
        None => row,
    }
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
            penalties: None,
        }
    }

    /// With the judge's penalties.
    fn with(mut self, penalties: Penalties) -> DuelRow {
        if penalties.contradict {
            self.kinds.push_str(" contradict");
        }
        DuelRow { penalties: Some(penalties), ..self }
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
        ("contradict", "orders disagree"),
        ("s1", "stage 1 decided"),
        ("s2", "stage 2 decided"),
        ("s3", "stage 3 decided"),
        ("s4", "stage 4 decided"),
    ];
    let count = |key: &str| duels.iter().filter(|duel| duel.kinds.split(' ').any(|kind| kind == key)).count();
    all.into_iter().map(|(key, label)| (key, label, count(key))).filter(|(.., count)| *count > 0).collect()
}
