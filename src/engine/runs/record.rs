//! A line of `runs.jsonl`: one run of a command that changes the competition.
//!
//! A run writes two lines with the same id: one when it begins and one when it ends. A run with no second line was
//! killed, or is still at work.

use serde::{Deserialize, Serialize};

use super::book::Progress;
use crate::base::error::{Error, Kind};
use crate::base::text::cut;
use crate::model::ids::{Block, RoundNumber};
use crate::model::stage::{Stage, Timestamp};
use crate::settings::SETTINGS;
use crate::ui::Report;
use crate::world::git::remote::{GIT_REMOTE, REFUSES};
use crate::world::usage::Usage;

/// Longest text kept of an error, in characters, and the most causes or hints.
const LONGEST_TEXT: usize = 500;
const MOST_TEXTS: usize = 5;

/// Most steps, commits and facts kept of a run.
pub(super) const MOST_KEPT: usize = 200;

/// How a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It has begun; the reader decides whether it is at work or was killed.
    #[default]
    Begun,
    /// It has not ended, and its process is gone.
    Killed,
    /// It wrote or committed something.
    Done,
    /// Nothing was to be done.
    Idle,
    /// It waits for something.
    Waits,
    /// It failed, or one of its steps did.
    Failed,
}

impl Outcome {
    /// Its name in the record.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Begun => "running",
            Outcome::Killed => "killed",
            Outcome::Done => "done",
            Outcome::Idle => "idle",
            Outcome::Waits => "waits",
            Outcome::Failed => "failed",
        }
    }

    /// How a report says that a command ended.
    pub(crate) fn of(report: &Report, failed: bool) -> Outcome {
        match () {
            () if failed || report.failed.is_some() => Outcome::Failed,
            () if report.changed() => Outcome::Done,
            () if !report.waits.is_empty() => Outcome::Waits,
            () => Outcome::Idle,
        }
    }
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorRecord {
    /// The step that failed.
    pub(crate) step: String,
    /// The error's kind: failed, usage, outside, damaged, conflict.
    pub(crate) kind: String,
    /// The outside service that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// What the failures of successive runs have in common: the service, or else the step and how it failed.
    pub(crate) key: String,
    /// The same in a few words for a reader, such as "judge unreachable".
    pub(crate) title: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) causes: Vec<String>,
    #[serde(default)]
    pub(crate) hints: Vec<String>,
    /// When the fault began, and its number of runs including this one: kept here because the record is rotated.
    #[serde(default)]
    pub(crate) since: Option<Timestamp>,
    #[serde(default)]
    pub(crate) runs: u64,
}

/// A step of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    pub(crate) command: String,
    pub(crate) outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorRecord>,
    /// Servers that could not be reached, which did not fail the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) troubles: Vec<ErrorRecord>,
    /// The keys of the troubles that it would have had if a server had not answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) answered: Vec<String>,
    /// Did a signal stop it before it was done?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stopped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Timestamp>,
}

/// The signal by which cron, `timeout` and services end a process.
const SIGTERM: &str = "SIGTERM";

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunRecord {
    /// Unique: time and random letters.
    pub(crate) id: String,
    pub(crate) started: Option<Timestamp>,
    /// Missing in the line written at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Timestamp>,
    pub(crate) version: String,
    /// The subcommand.
    pub(crate) command: String,
    /// Where the competition stood at the beginning.
    pub(crate) round: Option<RoundNumber>,
    pub(crate) stage: Option<Stage>,
    /// Where it stood at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_after: Option<RoundNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage_after: Option<Stage>,
    /// The chain's block, if the run asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) block: Option<Block>,
    pub(crate) outcome: Outcome,
    pub(crate) exit: u8,
    /// The steps of `advance`; for other commands, the command itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<StepRecord>,
    /// Commands left out by `--skip`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) skipped: Vec<String>,
    /// The last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorRecord>,
    /// What happened, each in a few words: verdicts, the winner, moves, pushes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) facts: Vec<String>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<String>,
    /// What it waits for, or why nothing was done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) waits: Vec<String>,
    /// Why nothing more was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<String>,
    /// The number of files written.
    pub(crate) files: usize,
    /// Commits made, each with the first line of its message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) commits: Vec<(String, String)>,
    /// The number of commits pushed.
    pub(crate) pushed: usize,
    /// Did it end before it had looked at everything that was due, by a signal or because another run was at work?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cut_short: bool,
    /// Was it asked for a part only of what was due, by `--until`, `--only` or `--shard`?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) partial: bool,
    /// Was it to push?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pushes: bool,
    /// What it used in all.
    pub(crate) usage: Usage,
    /// The part of that which it used in later rounds than the one in which it began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) later_rounds: Vec<(RoundNumber, Usage)>,
}

