//! `--push` against a real remote, with another writer on the same branch: nothing lost, nothing forced.

use std::path::PathBuf;
use std::process::Command;

use crate::cdn::{Cdn, Serve, blank_glb};
use crate::round::{DEADLINE, hotkey, stage, submitted};
use crate::support::{IDENTITY, Run, as_somebody, command, edit, gen404, git, skipped};

/// A bare repository, and two clones of a competition in it.
struct Shared {
    folder: tempfile::TempDir,
}

impl Shared {
    /// A round in `miner_generation`; `None` where there is no git program.
    fn new(cdns: &[String]) -> Option<Shared> {
        let shared = Shared { folder: tempfile::tempdir().unwrap() };
        if Command::new("git").arg("--version").output().is_err() {
            skipped("no git program");
            return None;
        }
        let top = shared.folder.path();
        git(top, &["init", "-q", "--bare", "-b", "main", "bare.git"]);
        git(top, &["clone", "-q", "bare.git", "ours"]);
        crate::round::write(&shared.ours(), cdns, 2);
        std::fs::write(shared.ours().join(".gitignore"), ".gen404\n.local\n/gen404.toml\n").unwrap();
        git(&shared.ours(), &["add", "."]);
        git(&shared.ours(), &["commit", "-qm", "A round"]);
        git(&shared.ours(), &["push", "-q", "-u", "origin", "HEAD:main"]);
        git(top, &["clone", "-q", "bare.git", "theirs"]);
        Some(shared)
    }

    fn ours(&self) -> PathBuf {
        self.folder.path().join("ours")
    }

    fn theirs(&self) -> PathBuf {
        self.folder.path().join("theirs")
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("bare.git")
    }

    /// The other writer pushes these contents of a file.
    fn write(&self, path: &str, text: &str) -> String {
        let theirs = self.theirs();
        git(&theirs, &["pull", "-q", "--ff-only"]);
        let file = theirs.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        git(&theirs, &["add", path]);
        git(&theirs, &["commit", "-qm", &format!("Theirs: {path}")]);
        git(&theirs, &["push", "-q"]);
        git(&theirs, &["rev-parse", "HEAD"])
    }

    /// The next push of ours meets another writer's, who came just before, once.
    fn rival(&self, path: &str, text: &str) {
        let hook = self.ours().join(".git/hooks/pre-push");
        let theirs = self.theirs();
        let script = format!(
            "#!/bin/sh\nrm -f \"$0\"\nunset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX\ncd '{}' || exit 1\n\
             git pull -q --ff-only\nmkdir -p \"$(dirname '{path}')\"\nprintf '%s' '{text}' > '{path}'\ngit add '{path}'\n\
             git {IDENTITY} commit -qm 'Theirs: {path}'\ngit push -q\n",
            theirs.display()
        );
        std::fs::write(&hook, script).unwrap();
        git(&self.ours(), &["update-index", "-q", "--refresh"]);
        assert!(Command::new("chmod").arg("+x").arg(&hook).status().unwrap().success());
    }

    fn file(&self, path: &str) -> String {
        git(&self.bare(), &["show", &format!("main:{path}")])
    }

    /// The messages on the remote's branch, newest first; its history is one line.
    fn log(&self) -> Vec<String> {
        assert_eq!(git(&self.bare(), &["rev-list", "--merges", "main"]), "", "a merge");
        git(&self.bare(), &["log", "--format=%s", "main"]).lines().map(str::to_owned).collect()
    }

    fn level(&self) -> bool {
        git(&self.ours(), &["rev-parse", "HEAD"]) == git(&self.bare(), &["rev-parse", "main"])
    }
}

/// gen404 with what git needs of the environment.
fn ours(shared: &Shared, args: &[&str]) -> Run {
    let mut command = command(&shared.ours());
    command.args(args).args(["--commit", "--push"]).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    as_somebody(&mut command);
    let run = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: run.status.code().unwrap_or(-1), out: text(run.stdout), err: text(run.stderr) }
}

