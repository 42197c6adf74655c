//! `download` from outside: whole rounds into a folder, resumed, retried, split, killed.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cdn::{Cdn, Serve, blank_glb, triangle_glb};
use crate::round::{DEADLINE, committed, download, hotkey, refusals, round, stage, stem, submitted};
use crate::support::{command, edit, findings, gen404, tree};

/// A good miner's server: two models that can be drawn, and others.
fn good(path: &str) -> Vec<u8> {
    if path.ends_with("00aa.glb") { triangle_glb(path) } else { blank_glb(path) }
}

#[test]
fn a_round_is_fetched_drawn_stored_and_recorded() {
    let cdn = Cdn::start(|path, _| Serve::File(good(path)));
    let folder = round(&[format!("{}/a", cdn.url())], 3);
    let early = gen404(folder.path(), &["download", "--block", "799", "--store-dir", "x"]).ends(3);
    assert!(early.out.contains("due from block 800 on"), "{}", early.out);
    let elsewhere = folder.path().join("not-made");
    let dry = ["download", "--dry-run", "--block", DEADLINE, "--store-dir", elsewhere.to_str().unwrap()];
    gen404(folder.path(), &dry).ends(0);
    assert!(!elsewhere.exists(), "a dry run made a folder");
    let dry = download(folder.path(), &["--dry-run"]).ends(0);
    assert!(dry.out.contains("would fetch 3 files of 1 miner") && cdn.seen().is_empty(), "{}", dry.out);
    let run = download(folder.path(), &["-v"]).ends(0);
    assert!(run.out.contains("round 0 moves to duels"), "{}", run.out);
    assert_eq!(stage(folder.path()), "duels");
    let entries = submitted(folder.path(), 0);
    let base = format!("https://cdn.example/rounds/0/{}/submitted", hotkey(0));
    let drawn = &entries[stem(0)];
    assert_eq!(drawn["glb"], format!("{base}/00aa.glb"));
    assert_eq!(drawn["png"], format!("{base}/00aa.png"));
    assert_eq!((drawn["attempts"].as_u64(), drawn["generation_time"].as_f64()), (Some(0), Some(0.0)));
    assert_eq!(drawn["size"].as_u64(), Some(triangle_glb("/a/00aa.glb").len() as u64));
    assert_eq!(entries[stem(1)]["png"], serde_json::Value::Null);
    assert!(run.err.contains("(data.shape)"), "the reason of a refusal: {}", run.err);
    let refused = refusals(folder.path(), 0);
    assert_eq!(refused.keys().collect::<Vec<_>>(), [stem(1), stem(2)].iter().collect::<Vec<_>>());
    assert_eq!(refused[&stem(1)]["code"], "data.shape");
    assert!(
        run.err.contains(&format!("{} (data.shape)", refused[&stem(1)]["reason"].as_str().unwrap())),
        "{refused:?}"
    );
    let objects = folder.path().join(".gen404/objects/rounds/0").join(hotkey(0)).join("submitted");
    assert_eq!(std::fs::read(objects.join("01aa.glb")).unwrap(), blank_glb("/a/01aa.glb"));
    assert!(std::fs::read(objects.join("00aa.png")).unwrap().starts_with(b"\x89PNG"));
    let sums = std::fs::read_to_string(folder.path().join(format!("rounds/0/{}/SHA256SUMS", hotkey(0)))).unwrap();
    assert_eq!(sums.lines().count(), 4);
    let outputs: Vec<_> = findings(folder.path(), &[]).into_iter().filter(|f| f.id == "outputs.rules").collect();
    assert!(outputs.is_empty(), "{outputs:?}");
    objects_are_checked(folder.path(), &objects);
    let again = download(folder.path(), &[]).ends(0);
    assert!(again.out.contains("already recorded") && cdn.seen().len() == 3, "{}", again.out);
}

