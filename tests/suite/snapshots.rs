//! What the program prints, in full: the help, text and JSON of every command that needs no server, and its messages.
//!
//! The snapshots lie in `tests/suite/snapshots/`. After a change to a text, renew them and read the diff:
//! `INSTA_UPDATE=always cargo test --test suite snapshots`.

use std::fmt::{Display, Write as _};
use std::path::Path;

use clap::CommandFactory as _;
use gen404::base::error::Error;
use gen404::cli::Cli;

use crate::support::{Run, edit, example, example_before_end, gen404};
use crate::{commands, duels, models};

/// When the last round of the example closes, as `status`, `leader`, `download` and `finalize` take it.
const NOW: [&str; 4] = ["--block", "714400", "--now", "2026-03-04T08:00:00Z"];

/// What runs of the program printed, one after the other, as at a terminal. What differs from one machine or release
/// to the next has a placeholder.
pub struct Transcript {
    hidden: Vec<(String, String)>,
    text: String,
}

/// The text without the times of pauses.
fn without_pauses(text: &str) -> String {
    const SINCE: &str = "paused since ";
    let mut parts = text.split(SINCE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        format!("{text}{SINCE}TIME{}", part.get("2026-05-31 02:14:00 UTC".len()..).unwrap_or_default())
    })
}

impl Transcript {
    /// One without a run yet. The paths of these folders are hidden.
    pub fn new(folders: &[&Path]) -> Self {
        let mut hidden = Vec::new();
        for (number, folder) in folders.iter().enumerate() {
            let name = if number == 0 { "[FOLDER]".to_owned() } else { format!("[FOLDER {number}]") };
            // Where the system's temporary folder is a link, both of its paths occur, one within the other.
            hidden.push((folder.canonicalize().unwrap().display().to_string(), name.clone()));
            hidden.push((folder.display().to_string(), name));
        }
        let version = env!("CARGO_PKG_VERSION");
        hidden.push((format!("\"version\": \"{version}\""), "\"version\": \"[VERSION]\"".to_owned()));
        hidden.push((format!("gen404 {version}"), "gen404 [VERSION]".to_owned()));
        Transcript { hidden, text: String::new() }
    }

    /// Hides one more text.
    pub fn hide(&mut self, text: &str, name: &str) -> &mut Self {
        self.hidden.push((text.to_owned(), name.to_owned()));
        self
    }

    /// Adds a heading: what was done before the run that follows.
    pub fn after(&mut self, what: &str) -> &mut Self {
        writeln!(self.text, "# {what}").unwrap();
        self
    }

    /// Adds a run with these arguments.
    pub fn add(&mut self, args: &[&str], run: &Run) -> &mut Self {
        write!(self.text, "$ gen404 {}\n{}", args.join(" "), run.out).unwrap();
        if !run.err.is_empty() {
            write!(self.text, "--- stderr\n{}", run.err).unwrap();
        }
        writeln!(self.text, "--- exit {}\n", run.code).unwrap();
        self
    }

    /// Adds one message, and what it is about.
    pub fn message(&mut self, about: &str, message: &dyn Display) -> &mut Self {
        writeln!(self.text, "{about}\n    {message}").unwrap();
        self
    }

    /// Adds an error with its hints, and what it is about.
    pub fn error(&mut self, about: &str, error: &Error) -> &mut Self {
        self.message(about, error);
        for hint in error.hints() {
            writeln!(self.text, "    hint: {hint}").unwrap();
        }
        self
    }

    /// Runs the program in a folder, and adds it.
    pub fn run(&mut self, folder: &Path, args: &[&str]) -> &mut Self {
        self.add(args, &gen404(folder, args))
    }

    /// Compares it with the snapshot of this name.
    #[track_caller]
    pub fn holds(&self, name: &str) {
        let shown = self.hidden.iter().fold(self.text.clone(), |text, (hidden, name)| text.replace(hidden, name));
        let shown = without_pauses(&shown);
        holds(name, &shown);
    }
}

