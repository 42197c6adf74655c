use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::base::error::Result;
use crate::model::answers::{Answers, DuelEvidence};
use crate::model::file::RepoFile as _;
use crate::model::question::{Asked, ImageForm, QuestionFile};
use crate::model::report::DuelWinner;
use crate::model::snapshot::Source;
use crate::model::threejs::answers::StagedJudgment;
use crate::model::threejs::snapshot::ThreejsSnapshot;
use crate::rules::threejs::sides::{in_order, module_of, sides, walks_over};

const ROUND: RoundNumber = RoundNumber(0);
const TERMS: Terms = Terms { round: ROUND, win_margin: 0.25, repeats: 2 };
const PROMPTS: [&str; 4] = ["d", "b", "a", "c"];

/// A competition's files.
#[derive(Debug, Clone, Default, PartialEq)]
struct Folder(BTreeMap<String, String>);

impl Source for Folder {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).map(|text| text.clone().into_bytes()))
    }
}

fn miner(at: u8) -> Hotkey {
    Hotkey::from_account(&[at; 32])
}

fn text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// The modules of a player, as recorded in this folder; those of `none` are missing.
fn modules(player: &str, folder: &str, none: &[&str]) -> Value {
    let mut modules = json!({});
    for stem in PROMPTS {
        let url = format!("https://s.example/rounds/0/{player}/{folder}/{stem}");
        modules[stem] = match none.contains(&stem) {
            true => json!({"js": null, "views": null, "failure_reason": "js_too_large", "size": 0}),
            false => json!({"js": format!("{url}.js"), "views": url, "failure_reason": null, "size": 9}),
        };
    }
    modules
}

impl Folder {
    /// A round of five miners: the third has no module, the program of the fifth was never built.
    fn begin() -> Folder {
        let mut folder = Folder::default();
        let mut put = |path: String, text: String| drop(folder.0.insert(path, text));
        let (mut submissions, mut builds) = (json!({}), json!({}));
        for at in 1..=5 {
            let hotkey = miner(at).to_string();
            let commit = "0a".repeat(20);
            submissions[&hotkey] = json!({"repo": "a/b", "commit": commit, "cdn_url": "https://c.example/",
                "revealed_at_block": 10, "round": "t-0", "hardware": ["4xH200"]});
            let image = (at != 5).then(|| format!("r/{at}"));
            let status = if at == 5 { "failure" } else { "success" };
            builds[&hotkey] = json!({"repo": "a/b", "commit": commit, "revealed_at_block": 10, "hardware": ["4xH200"],
                "tag": "t", "status": status, "docker_image": image});
            let none: &[&str] = if at == 3 { &PROMPTS } else { &[] };
            put(format!("rounds/0/{hotkey}/submitted.json"), text(&modules(&hotkey, "submitted", none)));
        }
        put("rounds/0/submissions.json".to_owned(), text(&submissions));
        put("rounds/0/builds.json".to_owned(), text(&builds));
        let urls: Vec<String> = PROMPTS.iter().map(|stem| format!("https://p.example/{stem}.png")).collect();
        put("rounds/0/prompts.txt".to_owned(), urls.join("\n"));
        put("rounds/0/leader/generated_1.json".to_owned(), text(&modules("leader", "generated_1", &["a"])));
        put(
            "rounds/0/schedule.json".to_owned(),
            text(&json!({"earliest_reveal_block": 1, "latest_reveal_block": 20,
            "generation_deadline_block": 30})),
        );
        folder
    }

    fn files(&self) -> ThreejsRound {
        let mut snapshot = ThreejsSnapshot::load_some(self, |_| true).unwrap();
        assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems.first().map(|problem| &problem.path));
        snapshot.rounds.remove(&ROUND).unwrap()
    }

    /// Writes as much of a plan as `left` allows. Returns false once the run is killed.
    fn write(&mut self, plan: &Plan, left: &mut usize) -> bool {
        for write in &plan.writes {
            let Some(less) = left.checked_sub(1) else { return false };
            *left = less;
            self.0.insert(write.file.as_str().to_owned(), String::from_utf8(write.bytes.clone()).unwrap());
        }
        true
    }
}

