//! SIGTERM ends every wait: pauses that a server asks for at once, what is in flight after a moment's
//! grace, and with the same exit code and words as ever.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gen404::model::lock::{Contended, Lock};
use gen404::world::http::{Client, HttpLimits, Request, Retry};
use gen404::world::stop::Stop;

use crate::audit_support::{patient, services};
use crate::chain_support::{Fake, Reply};
use crate::echoes::serve;
use crate::round::{DEADLINE, round};
use crate::support::{as_somebody, command, edit, git, skipped};

/// A pause that a server asks for ends within this time: the machine may be busy, and what is waited for takes ten times
/// as long.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What is in flight has a second more to end.
const SOON: Duration = Duration::from_secs(6);

/// Sends SIGTERM to a run once `begun` says so; how long it then took, and what it said.
#[track_caller]
fn stopped(mut run: Child, begun: impl Fn() -> bool) -> (Duration, Option<i32>, String) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !begun() {
        if run.try_wait().unwrap().is_some() {
            let out = run.wait_with_output().unwrap();
            panic!("it ended by itself: {}", String::from_utf8_lossy(&out.stderr));
        }
        assert!(Instant::now() < deadline, "it never came so far");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Into the wait itself.
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let asked = Instant::now();
    let out = run.wait_with_output().unwrap();
    (asked.elapsed(), out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[track_caller]
fn ends(what: &str, command: &mut Command, within: Duration, begun: impl Fn() -> bool) {
    let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (took, code, said) = stopped(run, begun);
    assert_eq!(code, Some(4), "{what}: {said}");
    assert!(said.contains("stopped by a signal") && said.contains("hint: "), "{what}: {said}");
    assert!(took < within, "{what}: {took:?} after the signal: {said}");
}

/// A server that asks for ten minutes of patience, or says nothing; and how often it was asked.
fn busy(silent: bool) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let url = serve(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        if silent {
            std::thread::sleep(Duration::from_secs(30));
        }
        (429, "Retry-After: 600\r\n".to_owned(), String::new())
    });
    (url, count)
}

/// Both kinds, with the time in which a run that waits for it has to end.
fn each_kind(check: impl Fn(&str, &str, Duration, &(dyn Fn() -> bool + Sync))) {
    for (silent, within) in [(false, AT_ONCE), (true, SOON)] {
        let (url, count) = busy(silent);
        check(if silent { "silence" } else { "429" }, &url, within, &|| count.load(Ordering::SeqCst) > 0);
    }
}

fn set(folder: &Path, settings: &str) {
    edit(folder, "gen404.toml", |text| format!("{text}\n{settings}\n"));
}

#[test]
fn duels_end() {
    each_kind(|what, url, within, begun| {
        let folder = crate::duels::at_duels();
        std::fs::write(folder.path().join("gen404.toml"), "[judge]\ntimeout_seconds = 60\n").unwrap();
        let mut duel = command(folder.path());
        ends(&format!("duel, {what}"), duel.args(["duel", "--judge-url", &format!("{url}/v1")]), within, begun);
        let mut inline = command(folder.path());
        inline.args(["duel", "--judge-url", &format!("{url}/v1"), "--inline-images"]);
        let report = crate::support::tree(folder.path());
        assert!(!report.keys().any(|path| path.ends_with("rounds/1/winner.json")), "{what}: decided");
    });
}

#[test]
fn downloads_end() {
    each_kind(|what, url, within, begun| {
        let folder = round(&[format!("{url}/0"), format!("{url}/1")], 4);
        edit(folder.path(), "gen404.toml", |text| {
            text.replace("idle_seconds = 1.0", "idle_seconds = 60.0")
                .replace("file_seconds = 6.0", "file_seconds = 90.0")
                .replace("patience_seconds = 20.0", "patience_seconds = 3600.0")
        });
        let mut download = command(folder.path());
        download.args(["download", "--block", DEADLINE, "--store-dir", ".gen404/objects"]);
        ends(&format!("download, {what}"), &mut download, within, begun);
        let journals = crate::support::tree(&folder.path().join(".gen404"));
        // The record of runs does name the stop.
        let mut others = journals.iter().filter(|(path, _)| !path.ends_with("runs.jsonl"));
        let told = others.any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("stopped"));
        assert!(!told, "{what}: our own stop is held against a miner");
    });
}

