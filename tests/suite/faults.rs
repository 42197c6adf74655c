//! Ten runs of each fault, as cron makes them: one message when it begins, one when it is over, also with kills between;
//! and what `status`, `log`, the numbers and a quiet log tell of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::advance::{advance, cdn, downloaded, generating, judge};
use crate::chain_support::{Fake, Reply};
use crate::judge_server::{JudgeServer, Manners};
use crate::receiver::{Receiver, TAKES};
use crate::round::{committed, hotkey, stage};
use crate::support::{command, edit, gen404};

/// A port at which nothing listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The address of a miner's server that is gone.
fn dead() -> String {
    format!("http://{}/x", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

/// Adds who is told to the settings.
fn tells(folder: &Path, receiver: &Receiver) {
    let (hook, heart) = (receiver.url("/hook"), receiver.url("/hc"));
    let more = format!("[[notify]]\nurl = \"{hook}\"\n[heartbeat]\nurl = \"{heart}\"\n");
    edit(folder, "gen404.toml", |text| format!("{text}\n{more}"));
}

/// A round at its duels whose judge is at this URL.
fn at_duels(judge: &str) -> tempfile::TempDir {
    let folder = generating(&["https://miner.example".to_owned()], 2, 800, judge);
    downloaded(folder.path(), 1, 2);
    edit(folder.path(), "gen404.toml", |text| text.replace("attempts = 2", "attempts = 1"));
    folder
}

/// How many beginnings and ends were told.
fn told(receiver: &Receiver) -> (usize, usize) {
    (receiver.count("/hook", "failure_first_seen"), receiver.count("/hook", "failure_over"))
}

#[track_caller]
fn failing(folder: &Path) -> Value {
    gen404(folder, &["status", "--json"]).json()["details"]["failing"].clone()
}

/// Begins a run that is killed after this time.
fn killed(folder: &Path, args: &[&str], after: Duration) {
    let mut run = begin(folder, args);
    std::thread::sleep(after);
    run.kill().unwrap();
    run.wait().unwrap();
}

fn begin(folder: &Path, args: &[&str]) -> Child {
    command(folder).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_judge_that_fails_in_turns_is_one_fault_with_one_name() {
    let count = Arc::new(AtomicUsize::new(0));
    let run = count.clone();
    let failing_judge = Fake::start(move |_, _, _| match run.load(Ordering::SeqCst) % 3 {
        0 => Reply::Status(429, "", b"slow down".to_vec()),
        1 => Reply::Status(401, "", b"no such key".to_vec()),
        _ => Reply::Body(b"rubbish".to_vec()),
    });
    let (receiver, folder) = (Receiver::start(TAKES), at_duels(&failing_judge.url()));
    let folder = folder.path();
    tells(folder, &receiver);
    for at in 0..10 {
        count.store(at, Ordering::SeqCst);
        if at == 4 {
            killed(folder, &["advance"], Duration::from_millis(150));
        }
        let run = gen404(folder, &["--metrics", ".gen404/m.prom", "advance"]).ends(4);
        let how = ["busy", "refuses", "answers unusably"][at % 3];
        assert!(run.err.contains(&format!("error: duel: judge {how}: 1 match unfinished")), "{run:?}");
        let status = gen404(folder, &["status"]).ends(0).out;
        assert!(status.contains(&format!("failing: judge {how} since 20")), "{status}");
    }
    assert_eq!(told(&receiver), (1, 0));
    let begun = receiver.at("/hook")[0].json();
    assert_eq!(begun["title"], "test: judge busy");
    assert_eq!((&begun["details"]["key"], &begun["details"]["fault"]), (&json!("judge"), &json!("judge busy")));
    let numbers = std::fs::read_to_string(folder.join(".gen404/m.prom")).unwrap();
    assert!(numbers.contains("gen404_fault_runs{competition=\"test\",fault=\"judge\"} 1"), "{numbers}");
    let works = judge();
    edit(folder, "gen404.toml", |text| text.replace(&failing_judge.url(), &works.url));
    advance(folder, &["--until", "finalizing"]).ends(0);
    assert_eq!(told(&receiver), (1, 1));
    assert_eq!(receiver.at("/hook").last().unwrap().json()["title"], "test: over: judge busy");
}

#[test]
fn a_store_folder_that_cannot_be_written_has_a_name_and_a_hint() {
    let (receiver, cdn) = (Receiver::start(TAKES), cdn());
    let folder = generating(&[format!("{}/0", cdn.url())], 1, 800, NOWHERE);
    let folder = folder.path();
    tells(folder, &receiver);
    std::fs::create_dir_all(folder.join(".gen404")).unwrap();
    std::fs::write(folder.join(".gen404/objects"), "in the way").unwrap();
    for _ in 0..10 {
        let run = advance(folder, &["--until", "duels"]).ends(1);
        assert!(run.err.contains("hint: `gen404 doctor --stage download` tries it"), "{run:?}");
    }
    let fault = failing(folder)[0].clone();
    assert_eq!(
        (&fault["key"], &fault["title"], &fault["runs"]),
        (&json!("store"), &json!("store not writable"), &json!(10))
    );
    assert_eq!(told(&receiver), (1, 0));
    std::fs::remove_file(folder.join(".gen404/objects")).unwrap();
    advance(folder, &["--until", "duels"]).ends(0);
    assert_eq!((told(&receiver), failing(folder)), ((1, 1), json!([])));
}

#[test]
fn settings_with_a_typo_are_told_like_any_fault() {
    for (right, wrong, code) in [("[judge]", "[jugde]", 2), ("attempts = 1", "attempts = ", 2)] {
        let (receiver, works) = (Receiver::start(TAKES), judge());
        let folder = at_duels(&works.url);
        let folder = folder.path();
        tells(folder, &receiver);
        edit(folder, "gen404.toml", |text| text.replace(right, wrong));
        for at in 0..10 {
            if at == 3 {
                killed(folder, &["advance"], Duration::from_millis(60));
            }
            let run = gen404(folder, &["--metrics", ".gen404/m.prom", "advance"]).ends(code);
            assert!(!run.err.contains("warning"), "{run:?}");
        }
        // The killed run may have come as far as that.
        assert!((10..=11).contains(&receiver.at("/hc/fail").len()), "{wrong}");
        assert_eq!(told(&receiver), (1, 0), "{wrong}");
        assert_eq!(receiver.at("/hook")[0].json()["title"], "test: settings unusable");
        let numbers = std::fs::read_to_string(folder.join(".gen404/m.prom")).unwrap();
        assert!(
            numbers.contains("fault=\"settings\"")
                && numbers.contains("gen404_last_run_failed{competition=\"test\"} 1")
        );
        let status = gen404(folder, &["status"]).ends(2);
        let since = status.out.lines().find(|line| line.starts_with("failing: settings unusable since 20")).unwrap();
        assert!(since.contains(" runs: ") && since.contains("gen404.toml: line"), "{since}");
        let log = gen404(folder, &["log"]).ends(0).out;
        assert!(log.contains("failed: advance: ") && log.contains(" more run"), "{log}");
        edit(folder, "gen404.toml", |text| text.replace(wrong, right));
        advance(folder, &["--until", "finalizing"]).ends(0);
        assert_eq!(told(&receiver), (1, 1), "{wrong}");
    }
}

#[test]
fn what_cannot_be_known_of_broken_settings_is_said() {
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    std::fs::write(folder.join("gen404.toml"), "<html>not found</html>\n").unwrap();
    let run = gen404(folder, &["--metrics", ".gen404/m.prom", "advance"]).ends(2);
    assert_eq!(run.err.matches("whom to tell of this cannot be read from it").count(), 1, "{run:?}");
    let numbers = std::fs::read_to_string(folder.join(".gen404/m.prom")).unwrap();
    assert!(numbers.contains("fault=\"settings\""), "{numbers}");
}

#[test]
fn runs_that_are_stopped_each_time_are_a_fault_from_the_second_on() {
    let slow = JudgeServer::start(Manners { latency: Duration::from_secs(20), ..Manners::default() });
    let (receiver, folder) = (Receiver::start(TAKES), at_duels(&slow.url));
    let folder = folder.path();
    tells(folder, &receiver);
    for at in 1..=4 {
        let before = slow.seen.requests.load(Ordering::SeqCst);
        let mut run = begin(folder, &["advance"]);
        while slow.seen.requests.load(Ordering::SeqCst) == before {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
        run.wait().unwrap();
        // A process that is told to end sends nothing more: the next one does, as it begins.
        assert_eq!(told(&receiver), (usize::from(at > 2), 0), "{at}");
    }
    let status = gen404(folder, &["status"]).ends(0).out;
    assert!(
        status.contains("failing: advance: stopped by SIGTERM since 20") && status.contains(", 4 runs: "),
        "{status}"
    );
    assert!(status.contains("hint: a time limit of cron"), "{status}");
    let log = gen404(folder, &["log", "--failed"]).ends(0).out;
    assert!(log.contains("advance: stopped by SIGTERM"), "{log}");
    let works = judge();
    edit(folder, "gen404.toml", |text| text.replace(&slow.url, &works.url));
    advance(folder, &["--until", "finalizing"]).ends(0);
    assert_eq!(told(&receiver), (1, 1));
}

#[test]
fn a_quiet_log_tells_when_a_miners_server_is_gone_and_what_to_do() {
    let cdn = cdn();
    let folder = generating(&[format!("{}/0", cdn.url()), dead()], 1, 800, NOWHERE);
    let run = gen404(folder.path(), &["--quiet", "--log-format", "text", "advance", "--until", "duels"]).ends(0);
    let begun = run.err.lines().position(|line| line.contains(" begun: download: CDN of ")).unwrap();
    assert!(run.err.lines().nth(begun).unwrap().contains("none of 1 file arrived"), "{run:?}");
    assert!(run.err.lines().nth(begun + 1).unwrap().contains("hint: it is the miner's to mend"), "{run:?}");
    let again = gen404(folder.path(), &["--quiet", "--log-format", "text", "advance", "--until", "duels"]).ends(0);
    assert!(!again.err.contains("begun"), "{again:?}");
}

#[test]
fn each_step_is_told_before_the_next_one_and_a_kill_hides_nothing() {
    let (receiver, cdn) = (Receiver::start(TAKES), cdn());
    let slow = JudgeServer::start(Manners { latency: Duration::from_secs(20), ..Manners::default() });
    let folder = generating(&[format!("{}/0", cdn.url())], 1, 800, &slow.url);
    let folder = folder.path();
    tells(folder, &receiver);
    let _git = committed(folder);
    std::fs::write(folder.join(".git/info/exclude"), "/gen404.toml\n/.gen404\n/chain.json\n").unwrap();
    let file = folder.join(".git/gen404/m.prom");
    let mut run = begin(folder, &["--commit", "--metrics", ".git/gen404/m.prom", "advance"]);
    while slow.seen.requests.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The duel is at work, and the download before it has been told.
    assert_eq!((stage(folder).as_str(), receiver.count("/hook", "stage_moved")), ("duels", 1));
    let numbers = std::fs::read_to_string(&file).unwrap();
    assert!(numbers.contains("gen404_stage{competition=\"test\",stage=\"duels\"} 1"), "{numbers}");
    assert!(!numbers.contains("gen404_runs_total"), "it has not ended: {numbers}");
    run.kill().unwrap();
    run.wait().unwrap();
    let log = gen404(folder, &["log"]).ends(0).out;
    assert!(log.contains("advance: killed") && log.contains("did: download"), "{log}");
    assert!(log.contains("(Round 0: duels)") && log.contains("now round 0 is in duels"), "{log}");
    gen404(folder, &["--commit", "pause"]).ends(0);
    assert_eq!(receiver.count("/hook", "stage_moved"), 2);
}

#[test]
fn a_network_of_ours_that_is_down_is_held_against_no_miner() {
    let cdns = [dead(), dead()];
    let (receiver, folder) = (Receiver::start(TAKES), generating(&cdns, 2, 800, NOWHERE));
    let folder = folder.path();
    tells(folder, &receiver);
    for _ in 0..10 {
        let run = advance(folder, &["--until", "duels"]).ends(4);
        assert!(run.err.contains("this machine's own network is down: 2 miners' servers gave no answer"), "{run:?}");
    }
    assert_eq!((told(&receiver), stage(folder).as_str()), ((1, 0), "downloading"));
    let fault = failing(folder)[0].clone();
    assert_eq!((&fault["key"], &fault["title"]), (&json!("own network"), &json!("own network down")));
    assert!(!folder.join(format!("rounds/0/{}/submitted.json", hotkey(0))).exists());
    // A service that answers shows that it is the miners'.
    let works = judge();
    edit(folder, "gen404.toml", |text| text.replace(&format!("\"{NOWHERE}\""), &format!("\"{}\"", works.url)));
    advance(folder, &["--until", "duels"]).ends(0);
    assert_eq!(stage(folder), "duels");
    assert_eq!(crate::round::submitted(folder, 0)[crate::round::stem(0)]["glb"], Value::Null);
    assert_eq!(receiver.count("/hook", "failure_over"), 1);
}

#[test]
fn a_remote_that_refuses_is_named_without_a_step() {
    let works = judge();
    let (receiver, folder) = (Receiver::start(TAKES), at_duels(&works.url));
    let folder = folder.path();
    tells(folder, &receiver);
    let _git = committed(folder);
    std::fs::write(folder.join(".git/info/exclude"), "/gen404.toml\n/.gen404\n/chain.json\n").unwrap();
    let remote = tempfile::tempdir().unwrap();
    let bare = remote.path().to_str().unwrap();
    crate::support::git(remote.path(), &["init", "--quiet", "--bare", "."]);
    crate::support::git(folder, &["remote", "add", "origin", bare]);
    crate::support::git(folder, &["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let hook = remote.path().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&hook).status().unwrap().success());
    for _ in 0..3 {
        gen404(folder, &["--commit", "--push", "advance", "--until", "finalizing"]).ends(4);
    }
    let status = gen404(folder, &["status"]).ends(0).out;
    assert!(status.contains("failing: git remote refuses since 20"), "{status}");
    assert_eq!(told(&receiver), (1, 0));
    std::fs::remove_file(&hook).unwrap();
    gen404(folder, &["--commit", "--push", "advance", "--until", "finalizing"]).ends(0);
    assert_eq!(told(&receiver), (1, 1), "{:#?}", receiver.at("/hook"));
}

#[test]
fn a_pause_and_a_pod_say_since_when() {
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    gen404(folder, &["pause", "--reason", "no credit"]).ends(0);
    let pods = folder.join(".gen404/pods");
    std::fs::create_dir_all(&pods).unwrap();
    std::fs::write(pods.join("g404-0-leader-ab12-0"), "targon").unwrap();
    let status = gen404(folder, &["status"]).ends(0).out;
    assert!(status.contains("round 0 is paused since 20") && status.contains(" UTC: no credit"), "{status}");
    let pod = "left by a run that is gone: pod g404-0-leader-ab12-0 of targon, ordered at 20";
    assert!(status.contains(pod), "{status}");
    let json = gen404(folder, &["status", "--json"]).ends(0);
    crate::json::check("status", &json.json());
    assert_eq!(json.details()["pods"][0]["provider"], "targon");
    assert!(json.details()["paused_since"].is_string());
    // A commit keeps both for everyone.
    gen404(folder, &["resume"]).ends(0);
    let _git = committed(folder);
    gen404(folder, &["--commit", "pause"]).ends(0);
    let seconds = crate::support::git(folder, &["log", "-1", "--format=%ct"]);
    let since = chrono::DateTime::from_timestamp(seconds.trim().parse().unwrap(), 0).unwrap();
    let paused = format!("round 0 is paused since {}", since.format("%F %T UTC"));
    let told = advance(folder, &[]).ends(0).err;
    assert!(told.contains(&paused), "{told}");
}
