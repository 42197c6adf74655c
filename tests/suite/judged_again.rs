//! `verify --judge`: recorded duels are judged again by the reader's own judge.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gen404::model::answers::Digest;
use serde_json::Value;

use crate::duels::{at_duels, manners};
use crate::judge_server::{JudgeServer, Manners};
use crate::other_formats::splat;
use crate::support::{Run, command, edit, example, gen404, tree};

/// Round 1 of the example, with the answers of an even-handed judge beside its reports.
fn judged() -> tempfile::TempDir {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners()));
    // As if the round after had not begun, so that every claim holds.
    std::fs::remove_dir_all(folder.path().join("rounds/2")).unwrap();
    edit(folder.path(), "leader.json", |text| {
        let mut entries: Vec<Value> = serde_json::from_str(text).unwrap();
        entries.retain(|entry| entry["effective_block"].as_u64() < Some(714_400));
        format!("{:#}", Value::from(entries))
    });
    gen404(folder.path(), &["duel", "--judge-url", &judge.url]).ends(3);
    // What the operator's own machine keeps is not the reader's.
    std::fs::remove_dir_all(folder.path().join(".gen404")).unwrap();
    folder
}

fn again(folder: &Path, judge: &JudgeServer, flags: &[&str]) -> Run {
    gen404(folder, &[&["verify", "--json", "--judge-url", &judge.url], flags].concat())
}

#[track_caller]
fn result(run: &Run) -> Value {
    run.details()["judged_again"].clone()
}

fn count(result: &Value, key: &str) -> u64 {
    result[key].as_u64().unwrap_or_else(|| panic!("{key} in {result:#}"))
}

fn requests(judge: &JudgeServer) -> usize {
    judge.seen.requests.load(Ordering::SeqCst)
}

#[test]
fn the_same_judge_agrees_with_itself_and_is_asked_once() {
    let (folder, judge) = (judged(), JudgeServer::start(manners()));
    let before = tree(folder.path());
    let run = again(folder.path(), &judge, &["--round", "1", "--judge", "12"]).ends(0);
    let found = result(&run);
    assert_eq!([count(&found, "drawn"), count(&found, "asked"), count(&found, "agreeing")], [12, 12, 12]);
    assert_eq!((&found["agreement"], &found["largest_difference"]), (&Value::from(1.0), &Value::from(0)));
    assert!(found["interval"][0].as_f64().unwrap() > 0.7, "{found}");
    assert_eq!((requests(&judge), judge.seen.answers()), (24, (24, 24)), "each duel in both orders");
    assert!(run.err.contains(" about 12 duels of ") && run.err.contains("24 calls"), "{}", run.err);
    assert_eq!(tree(folder.path()), before, "nothing outside the reader's own folder");
    // An answered call is never made again.
    let run = again(folder.path(), &judge, &["--round", "1", "--judge", "12"]).ends(0);
    assert_eq!(result(&run)["duels"], found["duels"]);
    assert_eq!((requests(&judge), count(&result(&run)["estimate"], "kept")), (24, 24));
    // A dry run knows what is kept, and writes nothing.
    let kept = tree(folder.path());
    let dry = again(folder.path(), &judge, &["--round", "1", "--judge", "14", "--dry-run"]).ends(0);
    let estimate = &result(&dry)["estimate"];
    let answered = count(estimate, "kept");
    assert!((1..=24).contains(&answered) && count(estimate, "calls") == 28 - answered, "{estimate}");
    let all = again(folder.path(), &judge, &["--round", "1", "--judge", "12", "--dry-run"]).ends(0);
    assert!(all.json()["did"].to_string().contains("0 calls (24 more are answered already)"), "{}", all.out);
    assert!(tree(folder.path()) == kept && requests(&judge) == 24);
    // Another seed draws others, and more of them are the same and others.
    let other = result(&again(folder.path(), &judge, &["--round", "1", "--judge", "12", "--seed", "1"]).ends(0));
    assert_ne!(other["duels"], found["duels"]);
    // Another endpoint has not answered yet, whatever its model is called.
    let second = JudgeServer::start(manners());
    again(folder.path(), &second, &["--round", "1", "--judge", "12"]).ends(0);
    assert_eq!(requests(&second), 24);
}

