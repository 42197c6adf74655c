//! Messages, pings and numbers from outside: each event reaches each receiver at most once, whatever is killed, and
//! no receiver ever fails or holds up a run.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::advance::{downloaded, generating};
use crate::audit_support::{prepared, services};
use crate::cdn::{Cdn, Serve, triangle_glb};
use crate::judge_server::{JudgeServer, Manners};
use crate::receiver::{Arrived, Manner, Receiver, TAKES};
use crate::round::{hotkey, stage};
use crate::support::{Run, command, edit, gen404};

/// A port at which nothing listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A key that no message may hold.
const KEY: &str = "sk-hunter2-which-nobody-may-see";

/// Adds lines to the settings.
fn set(folder: &Path, more: &str) {
    edit(folder, "gen404.toml", |text| format!("{text}\n{more}\n"));
}

/// A round with no miners' files to fetch, and a receiver of JSON at `/hook`.
fn quiet_round(receiver: &Receiver, more: &str) -> tempfile::TempDir {
    let folder = generating(&["https://miner.example".to_owned()], 1, 300, NOWHERE);
    set(folder.path(), &format!("[[notify]]\nurl = \"{}\"\n{more}", receiver.url("/hook")));
    folder
}

/// A round at its duels whose judge is at this URL.
fn at_duels(judge: &str) -> tempfile::TempDir {
    let folder = generating(&["https://miner.example".to_owned()], 2, 800, judge);
    downloaded(folder.path(), 1, 2);
    edit(folder.path(), "gen404.toml", |text| text.replace("attempts = 2", "attempts = 1"));
    folder
}

/// A judge to whom the leader is best.
fn judge() -> JudgeServer {
    JudgeServer::start(Manners { skills: vec![("/leader/".to_owned(), -9)], ..Manners::default() })
}

fn begin(folder: &Path, args: &[&str]) -> Child {
    command(folder).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[track_caller]
fn status(folder: &Path) -> String {
    gen404(folder, &["status"]).ends(0).out
}

/// The other one of `pause` and `resume`: the smallest run with an event.
fn turn(folder: &Path) -> Run {
    let action = if stage(folder) == "paused" { "resume" } else { "pause" };
    gen404(folder, &[action]).ends(0)
}

#[test]
fn ten_failing_runs_are_one_message_and_so_is_their_end() {
    let (receiver, judge) = (Receiver::start(TAKES), judge());
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    let endpoint =
        |kind: &str| format!("[[notify]]\nkind = \"{kind}\"\nurl = \"{}\"\n", receiver.url(&format!("/{kind}")));
    let endpoints: String = ["json", "slack", "discord", "ntfy"].map(endpoint).concat();
    set(
        folder,
        &format!(
            "{endpoints}[heartbeat]\nurl = \"{}\"\n[metrics]\nfile = \".gen404/metrics.prom\"\n",
            receiver.url("/hc?a=b")
        ),
    );
    for _ in 0..10 {
        let run = gen404(folder, &["--quiet", "advance"]).ends(4);
        assert!(!run.err.contains("warning"), "{}", run.err);
    }
    for kind in ["json", "slack", "discord", "ntfy"] {
        assert_eq!(receiver.at(&format!("/{kind}")).len(), 1, "{kind}");
    }
    let begun = receiver.at("/json")[0].json();
    assert_eq!((&begun["event"], &begun["details"]["step"]), (&json!("failure_first_seen"), &json!("duel")));
    let ntfy = receiver.at("/ntfy")[0].clone();
    assert!(ntfy.header("title").is_some_and(|title| title == "test: judge unreachable"), "{ntfy:?}");
    assert_eq!((ntfy.header("priority"), ntfy.header("tags")), (Some("4"), Some("warning")));
    assert_eq!((receiver.at("/hc/start?a=b").len(), receiver.at("/hc/fail?a=b").len()), (10, 10));
    let numbers = Numbers::read(&folder.join(".gen404/metrics.prom"));
    assert_eq!((numbers.one("gen404_failures_since_success"), numbers.one("gen404_last_run_failed")), (10, 1));
    assert!(numbers.one("gen404_fault_since_timestamp_seconds") <= numbers.one("gen404_last_run_timestamp_seconds"));
    assert_eq!((numbers.one("gen404_fault_runs"), numbers.of("gen404_runs_total", "outcome", "failed")), (10, 10));
    assert_eq!((numbers.of("gen404_stage", "stage", "duels"), numbers.one("gen404_round")), (1, 0));
    edit(folder, "gen404.toml", |text| {
        text.replace("base_url = \"http://127.0.0.1:1\"", &format!("base_url = \"{}\"", judge.url))
    });
    gen404(folder, &["advance", "--until", "finalizing"]).ends(0);
    gen404(folder, &["advance", "--until", "finalizing"]).ends(0);
    let events: Vec<String> = receiver.taken("/json").into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["failure_first_seen", "winner", "stage_moved", "failure_over"]);
    let over = receiver.at("/json")[3].json();
    assert_eq!((&over["details"]["key"], &over["details"]["runs"]), (&begun["details"]["key"], &json!(10)));
    for kind in ["slack", "discord", "ntfy"] {
        assert_eq!(receiver.at(&format!("/{kind}")).len(), 4, "{kind}");
    }
    assert_eq!(receiver.at("/hc?a=b").len(), 2);
    let numbers = Numbers::read(&folder.join(".gen404/metrics.prom"));
    assert_eq!((numbers.one("gen404_failures_since_success"), numbers.all("gen404_fault_runs").len()), (0, 0));
    assert!(numbers.one("gen404_last_success_timestamp_seconds") > 0);
}

