//! The files: fetched, drawn and stored as `download` does it, into the folder of the work.

use std::collections::HashMap;
use std::path::Path;

use super::CheckJob;
use super::store::PreviewStore;
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::engine::fetching::pipeline::{Draws, FetchEvent, clean_up};
use crate::engine::fetching::run::{PHASES, PipelineJob, count, renderer, settle};
use crate::engine::fetching::spool::{Spool, Spooled};
use crate::model::ids::{Block, Hotkey, PromptStem, Seed};
use crate::model::outputs::Outputs;
use crate::model::record::Extra;
use crate::model::snapshot::RoundFiles;
use crate::model::submissions::{Submission, Submissions};
use crate::model::sums::Sums;
use crate::rules::check::{ArrivedFile, CheckedFile, TimedFetch};
use crate::rules::download::{DownloadMark, DownloadRound, FetchOutcome, KnownFiles, MinerFiles, WantedMiners};
use crate::rules::shard::Shard;
use crate::world::store::ObjectStore;

/// The checked files.
pub(crate) struct CheckedFiles {
    /// In the order of the prompts.
    pub(crate) files: Vec<CheckedFile>,
    /// What `submitted.json` would hold, but for the URLs.
    pub(crate) outputs: Outputs,
    /// What `SHA256SUMS` would hold.
    pub(crate) sums: Sums,
    /// Where the previews are.
    pub(crate) store: PreviewStore,
}

/// How many files did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) missing: usize,
    pub(crate) too_large: usize,
    pub(crate) other: usize,
}

/// What a run of the pipeline told.
#[derive(Default)]
struct Told {
    known: KnownFiles,
    arrived: HashMap<PromptStem, ArrivedFile>,
    fetches: HashMap<PromptStem, TimedFetch>,
    draw_seconds: HashMap<PromptStem, f64>,
}

impl CheckJob<'_> {
    /// Fetches, draws and stores the files.
    ///
    /// # Errors
    /// Something failed that is not the miner's, or the run was stopped.
    pub(crate) fn check_files(&self) -> Result<CheckedFiles> {
        let store = PreviewStore::open(&self.work.join("objects"))?;
        let submissions = self.submissions()?;
        // As if nothing were recorded of the miner yet: every file is to be fetched.
        let files = RoundFiles::of(self.standing.files.format);
        let (state, prompts, seed) = (&self.standing.state, self.prompts, self.seed.unwrap_or(Seed(0)));
        let round = DownloadRound { state, files: &files, modules: None, submissions: &submissions, prompts, seed };
        let wanted = WantedMiners { only: None, shard: Shard::WHOLE, retry_failed: false };
        let lanes = round.lanes(&KnownFiles::default(), &wanted).map_err(Error::failed)?;
        let told = self.run(lanes, &store)?;
        let owner = self.owner();
        let outputs = round.outputs(&owner, &told.known).ok_or_else(|| Error::failed("a file has no outcome"))?;
        let sums = round.sums(&owner, &told.known);
        let files = prompts.stems().filter_map(|stem| told.file(&owner, stem)).collect();
        Ok(CheckedFiles { files, outputs, sums, store })
    }

    /// Runs the pipeline of `download` over these files.
    fn run(&self, lanes: Vec<MinerFiles>, store: &PreviewStore) -> Result<Told> {
        let (context, round) = (self.context, self.standing.state.current_round);
        // What an earlier run left says nothing of the files now: each run has a spool of its own.
        let spooling = tempfile::tempdir_in(self.work).failed(|| format!("{}: cannot write", self.work.display()))?;
        let spool = Spool::open(spooling.path(), round)?;
        let format = self.standing.files.format.model();
        let renderer = renderer(format, self.render_service, &context.options.meter)?;
        let fetcher = self.source.fetcher(context, self.allow_private);
        let files = lanes.iter().map(|lane| lane.files.len() as u64).sum();
        let mut phases = context.ui.phases(&PHASES, files);
        let mut told = Told::default();
        let job = PipelineJob { round, format, lanes, fetcher, spool };
        job.pipeline(context, Draws::Preview(Some(renderer.as_ref())), store).run(|event| {
            match event {
                None => phases.tick(),
                Some(FetchEvent::Settled { mark, spooled }) => {
                    settle(context, &mut phases, &mark, spooled.is_some());
                    clean_up(spooled.as_ref())?;
                    told.settled(*mark, spooled.as_ref());
                }
                Some(event) => {
                    count(&mut phases, &event);
                    told.hear(event);
                }
            }
            context.stop.check()
        })?;
        // A stop in the last moment may have left files out.
        context.stop.check().map(|()| told)
    }

    /// As if this miner alone had submitted this source.
    fn submissions(&self) -> Result<Submissions> {
        let submission = Submission {
            repo: "checked/miner".parse().map_err(Error::failed)?,
            commit: "0".repeat(40).parse().map_err(Error::failed)?,
            cdn_url: self.source.cdn_url().to_owned(),
            revealed_at_block: Block(0),
            round: String::new(),
            extra: Extra::default(),
        };
        Ok([(self.owner(), submission)].into_iter().collect())
    }
}

