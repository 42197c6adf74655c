//! Texts from outside reach a terminal as texts: whatever stands in a file, a name or an answer,
//! nothing that is printed moves the cursor, turns the writing's direction or looks like a line of ours.

use std::path::Path;

use serde_json::{Value, json};

use crate::chain_support::{Fake, Reply};
use crate::ci_server::{Answer, Server};
use crate::round::{DEADLINE, hotkey, round};
use crate::support::make_competition::hotkey as example_hotkey;
use crate::support::{Run, as_somebody, command, edit, example, gen404, git, in_turn, tree};

/// One of each kind of what must not get through.
const HOSTILE: &str = "x\u{1b}[31m\u{1b}]0;title\u{7}\0\u{8}\u{7f}\u{85}\u{9b}1m\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\
    \u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}gnp\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{fff9}\
    \u{3164}\u{e0001}\u{e0041}\u{e0100}\r\nforged: all is well\ry";

/// Is this character safe to print? By the tables of Unicode, not by our own.
fn is_safe(c: char) -> bool {
    let code = u32::from(c);
    let bad = match code {
        0x0a => false,
        0x00..=0x1f | 0x7f..=0x9f => true,
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f => true,
        0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f => true,
        0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xe0000..=0xe0fff | 0xd800..=0xf8ff => true,
        _ => false,
    };
    !bad
}

#[track_caller]
fn safe(what: &str, run: &Run) {
    for (stream, text) in [("stdout", &run.out), ("stderr", &run.err)] {
        let bad = text.chars().find(|c| !is_safe(*c));
        assert!(bad.is_none(), "{what}: {:?} on {stream}: {text:?}", bad.unwrap());
        let forged = text.lines().find(|line| line.starts_with("forged"));
        assert!(forged.is_none(), "{what}: a line of somebody else's on {stream}: {text}");
        assert!(text.len() < 4 << 20, "{what}: {} bytes on {stream}", text.len());
    }
}

/// Some of the commands, or all, that show a competition's files.
#[track_caller]
fn show(what: &str, folder: &Path) {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("report").display().to_string();
    let shows = [
        &["status"][..],
        &["status", "--json", "--block", "100"],
        &["leader"],
        &["leader", "--json"],
        &["verify"],
        &["verify", "--json"],
        &["duel", "--dry-run", "--judge-url", "http://127.0.0.1:9/v1", "-v"],
        &["download", "--dry-run", "--block", "999999", "--store-dir", ".gen404/objects", "-v"],
        &["finalize", "--dry-run", "--block", "999999"],
        &["advance", "--dry-run", "-v"],
        &["report", "--out", &out],
    ];
    for args in in_turn(what, &shows) {
        let run = gen404(folder, args);
        assert!((0..=4).contains(&run.code), "{what}, {args:?}: {run:?}");
        safe(&format!("{what}, {args:?}"), &run);
    }
}

/// The names under which texts stand in a JSON value.
fn names(value: &Value, under: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) if !found.iter().any(|name| name == under) => found.push(under.to_owned()),
        Value::Array(items) => items.iter().for_each(|item| names(item, under, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let is_key = name.parse::<gen404::model::ids::Hotkey>().is_ok();
            names(value, if is_key { under } else { name }, found);
        }),
        _ => {}
    }
}

/// Appends to every text under this name.
fn spoil(value: &mut Value, under: &str, name: &str) {
    match value {
        Value::String(text) if under == name => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, under, name)),
        Value::Object(members) => {
            for (own, value) in members.iter_mut() {
                let is_key = own.parse::<gen404::model::ids::Hotkey>().is_ok();
                spoil(value, if is_key { under } else { own }, name);
            }
        }
        _ => {}
    }
}

#[test]
fn no_text_of_a_file_gets_through() {
    let mut tried = std::collections::BTreeSet::new();
    for path in tree(example(false).path()).into_keys() {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let path = path.display().to_string();
        let kind = path.rsplit('/').next().unwrap().to_owned();
        let text = std::fs::read_to_string(example(false).path().join(&path)).unwrap();
        let mut found = Vec::new();
        names(&serde_json::from_str(&text).unwrap(), "", &mut found);
        for name in found {
            // One file of a kind is enough.
            if !tried.insert((kind.clone(), name.clone())) {
                continue;
            }
            let folder = example(false);
            edit(folder.path(), &path, |text| {
                let mut value: Value = serde_json::from_str(text).unwrap();
                spoil(&mut value, "", &name);
                serde_json::to_string_pretty(&value).unwrap()
            });
            show(&format!("{path}: {name}"), folder.path());
        }
    }
    assert!(tried.len() > 30, "{} fields", tried.len());
}

