//! Judging recorded duels again (`verify --judge`): which ones are drawn, and how the answers compare with the record.

use serde::Serialize;

use super::certainty::orders::{BothOrders, NORMAL_95};
use super::certainty::rounds::{mesh_judged, splat_judged};
use super::duel::{below_player, by_answers};
use super::python_random::PythonRandom;
use crate::base::text::cut;
use crate::model::answers::{Answers, Digest, JudgedDuel};
use crate::model::file::{FileKind, PlayerFile};
use crate::model::ids::{Player, PromptStem, RoundNumber, Seed};
use crate::model::penalties::Penalties;
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::model::snapshot::{PlayerFiles, RoundFiles, Snapshot};
use crate::model::splat::snapshot::SplatSnapshot;

/// A judge that agrees with the record in fewer duels than this, even at the upper end of the interval, is a warning: an
/// honest record of a sandbox agrees in nine of ten, and one by a judge that mixes the models up in a half to 60 %.
pub const AGREEMENT: f64 = 0.75;

/// How many characters of the reason for a missing answer are kept: it may quote an address from the files.
const LONGEST: usize = 1000;

/// A duel that a judge decided, as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedDuel {
    /// The round.
    pub round: RoundNumber,
    /// The round's seed, which goes with each question.
    pub seed: Seed,
    /// The match report.
    pub file: String,
    /// The prompt's stem.
    pub name: PromptStem,
    /// Who won.
    pub winner: DuelWinner,
    /// The prompt's picture, left's preview and right's.
    pub images: [RecordedImage; 3],
    /// The penalties in both orders, if they are recorded.
    pub answers: Option<BothOrders>,
    /// The tokens of both answers, if they are recorded.
    pub tokens: Option<u64>,
}

/// A picture of a duel, as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedImage {
    /// Where it is.
    pub url: String,
    /// The digest of its bytes, if it is recorded.
    pub sha256: Option<Digest>,
}

/// The duels that were drawn, in the order of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn<D = RecordedDuel> {
    /// The duels.
    pub duels: Vec<D>,
    /// How many they were drawn from.
    pub of: usize,
}

/// Which duels are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// Of this round; of all if `None`.
    pub round: Option<RoundNumber>,
    /// How many.
    pub count: usize,
    /// By which seed: the same one draws the same duels.
    pub seed: u64,
}

impl Lot {
    /// Are duels of this round drawn?
    #[must_use]
    pub fn has(self, round: RoundNumber) -> bool {
        self.round.is_none_or(|only| only == round)
    }

    /// Draws from all these duels; only those that are drawn are copied out of the record.
    pub(super) fn draw<T, D, I: Iterator<Item = T>>(
        self,
        all: impl Fn() -> I,
        record: impl Fn(T) -> Option<D>,
    ) -> Drawn<D> {
        let of = all().count();
        let places: Vec<usize> = (0..of).collect();
        let mut drawn = PythonRandom::new(self.seed).sample(&places, self.count);
        drawn.sort_unstable();
        let drawn = all().enumerate().filter(|(at, _)| drawn.binary_search(at).is_ok());
        Drawn { duels: drawn.filter_map(|(_, one)| record(one)).collect(), of }
    }
}

/// How a duel that was judged again compares with the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The same winner, or a draw both times.
    Agrees,
    /// The other side won.
    Flips,
    /// One side won, and now it is a draw.
    ToDraw,
    /// It was a draw, and now one side wins.
    FromDraw,
    /// A picture is another one than was recorded, so the judge was not asked.
    Changed,
    /// The judge or a picture could not be reached, so there are no two answers.
    Failed,
}

/// A duel that was judged again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedAgain {
    /// The round.
    pub round: RoundNumber,
    /// The match report.
    pub file: String,
    /// The prompt's stem.
    pub name: PromptStem,
    /// Who won by the record.
    pub recorded: DuelWinner,
    /// Who wins by the new answers; `None` without them.
    pub now: Option<DuelWinner>,
    /// How they compare.
    pub outcome: Comparison,
    /// The largest difference between a penalty and the recorded one; `None` where none is recorded.
    pub difference: Option<u8>,
    /// Why there are no answers; otherwise empty.
    pub detail: String,
}