#[test]
fn a_download_ends_that_waits_for_its_bucket() {
    let cdn = crate::cdn::Cdn::start(|path, _| crate::cdn::Serve::File(crate::cdn::blank_glb(path)));
    each_kind(|what, url, within, begun| {
        let folder = round(&[format!("{}/0", cdn.url())], 4);
        let mut download = command(folder.path());
        download.env("R2_ENDPOINT", url).env("R2_ACCESS_KEY_ID", "AKTEST").env("R2_SECRET_ACCESS_KEY", "hunter2");
        download.args(["download", "--block", DEADLINE, "--no-previews", "--cdn-url", "https://cdn.example"]);
        ends(&format!("bucket, {what}"), &mut download, within, begun);
    });
}

#[test]
fn a_download_ends_that_waits_for_the_renderer() {
    let cdn = crate::cdn::Cdn::start(|path, _| crate::cdn::Serve::File(crate::cdn::blank_glb(path)));
    each_kind(|what, url, within, begun| {
        let folder = round(&[format!("{}/0", cdn.url())], 4);
        let mut download = command(folder.path());
        download.args(["download", "--block", DEADLINE, "--store-dir", ".gen404/objects", "--render-service", url]);
        ends(&format!("renderer, {what}"), &mut download, within, begun);
    });
}

#[test]
fn audits_end() {
    let (services, pods) = (services(), patient());
    each_kind(|what, url, within, begun| {
        crate::support::side_by_side(crate::cloud::KINDS.to_vec(), |kind| {
            let provider = kind.name();
            let folder = crate::audit_support::round(&services, &pods, 1, 2);
            edit(folder.path(), "gen404.toml", |text| {
                let text = text.replace("reported_times = true\n", "");
                text.replace("provider = \"endpoint\"", &format!("provider = {provider:?}"))
            });
            set(folder.path(), &format!("[pods.{provider}]\nurl = {url:?}"));
            let mut audit = crate::audit_support::prepared(folder.path(), &services, &["audit"]);
            audit.envs(kind.keys("hunter2"));
            // What may have been ordered is looked for once more: money runs.
            let within = if what == "429" { within + AT_ONCE } else { within + Duration::from_secs(6) };
            ends(&format!("audit, {provider}, {what}"), &mut audit, within, begun);
        });
    });
}

#[test]
fn audits_end_that_wait_for_a_program() {
    let services = services();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let pods = Fake::start(move |_, line, _| {
        if line.starts_with("GET") {
            return Reply::Body(Vec::new());
        }
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::Silent(Duration::from_secs(30))
    });
    let folder = crate::audit_support::round(&services, &pods, 1, 2);
    let mut audit = crate::audit_support::prepared(folder.path(), &services, &["audit"]);
    ends("audit, program", &mut audit, SOON, || asked.load(Ordering::SeqCst) > 0);
}

#[test]
fn builds_end() {
    each_kind(|what, url, within, begun| {
        let folder = round(&["https://cdn.example/0".to_owned()], 2);
        set(folder.path(), &format!("[builds]\napi_url = {url:?}\nrepo = 'a/b'\nlongest_pause_seconds = 3600"));
        let mut builds = command(folder.path());
        ends(&format!("builds, {what}"), builds.args(["builds", "--wait"]), within, begun);
    });
    // Between two looks.
    let folder = round(&["https://cdn.example/0".to_owned()], 2);
    std::fs::write(folder.path().join("b.json"), "{}").unwrap();
    let mut builds = command(folder.path());
    builds.args(["builds", "--file", "b.json", "--wait"]);
    let begun = Instant::now();
    ends("builds, poll", &mut builds, AT_ONCE, || begun.elapsed() > Duration::from_millis(1500));
}

