//! A round of a competition whose miners' files are about to be fetched.

use std::path::Path;

use gen404::model::file::FileKind;
use gen404::model::ids::Hotkey;
use gen404::world::git::Git;
use serde_json::{Map, Value, json};

use crate::support::{Run, edit, gen404};

/// Settings that are as impatient as a test.
pub const IMPATIENT: &str = "[miners]\nallow_private_cdn = true\n\n[download]\npause_seconds = 0.05\nconnect_seconds = 2.0\n\
                             idle_seconds = 1.0\nfile_seconds = 6.0\nfile_mib = 8\nrate_kib = 64\ngrace_seconds = 0.5\n\
                             patience_seconds = 20.0\n";

/// The block of the generation deadline.
pub const DEADLINE: &str = "800";

/// The hotkey of test miner `n`.
pub fn hotkey(n: u8) -> String {
    Hotkey::from_account(&[n; 32]).to_string()
}

/// The name of prompt `n`.
pub fn stem(n: usize) -> String {
    format!("{n:02}aa")
}

/// A competition in a folder of its own, in the stage `miner_generation` of round 0. Miner `n` has
/// hotkey `n` and its files below the `n`th URL.
pub fn round(cdns: &[String], prompts: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), cdns, prompts);
    folder
}

/// As [`round`], in this folder.
pub fn write(folder: &Path, cdns: &[String], prompts: usize) {
    let submissions: Map<String, Value> = cdns
        .iter()
        .enumerate()
        .map(|(n, cdn)| {
            let commit = format!("{n:040x}");
            let entry = json!({
                "repo": format!("miner/{n}"), "commit": commit, "cdn_url": cdn,
                "revealed_at_block": 110 + n, "round": "test-0",
            });
            (hotkey(u8::try_from(n).unwrap()), entry)
        })
        .collect();
    let pool: Vec<String> = (0..prompts).map(|n| format!("https://prompts.example/{}.png", stem(n))).collect();
    let leader = json!([{
        "hotkey": hotkey(255), "repo": "base/leader", "commit": "f".repeat(40), "docker": "image",
        "weight": 1.0, "effective_block": 0,
    }]);
    let files = [
        ("config.json", pretty(&config(prompts))),
        ("state.json", pretty(&json!({"current_round": 0, "stage": "miner_generation", "next_stage_eta": null}))),
        ("leader.json", pretty(&leader)),
        ("prompts.txt", pool.join("\n")),
        ("gen404.toml", IMPATIENT.to_owned()),
        (
            "rounds/0/schedule.json",
            pretty(
                &json!({"earliest_reveal_block": 100, "latest_reveal_block": 200, "generation_deadline_block": 800}),
            ),
        ),
        ("rounds/0/submissions.json", pretty(&Value::Object(submissions))),
        ("rounds/0/seed.json", r#"{"seed": 847291}"#.to_owned()),
        ("rounds/0/prompts.txt", pool.join("\n")),
    ];
    for (path, text) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

fn config(prompts: usize) -> Value {
    json!({
        "name": "test", "description": "", "first_evaluation_date": "2026-03-01",
        "last_competition_date": "2026-04-01", "round_start_time": "08:00:00", "generation_stage_minutes": 120,
        "finalization_buffer_hours": 1.0, "win_margin": 0.05, "weight_decay": 0.05, "weight_floor": 0.1,
        "prompts_per_round": prompts, "carryover_prompts": 0, "round_duration_days": 1,
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// `gen404 download` into the folder `objects` beside the competition's files, with more flags.
pub fn download(folder: &Path, flags: &[&str]) -> Run {
    let fixed = ["download", "--block", DEADLINE, "--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"];
    gen404(folder, &[&fixed, flags].concat())
}

/// `submitted.json` of a miner.
pub fn submitted(folder: &Path, miner: u8) -> Value {
    let path = folder.join(format!("rounds/0/{}/submitted.json", hotkey(miner)));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The entries of a miner's `refusals.json`; none where there is no such file.
pub fn refusals(folder: &Path, miner: u8) -> Map<String, Value> {
    let text = std::fs::read_to_string(folder.join(format!("rounds/0/{}/refusals.json", hotkey(miner))));
    text.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default()
}

/// A checkout of this folder, with what `init` writes in its first commit.
pub fn committed(folder: &Path) -> Git {
    let git = Git::init(folder).unwrap();
    edit(folder, ".git/config", |config| format!("{config}[user]\n\tname = A\n\temail = a@b.c\n"));
    let files = [FileKind::Config, FileKind::Leader, FileKind::Pool, FileKind::State];
    git.commit(&files, "The beginning").unwrap();
    git
}

/// The round's stage.
pub fn stage(folder: &Path) -> String {
    let state: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("state.json")).unwrap()).unwrap();
    state["stage"].as_str().unwrap().to_owned()
}
