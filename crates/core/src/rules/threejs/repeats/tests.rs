use std::collections::BTreeMap as Files;

use super::record::saved;
use super::*;
use crate::base::error::Result;
use crate::model::ids::{Player, RoundNumber};
use crate::model::snapshot::Source;
use crate::model::threejs::pod_stats::PodRunEntry;
use crate::model::threejs::reports::ReportOutcome;
use crate::model::threejs::snapshot::ThreejsSnapshot;

const HOTKEY: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const REPEATS: u32 = 2;

/// Through the last repeat.
const ALL: u32 = u32::MAX;

fn stems(count: usize) -> Vec<PromptStem> {
    (0..count).map(|at| format!("p{at:03}").parse().unwrap()).collect()
}

fn repeats(count: usize) -> Repeats {
    let stems = stems(count);
    let purpose = Purpose::Audit { hotkey: HOTKEY.parse().unwrap(), submitted: stems.iter().cloned().collect() };
    let mut repeats = Repeats::new(stems, purpose, REPEATS);
    repeats.take(RepeatMark::Begun { image: "a".to_owned(), seed: Seed(1) });
    repeats
}

fn ordered(repeats: &mut Repeats) -> String {
    let pod = repeats.next_pod("miner-02-5grwvaef5z-", "runpod");
    repeats.take(RepeatMark::Pod { pod: pod.clone(), provider: "runpod".to_owned() });
    pod
}

/// Finishes the next batch; the first `failed` of its prompts fail.
fn finish(repeats: &mut Repeats, pod: &str, seconds: f64, failed: usize) {
    let Work::Batch { repeat, batch, stems } = repeats.work() else { panic!("nothing to do") };
    let answer = |(at, stem): (usize, PromptStem)| {
        (stem, if at < failed { Answered::Failed("no".to_owned()) } else { Answered::Module })
    };
    let answers: Vec<_> = stems.into_iter().enumerate().map(answer).collect();
    repeats.take(RepeatMark::Batch { repeat, batch, pod: pod.to_owned(), seconds, answers });
}

fn store(repeats: &mut Repeats) {
    for (repeat, _, stems) in repeats.unstored() {
        for stem in stems {
            let module = StoredModule {
                js: format!("u/{repeat}/{stem}.js"),
                views: Some("v".to_owned()),
                size: 5,
                sums: Vec::new(),
            };
            repeats.take(RepeatMark::Stored { repeat, stem, module });
        }
    }
}

/// Is nothing left to do?
fn is_over(repeats: &Repeats) -> bool {
    repeats.unstored().is_empty() && (repeats.work() == Work::Nothing || !repeats.may_order())
}

fn swap(repeats: &mut Repeats, pod: &str, end: PodEnd) {
    let Work::Batch { repeat, .. } = repeats.work() else { panic!("nothing to do") };
    repeats.take(RepeatMark::PodEnded { repeat, pod: pod.to_owned(), end, payload: None });
}

#[test]
fn a_program_makes_batch_after_batch_and_repeat_after_repeat() {
    let mut repeats = repeats(70);
    let pod = ordered(&mut repeats);
    assert_eq!(pod, "miner-02-5grwvaef5z-0");
    let mut sizes = Vec::new();
    while let Work::Batch { repeat, batch, stems } = repeats.work() {
        sizes.push((repeat, batch, stems.len()));
        finish(&mut repeats, &pod, 100.0, usize::from(batch == 2));
    }
    assert_eq!(sizes, [(1, 0, 32), (1, 1, 32), (1, 2, 6), (2, 0, 32), (2, 1, 32), (2, 2, 6)]);
    assert_eq!(
        (repeats.report(ALL), repeats.recordable(ALL), is_over(&repeats)),
        (None, vec![], false),
        "nothing is stored"
    );
    store(&mut repeats);
    let report = repeats.report(ALL).unwrap();
    assert_eq!((report.outcome, report.reason.as_str(), report.repeats.len()), (ReportOutcome::Completed, "", 2));
    assert_eq!((report.repeats[0].generated_prompts, report.repeats[0].failed_prompts), (69, 1));
    assert_eq!(report.repeats[1].generation_time, Some(300.0));
    assert!(crate::rules::threejs::reports::objections(&report, REPEATS).is_empty());
    let generated = repeats.generated(1);
    assert_eq!(generated.keys().cloned().collect::<Vec<_>>(), stems(70));
    assert_eq!(generated.get_index(64).unwrap().1.failure_reason.as_deref(), Some("no"));
    let stats = repeats.stats(ALL);
    assert_eq!(stats.keys().collect::<Vec<_>>(), [&format!("{pod}-r1"), &format!("{pod}-r2")]);
    assert!(is_over(&repeats));
}

