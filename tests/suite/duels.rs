//! `duel`: the same bytes whatever the judge and the process go through, and no call made twice.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::judge_server::{JudgeServer, Manners};
use crate::snapshots::Transcript;
use crate::support::make_competition::hotkey;
use crate::support::{
    command, edit, example, findings, gen404, git, installed, real_competition, set_rules, shared, skipped, tree,
};

/// The files of a tournament, by path.
type Files = std::collections::BTreeMap<PathBuf, Vec<u8>>;

/// The example competition with round 1 in duels and nothing played.
pub fn at_duels() -> tempfile::TempDir {
    let folder = example(false);
    unplay(folder.path(), 1);
    folder
}

/// Takes a round back to the beginning of its duels.
fn unplay(folder: &Path, round: u32) {
    let state = format!("{{\n  \"current_round\": {round},\n  \"stage\": \"duels\",\n  \"next_stage_eta\": null\n}}");
    std::fs::write(folder.join("state.json"), state).unwrap();
    let top = folder.join(format!("rounds/{round}"));
    for name in ["matches_matrix.csv", "require_audit.json", "generation_audits.json", "winner.json"] {
        let _ = std::fs::remove_file(top.join(name));
    }
    for path in tree(&top).into_keys().filter(|path| path.to_string_lossy().contains("/duels_")) {
        std::fs::remove_file(top.join(path)).unwrap();
    }
    // A few attempts, so that a dead judge is given up soon.
    std::fs::write(folder.join("gen404.toml"), "[judge]\nattempts = 3\ntimeout_seconds = 2\n").unwrap();
}

/// The leader is weak, and the later miners beat the earlier ones.
fn skills() -> Vec<(String, i64)> {
    let of = |name: &str, offset| (format!("/{}/", hotkey(name)), offset);
    vec![("/leader/".to_owned(), 3), of("quarry", 1), of("basalt", -1), of("pebble", 3)]
}

pub fn manners() -> Manners {
    Manners { skills: skills(), ..Manners::default() }
}

#[track_caller]
fn duel(folder: &Path, judge: &JudgeServer, flags: &[&str], code: i32) -> Files {
    gen404(folder, &[&["duel", "--judge-url", &judge.url], flags].concat()).ends(code);
    comparable(folder)
}

/// The files; how often a question was put until it was answered is not compared.
fn comparable(folder: &Path) -> Files {
    let mut files = tree(folder);
    for (_, bytes) in files.iter_mut().filter(|(path, _)| path.to_string_lossy().contains("/answers_")) {
        let text = std::str::from_utf8(bytes).unwrap();
        let put = |part: &str| part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let parts: Vec<_> = text.split("\"attempts\":").map(put).collect();
        *bytes = parts.join("\"attempts\":").into_bytes();
    }
    files
}

/// What an undisturbed run leaves behind.
fn undisturbed() -> Files {
    undisturbed_run().0.clone()
}

/// The files, and how many calls were made.
fn undisturbed_run() -> &'static (Files, usize) {
    static RUN: OnceLock<(Files, usize)> = OnceLock::new();
    RUN.get_or_init(|| {
        let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
        let files = duel(folder.path(), &judge, &[], 3);
        assert!(files.len() > tree(at_duels().path()).len() + 8, "reports, matrix and requests");
        let (distinct, all) = judge.seen.answers();
        assert_eq!(distinct, all, "a call was made twice");
        (files, distinct)
    })
}

fn answer_audits(folder: &Path, outcome: impl Fn(&str) -> &'static str) -> usize {
    let round = folder.join("rounds").join(round_of(folder));
    let asked: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(round.join("require_audit.json")).unwrap()).unwrap();
    let file = round.join("generation_audits.json");
    let mut audits: serde_json::Map<String, serde_json::Value> =
        std::fs::read(&file).map_or_else(|_| Default::default(), |bytes| serde_json::from_slice(&bytes).unwrap());
    let before = audits.len();
    for hotkey in asked.iter().map(|request| request["hotkey"].as_str().unwrap()) {
        audits.entry(hotkey).or_insert_with(|| {
            serde_json::json!({"hotkey": hotkey, "outcome": outcome(hotkey), "checked_prompts": 0, "failed_prompts": 0,
                "failed_critical": 0, "generation_time": null, "reason": ""})
        });
    }
    // In one step: a run may be looking.
    let temporary = file.with_extension("tmp");
    std::fs::write(&temporary, serde_json::to_string_pretty(&audits).unwrap()).unwrap();
    std::fs::rename(temporary, file).unwrap();
    audits.len() - before
}

