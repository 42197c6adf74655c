//! Reads a chat completion strictly: anything but what was asked for counts as no answer.
//!
//! Nothing is extracted from surrounding text, reasoning fields or truncated JSON: what looks like a penalty
//! there may be a draft, and a wrong penalty decides who is paid.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;

use crate::base::text;
use crate::model::penalties::Penalties;
use crate::world::http::{NoJson, shown_text};

/// The worst penalty.
const WORST: u8 = 10;

/// How many characters of a judge's issues are kept: they are committed to git with every duel.
pub(crate) const LONGEST_ISSUES: usize = 2000;

/// A longer text is kept only in compact form.
const LONGEST_RAW: usize = 16 << 10;

/// The part of a chat completion that is used.
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
    content: Option<Value>,
    refusal: Option<Value>,
    reasoning: Option<Value>,
    reasoning_content: Option<Value>,
}

/// Why a completion is not a valid answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(crate) enum AnswerError {
    #[error("the answer is not JSON: {why}: {body}")]
    NoJson { why: NoJson, body: String },
    #[error("the answer is an error: {0}")]
    Error(String),
    #[error("the answer is not a chat completion: {0}")]
    NoCompletion(String),
    #[error("the answer has no choices")]
    NoChoices,
    #[error("the judge refuses to answer: {0}")]
    Refused(String),
    #[error("the answer was cut off (finish_reason length)")]
    CutOff,
    #[error("the server withheld the answer (finish_reason content_filter)")]
    Filtered,
    #[error("the judge called a tool instead of answering (finish_reason {0})")]
    CallsTools(String),
    #[error("the answer did not finish (finish_reason {0})")]
    Unfinished(String),
    #[error("the answer has reasoning, but no content")]
    OnlyReasoning,
    #[error("the answer has no content")]
    NoContent,
    #[error("the answer's content is not text")]
    NoText,
    #[error("the answer is not the JSON asked for: {0}")]
    OtherJson(String),
    #[error("the penalty {0} is not in 0 to {worst}", worst = WORST)]
    Penalty(u8),
}

impl AnswerError {
    /// What to do about it.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            AnswerError::CutOff => {
                Some("[judge] max_tokens in gen404.toml is the most tokens of an answer, reasoning included: raise it")
            }
            AnswerError::Filtered => Some(
                "the server's content filter stops such pictures: switch it off there, or name another judge ([judge] \
                 base_url and model in gen404.toml)",
            ),
            AnswerError::CallsTools(_) => Some(
                "no tools are offered to the judge: start vLLM without --enable-auto-tool-choice and --tool-call-parser, \
                 or name another model",
            ),
            AnswerError::OnlyReasoning => Some(
                "the server's reasoning parser takes the answer for reasoning: start vLLM without --reasoning-parser, \
                 or raise [judge] max_tokens",
            ),
            _ => None,
        }
    }
}

/// The answer itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PenaltyForm {
    penalty_1: u8,
    penalty_2: u8,
    issues: String,
}

/// Extracts the judge's text from a chat completion.
///
/// # Errors
/// Why there is none.
pub(crate) fn content(completion: &Value) -> Result<String, AnswerError> {
    if let Some(error) = error(completion) {
        return Err(AnswerError::Error(shown_text(&error, 200)));
    }
    let completion =
        Completion::deserialize(completion).map_err(|e| AnswerError::NoCompletion(shown_text(&e.to_string(), 200)))?;
    let Choice { message, finish_reason } = completion.choices.into_iter().next().ok_or(AnswerError::NoChoices)?;
    let refusal = message.refusal.as_ref().and_then(Value::as_str).map(str::to_owned);
    let refusal = refusal.or_else(|| parts(message.content.as_ref(), "refusal"));
    if let Some(refusal) = refusal.filter(|refusal| !refusal.is_empty()) {
        return Err(AnswerError::Refused(shown_text(&refusal, 200)));
    }
    match finish_reason.as_deref() {
        None | Some("stop") => {}
        Some("length") => return Err(AnswerError::CutOff),
        Some("content_filter") => return Err(AnswerError::Filtered),
        Some(calls @ ("tool_calls" | "function_call")) => return Err(AnswerError::CallsTools(calls.to_owned())),
        Some(other) => {
            return Err(AnswerError::Unfinished(shown_text(other, 40)));
        }
    }
    let beside = [message.reasoning, message.reasoning_content].into_iter().flatten();
    let reasons = beside.into_iter().any(|reasoning| reasoning.as_str().is_some_and(|text| !text.is_empty()));
    let missing = if reasons { AnswerError::OnlyReasoning } else { AnswerError::NoContent };
    let text = match message.content {
        None => None,
        Some(Value::String(text)) => Some(text),
        content @ Some(Value::Array(_)) => parts(content.as_ref(), "text"),
        Some(_) => return Err(AnswerError::NoText),
    };
    text.filter(|text| !text.is_empty()).ok_or(missing)
}

