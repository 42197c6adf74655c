//! Progress of long work: bars on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::Ui;
use super::log::Log;
use crate::base::text::line as one;

/// The style of a bar with this template, whose `{pace}` says how far the work is.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("pace", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let all = state.len().unwrap_or_default();
        // A bar that cannot be written is drawn without it.
        _ = out.write_str(&pace(state.pos(), all, state.per_sec(), state.eta()));
    })
}

/// How far the work of this bar is.
fn standing(bar: &ProgressBar) -> String {
    pace(bar.position(), bar.length().unwrap_or_default(), bar.per_sec(), bar.eta())
}

/// How far the work is: steps done and in all, and between the first and the last of them how fast, and the time left.
fn pace(done: u64, all: u64, rate: f64, left: Duration) -> String {
    match done {
        _ if all == 0 => String::new(),
        done if done == 0 || done >= all => format!("{done}/{all}"),
        done => format!("{done}/{all}, {rate:.1}/s, eta {}s", left.as_secs()),
    }
}

impl Ui {
    /// A progress bar for `length` steps, drawn on a terminal; elsewhere, a line every ten seconds.
    #[must_use]
    pub fn bar(&self, what: &str, length: u64) -> Bar {
        let target = if self.progress && std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        bar.set_style(style("{msg} {wide_bar:.cyan/blue} {pace}"));
        bar.set_message(one(what));
        let lines = (self.progress && !std::io::stderr().is_terminal()).then(|| LinePace::new(&self.log));
        Bar { bar, lines: Mutex::new(lines) }
    }
}

impl Ui {
    /// A line about work of unknown length, redrawn on a terminal; elsewhere, a line every ten seconds.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let terminal = std::io::stderr().is_terminal();
        let drawn = self.progress && terminal;
        let target = if drawn { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style("{spinner:.cyan} {wide_msg} {elapsed}"));
        Activity { bar, lines: (self.progress && !terminal).then(|| LinePace::new(&self.log)) }
    }
}

/// A display of work of unknown length; it disappears when dropped.
#[derive(Debug)]
pub struct Activity {
    bar: ProgressBar,
    lines: Option<LinePace>,
}

impl Activity {
    /// Shows how things stand. Call it at least once a second.
    pub fn tick(&mut self, text: &str) {
        self.bar.set_message(one(text));
        self.bar.tick();
        if let Some(pace) = self.lines.as_mut()
            && pace.is_due()
        {
            pace.say(&format!("{text}, {} s so far", self.bar.elapsed().as_secs()));
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// One of a command's parallel phases.
#[derive(Debug)]
struct Phase {
    name: String,
    bar: ProgressBar,
    failed: u64,
    bytes: u64,
}

/// On a terminal, one bar per phase; elsewhere, one line for all phases every ten seconds.
#[derive(Debug)]
pub struct Phases {
    phases: Vec<Phase>,
    lines: Option<LinePace>,
    begun: std::time::Instant,
}

impl Ui {
    /// Bars for parallel phases of `length` steps each.
    #[must_use]
    pub fn phases(&self, names: &[&str], length: u64) -> Phases {
        let terminal = std::io::stderr().is_terminal();
        let drawn = self.progress && terminal;
        let target = if drawn { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let together = indicatif::MultiProgress::with_draw_target(target);
        let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
        let phase = |name: &&str| {
            let bar = together.add(ProgressBar::new(length));
            bar.set_style(style("{prefix} {wide_bar:.cyan/blue} {pace} {msg}"));
            bar.set_prefix(format!("{name:width$}"));
            Phase { name: (*name).to_owned(), bar, failed: 0, bytes: 0 }
        };
        let phases = names.iter().map(phase).collect();
        let lines = (self.progress && !terminal).then(|| LinePace::new(&self.log));
        Phases { phases, lines, begun: std::time::Instant::now() }
    }
}

impl Phases {
    /// Counts a step of this phase (by index) as done, with the bytes that it moved.
    pub fn advance(&mut self, phase: usize, bytes: u64) {
        if let Some(phase) = self.phases.get_mut(phase) {
            phase.bytes = phase.bytes.saturating_add(bytes);
            phase.bar.inc(1);
        }
    }

    /// Counts a step of this phase as failed; it does not reach the later phases.
    pub fn fail(&mut self, phase: usize) {
        if let Some(phase) = self.phases.get_mut(phase) {
            phase.failed += 1;
            phase.bar.inc(1);
        }
        for later in self.phases.iter().skip(phase + 1) {
            later.bar.dec_length(1);
        }
    }

    /// Updates the display when it is due. Call it at least once a second.
    pub fn tick(&mut self) {
        let elapsed = self.begun.elapsed().as_secs_f64().max(0.001);
        for phase in &self.phases {
            phase.bar.set_message(phase.counts(elapsed));
        }
        if self.lines.as_mut().is_some_and(LinePace::is_due) {
            let lines: Vec<String> = self.phases.iter().map(|phase| phase.line(elapsed)).collect();
            self.lines.iter().for_each(|pace| pace.say(&lines.join("; ")));
        }
    }
}

impl Phase {
    /// Failures and bytes, if any.
    fn counts(&self, seconds: f64) -> String {
        #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
        let mib = self.bytes as f64 / f64::from(1 << 20);
        let bytes = if self.bytes > 0 { format!("{mib:.1} MiB, {:.1} MiB/s", mib / seconds) } else { String::new() };
        let failed = if self.failed > 0 { format!("{} failed", self.failed) } else { String::new() };
        [bytes, failed].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn line(&self, seconds: f64) -> String {
        let counts = self.counts(seconds);
        let counts = if counts.is_empty() { counts } else { format!(", {counts}") };
        format!("{}: {}{counts}", self.name, standing(&self.bar))
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        for phase in &self.phases {
            phase.bar.finish_and_clear();
        }
    }
}

/// Time between two progress lines in a log.
const LINE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct LinePace {
    last: std::time::Instant,
    log: Log,
}

impl LinePace {
    fn new(log: &Log) -> LinePace {
        LinePace { last: std::time::Instant::now(), log: log.clone() }
    }

    fn say(&self, line: &str) {
        self.log.line("progress", "", line);
    }

    /// Is the next line due? If so, the one after it is due ten seconds later.
    fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= LINE_EVERY;
        if due {
            self.last = std::time::Instant::now();
        }
        due
    }
}

/// A progress display; it disappears when dropped.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    lines: Mutex<Option<LinePace>>,
}

impl Bar {
    /// Counts `steps` more as done.
    pub fn advance(&self, steps: u64) {
        self.bar.inc(steps);
        let Ok(mut lines) = self.lines.lock() else { return };
        let Some(pace) = lines.as_mut() else { return };
        if !pace.is_due() {
            return;
        }
        pace.say(&format!("{}: {}", self.bar.message(), standing(&self.bar)));
    }

    /// Adds `steps` to the total.
    pub fn extend(&self, steps: u64) {
        self.bar.inc_length(steps);
    }

    /// Removes `steps` from the total.
    pub fn shorten(&self, steps: u64) {
        self.bar.dec_length(steps);
    }

    /// Prints without tearing the bar.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Shows a note beside the bar (failures so far, the current file).
    pub fn note(&self, text: &str) {
        self.bar.set_message(one(text));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_says_only_what_is_known() {
        let pace = |done, all| pace(done, all, 0.123_456, Duration::from_millis(7_900));
        assert_eq!(pace(0, 0), "");
        assert_eq!(pace(0, 8), "0/8");
        assert_eq!(pace(3, 8), "3/8, 0.1/s, eta 7s");
        assert_eq!(pace(8, 8), "8/8");
    }
}