#[test]
fn a_repeat_is_reported_before_the_next_is_done() {
    let mut repeats = repeats(10);
    let pod = ordered(&mut repeats);
    finish(&mut repeats, &pod, 1.0, 0);
    store(&mut repeats);
    let report = repeats.report(ALL).unwrap();
    assert_eq!((report.outcome, report.repeats.len(), repeats.recordable(ALL)), (ReportOutcome::Pending, 1, vec![1]));
    assert!(!is_over(&repeats));
}

#[test]
fn too_many_failures_end_the_repeats_at_once() {
    let mut repeats = repeats(70);
    let pod = ordered(&mut repeats);
    finish(&mut repeats, &pod, 1.0, 12);
    assert_ne!(repeats.work(), Work::Nothing);
    finish(&mut repeats, &pod, 1.0, 1);
    assert_eq!(repeats.work(), Work::Nothing);
    store(&mut repeats);
    let report = repeats.report(ALL).unwrap();
    assert_eq!(report.reason, "Repeat 1: 19 failed prompts exceed tolerance (12)", "6 have no answer");
    assert_eq!(report.outcome, ReportOutcome::Rejected);
    assert!(is_over(&repeats));
}

#[test]
fn a_repeat_that_takes_too_long_is_cut_off() {
    let mut repeats = repeats(70);
    let pod = ordered(&mut repeats);
    finish(&mut repeats, &pod, 7000.0, 0);
    assert_eq!(repeats.seconds_left(1), Some(200.0));
    repeats.take(RepeatMark::Overtime { repeat: 1, pod: pod.clone(), seconds: 200.5 });
    repeats.take(RepeatMark::PodEnded { repeat: 1, pod, end: PodEnd::BatchTimeLimit, payload: None });
    assert_eq!((repeats.work(), repeats.replacements_remaining()), (Work::Nothing, REPLACEMENTS));
    store(&mut repeats);
    let report = repeats.report(ALL).unwrap();
    let reason = "Repeat 1: time (7200.5s) exceeds limit (7200.0s); Repeat 1: 38 failed prompts exceed tolerance (12)";
    assert_eq!(report.reason, reason);
    let stats = repeats.stats(ALL);
    let Some((_, PodRunEntry::Run(run))) = stats.first() else { panic!() };
    assert_eq!((run.termination_reason.as_str(), run.total_generation_time), ("batch_time_limit", 7200.5));
    assert!(crate::rules::threejs::reports::objections(&report, REPEATS).is_empty());
}

#[test]
fn two_first_deploys_and_three_replacements_are_all() {
    let mut never = repeats(10);
    for remaining in [true, false] {
        let pod = ordered(&mut never);
        never.take(RepeatMark::NeverReady { pod, reason: "?".to_owned() });
        assert_eq!(never.may_order(), remaining);
    }
    let report = never.report(ALL).unwrap();
    assert_eq!((report.outcome, report.reason.as_str()), (ReportOutcome::Rejected, "Failed to deploy a docker image"));
    assert!(report.repeats.is_empty() && never.stats(ALL).is_empty() && is_over(&never));

    let mut repeats = repeats(40);
    let first = ordered(&mut repeats);
    repeats.take(RepeatMark::NeverReady { pod: first, reason: "?".to_owned() });
    let pod = ordered(&mut repeats);
    finish(&mut repeats, &pod, 10.0, 0);
    store(&mut repeats);
    assert_eq!(repeats.replacements_remaining(), 3, "the first deploys cost none");
    swap(&mut repeats, &pod, PodEnd::Requested);
    for end in [PodEnd::Unreachable, PodEnd::DownloadFailed] {
        assert!(repeats.may_order());
        let pod = ordered(&mut repeats);
        swap(&mut repeats, &pod, end);
    }
    let pod = ordered(&mut repeats);
    assert_eq!((repeats.may_order(), repeats.replacements_remaining()), (true, 0));
    repeats.take(RepeatMark::NeverReady { pod, reason: "?".to_owned() });
    assert!(!repeats.may_order() && is_over(&repeats));
    let report = repeats.report(ALL).unwrap();
    assert_eq!(report.repeats.len(), 2, "all repeats are summed up");
    assert_eq!((report.repeats[0].failed_prompts, report.repeats[1].generation_time), (8, None));
    assert_eq!(report.reason, "Repeat 2: 40 failed prompts exceed tolerance (12)");
    assert_eq!((repeats.recordable(ALL), repeats.generated(2).len()), (vec![1, 2], 40));
    assert_eq!(repeats.generated(1)[39].failure_reason.as_deref(), Some("missing from batch results"));
    let ends: Vec<_> = repeats
        .stats(ALL)
        .values()
        .map(|entry| match entry {
            PodRunEntry::Run(run) => run.termination_reason.clone(),
            PodRunEntry::Other(_) => panic!(),
        })
        .collect();
    assert_eq!(ends, ["requested", "unreachable", "download_failed"]);
    repeats.take(RepeatMark::Reopened);
    assert!(repeats.may_order() && matches!(repeats.work(), Work::Batch { repeat: 1, batch: 1, .. }));
}

