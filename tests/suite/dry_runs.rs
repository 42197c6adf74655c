//! `--dry-run` of every command at every stage of a sandbox: it writes nothing, and names the files that the
//! real run then writes. All JSON is as `docs/schemas/` says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::json::Coverage;
use crate::sandbox::SMALL;
use crate::support::{command, gen404, skipped, tree, whole};

/// The commands that read a competition; `report` writes beside it.
const READERS: [&str; 4] = ["status", "leader", "verify", "report"];

/// The commands that write a competition: those of the stages, and those that move between them.
pub fn writers() -> Vec<&'static str> {
    gen404::rules::stage_table::commands().into_iter().chain(["pause", "resume", "advance"]).collect()
}

/// A sandbox whose commands are left to us; its servers end with it.
pub struct ByHand {
    serving: Child,
    top: tempfile::TempDir,
}

impl ByHand {
    pub fn start() -> Self {
        let top = tempfile::tempdir().unwrap();
        let mut serving = command(top.path());
        serving.args(["sandbox", "play", "--by-hand", "--port", "0", "--seed", "7"]).args(SMALL);
        let mut serving = serving.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = std::io::BufReader::new(serving.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("round 0 is open") {
            assert_ne!(std::io::BufRead::read_line(&mut told, &mut said).unwrap(), 0, "{said}");
        }
        // Somebody has to read what it says.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        ByHand { serving, top }
    }

    pub fn folder(&self) -> PathBuf {
        self.top.path().join("play")
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-INT", &self.serving.id().to_string()]).status();
        drop(asked.and_then(|_| self.serving.wait()));
    }
}

fn paths(output: &Value, key: &str) -> BTreeSet<String> {
    output[key].as_array().into_iter().flatten().map(|path| path.as_str().unwrap().to_owned()).collect()
}

/// Is this path one of a pattern, in which a star stands for any part of a name?
fn is_like(path: &str, pattern: &str) -> bool {
    let (path, pattern): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
    let name = |(name, pattern): (&&str, &&str)| match pattern.split_once('*') {
        Some((before, after)) => name.starts_with(before) && name.ends_with(after),
        None => name == pattern,
    };
    path.len() == pattern.len() && path.iter().zip(&pattern).all(name)
}

/// What has changed between two looks, without the store's objects.
fn changed(before: &std::collections::BTreeMap<PathBuf, Vec<u8>>, folder: &Path) -> BTreeSet<String> {
    let after = tree(folder);
    let new = after.iter().filter(|(path, bytes)| before.get(*path) != Some(*bytes));
    let names = new.map(|(path, _)| path.display().to_string());
    names.filter(|path| !path.starts_with("objects/")).collect()
}

/// Copies a folder. What nobody writes to once it is there, the objects of the store and of git, is linked.
fn copy_linked(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_linked(&path, &target);
        } else if path.components().any(|part| part.as_os_str() == "objects") {
            std::fs::hard_link(path, target).unwrap();
        } else {
            std::fs::copy(path, target).unwrap();
        }
    }
}

/// Runs a command dry and then really, on a copy of the competition; gives what the dry run named.
fn compare(folder: &Path, name: &str, covered: &mut Coverage) -> BTreeSet<String> {
    let top = tempfile::tempdir().unwrap();
    let copied = top.path().join("play");
    copy_linked(folder, &copied);
    let before = tree(&copied);
    let ran = |flags: &[&str]| {
        let run = gen404(&copied, &[&[name, "--json", "--no-progress"], flags].concat());
        let output = run.json();
        assert_eq!(output["exit"], run.code, "{name}: {run:?}");
        crate::json::check(name, &output);
        output
    };
    let dry = ran(&["--dry-run"]);
    assert_eq!(changed(&before, &copied), BTreeSet::new(), "{name} --dry-run wrote something");
    assert_eq!((&dry["dry_run"], dry["commits"].as_array().unwrap().len()), (&true.into(), 0));
    let real = ran(&[]);
    covered.check(name, &real);
    let end = |output: &Value| ["error", "waits", "exit"].map(|key| output[key].clone());
    if dry["exit"] != 0 {
        assert_eq!(end(&dry), end(&real), "{name}");
    }
    if !dry["error"].is_null() {
        return BTreeSet::new();
    }
    assert!(real["error"].is_null(), "{name}: {real:#}");
    let [sure, written] = [&dry, &real].map(|output| paths(output, "files"));
    let possible = paths(&dry, "possible_files");
    // A whole advance goes on from what its first step has made: that alone is known before.
    let extra = |path: &&String| !sure.contains(*path) && !possible.iter().any(|pattern| is_like(path, pattern));
    let extra: Vec<_> = written.iter().filter(extra).filter(|_| name != "advance").collect();
    let missing: Vec<_> = sure.difference(&written).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{name}: not written {missing:?}, not named {extra:?}\n{dry:#}");
    let inside: BTreeSet<String> = written.iter().filter(|path| !path.starts_with('/')).cloned().collect();
    assert_eq!(changed(&before, &copied), inside, "{name}: what is told is what was written");
    assert!(written.iter().all(|path| copied.join(path).is_file()), "{name}: {written:?}");
    sure
}

#[test]
fn a_dry_run_names_the_files_that_the_real_run_writes_at_every_stage() {
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let sandbox = ByHand::start();
    let folder = sandbox.folder();
    let (mut covered, mut named) = (Coverage::default(), BTreeSet::new());
    let stage = || {
        let state: Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).unwrap()).unwrap();
        (state["current_round"].as_u64().unwrap(), state["stage"].as_str().unwrap().to_owned())
    };
    let mut stages = BTreeSet::new();
    // Each of these is one command further, until the next round is open.
    let steps = ["open", "reveal-seed", "builds", "baseline", "download", "duel", "audit", "duel", "pause", "resume"];
    for (at, step) in steps.iter().copied().chain(["duel", "audit", "duel", "finalize"]).enumerate() {
        let new = stages.insert(stage().1);
        // What only reads is looked at once a stage; so is what is not due, and a sixth of it in between.
        let readers = READERS.into_iter().filter(|_| new);
        let turn = |(place, name): &(usize, &str)| new || whole() || *name == step || (place + at) % 6 == 0;
        let writers = writers().into_iter().enumerate().filter(turn).map(|(_, name)| name);
        for name in readers.chain(writers) {
            if !compare(&folder, name, &mut covered).is_empty() {
                named.insert(name);
            }
        }
        let run = gen404(&folder, &["--commit", "--json", step]);
        assert!([0, 3].contains(&run.code), "{step}: {run:?}");
        covered.check(step, &run.json());
    }
    assert_eq!(stage(), (1, "open".to_owned()));
    let seen = ["duels", "finalizing", "miner_generation", "open", "paused"];
    assert!(seen.iter().all(|stage| stages.contains(*stage)), "{stages:?}");
    for name in writers().into_iter().chain(["report"]) {
        assert!(named.contains(name), "no dry run of {name} named a file: {named:?}");
    }
    covered.covers(&READERS.into_iter().chain(writers()).collect::<Vec<_>>());
}
