//! Whatever a stranger may have committed once is a finding, or an error that names the object; the rest is checked.

use std::path::Path;
use std::process::Command;

use crate::hostile_git::{checkout, git_with, plant, run};
use crate::support::{Run, git};

const FILE: &str = "100644";

fn id(hex: &str) -> gix::ObjectId {
    gix::ObjectId::from_hex(hex.as_bytes()).unwrap()
}

fn blob(folder: &Path, bytes: &[u8]) -> gix::ObjectId {
    id(&git_with(folder, &["hash-object", "-w", "--stdin"], bytes))
}

/// The tree of what is checked out, with another entry in place of the one at this path.
fn tree_with(folder: &Path, tree: &str, path: &str, entry: &str) -> String {
    let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let listed = git(folder, &["ls-tree", tree]);
    let mut lines: Vec<&str> = listed.lines().collect();
    lines.retain(|line| !line.ends_with(&format!("\t{name}")));
    let entry = match rest {
        Some(rest) => format!("040000 tree {}", {
            let within = if tree.contains(':') { '/' } else { ':' };
            tree_with(folder, &format!("{tree}{within}{name}"), rest, entry)
        }),
        None => entry.to_owned(),
    };
    let line = format!("{entry}\t{name}");
    lines.push(&line);
    git_with(folder, &["mktree", "--missing"], lines.join("\n").as_bytes())
}

/// Commits another entry at a path, and then what was there before: what was planted is old.
fn once(folder: &Path, path: &str, entry: &str) -> String {
    let (head, tree) = (git(folder, &["rev-parse", "HEAD"]), git(folder, &["rev-parse", "HEAD^{tree}"]));
    let with = tree_with(folder, &tree, path, entry);
    let commit = |tree: &str, parent: &str| git(folder, &["commit-tree", tree, "-p", parent, "-m", "A round"]);
    let planted = commit(&with, &head);
    git(folder, &["update-ref", "HEAD", &commit(&tree, &planted)]);
    planted
}

fn line<'a>(run: &'a Run, parts: &[&str]) -> &'a str {
    let found = run.out.lines().find(|line| parts.iter().all(|part| line.contains(part)));
    found.unwrap_or_else(|| panic!("nothing says {parts:?} in {run:?}"))
}

/// All commands that look into the history end as usual; the planted commit is a finding of `verify --history`.
#[track_caller]
fn is_found(folder: &Path, planted: &str, parts: &[&str]) {
    let verified = run(folder, &["verify", "--history"]);
    assert!(verified.err.is_empty(), "{verified:?}");
    line(&verified, &[&[&planted[..10]], parts].concat());
    assert!(line(&verified, &["pass, ", "skip"]).contains("holds"), "it goes on to the end");
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    for args in [&["verify"][..], &["report", "--out", out], &["log"], &["status"]] {
        let run = run(folder, args);
        let says_nothing = run.err.lines().all(|line| line.starts_with("wrote "));
        assert!(run.code == 0 && says_nothing, "{args:?}: {run:?}");
    }
}

#[test]
fn a_version_over_its_size_limit_is_a_finding() {
    for path in
        ["config.json", "state.json", "leader.json", "prompts.txt", "rounds/0/seed.json", "rounds/0/builds.json"]
    {
        let Some(folder) = checkout() else { return };
        let text = std::fs::read(folder.path().join(path)).unwrap();
        // Text of the same meaning: a parser would take it.
        let padded = [text, vec![b' '; 35 << 20]].concat();
        let entry = format!("{FILE} blob {}", blob(folder.path(), &padded));
        let planted = once(folder.path(), path, &entry);
        is_found(folder.path(), &planted, &[path, "bytes; at most"]);
    }
}

#[test]
fn what_stands_in_place_of_a_file_or_a_folder_is_a_finding() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    let (link, head) = (blob(folder, b"/etc/passwd"), git(folder, &["rev-parse", "HEAD"]));
    let (tree, file) = (git(folder, &["rev-parse", "HEAD^{tree}"]), blob(folder, b"{}"));
    let player = git(folder, &["ls-tree", "-d", "--name-only", "HEAD", "rounds/0/"]).lines().next().unwrap().to_owned();
    for (path, entry, says) in [
        ("config.json", format!("120000 blob {link}"), "a symbolic link in this commit"),
        ("config.json", format!("160000 commit {head}"), "a submodule in this commit"),
        ("config.json", format!("040000 tree {tree}"), "a folder in this commit"),
        ("rounds/0/seed.json", format!("120000 blob {link}"), "a symbolic link in this commit"),
        ("rounds/0/source_audit.json", format!("120000 blob {link}"), "a symbolic link in this commit"),
        ("rounds", format!("120000 blob {link}"), "a symbolic link in this commit"),
        ("rounds/7", format!("160000 commit {head}"), "a submodule in this commit"),
        ("rounds/7", format!("{FILE} blob {file}"), "a file in place of a folder in this commit"),
        (&player, format!("120000 blob {link}"), "a symbolic link in this commit"),
        // A file by its mode, but not by the object.
        ("config.json", format!("{FILE} commit {head}"), "is a commit"),
        ("config.json", format!("{FILE} tree {tree}"), "is a tree"),
    ] {
        let before = git(folder, &["rev-parse", "HEAD"]);
        let planted = match entry.strip_prefix(FILE).and_then(|rest| rest.trim().split_once(' ')) {
            Some(("commit" | "tree", object)) => raw(folder, path, object),
            _ => once(folder, path, &entry),
        };
        is_found(folder, &planted, &[path, says]);
        git(folder, &["update-ref", "HEAD", &before]);
    }
}