impl RunRecord {
    /// Was its process killed, or told to end by whoever runs it? Who types Ctrl-C knows why.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.outcome == Outcome::Killed || self.ended.is_some() && self.stopped.as_deref() == Some(SIGTERM)
    }

    /// Was it told to end before it had done anything?
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_cut_off() && matches!(self.outcome, Outcome::Idle | Outcome::Waits)
    }

    /// What it used in a round.
    pub(crate) fn used_in(&self, round: RoundNumber) -> Usage {
        let later = self.later_rounds.iter().find(|(later, _)| *later == round).map(|(_, used)| used.clone());
        match later {
            Some(used) => used,
            None if self.round == Some(round) => {
                self.later_rounds.iter().fold(self.usage.clone(), |all, (_, used)| all.without(used))
            }
            None => Usage::default(),
        }
    }

    /// Adds what it has done since.
    pub(crate) fn go_on(&mut self, progress: Progress) {
        self.commits.extend(progress.commits);
        self.facts.extend(progress.facts);
        self.commits.truncate(MOST_KEPT);
        self.facts.truncate(MOST_KEPT);
    }

    /// Has it ended by itself, as far as the record says?
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Every failure of the run, in order.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &ErrorRecord> {
        self.steps.iter().filter_map(|step| step.error.as_ref())
    }

    /// What could not be reached without failing a step.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &ErrorRecord> {
        self.steps.iter().flat_map(|step| &step.troubles)
    }
}

/// The first line of a text, cut.
pub(crate) fn first_line(text: &str) -> String {
    cut(text.lines().next().unwrap_or_default(), LONGEST_TEXT)
}

/// The name of a kind of error.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "failed",
        Kind::Usage => "usage",
        Kind::NotDue => "not_due",
        Kind::Outside => "outside",
        Kind::Damaged => "damaged",
        Kind::Busy => "busy",
        Kind::Conflict => "conflict",
        Kind::Limit => "limit",
    }
}

impl ErrorRecord {
    /// What a step's error leaves in the record.
    pub(crate) fn of(step: &str, error: &Error) -> ErrorRecord {
        let texts = |texts: &[String]| texts.iter().take(MOST_TEXTS).map(|text| cut(text, LONGEST_TEXT)).collect();
        let service = service_of(error);
        let (key, title) = match service {
            // Every step meets the same service, and it may fail now so, now otherwise.
            Some(service) => (service.to_owned(), format!("{service} {}", manner(error))),
            None => {
                let (key, title) = key_and_title(error);
                (format!("{step}: {key}"), title)
            }
        };
        ErrorRecord {
            step: step.to_owned(),
            kind: kind_name(error.kind()).to_owned(),
            service: service.map(str::to_owned),
            key,
            title,
            message: cut(&error.to_string(), LONGEST_TEXT),
            causes: texts(&error.causes()),
            hints: texts(error.hints()),
            since: None,
            runs: 1,
        }
    }
}

/// The kind of a server that could not be reached, which failed no step.
const TROUBLE: &str = "trouble";

impl ErrorRecord {
    /// Is its title the message itself, but for what changes from run to run?
    pub(crate) fn is_named_by_its_message(&self) -> bool {
        !self.is_trouble() && self.title.starts_with(&steady(&self.message))
    }

    /// Its title for a reader: with the numbers that equal failures do not share.
    pub(crate) fn shown_title(&self) -> String {
        match self.title.strip_prefix(&steady(&self.message)) {
            Some(manner) if !self.is_trouble() => format!("{}{manner}", short(head(&self.message).as_str())),
            _ => self.title.clone(),
        }
    }

    /// What a step found of a server that it could not reach, and goes on without.
    pub(crate) fn trouble(step: &str, server: &str, message: &str, hint: &str) -> ErrorRecord {
        let title = format!("{server} {UNREACHABLE}");
        ErrorRecord {
            step: step.to_owned(),
            kind: TROUBLE.to_owned(),
            service: None,
            key: trouble_key(step, server),
            title,
            message: cut(message, LONGEST_TEXT),
            causes: Vec::new(),
            hints: vec![cut(hint, LONGEST_TEXT)],
            since: None,
            runs: 1,
        }
    }

