//! Miners' models that are dear to draw: refused once, or drawn, and never in the way of a stop.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bombs;
use crate::cdn::{Cdn, Serve, triangle_glb};
use crate::round::{DEADLINE, download, hotkey, round, stage, stem, submitted};
use crate::support::{command, findings};

#[test]
fn a_model_that_costs_too_much_is_refused_once() {
    let cdn = Cdn::start(|path, _| match path {
        path if path.ends_with("00aa.glb") => Serve::File(bombs::copies(20_000, 1.0)),
        path if path.ends_with("01aa.glb") => Serve::File(bombs::json_with("extras", &bombs::list(400_000, "0"))),
        path => Serve::File(triangle_glb(path)),
    });
    let folder = round(&[format!("{}/a", cdn.url())], 3);
    let run = download(folder.path(), &["-v"]).ends(0);
    assert!(run.err.contains("(data.work)") && run.err.contains("(data.too-large)"), "{}", run.err);
    assert_eq!(stage(folder.path()), "duels");
    let entries = submitted(folder.path(), 0);
    let png = |n: usize| entries[stem(n)]["png"].is_string();
    assert_eq!([png(0), png(1), png(2)], [false, false, true]);
    let asked = cdn.seen().len();
    let again = download(folder.path(), &[]).ends(0);
    assert!(again.out.contains("already recorded") && cdn.seen().len() == asked, "{}", again.out);
    let flags = ["--objects", "--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"];
    let found: Vec<_> = findings(folder.path(), &flags).into_iter().filter(|f| f.id.starts_with("object.")).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The most memory that a running process has had, in MiB.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib >> 10)
}

/// Whether a file lies in the spool, complete.
fn arrived(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder.join(".gen404/download/round-0/files"));
    files.into_iter().flatten().flatten().any(|file| file.path().extension().is_some_and(|end| end == "whole"))
}

#[test]
#[cfg(unix)]
fn a_signal_ends_drawing_at_once_and_nothing_is_noted_of_the_model() {
    // Minutes of work for a debug build, and within the limit.
    let dear = bombs::layers(500, 1.0, 0, &[]);
    let cdn = Cdn::start(move |_, _| Serve::File(dear.clone()));
    let folder = round(&[format!("{}/a", cdn.url())], 1);
    let store = ["--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"];
    let mut run = command(folder.path());
    run.args(["download", "--block", DEADLINE]).args(store).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !arrived(folder.path()) {
        assert!(Instant::now() < deadline && run.try_wait().unwrap().is_none(), "it never came so far");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(run.try_wait().unwrap().is_none(), "it was drawn already");
    let memory = peak(run.id());
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    let out = run.wait_with_output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(4), "{err}");
    assert!(asked.elapsed() < Duration::from_secs(10), "it ended after {:?}", asked.elapsed());
    assert!(memory.is_none_or(|mib| mib < 200), "{memory:?} MiB");
    let journal = std::fs::read_to_string(folder.path().join(".gen404/download/round-0/outcomes.jsonl"));
    assert!(!journal.unwrap_or_default().contains(&hotkey(0)), "something was noted");
    // The next run has the file, and goes on from there.
    let run = download(folder.path(), &["--no-previews"]).ends(0);
    assert!(stage(folder.path()) == "duels" && cdn.seen().len() == 1, "{}", run.err);
}
