//! `prompts.txt` (the pool) and `rounds/N/prompts.txt`: prompt image URLs, one per line.

use std::collections::HashSet;

use super::file::RepoFile;
use super::format::Format;
use super::ids::{IdError, PromptStem};
use super::record::{ParseError, plain_text, shortened, write_lines};

/// In bytes; common servers refuse longer URLs.
const LONGEST_URL: usize = 8192;

/// Why a line is not a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PromptError {
    #[error("an empty line")]
    Empty,
    #[error("a URL of {0} bytes: at most {most} are allowed", most = LONGEST_URL)]
    TooLong(usize),
    #[error("{0:?} is not an http(s) URL")]
    NotHttp(String),
    #[error("{0:?} contains whitespace or control characters")]
    Characters(String),
    #[error(transparent)]
    Stem(#[from] IdError),
}

/// A prompt image's URL with its stem.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prompt {
    url: String,
    stem: PromptStem,
}

impl Prompt {
    /// Parses a prompt image's URL.
    ///
    /// # Errors
    /// It is too long, not http(s), contains whitespace or control characters, or does not name a file.
    pub fn new(url: &str) -> Result<Self, PromptError> {
        if url.is_empty() {
            return Err(PromptError::Empty);
        }
        if url.len() > LONGEST_URL {
            return Err(PromptError::TooLong(url.len()));
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(PromptError::NotHttp(shortened(url)));
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(PromptError::Characters(shortened(url)));
        }
        let stem = PromptStem::of_url(url)?;
        Ok(Prompt { url: url.to_owned(), stem })
    }

    /// The image's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The prompt's name in every other file.
    #[must_use]
    pub fn stem(&self) -> &PromptStem {
        &self.stem
    }
}

/// Parses a list line by line: each line's prompt, or why it is not one.
///
/// # Errors
/// The bytes are not plain text.
pub fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = Result<Prompt, PromptError>>, ParseError> {
    let text = plain_text(bytes)?;
    // Empty text is an empty list, not one empty line.
    Ok(text.split('\n').filter(move |_| !text.is_empty()).map(Prompt::new))
}

/// A list of prompts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptList(pub Vec<Prompt>);

impl PromptList {
    /// The approximate size of the list in memory, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        let texts: usize = self.0.iter().map(|prompt| prompt.url.len() + prompt.stem.as_str().len()).sum();
        (texts + self.0.capacity() * (size_of::<Prompt>() + 32)) as u64
    }

    /// The stems in order, each once: a round may draw a carried prompt again from the pool, but that prompt
    /// still has one file per player.
    pub fn stems(&self) -> impl Iterator<Item = &PromptStem> {
        let mut seen = HashSet::new();
        self.0.iter().map(Prompt::stem).filter(move |stem| seen.insert(*stem))
    }
}

impl RepoFile for PromptList {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let prompt = |(at, line): (usize, Result<_, PromptError>)| line.map_err(|why| ParseError::line(at + 1, why));
        lines(bytes)?.enumerate().map(prompt).collect::<Result<_, _>>().map(PromptList)
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        write_lines(out, self.0.iter().map(Prompt::url))
    }
}
