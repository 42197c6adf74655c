//! Plays the tournament: opens matches once they are known to be needed, hands them the judge's answers, and records
//! complete ones in the tournament's order, whichever finished first.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

use super::super::context::Context;
use super::call_queue::{CallQueue, Closing, FailedInARow, progress, sync, work};
use super::round::{DuelRound, Task};
use super::standings::{Ending, show};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::engine::runs::limits::calls_are_over;
use crate::engine::runs::record::manner;
use crate::model::file::{FileKind, PlayerFile, RepoFile as _, RoundFile, answers_name};
use crate::model::file_path::FilePath;
use crate::model::ids::Seed;
use crate::model::matrix::Matrix;
use crate::model::require_audit::AuditRequests;
use crate::model::snapshot::Source as _;
use crate::rules::Plan;
use crate::rules::match_in_progress::{Inquiry, InquiryAnswer, MatchInProgress, Played};
use crate::rules::pairings::{pairings, recordable};
use crate::rules::results::{declare_winner, match_line, matrix_line, record, requests_line};
use crate::rules::shard::Shard;
use crate::rules::tournament::{Field, Pair, replay};
use crate::ui::{Bar, Report};
use crate::world::judge::{Bench, ShownAnswer};

/// How often a waiting run checks for a stop signal.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The open calls of a tournament, and one that has come back.
type Calls = CallQueue<Pair, Task>;
type Returned = super::call_queue::Returned<Task, InquiryAnswer>;

/// A tournament in progress.
pub(crate) struct Play<'a> {
    context: &'a Context<'a>,
    report: &'a mut Report,
    bench: &'a Bench,
    queue: Calls,
    shard: Shard,
    round: DuelRound,
    /// The tournament with all known results, including those not recorded yet.
    known: Field,
    matches: HashMap<Pair, MatchInProgress>,
    /// Complete matches whose turn to be recorded has not come.
    complete: HashMap<Pair, Played>,
    failed: BTreeMap<Pair, Error>,
    /// Calls that have not returned yet.
    open: usize,
    failures: FailedInARow<Pair>,
    down: bool,
    stopped: bool,
    /// The limit of the judge's calls is reached.
    limited: bool,
}

