//! What had counted already and was replaced while its round was still in duels: verdicts, distances, builds, sums. Every
//! such commit is named, with both values.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::audit_support::*;
use crate::chain_support::{Fake, Reply};
use crate::round::{hotkey, stem};
use crate::support::{Found, as_somebody, edit, findings, gen404, git, skipped};

const AUDITS: &str = "rounds/0/generation_audits.json";

/// A round in duels: miner 0 passed its audit, miner 1 was rejected.
fn audited() -> Option<tempfile::TempDir> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    let services = services();
    let pods = Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false => {
            let shape = if line.contains(&hotkey(1)) { "fish" } else { "bird" };
            model("x-generation-seconds: 7.0\r\n", shape, prompt_of(body))
        }
    });
    let folder = round(&services, &pods, 2, 3);
    begin(folder.path());
    commits(folder.path(), &services, &["audit", "--commit"]);
    Some(folder)
}

/// Makes a repository of a round.
fn begin(folder: &Path) {
    std::fs::write(folder.join(".gitignore"), ".gen404\n/gen404.toml\n").unwrap();
    for args in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "A round"]] {
        git(folder, args);
    }
}

fn commits(folder: &Path, services: &Fake, args: &[&str]) {
    let mut command = prepared(folder, services, args);
    as_somebody(&mut command);
    run_as(&mut command).ends(0);
}

/// Commits what was changed; its short id.
fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["commit", "-qam", message]);
    git(folder, &["rev-parse", "HEAD"])[..10].to_owned()
}

/// What is found of the history's content.
fn kept(folder: &Path) -> Vec<Found> {
    findings(folder, &["--history"]).into_iter().filter(|found| found.id == "history.append_only").collect()
}

/// The one finding about this commit and file.
#[track_caller]
fn one(folder: &Path, commit: &str, file: &str, status: &str) -> String {
    let found = kept(folder);
    let subject = format!("{commit} {file}");
    let of: Vec<_> = found.iter().filter(|found| found.subject == subject && found.status == status).collect();
    let [only] = of.as_slice() else { panic!("{subject}: {found:#?}") };
    only.detail.clone()
}

fn change(folder: &Path, path: &str, change: impl FnOnce(&mut Value)) {
    edit(folder, path, |text| {
        let mut value = serde_json::from_str(text).unwrap();
        change(&mut value);
        pretty(&value)
    });
}

/// Turns a miner's verdict.
fn turn(folder: &Path, miner: u8) {
    change(folder, AUDITS, |audits| {
        let audit = &mut audits[hotkey(miner)];
        let was_rejected = audit["outcome"] == "rejected";
        audit["outcome"] = json!(if was_rejected { "passed" } else { "rejected" });
        audit["failed_prompts"] = json!(if was_rejected { 0 } else { 3 });
        audit["reason"] = json!(if was_rejected { "" } else { "Non-critical mismatches (3) exceed tolerance (1)" });
    });
}

fn measure(folder: &Path, miner: u8, distance: f64) {
    change(folder, &format!("rounds/0/{}/generated.json", hotkey(miner)), |outputs| {
        outputs.as_object_mut().unwrap().values_mut().for_each(|output| output["distance"] = json!(distance));
    });
}

#[test]
fn a_turned_verdict_is_told_with_its_distances() {
    let Some(folder) = audited() else { return };
    let folder = folder.path();
    assert_eq!(kept(folder), [], "nothing was replaced");
    for (miner, distance, from, to) in [(1, 0.0, "rejected", "passed"), (0, 0.9, "passed", "rejected")] {
        turn(folder, miner);
        measure(folder, miner, distance);
        // What is not committed is told, too.
        assert_eq!(findings(folder, &[]).iter().filter(|found| found.id == "history.append_only").count(), 2);
        let commit = commit(folder, "Update generation audits for round 0");
        let told = one(folder, &commit, AUDITS, "warn");
        let key = hotkey(miner);
        for part in [format!("the verdict on {key} was {from} ("), format!("and is now {to} (")] {
            assert!(told.contains(&part), "no {part:?} in {told}");
        }
        assert!(told.contains("does not say that it was audited again"), "{told}");
        // Same picture, same sum: no measure gives another distance.
        let told = one(folder, &commit, &format!("rounds/0/{key}/generated.json"), "fail");
        let path = format!("generated/{}.png is the same picture", stem(0));
        assert!(told.contains(&path) && told.contains(&format!(", and is now {distance}, but")), "{told}");
    }
    // In two steps the first is told: a verdict that was given is not open again.
    change(folder, AUDITS, |audits| audits[hotkey(0)]["outcome"] = json!("pending"));
    let open = commit(folder, "Open again");
    assert!(one(folder, &open, AUDITS, "warn").contains("and is now pending"));
}

#[test]
fn a_wrong_verdict_is_traced_to_its_commit() {
    let Some(folder) = audited() else { return };
    let folder = folder.path();
    turn(folder, 1);
    let commit = commit(folder, "Update generation audits for round 0");
    let found = findings(folder, &["--history"]);
    let verdict = found.iter().find(|found| found.id == "audit.verdict").unwrap();
    assert!(verdict.detail.ends_with(&format!("(last changed in {commit})")), "{verdict:?}");
    let plain = findings(folder, &[]);
    assert!(plain.iter().all(|found| !found.detail.contains("last changed in")), "{plain:#?}");
}

