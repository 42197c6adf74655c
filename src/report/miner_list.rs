//! The index's list of miners.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::model::ids::{Hotkey, RoundNumber};

/// A miner in the index's list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MinerRow {
    pub(super) full: String,
    /// The rounds that it was in.
    pub(super) rounds: String,
    /// `winner` if it won one.
    pub(super) won: bool,
}

/// The index's list, grouped by the first characters of the hotkey.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MinerGroup {
    pub(super) prefix: String,
    pub(super) miners: Vec<MinerRow>,
}

/// Most miners in the index's list: as many as four full rounds have.
const MOST_LISTED: usize = 4096;

/// The miners of a competition, by hotkey: those of each round, all of them, and those who won; also how many are left out.
pub(super) fn listed<'a>(
    of_rounds: impl IntoIterator<Item = (RoundNumber, BTreeSet<&'a Hotkey>)>,
    all: &BTreeSet<&'a Hotkey>,
    winners: &HashSet<&str>,
) -> (Vec<MinerGroup>, usize) {
    let mut rounds: HashMap<&Hotkey, BTreeSet<RoundNumber>> = HashMap::new();
    for (round, hotkeys) in of_rounds {
        for hotkey in hotkeys {
            rounds.entry(hotkey).or_default().insert(round);
        }
    }
    let row = |hotkey: &&Hotkey| MinerRow {
        full: hotkey.as_str().to_owned(),
        rounds: rounds.get(hotkey).map(spans).unwrap_or_default(),
        won: winners.contains(hotkey.as_str()),
    };
    let shown: Vec<MinerRow> = all.iter().take(MOST_LISTED).map(row).collect();
    let prefix = |row: &MinerRow| row.full.chars().take(2).collect::<String>();
    let groups = shown.chunk_by(|a, b| prefix(a) == prefix(b));
    let group =
        |rows: &[MinerRow]| MinerGroup { prefix: rows.first().map(prefix).unwrap_or_default(), miners: rows.to_vec() };
    (groups.map(group).collect(), all.len().saturating_sub(MOST_LISTED))
}

/// `round 3`, `rounds 0 to 2, 5`.
fn spans(rounds: &BTreeSet<RoundNumber>) -> String {
    let numbers: Vec<u32> = rounds.iter().map(|round| round.0).collect();
    let span = |run: &[u32]| match run {
        [first, .., last] => format!("{first}\u{2013}{last}"),
        run => run.iter().map(u32::to_string).collect(),
    };
    let runs: Vec<String> = numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)).map(span).collect();
    let name = if numbers.len() == 1 { "round" } else { "rounds" };
    let (shown, more) = (runs.iter().take(8).cloned().collect::<Vec<_>>().join(", "), runs.len() > 8);
    format!("{name} {shown}{}", if more { " and more" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_named_in_spans() {
        let named = |rounds: &[u32]| spans(&rounds.iter().copied().map(RoundNumber).collect());
        assert_eq!(named(&[3]), "round 3");
        assert_eq!(named(&[0, 1, 2, 5]), "rounds 0\u{2013}2, 5");
    }
}
