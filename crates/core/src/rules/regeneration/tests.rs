use super::record::{NO_IMAGE, NO_POD, rejected};
use super::*;
use crate::model::file::{Content, FileKind, PlayerFile};
use crate::model::generation_audits::{AuditOutcome, GenerationAudit};
use crate::model::ids::{Player, RoundNumber};
use crate::model::pod_stats::PodEntry;
use crate::model::snapshot::{PlayerFiles, Slot};
use crate::rules::download::DownloadMark;

fn stem(n: usize) -> PromptStem {
    format!("p{n:02}").parse().unwrap()
}

fn prompts(count: usize) -> PromptList {
    let prompt = |n| crate::model::prompts::Prompt::new(&format!("https://x.org/{}.png", stem(n))).unwrap();
    PromptList((0..count).map(prompt).collect())
}

fn object(n: usize, extension: &str) -> StoredObject {
    let path = format!("generated/{}.{extension}", stem(n));
    StoredObject { url: format!("https://cdn/{path}"), path, sha256: "0".repeat(64), size: 7 }
}

fn made(n: usize, seconds: f64, distance: Option<f64>) -> AttemptOutcome {
    AttemptOutcome::Made { seconds, model: object(n, "bin"), png: object(n, "png"), distance }
}

fn failed() -> AttemptOutcome {
    AttemptOutcome::Failed { seconds: 1.0, reason: "status 500".to_owned() }
}

fn lost() -> AttemptOutcome {
    AttemptOutcome::Lost { reason: "status 502".to_owned() }
}

/// An audit of a miner that submitted all but the last prompt completely.
fn audit(count: usize, critical: &[usize]) -> Progress {
    let submitted = (0..count).map(|n| {
        let png = (n + 1 < count).then(|| format!("https://cdn/submitted/{}.png", stem(n)));
        (stem(n), Output { model: Some("g".to_owned()), png, size: 1, ..nothing() })
    });
    let critical = critical.iter().map(|n| stem(*n)).collect();
    let purpose = Purpose::Audit { critical, submitted: Outputs::of(Format::Mesh, submitted) };
    Progress::new(Format::Mesh, purpose, &prompts(count), &Thresholds::default(), RetryBudget::default())
}

fn tried(progress: &mut Progress, n: usize, pod: &str, outcome: AttemptOutcome) {
    let number = progress.number();
    progress.take(RegenerationMark::Tried { number, stem: stem(n), pod: pod.to_owned(), outcome });
}

#[test]
fn only_what_was_submitted_completely_is_made_and_only_until_it_is_in_time() {
    let mut progress = audit(4, &[]);
    assert_eq!(progress.open(), [stem(0), stem(1), stem(2)]);
    tried(&mut progress, 0, "a-1", made(0, 10.0, Some(0.9)));
    tried(&mut progress, 1, "a-1", failed());
    tried(&mut progress, 2, "a-1", made(2, 180.1, Some(0.0)));
    assert_eq!(progress.open(), [stem(1), stem(2)], "an output in time is final, however far it is");
    tried(&mut progress, 1, "a-1", failed());
    tried(&mut progress, 2, "a-1", made(2, 180.0, Some(0.05)));
    assert_eq!(progress.standing(), JobStanding::Open(1));
    tried(&mut progress, 1, "a-1", failed());
    assert_eq!(progress.standing(), JobStanding::Complete);
    let outputs = progress.outputs();
    assert_eq!(outputs.keys().cloned().collect::<Vec<_>>(), [stem(0), stem(1), stem(2)]);
    assert_eq!((outputs[&stem(1)].is_complete(), outputs[&stem(1)].attempts), (false, 3));
    assert_eq!((outputs[&stem(2)].generation_time, outputs[&stem(2)].attempts), (180.0, 2));
}

#[test]
fn the_best_attempt_is_kept() {
    let best = |outcomes: &[AttemptOutcome]| {
        let mut progress = audit(2, &[]);
        outcomes.iter().for_each(|outcome| tried(&mut progress, 0, "a-1", outcome.clone()));
        let output = progress.outputs().get(&stem(0)).cloned().unwrap();
        (output.is_complete(), output.generation_time, output.distance)
    };
    let refused = AttemptOutcome::Refused { seconds: 5.0, model: object(0, "bin"), reason: String::new() };
    assert_eq!(best(&[refused.clone(), made(0, 300.0, Some(0.5))]), (true, 300.0, 0.5), "complete beats not");
    assert_eq!(best(&[made(0, 300.0, Some(0.0)), made(0, 100.0, Some(0.5))]), (true, 100.0, 0.5), "in time beats late");
    assert_eq!(best(&[made(0, 200.0, Some(0.4)), made(0, 300.0, Some(0.1))]), (true, 300.0, 0.1), "then the nearer");
    assert_eq!(best(&[made(0, 300.0, Some(0.1)), made(0, 200.0, Some(0.1))]), (true, 200.0, 0.1), "then the faster");
    assert_eq!(best(&[failed(), refused, failed()]), (false, 5.0, 0.0));
}

