//! DESIGN 4.3: a round's prompts, drawn from the previous round and from the pool.

use std::collections::HashMap;

use super::python_random::PythonRandom;
use crate::model::config::Settings;
use crate::model::file::{FileKind, split_newline};
use crate::model::ids::Seed;
use crate::model::objects::{StemError, check_stem};
use crate::model::prompts::{Prompt, PromptError, PromptList, lines};
use crate::model::record::ParseError;

/// A round's prompts by origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Prompts carried over from the previous round; they come first.
    pub carried: Vec<Prompt>,
    /// Prompts from the pool. A carried prompt may be drawn again, as in the deployed collector.
    pub fresh: Vec<Prompt>,
}

/// Draws a round's prompts: `carryover_prompts` of `previous` (empty in round 0), then from `pool`
/// up to `prompts_per_round`, both from one generator in that order.
#[must_use]
pub fn select(settings: &Settings, seed: Seed, previous: &[Prompt], pool: &[Prompt]) -> Selection {
    let mut random = PythonRandom::new(u64::from(seed.0));
    let carried = random.sample(previous, settings.carryover_prompts);
    let fresh = random.sample(pool, settings.prompts_per_round.saturating_sub(carried.len()));
    Selection { carried, fresh }
}

/// A round needs more prompts than the pool and the previous round provide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("prompts.txt: a round needs {needed} prompts, but the pool has {pool}, with {carried} carried over")]
pub struct TooFewPrompts {
    needed: usize,
    pool: usize,
    carried: usize,
}

impl TooFewPrompts {
    /// A round needs so many, but so many are left in the pool beside those carried over.
    pub fn of(needed: usize, pool: usize, carried: usize) -> TooFewPrompts {
        TooFewPrompts { needed, pool, carried }
    }
}

/// Why a pool cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PoolError {
    #[error(transparent)]
    File(#[from] ParseError),
    #[error("{count} of {all} lines cannot be used: {shown}")]
    Lines { count: usize, all: usize, shown: String },
}

/// Why a line of the pool cannot be used.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error(transparent)]
    Stem(#[from] StemError),
    #[error("the prompt name {name:?} is already on line {first}")]
    Twice { name: String, first: usize },
}

/// Checks that the pool and the `previous` round's prompts are enough for a round.
///
/// # Errors
/// Too few; the counts are in the error.
pub fn enough(settings: &Settings, previous: usize, pool: usize) -> Result<(), TooFewPrompts> {
    let (carried, needed) = (previous.min(settings.carryover_prompts), settings.prompts_per_round);
    let given = carried.saturating_add(pool);
    if given >= needed {
        return Ok(());
    }
    Err(TooFewPrompts { needed, pool, carried })
}

/// Reads and checks the whole pool, so that a bad line is found before any seed is drawn, not in the round
/// that draws it.
///
/// # Errors
/// Some lines cannot be used: their count, and the first few with the reason.
pub fn pool(bytes: &[u8]) -> Result<PromptList, PoolError> {
    const SHOWN: usize = 3;
    FileKind::Pool.check(bytes)?;
    let (mut prompts, mut bad, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
    for (at, line) in lines(split_newline(bytes).0)?.enumerate() {
        let usable = line.map_err(LineError::from).and_then(|prompt| {
            check_stem(prompt.stem())?;
            match seen.insert(prompt.stem().clone(), at + 1) {
                // If both were drawn, they would share a file name.
                Some(first) => Err(LineError::Twice { name: prompt.stem().as_str().to_owned(), first }),
                None => Ok(prompt),
            }
        });
        match usable {
            Ok(prompt) => prompts.push(prompt),
            Err(why) => bad.push(format!("line {}: {why}", at + 1)),
        }
    }
    if bad.is_empty() {
        return Ok(PromptList(prompts));
    }
    let more = match bad.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let (count, all) = (bad.len(), bad.len() + prompts.len());
    bad.truncate(SHOWN);
    Err(PoolError::Lines { count, all, shown: bad.join("; ") + &more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_a_round_could_not_use_is_counted_and_the_first_are_named() {
        let good = "https://p.example/a.png\nhttps://p.example/b.png\n";
        assert_eq!(pool(good.as_bytes()).unwrap().0.len(), 2);
        assert_eq!(pool(b"").unwrap().0.len(), 0);
        let twice = format!("{good}https://p.example/other/a.png");
        assert_eq!(
            pool(twice.as_bytes()).unwrap_err().to_string(),
            "1 of 3 lines cannot be used: line 3: the prompt name \"a\" is already on line 1"
        );
        let odd = good.replace("b.png", "b%20c.png") + "\nhttps://p.example/\u{e9}.png\nftp://p.example/d.png";
        let why = pool(odd.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            why,
            "4 of 5 lines cannot be used: line 2: the prompt name \"b%20c\" contains '%', which an object URL \
             cannot hold unescaped; line 3: an empty line; line 4: the prompt name \"\u{e9}\" contains '\u{e9}', \
             which an object URL cannot hold unescaped; and 1 more"
        );
        assert!(pool(b"https://p.example/a.png\r\n").unwrap_err().to_string().contains("carriage return"));
        let long = format!("https://p.example/{}", "x".repeat(1 << 20));
        assert!(pool(long.as_bytes()).unwrap_err().to_string().len() < 300);
        assert!(pool("y".repeat(1 << 20).as_bytes()).unwrap_err().to_string().len() < 300);
    }
}
