//! A git folder that somebody else packed: a finding or a clear error, soon, in little memory, and never a pass.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gen404::model::ids::Hotkey;
use gix::ObjectId;
use gix::objs::Kind;

use crate::snapshots::Transcript;
use crate::support::{Run, command, edit, example, git, in_turn, installed, skipped};

const SOON: Duration = Duration::from_secs(15);

/// The commands that everybody runs in somebody else's clone.
const READING: [&[&str]; 4] = [&["verify"], &["verify", "--history"], &["report", "--out", "../report"], &["status"]];

/// Runs within 700 MiB of address space, ends soon, and by itself.
#[track_caller]
pub fn run(folder: &Path, args: &[&str]) -> Run {
    let mut plain = command(folder);
    plain.args(args);
    let mut command = if let Some(prlimit) = installed("prlimit") {
        let mut limited = Command::new(prlimit);
        limited.arg("--as=734003200").arg(plain.get_program()).args(args).current_dir(folder).env_clear();
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited
    } else {
        skipped("no prlimit: memory is not limited");
        plain
    };
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let text = |from: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // A run that hangs must not hang the test.
    let id = i32::try_from(child.id()).unwrap();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if ended.recv_timeout(SOON * 4) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").arg("-9").arg(id.to_string()).status();
        }
    });
    let (out, err) = std::thread::scope(|scope| {
        let err = scope.spawn(|| text(&mut err));
        (text(&mut out), err.join().unwrap())
    });
    let status = child.wait().unwrap();
    let took = begun.elapsed();
    drop(done);
    guard.join().unwrap();
    assert_eq!(status.signal(), None, "{args:?} after {took:?}: {err}");
    assert!(took < SOON, "{args:?} took {took:?}: {err}");
    assert!(!err.contains("panicked") && status.code() != Some(101), "{args:?}: {err}");
    Run { code: status.code().unwrap(), out, err }
}

/// Every command that reads ends soon, and with `fails` those that look into the history fail and say why.
#[track_caller]
pub fn all(folder: &Path, fails: Option<&str>) {
    for args in READING {
        let run = run(folder, args);
        let looks = args[0] != "status";
        if let Some(why) = fails.filter(|_| looks) {
            assert!(run.code == 1 && (run.err.contains(why) || run.out.contains(why)), "{args:?}: {run:?}");
        } else {
            assert!([0, 1].contains(&run.code), "{args:?}: {run:?}");
        }
    }
}

/// Objects made by hand, put in place by git.
#[derive(Default)]
struct Pack {
    bytes: Vec<u8>,
    count: u32,
}

impl Pack {
    fn head(&mut self, kind: u8, mut size: usize) -> usize {
        let at = 12 + self.bytes.len();
        let mut byte = kind << 4 | u8::try_from(size & 15).unwrap();
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = u8::try_from(size & 0x7f).unwrap();
            size >>= 7;
        }
        self.bytes.push(byte);
        self.count += 1;
        at
    }

    fn add(&mut self, kind: Kind, data: &[u8]) -> ObjectId {
        let code = if kind == Kind::Tree { 2 } else { 3 };
        self.head(code, data.len());
        self.bytes.extend(miniz_oxide::deflate::compress_to_vec_zlib(data, 1));
        gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, data).unwrap()
    }

    /// A blob of so many zeros, by the place where it begins.
    fn zeros(&mut self, size: usize) -> usize {
        let at = self.head(3, size);
        self.bytes.extend(zipped_zeros(size));
        at
    }

    /// A blob that is the beginning of the one at `base`: by the place where it begins.
    fn beginning_of(&mut self, base: usize, of: usize, length: u8) -> usize {
        let mut delta = number(of);
        delta.extend(number(usize::from(length)));
        delta.extend([0x90, length]);
        let at = self.head(6, delta.len());
        let mut distance = at - base;
        let mut bytes = vec![u8::try_from(distance & 0x7f).unwrap()];
        while distance >> 7 > 0 {
            distance = (distance >> 7) - 1;
            bytes.push(u8::try_from(distance & 0x7f).unwrap() | 0x80);
        }
        bytes.reverse();
        self.bytes.extend(bytes);
        self.bytes.extend(miniz_oxide::deflate::compress_to_vec_zlib(&delta, 1));
        at
    }

    fn tree<'a>(&mut self, entries: impl IntoIterator<Item = (&'a str, &'a str, ObjectId)>) -> ObjectId {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend([mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_slice()].concat());
        }
        self.add(Kind::Tree, &bytes)
    }

    fn store(&self, folder: &Path) {
        let mut pack = [b"PACK\0\0\0\x02".as_slice(), &self.count.to_be_bytes(), &self.bytes].concat();
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&pack);
        pack.extend_from_slice(hasher.try_finalize().unwrap().as_slice());
        git_with(folder, &["index-pack", "--stdin"], &pack);
    }
}

