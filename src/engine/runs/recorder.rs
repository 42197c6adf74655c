//! Writes the record of the run at work. A failure to write never fails the run.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use super::book::{AtWork, Book, Progress};
use super::place::Place;
use super::record::{ErrorRecord, MOST_KEPT, Outcome, RunRecord, StepRecord, first_line, trouble_key};
use super::streak::{Faults, Streak};
use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::text::counted;
use crate::engine::context::Options;
use crate::engine::notify::Teller;
use crate::engine::notify::marks::changes;
use crate::engine::notify::seen::Seen;
use crate::model::ids::{Block, RoundNumber};
use crate::model::stage::Timestamp;
use crate::ui::{Report, Server, Ui};
use crate::world::stop::Stop;
use crate::world::usage::Meter;

/// Servers of miners that are told of one by one; of more, only their number is.
const MOST_SERVERS: usize = 8;

/// What they are called together.
const SERVERS: &str = "miners' CDNs";

/// Records the runs of a command: one, or with `advance --wait` one for each pass.
#[derive(Debug)]
pub(crate) struct Recorder {
    ui: Ui,
    meter: Meter,
    command: String,
    skipped: Vec<String>,
    repo: Option<PathBuf>,
    pushes: bool,
    open: Arc<Mutex<Option<OpenRun>>>,
    /// Tells of them outside.
    teller: Teller,
}

/// A run at work.
#[derive(Debug)]
struct OpenRun {
    place: Place,
    book: Book,
    run: RunRecord,
    /// When the step at work began, nearly: when the one before it ended.
    since: DateTime<Utc>,
    /// The round of the step at work.
    round: Option<RoundNumber>,
    /// What each command waits for, by its last step: an earlier one may have been answered since.
    waits: IndexMap<String, Vec<String>>,
    /// How many of its commits are those of steps that have ended.
    reported: usize,
    /// What the files showed when they were last looked at.
    seen: Option<Seen>,
    /// Shows that it is at work; none if it is not in the record, which fails no run and hides none.
    work: Option<AtWork>,
}

impl Recorder {
    /// A recorder of this command's runs. Nothing is written yet.
    pub(crate) fn new(options: &Options, ui: &Ui, command: &str, skipped: &[String]) -> Recorder {
        let (meter, repo) = (options.meter.clone(), options.repo.clone());
        let (command, skipped) = (command.to_owned(), skipped.to_vec());
        let teller = Teller::new(options, ui);
        let (pushes, open) = (options.push, Arc::new(Mutex::<Option<OpenRun>>::default()));
        let at_work = open.clone();
        options.witness.tell(Arc::new(move |id: &str, message: &str| {
            if let Some(run) = locked(&at_work).as_mut() {
                run.committed(id, message);
            }
        }));
        Recorder { ui: ui.clone(), meter, command, skipped, repo, pushes, open, teller }
    }