    /// Why it failed, without what changes from run to run but for a status: failures of one fault may differ in it.
    pub(crate) fn reason(&self) -> String {
        let texts = if self.causes.is_empty() { std::slice::from_ref(&self.message) } else { self.causes.as_slice() };
        let words = texts.iter().flat_map(|text| text.split_whitespace());
        let mut before = "";
        let masked = words.map(|word| match (std::mem::replace(&mut before, word), word) {
            ("status", status) => status.to_owned(),
            (_, word) if !word.contains(|c: char| c.is_ascii_digit()) => word.to_owned(),
            (_, word) if word.len() > 24 => "*".to_owned(),
            _ => "#".to_owned(),
        });
        masked.collect::<Vec<_>>().join(" ")
    }

    /// What a reader calls a failure of this kind: a service by its name alone, whichever step has met it.
    pub(crate) fn named(&self, title: &str) -> String {
        match self.service {
            Some(_) => title.to_owned(),
            None => format!("{}: {title}", self.step),
        }
    }

    /// The process of a command ended before its work did: by this signal, or without a word.
    pub(crate) fn cut_off(command: &str, signal: Option<&str>) -> ErrorRecord {
        let (title, message, hint) = match signal {
            Some(signal) => (
                format!("stopped by {signal}"),
                "it was told to end before it was done",
                "a time limit of cron, of `timeout` or of the service may be too short: raise it; what a run has done is \
                 kept, and the next one goes on from there",
            ),
            None => (
                KILLED.to_owned(),
                "its process ended without a word: was it killed, or the machine shut down?",
                "`journalctl -k` tells whether memory ran out; a time limit of cron or of the service kills as well",
            ),
        };
        ErrorRecord {
            step: command.to_owned(),
            kind: kind_name(Kind::Failed).to_owned(),
            service: None,
            key: format!("{command}: {CUT_OFF}"),
            title,
            message: message.to_owned(),
            causes: Vec::new(),
            hints: vec![hint.to_owned()],
            since: None,
            runs: 1,
        }
    }

    /// Did its process end before its work did?
    pub(crate) fn is_cut_off(&self) -> bool {
        self.key == format!("{}: {CUT_OFF}", self.step)
    }

    /// Can the settings not be followed?
    pub(crate) fn is_of_settings(&self) -> bool {
        self.service.as_deref() == Some(SETTINGS)
    }

    /// Did the git remote fail?
    pub(crate) fn is_of_remote(&self) -> bool {
        self.service.as_deref() == Some(GIT_REMOTE)
    }

    /// Is it such a trouble?
    pub(crate) fn is_trouble(&self) -> bool {
        self.kind == TROUBLE
    }
}

/// The key of a trouble.
pub(crate) fn trouble_key(step: &str, server: &str) -> String {
    format!("{step}: {server} {UNREACHABLE}")
}

/// The service to which an error is due. Where it may lie at this machine, the client has said how it fails.
fn service_of(error: &Error) -> Option<&'static str> {
    let is_known = match error.kind() {
        Kind::Outside => true,
        Kind::Failed | Kind::Usage => error.manner().is_some(),
        _ => false,
    };
    error.service().filter(|_| is_known)
}

/// The message of an error that no service is blamed for, without what changes from run to run. The first text is the
/// same in every run with this fault, the second one says more of this run.
fn key_and_title(error: &Error) -> (String, String) {
    let text = error.to_string();
    match error.kind() {
        Kind::Limit => {
            let limit = steady(text.split(':').next().unwrap_or_default());
            (limit.clone(), limit)
        }
        Kind::Outside => (steady(&text), format!("{} ({})", steady(&text), manner(error))),
        _ => (steady(&text), steady(&text)),
    }
}

const BUSY: &str = "busy";
const UNREACHABLE: &str = "unreachable";
const KILLED: &str = "killed without a word";

/// The part of a key that is the same for every way to end a process from outside.
const CUT_OFF: &str = "cut off";

/// What the judge's client says of an account without credit, before it quotes the server.
const NO_CREDIT: &str = "out of credit";

