//! One pod's life: ordered, waited for, given batch after batch, released.

use std::time::{Duration, Instant};

use super::archive::BatchResults;
use super::journal::Running;
use super::run::RepeatsRun;
use crate::base::error::{Error, Result};
use crate::model::ids::PromptStem;
use crate::rules::threejs::repeats::marks::{PodEnd, RepeatMark};
use crate::rules::threejs::repeats::{Repeats, Work};
use crate::settings::audit::AuditSettings;
use crate::world::http::shown_url;
use crate::world::pods::batch::{BatchProgram, BatchPrompt, BatchStatus, Results, Submitted};
use crate::world::pods::lease::{Keeper, Lease, Rented};
use crate::world::pods::{Endpoint, PodName, PodOrder, PodState};
use crate::world::usage::Service;

/// How often a wait looks whether the run is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often it is noted that a pod is still at work on its batch, in seconds.
const NOTE_EVERY: f64 = 60.0;

/// How a pod ended.
#[derive(Debug)]
pub(super) enum PodExit {
    /// There is nothing left for it to do, or the run is ending.
    Done,
    /// It has to be replaced, for this reason.
    Replace(String),
    /// It never became ready, for this reason.
    NeverReady(String),
    /// The provider has none now.
    NoCapacity(String),
}

/// What came of a batch.
enum BatchEnd {
    /// It is finished, and noted.
    Finished,
    /// The pod ends.
    Ends(PodEnd, Option<serde_json::Value>, String),
    /// The repeat has no time left.
    Overtime(f64),
    /// The run is ending.
    Stopped,
}

/// A batch to make.
struct Batch {
    repeat: u32,
    batch: usize,
    stems: Vec<PromptStem>,
}

/// The time of a batch.
struct BatchTime {
    begun: Instant,
    /// Seconds for which an earlier run saw the pod at work on it. What happened between the runs is not held against the
    /// program, as it is not known when it was done.
    before: f64,
}

impl BatchTime {
    fn seconds(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }
}

/// A pod of a player.
pub(super) struct Pod<'a> {
    pub(super) run: &'a RepeatsRun<'a>,
    pub(super) running: &'a Running,
    pub(super) keeper: &'a Keeper<'a>,
}