impl RecordedDuel {
    /// Compares new answers with the record.
    #[must_use]
    pub fn compare(&self, left_first: &Penalties, right_first: &Penalties) -> JudgedAgain {
        let (now, _) = by_answers(left_first, right_first);
        let outcome = Comparison::of(self.winner, now);
        let new = BothOrders::of(left_first, right_first);
        let difference = self.answers.map(|then| then.furthest(new));
        JudgedAgain { now: Some(now), difference, ..self.without(outcome, "") }
    }

    /// The duel without new answers.
    #[must_use]
    pub fn without(&self, outcome: Comparison, why: &str) -> JudgedAgain {
        let recorded = (self.file.clone(), self.name.clone(), self.winner);
        JudgedAgain::without(self.round, recorded, outcome, why)
    }
}

impl Comparison {
    /// Of a recorded winner with the one by new answers.
    #[must_use]
    pub fn of(then: DuelWinner, now: DuelWinner) -> Comparison {
        match (then, now) {
            (then, now) if then == now => Comparison::Agrees,
            (DuelWinner::Draw, _) => Comparison::FromDraw,
            (_, DuelWinner::Draw) => Comparison::ToDraw,
            _ => Comparison::Flips,
        }
    }
}

impl JudgedAgain {
    /// A duel without new answers: its report, its name and its winner by the record, and why.
    #[must_use]
    pub fn without(
        round: RoundNumber,
        (file, name, recorded): (String, PromptStem, DuelWinner),
        outcome: Comparison,
        why: &str,
    ) -> JudgedAgain {
        let detail = cut(why, LONGEST);
        JudgedAgain { round, file, name, recorded, now: None, outcome, difference: None, detail }
    }
}

/// What all duels that were judged again come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Duels with two new answers.
    pub asked: usize,
    /// Of these, those with the recorded outcome.
    pub agreeing: usize,
    /// Those that the other side wins.
    pub flips: usize,
    /// Those that were won, and are draws now.
    pub to_draw: usize,
    /// Those that were draws, and are won now.
    pub from_draw: usize,
    /// Duels whose pictures have changed.
    pub changed: usize,
    /// Duels without two answers.
    pub failed: usize,
    /// The largest difference between a penalty and the recorded one; `None` where none is recorded.
    pub largest_difference: Option<u8>,
    /// `agreeing` divided by `asked`; `None` if none was asked.
    pub agreement: Option<f64>,
    /// Its 95 % interval (Wilson's).
    pub interval: Option<[f64; 2]>,
    /// The agreement to expect if the new outcomes were dealt to the duels at random.
    pub by_chance: Option<f64>,
}

impl Agreement {
    /// Of these duels.
    #[must_use]
    pub fn of(duels: &[JudgedAgain]) -> Agreement {
        let count = |outcome| duels.iter().filter(|duel| duel.outcome == outcome).count();
        let [agreeing, flips, to_draw, from_draw] =
            [Comparison::Agrees, Comparison::Flips, Comparison::ToDraw, Comparison::FromDraw].map(count);
        let asked = agreeing + flips + to_draw + from_draw;
        Agreement {
            asked,
            agreeing,
            flips,
            to_draw,
            from_draw,
            changed: count(Comparison::Changed),
            failed: count(Comparison::Failed),
            largest_difference: duels.iter().filter_map(|duel| duel.difference).max(),
            agreement: (asked > 0).then(|| float(agreeing) / float(asked)),
            interval: (asked > 0).then(|| wilson(float(agreeing), float(asked))),
            by_chance: (asked > 0).then(|| by_chance(duels) / (float(asked) * float(asked))),
        }
    }

    /// Is the agreement below [`AGREEMENT`], beyond chance?
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.interval.is_some_and(|[_, high]| high < AGREEMENT)
    }
}

/// Of all pairs of a recorded and a new outcome, those that agree.
fn by_chance(duels: &[JudgedAgain]) -> f64 {
    let asked = || duels.iter().filter_map(|duel| Some((duel.recorded, duel.now?)));
    let agreeing = |winner| {
        let then = asked().filter(|(then, _)| *then == winner).count();
        let now = asked().filter(|(_, now)| *now == winner).count();
        float(then) * float(now)
    };
    [DuelWinner::Left, DuelWinner::Right, DuelWinner::Draw].map(agreeing).iter().sum()
}

