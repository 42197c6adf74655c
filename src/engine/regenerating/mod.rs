//! Regenerating players' outputs on rented pods, shared by `audit` and `baseline`.

mod attempt;
pub(crate) mod audits;
pub(crate) mod baseline;
mod pod;
mod pod_pool;
mod prompt_queue;
pub(crate) mod workdir;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};

use self::prompt_queue::PromptQueue;
use self::workdir::AuditWorkdir;
use super::context::{Context, Standing};
use super::leases::{HeldLease, LeaseWatch};
use super::runs::limits::{limit_pods, pods_are_over};
use crate::base::error::{Context as _, Error, Result};
use crate::base::semaphore::Semaphore;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::format::Format;
use crate::model::ids::{Player, PromptStem, RoundNumber, Seed};
use crate::model::objects::check_stem;
use crate::model::prompts::PromptList;
use crate::model::seed::SeedFile;
use crate::preview;
use crate::rules::regeneration::{JobStanding, Progress, Purpose};
use crate::rules::{Plan, Thresholds};
use crate::settings::audit::AuditSettings;
use crate::settings::flags::{StoreArgs, env};
use crate::ui::{Report, Ui};
use crate::world::distance::Distance;
use crate::world::http::{Client, HttpLimits, Retry};
use crate::world::memory::Memory;
use crate::world::pods::Provider;
use crate::world::pods::lease::Keeper;
use crate::world::pods::program::ProgramLimits;
use crate::world::render::{self, Renderer};
use crate::world::stop::Stop;
use crate::world::store::ObjectStore;
use crate::world::usage::{Meter, Service};

/// How often a run checks whether its pods have to end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Largest prompt image, and largest preview fetched from outside the store, in bytes.
const LARGEST_IMAGE: u64 = 64 << 20;

/// Whose outputs are regenerated, and why.
#[derive(Debug)]
pub(crate) struct RegenerationJob {
    pub(crate) player: Player,
    pub(crate) image: String,
    pub(crate) purpose: Purpose,
    /// Retry prompts without a complete output.
    pub(crate) retry: bool,
    /// SHA-256 of the player's stored files, by path.
    sums: BTreeMap<String, String>,
    place: usize,
}

impl RegenerationJob {
    pub(crate) fn new(player: Player, image: String, purpose: Purpose, retry: bool) -> Self {
        RegenerationJob { player, image, purpose, retry, sums: BTreeMap::new(), place: 0 }
    }
}

/// The state shared by all jobs of a run.
pub(crate) struct RegenerationRun<'a> {
    ui: &'a Ui,
    stop: Stop,
    meter: Meter,
    /// Set once the limit of pods' time is reached.
    limited: AtomicBool,
    /// The announcement of this step to other hosts, if there is one.
    lease: Option<Arc<LeaseWatch>>,
    /// Set once an error ends the run.
    broken: AtomicBool,
    own: PathBuf,
    run: String,
    round: RoundNumber,
    format: Format,
    seed: Seed,
    prompts: HashMap<PromptStem, String>,
    list: PromptList,
    rules: Thresholds,
    settings: AuditSettings,
    limits: ProgramLimits,
    provider: Box<dyn Provider>,
    store: Box<dyn ObjectStore>,
    renderer: Box<dyn Renderer>,
    distance: Option<Box<dyn Distance>>,
    client: Client,
    drawing: Semaphore,
    memory: Memory,
    measuring: Semaphore,
    fetching: Mutex<()>,
    steps: Mutex<Option<Sender<JobStep>>>,
    /// The limit of the round's pod hours.
    pod_hours: f64,
}

/// An event reported by a running job.
enum JobStep {
    /// An attempt is over, in this job.
    Attempt(usize),
    /// A job has ended.
    Ended(usize, Result<()>),
}

/// What the caller is to do about a job.
pub(crate) enum RegenerationEvent<'a> {
    /// Save the progress so far.
    Save(&'a RegenerationJob, &'a Progress),
    /// It has ended, with the error that stopped it, if any.
    Ended(&'a RegenerationJob, &'a Progress, JobStanding, Option<Error>),
}

