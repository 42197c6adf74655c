//! The work of `download`: fetches, draws and stores the wanted files, and records those that are complete.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use super::network;
use super::pipeline::{Draws, FetchEvent, Pipeline, clean_up};
use super::queue::{Queue, host};
use super::spool::{FetchJournal, Spool};
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::engine::context::{Context, Standing};
use crate::engine::stands::AnyStanding;
use crate::engine::threejs::objects::ViewMaker;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::format::ModelFormat;
use crate::model::ids::{Hotkey, PromptStem, RoundNumber};
use crate::model::snapshot::RoundFiles;
use crate::model::stage::CompetitionState;
use crate::model::threejs::snapshot::ThreejsRound;
use crate::preview;
use crate::rules::Plan;
use crate::rules::download::{
    DownloadMark, DownloadRound, KnownFiles, MinerFiles, Silence, WantedMiners, begin, foreseen, record,
};
use crate::rules::threejs::download::shared_files;
use crate::rules::threejs::known::MOST_BYTES;
use crate::settings::Config;
use crate::ui::{Phases, Report};
use crate::world::fetch::Fetcher;
use crate::world::http::{Client, HttpLimits};
use crate::world::memory::Memory;
use crate::world::render::{self, Renderer};
use crate::world::store::ObjectStore;
use crate::world::usage::{Meter, Service};

/// The phases, in order.
pub(crate) const PHASES: [&str; 3] = ["fetch", "draw", "store"];

/// The tools of a download.
pub(crate) struct FetchTools<'a> {
    /// Where objects go.
    pub(crate) store: &'a dyn ObjectStore,
    /// The URL of the service that draws the previews; this machine if `None`.
    pub(crate) render_service: Option<&'a str>,
    /// Draw no previews.
    pub(crate) no_previews: bool,
    /// What draws the views of three.js modules.
    pub(crate) views: Option<&'a ViewMaker>,
    /// Allow miners' URLs on non-public hosts.
    pub(crate) allow_private_cdn: bool,
}

/// The files that a download decides by, as its rules know them.
#[derive(Debug)]
pub(crate) struct FetchStanding {
    pub(crate) state: CompetitionState,
    pub(crate) files: RoundFiles,
    /// The files as they are, in a round of three.js modules.
    pub(crate) modules: Option<ThreejsRound>,
}

impl From<AnyStanding> for FetchStanding {
    fn from(standing: AnyStanding) -> FetchStanding {
        match standing {
            AnyStanding::Mesh(Standing { state, files, .. }) => FetchStanding { state, files, modules: None },
            AnyStanding::Threejs(ThreejsStanding { state, files, .. }) => {
                FetchStanding { state, files: shared_files(&files), modules: Some(files) }
            }
        }
    }
}

/// A running download: the wanted files, and what is known about them.
pub(crate) struct Download<'a> {
    context: &'a Context<'a>,
    wanted: &'a WantedMiners,
    /// The outcomes noted by this run and earlier ones.
    pub(crate) known: KnownFiles,
    /// The lines of the plans, printed at the end.
    pub(crate) says: Vec<String>,
}

/// The round being downloaded.
pub(crate) fn round(standing: &FetchStanding) -> Result<DownloadRound<'_>> {
    DownloadRound::new(&standing.state, &standing.files, standing.modules.as_ref()).map_err(Error::failed)
}

impl<'a> Download<'a> {
    /// Reads what earlier runs noted. Files that they put into another store do not count.
    pub(crate) fn open(
        context: &'a Context<'a>,
        standing: &FetchStanding,
        wanted: &'a WantedMiners,
        store: &dyn ObjectStore,
    ) -> Result<Self> {
        let mut known = KnownFiles::default();
        for mark in FetchJournal::read(&context.own_folder()?, standing.state.current_round)? {
            if mark.outcome.objects().all(|object| store.key_of(&object.url).is_some()) {
                known.add(mark);
            }
        }
        Ok(Download { context, wanted, known, says: Vec::new() })
    }

    /// The files still to be fetched.
    pub(crate) fn lanes(&self, standing: &FetchStanding) -> Result<Vec<MinerFiles>> {
        round(standing)?.lanes(&self.known, self.wanted).map_err(Error::failed)
    }

