//! Fetch, draw, store: three stages of threads with short queues between them.
//!
//! Memory use is bounded by the renderers' share and the queue of previews, whatever the size of the round: models wait
//! on disk. All outcomes go to one thread, which records them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::queue::{FetchEnd, FetchJob, Queue};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files::{self, remove};
use crate::engine::fetching::spool::{Spool, Spooled};
use crate::engine::threejs::objects::{Made, ModulePlace, StoredViews, ViewFiles, ViewMaker};
use crate::model::format::ModelFormat;
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::model::objects::{ObjectKey, ObjectKind, StoredObject};
use crate::model::prompts::PromptList;
use crate::model::refusals;
use crate::rules::download::{DownloadMark, FetchOutcome};
use crate::world::fetch::{DownloadSettings, Fetcher};
use crate::world::http::{Failure, Retry, shown_text};
use crate::world::memory::Memory;
use crate::world::render::{Renderer, Rendering};
use crate::world::stop::Stop;
use crate::world::store::{Bytes, NewObject, ObjectStore, put_new, sha256_of};

/// Attempts at a file whose server sends `Retry-After`.
const MOST_ASKED: u32 = 5;

/// How often an idle pipeline checks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Concurrent uploads: a bucket's latency is high.
const STORING: usize = 8;

/// Longest reason, in characters: it is one line of a log.
const LONGEST_REASON: usize = 200;

/// The state shared by all stages.
pub(crate) struct Pipeline<'a> {
    pub(crate) format: ModelFormat,
    pub(crate) round: RoundNumber,
    pub(crate) settings: DownloadSettings,
    pub(crate) queue: Queue,
    pub(crate) fetcher: Fetcher,
    pub(crate) spool: Spool,
    pub(crate) draws: Draws<'a>,
    pub(crate) memory: Memory,
    pub(crate) store: &'a dyn ObjectStore,
    /// Set once an error occurs that no miner's file caused.
    pub(crate) stopping: AtomicBool,
    /// Set when the operator asks to stop.
    pub(crate) asked: Stop,
}

/// What is drawn of a file.
#[derive(Clone, Copy)]
pub(crate) enum Draws<'a> {
    /// Its preview; without a renderer, nothing.
    Preview(Option<&'a dyn Renderer>),
    /// All views of a module, for the prompt with this stem.
    Views(&'a ViewMaker, &'a PromptList),
}

/// An event reported by a stage.
pub(crate) enum FetchEvent {
    /// A file has arrived, in an attempt that took so long, after so many that failed.
    Fetched { stem: PromptStem, bytes: u64, took: Duration, retries: u32 },
    /// A file has been drawn, or refused.
    Drawn { stem: PromptStem, took: Duration },
    /// A file's outcome is final.
    Settled { mark: Box<DownloadMark>, spooled: Option<Spooled> },
    /// An error that no miner's file caused: the run ends.
    Broken(Error),
}

/// A fetched file with its preview, or the reason it has none.
struct DrawnFile {
    job: FetchJob,
    spooled: Spooled,
    preview: PreviewResult,
}

enum PreviewResult {
    /// PNG and its SHA-256.
    Png(Vec<u8>, String),
    /// All views of a module.
    Views(ViewFiles),
    /// It cannot be drawn.
    Refused(Said),
    /// It is not in the competition's format at all, and is not stored.
    NoModel(Said),
    /// No preview was asked for.
    Left,
}

/// A refusal's code and reason.
struct Said(String, String);

