//! Who owns a hotkey, and what its owner has locked: read from a node at the last block of reveals, by the keys that
//! `scripts/owner_vectors` works out.

use gen404::base::hex;
use gen404::model::ids::{Block, Hotkey};
use gen404::world::chain::stand_in::{Server, StandInNode};
use gen404::world::chain::{Chain, keys, scale};
use serde_json::Value;

use crate::chain_support::{Competition, Fake, Reply, subtensor};

/// 1e-9 alpha in an alpha.
const ALPHA: u64 = 1_000_000_000;

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../fixtures/owners.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(value[name].as_str().unwrap()).unwrap()
}

fn miner(at: u8) -> Hotkey {
    Hotkey::from_account(&[at; 32])
}

#[test]
fn keys_and_values_are_those_worked_out_independently() {
    for case in vectors("keys") {
        let account: [u8; 32] = bytes(&case, "account").try_into().unwrap();
        let netuid = u16::try_from(case["netuid"].as_u64().unwrap()).unwrap();
        assert_eq!(keys::uid(netuid, &account), bytes(&case, "uid"), "{case}");
        assert_eq!(keys::owner(&account), bytes(&case, "owner"), "{case}");
    }
    for case in vectors("locks") {
        assert_eq!(scale::decode_locked(&bytes(&case, "value")), Ok(case["locked"].as_u64().unwrap()), "{case}");
    }
    for bad in vectors("bad_locks") {
        assert!(scale::decode_locked(&hex::decode(bad.as_str().unwrap()).unwrap()).is_err(), "{bad}");
    }
}

/// A node that knows nothing but one case of the vectors.
#[test]
fn a_node_is_asked_by_these_keys() {
    let case = vectors("keys").into_iter().find(|case| case["netuid"] == 17).unwrap();
    let (account, known): ([u8; 32], _) = (bytes(&case, "account").try_into().unwrap(), case.clone());
    let lock = vectors("locks").into_iter().find(|lock| lock["locked"] == 100 * ALPHA).unwrap();
    let node = Fake::start(move |_, _, body| {
        let request: Value = serde_json::from_slice(body).unwrap();
        let asked = request["params"][0].as_str().unwrap_or_default().trim_start_matches("0x").to_owned();
        let result = match request["method"].as_str().unwrap() {
            "chain_getFinalizedHead" => Value::from(format!("0x{}", "0a".repeat(32))),
            "chain_getHeader" => serde_json::json!({"number": "0x64"}),
            "state_getStorage" if Some(asked.as_str()) == known["uid"].as_str() => Value::from("0x0500"),
            "state_getStorage" if Some(asked.as_str()) == known["owner"].as_str() => {
                Value::from(format!("0x{}", "07".repeat(32)))
            }
            "state_call" => {
                assert_eq!(request["params"][0], "StakeInfoRuntimeApi_get_coldkey_lock");
                let owner = format!("0x{}1100", "07".repeat(32));
                assert_eq!(request["params"][1], owner);
                Value::from(format!("0x{}", lock["value"].as_str().unwrap()))
            }
            _ => Value::Null,
        };
        let answer = serde_json::json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        Reply::Body(answer.to_string().into_bytes())
    });
    let chain = subtensor(&[node.url()], &[]);
    let at = Block(100);
    let owner = chain.owner(at, &Hotkey::from_account(&account)).unwrap();
    assert_eq!(owner, Some(miner(7)));
    assert_eq!(chain.locked(at, &miner(7)).unwrap(), 100 * ALPHA);
    assert_eq!(chain.owner(at, &miner(1)).unwrap(), None, "not registered");
}

/// A round of three.js modules that takes reveals of blocks 100 to 200.
fn competition() -> Competition {
    let competition = Competition::open(100, 200);
    let config =
        competition.read("config.json").replace("\"name\": \"mesh\"", "\"format\": \"threejs\",\n  \"name\": \"t\"");
    competition.write("config.json", &config);
    let leader = competition.read("leader.json");
    competition.write(
        "leader.json",
        &leader.replace("\"weight\"", "\"hardware\": [\n      \"4xH200\"\n    ],\n    \"weight\""),
    );
    competition
}

#[test]
fn only_owners_that_had_locked_enough_at_the_last_block_of_reveals_take_part() {
    let mut node = StandInNode::new(17, 1_767_225_600, Block(400));
    for (at, owner) in [(1, 11), (2, 12), (3, 12), (4, 13), (5, 14)] {
        let text =
            format!(r#"{{"repo": "a/b{at}", "commit": "{}", "cdn_url": "https://cdn.example/{at}"}}"#, "0a".repeat(20));
        node.reveal(miner(at), Block(100 + u64::from(at)), &text);
        node.owners.insert(miner(at), miner(owner));
    }
    // The fifth miner revealed, and is not registered.
    node.owners.remove(&miner(5));
    node.locks.insert(miner(11), vec![(Block(50), 100 * ALPHA)]);
    // For two submissions, twice as much.
    node.locks.insert(miner(12), vec![(Block(50), 199 * ALPHA)]);
    // Too late, and gone again before the block: neither counts.
    node.locks.insert(miner(13), vec![(Block(50), 100 * ALPHA), (Block(150), ALPHA / 2), (Block(201), 100 * ALPHA)]);
    let server = Server::start(node).unwrap();
    let competition = competition();
    let url = server.url();
    let flags = ["--json", "reveal-seed", "--network", &url, "--seed", "7"];
    let run = competition.expect(0, &flags);
    let submitted: Value = serde_json::from_str(&competition.read("rounds/0/submissions.json")).unwrap();
    assert_eq!(submitted.as_object().unwrap().keys().collect::<Vec<_>>(), [miner(1).as_str()], "{}", run.out);
    let told = run.out.replace("\\\"", "\"");
    for part in [
        "its owner has locked 199 alpha at block 200, and needs 200 for 2 submissions",
        "its owner has locked 0.5 alpha at block 200, and needs 100 for 1 submission",
        "its hotkey is not registered at block 200",
    ] {
        assert!(told.contains(part) || run.err.contains(part), "{part}: {}{}", run.out, run.err);
    }
    // A later look at the same block gives the same list.
    let again = self::competition();
    server.change(|node| {
        node.advance(Block(500));
        node.locks.insert(miner(11), vec![(Block(50), 100 * ALPHA), (Block(450), 0)]);
    });
    again.expect(0, &flags);
    assert_eq!(again.read("rounds/0/submissions.json"), competition.read("rounds/0/submissions.json"));
}
