//! Makes a small competition of three.js modules: three rounds that are over, and one that is open.
//!
//! ```text
//! cargo run --example make_threejs -- DIR [older]
//! ```
//!
//! | round | what happens |
//! |---|---|
//! | 0 | a miner takes the lead from the base leader; another lost to it, one submitted nothing (a walkover), one duel was skipped |
//! | 1 | the leader holds, and everybody who beat it is rejected: for the build, for the deployment, for the time, for failed prompts, for both, by the source, by a duel against what was submitted, by a duel against the leader |
//! | 2 | the leader falls: a miner takes the lead, and a second one takes it from that one; a third is rejected by a duel against the new holder, and a fourth loses to it in the end |
//!
//! [`older_files`] is a competition whose rounds have the older layouts, one each: verified by comparing what was submitted
//! and generated; audited by one duel; repeats without verdicts and hardware.
//!
//! Nothing here is random, and nothing is computed by the rules that check it, but for the draw of prompts.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a generator of fixtures: any surprise should stop it"
)]

use std::collections::BTreeMap;
use std::path::Path;

use gen404::model::config::Settings;
use gen404::model::ids::{Hotkey, Seed};
use gen404::model::prompts::Prompt;
use gen404::rules::threejs::prompts::select_disjoint;
use serde_json::{Map, Value, json};

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "threejs-competition".to_owned());
    let older = std::env::args().nth(2).is_some_and(|which| which == "older");
    for (path, bytes) in if older { older_files() } else { files() } {
        let file = Path::new(&folder).join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

/// Prompts of a round, and so duels of a match.
const PROMPTS: usize = 16;

/// Files by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The files of the competition, by path.
#[must_use]
pub fn files() -> Files {
    let (mut maker, pool) = Maker::new();
    maker.round(0, &pool, Layout::Recent, Maker::round_0);
    maker.round(1, &pool, Layout::Recent, Maker::round_1);
    maker.round(2, &pool, Layout::Recent, Maker::round_2);
    maker.put("rounds/3/schedule.json", &schedule(3));
    let leaders = Value::Array(maker.leaders.clone());
    maker.put("leader.json", &leaders);
    maker.files
}

/// The files of a competition with the older layouts, by path.
#[must_use]
pub fn older_files() -> Files {
    let (mut maker, pool) = Maker::new();
    maker.round(0, &pool, Layout::Compared, Maker::compared);
    maker.round(1, &pool, Layout::OneDuel, Maker::one_duel);
    maker.round(2, &pool, Layout::Repeats, Maker::repeats);
    maker.put("rounds/3/schedule.json", &schedule(3));
    let leaders = Value::Array(maker.leaders.clone());
    maker.put("leader.json", &leaders);
    maker.files
}

fn config() -> Value {
    json!({
        "name": "js-cup",
        "description": "Three rounds to try",
        "first_evaluation_date": "2026-08-01",
        "last_competition_date": "2027-04-29",
        "round_start_time": "08:00:00",
        "generation_stage_minutes": 240,
        "finalization_buffer_hours": 1,
        "win_margin": 0.07,
        "weight_decay": 0.2,
        "weight_floor": 0.2,
        "prompts_per_round": PROMPTS,
        "carryover_prompts": 4,
        "round_duration_days": 3,
        "audit_repeats": 2,
    })
}

fn latest(round: u64) -> u64 {
    7200 * (round + 1)
}

fn schedule(round: u64) -> Value {
    let earliest = if round == 0 { 0 } else { latest(round - 1) + 1 };
    json!({
        "earliest_reveal_block": earliest,
        "latest_reveal_block": latest(round),
        "generation_deadline_block": latest(round) + 1200,
    })
}

/// A miner's hotkey, from its number.
#[must_use]
pub fn hotkey(number: u8) -> String {
    Hotkey::from_account(&[number; 32]).to_string()
}

fn commit(number: u8) -> String {
    format!("{number:02x}").repeat(20)
}

fn image(hotkey: &str, number: u8, round: u64) -> String {
    let (short, tag) = (hotkey[..10].to_lowercase(), &commit(number)[..7]);
    format!("registry.example/js/{short}:{tag}-js-cup-{round}")
}

fn entry(hotkey: &str, repo: &str, number: u8, weight: f64, from: u64) -> Value {
    json!({
        "hotkey": hotkey,
        "repo": repo,
        "commit": commit(number),
        "docker": image(hotkey, number, from / 7200),
        "hardware": ["4xH200"],
        "weight": weight,
        "effective_block": from,
    })
}

/// What a run of a program, or what a miner submitted, is: which prompts (by place) are missing.
type Missing<'a> = &'a [usize];

/// How a round's files look: what the services wrote over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// What was submitted is compared with what was generated: duels_submitted.json, verification_audits.json.
    Compared,
    /// One duel of each kind: audit_submitted.json, audit_leader.json.
    OneDuel,
    /// Several repeats: generated_R.json, audit_*_R.json.
    Repeats,
    /// With hardware, verdicts and records of the leader's pods.
    Recent,
}

