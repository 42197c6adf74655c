//! Plays many matches at once: whatever call is known to be needed is open, and worker threads take the most urgent ones.
//!
//! The most urgent match comes first; in it, the calls with the most others waiting for them (the first stage before the
//! checklist before the views around). So the endpoint has work until the last duel's last stage, and no duel of the last
//! match begins when the others are done.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

use super::duel::{DuelInPlay, Found, Wants};
use super::{Course, Court, DuelOf, Played, looks, question};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::engine::judging::call_queue::{CallQueue, Closing, FailedInARow, progress, sync, work};
use crate::engine::runs::record::manner;
use crate::model::answers::{Answers, Digest};
use crate::model::threejs::duels::StagedDuel;
use crate::rules::duel::margin;
use crate::rules::threejs::staged::{CallId, Look};
use crate::ui::{Bar, Ui};
use crate::world::judge::staged::{ShownStage, StageQuestion};
use crate::world::stop::Stop;

/// How often a waiting run checks for a stop signal.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many looks at files are made at once, beside the calls.
const LOOKS_AT_ONCE: usize = 4;

/// A match's name, by which it is told from others.
pub(crate) trait Key: Clone + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static {}
impl<T: Clone + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static> Key for T {}

/// What a worker does for a duel.
#[derive(Debug)]
enum Job {
    /// Asks the judge.
    Call(CallId, Box<StageQuestion>),
    /// Looks at files of a duel.
    Look(Look, Box<DuelOf>),
}

/// A job, and where its result goes.
#[derive(Debug)]
struct Task<K> {
    key: K,
    duel: usize,
    job: Job,
}

/// The result of a job.
#[derive(Debug)]
enum Outcome {
    Answered(CallId, Box<ShownStage>),
    Found(Found),
}

type Queue<K> = CallQueue<K, Task<K>>;
type Returned<K> = crate::engine::judging::call_queue::Returned<Task<K>, Outcome>;

/// Plays as far as possible.
///
/// # Errors
/// The judge failed for good, a limit is reached, or a stop was requested: all answers so far are kept.
pub(crate) fn play<K: Key>(ui: &Ui, stop: &Stop, court: &Court, course: &mut impl Course<K>) -> Result<()> {
    let bar = ui.bar("judging", 0);
    let (calls, sights) = (Queue::<K>::default(), Queue::<K>::default());
    let mut floor = Floor::new((ui, stop), court, course, [&calls, &sights], &bar);
    let played = thread::scope(|scope| {
        let _closing = (Closing(&calls), Closing(&sights));
        let ((returned, returns), (counted, counts)) = (unbounded(), unbounded());
        for (queue, workers) in [(&calls, court.concurrency), (&sights, LOOKS_AT_ONCE)] {
            for _ in 0..workers {
                let returned = returned.clone();
                scope.spawn(move || work(queue, &returned, |task: &Task<K>| make(court, task)));
            }
        }
        scope.spawn(move || sync(&court.bench.journal, &returns, &counted));
        drop(returned);
        floor.run(&counts)
    });
    let given_up = floor.given_up();
    drop(bar);
    played?;
    given_up.map_or(Ok(()), Err)
}

/// Does a job.
fn make<K>(court: &Court, task: &Task<K>) -> Result<Outcome> {
    match &task.job {
        Job::Call(id, question) => Ok(Outcome::Answered(*id, Box::new(court.bench.answer(question)?))),
        Job::Look(look, duel) => looks::look(court, duel, *look).map(Outcome::Found),
    }
}

/// A match on its way.
#[derive(Debug)]
struct MatchInPlay {
    duels: Vec<DuelInPlay>,
    /// How many are not decided.
    open: usize,
}

