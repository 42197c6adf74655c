//! What the tests share: whole competitions, the binary in a sealed environment, and real data.

#[path = "../../examples/make_competition.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
pub mod make_competition;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use gen404::model::snapshot::Source;
use gen404::world::git::Git;
use rayon::prelude::*;
use serde_json::Value;

/// Where a program lies, `None` where the machine has none of that name. A command by its path, unlike one by its name
/// with an environment of its own, starts without a copy of this process's page tables, which are large.
pub fn installed(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The folder of real data, where it is: beside the checkout, or named by `GEN404_SHARED`.
pub fn shared(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GEN404_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = folder.join(what);
    if found.exists() {
        return Some(found);
    }
    skipped(&format!("{} is not there (GEN404_SHARED=DIR names its folder)", found.display()));
    None
}

/// Runs cases that wait more than they compute, several at a time. A case that panics fails the test.
pub fn side_by_side<T: Send>(cases: Vec<T>, case: impl Fn(T) + Send + Sync) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap();
    pool.install(|| cases.into_par_iter().with_max_len(1).for_each(case));
}

/// Is everything to be tried, or enough to notice a fault? `.ci/run full` sets `GEN404_WHOLE`; a program that is named is
/// tried on everything.
pub fn whole() -> bool {
    ["GEN404_WHOLE", "GEN404_BIN"].into_iter().any(|name| std::env::var_os(name).is_some())
}

/// Of many cases of one kind, the first of each so many; all of them where [`whole`] says so.
pub fn few<T>(of: usize, cases: impl IntoIterator<Item = T>) -> Vec<T> {
    cases.into_iter().step_by(if whole() { 1 } else { of }).collect()
}

/// Of the commands to try on a case, the first and one of the others, another for each name of a case; all of them where
/// [`whole`] says so.
pub fn in_turn<'a, T>(case: &str, commands: &'a [T]) -> Vec<&'a T> {
    let Some((first, others)) = commands.split_first() else { return Vec::new() };
    let lot: usize = case.bytes().map(usize::from).sum();
    let chosen = |&(at, _): &(usize, &T)| whole() || at == lot % others.len();
    std::iter::once(first).chain(others.iter().enumerate().filter(chosen).map(|(_, command)| command)).collect()
}

/// Says what a test leaves out. Straight to stderr: the test runner hides what passing tests print.
pub fn skipped(what: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {test}: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A clone of the real competition in a folder of its own, where bundle and git are there.
pub fn real_competition() -> Option<tempfile::TempDir> {
    let bundle = shared("competition/rounds-0-2.bundle")?;
    let folder = tempfile::tempdir().unwrap();
    let cloned = Command::new("git").args(["clone", "-q", "-b", "main"]).arg(&bundle).arg(folder.path()).output();
    match cloned {
        Ok(cloned) if cloned.status.success() => Some(folder),
        Ok(failed) => panic!("{}: {}", bundle.display(), String::from_utf8_lossy(&failed.stderr)),
        Err(_) => {
            skipped(&format!("no git program to clone {} with", bundle.display()));
            None
        }
    }
}

/// The example competition, in a folder of its own; with `history`, as a checkout.
pub fn example(history: bool) -> tempfile::TempDir {
    static MADE: [OnceLock<tempfile::TempDir>; 2] = [OnceLock::new(), OnceLock::new()];
    let made = MADE[usize::from(history)].get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        make_competition::make(folder.path(), history);
        folder
    });
    let folder = tempfile::tempdir().unwrap();
    copy(made.path(), folder.path());
    folder
}

/// The example competition as it stood `commits` commits before its end; with `history`, as a
/// checkout whose branch stands there.
pub fn example_before_end(commits: usize, history: bool) -> tempfile::TempDir {
    let folder = example(true);
    let git = Git::open(folder.path()).unwrap().unwrap();
    let log = git.log().unwrap();
    let target = &log.commits[log.commits.len() - 1 - commits].id;
    let then = git.tree(target).unwrap();
    std::fs::remove_dir_all(folder.path().join("rounds")).unwrap();
    for path in then.list().unwrap() {
        let file = folder.path().join(&path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, then.read(&path).unwrap().unwrap()).unwrap();
    }
    if history {
        let head = std::fs::read_to_string(folder.path().join(".git/HEAD")).unwrap();
        let branch = head.trim().strip_prefix("ref: ").unwrap();
        std::fs::write(folder.path().join(".git").join(branch), format!("{target}\n")).unwrap();
        std::fs::remove_file(folder.path().join(".git/index")).unwrap();
    } else {
        std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
    }
    folder
}

