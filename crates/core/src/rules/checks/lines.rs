//! Files that several lines of a history made by themselves. A merge of such lines would let the reader take the rules in
//! force, and the time of a recording, from whichever line suits: the competition's own record has one line for a file.

use std::collections::BTreeMap;

use super::Sink;
use crate::base::text::counted;
use crate::model::history::BlobId;

/// The digits of a commit's id that are shown.
const SHORT: usize = 10;

/// A change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn<'a> {
    /// The commit.
    pub commit: &'a str,
    /// The file.
    pub path: String,
    /// Was it there before?
    pub before: bool,
    /// Is it there since?
    pub after: bool,
}

impl<'a> Turn<'a> {
    /// A change with the file's contents before and after it.
    #[must_use]
    pub fn new(commit: &'a str, path: String, before: Option<BlobId>, after: Option<BlobId>) -> Self {
        Turn { commit, path, before: before.is_some(), after: after.is_some() }
    }
}

/// Fails where a file was added by commits of which none comes after another. `turns`: all changes of all commits,
/// parents first; a merge's own are those that differ from each of its parents.
pub fn check<'a>(turns: impl IntoIterator<Item = Turn<'a>>, sink: &mut Sink) {
    let mut files: BTreeMap<String, (Vec<&str>, usize)> = BTreeMap::new();
    for turn in turns {
        let (added, removals) = files.entry(turn.path).or_default();
        if turn.after && !turn.before {
            added.push(turn.commit);
        }
        *removals += usize::from(turn.before && !turn.after);
    }
    // One that was removed may be added once more.
    let apart = files.into_iter().filter(|(_, (added, removals))| added.len() > removals + 1);
    let mut together: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    apart.for_each(|(path, (added, _))| together.entry(added).or_default().push(path));
    for (commits, paths) in together {
        let short = |id: &&str| id.get(..SHORT).unwrap_or(id).to_owned();
        let by = commits.iter().map(short).collect::<Vec<_>>().join(" and by ");
        let subject =
            format!("{} {}", by.rsplit(' ').next().unwrap_or_default(), paths.first().map_or("", |path| path));
        let more = match paths.len() - 1 {
            0 => String::new(),
            others => format!(", as {}", counted(others, "other file", "other files")),
        };
        sink.claim("history.append_only", None, subject, |claim| {
            claim.fail(format!(
                "added by {by}, on lines of the history that were merged{more}: which of them recorded it, by which \
                 rules and in time, cannot be told"
            ));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::checks::CheckStatus;

    fn found(turns: &[(&'static str, &str, bool, bool)]) -> Vec<String> {
        let mut sink = Sink::default();
        check(
            turns.iter().map(|(commit, path, before, after)| Turn {
                commit,
                path: (*path).to_owned(),
                before: *before,
                after: *after,
            }),
            &mut sink,
        );
        let failed = sink.finish().into_iter().filter(|found| found.status == CheckStatus::Fail);
        failed.map(|found| format!("{}: {}", found.subject, found.detail)).collect()
    }

    #[test]
    fn a_file_is_added_once_and_again_only_after_it_was_removed() {
        assert_eq!(
            found(&[("a", "config.json", false, true), ("b", "config.json", true, true)]),
            <[&str; 0]>::default()
        );
        let again = [("a", "x", false, true), ("b", "x", true, false), ("c", "x", false, true)];
        assert_eq!(found(&again), <[&str; 0]>::default());
    }

    #[test]
    fn files_that_two_lines_added_are_told_together() {
        let told = found(&[
            ("a", "config.json", false, true),
            ("a", "state.json", false, true),
            ("b", "config.json", false, true),
            ("b", "state.json", false, true),
        ]);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].starts_with("b config.json: added by a and by b, on lines"), "{told:#?}");
        assert!(told[0].contains("as 1 other file:"), "{told:#?}");
    }
}