/// Wilson's 95 % interval of a share.
fn wilson(part: f64, all: f64) -> [f64; 2] {
    let (share, square) = (part / all, NORMAL_95 * NORMAL_95);
    let centre = share + square / (2.0 * all);
    let half = NORMAL_95 * (share * (1.0 - share) / all + square / (4.0 * all * all)).sqrt();
    let whole = 1.0 + square / all;
    [((centre - half) / whole).max(0.0), ((centre + half) / whole).min(1.0)]
}

#[allow(clippy::cast_precision_loss, reason = "counts of duels")]
fn float(count: usize) -> f64 {
    count as f64
}

/// A duel of meshes, with the files that tell of it.
#[derive(Clone, Copy)]
struct MeshDuel<'a> {
    round: RoundNumber,
    files: &'a RoundFiles,
    player: &'a Player,
    own: &'a PlayerFiles,
    name: &'a String,
    report: &'a MatchReport,
    duel: &'a Duel,
}

/// Draws from the duels that a judge decided in a competition of meshes.
#[must_use]
pub fn of_meshes(snapshot: &Snapshot, lot: Lot) -> Drawn {
    let all = || {
        let rounds = snapshot.rounds.iter().filter(move |(round, _)| lot.has(**round));
        let players = rounds.flat_map(|(round, files)| files.players.iter().map(move |of| (*round, files, of)));
        let reports = players.flat_map(|(round, files, (player, own))| {
            let reports = own.reports.iter().filter_map(|(name, slot)| Some((name, slot.get()?)));
            reports.map(move |(name, report)| (round, files, player, own, name, report))
        });
        reports.flat_map(|(round, files, player, own, name, report)| {
            let judged = report.duels.iter().filter(|duel| mesh_judged(duel));
            judged.map(move |duel| MeshDuel { round, files, player, own, name, report, duel })
        })
    };
    lot.draw(all, MeshDuel::record)
}

impl MeshDuel<'_> {
    fn record(self) -> Option<RecordedDuel> {
        let MeshDuel { round, files, player, own, name, report, duel } = self;
        let (left, right) = (duel.left_png.as_ref()?, duel.right_png.as_ref()?);
        let mut evidence = own.answers_beside(name).get().into_iter().flat_map(Answers::judged);
        let known = evidence.find(|known| known.name == duel.name);
        let shown = known.map(|known| &known.images);
        let left_sum = files.players.get(&report.left).and_then(|own| sum(own, &report.left, left));
        let image = |url: &String, sha256| RecordedImage { url: url.clone(), sha256 };
        Some(RecordedDuel {
            round,
            seed: files.seed.get().map_or(Seed(0), |seed| seed.seed),
            file: FileKind::Player(round, player.clone(), PlayerFile::Report(name.clone())).path(),
            name: duel.name.clone(),
            winner: duel.winner,
            images: [
                image(&duel.prompt, shown.and_then(|shown| shown.prompt)),
                image(left, shown.and_then(|shown| shown.left).or(left_sum)),
                image(right, shown.and_then(|shown| shown.right).or_else(|| sum(own, player, right))),
            ],
            answers: known.map(BothOrders::from),
            tokens: known.and_then(tokens),
        })
    }
}

/// The sum of a player's stored file.
fn sum(own: &PlayerFiles, player: &Player, url: &str) -> Option<Digest> {
    own.sums.get()?.0.get(below_player(url, player)?)?.parse().ok()
}

/// The tokens that both answers took.
fn tokens(duel: &JudgedDuel) -> Option<u64> {
    [&duel.left_first, &duel.right_first].into_iter().try_fold(0_u64, |sum, answer| {
        Some(sum.saturating_add(answer.prompt_tokens?).saturating_add(answer.completion_tokens?))
    })
}

