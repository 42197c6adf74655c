//! A round opened and revealed from outside, against a node on a real socket: 256 miners, hostile
//! ones among them; seeds by every source; runs cut short; and the real rounds' carry-over.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::chain_support::{Competition, Fake, Reply};
use crate::snapshots::Transcript;
use crate::support::{command, gen404, real_competition};
use gen404::base::hex;
use gen404::model::beacon::{BlockHash, Pulse, QUICKNET_GENESIS};
use gen404::model::ids::{Block, Hotkey, RoundNumber};
use gen404::model::reveal::Reveal;
use gen404::rules::seed::derive;
use gen404::world::chain::stand_in::{Server, StandInNode};
use parity_scale_codec::Encode;
use serde_json::{Value, json};

/// Quicknet round 123, as drand's public endpoints give it.
const ROUND_123: &str = "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482\
                         e26cd02df835d3546d23c4b13e0dfc92";

/// The first block of the window in these tests, and the last.
const WINDOW: (u64, u64) = (100, 200);

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_account(&[n; 32])
}

fn commit(n: u8, version: u8) -> String {
    format!("{:040x}", u32::from(n) * 1000 + u32::from(version))
}

fn full(n: u8, version: u8) -> String {
    let url = format!("https://cdn{n}.example.com/r/");
    json!({"repo": format!("miner-{n}/solution"), "commit": commit(n, version), "cdn_url": url}).to_string()
}

/// What is expected of a miner: its commit's version and block, or nothing.
type Expected = Option<(u8, u64)>;

/// The payloads of miner `n`, up to ten with their blocks, and what is to come of them.
fn payloads(n: u8) -> (Vec<(u64, Vec<u8>)>, Expected) {
    let text = |block: u64, text: &str| (block, text.encode());
    let good = |block: u64, version: u8| (block, full(n, version).encode());
    let whole: Value = serde_json::from_str(&full(n, 1)).unwrap();
    let only = |block: u64, field: &str| (block, json!({field: whole[field]}).to_string().encode());
    match n % 16 {
        0 => (vec![only(110, "repo"), only(120, "commit"), only(130, "cdn_url")], Some((1, 120))),
        1 => (vec![good(110, 1), good(150, 3), good(140, 2)], Some((3, 150))),
        2 => (vec![text(115, &full(n, 1).replace('"', "'"))], Some((1, 115))),
        3 => (vec![good(120, 1), text(130, "{\"repo\": \"ünïcödé/世界\""), text(131, "🚀")], Some((1, 120))),
        4 => (vec![text(120, &full(n, 1).replace("miner", "mi\0ner"))], None),
        5 => (vec![text(120, &full(n, 1).replace("miner", "mi\u{202e}ner"))], None),
        6 => (vec![text(125, &full(n, 1).replacen('{', "{\"repo\": \"not/this\", ", 1))], Some((1, 125))),
        7 => (vec![(126, full(n, 1).into_bytes())], Some((1, 126))),
        8 => (vec![good(120, 1), text(121, &"x".repeat(20_000))], Some((1, 120))),
        9 => (vec![good(120, 1), (122, vec![0x0c, b'a', 0xff, 0xfe]), (123, vec![])], Some((1, 120))),
        10 => (vec![good(99, 1), good(201, 2)], None),
        11 => (vec![good(200, 1), good(201, 2)], Some((1, 200))),
        12 => (vec![good(140, 2), good(140, 7), good(140, 4)], Some((7, 140))),
        13 => (vec![text(120, &full(n, 1).replace(&format!("cdn{n}.example.com"), "127.0.0.1"))], None),
        14 => (vec![only(110, "repo"), only(120, "commit")], None),
        _ => (vec![text(110, "{"), text(111, "null"), text(112, "[1]"), (113, vec![0xff; 64])], None),
    }
}