/// How pack files write a size in a difference.
fn number(mut size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while size >> 7 > 0 {
        bytes.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
        size >>= 7;
    }
    bytes.push(u8::try_from(size).unwrap());
    bytes
}

/// So many zeros (whole MiB), compressed without ever being there.
fn zipped_zeros(size: usize) -> Vec<u8> {
    use miniz_oxide::deflate::core::CompressorOxide;
    use miniz_oxide::{DataFormat, MZFlush};
    let mut state = CompressorOxide::default();
    state.set_format_and_level(DataFormat::Raw, 1);
    let (block, mut out) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let made = miniz_oxide::deflate::stream::deflate(&mut state, &block, &mut out, MZFlush::Full);
    assert_eq!(made.bytes_consumed, block.len());
    let adler = (u32::try_from(size % 65521).unwrap() << 16) | 1;
    let blocks = out[..made.bytes_written].repeat(size >> 20);
    [b"\x78\x01".as_slice(), &blocks, b"\x01\0\0\xff\xff", &adler.to_be_bytes()].concat()
}

pub fn git_with(folder: &Path, args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("git");
    command.args(args).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The example's checkout, where there is a git program.
pub fn checkout() -> Option<tempfile::TempDir> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    Some(example(true))
}

/// Commits with something planted at the top of each, and one after them that is as before: what was planted is old.
pub fn plant(folder: &Path, planted: &[(&str, &str, ObjectId)]) {
    let tree = git(folder, &["rev-parse", "HEAD^{tree}"]);
    let mut parent = git(folder, &["rev-parse", "HEAD"]);
    let commit = |tree: &str, parent: &str| git(folder, &["commit-tree", tree, "-p", parent, "-m", "A round"]);
    for (mode, name, id) in planted {
        let mut lines: Vec<String> = git(folder, &["ls-tree", &tree]).lines().map(str::to_owned).collect();
        lines.retain(|line| !line.ends_with(&format!("\t{name}")));
        lines.push(format!("{mode} {} {id}\t{name}", if *mode == "40000" { "tree" } else { "blob" }));
        let with = git_with(folder, &["mktree", "--missing"], lines.join("\n").as_bytes());
        parent = commit(&with, &parent);
    }
    git(folder, &["update-ref", "HEAD", &commit(&tree, &parent)]);
}

const FOLDER: &str = "40000";
const FILE: &str = "100644";
const NOT_READ: &str = "the history is not read to its end";

fn hotkeys(count: u32) -> Vec<String> {
    let account = |n: u32| std::array::from_fn(|at| *n.to_le_bytes().get(at).unwrap_or(&7));
    let mut names: Vec<String> = (0..count).map(|n| Hotkey::from_account(&account(n)).to_string()).collect();
    names.sort();
    names
}

fn numbers(count: u32) -> Vec<String> {
    let mut names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    names.sort_by_key(|name| format!("{name}/"));
    names
}

#[test]
fn folders_that_no_competition_has_are_never_entered() {
    let Some(folder) = checkout() else { return };
    let before = run(folder.path(), &["verify", "--history"]);
    let mut pack = Pack::default();
    let file = pack.add(Kind::Blob, b"x");
    // 14 objects, 10^10 paths.
    let mut wide = file;
    for level in 0..13 {
        let names: Vec<String> = (0..6).map(|n| n.to_string()).collect();
        wide = pack.tree(names.iter().map(|name| (if level == 0 { FILE } else { FOLDER }, name.as_str(), wide)));
    }
    let mut deep = file;
    for level in 0..100_000 {
        deep = pack.tree([(if level == 0 { FILE } else { FOLDER }, "0", deep)]);
    }
    // The same where some of the names are known.
    let below = pack.tree([(FOLDER, "0", wide), (FOLDER, "leader", deep), (FOLDER, "x", wide)]);
    let rounds = pack.tree([(FOLDER, "7", below), (FOLDER, "x", deep)]);
    pack.store(folder.path());
    plant(folder.path(), &[(FOLDER, "docs", wide), (FOLDER, "deep", deep)]);
    all(folder.path(), None);
    let after = run(folder.path(), &["verify", "--history"]);
    assert_eq!((before.code, after.code), (0, 0), "{after:?}");
    plant(folder.path(), &[(FOLDER, "rounds", rounds)]);
    all(folder.path(), None);
}

