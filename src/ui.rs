//! What the user sees: results on stdout, everything else on stderr.
//!
//! Nothing outside this file prints, and whatever is printed here is made visible first: texts from
//! outside may hold what moves the cursor or turns the writing's direction. On a terminal, long work shows a bar; under cron or in a pipe
//! it says a line now and then, so that a log stays readable.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Error, Kind};
use crate::text::{cut, line as one, visible, visible_json};

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Status lines, warnings, hints.
    Normal,
    /// Also what was looked at and why.
    Verbose,
}

/// The terminal, as one command sees it.
#[derive(Debug, Clone)]
pub struct Ui {
    verbosity: Verbosity,
    json: bool,
    progress: bool,
    colour: bool,
    /// Set for a step of a longer command.
    heard: Option<Arc<Mutex<Heard>>>,
    /// Warnings that are given once.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

/// What a step of a longer command said and did.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// The lines of its result.
    pub lines: Vec<String>,
    /// The files that it wrote.
    pub files: Vec<String>,
    /// The commits that it made.
    pub commits: Vec<String>,
}

impl Ui {
    /// A user interface for these flags; colour only on a terminal, and not where `NO_COLOR` is set
    /// or `TERM` is `dumb`.
    #[must_use]
    pub fn new(verbosity: Verbosity, json: bool, no_progress: bool) -> Self {
        let tty = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let progress = !no_progress && verbosity > Verbosity::Quiet;
        Ui { verbosity, json, progress, colour: tty && !plain, heard: None, warned: Arc::default() }
    }

    /// One for a step of a longer command: its result is kept for that command, and its status lines
    /// are for those who asked for more.
    #[must_use]
    pub fn for_step(&self) -> Ui {
        Ui { json: false, heard: Some(Arc::default()), ..self.clone() }
    }

