//! The record of runs: what `log` and `status` tell of faults, kills, cost and limits.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::advance::{advance, downloaded, generating};
use crate::audit_support;
use crate::chain_support::{Fake, Reply};
use crate::judge_server::{JudgeServer, Manners};
use crate::round::{committed, hotkey};
use crate::support::{command, edit, gen404};

/// A round in `duels` with this many miners and prompts.
fn in_duels(miners: usize, prompts: usize, judge: &str) -> tempfile::TempDir {
    let cdns: Vec<String> = (0..miners).map(|n| format!("https://cdn.example/{n}")).collect();
    let folder = generating(&cdns, prompts, 800, judge);
    downloaded(folder.path(), miners, prompts);
    edit(folder.path(), "gen404.toml", |text| text.replace("attempts = 2", "attempts = 1"));
    folder
}

/// A judge to whom the leader is best, and who names tokens.
fn judge() -> JudgeServer {
    JudgeServer::start(Manners { skills: vec![("/leader/".to_owned(), -9)], tokens: Some(100), ..Manners::default() })
}

/// An address where no server is.
fn dead() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/v1")
}

fn ask(folder: &Path, from: &str, to: &str) {
    edit(folder, "gen404.toml", |text| text.replace(from, to));
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// The times of a record, as far as they can be told by a clock in whole seconds before it.
fn within(at: &Value, from: DateTime<Utc>, to: DateTime<Utc>) {
    let at = time(at);
    assert!(at >= from && at <= to, "{from} <= {at} <= {to}");
}

fn entries(folder: &Path, flags: &[&str]) -> Vec<Value> {
    let run = gen404(folder, &[&["log", "--json"], flags].concat()).ends(0);
    crate::json::check("log", &run.json());
    run.details()["runs"].as_array().unwrap().clone()
}

#[test]
fn a_dead_judge_is_one_fault_from_its_first_run_to_its_last() {
    let (dead, judge) = (dead(), judge());
    let folder = in_duels(2, 1, &dead);
    let folder = folder.path();
    let before = Utc::now();
    advance(folder, &[]).ends(4);
    let after = Utc::now();
    (1..10).for_each(|_| drop(advance(folder, &[]).ends(4)));

    let status = gen404(folder, &["status"]).ends(0);
    let line = status.out.lines().find(|line| line.starts_with("failing: ")).unwrap();
    assert!(line.starts_with("failing: judge unreachable since 20") && line.contains(" UTC, 10 runs: "), "{line}");
    assert!(status.out.contains("  hint: "), "{}", status.out);
    let status = gen404(folder, &["status", "--json"]).ends(0);
    crate::json::check("status", &status.json());
    let failing = status.details()["failing"].clone();
    assert_eq!((&failing[0]["runs"], &failing[0]["command"]), (&json!(10), &json!("duel")));
    within(&failing[0]["since"], before, after);
    let log = gen404(folder, &["log"]).ends(0).out;
    assert_eq!(log.matches("failed: duel: ").count(), 1, "{log}");
    assert!(log.contains("… 9 more runs alike, the last at "), "{log}");
    assert_eq!(gen404(folder, &["log", "-v"]).ends(0).out.matches("failed: duel: ").count(), 10);

    ask(folder, &dead, &judge.url);
    let run = advance(folder, &["--until", "finalizing"]).ends(0);
    assert!(run.out.contains("duel: "), "{run:?}");
    let status = gen404(folder, &["status"]).ends(0).out;
    assert!(!status.contains("failing"), "{status}");
    let calls = judge.seen.requests.load(Ordering::SeqCst);
    let used = format!("used by this round on this machine: {calls} judge calls ({} tokens)", calls * 100);
    assert!(status.contains(&used), "{status}");
    let log = gen404(folder, &["log"]).ends(0).out;
    let over = log.lines().find(|line| line.contains("over: ")).unwrap();
    assert!(over.contains("over: judge unreachable, from 20") && over.ends_with(" UTC, 10 failed runs"), "{over}");
    let shown = entries(folder, &[]);
    assert_eq!((shown.len(), &shown[0]["same"], &shown[1]["over"][0]["runs"]), (2, &json!(9), &json!(10)));
    assert_eq!(entries(folder, &["--failed"]).len(), 1);
    assert_eq!(entries(folder, &["--round", "7"]).len() + entries(folder, &["--since", "2999-01-01"]).len(), 0);
}

#[test]
fn a_run_that_does_not_ask_the_judge_ends_no_fault_and_a_log_tells_the_end() {
    let (dead, judge) = (dead(), judge());
    let folder = in_duels(2, 1, &dead);
    let folder = folder.path();
    advance(folder, &[]).ends(4);
    advance(folder, &["--until", "duels"]).ends(0);
    ask(folder, "attempts = 1", "attempts = \"x\"");
    advance(folder, &[]);
    ask(folder, "attempts = \"x\"", "attempts = 1");
    advance(folder, &[]).ends(4);
    let failing = gen404(folder, &["status", "--json"]).ends(0).details()["failing"].clone();
    let duel = failing.as_array().unwrap().iter().find(|fault| fault["command"] == "duel").unwrap().clone();
    assert_eq!((&duel["title"], &duel["runs"]), (&json!("judge unreachable"), &json!(2)), "{failing}");
    let shown = entries(folder, &["--failed"]);
    assert_eq!(shown.len(), 3, "what lies between two failures keeps them apart: {shown:?}");
    ask(folder, &dead, &judge.url);
    let run = gen404(folder, &["--quiet", "--log-format", "text", "advance", "--until", "finalizing"]).ends(0);
    let over = run.err.lines().find(|line| line.contains("over: judge unreachable, from ")).unwrap();
    assert!(over.ends_with(" UTC, 2 runs"), "{over}");
    let log = gen404(folder, &["log", "--failed", "--since", "2999-01-01"]).ends(0).out;
    assert_eq!(log.trim_end(), "no failed runs on record");
}

#[test]
fn idle_runs_are_one_line() {
    let folder = in_duels(1, 1, &dead());
    let folder = folder.path();
    gen404(folder, &["pause"]).ends(0);
    (0..5).for_each(|_| drop(advance(folder, &[]).ends(0)));
    gen404(folder, &["resume"]).ends(0);
    let log = gen404(folder, &["log"]).ends(0).out;
    let heads: Vec<&str> = log.lines().filter(|line| line.starts_with("20")).collect();
    assert_eq!(heads.len(), 3, "{log}");
    assert!(heads[0].contains("pause: done") && heads[1].contains("advance: nothing to do"), "{log}");
    assert!(log.contains("… 4 more runs with nothing to do, the last at "), "{log}");
    gen404(folder, &["advance", "--dry-run"]);
    assert_eq!(entries(folder, &[]).len(), 3, "a dry run is not recorded");
}

#[test]
fn a_killed_run_is_told_from_one_at_work() {
    let judge = JudgeServer::start(Manners { latency: Duration::from_secs(20), ..Manners::default() });
    let folder = in_duels(1, 1, &judge.url);
    let folder = folder.path();
    let mut run = command(folder).arg("advance").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while judge.seen.requests.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(entries(folder, &[])[0]["run"]["outcome"], "begun");
    assert!(gen404(folder, &["log"]).ends(0).out.contains("advance: running"));
    // The other run holds the lock.
    let busy = gen404(folder, &["duel"]).ends(1);
    assert!(busy.err.contains("held by pid"), "{busy:?}");
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(entries(folder, &["--failed"])[0]["run"]["outcome"], "killed");
    let log = gen404(folder, &["log"]).ends(0).out;
    assert!(log.contains("advance: killed") && log.contains("its process ended without a word"), "{log}");
    // Half a line of a record is left out, and said.
    let path = folder.join(".gen404/runs.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"id\": \"x\", \"star");
    std::fs::write(&path, bytes).unwrap();
    gen404(folder, &["pause"]).ends(0);
    let told = gen404(folder, &["log"]).ends(0);
    assert!(told.err.contains("1 line could not be read") && told.out.contains("pause: done"), "{told:?}");
}

#[test]
fn broken_settings_are_a_fault_of_the_run() {
    let folder = in_duels(1, 1, &dead());
    let folder = folder.path();
    ask(folder, "[judge]", "[jugde]");
    (0..2).for_each(|_| drop(advance(folder, &[]).ends(2)));
    let log = gen404(folder, &["log"]).ends(0).out;
    assert!(log.contains("failed: advance: ") && log.contains("jugde") && log.contains("1 more run alike"), "{log}");
    ask(folder, "[jugde]", "[judge]");
    advance(folder, &[]).ends(4);
    let log = gen404(folder, &["log"]).ends(0).out;
    assert!(log.contains("over: settings unusable, from "), "{log}");
}

#[test]
fn the_limit_of_calls_stops_before_it_is_passed_and_loses_nothing() {
    let judge = judge();
    let folder = in_duels(2, 3, &judge.url);
    let folder = folder.path();
    let dry = gen404(folder, &["duel", "--dry-run", "--json"]).ends(0);
    crate::json::check("duel", &dry.json());
    let estimate = dry.details()["estimate"].clone();
    assert!(estimate["calls"].as_u64().unwrap() >= 12 && estimate["tokens"].is_null(), "{estimate}");
    edit(folder, "gen404.toml", |text| format!("{text}\n[limits]\ncalls = 5\n"));
    for _ in 0..2 {
        let run = gen404(folder, &["duel"]).ends(3);
        assert!(
            run.err.contains("the limit calls is reached: round 0 may use 5 judge calls, and all are used"),
            "{run:?}"
        );
        assert!(run.err.contains("raise calls = 5 under [limits]"), "{run:?}");
        assert_eq!(judge.seen.requests.load(Ordering::SeqCst), 5);
    }
    let status = gen404(folder, &["status"]).ends(0).out;
    assert!(status.contains("5 of 5 judge calls (500 tokens)"), "{status}");
    let dry = gen404(folder, &["duel", "--dry-run"]).ends(0).out;
    assert!(dry.contains("[limits] calls leaves this round 0 of 5 calls: it stops before that, with code 3"), "{dry}");
    assert!(status.contains("failing: duel since "), "{status}");
    advance(folder, &[]).ends(3);
    ask(folder, "calls = 5", "calls = 500");
    let dry = gen404(folder, &["duel", "--dry-run"]).ends(0).out;
    assert!(dry.contains("tokens, by the answers so far"), "{dry}");
    gen404(folder, &["duel"]).ends(0);
    let (different, all) = judge.seen.answers();
    assert_eq!(different, all, "no call is made twice");
}

#[test]
fn pods_are_not_rented_once_the_limit_of_their_hours_is_reached() {
    let folder = in_duels(1, 2, &dead());
    let folder = folder.path();
    std::fs::remove_file(folder.join("rounds/0/leader/generated.json")).unwrap();
    used(folder, &json!({"provider": {"pod_seconds": 3598.0}, "program": {"calls": 10}}));
    let pods =
        "\n[pods]\nprovider = \"endpoint\"\n[pods.endpoint]\nurl = \"http://127.0.0.1:9\"\n[limits]\npod_hours = 1\n";
    edit(folder, "gen404.toml", |text| format!("{text}{pods}"));
    let dry = gen404(folder, &["baseline", "--dry-run"]).ends(0).out;
    assert!(dry.contains("would generate 2 outputs: about 0.20 pod hours, by the pods so far"), "{dry}");
    assert!(
        dry.contains("[limits] pod_hours leaves this round less than 0.01 of 1 pod hours: it stops before that"),
        "{dry}"
    );
    let run = gen404(folder, &["baseline"]).ends(3);
    assert!(run.err.contains("the limit pod_hours is reached: round 0 may use 1 pod hours"), "{run:?}");
    assert!(!folder.join(".gen404/pods").exists() || folder.join(".gen404/pods").read_dir().unwrap().next().is_none());
}

#[test]
fn lines_for_a_log_carry_their_time() {
    let folder = in_duels(2, 1, &dead());
    let folder = folder.path();
    let text = advance(folder, &["--log-format", "text"]).ends(4).err;
    assert!(text.contains(" error: duel: ") && text.contains("   hint: "), "{text}");
    for line in text.lines() {
        let (time, _) = line.split_once(' ').unwrap();
        assert!(time.parse::<DateTime<Utc>>().is_ok() && time.ends_with('Z'), "{line}");
    }
    let run = command(folder).arg("advance").env("GEN404_LOG_FORMAT", "json").output().unwrap();
    let lines = String::from_utf8(run.stderr).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let error = lines.iter().find(|line| line["level"] == "error").unwrap();
    assert_eq!((&error["step"], &error["command"]), (&json!("duel"), &json!("advance")));
    assert!(!error["hints"].as_array().unwrap().is_empty() && time(&error["time"]) <= Utc::now(), "{error}");
    let plain = advance(folder, &[]).ends(4).err;
    assert!(plain.starts_with("error: duel: "), "{plain}");
}

#[test]
fn a_record_is_not_part_of_the_competition() {
    let folder = in_duels(1, 1, &dead());
    let _git = committed(folder.path());
    let before = crate::support::git(folder.path(), &["status", "--porcelain"]);
    gen404(folder.path(), &["--commit", "pause"]).ends(0);
    let log = gen404(folder.path(), &["log"]).ends(0).out;
    assert!(log.contains("pause: done") && log.contains("    committed "), "{log}");
    assert!(log.contains("now round 0 is paused"), "{log}");
    assert!(folder.path().join(".git/gen404/runs.jsonl").exists());
    assert_eq!(crate::support::git(folder.path(), &["status", "--porcelain"]), before);
}

/// As if earlier runs had used this much of a round.
fn used(folder: &Path, usage: &Value) {
    let past = json!({
        "id": "a", "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T01:00:00Z", "command": "audit", "round": 0,
        "usage": usage,
    });
    std::fs::create_dir_all(folder.join(".gen404")).unwrap();
    std::fs::write(folder.join(".gen404/runs.jsonl"), format!("{past}\n")).unwrap();
}

#[test]
fn pods_end_before_the_limit_of_their_hours_is_passed() {
    let services = audit_support::services();
    let pods = Fake::start(|_, line, body| {
        if line.starts_with("GET") {
            return Reply::Body(Vec::new());
        }
        std::thread::sleep(Duration::from_secs(60));
        audit_support::model("", "bird", audit_support::prompt_of(body))
    });
    let folder = audit_support::round(&services, &pods, 1, 2);
    let folder = folder.path();
    edit(folder, "gen404.toml", |text| format!("{text}[limits]\npod_hours = 1\n"));
    used(folder, &json!({"provider": {"pod_seconds": 3593.5}}));
    let begun = std::time::Instant::now();
    let run = audit_support::run(folder, &services, &["audit"]).ends(3);
    assert!(run.err.contains("the limit pod_hours is reached: round 0 may use 1 pod hours"), "{run:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "the program was waited for");
    audit_support::no_pod_is_noted(folder);
    let used = gen404(folder, &["status", "--json"]).ends(0).details()["usage"]["provider"]["pod_seconds"].clone();
    assert!((3594.0..3600.0).contains(&used.as_f64().unwrap()), "{used}");
}

#[test]
fn advance_says_each_verdict() {
    let (services, pods) = (audit_support::services(), audit_support::patient());
    let folder = audit_support::round(&services, &pods, 2, 1);
    let folder = folder.path();
    let store = "[store]\ndir = \".gen404/objects\"\ncdn_url = \"https://cdn.example\"\n";
    edit(folder, "gen404.toml", |text| format!("{text}{store}"));
    let mut advance = command(folder);
    advance.args(["advance", "--skip", "duel", "--skip", "baseline", "--skip", "builds"]);
    let run = audit_support::run_as(advance.env("RENDER_URL", services.url())).ends(0);
    let verdicts: Vec<&str> = run.out.lines().filter(|line| line.starts_with("audit: ")).collect();
    assert_eq!(verdicts.len(), 2, "{run:?}");
    (0..2).for_each(|miner| assert!(run.out.contains(&hotkey(miner)), "{run:?}"));
    let usage = gen404(folder, &["status", "--json"]).ends(0).details()["usage"].clone();
    assert_eq!(usage["program"]["calls"], 2, "{usage}");
    assert!(usage["provider"]["pod_seconds"].as_f64().unwrap() > 0.2, "{usage}");
}

/// Runs something three times that fails, and once that does not; what `status` and `log` tell of it.
#[track_caller]
fn is_told(folder: &Path, service: &str, fails: &dyn Fn(), works: &dyn Fn()) {
    (0..3).for_each(|_| fails());
    let status = gen404(folder, &["status", "--json"]).ends(0).details()["failing"].clone();
    let found: Vec<_> = status.as_array().unwrap().iter().map(|fault| (&fault["key"], &fault["runs"])).collect();
    assert_eq!(found, [(&json!(service), &json!(3))], "{status:#}");
    works();
    let status = gen404(folder, &["status", "--json"]).ends(0).details()["failing"].clone();
    assert_eq!(status, json!([]), "{service}");
    let log = gen404(folder, &["log"]).ends(0).out;
    let over = log.lines().find(|line| line.contains(&format!("over: {service} unreachable, from 20"))).unwrap();
    assert!(over.contains(" UTC to 20") && over.ends_with(" UTC, 3 failed runs"), "{over}");
}

#[test]
fn a_dead_chain_is_one_fault() {
    let cdns = ["https://cdn.example/0".to_owned()];
    let folder = generating(&cdns, 1, 300, &dead());
    let folder = folder.path();
    let node = dead();
    let (file, network) =
        ("file = \"chain.json\"", format!("network = \"{}\"\nattempts = 1", node.trim_end_matches("/v1")));
    ask(folder, file, &network);
    let mend = || {
        ask(folder, &network, file);
        advance(folder, &[]).ends(0);
    };
    let fails = || {
        let run = advance(folder, &[]).ends(4);
        assert!(run.err.contains("hint: ") && run.err.contains("gen404 doctor"), "{run:?}");
    };
    is_told(folder, "chain", &fails, &mend);
}

#[test]
fn a_dead_provider_is_one_fault() {
    let (services, pods) = (audit_support::services(), audit_support::patient());
    let folder = audit_support::round(&services, &pods, 1, 1);
    let folder = folder.path();
    let (endpoint, targon) = ("provider = \"endpoint\"\nreported_times = true", "provider = \"targon\"\nattempts = 1");
    ask(folder, endpoint, targon);
    let url = dead();
    edit(folder, "gen404.toml", |text| format!("{text}[pods.targon]\nurl = \"{}\"\n", url.trim_end_matches("/v1")));
    let audit = |code: i32| drop(audit_support::run(folder, &services, &["audit"]).ends(code));
    let mend = || {
        ask(folder, targon, endpoint);
        audit(0);
    };
    is_told(folder, "provider", &|| audit(4), &mend);
}

#[test]
fn a_dead_store_is_one_fault() {
    let cdn = crate::advance::cdn();
    let cdns = [format!("{}/0", cdn.url())];
    let folder = generating(&cdns, 1, 800, &dead());
    let folder = folder.path();
    let (dir, endpoint) = ("dir = \".gen404/objects\"", format!("endpoint = \"{}\"\nattempts = 1", dead()));
    ask(folder, dir, &endpoint);
    let download = |code: i32| {
        let mut download = command(folder);
        download.arg("download").env("R2_ACCESS_KEY_ID", "id").env("R2_SECRET_ACCESS_KEY", "key");
        drop(audit_support::run_as(&mut download).ends(code));
    };
    let mend = || {
        ask(folder, &endpoint, dir);
        download(0);
    };
    is_told(folder, "store", &|| download(4), &mend);
}
