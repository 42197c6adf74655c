//! The shared vectors of the chain's encodings, and the recorded session of a node, page by page.

use std::collections::BTreeMap;

use crate::chain_support::{Fake, Reply, shared_json, subtensor};
use gen404::base::hex;
use gen404::model::beacon::{QUICKNET_CHAIN, QUICKNET_GENESIS, QUICKNET_PERIOD, published_at};
use gen404::model::ids::{Block, Hotkey};
use gen404::model::reveal::Compat;
use gen404::rules::payload::{strip_length, text};
use gen404::world::chain::stand_in::StandInNode;
use gen404::world::chain::{Chain, keys, scale};
use parity_scale_codec::{Compact, Decode, Encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn vectors() -> Option<Value> {
    shared_json("chain/vectors.json")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = value[name].as_array().unwrap_or_else(|| panic!("no list {name}"));
    assert!(!list.is_empty(), "{name} is empty");
    list
}

fn str_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

fn account(value: &Value) -> [u8; 32] {
    hex::decode_array(str_of(value, "account_hex")).unwrap()
}

fn netuid(value: &Value) -> u16 {
    value["netuid"].as_u64().unwrap().try_into().unwrap()
}

#[test]
fn hashes_and_storage_keys_hold() {
    let Some(vectors) = vectors() else { return };
    for case in list(&vectors, "hash") {
        let input = match case.get("input_utf8") {
            Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
            None => hex::decode(str_of(case, "input_hex")).unwrap(),
        };
        let found = match str_of(case, "fn") {
            "twox128" => hex::encode(keys::twox128(&input)),
            "twox64" => hex::encode(keys::twox64(&input)),
            "blake2b_512" => hex::encode(<blake2::Blake2b512 as blake2::Digest>::digest(&input)),
            other => panic!("no test of {other}"),
        };
        assert_eq!(found, str_of(case, "hex"));
    }
    for case in list(&vectors, "iteration_prefix") {
        assert_eq!(hex::encode_0x(&keys::commitments_prefix(netuid(case))), str_of(case, "prefix_hex"));
    }
    for case in list(&vectors, "storage_key") {
        let key = keys::commitments_key(netuid(case), &account(case));
        assert_eq!(hex::encode_0x(&key), str_of(case, "key_hex"));
        assert_eq!(keys::hotkey_of(netuid(case), &key).unwrap().as_str(), str_of(case, "ss58"));
    }
    for case in list(&vectors, "storage_key_errors") {
        let key = hex::decode(str_of(case, "key_hex")).unwrap();
        assert!(keys::hotkey_of(netuid(case), &key).is_err(), "{}", case["name"]);
    }
}

#[test]
fn addresses_hold() {
    let Some(vectors) = vectors() else { return };
    for case in list(&vectors, "ss58") {
        let parsed = str_of(case, "ss58").parse::<Hotkey>();
        let wanted = case["ok"] == true && case["prefix"] == 42;
        assert_eq!(parsed.is_ok(), wanted, "{}: {parsed:?}", case["name"]);
        if wanted {
            assert_eq!(Hotkey::from_account(&account(case)), parsed.unwrap());
        }
    }
}

#[test]
fn values_and_payloads_hold_under_both_rules() {
    let Some(vectors) = vectors() else { return };
    for case in list(&vectors, "compact_u32") {
        let (value, bytes) = (u32::try_from(case["value"].as_u64().unwrap()).unwrap(), str_of(case, "hex"));
        assert_eq!(hex::encode(Compact(value).encode()), bytes);
        assert_eq!(Compact::<u32>::decode(&mut &*hex::decode(bytes).unwrap()).unwrap().0, value);
    }
    let mut entries_seen = 0;
    for case in list(&vectors, "values") {
        let value = hex::decode(str_of(case, "value_hex")).unwrap();
        let reveals = scale::decode_reveals(&value).unwrap();
        let entries = case["entries"].as_array().unwrap();
        assert_eq!(reveals.len(), entries.len(), "{}", case["name"]);
        assert_eq!(scale::encode_reveals(&reveals), value);
        for (reveal, entry) in reveals.iter().zip(entries) {
            check_entry(&case["name"], &reveal.raw, reveal.block, entry);
            entries_seen += 1;
        }
    }
    assert!(entries_seen > 30);
    for case in list(&vectors, "value_errors") {
        let value = hex::decode(str_of(case, "value_hex")).unwrap();
        assert!(scale::decode_reveals(&value).is_err(), "{}", case["name"]);
    }
    for case in list(&vectors, "hex_errors").iter().filter(|case| case.get("error").is_some()) {
        assert!(hex::decode(str_of(case, "value")).is_err(), "{}", case["name"]);
    }
}

fn check_entry(name: &Value, raw: &[u8], block: Block, entry: &Value) {
    assert_eq!(Some(block.0), entry["block"].as_u64(), "{name}");
    if let Some(expected) = entry["raw_hex"].as_str() {
        assert_eq!(hex::encode(raw), expected, "{name}");
    }
    let payload = strip_length(raw);
    assert_eq!(payload.len() < raw.len(), entry["len_prefix"] == true, "{name}");
    assert_eq!(Some(payload.len() as u64), entry["payload_len"].as_u64(), "{name}");
    assert_eq!(hex::encode(Sha256::digest(payload)), str_of(entry, "payload_sha256"), "{name}");
    let strict = text(raw, Compat::Strict);
    assert_eq!(strict.is_ok(), entry["utf8_valid"] == true, "{name}");
    if let Some(expected) = entry["data"].as_str() {
        assert_eq!(strict.as_deref(), Ok(expected), "{name}");
    }
    let deployed = text(raw, Compat::Sdk10);
    if entry["sdk_10_2_0"] == "same as payload" {
        assert!(deployed == strict && deployed.is_ok(), "{name}");
        return;
    }
    match entry["sdk_10_2_0"].as_str() {
        Some(failed) if failed.starts_with("exception ") => assert!(deployed.is_err(), "{name}"),
        Some(expected) => assert_eq!(deployed.as_deref(), Ok(expected), "{name}"),
        None => {}
    }
}

#[test]
fn drand_constants_and_keys_hold() {
    let Some(vectors) = vectors() else { return };
    let drand = &vectors["drand"];
    assert_eq!(drand["genesis_unix"], QUICKNET_GENESIS);
    assert_eq!(drand["period_s"], QUICKNET_PERIOD);
    assert_eq!(drand["chain_hash"], QUICKNET_CHAIN);
    for case in list(drand, "round_to_unix") {
        assert_eq!(published_at(case["round"].as_u64().unwrap()), case["unix"].as_u64().unwrap());
    }
    let storage = &drand["storage"];
    assert_eq!(hex::encode_0x(&keys::item("Drand", "Pulses")), str_of(storage, "Drand.Pulses prefix"));
    assert_eq!(hex::encode_0x(&keys::drand_pulse(1000)), str_of(storage, "Drand.Pulses(1000)"));
    assert_eq!(hex::encode_0x(&keys::item("Drand", "LastStoredRound")), str_of(storage, "Drand.LastStoredRound"));
    assert_eq!(hex::encode_0x(&keys::item("Drand", "OldestStoredRound")), str_of(storage, "Drand.OldestStoredRound"));
}

/// A node that answers the recorded exchanges, and values of recorded keys in any grouping.
fn replay(session: &Value) -> Fake {
    let mut answers = BTreeMap::new();
    let mut values = BTreeMap::new();
    for exchange in list(session, "exchanges") {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        answers.insert(question(request), response.clone());
        if request["method"] == "state_queryStorageAt" {
            let sets = response["result"].as_array().unwrap();
            for change in sets.iter().flat_map(|set| set["changes"].as_array().unwrap()) {
                values.insert(change[0].as_str().unwrap().to_owned(), change[1].clone());
            }
        }
    }
    Fake::start(move |_, _, body| {
        let request: Value = serde_json::from_slice(body).unwrap();
        let mut answer = match answers.get(&question(&request)) {
            Some(answer) => answer.clone(),
            None if request["method"] == "state_queryStorageAt" => values_of(&values, &request),
            None => json!({"error": {"code": -32601, "message": "Method not found"}}),
        };
        answer["id"] = request["id"].clone();
        answer["jsonrpc"] = json!("2.0");
        Reply::Body(answer.to_string().into_bytes())
    })
}

fn question(request: &Value) -> String {
    format!("{} {}", request["method"], request["params"])
}

fn values_of(values: &BTreeMap<String, Value>, request: &Value) -> Value {
    let keys = request["params"][0].as_array().unwrap();
    let changes: Vec<Value> = keys.iter().map(|key| json!([key, values.get(key.as_str().unwrap())])).collect();
    json!({"result": [{"block": request["params"][1], "changes": changes}]})
}

#[test]
fn the_recorded_session_is_read_page_by_page() {
    let Some(session) = shared_json("chain/rpc_session.json") else { return };
    let node = replay(&session);
    let chain = subtensor(&[node.url()], &[]).keys_a_page(3);
    let finalized = Block(session["about"]["finalized"]["number"].as_u64().unwrap());
    assert_eq!(chain.finalized_block().unwrap(), finalized);
    assert_eq!(chain.best_block().unwrap().0, session["about"]["best"]["number"].as_u64().unwrap());
    assert_eq!(chain.block_hash(finalized).unwrap().to_string(), str_of(&session["about"]["finalized"], "hash"));

    let reveals = chain.reveals(finalized).unwrap();
    let expected = list(&session, "expected");
    assert_eq!(reveals.len(), expected.len());
    for case in expected {
        let hotkey: Hotkey = str_of(case, "ss58").parse().unwrap();
        let found = &reveals[&hotkey];
        let entries = case["entries"].as_array().unwrap();
        assert_eq!(found.len(), entries.len());
        for (reveal, entry) in found.iter().zip(entries) {
            assert_eq!(Some(reveal.block.0), entry["block"].as_u64());
            assert_eq!(hex::encode(strip_length(&reveal.raw)), str_of(entry, "payload_hex"));
            assert_eq!(text(&reveal.raw, Compat::Strict).ok().as_deref(), entry["data"].as_str());
        }
    }
    let asked: Vec<Value> =
        node.seen.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect();
    let pages: Vec<&Value> = asked.iter().filter(|request| request["method"] == "state_getKeysPaged").collect();
    assert_eq!(pages.len(), 3, "five keys, three a page, and the page that is empty");
    assert_eq!(pages[0]["params"][2], pages[0]["params"][0], "the first page starts at the prefix");
    let pinned = str_of(&session["about"]["finalized"], "hash");
    let state_reads = asked.iter().filter(|request| str_of(request, "method").starts_with("state_"));
    for request in state_reads {
        assert_eq!(request["params"].as_array().unwrap().last().unwrap(), pinned, "{request}");
    }
}

#[test]
fn errors_of_the_recorded_session_are_named_or_go_to_the_archive() {
    let Some(session) = shared_json("chain/rpc_session.json") else { return };
    let node = replay(&session);
    let error = subtensor(&[node.url()], &[]).block_hash(Block(7_454_000)).unwrap_err().to_string();
    assert!(error.contains("chain_getBlockHash at http://127.0.0.1") && error.contains("Method not found"), "{error}");
    let ahead = subtensor(&[node.url()], &[]).block_hash(Block(99_999_999)).unwrap_err();
    assert_eq!(ahead.kind(), gen404::base::error::Kind::NotDue);
}

#[test]
fn the_stand_in_answers_in_the_form_of_the_recorded_session() {
    let Some(session) = shared_json("chain/rpc_session.json") else { return };
    let node = StandInNode::new(17, 1_700_000_000, Block(60));
    let ask = |method: &str, params: Value| -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        serde_json::from_slice(&node.answer(request.to_string().as_bytes())).unwrap()
    };
    let keys_of = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut errors = 0;
    for exchange in list(&session, "exchanges") {
        let (method, recorded) = (str_of(&exchange["request"], "method"), &exchange["response"]);
        if [4002, -32601].iter().any(|code| recorded["error"]["code"] == *code) && method != "state_getPairs" {
            let mut params = exchange["request"]["params"].clone();
            if let Some(at) = params.get_mut(3) {
                *at = json!(node.hash(Block(60)).to_string());
            }
            assert_eq!(ask(method, params)["error"], recorded["error"], "{method}");
            errors += 1;
        }
        if method == "chain_getHeader" && recorded["result"].is_object() {
            let answer = ask(method, json!([]));
            assert_eq!(keys_of(&answer["result"]), keys_of(&recorded["result"]));
            assert_eq!(keys_of(&answer), keys_of(recorded));
            assert_eq!(answer["result"]["number"], "0x3c");
        }
    }
    assert_eq!(errors, 2);
    let batch = json!([{"id": 5, "method": "chain_getBlockHash", "params": [[1, 99]]}, {"id": 6, "method": "x"}]);
    let answers: Value = serde_json::from_slice(&node.answer(batch.to_string().as_bytes())).unwrap();
    assert_eq!(answers[0]["result"], json!([node.hash(Block(1)).to_string(), null]));
    assert_eq!(answers[1]["id"], 6);
}
