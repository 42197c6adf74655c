//! What both orders of a duel tell of the judge: whether they contradict each other, and whether it prefers a place.

use serde::Serialize;

use crate::model::answers::{GivenAnswer, JudgedDuel};
use crate::model::penalties::Penalties;
use crate::model::threejs::answers::StagedJudgment;
use crate::model::threejs::calls::{CallId, Order};
use crate::model::threejs::view::View;
use crate::rules::duel::DRAW_WITHIN;

/// A mean preference for a place of at least this many points is a warning: half of what parts a draw from a win. Both
/// orders are asked so that a preference cancels, which it does not where a penalty meets 0 or 10.
pub const BIAS: f64 = DRAW_WITHIN / 2.0;

/// One contradiction in this many duels, or more, is a warning: a judge that mixes the models up at random contradicts
/// itself in up to half of them, an honest one of a sandbox in none.
pub const CONTRADICTING: usize = 4;

/// Fewer duels than this say nothing of a preference: the interval of their mean is too narrow.
pub const FEWEST: usize = 10;

/// The two-sided 95 % quantile of the normal distribution.
pub const NORMAL_95: f64 = 1.959_963_984_540_054;

/// A duel's penalties in both orders, each as shown: (first, second).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BothOrders {
    /// The defender's model was shown first.
    pub left_first: (u8, u8),
    /// The challenger's was.
    pub right_first: (u8, u8),
}

impl From<&JudgedDuel> for BothOrders {
    fn from(duel: &JudgedDuel) -> BothOrders {
        let shown = |answer: &GivenAnswer| (answer.penalty_1, answer.penalty_2);
        BothOrders { left_first: shown(&duel.left_first), right_first: shown(&duel.right_first) }
    }
}

impl BothOrders {
    /// Of the angles of a first stage.
    pub fn of_first_stage(duel: &StagedJudgment) -> impl Iterator<Item = BothOrders> {
        View::FRONT.into_iter().filter_map(|view| {
            let [left_first, right_first] =
                Order::BOTH.map(|order| duel.calls.get(&CallId::PromptMatch(view, order))?.penalties());
            Some(BothOrders { left_first: left_first?, right_first: right_first? })
        })
    }

    /// Of two answers.
    #[must_use]
    pub fn of(left_first: &Penalties, right_first: &Penalties) -> BothOrders {
        let shown = |answer: &Penalties| (answer.first, answer.second);
        BothOrders { left_first: shown(left_first), right_first: shown(right_first) }
    }

    /// The largest difference between a penalty and the same one of another judgement.
    #[must_use]
    pub fn furthest(self, other: BothOrders) -> u8 {
        let all = |of: BothOrders| [of.left_first.0, of.left_first.1, of.right_first.0, of.right_first.1];
        all(self).into_iter().zip(all(other)).map(|(one, other)| one.abs_diff(other)).max().unwrap_or_default()
    }

    /// Of each call, the first model's penalty minus the second's.
    fn differences(self) -> [i32; 2] {
        [self.left_first, self.right_first].map(|(first, second)| i32::from(first) - i32::from(second))
    }

    /// Does one order prefer the left model and the other one the right?
    #[must_use]
    pub fn contradict(self) -> bool {
        let [left_first, right_first] = self.differences();
        // The same sign: whichever was shown first is the better one, or the worse one, both times.
        left_first * right_first > 0
    }
}

/// How often the two orders contradict each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Orders {
    /// What was compared in both orders: duels, or of three.js the angles of the judge's first stage.
    pub compared: usize,
    /// Of these, those in which one order prefers one side and the other the other.
    pub contradicting: usize,
}

impl Orders {
    /// Of these duels.
    #[must_use]
    pub fn of(duels: impl IntoIterator<Item = BothOrders>) -> Orders {
        duels.into_iter().fold(Orders::default(), |sum, duel| Orders {
            compared: sum.compared + 1,
            contradicting: sum.contradicting + usize::from(duel.contradict()),
        })
    }

    /// Do more of them contradict each other than of a judge that looks at the models? See [`CONTRADICTING`].
    #[must_use]
    pub fn matter(self) -> bool {
        self.compared >= FEWEST && self.contradicting * CONTRADICTING >= self.compared
    }

    /// Adds another count.
    #[must_use]
    pub fn and(self, other: Orders) -> Orders {
        let (compared, contradicting) = (self.compared + other.compared, self.contradicting + other.contradicting);
        Orders { compared, contradicting }
    }
}

