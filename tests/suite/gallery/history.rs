//! Git objects that are small in the pack and endless to follow.

use std::fmt::Write as _;
use std::process::Command;

use gen404::model::ids::Hotkey;

use super::harness::{GIT_SECONDS, Outcome, World, check, long};
use super::packs::{FILE, FOLDER, Pack, git_with_input};
use super::pattern::Pattern;
use crate::support::{few, git, skipped};

/// The example's checkout, where there is a git program to plant something in it.
fn checkout() -> Option<World> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    Some(World::example(true))
}

/// A commit that has `name` at the top, and one after it that is as before: what was planted is old.
fn plant(world: &World, mode: &str, name: &str, id: &str) {
    let repo = world.repo();
    let (head, tree) = (git(&repo, &["rev-parse", "HEAD"]), git(&repo, &["rev-parse", "HEAD^{tree}"]));
    let kind = match mode {
        FOLDER | "040000" => "tree",
        "160000" => "commit",
        _ => "blob",
    };
    let others = git(&repo, &["ls-tree", &tree]);
    let mut lines: String = others
        .lines()
        .filter(|line| !line.ends_with(&format!("\t{name}")))
        .fold(String::new(), |all, line| all + line + "\n");
    writeln!(lines, "{mode} {kind} {id}\t{name}").unwrap();
    let planted = git_with_input(&repo, &["mktree", "--missing"], lines.as_bytes());
    let commit = |tree: &str, parent: &str| git(&repo, &["commit-tree", tree, "-p", parent, "-m", "Round 1: duels"]);
    let after = commit(&tree, &commit(planted.trim(), &head));
    git(&repo, &["update-ref", "HEAD", &after]);
}

/// What reads the history.
const READING: [&[&str]; 5] =
    [&["verify", "--history"], &["verify"], &["status"], &["verify", "--json", "--history"], &["report"]];

/// Every command that reads the history ends within its bounds; how `verify --history` ended.
#[track_caller]
fn read(world: &World, what: &str) -> Outcome {
    let mut last = None;
    for args in few(2, READING) {
        let outcome = world.attack(&format!("{} of {what}", args.join(" ")), args).within(GIT_SECONDS).run();
        world.unharmed(what);
        last = if args == ["verify", "--history"] { Some(outcome.ends(&[0, 1])) } else { last };
    }
    last.unwrap()
}

#[test]
fn trees_that_unfold_to_ten_billion_paths() {
    let Some(world) = checkout() else { return };
    let mut pack = Pack::default();
    let mut id = pack.blob(b"x");
    for level in 0..14 {
        let mode = if level == 0 { FILE } else { FOLDER };
        let names: Vec<String> = (0..6).map(|n| n.to_string()).collect();
        id = pack.tree(names.iter().map(|name| (mode, name.as_bytes(), id)));
    }
    pack.store(&world.repo());
    plant(&world, FOLDER, "junk", &id.to_string());
    read(&world, "14 trees that unfold").ends(&[0, 1]);
    let Some(world) = checkout() else { return };
    let mut pack = Pack::default();
    let mut id = pack.blob(b"{\"seed\": 1}");
    for level in 0..40 {
        let mode = if level == 0 { FILE } else { FOLDER };
        id = pack.tree([(mode, b"0".as_slice(), id), (mode, b"1", id)]);
    }
    pack.store(&world.repo());
    plant(&world, FOLDER, "rounds", &id.to_string());
    read(&world, "rounds in rounds, 40 deep").ends(&[0, 1]);
}

#[test]
fn a_tree_a_hundred_thousand_deep() {
    for name in few(2, ["rounds", "junk"]) {
        let Some(world) = checkout() else { return };
        let mut pack = Pack::default();
        let mut id = pack.blob(b"x");
        for level in 0..100_000 {
            id = pack.tree([(if level == 0 { FILE } else { FOLDER }, b"0".as_slice(), id)]);
        }
        pack.store(&world.repo());
        plant(&world, FOLDER, name, &id.to_string());
        read(&world, &format!("{name}, 100,000 deep"));
    }
}

