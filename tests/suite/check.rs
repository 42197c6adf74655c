//! `check`: what it foretells is what `download` and `audit` then record, and it writes nothing into the competition.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::audit_support::{model, picture, prompt_of};
use crate::cdn::{Cdn, Serve, blank_glb, triangle_glb};
use crate::chain_support::{Fake, Reply};
use crate::round::{download, hotkey, round, stem};
use crate::support::{Run, command, edit, example, gen404, git, skipped, tree};

/// A run with `--json` that ended with this code and as its schema says: its details.
#[track_caller]
fn check(folder: &Path, code: i32, args: &[&str]) -> Value {
    let output = gen404(folder, &[&["check", "--json"], args].concat()).ends(code).json();
    crate::json::check("check", &output);
    output["details"].clone()
}

/// What is foretold of each file, by stem: outcome, reason, sum and size of the stored model.
fn foretold(details: &Value) -> BTreeMap<String, [Value; 4]> {
    let files = details["files"].as_array().unwrap().iter();
    let told = |file: &Value| ["outcome", "reason", "sha256", "size"].map(|key| file[key].clone());
    let stored = |file: &Value| {
        let [outcome, reason, sum, size] = told(file);
        if file["model"] == true { [outcome, reason, sum, size] } else { [outcome, reason, Value::Null, Value::Null] }
    };
    files.map(|file| (file["stem"].as_str().unwrap().to_owned(), stored(file))).collect()
}

/// The same of what `download` noted of a miner.
fn noted(own: &Path, miner: &str) -> BTreeMap<String, [Value; 4]> {
    let journal = std::fs::read_to_string(own.join("download/round-0/outcomes.jsonl")).unwrap();
    let marks = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let marks = marks.filter(|mark| mark["hotkey"] == miner);
    let model =
        |mark: &Value, key: &str| mark.get("model").or_else(|| mark.get("glb")).unwrap_or(&Value::Null)[key].clone();
    let told =
        |mark: &Value| [mark["outcome"].clone(), mark["reason"].clone(), model(mark, "sha256"), model(mark, "size")];
    marks.map(|mark| (mark["stem"].as_str().unwrap().to_owned(), told(&mark))).collect()
}

/// What the public record says of refusals is what was foretold, where it has them.
fn refusals_agree(folder: &Path, miner: &str, details: &Value) {
    let path = folder.join(format!("rounds/0/{miner}/refusals.json"));
    let Ok(bytes) = std::fs::read(&path) else { return };
    let recorded: Value = serde_json::from_slice(&bytes).unwrap();
    for file in details["files"].as_array().unwrap() {
        let stem = file["stem"].as_str().unwrap();
        let expected = recorded.get(stem).cloned().unwrap_or(json!({"code": null, "reason": null}));
        assert_eq!(json!({"code": file["code"], "reason": file["reason"]}), expected, "{miner} {stem}");
    }
}

/// A miner's server, by the first part of the path.
fn serve(path: &str, _before: usize) -> Serve {
    let redirect = |to: &str| Serve::Status(302, format!("Location: {to}\r\n"));
    let glb = triangle_glb(path);
    let raw = |head: &str, bytes: &[u8]| Serve::Raw([head.as_bytes(), bytes].concat());
    match path.split('/').nth(1).unwrap() {
        "good" => Serve::File(glb),
        "blank" => Serve::File(blank_glb(path)),
        "404" => Serve::Status(404, String::new()),
        "500" => Serve::Status(500, String::new()),
        "endless" => Serve::Endless,
        "gzip" => raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", b"\x1f"),
        "html" => Serve::File(b"<!doctype html><title>welcome</title>".to_vec()),
        "half" => Serve::File(glb[..glb.len() / 2].to_vec()),
        "empty" => Serve::File(Vec::new()),
        "loop" => redirect(path),
        "to-a-file" => redirect("file:///etc/passwd"),
        "cut-off" => raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n", b"abc"),
        "drip" if path.contains("00aa") => Serve::Drip(glb, 10, std::time::Duration::from_millis(60)),
        _ => Serve::File(glb),
    }
}