struct Maker {
    files: Files,
    leaders: Vec<Value>,
    /// The round's prompts, as it has them.
    order: Vec<String>,
}

/// One round while it is made.
struct Round<'a> {
    maker: &'a mut Maker,
    number: u64,
    layout: Layout,
    matrix: Vec<String>,
    audits: Vec<String>,
    requests: Vec<Value>,
    reports: Map<String, Value>,
    verdicts: Map<String, Value>,
    sources: Vec<Value>,
}

impl Maker {
    /// A maker with what comes before the rounds, and the pool.
    fn new() -> (Maker, Vec<String>) {
        let leaders = vec![entry(&hotkey(0), "base/zero", 0, 0.0, 0)];
        let mut maker = Maker { files: Files::new(), leaders, order: Vec::new() };
        maker.put("config.json", &config());
        let state = json!({"current_round": 3, "stage": "open", "next_stage_eta": "2026-08-16T08:00:00Z"});
        maker.put("state.json", &state);
        let pool: Vec<String> = (0..60).map(|at| format!("https://prompts.example/{:03}.png", at * 7 % 60)).collect();
        maker.files.insert("prompts.txt".to_owned(), pool.join("\n").into_bytes());
        (maker, pool)
    }

    fn put(&mut self, path: &str, value: &Value) {
        self.files.insert(path.to_owned(), serde_json::to_vec_pretty(value).unwrap());
    }

