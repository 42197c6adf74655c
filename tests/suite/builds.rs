//! `builds` from outside: by a file, by a CI that behaves like GitHub, by a registry.

use std::path::Path;

use base64::Engine as _;
use gen404::model::file::{FileKind, RoundFile};
use gen404::model::ids::RoundNumber;
use gen404::world::git::Git;
use serde_json::{Value, json};

use crate::ci_server::{Answer, Asked, Server};
use crate::round::{hotkey, round};
use crate::snapshots::Transcript;
use crate::support::{Run, command, edit, findings, gen404, tree};

/// A round of `miners` miners in miner_generation, with this `[builds]`.
fn competition(miners: usize, settings: &str) -> tempfile::TempDir {
    let cdns: Vec<String> = (0..miners).map(|n| format!("https://cdn.example/{n}")).collect();
    let folder = round(&cdns, 2);
    edit(folder.path(), "gen404.toml", |old| format!("{old}\n[builds]\n{settings}\n"));
    folder
}

/// `builds.json`
fn builds(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("rounds/0/builds.json")).unwrap()).unwrap()
}

/// The statuses on record, in the file's order.
fn statuses(folder: &Path) -> Vec<String> {
    let builds = builds(folder);
    builds.as_object().unwrap().values().map(|build| build["status"].as_str().unwrap().to_owned()).collect()
}

fn tag(miner: usize) -> String {
    format!("{}-test-0", &format!("{miner:040x}")[..7])
}

fn image(miner: u8) -> String {
    let name = hotkey(miner)[..10].to_lowercase();
    format!("europe-west3-docker.pkg.dev/gen-456515/active-competition/{name}:{}", tag(usize::from(miner)))
}

/// `verify` has nothing to say against what was written.
#[track_caller]
fn verified(folder: &Path) {
    let found: Vec<_> = findings(folder, &[]).into_iter().filter(|found| found.id == "builds.rules").collect();
    assert!(found.is_empty(), "{found:?}");
}

fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, serde_json::to_string(value).unwrap()).unwrap();
}

#[test]
fn a_file_tells_the_builds_until_all_are_done() {
    let folder = competition(3, "file = 'made.json'");
    let made = folder.path().join("made.json");
    let none = gen404(folder.path(), &["builds"]).ends(1);
    assert!(none.err.contains("made.json: cannot read"), "{}", none.err);
    let own = format!("registry.example/own/m2:{}", tag(2));
    write_json(&made, &json!({hotkey(2): {"status": "success", "image": own}, hotkey(0): {"status": "in_progress"}}));
    let before = tree(folder.path());
    let dry = gen404(folder.path(), &["builds", "--dry-run"]).ends(0);
    assert!(dry.out.contains("1 success, 1 in_progress, 1 pending"), "{}", dry.out);
    assert_eq!(tree(folder.path()), before);
    gen404(folder.path(), &["builds"]).ends(0);
    assert_eq!(statuses(folder.path()), ["in_progress", "pending", "success"], "in order of submissions.json");
    let entry = &builds(folder.path())[hotkey(2)];
    assert_eq!((&entry["docker_image"], &entry["tag"]), (&json!(own), &json!(tag(2))));
    assert_eq!((&entry["repo"], &entry["revealed_at_block"]), (&json!("miner/2"), &json!(112)));
    verified(folder.path());

    // A success stays, whatever is said later; the others are judged anew.
    write_json(
        &made,
        &json!({hotkey(2): {"status": "pending"}, hotkey(0): {"status": "success"},
                              hotkey(1): {"status": "failure"}}),
    );
    let run = gen404(folder.path(), &["builds", "--json"]).ends(0).json();
    assert_eq!(run["files"], json!(["rounds/0/builds.json"]));
    assert_eq!(run["details"]["miners"][hotkey(0)]["image"], json!(image(0)));
    assert_eq!(run["details"]["miners"][hotkey(1)]["status"], "failure");
    assert_eq!(statuses(folder.path()), ["success", "failure", "success"]);
    let quiet = gen404(folder.path(), &["builds", "--wait"]).ends(0);
    assert_eq!(quiet.out, "round 0: 2 success, 1 failure\n", "nothing is new, nothing is open");
    write_json(&made, &json!({hotkey(1): {"status": "success"}}));
    gen404(folder.path(), &["builds"]).ends(0);
    verified(folder.path());

    // All are built: nobody is asked, and in the next stage but one nothing is due.
    std::fs::remove_file(&made).unwrap();
    let done = gen404(folder.path(), &["builds"]).ends(0);
    assert!(done.out.contains("3 success, as already recorded"), "{}", done.out);
    edit(folder.path(), "state.json", |state| state.replace("miner_generation", "finalizing"));
    gen404(folder.path(), &["builds"]).ends(0);
    edit(folder.path(), "state.json", |state| state.replace("finalizing", "open"));
    let early = gen404(folder.path(), &["builds"]).ends(3);
    assert!(early.out.contains("builds is not due"), "{}", early.out);
}

