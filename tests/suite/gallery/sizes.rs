//! Numbers, lists and files larger than any competition's.

use std::fmt::Write as _;
use std::fs::File;

use super::harness::{Outcome, World, check};
use super::pattern::Pattern;
use crate::support::{edit, in_turn, make_competition::hotkey};

/// What anybody runs on a competition that they have just cloned.
const READING: [&[&str]; 5] = [&["verify"], &["verify", "--json"], &["status"], &["leader"], &["report"]];

/// Runs `verify` and one more, or them all; how `verify` ended.
#[track_caller]
fn read(world: &World, what: &str) -> Outcome {
    let mut verified = None;
    for args in in_turn(what, &READING) {
        let outcome = world.run(&format!("{} of {what}", args.join(" ")), args);
        verified = if args == &["verify"] { Some(outcome) } else { verified };
    }
    verified.unwrap()
}

#[test]
fn rounds_of_any_number() {
    for number in ["4294967295", "4294967294", "1000000", "3", "77"] {
        let world = World::example(false);
        world.put(&format!("rounds/{number}/seed.json"), "{\"seed\": 1}");
        let outcome = read(&world, &format!("round {number}"));
        outcome.ends(&[1]).says(&[number]);
    }
    for number in ["4294967296", "99999999999999999999999", "-1", "007", "1e3", "0x1", "１", " 1", "NaN"] {
        let world = World::example(false);
        world.put(&format!("rounds/{number}/seed.json"), "{\"seed\": 1}");
        read(&world, &format!("a round called {number:?}")).ends(&[0, 1]);
    }
    let world = World::example(false);
    for n in (10..90_000).step_by(3) {
        std::fs::create_dir(world.repo().join(format!("rounds/{n}"))).unwrap();
    }
    read(&world, "30,000 empty rounds");
    let world = World::example(false);
    world.put("rounds/4294967295/winner.json", "{}");
    for args in [
        &["verify", "--round", "4294967295"][..],
        &["verify", "--round", "4294967294"],
        &["report", "--only", "4294967294"],
    ] {
        world.run(&args.join(" "), args).ends(&[1, 2]);
    }
    // It is there, whatever its number.
    world.run("report --only 4294967295", &["report", "--only", "4294967295"]).ends(&[0]);
}

#[test]
fn a_state_of_any_round() {
    for round in ["4294967295", "4294967296", "18446744073709551615", "-1", "1e300", "2.5", "null"] {
        let world = World::example(false);
        edit(&world.repo(), "state.json", |text| {
            text.replace("\"current_round\": 2", &format!("\"current_round\": {round}"))
        });
        read(&world, &format!("current_round {round}")).ends(&[1]);
        for args in [
            &["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"][..],
            &["open"],
            &["reveal-seed", "--seed", "1"],
            &["builds"],
            &["advance"],
            &["resume"],
        ] {
            world.run(&format!("{} where current_round is {round}", args[0]), args);
        }
    }
}

#[test]
fn ten_million_zeros_under_an_unknown_key() {
    let zeros = |world: &World, path: &str, before: &str, after: &str| {
        Pattern::of(before).times("0,", 10_000_000).then("0").then(after).write(&world.repo().join(path));
    };
    let player = hotkey("quarry");
    for path in ["config.json", "state.json", "rounds/0/seed.json", "rounds/0/schedule.json", "rounds/0/winner.json"] {
        let world = World::example(false);
        let text = std::fs::read_to_string(world.repo().join(path)).unwrap();
        let open = text.trim_end().trim_end_matches('}').trim_end().to_owned();
        zeros(&world, path, &format!("{open}, \"zz\": ["), "]}");
        read(&world, &format!("ten million zeros in {path}")).ends(&[1]).says(&[path]);
    }
    for path in [
        "leader.json".to_owned(),
        "rounds/0/require_audit.json".to_owned(),
        "rounds/0/source_audit.json".to_owned(),
        format!("rounds/0/{player}/pod_stats.json"),
    ] {
        let world = World::example(false);
        let (before, after) = if path.contains("pod_stats") { ("{\"a\": [", "]}") } else { ("[", "]") };
        zeros(&world, &path, before, after);
        read(&world, &format!("ten million zeros in {path}")).ends(&[1]).says(&[&path]);
    }
}

#[test]
fn lists_far_longer_than_any_competitions() {
    let url = |n: usize| format!("https://prompts.example.org/{n:064x}.png\n");
    for (path, count) in [
        ("prompts.txt", 80_000),
        ("prompts.txt", 1_000_000),
        ("rounds/0/prompts.txt", 80_000),
        ("rounds/1/prompts.txt", 4_000),
    ] {
        let world = World::example(false);
        let text: String = (0..count).map(url).collect();
        world.put(path, text.trim_end());
        let outcome = read(&world, &format!("{count} lines in {path}"));
        check(outcome.cpu < 4.0, || format!("{count} prompts took {:.1} s", outcome.cpu));
    }
    let world = World::example(false);
    world.put("prompts.txt", "x".repeat(100 << 20));
    read(&world, "a prompt of 100 MiB").ends(&[1]).says(&["prompts.txt"]);
    let world = World::example(false);
    world.put("prompts.txt", "\n".repeat(50 << 20));
    read(&world, "50 million empty prompts").ends(&[1]).says(&["prompts.txt"]);
}