fn round_of(folder: &Path) -> String {
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).unwrap()).unwrap();
    state["current_round"].to_string()
}

#[test]
fn any_number_of_calls_in_flight_gives_the_same_bytes() {
    let expected = undisturbed();
    for in_flight in ["1", "2", "7", "64"] {
        let judge = JudgeServer::start(Manners { latency: Duration::from_micros(500), ..manners() });
        let folder = at_duels();
        let found = duel(folder.path(), &judge, &["--judge-concurrency", in_flight], 3);
        assert_eq!(found, expected, "{in_flight} in flight");
        let most = judge.seen.max_in_flight.load(Ordering::SeqCst);
        assert!(most <= in_flight.parse::<usize>().unwrap(), "{most} in flight where {in_flight} are allowed");
        // Run again, it asks nothing and changes nothing.
        let asked = judge.seen.requests.load(Ordering::SeqCst);
        assert_eq!(duel(folder.path(), &judge, &[], 3), expected);
        assert_eq!(judge.seen.requests.load(Ordering::SeqCst), asked);
    }
}

#[test]
fn faults_leave_no_trace() {
    let kinds = ["429", "500", "garbage", "around", "truncated", "reasoning", "range", "reset"];
    let mut faults: Vec<_> = kinds.into_iter().zip([29, 31, 37, 41, 43, 47, 53, 59]).collect();
    faults.push(("hang", 311));
    let judge = JudgeServer::start(Manners { faults, ..manners() });
    let folder = at_duels();
    assert_eq!(duel(folder.path(), &judge, &[], 3), undisturbed());
    let faults = judge.seen.faults.load(Ordering::SeqCst);
    let (distinct, answers) = judge.seen.answers();
    assert!(faults > 30, "only {faults} faults");
    assert_eq!(answers, distinct, "an answered call was made again");
    assert_eq!(judge.seen.requests.load(Ordering::SeqCst), distinct + faults);
}

#[test]
fn a_judge_that_dies_is_said_and_the_next_run_goes_on() {
    let expected = undisturbed();
    for answers in [0, 60, 200] {
        let folder = at_duels();
        let settings = |old: &str, new: &str| edit(folder.path(), "gen404.toml", |text| text.replace(old, new));
        settings("attempts = 3", "attempts = 2");
        let dying = JudgeServer::start(Manners { dies_after: Some(answers), ..manners() });
        let run = gen404(folder.path(), &["duel", "--judge-url", &dying.url]).ends(4);
        assert!(run.err.contains("unfinished") && run.err.contains("hint: all answers so far are kept"), "{}", run.err);
        for (path, bytes) in tree(folder.path()) {
            if path.to_string_lossy().contains("/duels_") {
                assert_eq!(expected.get(&path), Some(&bytes), "{}", path.display());
            }
        }
        settings("attempts = 2", "attempts = 3");
        let alive = JudgeServer::start(manners());
        assert_eq!(duel(folder.path(), &alive, &[], 3), expected, "died after {answers}");
        let ((before, _), (after, _)) = (dying.seen.answers(), alive.seen.answers());
        assert_eq!(before + after, undisturbed_run().1, "an answered call was made again");
    }
}

#[test]
fn a_match_that_cannot_be_judged_holds_up_no_other() {
    let folder = at_duels();
    let refused = format!("/{}/", hotkey("mirage"));
    let strict = JudgeServer::start(Manners { refuses: Some(refused), ..manners() });
    let run = gen404(folder.path(), &["duel", "--judge-url", &strict.url]).ends(4);
    assert!(run.err.contains("judge refuses: 1 match unfinished") && run.err.contains("no such image"), "{}", run.err);
    let matrix = std::fs::read_to_string(folder.path().join("rounds/1/matches_matrix.csv")).unwrap();
    assert_eq!(matrix.lines().count(), 1 + 4, "the others are on record:\n{matrix}");
    assert!(!matrix.contains(hotkey("mirage").as_str()));
    let judge = JudgeServer::start(manners());
    assert_eq!(duel(folder.path(), &judge, &[], 3), undisturbed(), "its row stands where it belongs");
}