/// How an outside service fails: what an operator can do about each is different. A text quotes the server only after
/// its status, so the first status is the server's own, and what follows it chooses nothing.
pub(crate) fn manner(error: &Error) -> &'static str {
    if let Some(manner) = error.manner() {
        return manner;
    }
    let texts: Vec<String> = error.causes().into_iter().chain([error.to_string()]).collect();
    let status = texts.iter().find_map(|text| first_status(text));
    let no_credit = |text: &String| text.split("status ").next().is_some_and(|own| own.contains(NO_CREDIT));
    match status {
        _ if texts.iter().any(no_credit) => NO_CREDIT,
        Some(429) => BUSY,
        Some(408 | 409 | 425) => UNREACHABLE,
        Some(400..=499) => REFUSES,
        _ => UNREACHABLE,
    }
}

/// The first `status NNN` of a text.
fn first_status(text: &str) -> Option<u16> {
    let mut found = text.split("status ").skip(1);
    found.find_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok().filter(|_| digits.len() == 3)
    })
}

/// Longest part of a message that counts, in characters.
const LONGEST_STEADY: usize = 100;

/// A message's first part: a short one, such as a command or a path, says too little.
fn head(message: &str) -> String {
    let short = message.split(": ").take_while(|part| part.len() < 24).count();
    message.split(": ").take(short + 1).collect::<Vec<_>>().join(": ")
}

fn short(text: &str) -> String {
    cut(text.trim_end_matches([':', ' ']), LONGEST_STEADY)
}

/// A message's first part, without numbers, hotkeys and hashes.
fn steady(message: &str) -> String {
    let head = head(message);
    let words = head.split(' ').map(|word| match word.chars().filter(char::is_ascii_digit).count() {
        0 => word.to_owned(),
        _ if word.len() > 24 => "*".to_owned(),
        _ => word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect(),
    });
    let text = words.collect::<Vec<_>>().join(" ");
    short(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_failures_have_one_title_whatever_numbers_they_name() {
        let title = |error: Error| ErrorRecord::of("duel", &error).title;
        let down = |count: usize, cause: &str| {
            let cause = Error::outside(format!("POST https://j.example/v1: {cause}")).of_service(Some("judge"));
            Error::outside(format!("judge unreachable: {count} matches unfinished")).because(cause)
        };
        assert_eq!(title(down(3, "cannot connect (5 attempts)")), "judge unreachable");
        assert_eq!(title(down(12, "status 503")), "judge unreachable");
        assert_eq!(title(down(1, "status 429: slow down")), "judge busy");
        assert_eq!(title(down(1, "status 401: no such key")), "judge refuses");
        assert_eq!(title(down(1, "the account is out of credit: status 402")), "judge out of credit");
        // A server's words choose nothing.
        assert_eq!(title(down(1, "status 503: out of credit, status 401")), "judge unreachable");
        assert_eq!(title(down(1, "status 429: see status 403")), "judge busy");
        let key = |cause: &str| ErrorRecord::of("duel", &down(1, cause)).key;
        for cause in ["status 429", "status 503", "status 401", "cannot connect", "the account is out of credit"] {
            assert_eq!(key(cause), "judge", "one fault, however it fails");
        }
        let own = |error: Error| ErrorRecord::of("download", &error.of_service(Some("store")));
        assert_eq!(own(Error::failed("x: cannot store").of_manner(Some("not writable"))).title, "store not writable");
        assert_eq!(own(Error::failed("x: does not parse")).key, "download: x: does not parse", "nobody is blamed");
        let file = |n: u32| Error::failed(format!("rounds/{n}/seed.json: line {n} column 3: expected a number"));
        assert_eq!(title(file(3)), title(file(7)));
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        assert_eq!(title(Error::failed(format!("{hotkey} is not here"))), "* is not here");
        // A reader is told of this run.
        let shown = |error: Error| ErrorRecord::of("duel", &error).shown_title();
        assert_eq!(shown(Error::failed(format!("{hotkey} is not here"))), format!("{hotkey} is not here"));
        assert_eq!(shown(file(3)), "rounds/3/seed.json: line 3 column 3: expected a number");
        assert_eq!(shown(Error::outside("10 nodes are down: x")), "10 nodes are down: x (unreachable)");
        assert_eq!(shown(down(3, "status 503")), "judge unreachable");
        let limit = Error::new(Kind::Limit, "the limit calls is reached: round 3 may use 5 calls");
        assert_eq!(shown(limit), "the limit calls is reached");
    }
}
