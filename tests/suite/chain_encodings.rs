//! Keys, addresses and values of the chain against those of an SDK's own encoder: `fixtures/chain.json`,
//! which `scripts/chain_vectors.py` writes.

use gen404::base::hex;
use gen404::model::ids::Hotkey;
use gen404::model::reveal::Compat;
use gen404::rules::payload::{strip_length, text};
use gen404::world::chain::{keys, scale};
use parity_scale_codec::{Compact, DecodeAll, Encode};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../fixtures/chain.json")).unwrap();
    let list = all[name].as_array().unwrap_or_else(|| panic!("no list {name}")).clone();
    assert!(!list.is_empty(), "{name} is empty");
    list
}

fn part(name: &str) -> Value {
    serde_json::from_str::<Value>(include_str!("../fixtures/chain.json")).unwrap()[name].clone()
}

fn words<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(words(value, name)).unwrap()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

#[test]
fn addresses_are_the_sdks() {
    let addresses = part("addresses");
    for case in addresses["good"].as_array().unwrap() {
        let hotkey: Hotkey = words(case, "ss58").parse().unwrap();
        assert_eq!(hotkey, Hotkey::from_account(&hex::decode_array(words(case, "account")).unwrap()));
    }
    for case in addresses["bad"].as_array().unwrap() {
        assert!(words(case, "ss58").parse::<Hotkey>().is_err(), "{}", case["about"]);
    }
}

#[test]
fn storage_keys_are_the_sdks() {
    for case in vectors("keys") {
        let netuid = u16::try_from(number(&case, "netuid")).unwrap();
        assert_eq!(keys::commitments_prefix(netuid), bytes(&case, "prefix"), "{netuid}");
        for full in case["keys"].as_array().unwrap() {
            let key = bytes(full, "key");
            assert_eq!(keys::hotkey_of(netuid, &key).unwrap().as_str(), words(full, "ss58"), "{netuid}");
            let account = key[key.len() - 32..].try_into().unwrap();
            assert_eq!(keys::commitments_key(netuid, account), key, "{netuid}");
            assert!(keys::hotkey_of(netuid ^ 2, &key).is_err() && keys::hotkey_of(netuid, &key[1..]).is_err());
        }
    }
}

#[test]
fn lengths_are_the_sdks() {
    for case in vectors("compact") {
        let (value, encoded) = (u32::try_from(number(&case, "value")).unwrap(), bytes(&case, "bytes"));
        assert_eq!(Compact(value).encode(), encoded);
        assert_eq!(Compact::<u32>::decode_all(&mut &*encoded).unwrap().0, value);
    }
}

/// The text of an entry: as it is, or a letter many times.
fn told(entry: &Value) -> String {
    entry["text"].as_str().map_or_else(
        || words(entry, "repeated").repeat(usize::try_from(number(entry, "times")).unwrap()),
        str::to_owned,
    )
}

#[test]
fn reveals_are_read_and_written_as_by_the_sdk() {
    for case in vectors("values") {
        let entries = case["entries"].as_array().unwrap();
        let texts: Vec<(u64, String)> = entries.iter().map(|entry| (number(entry, "block"), told(entry))).collect();
        let ours = texts.iter().map(|(block, text)| (text.encode(), *block)).collect::<Vec<_>>().encode();
        assert_eq!(hex::encode(Sha256::digest(&ours)), words(&case, "sha256"), "{}", case["about"]);
        if case.get("value").is_some() {
            assert_eq!(ours, bytes(&case, "value"), "{}", case["about"]);
        }
        let reveals = scale::decode_reveals(&ours).unwrap();
        assert_eq!(scale::encode_reveals(&reveals), ours, "{}", case["about"]);
        let read = |compat| -> Vec<(u64, String)> {
            reveals.iter().map(|reveal| (reveal.block.0, text(&reveal.raw, compat).unwrap())).collect()
        };
        assert_eq!(read(Compat::Strict), texts, "{}", case["about"]);
        assert_eq!(read(Compat::Sdk10), texts, "{}", case["about"]);
        let longer = |reveal: &gen404::model::reveal::Reveal| reveal.raw.len() > strip_length(&reveal.raw).len();
        assert!(reveals.iter().all(longer), "each text has a length of its own");
    }
    for case in vectors("bad_values") {
        assert!(scale::decode_reveals(&bytes(&case, "value")).is_err(), "{}", case["about"]);
    }
}

#[test]
fn times_and_pulses_are_the_sdks() {
    let now = part("timestamp");
    assert_eq!(keys::timestamp(), bytes(&now, "key"));
    assert_eq!(scale::decode_seconds(&bytes(&now, "value")), Ok(number(&now, "milliseconds") / 1000));
    for case in vectors("pulses") {
        let round = number(&case, "round");
        assert_eq!(keys::drand_pulse(round), bytes(&case, "key"));
        let pulse = scale::decode_pulse(&bytes(&case, "value"), round).unwrap();
        assert_eq!((pulse.round, &pulse.signature), (round, &bytes(&case, "signature")));
        assert!(scale::decode_pulse(&bytes(&case, "value"), round + 1).is_err());
    }
}
