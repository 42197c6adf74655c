//! `history.continues`: a history that was rewritten is found by a new clone of it, by the head that was verified before;
//! one that only grew is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::checkouts::{checkout, ended};
use crate::support::{self, Run, command, side_by_side};

/// A remote with five commits, and the reader's own folder.
pub struct Place {
    pub top: tempfile::TempDir,
}

/// What the clones say that they are clones of.
pub const URL: &str = "https://reader:hunter2@GitHub.com/404-Repo/Comp.git";

impl Place {
    pub fn new() -> Option<Place> {
        let (first, top) = (checkout()?, tempfile::tempdir().unwrap());
        for at in 0..4 {
            commit(first.path(), &format!("Round {at}"));
        }
        let remote = top.path().join("remote.git");
        git(top.path(), &["clone", "-q", "--bare", first.path().to_str().unwrap(), remote.to_str().unwrap()]);
        git(&remote, &["config", "uploadpack.allowFilter", "true"]);
        Some(Place { top })
    }

    pub fn clone(&self, name: &str, how: &[&str]) -> PathBuf {
        let to = self.top.path().join(name);
        git(self.top.path(), &[&["clone", "-q"], how, &[&self.real(), to.to_str().unwrap()]].concat());
        to
    }

    /// A new clone by the address that everybody knows; `git` goes to the remote here for it.
    pub fn new_clone(&self, name: &str, how: &[&str]) -> PathBuf {
        let to = self.clone(name, how);
        self.rename(&to);
        to
    }

    fn rename(&self, clone: &Path) {
        git(clone, &["config", "remote.origin.url", URL]);
        std::fs::write(clone.join(".git").join(REAL), self.real()).unwrap();
    }

    /// Where the remote is.
    pub fn real(&self) -> String {
        format!("file://{}", self.top.path().join("remote.git").display())
    }

    fn heads(&self) -> PathBuf {
        self.top.path().join("home/.local/state/gen404/heads.json")
    }

    pub fn remembered(&self, branch: &str) -> Value {
        let text = std::fs::read_to_string(self.heads()).unwrap_or("{}".to_owned());
        serde_json::from_str::<Value>(&text).unwrap()["heads"]["github.com/404-repo/comp"][branch].clone()
    }

    pub fn verify(&self, clone: &Path, args: &[&str]) -> Verified {
        let mut command = command(clone);
        command.env("HOME", self.top.path().join("home")).args(["verify", "--json"]).args(args);
        Verified::of(ended(&mut command))
    }
}

/// What `verify` said of the history's continuity.
#[derive(Debug)]
pub struct Verified {
    pub run: Run,
    /// Status, subject and detail.
    pub found: Vec<(String, String, String)>,
}

impl Verified {
    fn of(run: Run) -> Verified {
        let mut found = Vec::new();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for check in run.json()["details"]["checks"].as_array().into_iter().flatten() {
            if check["id"] == "history.continues" {
                found.push((text(&check["status"]), text(&check["subject"]), text(&check["detail"])));
            }
        }
        Verified { run, found }
    }

    /// The only finding has this status and says all of this.
    #[track_caller]
    pub fn is(&self, status: &str, says: &[&str]) {
        let [(found, _, detail)] = self.found.as_slice() else { panic!("{self:#?}") };
        assert!(found == status && says.iter().all(|part| detail.contains(part)), "{status} {says:?}: {self:#?}");
        assert_eq!(self.run.code, i32::from(status == "fail"), "{self:#?}");
    }
}

/// A file of a clone that says where its remote really is.
const REAL: &str = "real";

/// The git program, which goes to the remote here for the address that everybody knows.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    match std::fs::read_to_string(folder.join(".git").join(REAL)) {
        Ok(real) => support::git(folder, &[&["-c", &format!("url.{real}.insteadOf={URL}")], args].concat()),
        Err(_) => support::git(folder, args),
    }
}

pub fn commit(root: &Path, message: &str) -> String {
    std::fs::write(root.join(format!("{message}.txt")), message).unwrap();
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", message]);
    head(root)
}

pub fn head(root: &Path) -> String {
    git(root, &["rev-parse", "HEAD"])
}

