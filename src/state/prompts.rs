//! `prompts.txt`, the pool, and `rounds/N/prompts.txt`: prompt image URLs, one a line.

use std::collections::HashSet;

use super::file::RepoFile;
use super::ids::PromptStem;
use super::record::{ParseError, plain_text, write_lines};

/// A prompt image's URL with its stem.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prompt {
    url: String,
    stem: PromptStem,
}

impl Prompt {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// It is not http(s), holds white space or control characters, or names no file.
    pub fn new(url: &str) -> Result<Self, String> {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("{url:?} is no http(s) URL"));
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("{url:?} holds white space or control characters"));
        }
        let stem = PromptStem::of_url(url).map_err(|e| e.to_string())?;
        Ok(Prompt { url: url.to_owned(), stem })
    }

    /// The image's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name in every other file.
    #[must_use]
    pub fn stem(&self) -> &PromptStem {
        &self.stem
    }
}

/// A list of prompts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptList(pub Vec<Prompt>);

impl PromptList {
    /// The stems, in order, each once: a round may draw from the pool what it has carried over, and every file
    /// of that prompt is still one file.
    pub fn stems(&self) -> impl Iterator<Item = &PromptStem> {
        let mut seen = HashSet::new();
        self.0.iter().map(Prompt::stem).filter(move |stem| seen.insert(*stem))
    }
}

impl RepoFile for PromptList {
    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let text = plain_text(bytes)?;
        if text.is_empty() {
            return Ok(PromptList::default());
        }
        let prompt = |(at, line): (usize, &str)| Prompt::new(line).map_err(|why| ParseError::line(at + 1, why));
        text.split('\n').enumerate().map(prompt).collect::<Result<_, _>>().map(PromptList)
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        write_lines(out, self.0.iter().map(Prompt::url))
    }
}
