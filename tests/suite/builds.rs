//! `builds` from outside: by a file, by a CI that behaves like GitHub, by a registry.

use std::path::Path;

use serde_json::{Value, json};

use crate::round::{hotkey, round};
use crate::support::{edit, findings, gen404, tree};

/// A round of `miners` miners in miner_generation, with this `[builds]`.
fn competition(miners: usize, settings: &str) -> tempfile::TempDir {
    let cdns: Vec<String> = (0..miners).map(|n| format!("https://cdn.example/{n}")).collect();
    let folder = round(&cdns, 2);
    edit(folder.path(), "gen404.toml", |old| format!("{old}\n[builds]\n{settings}\n"));
    folder
}

/// `builds.json`
fn builds(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("rounds/0/builds.json")).unwrap()).unwrap()
}

/// The statuses on record, in the file's order.
fn statuses(folder: &Path) -> Vec<String> {
    let builds = builds(folder);
    builds.as_object().unwrap().values().map(|build| build["status"].as_str().unwrap().to_owned()).collect()
}

fn tag(miner: usize) -> String {
    format!("{}-test-0", &format!("{miner:040x}")[..7])
}

fn image(miner: u8) -> String {
    let name = hotkey(miner)[..10].to_lowercase();
    format!("europe-west3-docker.pkg.dev/gen-456515/active-competition/{name}:{}", tag(usize::from(miner)))
}

/// `verify` has nothing to say against what was written.
#[track_caller]
fn verified(folder: &Path) {
    let found: Vec<_> = findings(folder, &[]).into_iter().filter(|found| found.id == "builds.rules").collect();
    assert!(found.is_empty(), "{found:?}");
}

fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, serde_json::to_string(value).unwrap()).unwrap();
}

#[test]
fn a_file_tells_the_builds_until_all_are_done() {
    let folder = competition(3, "file = 'made.json'");
    let made = folder.path().join("made.json");
    let none = gen404(folder.path(), &["builds"]).ends(1);
    assert!(none.err.contains("made.json: cannot read"), "{}", none.err);
    let own = format!("registry.example/own/m2:{}", tag(2));
    write_json(&made, &json!({hotkey(2): {"status": "success", "image": own}, hotkey(0): {"status": "in_progress"}}));
    let before = tree(folder.path());
    let dry = gen404(folder.path(), &["builds", "--dry-run"]).ends(0);
    assert!(dry.out.contains("1 success, 1 in_progress, 1 pending"), "{}", dry.out);
    assert_eq!(tree(folder.path()), before);
    gen404(folder.path(), &["builds"]).ends(0);
    assert_eq!(statuses(folder.path()), ["in_progress", "pending", "success"], "in order of submissions.json");
    let entry = &builds(folder.path())[hotkey(2)];
    assert_eq!((&entry["docker_image"], &entry["tag"]), (&json!(own), &json!(tag(2))));
    assert_eq!((&entry["repo"], &entry["revealed_at_block"]), (&json!("miner/2"), &json!(112)));
    verified(folder.path());

    // A success stays, whatever is said later; the others are judged anew.
    write_json(
        &made,
        &json!({hotkey(2): {"status": "pending"}, hotkey(0): {"status": "success"},
                              hotkey(1): {"status": "failure"}}),
    );
    let run = gen404(folder.path(), &["builds", "--json"]).ends(0).json();
    assert_eq!(run["files"], json!(["rounds/0/builds.json"]));
    assert_eq!(run["miners"][hotkey(0)]["image"], json!(image(0)));
    assert_eq!(run["miners"][hotkey(1)]["status"], "failure");
    assert_eq!(statuses(folder.path()), ["success", "failure", "success"]);
    let quiet = gen404(folder.path(), &["builds", "--wait"]).ends(0);
    assert_eq!(quiet.out, "round 0: 2 success, 1 failure\n", "nothing is new, nothing is open");
    write_json(&made, &json!({hotkey(1): {"status": "success"}}));
    gen404(folder.path(), &["builds"]).ends(0);
    verified(folder.path());

    // All are built: nobody is asked, and in the next stage but one nothing is due.
    std::fs::remove_file(&made).unwrap();
    let done = gen404(folder.path(), &["builds"]).ends(0);
    assert!(done.out.contains("3 success, as recorded already"), "{}", done.out);
    edit(folder.path(), "state.json", |state| state.replace("miner_generation", "finalizing"));
    gen404(folder.path(), &["builds"]).ends(0);
    edit(folder.path(), "state.json", |state| state.replace("finalizing", "open"));
    let early = gen404(folder.path(), &["builds"]).ends(3);
    assert!(early.out.contains("builds is not due"), "{}", early.out);
}

#[test]
fn a_file_cannot_say_what_verify_would_refuse() {
    let folder = competition(2, "");
    let unknown = gen404(folder.path(), &["builds"]).ends(2);
    assert!(unknown.err.contains("[builds]"), "{}", unknown.err);
    let wrong = [
        json!({hotkey(0): {"status": "success", "image": "registry.example/x:latest"}}),
        json!({hotkey(0): {"status": "success", "image": image(1).replace(&tag(1), &tag(0))}}),
        json!({hotkey(0): {"status": "done"}}),
        json!({"nobody": {"status": "success"}}),
    ];
    let before = tree(folder.path());
    for said in wrong {
        let made = folder.path().join(".gen404-made.json");
        write_json(&made, &said);
        let run = gen404(folder.path(), &["builds", "--file", ".gen404-made.json"]).ends(1);
        assert!(run.err.contains(".gen404-made.json"), "{}", run.err);
        std::fs::remove_file(&made).unwrap();
        assert_eq!(tree(folder.path()), before, "{said}");
    }
}
