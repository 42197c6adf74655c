//! JSON as Python reads it: Python's own verdicts (scripts/python_json), and `serde_json`'s where it has any.

use std::fmt::Write as _;

use gen404::python_json::{self, DEEPEST, Map, Text, Value};
use proptest::prelude::*;
use serde_json::json;

/// The form in which the table has values. Where an encoding was guessed, texts that are not ASCII are alike.
fn form(value: &Value, guessed: bool) -> String {
    let list = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Big(digits) => digits.to_string(),
        Value::Float(number) if number.is_nan() => "nan".to_owned(),
        Value::Float(number) => format!("{:016x}", number.to_bits()),
        Value::String(text) => string(text, guessed),
        Value::Array(items) => format!("[{}]", list(items.iter().map(|item| form(item, guessed)).collect())),
        Value::Object(map) => {
            let member = |(key, item)| format!("{}:{}", string(key, guessed), form(item, guessed));
            format!("{{{}}}", list(map.iter().map(member).collect()))
        }
    }
}

fn string(text: &Text, guessed: bool) -> String {
    let units = units(text);
    if guessed && units.iter().any(|unit| *unit > 0x7f) {
        return "\"~\"".to_owned();
    }
    let mut out = "\"".to_owned();
    for unit in units {
        match u8::try_from(unit).map(char::from) {
            Ok(char @ (' '..='~')) if !matches!(char, '"' | '\\') => out.push(char),
            _ => write!(out, "\\u{unit:04x}").unwrap(),
        }
    }
    out + "\""
}

/// The text in UTF-16, halves of pairs too.
fn units(text: &Text) -> Vec<u16> {
    let bytes: &[u8] = std::borrow::Borrow::borrow(text);
    let mut units = Vec::new();
    let mut rest = bytes;
    while let [first, ..] = rest {
        if let [0xed, second @ 0xa0..=0xbf, third, tail @ ..] = rest {
            units.push(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f));
            rest = tail;
            continue;
        }
        let (char, tail) = rest.split_at(match first {
            0..0x80 => 1,
            0..0xe0 => 2,
            0..0xf0 => 3,
            _ => 4,
        });
        units.extend(std::str::from_utf8(char).expect("WTF-8").encode_utf16());
        rest = tail;
    }
    units
}

fn read(text: &str, guessed: bool) -> Result<String, String> {
    python_json::read(text).map(|value| form(&value, guessed))
}

/// As the preview reads a chunk: the first coding in which it is JSON.
fn read_chunk(bytes: &[u8]) -> Result<String, String> {
    let guessed = std::str::from_utf8(bytes).is_err();
    let mut all = python_json::codings(bytes).iter().map(|coding| {
        let text = python_json::decode(bytes, *coding);
        assert!(text.len() <= 2 * bytes.len(), "{coding:?}");
        read(&text, guessed)
    });
    let first = all.next().expect("a coding");
    first.or_else(|why| all.find_map(Result::ok).ok_or(why))
}

fn compare_with_the_table() {
    let table = include_str!("../fixtures/python_json.jsonl");
    let (mut checked, mut differ) = ([0, 0], 0);
    for line in table.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let input = entry["input"].as_str().unwrap();
        let found = match entry["form"].as_str().unwrap() {
            "text" => read(input, false),
            _ => read_chunk(&input.chars().map(|c| u8::try_from(c).unwrap()).collect::<Vec<u8>>()),
        };
        let wanted = entry.get("ours").unwrap_or(&entry["value"]).as_str();
        let start: String = input.chars().take(80).collect();
        assert_eq!(found.as_deref().ok(), wanted, "{start:?}: {found:?}");
        checked[usize::from(wanted.is_some())] += 1;
        differ += usize::from(entry.get("ours").is_some());
    }
    assert!(
        checked.iter().all(|count| *count > 100) && differ == 2,
        "refused, accepted: {checked:?}; not by Python: {differ}"
    );
}

#[test]
fn verdicts_and_values_are_pythons() {
    // The form of a value that nests deeply is made call by call.
    std::thread::Builder::new().stack_size(64 << 20).spawn(compare_with_the_table).unwrap().join().unwrap();
}

#[test]
fn the_deepest_value_is_read_and_dropped_on_a_small_stack() {
    let deepest = [("[", "]"), ("{\"a\":", "}"), ("{\"a\":[", "]}")].map(|(open, close)| {
        let times = (DEEPEST - 2) / open.matches(['[', '{']).count();
        format!("{}[{}{}]{}", open.repeat(times), "[],".repeat(9), "{}", close.repeat(times))
    });
    let read = move || deepest.iter().all(|text| python_json::read(text).is_ok());
    assert!(std::thread::Builder::new().stack_size(512 << 10).spawn(read).unwrap().join().unwrap());
    assert!(python_json::read(&"[".repeat(20_000_000)).unwrap_err().contains("deeper"));
}

#[test]
fn faults_say_where_they_are() {
    for (text, place) in [
        ("", "line 1 column 1"),
        ("{\"é\": 1,\n  \"b\": tru}", "line 2 column 8"),
        ("[1,\n\n", "line 3 column 1"),
        ("[\"\\q\"]", "line 1 column 3"),
        ("{}\n\u{3000}x", "line 2 column 1"),
    ] {
        let why = python_json::read(text).unwrap_err();
        assert!(why.ends_with(place), "{text:?}: {why}");
    }
}