impl Pipeline<'_> {
    /// Runs all stages to their end. `seen` is called on the calling thread with each event, or `None` when idle.
    pub(crate) fn run(&self, mut seen: impl FnMut(Option<FetchEvent>) -> Result<()>) -> Result<()> {
        let workers = self.settings.workers();
        let (events, heard) = unbounded();
        let (to_draw, drawing) = bounded::<(FetchJob, Spooled)>(workers);
        let (to_store, storing) = bounded::<DrawnFile>(workers);
        let mut broken = None;
        std::thread::scope(|scope| -> Result<()> {
            let threads = (|| {
                for _ in 0..self.settings.connections {
                    let (next, events) = (to_draw.clone(), events.clone());
                    spawn(scope, "fetch", move || self.fetch_all(&next, &events))?;
                }
                for _ in 0..workers {
                    let (next, events, drawing) = (to_store.clone(), events.clone(), drawing.clone());
                    spawn(scope, "draw", move || self.draw_all(&drawing, &next, &events))?;
                }
                for _ in 0..STORING {
                    let (events, storing) = (events.clone(), storing.clone());
                    spawn(scope, "store", move || self.store_all(&storing, &events))?;
                }
                Ok(())
            })();
            // A channel closes with its last sender or receiver, so this thread must drop its own handles: otherwise
            // the stages would never end.
            drop((to_draw, to_store, events, drawing, storing));
            if let Err(error) = threads {
                self.stop();
                broken = Some(error);
            }
            self.listen(&heard, &mut seen, &mut broken);
            Ok(())
        })?;
        broken.map_or(Ok(()), Err)
    }

    fn listen(
        &self,
        heard: &Receiver<FetchEvent>,
        seen: &mut impl FnMut(Option<FetchEvent>) -> Result<()>,
        broken: &mut Option<Error>,
    ) {
        loop {
            let outcome = match heard.recv_timeout(LOOK_EVERY) {
                Ok(FetchEvent::Broken(error)) => Err(error),
                Ok(event) => seen(Some(event)),
                Err(RecvTimeoutError::Timeout) => seen(None),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(error) = outcome {
                self.stop();
                broken.get_or_insert(error);
            }
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Workers may be blocked in the queue or in a request: both have to be woken.
        self.queue.stop();
        self.fetcher.stop();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst) || self.asked.is_wanted()
    }

    fn fetch_all(&self, next: &Sender<(FetchJob, Spooled)>, events: &Sender<FetchEvent>) {
        while let Some(job) = self.queue.take() {
            match guarded(|| self.fetch(&job, events)) {
                // A send fails only while the run is ending.
                Ok(Some(spooled)) => drop(next.send((job, spooled))),
                Ok(None) => {}
                Err(error) => tell(events, FetchEvent::Broken(error)),
            }
        }
    }

    /// Makes one attempt at a file. `None`: it failed, for now or for good.
    fn fetch(&self, job: &FetchJob, events: &Sender<FetchEvent>) -> Result<Option<Spooled>> {
        if let Some(spooled) = self.spool.find(&job.hotkey, &job.stem).inspect_err(|_| self.give_back(job))? {
            self.queue.done(job, Duration::ZERO, FetchEnd::Arrived);
            arrived(events, job, &spooled, Duration::ZERO);
            return Ok(Some(spooled));
        }
        let begun = Instant::now();
        let part = self.spool.part(&job.hotkey, &job.stem);
        let failure = match self.fetcher.fetch(&job.url, &part).inspect_err(|_| self.give_back(job))? {
            Ok(fetched) => {
                let spooled = self.spool.keep(&job.hotkey, &job.stem, fetched);
                let took = begun.elapsed();
                self.queue.done(job, took, FetchEnd::Arrived);
                let spooled = spooled?;
                arrived(events, job, &spooled, took);
                return Ok(Some(spooled));
            }
            Err(failure) => failure,
        };
        if self.is_stopping() || failure == Failure::Stopped {
            // An attempt that we cut off says nothing about the miner, so it must not count as failed.
            self.give_back(job);
            return Ok(None);
        }
        remove(&part)?;
        let end = again(&self.settings.retry(), job, &failure);
        let given_up = self.queue.done(job, begun.elapsed(), end);
        if end == FetchEnd::Failed {
            let tries = if job.tries > 0 { format!(" ({} attempts)", job.tries + 1) } else { String::new() };
            fail(events, job, failure.code(), format!("{}{tries}", shown_text(failure.reason(), LONGEST_REASON)));
        }
        let patience = self.settings.patience_seconds;
        for job in &given_up {
            let reason = format!("given up: failed attempts at this miner's files took over {patience} s");
            fail(events, job, refusals::GIVEN_UP, reason);
        }
        Ok(None)
    }

    fn give_back(&self, job: &FetchJob) {
        self.queue.done(job, Duration::ZERO, FetchEnd::Failed);
    }

    fn draw_all(&self, from: &Receiver<(FetchJob, Spooled)>, next: &Sender<DrawnFile>, events: &Sender<FetchEvent>) {
        for (job, spooled) in from {
            if self.is_stopping() {
                continue;
            }
            let begun = Instant::now();
            match guarded(|| self.draw(&job.stem, &spooled)) {
                Ok(None) => {}
                Ok(Some(preview)) => {
                    tell(events, FetchEvent::Drawn { stem: job.stem.clone(), took: begun.elapsed() });
                    // A send fails only while the run is ending.
                    drop(next.send(DrawnFile { job, spooled, preview }));
                }
                Err(error) => tell(events, FetchEvent::Broken(error)),
            }
        }
    }

    /// Draws a file's preview; `None` if the run is ending.
    fn draw(&self, stem: &PromptStem, spooled: &Spooled) -> Result<Option<PreviewResult>> {
        let Spooled { path, fetched } = spooled;
        let renderer = match self.draws {
            Draws::Preview(renderer) => renderer,
            Draws::Views(maker, prompts) => return self.draw_views(maker, prompts, (stem, path.as_path())),
        };
        if let Err(why) = self.format.check(&fetched.head, fetched.size) {
            return Ok(Some(PreviewResult::NoModel(Said(why.code().to_owned(), why.to_string()))));
        }
        let Some(renderer) = renderer else { return Ok(Some(PreviewResult::Left)) };
        let read = || files::read_own(path, self.format.largest())?.ok_or_else(|| Error::file(path, "missing"));
        let rendering = self.memory.draw(renderer, fetched.size, &|| self.is_stopping(), read)?;
        // A stopped drawing is not recorded, so the next run draws it.
        rendering.map(|rendering| preview(rendering, path)).transpose()
    }

    /// Draws a module's views; `None` if the run is ending.
    fn draw_views(
        &self,
        maker: &ViewMaker,
        prompts: &PromptList,
        (stem, path): (&PromptStem, &Path),
    ) -> Result<Option<PreviewResult>> {
        let source = files::read_own(path, self.format.largest())?.ok_or_else(|| Error::file(path, "missing"))?;
        let prompt = prompts.0.iter().find(|prompt| prompt.stem() == stem).map_or("", |prompt| prompt.url());
        let made = match maker.make(&source, prompt, &self.asked) {
            // One that was cut off says nothing about the module, so the next run draws it.
            Err(_) if self.is_stopping() => return Ok(None),
            made => made?,
        };
        Ok(Some(match made {
            Made::Views(views) => PreviewResult::Views(views),
            Made::Refused { code, reason } => {
                PreviewResult::Refused(Said(code.to_owned(), shown_text(&reason, LONGEST_REASON)))
            }
        }))
    }

    fn store_all(&self, from: &Receiver<DrawnFile>, events: &Sender<FetchEvent>) {
        for drawn in from {
            if self.is_stopping() {
                continue;
            }
            match guarded(|| self.store(&drawn)) {
                Ok(outcome) => {
                    let DrawnFile { job: FetchJob { hotkey, stem, .. }, spooled, .. } = drawn;
                    let mark = Box::new(DownloadMark { hotkey, stem, outcome });
                    tell(events, FetchEvent::Settled { mark, spooled: Some(spooled) });
                }
                Err(error) => tell(events, FetchEvent::Broken(error)),
            }
        }
    }

    fn store(&self, drawn: &DrawnFile) -> Result<FetchOutcome> {
        let DrawnFile { job, spooled, preview } = drawn;
        let refused = |model, Said(code, reason): &Said| FetchOutcome::Refused {
            model,
            code: code.clone(),
            reason: reason.clone(),
        };
        if let PreviewResult::NoModel(said) = preview {
            return Ok(refused(None, said));
        }
        let model = NewObject {
            kind: ObjectKind::Model(self.format),
            bytes: Bytes::File(&spooled.path),
            size: spooled.fetched.size,
            sha256: &spooled.fetched.sha256,
        };
        let model = self.put(job, &model)?;
        Ok(match preview {
            PreviewResult::Png(png, sha256) => {
                let (bytes, size) = (Bytes::Memory(png), png.len() as u64);
                let png = self.put(job, &NewObject { kind: ObjectKind::Preview, bytes, size, sha256 })?;
                FetchOutcome::Stored { model, png, more: Vec::new() }
            }
            PreviewResult::Views(views) => {
                let player = Player::Miner(job.hotkey.clone());
                let place = ModulePlace { store: self.store, round: self.round, player: &player, folder: "submitted" };
                let StoredViews { grid, more } = place.put_views(&job.stem, views)?;
                FetchOutcome::Stored { model, png: grid, more }
            }
            PreviewResult::Refused(said) => refused(Some(model), said),
            PreviewResult::NoModel(_) | PreviewResult::Left => {
                refused(Some(model), &Said(refusals::NO_PREVIEW.to_owned(), "no preview was asked for".to_owned()))
            }
        })
    }

    /// Stores an object under its first key that is free or already holds the same bytes.
    fn put(&self, job: &FetchJob, object: &NewObject<'_>) -> Result<StoredObject> {
        let player = Player::Miner(job.hotkey.clone());
        let key = |version| ObjectKey::submitted(self.round, &player, &job.stem, object.kind, version);
        put_new(self.store, key, object)
    }
}

