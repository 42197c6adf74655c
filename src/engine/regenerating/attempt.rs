//! One attempt: the program generates a model, which is drawn, stored and measured.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};

use super::prompt_queue::PromptQueue;
use super::{RegenerationJob, RegenerationRun};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files::{self, remove};
use crate::engine::regenerating::workdir::AuditWorkdir;
use crate::model::ids::{Player, PromptStem};
use crate::model::objects::{ObjectKey, ObjectKind, StoredObject};
use crate::rules::regeneration::{Arrival, AttemptOutcome, Purpose, RegenerationMark};
use crate::world::distance::{NotMeasured, Picture};
use crate::world::http::{Request, shown_text};
use crate::world::pods::program::{Generation, Program, ProgramTrouble};
use crate::world::render::Rendering;
use crate::world::store::{Bytes, NewObject, put_new, sha256_of};

/// Longest reason, in characters: it is one line of a log.
const LONGEST_REASON: usize = 200;

/// How often a wait checks whether the run is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Whatever takes a program and this run down together does so within this time.
const A_MOMENT: Duration = Duration::from_millis(300);

/// An event that an attempt sends to its pod.
#[derive(Debug)]
pub(crate) enum AttemptEvent {
    /// The program is free for the next prompt.
    Answered(u32),
    /// The attempt is over; `None` if it was interrupted.
    Over(u32, Result<Option<AttemptOutcome>>),
}

/// An attempt to make.
#[derive(Debug, Clone)]
pub(crate) struct Attempt<'a> {
    pub(crate) job: &'a RegenerationJob,
    pub(crate) queue: &'a PromptQueue,
    pub(crate) number: u32,
    pub(crate) stem: PromptStem,
    pub(crate) pod: &'a str,
}

impl Attempt<'_> {
    /// Runs the attempt and reports its outcome.
    pub(crate) fn run(&self, run: &RegenerationRun<'_>, program: &Program, tell: &Sender<AttemptEvent>) {
        let done = catch_unwind(AssertUnwindSafe(|| self.make(run, program, tell)));
        let done = done.unwrap_or_else(|_| Err(Error::failed("a worker thread panicked: this is a bug in gen404")));
        // Cannot fail: the pod outlives its attempts.
        let _ = tell.send(AttemptEvent::Over(self.number, done));
    }

    fn make(
        &self,
        run: &RegenerationRun<'_>,
        program: &Program,
        tell: &Sender<AttemptEvent>,
    ) -> Result<Option<AttemptOutcome>> {
        let image = AuditWorkdir::prompt(run.round, &self.stem);
        let prompt = files::read_below(&run.own, &image, files::MODEL)?;
        let prompt = prompt.ok_or_else(|| Error::file(&image, "missing"))?;
        let Some(generation) = self.generate(run, program, prompt, tell)? else { return Ok(None) };
        let seconds = generation.seconds;
        let outcome = match generation.outcome {
            Err(ProgramTrouble::Program(reason)) => {
                AttemptOutcome::Failed { seconds, reason: shown_text(&reason, LONGEST_REASON) }
            }
            Err(ProgramTrouble::Infrastructure(reason)) => {
                // The same signal may be ending the program and this run. Wait a moment, so that it is not held against
                // the pod.
                std::thread::sleep(A_MOMENT);
                if run.is_stopping() {
                    return Ok(None);
                }
                AttemptOutcome::Lost { reason: shown_text(&reason, LONGEST_REASON) }
            }
            Ok(fetched) => {
                let (number, stem, pod) = (self.number, self.stem.clone(), self.pod.to_owned());
                let arrival = Arrival { number, stem, pod, seconds, size: fetched.size, sha256: fetched.sha256 };
                // Noted before drawing: after a kill, the next run finishes this answer instead of paying for another.
                self.queue.note(&RegenerationMark::Arrived(arrival.clone()))?;
                let Some(outcome) = run.finish(self.job, self.queue, &arrival)? else { return Ok(None) };
                outcome
            }
        };
        self.note(&outcome)?;
        remove(&self.queue.workdir.answer(self.number))?;
        Ok(Some(outcome))
    }

    fn note(&self, outcome: &AttemptOutcome) -> Result<()> {
        let (number, stem, pod) = (self.number, self.stem.clone(), self.pod.to_owned());
        self.queue.note(&RegenerationMark::Tried { number, stem, pod, outcome: outcome.clone() })
    }

    /// Sends the request on a detached thread, which is abandoned when the run stops: a pod may be silent for minutes.
    fn generate(
        &self,
        run: &RegenerationRun<'_>,
        program: &Program,
        prompt: Vec<u8>,
        tell: &Sender<AttemptEvent>,
    ) -> Result<Option<Generation>> {
        let (program, seed, number) = (program.clone(), run.seed, self.number);
        let (into, answered) = (self.queue.workdir.answer(number), tell.clone());
        let (done, wait) = unbounded();
        let thread = std::thread::Builder::new().name("generate".to_owned());
        let spawned = thread.spawn(move || {
            let mut free = || drop(answered.send(AttemptEvent::Answered(number)));
            drop(done.send(program.generate(&prompt, seed, &into, &mut free)));
        });
        spawned.failed(|| "cannot start a thread".to_owned())?;
        loop {
            match wait.recv_timeout(LOOK_AGAIN) {
                Ok(generation) => return generation.map(Some),
                Err(RecvTimeoutError::Timeout) if run.is_stopping() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::failed("a worker thread panicked: this is a bug in gen404"));
                }
            }
        }
    }
}

