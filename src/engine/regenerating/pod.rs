//! One pod's life: ordered, waited for, given prompts one at a time, released.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

use super::attempt::{Attempt, AttemptEvent};
use super::prompt_queue::{NextAttempt, PromptQueue};
use super::{RegenerationJob, RegenerationRun};
use crate::base::error::{Error, Result};
use crate::model::ids::PromptStem;
use crate::rules::regeneration::pods::PodEnd;
use crate::rules::regeneration::{AttemptOutcome, RegenerationMark};
use crate::settings::audit::AuditSettings;
use crate::world::http::shown_url;
use crate::world::pods::lease::{Keeper, Lease, Rented};
use crate::world::pods::program::{Health, Program};
use crate::world::pods::{Endpoint, Hardware, PodName, PodOrder, PodState};
use crate::world::usage::Service;

/// A pod is given up after this many lost requests in a row.
const LOST_IN_A_ROW: usize = 3;

/// How often a wait checks whether the run is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How a pod ended.
#[derive(Debug)]
pub(crate) enum PodExit {
    /// Nothing is left for it to do.
    Done,
    /// It failed too often, or was too slow.
    Bad,
    /// It was lost while working, with the reason.
    Lost(String),
    /// It never became ready, with the reason.
    NeverReady(String),
    /// The provider has no capacity now.
    NoCapacity(String),
    /// Something failed that is not the program's fault.
    Trouble(Error),
}

/// How long a program is waited for until that is told, and how long until it is told again.
const TELL_AFTER: Duration = Duration::from_secs(10);
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The outcome of waiting for a pod's program.
enum Readiness {
    /// It takes prompts.
    Ready(Box<Program>),
    /// It never will, with the reason.
    Never(String),
}

/// A pod of a player.
pub(crate) struct Pod<'a> {
    pub(crate) run: &'a RegenerationRun<'a>,
    pub(crate) job: &'a RegenerationJob,
    pub(crate) queue: &'a PromptQueue,
    pub(crate) keeper: &'a Keeper<'a>,
    pub(crate) number: usize,
}

/// A pod's attempts whose outcomes do not count yet, in the order in which they began. Outcomes count in that order,
/// and the oldest one before a full pod starts another attempt. So a pod's decisions depend on the answers alone, not
/// on which was drawn first.
struct Flight {
    heard: Receiver<AttemptEvent>,
    waiting: VecDeque<(u32, PromptStem)>,
    over: HashMap<u32, Result<Option<AttemptOutcome>>>,
}

