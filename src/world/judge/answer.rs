//! A chat completion, read strictly: an answer that is not just what was asked for is no answer.
//!
//! Nothing is fished out of surrounding text, reasoning fields or cut-off JSON: what looks like a
//! penalty there may be a draft, and a wrong penalty decides who is paid.

use serde::Deserialize;

use crate::rules::duel::Penalties;

/// The worst penalty.
const WORST: u8 = 10;

/// The part of a chat completion that is read.
#[derive(Debug, Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<String>,
}

/// The answer itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    penalty_1: u8,
    penalty_2: u8,
    issues: String,
}

/// Takes the judge's text out of a chat completion's body.
///
/// # Errors
/// Why there is none.
pub fn content(body: &[u8]) -> Result<String, String> {
    let completion: Completion =
        serde_json::from_slice(body).map_err(|e| format!("the answer is no chat completion: {e}"))?;
    let choice = completion.choices.into_iter().next().ok_or("the answer has no choices")?;
    match choice.finish_reason.as_deref() {
        None | Some("stop") => {}
        Some("length") => return Err("the answer was cut off (finish_reason length)".to_owned()),
        Some(_) => return Err("the answer was stopped for another reason than its end".to_owned()),
    }
    choice.message.content.filter(|text| !text.is_empty()).ok_or_else(|| "the answer has no content".to_owned())
}

/// Reads the judge's text: a JSON object of two penalties and the issues, and nothing else.
///
/// # Errors
/// What is wrong with it.
pub fn penalties(text: &str) -> Result<Penalties, String> {
    // serde would take a list of the three values, too.
    if !text.trim_start().starts_with('{') {
        return Err("the answer is not the JSON asked for: no object".to_owned());
    }
    let form: Form = serde_json::from_str(text).map_err(|e| format!("the answer is not the JSON asked for: {e}"))?;
    if let Some(wrong) = [form.penalty_1, form.penalty_2].into_iter().find(|penalty| *penalty > WORST) {
        return Err(format!("the penalty {wrong} is not in 0 to {WORST}"));
    }
    Ok(Penalties { first: form.penalty_1, second: form.penalty_2, issues: form.issues })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn just_the_object_is_an_answer() {
        let read = penalties(" {\"issues\": \"a\", \"penalty_2\": 10,\n \"penalty_1\": 0}\n").unwrap();
        assert_eq!(read, Penalties { first: 0, second: 10, issues: "a".to_owned() });
        for odd in [
            "",
            "null",
            "[1, 2, \"\"]",
            "Sure! {\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\"} I hope this helps",
            "```json\n{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\"}\n```",
            "<think>3</think>{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"cut",
            "{\"penalty_1\": 1, \"penalty_2\": 2}",
            "{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": null}",
            "{\"penalty_1\": 1, \"penalty_2\": 42, \"issues\": \"\"}",
            "{\"penalty_1\": 11, \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": -1, \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": 5.0, \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": \"5\", \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": 1, \"penalty_1\": 9, \"penalty_2\": 2, \"issues\": \"\"}",
            "{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\", \"penalty_3\": 0}",
        ] {
            assert!(penalties(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_text_is_the_content_of_a_finished_choice() {
        let body = |message: &str, finish: &str| {
            format!(
                "{{\"choices\": [{{\"index\": 0, \"message\": {message}, \"finish_reason\": {finish}}}], \"id\": 1}}"
            )
        };
        assert_eq!(content(body("{\"content\": \"x\", \"reasoning\": \"y\"}", "\"stop\"").as_bytes()).unwrap(), "x");
        assert_eq!(content(body("{\"content\": \"x\"}", "null").as_bytes()).unwrap(), "x");
        for (message, finish) in [
            ("{\"content\": \"x\"}", "\"length\""),
            ("{\"content\": \"x\"}", "\"content_filter\""),
            ("{\"content\": null, \"reasoning_content\": \"{}\"}", "\"stop\""),
            ("{\"content\": \"\", \"reasoning\": \"{}\"}", "\"stop\""),
            ("{\"refusal\": \"no\"}", "\"stop\""),
        ] {
            assert!(content(body(message, finish).as_bytes()).is_err(), "{message} {finish}");
        }
        for odd in ["", "{}", "{\"choices\": []}", "<html>"] {
            assert!(content(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