impl RegenerationRun<'_> {
    /// Draws, stores and measures an answer that has arrived; `None` if the run is ending.
    pub(crate) fn finish(
        &self,
        job: &RegenerationJob,
        queue: &PromptQueue,
        arrival: &Arrival,
    ) -> Result<Option<AttemptOutcome>> {
        let Arrival { number, stem, seconds, size, sha256, .. } = arrival;
        let (path, seconds) = (queue.workdir.answer(*number), *seconds);
        let read =
            || files::read_own(&path, self.format.model().largest())?.ok_or_else(|| Error::file(&path, "missing"));
        let draw = || self.memory.draw(self.renderer.as_ref(), *size, &|| self.is_stopping(), read);
        let drawn = match self.drawing.acquire(1, &|| self.is_stopping()) {
            Some(_permit) => draw()?,
            None => None,
        };
        let Some(rendering) = drawn else { return Ok(None) };
        let model =
            NewObject { kind: ObjectKind::Model(self.format.model()), bytes: Bytes::File(&path), size: *size, sha256 };
        let model = self.put(&job.player, stem, &model)?;
        let png = match rendering {
            Rendering::Png(png) => png,
            Rendering::Refused { code, place, message } => {
                let parts = [place, Some(message)].into_iter().flatten().filter(|part| !part.is_empty());
                let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
                let reason = format!("{}{code}", parts.collect::<Vec<_>>().join(": "));
                return Ok(Some(AttemptOutcome::Refused {
                    seconds,
                    model,
                    reason: shown_text(&reason, LONGEST_REASON),
                }));
            }
        };
        let sum = sha256_of(png.as_slice()).failed(|| format!("{}: no digest", path.display()))?;
        let (bytes, size) = (Bytes::Memory(&png), png.len() as u64);
        let preview = NewObject { kind: ObjectKind::Preview, bytes, size, sha256: &sum };
        let stored = self.put(&job.player, stem, &preview)?;
        let distance = self.distance_to_submitted(job, stem, &stored, &png)?;
        Ok(Some(AttemptOutcome::Made { seconds, model, png: stored, distance }))
    }

    /// Stores an object under its first key that is free or already holds the same bytes.
    fn put(&self, player: &Player, stem: &PromptStem, object: &NewObject<'_>) -> Result<StoredObject> {
        let key = |version| ObjectKey::generated(self.round, player, stem, object.kind, version);
        put_new(self.store.as_ref(), key, object)
    }

    /// The distance between a preview and the submitted one; `None` if it cannot be measured now.
    pub(crate) fn distance_to_submitted(
        &self,
        job: &RegenerationJob,
        stem: &PromptStem,
        made: &StoredObject,
        png: &[u8],
    ) -> Result<Option<f64>> {
        let (Purpose::Audit { submitted, .. }, Some(distance)) = (&job.purpose, &self.distance) else {
            return Ok(None);
        };
        let Some(url) = submitted.get(stem).and_then(|output| output.png.as_deref()) else { return Ok(None) };
        let measured = self.submitted_preview(job, url).and_then(|other| {
            let pair = (Picture { url, png: &other }, Picture { url: &made.url, png });
            // Measure even while the run is ending: nothing else is missing from this output's record.
            let _permit = self.measuring.acquire(1, &|| false);
            let measured = distance.measure(&[pair]);
            measured.into_iter().next().unwrap_or_else(|| Err(NotMeasured("no answer".to_owned())))
        });
        let measured = measured.and_then(|distance| {
            let sane = (0.0..=2.0).contains(&distance);
            if sane { Ok(distance) } else { Err(NotMeasured(format!("{distance} is not a distance"))) }
        });
        match measured {
            Ok(distance) => Ok(Some(distance)),
            Err(why) => {
                self.ui.warn(&format!("{} {stem}: the distance cannot be measured: {why}", job.player));
                Ok(None)
            }
        }
    }

    /// Fetches the submitted preview, and checks it against its recorded digest.
    fn submitted_preview(&self, job: &RegenerationJob, url: &str) -> std::result::Result<Vec<u8>, NotMeasured> {
        let unmeasured = |e: Error| NotMeasured(e.to_string());
        let bytes = match self.store.key_of(url) {
            Some(key) => {
                let missing = || NotMeasured(format!("{key} is not there"));
                self.store.get(&key).map_err(unmeasured)?.ok_or_else(missing)?
            }
            None => {
                let answer = self.client.send(&Request::get(url)).and_then(crate::world::http::Response::file);
                answer.map_err(unmeasured)?
            }
        };
        let sum = sha256_of(bytes.as_slice()).map_err(|e| NotMeasured(e.to_string()))?;
        let folder = format!("rounds/{}/{}/", self.round, job.player);
        let recorded = url.rsplit_once(folder.as_str()).and_then(|(_, path)| job.sums.get(path));
        match recorded {
            Some(recorded) if *recorded != sum => Err(NotMeasured(format!("{url} no longer matches SHA256SUMS"))),
            _ => Ok(bytes),
        }
    }
}

