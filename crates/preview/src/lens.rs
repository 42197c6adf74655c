//! The cameras of a file: none is looked through, but the reference's loader makes one of the first that a node names,
//! and fails where that cannot be done.

use super::json::{Object, wrap_index};
use super::numbers::number_of;
use super::refusal::{Checked, Refusal, RefusalCode};
use python_json::Value;

/// Makes the camera of a node, as far as that can fail. Whether it is one: keys that are missing, and lenses of another
/// kind, make none.
pub(crate) fn make(document: Object<'_>, index: &Value, place: &str) -> Checked<bool> {
    let bad = |message| Refusal::new(RefusalCode::SceneNodes, format!("{place}.camera"), message);
    let camera = match (document.get("cameras"), index) {
        (None, _) => return Ok(false),
        (Some(Value::Array(list)), _) => number_within(index, list.len()).and_then(|at| list.get(at)),
        // A letter of a text is a camera without a lens.
        (Some(Value::String(text)), _) if number_within(index, text.shown().chars().count()).is_some() => {
            return Ok(false);
        }
        (Some(Value::Object(_)), Value::Array(_) | Value::Object(_)) => None,
        (Some(Value::Object(map)), Value::String(key)) => match map.get(key) {
            None => return Ok(false),
            found => found,
        },
        (Some(Value::Object(_)), _) => return Ok(false),
        (Some(_), _) => None,
    };
    let camera = camera.ok_or_else(|| bad("no such camera"))?;
    match camera {
        Value::Object(camera) => Ok(match camera.get(&b"perspective"[..]) {
            None => false,
            Some(lens) => lens_is_whole(lens, camera.get(&b"name"[..])).ok_or_else(|| bad("a camera of odd values"))?,
        }),
        Value::Array(items) if items.iter().all(|item| item.as_str() != Some("perspective")) => Ok(false),
        Value::String(text) if !text.shown().contains("perspective") => Ok(false),
        _ => Err(bad("a camera that is not a JSON object")),
    }
}

fn number_within(index: &Value, len: usize) -> Option<usize> {
    wrap_index(index.as_i64()?, len)
}

/// `None` where the reference fails, false where it finds a key missing.
fn lens_is_whole(lens: &Value, name: Option<&Value>) -> Option<bool> {
    let lens = lens.as_object()?;
    let value = |key: &[u8]| lens.get(key);
    let (Some(near), Some(ratio), Some(angle)) = (value(b"znear"), value(b"aspectRatio"), value(b"yfov")) else {
        return Some(false);
    };
    // An angle has to be one number of 64 bits.
    let angle = match angle {
        Value::Big(digits) => digits.parse::<u64>().is_ok(),
        _ => angle.is_number(),
    };
    let named = !name.is_some_and(|name| name.is_array() || name.is_object());
    (angle && named && ratio.is_number() && number_of(near).is_some()).then_some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What becomes of the node that names the camera `index`; `cameras` are JSON.
    fn made(cameras: &str, index: &str) -> Option<bool> {
        let document = python_json::read(&format!(r#"{{"cameras": {cameras}, "node": {index}}}"#)).unwrap();
        let document = Object::of(&document, "").unwrap();
        make(document, document.get("node").unwrap(), "nodes[0]").ok()
    }

    /// A sound camera but for the value of one key.
    fn with(key: &str, value: &str) -> String {
        let mut lens = vec![("yfov", "1"), ("aspectRatio", "1"), ("znear", "0.1")];
        lens.retain(|(k, _)| *k != key);
        lens.push((key, value));
        let lens: Vec<String> = lens.iter().map(|(k, v)| format!(r#""{k}": {v}"#)).collect();
        format!(r#"[{{"perspective": {{{}}}}}]"#, lens.join(", "))
    }

    #[test]
    fn values_of_a_lens_are_taken_as_the_reference_takes_them() {
        let huge = format!("1{}", "0".repeat(400));
        // By the reference's own verdicts: of the angle, the ratio and the distance.
        for (value, sound) in [
            ("null", [false; 3]),
            (r#""x""#, [false; 3]),
            (r#""1""#, [false, false, true]),
            (r#"" 1_0 ""#, [false, false, true]),
            (r#""nan""#, [false, false, true]),
            (r#""\u0661""#, [false, false, true]),
            (r#""""#, [false; 3]),
            ("0", [true; 3]),
            ("-1", [true; 3]),
            ("true", [true; 3]),
            ("1e400", [true; 3]),
            ("NaN", [true; 3]),
            ("[]", [false; 3]),
            ("[1]", [false; 3]),
            ("[[1]]", [false; 3]),
            ("{}", [false; 3]),
            ("18446744073709551615", [true; 3]),
            ("18446744073709551616", [false, true, true]),
            ("-9223372036854775808", [true; 3]),
            ("-9223372036854775809", [false, true, true]),
            (&huge, [false; 3]),
        ] {
            for (key, sound) in ["yfov", "aspectRatio", "znear"].iter().zip(sound) {
                assert_eq!(made(&with(key, value), "0"), sound.then_some(true), "{key}: {value}");
            }
        }
    }

    #[test]
    fn cameras_of_every_shape_are_looked_up_as_the_reference_does() {
        let sound = with("", "0");
        // By the reference's own verdicts.
        for (cameras, index, expected) in [
            (sound.as_str(), "0", Some(true)),
            (&sound, "-1", Some(true)),
            (&sound, "false", Some(true)),
            (&sound, "true", None),
            (&sound, "1", None),
            (&sound, "null", None),
            (&sound, r#""0""#, None),
            (&sound, "0.0", None),
            (&sound, "[]", None),
            ("null", "0", None),
            ("3", "0", None),
            ("true", "0", None),
            ("[]", "0", None),
            ("[null]", "0", None),
            ("[3]", "0", None),
            ("[true]", "0", None),
            ("[[]]", "0", Some(false)),
            (r#"[["perspective"]]"#, "0", None),
            (r#"["perspect"]"#, "0", Some(false)),
            (r#"["a perspective"]"#, "0", None),
            ("[{}]", "0", Some(false)),
            (r#"[{"perspective": {}}]"#, "0", Some(false)),
            (r#"[{"perspective": {"znear": null}}]"#, "0", Some(false)),
            (r#"[{"perspective": null}]"#, "0", None),
            (r#"[{"perspective": []}]"#, "0", None),
            (r#"[{"perspective": "znear"}]"#, "0", None),
            (r#"[{"perspective": 5}]"#, "0", None),
            (r#"[{"orthographic": null}]"#, "0", Some(false)),
            ("{}", "0", Some(false)),
            ("{}", "null", Some(false)),
            ("{}", "[]", None),
            ("{}", "{}", None),
            (r#"{"0": {}}"#, r#""0""#, Some(false)),
            (r#"{"0": null}"#, r#""0""#, None),
            (r#""x""#, "0", Some(false)),
            (r#""x""#, "true", None),
            (r#""x""#, r#""x""#, None),
            (r#""""#, "0", None),
        ] {
            assert_eq!(made(cameras, index), expected, "{cameras} at {index}");
        }
    }

    #[test]
    fn a_name_is_whatever_can_be_a_key() {
        let lens = json!({"yfov": 1, "aspectRatio": 1, "znear": 1});
        let named = |name: Value| made(&json!([{"perspective": lens, "name": name}]).to_string(), "0");
        for name in [json!(null), json!("a"), json!(""), json!(5), json!(1.5), json!(false)] {
            assert_eq!(named(name), Some(true));
        }
        assert_eq!((named(json!([])), named(json!({}))), (None, None));
    }
}