#[test]
fn every_judged_duel_can_be_asked_and_no_other() {
    let (folder, judge) = (judged(), JudgeServer::start(manners()));
    let run = again(folder.path(), &judge, &["--round", "1", "--judge", "1000"]).ends(0);
    let found = result(&run);
    let certainty = &run.details()["certainty"];
    assert_eq!(found["of"], certainty["rounds"][0]["judged"]);
    assert_eq!([count(&found, "drawn"), count(&found, "agreeing")], [count(&found, "of"); 2]);
    let all = again(folder.path(), &judge, &["--judge", "1", "--dry-run"]).ends(0);
    assert!(count(&result(&all), "of") > count(&found, "of"), "all rounds without --round");
}

#[test]
fn another_taste_is_a_warning_and_no_failure() {
    // It likes what the first judge did not.
    let skills = vec![("/leader/".to_owned(), -3)];
    let folder = judged();
    let judge = JudgeServer::start(Manners { taste: "other".to_owned(), skills, ..manners() });
    let run = again(folder.path(), &judge, &["--round", "1", "--judge", "80"]).ends(0);
    let found = result(&run);
    let kinds = ["agreeing", "flips", "to_draw", "from_draw"].map(|key| count(&found, key));
    assert_eq!(kinds.iter().sum::<u64>(), 80);
    assert!(kinds.iter().all(|kind| *kind > 0), "{kinds:?}");
    assert!(found["interval"][1].as_f64().unwrap() < 0.6, "{found}");
    assert!(found["by_chance"].as_f64() > Some(0.1), "{found}");
    assert!(found["largest_difference"].as_u64() > Some(2), "{found}");
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("agrees with the record in fewer than 75 %"), "{warnings}");
    // In text, each duel that differs has a line.
    let text = gen404(folder.path(), &["verify", "--judge-url", &judge.url, "--round", "1", "--judge", "80"]).ends(0);
    let flips = text.out.lines().filter(|line| line.starts_with("flips  rounds/1/")).count() as u64;
    assert_eq!(flips, kinds[1], "{}", text.out);
    assert!(text.out.contains("duels of ") && text.out.contains("asks rounds/1/question.toml"), "{}", text.out);
}

#[test]
fn a_dry_run_says_what_it_takes_and_asks_nothing() {
    let (folder, judge) = (judged(), JudgeServer::start(manners()));
    let before = tree(folder.path());
    let flags = ["verify", "--judge-url", &judge.url, "--judge", "5", "--dry-run"];
    let run = gen404(folder.path(), &flags).ends(0);
    assert!(run.out.contains("would ask ") && run.out.contains("10 calls, an unknown number of tokens"), "{}", run.out);
    assert_eq!((requests(&judge), tree(folder.path()) == before), (0, true));
    assert!(!folder.path().join(".gen404").exists(), "nothing is written");
    // Tokens as the record names them.
    for (path, bytes) in before.iter().filter(|(path, _)| path.extension().is_some_and(|ext| ext == "jsonl")) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let text = text.replace("\"prompt_tokens\":null", "\"prompt_tokens\":1000");
        let text = text.replace("\"completion_tokens\":null", "\"completion_tokens\":100");
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    let run = gen404(folder.path(), &[&flags[..], &["--round", "1"]].concat()).ends(0);
    assert!(run.out.contains("10 calls, about 11000 tokens"), "{}", run.out);
}