#[test]
#[cfg(unix)]
fn killed_at_any_moment_it_goes_on_where_it_was() {
    let expected = undisturbed();
    let folder = at_duels();
    let judge = JudgeServer::start(Manners { latency: Duration::from_millis(2), ..manners() });
    let mut kills = 0;
    let mut lot = 7_u64;
    loop {
        let mut run = command(folder.path());
        run.args(["duel", "--judge-url", &judge.url]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = run.spawn().unwrap();
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Later and later, so that it gets somewhere on a busy machine, too.
        std::thread::sleep(Duration::from_millis(20 + (lot >> 33) % 60 + kills as u64 * 3));
        if run.try_wait().unwrap().is_some() {
            break;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        kills += 1;
        assert!(kills < 200, "it makes no progress");
    }
    assert_eq!(duel(folder.path(), &judge, &[], 3), expected);
    let (distinct, answers) = judge.seen.answers();
    assert!(kills >= 3, "only {kills} kills");
    assert!(answers - distinct <= 16 * kills, "{} calls repeated after {kills} kills", answers - distinct);
}

#[test]
fn shards_together_do_what_one_run_does() {
    let expected = undisturbed();
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    let run = gen404(folder.path(), &["duel", "--judge-url", &judge.url, "--shard", "1/3"]).ends(3);
    assert!(run.out.contains("waits for other shards' matches"), "{}", run.out);
    for shard in ["0/3", "2/3", "1/3", "0/3", "2/3", "1/3", "0/3", "1/3", "2/3"] {
        duel(folder.path(), &judge, &["--shard", shard], 3);
    }
    assert_eq!(comparable(folder.path()), expected);
    let (distinct, answers) = judge.seen.answers();
    assert_eq!(distinct, answers);
}

#[test]
fn a_tournament_goes_to_its_end_through_rejections() {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    let mirage = hotkey("mirage").to_string();
    let basalt = hotkey("basalt").to_string();
    let mut rounds = 0;
    loop {
        let oracle = oracle(folder.path(), &skills());
        let run = gen404(folder.path(), &["duel", "--judge-url", &judge.url]);
        if let Some((said, files)) = oracle {
            agrees(folder.path(), &said, &files, &run.out);
        }
        if run.code == 0 {
            break;
        }
        run.ends(3);
        let first = rounds == 0;
        assert!(
            answer_audits(folder.path(), |hotkey| match hotkey {
                _ if hotkey == basalt => "rejected",
                _ if hotkey == mirage && !first => "rejected",
                _ => "passed",
            }) > 0
        );
        rounds += 1;
    }
    assert!(rounds >= 1, "no audit was asked for");
    let winner = std::fs::read_to_string(folder.path().join("rounds/1/winner.json")).unwrap();
    assert!(!winner.contains(&basalt), "{winner}");
    let again = gen404(folder.path(), &["duel"]).ends(0);
    assert!(again.out.contains("round 1 is already decided"), "{}", again.out);
    let about = ["match.", "audit.request", "audit.critical", "winner."];
    let mut findings = findings(folder.path(), &["--round", "1"]);
    findings.retain(|found| about.iter().any(|id| found.id.starts_with(id)));
    assert!(findings.iter().all(|found| found.status != "fail"), "{findings:#?}");
}

#[test]
fn a_failed_source_audit_restarts_without_the_miner() {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    duel(folder.path(), &judge, &[], 3);
    answer_audits(folder.path(), |_| "passed");
    let basalt = hotkey("basalt");
    let source = format!("[{{\"hotkey\": \"{basalt}\", \"verdict\": \"failed\", \"reason\": \"copied\"}}]");
    std::fs::write(folder.path().join("rounds/1/source_audit.json"), source).unwrap();
    let mut code = gen404(folder.path(), &["duel", "--judge-url", &judge.url]).code;
    while code == 3 {
        assert!(answer_audits(folder.path(), |_| "passed") > 0);
        code = gen404(folder.path(), &["duel", "--judge-url", &judge.url]).code;
    }
    assert_eq!(code, 0);
    let winner = std::fs::read_to_string(folder.path().join("rounds/1/winner.json")).unwrap();
    assert!(!winner.contains(basalt.as_str()), "{winner}");
}

#[test]
fn with_a_source_audit_required_it_waits_for_that() {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    set_rules(folder.path(), serde_json::json!({"require_source_audit": true}));
    duel(folder.path(), &judge, &[], 3);
    answer_audits(folder.path(), |_| "passed");
    let run = gen404(folder.path(), &["duel", "--judge-url", &judge.url]).ends(3);
    assert!(run.out.contains("waits for the source audit of"), "{}", run.out);
    let hint = "write rounds/1/source_audit.json: [{\"hotkey\": HOTKEY";
    assert!(run.out.contains(hint), "{} {}", run.out, run.err);
}

/// A clone without the reading that the winner rests on would not verify.
#[test]
fn a_reading_that_counts_is_committed_with_the_winner() {
    if installed("git").is_none() {
        return skipped("no git program");
    }
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    set_rules(folder.path(), serde_json::json!({"require_source_audit": true}));
    git(folder.path(), &["init", "-q", "-b", "main"]);
    for (key, value) in [("user.name", "a"), ("user.email", "a@b.c")] {
        git(folder.path(), &["config", key, value]);
    }
    git(folder.path(), &["add", "--", ".", ":!gen404.toml"]);
    git(folder.path(), &["commit", "-qm", "all"]);
    let submitted = std::fs::read(folder.path().join("rounds/1/submissions.json")).unwrap();
    let submitted: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&submitted).unwrap();
    let entry = |hotkey: &String| serde_json::json!({"hotkey": hotkey, "verdict": "passed", "reason": "read"});
    let read: Vec<_> = submitted.keys().map(entry).collect();
    let mut code = gen404(folder.path(), &["--commit", "duel", "--judge-url", &judge.url]).code;
    std::fs::write(folder.path().join("rounds/1/source_audit.json"), serde_json::to_vec(&read).unwrap()).unwrap();
    while code == 3 {
        assert!(answer_audits(folder.path(), |_| "passed") > 0);
        code = gen404(folder.path(), &["--commit", "duel", "--judge-url", &judge.url]).code;
    }
    assert_eq!(code, 0);
    let committed = git(folder.path(), &["show", "--name-only", "--format=", "HEAD"]);
    assert!(committed.contains("winner.json") && committed.contains("rounds/1/source_audit.json"), "{committed}");
}

#[test]
fn it_can_wait_for_the_audits() {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    let mut waiting = command(folder.path());
    waiting.args(["duel", "--judge-url", &judge.url, "--wait", "--poll", "1"]).stdout(Stdio::null());
    let mut waiting = waiting.stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..600 {
        let asked = folder.path().join("rounds/1/require_audit.json").exists();
        if asked {
            answer_audits(folder.path(), |_| "passed");
        }
        if waiting.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(waiting.wait().unwrap().success());
    assert!(folder.path().join("rounds/1/winner.json").exists());
}

#[test]
fn nobody_qualified_means_that_the_leader_held() {
    let (folder, judge) =
        (at_duels(), JudgeServer::start(Manners { skills: vec![("/leader/".to_owned(), -9)], ..manners() }));
    duel(folder.path(), &judge, &[], 0);
    let winner = std::fs::read_to_string(folder.path().join("rounds/1/winner.json")).unwrap();
    assert!(winner.starts_with("{\n  \"hotkey\": \"leader\",\n  \"winner_hotkey\": \"leader\","), "{winner}");
    assert!(!folder.path().join("rounds/1/require_audit.json").exists());
    let state = std::fs::read_to_string(folder.path().join("state.json")).unwrap();
    assert!(state.contains("finalizing"), "{state}");
}

#[test]
fn what_needs_no_judge_asks_none() {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    // Nobody but the leader has a preview, and ghost has nothing at all.
    for name in ["quarry", "mirage", "pebble", "basalt", "ghost"] {
        edit(folder.path(), &format!("rounds/1/{}/submitted.json", hotkey(name)), |text| {
            let lines = text.lines().map(|line| match line.split_once("\"png\":") {
                Some((before, _)) => format!("{before}\"png\": null,"),
                None => line.to_owned(),
            });
            if name == "ghost" { "{}".to_owned() } else { lines.collect::<Vec<_>>().join("\n") }
        });
    }
    duel(folder.path(), &judge, &[], 0);
    assert_eq!(judge.seen.requests.load(Ordering::SeqCst), 0);
    let matrix = std::fs::read_to_string(folder.path().join("rounds/1/matches_matrix.csv")).unwrap();
    assert!(matrix.ends_with(&format!("leader,{},-100.0", hotkey("ghost"))), "{matrix}");
    assert!(!folder.path().join(format!("rounds/1/{}/duels_leader.json", hotkey("ghost"))).exists());
    let report =
        std::fs::read_to_string(folder.path().join(format!("rounds/1/{}/duels_leader.json", hotkey("quarry"))));
    assert!(report.unwrap().contains("\"issues\": \"No preview for "));
}

#[test]
fn a_commit_names_the_matches_and_leaves_nothing_behind() {
    let folder = example(true);
    unplay(folder.path(), 1);
    let git = |args: &[&str]| {
        let run = Command::new("git").args(args).current_dir(folder.path()).output().unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "back to duels"]);
    let judge = JudgeServer::start(manners());
    // A run without --commit, or killed before it: the next commits its matches, too.
    let strict = JudgeServer::start(Manners { refuses: Some(format!("/{}/", hotkey("basalt"))), ..manners() });
    duel(folder.path(), &strict, &[], 4);
    let before = git(&["rev-list", "--count", "HEAD"]).trim().parse::<usize>().unwrap();
    duel(folder.path(), &judge, &["--commit"], 3);
    let log = git(&["log", &format!("-{}", commits(&git) - before), "--format=%B"]);
    assert!(log.contains(&format!("Match report: leader vs {}", hotkey("quarry").short())), "{log}");
    assert!(log.contains("Update matches matrix for round 1\nUpdate audit requests for round 1"), "{log}");
    assert_eq!(git(&["status", "--porcelain", "rounds", "state.json"]), "");
    while answer_audits(folder.path(), |_| "passed") > 0 {
        git(&["add", "rounds"]);
        git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "audits"]);
        gen404(folder.path(), &["duel", "--commit", "--judge-url", &judge.url]);
    }
    assert!(git(&["log", "-1", "--format=%B"]).contains("Round 1 winner: "), "{}", git(&["log", "-3", "--format=%B"]));
    assert_eq!(git(&["status", "--porcelain", "rounds", "state.json"]), "");
}

