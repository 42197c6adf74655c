//! A gallery of damaged competitions: every lie is found, with its round, its file and both values.

use std::path::Path;

use crate::support::make_competition::hotkey;
use crate::support::{Found, edit, example, findings, gen404};

/// Where the fail that a lie must cause is expected.
struct Expected {
    id: &'static str,
    round: Option<u64>,
    /// In the subject.
    file: String,
    /// Each in the detail.
    says: Vec<String>,
}

fn expect(id: &'static str, round: impl Into<Option<u64>>, file: impl Into<String>, says: &[&str]) -> Expected {
    Expected { id, round: round.into(), file: file.into(), says: says.iter().map(ToString::to_string).collect() }
}

#[track_caller]
fn finds(folder: &Path, flags: &[&str], expected: &Expected) {
    let all = findings(folder, flags);
    let fits = |found: &&Found| {
        found.status == "fail"
            && found.id == expected.id
            && found.round == expected.round
            && found.subject.contains(&expected.file)
            && expected.says.iter().all(|part| found.detail.contains(part.as_str()))
    };
    assert!(
        all.iter().any(|found| fits(&found)),
        "no {} on {} saying {:?} in {all:#?}",
        expected.id,
        expected.file,
        expected.says
    );
}

/// Replaces the first `old` by `new` in a file, and expects to be found out.
#[track_caller]
fn lie(path: &str, old: &str, new: &str, expected: &Expected) {
    let folder = example(false);
    edit(folder.path(), path, |text| text.replacen(old, new, 1));
    finds(folder.path(), &[], expected);
}

fn winner() -> String {
    hotkey("basalt").to_string()
}

fn cheat() -> String {
    hotkey("mirage").to_string()
}

#[test]
fn the_undamaged_example_is_clean() {
    for history in [false, true] {
        let folder = example(history);
        let flags: &[&str] = if history { &["--history"] } else { &[] };
        assert_eq!(findings(folder.path(), flags), []);
    }
}

#[test]
fn a_flipped_duel() {
    let path = format!("rounds/0/{}/duels_leader.json", winner());
    let score = expect("match.score", 0, &path, &["score is", ", expected ", "margin is"]);
    lie(&path, "\"winner\": \"right\"", "\"winner\": \"left\"", &score);
}