#[test]
fn known_paths_that_unfold_are_counted() {
    let Some(folder) = checkout() else { return };
    let mut pack = Pack::default();
    let file = pack.add(Kind::Blob, b"{}");
    let names: Vec<String> = (1000..2000).map(|n| format!("duels_{n}.json")).collect();
    let player = pack.tree(names.iter().map(|name| (FILE, name.as_str(), file)));
    let hotkeys = hotkeys(1024);
    let round = pack.tree(hotkeys.iter().map(|name| (FOLDER, name.as_str(), player)));
    let rounds = pack.tree(numbers(10_000).iter().map(|name| (FOLDER, name.as_str(), round)));
    pack.store(folder.path());
    plant(folder.path(), &[(FOLDER, "rounds", rounds)]);
    all(folder.path(), Some(NOT_READ));
}

#[test]
fn a_history_that_goes_to_and_fro_is_counted() {
    let Some(folder) = checkout() else { return };
    let mut pack = Pack::default();
    let hotkeys = hotkeys(100);
    let rounds = [b"{}", b"[]"].map(|text| {
        let file = pack.add(Kind::Blob, text);
        let player = pack.tree([(FILE, "generated.json", file), (FILE, "submitted.json", file)]);
        let round = pack.tree(hotkeys.iter().map(|name| (FOLDER, name.as_str(), player)));
        pack.tree(numbers(100).iter().map(|name| (FOLDER, name.as_str(), round)))
    });
    pack.store(folder.path());
    let planted: Vec<_> = rounds.repeat(15).into_iter().map(|rounds| (FOLDER, "rounds", rounds)).collect();
    plant(folder.path(), &planted);
    all(folder.path(), Some(NOT_READ));
}

#[test]
fn an_object_is_weighed_before_it_is_inflated() {
    let Some(folder) = checkout() else { return };
    let blob = git_with(folder.path(), &["hash-object", "-w", "--stdin"], &vec![b' '; 100 << 20]);
    let blob = ObjectId::from_hex(blob.as_bytes()).unwrap();
    plant(folder.path(), &[(FILE, "notes.txt", blob)]);
    all(folder.path(), None);
    plant(folder.path(), &[(FILE, "config.json", blob)]);
    let run = run(folder.path(), &["verify", "--history"]).ends(1);
    assert!(run.out.contains("config.json") && run.out.contains("104857600 bytes"), "{run:?}");
    all(folder.path(), None);
}

/// Four bytes that stand on 200 MiB, and two that stand on 5,000 steps.
#[test]
fn what_an_object_unfolds_from_counts() {
    for steps in [1, 5000] {
        let Some(folder) = checkout() else { return };
        let mut pack = Pack::default();
        let size = if steps == 1 { 200 << 20 } else { 1 << 20 };
        let (mut at, mut of) = (pack.zeros(size), size);
        for step in 0..steps {
            let length = if steps == 1 { 4 } else { u8::try_from(200 - step / 25).unwrap_or(1).max(1) };
            let length = if step + 1 == steps { 4.min(length) } else { length };
            (at, of) = (pack.beginning_of(at, of, length), usize::from(length));
        }
        pack.store(folder.path());
        let blob = gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Blob, &vec![0; of]).unwrap();
        assert_eq!(git(folder.path(), &["cat-file", "-s", &blob.to_string()]), of.to_string());
        plant(folder.path(), &[(FILE, "leader.json", blob)]);
        let run = run(folder.path(), &["verify", "--history"]).ends(1);
        assert!(run.out.contains("unfolds") || run.out.contains("deltas in one chain"), "{steps}: {run:?}");
    }
}