#[test]
fn lost_attempts_do_not_count_but_are_bounded() {
    let mut progress = audit(2, &[]);
    for _ in 0..5 {
        tried(&mut progress, 0, "a-1", lost());
    }
    tried(&mut progress, 0, "a-2", lost());
    assert_eq!(progress.open(), [stem(0)]);
    assert!(progress.outputs().is_empty());
    tried(&mut progress, 0, "a-3", lost());
    assert_eq!(progress.standing(), JobStanding::Complete, "it was lost on three pods");
    let mut baseline =
        Progress::new(Format::Mesh, Purpose::Baseline, &prompts(1), &Thresholds::default(), RetryBudget::default());
    for pod in ["a-1", "a-2", "a-3", "a-4"] {
        tried(&mut baseline, 0, pod, lost());
    }
    baseline.exhaust();
    assert_eq!(baseline.standing(), JobStanding::Open(1), "the leader's outputs are not given up");
}

#[test]
fn a_certain_verdict_ends_the_audit_at_twice_the_tolerated_mismatches() {
    let mut progress = audit(30, &[0, 1]);
    for n in 2..13 {
        tried(&mut progress, n, "a-1", made(n, 10.0, Some(0.2)));
        assert_eq!(progress.standing(), JobStanding::Open(29 - (n - 1)));
    }
    tried(&mut progress, 13, "a-1", made(13, 10.0, Some(0.2)));
    assert!(progress.is_decided());
    assert_eq!(progress.standing(), JobStanding::Complete);
    let hotkey = Hotkey::from_account(&[1; 32]);
    let verdict = progress.judged(&hotkey, &progress.outputs(), &Thresholds::default()).unwrap();
    // Outputs that were not made count as missing, as in `verify`.
    assert_eq!((verdict.checked_prompts, verdict.failed_prompts, verdict.failed_critical), (29, 27, 2));
    assert_eq!(verdict.outcome, AuditOutcome::Rejected);
}

#[test]
fn an_unmeasured_distance_keeps_the_audit_open() {
    let mut progress = audit(3, &[]);
    tried(&mut progress, 0, "a-1", made(0, 10.0, Some(0.0)));
    tried(&mut progress, 1, "a-1", made(1, 10.0, None));
    assert_eq!(progress.standing(), JobStanding::Unmeasured(vec![stem(1)]));
    assert_eq!(progress.outputs().len(), 1, "no entry for it");
    let open = progress.unmeasured().remove(0);
    progress.take(RegenerationMark::Measured { number: open.number, stem: open.stem, distance: 0.3 });
    assert_eq!(progress.standing(), JobStanding::Complete);
    assert_eq!(progress.outputs()[&stem(1)].distance, 0.3);
}

#[test]
fn the_journal_brings_everything_back_but_what_another_image_made() {
    let mut marks = vec![
        RegenerationMark::Begun { image: "a".to_owned(), seed: Seed(1) },
        RegenerationMark::Pod { pod: "docker-1".to_owned() },
        RegenerationMark::Arrived(Arrival {
            number: 1,
            stem: stem(0),
            pod: "docker-1".to_owned(),
            seconds: 1.5,
            size: 7,
            sha256: "0".repeat(64),
        }),
    ];
    let read = |marks: &[RegenerationMark]| {
        let mut progress = audit(3, &[]);
        for mark in marks {
            let line = serde_json::to_string(mark).unwrap();
            progress.take(serde_json::from_str(&line).unwrap());
        }
        progress
    };
    let mut progress = read(&marks);
    assert_eq!((progress.arrivals().len(), progress.number(), progress.next_pod("docker")), (1, 2, "docker-2".into()));
    let outcome = made(0, 1.5, Some(0.25));
    marks.push(RegenerationMark::Tried { number: 1, stem: stem(0), pod: "docker-1".to_owned(), outcome });
    let progress = read(&marks);
    assert!(progress.arrivals().is_empty() && progress.has_begun("a", Seed(1)));
    assert_eq!(progress.open(), [stem(1)]);
    marks.push(RegenerationMark::Begun { image: "b".to_owned(), seed: Seed(1) });
    assert_eq!(read(&marks).open().len(), 2);
}

