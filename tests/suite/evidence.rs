//! The judge's answers beside each report: written with it, whole after a kill, and every lie about them found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use gen404::model::answers::Digest;
use gen404::model::file::FileKind;
use gen404::world::git::Git;
use serde_json::{Value, json};

use crate::duels::at_duels;
use crate::judge_server::{JudgeServer, Manners};
use crate::support::make_competition::hotkey;
use crate::support::{Found, copy, edit, findings, gen404, tree};

const MODEL: &str = "served/judge-2";

fn manners() -> Manners {
    let of = |name: &str, offset| (format!("/{}/", hotkey(name)), offset);
    let skills = vec![("/leader/".to_owned(), 3), of("quarry", 1), of("basalt", -1), of("pebble", 3)];
    Manners { skills, model: Some(MODEL), tokens: Some(1280), ..Manners::default() }
}

/// The miner whose previews have sums on record.
pub fn summed() -> String {
    hotkey("basalt").to_string()
}

/// `SHA256SUMS` for a miner's submitted previews.
fn sums(folder: &Path, miner: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join(format!("rounds/1/{miner}/submitted.json"))).unwrap();
    let outputs: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let stored = outputs.iter().filter_map(|(_, output)| output["png"].as_str());
    stored
        .map(|url| {
            (url.rsplit_once(&format!("/{miner}/")).unwrap().1.to_owned(), Digest::of(url.as_bytes()).to_string())
        })
        .collect()
}

/// Round 1 of the example, played up to its audits.
pub fn played() -> tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
        let lines: Vec<_> = sums(folder.path(), &summed()).iter().map(|(path, sum)| format!("{sum}  {path}")).collect();
        std::fs::write(folder.path().join(format!("rounds/1/{}/SHA256SUMS", summed())), lines.join("\n")).unwrap();
        gen404(folder.path(), &["duel", "--judge-url", &judge.url]).ends(3);
        folder
    });
    let folder = tempfile::tempdir().unwrap();
    copy(made.path(), folder.path());
    folder
}

/// What is found about matches and their evidence: the rest of the example is in another round's state.
pub fn about(folder: &Path, flags: &[&str]) -> Vec<Found> {
    let mut found = findings(folder, flags);
    found.retain(|found| {
        let id = found.id.as_str();
        let of_match = ["answers_", "duels_", "question.toml"].iter().any(|name| found.subject.contains(name));
        id.starts_with("duel.") || id.starts_with("judge.") || of_match
    });
    found
}

/// The answers of the match of the miner with sums against the leader.
pub fn answers() -> String {
    format!("rounds/1/{}/answers_leader.jsonl", summed())
}

fn report() -> String {
    format!("rounds/1/{}/duels_leader.json", summed())
}

pub fn lines(folder: &Path, path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(path)).unwrap();
    assert!(text.ends_with("}\n"), "each line ends");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json_of(folder: &Path, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(path)).unwrap()).unwrap()
}