/// All matches on their way.
struct Floor<'a, K: Key, C> {
    ui: &'a Ui,
    stop: &'a Stop,
    court: &'a Court,
    course: &'a mut C,
    /// The calls, and the looks.
    queues: [&'a Queue<K>; 2],
    bar: &'a Bar,
    matches: HashMap<K, MatchInPlay>,
    failed: BTreeMap<K, Error>,
    finished: usize,
    /// Jobs that have not returned yet.
    open: usize,
    failures: FailedInARow<K>,
    /// No more matches are opened: the judge is down, its limit is reached, or a stop was requested.
    closing: Option<Closed>,
}

/// Why no more matches are opened.
#[derive(Debug)]
enum Closed {
    Down,
    Limit(Error),
    Stopped,
}

impl<'a, K: Key, C: Course<K>> Floor<'a, K, C> {
    fn new(
        (ui, stop): (&'a Ui, &'a Stop),
        court: &'a Court,
        course: &'a mut C,
        queues: [&'a Queue<K>; 2],
        bar: &'a Bar,
    ) -> Self {
        Floor {
            ui,
            stop,
            court,
            course,
            queues,
            bar,
            matches: HashMap::new(),
            failed: BTreeMap::new(),
            finished: 0,
            open: 0,
            failures: FailedInARow::default(),
            closing: None,
        }
    }

    fn run(&mut self, counts: &Receiver<Returned<K>>) -> Result<()> {
        self.open_matches()?;
        while self.open > 0 {
            if self.stop.is_wanted() && !matches!(self.closing, Some(Closed::Stopped)) {
                self.close(Closed::Stopped);
                self.ui.status("stopping: the judge calls in flight have a second to finish");
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
            self.bar.advance(1);
            if self.take(task, outcome)? {
                self.open_matches()?;
            }
            self.note();
        }
        // The last call may have failed because of the stop.
        if self.stop.is_wanted() && !self.failed.is_empty() {
            self.closing = Some(Closed::Stopped);
        }
        Ok(())
    }

    /// Opens the matches that are known to be needed so far.
    fn open_matches(&mut self) -> Result<()> {
        loop {
            let wanted = self.course.wanted()?;
            let mut ended = false;
            for key in &wanted {
                let there = self.matches.contains_key(key) || self.failed.contains_key(key);
                if !there && self.closing.is_none() {
                    ended |= self.open_match(key)?;
                }
            }
            if !ended {
                self.queues.iter().for_each(|queue| queue.arrange(&wanted));
                return Ok(());
            }
        }
    }

    /// Opens a match. Returns whether it is decided without the judge.
    fn open_match(&mut self, key: &K) -> Result<bool> {
        let duels: Vec<DuelInPlay> = self.course.duels(key)?.into_iter().map(DuelInPlay::new).collect();
        let open = duels.len();
        self.matches.insert(key.clone(), MatchInPlay { duels, open });
        for at in 0..open {
            self.go_on(key, at)?;
        }
        self.end_if_whole(key)
    }

    /// Opens what a duel waits for now; of a run that ends, only sees whether it is decided.
    fn go_on(&mut self, key: &K, at: usize) -> Result<()> {
        let Some(playing) = self.matches.get_mut(key) else { return Ok(()) };
        let Some(duel) = playing.duels.get_mut(at) else { return Ok(()) };
        if duel.is_decided() {
            return Ok(());
        }
        let Wants { calls, looks } = duel.go_on(self.court.seed)?;
        if duel.is_decided() {
            playing.open = playing.open.saturating_sub(1);
            return Ok(());
        }
        if self.closing.is_some() {
            return Ok(());
        }
        let task = |job| Task { key: key.clone(), duel: at, job };
        let mut questions = Vec::new();
        for call in calls {
            let (urgency, id) = (call.id.height().0, call.id);
            questions.push((urgency, task(Job::Call(id, Box::new(question(self.court, &duel.of, call)?)))));
        }
        let looks: Vec<_> =
            looks.into_iter().map(|look| (0, task(Job::Look(look, Box::new(duel.of.clone()))))).collect();
        let more = questions.len() + looks.len();
        self.open += more;
        self.bar.extend(more as u64);
        let [call_queue, look_queue] = self.queues;
        call_queue.add(key, questions);
        look_queue.add(key, looks);
        Ok(())
    }

    /// Hands a match over once all of its duels are decided. Returns whether it did.
    fn end_if_whole(&mut self, key: &K) -> Result<bool> {
        if self.matches.get(key).is_none_or(|playing| playing.open > 0) {
            return Ok(false);
        }
        if let Some(playing) = self.matches.remove(key) {
            self.finished += 1;
            self.course.finished(key, played(playing.duels, self.court.question.digest))?;
        }
        Ok(true)
    }

    /// Takes a returned job. Returns whether it ended a match.
    fn take(&mut self, task: Task<K>, outcome: Result<Outcome>) -> Result<bool> {
        let Task { key, duel: at, .. } = task;
        match outcome {
            Ok(outcome) => {
                if matches!(outcome, Outcome::Answered(..)) {
                    self.failures.clear();
                }
                let duel = self.matches.get_mut(&key).and_then(|playing| playing.duels.get_mut(at));
                let Some(duel) = duel else { return Ok(false) };
                match outcome {
                    Outcome::Answered(id, shown) => duel.answer(id, *shown),
                    Outcome::Found(found) => duel.found(found),
                }
                self.go_on(&key, at)?;
                self.end_if_whole(&key)
            }
            Err(error) if error.kind() == Kind::Limit => {
                self.close(Closed::Limit(error));
                Ok(false)
            }
            Err(error) if error.kind() != Kind::Outside => Err(error),
            Err(error) => {
                let withdrawn: usize = self.queues.iter().map(|queue| queue.withdraw(&key)).sum();
                self.shorten(withdrawn);
                if self.failures.add(key.clone(), self.court.concurrency) && self.closing.is_none() {
                    self.close(Closed::Down);
                }
                self.matches.remove(&key);
                self.failed.entry(key).or_insert(error);
                Ok(true)
            }
        }
    }

    /// Opens nothing more. Calls in flight are already paid for, so they get a moment to return.
    fn close(&mut self, why: Closed) {
        let withdrawn: usize = self.queues.iter().map(|queue| queue.withdraw_all()).sum();
        self.shorten(withdrawn);
        self.closing = Some(why);
    }

    fn shorten(&mut self, withdrawn: usize) {
        self.open -= withdrawn;
        self.bar.shorten(withdrawn as u64);
    }

    fn note(&self) {
        let (done, all) = (self.finished, self.finished + self.matches.len());
        self.bar.note(&progress(done, all, self.queues[0].in_flight(), self.court.bench.judge.faults()));
    }

    /// The error of a run that was stopped or whose judge failed for good.
    fn given_up(&mut self) -> Option<Error> {
        let kept = "all answers so far are kept: run `gen404 duel` again to continue";
        match self.closing.take() {
            Some(Closed::Stopped) => {
                return Some(Error::outside("stopped by a signal before all matches were played").hint(kept));
            }
            Some(Closed::Limit(error)) => return Some(error),
            Some(Closed::Down) | None => {}
        }
        let count = self.failed.len() + self.matches.len();
        let (key, error) = self.failed.pop_first()?;
        // In the words in which others are told of it.
        let how = manner(&error);
        let message = format!("judge {how}: {} unfinished, first {key}", counted(count, "match", "matches"));
        let given_up = error.hints().iter().fold(Error::outside(message), |given_up, hint| given_up.hint(hint.clone()));
        Some(given_up.because(error).hint("`gen404 doctor --stage duel` asks the judge").hint(kept))
    }
}

/// A whole match.
fn played(duels: Vec<DuelInPlay>, question: Digest) -> Played {
    let (duels, answers): (Vec<StagedDuel>, Vec<_>) = duels.into_iter().map(|duel| duel.into_record(question)).unzip();
    let score: i64 = duels.iter().map(|duel| duel.winner.points()).sum();
    Played { score, margin: margin(score, duels.len()), duels, answers: Answers(answers) }
}

#[cfg(test)]
mod tests;
