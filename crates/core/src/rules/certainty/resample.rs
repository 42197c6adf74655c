//! The bootstrap over prompts, computed: the distribution of a match's score if its duels are drawn again, as many of them,
//! each time from all of them.
//!
//! A drawn duel is -1, 0 or 1 with the frequencies of the match, so the score of `n` drawn ones has the n-fold convolution
//! of that distribution. It takes additions and multiplications alone, in a fixed order, which give the same bits on every
//! machine.

use super::Tally;
use crate::rules::duel::margin;

/// The ends of the interval: 2.5 % on each side.
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// A probability this close below a bound counts as reaching it. Rounding errors are far smaller, and would otherwise
/// decide where a probability is the bound itself.
const ALMOST: f64 = 1e-9;

/// The distribution of the score.
#[derive(Debug)]
pub(super) struct Resampled {
    duels: usize,
    /// The probabilities of the scores from `-duels` to `duels`.
    weights: Vec<f64>,
}

impl Resampled {
    /// The distribution for a match with these duels, of which there is at least one.
    pub(super) fn of(tally: Tally) -> Resampled {
        let duels = tally.duels();
        let part = |of: usize| margin(i64::try_from(of).unwrap_or(i64::MAX), duels);
        let [left, draw, right] = [tally.left, tally.draws, tally.right].map(part);
        let mut weights = vec![1.0];
        for _ in 0..duels {
            let mut next = vec![0.0; weights.len() + 2];
            for (at, weight) in weights.iter().enumerate() {
                if let Some([low, middle, high]) = next.get_mut(at..at + 3) {
                    *low += weight * left;
                    *middle += weight * draw;
                    *high += weight * right;
                }
            }
            weights = next;
        }
        Resampled { duels, weights }
    }

    /// Every score as a margin, lowest first, with its probability.
    fn margins(&self) -> impl Iterator<Item = (f64, f64)> {
        let first = -i64::try_from(self.duels).unwrap_or(i64::MAX);
        (first..).zip(&self.weights).map(|(score, weight)| (margin(score, self.duels), *weight))
    }

    /// The smallest margin that is not exceeded with at least this probability.
    fn quantile(&self, bound: f64) -> f64 {
        let mut below = 0.0;
        let reached = self.margins().find(|(_, weight)| {
            below += weight;
            below + ALMOST >= bound
        });
        reached.map_or(1.0, |(margin, _)| margin)
    }

    /// The 95 % percentile interval of the margin.
    pub(super) fn interval(&self) -> [f64; 2] {
        [LOW, HIGH].map(|bound| self.quantile(bound))
    }

    /// The probability of a margin of at least `win_margin`.
    pub(super) fn reaches(&self, win_margin: f64) -> f64 {
        let sum: f64 = self.margins().filter(|(margin, _)| *margin >= win_margin).map(|(_, weight)| weight).sum();
        sum.min(1.0)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "quotients of whole numbers")]
mod tests {
    use super::*;

    #[test]
    fn two_duels_have_nine_ways() {
        let resampled = Resampled::of(Tally { left: 1, draws: 0, right: 1 });
        assert_eq!(resampled.weights, [0.25, 0.0, 0.5, 0.0, 0.25]);
        assert_eq!(resampled.interval(), [-1.0, 1.0]);
        assert!((resampled.reaches(0.05) - 0.25).abs() < 1e-15);
        assert!((resampled.reaches(0.0) - 0.75).abs() < 1e-15);
    }

    #[test]
    fn the_weights_sum_to_one() {
        for tally in [(1, 2, 3), (40, 48, 40), (1, 500, 11), (4096, 0, 0), (1, 4000, 95)] {
            let (left, draws, right) = tally;
            let resampled = Resampled::of(Tally { left, draws, right });
            let sum: f64 = resampled.weights.iter().sum();
            assert!((sum - 1.0).abs() < 1e-10, "{tally:?}: {sum}");
        }
    }

    #[test]
    fn a_probability_that_is_the_bound_itself_reaches_it() {
        // 40 duels of which one was won: none is drawn with probability (39/40)^40 = 0.363.
        let one = Resampled::of(Tally { left: 0, draws: 39, right: 1 });
        assert_eq!(one.interval(), [0.0, 0.075], "3 of 40: at most 2 have 0.921, at most 3 0.982");
    }
}
