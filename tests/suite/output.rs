//! Where results go: output that cannot be written is an error, a reader that has gone away is none, and files for
//! everybody have the mode that the umask leaves them.

#![cfg(unix)]

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::models;
use crate::support::{command, example, gen404, tree};

/// What is printed by every way to print.
const PRINTING: [&[&str]; 12] = [
    &["status"],
    &["leader", "--block", "714400"],
    &["verify"],
    &["verify", "--json"],
    &["man"],
    &["completions", "bash"],
    &["report", "--dry-run"],
    &["resume"],
    &["resume", "--json"],
    &["--help"],
    &["help", "duel"],
    &["--version"],
];

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_an_error() {
    let folder = example(false);
    for args in PRINTING {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = command(folder.path()).args(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.contains("error: stdout: the result cannot be written"), "{args:?}: {err}");
        assert!(err.contains("No space left on device"), "{args:?}: {err}");
    }
    // Where a command waits, what it waits for is its result.
    for args in [&["duel"][..], &["duel", "--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(command(folder.path()).args(args).stdout(full).output().unwrap().status.code(), Some(1), "{args:?}");
    }
    // A command that failed by itself keeps its own exit code.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let wrong = command(folder.path()).args(["verify", "--json", "--round", "77"]).stdout(full).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let folder = example(false);
    for args in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = command(folder.path()).args(args).stdout(writer).output().unwrap();
        let err = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.success() && !err.contains("error"), "{args:?}: {err}");
    }
}

#[test]
fn a_round_that_is_not_there_is_a_usage_error() {
    let folder = example(false);
    for args in [["verify", "--round"], ["report", "--only"]] {
        gen404(folder.path(), &[&args[..], &["77"]].concat()).ends(2);
    }
}

/// The modes of all files below a folder.
fn modes(folder: &Path) -> Vec<(std::path::PathBuf, u32)> {
    let mode = |path: &Path| std::fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
    tree(folder).into_keys().map(|path| (path.clone(), mode(&path))).collect()
}

#[test]
fn files_for_others_have_the_mode_that_the_umask_leaves() {
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("002", 0o664)] {
        let folder = example(false);
        let here = folder.path();
        std::fs::write(here.join("a.glb"), models::coloured()).unwrap();
        let program = env!("CARGO_BIN_EXE_gen404");
        let commands =
            ["pause", "report --json --out ../OUT", "man --out man", "render a.glb -o previews/a.png --size 32"];
        let out = here.with_file_name(format!("{}-out-{umask}", here.file_name().unwrap().display()));
        for args in commands {
            let args = args.replace("../OUT", &out.display().to_string());
            let script = format!("umask {umask}; exec {program} {args}");
            let run = Command::new("sh").args(["-c", &script]).current_dir(here).output().unwrap();
            assert!(run.status.success(), "{args}: {}", String::from_utf8_lossy(&run.stderr));
        }
        let state = std::fs::metadata(here.join("state.json")).unwrap().permissions().mode() & 0o777;
        assert_eq!(state, expected, "state.json with umask {umask}");
        let made = [modes(&out), modes(&here.join("man")), modes(&here.join("previews"))].concat();
        assert!(made.len() > 20, "{made:?}");
        for (path, mode) in made {
            assert_eq!(format!("{mode:o}"), format!("{expected:o}"), "{} with umask {umask}", path.display());
        }
        std::fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn commands_that_make_other_files_name_them_and_write_none_in_a_dry_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("a.glb"), models::coloured()).unwrap();
    std::fs::write(here.join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let init = crate::commands::init_args("pool.txt");
    let init: Vec<&str> = init.iter().map(String::as_str).collect();
    for args in [&["man", "--out", "man"][..], &["render", "a.glb", "-o", "new/a.png", "--size", "32"], &init] {
        let before = tree(here);
        let dry = gen404(here, &[args, &["--dry-run", "--json"]].concat()).ends(0).json();
        crate::json::check(args[0], &dry);
        assert!(tree(here) == before && !here.join("new").exists(), "{args:?} wrote something");
        let plain = gen404(here, &[args, &["--dry-run"]].concat()).ends(0);
        assert!(tree(here) == before, "{args:?} wrote something");
        let real = gen404(here, &[args, &["--json"]].concat()).ends(0).json();
        crate::json::check(args[0], &real);
        assert_eq!(dry["files"], real["files"], "{args:?}");
        let top = if args[0] == "init" { here.join("new") } else { here.to_owned() };
        for path in real["files"].as_array().unwrap() {
            let path = path.as_str().unwrap();
            assert!(format!("{}{}", plain.out, plain.err).contains(&format!("would write {path}")), "{plain:?}");
            assert!(top.join(path).is_file(), "{path}");
        }
        assert!(!real["files"].as_array().unwrap().is_empty());
        std::fs::remove_dir_all(here.join("new")).unwrap_or_default();
    }
    // What prints only, and what cannot know its files' names before.
    assert_eq!(
        gen404(here, &["completions", "bash", "--dry-run", "--json"]).ends(0).json()["files"],
        serde_json::json!([])
    );
    let play = gen404(here, &["sandbox", "play", "--dry-run", "--json"]).ends(0).json();
    crate::json::check("sandbox", &play);
    let place = here.canonicalize().unwrap().join("play").display().to_string();
    assert_eq!(play["files"], serde_json::json!([format!("{place}/"), format!("{place}-report/")]));
    assert!(!here.join("play").exists());
}