fn commits(git: &dyn Fn(&[&str]) -> String) -> usize {
    git(&["rev-list", "--count", "HEAD"]).trim().parse().unwrap()
}

#[test]
fn at_the_wrong_time_or_without_a_judge_nothing_is_asked() {
    let folder = example(false);
    gen404(folder.path(), &["duel"]).ends(3);
    let folder = at_duels();
    let before = tree(folder.path());
    let mut seen = Transcript::new(&[folder.path()]);
    seen.add(&["duel"], &gen404(folder.path(), &["duel"]).ends(2));
    seen.add(&["duel", "--dry-run"], &gen404(folder.path(), &["duel", "--dry-run"]).ends(0));
    assert_eq!(tree(folder.path()), before);
    let leader = folder.path().join("rounds/1/leader/generated.json");
    let mut made: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&std::fs::read(&leader).unwrap()).unwrap();
    let first = made.keys().next().unwrap().clone();
    made.remove(&first);
    std::fs::write(&leader, serde_json::to_string_pretty(&made).unwrap()).unwrap();
    seen.after("one of the leader's outputs is missing").add(&["duel"], &gen404(folder.path(), &["duel"]).ends(3));
    std::fs::remove_file(leader).unwrap();
    seen.after("all of them are missing").add(&["duel"], &gen404(folder.path(), &["duel"]).ends(3));
    std::fs::write(folder.path().join("rounds/1/matches_matrix.csv"), "left,right\n").unwrap();
    seen.after("the matrix is damaged").add(&["duel"], &gen404(folder.path(), &["duel"]).ends(1));
    seen.holds("duel_not_possible");
}