/// Runs this command three times, which has to fail; each run has the keys in its environment.
#[track_caller]
fn fails_thrice(what: &str, mut run: impl FnMut() -> Command) {
    for _ in 0..3 {
        let mut run = run();
        let keys = ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "RUNPOD_API_KEY"];
        keys.iter().for_each(|name| _ = run.env(name, KEY));
        let output = run.output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// One message tells of the fault, and none holds the key.
#[track_caller]
fn told_once(what: &str, receiver: &Receiver) {
    let messages = receiver.at("/hook");
    assert_eq!(receiver.count("/hook", "failure_first_seen"), 1, "{what}: {messages:#?}");
    assert_eq!(receiver.count("/hook", "failure_over"), 0, "{what}: {messages:#?}");
    assert!(messages.iter().all(|message| !message.body.contains("hunter2")), "{what}: {messages:#?}");
}

#[test]
fn each_kind_of_fault_is_one_message() {
    let cdn = Cdn::start(|path, _| Serve::File(triangle_glb(path)));
    let file = "[chain]\nfile = \"chain.json\"\nclock = \"block\"\n";
    let chain = format!("[chain]\nnetwork = \"{NOWHERE}\"\nattempts = 1\n");
    let store = format!("endpoint = \"{NOWHERE}\"\nattempts = 1");
    let faults = [
        ("chain", generating(&[cdn.url()], 1, 300, NOWHERE), (file, chain.as_str())),
        ("store", generating(&[cdn.url()], 1, 800, NOWHERE), ("dir = \".gen404/objects\"", store.as_str())),
        ("judge", at_duels(NOWHERE), ("", "")),
    ];
    for (what, folder, (old, new)) in faults {
        let (receiver, folder) = (Receiver::start(TAKES), folder.path());
        set(folder, &format!("[[notify]]\nurl = \"{}\"", receiver.url("/hook")));
        if !old.is_empty() {
            edit(folder, "gen404.toml", |text| text.replace(old, new));
        }
        fails_thrice(what, || {
            let mut run = command(folder);
            run.arg("advance");
            run
        });
        told_once(what, &receiver);
    }
}

#[test]
fn a_provider_that_is_down_is_one_message_and_a_miners_server_is_none() {
    let (receiver, services) = (Receiver::start(TAKES), services());
    let folder = crate::audit_support::round(&services, &services, 1, 1);
    let folder = folder.path();
    edit(folder, "gen404.toml", |text| {
        let (audit, _) = text.split_once("[pods]").unwrap();
        format!("{}capacity_seconds = 0.1\n", audit.replace("[distance]\ndriver = \"pixels\"\n", ""))
    });
    set(folder, "[distance]\ndriver = \"pixels\"\n[pods]\nprovider = \"runpod\"\nattempts = 1\npause_seconds = 0.05");
    set(folder, &format!("[pods.runpod]\nurl = \"{NOWHERE}\"\n[notify]\nurl = \"{}\"", receiver.url("/hook")));
    fails_thrice("provider", || prepared(folder, &services, &["audit"]));
    told_once("provider", &receiver);
    let receiver = Receiver::start(TAKES);
    let folder = generating(&[NOWHERE.to_owned()], 1, 800, NOWHERE);
    set(folder.path(), &format!("[notify]\nurl = \"{}\"", receiver.url("/hook")));
    gen404(folder.path(), &["advance", "--until", "duels"]).ends(0);
    assert_eq!(receiver.taken("/hook").len(), 1, "the round has moved, and nothing has failed: its URL is refused");
    assert_eq!(receiver.count("/hook", "stage_moved"), 1);
}

#[test]
fn nothing_old_is_announced_and_what_another_host_did_is_announced_once() {
    let receiver = Receiver::start(TAKES);
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    edit(folder, "state.json", |text| text.replace("duels", "paused"));
    let (first, second) = (hotkey(0), hotkey(1));
    let put =
        |path: &str, value: &Value| std::fs::write(folder.join("rounds/0").join(path), format!("{value:#}")).unwrap();
    let request = |hotkey: &str| json!({"hotkey": hotkey, "critical_prompts": []});
    put("require_audit.json", &json!([request(&first)]));
    set(
        folder,
        &format!(
            "[[notify]]\nurl = \"{}\"\n[[notify]]\nkind = \"discord\"\nurl = \"{}\"\nevents = [\"verdict\"]\n",
            receiver.url("/hook"),
            receiver.url("/discord")
        ),
    );
    gen404(folder, &["pause"]).ends(0);
    assert_eq!(receiver.requests(), 0, "the first run announces nothing old");
    put("require_audit.json", &json!([request(&first), request(&second)]));
    let audit = json!({
        "hotkey": first, "outcome": "rejected", "checked_prompts": 2, "failed_prompts": 1, "failed_critical": 0,
        "generation_time": null, "reason": "@everyone **look** <https://evil.example>\u{202e} \n# x",
    });
    put("generation_audits.json", &json!({&first: audit}));
    for _ in 0..2 {
        gen404(folder, &["pause"]).ends(0);
        let events: Vec<String> = receiver.taken("/hook").into_iter().map(|(event, _)| event).collect();
        assert_eq!(events, ["audit_asked", "verdict"]);
    }
    let verdict = receiver.at("/hook")[1].json();
    assert_eq!((&verdict["details"]["hotkey"], &verdict["round"]), (&json!(first), &json!(0)));
    let [discord] = receiver.at("/discord").try_into().unwrap();
    let (body, content) = (discord.json(), discord.json()["content"].as_str().unwrap().to_owned());
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    assert!(
        !content.contains("@everyone") && !content.contains("https://") && !content.contains('\u{202e}'),
        "{content}"
    );
    assert!(content.contains("\\*\\*look\\*\\*") && content.lines().all(|line| !line.starts_with('#')), "{content}");
    let ids: BTreeSet<String> = receiver.taken("/hook").into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 2);
    let mut run = command(folder);
    run.args(["resume", "--stage", "duels"]).output().unwrap();
    assert_eq!(receiver.count("/hook", "stage_moved"), 1);
    // Without [notify] for a while, and with it again.
    edit(folder, "gen404.toml", |text| {
        text.replace("[[notify]]", "#[[notify]]")
            .replace("\nurl =", "\n#url =")
            .replace("\nkind =", "\n#kind =")
            .replace("\nevents =", "\n#events =")
    });
    turn(folder);
    edit(folder, "gen404.toml", |text| {
        text.replace("#[[notify]]", "[[notify]]")
            .replace("#url", "url")
            .replace("#kind", "kind")
            .replace("#events", "events")
    });
    let before = receiver.requests();
    gen404(folder, &["pause"]).ends(0);
    assert_eq!(receiver.requests(), before, "what happened meanwhile is old");
}

