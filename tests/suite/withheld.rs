//! Evidence that is held back: a round without a question after one that has it, answers that come later than their
//! report, digests that nothing is compared with.

use std::path::Path;

use serde_json::Value;

use crate::evidence::{about, answers, commit, committed, lines, played, summed};
use crate::support::{Found, edit, tree};

fn named(folder: &Path, part: &str) -> Vec<String> {
    let paths = tree(folder).into_keys().map(|path| path.to_str().unwrap().to_owned());
    paths.filter(|path| path.starts_with("rounds/1/") && path.contains(part)).collect()
}

/// The status and the words of the findings on one subject.
fn on(found: &[Found], subject: &str) -> Vec<(String, String)> {
    let of = found.iter().filter(|found| found.subject == subject);
    of.map(|found| (found.status.clone(), found.detail.clone())).collect()
}

#[test]
fn a_judged_round_without_a_question_is_a_warning_only_after_one_with_it() {
    let folder = played();
    let question = std::fs::read(folder.path().join("rounds/1/question.toml")).unwrap();
    for path in named(folder.path(), "/answers_") {
        std::fs::remove_file(folder.path().join(path)).unwrap();
    }
    std::fs::remove_file(folder.path().join("rounds/1/question.toml")).unwrap();
    assert_eq!(about(folder.path(), &[]), [], "no round keeps any");
    std::fs::write(folder.path().join("rounds/0/question.toml"), question).unwrap();
    let found = about(folder.path(), &[]);
    let told = on(&found, "rounds/1/question.toml");
    let [(status, detail)] = told.as_slice() else { panic!("{found:#?}") };
    assert!(status == "warn" && detail.contains("round 1") && detail.contains("since round 0"), "{detail}");
    assert!(found.iter().all(|found| found.status != "fail"), "{found:#?}");
    let alone = about(folder.path(), &["--round", "1"]);
    assert_eq!(on(&alone, "rounds/1/question.toml"), told, "also where only that round is read");
    // Answers of duels without a judge show that the round itself keeps them.
    let folder = played();
    std::fs::remove_file(folder.path().join("rounds/1/question.toml")).unwrap();
    let unjudged = |path: &String| lines(folder.path(), path).iter().all(|line| line.get("without_judge").is_some());
    let (kept, judged): (Vec<_>, Vec<_>) = named(folder.path(), "/answers_").into_iter().partition(unjudged);
    for path in &judged {
        std::fs::remove_file(folder.path().join(path)).unwrap();
    }
    if !kept.is_empty() {
        let told = on(&about(folder.path(), &[]), "rounds/1/question.toml");
        assert!(told.len() == 1 && told[0].0 == "warn" && told[0].1.contains("some of its reports"), "{told:?}");
    }
}

#[test]
fn answers_that_come_later_than_their_report_are_a_warning() {
    let (folder, git) = committed();
    let answers = answers();
    let text = std::fs::read(folder.path().join(&answers)).unwrap();
    let whole = tree(folder.path());
    drop(git);
    std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
    std::fs::remove_file(folder.path().join(&answers)).unwrap();
    let git = crate::round::committed(folder.path());
    let paths: Vec<_> = whole.keys().map(|path| path.to_str().unwrap()).filter(|path| *path != answers).collect();
    let known = |path: &&&str| gen404::model::file::FileKind::of_path(path).is_some() && path.starts_with("rounds/");
    commit(&git, &paths.iter().filter(known).copied().collect::<Vec<_>>());
    let on_answers = || on(&about(folder.path(), &[]), &answers);
    assert_eq!(on_answers()[0].0, "fail", "missing beside a report that is not older than the question");
    std::fs::write(folder.path().join(&answers), text).unwrap();
    let told = on_answers();
    assert!(told.len() == 1 && told[0].0 == "warn" && told[0].1.contains("first recorded in working tree"), "{told:?}");
    commit(&git, &[&answers]);
    let told = on_answers();
    let head = git.head().unwrap().unwrap().to_string();
    assert!(told.len() == 1 && told[0].0 == "warn" && told[0].1.contains(&head[..10]), "{told:?}");
}

/// Gives the image at this place of a duel's line a digest.
fn digest(folder: &Path, answers: &str, name: &str, place: &str, digit: &str) {
    edit(folder, answers, |text| {
        let set = |line: &str| {
            let of: Value = serde_json::from_str(line).unwrap();
            if of["name"] == name && of.get("images").is_some() {
                line.replacen(&format!("\"{place}\":null"), &format!("\"{place}\":\"{}\"", digit.repeat(64)), 1)
            } else {
                line.to_owned()
            }
        };
        text.lines().map(|line| set(line) + "\n").collect()
    });
}

/// A duel that the judge decided, with the same left side, in the answers of two miners.
fn shared(folder: &Path) -> (String, String, String) {
    let all: Vec<String> =
        named(folder, "/answers_leader").into_iter().filter(|path| !lines(folder, path).is_empty()).collect();
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            let judged = |path: &str| {
                let judged = lines(folder, path).into_iter().filter(|line| line.get("images").is_some());
                judged.map(|line| line["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            let theirs = judged(other);
            if let Some(name) = judged(one).into_iter().find(|name| theirs.contains(name)) {
                return (one.clone(), other.clone(), name);
            }
        }
    }
    panic!("no duel twice in {all:?}");
}

#[test]
fn an_image_has_one_digest_in_all_answers_of_a_round() {
    for place in ["prompt", "left"] {
        let folder = played();
        let (one, other, name) = shared(folder.path());
        digest(folder.path(), &one, &name, place, "a");
        digest(folder.path(), &other, &name, place, "a");
        let failed =
            || about(folder.path(), &[]).into_iter().filter(|found| found.status == "fail").collect::<Vec<_>>();
        assert_eq!(failed(), [], "{place}");
        edit(folder.path(), &other, |text| text.replacen(&"a".repeat(64), &"b".repeat(64), 1));
        let found = failed();
        let says = [format!("judged by {}", "b".repeat(64)), format!("by {} in {one}", "a".repeat(64))];
        assert!(found.len() == 1 && says.iter().all(|says| found[0].detail.contains(says)), "{place}: {found:#?}");
        assert_eq!((found[0].subject.as_str(), found[0].id.as_str()), (other.as_str(), "duel.answers"));
    }
}

#[test]
fn digests_that_nothing_is_compared_with_are_counted() {
    let folder = played();
    let (one, other, name) = shared(folder.path());
    digest(folder.path(), &one, &name, "left", "a");
    digest(folder.path(), &other, &name, "left", "a");
    let told = on(&about(folder.path(), &[]), "rounds/1: previews");
    let [(status, detail)] = told.as_slice() else { panic!("{told:?}") };
    assert!(status == "warn" && detail.starts_with("2 of ") && detail.contains("(leader 2)"), "{detail}");
    assert!(detail.contains("though 1 player of the round has one"), "{detail}");
    std::fs::remove_file(folder.path().join(format!("rounds/1/{}/SHA256SUMS", summed()))).unwrap();
    let told = on(&about(folder.path(), &[]), "rounds/1: previews");
    let [(status, detail)] = told.as_slice() else { panic!("{told:?}") };
    assert!(status == "skip" && detail.contains("compared with nothing"), "{detail}");
}