#[test]
fn a_url_at_the_port_of_another_service() {
    let path = "rounds/0/submissions.json";
    let folder = example(false);
    let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
    let url = text.split("\"cdn_url\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let host = url.split('/').nth(2).unwrap();
    let at = url.replacen(host, &format!("{host}:25"), 1);
    lie(path, &url, &at, &expect("submissions.rules", 0, path, &["port 25 is not 80, 443"]));
}

#[test]
fn a_margin_in_report_and_matrix() {
    let path = format!("rounds/0/{}/duels_leader.json", winner());
    let folder = example(false);
    let text = std::fs::read_to_string(folder.path().join(&path)).unwrap();
    let margin = text.split("\"margin\": ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    lie(
        &path,
        &format!("\"margin\": {margin}"),
        "\"margin\": 0.5",
        &expect("match.score", 0, &path, &["margin is 0.5", &margin]),
    );
    let matrix = "rounds/0/matches_matrix.csv";
    let row = format!("leader,{},{margin}", winner());
    lie(matrix, &row, &format!("leader,{},0.5", winner()), &expect("match.matrix", 0, matrix, &["is 0.5", &margin]));
}

#[test]
fn a_missing_and_an_invented_row() {
    let matrix = "rounds/0/matches_matrix.csv";
    let folder = example(false);
    edit(folder.path(), matrix, |text| {
        let kept: Vec<_> = text.lines().filter(|line| !line.contains(&format!("leader,{}", winner()))).collect();
        kept.join("\n")
    });
    finds(folder.path(), &[], &expect("match.matrix", 0, matrix, &["a report", "without a row"]));
    finds(folder.path(), &[], &expect("winner.replay", 0, "winner.json", &["these matches are missing"]));
    let invented = format!("left,right,margin\n{},{},0.5", winner(), hotkey("quarry"));
    lie(
        matrix,
        "left,right,margin",
        &invented,
        &expect("match.matrix", 0, matrix, &["margin 0.5 has no match report"]),
    );
}

#[test]
fn a_weight_an_effective_block_and_an_invented_entry() {
    lie("leader.json", "0.95", "1.0", &expect("leader.transition", 1, "leader.json", &["weight is 1.0", "0.95"]));
    let folder = example(false);
    let text = std::fs::read_to_string(folder.path().join("leader.json")).unwrap();
    let block = text.rsplit("\"effective_block\": ").next().unwrap().split('\n').next().unwrap().to_owned();
    let off = format!("{}1", &block[..block.len() - 1]);
    lie(
        "leader.json",
        &block,
        &off,
        &expect("leader.transition", 1, "leader.json", &["effective_block is", &block, &off]),
    );
    edit(folder.path(), "leader.json", |text| {
        let mut entries: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        entries.push(entries.last().unwrap().clone());
        serde_json::to_string_pretty(&entries).unwrap()
    });
    finds(folder.path(), &[], &expect("leader.transition", None, "leader.json", &["does not follow from any round"]));
}

#[test]
fn a_seed() {
    let folder = example(false);
    edit(folder.path(), "rounds/1/seed.json", |text| {
        let seed: u32 = text.split(": ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        text.replace(&seed.to_string(), &(seed ^ 1).to_string())
    });
    finds(folder.path(), &[], &expect("seed.derived", 1, "rounds/1/seed.json", &[]));
    finds(folder.path(), &[], &expect("prompts.carryover", 1, "rounds/1/prompts.txt", &["line 1 is", ", expected "]));
}

#[test]
fn the_order_of_prompts() {
    let folder = example(true);
    let swap = |text: &str, a: usize, b: usize| {
        let mut lines: Vec<_> = text.lines().collect();
        lines.swap(a, b);
        lines.join("\n")
    };
    edit(folder.path(), "rounds/1/prompts.txt", |text| swap(text, 0, 1));
    finds(folder.path(), &[], &expect("prompts.carryover", 1, "rounds/1/prompts.txt", &["line 1 is"]));
    edit(folder.path(), "rounds/1/prompts.txt", |text| swap(&swap(text, 0, 1), 10, 20));
    finds(folder.path(), &[], &expect("prompts.new", 1, "rounds/1/prompts.txt", &["line 11 is"]));
    edit(folder.path(), "rounds/1/prompts.txt", |text| text.rsplit_once('\n').unwrap().0.to_owned());
    finds(folder.path(), &[], &expect("prompts.count", 1, "rounds/1/prompts.txt", &["is 23", "expected 24"]));
}

#[test]
fn a_winner_and_its_image() {
    let winner_file = "rounds/0/winner.json";
    lie(
        winner_file,
        "registry.example.org",
        "registry.evil.org",
        &expect("winner.source", 0, winner_file, &["docker_image is", "registry.evil.org", "registry.example.org"]),
    );
    let folder = example(false);
    edit(folder.path(), winner_file, |text| text.replace(&winner(), &cheat()));
    finds(folder.path(), &[], &expect("winner.replay", 0, winner_file, &[&cheat(), &winner()]));
}

#[test]
fn a_distance_a_time_and_a_verdict() {
    let file = format!("rounds/0/{}/generated.json", winner());
    let folder = example(false);
    edit(folder.path(), &file, |text| text.replacen("\"distance\": 0.0", "\"distance\": 0.7", 1));
    finds(folder.path(), &[], &expect("audit.verdict", 0, winner(), &["failed_"]));
    lie(
        &file,
        "\"generation_time\": 63.75",
        "\"generation_time\": 63.8",
        &expect("audit.verdict", 0, winner(), &["generation_time is"]),
    );
    let audits = "rounds/0/generation_audits.json";
    lie(
        audits,
        "\"rejected\"",
        "\"passed\"",
        &expect("audit.verdict", 0, cheat(), &["outcome is \"passed\"", "\"rejected\""]),
    );
    lie(audits, "(10)", "(9)", &expect("audit.verdict", 0, cheat(), &["reason is", "(9)", "(10)"]));
}

#[test]
fn an_audit_request_that_is_missing_invented_or_changed() {
    let requests = "rounds/0/require_audit.json";
    let folder = example(true);
    edit(folder.path(), requests, |text| {
        let mut entries: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        entries.retain(|entry| entry["hotkey"] != winner());
        serde_json::to_string_pretty(&entries).unwrap()
    });
    finds(folder.path(), &[], &expect("audit.request", 0, requests, &[&winner(), "is not on the list"]));
    let folder = example(true);
    edit(folder.path(), requests, |text| {
        let entry =
            format!(",\n  {{\n    \"hotkey\": \"{}\",\n    \"critical_prompts\": []\n  }}\n]", hotkey("pebble"));
        text.replace("\n]", &entry)
    });
    finds(
        folder.path(),
        &[],
        &expect("audit.request", 0, hotkey("pebble").to_string(), &["neither the first to qualify"]),
    );
}

#[test]
fn a_deadline_a_window_and_a_hotkey() {
    lie(
        "rounds/1/schedule.json",
        "707800",
        "707801",
        &expect("schedule.blocks", 1, "rounds/1/schedule.json", &["707801", "707800"]),
    );
    lie(
        "rounds/1/schedule.json",
        "700001",
        "700002",
        &expect("schedule.blocks", 1, "rounds/1/schedule.json", &["700002", "700001"]),
    );
    let submissions = "rounds/0/submissions.json";
    lie(submissions, "699100", "700100", &expect("submissions.rules", 0, submissions, &["700100", "[0, 700000]"]));
    lie(
        submissions,
        "\"example-0\"",
        "\"example-1\"",
        &expect("submissions.rules", 0, submissions, &["example-1", "example-0"]),
    );
    let one_off = winner().replacen("5F", "5G", 1);
    lie(
        submissions,
        &winner(),
        &one_off,
        &expect("file.parse", 0, submissions, &["not a valid SS58 hotkey", "checksum"]),
    );
    lie(
        submissions,
        "https://quarry.example.org/0",
        "http://169.254.169.254",
        &expect("submissions.rules", 0, submissions, &["169.254"]),
    );
    let folder = example(false);
    std::fs::rename(
        folder.path().join(format!("rounds/0/{}", winner())),
        folder.path().join(format!("rounds/0/{one_off}")),
    )
    .unwrap();
    finds(folder.path(), &[], &expect("file.parse", 0, one_off, &["not a valid SS58 hotkey"]));
}

#[test]
fn builds_and_outputs() {
    let builds = "rounds/0/builds.json";
    lie(
        builds,
        "-example-0\",",
        "-example-1\",",
        &expect("builds.rules", 0, builds, &["tag is", "-example-1", "-example-0"]),
    );
    lie(
        builds,
        "\"success\"",
        "\"failure\"",
        &expect("builds.rules", 0, builds, &["docker_image is", "status is failure"]),
    );
    let other = cheat()[..10].to_lowercase();
    let own = winner()[..10].to_lowercase();
    lie(builds, &format!("/{own}:"), &format!("/{other}:"), &expect("builds.rules", 0, builds, &["another miner's"]));
    let submitted = format!("rounds/0/{}/submitted.json", winner());
    lie(
        &submitted,
        "\"size\": 1000000",
        "\"size\": 0",
        &expect("outputs.rules", 0, &submitted, &["size is 0, but glb is \""]),
    );
    lie(&submitted, ".glb", "x.glb", &expect("outputs.rules", 0, &submitted, &["not a URL of"]));
    refusals();
    let folder = example(true);
    edit(folder.path(), &format!("rounds/0/{}/duels_leader.json", winner()), |text| {
        let at = text.find("\"right_png\"").unwrap();
        format!("{}{}", &text[..at], text[at..].replacen(".png", "-2.png", 1))
    });
    finds(folder.path(), &[], &expect("match.urls", 0, "duels_", &["right_png is", "-2.png"]));
}

/// Lies about why files were refused.
fn refusals() {
    let path = format!("rounds/0/{}/refusals.json", winner());
    let file = gen404::model::file::FileKind::of_path(&path).unwrap();
    let text = std::fs::read_to_string(example(false).path().join(&path)).unwrap();
    let first = text.split('"').nth(1).unwrap().to_owned();
    let named = |name: &str| text.replacen(&first, name, 1);
    let stored = std::fs::read_to_string(example(false).path().join(format!("rounds/0/{}/submitted.json", winner())));
    let stored: serde_json::Value = serde_json::from_str(&stored.unwrap()).unwrap();
    let (complete, _) = stored.as_object().unwrap().iter().find(|(_, output)| output["png"].is_string()).unwrap();
    let cases = [
        (text.replacen("fetch.missing", "fetch.lost", 1), "\"fetch.lost\" is not known"),
        (text.replacen("status 404", &"x".repeat(241), 1), "not one visible line"),
        (text.replacen("status 404", "", 1), "not one visible line"),
        (text.replacen("status 404", "a\\u202eb", 1), "not one visible line"),
        (text.replacen("fetch.missing", "data.shape", 1), "data.shape is of a stored model, but there is none"),
        (text.replacen("bounds.exceeded", "file.length", 1), "file.length is of a file that is not stored, but it is"),
        (named("elsewhere"), "elsewhere: not a prompt of this round"),
        (named(complete), "refused, but submitted.json has a model and a preview"),
        ("{}".to_owned(), "no model or no preview, and no reason"),
    ];
    let folder = example(false);
    for (lied, says) in cases {
        assert_ne!(lied, text, "{says}");
        std::fs::write(folder.path().join(file.path()), lied).unwrap();
        finds(folder.path(), &["--round", "0"], &expect("outputs.refusals", 0, &path, &[says]));
    }
    let twice = named(text.split('"').nth(11).unwrap());
    std::fs::write(folder.path().join(&path), twice).unwrap();
    finds(folder.path(), &["--round", "0"], &expect("file.parse", 0, &path, &["is given twice"]));
    std::fs::remove_file(folder.path().join(&path)).unwrap();
    let missing = findings(folder.path(), &["--round", "0"]);
    let fits = |found: &Found| found.id == "outputs.refusals" && found.status == "warn" && found.subject == path;
    assert!(missing.iter().any(fits), "{missing:#?}");
    for player in std::fs::read_dir(folder.path().join("rounds/0")).unwrap() {
        drop(std::fs::remove_file(player.unwrap().path().join("refusals.json")));
    }
    assert_eq!(findings(folder.path(), &["--round", "0"]), [], "a round of an earlier version");
}

#[test]
fn half_a_file_and_other_broken_bytes() {
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    type Case = (&'static str, &'static str, fn(&str) -> String);
    let cases: [Case; 8] = [
        ("state.json", "unknown value `running`", |text| text.replace("\"open\"", "\"running\"")),
        ("state.json", "found 99999999999", |text| text.replace(": 2", ": 99999999999")),
        ("leader.json", "out of range", |text| text.replacen("0.95", "1e999", 1)),
        ("leader.json", "expected value", |text| text.replacen("0.95", "NaN", 1)),
        ("config.json", "duplicate key `name`", |text| text.replacen('{', "{\n  \"name\": \"x\",", 1)),
        ("rounds/1/schedule.json", "byte order mark", |text| format!("\u{feff}{text}")),
        ("rounds/1/schedule.json", "carriage return", |text| text.replace('\n', "\r\n")),
        ("rounds/0/matches_matrix.csv", "not finite", |text| text.replacen("-1.0", "NaN", 1)),
    ];
    for (path, says, damage) in cases {
        let folder = example(false);
        edit(folder.path(), path, damage);
        let round = path.strip_prefix("rounds/").map(|rest| rest[..1].parse::<u64>().unwrap());
        finds(folder.path(), &[], &expect("file.parse", round, path, &[says, "line"]));
    }
    let folder = example(false);
    edit(folder.path(), "rounds/0/builds.json", cut);
    finds(folder.path(), &[], &expect("file.parse", 0, "rounds/0/builds.json", &["the text ends"]));
    let folder = example(false);
    edit(folder.path(), "rounds/0/builds.json", |text| text.replace("  ", "    "));
    finds(folder.path(), &[], &expect("file.bytes", 0, "rounds/0/builds.json", &["from line 2 on"]));
}

#[test]
fn missing_files_and_folders() {
    for (gone, id, round, file) in [
        ("state.json", "state.files", None, "state.json"),
        ("rounds/1", "state.files", Some(1), "rounds/1"),
        ("rounds/0/winner.json", "state.files", Some(0), "rounds/0"),
        ("rounds/2", "state.files", Some(2), "rounds/2"),
        ("rounds/0/seed.json", "state.files", Some(0), "rounds/0"),
    ] {
        let folder = example(false);
        let path = folder.path().join(gone);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
        finds(folder.path(), &[], &expect(id, round, file, &["missing"]));
    }
}

#[test]
#[cfg(unix)]
fn a_link_out_of_the_folder_is_not_followed() {
    let folder = example(false);
    std::fs::remove_file(folder.path().join("rounds/0/seed.json")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("rounds/0/seed.json")).unwrap();
    finds(folder.path(), &[], &expect("file.parse", 0, "rounds/0/seed.json", &["link"]));
}

/// What the files alone cannot show, the history does: also in the working tree.
#[test]
fn history_shows_what_was_changed_afterwards() {
    let folder = example(true);
    let file = format!("rounds/0/{}/generated.json", winner());
    edit(folder.path(), &file, |text| text.replacen("\"distance\": 0.0", "\"distance\": 0.01", 1));
    finds(
        folder.path(),
        &["--history"],
        &expect("history.writer", 0, format!("working tree {file}"), &["changed in open of round 2"]),
    );
    let folder = example(true);
    edit(folder.path(), "rounds/0/prompts.txt", |text| {
        let mut lines: Vec<_> = text.lines().collect();
        lines.reverse();
        lines.join("\n")
    });
    finds(
        folder.path(),
        &["--history"],
        &expect("history.append_only", 0, "working tree rounds/0/prompts.txt", &["changed after it was recorded"]),
    );
}

#[test]
fn history_names_the_commit_that_broke_a_rule() {
    let folder = example(true);
    let git = gen404::world::git::Git::open(folder.path()).unwrap().unwrap();
    let commit = |path: &str, message: &str| {
        let kind = gen404::model::file::FileKind::of_path(path).unwrap();
        git.commit(&[kind], message).unwrap().unwrap()[..10].to_owned()
    };
    edit(folder.path(), "state.json", |text| text.replace("\"open\"", "\"duels\""));
    let stage = commit("state.json", "straight to the duels");
    finds(
        folder.path(),
        &["--history"],
        &expect(
            "history.stage",
            None,
            format!("{stage} state.json"),
            &["from open of round 2 to duels of round 2", "straight to the duels"],
        ),
    );
    edit(folder.path(), "config.json", |text| text.replace("0.05", "0.06"));
    let config = commit("config.json", "a new margin");
    finds(
        folder.path(),
        &["--history"],
        &expect("history.writer", None, format!("{config} config.json"), &["only before the start"]),
    );
    edit(folder.path(), "leader.json", |text| {
        let mut entries: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        entries.remove(0);
        serde_json::to_string_pretty(&entries).unwrap()
    });
    let leader = commit("leader.json", "one leader less");
    finds(
        folder.path(),
        &["--history"],
        &expect("history.append_only", None, format!("{leader} leader.json"), &["entry 1 was"]),
    );
}

#[test]
fn one_round_can_be_checked_alone() {
    let folder = example(false);
    edit(folder.path(), "rounds/0/winner.json", |text| text.replace("registry.example.org", "registry.evil.org"));
    assert_eq!(findings(folder.path(), &["--round", "1"]), []);
    assert_eq!(findings(folder.path(), &["--round", "0"]).len(), 2);
    let run = gen404(folder.path(), &["verify", "--round", "7"]).ends(2);
    assert!(run.err.contains("round 7 is not here: rounds are 0 to 2"), "{}", run.err);
}

/// As in real competitions: a file broken and mended, and one commit that rewrites several.
#[test]
fn history_tells_of_every_intervention_and_of_files_that_were_broken_for_a_while() {
    let folder = example(true);
    let git = gen404::world::git::Git::open(folder.path()).unwrap().unwrap();
    let commit = |paths: &[&str], message: &str| {
        let kinds: Vec<_> = paths.iter().map(|path| gen404::model::file::FileKind::of_path(path).unwrap()).collect();
        git.commit(&kinds, message).unwrap().unwrap()[..10].to_owned()
    };
    edit(folder.path(), "rounds/0/schedule.json", |text| text.replacen('{', "{,", 1));
    let broken = commit(&["rounds/0/schedule.json"], "A comma too many");
    edit(folder.path(), "rounds/0/schedule.json", |text| text.replacen("{,", "{", 1));
    commit(&["rounds/0/schedule.json"], "And away");
    edit(folder.path(), "rounds/0/prompts.txt", |text| text.lines().rev().collect::<Vec<_>>().join("\n"));
    edit(folder.path(), "rounds/0/schedule.json", |text| text.replace("700600", "700601"));
    let rewritten = commit(&["rounds/0/prompts.txt", "rounds/0/schedule.json"], "Another round 0");
    let found: Vec<String> = findings(folder.path(), &["--history"])
        .into_iter()
        .filter(|found| found.id.starts_with("history.") || found.subject.starts_with(&broken))
        .map(|found| format!("{} {} {}", found.status, found.id, found.subject))
        .collect();
    for expected in [
        format!("warn file.parse {broken} rounds/0/schedule.json"),
        format!("fail history.append_only {rewritten} rounds/0/prompts.txt"),
        format!("fail history.append_only {rewritten} rounds/0/schedule.json"),
    ] {
        assert!(found.contains(&expected), "{expected}: {found:#?}");
    }
}