#[test]
fn it_takes_over_what_others_pushed_acts_and_pushes() {
    let Some(shared) = Shared::new(&[]) else { return };
    let theirs = shared.write("README.md", "hello");
    std::fs::write(shared.ours().join("notes.txt"), "mine").unwrap();
    std::fs::write(shared.ours().join("gen404.toml"), "# mine, not committed\n").unwrap();
    let run = ours(&shared, &["pause"]).ends(0);
    let head = git(&shared.ours(), &["rev-parse", "HEAD"]);
    assert!(run.err.contains(&format!("pushed {} to origin", &head[..10])), "{run:?}");
    assert!(shared.level());
    assert_eq!(shared.log()[..2], ["Update state (paused) for round 0", "Theirs: README.md"]);
    assert_eq!(git(&shared.bare(), &["rev-parse", "main~1"]), theirs);
    let read = |path: &str| std::fs::read_to_string(shared.ours().join(path)).unwrap();
    assert_eq!((read("notes.txt").as_str(), read("README.md").as_str()), ("mine", "hello"));
    assert_eq!(read("gen404.toml"), "# mine, not committed\n");
    // After a restore, files have other times than the index says.
    let config = read("config.json");
    shared.write("config.json", &format!("{}\n", config.trim_end_matches('\n').replace("\n", "\n ")));
    let restored = std::fs::File::options().append(true).open(shared.ours().join("config.json")).unwrap();
    restored.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(86_400)).unwrap();
    ours(&shared, &["resume"]).ends(0);
    assert!(shared.level() && read("config.json") != config);
    assert_eq!(git(&shared.ours(), &["status", "--porcelain", "state.json", "README.md"]), "");
}

#[test]
fn another_writers_other_file_is_kept_and_ours_made_again_on_it() {
    let Some(shared) = Shared::new(&[]) else { return };
    std::fs::write(shared.ours().join("notes.txt"), "mine").unwrap();
    shared.rival("README.md", "meanwhile");
    let run = ours(&shared, &["pause"]).ends(0);
    assert!(shared.level(), "{run:?}");
    assert_eq!(shared.log(), ["Update state (paused) for round 0", "Theirs: README.md", "A round"]);
    assert_eq!(shared.file("README.md"), "meanwhile");
    assert_eq!(std::fs::read_to_string(shared.ours().join("README.md")).unwrap(), "meanwhile");
    assert_eq!(std::fs::read_to_string(shared.ours().join("notes.txt")).unwrap(), "mine");
    assert_eq!(git(&shared.ours(), &["status", "--porcelain"]), "?? notes.txt");
}

#[test]
fn where_theirs_changed_the_same_file_the_command_looks_again() {
    let Some(shared) = Shared::new(&[]) else { return };
    let duels = "{\n  \"current_round\": 0,\n  \"stage\": \"duels\",\n  \"next_stage_eta\": null\n}";
    shared.rival("state.json", duels);
    let run = ours(&shared, &["pause"]).ends(0);
    assert!(run.err.contains("gives way to origin's") && run.err.contains("which changed state.json"), "{run:?}");
    assert!(shared.level());
    assert_eq!(shared.log(), ["Update state (paused) for round 0", "Theirs: state.json", "A round"]);
    // What it looks at again may be that there is nothing left to do.
    edit(&shared.ours(), "state.json", |text| text.replace("paused", "miner_generation"));
    git(&shared.ours(), &["commit", "-qam", "back"]);
    git(&shared.ours(), &["push", "-q", "origin", "HEAD:main"]);
    shared.rival("state.json", &duels.replace("duels", "paused"));
    let run = ours(&shared, &["pause"]).ends(0);
    assert!(run.out.contains("already paused"), "{run:?}");
    assert!(shared.level() && shared.log()[0] == "Theirs: state.json");
}

