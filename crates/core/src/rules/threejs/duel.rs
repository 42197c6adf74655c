//! Duels without a judge, and matches that are not played.

use crate::model::report::DuelWinner;

/// Who wins a duel without a judge, and the reason that is recorded.
#[must_use]
pub fn without_judge(left_has: bool, right_has: bool) -> Option<(DuelWinner, &'static str)> {
    match (left_has, right_has) {
        (true, true) => None,
        (false, true) => Some((DuelWinner::Right, "no preview from left")),
        (true, false) => Some((DuelWinner::Left, "no preview from right")),
        (false, false) => Some((DuelWinner::Draw, "no previews on either side")),
    }
}

/// The margin of a match without a report, because a side has no module at all.
#[must_use]
pub fn walkover(left_has: bool, right_has: bool) -> Option<f64> {
    match (left_has, right_has) {
        (true, true) => None,
        (false, true) => Some(1.0),
        (true, false) => Some(-1.0),
        (false, false) => Some(0.0),
    }
}

/// Is this the margin of such a match? Until 17 June 2026 it was 100; rounds that record hardware came later.
#[must_use]
#[allow(clippy::float_cmp, reason = "both are written, not computed")]
pub fn is_walkover(margin: f64, expected: f64, has_hardware: bool) -> bool {
    margin == expected || (!has_hardware && margin == 100.0 * expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_with_nothing_loses() {
        assert_eq!(without_judge(false, false), Some((DuelWinner::Draw, "no previews on either side")));
        assert_eq!(without_judge(true, false), Some((DuelWinner::Left, "no preview from right")));
        assert_eq!(without_judge(false, true), Some((DuelWinner::Right, "no preview from left")));
        assert_eq!((without_judge(true, true), walkover(true, true)), (None, None));
        assert!(is_walkover(-100.0, -1.0, false) && is_walkover(1.0, 1.0, false) && is_walkover(0.0, 0.0, false));
        assert!(!is_walkover(-1.0, 1.0, false) && !is_walkover(100.0, 0.0, false));
        assert!(is_walkover(-1.0, -1.0, true) && !is_walkover(-100.0, -1.0, true) && !is_walkover(100.0, 1.0, true));
    }
}