#[test]
fn a_run_without_endpoints_forgets_no_fault() {
    let (receiver, judge) = (Receiver::start(TAKES), judge());
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    let table = format!("[[notify]]\nurl = \"{}\"\n", receiver.url("/hook"));
    set(folder, &table);
    gen404(folder, &["advance"]).ends(4);
    edit(folder, "gen404.toml", |text| text.replace(&table, ""));
    gen404(folder, &["advance"]).ends(4);
    set(folder, &table);
    gen404(folder, &["advance"]).ends(4);
    told_once("a run without endpoints", &receiver);
    edit(folder, "gen404.toml", |text| {
        text.replace("base_url = \"http://127.0.0.1:1\"", &format!("base_url = \"{}\"", judge.url))
    });
    gen404(folder, &["advance", "--until", "finalizing"]).ends(0);
    assert_eq!((receiver.count("/hook", "failure_first_seen"), receiver.count("/hook", "failure_over")), (1, 1));
}

#[test]
fn runs_that_are_killed_are_told_by_the_next_one() {
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "[metrics]\nfile = \".gen404/metrics.prom\"\n");
    let folder = folder.path();
    turn(folder);
    let killed = |n: u32| {
        let record = folder.join(".gen404/runs.jsonl");
        let at = format!("2026-01-01T00:0{n}:00Z");
        let line = json!({"id": format!("2026-{n}"), "started": at, "command": "advance"}).to_string() + "\n";
        std::fs::write(&record, std::fs::read_to_string(&record).unwrap() + &line).unwrap();
    };
    killed(1);
    turn(folder);
    assert_eq!(receiver.count("/hook", "failure_first_seen"), 0, "once is an accident");
    killed(2);
    turn(folder);
    turn(folder);
    assert_eq!(receiver.count("/hook", "failure_first_seen"), 1);
    assert!(status(folder).contains("failing: advance: killed without a word since 2026-01-01"), "{}", status(folder));
    let numbers = Numbers::read(&folder.join(".gen404/metrics.prom"));
    assert_eq!(numbers.of("gen404_runs_total", "outcome", "killed"), 2);
}

