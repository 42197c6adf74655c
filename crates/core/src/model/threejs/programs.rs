//! `submissions.json`, `builds.json`, `leader.json`, `winner.json`: as for meshes, with the hardware that a program
//! asks for.

use crate::model::builds::BuildStatus;
use crate::model::file::json_file;
use crate::model::ids::{Block, CommitSha, Hotkey, Player, RepoName};
use crate::model::record::{Entries, record};

/// The address of the owner of hotkeys: of the same form as a hotkey's.
pub type Coldkey = Hotkey;

record! {
    /// One miner's program and where its files will lie.
    pub struct ThreejsSubmission {
        /// The program's repository.
        pub repo: RepoName,
        /// The program's commit.
        pub commit: CommitSha,
        /// Where the miner uploads; a bare host keeps its final slash.
        pub cdn_url: String,
        /// The block that revealed `commit`.
        pub revealed_at_block: Block,
        /// `<competition name>-<round>`
        pub round: String,
        /// What the program can run on, first choice first (since round 20).
        pub hardware [optional]: Option<Vec<String>>,
    }
}

/// The submissions by hotkey, in order of `revealed_at_block`.
pub type ThreejsSubmissions = Entries<Hotkey, ThreejsSubmission>;

json_file!(ThreejsSubmissions);

record! {
    /// One miner's build.
    pub struct ThreejsBuild {
        /// As submitted.
        pub repo: RepoName,
        /// As submitted.
        pub commit: CommitSha,
        /// As submitted.
        pub revealed_at_block: Block,
        /// As submitted (since round 20).
        pub hardware [optional]: Option<Vec<String>>,
        /// `<first seven digits of commit>-<round name>`
        pub tag: String,
        /// How far it has come.
        pub status: BuildStatus,
        /// The image, on success.
        pub docker_image: Option<String>,
    }
}

/// The builds by hotkey.
pub type ThreejsBuilds = Entries<Hotkey, ThreejsBuild>;

json_file!(ThreejsBuilds);

record! {
    /// A leader from a block on.
    pub struct ThreejsLeader {
        /// The miner.
        pub hotkey: Hotkey,
        /// Its program's repository.
        pub repo: RepoName,
        /// Its program's commit.
        pub commit: CommitSha,
        /// Its image.
        pub docker: String,
        /// What it runs on (filled into all entries when the file was next written after round 20).
        pub hardware [optional]: Option<Vec<String>>,
        /// The weight that validators set for it, 0 to 1.
        pub weight: f64,
        /// The first block at which this entry holds.
        pub effective_block: Block,
    }
}

/// The entries, oldest first.
pub type ThreejsLeaders = Vec<ThreejsLeader>;

json_file!(ThreejsLeaders);

record! {
    /// The winner: `leader` when the leader held.
    pub struct ThreejsWinner {
        /// Who won.
        pub winner_hotkey: Player,
        /// Its program's repository.
        pub repo: RepoName,
        /// Its program's commit.
        pub commit: CommitSha,
        /// Its image.
        pub docker_image: String,
        /// What it runs on (since round 20).
        pub hardware [optional]: Option<Vec<String>>,
    }
}

json_file!(ThreejsWinner);