#[test]
fn a_new_attempt_is_made_only_where_asked_for() {
    let mut progress = audit(3, &[]);
    let null = Output { attempts: 3, ..nothing() };
    let recorded = Outputs::of(Format::Mesh, [(stem(0), null)]);
    progress.unknown(&recorded).into_iter().for_each(|mark| progress.take(mark));
    tried(&mut progress, 1, "a-1", made(1, 1.0, Some(0.0)));
    assert_eq!(progress.standing(), JobStanding::Complete);
    progress.take(RegenerationMark::Reopened);
    assert_eq!(progress.open(), [stem(0)]);
    tried(&mut progress, 0, "a-1", made(0, 1.0, Some(0.0)));
    assert_eq!((progress.standing(), progress.outputs()[&stem(0)].attempts), (JobStanding::Complete, 4));
}

#[test]
fn the_plans_write_verdict_sums_and_figures_in_their_order() {
    let hotkeys: Vec<Hotkey> = [1, 2, 3].map(|n| Hotkey::from_account(&[n; 32])).to_vec();
    let request = |hotkey: &Hotkey| crate::model::require_audit::AuditRequest {
        hotkey: hotkey.clone(),
        critical_prompts: Vec::new(),
        extra: Extra::default(),
    };
    let mut files = RoundFiles {
        require_audit: Slot::Ok([2, 0, 1].map(|n| request(&hotkeys[n])).to_vec()),
        ..RoundFiles::default()
    };
    let sums = [("submitted/p00.bin".to_owned(), "1".repeat(64))].into_iter().collect();
    let own = PlayerFiles { sums: Slot::Ok(crate::model::sums::Sums(sums)), ..PlayerFiles::default() };
    files.players.insert(Player::Miner(hotkeys[0].clone()), own);
    let mut progress = audit(2, &[]);
    tried(&mut progress, 0, "a-1", made(0, 10.0, Some(0.0)));
    let round = RoundNumber(4);
    let plan = progress.concluded(round, &hotkeys[0], &files, &Thresholds::default());
    assert_eq!(plan.message.lines().count(), 2, "{}", plan.message);
    assert!(plan.says[0].contains("passed (1 checked"), "{:?}", plan.says);
    let player = |file| FileKind::Player(round, Player::Miner(hotkeys[0].clone()), file);
    let bytes = |kind: &FileKind| plan.writes.iter().find(|write| write.file == *kind).unwrap().bytes.clone();
    let sums = String::from_utf8(bytes(&player(PlayerFile::Sums))).unwrap();
    let paths: Vec<&str> = sums.lines().map(|line| line.split("  ").nth(1).unwrap()).collect();
    assert_eq!(paths, ["generated/p00.bin", "generated/p00.png", "submitted/p00.bin"]);
    let audits = FileKind::Round(round, crate::model::file::RoundFile::GenerationAudits);
    let Ok((Content::GenerationAudits(first), _)) = Content::parse(Format::Mesh, &audits, &bytes(&audits)) else {
        panic!()
    };
    files.generation_audits = Slot::Ok(first);
    let plan = rejected(round, &hotkeys[2], NO_IMAGE, &files);
    let Ok((Content::GenerationAudits(both), _)) = Content::parse(Format::Mesh, &audits, &plan.writes[0].bytes) else {
        panic!()
    };
    assert_eq!(both.keys().collect::<Vec<_>>(), [&hotkeys[2], &hotkeys[0]], "the order of the requests");
    let GenerationAudit { checked_prompts, generation_time, reason, .. } = &both[&hotkeys[2]];
    assert_eq!((*checked_prompts, *generation_time, reason.as_str()), (0, None, "Failed to build a docker image"));
    let mut none = audit(2, &[]);
    none.take(RegenerationMark::Pod { pod: "a-1".to_owned() });
    none.take(RegenerationMark::NeverReady { pod: "a-1".to_owned(), reason: "refused".to_owned() });
    none.exhaust();
    let plan = none.concluded(round, &hotkeys[1], &files, &Thresholds::default());
    assert!(plan.says[0].ends_with(NO_POD) && plan.writes.len() == 2, "{plan:?}");
}

#[test]
fn an_image_is_awaited_until_its_build_is_over() {
    let hotkey = Hotkey::from_account(&[1; 32]);
    let of = |status, image: Option<&str>| {
        let build = crate::model::builds::Build {
            repo: "a/b".parse().unwrap(),
            commit: "f".repeat(40).parse().unwrap(),
            revealed_at_block: crate::model::ids::Block(1),
            tag: String::new(),
            status,
            docker_image: image.map(str::to_owned),
            extra: Extra::default(),
        };
        image_of(Some(&[(hotkey.clone(), build)].into_iter().collect()), &hotkey)
    };
    assert_eq!(of(BuildStatus::Success, Some("x")), ImageToRun::Built("x".to_owned()));
    assert!(matches!(image_of(None, &hotkey), ImageToRun::Awaited(_)));
    for status in [BuildStatus::Pending, BuildStatus::InProgress] {
        assert!(matches!(of(status, None), ImageToRun::Awaited(_)));
    }
    for status in [BuildStatus::Failure, BuildStatus::TimedOut, BuildStatus::NotFound] {
        assert_eq!(of(status, None), ImageToRun::Never);
    }
}