    /// `--dry-run`: shows what would be fetched and recorded.
    pub(crate) fn foresee(&self, standing: &FetchStanding, lanes: &[MinerFiles], report: &mut Report) -> Result<()> {
        let files: usize = lanes.iter().map(|lane| lane.files.len()).sum();
        let round = round(standing)?;
        let miners = round.miners(self.wanted).map_err(Error::failed)?;
        if lanes.is_empty() {
            let plan = record(&round, &miners, &self.known);
            return plan.map_or(Ok(()), |plan| self.context.apply(&plan, report));
        }
        let (files, miners_of) = (counted(files, "file", "files"), counted(lanes.len(), "miner", "miners"));
        report.say(format!("would fetch {files} of {miners_of}"));
        let (files, possible) = foreseen(&round, &miners, lanes, &self.known);
        report.note_files(files.iter().map(ToString::to_string));
        report.note_possible(possible.iter().map(ToString::to_string));
        Ok(())
    }

    /// Moves the competition into the stage.
    pub(crate) fn begin(&mut self, standing: &mut FetchStanding, report: &mut Report) -> Result<()> {
        self.carry_out(begin(&standing.state), report)?;
        *standing = self.context.stands()?.into();
        Ok(())
    }

    /// Records the miners that are complete. With `--push`, repeats after each push: other shards may have pushed
    /// theirs, and whichever is last moves the stage.
    pub(crate) fn record_all(&mut self, standing: &mut FetchStanding, report: &mut Report) -> Result<()> {
        loop {
            let now = round(standing)?;
            let miners = now.miners(self.wanted).map_err(Error::failed)?;
            let Some(plan) = record(&now, &miners, &self.known) else { return Ok(()) };
            self.carry_out(plan, report)?;
            if !self.context.options.push {
                return Ok(());
            }
            *standing = self.context.stands()?.into();
        }
    }

    /// Carries a plan out; its lines are printed at the end.
    fn carry_out(&mut self, plan: Plan, report: &mut Report) -> Result<()> {
        self.context.carry_out(&plan, &[], report)?;
        self.says.extend(plan.says);
        Ok(())
    }

    /// Fetches, draws and stores; notes every outcome, even if it stops early.
    pub(crate) fn fetch_all(
        &mut self,
        standing: &FetchStanding,
        lanes: Vec<MinerFiles>,
        tools: &FetchTools<'_>,
    ) -> Result<()> {
        let context = self.context;
        let files: usize = lanes.iter().map(|lane| lane.files.len()).sum();
        let (own, number) = (context.own_folder()?, standing.state.current_round);
        let (mut journal, marks) = FetchJournal::open(&own, number)?;
        let mut spool = Spool::open(&own, number)?;
        let to_fetch: HashSet<(&Hotkey, &PromptStem)> =
            lanes.iter().flat_map(|lane| lane.files.iter().map(|(stem, _)| (&lane.hotkey, stem))).collect();
        for mark in marks.iter().filter(|mark| !to_fetch.contains(&(&mark.hotkey, &mark.stem))) {
            spool.forget(&mark.hotkey, &mark.stem)?;
        }
        if files == 0 {
            return Ok(());
        }
        let server = |lane: &MinerFiles| lane.files.first().map(|(_, url)| host(url)).unwrap_or_default();
        let hosts: HashMap<Hotkey, String> = lanes.iter().map(|lane| (lane.hotkey.clone(), server(lane))).collect();
        let format = standing.files.format.model();
        let meter = &context.options.meter;
        let fetcher = Fetcher::new(match standing.modules {
            None => miners_client(&context.config, tools.allow_private_cdn, meter),
            Some(_) => modules_client(&context.config, tools.allow_private_cdn, meter),
        });
        let draws_previews = !tools.no_previews && tools.views.is_none();
        let renderer = draws_previews.then(|| renderer(format, tools.render_service, meter)).transpose()?;
        let draws = match (tools.views, standing.files.prompts.get()) {
            (Some(maker), Some(prompts)) => Draws::Views(maker, prompts),
            _ => Draws::Preview(renderer.as_deref()),
        };
        context.ui.detail(&format!("storing into {}", tools.store.name()));
        let mut phases = context.ui.phases(&PHASES, files as u64);
        let job = PipelineJob { round: number, format, lanes, fetcher, spool };
        let pipeline = job.pipeline(context, draws, tools.store);
        let mut silence = Silence::default();
        let mut note = |marks: Vec<DownloadMark>| {
            marks.into_iter().try_for_each(|mark| {
                journal.append(&mark)?;
                self.known.add(mark);
                Ok::<(), Error>(())
            })
        };
        pipeline.run(|event| {
            match event {
                None => phases.tick(),
                Some(FetchEvent::Settled { mark, spooled }) => {
                    // Journal first, then remove the spooled file: a run killed in between finds the outcome and drops
                    // the leftover.
                    settle(context, &mut phases, &mark, spooled.is_some());
                    let host = hosts.get(&mark.hotkey).map_or("", String::as_str);
                    note(silence.take(*mark, host))?;
                    clean_up(spooled.as_ref())?;
                }
                Some(event) => {
                    count(&mut phases, &event);
                    // One that an earlier run fetched takes no time.
                    if matches!(event, FetchEvent::Fetched { took, .. } if !took.is_zero()) {
                        note(silence.over())?;
                    }
                }
            }
            context.stop.check()
        })?;
        // A stop in the last moment may have left files out: report it instead of success.
        context.stop.check()?;
        if let Some(down) =
            network::is_down(context, &silence, allows_private(&context.config, tools.allow_private_cdn))
        {
            return Err(down);
        }
        note(silence.over())
    }
}

