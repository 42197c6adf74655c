//! What a round still lacks in its stage, in words: for `status` and `report`.

use super::Thresholds;
use super::stages::unanswered;
use super::tournament::{Field, Outcome, replay};
use crate::state::ids::{Hotkey, Player};
use crate::state::snapshot::RoundFiles;
use crate::state::stage::Stage;

/// What is open in a round that stands in `stage`; empty where nothing is.
#[must_use]
pub fn lacking(files: &RoundFiles, stage: Stage, win_margin: f64, limits: &Thresholds) -> Vec<String> {
    let mut open = Vec::new();
    if matches!(stage, Stage::MinerGeneration | Stage::Downloading | Stage::Duels) {
        let there = |player: &Player, submitted: bool| {
            files.players.get(player).is_some_and(|own| {
                if submitted { own.submitted.get().is_some() } else { own.generated.get().is_some() }
            })
        };
        if !there(&Player::Leader, false) {
            open.push("the leader's baseline is missing".to_owned());
        }
        let miners = files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
        let lacking = miners.filter(|hotkey| !there(&Player::Miner((*hotkey).clone()), true)).count();
        if lacking > 0 && stage != Stage::MinerGeneration {
            open.push(format!("the files of {lacking} miner(s) are not fetched yet"));
        }
    }
    if stage == Stage::Duels {
        match Field::of(files, win_margin, limits).map(|field| replay(&field).outcome) {
            Some(Outcome::Matches(missing)) => open.push(format!("{} match(es) are needed next", missing.len())),
            Some(Outcome::Audits(holders)) => {
                let names: Vec<_> = holders.iter().map(Hotkey::short).collect();
                open.push(format!("the audit of {} is awaited", names.join(", ")));
            }
            _ => {}
        }
        for hotkey in unanswered(files) {
            open.push(format!("an audit of {hotkey} is required"));
        }
    }
    open
}
