//! Files that are no files: links, FIFOs and devices in a folder that somebody else made, and files that hold
//! far more than a competition can. Each: a finding or a clear error, in seconds and in bounded memory, and
//! nothing written elsewhere.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::make_competition::hotkey;
use crate::support::{Run, command, edit, example, installed, skipped, tree};

/// 700 MiB of addresses.
const MEMORY: &str = "--as=734003200";

/// What every run has to be done in; debug builds on busy machines included.
const SECONDS: u64 = 60;

/// A run under the limits of memory and time.
#[track_caller]
fn limited(folder: &Path, args: &[&str]) -> Run {
    run(command(folder).args(args))
}

#[track_caller]
fn run(wanted: &mut Command) -> Run {
    let mut command = Command::new(installed("prlimit").unwrap_or_else(|| "prlimit".into()));
    command.arg(MEMORY).arg(wanted.get_program()).args(wanted.get_args());
    command.env_clear().envs(wanted.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(wanted.get_current_dir().unwrap());
    let piped =
        |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = piped(&mut command).unwrap_or_else(|_| {
        skipped("no prlimit here: memory is not limited");
        piped(wanted).unwrap()
    });
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let text = |from: &mut dyn std::io::Read| {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    };
    let begun = Instant::now();
    let (out, err, status) = std::thread::scope(|scope| {
        let (out, err) = (scope.spawn(move || text(&mut out)), scope.spawn(move || text(&mut err)));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > Duration::from_secs(SECONDS) {
                child.kill().unwrap();
                panic!("{:?} still runs after {SECONDS} s", wanted.get_args().collect::<Vec<_>>());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        (out.join().unwrap(), err.join().unwrap(), status)
    });
    assert!(!err.contains("panicked at") && status.code().is_some(), "{status}: {err}");
    Run { code: status.code().unwrap(), out, err }
}

/// The example in `comp` of a folder of its own, beside which there is room.
fn inner() -> (tempfile::TempDir, PathBuf) {
    let (top, made) = (tempfile::tempdir().unwrap(), example(false));
    let comp = top.path().canonicalize().unwrap().join("comp");
    fs::rename(made.keep(), &comp).unwrap();
    (top, comp)
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A key file, and a description of the competition that would make a line of it.
fn key_file(top: &Path, comp: &Path) -> PathBuf {
    let key = top.join("home/.ssh/authorized_keys");
    fs::create_dir_all(key.parent().unwrap()).unwrap();
    fs::write(&key, "mine\n").unwrap();
    edit(comp, "config.json", |text| {
        text.replacen("\"description\": \"", "\"description\": \"\\nssh-ed25519 AAAA attacker\\n", 1)
    });
    key
}

#[test]
fn a_report_goes_beside_the_competition_and_follows_no_link() {
    let (top, comp) = inner();
    let key = key_file(top.path(), &comp);
    fs::create_dir(comp.join("report")).unwrap();
    symlink("../../home/.ssh/authorized_keys", comp.join("report/index.html")).unwrap();
    symlink(&comp, top.path().join("way-in")).unwrap();
    for inside in [".", "report", "new/folder", "../comp/rounds", "../way-in/pages", "../way-in", "x/../../comp/pages"]
    {
        let refused = limited(&comp, &["report", "--out", inside]).ends(2);
        assert!(refused.err.contains("--out") || refused.err.contains(".."), "{inside}: {}", refused.err);
    }
    assert!(!comp.join("new").exists());
    let usual = top.path().join("comp-report");
    fs::create_dir(&usual).unwrap();
    fs::write(usual.join("notes.txt"), "theirs").unwrap();
    limited(&comp, &["report"]).ends(0);
    assert_eq!(fs::read_to_string(usual.join("notes.txt")).unwrap(), "theirs");
    let page = usual.join("index.html");
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(fs::read_to_string(&page).unwrap().contains("attacker"));

    // Links where the pages go: refused, whoever put them there.
    fs::remove_file(&page).unwrap();
    symlink(&key, &page).unwrap();
    assert!(limited(&comp, &["report"]).ends(1).err.contains("a link"));
    fs::remove_dir_all(&usual).unwrap();
    fs::create_dir(&usual).unwrap();
    symlink(key.parent().unwrap(), usual.join("round-0")).unwrap();
    assert!(limited(&comp, &["report"]).ends(1).err.contains("a link"));
    fs::remove_dir_all(&usual).unwrap();
    symlink(key.parent().unwrap(), &usual).unwrap();
    assert!(limited(&comp, &["report"]).ends(1).err.contains("a link"));
    assert_eq!(fs::read_to_string(&key).unwrap(), "mine\n");
    assert_eq!(fs::read_dir(key.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn what_else_is_written_replaces_a_link_and_a_fifo() {
    let (top, comp) = inner();
    let key = key_file(top.path(), &comp);
    let man = top.path().join("man");
    fs::create_dir(&man).unwrap();
    symlink(&key, man.join("gen404.1")).unwrap();
    fifo(&man.join("gen404-open.1"));
    limited(&comp, &["man", "--out", man.to_str().unwrap()]).ends(0);
    assert!(fs::read_to_string(man.join("gen404.1")).unwrap().contains("gen404"));
    assert!(!fs::symlink_metadata(man.join("gen404-open.1")).unwrap().file_type().is_fifo());
    // A file of the competition is a link: nothing is written at all.
    fs::remove_file(comp.join("state.json")).unwrap();
    symlink(&key, comp.join("state.json")).unwrap();
    assert!(limited(&comp, &["pause"]).ends(1).err.contains("a link"));
    assert_eq!(fs::read_to_string(&key).unwrap(), "mine\n");
}

#[test]
fn a_fifo_is_told_wherever_it_lies() {
    let (_top, comp) = inner();
    let files: Vec<PathBuf> = tree(&comp).into_keys().collect();
    let mut seen = std::collections::HashSet::new();
    for path in files.iter().filter(|path| seen.insert(path.file_name().unwrap().to_owned())) {
        let (file, aside) = (comp.join(path), comp.join("aside"));
        fs::rename(&file, &aside).unwrap();
        fifo(&file);
        let verified = limited(&comp, &["verify"]).ends(1);
        let told = format!("{}: not a plain file", path.display());
        assert!(verified.out.contains("not a plain file"), "no {told} in {}", verified.out);
        limited(&comp, &["status"]);
        fs::remove_file(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
    }
    limited(&comp, &["verify"]).ends(0);
}

#[test]
fn our_own_folder_is_not_reached_through_a_link_and_no_file_in_it_hangs() {
    let (top, comp) = inner();
    let key = key_file(top.path(), &comp);
    let own = comp.join(".gen404");
    symlink(key.parent().unwrap(), &own).unwrap();
    for args in [&["pause"][..], &["finalize", "--block", "1"], &["resume"]] {
        let refused = limited(&comp, args);
        assert!(refused.code != 0 && refused.err.contains("a link"), "{args:?}: {refused:?}");
    }
    fs::remove_file(&own).unwrap();
    fs::create_dir(&own).unwrap();
    for (odd, made) in [("fifo", fifo as fn(&Path)), ("link", |path| symlink("/dev/zero", path).unwrap())] {
        made(&own.join("lock"));
        let refused = limited(&comp, &["pause"]).ends(1);
        assert!(refused.err.contains("lock: "), "{odd}: {}", refused.err);
        fs::remove_file(own.join("lock")).unwrap();
    }
    assert_eq!(fs::read_dir(key.parent().unwrap()).unwrap().count(), 1);

    // The same in a checkout, with `--commit`.
    let folder = example(true);
    let _ = fs::remove_dir_all(folder.path().join(".git/gen404"));
    symlink(key.parent().unwrap(), folder.path().join(".git/gen404")).unwrap();
    let refused = limited(folder.path(), &["--commit", "pause"]).ends(1);
    assert!(refused.err.contains(".git/gen404: not a folder"), "{}", refused.err);
    fs::remove_file(folder.path().join(".git/gen404")).unwrap();
    fs::create_dir(folder.path().join(".git/gen404")).unwrap();
    fifo(&folder.path().join(".git/gen404/pending-commit.json"));
    assert!(limited(folder.path(), &["--commit", "pause"]).ends(1).err.contains("not a plain file"));
    assert_eq!(fs::read_dir(key.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn devices_are_no_files() {
    let (top, comp) = inner();
    let new = top.path().join("new");
    let new = new.to_str().unwrap();
    let zero = "/dev/zero";
    let init = ["--name", "x", "--first-day", "2030-01-01", "--last-day", "2030-02-01", "--leader-docker", "x"];
    let leader = ["--leader-hotkey", &hotkey("basalt").to_string(), "--leader-repo", "a/b", "--leader-commit"]
        .map(str::to_owned);
    let commit = "0".repeat(40);
    let init: Vec<&str> = init.into_iter().chain(leader.iter().map(String::as_str)).chain([commit.as_str()]).collect();
    for args in [
        &["status", "--chain-file", zero][..],
        &["render", zero],
        &["distance", zero, zero, "--distance", "pixels"],
        &["judge", zero, zero, zero, "--judge-url", "http://127.0.0.1:9"],
        &["judge", "a.png", "b.png", "c.png", "--judge-url", "http://127.0.0.1:9", "--question", zero],
        &[&["init", new, "--pool", zero, "--block", "1"][..], &init].concat(),
    ] {
        let refused = limited(&comp, args);
        let said = refused.err.contains("not a plain file") || refused.err.contains("neither");
        assert!(refused.code != 0 && said && refused.err.contains(zero), "{args:?}: {refused:?}");
    }
    let mut judge = command(&comp);
    judge.args(["judge", "a.png", "b.png", "c.png", "--judge-url", "http://127.0.0.1:9"]);
    let refused = run(judge.env("OPENAI_API_KEY_FILE", zero)).ends(2);
    assert!(refused.err.contains("OPENAI_API_KEY_FILE=/dev/zero"), "{}", refused.err);
    // A hole of a terabyte takes no disk, and would fill the memory.
    for path in ["config.json", "prompts.txt", "rounds/0/seed.json", "rounds/0/matches_matrix.csv"] {
        let file = comp.join(path);
        let bytes = fs::read(&file).unwrap();
        fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
        let verified = limited(&comp, &["verify"]).ends(1);
        assert!(
            verified.out.contains(&format!("{path}: larger than")) || verified.out.contains("larger than"),
            "{}",
            verified.out
        );
        fs::write(&file, bytes).unwrap();
    }
}

/// A competition's file with this many zeros in a list under an unknown key.
fn with_zeros(text: &str, count: usize) -> String {
    let zeros = "0,".repeat(count - 1);
    let at = text.find('{').unwrap() + 1;
    format!("{}\"future\": [{zeros}0],{}", &text[..at], &text[at..])
}

#[test]
fn zeros_under_an_unknown_key_are_told_and_not_kept() {
    let (_top, comp) = inner();
    let report = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    for (path, count, told) in [
        ("config.json", 10_000_000, "larger than 1048576 bytes"),
        ("config.json", 400_000, "under \"future\""),
        ("config.json", 9_000, "under"),
        ("state.json", 10_000_000, "larger than 65536 bytes"),
        (report.as_str(), 10_000_000, "larger than 16777216 bytes"),
        (report.as_str(), 8_000_000, "under \"future\""),
        (report.as_str(), 100_000, "under the unknown key `future`"),
    ] {
        let file = comp.join(path);
        let old = fs::read_to_string(&file).unwrap();
        fs::write(&file, with_zeros(&old, count)).unwrap();
        let verified = limited(&comp, &["verify"]).ends(1);
        assert!(verified.out.contains(told), "{path} with {count}: no {told:?} in {}", verified.out);
        for args in [&["status"][..], &["leader"], &["report", "--dry-run"]] {
            limited(&comp, args);
        }
        fs::write(&file, old).unwrap();
    }
    edit(&comp, "config.json", |text| with_zeros(text, 100));
    let kept = limited(&comp, &["verify"]);
    assert!(!kept.out.contains("file.parse"), "a newer writer's keys are no offence: {}", kept.out);
}

#[test]
fn long_lists_of_prompts_take_time_by_their_length() {
    let (_top, comp) = inner();
    for path in ["rounds/0/prompts.txt", "prompts.txt"] {
        let old = fs::read(comp.join(path)).unwrap();
        for count in [80_000, 160_000] {
            let lines: Vec<String> = (0..count).map(|n| format!("https://prompts.example.org/{n}.png")).collect();
            fs::write(comp.join(path), lines.join("\n")).unwrap();
            let begun = Instant::now();
            let verified = limited(&comp, &["verify"]);
            assert!(begun.elapsed() < Duration::from_secs(24), "{path}: {count} lines took {:?}", begun.elapsed());
            let told = if path == "prompts.txt" { "prompts.new" } else { "more than 4096 lines" };
            assert!(verified.out.contains(told), "{path}: no {told:?} in {}", verified.out);
        }
        fs::write(comp.join(path), old).unwrap();
    }
}

#[test]
fn many_files_at_their_limits_are_too_much_together() {
    let (_top, comp) = inner();
    let right = hotkey("basalt");
    let folder = comp.join(format!("rounds/0/{right}"));
    // The smallest duels that there are: most memory for a byte.
    let duel = |n: usize| {
        format!(
            "{{\"name\":\"{n}\",\"prompt\":\"\",\"left_glb\":null,\"left_png\":null,\"right_glb\":null,\
             \"right_png\":null,\"winner\":\"draw\",\"issues\":\"\"}}"
        )
    };
    let duels: Vec<String> = (0..14_000).map(duel).collect();
    let text = format!(
        "{{\"left\":\"leader\",\"right\":\"{right}\",\"score\":0,\"margin\":0.0,\"duels\":[{}]}}",
        duels.join(",")
    );
    let first = folder.join("duels_0.json");
    fs::write(&first, text).unwrap();
    for n in 1..120 {
        fs::hard_link(&first, folder.join(format!("duels_{n}.json"))).unwrap();
    }
    let verified = limited(&comp, &["verify"]).ends(1);
    assert!(verified.err.contains("take more than 480 MiB"), "{} {}", verified.err, verified.out);
    assert!(limited(&comp, &["report"]).ends(1).err.contains("take more than 480 MiB"));
}

#[test]
fn a_journal_without_lines_is_told() {
    let (_top, comp) = inner();
    let own = comp.join(".gen404/download/round-2");
    fs::create_dir_all(&own).unwrap();
    let mut journal = fs::File::create(own.join("outcomes.jsonl")).unwrap();
    journal.write_all(b"{}").unwrap();
    journal.set_len(1 << 40).unwrap();
    let said = limited(&comp, &["status"]);
    assert!(said.code == 0, "{said:?}");
}