#[test]
fn gits_own_files_are_plain_ones() {
    let names = [
        "HEAD",
        "config",
        "config.worktree",
        "packed-refs",
        "index",
        "shallow",
        "commondir",
        "info/exclude",
        "objects/info/alternates",
        "refs/heads/fifo",
        "sharedindex.1111111111111111111111111111111111111111",
    ];
    for name in names {
        for kind in ["fifo", "link", "huge"] {
            let folder = example(true);
            let path = folder.path().join(".git").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.starts_with("refs/") {
                std::fs::write(folder.path().join(".git/HEAD"), format!("ref: {name}\n")).unwrap();
            }
            let _ = std::fs::remove_file(&path);
            match kind {
                "fifo" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "link" => symlink("/dev/zero", &path).unwrap(),
                // Sparse: no disk holds it.
                _ => std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap(),
            }
            for args in in_turn(&format!("{kind} {name}"), &READING) {
                let run = run(folder.path(), args).ends(1);
                assert!(run.err.contains(name.split('.').next().unwrap()), "{kind} {name}: {run:?}");
            }
        }
    }
}

#[test]
fn a_git_folder_leads_nowhere_else() {
    let other = example(true);
    let elsewhere = other.path().join(".git");
    let mut seen = Transcript::new(&[]);
    seen.hide(&other.path().display().to_string(), "[ELSEWHERE]");
    let mut refused = |change: &dyn Fn(&Path), why: &str| {
        let folder = example(true);
        change(folder.path());
        for args in READING {
            let run = run(folder.path(), args).ends(1);
            assert!(run.err.contains(why), "{why}: {run:?}");
            if args == ["status"] {
                seen.hide(&folder.path().display().to_string(), "[FOLDER]").add(args, &run);
            }
        }
    };
    let replace = |folder: &Path, name: &str| {
        std::fs::remove_dir_all(folder.join(name)).unwrap_or_default();
        symlink(elsewhere.join("objects"), folder.join(name)).unwrap();
    };
    refused(&|folder| replace(folder, ".git"), ".git: a link");
    refused(&|folder| replace(folder, ".git/objects"), "objects: not a folder");
    refused(&|folder| replace(folder, ".git/refs"), "refs: not a folder");
    refused(&|folder| replace(folder, ".git/gen404"), "gen404: not a folder");
    let pointing = |folder: &Path| {
        std::fs::remove_dir_all(folder.join(".git")).unwrap();
        std::fs::write(folder.join(".git"), format!("gitdir: {}\n", elsewhere.display())).unwrap();
    };
    refused(&pointing, "does not belong to this checkout");
    let common = |folder: &Path| std::fs::write(folder.join(".git/commondir"), elsewhere.to_str().unwrap()).unwrap();
    refused(&common, "commondir");
    let looping = |folder: &Path| {
        std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/a\n").unwrap();
        std::fs::write(folder.join(".git/refs/heads/a"), "ref: refs/heads/b\n").unwrap();
        std::fs::write(folder.join(".git/refs/heads/b"), "ref: refs/heads/a\n").unwrap();
    };
    refused(&looping, "leads in a circle");
    let out = |folder: &Path| std::fs::write(folder.join(".git/HEAD"), "ref: ../../../etc/passwd\n").unwrap();
    refused(&out, "is not a branch");
    let fifo = |folder: &Path| {
        assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
        std::fs::create_dir_all(folder.join(".git/objects/info")).unwrap();
        std::fs::write(folder.join(".git/objects/info/alternates"), "../../pipe\n").unwrap();
    };
    refused(&fifo, "not an object folder");
    seen.holds("git_folders_elsewhere");
}

/// What git makes itself is followed: a linked worktree, and objects that are borrowed.
#[test]
fn worktrees_and_borrowed_objects_are_read() {
    let Some(folder) = checkout() else { return };
    let beside = tempfile::tempdir().unwrap();
    let worktree = beside.path().join("worktree");
    git(folder.path(), &["worktree", "add", "-q", "-b", "side", worktree.to_str().unwrap()]);
    let shared = beside.path().join("shared");
    git(folder.path(), &["clone", "-q", "--shared", ".", shared.to_str().unwrap()]);
    // Only the clone has a remote.
    let told = |place: &Path| {
        let out = run(place, &["verify", "--history"]).ends(0).out;
        out.lines().filter(|line| !line.contains("history.continues")).map(str::to_owned).collect::<Vec<_>>()
    };
    for place in [worktree, shared] {
        assert_eq!(told(&place), told(folder.path()));
    }
}