/// A node with 256 hotkeys of ten payloads each, and what is to come of them.
fn crowd(best: u64) -> (StandInNode, BTreeMap<Hotkey, Expected>) {
    let mut node = StandInNode::new(17, 1_700_000_000, Block(best));
    let mut expected = BTreeMap::new();
    for n in 0..=255 {
        let (mut payloads, wanted) = payloads(n);
        let outside = n % 16 == 10;
        while payloads.len() < 10 {
            let block = if outside { 50 } else { 101 };
            payloads.insert(0, (block, json!({"note": payloads.len()}).to_string().encode()));
        }
        payloads.sort_by_key(|(block, _)| *block);
        let reveals = payloads.into_iter().map(|(block, raw)| Reveal { block: Block(block), raw }).collect();
        node.reveals.insert(hotkey(n), reveals);
        expected.insert(hotkey(n), wanted);
    }
    (node, expected)
}

fn check_submissions(competition: &Competition, expected: &BTreeMap<Hotkey, Expected>) {
    let text = competition.read("rounds/0/submissions.json");
    let found: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    for n in 0..=255 {
        let entry = found.get(hotkey(n).as_str());
        let Some((version, block)) = expected[&hotkey(n)] else {
            assert!(entry.is_none(), "miner {n} is in: {entry:?}");
            continue;
        };
        let wanted = json!({
            "repo": format!("miner-{n}/solution"),
            "commit": commit(n, version),
            "cdn_url": format!("https://cdn{n}.example.com/r"),
            "revealed_at_block": block,
            "round": "mesh-0",
        });
        assert_eq!(entry, Some(&wanted), "miner {n}");
    }
    let order: Vec<(u64, &String)> =
        found.iter().map(|(hotkey, entry)| (entry["revealed_at_block"].as_u64().unwrap(), hotkey)).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_round_is_opened_and_revealed_against_a_node() {
    let (node, expected) = crowd(199);
    let server = Server::start(node.clone()).unwrap();
    let url = server.url();
    let competition = Competition::open(WINDOW.0, WINDOW.1);
    let opened = competition.expect(0, &["open", "--network", &url, "-v"]);
    assert!(opened.out.contains("round 0: "), "{}", opened.out);
    assert!(opened.out.contains(&format!("refused: {}: repo: ", hotkey(5))), "{}", opened.out);
    assert!(opened.err.contains(&format!("{}: block 122: not UTF-8", hotkey(9))), "{}", opened.err);
    assert!(opened.err.contains("wrote rounds/0/submissions.json"), "{}", opened.err);
    // At block 199 nobody has revealed in block 200 yet.
    let early: BTreeMap<Hotkey, Expected> =
        expected.iter().map(|(hotkey, wanted)| (hotkey.clone(), wanted.filter(|(_, block)| *block < 200))).collect();
    check_submissions(&competition, &early);
    let again = competition.expect(0, &["open", "--network", &url]);
    assert!(!again.err.contains("wrote"), "{}", again.err);

    let status = competition.expect(0, &["status", "--network", &url]);
    assert!(status.out.contains("block 199 at"), "{}", status.out);
    let waits = competition.expect(3, &["reveal-seed", "--network", &url]);
    assert!(waits.out.contains("in 1 block, 1 minute"), "{}", waits.out);
    server.change(|node| node.best = Block(230));
    let waits = competition.expect(3, &["reveal-seed", "--network", &url]);
    assert!(waits.out.contains("only block 199 is finalized"), "{}", waits.out);

    // Long after the window every miner reveals ten times more: none of it counts, and none of what
    // counted is lost.
    server.change(|node| {
        (node.best, node.finalized) = (Block(900), Block(890));
        for reveals in node.reveals.values_mut() {
            reveals.extend((0..10).map(|n| Reveal { block: Block(500 + n), raw: b"{}".to_vec() }));
        }
    });
    let source = ["--seed-source", "block"];
    let before = competition.files();
    let dry = competition.expect(0, &["reveal-seed", "--network", &url, "--dry-run", source[0], source[1]]);
    assert!(dry.err.contains("would write rounds/0/prompts.txt"), "{}", dry.err);
    assert_eq!(competition.files(), before);
    competition.expect(0, &["reveal-seed", "--network", &url, source[0], source[1]]);
    check_submissions(&competition, &expected);
    let hash = node.hash(Block(200));
    let seed = derive("mesh", RoundNumber(0), &hash.0);
    let wanted = format!("{{\"seed\": {seed}, \"block\": 200, \"block_hash\": \"{hash}\"}}");
    assert_eq!(competition.read("rounds/0/seed.json"), wanted);
    assert_eq!(competition.read("rounds/0/prompts.txt").lines().count(), 8);
    // The deadline is 600 blocks of 12 s after block 200, which was 2400 s after the first.
    let state = "{\n  \"current_round\": 0,\n  \"stage\": \"miner_generation\",\n  \
                 \"next_stage_eta\": \"2023-11-15T00:53:20Z\"\n}";
    assert_eq!(competition.read("state.json"), state);
    let done = competition.files();
    competition.expect(0, &["reveal-seed", "--network", &url]);
    competition.expect(3, &["open", "--network", &url]);
    assert_eq!(competition.files(), done);
}

#[test]
fn the_deployed_rule_can_be_had() {
    let (node, _) = crowd(199);
    let server = Server::start(node).unwrap();
    let competition = Competition::open(WINDOW.0, WINDOW.1);
    competition.expect(0, &["open", "--network", &server.url(), "--compat", "sdk10"]);
    let found: Value = serde_json::from_str(&competition.read("rounds/0/submissions.json")).unwrap();
    assert!(found.get(hotkey(1).as_str()).is_some());
    assert!(found.get(hotkey(7).as_str()).is_none(), "raw JSON loses its first bytes under this rule");
}

#[test]
fn a_run_cut_short_after_any_file_completes_to_the_same_bytes() {
    let (node, _) = crowd(300);
    let server = Server::start(node).unwrap();
    let url = server.url();
    let start = Competition::open(WINDOW.0, WINDOW.1);
    let whole = start.copy();
    whole.expect(0, &["reveal-seed", "--network", &url, "--seed-source", "random"]);
    let written = ["rounds/0/submissions.json", "rounds/0/seed.json", "rounds/0/prompts.txt"];
    for count in 2..=3 {
        let cut = start.copy();
        for path in written.iter().take(count) {
            cut.write(path, &whole.read(path));
        }
        cut.expect(0, &["reveal-seed", "--network", &url, "--seed-source", "random"]);
        assert_eq!(cut.files(), whole.files(), "cut after {count} files");
    }
    let cut = start.copy();
    cut.write(written[1], &whole.read(written[1]));
    let other = cut.expect(1, &["reveal-seed", "--network", &url, "--seed", "5"]);
    assert!(other.err.contains("rounds/0/seed.json: the seed is"), "{}", other.err);
    cut.write(written[1], "{\"seed\": 5, \"block\": 200, \"block_hash\": \"0x00\"}");
    cut.expect(1, &["reveal-seed", "--network", &url]);
}

#[test]
fn a_run_that_is_killed_at_any_time_completes_to_the_same_bytes() {
    let (node, _) = crowd(300);
    let server = Server::start(node).unwrap();
    let url = server.url();
    let start = Competition::open(WINDOW.0, WINDOW.1);
    let args = ["reveal-seed", "--network", &url, "--seed-source", "block"];
    let whole = start.copy();
    let begun = std::time::Instant::now();
    whole.expect(0, &args);
    let taken = begun.elapsed();
    for part in 1..=12 {
        let cut = start.copy();
        let mut command = command(cut.path());
        let mut child = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(taken * part / 10);
        child.kill().unwrap();
        child.wait().unwrap();
        cut.expect(0, &args);
        assert_eq!(cut.files(), whole.files(), "killed after {part} tenths");
    }
}

#[test]
fn without_a_valid_submission_the_leader_wins() {
    let server = Server::start(StandInNode::new(17, 1_700_000_000, Block(200))).unwrap();
    let competition = Competition::open(WINDOW.0, WINDOW.1);
    let run = competition.expect(0, &["reveal-seed", "--network", &server.url(), "--seed", "7"]);
    assert!(run.out.contains("the leader (acme/base) wins"), "{}", run.out);
    let winner: Value = serde_json::from_str(&competition.read("rounds/0/winner.json")).unwrap();
    assert_eq!((&winner["hotkey"], &winner["winner_hotkey"]), (&json!("leader"), &json!("leader")));
    assert_eq!(winner["docker_image"], "x/y:z");
    assert!(competition.read("state.json").contains("\"finalizing\""));
    assert_eq!(competition.read("rounds/0/submissions.json"), "{}");
    assert_eq!(competition.read("rounds/0/seed.json"), "{\"seed\": 7}");
    competition.expect(0, &["reveal-seed", "--network", &server.url()]);
}

#[test]
fn private_hosts_are_taken_where_the_settings_say_so_and_verify_goes_by_them() {
    let mut node = StandInNode::new(17, 1_700_000_000, Block(200));
    node.reveal(hotkey(1), Block(150), &full(1, 1).replace("https://cdn1.example.com", "http://127.0.0.1:8000"));
    let server = Server::start(node).unwrap();
    let competition = Competition::open(WINDOW.0, WINDOW.1);
    competition.write("gen404.toml", "[miners]\nallow_private_cdn = true\n");
    competition.expect(0, &["reveal-seed", "--network", &server.url(), "--seed-source", "block"]);
    assert!(competition.read("rounds/0/submissions.json").contains("http://127.0.0.1:8000/r\""));
    let status = || {
        let report = gen404(competition.path(), &["--json", "verify"]).json();
        let checks = report["details"]["checks"].as_array().unwrap().clone();
        checks.iter().find(|check| check["id"] == "submissions.rules").unwrap()["status"].clone()
    };
    assert_eq!(status(), "pass");
    competition.write("gen404.toml", "");
    assert_eq!(status(), "fail");
}

/// A node whose block 28 has the time that makes drand round 123 decide.
fn drand_node() -> StandInNode {
    let mut node = StandInNode::new(17, QUICKNET_GENESIS, Block(27));
    node.reveal(hotkey(1), Block(20), &full(1, 1));
    node.pulses = vec![Pulse { round: 123, signature: hex::decode(ROUND_123).unwrap() }];
    node
}

/// The status and detail of `seed.derived` in what `verify` says.
fn seed_check(competition: &Competition) -> (String, String) {
    seed_check_with(competition, &[])
}

fn seed_check_with(competition: &Competition, more: &[&str]) -> (String, String) {
    let report = gen404(competition.path(), &[&["--json", "verify"], more].concat()).json();
    let checks = report["details"]["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == "seed.derived").unwrap();
    (check["status"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_drand_seed_waits_for_its_round_and_proves_until_a_bit_is_flipped() {
    let server = Server::start(drand_node()).unwrap();
    let url = server.url();
    let competition = Competition::open(1, 28);
    competition.expect(3, &["reveal-seed", "--network", &url]);
    server.change(|node| node.advance(Block(30)));
    let waits = competition.expect(3, &["reveal-seed", "--network", &url]);
    assert!(waits.out.contains("drand round 123 is not on the chain yet"), "{}", waits.out);
    assert!(!competition.path().join("rounds/0/seed.json").exists());
    server.change(|node| node.advance(Block(31)));
    let run = competition.expect(0, &["reveal-seed", "--network", &url]);
    assert!(run.out.contains("from drand round 123, published at 2023-08-23 15:15:33 UTC"), "{}", run.out);
    let randomness = Pulse { round: 123, signature: hex::decode(ROUND_123).unwrap() }.verify().unwrap();
    let seed = derive("mesh", RoundNumber(0), &randomness);
    let wanted = format!("{{\"seed\": {seed}, \"drand_round\": 123, \"signature\": \"{ROUND_123}\"}}");
    assert_eq!(competition.read("rounds/0/seed.json"), wanted);
    assert_eq!(seed_check(&competition).0, "pass");
    let asked = ["--chain", "--network", &url];
    assert_eq!(seed_check_with(&competition, &asked), ("pass".to_owned(), "the chain confirms it".to_owned()));
    server.change(|node| node.genesis_time += 3);
    let (status, detail) = seed_check_with(&competition, &asked);
    assert_eq!(status, "fail");
    assert!(detail.contains("gives 124"), "{detail}");
    competition.write("rounds/0/seed.json", &wanted.replace("b75c69d0", "b75c69d1"));
    let (status, detail) = seed_check(&competition);
    assert_eq!(status, "fail");
    assert!(detail.contains("signature"), "{detail}");
    competition.write("rounds/0/seed.json", &wanted.replace("123,", "122,"));
    assert_eq!(seed_check(&competition).0, "fail");
}

#[test]
fn a_forged_pulse_is_not_taken_and_a_drand_endpoint_may_have_the_true_one() {
    let mut node = drand_node();
    node.advance(Block(40));
    node.pulses[0].signature[5] ^= 4;
    let server = Server::start(node).unwrap();
    let url = server.url();
    let competition = Competition::open(1, 28);
    let run = competition.expect(4, &["reveal-seed", "--network", &url]);
    assert!(run.err.contains("drand round 123"), "{}", run.err);
    assert!(!competition.path().join("rounds/0/seed.json").exists());
    let drand = |signature: &str, round: u64| {
        let body = json!({"round": round, "signature": signature, "randomness": "00"}).to_string();
        Fake::start(move |_, line, _| {
            assert!(line.starts_with("GET /52db9ba7") && line.contains("/public/123 "), "{line}");
            Reply::Body(body.clone().into_bytes())
        })
    };
    let wrong = [drand(&ROUND_123.replace("b75c", "a75c"), 123), drand(ROUND_123, 124), drand("zz", 123)];
    competition.write("gen404.toml", "[chain]\nattempts = 1\n");
    for endpoint in wrong {
        competition.expect(4, &["reveal-seed", "--network", &url, "--drand-url", &endpoint.url()]);
    }
    let down = Fake::start(|_, _, _| Reply::Status(503, "", b"we are \x1b[31mdown".to_vec()));
    let run = competition.expect(4, &["reveal-seed", "--network", &url, "--drand-url", &down.url()]);
    assert!(run.err.contains("status 503: we are \\u{1b}[31mdown"), "{}", run.err);
    let good = drand(ROUND_123, 123);
    competition.expect(0, &["reveal-seed", "--network", &url, "--drand-url", &good.url()]);
    assert_eq!(seed_check(&competition).0, "pass");
}

#[test]
fn a_pool_that_is_too_small_draws_no_seed() {
    let competition = Competition::open(WINDOW.0, WINDOW.1);
    let chain = json!({"current_block": 205, "block_hashes": {"200": BlockHash([0xab; 32]).to_string()}});
    competition.write("chain.json", &chain.to_string());
    competition.write("prompts.txt", "https://prompts.example/1.png\nhttps://prompts.example/2.png\n");
    let before = competition.files();
    let short = competition.expect(1, &["reveal-seed", "--chain-file", "chain.json"]);
    let mut seen = Transcript::new(&[competition.path()]);
    seen.add(&["reveal-seed", "--chain-file", "chain.json"], &short);
    // Before that, `status` warns, without the record of the run above, whose time is another each time.
    let forget = || std::fs::remove_file(competition.path().join(".gen404/runs.jsonl")).unwrap();
    forget();
    let status = ["status", "--block", "150", "--now", "2026-03-04T08:00:00Z"];
    seen.add(&status, &competition.expect(0, &status));
    let lines: Vec<String> = (1..=9).map(|n| format!("https://prompts.example/{}.png", n.min(8))).collect();
    competition.write("prompts.txt", &lines.join("\n"));
    let twice = competition.expect(1, &["reveal-seed", "--chain-file", "chain.json"]);
    seen.after("a name is there twice").add(&["reveal-seed", "--chain-file", "chain.json"], &twice);
    forget();
    seen.add(&status, &competition.expect(0, &status)).holds("pool_errors");
    competition.write("prompts.txt", "https://prompts.example/1.png\nhttps://prompts.example/2.png\n");
    assert_eq!(competition.files(), before);
}

#[test]
fn a_chain_file_serves_as_well_and_settings_and_environment_have_their_order() {
    let competition = Competition::open(WINDOW.0, WINDOW.1);
    let hash = BlockHash([0xab; 32]);
    let chain = json!({
        "current_block": 205,
        "block_hashes": {"200": hash.to_string()},
        "commitments": {hotkey(1).as_str(): [{"block": 150, "text": full(1, 1)}]},
    });
    competition.write("chain.json", &chain.to_string());
    competition.write("gen404.toml", "[chain]\nfile = 'chain.json'\n");
    let out = competition.expect(0, &["reveal-seed", "--dry-run", "--json"]).out;
    assert!(serde_json::from_str::<Value>(&out).unwrap()["files"].as_array().unwrap().len() == 4, "{out}");
    let dead = ["reveal-seed", "--network", "http://127.0.0.1:9"];
    competition.write("gen404.toml", "[chain]\nfile = 'chain.json'\nattempts = 1\n");
    competition.expect(4, &dead);
    let mut command = command(competition.path());
    let output = command.env("SUBTENSOR_NETWORK", "http://127.0.0.1:9").arg("reveal-seed").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "the environment beats the settings");
    competition.expect(0, &["reveal-seed", "--chain-file", &format!("{}/chain.json", competition.path().display())]);
    let seed = derive("mesh", RoundNumber(0), &hash.0);
    assert!(competition.read("rounds/0/seed.json").starts_with(&format!("{{\"seed\": {seed}, \"block\": 200")));
    // A chain file without times: nobody knows when the deadline is.
    assert!(competition.read("state.json").contains("\"next_stage_eta\": null"));
    assert_eq!(seed_check(&competition).0, "pass");
    competition.write("gen404.toml", "");
    let none = Competition::open(1, 2).expect(2, &["open"]);
    assert!(none.err.contains("no chain is named") && none.err.contains("SUBTENSOR_NETWORK=finney"), "{}", none.err);
}

/// Runs git in a competition's folder.
fn git(competition: &Competition, args: &[&str]) -> String {
    let output = Command::new("git").current_dir(competition.path()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_real_rounds_carry_over_comes_out_to_the_byte() {
    let Some(folder) = real_competition() else { return };
    let competition = Competition { folder };
    for (round, latest, seed) in [(1, 7_476_090_u64, 3_274_970_996_u32), (2, 7_497_680, 1_206_881_584)] {
        let wanted = format!("--grep=^Seed, prompts and submissions for round {round}$");
        let found = git(&competition, &["log", "--format=%H", &wanted, "origin/main"]);
        git(&competition, &["reset", "-q", "--hard", &format!("{}~1", found.trim())]);
        let head = |path: &str| git(&competition, &["show", &format!("origin/main:{path}")]);
        assert_eq!(head(&format!("rounds/{round}/seed.json")), format!("{{\"seed\": {seed}}}"));
        // The pool is not in the data: any will do, as carried prompts come first.
        let pool: Vec<String> = (0..500).map(|n| format!("https://prompts.example/{n}.png")).collect();
        competition.write("prompts.txt", &pool.join("\n"));
        let submissions: Value = serde_json::from_str(&head(&format!("rounds/{round}/submissions.json"))).unwrap();
        let reveal = |entry: &Value| {
            let text = json!({"repo": entry["repo"], "commit": entry["commit"], "cdn_url": entry["cdn_url"]});
            json!([{"block": entry["revealed_at_block"], "text": text.to_string()}])
        };
        let commitments: serde_json::Map<String, Value> =
            submissions.as_object().unwrap().iter().map(|(hotkey, entry)| (hotkey.clone(), reveal(entry))).collect();
        competition.write("chain.json", &json!({"current_block": latest, "commitments": commitments}).to_string());
        let seed = seed.to_string();
        competition.expect(0, &["reveal-seed", "--chain-file", "chain.json", "--seed", &seed]);
        let first = |text: &str| text.lines().take(32).map(str::to_owned).collect::<Vec<_>>();
        let path = format!("rounds/{round}/prompts.txt");
        assert_eq!(first(&competition.read(&path)), first(&head(&path)));
        assert_eq!(competition.read(&path).lines().count(), 128);
        // Hotkeys of the same block stand in another order than the real file has them.
        let found: Value =
            serde_json::from_str(&competition.read(&format!("rounds/{round}/submissions.json"))).unwrap();
        assert_eq!(found, submissions);
    }
}