#[test]
fn a_file_cannot_say_what_verify_would_refuse() {
    let folder = competition(2, "");
    let mut seen = Transcript::new(&[folder.path()]);
    seen.add(&["builds"], &gen404(folder.path(), &["builds"]).ends(2));
    let wrong = [
        json!({hotkey(0): {"status": "success", "image": "registry.example/x:latest"}}),
        json!({hotkey(0): {"status": "success", "image": image(1).replace(&tag(1), &tag(0))}}),
        json!({hotkey(0): {"status": "done"}}),
        json!({"nobody": {"status": "success"}}),
    ];
    let before = tree(folder.path());
    for said in wrong {
        let made = folder.path().join(".gen404-made.json");
        write_json(&made, &said);
        let run = gen404(folder.path(), &["builds", "--file", ".gen404-made.json"]).ends(1);
        seen.after(&said.to_string()).add(&["builds", "--file", ".gen404-made.json"], &run);
        std::fs::remove_file(&made).unwrap();
        assert_eq!(tree(folder.path()), before, "{said}");
    }
    seen.holds("builds_of_a_bad_file");
}

/// What nobody may ever see.
const TOKEN: &str = "ghp_hunter2hunter2";

/// A checkout of a round whose submissions are committed; `[builds]` asks this CI.
fn checkout(miners: usize, server: &Server, more: &str) -> tempfile::TempDir {
    let settings = format!(
        "repo = 'acme/competition'\napi_url = '{}'\nattempts = 2\nlongest_pause_seconds = 3\npoll_seconds = 1\n{more}",
        server.url
    );
    let folder = competition(miners, &settings);
    let git = Git::init(folder.path()).unwrap();
    edit(folder.path(), ".git/config", |config| format!("{config}[user]\n\tname = A\n\temail = a@b.c\n"));
    let round = RoundNumber(0);
    git.commit(&[FileKind::Round(round, RoundFile::Submissions)], "Seed, prompts and submissions for round 0").unwrap();
    git.commit(&[FileKind::Config], "Something else").unwrap();
    folder
}

/// The commit that wrote the submissions.
fn pushed(folder: &Path) -> String {
    Git::open(folder).unwrap().unwrap().log().unwrap().commits[0].id.clone()
}

/// `gen404 builds` with the token; it is in no output and no file.
#[track_caller]
fn asked(folder: &Path, flags: &[&str]) -> Run {
    let mut command = command(folder);
    let ran = command.args(["builds", "-v"]).args(flags).env("GITHUB_TOKEN", TOKEN).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: ran.status.code().unwrap(), out: text(ran.stdout), err: text(ran.stderr) };
    assert!(!format!("{}{}", run.out, run.err).contains("hunter2"), "{run:?}");
    let found = std::process::Command::new("grep").args(["-r", "-l", "hunter2", "."]).current_dir(folder).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "", "files with the token");
    run
}

