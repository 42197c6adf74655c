//! A run of `audit` or `baseline`: several programs at the same time, each on pods of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};

use super::journal::Running;
use super::modules::Modules;
use super::player;
use crate::base::error::{Error, Result};
use crate::base::semaphore::Semaphore;
use crate::engine::leases::LeaseWatch;
use crate::engine::runs::limits::pods_are_over;
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber, Seed};
use crate::model::source_audit::{SourceAudits, SourceVerdict};
use crate::model::store::Store;
use crate::model::threejs::audits::DuelAuditVerdicts;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::rules::threejs::repeats::Repeats;
use crate::settings::audit::AuditSettings;
use crate::ui::Ui;
use crate::world::pods::batch::{BatchPolicy, BatchPrompt};
use crate::world::pods::lease::Keeper;
use crate::world::pods::{PodName, Provider};
use crate::world::stop::Stop;
use crate::world::usage::Meter;

/// How often the limit of pods' time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How often a wait looks whether the run is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What all programs of a run share.
pub(super) struct RepeatsRun<'a> {
    pub(super) ui: &'a Ui,
    pub(super) stop: Stop,
    pub(super) meter: Meter,
    pub(super) own: PathBuf,
    pub(super) round: RoundNumber,
    pub(super) seed: Seed,
    /// The prompts' images, by stem.
    pub(super) prompts: HashMap<PromptStem, String>,
    pub(super) settings: AuditSettings,
    pub(super) policy: BatchPolicy,
    pub(super) provider: Box<dyn Provider>,
    pub(super) modules: Box<dyn Modules + 'a>,
    pub(super) drawing: Semaphore,
    /// The competition's folder.
    pub(super) store: Store,
    /// The announcement of this step to other hosts, if there is one.
    pub(super) lease: Option<Arc<LeaseWatch>>,
    /// The limit of the round's pod hours.
    pub(super) pod_hours: f64,
    /// Set once that limit is reached.
    pub(super) limited: AtomicBool,
    /// Set once an error ends the run.
    pub(super) broken: AtomicBool,
    pub(super) steps: Mutex<Option<Sender<Step>>>,
}

/// Something that a program's threads tell the run.
pub(super) enum Step {
    /// A batch is finished.
    Batch(Player),
    /// Modules were stored: there may be something to record.
    Saved(Player),
    /// A program's repeats have ended, for now.
    Ended(usize, Result<()>),
}

