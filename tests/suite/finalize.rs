//! `finalize`: the real rounds' openings reproduced, and the rest of its behaviour.

use std::process::Command;

use crate::support::{edit, example, example_before_end, gen404, real_competition, tree};

/// Commits that opened a round: the commit before, the round, and block and time that give it. The
/// block is the one at the commit's time, from the schedule that it wrote.
const OPENINGS: [(&str, u32, u64, &str); 3] = [
    ("e4ce567", 1, 7_462_130, "2026-02-03T09:28:00Z"),
    ("f1de9a7", 2, 7_479_397, "2026-02-05T19:03:20Z"),
    ("7b1de0e", 3, 7_498_828, "2026-02-08T11:52:40Z"),
];

#[test]
fn the_real_openings_come_out_byte_for_byte() {
    let Some(folder) = real_competition() else { return };
    let git = |args: &[&str]| {
        let run = Command::new("git").args(args).current_dir(folder.path()).output().unwrap();
        assert!(run.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&run.stderr));
        run.stdout
    };
    for (commit, round, block, now) in OPENINGS {
        git(&["checkout", "-q", "-f", &format!("{commit}^")]);
        let block = block.to_string();
        gen404(folder.path(), &["finalize", "--block", &block, "--now", now]).ends(0);
        let schedule = format!("rounds/{round}/schedule.json");
        let mut files = vec!["leader.json", schedule.as_str()];
        if round != 1 {
            // Round 1's state was written by an older writer, without the time.
            files.push("state.json");
        }
        for file in files {
            let expected = String::from_utf8(git(&["show", &format!("{commit}:{file}")])).unwrap();
            // Weights have ten digits since then.
            let expected = expected.replace("0.6000000000000001,", "0.6,");
            let found = std::fs::read_to_string(folder.path().join(file)).unwrap();
            assert_eq!(found, expected, "{commit} {file}");
        }
        git(&["checkout", "-q", "-f", commit]);
        let again = gen404(folder.path(), &["finalize", "--block", &block, "--now", now]).ends(0);
        assert!(again.out.contains("is already finalized"), "{}", again.out);
    }
}

/// The example competition just before its last finalization: round 1 in finalizing.
fn finalizing(history: bool) -> tempfile::TempDir {
    example_before_end(1, history)
}

const AT: [&str; 5] = ["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"];

#[test]
fn a_dry_run_writes_nothing_and_says_what_it_would() {
    let folder = finalizing(false);
    let before = tree(folder.path());
    let run = gen404(folder.path(), &[&AT[..], &["--dry-run"]].concat()).ends(0);
    for path in ["rounds/2/schedule.json", "leader.json", "state.json"] {
        assert!(run.err.contains(&format!("would write {path}\n")), "{}", run.err);
    }
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn a_commit_holds_just_the_files_written() {
    let folder = finalizing(true);
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let run = gen404(folder.path(), &[&AT[..], &["--commit", "--json"]].concat()).ends(0);
    let json = run.json();
    assert_eq!(json["commits"], serde_json::json!([json["commit"]]));
    let git = gen404::world::git::Git::open(folder.path()).unwrap().unwrap();
    let log = git.log().unwrap();
    let last = log.commits.last().unwrap();
    assert_eq!(last.id, json["commit"].as_str().unwrap());
    assert_eq!(last.summary, "Update state (open), schedule, leader for round 2");
    let mut changed: Vec<_> = last.changes.iter().map(|change| change.file.path()).collect();
    changed.sort();
    assert_eq!(changed, ["leader.json", "rounds/2/schedule.json", "state.json"]);
    let again = gen404(folder.path(), &["verify", "--history"]).ends(0);
    assert!(!again.out.contains("working tree"), "{}", again.out);
}

#[test]
fn at_the_wrong_time_it_changes_nothing_and_says_what_is_due() {
    let folder = example(false);
    edit(folder.path(), "state.json", |text| text.replace("\"open\"", "\"duels\"").replace(": 2", ": 1"));
    let before = tree(folder.path());
    let run = gen404(folder.path(), &AT).ends(3);
    assert!(run.out.contains("finalize is not due: round 1 is in duels; `gen404 duel` is due"), "{}", run.out);
    assert_eq!((tree(folder.path()), run.err.as_str()), (before, ""));
}

#[test]
fn after_the_last_day_the_competition_is_finished() {
    let folder = finalizing(false);
    edit(folder.path(), "config.json", |text| text.replace("2026-06-30", "2026-03-03"));
    let run = gen404(folder.path(), &AT).ends(0);
    assert!(run.out.contains("the competition is over"), "{}", run.out);
    let state = std::fs::read_to_string(folder.path().join("state.json")).unwrap();
    assert_eq!(state, "{\n  \"current_round\": 1,\n  \"stage\": \"finished\",\n  \"next_stage_eta\": null\n}");
    assert!(!folder.path().join("rounds/2").exists());
    gen404(folder.path(), &["verify"]).ends(0);
    let again = gen404(folder.path(), &AT).ends(0);
    assert!(again.out.contains("round 1 is already finalized"), "{}", again.out);
}

#[test]
fn a_file_chain_gives_block_and_time() {
    let folder = finalizing(false);
    std::fs::write(
        folder.path().join("chain.json"),
        r#"{"current_block": 709900, "block_times": {"709900": 1772557200}}"#,
    )
    .unwrap();
    std::fs::write(folder.path().join("gen404.toml"), "[chain]\nfile = \"chain.json\"\n").unwrap();
    gen404(folder.path(), &["finalize"]).ends(0);
    let state = std::fs::read_to_string(folder.path().join("state.json")).unwrap();
    assert!(state.contains("2026-03-04T08:00:00Z"), "{state}");
}
