//! What a command did, as data: `ui` prints it as text or as JSON (`docs/schemas/`), and `advance` reads its steps'
//! reports.

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};

use crate::base::error::{Error, Kind};

/// The exit code of `status --exit-code` where a command is due now.
pub const DUE: u8 = 10;

/// A line of a command's result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The colour's code and a word before the line, coloured on a terminal.
    pub mark: Option<(&'static str, &'static str)>,
    /// The line.
    pub text: String,
}

impl Line {
    /// The line with its mark.
    #[must_use]
    pub fn plain(&self) -> String {
        format!("{}{}", self.mark.map_or("", |(_, mark)| mark), self.text)
    }
}

/// A server that a command asked, and can go on without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, such as "CDN of HOTKEY".
    pub name: String,
    /// If it could not be reached: what is missing for that, and what to do.
    pub trouble: Option<(String, String)>,
}

/// The state that an answer is based on.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The settings file in use.
    pub settings: Option<String>,
}

/// What a command did, or with `--dry-run` would do.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The lines of its result.
    pub did: Vec<Line>,
    /// The result, if it is one whole text.
    pub text: Option<String>,
    /// The files that it wrote, relative to the competition's folder, or as full paths if elsewhere. A folder ends in a
    /// slash, and stands for everything in it.
    pub files: IndexSet<String>,
    /// With `--dry-run`: patterns of further files that it may write, depending on results.
    pub possible: IndexSet<String>,
    /// The commits that it made, each with its message.
    pub commits: IndexMap<String, String>,
    /// The commits that it pushed, each with the remote's name.
    pub pushed: IndexMap<String, String>,
    /// What happened that its files do not show, each in a few words, for the record of runs.
    pub facts: Vec<String>,
    /// The miners' servers that it asked.
    pub servers: Vec<Server>,
    /// What it waits for, if it is not due yet or depends on others.
    pub waits: Vec<String>,
    /// What to do about that.
    pub hints: Vec<String>,
    /// Warnings that it gave.
    pub warnings: IndexSet<String>,
    /// What to run next.
    pub next: Vec<String>,
    /// Is this a dry run?
    pub dry_run: bool,
    /// Results specific to this command, by JSON key.
    pub details: Map<String, Value>,
    /// The worst of the failures that were reported one by one.
    pub failed: Option<Kind>,
    /// The exit code of a command whose success says more than that.
    pub exit: Option<u8>,
    /// The state that it is based on.
    pub basis: Basis,
    /// How much of it has been printed.
    pub(super) printed: Printed,
}

/// How much of a report has been printed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Printed {
    pub(super) lines: usize,
    pub(super) files: usize,
    pub(super) possible: usize,
    pub(super) commits: usize,
    pub(super) pushed: usize,
    /// Has everything after the lines been printed?
    pub(super) end: bool,
}

/// A command that failed, with what it had done by then.
#[derive(Debug)]
pub struct Failed {
    /// The error.
    pub error: Error,
    /// What it had done.
    pub report: Report,
}

