//! DESIGN 4.5: which matches are played next, and where their rows go in the matrix.
//!
//! Nothing here depends on the order in which answers arrive. A match is played ahead of its turn
//! only if it is certain that the tournament will need it.

use std::collections::HashSet;

use super::tournament::{Field, Pair, TournamentOutcome, exploratory, replay};
use crate::model::ids::Player;
use crate::model::matrix::Matrix;

/// The matches to play now, each list in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairings {
    /// Matches that everything else waits for: the rest of the qualification, or the next of the timeline.
    pub required: Vec<Pair>,
    /// Exploratory matches that will be needed whatever the results of `required`.
    pub exploratory: Vec<Pair>,
}

/// What can be played, by the margins known so far.
///
/// Exploratory matches are played while audits are pending. It is certain that there will be a pending
/// audit as soon as a candidate (the first qualified, or a taker of the lead) has not passed its own.
#[must_use]
pub fn pairings(field: &Field) -> Pairings {
    let replay = replay(field);
    let awaited = replay.candidates.iter().any(|candidate| !field.standing.passed.contains(&candidate.hotkey));
    let mut ahead = if awaited { exploratory(field, &replay.qualified) } else { Vec::new() };
    let required = match replay.outcome {
        TournamentOutcome::Matches(missing) => missing,
        TournamentOutcome::Audits(_) | TournamentOutcome::Winner(_) => Vec::new(),
    };
    let due: HashSet<&Pair> = required.iter().collect();
    ahead.retain(|pair| !due.contains(pair));
    Pairings { required, exploratory: ahead }
}

/// The matches whose results may be recorded now: what the margins on record ask for, in order.
#[must_use]
pub fn recordable(field: &Field) -> Vec<Pair> {
    let replay = replay(field);
    match replay.outcome {
        TournamentOutcome::Matches(missing) => missing,
        TournamentOutcome::Audits(_) => exploratory(field, &replay.qualified),
        TournamentOutcome::Winner(_) => Vec::new(),
    }
}

/// All matches in tournament order: qualification in order of submission, timeline, exploratory.
#[must_use]
pub fn sequence(field: &Field) -> Vec<Pair> {
    let replay = replay(field);
    let mut sequence: Vec<Pair> =
        field.order.iter().map(|miner| (Player::Leader, Player::Miner(miner.clone()))).collect();
    let timeline = replay.timeline.iter();
    sequence.extend(timeline.map(|step| (step.holder.clone(), Player::Miner(step.challenger.clone()))));
    if let TournamentOutcome::Matches(required) = replay.outcome {
        sequence.extend(required);
    }
    for (at, left) in replay.qualified.iter().enumerate() {
        let later = replay.qualified.iter().skip(at + 1);
        sequence.extend(later.map(|right| (Player::Miner(left.clone()), Player::Miner(right.clone()))));
    }
    let mut seen = HashSet::new();
    sequence.retain(|pair| seen.insert(pair.clone()));
    sequence
}

/// Inserts a row into the matrix before the first row that comes later in tournament order, else at the
/// end, so that the file does not depend on which match finished first. Existing rows keep their order.
pub fn place(matrix: &mut Matrix, sequence: &[Pair], pair: &Pair, margin: f64) {
    let later = sequence.iter().skip_while(|other| *other != pair).skip(1);
    let at = later.filter_map(|other| matrix.0.get_index_of(other)).min().unwrap_or(matrix.0.len());
    matrix.0.shift_insert(at, pair.clone(), margin);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Hotkey;
    use crate::rules::tournament::AuditStanding;

    fn miner(at: u8) -> Hotkey {
        Hotkey::from_account(&[at; 32])
    }

    fn pair(left: u8, right: u8) -> Pair {
        let player = |at| if at == 0 { Player::Leader } else { Player::Miner(miner(at)) };
        (player(left), player(right))
    }

    fn field(miners: u8, rows: &[(u8, u8, f64)]) -> Field {
        let matrix = Matrix(rows.iter().map(|(left, right, margin)| (pair(*left, *right), *margin)).collect());
        let order = (1..=miners).map(miner).collect();
        Field { order, win_margin: 0.05, matrix, standing: AuditStanding::default() }
    }

    #[test]
    fn exploratory_matches_start_once_an_audit_is_certain() {
        assert_eq!(pairings(&field(3, &[])).required, [pair(0, 1), pair(0, 2), pair(0, 3)]);
        // Who qualifies first is not known while 1 is open: nothing is certain.
        assert_eq!(pairings(&field(3, &[(0, 2, 0.2), (0, 3, 0.2)])).exploratory, []);
        let known = field(3, &[(0, 1, 0.2), (0, 2, 0.2)]);
        assert_eq!(pairings(&known), Pairings { required: vec![pair(0, 3)], exploratory: vec![pair(1, 2)] });
        let mut passed = known;
        passed.standing.passed.insert(miner(1));
        assert_eq!(pairings(&passed).exploratory, [], "2 may never lead");
        passed.matrix.0.insert(pair(0, 3), 0.1);
        passed.matrix.0.insert(pair(1, 2), 0.1);
        assert_eq!(pairings(&passed), Pairings { required: vec![pair(2, 3)], exploratory: vec![pair(1, 3)] });
    }

    #[test]
    fn rows_stand_in_the_tournaments_order_whatever_came_first() {
        let all = [(0, 1, 0.1), (0, 2, 0.1), (0, 3, -0.5), (0, 4, 0.1), (1, 2, 0.2), (2, 4, 0.0), (1, 4, 0.0)];
        let full = field(4, &all);
        let expected: Vec<Pair> = all.iter().map(|(left, right, _)| pair(*left, *right)).collect();
        assert_eq!(sequence(&full), expected);
        for turn in 0..all.len() {
            let mut matrix = Matrix::default();
            for (left, right, margin) in all.iter().cycle().skip(turn * 3).take(all.len()) {
                place(&mut matrix, &sequence(&full), &pair(*left, *right), *margin);
            }
            assert_eq!(matrix.0.keys().cloned().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn rows_that_are_there_keep_their_order() {
        let mut odd = field(3, &[(0, 3, 0.0), (0, 1, 0.0)]);
        let order = sequence(&odd);
        place(&mut odd.matrix, &order, &pair(0, 2), 0.0);
        assert_eq!(odd.matrix.0.keys().cloned().collect::<Vec<_>>(), [pair(0, 2), pair(0, 3), pair(0, 1)]);
    }
}
