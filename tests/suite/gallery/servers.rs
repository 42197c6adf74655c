//! Judges and nodes that answer what real ones do when something is wrong with them: said, with what to do; a failed
//! call is no draw.

use serde_json::{Value, json};

use super::echoes::{Echo, at_duels, response};
use super::harness::{SECRET, World, check};
use crate::chain_support::{Fake, Reply};
use crate::judge_server::{JudgeServer, Manners};
use crate::support::{few, tree};

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
        (
            "filtered",
            chat(&content, &json!("content_filter")),
            &["finish_reason content_filter", "content filter stops such pictures"],
        ),
        (
            "tools",
            chat(&content, &json!("tool_calls")),
            &["finish_reason tool_calls", "without --enable-auto-tool-choice"],
        ),
        (
            "a function",
            chat(&content, &json!("function_call")),
            &["finish_reason function_call", "no tools are offered"],
        ),
        ("an odd end", chat(&content, &json!("\u{202e}x".repeat(90))), &["finish_reason \\u{202e}x"]),
        (
            "reasoning",
            chat(&null("reasoning"), &json!("stop")),
            &["has reasoning, but no content", "--reasoning-parser"],
        ),
        ("old reasoning", chat(&null("reasoning_content"), &json!("stop")), &["reasoning parser"]),
        (
            "an end in upper case",
            chat(&content, &json!("MAX_TOKENS")),
            &["finish_reason MAX_TOKENS", "[judge] max_tokens"],
        ),
        (
            "an end by the model's length",
            chat(&content, &json!("model_length")),
            &["model_length", "[judge] max_tokens"],
        ),
        ("an end that is a number", chat(&content, &json!(5)), &["did not finish (finish_reason 5)"]),
        ("an end that is a list", chat(&content, &json!([])), &["did not finish (finish_reason [])"]),
        (
            "a thinking part",
            chat(&json!({"content": [{"type": "thinking", "text": ANSWER}]}), &json!("stop")),
            &["has reasoning, but no content", "reasoning parser"],
        ),
        (
            "a reasoning part",
            chat(
                &json!({"content": [{"type": "reasoning", "text": ANSWER}, {"type": "text", "text": ""}]}),
                &json!("stop"),
            ),
            &["has reasoning, but no content", "reasoning parser"],
        ),
        (
            "reasoning as an object",
            chat(&json!({"content": null, "reasoning": {"text": ANSWER}}), &json!("stop")),
            &["has reasoning, but no content", "reasoning parser"],
        ),
        (
            "details of reasoning",
            chat(
                &json!({"content": "", "reasoning_details": [{"type": "reasoning.text", "text": "x"}]}),
                &json!("stop"),
            ),
            &["has reasoning, but no content", "reasoning parser"],
        ),
        ("thinking", chat(&json!({"content": " \n", "thinking": "x"}), &json!("stop")), &["reasoning parser"]),
        (
            "a refusal as an object",
            chat(&json!({"content": ANSWER, "refusal": {"message": "I will not"}}), &json!("stop")),
            &["refuses to answer: I will not"],
        ),
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
    crate::support::side_by_side(few(2, failures()), |(what, said, expected)| {
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
    });
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

/// An error without credit, in the shapes of several servers.
fn without_credit() -> Vec<(&'static str, Value)> {
    let quota = json!({"message": "You exceeded your current quota", "type": "insufficient_quota", "param": null,
        "code": "insufficient_quota"});
    vec![
        ("402 Payment Required", json!({"error": {"message": "Insufficient Balance"}})),
        ("402 Payment Required", json!("pay")),
        ("429 Too Many Requests", json!({ "error": quota })),
        ("403 Forbidden", json!({"error": {"type": "billing_not_active", "message": "no card"}})),
        ("500 Oops", json!({"detail": {"error": "insufficient_credits"}})),
        ("200 OK", json!({"error": {"code": 402, "message": "Insufficient credits"}})),
        ("200 OK", json!({"choices": [{"error": {"code": "insufficient_quota", "message": "over"}}]})),
        ("200 OK", json!({"errors": [{"code": "insufficient_quota", "message": "over"}]})),
        ("429 Slow", json!({"errors": [{"code": "insufficient_quota"}]})),
        ("429 Slow", json!({"error": {"code": 402.0, "message": "over"}})),
        ("429 Slow", json!({"error": {"code": 429, "message": json!({ "error": quota }).to_string()}})),
        ("429 Slow", json!({"error": {"code": 429, "message": "Error: {\"code\": 402}"}})),
        ("503 No", json!({"error": {"code": 503, "metadata": {"raw": json!({ "error": quota }).to_string()}}})),
    ]
}

