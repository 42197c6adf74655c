//! Regeneration's settings, and what it keeps in the operator's own folder: a journal of each
//! player's marks, answers that have arrived and are not stored yet, the prompts' images.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::Result;
use crate::files;
use crate::rules::regeneration::pods::PodRule;
use crate::rules::regeneration::{Effort, Mark};
use crate::state::ids::{Player, PromptStem, RoundNumber};
use crate::world::jsonl::JsonlJournal;

/// `[audit]` of `gen404.toml`: how outputs are made again.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// Miners at the same time.
    pub miners: usize,
    /// Pods at the same time, for each of them.
    pub pods: usize,
    /// Of these, before one of them has become ready.
    pub first_pods: usize,
    /// Pods for each miner in all, in one run.
    pub most_pods: usize,
    /// Seconds between the orders of two pods.
    pub order_seconds: f64,
    /// Seconds until a pod can be reached.
    pub start_seconds: f64,
    /// Seconds from then until its program is ready.
    pub ready_seconds: f64,
    /// Seconds between two looks at a pod that is not ready.
    pub poll_seconds: f64,
    /// Seconds that a program which was lost has to come back.
    pub recover_seconds: f64,
    /// Seconds for a provider without capacity to get some.
    pub capacity_seconds: f64,
    /// Attempts for each prompt, over all pods.
    pub attempts: u32,
    /// Answers of one pod that are on their way or in work at the same time.
    pub bodies: usize,
    /// Threads that draw previews; 0: one a core.
    pub workers: usize,
    /// Failures and generations over time that end a pod.
    pub pod_failures: usize,
    /// Prompts before a pod is judged, and times that are looked at.
    pub pod_window: usize,
    /// Seconds: the median of these times from which on a pod is too slow.
    pub pod_median_seconds: f64,
    /// Prompts between two writes of the files.
    pub save_every: usize,
}

impl Default for AuditSettings {
    fn default() -> Self {
        let PodRule { failures, window, median_seconds } = PodRule::default();
        AuditSettings {
            miners: 4,
            pods: 4,
            first_pods: 2,
            most_pods: 6,
            order_seconds: 30.0,
            start_seconds: 1800.0,
            ready_seconds: 3600.0,
            poll_seconds: 30.0,
            recover_seconds: 300.0,
            capacity_seconds: 1800.0,
            attempts: Effort::default().attempts,
            bodies: 4,
            workers: 0,
            pod_failures: failures,
            pod_window: window,
            pod_median_seconds: median_seconds,
            save_every: 12,
        }
    }
}