/// Draws from the duels that a judge decided in a competition of splats.
#[must_use]
pub fn of_splats(snapshot: &SplatSnapshot, lot: Lot) -> Drawn {
    let all = || {
        let rounds = snapshot.rounds.iter().filter(move |(round, _)| lot.has(**round));
        let players = rounds.flat_map(|(round, files)| files.players.iter().map(move |of| (*round, files, of)));
        players.flat_map(|(round, files, (player, own))| {
            let duels = own.duels.get().into_iter().flat_map(|report| &report.duels);
            duels.filter(|duel| splat_judged(duel)).map(move |duel| (round, files, player, duel))
        })
    };
    lot.draw(all, |(round, files, player, duel)| {
        let image = |url: &String| RecordedImage { url: url.clone(), sha256: None };
        Some(RecordedDuel {
            round,
            seed: files.seed.get().map_or(Seed(0), |seed| seed.seed),
            file: format!("rounds/{round}/{player}/duels.json"),
            name: duel.name.clone(),
            winner: duel.winner.into(),
            images: [image(&duel.prompt), image(duel.leader_png.as_ref()?), image(duel.miner_png.as_ref()?)],
            answers: None,
            tokens: None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duel(name: &str, winner: DuelWinner) -> RecordedDuel {
        let image = || RecordedImage { url: String::new(), sha256: None };
        RecordedDuel {
            round: RoundNumber(1),
            seed: Seed(7),
            file: "f".to_owned(),
            name: name.parse().unwrap(),
            winner,
            images: [image(), image(), image()],
            answers: Some(BothOrders { left_first: (2, 6), right_first: (6, 2) }),
            tokens: None,
        }
    }

    fn given(first: u8, second: u8) -> Penalties {
        Penalties { first, second, issues: String::new() }
    }

    #[test]
    fn the_same_seed_draws_the_same_duels_in_their_order() {
        let all: Vec<RecordedDuel> = (0..100).map(|at| duel(&format!("d{at}"), DuelWinner::Left)).collect();
        let drawn = |count, seed| Lot { round: None, count, seed }.draw(|| all.iter(), |duel| Some(duel.clone()));
        let names = |seed| drawn(5, seed).duels.iter().map(|duel| duel.name.to_string()).collect::<Vec<_>>();
        // random.Random(0).sample(range(100), 5)
        assert_eq!(names(0), ["d5", "d33", "d49", "d53", "d97"]);
        assert_eq!(names(1), names(1));
        assert_ne!(names(0), names(1));
        assert_eq!((drawn(1000, 0).duels.len(), drawn(5, 0).of), (100, 100));
    }

    #[test]
    fn every_way_to_differ_has_a_name_of_its_own() {
        let left = duel("car", DuelWinner::Left);
        let outcome = |then: &RecordedDuel, a: &Penalties, b: &Penalties| then.compare(a, b).outcome;
        assert_eq!(outcome(&left, &given(2, 6), &given(6, 2)), Comparison::Agrees);
        assert_eq!(outcome(&left, &given(6, 2), &given(2, 6)), Comparison::Flips);
        assert_eq!(outcome(&left, &given(2, 6), &given(2, 6)), Comparison::ToDraw, "4 against 4");
        let draw = duel("car", DuelWinner::Draw);
        assert_eq!(outcome(&draw, &given(2, 6), &given(6, 2)), Comparison::FromDraw);
        assert_eq!(left.compare(&given(2, 9), &given(5, 2)).difference, Some(3));
        let all = [
            left.compare(&given(6, 2), &given(2, 6)),
            left.without(Comparison::Failed, "x"),
            left.compare(&given(2, 6), &given(6, 2)),
        ];
        let found = Agreement::of(&all);
        assert_eq!((found.asked, found.agreeing, found.flips, found.failed), (2, 1, 1, 1));
        assert_eq!((found.agreement, found.largest_difference), (Some(0.5), Some(4)));
        // Recorded left twice; now left once and right once: 2 x 1 of 2 x 2 pairs.
        assert_eq!(found.by_chance, Some(0.5));
        assert_eq!(Agreement::of(&[]), Agreement::default());
    }

    #[test]
    fn agreement_is_low_only_beyond_chance() {
        let of = |agreeing: usize, all: usize| {
            let interval = Some(wilson(float(agreeing), float(all)));
            Agreement { interval, ..Agreement::default() }
        };
        // Wilson's interval of 1 of 10 is 0.0179 to 0.4042 (Newcombe 1998).
        let [low, high] = of(1, 10).interval.unwrap();
        assert!((low - 0.0179).abs() < 1e-4 && (high - 0.4042).abs() < 1e-4, "{low} {high}");
        assert!(of(1, 10).is_low() && of(24, 48).is_low());
        assert!(!of(5, 10).is_low() && !of(0, 1).is_low() && !of(39, 40).is_low());
        let [low, high] = of(10, 10).interval.unwrap();
        assert!(low > 0.72 && (high - 1.0).abs() < 1e-12);
    }
}