/// A repository's own configuration chooses nothing, and no object stands in for another.
#[test]
fn a_hostile_configuration_changes_nothing() {
    let Some(folder) = checkout() else { return };
    let expected = run(folder.path(), &["verify", "--history"]).ends(0).out;
    assert!(Command::new("mkfifo").arg(folder.path().join(".git/pipe")).status().unwrap().success());
    let config = folder.path().join(".git/config");
    let text = std::fs::read_to_string(&config).unwrap();
    let hostile = "[include]\n\tpath = pipe\n[include]\n\tpath = /dev/zero\n[core]\n\tworktree = /etc\n\tfsmonitor = false\n\
                   \tdeltaBaseCacheLimit = 100g\n\tuseReplaceRefs = true\n[gitoxide \"objects\"]\n\tallocLimit = 0\n\tcacheLimit = 100g\n";
    std::fs::write(&config, format!("{text}{hostile}")).unwrap();
    assert_eq!(run(folder.path(), &["verify", "--history"]).ends(0).out, expected);
    std::fs::write(&config, text).unwrap();
    let (old, new) = (git(folder.path(), &["rev-parse", "HEAD"]), git(folder.path(), &["rev-parse", "HEAD~3"]));
    git(folder.path(), &["replace", &old, &new]);
    // The commit itself is read; that git shows another one is a failure of its own.
    let replaced = run(folder.path(), &["verify", "--history"]).ends(1).out;
    let mut rest: Vec<&str> = replaced.lines().collect();
    let at = rest.iter().position(|line| line.starts_with("fail  history.continues  git replace: ")).unwrap();
    rest.remove(at);
    let (told, last) = (rest.len() - 1, expected.lines().count() - 1);
    assert_eq!(rest[..told], expected.lines().collect::<Vec<_>>()[..last]);
}

#[test]
fn broken_objects_and_indexes_are_errors() {
    let broken: [(&str, &[u8]); 4] = [
        ("index", b"DIRC\0\0\0\x02\xff\xff\xff\xff"),
        ("packed-refs", b"^^^^\nx y z\n"),
        ("objects/pack/pack-1111111111111111111111111111111111111111.idx", b"\xfftOc\0\0\0\x02\xff\xff\xff\xff"),
        ("objects/pack/pack-1111111111111111111111111111111111111111.pack", b"PACK\0\0\0\x02\xff\xff\xff\xff"),
    ];
    for (name, bytes) in broken {
        let folder = example(true);
        let path = folder.path().join(".git").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        if name.ends_with(".pack") {
            std::fs::write(path.with_extension("idx"), [b"\xfftOc\0\0\0\x02".as_slice(), &[0xff; 1064]].concat())
                .unwrap();
        }
        all(folder.path(), None);
    }
    // A loose object that claims what it is not, and one that is a FIFO.
    for fifo in [false, true] {
        let folder = example(true);
        let head = std::fs::read_to_string(folder.path().join(".git/HEAD")).unwrap();
        let head = std::fs::read_to_string(folder.path().join(".git").join(head.trim().trim_start_matches("ref: ")));
        let head = head.unwrap();
        let object = folder.path().join(".git/objects").join(&head[..2]).join(head[2..].trim());
        std::fs::remove_file(&object).unwrap();
        if fifo {
            assert!(Command::new("mkfifo").arg(&object).status().unwrap().success());
        } else {
            let claim = format!("commit {}\0tree", u64::MAX >> 1);
            std::fs::write(&object, miniz_oxide::deflate::compress_to_vec_zlib(claim.as_bytes(), 1)).unwrap();
        }
        all(folder.path(), Some(head.trim()));
    }
}

#[test]
fn rounds_are_those_that_exist() {
    let folder = example(true);
    std::fs::create_dir_all(folder.path().join("rounds/4294967295")).unwrap();
    std::fs::copy(folder.path().join("rounds/0/seed.json"), folder.path().join("rounds/4294967295/seed.json")).unwrap();
    all(folder.path(), None);
    let verified = run(folder.path(), &["verify"]).ends(1);
    let line = "rounds: the folders of rounds 3 to 4294967294 are missing; present: 0 to 2, 4294967295";
    assert!(verified.out.contains(line), "{}", verified.out);
    edit(folder.path(), "state.json", |text| text.replacen("\"current_round\": 2", "\"current_round\": 4294967295", 1));
    all(folder.path(), None);
    std::fs::remove_dir_all(folder.path().join("rounds/4294967295")).unwrap();
    all(folder.path(), None);
    let verified = run(folder.path(), &["verify"]).ends(1);
    assert!(verified.out.contains("rounds 3 to 4294967295 are missing"), "{}", verified.out);
}