/// Codes and types with which servers say that the account is out of money, which no retry changes.
const NO_MONEY: [&str; 7] = [
    "insufficient_quota",
    "insufficient_funds",
    "insufficient_balance",
    "insufficient_credits",
    "billing_hard_limit_reached",
    "billing_not_active",
    "payment_required",
];

/// Does an error, whatever its status, say that the account is out of money or quota? A rate limit does not
/// count.
pub(super) fn wants_money(body: &Value) -> bool {
    let first = body.get("choices").and_then(|choices| choices.get(0));
    let named = [Some(body), body.get("error"), body.get("detail"), first.and_then(|choice| choice.get("error"))];
    let says = |error: &Value| {
        let member = |name: &str| error.get(name);
        let words = ["code", "type", "error", "status"].into_iter().filter_map(member);
        words.into_iter().any(|word| match word {
            Value::Number(code) => code.as_u64() == Some(402),
            Value::String(word) => NO_MONEY.contains(&word.to_ascii_lowercase().as_str()) || word == "402",
            _ => false,
        })
    };
    named.into_iter().flatten().any(says)
}

/// An error instead of an answer, in the shapes that servers use under status 200: its code and message.
fn error(completion: &Value) -> Option<String> {
    let first = completion.get("choices").and_then(|choices| choices.get(0));
    let named = [completion.get("error"), first.and_then(|choice| choice.get("error"))];
    let itself = (completion.get("object").and_then(Value::as_str) == Some("error")).then_some(completion);
    let error = named.into_iter().chain([itself]).flatten().find(|error| !error.is_null())?;
    let words = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    let code = error.get("code").filter(|code| code.is_u64() || code.as_str().is_some_and(|code| !code.is_empty()));
    Some(code.map_or_else(|| words.clone(), |code| format!("{words} (code {code})")))
}

/// The texts of a content's parts of one type, joined; `None` if it has none.
fn parts(content: Option<&Value>, kind: &str) -> Option<String> {
    let parts = content?.as_array()?.iter();
    let texts: Vec<&str> = parts.filter_map(|part| part.get(kind).and_then(Value::as_str)).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

/// Parses the judge's text: a JSON object with two penalties and the issues, and nothing else.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn penalties(said: &str) -> Result<Penalties, AnswerError> {
    // serde would also accept a list of the three values.
    if !said.trim_start().starts_with('{') {
        return Err(AnswerError::OtherJson("not an object".to_owned()));
    }
    let form = form(said)?;
    if let Some(wrong) = [form.penalty_1, form.penalty_2].into_iter().find(|penalty| *penalty > WORST) {
        return Err(AnswerError::Penalty(wrong));
    }
    Ok(Penalties { first: form.penalty_1, second: form.penalty_2, issues: text::cut(&form.issues, LONGEST_ISSUES) })
}

fn form(said: &str) -> Result<PenaltyForm, AnswerError> {
    serde_json::from_str(said).map_err(|e| AnswerError::OtherJson(shown_text(&e.to_string(), 200)))
}

