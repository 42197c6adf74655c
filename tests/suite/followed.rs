//! What a checkout is compared with when it follows no branch of its own: a renamed branch, a commit by itself, an address
//! that git turns into another one, and forms of a repository that are not read.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::continues::{Place, URL, commit, git, head, short};
use crate::support::{gen404, skipped};

#[test]
fn a_renamed_default_branch_is_a_warning_until_it_is_accepted() {
    let Some(place) = Place::new() else { return };
    let reader = place.new_clone("reader", &[]);
    place.verify(&reader, &[]).is("skip", &[]);
    let old = head(&reader);
    let writer = place.clone("writer", &[]);
    git(&writer, &["checkout", "-q", "--orphan", "trunk"]);
    git(&writer, &["commit", "-qm", "All of it"]);
    git(&writer, &["push", "-q", "origin", "trunk"]);
    let remote = place.top.path().join("remote.git");
    git(&remote, &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    git(&remote, &["branch", "-q", "-D", "main"]);
    for name in ["new", "newer"] {
        let clone = place.new_clone(name, &[]);
        place.verify(&clone, &[]).is("warn", &[short(&head(&clone)), short(&old), "of main", "--accept-rewrite"]);
        assert_eq!(place.remembered("trunk"), Value::Null);
    }
    let clone = place.new_clone("accepted", &[]);
    place.verify(&clone, &["--accept-rewrite", "--dry-run"]).is("warn", &["accepted"]);
    place.verify(&clone, &[]).is("warn", &["of main"]);
    place.verify(&clone, &["--accept-rewrite"]).is("warn", &["accepted by --accept-rewrite"]);
    place.verify(&clone, &[]).is("pass", &[]);
    assert_eq!(place.remembered("trunk"), head(&clone).as_str());
}

#[test]
fn a_commit_by_itself_is_compared_with_what_is_remembered_of_the_remote() {
    let Some(place) = Place::new() else { return };
    let (reader, writer) = (place.new_clone("reader", &[]), place.clone("writer", &[]));
    place.verify(&reader, &[]).is("skip", &[]);
    let first = head(&reader);
    // Older than the tip of the branch, which goes on.
    git(&reader, &["checkout", "-q", "HEAD~2"]);
    place.verify(&reader, &[]).is("pass", &["an older commit is checked out", short(&first)]);
    // Several branches with one tip.
    git(&reader, &["checkout", "-q", &first]);
    git(&writer, &["push", "-q", "origin", "main:same"]);
    git(&reader, &["fetch", "-q"]);
    place.verify(&reader, &[]).is("pass", &[short(&first)]);
    // A commit that is only here, on top of the branch and beside it.
    commit(&reader, "Mine");
    place.verify(&reader, &[]).is("pass", &[short(&first)]);
    git(&reader, &["checkout", "-q", &format!("{first}~2")]);
    commit(&reader, "Mine, beside");
    place.verify(&reader, &[]).is("warn", &["commits are checked out that it does not have"]);
    assert_eq!(place.remembered("main"), first.as_str());
    // A remote that was rewritten: in a new clone, and without any branch of it, as CI may check out.
    git(&writer, &["checkout", "-q", "--orphan", "fresh"]);
    git(&writer, &["commit", "-qm", "All of it"]);
    let rewritten = commit(&writer, "More");
    git(&writer, &["push", "-q", "--force", "origin", "fresh:main", "fresh:same"]);
    let new = place.new_clone("new", &[]);
    git(&new, &["checkout", "-q", "HEAD~1"]);
    place.verify(&new, &[]).is("fail", &[short(&first), "--accept-rewrite"]);
    // A branch of one's own, which follows none, hides nothing.
    git(&new, &["checkout", "-q", "-b", "mine", "--no-track", &rewritten]);
    place.verify(&new, &[]).is("fail", &[short(&first), "--accept-rewrite"]);
    for branch in git(&new, &["for-each-ref", "--format=%(refname)", "refs/remotes"]).lines() {
        git(&new, &["update-ref", "--no-deref", "-d", branch]);
    }
    git(&new, &["checkout", "-q", "--detach", &rewritten]);
    place.verify(&new, &[]).is("fail", &[short(&rewritten), "what is checked out", short(&first)]);
    // Honest ones without any branch: newer, and older while the head is here.
    let plain = place.top.path().join("plain");
    git(place.top.path(), &["clone", "-q", reader.to_str().unwrap(), plain.to_str().unwrap()]);
    git(&plain, &["config", "remote.origin.url", URL]);
    for (at, says) in [(first.clone(), "contains"), (format!("{first}~1"), "an older commit is checked out")] {
        git(&plain, &["checkout", "-q", "--detach", &at]);
        for branch in git(&plain, &["for-each-ref", "--format=%(refname)", "refs/remotes"]).lines() {
            git(&plain, &["update-ref", "--no-deref", "-d", branch]);
        }
        place.verify(&plain, &[]).is("pass", &[says]);
    }
    assert_eq!(place.remembered("main"), first.as_str());
}

#[test]
fn heads_are_remembered_by_the_address_that_git_goes_to() {
    let Some(place) = Place::new() else { return };
    let reader = place.new_clone("reader", &[]);
    place.verify(&reader, &[]).is("skip", &[]);
    let here = place.top.path().join("remote.git").canonicalize().unwrap();
    // By the repository's own configuration: what was remembered before by the address as written still counts.
    git(&reader, &["config", &format!("url.{}.insteadOf", place.real()), URL]);
    let found = place.verify(&reader, &[]);
    found.is("pass", &["the address written down is github.com/404-repo/comp"]);
    assert_eq!(found.found[0].1, format!("{} main", here.display()));
    git(&reader, &["config", "--remove-section", &format!("url.{}", place.real())]);
    // By the user's.
    let home = place.top.path().join("home");
    std::fs::write(home.join(".gitconfig"), format!("[url \"{}\"]\n\tinsteadOf = {URL}\n", place.real())).unwrap();
    let writer = place.clone("writer", &[]);
    git(&writer, &["commit", "-q", "--amend", "-m", "Another"]);
    git(&writer, &["push", "-q", "--force"]);
    place.verify(&place.new_clone("new", &[]), &[]).is("fail", &["the address written down is"]);
    std::fs::write(home.join(".gitconfig"), "[url").unwrap();
    let run = place.verify(&reader, &[]).run;
    assert!(run.code == 1 && run.err.contains(".gitconfig: cannot be read"), "{run:?}");
}

#[test]
fn forms_of_a_repository_that_are_not_read_are_named() {
    let of = |flags: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("git").args(["init", "-q"]).args(flags).arg(folder.path()).output();
        let made = made.is_ok_and(|made| made.status.success());
        if !made {
            skipped(&format!("no git program that knows {flags:?}"));
        }
        made.then_some(folder)
    };
    let says = |folder: &Path, what: &str, hint: &str| {
        for args in [&["verify"][..], &["status"], &["report", "--out", "../report"]] {
            let run = gen404(folder, args).ends(1);
            assert!(run.err.contains(what) && run.err.contains(hint), "{args:?}: {run:?}");
        }
    };
    if let Some(folder) = of(&["--ref-format=reftable"]) {
        says(folder.path(), "its branches are stored as \"reftable\"", "git refs migrate --ref-format=files");
    }
    if let Some(folder) = of(&["--object-format=sha256"]) {
        says(folder.path(), "its commits have \"sha256\" ids", "SHA-1");
    }
}
