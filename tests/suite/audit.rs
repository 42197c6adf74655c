//! `audit` and `baseline` from outside: against programs that are real HTTP servers, good and bad.

use serde_json::{Value, json};

use crate::audit_support::*;
use crate::chain_support::{Fake, Reply};
use crate::round::{hotkey, stage, stem};
use crate::snapshots::Transcript;
use crate::support::{edit, findings, tree};

#[test]
fn a_request_for_a_miner_outside_the_round_is_named_and_holds_up_no_other() {
    let services = services();
    let pods = Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(b"ok".to_vec()),
        false => model("x-generation-seconds: 10.5\r\n", "bird", prompt_of(body)),
    });
    let folder = round(&services, &pods, 2, PROMPTS);
    let stranger = hotkey(1);
    for path in ["rounds/0/submissions.json", "rounds/0/builds.json"] {
        edit(folder.path(), path, |text| {
            let mut file: Value = serde_json::from_str(text).unwrap();
            file.as_object_mut().unwrap().remove(&stranger);
            pretty(&file)
        });
    }
    let said = format!("rounds/0/require_audit.json: {stranger} is not in submissions.json");
    for args in [&["audit", "--dry-run"][..], &["audit"], &["audit"]] {
        let ran = run(folder.path(), &services, args).ends(1);
        assert!(ran.err.contains(&said) && ran.err.contains("remove this entry"), "{}", ran.err);
    }
    let audits = read(folder.path(), "rounds/0/generation_audits.json");
    assert_eq!(audits[hotkey(0)]["outcome"], "passed");
    assert!(audits.get(&stranger).is_none());
}

#[test]
fn every_sort_of_program_gets_its_verdict() {
    let services = services();
    let pods = Fake::start(|_, line, body| {
        let who = (0..7).find(|n| line.contains(&hotkey(*n))).expect("a miner");
        if line.starts_with("GET") {
            return if who == 6 { Reply::Status(503, "", Vec::new()) } else { Reply::Body(b"ok".to_vec()) };
        }
        let n = prompt_of(body);
        assert!(contains(body, "name=\"seed\"") && contains(body, "847291"), "the seed goes along");
        match who {
            1 => model("x-generation-seconds: 9.0\r\n", "fish", n),
            2 => model("x-generation-seconds: 181.0\r\n", "bird", n),
            5 => Reply::Body(b"<html>busy</html>".to_vec()),
            _ => model("x-generation-seconds: 10.5\r\n", "bird", n),
        }
    });
    let folder = round(&services, &pods, 8, PROMPTS);
    let (never, pending) = (hotkey(4), hotkey(7));
    for (who, status) in [(&never, "failure"), (&pending, "in_progress")] {
        edit(folder.path(), "rounds/0/builds.json", |text| {
            let mut builds: Value = serde_json::from_str(text).unwrap();
            builds[who.as_str()]["status"] = status.into();
            builds[who.as_str()]["docker_image"] = Value::Null;
            pretty(&builds)
        });
    }
    let dry = run(folder.path(), &services, &["audit", "--dry-run"]).ends(0);
    assert!(dry.out.contains(&format!("would reject {never}")) && pods.count() == 0, "{}", dry.out);
    let ran = run(folder.path(), &services, &["audit", "-v"]).ends(3);
    assert!(ran.out.contains(&format!("audit waits: the build of {pending} is not done yet")), "{}", ran.out);
    let audits = read(folder.path(), "rounds/0/generation_audits.json");
    let keys: Vec<String> = audits.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, (0..7).map(hotkey).collect::<Vec<_>>(), "in the order of the requests");
    let many = "Non-critical mismatches (6) exceed tolerance (1)";
    let slow = format!("Trimmed median generation time (181.00s) exceeds limit (90.00s); {many}");
    for (who, outcome, checked, failed, median, reason) in [
        (0, "passed", 6, 0, json!(10.5), ""),
        (1, "rejected", 6, 6, json!(9.0), many),
        (2, "rejected", 6, 6, json!(181.0), slow.as_str()),
        (3, "passed", 6, 0, json!(10.5), ""),
        (4, "rejected", 0, 0, Value::Null, "Failed to build a docker image"),
        (5, "rejected", 6, 6, Value::Null, many),
        (6, "rejected", 0, 0, Value::Null, "Failed to deploy a docker image"),
    ] {
        let expected = json!({
            "hotkey": hotkey(who), "outcome": outcome, "checked_prompts": checked, "failed_prompts": failed,
            "failed_critical": 0, "generation_time": median, "reason": reason,
        });
        assert_eq!(audits[hotkey(who)], expected, "{}", ran.err);
    }
    assert_eq!(asked(&pods, &hotkey(1)), [0, 1], "a certain verdict ends the audit");
    let stats = read(folder.path(), &format!("rounds/0/{}/pod_stats.json", hotkey(2)));
    let keys: Vec<&String> = stats["endpoint-1"].as_object().unwrap().keys().collect();
    let known = "pod_id processed successful hard_failed hard_overtime time_min time_max time_avg time_median \
                 marked_bad retry_cumulative_delta retry_delta_count termination_reason";
    assert_eq!(keys, known.split(' ').collect::<Vec<_>>(), "names and order");
    let expected = json!({
        "pod_id": "endpoint-1", "processed": 8, "successful": 8, "hard_failed": 0, "hard_overtime": 8,
        "time_min": 181.0, "time_max": 181.0, "time_avg": 181.0, "time_median": 181.0, "marked_bad": true,
        "retry_cumulative_delta": 0.0, "retry_delta_count": stats["endpoint-1"]["retry_delta_count"],
        "termination_reason": "marked_bad",
    });
    assert_eq!(stats["endpoint-1"], expected);
    let never = read(folder.path(), &format!("rounds/0/{}/pod_stats.json", hotkey(6)));
    assert_eq!(
        (&never["endpoint-1"]["termination_reason"], &never["endpoint-1"]["processed"]),
        (&json!("not_ready"), &json!(0))
    );
    let claims: Vec<_> = findings(folder.path(), &[]);
    let ours = |id: &str| id == "audit.verdict" || id == "outputs.rules" || id.starts_with("file.");
    assert!(claims.iter().all(|found| !ours(&found.id)), "{claims:?}");
    no_secret(folder.path(), &[&ran.out, &ran.err]);
    let again = run(folder.path(), &services, &["audit"]).ends(3);
    assert!(again.out.contains("audit waits"), "{}", again.out);
}

