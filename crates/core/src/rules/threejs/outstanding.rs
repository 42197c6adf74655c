//! What is outstanding in a round of three.js modules: lines for `status` and `report`.

use super::chain::{Chain, ChainFacts, Fate, by_miner, derive, order, repeats_of};
use crate::base::text::counted;
use crate::model::ids::Player;
use crate::model::source_audit::SourceAudit;
use crate::model::stage::Stage;
use crate::model::threejs::audit_matrix::AuditMatrix;
use crate::model::threejs::reports::{GenerationReports, ReportOutcome};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::stage_table::{has_reached, is_over, opens_next};

/// What is outstanding in a round in this stage, one line each.
#[must_use]
pub fn outstanding(files: &ThreejsRound, stage: Stage, win_margin: f64, repeats: u32) -> Vec<String> {
    let mut open = Vec::new();
    if opens_next(stage) {
        open.push("the next round has not been opened yet".to_owned());
    }
    let at_work = |first| has_reached(stage, first) && !is_over(stage);
    if at_work(Stage::Downloading) {
        let there = |player: &Player| files.players.get(player).is_some_and(|own| own.submitted.get().is_some());
        let miners = files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
        let waiting = miners.filter(|hotkey| !there(&Player::Miner((*hotkey).clone()))).count();
        if waiting > 0 {
            open.push(format!("the files of {} have not been fetched yet", counted(waiting, "miner", "miners")));
        }
    }
    if at_work(Stage::MinerGeneration) {
        let leader = files.players.get(&Player::Leader);
        if leader.and_then(|own| own.generated.values().find_map(|slot| slot.get())).is_none() {
            open.push("the leader's modules are missing".to_owned());
        }
    }
    if at_work(Stage::Duels) {
        open.extend(of_round(files, win_margin, repeats, |chain| matches(&chain)).unwrap_or_default());
        open.extend(runs(files));
    }
    open
}

/// Derives a round's chain from the files so far, and looks at it; `None` if its submissions cannot be read.
pub fn of_round<T>(
    files: &ThreejsRound,
    win_margin: f64,
    repeats: u32,
    look: impl FnOnce(Chain<'_>) -> T,
) -> Option<T> {
    let order = order(files.submissions.get()?);
    let (matrix, audits, reports) = (Default::default(), AuditMatrix::default(), GenerationReports::default());
    let sources: &[SourceAudit] = files.source_audit.get().map_or(&[], |sources| sources.as_slice());
    let chain = derive(&ChainFacts {
        order: &order,
        win_margin,
        repeats: repeats_of(files, repeats),
        matrix: files.matrix.get().unwrap_or(&matrix),
        audits: files.audit_matrix.get().unwrap_or(&audits),
        reports: files.generation_reports.get().unwrap_or(&reports),
        sources: &by_miner(sources),
    });
    Some(look(chain))
}

fn matches(chain: &Chain<'_>) -> Vec<String> {
    let mut open = Vec::new();
    if !chain.unplayed.is_empty() {
        open.push(format!("{} against the leader still to play", counted(chain.unplayed.len(), "match", "matches")));
    }
    for link in &chain.links {
        match &link.fate {
            Fate::Pending => open.push(format!("the match of {} against {} is missing", link.hotkey, link.holder)),
            Fate::Won { verified: false, .. } => {
                open.push(format!("{} beat {}, and is not verified yet", link.hotkey, link.holder));
            }
            _ => {}
        }
    }
    open
}

/// Requested programs whose repeats are not all done.
fn runs(files: &ThreejsRound) -> Option<String> {
    let pending = |hotkey: &crate::model::ids::Hotkey| {
        let report = files.generation_reports.get().and_then(|reports| reports.get(hotkey));
        report.is_none_or(|report| report.outcome() == ReportOutcome::Pending)
    };
    let requests = files.require_audit.get()?.iter();
    let waiting = requests.filter(|request| pending(&request.hotkey)).count();
    let whose = counted(waiting, "miner", "miners");
    (waiting > 0).then(|| format!("not all repeats of {whose} are done yet"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::ids::Hotkey;
    use crate::model::matrix::Matrix;
    use crate::model::snapshot::Slot;

    #[test]
    fn each_stage_has_its_own_open_points() {
        let miner = Hotkey::from_account(&[1; 32]);
        fn of<T: serde::de::DeserializeOwned>(value: Value) -> Slot<T> {
            Slot::Ok(serde_json::from_value(value).unwrap())
        }
        let mut files = ThreejsRound {
            submissions: of(
                json!({miner.as_str(): {"repo": "a/b", "commit": "0a".repeat(20), "cdn_url": "https://x.org/",
                "revealed_at_block": 1, "round": "x-0"}}),
            ),
            ..ThreejsRound::default()
        };
        let open = |files: &ThreejsRound, stage| outstanding(files, stage, 0.07, 3);
        let fetched = "the files of 1 miner have not been fetched yet";
        let leader = "the leader's modules are missing";
        assert_eq!(open(&files, Stage::Open), [""; 0]);
        assert_eq!(open(&files, Stage::MinerGeneration), [leader]);
        assert_eq!(open(&files, Stage::Downloading), [fetched, leader]);
        let unplayed = "1 match against the leader still to play";
        assert_eq!(open(&files, Stage::Duels), [fetched, leader, unplayed]);
        let mut matrix = Matrix::default();
        matrix.0.insert((Player::Leader, Player::Miner(miner.clone())), 0.5);
        files.matrix = Slot::Ok(matrix);
        files.require_audit = of(json!([{"hotkey": miner, "latest_defender": "leader"}]));
        let won = format!("{miner} beat leader, and is not verified yet");
        let runs = "not all repeats of 1 miner are done yet";
        assert_eq!(open(&files, Stage::Duels)[2..], [won, runs.to_owned()]);
        assert_eq!(open(&files, Stage::Finalizing), ["the next round has not been opened yet"]);
    }
}
