//! `gen404 sandbox`: a whole competition, twice from the same seed, the second time killed on the way.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gen404::world::git::Git;
use serde_json::Value;

use crate::support::{Found, command, findings, gen404, git, skipped};

/// As small as it may be: every model is drawn in full.
pub const SMALL: [&str; 4] = ["--prompts", "1", "--miners", "6"];

fn play(folder: &Path, dir: &str, more: &[&str]) -> Value {
    let run = gen404(folder, &[&["--json", "sandbox", dir, "--seed", "7"], &SMALL[..], more].concat()).ends(0).json();
    crate::json::check("sandbox", &run);
    run
}

/// Starts a sandbox and does not wait for its end.
fn start(folder: &Path, dir: &str, port: &str) -> Child {
    let args = [&["sandbox", dir, "--seed", "7", "--port", port], &SMALL[..]].concat();
    let mut child: Command = command(folder);
    child.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The commits in order: id, message, what they changed.
pub fn commits(dir: &Path) -> Vec<String> {
    let log = Git::open(dir).unwrap().unwrap().log().unwrap();
    log.commits.into_iter().map(|commit| format!("{} {} {:#?}", commit.id, commit.summary, commit.changes)).collect()
}

/// What became of a miner in a round, as the sandbox tells it.
pub fn caught<'a>(ending: &'a Value, round: u64, name: &str) -> &'a str {
    let all = ending["details"]["caught"].as_array().unwrap();
    let found = all.iter().find(|caught| caught["round"] == round && caught["name"] == name);
    found.and_then(|caught| caught["reason"].as_str()).unwrap_or_else(|| panic!("{name} not caught: {ending:#}"))
}

