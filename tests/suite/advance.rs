//! `advance` from outside: a round from its opening to the next one, quiet where nothing is due,
//! stopped by signals, held up by nobody's failure.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gen404::model::lock::{Contended, Lock};
use serde_json::{Value, json};

use crate::cdn::{Cdn, Serve, blank_glb, triangle_glb};
use crate::chain_support::{Fake, Reply};
use crate::judge_server::{JudgeServer, Manners};
use crate::round::{IMPATIENT, committed, hotkey, round, stage, stem, submitted};
use crate::support::{Run, command, gen404, tree};

/// The chain file at a block: the miners of [`crate::round`] with their servers.
pub fn chain(folder: &Path, block: u64, cdns: &[String]) {
    let reveal = |(n, cdn): (usize, &String)| {
        let text = json!({"repo": format!("miner/{n}"), "commit": format!("{n:040x}"), "cdn_url": cdn}).to_string();
        (hotkey(u8::try_from(n).unwrap()), json!([{"block": 110 + n, "text": text}]))
    };
    let commitments: serde_json::Map<String, Value> = cdns.iter().enumerate().map(reveal).collect();
    let hash = format!("0x{}", "ab".repeat(32));
    let chain = json!({
        "current_block": block, "block_times": {"200": 1_772_352_000}, "block_hashes": {"200": hash},
        "commitments": commitments,
    });
    std::fs::write(folder.join("chain.json"), chain.to_string()).unwrap();
}

/// Settings by which everything is done on this machine.
pub fn settings(folder: &Path, judge: &str) {
    let text = format!(
        "{IMPATIENT}\n[chain]\nfile = \"chain.json\"\nclock = \"block\"\n\n[open]\nearly = true\n\n[store]\ndir = \".gen404/objects\"\n\
         cdn_url = \"https://cdn.example\"\n\n[judge]\nbase_url = \"{judge}\"\nattempts = 2\n"
    );
    std::fs::write(folder.join("gen404.toml"), text).unwrap();
}

/// A round in `miner_generation` whose builds and baseline are there.
pub fn generating(cdns: &[String], prompts: usize, block: u64, judge: &str) -> tempfile::TempDir {
    let folder = round(cdns, prompts);
    settings(folder.path(), judge);
    chain(folder.path(), block, cdns);
    beside(folder.path(), cdns.len(), prompts);
    folder
}

/// The files that are made beside the stages.
fn beside(folder: &Path, miners: usize, prompts: usize) {
    let build = |n: usize| {
        let build = json!({
            "repo": format!("miner/{n}"), "commit": format!("{n:040x}"), "revealed_at_block": 110 + n,
            "tag": "0000000-test-0", "status": "success", "docker_image": "image",
        });
        (hotkey(u8::try_from(n).unwrap()), build)
    };
    let builds: serde_json::Map<String, Value> = (0..miners).map(build).collect();
    let output = |n: usize| {
        let url = |kind: &str| format!("https://cdn.example/rounds/0/leader/generated/{}.{kind}", stem(n));
        let output = json!({
            "glb": url("glb"), "png": url("png"), "generation_time": 1.0, "size": 1, "attempts": 1, "distance": 0.0,
        });
        (stem(n), output)
    };
    let generated: serde_json::Map<String, Value> = (0..prompts).map(output).collect();
    std::fs::create_dir_all(folder.join("rounds/0/leader")).unwrap();
    for (path, value) in [("rounds/0/builds.json", builds), ("rounds/0/leader/generated.json", generated)] {
        std::fs::write(folder.join(path), serde_json::to_string_pretty(&value).unwrap()).unwrap();
    }
}

/// As if all miners' files had been fetched.
pub fn downloaded(folder: &Path, miners: usize, prompts: usize) {
    crate::support::edit(folder, "state.json", |text| text.replace("miner_generation", "duels"));
    for n in 0..miners {
        let hotkey = hotkey(u8::try_from(n).unwrap());
        let leader = std::fs::read_to_string(folder.join("rounds/0/leader/generated.json")).unwrap();
        let own = leader.replace("leader/generated", &format!("{hotkey}/submitted"));
        assert_eq!(own.matches(&hotkey).count(), 2 * prompts);
        std::fs::create_dir_all(folder.join("rounds/0").join(&hotkey)).unwrap();
        std::fs::write(folder.join(format!("rounds/0/{hotkey}/submitted.json")), own).unwrap();
    }
}

