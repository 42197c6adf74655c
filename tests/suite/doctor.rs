//! `gen404 doctor` and `gen404 config show`: a whole sandbox is well, and the line that fails is the part that is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use gen404::model::lock::{Contended, Lock};
use gen404::world::chain::stand_in::StandInNode;
use serde_json::{Value, json};

use crate::chain_support::{Fake, Reply};
use crate::ci_server::{Answer, Server};
use crate::cloud::KINDS;
use crate::dry_runs::ByHand;
use crate::support::{Run, command, edit, example, gen404, git, skipped};

/// An address that nothing listens at.
const DEAD: &str = "http://127.0.0.1:9";

/// A sandbox that waits for commands, with a remote.
struct Whole {
    sandbox: ByHand,
}

impl Whole {
    fn start() -> Option<Whole> {
        if Command::new("git").arg("--version").output().is_err() {
            skipped("no git program");
            return None;
        }
        let whole = Whole { sandbox: ByHand::start() };
        let (root, bare) = (whole.root(), whole.bare());
        git(&root, &["init", "-q", "--bare", bare.to_str().unwrap()]);
        git(&root, &["remote", "add", "origin", bare.to_str().unwrap()]);
        git(&root, &["push", "-q", "-u", "origin", "HEAD"]);
        Some(whole)
    }

    fn root(&self) -> std::path::PathBuf {
        self.sandbox.folder()
    }

    fn bare(&self) -> std::path::PathBuf {
        self.root().with_file_name("bare.git")
    }

    fn settings(&self) -> String {
        std::fs::read_to_string(self.root().join("gen404.toml")).unwrap()
    }

    /// Runs `doctor` with these settings, flags and variables; what is not ok, by name.
    #[track_caller]
    fn odd(&self, settings: &str, flags: &[&str], env: &[(&str, &str)]) -> Vec<(String, String)> {
        let file = self.root().join(".git/settings.toml");
        std::fs::write(&file, settings.replace("\"objects\"", "\"../objects\"").replace("\"sandbox/", "\"../sandbox/"))
            .unwrap();
        let flags = [&["--config", ".git/settings.toml"], flags].concat();
        self.run(&flags, env)
    }

    /// As [`Whole::odd`], with the sandbox's own settings.
    #[track_caller]
    fn run(&self, flags: &[&str], env: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut command = command(&self.root());
        let run = command.envs(env.iter().copied()).args(["--json", "doctor"]).args(flags).output().unwrap();
        let told: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|e| {
            panic!("{e}: {}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
        });
        crate::json::check("doctor", &told);
        let odd = not_ok(&told);
        let fails = odd.iter().any(|(_, status)| status == "fail");
        assert_eq!(run.status.code(), Some(i32::from(fails)), "{told:#}");
        let hintless = checks(&told).into_iter().filter(|check| check["status"] != "ok" && check["hint"].is_null());
        assert_eq!(hintless.collect::<Vec<_>>(), [] as [Value; 0], "each says what to do");
        assert!(!told.to_string().contains("hunter2"), "{told:#}");
        odd
    }
}

fn checks(told: &Value) -> Vec<Value> {
    told["details"]["checks"].as_array().unwrap().clone()
}

fn not_ok(told: &Value) -> Vec<(String, String)> {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let odd = checks(told).into_iter().filter(|check| check["status"] != "ok");
    odd.map(|check| (text(&check, "name"), text(&check, "status"))).collect()
}

#[track_caller]
fn only(found: &[(String, String)], expected: &[(&str, &str)], what: &str) {
    let found: Vec<(&str, &str)> = found.iter().map(|(name, status)| (name.as_str(), status.as_str())).collect();
    assert_eq!(found, expected, "{what}");
}

/// Settings with other lines for one section.
fn with(settings: &str, section: &str, lines: &str) -> String {
    let head = format!("[{section}]\n");
    let (before, after) = settings.split_once(&head).unwrap();
    let rest = after.find("\n[").map_or("", |at| &after[at..]);
    format!("{before}{head}{lines}\n{rest}")
}