#[test]
fn halves_of_pairs_are_no_text_and_stay_apart() {
    let value = python_json::read(r#"{"\ud800": 1, "\ud801": 2, "a": "\udc00", "b": "é😀"}"#).unwrap();
    assert_eq!(value.as_object().map(Map::len), Some(4));
    assert_eq!((value.get("a").unwrap().as_str(), value.get("b").unwrap().as_str()), (None, Some("é😀")));
    let shown = value.as_object().unwrap().keys().map(|key| key.shown()).collect::<String>();
    assert!(shown.starts_with('\u{fffd}') && shown.ends_with("ab"), "{shown}");
}

#[test]
fn numbers_are_pythons() {
    let float = |text: &str| python_json::read(text).unwrap().as_f64();
    assert_eq!(float(&"9".repeat(308)), Some(1e308));
    assert_eq!((float(&"9".repeat(310)), float("1e400")), (None, Some(f64::INFINITY)));
    let index = |text: &str| python_json::read(text).unwrap().as_i64();
    assert_eq!(
        (index("-3"), index("3.0"), index("true"), index("9223372036854775808")),
        (Some(-3), None, Some(1), None)
    );
}

fn longest_run_of_digits(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}

/// A value and one of the many ways to write it.
fn written() -> impl Strategy<Value = (serde_json::Value, String)> {
    let space = || "[ \t\r\n]{0,3}";
    let leaf = prop_oneof![
        prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!(false))].prop_map(|v| (v.clone(), v.to_string())),
        any::<i64>().prop_map(|n| (json!(n), n.to_string())),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| (json!(n), format!("{n:e}"))),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| (json!(n), json!(n).to_string())),
        quoted().prop_map(|(text, quoted)| (json!(text), quoted)),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let spaced = || (space(), inner.clone(), space());
        let list = proptest::collection::vec(spaced(), 0..6).prop_map(|items| {
            let parts: Vec<String> = items.iter().map(|(a, (_, text), b)| format!("{a}{text}{b}")).collect();
            (items.into_iter().map(|(_, (value, _), _)| value).collect(), format!("[{}]", parts.join(",")))
        });
        let member = (space(), quoted(), spaced());
        let object = proptest::collection::vec(member, 0..6).prop_map(|members| {
            let mut map = serde_json::Map::new();
            let mut parts = Vec::new();
            for (a, (key, quoted), (b, (value, text), c)) in members {
                parts.push(format!("{a}{quoted}{b}:{c}{text}{b}"));
                map.insert(key, value);
            }
            (map.into(), format!("{{{}}}", parts.join(",")))
        });
        prop_oneof![list, object]
    })
}

/// A text, and it in quotes: each character as it is or in an escape.
fn quoted() -> impl Strategy<Value = (String, String)> {
    let char = prop_oneof![any::<char>(), prop_oneof![Just('"'), Just('\\'), Just('/'), Just('\n'), Just('\u{8}')]];
    proptest::collection::vec((char, any::<bool>()), 0..8).prop_map(|chars| {
        let text: String = chars.iter().map(|(char, _)| *char).collect();
        let mut quoted = "\"".to_owned();
        for (char, escape) in chars {
            match char {
                '\n' if escape => quoted.push_str("\\n"),
                '\u{8}' if escape => quoted.push_str("\\b"),
                '/' | '\\' | '"' if escape => quoted.extend(['\\', char]),
                char if escape || char < ' ' || matches!(char, '\\' | '"') => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        write!(quoted, "\\u{unit:04X}").unwrap();
                    }
                }
                char => quoted.push(char),
            }
        }
        (text, quoted + "\"")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_json_is_read_as_serde_json_reads_it((value, text) in written()) {
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(value.clone()), "{}", text);
        prop_assert_eq!(python_json::read(&text), Ok(Value::from(&value)), "{}", text);
    }

    #[test]
    fn what_is_nearly_json_is_read_by_both_or_by_python_alone(
        (_, text) in written(), at in any::<prop::sample::Index>(), put in "[-+.,:eE0-9\\[\\]{}\"\\\\ud ntfNI/]{0,2}", cut in 0_usize..2,
    ) {
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let tail = chars[at..].iter().skip(cut);
        let text: String = chars[..at].iter().copied().chain(put.chars()).chain(tail.copied()).collect();
        let (ours, theirs) = (python_json::read(&text), serde_json::from_str::<serde_json::Value>(&text));
        match (ours, theirs) {
            // Whole numbers beyond 64 bits, and -0, are no whole numbers there.
            (Ok(_), Ok(_)) if text.contains("-0") || longest_run_of_digits(&text) > 18 => {}
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(form(&ours, false), form(&Value::from(&theirs), false), "{}", text),
            (Ok(_), Err(why)) => {
                let odd = ["NaN", "Infinity", "\\ud", "\\uD", "e", "E"].iter().any(|odd| text.contains(odd));
                prop_assert!(odd, "{}: {}", text, why);
            }
            (Err(why), Ok(_)) => prop_assert!(false, "{}: {}", text, why),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for coding in python_json::codings(&bytes) {
            let text = python_json::decode(&bytes, *coding);
            prop_assert!(text.len() <= 2 * bytes.len());
            let _ = python_json::read(&text);
        }
    }
}
