//! Commits are signed by the signers that the reader named.
//!
//! A commit's date is what its author says, so it excuses nothing: a commit may be unsigned only if one that is signed,
//! or one that the reader named, comes after it, since that fixes it by its id.

use std::collections::BTreeMap;

use super::{Claim, Sink};
use crate::base::text::counted;
use crate::model::signing::{Signature, SignedCommit};

/// The commits, and from where on they have to be signed.
#[derive(Debug, Clone)]
pub struct Signing {
    /// The commits, parents first.
    pub commits: Vec<SignedCommit>,
    /// The place of the commit that the reader named as the first.
    pub from: Option<usize>,
    /// The first moment at which a key of the list is valid, in seconds.
    pub start: Option<i64>,
    /// Why the first commits are missing, if they are.
    pub shallow: Option<String>,
    /// The list of signers is one of the competition's own files.
    pub theirs: bool,
}

/// Checks the commits.
pub fn check(signing: &Signing, sink: &mut Sink) {
    sink.claim("history.signed", None, "--signers", |claim| {
        if signing.theirs {
            claim
                .warn("the list of signers is in the competition's folder, where whoever writes commits may change it");
        }
        if let Some(shallow) = &signing.shallow {
            claim.skip(format!("earlier commits are not here: {shallow}"));
        }
        commits(signing, claim);
    });
}

fn commits(signing: &Signing, claim: &mut Claim) {
    let signed = |commit: &SignedCommit| matches!(commit.signature, Signature::By(_));
    let first = signing.from.or_else(|| signing.commits.iter().position(signed));
    let Some(first) = first else {
        return claim.fail(format!(
            "none of {} is signed by one of the signers",
            counted(signing.commits.len(), "commit", "commits")
        ));
    };
    let before = ancestors(&signing.commits, first);
    // With a named first commit, what comes before it is the reader's business.
    let dated =
        |commit: &SignedCommit| signing.from.is_none() && signing.start.is_some_and(|start| commit.seconds >= start);
    let wanted = |(at, commit): &(usize, &SignedCommit)| !before.get(*at).copied().unwrap_or(false) || dated(commit);
    let (mut signers, mut refused) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for (_, commit) in signing.commits.iter().enumerate().filter(wanted) {
        match &commit.signature {
            Signature::By(who) => *signers.entry(who).or_default() += 1,
            Signature::Missing => refused.push((commit, "not signed")),
            Signature::Refused(why) => refused.push((commit, *why)),
        }
    }
    let told = |(commit, why): &(&SignedCommit, &str)| {
        let short = commit.id.get(..10).unwrap_or(&commit.id);
        format!("commit {short} ({}): {why}", commit.summary)
    };
    claim.fail_often(refused.len(), refused.iter().map(told));
    let by: Vec<String> = signers.iter().map(|(who, count)| format!("{who} ({count})")).collect();
    let since = signing.commits.get(first).map_or("", |commit| commit.id.get(..10).unwrap_or(&commit.id));
    claim.note(format!("since {since}, signed by {}", by.join(", ")));
}

/// For each commit, whether it comes before this one.
fn ancestors(commits: &[SignedCommit], of: usize) -> Vec<bool> {
    let mut before = vec![false; commits.len()];
    let mut next = vec![of];
    while let Some(at) = next.pop() {
        for parent in commits.get(at).into_iter().flat_map(|commit| &commit.parents) {
            if let Some(known) = before.get_mut(*parent).filter(|known| !**known) {
                *known = true;
                next.push(*parent);
            }
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    /// A commit by the letter of its signature: `s` signed, `-` not, `x` refused; with its parents.
    fn history(commits: &[(char, &[usize])]) -> Signing {
        let commits = commits.iter().enumerate().map(|(at, (kind, parents))| SignedCommit {
            id: format!("{at:040}"),
            summary: format!("commit {at}"),
            parents: parents.to_vec(),
            seconds: i64::try_from(at).unwrap() * 10,
            signature: match kind {
                's' => Signature::By("a@b.c".to_owned()),
                'x' => Signature::Refused("refused"),
                _ => Signature::Missing,
            },
        });
        Signing { commits: commits.collect(), from: None, start: None, shallow: None, theirs: false }
    }

    fn failed(signing: &Signing) -> Vec<usize> {
        let mut sink = Sink::default();
        check(signing, &mut sink);
        let failed = sink.finish().into_iter().find(|finding| finding.status == CheckStatus::Fail);
        let detail = failed.map(|finding| finding.detail).unwrap_or_default();
        let each = detail.split("; ").filter_map(|one| one.split("(commit ").nth(1)?.split(')').next()?.parse().ok());
        each.collect()
    }

    #[test]
    fn all_that_does_not_come_before_the_first_signed_commit_has_to_be_signed() {
        let line = history(&[('-', &[]), ('-', &[0]), ('s', &[1]), ('s', &[2])]);
        assert!(failed(&line).is_empty());
        let later = history(&[('-', &[]), ('s', &[0]), ('-', &[1]), ('x', &[2]), ('s', &[3])]);
        assert_eq!(failed(&later), [2, 3]);
        // A side branch that was merged, from before: no signature fixes it at that time.
        let merged = history(&[('-', &[]), ('s', &[0]), ('-', &[0]), ('s', &[1, 2])]);
        assert_eq!(failed(&merged), [2]);
        let mut sink = Sink::default();
        check(&history(&[('-', &[]), ('x', &[0])]), &mut sink);
        let finding = &sink.finish()[0];
        assert!(finding.status == CheckStatus::Fail && finding.detail.starts_with("none of 2 commits"), "{finding:?}");
    }

    #[test]
    fn the_keys_dates_and_the_readers_first_commit_move_the_beginning() {
        let line = history(&[('-', &[]), ('-', &[0]), ('-', &[1]), ('s', &[2])]);
        assert_eq!(failed(&Signing { start: Some(10), ..line.clone() }), [1, 2]);
        assert!(failed(&Signing { start: Some(500), ..line.clone() }).is_empty());
        assert_eq!(failed(&Signing { from: Some(2), start: Some(10), ..line.clone() }), [2]);
        assert_eq!(failed(&Signing { from: Some(0), ..line }), [0, 1, 2]);
        // An old date after a signed commit excuses nothing.
        let mut backdated = history(&[('s', &[]), ('-', &[0])]);
        backdated.commits[1].seconds = 0;
        assert_eq!(failed(&Signing { start: Some(5), ..backdated }), [1]);
    }
}
