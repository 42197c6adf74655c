//! `prompts.txt`, the pool, and `rounds/N/prompts.txt`: prompt image URLs, one a line.

use std::collections::HashSet;

use super::file::RepoFile;
use super::format::Format;
use super::ids::PromptStem;
use super::record::{ParseError, plain_text, shortened, write_lines};

/// Longer URLs work nowhere.
const LONGEST_URL: usize = 8192;

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
        if url.is_empty() {
            return Err("an empty line".to_owned());
        }
        if url.len() > LONGEST_URL {
            return Err(format!("a URL of {} bytes: at most {LONGEST_URL} are possible", url.len()));
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("{:?} is no http(s) URL", shortened(url)));
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("{:?} holds white space or control characters", shortened(url)));
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

/// Takes a list's text apart: each line's prompt, or what is wrong with it.
///
/// # Errors
/// The bytes are no plain text.
pub fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = Result<Prompt, String>>, ParseError> {
    let text = plain_text(bytes)?;
    // A text without any line is an empty list.
    Ok(text.split('\n').filter(move |_| !text.is_empty()).map(Prompt::new))
}

/// A list of prompts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptList(pub Vec<Prompt>);

impl PromptList {
    /// About how many bytes of memory the list takes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        let texts: usize = self.0.iter().map(|prompt| prompt.url.len() + prompt.stem.as_str().len()).sum();
        (texts + self.0.capacity() * (size_of::<Prompt>() + 32)) as u64
    }

    /// The stems, in order, each once: a round may draw from the pool what it has carried over, and every file
    /// of that prompt is still one file.
    pub fn stems(&self) -> impl Iterator<Item = &PromptStem> {
        let mut seen = HashSet::new();
        self.0.iter().map(Prompt::stem).filter(move |stem| seen.insert(*stem))
    }
}

impl RepoFile for PromptList {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let prompt = |(at, line): (usize, Result<_, String>)| line.map_err(|why| ParseError::line(at + 1, why));
        lines(bytes)?.enumerate().map(prompt).collect::<Result<_, _>>().map(PromptList)
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        write_lines(out, self.0.iter().map(Prompt::url))
    }
}
