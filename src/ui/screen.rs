//! A terminal that is redrawn in place. Each picture is written at once over the last one, so nothing flickers.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use console::{Term, truncate_str};

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

    /// Draws these lines, as far as they fit.
    pub fn show(&self, ui: &Ui, lines: &[String]) {
        ui.printed(write(&picture(lines, self.size())));
    }

    /// Waits, and draws the lines again if the terminal changes its size meanwhile.
    pub fn rest(
        &self,
        ui: &Ui,
        lines: &[String],
        pause: Duration,
        sleep: &dyn Fn(Duration),
        is_over: &dyn Fn() -> bool,
    ) {
        let (begun, mut size) = (Instant::now(), self.size());
        while begun.elapsed() < pause && !is_over() {
            sleep(LOOK_EVERY.min(pause.saturating_sub(begun.elapsed())));
            if self.size() != size {
                size = self.size();
                self.show(ui, lines);
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

/// The lines, each cut to the width; what is left of the last picture is cleared line by line.
fn picture(lines: &[String], (rows, columns): (usize, usize)) -> String {
    let lines: Vec<String> =
        lines.iter().flat_map(|line| harmless(line).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let fits = if lines.len() > rows { rows.saturating_sub(1) } else { lines.len() };
    let rest = (lines.len() > fits).then(|| format!("... {} more lines", lines.len() - fits));
    let shown: Vec<String> = lines.into_iter().take(fits).chain(rest).collect();
    let shown: Vec<String> = shown.iter().map(|line| format!("{}\x1b[K", truncate_str(line, columns, "…"))).collect();
    format!("\x1b[H{}\x1b[J", shown.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_terminal_and_their_escapes_are_shown() {
        let lines = ["abcdef".to_owned(), "x\x1b[2J".to_owned(), "c".to_owned()];
        let drawn = picture(&lines, (9, 4));
        assert_eq!(drawn, "\x1b[Habc…\x1b[K\r\nx\\u…\x1b[K\r\nc\x1b[K\x1b[J");
        assert_eq!(picture(&lines, (2, 40)), "\x1b[Habcdef\x1b[K\r\n... 2 more lines\x1b[K\x1b[J");
        assert!(picture(&["日本語".to_owned()], (3, 4)).contains("日…"));
    }
}
