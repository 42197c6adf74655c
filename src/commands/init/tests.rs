//! The dialogue on a terminal that is a text.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};
use crate::settings::flags::MomentArgs;

const HOTKEY: &str = "5F31TZJFYnRqwQVskA6aXnvrTSRW4rXQbX3cK89DzV7cKanp";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn args(more: &[&str]) -> InitArgs {
    let line = [&["gen404", "init", "new", "--block", "1000", "--now", "2026-01-05T06:00:00Z"], more].concat();
    match Cli::try_parse_from(line).unwrap().command {
        Command::Init(args) => *args,
        other => panic!("{other:?}"),
    }
}

/// What becomes of these answers, and what the terminal showed.
fn dialogue(args: InitArgs, answers: &[&str]) -> (Result<(InitArgs, Beginning)>, String) {
    let (text, mut output) = (answers.join("\n") + "\n", Vec::new());
    let mut input = text.as_bytes();
    let ended = asked(args, &Config::default(), &mut Terminal { input: &mut input, output: &mut output });
    (ended, String::from_utf8(output).unwrap())
}

#[test]
fn each_answer_is_checked_at_once_and_asked_for_again() {
    let answers = [
        ["", "a/b", "Chairs", ""].as_slice(),
        &["tomorrow", "2026-01-05", "2026-01-04", "2026-01-09"],
        &["no-such-pool.txt", "", "5F31", HOTKEY, "owner", "owner/name", "main", COMMIT],
        &["Not An Image", "ghcr.io/owner/name:tag", "perhaps", "y"],
    ]
    .concat();
    let (ended, shown) = dialogue(args(&[]), &answers);
    let (args, beginning) = ended.unwrap();
    assert_eq!((args.name.as_deref(), args.description, args.pool), (Some("Chairs"), None, None));
    assert_eq!(args.last_day.unwrap().to_string(), "2026-01-09");
    assert_eq!(args.leader_docker.unwrap().to_string(), "ghcr.io/owner/name:tag");
    assert!(beginning.plan.says[0].starts_with("Chairs: round 0 is open until block "), "{:?}", beginning.plan.says);
    for refused in [
        "an answer is needed",
        "1 to 100 letters",
        "before 2026-01-05",
        "no-such-pool.txt",
        "expected owner/name",
        "answer y or n",
    ] {
        assert!(shown.contains(refused), "{refused}: {shown}");
    }
    assert_eq!(shown.matches("Name of the competition").count(), 3);
    assert!(!shown.contains("Chain"), "--block answers for the chain");
}

#[test]
fn a_refused_whole_keeps_the_answers() {
    let given = ["--description", "d", "--leader-hotkey", HOTKEY, "--leader-repo", "o/n", "--leader-commit", COMMIT];
    let more = [&given[..], &["--leader-docker", "o/n:t", "--pool", "pool.txt"]].concat();
    let folder = tempfile::tempdir().unwrap();
    let pool = folder.path().join("pool.txt");
    std::fs::write(&pool, "https://p.example.org/1.png\n").unwrap();
    let begin = || InitArgs { pool: Some(pool.clone()), ..args(&more) };
    // The competition would be over before its first round. Then the last day alone is answered anew.
    let answers = ["Chairs", "2025-01-01", "2025-01-02", "", "", "", "2026-01-09", "", "", "", "", "", "", "y"];
    let (ended, shown) = dialogue(begin(), &answers);
    let (args, _) = ended.unwrap();
    assert_eq!((args.name.as_deref(), args.last_day.unwrap().to_string().as_str()), (Some("Chairs"), "2026-01-09"));
    assert!(shown.contains("no round can start by the last day, 2025-01-02") && shown.contains("[Chairs]"), "{shown}");
    // No: everything is asked once more.
    let again = ["Tables", "", "", "", "", "", "", "", "", "", ""];
    let (ended, shown) = dialogue(begin(), &[&["Chairs", "2026-01-05", "2026-01-09", "n"][..], &again].concat());
    assert_eq!(ended.unwrap().0.name.as_deref(), Some("Tables"));
    assert!(shown.contains("[2026-01-05]"), "{shown}");
    let (ended, _) = dialogue(begin(), &["Chairs"]);
    assert!(ended.unwrap_err().to_string().contains("nothing was written"));
}

