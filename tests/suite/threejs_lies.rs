//! Lies about a generated competition of three.js modules that take more than another word: entries that were removed, and
//! records that still agree with each other.

use gen404::rules::checks::{CheckStatus, Finding};
use serde_json::{Value, json};

use crate::formats::make_threejs::{self, hotkey};
use crate::formats::{Files, check_threejs, objections};

/// Changes a file, which is JSON.
fn change(files: &mut Files, path: &str, by: &dyn Fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&files.0[path]).unwrap();
    let was = value.clone();
    by(&mut value);
    assert_ne!(was, value, "{path}");
    files.0.insert(path.to_owned(), serde_json::to_vec_pretty(&value).unwrap());
}

type By<'a> = &'a dyn Fn(&mut Value);
type Change<'a> = (&'a str, By<'a>);

/// What is found out about the competition after these changes.
fn after(mut files: Files, changes: &[Change<'_>]) -> Vec<Finding> {
    for (path, by) in changes {
        change(&mut files, path, *by);
    }
    check_threejs(&files)
}

fn recent(changes: &[Change<'_>]) -> Vec<Finding> {
    after(Files(make_threejs::files()), changes)
}

/// Is there a finding of this status, on this claim, that says this?
fn has(findings: &[Finding], status: CheckStatus, id: &str, part: &str) -> bool {
    findings.iter().any(|found| found.id == id && found.status == status && found.detail.contains(part))
}

fn fails(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|found| found.status == CheckStatus::Fail).collect()
}

fn of_miner(round: u32, miner: u8, name: &str) -> String {
    format!("rounds/{round}/{}/{name}", hotkey(miner))
}

fn remove(value: &mut Value, key: &str) {
    value.as_object_mut().unwrap().shift_remove(key).unwrap();
}

/// Takes the last repeat from a miner's report, which is then pending.
fn less(reports: &mut Value, miner: u8) {
    let report = &mut reports[&hotkey(miner)];
    report["repeats"].as_array_mut().unwrap().pop();
    report["outcome"] = "pending".into();
}

/// A report that takes a miner out by words alone.
#[test]
fn nobody_is_rejected_for_want_of_an_image_that_was_built() {
    let early = |reason: &'static str| {
        move |reports: &mut Value| {
            reports[&hotkey(2)] = json!({"hotkey": hotkey(2), "outcome": "rejected", "repeats": [], "reason": reason});
        }
    };
    let built = "reason reads \"Failed to build a docker image\", but builds.json has an image";
    let found = recent(&[("rounds/0/generation_reports.json", &early("Failed to build a docker image"))]);
    assert!(has(&found, CheckStatus::Fail, "audit.report", built), "{found:#?}");
    let found = recent(&[("rounds/0/generation_reports.json", &early("Failed to deploy a docker image"))]);
    assert!(!has(&found, CheckStatus::Fail, "audit.report", "builds.json"), "no file says otherwise: {found:#?}");
    let failed = |builds: &mut Value| builds[&hotkey(2)]["status"] = "failure".into();
    let reports = early("Failed to build a docker image");
    let found = recent(&[("rounds/0/generation_reports.json", &reports), ("rounds/0/builds.json", &failed)]);
    assert!(!has(&found, CheckStatus::Fail, "audit.report", "builds.json"), "{found:#?}");
}

#[test]
fn no_batch_takes_less_than_no_time() {
    let of_winner = of_miner(0, 1, "pod_stats.json");
    let hide = |stats: &mut Value| {
        let run = stats.as_object_mut().unwrap().values_mut().find(|run| run["batch_times"].is_array()).unwrap();
        let times = run["batch_times"].as_array_mut().unwrap();
        times.extend([json!(7000.0), json!(-7000.0)]);
    };
    let found = recent(&[(&of_winner, &hide)]);
    assert!(has(&found, CheckStatus::Fail, "outputs.rules", "a batch took -7000 s"), "{found:#?}");
}

#[test]
fn a_verified_winner_has_a_complete_report_and_an_audit_has_its_repeat() {
    let found = recent(&[("rounds/0/generation_reports.json", &|reports| less(reports, 1))]);
    assert!(has(&found, CheckStatus::Fail, "audit.report", "verified, but its report is Pending"), "{found:#?}");
    assert!(has(&found, CheckStatus::Fail, "audit.matrix", "has no repeat 2 of"), "{:#?}", objections(&found));
    // A miner who was rejected by the second repeat had one.
    let found = recent(&[("rounds/1/generation_reports.json", &|reports| less(reports, 8))]);
    assert!(has(&found, CheckStatus::Fail, "audit.matrix", "has no repeat 2 of"), "{:#?}", objections(&found));
    // The services have dropped reports of the rejected, and tried such programs once more.
    let gone = recent(&[("rounds/1/generation_reports.json", &|reports| remove(reports, &hotkey(8)))]);
    assert_eq!(fails(&gone).len(), 0, "{:#?}", objections(&gone));
    let again = recent(&[
        ("rounds/1/generation_reports.json", &|reports| {
            let report = &mut reports[&hotkey(8)];
            (report["repeats"], report["outcome"]) = (json!([]), "rejected".into());
            report["reason"] = "Failed to deploy a docker image".into();
        }),
        ("rounds/1/generation_audits.json", &|verdicts| {
            verdicts[&hotkey(8)]["reason"] = "generation report: Failed to deploy a docker image".into();
        }),
    ]);
    assert_eq!(fails(&again).len(), 0, "{:#?}", objections(&again));
    // One report each: that of the winner of round 3 of the real competition is not there.
    let older = after(
        Files(make_threejs::older_files()),
        &[("rounds/1/generation_reports.json", &|reports| remove(reports, &hotkey(6)))],
    );
    assert_eq!(fails(&older).len(), 0, "{:#?}", objections(&older));
}