/// `verify --objects` on a round of one miner, and on one whose objects were tampered with.
fn objects_are_checked(folder: &Path, objects: &Path) {
    let flags = ["--objects", "--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"];
    let of = |flags: &[&str]| -> Vec<_> {
        findings(folder, flags).into_iter().filter(|found| found.id.starts_with("object.")).collect()
    };
    assert!(of(&flags).is_empty(), "{:?}", of(&flags));
    let glb = objects.join("01aa.glb");
    let mut bytes = std::fs::read(&glb).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&glb, &bytes).unwrap();
    std::fs::remove_file(objects.join("02aa.glb")).unwrap();
    let found = of(&[&flags[..], &["--sample", "3"]].concat());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].id.as_str(), found[0].status.as_str()), ("object.sha256", "fail"));
    assert!(found[0].detail.contains("submitted/01aa.glb") && found[0].detail.contains("02aa"), "{found:?}");
    bytes[20] ^= 1;
    std::fs::write(&glb, &bytes).unwrap();
}

#[test]
fn what_failed_is_recorded_and_fetched_again_when_asked() {
    let cdn = Cdn::start(|path, before| match path {
        "/a/01aa.glb" if before == 0 => Serve::Status(404, String::new()),
        "/a/02aa.glb" if before == 0 => Serve::File(b"<html>soon</html>".to_vec()),
        "/a/03aa.glb" if before > 0 => Serve::File(blank_glb("other bytes")),
        path => Serve::File(blank_glb(path)),
    });
    let folder = round(&[format!("{}/a", cdn.url()), format!("{}/b", cdn.url())], 4);
    let only = download(folder.path(), &["--only", &hotkey(0), "--json"]).ends(0).json();
    assert_eq!(only["details"]["miners"][hotkey(0)]["failed"], 1, "{only}");
    assert_eq!(only["details"]["miners"][hotkey(0)]["refused"], 3, "{only}");
    assert_eq!(only["details"]["miners"][hotkey(0)]["fetched"], 0, "each file is counted once: {only}");
    assert_eq!(stage(folder.path()), "downloading", "another miner is left");
    let entry = |n: usize| submitted(folder.path(), 0)[stem(n)].clone();
    assert_eq!((&entry(1)["glb"], &entry(1)["size"]), (&serde_json::Value::Null, &0.into()));
    assert_eq!(entry(2)["glb"], serde_json::Value::Null, "an error page is not stored");
    let codes =
        || refusals(folder.path(), 0).into_iter().map(|(_, refusal)| refusal["code"].clone()).collect::<Vec<_>>();
    assert_eq!(codes(), ["data.shape", "fetch.missing", "file.format", "data.shape"]);
    let status = gen404(folder.path(), &["status"]).ends(0);
    assert!(status.out.contains("status 404"), "{}", status.out);
    let journal = folder.path().join(".gen404/download");
    std::fs::rename(&journal, folder.path().join("journal")).unwrap();
    let elsewhere = gen404(folder.path(), &["status"]).ends(0);
    assert_eq!(elsewhere.out, status.out, "a machine without the journal reads the public file");
    std::fs::rename(folder.path().join("journal"), &journal).unwrap();

    let before = cdn.seen().len();
    download(folder.path(), &["--only", &hotkey(0)]).ends(0);
    assert_eq!(cdn.seen().len(), before, "nothing was asked to be fetched again");
    download(folder.path(), &["--only", &hotkey(0), "--retry-failed"]).ends(0);
    assert!(entry(1)["glb"].as_str().unwrap().ends_with("/01aa.glb"));
    assert_eq!(codes(), ["data.shape"; 4]);
    assert!(entry(2)["glb"].as_str().unwrap().ends_with("/02aa.glb"));
    // A key that is taken is never given other bytes.
    assert!(entry(3)["glb"].as_str().unwrap().ends_with("/03aa-2.glb"), "{}", entry(3));
    assert!(entry(0)["glb"].as_str().unwrap().ends_with("/00aa.glb"), "the same bytes keep their key");
    download(folder.path(), &[]).ends(0);
    assert_eq!(stage(folder.path()), "duels");
    let late = download(folder.path(), &["--retry-failed"]).ends(3);
    assert!(late.out.contains("download is not due"), "{}", late.out);
}

