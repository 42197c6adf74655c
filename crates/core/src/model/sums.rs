//! A player's `SHA256SUMS`: the sums of the bytes behind the stored URLs, in `sha256sum -c` form.

use std::collections::BTreeMap;

use super::file::RepoFile;
use super::format::Format;
use super::record::{ParseError, plain_text, write_lines};

/// Path below the player's folder in the store (`submitted/<stem>.<extension>`) to SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums(pub BTreeMap<String, String>);

impl RepoFile for Sums {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let mut sums = BTreeMap::new();
        let text = plain_text(bytes)?;
        for (at, line) in text.split('\n').enumerate().filter(|_| !text.is_empty()) {
            let wrong = |why: &str| ParseError::line(at + 1, why);
            let (sum, path) = line.split_once("  ").ok_or_else(|| wrong("expected `<sha256>  <path>`"))?;
            let hex = sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if !hex {
                return Err(wrong("the sum is not 64 lower-case hex digits"));
            }
            let safe = |part: &str| !part.is_empty() && part != "." && part != "..";
            if !path.split('/').all(safe) || path.contains('\\') {
                return Err(wrong("the path leaves the folder"));
            }
            if sums.insert(path.to_owned(), sum.to_owned()).is_some() {
                return Err(wrong("the path is given twice"));
            }
        }
        Ok(Sums(sums))
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        write_lines(out, self.0.iter().map(|(path, sum)| format!("{sum}  {path}")))
    }
}
