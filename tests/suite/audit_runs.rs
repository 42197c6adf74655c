//! `audit` with its flags, with several pods a player, and with pods that a provider rents out.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::audit_support::*;
use crate::chain_support::{Fake, Reply};
use crate::cloud::{Cloud, KINDS};
use crate::round::{hotkey, stem};
use crate::support::{as_somebody, edit, findings, git, set_rules, skipped};

/// An honest program for everybody; miner 1's makes something else.
fn programs() -> Fake {
    Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false => {
            let shape = if line.contains(&hotkey(1)) { "fish" } else { "bird" };
            model("x-generation-seconds: 7.0\r\n", shape, prompt_of(body))
        }
    })
}

/// Who has a verdict, in the order of the file.
fn judged(folder: &Path) -> Vec<(String, String)> {
    let audits = read(folder, "rounds/0/generation_audits.json");
    let outcome = |audit: &Value| audit["outcome"].as_str().unwrap().to_owned();
    audits.as_object().unwrap().iter().map(|(key, audit)| (key.clone(), outcome(audit))).collect()
}

fn verdicts(of: &[(u8, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(miner, outcome)| (hotkey(*miner), (*outcome).to_owned())).collect()
}

#[test]
fn only_shard_and_retry_say_whose_audit_is_run() {
    let (services, pods) = (services(), programs());
    let folder = round(&services, &pods, 4, 2);
    set_rules(folder.path(), json!({"mismatches": 0}));
    let nobody = run(folder.path(), &services, &["audit", "--only", &hotkey(9)]).ends(1);
    assert!(nobody.err.contains("is not on require_audit.json"), "{}", nobody.err);
    run(folder.path(), &services, &["audit", "--only", &hotkey(2)]).ends(0);
    assert_eq!(judged(folder.path()), verdicts(&[(2, "passed")]));
    // By the places in submissions.json: the first of two has miners 0 and 2, and 2 is done.
    run(folder.path(), &services, &["audit", "--shard", "0/2"]).ends(0);
    assert_eq!(judged(folder.path()), verdicts(&[(0, "passed"), (2, "passed")]));
    let again = run(folder.path(), &services, &["audit", "--shard", "0/2"]).ends(0);
    assert!(again.out.contains("no audit is awaited"), "{}", again.out);
    run(folder.path(), &services, &["audit", "--shard", "1/2"]).ends(0);
    let all = verdicts(&[(0, "passed"), (1, "rejected"), (2, "passed"), (3, "passed")]);
    assert_eq!(judged(folder.path()), all);
    // A verdict stands: not even a name opens it again without --retry.
    let before = asked(&pods, &hotkey(1)).len();
    let stands = run(folder.path(), &services, &["audit", "--only", &hotkey(1)]).ends(0);
    assert!(stands.out.contains("no audit is awaited") && asked(&pods, &hotkey(1)).len() == before);
    // What was made in time is final, whatever its distance: trying again changes no verdict.
    run(folder.path(), &services, &["audit", "--only", &hotkey(1), "--retry"]).ends(0);
    assert_eq!(judged(folder.path()), all);
    assert!(
        findings(folder.path(), &[]).iter().all(|found| found.id != "audit.verdict" && found.id != "outputs.rules")
    );
}

#[test]
fn a_retry_makes_what_had_failed() {
    let services = services();
    let well = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let now = well.clone();
    let pods = Fake::start(move |_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false if now.load(std::sync::atomic::Ordering::SeqCst) => {
            model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body))
        }
        false => Reply::Status(500, "", b"out of memory".to_vec()),
    });
    let folder = round(&services, &pods, 1, 3);
    run(folder.path(), &services, &["audit"]).ends(0);
    assert_eq!(judged(folder.path()), verdicts(&[(0, "rejected")]));
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    run(folder.path(), &services, &["audit", "--only", &hotkey(0), "--retry"]).ends(0);
    assert_eq!(judged(folder.path()), verdicts(&[(0, "passed")]));
}

#[test]
fn with_commit_each_verdict_is_a_commit_and_nothing_is_left() {
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let (services, pods) = (services(), programs());
    let folder = round(&services, &pods, 2, 3);
    std::fs::write(folder.path().join(".gitignore"), ".gen404\n/gen404.toml\n").unwrap();
    for args in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "A round"]] {
        git(folder.path(), args);
    }
    let mut command = prepared(folder.path(), &services, &["audit", "--commit", "--json"]);
    as_somebody(&mut command);
    let ran = run_as(&mut command).ends(0).json();
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
    let log = git(folder.path(), &["log", "--format=%s"]);
    let mut told: Vec<&str> = log.lines().collect();
    assert_eq!((told.len(), told.pop()), (3, Some("A round")), "{log}");
    for miner in 0..2 {
        assert!(told.iter().any(|line| line.contains(&hotkey(miner)[..10])), "{log}");
    }
    let mut judged = judged(folder.path());
    judged.sort();
    assert_eq!(judged, verdicts(&[(0, "passed"), (1, "rejected")]));
    assert_eq!(ran["commits"].as_array().unwrap().len(), 2, "{ran}");
    assert_eq!(ran["details"]["pending"], json!([]));
    for miner in 0..2 {
        let own = format!("rounds/0/{}", hotkey(miner));
        for name in ["generated.json", "pod_stats.json", "SHA256SUMS"] {
            git(folder.path(), &["cat-file", "-e", &format!("HEAD:{own}/{name}")]);
        }
    }
    assert!(findings(folder.path(), &["--history"]).iter().all(|found| found.id != "history.writer"));
}