    fn open(&self) -> MutexGuard<'_, Option<OpenRun>> {
        locked(&self.open)
    }

    /// A run begins.
    pub(crate) fn begin(&self) {
        match self.begun() {
            Ok(run) => {
                let is_run = run.is_some();
                *self.open() = run;
                if is_run {
                    self.teller.begun();
                }
            }
            Err(error) => self.ui.detail(&format!("this run is not recorded: {error}")),
        }
    }

    /// `None` if there is no competition here.
    fn begun(&self) -> Result<Option<OpenRun>> {
        let Some(place) = Place::find(self.repo.as_deref())? else { return Ok(None) };
        let now = Utc::now();
        let standing = place.standing();
        let run = RunRecord {
            id: id(now)?,
            started: Some(Timestamp::from(now)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.command.clone(),
            round: standing.map(|standing| standing.0),
            stage: standing.map(|standing| standing.1),
            skipped: self.skipped.clone(),
            pushes: self.pushes,
            ..RunRecord::default()
        };
        let book = Book::at(&place.own);
        let work = book.begin_work(&run.id).and_then(|work| book.append(&run, false).map(|()| work));
        let work = work.inspect_err(|error| self.unrecorded(error)).ok();
        let seen = Seen::read(&place.store, None);
        let waits = IndexMap::new();
        Ok(Some(OpenRun { round: run.round, since: now, place, book, run, waits, reported: 0, seen, work }))
    }

    /// The chain's block is this.
    pub(crate) fn block(&self, block: Block) {
        if let Some(open) = self.open().as_mut() {
            open.run.block = Some(block);
        }
    }

    /// A step is over, and others may follow that take hours: others are told what it did.
    pub(crate) fn step(&self, command: &str, report: &Report, error: Option<&Error>) {
        self.note_step(command, report, error);
        let run = self.open().as_ref().map(|open| open.run.clone());
        if let Some(run) = run {
            self.teller.went_on(&run);
        }
    }

    /// Notes what a step did, or the command itself.
    fn note_step(&self, command: &str, report: &Report, error: Option<&Error>) {
        let mut open = self.open();
        let Some(open) = open.as_mut() else { return };
        open.count(&self.meter);
        // What a stop cut off has not failed.
        let stopped = error.is_some() && Stop::of_process().is_wanted();
        let error = error.filter(|_| !stopped);
        let fault = error.map(|error| ErrorRecord::of(command, error));
        let outcome = Outcome::of(report, error.is_some());
        let (troubles, answered) = servers(command, &report.servers);
        let now = Utc::now();
        let (started, ended) = (Some(Timestamp::from(open.since)), Some(Timestamp::from(now)));
        open.since = now;
        open.run.steps.push(StepRecord {
            command: command.to_owned(),
            outcome,
            error: fault,
            troubles,
            answered,
            stopped,
            started,
            ended,
        });
        open.look();
        let pushed = |(id, remote): (&String, &String)| format!("pushed {} to {remote}", id.get(..10).unwrap_or(id));
        open.note(report.facts.iter().cloned().chain(report.pushed.iter().map(pushed)));
        open.waits.insert(command.to_owned(), report.waits.iter().map(|line| first_line(line)).collect());
        open.run.waits = open.waits.values().flatten().take(MOST_KEPT).cloned().collect();
        open.run.files += report.files.len();
        // Those that were noted as they were made may have been made again since, on top of others' work.
        open.run.commits.truncate(open.reported);
        open.run.commits.extend(report.commits.iter().map(|(id, message)| (id.clone(), first_line(message))));
        open.run.pushed += report.pushed.len();
        open.run.steps.truncate(MOST_KEPT);
        open.run.commits.truncate(MOST_KEPT);
        open.reported = open.run.commits.len();
        let standing = open.place.standing();
        (open.run.round_after, open.run.stage_after) = standing.unzip();
        open.round = open.run.round_after;
        // What follows may be killed.
        if open.work.is_some() {
            self.told(open.book.append(&open.run, false));
        }
    }

    /// The run does only a part of what is due.
    pub(crate) fn partial(&self) {
        if let Some(open) = self.open().as_mut() {
            open.run.partial = true;
        }
    }

    /// Something happened outside of a step.
    pub(crate) fn note(&self, facts: &[String]) {
        if let Some(open) = self.open().as_mut() {
            open.note(facts.iter().cloned());
        }
    }

    /// The run is over: `idle` says why nothing more was done, and `cut_short` that not all that is due was tried.
    pub(crate) fn end(&self, exit: u8, idle: Option<&str>, cut_short: bool) -> Option<RunRecord> {
        let mut open = self.open().take()?;
        open.count(&self.meter);
        open.look();
        let standing = open.place.standing();
        // At work until the last line is written.
        let OpenRun { book, mut run, work: _work, .. } = open;
        (run.round_after, run.stage_after) = standing.unzip();
        if run.steps.is_empty() || cut_short {
            run.waits.extend(idle.map(first_line));
        } else {
            run.then = idle.map(first_line);
        }
        (run.exit, run.cut_short) = (exit, cut_short);
        run.stopped = Stop::of_process().signal().map(str::to_owned);
        run.ended = Some(Timestamp::from(Utc::now()));
        let outcomes: Vec<Outcome> = run.steps.iter().map(|step| step.outcome).collect();
        let order = [Outcome::Failed, Outcome::Done, Outcome::Waits];
        run.outcome = order.into_iter().find(|outcome| outcomes.contains(outcome)).unwrap_or(Outcome::Idle);
        match date(&book, &mut run) {
            // Who types a command sees by its result what works again.
            Ok(Turn { begun, over }) => {
                over.iter().for_each(|(fault, at)| _ = self.ui.tell_log(&over_line(fault, at)));
                begun.iter().flat_map(begun_lines).for_each(|line| _ = self.ui.tell_log(&line));
            }
            Err(error) => self.unrecorded(&error),
        }
        if run.outcome == Outcome::Failed {
            run.error = run.steps.iter().rev().find_map(|step| step.error.clone());
        }
        self.told(book.append(&run, true));
        self.teller.ended(&run);
        Some(run)
    }

    /// The command is over, with this report.
    pub(crate) fn conclude(&self, report: &Report, error: Option<&Error>) -> Option<RunRecord> {
        let busy = error.filter(|error| error.kind() == Kind::Busy).map(ToString::to_string);
        if busy.is_none() {
            self.note_step(&self.command, report, error);
        }
        // `advance` as a whole fails before it has tried what is due.
        let gave_up = error.is_some() && self.command == "advance";
        let cut_short = busy.is_some() || gave_up || Stop::of_process().is_wanted();
        self.end(report.exit_code(error), busy.as_deref(), cut_short)
    }

    fn told(&self, written: Result<()>) {
        if let Err(error) = written {
            self.unrecorded(&error);
        }
    }

    /// Says why this run is not in the record.
    fn unrecorded(&self, error: &Error) {
        let causes = error.causes().iter().map(|cause| format!(": {cause}")).collect::<String>();
        self.ui.warn_once(&format!("this run is not recorded: {error}{causes}"));
    }
}

impl OpenRun {
    /// Notes what has changed in the competition's files.
    fn look(&mut self) {
        let from = self.seen.as_ref().map(|seen| seen.standing().0.0);
        let Some(now) = Seen::read(&self.place.store, from) else { return };
        if let Some(before) = &self.seen {
            let facts = changes(before, &now);
            self.note(facts);
        }
        self.seen = Some(now);
    }