#[test]
fn images_of_a_folder_store_are_sent_along_and_told_apart_by_content() {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    let store = tempfile::tempdir().unwrap();
    let miners = ["quarry", "basalt"];
    // Two miners with the same files: the second one's match asks nothing.
    for name in ["quarry", "mirage", "pebble", "basalt", "ghost", "leader"] {
        let player = if name == "leader" { name.to_owned() } else { hotkey(name).to_string() };
        let (file, kind) = if name == "leader" { ("generated", "generated") } else { ("submitted", "submitted") };
        let path = format!("rounds/1/{player}/{file}.json");
        if !miners.contains(&name) && name != "leader" {
            std::fs::write(folder.path().join(&path), "{}").unwrap();
            continue;
        }
        edit(folder.path(), &path, |text| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            for (stem, output) in value.as_object_mut().unwrap() {
                let png = store.path().join(format!("{player}-{kind}-{stem}.png"));
                let owner = if name == "leader" { "leader" } else { "miner" };
                let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
                bytes.extend(format!("{owner} {stem}").bytes());
                std::fs::write(&png, bytes).unwrap();
                output["png"] = format!("file://{}", png.display()).into();
                output["glb"] = output["png"].clone();
            }
            serde_json::to_string_pretty(&value).unwrap()
        });
    }
    gen404(folder.path(), &["duel", "--judge-url", &judge.url]);
    let (distinct, answers) = judge.seen.answers();
    assert_eq!((distinct, answers), (48, 48), "24 prompts, each order once for both miners");
    let body = judge.seen.last_body.lock().unwrap().clone();
    let (prompt, first, _) = crate::judge_server::images(&body);
    assert!(prompt.starts_with("https://prompts.example.org/"), "{prompt}");
    assert!(first.starts_with("data:image/png;base64,iVBORw0KGg"), "{first}");
}

