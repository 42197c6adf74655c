//! `status` for scripts and for people who wait: `--exit-code`, `--watch`, and why a competition is paused.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::{as_somebody, command, edit, example, gen404, git, installed, skipped};

#[test]
fn the_exit_code_says_what_is_due() {
    let folder = example(false);
    let code = |args: &[&str]| gen404(folder.path(), &[&["status", "--exit-code"], args].concat());
    let schedule = std::fs::read_to_string(folder.path().join("rounds/2/schedule.json")).unwrap();
    let schedule: serde_json::Value = serde_json::from_str(&schedule).unwrap();
    let end = schedule["latest_reveal_block"].as_u64().unwrap().to_string();
    assert!(code(&["--block", "1"]).ends(3).out.contains("later: gen404 reveal-seed"));
    assert!(code(&["--block", &end]).ends(10).out.contains("due now: gen404 reveal-seed"));
    assert_eq!(code(&["--block", &end, "--json"]).ends(10).json()["exit"], 10);
    gen404(folder.path(), &["status", "--block", &end]).ends(0);
    gen404(folder.path(), &["pause"]).ends(0);
    code(&["--block", &end]).ends(0);
    let negative = gen404(folder.path(), &["status", "--block", "-3"]).ends(2);
    assert!(negative.err.contains("expected a whole number, 0 or more"), "{negative:?}");
}

#[test]
fn a_pause_keeps_its_reason() {
    let folder = example(true);
    let here = folder.path();
    let commit = |args: &[&str]| {
        let mut command = command(here);
        as_somebody(&mut command);
        crate::audit_support::run_as(command.arg("--commit").args(args))
    };
    commit(&["pause", "--reason", "two\nlines"]).ends(2);
    commit(&["pause", "--reason", &"x".repeat(201)]).ends(2);
    commit(&["pause", "--reason", "the judge is \u{202e}down"]).ends(0);
    if installed("git").is_some() {
        let message = git(here, &["log", "-1", "--format=%B"]);
        assert_eq!(message, "Update state (paused) for round 2\n\nReason: the judge is \\u{202e}down");
    }
    let said = "UTC: the judge is \\u{202e}down";
    let status = gen404(here, &["status"]).ends(0).out;
    assert!(status.contains("round 2 is paused since 20") && status.contains(said), "{status}");
    let advance = gen404(here, &["advance"]).ends(0);
    assert!(advance.err.contains(said) && advance.err.contains("`gen404 resume` continues"), "{advance:?}");
    assert!(gen404(here, &["-q", "advance"]).ends(0).err.is_empty());
    assert!(gen404(here, &["pause", "--reason", "other"]).ends(0).out.contains("its reason stays"));
    commit(&["resume"]).ends(0);
    assert!(!gen404(here, &["status"]).ends(0).out.contains("the judge"));
    // Without a commit, this machine remembers it.
    gen404(here, &["pause", "--reason", "for lunch"]).ends(0);
    let status = gen404(here, &["status"]).ends(0).out;
    assert!(status.contains("round 2 is paused since 20") && status.contains("UTC: for lunch"), "{status}");
    gen404(here, &["resume"]).ends(0);
    gen404(here, &["pause"]).ends(0);
    assert!(!gen404(here, &["status"]).ends(0).out.contains("lunch"));
}

#[cfg(unix)]
#[test]
fn what_changes_is_printed_where_no_terminal_is() {
    let folder = example(false);
    let mut watch = command(folder.path());
    watch.args(["status", "--watch", "1", "--block", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = watch.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "example: round 2 is open");
    edit(folder.path(), "state.json", |text| text.replace("\"open\"", "\"paused\""));
    let changed = lines.find(|line| line.contains("no longer: example: round 2 is open")).unwrap();
    assert!(changed.starts_with("20"), "{changed}");
    assert!(lines.any(|line| line.ends_with("  example: round 2 is paused")));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    gen404(folder.path(), &["status", "--watch", "--json"]).ends(2);
}

#[cfg(unix)]
#[test]
fn a_terminal_is_redrawn_in_place_and_left_as_it_was() {
    let Some(script) = installed("script") else { return skipped("no script program for a terminal") };
    let folder = example(false);
    let watch = format!("exec '{}' status --watch 60 --block 1", env!("CARGO_BIN_EXE_gen404"));
    let mut terminal = Command::new(script);
    terminal.args(["-qec", &watch, "/dev/null"]).env("TERM", "xterm").current_dir(&folder);
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut out, mut seen, mut byte) = (child.stdout.take().unwrap(), Vec::new(), [0]);
    while !seen.ends_with(b"\x1b[J") && out.read(&mut byte).unwrap() == 1 {
        seen.push(byte[0]);
    }
    child.stdin.take().unwrap().write_all(b"\x03").unwrap();
    out.read_to_end(&mut seen).unwrap();
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("\x1b[?1049h\x1b[?25l\x1b[Hexample: round 2 is open\x1b[K\r"), "{seen:?}");
    assert!(seen.contains("\x1b[?25h\x1b[?1049l"), "{seen:?}");
    assert!(child.wait().unwrap().success());
}