#[test]
fn what_fails_is_no_answer() {
    let folder = judged();
    let dead = JudgeServer::start(Manners { dies_after: Some(0), ..manners() });
    edit(folder.path(), "gen404.toml", |text| text.replace("attempts = 3", "attempts = 1"));
    let run = again(folder.path(), &dead, &["--round", "1", "--judge", "60", "--judge-concurrency", "2"]).ends(4);
    let found = result(&run);
    assert_eq!([count(&found, "asked"), count(&found, "agreeing"), count(&found, "failed")], [0, 0, 60]);
    assert!(found["agreement"].is_null() && found["interval"].is_null(), "{found}");
    assert!(requests(&dead) <= 12, "a judge that is down is not asked 60 times: {}", requests(&dead));
    assert!(found["duels"][59]["detail"].as_str().unwrap().contains("not asked: the judge failed in 8 duels in a row"));
    // Some answers are enough for an end without failure.
    let one = found["duels"][0]["name"].as_str().unwrap().to_owned();
    let strict = JudgeServer::start(Manners { refuses: Some(one), ..manners() });
    let run = again(folder.path(), &strict, &["--round", "1", "--judge", "60"]).ends(0);
    let found = result(&run);
    assert!(count(&found, "failed") > 0 && count(&found, "failed") + count(&found, "agreeing") == 60, "{found}");
    assert_eq!(found["agreement"], 1.0, "failed calls are left out");
    // Without a judge there is nobody to ask.
    let nobody = gen404(folder.path(), &["verify", "--judge", "3"]).ends(2);
    assert!(nobody.err.contains("no judge is named"), "{}", nobody.err);
    gen404(folder.path(), &["verify", "--judge", "0", "--judge-url", &strict.url]).ends(2);
    gen404(folder.path(), &["verify", "--seed", "1"]).ends(2);
}

#[test]
fn a_claim_that_fails_outweighs_a_judge_that_is_down() {
    let folder = judged();
    let dead = JudgeServer::start(Manners { dies_after: Some(0), ..manners() });
    edit(folder.path(), "gen404.toml", |text| text.replace("attempts = 3", "attempts = 1"));
    edit(folder.path(), "rounds/0/seed.json", |text| text.replacen(": ", ":  ", 1));
    assert!(gen404(folder.path(), &["verify"]).code == 1);
    again(folder.path(), &dead, &["--judge", "2"]).ends(1);
}

#[test]
#[cfg(unix)]
fn a_killed_run_goes_on_where_it_was() {
    let (folder, judge) = (judged(), JudgeServer::start(Manners { latency: Duration::from_millis(4), ..manners() }));
    let flags =
        ["verify", "--json", "--judge-url", &judge.url, "--round", "1", "--judge", "80", "--judge-concurrency", "4"];
    let mut kills = 0;
    for least in [10, 40, 90] {
        let mut run = command(folder.path()).args(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while judge.seen.answers().1 < least && run.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        run.kill().unwrap();
        run.wait().unwrap();
        kills += 1;
    }
    let found = result(&gen404(folder.path(), &flags).ends(0));
    assert_eq!(count(&found, "agreeing"), 80);
    let (distinct, answers) = judge.seen.answers();
    assert_eq!(distinct, 160);
    assert!(answers - distinct <= 4 * kills, "{} calls repeated after {kills} kills", answers - distinct);
}

/// A picture as small as one can be, told apart by `which`.
fn picture(which: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), which.as_bytes()].concat()
}

/// Gives the previews of round 1 a place in the reader's own store, and digests in `SHA256SUMS`.
fn store(folder: &Path) -> std::path::PathBuf {
    let objects = folder.join("objects");
    for (path, bytes) in tree(folder) {
        let is_output = |name: &str| path.starts_with("rounds/1") && path.ends_with(name);
        let kind = if is_output("submitted.json") { "submitted" } else { "generated" };
        let baseline = is_output("generated.json") && path.starts_with("rounds/1/leader");
        if !baseline && !is_output("submitted.json") {
            continue;
        }
        let outputs: Value = serde_json::from_slice(&bytes).unwrap();
        let mut sums = Vec::new();
        for (stem, output) in outputs.as_object().unwrap() {
            let below = path.parent().unwrap();
            for (key, ending) in [("glb", "glb"), ("png", "png")] {
                if output[key].is_string() {
                    let object = objects.join(below).join(kind).join(format!("{stem}.{ending}"));
                    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
                    let bytes = picture(&object.display().to_string());
                    sums.push(format!("{}  {kind}/{stem}.{ending}", Digest::of(&bytes)));
                    std::fs::write(object, bytes).unwrap();
                }
            }
        }
        sums.sort_by(|a, b| a[66..].cmp(&b[66..]));
        std::fs::write(folder.join(path.parent().unwrap()).join("SHA256SUMS"), sums.join("\n")).unwrap();
    }
    let settings =
        format!("[store]\ndir = {:?}\ncdn_url = \"https://store.example.org\"\n", objects.display().to_string());
    edit(folder, "gen404.toml", |text| format!("{text}{settings}"));
    objects
}