/// A judge to whom the leader is best.
pub fn judge() -> JudgeServer {
    JudgeServer::start(Manners { skills: vec![("/leader/".to_owned(), -9)], ..Manners::default() })
}

pub fn cdn() -> Cdn {
    Cdn::start(|path, _| Serve::File(triangle_glb(path)))
}

pub fn advance(folder: &Path, flags: &[&str]) -> Run {
    gen404(folder, &[&["advance"], flags].concat())
}

#[track_caller]
fn quiet(run: &Run) {
    assert_eq!(run.out, "", "not quiet");
    assert!(run.err.starts_with("nothing done: ") && run.err.lines().count() == 1, "{}", run.err);
}

#[test]
fn a_round_goes_on_by_itself_and_is_quiet_between() {
    let (cdn, judge) = (cdn(), judge());
    let cdns: Vec<String> = (0..2).map(|n| format!("{}/{n}", cdn.url())).collect();
    let folder = round(&cdns, 2);
    let folder = folder.path();
    settings(folder, &judge.url);
    for gone in ["submissions.json", "seed.json", "prompts.txt"] {
        std::fs::remove_file(folder.join("rounds/0").join(gone)).unwrap();
    }
    crate::support::edit(folder, "state.json", |text| text.replace("miner_generation", "open"));

    chain(folder, 150, &cdns[..1]);
    let run = advance(folder, &[]).ends(0);
    assert!(run.out.starts_with("open: ") && run.out.lines().count() == 1 && run.err.is_empty(), "{run:?}");
    quiet(&advance(folder, &[]).ends(0));
    assert_eq!(advance(folder, &["-q"]).ends(0).err, "", "cron sends what is said as mail");
    chain(folder, 160, &cdns);
    assert!(advance(folder, &[]).ends(0).out.starts_with("open: "));

    chain(folder, 200, &cdns);
    let next = advance(folder, &["--dry-run"]).ends(0);
    assert!(next.out.starts_with("next: gen404 reveal-seed ("), "{next:?}");
    assert_eq!(stage(folder), "open");
    let run = advance(folder, &["--until", "miner_generation"]).ends(0);
    assert!(run.out.starts_with("reveal-seed: ") && run.out.lines().count() == 1, "{run:?}");
    assert_eq!(stage(folder), "miner_generation");
    beside(folder, 2, 2);
    quiet(&advance(folder, &[]).ends(0));

    // The rest of the round in one run, and the next one is open.
    chain(folder, 800, &cdns);
    let run = advance(folder, &["--json"]).ends(0).json();
    let steps = run["details"]["steps"].as_array().unwrap();
    let done: Vec<&str> = steps.iter().map(|step| step["command"].as_str().unwrap()).collect();
    assert_eq!(done[..3], ["download", "duel", "finalize"], "{run}");
    assert!(steps.iter().all(|step| step["exit"] == 0 && !step["files"].as_array().unwrap().is_empty()), "{run}");
    let state = std::fs::read_to_string(folder.join("state.json")).unwrap();
    assert!(state.contains("\"current_round\": 1") && stage(folder) == "open", "{state}");
    // 600 blocks after 2026-03-01 08:00, the first day's start is over.
    assert!(state.contains("2026-03-02T08:00:00Z"), "the block's own time counts: {state}");
    quiet(&advance(folder, &[]).ends(0));
}