    /// Makes a round: `play` makes its matches and audits, and says who won (a miner's number; 0: the leader).
    fn round(&mut self, number: u64, pool: &[String], layout: Layout, play: fn(&mut Round<'_>) -> u8) {
        self.put(&format!("rounds/{number}/schedule.json"), &schedule(number));
        let seed = 1000 + u32::try_from(number).unwrap();
        let line = format!("{{\"seed\": {seed}}}");
        self.files.insert(format!("rounds/{number}/seed.json"), line.into_bytes());
        let prompts = |urls: &[String]| urls.iter().map(|url| Prompt::new(url).unwrap()).collect::<Vec<_>>();
        let settings: Settings = serde_json::from_value(config()).unwrap();
        let drawn = select_disjoint(&settings, Seed(seed), &prompts(&self.order), &prompts(pool));
        self.order = drawn.carried.iter().chain(&drawn.fresh).map(|prompt| prompt.url().to_owned()).collect();
        self.files.insert(format!("rounds/{number}/prompts.txt"), self.order.join("\n").into_bytes());
        let mut round = Round {
            maker: self,
            number,
            layout,
            matrix: vec!["left,right,margin".to_owned()],
            audits: vec!["left,right,margin".to_owned()],
            requests: Vec::new(),
            reports: Map::new(),
            verdicts: Map::new(),
            sources: Vec::new(),
        };
        if layout == Layout::Recent {
            round.run_leader();
        } else {
            let name = if layout == Layout::Repeats { "generated_1" } else { "generated" };
            round.outputs("leader", name, &[]);
        }
        let winner = play(&mut round);
        round.finish(winner);
    }

    /// 1 takes the lead; 2 qualified, but lost to it; 3 submitted nothing; 4 did not qualify.
    fn round_0(round: &mut Round<'_>) -> u8 {
        round.submissions(&[1, 2, 3, 4]);
        round.outputs(&hotkey(1), "submitted", &[5]);
        round.outputs(&hotkey(2), "submitted", &[]);
        round.nothing(&hotkey(3));
        round.outputs(&hotkey(4), "submitted", &[]);
        round.duel("leader", 1, 6);
        round.duel("leader", 2, 2);
        round.matrix.push(format!("leader,{},-1.0", hotkey(3)));
        round.duel("leader", 4, -3);
        round.skip_a_duel(4);
        round.duel(&hotkey(1), 2, 1);
        round.request(1, "leader");
        round.run(1, 1, &[5], 5000.5);
        round.run(1, 2, &[5], 5100.25);
        round.report(1, "completed", "", 2);
        round.audit(None, 1, 1, -1);
        round.audit(Some("leader"), 1, 1, 4);
        round.audit(None, 1, 2, 0);
        round.audit(Some("leader"), 1, 2, 2);
        round.source(1, "passed", "No issues found");
        round.verdict(1, "passed", "");
        1
    }

    /// Everybody who qualified is rejected, each for another reason.
    fn round_1(round: &mut Round<'_>) -> u8 {
        round.submissions(&[5, 6, 7, 8, 9, 12, 13, 14]);
        for miner in [5, 6, 7, 8, 9, 12, 13, 14] {
            round.outputs(&hotkey(miner), "submitted", &[]);
            round.duel("leader", miner, 8);
            round.request(miner, "leader");
        }
        round.report(5, "rejected", "Failed to build a docker image", 0);
        round.verdict(5, "failed", "generation report: Failed to build a docker image");
        round.run(6, 1, &[], 7301.5);
        round.report(6, "rejected", "Repeat 1: time (7301.5s) exceeds limit (7200.0s)", 1);
        round.verdict(6, "failed", "generation report: Repeat 1: time (7301.5s) exceeds limit (7200.0s)");
        round.source(7, "failed", "It fetches models that were made elsewhere");
        round.report(7, "pending", "", 0);
        round.verdict(7, "failed", "source audit: It fetches models that were made elsewhere");
        for repeat in [1, 2] {
            round.run(8, repeat, &[0, 1], 4000.0);
            round.run(9, repeat, &[], 4000.0);
        }
        round.report(8, "completed", "", 2);
        round.audit(None, 8, 1, 0);
        round.audit(None, 8, 2, -2);
        round.verdict(8, "failed", "submitted vs generated #2: -12.50%");
        round.report(9, "completed", "", 2);
        round.audit(None, 9, 1, 0);
        round.audit(Some("leader"), 9, 1, 1);
        round.verdict(9, "failed", "leader vs generated #1: +6.25%");
        round.report(12, "rejected", "Failed to deploy a docker image", 0);
        round.verdict(12, "failed", "generation report: Failed to deploy a docker image");
        let thirteen: Vec<usize> = (0..13).collect();
        round.run(13, 1, &[], 3000.5);
        round.run(13, 2, &thirteen, 3000.5);
        let reason = "Repeat 2: 13 failed prompts exceed tolerance (12)";
        round.report(13, "rejected", reason, 2);
        round.verdict(13, "failed", &format!("generation report: {reason}"));
        // Two reasons; of the words, the verdict quotes 64 characters.
        round.run(14, 1, &thirteen, 7400.25);
        let reason =
            "Repeat 1: time (7400.2s) exceeds limit (7200.0s); Repeat 1: 13 failed prompts exceed tolerance (12)";
        round.report(14, "rejected", reason, 1);
        round.verdict(14, "failed", &format!("generation report: {}", &reason[..64]));
        0
    }

    /// 10 takes the lead, 11 takes it from 10.
    fn round_2(round: &mut Round<'_>) -> u8 {
        round.submissions(&[10, 11, 15, 16]);
        for miner in [10, 11, 15, 16] {
            round.outputs(&hotkey(miner), "submitted", &[]);
            round.duel("leader", miner, 3);
        }
        let holder = hotkey(10);
        round.duel(&holder, 11, 2);
        for (miner, defender) in [(10, "leader"), (11, holder.as_str())] {
            round.request(miner, defender);
            for repeat in [1, 2] {
                round.run(miner, repeat, &[], 6000.0);
                round.audit(None, miner, repeat, 0);
                round.audit(Some(defender), miner, repeat, 2);
            }
            round.report(miner, "completed", "", 2);
            round.source(miner, "passed", "");
            round.verdict(miner, "passed", "");
        }
        let newer = hotkey(11);
        round.duel(&holder, 15, 4);
        round.duel(&newer, 15, 2);
        round.request(15, &newer);
        round.run(15, 1, &[], 6000.0);
        round.run(15, 2, &[], 6000.0);
        round.report(15, "completed", "", 2);
        for repeat in [1, 2] {
            round.audit(None, 15, repeat, -1);
            round.audit(Some(&holder), 15, repeat, 3);
            round.audit(Some(&newer), 15, repeat, 3 - 2 * i64::from(repeat));
        }
        round.verdict(15, "failed", &format!("{} vs generated #1: +6.25%", &newer[..10]));
        // It won against one who lost the lead since: its request stays, and its runs were never finished.
        round.duel(&holder, 16, 2);
        round.duel(&newer, 16, 1);
        round.request(16, &holder);
        round.run(16, 1, &[3], 6000.0);
        round.report(16, "pending", "", 1);
        11
    }

    /// Rounds 0 to 2 of the real competition: the winner is verified by comparing what it submitted and generated.
    fn compared(round: &mut Round<'_>) -> u8 {
        round.submissions(&[1, 2]);
        round.outputs(&hotkey(1), "submitted", &[]);
        round.nothing(&hotkey(2));
        round.duel("leader", 1, 5);
        round.matrix.push(format!("leader,{},-100.0", hotkey(2)));
        round.requests.push(json!({"hotkey": hotkey(1)}));
        round.run(1, 1, &[], 5000.5);
        round.flat_report(1, "completed", "", 5000.5);
        let compared = round.report_of(("submitted", &hotkey(1), "submitted"), (&hotkey(1), "generated"), 0);
        round.put(&format!("{}/duels_submitted.json", hotkey(1)), &compared);
        let hotkey = hotkey(1);
        let verdict = json!({"hotkey": hotkey, "outcome": "passed", "score": 0, "total_prompts": PROMPTS,
            "checked_prompts": PROMPTS, "drawn": PROMPTS, "reason": ""});
        let verdicts = Map::from_iter([(hotkey, verdict)]);
        round.put("verification_audits.json", &verdicts.into());
        round.source(1, "passed", "");
        1
    }

    /// Rounds 3 and 4: one run, one duel against what was submitted and one against the holder.
    fn one_duel(round: &mut Round<'_>) -> u8 {
        round.submissions(&[3, 4, 6]);
        for miner in [3, 4, 6] {
            round.outputs(&hotkey(miner), "submitted", &[]);
            round.duel("leader", miner, 4);
            round.request(miner, "leader");
            round.run(miner, 1, &[], 4000.5);
        }
        round.flat_report(3, "completed", "", 4000.5);
        round.audit(None, 3, 1, -3);
        round.audit(Some("leader"), 3, 1, 3);
        round.flat_report(4, "rejected", "too slow", 7300.5);
        round.flat_report(6, "completed", "", 4000.5);
        round.audit(None, 6, 1, 1);
        round.audit(Some("leader"), 6, 1, 3);
        round.source(6, "passed", "");
        6
    }

    /// Rounds 5 to 18: repeats; the verdicts are not written down yet.
    fn repeats(round: &mut Round<'_>) -> u8 {
        round.submissions(&[7, 8]);
        for miner in [7, 8] {
            round.outputs(&hotkey(miner), "submitted", &[]);
        }
        round.duel("leader", 7, 4);
        round.duel("leader", 8, 1);
        round.request(7, "leader");
        for repeat in [1, 2] {
            round.run(7, repeat, &[], 4000.5);
            round.audit(None, 7, repeat, 0);
        }
        round.audit(Some("leader"), 7, 1, 2);
        round.audit(Some("leader"), 7, 2, -1);
        round.report(7, "completed", "", 2);
        0
    }
}

impl Round<'_> {
    fn path(&self, name: &str) -> String {
        format!("rounds/{}/{name}", self.number)
    }

