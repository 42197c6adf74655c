//! What a round still lacks in its stage, beside the commands that are due: lines for `status` and `report`.

use super::Thresholds;
use super::stage_table::{has_reached, is_for};
use super::tournament::{Field, TournamentOutcome, replay};
use crate::base::text::counted;
use crate::model::ids::Player;
use crate::model::snapshot::RoundFiles;
use crate::model::stage::Stage;

/// What is outstanding in a round in this stage, one line each.
#[must_use]
pub fn outstanding(files: &RoundFiles, stage: Stage, win_margin: f64, limits: &Thresholds) -> Vec<String> {
    let mut open = Vec::new();
    if is_for("baseline", stage) {
        let there = |player: &Player, submitted: bool| {
            files.players.get(player).is_some_and(|own| {
                if submitted { own.submitted.get().is_some() } else { own.generated.get().is_some() }
            })
        };
        // `duel` reports it as what it waits for.
        if !there(&Player::Leader, false) && !is_for("duel", stage) {
            open.push("the leader's baseline is missing".to_owned());
        }
        let miners = files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
        let outstanding = miners.filter(|hotkey| !there(&Player::Miner((*hotkey).clone()), true)).count();
        if outstanding > 0 && has_reached(stage, Stage::Downloading) {
            open.push(format!("the files of {} have not been fetched yet", counted(outstanding, "miner", "miners")));
        }
    }
    // Open audits are not listed here: `audit` and `duel` report them.
    if is_for("duel", stage)
        && let Some(TournamentOutcome::Matches(missing)) =
            Field::of(files, win_margin, limits).map(|field| replay(&field).outcome)
    {
        open.push(format!("{} needed next", counted(missing.len(), "match", "matches")));
    }
    open
}