    /// What the step said and did since the last time.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let heard = self.heard.as_ref().map(|heard| heard.lock().unwrap_or_else(PoisonError::into_inner));
        heard.map(|mut heard| std::mem::take(&mut *heard)).unwrap_or_default()
    }

    /// Is told of each file that has been written and each commit that has been made.
    pub fn note(&self, files: &[String], commit: Option<&str>) {
        if let Some(heard) = &self.heard {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.files.extend_from_slice(files);
            heard.commits.extend(commit.map(str::to_owned));
        }
    }

    /// Is the result to be JSON?
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// One line of the result, on stdout. A reader that has gone away is no error.
    pub fn result(&self, line: &str) {
        if let Some(heard) = &self.heard {
            heard.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line.to_owned());
            return self.detail(line);
        }
        let _ = writeln!(std::io::stdout(), "{}", harmless(line));
    }

    /// As [`Ui::result`], with a coloured word before the line.
    pub fn marked_result(&self, code: &str, mark: &str, line: &str) {
        if self.heard.is_some() {
            return self.result(&format!("{mark}{line}"));
        }
        let mark = if std::io::stdout().is_terminal() { self.paint(code, mark) } else { mark.to_owned() };
        let _ = writeln!(std::io::stdout(), "{mark}{}", harmless(line));
    }

    /// A whole text of our own, as it is, on stdout.
    pub fn text(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// That nothing had to be done, and why.
    pub fn unchanged(&self, line: &str) {
        if self.json() {
            return self.result_json(&serde_json::json!({"did": [line], "files": [], "commits": []}));
        }
        self.result(line);
    }

    /// The result as pretty JSON, on stdout.
    pub fn result_json(&self, value: &serde_json::Value) {
        let _ = writeln!(std::io::stdout(), "{}", visible_json(&format!("{value:#}")));
    }

    /// A status line, on stderr.
    pub fn status(&self, line: &str) {
        let least = if self.heard.is_some() { Verbosity::Verbose } else { Verbosity::Normal };
        if self.verbosity >= least {
            let _ = writeln!(std::io::stderr(), "{}", harmless(line));
        }
    }

    /// A line for those who asked for more, on stderr.
    pub fn detail(&self, line: &str) {
        if self.verbosity >= Verbosity::Verbose {
            let _ = writeln!(std::io::stderr(), "{}", harmless(line));
        }
    }

    /// A warning, on stderr.
    pub fn warn(&self, line: &str) {
        if self.verbosity >= Verbosity::Normal {
            let _ = writeln!(std::io::stderr(), "{} {}", self.paint("33;1", "warning:"), harmless(line));
        }
    }

    /// A warning, on stderr, for the first time only: steps of a longer command come by the same thing.
    pub fn warn_once(&self, line: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned()) {
            self.warn(line);
        }
    }

    /// One failure among several, on stderr: the rest of the command goes on.
    pub fn error_line(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{} {}", self.paint("31;1", "error:"), one_line(line));
    }

    /// An error with its causes and hints, on stderr; with `--json` also one object on stdout.
    /// A command that is not due is no failure: what is due instead is its result.
    pub fn error(&self, error: &Error) {
        if error.kind() == Kind::NotDue && !self.json {
            return self.result(&error.to_string());
        }
        self.failure(None, error);
        if self.json {
            self.result_json(&serde_json::json!({
                "error": error.to_string(),
                "causes": error.causes(),
                "hints": error.hints(),
                "exit": error.kind().exit_code(),
            }));
        }
    }

    /// A failure with its causes and hints, on stderr; of a step, where it is one's.
    pub fn failure(&self, step: Option<&str>, error: &Error) {
        let mut err = std::io::stderr();
        let step = step.map(|step| format!("{step}: ")).unwrap_or_default();
        let _ = writeln!(err, "{} {step}{}", self.paint("31;1", "error:"), one_line(&error.to_string()));
        for cause in error.causes() {
            let _ = writeln!(err, "  caused by: {}", one_line(&cause));
        }
        for hint in error.hints() {
            let _ = writeln!(err, "  {} {}", self.paint("36;1", "hint:"), harmless(hint));
        }
    }

    /// Colours a word of ours where colour is on.
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A progress bar for `length` steps: drawn on a terminal; elsewhere a line every ten seconds.
    #[must_use]
    pub fn bar(&self, what: &str, length: u64) -> Bar {
        let target = if self.progress && std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = "{msg} {wide_bar:.cyan/blue} {pos}/{len} {per_sec} eta {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(one(what));
        let lines =
            (self.progress && !std::io::stderr().is_terminal()).then(|| LinePace { last: std::time::Instant::now() });
        Bar { bar, lines: Mutex::new(lines) }
    }
}

/// What is shown of one phase of a command whose phases run side by side.
#[derive(Debug)]
struct Phase {
    name: String,
    bar: ProgressBar,
    failed: u64,
    bytes: u64,
}

/// One bar a phase on a terminal; elsewhere one line for all of them every ten seconds.
#[derive(Debug)]
pub struct Phases {
    phases: Vec<Phase>,
    lines: bool,
    begun: std::time::Instant,
    last: std::time::Instant,
}

impl Ui {
    /// Bars for phases that run side by side, each of `length` steps.
    #[must_use]
    pub fn phases(&self, names: &[&str], length: u64) -> Phases {
        let terminal = std::io::stderr().is_terminal();
        let drawn = self.progress && terminal;
        let target = if drawn { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let together = indicatif::MultiProgress::with_draw_target(target);
        let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
        let phase = |name: &&str| {
            let bar = together.add(ProgressBar::new(length));
            let style = "{prefix} {wide_bar:.cyan/blue} {pos}/{len} {per_sec} eta {eta} {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_prefix(format!("{name:width$}"));
            Phase { name: (*name).to_owned(), bar, failed: 0, bytes: 0 }
        };
        let now = std::time::Instant::now();
        let phases = names.iter().map(phase).collect();
        Phases { phases, lines: self.progress && !terminal, begun: now, last: now }
    }
}

impl Phases {
    /// Counts a step of this phase (by its place) as done, with the bytes that it moved.
    pub fn advance(&mut self, phase: usize, bytes: u64) {
        if let Some(phase) = self.phases.get_mut(phase) {
            phase.bytes = phase.bytes.saturating_add(bytes);
            phase.bar.inc(1);
        }
    }