impl Pod<'_> {
    /// Runs the pod to its end, and calls `ready` when its program takes prompts.
    pub(crate) fn run(&self, ready: impl Fn()) -> PodExit {
        let name = PodName::new(self.run.round, &self.job.player, &self.run.run, self.number);
        let order = PodOrder { name, player: self.job.player.clone(), image: self.job.image.clone(), hardware: Hardware::AsSet };
        let lease = match self.keeper.rent(&order) {
            Ok(Rented::Pod(lease)) => lease,
            Ok(Rented::NoCapacity(why)) => return PodExit::NoCapacity(why),
            Err(error) => return PodExit::Trouble(error),
        };
        let end = self.live(&lease, ready);
        // Release before anything else: a pod costs money until it is gone.
        match (lease.release(), end) {
            (Ok(()), end) => end,
            (Err(error), PodExit::Trouble(first)) => {
                self.run.ui.error_line(&error.to_string());
                PodExit::Trouble(first)
            }
            (Err(error), _) => PodExit::Trouble(error),
        }
    }

    fn live(&self, lease: &Lease<'_>, ready: impl Fn()) -> PodExit {
        let pod = match self.queue.new_pod(self.run.provider.name()) {
            Ok(pod) => pod,
            Err(error) => return PodExit::Trouble(error),
        };
        self.run.ui.detail(&format!("{}: {pod} is {}", self.job.player, lease.name()));
        match self.wait(lease) {
            Ok(Readiness::Ready(program)) => {
                ready();
                let end = match self.work(&program, &pod) {
                    // The provider knows why it failed only until it is released.
                    PodExit::Lost(reason) => match lease.look() {
                        Ok(PodState::Failed(why)) => PodExit::Lost(format!("{reason}; {why}")),
                        _ => PodExit::Lost(reason),
                    },
                    end => end,
                };
                self.note(&pod, end)
            }
            Ok(Readiness::Never(reason)) => {
                let mark = RegenerationMark::NeverReady { pod, reason: reason.clone() };
                match self.queue.take(mark) {
                    Ok(()) => PodExit::NeverReady(reason),
                    Err(error) => PodExit::Trouble(error),
                }
            }
            // Nothing is held against the program of a pod that was never reached.
            Err(error) => match self.queue.take(RegenerationMark::NotReached { pod }) {
                Ok(()) => PodExit::Trouble(error),
                Err(unnoted) => PodExit::Trouble(unnoted),
            },
        }
    }

    /// Notes how the pod ended, for `pod_stats.json`.
    fn note(&self, pod: &str, end: PodExit) -> PodExit {
        let how = match &end {
            _ if self.run.is_stopping() => PodEnd::Stopped,
            PodExit::Done => PodEnd::Completed,
            PodExit::Bad => PodEnd::MarkedBad,
            PodExit::Lost(_) => PodEnd::Unreachable,
            PodExit::NeverReady(_) => PodEnd::NotReady,
            PodExit::NoCapacity(_) | PodExit::Trouble(_) => PodEnd::Stopped,
        };
        match self.queue.take(RegenerationMark::PodEnded { pod: pod.to_owned(), end: how }) {
            Err(error) if !matches!(end, PodExit::Trouble(_)) => PodExit::Trouble(error),
            _ => end,
        }
    }

    /// Waits until the pod's program is ready, or is known never to be.
    fn wait(&self, lease: &Lease<'_>) -> Result<Readiness> {
        let settings = &self.run.settings;
        let begun = Instant::now();
        let endpoint = loop {
            self.run.check()?;
            match lease.look()? {
                PodState::Reachable(endpoint) => break endpoint,
                PodState::Failed(why) => return Ok(Readiness::Never(why)),
                PodState::Starting => {}
            }
            if begun.elapsed() > AuditSettings::time(settings.start_seconds) || self.nothing_left() {
                let seconds = begun.elapsed().as_secs_f64();
                return Ok(Readiness::Never(format!("not reachable after {seconds:.0} s")));
            }
            self.pause(settings.poll_seconds);
        };
        self.until_ready(lease, &endpoint)
    }

    /// Waits until the program at this address is ready.
    fn until_ready(&self, lease: &Lease<'_>, endpoint: &Endpoint) -> Result<Readiness> {
        let settings = &self.run.settings;
        let (begun, mut reached) = (Instant::now(), false);
        let whole = AuditSettings::time(settings.ready_seconds);
        let mut tell_after = TELL_AFTER.min(whole / 2);
        loop {
            self.run.check()?;
            let program = Program::new(endpoint.clone(), self.run.limits).metered(&self.run.meter);
            let program = program.heeding(&self.run.stop);
            let (health, answers) = program.asked();
            reached |= answers;
            let why = match health {
                Health::Ready => return Ok(Readiness::Ready(Box::new(program))),
                Health::Refused(why) => return refused(endpoint, why),
                Health::NotYet(why) => why,
            };
            let looked = match lease.look() {
                Ok(PodState::Failed(why)) => return Ok(Readiness::Never(why)),
                looked => looked,
            };
            let said = || format!("not ready after {:.0} s: {why}", begun.elapsed().as_secs_f64());
            if begun.elapsed() >= tell_after {
                let (player, most) = (&self.job.player, whole.as_secs());
                self.run.ui.status(&format!("{player}: waiting for its program, up to {most} s: {}", said()));
                tell_after = begun.elapsed() + TELL_AGAIN;
            }
            if self.nothing_left() {
                return Ok(Readiness::Never(said()));
            }
            if begun.elapsed() > whole {
                return match looked {
                    // Neither the program nor the provider answers: the fault may be on this side of both.
                    Err(error) if !answers => Err(error),
                    Ok(_) if !reached && self.run.provider.is_the_operators() => Err(unreached(endpoint, &said())),
                    _ => Ok(Readiness::Never(said())),
                };
            }
            self.pause(settings.poll_seconds);
        }
    }

    /// Is there nothing left to do, so that waiting for this pod is pointless?
    fn nothing_left(&self) -> bool {
        self.queue.open_prompts() == 0
    }

    fn pause(&self, seconds: f64) {
        let until = Instant::now() + AuditSettings::time(seconds);
        while Instant::now() < until && !self.run.is_stopping() {
            std::thread::sleep(LOOK_AGAIN.min(until.saturating_duration_since(Instant::now())));
        }
    }

    fn work(&self, program: &Program, pod: &str) -> PodExit {
        let (tell, heard) = unbounded();
        std::thread::scope(|scope| {
            let mut flight = Flight { heard, waiting: VecDeque::new(), over: HashMap::new() };
            let mut lost = 0;
            let end = loop {
                if flight.waiting.len() >= self.run.settings.bodies {
                    if let Some(end) = self.count(&mut flight, program, pod, &mut lost) {
                        break end;
                    }
                    continue;
                }
                let stopping = || self.run.is_stopping();
                match self.queue.next(pod, flight.waiting.len(), stopping) {
                    NextAttempt::Over => break PodExit::Done,
                    NextAttempt::Own => {
                        if let Some(end) = self.count(&mut flight, program, pod, &mut lost) {
                            break end;
                        }
                    }
                    NextAttempt::Attempt(number, stem) => {
                        let (job, queue) = (self.job, self.queue);
                        let attempt = Attempt { job, queue, number, stem: stem.clone(), pod };
                        let (run, program, tell) = (self.run, program.clone(), tell.clone());
                        flight.waiting.push_back((number, stem));
                        scope.spawn(move || attempt.run(run, &program, &tell));
                        // The program gets one prompt at a time; drawing and storing the answer overlap with the next
                        // request.
                        flight.until_answered(number);
                    }
                }
            };
            let end = self.wind_up(flight, end, pod);
            let bad = matches!(end, PodExit::Done) && self.queue.look(|progress| progress.is_bad(pod));
            if bad { PodExit::Bad } else { end }
        })
    }

    /// Counts the oldest attempt. Returns how the pod ends, if it does.
    fn count(&self, flight: &mut Flight, program: &Program, pod: &str, lost: &mut usize) -> Option<PodExit> {
        let (stem, outcome) = match self.settle(flight, pod)? {
            Ok(settled) => settled?,
            Err(error) => return Some(PodExit::Trouble(error)),
        };
        let AttemptOutcome::Lost { reason } = outcome else {
            *lost = 0;
            return None;
        };
        *lost += 1;
        self.run.ui.detail(&format!("{} {stem} on {pod}: {reason}", self.job.player));
        let gone = *lost >= LOST_IN_A_ROW || !self.comes_back(program);
        gone.then_some(PodExit::Lost(reason))
    }

    /// Waits for the oldest attempt's outcome; `None` if there is no attempt.
    fn settle(&self, flight: &mut Flight, pod: &str) -> Option<Result<Option<(PromptStem, AttemptOutcome)>>> {
        let (number, stem, over) = flight.oldest()?;
        Some(match over {
            Ok(Some(outcome)) => {
                self.queue.count(number, &stem, pod, outcome.clone());
                self.run.told_step(self.job);
                Ok(Some((stem, outcome)))
            }
            Ok(None) => {
                self.queue.give_back(stem);
                Ok(None)
            }
            Err(error) => {
                self.queue.give_back(stem);
                self.queue.close();
                Err(error)
            }
        })
    }

    /// Waits for the attempts in flight to finish.
    fn wind_up(&self, mut flight: Flight, mut end: PodExit, pod: &str) -> PodExit {
        while let Some(settled) = self.settle(&mut flight, pod) {
            if let (Err(error), false) = (settled, matches!(end, PodExit::Trouble(_))) {
                end = PodExit::Trouble(error);
            }
        }
        end
    }

    /// After a lost request: does the program become ready again in time?
    fn comes_back(&self, program: &Program) -> bool {
        let begun = Instant::now();
        loop {
            match program.health() {
                Health::Ready => return true,
                Health::Refused(_) => return false,
                Health::NotYet(_) => {}
            }
            let late = begun.elapsed() > AuditSettings::time(self.run.settings.recover_seconds);
            if late || self.run.is_stopping() {
                return false;
            }
            self.pause(self.run.settings.poll_seconds);
        }
    }
}