#[test]
fn what_fails_is_told_and_holds_up_nothing_else() {
    let (cdn, judge) = (cdn(), judge());
    let folder = generating(&[cdn.url()], 2, 800, "http://127.0.0.1:1/v1");
    let run = advance(folder.path(), &[]).ends(4);
    assert!(run.out.starts_with("download: ") && run.err.starts_with("error: duel: "), "{run:?}");
    assert_eq!(stage(folder.path()), "duels");
    let json = advance(folder.path(), &["--json"]).ends(4).json();
    assert_eq!((&json["exit"], &json["details"]["steps"][0]["exit"]), (&4.into(), &4.into()), "{json}");
    let told = |key: &str| json["details"]["steps"][0][key].as_array().is_some_and(|lines| !lines.is_empty());
    assert!(told("causes") && told("hints"), "{json:#}");
    crate::json::check("advance", &json);
    settings(folder.path(), &judge.url);
    let run = advance(folder.path(), &["--until", "finalizing"]).ends(0);
    assert_eq!(run.out, "duel: round 0: leader wins\n");
    // A chain that is not there holds up nothing where no block is needed.
    std::fs::remove_file(folder.path().join("chain.json")).unwrap();
    let run = advance(folder.path(), &["-v"]).ends(2);
    assert!(run.err.contains("finalize: ") && run.err.contains("chain.json"), "{run:?}");
    std::fs::write(folder.path().join("gen404.toml"), "[chain]\nnetwork = \"http://127.0.0.1:1\"\nattempts = 1\n")
        .unwrap();
    crate::support::edit(folder.path(), "state.json", |text| text.replace("finalizing", "open"));
    let run = advance(folder.path(), &[]).ends(4);
    assert_eq!((run.out.as_str(), run.err.matches("error:").count()), ("", 1), "told once: {run:?}");
}

#[test]
fn beside_another_gen404_it_is_quiet_or_waits() {
    let cdn = cdn();
    let folder = generating(&[cdn.url()], 2, 800, "http://127.0.0.1:1/v1");
    let held = Lock::take(&folder.path().join(".gen404"), "duel", Contended::Fail, |_| Ok(())).unwrap();
    quiet(&advance(folder.path(), &[]).ends(0));
    let run = advance(folder.path(), &["-v"]).ends(0);
    assert!(run.err.contains("(gen404 duel)"), "{run:?}");
    let mut waiting = command(folder.path());
    waiting.args(["advance", "--wait-lock", "--until", "duels"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(waiting.stderr.take().unwrap()), &mut said).unwrap();
    assert!(said.contains("waiting for pid"), "{said}");
    assert_eq!(stage(folder.path()), "miner_generation");
    drop(held);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(stage(folder.path()), "duels");
}

#[test]
fn it_waits_for_what_will_be_due() {
    let cdn = cdn();
    let folder = generating(&[cdn.url()], 1, 700, "http://127.0.0.1:1/v1");
    let mut waiting = command(folder.path());
    waiting.args(["advance", "--wait", "--poll", "1", "--until", "duels"]).stdout(Stdio::null());
    let mut waiting = waiting.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    chain(folder.path(), 800, &[cdn.url()]);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(stage(folder.path()), "duels");
    crate::support::edit(folder.path(), "state.json", |text| text.replace("duels", "paused"));
    quiet(&advance(folder.path(), &["--wait"]).ends(0));
}

/// Sends SIGTERM once `begun` says so; gives what the run said.
fn stopped(mut run: Child, begun: impl Fn() -> bool) -> (Option<i32>, String) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !begun() {
        assert!(Instant::now() < deadline && run.try_wait().unwrap().is_none(), "it never came so far");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let out = run.wait_with_output().unwrap();
    (out.status.code(), String::from_utf8(out.stderr).unwrap())
}

fn begin(folder: &Path) -> Child {
    let mut run = command(folder);
    run.arg("advance").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_download_and_a_rerun_ends_with_the_same_bytes() {
    let cdn = Cdn::start(|path, _| Serve::Late(Duration::from_millis(40), blank_glb(path)));
    let cdns: Vec<String> = (0..3).map(|n| format!("{}/{n}", cdn.url())).collect();
    let (prompts, until) = (12, ["--until", "duels"]);
    let (undisturbed, folder) = (generating(&cdns, prompts, 800, "x"), generating(&cdns, prompts, 800, "x"));
    advance(undisturbed.path(), &until).ends(0);
    let before = cdn.seen().len();
    let (code, err) = stopped(begin(folder.path()), || cdn.seen().len() > before + 3);
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("stopped by a signal") && err.contains("hint: "), "{err}");
    assert_eq!(stage(folder.path()), "downloading", "it was not cut short");
    advance(folder.path(), &until).ends(0);
    assert!(tree(folder.path()) == tree(undisturbed.path()), "other files in the end");
    let again = cdn.seen().len() - before - cdns.len() * prompts;
    assert!(again <= 12, "{again} files fetched twice");
    assert_eq!(submitted(folder.path(), 2).as_object().unwrap().len(), prompts);
}

#[test]
#[cfg(unix)]
fn a_signal_ends_duels_and_no_call_is_paid_twice() {
    let manners = || Manners {
        latency: Duration::from_millis(20),
        skills: vec![("/leader/".to_owned(), -9)],
        ..Manners::default()
    };
    let cdns: Vec<String> = (0..4).map(|n| format!("https://miner.example/{n}")).collect();
    let (slow, fast) = (JudgeServer::start(manners()), judge());
    let (undisturbed, folder) = (generating(&cdns, 8, 800, &fast.url), generating(&cdns, 8, 800, &slow.url));
    for folder in [&undisturbed, &folder] {
        downloaded(folder.path(), cdns.len(), 8);
    }
    advance(undisturbed.path(), &["--until", "finalizing"]).ends(0);
    let (code, err) = stopped(begin(folder.path()), || slow.seen.answers().1 > 4);
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("stopped by a signal") && err.contains("hint: all answers so far are kept"), "{err}");
    assert_eq!(stage(folder.path()), "duels", "it was not cut short");
    advance(folder.path(), &["--until", "finalizing"]).ends(0);
    let (distinct, answers) = slow.seen.answers();
    assert_eq!((distinct, answers), fast.seen.answers(), "a call was made twice");
    let without = |folder: &Path| {
        let mut files = tree(folder);
        files.remove(Path::new("gen404.toml"));
        files
    };
    assert!(without(folder.path()) == without(undisturbed.path()), "other files in the end");
}

