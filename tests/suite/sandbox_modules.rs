//! `gen404 sandbox --format threejs`: a whole competition of three.js modules, twice from the same seed, and killed on the
//! way.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sandbox::{caught, commits, linked, report_of};
use crate::support::{command, edit, findings, gen404, git, installed, skipped, tree, whole};

/// As small as it may be: two prompts, because a stage of the judge may call one of them a draw.
const SMALL: [&str; 8] = ["--format", "threejs", "--prompts", "2", "--miners", "7", "--seed", "7"];

fn args<'a>(dir: &'a str, port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--json", "sandbox", dir, "--port", port], &SMALL[..], more].concat()
}

fn play(folder: &Path, dir: &str, port: &str, more: &[&str]) -> Value {
    let run = gen404(folder, &args(dir, port, more)).ends(0).json();
    crate::json::check("sandbox", &run);
    run
}

/// A free port below those that systems give to outgoing connections: it is used again.
fn free_port(from: u16) -> String {
    let offset = u16::try_from(std::process::id() % 1000).unwrap() * 4;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (from + offset..).find(free).unwrap().to_string()
}

#[test]
fn a_competition_of_modules_is_played_and_the_same_seed_gives_the_same_commits() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port(21_000);
    let first = play(folder.path(), "one", &port, &[]);
    holds(&folder.path().join("one"), &first);
    let second = play(folder.path(), "two", &port, &[]);
    let [one, two] = ["one", "two"].map(|dir| commits(&folder.path().join(dir)));
    let apart = one.iter().zip(&two).find(|(one, two)| one != two);
    assert_eq!(first["commit"], second["commit"], "they part at {apart:#?}");
}

/// Everything that a sandbox of modules is to show.
fn holds(dir: &Path, ending: &Value) {
    let state: Value = serde_json::from_slice(&std::fs::read(dir.join("state.json")).unwrap()).unwrap();
    assert_eq!((&state["stage"], &state["current_round"]), (&"finished".into(), &1.into()));
    let rounds = ending["details"]["rounds"].as_array().unwrap();
    let winners: Vec<_> = rounds.iter().map(|round| round["winner"].clone()).collect();
    assert_eq!(winners, ["gifted", "leader"], "{ending:#}");
    assert!(caught(ending, 0, "cheat").contains("submitted vs generated #3"), "{ending:#}");
    assert!(caught(ending, 0, "violator").contains("2x") && caught(ending, 0, "endless").contains("TIMEOUT_EXCEEDED"));
    assert!(caught(ending, 0, "late").contains("after the last one"), "{ending:#}");
    let counts = &ending["details"]["verify"];
    assert!(counts["fail"] == 0 && counts["pass"].as_u64() > Some(50), "{counts}");
    let failed: Vec<_> = findings(dir, &["--history"]).into_iter().filter(|found| found.status == "fail").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let report = report_of(dir);
    // In round 1 only cheat, whose audit failed, beats the leader.
    let index = std::fs::read_to_string(report.join("index.html")).unwrap();
    let (best, _) = index.split_once("best valid challenge").unwrap();
    assert!(best.rsplit_once("<td").unwrap().1.contains("\u{2212}100.0%"), "{best}");
    let pages: Vec<_> = std::fs::read_dir(report.join("round-0")).unwrap().flatten().collect();
    let pages = pages.iter().map(|entry| std::fs::read_to_string(entry.path()).unwrap());
    let pictures: Vec<String> = pages.flat_map(|page| linked(&page)).collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(report.join("round-0").join(&picture).is_file(), "{picture}");
    }
    if installed("git").is_some() {
        assert_eq!(git(dir, &["status", "--porcelain"]), "");
        pages_name_their_files(dir);
    }
    what_is_kept_beside_modules_is_checked(dir);
}

/// At a remote that shows files, each match links its report, the judge's answers and how it was asked.
fn pages_name_their_files(dir: &Path) {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("report");
    git(dir, &["remote", "add", "origin", "https://github.com/own/comp"]);
    gen404(dir, &["report", "--out", folder.to_str().unwrap()]).ends(0);
    git(dir, &["remote", "remove", "origin"]);
    for entry in std::fs::read_dir(folder.join("round-0")).unwrap().flatten() {
        let page = std::fs::read_to_string(entry.path()).unwrap();
        for file in ["duels_", "answers_", "question.toml"] {
            let is_audit = entry.file_name().to_string_lossy().starts_with("audit_");
            let file = if is_audit && file == "duels_" { "audit_" } else { file };
            let link = page.split("href=\"https://github.com/own/comp/blob/").skip(1);
            let mut link = link.filter_map(|rest| rest.split('"').next());
            assert!(link.any(|link| link.contains(file)), "{}: {file}", entry.path().display());
        }
    }
}

