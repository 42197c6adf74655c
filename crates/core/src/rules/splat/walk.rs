//! The walk: in order of reveal, each miner challenges the holder of the lead, once. No qualification, no audits.

use crate::model::ids::{Hotkey, Player};
use crate::model::snapshot::Slot;
use crate::model::splat::duels::{SplatMatch, SplatOutcome};
use crate::model::splat::snapshot::SplatRound;
use crate::model::splat::submissions::SplatSubmissions;

/// A match of the walk.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkStep<'a> {
    /// Who holds the lead.
    pub holder: Player,
    /// Who challenges.
    pub challenger: &'a Hotkey,
    /// Its margin.
    pub margin: f64,
    /// Does it take the lead?
    pub taken: bool,
}

/// A walk, as far as it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk<'a> {
    /// The matches, in order.
    pub steps: Vec<WalkStep<'a>>,
    /// Who holds the lead after them: at the end, the winner.
    pub holder: Player,
    /// The first challenger whose match is missing.
    pub missing: Option<&'a Hotkey>,
}

/// The miners in the order in which they play: by `revealed_at_block`, then in the file's order.
#[must_use]
pub fn order(submissions: &SplatSubmissions) -> Vec<&Hotkey> {
    let mut miners: Vec<_> = submissions.iter().collect();
    miners.sort_by_key(|(_, submission)| submission.revealed_at_block);
    miners.into_iter().map(|(hotkey, _)| hotkey).collect()
}

/// Walks through the challengers by the margins of their matches.
#[must_use]
pub fn walk<'a>(
    order: impl IntoIterator<Item = &'a Hotkey>,
    win_margin: f64,
    margin: impl Fn(&Hotkey) -> Option<f64>,
) -> Walk<'a> {
    let mut walk = Walk { steps: Vec::new(), holder: Player::Leader, missing: None };
    for challenger in order {
        let Some(margin) = margin(challenger) else {
            walk.missing = Some(challenger);
            break;
        };
        let taken = margin >= win_margin;
        walk.steps.push(WalkStep { holder: walk.holder.clone(), challenger, margin, taken });
        if taken {
            walk.holder = Player::Miner(challenger.clone());
        }
    }
    walk
}

/// The walk of a round, by its files; `None` if its submissions cannot be read.
#[must_use]
pub fn of_round(files: &SplatRound, win_margin: f64) -> Option<Walk<'_>> {
    let order = order(files.submissions.get()?);
    Some(walk(order, win_margin, |hotkey| report(files, hotkey).map(|report| report.margin)))
}

/// A miner's one match.
#[must_use]
pub fn report<'a>(files: &'a SplatRound, hotkey: &Hotkey) -> Option<&'a SplatMatch> {
    files.players.get(&Player::Miner(hotkey.clone())).map(|own| &own.duels).and_then(Slot::get)
}

/// The outcome of a match with this margin.
#[must_use]
pub fn outcome(margin: f64, win_margin: f64) -> SplatOutcome {
    if margin >= win_margin { SplatOutcome::ChallengerWins } else { SplatOutcome::LeaderDefends }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_challenger_plays_whoever_holds_the_lead() {
        let miners: Vec<Hotkey> = (1..=4).map(|n| Hotkey::from_account(&[n; 32])).collect();
        let margins = [Some(-1.0), Some(0.05), Some(0.049), Some(0.5)];
        let of = |margins: &[Option<f64>]| {
            let margin = |hotkey: &Hotkey| margins[miners.iter().position(|miner| miner == hotkey).unwrap()];
            let walk = walk(&miners, 0.05, margin);
            let at = |player: &Player| player.hotkey().map_or(0, |h| 1 + miners.iter().position(|m| m == h).unwrap());
            let holders: Vec<usize> = walk.steps.iter().map(|step| at(&step.holder)).collect();
            (holders, at(&walk.holder), walk.missing.cloned())
        };
        assert_eq!(of(&margins), (vec![0, 0, 2, 2], 4, None));
        assert_eq!(of(&[Some(0.1), None, Some(0.1), None]), (vec![0], 1, Some(miners[1].clone())));
        assert_eq!(outcome(0.05, 0.05), SplatOutcome::ChallengerWins);
    }
}