/// What the caller is to do.
pub(super) enum RepeatsEvent<'a> {
    /// Record what is new.
    Save(&'a Running),
    /// It has ended, with the error that stopped it, if any.
    Ended(&'a Running, Option<Error>),
}

impl RepeatsRun<'_> {
    pub(super) fn is_stopping(&self) -> bool {
        let lost = self.lease.as_ref().is_some_and(|lease| lease.is_lost());
        lost || self.stop.is_wanted() || self.broken.load(Ordering::SeqCst)
    }

    /// Fails if the run is to stop.
    pub(super) fn check(&self) -> Result<()> {
        self.stop.check()?;
        self.lease.as_ref().map_or(Ok(()), |lease| lease.check())?;
        if self.is_stopping() { Err(Error::failed("the run is ending")) } else { Ok(()) }
    }

    /// Waits, unless the run is to stop.
    pub(super) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.is_stopping() {
            std::thread::sleep(LOOK_AGAIN.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// The image of a prompt.
    pub(super) fn prompt(&self, stem: &PromptStem) -> Option<String> {
        self.prompts.get(stem).cloned()
    }

    /// A prompt as a program gets it.
    pub(super) fn batch_prompt(&self, stem: &PromptStem) -> Option<BatchPrompt> {
        Some(BatchPrompt { stem: stem.clone(), image_url: self.prompt(stem)? })
    }

    /// Is this player's program still worth running? Not if its miner has been rejected meanwhile.
    ///
    /// # Errors
    /// The files cannot be read.
    pub(super) fn is_wanted(&self, player: &Player) -> Result<bool> {
        let Player::Miner(hotkey) = player else { return Ok(true) };
        Ok(!self.is_rejected(hotkey)?)
    }

    fn is_rejected(&self, hotkey: &Hotkey) -> Result<bool> {
        let of = |file| ThreejsFile::Round(self.round, file);
        let verdicts: Option<DuelAuditVerdicts> = self.store.load(&of(ThreejsRoundFile::GenerationAudits))?;
        let sources: Option<SourceAudits> = self.store.load(&of(ThreejsRoundFile::SourceAudit))?;
        let verdict = verdicts.as_ref().and_then(|verdicts| verdicts.get(hotkey)).map(|verdict| verdict.verdict);
        let source = sources.iter().flatten().find(|source| source.hotkey == *hotkey).map(|source| source.verdict);
        Ok([verdict, source].contains(&Some(SourceVerdict::Failed)))
    }

    pub(super) fn tell_batch(&self, running: &Running) {
        self.tell(Step::Batch(running.job.player.clone()));
    }

    pub(super) fn tell_saved(&self, running: &Running) {
        self.tell(Step::Saved(running.job.player.clone()));
    }

    fn tell(&self, step: Step) {
        if let Some(steps) = self.steps.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // Cannot fail: the receiver outlives all programs.
            let _ = steps.send(step);
        }
    }

    /// Runs the programs, several at the same time. `seen` is called on the calling thread.
    ///
    /// # Errors
    /// `seen` failed, pods of an earlier run cannot be released, or the limit of pods' time is reached.
    pub(super) fn run(&self, all: &[Running], mut seen: impl FnMut(RepeatsEvent<'_>) -> Result<()>) -> Result<()> {
        let report = |error: &Error| self.ui.error_line(&error.to_string());
        let keeper = Keeper::new(self.provider.as_ref(), &self.own, &report).metered(&self.meter);
        let go_on: Vec<PodName> = all.iter().filter_map(player::pod_left).collect();
        for name in keeper.sweep_notes(&go_on)? {
            self.ui.status(&format!("released pod {name}, left by an earlier run"));
        }
        let open = |running: &Running| running.look(Repeats::counts_of_batches);
        let (done, batches) = all.iter().map(open).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let bar = self.ui.bar("batches", batches.saturating_sub(done) as u64);
        let (tell, heard) = unbounded();
        *self.steps.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
        let next = AtomicUsize::new(0);
        let mut failed = None;
        std::thread::scope(|scope| {
            for _ in 0..self.settings.miners.min(all.len()) {
                scope.spawn(|| self.work(all, &next));
            }
            // `self.steps` keeps a sender alive, so the channel never disconnects: count the programs that ended.
            let mut left = all.len();
            while left > 0 {
                self.watch_the_limit();
                let step = match heard.recv_timeout(LOOK_EVERY) {
                    Ok(step) => step,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                let of = |player: &Player| all.iter().find(|running| running.job.player == *player);
                let done = match step {
                    Step::Batch(player) => {
                        bar.advance(1);
                        self.ui.detail(&format!("{player}: a batch is done"));
                        Ok(())
                    }
                    Step::Saved(player) => of(&player).map_or(Ok(()), |running| seen(RepeatsEvent::Save(running))),
                    Step::Ended(place, ended) => {
                        left -= 1;
                        all.get(place).map_or(Ok(()), |running| seen(RepeatsEvent::Ended(running, ended.err())))
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

    /// Works on one program after the other.
    fn work(&self, all: &[Running], next: &AtomicUsize) {
        loop {
            let place = next.fetch_add(1, Ordering::SeqCst);
            let Some(running) = all.get(place) else { return };
            let ended = self.check().and_then(|()| {
                let run = std::panic::AssertUnwindSafe(|| player::run(self, running));
                let broke = |_| Err(Error::failed("a worker thread panicked: this is a bug in gen404"));
                std::panic::catch_unwind(run).unwrap_or_else(broke)
            });
            self.tell(Step::Ended(place, ended));
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
}
