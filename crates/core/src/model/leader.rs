//! `leader.json`: the leaders, each with its weight and the block from which it leads. Append-only.

use super::file::json_file;
use super::ids::{Block, CommitSha, Hotkey, RepoName};
use super::record::record;

record! {
    /// A leader, from a block on.
    pub struct LeaderEntry {
        /// The miner.
        pub hotkey: Hotkey,
        /// Its program's repository.
        pub repo: RepoName,
        /// Its program's commit.
        pub commit: CommitSha,
        /// Its image.
        pub docker: String,
        /// The weight that validators set for it, 0 to 1.
        pub weight: f64,
        /// The first block at which this entry is in force.
        pub effective_block: Block,
    }
}

/// The entries, oldest first.
pub type Leaders = Vec<LeaderEntry>;

json_file!(Leaders);

/// The entry in force at `block`: the last with `effective_block <= block`.
#[must_use]
pub fn leader_at(leaders: &[LeaderEntry], block: Block) -> Option<&LeaderEntry> {
    leaders.iter().rfind(|entry| entry.effective_block <= block)
}
