//! Two at once, and killed at any write.

use std::sync::atomic::{AtomicUsize, Ordering};

use gen404::base::error::Error;
use gen404::model::config::ConfigFile;
use gen404::model::file::{FileKind, RoundFile};
use gen404::model::ids::{Block, RoundNumber};
use gen404::model::leader::Leaders;
use gen404::model::lock::{Contended, Lock};
use gen404::model::schedule::Schedule;
use gen404::model::stage::CompetitionState;
use gen404::model::store::Store;
use gen404::model::winner::Winner;
use gen404::rules::succession::{Finished, Moment, finalize};
use gen404::world::git::Git;

use crate::support::{command, example, example_before_end, gen404, tree};

/// The example competition just before its last finalization: round 1 in finalizing.
fn finalizing(history: bool) -> tempfile::TempDir {
    example_before_end(1, history)
}

const FINALIZE: [&str; 5] = ["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"];

#[test]
fn a_kill_at_any_write_leaves_old_or_new_and_a_rerun_completes() {
    let undisturbed = finalizing(false);
    let before = tree(undisturbed.path());
    gen404(undisturbed.path(), &FINALIZE).ends(0);
    let after = tree(undisturbed.path());
    let mut kills = 0;
    for stop in 0.. {
        let folder = finalizing(false);
        let store = Store::open(folder.path()).unwrap();
        let round = RoundNumber(1);
        let finished = Finished {
            settings: &store.need::<ConfigFile>(&FileKind::Config).unwrap().settings,
            state: &store.need::<CompetitionState>(&FileKind::State).unwrap(),
            schedule: Some(&store.need::<Schedule>(&FileKind::Round(round, RoundFile::Schedule)).unwrap()),
            leaders: &store.need::<Leaders>(&FileKind::Leader).unwrap(),
            winner: &store.need::<Winner>(&FileKind::Round(round, RoundFile::Winner)).unwrap(),
        };
        let moment = Moment { block: Block(709_900), now: "2026-03-03T17:00:00Z".parse().unwrap() };
        let plan = finalize(&finished, moment).unwrap();
        let steps = AtomicUsize::new(0);
        let mut kill = |_: &gen404::model::file_path::FilePath, _| {
            let step = steps.fetch_add(1, Ordering::Relaxed);
            if step == stop { Err(Error::failed("killed")) } else { Ok(()) }
        };
        let killed = store.apply(&plan.writes, &mut kill).is_err();
        for (path, bytes) in tree(folder.path()) {
            let old_or_new = before.get(&path) == Some(&bytes) || after.get(&path) == Some(&bytes);
            assert!(old_or_new, "{} after step {stop}", path.display());
        }
        gen404(folder.path(), &FINALIZE).ends(0);
        assert_eq!(tree(folder.path()), after, "after a kill at step {stop}");
        if !killed {
            break;
        }
        kills += 1;
    }
    assert_eq!(kills, 9, "three files with three steps each");
}

#[test]
fn a_second_process_says_who_holds_the_lock() {
    let folder = finalizing(false);
    let held = Lock::take(&folder.path().join(".gen404"), "duel", Contended::Fail, |_| Ok(())).unwrap();
    let before = tree(folder.path());
    let run = gen404(folder.path(), &FINALIZE).ends(1);
    let holder = format!("held by pid {} (gen404 duel)", std::process::id());
    assert!(run.err.contains(&holder) && run.err.contains("--wait-lock"), "{}", run.err);
    assert_eq!(tree(folder.path()), before);
    drop(held);
    gen404(folder.path(), &FINALIZE).ends(0);
}

#[test]
fn with_wait_lock_the_second_process_waits() {
    let folder = finalizing(false);
    let held = Lock::take(&folder.path().join(".gen404"), "duel", Contended::Fail, |_| Ok(())).unwrap();
    let mut waiting = command(folder.path());
    waiting.args(FINALIZE).arg("--wait-lock").stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(waiting.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut said).unwrap();
    assert!(said.starts_with("waiting for pid "), "{said}");
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    drop(held);
    assert!(waiting.wait().unwrap().success());
}

