//! What shells offer while a line is typed, asked as a shell asks, and in a real one.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Run, command, example, installed, skipped};

/// The values offered for the last of these words.
fn offered(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut command = command(folder);
    command.env("COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    let run = command.arg("--").args(words).output().unwrap();
    assert!(run.status.success() && run.stderr.is_empty(), "{words:?}: {run:?}");
    String::from_utf8(run.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn rounds_hotkeys_prompts_and_stages_come_from_the_competition() {
    let folder = example(false);
    let here = folder.path();
    assert_eq!(offered(here, &["gen404", "verify", "--round", ""]), ["0", "1", "2"]);
    assert_eq!(offered(here, &["gen404", "report", "--only", "1"]), ["1"]);
    assert_eq!(offered(here, &["gen404", "advance", "--until", "du"]), ["duels"]);
    // The current round is open: it has no submissions yet.
    assert!(offered(here, &["gen404", "audit", "--only", ""]).is_empty());
    let state = std::fs::read_to_string(here.join("state.json")).unwrap();
    std::fs::write(here.join("state.json"), state.replace("\"current_round\": 2", "\"current_round\": 1")).unwrap();
    let hotkeys = offered(here, &["gen404", "audit", "--only", ""]);
    assert!(
        hotkeys.len() > 1 && hotkeys.iter().all(|hotkey| here.join("rounds/1").join(hotkey).is_dir()),
        "{hotkeys:?}"
    );
    let prompt = std::fs::read_to_string(here.join("rounds/1/prompts.txt")).unwrap();
    let url = prompt.lines().next().unwrap();
    let stem = url.rsplit('/').next().unwrap().split('.').next().unwrap();
    assert_eq!(offered(here, &["gen404", "judge", stem]), [url]);
    // Another competition than the one around, by flag and by environment.
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = here.to_str().unwrap();
    assert!(offered(elsewhere.path(), &["gen404", "verify", "--round", ""]).is_empty());
    assert_eq!(offered(elsewhere.path(), &["gen404", "--repo", dir, "verify", "--round", ""]), ["0", "1", "2"]);
}

#[test]
fn paths_are_offered_where_a_folder_may_be_named() {
    let folder = example(false);
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let offered = offered(&folder.path().join("rounds"), &["gen404", "check", "../mod"]);
    assert!(offered.iter().any(|path| path.starts_with("../models")), "{offered:?}");
}

#[cfg(unix)]
#[test]
fn damaged_and_hostile_competitions_offer_nothing_and_say_nothing() {
    let (folder, outside) = (example(false), example(false));
    let here = folder.path();
    std::fs::remove_dir_all(here.join("rounds")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("rounds"), here.join("rounds")).unwrap();
    assert!(offered(here, &["gen404", "verify", "--round", ""]).is_empty());
    std::fs::remove_file(here.join("rounds")).unwrap();
    std::fs::create_dir_all(here.join("rounds/2")).unwrap();
    std::fs::write(here.join("rounds/not-a-round"), "").unwrap();
    let fifo = here.join("rounds/2/submissions.json");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(offered(here, &["gen404", "audit", "--only", ""]).is_empty());
    let evil = "https://h.example/$(touch hacked).png\nhttps://h.example/a;b.png\nhttps://h.example/good.png\n";
    std::fs::write(here.join("rounds/2/prompts.txt"), evil.trim_end()).unwrap();
    let prompts = offered(here, &["gen404", "judge", ""]);
    let mut values = prompts.iter().filter(|value| !value.starts_with('-'));
    assert!(values.all(|prompt| prompt == "https://h.example/good.png"), "{prompts:?}");
    std::fs::write(here.join("state.json"), "{").unwrap();
    assert_eq!(offered(here, &["gen404", "verify", "--round", ""]), ["2"]);
}

#[test]
fn hosts_with_a_lease_are_offered() {
    let folder = example(false);
    let here = folder.path();
    assert!(offered(here, &["gen404", "lease", "--release", ""]).iter().all(|value| value.starts_with('-')));
    let lease = |host: &str| {
        json!({"host": host, "run": "r", "command": "audit", "round": 2, "taken": "2026-03-01T08:00:00Z",
               "expires": "2026-03-01T08:15:00Z"})
    };
    let seen = json!({"leases": [lease("host-b"), lease("host-a"), lease("host-b"), lease("$(touch hacked)")]});
    for own in [".gen404", ".git/gen404"] {
        std::fs::create_dir_all(here.join(own)).unwrap();
        std::fs::write(here.join(own).join("leases-seen.json"), seen.to_string()).unwrap();
        assert_eq!(offered(here, &["gen404", "lease", "--release", "h"]), ["host-a", "host-b"]);
        std::fs::write(here.join(own).join("leases-seen.json"), "{").unwrap();
        assert!(offered(here, &["gen404", "lease", "--release", "h"]).is_empty());
    }
}

#[test]
fn a_real_bash_completes() {
    let Some(bash) = installed("bash") else { return skipped("no bash") };
    let folder = example(false);
    let script = "source <(COMPLETE=bash \"$BIN\")\nCOMP_WORDS=(gen404 verify --round '')\nCOMP_CWORD=3\nCOMP_TYPE=9\n\
                  _clap_complete_gen404 gen404 ''\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let mut shell = Command::new(bash);
    shell.args(["--norc", "--noprofile", "-c", script]).env("BIN", env!("CARGO_BIN_EXE_gen404")).current_dir(&folder);
    let out = shell.env_remove("GEN404_REPO").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "0\n1\n2\n", "{out:?}");
}

#[test]
fn the_environment_names_the_competition_and_a_flag_overrides_it() {
    let (folder, elsewhere) = (example(false), tempfile::tempdir().unwrap());
    let run = |args: &[&str], repo: &str| {
        let out = command(elsewhere.path()).args(args).env("GEN404_REPO", repo).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: out.status.code().unwrap_or(-1), out: text(out.stdout), err: text(out.stderr) }
    };
    let dir = folder.path().to_str().unwrap();
    assert!(run(&["status"], dir).ends(0).out.starts_with("example: round 2"));
    assert!(run(&["status", "--repo", dir], "/nowhere").ends(0).out.starts_with("example: round 2"));
    assert!(run(&["status"], "/nowhere").ends(2).err.contains("/nowhere: no such folder"));
    assert!(run(&["status"], "").ends(1).err.contains("no competition here or above"));
}
