//! Reads a chat completion: the judge's text, or why there is none.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::AnswerError;
use crate::http::shown_text;

/// Ends by a limit on tokens, in lower case.
const CUT_OFF: [&str; 8] = [
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "max_length",
    "model_length",
    "model_context_window_exceeded",
    "token_limit",
];

/// Ends by a filter, and with a call.
const FILTERED: [&str; 7] =
    ["content_filter", "content_filtered", "safety", "recitation", "prohibited_content", "blocklist", "sensitive"];
const CALLS: [&str; 4] = ["tool_calls", "tool_call", "tool_use", "function_call"];

/// No answer takes more tokens: a server that says so is wrong.
const MOST_TOKENS: u64 = 1 << 32;

/// The part of a chat completion that is used.
#[derive(Debug, Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Map<String, Value>,
    #[serde(default)]
    finish_reason: Value,
}

/// Extracts the judge's text from a chat completion.
///
/// # Errors
/// Why there is none.
pub(super) fn content(completion: &Value) -> Result<String, AnswerError> {
    if let Some(error) = error(completion) {
        return Err(AnswerError::Error(shown_text(&error, 200)));
    }
    let completion =
        Completion::deserialize(completion).map_err(|e| AnswerError::NoCompletion(shown_text(&e.to_string(), 200)))?;
    let Choice { message, finish_reason } = completion.choices.into_iter().next().ok_or(AnswerError::NoChoices)?;
    if let Some(refusal) = refusal(&message) {
        return Err(AnswerError::Refused(shown_text(&refusal, 200)));
    }
    check_end(&finish_reason)?;
    let reasons = message.iter().any(|(name, value)| is_reasoning(name) && is_some(value));
    let (text, reasons) = match message.get("content").unwrap_or(&Value::Null) {
        Value::Null => (String::new(), reasons),
        Value::String(text) => (text.clone(), reasons),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(answer_text).collect();
            (texts.concat(), reasons || parts.iter().any(|part| answer_text(part).is_none()))
        }
        _ => return Err(AnswerError::NoText),
    };
    match text.trim().is_empty() {
        false => Ok(text),
        true if reasons => Err(AnswerError::OnlyReasoning),
        true => Err(AnswerError::NoContent),
    }
}

/// The tokens of the question and the answer together, if the server names them in any of the usual ways.
pub(super) fn tokens(completion: &Value) -> Option<u64> {
    let count = |name: &str| count(completion, name);
    let both = |a, b| Some(count(a)? + count(b)?);
    count("total_tokens")
        .or_else(|| both("prompt_tokens", "completion_tokens"))
        .or_else(|| both("input_tokens", "output_tokens"))
        .filter(|tokens| *tokens > 0)
}

/// The tokens of the question, and those of the answer, as far as the server names them.
pub(super) fn usage(completion: &Value) -> (Option<u64>, Option<u64>) {
    let either = |a, b| count(completion, a).or_else(|| count(completion, b));
    (either("prompt_tokens", "input_tokens"), either("completion_tokens", "output_tokens"))
}

/// A count of tokens in the answer's `usage`.
fn count(completion: &Value, name: &str) -> Option<u64> {
    completion.get("usage")?.get(name)?.as_u64().filter(|count| *count <= MOST_TOKENS)
}

/// The model as the server names it.
pub(super) fn model(completion: &Value) -> Option<&str> {
    completion.get("model")?.as_str().filter(|name| !name.trim().is_empty())
}

/// Refuses any end but `stop`.
fn check_end(reason: &Value) -> Result<(), AnswerError> {
    let shown = || shown_text(&reason.as_str().map_or_else(|| reason.to_string(), str::to_owned), 40);
    let known = reason.as_str().map(str::to_ascii_lowercase);
    let is_of = |ends: &[&str]| known.as_deref().is_some_and(|known| ends.contains(&known));
    match reason {
        Value::Null => Ok(()),
        _ if is_of(&["stop"]) => Ok(()),
        _ if is_of(&CUT_OFF) => Err(AnswerError::CutOff(shown())),
        _ if is_of(&FILTERED) => Err(AnswerError::Filtered(shown())),
        _ if is_of(&CALLS) => Err(AnswerError::CallsTools(shown())),
        Value::String(text) if text.trim().is_empty() => Err(AnswerError::Unfinished(reason.to_string())),
        _ => Err(AnswerError::Unfinished(shown())),
    }
}