#[test]
fn an_advance_ends_that_waits_for_the_chain() {
    each_kind(|what, url, within, begun| {
        let folder = round(&["https://cdn.example/0".to_owned()], 2);
        set(folder.path(), &format!("[chain]\nnetwork = {url:?}"));
        for stage in ["open", "miner_generation"] {
            let state = format!("{{\"current_round\": 0, \"stage\": {stage:?}, \"next_stage_eta\": null}}");
            std::fs::write(folder.path().join("state.json"), state).unwrap();
            let mut advance = command(folder.path());
            advance.args(["advance", "--wait", "--poll", "600"]);
            ends(&format!("advance, {stage}, {what}"), &mut advance, within, begun);
        }
    });
}

#[test]
fn who_waits_for_the_lock_ends() {
    let folder = crate::duels::at_duels();
    let _held = Lock::take(&folder.path().join(".gen404"), "audit", Contended::Fail, |_| Ok(())).unwrap();
    let mut duel = command(folder.path());
    duel.args(["duel", "--judge-url", "http://127.0.0.1:9/v1", "--wait-lock"]);
    let begun = Instant::now();
    ends("lock", &mut duel, AT_ONCE, || begun.elapsed() > Duration::from_millis(1500));
}

#[test]
fn who_waits_for_a_remote_ends() {
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let (url, count) = busy(true);
    let folder = round(&["https://cdn.example/0".to_owned()], 2);
    let root = folder.path();
    git(root, &["init", "-q", "-b", "main"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "A round"]);
    git(root, &["remote", "add", "origin", &format!("{url}/a.git")]);
    git(root, &["config", "branch.main.remote", "origin"]);
    git(root, &["config", "branch.main.merge", "refs/heads/main"]);
    let mut builds = command(root);
    as_somebody(&mut builds);
    builds.env("PATH", std::env::var_os("PATH").unwrap());
    builds.args(["builds", "--file", "b.json", "--commit", "--push"]);
    ends("push", &mut builds, SOON, || count.load(Ordering::SeqCst) > 0);
}

/// A listener that takes no connection: its queue is full.
fn full() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        if queued.len() > 5000 {
            break;
        }
    }
    (listener, queued)
}

#[test]
fn a_connection_that_is_not_made_is_not_waited_for() {
    let (listener, _queued) = full();
    let stop = Stop::default();
    let limits = HttpLimits { connect: Duration::from_secs(20), ..HttpLimits::default() };
    let client = Client::new(limits, Retry::default()).heeding(&stop);
    let asks = stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        asks.ask();
    });
    let begun = Instant::now();
    let error = client.send(&Request::get(format!("http://{}/", listener.local_addr().unwrap()))).unwrap_err();
    assert_eq!(error.to_string(), "stopped by a signal");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn nothing_is_begun_after_a_stop_and_nothing_cut_is_taken_for_whole() {
    let (url, count) = busy(false);
    let stop = Stop::default();
    stop.ask();
    let client = Client::new(HttpLimits::default(), Retry::default()).heeding(&stop);
    assert_eq!(client.send(&Request::get(url.as_str())).unwrap_err().to_string(), "stopped by a signal");
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // A body without a length ends with its connection, which is closed here by us.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf").unwrap();
        std::thread::sleep(Duration::from_secs(20));
    });
    let stop = Stop::default();
    let client = Client::for_miners(HttpLimits::MINER, Retry::ONCE, true).heeding(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        stop.ask();
        stop.cut();
    });
    let mut sink = Vec::new();
    let failure = client.fetch_once(&Request::get(at.as_str()), &mut sink).unwrap_err();
    assert_eq!((failure.reason(), sink.as_slice()), ("stopped by a signal", &b"half"[..]));
}