#[test]
fn what_is_refused_or_does_not_arrive_is_sent_by_a_later_run() {
    let elsewhere = Receiver::start(TAKES);
    let redirect: &'static str = format!("Location: {}\r\n", elsewhere.url("/")).leak();
    let refusals = [
        (Manner::Answer("500 Oops", ""), "status 500"),
        (Manner::Answer("429 Slow Down", "Retry-After: 0\r\n"), "status 429"),
        (Manner::Answer("404 Not Found", ""), "status 404"),
        (Manner::Answer("400 Bad Request", ""), "status 400"),
        (Manner::Answer("302 Found", redirect), "redirects are not followed"),
        (Manner::Answer("308 Moved", redirect), "redirects are not followed"),
    ];
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "");
    let folder = folder.path();
    for (manner, said) in refusals {
        receiver.behave(manner);
        let (before, taken) = (receiver.requests(), receiver.taken("/hook").len());
        let run = turn(folder);
        assert!(run.err.contains("warning: notify: json at 127.0.0.1: ") && run.err.contains(said), "{run:?}");
        assert_eq!(receiver.requests(), before + 1, "{said}: tried once in a run");
        assert!(!run.err.contains("/hook"), "the path may be a key: {}", run.err);
        assert!(status(folder).contains("notify: 1 message waits for json at 127.0.0.1 since"), "{}", status(folder));
        receiver.behave(TAKES);
        gen404(folder, &["--quiet", if stage(folder) == "paused" { "pause" } else { "resume" }]).ends(0);
        assert_eq!(receiver.taken("/hook").len(), taken + 1, "{said}");
        assert!(!status(folder).contains("notify:"), "{}", status(folder));
    }
    assert_eq!(elsewhere.requests(), 0);
    let ids: BTreeSet<String> = receiver.taken("/hook").into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), refusals.len());
}

#[test]
fn a_receiver_that_is_down_is_waited_for_and_what_is_too_old_is_dropped() {
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "[[notify]]\nkind = \"ntfy\"\nurl = \"http://127.0.0.1:1/topic\"\n");
    let folder = folder.path();
    for waiting in 1..=3 {
        let run = turn(folder);
        assert!(run.err.contains("notify: ntfy at 127.0.0.1: "), "{run:?}");
        let line = format!(
            "notify: {waiting} message{} for ntfy at 127.0.0.1",
            if waiting == 1 { " waits" } else { "s wait" }
        );
        assert!(status(folder).contains(&line), "{}", status(folder));
    }
    assert_eq!(receiver.taken("/hook").len(), 3, "the other one is told at once");
    set(folder, "[outbox]\nkeep_seconds = 0.1\n");
    // Messages are dated by the second.
    std::thread::sleep(Duration::from_millis(1100));
    let run = turn(folder);
    assert!(run.err.contains("was never delivered and is dropped"), "{run:?}");
    assert_eq!(receiver.taken("/hook").len(), 4);
}