/// A run as GitHub gives it.
fn run(status: &str, attempt: u64) -> Value {
    json!({"id": 77, "run_number": 5, "run_attempt": attempt, "status": status, "conclusion": null, "event": "push",
           "created_at": "2199-03-01T08:00:00Z", "run_started_at": "2199-03-01T08:00:00Z", "html_url": "https://x.org/77",
           "head_commit": null})
}

fn runs(runs: &[Value]) -> Value {
    json!({"total_count": runs.len(), "workflow_runs": runs})
}

/// The job of a miner, or the one named `setup`.
fn job(name: &str, attempt: u64, status: &str, conclusion: Option<&str>) -> Value {
    let full = if name == "setup" { name.to_owned() } else { format!("Bake and push images to Google Cloud ({name})") };
    json!({"id": attempt * 1000, "run_id": 77, "run_attempt": attempt, "name": full, "status": status,
           "conclusion": conclusion, "html_url": null, "started_at": null})
}

fn jobs(jobs: &[Value]) -> Value {
    json!({"total_count": jobs.len(), "jobs": jobs})
}

/// A CI with this run and these jobs on one page.
fn ci(found: Value, all: Value) -> impl FnMut(&Asked, usize) -> Answer + Send {
    move |asked: &Asked, _| {
        if asked.path.contains("/jobs?") {
            Answer::json(&all)
        } else {
            Answer::json(&runs(std::slice::from_ref(&found)))
        }
    }
}

#[test]
fn jobs_come_into_being_one_by_one() {
    let server = Server::start(|_, _| Answer::json(&runs(&[])));
    let folder = checkout(3, &server, "");
    asked(folder.path(), &["--commit"]).ends(0);
    assert_eq!(statuses(folder.path()), ["pending"; 3], "no run yet");
    let seen = server.seen();
    let first = &seen[0];
    let begins = "/repos/acme/competition/actions/workflows/build-and-push.yml/runs?event=push&";
    assert!(first.path.starts_with(begins), "{}", first.path);
    assert!(first.path.contains(&format!("head_sha={}", pushed(folder.path()))), "{}", first.path);
    assert_eq!(first.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(first.header("x-github-api-version"), Some("2022-11-28"));
    assert_eq!(first.header("accept"), Some("application/vnd.github+json"));
    assert!(first.header("user-agent").unwrap().starts_with("gen404/"));

    // The run is there, its setup is at work: no job is there yet, and nobody is not found.
    server.now(ci(run("in_progress", 1), jobs(&[job("setup", 1, "in_progress", None)])));
    let still = asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["pending"; 3]);
    assert!(still.err.contains("its job has not appeared yet"), "{}", still.err);
    let setup = job("setup", 1, "completed", Some("success"));
    let some = [setup.clone(), job(&hotkey(1), 1, "in_progress", None), job(&hotkey(2), 1, "queued", None)];
    server.now(ci(run("in_progress", 1), jobs(&some)));
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["pending", "in_progress", "pending"]);

    let ended =
        [setup, job(&hotkey(1), 1, "completed", Some("success")), job(&hotkey(2), 1, "completed", Some("failure"))];
    server.now(ci(run("completed", 1), jobs(&ended)));
    asked(folder.path(), &["--wait", "--commit"]).ends(0);
    assert_eq!(statuses(folder.path()), ["not_found", "success", "failure"]);
    assert_eq!(builds(folder.path())[hotkey(1)]["docker_image"], image(1));
    verified(folder.path());
    let log = Git::open(folder.path()).unwrap().unwrap().log().unwrap();
    assert_eq!(log.commits.last().unwrap().summary, "Update build statuses for round 0");

    // A second attempt: what failed is pending while it begins, then what it comes to.
    let mut second = ended.to_vec();
    server.now(ci(run("in_progress", 2), jobs(&second)));
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["pending", "success", "pending"]);
    second.push(job(&hotkey(0), 2, "completed", Some("success")));
    second.push(job(&hotkey(2), 2, "completed", Some("success")));
    server.now(ci(run("completed", 2), jobs(&second)));
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["success"; 3]);
    verified(folder.path());
    server.seen();
    asked(folder.path(), &[]).ends(0);
    assert!(server.seen().is_empty(), "all are built: nobody is asked");
}