impl Flight {
    /// Waits until the program is free for the next prompt.
    fn until_answered(&mut self, number: u32) {
        while !self.over.contains_key(&number) {
            match self.heard.recv_timeout(LOOK_AGAIN) {
                Ok(AttemptEvent::Answered(answered)) if answered == number => return,
                Ok(told) => self.hear(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Takes the oldest attempt, once it is over.
    fn oldest(&mut self) -> Option<(u32, PromptStem, Result<Option<AttemptOutcome>>)> {
        let (number, stem) = self.waiting.pop_front()?;
        loop {
            if let Some(over) = self.over.remove(&number) {
                return Some((number, stem, over));
            }
            match self.heard.recv() {
                Ok(told) => self.hear(told),
                Err(_) => return Some((number, stem, Ok(None))),
            }
        }
    }

    fn hear(&mut self, told: AttemptEvent) {
        if let AttemptEvent::Over(number, over) = told {
            self.over.insert(number, over);
        }
    }
}

/// Decides about a refusal: if the endpoint has a key, the operator has to fix it; otherwise the program itself
/// refuses.
fn refused(endpoint: &Endpoint, why: String) -> Result<Readiness> {
    if endpoint.key.is_none() {
        return Ok(Readiness::Never(why));
    }
    let refused = Error::failed(format!("the provider's gate refuses our key: {why}"));
    Err(refused.hint("is the key the one of this account? its name is in docs/settings.md"))
}

/// The error for a program at the operator's own address that never answered.
fn unreached(endpoint: &Endpoint, said: &str) -> Error {
    let silent = Error::outside(format!("{}: {said}", shown_url(&endpoint.url)));
    let silent = silent.of_service(Some(Service::Provider.as_str()));
    silent
        .hint("start the program there, and run this again: [pods.endpoint] url, or --pod, names one that already runs")
}
