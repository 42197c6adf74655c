//! The history contains the head that this reader verified last, and the commit that it expects.

use super::{Claim, Sink};
use crate::base::text::counted;

/// What is known of a history from outside of it.
#[derive(Debug, Clone)]
pub struct Continuity {
    /// The commit that is checked out.
    pub head: String,
    /// The remote's address and its branch; `None` where they are unknown.
    pub of: Option<String>,
    /// The address that is written down, where git makes another one of it.
    pub written: Option<String>,
    /// How the history stands to the head that was verified last; `None` if that is not asked.
    pub since: Option<Since>,
    /// The commits that are missing because the clone is shallow: why, and what to do.
    pub shallow: Option<String>,
    /// Accept a history that does not contain the head that was verified last.
    pub accept: bool,
    /// The commit that has to be there, as it was given; and whether it is.
    pub expected: Option<(String, bool)>,
    /// Commits of the history in whose place git shows others here.
    pub stood_in_for: Vec<String>,
}

/// How a history stands to the head that was verified last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// There is nothing to compare with, for this reason.
    Unknown(String),
    /// The heads that are remembered cannot be read.
    Unreadable(String),
    /// No head of this branch was verified before; the branches of this remote of which one was, and which is not
    /// contained, if all are so. It is not remembered before the reader accepts that.
    First(Vec<(String, String)>),
    /// It contains this head.
    Contains(String),
    /// An older commit is checked out: the remote's branch, as fetched, contains it and the head.
    Older(String),
    /// Commits are checked out that the remote's branch, as fetched, does not have; it contains the head.
    Beside(String),
    /// The remote's branch, as fetched, does not contain this head.
    Lacks {
        /// The head that was verified last.
        last: String,
        /// The branch's last commit.
        tip: String,
        /// The remote's name here.
        remote: String,
    },
}

/// Checks one history.
pub fn check(known: &Continuity, sink: &mut Sink) {
    let subject = known.of.clone().unwrap_or_else(|| "the history".to_owned());
    if let Some(since) = &known.since {
        sink.claim("history.continues", None, subject, |claim| {
            compared(known, since, claim);
            if let Some(written) = &known.written {
                let how =
                    format!(" (the address written down is {written}; git's url.*.insteadOf makes this one of it)");
                claim.by(&how);
                claim.note.push_str(&how);
            }
        });
    }
    if let Some((wanted, there)) = &known.expected {
        sink.claim("history.continues", None, format!("--expect {wanted}"), |claim| {
            let head = short(&known.head);
            if known.head.starts_with(&wanted.to_ascii_lowercase()) {
                claim.note("it is checked out");
            } else if *there {
                claim.note(format!("it is in the history of {head}, which is checked out"));
            } else {
                let shallow = known.shallow.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                claim.fail(format!("commit {wanted} is neither {head} nor in its history{shallow}"));
            }
        });
    }
    if !known.stood_in_for.is_empty() {
        sink.claim("history.continues", None, "git replace", |claim| {
            for commit in &known.stood_in_for {
                claim.fail(format!(
                    "git shows something else in place of commit {} here, by refs/replace or info/grafts; the commit \
                     itself was checked (git replace -d {commit}, or remove the graft)",
                    short(commit)
                ));
            }
        });
    }
}

fn compared(known: &Continuity, since: &Since, claim: &mut Claim) {
    let head = short(&known.head);
    match since {
        Since::Unknown(why) => claim.skip(format!("nothing to compare with: {why}")),
        Since::Unreadable(why) => claim.warn(format!("not compared with the head verified last: {why}")),
        Since::First(others) if others.is_empty() => {
            claim.skip(format!("nothing to compare with: {head} is the first head of it that is verified here"));
        }
        Since::First(others) => {
            let shown = others.iter().take(3).map(|(branch, head)| format!("{} of {branch}", short(head)));
            let then = if known.accept {
                "accepted by --accept-rewrite"
            } else {
                "if the branch was renamed, its history was rewritten; otherwise verify --accept-rewrite ends this warning"
            };
            claim.warn(format!(
                "{head} is the first head of this branch that is verified here, and does not contain what was verified \
                 of the remote's {}: {}; {then}",
                counted(others.len(), "other branch", "other branches"),
                shown.collect::<Vec<_>>().join(", ")
            ));
        }
        Since::Contains(last) => claim.note(format!("{head} contains {}, the head verified last", short(last))),
        Since::Older(last) => claim.note(format!(
            "an older commit is checked out: the remote's branch contains {head} and {}, the head verified last",
            short(last)
        )),
        Since::Beside(last) => claim.warn(format!(
            "{head} does not contain {}, the head verified last, but the remote's branch does: commits are checked out \
             that it does not have",
            short(last)
        )),
        Since::Lacks { last, tip, remote } => lacks(known, (&short(tip), &short(last), remote), claim),
    }
}