/// A judge that answers everything so, an hour ahead if `ahead`.
fn judge(models: &'static str, status: u16, ahead: bool) -> Fake {
    let content = json!({"penalty_1": 1, "penalty_2": 2, "issues": "none"}).to_string();
    let said = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}], "distance": 0.0});
    let date: &'static str = if ahead {
        let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        Box::leak(format!("Date: {}\r\n", later.format("%a, %d %b %Y %H:%M:%S GMT")).into_boxed_str())
    } else {
        ""
    };
    Fake::start(move |_, line, _| match line.starts_with("GET ") {
        true => Reply::Status(if models.is_empty() { 404 } else { 200 }, date, models.as_bytes().to_vec()),
        false if status == 200 => Reply::Status(200, date, said.to_string().into_bytes()),
        false => Reply::Status(status, date, b"{\"error\": {\"message\": \"refused\"}}".to_vec()),
    })
}

/// A node whose newest block is so many seconds old.
fn node(age: u64, best: u64) -> Fake {
    let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap();
    let node = StandInNode::new(17, now - age - best * 12, gen404::model::ids::Block(best));
    Fake::start(move |_, line, body| match line.starts_with("POST") {
        true => Reply::Body(node.answer(body)),
        false => Reply::Status(405, "", Vec::new()),
    })
}

