//! The static rules of a three.js module: what can be told of a miner's file without running it.
//!
//! [`check`] answers as the deployed render service does: a list of [`Failure`]s, each with the stage and the rule that
//! failed. An empty list says that nothing is wrong statically; running, rendering and counting come later.
//!
//! The file is hostile. Its size and nesting are bounded before the parser sees it ([`nesting`]), and the parser runs on
//! a thread with a stack that these bounds fit into.
#![warn(clippy::indexing_slicing)]

mod api;
mod exports;
mod failure;
mod identifiers;
mod limits;
mod literals;
mod members;
mod names;
mod nesting;
mod parsed;
mod pattern;
mod place;
mod syntax;
mod three;
mod tokens;

pub use api::ALLOWED as THREE_MEMBERS;
pub use failure::{Failure, Rule, Stage};
pub use limits::{LITERAL_BYTES, MAX_FAILURES, SOURCE_BYTES};

pub use names::{FORBIDDEN, FREE};
use place::Lines;

/// Why a module could not be checked. This says nothing about the module: whatever runs it has to decide.
#[derive(Debug)]
pub enum Unchecked {
    /// The system gave no thread.
    NoThread(std::io::Error),
    /// The parser gave up without an answer: a defect of it, or of the rules.
    Broken,
}

impl std::fmt::Display for Unchecked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoThread(error) => write!(f, "no thread for the parser: {error}"),
            Self::Broken => write!(f, "the parser broke on this module"),
        }
    }
}

impl std::error::Error for Unchecked {}

/// All static failures of `source`, in the order of their places, at most [`MAX_FAILURES`]. A file that is too large or
/// does not parse has one.
///
/// # Errors
///
/// [`Unchecked`] if the parser could not be run to its end.
pub fn check(source: &[u8]) -> Result<Vec<Failure>, Unchecked> {
    if source.len() > SOURCE_BYTES {
        let detail = format!("{} bytes (limit {SOURCE_BYTES})", source.len());
        return Ok(vec![Failure::new(Rule::FileSizeExceeded, detail)]);
    }
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let detail = format!("not UTF-8 at byte {}", error.valid_up_to());
            return Ok(vec![Failure::new(Rule::ParseError, detail)]);
        }
    };
    if let Err(stop) = nesting::bounded(text) {
        let detail = format!("{} at {}", stop.why, Lines::of(text).place(stop.at));
        return Ok(vec![Failure::new(Rule::ParseError, detail)]);
    }
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().name("module".into()).stack_size(limits::STACK_BYTES);
        let parser = parser.spawn_scoped(scope, || parsed::check(text)).map_err(Unchecked::NoThread)?;
        parser.join().map_err(|_| Unchecked::Broken)
    })
}
