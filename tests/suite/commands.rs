//! `init`, `status`, `leader`, `pause`, `resume`, and the flags that all commands share.

use crate::snapshots::Transcript;
use crate::support::make_competition::hotkey;
use crate::support::{edit, example, findings, gen404, tree};

const SHA: &str = "28900bbb82c04f210eda8907713f57b9f6792992";

pub fn init_args(pool: &str) -> Vec<String> {
    let leader = hotkey("first").to_string();
    let args = [
        "init",
        "new",
        "--name",
        "mesh",
        "--description",
        "Image to mesh",
        "--first-day",
        "2026-05-01",
        "--last-day",
        "2026-09-30",
        "--pool",
        pool,
        "--leader-hotkey",
        &leader,
        "--leader-repo",
        "acme/base",
        "--leader-commit",
        SHA,
        "--leader-docker",
        "registry.example.org/base:28900bb",
        "--block",
        "1000",
        "--now",
        "2026-04-30T20:00:00Z",
        "--prompts",
        "4",
        "--carryover",
        "1",
    ];
    args.map(str::to_owned).to_vec()
}

#[test]
fn init_makes_a_competition_that_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let urls: Vec<_> = (0..9).map(|i| format!("https://p.example.org/{i}.png")).collect();
    std::fs::write(folder.path().join("pool.txt"), urls.join("\n") + "\n").unwrap();
    let args = init_args("pool.txt");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let run = gen404(folder.path(), &args).ends(0);
    assert!(
        run.out.starts_with(
            "mesh: round 0 is open until block 4600, about 2026-05-01 08:00:00 UTC\n9 prompts in the pool\n"
        ),
        "{}",
        run.out
    );
    let new = folder.path().join("new");
    let read = |path: &str| std::fs::read_to_string(new.join(path)).unwrap();
    assert_eq!(
        read("rounds/0/schedule.json"),
        "{\n  \"earliest_reveal_block\": 0,\n  \"latest_reveal_block\": 4600,\n  \"generation_deadline_block\": 5200\n}"
    );
    assert!(read("config.json").ends_with("\"round_duration_days\": 1\n}\n"));
    assert!(new.join(".git").is_dir());
    assert_eq!(findings(&new, &[]), []);
    let again = gen404(folder.path(), &args).ends(1);
    assert!(again.err.contains("new: already holds a competition"), "{}", again.err);
}

#[test]
fn init_begins_the_operators_settings_and_has_git_ignore_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pool.txt"), "https://x.example/a.png").unwrap();
    let args = init_args("pool.txt");
    let args: Vec<&str> =
        args.iter().map(String::as_str).chain(["--rule", "mismatches=4", "--rule", "trim=6"]).collect();
    let made = gen404(folder.path(), &args).ends(0);
    let new = folder.path().join("new");
    let read = |path: &str| std::fs::read_to_string(new.join(path)).unwrap();
    assert_eq!(::gen404::settings::Config::parse(&read("gen404.toml")).unwrap(), ::gen404::settings::Config::default());
    assert!(read("gen404.toml").lines().all(|line| line.is_empty() || line.starts_with('#')));
    assert!(read(".git/info/exclude").lines().any(|line| line == "/gen404.toml"));
    assert!(read("config.json").starts_with("{\n  \"rules\": {\n    \"mismatches\": 4\n  },\n  \"name\""));
    assert!(made.out.contains("next: fill in gen404.toml"), "{}", made.out);
    // What is there is left as it is, and is ignored all the same.
    for name in ["config.json", "state.json", "leader.json", "prompts.txt", ".git/info/exclude"] {
        std::fs::remove_file(new.join(name)).unwrap();
    }
    std::fs::remove_dir_all(new.join("rounds")).unwrap();
    std::fs::write(new.join("gen404.toml"), "[judge]\nmodel = 'mine'\n").unwrap();
    gen404(folder.path(), &args).ends(0);
    assert_eq!(read("gen404.toml"), "[judge]\nmodel = 'mine'\n");
    assert_eq!(read(".git/info/exclude"), "/gen404.toml\n");
    let mut seen = Transcript::new(&[folder.path()]);
    for rule in ["mismatch=4", "mismatches", "median_seconds=many", "median_seconds=true", "distance=3", "trim=7"] {
        let args: Vec<&str> = args.iter().map(|arg| if *arg == "new" { "other" } else { arg }).collect();
        let wrong = gen404(folder.path(), &[&args[..], &["--rule", rule]].concat()).ends(2);
        seen.add(&["init", "...", "--rule", rule], &wrong);
    }
    seen.holds("init_rule_errors");
}

