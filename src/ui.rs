//! Everything the user sees: results on stdout, the rest on stderr.
//!
//! No other file prints, and everything printed here is escaped first: untrusted texts may hold escape sequences or
//! bidirectional controls. On a terminal, long work shows a progress bar; under cron or in a pipe it prints a line now
//! and then, so that logs stay readable.

mod log;
mod progress;
mod report;
mod screen;

use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use self::log::Log;
pub use self::log::LogFormat;
pub use self::progress::{Bar, Phases};
pub use self::report::{Basis, DUE, Ended, Failed, Line, Report, Server};
pub use self::screen::Screen;
use crate::base::error::{Error, Kind};
use crate::base::text::{cut, visible, visible_json};

/// How much is printed on stderr.
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
    /// Where lines on stderr go, and the command's name.
    log: Log,
    /// Is this a step of a longer command, which reports the result itself?
    step: bool,
    /// The first error from writing to stdout.
    lost: Arc<Mutex<Option<std::io::Error>>>,
    /// Has the JSON been printed?
    answered: Arc<AtomicBool>,
    /// Warnings that must not be repeated.
    warned: Arc<Mutex<BTreeSet<String>>>,
    /// The warnings given so far, by all threads.
    warnings: Arc<Mutex<IndexSet<String>>>,
}

/// A run that writes more files than this prints only their number, except with `-v` or `--dry-run`.
const MOST_NAMED: usize = 20;