/// What fails after a file of the competition is changed; it is as before afterwards.
fn failing(dir: &Path, file: &str, flags: &[&str], change: impl FnOnce(&str) -> String) -> Vec<String> {
    let before = std::fs::read(dir.join(file)).unwrap();
    edit(dir, file, change);
    let found = findings(dir, flags);
    std::fs::write(dir.join(file), before).unwrap();
    found.into_iter().filter(|found| found.status == "fail").map(|found| found.id + ": " + &found.detail).collect()
}

/// Why modules have no views, the sums of what is stored, and the objects behind them.
fn what_is_kept_beside_modules_is_checked(dir: &Path) {
    let of = |name: &str, file: &str| {
        let miner = std::fs::read_dir(dir.join("rounds/0")).unwrap().flatten().find(|entry| {
            let refusals = std::fs::read_to_string(entry.path().join("refusals.json")).unwrap_or_default();
            if name == "violator" {
                refusals.contains("module.rule")
            } else {
                entry.path().join("generated_3.json").exists()
            }
        });
        format!("rounds/0/{}/{file}", miner.unwrap().file_name().to_string_lossy())
    };
    let refused = of("violator", "refusals.json");
    let unknown = failing(dir, &refused, &[], |text| text.replacen("module.rule", "xyz", 1));
    assert!(unknown.iter().any(|told| told.contains("the code \"xyz\" is not known")), "{unknown:#?}");
    let unfit = failing(dir, &refused, &[], |text| text.replacen("module.rule", "fetch.missing", 1));
    assert!(unfit.iter().any(|told| told.contains("render_failed, but fetch.missing")), "{unfit:#?}");
    let left_out = failing(dir, &refused, &[], |_| "{}".to_owned());
    assert!(left_out.iter().any(|told| told.contains("no model or no preview, and no reason")), "{left_out:#?}");
    let sums = of("audited", "SHA256SUMS");
    let short = failing(dir, &sums, &[], |text| text.split_once('\n').unwrap().1.to_owned());
    assert!(short.iter().any(|told| told.contains("stored, but has no sum")), "{short:#?}");
    let store = dir.join("objects");
    let objects = ["--objects", "--store-dir", store.to_str().unwrap()];
    let fetched = findings(dir, &objects);
    assert!(fetched.iter().all(|found| found.id != "object.sha256"), "all are as their sums: {fetched:#?}");
    let zeroed = failing(dir, &sums, &objects, |text| format!("{}{}", "0".repeat(64), &text[64..]));
    assert!(zeroed.iter().any(|told| told.starts_with("object.sha256") && told.contains("is recorded")), "{zeroed:#?}");
}

#[test]
fn a_lie_about_a_module_is_found_and_a_judge_that_prefers_the_first_plays_on() {
    crate::support::side_by_side(vec![("lies", 23_000), ("first", 24_500)], |(mode, from)| {
        let folder = tempfile::tempdir().unwrap();
        let ending = play(folder.path(), "one", &free_port(from), &["--rounds", "1", "--judge", mode]);
        let dir = folder.path().join("one");
        let failed: Vec<_> =
            findings(&dir, &["--history"]).into_iter().filter(|found| found.status == "fail").collect();
        if mode == "first" {
            assert!(failed.is_empty() && ending["details"]["bias"].is_array(), "{failed:#?} {ending:#}");
            return;
        }
        let [lie] = failed.as_slice() else { panic!("{failed:#?}") };
        assert!(lie.id == "duel.answers" && lie.detail.contains("by the judge's answers"), "{lie:?}");
        assert!(ending["details"]["lies"][0].as_str().unwrap().contains(&lie.detail), "{ending:#}");
    });
}

/// What a sandbox has done so far: its files and journals with their sizes, and the last commit.
fn progress(dir: &Path) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => walk(&entry.path(), found),
                Ok(about) => found.push((entry.path(), about.len().to_string())),
                Err(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    ["rounds", "sandbox/pods", ".git/gen404"].into_iter().for_each(|part| walk(&dir.join(part), &mut found));
    // What every run writes, whether or not it gets on.
    let idle =
        |path: &Path| path.to_string_lossy().contains("/.gen404-tmp-") || path.to_string_lossy().contains("/runs");
    found.retain(|(path, _)| !idle(path));
    for branch in ["main", "master"].map(|name| dir.join(".git/refs/heads").join(name)) {
        found.extend(std::fs::read_to_string(&branch).map(|commit| (branch, commit)));
    }
    found
}