#[test]
fn init_names_what_is_missing_or_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Transcript::new(&[folder.path()]);
    seen.add(&["init", "new"], &gen404(folder.path(), &["init", "new"]).ends(2));
    let bad = init_args("none.txt");
    let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
    seen.add(&["init", "...", "--pool", "none.txt"], &gen404(folder.path(), &bad).ends(2));
    gen404(folder.path(), &[&bad[..], &["--win-margin", "7"]].concat()).ends(2);
    assert!(!folder.path().join("new").exists(), "nothing is made when something is wrong");
    std::fs::write(folder.path().join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let good = init_args("pool.txt");
    for (flag, value) in [
        ("--win-margin", "7"),
        ("--earliest-reveal-block", "4601"),
        ("--prompts", "0"),
        ("--last-day", "2026-04-01"),
        ("--first-day", "soon"),
        ("--leader-hotkey", "5short"),
        ("--leader-commit", "28900bb"),
        ("--leader-repo", "https://github.com/acme/base"),
        ("--carryover", "5"),
        ("--prompts", "many"),
        ("--weight-decay", "nan"),
        ("--leader-docker", ""),
        ("--leader-docker", "two words"),
    ] {
        // In place of the flag that is there already: given twice, it would be refused for that.
        let mut args: Vec<&str> = good.iter().map(String::as_str).collect();
        match args.iter().position(|arg| *arg == flag) {
            Some(at) => args[at + 1] = value,
            None => args.extend([flag, value]),
        }
        let run = gen404(folder.path(), &args);
        assert!([1, 2].contains(&run.code), "{flag} {value}: {run:?}");
        seen.add(&["init", "...", flag, value], &run);
        assert!(!folder.path().join("new").exists(), "nothing is made when something is wrong: {flag} {value}");
    }
    seen.holds("init_errors");
}

#[test]
fn init_takes_the_pool_that_is_there_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (new, pool) = (folder.path().join("new"), folder.path().join("pool.txt"));
    std::fs::write(&pool, "https://p.example.org/1.png\n").unwrap();
    std::fs::create_dir(&new).unwrap();
    let own = "https://p.example.org/2.png\nhttps://p.example.org/3.png\n";
    std::fs::write(new.join("prompts.txt"), own).unwrap();
    let args = init_args("pool.txt");
    let run = |left_out: &str| {
        let at = args.iter().position(|arg| arg == left_out).unwrap_or(args.len());
        let kept = args.iter().enumerate().filter(|(index, _)| *index != at && *index != at + 1);
        gen404(folder.path(), &kept.map(|(_, arg)| arg.as_str()).collect::<Vec<_>>())
    };
    let refused = run("").ends(1);
    assert!(refused.err.contains("new/prompts.txt: is in the way"), "{}", refused.err);
    for (name, text) in [("leader.json", "[]"), ("rounds", "mine")] {
        std::fs::write(new.join(name), text).unwrap();
        let refused = run("--pool").ends(1);
        assert!(refused.err.contains(&format!("new/{name}: is in the way")), "{}", refused.err);
        assert!(!new.join(".git").exists() && !new.join("config.json").exists());
        std::fs::remove_file(new.join(name)).unwrap();
    }
    let made = run("--pool").ends(0);
    assert!(made.out.contains("2 prompts in the pool"), "{}", made.out);
    assert_eq!(std::fs::read_to_string(new.join("prompts.txt")).unwrap(), own);
}