    fn put(&mut self, name: &str, value: &Value) {
        let path = self.path(name);
        self.maker.put(&path, value);
    }

    fn submissions(&mut self, miners: &[u8]) {
        let (mut submissions, mut builds) = (Map::new(), Map::new());
        for (at, miner) in miners.iter().enumerate() {
            let (hotkey, block) = (hotkey(*miner), latest(self.number) - 1000 + at as u64);
            let (repo, commit) = (format!("miner/program-{miner}"), commit(*miner));
            let mut submission = json!({
                "repo": repo,
                "commit": commit,
                "cdn_url": format!("https://cdn.example/{miner}"),
                "revealed_at_block": block,
                "round": format!("js-cup-{}", self.number),
                "hardware": ["4xH200"],
            });
            let built = *miner != 5;
            let mut build = json!({
                "repo": repo,
                "commit": commit,
                "revealed_at_block": block,
                "hardware": ["4xH200"],
                "tag": format!("{}-js-cup-{}", &commit[..7], self.number),
                "status": if built { "success" } else { "failure" },
                "docker_image": built.then(|| image(&hotkey, *miner, self.number)),
            });
            for record in [&mut submission, &mut build] {
                self.dated(record);
            }
            submissions.insert(hotkey.clone(), submission);
            builds.insert(hotkey, build);
        }
        self.put("submissions.json", &submissions.into());
        self.put("builds.json", &builds.into());
    }

