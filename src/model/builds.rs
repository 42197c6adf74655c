//! `rounds/N/builds.json`: the image build of each miner.

use serde::{Deserialize, Serialize};

use super::file::json_file;
use super::ids::{Block, CommitSha, Hotkey, RepoName};
use super::record::{Entries, record};

/// How far a build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// Not started yet.
    Pending,
    /// Running.
    InProgress,
    /// Done: there is an image.
    Success,
    /// Failed.
    Failure,
    /// Not done within its time.
    TimedOut,
    /// No such build was ever started.
    NotFound,
}

record! {
    /// One miner's build.
    pub struct Build {
        /// As submitted.
        pub repo: RepoName,
        /// As submitted.
        pub commit: CommitSha,
        /// As submitted.
        pub revealed_at_block: Block,
        /// `<first seven digits of commit>-<round name>`
        pub tag: String,
        /// How far it has come.
        pub status: BuildStatus,
        /// The image, on success.
        pub docker_image: Option<String>,
    }
}

/// The builds by hotkey.
pub type Builds = Entries<Hotkey, Build>;

json_file!(Builds);