#[test]
fn one_duel_can_be_tried_alone() {
    let folder = tempfile::tempdir().unwrap();
    let judge = JudgeServer::start(manners());
    let png = folder.path().join("right.png");
    std::fs::write(&png, b"\x89PNG\r\n\x1a\nimage").unwrap();
    let args = ["judge", "https://x.org/p.png", "https://x.org/leader/l.png", "right.png", "--seed", "7"];
    let mut run = command(folder.path());
    run.args(args).env("OPENAI_BASE_URL", &judge.url).env("OPENAI_API_KEY", "hunter2").args(["-v", "--model", "m"]);
    let run = run.output().unwrap();
    let (out, err) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(run.status.success() && out.contains("left first:  {\"penalty_1\":"), "{out}{err}");
    assert!(out.contains("winner: ") && !format!("{out}{err}").contains("hunter2"), "{out}{err}");
    assert_eq!(
        judge.seen.authorization.lock().unwrap().as_deref().map(str::to_lowercase),
        Some("authorization: bearer hunter2".to_owned())
    );
    let body = judge.seen.last_body.lock().unwrap().clone();
    assert_eq!((&body["seed"], &body["model"], &body["temperature"]), (&7.into(), &"m".into(), &0.0.into()));
    let schema = &body["response_format"]["json_schema"]["schema"]["properties"]["penalty_2"];
    assert_eq!((&schema["minimum"], &schema["maximum"]), (&0.into(), &10.into()));
    let own = folder.path().join("question.toml");
    std::fs::write(&own, "system = 'S '\nprompt = 'P'\nfirst = 'A'\nsecond = 'B'\ntask = 'T'\n").unwrap();
    gen404(folder.path(), &[&args[..], &["--judge-url", &judge.url, "--question", "question.toml", "--json"]].concat())
        .ends(0);
    let body = judge.seen.last_body.lock().unwrap().clone();
    assert_eq!(body["messages"][0]["content"], "S ");
    assert_eq!(body["messages"][1]["content"][6]["text"], "T");
    let down = JudgeServer::start(Manners { refuses: Some("x.org".to_owned()), ..manners() });
    gen404(folder.path(), &[&args[..], &["--judge-url", &down.url]].concat()).ends(4);
}