#[test]
fn what_waits_for_a_wrong_url_goes_to_the_mended_one() {
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "[[notify]]\nurl = \"http://127.0.0.1:1/wrong\"\n");
    let folder = folder.path();
    (0..3).for_each(|_| drop(turn(folder)));
    edit(folder, "gen404.toml", |text| text.replace("http://127.0.0.1:1/wrong", &receiver.url("/right")));
    let run = turn(folder);
    assert!(run.err.contains("its URL has changed: 3 messages that wait go to the new one"), "{run:?}");
    let ids = |path: &str| receiver.taken(path).into_iter().map(|(_, id)| id).collect::<Vec<_>>();
    assert_eq!(ids("/right"), ids("/hook"), "none is lost, none comes twice");
    assert_eq!(ids("/right").len(), 4);
    // Without the first table, the second is still the second.
    edit(folder, "gen404.toml", |text| {
        text.replacen(&format!("[[notify]]\nurl = \"{}\"\n", receiver.url("/hook")), "", 1)
    });
    turn(folder);
    assert_eq!((ids("/hook").len(), ids("/right").len()), (4, 5));
}

/// A full disk is what has to be told, and only once.
#[test]
fn a_disk_that_is_full_is_told_and_told_once() {
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "");
    let folder = folder.path();
    let own = folder.join(".gen404");
    std::fs::create_dir_all(&own).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&own).output();
    if !mount.is_ok_and(|mounted| mounted.status.success()) {
        return crate::support::skipped("no disk can be mounted");
    }
    turn(folder);
    let fill = || {
        let mut file = std::fs::File::create(own.join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 512]).is_ok() {}
    };
    fill();
    let first = gen404(folder, &["pause"]);
    let told = receiver.taken("/hook");
    let silent: Vec<Run> = (0..3)
        .map(|_| {
            fill();
            gen404(folder, &["pause"])
        })
        .collect();
    let more = receiver.taken("/hook").len();
    std::fs::remove_file(own.join("filler")).unwrap();
    gen404(folder, &["resume"]);
    gen404(folder, &["pause"]);
    let (after, reserved) = (receiver.taken("/hook"), own.join("notify/reserve").exists());
    assert!(Command::new("umount").arg(&own).status().unwrap().success());
    assert_eq!(told.iter().filter(|(event, _)| event == "failure_first_seen").count(), 1, "{told:?} {first:?}");
    assert!(first.err.contains("the room reserved for messages is used up"), "{first:?}");
    assert_eq!(more, told.len(), "what cannot be noted is not sent: {silent:#?}");
    assert!(silent.iter().any(|run| run.err.contains("nothing is sent, since it cannot be noted")), "{silent:#?}");
    let ids: BTreeSet<&String> = after.iter().map(|(_, id)| id).collect();
    assert!(ids.len() == after.len() && reserved, "{after:?}");
}

#[test]
fn a_slow_receiver_holds_up_no_run_and_is_told_once() {
    let receiver = Receiver::start(Manner::Hang);
    let folder = quiet_round(&receiver, "[outbox]\nseconds = 0.5\n");
    set(folder.path(), &format!("[heartbeat]\nurl = \"{}\"\n", receiver.url("/hc")));
    let begun = Instant::now();
    let run = turn(folder.path());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(run.err.contains("may not have been delivered, and is not sent again"), "{run:?}");
    assert!(run.err.contains("heartbeat at 127.0.0.1: the ping of"), "{run:?}");
    assert!(status(folder.path()).contains("may not have been delivered to json at 127.0.0.1"));
    receiver.behave(TAKES);
    turn(folder.path());
    let hooks = receiver.at("/hook");
    assert_eq!(hooks.len(), 2, "{hooks:#?}");
    assert_ne!(hooks[0].json()["id"], hooks[1].json()["id"]);
}

#[test]
fn a_kill_while_sending_is_told_and_nothing_is_sent_twice() {
    let receiver = Receiver::start(Manner::Hang);
    let folder = quiet_round(&receiver, "");
    let mut run = begin(folder.path(), &["pause"]);
    receiver.wait_for(1);
    run.kill().unwrap();
    run.wait().unwrap();
    receiver.behave(TAKES);
    let run = turn(folder.path());
    assert!(
        run.err.contains("a run was killed while sending") && run.err.contains("may not have been delivered"),
        "{run:?}"
    );
    assert!(status(folder.path()).contains("may not have been delivered"));
    assert_eq!(receiver.count("/hook", "stage_moved"), 1, "{:#?}", receiver.at("/hook"));
    assert_eq!(receiver.requests(), 2);
}