#[test]
fn a_build_that_was_in_use_is_told() {
    let Some(folder) = audited() else { return };
    let folder = folder.path();
    let builds = "rounds/0/builds.json";
    change(folder, builds, |builds| {
        builds[hotkey(0)]["status"] = json!("failure");
        builds[hotkey(0)]["docker_image"] = Value::Null;
    });
    let failed = commit(folder, "Update build statuses for round 0");
    let told = one(folder, &failed, builds, "warn");
    let line = format!("the build of {} was success (img:0), and is now failure", hotkey(0));
    assert!(told.contains(&line), "{told}");
    // A build that is still awaited has to change.
    change(folder, builds, |builds| builds[hotkey(1)]["status"] = json!("in_progress"));
    commit(folder, "Build again");
    let before = kept(folder).len();
    change(folder, builds, |builds| builds[hotkey(1)]["status"] = json!("success"));
    commit(folder, "Built");
    assert_eq!(kept(folder).len(), before);
}

#[test]
fn a_sum_is_neither_changed_nor_removed() {
    let Some(folder) = audited() else { return };
    let folder = folder.path();
    let sums = format!("rounds/0/{}/SHA256SUMS", hotkey(0));
    let model = format!("submitted/{}.glb", stem(0));
    let line = |digit: &str| format!("{}  {model}", digit.repeat(64));
    edit(folder, &sums, |text| text.replace(&line("0"), &line("1")));
    let changed = commit(folder, "Update submitted for round 0");
    let told = one(folder, &changed, &sums, "fail");
    let expected = format!("the sum of {model} was {}, and is now {}", "0".repeat(64), "1".repeat(64));
    assert!(told.starts_with(&expected), "{told}");
    edit(folder, &sums, |text| text.replace(&(line("1") + "\n"), ""));
    let removed = commit(folder, "Tidy up");
    assert!(one(folder, &removed, &sums, "fail").contains(&format!("sums were removed, first {model}")));
}

#[test]
fn another_audit_says_so_in_its_commit() {
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let services = services();
    let well = Arc::new(AtomicBool::new(false));
    let now = well.clone();
    let pods = Fake::start(move |_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false if now.load(Ordering::SeqCst) => model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)),
        false => Reply::Status(500, "", b"out of memory".to_vec()),
    });
    let folder = round(&services, &pods, 1, 3);
    let folder = folder.path();
    begin(folder);
    commits(folder, &services, &["audit", "--commit"]);
    well.store(true, Ordering::SeqCst);
    let key = hotkey(0);
    commits(folder, &services, &["audit", "--only", &key, "--retry", "--commit"]);
    let subject = git(folder, &["log", "-1", "--format=%s"]);
    let expected = format!("Audit again for round 0, miner {}: rejected, now passed", &key[..10]);
    assert!(subject.starts_with(&expected), "{subject}");
    let commit = git(folder, &["rev-parse", "HEAD"])[..10].to_owned();
    let told = one(folder, &commit, AUDITS, "warn");
    assert!(told.contains("and is now passed (3 checked") && told.contains("the commit says that it was"), "{told}");
    let told = one(folder, &commit, &format!("rounds/0/{key}/generated.json"), "warn");
    assert!(told.contains(" outputs changed, though there was a verdict: "), "{told}");
    assert!(kept(folder).iter().all(|found| found.status == "warn"), "an honest operator fails nothing");
}

#[test]
fn without_history_the_last_line_says_what_was_not_judged() {
    let Some(folder) = audited() else { return };
    let last = |flags: &[&str]| {
        let run = gen404(folder.path(), flags);
        run.out.lines().find(|line| line.contains(" pass, ")).unwrap().to_owned()
    };
    assert!(last(&["verify"]).ends_with("skip (commits not judged: add --history)"));
    assert!(last(&["verify", "--history"]).ends_with(" skip"));
    std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
    assert!(last(&["verify"]).ends_with(" skip"));
}

#[test]
fn a_clone_with_nothing_checked_out_is_told_as_such() {
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    let run = gen404(folder.path(), &["verify"]).ends(1);
    assert!(run.err.contains("no commit is checked out") && run.err.contains("git switch BRANCH"), "{}", run.err);
}

#[test]
fn a_report_that_is_replaced_before_its_row_is_told() {
    let Some(folder) = audited() else { return };
    let folder = folder.path();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/competition/rounds/0");
    let reports = std::fs::read_dir(example).unwrap().map(|player| player.unwrap().path().join("duels_leader.json"));
    let text = std::fs::read_to_string(reports.into_iter().find(|path| path.is_file()).unwrap()).unwrap();
    let right = format!("rounds/0/{}", hotkey(7));
    let report = format!("{right}/duels_leader.json");
    std::fs::create_dir_all(folder.join(&right)).unwrap();
    std::fs::write(folder.join(&report), &text).unwrap();
    git(folder, &["add", "."]);
    commit(folder, "Round 0: duels");
    // The same again, in other bytes.
    edit(folder, &report, |text| format!("{text}\n"));
    let commit = commit(folder, "Round 0: duels");
    let told = one(folder, &commit, &report, "warn");
    assert!(told.contains("the report was changed before the match's row was in the matrix"), "{told}");
}