/// Parses the judge's text into an answer. `hide` removes from the issues what must not be kept. The text is
/// kept as received, unless it is much longer than its contents.
///
/// # Errors
/// As [`penalties`].
pub(crate) fn read(raw: String, hide: impl Fn(&str) -> String) -> Result<Answer, AnswerError> {
    let said = penalties(&raw)?;
    let form = form(&raw)?;
    let penalties = Penalties { issues: text::cut(&hide(&form.issues), LONGEST_ISSUES), ..said };
    if penalties.issues == form.issues && raw.len() <= LONGEST_RAW {
        return Ok(Answer { raw, penalties });
    }
    let Penalties { first, second, issues } = &penalties;
    let raw = json!({"penalty_1": first, "penalty_2": second, "issues": issues}).to_string();
    Ok(Answer { raw, penalties })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_parts_are_read_in_every_shape() {
        let of = |message: Value| json!({"choices": [{"message": message, "finish_reason": "stop"}]});
        let parts = json!([{"type": "text", "text": "{\"a\":"}, {"type": "text", "text": "1}"}]);
        assert_eq!(content(&of(json!({"content": parts}))).unwrap(), "{\"a\":1}");
        for (completion, said) in [
            (json!({"error": {"message": "bad model", "code": 404}}), "an error: bad model (code 404)"),
            (json!({"object": "error", "message": "down", "code": 500}), "an error: down (code 500)"),
            (json!({"choices": [{"error": {"message": "provider down"}}]}), "an error: provider down"),
            (of(json!({"content": [{"type": "refusal", "refusal": "I cannot"}]})), "refuses to answer: I cannot"),
            (of(json!({"content": []})), "no content"),
            (of(json!({"content": 7})), "not text"),
        ] {
            let why = content(&completion).unwrap_err().to_string();
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn a_want_of_money_is_known_in_every_shape() {
        for body in [
            json!({"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": null}}),
            json!({"error": {"code": "insufficient_quota"}}),
            json!({"error": {"code": 402, "message": "Insufficient credits"}}),
            json!({"code": "402"}),
            json!({"detail": {"error": "payment_required"}}),
            json!({"choices": [{"error": {"code": 402}}]}),
        ] {
            assert!(wants_money(&body), "{body}");
        }
        for body in [
            json!({"error": {"code": "rate_limit_exceeded", "type": "requests"}}),
            json!({"error": "insufficient_quota_of_patience"}),
            json!({"choices": [{"message": {"content": "insufficient_quota"}}]}),
            json!([402]),
            json!(null),
        ] {
            assert!(!wants_money(&body), "{body}");
        }
    }

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
            let choice = format!("{{\"index\": 0, \"message\": {message}, \"finish_reason\": {finish}}}");
            serde_json::from_str(&format!("{{\"choices\": [{choice}], \"id\": 1}}")).unwrap()
        };
        assert_eq!(content(&body("{\"content\": \"x\", \"reasoning\": \"y\"}", "\"stop\"")).unwrap(), "x");
        assert_eq!(content(&body("{\"content\": \"x\"}", "null")).unwrap(), "x");
        for (message, finish) in [
            ("{\"content\": \"x\"}", "\"length\""),
            ("{\"content\": \"x\"}", "\"content_filter\""),
            ("{\"content\": null, \"reasoning_content\": \"{}\"}", "\"stop\""),
            ("{\"content\": \"\", \"reasoning\": \"{}\"}", "\"stop\""),
            ("{\"refusal\": \"no\"}", "\"stop\""),
        ] {
            assert!(content(&body(message, finish)).is_err(), "{message} {finish}");
        }
        for odd in [json!(""), json!({}), json!({"choices": []})] {
            assert!(content(&odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let same = |text: &str| text.to_owned();
        let raw = |issues: &str| json!({"penalty_1": 1, "penalty_2": 2, "issues": issues}).to_string();
        let short = format!(" {} ", raw("é"));
        assert_eq!(read(short.clone(), same).unwrap().raw, short, "as it came");
        let long = read(raw(&"é".repeat(100_000)), same).unwrap();
        assert_eq!(long.penalties.issues, format!("{}…", "é".repeat(LONGEST_ISSUES - 1)));
        assert_eq!(penalties(&long.raw).unwrap(), long.penalties, "a journal gives the same answer");
        assert!(long.raw.len() < 8 * LONGEST_ISSUES);
        let spaced = format!("{}{}", " ".repeat(LONGEST_RAW), raw("é"));
        assert_eq!(read(spaced, same).unwrap().raw, raw("é"));
        let hidden = read(raw("the key is \u{6b}ey"), |text| text.replace("key", "***")).unwrap();
        assert!(!hidden.raw.contains("key") && hidden.penalties.issues == "the *** is ***");
    }
}
