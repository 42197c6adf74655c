use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use self::stand_in::{Asked, ByUrl, Manners, Reply, StandIn};
use super::super::Side;
use super::*;
use crate::model::ids::Seed;
use crate::model::question::QuestionFile;
use crate::model::threejs::detail::Told;
use crate::rules::threejs::staged::follow;
use crate::rules::threejs::stages::objections;
use crate::ui::Verbosity;
use crate::world::judge::journal::AnswerJournal;
use crate::world::judge::settings::JudgeSettings;
use crate::world::judge::staged::{StageBench, is_answer};

/// That of the client's own tests, which another crate cannot name.
#[allow(dead_code, reason = "those tests use more of it")]
#[path = "../../../../../crates/world/src/judge/staged/stand_in.rs"]
mod stand_in;

const EMBEDDINGS: &[u8] = include_bytes!("../../../../../tests/fixtures/embeddings.npz");

/// A pale picture.
fn pale() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[200; 8 * 8 * 3]).unwrap();
    bytes
}

/// A judge with views beside it, which never answers about what `mute` names, and says nonsense about `vague`.
#[derive(Default)]
struct Site {
    mute: &'static str,
    vague: &'static str,
    lost: &'static str,
}

impl Manners for Site {
    fn reply(&self, asked: &Asked) -> Reply {
        let names =
            |text: &str| !text.is_empty() && format!("{} {}", asked.label, asked.images.concat()).contains(text);
        match asked {
            _ if names(self.mute) => Reply::Status(400),
            _ if names(self.vague) => Reply::Said("I like the first one.".to_owned()),
            asked => ByUrl.reply(asked),
        }
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        let lost = !self.lost.is_empty() && path.contains(self.lost);
        match path.rsplit('/').next() {
            _ if lost => None,
            Some("embeddings.npz") => Some(EMBEDDINGS.to_vec()),
            _ => Some(pale()),
        }
    }
}

/// Matches of so many duels each, the first to be played first.
struct Matches<'a> {
    site: &'a str,
    keys: Vec<String>,
    duels: usize,
    finished: BTreeMap<String, Played>,
}

impl<'a> Matches<'a> {
    fn new(judge: &'a StandIn, matches: usize, duels: usize) -> Self {
        let site = judge.url.strip_suffix("/v1").unwrap();
        Matches { site, keys: (0..matches).map(|at| format!("match-{at}")).collect(), duels, finished: BTreeMap::new() }
    }
}

impl Course<String> for Matches<'_> {
    fn wanted(&mut self) -> Result<Vec<String>> {
        Ok(self.keys.clone().into_iter().filter(|key| !self.finished.contains_key(key)).collect())
    }

    fn duels(&mut self, key: &String) -> Result<Vec<DuelOf>> {
        let side = |who: &str, at: usize| Side {
            js: Some(format!("{}/{key}/{who}/{at}.js", self.site)),
            views: Some(format!("{}/{key}/{who}/{at}", self.site)),
        };
        let duel = |at: usize| DuelOf {
            name: format!("stem{at}").parse().unwrap(),
            prompt: format!("{}/prompts/stem{at}.png", self.site),
            left: side("left", at),
            right: side("right", at),
        };
        Ok((0..self.duels).map(duel).collect())
    }

    fn finished(&mut self, key: &String, played: Played) -> Result<()> {
        assert!(self.finished.insert(key.clone(), played).is_none(), "{key} ended twice");
        Ok(())
    }
}

fn court(judge: &StandIn, folder: &Path, concurrency: usize) -> Court {
    let settings: JudgeSettings =
        toml::from_str(&format!("base_url = {:?}\nmodel = 'm'\nattempts = 2", judge.url)).unwrap();
    let bench = StageBench {
        judge: settings.open_stages(settings.stage_words().unwrap(), None).unwrap(),
        journal: AnswerJournal::open_with(folder, is_answer).unwrap(),
        images: settings.images(),
        inline: false,
    };
    let question = QuestionFile::new(settings.asked_in_stages().unwrap());
    Court { bench, question, seed: Seed(7), concurrency, sums: HashMap::new() }
}

fn run(court: &Court, course: &mut Matches<'_>) -> Result<()> {
    play(&Ui::new(Verbosity::Quiet, false, true), &Stop::default(), court, course)
}

/// Everything that is recorded follows from its stages and from the answers that are kept, and every branch that the
/// judge's answers lead to was taken.
fn consistent(played: &Played) -> BTreeSet<String> {
    let mut decided = BTreeSet::new();
    for (duel, line) in played.duels.iter().zip(&played.answers.0) {
        let detail = duel.detail.as_ref().unwrap();
        let followed = follow([true, true], line.judged().unwrap());
        assert_eq!((followed.missing, followed.unasked, followed.needless), Default::default());
        let followed = followed.decided.unwrap();
        assert_eq!((followed.winner, &followed.detail, line.name()), (duel.winner, detail, &duel.name));
        let Told::Judged(stages) = detail.told() else { panic!("unjudged") };
        assert_eq!(objections(&stages, duel.winner), [""; 0]);
        decided.insert(stages.decided_by.split(' ').next().unwrap().to_owned());
    }
    decided
}

