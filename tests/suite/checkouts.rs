//! `--commit` in every state that a checkout can be in: refused before the work, or nothing of it lost.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use crate::commands::init_args;
use crate::round::stage;
use crate::snapshots::Transcript;
use crate::support::{IDENTITY, Run, command, git, skipped};

/// A round in `miner_generation`, committed by the git program; `None` where there is none.
pub fn checkout() -> Option<tempfile::TempDir> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    Some(folder)
}

fn make(root: &Path) {
    crate::round::write(root, &[], 2);
    std::fs::write(root.join(".gitignore"), ".gen404\n").unwrap();
    git(root, &["init", "-q", "-b", "main"]);
    git(root, &["config", "user.name", "A"]);
    git(root, &["config", "user.email", "a@b.c"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "A round"]);
}

/// gen404 with what the git program needs of the environment.
pub fn run(root: &Path, args: &[&str]) -> Run {
    ended(command(root).env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(args))
}

pub fn ended(command: &mut Command) -> Run {
    let run = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: run.status.code().unwrap_or(-1), out: text(run.stdout), err: text(run.stderr) }
}

/// `pause --commit` ends with this code and says all of this; neither files nor branch nor index have changed. A
/// dry run says the same.
#[track_caller]
pub fn refused(root: &Path, code: i32, says: &[&str]) {
    for args in [&["pause", "--commit", "--dry-run"][..], &["pause", "--commit"]] {
        is_refused(root, args, code, says);
    }
}

/// As [`refused`], with what it says in the snapshot of this name.
#[track_caller]
fn refused_as(root: &Path, code: i32, name: &str) {
    for args in [&["pause", "--commit", "--dry-run"][..], &["pause", "--commit"]] {
        let run = is_refused(root, args, code, &[]);
        Transcript::new(&[root]).add(&["pause", "--commit"], &run).holds(name);
    }
}

#[track_caller]
fn is_refused(root: &Path, args: &[&str], code: i32, says: &[&str]) -> Run {
    let before = (git(root, &["rev-parse", "HEAD"]), std::fs::read(root.join(".git/index")).unwrap_or_default());
    let run = run(root, args).ends(code);
    for part in says {
        assert!(run.err.contains(part), "{part:?} is not in {}", run.err);
    }
    assert_eq!(stage(root), "miner_generation");
    let after = (git(root, &["rev-parse", "HEAD"]), std::fs::read(root.join(".git/index")).unwrap_or_default());
    assert!(before == after, "{}", run.err);
    run
}

/// `pause --commit` commits `state.json` and nothing else, and leaves nothing of its own in git's way.
#[track_caller]
pub fn commits(root: &Path) {
    run(root, &["pause", "--commit"]).ends(0);
    assert_eq!(git(root, &["log", "-1", "--format=%s"]), "Update state (paused) for round 0");
    assert_eq!(git(root, &["diff", "--name-only", "HEAD~1", "HEAD"]), "state.json");
    assert_eq!(git(root, &["status", "--porcelain", "state.json"]), "");
    let own = Path::new(&git(root, &["rev-parse", "--absolute-git-dir"])).join("gen404");
    let mut left: Vec<_> = std::fs::read_dir(own).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["lock", "running", "runs.jsonl", "runs.lock", "unpushed"]);
    git(root, &["fsck", "--strict"]);
}

/// The git program, which may fail: it stops in the middle of something.
fn stops(root: &Path, args: &[&str]) {
    let mut stopping = Command::new("git");
    stopping.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(root).args(IDENTITY.split(' ')).args(args);
    assert!(!stopping.output().unwrap().status.success(), "git {args:?}");
}

#[test]
fn without_a_branch_nothing_is_begun() {
    let Some(folder) = checkout() else { return };
    git(folder.path(), &["checkout", "-q", "--detach"]);
    refused_as(folder.path(), 1, "commit_without_a_branch");
    git(folder.path(), &["switch", "-q", "main"]);
    commits(folder.path());
}

#[test]
fn without_an_author_nothing_is_begun() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    for lacking in ["user.email", "user.name"] {
        git(root, &["config", "--unset", lacking]);
        refused_as(root, 1, &format!("commit_without_{}", lacking.replace('.', "_")));
        git(root, &["config", lacking, " "]);
        refused_as(root, 1, &format!("commit_with_empty_{}", lacking.replace('.', "_")));
        git(root, &["config", lacking, "A"]);
    }
    commits(root);
    // `init` neither.
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let args = [init_args("pool.txt"), vec!["--commit".to_owned()]].concat();
    let init = ended(command(outside.path()).args(&args)).ends(1);
    assert!(init.err.contains("no author is configured"), "{init:?}");
    assert!(!outside.path().join("new/config.json").exists());
    std::fs::write(outside.path().join(".gitconfig"), "[user]\nname = A\nemail = a@b.c\n").unwrap();
    ended(command(outside.path()).args(&args)).ends(0);
    assert_eq!(git(&outside.path().join("new"), &["log", "--format=%s"]), "Competition mesh: config, schedule, leader");
}

