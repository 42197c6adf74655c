//! Judges and nodes that answer what real ones do when something is wrong with them: said, with what to do; a failed
//! call is no draw.

use serde_json::{Value, json};

use super::echoes::{Echo, at_duels, response};
use super::harness::{SECRET, World, check};
use crate::judge_server::{JudgeServer, Manners};
use crate::support::tree;

const ANSWER: &str = r#"{"penalty_1": 1, "penalty_2": 5, "issues": ""}"#;

/// A chat completion with this message and end.
fn chat(message: &Value, finish: &Value) -> Vec<u8> {
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}).to_string();
    response("200 OK", "Content-Type: application/json\r\n", body.as_bytes())
}

fn error(status: &str, message: &str) -> Vec<u8> {
    response(status, "", json!({"error": {"message": message, "code": 400}}).to_string().as_bytes())
}

/// What a judge answers, by a name, and what is said of it.
fn failures() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let content = json!({"content": ANSWER});
    let null = |key: &str| json!({"content": null, key: ANSWER});
    let unsupported = "Unsupported parameter: 'max_tokens' is not supported with this model.";
    vec![
        ("500 with words", error("500 Oops", "CUDA out of memory"), &["status 500", "CUDA out of memory"]),
        ("502 with a page", response("502 Bad", "", b"<html>\x1b[31mbad gateway"), &["status 502", "\\u{1b}[31mbad"]),
        ("503 without", response("503 No", "", b""), &["status 503"]),
        ("500 without end", response("500 No", "", &vec![b'x'; 3 << 20]), &["status 500: xxx"]),
        ("429 with words", error("429 Slow", "you have no credits"), &["status 429", "no credits"]),
        ("cut off", chat(&content, &json!("length")), &["finish_reason length", "max_tokens"]),
        ("filtered", chat(&content, &json!("content_filter")), &["finish_reason content_filter"]),
        ("tools", chat(&content, &json!("tool_calls")), &["finish_reason tool_calls"]),
        ("an odd end", chat(&content, &json!("\u{202e}x".repeat(90))), &["finish_reason \\u{202e}x"]),
        ("reasoning", chat(&null("reasoning"), &json!("stop")), &["no content, but reasoning", "--reasoning-parser"]),
        ("old reasoning", chat(&null("reasoning_content"), &json!("stop")), &["reasoning parser"]),
        ("nothing", chat(&json!({"content": null}), &json!("stop")), &["the answer has no content"]),
        (
            "a refusal",
            chat(&json!({"content": null, "refusal": "I will not compare these"}), &json!("stop")),
            &["refuses to answer: I will not compare these"],
        ),
        ("200 with an error", error("200 OK", "the model is overloaded"), &["an error: the model is overloaded"]),
        ("no max_tokens", error("400 Bad", unsupported), &["status 400", "[judge] max_completion_tokens"]),
        ("no temperature", error("400 Bad", "'temperature' does not support 0"), &["[judge] send_temperature = false"]),
        ("moved", response("308 Moved", "Location: https://there.example/v1\r\n", b""), &["https://there.example/v1"]),
    ]
}

fn pictures(world: &World) -> String {
    world.put("p.png", super::pictures::png(8, 8, 2).bytes()).to_str().unwrap().to_owned()
}

#[test]
fn judges_that_fail() {
    for (what, said, expected) in failures() {
        let echo = Echo::start(move |_| said.clone());
        let world = at_duels();
        let settings = world.settings("[judge]\nattempts = 2\ntimeout_seconds = 3\n");
        let (url, png) = (format!("{}/v1", echo.url()), pictures(&world));
        let flags = ["--judge-url", &url, "--config", &settings];
        let args = [&["judge", &png, &png, &png][..], &flags].concat();
        let outcome = world.attack(&format!("judge: {what}"), &args).with_keys().run().ends(&[4]).says(expected);
        check(outcome.said().len() < 2500, || format!("{what}: {}", outcome.said()));
        let outcome = world.attack(&format!("duel: {what}"), &[&["duel"][..], &flags].concat()).run().ends(&[4]);
        // One match needs no judge: a miner without outputs. No other is played, and none is a draw.
        let played: Vec<_> = tree(&world.repo().join("rounds/1")).into_keys().collect();
        let played = played.iter().filter(|path| path.to_string_lossy().contains("duels_")).count();
        check(played == 1 && outcome.said().contains("against leader: -1.0000"), || {
            format!("{what}: a failed call was played: {}", outcome.said())
        });
    }
}

#[test]
fn judges_that_fail_with_the_key() {
    for said in [error("500 Oops", SECRET), chat(&json!({"content": null, "refusal": SECRET}), &json!(SECRET))] {
        let echo = Echo::start(move |_| said.clone());
        let world = at_duels();
        let settings = world.settings("[judge]\nattempts = 1\n");
        let (url, png) = (format!("{}/v1", echo.url()), pictures(&world));
        let args = ["judge", &png, &png, &png, "--judge-url", &url, "--config", &settings, "-v"];
        let outcome =
            world.attack("a judge that fails with the key", &args).with_keys().run().ends(&[4]).says(&["***"]);
        check(!outcome.said().contains(SECRET), || outcome.said());
    }
}

#[test]
fn judges_that_want_other_parameters() {
    for (settings, bound, temperature) in [
        ("max_tokens = 77", ("max_tokens", "max_completion_tokens"), true),
        ("max_completion_tokens = 77", ("max_completion_tokens", "max_tokens"), true),
        ("max_completion_tokens = 77\nsend_temperature = false", ("max_completion_tokens", "max_tokens"), false),
    ] {
        let judge = JudgeServer::start(Manners::default());
        let world = at_duels();
        let file = world.settings(&format!("[judge]\n{settings}\n"));
        let png = pictures(&world);
        let args = ["judge", &png, &png, &png, "--judge-url", &judge.url, "--config", &file, "--inline-images"];
        world.attack(settings, &args).run().ends(&[0]);
        let body = judge.seen.last_body.lock().unwrap().clone();
        let has = |name: &str| body.get(name).is_some();
        check(body[bound.0] == 77 && !has(bound.1) && has("temperature") == temperature, || {
            format!("{settings}: {:?}", body.as_object().map(|body| body.keys().collect::<Vec<_>>()))
        });
    }
}

#[test]
fn judges_of_another_script() {
    let world = at_duels();
    let png = pictures(&world);
    let args = ["judge", &png, &png, &png, "--judge-url", "https://ex\u{e4}mple.org/v1"];
    world.attack("a judge of another script", &args).run().ends(&[2]).says(&["xn--exmple-cua.org"]);
}
