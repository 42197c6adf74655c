//! `rounds/N/builds.json`: the image build of each miner.

use serde::{Deserialize, Serialize};

use super::file::json_file;
use super::ids::{Block, CommitSha, Hotkey, RepoName};
use super::record::{Entries, record};

/// The status of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// Not started yet.
    Pending,
    /// Running.
    InProgress,
    /// Done, with an image.
    Success,
    /// Failed.
    Failure,
    /// Not done within the time limit.
    TimedOut,
    /// No such build was ever started.
    NotFound,
}

record! {
    /// One miner's build.
    pub struct Build {
        /// The program's repository, as submitted.
        pub repo: RepoName,
        /// The program's commit, as submitted.
        pub commit: CommitSha,
        /// The block that revealed the commit, as submitted.
        pub revealed_at_block: Block,
        /// `<first seven digits of commit>-<round name>`
        pub tag: String,
        /// Its status.
        pub status: BuildStatus,
        /// The image, on success.
        pub docker_image: Option<String>,
    }
}

/// The builds by hotkey.
pub type Builds = Entries<Hotkey, Build>;

json_file!(Builds);
