//! A run after one that was killed, with pods that outlive it.

use std::fs;
use std::sync::MutexGuard;

use serde_json::json;

use super::stand_in::StandInPod;
use super::tests::{Bench, IMAGE, ROUND, miner, pod_name, report};
use super::*;
use crate::base::files;
use crate::model::ids::{Player, PromptStem, Seed};
use crate::model::threejs::reports::ReportOutcome;
use crate::rules::threejs::repeats::marks::RepeatMark;
use crate::world::pods::batch::{BatchProgram, BatchPrompt};
use crate::world::pods::{Deployed, Endpoint, Listed, PodId, PodOrder, PodState, Provider};

/// A provider whose pods outlive a run that is killed: each is the program at one address.
#[derive(Debug, Clone, Default)]
struct RentedPods {
    url: String,
    names: Arc<Mutex<Vec<String>>>,
    /// What was asked, in order: `+name` for an order, `-name` for a release.
    log: Arc<Mutex<Vec<String>>>,
}

impl RentedPods {
    fn names(&self) -> MutexGuard<'_, Vec<String>> {
        self.names.lock().unwrap()
    }
}

impl Provider for RentedPods {
    fn name(&self) -> &'static str {
        "rented"
    }
    fn deploy(&self, order: &PodOrder) -> Result<Deployed> {
        self.names().push(order.name.to_string());
        self.log.lock().unwrap().push(format!("+{}", order.name));
        Ok(Deployed::Pod(PodId(order.name.to_string())))
    }
    fn look(&self, pod: &PodId) -> Result<PodState> {
        Ok(match self.names().contains(&pod.0) {
            true => PodState::Reachable(Endpoint { url: self.url.clone(), key: None }),
            false => PodState::Failed("it is gone".to_owned()),
        })
    }
    fn release(&self, pod: &PodId) -> Result<()> {
        self.names().retain(|name| *name != pod.0);
        self.log.lock().unwrap().push(format!("-{}", pod.0));
        Ok(())
    }
    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let listed = |name: &String| Listed { id: PodId(name.clone()), name: name.clone() };
        Ok(self.names().iter().filter(|name| name.starts_with(prefix)).map(listed).collect())
    }
}

impl Bench {
    /// What a run leaves that is killed while its pod works on the first batch, after 1000 seconds of it.
    fn leave(&self, pods: &RentedPods) {
        let name = pod_name();
        let note = std::path::Path::new("pods").join(&name);
        files::write_below(self.own.path(), &note, pods.name().as_bytes(), files::Readers::Own).unwrap();
        pods.names().push(name.clone());
        let program = BatchProgram::new(Endpoint { url: pods.url.clone(), key: None }, BatchPolicy::default());
        let prompt = |stem: PromptStem| BatchPrompt { image_url: format!("https://p.example/{stem}.png"), stem };
        let prompts: Vec<BatchPrompt> = self.stems().into_iter().take(32).map(prompt).collect();
        program.submit(&prompts, Seed(7)).unwrap();
        let (mut journal, _) = RepeatsFolder::new(self.own.path(), ROUND, &Player::Miner(miner())).open().unwrap();
        for mark in [
            RepeatMark::Begun { image: IMAGE.to_owned(), seed: Seed(7) },
            RepeatMark::Pod { pod: name.clone(), provider: pods.name().to_owned() },
            RepeatMark::AtWork { repeat: 1, batch: 0, pod: name, seconds: 1000.0 },
        ] {
            journal.append(&mark).unwrap();
        }
    }

    /// What is noted of pods.
    fn noted(&self) -> usize {
        fs::read_dir(self.own.path().join("pods")).unwrap().count()
    }
}

#[test]
fn a_run_after_a_kill_goes_on_with_the_pod_and_the_batch_that_it_has() {
    let mut bench = Bench::of(40);
    bench.reported_times = false;
    bench.settings.batch.seconds = 3600.0;
    let pod = StandInPod::start(Vec::new());
    let pods = RentedPods { url: pod.url.clone(), ..RentedPods::default() };
    bench.leave(&pods);
    let (running, stopped) = bench.run_with(Box::new(pods.clone()));
    assert!(stopped.is_none());
    assert_eq!(*pods.log.lock().unwrap(), [format!("-{}", pod_name())], "no other pod is ordered");
    assert_eq!((pod.log().begun.len(), pods.names().len(), bench.noted()), (4, 0, 0), "no batch is made twice");
    let report = report(&running);
    let seconds = report.repeats[0].generation_time.unwrap();
    assert!((1000.0..1020.0).contains(&seconds), "{seconds}: what was seen of it before the kill counts");
    assert!(report.repeats[1].generation_time.unwrap() < 20.0);
    assert_eq!((report.outcome, running.look(Repeats::replacements_remaining)), (ReportOutcome::Completed, 3));
}

#[test]
fn a_pod_that_is_gone_after_a_kill_is_held_against_nobody() {
    let bench = Bench::of(40);
    let pod = StandInPod::start(Vec::new());
    let pods = RentedPods { url: pod.url.clone(), ..RentedPods::default() };
    bench.leave(&pods);
    pods.names().clear();
    let (running, stopped) = bench.run_with(Box::new(pods.clone()));
    assert!(stopped.is_none());
    let second = format!("{}1", pod_name().strip_suffix('0').unwrap());
    assert_eq!(*pods.log.lock().unwrap(), [format!("+{second}"), format!("-{second}")]);
    assert_eq!((report(&running).outcome, bench.noted()), (ReportOutcome::Completed, 0));
    assert_eq!(running.look(Repeats::replacements_remaining), 3);
}

#[test]
fn a_pod_is_released_after_a_kill_if_its_miner_was_rejected_meanwhile() {
    let bench = Bench::of(8);
    let pod = StandInPod::start(Vec::new());
    let pods = RentedPods { url: pod.url.clone(), ..RentedPods::default() };
    bench.leave(&pods);
    let read = json!([{"hotkey": miner(), "verdict": "failed", "reason": "x"}]).to_string();
    let file = std::path::Path::new("rounds/2/source_audit.json");
    files::write_below(bench.folder.path(), file, read.as_bytes(), files::Readers::All).unwrap();
    let (_, stopped) = bench.run_with(Box::new(pods.clone()));
    assert!(stopped.is_none());
    assert_eq!((pods.names().len(), bench.noted(), pod.log().begun.len()), (0, 0, 1));
}
