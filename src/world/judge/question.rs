//! The wording of the question to the judge: data, so that an organiser can replace it.

use std::path::Path;

use serde::Deserialize;

use crate::base::error::{Context, Error, Kind, Result, plainly};
use crate::base::files;

/// The question: what the judge is told before, between and after the images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The system prompt: who the judge is.
    pub system: String,
    /// Before the prompt's image.
    pub prompt: String,
    /// Before the first preview.
    pub first: String,
    /// Before the second preview.
    pub second: String,
    /// After the images: what to answer.
    pub task: String,
}

const OWN: &str = include_str!("question.toml");

/// Size limit of a question file.
const LONGEST: u64 = 1 << 20;

/// Why a text is not a valid question: TOML's message, on one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct QuestionError(String);

impl Question {
    /// Reads the question from a file, or returns the built-in one.
    ///
    /// # Errors
    /// The file cannot be read, or lacks a key.
    pub fn load(file: Option<&Path>) -> Result<Question> {
        let Some(path) = file else { return Question::parse(OWN).map_err(Error::failed) };
        let shown = path.display();
        let text = files::read_text(path, LONGEST);
        let text = text.context(Kind::Usage, || format!("{shown}: cannot be read as a question"))?;
        let text = text.ok_or_else(|| Error::usage(format!("{shown}: no such file")))?;
        Question::parse(&text).map_err(|why| {
            let wrong = Error::usage(format!("{shown}: {why}"));
            wrong.hint("a question has the keys system, prompt, first, second and task")
        })
    }

    fn parse(text: &str) -> std::result::Result<Question, QuestionError> {
        toml::from_str(text).map_err(|e| QuestionError(plainly(&e.message().replace('\n', " "))))
    }

    /// Its parts in order.
    #[must_use]
    pub fn parts(&self) -> [&str; 5] {
        [&self.system, &self.prompt, &self.first, &self.second, &self.task]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_question_is_whole() {
        let question = Question::load(None).unwrap();
        assert!(question.parts().iter().all(|part| !part.is_empty() && !part.contains("\\\n")));
        for word in ["penalty_1", "penalty_2", "issues"] {
            assert!(question.task.contains(word), "{word}");
        }
    }

    #[test]
    fn a_question_without_a_part_is_refused() {
        assert!(Question::parse("system = 'a'").unwrap_err().0.contains("prompt"));
        assert!(Question::parse(&format!("{OWN}\nsystems = 1")).unwrap_err().0.contains("systems"));
    }
}