#[test]
fn a_push_that_fails_is_made_up_for_by_the_next_run() {
    let Some(shared) = Shared::new(&[]) else { return };
    let hook = shared.bare().join("hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&hook).status().unwrap().success());
    let run = ours(&shared, &["pause"]).ends(4);
    assert!(run.err.contains("origin: cannot push") && run.err.contains("the next run pushes it"), "{run:?}");
    assert_eq!(shared.log(), ["A round"]);
    std::fs::remove_file(hook).unwrap();
    shared.write("README.md", "meanwhile");
    let run = ours(&shared, &["advance"]).ends(0);
    assert!(run.err.contains("pushed 1 commit that an earlier run had left"), "{run:?}");
    assert!(shared.level());
    assert_eq!(shared.log(), ["Update state (paused) for round 0", "Theirs: README.md", "A round"]);
    // Nobody there at all.
    std::fs::rename(shared.bare(), shared.folder.path().join("away.git")).unwrap();
    git(&shared.ours(), &["config", "remote.origin.url", "http://me:s3cret@127.0.0.1:1/a.git"]);
    let run = ours(&shared, &["resume"]).ends(4);
    assert!(run.err.contains("origin: cannot fetch") && !run.err.contains("s3cret"), "{run:?}");
    assert_eq!(stage(&shared.ours()), "paused");
}

#[test]
fn killed_between_commit_and_push_nothing_is_lost_or_made_twice() {
    let Some(shared) = Shared::new(&[]) else { return };
    let hook = shared.ours().join(".git/hooks/pre-push");
    // The hook's parent is git, whose parent is the run.
    std::fs::write(&hook, "#!/bin/sh\nrm -f \"$0\"\nkill -KILL \"$(cut -d' ' -f4 /proc/$PPID/stat)\"\nexit 1\n")
        .unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&hook).status().unwrap().success());
    let killed = ours(&shared, &["pause"]);
    assert!(killed.code == -1 && !hook.exists(), "{killed:?}");
    assert_eq!((shared.log(), stage(&shared.ours())), (vec!["A round".to_owned()], "paused".to_owned()));
    shared.write("README.md", "meanwhile");
    let run = ours(&shared, &["pause"]).ends(0);
    assert!(run.out.contains("already paused"), "{run:?}");
    assert!(shared.level());
    assert_eq!(shared.log(), ["Update state (paused) for round 0", "Theirs: README.md", "A round"]);
    assert_eq!(git(&shared.ours(), &["status", "--porcelain"]), "");
}

#[test]
fn what_was_committed_without_push_is_ours_all_the_same() {
    let Some(shared) = Shared::new(&[]) else { return };
    let mut alone = command(&shared.ours());
    as_somebody(&mut alone);
    assert!(alone.args(["pause", "--commit"]).output().unwrap().status.success());
    shared.write("README.md", "meanwhile");
    let run = ours(&shared, &["pause"]).ends(0);
    assert!(run.err.contains("pushed 1 commit that an earlier run had left"), "{run:?}");
    assert!(shared.level(), "{run:?}");
    assert_eq!(shared.log(), ["Update state (paused) for round 0", "Theirs: README.md", "A round"]);
}

#[test]
fn a_commit_of_ours_that_a_person_has_rebased_is_ours_all_the_same() {
    let Some(shared) = Shared::new(&[]) else { return };
    let mut alone = command(&shared.ours());
    as_somebody(&mut alone);
    assert!(alone.args(["pause", "--commit"]).output().unwrap().status.success());
    shared.write("README.md", "meanwhile");
    git(&shared.ours(), &["pull", "-q", "--rebase"]);
    let run = ours(&shared, &["pause"]).ends(0);
    assert!(run.err.contains("pushed 1 commit that an earlier run had left"), "{run:?}");
    assert!(shared.level(), "{run:?}");
    // One that says the same and holds something else is a person's.
    let mut alone = command(&shared.ours());
    as_somebody(&mut alone);
    assert!(alone.args(["resume", "--commit"]).output().unwrap().status.success());
    std::fs::write(shared.ours().join("README.md"), "mine").unwrap();
    git(&shared.ours(), &["commit", "-qa", "--amend", "--no-edit"]);
    let run = ours(&shared, &["pause"]).ends(1);
    assert!(run.err.contains("is only here, and was made by hand"), "{run:?}");
}

