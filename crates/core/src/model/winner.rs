//! `rounds/N/winner.json`: who won the round.

use super::file::RepoFile;
use super::format::Format;
use super::ids::{CommitSha, Player, RepoName};
use super::record::{ParseError, parse_json, record};

record! {
    /// The winner: `leader` if the leader held.
    pub struct Winner {
        /// The winner, under the documented key.
        pub hotkey [optional]: Option<Player>,
        /// The winner, under the key that the deployed services read.
        pub winner_hotkey [optional]: Option<Player>,
        /// Its program's repository.
        pub repo: RepoName,
        /// Its program's commit.
        pub commit: CommitSha,
        /// Its image.
        pub docker_image: String,
    }
}

impl Winner {
    /// A new file, with both keys.
    #[must_use]
    pub fn new(player: Player, repo: RepoName, commit: CommitSha, docker_image: String) -> Self {
        let extra = super::record::Extra::default();
        Winner { hotkey: Some(player.clone()), winner_hotkey: Some(player), repo, commit, docker_image, extra }
    }

    /// The winner. Parsing ensures that at least one of the two keys is present.
    #[must_use]
    pub fn player(&self) -> &Player {
        self.hotkey.as_ref().or(self.winner_hotkey.as_ref()).unwrap_or(&Player::Leader)
    }
}

impl RepoFile for Winner {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let winner: Winner = parse_json(bytes)?;
        match (&winner.hotkey, &winner.winner_hotkey) {
            (None, None) => Err(ParseError::whole("both `hotkey` and `winner_hotkey` are missing")),
            (Some(a), Some(b)) if a != b => {
                Err(ParseError::whole(format!("`hotkey` is {a}, but `winner_hotkey` is {b}")))
            }
            _ => Ok(winner),
        }
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer_pretty(out, self)?)
    }
}