/// A judge's preference for a place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bias {
    /// The calls that this follows from: two a duel.
    pub calls: usize,
    /// The mean over all calls of the first model's penalty minus the second's: below zero, the first place is preferred.
    pub mean: f64,
    /// The 95 % interval of the mean, from the duels' own means; `None` for a single duel.
    pub interval: Option<[f64; 2]>,
    /// Calls with the lower penalty for the first model.
    pub first: usize,
    /// Calls with the lower penalty for the second.
    pub second: usize,
}

impl Bias {
    /// Of these duels; `None` if there are none. In a duel's own mean the models' difference cancels, since each was
    /// shown first once, so the duels' means are what varies by chance.
    #[must_use]
    pub fn of(duels: &[BothOrders]) -> Option<Bias> {
        let calls = duels.len() * 2;
        let differences: Vec<[i32; 2]> = duels.iter().map(|duel| duel.differences()).collect();
        let count = |holds: fn(i32) -> bool| differences.iter().flatten().filter(|one| holds(**one)).count();
        let sums: Vec<i64> = differences.iter().map(|[one, two]| i64::from(one + two)).collect();
        let (sum, squares) = (sums.iter().sum::<i64>(), sums.iter().map(|sum| sum * sum).sum::<i64>());
        let mean = float(sum) / float(i64::try_from(calls).ok().filter(|calls| *calls > 0)?);
        Some(Bias {
            calls,
            mean,
            interval: interval(mean, duels.len(), sum, squares),
            first: count(|difference| difference < 0),
            second: count(|difference| difference > 0),
        })
    }

    /// Is there a preference beyond chance, and is it large enough to matter?
    #[must_use]
    pub fn matters(&self) -> bool {
        let beyond_chance = self.interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0);
        self.calls >= 2 * FEWEST && beyond_chance && self.mean.abs() >= BIAS
    }
}

/// The normal interval of the mean of n duels, from the sum and the sum of squares of their differences (of two calls each,
/// so twice a duel's mean). Integers up to the last division: no rounding in between.
fn interval(mean: f64, duels: usize, sum: i64, squares: i64) -> Option<[f64; 2]> {
    let n = i64::try_from(duels).ok().filter(|n| *n > 1)?;
    // n^2 (n - 1) times the variance of the mean of n such sums, by n sum(x^2) - sum(x)^2.
    let spread = float(n * squares - sum * sum) / (float(n) * float(n) * float(n - 1));
    let half = NORMAL_95 * spread.max(0.0).sqrt() / 2.0;
    Some([mean - half, mean + half])
}

#[allow(clippy::cast_precision_loss, reason = "penalties of at most 10 in far fewer than 2^40 duels")]
fn float(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duel(left_first: (u8, u8), right_first: (u8, u8)) -> BothOrders {
        BothOrders { left_first, right_first }
    }

    #[test]
    fn orders_contradict_if_each_prefers_another_side() {
        assert!(!duel((2, 6), (6, 2)).contradict(), "left both times");
        assert!(duel((2, 6), (2, 6)).contradict(), "the first both times");
        assert!(duel((6, 2), (6, 2)).contradict(), "the second both times");
        assert!(!duel((2, 6), (4, 4)).contradict() && !duel((4, 4), (4, 4)).contradict());
        let orders = Orders::of([duel((2, 6), (2, 6)), duel((2, 6), (6, 2))]);
        assert_eq!(orders, Orders { compared: 2, contradicting: 1 });
    }

    #[test]
    fn a_preference_is_what_remains_when_the_sides_are_swapped() {
        // Left is better by 4; the first place is worth 1.
        let bias = Bias::of(&[duel((2, 7), (5, 2)); 12]).unwrap();
        assert_eq!((bias.calls, bias.mean, bias.first, bias.second), (24, -1.0, 12, 12));
        assert_eq!(bias.interval, Some([-1.0, -1.0]));
        assert!(bias.matters());
        assert!(!Bias::of(&[duel((2, 7), (5, 2)); 9]).unwrap().matters(), "too few");
        assert_eq!(Bias::of(&[]), None);
        assert_eq!(Bias::of(&[duel((1, 1), (1, 1))]).unwrap().interval, None);
    }

    #[test]
    fn chance_alone_is_no_preference() {
        let mixed: Vec<BothOrders> =
            (0..40).map(|at| if at % 2 == 0 { duel((0, 9), (0, 9)) } else { duel((9, 0), (9, 0)) }).collect();
        let bias = Bias::of(&mixed).unwrap();
        let [low, high] = bias.interval.unwrap();
        assert!(low < -2.0 && high > 2.0 && !bias.matters(), "{bias:?}");
        // Two values, a and -a: the variance of the mean is a^2 n / (n (n - 1)).
        assert!((high - NORMAL_95 * (81.0_f64 / 39.0).sqrt()).abs() < 1e-12);
    }
}