#[test]
fn judges_without_credit_are_asked_once() {
    for (status, body) in few(3, without_credit()) {
        let answer = response(status, "Retry-After: 0\r\n", body.to_string().as_bytes());
        let echo = Echo::start(move |_| answer.clone());
        let world = at_duels();
        let settings = world.settings("[judge]\nattempts = 3\ntimeout_seconds = 3\n");
        let (url, png) = (format!("{}/v1", echo.url()), pictures(&world));
        let args = ["judge", &png, &png, &png, "--judge-url", &url, "--config", &settings];
        let what = format!("a judge without credit: {status} {body}");
        world.attack(&what, &args).with_keys().run().ends(&[4]).says(&["out of credit", "top up the judge's account"]);
        check(echo.count() == 1, || format!("{what}: asked {} times", echo.count()));
    }
    // What counts is the answer's own text, not what was thought before it.
    let parts = json!([
        {"type": "thinking", "text": r#"{"penalty_1": 9, "penalty_2": 0, "issues": ""}"#},
        {"type": "output_text", "text": ANSWER},
    ]);
    let answer = chat(&json!({"content": parts}), &json!("STOP"));
    let echo = Echo::start(move |_| answer.clone());
    let world = at_duels();
    let (url, png) = (format!("{}/v1", echo.url()), pictures(&world));
    let args = ["judge", &png, &png, &png, "--judge-url", &url];
    world.attack("a judge that thinks", &args).run().ends(&[0]).says(&["\"penalty_1\": 1"]);
    // A limit of requests is none.
    let body =
        json!({"error": {"code": "rate_limit_exceeded", "type": "requests", "message": "slow down"}}).to_string();
    let answer = response("429 Slow", "Retry-After: 0\r\n", body.as_bytes());
    let echo = Echo::start(move |_| answer.clone());
    let world = at_duels();
    let settings = world.settings("[judge]\nattempts = 3\n");
    let (url, png) = (format!("{}/v1", echo.url()), pictures(&world));
    let args = ["judge", &png, &png, &png, "--judge-url", &url, "--config", &settings];
    let outcome = world.attack("a judge with a limit", &args).run().ends(&[4]).says(&["slow down", "(3 attempts)"]);
    check(echo.count() == 3 && !outcome.said().contains("top up"), || outcome.said());
}

/// Answers that are there to harm who reads them.
pub fn hostile_bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("3 MB", vec![b'x'; 3 << 20]),
        ("3 MB of escapes", b"%25\\u0025&amp;".repeat(200_000)),
        ("bytes", (0..=255).cycle().take(9000).collect()),
        ("orders to a terminal", "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\r\0".repeat(50).into_bytes()),
        ("the key", format!("you sent {SECRET}").into_bytes()),
        ("the key in a mixture", format!("you sent {}", crate::echoes::mixed(SECRET, 3)).into_bytes()),
        ("nothing", Vec::new()),
    ]
}

/// What is sent is this to the letter, whatever is answered.
#[test]
fn questions_are_sent_as_the_settings_say() {
    let urls = ["https://x.org/prompt.png", "https://x.org/a.png", "https://x.org/b.png"];
    let question = "system = 'S'\nprompt = 'P'\nfirst = 'F'\nsecond = 'D'\ntask = 'T'\n";
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let penalty = json!({"type": "integer", "minimum": 0, "maximum": 10});
    let schema = json!({
        "type": "object",
        "properties": {"penalty_1": penalty, "penalty_2": penalty, "issues": {"type": "string"}},
        "required": ["penalty_1", "penalty_2", "issues"],
        "additionalProperties": false,
    });
    let expected = |bound: &str, temperature: bool, [one, two, three]: [&str; 3]| {
        let mut body = json!({"model": "m"});
        if temperature {
            body["temperature"] = json!(0.0);
        }
        body[bound] = json!(77);
        body["seed"] = json!(5);
        body["messages"] = json!([
            {"role": "system", "content": "S"},
            {"role": "user", "content":
                [text("P"), image(one), text("F"), image(two), text("D"), image(three), text("T")]},
        ]);
        body["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "penalties", "schema": schema}});
        body.to_string()
    };
    let [prompt, left, right] = urls;
    for (settings, bound, temperature) in [
        ("max_tokens = 77", "max_tokens", true),
        ("max_completion_tokens = 77", "max_completion_tokens", true),
        ("max_tokens = 77\nsend_temperature = false", "max_tokens", false),
        ("max_completion_tokens = 77\nsend_temperature = false", "max_completion_tokens", false),
    ] {
        let good = json!({"choices": [{"message": {"content": ANSWER}, "finish_reason": "stop"}]}).to_string();
        let mut answers = vec![("an answer", 200, good.into_bytes(), 0)];
        for (what, body) in hostile_bodies() {
            answers.extend([(what, 200, body.clone(), 4), (what, 400, body.clone(), 4), (what, 500, body, 4)]);
        }
        for (what, status, answer, code) in few(5, answers) {
            let fake = Fake::start(move |_, _, _| Reply::Status(status, "", answer.clone()));
            let world = at_duels();
            let file = world.settings(&format!("[judge]\nattempts = 1\nmodel = \"m\"\n{settings}\n"));
            let words = world.put("question.toml", question);
            let url = format!("{}/v1", fake.url());
            let args =
                ["judge", prompt, left, right, "--judge-url", &url, "--config", &file, "--seed", "5", "--question"];
            let args = [&args[..], &[words.to_str().unwrap()]].concat();
            let what = format!("{settings:?} and {what} under {status}");
            let outcome = world.attack(&what, &args).with_keys().run().ends(&[code]);
            check(!outcome.said().contains(SECRET) && outcome.said().len() < 3000, || outcome.said());
            let sent: Vec<String> =
                fake.seen.lock().unwrap().iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
            let both = [[prompt, left, right], [prompt, right, left]].map(|order| expected(bound, temperature, order));
            assert_eq!(sent, both.get(..if code == 0 { 2 } else { 1 }).unwrap(), "{what}");
        }
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