#[test]
fn a_changed_picture_is_no_disagreement() {
    let folder = judged();
    let objects = store(folder.path());
    let judge = JudgeServer::start(manners());
    let flags = ["--round", "1", "--judge", "20"];
    let found = result(&again(folder.path(), &judge, &flags).ends(0));
    assert_eq!([count(&found, "agreeing"), count(&found, "changed")], [20, 0], "{found:#}");
    // One picture is another one now.
    let name = found["duels"][3]["name"].as_str().unwrap();
    let changed = objects.join(format!("rounds/1/leader/generated/{name}.png"));
    std::fs::write(&changed, picture("another")).unwrap();
    let asked = requests(&judge);
    let found = result(&again(folder.path(), &judge, &flags).ends(0));
    let of_it = found["duels"].as_array().unwrap().iter().filter(|duel| duel["outcome"] == "changed");
    let details: Vec<&str> = of_it.map(|duel| duel["detail"].as_str().unwrap()).collect();
    assert!(
        !details.is_empty() && details.iter().all(|detail| detail.contains("left's preview has changed")),
        "{found:#}"
    );
    assert_eq!(count(&found, "agreeing") + count(&found, "changed"), 20);
    assert_eq!(requests(&judge), asked, "the others are kept");
    let warnings = again(folder.path(), &judge, &flags).json()["warnings"].to_string();
    let duels = if details.len() == 1 { "1 duel has a picture" } else { "duels have a picture" };
    assert!(warnings.contains(duels) && warnings.contains(" that is no longer the one that was judged"), "{warnings}");
    // Gone or no picture at all: it could not be asked.
    std::fs::remove_file(&changed).unwrap();
    let found = result(&again(folder.path(), &judge, &flags).ends(0));
    assert!(count(&found, "failed") > 0 && count(&found, "changed") == 0, "{found:#}");
    // With --inline-images the prompts would have to be fetched, and cannot be.
    let found = result(&again(folder.path(), &judge, &["--round", "1", "--judge", "1", "--inline-images"]).ends(4));
    assert_eq!((count(&found, "failed"), requests(&judge)), (1, asked));
}

#[test]
fn pictures_on_hosts_that_are_not_public_are_shown_to_nobody() {
    let folder = judged();
    for (path, _) in tree(folder.path()).iter().filter(|(path, _)| path.starts_with("rounds/1")) {
        let file = folder.path().join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        let hosts = ["http://169.254.169.254", "http://127.0.0.1:9", "file://", "http://localhost"];
        let host = hosts[text.len() % hosts.len()];
        std::fs::write(&file, text.replace("https://store.example.org", host)).unwrap();
    }
    let judge = JudgeServer::start(manners());
    let found = result(&again(folder.path(), &judge, &["--round", "1", "--judge", "20"]));
    assert_eq!((count(&found, "failed"), requests(&judge)), (20, 0), "{found:#}");
    let details: Vec<&str> =
        found["duels"].as_array().unwrap().iter().map(|duel| duel["detail"].as_str().unwrap()).collect();
    assert!(details.iter().all(|detail| detail.contains("preview: ")), "{details:#?}");
}

