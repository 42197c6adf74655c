//! Competitions of splats and of three.js modules, read by the library: the real files, where they are at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use gen404::base::error::Result;
use gen404::model::file::Layout;
use gen404::model::format::Format;
use gen404::model::format::detect::detect;
use gen404::model::ids::{Block, Player, RoundNumber};
use gen404::model::prompts::Prompt;
use gen404::model::snapshot::Source;
use gen404::model::splat::file::{SplatContent, SplatFile};
use gen404::model::splat::snapshot::SplatSnapshot;
use gen404::model::threejs::file::{ThreejsContent, ThreejsFile, ThreejsRoundFile};
use gen404::model::threejs::programs::{ThreejsLeaders, ThreejsWinner};
use gen404::model::threejs::reports::GenerationReport;
use gen404::model::threejs::snapshot::ThreejsSnapshot;
use gen404::rules::checks::formats::{OtherFacts, run_splat, run_threejs};
use gen404::rules::checks::{CheckStatus, Finding};
use gen404::rules::prompts::select;
use gen404::rules::splat::walk::of_round;
use gen404::rules::threejs::chain::{ChainFacts, Fate, by_miner, derive, order};
use gen404::rules::threejs::leader::next_leader;
use gen404::rules::threejs::prompts::select_disjoint;

use crate::support::{edit, example, few, gen404, shared, skipped};

#[path = "../../examples/make_threejs.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
pub mod make_threejs;

/// Files in memory, by path.
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

impl Files {
    fn of_folder(root: &Path) -> Files {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path: PathBuf = entry.path();
                if entry.file_name() == ".git" {
                } else if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        Files(files)
    }
}

/// A clone of the real competition of splats, where bundle and git are there.
fn splat_clone() -> Option<tempfile::TempDir> {
    let bundle = shared("formats/splat-rounds-0-1.bundle")?;
    let folder = tempfile::tempdir().unwrap();
    let cloned = Command::new("git").args(["clone", "-q", "-b", "main"]).arg(&bundle).arg(folder.path()).output();
    match cloned {
        Ok(cloned) if cloned.status.success() => Some(folder),
        Ok(failed) => panic!("{}", String::from_utf8_lossy(&failed.stderr)),
        Err(_) => {
            skipped("no git program");
            None
        }
    }
}

