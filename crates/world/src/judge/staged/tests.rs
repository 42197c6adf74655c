use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::stand_in::{Asked, ByUrl, Manners, Reply, StandIn};
use super::*;
use crate::base::error::Kind;
use crate::judge::settings::JudgeSettings;
use crate::model::threejs::asked::{IssuesAnswer, PenaltyAnswer};

fn image(url: &str) -> DuelImage {
    DuelImage { url: url.to_owned(), sha256: None }
}

fn about(topic: Topic, label: &'static str, form: Form) -> StageQuestion {
    let images = ["http://x.org/p.png", "http://x.org/a.png", "http://x.org/b.png"].map(image).to_vec();
    StageQuestion { topic, label, view: Some(View::FrontLeft), images, seed: 107, tokens: 300, attempts: 3, form }
}

fn bench(folder: &std::path::Path, judge: &StandIn) -> StageBench {
    with_settings(folder, judge, "")
}

fn with_settings(folder: &std::path::Path, judge: &StandIn, more: &str) -> StageBench {
    let text = format!("base_url = {:?}\nmodel = 'm'\nattempts = 2\n{more}", judge.url);
    let settings: JudgeSettings = toml::from_str(&text).unwrap();
    StageBench {
        judge: settings.open_stages(settings.stage_words().unwrap(), None).unwrap(),
        journal: AnswerJournal::open_with(folder, is_answer).unwrap(),
        images: settings.images(),
        inline: false,
    }
}

/// Says these things in turn, then what [`ByUrl`] does.
struct First(Mutex<Vec<Reply>>);

impl First {
    fn says(replies: &[&str]) -> First {
        First(Mutex::new(replies.iter().rev().map(|text| Reply::Said((*text).to_owned())).collect()))
    }
}

impl Manners for First {
    fn reply(&self, asked: &Asked) -> Reply {
        self.0.lock().unwrap().pop().unwrap_or_else(|| ByUrl.reply(asked))
    }
}

fn start(manners: First) -> StandIn {
    StandIn::start(Duration::ZERO, 4, manners)
}

#[test]
fn a_call_has_its_words_its_images_and_its_schema() {
    let (folder, judge) = (tempfile::tempdir().unwrap(), start(First::says(&[])));
    let shown = bench(folder.path(), &judge).answer(&about(Topic::PromptMatch, "s1_prompt_match", Form::Penalties));
    let shown = shown.unwrap();
    assert!(matches!(shown.answer.said, StageAnswer::Penalties(PenaltyAnswer { .. })));
    let (model, attempts) = (shown.answer.origin.model.as_deref(), shown.answer.origin.attempts);
    assert_eq!((model, attempts, shown.images), (Some("stand-in"), Some(1), vec![None; 3]));
    let body = judge.seen.lock().unwrap()[0].body.clone();
    assert_eq!((&body["temperature"], &body["seed"], &body["max_tokens"]), (&json!(0.0), &json!(107), &json!(300)));
    assert_eq!(body["response_format"]["json_schema"]["name"], "s1_prompt_match-response");
    let parts = body["messages"][1]["content"].as_array().unwrap();
    let kinds: Vec<&str> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "image_url", "text", "image_url", "text", "image_url", "text"]);
    assert_eq!(parts[3]["image_url"]["url"], "http://x.org/a.png");
    assert!(parts[6]["text"].as_str().unwrap().contains("from the front left"));
    let features = ["lid", "two handles"].map(str::to_owned).to_vec();
    let schema = schema::of(&Form::Checks(features.clone()));
    let checks = &schema["properties"]["checks"];
    assert_eq!(checks["items"]["properties"]["feature"]["enum"], json!(features));
    assert_eq!((&checks["minItems"], &checks["maxItems"]), (&json!(2), &json!(2)));
}

#[test]
fn an_answer_otherwise_than_asked_is_asked_for_with_another_seed() {
    let (folder, judge) = (tempfile::tempdir().unwrap(), start(First::says(&["Sure!", "{\"penalty_1\": 42}"])));
    let bench = bench(folder.path(), &judge);
    let question = about(Topic::Artifacts, "s2ac_ab", Form::Penalties);
    let shown = bench.answer(&question).unwrap();
    assert_eq!((shown.answer.origin.attempts, bench.judge.faults()), (Some(3), 2));
    let told = |asked: &Asked| (asked.body["seed"].clone(), asked.body["temperature"].clone());
    let told: Vec<(Value, Value)> = judge.seen.lock().unwrap().iter().map(told).collect();
    let expected = [(107, 0.0), (108, 0.15), (109, 0.2)].map(|(seed, warm)| (json!(seed), json!(warm)));
    assert_eq!(told, expected);
    // The next run finds it, and so does the other order of other images only where they are the same.
    assert_eq!(bench.answer(&question).unwrap(), shown);
    assert_eq!(judge.count(), 3);
    let mut turned = question;
    turned.images.swap(1, 2);
    bench.answer(&turned).unwrap();
    assert_eq!(judge.count(), 4);
}

#[test]
fn a_server_that_fails_is_asked_the_same_again() {
    let replies = vec![Reply::Status(503)];
    let (folder, judge) = (tempfile::tempdir().unwrap(), start(First(Mutex::new(replies))));
    bench(folder.path(), &judge).answer(&about(Topic::Guard, "s4_per_angle", Form::Verdict)).unwrap_err();
    assert_eq!(judge.count(), 0, "two captions for three images: a fault of ours");
    let mut question = about(Topic::Guard, "s4_per_angle", Form::Verdict);
    question.images.pop();
    bench(folder.path(), &judge).answer(&question).unwrap();
    let seen = judge.seen.lock().unwrap();
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
}

#[test]
fn only_what_decides_nothing_may_stay_without_an_answer() {
    let (folder, judge) = (tempfile::tempdir().unwrap(), start(First::says(&["no"; 6])));
    let bench = bench(folder.path(), &judge);
    let error = bench.answer(&about(Topic::Gray, "s3_gray_ab", Form::Penalties)).unwrap_err();
    assert_eq!((error.kind(), error.manner()), (Kind::Outside, Some("answers unusably")), "{error}");
    let explain = about(Topic::Explain, "explain", Form::Issues);
    let shown = bench.answer(&explain).unwrap();
    assert_eq!(shown.answer.said, StageAnswer::Issues(IssuesAnswer { issues: None }));
    drop(bench);
    assert_eq!(self::bench(folder.path(), &judge).answer(&explain).unwrap(), shown, "kept");
    assert_eq!(judge.count(), 6);
    let down = StandIn::start(Duration::ZERO, 1, First(Mutex::new(vec![Reply::Status(503); 9])));
    let error = self::bench(tempfile::tempdir().unwrap().path(), &down).answer(&explain).unwrap_err();
    assert_eq!((error.kind(), down.count()), (Kind::Outside, 2), "a server that is down is waited for");
}

#[test]
fn a_raised_limit_of_tokens_holds_for_every_call() {
    let judge = start(First::says(&[]));
    let question = about(Topic::Artifacts, "s2ac_ab", Form::Penalties);
    for (settings, name, tokens) in [
        ("max_tokens = 500", "max_tokens", 300),
        ("max_tokens = 4000", "max_tokens", 4000),
        ("max_completion_tokens = 4000", "max_completion_tokens", 4000),
        ("max_completion_tokens = 100", "max_completion_tokens", 300),
    ] {
        with_settings(tempfile::tempdir().unwrap().path(), &judge, settings).answer(&question).unwrap();
        assert_eq!(judge.seen.lock().unwrap().last().unwrap().body[name], json!(tokens), "{settings}");
    }
}