/// Finishes the answers that an earlier run received, and measures the distances that it could not.
pub(crate) fn catch_up(run: &RegenerationRun<'_>, job: &RegenerationJob, queue: &PromptQueue) -> Result<()> {
    for arrival in queue.arrivals() {
        run.stop.check()?;
        let path = queue.workdir.answer(arrival.number);
        let found = files::open(&path, false)?.and_then(|file| sha256_of(file).ok());
        let outcome = if found.as_ref() == Some(&arrival.sha256) {
            let Some(outcome) = run.finish(job, queue, &arrival)? else { return run.check() };
            outcome
        } else {
            // After a power failure the note may have survived without the bytes.
            AttemptOutcome::Lost { reason: "the answer was lost on this machine".to_owned() }
        };
        let Arrival { number, stem, pod, .. } = arrival;
        queue.take(RegenerationMark::Tried { number, stem, pod, outcome })?;
        remove(&path)?;
    }
    for open in queue.unmeasured() {
        run.stop.check()?;
        let png = run.stored(&open.png)?;
        if let Some(distance) = run.distance_to_submitted(job, &open.stem, &open.png, &png)? {
            queue.take(RegenerationMark::Measured { number: open.number, stem: open.stem, distance })?;
        }
    }
    Ok(())
}

impl RegenerationRun<'_> {
    /// Reads an object that we stored.
    fn stored(&self, object: &StoredObject) -> Result<Vec<u8>> {
        let gone = || Error::failed(format!("{}: no longer in {}", object.url, self.store.name()));
        let key = self.store.key_of(&object.url).ok_or_else(gone)?;
        self.store.get(&key)?.ok_or_else(gone)
    }
}

/// Fetches the prompts' images that are not cached yet.
pub(crate) fn fetch_prompts(run: &RegenerationRun<'_>, stems: &[PromptStem]) -> Result<()> {
    for stem in stems {
        run.stop.check()?;
        let _one = run.fetching.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = AuditWorkdir::prompt(run.round, stem);
        if files::below(&run.own, &path)?.exists() {
            continue;
        }
        let url =
            run.prompts.get(stem).ok_or_else(|| Error::failed(format!("{stem} is not a prompt of this round")))?;
        let image = run.client.send(&Request::get(url.as_str()))?.file()?;
        files::write_below(&run.own, &path, &image, files::Readers::Own)?;
    }
    Ok(())
}
