//! Competitions of splats made here: the rules over several rounds, texts of either version of the judge, a competition
//! that ends in the middle of a round, and what is edited by hand.

use std::collections::BTreeMap;
use std::path::Path;

use gen404::model::config::Settings;
use gen404::model::ids::Seed;
use gen404::model::prompts::Prompt;
use gen404::rules::prompts::select;
use serde_json::{Map, Value, json};

use crate::formats::make_threejs::hotkey;
use crate::json;
use crate::support::{edit, gen404, git};

/// Prompts of a round.
const PROMPTS: usize = 4;

type Files = BTreeMap<String, Vec<u8>>;

/// A match: the challenger's number, whom it challenges, how many prompts it has splats for, and its score.
type Match = (u8, u8, usize, i64);

struct Maker {
    files: Files,
    /// The round's prompts.
    order: Vec<String>,
    leaders: Vec<Value>,
}

fn latest(round: u64) -> u64 {
    7200 * (round + 1)
}

fn player(number: u8) -> String {
    if number == 0 { "leader".to_owned() } else { hotkey(number) }
}

fn commit(number: u8) -> String {
    format!("{number:02x}").repeat(20)
}

fn image(number: u8, round: u64) -> String {
    let tag = format!("{}-contest-{round}", &commit(number)[..7]);
    format!("registry.example/competition-0/{}:{tag}", hotkey(number)[..10].to_lowercase())
}

fn config() -> Value {
    json!({
        "name": "contest", "description": "Splats", "first_evaluation_date": "2025-12-10",
        "last_competition_date": "2026-12-10", "round_start_time": "12:00:00", "finalization_buffer_hours": 1,
        "win_margin": 0.05, "weight_decay": 0.2, "weight_floor": 0.2, "prompts_per_round": PROMPTS,
        "carryover_prompts": 2,
    })
}

fn entry(number: u8, round: u64, weight: f64, from: u64) -> Value {
    json!({"hotkey": hotkey(number), "repo": format!("miner/program-{number}"), "commit": commit(number),
        "docker": image(number, round), "weight": weight, "effective_block": from})
}

impl Maker {
    fn new() -> Maker {
        let mut maker = Maker { files: Files::new(), order: Vec::new(), leaders: vec![entry(9, 0, 0.0, 0)] };
        let pool: Vec<String> = (0..40).map(|at| format!("https://prompts.example/{:02}.png", at * 7 % 40)).collect();
        maker.files.insert("prompts.txt".to_owned(), pool.join("\n").into_bytes());
        maker.put("config.json", &config());
        maker.state(-1, "finalizing");
        maker.put("leader.json", &json!(maker.leaders));
        maker
    }

    fn put(&mut self, path: &str, value: &Value) {
        self.files.insert(path.to_owned(), serde_json::to_vec_pretty(value).unwrap());
    }

    fn state(&mut self, round: i64, stage: &str) {
        self.put("state.json", &json!({"current_round": round, "stage": stage}));
    }

    /// Opens a round.
    fn open(&mut self, round: u64) {
        let earliest = if round == 0 { 0 } else { latest(round - 1) + 1 };
        let schedule = json!({"earliest_reveal_block": earliest, "latest_reveal_block": latest(round)});
        self.put(&format!("rounds/{round}/schedule.json"), &schedule);
        self.state(i64::try_from(round).unwrap(), "collecting");
    }

    fn collect(&mut self, round: u64, miners: &[u8]) {
        let mut submissions = Map::new();
        for (at, miner) in miners.iter().enumerate() {
            let submission = json!({"repo": format!("miner/program-{miner}"), "commit": commit(*miner),
                "round": format!("contest-{round}"), "revealed_at_block": latest(round) - 100 + at as u64});
            submissions.insert(hotkey(*miner), submission);
        }
        self.put(&format!("rounds/{round}/submissions.json"), &submissions.into());
        self.state(i64::try_from(round).unwrap(), "generating");
    }