impl Pod<'_> {
    /// Runs a pod to its end.
    ///
    /// # Errors
    /// Something failed that says nothing about the program.
    pub(super) fn run(&self) -> Result<PodExit> {
        let job = &self.running.job;
        let provider = self.run.provider.name();
        let prefix = PodName::batch_prefix(self.run.round, &job.player);
        let name = self.running.look(|repeats| repeats.next_pod(&prefix, provider));
        let order = PodOrder {
            name: PodName::of_batches(&name),
            player: job.player.clone(),
            image: job.image.clone(),
            hardware: job.hardware,
        };
        let lease = match self.keeper.rent(&order)? {
            Rented::Pod(lease) => lease,
            Rented::NoCapacity(why) => return Ok(PodExit::NoCapacity(why)),
        };
        self.to_its_end(lease, false)
    }

    /// Runs a pod to its end that a run which was killed has left.
    ///
    /// # Errors
    /// Something failed that says nothing about the program.
    pub(super) fn go_on(&self, lease: Lease<'_>) -> Result<PodExit> {
        self.to_its_end(lease, true)
    }

    fn to_its_end(&self, lease: Lease<'_>, was_left: bool) -> Result<PodExit> {
        let name = lease.name().to_string();
        let end = self.live(&lease, &name, was_left);
        // Release before anything else: a pod costs money until it is gone.
        match (lease.release(), end) {
            (Ok(()), end) => end,
            (Err(error), Err(first)) => {
                self.run.ui.error_line(&error.to_string());
                Err(first)
            }
            (Err(error), Ok(_)) => Err(error),
        }
    }

    fn live(&self, lease: &Lease<'_>, pod: &str, was_left: bool) -> Result<PodExit> {
        let provider = self.run.provider.name().to_owned();
        self.running.note(RepeatMark::Pod { pod: pod.to_owned(), provider })?;
        let program = match self.wait(lease) {
            Ok(Ok(program)) => program,
            // Nobody knows what became of it meanwhile.
            Ok(Err(reason)) if was_left => {
                self.running.note(RepeatMark::NotReached { pod: pod.to_owned() })?;
                return Ok(PodExit::Replace(reason));
            }
            Ok(Err(reason)) => {
                self.running.note(RepeatMark::NeverReady { pod: pod.to_owned(), reason: reason.clone() })?;
                return Ok(PodExit::NeverReady(reason));
            }
            // Nothing is held against the program of a pod that was never reached.
            Err(error) => {
                self.running.note(RepeatMark::NotReached { pod: pod.to_owned() })?;
                return Err(error);
            }
        };
        loop {
            let work = self.running.look(Repeats::work);
            let Work::Batch { repeat, batch, stems } = work else { return Ok(PodExit::Done) };
            if self.run.is_stopping() || !self.run.is_wanted(&self.running.job.player)? {
                return Ok(PodExit::Done);
            }
            let batch = Batch { repeat, batch, stems };
            let (end, payload, why) = match self.make(&program, pod, &batch)? {
                BatchEnd::Finished => {
                    self.run.tell_batch(self.running);
                    continue;
                }
                BatchEnd::Stopped => return Ok(PodExit::Done),
                BatchEnd::Ends(end, payload, why) => (end, payload, why),
                BatchEnd::Overtime(seconds) => {
                    self.running.note(RepeatMark::Overtime { repeat, pod: pod.to_owned(), seconds })?;
                    (PodEnd::BatchTimeLimit, None, "its repeat has no time left".to_owned())
                }
            };
            self.running.note(RepeatMark::PodEnded { repeat, pod: pod.to_owned(), end, payload })?;
            return Ok(PodExit::Replace(format!("{}: {why}", end.word())));
        }
    }

    /// Waits until the pod's program takes batches; the inner error says why it never will.
    fn wait(&self, lease: &Lease<'_>) -> Result<std::result::Result<BatchProgram, String>> {
        let settings = &self.run.settings;
        let begun = Instant::now();
        let endpoint = loop {
            self.run.check()?;
            match lease.look()? {
                PodState::Reachable(endpoint) => break endpoint,
                PodState::Failed(why) => return Ok(Err(why)),
                PodState::Starting => {}
            }
            if begun.elapsed() > AuditSettings::time(settings.start_seconds) {
                return Ok(Err(format!("not reachable after {:.0} s", begun.elapsed().as_secs_f64())));
            }
            self.pause(settings.poll_seconds);
        };
        self.until_ready(lease, &endpoint)
    }

    fn until_ready(&self, lease: &Lease<'_>, endpoint: &Endpoint) -> Result<std::result::Result<BatchProgram, String>> {
        let settings = &self.run.settings;
        let program = BatchProgram::new(endpoint.clone(), self.run.policy);
        let program = program.metered(&self.run.meter).heeding(&self.run.stop);
        let (begun, mut reached) = (Instant::now(), false);
        let remaining = self.running.look(Repeats::replacements_remaining);
        loop {
            self.run.check()?;
            let why = match program.health().and_then(|()| {
                reached = true;
                program.status(remaining)
            }) {
                Ok(answer) => match answer.status {
                    BatchStatus::Replace => return Ok(Err("its program asks for another pod".to_owned())),
                    BatchStatus::WarmingUp => "its program is warming up".to_owned(),
                    // A program that is still at work, or done, knows a batch that it is given again.
                    BatchStatus::Ready | BatchStatus::Generating | BatchStatus::Complete => return Ok(Ok(program)),
                },
                Err(why) => why,
            };
            if let Ok(PodState::Failed(why)) = lease.look() {
                return Ok(Err(why));
            }
            let waited = begun.elapsed();
            if waited > AuditSettings::time(settings.batch.warm_up_seconds) {
                let said = format!("not ready after {:.0} s: {why}", waited.as_secs_f64());
                return if reached || !self.run.provider.is_the_operators() {
                    Ok(Err(said))
                } else {
                    Err(unreached(endpoint, &said))
                };
            }
            self.pause(settings.poll_seconds);
        }
    }

    /// Has a batch made: handed over, unless the pod has it already, waited for, fetched, kept.
    fn make(&self, program: &BatchProgram, pod: &str, batch: &Batch) -> Result<BatchEnd> {
        let seen = self.running.look(|repeats| repeats.at_work(batch.repeat, batch.batch, pod));
        let time = BatchTime { begun: Instant::now(), before: seen.unwrap_or_default() };
        let mut noted = time.before;
        let prompts: Vec<BatchPrompt> = batch.stems.iter().filter_map(|stem| self.run.batch_prompt(stem)).collect();
        let (mut handed_over, mut misses) = (seen.is_some(), 0);
        loop {
            if self.run.is_stopping() {
                return Ok(BatchEnd::Stopped);
            }
            if let Some(end) = self.late(batch, &time) {
                return Ok(end);
            }
            if !handed_over {
                match program.submit(&prompts, self.run.seed)? {
                    Submitted::Accepted => {
                        handed_over = true;
                        self.note_work(pod, batch, time.seconds())?;
                    }
                    // It still works on something else: it is given time, instead of being replaced.
                    Submitted::Busy(why) => self.run.ui.detail(&format!("{pod}: waits: {why}")),
                    Submitted::Refused(why) => return Ok(BatchEnd::Ends(PodEnd::SubmissionFailed, None, why)),
                }
            }
            self.pause(self.run.settings.batch.poll_seconds);
            if !handed_over {
                continue;
            }
            let remaining = self.running.look(Repeats::replacements_remaining);
            let answer = match program.status(remaining) {
                Ok(answer) => answer,
                Err(why) => {
                    misses += 1;
                    if misses >= self.run.settings.batch.misses {
                        return Ok(self.stopped_or(BatchEnd::Ends(PodEnd::Unreachable, None, why)));
                    }
                    continue;
                }
            };
            misses = 0;
            match answer.status {
                BatchStatus::Complete => {
                    if let Some(end) = self.fetch(program, pod, batch, &time)? {
                        return Ok(end);
                    }
                }
                BatchStatus::Replace => {
                    let why = "its program asks for another pod".to_owned();
                    return Ok(BatchEnd::Ends(PodEnd::Requested, answer.payload, why));
                }
                // It began anew, and has forgotten the batch.
                BatchStatus::Ready => handed_over = false,
                BatchStatus::WarmingUp | BatchStatus::Generating => {
                    if time.seconds() > noted + NOTE_EVERY {
                        noted = time.seconds();
                        self.note_work(pod, batch, noted)?;
                    }
                }
            }
        }
    }

    /// How the pod ends, if the batch takes too long.
    fn late(&self, batch: &Batch, time: &BatchTime) -> Option<BatchEnd> {
        let left = self.running.look(|repeats| repeats.seconds_left(batch.repeat));
        let seconds = time.seconds();
        if left.is_some_and(|left| seconds > left) {
            return Some(BatchEnd::Overtime(seconds));
        }
        let why = || format!("a batch is not done after {seconds:.0} s");
        (seconds > self.run.settings.batch.seconds).then(|| BatchEnd::Ends(PodEnd::BatchTimeLimit, None, why()))
    }

    /// Notes that the pod has this batch, so that a run which is killed goes on with it.
    fn note_work(&self, pod: &str, batch: &Batch, seconds: f64) -> Result<()> {
        let Batch { repeat, batch, .. } = *batch;
        self.running.note(RepeatMark::AtWork { repeat, batch, pod: pod.to_owned(), seconds })
    }

    /// Fetches a batch that is complete; `None` if it is not after all.
    fn fetch(&self, program: &BatchProgram, pod: &str, batch: &Batch, time: &BatchTime) -> Result<Option<BatchEnd>> {
        let (archive, reported) = match program.results()? {
            Results::Archive(archive, reported) => (archive, reported),
            Results::NotYet(_) => return Ok(None),
            Results::Failed(why) => {
                return Ok(Some(self.stopped_or(BatchEnd::Ends(PodEnd::DownloadFailed, None, why))));
            }
        };
        let seconds = reported.unwrap_or_else(|| time.seconds());
        let results = match BatchResults::read(&archive, &batch.stems) {
            Ok(results) => results,
            Err(why) => return Ok(Some(BatchEnd::Ends(PodEnd::DownloadFailed, None, format!("/results: {why}")))),
        };
        let Batch { repeat, batch: number, stems } = batch;
        // Kept before it is noted: what is noted is never paid for again.
        self.running.folder.keep(*repeat, *number, &archive)?;
        self.running.note(RepeatMark::Batch {
            repeat: *repeat,
            batch: *number,
            pod: pod.to_owned(),
            seconds,
            answers: results.answers(stems),
        })?;
        Ok(Some(BatchEnd::Finished))
    }

    /// Whatever takes a program and this run down together is not held against the pod.
    fn stopped_or(&self, end: BatchEnd) -> BatchEnd {
        std::thread::sleep(LOOK_AGAIN);
        if self.run.is_stopping() { BatchEnd::Stopped } else { end }
    }

    fn pause(&self, seconds: f64) {
        self.run.pause(AuditSettings::time(seconds));
    }
}

fn unreached(endpoint: &Endpoint, said: &str) -> Error {
    let silent = Error::outside(format!("{}: {said}", shown_url(&endpoint.url)));
    let silent = silent.of_service(Some(Service::Provider.as_str()));
    silent
        .hint("start the program there, and run this again: [pods.endpoint] url, or --pod, names one that already runs")
}
