use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::modules::Modules;
use super::stand_in::{Manner, StandInPod};
use super::*;
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber, Seed};
use crate::model::store::Store;
use crate::model::threejs::pod_stats::PodRunEntry;
use crate::model::threejs::reports::{RepeatedReport, ReportOutcome};
use crate::rules::threejs::repeats::Repeats;
use crate::rules::threejs::repeats::marks::StoredModule;
use crate::settings::audit::{AuditSettings, BatchSettings};
use crate::ui::{Ui, Verbosity};
use crate::world::pods::endpoint::{EndpointProvider, EndpointSettings};
use crate::world::pods::{Hardware, Provider};
use crate::world::stop::Stop;
use crate::world::usage::Meter;

pub(super) const ROUND: RoundNumber = RoundNumber(2);

pub(super) const IMAGE: &str = "a/b:c";

pub(super) fn miner() -> Hotkey {
    Hotkey::from_account(&[1; 32])
}

/// A store that fails after so many modules.
struct FakeModules {
    left: AtomicUsize,
}

impl Modules for FakeModules {
    fn put(
        &self,
        player: &Player,
        folder: &str,
        (stem, prompt): (&PromptStem, &str),
        source: &[u8],
        _: &Stop,
    ) -> Result<StoredModule> {
        assert!(prompt.contains(stem.as_str()) && source.starts_with(b"export default"));
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(Error::outside("the store is full"));
        }
        let js = format!("https://s.example/{player}/{folder}/{stem}.js");
        let views = Some(format!("https://s.example/{player}/{folder}/{stem}"));
        Ok(StoredModule { js, views, size: source.len() as u64, sums: Vec::new() })
    }
}

fn settings() -> AuditSettings {
    let batch = BatchSettings {
        warm_up_seconds: 5.0,
        seconds: 20.0,
        poll_seconds: 0.001,
        misses: 3,
        attempts: 2,
        pause_seconds: 0.001,
    };
    AuditSettings { poll_seconds: 0.001, order_seconds: 0.001, start_seconds: 5.0, batch, ..AuditSettings::default() }
}

pub(super) struct Bench {
    pub(super) own: tempfile::TempDir,
    pub(super) folder: tempfile::TempDir,
    prompts: usize,
    pub(super) settings: AuditSettings,
    /// Modules that the store takes.
    room: usize,
    /// Are times taken from the program's answers?
    pub(super) reported_times: bool,
}