/// Compares a text with the snapshot of this name.
#[track_caller]
pub fn holds(name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Runs with these command lines in one folder, each a line of words, in a snapshot.
fn runs(name: &str, folder: &Path, lines: &[&str]) {
    let mut seen = Transcript::new(&[folder]);
    for line in lines {
        seen.run(folder, &line.split(' ').collect::<Vec<_>>());
    }
    seen.holds(name);
}

#[test]
fn help_of_the_program_and_of_every_command() {
    // Not at a terminal, help is 100 columns wide.
    let folder = tempfile::tempdir().unwrap();
    let shown = |args: &[&str]| {
        let run = gen404(folder.path(), args).ends(0);
        assert_eq!(run.err, "", "{args:?}");
        assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{args:?}: {}", run.out);
        run.out
    };
    holds("help", &shown(&["--help"]));
    holds("help_short", &shown(&["-h"]));
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        holds(&format!("help_{name}"), &shown(&[name, "--help"]));
    }
}

#[test]
fn commands_that_read_a_competition() {
    let folder = example(false);
    let here = folder.path();
    let now = NOW.join(" ");
    let at = |line: &str| format!("{line} {now}");
    runs("status", here, &["status", &at("status"), "status --block 710000 --now 2026-03-03T17:20:00Z", "status -q"]);
    runs("status_json", here, &[&at("status --json")]);
    runs("leader", here, &["leader", "leader --block 707200", "leader --block 714400", "leader --block 5"]);
    runs("leader_json", here, &["leader --json --block 714400"]);
    runs("verify", here, &["verify", "verify -v --round 2", "verify -q", "verify --round 77"]);
    runs("verify_json", here, &["verify --json --round 2"]);
}

#[test]
fn verify_of_a_competition_that_does_not_hold() {
    let folder = example(false);
    let here = folder.path();
    edit(here, "rounds/1/seed.json", |_| "{\n  \"seed\": 1\n}".to_owned());
    edit(here, "rounds/0/winner.json", |text| text.replacen('{', "", 1));
    edit(here, "rounds/1/schedule.json", |text| text.replace("707200", "707201"));
    runs("verify_fails", here, &["verify", "verify -q --round 1", "status"]);
    runs("verify_fails_json", here, &["verify --json --round 2"]);
}

