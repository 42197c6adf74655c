//! `commit.gpgsign`: signed by git itself, with a key of ssh, and what happens while it signs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::checkouts::{checkout, commits, refused, run};
use crate::round::stage;
use crate::support::{git, skipped};

/// A checkout whose commits are to be signed with a new key; `None` where nothing can sign.
fn signing() -> Option<tempfile::TempDir> {
    let folder = checkout()?;
    let root = folder.path();
    let key = root.join(".git/key");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "a@b.c", "-f"]).arg(&key).status();
    if !made.is_ok_and(|made| made.success()) {
        skipped("no ssh-keygen");
        return None;
    }
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let allowed = root.join(".git/allowed");
    std::fs::write(&allowed, format!("a@b.c {public}")).unwrap();
    let settings = [
        ("commit.gpgsign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingkey", key.to_str().unwrap()),
        ("gpg.ssh.allowedSignersFile", allowed.to_str().unwrap()),
    ];
    settings.iter().for_each(|(name, value)| drop(git(root, &["config", name, value])));
    Some(folder)
}

/// git signs by way of this script, whose first argument is kept for `ssh-keygen`.
fn sign_by(root: &Path, script: &str) {
    let program = root.join(".git/signer");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\nexec ssh-keygen \"$@\"\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    git(root, &["config", "gpg.ssh.program", program.to_str().unwrap()]);
}

/// The first time is the trial before the work; the script's next lines are for the commit itself.
const NOT_AT_FIRST: &str = "[ -e .git/tried ] || { touch .git/tried; exec ssh-keygen \"$@\"; }";

#[test]
fn where_git_signs_so_do_we() {
    let Some(folder) = signing() else { return };
    let root = folder.path();
    let objects = git(root, &["count-objects"]);
    run(root, &["pause", "--commit", "--dry-run"]).ends(0);
    assert_eq!(git(root, &["count-objects"]), objects);
    commits(root);
    git(root, &["verify-commit", "HEAD"]);
    // A blob, a tree and a commit: nothing is left of the trial.
    let count = |text: &str| text.split(' ').next().unwrap().parse::<usize>().unwrap();
    assert_eq!(count(&git(root, &["count-objects"])), count(&objects) + 3);
    git(root, &["config", "commit.gpgsign", "no"]);
    run(root, &["resume", "--commit"]).ends(0);
    assert!(!git(root, &["cat-file", "-p", "HEAD"]).contains("gpgsig"));
}

#[test]
fn where_git_cannot_sign_nothing_is_begun() {
    let Some(folder) = signing() else { return };
    let root = folder.path();
    std::fs::remove_file(root.join(".git/key")).unwrap();
    let hint = "hint: fix user.signingkey";
    refused(root, 1, &["cannot sign a commit, as commit.gpgsign asks for: ", "git config commit.gpgsign false", hint]);
    git(root, &["config", "commit.gpgsign", "perhaps"]);
    refused(root, 1, &["commit.gpgsign"]);
    git(root, &["config", "commit.gpgsign", "true"]);
    let run = crate::support::gen404(root, &["pause", "--commit"]).ends(1);
    assert!(run.err.contains("cannot sign a commit") && stage(root) == "miner_generation", "no git program: {run:?}");
}

#[test]
fn a_branch_that_moves_while_a_commit_is_made_is_never_moved_back() {
    let Some(folder) = signing() else { return };
    let root = folder.path();
    let theirs = git(root, &["commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "theirs"]);
    sign_by(
        root,
        &format!("{NOT_AT_FIRST}\n[ -e .git/moved ] || git update-ref refs/heads/main {theirs}; touch .git/moved"),
    );
    let run_on = run(root, &["pause", "--commit"]).ends(1);
    assert!(run_on.err.contains("someone else committed in between"), "{run_on:?}");
    assert!(run_on.err.contains("the next run with --commit commits them"), "{run_on:?}");
    assert_eq!((git(root, &["rev-parse", "HEAD"]), stage(root)), (theirs, "paused".to_owned()));
    assert!(!root.join(".git/index.lock").exists());
    let run_on = run(root, &["pause", "--commit"]).ends(0);
    assert!(run_on.err.contains("committed what an interrupted run had written"), "{run_on:?}");
    assert_eq!(git(root, &["log", "--format=%s"]), "Update state (paused) for round 0\ntheirs\nA round");
    git(root, &["verify-commit", "HEAD"]);
    assert_eq!(git(root, &["status", "--porcelain"]), "");
}

/// The lock is taken before the branch moves, and the next run knows whose it was.
#[test]
fn killed_in_the_middle_of_a_commit_its_own_locks_are_taken_away() {
    let Some(folder) = signing() else { return };
    let root = folder.path();
    let head = git(root, &["rev-parse", "HEAD"]);
    // The script's parent is git, whose parent is the run.
    let kill = "[ -e .git/killed ] || { touch .git/killed; kill -KILL \"$(cut -d' ' -f4 /proc/$PPID/stat)\"; exit 1; }";
    sign_by(root, &format!("{NOT_AT_FIRST}\n{kill}"));
    let killed = run(root, &["pause", "--commit"]);
    assert_eq!(killed.code, -1, "{killed:?}");
    let lock = root.join(".git/index.lock");
    assert!(lock.exists() && stage(root) == "paused");
    assert_eq!(git(root, &["rev-parse", "HEAD"]), head);
    // Another file in its place is somebody else's, however alike.
    std::fs::rename(&lock, root.join(".git/aside")).unwrap();
    std::fs::copy(root.join(".git/aside"), &lock).unwrap();
    let run_on = run(root, &["pause", "--commit"]).ends(1);
    assert!(run_on.err.contains("another git program is at work here") && lock.exists(), "{run_on:?}");
    std::fs::rename(root.join(".git/aside"), &lock).unwrap();
    let run_on = run(root, &["pause", "--commit"]).ends(0);
    assert!(run_on.err.contains("committed what an interrupted run had written"), "{run_on:?}");
    assert!(!lock.exists() && !root.join(".git/gen404/index").exists());
    git(root, &["verify-commit", "HEAD"]);
    assert_eq!(git(root, &["log", "--format=%s"]), "Update state (paused) for round 0\nA round");
    assert_eq!(git(root, &["status", "--porcelain"]), "");
}