#[test]
fn a_competition_is_played_and_the_same_seed_gives_the_same_commits_even_when_killed() {
    let folder = tempfile::tempdir().unwrap();
    let first = play(folder.path(), "one", &["--port", "0"]);
    holds(&folder.path().join("one"), &first);

    let params = std::fs::read(folder.path().join("one/sandbox/params.json")).unwrap();
    let port = serde_json::from_slice::<Value>(&params).unwrap()["port"].to_string();
    // Killed in the middle of the first round's work, and once more later.
    for file in ["rounds/0/seed.json", "rounds/0/generation_audits.json"] {
        let mut child = start(folder.path(), "two", &port);
        let (path, begun) = (folder.path().join("two").join(file), Instant::now());
        while !path.exists() && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(300), "{file} does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let second = play(folder.path(), "two", &["--port", &port]);
    let [one, two] = ["one", "two"].map(|dir| commits(&folder.path().join(dir)));
    let apart = one.iter().zip(&two).find(|(one, two)| one != two);
    assert_eq!(first["commit"], second["commit"], "they part at {apart:#?}");

    // Once more: nothing is played, and the same is told.
    assert_eq!(play(folder.path(), "two", &[])["commit"], second["commit"]);
    let other = gen404(folder.path(), &["sandbox", "two", "--seed", "8"]).ends(1);
    assert!(other.err.contains("made with --seed 7"), "{}", other.err);
}

#[test]
fn a_sandbox_whose_operator_lies_is_found_out_and_leaning_judges_play_on() {
    let modes = ["lies", "first", "random"];
    crate::support::side_by_side(modes.to_vec(), |mode| {
        let folder = tempfile::tempdir().unwrap();
        let ending = play(folder.path(), "one", &["--port", "0", "--rounds", "1", "--judge", mode]);
        let (dir, counts) = (folder.path().join("one"), &ending["details"]["verify"]);
        let failed: Vec<_> =
            findings(&dir, &["--history"]).into_iter().filter(|found| found.status == "fail").collect();
        let next = ending["next"].to_string();
        assert!(next.contains("verify --judge 40") && next.contains("--by-hand") && next.contains("-honest"), "{next}");
        if mode != "lies" {
            assert!(failed.is_empty() && counts["fail"] == 0 && ending["details"].get("lies").is_none(), "{failed:#?}");
            let warned = |found: &&Found| found.id == "judge.bias" && found.status == "warn";
            let warned: Vec<_> = findings(&dir, &[]).iter().filter(warned).map(|found| found.detail.clone()).collect();
            let told = ending["details"]["bias"].as_array().unwrap();
            assert_eq!(told.len(), warned.len(), "{told:?}");
            let did = ending["did"].to_string();
            assert!(did.contains(if told.is_empty() {
                "nothing odd in the judge's answers"
            } else {
                "found of the judge"
            }));
            assert!(told.iter().zip(&warned).all(|(told, found)| told.as_str().unwrap().ends_with(found)), "{told:?}");
            return;
        }
        let [lie] = failed.as_slice() else { panic!("{failed:#?}") };
        assert!(lie.id == "duel.answers" && lie.detail.contains("but by the penalties"), "{lie:?}");
        let told = ending["details"]["lies"][0].as_str().unwrap();
        assert!(counts["fail"] == 1 && told.contains(&lie.detail), "{told}");
        // Said once more, and kept to.
        let again = gen404(folder.path(), &["sandbox", "one"]).ends(0);
        assert!(again.out.contains("verify --history found the operator's lie"), "{}", again.out);
        let other = gen404(folder.path(), &["sandbox", "one", "--judge", "honest"]).ends(1);
        assert!(other.err.contains("--judge lies"), "{}", other.err);
        gen404(folder.path(), &["sandbox", "two", "--by-hand", "--judge", "lies"]).ends(2);
    });
}

/// Where the report of a sandbox goes: beside it.
pub fn report_of(dir: &Path) -> std::path::PathBuf {
    let mut name = dir.file_name().unwrap().to_owned();
    name.push("-report");
    dir.with_file_name(name)
}

/// Everything that a sandbox is to show.
fn holds(dir: &Path, ending: &Value) {
    let state: Value = serde_json::from_slice(&std::fs::read(dir.join("state.json")).unwrap()).unwrap();
    assert_eq!((&state["stage"], &state["current_round"]), (&"finished".into(), &1.into()));
    let winners: Vec<_> =
        ending["details"]["rounds"].as_array().unwrap().iter().map(|round| round["winner"].clone()).collect();
    assert_eq!(winners, ["gifted", "leader"], "{ending:#}");
    let weights: Vec<_> =
        ending["details"]["leaders"].as_array().unwrap().iter().map(|entry| entry["weight"].clone()).collect();
    assert_eq!(weights, [0.4, 1.0, 0.95], "dethroned, then held");
    let audit = |round: usize, name: &str| {
        let rows = ending["details"]["rounds"][round]["standings"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).map(|row| row["audit"].clone()).unwrap_or_default()
    };
    assert_eq!([audit(0, "cheat"), audit(0, "gifted"), audit(1, "cheat")], ["rejected", "passed", "rejected"]);
    assert!(caught(ending, 0, "cheat").contains("ismatches"), "{ending:#}");
    assert!(caught(ending, 1, "cheat").contains("median generation time"), "{ending:#}");
    assert!(caught(ending, 0, "late").contains("after the last one"), "{ending:#}");
    for (name, round) in [("broken", 0), ("broken", 1), ("hostile", 0), ("hostile", 1)] {
        assert!(caught(ending, round, name).contains("1 file without a model"), "{ending:#}");
    }
    let counts = &ending["details"]["verify"];
    assert!(counts["fail"] == 0 && counts["pass"].as_u64() > Some(50), "{counts}");
    let failed: Vec<_> = findings(dir, &["--history"]).into_iter().filter(|found| found.status == "fail").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let report = report_of(dir);
    let page = std::fs::read_to_string(report.join("index.html")).unwrap();
    assert!(page.contains("sandbox"));
    let pages: Vec<_> = std::fs::read_dir(report.join("round-0")).unwrap().flatten().collect();
    let matches = pages.iter().map(|entry| std::fs::read_to_string(entry.path()).unwrap());
    let pictures: Vec<String> = matches.flat_map(|page| linked(&page)).collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(report.join("round-0").join(&picture).is_file(), "{picture}");
    }
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    assert_eq!(git(dir, &["status", "--porcelain"]), "");
    cloned_it_verifies_the_same(dir);
}