/// Copies a folder with all below it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A run of the binary with nothing of the user's environment.
pub fn gen404(folder: &Path, args: &[&str]) -> Run {
    let mut command = command(folder);
    let Output { status, stdout, stderr } = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// The binary, ready to run in `folder`. Settings in a folder without git have to be named.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gen404"));
    command.env_clear().env("HOME", folder).env("NO_COLOR", "1").env("TZ", "Asia/Tokyo").current_dir(folder);
    command.env("GIT_CONFIG_NOSYSTEM", "1");
    if folder.join("gen404.toml").exists() && !folder.join(".git").exists() {
        command.env("GEN404_CONFIG", folder.join("gen404.toml"));
    }
    command
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The run, if it ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Its result as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in:\n{}", self.out))
    }

    /// What only this command tells in its JSON.
    #[track_caller]
    pub fn details(&self) -> Value {
        self.json()["details"].clone()
    }
}

/// `verify --json` with more flags: the findings that are no pass. What `history.continues` says depends on what was
/// verified before, and is left to its own tests.
#[track_caller]
pub fn findings(folder: &Path, flags: &[&str]) -> Vec<Found> {
    let run = gen404(folder, &[&["verify", "--json"], flags].concat());
    let value = run.json();
    let checks = value["details"]["checks"].as_array().expect("checks").clone();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let all: Vec<Found> = checks
        .iter()
        .map(|check| Found {
            id: text(check, "id"),
            round: check["round"].as_u64(),
            subject: text(check, "subject"),
            status: text(check, "status"),
            detail: text(check, "detail"),
        })
        .collect();
    for status in ["pass", "fail", "warn", "skip"] {
        let counted = all.iter().filter(|found| found.status == status).count();
        assert_eq!(value["details"]["summary"][status].as_u64(), Some(counted as u64), "the summary's {status}");
    }
    let failed = all.iter().any(|found| found.status == "fail");
    assert_eq!(run.code, i32::from(failed), "the exit code");
    all.into_iter().filter(|found| found.status != "pass" && found.id != "history.continues").collect()
}

/// A finding, as the JSON has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub id: String,
    pub round: Option<u64>,
    pub subject: String,
    pub status: String,
    pub detail: String,
}

/// Changes a file's text; the change has to change something.
#[track_caller]
pub fn edit(folder: &Path, path: &str, change: impl FnOnce(&str) -> String) {
    let file = folder.join(path);
    let old = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    let new = change(&old);
    assert_ne!(old, new, "{path}: nothing was changed");
    std::fs::write(file, new).unwrap();
}

/// Writes the rules of a competition into its config.json.
pub fn set_rules(folder: &Path, rules: Value) {
    edit(folder, "config.json", |text| {
        let mut config: Value = serde_json::from_str(text).unwrap();
        config["rules"] = rules;
        format!("{config:#}\n")
    });
}

/// Every file below a folder with its bytes, by path; git's own files left out.
pub fn tree(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    fn walk(top: &Path, folder: &Path, files: &mut std::collections::BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with(".git") || path.ends_with(".gen404") {
                continue;
            }
            if path.is_dir() {
                walk(top, &path, files);
            } else {
                files.insert(path.strip_prefix(top).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = std::collections::BTreeMap::new();
    walk(folder, folder, &mut files);
    files
}

/// Who commits, for the git program.
pub const IDENTITY: &str = "-c user.name=A -c user.email=a@b.c";

/// The git program's output; it has to succeed.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(folder);
    let run = command.args(IDENTITY.split(' ')).args(args).output().unwrap();
    assert!(run.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

/// Whom the binary commits as.
pub fn as_somebody(command: &mut Command) {
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "A").env(format!("GIT_{name}_EMAIL"), "a@b.c");
    }
}
