//! `rounds/N/submissions.json`: a program; validators run it, so there is no URL to fetch from.

use crate::model::file::json_file;
use crate::model::ids::{Block, CommitSha, Hotkey, RepoName};
use crate::model::record::{Entries, record};

record! {
    /// One miner's program.
    pub struct SplatSubmission {
        /// The program's repository.
        pub repo: RepoName,
        /// The program's commit.
        pub commit: CommitSha,
        /// `<competition name>-<round>`
        pub round: String,
        /// The block that revealed `commit`.
        pub revealed_at_block: Block,
    }
}

/// The submissions by hotkey, in order of `revealed_at_block`.
pub type SplatSubmissions = Entries<Hotkey, SplatSubmission>;

json_file!(SplatSubmissions);
