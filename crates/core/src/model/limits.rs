//! Limits on the size of each file, and on the memory that parsed files take. No honest file exceeds them, and
//! larger ones are not parsed.
//!
//! The limits of each kind are in [`kinds`](super::kinds). Known keys nest at most four deep; values under unknown
//! keys are bounded in [`record`](super::record). [`Budget`] bounds all files of a competition together.

use std::sync::atomic::{AtomicU64, Ordering};

use super::file::{Content, FileKind};
use super::kinds::Syntax;
use super::pod_stats::PodEntry;
use super::record::{Extra, ParseError};
use crate::base::error::Error;

const MIB: u64 = 1 << 20;

/// The most prompts in a round.
pub const PROMPTS: usize = 4096;

/// The limits of a kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes.
    pub bytes: u64,
    /// The most JSON values (objects and lists count, too, keys do not), or lines.
    pub entries: usize,
}

impl FileKind {
    /// The largest size in bytes that a file of this kind may have.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.row().limits.bytes
    }

    /// Refuses bytes that exceed the limits of this kind, before they are parsed.
    ///
    /// # Errors
    /// There are too many bytes, values or lines.
    pub fn check(&self, bytes: &[u8]) -> Result<(), ParseError> {
        let row = self.row();
        let Limits { bytes: largest, entries } = row.limits;
        if bytes.len() as u64 > largest {
            return Err(ParseError::whole(format!("larger than {largest} bytes, the limit for such a file")));
        }
        match row.syntax {
            Syntax::Csv | Syntax::Lines | Syntax::Toml => few_lines(bytes, entries),
            Syntax::Json | Syntax::JsonLines => few_values(bytes, entries),
        }
    }
}

/// Does a file have no more lines than this? The error names the first one too many.
pub fn few_lines(bytes: &[u8], most: usize) -> Result<(), ParseError> {
    match bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(most) {
        Some(_) => Err(ParseError::line(most + 1, format!("more than {most} lines, the limit for such a file"))),
        None => Ok(()),
    }
}

/// Counts the values of a JSON text without parsing it; invalid JSON is left to the parser.
pub fn few_values(bytes: &[u8], most: usize) -> Result<(), ParseError> {
    // Each value takes at least a byte and a separator, so a short text cannot hold too many.
    if bytes.len() / 2 < most {
        return Ok(());
    }
    let (mut at, mut values, mut depth) = (0, 0_usize, 0_usize);
    // The last string, and the last key of the outermost object.
    let (mut string, mut key) = (0..0, 0..0);
    while let Some(byte) = bytes.get(at) {
        let begins = at;
        at += 1;
        match byte {
            b'"' => {
                at = end_of_string(bytes, at);
                string = begins..at;
                values += 1;
            }
            b':' => {
                values = values.saturating_sub(1);
                if depth == 1 {
                    key = string.clone();
                }
            }
            b'{' | b'[' => (depth, values) = (depth + 1, values + 1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b' ' | b'\n' | b'\t' | b'\r' => {}
            _ => {
                let rest = bytes.get(at..).unwrap_or_default();
                at += rest.iter().position(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\n')).unwrap_or(rest.len());
                values += 1;
            }
        }
        if values > most {
            let under = bytes.get(key).map(String::from_utf8_lossy).filter(|key| !key.is_empty());
            let under = under.map(|key| format!(", under {}", super::record::shortened(&key))).unwrap_or_default();
            return Err(ParseError::whole(format!("more than {most} values, the limit for such a file{under}")));
        }
    }
    Ok(())
}

/// The index after the quote that ends a string.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' => at += 1,
            _ => {}
        }
    }
    bytes.len()
}

/// The memory that parsed files may take together.
#[derive(Debug)]
pub struct Budget {
    what: &'static str,
    most: u64,
    used: AtomicU64,
}

impl Budget {
    fn new(what: &'static str, most: u64) -> Self {
        Budget { what, most, used: AtomicU64::new(0) }
    }

    /// For all current files of a competition: enough for about 50 rounds with 35 players and 128 prompts each, or 30 with
    /// the judge's answers.
    #[must_use]
    pub fn of_files() -> Self {
        Budget::new("the files of the competition", 480 * MIB)
    }

    /// For files looked up in past commits, in addition.
    #[must_use]
    pub fn of_history() -> Self {
        Budget::new("the files of past commits that claims are judged by", 128 * MIB)
    }

    /// For the files that one claim is judged by, and that are dropped right after: enough for nearly all of them.
    #[must_use]
    pub fn of_a_claim() -> Self {
        Budget::new("the files of one past commit that a claim is judged by", 8 * MIB)
    }

