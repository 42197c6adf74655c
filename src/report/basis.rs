//! What a report rests on: the commit, the version of gen404, the rules in force, and what `verify` was asked. It stands
//! at the foot of every page, and in every file of data.

use std::collections::BTreeSet;

use serde::Serialize;

use super::text::encoded_path;
use crate::model::format::Format;
use crate::model::history::Version;
use crate::rules::checks::{Finding, VerifySummary, summary};

/// The version of gen404.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a report rests on.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Basis {
    /// The commit that is checked out; `None` without one.
    pub(crate) commit: Option<String>,
    /// How many files differ from it.
    pub(crate) uncommitted: usize,
    /// The rules in force, in words.
    pub(crate) rules: Vec<String>,
    /// What `verify --history` says of the commits; `None` if it was not asked.
    pub(crate) history: Option<VerifySummary>,
    /// Is there a feed?
    pub(crate) feed: bool,
    /// `OWNER/REPO` on GitHub, if the commit is there.
    #[serde(skip)]
    pub(crate) repository: Option<String>,
    /// The files that are on disk as the commit has them.
    #[serde(skip)]
    pub(crate) files: BTreeSet<String>,
    /// What past commits made of the files that tell of events, oldest first.
    #[serde(skip)]
    pub(crate) versions: Vec<Version>,
    /// The competition's format.
    #[serde(skip)]
    pub(crate) format: Format,
}

impl Basis {
    /// The commit's page on GitHub.
    pub(super) fn commit_page(&self) -> Option<String> {
        Some(format!("https://github.com/{}/commit/{}", self.repository.as_ref()?, self.commit.as_ref()?))
    }

    /// A file's page on GitHub at the commit; `None` if it is not there, or differs from what is shown.
    pub(super) fn file_page(&self, path: &str) -> Option<String> {
        let (repository, commit) = (self.repository.as_ref()?, self.commit.as_ref()?);
        let there = self.files.contains(path);
        there.then(|| format!("https://github.com/{repository}/blob/{commit}/{}", encoded_path(path)))
    }

    /// The file that a finding is about, by its subject: the subject may add a detail after a space or a colon.
    pub(super) fn subject_page(&self, subject: &str) -> Option<String> {
        let path = subject.split([' ', ':']).next().unwrap_or(subject);
        self.file_page(path)
    }
}

/// What `verify --history` says of the commits.
pub(crate) fn of_commits(findings: &[Finding]) -> VerifySummary {
    let of_commits = findings.iter().filter(|finding| finding.id.starts_with("history."));
    let of_commits: Vec<Finding> = of_commits.cloned().collect();
    summary(&of_commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_commit_on_github_have_pages() {
        let commit = "0a".repeat(20);
        let files = BTreeSet::from(["leader.json".to_owned(), "rounds/0/x y.json".to_owned()]);
        let repository = Some("own/comp".to_owned());
        let basis = Basis { commit: Some(commit.clone()), repository, files, ..Basis::default() };
        let page = |path: &str| format!("https://github.com/own/comp/blob/{commit}/{path}");
        assert_eq!(basis.file_page("leader.json"), Some(page("leader.json")));
        assert_eq!(basis.file_page("rounds/0/x y.json"), Some(page("rounds/0/x%20y.json")));
        assert_eq!(basis.subject_page("leader.json after round 0"), Some(page("leader.json")));
        assert_eq!(basis.file_page("state.json"), None, "it differs from the commit");
        assert_eq!(Basis { repository: None, ..basis }.file_page("leader.json"), None);
    }
}