impl Bench {
    pub(super) fn of(prompts: usize) -> Bench {
        let (own, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Bench { own, folder, prompts, settings: settings(), room: usize::MAX, reported_times: true }
    }

    pub(super) fn stems(&self) -> Vec<PromptStem> {
        (0..self.prompts).map(|at| format!("p{at:03}").parse().unwrap()).collect()
    }

    /// Runs a program's two repeats on this pod, as far as possible.
    fn run(&self, pod: &StandInPod) -> (Running, Option<Error>) {
        self.run_at(&pod.url)
    }

    fn run_at(&self, url: &str) -> (Running, Option<Error>) {
        let settings = EndpointSettings { url: Some(url.to_owned()), at_once: 1 };
        self.run_with(Box::new(EndpointProvider::new(&settings).unwrap()))
    }

    pub(super) fn run_with(&self, provider: Box<dyn Provider>) -> (Running, Option<Error>) {
        let ui = Ui::new(Verbosity::Quiet, false, true);
        let batch = self.settings.batch;
        let run = RepeatsRun {
            ui: &ui,
            stop: Stop::default(),
            meter: Meter::default(),
            own: self.own.path().to_owned(),
            round: ROUND,
            seed: Seed(7),
            prompts: self
                .stems()
                .into_iter()
                .map(|stem| (stem.clone(), format!("https://p.example/{stem}.png")))
                .collect(),
            settings: self.settings,
            policy: BatchPolicy {
                attempts: batch.attempts,
                pause: Duration::from_millis(1),
                reported_times: self.reported_times,
                ..BatchPolicy::default()
            },
            provider,
            modules: Box::new(FakeModules { left: AtomicUsize::new(self.room) }),
            drawing: Semaphore::new(2),
            store: Store::open(self.folder.path()).unwrap(),
            lease: None,
            pod_hours: 0.0,
            limited: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            steps: Mutex::new(None),
        };
        let player = Player::Miner(miner());
        let job =
            RepeatsJob { player: player.clone(), image: IMAGE.to_owned(), hardware: Hardware::FourH200, retry: false };
        let submitted: HashSet<PromptStem> = self.stems().into_iter().collect();
        let repeats = Repeats::new(self.stems(), Purpose::Audit { hotkey: miner(), submitted }, 2);
        let folder = RepeatsFolder::new(&run.own, ROUND, &player);
        let running = [Running::open(folder, job, run.seed, repeats).unwrap()];
        let mut stopped = None;
        let ended = run.run(&running, |event| {
            if let RepeatsEvent::Ended(_, error) = event {
                stopped = error;
            }
            Ok(())
        });
        ended.unwrap();
        let [running] = running;
        (running, stopped)
    }
}

pub(super) fn whole_report(repeats: &Repeats) -> Option<RepeatedReport> {
    repeats.report(u32::MAX)
}

pub(super) fn report(running: &Running) -> RepeatedReport {
    running.look(whole_report).unwrap()
}

/// Pods, with how their work on a repeat ended.
fn ends(running: &Running) -> Vec<(String, String)> {
    let stats = running.look(|repeats| repeats.stats(u32::MAX));
    let end = |(key, entry): (&String, &PodRunEntry)| match entry {
        PodRunEntry::Run(run) => (key.clone(), run.termination_reason.clone()),
        PodRunEntry::Other(_) => panic!(),
    };
    stats.iter().map(end).collect()
}

pub(super) fn pod_name() -> String {
    format!("miner-02-{}-0", miner().as_str()[..10].to_lowercase())
}

#[test]
fn a_program_runs_as_often_as_it_takes() {
    let (bench, pod) = (Bench::of(40), StandInPod::start(vec![Manner::Fine("p03"), Manner::Fine("-"), Manner::Odd]));
    let (running, stopped) = bench.run(&pod);
    assert!(stopped.is_none());
    let sizes: Vec<usize> = pod.log().begun.iter().map(Vec::len).collect();
    assert_eq!(sizes, [32, 8, 32, 8]);
    let report = report(&running);
    assert_eq!((report.outcome, report.reason.as_str()), (ReportOutcome::Completed, ""));
    assert_eq!((report.repeats[0].failed_prompts, report.repeats[0].generation_time), (2, Some(201.0)));
    assert_eq!(report.repeats[1].failed_prompts, 1, "a stem that failed has failed, whatever else is there");
    let completed = |run: u32| (format!("{}-r{run}", pod_name()), "completed".to_owned());
    assert_eq!(ends(&running), [completed(1), completed(2)]);
    let generated = running.look(|repeats| repeats.generated(1));
    assert_eq!(generated.len(), 40);
    assert_eq!(
        generated.get_index(0).unwrap().1.js.as_deref(),
        Some(&*format!("https://s.example/{}/generated_1/p000.js", miner()))
    );
    assert_eq!(generated.get_index(31).unwrap().1.failure_reason.as_deref(), Some("it is too hard"));
    assert!(pod.log().remaining.iter().all(|remaining| *remaining == 3));
    assert!(kept(bench.own.path()).is_empty(), "nothing is kept of what is stored");
}

/// The batches that are kept on disk.
fn kept(own: &Path) -> Vec<String> {
    let folder = own.join(format!("audit/round-2/{}/batches", miner()));
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_finished_is_never_made_again() {
    let mut bench = Bench::of(40);
    bench.room = 35;
    let pod = StandInPod::start(Vec::new());
    let (running, stopped) = bench.run(&pod);
    assert!(stopped.unwrap().to_string().contains("the store is full"));
    assert_eq!((running.look(whole_report), pod.log().begun.len()), (None, 4));
    assert_eq!(kept(bench.own.path()), ["1-1.zip", "2-0.zip", "2-1.zip"]);
    drop(running);
    bench.room = usize::MAX;
    // Gone with a disk, say.
    fs::remove_file(bench.own.path().join(format!("audit/round-2/{}/batches/2-0.zip", miner()))).unwrap();
    let (running, stopped) = bench.run(&pod);
    assert!(stopped.is_none());
    assert_eq!(pod.log().begun.len(), 5, "only what was lost is made again");
    assert_eq!(report(&running).outcome, ReportOutcome::Completed);
    let (_, stopped) = bench.run(&pod);
    assert!(stopped.is_none());
    assert_eq!(pod.log().begun.len(), 5);
}

#[test]
fn a_pod_that_fails_is_replaced_and_its_batch_made_again() {
    let bomb = {
        let mut archive = gen404_zip::stored(&[("p000.js", b"")]).unwrap();
        let at = archive.len() - 22 - 46 - 7 + 24;
        archive[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        archive
    };
    for (manner, end) in [
        (Manner::Replace(json!({"why": "a broken GPU"})), "requested"),
        (Manner::Silent, "unreachable"),
        (Manner::Archive(b"not a zip".to_vec()), "download_failed"),
        (Manner::Archive(bomb), "download_failed"),
        (Manner::Archive(gen404_zip::stored(&[("readme", b"")]).unwrap()), "download_failed"),
        (Manner::Refused, "submission_failed"),
    ] {
        let (mut bench, pod) = (Bench::of(8), StandInPod::start(vec![manner.clone()]));
        if manner == Manner::Silent {
            bench.settings.batch.warm_up_seconds = 0.05;
        }
        let (running, stopped) = bench.run(&pod);
        if manner == Manner::Silent {
            // The address is the same for the next pod, which stays silent.
            assert_eq!(report(&running).outcome, ReportOutcome::Completed, "8 prompts may fail");
            assert_eq!(report(&running).repeats[0].generation_time, None);
            continue;
        }
        assert!(stopped.is_none());
        let ends = ends(&running);
        // The same address is the same pod in the files: its last word counts.
        assert_eq!(ends[0].1, "completed", "{manner:?}");
        assert_eq!(running.look(Repeats::replacements_remaining), 2, "{manner:?} {end}");
        assert_eq!(report(&running).outcome, ReportOutcome::Completed);
    }
}

#[test]
fn a_busy_program_is_given_time() {
    for manner in [Manner::Busy(3), Manner::Forgets, Manner::Hasty] {
        let (bench, pod) = (Bench::of(8), StandInPod::start(vec![manner.clone()]));
        let (running, stopped) = bench.run(&pod);
        assert!(stopped.is_none());
        assert_eq!(running.look(Repeats::replacements_remaining), 3, "{manner:?}");
        assert_eq!(report(&running).outcome, ReportOutcome::Completed);
    }
}

#[test]
fn a_batch_may_not_take_for_ever() {
    let mut bench = Bench::of(40);
    bench.settings.batch.seconds = 0.2;
    let pod = StandInPod::start(vec![Manner::Slow]);
    let (running, stopped) = bench.run(&pod);
    assert!(stopped.is_none());
    assert_eq!(running.look(Repeats::replacements_remaining), 0);
    let reason = "Repeat 1: 40 failed prompts exceed tolerance (12); Repeat 2: 40 failed prompts exceed tolerance (12)";
    assert_eq!((report(&running).outcome, report(&running).reason.as_str()), (ReportOutcome::Rejected, reason));
    assert_eq!(ends(&running)[0].1, "batch_time_limit");
}

#[test]
fn a_program_that_never_starts_is_rejected() {
    let mut bench = Bench::of(8);
    bench.settings.batch.warm_up_seconds = 0.1;
    let pod = StandInPod::warming_up();
    let (running, stopped) = bench.run(&pod);
    assert!(stopped.is_none());
    let report = report(&running);
    assert_eq!((report.outcome, report.reason.as_str()), (ReportOutcome::Rejected, "Failed to deploy a docker image"));
    // An address of the operator's at which nothing is says nothing of the program.
    let bench = Bench { settings: bench.settings, ..Bench::of(8) };
    let (running, stopped) = bench.run_at("http://127.0.0.1:9");
    assert!(stopped.unwrap().hints()[0].contains("start the program there"));
    assert_eq!(running.look(whole_report), None);
}

#[test]
fn a_miner_that_is_rejected_meanwhile_runs_no_more() {
    let bench = Bench::of(8);
    let round = bench.folder.path().join("rounds/2");
    fs::create_dir_all(&round).unwrap();
    let read = json!([{"hotkey": miner(), "verdict": "failed", "reason": "x"}]);
    fs::write(round.join("source_audit.json"), read.to_string()).unwrap();
    let pod = StandInPod::start(Vec::new());
    let (running, stopped) = bench.run(&pod);
    assert!(stopped.is_none());
    assert_eq!((running.look(whole_report), pod.log().begun.len()), (None, 0));
}