impl AuditSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> std::result::Result<(), String> {
        for (name, value) in [
            ("order_seconds", self.order_seconds),
            ("start_seconds", self.start_seconds),
            ("ready_seconds", self.ready_seconds),
            ("poll_seconds", self.poll_seconds),
            ("recover_seconds", self.recover_seconds),
            ("capacity_seconds", self.capacity_seconds),
            ("pod_median_seconds", self.pod_median_seconds),
        ] {
            if !(0.0..=86_400.0).contains(&value) {
                return Err(format!("audit.{name} is {value}: seconds up to a day are needed"));
            }
        }
        for (name, value) in [
            ("miners", self.miners),
            ("pods", self.pods),
            ("first_pods", self.first_pods),
            ("most_pods", self.most_pods),
            ("bodies", self.bodies),
            ("attempts", self.attempts as usize),
            ("pod_failures", self.pod_failures),
            ("pod_window", self.pod_window),
            ("save_every", self.save_every),
        ] {
            if !(1..=1024).contains(&value) {
                return Err(format!("audit.{name} is {value}: a number from 1 to 1024 is needed"));
            }
        }
        if self.workers > 256 {
            return Err(format!("audit.workers is {}: 0 to 256 are possible", self.workers));
        }
        Ok(())
    }

    /// What the rules need of them.
    #[must_use]
    pub fn effort(&self) -> Effort {
        let (failures, window, median_seconds) = (self.pod_failures, self.pod_window, self.pod_median_seconds);
        Effort { attempts: self.attempts, pods: PodRule { failures, window, median_seconds } }
    }

    /// Threads that draw previews.
    #[must_use]
    pub fn drawers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            given => given,
        }
    }

    /// A time of these settings.
    #[must_use]
    pub fn time(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

/// What to do about a journal with a broken line.
const START_OVER: &str = "remove the file to make everything again";

/// A player's folder in the operator's own one.
#[derive(Debug, Clone)]
pub struct AuditWorkdir {
    own: PathBuf,
    folder: PathBuf,
}

impl AuditWorkdir {
    /// The folder of this player in this round.
    #[must_use]
    pub fn new(own: &Path, round: RoundNumber, player: &Player) -> Self {
        AuditWorkdir { own: own.to_owned(), folder: folder(round).join(player.as_str()) }
    }

    /// Where the image of a prompt is kept for a round, below the operator's own folder.
    #[must_use]
    pub fn prompt(round: RoundNumber, stem: &PromptStem) -> PathBuf {
        folder(round).join("prompts").join(stem.as_str())
    }

    /// Where the answer to an attempt is, or goes.
    #[must_use]
    pub fn answer(&self, number: u32) -> PathBuf {
        self.own.join(&self.folder).join("answers").join(format!("{number}.glb"))
    }

    /// Opens the journal to append to it; gives what it says so far. A last line that was cut off is
    /// left out. Answers that no mark speaks of are removed.
    ///
    /// # Errors
    /// The folder cannot be used, or a line before the last is broken.
    pub fn open(&self) -> Result<(JsonlJournal, Vec<Mark>)> {
        files::folder_below(&self.own, &self.folder.join("answers"))?;
        JsonlJournal::open(&self.own, &self.path(), START_OVER)
    }

    /// What the journal says; nothing where there is none.
    ///
    /// # Errors
    /// As [`AuditWorkdir::open`].
    pub fn read(&self) -> Result<Vec<Mark>> {
        JsonlJournal::read(&self.own, &self.path(), START_OVER)
    }

    /// Removes answers of which nothing more is wanted.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn clear(&self, wanted: &[u32]) -> Result<()> {
        let wanted: HashSet<PathBuf> = wanted.iter().map(|number| self.answer(*number)).collect();
        for entry in files::list(&files::below(&self.own, &self.folder.join("answers"))?)? {
            if !wanted.contains(&entry.path()) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }
}

/// The folder of a round, below the operator's own one.
fn folder(round: RoundNumber) -> PathBuf {
    Path::new("audit").join(format!("round-{round}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_journal_that_was_cut_off_goes_on_with_whole_lines() {
        let own = tempfile::tempdir().unwrap();
        let workdir = AuditWorkdir::new(own.path(), RoundNumber(1), &Player::Leader);
        assert!(workdir.read().unwrap().is_empty());
        let pod = |n: u8| Mark::Pod { pod: format!("docker-{n}") };
        let (mut journal, marks) = workdir.open().unwrap();
        assert!(marks.is_empty());
        journal.append(&pod(1)).unwrap();
        journal.append(&pod(2)).unwrap();
        let bytes = fs::read(own.path().join(workdir.path())).unwrap();
        fs::write(own.path().join(workdir.path()), &bytes[..bytes.len() - 3]).unwrap();
        assert_eq!(workdir.read().unwrap(), [pod(1)]);
        fs::write(workdir.answer(7), b"x").unwrap();
        fs::write(workdir.answer(8), b"x").unwrap();
        let (mut journal, marks) = workdir.open().unwrap();
        assert_eq!(marks, [pod(1)]);
        journal.append(&pod(2)).unwrap();
        assert_eq!(fs::read(own.path().join(workdir.path())).unwrap(), bytes);
        workdir.clear(&[8]).unwrap();
        assert!(workdir.answer(8).exists() && !workdir.answer(7).exists());
        fs::write(own.path().join(workdir.path()), "{}\n").unwrap();
        assert!(workdir.open().unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn the_defaults_make_sense_and_others_are_refused() {
        let settings = AuditSettings::default();
        assert_eq!((settings.check(), settings.effort()), (Ok(()), Effort::default()));
        assert!(AuditSettings { poll_seconds: f64::NAN, ..settings }.check().is_err());
        assert!(AuditSettings { bodies: 0, ..settings }.check().is_err());
    }
}
