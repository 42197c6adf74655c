//! FIFOs, devices and folders where files are expected: an archive may hold them.

use super::harness::{GIT_SECONDS, World};
use crate::support::{few, in_turn, make_competition::hotkey};

const READING: [&[&str]; 5] = [&["verify"], &["verify", "--history"], &["status"], &["leader"], &["report"]];

/// Reading commands end, and those that need the file name it.
#[track_caller]
fn all_end(world: &World, what: &str, git: bool) {
    for args in in_turn(what, &READING) {
        if !git && args.contains(&"--history") {
            continue;
        }
        let outcome = world.attack(&format!("{} where {what}", args.join(" ")), args).within(GIT_SECONDS).run();
        // Files of git's own are not always looked at.
        if args == &["verify"] && ![".git", ".gen404", ".mailmap"].iter().any(|own| what.contains(own)) {
            let file = what.split(' ').next().and_then(|path| path.rsplit('/').next()).unwrap();
            outcome.ends(&[1, 2]).says(&[file]);
        }
    }
    world.unharmed(what);
}

#[test]
fn files_of_the_competition_that_are_fifos() {
    let player = hotkey("quarry");
    for path in few(
        3,
        [
            "config.json".to_owned(),
            "state.json".to_owned(),
            "leader.json".to_owned(),
            "prompts.txt".to_owned(),
            "rounds/0/seed.json".to_owned(),
            "rounds/0/matches_matrix.csv".to_owned(),
            format!("rounds/0/{player}/submitted.json"),
            format!("rounds/0/{player}/duels_leader.json"),
            format!("rounds/0/{player}/SHA256SUMS"),
        ],
    ) {
        for git in [false, true] {
            let world = World::example(git);
            world.fifo(&path);
            all_end(&world, &format!("{path} is a FIFO"), git);
        }
    }
}

#[test]
fn files_that_are_folders_and_folders_that_are_files() {
    for path in ["config.json", "state.json", "rounds/0/seed.json"] {
        let world = World::example(false);
        std::fs::remove_file(world.repo().join(path)).unwrap();
        std::fs::create_dir(world.repo().join(path)).unwrap();
        all_end(&world, &format!("{path} is a folder"), false);
    }
    for path in ["rounds", "rounds/0", &format!("rounds/0/{}", hotkey("quarry"))] {
        let world = World::example(false);
        std::fs::remove_dir_all(world.repo().join(path)).unwrap();
        std::fs::write(world.repo().join(path), "no folder").unwrap();
        for args in [&["verify"][..], &["status"], &["report"]] {
            world.run(&format!("{} where {path} is a file", args[0]), args);
        }
        std::fs::remove_file(world.repo().join(path)).unwrap();
        world.fifo(path);
        for args in [&["verify"][..], &["status"], &["report"]] {
            world.run(&format!("{} where {path} is a FIFO", args[0]), args);
        }
    }
}

#[test]
fn the_programs_own_files_that_are_fifos() {
    for git in [false, true] {
        let own = if git { ".git/gen404" } else { ".gen404" };
        for name in few(
            3,
            ["lock", "judge/round-2.jsonl", "judge.jsonl", "download/round-2/journal.jsonl", "builds.json", "pods"],
        ) {
            let world = World::example(git);
            let path = format!("{own}/{name}");
            world.fifo(&path);
            all_end(&world, &format!("{path} is a FIFO"), git);
            for args in [&["pause"][..], &["resume"], &["duel", "--judge-url", "http://127.0.0.1:9/v1"]] {
                world.run(&format!("{} where {path} is a FIFO", args[0]), args);
            }
        }
    }
}

#[test]
fn files_of_git_that_are_fifos() {
    for path in few(
        4,
        [
            ".git/HEAD",
            ".git/config",
            ".git/index",
            ".git/packed-refs",
            ".git/shallow",
            ".git/info/exclude",
            ".git/info/grafts",
            ".git/objects/info/alternates",
            ".git/objects/info/commit-graph",
            ".git/objects/pack/multi-pack-index",
            ".git/objects/pack/pack-0000000000000000000000000000000000000000.idx",
            ".git/commondir",
            ".git/config.worktree",
            ".git/COMMIT_EDITMSG",
            ".git/logs/HEAD",
            ".gitattributes",
            ".gitignore",
            ".mailmap",
        ],
    ) {
        let world = World::example(true);
        world.fifo(path);
        all_end(&world, &format!("{path} is a FIFO"), true);
    }
    let world = World::example(true);
    let branch = std::fs::read_to_string(world.repo().join(".git/HEAD")).unwrap();
    let branch = format!(".git/{}", branch.trim().trim_start_matches("ref: "));
    let commit = std::fs::read_to_string(world.repo().join(&branch)).unwrap();
    world.fifo(&branch);
    all_end(&world, &format!("{branch} is a FIFO"), true);
    let world = World::example(true);
    world.fifo(&format!(".git/objects/{}/{}", &commit[..2], commit[2..].trim()));
    all_end(&world, ".git's newest commit is a FIFO", true);
    let world = World::example(true);
    std::fs::remove_dir_all(world.repo().join(".git")).unwrap();
    world.fifo(".git");
    all_end(&world, ".git is a FIFO", true);
}

#[test]
fn files_of_git_that_never_end() {
    for path in few(
        3,
        [".git/config", ".git/packed-refs", ".git/index", ".git/HEAD", ".git/shallow", ".git/objects/info/alternates"],
    ) {
        let world = World::example(true);
        world.link(path, "/dev/zero");
        all_end(&world, &format!("{path} -> /dev/zero"), true);
    }
    for target in few(2, ["/dev/zero", "/proc/self/mem", "../outside"]) {
        let world = World::example(true);
        world.link(".git", target);
        all_end(&world, &format!(".git -> {target}"), true);
        let world = World::example(true);
        std::fs::remove_dir_all(world.repo().join(".git")).unwrap();
        world.put(".git", format!("gitdir: {target}\n"));
        all_end(&world, &format!(".git says gitdir: {target}"), true);
    }
    let world = World::example(true);
    let config = std::fs::read_to_string(world.repo().join(".git/config")).unwrap();
    world.put(".git/config", format!("{config}[include]\n\tpath = /dev/zero\n"));
    all_end(&world, ".git/config includes /dev/zero", true);
    let world = World::example(true);
    world.put(".git/config", format!("{config}[include]\n\tpath = config\n"));
    all_end(&world, ".git/config includes itself", true);
}