#[test]
fn a_pod_that_dies_half_way_is_replaced() {
    let services = services();
    let dead = std::sync::atomic::AtomicUsize::new(0);
    let pods = Fake::start(move |number, line, body| {
        use std::sync::atomic::Ordering::SeqCst;
        let health = line.starts_with("GET");
        // It dies in its fourth generation, and one look later another one has started.
        if number == 4 {
            dead.store(1, SeqCst);
            return Reply::Drop;
        }
        if health && dead.load(SeqCst) == 1 {
            dead.store(2, SeqCst);
            return Reply::Drop;
        }
        if health { Reply::Body(Vec::new()) } else { model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)) }
    });
    let folder = round(&services, &pods, 1, PROMPTS);
    let ran = run(folder.path(), &services, &["audit"]).ends(0);
    assert!(ran.out.contains("passed (6 checked") && ran.err.contains("lost a pod"), "{}{}", ran.out, ran.err);
    let stats = read(folder.path(), &format!("rounds/0/{}/pod_stats.json", hotkey(0)));
    assert_eq!((&stats["endpoint-1"]["processed"], &stats["endpoint-2"]["processed"]), (&3.into(), &3.into()));
    let ends = ["endpoint-1", "endpoint-2"].map(|pod| stats[pod]["termination_reason"].clone());
    assert_eq!(ends, [json!("unreachable"), json!("completed")], "{stats}");
    let generated = read(folder.path(), &format!("rounds/0/{}/generated.json", hotkey(0)));
    let attempts: Vec<_> = generated.as_object().unwrap().values().map(|entry| entry["attempts"].clone()).collect();
    assert_eq!(attempts, vec![json!(1); PROMPTS], "what was lost on its way is no attempt");
}

#[test]
fn a_distance_that_cannot_be_measured_keeps_the_audit_open() {
    let services = services();
    let pods = Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false => model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)),
    });
    let folder = round(&services, &pods, 1, 3);
    let preview = folder.path().join(format!(".gen404/objects/rounds/0/{}/submitted/{}.png", hotkey(0), stem(1)));
    let bytes = std::fs::read(&preview).unwrap();
    std::fs::remove_file(&preview).unwrap();
    let open = run(folder.path(), &services, &["audit"]).ends(4);
    assert!(open.err.contains(&format!("waits for 1 distance: {}", stem(1))), "{}", open.err);
    let generated = read(folder.path(), &format!("rounds/0/{}/generated.json", hotkey(0)));
    assert_eq!(generated.as_object().unwrap().len(), 2);
    assert!(!folder.path().join("rounds/0/generation_audits.json").exists());
    std::fs::write(&preview, bytes).unwrap();
    let before = pods.count();
    run(folder.path(), &services, &["audit"]).ends(0);
    assert_eq!(pods.count(), before, "only the distance was missing");
    assert_eq!(read(folder.path(), "rounds/0/generation_audits.json")[hotkey(0)]["outcome"], "passed");
}