#[test]
fn kills_at_any_point_lose_no_event_silently_and_repeat_none() {
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "");
    turn(folder.path());
    for delay in (0..10).map(|n| n * 9) {
        let action = if stage(folder.path()) == "paused" { "resume" } else { "pause" };
        let mut run = begin(folder.path(), &[action]);
        std::thread::sleep(Duration::from_millis(delay));
        run.kill().unwrap();
        run.wait().unwrap();
    }
    turn(folder.path());
    turn(folder.path());
    let taken = receiver.taken("/hook");
    let ids: BTreeSet<&String> = taken.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), taken.len(), "sent twice: {taken:?}");
    // Each message begins where the one before it ended; a gap was told to be unsure.
    let told = gen404(folder.path(), &["status", "--json"]).ends(0).details()["notify"][0].clone();
    let unsure = usize::try_from(told["unsure"].as_u64().unwrap()).unwrap();
    assert_eq!(told["waiting"], 0, "{told}");
    let moves: Vec<(Value, Value)> = receiver
        .at("/hook")
        .iter()
        .map(|arrived| arrived.json())
        // Runs that are killed again and again are a fault, which is told in between.
        .filter(|message| message["event"] == "stage_moved")
        .map(|message| message["details"].clone())
        .map(|details| (details["from"].clone(), details["to"].clone()))
        .collect();
    let gaps = moves.windows(2).filter(|pair| pair[0].1 != pair[1].0).count();
    assert!(gaps <= unsure, "{gaps} gaps, {unsure} told of: {moves:#?}");
    assert_eq!(moves.last().unwrap().1["stage"], stage(folder.path()));
}

