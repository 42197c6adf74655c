//! `verify` in clones that lack a part: real ones, by the git program over file://.

use std::path::Path;
use std::process::Command;

use crate::checkouts::run;
use crate::support::{Found, edit, example, findings, gen404, git, skipped};

/// The example, ready to be cloned by real transport; `None` where there is no git program.
fn served() -> Option<tempfile::TempDir> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    let folder = example(true);
    git(folder.path(), &["config", "uploadpack.allowFilter", "true"]);
    Some(folder)
}

fn clone(from: &Path, to: &Path, how: &str) {
    let url = format!("file://{}", from.display());
    git(from, &["clone", "-q", how, &url, to.to_str().unwrap()]);
}

fn short(found: &Found) -> String {
    format!("{} {} {}", found.status, found.id, found.subject)
}

#[test]
fn a_shallow_clone_leaves_open_what_it_cannot_know() {
    let Some(served) = served() else { return };
    let top = tempfile::tempdir().unwrap();
    let depth: usize = git(served.path(), &["rev-list", "--count", "HEAD"]).parse().unwrap();
    for commits in [1, 2, 3, 5, depth / 2, depth - 1] {
        let folder = top.path().join(commits.to_string());
        clone(served.path(), &folder, &format!("--depth={commits}"));
        let all = findings(&folder, &["--history"]);
        let counted = if commits == 1 { "1 commit".to_owned() } else { format!("{commits} commits") };
        let lacking = format!("shallow clone: {counted}; git fetch --unshallow");
        let skips = |found: &&Found| found.status == "skip" && found.detail == lacking;
        assert_eq!(all.iter().filter(skips).count(), all.len(), "{commits} commits: {all:#?}");
        for id in ["history.append_only", "history.stage", "history.writer"] {
            assert!(all.iter().any(|found| found.id == id), "{commits} commits: {id} in {all:#?}");
        }
        let has = |id: &str, round: u64| all.iter().any(|found| found.id == id && found.round == Some(round));
        let early = commits < depth / 2;
        assert!(!early || (has("audit.request", 0) && has("audit.critical", 0) && has("prompts.new", 0)), "{all:#?}");
        assert!(!has("audit.request", 2), "{all:#?}");
        // Without --history as well, but for the history itself.
        let plain: Vec<_> = findings(&folder, &[]).iter().map(short).collect();
        let rest: Vec<_> = all.iter().map(short).filter(|found| !found.contains(" history.")).collect();
        assert_eq!(plain, rest);
    }
    // With all of it, everything is known.
    let folder = top.path().join("2");
    git(&folder, &["fetch", "-q", "--unshallow"]);
    assert_eq!(findings(&folder, &["--history"]), []);
}

#[test]
fn lies_are_found_in_a_shallow_clone_where_they_need_no_history() {
    let Some(served) = served() else { return };
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("clone");
    clone(served.path(), &folder, "--depth=1");
    edit(&folder, "rounds/1/schedule.json", |text| text.replace("707800", "707801"));
    let all = findings(&folder, &["--history"]);
    let fails: Vec<_> = all.iter().filter(|found| found.status == "fail").map(short).collect();
    assert!(fails.contains(&"fail schedule.blocks rounds/1/schedule.json".to_owned()), "{all:#?}");
    assert!(fails.iter().any(|found| found.starts_with("fail history.append_only working tree")), "{all:#?}");
}

/// Every command that looks at the past, and how it is told of what is lacking.
#[test]
fn a_partial_clone_is_told_from_a_broken_claim_and_is_whole_after_one_fetch() {
    let Some(served) = served() else { return };
    let top = tempfile::tempdir().unwrap();
    // Nothing is compared with earlier visits: only the clones have a remote.
    let (plain, history) = (["verify", "--heads", ""], ["verify", "--heads", "", "--history"]);
    let all = [&plain[..], &history, &["verify", "--heads", "", "--history", "--json"]];
    let whole = all.map(|args| gen404(served.path(), args).ends(0).out);
    for filter in ["blob:none", "tree:0"] {
        let folder = top.path().join(filter.replace(':', "-"));
        clone(served.path(), &folder, &format!("--filter={filter}"));
        let pages = top.path().join("pages");
        let hint = format!("git -C {} fetch --refetch --no-filter", folder.canonicalize().unwrap().display());
        let report = ["report", "--out", pages.to_str().unwrap()];
        for args in [&["verify"][..], &["verify", "--history"], &["verify", "--round", "0"], &report] {
            let lacking = gen404(&folder, args).ends(4);
            assert!(lacking.err.contains("is not here: this is a partial clone"), "{filter}: {lacking:?}");
            assert!(lacking.err.contains(&format!("hint: {hint}")), "{filter}: {lacking:?}");
            assert_eq!(lacking.out, "");
            let json = gen404(&folder, &[args, &["--json"]].concat()).ends(4);
            assert!(json.out.contains(&hint) || json.err.contains(&hint), "{filter}: {json:?}");
        }
        // What goes by the files alone does not miss the rest.
        for args in [&["status"][..], &["leader", "--block", "710000"]] {
            assert_eq!(gen404(&folder, args).ends(0).out, gen404(served.path(), args).ends(0).out);
        }
        let packs = || std::fs::read_dir(folder.join(".git/objects/pack")).unwrap().count();
        let before = packs();
        assert_eq!(run(&folder, &["verify"]).code, 4);
        assert_eq!(packs(), before, "nobody is contacted");
        git(&folder, &["fetch", "-q", "--refetch", "--no-filter"]);
        let missing = git(&folder, &["rev-list", "--objects", "--missing=print", "HEAD"]);
        assert!(!missing.lines().any(|line| line.starts_with('?')), "{filter}: {missing}");
        assert_eq!(all.map(|args| gen404(&folder, args).ends(0).out), whole, "{filter}");
    }
}

/// Of a whole clone, a missing object is damage, and no matter of fetching.
#[test]
fn a_damaged_clone_is_no_partial_one() {
    let Some(served) = served() else { return };
    let object = git(served.path(), &["rev-parse", "HEAD~3:leader.json"]);
    let last = git(served.path(), &["rev-parse", "HEAD:leader.json"]);
    assert_ne!(object, last);
    std::fs::remove_file(served.path().join(".git/objects").join(&object[..2]).join(&object[2..])).unwrap();
    let damaged = gen404(served.path(), &["verify", "--history"]).ends(1);
    assert!(damaged.err.contains("it is missing"), "{damaged:?}");
    assert!(!damaged.err.contains("partial"), "{damaged:?}");
}

/// Whatever a damaged clone lacks, nobody is accused of it.
#[test]
fn what_a_damaged_clone_lacks_is_never_a_broken_claim() {
    let Some(served) = served() else { return };
    let (root, objects) = (served.path(), served.path().join(".git/objects"));
    let listed = |args: &[&str]| git(root, args).lines().map(|line| line[..40].to_owned()).collect::<Vec<_>>();
    let now = listed(&["rev-list", "--objects", "--no-walk", "HEAD"]);
    let past: Vec<_> = listed(&["rev-list", "--objects", "HEAD"]).into_iter().filter(|id| !now.contains(id)).collect();
    let mut told = 0;
    for id in past.iter().filter(|id| git(root, &["cat-file", "-t", id]) == "blob") {
        let file = objects.join(&id[..2]).join(&id[2..]);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let run = gen404(root, &["verify"]);
        if run.code != 0 {
            told += 1;
            assert!(run.code == 1 && run.err.contains("it is missing") && !run.out.contains("fail "), "{run:?}");
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(told > 0, "none of {} objects is looked at", past.len());
}