#[test]
fn in_the_middle_of_something_nothing_is_committed() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    let commit = |text: &str| {
        std::fs::write(root.join("notes.txt"), text).unwrap();
        git(root, &["add", "notes.txt"]);
        git(root, &["commit", "-qm", text]);
    };
    commit("before");
    git(root, &["switch", "-qc", "other"]);
    commit("theirs");
    git(root, &["switch", "-q", "main"]);
    commit("ours");
    let begun = [("merge", "other"), ("cherry-pick", "other"), ("revert", "HEAD~1"), ("rebase", "other")];
    for (what, with) in begun {
        stops(root, &[what, with]);
        refused_as(root, 1, &format!("commit_during_{}", what.replace('-', "_")));
        git(root, &[what, "--abort"]);
    }
    // Conflicts without anything that is going on.
    std::fs::write(root.join("notes.txt"), "stashed").unwrap();
    git(root, &["stash", "-q"]);
    commit("meanwhile");
    stops(root, &["stash", "pop"]);
    refused_as(root, 1, "commit_with_conflicts");
    git(root, &["checkout", "-q", "-f", "HEAD"]);
    commits(root);
}

#[test]
fn anothers_checkout_is_left_alone_until_git_is_told_that_it_is_safe() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    let chown = |owner: &str| Command::new("chown").args(["-R", owner]).arg(root).status().unwrap().success();
    if std::fs::metadata(root).unwrap().uid() != 0 || !chown("65534") {
        return skipped("only root can give a checkout to somebody else");
    }
    let real = root.canonicalize().unwrap();
    let hint = format!("git config --global --add safe.directory {}", real.display());
    for flags in [&["pause", "--commit"][..], &["pause", "--commit", "--push"]] {
        let run = run(root, flags).ends(1);
        assert!(run.err.contains("the checkout belongs to another user") && run.err.contains(&hint), "{run:?}");
    }
    assert!(!root.join(".git/gen404").exists(), "what we made there would be in its owner's way");
    run(root, &["status"]).ends(0);
    // HOME is the folder itself.
    std::fs::write(root.join(".gitconfig"), format!("[safe]\ndirectory = {}\n", real.display())).unwrap();
    run(root, &["pause", "--commit"]).ends(0);
    assert!(chown("0"));
    assert_eq!(git(root, &["log", "-1", "--format=%s %an"]), "Update state (paused) for round 0 A");
}

#[test]
fn a_git_folder_that_cannot_be_written_is_noticed_first() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    let mut attempt = if std::fs::metadata(root).unwrap().uid() == 0 {
        // Nothing is read-only for root: somebody else's own folder it is.
        let chown = Command::new("chown").args(["-R", "65534"]).arg(root).status();
        assert!(chown.unwrap().success());
        let mut nobody = Command::new("setpriv");
        nobody.args(["--reuid=65534", "--clear-groups", env!("CARGO_BIN_EXE_gen404")]);
        nobody.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(root);
        nobody
    } else {
        command(root)
    };
    attempt.env("HOME", root).args(["pause", "--commit"]);
    let may_write = |may: bool| {
        let mode = if may { 0o755 } else { 0o555 };
        std::fs::set_permissions(root.join(".git"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    may_write(false);
    let run = attempt.output();
    may_write(true);
    let Ok(run) = run else { return skipped("no setpriv") };
    let err = String::from_utf8(run.stderr).unwrap();
    if err.contains("setpriv: failed to execute") {
        return skipped("the program cannot be run by another user here");
    }
    assert!(run.status.code() == Some(1) && err.contains(".git/gen404: cannot create this folder"), "{err}");
    assert_eq!(stage(root), "miner_generation");
}

#[test]
fn what_the_index_says_of_other_files_stays() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    for name in ["assumed", "skipped", "staged", "added"] {
        std::fs::write(root.join(name), name).unwrap();
        if name != "added" {
            git(root, &["add", name]);
        }
    }
    git(root, &["commit", "-qm", "more", "assumed", "skipped"]);
    let changes: [&[&str]; 6] = [
        &["config", "index.version", "4"],
        &["update-index", "--index-version", "4"],
        &["update-index", "--split-index"],
        &["update-index", "--untracked-cache"],
        &["update-index", "--assume-unchanged", "assumed"],
        &["update-index", "--skip-worktree", "skipped"],
    ];
    changes.iter().for_each(|change| drop(git(root, change)));
    git(root, &["add", "--intent-to-add", "added"]);
    let entries = || {
        let text = git(root, &["ls-files", "-v", "--stage"]);
        text.lines().filter(|line| !line.ends_with("state.json")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, status) = (entries(), git(root, &["status", "--porcelain"]));
    assert!(before.iter().any(|line| line.starts_with('h')) && before.iter().any(|line| line.starts_with('S')));
    assert!(status.contains("A added") && status.contains("A  staged"), "{status}");
    let split = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().starts_with("sharedindex.")
    };
    assert!(std::fs::read_dir(root.join(".git")).unwrap().any(split));
    commits(root);
    assert_eq!((entries(), git(root, &["status", "--porcelain"])), (before, status));
}

#[test]
fn a_file_that_was_only_announced_or_skipped_is_committed_whole() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    git(root, &["update-index", "--skip-worktree", "state.json"]);
    commits(root);
    assert_eq!(git(root, &["ls-files", "-v", "state.json"]), "H state.json");
    git(root, &["rm", "-q", "--cached", "state.json"]);
    git(root, &["commit", "-qm", "without"]);
    git(root, &["add", "--intent-to-add", "state.json"]);
    run(root, &["resume", "--commit"]).ends(0);
    assert_eq!(git(root, &["status", "--porcelain"]), "");
    assert_eq!(git(root, &["diff", "--name-status", "HEAD~1", "HEAD"]), "A\tstate.json");
}