#[test]
fn the_reasons_are_gone_once_nothing_is_refused_and_older_marks_have_a_code_of_their_own() {
    let cdn = Cdn::start(|path, before| match path {
        "/a/01aa.glb" if before == 0 => Serve::Status(410, String::new()),
        path => Serve::File(triangle_glb(path)),
    });
    let folder = round(&[format!("{}/a", cdn.url()), format!("{}/b", cdn.url())], 2);
    download(folder.path(), &["--only", &hotkey(0)]).ends(0);
    let first = refusals(folder.path(), 0);
    assert_eq!((first.len(), &first[&stem(1)]["code"]), (1, &"fetch.missing".into()));
    edit(folder.path(), ".gen404/download/round-0/outcomes.jsonl", |text| {
        text.replace("\"code\":\"fetch.missing\",", "")
    });
    download(folder.path(), &["--only", &hotkey(0)]).ends(0);
    assert_eq!(refusals(folder.path(), 0)[&stem(1)]["code"], "unknown");
    download(folder.path(), &["--only", &hotkey(0), "--retry-failed"]).ends(0);
    let path = |n: u8| folder.path().join(format!("rounds/0/{}/refusals.json", hotkey(n)));
    assert_eq!(std::fs::read_to_string(path(0)).unwrap(), "{}");
    download(folder.path(), &[]).ends(0);
    assert!(!path(1).exists(), "nothing of this miner was ever refused");
    let found: Vec<_> = findings(folder.path(), &[]).into_iter().filter(|f| f.id.starts_with("outputs")).collect();
    assert_eq!(found, []);
}

#[test]
fn shards_share_the_miners_and_the_last_one_moves_the_stage() {
    let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
    let cdns: Vec<String> = (0..5).map(|n| format!("{}/{n}", cdn.url())).collect();
    let folder = round(&cdns, 2);
    let git = committed(folder.path());
    for (shard, stage_then) in [("1/3", "downloading"), ("0/3", "downloading"), ("2/3", "duels")] {
        download(folder.path(), &["--shard", shard, "--commit"]).ends(0);
        assert_eq!(stage(folder.path()), stage_then, "after shard {shard}");
    }
    assert_eq!(cdn.seen().iter().collect::<BTreeSet<_>>().len(), 10);
    assert_eq!(cdn.seen().len(), 10);
    let messages: Vec<String> = git.log().unwrap().commits.iter().map(|commit| commit.summary.clone()).collect();
    let update = |n: u8| format!("Update submitted for round 0, miner {}", &hotkey(n)[..10]);
    let messages = &messages[1..];
    assert_eq!(messages[0], "Round 0: downloading");
    assert!(messages[1].starts_with(&update(1)), "{messages:?}");
    assert!(messages[2].starts_with(&update(0)), "{messages:?}");
    assert_eq!(messages[3].lines().next(), Some("Round 0: duels"), "{messages:?}");
    download(folder.path(), &["--shard", "3/3"]).ends(2);
}

#[test]
fn the_files_written_do_not_depend_on_how_many_work() {
    let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
    let cdns: Vec<String> = (0..4).map(|n| format!("{}/{n}", cdn.url())).collect();
    let mut trees = Vec::new();
    for (connections, workers) in [(1, 1), (16, 4)] {
        let folder = round(&cdns, 6);
        let toml = folder.path().join("gen404.toml");
        let text = std::fs::read_to_string(&toml).unwrap();
        std::fs::write(&toml, format!("{text}connections = {connections}\nworkers = {workers}\n")).unwrap();
        download(folder.path(), &[]).ends(0);
        std::fs::remove_file(&toml).unwrap();
        trees.push((tree(folder.path()), tree(&folder.path().join(".gen404/objects"))));
    }
    assert!(trees[0] == trees[1], "other files with other threads");
    let asked: Vec<String> = cdn.seen().into_iter().take(24).collect();
    let sorted = {
        let mut sorted = asked.clone();
        sorted.sort();
        sorted
    };
    assert_ne!(asked, sorted, "no miner is always first");
}

