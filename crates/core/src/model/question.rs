//! `rounds/N/question.toml`: what the judge is asked in a round, and of which model. Each answer of the round names the
//! digest of this file.

use std::io::Write;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answers::Digest;
use super::file::RepoFile;
use super::format::Format;
use super::record::{ParseError, plain_text};
use crate::base::error::plainly;

/// The words of the question: what the judge is told before, between and after the images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
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

/// The words in which a judge is asked.
pub trait Words: Serialize + DeserializeOwned {
    /// Its parts by key, in order.
    fn parts(&self) -> Vec<(&'static str, &str)>;

    /// Can every call be worded?
    ///
    /// # Errors
    /// Why not.
    fn check(&self) -> Result<(), String>;
}

impl Words for Question {
    fn parts(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("system", &self.system),
            ("prompt", &self.prompt),
            ("first", &self.first),
            ("second", &self.second),
            ("task", &self.task),
        ]
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// How images are sent to the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageForm {
    /// Their URLs, which the judge's server fetches.
    Urls,
    /// The bytes themselves.
    Inline,
}

/// Everything that shapes an answer besides the images and the round's seed.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Asked<W = Question> {
    /// The model that is asked, as the operator requests it.
    pub model: String,
    /// The temperature; `None` for the server's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How images were sent when the file was written. Another form shows the judge the same pictures.
    pub images: ImageForm,
    /// The words.
    #[serde(flatten)]
    pub question: W,
}

impl<W: Words> Asked<W> {
    /// The keys whose values differ from those of `other`, the form of the images aside.
    #[must_use]
    pub fn differing(&self, other: &Asked<W>) -> Vec<&'static str> {
        let words = self.question.parts().into_iter().zip(other.question.parts());
        let words = words.filter(|(ours, theirs)| ours.1 != theirs.1).map(|((key, _), _)| key);
        let model = (self.model != other.model).then_some("model");
        let temperature = (self.temperature != other.temperature).then_some("temperature");
        model.into_iter().chain(temperature).chain(words).collect()
    }
}

/// The file: its own text is kept, since digests are of its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionFile<W = Question> {
    text: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it says.
    pub asked: Asked<W>,
}

/// The first lines of a new file.
const HEAD: &str = "\
# What the judge was asked in this round: each line of an answers_*.jsonl file has the SHA-256 of this file.
# `gen404 duel --question` and `gen404 judge --question` take this file as well.

";

impl<W: Words> QuestionFile<W> {
    /// The file of a round in which this is asked.
    #[must_use]
    pub fn new(asked: Asked<W>) -> Self {
        // Strings and a number: nothing that TOML could not hold.
        let text = format!("{HEAD}{}", toml::to_string_pretty(&asked).unwrap_or_default());
        QuestionFile { digest: Digest::of(text.as_bytes()), text, asked }
    }
}

impl<W: Words> RepoFile for QuestionFile<W> {
    const OWN_NEWLINE: bool = true;

    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let text = plain_text(bytes)?;
        let asked: Asked<W> = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            ParseError::line(before.matches('\n').count() + 1, plainly(&error.message().replace('\n', " ")))
        })?;
        asked.question.check().map_err(ParseError::whole)?;
        Ok(QuestionFile { text: text.to_owned(), digest: Digest::of(bytes), asked })
    }

    fn write(&self, mut out: impl Write) -> std::io::Result<()> {
        out.write_all(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, read};

    fn asked() -> Asked {
        let text = |text: &str| text.to_owned();
        let question = Question {
            system: text("a \"strict\" judge\n\t'''\\ \u{1} é"),
            prompt: text(""),
            first: text("\n"),
            second: text("two"),
            task: text("line\nline \n\n\"\"\"\""),
        };
        Asked { model: text("m"), temperature: Some(0.0), images: ImageForm::Inline, question }
    }

    #[test]
    fn any_words_are_kept() {
        for asked in [asked(), Asked { temperature: None, images: ImageForm::Urls, ..asked() }] {
            let file = QuestionFile::new(asked.clone());
            let (read, layout) = read::<QuestionFile>(Format::Mesh, &file.to_bytes()).unwrap();
            assert_eq!((read.clone(), layout), (file, Layout::Exact));
            assert_eq!((read.digest, read.asked), (Digest::of(read.text.as_bytes()), asked));
        }
    }

    #[test]
    fn what_differs_is_named_and_the_form_of_images_does_not_count() {
        let other = Asked { images: ImageForm::Urls, ..asked() };
        assert!(asked().differing(&other).is_empty());
        let mut other = Asked { model: "n".to_owned(), temperature: None, ..other };
        other.question.task.push('!');
        assert_eq!(asked().differing(&other), ["model", "temperature", "task"]);
    }

    #[test]
    fn a_broken_file_is_named_by_its_line_and_a_newer_key_is_kept() {
        let text = String::from_utf8(QuestionFile::new(asked()).to_bytes()).unwrap();
        let reason = |text: &str| <QuestionFile>::parse(Format::Mesh, text.as_bytes()).unwrap_err().to_string();
        assert!(reason(&text.replace("model = ", "modal = ")).contains("model"));
        assert!(reason(&text.replace("\"inline\"", "\"both\"")).starts_with("line "));
        assert!(reason(&format!("{text}\r\n")).contains("carriage return"));
        let newer = format!("newer = [1, 2]\n{text}");
        assert_eq!(<QuestionFile>::parse(Format::Mesh, newer.as_bytes()).unwrap().to_bytes(), newer.as_bytes());
    }
}