#[test]
fn commands_of_a_round_before_they_are_due() {
    let folder = example(false);
    let here = folder.path();
    std::fs::write(here.join("early.json"), r#"{"current_block": 710000, "block_times": {"710000": 1772558400}}"#)
        .unwrap();
    for name in ["builds", "baseline", "download", "duel", "audit", "finalize", "advance", "open", "reveal-seed"] {
        let file = format!("{}_early", name.replace('-', "_"));
        runs(&file, here, &[name, &format!("{name} --dry-run --json")]);
    }
    let early = ["open --chain-file early.json --dry-run", "reveal-seed --chain-file early.json"];
    runs("chain_file_early", here, &[&early[..], &["open --chain-file none.json"]].concat());
}

#[test]
fn the_seed_of_a_round() {
    let folder = example(false);
    let chain = format!(
        r#"{{"current_block": 714400, "block_times": {{"714400": 1772611200}}, "block_hashes": {{"714400": "0x{}"}}}}"#,
        "0a".repeat(32)
    );
    std::fs::write(folder.path().join("chain.json"), chain).unwrap();
    runs(
        "reveal_seed",
        folder.path(),
        &["open --chain-file chain.json", "reveal-seed --chain-file chain.json --dry-run"],
    );
    runs("reveal_seed_json", folder.path(), &["reveal-seed --chain-file chain.json --json"]);
}

#[test]
fn commands_of_a_round_in_duels() {
    let folder = duels::at_duels();
    let here = folder.path();
    runs("duels_status", here, &["status", "verify --round 1"]);
    for name in ["builds", "baseline", "download", "duel", "audit", "finalize", "advance"] {
        runs(&format!("{name}_in_duels"), here, &[name, &format!("{name} --dry-run"), &format!("{name} --json")]);
    }
    runs("duel_json", here, &["duel --dry-run --json"]);
    runs("advance_json", here, &["advance --dry-run --json"]);
}

#[test]
fn the_end_of_a_round() {
    let now = "--block 707300 --now 2026-03-03T08:20:00Z";
    let folder = example_before_end(1, false);
    runs("finalize", folder.path(), &[&format!("finalize --dry-run {now}"), &format!("finalize {now}"), "finalize"]);
    let folder = example_before_end(1, false);
    runs("finalize_json", folder.path(), &[&format!("finalize --json {now}")]);
}

#[test]
fn pause_and_resume() {
    let folder = example(false);
    let lines = [
        "resume",
        "pause --dry-run",
        "pause",
        "pause",
        "status",
        "finalize",
        "advance",
        "resume --dry-run",
        "resume --stage duels",
        "resume",
    ];
    runs("pause_resume", folder.path(), &lines);
    runs("pause_json", folder.path(), &["pause --json", "resume --json"]);
}

#[test]
fn reports_man_pages_and_a_sandbox() {
    let (folder, out) = (example(false), tempfile::tempdir().unwrap());
    let (here, out) = (folder.path(), out.path());
    let mut seen = Transcript::new(&[here, out]);
    seen.run(here, &["report", "--dry-run"]);
    seen.run(here, &["report", "--out", out.join("report").to_str().unwrap()]);
    seen.run(here, &["report", "--out", "inside"]).run(here, &["report", "--only", "77"]);
    seen.holds("report");
    let mut seen = Transcript::new(&[here, out]);
    seen.run(here, &["report", "--dry-run", "--json", "--only", "2"]).holds("report_json");
    runs("man", here, &["man --out man --dry-run", "man --out man -q", "man --out man --json"]);
    runs("sandbox_dry_run", here, &["sandbox play --dry-run", "sandbox play --dry-run --json"]);
}

#[test]
fn models_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("a.glb"), models::coloured()).unwrap();
    std::fs::write(here.join("b.glb"), models::glassy()).unwrap();
    std::fs::write(here.join("bad.glb"), "no model").unwrap();
    std::fs::write(here.join("page.png"), "<html>").unwrap();
    let lines = [
        "render a.glb --size 32 --dry-run",
        "render a.glb --size 32",
        "render a.glb b.glb bad.glb none.glb --size 32 -o out",
        "render a.glb a.glb",
        "render a.glb b.glb -o bad.glb",
        "render a.glb --size 7",
    ];
    runs("render", here, &lines);
    runs("render_json", here, &["render a.glb bad.glb none.glb --size 32 -o out --json"]);
    let lines = [
        "distance a.png out/b.png",
        "distance a.png out/b.png --distance pixels",
        "distance a.png page.png --distance pixels",
        "distance a.png none.png --distance pixels",
        "distance a.png out/b.png --distance pixels --dry-run",
        "distance a.png out/b.png --distance metres",
    ];
    runs("distance", here, &lines);
    runs("distance_json", here, &["distance a.png a.png --distance pixels --json"]);
    let lines = [
        "judge a.png a.png out/b.png",
        "judge a.png a.png out/b.png --dry-run --json",
        "judge none.png a.png out/b.png --judge-url http://127.0.0.1:9 --dry-run",
        "judge a.png a.png page.png --judge-url http://127.0.0.1:9 --dry-run",
        "judge a.png a.png out/b.png --judge-url ftp://127.0.0.1:9",
    ];
    runs("judge", here, &lines);
}

