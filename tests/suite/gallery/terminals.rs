//! Words in files that would move a terminal, or lead who reads in it.

use serde_json::Value;

use super::harness::{World, check};
use crate::support::{example, git, in_turn, tree};

/// Clears the screen, sets the title, turns the writing, and ends the text.
const NASTY: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gnp\u{2066}\u{200f}\u{0}\r\u{9b}31m\u{8}\u{7f}";

const READING: [&[&str]; 9] = [
    &["verify"],
    &["verify", "-v"],
    &["verify", "--json"],
    &["status"],
    &["status", "--json"],
    &["leader"],
    &["leader", "--block", "705000"],
    &["leader", "--json"],
    &["report"],
];

/// Runs some of them, or all; the harness looks for what a terminal obeys.
#[track_caller]
fn read(world: &World, what: &str) {
    for args in in_turn(what, &READING) {
        world.run(&format!("{} with marks in {what}", args.join(" ")), args);
    }
    let report = world.top().join("repo-report");
    let pages = if report.is_dir() { tree(&report) } else { Default::default() };
    for (path, bytes) in pages {
        let odd = bytes.iter().find(|byte| **byte < 0x20 && **byte != b'\n' && **byte != b'\t');
        check(odd.is_none(), || format!("{what}: {odd:?} in {}", path.display()));
    }
}

/// Adds the marks to every string that `fits`, or to every key.
fn mark(value: &mut Value, keys: bool, fits: &dyn Fn(&str) -> bool) {
    match value {
        Value::String(text) if !keys && fits(text) => text.push_str(NASTY),
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, keys, fits)),
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut item) in old {
                mark(&mut item, keys, fits);
                map.insert(if keys { format!("{key}{NASTY}") } else { key }, item);
            }
        }
        _ => {}
    }
}

fn marked(world: &World, path: &str, keys: bool, fits: &dyn Fn(&str) -> bool) {
    let file = world.repo().join(path);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    mark(&mut value, keys, fits);
    std::fs::write(file, serde_json::to_string_pretty(&value).unwrap()).unwrap();
}

/// One file of each kind.
fn kinds() -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let files = tree(example(false).path()).into_keys().map(|path| path.to_str().unwrap().to_owned());
    files.filter(|path| seen.insert(path.rsplit('/').next().unwrap().to_owned())).collect()
}

#[test]
fn marks_in_each_file() {
    for path in kinds() {
        let world = World::example(false);
        if path.ends_with(".json") {
            marked(&world, &path, false, &|_| true);
            read(&world, &format!("all strings of {path}"));
            let world = World::example(false);
            marked(&world, &path, true, &|_| true);
            read(&world, &format!("all keys of {path}"));
        } else {
            let file = world.repo().join(&path);
            let text = std::fs::read_to_string(&file).unwrap();
            let text: Vec<String> = text.lines().map(|line| format!("{line}{NASTY}")).collect();
            std::fs::write(file, text.join("\n")).unwrap();
            read(&world, &path);
        }
    }
}

#[test]
fn marks_where_a_text_may_be_anything() {
    // What parses: names, descriptions, images, reasons, issues.
    let world = World::example(false);
    for path in tree(&world.repo()).into_keys() {
        let path = path.to_str().unwrap();
        let name = path.rsplit('/').next().unwrap();
        let free: &[&str] = match name {
            "config.json" => &["Two small rounds"],
            "leader.json" | "builds.json" | "winner.json" => &["registry", ":", "docker", "image"],
            "generation_audits.json" => &["Non-critical", ""],
            _ if name.starts_with("duels_") => &["lacks", "right has", "left has", "No preview"],
            _ => continue,
        };
        let fits = |text: &str| free.iter().any(|part| !part.is_empty() && text.contains(part));
        marked(&world, path, false, &fits);
    }
    read(&world, "all free texts");
    let world = World::example(false);
    marked(&world, "leader.json", false, &|text| text.contains(':') || text.contains('/'));
    read(&world, "the leaders' images");
    let world = World::example(false);
    marked(&world, "config.json", false, &|text| text == "example");
    read(&world, "the competition's name");
}

#[test]
fn marks_in_names_of_files_and_folders() {
    let world = World::example(true);
    let nasty = NASTY.replace('\0', "");
    world.put(&format!("rounds/0/{nasty}/submitted.json"), "{}");
    world.put(&format!("rounds/{nasty}/seed.json"), "{}");
    world.put(&format!("{nasty}.json"), "{}");
    read(&world, "names of files");
    git(&world.repo(), &["reset", "-q"]);
    git(&world.repo(), &["add", "."]);
    git(&world.repo(), &["commit", "-qm", &format!("Round 1: {nasty}")]);
    world.run("verify --history of marks in names", &["verify", "--history"]);
    read(&world, "names of files in a commit");
}

#[test]
fn marks_in_messages_and_names_of_git() {
    let world = World::example(true);
    let nasty = NASTY.replace(['\0', '\r'], "");
    let path = format!("rounds/0/{}/duels_leader.json", crate::support::make_competition::hotkey("quarry"));
    crate::support::edit(&world.repo(), &path, |text| {
        text.replacen("\"winner\": \"right\"", "\"winner\": \"left\"", 1)
    });
    git(&world.repo(), &["-c", &format!("user.name={nasty}"), "commit", "-qam", &nasty]);
    for args in [&["verify"][..], &["verify", "--history"], &["verify", "--history", "--json"], &["report"]] {
        world.run(&format!("{} of marks in messages", args.join(" ")), args);
    }
    let config = std::fs::read_to_string(world.repo().join(".git/config")).unwrap();
    world.put(".git/config", format!("{config}[remote \"origin\"]\n\turl = \"ext::x {}\"\n", nasty.escape_default()));
    world.run("pause --push to a remote of marks", &["pause", "--commit", "--push"]);
    world.put(".git/HEAD", format!("ref: refs/heads/{nasty}\n"));
    world.run("verify on a branch of marks", &["verify"]);
}

#[test]
fn marks_on_the_command_line_and_in_settings() {
    let world = World::example(false);
    let nasty = NASTY.replace('\0', "");
    let settings = world.settings(&format!("[chain]\n\"{}\" = 1\n", nasty.escape_unicode()));
    for args in [
        &["status", "--repo", &nasty][..],
        &["verify", "--config", &nasty],
        &["status", "--chain-file", &nasty],
        &["render", &nasty],
        &["distance", &nasty, &nasty, "--distance", "pixels"],
        &["status", "--config", &settings],
    ] {
        world.run(&format!("{} with marks", args[0]), args);
    }
    let chain = world.top().join("spare");
    for text in [
        format!("{{\"current_block\": \"{}\"}}", nasty.escape_unicode()),
        nasty.clone(),
        format!("{{\"{}\": 1}}", "\\u001b[2J\\u202e"),
    ] {
        std::fs::write(&chain, text).unwrap();
        world.run("status on a chain file of marks", &["status", "--chain-file", "../spare"]);
    }
}
