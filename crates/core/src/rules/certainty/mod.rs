//! How sure a match's result is, and how the judge behaves: what `verify --json` and the pages say beside each margin.
//!
//! Nothing here is drawn at random. The bootstrap over prompts is computed exactly ([`resample`]), so the figures are the
//! same on every machine, and anyone can recompute them (`scripts/check_intervals`).

pub mod orders;
mod resample;
pub mod rounds;

use serde::Serialize;

use self::resample::Resampled;
use crate::model::limits::PROMPTS;
use crate::model::report::DuelWinner;
use crate::rules::duel::margin;

/// The part of the prompts that a decision should be able to do without: one in twenty.
const LEFT_OUT_OF: usize = 20;

/// How a match's duels ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Tally {
    /// Duels that the defender won.
    pub left: usize,
    /// Duels that nobody won; skipped ones count as such, as in the margin.
    pub draws: usize,
    /// Duels that the challenger won.
    pub right: usize,
}

impl FromIterator<DuelWinner> for Tally {
    fn from_iter<I: IntoIterator<Item = DuelWinner>>(winners: I) -> Self {
        let mut tally = Tally::default();
        for winner in winners {
            match winner {
                DuelWinner::Left => tally.left += 1,
                DuelWinner::Right => tally.right += 1,
                DuelWinner::Draw | DuelWinner::Skipped => tally.draws += 1,
            }
        }
        tally
    }
}

impl Tally {
    /// The number of duels.
    #[must_use]
    pub fn duels(self) -> usize {
        self.left + self.draws + self.right
    }

    /// Duels won by right minus duels won by left.
    #[must_use]
    pub fn score(self) -> i64 {
        let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
        count(self.right) - count(self.left)
    }

    /// The score divided by the number of duels.
    #[must_use]
    pub fn margin(self) -> f64 {
        margin(self.score(), self.duels())
    }

    /// How every duel ended, if they all ended alike. No drawing of prompts can then give another margin: the interval has
    /// no width.
    #[must_use]
    pub fn only(self) -> Option<DuelWinner> {
        match (self.left, self.draws, self.right) {
            (1.., 0, 0) => Some(DuelWinner::Left),
            (0, 1.., 0) => Some(DuelWinner::Draw),
            (0, 0, 1..) => Some(DuelWinner::Right),
            _ => None,
        }
    }

    /// The tally without `count` duels: the best ones for the challenger if `best`, else the worst ones.
    fn without(self, count: usize, best: bool) -> Tally {
        let (near, far) = if best { (self.right, self.left) } else { (self.left, self.right) };
        let from_near = count.min(near);
        let from_draws = (count - from_near).min(self.draws);
        let far = far.saturating_sub(count - from_near - from_draws);
        let (near, draws) = (near - from_near, self.draws - from_draws);
        let (left, right) = if best { (far, near) } else { (near, far) };
        Tally { left, draws, right }
    }
}

/// How sure a match's result is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Certainty {
    /// The 95 % interval of the margin: of all ways to draw as many duels with replacement from the match's own, 2.5 %
    /// have a margin below it and 2.5 % one above it, or fewer.
    pub interval: [f64; 2],
    /// The part of these ways whose margin reaches the one needed to win.
    pub reaches: f64,
    /// Does the margin reach it?
    pub wins: bool,
    /// 5 % of the duels, rounded down.
    pub left_out: usize,
    /// Is the decision the same without any `left_out` of the duels, whichever these are?
    pub survives: bool,
}

impl Certainty {
    /// How sure the result of a match with these duels is; `None` if there are none, or more than a round has prompts.
    #[must_use]
    pub fn of(tally: Tally, win_margin: f64) -> Option<Certainty> {
        let duels = tally.duels();
        if !(1..=PROMPTS).contains(&duels) {
            return None;
        }
        let wins = tally.margin() >= win_margin;
        let left_out = duels / LEFT_OUT_OF;
        let worst = tally.without(left_out, wins);
        let resampled = Resampled::of(tally);
        Some(Certainty {
            interval: resampled.interval(),
            reaches: resampled.reaches(win_margin),
            wins,
            left_out,
            survives: (worst.margin() >= win_margin) == wins,
        })
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "quotients of whole numbers")]
mod tests {
    use super::*;