#[test]
fn each_step_has_its_own_commit() {
    let (cdn, judge) = (cdn(), judge());
    let folder = generating(&[cdn.url()], 1, 800, &judge.url);
    let git = committed(folder.path());
    let json = advance(folder.path(), &["--commit", "--json", "--until", "finalizing"]).ends(0).json();
    let made: Vec<String> = json["details"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["commits"].as_array().unwrap())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    let log: Vec<String> = git.log().unwrap().commits.into_iter().map(|commit| commit.id).collect();
    assert_eq!(made, log[1..], "after the first one");
    assert!(log.len() >= 3, "{json}");
}

#[test]
fn what_others_do_is_left_to_them() {
    let cdn = cdn();
    let cdns = [format!("{}/0", cdn.url())];
    let folder = round(&cdns, 2);
    settings(folder.path(), "http://127.0.0.1:9");
    chain(folder.path(), 300, &cdns);
    // Nobody is named here who knows of builds, or who rents out pods.
    let run = advance(folder.path(), &[]).ends(2);
    assert!(run.err.contains("builds") && run.err.contains("baseline"), "{}", run.err);
    quiet(&advance(folder.path(), &["--skip", "builds", "--skip", "baseline"]).ends(0));
    let unknown = advance(folder.path(), &["--skip", "verify"]).ends(2);
    assert!(unknown.err.contains("possible values: open, reveal-seed, builds"), "{}", unknown.err);
}

#[test]
fn builds_that_wait_for_a_limit_to_end_stop_when_told() {
    let busy = Fake::start(|_, _, _| Reply::Status(429, "Retry-After: 50\r\n", Vec::new()));
    let folder = round(&["https://cdn.example/x".to_owned()], 2);
    std::fs::write(
        folder.path().join("gen404.toml"),
        format!("[builds]\nrepo = \"a/b\"\napi_url = \"{}\"\n", busy.url()),
    )
    .unwrap();
    let mut command = command(folder.path());
    let mut child = command.args(["builds"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while busy.count() == 0 && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(told.elapsed() < Duration::from_secs(20), "it waited for the limit");
}
