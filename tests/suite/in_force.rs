//! Claims are judged by the files and settings of the commit that made them.

use std::path::Path;
use std::process::Command;

use crate::support::make_competition::hotkey;
use crate::support::{Found, edit, example, findings, git, skipped};

/// The example as a checkout of the git program's; `None` where there is none.
fn checkout() -> Option<tempfile::TempDir> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    Some(example(true))
}

/// Commits everything, and gives the short id.
fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-qm", message]);
    git(folder, &["rev-parse", "HEAD"])[..10].to_owned()
}

const BASELINE: &str = "rounds/0/leader/generated.json";

/// The leader's baseline is made again: other URLs, and one preview less.
fn again(folder: &Path) {
    edit(folder, BASELINE, |text| {
        let text = text.replace(".glb\"", "-2.glb\"");
        let at = text.find("\"png\": \"").unwrap() + "\"png\": ".len();
        let end = at + 1 + text[at + 1..].find('"').unwrap() + 1;
        format!("{}null{}", &text[..at], &text[end..])
    });
    let sums = folder.join("rounds/0/leader/SHA256SUMS");
    if sums.exists() {
        std::fs::remove_file(sums).unwrap();
    }
}

/// The findings, without those on what each commit did.
fn of_claims(folder: &Path, flags: &[&str]) -> Vec<Found> {
    findings(folder, flags).into_iter().filter(|found| !found.id.starts_with("history.")).collect()
}

#[test]
fn a_report_is_judged_on_what_was_there_when_it_was_written() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    again(folder);
    let told = |by: &str| format!("replaced after the matches, in {by}");
    let only = |by: &str| {
        for flags in [&[][..], &["--history"]] {
            let all = of_claims(folder, flags);
            let [found] = all.as_slice() else { panic!("{flags:?}: {all:#?}") };
            assert_eq!((found.id.as_str(), found.subject.as_str()), ("match.urls", BASELINE));
            assert_eq!((found.status.as_str(), found.detail.clone()), ("warn", told(by)));
        }
    };
    only("working tree");
    let replaced = commit(folder, "baseline made again");
    only(&replaced);
    // A later commit that has nothing to do with it changes nothing, one that replaces it again does.
    std::fs::write(folder.join("notes.txt"), "a").unwrap();
    commit(folder, "notes");
    only(&replaced);
    edit(folder, BASELINE, |text| text.replace("-2.glb", "-3.glb"));
    only(&commit(folder, "and again"));
    // A report that is written now goes by what is there now.
    let report = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    edit(folder, &report, |text| format!("{} ", text.trim_end()));
    commit(folder, "the report, written again");
    let all = of_claims(folder, &[]);
    let fails = |id: &str| {
        let fits = |found: &&Found| found.status == "fail" && found.id == id && found.subject == report;
        all.iter().any(|found| fits(&found))
    };
    assert!(fails("match.urls") && fails("match.rules"), "{all:#?}");
}

#[test]
fn a_report_of_other_urls_than_those_of_its_commit_is_a_lie_whatever_came_later() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    let report = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    edit(folder, &report, |text| text.replacen(".glb\"", "-2.glb\"", 1));
    commit(folder, "a lie");
    again(folder);
    commit(folder, "what makes it look true");
    let all = of_claims(folder, &[]);
    let lie = all.iter().find(|found| found.status == "fail" && found.id == "match.urls").expect("a fail");
    assert_eq!(lie.subject, report);
    assert!(lie.detail.contains(" (by the files of commit "), "{}", lie.detail);
}

#[test]
fn without_the_commit_that_wrote_it_a_report_is_only_warned_of() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    again(folder);
    commit(folder, "baseline made again");
    let top = tempfile::tempdir().unwrap();
    let shallow = top.path().join("clone");
    git(folder, &["clone", "-q", "--depth=2", &format!("file://{}", folder.display()), shallow.to_str().unwrap()]);
    std::fs::remove_dir_all(folder.join(".git")).unwrap();
    for (folder, why) in [
        (folder, "without history the earlier ones are unknown"),
        (&shallow, "shallow clone: 2 commits; git fetch --unshallow"),
    ] {
        let all = of_claims(folder, &[]);
        assert!(all.iter().all(|found| found.status != "fail"), "{all:#?}");
        for id in ["match.urls", "match.rules"] {
            let warned = all.iter().filter(|found| found.id == id && found.subject.contains("duels_leader"));
            let mut warned = warned.peekable();
            assert!(warned.peek().is_some(), "{id}: {all:#?}");
            assert!(warned.all(|found| found.status == "warn" && found.detail.contains(why)), "{all:#?}");
        }
    }
}