#[test]
fn what_download_records_of_hostile_servers_is_foretold() {
    let kinds = [
        "good",
        "blank",
        "404",
        "500",
        "endless",
        "gzip",
        "html",
        "half",
        "empty",
        "loop",
        "to-a-file",
        "cut-off",
        "drip",
    ];
    let cdn = Cdn::start(serve);
    let cdns: Vec<String> = kinds.iter().map(|kind| format!("{}/{kind}", cdn.url())).collect();
    let folder = round(&cdns, 2);
    let before = tree(folder.path());
    let told: Vec<Value> = std::thread::scope(|scope| {
        let ask = |(number, url): (usize, &String)| {
            let (folder, url) = (folder.path(), url.clone());
            let code = i32::from(kinds[number] != "good");
            scope.spawn(move || check(folder, code, &[&url]))
        };
        let asked: Vec<_> = cdns.iter().enumerate().map(ask).collect();
        asked.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(tree(folder.path()) == before && !folder.path().join(".gen404").exists(), "check wrote something");
    download(folder.path(), &[]).ends(0);
    for (number, (kind, told)) in kinds.iter().zip(&told).enumerate() {
        let miner = hotkey(u8::try_from(number).unwrap());
        let recorded = noted(&folder.path().join(".gen404"), &miner);
        assert_eq!(recorded.len(), 2);
        assert_eq!(foretold(told), recorded, "{kind}");
        assert_eq!(told["hotkey"], miner, "found by its URL");
        refusals_agree(folder.path(), &miner, told);
    }
    // The worst comes first.
    let drip = &told[kinds.len() - 1]["files"];
    assert_eq!((&drip[0]["stem"], &drip[0]["outcome"]), (&json!(stem(0)), &json!("failed")));
    assert!(drip[0]["reason"].as_str().unwrap().contains("slower than"), "{drip}");
}

#[test]
fn a_file_that_came_at_the_second_attempt_is_told() {
    let cdn = Cdn::start(|path, before| match before {
        0 => Serve::Status(503, String::new()),
        _ => Serve::File(triangle_glb(path)),
    });
    let folder = round(&[cdn.url()], 1);
    let run = gen404(folder.path(), &["check", &cdn.url()]).ends(0);
    assert!(run.out.contains(" s after 1 retry, drawn in "), "{}", run.out);
    assert_eq!(check(folder.path(), 0, &[&cdn.url()])["files"][0]["retries"], 0, "it is served by now");
}

/// A folder of models: name and contents.
fn folder_of(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn a_folder_is_checked_as_its_files_would_be_served() {
    let competition = round(&["https://cdn.example/x".to_owned()], 6);
    let same = triangle_glb("same");
    let models = folder_of(&[
        ("00aa.glb", triangle_glb("one")),
        ("01aa.glb", same.clone()),
        ("02aa.glb", same),
        ("03aa.glb", blank_glb("nothing to see")),
        ("04aa.glb", vec![0; 9 << 20]),
        ("05AA.glb", triangle_glb("five")),
        ("notes.txt", b"mine".to_vec()),
    ]);
    let (before, here) = (tree(competition.path()), models.path().to_str().unwrap());
    let previews = tempfile::tempdir().unwrap();
    let pictures = previews.path().join("made/pictures");
    let told = check(competition.path(), 1, &[here, "--previews", pictures.to_str().unwrap()]);
    let outcome = |stem: &str| {
        let files = told["files"].as_array().unwrap();
        files.iter().find(|file| file["stem"] == stem).unwrap_or_else(|| panic!("{stem}: {told:#}")).clone()
    };
    assert_eq!(outcome("00aa")["outcome"], "stored");
    assert_eq!((&outcome("03aa")["outcome"], &outcome("03aa")["code"]), (&json!("refused"), &json!("data.shape")));
    assert_eq!(outcome("04aa")["reason"], "the body is longer than 8388608 bytes");
    let missing = ["outcome", "code", "reason"].map(|key| outcome("05aa")[key].clone());
    assert_eq!(missing, ["failed", "fetch.missing", "status 404"], "names have their case, as on a server");
    assert_eq!(told["duplicates"], json!([["01aa", "02aa"]]));
    let near: Vec<_> = told["unasked"].as_array().unwrap().iter().map(|one| (&one["name"], &one["near"])).collect();
    assert_eq!(near, [(&json!("05AA.glb"), &json!("05aa")), (&json!("notes.txt"), &Value::Null)]);
    assert_eq!(told["summary"], json!({"stored": 3, "refused": 1, "failed": 2, "bytes": told["summary"]["bytes"]}));
    let drawn: Vec<_> = tree(&pictures).into_keys().collect();
    assert_eq!(drawn, ["00aa.png", "01aa.png", "02aa.png"].map(std::path::PathBuf::from));
    assert!(tree(competition.path()) == before && !competition.path().join(".gen404").exists());
    let text = gen404(competition.path(), &["check", here]).ends(1);
    assert!(text.out.contains("05AA.glb is not asked for: is it 05aa.glb?"), "{}", text.out);
    assert!(text.out.contains("missing 05aa: no 05aa.glb in this folder (fetch.missing)"), "{}", text.out);
    assert!(text.out.contains("3 of 6 files would be stored with a preview: 1 missing, 1 too large, 1 refused\n"));
    assert!(
        text.out.contains("too large 04aa: 04aa.glb has more than 8388608 bytes (fetch.too-large)\n"),
        "{}",
        text.out
    );
    assert!(!text.out.contains("body") && !text.out.contains("fetched in"), "nothing is sent: {}", text.out);
    assert!(text.out.contains("--hotkey HOTKEY also checks its payload"), "{}", text.out);
    let next = "next: by block 800: add 1 missing file, make 1 file smaller (at most 8388608 bytes), fix 1 refused file; then \
         check again";
    assert!(text.out.contains(next), "{}", text.out);
    // The same bytes as `download` would have stored.
    let bytes = std::fs::read(models.path().join("00aa.glb")).unwrap();
    assert_eq!(outcome("00aa")["size"], bytes.len());
    // Neither previews nor notes of the work go into the competition.
    for flag in ["--previews", "--work"] {
        let inside = competition.path().join("rounds/made");
        let refused = gen404(competition.path(), &["check", here, flag, inside.to_str().unwrap()]).ends(2);
        assert!(refused.err.contains("inside the competition's folder"), "{}", refused.err);
    }
    let dry = gen404(competition.path(), &["check", here, "--dry-run", "--previews", "not-made"]).ends(2);
    assert!(dry.err.contains("inside"), "{}", dry.err);
    let unmade = previews.path().join("unmade");
    gen404(competition.path(), &["check", here, "--dry-run", "--previews", unmade.to_str().unwrap()]).ends(1);
    assert!(!unmade.exists());
}

/// A competition in the reveal window of round 0 (blocks 100 to 200, files by block 800), whose chain is at this block,
/// 2026-03-01T12:00:00Z. Miner 0 has revealed in block 150, miner 1 too late, in block 250.
fn revealing(block: u64) -> tempfile::TempDir {
    let folder = round(&[], 1);
    for name in ["seed.json", "prompts.txt", "submissions.json"] {
        std::fs::remove_file(folder.path().join("rounds/0").join(name)).unwrap();
    }
    edit(folder.path(), "state.json", |text| text.replace("miner_generation", "open"));
    let full = json!({"repo": "a/b", "commit": "0".repeat(40), "cdn_url": "https://cdn.example.com/x"}).to_string();
    let at = |block: u64| json!([{"block": block, "text": full}]);
    let chain = json!({"current_block": block, "block_times": {block.to_string(): 1_772_366_400},
        "commitments": {hotkey(0): at(150), hotkey(1): at(250)}});
    std::fs::write(folder.path().join("chain.json"), chain.to_string()).unwrap();
    folder
}

/// What a miner is told, and its exit code.
fn told(folder: &Path, miner: u8, flags: &[&str]) -> (i32, String) {
    let models = folder_of(&[("00aa.glb", triangle_glb("a"))]);
    let args = ["check", models.path().to_str().unwrap(), "--hotkey", &hotkey(miner)];
    let run = gen404(folder, &[&args, flags].concat());
    check(folder, run.code, &[&args[1..], flags].concat());
    (run.code, run.out)
}

const CHAIN: [&str; 2] = ["--chain-file", "chain.json"];

#[test]
fn the_windows_end_is_counted_down_to_before_the_deadline() {
    let (code, early) = told(revealing(50).path(), 0, &CHAIN);
    assert_eq!(code, 3, "it may still be revealed: {early}");
    let parts = [
        "payloads count that are revealed within blocks 100 to 200: from block 100 on, in 50 blocks (about 2026-03-01 \
         12:10",
        "files are due by block 800, in 750 blocks",
        "next: commit a payload that is revealed within blocks 100 to 200\n",
    ];
    assert!(parts.iter().all(|part| early.contains(part)), "{early}");
    let (code, during) = told(revealing(160).path(), 0, &CHAIN);
    assert_eq!(code, 3, "it is in, and waits for the prompts: {during}");
    let window = during.find("payloads count that are revealed by block 200, in 40 blocks (about ").unwrap();
    assert!(window < during.find("files are due by block 800, in 640 blocks").unwrap(), "{during}");
    let (_, after) = told(revealing(201).path(), 0, &CHAIN);
    assert!(!after.contains("payloads count") && after.contains("files are due by block 800"), "{after}");
}

#[test]
fn a_miner_that_is_not_in_the_round_is_sent_to_the_next() {
    let folder = revealing(300);
    let (code, none) = told(folder.path(), 2, &CHAIN);
    assert_eq!(code, 1);
    let out = "nothing is revealed within blocks 100 to 200, and the window is over: you are not in round 0\n";
    let next = "next: commit a payload for round 1: what is revealed from block 201 on counts for it\n";
    assert!(none.contains(out) && none.contains(next), "{none}");
    assert!(!none.contains("files are due"), "{none}");
    let (_, late) = told(folder.path(), 1, &CHAIN);
    assert!(late.contains("next: what was revealed in block 250 counts for round 1: check again"), "{late}");
    let (code, taken) = told(folder.path(), 0, &CHAIN);
    assert!(code == 3 && taken.contains("files are due by block 800"), "{taken}");
    // After the last round there is no next one.
    edit(folder.path(), "config.json", |text| text.replace("2026-04-01", "2026-03-01"));
    let (_, last) = told(folder.path(), 2, &CHAIN);
    assert!(last.contains(out) && !last.contains("next:"), "{last}");
    // By what is recorded.
    let folder = round(&["https://cdn.example/a".to_owned()], 1);
    let (code, recorded) = told(folder.path(), 5, &["--block", "300", "--now", "2026-03-01T12:00:00Z"]);
    assert!(code == 1 && recorded.contains("it takes no part in round 0"), "{recorded}");
    assert!(
        recorded.contains("next: commit a payload for round 1") && !recorded.contains("files are due"),
        "{recorded}"
    );
}

#[test]
fn a_round_that_is_over_or_to_come_sets_no_work() {
    let folder = round(&["https://cdn.example/a".to_owned()], 2);
    let root = folder.path();
    let run = |state: Value, flags: &[&str], code: i32| {
        std::fs::write(root.join("state.json"), state.to_string()).unwrap();
        let told = check(root, code, &[&["."], flags].concat());
        (told["course"].clone(), gen404(root, &[&["check", "."], flags].concat()).ends(code).out)
    };
    let state = |round: u32, stage: &str| json!({"current_round": round, "stage": stage, "next_stage_eta": null});
    std::fs::create_dir(root.join("rounds/1")).unwrap();
    std::fs::copy(root.join("rounds/0/schedule.json"), root.join("rounds/1/schedule.json")).unwrap();
    let (course, over) = run(state(1, "open"), &["--round", "0"], 1);
    assert!(over.contains("round 0 is over (state.json: round 1 is open): it takes no more files"), "{over}");
    assert!(over.contains("next: gen404 check .  # round 1 is the current one\n"), "{over}");
    assert_eq!((course, over.contains("by block 800")), (json!("over"), false), "{over}");
    for stage in ["finished", "finalizing"] {
        let (_, over) = run(state(0, stage), &[], 1);
        assert!(over.contains("round 0 is over (state.json: round 0 is"), "{over}");
        assert!(!over.contains("next:") && !over.contains("files are due"), "{over}");
    }
    let (course, fetched) = run(state(0, "duels"), &[], 1);
    assert!(fetched.contains("later uploads may be too late") && !fetched.contains("next:"), "{fetched}");
    assert_eq!(course, "fetched");
    let (course, to_come) = run(state(0, "miner_generation"), &["--round", "1"], 3);
    assert!(to_come.contains("round 1 has not opened yet (state.json: round 0 is in miner_generation)"), "{to_come}");
    assert_eq!((course, to_come.contains("files are due")), (json!("to_come"), false), "{to_come}");
}

#[test]
fn times_are_the_chains_where_it_tells_and_estimated_elsewhere() {
    let folder = revealing(160);
    let (_, by_chain) = told(folder.path(), 0, &[&["--block", "180"], &CHAIN[..]].concat());
    assert!(by_chain.contains("block 800, in 620 blocks (about 2026-03-01 14:08"), "{by_chain}");
    assert!(!by_chain.contains("estimated"), "{by_chain}");
    let (_, alone) = told(folder.path(), 0, &["--block", "180"]);
    assert!(alone.contains(", in 2 h 4 min; estimated by this machine's clock)"), "{alone}");
    let (_, given) = told(folder.path(), 0, &["--block", "180", "--now", "2026-03-02T00:00:00Z"]);
    assert!(given.contains("(about 2026-03-02 02:04") && !given.contains("estimated"), "{given}");
}

#[test]
fn all_faults_of_a_payload_are_told_at_once() {
    let folder = revealing(160);
    let wrong = json!({"repo": "no repo", "commit": "HEAD", "cdn_url": "ftp://x"}).to_string();
    let chain = json!({"current_block": 160, "commitments": {hotkey(3): [{"block": 150, "text": wrong}]}});
    std::fs::write(folder.path().join("chain.json"), chain.to_string()).unwrap();
    let (_, said) = told(folder.path(), 3, &CHAIN);
    let line = said.lines().find(|line| line.starts_with("payload refused: ")).unwrap();
    assert!(["refused: repo: ", "; commit: ", "; cdn_url: "].iter().all(|fault| line.contains(fault)), "{line}");
}

#[test]
fn what_lies_around_in_a_folder_is_told_in_its_own_words() {
    let competition = round(&["https://cdn.example/x".to_owned()], 4);
    let models = folder_of(&[
        ("00aa.glb", triangle_glb("one")),
        ("00aa.png", b"a preview".to_vec()),
        ("01aa.png", b"of no model".to_vec()),
    ]);
    let here = models.path();
    std::fs::create_dir(here.join("02aa.glb")).unwrap();
    std::fs::create_dir(here.join("out")).unwrap();
    std::fs::write(here.join("out/01aa.glb"), triangle_glb("two")).unwrap();
    std::os::unix::net::UnixListener::bind(here.join("03aa.glb")).unwrap();
    let args = ["check", here.to_str().unwrap()];
    let run = gen404(competition.path(), &args).ends(1);
    for part in [
        "missing 02aa: 02aa.glb is a folder, not a file (fetch.missing)\n",
        "missing 03aa: 03aa.glb is a pipe, a socket or a device, not a file (fetch.missing)\n",
        "01aa.png is not asked for: is it 01aa.glb?\n",
        "1 picture beside models of the same name: ignored\n",
        "1 model in folders below, such as out/01aa.glb: ignored",
        "limits of a file: 8 MiB (by ",
        "; the operator's may be others)\n",
        "next: by block 800: add 3 missing files; then check again",
    ] {
        assert!(run.out.contains(part), "no {part:?} in {}", run.out);
    }
    assert!(!run.out.contains("00aa.png"), "{}", run.out);
    let told = check(competition.path(), 1, &args[1..]);
    assert_eq!((&told["pictures"], &told["below"]), (&json!(1), &json!(["out/01aa.glb"])));
    std::fs::remove_file(competition.path().join("gen404.toml")).unwrap();
    let clone = gen404(competition.path(), &args).ends(1);
    let limits = "limits of a file: 200 MiB (the defaults; the operator may have set others)\n";
    assert!(clone.out.contains(limits), "{}", clone.out);
    // Quiet: the result stays.
    let quiet = gen404(competition.path(), &[&args[..], &["-q"]].concat()).ends(1);
    assert_eq!((quiet.out.lines().count(), quiet.err.as_str()), (clone.out.lines().count(), ""));
}

#[test]
fn what_is_named_and_not_there_is_a_mistake_of_the_command_line() {
    let folder = example(false);
    for args in [
        &["check", ".", "--prompts", "gone.txt"][..],
        &["check", ".", "--chain-file", "gone.json"],
        &["check", "gone"],
        &["check", ".", "--round", "9"],
        &["check", ".", "--repo", "gone"],
        &["leader", "--chain-file", "gone.json"],
        &["render", "gone.glb"],
    ] {
        let run = gen404(folder.path(), args).ends(2);
        assert!(run.err.contains("gone") || run.err.contains("round 9"), "{args:?}: {}", run.err);
    }
}

#[test]
fn before_the_prompts_are_known_the_files_are_held_to_the_format() {
    let folder = example(false);
    let models =
        folder_of(&[("a.glb", triangle_glb("a")), ("b.glb", b"<html>".to_vec()), ("c d.glb", triangle_glb("c"))]);
    let here = models.path().to_str().unwrap();
    let run = gen404(folder.path(), &["check", here]).ends(3);
    assert!(run.out.contains("the prompts of round 2 are not known yet"), "{}", run.out);
    assert!(run.out.contains("their names cannot be checked yet"), "{}", run.out);
    let told = check(folder.path(), 3, &[here]);
    assert_eq!(
        (&told["prompts"], &told["summary"]["stored"], &told["summary"]["refused"]),
        (&Value::Null, &json!(1), &json!(1))
    );
    assert_eq!(told["unasked"], json!([]), "nothing is asked for yet");
    // A server has no list of files.
    let told = check(folder.path(), 3, &["https://cdn.example.com/x"]);
    assert_eq!(told["files"], json!([]));
    let run = gen404(folder.path(), &["check", "https://cdn.example.com/x"]).ends(3);
    assert!(run.out.contains("nothing was fetched, since a server has no list of its files"), "{}", run.out);
    assert!(!run.out.contains("0 of 0") && run.out.contains("--prompts FILE"), "{}", run.out);
    // A list of one's own: as if these were the prompts.
    std::fs::write(models.path().join("list.txt"), "https://p.example.org/a.png\nhttps://p.example.org/z.png\n")
        .unwrap();
    let list = models.path().join("list.txt");
    let told = check(folder.path(), 1, &[here, "--prompts", list.to_str().unwrap()]);
    assert_eq!(
        (&told["prompts"], &told["files"][0]["stem"], &told["files"][1]["stem"]),
        (&json!(2), &json!("z"), &json!("a"))
    );
    // An earlier round, and one that is not there.
    assert_eq!(check(folder.path(), 1, &[here, "--round", "1"])["round"], 1);
    let to_come = gen404(folder.path(), &["check", here, "--round", "77"]).ends(2);
    assert!(to_come.err.contains("round 77 has not opened yet: round 2 is open (state.json)"), "{}", to_come.err);
    gen404(folder.path(), &["check", "nowhere"]).ends(2);
    gen404(folder.path(), &["check", "ftp://cdn.example.com/x"]).ends(2);
    let private = gen404(folder.path(), &["check", "http://127.0.0.1/x"]).ends(2);
    assert!(private.err.contains("--allow-private-cdn"), "{}", private.err);
}

#[test]
fn a_payload_is_judged_by_the_rules_of_the_intake() {
    let folder = round(&["https://cdn.example/a".to_owned()], 1);
    let models = folder_of(&[("00aa.glb", triangle_glb("a"))]);
    let here = models.path().to_str().unwrap();
    let full = json!({"repo": "a/b", "commit": "0".repeat(40), "cdn_url": "https://cdn.example.com/x/"}).to_string();
    let chain = json!({"current_block": 300, "commitments": {
        hotkey(0): [{"block": 150, "text": "{broken"}, {"block": 160, "text": full}, {"block": 250, "text": full}],
        hotkey(1): [{"block": 170, "text": r#"{"repo": "a/b"}"#}],
        hotkey(2): [{"block": 90, "text": full}],
    }});
    std::fs::write(folder.path().join("chain.json"), chain.to_string()).unwrap();
    let of =
        |n: u8, code: i32| check(folder.path(), code, &[here, "--hotkey", &hotkey(n), "--chain-file", "chain.json"]);
    let told = of(0, 0);
    assert_eq!(told["deadline"], json!({"block": 800, "now": 300, "passed": false, "left": 500}));
    let payload = &told["payload"];
    assert_eq!((&payload["verdict"], &payload["in_force"]["revealed_at_block"]), (&json!("taken"), &json!(160)));
    assert_eq!(payload["reveals"].as_array().unwrap().len(), 2, "a window is read at its last block: {payload:#}");
    assert!(payload["notes"][0].as_str().unwrap().starts_with("block 150: not JSON"), "{payload:#}");
    assert_eq!(payload["recorded"]["cdn_url"], "https://cdn.example/a");
    let refused = of(1, 1);
    assert_eq!(refused["payload"]["verdict"], "refused");
    assert_eq!(refused["payload"]["reason"], "no commit, cdn_url within blocks 100 to 200");
    assert_eq!(of(2, 1)["payload"]["verdict"], "outside");
    assert_eq!(of(3, 1)["payload"]["verdict"], "outside");
    // Without a chain: what is recorded, and of the build what builds.json says.
    let build = json!({hotkey(0): {"repo": "miner/0", "commit": "1".repeat(40), "revealed_at_block": 110,
        "tag": "1111111-test-0", "status": "success", "docker_image": "img:0"}});
    std::fs::write(folder.path().join("rounds/0/builds.json"), build.to_string()).unwrap();
    let told = check(folder.path(), 0, &[here, "--hotkey", &hotkey(0)]);
    assert_eq!((&told["payload"]["verdict"], &told["payload"]["recorded"]["repo"]), (&Value::Null, &json!("miner/0")));
    assert_eq!((&told["build"]["status"], &told["build"]["is_of_submission"]), (&json!("success"), &json!(false)));
    let text = gen404(folder.path(), &["check", here, "--hotkey", &hotkey(0)]).ends(0);
    assert!(text.out.contains("is not of the submitted commit"), "{}", text.out);
}

#[test]
fn every_failure_of_a_module_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let modules = tempfile::tempdir().unwrap();
    crate::support::make_competition::make(folder.path(), false);
    edit(folder.path(), "config.json", |text| text.replacen('{', "{\n  \"format\": \"threejs\",", 1));
    let put = |name: &str, text: &str| std::fs::write(modules.path().join(name), text).unwrap();
    put("a.js", "export default (THREE) => new THREE.Group()");
    put("b.js", "export default (THREE) => [THREE, fetch('x'), foo]");
    put("prompts.txt", "https://prompts.example/a.png\nhttps://prompts.example/b.png\nhttps://prompts.example/c.png\n");
    let list = modules.path().join("prompts.txt");
    let args = ["check", modules.path().to_str().unwrap(), "--prompts", list.to_str().unwrap()];
    let told = gen404(folder.path(), &args).ends(1);
    for line in [
        "passes  a.js (43 bytes)",
        "refused b.js",
        "THREE_ALIAS_FORBIDDEN: THREE is used as a value at line 1, column 28",
        "FORBIDDEN_IDENTIFIER: fetch at line 1, column 35",
        "IDENTIFIER_NOT_ALLOWED: foo at line 1, column 47",
        "missing c.js",
        "3 modules: 1 passes the static rules, 1 is refused, 1 is missing",
    ] {
        assert!(told.out.contains(line), "{line}: {}", told.out);
    }
    let json = check(folder.path(), 1, &args[1..]);
    let outcomes: Vec<_> = json["modules"].as_array().unwrap().iter().map(|module| &module["outcome"]).collect();
    assert_eq!(outcomes, ["passes", "refused", "missing"]);
    let mesh = gen404(folder.path(), &[&args[..], &["--pod", "http://127.0.0.1:1"]].concat()).ends(2);
    assert!(mesh.err.contains("are for mesh competitions"), "{}", mesh.err);
}

/// Prompts, and a program that makes birds, one fish, and one bird too slowly.
fn program() -> Fake {
    Fake::start(|_, line, body| {
        if line.contains("/prompts/") {
            return Reply::Body(format!("prompt {line}").into_bytes());
        }
        if line.starts_with("GET") {
            return Reply::Body(Vec::new());
        }
        if !line.contains("/generate") {
            return Reply::Body(picture(if crate::audit_support::contains(body, "bird") { "bird" } else { "fish" }));
        }
        match prompt_of(body) {
            1 => model("x-generation-seconds: 7.0\r\n", "fish", 1),
            2 => model("x-generation-seconds: 500.0\r\n", "bird", 2),
            n => model("x-generation-seconds: 7.0\r\n", "bird", n),
        }
    })
}

#[test]
fn a_running_program_gets_the_verdict_of_an_audit() {
    let server = program();
    let folder = crate::audit_support::round(&server, &server, 1, 4);
    let files: Vec<_> = (0..4).map(|n| (format!("{}.glb", stem(n)), blank_glb(&format!("bird {n}")))).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let models = folder_of(&files);
    let work = tempfile::tempdir().unwrap();
    let before = tree(folder.path());
    let args = |more: &[&str]| {
        let fixed =
            [models.path().to_str().unwrap(), "--hotkey", &hotkey(0), "--pod", &server.url()].map(str::to_owned);
        let drawn = ["--allow-private-cdn", "--render-service", &server.url(), "--work", work.path().to_str().unwrap()];
        fixed
            .into_iter()
            .chain(drawn.map(str::to_owned))
            .chain(more.iter().map(|&arg| arg.to_owned()))
            .collect::<Vec<_>>()
    };
    let run = |code: i32, more: &[&str]| {
        let args = args(more);
        check(folder.path(), code, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let told = run(1, &[]);
    let audit = &told["audit"];
    assert_eq!(
        (&audit["outcome"], &audit["checked_prompts"], &audit["failed_prompts"]),
        (&json!("rejected"), &json!(4), &json!(2))
    );
    assert_eq!(
        (&audit["driver"], &audit["reason"]),
        (&json!("pixels"), &json!("Non-critical mismatches (2) exceed tolerance (1)"))
    );
    assert_eq!(audit["prompts"].as_array().unwrap().iter().filter(|one| one["mismatch"] == true).count(), 2);
    assert!(tree(folder.path()) == before, "something was written");
    let generated = server.seen.lock().unwrap().iter().filter(|(line, _)| line.contains("/generate")).count();
    // In the same folder of work nothing is generated twice.
    assert_eq!(run(1, &[])["audit"]["failed_prompts"], 2);
    let again = server.seen.lock().unwrap().iter().filter(|(line, _)| line.contains("/generate")).count();
    assert_eq!(generated, again);
    // `audit` says the same.
    crate::audit_support::run(folder.path(), &server, &["audit"]).ends(0);
    let recorded = &crate::audit_support::read(folder.path(), "rounds/0/generation_audits.json")[hotkey(0)];
    for key in ["outcome", "checked_prompts", "failed_prompts", "failed_critical", "generation_time", "reason"] {
        assert_eq!(told["audit"][key], recorded[key], "{key}");
    }
    let here = models.path().to_str().unwrap();
    let dead = ["check", here, "--pod", "http://127.0.0.1:9", "--render-service", &server.url(), "--allow-private-cdn"];
    let dead = gen404(folder.path(), &dead).ends(4);
    assert!(dead.err.contains("is not ready"), "{}", dead.err);
    // Files that would not be stored are not compared.
    std::fs::remove_file(models.path().join(format!("{}.glb", stem(3)))).unwrap();
    let left = run(1, &[]);
    assert_eq!((&left["audit"]["not_compared"], &left["audit"]["checked_prompts"]), (&json!(1), &json!(3)));
    let told =
        gen404(folder.path(), &[&["check"], &args(&[]).iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    assert!(told.out.contains("1 of 4 prompts not compared: no file of theirs would be stored"), "{}", told.out);
    // The prompts are on this machine: the same rule as for miners' files, before anything is run.
    let private = gen404(folder.path(), &["check", here, "--pod", &server.url(), "--distance", "pixels"]).ends(2);
    assert!(private.err.contains("--allow-private-cdn"), "{}", private.err);
}

/// A sandbox that was played, and still serves.
struct Serving(Child);

impl Serving {
    fn start(top: &Path) -> Serving {
        let mut child = command(top);
        child.args([
            "sandbox",
            "played",
            "--rounds",
            "1",
            "--prompts",
            "3",
            "--miners",
            "6",
            "--port",
            "0",
            "--seed",
            "7",
        ]);
        let mut child = child.arg("--keep-serving").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("until Ctrl-C") {
            assert_ne!(told.read_line(&mut said).unwrap(), 0, "{said}");
        }
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Serving(child)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// The files that a miner's server has whole, as a folder of the miner's own.
fn served(cdn: &str, stems: &[&String]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    for stem in stems {
        let mut answer = agent.get(format!("{cdn}/{stem}.glb")).call().unwrap();
        if answer.status() == 200 {
            let bytes = answer.body_mut().with_config().limit(1 << 20).read_to_vec().unwrap();
            std::fs::write(folder.path().join(format!("{stem}.glb")), bytes).unwrap();
        }
    }
    folder
}

#[test]
fn every_file_and_every_audit_of_the_sandbox_is_foretold() {
    let top = tempfile::tempdir().unwrap();
    let _serving = Serving::start(top.path());
    let dir = top.path().join("played");
    let before = tree(&dir);
    let submissions = read(&dir.join("rounds/0/submissions.json"));
    let builds = read(&dir.join("rounds/0/builds.json"));
    let audits = read(&dir.join("rounds/0/generation_audits.json"));
    let (mut files, mut audited) = (0, 0);
    for (miner, submission) in submissions.as_object().unwrap() {
        let cdn = submission["cdn_url"].as_str().unwrap();
        let build = &builds[miner];
        let pod = format!("{}/pods/{miner}/{}", cdn.split("/cdn/").next().unwrap(), build["tag"].as_str().unwrap());
        let verdict = &audits[miner];
        let mut args = vec![cdn, "--hotkey", miner, "--round", "0"];
        if build["status"] == "success" && verdict.is_object() {
            args.extend(["--pod", &pod]);
        }
        let run = gen404(&dir, &[&["check", "--json"], &args[..]].concat());
        let output = run.json();
        crate::json::check("check", &output);
        let told = &output["details"];
        let recorded = noted(&dir.join(".git/gen404"), miner);
        assert_eq!(foretold(told), recorded, "{cdn}: {}", run.err);
        refusals_agree(&dir, miner, told);
        files += recorded.len();
        assert_eq!(told["payload"]["recorded"], *submission);
        assert_eq!(told["payload"]["verdict"], "taken", "{cdn}: {told:#}");
        assert_eq!((&told["build"]["status"], &told["build"]["is_of_submission"]), (&build["status"], &json!(true)));
        if args.contains(&"--pod") {
            audit_is_foretold(&dir, miner, &told["audit"], verdict);
            audited += 1;
        }
        let complete = recorded.values().all(|file| file[0] == "stored") && told["audit"]["outcome"] != "rejected";
        assert_eq!(run.code, i32::from(!complete), "{cdn}");
        if !cdn.ends_with("hostile") {
            folder_is_foretold(&dir, cdn, miner, &recorded);
        }
    }
    assert!(files >= 15 && audited >= 2, "{files} files, {audited} audits");
    assert!(tree(&dir) == before, "something was written");
    cloned_without_settings(&dir, &submissions);
}

/// The verdict, its figures, and the distance of each prompt.
#[track_caller]
fn audit_is_foretold(dir: &Path, miner: &str, told: &Value, verdict: &Value) {
    for key in ["outcome", "checked_prompts", "failed_prompts", "failed_critical", "generation_time", "reason"] {
        assert_eq!(told[key], verdict[key], "{miner} {key}");
    }
    let generated = read(&dir.join(format!("rounds/0/{miner}/generated.json")));
    for prompt in told["prompts"].as_array().unwrap() {
        let recorded = &generated[prompt["stem"].as_str().unwrap()];
        assert_eq!((&prompt["distance"], &prompt["seconds"]), (&recorded["distance"], &recorded["generation_time"]));
    }
}

/// The same files in a folder: what arrives whole has the same outcome, what does not is missing.
#[track_caller]
fn folder_is_foretold(dir: &Path, cdn: &str, miner: &str, recorded: &BTreeMap<String, [Value; 4]>) {
    let folder = served(cdn, &recorded.keys().collect::<Vec<_>>());
    let here = folder.path().to_str().unwrap();
    let told = gen404(dir, &["check", here, "--hotkey", miner, "--round", "0", "--json"]).json()["details"].clone();
    for (stem, told) in foretold(&told) {
        let there = folder.path().join(format!("{stem}.glb")).exists();
        assert_eq!(recorded[&stem][0] == "failed", !there, "{cdn} {stem}");
        assert_eq!(told, recorded[&stem], "{cdn} {stem}");
    }
}

/// A miner's clone has neither settings nor keys.
fn cloned_without_settings(dir: &Path, submissions: &Value) {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let top = tempfile::tempdir().unwrap();
    git(top.path(), &["clone", "-q", dir.to_str().unwrap(), "clone"]);
    let clone = top.path().join("clone");
    let gifted =
        submissions.as_object().unwrap().values().find(|one| one["cdn_url"].as_str().unwrap().ends_with("gifted"));
    let cdn = gifted.unwrap()["cdn_url"].as_str().unwrap();
    let ran: Run = gen404(&clone, &["check", cdn, "--allow-private-cdn"]).ends(0);
    assert!(ran.out.contains("3 of 3 files would be stored with a preview"), "{}", ran.out);
    gen404(&clone, &["check", cdn]).ends(2);
    assert!(!clone.join(".git/gen404").exists() && git(&clone, &["status", "--porcelain"]).is_empty());
}
