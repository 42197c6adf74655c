//! A batch's results: an archive with `{stem}.js` for what was generated, and `_failed.json` for what was not.

use std::collections::{HashMap, HashSet};

use gen404_zip::{Entry, Limits, ZipError, read};

use crate::model::ids::PromptStem;
use crate::rules::threejs::known::MOST_BYTES;
use crate::rules::threejs::repeats::Repeats;
use crate::rules::threejs::repeats::marks::Answered;

/// The bounds of an archive.
const LIMITS: Limits = Limits { bytes: 64 << 20, entries: 100 };

/// The file of what was not generated: stem to reason.
const FAILED: &str = "_failed.json";

/// Its most bytes.
const LARGEST_FAILED: usize = 16 << 10;

/// Why the results of a batch are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadResults {
    /// The archive cannot be read.
    #[error("{0}")]
    Zip(#[from] ZipError),
    /// There is neither a module nor a reason in it.
    #[error("there is nothing in it")]
    Empty,
}

/// The files of a batch's results.
#[derive(Debug)]
pub(super) struct BatchResults {
    modules: HashMap<String, Vec<u8>>,
    failed: HashMap<String, String>,
}

impl BatchResults {
    /// Reads an archive, and what it says of these stems.
    pub(super) fn read(archive: &[u8], stems: &[PromptStem]) -> Result<BatchResults, BadResults> {
        let wanted: HashSet<&str> = stems.iter().map(PromptStem::as_str).collect();
        let mut any = false;
        let found = {
            // The limit holds for every module, but only those of the batch are kept.
            let room = |name: &str| match name {
                FAILED => Some(LARGEST_FAILED),
                _ => name.ends_with(".js").then(|| usize::try_from(MOST_BYTES).unwrap_or(usize::MAX)),
            };
            read(archive, &LIMITS, room)?
        };
        let mut results = BatchResults { modules: HashMap::new(), failed: HashMap::new() };
        for Entry { name, bytes } in found {
            any = true;
            if name == FAILED {
                // What cannot be read is no reason for anything.
                results.failed = serde_json::from_slice(&bytes).unwrap_or_default();
            } else if let Some(stem) = name.strip_suffix(".js").filter(|stem| wanted.contains(stem)) {
                results.modules.insert(stem.to_owned(), bytes);
            }
        }
        if any { Ok(results) } else { Err(BadResults::Empty) }
    }

    /// What the program answered about each stem.
    pub(super) fn answers(&self, stems: &[PromptStem]) -> Vec<(PromptStem, Answered)> {
        let modules = self.modules.keys().cloned().collect();
        Repeats::answers_of(stems, &modules, &self.failed)
    }

    /// A module's source.
    pub(super) fn module(&self, stem: &PromptStem) -> Option<&[u8]> {
        self.modules.get(stem.as_str()).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use gen404_zip::stored;

    use super::*;

    fn answers(files: &[(&str, &[u8])]) -> Result<Vec<Answered>, BadResults> {
        let stems: Vec<PromptStem> = ["a", "b", "c"].iter().map(|stem| stem.parse().unwrap()).collect();
        let results = BatchResults::read(&stored(files).unwrap(), &stems)?;
        Ok(results.answers(&stems).into_iter().map(|(_, answer)| answer).collect())
    }

    #[test]
    fn each_stem_has_an_answer() {
        let failed = |why: &str| Answered::Failed(why.to_owned());
        let left_out = failed("missing from batch results");
        let both: &[(&str, &[u8])] = &[("out/a.js", b"x"), ("b.js", b"x"), (FAILED, br#"{"b": "too hard", "z": "?"}"#)];
        assert_eq!(answers(both), Ok(vec![Answered::Module, failed("too hard"), left_out.clone()]));
        let unreadable: &[(&str, &[u8])] = &[("a.js", b""), ("x.js", b"x"), (FAILED, br#"{"b": 1}"#)];
        assert_eq!(answers(unreadable), Ok(vec![Answered::Module, left_out.clone(), left_out.clone()]));
        assert_eq!(answers(&[(FAILED, b"{}")]), Ok(vec![left_out.clone(), left_out.clone(), left_out]));
    }

    #[test]
    fn results_of_no_use_are_refused() {
        assert_eq!(answers(&[]), Err(BadResults::Empty));
        assert_eq!(answers(&[("readme.txt", b"hello")]), Err(BadResults::Empty));
        let large = vec![b' '; (1 << 20) + 1];
        assert!(matches!(answers(&[("x.js", &large)]), Err(BadResults::Zip(ZipError::EntryTooLarge { .. }))));
        assert!(matches!(answers(&[(FAILED, &large[..(16 << 10) + 1])]), Err(BadResults::Zip(_))));
        assert!(answers(&[("a.js", &large[1..])]).is_ok());
    }
}