#[test]
fn settings_that_change_later_judge_nothing_of_before() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    let settings = [
        ("\"win_margin\": 0.05", "\"win_margin\": 0.9"),
        ("\"weight_decay\": 0.05", "\"weight_decay\": 0.2"),
        ("\"weight_floor\": 0.1", "\"weight_floor\": 0.99"),
        ("\"generation_stage_minutes\": 120", "\"generation_stage_minutes\": 60"),
        ("\"prompts_per_round\": 24", "\"prompts_per_round\": 30"),
        ("\"carryover_prompts\": 6", "\"carryover_prompts\": 8"),
    ];
    edit(folder, "config.json", |text| {
        settings.iter().fold(text.to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "{old} in {text}");
            text.replace(old, new)
        })
    });
    // The round that is open goes by those of the commit that opened it.
    let all = of_claims(folder, &[]);
    assert!(all.iter().all(|found| found.status != "fail"), "{all:#?}");
    commit(folder, "other settings");
    let all = of_claims(folder, &[]);
    assert!(all.iter().all(|found| found.status != "fail"), "{all:#?}");
    // A claim that is wrong by the settings of its time is wrong.
    edit(folder, "leader.json", |text| text.replace("0.95", "0.8"));
    commit(folder, "as if it had always been so");
    let all = findings(folder, &[]);
    let wrong = all.iter().find(|found| found.id == "leader.transition" && found.status == "fail").expect("a fail");
    assert!(wrong.detail.contains("weight is 0.8, expected 0.95 (by the rules of commit "), "{wrong:?}");
}

#[test]
fn weights_are_taken_with_ten_digits_and_as_they_came_out() {
    for (weight, taken) in [("0.1", true), ("0.09999999999999998", true), ("0.1000000001", false), ("0.09", false)] {
        let folder = example(false);
        edit(folder.path(), "config.json", |text| {
            text.replace("\"weight_decay\": 0.05", "\"weight_decay\": 0.9")
                .replace("\"weight_floor\": 0.1", "\"weight_floor\": 0.05")
        });
        edit(folder.path(), "leader.json", |text| text.replace("0.95", weight));
        let all = findings(folder.path(), &[]);
        let told = all.iter().any(|found| found.id == "leader.transition");
        assert_eq!(told, !taken, "{weight}: {all:#?}");
    }
}

#[test]
fn however_many_audits_are_requested_each_is_judged_by_its_commit() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    edit(folder, "rounds/1/require_audit.json", |text| {
        let more = |n| {
            format!(",\n  {{\n    \"hotkey\": \"{}\",\n    \"critical_prompts\": []\n  }}", hotkey(&format!("n{n}")))
        };
        format!("{}{}\n]", text.trim_end_matches("\n]"), (0..200).map(more).collect::<String>())
    });
    let asked = commit(folder, "200 more");
    let found = of_claims(folder, &["--round", "1"]);
    let refused = found.iter().filter(|found| found.id == "audit.request" && found.status == "fail");
    let told = format!("neither the first to qualify nor took the lead in {asked}");
    assert_eq!(refused.filter(|found| found.detail == told).count(), 200, "{found:#?}");
}

#[test]
fn a_merge_in_the_history_changes_no_judgement() {
    let Some(folder) = checkout() else { return };
    let folder = folder.path();
    again(folder);
    commit(folder, "baseline made again");
    let before = of_claims(folder, &[]);
    assert!(before.iter().any(|found| found.detail.starts_with("replaced after the matches")), "{before:#?}");
    git(folder, &["checkout", "-q", "-b", "side", "HEAD~4"]);
    std::fs::write(folder.join("notes.txt"), "a").unwrap();
    commit(folder, "notes");
    git(folder, &["checkout", "-q", "-"]);
    git(folder, &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    assert_eq!(of_claims(folder, &[]), before);
}

/// Files that lack the last row of a matrix, as a tree of git.
fn tree_without_a_row(root: &Path) -> String {
    let matrix = root.join("rounds/0/matches_matrix.csv");
    let text = std::fs::read_to_string(&matrix).unwrap();
    std::fs::write(&matrix, text.rsplit_once('\n').unwrap().0).unwrap();
    git(root, &["add", "-A"]);
    let tree = git(root, &["write-tree"]);
    git(root, &["reset", "-q", "--hard"]);
    tree
}

#[test]
fn a_merge_keeps_what_each_of_its_parents_had() {
    let Some(folder) = checkout() else { return };
    let root = folder.path();
    let (head, tree) = (git(root, &["rev-parse", "HEAD"]), tree_without_a_row(root));
    let merge = |tree: &str, parents: [&str; 2]| {
        let merge = git(root, &["commit-tree", tree, "-p", parents[0], "-p", parents[1], "-m", "Merge"]);
        git(root, &["reset", "-q", "--hard", &merge]);
        let found = crate::support::gen404(root, &["verify", "--history", "--json"]).json();
        let lost = |check: &&serde_json::Value| {
            check["id"] == "history.append_only" && check["detail"].as_str().unwrap().contains("by a merge")
        };
        found["details"]["checks"].as_array().unwrap().iter().filter(lost).count()
    };
    let forged = git(root, &["commit-tree", &tree, "-m", "Another history"]);
    assert_eq!(merge(&tree, [&head, &forged]), 1);
    assert_eq!(merge(&tree, [&forged, &head]), 1);
    // What is in both, and what one of them added, is all there.
    let whole = git(root, &["rev-parse", &format!("{head}^{{tree}}")]);
    let early = git(root, &["rev-parse", &format!("{head}~3")]);
    let side = git(root, &["commit-tree", &format!("{early}^{{tree}}"), "-p", &early, "-m", "A side branch"]);
    assert_eq!(merge(&whole, [&head, &side]), 0);
    assert_eq!(merge(&whole, [&side, &head]), 0);
}