/// A clone has the sandbox's rules, and nothing of its settings.
fn cloned_it_verifies_the_same(dir: &Path) {
    let top = tempfile::tempdir().unwrap();
    git(top.path(), &["clone", "-q", dir.to_str().unwrap(), "clone"]);
    let clone = top.path().join("clone");
    assert!(dir.join("gen404.toml").is_file() && !clone.join("gen404.toml").exists());
    for flags in [&["verify", "--json"][..], &["verify", "--history", "--json"]] {
        let [mut here, there] = [dir, &clone].map(|folder| gen404(folder, flags).ends(0).json());
        let settings = dir.canonicalize().unwrap().join("gen404.toml");
        assert_eq!(here["settings"].take(), serde_json::json!(settings));
        // A clone has a remote, whose head is remembered.
        let claims = |run: &Value| -> Vec<Value> {
            let checks = run["details"]["checks"].as_array().unwrap();
            checks.iter().filter(|check| check["id"] != "history.continues").cloned().collect()
        };
        assert_eq!(claims(&here), claims(&there));
        assert_eq!((&here["commit"], &here["details"]["rules"]), (&there["commit"], &there["details"]["rules"]));
        let usual = serde_json::json!({"value": 0, "default": 6});
        assert_eq!(there["details"]["rules"]["mismatches"], usual, "there are fewer than 8 prompts");
    }
}

/// The pictures that a page links to.
pub fn linked(page: &str) -> Vec<String> {
    page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[test]
fn folders_and_ports_in_use_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/diary.txt"), "mine").unwrap();
    let full = gen404(folder.path(), &["sandbox", "full"]).ends(1);
    assert!(full.err.contains("neither empty nor a sandbox"), "{}", full.err);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let busy = gen404(folder.path(), &["sandbox", "new", "--port", &port]).ends(1);
    assert!(busy.err.contains("--port"), "{}", busy.err);
    gen404(folder.path(), &["sandbox", "new", "--prompts", "0"]).ends(2);
    gen404(folder.path(), &["sandbox", "new", "--miners", "5"]).ends(2);
}

#[test]
fn the_round_by_hand_of_the_readme_goes_as_it_says() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("## A round by hand").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let lines: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("gen404 ")).collect();
    let top = tempfile::tempdir().unwrap();
    let mut serving = command(top.path());
    serving.args(["sandbox", "--by-hand", "by-hand", "--port", "0", "--seed", "7"]).args(SMALL);
    let mut serving = serving.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(serving.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("round 0 is open") {
        assert_ne!(std::io::BufRead::read_line(&mut told, &mut said).unwrap(), 0, "{said}");
    }
    let dir = top.path().join("by-hand");
    let mut ran = Vec::new();
    for line in &lines {
        let (args, remark) = line.split_once('#').unwrap_or((line, ""));
        let args: Vec<&str> = args.split_whitespace().collect();
        let code = if remark.contains("ends with code 3") { 3 } else { 0 };
        let run = gen404(&dir, &args);
        // With one prompt the audits may come in another order: what waits is to say so.
        let waits = args.contains(&"duel") && run.code == 3 && run.out.contains("duel waits");
        assert!(run.code == code || waits, "{line}: {run:?}");
        ran.push(args.join(" "));
    }
    assert!(ran.len() >= 9 && ran.contains(&"--commit finalize".to_owned()), "{ran:?}");
    let state: Value = serde_json::from_slice(&std::fs::read(dir.join("state.json")).unwrap()).unwrap();
    assert_eq!((&state["stage"], &state["current_round"]), (&"open".into(), &1.into()));
    // The chain has moved on to the next round's window.
    let status = gen404(&dir, &["status", "--json"]).ends(0).details();
    assert_eq!(status["block"], 7000, "{status:#}");
    let asked = Command::new("kill").args(["-INT", &serving.id().to_string()]).status().unwrap();
    assert!(asked.success() && serving.wait().unwrap().success());
}

#[test]
fn a_taken_default_port_gives_way_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    // Whether another sandbox has it or this test: it is taken.
    let _taken = std::net::TcpListener::bind("127.0.0.1:24404");
    let played = gen404(folder.path(), &[&["sandbox", "one", "--rounds", "1"], &SMALL[..]].concat()).ends(0);
    assert!(played.err.contains("port 24404 is taken: using 244"), "{}", played.err);
    let params: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("one/sandbox/params.json")).unwrap()).unwrap();
    assert_ne!(params["port"], 24404);
    assert!(played.out.contains("cheat") && played.out.contains("its program does not make"), "{}", played.out);
    assert_eq!(played.out.matches("\nnext: ").count(), 3, "{}", played.out);
}