#[test]
fn each_service_that_is_broken_is_the_line_that_fails() {
    let Some(whole) = Whole::start() else { return };
    let settings = whole.settings();
    only(&whole.run(&[], &[]), &[], "whole");
    only(&whole.odd(&settings, &[], &[]), &[], "the same, named");
    assert!(!whole.root().join("objects/gen404-doctor").exists());
    let told =
        |url: &str| format!("{settings}\n[[notify]]\nurl = \"{url}/hunter2\"\n[heartbeat]\nurl = \"{url}/hunter2\"\n");
    let receiver = crate::receiver::Receiver::start(crate::receiver::TAKES);
    only(
        &whole.odd(&told(receiver.url("").trim_end_matches('/')), &["--stage", "duel"], &[]),
        &[],
        "a webhook that is up",
    );
    assert_eq!(receiver.at("/hunter2").len(), 0, "no message is sent");
    let dead = [("notify", "warn"), ("heartbeat", "warn")];
    only(&whole.odd(&told(DEAD), &["--stage", "duel"], &[]), &dead, "a dead webhook");
    let text = gen404(&whole.root(), &["doctor", "--stage", "duel"]).ends(0).out;
    assert!(text.contains("ok    judge.question") && !text.contains("store"), "{text}");
    assert!(text.trim_end().ends_with("ok, 0 warnings, 0 failures"), "{text}");

    let judged = |url: &str, model: &str| {
        with(&settings, "judge", &format!("base_url = \"{url}/v1\"\nmodel = \"{model}\"\nmax_tokens = 20"))
    };
    let both = &[("judge.models", "fail"), ("judge.question", "fail")][..];
    only(&whole.odd(&judged(&format!("{DEAD}/sk-hunter2"), "m"), &[], &[]), both, "a dead judge");
    let refusing = Fake::start(|_, _, _| Reply::Status(401, "", b"{\"error\": \"hunter2 is no key\"}".to_vec()));
    let key = [("OPENAI_API_KEY", "hunter2")];
    only(&whole.odd(&judged(&refusing.url(), "m"), &[], &key), both, "a wrong key");
    let other = judge(r#"{"data": [{"id": "other"}]}"#, 404, false);
    let unknown = [("judge.models", "warn"), ("judge.question", "fail")];
    only(&whole.odd(&judged(&other.url(), "m"), &[], &[]), &unknown, "an unknown model");
    only(&whole.odd(&judged(&other.url(), "m"), &["--no-ask"], &[]), &[("judge.models", "fail")], "not asked");
    assert_eq!(other.seen.lock().unwrap().iter().filter(|(line, _)| line.starts_with("POST")).count(), 1);
    let ahead = judge("", 200, true);
    let url = ahead.url();
    let late = with(&judged(&url, "m"), "distance", &format!("driver = \"http\"\nurl = \"{url}\""));
    only(&whole.odd(&late, &[], &[]), &[("clock", "fail")], "a clock that is behind");
    services(&whole, &refusing);
}

/// The services besides the judge.
fn services(whole: &Whole, refusing: &Fake) {
    let settings = whole.settings();
    // Their paths may be keys.
    let distant = with(&settings, "distance", &format!("driver = \"http\"\nurl = \"{DEAD}/sk-hunter2\""));
    only(&whole.odd(&distant, &[], &[]), &[("distance", "fail")], "a dead distance service");
    only(&whole.odd(&distant, &["--skip", "audit"], &[]), &[], "another host audits");
    only(
        &whole.odd(&settings, &[], &[("RENDER_URL", &format!("{DEAD}/sk-hunter2"))]),
        &[("render", "fail")],
        "a dead render service",
    );

    let file = with(&settings, "store", "dir = \"../state.json/objects\"");
    only(&whole.odd(&file, &[], &[]), &[("store", "fail")], "a folder that cannot be made");
    let public = with(&settings, "store", &format!("dir = \"new/objects\"\ncdn_url = \"{DEAD}\""));
    only(&whole.odd(&public, &[], &[]), &[("store", "warn")], "a dead public address");
    only(&whole.odd(&public, &["--offline"], &[]), &[], "a public address that is not asked");
    assert!(!whole.root().join(".git/new").exists(), "the trial's folders are gone");

    let forbidding = Fake::start(|_, _, _| {
        Reply::Status(403, "", b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_vec())
    });
    let bucket = with(&settings, "store", &format!("endpoint = \"{}\"", forbidding.url()));
    let keys = [("R2_ACCESS_KEY_ID", "hunter2-id"), ("R2_SECRET_ACCESS_KEY", "hunter2-secret")];
    only(&whole.odd(&bucket, &[], &keys), &[("store", "fail")], "a bucket that refuses");
    only(&whole.odd(&bucket, &["--offline"], &[]), &[("store", "fail")], "a bucket without keys");

    let elsewhere = |pods: &str| {
        let before = settings.split("[pods]").next().unwrap();
        format!("{before}{pods}\n[distance]\ndriver = \"pixels\"\n")
    };
    for kind in KINDS {
        let keys = kind.keys("hunter2");
        let env: Vec<(&str, &str)> = keys.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let rented = elsewhere(&kind.settings(&refusing.url(), ""));
        only(&whole.odd(&rented, &[], &env), &[("pods", "fail")], kind.name());
    }
    for (answer, expected) in [("echo 27.1", &[][..]), ("echo 'no daemon' >&2; exit 1", &[("pods", "fail")])] {
        let program = whole.root().with_file_name("docker");
        // Another process writes it: a file that this one has open cannot be run by its children.
        let script = format!("printf '%s\\n' '#!/bin/sh' \"$1\" > '{0}' && chmod +x '{0}'", program.display());
        let written = format!("if [ \"$1\" = version ]; then {answer}; fi");
        assert!(Command::new("sh").args(["-c", &script, "sh", &written]).status().unwrap().success());
        let here = format!("[pods]\nprovider = \"docker\"\n[pods.docker]\nprogram = \"{}\"", program.display());
        only(&whole.odd(&elsewhere(&here), &["--offline"], &[]), expected, answer);
    }
    let gone = with(&settings, "pods.endpoint", &format!("url = \"{DEAD}/sk-hunter2/{{player}}\""));
    only(&whole.odd(&gone, &[], &[]), &[("pods", "fail")], "a program that is gone");

    let registry = Server::start(|_, _| Answer::status(500));
    let image = registry.url.strip_prefix("http://").unwrap();
    let lines = format!("driver = \"registry\"\ninsecure_registry = true\nimage = \"{image}/a/{{hotkey10}}:{{tag}}\"");
    only(&whole.odd(&with(&settings, "builds", &lines), &[], &[]), &[("builds", "fail")], "a broken registry");
    let ci = Server::start(|_, _| {
        Answer::status(403).with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", "4102444800")
    });
    let lines = format!("driver = \"github\"\nrepo = \"a/b\"\napi_url = \"{}\"", ci.url);
    let github = with(&settings, "builds", &lines);
    only(&whole.odd(&github, &[], &[]), &[("builds", "fail")], "a rate limit that is used up");
    ci.now(|_, _| Answer::json(&json!({})).with("x-ratelimit-remaining", "2").with("x-ratelimit-limit", "60"));
    only(&whole.odd(&github, &[], &[]), &[("builds", "warn")], "a rate limit that is nearly used up");
}

#[test]
fn a_chain_that_is_dead_stale_or_another_one_is_the_line_that_fails() {
    let Some(whole) = Whole::start() else { return };
    let settings = whole.settings();
    let chain = |lines: &str| with(&settings, "chain", &format!("timeout_seconds = 5\n{lines}"));
    let at = |node: &Fake| chain(&format!("network = \"{}\"", node.url()));
    // Pixels are for sandboxes: a warning where the clock is the system's.
    let pixels = ("distance", "warn");
    only(&whole.odd(&chain(&format!("network = \"{DEAD}\"")), &[], &[]), &[("chain", "fail"), pixels], "dead");
    let (fresh, slow, stale) = (node(20, 2000), node(100, 2000), node(4000, 2000));
    only(&whole.odd(&at(&fresh), &[], &[]), &[pixels], "a fresh head");
    only(&whole.odd(&at(&slow), &[], &[]), &[("chain", "warn"), pixels], "a late head");
    only(&whole.odd(&at(&stale), &[], &[]), &[("chain", "fail"), pixels], "a stale head");
    let second = chain(&format!("network = [\"{DEAD}\", \"{}\"]", fresh.url()));
    only(&whole.odd(&second, &[], &[]), &[("chain", "warn"), pixels], "one node of two");
    let drand = at(&fresh).replace("source = \"block\"", &format!("source = \"drand\"\ndrand_url = \"{DEAD}\""));
    only(&whole.odd(&drand, &[], &[]), &[("drand", "fail"), pixels], "a dead drand endpoint");
    only(&whole.odd(&drand, &["--stage", "duels", "--skip", "audit"], &[]), &[], "not needed in duels");
    let forged = Fake::start(|_, _, _| {
        Reply::Body(json!({"round": 20_000_000, "signature": "00".repeat(48)}).to_string().into_bytes())
    });
    let forged = drand.replace(&format!("drand_url = \"{DEAD}\""), &format!("drand_url = \"{}\"", forged.url()));
    only(&whole.odd(&forged, &[], &[]), &[("drand", "fail"), pixels], "a forged round");

    // A round that records block 110: a chain that is not there yet is another one.
    let round = crate::round::round(&["http://127.0.0.1:9/m".to_owned()], 2);
    std::fs::write(round.path().join("chain.json"), r#"{"current_block": 50}"#).unwrap();
    let flags = ["--json", "doctor", "--stage", "finalize", "--chain-file", "chain.json"];
    let told = gen404(round.path(), &flags).ends(1).json();
    assert!(not_ok(&told).contains(&("chain".to_owned(), "fail".to_owned())), "{told:#}");
    std::fs::write(round.path().join("chain.json"), r#"{"current_block": 500}"#).unwrap();
    let told = gen404(round.path(), &flags).ends(0).json();
    only(&not_ok(&told), &[("git", "warn")], "no checkout");
    // What the current stage needs and nothing names fails; what later ones need is a warning.
    let told = gen404(round.path(), &["--json", "doctor", "--offline"]).ends(1).json();
    let expected = [
        ("git", "warn"),
        ("chain", "fail"),
        ("builds", "fail"),
        ("pods", "fail"),
        ("store", "fail"),
        ("judge", "warn"),
        ("distance", "warn"),
    ];
    only(&not_ok(&told), &expected, "nothing is configured");
}

#[test]
fn a_checkout_lock_pool_or_disk_that_is_not_well_is_the_line_that_says_so() {
    let Some(whole) = Whole::start() else { return };
    let root = whole.root();
    let offline = |flags: &[&str]| whole.run(&[&["--offline"], flags].concat(), &[]);
    let local = ["--stage", "reveal-seed"];
    only(&offline(&[]), &[], "whole");

    // The pool: too few, one twice, and none.
    let pool = std::fs::read_to_string(root.join("prompts.txt")).unwrap();
    let first = pool.lines().next().unwrap();
    for (text, what) in [("", "none"), (&*format!("{first}\n{first}\n"), "one twice"), ("no URL\n", "no URL")] {
        std::fs::write(root.join("prompts.txt"), text).unwrap();
        only(&offline(&local), &[("pool", "fail")], what);
    }
    std::fs::remove_file(root.join("prompts.txt")).unwrap();
    only(&offline(&local), &[("pool", "fail")], "no pool");
    only(&offline(&["--stage", "duel"]), &[], "not needed for duels");
    std::fs::write(root.join("prompts.txt"), pool).unwrap();
    edit(&root, "leader.json", |text| text.replace('[', "{"));
    only(&offline(&local), &[("files", "fail")], "a damaged file");
    assert!(!offline(&[]).contains(&("pods".to_owned(), "fail".to_owned())), "the leader alone is unknown");
    git(&root, &["checkout", "-q", "leader.json"]);

    let own = root.join(".git/gen404");
    let lock = Lock::take(&own, "audit", Contended::Fail, |_| Ok(())).unwrap();
    only(&offline(&[]), &[("lock", "warn")], "a run at work");
    drop(lock);

    // What a killed git left, and what is kept of runs.
    let branch = git(&root, &["branch", "--show-current"]);
    for left in ["index.lock", "HEAD.lock", &format!("refs/heads/{branch}.lock")] {
        let left = root.join(".git").join(left);
        std::fs::write(&left, "").unwrap();
        let told = gen404(&root, &["doctor", "--offline", "--stage", "builds"]).ends(1).out;
        assert!(told.contains("fail  git.locks") && told.contains(&format!("rm {}", left.display())), "{told}");
        std::fs::remove_file(left).unwrap();
    }
    for (kept, status) in [("runs.jsonl", "fail"), ("notify/outbox.json", "warn")] {
        let kept = own.join(kept);
        std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
        match status {
            "fail" => std::fs::create_dir(&kept).unwrap(),
            _ => std::fs::write(&kept, "{").unwrap(),
        }
        only(&offline(&[]), &[("record", status)], "a record that cannot be read");
        std::fs::remove_file(&kept).or_else(|_| std::fs::remove_dir(&kept)).unwrap();
    }

    // Who commits, and with which key.
    let config = std::fs::read_to_string(root.join(".git/config")).unwrap();
    let restore = || std::fs::write(root.join(".git/config"), &config).unwrap();
    edit(&root, ".git/config", |text| text.replace("[user]", "[nobody]"));
    only(&offline(&[]), &[("git.author", "fail")], "no author");
    restore();
    for (name, value) in [("commit.gpgsign", "true"), ("gpg.format", "ssh"), ("user.signingkey", "/nowhere/key")] {
        git(&root, &["config", name, value]);
    }
    only(&offline(&[]), &[("git.signing", "fail")], "no key to sign with");
    restore();
    git(&root, &["checkout", "-q", "--detach"]);
    only(&offline(&[]), &[("git.checkout", "fail")], "no branch");
    git(&root, &["checkout", "-q", "-"]);

    // The remote.
    let remote = |flags: &[&str]| whole.run(&[&["--stage", "builds"], flags].concat(), &[]);
    only(&remote(&[]), &[], "whole");
    git(&root, &["config", "remote.origin.receivepack", "false"]);
    only(&remote(&[]), &[("git.remote", "fail")], "no permission to push");
    restore();
    git(&root, &["commit", "-q", "--allow-empty", "-m", "By hand"]);
    only(&remote(&[]), &[("git.remote", "warn")], "a commit by hand");
    only(&remote(&["--commit", "--push"]), &[("git.remote", "fail")], "a commit by hand stops a push");
    git(&root, &["reset", "-q", "--hard", "HEAD~"]);
    let tracking = "branch.".to_owned() + &git(&root, &["branch", "--show-current"]) + ".merge";
    git(&root, &["config", "--unset", &tracking]);
    only(&remote(&[]), &[("git.remote", "warn")], "no remote branch is named");
    restore();
    std::fs::rename(whole.bare(), whole.bare().with_extension("gone")).unwrap();
    only(&remote(&[]), &[("git.remote", "fail")], "a remote that is gone");
    only(&offline(&[]), &[], "not asked");

    // The settings.
    edit(&root, "gen404.toml", |text| text.replace("[judge]", "[juge]"));
    only(&offline(&[]), &[("settings", "fail")], "settings that do not parse");
    edit(&root, "gen404.toml", |text| text.replace("[juge]", "[judge]"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = root.join("gen404.toml");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        only(&offline(&[]), &[("settings", "warn")], "settings that anyone may write");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    half_a_state(&whole, &root);
    full_disk(&whole);
    git(&root, &["add", "-f", "gen404.toml"]);
    only(&offline(&[]), &[("settings", "fail")], "settings that git tracks");
}

/// A state that is being written by hand ends no sandbox.
fn half_a_state(whole: &Whole, root: &Path) {
    let state = std::fs::read_to_string(root.join("state.json")).unwrap();
    std::fs::write(root.join("state.json"), state.get(..state.len() / 2).unwrap()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::fs::write(root.join("state.json"), state).unwrap();
    only(
        &whole.run(&["--stage", "duel"], &[]),
        &[("git.remote", "fail")],
        "the sandbox goes on, its remote is still gone",
    );
}

/// A bucket with its public address; of deletions and of what is public it says these statuses.
fn bucket(deletes: u16, public: u16) -> Fake {
    let kept = Mutex::new(BTreeMap::<String, Vec<u8>>::new());
    Fake::start(move |_, line, body| {
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let mut kept = kept.lock().unwrap();
        let key = path.trim_start_matches("/404-gen/").trim_start_matches("/public/").to_owned();
        match method {
            "PUT" => {
                kept.insert(key, body.to_vec());
                Reply::Status(200, "ETag: \"x\"\r\n", Vec::new())
            }
            "DELETE" if deletes == 204 => {
                kept.remove(&key).unwrap();
                Reply::Status(204, "", Vec::new())
            }
            "DELETE" => Reply::Status(deletes, "", Vec::new()),
            _ if path.starts_with("/public/") && public != 200 => Reply::Status(public, "", Vec::new()),
            _ => kept.get(&key).map_or(Reply::Status(404, "", Vec::new()), |bytes| Reply::Body(bytes.clone())),
        }
    })
}

#[test]
fn a_bucket_is_put_to_read_from_and_left_empty() {
    let round = crate::round::round(&["https://cdn.example/0".to_owned()], 2);
    for (deletes, public, flags, status, said, calls) in [
        (204, 200, &[][..], "ok", "put, read and deleted an object", "PUT GET GET DELETE"),
        (403, 200, &[], "warn", "not deleted", "PUT GET GET DELETE"),
        (204, 404, &[], "warn", "status 404", "PUT GET GET DELETE"),
        (204, 200, &["--dry-run"], "ok", "not written to", "GET"),
    ] {
        let server = bucket(deletes, public);
        let (url, cdn) = (server.url(), format!("{}/public", server.url()));
        let keys = [("R2_ACCESS_KEY_ID", "hunter2-id"), ("R2_SECRET_ACCESS_KEY", "hunter2-secret")];
        let env = [&keys[..], &[("R2_ENDPOINT", url.as_str()), ("CDN_URL", cdn.as_str())]].concat();
        let args = [&["--json", "doctor", "--stage", "baseline", "--no-ask"], flags].concat();
        let told = shown(round.path(), &env, &args);
        assert!(!told.out.contains("hunter2"), "{}", told.out);
        let told = told.json();
        let store = checks(&told).into_iter().find(|check| check["name"] == "store").unwrap();
        assert_eq!(store["status"], status, "{store:#}");
        assert!(store["what"].as_str().unwrap().contains(said), "{store:#}");
        let seen = server.seen.lock().unwrap();
        let of_store = seen.iter().filter(|(line, _)| line.contains("/gen404-doctor/"));
        let seen: Vec<&str> = of_store.filter_map(|(line, _)| line.split(' ').next()).collect();
        assert_eq!(seen.join(" "), calls);
    }
}

/// A temporary folder on a disk of one MiB, where one can be mounted.
fn full_disk(whole: &Whole) {
    let small = whole.root().with_file_name("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&small).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        return skipped("no disk can be mounted");
    }
    let found = whole.run(&["--offline"], &[("TMPDIR", small.to_str().unwrap())]);
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    only(&found, &[("disk", "fail")], "a full disk");
}

fn shown(folder: &Path, env: &[(&str, &str)], flags: &[&str]) -> Run {
    let run = command(folder).envs(env.iter().copied()).args(flags).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: run.status.code().unwrap(), out: text(run.stdout), err: text(run.stderr) }
}

#[test]
fn every_setting_is_shown_with_its_origin_and_no_secret() {
    let folder = example(false);
    let text = "[chain]\nnetwork = 'wss://n.example/hunter2'\n[judge]\nbase_url = 'https://me:hunter2@j.example/v1?k=hunter2'\n\
                \n[store]\ndir = 'objects'\n[[notify]]\nurl = 'https://h.example/hunter2'\n";
    std::fs::write(folder.path().join("gen404.toml"), text).unwrap();
    let env = [("OPENAI_API_KEY", "hunter2"), ("CDN_URL", "https://c.example"), ("HF_TOKEN_FILE", "/nowhere")];
    let run = shown(folder.path(), &env, &["config", "show", "--json", "--netuid", "3"]).ends(0);
    assert!(!run.out.contains("hunter2"), "{}", run.out);
    let told = run.json();
    crate::json::check("config", &told);
    let all = told["details"]["settings"].as_array().unwrap();
    let of = |key: &str| all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key}"));
    for (key, value, origin, from) in [
        ("chain.network", json!("wss://n.example/…"), "file", json!(2)),
        ("chain.netuid", json!(3), "flag", json!("--netuid")),
        ("judge.base_url", json!("https://j.example/v1"), "file", json!(4)),
        ("store.cdn_url", json!("https://c.example"), "environment", json!("CDN_URL")),
        ("store.dir", json!(folder.path().join("objects")), "file", json!(7)),
        ("notify[1].url", json!("https://h.example/…"), "file", json!(9)),
        ("audit.pods", json!(4), "default", Value::Null),
        ("pods.runpod.gpus", json!(1), "default", Value::Null),
    ] {
        assert_eq!(of(key), &json!({"key": key, "value": value, "origin": origin, "from": from}));
    }
    let secret = |name: &str| {
        let secrets = told["details"]["secrets"].as_array().unwrap();
        secrets.iter().find(|secret| secret["name"] == name).unwrap().clone()
    };
    assert_eq!(secret("OPENAI_API_KEY")["from"], "OPENAI_API_KEY");
    assert_eq!(secret("GITHUB_TOKEN")["set"], false);
    assert!(secret("HF_TOKEN")["problem"].as_str().unwrap().contains("/nowhere"));
    // As TOML, what is shown may be read again.
    let text = shown(folder.path(), &env, &["config", "show"]).ends(0).out;
    let none = example(false);
    for (text, endpoints) in [(text.clone(), 1), (shown(none.path(), &env, &["config", "show"]).ends(0).out, 0)] {
        let parsed: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(parsed["notify"].as_array().unwrap().len(), endpoints, "{text}");
    }
    assert!(
        text.contains("[pods.docker]\n") && text.contains("[[notify]]\n") && text.contains("netuid = 17  # default"),
        "{text}"
    );
    whole_lists(folder.path(), all, &told);
}

/// Every key that the program knows, every secret in the sources, and every variable of the page on settings.
fn whole_lists(folder: &Path, all: &[Value], told: &Value) {
    let mut known = BTreeSet::new();
    crate::docs::collect_known("", &mut known);
    let keys: BTreeSet<String> =
        all.iter().map(|setting| setting["key"].as_str().unwrap().replace("[1]", "")).collect();
    known.insert("render_service".to_owned());
    assert_eq!(keys, known);
    let page = include_str!("../../docs/settings.md");
    let secrets: BTreeSet<&str> =
        told["details"]["secrets"].as_array().unwrap().iter().filter_map(|secret| secret["name"].as_str()).collect();
    assert_eq!(secrets, crate::docs::secrets_of_the_sources().iter().map(String::as_str).collect());
    // Each variable of the page's table, and each key that it beats, is one that `config show` knows.
    let table = page.split("## Precedence").nth(1).unwrap().split("## ").next().unwrap();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        for name in line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            // They say where the competition is, and where a reader's own file is, and are no settings.
            if ["GEN404_REPO", "GEN404_HEADS"].contains(&name) {
                continue;
            }
            let env = [(name, "404")];
            let told = shown(folder, &env, &["config", "show", "--json"]).ends(0).details();
            let beaten = told["settings"].as_array().unwrap().iter().filter(|setting| setting["from"] == *name).count();
            assert_eq!(beaten, 1, "{name}");
        }
    }
}