#[test]
fn every_report_has_the_answers_that_it_follows_from() {
    let folder = played();
    let files = tree(folder.path());
    let named = |name: &str| {
        let all = files.keys().map(|path| path.to_str().unwrap().to_owned());
        all.filter(|path| path.starts_with("rounds/1/") && path.contains(name)).collect::<Vec<_>>()
    };
    let reports = named("/duels_");
    assert!(reports.len() >= 8, "{reports:?}");
    let beside: Vec<_> = reports.iter().map(|path| path.replace("/duels_", "/answers_") + "l").collect();
    assert_eq!(beside, named("/answers_"));
    let question = Digest::of(&std::fs::read(folder.path().join("rounds/1/question.toml")).unwrap()).to_string();
    let (mut judged, mut unjudged) = (0, 0);
    for (report, answers) in reports.iter().zip(&beside) {
        let (report, lines) = (json_of(folder.path(), report), lines(folder.path(), answers));
        assert_eq!(report["duels"].as_array().unwrap().len(), lines.len());
        for (duel, line) in report["duels"].as_array().unwrap().iter().zip(&lines) {
            assert_eq!(duel["name"], line["name"]);
            if let Some(why) = line.get("without_judge") {
                assert_eq!((why, line.as_object().unwrap().len()), (&duel["issues"], 2));
                unjudged += 1;
                continue;
            }
            judged += 1;
            assert_eq!((&line["model"], &line["question"]), (&json!(MODEL), &json!(question)));
            let [left, right] = [&line["left_first"], &line["right_first"]];
            assert_eq!(left["issues"], duel["issues"]);
            assert_eq!((&left["penalty_1"], &left["penalty_2"]), (&right["penalty_2"], &right["penalty_1"]));
            for given in [left, right] {
                let told = ["attempts", "prompt_tokens", "completion_tokens"].map(|key| given[key].as_u64());
                assert_eq!(told, [Some(1), Some(960), Some(320)]);
            }
        }
    }
    assert!(judged > 100 && unjudged > 10, "{judged} and {unjudged}");
    assert_eq!(about(folder.path(), &[]), []);
    let all = gen404(folder.path(), &["verify", "--json"]).details();
    let of = |id: &str| all["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id).count();
    assert_eq!((of("duel.answers"), of("judge.question")), (reports.len(), 1));
}

#[test]
fn digests_are_those_on_record_and_of_what_was_sent_itself() {
    let folder = played();
    let known = sums(folder.path(), &summed());
    let of = |line: &Value| known.get(&format!("submitted/{}.png", line["name"].as_str().unwrap())).cloned();
    let lines = lines(folder.path(), &answers());
    let judged: Vec<_> = lines.iter().filter(|line| line.get("images").is_some()).collect();
    assert!(!judged.is_empty());
    for line in judged {
        assert_eq!(line["images"], json!({"prompt": null, "left": null, "right": of(line).unwrap()}));
    }
}

/// Each lie with the status, the check and the words by which it is found.
#[test]
fn every_lie_about_the_answers_is_found() {
    let folder = played();
    let (answers, report, question) = (answers(), report(), "rounds/1/question.toml".to_owned());
    let text = std::fs::read_to_string(folder.path().join(&answers)).unwrap();
    let line = text.lines().find(|line| line.contains("left_first")).unwrap().to_owned();
    let none = text.lines().find(|line| line.contains("without_judge")).unwrap().to_owned();
    let with = |old: &str, new: &str| text.replacen(&line, &line.replacen(old, new, 1), 1);
    let value: Value = serde_json::from_str(&line).unwrap();
    let (name, sum) = (value["name"].as_str().unwrap(), value["images"]["right"].as_str().unwrap());
    let (digest, other) = (value["question"].as_str().unwrap(), "ab".repeat(32));
    // Each left model is as bad as can be: some winner is another one.
    let worst = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if let Some(given) = line.get_mut("left_first") {
            given["penalty_1"] = json!(10);
        }
        line.to_string() + "\n"
    };
    let worst: String = text.lines().map(worst).collect();
    let reversed: Vec<&str> = text.lines().rev().collect();
    let cases: Vec<(String, String, &str, &str, &str)> = vec![
        (
            answers.clone(),
            with("\"issues\":\"", "\"issues\":\"not "),
            "fail",
            "duel.answers",
            "but the judge said \"not ",
        ),
        (answers.clone(), with(sum, &other), "fail", "duel.answers", "but SHA256SUMS has"),
        (answers.clone(), with(&format!("\"{sum}\""), "null"), "warn", "duel.answers", "1 preview in SHA256SUMS"),
        (
            answers.clone(),
            text.replacen(&format!("{line}\n"), "", 1),
            "fail",
            "duel.answers",
            "stands where the report has",
        ),
        (answers.clone(), format!("{text}{line}\n"), "fail", "duel.answers", "25 lines for 24 duels"),
        (answers.clone(), String::new(), "fail", "duel.answers", "0 lines for 24 duels"),
        (answers.clone(), format!("{}\n", reversed.join("\n")), "fail", "duel.answers", "stands where the report has"),
        (
            answers.clone(),
            text.replacen(&line, &format!("{{\"name\":\"{name}\",\"without_judge\":\"I say so\"}}"), 1),
            "fail",
            "duel.answers",
            "without_judge is \"I say so\", but",
        ),
        (
            answers.clone(),
            text.replacen(&none, &line.replacen(name, none.split('"').nth(3).unwrap(), 1), 1),
            "fail",
            "duel.answers",
            "the judge answered, but the report reads",
        ),
        (answers.clone(), with(digest, &other), "fail", "judge.question", "1 line with question abab"),
        (answers.clone(), with(MODEL, "another"), "warn", "judge.question", "2 models answered"),
        (answers.clone(), with("\"penalty_2\":", "\"penalty_2\":1"), "fail", "file.parse", "is not in 0 to 10"),
        (answers.clone(), worst, "fail", "duel.answers", "but by the penalties (10 and "),
        (answers.clone(), with(",\"model\"", ", \"model\""), "fail", "file.bytes", "different bytes"),
        (answers.clone(), text.trim_end().to_owned(), "fail", "file.bytes", "different bytes"),
        (answers.clone(), "{".repeat(100_000), "fail", "file.parse", "line 1"),
        (
            question.clone(),
            changed(folder.path(), &question, "penalty", "Penalty"),
            "fail",
            "judge.question",
            "expected",
        ),
        (question.clone(), "model = 1\n".to_owned(), "fail", "file.parse", "line 1"),
        (report.clone(), flipped(folder.path(), &report), "fail", "duel.answers", "the winner is"),
    ];
    for (path, lie, status, id, says) in cases {
        let found = findings_with(folder.path(), &path, &lie);
        let fits = |found: &Found| found.status == status && found.id == id && found.detail.contains(says);
        assert!(found.iter().any(fits), "no {status} of {id} saying {says:?} about {path} in {found:#?}");
    }
}