#[test]
fn the_real_rounds_come_out_as_the_rules_have_them() {
    let Some(folder) = real_competition() else { return };
    let judge = JudgeServer::start(Manners { skills: vec![("/leader/".to_owned(), 1)], ..manners() });
    let skills = vec![("/leader/".to_owned(), 1)];
    for (round, kept) in [(0, 9), (1, 4), (2, 0)] {
        let matrix = folder.path().join(format!("rounds/{round}/matches_matrix.csv"));
        let rows = std::fs::read_to_string(&matrix).unwrap();
        let audits = folder.path().join(format!("rounds/{round}/generation_audits.json"));
        let verdicts = std::fs::read(&audits).unwrap();
        if kept == 0 {
            unplay(folder.path(), round);
            std::fs::write(&audits, verdicts).unwrap();
        } else {
            // Every so many rows are gone, in the middle; the rest is as it was judged then.
            let left = rows.lines().enumerate().filter(|(at, _)| *at == 0 || at % kept != 3).map(|(_, line)| line);
            let left = left.collect::<Vec<_>>().join("\n");
            let reports = tree(folder.path());
            unplay(folder.path(), round);
            std::fs::write(&matrix, left).unwrap();
            std::fs::write(&audits, verdicts).unwrap();
            for (path, bytes) in reports.iter().filter(|(path, _)| path.to_string_lossy().contains("/duels_")) {
                std::fs::write(folder.path().join(path), bytes).unwrap();
            }
        }
        let Some((said, files)) = oracle(folder.path(), &skills) else { return };
        let run = gen404(folder.path(), &["duel", "--judge-url", &judge.url, "--judge-concurrency", "32"]);
        assert_eq!(run.code, if said.starts_with("winner") { 0 } else { 3 }, "{}{}", run.out, run.err);
        agrees(folder.path(), &said, &files, &run.out);
    }
}

/// The shared test endpoint, with its own faults and its own count.
#[test]
fn the_shared_endpoint_counts_no_call_twice() {
    let Some(script) = shared("tools/fake_vlm.py") else { return };
    let faults = "429:61,500:41,garbage:43,truncated:47,range:53,reset:59,hang:331";
    let started = Command::new("python3")
        .arg(script)
        .args(["--latency", "0.002", "--faults", faults, "--skill", "/leader/=3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut fake) = started else { return skipped("no python3") };
    let mut url = String::new();
    let mut out = std::io::BufReader::new(fake.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut url).unwrap();
    let folder = at_duels();
    let run = gen404(folder.path(), &["duel", "--judge-url", url.trim()]);
    let stats = gen404::world::http::Client::new(Default::default(), gen404::world::http::Retry::ONCE)
        .send(&gen404::world::http::Request::get(url.trim().replace("/v1", "/stats")));
    fake.kill().unwrap();
    fake.wait().unwrap();
    run.ends(3);
    let stats: serde_json::Value = serde_json::from_slice(&stats.unwrap().into_bytes()).unwrap();
    let count = |key: &str| stats[key].as_u64().unwrap();
    assert!(count("faults") > 20, "{stats}");
    assert_eq!(count("distinct"), count("requests") - count("faults"), "{stats}");
}

/// What the rules have one run of `duel` leave behind, by a program that shares nothing with ours;
/// `None` where there is no Python.
fn oracle(folder: &Path, skills: &[(String, i64)]) -> Option<(String, Files)> {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/duel_oracle.py")).arg(folder).arg(out.path());
    for (text, offset) in skills {
        command.arg("--skill").arg(format!("{text}={offset}"));
    }
    match command.output() {
        Err(_) => {
            skipped("no python3 for the oracle");
            None
        }
        Ok(run) => {
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            Some((String::from_utf8(run.stdout).unwrap().trim().to_owned(), tree(out.path())))
        }
    }
}

#[track_caller]
fn agrees(folder: &Path, said: &str, files: &Files, out: &str) {
    for (path, expected) in files {
        let found = std::fs::read(folder.join(path)).unwrap_or_default();
        assert!(found == *expected, "{}: {}", path.display(), String::from_utf8_lossy(&found));
    }
    for hotkey in said.split(' ').skip(1) {
        assert!(out.contains(hotkey), "{said}, but:\n{out}");
    }
}