#[test]
fn another_image_begins_anew() {
    let mut repeats = repeats(10);
    let pod = ordered(&mut repeats);
    finish(&mut repeats, &pod, 1.0, 0);
    assert!(repeats.has_begun("a", Seed(1)) && !repeats.has_begun("b", Seed(1)));
    repeats.take(RepeatMark::Begun { image: "b".to_owned(), seed: Seed(1) });
    assert!(matches!(repeats.work(), Work::Batch { repeat: 1, batch: 0, .. }));
    assert!(repeats.stats(ALL).is_empty());
}

#[test]
fn a_stem_without_a_module_has_failed_and_unknown_ones_count_for_nothing() {
    let modules = ["p000", "p001", "x"].map(str::to_owned).into();
    let failed = HashMap::from([("p001", "no"), ("y", "?")].map(|(stem, why)| (stem.to_owned(), why.to_owned())));
    let answers = Repeats::answers_of(&stems(3), &modules, &failed);
    let failed = |why: &str| Answered::Failed(why.to_owned());
    let answers: Vec<Answered> = answers.into_iter().map(|(_, answer)| answer).collect();
    assert_eq!(answers, [Answered::Module, failed("no"), failed("missing from batch results")]);
}

#[test]
fn a_batch_that_is_gone_is_made_again() {
    let mut repeats = repeats(40);
    let pod = ordered(&mut repeats);
    finish(&mut repeats, &pod, 10.0, 0);
    repeats.take(RepeatMark::Lost { repeat: 1, batch: 0 });
    assert!(matches!(repeats.work(), Work::Batch { repeat: 1, batch: 0, .. }));
    finish(&mut repeats, &pod, 5.0, 0);
    finish(&mut repeats, &pod, 5.0, 0);
    assert_eq!(repeats.seconds(1), Some(10.0));
}

/// The files of a round, and the commits that led to them.
#[derive(Debug, Default, PartialEq)]
struct Recorded {
    files: Files<String, Vec<u8>>,
    commits: Vec<(String, Vec<String>)>,
}

impl Source for Recorded {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.files.keys().cloned().collect())
    }
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}

impl Recorded {
    /// Writes what is due; at most so many files of it, as after a kill.
    fn record(&mut self, repeats: &Repeats, most: usize) {
        let round = RoundNumber(2);
        let player = Player::Miner(HOTKEY.parse().unwrap());
        loop {
            let snapshot = ThreejsSnapshot::load_some(self, |_| true).unwrap();
            let files = snapshot.rounds.get(&round).cloned().unwrap_or_default();
            let plan = saved(round, &player, repeats, &files);
            if plan.writes.is_empty() {
                return;
            }
            for write in plan.writes.iter().take(most) {
                self.files.insert(write.file.to_string(), write.bytes.clone());
            }
            if most < plan.writes.len() {
                return;
            }
            self.commits.push((plan.message, plan.writes.iter().map(|write| write.file.to_string()).collect()));
        }
    }
}

