//! A stranger clones a hostile competition with all their keys in the environment: its settings are not
//! followed, and nobody is contacted.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use crate::audit_support::run_as;
use crate::docs::secrets_of_the_sources;
use crate::gallery;
use crate::snapshots::Transcript;
use crate::support::{Run, edit, example, git, skipped};

/// A server that counts who comes.
struct Listening {
    url: String,
    came: Arc<AtomicUsize>,
}

impl Listening {
    fn start() -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let came = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&came);
        // It answers nobody: whoever comes sees the connection close.
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Listening { url, came }
    }

    fn visitors(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    /// Settings that name this server wherever one can be named.
    fn settings(&self) -> String {
        let url = &self.url;
        format!(
            "[chain]\nnetwork = '{url}'\narchive = '{url}'\nattempts = 1\n[seed]\nsource = 'drand'\ndrand_url = '{url}'\n\
             [miners]\nallow_private_cdn = true\n[download]\nattempts = 1\n[judge]\nbase_url = '{url}/v1'\nattempts = 1\n\
             [store]\nendpoint = '{url}'\ncdn_url = '{url}/store'\nattempts = 1\n[builds]\ndriver = 'github'\n\
             repo = 'a/b'\napi_url = '{url}'\nattempts = 1\n[distance]\ndriver = 'http'\nurl = '{url}'\nattempts = 1\n\
             [pods]\nprovider = 'targon'\nattempts = 1\n[pods.targon]\nurl = '{url}'\n[audit]\nmost_pods = 1\n"
        )
    }
}

/// The binary in `folder`, with every key and nothing else.
fn stranger(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gen404"));
    command.env_clear().env("HOME", "/nonexistent").env("NO_COLOR", "1").env("GIT_CONFIG_NOSYSTEM", "1");
    // A second visit says the same as the first.
    command.env("GEN404_HEADS", "");
    static KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(secrets_of_the_sources);
    command.envs(KEYS.iter().map(|key| (key, "hunter2"))).current_dir(folder);
    command
}

fn run(folder: &Path, args: &[&str]) -> Run {
    run_as(stranger(folder).args(args))
}

fn no_git() -> bool {
    let none = Command::new("git").arg("--version").output().is_err();
    if none {
        skipped("no git program");
    }
    none
}

/// A clone of the example whose files name the server as well; its last commit brings these settings.
fn clone(server: &Listening, settings: &str) -> tempfile::TempDir {
    let (theirs, top) = (example(true), tempfile::tempdir().unwrap());
    let files = git(theirs.path(), &["ls-files"]);
    for path in files.lines().filter(|path| path.ends_with("ted.json") || path.contains("duels_")) {
        let file = theirs.path().join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, text.replace("https://store.example.org", &format!("{}/store", server.url))).unwrap();
    }
    std::fs::write(theirs.path().join("gen404.toml"), settings).unwrap();
    git(theirs.path(), &["add", "-A"]);
    git(theirs.path(), &["commit", "-qm", "Settings for everybody"]);
    let from = theirs.path().to_str().unwrap();
    git(top.path(), &["clone", "-q", "--no-local", from, "clone"]);
    top
}

const WARNING: &str = "warning: gen404.toml is not followed: git tracks it, so it may be someone else's; \
                       to follow it on purpose: --config gen404.toml\n";

#[test]
fn a_hostile_clone_changes_nothing_and_nobody_is_contacted() {
    if no_git() {
        return;
    }
    let server = Listening::start();
    let top = clone(&server, &server.settings());
    let folder = top.path().join("clone");
    let (picture, pages) = (top.path().join("a.png"), top.path().join("pages"));
    std::fs::write(&picture, crate::audit_support::picture("bird")).unwrap();
    let (picture, pages) = (picture.to_str().unwrap(), pages.to_str().unwrap());
    let commands: [&[&str]; 24] = [
        &["status"],
        &["status", "--json"],
        &["leader"],
        &["leader", "--json"],
        &["verify"],
        &["verify", "--json"],
        &["verify", "--history"],
        &["verify", "--objects"],
        &["verify", "--objects", "--json"],
        &["verify", "--chain"],
        &["report", "--out", pages],
        &["report", "--out", pages, "--json"],
        &["judge", picture, picture, picture],
        &["distance", picture, picture],
        &["render", picture],
        &["completions", "bash"],
        &["open", "--dry-run"],
        &["reveal-seed", "--dry-run"],
        &["builds"],
        &["baseline"],
        &["download"],
        &["duel"],
        &["audit"],
        &["advance", "--dry-run"],
    ];
    let outcomes = || commands.map(|args| (args, run(&folder, args)));
    let with = outcomes();
    std::fs::remove_file(folder.join("gen404.toml")).unwrap();
    for ((args, with), (_, without)) in with.into_iter().zip(outcomes()) {
        let told = |run: &Run| (run.code, gallery::tracked::without_warnings(&run.out).0);
        assert_eq!(told(&with), told(&without), "{args:?}");
        let reads = !["render", "completions"].contains(&args[0]);
        assert_eq!(
            with.err.matches("gen404.toml is not followed").count(),
            usize::from(reads),
            "{args:?}: {}",
            with.err
        );
        assert_eq!(with.err.replacen(WARNING, "", 1), without.err, "{args:?}");
        assert!(!with.err.contains("hunter2"));
    }
    assert_eq!(server.visitors(), 0);
    // On purpose, it is followed: the server is one that would have noticed.
    run(&folder, &["status"]).ends(0);
    std::fs::write(folder.join("mine.toml"), server.settings()).unwrap();
    assert_ne!(run(&folder, &["--config", "mine.toml", "status"]).err, "");
    assert!(server.visitors() > 0);
}

