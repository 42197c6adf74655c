//! What the log alone tells of a day: what happened, when, and what to do.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::advance::{advance, downloaded, generating};
use crate::audit_support::{model, prompt_of, run, services};
use crate::cdn::{Cdn, Serve, triangle_glb};
use crate::chain_support::{Fake, Reply};
use crate::judge_server::{JudgeServer, Manners};
use crate::receiver::{Receiver, TAKES};
use crate::round::{committed, hotkey};
use crate::support::{command, edit, gen404};

/// An address where no server is.
fn nowhere() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A judge to whom this player is best.
fn judge(best: &str, latency: Duration) -> JudgeServer {
    JudgeServer::start(Manners { skills: vec![(best.to_owned(), -9)], latency, ..Manners::default() })
}

fn log(folder: &Path) -> String {
    gen404(folder, &["log"]).ends(0).out
}

/// The heads of the entries: what ran, and how it ended.
fn heads(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.starts_with("20")).filter_map(|line| line.split("UTC ").nth(1)).collect()
}

#[track_caller]
fn in_order(log: &str, lines: &[&str]) {
    let mut rest = log;
    for line in lines {
        rest = rest.split_once(line).unwrap_or_else(|| panic!("{line:?} is not where it should be in\n{log}")).1;
    }
}

#[test]
fn the_log_tells_of_moves_winners_pauses_and_their_reasons() {
    let judge = judge("/leader/", Duration::ZERO);
    let folder = generating(&["https://miner.example".to_owned()], 1, 800, &judge.url);
    let folder = folder.path();
    downloaded(folder, 1, 1);
    let _git = committed(folder);
    gen404(folder, &["--commit", "pause", "--reason", "the judge's account is empty"]).ends(0);
    advance(folder, &[]).ends(0);
    gen404(folder, &["--commit", "resume"]).ends(0);
    gen404(folder, &["--commit", "advance", "--until", "finalizing"]).ends(0);
    let told = log(folder);
    let lines = [
        "pause: done",
        "paused: the judge's account is empty",
        "now round 0 is paused",
        "advance: nothing to do",
        "resume: done",
        "resumed: it was paused for: the judge's account is empty",
        "now round 0 is in duels",
        "advance: done",
        "round 0: winner leader",
        "now round 0 is in finalizing",
    ];
    in_order(&told, &lines);
    let runs = gen404(folder, &["log", "--json"]).ends(0);
    crate::json::check("log", &runs.json());
    let facts = runs.details()["runs"][3]["run"]["facts"].clone();
    assert_eq!(facts, json!(["round 0: winner leader", "round 0: stage duels -> finalizing"]));
}

#[test]
fn a_stop_is_called_a_stop_and_a_wait_a_wait() {
    let slow = judge("/leader/", Duration::from_secs(20));
    let folder = generating(&["https://miner.example".to_owned()], 1, 800, &slow.url);
    let folder = folder.path();
    downloaded(folder, 1, 1);
    for name in ["SIGTERM", "SIGINT"] {
        let before = slow.seen.requests.load(Ordering::SeqCst);
        let mut run = command(folder).arg("advance").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while slow.seen.requests.load(Ordering::SeqCst) == before {
            std::thread::sleep(Duration::from_millis(5));
        }
        let signal = name.replace("SIG", "-");
        assert!(Command::new("kill").args([signal, run.id().to_string()]).status().unwrap().success());
        run.wait().unwrap();
        let told = log(folder);
        assert!(heads(&told).last().unwrap().starts_with(&format!("advance: stopped by {name}, exit 4")), "{told}");
        assert!(told.contains("run it again to go on") && !told.contains("failed"), "{told}");
    }
    let first = judge(&hotkey(0), Duration::ZERO);
    let folder = generating(&["https://miner.example".to_owned()], 2, 800, &first.url);
    let folder = folder.path();
    downloaded(folder, 1, 2);
    gen404(folder, &["duel"]).ends(3);
    let told = log(folder);
    assert!(heads(&told)[0].starts_with("duel: waits, exit 3"), "{told}");
    in_order(&told, &[&format!("audit asked of {}", hotkey(0)), "waits: "]);
}