/// On a real terminal, which util-linux's `script` provides.
#[test]
fn init_asks_on_a_terminal_and_checks_each_answer() {
    use std::io::Write as _;
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return crate::support::skipped("no script program");
    }
    let folder = tempfile::tempdir().unwrap();
    let init = format!("{} init new --block 1000 --now 2026-04-30T20:00:00Z", env!("CARGO_BIN_EXE_gen404"));
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-qec", &init, "/dev/null"]).current_dir(folder.path());
    terminal
        .env("HOME", folder.path())
        .env("NO_COLOR", "1")
        .env_remove("SUBTENSOR_NETWORK")
        .env_remove("GEN404_CONFIG");
    let piped = std::process::Stdio::piped;
    let mut terminal = terminal.stdin(piped()).stdout(piped()).spawn().unwrap();
    let leader = hotkey("first").to_string();
    let answers = [
        ["a/b", "mesh", "", "2026-05-01", "2026-04-01", "2026-09-30", "no.txt", ""].as_slice(),
        &[&leader, "acme/base", SHA, "no image", "registry.example.org/base:1", "y"],
    ]
    .concat();
    terminal.stdin.take().unwrap().write_all((answers.join("\n") + "\n").as_bytes()).unwrap();
    let ended = terminal.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{shown}");
    for part in [
        "1 to 100 letters",
        "before 2026-05-01",
        "no.txt",
        "not a valid image",
        "Write it to new? [Y/n]",
        "next: cd new\r\n",
        "next: fill in gen404.toml (chain, store, judge, pods, builds, distance)\r\n",
        "next: gen404 doctor\r\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(folder.path().join("new/state.json").is_file());
}

