//! What is outstanding in a round of splats: lines for `status` and `report`.

use super::walk::{of_round, order};
use crate::base::text::counted;
use crate::model::builds::BuildStatus;
use crate::model::ids::Player;
use crate::model::splat::snapshot::SplatRound;
use crate::model::splat::state::SplatStage;

/// What is outstanding in a round in this stage, one line each.
#[must_use]
pub fn outstanding(files: &SplatRound, stage: SplatStage, win_margin: f64) -> Vec<String> {
    match stage {
        SplatStage::Collecting => collecting(files),
        SplatStage::Generating => generating(files),
        SplatStage::Duels => duels(files, win_margin),
        SplatStage::Finalizing => vec!["the next round has not been opened yet".to_owned()],
        SplatStage::Finished | SplatStage::Paused => Vec::new(),
    }
}

fn collecting(files: &SplatRound) -> Vec<String> {
    let latest = files.schedule.get().map(|schedule| schedule.latest_reveal_block);
    latest.map(|latest| format!("submissions.json is written after block {latest}")).into_iter().collect()
}

fn generating(files: &SplatRound) -> Vec<String> {
    let mut open = Vec::new();
    let builds = files.builds.get().into_iter().flat_map(|builds| builds.values());
    let unbuilt = builds.filter(|build| matches!(build.status, BuildStatus::Pending | BuildStatus::InProgress)).count();
    if unbuilt > 0 {
        open.push(format!("{} not done yet", counted(unbuilt, "build", "builds")));
    }
    let prompts = files.prompts.get().map_or(0, |prompts| prompts.0.len());
    let done = |player: &Player| {
        let own = files.players.get(player).and_then(|own| own.generations.get());
        own.is_some_and(|generations| generations.len() >= prompts)
    };
    if !done(&Player::Leader) {
        open.push("the leader's splats are not complete yet".to_owned());
    }
    // Programs without an image are never run.
    let runs = files.builds.get().into_iter().flat_map(|builds| builds.iter());
    let runs = runs.filter(|(_, build)| build.status == BuildStatus::Success);
    let waiting = runs.filter(|(hotkey, _)| !done(&Player::Miner((*hotkey).clone()))).count();
    if waiting > 0 {
        open.push(format!("the splats of {} are not complete yet", counted(waiting, "miner", "miners")));
    }
    open
}

fn duels(files: &SplatRound, win_margin: f64) -> Vec<String> {
    let Some(walk) = of_round(files, win_margin) else {
        return vec!["submissions.json cannot be read, so the matches are unknown".to_owned()];
    };
    let Some(next) = walk.missing else {
        return vec![format!("every match has been played: {} holds the lead", walk.holder)];
    };
    let all = files.submissions.get().map_or(0, |submissions| order(submissions).len());
    let left = all.saturating_sub(walk.steps.len());
    let all = counted(all, "match", "matches");
    vec![format!("{left} of {all} left; next, {next} challenges {}", walk.holder)]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::ids::Hotkey;
    use crate::model::snapshot::Slot;

    fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn each_stage_has_its_own_open_points() {
        let miners: Vec<Hotkey> = (1..=2).map(|at| Hotkey::from_account(&[at; 32])).collect();
        let (mut submissions, mut builds) = (serde_json::Map::new(), serde_json::Map::new());
        for (at, miner) in miners.iter().enumerate() {
            let commit = "0a".repeat(20);
            let submission = json!({"repo": "a/b", "commit": commit, "round": "x-0", "revealed_at_block": at});
            submissions.insert(miner.to_string(), submission);
            let status = if at == 0 { "success" } else { "pending" };
            builds.insert(
                miner.to_string(),
                json!({"repo": "a/b", "commit": commit, "revealed_at_block": at, "tag": "t", "status": status,
                    "docker_image": null}),
            );
        }
        let mut files = SplatRound {
            schedule: Slot::Ok(of(json!({"earliest_reveal_block": 1, "latest_reveal_block": 9}))),
            submissions: Slot::Ok(of(Value::Object(submissions))),
            builds: Slot::Ok(of(Value::Object(builds))),
            ..SplatRound::default()
        };
        assert_eq!(outstanding(&files, SplatStage::Collecting, 0.05), ["submissions.json is written after block 9"]);
        let open = outstanding(&files, SplatStage::Generating, 0.05);
        let expected = [
            "1 build not done yet",
            "the leader's splats are not complete yet",
            "the splats of 1 miner are not complete yet",
        ];
        assert_eq!(open, expected);
        let [first, second] = miners.as_slice() else { panic!() };
        let open = outstanding(&files, SplatStage::Duels, 0.05);
        assert_eq!(open, [format!("2 of 2 matches left; next, {first} challenges leader")]);
        let report = json!({"leader": "leader", "hotkey": first, "score": 1, "margin": 1.0, "outcome": "challenger_wins", "duels": []});
        files.players.entry(Player::Miner(first.clone())).or_default().duels = Slot::Ok(of(report));
        let open = outstanding(&files, SplatStage::Duels, 0.05);
        assert_eq!(open, [format!("1 of 2 matches left; next, {second} challenges {first}")]);
        assert_eq!(outstanding(&files, SplatStage::Paused, 0.05), [""; 0]);
    }
}