#[test]
fn tables_and_sums_without_end() {
    let world = World::example(false);
    let mut text = String::from("left,right,margin");
    for n in 0..1_000_000_u32 {
        let mut account = [9; 32];
        account[..4].copy_from_slice(&(n % 4096).to_le_bytes());
        if n < 4096 {
            write!(text, "\nleader,{},0.5", gen404::model::ids::Hotkey::from_account(&account)).unwrap();
        } else {
            write!(text, "\nleader,{},0.5", hotkey("quarry")).unwrap();
        }
    }
    world.put("rounds/0/matches_matrix.csv", text);
    read(&world, "a table of a million matches").ends(&[1]).says(&["matches_matrix.csv"]);
    let world = World::example(false);
    let sums = format!("rounds/0/{}/SHA256SUMS", hotkey("quarry"));
    let line = format!("{}  submitted/a.glb\n", "0".repeat(64));
    world.put(&sums, line.repeat(1_000_000));
    read(&world, "a million sums");
    let world = World::example(false);
    world.put("rounds/0/matches_matrix.csv", format!("left,right,margin\n\"{}", ",".repeat(60 << 20)));
    read(&world, "a table of one quote").ends(&[1]).says(&["matches_matrix.csv"]);
}

#[test]
fn miners_and_duels_without_end() {
    let world = World::example(false);
    let mut text = String::from("{");
    for n in 0..120_000_u32 {
        let mut account = [5; 32];
        account[..4].copy_from_slice(&n.to_le_bytes());
        let key = gen404::model::ids::Hotkey::from_account(&account);
        let comma = if n == 0 { "" } else { "," };
        write!(text, "{comma}\n  \"{key}\": {{\n    \"repo\": \"a/b\",\n    \"commit\": \"{n:040x}\",\n    \"cdn_url\": \"https://x.org\",\n    \"revealed_at_block\": 700001,\n    \"round\": \"example-0\"\n  }}").unwrap();
    }
    text.push_str("\n}");
    world.put("rounds/0/submissions.json", &text);
    read(&world, "120,000 miners").ends(&[1]).says(&["submissions.json"]);
    let world = World::example(false);
    for n in 0..20_000_u32 {
        let mut account = [5; 32];
        account[..4].copy_from_slice(&n.to_le_bytes());
        let key = gen404::model::ids::Hotkey::from_account(&account);
        std::fs::create_dir(world.repo().join(format!("rounds/0/{key}"))).unwrap();
    }
    read(&world, "20,000 players' folders");
    let world = World::example(false);
    let path = format!("rounds/0/{}/duels_leader.json", hotkey("quarry"));
    edit(&world.repo(), &path, |text| {
        let (head, rest) = text.split_once("\"duels\": [").unwrap();
        let one = rest.split("},").next().unwrap().to_owned() + "}";
        format!("{head}\"duels\": [{}]}}", vec![one; 60_000].join(","))
    });
    read(&world, "a match of 60,000 duels").ends(&[1]).says(&["duels_leader.json"]);
    let world = World::example(false);
    edit(&world.repo(), &path, |text| {
        text.replacen("\"issues\": \"", &format!("\"issues\": \"{}", "x".repeat(8 << 20)), 1)
    });
    read(&world, "an issue of 8 MiB");
}

#[test]
fn leaders_without_end() {
    let world = World::example(false);
    edit(&world.repo(), "leader.json", |text| {
        let one =
            text.trim().trim_start_matches('[').trim_end_matches(']').trim().split("},").next().unwrap().to_owned();
        let one = if one.ends_with('}') { one } else { one + "}" };
        format!("[{}]", vec![one; 200_000].join(","))
    });
    read(&world, "200,000 leaders").ends(&[1]).says(&["leader.json"]);
}

