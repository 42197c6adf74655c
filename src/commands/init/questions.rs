//! What `init` asks on a terminal: a question for each flag that is missing. An answer is checked at once, and asked for
//! again until it is right; if the whole is refused, the answers so far are kept, and Enter confirms them.

use std::io::{BufRead, Write};
use std::str::FromStr;

use super::beginning::read_pool;
use chrono::NaiveDate;

use crate::base::error::{Context as _, Error, Result};
use crate::cli::InitArgs;
use crate::engine::moment::{asking, chain_of, current_moment};
use crate::model::config::name_mistake;
use crate::settings::Config;
use crate::settings::flags::{ChainArgs, MomentArgs};

/// A question, and the flag that answers it.
#[derive(Debug)]
pub(super) struct Question {
    what: &'static str,
    /// Does it need an answer?
    needed: bool,
    given: fn(&InitArgs) -> Option<String>,
    /// Checks an answer and keeps it.
    take: fn(&mut InitArgs, &str) -> Result<()>,
}

impl Question {
    /// Is an answer checked by asking the chain?
    pub(super) fn is_chain(&self) -> bool {
        self.what == CHAIN.what
    }
}

/// The answer that empties what needs no answer.
const NONE: &str = "-";

const QUESTIONS: [Question; 10] = [
    Question {
        what: "Name of the competition",
        needed: true,
        given: |args| args.name.clone(),
        take: |args, text| match name_mistake(text) {
            Some(mistake) => Err(Error::usage(mistake)),
            None => keep(&mut args.name, text),
        },
    },
    Question {
        what: "What it is about, in a few words (may be empty)",
        needed: false,
        given: |args| args.description.clone(),
        take: |args, text| {
            args.description = Some(text.to_owned()).filter(|text| !text.is_empty());
            Ok(())
        },
    },
    Question {
        what: "First day on which a round may start (YYYY-MM-DD)",
        needed: true,
        given: |args| args.first_day.map(|day| day.to_string()),
        take: |args, text| {
            args.first_day = Some(day(text)?);
            Ok(())
        },
    },
    Question {
        what: "Last day on which a round may start (YYYY-MM-DD)",
        needed: true,
        given: |args| args.last_day.map(|day| day.to_string()),
        take: |args, text| {
            let last = day(text)?;
            if let Some(first) = args.first_day.filter(|first| last < *first) {
                return Err(Error::usage(format!("that is before {first}")));
            }
            args.last_day = Some(last);
            Ok(())
        },
    },
    Question {
        what: "File with the prompts' image URLs, one per line (empty: add prompts.txt later)",
        needed: false,
        given: |args| args.pool.as_ref().map(|path| path.display().to_string()),
        take: |args, text| {
            if text.is_empty() {
                args.pool = None;
                return Ok(());
            }
            read_pool(text.as_ref())?;
            keep(&mut args.pool, text)
        },
    },
    Question {
        what: "Hotkey of the first leader (SS58)",
        needed: true,
        given: |args| args.leader_hotkey.as_ref().map(ToString::to_string),
        take: |args, text| keep(&mut args.leader_hotkey, text),
    },
    Question {
        what: "Its repository (owner/name)",
        needed: true,
        given: |args| args.leader_repo.as_ref().map(ToString::to_string),
        take: |args, text| keep(&mut args.leader_repo, text),
    },
    Question {
        what: "Its commit (40 hex digits)",
        needed: true,
        given: |args| args.leader_commit.as_ref().map(ToString::to_string),
        take: |args, text| keep(&mut args.leader_commit, text),
    },
    Question {
        what: "Its image (registry.example.org/name:tag)",
        needed: true,
        given: |args| args.leader_docker.as_ref().map(ToString::to_string),
        take: |args, text| keep(&mut args.leader_docker, text),
    },
    CHAIN,
];

/// The round's first block follows from the chain's. Without a network, its current block will do.
const CHAIN: Question = Question {
    what: "Chain (finney, test, or a node's URL; without a network, the number of its current block)",
    needed: true,
    given: |args| args.moment.block.map(|block| block.to_string()).or_else(|| args.moment.chain.network.clone()),
    take: |args, text| {
        let moment = on_chain(args, text);
        current_moment(&Config::default(), &moment)?;
        args.moment = moment;
        Ok(())
    },
};

/// The moment on this chain, or at this block.
fn on_chain(args: &InitArgs, answer: &str) -> MomentArgs {
    let MomentArgs { now, chain, .. } = args.moment.clone();
    match answer.parse() {
        Ok(block) => MomentArgs { block: Some(block), now, chain },
        Err(_) => {
            let chain = ChainArgs { network: Some(answer.to_owned()), ..chain };
            MomentArgs { block: None, now: None, chain }
        }
    }
}