#[test]
fn the_log_tells_each_verdict_and_why() {
    let services = services();
    let pods = Fake::start(|_, line, body| {
        if line.starts_with("GET") {
            return Reply::Body(Vec::new());
        }
        let shape = if line.contains(&hotkey(0)) { "bird" } else { "fish" };
        model("x-generation-seconds: 7.0\r\n", shape, prompt_of(body))
    });
    let folder = crate::audit_support::round(&services, &pods, 2, 3);
    let folder = folder.path();
    run(folder, &services, &["audit"]).ends(0);
    let told = log(folder);
    assert!(told.contains(&format!("    audit of {}: passed\n", hotkey(0))), "{told}");
    let rejected = format!("    audit of {}: rejected: Non-critical mismatches (", hotkey(1));
    assert!(told.contains(&rejected), "{told}");
}

#[test]
fn a_miners_server_that_is_down_is_told_once_and_so_is_its_end() {
    let (receiver, alive, dead) = (Receiver::start(TAKES), crate::advance::cdn(), nowhere());
    let cdns = [format!("http://{dead}/x"), format!("{}/0", alive.url())];
    let folder = generating(&cdns, 2, 800, "http://127.0.0.1:1");
    let folder = folder.path();
    let hook = format!("[notify]\nurl = \"{}\"\n[metrics]\nfile = \".gen404/m.prom\"\n", receiver.url("/hook"));
    edit(folder, "gen404.toml", |text| format!("{text}\n{hook}"));
    let name = format!("CDN of {} unreachable", hotkey(0));
    for _ in 0..10 {
        advance(folder, &["--until", "duels"]).ends(0);
        let status = gen404(folder, &["status"]).ends(0).out;
        let line = status.lines().find(|line| line.starts_with("failing: ")).unwrap_or_default();
        assert!(line.starts_with(&format!("failing: download: {name} since 20")), "{status}");
        assert!(line.contains("none of 2 files arrived from 127.0.0.1: "), "{status}");
    }
    let status = gen404(folder, &["status", "--json"]).ends(0);
    crate::json::check("status", &status.json());
    assert_eq!(status.details()["failing"].as_array().unwrap().len(), 1, "the other one is there");
    let told = log(folder);
    assert_eq!(told.matches(&name).count(), 1, "{told}");
    assert_eq!(receiver.count("/hook", "failure_first_seen"), 1);
    let numbers = || std::fs::read_to_string(folder.join(".gen404/m.prom")).unwrap();
    assert!(numbers().contains(&format!("fault=\"download: {name}\"")), "{}", numbers());
    // Others are asked, and this one is not.
    let again = |flags: &[&str]| {
        gen404(folder, &["pause"]).ends(0);
        gen404(folder, &["resume", "--stage", "downloading"]).ends(0);
        gen404(folder, &[&["download", "--retry-failed"], flags].concat()).ends(0);
    };
    again(&["--only", &hotkey(1)]);
    again(&[]);
    assert_eq!(receiver.count("/hook", "failure_over"), 0);
    let back = Cdn::start_at(&dead, |path, _| Serve::File(triangle_glb(path)));
    again(&[]);
    assert!(!back.seen().is_empty());
    let events: Vec<String> = receiver.taken("/hook").into_iter().map(|(event, _)| event).collect();
    let count = |wanted: &str| events.iter().filter(|event| *event == wanted).count();
    assert_eq!((count("failure_first_seen"), count("failure_over")), (1, 1), "{events:?}");
    assert!(log(folder).contains(&format!("over: download: {name}, from 20")), "{}", log(folder));
    assert!(!gen404(folder, &["status"]).ends(0).out.contains("failing: ") && !numbers().contains(&name));
}