    fn tally(left: usize, draws: usize, right: usize) -> Tally {
        Tally { left, draws, right }
    }

    #[test]
    fn a_decision_survives_only_if_no_5_percent_of_the_duels_carry_it() {
        let survives = |left, draws, right| Certainty::of(tally(left, draws, right), 0.05).unwrap().survives;
        // 100 duels: 5 may go. 95 remain, of which 5 % are 4.75.
        assert!(survives(0, 90, 10), "10 - 5 of 95");
        assert!(!survives(0, 91, 9), "9 - 5 of 95");
        assert!(survives(2, 94, 4), "without two lost ones and three draws, 4 of 95 is still too few");
        assert!(!survives(5, 86, 9), "0.04 becomes 9 of 95");
        // Fewer than 20 duels: 5 % of them are none.
        let few = Certainty::of(tally(0, 18, 1), 0.05).unwrap();
        assert_eq!((few.left_out, few.survives, few.wins), (0, true, true));
    }

    #[test]
    fn leaving_out_is_the_worst_case_by_trial() {
        for (left, draws, right) in
            [(0, 0, 40), (40, 0, 0), (3, 20, 17), (17, 20, 3), (1, 38, 1), (20, 0, 20), (0, 40, 0)]
        {
            let all = tally(left, draws, right);
            for win_margin in [0.02, 0.05, 0.1, 0.9, 1.0] {
                let found = Certainty::of(all, win_margin).unwrap();
                let mut same = true;
                for (a, b) in (0..=2).flat_map(|a| (0..=2).map(move |b| (a, b))).filter(|(a, b)| a + b <= 2) {
                    let c = 2 - a - b;
                    if a <= left && b <= draws && c <= right {
                        let kept = tally(left - a, draws - b, right - c);
                        same &= (kept.margin() >= win_margin) == found.wins;
                    }
                }
                assert_eq!(found.survives, same, "{all:?} {win_margin}");
            }
        }
    }

    #[test]
    fn one_outcome_alone_is_certain() {
        let sure = Certainty::of(tally(0, 0, 30), 0.05).unwrap();
        assert_eq!((sure.interval, sure.wins), ([1.0, 1.0], true));
        assert!((sure.reaches - 1.0).abs() < 1e-12);
        assert_eq!(Certainty::of(tally(0, 30, 0), 0.05).unwrap().interval, [0.0, 0.0]);
        for (left, draws, right, only) in [
            (0, 0, 30, Some(DuelWinner::Right)),
            (0, 30, 0, Some(DuelWinner::Draw)),
            (1, 0, 0, Some(DuelWinner::Left)),
            (0, 0, 0, None),
            (1, 29, 0, None),
            (0, 1, 29, None),
            (1, 0, 1, None),
        ] {
            let tally = tally(left, draws, right);
            assert_eq!(tally.only(), only, "{tally:?}");
            // Exactly those have an interval without width.
            let interval = Certainty::of(tally, 0.05).map(|sure| sure.interval);
            assert_eq!(interval.is_some_and(|[low, high]| low == high), only.is_some(), "{tally:?}");
        }
        assert_eq!(Certainty::of(Tally::default(), 0.05), None);
        assert_eq!(Certainty::of(tally(PROMPTS, 1, 0), 0.05), None);
    }

    #[test]
    fn skipped_duels_count_as_draws() {
        let winners = [DuelWinner::Skipped, DuelWinner::Right, DuelWinner::Draw, DuelWinner::Left];
        assert_eq!(winners.into_iter().collect::<Tally>(), tally(1, 2, 1));
    }
}
