//! The rules of a competition are public: they stand in its config.json, and each claim is judged by those of
//! the commit that made it.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::make_competition::hotkey;
use crate::support::{Found, edit, example, findings, gen404, git, set_rules, skipped};

fn no_git() -> bool {
    let none = std::process::Command::new("git").arg("--version").output().is_err();
    if none {
        skipped("no git program");
    }
    none
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "-A", "-f"]);
    git(folder, &["commit", "-qm", message]);
}

/// Calls the rejected audit of round 0 passed, as more tolerance would have it.
fn forge(folder: &Path) {
    edit(folder, "rounds/0/generation_audits.json", |text| {
        let mut audits: Value = serde_json::from_str(text).unwrap();
        let audit = &mut audits[hotkey("mirage").as_str()];
        assert_eq!(audit["failed_prompts"], 10);
        audit["outcome"] = json!("passed");
        audit["reason"] = json!("");
        format!("{audits:#}")
    });
}

fn fails(folder: &Path, flags: &[&str], id: &str) -> Vec<Found> {
    findings(folder, flags).into_iter().filter(|found| found.status == "fail" && found.id == id).collect()
}

#[track_caller]
fn one_forged(folder: &Path) -> String {
    let failed = fails(folder, &[], "audit.verdict");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(failed[0].subject.contains(hotkey("mirage").as_str()), "{failed:#?}");
    assert!(failed[0].detail.contains("outcome is \"passed\", expected \"rejected\""), "{failed:#?}");
    failed[0].detail.clone()
}

fn named(folder: &Path) -> Value {
    gen404(folder, &["verify", "--json"]).details()["rules"].clone()
}

#[test]
fn a_verdict_is_not_forged_by_settings_that_the_repository_brings() {
    if no_git() {
        return;
    }
    let folder = example(true);
    forge(folder.path());
    std::fs::write(folder.path().join("gen404.toml"), "[rules]\nmismatches = 100\n").unwrap();
    commit(folder.path(), "Passed after all");
    one_forged(folder.path());
    assert_eq!(named(folder.path()), json!({}));
}

#[test]
fn a_verdict_is_not_forged_by_rules_that_came_after_it() {
    if no_git() {
        return;
    }
    let folder = example(true);
    forge(folder.path());
    commit(folder.path(), "Passed after all");
    set_rules(folder.path(), json!({"mismatches": 100}));
    let uncommitted = one_forged(folder.path());
    assert!(uncommitted.contains("(by the rules of commit "), "{uncommitted}");
    commit(folder.path(), "More tolerance");
    one_forged(folder.path());
    assert_eq!(named(folder.path()), json!({"mismatches": {"value": 100, "default": 6}}));
    let told = gen404(folder.path(), &["verify"]).ends(1).out;
    assert!(told.contains("\nrules that are not the default: mismatches 100 (default 6)\n"), "{told}");
    assert!(told.contains("\nclaims made under other rules, and judged by them: "), "{told}");
}

#[test]
fn rules_that_came_before_the_verdict_are_named_and_whoever_wrote_them_is_told() {
    if no_git() {
        return;
    }
    let folder = example(true);
    set_rules(folder.path(), json!({"mismatches": 100}));
    commit(folder.path(), "More tolerance");
    forge(folder.path());
    // What is not committed yet is judged by the rules as they are; so it is once it is committed.
    for _ in 0..2 {
        assert_eq!(fails(folder.path(), &[], "audit.verdict"), []);
        assert_eq!(named(folder.path()), json!({"mismatches": {"value": 100, "default": 6}}));
        let written = fails(folder.path(), &["--history"], "history.writer");
        assert!(written.iter().any(|found| found.subject.ends_with(" config.json")), "{written:#?}");
        if git(folder.path(), &["status", "--porcelain"]).is_empty() {
            break;
        }
        commit(folder.path(), "Passed by these");
    }
    // Taken back, they still judge what was written under them, and are named.
    edit(folder.path(), "config.json", |text| text.replace("\"mismatches\": 100", "\"mismatches\": 6"));
    commit(folder.path(), "As if nothing had been");
    assert_eq!(fails(folder.path(), &[], "audit.verdict"), []);
    let run = gen404(folder.path(), &["verify", "--json"]).json();
    assert_eq!(run["details"]["rules"], json!({}));
    assert_eq!(
        run["details"]["rules_past"],
        json!([{"claims": 1, "rules": {"mismatches": {"value": 100, "default": 6}}}])
    );
}