#[test]
fn a_pods_figures_say_how_much_slower_it_was_with_what_had_taken_too_long() {
    let mut progress = audit(4, &[]);
    tried(&mut progress, 0, "a-1", made(0, 200.0, Some(0.0)));
    tried(&mut progress, 1, "a-1", failed());
    tried(&mut progress, 0, "a-2", made(0, 150.0, Some(0.0)));
    tried(&mut progress, 1, "a-2", made(1, 10.0, Some(0.0)));
    let stats = serde_json::to_value(progress.pod_stats()).unwrap();
    let deltas = |pod: &str| (stats[pod]["retry_cumulative_delta"].as_f64(), stats[pod]["retry_delta_count"].as_u64());
    assert_eq!(deltas("a-1"), (Some(0.0), Some(0)));
    assert_eq!(deltas("a-2"), (Some(-50.0), Some(1)), "what failed before had no time");
    progress.take(RegenerationMark::PodEnded { pod: "a-1".to_owned(), end: PodEnd::Unreachable });
    progress.take(RegenerationMark::Pod { pod: "a-2".to_owned() });
    let stats = serde_json::to_value(progress.pod_stats()).unwrap();
    let ends = ["a-1", "a-2"].map(|pod| stats[pod]["termination_reason"].clone());
    assert_eq!(ends, ["unreachable", ""]);
}

#[test]
fn the_pod_of_the_last_answer_has_completed_even_where_its_run_was_killed_right_then() {
    let end = |progress: &Progress, pod: &str| match &progress.pod_stats()[pod] {
        PodEntry::Figures(figures) => figures.termination_reason.clone(),
        PodEntry::Other(_) => panic!(),
    };
    let mut progress = audit(3, &[]);
    progress.take(RegenerationMark::Pod { pod: "a-1".to_owned() });
    tried(&mut progress, 0, "a-1", made(0, 20.0, Some(0.0)));
    assert_eq!(end(&progress, "a-1"), "");
    progress.take(RegenerationMark::Pod { pod: "a-2".to_owned() });
    tried(&mut progress, 1, "a-2", made(1, 20.0, Some(0.0)));
    assert_eq!([end(&progress, "a-1"), end(&progress, "a-2")], ["", "completed"]);
}

/// Operators have journals written by older versions, which name the model by the key of its format.
#[test]
fn journals_of_older_versions_are_read() {
    let object = |path: &str| format!(r#"{{"url":"https://c.example/{path}","path":"{path}","sha256":"00","size":7}}"#);
    let (model, png) = (object("submitted/a.glb"), object("submitted/a.png"));
    let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    let head = format!(r#"{{"hotkey":"{hotkey}","stem":"a""#);
    for (old, has) in [
        (format!(r#"{head},"outcome":"stored","glb":{model},"png":{png}}}"#), true),
        (format!(r#"{head},"outcome":"refused","glb":{model},"reason":"r"}}"#), true),
        (format!(r#"{head},"outcome":"refused","glb":null,"reason":"r"}}"#), false),
        (format!(r#"{head},"outcome":"failed","reason":"r"}}"#), false),
    ] {
        let mark: DownloadMark = serde_json::from_str(&old).unwrap();
        assert_eq!(mark.outcome.model().map(|model| model.size), has.then_some(7), "{old}");
        let new = serde_json::to_string(&mark).unwrap();
        assert_eq!(new, old.replace("\"glb\"", "\"model\""));
        assert_eq!(serde_json::from_str::<DownloadMark>(&new).unwrap(), mark);
    }
    let tried = r#"{"mark":"tried","number":3,"stem":"a","pod":"p""#;
    for old in [
        format!(r#"{tried},"outcome":"made","seconds":1.5,"glb":{model},"png":{png},"distance":null}}"#),
        format!(r#"{tried},"outcome":"refused","seconds":1.5,"glb":{model},"reason":"r"}}"#),
    ] {
        let mark: RegenerationMark = serde_json::from_str(&old).unwrap();
        let new = serde_json::to_string(&mark).unwrap();
        assert_eq!(new, old.replace("\"glb\"", "\"model\""));
        assert_eq!(serde_json::from_str::<RegenerationMark>(&new).unwrap(), mark);
    }
    let recorded = r#"{"mark":"recorded","stem":"a","output":{"glb":"https://c.example/a","png":null,"generation_time":1.5,"size":7,"attempts":1,"distance":0.0}}"#;
    let mark: RegenerationMark = serde_json::from_str(recorded).unwrap();
    assert_eq!(serde_json::to_string(&mark).unwrap(), recorded, "an entry has the layout that files have");
}