pub fn short(commit: &str) -> &str {
    &commit[..10]
}

type Rewriting = (&'static str, fn(&Path));

/// Ways to rewrite what was published; each ends with the branch that is pushed checked out.
const REWRITINGS: [Rewriting; 13] = [
    ("dates", |root| drop(git(root, &["commit", "-q", "--amend", "--no-edit", "--date=2020-01-01T00:00:00Z"]))),
    ("the last commit dropped", |root| drop(git(root, &["reset", "-q", "--hard", "HEAD~1"]))),
    ("all but the first commit dropped", |root| drop(git(root, &["reset", "-q", "--hard", "HEAD~4"]))),
    ("a commit in the middle dropped", |root| drop(git(root, &["rebase", "-q", "--onto", "HEAD~3", "HEAD~2"]))),
    ("a round squashed", |root| {
        git(root, &["reset", "-q", "--soft", "HEAD~2"]);
        git(root, &["commit", "-qm", "Round 2"]);
    }),
    ("an author", |root| drop(git(root, &["commit", "-q", "--amend", "--no-edit", "--author=B <b@c.d>"]))),
    ("a message", |root| drop(git(root, &["commit", "-q", "--amend", "-m", "Round 3, as it was"]))),
    ("two commits reordered", |root| {
        let (last, before) = (head(root), git(root, &["rev-parse", "HEAD~1"]));
        git(root, &["reset", "-q", "--hard", "HEAD~2"]);
        git(root, &["cherry-pick", &last, &before]);
    }),
    ("a tree", |root| {
        std::fs::write(root.join("state.json"), "{}").unwrap();
        git(root, &["commit", "-qa", "--amend", "--no-edit"]);
    }),
    ("another branch in its place", |root| {
        git(root, &["checkout", "-q", "-b", "other", "HEAD~2"]);
        commit(root, "Another round 2");
    }),
    ("a new root", |root| {
        git(root, &["checkout", "-q", "--orphan", "fresh"]);
        git(root, &["commit", "-qm", "All of it"]);
    }),
    ("a new root below, and more on top", |root| {
        git(root, &["checkout", "-q", "--orphan", "fresh"]);
        git(root, &["commit", "-qm", "All of it"]);
        commit(root, "Round 4");
        commit(root, "Round 5");
    }),
    ("a merge that keeps only the tree", |root| {
        // The old commits are named by their tree alone.
        let made = git(root, &["commit-tree", "HEAD^{tree}", "-p", "HEAD~3", "-m", "Merge"]);
        git(root, &["reset", "-q", "--hard", &made]);
    }),
];

#[test]
fn every_rewritten_history_is_found_in_a_new_clone() {
    let Some(place) = Place::new() else { return };
    let old = place.new_clone("reader", &[]);
    place.verify(&old, &[]).is("skip", &["nothing to compare with", short(&head(&old))]);
    assert_eq!(place.remembered("main"), head(&old).as_str());
    let heads = std::fs::read_to_string(place.heads()).unwrap();
    assert!(!heads.contains("hunter2") && !heads.contains("reader"), "{heads}");
    side_by_side(REWRITINGS.to_vec(), |(what, rewrite)| {
        let name = what.replace(' ', "-");
        let own = Place { top: tempfile::tempdir().unwrap() };
        support::copy(&place.top.path().join("remote.git"), &own.top.path().join("remote.git"));
        support::copy(&place.top.path().join("home"), &own.top.path().join("home"));
        let writer = own.clone("writer", &[]);
        rewrite(&writer);
        git(&writer, &["push", "-q", "--force", "origin", "HEAD:main"]);
        let again = own.new_clone(&name, &[]);
        for flags in [&[][..], &["--history"]] {
            let found = own.verify(&again, flags);
            assert!(
                found.found.iter().any(|(status, _, detail)| {
                    status == "fail" && detail.contains(short(&head(&again))) && detail.contains(short(&head(&old)))
                }),
                "{what}: {found:#?}"
            );
            assert_eq!(found.run.code, 1, "{what}");
        }
        // It fails again next time.
        assert_eq!(own.remembered("main"), head(&old).as_str(), "{what}");
    });
    // In the old clone, too, once it has fetched.
    let writer = place.clone("writer", &[]);
    git(&writer, &["commit", "-q", "--amend", "-m", "Another"]);
    git(&writer, &["push", "-q", "--force", "origin", "HEAD:main"]);
    git(&old, &["fetch", "-q"]);
    place.verify(&old, &[]).is("fail", &[short(&head(&writer)), short(&head(&old)), "--accept-rewrite"]);
    git(&old, &["reset", "-q", "--hard", "origin/main"]);
    place.verify(&old, &[]).is("fail", &[]);
    place.verify(&old, &["--accept-rewrite", "--dry-run"]).is("warn", &["accepted"]);
    place.verify(&old, &[]).is("fail", &[]);
    place.verify(&old, &["--accept-rewrite"]).is("warn", &["accepted by --accept-rewrite"]);
    place.verify(&old, &[]).is("pass", &[]);
}

#[test]
fn what_git_shows_in_place_of_a_commit_is_found() {
    let Some(place) = Place::new() else { return };
    let clone = place.new_clone("reader", &[]);
    place.verify(&clone, &[]);
    git(&clone, &["replace", "--graft", "HEAD~1"]);
    let replaced = git(&clone, &["--no-replace-objects", "rev-parse", "HEAD~1"]);
    let told = |found: &Verified, commit: &str| {
        assert_eq!(found.run.code, 1);
        let fails: Vec<_> = found.found.iter().filter(|(status, ..)| status == "fail").collect();
        assert!(fails.len() == 1 && fails[0].2.contains(short(commit)), "{found:#?}");
        // The history itself goes on.
        assert!(found.found.iter().any(|(status, ..)| status == "pass"), "{found:#?}");
    };
    told(&place.verify(&clone, &[]), &replaced);
    git(&clone, &["pack-refs", "--all"]);
    told(&place.verify(&clone, &[]), &replaced);
    git(&clone, &["replace", "-d", &replaced]);
    place.verify(&clone, &[]).is("pass", &[]);
    std::fs::create_dir_all(clone.join(".git/info")).unwrap();
    std::fs::write(clone.join(".git/info/grafts"), format!("{replaced}\n")).unwrap();
    told(&place.verify(&clone, &[]), &replaced);
}

#[test]
fn an_honest_history_goes_on_however_it_is_looked_at() {
    let Some(place) = Place::new() else { return };
    let (reader, writer) = (place.new_clone("reader", &[]), place.clone("writer", &[]));
    place.verify(&reader, &[]).is("skip", &[]);
    let first = head(&reader);
    // A fast-forward, in a new clone and by a pull.
    let second = commit(&writer, "Round 4");
    git(&writer, &["push", "-q"]);
    place.verify(&place.new_clone("new", &[]), &["--history"]).is("pass", &[short(&first), short(&second)]);
    assert_eq!(place.remembered("main"), second.as_str());
    // The old clone does not know of it before it fetches; then it is only older.
    place.verify(&reader, &[]).is("fail", &["git fetch origin"]);
    git(&reader, &["fetch", "-q"]);
    place.verify(&reader, &[]).is("pass", &["an older commit is checked out", short(&first)]);
    assert_eq!(place.remembered("main"), second.as_str());
    git(&reader, &["pull", "-q", "--ff-only"]);
    place.verify(&reader, &[]).is("pass", &[]);
    // A merge of a side branch that began earlier.
    git(&writer, &["checkout", "-q", "-b", "side", "HEAD~2"]);
    commit(&writer, "Aside");
    git(&writer, &["checkout", "-q", "main"]);
    git(&writer, &["merge", "-q", "--no-ff", "-m", "Merge", "side"]);
    git(&writer, &["push", "-q"]);
    git(&reader, &["pull", "-q", "--ff-only"]);
    place.verify(&reader, &[]).is("pass", &[]);
    // A commit of the reader's own, and its amendment, are nothing that was published.
    let published = head(&reader);
    commit(&reader, "Mine");
    place.verify(&reader, &[]).is("pass", &[]);
    git(&reader, &["commit", "-q", "--amend", "-m", "Mine, better"]);
    place.verify(&reader, &[]).is("pass", &[]);
    assert_eq!(place.remembered("main"), published.as_str());
    git(&reader, &["reset", "-q", "--hard", "HEAD~2"]);
    commit(&reader, "Mine, from before");
    place.verify(&reader, &[]).is("warn", &["commits are checked out that it does not have"]);
    git(&reader, &["reset", "-q", "--hard", "origin/main"]);
    // As CI checks out.
    git(&reader, &["checkout", "-q", "--detach"]);
    place.verify(&reader, &[]).is("pass", &[]);
    git(&reader, &["checkout", "-q", "HEAD~1"]);
    place.verify(&reader, &[]).is("pass", &["an older commit is checked out"]);
}

#[test]
fn other_branches_and_remotes_are_remembered_by_themselves() {
    let Some(place) = Place::new() else { return };
    let (reader, writer) = (place.new_clone("reader", &[]), place.clone("writer", &[]));
    place.verify(&reader, &[]).is("skip", &[]);
    // One that contains what was verified, one that does not.
    git(&writer, &["checkout", "-q", "-b", "next"]);
    let next = commit(&writer, "Round 4");
    git(&writer, &["checkout", "-q", "-b", "apart", "HEAD~2"]);
    git(&writer, &["push", "-q", "origin", "next", "apart"]);
    git(&reader, &["fetch", "-q"]);
    git(&reader, &["checkout", "-q", "next"]);
    place.verify(&reader, &[]).is("skip", &["the first head"]);
    assert_eq!(place.remembered("next"), next.as_str());
    git(&reader, &["checkout", "-q", "apart"]);
    // Looking again does not settle it: the reader has to.
    for _ in 0..2 {
        place.verify(&reader, &[]).is("warn", &["of main", "of next", "--accept-rewrite"]);
    }
    let quiet = ended(command(&reader).env("HOME", place.top.path().join("home")).args(["verify", "-q"]));
    assert_eq!((quiet.code, quiet.out.lines().count()), (0, 1), "{quiet:?}");
    assert!(quiet.out.contains("warn") && quiet.out.contains("history.continues"), "{quiet:?}");
    assert_eq!(place.remembered("apart"), Value::Null);
    place.verify(&reader, &["--accept-rewrite"]).is("warn", &["accepted by --accept-rewrite"]);
    place.verify(&reader, &[]).is("pass", &[]);
    // A branch that was never published, and several remotes.
    git(&reader, &["checkout", "-q", "-b", "mine", "--no-track"]);
    place.verify(&reader, &["--history"]).is("pass", &[]);
    git(&reader, &["checkout", "-q", "main"]);
    git(&reader, &["remote", "add", "fork", "git@github.com:other/comp.git"]);
    place.verify(&reader, &[]).is("pass", &[]);
    git(
        &reader,
        &["fetch", "-q", place.top.path().join("remote.git").to_str().unwrap(), "main:refs/remotes/fork/main"],
    );
    git(&reader, &["branch", "-q", "--set-upstream-to=fork/main"]);
    assert_eq!(place.verify(&reader, &[]).found[0].1, "github.com/other/comp main");
    git(&reader, &["branch", "-q", "--unset-upstream"]);
    git(&reader, &["remote", "rename", "origin", "one"]);
    place.verify(&reader, &["--history"]).is("skip", &["none of several remotes"]);
    git(&reader, &["remote", "remove", "fork"]);
    assert_eq!(place.verify(&reader, &[]).found[0].1, "github.com/404-repo/comp main", "the only one");
    git(&reader, &["remote", "remove", "one"]);
    assert!(place.verify(&reader, &[]).found.is_empty());
    place.verify(&reader, &["--history"]).is("skip", &["no remote"]);
}

#[test]
fn a_clone_that_lacks_a_part_passes_nothing_that_it_cannot_know() {
    let Some(place) = Place::new() else { return };
    let (reader, writer) = (place.new_clone("reader", &[]), place.clone("writer", &[]));
    place.verify(&reader, &[]);
    let first = head(&reader);
    commit(&writer, "Round 4");
    git(&writer, &["push", "-q"]);
    let shallow = place.new_clone("shallow", &["--depth=1"]);
    let found = place.verify(&shallow, &[]);
    found.is("skip", &[short(&first), "git fetch --unshallow"]);
    assert_eq!(place.remembered("main"), first.as_str(), "not forgotten for what may have been rewritten");
    git(&shallow, &["fetch", "-q", "--unshallow"]);
    place.verify(&shallow, &[]).is("pass", &[]);
    // All commits are in a partial clone. If contents are lacking, nothing is said at all.
    let partial = place.verify(&place.new_clone("partial", &["--filter=blob:none"]), &["--dry-run"]);
    assert!(partial.run.code == 4 || partial.found[0].0 == "pass", "{partial:#?}");
    // A clone of a clone has a remote of its own.
    git(place.top.path(), &["clone", "-q", "reader", "second"]);
    let second = place.verify(&place.top.path().join("second"), &[]);
    second.is("skip", &["the first head"]);
    assert!(second.found[0].1.ends_with("/reader main"), "{second:?}");
}

#[test]
fn heads_are_remembered_where_the_reader_says_and_never_against_it() {
    let Some(place) = Place::new() else { return };
    let reader = place.new_clone("reader", &[]);
    place.verify(&reader, &["--dry-run"]).is("skip", &[]);
    place.verify(&reader, &["--heads", ""]);
    assert!(!place.heads().exists());
    let named = place.top.path().join("named.json");
    place.verify(&reader, &["--heads", named.to_str().unwrap()]).is("skip", &["the first head"]);
    place.verify(&reader, &["--heads", named.to_str().unwrap()]).is("pass", &[]);
    assert!(!place.heads().exists() && named.exists());
    let with = |name: &str, value: &Path, args: &[&str]| {
        let mut command = command(&reader);
        command.env_remove("HOME").env(name, value).args(["verify", "--json"]).args(args);
        Verified::of(ended(&mut command))
    };
    with("GEN404_HEADS", &named, &[]).is("pass", &[]);
    with("XDG_STATE_HOME", &place.top.path().join("state"), &[]).is("skip", &[]);
    assert!(place.top.path().join("state/gen404/heads.json").exists());
    with("XDG_STATE_HOME", Path::new("relative"), &["--history"]).is("skip", &["--heads FILE"]);
    // A home that cannot be written to is a warning.
    std::fs::write(place.top.path().join("file"), "").unwrap();
    let found = with("HOME", &place.top.path().join("file"), &[]);
    found.is("skip", &[]);
    assert!(found.run.err.contains("warning: the head that was verified is not remembered"), "{found:?}");
    // A damaged file is neither believed nor replaced.
    std::fs::write(&named, "{\"format\":").unwrap();
    let found = with("GEN404_HEADS", &named, &[]);
    found.is("warn", &["not compared", "named.json"]);
    assert_eq!(std::fs::read_to_string(&named).unwrap(), "{\"format\":");
    let clean = git(&reader, &["status", "--porcelain", "--ignored"]);
    assert_eq!(clean, "", "nothing is left in the checkout");
}

#[test]
fn an_expected_commit_has_to_be_there() {
    let Some(place) = Place::new() else { return };
    let reader = place.new_clone("reader", &[]);
    let (last, first) = (head(&reader), git(&reader, &["rev-parse", "HEAD~4"]));
    let code = |args: &[&str]| {
        let run = ended(command(&reader).env("HOME", place.top.path()).args(["verify", "--expect"]).args(args));
        (run.code, run.out + &run.err)
    };
    for wanted in [&last[..], &first, &last[..7], &first[..12], &first.to_ascii_uppercase()] {
        let (code, said) = code(&[wanted]);
        assert_eq!(code, 0, "{wanted}: {said}");
    }
    // With -v, what was asked for by name is said to hold.
    let (_, said) = code(&[&first, "-v"]);
    let held = |what: &str| said.lines().any(|line| line.starts_with("pass") && line.contains(what));
    assert!(held(&format!("--expect {first}: it is in the history of {}", short(&last))), "{said}");
    assert!(held(&format!("{} contains {}, the head verified last", short(&last), short(&last))), "{said}");
    assert!(code(&[&last, "-v"]).1.contains(&format!("--expect {last}: it is checked out")));
    let other = "1234567890123456789012345678901234567890";
    for wanted in [other, &other[..7]] {
        let (code, said) = code(&[wanted]);
        assert!(code == 1 && said.contains(&format!("commit {wanted} is neither {}", short(&last))), "{said}");
    }
    for wanted in ["123456", "HEAD~1", "main", &format!("{last}0"), ""] {
        assert_eq!(code(&[wanted]).0, 2, "{wanted}");
    }
    let shallow = place.new_clone("shallow", &["--depth=1"]);
    let (reached, lacking) =
        (place.verify(&shallow, &["--expect", &last]), place.verify(&shallow, &["--expect", &first]));
    assert!(reached.run.code == 0 && lacking.run.code == 1, "{lacking:?}");
    assert!(lacking.found.iter().any(|(_, _, detail)| detail.contains("--unshallow")), "{lacking:?}");
    let plain = support::example(false);
    support::gen404(plain.path(), &["verify", "--expect", &last]).ends(2);
}

/// What anyone may have written into a checkout's own git folder does no harm.
#[test]
fn a_hostile_configuration_is_not_followed() {
    let Some(place) = Place::new() else { return };
    let reader = place.new_clone("reader", &[]);
    place.verify(&reader, &[]);
    let config = std::fs::read_to_string(reader.join(".git/config")).unwrap();
    for (name, remote) in
        [("../../../..", "x"), ("a/../../../../../../etc", "x"), ("origin", "ext::sh -c touch% /tmp/x")]
    {
        std::fs::write(reader.join(".git/config"), &config).unwrap();
        git(&reader, &["config", &format!("remote.{name}.url"), remote]);
        git(&reader, &["config", "branch.main.remote", name]);
        let found = place.verify(&reader, &["--history"]);
        assert!(found.found.iter().all(|(status, ..)| status == "skip"), "{name}: {found:?}");
    }
    std::fs::write(reader.join(".git/config"), &config).unwrap();
    let tip = reader.join(".git/refs/remotes/origin/main");
    std::fs::create_dir_all(tip.parent().unwrap()).unwrap();
    if tip.exists() {
        std::fs::remove_file(&tip).unwrap();
    }
    assert!(Command::new("mkfifo").arg(&tip).status().unwrap().success());
    let run = ended(command(&reader).env("HOME", place.top.path()).arg("verify"));
    assert!(run.code == 1 && run.err.contains("not a plain file"), "{run:?}");
}

/// A repository that held a competition of meshes before one of three.js modules.
#[test]
fn other_formats_and_what_ended_are_compared_too() {
    let Some(place) = Place::new() else { return };
    let writer = place.clone("writer", &[]);
    let first = git(&writer, &["rev-list", "--max-parents=0", "HEAD"]);
    git(&writer, &["rm", "-rq", "rounds"]);
    commit(&writer, "A reset");
    crate::other_formats::of_threejs(&writer);
    let old = commit(&writer, "Modules");
    git(&writer, &["push", "-q"]);
    let reader = place.new_clone("reader", &[]);
    let last_is = |found: &Verified, status: &str| assert_eq!(found.found[0].0, status, "{found:#?}");
    // What ended is compared, but it is not what is checked out.
    last_is(&place.verify(&reader, &["--history", "--from", &first]), "skip");
    assert!(!place.heads().exists());
    last_is(&place.verify(&reader, &[]), "skip");
    last_is(&place.verify(&reader, &["--history"]), "pass");
    last_is(&place.verify(&reader, &["--history", "--from", &first]), "pass");
    let receipt = place.top.path().join("receipt.json");
    let receipt = receipt.to_str().unwrap();
    place.verify(&reader, &["--history", "--from", &first[..8], "--receipt", receipt]);
    let again = place.verify(&reader, &["--check-receipt", receipt]);
    assert_eq!(again.run.details()["receipt"]["differences"], Value::Array(Vec::new()), "{again:?}");
    git(&writer, &["commit", "-q", "--amend", "-m", "Other modules"]);
    git(&writer, &["push", "-q", "--force"]);
    let found = place.verify(&place.new_clone("new", &[]), &[]);
    last_is(&found, "fail");
    assert!(found.found[0].2.contains(short(&old)), "{found:#?}");
}