#[test]
fn a_new_competition() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(
        here.join("pool.txt"),
        (0..9).map(|i| format!("https://p.example.org/{i}.png\n")).collect::<String>(),
    )
    .unwrap();
    let args = commands::init_args("pool.txt");
    let init: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut seen = Transcript::new(&[here]);
    seen.run(here, &[&init[..], &["--dry-run"]].concat());
    seen.run(here, &[&init[..], &["--json", "--dry-run"]].concat());
    seen.run(here, &init).run(here, &init).holds("init");
}

#[test]
fn refused_settings() {
    let folder = example(false);
    let here = folder.path();
    let mut seen = Transcript::new(&[here]);
    for text in [
        "[judge]\nmodle = 1\n",
        "[jury]\n",
        "[judge\n",
        "[judge]\nattempts = 'many'\n",
        "[judge]\nattempts = 0\n",
        "[judge]\nattempts = -1\n",
        "[judge]\nbase_url = 'ftp://judge.example'\n",
        "[judge]\napi_key = 'secret'\n",
        "[judge]\nmodel = 'a'\nmodel = 'b'\n",
        "[chain]\nnetwork = 'nowhere'\n",
        "[chain]\nnetuid = 70000\n",
        "[pods]\nprovider = 'nobody'\n",
        "[store]\nattempts = 1.5\n",
        "[distance]\ndriver = 'metres'\n",
        "[rules]\nmismatches = 100\n",
    ] {
        std::fs::write(here.join("gen404.toml"), text).unwrap();
        seen.after(&text.replace('\n', " ")).run(here, &["status"]);
    }
    seen.holds("settings_errors");
}

#[test]
fn damaged_files() {
    let mut seen = Transcript::new(&[]);
    for (path, from, to) in [
        ("config.json", "{", ""),
        ("config.json", "\"name\"", "\"nam\""),
        ("config.json", "\"prompts_per_round\": ", "\"prompts_per_round\": -"),
        ("state.json", "\"open\"", "\"lunch\""),
        ("state.json", "2", "\"2\""),
        ("leader.json", "\"hotkey\": \"5", "\"hotkey\": \"6"),
        ("leader.json", "0.95", "1.5"),
        ("prompts.txt", "https://", "ftp://"),
        ("rounds/2/schedule.json", "714400", "707200"),
        ("rounds/1/seed.json", ":", ""),
        ("rounds/1/matches_matrix.csv", ",", ";"),
        ("rounds/1/builds.json", "success", "succeeded"),
        ("rounds/1/submissions.json", "\"commit\": \"", "\"commit\": \"x"),
        ("rounds/1/leader/generated.json", "\"size\": ", "\"size\": -"),
    ] {
        let folder = example(false);
        edit(folder.path(), path, |text| text.replacen(from, to, 1));
        seen.hide(&folder.path().display().to_string(), "[FOLDER]");
        seen.after(&format!("{path}: {from} -> {to}"));
        seen.run(folder.path(), &["verify", "-q"]).run(folder.path(), &["status", "-q"]);
    }
    seen.holds("damaged_files");
}

#[test]
fn a_refused_command_line() {
    let folder = example(false);
    let lines = [
        // Before a refused `pause`, of which `status` would say since when.
        "--config none.toml status",
        "nonsense",
        "verfiy",
        "status --blok 5",
        "status --block many",
        "status --block -1",
        "status --block 5 --now yesterday",
        "leader --block 99999999999999999999",
        "-q -v status",
        "--push pause",
        "pause --push",
        "judge",
        "judge --json",
        "duel --judge-concurrency many",
        "init new --win-margin wide",
        "render a.glb --size big",
        "verify --round x",
        "advance --skip nothing",
        "resume --stage lunch",
        "render",
        "--repo none status",
        "pause --commit",
        "completions tcsh",
    ];
    runs("command_line_errors", folder.path(), &lines);
    let nowhere = tempfile::tempdir().unwrap();
    runs("no_competition", nowhere.path(), &["status", "verify", "status --json", "init new"]);
}
