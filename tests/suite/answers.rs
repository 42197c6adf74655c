//! Answers that are true wherever they are asked: who leads without a chain, what can only wait, whose shard a
//! stranger is, a pool that no round could use, what the deployed services write, what `verify` shows last.

use serde_json::{Value, json};

use crate::cdn::{Cdn, Serve, triangle_glb};
use crate::chain_support::Competition;
use crate::round::{download, hotkey, round, stem, submitted};
use crate::support::make_competition::hotkey as named;
use crate::support::{edit, example, example_before_end, findings, gen404};

/// Everything that a run said, without a name of a Rust type in it.
#[track_caller]
fn plain(said: &str) {
    for name in ["PromptStem", "Some(", "None", "struct ", "Settings", "Missing", "Broken"] {
        assert!(!said.contains(name), "{name:?} in: {said}");
    }
}

fn entry(value: &Value) -> (Option<f64>, Option<u64>) {
    (value["weight"].as_f64(), value["effective_block"].as_u64())
}

#[test]
fn without_a_block_nobody_is_said_to_lead() {
    let folder = example(false);
    let said = gen404(folder.path(), &["leader", "--json"]).ends(2).details();
    assert_eq!(
        (&said["block"], &said["leader"], &said["weights"]),
        (&Value::Null, &Value::Null, &Value::Null),
        "{said}"
    );
    assert_eq!(entry(&said["newest_entry"]), (Some(0.95), Some(714_400)));
    assert_eq!(entry(&said["entry_before"]), (Some(1.0), Some(707_200)));
    let run = gen404(folder.path(), &["leader"]).ends(2);
    let basalt = named("basalt");
    assert!(run.out.starts_with("block unknown, so the leader is unknown, too: name a chain"), "{}", run.out);
    assert!(
        run.out.contains(&format!("newest entry of leader.json: {basalt}, in force from block 714400 on")),
        "{}",
        run.out
    );
    assert!(run.out.contains(&format!("entry before it: {basalt}, in force from block 707200 on")), "{}", run.out);
    let status = gen404(folder.path(), &["status", "--json"]).ends(0).details();
    assert_eq!((&status["leader"], &status["newest_entry"]["weight"]), (&Value::Null, &json!(0.95)), "{status}");
    let status = gen404(folder.path(), &["status"]).ends(0);
    assert!(
        status.out.contains("newest entry of leader.json: ") && !status.out.contains("\nleader: "),
        "{}",
        status.out
    );

    // A flag or the operator's settings tell the block.
    let at = gen404(folder.path(), &["leader", "--json", "--block", "710000"]).ends(0).details();
    assert_eq!(
        (entry(&at["leader"]), entry(&at["newest_entry"])),
        ((Some(1.0), Some(707_200)), (Some(0.95), Some(714_400)))
    );
    std::fs::write(folder.path().join("chain.json"), r#"{"current_block": 710001}"#).unwrap();
    let at = gen404(folder.path(), &["leader", "--chain-file", "chain.json"]).ends(0);
    assert!(at.out.starts_with("block 710001\nleader: ") && at.out.contains("\nnext: "), "{}", at.out);
    std::fs::write(folder.path().join("gen404.toml"), "[chain]\nfile = \"chain.json\"\n").unwrap();
    assert_eq!(gen404(folder.path(), &["leader", "--json"]).ends(0).details()["block"], 710_001);
    std::fs::write(folder.path().join("gen404.toml"), "[chain]\nnetwork = \"http://127.0.0.1:1\"\nattempts = 1\n")
        .unwrap();
    // Whoever sets weights by it must not take that for an answer.
    let dead = gen404(folder.path(), &["leader"]).ends(4);
    assert!(dead.err.contains("warning: ") && dead.out.contains("the chain cannot be read"), "{dead:?}");
    assert!(!dead.err.contains("asking"), "on this machine that takes no time: {}", dead.err);
    std::fs::write(folder.path().join("gen404.toml"), "[chain]\nattempts = 1\ntimeout_seconds = 1\n").unwrap();
    let far = gen404(folder.path(), &["leader", "--network", "https://chain.invalid"]).ends(4);
    assert!(far.err.contains("asking https://chain.invalid for its newest block ..."), "{}", far.err);
    assert!(far.out.contains("the chain cannot be read"), "{}", far.out);
    // Before the first leader: that is known, and may change by itself.
    let early = gen404(folder.path(), &["leader", "--json", "--block", "5"]).ends(3);
    assert_eq!((&early.details()["leader"], &early.details()["weights"]), (&Value::Null, &Value::Null));
    let early = gen404(folder.path(), &["leader", "--block", "5"]).ends(3);
    assert!(
        early.out.contains("nobody leads at block 5: the first entry is in force from block 700000 on"),
        "{early:?}"
    );
}

#[test]
fn the_report_says_who_leads_only_where_it_knows_the_block() {
    let folder = example(false);
    let index = |flags: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let place = ["--out", out.path().to_str().unwrap()];
        gen404(folder.path(), &[&["report", "--json"], &place[..], flags].concat()).ends(0);
        let data: Value = serde_json::from_slice(&std::fs::read(out.path().join("report.json")).unwrap()).unwrap();
        let page = std::fs::read_to_string(out.path().join("index.html")).unwrap();
        (page.replace("<span class=\"nobr\">", ""), data["competition"]["leader"].clone())
    };
    let (page, leader) = index(&[]);
    assert!(
        page.contains("Newest entry of leader.json, in force from block 714 400 on")
            || page.contains("Newest entry of leader.json, in force from block"),
        "{page}"
    );
    assert!(page.contains("Entry before it, in force from block") && leader == Value::Null);
    let (page, leader) = index(&["--block", "710000"]);
    assert!(page.contains("Leader, in force from block") && page.contains("Next, in force from block"), "{page}");
    assert_eq!(leader["weight"], "1");
}

