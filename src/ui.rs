//! What the user sees: results on stdout, everything else on stderr.
//!
//! Nothing outside this file prints, and whatever is printed here is made visible first: texts from
//! outside may hold what moves the cursor or turns the writing's direction. On a terminal, long work shows a bar; under cron or in a pipe
//! it says a line now and then, so that a log stays readable.

mod done;
mod progress;

use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

pub use self::done::{Basis, Done, failure_json};
pub use self::progress::{Bar, Phases};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::{cut, visible, visible_json};

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
    /// The command, as the JSON's schema names it.
    command: String,
    dry_run: bool,
    /// A step of a longer command, which tells itself what became of it.
    step: bool,
    done: Arc<Mutex<Done>>,
    basis: Arc<Mutex<Basis>>,
    /// The first failure to write to stdout.
    lost: Arc<Mutex<Option<std::io::Error>>>,
    /// The JSON has been printed.
    answered: Arc<AtomicBool>,
    /// Warnings that are given once.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

/// A run that writes more files than this says only how many, unless `-v` or `--dry-run` asks for their names.
const MOST_NAMED: usize = 20;

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ui {
    /// A user interface for these flags; colour only on a terminal, and not where `NO_COLOR` is set
    /// or `TERM` is `dumb`.
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
            command: String::new(),
            dry_run: false,
            step: false,
            done: Arc::default(),
            basis: Arc::default(),
            lost: Arc::default(),
            answered: Arc::default(),
            warned: Arc::default(),
        }
    }

    /// The same for this command.
    #[must_use]
    pub fn of(self, command: &str, dry_run: bool) -> Self {
        Ui { command: command.to_owned(), dry_run, ..self }
    }

    /// One for a step of a longer command: its result is kept for that command, and its status lines
    /// are for those who asked for more.
    #[must_use]
    pub fn for_step(&self) -> Ui {
        Ui { json: false, step: true, done: Arc::default(), ..self.clone() }
    }

    /// What has been done so far.
    #[must_use]
    pub fn done(&self) -> Done {
        locked(&self.done).clone()
    }

    /// Takes in what a step did. Its files and commits are told for those who asked for more, and in a dry run.
    pub fn take_in(&self, step: &Done) {
        let mut done = locked(&self.done);
        done.take_in(step);
        if self.verbosity < Verbosity::Verbose && !self.dry_run {
            done.told = (done.files.len(), done.commits.len());
        }
    }

    /// Is told of files that have been written, or with `--dry-run` would be.
    pub fn note_files(&self, files: impl IntoIterator<Item = String>) {
        locked(&self.done).files.extend(files);
    }

    /// Is told of files, as patterns, that may be written by what a dry run cannot know.
    pub fn note_possible(&self, files: impl IntoIterator<Item = String>) {
        locked(&self.done).possible.extend(files);
    }

    /// The files so far have been told in the command's own way.
    pub fn has_told_files(&self) {
        let mut done = locked(&self.done);
        done.told.0 = done.files.len();
    }

    /// Is told of a commit that has been made.
    pub fn note_commit(&self, id: &str, message: &str) {
        locked(&self.basis).commit = Some(id.to_owned());
        locked(&self.done).commits.insert(id.to_owned(), message.to_owned());
    }

    /// Is told what became of the last commit when it was pushed: it has another id, or gave way.
    pub fn recommitted(&self, id: Option<&str>) {
        let last = locked(&self.done).commits.pop();
        if let (Some(id), Some((_, message))) = (id, last) {
            self.note_commit(id, &message);
        }
    }

    /// Is told which commit is checked out.
    pub fn stands_at(&self, commit: Option<String>) {
        locked(&self.basis).commit = commit;
    }

    /// Is told which settings are followed.
    pub fn follows(&self, settings: Option<String>) {
        locked(&self.basis).settings = settings;
    }

    /// Is the result to be JSON?
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// One line of the result: on stdout, or kept for the end.
    pub fn result(&self, line: &str) {
        if self.json || self.step {
            locked(&self.done).did.push(line.to_owned());
        }
        if self.step {
            self.detail(line);
        } else if !self.json {
            self.out(&harmless(line));
        }
    }

    /// As [`Ui::result`], with a coloured word before the line.
    pub fn marked_result(&self, code: &str, mark: &str, line: &str) {
        if self.json || self.step {
            return self.result(&format!("{mark}{line}"));
        }
        let mark = if std::io::stdout().is_terminal() { self.paint(code, mark) } else { mark.to_owned() };
        self.out(&format!("{mark}{}", harmless(line)));
    }

    /// A whole text of our own, as it is, on stdout.
    pub fn text(&self, text: &str) {
        if self.json { self.own(json!({ "text": text })) } else { self.out(text) }
    }

    /// What this command alone tells in JSON: the keys of an object.
    pub fn own(&self, value: Value) {
        if let Value::Object(own) = value {
            locked(&self.done).own.extend(own);
        }
    }

    /// Writes to stdout. A reader that has gone away is no error; any other failure is told at the end.
    fn out(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        self.printed(writeln!(out, "{text}").and_then(|()| out.flush()));
    }

    /// Is told whether something could be written to stdout.
    pub fn printed(&self, outcome: std::io::Result<()>) {
        if let Err(error) = outcome
            && error.kind() != ErrorKind::BrokenPipe
        {
            locked(&self.lost).get_or_insert(error);
        }
    }

    /// Names the files and commits that have not been told yet.
    pub fn tell(&self) {
        if self.json || self.step {
            return;
        }
        let (files, commits) = {
            let mut done = locked(&self.done);
            let now = (done.files.len(), done.commits.len());
            let told = std::mem::replace(&mut done.told, now);
            let files: Vec<String> = done.files.iter().skip(told.0).cloned().collect();
            (files, done.commits.clone().into_iter().skip(told.1).collect::<Vec<_>>())
        };
        let verb = if self.dry_run { "would write" } else { "wrote" };
        if files.len() > MOST_NAMED && self.verbosity < Verbosity::Verbose && !self.dry_run {
            self.status(&format!("{verb} {} files (-v names them)", files.len()));
        } else {
            files.iter().for_each(|path| self.status(&format!("{verb} {path}")));
        }
        for path in &locked(&self.done).possible {
            self.status(&format!("may write {path}, which is not known before"));
        }
        for (id, message) in commits {
            let (id, first) = (id.get(..10).unwrap_or(&id), message.lines().next().unwrap_or_default());
            self.status(&format!("committed {id} ({first})"));
        }
    }

    /// The end of a command: tells what is left to tell, and gives the exit code.
    pub fn finish(&self, ended: &Result<u8>) -> u8 {
        let error = ended.as_ref().err();
        let exit = error.map_or_else(|| ended.as_ref().copied().unwrap_or_default(), |e| e.kind().exit_code());
        match error {
            // A command that is not due is no failure: what is due instead is its result.
            Some(error) if error.kind() == Kind::NotDue && !self.json => self.result(&error.to_string()),
            Some(error) => self.failure(None, error),
            None => {}
        }
        self.tell();
        let done_something = !self.dry_run && !locked(&self.done).files.is_empty();
        if self.json {
            self.answer(error, exit);
        }
        self.with_all_printed(exit, done_something)
    }

    /// The exit code of a command that would end with `exit`, if all of its result could be written.
    fn with_all_printed(&self, exit: u8, done_something: bool) -> u8 {
        let Some(lost) = locked(&self.lost).take() else { return exit };
        let mut lost = Error::failed("stdout: the result cannot be written").because(lost);
        if done_something {
            lost = lost.hint("what was done is done: `gen404 status` says where the competition stands");
        }
        self.failure(None, &lost);
        // That a command waits is a result as well, and nobody has read it.
        if [0, Kind::NotDue.exit_code()].contains(&exit) { Kind::Failed.exit_code() } else { exit }
    }

    /// Tells the result before the end: what goes on after it adds nothing.
    pub fn answer_early(&self) {
        self.tell();
        if self.json {
            self.answer(None, 0);
        }
    }

    /// The result as one JSON object, on stdout, once.
    pub fn answer(&self, error: Option<&Error>, exit: u8) {
        if self.answered.swap(true, Ordering::SeqCst) {
            return;
        }
        let done = std::mem::take(&mut *locked(&self.done));
        let Basis { commit, settings } = locked(&self.basis).clone();
        let mut answer = Map::new();
        answer.insert("schema".to_owned(), json!(format!("gen404/{}/1", self.command)));
        answer.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        answer.insert("commit".to_owned(), json!(commit));
        answer.insert("settings".to_owned(), json!(settings));
        answer.insert("dry_run".to_owned(), json!(self.dry_run));
        answer.extend(done.json(self.dry_run));
        answer.extend(done.own);
        answer.extend(error.map(failure_json).unwrap_or_default());
        answer.insert("exit".to_owned(), json!(exit));
        self.out(&visible_json(&format!("{:#}", Value::Object(answer))));
    }

    /// A status line, on stderr.
    pub fn status(&self, line: &str) {
        let least = if self.step { Verbosity::Verbose } else { Verbosity::Normal };
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
        if locked(&self.warned).insert(line.to_owned()) {
            self.warn(line);
        }
    }

    /// One failure among several, on stderr: the rest of the command goes on.
    pub fn error_line(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{} {}", self.paint("31;1", "error:"), one_line(line));
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
