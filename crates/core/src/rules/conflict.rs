//! Other writers share the branch: can our commits be rebased onto theirs unchanged?

use std::collections::BTreeSet;

use crate::model::file::{FileIn, FileKind, Named};
use crate::model::ids::RoundNumber;
use crate::model::threejs::file::ThreejsFile;

/// Files of a round that grow beside what a player's own files record.
const BESIDE: [&str; 3] = ["builds.json", "generation_audits.json", "generation_reports.json"];

/// Where a file of a competition lies, in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the competition's own folder.
    Top,
    /// In a round's folder.
    Round {
        round: RoundNumber,
        /// Is it one of [`BESIDE`]?
        beside: bool,
    },
    /// In a player's folder.
    Player(RoundNumber),
}

impl Place {
    /// The place of the file at this path; `None` if no competition has such a file.
    fn of(path: &str) -> Option<Place> {
        FileKind::of_path(path).map(Place::from).or_else(|| ThreejsFile::of_path(path).map(Place::from))
    }

    fn round(&self) -> Option<RoundNumber> {
        match self {
            Place::Top => None,
            Place::Round { round, .. } | Place::Player(round) => Some(*round),
        }
    }
}

impl<R: Named, P: Named> From<FileIn<R, P>> for Place {
    fn from(file: FileIn<R, P>) -> Place {
        match file {
            FileIn::Config | FileIn::State | FileIn::Leader | FileIn::Pool => Place::Top,
            FileIn::Round(round, file) => Place::Round { round, beside: BESIDE.contains(&file.file_name().as_ref()) },
            FileIn::Player(round, ..) => Place::Player(round),
        }
    }
}

/// The path on which our writes collide with what others changed meanwhile; `None` if they do not.
///
/// Reads are not tracked file by file: the top-level files, the round's own files and those of the
/// previous round count as read. Other players' files count as read only by commands that decide
/// something, not by those that only record a player's own files.
#[must_use]
pub fn collision(written: &[String], changed: &[String]) -> Option<String> {
    let ours: Vec<Place> = written.iter().filter_map(|path| Place::of(path)).collect();
    let rounds: BTreeSet<RoundNumber> = ours.iter().filter_map(Place::round).collect();
    let only_records = ours.len() == written.len() && ours.iter().all(|place| matches!(place, Place::Player(_)));
    let decides_all = rounds.is_empty();
    let near = |round: &RoundNumber| decides_all || rounds.contains(round) || rounds.contains(&round.next());
    let read = |path: &&String| match Place::of(path) {
        None => false,
        Some(Place::Top) => true,
        Some(Place::Round { round, beside: false }) => near(&round),
        Some(Place::Round { round, beside: true } | Place::Player(round)) => !only_records && near(&round),
    };
    let written: BTreeSet<&String> = written.iter().collect();
    changed.iter().find(|path| written.contains(path)).or_else(|| changed.iter().find(read)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_neither_read_nor_written_stands_beside_ours() {
        let alice = "rounds/3/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY/submitted.json";
        let bob = "rounds/3/5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty/submitted.json";
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        for (ours, theirs, collides) in [
            (alice, bob, false),
            (alice, alice, true),
            (alice, "rounds/3/builds.json", false),
            (alice, "state.json", true),
            (alice, "rounds/3/submissions.json", true),
            ("rounds/3/matches_matrix.csv", bob, true),
            ("rounds/3/matches_matrix.csv", "rounds/3/question.toml", true),
            ("rounds/3/question.toml", "rounds/3/question.toml", true),
            ("rounds/3/seed.json", "rounds/2/prompts.txt", true),
            ("rounds/3/seed.json", "rounds/1/winner.json", false),
            ("rounds/3/seed.json", "rounds/3/source_audit.json", true),
            ("rounds/3/seed.json", "README.md", false),
            ("state.json", "rounds/7/builds.json", true),
            ("rounds/3/leader/generated_1.json", "rounds/3/generation_reports.json", false),
            ("rounds/3/leader/generated_1.json", "rounds/3/audit_matrix.csv", true),
            ("rounds/3/audit_matrix.csv", "rounds/3/generation_reports.json", true),
        ] {
            let found = collision(&paths(&[ours]), &paths(&["README.md", theirs]));
            assert_eq!(found.as_deref(), collides.then_some(theirs), "{ours} and {theirs}");
        }
    }
}