#[test]
fn what_people_have_here_is_never_moved_or_overwritten() {
    let Some(shared) = Shared::new(&[]) else { return };
    // A file that is not committed lies where theirs goes.
    std::fs::write(shared.ours().join("README.md"), "mine").unwrap();
    shared.write("README.md", "theirs");
    let before = git(&shared.ours(), &["rev-parse", "HEAD"]);
    let run = ours(&shared, &["pause"]).ends(1);
    assert!(run.err.contains("README.md") && run.err.contains("hint: files that are not committed"), "{run:?}");
    assert_eq!(std::fs::read_to_string(shared.ours().join("README.md")).unwrap(), "mine");
    assert_eq!(git(&shared.ours(), &["rev-parse", "HEAD"]), before);
    // A commit made by hand, and others have pushed meanwhile.
    git(&shared.ours(), &["commit", "-q", "--allow-empty", "-m", "by hand"]);
    std::fs::remove_file(shared.ours().join("README.md")).unwrap();
    let run = ours(&shared, &["pause"]).ends(1);
    assert!(run.err.contains("(by hand) is only here") && run.err.contains("git pull --rebase"), "{run:?}");
    assert_eq!(git(&shared.ours(), &["log", "-1", "--format=%s"]), "by hand");
    assert_eq!(stage(&shared.ours()), "miner_generation");
}

#[test]
fn a_persons_commit_is_pushed_by_that_person() {
    let Some(shared) = Shared::new(&[]) else { return };
    let by_hand = |what: &str| drop(git(&shared.ours(), &["commit", "-q", "--allow-empty", "-m", what]));
    let is_refused = |run: &Run| {
        assert!(
            run.err.contains("(mine) is only here, and was made by hand") && run.err.contains("`git push`"),
            "{run:?}"
        );
    };
    // Before the work: nothing is begun.
    by_hand("mine");
    let run = ours(&shared, &["pause"]).ends(1);
    is_refused(&run);
    assert_eq!((stage(&shared.ours()).as_str(), shared.log()), ("miner_generation", vec!["A round".to_owned()]));
    git(&shared.ours(), &["push", "-q"]);
    ours(&shared, &["pause"]).ends(0);
    assert!(shared.level());
    // On top of one of ours that is not pushed, and below one: neither is taken along.
    let mut alone = command(&shared.ours());
    as_somebody(&mut alone);
    assert!(alone.args(["resume", "--commit"]).output().unwrap().status.success());
    by_hand("mine");
    is_refused(&ours(&shared, &["pause"]).ends(1));
    let mut alone = command(&shared.ours());
    as_somebody(&mut alone);
    assert!(alone.args(["pause", "--commit"]).output().unwrap().status.success());
    is_refused(&ours(&shared, &["resume"]).ends(1));
    assert_eq!((shared.log().len(), stage(&shared.ours()).as_str()), (3, "paused"));
    git(&shared.ours(), &["push", "-q"]);
    ours(&shared, &["resume"]).ends(0);
    assert!(shared.level() && shared.log().len() == 7, "{:?}", shared.log());
}

#[test]
fn without_a_remote_or_a_commit_there_is_nothing_to_push() {
    let Some(shared) = Shared::new(&[]) else { return };
    let run = gen404(&shared.ours(), &["pause", "--push"]).ends(2);
    assert!(run.err.contains("--commit"), "{run:?}");
    git(&shared.ours(), &["checkout", "-qb", "other"]);
    let run = ours(&shared, &["pause"]).ends(2);
    assert!(
        run.err.contains("branch other does not track a remote branch") && run.err.contains("git push -u origin other"),
        "{run:?}"
    );
    git(&shared.ours(), &["checkout", "-q", "--detach"]);
    let run = ours(&shared, &["pause"]).ends(1);
    assert!(run.err.contains("no branch is checked out") && run.err.contains("git switch BRANCH"), "{run:?}");
}

/// Whatever git has against it is told in git's own words.
#[test]
fn what_git_says_is_passed_on() {
    let Some(shared) = Shared::new(&[]) else { return };
    let bin = shared.folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\necho 'fatal: detected dubious ownership in repository' >&2\n\
                  echo 'To add an exception for this directory, call: git config it' >&2\nexit 128\n";
    std::fs::write(bin.join("git"), script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(bin.join("git")).status().unwrap().success());
    let mut refusing = command(&shared.ours());
    as_somebody(&mut refusing);
    let path = std::env::join_paths([&bin, &PathBuf::from("/usr/bin"), &PathBuf::from("/bin")]).unwrap();
    let run = refusing.env("PATH", path).args(["pause", "--commit", "--push"]).output().unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(err.contains("--push: fatal: detected dubious ownership") && err.contains("call: git config it"), "{err}");
    assert_eq!(stage(&shared.ours()), "miner_generation");
}