#[test]
fn known_paths_that_unfold() {
    // Three folders and five files, at a billion and a half paths that all have a meaning.
    let Some(world) = checkout() else { return };
    let mut pack = Pack::default();
    let file = pack.blob(b"{}");
    let names = ["generated.json", "pod_stats.json", "submitted.json"];
    let player = pack.tree(names.iter().map(|name| (FILE, name.as_bytes(), file)));
    let mut hotkeys: Vec<String> = (0..3_000_u32)
        .map(|n| {
            let mut account = [7; 32];
            account[..4].copy_from_slice(&n.to_le_bytes());
            Hotkey::from_account(&account).to_string()
        })
        .collect();
    hotkeys.sort();
    let round = pack.tree(hotkeys.iter().map(|name| (FOLDER, name.as_bytes(), player)));
    let mut numbers: Vec<String> = (0..100_000).map(|n| format!("{n}")).collect();
    // Git sorts folders as if their names ended in a slash.
    numbers.sort_by_key(|name| format!("{name}/"));
    let rounds = pack.tree(numbers.iter().map(|name| (FOLDER, name.as_bytes(), round)));
    pack.store(&world.repo());
    plant(&world, FOLDER, "rounds", &rounds.to_string());
    read(&world, "100,000 rounds of 3,000 players").ends(&[1]);
}

#[test]
fn trees_of_millions_of_entries() {
    if long("trees of two million entries") {
        return;
    }
    for (name, known) in [("junk", false), ("rounds", true)] {
        let Some(world) = checkout() else { return };
        let mut pack = Pack::default();
        let empty = pack.tree([]);
        let mut names: Vec<String> =
            (0..2_000_000_u32).map(|n| if known { n.to_string() } else { format!("f{n:07}") }).collect();
        names.sort_by_key(|name| format!("{name}/"));
        let id = pack.tree(names.iter().map(|name| (FOLDER, name.as_bytes(), empty)));
        pack.store(&world.repo());
        plant(&world, FOLDER, name, &id.to_string());
        read(&world, &format!("{name} of two million entries"));
    }
}

#[test]
fn files_of_gigabytes_in_an_old_commit() {
    if long("files of gigabytes") {
        return;
    }
    for (name, gib) in [("config.json", 1), ("leader.json", 3), ("junk.bin", 1)] {
        let Some(world) = checkout() else { return };
        let mut pack = Pack::default();
        pack.add(3, &Pattern::of("{\"a\": [0").times(",0", gib << 29).then("]}"));
        let ids = pack.store(&world.repo());
        plant(&world, FILE, name, &ids[0]);
        let outcome = read(&world, &format!("{name} of {gib} GiB"));
        if name != "junk.bin" {
            outcome.ends(&[1]).says(&[name]);
        }
    }
}

#[test]
fn large_trees_and_commits() {
    if long("a commit of 600 MB") {
        return;
    }
    let Some(world) = checkout() else { return };
    // A commit whose message is 600 MB.
    let (tree, head) = (git(&world.repo(), &["rev-parse", "HEAD^{tree}"]), git(&world.repo(), &["rev-parse", "HEAD"]));
    let text = format!(
        "tree {tree}\nparent {head}\nauthor A <a@b.c> 1700000000 +0000\ncommitter A <a@b.c> 1700000000 +0000\n\n"
    );
    let mut pack = Pack::default();
    pack.add(1, &Pattern::of(text).times("Round 1: duels ", 40_000_000));
    let ids = pack.store(&world.repo());
    git(&world.repo(), &["update-ref", "HEAD", &ids[0]]);
    read(&world, "a commit with a message of 600 MB");
}

#[test]
fn many_commits_and_many_parents() {
    if long("60,000 commits and two million parents") {
        return;
    }
    let Some(world) = checkout() else { return };
    let head = git(&world.repo(), &["rev-parse", "HEAD"]);
    let branch = git(&world.repo(), &["symbolic-ref", "HEAD"]);
    let mut stream = String::new();
    for n in 0..60_000 {
        writeln!(stream, "commit {branch}\ncommitter A <a@b.c> {} +0000\ndata 1\nx", 1_700_000_000 + n).unwrap();
        if n == 0 {
            writeln!(stream, "from {head}").unwrap();
        }
    }
    git_with_input(&world.repo(), &["fast-import", "--quiet"], stream.as_bytes());
    read(&world, "60,000 commits that change nothing").ends(&[0, 1]);
    let Some(world) = checkout() else { return };
    let tree = git(&world.repo(), &["rev-parse", "HEAD^{tree}"]);
    let author = "author A <a@b.c> 1700000000 +0000\ncommitter A <a@b.c> 1700000000 +0000\n\nx";
    let text = Pattern::of(format!("tree {tree}\n")).times(format!("parent {head}\n"), 2_000_000).then(author);
    let mut pack = Pack::default();
    pack.add(1, &text);
    let ids = pack.store(&world.repo());
    git(&world.repo(), &["update-ref", "HEAD", &ids[0]]);
    read(&world, "a commit of two million parents").ends(&[0, 1]);
}