#[test]
fn no_name_and_no_line_gets_through() {
    let no_nul = HOSTILE.replace('\0', "");
    let folder = example(false);
    for stray in ["rounds/0", "rounds", "."] {
        let top = folder.path().join(stray).join(&no_nul);
        std::fs::create_dir_all(&top).unwrap();
        std::fs::write(top.join("submitted.json"), "{").unwrap();
    }
    std::fs::write(folder.path().join(format!("rounds/0/{no_nul}.json")), "{}").unwrap();
    show("stray names", folder.path());
    for path in ["prompts.txt", "rounds/0/prompts.txt", "rounds/0/matches_matrix.csv"] {
        let folder = example(false);
        edit(folder.path(), path, |text| text.replacen("https://", &format!("https://{HOSTILE}"), 1) + HOSTILE);
        show(path, folder.path());
    }
    let sums = format!("rounds/0/{}/SHA256SUMS", example_hotkey("basalt"));
    let folder = example(false);
    std::fs::write(folder.path().join(sums), format!("{}  {HOSTILE}\n", "0".repeat(64))).unwrap();
    show("SHA256SUMS", folder.path());
    let folder = example(false);
    std::fs::write(folder.path().join("config.json"), format!("{{\"{HOSTILE}\": {HOSTILE}")).unwrap();
    show("config.json", folder.path());
}

#[test]
fn no_commit_gets_through() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return crate::support::skipped("no git program");
    }
    let folder = example(true);
    let message = HOSTILE.replace('\0', "");
    std::fs::write(folder.path().join("rounds/0/seed.json"), "{\"seed\": 1}").unwrap();
    git(folder.path(), &["commit", "-qam", &message]);
    for args in [&["verify", "--history"][..], &["verify", "--history", "--json"], &["status"]] {
        safe(&format!("{args:?}"), &gen404(folder.path(), args));
    }
    let log = gen404::world::git::Git::open(folder.path()).unwrap().unwrap().log().unwrap();
    assert!(log.commits.iter().any(|commit| commit.summary.contains('\u{202e}')), "the test is not about anything");
}

#[test]
fn a_name_given_to_init_makes_one_line_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = command(folder.path());
    as_somebody(&mut run);
    let name = "a\u{202e}b";
    let output = run.args(["init", "--name", name, "--repo", "."]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    safe("init", &run);
}

#[test]
fn no_answer_gets_through() {
    let folder = round(&["https://cdn.example/0".to_owned()], 2);
    let server = Server::start(|asked, _| match asked.path.contains("/jobs") {
        true => Answer::json(&json!({"jobs": [{
            "id": 1, "name": format!("Bake and push images to Google Cloud ({})", hotkey(0)),
            "status": "completed", "conclusion": format!("{HOSTILE}{}", "c".repeat(1 << 20)),
        }]})),
        false => Answer::json(&json!({"workflow_runs": [{
            "id": 1, "run_number": 1, "status": "completed", "html_url": format!("https://x.org/{HOSTILE}"),
            "head_commit": {"message": "submissions for round 0"},
        }]})),
    });
    edit(folder.path(), "gen404.toml", |text| {
        format!("{text}\n[builds]\nrepo = 'a/b'\napi_url = {:?}\n[judge]\nattempts = 1\n", server.url)
    });
    let run = gen404(folder.path(), &["builds", "-v"]);
    assert!(run.out.contains("failure") || run.err.contains("failure"), "{run:?}");
    safe("builds", &run);
    assert!(run.out.len() + run.err.len() < 4000, "{} bytes", run.out.len() + run.err.len());
    for (status, text) in [(400, HOSTILE.to_owned()), (500, HOSTILE.to_owned()), (200, HOSTILE.repeat(20_000))] {
        let said = text.clone();
        let fake = Fake::start(move |_, _, _| Reply::Status(status, "", said.clone().into_bytes()));
        let duels = crate::duels::at_duels();
        let url = format!("{}/v1", fake.url());
        let run = gen404(duels.path(), &["duel", "--judge-url", &url, "-v"]).ends(4);
        safe("duel", &run);
        let run = gen404(folder.path(), &["open", "--network", &fake.url(), "-v"]);
        safe("open", &run);
        let run = gen404(folder.path(), &["status", "--network", &fake.url(), "-v"]);
        safe("status", &run);
    }
}

#[test]
fn a_miners_server_gets_nothing_through() {
    let encoded: &'static str = "Content-Encoding: g\u{9b}zip\u{1b}[31m\r\n";
    let fake = Fake::start(move |number, _, _| match number % 3 {
        0 => Reply::Status(200, encoded, b"x".to_vec()),
        1 => Reply::Body(HOSTILE.as_bytes().to_vec()),
        _ => Reply::Status(302, "Location: http://127.0.0.1:22/\u{1b}[31m\r\n", Vec::new()),
    });
    let folder = round(&[fake.url()], 6);
    let args = ["download", "--block", DEADLINE, "--store-dir", ".gen404/objects", "-v"];
    safe("download", &gen404(folder.path(), &args));
    safe("status", &gen404(folder.path(), &["status"]));
}