/// The tools that a command names.
pub(crate) struct Tools<'a> {
    pub(crate) store: &'a StoreArgs,
    pub(crate) render_service: Option<&'a str>,
    /// Are distances needed?
    pub(crate) measures: bool,
    /// The announcement of this step to other hosts, if there is one.
    pub(crate) lease: Option<&'a HeldLease>,
}

/// What a run works with: the operator's, or for `check` a miner's own.
pub(crate) struct Workshop<'a> {
    /// The folder of journals, answers and the prompts' images.
    pub(crate) own: PathBuf,
    pub(crate) settings: AuditSettings,
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) store: Box<dyn ObjectStore>,
    pub(crate) distance: Option<Box<dyn Distance>>,
    pub(crate) render_service: Option<&'a str>,
    /// The client for the prompts' images.
    pub(crate) client: Client,
    /// The prompts and the seed to generate with.
    pub(crate) list: PromptList,
    pub(crate) seed: Seed,
    /// The announcement of this step to other hosts, if there is one.
    pub(crate) lease: Option<Arc<LeaseWatch>>,
}

/// The limits of requests for prompts' images, and for previews outside the store.
pub(crate) fn image_limits() -> HttpLimits {
    HttpLimits { body: LARGEST_IMAGE, ..HttpLimits::default() }
}

impl<'a> RegenerationRun<'a> {
    /// Opens what flags, environment and settings name.
    pub(crate) fn open(context: &'a Context<'a>, standing: &Standing, tools: &Tools<'_>) -> Result<Self> {
        let missing = |what: &str, hint: &str| Error::usage(format!("no {what} is named")).hint(hint);
        let config = &context.config;
        let provider =
            config.pods.open(env)?.ok_or_else(|| missing("pod provider", "[pods] provider in gen404.toml"))?;
        let store = context.object_store(tools.store)?.ok_or_else(|| {
            missing("object store", "give --store-dir DIR, R2_ENDPOINT with its keys, or [store] in gen404.toml")
        })?;
        let distance = if tools.measures {
            let hint = "[distance] driver in gen404.toml, or IMAGE_DISTANCE_SERVICE_URL";
            Some(config.distance.open(env)?.ok_or_else(|| missing("way to measure distances", hint))?)
        } else {
            None
        };
        let round = standing.state.current_round;
        limit_pods(context, round)?;
        let list: PromptList = context.store.need(&FileKind::Round(round, RoundFile::Prompts))?;
        let seed = context.store.need::<SeedFile>(&FileKind::Round(round, RoundFile::Seed))?.seed;
        let (own, settings, render_service) = (context.own_folder()?, config.audit, tools.render_service);
        let client = Client::new(image_limits(), Retry::default()).metered(context.options.meter.of(Service::Images));
        let lease = tools.lease.map(|lease| lease.watch.clone());
        let workshop = Workshop { own, settings, provider, store, distance, render_service, client, list, seed, lease };
        RegenerationRun::within(context, standing, workshop)
    }

    /// A run in this workshop.
    pub(crate) fn within(context: &'a Context<'a>, standing: &Standing, workshop: Workshop<'_>) -> Result<Self> {
        let Workshop { own, settings, provider, store, distance, render_service, client, list, seed, lease } = workshop;
        let (config, meter, format) = (&context.config, &context.options.meter, standing.files.format);
        let renderer = render::open(format.model(), render_service, preview::DEFAULT_SIZE, NonZeroUsize::MIN, meter)?;
        list.stems().try_for_each(check_stem).map_err(Error::failed)?;
        let prompts = list.0.iter().map(|prompt| (prompt.stem().clone(), prompt.url().to_owned())).collect();
        Ok(RegenerationRun {
            ui: context.ui,
            stop: context.stop.part(),
            lease,
            meter: meter.clone(),
            limited: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            own,
            run: run_id()?,
            round: standing.state.current_round,
            format,
            seed,
            prompts,
            list,
            rules: standing.config.settings.limits(),
            settings,
            limits: ProgramLimits { format: format.model(), ..config.pods.limits() },
            provider,
            store,
            renderer,
            distance,
            client,
            drawing: Semaphore::new(settings.drawers().max(1) as u64),
            memory: Memory::of_mib(config.download.memory_mib),
            measuring: Semaphore::new(settings.miners.max(1) as u64),
            fetching: Mutex::new(()),
            steps: Mutex::new(None),
            pod_hours: config.limits.pod_hours.unwrap_or_default(),
        })
    }