    fn seed(&mut self, round: u64) {
        let seed = 510 + u32::try_from(round).unwrap();
        self.files.insert(format!("rounds/{round}/seed.json"), format!("{{\"seed\": {seed}}}").into_bytes());
        let mut settings = config();
        settings["generation_stage_minutes"] = 0.into();
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let prompts = |urls: &[String]| urls.iter().map(|url| Prompt::new(url).unwrap()).collect::<Vec<_>>();
        let pool = String::from_utf8(self.files["prompts.txt"].clone()).unwrap();
        let pool: Vec<String> = pool.lines().map(str::to_owned).collect();
        let drawn = select(&settings, Seed(seed), &prompts(&self.order), &prompts(&pool));
        self.order = drawn.carried.iter().chain(&drawn.fresh).map(|prompt| prompt.url().to_owned()).collect();
        self.files.insert(format!("rounds/{round}/prompts.txt"), self.order.join("\n").into_bytes());
    }

    fn build(&mut self, round: u64, miners: &[u8]) {
        let mut builds = Map::new();
        for (at, miner) in miners.iter().enumerate() {
            let build = json!({"repo": format!("miner/program-{miner}"), "commit": commit(*miner),
                "revealed_at_block": latest(round) - 100 + at as u64,
                "tag": format!("{}-contest-{round}", &commit(*miner)[..7]), "status": "success",
                "docker_image": image(*miner, round)});
            builds.insert(hotkey(*miner), build);
        }
        self.put(&format!("rounds/{round}/builds.json"), &builds.into());
    }

    fn stems(&self) -> Vec<String> {
        let mut stems: Vec<String> =
            self.order.iter().map(|url| url["https://prompts.example/".len()..].replace(".png", "")).collect();
        stems.sort();
        stems.dedup();
        stems
    }

    /// What a program made for so many of the prompts; entries for the rest are null, or with none at all, no file.
    fn generate(&mut self, round: u64, number: u8, made: usize) {
        let mut all = Map::new();
        for (at, stem) in self.stems().into_iter().enumerate() {
            let base = format!("https://store.example/rounds/{round}/{}/{stem}", player(number));
            let one = if at < made {
                json!({"ply": format!("{base}.ply"), "png": format!("{base}.png"), "generation_time": 9.5, "size": 100})
            } else {
                json!({"ply": null, "png": null, "generation_time": 0.0, "size": 0})
            };
            all.insert(stem, one);
        }
        if made > 0 {
            self.put(&format!("rounds/{round}/{}/generations.json", player(number)), &all.into());
        }
    }

    fn outputs(&self, round: u64, number: u8) -> Value {
        let file = self.files.get(&format!("rounds/{round}/{}/generations.json", player(number)));
        file.map_or(Value::Null, |bytes| serde_json::from_slice(bytes).unwrap())
    }

    /// A match: without a preview a side loses; the other duels are made to fit the score.
    fn duel(&mut self, round: u64, (number, holder, _, score): Match) {
        let (left, right) = (self.outputs(round, holder), self.outputs(round, number));
        let stems = self.stems();
        let given = stems.iter().filter(|stem| right[stem.as_str()]["png"].is_null()).count();
        let mut open = score + i64::try_from(given).unwrap();
        let duels: Vec<Value> = stems
            .iter()
            .map(|stem| {
                let (l, r) = (&left[stem.as_str()], &right[stem.as_str()]);
                let (winner, issues) = if r["png"].is_null() {
                    let newer = format!("No preview for {stem} from challenger");
                    ("leader", if round < 2 { "Preview is missing".to_owned() } else { newer })
                } else {
                    let winner = ["leader", "draw", "miner"][usize::try_from(open.signum() + 1).unwrap()];
                    open -= open.signum();
                    (winner, "Some details are blurred".to_owned())
                };
                json!({"name": stem, "prompt": format!("https://prompts.example/{stem}.png"), "leader_ply": l["ply"],
                    "leader_png": l["png"], "miner_ply": r["ply"], "miner_png": r["png"], "winner": winner,
                    "issues": issues})
            })
            .collect();
        assert_eq!(open, 0);
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let margin = score as f64 / duels.len() as f64;
        let outcome = if margin >= 0.05 { "challenger_wins" } else { "leader_defends" };
        let report = json!({"leader": player(holder), "hotkey": hotkey(number), "score": score, "margin": margin,
            "outcome": outcome, "duels": duels});
        self.put(&format!("rounds/{round}/{}/duels.json", hotkey(number)), &report);
    }

    fn progress(&mut self, round: u64, holder: u8, done: &[u8]) {
        let done: Vec<String> = done.iter().map(|miner| hotkey(*miner)).collect();
        self.put(
            &format!("rounds/{round}/judge_progress.json"),
            &json!({"leader": player(holder), "completed_hotkeys": done}),
        );
    }