fn git(folder: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn every_splat_file_is_written_back_byte_for_byte() {
    let Some(folder) = splat_clone() else { return };
    let (mut exact, mut newline) = (0, Vec::new());
    for (path, bytes) in Files::of_folder(folder.path()).0 {
        let Some(file) = SplatFile::of_path(&path) else { panic!("{path}: no file of a competition of splats") };
        match SplatContent::parse(&file, &bytes).map(|(_, layout)| layout) {
            Ok(Layout::Exact) => exact += 1,
            Ok(Layout::FinalNewline) => newline.push(path),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!((exact, newline), (119, vec!["config.json".to_owned()]));
}

/// From the start of the competition on, every version of every file; what does not parse was broken by hand.
#[test]
fn every_version_of_the_splat_files_parses_but_for_one_edit() {
    let Some(folder) = splat_clone() else { return };
    let text = |args: &[&str]| String::from_utf8(git(folder.path(), args)).unwrap();
    let raw = text(&["log", "--raw", "--no-abbrev", "--no-renames", "--format=%h", "04b1f0a..HEAD"]);
    let mut versions = BTreeMap::new();
    for line in raw.lines().filter(|line| line.starts_with(':')) {
        let (meta, path) = line.split_once('\t').unwrap();
        let blob = meta.split(' ').nth(3).unwrap();
        if let Some(file) = SplatFile::of_path(path).filter(|_| blob.bytes().any(|byte| byte != b'0')) {
            versions.insert((path.to_owned(), blob.to_owned()), file);
        }
    }
    let (mut exact, mut broken) = (0, Vec::new());
    for ((path, blob), file) in versions {
        match SplatContent::parse(&file, &git(folder.path(), &["cat-file", "blob", &blob])).map(|(_, layout)| layout) {
            Ok(Layout::Exact) => exact += 1,
            Ok(Layout::FinalNewline) => {}
            other => broken.push(format!("{path}: {other:?}")),
        }
    }
    assert!(exact > 400, "{exact}");
    assert!(broken.iter().any(|line| line.starts_with("leader.json")), "{broken:#?}");
}

#[test]
fn every_threejs_file_is_written_back_byte_for_byte() {
    let Some(folder) = shared("formats/threejs") else { return };
    let (mut exact, mut newline) = (0, Vec::new());
    for (path, bytes) in Files::of_folder(&folder).0 {
        // Copies under other names: as the file they are copies of.
        let plain = path.replace(".truncated", "").replace("-deploy-failed", "").replace("-earlier", "");
        let plain = plain.replace("-round35", "").replace("config-of-the-mesh-competition", "config");
        let Some(file) = ThreejsFile::of_path(&plain) else { panic!("{path}") };
        match ThreejsContent::parse(&file, &bytes).map(|(_, layout)| layout) {
            Ok(Layout::Exact) => exact += 1,
            Ok(Layout::FinalNewline) => newline.push(path),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(exact + newline.len(), 47);
    assert!(newline.iter().all(|path| path.contains("config") || path.contains("_audit")), "{newline:?}");
}

#[test]
fn each_format_is_recognised() {
    if let Some(folder) = splat_clone() {
        let files = Files::of_folder(folder.path());
        let found = detect(files.0.keys().map(String::as_str), |path| files.0.get(path).cloned());
        assert_eq!(found.format, Format::Splat);
        assert!(found.sign.contains("which only splat writes"), "{found}");
    }
    let Some(folder) = shared("formats/threejs") else { return };
    let files = Files::of_folder(&folder);
    let found = detect(files.0.keys().map(String::as_str), |path| files.0.get(path).cloned());
    assert_eq!(found.to_string(), "threejs (rounds/34/audit_matrix.csv, which only threejs writes)");
}

#[test]
fn the_splat_walk_gives_the_recorded_winners() {
    let Some(folder) = splat_clone() else { return };
    let snapshot = SplatSnapshot::load_some(&Files::of_folder(folder.path()), |_| true).unwrap();
    let winner = |round: u32| {
        let walk = of_round(&snapshot.rounds[&RoundNumber(round)], 0.05).unwrap();
        assert_eq!(walk.missing, None);
        (walk.steps.len(), walk.holder)
    };
    let hotkey = "5EqNLQBYYWMcHdid25TEDGUdgT67ZGLB49QvczcKs5rH58Hh";
    assert_eq!(winner(0), (18, hotkey.parse().unwrap()));
    assert_eq!(winner(1), (41, Player::Leader));
}

fn check_splat(files: &Files) -> Vec<Finding> {
    let snapshot = SplatSnapshot::load_some(files, |_| true).unwrap();
    let settings = snapshot.config.get().map(|config| config.settings.shared());
    run_splat(&snapshot, &OtherFacts::of_files(settings)).finish()
}

pub fn check_threejs(files: &Files) -> Vec<Finding> {
    let snapshot = ThreejsSnapshot::load_some(files, |_| true).unwrap();
    let settings = snapshot.config.get().map(|config| config.settings.clone());
    run_threejs(&snapshot, &OtherFacts::of_files(settings)).finish()
}

/// Tells each lie (in a file, this text replaced once by that one) and expects this claim to fail.
fn each_is_found(files: &mut Files, check: impl Fn(&Files) -> Vec<Finding>, lies: &[(&str, &str, &str, &str)]) {
    for (path, old, new, id) in lies {
        let was = files.0[*path].clone();
        let text = String::from_utf8(was.clone()).unwrap();
        assert!(text.contains(old), "{path}: {old}");
        files.0.insert((*path).to_owned(), text.replacen(old, new, 1).into_bytes());
        let fails = check(files).iter().any(|found| found.id == *id && found.status == CheckStatus::Fail);
        assert!(fails, "{path}: {old} -> {new}");
        files.0.insert((*path).to_owned(), was);
    }
}

pub fn objections(findings: &[Finding]) -> Vec<String> {
    let bad = |finding: &&Finding| !matches!(finding.status, CheckStatus::Pass | CheckStatus::Skip);
    let line =
        |finding: &Finding| format!("{:?} {} {}: {}", finding.status, finding.id, finding.subject, finding.detail);
    findings.iter().filter(bad).map(line).collect()
}

#[test]
fn the_checks_on_the_splat_files_find_the_known_truths() {
    let Some(folder) = splat_clone() else { return };
    let mut files = Files::of_folder(folder.path());
    let check = |files: &Files| check_splat(files);
    let findings = check(&files);
    let passed = |id: &str| findings.iter().filter(|found| found.id == id && found.status == CheckStatus::Pass).count();
    assert_eq!((passed("match.score"), passed("match.urls"), passed("match.rules")), (59, 59, 59));
    assert_eq!((passed("prompts.carryover"), passed("builds.rules"), passed("judge.progress")), (2, 2, 2));
    let objections = objections(&findings);
    let shared = objections.iter().filter(|line| line.starts_with("Warn copies.programs")).count();
    let newline = "Warn file.bytes config.json: a final newline, which its writer does not write";
    assert!(objections.iter().any(|line| line == newline), "{objections:#?}");
    assert_eq!((objections.len(), shared), (8, 7), "{objections:#?}");
    // Each lie is found by the claim that it breaks.
    let report = "rounds/0/5EqNLQBYYWMcHdid25TEDGUdgT67ZGLB49QvczcKs5rH58Hh/duels.json";
    each_is_found(
        &mut files,
        check,
        &[
            ("leader.json", "\"weight\": 0.8", "\"weight\": 0.99", "leader.transition"),
            ("rounds/0/judge_progress.json", "\"leader\": \"5Eq", "\"leader\": \"5Gq", "file.parse"),
            ("rounds/1/seed.json", "2947269238", "2947269239", "prompts.carryover"),
            (report, "\"score\": 19", "\"score\": 18", "match.score"),
            (report, "challenger_wins", "leader_defends", "match.score"),
            ("rounds/0/builds.json", "97f5a7e-contest-0", "97f5a7d-contest-0", "builds.rules"),
            ("rounds/1/schedule.json", "7067518", "7067519", "schedule.blocks"),
            ("rounds/0/leader/generations.json", "rounds/0/leader", "rounds/1/leader", "outputs.rules"),
        ],
    );
}

fn threejs() -> Option<(Files, ThreejsSnapshot)> {
    let files = Files::of_folder(&shared("formats/threejs")?);
    let snapshot = ThreejsSnapshot::load_some(&files, |_| true).unwrap();
    Some((files, snapshot))
}

#[test]
fn round_34_replays() {
    let Some((_, snapshot)) = threejs() else { return };
    let round = &snapshot.rounds[&RoundNumber(34)];
    let order = order(round.submissions.get().unwrap());
    let facts = ChainFacts {
        order: &order,
        win_margin: 0.07,
        repeats: 3,
        matrix: round.matrix.get().unwrap(),
        audits: round.audit_matrix.get().unwrap(),
        reports: round.generation_reports.get().unwrap(),
        sources: &by_miner(round.source_audit.get().unwrap()),
    };
    let chain = derive(&facts);
    let links: Vec<_> = chain.links.iter().map(|link| (link.hotkey.short(), &link.fate)).collect();
    let rejected = Fate::Rejected("submitted vs generated #3: -12.50%".to_owned());
    let won = Fate::Won { margin: 0.101_562_5, verified: true };
    assert_eq!(links, [("5GrhGhLKJe", &rejected), ("5HJvp6ZSTt", &won)]);
    assert!(chain.finalized && chain.unplayed.is_empty());
    assert_eq!(chain.holder.as_str(), round.winner.get().unwrap().winner_hotkey.as_str());
}

#[test]
fn prompts_are_carried_over_in_place() {
    let Some((_, snapshot)) = threejs() else { return };
    let prompts = |round| &snapshot.rounds[&RoundNumber(round)].prompts.get().unwrap().0;
    let settings = &snapshot.config.get().unwrap().settings;
    let seed = snapshot.rounds[&RoundNumber(34)].seed.get().unwrap().seed;
    let carried = select(settings, seed, prompts(33), &[]).carried;
    assert_eq!((carried.len(), &prompts(34)[..32]), (32, carried.as_slice()));
    // A pool that holds a carried prompt as well gives it once.
    let drawn = select_disjoint(settings, seed, prompts(33), prompts(33));
    let fresh: Vec<&Prompt> = drawn.fresh.iter().collect();
    assert_eq!(fresh.len(), 96);
    assert!(fresh.iter().all(|prompt| !drawn.carried.contains(prompt)));
}

/// Until round 28, entries that follow each other by a decay have ten digits.
#[test]
fn decay_entries_have_ten_digits() {
    let Some((_, snapshot)) = threejs() else { return };
    let leaders: &ThreejsLeaders = snapshot.leaders.get().unwrap();
    let settings = &snapshot.config.get().unwrap().settings;
    let mut decays = 0;
    for pair in leaders.windows(2) {
        let [before, after] = pair else { continue };
        if after.hotkey == before.hotkey && after.commit == before.commit {
            let winner = ThreejsWinner {
                winner_hotkey: Player::Leader,
                repo: before.repo.clone(),
                commit: before.commit.clone(),
                docker_image: before.docker.clone(),
                hardware: None,
                extra: gen404::model::record::Extra::default(),
            };
            let expected = next_leader(settings, before, &winner, after.effective_block).unwrap();
            assert_eq!(expected.weight.to_bits(), after.weight.to_bits(), "{}", after.effective_block);
            decays += 1;
        }
    }
    assert!(decays > 3, "{decays}");
    let last = leaders.last().unwrap();
    assert_eq!(last.effective_block, Block(9_114_609));
}

#[test]
fn the_checks_on_the_threejs_files_find_only_what_is_not_there() {
    let Some((mut files, _)) = threejs() else { return };
    let findings = check_threejs(&files);
    let objections = objections(&findings);
    // The files of rounds 1 and 5 were read at different times.
    let known = |line: &&String| {
        line.starts_with("Fail state.files") || (line.starts_with("Warn audit.report") && line.contains("no request"))
    };
    let others: Vec<_> = objections.iter().filter(|line| !known(line)).collect();
    let newline = "Warn file.bytes rounds/1/verification_audits.json: a final newline, which its writer does not write";
    assert_eq!(others, [newline], "{others:#?}");
    let passed = |id: &str, subject: &str| {
        let of = |found: &&Finding| found.id == id && found.subject.starts_with(subject);
        assert!(findings.iter().filter(of).all(|found| found.status == CheckStatus::Pass), "{id} {subject}");
        assert!(findings.iter().any(|found| of(&found)), "{id} {subject}");
    };
    for id in ["audit.request", "audit.report", "audit.verdict", "audit.source", "winner.replay", "winner.source"] {
        passed(id, "rounds/34/");
    }
    passed("prompts.carryover", "rounds/34/");
    let check = |files: &Files| check_threejs(files);
    each_is_found(
        &mut files,
        check,
        &[
            ("rounds/34/generation_audits.json", "-12.50%", "-12.51%", "audit.verdict"),
            ("rounds/34/winner.json", "5HJvp6ZSTt9qV3sLnrwqsmQX4AibV2WcyzERxGz9qo87hcGq", "leader", "winner.replay"),
            ("rounds/34/audit_matrix.csv", "-0.125", "-0.06", "audit.verdict"),
            (
                "rounds/34/require_audit.json",
                "5HJvp6ZSTt9qV3sLnrwqsmQX4AibV2WcyzERxGz9qo87hcGq",
                "5DU5HVPK5z7JuzydA5sjeYKD9BkaGJeJZsNZD3ri6MPzwxmo",
                "audit.request",
            ),
            ("rounds/34/generation_reports.json", "5976.276082416065", "5976.376082416065", "audit.report"),
            ("rounds/34/generation_reports.json", "completed", "pending", "audit.report"),
            ("rounds/34/source_audit.json", "passed", "failed", "winner.replay"),
            ("rounds/34/schedule.json", "8835478", "8835479", "schedule.blocks"),
        ],
    );
}

/// The recorded duels' winners and decisions follow from their stages.
#[test]
fn real_details_follow() {
    use gen404::model::threejs::detail::Told;
    use gen404::model::threejs::duels::StagedMatch;
    use gen404::rules::threejs::stages::objections;
    let Some(folder) = shared("formats/threejs/rounds/34") else { return };
    let mut judged = 0;
    for (path, bytes) in Files::of_folder(&folder).0 {
        if !(path.contains("duels_") || path.contains("audit_submitted")) {
            continue;
        }
        let (report, _) = gen404::model::file::read::<StagedMatch>(Format::Threejs, &bytes).unwrap();
        for duel in &report.duels {
            if let Some(Told::Judged(stages)) = duel.detail.as_ref().map(|detail| detail.told()) {
                assert_eq!(objections(&stages, duel.winner), [""; 0], "{path} {}", duel.name);
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 3);
}

#[test]
fn reports_of_both_layouts_are_told_apart() {
    let Some((_, snapshot)) = threejs() else { return };
    let of = |round: u32| snapshot.rounds[&RoundNumber(round)].generation_reports.get().unwrap();
    assert!(of(1).values().chain(of(3).values()).all(|report| matches!(report, GenerationReport::Flat(_))));
    assert!(of(5).values().chain(of(34).values()).all(|report| matches!(report, GenerationReport::Repeated(_))));
    let matrix = ThreejsFile::Round(RoundNumber(3), ThreejsRoundFile::AuditMatrix);
    assert_eq!(matrix.path(), "rounds/3/audit_matrix.csv");
}

/// The generated competition holds; and each of many small lies about it is found by the claim that it breaks.
#[test]
fn a_generated_threejs_competition_holds_and_each_lie_about_it_is_found() {
    let mut files = Files(make_threejs::files());
    let check = |files: &Files| check_threejs(files);
    let found = objections(&check(&files));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("Warn judge.detail") && found[0].contains("skipped"), "{found:#?}");
    let folder = |round: u32, miner: u8, name: &str| format!("rounds/{round}/{}/{name}", make_threejs::hotkey(miner));
    let (duels, audit) = (folder(0, 1, "duels_leader.json"), folder(1, 8, "audit_submitted_2.json"));
    let submitted = folder(0, 1, "submitted.json");
    let (first, second, ten) = (make_threejs::hotkey(1), make_threejs::hotkey(2), make_threejs::hotkey(10));
    let eleven = make_threejs::hotkey(11);
    let against_newer = folder(2, 15, &format!("audit_{}_1.json", &eleven[..10]));
    let defended = format!("\"latest_defender\": \"{ten}\"");
    let lies: Vec<(String, String, String, &str)> = [
        ("rounds/1/schedule.json", "15600", "15601", "schedule.blocks"),
        ("rounds/1/schedule.json", "7201", "7202", "schedule.blocks"),
        ("rounds/0/submissions.json", "js-cup-0", "js-cup-1", "submissions.rules"),
        ("rounds/0/submissions.json", "6200", "7300", "submissions.rules"),
        ("rounds/1/seed.json", "1001", "1002", "prompts.carryover"),
        ("rounds/0/builds.json", "4xH200", "4xRTX6000Pro", "builds.rules"),
        ("rounds/0/builds.json", "\"status\": \"success\"", "\"status\": \"failure\"", "builds.rules"),
        ("rounds/0/leader/generated_1.json", "rounds/0/leader", "rounds/1/leader", "outputs.rules"),
        ("rounds/0/leader/generated_1.json", "\"size\": 1000", "\"size\": 0", "outputs.rules"),
        ("rounds/0/leader/generated_1.json", "\"size\": 1000", "\"size\": 1048577", "outputs.rules"),
        (submitted.as_str(), "\"size\": 1000", "\"size\": 1048577", "outputs.rules"),
        (duels.as_str(), "\"front_right\"", "\"front_left\"", "judge.detail"),
        (duels.as_str(), "\"score\": 6", "\"score\": 7", "match.score"),
        (duels.as_str(), "\"margin\": 0.375", "\"margin\": 0.4375", "match.score"),
        (duels.as_str(), "\"winner\": \"right\"", "\"winner\": \"left\"", "match.score"),
        (duels.as_str(), "no preview from right", "no preview from left", "match.rules"),
        (duels.as_str(), "\"pen_b\": 4.5", "\"pen_b\": 6.5", "judge.detail"),
        (duels.as_str(), "\"decided_by\": \"S2 consensus\"", "\"decided_by\": \"S1\"", "judge.detail"),
        (duels.as_str(), "\"source\": \"consensus_3\"", "\"source\": \"strong_voter\"", "judge.detail"),
        (duels.as_str(), "leader/generated_1/0", "leader/generated_2/0", "match.urls"),
        (audit.as_str(), "\"score\": -2", "\"score\": -1", "match.score"),
        ("rounds/0/matches_matrix.csv", ",-1.0", ",-0.5", "match.matrix"),
        // Rounds with hardware came after walkovers of 100.
        ("rounds/0/matches_matrix.csv", ",-1.0", ",-100.0", "match.matrix"),
        ("rounds/0/matches_matrix.csv", ",0.375", ",0.3125", "match.matrix"),
        ("rounds/0/audit_matrix.csv", ",0.25", ",0.3125", "audit.matrix"),
        ("rounds/0/require_audit.json", first.as_str(), second.as_str(), "audit.request"),
        ("rounds/2/require_audit.json", defended.as_str(), "\"latest_defender\": \"leader\"", "audit.request"),
        ("rounds/0/generation_reports.json", "5000.5", "4999.5", "audit.report"),
        ("rounds/0/generation_reports.json", "\"failed_prompts\": 0", "\"failed_prompts\": 1", "audit.report"),
        ("rounds/1/generation_reports.json", "7301.5s", "7301.4s", "audit.report"),
        ("rounds/1/generation_reports.json", "\"completed\"", "\"pending\"", "audit.report"),
        ("rounds/1/generation_audits.json", "+6.25%", "+6.26%", "audit.verdict"),
        ("rounds/0/generation_audits.json", "\"passed\"", "\"failed\"", "audit.verdict"),
        ("rounds/1/source_audit.json", "\"failed\"", "\"passed\"", "audit.verdict"),
        ("rounds/0/winner.json", first.as_str(), "leader", "winner.replay"),
        ("rounds/1/winner.json", "-js-cup-0", "-js-cup-1", "winner.source"),
        ("leader.json", "\"weight\": 0.8", "\"weight\": 0.7", "leader.transition"),
        ("leader.json", "\"weight\": 0.0", "\"weight\": -0.5", "leader.transition"),
        ("rounds/1/generation_reports.json", "to deploy", "to build", "audit.verdict"),
        ("rounds/1/generation_reports.json", "13 failed prompts", "12 failed prompts", "audit.report"),
        ("rounds/1/generation_audits.json", "to deploy", "to build", "audit.verdict"),
        ("rounds/2/generation_audits.json", "+6.25%", "+7.25%", "audit.verdict"),
        ("rounds/2/audit_matrix.csv", ",0.0625", ",0.125", "audit.matrix"),
        ("rounds/2/matches_matrix.csv", ",0.0625", ",0.125", "match.matrix"),
        ("rounds/2/leader/pod_stats.json", "4500.5", "4500.75", "outputs.rules"),
        (against_newer.as_str(), "\"score\": 1", "\"score\": 2", "match.score"),
        (against_newer.as_str(), eleven.as_str(), ten.as_str(), "match.urls"),
    ]
    .map(|(path, old, new, id)| (path.to_owned(), old.to_owned(), new.to_owned(), id))
    .into();
    for (path, old, new, id) in lies {
        let was = files.0[&path].clone();
        let text = String::from_utf8(was.clone()).unwrap();
        assert!(text.contains(&old), "{path}: {old}");
        files.0.insert(path.clone(), text.replacen(&old, &new, 1).into_bytes());
        let found = check(&files);
        let hit = found.iter().any(|found| found.id == id && found.status == CheckStatus::Fail);
        assert!(hit, "{path}: {old} -> {new}: {:#?}", objections(&found));
        files.0.insert(path, was);
    }
    // A file of another format is one finding that names both.
    files.0.insert("rounds/0/judge_progress.json".to_owned(), b"{}".to_vec());
    let found = objections(&check(&files));
    let expected = "does not belong here: a file of a splat competition, but this one is threejs";
    assert!(found.iter().any(|line| line.ends_with(expected)), "{found:#?}");
}

/// Nothing can be taken away: no file, and no entry of one.
#[test]
fn each_deletion_is_found() {
    let mut files = Files(make_threejs::files());
    let mut cases = Vec::new();
    for (path, bytes) in make_threejs::files().iter().filter(|(path, _)| *path != "prompts.txt") {
        let mut shorter = shortened(bytes);
        // One output is as good as another; without a key, a report does not parse.
        shorter.truncate(if path.contains("/generated_") || path.contains("/submitted") { 1 } else { usize::MAX });
        shorter.retain(|_| path.ends_with(".csv") || !(path.contains("/duels_") || path.contains("/audit_")));
        cases.extend(std::iter::once(None).chain(shorter.into_iter().map(Some)).map(|less| (path.clone(), less)));
    }
    for (path, less) in few(7, cases) {
        let what = if less.is_some() { "an entry" } else { "the file" };
        let was = files.0.remove(&path).unwrap();
        files.0.extend(less.map(|bytes| (path.clone(), bytes)));
        let found = check_threejs(&files);
        let hit = found.iter().any(|found| found.status == CheckStatus::Fail);
        assert!(hit || is_spare(&path, what), "{path}: {what} may go: {:#?}", objections(&found));
        files.0.insert(path, was);
    }
}

/// A file of entries without each of them.
fn shortened(bytes: &[u8]) -> Vec<Vec<u8>> {
    let write = |value: serde_json::Value| serde_json::to_vec_pretty(&value).unwrap();
    match serde_json::from_slice(bytes) {
        Ok(serde_json::Value::Object(all)) if all.values().all(serde_json::Value::is_object) => {
            let without = |key: &String| {
                let mut less = all.clone();
                less.shift_remove(key);
                write(less.into())
            };
            all.keys().map(without).collect()
        }
        Ok(serde_json::Value::Array(all)) => {
            let without = |at: usize| {
                let mut less = all.clone();
                less.remove(at);
                write(less.into())
            };
            (0..all.len()).map(without).collect()
        }
        // Rows under a header.
        Err(_) if bytes.starts_with(b"left,") => {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let rows: Vec<&str> = text.split('\n').collect();
            let without = |at: usize| {
                let mut less = rows.clone();
                less.remove(at);
                less.join("\n").into_bytes()
            };
            (1..rows.len()).map(without).collect()
        }
        _ => Vec::new(),
    }
}

/// What nothing follows from: requests, reports and readings of miners on whom nothing was decided by them.
fn is_spare(path: &str, what: &str) -> bool {
    let names = ["generation_reports.json", "require_audit.json", "leader.json"];
    what == "an entry" && (names.iter().any(|name| path.ends_with(name)) || path.contains("/generated_"))
}

/// The older layouts hold as well, and so are lies about them found.
#[test]
fn a_competition_with_the_older_layouts_holds_and_each_lie_about_it_is_found() {
    let mut files = Files(make_threejs::older_files());
    let found = objections(&check_threejs(&files));
    assert_eq!(found, [""; 0], "{found:#?}");
    let folder = |round: u32, miner: u8, name: &str| format!("rounds/{round}/{}/{name}", make_threejs::hotkey(miner));
    let (compared, audit) = (folder(0, 1, "duels_submitted.json"), folder(1, 3, "audit_submitted.json"));
    let (three, six) = (make_threejs::hotkey(3), make_threejs::hotkey(6));
    each_is_found(
        &mut files,
        check_threejs,
        &[
            (&compared, "\"score\": 0", "\"score\": 1", "match.score"),
            (&compared, "/generated/", "/generated_2/", "match.urls"),
            (&folder(0, 1, "generated.json"), "/generated/", "/submitted/", "outputs.rules"),
            ("rounds/0/matches_matrix.csv", ",-100.0", ",-10.0", "match.matrix"),
            (&audit, "\"margin\": -0.1875", "\"margin\": -0.125", "match.score"),
            ("rounds/1/audit_matrix.csv", ",-0.1875", ",-0.125", "audit.matrix"),
            ("rounds/1/winner.json", &six, &three, "winner.replay"),
            ("rounds/1/require_audit.json", &six, &make_threejs::hotkey(2), "audit.request"),
            ("rounds/1/generation_reports.json", "\"rejected\"", "\"completed\"", "winner.replay"),
            ("rounds/2/audit_matrix.csv", "leader_2", "leader_1", "file.parse"),
            ("rounds/2/audit_matrix.csv", ",-0.0625", ",0.0625", "audit.matrix"),
            ("rounds/2/generation_reports.json", "4000.5", "4000.75", "audit.report"),
            ("leader.json", "\"weight\": 0.8", "\"weight\": 0.9", "leader.transition"),
        ],
    );
}

/// Rounds whose folders are missing are named, however many there are.
#[test]
fn every_missing_round_is_named() {
    let mut files = Files(make_threejs::files());
    files.0.retain(|path, _| !path.starts_with("rounds/0/") && !path.starts_with("rounds/2/"));
    let found = objections(&check_threejs(&files));
    let line = "Fail state.files rounds: the folders of rounds 0, 2 are missing; present: 1, 3";
    assert!(found.iter().any(|found| found == line), "{found:#?}");
    let state = br#"{"current_round": 4000000000, "stage": "open", "next_stage_eta": null}"#;
    files.0.insert("state.json".to_owned(), state.to_vec());
    let found = objections(&check_threejs(&files));
    assert!(found.iter().any(|found| found.contains("0, 2, 4 to 4000000000 are missing")), "{found:#?}");
}

/// A competition of meshes stays one, with a finding about the stray file that names both formats.
#[test]
fn a_stray_file_of_another_format_is_one_finding() {
    for (path, other) in [
        ("rounds/1/audit_matrix.csv", "threejs"),
        ("rounds/0/leader/generated_1.json", "threejs"),
        ("rounds/0/judge_progress.json", "splat"),
    ] {
        let folder = example(false);
        std::fs::write(folder.path().join(path), "{}").unwrap();
        let run = gen404(folder.path(), &["verify"]).ends(1);
        assert!(run.out.contains("format: mesh"), "{path}: {}", run.out);
        let fails: Vec<&str> = run.out.lines().filter(|line| line.starts_with("fail")).collect();
        assert_eq!(fails.len(), 1, "{fails:#?}");
        let both = fails[0].contains(path) && fails[0].contains(other) && fails[0].contains("mesh");
        assert!(both, "{fails:#?}");
    }
}

/// A format that is none has one answer, whatever the files are.
#[test]
fn a_format_that_is_none_has_one_answer() {
    let threejs = tempfile::tempdir().unwrap();
    for (path, bytes) in make_threejs::files() {
        let path = threejs.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let expected = "\"format\" is \"sculpture\": expected splat, mesh or threejs";
    for folder in [example(false), threejs] {
        edit(folder.path(), "config.json", |text| text.replacen('{', "{\n  \"format\": \"sculpture\",", 1));
        let run = gen404(folder.path(), &["verify"]).ends(1);
        let fails: Vec<&str> = run.out.lines().filter(|line| line.contains("sculpture")).collect();
        assert_eq!(fails.len(), 1, "{}", run.out);
        assert!(fails[0].contains("file.parse") && fails[0].ends_with(expected), "{fails:#?}");
        let run = gen404(folder.path(), &["status"]).ends(1);
        assert!(run.err.contains(expected), "{}", run.err);
    }
}

/// A command would write files of another format than it finds: it refuses before it looks at anything.
#[test]
fn commands_that_write_refuse_another_format() {
    let folder = crate::other_formats::splat("duels");
    let before = Files::of_folder(folder.path()).0;
    for command in crate::dry_runs::writers() {
        let run = gen404(folder.path(), &[command]).ends(1);
        assert!(
            run.err.contains("gen404 does not run such competitions: this one is splat ("),
            "{command}: {}",
            run.err
        );
    }
    assert_eq!(
        Files::of_folder(folder.path())
            .0
            .into_iter()
            .filter(|(path, _)| !path.starts_with(".gen404"))
            .collect::<Vec<_>>(),
        before.into_iter().collect::<Vec<_>>()
    );
}

/// Whether its path or its contents give it away: a file of another format is named with both, and does not decide.
#[test]
fn a_first_file_of_another_format_is_named_with_both() {
    let folder = example(false);
    let first = "rounds/0/5CK1ZoZVsCpyjKBJ3TKAmby1QLaYBBLiSP2TJvcc6mJRbc3a/generated.json";
    edit(folder.path(), first, |text| text.replace("\"glb\"", "\"js\""));
    let found = crate::support::findings(folder.path(), &[]);
    let of_file: Vec<_> = found.iter().filter(|found| found.id == "file.parse").collect();
    let [one] = of_file.as_slice() else { panic!("{of_file:#?}") };
    assert_eq!((one.status.as_str(), one.subject.as_str()), ("fail", first));
    assert!(one.detail.contains("a threejs competition, but this one is mesh"), "{}", one.detail);
}