/// An error instead of an answer, in the shapes that servers use under status 200: its code and message.
fn error(completion: &Value) -> Option<String> {
    let first = completion.get("choices").and_then(|choices| choices.get(0));
    let errors = completion.get("errors").and_then(|errors| errors.get(0));
    let named = [completion.get("error"), errors, first.and_then(|choice| choice.get("error"))];
    let itself = (completion.get("object").and_then(Value::as_str) == Some("error")).then_some(completion);
    let error = named.into_iter().chain([itself]).flatten().find(|error| !error.is_null())?;
    let words = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    let code = error.get("code").filter(|code| code.is_number() || code.as_str().is_some_and(|code| !code.is_empty()));
    Some(code.map_or_else(|| words.clone(), |code| format!("{words} (code {code})")))
}

/// What a refusal says: the message's, or that of a part.
fn refusal(message: &Map<String, Value>) -> Option<String> {
    let parts = message.get("content").and_then(Value::as_array).into_iter().flatten();
    let mut all = message.get("refusal").into_iter().chain(parts.filter_map(|part| part.get("refusal")));
    let refusal = all.find(|refusal| is_some(refusal))?;
    let words = ["message", "text", "reason", "refusal"].into_iter().find_map(|name| refusal.get(name)?.as_str());
    Some(refusal.as_str().or(words).map_or_else(|| refusal.to_string(), str::to_owned))
}

/// The text of a part of the answer itself. Every other part is reasoning.
fn answer_text(part: &Value) -> Option<&str> {
    let kind = part.get("type").map_or(Some("text"), Value::as_str)?;
    let is_thought = part.get("thought").is_some_and(is_some);
    let text = part.get("text").and_then(Value::as_str)?;
    (matches!(kind, "text" | "output_text") && !is_thought).then_some(text)
}

/// Is this a message's member with reasoning? Servers have a dozen names for it.
fn is_reasoning(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.ends_with("reason") && ["reasoning", "thinking", "thought"].iter().any(|word| name.contains(word))
}