#[test]
fn a_refused_init_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let args = init_args("pool.txt");
    let refused = |dir: &str, more: &[&str], code: i32| {
        let mut args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        args[1] = dir;
        gen404(folder.path(), &args).ends(code);
    };
    let late = ["--earliest-reveal-block", "4601"];
    refused("a/b/new", &late, 2);
    refused("new", &["--commit", "--no-git"], 2);
    // Git knows no author here.
    refused("new", &["--commit"], 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the pool is there");
    // A folder and a checkout that were there stay, with what is in them.
    std::fs::create_dir(folder.path().join("new")).unwrap();
    std::fs::write(folder.path().join("new/notes.txt"), "mine").unwrap();
    refused("new", &late, 2);
    assert_eq!(std::fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
    ::gen404::world::git::Git::init(&folder.path().join("new")).unwrap();
    refused("new", &late, 2);
    assert!(folder.path().join("new/.git/HEAD").is_file() && folder.path().join("new/notes.txt").is_file());
}

#[test]
fn status_says_what_is_due() {
    let folder = example(false);
    let run = gen404(folder.path(), &["status", "--block", "710000", "--now", "2026-03-03T17:20:00Z"]).ends(0);
    for line in [
        "example: round 2 is open",
        "block 710000 at 2026-03-03 17:20:00 UTC",
        "reveals count in blocks 707201 to 714400; files are due by block 715000",
        "possible: gen404 open (record the submissions revealed so far)",
        "later: gen404 reveal-seed, from block 714400 on, in 4400 blocks, about 2026-03-04 08:00:00 UTC",
    ] {
        assert!(run.out.lines().any(|found| found == line), "no {line:?} in:\n{}", run.out);
    }
    let json = gen404(folder.path(), &["status", "--json", "--block", "714400", "--now", "2026-03-04T08:00:00Z"])
        .ends(0)
        .details();
    assert_eq!((json["round"].as_u64(), json["stage"].as_str()), (Some(2), Some("open")));
    assert_eq!(
        (json["due"][0]["command"].as_str(), json["due"][0]["when"].as_str()),
        (Some("reveal-seed"), Some("now"))
    );
    assert_eq!(json["leader"]["weight"].as_f64(), Some(0.95));
}

#[test]
fn leader_tells_who_leads_at_a_block() {
    let folder = example(false);
    let at = |block: &str| gen404(folder.path(), &["leader", "--json", "--block", block]);
    assert_eq!(at("700000").ends(0).details()["leader"]["hotkey"], hotkey("base").as_str());
    assert_eq!(at("707199").ends(0).details()["leader"]["hotkey"], hotkey("base").as_str());
    let taken = at("707200").ends(0).details();
    assert_eq!(taken["leader"]["hotkey"], hotkey("basalt").as_str());
    assert_eq!(taken["weights"][hotkey("basalt").as_str()].as_f64(), Some(1.0));
    let early = gen404(folder.path(), &["leader", "--block", "699999"]).ends(3).out;
    assert!(early.contains("nobody leads at block 699999: the first entry is in force from block "), "{early}");
    assert!(gen404(folder.path(), &["leader"]).ends(2).out.contains("weight   0.95"));
}

#[test]
fn pause_and_resume_come_back_to_the_same_bytes() {
    let folder = example(true);
    let before = tree(folder.path());
    gen404(folder.path(), &["pause", "--commit"]).ends(0);
    let paused = gen404(folder.path(), &["status"]).ends(0);
    assert!(paused.out.contains("round 2 is paused"), "{}", paused.out);
    let waits = gen404(folder.path(), &["finalize", "--block", "1", "--now", "2026-03-04T08:00:00Z"]).ends(3);
    assert!(
        waits.out.contains("round 2 is paused since 20") && waits.out.contains(" UTC; `gen404 resume` continues"),
        "{}",
        waits.out
    );
    gen404(folder.path(), &["pause"]).ends(0);
    let run = gen404(folder.path(), &["resume", "--commit"]).ends(0);
    assert!(run.out.contains("round 2 continues in open"), "{}", run.out);
    gen404(folder.path(), &["resume"]).ends(0);
    assert!(tree(folder.path()) == before, "other bytes than before");
    assert_eq!(findings(folder.path(), &["--history"]), [], "pause and resume are legal arrows");
}

#[test]
fn every_stage_is_resumed_from_its_files() {
    let played = ["rounds/1/winner.json", "rounds/1/matches_matrix.csv", "rounds/1/require_audit.json"];
    let miners = ["quarry", "mirage", "pebble", "basalt", "ghost"];
    let all = [&played[..], &miners].concat();
    for (gone, stage) in [
        (&all[..0], "finalizing"),
        (&all[..1], "duels"),
        (&all[..3], "duels"),
        (&all[..4], "downloading"),
        (&all[..], "miner_generation"),
    ] {
        let folder = example(false);
        edit(folder.path(), "state.json", |text| text.replace("\"open\"", "\"paused\"").replace(": 2", ": 1"));
        for gone in gone {
            if gone.contains('/') {
                std::fs::remove_file(folder.path().join(gone)).unwrap();
            } else {
                std::fs::remove_file(folder.path().join(format!("rounds/1/{}/submitted.json", hotkey(gone)))).unwrap();
            }
        }
        let run = gen404(folder.path(), &["resume", "--dry-run"]).ends(0);
        assert!(run.out.contains(&format!("round 1 continues in {stage}")), "{stage}: {}", run.out);
    }
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let (folder, paused, example) = (tempfile::tempdir().unwrap(), example(false), example(false));
    let mut seen = Transcript::new(&[folder.path(), paused.path(), example.path()]);
    let mut ends = |folder: &std::path::Path, args: &[&str], code: i32| {
        seen.add(args, &gen404(folder, args).ends(code));
    };
    ends(folder.path(), &["status"], 1);
    ends(folder.path(), &["--repo", "nowhere", "status"], 2);
    ends(paused.path(), &["pause", "--commit"], 2);
    std::fs::write(example.path().join("gen404.toml"), "[judge]\nmodle = 1\n").unwrap();
    ends(example.path(), &["status"], 2);
    ends(example.path(), &["status", "--json"], 2);
    seen.holds("place_errors");
    let json = gen404(example.path(), &["status", "--json"]).ends(2).json();
    assert_eq!(json["exit"], 2);
    gen404(example.path(), &["nonsense"]).ends(2);
}

#[test]
fn a_competition_is_found_from_a_folder_below() {
    let folder = example(false);
    let below = folder.path().join("rounds/0");
    let run = gen404(&below, &["status"]).ends(0);
    assert!(run.out.starts_with("example: round 2"), "{}", run.out);
}

#[test]
fn what_init_made_has_to_be_committed_first() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let args = init_args("pool.txt");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    gen404(folder.path(), &[&args[..], &["--earliest-reveal-block", "4601"]].concat()).ends(2);
    let mut seen = Transcript::new(&[folder.path()]);
    seen.add(&args, &gen404(folder.path(), &args).ends(0));
    let new = folder.path().join("new");
    seen.add(&["pause", "--commit"], &gen404(&new, &["pause", "--commit"]).ends(1)).holds("init_not_committed");
    gen404(&new, &["verify"]).ends(0);
}

