//! `rounds/N/submissions.json`: what each miner revealed for the round.

use super::file::json_file;
use super::format::ModelFormat;
use super::ids::{Block, CommitSha, Hotkey, PromptStem, RepoName};
use super::record::{Entries, record};

record! {
    /// One miner's program, and where its files will be.
    pub struct Submission {
        /// The program's repository.
        pub repo: RepoName,
        /// The program's commit.
        pub commit: CommitSha,
        /// The base URL of the miner's files: see [`Submission::file_url`]. Written without a trailing slash; the
        /// deployed services leave one after a bare host.
        pub cdn_url: String,
        /// The block that revealed `commit`.
        pub revealed_at_block: Block,
        /// `<competition name>-<round>`
        pub round: String,
    }
}

impl Submission {
    /// The URL of a prompt's model.
    #[must_use]
    pub fn file_url(&self, stem: &PromptStem, format: ModelFormat) -> String {
        format!("{}/{stem}.{}", self.cdn_url.trim_end_matches('/'), format.extension())
    }
}

/// The submissions by hotkey, in order of `revealed_at_block`.
pub type Submissions = Entries<Hotkey, Submission>;

json_file!(Submissions);
