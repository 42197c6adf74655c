//! Lines and columns, and names as they are shown.

use crate::limits::SHOWN;

/// The beginnings of a text's lines.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Lines end as in ECMAScript: after CR LF, LF, CR, U+2028 or U+2029.
    pub(crate) fn of(text: &'a str) -> Self {
        let mut starts = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let end = match byte {
                b'\n' => at + 1,
                b'\r' if bytes.get(at + 1) != Some(&b'\n') => at + 1,
                0xE2 if matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])) => at + 3,
                _ => continue,
            };
            starts.push(end);
        }
        Self { text, starts }
    }

    /// `line L, column C` of a byte; both count from 1, columns in characters.
    pub(crate) fn place(&self, at: usize) -> String {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or_default();
        let column = self.text.get(start..at).map_or(at - start, |before| before.chars().count()) + 1;
        format!("line {line}, column {column}")
    }
}

/// A name of the miner's, cut and without control characters.
pub(crate) fn shown(name: &str) -> String {
    let cut: String = name.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN).is_some() { format!("{cut}...") } else { cut }
}

/// A message of the parser's, which may quote the module: without control characters, and cut.
pub(crate) fn shown_text(message: &str) -> String {
    message.chars().take(4 * SHOWN).flat_map(char::escape_debug).collect()
}