#[test]
fn in_the_stage_of_duels_nothing_of_theirs_is_followed_either() {
    if no_git() {
        return;
    }
    let server = Listening::start();
    let top = clone(&server, &server.settings());
    let folder = top.path().join("clone");
    edit(&folder, "state.json", |_| {
        "{\n  \"current_round\": 1,\n  \"stage\": \"duels\",\n  \"next_stage_eta\": null\n}".to_owned()
    });
    for name in ["matches_matrix.csv", "generation_audits.json", "winner.json"] {
        std::fs::remove_file(folder.join("rounds/1").join(name)).unwrap();
    }
    for (args, says) in [
        (["duel", "--dry-run"], "would play"),
        (["duel", "-v"], "no judge is named"),
        (["audit", "-v"], "no pod provider is named"),
        (["builds", "-v"], "[builds]"),
    ] {
        let run = run(&folder, &args);
        assert!(run.err.contains(says) || run.out.contains(says), "{args:?}: {run:?}");
    }
    let advanced = run(&folder, &["advance"]);
    assert_eq!(advanced.err.matches("is not followed").count(), 1, "once for all steps: {}", advanced.err);
    assert_eq!(server.visitors(), 0);
}

/// A checkout whose chain settings are followed just if `status` asks the server.
struct Checkout {
    server: Listening,
    folder: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Checkout {
        Checkout { server: Listening::start(), folder: example(true) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> String {
        format!("[chain]\nnetwork = '{}'\nattempts = 1\ntimeout_seconds = 5\n", self.server.url)
    }

    fn write(&self, name: &str) {
        std::fs::write(self.path(name), self.settings()).unwrap();
    }

    #[track_caller]
    fn follows(&self, expected: bool, command: &mut Command) -> Run {
        let before = self.server.visitors();
        let run = run_as(command);
        assert_eq!(self.server.visitors() > before, expected, "{run:?}");
        run
    }

    fn status(&self) -> Command {
        let mut command = stranger(self.folder.path());
        command.arg("status");
        command
    }
}

#[test]
fn settings_that_git_does_not_track_are_the_operators_own() {
    if no_git() {
        return;
    }
    let here = Checkout::new();
    here.write("gen404.toml");
    let own = here.follows(true, &mut here.status());
    assert!(!own.err.contains("not followed"), "{}", own.err);
    // In the index alone, then in the commit, then in the commit alone.
    git(here.folder.path(), &["add", "-f", "gen404.toml"]);
    let tracked = here.follows(false, &mut here.status());
    assert_eq!(tracked.err, WARNING);
    git(here.folder.path(), &["commit", "-qm", "For everybody"]);
    here.follows(false, &mut here.status());
    git(here.folder.path(), &["rm", "-q", "--cached", "gen404.toml"]);
    here.follows(false, &mut here.status());
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = stranger(elsewhere.path());
    let run = here.follows(false, command.arg("--repo").arg(here.folder.path()).arg("status"));
    let full = here.path("gen404.toml").canonicalize().unwrap();
    assert!(run.err.contains(&format!("--config {}", full.display())), "{}", run.err);
    git(here.folder.path(), &["commit", "-qm", "No longer"]);
    here.follows(true, &mut here.status());
}

#[test]
fn where_it_cannot_be_told_whose_settings_they_are_they_are_not_followed() {
    if no_git() {
        return;
    }
    let here = Checkout::new();
    here.write("gen404.toml");
    // Some disks make no difference between these names.
    std::fs::write(here.path("GEN404.toml"), "").unwrap();
    git(here.folder.path(), &["add", "GEN404.toml"]);
    here.follows(false, &mut here.status());
    git(here.folder.path(), &["rm", "-qf", "GEN404.toml"]);
    here.write("gen404.toml");
    here.follows(true, &mut here.status());
    std::fs::write(here.path(".git/index"), "broken").unwrap();
    let broken = here.follows(false, &mut here.status());
    assert!(broken.err.contains("cannot tell whether git tracks it"), "{}", broken.err);
    std::fs::remove_dir_all(here.path(".git")).unwrap();
    let without = here.follows(false, &mut here.status());
    assert!(without.err.contains("without git its origin is unknown"), "{}", without.err);
}

#[test]
fn named_settings_are_followed_by_flag_and_by_environment() {
    let here = Checkout::new();
    std::fs::remove_dir_all(here.path(".git")).unwrap();
    here.write("gen404.toml");
    std::fs::write(here.path("other.toml"), "").unwrap();
    let named = here.follows(true, here.status().args(["--config", "gen404.toml"]));
    assert!(!named.err.contains("not followed"), "{}", named.err);
    here.follows(true, here.status().env("GEN404_CONFIG", "gen404.toml"));
    here.follows(true, here.status().env("GEN404_CONFIG", "other.toml").args(["--config", "gen404.toml"]));
    here.follows(false, here.status().env("GEN404_CONFIG", "gen404.toml").args(["--config", "other.toml"]));
    let mut before = stranger(here.folder.path());
    here.follows(true, before.env("GEN404_CONFIG", "other.toml").args(["--config", "gen404.toml", "status"]));
    here.follows(false, here.status().env("GEN404_CONFIG", ""));
    let missing = here.follows(false, here.status().args(["--config", "none.toml"])).ends(2);
    let mut seen = Transcript::new(&[here.folder.path()]);
    seen.add(&["status", "--config", "none.toml"], &missing);
    let mut endless = here.status();
    let endless = here.follows(false, endless.args(["--config", "/dev/zero"])).ends(2);
    seen.add(&["status", "--config", "/dev/zero"], &endless).holds("settings_not_readable");
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_of_settings_is_followed_only_where_it_is_named() {
    if no_git() {
        return;
    }
    let (here, outside) = (Checkout::new(), tempfile::tempdir().unwrap());
    let target = outside.path().join("settings.toml");
    std::fs::write(&target, here.settings()).unwrap();
    std::os::unix::fs::symlink(&target, here.path("gen404.toml")).unwrap();
    let link = here.follows(false, &mut here.status()).ends(2);
    assert!(link.err.contains("gen404.toml: a link") && link.err.contains("--config gen404.toml"), "{}", link.err);
    here.follows(true, here.status().args(["--config", "gen404.toml"]));
    // One that a repository brings is not even looked at.
    std::fs::remove_file(here.path("gen404.toml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", here.path("gen404.toml")).unwrap();
    git(here.folder.path(), &["add", "-f", "gen404.toml"]);
    assert_eq!(here.follows(false, &mut here.status()).ends(0).err, WARNING);
}

#[test]
fn an_endpoint_that_the_operator_names_is_asked_and_a_key_alone_asks_nobody() {
    if no_git() {
        return;
    }
    let server = Listening::start();
    let top = clone(&server, "");
    let folder = top.path().join("clone");
    std::fs::write(folder.join("mine.toml"), "[download]\nattempts = 1\n[store]\nattempts = 1\n").unwrap();
    let cdn = format!("{}/store", server.url);
    let objects = || {
        let mut command = stranger(&folder);
        command.args(["--config", "mine.toml", "verify", "--objects", "--sample", "1", "--round", "0"]);
        command
    };
    let refused = run_as(&mut objects());
    assert!(refused.out.contains("127.0.0.1 is not a public address"), "{}", refused.out);
    run_as(objects().env("CDN_URL", &cdn));
    assert_eq!(server.visitors(), 0, "CDN_URL alone names no endpoint to sign for");
    run_as(objects().env("CDN_URL", &cdn).env("R2_ENDPOINT", &server.url));
    let signed = server.visitors();
    assert!(signed > 0);
    run_as(objects().arg("--allow-private-cdn"));
    assert!(server.visitors() > signed);
}

#[test]
fn rules_in_the_settings_are_refused_and_it_is_said_where_they_belong() {
    let folder = example(false);
    std::fs::write(folder.path().join("mine.toml"), "\n[rules]\nmismatches = 100\n").unwrap();
    let args = ["--config", "mine.toml", "verify"];
    Transcript::new(&[folder.path()]).add(&args, &run(folder.path(), &args).ends(2)).holds("settings_with_rules");
}