    /// Takes out of a record what its layout does not have yet.
    fn dated(&self, record: &mut Value) {
        if self.layout != Layout::Recent {
            record.as_object_mut().unwrap().shift_remove("hardware");
        }
    }

    fn has_repeats(&self) -> bool {
        matches!(self.layout, Layout::Repeats | Layout::Recent)
    }

    /// The name of the file of a run's outputs.
    fn made_in(&self, repeat: u32) -> String {
        if self.has_repeats() { format!("generated_{repeat}") } else { "generated".to_owned() }
    }

    /// The leader's outputs, and the records of its pod.
    fn run_leader(&mut self) {
        self.outputs("leader", "generated_1", &[]);
        let pod = format!("miner-{:02}-leader-0", self.number);
        let run = pod_run(&pod, 1, 4500.5);
        self.put("leader/pod_stats.json", &json!({format!("{pod}-r1"): run}));
    }

    fn stem(&self, at: usize) -> String {
        let name = self.maker.order[at].rsplit('/').next().unwrap();
        name.trim_end_matches(".png").to_owned()
    }

    fn outputs(&mut self, player: &str, folder: &str, missing: Missing<'_>) {
        let mut modules = Map::new();
        for at in 0..PROMPTS {
            let stem = self.stem(at);
            let base = format!("https://store.example/rounds/{}/{player}/{folder}/{stem}", self.number);
            let module = if missing.contains(&at) {
                let reason = if folder == "submitted" { "js_fetch_failed: HTTP 404" } else { "out of ideas" };
                json!({"js": null, "views": null, "failure_reason": reason, "size": 0})
            } else {
                json!({"js": format!("{base}.js"), "views": base, "failure_reason": null, "size": 1000 + at})
            };
            modules.insert(stem, module);
        }
        self.put(&format!("{player}/{folder}.json"), &modules.into());
    }

    fn nothing(&mut self, player: &str) {
        let all: Vec<usize> = (0..PROMPTS).collect();
        self.outputs(player, "submitted", &all);
    }