    fn is_stopping(&self) -> bool {
        let lost = self.lease.as_ref().is_some_and(|lease| lease.is_lost());
        lost || self.stop.is_wanted() || self.broken.load(Ordering::SeqCst)
    }

    /// Fails if the run is to stop.
    fn check(&self) -> Result<()> {
        self.stop.check()?;
        self.lease.as_ref().map_or(Ok(()), |lease| lease.check())?;
        if self.is_stopping() { Err(Error::failed("the run is ending")) } else { Ok(()) }
    }

    fn told_step(&self, job: &RegenerationJob) {
        self.tell(JobStep::Attempt(job.place));
    }

    fn tell(&self, step: JobStep) {
        if let Some(steps) = self.steps.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // Cannot fail: the receiver outlives all jobs.
            let _ = steps.send(step);
        }
    }

    /// Runs the jobs, several in parallel. `seen` is called on the calling thread with what is to be saved.
    pub(crate) fn run(
        &self,
        standing: &Standing,
        mut jobs: Vec<RegenerationJob>,
        mut seen: impl FnMut(RegenerationEvent<'_>) -> Result<()>,
    ) -> Result<()> {
        let queues = self.queues(standing, &mut jobs)?;
        let report = |error: &Error| self.ui.error_line(&error.to_string());
        let keeper = Keeper::new(self.provider.as_ref(), &self.own, &report).metered(&self.meter);
        for name in keeper.sweep_notes(&[])? {
            self.ui.status(&format!("released pod {name}, left by an earlier run"));
        }
        let open: usize = queues.iter().map(PromptQueue::open_prompts).sum();
        let bar = self.ui.bar("prompts", open as u64);
        let (tell, heard) = unbounded();
        *self.steps.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
        let next = AtomicUsize::new(0);
        let mut failed = None;
        std::thread::scope(|scope| {
            for _ in 0..self.settings.miners.min(jobs.len()) {
                scope.spawn(|| self.work(&jobs, &queues, &next));
            }
            // `self.steps` keeps a sender alive, so the channel never disconnects: count the jobs that ended instead.
            let (mut left, mut counts) = (jobs.len(), vec![0; jobs.len()]);
            while left > 0 {
                self.watch_the_limit();
                let step = match heard.recv_timeout(LOOK_EVERY) {
                    Ok(step) => step,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                let done = match step {
                    JobStep::Attempt(place) => {
                        bar.advance(1);
                        self.maybe_save(&jobs, &queues, &mut counts, place, &mut seen)
                    }
                    JobStep::Ended(place, ended) => {
                        left -= 1;
                        self.ended(&jobs, &queues, place, ended, &mut seen)
                    }
                };
                if let Err(error) = done {
                    self.broken.store(true, Ordering::SeqCst);
                    failed.get_or_insert(error);
                }
            }
        });
        drop(bar);
        match failed {
            Some(error) => Err(error),
            None if self.limited.load(Ordering::SeqCst) => Err(pods_are_over(self.pod_hours, self.round)),
            None => Ok(()),
        }
    }

    /// Ends the pods in time, so that the limit of their hours is not passed.
    fn watch_the_limit(&self) {
        if !self.stop.is_wanted() && self.meter.pods_are_over() {
            self.limited.store(true, Ordering::SeqCst);
            self.stop.ask();
            self.stop.cut();
        }
    }

    /// Opens each job's queue with what is known of it.
    fn queues(&self, standing: &Standing, jobs: &mut [RegenerationJob]) -> Result<Vec<PromptQueue>> {
        let mut queues = Vec::new();
        for (place, job) in jobs.iter_mut().enumerate() {
            let own = standing.files.players.get(&job.player);
            job.place = place;
            job.sums = own.and_then(|own| own.sums.get()).map(|sums| sums.0.clone()).unwrap_or_default();
            let (purpose, budget) = (job.purpose.clone(), self.settings.retry_budget());
            let progress = Progress::new(self.format, purpose, &self.list, &self.rules, budget);
            let workdir = AuditWorkdir::new(&self.own, self.round, &job.player, self.format.model());
            let recorded = own.and_then(|own| own.generated.get());
            queues.push(PromptQueue::open(workdir, job, self.seed, recorded, progress)?);
        }
        Ok(queues)
    }

    /// Works on one job after the other.
    fn work(&self, jobs: &[RegenerationJob], queues: &[PromptQueue], next: &AtomicUsize) {
        loop {
            let place = next.fetch_add(1, Ordering::SeqCst);
            let (Some(job), Some(queue)) = (jobs.get(place), queues.get(place)) else { return };
            let ended = self.check().and_then(|()| {
                let run = std::panic::AssertUnwindSafe(|| pod_pool::run(self, job, queue));
                let broke = |_| Err(Error::failed("a worker thread panicked: this is a bug in gen404"));
                std::panic::catch_unwind(run).unwrap_or_else(broke)
            });
            self.tell(JobStep::Ended(place, ended));
        }
    }

    fn maybe_save(
        &self,
        jobs: &[RegenerationJob],
        queues: &[PromptQueue],
        counts: &mut [usize],
        place: usize,
        seen: &mut impl FnMut(RegenerationEvent<'_>) -> Result<()>,
    ) -> Result<()> {
        let (Some(job), Some(queue), Some(count)) = (jobs.get(place), queues.get(place), counts.get_mut(place)) else {
            return Ok(());
        };
        *count += 1;
        if *count % self.settings.save_every != 0 {
            return Ok(());
        }
        let progress = queue.look(Progress::clone);
        let (done, all) = progress.counts();
        self.ui.status(&format!("{}: {done} of {all} prompts", job.player));
        seen(RegenerationEvent::Save(job, &progress))
    }

    fn ended(
        &self,
        jobs: &[RegenerationJob],
        queues: &[PromptQueue],
        place: usize,
        ended: Result<()>,
        seen: &mut impl FnMut(RegenerationEvent<'_>) -> Result<()>,
    ) -> Result<()> {
        let (Some(job), Some(queue)) = (jobs.get(place), queues.get(place)) else { return Ok(()) };
        let progress = queue.look(Progress::clone);
        let stands = progress.standing();
        seen(RegenerationEvent::Ended(job, &progress, stands, ended.err()))
    }
}

/// Carries out the plans of a run. Their lines are printed at the end, when no progress bar is shown.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    context: &'a Context<'a>,
    report: &'a mut Report,
    says: Vec<String>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(context: &'a Context<'a>, report: &'a mut Report) -> Self {
        Records { context, report, says: Vec::new() }
    }

    /// Writes a plan's files; a later plan's commit includes them.
    pub(crate) fn write(&mut self, plan: &Plan) -> Result<()> {
        self.context.write(plan, self.report)
    }

    /// Carries a plan out, with a commit if asked for.
    pub(crate) fn carry_out(&mut self, plan: &Plan) -> Result<()> {
        if plan.writes.is_empty() {
            return Ok(());
        }
        self.context.carry_out(plan, &[], self.report)?;
        self.says.extend(plan.says.iter().cloned());
        Ok(())
    }

    /// Reports what was done.
    pub(crate) fn end(self) {
        self.says.into_iter().for_each(|line| self.report.say(line));
    }
}

/// The files written for a player whose outputs are regenerated.
pub(crate) fn files_of(round: RoundNumber, player: &Player) -> [String; 3] {
    let files = [PlayerFile::Generated, PlayerFile::Sums, PlayerFile::PodStats];
    files.map(|file| FileKind::Player(round, player.clone(), file).path())
}

/// Four letters and digits that distinguish this run's pods from others.
fn run_id() -> Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).failed(|| "the operating system provides no random bytes".to_owned())?;
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let letter = |byte: &u8| letters.get(usize::from(byte % 32)).copied().map(char::from);
    Ok(bytes.iter().filter_map(letter).collect())
}