#[test]
fn pages_are_followed_and_what_has_not_changed_is_not_sent_again() {
    let conclusions = ["success", "failure", "cancelled", "neutral", "skipped", "timed_out", "action_required"];
    let all: Vec<Value> =
        (0u8..).zip(conclusions).map(|(n, conclusion)| job(&hotkey(n), 1, "completed", Some(conclusion))).collect();
    let server = Server::start(|_, _| Answer::status(500));
    let url = server.url.clone();
    let paged = move |over: &'static str| {
        let (all, url) = (all.clone(), url.clone());
        move |asked: &Asked, _: usize| {
            let second = asked.path.contains("page=2&");
            let (part, etag) = match (asked.path.contains("/jobs?"), second) {
                (false, _) => (runs(&[run(over, 1)]), format!("W/\"run-{over}\"")),
                (true, false) => (jobs(&all[..4]), "\"jobs-1\"".to_owned()),
                (true, true) => (jobs(&all[4..]), "\"jobs-2\"".to_owned()),
            };
            if asked.header("if-none-match") == Some(etag.as_str()) {
                return Answer(304, vec![("ETag", etag)], String::new());
            }
            let answer = Answer::json(&part).with("ETag", etag);
            let next = format!("<{url}/repositories/1/actions/runs/77/jobs?page=2&filter=all>; rel=\"next\"");
            let first_page = asked.path.contains("/jobs?") && !second;
            if first_page { answer.with("Link", format!("{next}, <{url}/x?page=9>; rel=\"last\"")) } else { answer }
        }
    };
    server.now(paged("in_progress"));
    let folder = checkout(7, &server, "");
    asked(folder.path(), &[]).ends(0);
    let failed = "failure";
    assert_eq!(statuses(folder.path()), ["success", failed, failed, "pending", failed, failed, failed]);
    assert_eq!(server.seen().len(), 3);
    let before = tree(folder.path());
    asked(folder.path(), &[]).ends(0);
    let again = server.seen();
    assert!(again.len() == 3 && again.iter().all(|asked| asked.header("if-none-match").is_some()), "{again:?}");
    assert_eq!(tree(folder.path()), before);
    server.now(paged("completed"));
    asked(folder.path(), &["--wait"]).ends(0);
    assert_eq!(statuses(folder.path())[3], failed, "neutral, and the run is over");
    verified(folder.path());
}

#[test]
fn a_run_is_found_by_its_message_and_an_older_one_is_not() {
    let named = |created: &str, number: u64| {
        let mut run = run("completed", 1);
        run["created_at"] = json!(created);
        run["run_number"] = json!(number);
        run["head_commit"] = json!({"id": "x", "message": "Other\nSeed, prompts and submissions for round 0"});
        run
    };
    let newer = named("2199-03-01T08:00:00Z", 9);
    let older = named("2020-03-01T08:00:00Z", 8);
    let server = Server::start(|_, _| Answer::status(500));
    let folder = checkout(1, &server, "");
    let url = server.url.clone();
    let answers = move |found: Vec<Value>| {
        let url = url.clone();
        move |asked: &Asked, _: usize| {
            if asked.path.contains("/jobs?") {
                return Answer::json(&jobs(&[job(&hotkey(0), 1, "completed", Some("success"))]));
            }
            if asked.path.contains("head_sha=") {
                return Answer::json(&runs(&[]));
            }
            if asked.path.contains("page=2&") {
                return Answer::json(&runs(&found));
            }
            let next = format!("<{url}{}>; rel=\"next\"", asked.path.replace("runs?", "runs?page=2&"));
            Answer::json(&runs(&[run("completed", 1)])).with("Link", next)
        }
    };
    server.now(answers(vec![older.clone()]));
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["pending"], "the run of an earlier state of the submissions");
    server.now(answers(vec![newer, older]));
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["success"]);
}