#[test]
fn several_pods_share_a_players_prompts() {
    let (services, pods) = (services(), patient());
    let alone = round(&services, &pods, 1, PROMPTS);
    run(alone.path(), &services, &["audit"]).ends(0);
    let folder = round(&services, &pods, 1, PROMPTS);
    edit(folder.path(), "gen404.toml", |text| {
        text.replace("pods = 1\nfirst_pods = 1", "pods = 2\nfirst_pods = 2") + "at_once = 2\n"
    });
    let before = asked(&pods, &hotkey(0)).len();
    run(folder.path(), &services, &["audit"]).ends(0);
    let mut prompts = asked(&pods, &hotkey(0)).split_off(before);
    prompts.sort_unstable();
    assert_eq!(prompts, (0..PROMPTS).collect::<Vec<_>>(), "each prompt once");
    let own = format!("rounds/0/{}", hotkey(0));
    let stats = read(folder.path(), &format!("{own}/pod_stats.json"));
    let made = |pod: &str| stats[pod]["successful"].as_u64().unwrap_or_default();
    let (first, second) = (made("endpoint-1"), made("endpoint-2"));
    assert!(first > 0 && second > 0 && first + second == PROMPTS as u64, "{stats}");
    for path in ["rounds/0/generation_audits.json", &format!("{own}/generated.json"), &format!("{own}/SHA256SUMS")] {
        let [this, that] = [&folder, &alone].map(|folder| std::fs::read(folder.path().join(path)).unwrap());
        assert!(this == that, "{path}: other bytes with two pods");
    }
}

/// A round whose pods are rented from `cloud`; their program is at `pods`.
fn rented(cloud: &Cloud, services: &Fake, pods: &Fake, prompts: usize) -> tempfile::TempDir {
    cloud.shop.lock().unwrap().program = Some(pods.address);
    let folder = round(services, pods, 1, prompts);
    edit(folder.path(), "gen404.toml", |text| {
        let (before, _) = text.split_once("[pods]").unwrap();
        format!("{before}{}", cloud.kind.settings(&cloud.url, "pause_seconds = 0.01"))
    });
    folder
}

fn audit_of(folder: &Path, services: &Fake) -> Command {
    let mut command = prepared(folder, services, &["audit"]);
    command.envs(KINDS.into_iter().flat_map(|kind| kind.keys("hunter2-key")));
    command
}

#[test]
fn rented_pods_do_the_audit_and_are_all_given_back() {
    for kind in KINDS {
        let (services, cloud, pods) = (services(), Cloud::start(kind), patient());
        let folder = rented(&cloud, &services, &pods, 4);
        let ran = run_as(&mut audit_of(folder.path(), &services)).ends(0);
        assert!(ran.out.contains("passed (4 checked"), "{kind:?}: {}{}", ran.out, ran.err);
        assert_eq!((cloud.pods(), cloud.count(cloud.create())), (0, 1), "{kind:?}");
        no_pod_is_noted(folder.path());
        no_secret(folder.path(), &[&ran.out, &ran.err]);
        let times = read(folder.path(), &format!("rounds/0/{}/generated.json", hotkey(0)));
        let time = times[stem(0)]["generation_time"].as_f64().unwrap();
        assert!((0.12..7.0).contains(&time), "{kind:?}: rented pods are timed by the clock, {time}");
    }
}

#[test]
fn a_rented_pod_of_a_killed_run_is_given_back_by_the_next() {
    for kind in KINDS {
        let (services, cloud, pods) = (services(), Cloud::start(kind), patient());
        let folder = rented(&cloud, &services, &pods, 6);
        let mut child = begun_as(audit_of(folder.path(), &services), folder.path(), 2);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(cloud.pods(), 1, "{kind:?}: killed with its pod");
        let made = finished(folder.path());
        let before = pods.seen.lock().unwrap().len();
        let ran = run_as(&mut audit_of(folder.path(), &services)).ends(0);
        assert!(ran.err.contains("left by an earlier run"), "{kind:?}: {}", ran.err);
        assert_eq!(cloud.pods(), 0, "{kind:?}");
        let seen = pods.seen.lock().unwrap();
        let again: Vec<String> = seen[before..]
            .iter()
            .filter(|(line, _)| line.starts_with("POST"))
            .map(|(_, body)| stem(prompt_of(body)))
            .collect();
        assert!(again.iter().all(|stem| !made.contains(stem)), "{kind:?}: {again:?} after {made:?}");
        assert_eq!(again.len(), 6 - made.len(), "{kind:?}");
    }
}

#[test]
fn sums_may_be_of_what_was_made_again_alone() {
    let (services, pods) = (services(), programs());
    let folder = round(&services, &pods, 1, 3);
    let sums = format!("rounds/0/{}/SHA256SUMS", hotkey(0));
    std::fs::remove_file(folder.path().join(&sums)).unwrap();
    run(folder.path(), &services, &["audit"]).ends(0);
    let objections =
        || findings(folder.path(), &[]).into_iter().filter(|found| found.id == "outputs.rules").collect::<Vec<_>>();
    assert_eq!(objections(), []);
    edit(folder.path(), &sums, |text| text.split_once('\n').unwrap().1.to_owned());
    let found = objections();
    assert!(found.len() == 1 && found[0].detail.contains("stored, but has no sum"), "{found:?}");
}