pub fn findings_with(folder: &Path, path: &str, text: &str) -> Vec<Found> {
    let file = folder.join(path);
    let old = std::fs::read(&file).unwrap();
    assert_ne!(old, text.as_bytes(), "{path}: nothing was changed");
    std::fs::write(&file, text).unwrap();
    let found = findings(folder, &[]);
    std::fs::write(&file, old).unwrap();
    found
}

fn changed(folder: &Path, path: &str, old: &str, new: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap().replacen(old, new, 1)
}

/// A report in which the winner of one judged duel is another one, with the score and margin that follow.
fn flipped(folder: &Path, path: &str) -> String {
    let mut report = json_of(folder, path);
    let points = |winner: &Value| i64::from(winner == "right") - i64::from(winner == "left");
    let duels = report["duels"].as_array_mut().unwrap();
    let judged = |duel: &&mut Value| duel["issues"].as_str().unwrap().starts_with("penalties");
    let duel = duels.iter_mut().find(judged).unwrap();
    duel["winner"] = json!(if duel["winner"] == "left" { "draw" } else { "left" });
    let score: i64 = duels.iter().map(|duel| points(&duel["winner"])).sum();
    #[allow(clippy::cast_precision_loss)]
    let margin = score as f64 / duels.len() as f64;
    (report["score"], report["margin"]) = (json!(score), json!(margin));
    serde_json::to_string_pretty(&report).unwrap()
}

/// A checkout in which `duel` has played round 1 and committed it.
pub fn committed() -> (tempfile::TempDir, Git) {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    let git = Git::init(folder.path()).unwrap();
    edit(folder.path(), ".git/config", |config| format!("{config}[user]\n\tname = A\n\temail = a@b.c\n"));
    let paths: Vec<_> = tree(folder.path()).into_keys().collect();
    let kinds: Vec<_> = paths.iter().filter_map(|path| FileKind::of_path(path.to_str().unwrap())).collect();
    git.commit(&kinds, "All before the duels").unwrap();
    gen404(folder.path(), &["duel", "--commit", "--judge-url", &judge.url]).ends(3);
    (folder, git)
}

pub fn commit(git: &Git, paths: &[&str]) {
    let kinds: Vec<_> = paths.iter().map(|path| FileKind::of_path(path).unwrap()).collect();
    git.commit(&kinds, "Nothing to see").unwrap().unwrap();
}