/// What happens to a program, mark after mark.
fn marks(end: &str) -> Vec<RepeatMark> {
    let mut repeats = repeats(40);
    let mut marks = Vec::new();
    let mut take = |repeats: &mut Repeats, mark: RepeatMark| {
        marks.push(mark.clone());
        repeats.take(mark);
    };
    let mut pod = String::new();
    for turn in 0..6 {
        if turn == 0 || end == "spent" && turn > 2 {
            pod = repeats.next_pod("miner-02-5grwvaef5z-", "runpod");
            take(&mut repeats, RepeatMark::Pod { pod: pod.clone(), provider: "runpod".to_owned() });
        }
        let Work::Batch { repeat, batch, stems } = repeats.work() else { break };
        if end == "spent" && turn > 1 {
            take(
                &mut repeats,
                RepeatMark::PodEnded { repeat, pod: pod.clone(), end: PodEnd::Unreachable, payload: None },
            );
            continue;
        }
        let failed = end == "rejected" && repeat == 2;
        let answer = if failed { Answered::Failed("no".to_owned()) } else { Answered::Module };
        let answers = stems.into_iter().map(|stem| (stem, answer.clone())).collect();
        take(&mut repeats, RepeatMark::Batch { repeat, batch, pod: pod.clone(), seconds: 9.5, answers });
        for (repeat, _, stems) in repeats.unstored() {
            for stem in stems {
                let sums = vec![(format!("generated_{repeat}/{stem}.js"), "0".repeat(64))];
                let js = format!("https://s.example/{repeat}/{stem}.js");
                let module = StoredModule { js, views: None, size: 5, sums };
                take(&mut repeats, RepeatMark::Stored { repeat, stem, module });
            }
        }
    }
    marks
}

#[test]
fn commits_do_not_depend_on_when_the_files_are_written_nor_on_kills() {
    for (end, commits) in [("whole", 2), ("rejected", 2), ("spent", 2)] {
        let marks = marks(end);
        let mut expected = Recorded::default();
        let mut so_far = repeats(40);
        for mark in &marks {
            so_far.take(mark.clone());
            expected.record(&so_far, usize::MAX);
        }
        assert_eq!(expected.commits.len(), commits, "{end}: {:#?}", expected.commits);
        let (_, files) = &expected.commits[0];
        let path = |name: &str| format!("rounds/2/{HOTKEY}/{name}");
        let last = "rounds/2/generation_reports.json".to_owned();
        assert_eq!(files, &[path("generated_1.json"), path("SHA256SUMS"), path("pod_stats.json"), last]);
        // Now and then, only at the end, and each time with a kill after this many files.
        for (every, most) in [(7, usize::MAX), (usize::MAX, usize::MAX), (1, 0), (1, 1), (1, 2), (1, 3), (7, 2)] {
            let (mut recorded, mut so_far) = (Recorded::default(), repeats(40));
            for (at, mark) in marks.iter().enumerate() {
                so_far.take(mark.clone());
                if (at + 1) % every == 0 {
                    recorded.record(&so_far, most);
                    recorded.record(&so_far, usize::MAX);
                }
            }
            recorded.record(&so_far, usize::MAX);
            assert_eq!(recorded, expected, "{end}: after every {every} of the marks, {most} of the files");
        }
    }
}

#[test]
fn a_pod_is_open_until_it_ends_and_knows_its_batch() {
    let mut repeats = repeats(40);
    assert_eq!(repeats.open_pod(), None);
    let pod = ordered(&mut repeats);
    let at_work =
        |seconds| RepeatMark::AtWork { repeat: 1, batch: 0, pod: "miner-02-5grwvaef5z-0".to_owned(), seconds };
    repeats.take(at_work(0.0));
    repeats.take(at_work(61.5));
    assert_eq!((repeats.open_pod(), repeats.at_work(1, 0, &pod)), (Some(pod.as_str()), Some(61.5)));
    assert_eq!((repeats.at_work(1, 1, &pod), repeats.at_work(1, 0, "another")), (None, None));
    finish(&mut repeats, &pod, 70.0, 0);
    assert_eq!(
        (repeats.open_pod(), repeats.at_work(1, 0, &pod)),
        (Some(pod.as_str()), None),
        "it takes the next batch"
    );
    repeats.take(at_work(0.0));
    swap(&mut repeats, &pod, PodEnd::Requested);
    assert_eq!((repeats.open_pod(), repeats.at_work(1, 0, &pod)), (None, None));
    let pod = ordered(&mut repeats);
    repeats.take(RepeatMark::NotReached { pod });
    assert_eq!((repeats.open_pod(), repeats.replacements_remaining()), (None, 2));
}