#[test]
fn many_at_once_give_one_result() {
    let folder = finalizing(false);
    let runs: Vec<_> = (0..8)
        .map(|_| {
            command(folder.path())
                .args(FINALIZE)
                .arg("--wait-lock")
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let outs: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    assert!(outs.iter().all(|out| out.status.success()));
    let worked = outs.iter().filter(|out| String::from_utf8_lossy(&out.stdout).contains("is open until block"));
    assert_eq!(worked.count(), 1);
    gen404(folder.path(), &["verify"]).ends(0);
}

/// The note that a run with `--commit` keeps until `pause` is committed.
fn note_of_pause(folder: &std::path::Path, git: &Git) {
    let state = std::fs::read(folder.join("state.json")).unwrap();
    let sum = gen404::base::hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&state));
    let note =
        format!("{{\"message\": \"Update state (paused) for round 2\", \"files\": [[\"state.json\", \"{sum}\"]]}}");
    std::fs::create_dir_all(git.own_folder()).unwrap();
    std::fs::write(git.own_folder().join("pending-commit.json"), note).unwrap();
}

/// Killed between its last write and its commit, a run with `--commit` is completed by the next.
#[test]
fn a_commit_that_was_cut_off_is_made_by_the_next_run() {
    let folder = example(true);
    let git = Git::open(folder.path()).unwrap().unwrap();
    let commits = || git.log().unwrap().commits.len();
    let before = commits();
    gen404(folder.path(), &["pause"]).ends(0);
    note_of_pause(folder.path(), &git);
    let run = gen404(folder.path(), &["pause", "--commit"]).ends(0);
    assert!(run.err.contains("committed what an interrupted run had written"), "{}", run.err);
    assert_eq!(commits(), before + 1);
    gen404(folder.path(), &["pause", "--commit"]).ends(0);
    assert_eq!(commits(), before + 1);
}

/// Killed in the commit itself, it leaves git's locks, and an index of before.
#[test]
fn what_a_kill_in_a_commit_leaves_of_gits_own_is_mended() {
    let folder = example(true);
    let git = Git::open(folder.path()).unwrap().unwrap();
    let inside = |name: &str| folder.path().join(".git").join(name);
    let head = std::fs::read_to_string(inside("HEAD")).unwrap();
    let branch = head.trim().strip_prefix("ref: ").unwrap().to_owned();
    let old_index = std::fs::read(inside("index")).unwrap();
    gen404(folder.path(), &["pause", "--commit"]).ends(0);
    let log = git.log().unwrap().commits;
    let commit = &log.last().unwrap().id;
    std::fs::write(inside("index"), old_index).unwrap();
    let locks = ["HEAD.lock".to_owned(), format!("{branch}.lock"), "index.lock".to_owned()];
    // The index's lock of ours bears its sign; the branch's says where the branch was to go.
    let leave = |id: &str| {
        std::fs::write(inside(&locks[0]), "").unwrap();
        std::fs::write(inside(&locks[1]), id).unwrap();
        let _ = std::fs::remove_file(inside(&locks[2]));
        std::fs::write(inside("gen404/index"), "").unwrap();
        std::fs::hard_link(inside("gen404/index"), inside(&locks[2])).unwrap();
        note_of_pause(folder.path(), &git);
    };
    // Somebody else has the branch.
    leave(&"e".repeat(40));
    let run = gen404(folder.path(), &["pause", "--commit"]).ends(1);
    let branch_lock = format!("{branch}.lock: another git program is at work here");
    assert!(run.err.contains(&branch_lock) && locks.iter().all(|lock| inside(lock).exists()), "{}", run.err);
    leave(&format!("{commit}\n"));
    gen404(folder.path(), &["pause", "--commit"]).ends(0);
    assert!(locks.iter().all(|lock| !inside(lock).exists()) && !inside("gen404/index").exists());
    assert_eq!(git.log().unwrap().commits.len(), log.len());
    assert!(git.clean_files(|_| true).unwrap().contains_key("state.json"), "the index is in line");
}