#[test]
fn finalize_says_who_comes_next_and_who_leads_until_then() {
    let folder = example_before_end(1, false);
    let run = gen404(folder.path(), &["finalize", "--block", "707300", "--now", "2026-03-03T08:20:00Z"]).ends(0);
    let basalt = named("basalt");
    let next = format!("{basalt} comes next with weight 0.95, in force from block ");
    assert!(run.out.contains(&next), "{}", run.out);
    assert!(run.out.contains(&format!("until then {basalt} leads with weight 1")), "{}", run.out);
}

#[test]
fn a_pool_that_no_round_could_use_is_found_before_anything_is_drawn() {
    let competition = Competition::open(100, 200);
    competition.write("chain.json", &json!({"current_block": 150, "block_times": {"150": 1_772_352_000}}).to_string());
    let good = competition.read("prompts.txt");
    competition.write("prompts.txt", &good.replacen("/3.png", "/a%20b.png", 1).replacen("/7.png", "/caf\u{e9}.png", 1));
    let before = competition.files();
    let lines = ["2 of 50 lines cannot be used", "line 4: ", "\"a%20b\" contains '%'", "line 8: "];
    for command in ["open", "reveal-seed"] {
        let run = competition.expect(1, &[command, "--chain-file", "chain.json"]);
        assert!(run.err.contains("prompts.txt: ") && lines.iter().all(|line| run.err.contains(line)), "{}", run.err);
        plain(&run.err);
    }
    let status = competition.expect(0, &["status", "--json"]).details();
    assert!(status["open"].to_string().contains("prompts.txt: 2 of 50 lines"), "{status}");
    competition.write("gen404.toml", "[chain]\nfile = \"chain.json\"\n");
    let run = competition.expect(1, &["advance"]);
    assert!(run.err.contains("prompts.txt: 2 of 50 lines cannot be used"), "{}", run.err);
    std::fs::remove_file(competition.path().join("gen404.toml")).unwrap();
    assert!(competition.files() == before, "something was written");
    // Lines that are no prompts at all are counted with the others.
    competition.write("prompts.txt", &good.replace("https:", "gopher:"));
    let run = competition.expect(1, &["open", "--chain-file", "chain.json"]);
    assert!(run.err.contains("50 of 50 lines") && run.err.contains("; and 47 more"), "{}", run.err);

    std::fs::write(competition.path().join("pool.txt"), "https://p.example/a.png\n\nhttps://p.example/b(1).png\n")
        .unwrap();
    let hotkey = hotkey(1);
    let args = "init new --name x --first-day 2026-05-01 --last-day 2026-09-30 --pool pool.txt --leader-repo a/b \
                --leader-docker i:t --block 1000 --now 2026-04-30T20:00:00Z --leader-commit \
                28900bbb82c04f210eda8907713f57b9f6792992 --leader-hotkey";
    let args: Vec<&str> = args.split_whitespace().chain([hotkey.as_str()]).collect();
    let run = gen404(competition.path(), &args).ends(1);
    assert!(run.err.contains("pool.txt: 2 of 3 lines cannot be used: line 2: an empty line; line 3: "), "{}", run.err);
    plain(&run.err);
    assert!(!competition.path().join("new").exists());
}