    /// How many bytes were taken.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes this many bytes from the budget.
    pub fn take(&self, bytes: u64) {
        // Nothing else is ordered by this counter, and a file too many while others are read is harmless.
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Checks that the budget is not exceeded.
    ///
    /// # Errors
    /// It is exceeded.
    pub fn check(&self) -> Result<(), Error> {
        if self.used() <= self.most {
            return Ok(());
        }
        let most = self.most >> 20;
        Err(Error::failed(format!("{} take more than {most} MiB of memory, the limit", self.what))
            .hint("`gen404 verify --round N` reads one round of a large competition"))
    }
}

impl Content {
    /// The approximate memory in bytes of contents parsed from `bytes` bytes: never much too low.
    #[must_use]
    pub fn weight(&self, bytes: usize) -> u64 {
        // An entry takes its struct (with the spare capacity of its list) and an allocation for each of its texts.
        let entries = |count: usize, each: u64| count as u64 * each;
        let rest = match self {
            Content::Report(report) => {
                let extra = report.duels.iter().map(|duel| &duel.extra).chain([&report.extra]);
                entries(report.duels.capacity(), 240) + weight(extra)
            }
            Content::Outputs(outputs) => entries(outputs.len(), 250) + weight(outputs.values().map(|o| &o.extra)),
            Content::Prompts(list) => return list.weight(),
            Content::Matrix(matrix) => entries(matrix.0.len(), 400),
            Content::Refusals(map) => entries(map.len(), 300) + weight(map.values().map(|entry| &entry.extra)),
            Content::Sums(sums) => entries(sums.0.len(), 160),
            Content::Leader(list) => entries(list.capacity(), 320) + weight(list.iter().map(|entry| &entry.extra)),
            Content::Submissions(map) => entries(map.len(), 500) + weight(map.values().map(|entry| &entry.extra)),
            Content::Builds(map) => entries(map.len(), 500) + weight(map.values().map(|entry| &entry.extra)),
            Content::GenerationAudits(map) => entries(map.len(), 500) + weight(map.values().map(|entry| &entry.extra)),
            Content::SourceAudit(list) => entries(list.capacity(), 240) + weight(list.iter().map(|entry| &entry.extra)),
            Content::RequireAudit(list) => {
                let critical = list.iter().map(|entry| entry.critical_prompts.capacity()).sum();
                entries(list.capacity(), 200) + entries(critical, 80) + weight(list.iter().map(|entry| &entry.extra))
            }
            Content::Answers(answers) => return answers.weight(),
            Content::PodStats(stats) => stats.values().map(PodEntry::weight).sum(),
            // One small object: at most as much as its values.
            Content::Config(_) => 4096 * 200,
            // Its text, and the parts of it.
            Content::Question(_) => bytes as u64 + 1024,
            Content::State(_) | Content::Schedule(_) | Content::Seed(_) | Content::Winner(_) => 1024,
        };
        bytes as u64 + rest
    }
}

pub(super) fn weight<'a>(extras: impl Iterator<Item = &'a Extra>) -> u64 {
    extras.map(Extra::weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_the_key_is_named() {
        let count = |text: &str, most: usize| few_values(text.as_bytes(), most).map_err(|e| e.to_string());
        let text = r#"{"a": 1, "b": {"c": [true, "x\"]", null]}}"#;
        assert_eq!(count(text, 7), Ok(()));
        assert_eq!(count(text, 6).unwrap_err(), "more than 6 values, the limit for such a file, under \"b\"");
        assert!(count("[[[[", 3).is_ok(), "a text too short to hold too many is not counted");
        let zeros = format!("{{\"future\": [{}]}}", vec!["0"; 5000].join(","));
        assert!(FileKind::Config.check(zeros.as_bytes()).unwrap_err().to_string().ends_with("under \"future\""));
        assert_eq!(count("\"\\", 0).unwrap_err(), "more than 0 values, the limit for such a file");
    }

    #[test]
    fn lines_and_sizes_are_bounded() {
        let kind = FileKind::of_path("rounds/0/prompts.txt").unwrap();
        assert_eq!(kind.check("x\n".repeat(PROMPTS).as_bytes()), Ok(()));
        let error = kind.check("x\n".repeat(PROMPTS + 1).as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "line 4097 column 1: more than 4096 lines, the limit for such a file");
        let error = FileKind::State.check(&vec![b' '; 65_537]).unwrap_err().to_string();
        assert_eq!(error, "larger than 65536 bytes, the limit for such a file");
    }
}