/// As `once`, with an entry that `git mktree` does not make: a file at the top whose object is none.
fn raw(folder: &Path, name: &str, object: &str) -> String {
    let (head, tree) = (git(folder, &["rev-parse", "HEAD"]), git(folder, &["rev-parse", "HEAD^{tree}"]));
    let stand_in = blob(folder, b"stand in");
    let with = tree_with(folder, &tree, name, &format!("{FILE} blob {stand_in}"));
    let mut command = Command::new("git");
    let bytes = command.args(["cat-file", "tree", &with]).current_dir(folder).output().unwrap().stdout;
    let at = bytes.windows(20).position(|bytes| bytes == stand_in.as_slice()).unwrap();
    let bytes = [&bytes[..at], id(object).as_slice(), &bytes[at + 20..]].concat();
    let with = git_with(folder, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes);
    let commit = |tree: &str, parent: &str| git(folder, &["commit-tree", tree, "-p", parent, "-m", "A round"]);
    let planted = commit(&with, &head);
    git(folder, &["update-ref", "HEAD", &commit(&tree, &planted)]);
    planted
}

#[test]
fn a_date_that_cannot_be_is_a_finding() {
    let dates =
        ["99999999999999999999 +0000", "-62135596801 +0000", "9223372036854775807 +0000", "soon", "1 +99999999", ""];
    for date in dates {
        let Some(folder) = checkout() else { return };
        let folder = folder.path();
        let (head, tree) = (git(folder, &["rev-parse", "HEAD"]), git(folder, &["rev-parse", "HEAD^{tree}"]));
        let text =
            format!("tree {tree}\nparent {head}\nauthor A <a@b.c> {date}\ncommitter A <a@b.c> {date}\n\nA round\n");
        let planted =
            git_with(folder, &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], text.as_bytes());
        git(folder, &["update-ref", "HEAD", &planted]);
        if date == "1 +99999999" {
            assert_eq!(run(folder, &["verify", "--history"]).code, 0, "an odd time zone is not looked at");
        } else {
            is_found(folder, &planted, &["history.writer", "dates", "its date is none of the years"]);
        }
    }
}

#[test]
fn names_of_any_length_and_bytes_are_passed_over() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    let file = blob(folder, b"{}");
    let long = "x".repeat(1 << 20);
    let before = run(folder, &["verify", "--history"]).ends(0).out;
    plant(
        folder,
        &[
            (FILE, &long, file),
            (FILE, &format!("duels_{long}.json"), file),
            ("40000", &long, id(&git(folder, &["rev-parse", "HEAD^{tree}"]))),
        ],
    );
    for name in [
        format!("rounds/0/{long}"),
        format!("rounds/{}", "9".repeat(1 << 16)),
        format!("rounds/0/leader/duels_{long}.json"),
    ] {
        once(folder, &name, &format!("{FILE} blob {file}"));
    }
    let after = run(folder, &["verify", "--history"]);
    assert!(after.code <= 1 && after.err.is_empty() && after.out.len() < before.len() + 40_000, "{}", after.out.len());
}

#[test]
fn tags_are_peeled_at_the_head_and_refused_as_a_parent_or_a_tree() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    git(folder, &["tag", "-a", "-m", "One", "one"]);
    git(folder, &["tag", "-a", "-m", "Two", "two", "one"]);
    let (tag, tree) = (git(folder, &["rev-parse", "two"]), git(folder, &["rev-parse", "HEAD^{tree}"]));
    let head = std::fs::read_to_string(folder.join(".git/HEAD")).unwrap();
    std::fs::write(folder.join(".git/HEAD"), format!("{tag}\n")).unwrap();
    run(folder, &["verify", "--history"]).ends(0);
    std::fs::write(folder.join(".git/HEAD"), head).unwrap();
    let person = "author A <a@b.c> 1772323200 +0000\ncommitter A <a@b.c> 1772323200 +0000\n\nA round\n";
    for text in [format!("tree {tree}\nparent {tag}\n{person}"), format!("tree {tag}\n{person}")] {
        let made = git_with(folder, &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], text.as_bytes());
        git(folder, &["update-ref", "--no-deref", "HEAD", &made]);
        let run = run(folder, &["verify", "--history"]).ends(1);
        assert!(run.err.contains(&format!("{tag} is a tag")), "{run:?}");
    }
}