    /// A round up to its matches.
    fn begin(&mut self, round: u64, matches: &[Match]) {
        let miners: Vec<u8> = matches.iter().map(|(miner, ..)| *miner).collect();
        self.open(round);
        self.collect(round, &miners);
        self.seed(round);
        self.build(round, &miners);
        self.generate(round, 0, PROMPTS);
        matches.iter().for_each(|(miner, _, made, _)| self.generate(round, *miner, *made));
        self.state(i64::try_from(round).unwrap(), "duels");
    }

    /// Judges a round, and opens the next.
    fn end(&mut self, round: u64, matches: &[Match], winner: u8, weight: f64) {
        matches.iter().for_each(|one| self.duel(round, *one));
        self.progress(round, winner, &matches.iter().map(|(miner, ..)| *miner).collect::<Vec<_>>());
        let next = latest(round + 1);
        let mut entry = entry(winner, round, weight, next);
        if winner == 0 {
            entry = self.leaders.last().unwrap().clone();
            entry["weight"] = weight.into();
            entry["effective_block"] = next.into();
        }
        self.leaders.push(entry);
        self.put("leader.json", &json!(self.leaders));
        self.open(round + 1);
    }
}

/// Three rounds that are over and one that is judged: a new leader, who holds; a newer one, whose entry was edited by
/// hand. Two files end in a newline, as editors write it.
fn four_rounds() -> Maker {
    let mut maker = Maker::new();
    let first: &[Match] = &[(1, 0, 4, 3), (2, 1, 0, -4)];
    let second: &[Match] = &[(3, 0, 3, -2)];
    let third: &[Match] = &[(4, 0, 4, 0), (5, 0, 4, 2), (6, 5, 2, -2)];
    let fourth: &[Match] = &[(7, 0, 4, 1), (8, 7, 4, 0)];
    maker.begin(0, first);
    maker.end(0, first, 1, 1.0);
    maker.begin(1, second);
    maker.end(1, second, 0, 0.8);
    maker.begin(2, third);
    maker.end(2, third, 5, 0.99);
    maker.begin(3, fourth);
    maker.duel(3, fourth[0]);
    maker.progress(3, 7, &[7]);
    for path in ["config.json", "leader.json"] {
        maker.files.get_mut(path).unwrap().push(b'\n');
    }
    maker
}