/// How a command ended.
pub type Ended = Result<Report, Box<Failed>>;

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(dry_run: bool) -> Self {
        Report { dry_run, ..Report::default() }
    }

    /// Adds a line of the result.
    pub fn say(&mut self, line: impl Into<String>) {
        self.did.push(Line { mark: None, text: line.into() });
    }

    /// Adds a command to run next, and a line about it.
    pub fn say_next(&mut self, what: String) {
        self.say(format!("next: {what}"));
        self.next.push(what);
    }

    /// As [`Report::say`], with a coloured word before the line.
    pub fn say_marked(&mut self, colour: &'static str, mark: &'static str, line: String) {
        self.did.push(Line { mark: Some((colour, mark)), text: line });
    }

    /// Adds files that have been written, or with `--dry-run` would be.
    pub fn note_files(&mut self, files: impl IntoIterator<Item = String>) {
        self.files.extend(files);
    }

    /// Adds patterns of files that may be written, depending on what a dry run cannot know.
    pub fn note_possible(&mut self, files: impl IntoIterator<Item = String>) {
        self.possible.extend(files);
    }

    /// Marks the files so far as printed: the command has shown them in its own way.
    pub fn has_told_files(&mut self) {
        self.printed.files = self.files.len();
    }

    /// Marks the files and commits so far as printed, so that they never are.
    pub fn keep_files_quiet(&mut self) {
        self.printed.files = self.files.len();
        self.printed.commits = self.commits.len();
    }

    /// Adds a commit that has been made.
    pub fn note_commit(&mut self, id: &str, message: &str) {
        self.basis.commit = Some(id.to_owned());
        self.commits.insert(id.to_owned(), message.to_owned());
    }

    /// Replaces the last commit's id after a push that remade it; `None` drops the commit.
    pub fn recommitted(&mut self, id: Option<&str>) {
        let last = self.commits.pop();
        if let (Some(id), Some((_, message))) = (id, last) {
            self.note_commit(id, &message);
        }
    }

    /// Adds results specific to this command: the entries of a JSON object.
    pub fn detail(&mut self, value: Value) {
        if let Value::Object(own) = value {
            self.details.extend(own);
        }
    }

    /// Notes that one of several things failed, which has been reported.
    pub fn fails(&mut self, kind: Kind) {
        if self.failed.is_none_or(|worst| kind.exit_code() > worst.exit_code()) {
            self.failed = Some(kind);
        }
    }

    /// Turns what is waited for into lines of the result: the command continues.
    pub fn go_on_waiting(&mut self) {
        for waits in std::mem::take(&mut self.waits) {
            self.say(waits);
        }
    }

    /// Did it change anything, or would it?
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.files.is_empty() || !self.commits.is_empty()
    }

    /// Adds what a step wrote and committed.
    pub fn take_in(&mut self, step: &Report) {
        self.files.extend(step.files.iter().cloned());
        self.possible.extend(step.possible.iter().cloned());
        self.commits.extend(step.commits.clone());
        self.pushed.extend(step.pushed.clone());
        if step.basis.commit.is_some() {
            self.basis.commit.clone_from(&step.basis.commit);
        }
    }

    /// The exit code: by the error if it failed, else its own if it has one, else 3 if it waits.
    #[must_use]
    pub fn exit_code(&self, error: Option<&Error>) -> u8 {
        let waits = (!self.waits.is_empty()).then_some(Kind::NotDue);
        let kind = error.map(Error::kind).or(self.failed);
        kind.map(Kind::exit_code).or(self.exit).unwrap_or_else(|| waits.map_or(0, Kind::exit_code))
    }

    /// The report as JSON, in the shape shared by all commands and the steps of `advance`.
    #[must_use]
    pub fn into_json(self, error: Option<&Error>) -> Map<String, Value> {
        let list = |texts: &IndexSet<String>| json!(texts.iter().collect::<Vec<_>>());
        let exit = self.exit_code(error);
        let mut details = self.details;
        details.extend(self.text.map(|text| ("text".to_owned(), json!(text))));
        let entries = [
            ("dry_run", json!(self.dry_run)),
            ("did", json!(self.did.iter().map(Line::plain).collect::<Vec<_>>())),
            ("files", list(&self.files)),
            ("possible_files", list(&self.possible)),
            ("commits", json!(self.commits.keys().collect::<Vec<_>>())),
            ("waits", json!(self.waits)),
            ("warnings", list(&self.warnings)),
            ("next", json!(self.next)),
            ("details", Value::Object(details)),
            ("error", json!(error.map(ToString::to_string))),
            ("causes", json!(error.map(Error::causes).unwrap_or_default())),
            ("hints", json!(error.map_or(self.hints.as_slice(), Error::hints))),
            ("exit", json!(exit)),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_follows_from_what_is_reported() {
        let mut report = Report::default();
        assert_eq!(report.exit_code(None), 0);
        report.waits.push("for the audit".to_owned());
        assert_eq!(report.exit_code(None), 3);
        report.failed = Some(Kind::Outside);
        assert_eq!(report.exit_code(None), 4);
        assert_eq!(report.exit_code(Some(&Error::usage("x"))), 2);
    }

    #[test]
    fn every_report_has_the_same_keys() {
        let keys = |report: &Report, error: Option<&Error>| {
            report.clone().into_json(error).keys().cloned().collect::<Vec<_>>()
        };
        let mut full = Report::new(true);
        full.say_marked("31", "fail", " x".to_owned());
        full.detail(json!({"a": 1}));
        assert_eq!(full.clone().into_json(None)["did"], json!(["fail x"]));
        let error = Error::failed("broken").hint("mend it");
        assert_eq!(keys(&Report::default(), None), keys(&full, Some(&error)));
        assert_eq!(full.into_json(Some(&error))["hints"], json!(["mend it"]));
    }
}