/// Most warnings kept for the JSON: a command may wait for days.
const MOST_WARNINGS: usize = 1000;

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ui {
    /// A user interface for these flags. Colour is used only on a terminal, and not if `NO_COLOR` is set or `TERM` is
    /// `dumb`.
    #[must_use]
    pub fn new(verbosity: Verbosity, json: bool, no_progress: bool) -> Self {
        let tty = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Ui {
            verbosity,
            json,
            progress: !no_progress && verbosity > Verbosity::Quiet,
            colour: tty && !plain,
            log: Log::default(),
            step: false,
            lost: Arc::default(),
            answered: Arc::default(),
            warned: Arc::default(),
            warnings: Arc::default(),
        }
    }

    /// Sets the command's name.
    #[must_use]
    pub fn of(self, command: &str) -> Self {
        let log = Log { command: command.to_owned(), ..self.log };
        Ui { log, ..self }
    }

    /// Writes lines on stderr for a log: with times, and as JSON without progress bars.
    #[must_use]
    pub fn logging(self, format: Option<LogFormat>) -> Self {
        let progress = self.progress && format != Some(LogFormat::Json);
        let log = Log { format, ..self.log };
        Ui { log, progress, ..self }
    }

    /// The interface for a step of a longer command: that command reports the result, and the step's status lines need
    /// `-v`.
    #[must_use]
    pub fn for_step(&self) -> Ui {
        Ui { json: false, step: true, warnings: Arc::default(), ..self.clone() }
    }

    /// The warnings given so far.
    #[must_use]
    pub fn warnings(&self) -> IndexSet<String> {
        locked(&self.warnings).clone()
    }

    /// Is more output than usual wanted?
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Is the result to be JSON?
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// Writes a line to stdout. A closed pipe is ignored; any other error is reported at the end.
    fn out(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        self.printed(writeln!(out, "{text}").and_then(|()| out.flush()));
    }

    /// Writes a line of the result to stdout; for a log, with its time.
    fn result(&self, line: &str) {
        let written = self.log.written("result", line, &json!({ "message": line }));
        self.out(written.trim_end_matches('\n'));
    }

    /// Prints a line of the result at once. Returns whether it could be printed: a reader may have gone away.
    #[must_use]
    pub fn tell_line(&self, line: &str) -> bool {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{}", harmless(line)).and_then(|()| out.flush());
        let there = written.is_ok();
        self.printed(written);
        there
    }

    /// Takes note of the outcome of a write to stdout.
    pub fn printed(&self, outcome: std::io::Result<()>) {
        if let Err(error) = outcome
            && error.kind() != ErrorKind::BrokenPipe
        {
            locked(&self.lost).get_or_insert(error);
        }
    }

    /// Prints the new parts of a report that may still grow: lines on stdout, files and commits on stderr. JSON is
    /// printed at the end.
    pub fn tell(&self, report: &mut Report) {
        if self.json || self.step {
            return;
        }
        self.lines(report);
        let (written, made) = (report.files.len(), report.commits.len());
        let files: Vec<&String> = report.files.iter().skip(report.printed.files).collect();
        let verb = if report.dry_run { "would write" } else { "wrote" };
        if files.len() > MOST_NAMED && self.verbosity < Verbosity::Verbose && !report.dry_run {
            self.status(&format!("{verb} {} files (-v names them)", files.len()));
        } else {
            files.iter().for_each(|path| self.status(&format!("{verb} {path}")));
        }
        for path in report.possible.iter().skip(report.printed.possible) {
            self.status(&format!("may write {path}, depending on results"));
        }
        for (id, message) in report.commits.iter().skip(report.printed.commits) {
            let (id, first) = (id.get(..10).unwrap_or(id), message.lines().next().unwrap_or_default());
            self.status(&format!("committed {id} ({first})"));
        }
        for (id, remote) in report.pushed.iter().skip(report.printed.pushed) {
            self.news(&format!("pushed {} to {remote}", id.get(..10).unwrap_or(id)));
        }
        report.printed.pushed = report.pushed.len();
        (report.printed.files, report.printed.commits) = (written, made);
        report.printed.possible = report.possible.len();
    }

    /// Prints the lines that have not been printed yet.
    fn lines(&self, report: &mut Report) {
        if self.json || self.step {
            return;
        }
        for line in report.did.iter().skip(report.printed.lines) {
            let text = harmless(&line.text);
            match line.mark {
                Some((code, mark)) if self.log.format.is_none() && std::io::stdout().is_terminal() => {
                    self.out(&format!("{}{text}", self.paint(code, mark)));
                }
                _ => self.result(&format!("{}{text}", line.mark.map_or("", |(_, mark)| mark))),
            }
        }
        report.printed.lines = report.did.len();
    }

    /// Ends a command: prints the rest, and returns the exit code.
    pub fn finish(&self, ended: Ended) -> u8 {
        let (mut report, error) = match ended {
            Ok(report) => (report, None),
            Err(failed) => (failed.report, Some(failed.error)),
        };
        let exit = report.exit_code(error.as_ref());
        if let Some(error) = &error {
            self.lines(&mut report);
            self.failure(None, error);
        }
        self.tell_all(&mut report);
        let done_something = !report.dry_run && !report.files.is_empty();
        if self.json {
            self.answer(report, error.as_ref());
        }
        self.with_all_printed(exit, done_something)
    }

    /// As [`Ui::tell`], for a complete report: also prints what it waits for.
    fn tell_all(&self, report: &mut Report) {
        self.lines(report);
        if !self.json && !self.step && !std::mem::replace(&mut report.printed.end, true) {
            report.text.iter().for_each(|text| self.out(text));
            report.waits.iter().for_each(|line| self.result(&harmless(line)));
        }
        self.tell(report);
    }

    /// The exit code: `exit`, unless part of the result could not be written.
    fn with_all_printed(&self, exit: u8, done_something: bool) -> u8 {
        let Some(lost) = locked(&self.lost).take() else { return exit };
        let mut lost = Error::failed("stdout: the result cannot be written").because(lost);
        if done_something {
            lost = lost.hint("the changes themselves were made: `gen404 status` shows where the competition stands");
        }
        self.failure(None, &lost);
        // What waits and what is due are results, too, and were lost.
        if [0, Kind::NotDue.exit_code(), DUE].contains(&exit) { Kind::Failed.exit_code() } else { exit }
    }

    /// Prints the result early, if nothing that follows adds to it.
    pub fn answer_early(&self, report: &mut Report) {
        self.tell_all(report);
        if self.json {
            self.answer(std::mem::take(report), None);
        }
    }

    /// Prints the result as one JSON object on stdout, at most once.
    pub fn answer(&self, report: Report, error: Option<&Error>) {
        if self.answered.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut answer = Map::new();
        answer.insert("schema".to_owned(), json!(format!("gen404/{}/2", self.log.command)));
        answer.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        answer.insert("commit".to_owned(), json!(report.basis.commit));
        answer.insert("settings".to_owned(), json!(report.basis.settings));
        answer.extend(report.into_json(error));
        self.out(&visible_json(&format!("{:#}", Value::Object(answer))));
    }

    /// Prints a status line on stderr.
    pub fn status(&self, line: &str) {
        let least = if self.step { Verbosity::Verbose } else { Verbosity::Normal };
        if self.verbosity >= least {
            self.log.line("info", "", &harmless(line));
        }
    }

    /// Prints what a log must tell, also with `--quiet`: a log is read when it is too late to ask again.
    pub fn news(&self, line: &str) {
        if !self.tell_log(line) {
            self.status(line);
        }
    }

    /// Prints a line if it goes to a log, also with `--quiet`. Returns whether it does.
    pub fn tell_log(&self, line: &str) -> bool {
        let logs = self.log.format.is_some() && !self.step;
        if logs {
            self.log.line("info", "", &harmless(line));
        }
        logs
    }

    /// Prints a line on stderr with `-v`.
    pub fn detail(&self, line: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.log.line("debug", "", &harmless(line));
        }
    }

    /// Prints a warning on stderr.
    pub fn warn(&self, line: &str) {
        let mut warnings = locked(&self.warnings);
        if warnings.len() < MOST_WARNINGS {
            warnings.insert(line.to_owned());
        }
        drop(warnings);
        // A log is read when it is too late to ask again.
        if self.verbosity >= Verbosity::Normal || self.log.format.is_some() {
            let mark = self.paint("33;1", "warning:");
            self.log.line("warning", &format!("{mark} "), &harmless(line));
        }
    }

    /// Prints a warning on stderr only once: steps of a longer command may repeat it.
    pub fn warn_once(&self, line: &str) {
        if locked(&self.warned).insert(line.to_owned()) {
            self.warn(line);
        }
    }

    /// Prints one of several errors on stderr; the command continues.
    pub fn error_line(&self, line: &str) {
        let mark = self.paint("31;1", "error:");
        self.log.line("error", &format!("{mark} "), &one_line(line));
    }

    /// Prints an error with its causes and hints on stderr, with the step's name if it is a step's.
    pub fn failure(&self, step: Option<&str>, error: &Error) {
        let (message, named) = (one_line(&error.to_string()), step.map(|step| format!("{step}: ")));
        let causes: Vec<String> = error.causes().iter().map(|cause| one_line(cause)).collect();
        let hints: Vec<String> = error.hints().iter().map(|hint| harmless(hint)).collect();
        let mut lines = vec![format!("{} {}{message}", self.paint("31;1", "error:"), named.unwrap_or_default())];
        lines.extend(causes.iter().map(|cause| format!("  caused by: {cause}")));
        lines.extend(hints.iter().map(|hint| format!("  {} {hint}", self.paint("36;1", "hint:"))));
        let members = json!({"step": step, "message": message, "causes": causes, "hints": hints});
        self.log.entry("error", &lines.join("\n"), &members);
    }

    /// Colours a word if colour is on.
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Longest line printed, in characters: only untrusted text makes longer ones.
const LONGEST_LINE: usize = 10_000;

/// Joins a message into one line: those of other programs may hold line breaks.
fn one_line(text: &str) -> String {
    let text = cut(text, LONGEST_LINE);
    let parts = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    visible(&parts.collect::<Vec<_>>().join(" ")).into_owned()
}

/// A line as printed on a terminal: every character is visible, and continuation lines are indented so that they cannot
/// pass for our own.
fn harmless(line: &str) -> String {
    visible(&cut(line, LONGEST_LINE)).replace('\n', "\n    ")
}