#[test]
fn a_request_names_a_holder_that_the_miner_beat() {
    for (at, other) in [(2, 16), (3, 15), (3, 11)] {
        let found = recent(&[("rounds/2/require_audit.json", &|requests| {
            requests[at]["latest_defender"] = hotkey(other).into();
        })]);
        let part = format!("latest_defender is {}, which it did not beat", hotkey(other));
        assert!(has(&found, CheckStatus::Fail, "audit.request", &part), "{at}: {:#?}", objections(&found));
    }
}

#[test]
fn the_only_entry_of_a_leader_that_held_is_missed() {
    let found = recent(&[("leader.json", &|leaders| {
        leaders.as_array_mut().unwrap().remove(2);
    })]);
    assert!(has(&found, CheckStatus::Fail, "leader.transition", "no entry, expected"), "{:#?}", objections(&found));
}

#[test]
fn each_submitted_prompt_has_an_entry_in_a_repeat() {
    let (path, other) = (of_miner(1, 8, "generated_1.json"), "rounds/1/leader/generated_1.json");
    let failed = |modules: &Value| {
        let entries = modules.as_object().unwrap();
        entries.iter().find(|(_, module)| module["js"].is_null()).unwrap().0.clone()
    };
    let files = make_threejs::files();
    let stem = failed(&serde_json::from_slice(&files[&path]).unwrap());
    let part = format!("{stem}: submitted, but generated_1.json has no entry");
    let without = |modules: &mut Value| remove(modules, &stem);
    let found = recent(&[(&path, &without)]);
    assert!(has(&found, CheckStatus::Fail, "audit.report", &part), "{:#?}", objections(&found));
    // An image that cannot be fetched is left out everywhere.
    let found = recent(&[(&path, &without), (other, &without)]);
    assert!(has(&found, CheckStatus::Warn, "audit.report", &part), "{:#?}", objections(&found));
}

#[test]
fn words_that_the_services_do_not_have_are_warned_of() {
    let (submitted, stats) = (of_miner(0, 1, "submitted.json"), of_miner(0, 1, "pod_stats.json"));
    let runs = |value: &mut Value, by: &dyn Fn(&mut Value)| {
        value.as_object_mut().unwrap().values_mut().for_each(by);
    };
    let failure = |reason: &'static str| {
        move |modules: &mut Value| {
            let entries = modules.as_object_mut().unwrap().values_mut();
            entries.filter(|module| module["js"].is_null()).for_each(|module| module["failure_reason"] = reason.into());
        }
    };
    let hardware = |names: Value| move |all: &mut Value| all[&hotkey(1)]["hardware"] = names.clone();
    let ended = |value: &mut Value| runs(value, &|run| run["termination_reason"] = "finished".into());
    let angle = |report: &mut Value| report["duels"][0]["detail"]["s1"]["angles"][0]["label"] = "from_below".into();
    let cases: [(&str, By<'_>, CheckStatus, &str, &str); 7] = [
        (&submitted, &failure("it did not work"), CheckStatus::Warn, "outputs.rules", "is unknown"),
        (&stats, &ended, CheckStatus::Warn, "outputs.rules", "\"finished\" is unknown"),
        (&stats, &ended, CheckStatus::Warn, "audit.report", "no pod in pod_stats.json completed it"),
        (
            "rounds/0/submissions.json",
            &hardware(json!(["8xA100"])),
            CheckStatus::Warn,
            "submissions.rules",
            "\"8xA100\" is unknown",
        ),
        ("rounds/0/submissions.json", &hardware(json!([])), CheckStatus::Fail, "submissions.rules", "is empty"),
        (
            "rounds/0/submissions.json",
            &hardware(json!(["4xH200", "4xH200"])),
            CheckStatus::Fail,
            "submissions.rules",
            "twice",
        ),
        (&of_miner(0, 2, "duels_leader.json"), &angle, CheckStatus::Warn, "judge.detail", "\"from_below\" is unknown"),
    ];
    for (path, by, status, id, part) in cases {
        let found = recent(&[(path, by)]);
        assert!(has(&found, status, id, part), "{path} {id}: {:#?}", objections(&found));
    }
}

#[test]
fn words_that_contradict_the_rest_are_found() {
    let submitted = of_miner(0, 1, "submitted.json");
    let refused = |modules: &mut Value| {
        let first = modules.as_object_mut().unwrap().values_mut().next().unwrap();
        (first["views"], first["failure_reason"]) = (Value::Null, "js_too_large".into());
    };
    let found = recent(&[(&submitted, &refused)]);
    assert!(has(&found, CheckStatus::Fail, "outputs.rules", "but there is a js"), "{:#?}", objections(&found));
    let found = recent(&[("rounds/0/leader/pod_stats.json", &|stats| {
        let run = stats.as_object_mut().unwrap().values_mut().next().unwrap();
        (run["batch_times"], run["total_generation_time"]) = (json!([]), 0.0.into());
    })]);
    assert!(has(&found, CheckStatus::Fail, "outputs.rules", "there are no batches"), "{:#?}", objections(&found));
}