#[test]
fn deep_and_long_values() {
    for depth in [200, 100_000, 3_000_000] {
        let world = World::example(false);
        edit(&world.repo(), "config.json", |text| {
            let open = text.trim_end().trim_end_matches('}').trim_end();
            format!("{open}, \"zz\": {}{}}}", "[".repeat(depth), "]".repeat(depth))
        });
        read(&world, &format!("config.json, {depth} deep")).ends(&[1]).says(&["config.json"]);
    }
    for (key, value) in [
        ("win_margin", "1".repeat(3_000_000)),
        ("win_margin", format!("0.{}", "7".repeat(3_000_000))),
        ("win_margin", "1e999999999999".to_owned()),
        ("prompts_per_round", "18446744073709551615".to_owned()),
        ("carryover_prompts", "18446744073709551615".to_owned()),
        ("generation_stage_minutes", "4294967295".to_owned()),
        ("round_duration_days", "4294967295".to_owned()),
        ("finalization_buffer_hours", "1e308".to_owned()),
        ("weight_decay", "-1e308".to_owned()),
    ] {
        let world = World::example(false);
        edit(&world.repo(), "config.json", |text| {
            let (head, rest) = text.split_once(&format!("\"{key}\": ")).unwrap();
            let end = rest.find([',', '\n']).unwrap();
            format!("{head}\"{key}\": {value}{}", &rest[end..])
        });
        let shown: String = value.chars().take(20).collect();
        read(&world, &format!("{key} {shown}")).ends(&[0, 1]);
        world.run(
            &format!("finalize, {key} {shown}"),
            &["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"],
        );
    }
    for date in ["+262142-12-31", "-262143-01-01", "0000-00-00", "9999-12-31"] {
        let world = World::example(false);
        edit(&world.repo(), "config.json", |text| text.replace("2026-06-30", date).replace("2026-03-02", date));
        read(&world, &format!("a competition at {date}"));
        world.run(&format!("finalize at {date}"), &["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"]);
    }
}

#[test]
fn files_of_gigabytes() {
    let player = hotkey("quarry");
    for path in [
        "config.json",
        "state.json",
        "leader.json",
        "prompts.txt",
        "rounds/0/seed.json",
        &format!("rounds/0/{player}/submitted.json"),
    ] {
        let world = World::example(false);
        File::options().write(true).open(world.repo().join(path)).unwrap().set_len(20 << 30).unwrap();
        read(&world, &format!("{path} of 20 GiB")).ends(&[1]).says(&[path]);
        let world = World::example(false);
        world.link(path, "/dev/zero");
        read(&world, &format!("{path} -> /dev/zero")).ends(&[1]).says(&[path]);
    }
}

#[test]
fn files_of_the_operator_that_do_not_end() {
    let world = World::example(false);
    let big = world.top().join("spare");
    File::create(&big).unwrap().set_len(30 << 30).unwrap();
    let fifo = world.repo().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for file in ["/dev/zero", big.to_str().unwrap(), "/", "/nowhere/at/all"] {
        let name = file.rsplit('/').next().unwrap().to_owned();
        for args in [
            &["status", "--config", file][..],
            &["status", "--chain-file", file],
            &["verify", "--config", file],
            &["builds", "--file", file],
            &["judge", file, file, file, "--judge-url", "http://127.0.0.1:9/v1"],
            &["judge", "a", "b", "c", "--judge-url", "http://127.0.0.1:9/v1", "--question", file],
            &["distance", file, file, "--distance", "pixels"],
            &["init", "../out", "--pool", file],
        ] {
            world.run(&format!("{} of {file}", args.join(" ")).replace(file, &name), args).ends(&[1, 2, 3, 4]);
        }
        for (variable, command) in [("GEN404_CONFIG", "status"), ("OPENAI_API_KEY_FILE", "judge")] {
            let args: &[&str] = if command == "status" {
                &["status"]
            } else {
                &["judge", "a", "b", "c", "--judge-url", "http://127.0.0.1:9/v1"]
            };
            world.attack(&format!("{variable}={name}"), args).env(variable, file).run();
        }
        for text in [
            format!("[chain]\nfile = \"{file}\"\n"),
            format!("[judge]\nquestion = \"{file}\"\n"),
            format!("[builds]\nfile = \"{file}\"\n"),
        ] {
            let settings = world.settings(&text);
            let key = text.split(['[', ']']).nth(1).unwrap().to_owned();
            for command in [&["status"][..], &["open"], &["builds"], &["duel", "--judge-url", "http://127.0.0.1:9/v1"]]
            {
                let args = [command, &["--config", &settings]].concat();
                world.attack(&format!("{} with [{key}] of {name}", command[0]), &args).run();
            }
        }
    }
    let settings = world.settings(&format!("[chain]\nfile = \"{}\"\n", fifo.display()));
    world.attack("status with a chain that is a FIFO", &["status", "--config", &settings]).run().ends(&[1, 2, 4]);
}

#[test]
fn a_chain_file_without_end() {
    let world = World::example(false);
    let path = world.top().join("spare");
    let hostile = [
        Pattern::of("{\"current_block\": 1, \"zz\": [").times("0,", 90_000_000).then("0]}"),
        Pattern::of("{\"current_block\": ").times("1", 50_000_000).then("}"),
        Pattern::of(
            "{\"current_block\": 18446744073709551615, \"block_times\": {\"18446744073709551615\": 18446744073709551615}}",
        ),
        Pattern::of("{\"current_block\": 1, \"block_times\": {\"0\": -9223372036854775808}}"),
        Pattern::default().times("[", 4_000_000),
    ];
    for (n, text) in hostile.iter().enumerate() {
        text.write(&path);
        for command in ["status", "open", "advance"] {
            world.run(
                &format!("{command} on hostile chain file {n}"),
                &[command, "--chain-file", "../spare"][..if command == "advance" { 1 } else { 3 }],
            );
        }
    }
}