#[test]
fn faults_of_the_ci_are_waited_for_or_told() {
    let good = || ci(run("completed", 1), jobs(&[job(&hotkey(0), 1, "completed", Some("success"))]));
    let once = |answer: Answer| {
        let mut good = good();
        move |asked: &Asked, count: usize| if count == 0 { answer.clone() } else { good(asked, count) }
    };
    let in_seconds = |seconds: i64| (chrono::Utc::now().timestamp() + seconds).to_string();
    let passing = [
        Answer::status(500),
        Answer::status(429).with("Retry-After", "1"),
        Answer::status(403).with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", in_seconds(1)),
    ];
    for answer in passing {
        let status = answer.0;
        let server = Server::start(once(answer));
        let folder = checkout(1, &server, "");
        asked(folder.path(), &[]).ends(0);
        assert_eq!(statuses(folder.path()), ["success"], "after {status}");
    }
    let lasting = [
        // What these say holds a time.
        (Answer::status(403).with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", in_seconds(900)), "until 2"),
        (Answer::status(429).with("Retry-After", "900"), "until 2"),
        (Answer::status(401), ""),
        (Answer::status(404), ""),
        (Answer::status(403), ""),
        (Answer::status(502), ""),
        (Answer(200, Vec::new(), "<html>".to_owned()), ""),
        (Answer::json(&json!({"workflow_runs": null})), ""),
    ];
    let mut seen = Transcript::new(&[]);
    for (answer, says) in lasting {
        let (status, body) = (answer.0, answer.2.clone());
        let server = Server::start(move |_, _| answer.clone());
        let folder = checkout(1, &server, "");
        let before = tree(folder.path());
        let run = asked(folder.path(), &[]).ends(4);
        assert!(run.err.contains(says), "{status}: {}", run.err);
        assert_eq!(tree(folder.path()), before, "a failed call is no answer");
        if says.is_empty() {
            seen.after(&format!("{status} {body}")).hide(&server.url, "[URL]").add(&["builds"], &run);
        }
    }
    seen.holds("builds_api_errors");
}

#[test]
fn redirects_are_followed_and_the_token_stays_with_its_host() {
    let other = Server::start(ci(run("completed", 1), jobs(&[job(&hotkey(0), 1, "completed", Some("success"))])));
    let elsewhere = other.url.clone();
    let server = Server::start(move |asked, _| match asked.path.strip_prefix("/repos/acme/competition") {
        Some(rest) => Answer::status(301).with("Location", format!("/repositories/1{rest}")),
        None => Answer::status(307).with("Location", format!("{elsewhere}{}", asked.path)),
    });
    let folder = checkout(1, &server, "");
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["success"]);
    assert!(server.seen().iter().all(|asked| asked.header("authorization").is_some()), "the same host");
    let seen = other.seen();
    assert!(seen.len() == 2 && seen.iter().all(|asked| asked.header("authorization").is_none()), "{seen:?}");
}

#[test]
fn what_is_open_for_too_long_has_timed_out() {
    let server = Server::start(ci(run("in_progress", 1), jobs(&[job("setup", 1, "queued", None)])));
    let folder = checkout(1, &server, "timeout_seconds = 1");
    let mut old = run("in_progress", 1);
    old["run_started_at"] = json!("2020-01-01T00:00:00Z");
    server.now(ci(old, jobs(&[job(&hotkey(0), 1, "in_progress", None)])));
    let waited = asked(folder.path(), &["--wait"]).ends(0);
    assert_eq!(statuses(folder.path()), ["timed_out"], "{}", waited.out);
    verified(folder.path());
}