#[test]
fn what_is_recorded_is_committed_with_its_report_and_stays() {
    let (folder, git) = committed();
    let tree = git.tree(&git.head().unwrap().unwrap().to_string()).unwrap();
    let paths = gen404::model::snapshot::Source::list(&tree).unwrap();
    let count = |name: &str| paths.iter().filter(|path| path.starts_with("rounds/1/") && path.contains(name)).count();
    assert!(
        count("/answers_") > 3 && count("/answers_") == count("/duels_") && count("question.toml") == 1,
        "{paths:?}"
    );
    let failed = |flags: &[&str]| {
        let all = about(folder.path(), flags);
        all.into_iter()
            .filter(|found| found.status == "fail")
            .map(|found| format!("{} {}", found.id, found.detail))
            .collect::<Vec<_>>()
    };
    assert_eq!(failed(&["--history"]), Vec::<String>::new());
    // Answers and report agree on another winner: only the history tells.
    let answers = format!("rounds/1/{}/answers_leader.jsonl", hotkey("basalt"));
    let text = std::fs::read_to_string(folder.path().join(&answers)).unwrap();
    edit(folder.path(), &answers, |text| text.replace("\"completion_tokens\":320", "\"completion_tokens\":321"));
    assert!(failed(&[])[0].contains("the judge's answers were changed"), "{:?}", failed(&[]));
    commit(&git, &[&answers]);
    assert_eq!(failed(&[]), Vec::<String>::new());
    assert!(failed(&["--history"])[0].contains("history.append_only the judge's answers were changed"));
    std::fs::write(folder.path().join(&answers), text).unwrap();
    edit(folder.path(), "rounds/1/question.toml", |text| text.replacen("# What", "# that", 1));
    commit(&git, &[&answers, "rounds/1/question.toml"]);
    let told = failed(&["--history"]);
    assert!(told.iter().any(|one| one.contains("history.append_only changed after it was recorded")), "{told:?}");
    std::fs::remove_file(folder.path().join(&answers)).unwrap();
    let told = failed(&[]);
    assert!(told.iter().any(|one| one.contains("the judge's answers were removed")), "{told:?}");
    assert!(told.iter().any(|one| one.starts_with("duel.answers missing, though the round has")), "{told:?}");
}

#[test]
fn reports_from_before_the_question_need_no_answers() {
    let (folder, git) = committed();
    let fresh = tempfile::tempdir().unwrap();
    // The same files, the reports first.
    let all = tree(folder.path());
    for (path, bytes) in &all {
        std::fs::create_dir_all(fresh.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(fresh.path().join(path), bytes).unwrap();
    }
    drop(git);
    let git = crate::round::committed(fresh.path());
    let answered = |path: &str| path.contains("/answers_") || path.ends_with("question.toml");
    let older = format!("rounds/1/{}/", hotkey("basalt"));
    let paths: Vec<String> = all.keys().map(|path| path.to_str().unwrap().to_owned()).collect();
    let mut first: Vec<&str> = paths.iter().map(String::as_str).collect();
    first.retain(|path| FileKind::of_path(path).is_some() && path.starts_with("rounds/") && !answered(path));
    for path in paths.iter().filter(|path| answered(path)) {
        std::fs::remove_file(fresh.path().join(path)).unwrap();
    }
    commit(&git, &first);
    assert_eq!(about(fresh.path(), &[]), [], "a round without evidence claims nothing");
    for path in paths.iter().filter(|path| answered(path) && !path.starts_with(&older)) {
        std::fs::write(fresh.path().join(path), &all[Path::new(path)]).unwrap();
    }
    commit(
        &git,
        &paths
            .iter()
            .filter(|path| answered(path) && !path.starts_with(&older))
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    // Reports from before its question are no lie, but nothing shows that the judge was asked it for them.
    let found = about(fresh.path(), &[]);
    let (late, old): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.id == "judge.question");
    assert!(late.len() == 1 && late[0].status == "warn" && late[0].detail.contains("committed later than"), "{late:?}");
    let (added, old): (Vec<_>, Vec<_>) =
        old.into_iter().partition(|found| found.detail.starts_with("first recorded in"));
    assert!(
        added.iter().all(|found| found.status == "warn" && found.detail.contains("later than the report")),
        "{added:#?}"
    );
    let older = |found: &Found| found.status == "skip" && found.detail.contains("older than the round's question");
    assert!(!old.is_empty() && old.iter().all(older), "{old:#?}");
}

#[test]
fn another_question_or_model_stops_before_anything_is_asked() {
    let folder = played();
    let matrix = folder.path().join("rounds/1/matches_matrix.csv");
    let rows = std::fs::read_to_string(&matrix).unwrap();
    std::fs::write(&matrix, rows.rsplit_once('\n').unwrap().0).unwrap();
    std::fs::remove_dir_all(folder.path().join(".gen404")).unwrap();
    let judge = JudgeServer::start(manners());
    let run = |flags: &[&str], code| {
        gen404(folder.path(), &[&["duel", "--judge-url", &judge.url], flags].concat()).ends(code)
    };
    let own = std::fs::read_to_string("crates/world/src/judge/question.toml").unwrap();
    let other = own.replacen("You compare", "Do compare", 1).replacen("The first model", "First", 1);
    std::fs::write(folder.path().join("other.toml"), other).unwrap();
    let other = ["--question", "other.toml"];
    for (flags, says) in [
        (&other[..], "system, first"),
        (&["--model", "x"], "model (model \"x\", the round's is"),
        (&["--dry-run", "--model", "x"], "model"),
    ] {
        let said = run(flags, 1).err;
        let names = said.contains("rounds/1/question.toml: the settings ask another question in");
        assert!(names && said.contains(says) && said.contains("--question rounds/1/question.toml"), "{said}");
    }
    assert_eq!(judge.seen.requests.load(Ordering::SeqCst), 0, "nothing was asked");
    std::fs::rename(folder.path().join("rounds/1/question.toml"), folder.path().join("other.toml")).unwrap();
    let before = tree(played().path());
    std::fs::copy(folder.path().join("other.toml"), folder.path().join("rounds/1/question.toml")).unwrap();
    std::fs::remove_file(folder.path().join("other.toml")).unwrap();
    run(&["--question", "rounds/1/question.toml"], 3);
    assert_eq!(tree(folder.path()), before, "the round's own file is a question, too");
    assert!(judge.seen.requests.load(Ordering::SeqCst) > 0);
}

#[test]
fn the_evidence_is_whole_after_a_kill_and_for_answers_of_older_versions_what_is_known() {
    let folder = played();
    let before = tree(folder.path());
    let unplayed = |folder: &Path| {
        for path in tree(folder).into_keys().filter(|path| path.starts_with("rounds/1")) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if ["answers_", "duels_", "question", "matches_", "require_"].iter().any(|start| name.starts_with(start)) {
                std::fs::remove_file(folder.join(path)).unwrap();
            }
        }
    };
    // As after a kill in front of the first report: all is in the journal.
    unplayed(folder.path());
    let judge = JudgeServer::start(Manners { tokens: None, model: None, ..manners() });
    gen404(folder.path(), &["duel", "--judge-url", &judge.url]).ends(3);
    assert_eq!(tree(folder.path()), before);
    assert_eq!(judge.seen.requests.load(Ordering::SeqCst), 0);
    unplayed(folder.path());
    edit(folder.path(), ".gen404/judge-journal.jsonl", |text| {
        let older = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            json!({"key": line["key"], "answer": line["answer"]}).to_string() + "\n"
        };
        text.lines().map(older).collect()
    });
    gen404(folder.path(), &["duel", "--judge-url", &judge.url]).ends(3);
    assert_eq!(judge.seen.requests.load(Ordering::SeqCst), 0);
    let line = lines(folder.path(), &answers()).into_iter().find(|line| line.get("model").is_some()).unwrap();
    assert_eq!((&line["model"], &line["left_first"]["attempts"]), (&Value::Null, &Value::Null));
    assert_eq!(about(folder.path(), &[]), []);
}

