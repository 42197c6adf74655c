//! Which commits of a repository belong to its newest competition: those since the last reset.

use std::collections::HashMap;

use crate::base::text::counted;
use crate::model::history::{BlobId, PathCommit};

/// Which commits of a history are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The place of the first one.
    pub first: usize,
    /// The place of the one that began round 0: until then, the competition is prepared by hand.
    pub begun: usize,
    /// The place after the last one.
    pub end: usize,
    /// What comes before them, in a line.
    pub earlier: Option<String>,
}

impl Window {
    /// The commits since the last reset: the last one that removed `rounds/0/seed.json` before it was last added, or
    /// `reset` (its place, and what it did), if that is later. The reset itself is not judged: it changes everything.
    #[must_use]
    pub fn newest(commits: &[PathCommit], reset: Option<(usize, &str)>) -> Window {
        let end = commits.len();
        let seeds = FirstSeeds::of(commits);
        let last = |end: usize, is: fn(&PathCommit) -> bool| {
            (0..end).rev().find(|at| commits.get(*at).is_some_and(is) && !seeds.stays(*at))
        };
        let seed = last(end, begins);
        let removed = last(seed.unwrap_or(end), ends);
        let removed = removed.map(|at| (at, "removed rounds/0/seed.json"));
        let Some((start, why)) = removed.into_iter().chain(reset).max_by_key(|(at, _)| *at) else {
            return Window { first: 1.min(end), begun: seed.unwrap_or(end), end, earlier: None };
        };
        let begun = seed.filter(|at| *at >= start).unwrap_or(end);
        let (at, why) = seed.filter(|at| *at > start).map_or((start, why), |at| (at, "added rounds/0/seed.json"));
        let prepared = match at.saturating_sub(start + 1) {
            0 => String::new(),
            count => format!(", or that prepared this one (the last {count}, which are checked)"),
        };
        let short = commits.get(at).map_or("", |commit| commit.id.get(..10).unwrap_or(&commit.id));
        let before = counted(at, "commit", "commits");
        let earlier = format!(
            "{before} of an earlier competition{prepared}, before {short}, the last that {why}; \
             use --from COMMIT to check an earlier one"
        );
        Window { first: start + 1, begun, end, earlier: (start > 0).then_some(earlier) }
    }
}

/// Round 0's seeds in the history. The same seed means the same competition: neither a changed key of config.json nor
/// files that are removed and put back hide what came before.
pub struct FirstSeeds {
    /// Each commit's last seed before it.
    before: Vec<Option<BlobId>>,
    /// The last commit that has a seed.
    last: HashMap<BlobId, usize>,
}

impl FirstSeeds {
    /// Finds the seeds in a history, first commit first.
    pub fn of(commits: &[PathCommit]) -> FirstSeeds {
        let (mut before, mut last) = (Vec::with_capacity(commits.len()), HashMap::new());
        let mut seeds: Vec<Option<BlobId>> = Vec::with_capacity(commits.len());
        let mut latest = None;
        for (at, commit) in commits.iter().enumerate() {
            before.push(latest);
            let change = commit.changes.iter().find(|change| change.path == FIRST_SEED);
            let parents = commit.parent.and_then(|parent| seeds.get(parent).copied().flatten());
            let seed = change.map_or(parents, |change| change.after);
            seeds.push(seed);
            if let Some(seed) = seed {
                last.insert(seed, at);
                latest = Some(seed);
            }
        }
        FirstSeeds { before, last }
    }

    /// Does this commit, or a later one, have the seed of the competition before it?
    pub fn stays(&self, at: usize) -> bool {
        let before = self.before.get(at).copied().flatten();
        before.and_then(|seed| self.last.get(&seed)).is_some_and(|last| *last >= at)
    }
}

/// The file that a competition begins with.
const FIRST_SEED: &str = "rounds/0/seed.json";

/// Does round 0 begin with this commit?
fn begins(commit: &PathCommit) -> bool {
    commit.changes.iter().any(|change| change.path == FIRST_SEED && change.before.is_none() && change.after.is_some())
}

/// Does a competition end with this commit?
pub fn ends(commit: &PathCommit) -> bool {
    commit.changes.iter().any(|change| change.path == FIRST_SEED && change.before.is_some() && change.after.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_the_last_commit_that_is_not_judged() {
        let commit = PathCommit {
            id: "a".repeat(40),
            summary: String::new(),
            parent: None,
            changes: Vec::new(),
            merged: Vec::new(),
        };
        let commits = [commit.clone(), commit.clone(), commit];
        let of = |reset| Window::newest(&commits, reset);
        assert_eq!(of(None), Window { first: 1, begun: 3, end: 3, earlier: None });
        let reset = of(Some((1, "changed the format from mesh to threejs")));
        assert_eq!(reset.first, 2);
        let line = "1 commit of an earlier competition, before aaaaaaaaaa, the last that changed the format from mesh";
        assert!(reset.earlier.unwrap().starts_with(line));
    }
}