/// A chain file in which miner 1 has revealed these payloads, block and text.
fn revealed(competition: &Competition, payloads: &[(u64, Value)]) {
    let reveal = |(block, text): &(u64, Value)| json!({"block": block, "text": text.to_string()});
    let payloads: Vec<Value> = payloads.iter().map(reveal).collect();
    let chain = json!({"current_block": 150, "commitments": {hotkey(1): payloads}});
    competition.write("chain.json", &chain.to_string());
}

fn payload(cdn_url: &str) -> Value {
    json!({"repo": "a/b", "commit": "0a".repeat(20), "cdn_url": cdn_url})
}

#[test]
fn an_early_record_is_made_where_it_is_asked_for_and_says_what_its_push_starts() {
    let competition = Competition::open(100, 200);
    revealed(&competition, &[(110, payload("https://cdn.example.com"))]);
    competition.write("gen404.toml", "[chain]\nfile = \"chain.json\"\n");
    let submissions = competition.path().join("rounds/0/submissions.json");
    let run = competition.expect(0, &["advance"]);
    assert!(
        run.out.is_empty() && run.err.starts_with("nothing done: round 0 is open; ") && !submissions.exists(),
        "{run:?}"
    );
    let dry = competition.expect(0, &["open", "--dry-run"]);
    let says = "pushing rounds/0/submissions.json starts 1 image build if";
    assert!(dry.out.contains(says), "{}", dry.out);
    competition.write("gen404.toml", "[chain]\nfile = \"chain.json\"\n\n[open]\nearly = true\n");
    assert!(competition.expect(0, &["advance"]).out.starts_with("open: round 0: 1 submission, "));
    assert!(submissions.exists());
    let again = competition.expect(0, &["open"]);
    assert!(!again.out.contains("pushing rounds"), "nothing was written: {}", again.out);
}

#[test]
fn a_later_empty_value_is_none() {
    let competition = Competition::open(100, 200);
    let empty = json!({"repo": "", "commit": null, "cdn_url": ""});
    revealed(&competition, &[(110, payload("https://cdn.example.com/")), (120, empty)]);
    let run = competition.expect(0, &["open", "--chain-file", "chain.json", "-v"]);
    assert!(run.out.contains("1 submission, 0 refused") && !run.err.contains("is not a string"), "{run:?}");
    let found: Value = serde_json::from_str(&competition.read("rounds/0/submissions.json")).unwrap();
    let own = &found[hotkey(1)];
    assert_eq!((&own["cdn_url"], &own["revealed_at_block"]), (&json!("https://cdn.example.com"), &json!(110)));
}

#[test]
fn a_bare_host_is_taken_as_the_deployed_services_write_it() {
    let cdn = Cdn::start(|path, _| Serve::File(triangle_glb(path)));
    let folder = round(&[format!("{}/", cdn.url())], 2);
    download(folder.path(), &[]).ends(0);
    assert_ne!(submitted(folder.path(), 0)[stem(0)]["glb"], Value::Null);
    let wrong = |folder: &std::path::Path| {
        findings(folder, &[]).into_iter().filter(|found| found.id == "submissions.rules").count()
    };
    assert_eq!(wrong(folder.path()), 0);
    edit(folder.path(), "rounds/0/submissions.json", |text| {
        text.replace(&format!("{}/", cdn.url()), &format!("{}/r/", cdn.url()))
    });
    assert_eq!(wrong(folder.path()), 1, "with a path, the slash at the end is a mistake");
}