#[test]
fn many_silent_servers_are_one_trouble() {
    let dead = nowhere();
    let cdns: Vec<String> = (0..10).map(|n| format!("http://{dead}/{n}")).collect();
    let folder = generating(&cdns, 1, 800, "http://127.0.0.1:1");
    let folder = folder.path();
    advance(folder, &["--until", "duels"]).ends(0);
    let status = gen404(folder, &["status", "--json"]).ends(0).details()["failing"].clone();
    let keys: Vec<&Value> = status.as_array().unwrap().iter().map(|fault| &fault["key"]).collect();
    assert_eq!(keys, [&json!("download: miners' CDNs unreachable")], "{status}");
    assert!(status[0]["hints"][0].as_str().unwrap().contains("this machine's own network"), "{status}");
}

#[test]
fn a_fault_without_a_service_is_called_by_its_own_words() {
    let receiver = Receiver::start(TAKES);
    let folder = generating(&["https://miner.example".to_owned()], 1, 800, "http://127.0.0.1:1");
    let folder = folder.path();
    downloaded(folder, 1, 1);
    edit(folder, "gen404.toml", |text| format!("{text}\n[notify]\nurl = \"{}\"\n", receiver.url("/hook")));
    let whole = std::fs::read_to_string(folder.join("rounds/0/submissions.json")).unwrap();
    std::fs::write(folder.join("rounds/0/submissions.json"), "{").unwrap();
    (0..2).for_each(|_| drop(gen404(folder, &["duel"]).ends(1)));
    std::fs::write(folder.join("rounds/0/submissions.json"), whole).unwrap();
    gen404(folder, &["duel"]);
    let first = receiver.at("/hook")[0].json();
    assert_eq!(first["event"], "failure_first_seen");
    let told = receiver.at("/hook");
    let of_the_file = told.iter().filter(|message| message.body.contains("submissions.json"));
    assert_eq!(of_the_file.clone().count(), 2, "{told:#?}");
    for message in of_the_file {
        assert!(message.json()["title"].as_str().unwrap().contains("rounds/0/submissions.json"), "{}", message.body);
    }
}

#[test]
fn since_takes_what_anyone_types() {
    let folder = generating(&["https://miner.example".to_owned()], 1, 300, "http://127.0.0.1:1");
    let folder = folder.path();
    gen404(folder, &["pause"]).ends(0);
    let now = chrono::Utc::now();
    let some = |time: &str| gen404(folder, &["log", "--since", time]).ends(0).out.contains("pause: done");
    let ago = |minutes: i64, form: &str| (now - chrono::TimeDelta::minutes(minutes)).format(form).to_string();
    for form in ["%H:%M", "%H:%M:%S", "%F %H:%M", "%F %H:%M:%S UTC", "%FT%H:%M", "%FT%H:%M:%SZ", "%F"] {
        assert!(some(&ago(2, form)), "{form}");
    }
    assert!(!some(&ago(-2, "%F %H:%M")));
    for wrong in ["25:00", "17", "noon", "17:60"] {
        assert!(gen404(folder, &["log", "--since", wrong]).ends(2).err.contains("such as 17:48"), "{wrong}");
    }
}

#[test]
fn steps_of_several_stages_without_a_commit_are_warned_of_and_explained() {
    let (cdn, judge) = (crate::advance::cdn(), judge("/leader/", Duration::ZERO));
    let folder = generating(&[format!("{}/0", cdn.url())], 1, 800, &judge.url);
    let folder = folder.path();
    let _git = committed(folder);
    std::fs::write(folder.join(".git/info/exclude"), "/gen404.toml\n/.gen404\n/.local\n/chain.json\n").unwrap();
    let run = advance(folder, &["--until", "finalizing"]).ends(0);
    assert_eq!(run.err.matches("state.json is not as in the last commit").count(), 1, "{run:?}");
    let verify = gen404(folder, &["verify", "--history", "--json"]);
    let findings = verify.json().to_string();
    assert!(
        findings.contains("working tree state.json") && findings.contains("have to be committed one by one"),
        "{findings}"
    );
    let whole = gen404(folder, &["--commit", "pause"]).ends(0);
    assert!(!whole.err.contains("last commit"), "{whole:?}");
}