#[test]
fn matches_are_played_whole_and_nothing_is_asked_twice() {
    let (folder, judge) = (tempfile::tempdir().unwrap(), StandIn::start(Duration::ZERO, 8, Site::default()));
    let mut course = Matches::new(&judge, 3, 12);
    run(&court(&judge, folder.path(), 8), &mut course).unwrap();
    assert_eq!(course.finished.len(), 3);
    let decided: BTreeSet<String> = course.finished.values().flat_map(consistent).collect();
    assert!(decided.len() >= 3, "{decided:?}");
    let played = &course.finished["match-1"];
    let names: Vec<&str> = played.duels.iter().map(|duel| duel.name.as_str()).collect();
    assert_eq!(names, (0..12).map(|at| format!("stem{at}")).collect::<Vec<_>>());
    assert!(played.duels[0].left_png.as_ref().unwrap().ends_with("/match-1/left/0/grid.png"));
    let (asked, first) = (judge.count(), course.finished.clone());
    // The best view of the fixture.
    assert!(judge.seen.lock().unwrap().iter().any(|asked| {
        asked.label == "s2bv_ab" && asked.images[1].contains("/left/") && asked.images[1].ends_with("white/back.png")
    }));
    let mut again = Matches::new(&judge, 3, 12);
    run(&court(&judge, folder.path(), 8), &mut again).unwrap();
    assert_eq!((again.finished, judge.count()), (first, asked), "all of it was in the journal");
}

#[test]
fn a_match_without_an_answer_is_not_recorded_and_holds_up_no_other() {
    let site = Site { mute: "match-1/right/3/", ..Site::default() };
    let (folder, judge) = (tempfile::tempdir().unwrap(), StandIn::start(Duration::ZERO, 8, site));
    let mut course = Matches::new(&judge, 3, 6);
    let error = run(&court(&judge, folder.path(), 8), &mut course).unwrap_err();
    assert_eq!(course.finished.keys().collect::<Vec<_>>(), ["match-0", "match-2"]);
    assert!(error.to_string().contains("1 match unfinished, first match-1"), "{error}");
    assert!(error.hints().iter().any(|hint| hint.contains("all answers so far are kept")), "{:?}", error.hints());
}

#[test]
fn words_that_nobody_finds_hold_nothing_up_but_a_penalty_does() {
    let site = Site { vague: "explain", ..Site::default() };
    let (folder, judge) = (tempfile::tempdir().unwrap(), StandIn::start(Duration::ZERO, 8, site));
    let mut course = Matches::new(&judge, 1, 2);
    run(&court(&judge, folder.path(), 8), &mut course).unwrap();
    let detail = serde_json::to_value(&course.finished["match-0"].duels[0].detail).unwrap();
    assert_eq!(detail["issues"], "");
    let site = Site { vague: "s1_prompt_match", ..Site::default() };
    let judge = StandIn::start(Duration::ZERO, 8, site);
    let mut course = Matches::new(&judge, 1, 1);
    let error = run(&court(&judge, tempfile::tempdir().unwrap().path(), 2), &mut course).unwrap_err();
    assert!(course.finished.is_empty() && error.to_string().contains("answers unusably"), "{error}");
}

#[test]
fn only_embeddings_may_be_absent() {
    let site = Site { lost: "embeddings.npz", ..Site::default() };
    let (folder, judge) = (tempfile::tempdir().unwrap(), StandIn::start(Duration::ZERO, 8, site));
    let mut course = Matches::new(&judge, 1, 12);
    run(&court(&judge, folder.path(), 8), &mut course).unwrap();
    assert!(judge.seen.lock().unwrap().iter().all(|asked| !asked.label.starts_with("s2bv")));
    let site = Site { lost: "gray/front_left.png", ..Site::default() };
    let judge = StandIn::start(Duration::ZERO, 8, site);
    let mut course = Matches::new(&judge, 1, 12);
    let error = run(&court(&judge, tempfile::tempdir().unwrap().path(), 8), &mut course).unwrap_err();
    assert!(course.finished.is_empty() && format!("{error:?}").contains("gray"), "{error:?}");
}

/// Of both bounds the larger: all calls by the capacity, and the longest chain of one duel.
fn bound(judge: &StandIn, latency: Duration, capacity: usize) -> Duration {
    const LONGEST: u32 = 4;
    let all = latency.mul_f64(judge.count() as f64 / capacity as f64);
    all.max(latency * LONGEST)
}

#[test]
#[ignore = "measures time: cargo test --lib -- --ignored the_endpoint_is_kept_full"]
fn the_endpoint_is_kept_full() {
    const CAPACITY: usize = 16;
    let (mut told, mut worst) = (Vec::new(), 0.0_f64);
    // With a long latency, what this machine takes for a call counts for little.
    for (matches, duels, latency) in [(1, 32, 100), (4, 32, 100), (1, 16, 1000), (1, 32, 1000)] {
        let (folder, latency) = (tempfile::tempdir().unwrap(), Duration::from_millis(latency));
        let judge = StandIn::start(latency, CAPACITY, Site::default());
        let mut course = Matches::new(&judge, matches, duels);
        let court = court(&judge, folder.path(), CAPACITY);
        let began = Instant::now();
        run(&court, &mut course).unwrap();
        let (took, bound) = (began.elapsed(), bound(&judge, latency, CAPACITY));
        let (calls, most) = (judge.count(), judge.most.load(Ordering::SeqCst));
        let times = took.as_secs_f64() / bound.as_secs_f64();
        assert_eq!(course.finished.len(), matches);
        told.push(format!(
            "{matches} x {duels} at {latency:?}: calls {calls}, most at once {most}, {took:.1?}, {times:.3} of the bound"
        ));
        worst = worst.max(times);
    }
    assert!(worst <= 1.10, "{told:#?}");
}