/// The preview, or the recorded reason for refusing it.
fn preview(rendering: Rendering, path: &Path) -> Result<PreviewResult> {
    Ok(match rendering {
        Rendering::Png(png) => {
            let sum = sha256_of(png.as_slice()).failed(|| format!("{}: no digest", path.display()))?;
            PreviewResult::Png(png, sum)
        }
        Rendering::Refused { code, place, message } => {
            let parts = [place, Some(message)].into_iter().flatten().filter(|part| !part.is_empty());
            let code = code.unwrap_or_else(|| refusals::BY_SERVICE.to_owned());
            PreviewResult::Refused(Said(code, shown_text(&parts.collect::<Vec<_>>().join(": "), LONGEST_REASON)))
        }
    })
}

/// What follows a failed attempt.
fn again(retry: &Retry, job: &FetchJob, failure: &Failure) -> FetchEnd {
    let tried = job.tries + 1;
    match failure {
        Failure::Permanent(_) | Failure::Stopped => FetchEnd::Failed,
        Failure::Transient { after: Some(_), .. } if tried >= retry.attempts.max(MOST_ASKED) => FetchEnd::Failed,
        Failure::Transient { after: None, .. } if tried >= retry.attempts => FetchEnd::Failed,
        Failure::Transient { after, .. } => {
            FetchEnd::Again { pause: retry.pause(tried, *after, &job.url), asked: after.is_some() }
        }
    }
}