#[test]
fn the_published_question_is_asked_unless_another_one_is_named() {
    let (folder, judge) = (judged(), JudgeServer::start(manners()));
    let words = |folder: &Path, flags: &[&str]| {
        let found = result(&again(folder, &judge, &[&["--round", "1", "--judge", "1"], flags].concat()));
        let asked = judge.seen.last_body.lock().unwrap()["messages"].to_string();
        (asked, found["questions"][0]["from"].as_str().unwrap().to_owned())
    };
    edit(folder.path(), "rounds/1/question.toml", |text| text.replace("You compare", "In that round, you compare"));
    let (asked, from) = words(folder.path(), &[]);
    assert!(asked.contains("In that round, you compare") && from == "rounds/1/question.toml", "{from}");
    let own = folder.path().join("own.toml");
    let text = std::fs::read_to_string(folder.path().join("rounds/1/question.toml")).unwrap();
    std::fs::write(&own, text.replace("In that round, you compare", "For me, compare")).unwrap();
    let (asked, from) = words(folder.path(), &["--question", own.to_str().unwrap()]);
    assert!(asked.contains("For me, compare") && from.ends_with("own.toml"), "{from}");
    std::fs::remove_file(folder.path().join("rounds/1/question.toml")).unwrap();
    let (asked, from) = words(folder.path(), &[]);
    assert!(asked.contains("You compare") && from == "the built-in question", "{from}");
}

#[test]
fn a_record_without_answers_is_judged_as_well() {
    // The example has no answers beside its reports: the winners are compared, and no penalties.
    let (folder, judge) = (example(false), JudgeServer::start(manners()));
    let found = result(&again(folder.path(), &judge, &["--judge", "10"]).ends(0));
    assert_eq!(count(&found, "asked"), 10);
    assert!(found["largest_difference"].is_null() && found["estimate"]["tokens"].is_null(), "{found}");
}

#[test]
fn splats_are_judged_by_their_pictures() {
    let (folder, judge) = (splat("duels"), JudgeServer::start(manners()));
    let run = again(folder.path(), &judge, &["--judge", "9"]);
    assert_eq!(count(&result(&run), "failed"), 4, "their previews are on a host that is not public");
    assert_eq!(requests(&judge), 0);
    let run = again(folder.path(), &judge, &["--judge", "9", "--allow-private-cdn"]);
    assert_eq!((count(&result(&run), "asked"), requests(&judge)), (4, 4), "both matches show the same pictures");
}

#[test]
fn an_honest_judge_disagrees_with_one_that_mixes_models_up() {
    let folder = tempfile::tempdir().unwrap();
    let size = ["--seed", "7", "--rounds", "1", "--miners", "6", "--prompts", "2"];
    let played = [&["sandbox", "random", "--judge", "random", "--port", "0"], &size[..]].concat();
    gen404(folder.path(), &played).ends(0);
    let dir = folder.path().join("random");
    let params = std::fs::read(dir.join("sandbox/params.json")).unwrap();
    let port = serde_json::from_slice::<Value>(&params).unwrap()["port"].to_string();
    // The same seed and port: the same prompts, beside a judge that answers what it sees.
    let mut honest = command(folder.path());
    honest.args(["sandbox", "honest", "--by-hand", "--port", &port]).args(size).stdout(Stdio::null());
    let mut honest = honest.stderr(Stdio::null()).spawn().unwrap();
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60) && honest.try_wait().unwrap().is_none(), "no server comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    let url = format!("http://127.0.0.1:{port}/v1");
    let flags = ["verify", "--json", "--judge", "100", "--inline-images", "--allow-private-cdn", "--judge-url", &url];
    let run = gen404(&dir, &flags);
    honest.kill().unwrap();
    honest.wait().unwrap();
    let found = result(&run.ends(0));
    assert!(count(&found, "asked") > 4 && count(&found, "failed") == 0, "{found:#}");
    assert!(count(&found, "agreeing") < count(&found, "asked"), "{found:#}");
    assert!(found["largest_difference"].as_u64() > Some(0) && !found["estimate"]["tokens"].is_null(), "{found:#}");
}