#[test]
fn objects_that_lie_about_their_size() {
    let claims =
        [("blob", u64::MAX >> 1), ("blob", 1 << 40), ("blob", u64::MAX), ("tree", 1 << 40), ("commit", 1 << 40)];
    for (kind, claimed) in few(2, claims) {
        let Some(world) = checkout() else { return };
        let what = match kind {
            "blob" => "HEAD~2:config.json",
            "tree" => "HEAD~2:rounds",
            _ => "HEAD~2",
        };
        let id = git(&world.repo(), &["rev-parse", what]);
        let data = miniz_oxide::deflate::compress_to_vec_zlib(format!("{kind} {claimed}\0{{}}").as_bytes(), 6);
        let path = format!(".git/objects/{}/{}", &id[..2], &id[2..]);
        let _ = std::fs::remove_file(world.repo().join(&path));
        world.put(&path, data);
        read(&world, &format!("a {kind} that claims {claimed} bytes"));
    }
    if long("a loose object of 3 GiB") {
        return;
    }
    // One that inflates to 3 GiB and says so.
    let Some(world) = checkout() else { return };
    let id = git(&world.repo(), &["rev-parse", "HEAD~2:config.json"]);
    let text = Pattern::of(format!("blob {}\0", 3_u64 << 30)).times([b' '], 3 << 30);
    let path = world.repo().join(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    let _ = std::fs::remove_file(&path);
    super::bits::zlib(&text).write(&path);
    read(&world, "a loose object of 3 GiB");
}

#[test]
fn names_and_kinds_that_no_git_writes() {
    for (mode, name) in few(
        3,
        [
            ("120000", "config.json"),
            ("160000", "rounds"),
            (FOLDER, "config.json"),
            (FILE, "rounds"),
            (FILE, "\u{1b}[31m\u{202e}.json"),
            ("120000", "gen404.toml"),
        ],
    ) {
        let Some(world) = checkout() else { return };
        let mut pack = Pack::default();
        let blob = pack.blob(b"/etc/passwd");
        let tree = pack.tree([(FILE, b"x".as_slice(), blob)]);
        pack.store(&world.repo());
        let id = if mode == FOLDER { tree } else { blob };
        let id = if mode == "160000" { git(&world.repo(), &["rev-parse", "HEAD"]) } else { id.to_string() };
        plant(&world, mode, name, &id);
        read(&world, &format!("{name:?} of mode {mode}"));
    }
    let Some(world) = checkout() else { return };
    let mut pack = Pack::default();
    let blob = pack.blob(b"{}");
    let below = pack.tree([(FILE, b"winner.json".as_slice(), blob)]);
    let numbers: [&[u8]; 7] = [b"-1", b"..", b"007", b"1e3", b"4294967295", b"99999999999999999999", b"a/b"];
    let rounds = pack.tree(numbers.map(|name| (FOLDER, name, below)));
    pack.store(&world.repo());
    // mktree would refuse the slash: the commit is made of the tree itself.
    let mut pack = Pack::default();
    let top = pack.tree([(FOLDER, b"rounds".as_slice(), rounds)]);
    pack.store(&world.repo());
    let commit = git(&world.repo(), &["commit-tree", &top.to_string(), "-p", "HEAD", "-m", "x"]);
    git(&world.repo(), &["update-ref", "HEAD", &commit]);
    read(&world, "rounds of odd numbers in a commit").ends(&[1]);
}

#[test]
fn references_that_lead_nowhere() {
    let heads = [
        ("a reference to itself", "ref: refs/heads/loop\n".to_owned()),
        ("a missing commit", "1".repeat(40)),
        ("no reference at all", "x".repeat(1 << 20)),
        ("a way out", "ref: ../../../home/.ssh/authorized_keys\n".to_owned()),
        ("a device", "ref: /dev/zero\n".to_owned()),
        ("nothing", String::new()),
    ];
    for (what, head) in few(3, heads) {
        let Some(world) = checkout() else { return };
        world.put(".git/refs/heads/loop", "ref: refs/heads/loop2\n");
        world.put(".git/refs/heads/loop2", "ref: refs/heads/loop\n");
        world.put(".git/HEAD", head);
        for args in few(2, READING) {
            world.run(&format!("{} where HEAD is {what}", args.join(" ")), args);
        }
    }
    let Some(world) = checkout() else { return };
    let id = git(&world.repo(), &["rev-parse", "HEAD:config.json"]);
    world.put(".git/HEAD", id);
    for args in few(2, READING) {
        world.run(&format!("{} where HEAD is a file's", args.join(" ")), args);
    }
}

#[test]
fn indexes_that_claim_much() {
    for (path, bytes) in few(
        3,
        [
            (".git/index", [b"DIRC\0\0\0\x02\xff\xff\xff\xff".as_slice(), &[0; 100]].concat()),
            (".git/index", b"DIRC\0\0\0\x04\x7f\xff\xff\xff".to_vec()),
            (".git/objects/info/commit-graph", [b"CGPH\x01\x01\xff\x00".as_slice(), &[0xff; 400]].concat()),
            (
                ".git/objects/pack/pack-1111111111111111111111111111111111111111.idx",
                [b"\xfftOc\0\0\0\x02".as_slice(), &[0xff; 1024]].concat(),
            ),
            (".git/packed-refs", vec![b'^'; 30 << 20]),
            (".git/shallow", b"x\n".repeat(5_000_000)),
            (".git/info/exclude", b"**/**/**/**/**/a*b*c*d*\n".repeat(300_000)),
            (".gitattributes", b"* filter=x diff=y\n".repeat(2_000_000)),
        ],
    ) {
        let Some(world) = checkout() else { return };
        world.put(path, &bytes);
        let what = format!("{path} of {} odd bytes", bytes.len());
        for args in few(2, READING) {
            world.attack(&format!("{} of {what}", args.join(" ")), args).within(GIT_SECONDS).run();
        }
        world.unharmed(&what);
    }
}

#[test]
fn programs_that_git_would_run() {
    let Some(world) = checkout() else { return };
    let mark = world.top().join("outside/ran");
    let run = format!("touch {}", mark.display());
    let blob = git(&world.repo(), &["rev-parse", "HEAD~5:config.json"]);
    let config = std::fs::read_to_string(world.repo().join(".git/config")).unwrap();
    world.put(
        ".git/config",
        format!(
            "{config}[core]\n\tfsmonitor = {run}\n\tsshCommand = {run}\n\tpager = {run}\n\thooksPath = hooks\n\
             \teditor = {run}\n\taskPass = {run}\n[diff]\n\texternal = {run}\n[filter \"x\"]\n\tsmudge = {run}\n\tclean = {run}\n\tprocess = {run}\n\
             [credential]\n\thelper = !{run}\n[gpg]\n\tprogram = {run}\n[commit]\n\tgpgSign = true\n[alias]\n\tfetch = !{run}\n\
             [remote \"origin\"]\n\turl = ssh://example.invalid/x\n\tuploadpack = {run};\n\treceivepack = {run};\n\tpromisor = true\n\tpartialclonefilter = blob:none\n\tvcs = x\n[extensions]\n\tpartialClone = origin\n"
        ),
    );
    world.put(".gitattributes", "* filter=x\n");
    for hook in ["post-checkout", "pre-commit", "post-index-change", "reference-transaction", "fsmonitor-watchman"] {
        let file = world.put(&format!("hooks/{hook}"), format!("#!/bin/sh\n{run}\n"));
        assert!(Command::new("chmod").arg("+x").arg(file).status().unwrap().success());
    }
    let _ = std::fs::remove_file(world.repo().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..])));
    for args in few(2, READING) {
        let outcome =
            world.attack(&format!("{} where .git names programs", args.join(" ")), args).within(GIT_SECONDS).run();
        check(!mark.exists(), || format!("a program of .git/config was run: {}", outcome.said()));
    }
}