fn spawn<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn_scoped(scope, work).map(|_| ()).failed(|| "cannot start a thread".to_owned())
}

/// Runs the work on one item and turns a panic into an error: a dead thread would leave the others waiting for it
/// forever.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Error::failed("a worker thread panicked: this is a bug in gen404")))
}

/// Sends an event. The receiver outlives all senders.
fn tell(events: &Sender<FetchEvent>, event: FetchEvent) {
    let _ = events.send(event);
}

fn arrived(events: &Sender<FetchEvent>, job: &FetchJob, spooled: &Spooled, took: Duration) {
    let (stem, bytes) = (job.stem.clone(), spooled.fetched.size);
    tell(events, FetchEvent::Fetched { stem, bytes, took, retries: job.tries });
}

fn fail(events: &Sender<FetchEvent>, job: &FetchJob, code: &str, reason: String) {
    let outcome = FetchOutcome::Failed { code: code.to_owned(), reason };
    let mark = DownloadMark { hotkey: job.hotkey.clone(), stem: job.stem.clone(), outcome };
    tell(events, FetchEvent::Settled { mark: Box::new(mark), spooled: None });
}

/// Removes a settled file from the spool.
pub(crate) fn clean_up(spooled: Option<&Spooled>) -> Result<()> {
    spooled.map_or(Ok(()), |spooled| remove(Path::new(&spooled.path)))
}