#[test]
fn killed_and_run_again_it_makes_nothing_twice_and_judges_the_same() {
    let (services, pods) = (services(), patient());
    let undisturbed = round(&services, &pods, 1, PROMPTS);
    run(undisturbed.path(), &services, &["audit"]).ends(0);
    let folder = round(&services, &pods, 1, PROMPTS);
    for answers in [1, 3] {
        let before = finished(folder.path());
        let asked_before = asked(&pods, &hotkey(0)).len();
        let mut child = begun(folder.path(), &services, answers);
        child.kill().unwrap();
        child.wait().unwrap();
        let asked: Vec<String> = asked(&pods, &hotkey(0))[asked_before..].iter().map(|n| stem(*n)).collect();
        assert!(asked.iter().all(|stem| !before.contains(stem)), "{asked:?} after {before:?}");
    }
    let (before, asked_before) = (finished(folder.path()), asked(&pods, &hotkey(0)).len());
    run(folder.path(), &services, &["audit"]).ends(0);
    let asked: Vec<String> = asked(&pods, &hotkey(0))[asked_before..].iter().map(|n| stem(*n)).collect();
    assert!(asked.iter().all(|stem| !before.contains(stem)), "{asked:?} after {before:?}");
    assert_eq!(asked.len(), PROMPTS - before.len());
    let own = format!("rounds/0/{}", hotkey(0));
    for path in ["rounds/0/generation_audits.json", &format!("{own}/generated.json"), &format!("{own}/SHA256SUMS")] {
        let [this, that] = [&folder, &undisturbed].map(|folder| std::fs::read(folder.path().join(path)).unwrap());
        assert!(this == that, "{path}: other bytes");
    }
    no_pod_is_noted(folder.path());
}

#[test]
fn a_signal_ends_it_with_its_pods_released() {
    let (services, pods) = (services(), patient());
    let folder = round(&services, &pods, 1, 40);
    let mut child = begun(folder.path(), &services, 3);
    let killed = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    no_pod_is_noted(folder.path());
    let generated = read(folder.path(), &format!("rounds/0/{}/generated.json", hotkey(0)));
    assert!(generated.as_object().unwrap().len() >= 2, "what was made is saved");
}

#[test]
fn a_baseline_is_made_once_and_with_the_same_bytes() {
    let services = services();
    let pods = Fake::start(|_, line, body| match (line.starts_with("GET"), line.contains("/leader/")) {
        (true, _) => Reply::Body(Vec::new()),
        (false, true) if prompt_of(body) == 2 => Reply::Status(500, "", b"out of memory".to_vec()),
        (false, true) => model("x-generation-seconds: 7.25\r\n", "bird", prompt_of(body)),
        (false, false) => Reply::Status(404, "", Vec::new()),
    });
    let mut trees = Vec::new();
    for _ in 0..2 {
        let folder = round(&services, &pods, 0, 5);
        edit(folder.path(), "state.json", |text| text.replace("duels", "miner_generation"));
        let dry = run(folder.path(), &services, &["baseline", "--dry-run"]).ends(0);
        assert!(dry.out.contains("would make 5 outputs of the leader with image"), "{}", dry.out);
        run(folder.path(), &services, &["baseline"]).ends(0);
        let generated = read(folder.path(), "rounds/0/leader/generated.json");
        assert_eq!(generated[stem(0)]["generation_time"], 7.25);
        assert_eq!((&generated[stem(2)]["glb"], &generated[stem(2)]["attempts"]), (&Value::Null, &2.into()));
        let before = pods.count();
        let again = run(folder.path(), &services, &["baseline"]).ends(0);
        assert!(again.out.contains("1 without a model") && pods.count() == before, "{}", again.out);
        trees.push(tree(folder.path()));
        run(folder.path(), &services, &["baseline", "--retry"]).ends(0);
        assert_eq!(read(folder.path(), "rounds/0/leader/generated.json")[stem(2)]["attempts"], 4);
        assert_eq!(stage(folder.path()), "miner_generation");
    }
    assert!(trees[0] == trees[1], "other bytes in another run");
}

#[test]
fn at_the_wrong_time_nothing_happens() {
    let (services, pods) = (services(), patient());
    let folder = round(&services, &pods, 0, 2);
    let mut seen = Transcript::new(&[folder.path()]);
    seen.add(&["audit"], &run(folder.path(), &services, &["audit"]).ends(0));
    edit(folder.path(), "state.json", |text| text.replace("duels", "open"));
    seen.add(&["audit"], &run(folder.path(), &services, &["audit"]).ends(3));
    seen.add(&["baseline"], &run(folder.path(), &services, &["baseline"]).ends(3));
    seen.holds("audit_not_due");
    assert_eq!(pods.count(), 0);
}