fn lacks(known: &Continuity, (tip, last, remote): (&str, &str, &str), claim: &mut Claim) {
    if known.accept {
        claim.warn(format!("{tip} does not contain {last}, the head verified last: accepted by --accept-rewrite"));
    } else if let Some(shallow) = &known.shallow {
        claim.skip(format!("{last}, the head verified last, is not here: {shallow}"));
    } else {
        let whose = if tip == short(&known.head) { "what is checked out" } else { "the remote's head" };
        claim.fail(format!(
            "{tip}, {whose}, does not contain {last}, the head verified last: the history was rewritten, or \
             this checkout is older. `git fetch {remote}` gets {last} if it is only older; to go on with a history that \
             was rewritten: verify --accept-rewrite"
        ));
    }
}

fn short(commit: &str) -> String {
    commit.get(..10).unwrap_or(commit).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn statuses(since: Since, change: impl FnOnce(&mut Continuity)) -> Vec<(CheckStatus, String)> {
        let mut known = Continuity {
            head: "a".repeat(40),
            of: Some("host/comp main".to_owned()),
            written: None,
            since: Some(since),
            shallow: None,
            accept: false,
            expected: None,
            stood_in_for: Vec::new(),
        };
        change(&mut known);
        let mut sink = Sink::default();
        check(&known, &mut sink);
        sink.finish().into_iter().map(|finding| (finding.status, finding.detail)).collect()
    }

    fn lacking() -> Since {
        Since::Lacks { last: "b".repeat(40), tip: "a".repeat(40), remote: "origin".to_owned() }
    }

    #[test]
    fn a_head_that_is_lacking_is_a_failure_that_names_both_and_what_to_do() {
        let [(status, detail)] = statuses(lacking(), |_| ()).try_into().unwrap();
        assert_eq!(status, CheckStatus::Fail);
        for part in ["aaaaaaaaaa", "bbbbbbbbbb", "git fetch origin", "--accept-rewrite"] {
            assert!(detail.contains(part), "{detail}");
        }
        assert_eq!(statuses(lacking(), |known| known.accept = true)[0].0, CheckStatus::Warn);
        let shallow = statuses(lacking(), |known| known.shallow = Some("shallow clone: 1 commit".to_owned()));
        assert_eq!(shallow[0].0, CheckStatus::Skip);
    }

    #[test]
    fn nothing_passes_that_was_not_compared() {
        let last = || "b".repeat(40);
        for (since, status) in [
            (Since::Unknown("no remote".to_owned()), CheckStatus::Skip),
            (Since::Unreadable("heads.json".to_owned()), CheckStatus::Warn),
            (Since::First(Vec::new()), CheckStatus::Skip),
            (Since::First(vec![("main".to_owned(), last())]), CheckStatus::Warn),
            (Since::Contains(last()), CheckStatus::Pass),
            (Since::Older(last()), CheckStatus::Pass),
            (Since::Beside(last()), CheckStatus::Warn),
        ] {
            assert_eq!(statuses(since.clone(), |_| ())[0].0, status, "{since:?}");
        }
    }

    #[test]
    fn what_is_expected_or_replaced_is_a_claim_of_its_own() {
        let contains = || Since::Contains("b".repeat(40));
        let expected = |there| statuses(contains(), |known| known.expected = Some(("1234567".to_owned(), there)));
        assert_eq!(expected(true)[1].0, CheckStatus::Pass);
        assert_eq!(expected(false)[1].0, CheckStatus::Fail);
        let replaced = statuses(contains(), |known| known.stood_in_for = vec!["c".repeat(40)]);
        assert!(replaced[1].0 == CheckStatus::Fail && replaced[1].1.contains("git replace -d cccccccccccc"));
    }
}