    /// Notes a commit as soon as it is made: what follows may be killed.
    fn committed(&mut self, id: &str, message: &str) {
        let facts = self.run.facts.len();
        self.look();
        let commits = vec![(id.to_owned(), first_line(message))];
        let facts = self.run.facts.get(facts..).unwrap_or_default().to_vec();
        let progress = Progress { commits: commits.clone(), facts };
        self.run.commits.extend(commits);
        self.run.commits.truncate(MOST_KEPT);
        if self.work.is_some() {
            // The line at the step's end holds it as well, and warns if nothing can be written.
            let _ = self.book.append_progress(&self.run, &progress);
        }
    }

    fn note(&mut self, facts: impl IntoIterator<Item = String>) {
        self.run.facts.extend(facts.into_iter().map(|fact| first_line(&fact)));
        self.run.facts.truncate(MOST_KEPT);
    }

    /// Adds what was used since the last time.
    fn count(&mut self, meter: &Meter) {
        let used = meter.take();
        self.run.usage.add(&used);
        // Only a run that goes on into the next round needs to tell them apart.
        if self.round != self.run.round
            && let Some(round) = self.round
        {
            match self.run.later_rounds.iter_mut().find(|(later, _)| *later == round) {
                Some((_, counted)) => counted.add(&used),
                None => self.run.later_rounds.push((round, used)),
            }
        }
    }
}

fn locked(open: &Mutex<Option<OpenRun>>) -> MutexGuard<'_, Option<OpenRun>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The servers that a step could not reach, and the keys of those that it could.
fn servers(step: &str, asked: &[Server]) -> (Vec<ErrorRecord>, Vec<String>) {
    let trouble = |server: &Server| {
        let (message, hint) = server.trouble.as_ref()?;
        Some(ErrorRecord::trouble(step, &server.name, message, hint))
    };
    let mut troubles: Vec<ErrorRecord> = asked.iter().filter_map(trouble).collect();
    let silent = troubles.len();
    let reached = asked.iter().filter(|server| server.trouble.is_none());
    let mut answered: Vec<String> = reached.map(|server| trouble_key(step, &server.name)).collect();
    if silent > MOST_SERVERS {
        let many =
            format!("{silent} of {} miners' servers could not be reached, and their files are missing", asked.len());
        let hint = "is this machine's own network up? `gen404 status` lists each miner";
        troubles = vec![ErrorRecord::trouble(step, SERVERS, &many, hint)];
    } else if !answered.is_empty() {
        answered.push(trouble_key(step, SERVERS));
    }
    (troubles, answered)
}

/// What a run turned.
struct Turn {
    /// Faults that have begun.
    begun: Vec<Streak>,
    /// Faults that are over, and since when.
    over: Vec<(Streak, Timestamp)>,
}

/// Notes with each failure since when it lasts. Returns what has begun and what is over by this run.
fn date(book: &Book, run: &mut RunRecord) -> Result<Turn> {
    let pages = book.read()?;
    let mut faults = Faults::of(pages.runs.iter().filter(|other| other.id != run.id));
    faults.over.clear();
    let before: Vec<String> = faults.open.iter().map(|fault| fault.error.key.clone()).collect();
    faults.follow(run);
    let lasting = |error: &mut ErrorRecord| {
        if let Some(fault) = faults.lasting(&error.key) {
            (error.since, error.runs) = (Some(fault.since.clone()), fault.runs);
        }
    };
    run.steps.iter_mut().flat_map(|step| step.error.iter_mut().chain(&mut step.troubles)).for_each(lasting);
    faults.open.retain(|fault| !before.contains(&fault.error.key));
    Ok(Turn { begun: faults.open, over: faults.over })
}

/// Tells of a fault that has begun and failed no step: `begun: download: CDN of 5F... unreachable: ...`, and what to do
/// about it. Steps that fail have said so themselves.
fn begun_lines(fault: &Streak) -> Vec<String> {
    let error = &fault.error;
    if !error.is_trouble() && !error.is_cut_off() {
        return Vec::new();
    }
    let first = format!("begun: {}: {}", fault.name_now(), error.message);
    std::iter::once(first).chain(error.hints.iter().map(|hint| format!("  hint: {hint}"))).collect()
}

/// Tells that a fault is over: `over: duel: judge unreachable, from 02:14 to 03:02 UTC, 37 runs`.
fn over_line(fault: &Streak, until: &Timestamp) -> String {
    let (from, to) = (fault.since.at(), until.at());
    let from = from.format(if from.date_naive() == to.date_naive() { "%R" } else { "%F %R" });
    format!("over: {}, from {from} to {} UTC, {}", fault.name(), to.format("%R"), counted(fault.runs, "run", "runs"))
}

/// A new run's id: the time, and letters that tell two of the same second apart.
fn id(now: DateTime<Utc>) -> Result<String> {
    let mut bytes = [0; 3];
    getrandom::fill(&mut bytes).failed(|| "the operating system provides no random bytes".to_owned())?;
    Ok(format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), crate::base::hex::encode(bytes)))
}
