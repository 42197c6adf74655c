//! Duels without a judge: a side without a preview loses.

use crate::model::ids::PromptStem;
use crate::model::report::DuelWinner;

/// The text of such a duel in December 2025.
pub const MISSING: &str = "Preview is missing";

/// The text of a duel that counts as a draw because the judge failed.
pub const INTERNAL_ERROR: &str = "Internal error";

/// Who wins without a judge because a side has no preview.
#[must_use]
pub fn without_judge(left_has: bool, right_has: bool) -> Option<DuelWinner> {
    match (left_has, right_has) {
        (true, true) => None,
        (false, true) => Some(DuelWinner::Right),
        (true, false) => Some(DuelWinner::Left),
        (false, false) => Some(DuelWinner::Draw),
    }
}

/// Can this be the text of a duel without a judge? It changed after round 2.
#[must_use]
pub fn fits(words: &str, stem: &PromptStem, left_has: bool, right_has: bool) -> bool {
    let names = |side: &str| words.contains(&format!("No preview for {stem} from {side}"));
    words == MISSING || (!left_has && names("leader")) || (!right_has && names("challenger"))
}

/// Does this text say that no judge was asked?
#[must_use]
pub fn claims_no_judge(words: &str) -> bool {
    words == MISSING || words.starts_with("No preview for ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_preview_loses() {
        assert_eq!(without_judge(true, true), None);
        assert_eq!(without_judge(false, true), Some(DuelWinner::Right));
        assert_eq!(without_judge(true, false), Some(DuelWinner::Left));
        assert_eq!(without_judge(false, false), Some(DuelWinner::Draw));
        let stem: PromptStem = "car".parse().unwrap();
        assert!(fits(MISSING, &stem, true, false));
        assert!(fits("No preview for car from challenger", &stem, true, false));
        assert!(!fits("No preview for car from leader", &stem, true, false));
        assert!(!fits("No preview for cat from challenger", &stem, true, false));
        assert!(claims_no_judge("No preview for x from leader") && !claims_no_judge("Minor differences"));
    }
}