#[test]
fn a_missing_object_is_an_error_that_names_it() {
    for (what, of) in
        [("blob", "HEAD~1:config.json"), ("tree", "HEAD~1^{tree}"), ("tree", "HEAD~1:rounds/0"), ("commit", "HEAD~2")]
    {
        let Some(folder) = checkout() else { return };
        let folder = folder.path();
        let old = blob(folder, b"{\"name\": \"old\"}");
        once(folder, "config.json", &format!("{FILE} blob {old}"));
        let gone = git(folder, &["rev-parse", of]);
        // Objects that today's files share with it are missing as well, and then named first.
        let path = folder.join(".git/objects").join(&gone[..2]).join(&gone[2..]);
        if !path.exists() {
            git(folder, &["unpack-objects", "-q"]);
        }
        std::fs::remove_file(&path).unwrap();
        let run = run(folder, &["verify", "--history"]).ends(1);
        assert!(run.err.contains(what) && run.err.contains(&gone) && run.err.contains("missing"), "{of}: {run:?}");
    }
}

#[test]
fn a_tree_out_of_order_or_cut_off_is_an_error_that_names_it() {
    for cut in [false, true] {
        let Some(folder) = checkout() else { return };
        let folder = folder.path();
        let mut command = Command::new("git");
        let bytes = command.args(["cat-file", "tree", "HEAD"]).current_dir(folder).output().unwrap().stdout;
        let bytes = if cut { bytes[..bytes.len() - 7].to_vec() } else { [&bytes[..], &bytes[..]].concat() };
        let tree = git_with(folder, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes);
        let made =
            git(folder, &["commit-tree", &git(folder, &["rev-parse", "HEAD^{tree}"]), "-p", "HEAD", "-m", "A round"]);
        let text = git(folder, &["cat-file", "commit", &made]);
        let text = text.replacen(text.lines().next().unwrap(), &format!("tree {tree}"), 1) + "\n";
        let made = git_with(folder, &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], text.as_bytes());
        git(folder, &["update-ref", "HEAD", &made]);
        let run = run(folder, &["verify", "--history"]).ends(1);
        assert!(run.err.contains(&tree), "{cut}: {run:?}");
    }
}

/// A commit without a parent, or on a branch of its own, that has all files once more, and other rules.
fn beside(folder: &Path, from: Option<&str>) {
    let head = git(folder, &["rev-parse", "HEAD"]);
    let config = git(folder, &["show", "HEAD:config.json"]).replace("\"win_margin\": 0.05", "\"win_margin\": 0.95");
    let entry = format!("{FILE} blob {}", blob(folder, config.as_bytes()));
    let tree = tree_with(folder, "HEAD^{tree}", "config.json", &entry);
    let parent: Vec<&str> = from.into_iter().flat_map(|parent| ["-p", parent]).collect();
    let side = git(folder, &[&["commit-tree", &tree, "-m", "All of it once more"][..], &parent].concat());
    let merge = git(folder, &["commit-tree", "HEAD^{tree}", "-p", &head, "-p", &side, "-m", "A merge"]);
    git(folder, &["update-ref", "HEAD", &merge]);
}

#[test]
fn a_line_that_has_everything_once_more_lends_no_claim_its_rules() {
    let first = |folder: &Path| git(folder, &["rev-list", "--max-parents=0", "HEAD"]);
    for from_first in [false, true] {
        let Some(folder) = checkout() else { return };
        let folder = folder.path();
        let head = git(folder, &["rev-parse", "HEAD^{tree}"]);
        let from = from_first.then(|| first(folder));
        beside(folder, from.as_deref());
        assert_eq!(git(folder, &["rev-parse", "HEAD^{tree}"]), head, "the files are as before");
        for args in [&["verify"][..], &["verify", "--history"]] {
            let verified = run(folder, args);
            assert_eq!(verified.code, 1, "{args:?}: {verified:?}");
            line(&verified, &["history.append_only", "on lines of the history that were merged", "other files"]);
        }
    }
}

#[test]
fn a_merge_of_what_two_hosts_recorded_is_none() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    let before = run(folder, &["verify", "--history"]);
    // The last commit on one line, and a plain note on another, beside it.
    let (head, parent) = (git(folder, &["rev-parse", "HEAD"]), git(folder, &["rev-parse", "HEAD~1"]));
    let note = |tree: &str| tree_with(folder, tree, "NOTES", &format!("{FILE} blob {}", blob(folder, b"a note")));
    let side = git(folder, &["commit-tree", &note("HEAD~1^{tree}"), "-p", &parent, "-m", "A note"]);
    let merge = git(folder, &["commit-tree", &note("HEAD^{tree}"), "-p", &head, "-p", &side, "-m", "A merge"]);
    git(folder, &["update-ref", "HEAD", &merge]);
    let after = run(folder, &["verify", "--history"]);
    assert_eq!(after.code, before.code, "{after:?}");
    assert!(!after.out.contains("on lines of the history"), "{after:?}");
}
