//! Who meets whom in a match: which outputs of which player, prompt by prompt.

use super::course::Unit;
use super::duel::walkover;
use crate::model::ids::{Player, PromptStem};
use crate::model::prompts::{Prompt, PromptList};
use crate::model::snapshot::Slot;
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::outputs::{Module, Modules};
use crate::model::threejs::snapshot::ThreejsRound;

/// Outputs that a match needs and that are not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{player}/{name}: missing")]
pub struct NoOutputs {
    /// Whose.
    pub player: Player,
    /// The file's name.
    pub name: String,
}

/// The outputs of both sides of a match: the defender's and the challenger's.
pub type Sides<'a> = [&'a Modules; 2];

/// What is matched: what miners submitted and what the leader's program generated; in an audit duel, what the audited
/// program generated in that repeat.
///
/// # Errors
/// A file is missing or broken.
pub fn sides<'a>(files: &'a ThreejsRound, unit: &Unit) -> Result<Sides<'a>, NoOutputs> {
    let right = Player::Miner(unit.right().clone());
    Ok(match unit {
        Unit::Match(left, _) => [outputs(files, left)?, outputs(files, &right)?],
        Unit::Audit(duel) => {
            let left = match &duel.opponent {
                Opponent::Submitted => outputs(files, &right)?,
                Opponent::Holder(holder) => outputs(files, holder)?,
            };
            [left, generated(files, &right, duel.repeat)?]
        }
    })
}

/// What a player's matches are played on.
fn outputs<'a>(files: &'a ThreejsRound, player: &Player) -> Result<&'a Modules, NoOutputs> {
    if *player == Player::Leader {
        return generated(files, player, 1);
    }
    let own = files.players.get(player).and_then(|own| own.submitted.get());
    own.ok_or_else(|| NoOutputs { player: player.clone(), name: "submitted.json".to_owned() })
}

fn generated<'a>(files: &'a ThreejsRound, player: &Player, repeat: u32) -> Result<&'a Modules, NoOutputs> {
    let own = files.players.get(player).and_then(|own| own.generated.get(&repeat)).and_then(Slot::get);
    own.ok_or_else(|| NoOutputs { player: player.clone(), name: format!("generated_{repeat}.json") })
}

/// The margin of a match in which a side has no module at all: it is not played. Audit duels are always played, so that
/// there is a report on what is missing.
pub fn walks_over(unit: &Unit, [left, right]: Sides<'_>) -> Option<f64> {
    let has = |modules: &Modules| modules.values().any(|module| module.js.is_some());
    match unit {
        Unit::Match(..) => walkover(has(left), has(right)),
        Unit::Audit(_) => None,
    }
}

/// The prompts in the order of a report: by stem, each once.
pub fn in_order(prompts: &PromptList) -> Vec<&Prompt> {
    let mut sorted: Vec<&Prompt> = prompts.0.iter().collect();
    sorted.sort_by(|a, b| a.stem().cmp(b.stem()));
    sorted.dedup_by(|a, b| a.stem() == b.stem());
    sorted
}

/// A side's module for a prompt: its URL and the folder of its views.
pub fn module_of(modules: &Modules, stem: &PromptStem) -> (Option<String>, Option<String>) {
    let parts = |module: &Module| (module.js.clone(), module.views.clone());
    modules.get(stem).map(parts).unwrap_or_default()
}