    /// The outputs of a file that was made before.
    fn modules(&self, player: &str, folder: &str) -> Value {
        serde_json::from_slice(&self.maker.files[&self.path(&format!("{player}/{folder}.json"))]).unwrap()
    }

    /// A match with this score: who misses a file loses that duel, the others are made to fit.
    fn report_of(&self, left: (&str, &str, &str), right: (&str, &str), score: i64) -> Value {
        let (name, left_player, left_folder) = left;
        let (lefts, rights) = (self.modules(left_player, left_folder), self.modules(right.0, right.1));
        let mut prompts = self.maker.order.clone();
        prompts.sort();
        let stems: Vec<String> = prompts.iter().map(|url| url[24..].trim_end_matches(".png").to_owned()).collect();
        let has = |modules: &Value, stem: &String| modules[stem]["js"].is_string();
        let unjudged = |stem: &&String| !has(&lefts, stem) || !has(&rights, stem);
        let given: i64 =
            stems.iter().filter(unjudged).map(|s| i64::from(has(&rights, s)) - i64::from(has(&lefts, s))).sum();
        let mut open = score - given;
        let mut duels = Vec::new();
        for (at, (stem, prompt)) in stems.iter().zip(&prompts).enumerate() {
            let (winner, detail) = match (has(&lefts, stem), has(&rights, stem)) {
                (true, true) => {
                    let winner = ["left", "draw", "right"][usize::try_from(open.signum() + 1).unwrap()];
                    open -= open.signum();
                    (winner, detail(winner, at))
                }
                (true, false) => ("left", json!({"reason": "no preview from right"})),
                (false, true) => ("right", json!({"reason": "no preview from left"})),
                (false, false) => ("draw", json!({"reason": "no previews on either side"})),
            };
            let grid = |modules: &Value| modules[stem]["views"].as_str().map(|views| format!("{views}/grid.png"));
            duels.push(json!({
                "name": stem,
                "prompt": prompt,
                "left_js": lefts[stem]["js"],
                "left_png": grid(&lefts),
                "right_js": rights[stem]["js"],
                "right_png": grid(&rights),
                "winner": winner,
                "detail": detail,
            }));
        }
        assert_eq!(open, 0, "there are too few duels for this score");
        json!({"left": name, "right": right.0, "score": score, "margin": margin(score), "duels": duels})
    }

    fn duel(&mut self, left: &str, right: u8, score: i64) {
        let right = hotkey(right);
        let folder = if left == "leader" { self.made_in(1) } else { "submitted".to_owned() };
        let report = self.report_of((left, left, &folder), (&right, "submitted"), score);
        let short = left.get(..10).unwrap_or(left);
        self.put(&format!("{right}/duels_{short}.json"), &report);
        self.matrix.push(format!("{left},{right},{:?}", margin(score)));
    }

    /// A duel in which judging broke off: one that was a draw.
    fn skip_a_duel(&mut self, right: u8) {
        let path = self.path(&format!("{}/duels_leader.json", hotkey(right)));
        let mut report: Value = serde_json::from_slice(&self.maker.files[&path]).unwrap();
        let duel = report["duels"].as_array_mut().unwrap().iter_mut().find(|duel| duel["winner"] == "draw").unwrap();
        duel["winner"] = "skipped".into();
        duel["detail"] = Value::Null;
        self.maker.put(&path, &report);
    }

    /// An audit duel of a run against what was submitted, or against the holder.
    fn audit(&mut self, holder: Option<&str>, right: u8, repeat: u32, score: i64) {
        let right = hotkey(right);
        let left = match holder {
            None => ("submitted", right.as_str(), "submitted".to_owned()),
            Some("leader") => ("leader", "leader", self.made_in(1)),
            Some(holder) => (holder, holder, "submitted".to_owned()),
        };
        let report = self.report_of((left.0, left.1, &left.2), (&right, &self.made_in(repeat)), score);
        let short = left.0.get(..10).unwrap_or(left.0);
        let run = if self.has_repeats() { format!("_{repeat}") } else { String::new() };
        self.put(&format!("{right}/audit_{short}{run}.json"), &report);
        self.audits.push(format!("{}{run},{right},{:?}", left.0, margin(score)));
    }