/// A registry that hands out tokens, and knows the images whose names end in these.
fn registry(known: Vec<String>, anonymous: bool) -> Server {
    let server = Server::start(|_, _| Answer::status(500));
    let realm = format!("{}/token", server.url);
    server.now(move |asked, _| {
        if asked.path.starts_with("/token?") {
            let wanted = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("me:hunter2"));
            let may = anonymous || asked.header("authorization") == Some(wanted.as_str());
            assert!(asked.path.contains("service=reg%2C1&scope=repository:"), "{}", asked.path);
            return if may { Answer::json(&json!({"access_token": "abc"})) } else { Answer::status(401) };
        }
        assert!(asked.method == "HEAD" && asked.header("accept").unwrap().contains("oci.image.index"), "{asked:?}");
        if asked.header("authorization") != Some("Bearer abc") {
            let scope = "repository:miners/x:pull,push";
            let challenge = format!("Bearer realm=\"{realm}\",service=\"reg,1\",scope=\"{scope}\"");
            return Answer::status(401).with("WWW-Authenticate", challenge);
        }
        let there = known.iter().any(|known| asked.path.contains(known));
        Answer::status(if there { 200 } else { 404 }).with("Docker-Content-Digest", "sha256:00")
    });
    server
}

#[test]
fn a_registry_tells_which_images_are_there() {
    let short = |n: u8| hotkey(n)[..10].to_lowercase();
    let host = |server: &Server| server.url.trim_start_matches("http://").to_owned();
    let settings = |server: &Server| {
        format!("driver = 'registry'\ninsecure_registry = true\nimage = '{}/miners/{{hotkey10}}:{{tag}}'", host(server))
    };
    let server = registry(vec![short(1)], true);
    let folder = competition(2, &settings(&server));
    gen404(folder.path(), &["builds"]).ends(0);
    assert_eq!(statuses(folder.path()), ["pending", "success"]);
    verified(folder.path());

    // A private one says nothing to strangers: that is no answer.
    let server = registry(vec![short(0), short(1)], false);
    let folder = competition(2, &settings(&server));
    let stranger = gen404(folder.path(), &["builds"]).ends(4);
    assert!(stranger.err.contains("REGISTRY_TOKEN") && !folder.path().join("rounds/0/builds.json").exists());
    let with = |name: &str, value: &str| {
        let mut command = command(folder.path());
        command.args(["builds", "-v"]).env("REGISTRY_USER", "me").env(name, value).output().unwrap()
    };
    let wrong = with("REGISTRY_TOKEN", "wrong-hunter2");
    assert_eq!(wrong.status.code(), Some(4));
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains("hunter2"));
    assert_eq!(with("REGISTRY_PASSWORD", "hunter2").status.code(), Some(0));
    assert_eq!(statuses(folder.path()), ["success"; 2]);
}

#[test]
fn a_green_job_without_its_image_is_no_success() {
    let images = registry(vec![hotkey(1)[..10].to_lowercase()], true);
    let server = Server::start(|_, _| Answer::status(500));
    let host = images.url.trim_start_matches("http://");
    let more = format!("check_images = true\ninsecure_registry = true\nimage = '{host}/miners/{{hotkey10}}:{{tag}}'");
    let folder = checkout(3, &server, &more);
    let done = |conclusion: &str, n: u8| job(&hotkey(n), 1, "completed", Some(conclusion));
    let all = jobs(&[done("success", 0), done("failure", 1), job(&hotkey(2), 1, "queued", None)]);
    server.now(ci(run("in_progress", 1), all.clone()));
    let odd = asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path()), ["in_progress", "failure", "pending"]);
    assert!(odd.err.contains("its job failed, but the registry has an image"), "{}", odd.err);
    server.now(ci(run("completed", 1), all));
    asked(folder.path(), &[]).ends(0);
    assert_eq!(statuses(folder.path())[0], "failure");
    verified(folder.path());
}
