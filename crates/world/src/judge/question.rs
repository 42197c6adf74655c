//! The wording of the question to the judge: data, so that an organiser can replace it.

use std::fmt::Display;
use std::path::Path;

use crate::base::error::{Context, Error, Kind, Result, plainly};
use crate::base::files;
use crate::model::question::{Question, Words as _};
use crate::model::record::shortened;

const OWN: &str = include_str!("question.toml");

/// Size limit of a question file.
const LONGEST: u64 = 64 << 10;

/// Why a text is not a valid question: TOML's message, on one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct QuestionError(String);

/// Keys that a question file may have beside the question's: those of a round's `question.toml`, which is not obeyed in
/// them: the settings name the model.
pub(super) const IGNORED: [&str; 3] = ["model", "temperature", "images"];

/// Reads the question from a file, or returns the built-in one.
///
/// # Errors
/// The file cannot be read, or lacks a key.
pub(super) fn load(file: Option<&Path>) -> Result<Question> {
    read(file, OWN, parse, "a question has the keys system, prompt, first, second and task")
}

/// Reads words from a file, or the built-in ones, each by the same rule; `keys` is the hint for a file that is refused.
///
/// # Errors
/// The file cannot be read, or is refused.
pub(super) fn read<T, E: Display>(
    file: Option<&Path>,
    own: &str,
    parse: impl Fn(&str) -> std::result::Result<T, E>,
    keys: &str,
) -> Result<T> {
    let Some(path) = file else { return parse(own).map_err(Error::failed) };
    let shown = path.display();
    let text = files::read_text(path, LONGEST);
    let text = text.context(Kind::Usage, || format!("{shown}: cannot be read as a question"))?;
    let text = text.ok_or_else(|| Error::usage(format!("{shown}: no such file")))?;
    parse(&text).map_err(|why| Error::usage(format!("{shown}: {why}")).hint(keys))
}

fn parse(text: &str) -> std::result::Result<Question, QuestionError> {
    let wrong = |e: toml::de::Error| QuestionError(plainly(&e.message().replace('\n', " ")));
    let question: Question = toml::from_str(text).map_err(wrong)?;
    let keys: toml::Table = toml::from_str(text).map_err(wrong)?;
    let known = |key: &str| IGNORED.contains(&key) || question.parts().iter().any(|(part, _)| *part == key);
    match keys.keys().find(|key| !known(key)) {
        Some(unknown) => Err(QuestionError(format!("unknown key `{}`", shortened(unknown)))),
        None => Ok(question),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_question_is_whole() {
        let question = load(None).unwrap();
        assert!(question.parts().iter().all(|(_, part)| !part.is_empty() && !part.contains("\\\n")));
        for word in ["penalty_1", "penalty_2", "issues"] {
            assert!(question.task.contains(word), "{word}");
        }
    }

    #[test]
    fn a_question_without_a_part_is_refused() {
        assert!(parse("system = 'a'").unwrap_err().0.contains("prompt"));
        assert!(parse(&format!("model = 'm'\nimages = 'urls'\n{OWN}")).is_ok(), "a round's question.toml");
        assert!(parse(&format!("{OWN}\nsystems = 1")).unwrap_err().0.contains("systems"));
    }
}