impl<'a> Play<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        round: DuelRound,
        bench: &'a Bench,
        shard: Shard,
        report: &'a mut Report,
    ) -> Result<Self> {
        Ok(Play {
            context,
            report,
            bench,
            queue: Calls::default(),
            shard,
            known: round.field()?,
            round,
            matches: HashMap::new(),
            complete: HashMap::new(),
            failed: BTreeMap::new(),
            open: 0,
            failures: FailedInARow::default(),
            down: false,
            stopped: false,
            limited: false,
        })
    }

    /// Plays as far as possible with `concurrency` calls in flight.
    pub(crate) fn run(mut self, concurrency: usize) -> Result<()> {
        let bar = self.context.ui.bar("judging", 0);
        let (bench, seed) = (self.bench, self.round.seed);
        let queue = std::mem::take(&mut self.queue);
        let played = thread::scope(|scope| {
            let _closing = Closing(&queue);
            let ((returned, returns), (counted, counts)) = (unbounded(), unbounded());
            for _ in 0..concurrency {
                let (returned, queue) = (returned.clone(), &queue);
                scope.spawn(move || work(queue, &returned, |task: &Task| answer(bench, seed, task)));
            }
            scope.spawn(move || sync(&bench.journal, &returns, &counted));
            drop(returned);
            self.play(&queue, &counts, concurrency, &bar)
        });
        drop(bar);
        played?;
        self.conclude()
    }

    fn play(&mut self, queue: &Calls, counts: &Receiver<Returned>, concurrency: usize, bar: &Bar) -> Result<()> {
        self.open_matches(queue, bar);
        self.record(true, Some(bar))?;
        while self.open > 0 {
            if self.context.stop.is_wanted() && !self.stopped {
                self.stop(queue, bar);
                continue;
            }
            let (task, outcome) = match counts.recv_timeout(LOOK_EVERY) {
                Ok(returned) => returned,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::failed("the judge's worker threads are gone"));
                }
            };
            self.open -= 1;
            bar.advance(1);
            if self.take(queue, bar, task, outcome, concurrency)? {
                self.open_matches(queue, bar);
                self.record(true, Some(bar))?;
            }
            self.note(queue, bar);
        }
        // The last call may have failed because of the stop.
        self.stopped |= self.context.stop.is_wanted() && !self.failed.is_empty();
        Ok(())
    }

    /// Starts no more calls. Those in flight are already paid for, so they get a moment to return.
    fn stop(&mut self, queue: &Calls, bar: &Bar) {
        self.stopped = true;
        let withdrawn = queue.withdraw_all();
        self.open -= withdrawn;
        bar.shorten(withdrawn as u64);
        self.context.ui.status("stopping: the judge calls in flight have a second to finish");
    }

    /// Opens the matches that are known to be needed so far.
    fn open_matches(&mut self, queue: &Calls, bar: &Bar) {
        loop {
            let pairings = pairings(&self.known);
            let mut wanted: Vec<Pair> = pairings.required.into_iter().chain(pairings.exploratory).collect();
            wanted.retain(|pair| self.holds(pair));
            let mut decided = false;
            for pair in &wanted {
                let there = self.matches.contains_key(pair) || self.failed.contains_key(pair);
                if !there && !self.down && !self.stopped {
                    decided |= self.open_match(queue, bar, pair);
                }
            }
            if !decided {
                return queue.arrange(&wanted);
            }
        }
    }

    /// Opens a match. Returns whether it is decided without the judge.
    fn open_match(&mut self, queue: &Calls, bar: &Bar, pair: &Pair) -> bool {
        let playing = self.round.begin(pair);
        let inquiries = playing.inquiries();
        let task = |inquiry: &Inquiry| Task {
            pair: pair.clone(),
            duel: inquiry.duel,
            order: inquiry.order,
            images: self.round.images(inquiry),
        };
        let calls: Vec<Task> = inquiries.iter().map(task).collect();
        if let Some(played) = playing.played() {
            self.finish(pair.clone(), played);
            return true;
        }
        self.matches.insert(pair.clone(), playing);
        self.open += calls.len();
        bar.extend(calls.len() as u64);
        queue.add(pair, calls.into_iter().map(|call| (0, call)));
        false
    }

    /// Is this match one of this shard's?
    fn holds(&self, pair: &Pair) -> bool {
        self.round.is_in(self.shard, pair)
    }

    fn finish(&mut self, pair: Pair, played: Played) {
        self.known.matrix.0.insert(pair.clone(), played.margin);
        self.complete.insert(pair, played);
    }

    /// Takes a returned call. Returns whether it completed a match or made it fail.
    fn take(
        &mut self,
        queue: &Calls,
        bar: &Bar,
        task: Task,
        outcome: Result<InquiryAnswer>,
        concurrency: usize,
    ) -> Result<bool> {
        match outcome {
            Ok(answer) => {
                self.failures.clear();
                let Some(playing) = self.matches.get_mut(&task.pair) else { return Ok(false) };
                playing.answer(task.duel, task.order, answer);
                let Some(played) = playing.played() else { return Ok(false) };
                self.matches.remove(&task.pair);
                self.finish(task.pair, played);
                Ok(true)
            }
            // What was answered is recorded first.
            Err(error) if error.kind() == Kind::Limit => {
                let withdrawn = queue.withdraw_all();
                self.open -= withdrawn;
                bar.shorten(withdrawn as u64);
                (self.limited, self.down) = (true, true);
                self.matches.remove(&task.pair);
                Ok(true)
            }
            Err(error) if error.kind() != Kind::Outside => Err(error),
            Err(error) => {
                let mut withdrawn = queue.withdraw(&task.pair);
                if self.failures.add(task.pair.clone(), concurrency) {
                    self.down = true;
                    withdrawn += queue.withdraw_all();
                }
                self.open -= withdrawn;
                bar.shorten(withdrawn as u64);
                self.matches.remove(&task.pair);
                self.failed.entry(task.pair).or_insert(error);
                Ok(true)
            }
        }
    }

    fn note(&self, queue: &Calls, bar: &Bar) {
        let (done, all) = (self.known.matrix.0.len(), self.known.matrix.0.len() + self.matches.len());
        bar.note(&progress(done, all, queue.in_flight(), self.bench.judge.faults()));
    }

    /// Records complete matches; with `in_turn`, only up to the first incomplete one.
    fn record(&mut self, in_turn: bool, bar: Option<&Bar>) -> Result<()> {
        loop {
            let mut matches = Vec::new();
            let mut wanted = recordable(&self.round.field()?);
            wanted.retain(|pair| self.holds(pair));
            for pair in wanted {
                match self.complete.remove(&pair) {
                    Some(played) => matches.push((pair, played)),
                    None if in_turn => break,
                    None => {}
                }
            }
            let mut files = std::mem::take(&mut self.round.files);
            let plan = record(&self.round.terms(), &mut files, &matches);
            self.round.files = files;
            let (plan, taken) = plan.map_err(Error::failed)?;
            // The rest wait until the audit requests are recorded.
            self.complete.extend(matches.split_off(taken));
            if plan.writes.is_empty() {
                return Ok(());
            }
            self.context.write(&plan, self.report)?;
            let say = || plan.says.iter().for_each(|line| self.context.ui.status(line));
            bar.map_or_else(say, |bar| bar.aside(say));
            let audits = FileKind::Round(self.round.number(), RoundFile::RequireAudit);
            if plan.writes.iter().any(|write| write.file == audits) {
                // Audits take hours, so commit the requests at once for hosts that audit elsewhere.
                self.commit(Plan::default())?;
            }
        }
    }

    /// Carries a plan out, and commits it together with all uncommitted results.
    fn commit(&mut self, mut plan: Plan) -> Result<()> {
        let (files, mut lines) = if self.context.options.commit { self.uncommitted()? } else { Default::default() };
        lines.extend(std::mem::take(&mut plan.message).lines().map(str::to_owned));
        plan.message = lines.join("\n");
        if plan.writes.is_empty() && files.is_empty() {
            return Ok(());
        }
        let files: Vec<FilePath> = files.into_iter().map(FilePath::from).collect();
        self.context.carry_out(&plan, &files, self.report)
    }

    /// This tournament's files that are missing from the last commit, with their lines for the message. Compared by the
    /// rows of the committed matrix, so that files written by a killed run are included.
    fn uncommitted(&self) -> Result<(Vec<FileKind>, Vec<String>)> {
        let round = self.round.number();
        let of = |file| FileKind::Round(round, file);
        let tree = match &self.context.git {
            Some(git) => git.head()?.map(|head| git.tree(&head.to_string())).transpose()?,
            None => None,
        };
        let read = |file: &FileKind| tree.as_ref().map_or(Ok(None), |tree| tree.read(&file.path()));
        let matrix = read(&of(RoundFile::Matrix))?
            .and_then(|bytes| Matrix::parse(self.round.files.format, &bytes).ok())
            .unwrap_or_default();
        let (mut files, mut lines) = (Vec::new(), Vec::new());
        if self.round.files.question.get().is_some() && read(&of(RoundFile::Question))?.is_none() {
            files.push(of(RoundFile::Question));
        }
        for pair in self.round.files.matrix.get().into_iter().flat_map(|matrix| matrix.0.keys()) {
            let own = self.round.files.players.get(&pair.1).and_then(|own| own.report_against(&pair.0));
            if let Some((name, _)) = own.filter(|_| matrix.margin(&pair.0, &pair.1).is_none()) {
                let file = |file| FileKind::Player(round, pair.1.clone(), file);
                let answers = file(PlayerFile::Answers(answers_name(name)));
                // Reports of older versions have none.
                files.extend(self.context.store.read_file(&answers)?.map(|_| answers));
                files.push(file(PlayerFile::Report(name.to_owned())));
                lines.push(match_line(pair));
            }
        }
        if self.round.files.matrix.get().is_some_and(|now| now.0.len() > matrix.0.len()) {
            files.push(of(RoundFile::Matrix));
            lines.push(matrix_line(round));
        }
        let requests = read(&of(RoundFile::RequireAudit))?
            .and_then(|bytes| AuditRequests::parse(self.round.files.format, &bytes).ok());
        let now = self.round.files.require_audit.get().map_or(0, Vec::len);
        if now > requests.map_or(0, |requests| requests.len()) {
            files.push(of(RoundFile::RequireAudit));
            lines.push(requests_line(round));
        }
        Ok((files, lines))
    }

    /// Ends the run: declares the winner, waits, or reports what failed.
    fn conclude(mut self) -> Result<()> {
        self.record(false, None)?;
        let field = self.round.field()?;
        let replay = replay(&field);
        let failed = !self.failed.is_empty() || self.stopped || self.limited;
        let ending = if failed { Ending::Failed } else { Ending::from(replay.outcome.clone()) };
        let plan = match &ending {
            Ending::Winner(winner) => {
                let (terms, round) = (self.round.terms(), &self.round);
                declare_winner(&terms, &round.state, &round.files, &round.leaders, winner).map_err(Error::failed)?
            }
            _ => Plan::default(),
        };
        self.commit(plan)?;
        show(self.report, &self.round, &field, &replay, &ending);
        if failed { Err(self.given_up()) } else { Ok(()) }
    }

    /// The error for a run that was stopped or whose judge failed for good.
    fn given_up(&mut self) -> Error {
        if self.stopped {
            let stopped = Error::outside("stopped by a signal before all matches were played");
            return stopped.hint("all answers so far are kept: run `gen404 duel` again to continue");
        }
        if self.limited {
            let limit = self.context.config.limits.calls.unwrap_or_default();
            return calls_are_over(limit, self.round.number());
        }
        let count = self.failed.len() + self.matches.len();
        let Some((pair, error)) = self.failed.pop_first() else { return Error::outside("the judge failed") };
        let first = format!("{} against {}", pair.1, pair.0);
        // In the words in which others are told of it.
        let how = manner(&error);
        let message = format!("judge {how}: {} unfinished, first {first}", counted(count, "match", "matches"));
        let mut given_up = Error::outside(message);
        for hint in error.hints() {
            given_up = given_up.hint(hint.clone());
        }
        let kept = "all answers so far are kept: run `gen404 duel` again to continue";
        given_up.because(error).hint("`gen404 doctor --stage duel` asks the judge").hint(kept)
    }
}

/// Makes a call.
fn answer(bench: &Bench, seed: Seed, task: &Task) -> Result<InquiryAnswer> {
    let ShownAnswer { answer, images } = bench.answer(seed, &task.images)?;
    Ok(InquiryAnswer { penalties: answer.said, origin: answer.origin, images })
}