/// The example's round 1 in duels, with what was played and no audit answered.
fn waiting() -> tempfile::TempDir {
    let folder = example(false);
    edit(folder.path(), "state.json", |text| text.replace("\"open\"", "\"duels\"").replace(": 2", ": 1"));
    for name in ["winner.json", "generation_audits.json", "source_audit.json"] {
        let _ = std::fs::remove_file(folder.path().join("rounds/1").join(name));
    }
    folder
}

fn said(folder: &std::path::Path, start: &str) -> Vec<String> {
    let status = gen404(folder, &["status"]).ends(0);
    status.out.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

#[test]
fn what_can_only_wait_is_not_due_and_no_wait_is_told_twice() {
    let folder = waiting();
    let requests: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder.path().join("rounds/1/require_audit.json")).unwrap()).unwrap();
    let status = gen404(folder.path(), &["status"]).ends(0).out;
    assert!(!status.contains("due now: gen404 duel") && status.contains("due now: gen404 audit (answer "), "{status}");
    assert!(status.contains("waits: gen404 duel (for the audit of "), "{status}");
    assert!(said(folder.path(), "outstanding: ").iter().all(|line| !line.contains("audit")), "{status}");
    for request in &requests {
        let hotkey = request["hotkey"].as_str().unwrap();
        let times = status.matches(&format!("audit of {hotkey}")).count();
        assert!(times <= 1 && status.contains(hotkey), "{hotkey} {times} times: {status}");
    }
    let due = gen404(folder.path(), &["status", "--json"]).ends(0).details()["due"].clone();
    let when: Vec<_> =
        due.as_array().unwrap().iter().map(|due| (due["command"].clone(), due["when"].clone())).collect();
    assert!(when.contains(&(json!("duel"), json!("waits"))), "{due}");
    let refused = gen404(folder.path(), &["finalize", "--block", "1", "--now", "2026-03-04T08:00:00Z"]).ends(3);
    assert!(refused.out.contains("`gen404 duel` waits (for the audit of "), "{}", refused.out);

    // A request whose image is not built can only wait, too.
    edit(folder.path(), "rounds/1/builds.json", |text| {
        let mut builds: Value = serde_json::from_str(text).unwrap();
        for build in builds.as_object_mut().unwrap().values_mut() {
            (build["status"], build["docker_image"]) = ("pending".into(), Value::Null);
        }
        serde_json::to_string_pretty(&builds).unwrap()
    });
    assert_eq!(said(folder.path(), "due now: "), Vec::<String>::new());
    assert!(said(folder.path(), "waits: gen404 audit (the build of ").len() == 1);
    assert_eq!(said(folder.path(), "possible: gen404 builds").len(), 1);

    // A match is open: it can be played.
    let folder = waiting();
    edit(folder.path(), "rounds/1/matches_matrix.csv", |text| text.rsplit_once('\n').unwrap().0.to_owned());
    assert_eq!(said(folder.path(), "due now: gen404 duel").len(), 1);

    // Without the leader's outputs nothing can.
    std::fs::remove_file(folder.path().join("rounds/1/leader/generated.json")).unwrap();
    assert_eq!(said(folder.path(), "waits: gen404 duel"), ["waits: gen404 duel (for the leader's baseline)"]);
    assert!(said(folder.path(), "outstanding: ").iter().all(|line| !line.contains("baseline")));
}

#[test]
fn builds_that_are_settled_are_not_offered() {
    let folder = waiting();
    edit(folder.path(), "state.json", |text| text.replace("duels", "miner_generation"));
    assert_eq!(said(folder.path(), "possible: "), Vec::<String>::new(), "all is built, and the baseline is there");
    std::fs::remove_file(folder.path().join("rounds/1/builds.json")).unwrap();
    assert_eq!(said(folder.path(), "possible: gen404 builds").len(), 1);
}