fn write(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

/// What `verify` finds: the output as JSON, and a line for each finding of this status.
fn verify(folder: &Path, flags: &[&str], status: &str) -> (Value, Vec<String>) {
    let output = gen404(folder, &[&["verify", "--json"], flags].concat()).json();
    json::check("verify", &output);
    let checks = output["details"]["checks"].as_array().unwrap().clone();
    let of = checks.iter().filter(|check| check["status"] == status);
    let line = |check: &Value| {
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", text("id"), text("subject"), text("detail"))
    };
    (output, of.map(line).collect())
}

fn passes(output: &Value, id: &str) -> usize {
    let checks = output["details"]["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["id"] == id && check["status"] == "pass").count()
}

#[test]
fn later_rounds_hold_but_for_the_entry_that_was_edited() {
    let folder = tempfile::tempdir().unwrap();
    let mut maker = four_rounds();
    write(folder.path(), &maker.files);
    let (output, fails) = verify(folder.path(), &[], "fail");
    assert_eq!(fails.len(), 1, "{fails:#?}");
    assert!(
        fails[0].starts_with("leader.transition leader.json after round 2: weight is 0.99, expected 1.0"),
        "{fails:#?}"
    );
    let (_, warns) = verify(folder.path(), &[], "warn");
    assert_eq!(warns.iter().filter(|line| line.starts_with("file.bytes")).count(), 2, "{warns:#?}");
    assert_eq!(warns.len(), 2, "{warns:#?}");
    for (id, count) in [("prompts.carryover", 4), ("match.score", 7), ("match.rules", 7), ("match.urls", 7)] {
        assert_eq!(passes(&output, id), count, "{id}");
    }
    // Held in the middle of the round, or ended there.
    for stage in ["paused", "finished"] {
        maker.state(3, stage);
        write(folder.path(), &maker.files);
        assert_eq!(verify(folder.path(), &[], "fail").1.len(), 1, "{stage}");
    }
    let (_, warns) = verify(folder.path(), &[], "warn");
    assert!(
        warns.iter().any(|line| line.contains("the competition ended before every match was judged")),
        "{warns:#?}"
    );
    // Nor is a round that ended before its matches a lie.
    for path in [format!("rounds/3/{}/duels.json", hotkey(7)), "rounds/3/judge_progress.json".to_owned()] {
        std::fs::remove_file(folder.path().join(path)).unwrap();
    }
    assert_eq!(verify(folder.path(), &[], "fail").1.len(), 1);
}

#[test]
fn each_lie_about_later_rounds_is_found() {
    let (five, six, seven) = (hotkey(5), hotkey(6), hotkey(7));
    let report = format!("rounds/2/{six}/duels.json");
    let lies: [(&str, &str, &str, &str); 9] = [
        (&report, "from challenger", "from leader", "match.rules"),
        (&report, &format!("\"leader\": \"{five}\""), "\"leader\": \"leader\"", "judge.progress"),
        (&report, "leader_defends", "challenger_wins", "match.score"),
        ("rounds/2/judge_progress.json", &six, &seven, "judge.progress"),
        (
            "rounds/3/judge_progress.json",
            &format!("\"leader\": \"{seven}\""),
            "\"leader\": \"leader\"",
            "judge.progress",
        ),
        ("rounds/3/seed.json", "513", "514", "prompts.carryover"),
        ("rounds/1/leader/generations.json", "\"size\": 100", "\"size\": 0", "outputs.rules"),
        ("leader.json", "\"weight\": 0.8", "\"weight\": 0.6", "leader.transition"),
        ("leader.json", "\"weight\": 0.0", "\"weight\": 1.5", "leader.transition"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let files = four_rounds().files;
    for (path, old, new, id) in lies {
        write(folder.path(), &files);
        edit(folder.path(), path, |text| {
            assert!(text.contains(old), "{path}: {old}");
            text.replacen(old, new, 1)
        });
        let (_, fails) = verify(folder.path(), &[], "fail");
        let found = fails.iter().any(|line| line.starts_with(id) && !line.contains("0.99"));
        assert!(found, "{path}: {old} -> {new}: {fails:#?}");
    }
    for path in ["rounds/2/seed.json", "rounds/0/judge_progress.json", "rounds/1/leader/generations.json"] {
        write(folder.path(), &files);
        std::fs::remove_file(folder.path().join(path)).unwrap();
        let (_, fails) = verify(folder.path(), &[], "fail");
        let name = path.splitn(3, '/').nth(2).unwrap();
        assert!(fails.iter().any(|line| line.contains(&format!("{name} is missing"))), "{path}: {fails:#?}");
    }
}

/// Commits what was made since the last one; the id.
fn commit_all(root: &Path, maker: &Maker, message: &str) -> String {
    write(root, &maker.files);
    git(root, &["add", "-A"]);
    git(root, &["commit", "-qm", message]);
    git(root, &["rev-parse", "HEAD"]).trim()[..10].to_owned()
}

/// The matches of the first round.
const FIRST: &[Match] = &[(1, 0, 4, 3), (2, 1, 4, -2)];

/// A first round, with an earlier life of the repository before it, and the commits of four edits by hand: two of the
/// settings, and two of what was generated.
fn first_round(root: &Path) -> (Maker, [String; 4]) {
    git(root, &["init", "-q"]);
    let mut maker = Maker::new();
    let matches = FIRST;
    // An earlier life of the repository, and its end.
    maker.begin(0, matches);
    maker.put("rounds/0/seed.json", &json!({"seed": 7}));
    commit_all(root, &maker, "A trial");
    git(root, &["rm", "-rq", "rounds"]);
    let mut maker = Maker::new();
    commit_all(root, &maker, "Preparing for the start");
    maker.put("config.json", &{
        let mut config = config();
        config["finalization_buffer_hours"] = json!(0.1);
        config
    });
    let buffer = commit_all(root, &maker, "No finalization buffer");
    maker.open(0);
    commit_all(root, &maker, "Update state (collecting), schedule for round 0");
    maker.put("config.json", &config());
    let rolled = commit_all(root, &maker, "Rolling back the finalization buffer");
    maker.collect(0, &[1, 2]);
    commit_all(root, &maker, "Update state (generating) and submissions for round 0");
    maker.seed(0);
    commit_all(root, &maker, "Generate seed and pick prompts for round 0");
    maker.build(0, &[1, 2]);
    for (number, made) in [(0, 4), (1, 4), (2, 4)] {
        maker.generate(0, number, made);
    }
    commit_all(root, &maker, "Update generations for round 0");
    maker.state(0, "duels");
    commit_all(root, &maker, "Update state (duels) for round 0");
    maker.generate(0, 2, 3);
    let path = format!("rounds/0/{}/generations.json", hotkey(2));
    let mut fewer: Map<String, Value> = serde_json::from_slice(&maker.files[&path]).unwrap();
    fewer.shift_remove(&maker.stems()[0]);
    maker.put(&path, &fewer.into());
    let retry = commit_all(root, &maker, "Manual generation re-try");
    maker.generate(0, 2, 4);
    let again = commit_all(root, &maker, "Generated again");
    matches.iter().for_each(|one| maker.duel(0, *one));
    maker.progress(0, 1, &[1, 2]);
    maker.state(0, "finalizing");
    commit_all(root, &maker, "Update judge progress for round 0");
    maker.end(0, matches, 1, 1.0);
    commit_all(root, &maker, "Update state (collecting), schedule, leader for round 1");
    (maker, [buffer, rolled, retry, again])
}

#[test]
fn each_edit_by_hand_is_found_with_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (mut maker, [buffer, rolled, retry, again]) = first_round(root);
    let (_, fails) = verify(root, &["--history"], "fail");
    let of = |fails: &[String], commit: &str, id: &str| {
        fails.iter().any(|line| line.starts_with(&format!("{id} {commit} ")))
    };
    assert!(of(&fails, &retry, "history.append_only") && of(&fails, &again, "history.writer"), "{fails:#?}");
    assert!(of(&fails, &buffer, "history.writer") && of(&fails, &rolled, "history.writer"), "{fails:#?}");
    assert_eq!(fails.len(), 5, "{fails:#?}");
    let (_, skips) = verify(root, &["--history"], "skip");
    let line = "1 commit of an earlier competition";
    assert!(
        skips.iter().any(|skip| skip.contains("of an earlier competition, or that prepared this one")),
        "{line}: {skips:#?}"
    );

    // Hand edits of what is over.
    maker.leaders[1]["weight"] = json!(0.99);
    maker.put("leader.json", &json!(maker.leaders));
    let entry = commit_all(root, &maker, "Another weight");
    maker.duel(0, (2, 1, 4, -1));
    let judged = commit_all(root, &maker, "Match report");
    // What was decided under other settings is judged by those.
    maker.put("config.json", &{
        let mut config = config();
        config["win_margin"] = json!(0.9);
        config["weight_decay"] = json!(0.1);
        config
    });
    let settings = commit_all(root, &maker, "Stricter");
    let (_, fails) = verify(root, &["--history"], "fail");
    for (commit, id) in [
        (&entry, "history.append_only"),
        (&entry, "history.writer"),
        (&judged, "history.append_only"),
        (&judged, "history.writer"),
        (&settings, "history.writer"),
    ] {
        assert!(of(&fails, commit, id), "{commit} {id}: {fails:#?}");
    }
    let (_, fails) = verify(root, &[], "fail");
    assert_eq!(fails.len(), 1, "{fails:#?}");
    assert!(fails[0].contains("weight is 0.99, expected 1.0 (by the rules of commit"), "{fails:#?}");
    // What is not committed counts as one more commit.
    edit(root, "rounds/0/seed.json", |text| text.replace("510", "511"));
    let (_, fails) = verify(root, &[], "fail");
    assert!(
        fails.iter().any(|line| line.starts_with("history.append_only working tree rounds/0/seed.json")),
        "{fails:#?}"
    );
}

/// Neither a changed key nor files that come back make the commits before them those of an earlier competition.
#[test]
fn what_is_undone_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (mut maker, [.., retry, _]) = first_round(root);
    let found = || {
        let (_, fails) = verify(root, &["--history"], "fail");
        assert!(fails.iter().any(|line| line.starts_with(&format!("history.append_only {retry} "))), "{fails:#?}");
        fails
    };
    let before = found().len();
    let mut other = config();
    other["format"] = json!("mesh");
    maker.put("config.json", &other);
    commit_all(root, &maker, "Another format");
    maker.put("config.json", &config());
    commit_all(root, &maker, "The format again");
    assert!(found().len() > before);
    git(root, &["rm", "-rq", "rounds"]);
    git(root, &["commit", "-qm", "Gone"]);
    git(root, &["revert", "--no-edit", "HEAD"]);
    assert!(found().len() > before);
}