impl Told {
    fn hear(&mut self, event: FetchEvent) {
        match event {
            FetchEvent::Fetched { stem, took, retries, .. } => {
                self.fetches.insert(stem, TimedFetch { seconds: took.as_secs_f64(), retries });
            }
            FetchEvent::Drawn { stem, took } => drop(self.draw_seconds.insert(stem, took.as_secs_f64())),
            FetchEvent::Settled { .. } | FetchEvent::Broken(_) => {}
        }
    }

    fn settled(&mut self, mark: DownloadMark, spooled: Option<&Spooled>) {
        let file =
            |spooled: &Spooled| ArrivedFile { size: spooled.fetched.size, sha256: spooled.fetched.sha256.clone() };
        self.arrived.extend(spooled.map(|spooled| (mark.stem.clone(), file(spooled))));
        self.known.add(mark);
    }

    fn file(&self, hotkey: &Hotkey, stem: &PromptStem) -> Option<CheckedFile> {
        Some(CheckedFile {
            stem: stem.clone(),
            outcome: self.known.get(hotkey, stem)?.clone(),
            arrived: self.arrived.get(stem).cloned(),
            fetch: self.fetches.get(stem).copied(),
            draw_seconds: self.draw_seconds.get(stem).copied(),
        })
    }
}

impl CheckedFiles {
    /// Writes the previews into a folder, each named by its prompt; returns their paths.
    ///
    /// # Errors
    /// One cannot be written.
    pub(crate) fn write_previews(&self, folder: &Path, dry_run: bool) -> Result<Vec<String>> {
        if !dry_run {
            files::make_folder(folder)?;
        }
        let drawn = self.files.iter().filter(|file| file.outcome.is_complete());
        drawn
            .map(|file| {
                let name = format!("{}.png", file.stem);
                if !dry_run {
                    files::replace_below(folder, Path::new(&name), &self.preview(&file.outcome)?, files::Readers::All)?;
                }
                Ok(folder.join(name).display().to_string())
            })
            .collect()
    }

    fn preview(&self, outcome: &FetchOutcome) -> Result<Vec<u8>> {
        let gone = || Error::failed(format!("{}: a preview is gone", self.store.name()));
        let key = outcome.png().and_then(|png| self.store.key_of(&png.url)).ok_or_else(gone)?;
        self.store.get(&key)?.ok_or_else(gone)
    }

    /// In words: how many files would be stored with a preview, and why the others would not.
    pub(crate) fn says(&self) -> String {
        let ([stored, refused, _], Failed { missing, too_large, other }) = (self.counts(), self.failed());
        let others = [(missing, "missing"), (too_large, "too large"), (other, "failed"), (refused, "refused")];
        let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
        let others = others.collect::<Vec<_>>().join(", ");
        let others = if others.is_empty() { others } else { format!(": {others}") };
        let all = counted(self.files.len(), "file", "files");
        format!("{stored} of {all} would be stored with a preview{others}")
    }

    /// The files that did not arrive, by what their miner can do about it.
    pub(crate) fn failed(&self) -> Failed {
        let count = |is: fn(&CheckedFile) -> bool| self.files.iter().filter(|file| is(file)).count();
        let (missing, too_large) = (count(CheckedFile::is_missing), count(CheckedFile::is_too_large));
        let [_, _, failed] = self.counts();
        Failed { missing, too_large, other: failed.saturating_sub(missing + too_large) }
    }

    /// Files stored with a preview, refused, and failed, the missing ones among them.
    pub(crate) fn counts(&self) -> [usize; 3] {
        let count = |is: fn(&FetchOutcome) -> bool| self.files.iter().filter(|file| is(&file.outcome)).count();
        [
            count(FetchOutcome::is_complete),
            count(|outcome| matches!(outcome, FetchOutcome::Refused { .. })),
            count(|outcome| matches!(outcome, FetchOutcome::Failed { .. })),
        ]
    }

    /// The size of the stored models, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.outcome.model()).map(|model| model.size).sum()
    }
}
