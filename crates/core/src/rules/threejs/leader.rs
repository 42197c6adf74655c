//! Who leads next: the shared rule, with the hardware of the program.

use crate::model::config::Settings;
use crate::model::ids::Block;
use crate::model::leader::LeaderEntry;
use crate::model::record::Extra;
use crate::model::schedule::Schedule;
use crate::model::stage::CompetitionState;
use crate::model::store::FileWrite;
use crate::model::threejs::file::ThreejsFile;
use crate::model::threejs::programs::{ThreejsLeader, ThreejsWinner};
use crate::model::winner::Winner;
use crate::rules::Plan;
use crate::rules::succession::{FinalizeError, Finished, Moment, close, transition};

/// The entry that a finished round adds, if any: a new leader with weight 1.0, or the current one again with less
/// weight (ten digits) while that is above the floor.
#[must_use]
pub fn next_leader(
    settings: &Settings,
    current: &ThreejsLeader,
    winner: &ThreejsWinner,
    from: Block,
) -> Option<ThreejsLeader> {
    let entry = transition(settings, &shared(current), &shared_winner(winner), from)?;
    let held = entry.repo == current.repo && entry.commit == current.commit;
    let hardware = if held { current.hardware.clone() } else { winner.hardware.clone() };
    let LeaderEntry { hotkey, repo, commit, docker, weight, effective_block, .. } = entry;
    Some(ThreejsLeader { hotkey, repo, commit, docker, hardware, weight, effective_block, extra: Extra::default() })
}

/// The facts that `finalize` needs.
#[derive(Debug, Clone, Copy)]
pub struct ThreejsFinished<'a> {
    /// `config.json`
    pub settings: &'a Settings,
    /// `state.json`, in the finalizing stage.
    pub state: &'a CompetitionState,
    /// The finished round's `schedule.json`, if any.
    pub schedule: Option<&'a Schedule>,
    /// `leader.json`
    pub leaders: &'a [ThreejsLeader],
    /// The finished round's `winner.json`.
    pub winner: &'a ThreejsWinner,
}

/// Closes a round: adds the leader's entry, then opens the next round or ends the competition.
///
/// # Errors
/// There is no leader, or the dates leave the calendar.
pub fn finalize(finished: &ThreejsFinished<'_>, moment: Moment) -> Result<Plan, FinalizeError> {
    let ThreejsFinished { settings, state, schedule, leaders, winner } = *finished;
    let (all, won) = (leaders.iter().map(shared).collect(), shared_winner(winner));
    let facts = Finished { settings, state, schedule, leaders: &all, winner: &won };
    close(&facts, moment, |kept, entry| {
        let (kept, current) = (leaders.get(..kept).unwrap_or(leaders), leaders.get(kept.saturating_sub(1)));
        let next = current.and_then(|current| next_leader(settings, current, winner, entry.effective_block));
        let leaders: Vec<ThreejsLeader> = kept.iter().cloned().chain(next).collect();
        FileWrite::new(ThreejsFile::Leader, &leaders)
    })
}

/// The entry without its hardware, as the shared rules know it.
pub fn shared(entry: &ThreejsLeader) -> LeaderEntry {
    LeaderEntry {
        hotkey: entry.hotkey.clone(),
        repo: entry.repo.clone(),
        commit: entry.commit.clone(),
        docker: entry.docker.clone(),
        weight: entry.weight,
        effective_block: entry.effective_block,
        extra: Extra::default(),
    }
}

/// The winner without its hardware.
pub fn shared_winner(winner: &ThreejsWinner) -> Winner {
    let (repo, commit, image) = (winner.repo.clone(), winner.commit.clone(), winner.docker_image.clone());
    Winner::new(winner.winner_hotkey.clone(), repo, commit, image)
}

/// The entry in force at `block`: the last with `effective_block <= block`.
#[must_use]
pub fn leader_at(leaders: &[ThreejsLeader], block: Block) -> Option<&ThreejsLeader> {
    leaders.iter().rfind(|entry| entry.effective_block <= block)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ids::RoundNumber;
    use crate::model::stage::Stage;

    fn settings() -> Settings {
        let text = r#"{"name": "t", "description": "", "first_evaluation_date": "2026-04-29", "last_competition_date": "2027-04-29",
            "generation_stage_minutes": 240, "win_margin": 0.07, "weight_decay": 0.1, "weight_floor": 0.2,
            "prompts_per_round": 8, "carryover_prompts": 4, "round_duration_days": 3}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_new_leader_brings_its_hardware_and_one_that_holds_keeps_its_own() {
        let key = |n: u8| crate::model::ids::Hotkey::from_account(&[n; 32]);
        let program = |n: u8| format!("{n:02x}").repeat(20);
        let leaders: Vec<ThreejsLeader> =
            serde_json::from_value(json!([{"hotkey": key(1), "repo": "a/b", "commit": program(1),
            "docker": "x", "hardware": ["4xH200"], "weight": 0.7, "effective_block": 0}]))
            .unwrap();
        let schedule: Schedule = serde_json::from_value(
            json!({"earliest_reveal_block": 1, "latest_reveal_block": 1000, "generation_deadline_block": 2200}),
        )
        .unwrap();
        let state = CompetitionState::new(RoundNumber(3), Stage::Finalizing, None);
        let moment = Moment { block: Block(2500), now: "2026-06-01T12:00:00Z".parse().unwrap() };
        let written = |winner: serde_json::Value| {
            let (settings, winner) = (settings(), serde_json::from_value(winner).unwrap());
            let facts = ThreejsFinished {
                settings: &settings,
                state: &state,
                schedule: Some(&schedule),
                leaders: &leaders,
                winner: &winner,
            };
            let plan = finalize(&facts, moment).unwrap();
            let leader = plan.writes.iter().find(|write| write.file == ThreejsFile::Leader).unwrap();
            serde_json::from_slice::<serde_json::Value>(&leader.bytes).unwrap()
        };
        let held =
            written(json!({"winner_hotkey": "leader", "repo": "a/b", "commit": program(1), "docker_image": "x"}));
        assert_eq!((&held[1]["weight"], &held[1]["hardware"]), (&json!(0.6), &json!(["4xH200"])));
        let won = written(json!({"winner_hotkey": key(2), "repo": "c/d", "commit": program(2), "docker_image": "y",
            "hardware": ["4xRTX6000Pro"]}));
        assert_eq!((&won[1]["weight"], &won[1]["hardware"]), (&json!(1.0), &json!(["4xRTX6000Pro"])));
        assert_eq!(won.as_array().map(Vec::len), Some(2));
    }
}