#[test]
fn a_miner_that_did_not_submit_is_in_one_shard() {
    let folder = waiting();
    let stranger = hotkey(200);
    edit(folder.path(), "rounds/1/require_audit.json", |text| {
        let mut requests: Vec<Value> = serde_json::from_str(text).unwrap();
        requests.push(json!({"hotkey": stranger, "critical_prompts": []}));
        serde_json::to_string_pretty(&requests).unwrap()
    });
    let named = |shard: &str| {
        let run = gen404(folder.path(), &["audit", "--dry-run", "--shard", shard]);
        (run.code, run.err.contains(&stranger))
    };
    assert_eq!(["0/3", "1/3", "2/3"].map(named), [(1, true), (0, false), (0, false)]);
}

#[test]
fn verify_ends_with_what_fails_and_quietly_says_nothing_else() {
    let folder = example(false);
    edit(folder.path(), "rounds/1/winner.json", |text| text.replacen("registry", "elsewhere", 2));
    edit(folder.path(), "rounds/0/seed.json", |text| text.split(',').next().unwrap().to_owned() + "}");
    edit(folder.path(), "rounds/0/require_audit.json", |text| {
        let mut requests: Value = serde_json::from_str(text).unwrap();
        requests[0]["critical_prompts"] = json!(["x"]);
        serde_json::to_string_pretty(&requests).unwrap()
    });
    let run = gen404(folder.path(), &["verify"]).ends(1);
    let lines: Vec<&str> = run.out.lines().collect();
    let (format, lines) = lines.split_first().unwrap();
    assert!(format.starts_with("format: mesh ("), "{}", run.out);
    let (summary, told) = lines.split_last().unwrap();
    assert!(summary.starts_with("not every claim holds: "), "{}", run.out);
    let order: Vec<&str> = told.iter().map(|line| &line[..4]).collect();
    let rank = |word: &&str| ["skip", "warn", "fail"].iter().position(|known| known == word);
    assert!(order.is_sorted_by_key(rank) && order.contains(&"fail") && order.contains(&"warn"), "{}", run.out);
    let quiet = gen404(folder.path(), &["verify", "-q"]).ends(1);
    let fails: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("fail") || line == summary).collect();
    assert_eq!(quiet.out.lines().collect::<Vec<_>>(), fails);
}

#[test]
fn figures_of_pods_that_contradict_each_other_fail() {
    let folder = example(false);
    let miner = named("basalt");
    let path = format!("rounds/1/{miner}/pod_stats.json");
    let figures = json!({
        "pod_id": "pod-1", "processed": 9, "successful": 8, "hard_failed": 1, "hard_overtime": 2, "time_min": 10.0,
        "time_max": 190.5, "time_avg": 60.25, "time_median": 42.0, "marked_bad": false, "retry_cumulative_delta": -3.5,
        "retry_delta_count": 1, "termination_reason": "completed",
    });
    let wrong = |pod: &str, change: &[(&str, Value)]| {
        let mut figures = figures.clone();
        change.iter().for_each(|(key, value)| figures[*key] = value.clone());
        std::fs::write(folder.path().join(&path), serde_json::to_string_pretty(&json!({ pod: figures })).unwrap())
            .unwrap();
        let found = findings(folder.path(), &[]).into_iter().filter(|found| found.subject == path);
        found.map(|found| format!("{} {}", found.status, found.detail)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(wrong("pod-1", &[]), "");
    assert_eq!(wrong("pod-2", &[]), "fail pod-2: pod_id is \"pod-1\", expected \"pod-2\"");
    assert_eq!(wrong("pod-1", &[("processed", json!(8))]), "fail pod-1: 8 successful and 1 hard_failed of 8 processed");
    assert_eq!(wrong("pod-1", &[("hard_overtime", json!(10))]), "fail pod-1: 10 hard_overtime of 9 processed");
    assert_eq!(
        wrong("pod-1", &[("time_avg", json!(9.0))]),
        "fail pod-1: time_avg is 9, but times range from 10 to 190.5"
    );
    assert!(wrong("pod-1", &[("processed", json!("9"))]).contains("found \"9\""));
}