/// The margin of a match: miner 1 beats the leader, but what its program generates does not hold; 2 beats both, and 4
/// beats the leader only.
fn margin(unit: &Unit) -> i64 {
    let at = |hotkey: &Hotkey| (1..=5).find(|at| miner(*at) == *hotkey).unwrap();
    match unit {
        Unit::Match(Player::Leader, right) => [2, 2, 0, 1, 3][usize::from(at(right)) - 1],
        Unit::Match(Player::Miner(left), right) => {
            if at(left) == 1 && at(right) == 2 {
                4
            } else {
                -1
            }
        }
        Unit::Audit(duel) if duel.repeat == 2 && at(&duel.right) == 1 => -2,
        Unit::Audit(duel) => {
            if duel.opponent == Opponent::Submitted {
                0
            } else {
                2
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "four duels")]
fn play(files: &ThreejsRound, unit: &Unit) -> Outcome {
    let both = sides(files, unit).unwrap();
    if let Some(margin) = walks_over(unit, both) {
        return Outcome { margin, report: None };
    }
    let prompts = files.prompts.get().unwrap();
    let score = margin(unit);
    let mut duels = Vec::new();
    for (at, prompt) in in_order(prompts).into_iter().enumerate() {
        let [left, right] = both.map(|modules| module_of(modules, prompt.stem()));
        let decided = i64::try_from(at).unwrap() < score.abs();
        let winner = match (decided, score > 0) {
            (false, _) => DuelWinner::Draw,
            (true, true) => DuelWinner::Right,
            (true, false) => DuelWinner::Left,
        };
        let grid = |views: Option<String>| views.map(|views| format!("{views}/grid.png"));
        duels.push(StagedDuel {
            name: prompt.stem().clone(),
            prompt: prompt.url().to_owned(),
            left_js: left.0,
            left_png: grid(left.1),
            right_js: right.0,
            right_png: grid(right.1),
            winner,
            detail: None,
            extra: Extra::default(),
        });
    }
    let answers = Answers(duels.iter().map(|duel| line(duel.name.as_str())).collect());
    Outcome { margin: score as f64 / 4.0, report: Some(Reported { score, duels, answers }) }
}

/// A line of answers.
fn line(name: &str) -> DuelEvidence<StagedJudgment> {
    let line = json!({"name": name, "model": null, "question": question().digest, "images": {"prompt": null,
        "left": null, "right": null}, "best_views": null, "gray": null, "calls": {}});
    DuelEvidence::Judged(Box::new(serde_json::from_value(line).unwrap()))
}

fn question() -> RoundWords {
    let words = toml::from_str(include_str!("../../../../../world/src/judge/staged/words.toml")).unwrap();
    QuestionFile::new(Asked { model: "m".to_owned(), temperature: None, images: ImageForm::Urls, question: words })
}

/// What `audit` and a reader of sources do about the requests; false if nothing.
fn audited(folder: &mut Folder, files: &ThreejsRound) -> bool {
    let mut sources = Vec::new();
    let mut changed = false;
    for request in files.require_audit.get().into_iter().flatten() {
        let hotkey = &request.hotkey;
        sources.push(json!({"hotkey": hotkey, "verdict": "passed", "reason": ""}));
        if files.generation_reports.get().is_some_and(|reports| reports.contains_key(hotkey)) {
            continue;
        }
        changed = true;
        let player = hotkey.to_string();
        let repeat =
            |at: u32| json!({"repeat_index": at, "generated_prompts": 4, "failed_prompts": 0, "generation_time": 5.0});
        let report = json!({"hotkey": hotkey, "outcome": "completed", "repeats": [repeat(1), repeat(2)], "reason": ""});
        let mut reports: Value = folder
            .0
            .get("rounds/0/generation_reports.json")
            .map_or(json!({}), |text| serde_json::from_str(text).unwrap());
        reports[&player] = report;
        for at in 1..=2 {
            folder.0.insert(
                format!("rounds/0/{player}/generated_{at}.json"),
                text(&modules(&player, &format!("generated_{at}"), &[])),
            );
        }
        folder.0.insert("rounds/0/generation_reports.json".to_owned(), text(&reports));
    }
    folder.0.insert("rounds/0/source_audit.json".to_owned(), text(&json!(sources)));
    changed
}

/// Plays a round to its end; killed after `left` writes. Returns whether it came to the end.
fn round(folder: &mut Folder, left: &mut usize) -> bool {
    let leader = json!([{"hotkey": miner(9), "repo": "a/l", "commit": "0b".repeat(20), "docker": "r/l", "weight": 1.0, "effective_block": 0}]);
    let leaders: Vec<ThreejsLeader> = serde_json::from_value(leader).unwrap();
    let state = CompetitionState::new(ROUND, Stage::Duels, None);
    let mut files = folder.files();
    let plan = follow(&TERMS, &mut files).unwrap();
    if !folder.write(&plan, left) {
        return false;
    }
    loop {
        let unit = match TERMS.next(&files).unwrap() {
            Next::Finish(winner) => {
                return folder.write(&declare_winner(&TERMS, &state, &files, &leaders, &winner).unwrap(), left);
            }
            Next::Wait(_) => {
                assert!(audited(folder, &files), "waits for good");
                files = folder.files();
                if !folder.write(&follow(&TERMS, &mut files).unwrap(), left) {
                    return false;
                }
                continue;
            }
            Next::Play { turn, .. } => turn[0].clone(),
        };
        let outcome = play(&files, &unit);
        let plan = record(&TERMS, &mut files, &unit, &outcome, &question()).unwrap();
        if !folder.write(&plan, left) {
            return false;
        }
    }
}

#[test]
fn a_round_is_played_to_its_end() {
    let mut folder = Folder::begin();
    assert!(round(&mut folder, &mut usize::MAX.clone()));
    let [one, two, three, four, five] = [1, 2, 3, 4, 5].map(miner);
    let file = |name: &str| folder.0[&format!("rounds/0/{name}")].clone();
    let rows = [
        "left,right,margin".to_owned(),
        format!("leader,{one},0.5"),
        format!("leader,{two},0.5"),
        format!("leader,{three},-1.0"),
        format!("leader,{four},0.25"),
        format!("leader,{five},0.75"),
        format!("{one},{two},1.0"),
        format!("{two},{four},-0.25"),
        format!("{two},{five},-0.25"),
        format!("{one},{four},-0.25"),
        format!("{one},{five},-0.25"),
        format!("{four},{five},-0.25"),
    ];
    assert_eq!(file("matches_matrix.csv"), rows.join("\n"));
    let requests: Value = serde_json::from_str(&file("require_audit.json")).unwrap();
    assert_eq!(
        requests,
        json!([{"hotkey": one, "latest_defender": "leader"}, {"hotkey": two, "latest_defender": "leader"}])
    );
    let verdicts: Value = serde_json::from_str(&file("generation_audits.json")).unwrap();
    assert_eq!(verdicts[one.as_str()]["reason"], "submitted vs generated #2: -50.00%");
    assert_eq!(verdicts[two.as_str()]["verdict"], "passed");
    let audits = file("audit_matrix.csv");
    let lefts: Vec<&str> = audits.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    // Of the first miner up to the duel that it loses; the second then has the leader to beat.
    let of_two = ["submitted_1", "leader_1", "submitted_2", "leader_2"];
    assert_eq!(lefts, [&["submitted_1", "leader_1", "submitted_2"], &of_two[..]].concat());
    let winner: Value = serde_json::from_str(&file("winner.json")).unwrap();
    assert_eq!((&winner["winner_hotkey"], &winner["docker_image"]), (&json!(two), &json!("r/2")));
    assert_eq!(winner["hardware"], json!(["4xH200"]));
    assert!(folder.0["state.json"].contains("finalizing"));
    assert_eq!(file("question.toml").into_bytes(), question().to_bytes());
    for path in folder.0.keys().filter(|path| path.contains("/duels_") || path.contains("/audit_s")) {
        let (place, name) = path.rsplit_once('/').unwrap();
        let answers = &folder.0[&format!("{place}/{}", answers_name(name))];
        assert_eq!(answers.lines().count(), 4, "{path}");
    }
}

#[test]
fn a_run_that_is_killed_at_any_write_ends_with_the_same_files() {
    let mut whole = Folder::begin();
    let mut left = usize::MAX;
    assert!(round(&mut whole, &mut left));
    let writes = usize::MAX - left;
    assert!(writes > 30, "{writes}");
    for killed in 0..writes {
        let mut folder = Folder::begin();
        assert!(!round(&mut folder, &mut killed.clone()), "{killed}");
        assert!(round(&mut folder, &mut usize::MAX.clone()));
        assert_eq!(folder, whole, "killed after {killed} of {writes} writes");
    }
}