    fn request(&mut self, miner: u8, defender: &str) {
        self.requests.push(json!({"hotkey": hotkey(miner), "latest_defender": defender}));
    }

    /// A run of a program: its outputs, and the batches of its pod.
    fn run(&mut self, miner: u8, repeat: u32, missing: Missing<'_>, seconds: f64) {
        let hotkey = hotkey(miner);
        let file = self.made_in(repeat);
        self.outputs(&hotkey, &file, missing);
        let path = self.path(&format!("{hotkey}/pod_stats.json"));
        let known = self.maker.files.get(&path).map(|bytes| serde_json::from_slice(bytes).unwrap());
        let mut stats: Map<String, Value> = known.unwrap_or_default();
        let pod = format!("miner-{:02}-{}-0", self.number, hotkey[..10].to_lowercase());
        stats.insert(format!("{pod}-r{repeat}"), pod_run(&pod, repeat, seconds));
        self.maker.put(&path, &stats.into());
    }

    /// The report on runs that were made before.
    fn report(&mut self, miner: u8, outcome: &str, reason: &str, repeats: u32) {
        let hotkey = hotkey(miner);
        let submitted = self.modules(&hotkey, "submitted");
        let mut list = Vec::new();
        for repeat in 1..=repeats {
            let made = self.modules(&hotkey, &self.made_in(repeat));
            let asked: Vec<&String> = submitted
                .as_object()
                .unwrap()
                .iter()
                .filter(|(_, module)| module["js"].is_string())
                .map(|(stem, _)| stem)
                .collect();
            let failed = asked.iter().filter(|stem| made[stem.as_str()]["failure_reason"].is_string()).count();
            let stats: Value =
                serde_json::from_slice(&self.maker.files[&self.path(&format!("{hotkey}/pod_stats.json"))]).unwrap();
            let run = stats.as_object().unwrap().values().find(|run| run["repeat_index"] == repeat).unwrap();
            list.push(json!({
                "repeat_index": repeat,
                "generated_prompts": asked.len() - failed,
                "failed_prompts": failed,
                "generation_time": run["total_generation_time"],
            }));
        }
        let report = json!({"hotkey": hotkey, "outcome": outcome, "repeats": list, "reason": reason});
        self.reports.insert(hotkey, report);
    }

    /// A report in the layout of one run.
    fn flat_report(&mut self, miner: u8, outcome: &str, reason: &str, seconds: f64) {
        let hotkey = hotkey(miner);
        let report = json!({"hotkey": hotkey, "outcome": outcome, "checked_prompts": PROMPTS, "failed_prompts": 0,
            "generation_time": seconds, "reason": reason});
        self.reports.insert(hotkey, report);
    }

    fn source(&mut self, miner: u8, verdict: &str, reason: &str) {
        self.sources.push(json!({"hotkey": hotkey(miner), "verdict": verdict, "reason": reason}));
    }

    fn verdict(&mut self, miner: u8, verdict: &str, reason: &str) {
        let hotkey = hotkey(miner);
        self.verdicts.insert(hotkey.clone(), json!({"hotkey": hotkey, "verdict": verdict, "reason": reason}));
    }

