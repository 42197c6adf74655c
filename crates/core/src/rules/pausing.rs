//! Why a competition is paused: a line in the message of the commit that paused it.

use super::Plan;
use super::stages::{HoldError, pause};
use crate::model::ids::RoundNumber;
use crate::model::stage::{CompetitionState, Stage};

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// What the line of the reason begins with.
const MARK: &str = "Reason: ";

/// Pauses the competition, for this reason.
///
/// # Errors
/// It is already paused, or over.
pub fn pause_because(state: &CompetitionState, reason: Option<&str>) -> Result<Plan, HoldError> {
    let mut plan = pause(state)?;
    if let Some(reason) = reason {
        plan.message = format!("{}\n\n{MARK}{reason}", plan.message);
        plan.says.push(format!("reason: {reason}"));
    }
    Ok(plan)
}

/// Is this the message of a commit that moved `state.json`?
pub fn is_of_a_stage(message: &str) -> bool {
    message.lines().any(|line| line.starts_with("Update state ("))
}

/// Is this the message of a commit that paused this round?
pub fn is_pause(message: &str, round: RoundNumber) -> bool {
    let first = format!("Update state ({}) for round {round}", Stage::Paused);
    message.lines().next().is_some_and(|line| line.trim_end() == first)
}

/// The reason in the message of a commit that paused this round.
pub fn reason_of(message: &str, round: RoundNumber) -> Option<String> {
    if !is_pause(message, round) {
        return None;
    }
    let reason = message.lines().find_map(|line| line.strip_prefix(MARK))?.trim();
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    Some(reason).filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_again_in_the_message_of_its_own_pause() {
        let state = CompetitionState::new(RoundNumber(4), Stage::Duels, None);
        let plan = pause_because(&state, Some("the judge is down")).unwrap();
        assert_eq!(plan.message, "Update state (paused) for round 4\n\nReason: the judge is down");
        assert_eq!(reason_of(&plan.message, RoundNumber(4)).as_deref(), Some("the judge is down"));
        assert!(
            is_of_a_stage(&plan.message) && is_of_a_stage("Round 3 winner: x\nUpdate state (finalizing) for round 3")
        );
        assert_eq!(reason_of(&plan.message, RoundNumber(5)), None);
        assert_eq!(reason_of("Update state (duels) for round 4\n\nReason: x", RoundNumber(4)), None);
        assert_eq!(pause_because(&state, None).unwrap().message, "Update state (paused) for round 4");
        let long = format!("Update state (paused) for round 4\n\nReason: {}", "x".repeat(999));
        assert_eq!(reason_of(&long, RoundNumber(4)).unwrap().len(), LONGEST_REASON);
    }
}
