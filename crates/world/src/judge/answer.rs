//! Reads a judge's text strictly: anything but what was asked for counts as no answer.
//!
//! Nothing is extracted from surrounding text, reasoning fields or truncated JSON: what looks like a penalty
//! there may be a draft, and a wrong penalty decides who is paid.

use serde::Deserialize;
use serde_json::json;

use super::Answer;

use crate::base::text;
use crate::http::{NoJson, shown_text};
use crate::model::answers::WORST_PENALTY;
use crate::model::penalties::{AnswerOrigin, Penalties};

/// How many characters of a judge's issues are kept: they are committed to git with every duel.
pub const LONGEST_ISSUES: usize = 2000;

/// A longer text is kept only in compact form.
const LONGEST_RAW: usize = 16 << 10;

/// Why a completion is not a valid answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum AnswerError {
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
    #[error("the answer was cut off (finish_reason {0})")]
    CutOff(String),
    #[error("the server withheld the answer (finish_reason {0})")]
    Filtered(String),
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
    #[error("the penalty {0} is not in 0 to {worst}", worst = WORST_PENALTY)]
    Penalty(u8),
}

impl AnswerError {
    /// What to do about it.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            AnswerError::CutOff(_) => Some(
                "[judge] max_tokens in gen404.toml (max_completion_tokens, if it is set) is the most tokens of an answer, \
                     reasoning included: raise it",
            ),
            AnswerError::Filtered(_) => Some(
                "the server's content filter stops such pictures: switch it off there, or name another judge ([judge] \
                 base_url and model in gen404.toml)",
            ),
            AnswerError::CallsTools(_) => Some(
                "no tools are offered to the judge: start vLLM without --enable-auto-tool-choice and --tool-call-parser, \
                 or name another model",
            ),
            AnswerError::OnlyReasoning => Some(
                "the server's reasoning parser takes the answer for reasoning: start vLLM without --reasoning-parser, \
                 or raise [judge] max_tokens (max_completion_tokens, if it is set)",
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

/// Parses the judge's text: a JSON object with two penalties and the issues, and nothing else.
///
/// # Errors
/// What is wrong with it.
pub fn penalties(said: &str) -> Result<Penalties, AnswerError> {
    // serde would also accept a list of the three values.
    if !said.trim_start().starts_with('{') {
        return Err(AnswerError::OtherJson("not an object".to_owned()));
    }
    let form = form(said)?;
    if let Some(wrong) = [form.penalty_1, form.penalty_2].into_iter().find(|penalty| *penalty > WORST_PENALTY) {
        return Err(AnswerError::Penalty(wrong));
    }
    Ok(Penalties { first: form.penalty_1, second: form.penalty_2, issues: text::cut(&form.issues, LONGEST_ISSUES) })
}

fn form(said: &str) -> Result<PenaltyForm, AnswerError> {
    serde_json::from_str(said).map_err(|e| AnswerError::OtherJson(shown_text(&e.to_string(), 200)))
}

/// Parses the judge's text into an answer. `hide` removes from the issues what must not be kept. The text is
/// kept as received, unless it is much longer than its contents. How it was obtained is left to the caller.
///
/// # Errors
/// As [`penalties`].
pub fn read(raw: String, hide: impl Fn(&str) -> String) -> Result<Answer, AnswerError> {
    let said = penalties(&raw)?;
    let form = form(&raw)?;
    let origin = AnswerOrigin::default();
    let penalties = Penalties { issues: text::cut(&hide(&form.issues), LONGEST_ISSUES), ..said };
    if penalties.issues == form.issues && raw.len() <= LONGEST_RAW {
        return Ok(Answer { raw, said: penalties, origin });
    }
    let Penalties { first, second, issues } = &penalties;
    let raw = json!({"penalty_1": first, "penalty_2": second, "issues": issues}).to_string();
    Ok(Answer { raw, said: penalties, origin })
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
    fn what_is_kept_has_a_bound() {
        let same = |text: &str| text.to_owned();
        let raw = |issues: &str| json!({"penalty_1": 1, "penalty_2": 2, "issues": issues}).to_string();
        let short = format!(" {} ", raw("é"));
        assert_eq!(read(short.clone(), same).unwrap().raw, short, "as it came");
        let long = read(raw(&"é".repeat(100_000)), same).unwrap();
        assert_eq!(long.said.issues, format!("{}…", "é".repeat(LONGEST_ISSUES - 1)));
        assert_eq!(penalties(&long.raw).unwrap(), long.said, "a journal gives the same answer");
        assert!(long.raw.len() < 8 * LONGEST_ISSUES);
        let spaced = format!("{}{}", " ".repeat(LONGEST_RAW), raw("é"));
        assert_eq!(read(spaced, same).unwrap().raw, raw("é"));
        let hidden = read(raw("the key is \u{6b}ey"), |text| text.replace("key", "***")).unwrap();
        assert!(!hidden.raw.contains("key") && hidden.said.issues == "the *** is ***");
    }
}