/// The files that a pipeline fetches, and from where.
pub(crate) struct PipelineJob {
    pub(crate) round: RoundNumber,
    pub(crate) format: ModelFormat,
    pub(crate) lanes: Vec<MinerFiles>,
    pub(crate) fetcher: Fetcher,
    pub(crate) spool: Spool,
}

impl PipelineJob {
    /// The pipeline, with the limits of the settings.
    pub(crate) fn pipeline<'a>(
        self,
        context: &Context<'_>,
        draws: Draws<'a>,
        store: &'a dyn ObjectStore,
    ) -> Pipeline<'a> {
        let PipelineJob { round, format, lanes, fetcher, spool } = self;
        let mut settings = context.config.download;
        if matches!(draws, Draws::Views(..)) {
            settings.workers = context.config.views.workers;
        }
        Pipeline {
            round,
            format,
            settings,
            queue: Queue::new(lanes, &settings),
            fetcher,
            spool,
            draws,
            memory: Memory::of_mib(settings.memory_mib),
            store,
            stopping: AtomicBool::new(false),
            asked: context.stop.clone(),
        }
    }
}

/// May miners' servers be on hosts that are not public, by the flag or the settings?
fn allows_private(config: &Config, flag: bool) -> bool {
    flag || config.miners.allow_private_cdn
}

/// The client for miners' servers; the flag or the settings allow hosts that are not public.
pub(crate) fn miners_client(config: &Config, allow_private_cdn: bool, meter: &Meter) -> Client {
    let allow_private = allows_private(config, allow_private_cdn);
    Client::for_miners(config.download.limits(), config.download.retry(), allow_private).metered(meter.of(Service::Cdn))
}

/// As [`miners_client`], for three.js modules, which are small.
fn modules_client(config: &Config, allow_private_cdn: bool, meter: &Meter) -> Client {
    let allow_private = allows_private(config, allow_private_cdn);
    let limits = HttpLimits { body: MOST_BYTES, ..config.download.limits() };
    Client::for_miners(limits, config.download.retry(), allow_private).metered(meter.of(Service::Cdn))
}

/// The renderer of the previews: this service, or this machine.
pub(crate) fn renderer(format: ModelFormat, service: Option<&str>, meter: &Meter) -> Result<Box<dyn Renderer>> {
    render::open(format, service, preview::DEFAULT_SIZE, NonZeroUsize::MIN, meter)
}

/// Counts the phases that a file passes before it is settled.
pub(crate) fn count(phases: &mut Phases, event: &FetchEvent) {
    match event {
        FetchEvent::Fetched { bytes, .. } => phases.advance(0, *bytes),
        FetchEvent::Drawn { .. } => phases.advance(1, 0),
        FetchEvent::Settled { .. } | FetchEvent::Broken(_) => {}
    }
    phases.tick();
}

/// Counts a settled file, and logs why it is incomplete.
pub(crate) fn settle(context: &Context<'_>, phases: &mut Phases, mark: &DownloadMark, arrived: bool) {
    if arrived {
        let bytes = mark.outcome.model().map_or(0, |model| model.size) + mark.outcome.png().map_or(0, |png| png.size);
        phases.advance(2, bytes);
    } else {
        phases.fail(0);
    }
    if let Some(reason) = mark.outcome.reason() {
        context.ui.detail(&format!("{} {}: {reason}", mark.hotkey, mark.stem));
    }
    phases.tick();
}