#[test]
fn no_secret_is_shown_or_sent() {
    let receiver = Receiver::start(Manner::Answer("500 Oops", ""));
    let folder = at_duels(&receiver.url("/v1"));
    let folder = folder.path();
    set(
        folder,
        &format!(
            "[notify]\nkind = \"slack\"\nurl = \"{}\"\n[heartbeat]\nurl = \"{}\"\n",
            receiver.url("/services/${HOOK}"),
            receiver.url("/${HOOK}")
        ),
    );
    let run = || {
        let mut run = command(folder);
        run.env("HOOK", "T0HUNTER2/Bxyz").env("OPENAI_API_KEY", KEY).arg("advance");
        let output = run.output().unwrap();
        format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let mut said = run();
    assert!(said.contains("warning: notify: slack at 127.0.0.1: status 500"), "{said}");
    assert!(said.contains("heartbeat at 127.0.0.1"), "{said}");
    said += &status(folder);
    said += &std::fs::read_to_string(folder.join(".gen404/notify/outbox.json")).unwrap();
    assert!(!said.contains("HUNTER2") && !said.contains("Bxyz") && !said.contains("hunter2"), "{said}");
    let sent = receiver.at("/services/T0HUNTER2/Bxyz");
    let shows = |one: &Arrived| one.body.to_lowercase().contains("hunter2");
    assert!(!sent.is_empty() && !sent.iter().any(shows), "{sent:#?}");
    // A variable that is not set: said, and the message waits.
    let unset = gen404(folder, &["advance"]).ends(4);
    assert!(unset.err.contains("warning: notify.url: HOOK is not set"), "{}", unset.err);
    receiver.behave(TAKES);
    run();
    assert!(receiver.at("/services/T0HUNTER2/Bxyz").len() >= 2);
}

#[test]
fn a_file_of_numbers_is_written_whole_and_fails_no_run() {
    let receiver = Receiver::start(TAKES);
    let folder = quiet_round(&receiver, "");
    let folder = folder.path();
    let run = gen404(folder, &["--metrics", ".gen404/out/numbers.prom", "pause"]).ends(0);
    assert_eq!(run.err.matches("warning").count(), 0, "{}", run.err);
    let numbers = Numbers::read(&folder.join(".gen404/out/numbers.prom"));
    assert_eq!(numbers.of("gen404_stage", "stage", "paused"), 1);
    assert_eq!(numbers.of("gen404_outbox_messages", "state", "waiting"), 0);
    assert!(numbers.0.iter().all(|sample| sample.labels[0].1 == "test"), "{numbers:?}");
    let entries = std::fs::read_dir(folder.join(".gen404/out")).unwrap().count();
    assert_eq!(entries, 1, "written whole");
    // A place that cannot be written to fails no run.
    std::fs::write(folder.join(".gen404/file"), "").unwrap();
    let run = gen404(folder, &["--metrics", ".gen404/file/numbers.prom", "resume"]).ends(0);
    assert!(run.err.contains("warning: metrics: "), "{}", run.err);
    // Nothing of the competition is replaced, and nothing that is no file.
    let before = std::fs::read(folder.join("state.json")).unwrap();
    for (file, why) in [
        ("state.json", "inside the competition's folder"),
        ("new.prom", "inside the competition's folder"),
        (".gen404/../rounds/new.prom", "inside the competition's folder"),
        (".gen404/out", "not a plain file"),
        ("/dev/null", "not a plain file"),
    ] {
        let run = gen404(folder, &["--metrics", file, "pause"]).ends(2);
        assert!(run.err.contains(why) && run.err.contains("--metrics"), "{file}: {}", run.err);
    }
    assert_eq!(std::fs::read(folder.join("state.json")).unwrap(), before);
    let missing = folder.parent().unwrap().join("nowhere-of-gen404/x.prom");
    let run = gen404(folder, &["--metrics", missing.to_str().unwrap(), "pause"]).ends(2);
    assert!(run.err.contains("its folder does not exist") && !missing.parent().unwrap().exists(), "{}", run.err);
    // A wrong setting stops no run, and hides none: it is in the record, and others are told of it.
    let (settings, told) = (std::fs::read_to_string(folder.join("gen404.toml")).unwrap(), receiver.at("/hook").len());
    for (file, why) in
        [("new.prom", "inside"), (".gen404/out", "not a plain file"), ("/nowhere/x.prom", "does not exist")]
    {
        std::fs::write(folder.join("gen404.toml"), format!("{settings}\n[metrics]\nfile = \"{file}\"\n")).unwrap();
        let run = turn(folder);
        assert!(run.err.contains("warning: [metrics] file: ") && run.err.contains(why), "{file}: {}", run.err);
        assert!(!folder.join("new.prom").exists());
        let doctor = gen404(folder, &["doctor", "--offline", "--json"]).json();
        let checks = doctor["details"]["checks"].as_array().unwrap();
        let line = checks.iter().find(|check| check["name"] == "metrics").unwrap();
        assert!(line["status"] == "fail" && line["what"].as_str().unwrap().contains(why), "{line}");
    }
    assert_eq!(receiver.at("/hook").len(), told + 3);
    assert!(gen404(folder, &["log"]).ends(0).out.contains("resume"));
    std::fs::write(folder.join("gen404.toml"), settings).unwrap();
    crate::json::check("status", &gen404(folder, &["status", "--json"]).ends(0).json());
}

#[test]
fn a_run_that_cannot_be_recorded_is_told_all_the_same() {
    let receiver = Receiver::start(TAKES);
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    set(folder, &format!("[[notify]]\nurl = \"{}\"", receiver.url("/hook")));
    let monitor = tempfile::tempdir().unwrap();
    let file = monitor.path().join("metrics.prom");
    set(folder, &format!("[heartbeat]\nurl = \"{}\"\n[metrics]\nfile = {file:?}", receiver.url("/hc")));
    std::fs::create_dir_all(folder.join(".gen404/runs.jsonl")).unwrap();
    let run = gen404(folder, &["advance"]).ends(4);
    assert!(run.err.contains("warning: this run is not recorded: ") && run.err.contains("runs.jsonl"), "{run:?}");
    assert_eq!((receiver.at("/hc/start").len(), receiver.at("/hc/fail").len()), (1, 1));
    assert_eq!(receiver.count("/hook", "failure_first_seen"), 1);
    assert_eq!(Numbers::read(&file).one("gen404_last_run_failed"), 1);
}

#[test]
fn a_run_that_finds_another_one_at_work_pings_no_success() {
    let (receiver, judge) = (Receiver::start(TAKES), JudgeServer::start(slow()));
    let folder = at_duels(&judge.url);
    let folder = folder.path();
    set(folder, &format!("[heartbeat]\nurl = \"{}\"", receiver.url("/hc")));
    let mut stuck = begin(folder, &["advance"]);
    while judge.seen.requests.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    gen404(folder, &["advance"]).ends(0);
    assert_eq!((receiver.at("/hc/start").len(), receiver.at("/hc").len()), (2, 0));
    assert!(status(folder).contains("a run is at work since 20"), "{}", status(folder));
    let log = gen404(folder, &["log"]).ends(0).out;
    assert!(log.contains("advance: cut short") && log.contains("held by pid"), "{log}");
    assert!(log.contains("; began in duels of round 0"), "{log}");
    stuck.kill().unwrap();
    stuck.wait().unwrap();
}

/// A judge that does not answer in time.
fn slow() -> Manners {
    Manners { latency: Duration::from_secs(20), ..Manners::default() }
}

#[test]
fn a_damaged_outbox_is_told_and_repeats_no_failure() {
    let receiver = Receiver::start(TAKES);
    let folder = at_duels(NOWHERE);
    let folder = folder.path();
    set(folder, &format!("[[notify]]\nurl = \"{}\"\n[metrics]\nfile = \".gen404/m.prom\"", receiver.url("/hook")));
    gen404(folder, &["advance"]).ends(4);
    for file in ["outbox", "totals"] {
        std::fs::write(folder.join(format!(".gen404/notify/{file}.json")), "{").unwrap();
    }
    let told = gen404(folder, &["status"]).ends(0).err;
    assert!(told.contains("messages that waited in it are lost"), "{told}");
    let run = gen404(folder, &["advance"]).ends(4);
    assert!(run.err.contains("outbox.json: does not parse"), "{run:?}");
    assert!(run.err.contains("totals.json: does not parse"), "{run:?}");
    assert_eq!(receiver.count("/hook", "failure_first_seen"), 1, "{:#?}", receiver.at("/hook"));
}

/// A sample of Prometheus' text format.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: String,
}