    fn finish(mut self, winner: u8) {
        let audits = (self.layout != Layout::Compared).then(|| ("audit_matrix.csv", self.audits.clone()));
        for (name, rows) in [Some(("matches_matrix.csv", self.matrix.clone())), audits].into_iter().flatten() {
            let path = self.path(name);
            self.maker.files.insert(path, rows.join("\n").into_bytes());
        }
        self.put("require_audit.json", &self.requests.clone().into());
        self.put("generation_reports.json", &self.reports.clone().into());
        if self.layout == Layout::Recent {
            self.put("generation_audits.json", &self.verdicts.clone().into());
        }
        self.put("source_audit.json", &self.sources.clone().into());
        let current = self.maker.leaders.last().unwrap().clone();
        let next = latest(self.number + 1);
        let (name, entry) = if winner == 0 {
            let weight = (current["weight"].as_f64().unwrap() * 10.0).round() / 10.0 - 0.2;
            let mut entry = current;
            entry["weight"] = ((weight * 10.0).round() / 10.0).into();
            entry["effective_block"] = next.into();
            ("leader".to_owned(), entry)
        } else {
            let hotkey = hotkey(winner);
            let mut entry = entry(&hotkey, &format!("miner/program-{winner}"), winner, 1.0, next);
            entry["docker"] = image(&hotkey, winner, self.number).into();
            (hotkey, entry)
        };
        let mut winner = json!({
            "winner_hotkey": name,
            "repo": entry["repo"],
            "commit": entry["commit"],
            "docker_image": entry["docker"],
            "hardware": entry["hardware"],
        });
        self.dated(&mut winner);
        self.put("winner.json", &winner);
        self.maker.leaders.push(entry);
    }
}

/// What is recorded of a pod's run.
fn pod_run(pod: &str, repeat: u32, seconds: f64) -> Value {
    json!({
        "pod_id": pod,
        "repeat_index": repeat,
        "provider": "targon",
        "batch_times": [seconds - 1000.25, 1000.25],
        "total_generation_time": seconds,
        "termination_reason": "completed",
        "payload": null,
    })
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn margin(score: i64) -> f64 {
    score as f64 / PROMPTS as f64
}

/// What the stages said of a duel with this winner; how they came to it changes from place to place.
fn detail(winner: &str, at: usize) -> Value {
    let angles = |(a, b): (f64, f64)| {
        let labels = ["front_left", "front_right", "front_below", "front_above"];
        labels.map(|label| json!({"label": label, "pen_a": a, "pen_b": b}))
    };
    let stage1 = |choice: &str, kept: u32, pens: (f64, f64)| json!({"choice": choice, "n_total": 4, "n_consistent": kept, "angles": angles(pens)});
    if winner != "draw" && at % 4 != 1 {
        let (choice, pens) = if winner == "left" { ("A", (3.0, 5.0)) } else { ("B", (6.0, 4.5)) };
        return json!({"s1": stage1(choice, 4, pens), "decided_by": "S1", "issues": "The handle is missing."});
    }
    let (choice, source, view, scores, decided_by) = match winner {
        "left" => ("A", "strong_voter", (3.0, 5.5), (9, 4), "S2 strong_voter [bv|-2.5|]"),
        "right" => ("B", "consensus_3", (5.0, 4.0), (4, 7), "S2 consensus"),
        _ => ("draw", "consensus_3", (4.0, 4.5), (5, 5), "S3 (gate did not fire) → draw"),
    };
    let views = json!({"right": "ok", "back": "garbage", "left": "ok", "top_down": "ok"});
    let mut detail = Map::new();
    detail.insert("s1".to_owned(), stage1("draw", 2, (4.0, 4.0)));
    detail.insert(
        "s2".to_owned(),
        json!({
            "choice": choice,
            "source": source,
            "best_view": {"penalty_a": view.0, "penalty_b": view.1},
            "artifact_compare": {"penalty_a": 5.0, "penalty_b": 5.0},
            "checklist": {
                "main_object": "cup",
                "main_object_correct_a": scores.0 > 4,
                "main_object_correct_b": scores.1 > 4,
                "features": [
                    {"feature": "a round handle", "side_a": "yes", "side_b": "partial"},
                    {"feature": "a spout", "side_a": null, "side_b": null},
                ],
                "score_a": scores.0,
                "score_b": scores.1,
            },
        }),
    );
    if choice == "draw" {
        detail.insert("s3".to_owned(), json!({"fired": false, "choice": null}));
    }
    let sides = json!({"a": "ok", "b": "ok"});
    detail.insert(
        "s4".to_owned(),
        json!({"choice": choice, "side_verdicts": sides, "per_angle": {"a": views, "b": views}}),
    );
    detail.insert("decided_by".to_owned(), decided_by.into());
    detail.insert("issues".to_owned(), "Both are paler than the prompt.".into());
    detail.into()
}