/// Paths of files that a killed run has whole: noted in the journal, or waiting to be stored.
pub fn whole(own: &Path) -> HashMap<String, ()> {
    let journal = std::fs::read_to_string(own.join("download/round-0/outcomes.jsonl")).unwrap_or_default();
    let end = journal.rfind('\n').map_or(0, |at| at + 1);
    let mut whole = HashMap::new();
    for line in journal[..end].lines() {
        let mark: serde_json::Value = serde_json::from_str(line).unwrap();
        let (who, what) = (mark["hotkey"].as_str().unwrap(), mark["stem"].as_str().unwrap());
        whole.insert(format!("/{who}/{what}.glb"), ());
    }
    for entry in std::fs::read_dir(own.join("download/round-0/files")).into_iter().flatten().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        if entry.path().extension().is_some_and(|extension| extension == "whole") {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (_, mark) = text.split_once("generator\":\"").unwrap();
            whole.insert(mark.split_once('"').unwrap().0.to_owned(), ());
        }
    }
    whole
}

#[test]
fn killed_at_any_moment_and_run_again_it_ends_with_the_same_bytes() {
    const KILLS: usize = 50;
    let cdn = Cdn::start(|path, _| Serve::Late(Duration::from_millis(150), blank_glb(path)));
    // The hotkey in the path makes each file's bytes tell whose it is.
    let cdns: Vec<String> = (0..8).map(|n| format!("{}/{}", cdn.url(), hotkey(n))).collect();
    let prompts = 24;
    let undisturbed = round(&cdns, prompts);
    let whole_run = Instant::now();
    download(undisturbed.path(), &[]).ends(0);
    let whole_run = whole_run.elapsed();

    let folder = round(&cdns, prompts);
    let own = folder.path().join(".gen404");
    let mut random = 0x9e37_79b9_u64;
    let (mut kills, mut fetched_twice) = (0, Vec::new());
    while kills < KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let asked_before = cdn.seen().len();
        let had = whole(&own);
        let store = ["--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"];
        let mut child = command(folder.path());
        child.args(["download", "--block", DEADLINE]).args(store);
        let mut child = child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let most = u64::try_from(whole_run.as_millis()).unwrap() / 10 + 60;
        std::thread::sleep(Duration::from_millis((random >> 33) % most));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        fetched_twice.extend(cdn.seen()[asked_before..].iter().filter(|path| had.contains_key(*path)).cloned());
    }
    assert!(fetched_twice.is_empty(), "{fetched_twice:?}");
    let left = cdns.len() * prompts - whole(&own).len();
    let before = cdn.seen().len();
    download(folder.path(), &[]).ends(0);
    assert!(cdn.seen().len() - before <= left, "more than what was missing was fetched");
    assert!(tree(folder.path()) == tree(undisturbed.path()), "other files in the end");
    let objects = ".gen404/objects";
    let (found, expected) = (tree(&folder.path().join(objects)), tree(&undisturbed.path().join(objects)));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert!(found == expected, "other bytes in the end");
    assert_eq!(std::fs::read_dir(own.join("download/round-0/files")).unwrap().count(), 0, "something was left over");
}

#[test]
fn a_prompt_that_was_drawn_twice_is_one_file() {
    let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
    let folder = round(&[cdn.url()], 8);
    edit(folder.path(), "rounds/0/prompts.txt", |text| {
        format!("{text}\n{}", text.replace("prompts.example", "again.example"))
    });
    download(folder.path(), &[]).ends(0);
    assert_eq!((cdn.seen().len(), submitted(folder.path(), 0).as_object().unwrap().len()), (8, 8));
    assert_eq!(stage(folder.path()), "duels");
}