/// A file in Prometheus' text format, read strictly: each metric has its HELP and TYPE before its samples, in one
/// block, and no two samples are alike.
#[derive(Debug)]
struct Numbers(Vec<Sample>);

impl Numbers {
    #[track_caller]
    fn read(path: &Path) -> Numbers {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        let (mut samples, mut seen) = (Vec::new(), BTreeSet::new());
        let (mut helped, mut typed) = (String::new(), (String::new(), String::new()));
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                helped = help.split_once(' ').expect("a help text").0.to_owned();
                assert!(seen.insert(helped.clone()), "{helped}: twice");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, helped, "HELP and TYPE");
                assert!(kind == "gauge" || (kind == "counter" && name.ends_with("_total")), "{line}");
                typed = (name.to_owned(), kind.to_owned());
            } else {
                let sample = Sample::parse(line);
                assert_eq!(sample.name, typed.0, "a sample outside its block");
                let value: f64 = sample.value.parse().unwrap();
                assert!(value.is_finite() && (typed.1 == "gauge" || value >= 0.0), "{line}");
                assert!(seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "{line}: twice");
                samples.push(sample);
            }
        }
        Numbers(samples)
    }

    fn all(&self, name: &str) -> Vec<&Sample> {
        self.0.iter().filter(|sample| sample.name == name).collect()
    }

    #[track_caller]
    fn one(&self, name: &str) -> i64 {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {self:#?}");
        all[0].value.parse().unwrap()
    }

    #[track_caller]
    fn of(&self, name: &str, label: &str, value: &str) -> i64 {
        let wanted = (label.to_owned(), value.to_owned());
        self.all(name).iter().find(|sample| sample.labels.contains(&wanted)).expect(value).value.parse().unwrap()
    }
}

impl Sample {
    #[track_caller]
    fn parse(line: &str) -> Sample {
        let (name, rest) = line.split_once('{').expect("labels");
        let good = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        assert!(good(name) && name.starts_with("gen404_"), "{line}");
        let (mut labels, mut rest) = (Vec::new(), rest);
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label");
            assert!(good(label), "{line}");
            let (mut value, mut chars) = (String::new(), after.char_indices());
            let end = loop {
                match chars.next().expect("a closing quote") {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().unwrap().1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        c => panic!("\\{c} in {line}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            let after = &after[end + 1..];
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    let value = after.strip_prefix("} ").expect("the end of the labels");
                    let unique: BTreeSet<&String> = labels.iter().map(|(label, _)| label).collect();
                    assert_eq!(unique.len(), labels.len(), "{line}");
                    return Sample { name: name.to_owned(), labels, value: value.to_owned() };
                }
            }
        }
    }
}