#[test]
fn the_first_push_makes_the_branch() {
    let Some(shared) = Shared::new(&[]) else { return };
    let top = shared.folder.path();
    git(top, &["init", "-q", "--bare", "-b", "main", "empty.git"]);
    git(top, &["clone", "-q", "empty.git", "new"]);
    std::fs::write(top.join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let mut init = command(top);
    as_somebody(&mut init);
    assert!(init.args(crate::commands::init_args("pool.txt")).arg("--commit").output().unwrap().status.success());
    let mut pause = command(&top.join("new"));
    as_somebody(&mut pause);
    pause.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let run = pause.args(["pause", "--commit", "--push"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let log = git(&top.join("empty.git"), &["log", "--format=%s", "main"]);
    assert_eq!(log, "Update state (paused) for round 0\nCompetition mesh: config, schedule, leader");
    // What a person began is that person's to publish, there as well.
    git(top, &["init", "-q", "--bare", "-b", "main", "other.git"]);
    git(&shared.ours(), &["config", "remote.origin.url", "../other.git"]);
    let run = ours(&shared, &["pause"]).ends(1);
    assert!(run.err.contains("(A round) is only here") && run.err.contains("`git push`"), "{run:?}");
}

/// What is made again on top of others' commits is signed again.
#[test]
fn a_signed_commit_that_is_made_again_is_signed_again() {
    let Some(shared) = Shared::new(&[]) else { return };
    let key = shared.folder.path().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    if !made.is_ok_and(|made| made.success()) {
        return skipped("no ssh-keygen");
    }
    let settings = [("commit.gpgsign", "true"), ("gpg.format", "ssh"), ("user.signingkey", key.to_str().unwrap())];
    settings.iter().for_each(|(name, value)| drop(git(&shared.ours(), &["config", name, value])));
    shared.rival("README.md", "meanwhile");
    ours(&shared, &["pause"]).ends(0);
    assert!(shared.level());
    assert_eq!(shared.log(), ["Update state (paused) for round 0", "Theirs: README.md", "A round"]);
    assert!(git(&shared.bare(), &["cat-file", "-p", "main"]).contains("BEGIN SSH SIGNATURE"));
}

#[test]
fn shards_in_their_own_clones_share_the_branch() {
    let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
    let cdns: Vec<String> = (0..4).map(|n| format!("{}/{n}", cdn.url())).collect();
    let Some(shared) = Shared::new(&cdns) else { return };
    let ours_dir = shared.ours();
    let flags = ["--block", DEADLINE, "--store-dir", "../objects", "--cdn-url", "https://cdn.example"];
    // The other shard's record comes just before ours.
    ours(&shared, &[&["download", "--only", &hotkey(0)], &flags[..]].concat()).ends(0);
    let path = format!("rounds/0/{}/submitted.json", hotkey(1));
    let record = std::fs::read_to_string(ours_dir.join(format!("rounds/0/{}/submitted.json", hotkey(0)))).unwrap();
    shared.rival(&path, &record.replace(&hotkey(0), &hotkey(1)));
    ours(&shared, &[&["download", "--only", &hotkey(2)], &flags[..]].concat()).ends(0);
    assert!(shared.level() && shared.file(&path).contains(&hotkey(1)));
    assert_eq!(stage(&ours_dir), "downloading");
    // Whoever is last moves the stage, also where the one before came in between.
    let path = format!("rounds/0/{}/submitted.json", hotkey(1));
    shared.rival(&path, &record.replace(&hotkey(0), &hotkey(1)).replace("\"attempts\": 0", "\"attempts\": 0 "));
    ours(&shared, &[&["download", "--only", &hotkey(3)], &flags[..]].concat()).ends(0);
    assert_eq!(stage(&ours_dir), "duels");
    assert!(shared.level());
    assert_eq!(submitted(&ours_dir, 3).as_object().unwrap().len(), 2);
    assert_eq!(shared.log().iter().filter(|line| line.starts_with("Theirs")).count(), 2);
}
