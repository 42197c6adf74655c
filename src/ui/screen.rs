//! A terminal that is redrawn in place. Each picture is written at once over the last one, so nothing flickers.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use console::{Term, measure_text_width, truncate_str};

use super::{Ui, harmless};

/// The other screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// How often the terminal's size is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The terminal's other screen, for as long as this lives.
#[derive(Debug)]
pub struct Screen(Term);

impl Screen {
    /// The terminal that results go to; `None` if they go elsewhere, or if it cannot be drawn on.
    #[must_use]
    pub fn open() -> Option<Screen> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        if dumb || !std::io::stdout().is_terminal() {
            return None;
        }
        let screen = Screen(Term::stdout());
        write(ENTER).ok().map(|()| screen)
    }

    fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.0.size_checked().unwrap_or((24, 80));
        (usize::from(rows).max(1), usize::from(columns).max(1))
    }

    /// Draws these lines, as far as they fit; those that are `wrapped` take as many rows as they need.
    pub fn show(&self, ui: &Ui, lines: &[String], wrapped: fn(&str) -> bool) {
        ui.printed(write(&picture(lines, wrapped, self.size())));
    }

    /// Waits, and draws the lines again if the terminal changes its size meanwhile.
    pub fn rest(
        &self,
        ui: &Ui,
        (lines, wrapped): (&[String], fn(&str) -> bool),
        pause: Duration,
        sleep: &dyn Fn(Duration),
        is_over: &dyn Fn() -> bool,
    ) {
        let (begun, mut size) = (Instant::now(), self.size());
        while begun.elapsed() < pause && !is_over() {
            sleep(LOOK_EVERY.min(pause.saturating_sub(begun.elapsed())));
            if self.size() != size {
                size = self.size();
                self.show(ui, lines, wrapped);
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be told on a terminal that is gone.
        let _ = write(LEAVE);
    }
}

fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// The lines, each wrapped or cut to the width; what is left of the last picture is cleared line by line.
fn picture(lines: &[String], wrapped: fn(&str) -> bool, (rows, columns): (usize, usize)) -> String {
    let fitted = |line: &str| if wrapped(line) { rows_of(line, columns) } else { vec![line.to_owned()] };
    let lines: Vec<String> =
        lines.iter().flat_map(|line| harmless(line).lines().flat_map(fitted).collect::<Vec<_>>()).collect();
    let fits = if lines.len() > rows { rows.saturating_sub(1) } else { lines.len() };
    let rest = (lines.len() > fits).then(|| format!("... {} more lines", lines.len() - fits));
    let shown: Vec<String> = lines.into_iter().take(fits).chain(rest).collect();
    let shown: Vec<String> = shown.iter().map(|line| format!("{}\x1b[K", truncate_str(line, columns, "…"))).collect();
    format!("\x1b[H{}\x1b[J", shown.join("\r\n"))
}

/// A line as rows that are no wider than this, broken between words where possible.
fn rows_of(line: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let fits = |row: &String| measure_text_width(&format!("{row}{}", word.trim_end())) <= columns;
        match rows.last_mut() {
            Some(row) if row.is_empty() || fits(row) => row.push_str(word),
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_terminal_and_their_escapes_are_shown() {
        let lines = ["abcdef".to_owned(), "x\x1b[2J".to_owned(), "c".to_owned()];
        let drawn = picture(&lines, |_| false, (9, 4));
        assert_eq!(drawn, "\x1b[Habc…\x1b[K\r\nx\\u…\x1b[K\r\nc\x1b[K\x1b[J");
        assert_eq!(picture(&lines, |_| false, (2, 40)), "\x1b[Habcdef\x1b[K\r\n... 2 more lines\x1b[K\x1b[J");
        assert!(picture(&["日本語".to_owned()], |_| false, (3, 4)).contains("日…"));
        let long = ["failing: ab cd".to_owned()];
        assert_eq!(picture(&long, |_| true, (9, 9)), "\x1b[Hfailing: \x1b[K\r\nab cd\x1b[K\x1b[J");
    }
}