/// Starts a sandbox and does not wait for its end.
fn start(folder: &Path, dir: &str, port: &str) -> Child {
    let mut child: Command = command(folder);
    child.args(args(dir, port, &["--rounds", "1"])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a sandbox whenever it has done so many steps that none before it did, until it is done. Returns how often.
fn play_with_kills(folder: &Path, dir: &str, port: &str, steps: usize) -> usize {
    let top = folder.join(dir);
    let mut known = HashSet::new();
    for kills in 0.. {
        let mut child = start(folder, dir, port);
        let (mut seen, begun) = (0, Instant::now());
        while seen < steps {
            if child.try_wait().unwrap().is_some() {
                return kills;
            }
            assert!(begun.elapsed() < Duration::from_secs(300), "it does not get on after {kills} kills");
            seen += progress(&top).into_iter().filter(|step| known.insert(step.clone())).count();
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    unreachable!("it ends some time");
}

/// The files of a competition and its objects, and what its pods were given.
fn outcome(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = tree(dir);
    files.retain(|path, _| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        !name.starts_with(".gen404-tmp-")
    });
    files.into_iter().map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned())).collect()
}

#[test]
fn a_round_of_modules_that_is_killed_again_and_again_ends_as_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port(26_000);
    let undisturbed = play(folder.path(), "one", &port, &["--rounds", "1"]);
    let kills = play_with_kills(folder.path(), "two", &port, if whole() { 1 } else { 40 });
    assert!(kills >= 3, "{kills} kills");
    let ending = play(folder.path(), "two", &port, &["--rounds", "1"]);
    let [one, two] = ["one", "two"].map(|dir| outcome(&folder.path().join(dir)));
    let apart: Vec<_> = one.keys().chain(two.keys()).filter(|path| one.get(*path) != two.get(*path)).collect();
    assert!(apart.is_empty(), "after {kills} kills: {apart:?}");
    assert_eq!(ending["details"]["rounds"], undisturbed["details"]["rounds"]);
    // No batch was paid for twice: what the pods were given is among the files.
    assert!(one.keys().any(|path| path.starts_with("sandbox/pods")));
    assert_eq!(ending["details"]["verify"]["fail"], 0);
    if installed("git").is_some() {
        assert_eq!(git(&folder.path().join("two"), &["status", "--porcelain"]), "");
    }
}

/// A whole round with the browser that draws in production: eight miners by eight prompts.
#[test]
fn a_round_of_modules_drawn_by_a_browser() {
    let three = std::env::var_os("GEN404_THREE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/three/node_modules/three/build/three.cjs"),
        PathBuf::from,
    );
    let browser = std::env::var_os("GEN404_CHROMIUM").map(PathBuf::from).or_else(|| installed("chromium"));
    let (Some(browser), true, true) = (browser, three.is_file(), whole()) else {
        return skipped("it takes half an hour: GEN404_WHOLE=1 plays it, with chromium and three.js in target/three");
    };
    let folder = tempfile::tempdir().unwrap();
    let shut = if std::env::var_os("GEN404_NO_SANDBOX").is_some() { "sandbox = false\n" } else { "" };
    let views = format!(
        "[views]\ndriver = 'chromium'\nworkers = 2\n[views.chromium]\nprogram = '{}'\nthree = '{}'\n{shut}",
        browser.display(),
        three.display()
    );
    std::fs::write(folder.path().join("views.toml"), views).unwrap();
    let size = ["--format", "threejs", "--rounds", "1", "--miners", "8", "--prompts", "8", "--views", "views.toml"];
    let run = gen404(folder.path(), &[&["--json", "sandbox", "one", "--port", "0"], &size[..]].concat()).ends(0);
    let ending = run.json();
    assert_eq!(ending["details"]["rounds"][0]["winner"], "gifted", "{ending:#}");
    assert!(caught(&ending, 0, "endless").contains("TIMEOUT_EXCEEDED"), "{ending:#}");
    assert!(caught(&ending, 0, "cheat").contains("submitted vs generated #3"), "{ending:#}");
    assert_eq!(ending["details"]["verify"]["fail"], 0);
}
