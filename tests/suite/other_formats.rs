//! `status`, `leader`, `report` and `verify --history --from` on competitions of splats and of three.js modules,
//! through the binary.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::formats::make_threejs;
use crate::report::{crawl, html, report, text};
use crate::support::{edit, example, gen404, git, shared};

fn put(folder: &Path, path: &str, value: &Value) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, format!("{value:#}")).unwrap();
}

pub fn of_threejs(folder: &Path) {
    for (path, bytes) in make_threejs::files() {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

pub fn threejs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    of_threejs(folder.path());
    folder
}

/// Texts that try to be more than texts.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}";

/// A competition of splats in its first round: the first of three miners takes the lead, the second does not, and the
/// third has not played.
pub fn splat(stage: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let miner = make_threejs::hotkey;
    let commit = "0a".repeat(20);
    put(
        root,
        "config.json",
        &json!({
            "name": "contest", "description": HOSTILE, "first_evaluation_date": "2025-12-10",
            "last_competition_date": "2025-12-20", "win_margin": 0.05, "weight_decay": 0.2, "weight_floor": 0.2,
            "prompts_per_round": 2, "carryover_prompts": 1,
        }),
    );
    put(root, "state.json", &json!({"current_round": 0, "stage": stage}));
    let leader = json!({"hotkey": miner(9), "repo": "base/zero", "commit": commit, "docker": "x/y:z", "weight": 1.0,
        "effective_block": 0});
    put(root, "leader.json", &json!({"transitions": [leader]}));
    put(root, "rounds/0/schedule.json", &json!({"earliest_reveal_block": 0, "latest_reveal_block": 7200}));
    put(root, "rounds/0/seed.json", &json!({"seed": 7}));
    std::fs::write(root.join("rounds/0/prompts.txt"), "https://p.example.org/a.png\nhttps://p.example.org/b.png")
        .unwrap();
    let (mut submissions, mut builds) = (Map::new(), Map::new());
    for number in 1..=3 {
        let block = 6000 + u64::from(number);
        submissions.insert(
            miner(number),
            json!({"repo": "miner/program", "commit": commit, "round": "contest-0", "revealed_at_block": block}),
        );
        builds.insert(
            miner(number),
            json!({"repo": "miner/program", "commit": commit, "revealed_at_block": block, "tag": "0a0a0a0-contest-0",
                "status": "success", "docker_image": "x/y:z"}),
        );
    }
    put(root, "rounds/0/submissions.json", &Value::Object(submissions));
    put(root, "rounds/0/builds.json", &Value::Object(builds));
    for (number, holder, winner, score) in [(1, "leader".to_owned(), "miner", 2), (2, miner(1), "draw", 0)] {
        let duel = |stem: &str| {
            json!({"name": stem, "prompt": format!("https://p.example.org/{stem}.png"), "leader_ply": null,
                "leader_png": format!("https://s.example.org/{stem}.png"), "miner_ply": "javascript:alert(1)",
                "miner_png": "http://127.0.0.1/x.png", "winner": winner, "issues": HOSTILE})
        };
        let outcome = if score > 0 { "challenger_wins" } else { "leader_defends" };
        put(
            root,
            &format!("rounds/0/{}/duels.json", miner(number)),
            &json!({"leader": holder, "hotkey": miner(number), "score": score, "margin": f64::from(score) / 2.0,
                "outcome": outcome, "duels": [duel("a"), duel("b")]}),
        );
    }
    put(root, "rounds/0/judge_progress.json", &json!({"leader": miner(1), "completed_hotkeys": [miner(1), miner(2)]}));
    folder
}

#[test]
fn status_of_splats_has_the_stages_of_splats() {
    let miner = make_threejs::hotkey;
    let next = format!("outstanding: 1 of 3 matches left; next, {} challenges {}", miner(3), miner(1));
    for (stage, open) in [
        ("collecting", "outstanding: submissions.json is written after block 7200"),
        ("generating", "outstanding: the splats of 3 miners are not complete yet"),
        ("duels", &next),
        ("finalizing", "outstanding: the next round has not been opened yet"),
        ("finished", "does not run them"),
        ("paused", "does not run them"),
    ] {
        let folder = splat(stage);
        let run = gen404(folder.path(), &["status", "--block", "7300"]).ends(0);
        let stands = if ["finished", "paused"].contains(&stage) { "is" } else { "is in" };
        for part in
            [&format!("contest: round 0 {stands} {stage}"), "format: splat (rounds/0/", "which only splat writes", open]
        {
            assert!(run.out.contains(part), "{stage}: no {part:?} in {}", run.out);
        }
        assert!(run.out.contains("reveals count in blocks 0 to 7200\n"), "{}", run.out);
        assert!(run.out.contains(&format!("leader: {} with weight 1", miner(9))), "{}", run.out);
    }
    let folder = splat("duels");
    for args in [&["status", "--json"][..], &["leader", "--json"], &["verify", "--json", "--chain", "--objects"]] {
        let run = gen404(folder.path(), args);
        crate::json::check(args[0], &run.json());
    }
    let details = gen404(folder.path(), &["status", "--json", "--block", "7300"]).ends(0).details();
    assert_eq!(details["format"]["name"], "splat");
    assert_eq!(details["due"][0]["when"], "never");
    assert_eq!(details["leader"]["hotkey"], miner(9));
    // Before the first round.
    put(folder.path(), "state.json", &json!({"current_round": -1, "stage": "finalizing"}));
    let pages = report(folder.path(), &[]);
    let index = text(&pages[Path::new("index.html")]);
    assert!(index.contains("Before round 0: finalizing"), "{index}");
    crate::json::check("status", &gen404(folder.path(), &["status", "--json"]).ends(0).json());
    let run = gen404(folder.path(), &["status"]).ends(0);
    assert!(run.out.contains("contest: no round has begun; the stage is finalizing"), "{}", run.out);
    edit(folder.path(), "config.json", |text| text.replace("win_margin", "win_margins"));
    let run = gen404(folder.path(), &["status"]).ends(1);
    assert!(run.err.contains("config.json: does not parse") && run.err.contains("win_margin"), "{}", run.err);
}

#[test]
fn leader_reads_either_layout() {
    let folder = splat("duels");
    let leader = |block: &str| gen404(folder.path(), &["leader", "--json", "--block", block]).ends(0).details();
    assert_eq!(leader("5")["leader"]["repo"], "base/zero");
    let list = |text: &str| json!(serde_json::from_str::<Value>(text).unwrap()["transitions"]).to_string();
    edit(folder.path(), "leader.json", list);
    assert_eq!(leader("5")["leader"]["repo"], "base/zero");
    std::fs::remove_file(folder.path().join("leader.json")).unwrap();
    let run = gen404(folder.path(), &["leader", "--block", "5"]).ends(1);
    assert!(run.err.contains("leader.json: missing"), "{}", run.err);
    let folder = threejs();
    let details = gen404(folder.path(), &["leader", "--json", "--block", "14400"]).ends(0).details();
    assert_eq!(details["leader"]["hardware"], json!(["4xH200"]));
}

#[test]
fn status_of_threejs_says_what_is_open() {
    let folder = threejs();
    for (command, code) in [("status", 0), ("leader", 2)] {
        crate::json::check(command, &gen404(folder.path(), &[command, "--json"]).ends(code).json());
    }
    let run = gen404(folder.path(), &["verify", "--chain", "--objects"]).ends(0);
    for part in ["a node keeps a hotkey's last ten", "there is no SHA256SUMS", "drawn by its own render service"] {
        assert!(run.out.contains(part), "no {part:?} in {}", run.out);
    }
    let run = gen404(folder.path(), &["status", "--block", "22000"]).ends(0);
    for part in ["js-cup: round 3 is open", "format: threejs (config.json", "files are due by block 30000"] {
        let known =
            run.out.contains(part) || (part.starts_with("format") && run.out.contains("which only threejs writes"));
        assert!(known, "no {part:?} in {}", run.out);
    }
    edit(folder.path(), "state.json", |text| text.replace("\"open\"", "\"duels\"").replace(": 3", ": 2"));
    std::fs::remove_file(folder.path().join("rounds/2/source_audit.json")).unwrap();
    let run = gen404(folder.path(), &["status"]).ends(0);
    assert!(
        run.out.contains("js-cup: round 2 is in duels") && run.out.contains("and is not verified yet"),
        "{}",
        run.out
    );
}

#[test]
fn the_pages_of_a_walk_say_who_took_the_lead() {
    let folder = splat("duels");
    let pages = report(folder.path(), &[]);
    let (reached, outside) = crawl(&pages);
    assert_eq!(reached.len(), pages.len(), "pages without a link to them");
    assert!(outside.iter().all(|url| url.contains("example.org") || url.contains("github.com")), "{outside:?}");
    let short = |number: u8| make_threejs::hotkey(number)[..10].to_owned();
    let round = text(&pages[Path::new("round-0.html")]);
    for part in [
        "The round is under way: duels.".to_owned(),
        format!("{} challenges leader", short(1)),
        "takes the lead".to_owned(),
        format!("{} challenges {}", short(2), short(1)),
        format!("The match of {} against {} is not there.", short(3), short(1)),
    ] {
        assert!(round.contains(&part), "no {part:?} in {round}");
    }
    let index = text(&pages[Path::new("index.html")]);
    for part in ["Format splat (rounds/0/", "Round 0: duels", "does not run them", "1 of 3 matches left"] {
        assert!(index.contains(part), "no {part:?} in {index}");
    }
    let page = &pages[Path::new(&format!("round-0/leader_{}.html", make_threejs::hotkey(1)))];
    assert!(text(page).contains("The challenger won with a margin of +100.0%"), "{}", text(page));
    for (path, page) in &pages {
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{}", path.display());
        assert!(!page.contains("href=\"javascript") && !page.contains("\"http://127.0.0.1"), "{}", path.display());
    }
    let only = report(folder.path(), &["--only", "0", "--json"]);
    let data: Value = serde_json::from_str(&only[Path::new("report.json")]).unwrap();
    assert_eq!(data["rounds"][0]["steps"][0]["taken"], true);
}

#[test]
fn the_pages_of_a_chain_say_who_was_rejected_by_what() {
    let folder = threejs();
    let pages = report(folder.path(), &[]);
    let (reached, _) = crawl(&pages);
    assert_eq!(reached.len(), pages.len(), "pages without a link to them");
    let round = text(&pages[Path::new("round-1.html")]);
    for part in [
        "The leader held the lead.",
        "rejected generation report: Failed to build a docker image",
        "rejected source audit: It fetches models that were made elsewhere",
        "rejected run 2 lost to what it had submitted: \u{2212}12.5%, and \u{2212}7% is the limit that duel",
        "rejected run 1 did not beat leader: +6.3%, and +7% was needed that duel",
        "4xH200",
        "Audit duels 4 matches of audits",
    ] {
        assert!(round.contains(part), "no {part:?} in {round}");
    }
    let won = text(&pages[Path::new("round-2.html")]);
    assert!(won.contains("takes the lead verified") && won.contains("wins the round."), "{won}");
    // An audit duel is a match with a page of its own, and the way there is a link.
    let page = format!("round-1/audit_submitted_2_{}.html", make_threejs::hotkey(8));
    assert!(pages[Path::new("round-1.html")].contains(&format!("<a href=\"{page}\">that duel</a>")));
    let audit = text(&pages[Path::new(&page)]);
    assert!(audit.contains("An audit: run 2 of the program lost to what was submitted"), "{audit}");
    let all: String = html(&pages).map(|(_, page)| text(page)).collect();
    for part in [
        "How the judge decided: S1",
        "Stage 1: four angles",
        "front left",
        "Stage 2: three votes",
        "Decided by two votes of three",
        "Stage 3: on grey",
        "Stage 4: the other sides",
        "as a whole ok ok",
        "a spout unknown unknown",
        "judge failed 1",
    ] {
        assert!(all.contains(part), "no {part:?}");
    }
    let missing = gen404(folder.path(), &["report", "--only", "7"]).ends(2);
    assert!(missing.err.contains("round 7 is not here: rounds are 0 to 3"), "{}", missing.err);
}

#[test]
fn some_files_of_a_competition_have_pages_too() {
    let Some(real) = shared("formats/threejs") else { return };
    let folder = tempfile::tempdir().unwrap();
    crate::support::copy(&real, folder.path());
    let pages = report(folder.path(), &[]);
    crawl(&pages);
    let round = text(&pages[Path::new("round-34.html")]);
    for part in [
        "5HJvp6ZSTt won the round",
        "5GrhGhLKJe challenges leader",
        "rejected run 3 lost to what it had submitted: \u{2212}12.5%, and \u{2212}7% is the limit",
        "5HJvp6ZSTt wins the round.",
    ] {
        assert!(round.contains(part), "no {part:?} in {round}");
    }
    // Without submissions there is no chain, but what the audits came to is shown.
    let round = text(&pages[Path::new("round-20.html")]);
    assert!(round.contains("Audits") && round.contains("what was submitted"), "{round}");
    gen404(folder.path(), &["status"]).ends(0);
    gen404(folder.path(), &["leader", "--block", "9000000"]).ends(0);
    let run = gen404(folder.path(), &["verify"]).ends(1);
    assert!(run.out.contains("rounds/30: seed.json is missing") || run.out.contains("is missing"), "{}", run.out);
}

/// Meshes first, three.js modules after, in one repository.
#[test]
fn a_repository_that_held_two_competitions_gives_the_right_answer_for_both() {
    let folder = example(true);
    let root = folder.path();
    let commits = |of: &str| git(root, &["rev-list", "--count", of]).trim().parse::<usize>().unwrap();
    let (last, count) = (git(root, &["rev-parse", "HEAD"]).trim().to_owned(), commits("HEAD"));
    let first = git(root, &["rev-list", "--max-parents=0", "HEAD"]).trim().to_owned();
    // The format alone is a reset: there is no seed yet.
    git(root, &["rm", "-rq", "rounds"]);
    of_threejs(root);
    std::fs::remove_dir_all(root.join("rounds")).unwrap();
    put(
        root,
        "rounds/0/schedule.json",
        &json!({"earliest_reveal_block": 0, "latest_reveal_block": 7200,
        "generation_deadline_block": 8400}),
    );
    edit(root, "state.json", |text| text.replace(": 3", ": 0"));
    git(root, &["add", "-A"]);
    git(root, &["commit", "-qm", "three.js modules"]);
    let reset = git(root, &["rev-parse", "HEAD"]).trim().to_owned();
    let run = gen404(root, &["verify", "--history"]);
    let line = format!("{count} commits of an earlier competition, before {}", &reset[..10]);
    assert!(run.out.contains(&line) && run.out.contains("format: threejs"), "{}", run.out);
    assert!(!run.out.contains("fail  history"), "{}", run.out);
    // Its first seed is what a competition is told from.
    of_threejs(root);
    git(root, &["add", "-A"]);
    git(root, &["commit", "-qm", "Three rounds"]);
    let run = gen404(root, &["verify", "--history"]).ends(0);
    let line = format!("{} commits of an earlier competition, before ", count + 1);
    assert!(run.out.contains(&line) && run.out.contains("the last that added rounds/0/seed.json"), "{}", run.out);
    // The past: from its first commit on, and from its last.
    for from in [&first, &last, &last[..8].to_owned()] {
        let run = gen404(root, &["verify", "--history", "--from", from]).ends(0);
        let as_of = format!("as of {} ({count} of {} commits of the history)", &last[..10], count + 2);
        assert!(run.out.contains(&as_of) && run.out.contains("format: mesh"), "{from}: {}", run.out);
    }
    let run = gen404(root, &["verify", "--history", "--from", &reset]);
    assert!(
        run.out.contains("format: threejs") && run.out.contains("which changed the format from mesh"),
        "{}",
        run.out
    );
    let run = gen404(root, &["verify", "--history", "--from", "beef"]).ends(2);
    assert!(run.err.contains("no commit of the history that is checked out"), "{}", run.err);
    gen404(root, &["verify", "--from", &first]).ends(2);
}

/// A lie in the past is found by `--from`, and only from there on.
#[test]
fn a_lie_in_the_past_is_found_from_there_on() {
    let folder = example(true);
    let root = folder.path();
    let sound = git(root, &["rev-parse", "HEAD"]).trim().to_owned();
    edit(root, "rounds/0/seed.json", |text| text.replace("seed\": ", "seed\": 1"));
    git(root, &["commit", "-qam", "Another seed"]);
    let lie = git(root, &["rev-parse", "HEAD"]).trim().to_owned();
    git(root, &["rm", "-rq", "rounds"]);
    of_threejs(root);
    git(root, &["add", "-A"]);
    git(root, &["commit", "-qm", "three.js modules"]);
    gen404(root, &["verify", "--history"]).ends(0);
    for from in [&sound, &lie] {
        let run = gen404(root, &["verify", "--history", "--from", from]).ends(1);
        assert!(run.out.contains(&format!("{} rounds/0/seed.json", &lie[..10])), "{}", run.out);
    }
}