#[test]
fn where_nothing_is_to_be_done_json_is_json() {
    let folder = example(false);
    let unchanged = gen404(folder.path(), &["resume", "--json"]).ends(0).json();
    assert!(unchanged["did"][0].as_str().unwrap().contains("is not paused"), "{unchanged}");
    gen404(folder.path(), &["pause"]).ends(0);
    let astray = gen404(folder.path(), &["resume", "--stage", "duels"]).ends(0);
    assert!(astray.out.contains("its files show open, not duels"), "{}", astray.out);
}

#[test]
fn global_flags_may_stand_on_either_side_of_the_command() {
    let folder = example(true);
    for args in [["--push", "pause"], ["pause", "--push"]] {
        let alone = gen404(folder.path(), &args).ends(2);
        assert!(alone.err.contains("it needs --commit"), "{}", alone.err);
    }
    for args in [["--commit", "status", "--push"], ["--push", "status", "--commit"], ["status", "--push", "--commit"]] {
        gen404(folder.path(), &args).ends(0);
    }
}

#[test]
fn a_refused_command_line_is_told_whole_as_json() {
    let folder = example(false);
    let refused = gen404(folder.path(), &["judge", "--json"]).ends(2).json();
    let error = refused["error"].as_str().unwrap();
    assert!(["<PROMPT>", "<LEFT>", "<RIGHT>"].iter().all(|name| error.contains(name)), "{error}");
}

#[test]
fn a_folder_for_a_file_and_a_file_for_a_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.glb"), "x").unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    let sandbox = gen404(folder.path(), &["sandbox", "x.glb"]).ends(1);
    assert!(sandbox.err.contains("x.glb: a file: a sandbox needs a folder of its own"), "{sandbox:?}");
    let render = gen404(folder.path(), &["render", "models"]).ends(1);
    assert!(render.err.contains("models: a folder: name the models in it"), "{render:?}");
}

#[cfg(unix)]
#[test]
fn a_files_path_is_said_once() {
    let folder = example(false);
    let file = folder.path().join("leader.json");
    std::fs::rename(&file, folder.path().join("other.json")).unwrap();
    std::os::unix::fs::symlink("other.json", &file).unwrap();
    let run = gen404(folder.path(), &["verify"]).ends(1);
    let line = run.out.lines().find(|line| line.contains("a link")).unwrap();
    assert_eq!(line.matches("leader.json").count(), 1, "{line}");
}