/// The questions that flags and settings leave open.
pub(super) fn open(args: &InitArgs, config: &Config) -> Vec<&'static Question> {
    let chain_is_known =
        args.moment.block.is_some() || matches!(chain_of(config, &args.moment.chain), Ok(Some(_)) | Err(_));
    let last = QUESTIONS.len() - usize::from(chain_is_known);
    QUESTIONS.iter().take(last).filter(|question| (question.given)(args).is_none()).collect()
}

/// All questions but that of the chain if a file is read instead.
pub(super) fn all(args: &InitArgs) -> Vec<&'static Question> {
    let is_file = args.moment.chain.chain_file.is_some();
    QUESTIONS.iter().take(QUESTIONS.len() - usize::from(is_file)).collect()
}

/// Where questions are asked.
pub(super) struct Terminal<'a> {
    pub(super) input: &'a mut dyn BufRead,
    pub(super) output: &'a mut dyn Write,
}

impl Terminal<'_> {
    /// Asks these questions, in order. Answers given before are offered again. With `brief`, leaves out those that need
    /// no answer.
    ///
    /// # Errors
    /// The input ends, or the terminal cannot be used.
    pub(super) fn fill(&mut self, args: &mut InitArgs, questions: &[&Question], brief: bool) -> Result<()> {
        questions.iter().filter(|question| question.needed || !brief).try_for_each(|question| self.ask(args, question))
    }

    fn ask(&mut self, args: &mut InitArgs, question: &Question) -> Result<()> {
        loop {
            let kept = (question.given)(args);
            let none = if question.needed { "" } else { "; - for none" };
            let offer = kept.as_ref().map(|kept| format!(" [{kept}{none}]")).unwrap_or_default();
            let answer = self.line(&format!("{}{offer}: ", question.what))?;
            match answer.as_str() {
                NONE if !question.needed => return (question.take)(args, ""),
                "" if kept.is_some() || !question.needed => return Ok(()),
                "" => self.say("an answer is needed; Ctrl-C stops, and nothing is written")?,
                answer => {
                    if question.is_chain() {
                        let line = asking(&Config::default(), &on_chain(args, answer));
                        line.iter().try_for_each(|line| self.say(line))?;
                    }
                    match (question.take)(args, answer) {
                        Ok(()) => return Ok(()),
                        Err(error) => self.refuse(&error)?,
                    }
                }
            }
        }
    }

    /// Shows lines and asks whether to go on.
    ///
    /// # Errors
    /// As [`Terminal::fill`].
    pub(super) fn agrees(&mut self, lines: &[String], question: &str) -> Result<bool> {
        lines.iter().try_for_each(|line| self.say(line))?;
        loop {
            match self.line(&format!("{question} [Y/n] "))?.to_ascii_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => {
                    self.say("change an answer, or stop with Ctrl-C: nothing is written yet")?;
                    return Ok(false);
                }
                _ => self.say("answer y or n; Enter means yes")?,
            }
        }
    }

    /// Says why something was refused, and what to do.
    ///
    /// # Errors
    /// The terminal cannot be used.
    pub(super) fn refuse(&mut self, error: &Error) -> Result<()> {
        self.say(&error.to_string())?;
        error.hints().iter().try_for_each(|hint| self.say(hint))
    }

    /// Shows a line.
    ///
    /// # Errors
    /// The terminal cannot be used.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        writeln!(self.output, "  {}", crate::base::text::line(text)).failed(unusable)
    }

    fn line(&mut self, prompt: &str) -> Result<String> {
        let mut answer = String::new();
        let asked = write!(self.output, "{prompt}").and_then(|()| self.output.flush());
        let read = asked.and_then(|()| self.input.read_line(&mut answer)).failed(unusable)?;
        match read {
            0 => Err(Error::failed("the answers ended; nothing was written")),
            _ => Ok(answer.trim().to_owned()),
        }
    }
}

fn unusable() -> String {
    "the terminal cannot be used".to_owned()
}

fn day(text: &str) -> Result<NaiveDate> {
    text.parse().map_err(|_| Error::usage(format!("{text} is not a date (YYYY-MM-DD)")))
}

/// Keeps an answer that its type accepts.
fn keep<T: FromStr<Err: std::fmt::Display>>(place: &mut Option<T>, text: &str) -> Result<()> {
    *place = Some(text.parse().map_err(|why: T::Err| Error::usage(why.to_string()))?);
    Ok(())
}