#[test]
fn linked_worktrees_and_submodules_are_checkouts_as_well() {
    let Some(folder) = checkout() else { return };
    let (root, outside) = (folder.path(), tempfile::tempdir().unwrap());
    let linked = outside.path().join("linked");
    git(root, &["worktree", "add", "-q", "-b", "other", linked.to_str().unwrap()]);
    commits(&linked);
    assert_eq!(git(root, &["log", "-1", "--format=%s", "main"]), "A round");
    assert!(git(root, &["log", "-1", "--format=%s", "other"]).starts_with("Update state"));
    let top = outside.path().join("top");
    std::fs::create_dir(&top).unwrap();
    git(&top, &["init", "-q"]);
    let from = root.to_str().unwrap();
    git(&top, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "-b", "main", from, "inside"]);
    let inside = top.join("inside");
    git(&inside, &["config", "user.name", "A"]);
    git(&inside, &["config", "user.email", "a@b.c"]);
    assert!(inside.join(".git").is_file());
    commits(&inside);
    // As git makes a submodule, and most often updates it.
    git(&inside, &["checkout", "-q", "--detach"]);
    let run = run(&inside, &["resume", "--commit"]).ends(1);
    assert!(run.err.contains("no branch is checked out"), "{run:?}");
}

#[test]
fn files_that_are_not_checked_out_or_elsewhere_are_no_competition_to_commit_in() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    for index in ["--no-sparse-index", "--sparse-index"] {
        git(root, &["sparse-checkout", "set", "--cone", index]);
        assert!(!root.join("rounds/0/schedule.json").exists());
        refused_as(root, 1, "commit_in_a_sparse_checkout");
    }
    git(root, &["sparse-checkout", "disable"]);
    let elsewhere = tempfile::tempdir().unwrap();
    git(root, &["config", "core.worktree", elsewhere.path().to_str().unwrap()]);
    let there = run(root, &["pause", "--commit"]).ends(1);
    assert!(there.err.contains("core.worktree says") && there.err.contains("--unset core.worktree"), "{there:?}");
    git(root, &["config", "core.worktree", root.to_str().unwrap()]);
    commits(root);
}

#[test]
fn a_hook_around_commits_is_not_run_and_v_says_so() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    let hook = root.join(".git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    let silent = run(root, &["pause", "--commit", "-v"]).ends(0);
    assert!(!silent.err.contains("hooks"), "git would not run it either: {silent:?}");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = run(root, &["resume", "--commit", "-v"]).ends(0);
    assert!(said.err.contains("git's commit hooks are not run: pre-commit"), "{said:?}");
    std::fs::rename(root.join(".git/hooks"), root.join("hooks")).unwrap();
    git(root, &["config", "core.hooksPath", "hooks"]);
    let said = run(root, &["pause", "--commit", "-v"]).ends(0);
    assert!(said.err.contains("are not run: pre-commit"), "{said:?}");
}

#[test]
fn anothers_index_lock_is_waited_for_and_never_taken_away() {
    let Some(folder) = checkout() else { return };
    let (root, lock) = (folder.path(), folder.path().join(".git/index.lock"));
    // It is at work for a while.
    std::fs::write(&lock, "").unwrap();
    let (at, held) = (root.to_owned(), lock.clone());
    let other = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(2500));
        assert!(held.exists() && stage(&at) == "miner_generation");
        std::fs::remove_file(held).unwrap();
    });
    commits(root);
    other.join().unwrap();
    git(root, &["reset", "-q", "--hard", "HEAD~1"]);
    // It does not end, and a killed run's note is no reason to take away what is not ours.
    std::fs::write(&lock, "").unwrap();
    std::fs::create_dir_all(root.join(".git/gen404")).unwrap();
    std::fs::write(root.join(".git/gen404/index"), "").unwrap();
    let run = is_refused(root, &["pause", "--commit"], 1, &[]);
    Transcript::new(&[root]).add(&["pause", "--commit"], &run).holds("commit_with_a_locked_index");
    assert!(lock.exists());
}
