//! Who leads at a block: the newest entry of `leader.json` often takes effect only at a later block.

use serde::Serialize;

use crate::model::ids::Block;
use crate::model::leader::{LeaderEntry, leader_at};

/// The current leader and the next one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lead<'a> {
    /// The chain's block, if known.
    pub block: Option<Block>,
    /// The leader at that block; `None` if the block is unknown.
    pub leader: Option<&'a LeaderEntry>,
    /// The entry that was added last.
    pub newest_entry: Option<&'a LeaderEntry>,
    /// The entry before it.
    pub entry_before: Option<&'a LeaderEntry>,
}

impl<'a> Lead<'a> {
    /// The lead at this block.
    #[must_use]
    pub fn of(leaders: &'a [LeaderEntry], block: Option<Block>) -> Self {
        let (newest_entry, rest) = leaders.split_last().map_or((None, leaders), |(last, rest)| (Some(last), rest));
        let leader = block.and_then(|block| leader_at(leaders, block));
        Lead { block, leader, newest_entry, entry_before: rest.last() }
    }

    /// The newest entry, if it is known not to be in force yet.
    #[must_use]
    pub fn next(&self) -> Option<&'a LeaderEntry> {
        let block = self.block?;
        self.newest_entry.filter(|entry| entry.effective_block > block)
    }

    /// The entries to show, each with its label.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, &'a LeaderEntry)> {
        let lines = match self.block {
            Some(_) => [("leader", self.leader), ("next", self.next())],
            None => [("newest entry of leader.json", self.newest_entry), ("entry before it", self.entry_before)],
        };
        lines.into_iter().filter_map(|(what, entry)| Some((what, entry?))).collect()
    }
}

/// The block from which an entry leads, in words.
#[must_use]
pub fn in_force(entry: &LeaderEntry) -> String {
    format!("in force from block {} on", entry.effective_block)
}

/// A weight for people, rounded to nine digits to hide binary fractions.
#[must_use]
pub fn shown(weight: f64) -> f64 {
    (weight * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::leader::Leaders;

    #[test]
    fn only_the_block_tells_who_leads() {
        let entry = |block: u64| {
            serde_json::json!({
                "hotkey": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "repo": "a/b", "commit": "0a".repeat(20),
                "docker": "x:y", "weight": 1.0, "effective_block": block,
            })
        };
        let leaders: Leaders = serde_json::from_value(serde_json::json!([entry(100), entry(200), entry(300)])).unwrap();
        let blocks = |block: Option<u64>| {
            let lead = Lead::of(&leaders, block.map(Block));
            let lines = lead.lines().into_iter().map(|(what, entry)| format!("{what} {}", entry.effective_block));
            lines.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(blocks(None), "newest entry of leader.json 300, entry before it 200");
        assert_eq!(blocks(Some(99)), "next 300");
        assert_eq!(blocks(Some(250)), "leader 200, next 300");
        assert_eq!(blocks(Some(300)), "leader 300");
        assert_eq!(Lead::of(&[], None).lines(), []);
    }
}