#[test]
fn the_deployed_services_read_a_competition_with_evidence() {
    let Some(python) = crate::support::installed("python3") else { return crate::support::skipped("no python3") };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_fields");
    let read = |folder: &Path, flags: &[&str]| {
        let run = std::process::Command::new(&python).arg(&script).arg(folder).args(flags).output().unwrap();
        (run.status.code(), String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    let folder = played();
    for flags in [&[][..], &["--plain"]] {
        let (code, out, err) = read(folder.path(), flags);
        assert!(code == Some(0) && err.is_empty(), "{err}");
        assert!(out.contains("files of no model, ignored") && out.contains("answers_*.jsonl, question.toml"), "{out}");
    }
    if let Some(real) = crate::support::real_competition() {
        assert_eq!(read(real.path(), &[]).0, Some(0));
    }
    // Of another format it says so in a sentence, and reads nothing.
    for (other, what) in [
        (crate::other_formats::splat("duels"), "Gaussian splats"),
        (crate::other_formats::threejs(), "three.js modules"),
    ] {
        let (code, out, err) = read(other.path(), &[]);
        assert!(code == Some(2) && out.is_empty(), "{out}");
        assert!(err.lines().count() == 1 && err.contains(&format!("a competition of {what};")), "{err}");
    }
    // The script itself tells what a service could not read.
    edit(folder.path(), &report(), |text| text.replacen("\"winner\"", "\"won\"", 1));
    edit(folder.path(), "rounds/0/winner.json", |text| text.replacen("\"winner_hotkey\"", "\"won\"", 1));
    for flags in [&[][..], &["--plain"]] {
        let (code, _, err) = read(folder.path(), flags);
        assert!(code == Some(1) && err.contains("winner.json: no winner_hotkey") && err.contains(&report()), "{err}");
        assert!(err.lines().all(|line| line.starts_with("rounds/")), "a line each: {err}");
    }
}