    /// Counts a step of this phase as failed; those after it will not see it.
    pub fn fail(&mut self, phase: usize) {
        if let Some(phase) = self.phases.get_mut(phase) {
            phase.failed += 1;
            phase.bar.inc(1);
        }
        for later in self.phases.iter().skip(phase + 1) {
            later.bar.dec_length(1);
        }
    }

    /// Shows what is new, where it is time to. To be called at least once a second.
    pub fn tick(&mut self) {
        let elapsed = self.begun.elapsed().as_secs_f64().max(0.001);
        for phase in &self.phases {
            phase.bar.set_message(phase.counts(elapsed));
        }
        if self.lines && self.last.elapsed() >= LINE_EVERY {
            self.last = std::time::Instant::now();
            let lines: Vec<String> = self.phases.iter().map(|phase| phase.line(elapsed)).collect();
            let _ = writeln!(std::io::stderr(), "{}", lines.join("; "));
        }
    }
}

impl Phase {
    /// Failures and bytes, where there are any.
    fn counts(&self, seconds: f64) -> String {
        #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
        let mib = self.bytes as f64 / f64::from(1 << 20);
        let bytes = if self.bytes > 0 { format!("{mib:.1} MiB, {:.1} MiB/s", mib / seconds) } else { String::new() };
        let failed = if self.failed > 0 { format!("{} failed", self.failed) } else { String::new() };
        [bytes, failed].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn line(&self, seconds: f64) -> String {
        let (done, all, rate) = (self.bar.position(), self.bar.length().unwrap_or_default(), self.bar.per_sec());
        let eta = self.bar.eta().as_secs();
        let counts = self.counts(seconds);
        let counts = if counts.is_empty() { counts } else { format!(", {counts}") };
        format!("{}: {done}/{all}, {rate:.1}/s, eta {eta}s{counts}", self.name)
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        for phase in &self.phases {
            phase.bar.finish_and_clear();
        }
    }
}

/// No line of ours has more characters: a longer one is somebody else's.
const LONGEST_LINE: usize = 10_000;

/// Messages of other programs may hold line breaks; an error of ours is one line.
fn one_line(text: &str) -> String {
    let text = cut(text, LONGEST_LINE);
    let parts = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    visible(&parts.collect::<Vec<_>>().join(" ")).into_owned()
}

/// A line as a terminal gets it: every character is seen, and what comes after a line break is no
/// line of ours.
fn harmless(line: &str) -> String {
    visible(&cut(line, LONGEST_LINE)).replace('\n', "\n    ")
}

/// How long a log waits between two progress lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct LinePace {
    last: std::time::Instant,
}

/// A running progress display; dropped, it disappears.
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
        if pace.last.elapsed() < LINE_EVERY {
            return;
        }
        pace.last = std::time::Instant::now();
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let rate = self.bar.per_sec();
        let eta = self.bar.eta().as_secs();
        let _ = writeln!(std::io::stderr(), "{}: {done}/{all}, {rate:.1}/s, eta {eta}s", self.bar.message());
    }

    /// Says that there are `steps` more to do.
    pub fn extend(&self, steps: u64) {
        self.bar.inc_length(steps);
    }

    /// Says that there are `steps` fewer to do.
    pub fn shorten(&self, steps: u64) {
        self.bar.dec_length(steps);
    }

    /// Prints without tearing the bar.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Says beside the bar what is going on (failures so far, the file in hand).
    pub fn note(&self, text: &str) {
        self.bar.set_message(one(text));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