/// A fault in a flag can be answered, too; and a wrong answer is not offered again.
#[test]
fn a_wrong_flag_is_asked_for() {
    let given = ["--name", "Chairs", "--description", "d", "--last-day", "2025-12-01", "--first-day", "2025-11-30"];
    let answers = [HOTKEY, "o/n", COMMIT, "o/n:t", "", "", "", "2025-10-01", "2026-01-09", "", "", "", "", "", "", "y"];
    let (ended, shown) = dialogue(args(&given), &[&[""], &answers[..]].concat());
    assert_eq!(ended.unwrap().0.last_day.unwrap().to_string(), "2026-01-09");
    assert!(shown.contains("that is before 2025-11-30") && !shown.contains("[2025-10-01]"), "{shown}");
}

#[test]
fn yes_asks_only_for_what_is_needed() {
    let (ended, shown) = dialogue(
        args(&["--yes", "--name", "Chairs", "--first-day", "2026-01-05", "--last-day", "2026-01-09"]),
        &[HOTKEY, "o/n", COMMIT, "o/n:t"],
    );
    assert!(ended.is_ok() && !shown.contains("[Y/n]") && !shown.contains("few words"), "{shown}");
}

/// Offline, no chain can be asked.
#[test]
fn the_number_of_a_block_answers_for_the_chain() {
    let given = ["--yes", "--name", "Chairs", "--first-day", "2036-01-05", "--last-day", "2036-01-09"];
    let leader = ["--leader-hotkey", HOTKEY, "--leader-repo", "o/n", "--leader-commit", COMMIT];
    let begin = args(&[&given[..], &leader, &["--leader-docker", "o/n:t"]].concat());
    let (ended, shown) = dialogue(InitArgs { moment: MomentArgs::default(), ..begin }, &["ftp://x", "8000000"]);
    let (args, _) = ended.unwrap();
    assert_eq!((args.moment.block, args.moment.chain.network), (Some(8_000_000), None), "{shown}");
    assert!(shown.contains("without a network, the number of its current block"), "{shown}");
}

#[test]
fn what_needs_no_answer_can_be_emptied_again() {
    let folder = tempfile::tempdir().unwrap();
    let pool = folder.path().join("pool.txt");
    std::fs::write(&pool, "https://p.example.org/1.png\n").unwrap();
    let given = ["--description", "d", "--leader-hotkey", HOTKEY, "--leader-repo", "o/n", "--leader-commit", COMMIT];
    let begin = InitArgs { pool: Some(pool), ..args(&[&given[..], &["--leader-docker", "o/n:t"]].concat()) };
    let answers = ["Chairs", "2026-01-05", "2026-01-09", "n", "", "-", "", "", "-", "", "", "", "", "", "y"];
    let (ended, shown) = dialogue(begin, &answers);
    let (args, _) = ended.unwrap();
    assert_eq!((args.description, args.pool), (None, None), "{shown}");
    assert!(shown.contains("[d; - for none]"), "{shown}");
}

#[test]
fn a_competition_of_modules_begins_with_the_settings_of_the_deployed_one() {
    let given = ["--name", "t", "--first-day", "2026-01-05", "--last-day", "2026-01-09", "--leader-hotkey", HOTKEY];
    let leader = ["--leader-repo", "o/n", "--leader-commit", COMMIT, "--leader-docker", "o/n:t"];
    let config = |more: &[&str]| {
        let beginning = Beginning::of(&args(&[&given[..], &leader, more].concat()), &Config::default())?;
        let file = beginning.plan.writes.iter().find(|write| write.file.as_str() == "config.json").unwrap();
        Ok::<_, Error>(serde_json::from_slice::<serde_json::Value>(&file.bytes).unwrap())
    };
    let threejs = config(&["--format", "threejs"]).unwrap();
    let expected = serde_json::json!({"format": "threejs", "audit_repeats": 3, "win_margin": 0.07, "weight_decay": 0.2,
        "weight_floor": 0.2, "generation_stage_minutes": 240, "round_duration_days": 3, "prompts_per_round": 128,
        "carryover_prompts": 32});
    expected.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&threejs[key], value, "{key}"));
    let own = config(&["--format", "threejs", "--audit-repeats", "1", "--win-margin", "0.1"]).unwrap();
    assert_eq!((&own["audit_repeats"], &own["win_margin"]), (&1.into(), &0.1.into()));
    let mesh = config(&[]).unwrap();
    assert_eq!((&mesh["win_margin"], &mesh["round_duration_days"]), (&0.05.into(), &1.into()));
    assert!(mesh.get("audit_repeats").is_none() && mesh.get("format").is_none());
    let rule = |rule| config(&["--format", "threejs", "--rule", rule]);
    assert!(rule("distance=0.2").is_err() && rule("allow_private_cdn=true").is_ok());
    assert!(
        config(&["--audit-repeats", "2"]).is_err() && config(&["--format", "threejs", "--audit-repeats", "0"]).is_err()
    );
}
