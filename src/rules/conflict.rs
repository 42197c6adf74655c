//! Other writers share the branch: can our commits be rebased onto theirs unchanged?

use std::collections::BTreeSet;

use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::RoundNumber;

/// The path on which our writes collide with what others changed meanwhile; `None` if they do not.
///
/// Reads are not tracked file by file: the top-level files, the round's own files and those of the
/// previous round count as read. Other players' files count as read only by commands that decide
/// something, not by those that only record a player's own files.
#[must_use]
pub(crate) fn collision(written: &[String], changed: &[String]) -> Option<String> {
    let ours: Vec<FileKind> = written.iter().filter_map(|path| FileKind::of_path(path)).collect();
    let rounds: BTreeSet<RoundNumber> = ours.iter().filter_map(FileKind::round).collect();
    let only_records = ours.len() == written.len() && ours.iter().all(|file| matches!(file, FileKind::Player(..)));
    let decides_all = rounds.is_empty();
    let near = |round: &RoundNumber| decides_all || rounds.contains(round) || rounds.contains(&round.next());
    let read = |path: &&String| match FileKind::of_path(path) {
        None => false,
        Some(FileKind::Config | FileKind::State | FileKind::Leader | FileKind::Pool) => true,
        Some(FileKind::Round(round, RoundFile::Builds | RoundFile::GenerationAudits)) => !only_records && near(&round),
        Some(FileKind::Round(round, _)) => near(&round),
        Some(FileKind::Player(round, ..)) => !only_records && near(&round),
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
        ] {
            let found = collision(&paths(&[ours]), &paths(&["README.md", theirs]));
            assert_eq!(found.as_deref(), collides.then_some(theirs), "{ours} and {theirs}");
        }
    }
}