#[test]
fn every_claim_is_judged_by_the_rules_of_its_commit() {
    if no_git() {
        return;
    }
    let folder = example(true);
    let before = gen404(folder.path(), &["verify", "--json"]).ends(0).details()["checks"].clone();
    // By these, nearly every generation is over time, no audit passes, and nobody wins.
    let hard = json!({"generation_seconds": 1.0, "median_seconds": 1.0, "distance": 0.0, "overtime_tolerance": 0.0,
                      "mismatch_margin": 1.0, "require_source_audit": true, "trim": 0});
    set_rules(folder.path(), hard.clone());
    commit(folder.path(), "Harder");
    assert_eq!(gen404(folder.path(), &["verify", "--json"]).ends(0).details()["checks"], before);
    // Without history nobody knows of other rules than those of now.
    std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
    for id in ["audit.verdict", "winner.replay"] {
        assert!(!fails(folder.path(), &[], id).is_empty(), "{id}");
    }
    // Nor whether the outputs are those that the match was played on.
    let all = findings(folder.path(), &[]);
    assert!(all.iter().any(|found| found.id == "match.rules" && found.status == "warn"), "{all:#?}");
    assert_eq!(fails(folder.path(), &[], "match.rules"), []);
}

#[test]
fn a_report_and_an_entry_belong_to_the_commit_that_last_wrote_them() {
    if no_git() {
        return;
    }
    let folder = example(true);
    set_rules(folder.path(), json!({"median_seconds": 63.5}));
    commit(folder.path(), "Faster");
    // One entry is written again: it is judged by the rules of that commit, the others by theirs.
    edit(folder.path(), "rounds/0/generation_audits.json", |text| {
        text.replacen("\"outcome\": \"passed\"", "\"outcome\": \"pending\"", 1)
    });
    commit(folder.path(), "Once more");
    edit(folder.path(), "rounds/0/generation_audits.json", |text| {
        text.replacen("\"outcome\": \"pending\"", "\"outcome\": \"passed\"", 1)
    });
    commit(folder.path(), "The same again");
    let failed = fails(folder.path(), &[], "audit.verdict");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(failed[0].detail.contains("exceeds limit (63.50s)"), "{failed:#?}");
}

#[test]
fn senseless_rules_are_named_and_unknown_ones_kept() {
    let folder = example(false);
    for (rules, says) in [
        (json!({"mismatches": "6"}), "rules.mismatches: expected a whole number, 0 or more, found \"6\""),
        (json!({"trim": -1}), "rules.trim: expected a whole number, 0 or more, found -1"),
        (json!({"distance": 7.0}), "rules.distance is 7: expected a number from 0 to 2"),
        (json!([]), "expected an object (rules), found a list"),
    ] {
        set_rules(folder.path(), rules);
        let failed = fails(folder.path(), &[], "file.parse");
        assert!(failed.iter().any(|found| found.detail.contains(says)), "{says}: {failed:#?}");
    }
    set_rules(folder.path(), json!({"later": {"b": 1, "a": [2.0]}, "mismatches": 5, "sooner": null}));
    assert!(findings(folder.path(), &[]).iter().all(|found| !found.id.starts_with("file.")));
    assert_eq!(named(folder.path()), json!({"mismatches": {"value": 5, "default": 6}}));
}

#[test]
fn the_report_shows_rules_that_are_not_the_default() {
    let folder = example(false);
    let index = |out: &str| {
        let pages = folder.path().parent().unwrap().join(out);
        gen404(folder.path(), &["report", "--out", pages.to_str().unwrap()]).ends(0);
        let page = std::fs::read_to_string(pages.join("index.html")).unwrap();
        std::fs::remove_dir_all(pages).unwrap();
        page
    };
    let name = |part: &str| format!("{}-{part}", folder.path().file_name().unwrap().to_str().unwrap());
    assert!(!index(&name("usual")).contains("not the default"));
    set_rules(folder.path(), json!({"mismatches": 7}));
    assert!(index(&name("other")).contains("rules that are not the default: mismatches 7 (default 6)"));
}