/// Does a member say anything?
fn is_some(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(message: &Value, finish: &Value) -> Result<String, AnswerError> {
        content(&json!({"choices": [{"message": message, "finish_reason": finish}], "id": 1}))
    }

    #[test]
    fn errors_and_parts_are_read_in_every_shape() {
        let text = |kind: &str, text: &str| json!({"type": kind, "text": text});
        for parts in [
            json!([text("text", "{\"a\":"), text("output_text", "1}")]),
            json!([text("thinking", "draft"), text("text", "{\"a\":1}")]),
            json!([text("reasoning", "draft"), {"text": "{\"a\":1}"}, text("summary_text", "so")]),
            json!([{"type": "thinking", "thinking": [text("text", "draft")]}, text("text", "{\"a\":1}")]),
            json!([{"type": "text", "text": "draft", "thought": true}, text("text", "{\"a\":1}")]),
        ] {
            assert_eq!(of(&json!({"content": parts}), &json!("stop")).unwrap(), "{\"a\":1}", "{parts}");
        }
        for (completion, said) in [
            (json!({"error": {"message": "bad model", "code": 404}}), "an error: bad model (code 404)"),
            (json!({"errors": [{"message": "bad model"}]}), "an error: bad model"),
            (json!({"object": "error", "message": "down", "code": 500}), "an error: down (code 500)"),
            (json!({"choices": [{"error": {"message": "provider down"}}]}), "an error: provider down"),
            (json!(""), "not a chat completion"),
            (json!({}), "not a chat completion"),
            (json!({"choices": [{"message": null}]}), "not a chat completion"),
            (json!({"choices": []}), "no choices"),
        ] {
            let why = content(&completion).unwrap_err().to_string();
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn a_refusal_is_named_in_every_shape() {
        for message in [
            json!({"refusal": "I cannot"}),
            json!({"content": "x", "refusal": {"message": "I cannot"}}),
            json!({"content": null, "refusal": [{"x": "I cannot"}]}),
            json!({"content": [{"type": "refusal", "refusal": "I cannot"}]}),
        ] {
            let why = of(&message, &json!("stop")).unwrap_err().to_string();
            assert!(why.contains("refuses to answer") && why.contains("I cannot"), "{why}");
        }
        for none in [json!(null), json!(false), json!(""), json!({}), json!([])] {
            assert_eq!(of(&json!({"content": "x", "refusal": none}), &json!("stop")).unwrap(), "x");
        }
    }

    #[test]
    fn the_model_and_the_tokens_are_those_that_the_server_names() {
        let answer = |usage: Value| json!({"model": "m-2", "usage": usage, "choices": []});
        let openai = answer(json!({"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280}));
        assert_eq!((model(&openai), usage(&openai)), (Some("m-2"), (Some(1200), Some(80))));
        assert_eq!(usage(&answer(json!({"input_tokens": 7, "output_tokens": 0}))), (Some(7), Some(0)));
        for odd in [json!(null), json!({}), json!({"prompt_tokens": -1}), json!({"prompt_tokens": 1e18}), json!([1])] {
            assert_eq!(usage(&answer(odd)), (None, None));
        }
        for odd in [json!({}), json!({"model": 7}), json!({"model": " "}), json!([])] {
            assert_eq!(model(&odd), None);
        }
    }

    #[test]
    fn any_end_but_stop_is_named() {
        for finish in [json!(null), json!("stop"), json!("STOP")] {
            assert_eq!(of(&json!({"content": "x", "reasoning": "y"}), &finish).unwrap(), "x", "{finish}");
        }
        for (finish, named, hint) in [
            (json!("length"), "finish_reason length", "max_tokens"),
            (json!("LENGTH"), "LENGTH", "max_tokens"),
            (json!("MAX_TOKENS"), "MAX_TOKENS", "max_tokens"),
            (json!("max_output_tokens"), "max_output_tokens", "max_tokens"),
            (json!("model_length"), "model_length", "max_tokens"),
            (json!("Content_Filter"), "Content_Filter", "filter"),
            (json!("SAFETY"), "SAFETY", "filter"),
            (json!("tool_use"), "tool_use", "tool"),
            (json!("end_turn"), "finish_reason end_turn", ""),
            (json!(""), "finish_reason \"\"", ""),
            (json!(5), "finish_reason 5", ""),
            (json!(true), "finish_reason true", ""),
            (json!([]), "finish_reason []", ""),
            (json!({"type": "length"}), "finish_reason {\"type\":\"length\"}", ""),
        ] {
            let why = of(&json!({"content": "x"}), &finish).unwrap_err();
            assert!(why.to_string().contains(named), "{why}");
            assert!(why.hint().map_or(hint.is_empty(), |said| !hint.is_empty() && said.contains(hint)), "{finish}");
        }
    }

    #[test]
    fn reasoning_without_content_is_named() {
        let thinking = json!([{"type": "thinking", "thinking": "x"}]);
        for message in [
            json!({"content": null, "reasoning_content": "{}"}),
            json!({"content": "", "reasoning": "{}"}),
            json!({"content": " \n", "reasoning": {"text": "x"}}),
            json!({"reasoning_details": [{"type": "reasoning.text", "text": "x"}]}),
            json!({"content": [], "thinking": "x"}),
            json!({"content": null, "thinking_blocks": thinking}),
            json!({"content": thinking}),
            json!({"content": [{"type": "reasoning", "text": "{}"}]}),
        ] {
            assert_eq!(of(&message, &json!("stop")), Err(AnswerError::OnlyReasoning), "{message}");
        }
        for message in [
            json!({}),
            json!({"content": null, "reasoning": null, "reasoning_details": [], "thinking": ""}),
            json!({"content": [], "stop_reason": "x"}),
            json!({"content": [{"type": "text", "text": ""}]}),
        ] {
            assert_eq!(of(&message, &json!("stop")), Err(AnswerError::NoContent), "{message}");
        }
        assert_eq!(of(&json!({"content": 7}), &json!("stop")), Err(AnswerError::NoText));
    }
}
